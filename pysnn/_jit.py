"""The one Numba policy, and why.

- `nogil`, and never `parallel=True`: a kernel works on the block it is given, and `_threads.spread` hands out blocks to our own threads.
  Each block owns what it writes and no block depends on how many threads there are, so the bits do not either; and there are no second
  thread pool and threading layer to disturb the BLAS.
- `fastmath` only with `contract` (fused multiply-add) and `nsz` (no care for the sign of 0). Never `nnan` or `ninf`: inf means "no spike".
- `exact` compiles without `contract`: for kernels of a product and a sum on which a spike depends, so that they decide as NumPy does.
- References to arrays are counted only in a kernel that makes arrays, one with `scratch`: where rows of arrays are taken in an inner loop,
  counting them took a tenth of the time of some, and more on two threads, which count in the same place.
- `error_model="numpy"`: 1/0 is inf and needs no branch in the inner loop. Denominators are tested all the same.
- Freed memory stays with the process: a step needs some 20 arrays of 0.1 to 3 MB, and with glibc's first thresholds each would go back to
  the system and be faulted in anew, which doubled the time of a step. Freeing one large array, never touched, raises these thresholds.
- The machine code is kept in Numba's cache: compiled once a machine. Numba does not notice a change in a helper of another file, so here
  a change in any file of pysnn/kernels makes it compile anew; and it trusts what it finds, so here a digest is read first. Trouble with
  the cache is said once and means to compile: it stops nothing.
"""

import contextlib
import functools
import hashlib
import os
import sys
from pathlib import Path

import numba
import numpy as np
from numba import types
from numba.core import caching, event
from numba.core.compiler_lock import global_compiler_lock
from numba.extending import intrinsic

from . import _blas
from ._threads import use_watcher

_SOURCES = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(Path(__file__).parent.glob("kernels/*.py"))]
_DIGEST = 32                            # bytes
_said = set()


def _say_once(subject, text):
    """Tell the user something, the first time only."""
    if subject not in _said:
        _said.add(subject)
        print(f"pysnn: {text}", file=sys.stderr, flush=True)


class _CacheFile(caching.IndexDataCacheFile):
    """Numba's files, with a digest at the end of each; what follows a pickle is not read."""

    @contextlib.contextmanager
    def _open_for_write(self, filepath):
        with super()._open_for_write(filepath) as file:
            yield file
            file.flush()
            file.write(hashlib.sha256(Path(file.name).read_bytes()).digest())

    def _load_index(self):
        self._check(self._index_path)
        return super()._load_index()

    def _load_data(self, name):
        self._check(self._data_path(name))
        return super()._load_data(name)

    def _check(self, path):
        with contextlib.suppress(FileNotFoundError):
            data = Path(path).read_bytes()
            if hashlib.sha256(data[:-_DIGEST]).digest() != data[-_DIGEST:]:
                raise ValueError("a damaged file")


class _Cache(caching.FunctionCache):
    """Numba's cache of a function, where any trouble is a miss."""

    def __init__(self, function):
        super().__init__(function)
        file = self._cache_file
        name = f"{self._impl.filename_base}.checked-{numba.__version__}"     # another Numba would throw away the files of this one
        self._cache_file = _CacheFile(self._cache_path, name, (file._source_stamp, _SOURCES))

    def load_overload(self, sig, target_context):
        try:
            return super().load_overload(sig, target_context)
        except Exception as error:      # a damaged pickle raises anything
            self._trouble(error)
            with contextlib.suppress(Exception):
                self.flush()
            return None

    def save_overload(self, sig, data):
        try:
            super().save_overload(sig, data)
        except Exception as error:
            self._trouble(error)

    def _trouble(self, error):
        _say_once("trouble", f"the compiled kernels kept in {self._cache_path} are of no use ({type(error).__name__}: {error!s:.80}): "
                             "compiling anew")


def njit(function=None, *, contract=True, scratch=False):
    """Compile a kernel by the policy above; `scratch`: it, or a part of it, makes arrays."""
    if function is None:
        return functools.partial(njit, contract=contract, scratch=scratch)
    fastmath = {"contract", "nsz"} if contract else {"nsz"}
    compiled = numba.njit(nogil=True, error_model="numpy", fastmath=fastmath, _nrt=scratch)(function)
    if not numba.config.DISABLE_JIT:
        try:
            compiled._cache = _Cache(function)
        except (RuntimeError, OSError):                 # no folder to write in
            _SayOnce.when = "each time, for no folder can be written to keep them: set NUMBA_CACHE_DIR"
    return compiled


exact = njit(contract=False)


def _stop():
    """Wait, before a fork, until no thread compiles or multiplies: the child gets no lock of theirs."""
    _blas.stop()
    global_compiler_lock.acquire()


def _go_on():
    global_compiler_lock.release()
    _blas.go_on()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_stop, after_in_parent=_go_on, after_in_child=global_compiler_lock.release)


class _SayOnce(event.Listener):
    """Tell the user, once, why the first call takes seconds."""

    when = "only the first time"

    def on_start(self, event):
        if "pysnn" in (getattr(event.data["dispatcher"].py_func, "__module__", None) or ""):     # None of what exec made
            _say_once("compile", f"compiling kernels for this machine (some 20 s, {self.when}) ...")

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


@njit
def copy(x, into):
    """Copy a row of numbers into another, as into[:] = x does, for which Numba compiles text of an error message for seconds."""
    for k in range(len(into)):
        into[k] = x[k]


if not numba.config.DISABLE_JIT:
    use_watcher(_watch)
