"""The one matrix product, and the one pool of threads.

OpenBLAS gives different bits for different thread counts, also for the sum of a vector's squares. Here the output is cut into blocks
whose size does not depend on the number of threads, and each block is one single-threaded BLAS call on one of our own threads.
"""

import ctypes
import os
import threading
from contextlib import suppress
from queue import SimpleQueue

import numpy as np

_calls = None          # helpers, the threads besides the caller's, wait here
_n_threads = None
_inherited = None      # what the number was before a fork
_bells = np.zeros(16, np.int64)     # [0] rings when there is work, [8] when a share is done; on cache lines of their own
_helpers = set()       # their numbers in the system
_home = None           # the processor that they keep off
_watch = None          # watch(bells, k, seen) returns soon after bell k rings, or after about half a millisecond; set by _jit
_controller = None
_changing = threading.RLock()
_MOST = 1024           # threads


def set_threads(n):
    """Choose how many threads pysnn uses; results do not depend on it.

    Parameters
    ----------
    n : int
        At least 1.
    """
    global _calls, _n_threads, _home
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or not 1 <= n <= _MOST:
        raise ValueError(f"threads: expected a whole number from 1 to {_MOST}, got {n!r}")
    with _changing:
        for _ in range(1, _n_threads or 1):
            _calls.put(None)                       # the old helpers go home
        _calls, _n_threads, _home = SimpleQueue(), 1, None
        for k in range(1, int(n)):
            threading.Thread(target=_help, args=(_calls,), name=f"pysnn-{k}", daemon=True).start()
            _n_threads = k + 1


def _forget():
    """Know, in a forked process, that the helpers stayed behind, and who held a lock as well; new ones come with the first call."""
    global _calls, _n_threads, _inherited, _changing, _blas_users, _home
    _home = None
    _helpers.clear()
    _inherited, _calls, _n_threads, _changing, _blas_users = _n_threads, None, None, threading.RLock(), _OneThread()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def get_threads():
    """Return the number of threads: PYSNN_THREADS, else the processors this process may use."""
    if _n_threads is None:
        given = os.environ.get("PYSNN_THREADS", "")
        if given and not (given.isdecimal() and 1 <= int(given) <= _MOST):
            raise ValueError(f"PYSNN_THREADS: expected a whole number from 1 to {_MOST}, got {given!r}")
        usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        set_threads(_inherited or (int(given) if given else usable))
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
                self.work = self.blocks = None      # arrays must not live on in a helper that waits
                self.done.release()
                _bells[8] += 1

    def finish(self):
        """Wait for the helper; one that has not begun is not waited for, and never will begin."""
        if self.begun.acquire(blocking=False):
            self.done.release()
            self.work = self.blocks = None
        seen = _bells[8]
        if not self.done.acquire(blocking=False):
            if _watch is not None:
                _watch(_bells, 8, seen)
            self.done.acquire()


def _help(calls):
    """Live as a helper: after a share watch for the next one a while, since to sleep and be woken takes longer than many calls do."""
    global _home
    _helpers.add(threading.get_native_id())
    _home = None                               # it has not been told yet where to keep off
    for share in iter(calls.get, None):
        share.take()
        del share
        seen = _bells[0]
        if _watch is not None and calls.empty():
            _watch(_bells, 0, seen)
    _helpers.discard(threading.get_native_id())


try:                   # which processor is the calling thread on?
    _where = ctypes.CDLL(None).sched_getcpu if hasattr(os, "sched_setaffinity") else None
except (OSError, AttributeError):
    _where = None


def _keep_apart():
    """Keep the helpers off the caller's processor: woken there, where its data are, they would stay for many calls."""
    global _home
    here = _where()
    if here != _home:
        _home = here
        with suppress(OSError):                        # a helper may be going home
            others = os.sched_getaffinity(0) - {here}
            for helper in tuple(_helpers) if others else ():
                os.sched_setaffinity(helper, others)


def spread(work, blocks):
    """Call work(*block) for every block, on all threads; each block must own what it writes."""
    n_helpers = min(get_threads(), len(blocks)) - 1
    blocks, calls = iter(blocks), _calls            # next() on it is one step for all threads
    shares = [_Share(work, blocks) for _ in range(n_helpers)]
    if shares and _where is not None:
        _keep_apart()
    try:
        for share in shares:
            calls.put(share)
        _bells[0] += 1
        for block in blocks:
            work(*block)
    finally:
        _finish(shares, blocks)
    for share in shares:
        if share.error is not None:
            raise share.error


def _finish(shares, blocks):
    """Wait for all helpers. After an error or an interrupt they take no new blocks; an interrupt while waiting is passed on afterwards."""
    interrupt = None
    while shares:
        try:
            for _ in blocks:                        # nothing is left, unless the caller failed
                pass
            shares[-1].finish()
            shares = shares[:-1]
        except KeyboardInterrupt as error:
            interrupt = error
    if interrupt is not None:
        raise interrupt


def cut(n, size):
    """Cut range(n) into (start, stop) pairs of a fixed size."""
    return [(i, min(i + size, n)) for i in range(0, n, size)]


class _OneThread:
    """Hold the BLAS to one thread while our own threads call it, however many callers there are at once.

    Without threadpoolctl the BLAS's threads, and so its bits, are its own affair.
    """

    def __init__(self):
        self.lock, self.n_users, self.limit = threading.Lock(), 0, None

    def __enter__(self):
        global _controller
        with self.lock:
            self.n_users += 1
            if self.n_users == 1:
                if _controller is None:
                    try:
                        from threadpoolctl import ThreadpoolController
                    except ImportError:
                        return
                    _controller = ThreadpoolController()
                self.limit = _controller.limit(limits=1, user_api="blas")

    def __exit__(self, *error):
        with self.lock:
            self.n_users -= 1
            if self.n_users == 0 and self.limit is not None:
                self.limit.restore_original_limits()
                self.limit = None


_blas_users = _OneThread()


def _one_thread():
    """Return the context in which the BLAS keeps to one thread."""
    return _blas_users


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
