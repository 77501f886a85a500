"""The temporal neuron with delays, written to be fast; the same names, arguments and results as reference/delays.py.

Delays of axons come before the layer and delays of dendrites after it, (T12), so the kernel of temporal.py does the rest. Delays of
synapses give each neuron an order of its inputs of its own: a block of neurons sorts its arrivals, (T10), and goes through them in the
running form (T9). Where all delays are 0 the kernel of temporal.py runs, and no bit is other than without delays.
"""

from typing import NamedTuple

import numpy as np

from .. import _checks
from .._jit import njit
from .._threads import cut, spread
from . import temporal

_ROWS = 64           # neurons of one sample that are sorted together
_INPUTS, _SAMPLES = 32, 16


class Cache(NamedTuple):
    """What backward needs of forward; opaque."""

    z_in: np.ndarray
    w: np.ndarray
    delay: np.ndarray
    z_out: np.ndarray
    margin: np.ndarray | None     # of delays of synapses
    z_bound: np.ndarray | None
    layer: object                 # the cache of the layer without delays; None where neurons have orders of their own


def forward(z_in, w, delay, threshold=1.0):
    """Find when each neuron fires; see `pysnn.reference.delays.forward`."""
    z_in, w, delay, threshold = _checks.delays_forward(z_in, w, delay, threshold)
    factor = np.exp(delay)
    if not delay.any():
        z_out, layer = temporal.forward(z_in, w, threshold)
        return z_out, Cache(z_in, w, delay, z_out, layer.margin, layer.z_bound, layer)
    with np.errstate(over="ignore"):                                     # what arrives after all numbers never comes
        if delay.shape == (len(w), 1):                                   # (T12) before the layer
            z_out, layer = temporal.forward(z_in * factor[:, 0], w, threshold)
            return z_out, Cache(z_in, w, delay, z_out, None, None, layer)
        if delay.shape[0] == 1:                                          # (T12) after the layer
            z_out, layer = temporal.forward(z_in, w, threshold)
            z_out = z_out * factor[0]
            return z_out, Cache(z_in, w, delay, z_out, None, None, layer)
    out = tuple(np.empty((len(z_in), w.shape[1]), w.dtype) for _ in range(3))
    across = np.ascontiguousarray(factor.T), np.ascontiguousarray(w.T)
    blocks = [(b, *j) for j in cut(w.shape[1], _ROWS) for b in range(len(z_in))]
    spread(lambda b, j0, j1: _neurons(z_in[b], across, threshold, out, (b, j0, j1)), blocks)
    return out[0], Cache(z_in, w, delay, *out, None)


def _neurons(z_in, across, threshold, out, block):
    """Sort the arrivals of neurons j0:j1 of one sample, and find their spikes."""
    (factor, w), (b, j0, j1) = across, block
    with np.errstate(over="ignore"):
        arrival = z_in * factor[j0:j1]                                   # (T10)
    _fire(arrival, arrival.argsort(axis=1), w[j0:j1], threshold, tuple(x[b, j0:j1] for x in out))


@njit
def _fire(arrival, order, w, threshold, out):
    """(T9) in each row: a = sum w - threshold, r = z (V - threshold)."""
    z_out, margin, z_bound = out
    for j in range(len(w)):
        z_out[j], margin[j], z_bound[j] = np.inf, 1, 0
        z = arrival[j, order[j, 0]]
        a, r = -threshold, -threshold * z
        for k in range(w.shape[1]):
            if z == np.inf:
                break
            a += w[j, order[j, k]]
            z_next = arrival[j, order[j, k + 1]] if k + 1 < w.shape[1] else z + np.inf
            if z_next == np.inf:                                         # after the last arrival
                if a > 0:
                    z_out[j], margin[j], z_bound[j] = z - r / a, a, np.inf
                break
            r += (z_next - z) * a
            if r >= 0:
                z_out[j], margin[j], z_bound[j] = z_next - r / a, a, z_next
                if 8 * z_out[j] < z_next:                                # the difference has lost digits: (T3)
                    total = a * 0
                    for q in range(k + 1):
                        total += w[j, order[j, q]] * arrival[j, order[j, q]]
                    z_out[j] = total / a
                break
            z = z_next


def backward(dz_out, cache):
    """Pull a gradient back through `forward`; see `pysnn.reference.delays.backward`."""
    dz_out = _checks.temporal_backward(dz_out, cache.z_out)
    z_in, w, delay, z_out, margin, z_bound, layer = cache
    factor, fires = np.exp(delay), np.isfinite(z_out)
    if delay.shape == (len(w), 1):                                       # (T12) z_i' = z_i exp(d_i)
        dz, dw = temporal.backward(dz_out, layer)
        arrival = np.where(np.isfinite(layer.z_in), layer.z_in, 0)
        return dz * factor[:, 0], dw, (dz * arrival).sum(axis=0)[:, None]
    if delay.shape[0] == 1:                                              # (T12) z_j' = z_j exp(d_j)
        dz_out, z_out = np.where(fires, dz_out, 0), np.where(fires, z_out, 0)
        return (*temporal.backward(dz_out * factor[0], layer), (dz_out * z_out).sum(axis=0, keepdims=True))
    h = np.where(fires, dz_out, 0) / margin
    fixed = z_in, np.where(fires, z_out, 0), z_bound, h
    dz_in, dw, dd = np.zeros_like(z_in), np.zeros_like(w), np.zeros_like(w)
    spread(lambda i0, i1: _sum_w(fixed, factor, w, (dw, dd), i0, i1), cut(len(w), _INPUTS))
    if layer is not None:
        return (*temporal.backward(dz_out, layer), dd)
    across = np.ascontiguousarray(factor.T), np.ascontiguousarray(w.T)
    spread(lambda b0, b1: _sum_z(fixed, across, dz_in, b0, b1), cut(len(z_in), _SAMPLES))
    return dz_in, dw, dd


@njit
def _sum_w(fixed, factor, w, grads, i0, i1):
    """(T7) dw_ij = sum_b h_bj (z_bij - z_bj) and (T11) dd_ij = sum_b h_bj w_ij z_bij, over the causal sets."""
    z_in, z_out, z_bound, h = fixed
    dw, dd = grads
    zero = w.dtype.type(0)
    for b in range(len(z_in)):
        for i in range(i0, i1):
            z = z_in[b, i]
            if z == np.inf:
                continue
            for j in range(w.shape[1]):
                arrival = z * factor[i, j]
                causal = arrival < z_bound[b, j]
                dw[i, j] += h[b, j] * (arrival - z_out[b, j]) if causal else zero
                dd[i, j] += h[b, j] * w[i, j] * arrival if causal else zero


@njit
def _sum_z(fixed, across, dz_in, b0, b1):
    """(T8), (T11) dz_bi = sum_j h_bj w_ij exp(d_ij) over the neurons whose causal set holds i."""
    z_in, _, z_bound, h = fixed
    factor, w = across
    zero = w.dtype.type(0)
    for b in range(b0, b1):
        for j in range(len(w)):
            h_j, bound = h[b, j], z_bound[b, j]
            if bound > 0:
                for i in range(w.shape[1]):
                    dz_in[b, i] += h_j * w[j, i] * factor[j, i] if z_in[b, i] * factor[j, i] < bound else zero
