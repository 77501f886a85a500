"""What a trained rate network does on data it has not seen: accuracy, also against time steps, spikes, operations, disturbances."""

import copy

import numpy as np

from .. import learning, metrics, models
from ..layers import ReLU
from ..learning import rate
from ..learning.settings import MAX_STEPS
from .operations import additions, multiply_adds
from .temporal import BITS, round_weights

STEPS = (1, 2, 4, 8, 15, 30, 60)         # of the curve of accuracy against steps
NOISE = (0.02, 0.05, 0.1, 0.2, 0.5)      # standard deviations, in units of the brightest intensity
SAMPLES = 2000                           # that disturbances are tried on
BYTES = 64e6                             # of counts that are held at once


def evaluate(nets, x, y, steps=STEPS):
    """Measure a network of integrate-and-fire or ReLU neurons on labelled samples.

    Parameters
    ----------
    nets : pysnn.learning.rate.Nets
        The network.
    x : (N, ...) array
        Images or points.
    y : (N,) array of integers
        Labels.
    steps : sequence of int
        After which numbers of steps, 1 to 10,000, to give the accuracy, too; that of training need not be among them.

    Returns
    -------
    dict
        n; accuracy, strict, inclusive: 0 to 1; confusion: counts, a tie given to the smaller class, one column more for samples without
        any output spike; multiply_adds: a sample, by layer, of the ReLU network. Of networks that spike also undecided: share of samples
        without any output spike; n_steps: steps in training; by_potential: accuracy where the final potential breaks ties; relu: accuracy
        of the ReLU network with the same weights; agreement: share of samples where both decide alike, see `pysnn.learning.rate.alike`
        (both only where all layers can have ReLU neurons);
        steps, accuracy_at, strict_at, inclusive_at: the curve; rates: spikes a neuron and step, spikes: a sample, additions: a sample, see
        `additions`; by layer.
    """
    if nets.snn is None:
        out = rate.predict(nets, x)
        return {**_accuracy(out, y), "confusion": _confusion(out, y), "multiply_adds": multiply_adds(nets.settings.model)}
    steps, n_steps = _steps(steps), nets.settings.n_steps
    short, late = sorted({*(t for t in steps if t < n_steps), n_steps}), [t for t in steps if t > n_steps]
    twin = relu_twin(nets) if "relu" in nets.settings.model.neurons else None
    shapes = [shape for _, shape in nets.settings.model.neuron_layers]
    counts, potential, relu, n_spikes, n_add = [], [], [], 0, 0
    for piece in _pieces(nets, x, shapes):
        run = nets.snn.run(piece, at=short, keep_counts=True)
        after = with_steps(nets.snn, late[-1]).run(piece, at=late).counts if late else run.counts[:0]
        counts.append(np.concatenate([run.counts, after]))
        potential.append(run.potential)
        relu += [] if twin is None else [twin.forward(piece)[0][-1]]
        n_spikes += np.array(run.n_spikes)
        n_add += np.array(additions(run.layer_counts, nets.settings.model, n_steps))
    counts, potential = np.concatenate(counts, axis=1), np.concatenate(potential)
    out, n = counts[len(short) - 1], len(x)
    at = {t: rate.accuracy(c, y) for t, c in zip([*short, *late], counts, strict=True)}
    most = out == out.max(axis=1, keepdims=True)
    return {**_accuracy(out, y), "undecided": float((out == 0).all(axis=1).mean()), "n_steps": n_steps,
            "by_potential": rate.accuracy(np.where(most, potential, -np.inf), y).expected, **_against(out, relu, y), "steps": list(at),
            **{f"{name}_at": [getattr(score, kind) for score in at.values()]
               for name, kind in (("accuracy", "expected"), ("strict", "strict"), ("inclusive", "inclusive"))},
            "rates": (n_spikes / (n * n_steps * np.array([np.prod(s) for s in shapes]))).tolist(), "spikes": (n_spikes / n).tolist(),
            "additions": (n_add / n).tolist(), "multiply_adds": multiply_adds(nets.settings.model), "confusion": _confusion(out, y)}


def _against(out, relu, y):
    """Hold the outputs against those of the ReLU network, if there is one."""
    relu = np.concatenate(relu) if relu else None
    return {} if relu is None else {"relu": rate.accuracy(relu, y).expected, "agreement": float(rate.alike(out, relu).mean())}


def _steps(steps):
    """Return steps sorted, or say what is wrong with them."""
    low, high = 1, MAX_STEPS
    if not len(steps) or not all(isinstance(t, (int, np.integer)) and low <= t <= high for t in steps):
        raise ValueError(f"steps: expected whole numbers from {low} to {high:,}, got {list(steps)}")
    return sorted({int(t) for t in steps})


def _pieces(nets, x, shapes):
    """Encode samples, so few at a time that the counts of all layers fit."""
    each = 8 * sum(int(np.prod(s)) for s in shapes)
    size = int(np.clip(BYTES // each, 1, rate.PIECE))
    for i in range(0, len(x), size):
        yield rate.encode_batch(nets, x[i:i + size])


def _accuracy(out, y):
    """Return the accuracy and its bounds by name."""
    score = rate.accuracy(out, y)
    return {"n": len(y), "accuracy": score.expected, "strict": score.strict, "inclusive": score.inclusive}


def _confusion(out, y):
    """Return the table of classes, with a column for outputs that are all 0."""
    n = out.shape[1]
    decided = np.where((out == 0).all(axis=1), n, out.argmax(axis=1))
    return metrics.confusion(y, decided, n + 1)[:n].tolist()


def with_steps(snn, n_steps):
    """Return a spiking network that runs for another number of steps; the weights are shared.

    Parameters
    ----------
    snn : pysnn.network.SpikingNetwork
        The network.
    n_steps : int
        Number of steps.

    Returns
    -------
    pysnn.network.SpikingNetwork
        The same, but for the steps.
    """
    other = copy.copy(snn)
    other.config = snn.config._replace(n_steps=n_steps)
    return other


def relu_twin(nets):
    """Return the ReLU network with the same weights.

    Parameters
    ----------
    nets : pysnn.learning.rate.Nets
        Networks of any rate method.

    Returns
    -------
    pysnn.network.Network
        That of the method, or a new one where the method has none.
    """
    if nets.net is not nets.snn:
        return nets.net
    s = nets.settings
    return models.build(s.model, "relu", nets.net.params, s.bias, None, s.backend, nets.net.state)


def activations(net, x):
    """Compute the outputs of the weight layers of a ReLU network.

    Parameters
    ----------
    net : pysnn.network.Network
        From `relu_twin`.
    x : (B, ...) array
        Input.

    Returns
    -------
    list of arrays
        Behind each ReLU, before pooling; the network's output last.
    """
    outputs, _ = net.forward(x)
    return [*(out for layer, out in zip(net.layers, outputs, strict=True) if isinstance(layer, ReLU)), outputs[-1]]


def robustness(method, nets, x, y, rng):
    """Measure what disturbances of a trained network cost.

    Parameters
    ----------
    method : str or pysnn.learning.Method
        The method that it was trained by.
    nets : pysnn.learning.rate.Nets
        The network.
    x : (N, ...) array
        Images or points; the first 2,000 are used.
    y : (N,) array of integers
        Labels.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    dict
        n: samples used; noise, bits: lists of (level, accuracy): normal noise added to the intensities, which stay in [0, 1]; weights
        (not gamma, beta, biases) rounded to so many bits, one scale a layer. Level 0 of noise is no disturbance.
    """
    x, y = x[:SAMPLES], y[:SAMPLES]
    rule = learning.get(method)

    def accuracy(some, level=0.0):
        outputs = []
        for i in range(0, len(x), rate.PIECE):
            piece = rate.encode_batch(some, x[i:i + rate.PIECE])
            noise = level * rng.standard_normal(piece.shape) if level else 0.0
            piece = np.clip(piece + noise, 0, 1).astype(piece.dtype)
            outputs.append(some.net.forward(piece)[0][-1] if some.snn is None else some.snn.run(piece).counts[-1])
        return rate.accuracy(np.concatenate(outputs), y).expected

    def rounded(bits):
        weights = nets.settings.model.weights
        params = {name: round_weights(w, bits) if name in weights else w for name, w in nets.net.params.items()}
        return rule.build(nets.settings, params, state={name: s.copy() for name, s in nets.state.items()})

    return {"n": len(x), "noise": [(s, accuracy(nets, s)) for s in (0.0, *NOISE)], "bits": [(b, accuracy(rounded(b))) for b in BITS]}
