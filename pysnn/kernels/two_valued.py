"""The temporal neuron whose inputs spike at one of two times, or not at all: one or two matrix products a pass.

Between the two times a = sum w - threshold over the early inputs is one product, and after the late ones it is another; so are the sums
over the batch in backward. Where no input is silent the late inputs are all but the early ones, and column sums take the place of the
second product.
"""

from typing import NamedTuple

import numpy as np

from .._blas import matmul
from .._jit import njit


class Levels(NamedTuple):
    """Which inputs spike early, and which late."""

    z: tuple                  # the two times, as exp(t/tau)
    early: np.ndarray         # (B, N_in), 1 or 0
    late: np.ndarray | None   # (B, N_in), 1 or 0; None where all that is not early is late


def levels(z_in):
    """Find the two times of the inputs; None if there are more, or only one."""
    first, last = z_in.min(), _latest(z_in)
    if not first < last < np.inf:
        return None
    early, late = z_in == first, z_in == last
    n_early, n_late = np.count_nonzero(early), np.count_nonzero(late)
    n_silent = z_in.size - n_early - n_late
    if n_silent and n_silent != np.count_nonzero(z_in == np.inf):
        return None
    return Levels((first, last), early.astype(z_in.dtype), late.astype(z_in.dtype) if n_silent else None)


@njit
def _latest(z_in):
    """Return the latest of at most two times; inf if there are more."""
    first = z_in[0, 0]
    second = np.inf
    for b in range(z_in.shape[0]):
        for z in z_in[b]:
            if z != first and z != second and z < np.inf:
                if second < np.inf and first < np.inf:
                    return np.inf
                if first == np.inf:
                    first = z
                else:
                    second = z
    return max(first, second) if second < np.inf else first


def forward(levels, w, threshold):
    """Return z_out, margin and z_bound, as the cache of `temporal.forward` holds them."""
    early = matmul(levels.early, w)
    every = w.sum(axis=0, keepdims=True) if levels.late is None else matmul(levels.late, w)
    has_late = (levels.early.min(axis=1) == 0) if levels.late is None else (levels.late.max(axis=1) == 1)
    out = tuple(np.empty_like(early) for _ in range(3))
    _decide(early, every, levels.late is None, has_late, levels.z, threshold, *out)
    return out


@njit
def _decide(early, every, whole, has_late, z, threshold, z_out, margin, z_bound):
    """Fire between the two times (T5), after the second, or not at all; both answers are computed, so that it vectorises."""
    z0, z1 = z
    zero, one, inf = threshold * 0, threshold / threshold, z1 * np.inf
    for b in range(early.shape[0]):
        late = has_late[b]
        z_next = z1 if late else inf
        sums = every[0] if whole else every[b]
        for j in range(early.shape[1]):
            a = early[b, j] - threshold
            r = (z1 - z0) * a - threshold * z0                        # z (V - threshold) at the late time
            a_late = sums[j] - threshold if whole else a + sums[j]
            first = (a > 0) & ((r >= 0) | (not late))
            second = (a_late > 0) & late
            z_out[b, j] = min(z0 + threshold * z0 / a, z_next) if first else (z1 - r / a_late if second else inf)
            margin[b, j] = a if first else (a_late if second else one)
            z_bound[b, j] = z_next if first else (inf if second else zero)


def backward_w(h, z_out, levels):
    """(T7) dw = -sum_b h max(z_out - z_in, 0), for each of the two times at once."""
    z0, z1 = levels.z
    early = h * np.maximum(z_out - z0, 0)
    late = h * np.maximum(z_out - z1, 0)
    if levels.late is None:
        dw = matmul(levels.early.T, late - early)
        dw -= late.sum(axis=0)
        return dw
    return -matmul(np.concatenate([levels.early, levels.late]).T, np.concatenate([early, late]))


def backward_z(h, z_bound, levels, w):
    """(T8) dz_in = sum_j h_j w_j over the neurons whose causal set holds the input, for each of the two times at once."""
    z0, z1 = levels.z
    dz = levels.early * matmul(np.where(z0 < z_bound, h, 0), w.T)
    late = 1 - levels.early if levels.late is None else levels.late
    return dz + late * matmul(np.where(z1 < z_bound, h, 0), w.T)
