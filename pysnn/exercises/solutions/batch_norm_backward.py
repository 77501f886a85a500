"""Exercise batch_norm_backward: when the statistics depend on the data, and when they do not.

Each channel is made to have mean beta and spread gamma, (R8). The mean and the variance are either those of the batch, and then
they depend on every x; or they are given, and then they are constants. The forward pass does both and says which.

Your task: dx, dgamma and dbeta. With given statistics dx is one line; with those of the batch two more terms come off, (R9).
A check without any differences: with the statistics of the batch the dx of a channel sum up to 0. Why must they?
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
        Statistics as constants; default: those of the batch, the variance divided by N.
    eps : float
        Added to the variance.

    Returns
    -------
    y : (N, C) array
        What comes out.
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
    """Pull a gradient back through forward.

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
    # A shift of all x of a channel changes no y, so their gradients sum up to 0.
    dgamma = (dy * x_hat).sum(axis=0)                                    # (R8) y = gamma x_hat + beta
    dbeta = dy.sum(axis=0)
    dx = dy
    if of_batch:
        dx = dy - dbeta / len(dy) - x_hat * dgamma / len(dy)             # (R9)
    dx = dx * gamma / sigma
    return dx, dgamma, dbeta
