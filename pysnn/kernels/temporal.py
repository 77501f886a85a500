"""The temporal neuron, written to be fast (Numba); the same names, arguments and results as reference/temporal.py.

The forward pass is the running form (T9): going through the sorted inputs, a = sum w - threshold and r = z (V - threshold) cost one add
and one multiply-add a synapse, and a neuron has fired as soon as r >= 0. Up to 64 neurons go together, their state in registers,
_running.py, and their weights stay in the cache while the samples stream past. Inputs of but two times, as in binary images, take the
shorter way through sums of few weights, _two_valued.py.
"""

from typing import NamedTuple

import numpy as np

from .. import _checks
from .._blas import matmul
from .._jit import copy, njit
from .._threads import cut, spread
from . import _two_valued as two_valued
from ._event_conv import block_width
from ._events import LANES
from ._in_time import in_time
from ._running import runner

WIDTHS = 16, 32, 64  # neurons that are computed together, as `block_width` chooses
_CACHE = 600_000     # bytes of weights that a core's second-level cache holds beside the rest
_SAMPLES = 32        # samples a block

_run16, _run32, _run64 = (runner(width) for width in WIDTHS)
width_of = njit(block_width)


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
    return max(LANES, min(256, _CACHE // (n_in * itemsize) // LANES * LANES))


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
    some = _SAMPLES if n_out <= WIDTHS[-1] else 4 * _SAMPLES          # a block packs its weights first: worth it for many samples
    blocks = [(*j, *b) for j in cut(n_out, WIDTHS[-1]) for b in cut(n_batch, some)]
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
def _pack(w, j0, j1, packed):
    """Copy some columns, number by number: Numba takes seconds to compile an assignment of one array to another."""
    for i in range(len(w)):
        for j in range(j1 - j0):
            packed[i, j] = w[i, j0 + j]


@njit(scratch=True)
def _scan(spikes, w, threshold, last, out, block):
    """Forward for outputs j0:j1 and samples b0:b1."""
    order, z_sorted, n_spikes = spikes
    sums, whole = last
    j0, j1, b0, b1 = block
    n_in, n_out = w.shape
    width = width_of(j1 - j0)
    table, first = line_of(w, n_in * width)
    _pack(w, j0, j1, table[first:first + n_in * width].reshape(n_in, width))
    some, weights, state = (order.reshape(-1), z_sorted.reshape(-1)), (table, first), np.empty((3, width), w.dtype)
    flat = out[0].reshape(-1), out[1].reshape(-1), out[2].reshape(-1)
    for b in range(b0, b1):
        rest = sums[0 if whole else b, j0:j1]
        fire(some, (b * n_in, n_spikes[b, 0], n_spikes[b, 1]), weights, threshold, (rest, whole), state, flat, b * n_out + j0)


@njit(scratch=True)
def line_of(like, n):
    """Make room for n numbers that begins at a cache line; return it and where: a vector across two lines takes twice as long to load."""
    room = np.zeros(n + LANES, like.dtype)
    return room, -(room.ctypes.data // room.itemsize) % LANES


@njit
def fire(spikes, which, weights, threshold, last, state, out, at):
    """Find when a block of neurons fires: from a sample's spikes in the order of time, from one on, before the last time and in all.

    (T5) r turns >= 0 only where the crossing comes before the next input. (T6) Between equal times r stays as it is.
    """
    order, times = spikes
    begin, n_head, n_all = which
    table, first = weights
    rest, whole = last
    z_out, margin, z_bound = out
    n, width = len(rest), state.shape[1]
    if n_all == 0:
        for j in range(n):
            z_out[at + j], margin[at + j], z_bound[at + j] = np.inf, 1, 0
        return
    a, r, bound = state
    if width == WIDTHS[0]:
        _run16(order, times, begin, n_head, table, first, threshold, n, state)                      # (T9)
    elif width == WIDTHS[1]:
        _run32(order, times, begin, n_head, table, first, threshold, n, state)
    else:
        _run64(order, times, begin, n_head, table, first, threshold, n, state)
    n_long = _finish(times[begin + n_all - 1], rest, whole, threshold, a, r, bound)                 # (T4)
    for source, to in ((r, z_out), (a, margin), (bound, z_bound)):
        for j in range(n):
            to[at + j] = source[j]
    for j in range(n if n_long else 0):                     # long before the next input: the difference has lost digits
        if 8 * r[j] < bound[j] < np.inf:
            z_out[at + j] = _ratio(order, times, begin, (table, first + j, width), bound[j], a[j])


@njit
def _finish(z_last, rest, whole, threshold, a, r, bound):
    """Let the last inputs arrive; turn a into margins and r into times. Return how many fire long before the next input.

    It has no branches and few arrays, so that it fills vectors.
    """
    zero, one, inf, n_long = threshold - threshold, threshold / threshold, a.dtype.type(np.inf), np.int32(0)
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
def _ratio(order, times, k, weights, bound, a):
    """(T3) z_out as the ratio of two sums over the causal set."""
    table, first, width = weights
    sum_wz = a * 0
    while times[k] < bound:
        sum_wz += table[first + np.int64(order[k]) * width] * times[k]
        k += 1
    return sum_wz / a


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
    if n_out <= LANES:
        across = np.zeros((n_out, n_in), h.dtype)
        spread(lambda i0, i1: _sum_few(cache.z_in, h, z_out, across, i0, i1), cut(n_in, 8 * _SAMPLES))
        return np.ascontiguousarray(across.T)
    batch, rows, cols = (-(-n // size) * size for n, size in ((n_batch, 4), (n_in, 4), (n_out, LANES)))
    z_in = _padded(cache.z_in, batch, rows, np.inf)         # the padding: inputs that never come, neurons that want nothing
    h, z_out = _padded(h, batch, cols, 0), _padded(z_out, batch, cols, 0)
    dw = np.zeros((rows, cols), h.dtype)
    blocks = [(*i, *j) for i in cut(rows, 4 * _SAMPLES) for j in cut(cols, 32 * LANES)]
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


@njit(scratch=True)
def _sum_few(z_in, h, z_out, dw, i0, i1):
    """Take inputs i0:i1, neuron by neuron: with few neurons, the inputs fill vectors."""
    who = np.empty(len(h), np.int64)
    for j in range(len(dw)):
        add_w(z_in, h[:, j], z_out[:, j], dw[j], (i0, i1), who)


@njit
def add_w(z_in, h, z_out, dw, columns, who):
    """(T7) dw_i -= sum_b h_b max(z_out_b - z_bi, 0) of a neuron, 0 outside its causal set by itself, over samples that want something."""
    i0, i1 = columns
    zero, n, s = dw.dtype.type(0), 0, dw[i0:i1]
    for b in range(len(h)):
        who[n] = b
        n += h[b] != 0
    for k in range(0, n // 4 * 4, 4):
        b0, b1, b2, b3 = who[k], who[k + 1], who[k + 2], who[k + 3]
        h0, h1, h2, h3 = h[b0], h[b1], h[b2], h[b3]
        t0, t1, t2, t3 = z_out[b0], z_out[b1], z_out[b2], z_out[b3]
        z0, z1, z2, z3 = z_in[b0, i0:i1], z_in[b1, i0:i1], z_in[b2, i0:i1], z_in[b3, i0:i1]
        for i in range(len(s)):
            s[i] -= (h0 * max(t0 - z0[i], zero) + h1 * max(t1 - z1[i], zero)
                     + h2 * max(t2 - z2[i], zero) + h3 * max(t3 - z3[i], zero))
    for k in range(n // 4 * 4, n):
        h0, t0, z0 = h[who[k]], z_out[who[k]], z_in[who[k], i0:i1]
        for i in range(len(s)):
            s[i] -= h0 * max(t0 - z0[i], zero)


def backward_z(h, z_in, z_bound, w):
    """Return dz_in of `backward`, from h as of `scaled`."""
    n_batch, n_in = z_in.shape
    dz_in = np.empty_like(z_in)
    w = np.ascontiguousarray(w.T)
    blocks = [(*i, *b) for i in cut(n_in, _tile(h.shape[1], w.itemsize)) for b in cut(n_batch, 4 * _SAMPLES)]
    spread(lambda i0, i1, b0, b1: _sum_z(z_in, z_bound, h, w, dz_in, (i0, i1, b0, b1)), blocks)
    return dz_in


@njit(scratch=True)
def _sum_z(z_in, z_bound, h, w, dz_in, block):
    """(T8) for inputs i0:i1 and samples b0:b1."""
    i0, i1, b0, b1 = block
    n_out, n = w.shape[0], i1 - i0
    packed, z, total = np.zeros((n_out + 1, n), w.dtype), np.empty(n, w.dtype), np.empty(n, w.dtype)
    _pack(w, i0, i1, packed)
    who = np.empty(n_out + 3, np.int64)
    for b in range(b0, b1):
        copy(z_in[b, i0:i1], z)
        pull(z, z_bound[b], h[b], packed, total, who)
        copy(total, dz_in[b, i0:i1])


@njit
def _or_zero(x, j):
    return x[j] if j < len(x) else x.dtype.type(0)


@njit
def pull(z, z_bound, h, w, total, who):
    """(T8) dz_in_i = sum over the neurons j whose causal set holds i of h_j w_ji, for one sample; w has a row of zeros at its end."""
    n_out, zero, m = len(h), h.dtype.type(0), 0
    for i in range(len(total)):
        total[i] = zero
    for j in range(n_out):                                  # neurons that want something; the rest wait behind them
        who[m] = j
        m += h[j] != 0
    who[m:m + 3] = n_out
    for k in range(0, m, 4):
        j0, j1, j2, j3 = who[k], who[k + 1], who[k + 2], who[k + 3]
        c0, c1, c2, c3 = _or_zero(z_bound, j0), _or_zero(z_bound, j1), _or_zero(z_bound, j2), _or_zero(z_bound, j3)
        h0, h1, h2, h3 = _or_zero(h, j0), _or_zero(h, j1), _or_zero(h, j2), _or_zero(h, j3)
        w0, w1, w2, w3 = w[j0], w[j1], w[j2], w[j3]
        for i in range(len(total)):
            s = total[i]
            s += h0 * w0[i] if z[i] < c0 else zero
            s += h1 * w1[i] if z[i] < c1 else zero
            s += h2 * w2[i] if z[i] < c2 else zero
            s += h3 * w3[i] if z[i] < c3 else zero
            total[i] = s
