"""The one Numba policy, and why.

- `nogil`, and never `parallel=True`: a kernel works on the block it is given, and `_threads.spread` hands out blocks to our own threads.
  Each block owns what it writes and no block depends on how many threads there are, so the bits do not either; and there are no second
  thread pool and threading layer to disturb the BLAS.
- `fastmath` only with `contract` (fused multiply-add) and `nsz` (no care for the sign of 0). Never `nnan` or `ninf`: inf means "no spike".
- `error_model="numpy"`: 1/0 is inf and needs no branch in the inner loop. Denominators are tested all the same.
- Freed memory stays with the process: a step needs some 20 arrays of 0.1 to 3 MB, and with glibc's first thresholds each would go back to
  the system and be faulted in anew, which doubled the time of a step. Freeing one large array, never touched, raises these thresholds.
- `cache=True`: compiled once a machine. Numba does not notice a change in a helper of another file, so a kernel's helpers live in its file;
  but _event_conv and _event_dense share `fire` and the loops of _events.py: after a change there remove pysnn/kernels/__pycache__.
"""

import sys
import threading

import numba
import numpy as np
from numba import types
from numba.core import event
from numba.extending import intrinsic

from ._threads import use_watcher


def njit(function):
    """Compile a kernel by the policy above."""
    options = {"nogil": True, "error_model": "numpy", "fastmath": {"contract", "nsz"}}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:             # neither the package's folder nor the home folder can be written: compile each time
        return numba.njit(**options)(function)


class _SayOnce(event.Listener):
    """Tell the user, once, why the first call takes seconds."""

    said = False
    lock = threading.Lock()

    def on_start(self, event):
        with self.lock:
            if not self.said and "pysnn" in getattr(event.data["dispatcher"].py_func, "__module__", ""):
                self.said = True
                print("pysnn: compiling kernels for this machine (some 20 s, only the first time) ...", file=sys.stderr, flush=True)

    def on_end(self, event):
        pass


event.register("numba:compile", _SayOnce())
np.empty(31 << 20, np.uint8)          # made and freed at once, see above


@intrinsic
def _read(typing, signal, place):
    """Read signal[place] from memory, each time anew."""
    def generate(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, value=args[0]).data
        return builder.load_atomic(builder.gep(data, [args[1]]), "acquire", 8)

    return types.int64(signal, types.int64), generate


@njit
def _watch(signal, place, seen):
    """Read a signal until it changes, for about half a millisecond; meanwhile other threads may hold the interpreter."""
    for _ in range(1_000_000):
        if _read(signal, place) != seen:
            break


if not numba.config.DISABLE_JIT:
    use_watcher(_watch)
