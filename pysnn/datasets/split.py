"""Split validation samples off the training samples of a data set."""

import numpy as np

from ..conventions import Sequences
from ._rows import chosen


def split_validation(y, n_val, rng):
    """Split a training set into a smaller one and a validation set, with the same share of every class in both.

    Parameters
    ----------
    y : numpy.ndarray
        Integer labels (N,).
    n_val : int
        Size of the validation set, 0 < n_val < N. Where n_val times the share of a class is not whole, the classes
        with the largest remainders get one more (the smaller label first). Every class keeps one to train on if n_val allows.
    rng : numpy.random.Generator
        Chooses the samples.

    Returns
    -------
    train_idx, val_idx : numpy.ndarray
        int64, sorted; together every index once.

    Raises
    ------
    TypeError
        If y is not an integer array or rng not a Generator.
    ValueError
        If y is not one-dimensional or n_val is out of range.
    """
    if not isinstance(y, np.ndarray) or not np.issubdtype(y.dtype, np.integer):
        raise TypeError(f"y: expected an array of integer labels, got {getattr(y, 'dtype', type(y).__name__)}")
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng: expected numpy.random.default_rng(seed), got {type(rng).__name__}")
    if y.ndim != 1 or not 0 < n_val < len(y):
        raise ValueError(f"expected labels (N,) and 0 < n_val < N, got shape {y.shape} and n_val = {n_val}")
    labels, counts = np.unique(y, return_counts=True)
    quota, remainder = np.divmod(n_val * counts, len(y))
    while short := n_val - quota.sum():                               # once, unless a class would be left without training samples
        room = quota < counts - (n_val <= len(y) - len(labels))
        quota[np.argsort(-np.where(room, remainder, -1), kind="stable")[:min(short, room.sum())]] += 1
    chosen = [rng.permutation(np.flatnonzero(y == label))[:q] for label, q in zip(labels, quota, strict=True)]
    val_idx = np.sort(np.concatenate(chosen))
    return np.setdiff1d(np.arange(len(y)), val_idx), val_idx


def held_out(data, n_val=None, seed=0):
    """Set validation samples apart from a data set's training samples.

    Parameters
    ----------
    data : Dataset
        The data; its test set stays where it is.
    n_val : int, optional
        How many training samples to hold out, 0 for none; by default the data set's own validation samples, as of Yin-Yang and of data of
        your own, elsewhere a twelfth, and none of XOR's four.
    seed : int
        For the choice.

    Returns
    -------
    train, validation : tuple
        (x, y) each, y labels or targets; where samples differ in length x is a `pysnn.conventions.Sequences`; validation is None if there
        is none.

    Raises
    ------
    ValueError
        If n_val leaves nothing to train on, of all samples or of a class.
    """
    n = len(data.x_train)
    if n_val is None and data.x_val is not None:
        x = data.x_val if data.lengths_val is None else Sequences(data.x_val, data.lengths_val)
        return _chosen(data, slice(None)), (x, data.y_val)
    if n_val is None:
        n_val = 0 if data.name == "xor" else n // 12
    if not 0 <= n_val < n:
        raise ValueError(f"validation: expected 0 to {n - 1} of the training samples, got {n_val}")
    if n_val == 0:
        return _chosen(data, slice(None)), None
    t, v = split_validation(np.zeros(n, np.int64) if data.regression else data.y_train, n_val, np.random.default_rng(seed))
    if data.regression:
        return _chosen(data, t), _chosen(data, v)
    if lost := sorted(set(data.y_train.tolist()) - set(data.y_train[t].tolist())):
        raise ValueError(f"validation: expected a training sample left for each class, got none for {data.classes[lost[0]]}; hold out "
                         f"fewer than {n_val}")
    return _chosen(data, t), _chosen(data, v)


def _chosen(data, some):
    """Choose training samples and labels."""
    x = data.x_train if data.lengths_train is None else Sequences(data.x_train, data.lengths_train)
    return chosen(x, some), data.y_train[some]
