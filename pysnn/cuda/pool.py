"""Pooling on a GPU; the same names, arguments and results as reference/pool.py.

Forward a thread makes an output, backward a gradient of the input: it gathers from the windows that hold its pixel, in the order of the
reference, so that the bits are the same. Channels lie side by side, and so do the threads.
"""

from math import prod
from typing import NamedTuple

import numpy as np

from .. import _checks
from ._target import at_home, cuda, empty, give, kernel, send, stand_in
from .integrate_fire import flat


class MaxCache(NamedTuple):
    """What backward of the maximum needs of forward; opaque."""

    winner: object
    shape: tuple
    dtype: np.dtype
    size: int
    stride: int


class AvgCache(NamedTuple):
    """What backward of the mean needs of forward; opaque."""

    shape_out: tuple
    shape: tuple
    dtype: np.dtype
    size: int
    stride: int


def max_pool2d_forward(x, size=2, stride=None):
    """Take the maximum of each window; see `pysnn.reference.pool.max_pool2d_forward`."""
    home = at_home(x)
    seen, size, stride, shape = _checks.pool2d(stand_in(x), size, stride)
    x = send(x, seen, "x")
    y, winner = empty(shape, x.dtype, "y"), empty(shape, np.min_scalar_type(size * size - 1), "winner")
    run = _max if winner.dtype == np.uint8 else _max_of_many
    run.over(prod(shape), flat(x), flat(y), flat(winner), _sizes(x.shape, shape, size, stride))
    return give(home, y), MaxCache(winner, tuple(x.shape), x.dtype, size, stride)


def max_pool2d_backward(dy, cache):
    """Pull a gradient back through `max_pool2d_forward`; see `pysnn.reference.pool.max_pool2d_backward`."""
    winner, shape, dtype, size, stride = cache
    home = at_home(dy)
    dy = send(dy, _checks.gradient(stand_in(dy), (tuple(winner.shape), dtype)), "dy")
    dx = empty(shape, dtype, "dx")
    run = _to_winner if winner.dtype == np.uint8 else _to_winner_of_many
    run.over(prod(shape), flat(dy), flat(winner), flat(dx), _sizes(shape, winner.shape, size, stride))
    return give(home, dx)


def avg_pool2d_forward(x, size=2, stride=None):
    """Take the mean of each window; see `pysnn.reference.pool.avg_pool2d_forward`."""
    home = at_home(x)
    seen, size, stride, shape = _checks.pool2d(stand_in(x), size, stride)
    x = send(x, seen, "x")
    y = empty(shape, x.dtype, "y")
    _mean.over(prod(shape), flat(x), flat(y), x.dtype.type(size * size), _sizes(x.shape, shape, size, stride))
    return give(home, y), AvgCache(shape, tuple(x.shape), x.dtype, size, stride)


def avg_pool2d_backward(dy, cache):
    """Pull a gradient back through `avg_pool2d_forward`; see `pysnn.reference.pool.avg_pool2d_backward`."""
    shape_out, shape, dtype, size, stride = cache
    home = at_home(dy)
    dy = send(dy, _checks.gradient(stand_in(dy), (shape_out, dtype)), "dy")
    dx = empty(shape, dtype, "dx")
    _to_all.over(prod(shape), flat(dy), flat(dx), dtype.type(size * size), _sizes(shape, shape_out, size, stride))
    return give(home, dx)


def _sizes(shape, shape_out, size, stride):
    return *(int(n) for n in (*shape[1:], *shape_out[1:3])), size, stride, prod(shape), prod(shape_out)


def _max_kernel(x, y, winner, sizes):
    """(R5) the first of the largest; NaN wins, so that it is seen."""
    h_in, v_in, n_c, h_out, v_out, size, stride, _, n = sizes
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        c, r = i % n_c, i // n_c
        corner = ((r // (v_out * h_out) * h_in + r // v_out % h_out * stride) * v_in + r % v_out * stride) * n_c + c
        best, who = x[corner], 0
        for k in range(1, size * size):
            seen = x[corner + (k // size * v_in + k % size) * n_c]
            if seen > best or (seen != seen and best == best):
                best, who = seen, k
        y[i], winner[i] = best, who


def _winner_kernel(dy, winner, dx, sizes):
    """(R5) all to the winner; a pixel of many windows adds up what they send."""
    h_in, v_in, n_c, h_out, v_out, size, stride, n, _ = sizes
    zero = dx.dtype.type(0)
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        c, r = i % n_c, i // n_c
        h, v, total = r // v_in % h_in, r % v_in, zero
        for k in range(size * size):
            top, left = h - k // size, v - k % size
            if top >= 0 and left >= 0 and top % stride == 0 and left % stride == 0 and top < h_out * stride and left < v_out * stride:
                at = ((r // (v_in * h_in) * h_out + top // stride) * v_out + left // stride) * n_c + c
                if winner[at] == k:
                    total += dy[at]
        dx[i] = total


_max = kernel("T1 T1 B1 i9", "max")(_max_kernel)
_max_of_many = kernel("T1 T1 S1 i9", "max_of_many")(_max_kernel)                 # windows of more than 256 places
_to_winner = kernel("T1 B1 T1 i9", "to_winner")(_winner_kernel)
_to_winner_of_many = kernel("T1 S1 T1 i9", "to_winner_of_many")(_winner_kernel)


@kernel("T1 T1 T i9")
def _mean(x, y, n_places, sizes):
    """(R6) the sum over the window, divided by its size."""
    h_in, v_in, n_c, h_out, v_out, size, stride, _, n = sizes
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        c, r = i % n_c, i // n_c
        corner = ((r // (v_out * h_out) * h_in + r // v_out % h_out * stride) * v_in + r % v_out * stride) * n_c + c
        total = x[corner]
        for k in range(1, size * size):
            total += x[corner + (k // size * v_in + k % size) * n_c]
        y[i] = total / n_places


@kernel("T1 T1 T i9")
def _to_all(dy, dx, n_places, sizes):
    """(R6) each place of the window gets the same share."""
    h_in, v_in, n_c, h_out, v_out, size, stride, n, _ = sizes
    zero = dx.dtype.type(0)
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        c, r = i % n_c, i // n_c
        h, v, total = r // v_in % h_in, r % v_in, zero
        for k in range(size * size):
            top, left = h - k // size, v - k % size
            if top >= 0 and left >= 0 and top % stride == 0 and left % stride == 0 and top < h_out * stride and left < v_out * stride:
                total += dy[((r // (v_in * h_in) * h_out + top // stride) * v_out + left // stride) * n_c + c] / n_places
        dx[i] = total
