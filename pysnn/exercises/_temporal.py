"""The exercises on the temporal neuron: its spike time, the gradient of the spike time, the loss of the first spike."""

import functools

import numpy as np

from .. import _checks, losses
from ..conventions import NO_SPIKE
from ..reference import temporal
from ..verify import zoo
from ._case import Case, Exercise, Message, Mistake, as_array, differences, run_backward, run_forward, stacked

INF = NO_SPIKE


# ---- spike_time

def _one(forward):
    """Make the spike time of one neuron from a layer. It remembers what it has computed: several mistakes change the right times."""
    @functools.lru_cache(1000)
    def known(z_in, w, threshold):
        return float(forward(np.frombuffer(z_in)[None], np.frombuffer(w)[:, None], threshold)[0][0, 0])
    return lambda z_in, w, threshold=1.0: known(z_in.tobytes(), w.tobytes(), threshold)


def _times(functions, z_in, w, threshold):
    times = [as_array(functions["spike_time"](z, weights, threshold)) for z, weights in zip(z_in, w, strict=True)]
    for t in times:
        if not isinstance(t, (float, int, np.generic)) and getattr(t, "size", None) != 1:
            return Message(f"expected one number for each neuron, got {_checks.describe(t)}") if isinstance(t, np.ndarray) else t
    return stacked([np.reshape(t, ()) for t in times])


def _neuron(name, z_in, w, threshold=1.0):
    """Make a case of one neuron; the numbers are exact in binary."""
    return Case(name, ("z_out",), lambda f, *args: f["spike_time"](*args), (np.array(z_in, float), np.array(w, float), threshold))


def _spike_time_cases(rng):
    z_in, w = np.exp(rng.uniform(0, 2, (200, 8))), rng.normal(0.15, 0.4, (200, 8))           # about half of them fire
    return [
        _neuron("one input", [1], [2]),
        _neuron("two inputs, the third too late", [1, 2, 8], [0.75, 0.75, -0.5]),
        _neuron("the third at the same moment", [1, 2, 4.5], [0.75, 0.75, -0.5]),
        _neuron("inhibition just in time", [1, 2, 4], [0.75, 0.75, -0.25]),
        _neuron("inputs not sorted", [8, 1, 2], [-0.5, 0.75, 0.75]),
        _neuron("two at the same time", [1, 1, 4], [2, -0.5, -1]),
        _neuron("two huge ones at the same time", [1, 1], [2.0 ** 60, -2.0 ** 60]),      # alone, the first would fire at once
        _neuron("too weak", [1, 2], [0.5, 0.25]),
        _neuron("excited, inhibited, silent", [1, 1.25], [2, -1.5]),
        _neuron("one never comes", [1, INF, 2], [0.75, 5, 0.75]),
        _neuron("no input comes", [INF, INF], [2, 2]),
        _neuron("threshold 0.5", [1, 2], [0.375, 0.375], 0.5),
        Case("200 random neurons", ("z_out",), _times, (z_in, w, 1.0)),
    ]


def _together(forward):
    """Sum the weights of simultaneous inputs first, and leave out those that never come: no mistake is made there."""
    def joined(z_in, w, threshold):
        times, first, group = np.unique(z_in[0], return_index=True, return_inverse=True)
        order = np.argsort(first)[np.isfinite(times[np.argsort(first)])]
        sums = np.bincount(group, w[:, 0])
        return forward(times[order][None], sums[order][:, None], threshold) if order.size else (np.full((1, 1), INF), None)
    return _one(joined)


def _fault(name):
    """Take a fault of the zoo that is in forward."""
    return lambda right: {"spike_time": _together(zoo.FAULTS[name].inject(zoo.Op(None, None)).forward)}


def _own_times(**how):
    """Compute spike times by running sums, with a mistake."""
    def forward(z_in, w, threshold):
        return zoo.spike_times(z_in, w, threshold, **how), None
    return lambda right: {"spike_time": _together(forward)}


def _changed(change):
    """Change the right spike time: change(right spike_time, z_in, w, threshold)."""
    return lambda right: {"spike_time": lambda z_in, w, threshold=1.0: change(right["spike_time"], z_in, w, threshold)}


def _all_inputs(right, z_in, w, threshold):
    came = np.isfinite(z_in)
    excess = w[came].sum() - threshold
    return float((w[came] * z_in[came]).sum() / excess) if excess > 0 else INF


def _without_threshold(right, z_in, w, threshold):
    z_out = right(z_in, w, threshold)
    causal = (z_in < z_out) & np.isfinite(z_in)
    return z_out if z_out == INF else float((w[causal] * z_in[causal]).sum() / w[causal].sum())


def _by_prefix(choose, ties=False):
    """Choose a spike time: choose(z, z_next, excess, crossing, z_summed), arrays of all prefixes of the sorted inputs."""
    def spike_time(right, z_in, w, threshold):
        order = np.argsort(z_in, kind="stable")[:np.isfinite(z_in).sum()]
        z, weights = z_in[order], w[order]
        z_next, excess = np.append(z, INF)[1:], np.cumsum(weights) - threshold
        crossing = np.cumsum(weights * z) / np.where(excess == 0, np.nan, excess)
        found = choose(*(x[(z < z_next) | ties] for x in (z, z_next, excess, crossing, np.cumsum(z))))
        return float(found[0]) if found.size else INF
    return _changed(spike_time)


def _last_crossing(z, z_next, excess, crossing, z_summed):
    return crossing[(excess > 0) & (crossing <= z_next)][::-1]


def _weights_forgotten(z, z_next, excess, crossing, z_summed):
    crossing = z_summed / np.where(excess == 0, np.nan, excess)
    return crossing[(excess > 0) & (crossing <= z_next)]


def _ratio_without_threshold(z, z_next, excess, crossing, z_summed):
    crossing = crossing * excess / (excess + 1)
    return crossing[(excess > 0) & (crossing <= z_next)]


def _silent_as(value):
    return _changed(lambda right, *args: value if (z_out := right(*args)) == INF else z_out)


SPIKE_TIME_MISTAKES = (
    Mistake("xor_causal_set", "you accept a prefix where exactly one of the two conditions holds; both must hold, (T4) and (T5)",
            _fault("xor_causal_set")),
    Mistake("unsorted_inputs", "your sums run over the inputs in the order of their index; they must run in the order of time",
            _fault("unsorted_inputs")),
    Mistake("late_crossing",
            "you stop at the first prefix whose weights exceed the threshold; the next input may come before its crossing and change "
            "it: (T5)", _own_times(valid=lambda strong, in_time: strong)),
    Mistake("weak_prefix",
            "you accept a prefix whose weights do not exceed the threshold, (T4): its potential does not rise to the threshold, and the "
            "ratio is no spike time", _own_times(valid=lambda strong, in_time: in_time)),
    Mistake("all_inputs", "your sums run over all inputs that spike; leave out those that come after the output spike, (T5)",
            _changed(_all_inputs)),
    *(Mistake("denominator_without_threshold", "your denominator is the sum of the weights only; (T3) subtracts the threshold from it",
              how) for how in (_changed(_without_threshold), _by_prefix(_ratio_without_threshold))),
    Mistake("simultaneous_one_by_one", "inputs at equal times enter together: test a prefix only where the next input is later, (T6)",
            _by_prefix(lambda z, z_next, excess, crossing, _: crossing[(excess > 0) & (crossing <= z_next)], ties=True)),
    Mistake("strict_next", "a crossing at the very time of the next input counts: (T5) says <=, because that input adds nothing yet",
            _by_prefix(lambda z, z_next, excess, crossing, _: crossing[(excess > 0) & (crossing < z_next)])),
    *(Mistake("minimum_of_all", "you take the earliest of several crossings; the shortest prefix that passes (T4) and (T5) decides", how)
      for how in (_by_prefix(lambda z, z_next, excess, crossing, _: np.sort(crossing[excess > 0])),
                  _by_prefix(lambda *prefixes: np.sort(_last_crossing(*prefixes))))),
    Mistake("last_crossing", "several prefixes are valid, and you take the last; a neuron fires at its first crossing: the shortest, (T5)",
            _by_prefix(_last_crossing)),
    Mistake("last_input_time", "you return the time of the last causal input; the potential reaches the threshold after it, (T3)",
            _by_prefix(lambda z, z_next, excess, crossing, _: z[(excess > 0) & (crossing <= z_next)])),
    Mistake("weights_forgotten", "your numerator sums the times; (T3) sums weight times z", _by_prefix(_weights_forgotten)),
    Mistake("threshold_ignored", "you compare with 1, whatever the threshold is",
            _changed(lambda right, z_in, w, threshold: right(z_in, w, 1.0))),
    Mistake("time_instead_of_z", "that is t/tau, the logarithm of z; return z",
            _changed(lambda right, *args: float(np.log(right(*args))))),
    *(Mistake(name, f"a neuron that stays silent has z_out = inf, not {value:g}", _silent_as(value))
      for name, value in (("never_silent", 0.0), ("silent_as_minus_one", -1.0), ("silent_as_1000", 1000.0), ("silent_as_nan", np.nan))),
)


# ---- temporal_backward

def _backward_cases(rng):
    z_in = np.exp(rng.uniform(0, 2, (4, 6)))
    z_in[1, 2] = INF
    w = rng.normal(0.35, 0.3, (6, 5))
    w[:, 4] = [0.1, 0.1, 0.1, -0.5, 0.1, 0.1]                            # silent in every sample
    dz = rng.normal(size=(4, 5))
    firing = w[:, :4] + 0.2
    one = np.array([[1.0, 2.0, 8.0]]), np.array([[0.75], [0.75], [-0.25]])
    two = one[0], np.hstack([one[1], [[0.25], [0.25], [0.0]]])
    gradients = ("dz_in", "dw")
    return [
        Case("forward, as given", ("z_out",), run_forward, (z_in, w)),
        Case("one neuron", gradients, run_backward, (np.array([[1.0]]), *one, 1.0)),
        Case("threshold 0.5", gradients, run_backward, (np.array([[1.0]]), *one, 0.5)),
        Case("a silent output", gradients, run_backward, (np.array([[2.0, 5.0]]), *two, 1.0)),
        Case("a silent output with NaN in dz_out", gradients, run_backward, (np.array([[2.0, np.nan]]), *two, 1.0)),
        Case("4 samples, 5 outputs", gradients, run_backward, (dz, z_in, w, 1.0)),
        *differences("finite differences", lambda f: f["forward"], lambda f: f["backward"],
                     (np.where(np.isfinite(z_in), z_in, 3.0), firing), ("z_in", "w")),
    ]


def _own_backward(change):
    """Change the right backward pass: change(right backward, dz_out, right cache, (z_in, w, threshold, z_out))."""
    def inject(right):
        def forward(z_in, w, threshold=1.0):
            z_out, cache = right["forward"](z_in, w, threshold)
            return z_out, (cache, (z_in, w, threshold, z_out))
        return {**right, "forward": forward, "backward": lambda dz_out, cache: change(right["backward"], dz_out, *cache)}
    return inject


def _masks(z_in, w, threshold, z_out):
    """Return the causal sets (B, N_in, N_out), which outputs fired, and the sums of the causal weights."""
    fired = np.isfinite(z_out)
    causal = (z_in[:, :, None] < z_out[:, None, :]) & fired[:, None, :]
    return causal, fired, (causal * w).sum(axis=1)


def _sums(inputs, w, late, h):
    """Return dz_in and dw, summed over a set of inputs."""
    return (inputs * w * h[:, None, :]).sum(axis=2), (late * h[:, None, :]).sum(axis=0)


def _scaled(factor):
    """Multiply the gradient of each output that fired by factor(sum of the causal weights, threshold)."""
    def change(backward, dz_out, cache, args):
        _, fired, total = _masks(*args)
        with np.errstate(all="ignore"):
            return backward(np.where(fired, dz_out * factor(total, args[2]), 0), cache)
    return _own_backward(change)


def _then(change):
    """Change the right gradients: change(dz_in, dw, dz_out, causal, h, *arguments of forward); h is dz_out over its denominator."""
    def changed(backward, dz_out, cache, args):
        causal, fired, total = _masks(*args)
        h = np.where(fired, dz_out, 0) / np.where(fired, total - args[2], 1)
        return change(*backward(dz_out, cache), causal, h, *args)
    return _own_backward(changed)


def _only_dz_in(change):
    return _then(lambda dz_in, dw, *args: (change(dz_in, *args), dw))


def _not_causal(backward, dz_out, cache, args):
    z_in, w, threshold, z_out = args
    _, fired, total = _masks(*args)
    h = np.where(fired, dz_out, 0) / np.where(fired, total - threshold, 1)
    came = np.isfinite(z_in)[:, :, None] & fired[:, None, :]
    late = np.where(came, np.where(came, z_in[:, :, None], 0) - np.where(fired, z_out, 0)[:, None, :], 0)
    return _sums(came, w, late, h)


def _unmasked_dz_in(dz_in, causal, h, z_in, w, threshold, z_out):
    """Sum over all weights, also those of inputs that never come."""
    return h @ w.T


def _last_of(parts, causal, axis):
    """Take for each synapse the last causal part along an axis, as a loop with = in the place of += does."""
    last = causal.shape[axis] - 1 - np.flip(causal, axis).argmax(axis, keepdims=True)
    return np.take_along_axis(np.where(causal, parts, 0), last, axis).squeeze(axis)


def _last_output(dz_in, causal, h, z_in, w, *_):
    return _last_of(w * h[:, None, :], causal, 2)


def _last_sample(dz_in, dw, causal, h, z_in, w, threshold, z_out):
    late = z_in[:, :, None] - np.where(np.isfinite(z_out), z_out, 0)[:, None, :]
    return dz_in, _last_of(np.where(causal, late, 0) * h[:, None, :], causal, 0)


def _every_weight(backward, dz_out, cache, args):
    """Sum the weights of inputs that never come, too."""
    _, w, threshold, _ = args
    _, fired, total = _masks(*args)
    with np.errstate(all="ignore"):
        return backward(np.where(fired, dz_out * (total - threshold) / (w.sum(axis=0) - threshold), 0), cache)


def _without_where(backward, dz_out, cache, args):
    z_in, w, threshold, z_out = args
    causal, _, total = _masks(*args)
    with np.errstate(all="ignore"):
        return _sums(causal, w, causal * (z_in[:, :, None] - z_out[:, None, :]), dz_out / (total - threshold))


def _numerator_only(backward, dz_out, cache, args):
    causal, fired, total = _masks(*args)
    h = np.where(fired, dz_out, 0) / np.where(fired, total - args[2], 1)
    return backward(dz_out, cache)[0], (np.where(causal, args[0][:, :, None], 0) * h[:, None, :]).sum(axis=0)


def _through_silent(backward, dz_out, cache, args):
    z_in, w, threshold, z_out = args
    causal = (z_in[:, :, None] < z_out[:, None, :]) & np.isfinite(z_in)[:, :, None]      # z_out = inf: every input
    late = np.where(causal, z_in[:, :, None] - np.where(np.isfinite(z_out), z_out, 0)[:, None, :], 0)
    return _sums(causal, w, late, dz_out / ((causal * w).sum(axis=1) - threshold))


BACKWARD_MISTAKES = (
    *(Mistake("denominator_all_weights",
              "your denominator uses all weights; (T7) and (T8) divide by the sum over the causal set, minus the threshold", how)
      for how in (lambda right: zoo.FAULTS["denominator_all_weights"].inject(zoo.Op(**right))._asdict(), _own_backward(_every_weight))),
    Mistake("denominator_without_threshold", "your denominator is the sum of the causal weights only; subtract the threshold from it",
            _scaled(lambda total, threshold: (total - threshold) / total)),
    *(Mistake("outside_the_causal_set", "you give a gradient to inputs that come after the output spike; theirs is 0", how)
      for how in (_own_backward(_not_causal), _only_dz_in(_unmasked_dz_in))),
    Mistake("last_sample_only", "your dw is that of one sample, the last; add up over the batch: += in the place of =",
            _then(_last_sample)),
    Mistake("last_output_only", "your dz_in is that of one output, the last; add up over the outputs: += in the place of =",
            _only_dz_in(_last_output)),
    Mistake("inf_times_zero",
            "inf times 0 is NaN: before you multiply, replace inputs that never come and silent outputs, by numpy.where",
            _own_backward(_without_where)),
    Mistake("numerator_only",
            "you differentiate the numerator P only; w is in the denominator as well, which gives the -z_out of (T7)",
            _own_backward(_numerator_only)),
    Mistake("threshold_ignored", "your denominator subtracts 1, whatever the threshold is",
            _scaled(lambda total, threshold: (total - threshold) / (total - 1))),
    Mistake("no_denominator", "you do not divide: (T7) and (T8) have the sum of the causal weights minus the threshold below the line",
            _scaled(lambda total, threshold: total - threshold)),
    Mistake("denominator_squared", "you divide twice by the denominator; after the quotient rule is simplified, it stands there once",
            _scaled(lambda total, threshold: 1 / (total - threshold))),
    Mistake("w_forgotten", "your dz_in lacks the weight: the numerator P has w times z_in, (T8)",
            _only_dz_in(lambda dz_in, causal, h, *_: (causal * h[:, None, :]).sum(axis=2))),
    Mistake("mean_over_outputs", "dz_in is the sum over the outputs, not the mean",
            _only_dz_in(lambda dz_in, causal, h, *_: dz_in / h.shape[1])),
    Mistake("with_respect_to_t", "your dz_in has a factor z_in: that is the gradient with respect to the time t/tau, not to z",
            _only_dz_in(lambda dz_in, causal, h, z_in, *_: dz_in * np.where(np.isfinite(z_in), z_in, 0))),
    Mistake("w_in_dw", "your dw has the weight as a factor; (T7) has only z_in - z_out above the line",
            _then(lambda dz_in, dw, causal, h, z_in, w, *_: (dz_in, dw * w))),
    Mistake("mean_over_batch", "dw is the sum over the samples, not the mean: the mean is already in the loss",
            _then(lambda dz_in, dw, causal, h, *_: (dz_in, dw / len(h)))),
    Mistake("silent_gradient", "you pass on the gradient of a silent output; it must not reach dz_in and dw",
            _own_backward(_through_silent)),
)


# ---- spike_loss

def _loss_cases(rng):
    z, y = np.exp(rng.uniform(0, 1.5, (6, 4))), np.array([0, 1, 2, 3, 0, 1])
    silent = z.copy()
    silent[[0, 1, 1], [2, 1, 3]] = INF

    def case(name, *args):
        return Case(name, ("loss", "dz"), lambda f, *a: f["loss"](*a), args)
    return [
        case("two outputs at one time", np.array([[2.0, 2.0]]), np.array([0])),
        case("one sample", z[:1], y[:1]),
        case("6 samples", z, y),
        case("silent outputs", silent, y),
        case("nothing fires", np.full((1, 2), INF), np.array([1])),
        *differences("finite differences", lambda f: lambda z: (f["loss"](z, y)[0], z),
                     lambda f: lambda scale, z: np.asarray(scale).item() * as_array(f["loss"](z, y)[1]), (z,), ("z",)),
    ]


def _late(z):
    return np.where(np.isfinite(z), z, 1000.0)


def _softmax(z):
    e = np.exp(_late(z).min(axis=1, keepdims=True) - _late(z))
    return e / e.sum(axis=1, keepdims=True)


def _own_dz(change):
    """Change the right gradient: change(dz, z, y)."""
    return lambda right: {"loss": lambda z, y: (right["loss"](z, y)[0], change(right["loss"](z, y)[1], z, y))}


def _on_scores(sign):
    """Give sign (softmax(z) - one-hot)/B where the outputs fire."""
    return _own_dz(lambda dz, z, y: np.where(np.isfinite(z), sign * (_softmax(-_late(z)) - np.eye(z.shape[1])[y]) / len(z), 0))


def _of_label(change):
    """Give change(p, one-hot)/B where the outputs fire."""
    return _own_dz(lambda dz, z, y: np.where(np.isfinite(z), change(_softmax(z), np.eye(z.shape[1])[y]) / len(z), 0))


LOSS_MISTAKES = (
    Mistake("softmax_sign",
            "your sign is that of softmax(z), where the last spike wins; the scores are -z, and a later spike of the label must "
            "increase the loss", lambda right: {"loss": zoo.FAULTS["softmax_sign"].inject(right["loss"])}),
    Mistake("silent_gradient", "you give a gradient to a silent output; its spike time cannot change, so its gradient is 0",
            _own_dz(lambda dz, z, y: -(_softmax(z) - np.eye(z.shape[1])[y]) / len(z))),
    Mistake("sum_over_batch", "the loss is a mean over the batch: divide the gradient by the number of samples",
            _own_dz(lambda dz, z, y: dz * len(z))),
    Mistake("no_one_hot", "the label is missing: subtract 1 from the probability of the labelled output",
            _of_label(lambda p, one_hot: -p)),
    Mistake("probability_only", "that is p only: subtract 1 from the p of the labelled output, and change the sign, for the scores are -z",
            _of_label(lambda p, one_hot: p)),
    Mistake("no_probability", "p is missing: the gradient with respect to a score is p minus 1 for the label, and p for the others",
            _of_label(lambda p, one_hot: one_hot)),
    Mistake("label_alone", "you give a gradient to the label alone; the p of the others fall and rise with it: [k = g] - p_k for every k",
            _of_label(lambda p, one_hot: one_hot * (1 - p))),
    Mistake("softmax_diagonal", "that is the derivative of one probability; the loss is the logarithm of p of the label: p minus one-hot",
            _of_label(lambda p, one_hot: -p * (1 - p))),
    Mistake("squared_error", "that is the gradient of a squared error; the loss is a cross-entropy",
            _of_label(lambda p, one_hot: -2 * (p - one_hot) * p * (1 - p))),
    Mistake("log_probability", "you subtract the one-hot from log p; subtract it from p",
            _of_label(lambda p, one_hot: one_hot - np.log(p))),
    *(Mistake("flipped_scores", "your probabilities are those of softmax(z); the scores are -z, so use p as it is given", _on_scores(sign))
      for sign in (1, -1)),
    Mistake("with_respect_to_t", "your dz has a factor z: that is the gradient with respect to the time t/tau, not to z",
            _own_dz(lambda dz, z, y: dz * np.where(np.isfinite(z), z, 0))),
    Mistake("mean_over_outputs", "you divide by the number of entries of z; the loss is a mean over the samples only",
            _own_dz(lambda dz, z, y: dz / z.shape[1])),
)


EXERCISES = {exercise.name: exercise for exercise in (
    Exercise("spike_time", "compute when one neuron fires", "(T3) to (T6)", {"spike_time": _one(temporal.forward)}, _spike_time_cases,
             SPIKE_TIME_MISTAKES),
    Exercise("temporal_backward", "backpropagate through a layer of spike times", "(T7), (T8)",
             {"forward": temporal.forward, "backward": temporal.backward}, _backward_cases, BACKWARD_MISTAKES),
    Exercise("spike_loss", "differentiate the loss of the first spike", "(L1)", {"loss": losses.softmax_z}, _loss_cases, LOSS_MISTAKES),
)}
