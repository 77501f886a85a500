"""Batch normalisation written to be fast (Numba); the same names, arguments and results as reference/batch_norm.py.

The statistics take one pass over memory: each block of rows finds its own mean, and the squares about it while it is still in the cache;
blocks are then merged in order. No squares of large numbers are subtracted from each other on the way.
"""

from typing import NamedTuple

import numpy as np

from .. import _checks
from .._jit import njit
from .._threads import cut, spread

_BLOCK = 400_000     # bytes of x a block: half of a core's second-level cache
_WIDTH = 256         # parameters of few channels are repeated to about this length


class Cache(NamedTuple):
    """What backward needs of forward; `mean` and `var` may be read, the rest is opaque."""

    x: np.ndarray
    gamma: np.ndarray
    mean: np.ndarray     # (C,), of the batch, or as given
    var: np.ndarray      # (C,), biased, or as given
    eps: float
    of_batch: bool       # mean and var are functions of x; else they are constants


def batch_norm_forward(x, gamma, beta, mean=None, var=None, eps=1e-5):
    """Normalise each channel, then scale and shift it; see `pysnn.reference.batch_norm.batch_norm_forward`."""
    x, gamma, beta, mean, var, eps = _checks.batch_norm(x, gamma, beta, mean, var, eps)
    of_batch, plan = mean is None, _plan(x)
    if of_batch:
        mean, var = _statistics(x, plan)
    params = plan.wide(mean, gamma / np.sqrt(var + eps), beta)
    y = np.empty_like(x)
    flat, out = x.reshape(-1), y.reshape(-1)
    spread(lambda i, j: _normalise(flat[i:j], out[i:j], params), plan.blocks)
    return y, Cache(x, gamma, mean, var, eps, of_batch)


def batch_norm_backward(dy, cache):
    """Pull a gradient back through `batch_norm_forward`; see `pysnn.reference.batch_norm.batch_norm_backward`."""
    x, gamma, mean, var, eps, of_batch = cache
    dy, plan = _checks.gradient(dy, x), _plan(x)
    sigma = np.sqrt(var + eps)
    params = plan.wide(mean, gamma / sigma)
    flat, d = x.reshape(-1), dy.reshape(-1)
    parts = np.empty((len(plan.blocks), 2, x.shape[-1]))
    spread(lambda q, i, j: _sums(flat[i:j], d[i:j], params[0], parts[q]), [(q, *block) for q, block in enumerate(plan.blocks)])
    dbeta, dgamma = parts.sum(axis=0)                                    # (R8)
    dgamma = dgamma / sigma
    means = np.array([dbeta, dgamma / sigma]) / plan.n_rows * of_batch   # (R9) constants have no part in dx
    means = plan.wide(*means.astype(x.dtype))
    dx = np.empty_like(x)
    out = dx.reshape(-1)
    spread(lambda i, j: _pull(flat[i:j], d[i:j], out[i:j], (params, means)), plan.blocks)
    return dx, dgamma.astype(x.dtype), dbeta.astype(x.dtype)


def fold(w, gamma, beta, mean, var, eps=1e-5):
    """Write a linear layer and the normalisation after it as one linear layer (R10); see `pysnn.reference.batch_norm.fold`."""
    w, gamma, beta, mean, var, eps = _checks.batch_norm(w, gamma, beta, mean, var, eps)
    scale = gamma / np.sqrt(var + eps)
    return w * scale, beta - mean * scale


class _Plan(NamedTuple):
    """How the work is cut: x as one long row, blocks of whole rows in it, and params repeated so that loops are long."""

    blocks: list         # (start, stop) in the long row
    n_rows: int
    n_times: int         # how often params are repeated

    def wide(self, *params):
        """Repeat parameters of C channels."""
        return tuple(np.tile(p, self.n_times) for p in params)


def _plan(x):
    n_c = x.shape[-1]
    return _Plan(cut(x.size, max(1, _BLOCK // (n_c * x.itemsize)) * n_c), x.size // n_c, max(1, _WIDTH // n_c))


def _statistics(x, plan):
    """(R7) mean and variance of each channel."""
    n_c, flat = x.shape[-1], x.reshape(-1)
    parts = np.empty((len(plan.blocks), 2, n_c))
    spread(lambda q, i, j: _moments(flat[i:j], plan.n_times, parts[q]), [(q, *block) for q, block in enumerate(plan.blocks)])
    share = np.array([[(j - i) // n_c] for i, j in plan.blocks]) / plan.n_rows
    means, variances = parts[:, 0], parts[:, 1]
    mean = (share * means).sum(axis=0)
    var = (share * (variances + np.square(means - mean))).sum(axis=0)
    return mean.astype(x.dtype), var.astype(x.dtype)


@njit(scratch=True)
def _moments(x, n_times, out):
    """Mean and variance of each channel in one block."""
    n_c = out.shape[1]
    width, n = n_c * n_times, len(x) // n_c
    total, mean = np.zeros(width), np.zeros(width)
    for i in range(0, len(x), width):
        row = x[i:i + width]
        for c in range(len(row)):
            total[c] += row[c]
    out[:] = 0.0
    for c in range(width):
        out[0, c % n_c] += total[c] / n
    for c in range(width):
        mean[c], total[c] = out[0, c % n_c], 0.0
    for i in range(0, len(x), width):
        row = x[i:i + width]
        for c in range(len(row)):
            total[c] += (row[c] - mean[c]) ** 2
    for c in range(width):
        out[1, c % n_c] += total[c] / n


@njit
def _normalise(x, y, params):
    """(R8) y."""
    mean, scale, beta = params
    for i in range(0, len(x), len(mean)):
        row, into = x[i:i + len(mean)], y[i:i + len(mean)]
        for c in range(len(row)):
            into[c] = (row[c] - mean[c]) * scale[c] + beta[c]


@njit
def _add(x, dy, mean, plain, weighted):
    for c in range(len(x)):
        plain[c] += dy[c]
        weighted[c] += dy[c] * (x[c] - mean[c])


@njit
def _pulled(x, dy, params, means, dx):
    mean, scale = params
    a, b = means
    for c in range(len(x)):
        dx[c] = scale[c] * (dy[c] - a[c] - (x[c] - mean[c]) * b[c])


@njit(scratch=True)
def _sums(x, dy, mean, out):
    """Sums over one block of dy and of dy (x - mean), by channel."""
    n_c, width = out.shape[1], len(mean)
    plain, weighted = np.zeros(width), np.zeros(width)
    for i in range(0, len(x), width):
        _add(x[i:i + width], dy[i:i + width], mean, plain, weighted)
    out[:] = 0.0
    for c in range(width):
        out[0, c % n_c] += plain[c]
        out[1, c % n_c] += weighted[c]


@njit
def _pull(x, dy, dx, both):
    """(R9) dx = scale (dy - a - (x - mean) b)."""
    params, means = both
    width = len(params[0])
    for i in range(0, len(x), width):
        _pulled(x[i:i + width], dy[i:i + width], params, means, dx[i:i + width])
