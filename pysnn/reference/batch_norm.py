"""Batch normalisation, written to be read (NumPy).

Statistics are taken over all but the last axis. docs/derivations/batch-norm.md derives (R7) ... (R10). Source: S. Ioffe and C. Szegedy,
arXiv 1502.03167.
"""

from typing import NamedTuple

import numpy as np

from .. import _checks


class Cache(NamedTuple):
    """What backward needs of forward; `mean` and `var` may be read, the rest is opaque."""

    x: np.ndarray        # (..., C)
    gamma: np.ndarray    # (C,)
    mean: np.ndarray     # (C,), of the batch, or as given
    var: np.ndarray      # (C,), biased (divided by the number of values), or as given
    eps: float
    of_batch: bool       # mean and var are functions of x; else they are constants


def batch_norm_forward(x, gamma, beta, mean=None, var=None, eps=1e-5):
    """Normalise each channel, then scale and shift it.

    Parameters
    ----------
    x : (..., C) array, float32 or float64
        Values; 2 dimensions or more.
    gamma, beta : (C,) arrays of the same dtype
        Scale and shift.
    mean, var : (C,) arrays of the same dtype, optional
        Statistics to use, as constants. Default: those of this batch, and gradients flow through them.
    eps : float
        Added to the variance.

    Returns
    -------
    y : array like x
        gamma (x - mean) / sqrt(var + eps) + beta.
    cache : Cache
        For `batch_norm_backward`; refers to x. Its fields mean and var, (C,), hold the statistics used; those of a batch are for the
        running statistics of the caller. The variance is the biased one.

    Raises
    ------
    TypeError
        For anything but float32 or float64, or a mix of both.
    ValueError
        For shapes that do not fit, an empty batch, mean without var, a negative variance, or an eps that is not positive.
    """
    x, gamma, beta, mean, var, eps = _checks.batch_norm(x, gamma, beta, mean, var, eps)
    of_batch = mean is None
    if of_batch:
        rows = x.reshape(-1, x.shape[-1])
        mean = rows.mean(axis=0, dtype=np.float64)                       # (R7)
        var = np.square(rows - mean).mean(axis=0).astype(x.dtype)
        mean = mean.astype(x.dtype)
    y = gamma * ((x - mean) / np.sqrt(var + eps)) + beta                 # (R8)
    return y, Cache(x, gamma, mean, var, eps, of_batch)


def batch_norm_backward(dy, cache):
    """Pull a gradient back through `batch_norm_forward`.

    Parameters
    ----------
    dy : array like y
        Gradient of the loss with respect to y.
    cache : Cache
        From `batch_norm_forward`.

    Returns
    -------
    dx : array like x
        Gradient with respect to x.
    dgamma, dbeta : (C,) arrays
        Gradients with respect to gamma and beta, summed over all but the last axis.

    Raises
    ------
    TypeError, ValueError
        If dy is not like y.
    """
    x, gamma, mean, var, eps, of_batch = cache
    dy = _checks.gradient(dy, x)
    sigma = np.sqrt(var + eps)
    x_hat = (x - mean) / sigma
    axes = tuple(range(x.ndim - 1))
    dbeta = dy.sum(axis=axes, dtype=np.float64)                          # (R8) y = gamma x_hat + beta
    dgamma = (dy * x_hat).sum(axis=axes, dtype=np.float64)
    dx = dy
    if of_batch:                                                         # (R9) mean and var depend on every x
        n = x.size // x.shape[-1]
        dx = dy - (dbeta / n).astype(x.dtype) - x_hat * (dgamma / n).astype(x.dtype)
    return dx * (gamma / sigma), dgamma.astype(x.dtype), dbeta.astype(x.dtype)


def fold(w, gamma, beta, mean, var, eps=1e-5):
    """Write a linear layer and the batch normalisation after it, with constant statistics, as one linear layer.

    Parameters
    ----------
    w : (..., C) array, float32 or float64
        Weights of a convolution or a dense layer without bias; the last axis is the output.
    gamma, beta, mean, var : (C,) arrays of the same dtype
        The batch normalisation.
    eps : float
        Added to the variance.

    Returns
    -------
    w : array like w
        w gamma / sqrt(var + eps).
    b : (C,) array
        Bias, beta - mean gamma / sqrt(var + eps).

    Raises
    ------
    TypeError, ValueError
        As in `batch_norm_forward`.
    """
    w, gamma, beta, mean, var, eps = _checks.batch_norm(w, gamma, beta, mean, var, eps)
    scale = gamma / np.sqrt(var + eps)                                   # (R10)
    return w * scale, beta - mean * scale
