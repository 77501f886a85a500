"""The one matrix product: the same bits for any number of threads.

OpenBLAS gives different bits for different thread counts, also for the sum of a vector's squares. Here the output is cut into blocks
whose size does not depend on the number of threads, and each block is one single-threaded BLAS call on one of our own threads.

The BLAS is told so by its own functions. They are looked up in the library that NumPy's core is linked with, so no other package is
needed, and the calling thread does not matter: threadpoolctl lets one thread set the limit and ignores the others.
"""

import contextlib
import ctypes
import os
import threading
from pathlib import Path

import numpy as np

from ._threads import cut, spread

OPENMP = 2                                           # openblas_get_parallel
MOST_SECONDS = 10                                    # that a fork waits for products
NAMES = {                                            # of the functions that read and set the number of threads
    "mkl": [("MKL_Get_Max_Threads", "MKL_Set_Num_Threads")],
    "blis": [("bli_thread_get_num_threads", "bli_thread_set_num_threads")],
    "openblas": [(f"{prefix}openblas_get_num_threads{suffix}", f"{prefix}openblas_set_num_threads{suffix}")
                 for prefix in ("", "scipy_") for suffix in ("", "64_", "_64")]}


class _Library:
    """The number of threads of a BLAS: one for the process, or, where OpenBLAS is built with OpenMP, one for each calling thread."""

    def __init__(self, name="none", get=lambda: 1, put=lambda n: None, each_thread=False):
        self.name, self.get, self.put, self.each_thread = name, get, put, each_thread


def _find():
    """Find NumPy's BLAS, or return a library that does nothing."""
    core = (np._core if hasattr(np, "_core") else np.core)._multiarray_umath
    for path in (core.__file__, *Path(np.__file__).parent.parent.glob("numpy.libs/*blas*")):
        with contextlib.suppress(OSError):
            library = ctypes.CDLL(str(path))          # it is loaded already; a lookup searches what it is linked with, too
            for name, get, put in ((name, *pair) for name, pairs in NAMES.items() for pair in pairs):
                if hasattr(library, get) and hasattr(library, put):
                    parallel = getattr(library, get.replace("num_threads", "parallel"), None) if name == "openblas" else None
                    if parallel and parallel() == OPENMP and hasattr(library, "omp_set_num_threads"):
                        return _Library(name, library.omp_get_max_threads, library.omp_set_num_threads, each_thread=True)
                    return _Library(name, getattr(library, get), getattr(library, put))
    return _Library()


class _OneThread:
    """Hold the BLAS to one thread while there are callers, whichever thread they are on."""

    def __init__(self, blas):
        self.blas, self.free = blas, threading.Condition()
        self.inside = {}                              # thread -> how many times it is inside
        self.before = {}                              # thread, or None for the process -> number of threads to go back to

    def __enter__(self):
        me = threading.get_ident()
        with self.free:
            whose = me if self.blas.each_thread else None
            n = self.blas.get()
            if whose not in self.before:
                self.before[whose] = max(1, n)            # BLIS says -1 where nobody has chosen
            if n != 1:                                # or somebody has changed it meanwhile
                self.blas.put(1)
            self.inside[me] = self.inside.get(me, 0) + 1

    def __exit__(self, *error):
        me = threading.get_ident()
        with self.free:
            self.inside[me] -= 1
            if not self.inside[me]:
                del self.inside[me]
                if self.blas.each_thread or not self.inside:
                    self.blas.put(self.before.pop(me if self.blas.each_thread else None))
                self.free.notify_all()

    def stop(self):
        """Let nobody in, and wait until no other thread is inside: a fork then copies no lock of the BLAS that is held."""
        self.free.acquire()
        self.free.wait_for(lambda: not self.inside.keys() - {threading.get_ident()}, timeout=MOST_SECONDS)


_callers = _OneThread(_find())


def stop():
    """Let no thread begin a product, and wait until none is amid one: before a fork."""
    _callers.stop()


def go_on():
    """Let products begin again: in the parent, after a fork."""
    _callers.free.release()


def _forget():
    """Forget, in a forked process, the callers of the parent, and who held their lock."""
    global _callers
    for n in set(_callers.before.values()):
        _callers.blas.put(n)
    _callers = _OneThread(_callers.blas)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=stop, after_in_parent=go_on, after_in_child=_forget)


def one_thread():
    """Hold the BLAS to one thread.

    Returns
    -------
    context manager
        Products of the calling thread, and of those that `spread_products` uses, are done by one thread inside it.
    """
    return _callers


def library():
    """Name NumPy's BLAS: openblas, mkl or blis; "none" if it is another one, whose threads are not in our hands.

    Returns
    -------
    str
        One word.
    """
    return _callers.blas.name


def spread_products(work, blocks):
    """Call work(*block) for every block, on all threads, as `_threads.spread` does; each product inside `work` by one thread.

    Parameters
    ----------
    work : callable
        Writes nothing that another block reads or writes.
    blocks : list of tuple
        Its arguments.
    """
    put = _callers.blas.put if _callers.blas.each_thread else None

    def alone(*block):
        put(1)
        work(*block)
    with one_thread():
        spread(alone if put else work, blocks)


def matmul(a, b):
    """Multiply (n, k) by (k, m) arrays of one float dtype: the same bits for any number of threads."""
    n, m = a.shape[0], b.shape[1]
    out = np.empty((n, m), np.result_type(a, b))
    rows, cols = (max(64, -(-n // 4)), m) if 2 * n >= m else (n, max(64, -(-m // 64) * 16))     # four blocks
    blocks = [(*i, *j) for i in cut(n, rows) for j in cut(m, cols)]
    spread_products(lambda i0, i1, j0, j1: np.matmul(a[i0:i1], b[:, j0:j1], out=out[i0:i1, j0:j1]), blocks)
    return out


def squares(x):
    """Sum the squares of an array: the same bits for any number of threads."""
    with one_thread():
        return float(np.vdot(x, x))
