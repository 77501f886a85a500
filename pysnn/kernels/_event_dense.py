"""A dense layer of integrate-and-fire neurons: (R1) by events or, where many inputs spike, by a matrix product; then (I1), (I2)."""

import numpy as np

from .._blas import matmul
from .._jit import njit
from .._threads import cut, spread
from ._event_conv import block_width, fire, padded
from ._events import LANES, adder, squeeze

_INPUTS = 128         # inputs whose weights stay in the first-level cache
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
    n_events = np.empty(len(flat), np.int64)
    spread(lambda r0, r1: _count(flat, n_events, r0, r1), cut(len(flat), _ROWS))
    if n_events.sum() > _BUSY * flat.size:
        out[:, :n_out] += matmul(flat.astype(kind), stage.w)
    else:
        room = n_events + LANES                     # a row may write a vector too far
        events, starts = np.empty(room.sum(), np.uint32), np.empty((len(flat), -(-n_in // _INPUTS) + 1), np.int64)
        starts[:, 0] = np.cumsum(room) - room
        spread(lambda r0, r1: _list(flat, events, starts, r0, r1), cut(len(flat), _ROWS))
        some = len(flat) if n_out > 4 * width else max(1, -(-len(flat) // 4))
        total, n_cols = out.reshape(-1), out.shape[1]
        blocks = [(*j, *r) for j in cut(n_out, width) for r in cut(len(flat), some)]
        spread(lambda j0, j1, r0, r1: _add_events(stage.w, (events, starts), total, (j0, j1, r0, r1), width, n_cols), blocks)
    return out.reshape(*rows.shape[:2], -1)


@njit
def _count(rows, n_events, r0, r1):
    """Count the events of rows r0:r1."""
    for r in range(r0, r1):
        n = np.int32(0)
        for s in rows[r]:
            n += np.int32(s)
        n_events[r] = n


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


@njit
def _add_events(w, lists, out, block, width, n_cols):
    """Add the weights of a dense layer's events: outputs j0:j1 and rows r0:r1."""
    events, starts = lists
    j0, j1, r0, r1 = block
    table = np.zeros((_INPUTS + 1) * width, w.dtype)
    for q in range(starts.shape[1] - 1):
        i0 = q * _INPUTS
        for i in range(min(_INPUTS, w.shape[0] - i0)):
            for j in range(j1 - j0):
                table[i * width + j] = w[i0 + i, j0 + j]
        for r in range(r0, r1):
            to, shift, blank = r * n_cols + j0, -i0 * width, _INPUTS * width
            if width == 64:
                _add64(out, to, table, events, starts[r, q], starts[r, q + 1], shift, blank)
            elif width == 32:
                _add32(out, to, table, events, starts[r, q], starts[r, q + 1], shift, blank)
            else:
                _add16(out, to, table, events, starts[r, q], starts[r, q + 1], shift, blank)
