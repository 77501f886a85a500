"""The exercises on the integrate-and-fire neuron: its forward pass, and back through time with a surrogate."""

import numpy as np

from ..conventions import Rule, Surrogate
from ..reference import integrate_fire
from ..verify import zoo
from ._case import Case, Exercise, Mistake

# ---- integrate_and_fire

def _neuron(op):
    """Turn an operation of the contract into the function of the exercise."""
    def forward(current, threshold=1.0, v_init=0.0, reset="subtract"):
        return op.forward(current, threshold, v_init, Rule(reset))[:2]
    return {"forward": forward}


def _contract(functions):
    """Turn the function of the exercise into an operation of the contract."""
    def forward(current, threshold=1.0, v_init=0.0, rule=Rule()):
        return *functions["forward"](current, threshold, v_init, rule.reset), None
    return zoo.Op(forward, None)


def _fault(name):
    return lambda right: _neuron(zoo.FAULTS[name].inject(_contract(right)))


def _cases(rng):
    outputs = ("spikes", "v_final")
    steady = np.full((5, 1), 0.75)
    eighths = rng.integers(-8, 17, (12, 6)) / 8
    rough = rng.uniform(-0.3, 0.8, (20, 5))

    def case(name, *args):
        return Case(name, outputs, lambda f, *a: f["forward"](*a), args)
    return [
        case("5 steps of 0.75", steady, 1.0, 0.0, "subtract"),
        case("the same, reset to zero", steady, 1.0, 0.0, "zero"),
        case("more than two thresholds at once", np.array([[2.5], [0.0], [0.25], [0.0]]), 1.0, 0.0, "subtract"),
        case("exactly at the threshold", np.array([[0.5], [0.5], [0.25]]), 1.0, 0.0, "subtract"),
        case("threshold 2, begins at 0.5", np.full((6, 1), 1.5), 2.0, 0.5, "subtract"),
        case("12 steps, 6 neurons", eighths, 1.0, 0.0, "subtract"),
        case("the same, reset to zero, threshold 0.7, begins at 0.25", eighths, 0.7, 0.25, "zero"),
        case("numbers that do not end in binary", rough, 0.7, 0.1, "subtract"),
    ]


def _walk(fires=np.greater_equal, reset=None, begin=None):
    """Make a neuron with a part exchanged: reset(u, spike, threshold, kind), begin(v_init)."""
    def right_reset(u, s, threshold, kind):
        return u - threshold * s if kind == "subtract" else u * (1 - s)

    def forward(current, threshold=1.0, v_init=0.0, kind="subtract"):
        spikes, v = np.zeros_like(current), np.full_like(current[0], begin(v_init) if begin else v_init)
        for t, x in enumerate(current):
            u = v + x
            spikes[t] = fires(u, threshold)
            v = (reset or right_reset)(u, spikes[t], threshold, kind)
        return spikes, v
    return lambda right: {"forward": forward}


def _reset_late(right):
    def forward(current, threshold=1.0, v_init=0.0, kind="subtract"):
        spikes, v = np.zeros_like(current), np.full_like(current[0], v_init)
        s = np.zeros_like(v)
        for t, x in enumerate(current):
            v = v + x
            v = v - threshold * s if kind == "subtract" else v * (1 - s)
            s = spikes[t] = (v >= threshold).astype(v.dtype)
        return spikes, v
    return {"forward": forward}


def _resets_to_v_init(right):
    def forward(current, threshold=1.0, v_init=0.0, kind="subtract"):
        reset = (lambda u, s, threshold, kind: np.where(s == 1, v_init, u)) if kind == "zero" else None
        return _walk(reset=reset)(right)["forward"](current, threshold, v_init, kind)
    return {"forward": forward}


FORWARD_MISTAKES = (
    Mistake("recorded_late",
            "each spike stands one step too late: it belongs into the step in which the potential reached the threshold",
            _fault("recorded_late")),
    Mistake("float32_inside", "somewhere inside you compute in float32: what comes out is float64 with the digits of a float32",
            _fault("float32_inside")),
    Mistake("fires_above", "at exactly the threshold your neuron does not fire; (I1) says >=", _walk(np.greater)),
    Mistake("always_zero", "your reset is to zero, whatever is asked for; by subtraction the rest stays",
            _walk(reset=lambda u, s, threshold, kind: u * (1 - s))),
    Mistake("always_subtract", "your reset is by subtraction, whatever is asked for",
            _walk(reset=lambda u, s, threshold, kind: u - threshold * s)),
    Mistake("resets_to_v_init", "your reset to zero goes back to v_init; it is to 0, wherever the neuron began", _resets_to_v_init),
    Mistake("subtracts_one", "your reset takes 1 off, not the threshold",
            _walk(reset=lambda u, s, threshold, kind: u - s if kind == "subtract" else u * (1 - s))),
    Mistake("no_reset", "nothing is reset: the potential goes on as if there had been no spike",
            _walk(reset=lambda u, s, threshold, kind: u)),
    Mistake("many_spikes", "a neuron fires at most once a step, and one spike takes one threshold off",
            _walk(lambda u, threshold: np.maximum(np.floor(u / threshold), 0))),
    Mistake("reset_late",
            "you reset after the next current has come in: to zero, that current is lost as well; and the last potential still has "
            "to be reset", _reset_late),
    Mistake("begins_at_zero", "you begin at 0, whatever v_init is", _walk(begin=lambda v: 0.0)),
)


# ---- surrogate_backward

def _passes(op):
    """Turn an operation of the contract into the functions of the exercise."""
    def forward(current, threshold=1.0, v_init=0.0):
        return op.forward(current, threshold, v_init, Rule())

    def backward(dspikes, cache, dv_final, kind="atan", slope=2.0, detach_reset=True):
        return op.backward(dspikes, cache, dv_final, Surrogate(kind, slope), detach_reset)

    def surrogate_grad(x, kind, slope):
        one = np.ones_like(x)[None]
        cache = op.forward((x + 1.0)[None], 1.0, 0.0, Rule())[2]
        return op.backward(one, cache, 0 * x, Surrogate(kind, slope), True)[0][0]
    return {"forward": forward, "surrogate_grad": surrogate_grad, "backward": backward}


def _operation(functions):
    """Turn the functions of the exercise into an operation of the contract."""
    def forward(current, threshold=1.0, v_init=0.0, rule=Rule()):
        return functions["forward"](current, threshold, v_init)

    def backward(dspikes, cache, dv_final=None, surrogate=Surrogate(), detach_reset=True):
        dv_final = np.zeros_like(dspikes[0]) if dv_final is None else dv_final
        return functions["backward"](dspikes, cache, dv_final, surrogate.kind, surrogate.slope, detach_reset)
    return zoo.Op(forward, backward)


def _back_fault(name, kinds=("atan", "sigmoid")):
    """Put a fault of the zoo into the surrogates of some kinds."""
    def inject(right):
        fault = zoo.every()[name].inject(_operation(right))
        wrong, ours = _passes(fault), _passes(_operation(right))

        def backward(dspikes, cache, dv_final, kind="atan", slope=2.0, detach_reset=True):
            use = wrong if kind in kinds else ours
            return use["backward"](dspikes, use["forward"](*cache)[2], dv_final, kind, slope, detach_reset)

        def forward(current, threshold=1.0, v_init=0.0):
            return *right["forward"](current, threshold, v_init)[:2], (current, threshold, v_init)

        def surrogate_grad(x, kind, slope):
            return (wrong if kind in kinds else ours)["surrogate_grad"](x, kind, slope)
        return {"forward": forward, "surrogate_grad": surrogate_grad, "backward": backward}
    return inject


def _curve(x, kind, slope):
    return integrate_fire.surrogate_grad(np.asarray(x, float), Surrogate(kind, slope))


RIGHT = {"forward": lambda current, threshold=1.0, v_init=0.0: integrate_fire.forward(current, threshold, v_init),
         "surrogate_grad": _curve,
         "backward": lambda dspikes, cache, dv_final, kind="atan", slope=2.0, detach_reset=True:
         integrate_fire.backward(dspikes, cache, dv_final, Surrogate(kind, slope), detach_reset)}


def _back(functions, current, threshold, v_init, rest):
    dspikes, dv_final, *how = rest
    _, _, cache = functions["forward"](current, threshold, v_init)
    return functions["backward"](dspikes.copy(), cache, dv_final.copy(), *how)


def _back_cases(rng):
    x = np.array([-2.0, -0.5, -0.125, 0.0, 0.25, 1.0])
    far = np.array([-1000.0, -500.0, 800.0])
    current, v_init = rng.uniform(-0.3, 0.9, (8, 4)), rng.uniform(0, 0.5, 4)
    dspikes, dv = rng.normal(size=(8, 4)), rng.normal(size=4)
    quiet, last = np.zeros_like(dspikes), np.zeros_like(dspikes)
    last[-1] = 1
    deep = current.copy()
    deep[0, 0] = -900.0                            # one neuron far below its threshold
    outputs = ("dcurrent", "dv_init")

    def curve(name, x, kind, slope):
        return Case(name, ("g",), lambda f, x: f["surrogate_grad"](x, kind, slope), (x,))

    def back(name, current, threshold, *rest):
        return Case(name, outputs, _back, (current, threshold, v_init, rest))
    return [
        Case("forward, as given", ("spikes", "v_final"), lambda f, *a: f["forward"](*a)[:2], (current, 0.75, v_init)),
        curve("surrogate_grad, atan", x, "atan", 2.0),
        curve("surrogate_grad, atan, slope 5", x, "atan", 5.0),
        curve("surrogate_grad, sigmoid, slope 4", x, "sigmoid", 4.0),
        curve("surrogate_grad, sigmoid, far away", far, "sigmoid", 4.0),
        back("what stays in the potential", current, 1.0, quiet, dv, "atan", 2.0, True),
        back("the last step's spike", current, 1.0, last, np.zeros(4), "atan", 2.0, True),
        back("8 steps, detached", current, 0.75, dspikes, dv, "atan", 3.0, True),
        back("8 steps, attached", current, 0.75, dspikes, dv, "atan", 3.0, False),
        back("sigmoid, one neuron far below", deep, 1.0, dspikes, dv, "sigmoid", 4.0, True),
    ]


def _own(backward):
    """Exchange the backward pass; it gets u, the threshold and the right derivatives g."""
    def inject(right):
        def forward(current, threshold=1.0, v_init=0.0):
            spikes, v, _ = right["forward"](current, threshold, v_init)
            begin = np.broadcast_to(v_init, current.shape[1:])
            u = begin + np.cumsum(current, axis=0) - threshold * (np.cumsum(spikes, axis=0) - spikes)
            return spikes, v, (u, threshold)

        def faulty(dspikes, cache, dv_final, kind="atan", slope=2.0, detach_reset=True):
            u, threshold = cache
            return backward(dspikes, (u, threshold, _curve(u - threshold, kind, slope)), dv_final, detach_reset)
        return {**right, "forward": forward, "backward": faulty}
    return inject


def _backwards(dspikes, cache, dv_final, detach_reset):
    """Go through the steps from the first to the last."""
    u, threshold, g = cache
    dv, grads = dv_final, []
    for t in range(len(u)):
        dv = dv * (1 if detach_reset else 1 - threshold * g[t]) + g[t] * dspikes[t]
        grads.append(dv)
    return np.stack(grads), dv


def _true_step(dspikes, cache, dv_final, detach_reset):
    """Take the derivative of a spike for the spike: no gradient where it did not fire."""
    u, threshold, g = cache
    return _loop(dspikes, threshold, g * (u >= threshold), dv_final, detach_reset)


def _attached_by_one(dspikes, cache, dv_final, detach_reset):
    return _loop(dspikes, 1.0, cache[2], dv_final, detach_reset)


def _always_detached(dspikes, cache, dv_final, detach_reset):
    return _loop(dspikes, cache[1], cache[2], dv_final, True)


def _final_lost(dspikes, cache, dv_final, detach_reset):
    return _loop(dspikes, cache[1], cache[2], 0 * dv_final, detach_reset)


def _loop(dspikes, threshold, g, dv, detach_reset):
    grads = []
    for t in reversed(range(len(g))):
        dv = dv * (1 if detach_reset else 1 - threshold * g[t]) + g[t] * dspikes[t]
        grads.insert(0, dv)
    return np.stack(grads), dv


def _off_centre(right):
    """The fault of the zoo is about atan; this is the same for any kind, in backward alone."""
    inject = zoo.own_surrogate(lambda v, threshold, surrogate: _curve(v, *surrogate))
    return {**_passes(inject(_operation(right))), "surrogate_grad": right["surrogate_grad"]}


def _other_curve(kind, curve):
    """Exchange the surrogate of one kind, curve(x, slope), wherever it is used."""
    def one(v, threshold, surrogate):
        x = v - threshold
        return curve(x, surrogate.slope) if surrogate.kind == kind else _curve(x, *surrogate)
    return lambda right: _passes(zoo.own_surrogate(one)(_operation(right)))


BACKWARD_MISTAKES = (
    Mistake("slope_ignored", "you take one slope, whatever slope is asked for", _back_fault("slope_ignored")),
    Mistake("sigmoid_overflow", "exp() overflows there, and inf/inf is NaN: use exp(-k |x|), g' is even",
            _back_fault("sigmoid_overflow", ("sigmoid",))),
    Mistake("surrogate_off_centre", "your surrogate has its peak at V = 0: it wants U - threshold, not U",
            _back_fault("surrogate_off_centre", ("atan",))),
    Mistake("surrogate_off_centre", "your surrogate has its peak at V = 0: it wants U - threshold, not U", _off_centre),
    Mistake("twice_as_high", "your atan surrogate is twice as high: before the fraction stands k/2",
            _other_curve("atan", lambda x, k: k / (1 + (np.pi / 2 * k * x) ** 2))),
    Mistake("half_pi_forgotten", "in the denominator of the atan surrogate x is multiplied by k pi/2, not by k alone",
            _other_curve("atan", lambda x, k: k / 2 / (1 + (k * x) ** 2))),
    Mistake("k_forgotten", "your sigmoid surrogate lacks the k before it: the derivative of sigma(k x) brings one",
            _other_curve("sigmoid", lambda x, k: _curve(x, "sigmoid", k) / k)),
    Mistake("attached_reset",
            "your gradient goes through the reset although it is to be taken for a constant: with detach_reset=True leave out the "
            "second summand of (I8)", _back_fault("attached_reset")),
    Mistake("state_gradient_lost", "nothing flows back through the potential from a step to the one before: carry dV along, (I9)",
            _back_fault("state_gradient_lost")),
    Mistake("stale_membrane", "your surrogate looks at the potential of the step before; the spike of step t stands for U at t",
            _back_fault("stale_membrane")),
    Mistake("always_detached", "with detach_reset=False the reset depends on U through its spike as well: (I8), second summand",
            _own(_always_detached)),
    Mistake("attached_by_one", "the second summand of (I8) holds the threshold: a spike takes that much off", _own(_attached_by_one)),
    Mistake("wrong_way", "you go from the first step to the last; gradients go back in time", _own(_backwards)),
    Mistake("only_where_fired",
            "you multiply by the spike; g' is there also for potentials that just missed the threshold, and that is its use",
            _own(_true_step)),
    Mistake("final_lost", "dv_final is where the loop begins: the last potential has a gradient of its own", _own(_final_lost)),
)


EXERCISES = {exercise.name: exercise for exercise in (
    Exercise("integrate_and_fire", "run an integrate-and-fire neuron over T steps", "(I1), (I2)",
             _neuron(integrate_fire), _cases, FORWARD_MISTAKES),
    Exercise("surrogate_backward", "go back through time with a surrogate for the derivative of a spike", "(I7) to (I9)",
             RIGHT, _back_cases, BACKWARD_MISTAKES),
)}
