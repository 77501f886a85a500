"""Checks of sequences that a user gives, and their scale."""

import numpy as np

from .. import _checks
from .._checks import describe
from ..conventions import Sequences
from ._rows import Scale

FURTHEST = 10           # standard deviations from the mean, beyond which values are cut off


def check_sequences(x, n_channels=None, name="X"):
    """Return sequences as a float array (N, T, n), or as Sequences where they differ in length; zeros stand behind the end of each.

    `n_channels` is how many there must be; None: any number. `name` is what messages call the sequences.
    """
    lengths = None
    if isinstance(x, Sequences):
        x, lengths = x.x, x.lengths
    elif isinstance(x, (list, tuple)) or (isinstance(x, np.ndarray) and x.dtype == object and x.ndim == 1):
        x, lengths = _padded([_checks.table(one, f"{name}[{b}]") for b, one in enumerate(x)], name)
    x = _checks.table(x, name)
    x = x[:, :, None] if x.ndim == 2 else x
    if x.ndim != 3 or not x.size:
        raise ValueError(f"{name}: expected sequences (N, T, n), or (N, T) of one channel, or a list of arrays (T, n), got {describe(x)}")
    if n_channels not in (None, x.shape[2]):
        hint = "; is time the last axis? It must be the one before" if x.shape[1] == n_channels else ""
        raise ValueError(f"{name}: expected {n_channels} channels, got {x.shape[2]}: {describe(x)}{hint}")
    x = x if x.dtype in _checks.FLOATS else x.astype(np.float32 if x.dtype in (np.uint8, bool) else np.float64)
    if lengths is not None:
        x = x[:, :lengths.max()]
        x = np.where((np.arange(x.shape[1]) < lengths[:, None])[:, :, None], x, x.dtype.type(0))
    _checks.finite(x, name)
    return x if lengths is None or lengths.min() == x.shape[1] else Sequences(x, lengths)


def _padded(arrays, name):
    """Lay arrays (T, n), or (T,) of one channel, into one array; return it with their lengths."""
    arrays = [a[:, None] if a.ndim == 1 else a for a in arrays]
    if not arrays:
        raise ValueError(f"{name}: expected at least one sequence, got none")
    if other := [b for b, a in enumerate(arrays) if a.ndim != 2]:
        raise ValueError(f"{name}[{other[0]}]: expected a sequence (T, n), or (T,) of one channel, got {describe(arrays[other[0]])}")
    lengths = np.array([len(a) for a in arrays])
    if other := [b for b, a in enumerate(arrays) if a.shape[1] != arrays[0].shape[1]]:
        hint = "; is time the last axis? It must be the first" if (lengths == lengths[0]).all() else ""
        raise ValueError(f"{name}: expected as many channels in all sequences, got shapes {arrays[0].shape} and, in {name}[{other[0]}], "
                         f"{arrays[other[0]].shape}{hint}")
    if not lengths.min() or not arrays[0].shape[1]:
        k = lengths.argmin()
        raise ValueError(f"{name}[{k}]: expected at least one step and one channel, got {describe(arrays[k])}")
    x = np.zeros((len(arrays), lengths.max(), arrays[0].shape[1]), np.result_type(*arrays))
    for b, a in enumerate(arrays):
        x[b, :len(a)] = a
    return x, lengths


def moments(x, name="X"):
    """Return mean and standard deviation of each channel, over all steps of all samples; of spikes, 0 and 1 alone, 0 and 1."""
    values = x.x[x.there.T] if isinstance(x, Sequences) else x.reshape(-1, x.shape[-1])
    kind, n = values.dtype.type, values.shape[1]
    if ((values == 0) | (values == 1)).all():
        return np.zeros(n, kind), np.ones(n, kind)
    with np.errstate(over="ignore", invalid="ignore"):
        mean, std = values.mean(axis=0, dtype=np.float64), values.std(axis=0, dtype=np.float64)
    if not np.isfinite(std.astype(kind)).all():
        raise ValueError(f"{name}: expected channels whose standard deviation is a {values.dtype} number, got {values.min()} to "
                         f"{values.max()}")
    return mean.astype(kind), np.where(np.ptp(values, axis=0) > 0, std, 1).astype(kind)


def standardised(x, mean, std):
    """Return (x - mean)/std, cut off at FURTHEST."""
    if isinstance(x, Sequences):
        return Sequences(standardised(x.x, mean, std), x.lengths)
    return Scale(mean, std, -FURTHEST, FURTHEST)(x)
