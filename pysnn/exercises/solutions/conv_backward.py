"""Exercise conv_backward: the backward pass of a convolution.

This "convolution" is a cross-correlation: the kernel is not rotated. The forward pass is given. It has one product for each tap (i, j)
of the kernel: `tap_slices` gives the rows and columns of the padded image that the tap reads. Each pixel of y is the sum over the
taps, (R2).

Your task: write dx and dw, (R4) and (R3). A value that is used several times gets the sum of the gradients of all its uses. Begin with
the loop of forward; its one line becomes two lines, one for each gradient. Note:

- several taps read the same pixel of the image;
- the padding has a gradient, but it is not part of dx.

Derived in docs/derivations/convolution-and-pooling.md, with an example by hand.
Mark it:  pysnn check conv_backward.py
"""

import numpy as np

EXERCISE = "conv_backward"


def tap_slices(i, j, shape, stride):
    """Return the rows and columns of the padded image that the tap (i, j) reads; given.

    Parameters
    ----------
    i, j : int
        Position in the kernel.
    shape : tuple
        Of y.
    stride : int
        Step between two outputs.

    Returns
    -------
    tuple of slice
        An index, padded[tap_slices(...)].
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
        The result.
    cache : tuple
        What backward needs.
    """
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    h_out, w_out = ((padded.shape[axis + 1] - w.shape[axis]) // stride + 1 for axis in (0, 1))
    y = np.zeros((len(x), h_out, w_out, w.shape[3]))
    for i in range(w.shape[0]):
        for j in range(w.shape[1]):
            y += padded[tap_slices(i, j, y.shape, stride)] @ w[i, j]
    return y, (x, w, stride, padding)


def backward(dy, cache):
    """Compute the gradients of the inputs of forward from that of its output.

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
    # The loop of forward; its one line becomes two.
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    dpadded, dw = np.zeros_like(padded), np.zeros_like(w)
    for i in range(w.shape[0]):
        for j in range(w.shape[1]):
            at = tap_slices(i, j, dy.shape, stride)
            # y += padded[at] @ w[i, j]
            dw[i, j] = np.einsum("bhvc,bhvo->co", padded[at], dy)        # (R3)
            dpadded[at] += dy @ w[i, j].T                                # (R4)
    dx = dpadded[:, padding:padding + x.shape[1], padding:padding + x.shape[2]]
    return dx, dw
