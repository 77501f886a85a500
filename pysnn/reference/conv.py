"""Convolution in two dimensions, written to be read (NumPy, one product for each tap of the kernel).

What is called convolution here is cross-correlation, as in all of deep learning: the kernel is not flipped.
docs/derivations/convolution-and-pooling.md derives (R2) ... (R4).
"""

from typing import NamedTuple

import numpy as np

from .. import _checks
from .._blas import one_thread


class Cache(NamedTuple):
    """What backward needs of forward; opaque."""

    x: np.ndarray        # (B, H, W, C_in)
    w: np.ndarray        # (kh, kw, C_in, C_out)
    stride: int
    padding: int
    shape: tuple         # of y


def conv2d_forward(x, w, stride=1, padding=0):
    """Correlate images with a kernel.

    Parameters
    ----------
    x : (B, H, W, C_in) array, float32 or float64
        Images.
    w : (kh, kw, C_in, C_out) array of the same dtype
        Kernel.
    stride : int
        Step between two outputs, in both directions.
    padding : int
        Rows and columns of zeros added on each side.

    Returns
    -------
    y : (B, H_out, W_out, C_out) array
        H_out = floor((H + 2 padding - kh) / stride) + 1, and W_out likewise.
    cache : Cache
        For `conv2d_backward`; refers to x and w.

    Raises
    ------
    TypeError
        For anything but float32 or float64, or a mix of both.
    ValueError
        For shapes that do not fit, a kernel larger than the padded image, an empty batch, a stride below 1 or a padding below 0.
    """
    x, w, stride, padding, shape = _checks.conv2d(x, w, stride, padding)
    padded = _padded(x, padding)
    y = np.zeros(shape, x.dtype)
    with one_thread():                                                   # the same bits for any number of threads
        for i, j, rows, cols in _taps(w, shape, stride):
            y += padded[:, rows, cols] @ w[i, j]                         # (R2)
    return y, Cache(x, w, stride, padding, shape)


def conv2d_backward(dy, cache, need_dx=True):
    """Pull a gradient back through `conv2d_forward`.

    Parameters
    ----------
    dy : (B, H_out, W_out, C_out) array
        Gradient of the loss with respect to y.
    cache : Cache
        From `conv2d_forward`.
    need_dx : bool
        False for a first layer: nobody asks for the gradient of an image.

    Returns
    -------
    dx : (B, H, W, C_in) array or None
        Gradient with respect to x; None if not asked for.
    dw : (kh, kw, C_in, C_out) array
        Gradient with respect to w, summed over the batch.

    Raises
    ------
    TypeError, ValueError
        If dy is not like y.
    """
    x, w, stride, padding, shape = cache
    dy = _checks.gradient(dy, (shape, x.dtype))
    padded = _padded(x, padding)
    dpadded, dw = np.zeros_like(padded), np.empty_like(w)
    with one_thread():
        for i, j, rows, cols in _taps(w, shape, stride):
            # (R2) y += padded[:, rows, cols] @ w[i, j]
            dw[i, j] = np.tensordot(padded[:, rows, cols], dy, axes=((0, 1, 2), (0, 1, 2)))     # (R3)
            if need_dx:
                dpadded[:, rows, cols] += dy @ w[i, j].T                 # (R4)
    dx = dpadded[:, padding:padding + x.shape[1], padding:padding + x.shape[2]]
    return np.ascontiguousarray(dx) if need_dx else None, dw


def _padded(x, padding):
    """Put rows and columns of zeros around images."""
    return np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0))) if padding else x


def _taps(w, shape, stride):
    """Give the place (i, j) of each tap of the kernel, and the rows and columns of the padded image that it sees."""
    for i in range(w.shape[0]):
        for j in range(w.shape[1]):
            yield i, j, slice(i, i + stride * (shape[1] - 1) + 1, stride), slice(j, j + stride * (shape[2] - 1) + 1, stride)
