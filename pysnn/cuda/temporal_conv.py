"""Convolution of temporal neurons on a GPU; the same names, arguments and results as reference/temporal_conv.py.

The windows of the whole batch are laid out on the device, and the dense neuron's kernels take the places of the map for samples.
"""

from typing import NamedTuple

import numpy as np

from .. import _checks
from . import temporal
from ._target import at_home, cuda, empty, give, kernel, on_device, send, stand_in
from .integrate_fire import flat


class Cache(NamedTuple):
    """What backward needs of forward; opaque, on the device."""

    shapes: tuple        # of z_in, w and z_out
    size: tuple          # what the kernels know of them
    has_b: bool
    like: np.ndarray     # stands for z_out where only its shape and dtype matter
    neurons: temporal.Cache


def forward(z_in, w, b=None, stride=1, padding=0, threshold=1.0):
    """Find when each neuron of the map fires; see `pysnn.reference.temporal_conv.forward`."""
    home = at_home(z_in, w, *([] if b is None else [b]))
    seen = _checks.temporal_conv(stand_in(z_in, 1), stand_in(w), (None if b is None else stand_in(b), stride, padding, threshold))
    z, weights, bias, stride, padding, threshold, shape = seen
    foreign, z_in, w = on_device(z_in), send(z_in, z, "z_in"), send(w, weights, "w")
    if foreign:
        temporal.refuse(z_in)
    (kh, kw, n_c, n_out), has_b = weights.shape, b is not None
    n = kh * kw * n_c
    size = (*z.shape[1:], *shape[1:3], kh, kw, stride, padding)
    windows = empty((shape[0] * shape[1] * shape[2], n + has_b), z.dtype, "windows")
    _gather.over(windows.size, flat(z_in), flat(windows), size, n + has_b, windows.size)
    rows = empty((n + has_b, n_out), z.dtype, "rows")
    _stack.over(rows.size, flat(w), flat(send(b, bias, "b")) if has_b else flat(w), flat(rows), n * n_out, rows.size)
    z_out, neurons = temporal.forward(windows, rows, threshold)
    return give(home, z_out.reshape(shape)), Cache((z.shape, weights.shape, shape), size, has_b, stand_in(z_out).reshape(shape), neurons)


@kernel("T1 T1 i9 i i")
def _gather(z_in, windows, size, n_row, n):
    """(T13) lay the windows out; beyond the edge nothing ever comes, and the extra input is at z = 1."""
    h_in, v_in, n_c, h_out, v_out, kh, kw, stride, padding = size
    inf, one = windows.dtype.type(np.inf), windows.dtype.type(1)
    for e in range(cuda.grid(1), n, cuda.gridsize(1)):
        p, k = e // n_row, e % n_row
        tap = k // n_c
        h, v = p // v_out % h_out * stride - padding + tap // kw, p % v_out * stride - padding + tap % kw
        if tap >= kh * kw:
            windows[e] = one
        elif h < 0 or h >= h_in or v < 0 or v >= v_in:
            windows[e] = inf
        else:
            windows[e] = z_in[((p // (h_out * v_out) * h_in + h) * v_in + v) * n_c + k % n_c]


@kernel("T1 T1 T1 i i")
def _stack(w, b, rows, n_w, n):
    for e in range(cuda.grid(1), n, cuda.gridsize(1)):
        rows[e] = w[e] if e < n_w else b[e - n_w]


def backward(dz_out, cache, need_dz=True):
    """Pull a gradient back through `forward`; see `pysnn.reference.temporal_conv.backward`."""
    home, (shape_z, shape_w, shape) = at_home(dz_out), cache.shapes
    dz_out = send(dz_out, _checks.temporal_backward(stand_in(dz_out), cache.like), "dz_out").reshape(-1, shape[3])
    dz_in = None
    if need_dz:
        dwindows, drows = temporal.backward(dz_out, cache.neurons)
        dz_in = empty(shape_z, drows.dtype, "dz_in")
        _scatter.over(dz_in.size, flat(dwindows), flat(dz_in), cache.size, dwindows.shape[1], dz_in.size)
    else:
        drows = temporal.backward_w(dz_out, cache.neurons)
    n = drows.shape[0] - cache.has_b
    return give(home, dz_in, drows[:n].reshape(shape_w), drows[n] if cache.has_b else None)


@kernel("T1 T1 i9 i i")
def _scatter(dwindows, dz_in, size, n_row, n):
    """(T14) each pixel adds up its gradients, window by window."""
    h_in, v_in, n_c, h_out, v_out, kh, kw, stride, padding = size
    for e in range(cuda.grid(1), n, cuda.gridsize(1)):
        c, v, h, b = e % n_c, e // n_c % v_in, e // (n_c * v_in) % h_in, e // (n_c * v_in * h_in)
        total = dz_in.dtype.type(0)
        for k in range(kh):
            q = h + padding - k
            if q >= 0 and q % stride == 0 and q // stride < h_out:
                for m in range(kw):
                    u = v + padding - m
                    if u >= 0 and u % stride == 0 and u // stride < v_out:
                        total += dwindows[((b * h_out + q // stride) * v_out + u // stride) * n_row + (k * kw + m) * n_c + c]
        dz_in[e] = total
