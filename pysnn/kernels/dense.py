"""The dense layer by the one matrix product, whose bits do not depend on the number of threads; see reference/dense.py."""

from typing import NamedTuple

import numpy as np

from .. import _checks
from .._blas import matmul


class Cache(NamedTuple):
    """What backward needs of forward; opaque."""

    x: np.ndarray
    w: np.ndarray
    has_b: bool


def dense_forward(x, w, b=None):
    """Multiply by a weight matrix; see `pysnn.reference.dense.dense_forward`."""
    x, w, b = _checks.dense(x, w, b)
    y = matmul(x, w)                                                     # (R1)
    if b is not None:
        y += b
    return y, Cache(x, w, b is not None)


def dense_backward(dy, cache):
    """Pull a gradient back through `dense_forward`; see `pysnn.reference.dense.dense_backward`."""
    x, w, has_b = cache
    dy = _checks.gradient(dy, ((len(x), w.shape[1]), x.dtype))
    return matmul(dy, w.T), matmul(x.T, dy), dy.sum(axis=0) if has_b else None     # (R1)
