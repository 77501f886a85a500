"""The exercises on the leaky neuron: its steps, its rate, and backpropagation through time in a recurrent layer of it."""

import numpy as np

from ..conventions import Surrogate
from ..reference import leaky
from ..reference.integrate_fire import surrogate_grad
from ._case import Case, Exercise, Mistake, replace, run_forward

# ---- leaky_neuron

def _decay(tau, dt):
    return np.exp(-dt / tau)


def _forward(current, beta, threshold=1.0, v_init=0.0):
    spikes, v_final, _ = leaky.forward(current[:, None], beta, threshold, v_init)
    return spikes[:, 0], v_final[0]


def _neuron_cases(rng):
    eighths, rough = rng.integers(-8, 17, (14, 6)) / 8, rng.uniform(-0.3, 0.8, (20, 5))

    def decay(name, tau, dt):
        return Case(name, ("beta",), lambda f, *args: f["decay"](*args), (tau, dt))

    def run(name, *args):
        return Case(name, ("spikes", "v"), lambda f, *a: f["forward"](*a), args)
    return [
        decay("tau of 20 ms, steps of 1 ms", 20.0, 1.0),
        decay("tau of 5 ms, steps of 2 ms", 5.0, 2.0),
        decay("a step longer than tau", 10.0, 25.0),
        run("4 steps of 0.75, beta 1/2", np.full((4, 1), 0.75), 0.5),
        run("exactly at the threshold", np.array([[0.5], [0.75], [0.5]]), 0.5),
        run("more than two thresholds at once", np.array([[2.5], [0.0], [0.5], [0.0]]), 0.5),
        run("one pulse, then nothing", np.array([[0.5], [0.0], [0.0], [0.0]]), 0.5),
        run("threshold 2, begins at 1.5", np.full((8, 1), 1.25), 0.75, 2.0, 1.5),
        run("14 steps, 6 neurons", eighths, 0.5, 1.0, 0.25),
        run("numbers without an exact binary form", rough, 0.9, 0.7, 0.1),
    ]


def _own(leak=lambda v, x, beta: beta * v + x, fires=np.greater_equal, reset=lambda u, s, threshold, beta: u - threshold * s,
         begin=lambda v_init: v_init, last=lambda u, v, threshold, s: v):
    """Make a neuron with a part replaced: what leaks, what fires, the reset, the start, or the potential that is returned."""
    def forward(current, beta, threshold=1.0, v_init=0.0):
        spikes, v = np.zeros_like(current), np.full_like(current[0], begin(v_init))
        for t, x in enumerate(current):
            u = leak(v, x, beta)
            spikes[t] = fires(u, threshold)
            v = reset(u, spikes[t], threshold, beta)
        return spikes, last(u, v, threshold, spikes[-1])
    return replace(forward=forward)


def _reset_in_next_step(before_leak):
    """Make a neuron whose reset stands in the next step: before the leak, (D3), or behind it, (D4)."""
    def forward(current, beta, threshold=1.0, v_init=0.0):
        spikes, v = np.zeros_like(current), np.full_like(current[0], v_init)
        s = np.zeros_like(v)
        for t, x in enumerate(current):
            v = beta * (v - threshold * s) + x if before_leak else beta * v + x - threshold * s
            s = spikes[t] = (v >= threshold).astype(v.dtype)
        return spikes, v
    return replace(forward=forward)


def _current_only(current, beta, threshold=1.0, v_init=0.0):
    spikes, v = (current >= threshold) * 1.0, np.full_like(current[0], v_init)
    for x, s in zip(current, spikes, strict=True):
        v = beta * v + x - threshold * s
    return spikes, v


def _scaled_spikes(right):
    def forward(current, beta, threshold=1.0, v_init=0.0):
        spikes, v = right["forward"](current, beta, threshold, v_init)
        return spikes * threshold, v
    return {**right, "forward": forward}


def _late(right):
    def forward(current, beta, threshold=1.0, v_init=0.0):
        spikes, v = right["forward"](current, beta, threshold, v_init)
        return np.concatenate([0 * spikes[:1], spikes[:-1]]), v
    return {**right, "forward": forward}


NEURON_MISTAKES = (
    Mistake("euler", "your beta is that of an Euler step, 1 - dt/tau, which is only near it; the exact one is exp(-dt/tau), (M2)",
            replace(decay=lambda tau, dt: 1 - dt / tau)),
    Mistake("grows", "your potential grows: the sign in the exponent is missing, exp(-dt/tau), (M2)",
            replace(decay=lambda tau, dt: np.exp(dt / tau))),
    Mistake("upside_down", "tau and dt are swapped: a long step decays more, exp(-dt/tau), (M2)",
            replace(decay=lambda tau, dt: np.exp(-tau / dt))),
    Mistake("what_is_lost", "your beta is what is lost in a step; it is what remains, exp(-dt/tau), (M2)",
            replace(decay=lambda tau, dt: 1 - np.exp(-dt / tau))),
    Mistake("base_2", "tau is no half-life: it is the time in which a potential falls to 1/e, not to 1/2, (M2)",
            replace(decay=lambda tau, dt: 2 ** (-dt / tau))),
    Mistake("no_leak", "your potential does not decay; multiply it by beta in each step, (D2)", _own(lambda v, x, beta: v + x)),
    Mistake("decay_after_input", "your leak comes behind the current, so that the current decays, too; (D2) adds it after the leak",
            _own(lambda v, x, beta: beta * (v + x))),
    Mistake("gain_one_minus_beta", "you multiply the current by 1 - beta. That is a common choice; here its gain is 1, (D2)",
            _own(lambda v, x, beta: beta * v + (1 - beta) * x)),
    Mistake("leak_swapped", "you multiply the potential by 1 - beta; beta is what remains of it, (D2)",
            _own(lambda v, x, beta: (1 - beta) * v + x)),
    Mistake("clipped_at_zero", "your potential cannot fall below 0; inhibition may make it negative, (D2)",
            _own(lambda v, x, beta: np.maximum(beta * v + x, 0))),
    Mistake("fires_above", "your neuron does not fire at exactly the threshold; (D2) says >=", _own(fires=np.greater)),
    *(Mistake("threshold_ignored", "you compare the potential with 1, whatever the threshold is",
              _own(fires=lambda u, threshold: u >= 1, reset=reset)) for reset in (
        lambda u, s, threshold, beta: u - threshold * s, lambda u, s, threshold, beta: u - s)),
    *(Mistake("many_spikes", "a neuron fires at most once in a step, and one spike subtracts the threshold once",
              _own(fires=lambda u, threshold: np.maximum(np.floor(u / threshold), 0), reset=reset)) for reset in (
        lambda u, s, threshold, beta: u - threshold * s, lambda u, s, threshold, beta: u - threshold * np.sign(s))),
    Mistake("reset_to_zero", "you reset to zero; a reset by subtraction takes the threshold off and keeps what is above it, (D3)",
            _own(reset=lambda u, s, threshold, beta: u * (1 - s))),
    Mistake("subtracts_one", "your reset subtracts 1, not the threshold", _own(reset=lambda u, s, threshold, beta: u - s)),
    Mistake("subtracts_less", "your reset subtracts beta times the threshold; in the step of the spike it subtracts all of it, (D3)",
            _own(reset=lambda u, s, threshold, beta: u - beta * threshold * s)),
    Mistake("no_reset", "you never reset: the potential goes on as if there had been no spike",
            _own(reset=lambda u, s, threshold, beta: u)),
    Mistake("reset_behind_leak", "your reset comes one step late, behind the leak and the current of the next step, as in (D4); here it "
            "ends the step of the spike, (D3)", _reset_in_next_step(False)),
    Mistake("before_the_reset", "your last potential is that before the reset; the reset is the last thing in a step, (D3)",
            _reset_in_next_step(True)),
    Mistake("begins_at_zero", "you begin at 0, whatever v_init is", _own(begin=lambda v_init: 0.0)),
    Mistake("current_only", "you compare the current with the threshold; compare the potential, (D2)", replace(forward=_current_only)),
    Mistake("recorded_late", "each spike is recorded one step too late: it belongs to the step with the potential at the threshold",
            _late),
    Mistake("spikes_of_threshold", "your spikes have the height of the threshold; a spike is 1", _scaled_spikes),
)


# ---- fi_curve

def _steps(current, beta, threshold):
    """Return the interval between spikes in steps, not yet a whole number; inf where there is no spike."""
    fires = current > threshold * (1 - beta)
    n = np.log(1 - threshold * (1 - beta) / np.where(fires, current, 2 * threshold)) / np.log(beta)
    return np.where(fires, n, np.inf)


def _per_step(current, beta, threshold=1.0):
    return 1 / np.maximum(np.ceil(_steps(current, beta, threshold)), 1)


def _interval(current, tau, threshold):
    """Return the time from 0 to the threshold; inf where there is no spike."""
    fires = current > threshold
    x = np.where(fires, current, 2 * threshold)
    return np.where(fires, tau * np.log(x / (x - threshold)), np.inf)


def _per_time(current, tau, t_ref=0.0, threshold=1.0):
    return 1 / (t_ref + _interval(current, tau, threshold))


def _rate_cases(rng):
    rough, above = np.append([0.03, 0.06], np.sort(rng.uniform(0.12, 1.3, 38))), np.sort(rng.uniform(1.05, 4, 20))

    def steps(name, *args):
        return Case(name, ("per_step",), lambda f, *a: f["rate_per_step"](*a), args)

    def time(name, *args):
        return Case(name, ("per_time",), lambda f, *a: f["rate_in_time"](*a), args)
    return [
        steps("in steps: beta 1/2, by hand", np.array([0.6, 0.75, 1.0, 1.5]), 0.5),
        steps("in steps: below the rheobase, and negative", np.array([0.4375, 0.25, 0.0, -1.0, -3.0, 0.625]), 0.5),
        steps("in steps: 40 currents", rough, 0.9),
        steps("in steps: the same, threshold 0.7", rough, 0.95, 0.7),
        time("in time: by hand", np.array([2.0, 4 / 3]), 1.0),
        time("in time: at the rheobase, below it, and negative", np.array([1.0, 0.5, 0.0, -1.0, 1.25, 3.0]), 0.02),
        time("in time: with a refractory time", above, 0.02, 0.002),
        time("in time: the same, threshold 0.7", above, 0.01, 0.005, 0.7),
    ]


def _rounded(whole):
    """Make the rate in steps from the interval that is not yet a whole number, whole(interval)."""
    return replace(rate_per_step=lambda current, beta, threshold=1.0: 1 / np.maximum(whole(_steps(current, beta, threshold)), 1))


def _of_interval(rate):
    """Make the rate in time from the interval, rate(interval, t_ref, tau)."""
    def rate_in_time(current, tau, t_ref=0.0, threshold=1.0):
        return rate(_interval(current, tau, threshold), t_ref, tau)
    return replace(rate_in_time=rate_in_time)


def _unmasked_steps(current, beta, threshold=1.0):
    return 1 / np.maximum(np.ceil(np.log(1 - threshold * (1 - beta) / current) / np.log(beta)), 1)


def _unmasked_time(current, tau, t_ref=0.0, threshold=1.0):
    return 1 / (t_ref + tau * np.log(current / (current - threshold)))


def _no_leak(current, beta, threshold=1.0):
    return np.where(current > 0, 1 / np.maximum(np.ceil(threshold / np.where(current > 0, current, 1)), 1), 0.0)


UNMASKED = "a current that never reaches the threshold has the rate 0; the logarithm there gives NaN, inf or a negative interval"
RATE_MISTAKES = (
    Mistake("rounded_down", "you round the interval down; the neuron fires in the first step with a potential of at least the threshold, "
            "so (D5) rounds up", _rounded(np.floor)),
    Mistake("rounded_nearest", "you round the interval to the nearest whole number; (D5) rounds up", _rounded(np.round)),
    Mistake("not_rounded", "in discrete time an interval is a whole number of steps: round it up, (D5)", _rounded(lambda n: n)),
    Mistake("one_step_more", "your interval is a step too long; where the potential is exactly the threshold the neuron fires, (D5)",
            _rounded(lambda n: np.floor(n) + 1)),
    Mistake("one_step_more", "your interval is a step too long; where the potential is exactly the threshold the neuron fires, (D5)",
            _rounded(lambda n: np.maximum(np.ceil(n), 1) + 1)),
    Mistake("above_one", "the interval is at least one step: a neuron fires at most once in a step, (D5)",
            replace(rate_per_step=lambda current, beta, threshold=1.0: 1 / np.where(
                current > threshold * (1 - beta), _steps(current, beta, threshold), np.inf))),
    *(Mistake("unmasked", UNMASKED, replace(**parts)) for parts in (
        {"rate_per_step": _unmasked_steps}, {"rate_in_time": _unmasked_time},
        {"rate_per_step": _unmasked_steps, "rate_in_time": _unmasked_time})),
    Mistake("gain_one_minus_beta", "your potential tends to the current itself; with the gain 1 it tends to current / (1 - beta), (D5)",
            replace(rate_per_step=lambda current, beta, threshold=1.0: _per_step((1 - beta) * current, beta, threshold))),
    Mistake("no_leak", "your interval is threshold / current, as without a leak; use the sum over beta^n, (D5)",
            replace(rate_per_step=_no_leak)),
    *(Mistake("threshold_ignored", "your rate does not depend on the threshold", replace(**parts)) for parts in (
        {"rate_per_step": lambda current, beta, threshold=1.0: _per_step(current, beta)},
        {"rate_in_time": lambda current, tau, t_ref=0.0, threshold=1.0: _per_time(current, tau, t_ref)},
        {"rate_per_step": lambda current, beta, threshold=1.0: _per_step(current, beta),
         "rate_in_time": lambda current, tau, t_ref=0.0, threshold=1.0: _per_time(current, tau, t_ref)})),
    Mistake("interval", "you return the interval; the rate is 1 / interval, (M3)", _of_interval(lambda t, t_ref, tau: np.where(
        t < np.inf, t_ref + t, 0.0))),
    Mistake("interval_in_steps", "you return the interval; the rate is 1 / interval, (D5)",
            replace(rate_per_step=lambda current, beta, threshold=1.0: np.where(
                current > threshold * (1 - beta), np.maximum(np.ceil(_steps(current, beta, threshold)), 1), 0.0))),
    Mistake("t_ref_forgotten", "the refractory time is missing: it is added to the interval, (M3)",
            _of_interval(lambda t, t_ref, tau: 1 / t)),
    Mistake("t_ref_subtracted", "you subtract the refractory time; it makes each interval longer, (M3)",
            _of_interval(lambda t, t_ref, tau: 1 / (t - t_ref))),
    Mistake("t_ref_in_rate", "you add the refractory time to the rate or its like; it belongs to the interval, 1 / (t_ref + t), (M3)",
            _of_interval(lambda t, t_ref, tau: np.where(t < np.inf, 1 / t + t_ref, 0.0))),
    Mistake("tau_forgotten", "the factor tau is missing in the interval, (M3)", _of_interval(lambda t, t_ref, tau: 1 / (t_ref + t / tau))),
    Mistake("base_10", "your logarithm has the base 10; the charge curve is exp, so take the natural one, (M3)",
            _of_interval(lambda t, t_ref, tau: 1 / (t_ref + t / np.log(10)))),
    Mistake("logarithm_forgotten", "the logarithm is missing: the interval is tau ln(x / (x - threshold)), (M3)",
            _of_interval(lambda t, t_ref, tau: 1 / (t_ref + tau * np.exp(np.minimum(t / tau, 700)) * np.where(t < np.inf, 1, np.inf)))),
    Mistake("sign", "your interval is negative: it is tau ln(x / (x - threshold)), not its negative, (M3)",
            _of_interval(lambda t, t_ref, tau: 1 / (t_ref - t))),
)


# ---- recurrent_backward

def _layer(current, w_rec, beta, threshold=1.0):
    spikes, _, cache = leaky.forward(current, beta, threshold, w_rec=w_rec)
    return spikes, cache


def _layer_backward(dspikes, cache, slope=2.0, detach_reset=True):
    grads = leaky.backward(dspikes, cache, surrogate=Surrogate("atan", slope), detach_reset=detach_reset)
    return grads.dcurrent, grads.dw_rec


def _atan(x, slope):
    return surrogate_grad(np.asarray(x, float), Surrogate("atan", slope))


def _layer_cases(rng):
    current, w = rng.uniform(-0.3, 0.9, (8, 3, 4)), rng.normal(0, 0.6, (4, 4))
    dspikes, last, first = rng.normal(size=current.shape), np.zeros_like(current), np.zeros_like(current)
    last[-1] = first[0] = rng.normal(size=current.shape[1:])
    by_hand = np.array([[[1.25, 0.0]], [[0.25, 0.5]], [[0.0, 0.75]]]), np.array([[0.0, 0.5], [-0.25, 0.0]])
    ones = np.ones_like(by_hand[0])

    def back(name, dspikes, how, *args):
        return Case(name, ("dcurrent", "dw_rec"), lambda f, d, *a: f["backward"](d, f["forward"](*a)[1], *how), (dspikes, *args))
    return [
        Case("forward, as given", ("spikes",), run_forward, (current, w, 0.8, 0.75)),
        back("one step: no recurrence yet", dspikes[:1], (2.0, True), current[:1], w, 0.8, 0.75),
        back("3 steps, 2 neurons", ones, (2.0, True), *by_hand, 0.5),
        back("gradient of the last spikes only", last, (2.0, True), current, w, 0.8, 0.75),
        back("gradient of the first spikes only", first, (2.0, True), current, w, 0.8, 0.75),
        back("no recurrent weights", dspikes, (2.0, True), current, 0 * w, 0.8, 0.75),
        back("8 steps, detached", dspikes, (3.0, True), current, w, 0.8, 0.75),
        back("8 steps, attached", dspikes, (3.0, False), current, w, 0.8, 0.75),
    ]


def _pass(u, spikes, w, beta, threshold, dspikes, slope, detach, parts):
    """Go back through the steps; `parts` replaces what a mistake changes."""
    seen = parts.get("seen", lambda u, t, threshold: u[t] - threshold)
    back = parts.get("back", lambda di, w: di @ w.T)
    spike = parts.get("spike", lambda g, ds, dv: g * ds + dv)
    loss = parts.get("loss", lambda ds, threshold, dv: ds - threshold * dv)
    gather = parts.get("gather", lambda u, spikes, t, di: spikes[t - 1].T @ di if t else 0)
    carry = parts.get("carry", lambda beta, du: beta * du)
    inward = parts.get("inward", lambda du, di: du)
    detach = parts.get("detach", lambda detach: detach)(detach)
    shape = parts.get("shape", lambda g, s: g)
    dcurrent, dw = np.zeros_like(u), np.zeros_like(w)
    dv = di = np.zeros_like(u[0])
    for t in parts.get("order", lambda n: reversed(range(n)))(len(u)):
        ds = dspikes[t] + back(di, w)
        ds = ds if detach else loss(ds, threshold, dv)
        du = spike(shape(_atan(seen(u, t, threshold), slope), spikes[t]), ds, dv)
        di = inward(du, di)
        dcurrent[t] = di
        dw = dw + gather(u, spikes, t, di)
        dv = carry(beta, du)
    return dcurrent, parts.get("divide", lambda dw, n: dw)(dw, u.shape[1])


def _changed(**parts):
    """Make a backward pass with some parts replaced, and a forward pass that keeps what it needs."""
    def inject(right):
        def forward(current, w_rec, beta, threshold=1.0):
            spikes = right["forward"](current, w_rec, beta, threshold)[0]
            u = leaky.forward(current, beta, threshold, w_rec=w_rec)[2].u
            return spikes, (u, spikes, w_rec, beta, threshold)

        def backward(dspikes, cache, slope=2.0, detach_reset=True):
            return _pass(*cache, dspikes, slope, detach_reset, parts)
        return {**right, "forward": forward, "backward": backward}
    return inject


def _current_decays(right):
    """Multiply the gradient of the current by beta, which stands in the cache, ours or the solution's."""
    def backward(dspikes, cache, *how):
        dcurrent, dw = right["backward"](dspikes, cache, *how)
        return dcurrent * (cache.how[0] if isinstance(cache, leaky.Cache) else cache[3]), dw
    return {**right, "backward": backward}


LAYER_MISTAKES = (
    Mistake("recurrent_transposed", "your gradient goes through W the same way as the spikes; backward it goes through the transpose, (D7)",
            _changed(back=lambda di, w: di @ w)),
    Mistake("recurrence_is_constant", "the spikes that come back count as constants in yours: the second term of (D7) is missing",
            _changed(back=lambda di, w: 0 * di)),
    Mistake("recurrence_subtracted", "you subtract what comes back through W; in (D7) it is added", _changed(back=lambda di, w: -di @ w.T)),
    Mistake("leaky_attached", "with detach_reset=True the spike in the reset is a constant: the last term of (D7) is left out",
            _changed(detach=lambda detach: False)),
    Mistake("always_detached", "with detach_reset=False the reset depends on the spike, too: the last term of (D7) is missing",
            _changed(detach=lambda detach: True)),
    Mistake("swapped_detach", "your two cases are swapped: the last term of (D7) is for detach_reset=False", _changed(
        detach=lambda detach: not detach)),
    Mistake("reset_added", "a reset subtracts the threshold: the last term of (D7) has a minus sign",
            _changed(loss=lambda ds, threshold, dv: ds + threshold * dv)),
    Mistake("attached_by_one", "the last term of (D7) has the factor threshold, (D8): a spike subtracts the threshold, not 1",
            _changed(loss=lambda ds, threshold, dv: ds - dv)),
    Mistake("surrogate_off_centre", "your surrogate has its peak at U = 0: its argument is U - threshold",
            _changed(seen=lambda u, t, threshold: u[t])),
    Mistake("stale_membrane", "your surrogate uses the potential of the step before; the spike of step t depends on U of step t, (D9)",
            _changed(seen=lambda u, t, threshold: u[max(t - 1, 0)] - threshold)),
    Mistake("surrogate_on_everything", "you multiply the gradient of the potential by the surrogate as well; only that of the spike has "
            "this factor, (D9)", _changed(spike=lambda g, ds, dv: g * (ds + dv))),
    Mistake("no_surrogate", "you use the spike itself as its derivative; use g' of the potential minus the threshold, (D9)",
            _changed(shape=lambda g, s: s)),
    Mistake("only_where_fired", "you multiply by the spike; g' is there also for potentials that just missed the threshold, (D9)",
            _changed(shape=lambda g, s: g * s)),
    Mistake("surrogate_forgotten", "the factor g' is missing: the gradient of a spike passes to the potential through the surrogate, (D9)",
            _changed(shape=lambda g, s: 1.0)),
    Mistake("state_gradient_lost", "no gradient flows through the potential from a step to the step before: carry beta dU along, (D9)",
            _changed(carry=lambda beta, du: 0 * du)),
    Mistake("leak_forgotten", "the gradient that goes to the step before lacks the factor beta, by which the potential decays, (D2)",
            _changed(carry=lambda beta, du: du)),
    Mistake("current_decays", "your gradient of the current has the factor beta; the current is added after the leak, (D2)",
            _current_decays),
    Mistake("current_accumulates", "you add up the gradients of the currents over the steps; a current acts in its own step alone, (D10)",
            _changed(inward=lambda du, di: du + di)),
    Mistake("same_step", "your dW pairs spikes and currents of the same step; a spike comes back one step later, (D11)",
            _changed(gather=lambda u, spikes, t, di: spikes[t].T @ di)),
    Mistake("wraps_around", "in the first step your dW takes spikes[-1], those of the last one; before the first step nothing has fired",
            _changed(gather=lambda u, spikes, t, di: spikes[t - 1].T @ di)),
    Mistake("wrong_neighbour", "your dW pairs the spikes of a step with the currents of the step before; it is the other way round, (D11)",
            _changed(gather=lambda u, spikes, t, di: spikes[t + 1].T @ di if t + 1 < len(u) else 0)),
    Mistake("dw_transposed", "your dW is transposed: rows are the neurons that spike, columns those that receive, (D11)",
            _changed(gather=lambda u, spikes, t, di: di.T @ spikes[t - 1] if t else 0)),
    Mistake("potential_for_spike", "your dW has the potential of the step before in the place of its spikes, (D11)",
            _changed(gather=lambda u, spikes, t, di: u[t - 1].T @ di if t else 0)),
    Mistake("mean_over_batch", "dW is the sum over the batch, not the mean", _changed(divide=lambda dw, n: dw / n)),
    Mistake("wrong_way", "you go from the first step to the last; a gradient goes from the last step to the first",
            _changed(order=lambda n: range(n))),
)


EXERCISES = {exercise.name: exercise for exercise in (
    Exercise("leaky_neuron", "run a leaky neuron over T steps, with the exact step", "(M2), (D2), (D3)",
             {"decay": _decay, "forward": _forward}, _neuron_cases, NEURON_MISTAKES),
    Exercise("fi_curve", "how often a leaky neuron fires at a constant current, in steps and in time", "(D5), (M3)",
             {"rate_per_step": _per_step, "rate_in_time": _per_time}, _rate_cases, RATE_MISTAKES),
    Exercise("recurrent_backward", "backpropagate through time in a recurrent layer", "(D7) to (D11)",
             {"forward": _layer, "backward": _layer_backward}, _layer_cases, LAYER_MISTAKES),
)}
