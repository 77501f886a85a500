"""The exercises on time: delays, the gradient of a leaky neuron's spike, plasticity by spike times, a tutorial to repair."""

import numpy as np

from ..conventions import NO_SPIKE, Rule, Surrogate
from ..reference import delays, event_prop, leaky
from ._case import Case, Exercise, Mistake, as_array, differences, run_backward, run_forward, stacked

INF = NO_SPIKE


# ---- delay_backward

def _delay_cases(rng):
    z_in, w, delay = np.exp(rng.uniform(0, 1, (4, 6))), rng.normal(0.4, 0.3, (6, 5)), rng.uniform(0, 1.5, (6, 5))
    z_in[1, 2] = INF
    w[:, 4] = [0.1, 0.1, 0.1, -0.5, 0.1, 0.1]                            # silent in every sample
    dz, firing, gradients = rng.normal(size=(4, 5)), w[:, :4] + 0.2, ("dz_in", "dw", "ddelay")
    one = np.array([[1.0, 2.0, 8.0]]), np.array([[0.75], [0.75], [-0.25]]), np.zeros((3, 1))
    two = one[0], np.hstack([one[1], [[0.25], [0.25], [0.0]]]), np.zeros((3, 2))
    return [
        Case("forward, as given", ("z_out",), run_forward, (z_in, w, delay)),
        Case("no delay", gradients, run_backward, (np.array([[1.0]]), *one, 1.0)),
        Case("one neuron", gradients, run_backward, (np.array([[2.0]]), *one[:2], np.array([[1.0], [0.25], [0.5]]), 1.0)),
        Case("threshold 0.5", gradients, run_backward, (np.array([[1.0]]), *one[:2], np.array([[0.5], [0.0], [0.5]]), 0.5)),
        Case("a silent output with NaN in dz_out", gradients, run_backward, (np.array([[2.0, np.nan]]), *two, 1.0)),
        Case("4 samples, 5 outputs", gradients, run_backward, (dz, z_in, w, delay, 1.0)),
        *differences("finite differences", lambda f: f["forward"], lambda f: f["backward"],
                     (np.where(np.isfinite(z_in), z_in, 3.0), firing, delay[:, :4]), ("z_in", "w", "delay")),
    ]


def _delayed(change):
    """Change the right gradients: change((dz_in, dw, ddelay), arrivals' own parts) of what _parts gives."""
    def inject(right):
        def forward(z_in, w, delay, threshold=1.0):
            z_out, cache = right["forward"](z_in, w, delay, threshold)
            return z_out, (cache, (z_in, w, delay, threshold, z_out))

        def backward(dz_out, cache):
            with np.errstate(all="ignore"):
                return change(right["backward"](dz_out, cache[0]), _parts(dz_out, *cache[1]))
        return {**right, "forward": forward, "backward": backward}
    return inject


class _Parts(dict):
    """Arrays (B, N_in, N_out) that stand in the equations, by name."""

    __getattr__ = dict.__getitem__


def _parts(dz_out, z_in, w, delay, threshold, z_out):
    z, fired = z_in[:, :, None] * np.exp(delay), np.isfinite(z_out)[:, None, :]
    causal = (z < z_out[:, None, :]) & fired
    total = (causal * w).sum(axis=1, keepdims=True)
    dz = np.where(fired, dz_out[:, None, :], 0)
    z_out = np.where(fired, z_out[:, None, :], 0)
    return _Parts(z=np.where(causal, z, 0), sent=np.where(causal, z_in[:, :, None], 0), came=np.where(np.isfinite(z), z, 0), w=w,
                  stretch=np.exp(delay), causal=causal, z_out=z_out, fired=fired, h=dz / np.where(fired, total - threshold, 1),
                  dz=dz, total=np.where(fired, total, threshold + 3), all_w=np.where(np.isfinite(z), w, 0).sum(axis=1, keepdims=True),
                  reached=np.isfinite(z) & fired, early=(z_in[:, :, None] < z_out) & fired, threshold=threshold)


def _all_three(parts, causal, h):
    """Compute dz_in, dw, ddelay with another causal set or another h."""
    darrival, z = causal * parts.w * h, np.where(causal, parts.came, 0)
    return ((darrival * parts.stretch).sum(axis=2), ((z - causal * parts.z_out) * h).sum(axis=0), (darrival * z).sum(axis=0))


def _only(which, change):
    """Replace one of the three gradients by change(parts), or by change(parts, right one)."""
    def changed(right, parts):
        new = list(right)
        new[which] = change(parts)
        return tuple(new)
    return _delayed(changed)


def _each(factor):
    """Multiply h by factor(parts)."""
    return _delayed(lambda right, p: _all_three(p, p.causal, p.h * factor(p)))


DELAY_MISTAKES = (
    Mistake("delay_forgotten_in_dz_in", "your dz_in is the gradient of the arrivals; z_in is one factor of an arrival, and the other is "
            "exp(delay): (T11)", _only(0, lambda p: (p.causal * p.w * p.h).sum(axis=2))),
    Mistake("sent_for_arrival", "your ddelay has the time at which the spike was sent; (T11) has the time at which it arrives, z_ij",
            _only(2, lambda p: (p.w * p.sent * p.h).sum(axis=0))),
    Mistake("sent_for_arrival_in_dw", "your dw has the time at which the spike was sent; the neuron sees the arrival, so (T7) has z_ij",
            _only(1, lambda p: ((p.sent - p.causal * p.z_out) * p.h).sum(axis=0))),
    Mistake("gradient_of_the_arrival",
            "your ddelay is the gradient of the arrivals; an arrival moves by z_ij times the change of the delay, "
            "(T11)", _only(2, lambda p: (p.causal * p.w * p.h).sum(axis=0))),
    Mistake("stretch_for_arrival", "your ddelay has the factor exp(delay), which is d z_ij / d z_in; d z_ij / d delay is z_ij, (T11)",
            _only(2, lambda p: (p.causal * p.w * p.stretch * p.h).sum(axis=0))),
    Mistake("weight_forgotten_in_ddelay", "your ddelay lacks the weight: the arrival enters the numerator P as w z_ij, (T11)",
            _only(2, lambda p: (p.z * p.h).sum(axis=0))),
    Mistake("weight_forgotten_in_dz_in", "your dz_in lacks the weight: the arrival enters the numerator P as w z_ij, (T11)",
            _only(0, lambda p: (p.causal * p.stretch * p.h).sum(axis=2))),
    Mistake("late_in_ddelay", "your ddelay has z_ij - z_out, which belongs to the weight, (T7): a delay moves the numerator P alone, (T11)",
            _only(2, lambda p: (p.w * (p.z - p.causal * p.z_out) * p.h).sum(axis=0))),
    Mistake("numerator_only", "you differentiate the numerator P only; w is in the denominator as well, which gives the -z_out of (T7)",
            _only(1, lambda p: (p.z * p.h).sum(axis=0))),
    *(Mistake("mean_over_batch", "dw and ddelay are sums over the samples, not means: the mean is already in the loss",
              _delayed(how)) for how in (
        lambda right, p: (right[0], right[1] / len(p.h), right[2] / len(p.h)), lambda right, p: (*right[:2], right[2] / len(p.h)),
        lambda right, p: (right[0], right[1] / len(p.h), right[2]))),
    Mistake("mean_over_outputs", "dz_in is the sum over the outputs, not the mean",
            _only(0, lambda p: (p.causal * p.w * p.stretch * p.h).mean(axis=2))),
    Mistake("stretched_twice", "your dz_in has exp(delay) twice: (T11) has it once",
            _only(0, lambda p: (p.causal * p.w * p.stretch ** 2 * p.h).sum(axis=2))),
    Mistake("denominator_without_threshold", "your denominator is the sum of the causal weights only; subtract the threshold from it",
            _each(lambda p: (p.total - p.threshold) / p.total)),
    *(Mistake("denominator_all_weights", "your denominator uses all weights; divide by the sum over the causal set, minus the threshold",
              _each(how)) for how in (lambda p: (p.total - p.threshold) / (p.all_w - p.threshold),
                                      lambda p: (p.total - p.threshold) / (p.w.sum(axis=0) - p.threshold))),
    Mistake("threshold_ignored", "your denominator subtracts 1, whatever the threshold is",
            _each(lambda p: (p.total - p.threshold) / (p.total - 1))),
    Mistake("no_denominator",
            "you do not divide: all three gradients have the sum of the causal weights minus the threshold below the line",
            _each(lambda p: p.total - p.threshold)),
    Mistake("outside_the_causal_set", "you give a gradient to spikes that arrive after the output spike; theirs is 0",
            _delayed(lambda right, p: _all_three(p, p.reached, p.h))),
    Mistake("causal_when_sent", "your causal set has what was sent before the output spike; what counts is what has arrived by then, (T10)",
            _delayed(lambda right, p: _all_three(p, p.early, p.dz / np.where(
                p.fired, (p.early * p.w).sum(axis=1, keepdims=True) - p.threshold, 1)))),
)


# ---- event_prop_spike

def _layer(t_in, w):
    return np.asarray(t_in, float)[None, :, None], np.asarray(w, float)[:, None]


def _first_spike(t_in, w, threshold=1.0, tau_m=2.0, tau_s=1.0):
    t_out, cache = event_prop.forward(*_layer(t_in, w), None, threshold, tau_m, tau_s, n_spikes=1)
    return t_out.item(), cache


def _first_spike_backward(dt_out, cache):
    dt_in, dw, _ = event_prop.backward(np.full((1, 1, 1), float(dt_out)), cache)
    return dt_in[0, :, 0], dw[:, 0]


def _of_several(functions, dt_out, t_in, w, *how):
    """Give the gradients of several neurons, as arrays (neurons, N)."""
    found = [run_backward(functions, dt, *args, *how) for dt, *args in zip(dt_out, t_in, w, strict=True)]
    for pair in found:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2 or any(x is ... for x in pair):
            return pair
        if any(np.shape(as_array(x)) != t_in[0].shape for x in pair):
            return pair
    return tuple(stacked([as_array(pair[k]) for pair in found]) for k in range(2))


def _one_time(functions):
    """Make a forward pass whose result is an array."""
    def forward(t_in, w):
        t_out, cache = functions["forward"](t_in, w, 0.5, 3.0, 1.0)
        return np.array([t_out], float), cache
    return forward


def _event_cases(rng):
    t_in, w, dt_out = rng.uniform(0, 2, (30, 6)), rng.normal(0.8, 0.8, (30, 6)), rng.normal(size=30)
    t_in[3, 2] = INF
    gradients = ("dt_in", "dw")

    def one(name, dt_out, t_in, w, *how):
        return Case(name, gradients, run_backward, (dt_out, np.array(t_in, float), np.array(w, float), *how))
    return [
        Case("forward, as given", ("t_out",), lambda f, *a: f["forward"](*a)[0], (np.array([0.0, 0.5]), np.array([1, 1.5]), 0.5)),
        one("one input", 1.0, [0], [2], 0.25),
        one("two inputs", 1.0, [0, 0.5], [1, 1.5], 0.5),
        one("gradient 3 from above", 3.0, [0, 0.5], [1, 1.5], 0.5),
        one("an input that is too late", 1.0, [0, 5, 0.5], [1, 2, 1.5], 0.5),
        one("an inhibitory input", -1.0, [0.25, 0, 0.5], [-0.5, 2, 2.5], 0.5),
        one("other time constants", 1.0, [0, 0.5, 1, INF], [1, 1.5, 0.5, 3], 0.25, 5.0, 1.5),
        one("synapse slower than membrane", 1.0, [0, 0.5], [1, 1.5], 0.5, 1.0, 3.0),
        one("silent", 1.0, [0, 0.5], [0.125, 0.25]),
        one("no input comes", 2.0, [INF, INF], [2, 2]),
        Case("30 random neurons", gradients, _of_several, (dt_out, t_in, w, 0.75, 4.0, 1.0)),
        *differences("finite differences", _one_time, lambda f: lambda dt, cache: f["backward"](float(np.ravel(dt)[0]), cache),
                     (np.array([0.0, 0.5, 0.75]), np.array([1.5, 2.0, -0.5])), ("t_in", "w")),
    ]


def _event(change):
    """Change the gradients: change(parts of one neuron that fires, (dt_in, dw)); a silent one keeps its zeros."""
    def inject(right):
        def forward(t_in, w, *how):
            t_out, cache = right["forward"](t_in, w, *how)
            return t_out, (cache, (t_in, w, t_out, *how, *(1.0, 2.0, 1.0)[len(how):]))

        def backward(dt_out, cache):
            found = right["backward"](dt_out, cache[0])
            with np.errstate(all="ignore"):
                return found if cache[1][2] == INF else change(_event_parts(dt_out, *cache[1]), found)
        return {**right, "forward": forward, "backward": backward}
    return inject


def _event_parts(dt_out, t_in, w, t_out, threshold, tau_m, tau_s):
    came, causal = np.isfinite(t_in), t_in < t_out
    x = np.where(came, t_out - np.where(came, t_in, 0), 0)
    membrane, synapse = np.exp(-x / tau_m), np.exp(-x / tau_s)
    kappa = tau_s / (tau_m - tau_s) * (membrane - synapse)
    return _Parts(dt=dt_out, w=w, came=came, causal=causal, membrane=membrane, synapse=synapse, kappa=kappa, threshold=threshold,
                  rise=(synapse - kappa) / tau_m, current=np.sum(causal * w * synapse), all_current=np.sum(came * w * synapse), tau_m=tau_m,
                  tau_s=tau_s, slow=np.sum(causal * w * membrane), jumps=np.sum(causal * w))


def _by_slope(slope):
    """Use another slope of V at the spike: slope(parts)."""
    return _event(lambda p, found: tuple(g * (p.current - p.threshold) / p.tau_m / slope(p) for g in found))


def _dt_in(change):
    """Use another dt_in: change(parts) times dt_out w / slope."""
    return _event(lambda p, found: (np.where(p.causal, p.dt * p.w * p.tau_m / (p.current - p.threshold) * change(p), 0), found[1]))


def _dw(change):
    """Use another dw: change(parts) times -dt_out / slope."""
    return _event(lambda p, found: (found[0], np.where(p.causal, -p.dt * p.tau_m / (p.current - p.threshold) * change(p), 0)))


def _late_part(p, found):
    """Compute dt_in with the q of a p that has decayed first."""
    slope = (p.current - p.threshold) / p.tau_m
    return np.where(p.causal, p.dt * p.w / slope * (p.membrane / p.tau_m - p.kappa * p.membrane / p.tau_s), 0)


def _silent(change):
    """Give a silent neuron other gradients than 0."""
    def inject(right):
        def backward(dt_out, cache):
            found = right["backward"](dt_out, cache[0])
            return change(*found) if cache[1] == INF else found

        def forward(*args):
            t_out, cache = right["forward"](*args)
            return t_out, (cache, t_out)
        return {**right, "forward": forward, "backward": backward}
    return inject


EVENT_MISTAKES = (
    Mistake("leak_forgotten", "your slope at the spike is I/tau_m; the potential also leaks, and it is at the threshold: (V1) gives "
            "(I - threshold)/tau_m", _by_slope(lambda p: p.current / p.tau_m)),
    Mistake("tau_m_forgotten", "your slope at the spike lacks tau_m: (V1) gives (I - threshold)/tau_m",
            _by_slope(lambda p: p.current - p.threshold)),
    Mistake("tau_m_multiplied", "you multiply by tau_m where you should divide: by (V1) the slope is (I - threshold)/tau_m",
            _by_slope(lambda p: (p.current - p.threshold) * p.tau_m)),
    Mistake("tau_s_for_tau_m", "your slope at the spike has tau_s; the potential follows (V1) with tau_m",
            _by_slope(lambda p: (p.current - p.threshold) / p.tau_s)),
    Mistake("leaks_by_one", "your slope at the spike takes the potential as 1; it is at the threshold, whatever that is",
            _by_slope(lambda p: (p.current - 1) / p.tau_m)),
    Mistake("late_current",
            "your current at the spike has inputs that come after it", _by_slope(lambda p: (p.all_current - p.threshold) / p.tau_m)),
    Mistake("current_decays_with_tau_m", "your current at the spike decays with tau_m; a current decays with tau_s, (V1)",
            _by_slope(lambda p: (p.slow - p.threshold) / p.tau_m)),
    Mistake("current_does_not_decay", "your current at the spike is the sum of the weights; each has decayed by exp(-(T - t_i)/tau_s)",
            _by_slope(lambda p: (p.jumps - p.threshold) / p.tau_m)),
    Mistake("slope_forgotten", "you do not divide by the slope of V at the spike: the steeper V, the less the spike moves, (V5)",
            _by_slope(lambda p: 1.0)),
    Mistake("slope_of_the_free_potential",
            "you do not subtract the threshold, nor divide by tau_m: the slope of V is (I - V)/tau_m, with V at "
            "the threshold", _by_slope(lambda p: p.current)),
    Mistake("kappa_for_its_slope", "your dt_in has kappa; a later input moves kappa along the time axis, so (V5) has its slope",
            _dt_in(lambda p: p.kappa)),
    Mistake("current_part_alone", "your dt_in has the part of the current alone: (V8) is q/tau_s - p/tau_m, for a later input also finds a "
            "potential that has not risen yet", _dt_in(lambda p: -p.kappa / p.tau_s)),
    Mistake("potential_part_alone", "your dt_in has the part of the potential alone: (V8) is q/tau_s - p/tau_m",
            _dt_in(lambda p: p.membrane / p.tau_m)),
    Mistake("parts_added", "in (V8) the two parts of dt_in have opposite signs: q/tau_s - p/tau_m",
            _dt_in(lambda p: -p.kappa / p.tau_s - p.membrane / p.tau_m)),
    Mistake("weight_forgotten", "your dt_in lacks the weight: a later input moves w_i kappa, (V5)",
            _event(lambda p, found: (found[0] / p.w, found[1]))),
    Mistake("weight_in_dw", "your dw has the weight as a factor; V is linear in the weights, so (V5) has kappa alone",
            _event(lambda p, found: (found[0], found[1] * p.w))),
    Mistake("decayed_current_in_dw",
            "your dw has exp(-x/tau_s), which is what a weight adds to the current; (V5) has kappa, what it adds to the "
            "potential", _dw(lambda p: p.synapse)),
    Mistake("from_above_forgotten", "you leave out dt_out, the gradient that comes from above", _event(
        lambda p, found: tuple(g / p.dt for g in found))),
    *(Mistake("late_inputs", "you give a gradient to inputs that come after the spike; theirs is 0", _event(
        lambda p, found, of=of: (np.where(p.came, p.dt * p.w * p.tau_m / (p[of] - p.threshold) * p.rise, 0),
                                 np.where(p.came, -p.dt * p.tau_m / (p[of] - p.threshold) * p.kappa, 0))))
      for of in ("current", "all_current")),
    Mistake("p_decayed_first", "your q has the p that has decayed already; in (V6) the p of the spike feeds it: q first, then p",
            _event(lambda p, found: (_late_part(p, found), found[1] * np.where(p.causal, p.membrane, 0)))),
    Mistake("tau_s_forgotten", "your dt_in has q alone; (V8) divides it by tau_s", _dt_in(lambda p: p.membrane / p.tau_m - p.kappa)),
    Mistake("silent_is_nan", "a silent neuron gives NaN: its spike time does not move, so its gradients are 0",
            _silent(lambda dt_in, dw: (dt_in + np.nan, dw + np.nan))),
)


# ---- stdp

def _by_pairs(pre, post, a_plus=0.01, a_minus=0.012, decay_plus=0.95, decay_minus=0.95):
    """Sum over pairs, (H1); and the traces as sums over spikes, (H2)."""
    steps = np.arange(len(pre))
    k = steps[None, :] - steps[:, None]                                  # post minus pre
    window = (k > 0) * a_plus * decay_plus ** np.abs(k) - (k < 0) * a_minus * decay_minus ** np.abs(k)
    ago = len(pre) - 1 - steps
    return pre.T @ window @ post, decay_plus ** ago @ pre, decay_minus ** ago @ post


def _stdp_cases(rng):
    pre, post = (rng.random((60, 4)) < 0.15) * 1.0, (rng.random((60, 3)) < 0.15) * 1.0
    pre[30], post[30], pre[-1, 0], post[-1, 0] = 1, 1, 1, 1              # spikes in one step, and in the last one
    outputs = ("dw", "x", "y")

    def few(name, before, behind, *how):
        trains = np.zeros((6, 1)), np.zeros((6, 1))
        trains[0][before], trains[1][behind] = 1, 1
        return Case(name, outputs, lambda f, *a: f["stdp"](*a), (*trains, *how))
    exact = 1.0, 0.5, 0.5, 0.25
    return [
        few("pre before post", [1], [3], *exact),
        few("post before pre", [4], [2], *exact),
        few("both in one step", [2], [2], *exact),
        few("two pre, one post", [0, 2], [3], *exact),
        few("one pre between two post", [2], [1, 4], *exact),
        few("no spike behind the synapse", [0, 3], [], *exact),
        Case("4 inputs, 3 neurons, 60 steps", outputs, lambda f, *a: f["stdp"](*a), (pre, post, 0.01, 0.02, 0.8, 0.9)),
        Case("the same, only a_plus", outputs, lambda f, *a: f["stdp"](*a), (pre, post, 0.5, 0.0, 0.7, 0.9)),
        Case("the same, only a_minus", outputs, lambda f, *a: f["stdp"](*a), (pre, post, 0.0, 0.5, 0.7, 0.9)),
    ]


def _online(learn, early=(), trace=lambda kept, spikes: kept + spikes, decay="before"):
    """Run the traces with a mistake: learn(pre, post, x, y, a_plus, a_minus), early: traces that take their spikes before they are used."""
    def stdp(pre, post, a_plus=0.01, a_minus=0.012, decay_plus=0.95, decay_minus=0.95):
        x, y, dw = np.zeros(pre.shape[1]), np.zeros(post.shape[1]), 0.0
        for p, q in zip(pre, post, strict=True):
            x, y = (decay_plus * x, decay_minus * y) if decay == "before" else (x, y)
            x_new, y_new = trace(x, p), trace(y, q)
            dw = dw + learn(p, q, x_new if "x" in early else x, y_new if "y" in early else y, a_plus, a_minus)
            x, y = (decay_plus * x + p, decay_minus * y + q) if decay == "behind" else (x_new, y_new)
        return dw, x, y
    return lambda right: {"stdp": stdp}


def _rule(p, q, x, y, a_plus, a_minus):
    return a_plus * np.outer(x, q) - a_minus * np.outer(p, y)


def _given_other(change):
    """Call the right function with other arguments: change(pre, post, a_plus, a_minus, decay_plus, decay_minus)."""
    def inject(right):
        return {"stdp": lambda pre, post, *how: right["stdp"](*change(pre, post, *how, *(0.01, 0.012, 0.95, 0.95)[len(how):]))}
    return inject


def _nearest(kept, spikes):
    return np.where(spikes > 0, 1.0, kept)


STDP_MISTAKES = (
    Mistake("signs_swapped", "your signs are swapped: pre before post makes the weight larger, (H1)", _online(
        lambda p, q, x, y, a_plus, a_minus: a_minus * np.outer(p, y) - a_plus * np.outer(x, q))),
    Mistake("both_add", "post before pre takes away: in (H3) the term with a_minus has a minus sign", _online(
        lambda p, q, x, y, a_plus, a_minus: a_plus * np.outer(x, q) + a_minus * np.outer(p, y))),
    Mistake("factors_swapped",
            "a_plus belongs to pre before post, and a_minus to post before pre; you have them the other way round", _online(
        lambda p, q, x, y, a_plus, a_minus: a_minus * np.outer(x, q) - a_plus * np.outer(p, y))),
    Mistake("post_trace_adds",
            "you add where an input spikes, with the trace of the neuron: that is a pair with the post spike first. In (H3) "
            "a post spike meets the trace x and adds, a pre spike meets y and takes away", _online(
                lambda p, q, x, y, a_plus, a_minus: a_plus * np.outer(p, y) - a_minus * np.outer(x, q))),
    *(Mistake("updated_before_use",
            "the new spikes are in the traces before you use them: so pairs in one step count, which have k = 0, (H1)",
              _online(_rule, early)) for early in ("xy", "x", "y")),
    Mistake("nearest_only", "your traces are set to 1 at a spike, so only the nearest spike counts; with all pairs they rise by 1, (H2)",
            _online(_rule, trace=_nearest)),
    Mistake("no_decay",
            "your traces do not decay, (H2)", _given_other(lambda pre, post, a_plus, a_minus, *_: (pre, post, a_plus, a_minus, 1, 1))),
    Mistake("decays_swapped",
            "x, the trace of the inputs, decays with decay_plus, and y with decay_minus; you have them the other way round",
            _given_other(lambda pre, post, a_plus, a_minus, plus, minus: (pre, post, a_plus, a_minus, minus, plus))),
    Mistake("one_decay", "both your traces decay with decay_plus; y decays with decay_minus, (H2)",
            _given_other(lambda pre, post, a_plus, a_minus, plus, minus: (pre, post, a_plus, a_minus, plus, plus))),
    Mistake("one_step_short", "your traces decay after they are used: then the factor of a pair k steps apart is that of k - 1 steps, (H1)",
            _online(_rule, decay="behind")),
    Mistake("decayed_once_more", "your traces decay once more after the last step; its spikes are to be in them as they are",
            lambda right: {"stdp": lambda *args: (lambda dw, x, y, plus, minus: (dw, plus * x, minus * y))(
                *right["stdp"](*args), *(*args[4:], 0.95, 0.95)[:2])}),
    Mistake("only_adds", "only pairs with pre before post change your weights; (H3) has a second term", _online(
        lambda p, q, x, y, a_plus, a_minus: a_plus * np.outer(x, q))),
    Mistake("only_takes_away", "only pairs with post before pre change your weights; (H3) has a first term", _online(
        lambda p, q, x, y, a_plus, a_minus: -a_minus * np.outer(p, y))),
    Mistake("of_last_step", "your dw is that of the last step; add up the steps", lambda right: {
        "stdp": lambda pre, post, *how: (right["stdp"](pre, post, *how)[0] - right["stdp"](pre[:-1], post[:-1], *how)[0],
                                         *right["stdp"](pre, post, *how)[1:])}),
)


# ---- repair_tutorial: its hints are clues, they do not name the mistake

BETA, THRESHOLD, SLOPE = 0.9, 1.0, 5.0
RULE, CURVE = Rule("subtract", "same", ">="), Surrogate("fast_sigmoid", SLOPE)


def _neurons(current, beta=BETA, threshold=THRESHOLD):
    spikes, _, cache = leaky.forward(current, beta, threshold, rule=RULE)
    return spikes, leaky.potentials(cache)


def _sum_of_steps(u, labels):
    """Sum the cross-entropies of all steps."""
    scores = u - np.log(np.exp(u - u.max(axis=2, keepdims=True)).sum(axis=2, keepdims=True)) - u.max(axis=2, keepdims=True)
    one_hot = np.eye(u.shape[2])[labels]
    return float(-(scores * one_hot).sum() / len(labels)), (np.exp(scores) - one_hot) / len(labels)


def _train_step(loss=_sum_of_steps, sign=1.0):
    """Make a training step from the reference, with another loss, or uphill."""
    def train_step(w1, w2, x, labels, lr):
        spikes, _, cache1 = leaky.forward(x @ w1, BETA, THRESHOLD, rule=RULE)
        u, cache2 = leaky.integrate(spikes @ w2, BETA)
        value, du = loss(u, labels)
        d2 = leaky.integrate_backward(du, cache2).dcurrent
        d1 = leaky.backward(d2 @ w2.T, cache1, surrogate=CURVE).dcurrent
        return value, w1 - sign * lr * np.einsum("tbi,tbj->ij", x, d1), w2 - sign * lr * np.einsum("tbi,tbj->ij", spikes, d2)
    return train_step


TUTORIAL = {"neurons": _neurons, "loss": _sum_of_steps, "train_step": _train_step()}


def _tutorial_cases(rng):
    current = rng.uniform(0, 1.2, (20, 3, 4))
    u, labels = rng.normal(0, 1.5, (8, 5, 3)), np.array([0, 1, 2, 0, 1])
    w1, w2, x = rng.normal(0.25, 0.3, (6, 5)), rng.normal(0, 0.5, (5, 3)), (rng.random((10, 5, 6)) < 0.4) * 1.0

    def run(name, *args):
        return Case(name, ("spikes", "u"), lambda f, *a: f["neurons"](*a), args)

    def cost(name, *args):
        return Case(name, ("loss", "du"), lambda f, *a: f["loss"](*a), args)
    return [
        run("neurons, too weak to fire", np.full((6, 1, 1), 0.0625), 0.5),
        run("neurons, one spike in the last step", np.array([0.25, 0.5, 1.0]).reshape(3, 1, 1), 0.5),
        run("neurons, one spike in the first step", np.array([1.5, 0.25, 0.25]).reshape(3, 1, 1), 0.5),
        run("neurons, threshold 0.5", np.full((6, 1, 1), 0.375), 0.5, 0.5),
        run("neurons, exactly at the threshold", np.array([0.5, 0.75, 0.25]).reshape(3, 1, 1), 0.5),
        run("neurons, 20 steps", current),
        cost("loss, one step", u[:1], labels),
        cost("loss, nothing but the last step differs", np.concatenate([np.zeros((3, 5, 3)), u[:1]]), labels),
        cost("loss, 8 steps", u, labels),
        Case("train_step", ("value", "new_w1", "new_w2"), lambda f, *a: f["train_step"](*a), (w1, w2, x, labels, 0.1)),
    ]


def _own_loop(reset, fires=np.greater_equal):
    """Replace the neurons by a loop with its own reset: v = reset(u, this step's spikes, those of the step before, threshold)."""
    def neurons(current, beta=BETA, threshold=THRESHOLD):
        spikes, u, v = np.zeros_like(current), np.zeros_like(current), np.zeros_like(current[0])
        for t in range(len(current)):
            u[t] = beta * v + current[t]
            spikes[t] = fires(u[t], threshold)
            v = reset(u[t], spikes[t], spikes[t - 1] if t else 0 * spikes[t], threshold)
        return spikes, u
    return lambda right: {**right, "neurons": neurons}


def _own_loss(change):
    """Change the right loss, alone and in train_step: change(value, du, u, labels)."""
    def inject(right):
        def loss(u, labels):
            return change(*right["loss"](u, labels), u, labels)
        return {**right, "loss": loss, "train_step": _train_step(loss)}
    return inject


def _of_last(value, du, u, labels):
    last, found = _sum_of_steps(u[-1:], labels)[0], np.zeros_like(du)
    found[-1] = du[-1]
    return last, found


LATE_RESET = ("right while nothing has fired, and in the step of the first spike; wrong behind it. Which spike does the reset "
              "take, and which one should it take by sentence 1 of the text?")
LAST_STEP = "right for a single step. How does the value grow with the number of steps, and how should it by sentence 2 of the text?"
TUTORIAL_MISTAKES = (
    Mistake("clue_reset", LATE_RESET, _own_loop(lambda u, now, before, threshold: u - threshold * before)),
    Mistake("clue_reset_to_zero", "the reset comes in the right step. How much does a neuron lose by sentence 1 of the text: all of its "
            "potential?", _own_loop(lambda u, now, before, threshold: u * (1 - now))),
    Mistake("clue_reset_twice", "right behind a first spike for one step, and too low later. How often does one spike lower the potential?",
            _own_loop(lambda u, now, before, threshold: u - threshold * (now + before))),
    Mistake("clue_no_reset", "after a spike the potential stays as high as before it. Where does the neuron lose the threshold?",
            _own_loop(lambda u, now, before, threshold: u)),
    Mistake("clue_size_of_reset", "right where the threshold is 1. What does a spike take away where it is not?",
            _own_loop(lambda u, now, before, threshold: u - now)),
    Mistake("clue_reset_added", "a spike makes the potential higher. Which sign has the reset?",
            _own_loop(lambda u, now, before, threshold: u + threshold * now)),
    Mistake("clue_strict", "wrong only where a potential is exactly at the threshold. Does a neuron fire there?",
            _own_loop(lambda u, now, before, threshold: u - threshold * now, np.greater)),
    Mistake("clue_loss", LAST_STEP, _own_loss(_of_last)),
    Mistake("clue_half_of_loss", "the value is right, and du is 0 in all steps but the last. Which steps does the value depend on?",
            _own_loss(lambda value, du, u, labels: (value, _of_last(value, du, u, labels)[1]))),
    Mistake("clue_value_of_loss", "du is right, and the value that of the last step. Which of the two do you add up?",
            _own_loss(lambda value, du, u, labels: (_of_last(value, du, u, labels)[0], du))),
    Mistake("clue_mean", "the more steps, the smaller a step counts. A sum, says sentence 2 of the text, or a mean?",
            _own_loss(lambda value, du, u, labels: (value / len(u), du / len(u)))),
    Mistake("clue_summed_twice", "the value counts early steps more often than late ones. What is added up in your loop: losses, or sums?",
            _own_loss(lambda value, du, u, labels: (sum(_sum_of_steps(u[:t + 1], labels)[0] for t in range(len(u))),
                                                    du * np.arange(len(u), 0, -1)[:, None, None]))),
    Mistake("clue_uphill", "the step has the right size. Does the loss fall after it?",
            lambda right: {**right, "train_step": _train_step(sign=-1.0)}),
)


EXERCISES = {exercise.name: exercise for exercise in (
    Exercise("delay_backward", "backpropagate through a layer of spike times with delays", "(T7), (T8), (T11)",
             {"forward": delays.forward, "backward": delays.backward}, _delay_cases, DELAY_MISTAKES),
    Exercise("event_prop_spike", "differentiate the spike time of a leaky neuron, as EventProp does", "(V5) to (V8)",
             {"forward": _first_spike, "backward": _first_spike_backward}, _event_cases, EVENT_MISTAKES),
    Exercise("stdp", "change weights by spike times, online, with traces", "(H1) to (H3)", {"stdp": _by_pairs}, _stdp_cases, STDP_MISTAKES),
    Exercise("repair_tutorial", "a training script that runs and does not do what it says: correct it",
             "sentences 1 to 3 of its text, (D2), (D3)", TUTORIAL, _tutorial_cases, TUTORIAL_MISTAKES,
             dict.fromkeys(("value", "new_w1", "new_w2"), ("spikes", "u", "loss", "du"))),
)}
