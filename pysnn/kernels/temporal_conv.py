"""Convolution of temporal neurons, written to be fast; the same names, arguments and results as reference/temporal_conv.py.

The dense neuron's kernel takes the places of a map for samples. Forward, the spikes of an image are sorted once and handed to their
windows in that order, so no window needs a sort of its own. Windows are laid out for a few samples at a time.
"""

from typing import NamedTuple

import numpy as np

from .. import _checks
from .._jit import njit
from .._threads import cut, spread
from . import temporal
from ._in_time import in_time
from .conv import add_patches, gather

_WINDOWS = 16_000_000    # bytes of windows at a time


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
    rows, (n_places, n_out) = _rows(w, b), (shape[1] * shape[2], shape[3])
    out = tuple(np.empty(shape, w.dtype) for _ in range(3))
    for b0, b1 in _parts(shape, rows):
        n = (b1 - b0) * n_places
        seen = np.empty((n, len(rows)), np.uint32), np.empty((n, len(rows) + 1), w.dtype), np.empty((n, 2), np.int64)
        _hand_out(z_in[b0:b1], in_time(z_in[b0:b1].reshape(b1 - b0, -1)), seen, (*w.shape, stride, padding, b is not None), shape)
        for whole, part in zip(out, temporal.scan(seen, rows, threshold, (np.zeros((n, n_out), w.dtype), False)), strict=True):
            whole[b0:b1] = part.reshape(b1 - b0, *shape[1:])
    return out[0], Cache(z_in, w, b, stride, padding, *out)


def _rows(w, b):
    """Return the weights as a dense layer has them; those of the extra input are the last row."""
    rows = w.reshape(-1, w.shape[3])
    return rows if b is None else np.append(rows, b[None], axis=0)


def _parts(shape, rows):
    """Cut the batch into parts whose windows are a fixed number of bytes."""
    return cut(shape[0], max(1, _WINDOWS // (shape[1] * shape[2] * len(rows) * rows.itemsize)))


def _hand_out(z_in, spikes, seen, how, shape):
    spread(lambda b0, b1: _deal(z_in, spikes, seen, how, (shape[1], shape[2], b0, b1)), cut(len(z_in), 1))


@njit
def _deal(z_in, spikes, seen, how, block):
    """(T13) Hand each spike of samples b0:b1, in the order of time, to the windows that see it."""
    order, z_sorted, n_spikes = spikes
    taps, times, count = seen
    kh, kw, n_c, _, stride, padding, has_b = how
    n_h, n_w, b0, b1 = block
    for s in range(b0, b1):
        first = s * n_h * n_w
        for p in range(first, first + n_h * n_w):
            count[p, 0] = 0
        waits_b = has_b
        for k in range(n_spikes[s, 1]):
            z = z_sorted[s, k]
            if waits_b and z > 1:
                waits_b = _extra(seen, first, first + n_h * n_w, kh * kw * n_c)
            i = np.int64(order[s, k])
            c, v, h = i % n_c, i // n_c % z_in.shape[2] + padding, i // (n_c * z_in.shape[2]) + padding
            for q in range(max(0, (h - kh) // stride + 1), min(n_h, h // stride + 1)):
                for u in range(max(0, (v - kw) // stride + 1), min(n_w, v // stride + 1)):
                    p = first + q * n_w + u
                    at = count[p, 0]
                    taps[p, at], times[p, at] = ((h - q * stride) * kw + v - u * stride) * n_c + c, z
                    count[p, 0] = at + 1
        if waits_b:
            _extra(seen, first, first + n_h * n_w, kh * kw * n_c)
        for p in range(first, first + n_h * n_w):
            n_all = count[p, 0]
            count[p, 1] = n_all
            times[p, n_all] = times[p, n_all - 1] if n_all > 0 else np.inf           # time stands still behind the last


@njit
def _extra(seen, p0, p1, tap):
    """Hand the extra spike, at z = 1, to all windows."""
    taps, times, count = seen
    for p in range(p0, p1):
        at = count[p, 0]
        taps[p, at], times[p, at] = tap, 1
        count[p, 0] = at + 1
    return False


def backward(dz_out, cache, need_dz=True):
    """Pull a gradient back through `forward`; see `pysnn.reference.temporal_conv.backward`."""
    z_in, w, b, stride, padding, z_out, margin, z_bound = cache
    dz_out = _checks.temporal_backward(dz_out, z_out)
    kh, kw, n_c, n_out = w.shape
    n, rows = w[..., 0].size, _rows(w, b)
    dz_in, drows = np.zeros_like(z_in) if need_dz else None, np.zeros_like(rows)
    n_places, size = z_out[0, ..., 0].size, z_out.shape[1:3]
    for b0, b1 in _parts(z_out.shape, rows):
        padded = np.pad(z_in[b0:b1], ((0, 0), (padding, padding), (padding, padding), (0, 0)), constant_values=np.inf)
        windows = np.empty(((b1 - b0) * n_places, n), w.dtype)
        gather(padded, windows, (kh, kw, stride, 0), size, 0, (b1 - b0) * size[0])                   # (T13)
        if b is not None:
            windows = np.append(windows, np.ones_like(windows[:, :1]), axis=1)
        z, dz, *kept = (x[b0:b1].reshape(-1, n_out) for x in (z_out, dz_out, margin, z_bound))
        neurons = temporal.Cache(windows, rows, z, *kept, None)
        if not need_dz:
            drows += temporal.backward_w(dz, neurons)
            continue
        dwindows, dsome = temporal.backward(dz, neurons)
        drows += dsome
        dwindows = np.ascontiguousarray(dwindows[:, :n]).reshape(b1 - b0, n_places, n)
        for s in range(b0, b1):
            add_patches(dwindows[s - b0], dz_in[s], (kh, kw, stride, padding), size)                 # (T14)
    return dz_in, drows[:n].reshape(w.shape), drows[n] if b is not None else None
