"""Known mistakes in the operations of a ReLU network, in the style of `zoo`, and the two checks that catch them.

Both mistakes pass a gradient check: what they compute, they differentiate rightly. They are wrong about a convention, so the convention
itself has to be put to the test.
"""

from typing import NamedTuple

import numpy as np

from .fault import Fault, Op

EXACT = 1e-12          # relative, float64: a dozen roundings


class Finding(NamedTuple):
    """What a check found; `ok` if every line of it holds."""

    lines: tuple         # (what was looked at, whether it holds)

    @property
    def ok(self):
        """Whether everything holds."""
        return all(good for _, good in self.lines)


def _equal(a, b):
    return bool(np.abs(np.asarray(a) - b).max() <= EXACT * max(np.abs(b).max(), 1))


def check_statistics(op, rng=None):
    """See whether a batch normalisation uses the statistics that its arguments declare.

    Given statistics are constants: a sample's output does not depend on its neighbours, and the gradient of one sample's output does not
    reach the others. Without them the statistics are those of the batch, with the biased variance.

    Parameters
    ----------
    op : Op
        ``forward(x, gamma, beta, mean, var)`` and ``backward(dy, cache)`` as `pysnn.reference.batch_norm` has them.
    rng : numpy.random.Generator, optional
        Default: a generator seeded with 0.

    Returns
    -------
    Finding
        What was looked at, and whether it holds.
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
    spread = gamma ** 2 * x.var(axis=0) / (x.var(axis=0) + 1e-5)
    return Finding((
        ("given statistics are used", _equal(y, gamma * (x - mean) / np.sqrt(var + 1e-5) + beta)),
        ("given statistics: a sample does not see its neighbours", _equal(op.forward(x[:1], gamma, beta, mean, var)[0], y[:1])),
        ("given statistics: backward treats them as constants", _equal(dx, dy * gamma / np.sqrt(var + 1e-5))),
        ("statistics of the batch: mean beta, biased variance", _equal(free.mean(axis=0), beta) and _equal(free.var(axis=0), spread)),
        ("statistics of the batch: backward goes through them", _equal(free_dx.sum(axis=0), np.zeros(4)))))


def check_ties(op):
    """See whether of equal numbers in a window the first in row-major order wins, and takes the whole gradient.

    Parameters
    ----------
    op : Op
        ``forward(x)`` and ``backward(dy, cache)`` of a maximum over windows of two by two.

    Returns
    -------
    Finding
        What was looked at, and whether it holds.
    """
    lines = []
    for ties in ((0, 1, 2, 3), (1, 2), (2, 3), (0, 3), (1, 3)):
        x = np.zeros(4)
        x[list(ties)] = 5.0
        _, cache = op.forward(x.reshape(1, 2, 2, 1))
        dx = op.backward(np.ones((1, 1, 1, 1)), cache).reshape(-1)
        lines.append((f"places {ties} are equal: {ties[0]} takes the gradient", dx[ties[0]] == 1 == dx.sum()))
    return Finding(tuple(lines))


def _batch_instead(op):
    def forward(x, gamma, beta, mean=None, var=None, eps=1e-5):
        return op.forward(x, gamma, beta, None, None, eps)
    return Op(forward, op.backward)


class _Flipped(NamedTuple):
    """The cache of a pooling that saw the image upside down."""

    cache: object
    shape: tuple
    h: int
    w: int

    @property
    def winner(self):
        """Who won in each window; which of equals, is another question."""
        return self.cache.winner


def _last_wins(op):
    def forward(x, size=2, stride=None):
        step = stride or size
        h, w = ((n - size) // step * step + size for n in x.shape[1:3])      # what fills no window stays out, as it should
        y, cache = op.forward(x[:, :h, :w][:, ::-1, ::-1], size, stride)
        return y[:, ::-1, ::-1], _Flipped(cache, x.shape, h, w)

    def backward(dy, flipped):
        cache, shape, h, w = flipped
        dx = np.zeros(shape, dy.dtype)
        dx[:, :h, :w] = op.backward(np.ascontiguousarray(dy[:, ::-1, ::-1]), cache)[:, ::-1, ::-1]
        return dx
    return Op(forward, backward)


FAULTS = {fault.name: fault for fault in (
    Fault("batch_norm_statistics", "synthetic",
          "batch normalisation takes the statistics of the batch where constants are declared, forward and backward",
          "batch_norm", "check_statistics", _batch_instead),
    Fault("max_pool_tie", "synthetic",
          "of equal numbers in a window of the maximum the last one wins, not the first",
          "max_pool", "check_ties", _last_wins),
)}
"""The mistakes by name."""
