"""Pooling written to be fast (Numba); the same names, arguments and results as reference/pool.py.

Windows of two by two that do not overlap, the usual ones, have a way of their own: each pixel is touched once.
"""

from typing import NamedTuple

import numpy as np

from .. import _checks
from .._jit import copy, njit
from .._threads import cut, spread


class MaxCache(NamedTuple):
    """What backward of the maximum needs of forward; opaque. It does not refer to the image."""

    winner: np.ndarray   # like y, one byte each (two where the window is larger than 16 x 16)
    shape: tuple         # of x
    dtype: np.dtype
    size: int
    stride: int


class AvgCache(NamedTuple):
    """What backward of the mean needs of forward; opaque."""

    shape_out: tuple     # of y
    shape: tuple         # of x
    dtype: np.dtype
    size: int
    stride: int


def _blocks(n_batch):
    """Cut a batch into blocks of images."""
    return cut(n_batch, -(-n_batch // 16))


def max_pool2d_forward(x, size=2, stride=None):
    """Take the maximum of each window; see `pysnn.reference.pool.max_pool2d_forward`."""
    x, size, stride, shape = _checks.pool2d(x, size, stride)
    y, winner = np.empty(shape, x.dtype), np.empty(shape, np.min_scalar_type(size * size - 1))
    if size == stride == 2:
        spread(lambda b0, b1: _max_of_four(x, y, winner, b0, b1), _blocks(len(x)))
    else:
        spread(lambda b0, b1: _max(x, y, winner, (size, stride), b0, b1), _blocks(len(x)))
    return y, MaxCache(winner, x.shape, x.dtype, size, stride)


def max_pool2d_backward(dy, cache):
    """Pull a gradient back through `max_pool2d_forward`; see `pysnn.reference.pool.max_pool2d_backward`."""
    winner, shape, dtype, size, stride = cache
    dy = _checks.gradient(dy, (winner.shape, dtype))
    dx = np.empty(shape, dtype)
    if size == stride == 2:
        spread(lambda b0, b1: _to_one_of_four(dy, winner, dx, b0, b1), _blocks(len(dx)))
    else:
        spread(lambda b0, b1: _to_winner(dy, winner, dx, (size, stride), b0, b1), _blocks(len(dx)))
    return dx


def avg_pool2d_forward(x, size=2, stride=None):
    """Take the mean of each window; see `pysnn.reference.pool.avg_pool2d_forward`."""
    x, size, stride, shape = _checks.pool2d(x, size, stride)
    y = np.empty(shape, x.dtype)
    spread(lambda b0, b1: _mean(x, y, (size, stride), b0, b1), _blocks(len(x)))
    return y, AvgCache(shape, x.shape, x.dtype, size, stride)


def avg_pool2d_backward(dy, cache):
    """Pull a gradient back through `avg_pool2d_forward`; see `pysnn.reference.pool.avg_pool2d_backward`."""
    shape_out, shape, dtype, size, stride = cache
    dy = _checks.gradient(dy, (shape_out, dtype))
    dx = np.empty(shape, dtype)
    spread(lambda b0, b1: _to_all(dy, dx, (size, stride), b0, b1), _blocks(len(dx)))
    return dx


@njit
def _later(best, value):
    """Say whether a later value wins: only if it is larger; NaN wins, so that it is seen."""
    return value > best or value != value


@njit
def _max_of_four(x, y, winner, b0, b1):
    """(R5) for windows of two by two that do not overlap."""
    for b in range(b0, b1):
        for h in range(y.shape[1]):
            for v in range(y.shape[2]):
                p, q = x[b, 2 * h, 2 * v], x[b, 2 * h, 2 * v + 1]
                r, s = x[b, 2 * h + 1, 2 * v], x[b, 2 * h + 1, 2 * v + 1]
                out, who = y[b, h, v], winner[b, h, v]
                for c in range(len(out)):
                    best, k = p[c], np.uint8(0)
                    k = np.uint8(1) if _later(best, q[c]) else k
                    best = q[c] if _later(best, q[c]) else best
                    k = np.uint8(2) if _later(best, r[c]) else k
                    best = r[c] if _later(best, r[c]) else best
                    k = np.uint8(3) if _later(best, s[c]) else k
                    best = s[c] if _later(best, s[c]) else best
                    out[c], who[c] = best, k


@njit
def _to_one_of_four(dy, winner, dx, b0, b1):
    """(R5) for windows of two by two that do not overlap."""
    zero, one = dx.dtype.type(0), dx.dtype.type(1)
    for b in range(b0, b1):
        for h in range(dx.shape[1]):
            for v in range(dx.shape[2]):
                into = dx[b, h, v]
                if h // 2 < dy.shape[1] and v // 2 < dy.shape[2]:
                    k = np.uint8(2 * (h % 2) + v % 2)
                    d, who = dy[b, h // 2, v // 2], winner[b, h // 2, v // 2]
                    for c in range(len(into)):
                        into[c] = d[c] * (one if who[c] == k else zero)          # a load under a mask would be slow
                else:
                    into[:] = zero


@njit
def _max(x, y, winner, window, b0, b1):
    """(R5) for any window."""
    size, stride = window
    for b in range(b0, b1):
        for h in range(y.shape[1]):
            for v in range(y.shape[2]):
                out, who = y[b, h, v], winner[b, h, v]
                copy(x[b, h * stride, v * stride], out)
                who[:] = 0
                for k in range(1, size * size):
                    seen = x[b, h * stride + k // size, v * stride + k % size]
                    for c in range(len(out)):
                        if _later(out[c], seen[c]):
                            out[c], who[c] = seen[c], k


@njit
def _to_winner(dy, winner, dx, window, b0, b1):
    """(R5) for any window: windows may share a pixel, and what they send there adds up."""
    size, stride = window
    for b in range(b0, b1):
        dx[b] = 0
        for k in range(size * size):
            for h in range(dy.shape[1]):
                for v in range(dy.shape[2]):
                    into = dx[b, h * stride + k // size, v * stride + k % size]
                    for c in range(len(into)):
                        if winner[b, h, v, c] == k:
                            into[c] += dy[b, h, v, c]


@njit
def _mean(x, y, window, b0, b1):
    """(R6) the sum over the window, divided by its size."""
    size, stride = window
    n = y.dtype.type(size * size)
    for b in range(b0, b1):
        for h in range(y.shape[1]):
            for v in range(y.shape[2]):
                out = y[b, h, v]
                copy(x[b, h * stride, v * stride], out)
                for k in range(1, size * size):
                    seen = x[b, h * stride + k // size, v * stride + k % size]
                    for c in range(len(out)):
                        out[c] += seen[c]
                for c in range(len(out)):
                    out[c] /= n


@njit
def _to_all(dy, dx, window, b0, b1):
    """(R6) each place of the window gets the same share."""
    size, stride = window
    n = dx.dtype.type(size * size)
    for b in range(b0, b1):
        dx[b] = 0
        for k in range(size * size):
            for h in range(dy.shape[1]):
                for v in range(dy.shape[2]):
                    into, d = dx[b, h * stride + k // size, v * stride + k % size], dy[b, h, v]
                    for c in range(len(into)):
                        into[c] += d[c] / n
