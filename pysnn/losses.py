"""Losses: of spike times (softmax_z, softmax_t), where the first spike wins, and of counts, rates or potentials, where the largest does.

All return the mean over the batch and its gradient. In a loss of spike times a silent output (inf) counts as Z_MAX, or as later than the
sample's last spike where that is later, and its gradient is exactly 0: there is no spike that could move.
"""

import numpy as np

from . import _checks
from .conventions import NO_SPIKE, Z_MAX


@np.errstate(under="ignore")
def softmax_z(z, y):
    """Cross-entropy of softmax(-z), the loss of the paper (L1).

    Parameters
    ----------
    z : (B, n) array, float32 or float64
        exp(t/tau) of the output spikes; inf means no spike.
    y : (B,) array of integers
        Labels, 0 to n - 1.

    Returns
    -------
    loss : float
        Mean over the batch, in nats.
    dz : (B, n) array
        Gradient of the loss with respect to z; 0 where z is inf.

    Raises
    ------
    TypeError, ValueError
        If z is no float array or holds anything but positive numbers and inf, or y holds no labels for it.
    """
    z, y = _checked_spikes(z, y)
    loss, d = _cross_entropy(-_with_silent(z), y)
    return loss, np.where(z < NO_SPIKE, -d, 0).astype(z.dtype, copy=False)


@np.errstate(under="ignore")
def softmax_t(z, y, beta=10.0):
    """Cross-entropy of softmax(-beta t) with t = ln z (L2); a shift of all spike times does not change it.

    Parameters
    ----------
    z : (B, n) array, float32 or float64
        exp(t/tau) of the output spikes; inf means no spike.
    y : (B,) array of integers
        Labels, 0 to n - 1.
    beta : float
        Inverse temperature, in units of 1/tau.

    Returns
    -------
    loss : float
        Mean over the batch, in nats.
    dz : (B, n) array
        Gradient of the loss with respect to z; 0 where z is inf.

    Raises
    ------
    TypeError, ValueError
        If z is no float array or holds anything but positive numbers and inf, or y holds no labels for it.
    """
    z, y = _checked_spikes(z, y)
    beta = z.dtype.type(_checks.positive(beta, "beta"))
    loss, d = _cross_entropy(-beta * np.log(_with_silent(z)), y)
    return loss, np.where(z < NO_SPIKE, -beta * d / z, 0).astype(z.dtype, copy=False)


@np.errstate(under="ignore")
def mse(y, labels):
    """Mean squared distance from the one-hot code of the label (L5).

    Parameters
    ----------
    y : (B, n) array, float32 or float64
        Spike counts, rates, potentials or activations.
    labels : (B,) array of integers
        Labels, 0 to n - 1.

    Returns
    -------
    loss : float
        Mean over the batch and the n outputs.
    dy : (B, n) array
        Gradient of the loss with respect to y.

    Raises
    ------
    TypeError, ValueError
        If y is no float array or labels holds no labels for it.
    """
    y, labels = _checked_outputs(y, labels)
    off = y.copy()
    off[np.arange(len(y)), labels] -= 1
    return float(np.mean(off * off)), off * y.dtype.type(2 / y.size)


@np.errstate(under="ignore")
def cross_entropy(y, labels, smoothing=0.0):
    """Cross-entropy of softmax(y) (L6), against labels that are smoothed, (L7).

    Parameters
    ----------
    y : (B, n) array, float32 or float64
        Spike counts, rates, potentials or activations.
    labels : (B,) array of integers
        Labels, 0 to n - 1.
    smoothing : float
        Share of each label, 0 to below 1, that is spread evenly over all classes.

    Returns
    -------
    loss : float
        Mean over the batch, in nats.
    dy : (B, n) array
        Gradient of the loss with respect to y.

    Raises
    ------
    TypeError, ValueError
        If y is no float array or labels holds no labels for it, or smoothing is out of range.
    """
    if not np.isscalar(smoothing) or isinstance(smoothing, (str, bytes, bool, complex)) or not 0 <= smoothing < 1:
        raise ValueError(f"smoothing: expected a number from 0 to below 1, got {smoothing!r}")
    return _cross_entropy(*_checked_outputs(y, labels), smoothing)


def _checked_outputs(y, labels):
    y = _checks.array(y, "y", ndim=2)
    return y, _checks.labels(labels, "labels", len(y), y.shape[1])


def _checked_spikes(z, y):
    z = _checks.array(z, "z", ndim=2)
    _checks.spike_z(z, "z")
    return z, _checks.labels(y, "y", len(z), z.shape[1])


def _with_silent(z):
    """Return z with Z_MAX for silent outputs; where a spike of the sample is later, with a power of two, 2 to 4 times that spike."""
    latest = z.max(axis=1, where=z < NO_SPIKE, initial=0, keepdims=True)
    after = np.minimum(np.ldexp(1.0, np.minimum(np.frexp(latest)[1] + 1, 1023)), np.finfo(z.dtype).max)      # constant around z
    return np.where(z < NO_SPIKE, z, np.where(latest < Z_MAX, Z_MAX, after).astype(z.dtype))


def _cross_entropy(scores, y, smoothing=0.0):
    """Return the mean cross-entropy of softmax(scores) and its gradient (softmax - target) / B; the target is one-hot, or smoothed."""
    rows = np.arange(len(y))
    scores = scores - scores.max(axis=1, keepdims=True)
    e = np.exp(scores)
    total = e.sum(axis=1)
    loss = float(np.mean(np.log(total) - scores[rows, y]))
    d = e / total[:, None]
    if smoothing:
        share = scores.dtype.type(smoothing)
        loss += float(np.mean(share * (scores[rows, y] - scores.mean(axis=1))))
        d -= share / d.dtype.type(d.shape[1])
        d[rows, y] += share
    d[rows, y] -= 1
    return loss, d / len(y)
