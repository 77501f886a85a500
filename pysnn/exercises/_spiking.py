"""The exercises on the integrate-and-fire neuron: its forward pass, and backpropagation through time with a surrogate gradient."""

import numpy as np

from ..conventions import Rule, Surrogate
from ..reference import integrate_fire
from ..verify import zoo
from ._case import Case, Exercise, Mistake, replace

# ---- integrate_and_fire

def _neuron(op):
    """Make the exercise's function from an operation of the contract."""
    def forward(current, threshold=1.0, v_init=0.0, reset="subtract"):
        return op.forward(current, threshold, v_init, Rule(reset))[:2]
    return {"forward": forward}


def _fault(name):
    """Take a fault of the zoo, which changes an operation of the contract."""
    def inject(right):
        def forward(current, threshold=1.0, v_init=0.0, rule=Rule()):
            return *right["forward"](current, threshold, v_init, rule.reset), None
        return _neuron(zoo.FAULTS[name].inject(zoo.Op(forward, None)))
    return inject


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
        case("numbers without an exact binary form", rough, 0.7, 0.1, "subtract"),
    ]


def _right_reset(u, s, threshold, kind, v_init):
    return u - threshold * s if kind == "subtract" else u * (1 - s)


def _own(fires=np.greater_equal, reset=_right_reset, begin=lambda v_init: v_init, integrate=np.add):
    """Make a neuron with a part replaced: fires(u, threshold), reset(u, s, threshold, kind, v_init), begin(v_init) or integrate(v, x)."""
    def forward(current, threshold=1.0, v_init=0.0, kind="subtract"):
        spikes, v = np.zeros_like(current), np.full_like(current[0], begin(v_init))
        for t, x in enumerate(current):
            u = integrate(v, x)
            spikes[t] = fires(u, threshold)
            v = reset(u, spikes[t], threshold, kind, v_init)
        return spikes, v
    return replace(forward=forward)


def _reset_late(current, threshold=1.0, v_init=0.0, kind="subtract"):
    spikes, v = np.zeros_like(current), np.full_like(current[0], v_init)
    s = np.zeros_like(v)
    for t, x in enumerate(current):
        v = _right_reset(v + x, s, threshold, kind, v_init)
        s = spikes[t] = (v >= threshold).astype(v.dtype)
    return spikes, v


def _current_only(current, threshold=1.0, v_init=0.0, kind="subtract"):
    spikes, v = (current >= threshold) * 1.0, np.full_like(current[0], v_init)
    for x, s in zip(current, spikes, strict=True):
        v = _right_reset(v + x, s, threshold, kind, v_init)
    return spikes, v


def _before_reset(forward, current, threshold=1.0, v_init=0.0, kind="subtract"):
    before = forward(current[:-1], threshold, v_init, kind)[1] if len(current) > 1 else v_init
    return before + current[-1]


def _scale_first(results, factor):
    return results[0] * factor, results[1]


FORWARD_MISTAKES = (
    Mistake("recorded_late",
            "each spike is recorded one step too late: it belongs to the step in which the potential reached the threshold",
            _fault("recorded_late")),
    Mistake("float32_inside", "somewhere you compute in float32: the result is float64, but has only the digits of a float32",
            _fault("float32_inside")),
    Mistake("fires_above", "your neuron does not fire at exactly the threshold; (I1) says >=", _own(np.greater)),
    Mistake("always_zero", "you always reset to zero, whatever `reset` says; by subtraction, only the threshold is taken off",
            _own(reset=lambda u, s, threshold, kind, v_init: u * (1 - s))),
    Mistake("always_subtract", "you always reset by subtraction, whatever `reset` says",
            _own(reset=lambda u, s, threshold, kind, v_init: u - threshold * s)),
    Mistake("resets_to_v_init", "your reset to zero sets the potential to v_init; it sets it to 0, whatever v_init is",
            _own(reset=lambda u, s, threshold, kind, v_init: u - threshold * s if kind == "subtract" else np.where(s == 1, v_init, u))),
    Mistake("subtracts_one", "your reset subtracts 1, not the threshold",
            _own(reset=lambda u, s, threshold, kind, v_init: _right_reset(u, s, 1, kind, v_init))),
    Mistake("no_reset", "you never reset: the potential goes on as if there had been no spike",
            _own(reset=lambda u, s, threshold, kind, v_init: u)),
    Mistake("swapped_resets", "your two resets are swapped: \"subtract\" takes the threshold off, \"zero\" sets the potential to 0",
            _own(reset=lambda u, s, threshold, kind, v_init: u * (1 - s) if kind == "subtract" else u - threshold * s)),
    *(Mistake("many_spikes", "a neuron fires at most once in a step, and one spike subtracts the threshold once",
              _own(lambda u, threshold: np.maximum(np.floor(u / threshold), 0), reset)) for reset in (
        lambda u, s, threshold, kind, v_init: _right_reset(u, s if kind == "subtract" else np.sign(s), threshold, kind, v_init),
        lambda u, s, threshold, kind, v_init: _right_reset(u, np.sign(s), threshold, kind, v_init))),
    *(Mistake("leaky", "your potential leaks: part of it is lost in each step. This neuron has no leak, (I1)", _own(integrate=integrate))
      for integrate in (lambda v, x: (v + x) / 2, *(lambda v, x, k=leak: k * v + x for leak in (0.5, 0.8, 0.9, 0.95, 0.99)))),
    Mistake("clipped_at_zero", "your potential cannot fall below 0; inhibition may make it negative, (I1)",
            _own(integrate=lambda v, x: np.maximum(v + x, 0))),
    *(Mistake("threshold_ignored", "you compare the potential with 1, whatever the threshold is", _own(lambda u, threshold: u >= 1, reset))
      for reset in (_right_reset, lambda u, s, threshold, kind, v_init: _right_reset(u, s, 1, kind, v_init))),
    Mistake("current_only", "you compare the current with the threshold; compare the potential, which sums the currents, (I1)",
            replace(forward=_current_only)),
    Mistake("before_the_reset", "your last potential is that before the reset; the reset is the last thing in a step, (I2)",
            lambda right: {"forward": lambda *args: (right["forward"](*args)[0], _before_reset(right["forward"], *args))}),
    Mistake("spikes_of_threshold", "your spikes have the height of the threshold; a spike is 1",
            lambda right: {"forward": lambda x, threshold=1.0, *more: _scale_first(right["forward"](x, threshold, *more), threshold)}),
    Mistake("reset_late",
            "you reset after you have added the next current. A reset to zero then loses this current, and the last potential is not "
            "reset", replace(forward=_reset_late)),
    Mistake("begins_at_zero", "you begin at 0, whatever v_init is", _own(begin=lambda v_init: 0.0)),
)


# ---- surrogate_backward

def _functions(op):
    """Make the exercise's functions from an operation of the contract."""
    def forward(current, threshold=1.0, v_init=0.0):
        return op.forward(current, threshold, v_init, Rule())

    def backward(dspikes, cache, dv_final, kind="atan", slope=2.0, detach_reset=True):
        return op.backward(dspikes, cache, dv_final, Surrogate(kind, slope), detach_reset)

    def surrogate_grad(x, kind, slope):
        cache = forward((x + 1.0)[None])[2]
        return backward(np.ones_like(x)[None], cache, 0 * x, kind, slope)[0][0]
    return {"forward": forward, "surrogate_grad": surrogate_grad, "backward": backward}


def _operation(functions):
    """Make an operation of the contract from the exercise's functions."""
    def forward(current, threshold=1.0, v_init=0.0, rule=Rule()):
        return functions["forward"](current, threshold, v_init)

    def backward(dspikes, cache, dv_final=None, surrogate=Surrogate(), detach_reset=True):
        dv_final = np.zeros_like(dspikes[0]) if dv_final is None else dv_final
        return functions["backward"](dspikes, cache, dv_final, surrogate.kind, surrogate.slope, detach_reset)
    return zoo.Op(forward, backward)


def _back_fault(name, kinds=("atan", "sigmoid")):
    """Put a fault of the zoo into the surrogates of some kinds."""
    def inject(right):
        wrong = _functions(zoo.every()[name].inject(_operation(right)))

        def forward(current, threshold=1.0, v_init=0.0):
            return *right["forward"](current, threshold, v_init)[:2], (current, threshold, v_init)

        def backward(dspikes, cache, dv_final, kind="atan", slope=2.0, detach_reset=True):
            used = wrong if kind in kinds else right
            return used["backward"](dspikes, used["forward"](*cache)[2], dv_final, kind, slope, detach_reset)

        def surrogate_grad(x, kind, slope):
            return (wrong if kind in kinds else right)["surrogate_grad"](x, kind, slope)
        return {"forward": forward, "surrogate_grad": surrogate_grad, "backward": backward}
    return inject


def _curve(x, kind, slope):
    return integrate_fire.surrogate_grad(np.asarray(x, float), Surrogate(kind, slope))


RIGHT = {**_functions(integrate_fire), "surrogate_grad": _curve}


def _back(functions, dspikes, dv_final, how, *args):
    return functions["backward"](dspikes, functions["forward"](*args)[2], dv_final, *how)


def _back_cases(rng):
    x = np.array([-2.0, -0.5, -0.125, 0.0, 0.25, 1.0])
    far = np.array([-1000.0, -500.0, 800.0])
    current, v_init = rng.uniform(-0.3, 0.9, (8, 4)), rng.uniform(0, 0.5, 4)
    dspikes, dv = rng.normal(size=(8, 4)), rng.normal(size=4)
    zeros, last = np.zeros_like(dspikes), np.zeros_like(dspikes)
    last[-1] = 1
    deep = current.copy()
    deep[0, 0] = -900.0                            # one neuron far below its threshold

    def curve(name, x, kind, slope):
        return Case(name, ("g",), lambda f, x: f["surrogate_grad"](x, kind, slope), (x,))

    def back(name, current, threshold, dspikes, dv, *how):
        return Case(name, ("dcurrent", "dv_init"), _back, (dspikes, dv, how, current, threshold, v_init))
    return [
        Case("forward, as given", ("spikes", "v_final"), lambda f, *a: f["forward"](*a)[:2], (current, 0.75, v_init)),
        curve("surrogate_grad, atan", x, "atan", 2.0),
        curve("surrogate_grad, atan, slope 5", x, "atan", 5.0),
        curve("surrogate_grad, sigmoid, slope 4", x, "sigmoid", 4.0),
        curve("surrogate_grad, sigmoid, far from 0", far, "sigmoid", 4.0),
        back("gradient of v_final only", current, 1.0, zeros, dv, "atan", 2.0, True),
        back("gradient of the last spikes only", current, 1.0, last, np.zeros(4), "atan", 2.0, True),
        back("8 steps, detached", current, 0.75, dspikes, dv, "atan", 3.0, True),
        back("8 steps, attached", current, 0.75, dspikes, dv, "atan", 3.0, False),
        back("sigmoid, one neuron far below", deep, 1.0, dspikes, dv, "sigmoid", 4.0, True),
    ]


def _own_backward(change):
    """Replace the backward pass by change(dspikes, u, threshold, right derivatives g, dv_final, detach_reset)."""
    def inject(right):
        def forward(current, threshold=1.0, v_init=0.0):
            spikes, v, _ = right["forward"](current, threshold, v_init)
            begin = np.broadcast_to(v_init, current.shape[1:])
            u = begin + np.cumsum(current, axis=0) - threshold * (np.cumsum(spikes, axis=0) - spikes)
            return spikes, v, (u, threshold)

        def backward(dspikes, cache, dv_final, kind="atan", slope=2.0, detach_reset=True):
            u, threshold = cache
            return change(dspikes, u, threshold, _curve(u - threshold, kind, slope), dv_final, detach_reset)
        return {**right, "forward": forward, "backward": backward}
    return inject


def _loop(dspikes, threshold, g, dv, detach_reset, from_first=False):
    """Go through the steps from the last to the first, which is right, or from the first to the last."""
    dcurrent = np.zeros_like(g)
    for t in range(len(g)) if from_first else reversed(range(len(g))):
        dv = dv * (1 if detach_reset else 1 - threshold * g[t]) + g[t] * dspikes[t]
        dcurrent[t] = dv
    return dcurrent, dv


def _factor_after(dspikes, u, threshold, g, dv, detach_reset):
    return _loop(dspikes if detach_reset else dspikes * (1 - threshold * g), threshold, g, dv, detach_reset)


def _g_on_both(dspikes, u, threshold, g, dv, detach_reset):
    dcurrent = np.zeros_like(g)
    for t in reversed(range(len(g))):
        dv = dcurrent[t] = g[t] * (dspikes[t] + dv * (1 if detach_reset else 1 - threshold * g[t]))
    return dcurrent, dv


def _loop_late(dspikes, threshold, g, dv, detach_reset):
    dcurrent, dv = _loop(dspikes, threshold, g, dv, detach_reset)
    return dcurrent - g * dspikes, dv


def _argument(argument):
    """Give the surrogate another argument in backward only, for any kind: argument(u, threshold)."""
    inject = zoo.own_surrogate(lambda v, threshold, surrogate: _curve(argument(v, threshold), *surrogate))
    return lambda right: {**_functions(inject(_operation(right))), "surrogate_grad": right["surrogate_grad"]}


def _own_curve(kind, curve):
    """Replace the surrogate of one kind by curve(x, slope), wherever it is used."""
    def surrogate_grad(v, threshold, surrogate):
        x = v - threshold
        return curve(x, surrogate.slope) if surrogate.kind == kind else _curve(x, *surrogate)
    return lambda right: _functions(zoo.own_surrogate(surrogate_grad)(_operation(right)))


OFF_CENTRE = "your surrogate has its peak at U = 0: its argument is U - threshold, not U"
BACKWARD_MISTAKES = (
    Mistake("slope_ignored", "you use the same slope, whatever slope is given", _back_fault("slope_ignored")),
    Mistake("sigmoid_overflow", "exp() overflows there, and inf/inf is NaN: use exp(-k |x|), because g' is even",
            _back_fault("sigmoid_overflow", ("sigmoid",))),
    Mistake("surrogate_off_centre", OFF_CENTRE, _back_fault("surrogate_off_centre", ("atan",))),
    Mistake("surrogate_off_centre", OFF_CENTRE, _argument(lambda u, threshold: u)),
    Mistake("over_threshold", "your surrogate's argument is divided by the threshold; (I6) has U - threshold, in units of the potential",
            _argument(lambda u, threshold: u / threshold - 1)),
    Mistake("twice_as_high", "your atan surrogate is too high by a factor of 2: its numerator is k/2",
            _own_curve("atan", lambda x, k: k / (1 + (np.pi / 2 * k * x) ** 2))),
    Mistake("one_for_half_k", "your atan surrogate has 1 in its numerator; it is k/2, so its peak is k/2",
            _own_curve("atan", lambda x, k: 1 / (1 + (np.pi / 2 * k * x) ** 2))),
    Mistake("half_pi_forgotten", "in the denominator of the atan surrogate the factor of x is k pi/2, not k",
            _own_curve("atan", lambda x, k: k / 2 / (1 + (k * x) ** 2))),
    *(Mistake("one_over_pi", "your atan surrogate has 1/pi in its numerator, which belongs to another curve; here it is k/2, and its peak "
              "is k/2", _own_curve("atan", curve)) for curve in (
        lambda x, k: 1 / np.pi / (1 + (np.pi / 2 * k * x) ** 2), lambda x, k: 1 / np.pi / (1 + (np.pi * x) ** 2),
        lambda x, k: k / np.pi / (1 + (k * x) ** 2), lambda x, k: 1 / np.pi / (1 + (k * x) ** 2))),
    Mistake("sigmoid_itself", "your surrogate is the sigmoid itself; g' is its derivative, k s (1 - s)",
            _own_curve("sigmoid", lambda x, k: 1 / (1 + np.exp(np.clip(-k * x, -700, 700))))),
    Mistake("k_forgotten", "your sigmoid surrogate lacks the factor k: the derivative of sigma(k x) has one",
            _own_curve("sigmoid", lambda x, k: _curve(x, "sigmoid", k) / k)),
    Mistake("attached_reset",
            "your gradient goes through the reset, which is to be a constant: with detach_reset=True leave out the second summand of (I8)",
            _back_fault("attached_reset")),
    Mistake("state_gradient_lost", "no gradient flows through the potential from a step to the step before: carry dV along, (I9)",
            _back_fault("state_gradient_lost")),
    Mistake("stale_membrane", "your surrogate uses the potential of the step before; the spike of step t depends on U of step t",
            _back_fault("stale_membrane")),
    Mistake("always_detached", "with detach_reset=False the reset depends on U through the spike as well: (I8), second summand",
            _own_backward(lambda dspikes, u, threshold, g, dv, detach_reset: _loop(dspikes, threshold, g, dv, True))),
    Mistake("attached_by_one", "the second summand of (I8) has the factor threshold: a spike subtracts the threshold, not 1",
            _own_backward(lambda dspikes, u, threshold, g, dv, detach_reset: _loop(dspikes, 1.0, g, dv, detach_reset))),
    Mistake("factor_after_spike", "the factor of the reset multiplies only the dV that comes from the next step: first (I8), then the term "
            "with dS, (I9)", _own_backward(_factor_after)),
    Mistake("surrogate_on_both", "g' belongs to dS alone: dV goes on through U without it, (I9)", _own_backward(_g_on_both)),
    Mistake("reset_added", "a reset subtracts the threshold: the second summand of (I8) has a minus sign",
            _own_backward(lambda dspikes, u, threshold, g, dv, detach_reset: _loop(dspikes, -threshold, g, dv, detach_reset))),
    Mistake("no_surrogate", "you use the spike itself as its derivative; use g' of the potential minus the threshold, (I9)",
            _own_backward(lambda dspikes, u, threshold, g, dv, detach_reset:
                          (_loop(dspikes * (u >= threshold) / g, threshold, g, dv, detach_reset)))),
    Mistake("before_the_spike", "you store dcurrent before you add the term of the spike: the current of a step changes its spike",
            _own_backward(lambda dspikes, u, threshold, g, dv, detach_reset: _loop_late(dspikes, threshold, g, dv, detach_reset))),
    Mistake("final_returned", "your dv_init is dv_final; return what is left of dV after the loop",
            _own_backward(lambda dspikes, u, threshold, g, dv, detach_reset: (_loop(dspikes, threshold, g, dv, detach_reset)[0], dv))),
    Mistake("wrong_way", "you go from the first step to the last; a gradient goes from the last step to the first",
            _own_backward(lambda dspikes, u, *args: _loop(dspikes, *args, from_first=True))),
    Mistake("only_where_fired",
            "you multiply by the spike; g' is there also for potentials that just missed the threshold, and that is its purpose",
            _own_backward(lambda dspikes, u, threshold, g, *args: _loop(dspikes, threshold, g * (u >= threshold), *args))),
    Mistake("final_lost", "the loop begins with dv_final: the last potential has a gradient of its own",
            _own_backward(lambda dspikes, u, threshold, g, dv, detach_reset: _loop(dspikes, threshold, g, 0 * dv, detach_reset))),
)


EXERCISES = {exercise.name: exercise for exercise in (
    Exercise("integrate_and_fire", "run an integrate-and-fire neuron over T steps", "(I1), (I2)",
             _neuron(integrate_fire), _cases, FORWARD_MISTAKES),
    Exercise("surrogate_backward", "backpropagate through time with a surrogate for the derivative of a spike", "(I7) to (I9)",
             RIGHT, _back_cases, BACKWARD_MISTAKES, dict.fromkeys(("dcurrent", "dv_init"), ("g",))),
)}
