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
_INPUTS, _OUTPUTS = 512, 8       # of a block of the sums over places


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
    n_places = n_h * n_w
    for s in range(b0, b1):
        first, behind = s * n_places, (s + 1) * n_places
        taps, times, count = seen[0][first:behind], seen[1][first:behind], np.zeros(n_places, np.uint32)
        waits_b = has_b
        for k in range(n_spikes[s, 1]):
            z = z_sorted[s, k]
            if waits_b and z > 1:
                _extra(taps, times, count, kh * kw * n_c)
                waits_b = False
            i = np.int64(order[s, k])
            c, v, h = i % n_c, i // n_c % z_in.shape[2] + padding, i // (n_c * z_in.shape[2]) + padding
            for q in range(max(0, (h - kh) // stride + 1), min(n_h, h // stride + 1)):
                for u in range(max(0, (v - kw) // stride + 1), min(n_w, v // stride + 1)):
                    p = np.uint64(q * n_w + u)                           # unsigned: no index is asked whether it is negative
                    at = np.uint64(count[p])
                    taps[p, at] = ((h - q * stride) * kw + v - u * stride) * n_c + c
                    times[p, at] = z
                    count[p] = np.uint32(at + np.uint64(1))
        if waits_b:
            _extra(taps, times, count, kh * kw * n_c)
        for p in range(n_places):
            n_all = np.int64(count[p])
            seen[2][first + p, 0], seen[2][first + p, 1] = n_all, n_all
            times[p, n_all] = times[p, n_all - 1] if n_all > 0 else np.inf           # time stands still behind the last


@njit
def _extra(taps, times, count, tap):
    """Hand the extra spike, at z = 1, to all windows."""
    for p in range(len(count)):
        at = np.int64(count[p])
        taps[p, at], times[p, at] = tap, 1
        count[p] = at + 1


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
    """(T14) Sum the gradients of the weights over all places; the rows of windows are long, those of h are short."""
    (n_places, n_in), n_out = windows.shape, h.shape[1]
    more = (0, -n_places % 4), (0, -n_out % 4)
    windows = np.pad(windows, (more[0], (0, 0)), constant_values=np.inf) if more[0][1] else windows
    h, z_out = (np.pad(x, more) for x in (h, z_out))
    dw = np.zeros((h.shape[1], n_in), h.dtype)
    spread(lambda i0, i1, j0, j1: _sum_w(windows, h, z_out, dw, (i0, i1, j0, j1)),
           [(*i, *j) for i in cut(n_in, _INPUTS) for j in cut(len(dw), _OUTPUTS)])
    return np.ascontiguousarray(dw[:n_out].T)


@njit
def _sum_w(windows, h, z_out, dw, block):
    """(T7) dw_ji = -sum_b h_bj max(z_out_bj - z_bi, 0), 0 outside the causal set by itself; 4 neurons by 4 places a pass."""
    i0, i1, j0, j1 = block
    zero = dw.dtype.type(0)
    for j in range(j0, j1, 4):
        s0, s1, s2, s3 = dw[j, i0:i1], dw[j + 1, i0:i1], dw[j + 2, i0:i1], dw[j + 3, i0:i1]
        for b in range(0, len(windows), 4):
            p, q, u, v = h[b], h[b + 1], h[b + 2], h[b + 3]
            e, f, g, k = z_out[b], z_out[b + 1], z_out[b + 2], z_out[b + 3]
            p0, p1, p2, p3, e0, e1, e2, e3 = p[j], p[j + 1], p[j + 2], p[j + 3], e[j], e[j + 1], e[j + 2], e[j + 3]
            q0, q1, q2, q3, f0, f1, f2, f3 = q[j], q[j + 1], q[j + 2], q[j + 3], f[j], f[j + 1], f[j + 2], f[j + 3]
            u0, u1, u2, u3, g0, g1, g2, g3 = u[j], u[j + 1], u[j + 2], u[j + 3], g[j], g[j + 1], g[j + 2], g[j + 3]
            v0, v1, v2, v3, k0, k1, k2, k3 = v[j], v[j + 1], v[j + 2], v[j + 3], k[j], k[j + 1], k[j + 2], k[j + 3]
            z0, z1, z2, z3 = windows[b, i0:i1], windows[b + 1, i0:i1], windows[b + 2, i0:i1], windows[b + 3, i0:i1]
            for i in range(i1 - i0):
                a, c, d, m = z0[i], z1[i], z2[i], z3[i]
                s0[i] -= p0 * max(e0 - a, zero) + q0 * max(f0 - c, zero) + u0 * max(g0 - d, zero) + v0 * max(k0 - m, zero)
                s1[i] -= p1 * max(e1 - a, zero) + q1 * max(f1 - c, zero) + u1 * max(g1 - d, zero) + v1 * max(k1 - m, zero)
                s2[i] -= p2 * max(e2 - a, zero) + q2 * max(f2 - c, zero) + u2 * max(g2 - d, zero) + v2 * max(k2 - m, zero)
                s3[i] -= p3 * max(e3 - a, zero) + q3 * max(f3 - c, zero) + u3 * max(g3 - d, zero) + v3 * max(k3 - m, zero)
