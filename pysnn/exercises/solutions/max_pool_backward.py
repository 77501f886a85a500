"""Exercise max_pool_backward: the backward pass of max-pooling, with ties.

The forward pass takes the maximum of each window of size x size pixels. Windows do not overlap, and rows and columns that fill no window
are left out. After a ReLU whole windows are 0, so ties are common. The convention here, (R5): among equal numbers the first one, counted
row by row, gets the whole gradient.

Your task: write dx. A check by finite differences cannot tell which of several equal numbers gets the gradient; the marks do.
Derived in docs/derivations/convolution-and-pooling.md. Mark it:  pysnn check max_pool_backward.py
"""

import numpy as np

EXERCISE = "max_pool_backward"


def forward(x, size=2):
    """Take the maximum of each window; given.

    Parameters
    ----------
    x : (B, H, W, C) array
        Images.
    size : int
        Height and width of a window.

    Returns
    -------
    y : (B, H // size, W // size, C) array
        Maxima.
    cache : tuple
        What backward needs: x, the maxima and the size.
    """
    b, h, w, c = x.shape[0], x.shape[1] // size, x.shape[2] // size, x.shape[3]
    windows = x[:, :h * size, :w * size].reshape(b, h, size, w, size, c)
    y = windows.max(axis=(2, 4))
    return y, (x, y, size)


def backward(dy, cache):
    """Compute the gradients of the inputs of forward from that of its output.

    Parameters
    ----------
    dy : (B, H // size, W // size, C) array
        Gradient of the loss with respect to y.
    cache : tuple
        From forward.

    Returns
    -------
    (B, H, W, C) array
        Gradient with respect to x.
    """
    x, y, size = cache
    # your lines: dx, (R5)
    # Go through the positions of the window; `free` says where no position has got the gradient yet.
    dx, free = np.zeros_like(x), np.ones(y.shape, bool)
    for i in range(size):
        for j in range(size):
            at = (slice(None), slice(i, size * y.shape[1], size), slice(j, size * y.shape[2], size))
            first = free & (x[at] == y)
            dx[at] = np.where(first, dy, 0)                              # (R5) y = x at the first maximum
            free &= ~first
    return dx
