"""What a network's outputs are worth: accuracy, time and spikes to a decision; of numbers R2 and the root mean squared error."""

from typing import NamedTuple

import numpy as np

from . import _checks


class Accuracy(NamedTuple):
    """Share of right decisions, 0 to 1."""

    expected: float   # ties for the first spike are broken uniformly at random (expectation)
    strict: float     # a tie is wrong
    inclusive: float  # a tie is right when the label is among the first


class Regression(NamedTuple):
    """How near numbers come to their targets."""

    r2: float         # 1 - mean squared error / variance of the targets, the mean over the targets; at most 1
    rmse: float       # root of the mean squared error, in the unit of the targets


def regression(values, y):
    """Score numbers against targets.

    Parameters
    ----------
    values : (B, n) array
        The numbers.
    y : (B, n) array
        The targets.

    Returns
    -------
    Regression
        R2 and root mean squared error.

    Raises
    ------
    TypeError, ValueError
        If y holds no targets for values.
    """
    y = _checks.targets(y, "y", *np.shape(values))
    return regression_of(squared_errors(values, y), y.var(axis=0, dtype=np.float64))


def squared_errors(values, y):
    """Compute the mean squared error of each target.

    Parameters
    ----------
    values, y : (B, n) arrays
        Numbers and targets.

    Returns
    -------
    (n,) array
        Mean over the samples.
    """
    return np.mean((np.asarray(values, np.float64) - np.reshape(y, np.shape(values))) ** 2, axis=0)


def regression_of(errors, variances):
    """Turn mean squared errors into a score.

    Parameters
    ----------
    errors, variances : (n,) arrays
        Of each target the mean squared error, and the variance that R2 compares it with.

    Returns
    -------
    Regression
        A target that does not vary counts as R2 = 1 if it is met, else as 0.
    """
    constant = variances == 0
    r2 = np.where(constant, errors == 0, 1 - errors / np.where(constant, 1, variances))
    return Regression(float(np.mean(r2)), float(np.sqrt(np.mean(errors))))


def accuracy(z, y):
    """Score "the first spike wins".

    Parameters
    ----------
    z : (B, n) array
        exp(t/tau) or t of the output spikes; inf means no spike. Where all are silent, all are tied.
    y : (B,) array of integers
        Labels.

    Returns
    -------
    Accuracy
        The accuracy, with the two bounds that other tie rules give.

    Raises
    ------
    TypeError, ValueError
        If y holds no labels for z.
    """
    right, n_tied = _first(z, y)
    return Accuracy(float(np.mean(right / n_tied)), float(np.mean(right & (n_tied == 1))), float(np.mean(right)))


def _first(z, y):
    """Return whether the label is among the first, and how many are."""
    z = _checks.array(z, "z", ndim=2)
    y = _checks.labels(y, "y", len(z), z.shape[1])
    first = z == z.min(axis=1, keepdims=True)
    return first[np.arange(len(y)), y], first.sum(axis=1)


def accuracy_in_time(z, y, t):
    """Accuracy if the decision is due at time t; a sample without an output spike by then is a guess.

    Parameters
    ----------
    z : (B, n) array
        exp(t/tau) of the output spikes; inf means no spike.
    y : (B,) array of integers
        Labels.
    t : (k,) array
        Times, in units of tau.

    Returns
    -------
    (k,) array
        Expected accuracy at each time.
    """
    right, n_tied = _first(z, y)
    with np.errstate(divide="ignore"):
        decided = np.log(z.min(axis=1))[:, None] <= np.asarray(t)[None, :]
    return np.where(decided, (right / n_tied)[:, None], 1 / z.shape[1]).mean(axis=0)


def spikes_before(z_layers, z_out):
    """Count the spikes of each layer up to each sample's decision, the first output spike.

    Parameters
    ----------
    z_layers : list of (B, n) arrays
        exp(t/tau) of the spikes of each layer.
    z_out : (B, n) array
        exp(t/tau) of the output spikes; without any, all spikes count.

    Returns
    -------
    list of float
        Mean number of spikes a sample, one for each layer.
    """
    due = z_out.min(axis=1, keepdims=True)
    return [float(((z <= due) & np.isfinite(z)).sum(axis=1).mean()) for z in z_layers]


def confusion(y, y_found, n_classes):
    """Count how often class i was called j.

    Parameters
    ----------
    y, y_found : (B,) arrays of integers
        Labels and decisions.
    n_classes : int
        Number of classes.

    Returns
    -------
    (n_classes, n_classes) array of integers
        Rows: true class; columns: decision.

    Raises
    ------
    TypeError, ValueError
        If one of them is no array of labels 0 to n_classes - 1.
    """
    y, y_found = _checks.labels(y, "y", len(y), n_classes), _checks.labels(y_found, "y_found", len(y), n_classes)
    out = np.zeros((n_classes, n_classes), np.int64)
    np.add.at(out, (y, y_found), 1)
    return out
