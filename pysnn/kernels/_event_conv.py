"""A convolution of integrate-and-fire neurons, by events: one image, a few steps at a time.

A spike costs one row of weights, added to the currents of the neurons that see it; where nothing spikes nothing is done. A row of neurons
receives and fires for all steps, block of outputs by block, then is pooled and has its spikes listed before the next row begins: its
potentials stay in the first-level cache and the weights of a block in the second. The mean of four spikes is no event; but a quarter of a
row of weights for each of the four is the same, so their lists are joined.
"""

from typing import NamedTuple

import numpy as np

from .._jit import njit
from ._events import LANES, adder, squeeze

_TABLE = 50_000       # bytes of weights up to which three neighbouring pixels' events are taken at once

_add64, _add32, _add16 = adder(64), adder(32), adder(16)


class Layer(NamedTuple):
    """A convolution as the kernels take it."""

    table: np.ndarray     # (n_blocks, (9 C_in + 1) * width): weights in blocks of outputs, zeros last
    b: np.ndarray         # (n_blocks * width,); -inf where there is no output
    size: tuple           # H, W, C_in, C_out
    width: int            # outputs a block
    span: int             # pixels whose events are taken at once, 1 or 3
    pool: int             # of its spikes: 0 none, 1 maximum, 2 mean


class Neuron(NamedTuple):
    """Threshold and reset, as scalars."""

    threshold: float
    bar: float            # lowest potential that fires
    hard: bool            # reset to zero
    later: bool           # the reset begins the next step


class Lists(NamedTuple):
    """The spikes of one image, for some steps: (pixel in its row) * C + channel, pixel by pixel, with a margin of one silent pixel."""

    events: np.ndarray    # uint32; a step has its own part, as long as if all fired, and a vector more
    starts: np.ndarray    # (n_steps, (H + 2) (W + 2) + 1), int64


def block_width(n_out):
    """Choose how many outputs are computed at once."""
    return 64 if n_out > 32 else 32 if n_out > 16 else 16


def padded(b, n_out, width, kind):
    """Return the constant current of whole blocks of outputs; those that do not exist never fire."""
    out = np.full(-(-n_out // width) * width, -np.inf, kind)
    out[:n_out] = 0 if b is None else b
    return out


def lay_out(stage, size, kind, before):
    """Lay out a convolution's weights: blocks of outputs, and for each the rows of all inputs; the first stage needs none.

    `before` is the stage before, None for the first; where that one pools by the mean, each of four events brings a quarter.
    """
    n_in, n_out = stage.w.shape[2:]
    pool = ("", "max", "avg").index(stage.pool)
    if before is None:
        width = -(-n_out // LANES) * LANES
        return Layer(np.empty((1, 0), kind), np.empty(width, kind), (*size[:2], n_in, n_out), width, 1, pool)
    width = block_width(n_out)
    b = padded(stage.b, n_out, width, kind)
    w = np.zeros((9 * n_in + 1, len(b)), kind)
    w[:-1, :n_out] = stage.w.reshape(-1, n_out) * kind.type(0.25 if before.pool == "avg" else 1)
    table = aligned(w.reshape(len(w), -1, width).transpose(1, 0, 2)).reshape(-1, len(w) * width)
    return Layer(table, b, (*size[:2], n_in, n_out), width, 3 if 3 * n_in * width * w.itemsize <= _TABLE else 1, pool)


def aligned(x):
    """Copy an array to where a cache line begins: a vector that lies across two lines is loaded half as fast."""
    room = np.empty(x.nbytes + 64, np.uint8)
    first = -room.ctypes.data % 64
    y = room[first:first + x.nbytes].view(x.dtype).reshape(x.shape)
    y[...] = x
    return y


def make_lists(layer, n_steps):
    """Make room for the spikes that a convolution sends on."""
    height, width, _, n_out = layer.size
    events = np.empty(n_steps * (height * width * n_out + LANES), np.uint32)
    if layer.pool:
        height, width = height // 2, width // 2
    return Lists(events, np.empty((n_steps, (height + 2) * (width + 2) + 1), np.int64))


def unblocked(counts, layer):
    """Bring a convolution's counts from blocks of outputs into the order H, W, C."""
    height, width, _, n_out = layer.size
    return np.ascontiguousarray(counts.reshape(len(counts), height, -1, width, layer.width).transpose(0, 1, 3, 2, 4)
                                .reshape(len(counts), height, width, -1)[..., :n_out])


@njit(scratch=True)
def image(layer, neuron, given, state, n_steps, out):
    """Take one image through one convolution for some steps: receive, fire, pool, list the spikes. Return the number of spikes."""
    current, lists = given
    v, counts = state
    sent, rows = out
    n_h, n_w, _, n_out = layer.size
    width = layer.width
    part = n_w * width                                                   # of a row of neurons: one block of outputs
    half_h, half_w = (n_h // 2, n_w // 2) if layer.pool else (n_h, n_w)
    total, flags = np.empty(part, v.dtype), np.zeros((n_steps, 2, v.shape[1]), np.uint8)
    n_spikes, cursors = 0, np.arange(n_steps) * (len(sent.events) // n_steps)
    for t in range(n_steps if len(rows) == 0 else 0):
        sent.starts[t, :half_w + 2] = cursors[t]
    for y in range(n_h):
        for k in range(len(layer.b) // width):
            now = v[y, k * part:(k + 1) * part]
            for t in range(n_steps):
                if len(current) == 0:
                    _receive(layer, lists.events, lists.starts[t], y, k, total)
                n_spikes += fire(current[y] if len(current) > 0 else total, now, neuron, flags[t, y % 2, k * part:(k + 1) * part])
        for t in range(n_steps):
            spikes = flags[t, y % 2]
            if len(counts) > 0:
                for i in range(len(spikes)):
                    counts[y, i] += spikes[i]
            if layer.pool:
                if y % 2 == 0 or y // 2 >= half_h:
                    continue
                if layer.pool == 1 or len(rows) > 0:
                    _merge(flags[t], n_w, half_w, width, layer.pool == 1)
                    spikes = flags[t, 0]
            row = y // 2 if layer.pool else y
            if len(rows) > 0:
                _flatten(spikes, rows[t], row, half_w, n_out, width)
            elif layer.pool == 2:
                cursors[t] = _list_four(flags[t], sent.events, sent.starts[t], (row, half_w, n_out, width, n_w), cursors[t])
            else:
                cursors[t] = _list(spikes, sent.events, sent.starts[t], (row, half_w, n_out, width), cursors[t])
    for t in range(n_steps if len(rows) == 0 else 0):
        sent.starts[t, (half_h + 1) * (half_w + 2):] = cursors[t]
    return n_spikes


@njit
def _receive(layer, events, starts, y, k, total):
    """(R2) Add up what the events around the pixels of row y bring to a block of outputs: less x C_in, an event is a row of the table."""
    _, n_w, n_in, _ = layer.size
    width, span, table = layer.width, layer.span, layer.table[k]
    for x in range(n_w):
        for j in range(width):
            total[x * width + j] = layer.b[k * width + j]
    for dy in range(3):
        for dx in range(0, 3, span):
            for x in range(n_w):
                p = (y + dy) * (n_w + 2) + x + dx
                to, shift, blank = x * width, (3 * dy - x) * n_in * width, 9 * n_in * width
                if width == 64:
                    _add64(total, to, table, events, starts[p], starts[p + span], shift, blank)
                elif width == 32:
                    _add32(total, to, table, events, starts[p], starts[p + span], shift, blank)
                else:
                    _add16(total, to, table, events, starts[p], starts[p + span], shift, blank)


@njit
def fire(total, v, neuron, spikes):
    """(I1), (I2) or (I3): the same arithmetic as `integrate_fire.step`; return how many fire."""
    threshold, bar, hard, later = neuron
    zero = threshold - threshold
    n = np.int32(0)
    for i in range(len(total)):
        old = v[i]
        if later:
            after = zero if hard else old - threshold
            old = after if old >= bar else old
        now = old + total[i]
        fires = now >= bar
        spikes[i] = fires
        n += np.int32(fires)
        if not later:
            after = zero if hard else now - threshold
            now = after if fires else now
        v[i] = now
    return n


@njit
def _merge(flags, n_w, half_w, width, one):
    """Pool two rows of spikes into flags[0]: one of four neighbours is enough, or they are counted."""
    above, below = flags[0], flags[1]
    for k in range(len(above) // (n_w * width)):
        for x in range(half_w):
            left, to = (k * n_w + 2 * x) * width, (k * half_w + x) * width
            for j in range(width):
                n = above[left + j] + above[left + width + j] + below[left + j] + below[left + width + j]
                above[to + j] = min(n, 1) if one else n


@njit
def _flatten(spikes, row, y, n_w, n_out, width):
    """Lay a row of spikes out in the order H, W, C."""
    for x in range(n_w):
        for c0 in range(0, n_out, width):
            to, start = (y * n_w + x) * n_out + c0, (c0 // width * n_w + x) * width
            for j in range(min(width, n_out - c0)):
                row[to + j] = spikes[start + j]


@njit
def _list(spikes, events, starts, where, cursor):
    """Append the events of one row of pixels."""
    y, n_w, n_out, width = where
    p = (y + 1) * (n_w + 2)
    starts[p] = cursor
    for x in range(n_w):
        starts[p + 1 + x] = cursor
        for c in range(0, n_out, LANES):
            cursor += squeeze(spikes, (c // width * n_w + x) * width + c % width, (x + 1) * n_out + c, events, cursor)
    starts[p + 1 + n_w] = cursor
    return cursor


@njit
def _list_four(flags, events, starts, where, cursor):
    """Append the events of two rows of pixels as one row of half as many pixels."""
    y, half_w, n_out, width, n_w = where
    p = (y + 1) * (half_w + 2)
    starts[p] = cursor
    for x in range(half_w):
        starts[p + 1 + x] = cursor
        for side in range(4):
            for c in range(0, n_out, LANES):
                at = (c // width * n_w + 2 * x + side % 2) * width + c % width
                cursor += squeeze(flags[side // 2], at, (x + 1) * n_out + c, events, cursor)
    starts[p + 1 + half_w] = cursor
    return cursor
