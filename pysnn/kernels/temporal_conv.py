"""Convolution of temporal neurons, written to be fast; the same names, arguments and results as reference/temporal_conv.py.

The dense neuron's kernel takes the places of a map for samples. Forward, the spikes of an image are sorted once, and each window picks
its own of them in that order: no window needs a sort. Backward, windows are laid out for a few rows of places at a time.
"""

from typing import NamedTuple

import numpy as np

from .. import _checks
from .._jit import copy, njit
from .._threads import cut, spread
from . import temporal
from ._event_conv import aligned, block_width
from ._events import LANES, squeeze_from
from ._in_time import in_time

_EXTRA = 2**32 - 1               # stands for the extra spike, with the weights b
_WINDOWS = 400_000               # bytes of windows that are laid out at a time, backward
_SAMPLES, _PARTS = 4, 8          # samples a block of sums over places, at least; sums that are added up at the end, at most


class Cache(NamedTuple):
    """What backward needs of forward; opaque. It refers to the image, not to windows of it."""

    z_in: np.ndarray
    w: np.ndarray
    b: np.ndarray | None
    stride: int
    padding: int
    z_out: np.ndarray
    margin: np.ndarray
    z_bound: np.ndarray


def forward(z_in, w, b=None, stride=1, padding=0, threshold=1.0):
    """Find when each neuron of the map fires; see `pysnn.reference.temporal_conv.forward`."""
    z_in, w, b, stride, padding, threshold, shape = _checks.temporal_conv(z_in, w, (b, stride, padding, threshold))
    padded, out = _padded(z_in, padding), tuple(np.empty(shape, w.dtype) for _ in range(3))
    spikes, table = in_time(padded.reshape(len(z_in), -1)), _lay_out(w, b, padded.shape[2])
    how = *w.shape, stride, b is not None, padded.shape[2]
    spread(lambda b0, b1: _maps(spikes, table, how, threshold, out, b0, b1), cut(shape[0], 1))
    return out[0], Cache(z_in, w, b, stride, padding, *out)


def _padded(z_in, padding):
    """Surround maps with inputs that never spike."""
    return np.pad(z_in, ((0, 0), (padding, padding), (padding, padding), (0, 0)), constant_values=np.inf) if padding else z_in


def _lay_out(w, b, n_wide):
    """Lay the weights out in blocks of outputs, for maps n_wide pixels wide.

    There is a row for each pixel and channel from the first to the last of a window; those outside the window are not used. The last row
    holds the weights of the extra input.
    """
    kh, kw, n_c, n_out = w.shape
    width = block_width(n_out)
    table = np.zeros((((kh - 1) * n_wide + kw) * n_c + 1, -(-n_out // width) * width), w.dtype)
    for y in range(kh):
        table[y * n_wide * n_c:][:kw * n_c, :n_out] = w[y].reshape(-1, n_out)
    table[-1, :n_out] = 0 if b is None else b
    return aligned(table.reshape(len(table), -1, width).transpose(1, 0, 2)).reshape(-1, len(table) * width)


@njit(scratch=True)
def _maps(spikes, table, how, threshold, out, b0, b1):
    """Forward for samples b0:b1: of each the spikes that a row of windows sees are listed first, and of those the spikes of each window."""
    order, z_sorted, n_spikes = spikes
    kh, kw, n_c, n_out, stride, has_b, n_wide = how
    n_h, n_w = out[0].shape[1:3]
    n_line, most, width = n_wide * n_c, kh * kw * n_c + 1, temporal.width_of(n_out)
    image, line = _room(order.shape[1], z_sorted), _room(kh * n_line, z_sorted)
    windows, counts = _room(n_w * (most + 1), z_sorted)[:2], np.empty(n_w, np.int64)
    state, none = np.empty((3, width), z_sorted.dtype), np.zeros(width, z_sorted.dtype)
    flat = out[0].reshape(-1), out[1].reshape(-1), out[2].reshape(-1)
    for s in range(b0, b1):
        n = _list_all(order[s], z_sorted[s], n_spikes[s, 1], has_b, image)
        n_image = n, _note_ranks(image, n)
        for q in range(n_h):
            n = _pick(image, n_image, (q * stride * n_line, 1, kh * n_line, n_line), _EXTRA, line, 0)
            n_line_of = n, _note_ranks(line, n)
            for p in range(n_w):
                window = p * stride * n_c, kh, kw * n_c, n_line
                counts[p] = _pick(line, n_line_of, window, len(table[0]) // width - 1, windows, p * (most + 1))
            for k in range(len(table)):
                rest = none[:min(width, n_out - k * width)], False
                for p in range(n_w):
                    temporal.fire(windows, (p * (most + 1), counts[p], counts[p]), (table[k], 0), threshold, rest, state, flat,
                                  ((s * n_h + q) * n_w + p) * n_out + k * width)


@njit(scratch=True)
def _room(n, like):
    """Make room to list n spikes and the extra one: inputs, times; the rank of each input; marks of ranks."""
    return (np.empty(n + 1 + LANES, np.uint32), np.empty(n + 1 + LANES, like.dtype), np.empty(n, np.uint32),
            np.zeros(n + 3 * LANES, np.uint8))


@njit
def _list_all(order, z_sorted, n, has_b, image):
    """List the spikes of a sample, the extra one at z = 1 among them; return how many there are."""
    inputs, times = image[:2]
    k = 0
    for i in range(n):
        if has_b and k == i and z_sorted[i] > 1:
            inputs[k], times[k] = _EXTRA, 1
            k += 1
        inputs[k], times[k] = order[i], z_sorted[i]
        k += 1
    if has_b and k == n:
        inputs[k], times[k] = _EXTRA, 1
        k += 1
    return k


@njit
def _note_ranks(spikes, n):
    """Note for each input where in the list it stands; return where the extra spike stands. Who is silent stands behind all."""
    inputs, _, rank, flags = spikes
    silent = len(flags) - 1
    extra = silent
    for i in range(len(rank)):
        rank[i] = silent
    for k in range(n):
        if inputs[k] == _EXTRA:
            extra = k
        else:
            rank[inputs[k]] = k
    return extra


@njit
def _pick(spikes, size, window, of_extra, out, to):
    """(T13) List the spikes that a window sees, in the order of time: mark their ranks, and go through the marks. Return how many."""
    (inputs, times, rank, flags), (n, extra), (listed, when) = spikes, size, out[:2]
    at, n_rows, length, step = window
    flags[extra] = 1
    for first in range(at, at + n_rows * step, step):
        seen = rank[first:first + length]
        for i in range(length):
            flags[seen[i]] = 1
    end = to
    for k in range(0, n, LANES):
        squeeze_from(flags, k, times, when, end)
        end += squeeze_from(flags, k, inputs, listed, end)
    for k in range(n):
        flags[k] = 0
    own, start, stands_for = listed[to:end], np.uint32(at), np.uint32(of_extra)
    for k in range(len(own)):
        own[k] = stands_for if own[k] == np.uint32(_EXTRA) else own[k] - start
    when[end] = when[end - 1] if end > to else np.inf                                  # time stands still behind the last
    return end - to


def backward(dz_out, cache, need_dz=True):
    """Pull a gradient back through `forward`; see `pysnn.reference.temporal_conv.backward`."""
    z_in, w, b, stride, padding, z_out, margin, z_bound = cache
    dz_out = _checks.temporal_backward(dz_out, z_out)
    kh, kw, n_c, n_out = w.shape
    n, length = kh * kw * n_c, -(-(kh * kw * n_c + 1) // LANES) * LANES
    across = np.zeros((n_out + 1, length), w.dtype)
    across[:n_out, :n] = w.reshape(n, n_out).T
    z_in = _padded(z_in, padding)
    dz_in = np.zeros_like(z_in) if need_dz else z_in[:0]
    h, z, z_bound = (*temporal.scaled(*(x.reshape(-1, n_out) for x in (dz_out, z_out, margin))), z_bound.reshape(-1, n_out))
    blocks = cut(len(z_in), max(_SAMPLES, -(-len(z_in) // _PARTS)))
    parts = np.zeros((len(blocks), n_out, length), w.dtype)
    n_h, n_w = z_out.shape[1:3]
    how = kh, kw, n_c, stride, b is not None, n_h, n_w, min(n_h, max(1, _WINDOWS // (n_w * length * w.itemsize)))
    spread(lambda k, b0, b1: _pull(z_in, (h, z, z_bound), across, how, (dz_in, parts[k]), b0, b1),
           [(k, *block) for k, block in enumerate(blocks)])
    drows = parts.sum(axis=0)
    if need_dz and padding:
        dz_in = np.ascontiguousarray(dz_in[:, padding:-padding, padding:-padding])
    return dz_in if need_dz else None, np.ascontiguousarray(drows[:, :n].T).reshape(w.shape), drows[:, n].copy() if b is not None else None


@njit(scratch=True)
def _pull(z_in, pulls, across, how, grads, b0, b1):
    """(T14) Pull back through samples b0:b1; windows are laid out for a few rows of places at a time."""
    h, z_out, z_bound = pulls
    dz_in, dw = grads
    kh, kw, n_c, stride, has_b, n_h, n_w, some = how
    n_wide, length, run = z_in.shape[2], across.shape[1], kw * n_c
    windows, total = np.full((some * n_w, length), np.inf, z_in.dtype), np.empty(length, z_in.dtype)
    if has_b:
        windows[:, kh * run] = 1
    who = np.empty(max(len(windows), len(dw) + 3), np.int64)
    for s in range(b0, b1):
        pixels = z_in[s].reshape(-1)
        for q0 in range(0, n_h, some):
            first, n_places = (s * n_h + q0) * n_w, (min(q0 + some, n_h) - q0) * n_w
            for p in range(n_places):
                at = ((q0 + p // n_w) * n_wide + p % n_w) * stride * n_c
                for y in range(kh):
                    copy(pixels[at + y * n_wide * n_c:at + y * n_wide * n_c + run], windows[p, y * run:(y + 1) * run])   # (T13)
            for j in range(len(dw)):
                temporal.add_w(windows, h[first:first + n_places, j], z_out[first:first + n_places, j], dw[j], (0, length), who)   # (T7)
            for p in range(n_places if len(dz_in) > 0 else 0):
                temporal.pull(windows[p], z_bound[first + p], h[first + p], across, total, who)
                at = ((q0 + p // n_w) * n_wide + p % n_w) * stride * n_c
                seen = dz_in[s].reshape(-1)
                for y in range(kh):
                    _add(total[y * run:(y + 1) * run], seen[at + y * n_wide * n_c:at + y * n_wide * n_c + run])


@njit
def _add(x, to):
    for i in range(len(to)):
        to[i] += x[i]
