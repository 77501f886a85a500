"""Pooling in two dimensions, written to be read (NumPy, one view for each place in the window).

docs/derivations/convolution-and-pooling.md derives (R5) and (R6).
"""

from typing import NamedTuple

import numpy as np

from .. import _checks


class MaxCache(NamedTuple):
    """What backward of the maximum needs of forward; opaque."""

    winner: np.ndarray   # (B, H_out, W_out, C), place of the maximum in its window, counted in row-major order
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


def max_pool2d_forward(x, size=2, stride=None):
    """Take the maximum of each window.

    Parameters
    ----------
    x : (B, H, W, C) array, float32 or float64
        Images.
    size : int
        Height and width of the window.
    stride : int, optional
        Step between two windows; default: size. Rows and columns that fill no window are left out.

    Returns
    -------
    y : (B, H_out, W_out, C) array
        H_out = floor((H - size) / stride) + 1, and W_out likewise.
    cache : MaxCache
        For `max_pool2d_backward`; does not refer to x.

    Raises
    ------
    TypeError
        For anything but float32 or float64.
    ValueError
        For other than 4 dimensions, an empty batch, a window larger than the image, or a size or stride below 1.
    """
    x, size, stride, shape = _checks.pool2d(x, size, stride)
    seen = np.stack([x[:, rows, cols] for rows, cols in _places(shape, size, stride)])
    winner = seen.argmax(axis=0)                                         # (R5) of equals the first
    y = np.take_along_axis(seen, winner[None], axis=0)[0]
    return y, MaxCache(winner.astype(np.min_scalar_type(size * size - 1)), x.shape, x.dtype, size, stride)


def max_pool2d_backward(dy, cache):
    """Pull a gradient back through `max_pool2d_forward`: all of it goes to the winner.

    Parameters
    ----------
    dy : (B, H_out, W_out, C) array
        Gradient of the loss with respect to y.
    cache : MaxCache
        From `max_pool2d_forward`.

    Returns
    -------
    (B, H, W, C) array
        Gradient with respect to x.

    Raises
    ------
    TypeError, ValueError
        If dy is not like y.
    """
    winner, shape, dtype, size, stride = cache
    dy = _checks.gradient(dy, (winner.shape, dtype))
    dx = np.zeros(shape, dtype)
    for k, (rows, cols) in enumerate(_places(winner.shape, size, stride)):
        dx[:, rows, cols] += np.where(winner == k, dy, 0)                # (R5) y = x at the winner
    return dx


def avg_pool2d_forward(x, size=2, stride=None):
    """Take the mean of each window.

    Parameters
    ----------
    x : (B, H, W, C) array, float32 or float64
        Images.
    size : int
        Height and width of the window.
    stride : int, optional
        Step between two windows; default: size. Rows and columns that fill no window are left out.

    Returns
    -------
    y : (B, H_out, W_out, C) array
        H_out = floor((H - size) / stride) + 1, and W_out likewise.
    cache : AvgCache
        For `avg_pool2d_backward`; does not refer to x.

    Raises
    ------
    TypeError, ValueError
        As in `max_pool2d_forward`.
    """
    x, size, stride, shape = _checks.pool2d(x, size, stride)
    y = sum(x[:, rows, cols] for rows, cols in _places(shape, size, stride)) / x.dtype.type(size * size)     # (R6)
    return y, AvgCache(shape, x.shape, x.dtype, size, stride)


def avg_pool2d_backward(dy, cache):
    """Pull a gradient back through `avg_pool2d_forward`: each place of the window gets the same share.

    Parameters
    ----------
    dy : (B, H_out, W_out, C) array
        Gradient of the loss with respect to y.
    cache : AvgCache
        From `avg_pool2d_forward`.

    Returns
    -------
    (B, H, W, C) array
        Gradient with respect to x.

    Raises
    ------
    TypeError, ValueError
        If dy is not like y.
    """
    shape_out, shape, dtype, size, stride = cache
    dy = _checks.gradient(dy, (shape_out, dtype))
    dx = np.zeros(shape, dtype)
    for rows, cols in _places(shape_out, size, stride):
        dx[:, rows, cols] += dy / dtype.type(size * size)                # (R6) y = sum over the window / size^2
    return dx


def _places(shape, size, stride):
    """Give, for each place in the window in row-major order, the rows and columns of x that stand there."""
    for i in range(size):
        for j in range(size):
            yield slice(i, i + stride * (shape[1] - 1) + 1, stride), slice(j, j + stride * (shape[2] - 1) + 1, stride)
