"""The dense layer by the one matrix product, whose bits do not depend on the number of threads; see reference/dense.py.

Where x holds few spikes and else zeros, its products go by events: a row of weights, or of gradients, is added for each spike.
"""

from typing import NamedTuple

import numpy as np

from .. import _checks
from .._blas import matmul
from . import _event_dense as event_dense

_WIDE = 16           # outputs; with fewer a product costs no more than to look for spikes


class Cache(NamedTuple):
    """What backward needs of forward; opaque."""

    x: np.ndarray
    w: np.ndarray
    has_b: bool
    events: event_dense.Events | None = None


def dense_forward(x, w, b=None):
    """Multiply by a weight matrix; see `pysnn.reference.dense.dense_forward`."""
    return _forward(*_checks.dense(x, w, b))                             # (R1)


def spikes_forward(x, w, b=None):
    """Multiply spikes as uint8, 1 and 0, by a weight matrix; the same bits as `dense_forward`, whose x is an array of floats."""
    if x.max(initial=0) > 1:
        _checks.array(x, "x")                                            # says that bytes are no floats
    _, w, b = _checks.dense(x[:1].astype(w.dtype), w, b)
    return _forward(np.ascontiguousarray(x), w, b)


def _forward(x, w, b):
    flags = event_dense.spikes_of(x) if w.shape[1] >= _WIDE else None
    events = None if flags is None else event_dense.listed(flags)
    if events is None:
        x = x.astype(w.dtype, copy=False)
    y = matmul(x, w) if events is None else event_dense.product(events, w)         # (R1)
    if b is not None:
        y += b
    return y, Cache(x, w, b is not None, events)


def dense_backward(dy, cache, need_dx=True):
    """Pull a gradient back through `dense_forward`; see `pysnn.reference.dense.dense_backward`."""
    x, w, has_b, events = cache
    dy = _checks.gradient(dy, ((len(x), w.shape[1]), w.dtype))
    dw = matmul(x.T, dy) if events is None else event_dense.product(event_dense.turned(events), dy)
    return matmul(dy, w.T) if need_dx else None, dw, dy.sum(axis=0) if has_b else None     # (R1)
