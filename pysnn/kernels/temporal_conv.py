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

_WINDOWS = 16_000_000            # bytes of windows at a time
_INPUTS, _OUTPUTS, _PLACES = 512, 8, 256         # of a block of the sums over places


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
        some = z_in[b0:b1], in_time(z_in[b0:b1].reshape(b1 - b0, -1)), seen, (*w.shape, stride, padding, b is not None), shape[1:3]
        spread(lambda s0, s1, some=some: _deal(*some, s0, s1), cut(b1 - b0, 1))
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


@njit
def _deal(z_in, spikes, seen, how, size, b0, b1):
    """(T13) Hand each spike of samples b0:b1, in the order of time, to the windows that see it."""
    order, z_sorted, n_spikes = spikes
    kh, kw, n_c, _, stride, padding, has_b = how
    n_h, n_w = size
    n_places, n_in = n_h * n_w, seen[0].shape[1]
    behind = np.empty(n_places, np.uint64)                               # where the next spike of a window goes
    for s in range(b0, b1):
        taps, times = seen[0][s * n_places:(s + 1) * n_places].reshape(-1), seen[1][s * n_places:(s + 1) * n_places].reshape(-1)
        for k in range(n_places):
            behind[k] = k * n_in
        waits_b = has_b
        for k in range(n_spikes[s, 1]):
            z = z_sorted[s, k]
            if waits_b and z > 1:
                _extra(taps, times, behind, kh * kw * n_c)
                waits_b = False
            i = np.int64(order[s, k])
            c, v, h = i % n_c, i // n_c % z_in.shape[2] + padding, i // (n_c * z_in.shape[2]) + padding
            u0, u1 = max(0, (v - kw) // stride + 1), min(n_w, v // stride + 1)
            for q in range(max(0, (h - kh) // stride + 1), min(n_h, h // stride + 1)):
                tap = ((h - q * stride) * kw + v - u0 * stride) * n_c + c
                for u in range(u0, u1):
                    p = np.uint64(q * n_w + u)                           # unsigned: no index is asked whether it is negative
                    at = behind[p]
                    taps[at], times[at + p] = tap, z                     # a row of times is one longer
                    behind[p] = at + np.uint64(1)
                    tap -= stride * n_c
        if waits_b:
            _extra(taps, times, behind, kh * kw * n_c)
        for p in range(n_places):
            n_all, at = np.int64(behind[p]) - p * n_in, np.int64(behind[p]) + p
            seen[2][s * n_places + p, 0], seen[2][s * n_places + p, 1] = n_all, n_all
            times[at] = times[at - 1] if n_all > 0 else np.inf           # time stands still behind the last


@njit
def _extra(taps, times, behind, tap):
    """Hand the extra spike, at z = 1, to all windows."""
    for p in range(len(behind)):
        at = np.int64(behind[p])
        taps[at], times[at + p] = tap, 1
        behind[p] = at + 1


def backward(dz_out, cache, need_dz=True):
    """Pull a gradient back through `forward`; see `pysnn.reference.temporal_conv.backward`."""
    z_in, w, b, stride, padding, z_out, margin, z_bound = cache
    dz_out = _checks.temporal_backward(dz_out, z_out)
    kh, kw, _, n_out = w.shape
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
        h, z = temporal.scaled(dz, z, kept[0])
        drows += _weights(windows, h, z)
        if need_dz:
            dwindows = np.ascontiguousarray(temporal.backward_z(h, windows, kept[1], rows)[:, :n]).reshape(b1 - b0, n_places, n)
            for s in range(b0, b1):
                add_patches(dwindows[s - b0], dz_in[s], (kh, kw, stride, padding), size)             # (T14)
    return dz_in, drows[:n].reshape(w.shape), drows[n] if b is not None else None


def _weights(windows, h, z_out):
    """(T14) Sum the gradients of the weights over all places."""
    n_in, n_out = windows.shape[1], h.shape[1]
    dw = np.zeros((n_out, n_in), h.dtype)
    spread(lambda i0, i1, j0, j1: _sum_w(windows, h, z_out, dw, (i0, i1, j0, j1)),
           [(*i, *j) for i in cut(n_in, _INPUTS) for j in cut(n_out, _OUTPUTS)])
    return np.ascontiguousarray(dw.T)


@njit
def _sum_w(windows, h, z_out, dw, block):
    """(T7) dw_ji = -sum_b h_bj max(z_out_bj - z_bi, 0), 0 outside the causal set by itself; places that want nothing are left out."""
    i0, i1, j0, j1 = block
    zero = dw.dtype.type(0)
    at = np.empty(_PLACES, np.int64)
    for first in range(0, len(windows), _PLACES):                        # so many stay in the cache for all neurons
        for j in range(j0, j1):
            s, n = dw[j, i0:i1], 0
            for b in range(first, min(first + _PLACES, len(windows))):
                if h[b, j] != 0:
                    at[n] = b
                    n += 1
            for k in range(0, n // 4 * 4, 4):
                b0, b1, b2, b3 = at[k], at[k + 1], at[k + 2], at[k + 3]
                h0, h1, h2, h3 = h[b0, j], h[b1, j], h[b2, j], h[b3, j]
                t0, t1, t2, t3 = z_out[b0, j], z_out[b1, j], z_out[b2, j], z_out[b3, j]
                z0, z1, z2, z3 = windows[b0, i0:i1], windows[b1, i0:i1], windows[b2, i0:i1], windows[b3, i0:i1]
                for i in range(i1 - i0):
                    s[i] -= (h0 * max(t0 - z0[i], zero) + h1 * max(t1 - z1[i], zero)
                             + h2 * max(t2 - z2[i], zero) + h3 * max(t3 - z3[i], zero))
            for k in range(n // 4 * 4, n):
                h0, t0, z0 = h[at[k], j], z_out[at[k], j], windows[at[k], i0:i1]
                for i in range(i1 - i0):
                    s[i] -= h0 * max(t0 - z0[i], zero)
