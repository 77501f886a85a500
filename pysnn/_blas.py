"""The one matrix product: the same bits for any number of threads.

OpenBLAS gives different bits for different thread counts, also for the sum of a vector's squares. Here the output is cut into blocks
whose size does not depend on the number of threads, and each block is one single-threaded BLAS call on one of our own threads.
"""

import os
import threading

import numpy as np

from ._threads import cut, spread

_controller = None


class _OneThread:
    """Hold the BLAS to one thread while there are callers; without threadpoolctl, its threads and so its bits are not in our hands."""

    def __init__(self):
        self.lock, self.n_callers, self.limit = threading.Lock(), 0, None

    def __enter__(self):
        global _controller
        with self.lock:
            self.n_callers += 1
            if self.n_callers == 1:
                if _controller is None:
                    try:
                        from threadpoolctl import ThreadpoolController
                    except ImportError:
                        return
                    _controller = ThreadpoolController()
                self.limit = _controller.limit(limits=1, user_api="blas")

    def __exit__(self, *error):
        with self.lock:
            self.n_callers -= 1
            if self.n_callers == 0 and self.limit is not None:
                self.limit.restore_original_limits()
                self.limit = None


_callers = _OneThread()


def _forget():
    """Forget, in a forked process, the callers of the parent, and who held their lock."""
    global _callers
    _callers = _OneThread()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def one_thread():
    """Hold the BLAS to one thread.

    Returns
    -------
    context manager
        The BLAS keeps to one thread inside it; for as many callers at once as there are.
    """
    return _callers


def matmul(a, b):
    """Multiply (n, k) by (k, m) arrays of one float dtype: the same bits for any number of threads."""
    n, m = a.shape[0], b.shape[1]
    out = np.empty((n, m), np.result_type(a, b))
    rows, cols = (max(64, -(-n // 4)), m) if 2 * n >= m else (n, max(64, -(-m // 64) * 16))     # four blocks
    blocks = [(*i, *j) for i in cut(n, rows) for j in cut(m, cols)]
    with one_thread():
        spread(lambda i0, i1, j0, j1: np.matmul(a[i0:i1], b[:, j0:j1], out=out[i0:i1, j0:j1]), blocks)
    return out


def squares(x):
    """Sum the squares of an array: the same bits for any number of threads."""
    with one_thread():
        return float(np.vdot(x, x))
