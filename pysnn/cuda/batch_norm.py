"""Batch normalisation on a GPU; the same names, arguments and results as reference/batch_norm.py.

Sums over rows are taken in pieces of a fixed length, a thread a channel of a piece, in float64; what the pieces give, a few kilobytes, is
added up in order by NumPy, which also makes the numbers of each channel (mean, scale, shift) from it.
"""

from typing import NamedTuple

import numpy as np

from .. import _checks
from ..reference import batch_norm as reference
from ._target import at_home, cuda, empty, give, kernel, on_device, send, stand_in
from .integrate_fire import flat

_ROWS = 256          # rows a piece


class Cache(NamedTuple):
    """What backward needs of forward; `mean` and `var` may be read, the rest is opaque."""

    x: object            # on the device
    gamma: np.ndarray
    mean: object         # (C,), of the batch, or as given
    var: object          # (C,), biased, or as given
    eps: float
    of_batch: bool       # mean and var are functions of x; else they are constants


def batch_norm_forward(x, gamma, beta, mean=None, var=None, eps=1e-5):
    """Normalise each channel, then scale and shift it; see `pysnn.reference.batch_norm.batch_norm_forward`."""
    home, names = at_home(x, gamma, beta, mean, var), ("gamma", "beta", "mean", "var")
    small = (_fetched(value) for value in (gamma, beta, mean, var))
    seen, gamma, beta, mean, var, eps = _checks.batch_norm(stand_in(x), *small, eps)
    x, of_batch = send(x, seen, "x"), mean is None
    if of_batch:
        n_rows = seen.size // seen.shape[-1]
        mean = _sums(x, None, None)[0] / n_rows                          # (R7)
        var = (_sums(x, None, mean)[0] / n_rows).astype(seen.dtype)
        mean = mean.astype(seen.dtype)
    y = empty(seen.shape, seen.dtype, "y")
    params = _sent("mean, scale and shift", mean, gamma / np.sqrt(var + eps), beta)
    _normalise.over(seen.size, flat(x), flat(y), params, seen.shape[-1], seen.size)
    if not home:
        mean, var = (send(value, value, name) for value, name in zip((mean, var), names[2:], strict=True))
    return give(home, y), Cache(x, gamma, mean, var, eps, of_batch)


def batch_norm_backward(dy, cache):
    """Pull a gradient back through `batch_norm_forward`; see `pysnn.reference.batch_norm.batch_norm_backward`."""
    x, gamma, mean, var, eps, of_batch = cache
    home, like = at_home(dy), stand_in(x)
    dy, mean = send(dy, _checks.gradient(stand_in(dy), like), "dy"), _fetched(mean)
    sigma = np.sqrt(_fetched(var) + eps)
    dbeta, dgamma = _sums(x, dy, mean.astype(np.float64))                # (R8)
    dgamma = dgamma / sigma
    means = np.array([dbeta, dgamma / sigma]) / (like.size // like.shape[-1]) * of_batch     # (R9) constants have no part in dx
    dx = empty(like.shape, like.dtype, "dx")
    params = _sent("mean, scale and two means", mean, gamma / sigma, *means.astype(like.dtype))
    _pull.over(like.size, flat(x), flat(dy), flat(dx), params, like.shape[-1], like.size)
    dgamma, dbeta = (d.astype(like.dtype) for d in (dgamma, dbeta))
    if not home:
        dgamma, dbeta = send(dgamma, dgamma, "dgamma"), send(dbeta, dbeta, "dbeta")
    return give(home, dx), dgamma, dbeta


def fold(w, gamma, beta, mean, var, eps=1e-5):
    """Write a linear layer and the normalisation after it as one linear layer (R10), on the host; see `pysnn.reference.batch_norm.fold`."""
    home = at_home(w, gamma, beta, mean, var)
    found = reference.fold(*(_fetched(value) for value in (w, gamma, beta, mean, var)), eps)
    return found if home else tuple(send(value, value, name) for value, name in zip(found, "wb", strict=True))


def _fetched(x):
    """Return an array on the host."""
    return x.copy_to_host() if on_device(x) else x


def _sent(name, *rows):
    """Bring rows of C numbers to the device, one behind the other."""
    rows = np.concatenate(rows)
    return send(rows, rows, name)


def _sums(x, dy, mean):
    """Sum over all but the last axis, in float64: x; with mean (x - mean)^2; with dy also dy and dy (x - mean), in this order."""
    n_c, size = x.shape[x.ndim - 1], x.size
    n_pieces = -(-size // n_c // _ROWS)
    parts = empty((n_pieces, 2, n_c), np.float64, "parts of the sums")
    what = 2 if dy is not None else 0 if mean is None else 1
    mean = np.zeros(n_c) if mean is None else mean
    args = flat(x), flat(x if dy is None else dy), send(mean, mean, "mean"), flat(parts)
    _sum.over(n_pieces * n_c, *args, (what, n_c, size // n_c, _ROWS))
    return parts.copy_to_host().sum(axis=0)


@kernel("T1 T1 D1 D1 i4")
def _sum(x, dy, mean, parts, size):
    """Sums over a piece of the rows: a thread a channel of a piece."""
    what, n_c, n_rows, rows = size
    n_pieces = (n_rows + rows - 1) // rows
    for i in range(cuda.grid(1), n_pieces * n_c, cuda.gridsize(1)):
        q, c = i // n_c, i % n_c
        first, second = 0.0, 0.0
        for r in range(q * rows, min(n_rows, (q + 1) * rows)):
            off = x[r * n_c + c] - mean[c]
            if what == 2:
                first += dy[r * n_c + c]
                second += dy[r * n_c + c] * off
            elif what == 1:
                first += off * off
            else:
                first += off                                             # the mean is 0 here
        parts[2 * q * n_c + c] = first
        parts[(2 * q + 1) * n_c + c] = second


@kernel("T1 T1 T1 i i")
def _normalise(x, y, params, n_c, n):
    """(R8) y: a thread a number; params are mean, scale and shift."""
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        c = i % n_c
        y[i] = (x[i] - params[c]) * params[n_c + c] + params[2 * n_c + c]


@kernel("T1 T1 T1 T1 i i")
def _pull(x, dy, dx, params, n_c, n):
    """(R9) dx = scale (dy - a - (x - mean) b); params are mean, scale, a and b."""
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        c = i % n_c
        dx[i] = params[n_c + c] * (dy[i] - params[2 * n_c + c] - (x[i] - params[c]) * params[3 * n_c + c])
