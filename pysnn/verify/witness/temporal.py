"""Witnesses for the temporal neuron, which share no code with it: its definition, and identities of its gradients.

Time is in units of tau, z = exp(t), and inf is a spike that never comes. Shapes as everywhere: z_in (B, N_in), w (N_in,
N_out), z_out (B, N_out). The neuron is defined by its membrane,

    V(t) = sum over t_i < t of w_i (1 - exp(-(t - t_i))),      and it fires when V first reaches the threshold.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ..compare import compare


def membrane(t, z_in, w):
    """Evaluate V at given times, straight from the definition.

    Parameters
    ----------
    t : (B, K) array
        Times of observation, not z; inf asks for the limit, the sum of the weights that spiked.
    z_in : (B, N_in) array
        exp of the input times.
    w : (N_in, N_out) array
        Weights.

    Returns
    -------
    (B, K, N_out) array
        V of every neuron at every time.
    """
    t_in = np.log(z_in)[:, None, :]
    came = t_in < t[:, :, None]
    lag = np.subtract(t[:, :, None], t_in, out=np.zeros(came.shape), where=came)
    return np.where(came, -np.expm1(-lag), 0) @ w


class Definition(NamedTuple):
    """How far outputs are from the definition of the neuron."""

    at_spike: float      # largest |V(t_out) - threshold|
    before: float        # largest V - threshold at inputs and midpoints before t_out; at most 0, but for rounding
    silent: float        # the same for silent neurons, at any time and in the limit
    in_rounding: float   # the largest of the three in units of its own rounding, 4 N eps (threshold + sum |w|)
    n_fired: int
    n_silent: int

    @property
    def ok(self):
        """Whether all outputs meet the definition, up to rounding."""
        return self.in_rounding <= 1


def check_definition(z_in, w, z_out, threshold=1.0):
    """Check spike times against the definition: V(t_out) is the threshold, and V was below before.

    Between two inputs V is monotone, so that looking at every input time is enough; midpoints are looked at besides. A
    silent neuron must stay below the threshold at every input and must not exceed it in the limit.

    Parameters
    ----------
    z_in : (B, N_in) array
        exp of the input times.
    w : (N_in, N_out) array
        Weights.
    z_out : (B, N_out) array
        exp of the output times to be checked; inf: silent. Its dtype says how much rounding is allowed.
    threshold : float
        Firing threshold divided by tau.

    Returns
    -------
    Definition
        Largest deviations; `ok` if they are within rounding. What is no spike time (NaN, 0 or less) deviates by inf.
    """
    unit = _rounding(z_in, w, threshold, z_out.dtype)
    z_in, w, z_out = (x.astype(np.float64) for x in (z_in, w, z_out))
    fired, silent = (z_out > 0) & np.isfinite(z_out), z_out == np.inf
    t_out = np.log(np.where(fired, z_out, 1))
    at_spike = np.einsum("bjj->bj", membrane(t_out, z_in, w)) - threshold
    t_in = np.sort(np.log(z_in), axis=1)
    middle = (t_in[:, 1:] + t_in[:, :-1]) / 2
    t = np.concatenate([t_in, middle, np.full((len(t_in), 1), np.inf)], axis=1)
    above = membrane(t, z_in, w) - threshold
    before = (t[:, :, None] < t_out[:, None, :]) & fired[:, None, :]
    parts = [(np.abs(at_spike)[:, None, :], fired[:, None, :]), (above, before), (above, silent[:, None, :])]
    if not (fired | silent).all():
        return Definition(np.inf, np.inf, np.inf, np.inf, int(fired.sum()), int(silent.sum()))
    worst = [_largest(x, where) for x, where in parts]
    in_rounding = max(_largest(x / unit[:, None, :], where) for x, where in parts)
    return Definition(*worst, in_rounding, int(fired.sum()), int(silent.sum()))


def _largest(x, where):
    """Give the largest entry where asked for, -inf if there is none."""
    return float(x.max(where=np.broadcast_to(where, x.shape), initial=-np.inf))


def _rounding(z_in, w, threshold, dtype):
    """Bound the rounding of V: two correct orders of summation differ by less."""
    arrived = np.isfinite(z_in).astype(np.float64)
    return 4 * w.shape[0] * np.finfo(dtype).eps * (threshold + arrived @ np.abs(w.astype(np.float64)))


def near_threshold(z_in, w, threshold=1.0):
    """Say where two correct summation orders may disagree about firing.

    That is where V comes within rounding, 4 N eps (threshold + sum |w|), of the threshold at an input time before V has
    clearly crossed it, or where the sum of all weights that spiked does. eps is that of the dtype of w.

    Parameters
    ----------
    z_in : (B, N_in) array
        exp of the input times.
    w : (N_in, N_out) array
        Weights.
    threshold : float
        Firing threshold divided by tau.

    Returns
    -------
    (B, N_out) bool array
        True where decisions are not to be compared.
    """
    band = _rounding(z_in, w, threshold, w.dtype)[:, None, :]
    z_in, w = np.asarray(z_in, np.float64), np.asarray(w, np.float64)
    z = np.sort(z_in, axis=1)
    inverse = np.divide(1, z, out=np.zeros_like(z), where=np.isfinite(z))
    late = np.where(np.isfinite(z_in), z_in, np.inf)[:, None, :]
    share = np.where(late < z[:, :, None], 1 - np.where(np.isfinite(late), late, 0) * inverse[:, :, None], 0)
    total = (np.isfinite(z_in) @ w)[:, None, :]
    v = np.concatenate([np.where(np.isfinite(z)[:, :, None], share @ w, -np.inf), total], axis=1) - threshold
    crossed = np.logical_or.accumulate(v > band, axis=1)
    open_still = np.concatenate([np.ones_like(crossed[:, :1]), ~crossed[:, :-1]], axis=1)
    return ((np.abs(v) <= band) & open_still).any(axis=1)


def causal_sets(z_in, z_out):
    """Say which inputs came before each output.

    Parameters
    ----------
    z_in : (B, N_in) array
        exp of the input times.
    z_out : (B, N_out) array
        exp of the output times.

    Returns
    -------
    (B, N_in, N_out) bool array
        All False for a silent output.
    """
    return (z_in[:, :, None] < z_out[:, None, :]) & np.isfinite(z_out)[:, None, :]


class Net(NamedTuple):
    """Layers in a row, as one operation for `gradcheck`."""

    forward: object      # forward(z_in, *weights) -> z_out, cache
    backward: object     # backward(dz_out, cache) -> dz_in, dw of layer 0, dw of layer 1, ...
    trace: object        # trace(args, out, cache) -> causal sets and silence of every layer
    layers: object       # layers(dz_out, cache) -> [z of every layer, input first], [dL/dz of every layer]


def chain(op, threshold=1.0):
    """Put layers of one operation in a row.

    Parameters
    ----------
    op : module or object
        With ``forward(z_in, w, threshold) -> z_out, cache`` and ``backward(dz_out, cache) -> dz_in, dw``.
    threshold : float
        Firing threshold divided by tau, for all layers.

    Returns
    -------
    Net
        As many layers as forward gets weights.
    """
    def forward(z_in, *weights):
        z, caches = [z_in], []
        for w in weights:
            z_out, cache = op.forward(z[-1], w, threshold)
            z.append(z_out)
            caches.append(cache)
        return z[-1], (z, caches)

    def of_layers(dz_out, cache):
        dz, dw = [dz_out], []
        for layer in reversed(cache[1]):
            dz_in, dw_layer = op.backward(dz[0], layer)
            dz.insert(0, dz_in)
            dw.insert(0, dw_layer)
        return dz, dw

    def backward(dz_out, cache):
        dz, dw = of_layers(dz_out, cache)
        return dz[0], *dw

    def trace(args, out, cache):
        z = cache[0]
        return [causal_sets(a, b) for a, b in pairwise(z)] + [np.isinf(b) for b in z[1:]]

    def layers(dz_out, cache):
        return cache[0], of_layers(dz_out, cache)[0]

    return Net(forward, backward, trace, layers)


def frozen_net(sets, threshold=1.0):
    """Freeze the causal sets: what is left is rational in z and w, and takes complex arrays.

    Parameters
    ----------
    sets : sequence of (B, N_in, N_out) bool arrays
        One per layer, from `causal_sets`.
    threshold : float
        Firing threshold divided by tau.

    Returns
    -------
    callable
        ``net(z_in, *weights) -> z_out``; inf where a causal set is empty.
    """
    def net(z_in, *weights):
        z = z_in
        for causal, w in zip(sets, weights, strict=True):
            causal_w = np.where(causal, w, 0)
            excess = causal_w.sum(axis=1) - threshold
            fired = causal.any(axis=1)
            moment = np.einsum("bij,bi->bj", causal_w, np.where(np.isfinite(z), z, 0))
            z = np.where(fired, moment / np.where(fired, excess, 1), np.inf)
        return z
    return net


def complex_step_check(op, z_in, weights, threshold=1.0, rng=None):
    """Compare gradients with the complex step through the net at frozen causal sets.

    Frozen, the net is rational, and Im f(x + ih)/h is its derivative without any subtraction: a witness good to about
    1e-13, for every input and every weight. It trusts the spike times; `check_definition` checks those.

    Parameters
    ----------
    op : module or object
        As for `chain`.
    z_in : (B, N_in) float64 array
        exp of the input times.
    weights : sequence of float64 arrays
        One (N_in, N_out) array per layer.
    threshold : float
        Firing threshold divided by tau.
    rng : numpy.random.Generator, optional
        For the random loss <c, z_out>; default: seeded with 0.

    Returns
    -------
    Comparison
        backward (got) and complex step (wanted), for z_in and each weight array, within 1e-11 of the largest entry.
    """
    got, wanted = complex_step_gradients(op, (z_in, *weights), threshold, rng)
    largest = max(float(np.abs(x).max()) for x in wanted)
    names = ["z_in", *(f"w[{i}]" for i in range(len(weights)))]
    return compare(lambda: got, lambda: wanted, (), names, rtol=1e-11, atol=1e-13 * largest)


def complex_step_gradients(op, args, threshold=1.0, rng=None):
    """Compute the two sides of `complex_step_check`.

    Parameters
    ----------
    op : module or object
        As for `chain`.
    args : sequence of float64 arrays
        z_in and the weights of each layer.
    threshold, rng : float, numpy.random.Generator
        As for `complex_step_check`.

    Returns
    -------
    got, wanted : tuples of arrays
        For each argument, by backward and by the complex step.
    """
    net = chain(op, threshold)
    z_out, cache = net.forward(*args)
    fired = np.isfinite(z_out)
    c = np.where(fired, (rng or np.random.default_rng(0)).normal(size=z_out.shape), 0)
    frozen = frozen_net([causal_sets(a, b) for a, b in pairwise(cache[0])], threshold)

    def derivative(k, at):
        moved = [x.astype(complex) for x in args]
        moved[k][at] += 1e-20j
        return (c[fired] @ frozen(*moved)[fired].imag) / 1e-20
    return net.backward(c, cache), tuple(np.array([derivative(k, at) for at in np.ndindex(x.shape)]).reshape(x.shape)
                                         for k, x in enumerate(args))


def shift_identity(forward, backward, args):
    """Check that delaying all inputs delays each output by as much: sum over inputs of dt_out/dt_in = 1.

    Parameters
    ----------
    forward, backward : callables
        A layer or a net (`chain`); as for `gradcheck`.
    args : sequence of arrays
        z_in first, then weights.

    Returns
    -------
    float
        Largest deviation from 1 over the outputs that fired; NaN if none did.
    """
    z_in = args[0]
    z_out, cache = forward(*args)
    fired = np.isfinite(z_out)
    moment = np.where(np.isfinite(z_in), z_in, 0)
    worst = []
    for j in np.flatnonzero(fired.any(axis=0)):
        dz_out = np.zeros_like(z_out)
        dz_out[:, j] = fired[:, j]
        dz_in = backward(dz_out, cache)[0]
        total = (dz_in * moment).sum(axis=1)[fired[:, j]] / z_out[fired[:, j], j]     # dt = dz/z
        worst.append(np.abs(total - 1).max())
    return float(max(worst, default=np.nan))


def homogeneity(z, dz):
    """Check that sum_i z_i dL/dz_i is the same at every layer, sample by sample.

    It must be, since z_out is homogeneous of degree 1 in z_in. No forward pass is needed: a free check on every batch.

    Parameters
    ----------
    z : sequence of (B, N) arrays
        z at every layer, input first.
    dz : sequence of (B, N) arrays
        dL/dz at the same layers.

    Returns
    -------
    float
        Largest difference between layers, relative to the largest sum_i |z_i dL/dz_i|.
    """
    products = [np.where(np.isfinite(a), a, 0) * np.where(np.isfinite(a), b, 0) for a, b in zip(z, dz, strict=True)]
    sums = np.array([p.sum(axis=1) for p in products])
    size = np.array([np.abs(p).sum(axis=1) for p in products]).max(axis=0)
    apart = sums.max(axis=0) - sums.min(axis=0)
    return float(np.max(apart / np.where(size > 0, size, 1)))
