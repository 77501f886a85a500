"""The one matrix product, and the one pool of threads.

OpenBLAS gives different bits for different thread counts, also for the sum of a vector's squares. Here the output is cut into blocks
whose size does not depend on the number of threads, and each block is one single-threaded BLAS call on one of our own threads.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import numpy as np

_pool = None
_n_threads = None
_controller = None


def set_threads(n):
    """Choose how many threads pysnn uses; results do not depend on it.

    Parameters
    ----------
    n : int
        At least 1.
    """
    global _pool, _n_threads
    if not isinstance(n, int) or n < 1:
        raise ValueError(f"threads: expected a whole number of at least 1, got {n!r}")
    if _pool is not None:
        _pool.shutdown()
    _pool, _n_threads = (ThreadPoolExecutor(n - 1, "pysnn") if n > 1 else None), n


def get_threads():
    """Return the number of threads: PYSNN_THREADS, else the processors this process may use."""
    if _n_threads is None:
        given = os.environ.get("PYSNN_THREADS", "")
        if given and not (given.isdecimal() and int(given)):
            raise ValueError(f"PYSNN_THREADS: expected a whole number of at least 1, got {given!r}")
        usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        set_threads(int(given) if given else usable)
    return _n_threads


def spread(work, blocks):
    """Call work(*block) for every block, on all threads; each block must own what it writes."""
    if get_threads() == 1 or len(blocks) == 1:
        for block in blocks:
            work(*block)
        return
    others = [(block, _pool.submit(work, *block)) for block in blocks[1:]]
    work(*blocks[0])
    for block, done in reversed(others):        # this thread works, too, from the other end, until all are taken
        if done.cancel():
            work(*block)
        else:
            done.result()


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
