"""Exercise conv_backward: back through a convolution.

What is called convolution is correlation: the kernel is not turned. The forward pass is given, one product for each tap (i, j) of
the kernel: `seen` says which rows and columns of the padded image that tap looks at, and each pixel of y gets the sum, (R2).

Your task: dx and dw, (R4) and (R3). One rule does for all of it: what went out to many comes back as a sum, by the same ways.
Begin with the loop of forward, and turn its one line round twice. Mind:

- a pixel of the image is seen by several taps;
- the padding has a gradient, but nobody asks for it.

Derived in docs/derivations/convolution-and-pooling.md, with an example by hand.
Mark it:  pysnn check conv_backward.py
"""

import numpy as np

EXERCISE = "conv_backward"


def seen(i, j, shape, stride):
    """Say which rows and columns of the padded image the tap (i, j) looks at; given.

    Parameters
    ----------
    i, j : int
        Place in the kernel.
    shape : tuple
        Of y.
    stride : int
        Step between two outputs.

    Returns
    -------
    tuple of slice
        To be used as padded[seen(...)].
    """
    return slice(None), slice(i, i + stride * (shape[1] - 1) + 1, stride), slice(j, j + stride * (shape[2] - 1) + 1, stride)


def forward(x, w, stride=1, padding=0):
    """Correlate images with a kernel; given.

    Parameters
    ----------
    x : (B, H, W, C_in) array
        Images.
    w : (kh, kw, C_in, C_out) array
        Kernel.
    stride : int
        Step between two outputs.
    padding : int
        Rows and columns of zeros on each side.

    Returns
    -------
    y : (B, H_out, W_out, C_out) array
        What comes out.
    cache : tuple
        What backward needs.
    """
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    h_out, w_out = ((padded.shape[axis + 1] - w.shape[axis]) // stride + 1 for axis in (0, 1))
    y = np.zeros((len(x), h_out, w_out, w.shape[3]))
    for i in range(w.shape[0]):
        for j in range(w.shape[1]):
            y += padded[seen(i, j, y.shape, stride)] @ w[i, j]
    return y, (x, w, stride, padding)


def backward(dy, cache):
    """Pull a gradient back through forward.

    Parameters
    ----------
    dy : (B, H_out, W_out, C_out) array
        Gradient of the loss with respect to y.
    cache : tuple
        From forward.

    Returns
    -------
    dx : (B, H, W, C_in) array
        Gradient with respect to x.
    dw : (kh, kw, C_in, C_out) array
        Gradient with respect to w, summed over the batch.
    """
    x, w, stride, padding = cache
    # your lines: dx, (R4); dw, (R3)
    # The loop of forward, its line turned round twice.
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    dpadded, dw = np.zeros_like(padded), np.zeros_like(w)
    for i in range(w.shape[0]):
        for j in range(w.shape[1]):
            at = seen(i, j, dy.shape, stride)
            # y += padded[at] @ w[i, j]
            dw[i, j] = np.einsum("bhvc,bhvo->co", padded[at], dy)        # (R3)
            dpadded[at] += dy @ w[i, j].T                                # (R4)
    dx = dpadded[:, padding:padding + x.shape[1], padding:padding + x.shape[2]]
    return dx, dw
