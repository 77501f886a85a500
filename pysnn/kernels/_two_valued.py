"""The temporal neuron whose inputs spike at one of two times, or not at all: one matrix product a pass.

Between the two times a = sum w - threshold over the early inputs, and after the late ones over all. So one product gives both sums for
all neurons, and another one, backward, both sums over the batch. Its left factor `marks` has a row for each sample's early inputs, and
below a row for each sample's late ones; where no input is silent, early and late are together all, and one row of ones takes their place.
"""

from typing import NamedTuple

import numpy as np

from .._blas import matmul
from .._jit import njit
from .._threads import cut, spread

_SAMPLES = 32     # samples a block
_OUTPUTS = 208    # outputs a block


class Levels(NamedTuple):
    """Which inputs spike early, and which late."""

    z: tuple                # the two times, as exp(t/tau)
    marks: np.ndarray       # (2 B, N_in), 1 or 0: early inputs, then late ones; or (B + 1, N_in): early inputs, then ones
    whole: bool             # whether it is the latter: no input is silent
    has_late: np.ndarray    # (B,), whether any input is late


def levels(z_in):
    """Find the two times of the inputs; None if there are more, or only one."""
    n_batch = len(z_in)
    first, last = z_in.min(), z_in.max()
    if whole := last < np.inf:
        n_silent = 0
    else:
        fired = z_in < np.inf
        n_silent = z_in.size - np.count_nonzero(fired)
        last = np.max(z_in, where=fired, initial=0)
    if not first < last:
        return None
    marks, has_late = np.empty((n_batch + 1 if whole else 2 * n_batch, z_in.shape[1]), z_in.dtype), np.empty(n_batch, np.bool_)
    n_seen = _mark(z_in, first, last, bool(whole), marks, has_late)
    return Levels((first, last), marks, bool(whole), has_late) if n_seen + n_silent == z_in.size else None


@njit
def _mark(z_in, first, last, whole, marks, has_late):
    """Fill marks and has_late; return how many inputs spike at either time."""
    n_batch, n_in = z_in.shape
    one, zero = last / last, last - last
    n_seen = 0
    for b in range(n_batch):
        n_early, n_late = np.int32(0), np.int32(0)
        for i in range(n_in):
            marks[b, i] = one if z_in[b, i] == first else zero
            n_early += np.int32(z_in[b, i] == first)
            n_late += np.int32(z_in[b, i] == last)
        if not whole:
            for i in range(n_in):
                marks[n_batch + b, i] = one if z_in[b, i] == last else zero
        has_late[b] = n_late > 0
        n_seen += n_early + n_late
    if whole:
        marks[n_batch] = one
    return n_seen


def forward(levels, w, threshold):
    """Return z_out, margin and z_bound, as the cache of `temporal.forward` holds them."""
    sums = matmul(levels.marks, w)
    n_batch = len(levels.has_late)
    out = tuple(np.empty((n_batch, w.shape[1]), w.dtype) for _ in range(3))
    spread(lambda b0, b1: _decide(sums, levels.whole, levels.has_late, levels.z, threshold, out, (b0, b1)), cut(n_batch, _SAMPLES))
    return out


@njit
def _decide(sums, whole, has_late, z, threshold, out, block):
    """Fire between the two times (T5), after the second, or not at all; both answers are computed, so that it vectorises."""
    z0, z1 = z
    z_out, margin, z_bound = out
    n_batch = len(has_late)
    zero, one, inf = threshold * 0, threshold / threshold, z1 * np.inf
    for b in range(*block):
        late = has_late[b]
        z_next = z1 if late else inf
        early, rest = sums[b], sums[n_batch] if whole else sums[n_batch + b]
        for j in range(z_out.shape[1]):
            a = early[j] - threshold
            r = (z1 - z0) * a - threshold * z0                        # z (V - threshold) at the late time
            a_late = rest[j] - threshold if whole else a + rest[j]
            first = (a > 0) & ((r >= 0) | (not late))
            second = (a_late > 0) & late
            z_out[b, j] = min(z0 + threshold * z0 / a, z_next) if first else (z1 - r / a_late if second else inf)
            margin[b, j] = a if first else (a_late if second else one)
            z_bound[b, j] = z_next if first else (inf if second else zero)


def backward_w(h, z_out, levels):
    """(T7) dw = -sum_b h max(z_out - z_in, 0), for each of the two times at once."""
    pull = np.empty((len(levels.marks), h.shape[1]), h.dtype)
    spread(lambda j0, j1: _pull(h, z_out, levels.z, levels.whole, pull, (j0, j1)), cut(h.shape[1], _OUTPUTS))
    return matmul(levels.marks.T, pull)


@njit
def _pull(h, z_out, z, whole, pull, block):
    """(T7) Weigh the rows of marks by -h max(z_out - z_in, 0): early and late ones; or early less late, and the late ones' sum."""
    z0, z1 = z
    n_batch = len(h)
    j0, j1 = block
    zero = z1 - z1
    if whole:
        pull[n_batch, j0:j1] = zero
    for b in range(n_batch):
        total = pull[n_batch] if whole else pull[n_batch + b]
        for j in range(j0, j1):
            early = h[b, j] * max(z_out[b, j] - z0, zero)
            late = h[b, j] * max(z_out[b, j] - z1, zero)
            pull[b, j] = late - early if whole else -early
            total[j] = total[j] - late if whole else -late


def backward_z(h, z_bound, levels, w):
    """(T8) dz_in = sum_j h_j w_j over the neurons whose causal set holds the input, for each of the two times at once."""
    z0, z1 = levels.z
    n_batch = len(h)
    early = levels.marks[:n_batch]
    late = 1 - early if levels.whole else levels.marks[n_batch:]
    return early * matmul(np.where(z0 < z_bound, h, 0), w.T) + late * matmul(np.where(z1 < z_bound, h, 0), w.T)
