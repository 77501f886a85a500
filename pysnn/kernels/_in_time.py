"""Input spikes in the order of time, as the kernels of exact spike times take them."""

import numpy as np

from .._jit import njit
from .._threads import cut, spread

_SAMPLES = 32        # samples a block


def in_time(z_in):
    """Sort the spikes of each sample by time, ties by index.

    Parameters
    ----------
    z_in : (B, N_in) array
        Times, or exp of them, positive; inf means no spike.

    Returns
    -------
    order : (B, N_in) uint32 array
        Which inputs.
    z_sorted : (B, N_in) array
        Their times.
    count : (B, 2) int64 array
        How many spikes come before the last time, and how many in all.
    """
    spikes = (np.empty(z_in.shape, np.uint32), np.empty_like(z_in), np.empty((len(z_in), 2), np.int64))
    spread(lambda b0, b1: _sort(z_in, spikes, b0, b1), cut(len(z_in), _SAMPLES))
    return spikes


def _sort(z, spikes, b0, b1):
    """Sort the spikes of samples b0:b1 by time, ties by index, and say where the last time begins and where silence does."""
    order, z_sorted, n_spikes = spikes
    if z.dtype == np.float32:       # positive floats sort like their bits: bits and index in one integer is what NumPy sorts fastest
        keys = np.empty(z[b0:b1].shape, np.uint64)
        most = _pack(z[b0:b1], z.view(np.uint32)[b0:b1], keys)
        keys[:, :most].sort(axis=1)
        _unpack(keys, order[b0:b1], z_sorted.view(np.uint32)[b0:b1])
    else:
        order[b0:b1] = z[b0:b1].argsort(axis=1, kind="stable")
        z_sorted[b0:b1] = np.take_along_axis(z[b0:b1], order[b0:b1].astype(np.int64), axis=1)
    _count(z_sorted[b0:b1], n_spikes[b0:b1])


@njit
def _pack(z, bits, keys):
    """Pack times and indices, those that never come last; return how many come in the sample with the most spikes."""
    most, n_in = 0, bits.shape[1]
    for b in range(bits.shape[0]):
        n, rest = 0, n_in
        for i in range(n_in - 1, -1, -1):                   # from the end, so that the rest is in order
            key, comes = np.uint64(bits[b, i]) << np.uint64(32) | np.uint64(i), z[b, i] < np.inf
            rest -= not comes
            keys[b, n if comes else rest] = key
            n += comes
        most = max(most, n)
    return most


@njit
def _unpack(keys, order, bits):
    for b in range(keys.shape[0]):
        for i in range(keys.shape[1]):
            order[b, i] = np.uint32(keys[b, i])
            bits[b, i] = np.uint32(keys[b, i] >> np.uint64(32))


@njit
def _count(z_sorted, n_spikes):
    """Count the spikes before the last time, and all."""
    for b in range(z_sorted.shape[0]):
        n_all = z_sorted.shape[1]
        while n_all > 0 and z_sorted[b, n_all - 1] == np.inf:
            n_all -= 1
        n_head = n_all
        while n_head > 0 and z_sorted[b, n_head - 1] == z_sorted[b, n_all - 1]:
            n_head -= 1
        n_spikes[b, 0], n_spikes[b, 1] = n_head, n_all
