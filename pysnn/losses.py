"""Losses: of spike times (softmax_z, softmax_t), where the first spike wins, and of counts, rates or potentials, where the largest does.

`squared`, and of spike times `squared_t`, are for regression: the outputs are to meet targets.

All return the mean over the batch and its gradient. In a loss of spike times a silent output (inf) counts as Z_MAX, or as later than the
sample's last spike where that is later, and its gradient is exactly 0: there is no spike that could move. With a `weight` a sample counts
so many times in mean and gradient, (L8).
"""

import numpy as np

from . import _checks
from .conventions import NO_SPIKE, Z_MAX


@np.errstate(under="ignore")
def softmax_z(z, y, weight=None):
    """Cross-entropy of softmax(-z), the loss of the paper (L1).

    Parameters
    ----------
    z : (B, n) array, float32 or float64
        exp(t/tau) of the output spikes; inf means no spike.
    y : (B,) array of integers
        Labels, 0 to n - 1.
    weight : (B,) array, optional
        How many times each sample counts; default: once.

    Returns
    -------
    loss : float
        Mean over the batch, in nats.
    dz : (B, n) array
        Gradient of the loss with respect to z; 0 where z is inf.

    Raises
    ------
    TypeError, ValueError
        If z is no float array or holds anything but positive numbers and inf, or y holds no labels for it, or weight no weights.
    """
    z, y = _checked_spikes(z, y)
    loss, d = _cross_entropy(-_with_silent(z), y, weight=weight)
    return loss, np.where(z < NO_SPIKE, -d, 0).astype(z.dtype, copy=False)


@np.errstate(under="ignore")
def softmax_t(z, y, beta=10.0, weight=None):
    """Cross-entropy of softmax(-beta t) with t = ln z (L2); a shift of all spike times does not change it.

    Parameters
    ----------
    z : (B, n) array, float32 or float64
        exp(t/tau) of the output spikes; inf means no spike.
    y : (B,) array of integers
        Labels, 0 to n - 1.
    beta : float
        Inverse temperature, in units of 1/tau.
    weight : (B,) array, optional
        How many times each sample counts; default: once.

    Returns
    -------
    loss : float
        Mean over the batch, in nats.
    dz : (B, n) array
        Gradient of the loss with respect to z; 0 where z is inf.

    Raises
    ------
    TypeError, ValueError
        If z is no float array or holds anything but positive numbers and inf, or y holds no labels for it, or weight no weights.
    """
    z, y = _checked_spikes(z, y)
    beta = z.dtype.type(_checks.positive(beta, "beta"))
    loss, d = _cross_entropy(-beta * np.log(_with_silent(z)), y, weight=weight)
    return loss, np.where(z < NO_SPIKE, -beta * d / z, 0).astype(z.dtype, copy=False)


@np.errstate(under="ignore")
def mse(y, labels, weight=None):
    """Mean squared distance from the one-hot code of the label (L5).

    Parameters
    ----------
    y : (B, n) array, float32 or float64
        Spike counts, rates, potentials or activations.
    labels : (B,) array of integers
        Labels, 0 to n - 1.
    weight : (B,) array, optional
        How many times each sample counts; default: once.

    Returns
    -------
    loss : float
        Mean over the batch and the n outputs.
    dy : (B, n) array
        Gradient of the loss with respect to y.

    Raises
    ------
    TypeError, ValueError
        If y is no float array, labels holds no labels for it, or weight no weights.
    """
    y, labels = _checked_outputs(y, labels)
    off = y.copy()
    off[np.arange(len(y)), labels] -= 1
    return _mean(off * off, weight), _weighted(off * y.dtype.type(2 / y.size), weight)


@np.errstate(under="ignore")
def cross_entropy(y, labels, smoothing=0.0, weight=None):
    """Cross-entropy of softmax(y) (L6), against labels that are smoothed, (L7).

    Parameters
    ----------
    y : (B, n) array, float32 or float64
        Spike counts, rates, potentials or activations.
    labels : (B,) array of integers
        Labels, 0 to n - 1.
    smoothing : float
        Share of each label, 0 to below 1, that is spread evenly over all classes.
    weight : (B,) array, optional
        How many times each sample counts; default: once.

    Returns
    -------
    loss : float
        Mean over the batch, in nats.
    dy : (B, n) array
        Gradient of the loss with respect to y.

    Raises
    ------
    TypeError, ValueError
        If y is no float array, labels holds no labels for it, weight no weights, or smoothing is out of range.
    """
    if not np.isscalar(smoothing) or isinstance(smoothing, (str, bytes, bool, complex)) or not 0 <= smoothing < 1:
        raise ValueError(f"smoothing: expected a number from 0 to below 1, got {smoothing!r}")
    return _cross_entropy(*_checked_outputs(y, labels), smoothing, weight)


@np.errstate(under="ignore")
def squared(y, target, weight=None):
    """Mean squared distance from targets, for regression (L9).

    Parameters
    ----------
    y : (B, n) array, float32 or float64
        Potentials, activations or what else is to meet the targets.
    target : (B, n) array
        Targets, finite.
    weight : (B,) array, optional
        How many times each sample counts; default: once.

    Returns
    -------
    loss : float
        Mean over the batch and the n outputs.
    dy : (B, n) array
        Gradient of the loss with respect to y.

    Raises
    ------
    TypeError, ValueError
        If y is no float array, target holds no targets for it, or weight no weights.
    """
    y = _checks.array(y, "y", ndim=2)
    off = y - _checks.targets(target, "target", *y.shape).astype(y.dtype)
    return _mean(off * off, weight), _weighted(off * y.dtype.type(2 / y.size), weight)


@np.errstate(under="ignore")
def squared_t(z, target, t_zero=1.5, t_unit=0.25, weight=None):
    """Mean squared distance of a linear map of spike times from targets, for regression (L10); see `values_t`.

    Parameters
    ----------
    z : (B, n) array, float32 or float64
        exp(t/tau) of the output spikes; inf means no spike.
    target : (B, n) array
        Targets, finite.
    t_zero, t_unit : float
        In tau: when an output spikes that means 0, and how much earlier one that means 1.
    weight : (B,) array, optional
        How many times each sample counts; default: once.

    Returns
    -------
    loss : float
        Mean over the batch and the n outputs.
    dz : (B, n) array
        Gradient of the loss with respect to z; 0 where z is inf.

    Raises
    ------
    TypeError, ValueError
        If z is no float array or holds anything but positive numbers and inf, target holds no targets for it, or weight no weights.
    """
    z = _checks.array(z, "z", ndim=2)
    _checks.spike_z(z, "z")
    loss, d = squared(values_t(z, t_zero, t_unit), target, weight)
    return loss, np.where(z < NO_SPIKE, -d / (z * z.dtype.type(t_unit)), 0).astype(z.dtype, copy=False)


def values_t(z, t_zero=1.5, t_unit=0.25):
    """Read numbers from spike times: (t_zero - t) / t_unit, so that a larger number is an earlier spike (L10).

    Parameters
    ----------
    z : (B, n) array
        exp(t/tau) of the output spikes; one that is silent, inf, counts as in the loss.
    t_zero, t_unit : float
        In tau: when an output spikes that means 0, and how much earlier one that means 1.

    Returns
    -------
    (B, n) array
        The numbers, in the dtype of z.
    """
    kind = z.dtype.type
    return (kind(t_zero) - np.log(_with_silent(z))) / kind(_checks.positive(t_unit, "t_unit"))


def _checked_outputs(y, labels):
    y = _checks.array(y, "y", ndim=2)
    return y, _checks.labels(labels, "labels", len(y), y.shape[1])


def _checked_spikes(z, y):
    z = _checks.array(z, "z", ndim=2)
    _checks.spike_z(z, "z")
    return z, _checks.labels(y, "y", len(z), z.shape[1])


def _with_silent(z):
    """Return z with Z_MAX for silent outputs; where a spike of the sample is later, with a power of two, 2 to 4 times that spike."""
    fires = z < NO_SPIKE
    if fires.all():
        return z
    latest = z.max(axis=1, where=fires, initial=0, keepdims=True)
    after = np.minimum(np.ldexp(1.0, np.minimum(np.frexp(latest)[1] + 1, 1023)), np.finfo(z.dtype).max)      # constant around z
    return np.where(fires, z, np.where(latest < Z_MAX, Z_MAX, after).astype(z.dtype))


def _cross_entropy(scores, y, smoothing=0.0, weight=None):
    """Return the mean cross-entropy of softmax(scores) and its gradient (softmax - target) / B; the target is one-hot, or smoothed."""
    rows = np.arange(len(y))
    scores = scores - scores.max(axis=1, keepdims=True)
    e = np.exp(scores)
    total = e.sum(axis=1)
    loss = _mean(np.log(total) - scores[rows, y], weight)
    d = e / total[:, None]
    if smoothing:
        share = scores.dtype.type(smoothing)
        loss += _mean(share * (scores[rows, y] - scores.mean(axis=1)), weight)
        d -= share / d.dtype.type(d.shape[1])
        d[rows, y] += share
    d[rows, y] -= 1
    return loss, _weighted(d / len(y), weight)


def _mean(values, weight):
    """Return the mean over samples, the first axis, and outputs; each sample counts `weight` times, (L8)."""
    return float(np.mean(_weighted(values, weight)))


def _weighted(values, weight):
    """Multiply what belongs to a sample, the first axis, by its weight."""
    if weight is None:
        return values
    weight = _checks.weights(weight, "weight", len(values)).astype(values.dtype)
    return values * weight.reshape(-1, *[1] * (values.ndim - 1))
