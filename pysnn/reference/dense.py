"""The dense layer, written to be read (NumPy). docs/derivations/convolution-and-pooling.md derives (R1)."""

from typing import NamedTuple

import numpy as np

from .. import _checks
from .._blas import one_thread


class Cache(NamedTuple):
    """What backward needs of forward; opaque."""

    x: np.ndarray
    w: np.ndarray
    has_b: bool


def dense_forward(x, w, b=None):
    """Multiply by a weight matrix.

    Parameters
    ----------
    x : (B, N_in) array, float32 or float64
        Inputs.
    w : (N_in, N_out) array of the same dtype
        Weights.
    b : (N_out,) array of the same dtype, optional
        Biases.

    Returns
    -------
    y : (B, N_out) array
        x w + b.
    cache : Cache
        For `dense_backward`; refers to x and w.

    Raises
    ------
    TypeError
        For anything but float32 or float64, or a mix of both.
    ValueError
        For shapes that do not fit, or an empty batch.
    """
    x, w, b = _checks.dense(x, w, b)
    with one_thread():                                                   # the same bits for any number of threads
        y = x @ w if b is None else x @ w + b                            # (R1)
    return y, Cache(x, w, b is not None)


def dense_backward(dy, cache, need_dx=True):
    """Pull a gradient back through `dense_forward`.

    Parameters
    ----------
    dy : (B, N_out) array
        Gradient of the loss with respect to y.
    cache : Cache
        From `dense_forward`.
    need_dx : bool
        Whether dx is needed; the first layer of a network needs none.

    Returns
    -------
    dx : (B, N_in) array or None
        Gradient with respect to x.
    dw : (N_in, N_out) array
        Gradient with respect to w, summed over the batch.
    db : (N_out,) array or None
        Gradient with respect to b, summed over the batch; None where there is no b.

    Raises
    ------
    TypeError, ValueError
        If dy is not like y.
    """
    x, w, has_b = cache
    dy = _checks.gradient(dy, ((len(x), w.shape[1]), x.dtype))
    db = dy.sum(axis=0) if has_b else None                               # (R1) y = x w + b
    with one_thread():
        return dy @ w.T if need_dx else None, x.T @ dy, db
