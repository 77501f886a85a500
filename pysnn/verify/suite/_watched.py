"""An operation under test, watched: whose fault is it when a check stops with an error?"""

import numpy as np

from ...foreign import NoAnswer, Raised
from ...operations import OPERATIONS


class Watched:
    """An operation under test that remembers its last calls.

    Parameters
    ----------
    name : str
        What it is.
    op : Pair, Own or callable
        The operation.
    """

    def __init__(self, name, op):
        self._name, self._op, self._raised, self._last, self._grads = name, op, "", None, None

    def __call__(self, *args):
        """Run a loss, or the gradients of a learning rule."""
        self._last = args, self._call(self._op, args)
        return self._last[1]

    def forward(self, *args):
        """Run forward."""
        self._grads, self._last = None, (args, self._call(self._op.forward, args))
        return self._last[1]

    def backward(self, *args):
        """Run backward."""
        self._grads = self._call(self._op.backward, args)
        return self._grads

    def _call(self, function, args):
        try:
            return function(*args)
        except NoAnswer:
            raise
        except Exception as error:
            name = "" if isinstance(error, Raised) else f"{type(error).__name__}: "
            self._raised = f"{name}{' '.join(str(error).split())}"[:300]
            raise

    def fault(self):
        """Say what the operation did wrong: it raised an error, or its last results have not the shapes of the contract; "" if neither."""
        if self._raised or self._last is None:
            return self._raised
        record = getattr(self._op, "record", None) or OPERATIONS.get(self._name)
        try:
            return _misshapen(record, *self._last, self._grads, self._op) if record else ""
        except Exception:
            return "its results are no arrays of numbers"


def _misshapen(record, args, result, grads, op):
    """Compare results with what the contract says of them."""
    if not isinstance(result, tuple) or len(result) != len(record.outputs) + 1:
        return f"forward: expected {', '.join((*record.outputs, 'cache'))}, got {_size(result)}"
    right = getattr(op, "reference", None) or (record.pair("reference") if record.module else None)
    wanted = right.forward(*args)[:-1] if right else result[:-1]
    for name, got, want in zip(record.outputs, result[:-1], wanted, strict=True):
        np.asarray(got, float)
        if np.shape(got) != np.shape(want):
            return f"{name}: expected shape {np.shape(want)}, got {np.shape(got)}"
    if grads is None:
        return ""
    listed = [g for g in (grads if isinstance(grads, (tuple, list)) else (grads,)) if g is not None]
    places = [k for k in map(record.arguments.index, record.gradients) if k < len(args)]
    if len(listed) != len(places):
        return f"backward: expected {len(places)} gradients, got {len(listed)}"
    for k, g in zip(places, listed, strict=True):
        np.asarray(g, float)
        if np.shape(g) != np.shape(args[k]):
            return f"gradient of {record.arguments[k]}: expected shape {np.shape(args[k])}, got {np.shape(g)}"
    return ""


def _size(result):
    return f"{len(result)} results" if isinstance(result, tuple) else type(result).__name__
