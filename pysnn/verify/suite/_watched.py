"""An operation under test, watched: if a check stops with an error, whose fault is it?"""

import numpy as np

from ...foreign import NoAnswer, Raised


class Watched:
    """An operation under test; `fault` says what it did wrong: it raised an error, or gave results that the contract does not allow."""

    def __init__(self, record, op):
        self._record, self._op, self._args, self.fault = record, op, (), ""

    def __call__(self, *args):
        """Run a loss, or the gradients of a learning rule."""
        return self._call(self._op, args)

    def forward(self, *args):
        """Run forward."""
        result, self._args = self._call(self._op.forward, args), args
        if not isinstance(result, tuple) or len(result) != len(self._record.outputs) + 1:
            got = f"{len(result)} results" if isinstance(result, tuple) else type(result).__name__
            self.fault = f"forward: expected {', '.join((*self._record.outputs, 'cache'))}, got {got}"
        return result

    def backward(self, *args):
        """Run backward."""
        grads = self._call(self._op.backward, args)
        listed = [g for g in (grads if isinstance(grads, (tuple, list)) else (grads,)) if g is not None]
        places = [k for k in map(self._record.arguments.index, self._record.gradients) if k < len(self._args) and self._args[k] is not None]
        shapes, wanted = [getattr(g, "shape", None) for g in listed], [np.shape(self._args[k]) for k in places]
        if shapes != wanted:
            self.fault = f"backward: expected gradients of shape {', '.join(map(str, wanted))}, got {', '.join(map(str, shapes))}"
        return grads

    def _call(self, function, args):
        self.fault = ""
        try:
            return function(*args)
        except NoAnswer:
            raise
        except Exception as error:
            name = "" if isinstance(error, Raised) else f"{type(error).__name__}: "
            self.fault = f"{name}{' '.join(str(error).split())}"[:300]
            raise
