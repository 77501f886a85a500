"""The one matrix product, and the one pool of threads.

OpenBLAS gives different bits for different thread counts, also for the sum of a vector's squares. Here the output is cut into blocks
whose size does not depend on the number of threads, and each block is one single-threaded BLAS call on one of our own threads.
"""

import os
import threading
from contextlib import nullcontext
from queue import SimpleQueue

import numpy as np

_calls = None          # helpers, the threads besides the caller's, wait here
_n_threads = None
_controller = None


def set_threads(n):
    """Choose how many threads pysnn uses; results do not depend on it.

    Parameters
    ----------
    n : int
        At least 1.
    """
    global _calls, _n_threads
    if not isinstance(n, int) or n < 1:
        raise ValueError(f"threads: expected a whole number of at least 1, got {n!r}")
    for _ in range(1, _n_threads or 1):
        _calls.put(None)                       # the old helpers go home
    _calls, _n_threads = SimpleQueue(), n
    for k in range(1, n):
        threading.Thread(target=_help, args=(_calls,), name=f"pysnn-{k}", daemon=True).start()


def get_threads():
    """Return the number of threads: PYSNN_THREADS, else the processors this process may use."""
    if _n_threads is None:
        given = os.environ.get("PYSNN_THREADS", "")
        if given and not (given.isdecimal() and int(given)):
            raise ValueError(f"PYSNN_THREADS: expected a whole number of at least 1, got {given!r}")
        usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        set_threads(int(given) if given else usable)
    return _n_threads


class _Share:
    """A helper's share in a call: blocks that it takes, one by one, from the same list as everybody else."""

    __slots__ = ("begun", "blocks", "done", "error", "work")

    def __init__(self, work, blocks):
        self.work, self.blocks, self.error = work, blocks, None
        self.begun, self.done = threading.Lock(), threading.Lock()
        self.done.acquire()

    def take(self):
        if self.begun.acquire(blocking=False):
            try:
                for block in self.blocks:
                    self.work(*block)
            except BaseException as error:  # told to the caller
                self.error = error
            finally:
                self.done.release()

    def finish(self):
        """Wait for the helper; one that has not begun is not waited for, and never will begin."""
        if not self.begun.acquire(blocking=False):
            self.done.acquire()


def _help(calls):
    """Live as a helper."""
    for share in iter(calls.get, None):
        share.take()


def spread(work, blocks):
    """Call work(*block) for every block, on all threads; each block must own what it writes."""
    n_helpers = min(get_threads(), len(blocks)) - 1
    blocks = iter(blocks)                       # next() on it is one step for all threads
    shares = [_Share(work, blocks) for _ in range(n_helpers)]
    for share in shares:
        _calls.put(share)
    try:
        for block in blocks:
            work(*block)
    finally:
        for share in shares:
            share.finish()
    for share in shares:
        if share.error is not None:
            raise share.error


def cut(n, size):
    """Cut range(n) into (start, stop) pairs of a fixed size."""
    return [(i, min(i + size, n)) for i in range(0, n, size)]


def _one_thread():
    """Hold the BLAS to one thread while our own threads call it; without threadpoolctl its threads, and so its bits, are its own affair."""
    global _controller
    if _controller is None:
        try:
            from threadpoolctl import ThreadpoolController
        except ImportError:
            return nullcontext()
        _controller = ThreadpoolController()
    return _controller.limit(limits=1, user_api="blas")


def matmul(a, b):
    """Multiply (n, k) by (k, m): the same bits for any number of threads.

    Parameters
    ----------
    a, b : 2-D arrays of one float dtype
        Factors.

    Returns
    -------
    (n, m) array
        a @ b.
    """
    n, m = a.shape[0], b.shape[1]
    out = np.empty((n, m), np.result_type(a, b))
    rows, cols = (max(64, -(-n // 4)), m) if 2 * n >= m else (n, max(64, -(-m // 64) * 16))     # four blocks
    blocks = [(*i, *j) for i in cut(n, rows) for j in cut(m, cols)]
    with _one_thread():
        spread(lambda i0, i1, j0, j1: np.matmul(a[i0:i1], b[:, j0:j1], out=out[i0:i1, j0:j1]), blocks)
    return out


def squares(x):
    """Sum the squares of an array: the same bits for any number of threads.

    Parameters
    ----------
    x : array
        Any shape.

    Returns
    -------
    float
        The sum.
    """
    with _one_thread():
        return float(np.vdot(x, x))
