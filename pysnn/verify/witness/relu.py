"""The operations of a ReLU network by their definitions, number by number, in plain loops; and checks of two conventions.

A mistake about a convention passes a gradient check: what it computes, it differentiates rightly. `check_statistics` asks a batch
normalisation whose statistics it uses, `check_ties` a pooling which of equal numbers wins.
"""

import math
from typing import NamedTuple

import numpy as np

EXACT = 1e-12          # relative, float64: a dozen roundings


def _loops(shape, value):
    """Fill an array entry by entry; sums are exact (math.fsum)."""
    return np.array([value(*at) for at in np.ndindex(*shape)]).reshape(shape)


def dense(x, w, b=None):
    """Compute x w + b.

    Parameters
    ----------
    x, w, b : (B, N_in), (N_in, N_out), (N_out,) float64 arrays
        Inputs, weights and, if any, biases.

    Returns
    -------
    (B, N_out) array
        The sums.
    """
    return _loops((len(x), w.shape[1]), lambda n, j: math.fsum([*(x[n] * w[:, j]), 0 if b is None else b[j]]))


def conv2d(x, w, stride=1, padding=0):
    """Correlate images with a kernel.

    Parameters
    ----------
    x, w : (B, H, W, C_in), (kh, kw, C_in, C_out) float64 arrays
        Images and kernel.
    stride, padding : int
        Step of the windows; zeros around the images.

    Returns
    -------
    (B, H_out, W_out, C_out) array
        The sums.
    """
    p = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    rows, cols = ((p.shape[k + 1] - w.shape[k]) // stride + 1 for k in (0, 1))
    return _loops((len(x), rows, cols, w.shape[3]), lambda n, i, j, c: math.fsum(
        (p[n, i * stride:i * stride + w.shape[0], j * stride:j * stride + w.shape[1]] * w[..., c]).ravel()))


def pool(x, best, size=2, stride=None):
    """Reduce windows of images.

    Parameters
    ----------
    x : (B, H, W, C) float64 array
        Images.
    best : callable
        Makes one number of those of a window in row-major order.
    size, stride : int
        Of the windows; stride None: size.

    Returns
    -------
    (B, H_out, W_out, C) array
        One number a window.
    """
    stride = stride or size
    rows, cols = ((n - size) // stride + 1 for n in x.shape[1:3])
    return _loops((len(x), rows, cols, x.shape[3]),
                  lambda n, i, j, c: best(x[n, i * stride:i * stride + size, j * stride:j * stride + size, c].ravel()))


def batch_norm(x, gamma, beta, mean=None, var=None, eps=1e-5):
    """Normalise each channel, then scale and shift it.

    Parameters
    ----------
    x : (..., C) float64 array
        Values.
    gamma, beta, mean, var : (C,) float64 arrays
        Scale, shift, statistics; mean None: those of x, the variance biased.
    eps : float
        Added to the variance.

    Returns
    -------
    array like x
        The result.
    """
    rows = x.reshape(-1, x.shape[-1])
    if mean is None:
        mean = np.array([math.fsum(r) / len(r) for r in rows.T])
        var = np.array([math.fsum((r - m) ** 2) / len(r) for r, m in zip(rows.T, mean, strict=True)])
    return gamma * (x - mean) / np.sqrt(var + eps) + beta


def relu(x, top=np.inf, levels=0):
    """Clip to [0, top]; with levels, go to the nearest of so many steps, half-way up.

    Parameters
    ----------
    x : float64 array
        Any shape.
    top : float
        Where the output ends.
    levels : int
        Steps between 0 and top; 0: no rounding.

    Returns
    -------
    array like x
        The result.
    """
    def value(*at):
        a = min(max(x[at], 0.0), top)
        return max((k for k in range(levels + 1) if a >= (k - 0.5) * top / levels), default=0) * top / levels if levels else a
    return _loops(x.shape, value)


class Statements(NamedTuple):
    """Statements that were checked; `ok` if each of them holds."""

    lines: tuple         # (statement, whether it holds)

    @property
    def ok(self):
        """Whether everything holds."""
        return all(good for _, good in self.lines)


def _equal(a, b):
    return bool(np.abs(np.asarray(a) - b).max() <= EXACT * max(np.abs(b).max(), 1))


def check_statistics(op, rng=None):
    """Check that a batch normalisation uses the statistics that its arguments declare.

    Given statistics are constants: a sample's output does not depend on its neighbours, and the gradient of one sample's output does not
    reach the others. Without them the statistics are those of the batch, with the biased variance.

    Parameters
    ----------
    op : Pair
        ``forward(x, gamma, beta, mean, var)`` and ``backward(dy, cache)`` as `pysnn.reference.batch_norm` has them.
    rng : numpy.random.Generator, optional
        Default: a generator seeded with 0.

    Returns
    -------
    Statements
        What was checked, and whether it holds.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    x, dy = rng.normal(3, 2, (6, 4)), np.zeros((6, 4))
    gamma, beta, mean = rng.normal(size=(3, 4))
    var = rng.uniform(0.5, 2, 4)
    dy[0] = 1
    y, cache = op.forward(x, gamma, beta, mean, var)
    dx, _, _ = op.backward(dy, cache)
    free, free_cache = op.forward(x, gamma, beta, None, None)
    free_dx, _, _ = op.backward(dy, free_cache)
    variance = gamma ** 2 * x.var(axis=0) / (x.var(axis=0) + 1e-5)
    return Statements((
        ("given statistics are used", _equal(y, gamma * (x - mean) / np.sqrt(var + 1e-5) + beta)),
        ("given statistics: a sample does not see its neighbours", _equal(op.forward(x[:1], gamma, beta, mean, var)[0], y[:1])),
        ("given statistics: backward treats them as constants", _equal(dx, dy * gamma / np.sqrt(var + 1e-5))),
        ("statistics of the batch: mean beta, biased variance", _equal(free.mean(axis=0), beta) and _equal(free.var(axis=0), variance)),
        ("statistics of the batch: backward goes through them", _equal(free_dx.sum(axis=0), np.zeros(4)))))


def check_ties(op):
    """Check that of equal numbers in a window the first in row-major order wins, and takes the whole gradient.

    Parameters
    ----------
    op : Pair
        ``forward(x)`` and ``backward(dy, cache)`` of a maximum over windows of two by two.

    Returns
    -------
    Statements
        What was checked, and whether it holds.
    """
    lines = []
    for ties in ((0, 1, 2, 3), (1, 2), (2, 3), (0, 3), (1, 3)):
        x = np.zeros(4)
        x[list(ties)] = 5.0
        _, cache = op.forward(x.reshape(1, 2, 2, 1))
        dx = op.backward(np.ones((1, 1, 1, 1)), cache).reshape(-1)
        lines.append((f"places {ties} are equal: {ties[0]} takes the gradient", dx[ties[0]] == 1 == dx.sum()))
    return Statements(tuple(lines))
