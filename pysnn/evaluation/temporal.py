"""What a trained network does on data it has not seen: accuracy, time and spikes to a decision, and what disturbances cost."""

import numpy as np

from .. import encode, metrics
from ..learning import temporal

JITTER = (0.02, 0.05, 0.1, 0.2, 0.5)     # standard deviations, in tau
LOST = (0.05, 0.1, 0.2, 0.4)             # share of the input spikes
BITS = (8, 6, 5, 4, 3, 2)                # bits a weight
GRID = (0.05, 0.1, 0.2, 0.5)             # steps of delays, in tau


def evaluate(nets, x, y, n_times=60):
    """Measure a temporal network on labelled samples.

    Parameters
    ----------
    nets : pysnn.learning.temporal.Nets
        The network.
    x : (N, ...) array
        Images or points.
    y : (N,) array of integers
        Labels.
    n_times : int
        Points of the curve of accuracy against decision time.

    Returns
    -------
    dict
        accuracy, strict, inclusive: 0 to 1; undecided: share of samples without any output spike; t_decision: median time of the first
        output spike in tau, None if there is none; spikes and spikes_before: mean spikes a sample by layer, in all and up to the decision,
        the input first; additions: a sample, see `activity`; t, accuracy_in_time: the curve; confusion: counts, one column more for
        "undecided".
    """
    n_classes = nets.settings.model.shapes[-1][0]
    outs, before, spikes, additions, n = [], 0, 0, 0, 0
    for z_in, outputs in _run(nets, x):
        layers = [z.reshape(len(z), -1) for z in (z_in, *temporal.fired(nets, outputs))]
        before += len(z_in) * np.array(metrics.spikes_before(layers, outputs[-1]))
        spikes += np.array([np.isfinite(z).sum() for z in layers])
        additions += np.array(_additions(nets, z_in, outputs))
        n += len(z_in)
        outs.append(outputs[-1])
    z = np.concatenate(outs)
    score = metrics.accuracy(z, y)
    t_first = np.log(z.min(axis=1))
    decided = np.isfinite(t_first)
    t = np.linspace(0, float(t_first[decided].max()) if decided.any() else 1.0, n_times)
    table = metrics.confusion(y, np.where(decided, z.argmin(axis=1), n_classes), n_classes + 1)[:n_classes]
    return {"n": n, "accuracy": score.expected, "strict": score.strict, "inclusive": score.inclusive,
            "undecided": float(1 - decided.mean()), "t_decision": float(np.median(t_first[decided])) if decided.any() else None,
            "spikes": (spikes / n).tolist(), "additions": (additions / n).tolist(),
            "spikes_before": (before / n).tolist(), "t": t.tolist(),
            "accuracy_in_time": metrics.accuracy_in_time(z, y, t).tolist(), "confusion": table.tolist()}


def activity(nets, x):
    """Count the spikes and operations of a temporal network.

    Parameters
    ----------
    nets : pysnn.learning.temporal.Nets
        The network.
    x : (N, ...) array
        Images or points.

    Returns
    -------
    dict
        spikes: a sample, by layer, the input first; additions: a sample, by weight layer: each spike, the bias spike too, adds the weights
        that it meets; multiply_adds: none. What neurons themselves take is not counted.
    """
    spikes, additions = 0, 0
    for z_in, outputs in _run(nets, x):
        spikes += np.array([np.isfinite(z).sum() for z in (z_in, *temporal.fired(nets, outputs))])
        additions += np.array(_additions(nets, z_in, outputs))
    return {"spikes": (spikes / len(x)).tolist(), "additions": (additions / len(x)).tolist(), "multiply_adds": 0}


def _run(nets, x):
    """Give the input spikes and the outputs of all layers, some samples at a time."""
    n = temporal.piece(nets)
    for i in range(0, len(x), n):
        z_in = temporal.encode_batch(nets, x[i:i + n])
        yield z_in, nets.net.forward(z_in)[0]


def _additions(nets, z_in, outputs):
    """Count the additions of weights by spikes, by weight layer: those of the samples, and of the extra spikes."""
    return [float((np.isfinite(z) * layer.fan_out(z.shape[1:])).sum() + layer.bias * y.size)
            for layer, z, y in zip(nets.net.layers, [z_in, *outputs[:-1]], outputs, strict=True) if layer.fires]


def robustness(nets, x, y, rng):
    """Measure what disturbances of a trained network cost.

    Parameters
    ----------
    nets : pysnn.learning.temporal.Nets
        The network.
    x : (N, ...) array
        Images or points.
    y : (N,) array of integers
        Labels.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    dict
        jitter, lost, bits: lists of (level, accuracy): input times moved by a normal random time (in tau), input spikes lost at random,
        weights rounded to so many bits (one scale a matrix). With delays also grid: delays rounded to multiples of a time, in tau.
    """
    def accuracy(disturb, some=nets):
        n = temporal.piece(some)
        z = [some.net.forward(disturb(temporal.encode_batch(some, x[i:i + n])))[0][-1] for i in range(0, len(x), n)]
        return metrics.accuracy(np.concatenate(z), y).expected

    def rounded(bits):
        weights = nets.settings.model.weights
        params = {name: round_weights(w, bits) if name in weights else w for name, w in nets.net.params.items()}
        return temporal.build(nets.settings, params)

    def on_grid(step):
        params = dict(nets.net.params)
        for name in delays:
            delay = np.round(np.logaddexp(params[name], 0) / step) * step
            params[name] = np.log(np.expm1(np.maximum(delay, 1e-30))).astype(delay.dtype)
        return temporal.build(nets.settings, params)

    delays = [name for name, param in nets.settings.model.params("temporal", nets.settings.bias).items() if param.role == "delay"]
    return {"jitter": [(s, accuracy(lambda z, s=s: encode.jitter(z, s, rng))) for s in JITTER],
            "lost": [(p, accuracy(lambda z, p=p: encode.drop_spikes(z, p, rng))) for p in LOST],
            "bits": [(b, accuracy(lambda z: z, rounded(b))) for b in BITS],
            **({"grid": [(g, accuracy(lambda z: z, on_grid(g))) for g in GRID]} if delays else {})}


def layer_names(nets):
    """Name the layers of a network, the input first.

    Parameters
    ----------
    nets : pysnn.learning.temporal.Nets
        The network.

    Returns
    -------
    list of str
        input, hidden (numbered if there are several), output.
    """
    n = sum(layer.fires for layer in nets.net.layers) - 1
    return ["input", *(["hidden"] if n == 1 else [f"hidden {k + 1}" for k in range(n)]), "output"]


def round_weights(w, bits):
    """Round weights to 2**bits - 1 levels, equally spaced and symmetric about 0.

    Parameters
    ----------
    w : array
        Weights.
    bits : int
        At least 2.

    Returns
    -------
    array like w
        The rounded weights.
    """
    step = np.abs(w).max() / (2 ** (bits - 1) - 1)
    return (np.round(w / step) * step).astype(w.dtype) if step > 0 else w.copy()
