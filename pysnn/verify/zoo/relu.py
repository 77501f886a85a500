"""Known mistakes in the operations of a ReLU network, in the style of `zoo.spiking`.

Both pass a gradient check: what they compute, they differentiate rightly. They are wrong about a convention, and `check_statistics` and
`check_ties` of `pysnn.verify.witness.relu` put that to the test.
"""

from typing import NamedTuple

import numpy as np

from ...operations import Pair
from .fault import Fault


def _batch_instead(op):
    def forward(x, gamma, beta, mean=None, var=None, eps=1e-5):
        return op.forward(x, gamma, beta, None, None, eps)
    return Pair(forward, op.backward)


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
    return Pair(forward, backward)


FAULTS = {fault.name: fault for fault in (
    Fault("batch_norm_statistics", "synthetic",
          "batch normalisation takes the statistics of the batch where constants are declared, forward and backward",
          "batch_norm", "statistics", _batch_instead),
    Fault("max_pool_tie", "synthetic",
          "of equal numbers in a window of the maximum the last one wins, not the first",
          "max_pool2d", "ties", _last_wins),
)}
"""The mistakes by name."""
