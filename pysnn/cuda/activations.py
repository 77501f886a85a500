"""ReLU, flattening and dropout on a GPU; the same names, arguments and results as reference/activations.py.

Random numbers are drawn on the host, by the generator that is given: the same spikes get lost on every backend.
"""

import math
from math import prod
from typing import NamedTuple

import numpy as np

from .. import _checks
from ._target import at_home, cuda, empty, give, kernel, on_device, send, stand_in
from .integrate_fire import flat


class ReluCache(NamedTuple):
    """What backward of ReLU needs of forward; opaque, on the device."""

    y: object            # before it is rounded to levels
    top: float


class FlattenCache(NamedTuple):
    """What backward of flattening needs of forward; opaque."""

    shape: tuple
    dtype: np.dtype


class DropoutCache(NamedTuple):
    """What backward of dropout needs of forward; opaque, on the device."""

    kept: object         # bytes, 0 or 1
    dtype: np.dtype
    scale: float


def relu_forward(x, top=np.inf, levels=0):
    """Replace negative numbers by 0, and those above `top` by `top`; see `pysnn.reference.activations.relu_forward`."""
    home = at_home(x)
    seen, top = _checks.relu(stand_in(x), top, levels)
    x = send(x, seen, "x")
    y = empty(x.shape, x.dtype, "y")
    _relu.over(y.size, flat(x), flat(y), top, y.size)
    cache, n = ReluCache(y, top), top.dtype.type(levels)
    if levels:
        y = empty(x.shape, x.dtype, "y")
        _round.over(y.size, flat(cache.y), flat(y), (n / top, top / n), y.size)
    return give(home, y), cache


def relu_backward(dy, cache):
    """Pull a gradient back through `relu_forward`; see `pysnn.reference.activations.relu_backward`."""
    home, y = at_home(dy), cache.y
    dy = send(dy, _checks.gradient(stand_in(dy), (tuple(y.shape), y.dtype)), "dy")
    dx = empty(y.shape, y.dtype, "dx")
    _mask.over(y.size, flat(dy), flat(y), flat(dx), cache.top, y.size)
    return give(home, dx)


def flatten_forward(x):
    """Lay each sample out in one row, in the order H, W, C; see `pysnn.reference.activations.flatten_forward`."""
    seen = _checks.samples(stand_in(x))
    x = x if on_device(x) else seen
    return x.reshape(seen.shape[0], prod(seen.shape[1:])), FlattenCache(seen.shape, seen.dtype)


def flatten_backward(dy, cache):
    """Give a gradient the shape that x had; see `pysnn.reference.activations.flatten_backward`."""
    seen = _checks.gradient(stand_in(dy), ((cache.shape[0], prod(cache.shape[1:])), cache.dtype))
    return (dy if on_device(dy) else seen).reshape(*cache.shape)


def dropout_forward(x, p, rng):
    """Set each number to 0 with probability p, and scale the others; see `pysnn.reference.activations.dropout_forward`."""
    home = at_home(x)
    seen, p = _checks.dropout(stand_in(x), p, rng)
    x = send(x, seen, "x")
    kept = rng.random(seen.shape, dtype=np.float32) >= p
    cache = DropoutCache(send(kept, kept.astype(np.uint8), "kept"), seen.dtype, seen.dtype.type(1 / (1 - p)))
    return give(home, _dropped(x, cache, "y")), cache                    # (R12)


def dropout_backward(dy, cache):
    """Pull a gradient back through `dropout_forward`; see `pysnn.reference.activations.dropout_backward`."""
    home = at_home(dy)
    dy = send(dy, _checks.gradient(stand_in(dy), (tuple(cache.kept.shape), cache.dtype)), "dy")
    return give(home, _dropped(dy, cache, "dx"))                         # (R12)


def _dropped(x, cache, name):
    out = empty(x.shape, x.dtype, name)
    _drop.over(out.size, flat(x), flat(cache.kept), flat(out), cache.scale, out.size)
    return out


@kernel("T1 T1 T i")
def _relu(x, y, top, n):
    """(R11) y = min(max(x, 0), top); NaN stays, so that it is seen."""
    zero = x.dtype.type(0)
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        y[i] = zero if x[i] < zero else (top if x[i] > top else x[i])


@kernel("T1 T1 t2 i")
def _round(a, y, steps, n):
    """(R14) a in steps: to the nearest, half-way up."""
    (up, down), half = steps, a.dtype.type(0.5)
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        y[i] = a.dtype.type(math.floor(a[i] * up + half)) * down if a[i] == a[i] else a[i]


@kernel("T1 T1 T1 T i")
def _mask(dy, y, dx, top, n):
    """(R11) dx = dy where 0 < y < top."""
    zero = y.dtype.type(0)
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        dx[i] = dy[i] if y[i] > zero and y[i] < top else zero


@kernel("T1 B1 T1 T i")
def _drop(x, kept, out, scale, n):
    """(R12) x scale where kept, else 0."""
    zero = x.dtype.type(0)
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        out[i] = x[i] * scale if kept[i] else zero
