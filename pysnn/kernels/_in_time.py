"""Input spikes in the order of time, as the kernels of exact spike times take them."""

import numpy as np

from .._jit import njit
from .._threads import cut, spread

_SAMPLES = 32        # samples a block
_DIGIT, _DIGIT_OF_FEW, _MANY = 9, 6, 256         # bits a digit; from so many inputs on the longer one
_NEVER = 0x7F800000  # the bits of inf


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
    if z.dtype == np.float32:
        _by_digits(z.view(np.uint32)[b0:b1], order[b0:b1], z_sorted.view(np.uint32)[b0:b1])
    else:
        order[b0:b1] = z[b0:b1].argsort(axis=1, kind="stable")
        z_sorted[b0:b1] = np.take_along_axis(z[b0:b1], order[b0:b1].astype(np.int64), axis=1)
    _count(z_sorted[b0:b1], n_spikes[b0:b1])


@njit(scratch=True)
def _by_digits(bits, order, bits_sorted):
    """Sort rows of positive floats by their bits, which have the same order: digit by digit, the lowest first, equal ones by index."""
    n_in = bits.shape[1]
    digit = np.uint64(_DIGIT if n_in >= _MANY else _DIGIT_OF_FEW)
    mask = (np.uint64(1) << digit) - np.uint64(1)
    keys, others, behind = np.empty(n_in, np.uint64), np.empty(n_in, np.uint64), np.empty(np.int64(mask) + 1, np.uint32)
    for b in range(len(bits)):
        n = np.int64(0)
        for i in range(n_in):                               # without a branch: whoever comes is written over by the next who does not
            keys[n], others[i - n] = np.uint64(bits[b, i]) << np.uint64(32) | np.uint64(i), i
            n += bits[b, i] < _NEVER
        for i in range(n, n_in):
            order[b, i], bits_sorted[b, i] = others[i - n], _NEVER
        first, last = np.uint64(_NEVER) << np.uint64(32), np.uint64(0)
        for k in range(n):
            first, last = min(first, keys[k]), max(last, keys[k])
        first = first >> np.uint64(32) << np.uint64(32)
        for k in range(n):
            keys[k] -= first
        span, shift = (last - first) >> np.uint64(32) if n > 0 else np.uint64(0), np.uint64(32)
        while span > 0:
            for c in range(len(behind)):
                behind[c] = 0
            for k in range(n):
                behind[keys[k] >> shift & mask] += np.uint32(1)
            total = np.uint32(0)
            for c in range(len(behind)):                    # from how many to where
                behind[c], total = total, total + behind[c]
            for k in range(n):
                c = keys[k] >> shift & mask
                others[behind[c]] = keys[k]
                behind[c] += np.uint32(1)
            keys, others, span, shift = others, keys, span >> digit, shift + digit
        for k in range(n):
            order[b, k], bits_sorted[b, k] = np.uint32(keys[k]), np.uint32((keys[k] + first) >> np.uint64(32))


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
