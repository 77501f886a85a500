"""The temporal neuron whose inputs spike at one of two times, or not at all: sums of rows.

Between the two times a = sum w - threshold over the early inputs, and after the late ones over all that fire. So two sums of weights say
when a neuron fires, and backward two sums over the batch give dw. Most pixels of an image are dark, and most inputs fire: in float32 each
sum takes the fewer rows, of those that it is about or of the others, which then go off the sum of all, both in float64.
"""

from typing import NamedTuple

import numpy as np

from .._blas import matmul
from .._jit import copy, njit
from .._threads import cut, spread

_EARLY, _LATE, _SILENT, _OTHER = (np.uint8(k) for k in range(4))
_SAMPLES = 32      # samples a block
_OUTPUTS = 208     # outputs a block: the rows that are summed up stay in the cache
_INPUTS = 196      # inputs a block of dw
_SUMS = 64         # sums a block whose rows are listed


class Rows(NamedTuple):
    """For each of two kinds of sums, over early inputs and over all that fire, which rows make it up."""

    which: np.ndarray       # (2, n, most) uint32, first those that count
    count: np.ndarray       # (2, n) int64, how many
    others: np.ndarray      # (2, n) bool, whether they are the rows that are not in the sum


class Levels(NamedTuple):
    """Which inputs spike early, and which late."""

    z: tuple                # the two times, as exp(t/tau)
    kinds: np.ndarray       # (B, N_in) uint8: early, late or silent
    rows: Rows              # of weights, that each sample's sums are made of
    has_late: np.ndarray    # (B,) bool, whether any input is late


def levels(z_in):
    """Find the two times of the inputs; None if there are more, or only one."""
    z = first, last = _times(z_in)
    if not first < last < np.inf:
        return None
    kinds, counts, rows = np.empty(z_in.shape, np.uint8), np.empty((len(z_in), 2), np.int64), _rows(*z_in.shape)

    def sort(b0, b1):
        _mark(z_in, z, kinds, counts, b0, b1)
        _list(kinds, z_in.dtype == np.float32, *rows, b0, b1)
    spread(sort, cut(len(z_in), _SUMS))
    return None if counts[:, 1].any() else Levels(z, kinds, rows, counts[:, 0] > 0)


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
def _mark(z_in, times, kinds, counts, b0, b1):
    """Mark the inputs of samples b0:b1; count late ones, and those at another time."""
    z0, z1 = times
    inf = z_in.dtype.type(np.inf)
    for b in range(b0, b1):
        z, row = z_in[b], kinds[b]
        n_late, n_other = np.int32(0), np.int32(0)
        for i in range(len(z)):
            kind = _EARLY if z[i] == z0 else _LATE if z[i] == z1 else _SILENT if z[i] == inf else _OTHER
            row[i] = kind
            n_late += np.int32(kind == _LATE)
            n_other += np.int32(kind == _OTHER)
        counts[b, 0], counts[b, 1] = n_late, n_other


def _rows(n, most):
    """Make room for n sums of up to so many rows."""
    return Rows(np.empty((2, n, most), np.uint32), np.empty((2, n), np.int64), np.empty((2, n), np.bool_))


@njit
def _list(kinds, either, which, count, others, i0, i1):
    """List the rows of sums i0:i1."""
    for i in range(i0, i1):
        row, early, fired = kinds[i], which[0, i], which[1, i]
        n_early, n_fired = np.int32(0), np.int32(0)
        for k in range(len(row)):
            n_early += np.int32(row[k] == _EARLY)
            n_fired += np.int32(row[k] != _SILENT)
        others[0, i], others[1, i] = either and 2 * n_early > len(row), n_fired == len(row) or (either and 2 * n_fired > len(row))
        n, m = 0, 0
        for k in range(len(row)):
            early[n] = k
            n += (row[k] == _EARLY) != others[0, i]
        for k in range(len(row) if n_fired < len(row) else 0):                          # where all fire there are no others
            fired[m] = k
            m += (row[k] != _SILENT) != others[1, i]
        count[0, i], count[1, i] = n, m


@njit
def _total(table, total, j0, j1):
    """Sum all rows."""
    out = total[j0:j1]
    for k in range(len(table)):
        row = table[k, j0:j1]
        for j in range(len(out)):
            out[j] += row[j]


@njit
def _add(table, which, columns, total):
    """Sum some rows, one after the other: what goes off the sum of all then leaves no rest if it is all of it."""
    flat, length, begin = table.reshape(-1), np.uint64(table.shape[1]), np.uint64(columns[0])
    n, k = len(which), 0
    for j in range(len(total)):
        total[j] = 0
    while k + 8 <= n:
        a0, a1, a2, a3 = (which[k] * length + begin, which[k + 1] * length + begin, which[k + 2] * length + begin,
                          which[k + 3] * length + begin)
        a4, a5, a6, a7 = (which[k + 4] * length + begin, which[k + 5] * length + begin, which[k + 6] * length + begin,
                          which[k + 7] * length + begin)
        for j in range(np.uint64(len(total))):
            s = total[j] + flat[a0 + j] + flat[a1 + j] + flat[a2 + j] + flat[a3 + j]
            total[j] = s + flat[a4 + j] + flat[a5 + j] + flat[a6 + j] + flat[a7 + j]
        k += 8
    for q in range(k, n):
        a0 = which[q] * length + begin
        for j in range(np.uint64(len(total))):
            total[j] += flat[a0 + j]


@njit
def _sum(table, rows, place, total, columns, wide, out):
    """Make the sum at a place, of its rows or of all less the others."""
    which, count, others = rows
    some = which[place][:count[place]]
    everything = total[columns[0]:columns[1]]
    if others[place] and len(some) == 0:
        copy(everything, out)
    elif others[place]:
        _add(table, some, columns, wide)
        for j in range(len(out)):
            out[j] = everything[j] - wide[j]
    else:
        _add(table, some, columns, out)


def forward(levels, w, threshold):
    """Return z_out, margin and z_bound, as the cache of `temporal.forward` holds them."""
    n_batch, n_out = len(levels.has_late), w.shape[1]
    out, total = tuple(np.empty((n_batch, n_out), w.dtype) for _ in range(3)), np.zeros(n_out)
    spread(lambda j0, j1: _total(w, total, j0, j1), cut(n_out, _OUTPUTS) if levels.rows.others.any() else [])
    blocks = [(*j, *b) for j in cut(n_out, _OUTPUTS) for b in cut(n_batch, _SAMPLES)]
    spread(lambda *block: _decide(levels.rows, levels.has_late, levels.z, w, total, threshold, out, block), blocks)
    return out


@njit
def _decide(rows, has_late, z, w, total, threshold, out, block):
    """Fire between the two times (T5), after the second, or not at all; both answers are computed, so that it vectorises."""
    j0, j1, b0, b1 = block
    z0, z1 = z
    zero, one, inf = threshold - threshold, threshold / threshold, w.dtype.type(np.inf)
    early, fired, wide = np.empty(j1 - j0, w.dtype), np.empty(j1 - j0, w.dtype), np.empty(j1 - j0)
    for b in range(b0, b1):
        late = has_late[b]
        z_next = z1 if late else inf
        _sum(w, rows, (0, b), total, (j0, j1), wide, early)
        _sum(w, rows, (1, b), total, (j0, j1), wide, fired)
        z_out, margin, z_bound = out[0][b, j0:j1], out[1][b, j0:j1], out[2][b, j0:j1]
        for j in range(j1 - j0):
            a, a_late = early[j] - threshold, fired[j] - threshold
            r = (z1 - z0) * a - threshold * z0                        # z (V - threshold) at the late time
            first = (a > 0) & ((r >= 0) | (not late))
            second = (a_late > 0) & late
            z_out[j] = min(z0 + threshold * z0 / a, z_next) if first else (z1 - r / a_late if second else inf)
            margin[j] = a if first else (a_late if second else one)
            z_bound[j] = z_next if first else (inf if second else zero)


def backward_w(h, z_out, levels):
    """(T7) dw = -sum_b h max(z_out - z_in, 0): what all inputs that fire would get if they were late, and what early ones get besides."""
    kinds = np.ascontiguousarray(levels.kinds.T)
    rows, pulls, totals = _rows(*kinds.shape), np.empty((2, *h.shape), h.dtype), np.zeros((2, h.shape[1]))
    dw = np.empty((len(kinds), h.shape[1]), h.dtype)
    listing = [(_list, kinds, h.dtype == np.float32, *rows, *i) for i in cut(len(kinds), _INPUTS)]
    pulling = [(_pull, h, z_out, levels.z, pulls, totals, *j) for j in cut(h.shape[1], _OUTPUTS)]
    spread(lambda do, *args: do(*args), listing + pulling)
    blocks = [(*j, *i) for j in cut(dw.shape[1], _OUTPUTS) for i in cut(len(dw), _INPUTS)]
    spread(lambda *block: _sum_w(rows, pulls, totals, dw, block), blocks)
    return dw


@njit
def _pull(h, z_out, z, pulls, totals, j0, j1):
    """(T7) What an early input gets besides, and -h max(z_out - z_in, 0) of a late one; and the sums of both over the batch."""
    z0, z1 = z
    zero = z1 - z1
    sum_early, sum_late = totals[0, j0:j1], totals[1, j0:j1]
    for b in range(len(h)):
        h_b, z_b, early, late = h[b, j0:j1], z_out[b, j0:j1], pulls[0, b, j0:j1], pulls[1, b, j0:j1]
        for j in range(j1 - j0):
            p0, p1 = h_b[j] * max(z_b[j] - z0, zero), h_b[j] * max(z_b[j] - z1, zero)
            early[j], late[j] = p1 - p0, -p1
        for j in range(j1 - j0):
            sum_early[j] += early[j]
            sum_late[j] += late[j]


@njit
def _sum_w(rows, pulls, totals, dw, block):
    j0, j1, i0, i1 = block
    early, wide = np.empty(j1 - j0, dw.dtype), np.empty(j1 - j0)
    for i in range(i0, i1):
        out = dw[i, j0:j1]
        _sum(pulls[0], rows, (0, i), totals[0], (j0, j1), wide, early)
        _sum(pulls[1], rows, (1, i), totals[1], (j0, j1), wide, out)
        for j in range(j1 - j0):
            out[j] += early[j]


def backward_z(h, z_bound, levels, w):
    """(T8) dz_in = sum_j h_j w_j over the neurons whose causal set holds the input, for each of the two times at once."""
    z0, z1 = levels.z
    return ((levels.kinds == _EARLY) * matmul(np.where(z0 < z_bound, h, 0), w.T)
            + (levels.kinds == _LATE) * matmul(np.where(z1 < z_bound, h, 0), w.T))
