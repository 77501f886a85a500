"""Exercise max_pool_backward: the winner takes all.

The forward pass takes the largest number of each window of size x size pixels; windows do not overlap, and rows and columns that
fill no window are left out. After a ReLU whole windows are 0, so equal numbers are no rarity. The convention here, (R5): of equal
numbers the first wins, counted row by row, and takes the whole gradient.

Your task: dx. A gradient check will not tell you who wins among equals; the items do.
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
    """Pull a gradient back through forward.

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
    # Position after position of the window, as long as no entry has taken the gradient.
    dx, free = np.zeros_like(x), np.ones(y.shape, bool)
    for i in range(size):
        for j in range(size):
            at = (slice(None), slice(i, size * y.shape[1], size), slice(j, size * y.shape[2], size))
            wins = free & (x[at] == y)
            dx[at] = np.where(wins, dy, 0)                               # (R5) y = x at the winner
            free &= ~wins
    return dx
