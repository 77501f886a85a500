"""The temporal neuron whose inputs spike at one of two times, or not at all: sums of rows, a few at a time.

Between the two times a = sum w - threshold over the early inputs, and after the late ones over all that fire. So two sums of weights say
when a neuron fires, and backward a sum over the batch gives dw. Neighbours go together: all sums that a few rows can make are in a table,
and each sum takes one of them from every few. A sum holds only rows that belong to it, so a large one elsewhere leaves no rest.
"""

from typing import NamedTuple

import numpy as np

from .._blas import matmul
from .._jit import njit
from .._threads import cut, spread

_SILENT, _EARLY, _LATE, _OTHER = (np.uint8(k) for k in range(4))
_SUMS = 64          # sums a block whose places in the table are listed
_WIDE = 320         # bytes of a row of the table
_FEW = 4            # how many rows, or samples, go together


class Levels(NamedTuple):
    """Which inputs spike early, and which late."""

    z: tuple                # the two times, as exp(t/tau)
    n_in: int
    kinds: np.ndarray       # (B, N_in) uint8: silent, early or late; filled up with silent ones to whole groups
    places: np.ndarray      # (2, B, groups) uint32, rows of the table of weights that make up a sample's sums, of early inputs and of all
    n_early: np.ndarray     # (B,) int64, how many of them are of early inputs
    has_late: np.ndarray    # (B,) bool, whether any input is late
    whole: np.ndarray       # (B,) bool, whether all inputs fire


def levels(z_in):
    """Find the two times of the inputs; None if there are more, or only one."""
    z = first, last = _times(z_in)
    if not first < last < np.inf:
        return None
    n_batch, n_groups = len(z_in), -(-z_in.shape[1] // _FEW)
    kinds, counts = np.zeros((-(-n_batch // _FEW) * _FEW, n_groups * _FEW), np.uint8), np.empty((n_batch, 4), np.int64)
    places = np.empty((2, n_batch, n_groups), np.uint32)
    spread(lambda b0, b1: _mark(z_in, z, kinds, places, counts, b0, b1), cut(n_batch, _SUMS))
    n_early, n_late, n_silent, n_other = counts.T
    return None if n_other.any() else Levels(z, z_in.shape[1], kinds, places, n_early, n_late > 0, n_silent == 0)


@njit
def _times(z_in):
    """Return two times of the spikes, from no more samples than it takes; inf for a time that is not there, or where a third is seen."""
    inf = z_in.dtype.type(np.inf)
    first, last = inf, inf
    for b in range(len(z_in)):
        for i in range(z_in.shape[1]):
            z = z_in[b, i]
            if z == first or z == last or z == inf:
                continue
            if first == inf:
                first = z
            elif last == inf:
                last = z
            else:
                return inf, inf
        if last < inf:
            break
    return min(first, last), max(first, last)


@njit
def _mark(z_in, times, kinds, places, counts, b0, b1):
    """Mark the inputs of samples b0:b1, list their sums' rows of the table of weights; count rows, and late, silent and other inputs."""
    z0, z1 = times
    inf = z_in.dtype.type(np.inf)
    for b in range(b0, b1):
        z, row, early, fired = z_in[b], kinds[b], places[0, b], places[1, b]
        n_late, n_silent, n_other, n = np.int32(0), np.int32(0), np.int32(0), 0
        for i in range(len(z)):
            kind = _EARLY if z[i] == z0 else _LATE if z[i] == z1 else _SILENT if z[i] == inf else _OTHER
            row[i] = kind
            n_late += np.int32(kind == _LATE)
            n_silent += np.int32(kind == _SILENT)
            n_other += np.int32(kind == _OTHER)
        for g in range(len(fired)):
            which, late = 0, 0
            for k in range(_FEW):
                which += (row[g * _FEW + k] == _EARLY) << k
                late += (row[g * _FEW + k] == _LATE) << k
            early[n], fired[g] = (g << _FEW) + which, (g << _FEW) + which + late
            n += which > 0
        counts[b, 0], counts[b, 1], counts[b, 2], counts[b, 3] = n, n_late, n_silent, n_other


@njit
def _fill(values, j0, j1, table):
    """Make the table: of each few neighbours every sum that holds one of its values, or none, of each."""
    n_values, n = values.shape[:2]
    base, n_out = n_values + 1, np.uint64(j1 - j0)
    for first in range(0, n, _FEW):
        begin, filled = first // _FEW * base**_FEW, 1
        row = table[begin]
        for j in range(n_out):
            row[j] = 0
        for k in range(first, min(first + _FEW, n)):
            for v in range(n_values):
                value = values[v, k, j0:j1]
                for q in range(filled):
                    before, row = table[begin + q], table[begin + (v + 1) * filled + q]
                    for j in range(n_out):
                        row[j] = before[j] + value[j]
            filled *= base


@njit
def _add(table, places, total):
    """Sum some rows of the table."""
    flat, length, n_out, n = table.reshape(-1), np.uint64(table.shape[1]), np.uint64(len(total)), len(places)
    for j in range(n_out):
        total[j] = 0
    for k in range(0, n // 8 * 8, 8):
        a0, a1, a2, a3 = places[k] * length, places[k + 1] * length, places[k + 2] * length, places[k + 3] * length
        a4, a5, a6, a7 = places[k + 4] * length, places[k + 5] * length, places[k + 6] * length, places[k + 7] * length
        for j in range(n_out):
            total[j] += ((flat[a0 + j] + flat[a1 + j]) + (flat[a2 + j] + flat[a3 + j])
                         + ((flat[a4 + j] + flat[a5 + j]) + (flat[a6 + j] + flat[a7 + j])))
    for k in range(n // 8 * 8, n):
        a0 = places[k] * length
        for j in range(n_out):
            total[j] += flat[a0 + j]


def forward(levels, w, threshold):
    """Return z_out, margin and z_bound, as the cache of `temporal.forward` holds them."""
    n_batch, n_out = len(levels.has_late), w.shape[1]
    out = tuple(np.empty((n_batch, n_out), w.dtype) for _ in range(3))
    spread(lambda j0, j1: _decide(levels.places, levels.n_early, levels.has_late, levels.whole, levels.z, w[None], threshold, out, j0, j1),
           cut(n_out, _WIDE // w.itemsize))
    return out


@njit(scratch=True)
def _decide(places, n_early, has_late, whole, z, w, threshold, out, j0, j1):
    """Fire between the two times (T5), after the second, or not at all; both answers are computed, so that it vectorises."""
    z0, z1 = z
    zero, one, inf = threshold - threshold, threshold / threshold, w.dtype.type(np.inf)
    table, early = np.empty((places.shape[2] << _FEW, j1 - j0), w.dtype), np.empty(j1 - j0, w.dtype)
    some, everything = np.empty(j1 - j0, w.dtype), np.empty(j1 - j0, w.dtype)
    _fill(w, j0, j1, table)
    known = False                                                     # the sum of all weights
    for b in range(len(has_late)):
        late = has_late[b]
        z_next = z1 if late else inf
        _add(table, places[0, b, :n_early[b]], early)
        if not whole[b]:
            _add(table, places[1, b], some)
        elif not known:
            _add(table, places[1, b], everything)
            known = True
        fired = everything if whole[b] else some
        z_out, margin, z_bound = out[0][b, j0:j1], out[1][b, j0:j1], out[2][b, j0:j1]
        for j in range(np.uint64(j1 - j0)):
            a, a_late = early[j] - threshold, fired[j] - threshold
            r = (z1 - z0) * a - threshold * z0                        # z (V - threshold) at the late time
            soon = (a > 0) & ((r >= 0) | (not late))
            then = (a_late > 0) & late
            z_out[j] = min(z0 + threshold * z0 / a, z_next) if soon else (z1 - r / a_late if then else inf)
            margin[j] = a if soon else (a_late if then else one)
            z_bound[j] = z_next if soon else (inf if then else zero)


def backward_w(h, z_out, levels):
    """(T7) dw = -sum_b h max(z_out - z_in, 0): each sample has one pull at early inputs and one at late ones.

    Where all inputs fire, every input gets the sum of the late pulls, and early ones the differences; else each gets what belongs to it.
    """
    n_in, n_groups, base = levels.n_in, len(levels.kinds) // _FEW, 2 if levels.whole.all() else 3
    places, count = np.empty((n_in, n_groups), np.uint32), np.empty(n_in, np.int64)
    pulls, dw = np.empty((2, *h.shape), h.dtype), np.empty((n_in, h.shape[1]), h.dtype)
    spread(lambda i0, i1: _list(levels.kinds, base, places, count, i0, i1), cut(n_in, _SUMS))
    spread(lambda j0, j1: _sum_w(places, count, h, z_out, levels.z, base, pulls, dw, j0, j1), cut(h.shape[1], _WIDE // h.itemsize))
    return dw


@njit
def _list(kinds, base, places, count, i0, i1):
    """List the rows of the table of pulls that make up dw of inputs i0:i1."""
    size, seen = np.uint32(base**_FEW), np.uint8(_EARLY if base == 2 else _EARLY | _LATE)
    for g in range(places.shape[1]):
        for i in range(i0, i1):
            place = np.uint32(g)
            for k in range(_FEW):
                place = place * np.uint32(base) + np.uint32(kinds[g * _FEW + _FEW - 1 - k, i] & seen)
            places[i, g] = place
    for i in range(i0, i1):
        n = 0
        for g in range(places.shape[1]):
            place = places[i, g]
            places[i, n] = place
            n += place != np.uint32(g) * size
        count[i] = n


@njit(scratch=True)
def _sum_w(places, count, h, z_out, z, base, pulls, dw, j0, j1):
    """(T7) for outputs j0:j1."""
    n_out, (z0, z1) = np.uint64(j1 - j0), z
    zero, table, of_all = z1 - z1, np.empty((places.shape[1] * base**_FEW, j1 - j0), dw.dtype), np.zeros(j1 - j0)
    for b in range(len(h)):
        h_b, z_b, early, late = h[b, j0:j1], z_out[b, j0:j1], pulls[0, b, j0:j1], pulls[1, b, j0:j1]
        for j in range(n_out):
            early[j], late[j] = -h_b[j] * max(z_b[j] - z0, zero), -h_b[j] * max(z_b[j] - z1, zero)
        if base == 2:
            for j in range(n_out):
                early[j] -= late[j]
                of_all[j] += late[j]
    _fill(pulls[:base - 1], j0, j1, table)
    for i in range(len(dw)):
        out = dw[i, j0:j1]
        _add(table, places[i, :count[i]], out)
        if base == 2:
            for j in range(n_out):
                out[j] += of_all[j]


def backward_z(h, z_bound, levels, w):
    """(T8) dz_in = sum_j h_j w_j over the neurons whose causal set holds the input, for each of the two times at once."""
    z0, z1 = levels.z
    kinds = levels.kinds[:len(h), :levels.n_in]
    return ((kinds == _EARLY) * matmul(np.where(z0 < z_bound, h, 0), w.T)
            + (kinds == _LATE) * matmul(np.where(z1 < z_bound, h, 0), w.T))
