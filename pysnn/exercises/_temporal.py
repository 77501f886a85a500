"""The exercises on the temporal neuron: its spike time, the gradient of it, the loss of the first spike."""

import numpy as np

from .. import _checks, losses
from ..conventions import NO_SPIKE
from ..reference import temporal
from ..verify import zoo
from ._case import Case, Exercise, Mistake, Said, differences

INF = NO_SPIKE


# ---- spike_time

def _one(forward):
    """Turn a layer into the spike time of one neuron."""
    def spike_time(z_in, w, threshold=1.0):
        return float(forward(z_in[None], w[:, None], threshold)[0][0, 0])
    return spike_time


def _times(functions, z_in, w, threshold):
    found = [functions["spike_time"](z, weights, threshold) for z, weights in zip(z_in, w, strict=True)]
    odd = next((t for t in found if not isinstance(t, (float, int, np.generic)) and getattr(t, "shape", None) != ()), 0.0)
    if isinstance(odd, np.ndarray):
        return Said(f"expected one number a neuron, got {_checks.describe(odd)}")
    return np.array(found) if isinstance(odd, float) else odd


def _neuron(name, z_in, w, threshold=1.0):
    """Make a case of one neuron; the numbers are exact in binary."""
    return Case(name, ("z_out",), lambda f, *args: f["spike_time"](*args), (np.array(z_in, float), np.array(w, float), threshold))


def _neurons(rng, n=200):
    """Draw neurons, about half of which fire."""
    return np.exp(rng.uniform(0, 2, (n, 8))), rng.normal(0.15, 0.4, (n, 8))


def _spike_time_cases(rng):
    z_in, w = _neurons(rng)
    return [
        _neuron("one input", [1], [2]),
        _neuron("two inputs, the third too late", [1, 2, 8], [0.75, 0.75, -0.5]),
        _neuron("the third in the very moment", [1, 2, 4.5], [0.75, 0.75, -0.5]),
        _neuron("inhibition just in time", [1, 2, 4], [0.75, 0.75, -0.25]),
        _neuron("in no order", [8, 1, 2], [-0.5, 0.75, 0.75]),
        _neuron("two at the same time", [1, 1, 4], [2, -0.5, -1]),
        _neuron("too weak", [1, 2], [0.5, 0.25]),
        _neuron("excited, inhibited, silent", [1, 1.25], [2, -1.5]),
        _neuron("one never comes", [1, INF, 2], [0.75, 5, 0.75]),
        _neuron("no input comes", [INF, INF], [2, 2]),
        _neuron("threshold 0.5", [1, 2], [0.375, 0.375], 0.5),
        Case("200 random neurons", ("z_out",), _times, (z_in, w, 1.0)),
    ]


def _fault(name, wrap):
    """Take a fault of the zoo that sits in forward."""
    return lambda right: {**right, "spike_time": wrap(zoo.FAULTS[name].inject(zoo.Op(None, None)).forward)}


def _own_times(**how):
    """Make spike times by running sums, with a mistake."""
    def forward(z_in, w, threshold):
        return zoo.spike_times(z_in, w, threshold, **how), None
    return lambda right: {**right, "spike_time": _one(forward)}


def _changed(change):
    """Change the right spike time."""
    def inject(right):
        def spike_time(z_in, w, threshold=1.0):
            return change(right["spike_time"], z_in, w, threshold)
        return {**right, "spike_time": spike_time}
    return inject


def _everything(right, z_in, w, threshold):
    heard = np.isfinite(z_in)
    excess = w[heard].sum() - threshold
    return float((w[heard] * z_in[heard]).sum() / excess) if excess > 0 else INF


def _no_margin(right, z_in, w, threshold):
    z_out = right(z_in, w, threshold)
    before = (z_in < z_out) & np.isfinite(z_in)
    return z_out if z_out == INF else float((w[before] * z_in[before]).sum() / w[before].sum())


def _silent_as(value):
    return _changed(lambda right, *args: value if right(*args) == INF else right(*args))


SPIKE_TIME_MISTAKES = (
    Mistake("xor_causal_set",
            "you take a prefix where one of the two conditions holds and the other does not; both must hold, (T4) and (T5)",
            _fault("xor_causal_set", _one)),
    Mistake("unsorted_inputs", "your sums run over the inputs in the order of their index; they must run in the order of time",
            _fault("unsorted_inputs", _one)),
    Mistake("late_crossing",
            "you stop at the first prefix whose weights exceed the threshold; its crossing may come after the next input, which "
            "changes it: (T5)", _own_times(valid=lambda strong, in_time: strong)),
    Mistake("weak_prefix",
            "you take a crossing of a prefix whose weights do not exceed the threshold, (T4): the line falls there, and the ratio "
            "means nothing", _own_times(valid=lambda strong, in_time: in_time)),
    Mistake("all_inputs", "your sums run over all inputs that spike; those that come after the output spike have no say, (T5)",
            _changed(lambda right, *args: _everything(right, *args))),
    Mistake("denominator_without_threshold", "your denominator is the sum of the weights alone; (T3) takes the threshold off it",
            _changed(_no_margin)),
    Mistake("threshold_ignored", "you compare with 1, whatever the threshold is",
            _changed(lambda right, z_in, w, threshold: right(z_in, w, 1.0))),
    Mistake("time_instead_of_z", "that is t/tau, the logarithm of what is asked for: z needs none",
            _changed(lambda right, *args: float(np.log(right(*args))))),
    *(Mistake(name, f"a neuron that stays silent has z_out = inf, not {value:g}", _silent_as(value))
      for name, value in (("never_silent", 0.0), ("silent_as_minus_one", -1.0), ("silent_as_1000", 1000.0), ("silent_as_nan", np.nan))),
)


# ---- temporal_backward

def _back(functions, dz_out, z_in, w, threshold):
    _, cache = functions["forward"](z_in, w, threshold)
    return functions["backward"](dz_out, cache)


def _backward_cases(rng):
    z_in = np.exp(rng.uniform(0, 2, (4, 6)))
    z_in[1, 2] = INF
    w = rng.normal(0.35, 0.3, (6, 5))
    w[:, 4] = [0.1, 0.1, 0.1, -0.5, 0.1, 0.1]                            # silent in every sample
    dz = rng.normal(size=(4, 5))
    alive = w[:, :4] + 0.2
    one = np.array([[1.0, 2.0, 8.0]]), np.array([[0.75], [0.75], [-0.25]])
    two = one[0], np.hstack([one[1], [[0.25], [0.25], [0.0]]])
    gradients = ("dz_in", "dw")
    return [
        Case("forward, as given", ("z_out",), lambda f, z, w: f["forward"](z, w)[0], (z_in, w)),
        Case("one neuron", gradients, _back, (np.array([[1.0]]), *one, 1.0)),
        Case("threshold 0.5", gradients, _back, (np.array([[1.0]]), *one, 0.5)),
        Case("a silent output", gradients, _back, (np.array([[2.0, 5.0]]), *two, 1.0)),
        Case("a silent output with NaN in dz_out", gradients, _back, (np.array([[2.0, np.nan]]), *two, 1.0)),
        Case("4 samples, 5 outputs", gradients, _back, (dz, z_in, w, 1.0)),
        *differences("against differences", lambda f: f["forward"], lambda f: f["backward"],
                    (np.where(np.isfinite(z_in), z_in, 3.0), alive), ("z_in", "w")),
    ]


def _after(change):
    """Change what the right backward pass gives."""
    def inject(right):
        def forward(z_in, w, threshold=1.0):
            z_out, cache = right["forward"](z_in, w, threshold)
            return z_out, (cache, (z_in, w, threshold, z_out))
        return {**right, "forward": forward, "backward": lambda dz_out, cache: change(right["backward"], dz_out, *cache)}
    return inject


def _masks(z_in, w, threshold, z_out):
    """Return the causal sets (B, N_in, N_out), who fired, and the sums of causal weights."""
    fired = np.isfinite(z_out)
    causal = (z_in[:, :, None] < z_out[:, None, :]) & fired[:, None, :]
    return causal, fired, (causal * w).sum(axis=1)


def _no_threshold(backward, dz_out, cache, args):
    _, fired, total = _masks(*args)
    scale = np.where(fired, (total - args[2]) / np.where(total == 0, 1, total), 0)
    return backward(np.where(fired, dz_out, 0) * scale, cache)


def _not_causal(backward, dz_out, cache, args):
    z_in, w, threshold, z_out = args
    _, fired, total = _masks(*args)
    h = np.where(fired, dz_out, 0) / np.where(fired, total - threshold, 1)
    heard = np.isfinite(z_in)[:, :, None] & fired[:, None, :]
    late = np.where(heard, np.where(heard, z_in[:, :, None], 0) - np.where(fired, z_out, 0)[:, None, :], 0)
    return (heard * w * h[:, None, :]).sum(axis=2), (late * h[:, None, :]).sum(axis=0)


def _plain_products(backward, dz_out, cache, args):
    z_in, w, threshold, z_out = args
    causal, _, total = _masks(*args)
    with np.errstate(all="ignore"):
        h = dz_out / (total - threshold)
        return (causal * w * h[:, None, :]).sum(axis=2), (causal * (z_in[:, :, None] - z_out[:, None, :]) * h[:, None, :]).sum(axis=0)


def _in_z_alone(backward, dz_out, cache, args):
    causal, fired, total = _masks(*args)
    h = np.where(fired, dz_out, 0) / np.where(fired, total - args[2], 1)
    return backward(dz_out, cache)[0], (np.where(causal, args[0][:, :, None], 0) * h[:, None, :]).sum(axis=0)


def _by_one(dz_out, *args):
    _, fired, total = _masks(*args)
    return np.where(fired, dz_out, 0) * np.where(fired, (total - args[2]) / np.where(total == 1, 1, total - 1), 0)


BACKWARD_MISTAKES = (
    Mistake("denominator_all_weights",
            "your denominator uses all weights that spiked; (T7) and (T8) divide by the sum over the causal set, minus the "
            "threshold", lambda right: _op(zoo.FAULTS["denominator_all_weights"].inject(zoo.Op(**right)))),
    Mistake("denominator_without_threshold", "your denominator is the sum of the causal weights alone; the threshold has to come off",
            _after(_no_threshold)),
    Mistake("outside_the_causal_set", "inputs that come after the output spike get a gradient from you; theirs is 0",
            _after(_not_causal)),
    Mistake("inf_times_zero",
            "inf times 0 is NaN: put inputs that never come and silent outputs aside before you multiply, by numpy.where",
            _after(_plain_products)),
    Mistake("numerator_alone",
            "you differentiate the numerator P alone; w stands in the denominator as well, which gives the -z_out of (T7)",
            _after(_in_z_alone)),
    Mistake("threshold_ignored", "your denominator takes 1 off, whatever the threshold is",
            _after(lambda backward, dz_out, cache, args: backward(_by_one(dz_out, *args), cache))),
    Mistake("mean_over_batch", "dw is summed over the samples, not averaged: the loss has done that already",
            _after(lambda backward, dz_out, cache, args: (backward(dz_out, cache)[0], backward(dz_out, cache)[1] / len(dz_out)))),
    Mistake("silent_gradient", "you let the gradient of a silent output through",
            _after(lambda backward, dz_out, cache, args: _silent(dz_out, args))),
)


def _silent(dz_out, args):
    z_in, w, threshold, z_out = args
    causal = (z_in[:, :, None] < z_out[:, None, :]) & np.isfinite(z_in)[:, :, None]      # z_out = inf: every input
    h = dz_out / ((causal * w).sum(axis=1) - threshold)
    late = np.where(causal, z_in[:, :, None] - np.where(np.isfinite(z_out), z_out, 0)[:, None, :], 0)
    return (causal * w * h[:, None, :]).sum(axis=2), (late * h[:, None, :]).sum(axis=0)


def _op(op):
    return {"forward": op.forward, "backward": op.backward}


# ---- spike_loss

def _loss_cases(rng):
    z, y = np.exp(rng.uniform(0, 1.5, (6, 4))), np.array([0, 1, 2, 3, 0, 1])
    silent = z.copy()
    silent[[0, 1, 1], [2, 1, 3]] = INF
    outputs = ("loss", "dz")

    def call(f, *args):
        return f["loss"](*args)
    return [
        Case("two outputs at one time", outputs, call, (np.array([[2.0, 2.0]]), np.array([0]))),
        Case("one sample", outputs, call, (z[:1], y[:1])),
        Case("6 samples", outputs, call, (z, y)),
        Case("silent outputs", outputs, call, (silent, y)),
        Case("nothing fires", outputs, call, (np.full((1, 2), INF), np.array([1]))),
        *differences("against differences", lambda f: lambda z: (f["loss"](z, y)[0], z),
                    lambda f: lambda scale, z: scale * f["loss"](z, y)[1], (z,), ("z",)),
    ]


def _softmax(z):
    e = np.exp(-np.where(np.isfinite(z), z, 1000.0) + np.where(np.isfinite(z), z, 1000.0).min(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def _of_loss(change):
    return lambda right: {"loss": lambda z, y: (right["loss"](z, y)[0], change(right["loss"](z, y)[1], z, y))}


LOSS_MISTAKES = (
    Mistake("softmax_sign",
            "the sign is that of softmax(z), where the last spike wins; the scores are -z, and a later spike of the label must "
            "raise the loss", lambda right: {"loss": zoo.FAULTS["softmax_sign"].inject(right["loss"])}),
    Mistake("silent_gradient", "a silent output gets a gradient from you; nothing there can move, so it is 0",
            _of_loss(lambda dz, z, y: -(_softmax(z) - np.eye(z.shape[1])[y]) / len(z))),
    Mistake("sum_over_batch", "the loss is a mean over the batch: divide the gradient by the number of samples",
            _of_loss(lambda dz, z, y: dz * len(z))),
    Mistake("no_one_hot", "that is the gradient of the normalisation alone; the label's own score takes 1 off its probability",
            _of_loss(lambda dz, z, y: np.where(np.isfinite(z), -_softmax(z) / len(z), 0))),
    Mistake("probability_alone", "that is p alone: the label's output takes 1 off its p, and the scores are -z, which turns the sign",
            _of_loss(lambda dz, z, y: np.where(np.isfinite(z), _softmax(z) / len(z), 0))),
    Mistake("mean_over_outputs", "you divide by the number of entries of z; the loss is a mean over the samples alone",
            _of_loss(lambda dz, z, y: dz / z.shape[1])),
)


EXERCISES = {exercise.name: exercise for exercise in (
    Exercise("spike_time", "find when one neuron fires", "(T3) to (T6)", {"spike_time": _one(temporal.forward)}, _spike_time_cases,
             SPIKE_TIME_MISTAKES),
    Exercise("temporal_backward", "pull a gradient back through a layer of spike times", "(T7), (T8)",
             {"forward": temporal.forward, "backward": temporal.backward}, _backward_cases, BACKWARD_MISTAKES),
    Exercise("spike_loss", "differentiate the loss of the first spike", "(L1)", {"loss": losses.softmax_z}, _loss_cases, LOSS_MISTAKES),
)}
