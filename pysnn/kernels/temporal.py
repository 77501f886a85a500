"""The temporal neuron, written to be fast (Numba); the same names, arguments and results as reference/temporal.py.

The forward pass is the running form (T9): going through the sorted inputs, a = sum w - threshold and r = z (V - threshold) cost one add
and one multiply-add a synapse, and a neuron has fired as soon as r >= 0. A neuron that has fired keeps its a and r, so no branch is
needed. A block of weights, `_tile` outputs wide, stays in the cache while the samples stream past it. Inputs of but two times, as in
binary images, take the shorter way through sums of few weights, _two_valued.py.
"""

from typing import NamedTuple

import numpy as np
from numba import config

from .. import _checks
from .._blas import matmul
from .._jit import copy, njit
from .._threads import cut, spread
from . import _two_valued as two_valued
from ._in_time import in_time

_LANES = 16          # outputs are padded to whole vectors
_CACHE = 600_000     # bytes of weights that a core's second-level cache holds beside the rest
_SAMPLES = 32        # samples a block


class Cache(NamedTuple):
    """What backward needs of forward; opaque."""

    z_in: np.ndarray
    w: np.ndarray
    z_out: np.ndarray
    margin: np.ndarray
    z_bound: np.ndarray
    levels: two_valued.Levels | None    # where the inputs have but two times


def _tile(n_in, itemsize):
    """Outputs a block: as many as fit the cache, in whole vectors, at most 256."""
    return max(_LANES, min(256, _CACHE // (n_in * itemsize) // _LANES * _LANES))


def forward(z_in, w, threshold=1.0):
    """Find when each neuron fires; see `pysnn.reference.temporal.forward`."""
    z_in, w, threshold = _checks.temporal_forward(z_in, w, threshold)
    levels = two_valued.levels(z_in)
    if levels is not None:
        out = two_valued.forward(levels, w, threshold)
        return out[0], Cache(z_in, w, *out, levels)
    spikes = in_time(z_in)
    out = scan(spikes, w, threshold, _last_arrivals(z_in, w, spikes))
    return out[0], Cache(z_in, w, *out, None)


def scan(spikes, w, threshold, last):
    """Find when each neuron fires, from spikes in the order of time.

    Parameters
    ----------
    spikes : tuple of arrays
        Of each sample, as `in_time` gives them: order, z_sorted and count. Inputs before the last time are taken in here.
    w : (N_in, N_out) array
        Weights.
    threshold : float
        Firing threshold divided by tau.
    last : (array, bool)
        For each sample the sums (B, N_out) of the weights of its other inputs, False; or the sums (1, N_out) of all weights, True.

    Returns
    -------
    z_out, margin, z_bound : (B, N_out) arrays
        As in `Cache`.
    """
    n_batch, n_out = len(spikes[0]), w.shape[1]
    out = tuple(np.empty((n_batch, n_out), w.dtype) for _ in range(3))
    some = _SAMPLES if n_out <= 4 * _LANES else 4 * _SAMPLES          # a block packs its weights first: worth it for many samples
    blocks = [(*j, *b) for j in cut(n_out, _tile(len(w), w.itemsize)) for b in cut(n_batch, some)]
    spread(lambda j0, j1, b0, b1: _scan(spikes, w, threshold, last, out, (j0, j1, b0, b1)), blocks)
    return out


def _last_arrivals(z_in, w, spikes):
    """Sum the weights of each sample's last inputs, those that share its latest time.

    In images these are the many dark pixels. Where every input of every sample fires, the column sums of w say the same for less work; then
    the sum of all weights is returned, as an array of one row. Where no sample has more than one, they are rows of w.
    """
    order, z_sorted, count = spikes
    n_head, n_all = count.T
    if n_all.min() == z_in.shape[1]:
        return w.sum(axis=0, keepdims=True), True
    last = np.arange(len(z_in)), np.maximum(n_all, 1) - 1
    if (n_all - n_head).max() <= 1:
        return w[order[last]], False
    z_last = z_sorted[last]
    return matmul((z_in == z_last[:, None]).astype(w.dtype), w), False


@njit
def _step(a, r, bound, w, dz, z_next):
    """Let one input arrive (a) and time run to the next (r); a neuron that has fired (r >= 0) keeps its state.

    That is one step of (T9). (T5) r turns >= 0 only where the crossing comes before the next input.
    (T6) Between equal times dz is 0, and r stays as it is.
    """
    live = r < 0
    a = a + w if live else a
    r = r + dz * a if live else r
    return a, r, z_next if live else bound


@njit
def _pack(w, j0, j1, packed):
    """Copy some columns, number by number: Numba takes seconds to compile an assignment of one array to another."""
    for i in range(len(w)):
        for j in range(j1 - j0):
            packed[i, j] = w[i, j0 + j]


@njit
def _scan(spikes, w, threshold, last, out, block):
    """Forward for outputs j0:j1 and samples b0:b1."""
    order, z_sorted, n_spikes = spikes
    sums, whole = last
    z_out, margin, z_bound = out
    j0, j1, b0, b1 = block
    n = j1 - j0
    width = (n + _LANES - 1) // _LANES * _LANES
    packed = np.zeros((w.shape[0] + 1, width), w.dtype)     # the last row stands for "no input"
    _pack(w, j0, j1, packed)
    a, r, bound = np.empty(width, w.dtype), np.empty(width, w.dtype), np.empty(width, w.dtype)
    eight = np.empty(8, np.uint32), np.empty(9, w.dtype)
    for b in range(b0, b1):
        n_head, n_all = n_spikes[b]
        if n_all == 0:
            z_out[b, j0:j1], margin[b, j0:j1], z_bound[b, j0:j1] = np.inf, 1, 0
            continue
        a[:] = -threshold
        r[:] = 0                                            # the padding counts as fired
        r[:n] = -threshold * z_sorted[b, 0]
        _advance(order[b], z_sorted[b], n_head, packed, a, r, bound, eight)                         # (T9)
        rest = sums[0 if whole else b, j0:j1]
        n_long = _finish(z_sorted[b, n_all - 1], rest, whole, threshold, a, r, bound)               # (T4)
        copy(r, z_out[b, j0:j1])
        copy(a, margin[b, j0:j1])
        copy(bound, z_bound[b, j0:j1])
        for j in range(n if n_long else 0):                 # long before the next input: the difference has lost digits
            if 8 * r[j] < bound[j] < np.inf:
                z_out[b, j0 + j] = _ratio(order[b], z_sorted[b], packed, j, bound[j], a[j])


@njit
def _finish(z_last, rest, whole, threshold, a, r, bound):
    """Let the last inputs arrive; turn a into margins and r into times. Return how many fire long before the next input.

    It has no branches and few arrays, so that it fills vectors.
    """
    zero, one, inf, n_long = threshold - threshold, threshold / threshold, threshold * np.inf, np.int32(0)
    for j in range(len(rest)):
        live = r[j] < zero                                  # (T4) after the last input it fires exactly when a > 0
        a_j = (rest[j] - threshold if whole else a[j] + rest[j]) if live else a[j]
        b_j = (inf if a_j > zero else zero) if live else bound[j]
        fires = b_j > zero
        z = (z_last if b_j == inf else b_j) - r[j] / a_j if fires else inf
        a[j], r[j], bound[j] = a_j if fires else one, z, b_j
        n_long += np.int32(8 * z < b_j) & np.int32(b_j < inf)
    return n_long


@njit
def _ratio(order, z_sorted, packed, j, bound, a):
    """(T3) z_out as the ratio of two sums over the causal set."""
    sum_wz = a * 0
    k = 0
    while z_sorted[k] < bound:
        sum_wz += packed[order[k], j] * z_sorted[k]
        k += 1
    return sum_wz / a


@njit
def _advance(order, z_sorted, n_head, packed, a, r, bound, eight):
    """Take the first n_head inputs in, eight a pass so that the state stays in registers; stop early once all have fired."""
    none = packed.shape[0] - 1
    zero = packed.dtype.type(0)
    width = len(a)
    e, t = eight
    k = 0
    while k < n_head:
        if k + 8 <= n_head:
            for q in range(8):
                e[q], t[q] = order[k + q], z_sorted[k + q]
            t[8] = z_sorted[k + 8]
        else:
            for q in range(8):
                e[q], t[q] = order[k + q] if k + q < n_head else none, z_sorted[min(k + q, n_head)]
            t[8] = z_sorted[n_head]
        e0, e1, e2, e3, e4, e5, e6, e7 = e[0], e[1], e[2], e[3], e[4], e[5], e[6], e[7]
        t0, t1, t2, t3, t4, t5, t6, t7, t8 = t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], t[8]
        d0, d1, d2, d3, d4, d5, d6, d7 = t1 - t0, t2 - t1, t3 - t2, t4 - t3, t5 - t4, t6 - t5, t7 - t6, t8 - t7
        for j in range(width):
            s = a[j], r[j], bound[j]
            s = _step(s[0], s[1], s[2], packed[e0, j], d0, t1)
            s = _step(s[0], s[1], s[2], packed[e1, j], d1, t2)
            s = _step(s[0], s[1], s[2], packed[e2, j], d2, t3)
            s = _step(s[0], s[1], s[2], packed[e3, j], d3, t4)
            s = _step(s[0], s[1], s[2], packed[e4, j], d4, t5)
            s = _step(s[0], s[1], s[2], packed[e5, j], d5, t6)
            s = _step(s[0], s[1], s[2], packed[e6, j], d6, t7)
            s = _step(s[0], s[1], s[2], packed[e7, j], d7, t8)
            a[j], r[j], bound[j] = s
        k += 8
        if k % 32 == 0:
            live = 0
            for j in range(width):
                live += np.int32(r[j] < zero)
            if live == 0:
                break


def _advance_in_python(order, z_sorted, n_head, packed, a, r, bound, eight):
    """Do what `_advance` does: one input at a time, for all outputs. Used under NUMBA_DISABLE_JIT=1."""
    for k in range(n_head):
        live = r < 0
        a[live] += packed[order[k], live]
        r[live] += (z_sorted[k + 1] - z_sorted[k]) * a[live]
        bound[live] = z_sorted[k + 1]


if config.DISABLE_JIT:
    _advance = _advance_in_python


def backward(dz_out, cache):
    """Pull a gradient back through `forward`; see `pysnn.reference.temporal.backward`."""
    h, z = _scaled(dz_out, cache)
    if cache.levels is not None:
        return two_valued.backward_z(h, cache.z_bound, cache.levels, cache.w), two_valued.backward_w(h, z, cache.levels)
    return backward_z(h, cache.z_in, cache.z_bound, cache.w), _backward_w(h, z, cache)


def backward_w(dz_out, cache):
    """Return only dw of `backward`, for a first layer: nobody asks for the gradient of an image."""
    h, z = _scaled(dz_out, cache)
    return two_valued.backward_w(h, z, cache.levels) if cache.levels is not None else _backward_w(h, z, cache)


def _scaled(dz_out, cache):
    return scaled(_checks.temporal_backward(dz_out, cache.z_out), cache.z_out, cache.margin)


def scaled(dz_out, z_out, margin):
    """Return h = dz_out / (S - threshold) and z_out, both 0 where silent; arrays (B, N_out)."""
    h, z = np.empty_like(dz_out), np.empty_like(dz_out)
    _scale(dz_out, z_out, margin, h, z)
    return h, z


@njit
def _scale(dz_out, z_out, margin, h, z):
    zero, inf = z.dtype.type(0), z.dtype.type(np.inf)
    for b in range(len(h)):
        dz_b, z_b, margin_b, h_to, z_to = dz_out[b], z_out[b], margin[b], h[b], z[b]
        for j in range(len(h_to)):
            h_to[j] = dz_b[j] / margin_b[j] if z_b[j] < inf else zero
            z_to[j] = z_b[j] if z_b[j] < inf else zero


def _backward_w(h, z_out, cache):
    n_batch, n_in = cache.z_in.shape
    n_out = h.shape[1]
    batch, rows, cols = (-(-n // size) * size for n, size in ((n_batch, 4), (n_in, 4), (n_out, _LANES)))
    z_in = _padded(cache.z_in, batch, rows, np.inf)         # the padding: inputs that never come, neurons that want nothing
    h, z_out = _padded(h, batch, cols, 0), _padded(z_out, batch, cols, 0)
    dw = np.zeros((rows, cols), h.dtype)
    blocks = [(*i, *j) for i in cut(rows, 4 * _SAMPLES) for j in cut(cols, 32 * _LANES)]
    spread(lambda i0, i1, j0, j1: _sum_w(z_in, h, z_out, dw, (i0, i1, j0, j1)), blocks)
    return np.ascontiguousarray(dw[:n_in, :n_out])


def _padded(x, n_rows, n_columns, value):
    """Return x with as many rows and columns as asked for."""
    if x.shape == (n_rows, n_columns):
        return x
    out = np.full((n_rows, n_columns), value, x.dtype)
    out[:len(x), :x.shape[1]] = x
    return out


@njit
def _sum_w(z_in, h, z_out, dw, block):
    """(T7) dw_ij = -sum_b h_bj max(z_out_bj - z_in_bi, 0), 0 outside the causal set by itself; 4 inputs by 4 samples a pass."""
    i0, i1, j0, j1 = block
    zero = dw.dtype.type(0)
    for i in range(i0, i1, 4):
        s0, s1, s2, s3 = dw[i, j0:j1], dw[i + 1, j0:j1], dw[i + 2, j0:j1], dw[i + 3, j0:j1]
        for b in range(0, len(z_in), 4):
            x0, x1, x2, x3 = z_in[b], z_in[b + 1], z_in[b + 2], z_in[b + 3]
            a0, a1, a2, a3 = x0[i], x1[i], x2[i], x3[i]
            b0, b1, b2, b3 = x0[i + 1], x1[i + 1], x2[i + 1], x3[i + 1]
            c0, c1, c2, c3 = x0[i + 2], x1[i + 2], x2[i + 2], x3[i + 2]
            d0, d1, d2, d3 = x0[i + 3], x1[i + 3], x2[i + 3], x3[i + 3]
            g0, g1, g2, g3 = h[b, j0:j1], h[b + 1, j0:j1], h[b + 2, j0:j1], h[b + 3, j0:j1]
            z0, z1, z2, z3 = z_out[b, j0:j1], z_out[b + 1, j0:j1], z_out[b + 2, j0:j1], z_out[b + 3, j0:j1]
            for j in range(j1 - j0):
                h0, h1, h2, h3 = g0[j], g1[j], g2[j], g3[j]
                t0, t1, t2, t3 = z0[j], z1[j], z2[j], z3[j]
                s0[j] -= h0 * max(t0 - a0, zero) + h1 * max(t1 - a1, zero) + h2 * max(t2 - a2, zero) + h3 * max(t3 - a3, zero)
                s1[j] -= h0 * max(t0 - b0, zero) + h1 * max(t1 - b1, zero) + h2 * max(t2 - b2, zero) + h3 * max(t3 - b3, zero)
                s2[j] -= h0 * max(t0 - c0, zero) + h1 * max(t1 - c1, zero) + h2 * max(t2 - c2, zero) + h3 * max(t3 - c3, zero)
                s3[j] -= h0 * max(t0 - d0, zero) + h1 * max(t1 - d1, zero) + h2 * max(t2 - d2, zero) + h3 * max(t3 - d3, zero)


def backward_z(h, z_in, z_bound, w):
    """Return dz_in of `backward`, from h as of `scaled`."""
    n_batch, n_in = z_in.shape
    dz_in = np.empty_like(z_in)
    w = np.ascontiguousarray(w.T)
    blocks = [(*i, *b) for i in cut(n_in, _tile(h.shape[1], w.itemsize)) for b in cut(n_batch, 4 * _SAMPLES)]
    spread(lambda i0, i1, b0, b1: _sum_z(z_in, z_bound, h, w, dz_in, (i0, i1, b0, b1)), blocks)
    return dz_in


@njit
def _sum_z(z_in, z_bound, h, w, dz_in, block):
    """(T8) dz_in_bi = sum over the neurons j whose causal set holds i of h_bj w_ij."""
    i0, i1, b0, b1 = block
    n_out = w.shape[0]
    n = i1 - i0
    zero = w.dtype.type(0)
    packed = np.zeros((n_out + 1, n), w.dtype)
    _pack(w, i0, i1, packed)
    total = np.empty(n, w.dtype)
    z = np.empty(n, w.dtype)
    c = np.empty(8, w.dtype)
    who = np.empty(n_out + 3, np.int64)                     # neurons that want something; the rest wait behind them
    for b in range(b0, b1):
        for i in range(n):
            z[i], total[i] = z_in[b, i0 + i], zero
        m = 0
        for j in range(n_out):
            if h[b, j] != 0:
                who[m] = j
                m += 1
        who[m:m + 3] = n_out
        for k in range(0, m, 4):
            for q in range(4):
                c[q] = z_bound[b, who[k + q]] if who[k + q] < n_out else zero
                c[4 + q] = h[b, who[k + q]] if who[k + q] < n_out else zero
            c0, c1, c2, c3, h0, h1, h2, h3 = c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]
            w0, w1, w2, w3 = packed[who[k]], packed[who[k + 1]], packed[who[k + 2]], packed[who[k + 3]]
            for i in range(n):
                s = total[i]
                s += h0 * w0[i] if z[i] < c0 else zero
                s += h1 * w1[i] if z[i] < c1 else zero
                s += h2 * w2[i] if z[i] < c2 else zero
                s += h3 * w3[i] if z[i] < c3 else zero
                total[i] = s
        copy(total, dz_in[b, i0:i1])
