"""Exercise batch_norm_backward: when the statistics depend on the data, and when they do not.

Each channel is normalised, multiplied by gamma and shifted by beta, (R8). Its mean and variance are either those of the batch, which
depend on every x, or given constants. The forward pass can do both, and the cache says which it did.

Your task: write dx, dgamma and dbeta. With given statistics dx is one line; with batch statistics you subtract two more terms, (R9).
A check without finite differences: with batch statistics, the dx of a channel sum to 0. Why?
Derived in docs/derivations/batch-norm.md. Mark it:  pysnn check batch_norm_backward.py
"""

import numpy as np

EXERCISE = "batch_norm_backward"


def forward(x, gamma, beta, mean=None, var=None, eps=1e-5):
    """Normalise each channel, scale and shift it; given.

    Parameters
    ----------
    x : (N, C) array
        Values.
    gamma, beta : (C,) arrays
        Scale and shift.
    mean, var : (C,) arrays, optional
        Statistics, as constants; default: those of the batch, with a variance divided by N.
    eps : float
        Added to the variance.

    Returns
    -------
    y : (N, C) array
        The result.
    cache : tuple
        What backward needs: x_hat, gamma, sigma and whether the statistics are those of the batch.
    """
    of_batch = mean is None
    if of_batch:
        mean, var = x.mean(axis=0), x.var(axis=0)
    sigma = np.sqrt(var + eps)
    x_hat = (x - mean) / sigma
    return gamma * x_hat + beta, (x_hat, gamma, sigma, of_batch)


def backward(dy, cache):
    """Compute the gradients of the inputs of forward from that of its output.

    Parameters
    ----------
    dy : (N, C) array
        Gradient of the loss with respect to y.
    cache : tuple
        From forward.

    Returns
    -------
    dx : (N, C) array
        Gradient with respect to x.
    dgamma, dbeta : (C,) arrays
        Gradients with respect to gamma and beta.
    """
    x_hat, gamma, sigma, of_batch = cache
    # your lines: dx, (R9) if of_batch; dgamma, (R8); dbeta, (R8)
    # With batch statistics, adding the same number to all x of a channel changes no y: so the dx sum to 0.
    dgamma = (dy * x_hat).sum(axis=0)                                    # (R8) y = gamma x_hat + beta
    dbeta = dy.sum(axis=0)
    dx = dy
    if of_batch:
        dx = dy - dbeta / len(dy) - x_hat * dgamma / len(dy)             # (R9)
    dx = dx * gamma / sigma
    return dx, dgamma, dbeta
