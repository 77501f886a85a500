"""A dense layer on spikes: (R1) by events or, where many inputs spike, by a matrix product; integrate-and-fire neurons, (I1), (I2)."""

from typing import NamedTuple

import numpy as np

from .._blas import matmul
from .._jit import copy, njit
from .._threads import cut, spread
from ._event_conv import block_width, fire, padded
from ._events import LANES, adder, count, squeeze

_INPUTS = 512         # inputs whose weights stay in the second-level cache
_SAMPLES = 512        # rows of gradients that do
_FIRST = 4096         # numbers that tell whether it is worth while to look at all
_MANY = 1 << 16       # numbers a block of work
_BUSY = 0.2           # from this share of spiking inputs on, a matrix product is faster (layers of 500 to 6,272 inputs, float32, AVX-512)
_ROWS = 64            # rows (step, sample) a block of work

_add64, _add32, _add16 = adder(64), adder(32), adder(16)


@njit
def fire_dense(current, neuron, state, spikes, n_spikes, b0, b1):
    """Let the neurons of a dense layer fire for samples b0:b1; a constant current has one step."""
    v, counts = state
    for b in range(b0, b1):
        for t in range(spikes.shape[0]):
            n_spikes[b] += fire(current[min(t, current.shape[0] - 1), b], v[b], neuron, spikes[t, b])
            if counts.shape[1] > 0:
                for j in range(v.shape[1]):
                    counts[b, j] += spikes[t, b, j]


def currents(stage, rows, of_four=False):
    """Return what a dense layer's neurons receive, (n_steps, B, n) with n of whole blocks.

    rows (n_steps, B, N_in) hold 1 or 0; if `of_four` 0 to 4, quarters of a spike.
    """
    n_in, n_out = stage.w.shape
    kind, width = stage.w.dtype, block_width(n_out)
    flat = rows.reshape(-1, n_in)
    out = np.empty((len(flat), -(-n_out // width) * width), kind)
    out[:] = padded(stage.b, n_out, width, kind)
    if of_four:
        out[:, :n_out] += matmul(flat.astype(kind) * kind.type(0.25), stage.w)
        return out.reshape(*rows.shape[:2], -1)
    if (events := listed(flat)) is None:
        out[:, :n_out] += matmul(flat.astype(kind), stage.w)
    else:
        _add(stage.w, events, out)
    return out.reshape(*rows.shape[:2], -1)


class Events(NamedTuple):
    """A matrix of 1 and 0: for each row the columns that hold 1."""

    columns: np.ndarray     # uint32, one row after the other; between rows there is room
    starts: np.ndarray      # (rows, blocks + 1): where each block of columns begins, and the last one ends
    size: int               # columns a block
    n_columns: int


def spikes_of(x):
    """Return x as uint8 if it holds nothing but 0 and 1, as uint8 always does here, else None."""
    flat = x.reshape(-1)
    if x.dtype == np.uint8:
        return x
    if not ((flat[:_FIRST] == 0) | (flat[:_FIRST] == 1)).all():
        return None
    flags, blocks = np.empty(x.shape, np.uint8), cut(x.size, _MANY)
    wrong = np.zeros(len(blocks), np.uint8)
    spread(lambda i0, i1: _flag(flat, flags.reshape(-1), wrong, _MANY, i0, i1), blocks)
    return None if wrong.any() else flags


@njit
def _flag(x, flags, wrong, size, i0, i1):
    """Write down where x holds 1; wrong: whether it holds anything but 0 and 1."""
    zero, one, other = x.dtype.type(0), x.dtype.type(1), np.uint8(0)
    for i in range(i0, i1):
        flags[i] = x[i] == one
        other |= np.uint8(x[i] != zero) & np.uint8(x[i] != one)
    wrong[i0 // size] = other


def listed(flags):
    """Return the Events of a matrix (rows, columns) of 1 and 0, uint8; None where there are so many that a product is faster."""
    n_events = np.empty(len(flags), np.int64)
    spread(lambda r0, r1: _count(flags, n_events, r0, r1), cut(len(flags), _ROWS))
    if n_events.sum() > _BUSY * flags.size:
        return None
    room = n_events + LANES                         # a row may write a vector too far
    columns, starts = np.empty(room.sum(), np.uint32), np.empty((len(flags), -(-flags.shape[1] // _INPUTS) + 1), np.int64)
    starts[:, 0] = np.cumsum(room) - room
    spread(lambda r0, r1: _list(flags, columns, starts, r0, r1), cut(len(flags), _ROWS))
    return Events(columns, starts, _INPUTS, flags.shape[1])


def product(events, w):
    """Multiply a matrix of 1 and 0 by w (columns, n)."""
    n_out = w.shape[1]
    out = np.zeros((len(events.starts), -(-n_out // block_width(n_out)) * block_width(n_out)), w.dtype)
    _add(w, events, out)
    return out if out.shape[1] == n_out else np.ascontiguousarray(out[:, :n_out])


def turned(events):
    """Return the Events of the transposed matrix."""
    n_rows, n = len(events.starts), events.n_columns
    per_column = np.zeros(n, np.int64)
    _count_columns(events.columns, events.starts, per_column)
    rows, starts = np.empty(per_column.sum(), np.uint32), np.empty((n, -(-n_rows // _SAMPLES) + 1), np.int64)
    starts[:, 0] = np.cumsum(per_column) - per_column
    _turn(events.columns, events.starts, rows, starts, _SAMPLES)
    return Events(rows, starts, _SAMPLES, n_rows)


def _add(w, events, out):
    """Add the rows of w that the events name to the rows of out, whose width is one of whole blocks."""
    width, n_rows = block_width(w.shape[1]), len(out)
    total, n_cols = out.reshape(-1), out.shape[1]
    few = n_cols < 4 * width or len(w) <= n_rows                          # blocks, or weights to lay out again for each block of rows
    some = min(1024, max(256, -(-n_rows // 4))) if few else n_rows
    blocks = [(j0, min(j1, w.shape[1]), *r) for j0, j1 in cut(n_cols, width) for r in cut(n_rows, some)]
    spread(lambda *block: _add_events(w, (events.columns, events.starts), total, block, width, n_cols, events.size), blocks)


@njit
def _count(rows, n_events, r0, r1):
    """Count the events of rows r0:r1."""
    n_in = rows.shape[1]
    whole = n_in - n_in % LANES
    for r in range(r0, r1):
        row, n = rows[r], np.int64(0)
        for i in range(0, whole, LANES):
            n += count(row, i)
        for i in range(whole, n_in):
            n += row[i]
        n_events[r] = n


@njit
def _count_columns(columns, starts, n_events):
    """Count the events of each column."""
    for r in range(starts.shape[0]):
        for e in range(starts[r, 0], starts[r, -1]):
            n_events[columns[e]] += 1


@njit(scratch=True)
def _turn(columns, starts, rows, starts_of, size):
    """List the events of each column, and where each block of `size` rows begins."""
    cursor = starts_of[:, 0].copy()
    for r in range(starts.shape[0]):
        if r % size == 0:
            copy(cursor, starts_of[:, r // size])
        for e in range(starts[r, 0], starts[r, -1]):
            rows[cursor[columns[e]]] = r
            cursor[columns[e]] += 1
    copy(cursor, starts_of[:, -1])


@njit
def _list(rows, events, starts, r0, r1):
    """List the events of rows r0:r1, and where each block of inputs begins."""
    n_in = rows.shape[1]
    for r in range(r0, r1):
        row, cursor = rows[r], starts[r, 0]
        for q in range(starts.shape[1] - 1):
            i, stop = q * _INPUTS, min((q + 1) * _INPUTS, n_in)
            while i + LANES <= stop:
                cursor += squeeze(row, i, i, events, cursor)
                i += LANES
            while i < stop:
                events[cursor] = i
                cursor += row[i]
                i += 1
            starts[r, q + 1] = cursor


@njit(scratch=True)
def _add_events(w, lists, out, block, width, n_cols, size):
    """Add the weights of a dense layer's events: outputs j0:j1 and rows r0:r1."""
    events, starts = lists
    j0, j1, r0, r1 = block
    table = np.zeros((size + 1) * width, w.dtype)
    for q in range(starts.shape[1] - 1):
        i0 = q * size
        for i in range(min(size, w.shape[0] - i0)):
            row, place = w[i0 + i, j0:j1], table[i * width:(i + 1) * width]
            for j in range(len(row)):
                place[j] = row[j]
        for r in range(r0, r1):
            to, shift, blank = r * n_cols + j0, -i0 * width, size * width
            if width == 64:
                _add64(out, to, table, events, starts[r, q], starts[r, q + 1], shift, blank)
            elif width == 32:
                _add32(out, to, table, events, starts[r, q], starts[r, q + 1], shift, blank)
            else:
                _add16(out, to, table, events, starts[r, q], starts[r, q + 1], shift, blank)
