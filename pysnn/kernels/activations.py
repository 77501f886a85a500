"""ReLU written to be fast (Numba); the same names, arguments and results as reference/activations.py.

Flattening costs nothing; dropout (R12) is left to NumPy, since drawing the random numbers is most of it.
"""

from typing import NamedTuple

import numpy as np

from .. import _checks
from .._jit import njit
from .._threads import cut, spread

_BLOCK = 1 << 18     # numbers a block


class ReluCache(NamedTuple):
    """What backward of ReLU needs of forward; opaque."""

    y: np.ndarray        # before it is rounded to levels
    top: float


class FlattenCache(NamedTuple):
    """What backward of flattening needs of forward; opaque."""

    shape: tuple         # of x
    dtype: np.dtype


class DropoutCache(NamedTuple):
    """What backward of dropout needs of forward; opaque."""

    kept: np.ndarray     # bool, like x
    dtype: np.dtype
    scale: float


def relu_forward(x, top=np.inf, levels=0):
    """Replace negative numbers by 0, and those above `top` by `top`; see `pysnn.reference.activations.relu_forward`."""
    x, top = _checks.relu(x, top, levels)
    y = np.empty_like(x)
    spread(lambda i, j: _relu(x.reshape(-1)[i:j], top, y.reshape(-1)[i:j]), cut(x.size, _BLOCK))
    cache, n = ReluCache(y, top), x.dtype.type(levels)
    return np.floor(y * (n / top) + x.dtype.type(0.5)) * (top / n) if levels else y, cache      # (R14)


def relu_backward(dy, cache):
    """Pull a gradient back through `relu_forward`; see `pysnn.reference.activations.relu_backward`."""
    y = cache.y
    dy = _checks.gradient(dy, y)
    dx = np.empty_like(y)
    spread(lambda i, j: _mask(dy.reshape(-1)[i:j], y.reshape(-1)[i:j], cache.top, dx.reshape(-1)[i:j]), cut(y.size, _BLOCK))
    return dx


def flatten_forward(x):
    """Lay each sample out in one row, in the order H, W, C; see `pysnn.reference.activations.flatten_forward`."""
    x = _checks.samples(x)
    return x.reshape(len(x), -1), FlattenCache(x.shape, x.dtype)


def flatten_backward(dy, cache):
    """Give a gradient the shape that x had; see `pysnn.reference.activations.flatten_backward`."""
    shape = cache.shape[0], int(np.prod(cache.shape[1:]))
    return _checks.gradient(dy, (shape, cache.dtype)).reshape(cache.shape)


def dropout_forward(x, p, rng):
    """Set each number to 0 with probability p, and scale the others; see `pysnn.reference.activations.dropout_forward`."""
    x, p = _checks.dropout(x, p, rng)
    cache = DropoutCache(rng.random(x.shape, dtype=np.float32) >= p, x.dtype, x.dtype.type(1 / (1 - p)))
    return x * (cache.kept * cache.scale), cache                         # (R12)


def dropout_backward(dy, cache):
    """Pull a gradient back through `dropout_forward`; see `pysnn.reference.activations.dropout_backward`."""
    dy = _checks.gradient(dy, (cache.kept.shape, cache.dtype))
    return dy * (cache.kept * cache.scale)                               # (R12)


@njit
def _relu(x, top, y):
    """(R11) y = min(max(x, 0), top); NaN stays, so that it is seen."""
    zero = x.dtype.type(0)
    for i in range(len(x)):
        y[i] = zero if x[i] < zero else (top if x[i] > top else x[i])


@njit
def _mask(dy, y, top, dx):
    """(R11) dx = dy where 0 < y < top."""
    zero, one = y.dtype.type(0), y.dtype.type(1)
    for i in range(len(y)):
        dx[i] = dy[i] * (one if (y[i] > zero) & (y[i] < top) else zero)          # a load under a mask would be slow
