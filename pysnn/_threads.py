"""The one pool of threads: our own helpers, which take blocks of work beside the calling thread.

Blocks have a size that does not depend on the number of threads, and each owns what it writes: so the bits do not depend on it either.
"""

import ctypes
import os
import threading
from contextlib import suppress
from queue import SimpleQueue

import numpy as np

MOST = 1024                             # threads
WORK, DONE = 0, 8                       # places in the signal, on cache lines of their own

_calls = None                           # the helpers wait here for their next share
_n_threads = None                       # with the caller; None: not chosen yet
_n_before_fork = None
_work_signal = np.zeros(16, np.int64)   # [WORK] rises with each call, [DONE] with each share that is done
_watcher = None                         # see use_watcher
_helper_ids = set()                     # numbers of the helper threads in the system
_caller_cpu = None                      # the processor that the helpers keep off
_choosing = threading.RLock()


def set_threads(n):
    """Choose how many threads pysnn uses; results do not depend on it. Where the system gives fewer, it is fewer.

    Parameters
    ----------
    n : int
        At least 1.
    """
    global _calls, _n_threads, _caller_cpu
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or not 1 <= n <= MOST:
        raise ValueError(f"threads: expected a whole number from 1 to {MOST}, got {n!r}")
    with _choosing:
        for _ in range(1, _n_threads or 1):
            _calls.put(None)                       # an old helper ends
        _calls, _n_threads, _caller_cpu = SimpleQueue(), 1, None
        for k in range(1, int(n)):
            try:
                threading.Thread(target=_help, args=(_calls,), name=f"pysnn-{k}", daemon=True).start()
            except RuntimeError:                   # the system has no more: those that there are do the work
                break
            _n_threads = k + 1


def _forget():
    """Forget, in a forked process, the helpers and the locks of the parent; new helpers start with the first call."""
    global _calls, _n_threads, _n_before_fork, _choosing, _caller_cpu
    _helper_ids.clear()
    _n_before_fork, _calls, _n_threads, _choosing, _caller_cpu = _n_threads, None, None, threading.RLock(), None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def get_threads():
    """Return the number of threads: PYSNN_THREADS, else the processors this process may use."""
    if _n_threads is None:
        given = os.environ.get("PYSNN_THREADS", "")
        if given and not (given.isdecimal() and 1 <= int(given) <= MOST):
            raise ValueError(f"PYSNN_THREADS: expected a whole number from 1 to {MOST}, got {given!r}")
        usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        set_threads(_n_before_fork or (int(given) if given else usable))
    return _n_threads


def use_watcher(function):
    """Let threads look for a signal a while before they sleep, since to sleep and be woken takes longer than many calls do.

    Parameters
    ----------
    function : callable
        function(signal, place, seen) returns soon after signal[place] is no longer `seen`, or after about half a millisecond. It is called
        once here, so that it is compiled before it is needed.
    """
    global _watcher
    function(_work_signal, WORK, -1)
    _watcher = function


class _Share:
    """A helper's share in a call: blocks that it takes, one by one, from the same list as all other threads."""

    __slots__ = ("begun", "blocks", "done", "error", "work")

    def __init__(self, work, blocks):
        self.work, self.blocks, self.error = work, blocks, None
        self.begun, self.done = threading.Lock(), threading.Lock()
        self.done.acquire()

    def take(self):
        """Do blocks until none is left."""
        if self.begun.acquire(blocking=False):
            try:
                for block in self.blocks:
                    self.work(*block)
            except BaseException as error:  # raised again in the caller
                self.error = error
            finally:
                self.work = self.blocks = None      # a helper that waits must not keep arrays alive
                self.done.release()
                _work_signal[DONE] += 1

    def finish(self):
        """Wait for the helper; a share that has not begun is taken away instead."""
        if self.begun.acquire(blocking=False):
            self.done.release()
            self.work = self.blocks = None
        seen = _work_signal[DONE]
        if not self.done.acquire(blocking=False):
            if _watcher is not None:
                _watcher(_work_signal, DONE, seen)
            self.done.acquire()


def _help(calls):
    """Be a helper: take shares until None comes."""
    global _caller_cpu
    _helper_ids.add(threading.get_native_id())
    _caller_cpu = None                              # so that the next call tells this helper, too, which processor to keep off
    for share in iter(calls.get, None):
        share.take()
        del share
        seen = _work_signal[WORK]
        if _watcher is not None and calls.empty():
            _watcher(_work_signal, WORK, seen)
    _helper_ids.discard(threading.get_native_id())


try:                   # which processor is the calling thread on?
    _current_cpu = ctypes.CDLL(None).sched_getcpu if hasattr(os, "sched_setaffinity") else None
except (OSError, AttributeError):
    _current_cpu = None


def _keep_apart():
    """Keep the helpers off the caller's processor: woken there, where its data are, they would stay for many calls."""
    global _caller_cpu
    cpu = _current_cpu()
    if cpu != _caller_cpu:
        _caller_cpu = cpu
        with suppress(OSError):                        # a helper may be ending
            others = os.sched_getaffinity(0) - {cpu}
            for helper in tuple(_helper_ids) if others else ():
                os.sched_setaffinity(helper, others)


def spread(work, blocks):
    """Call work(*block) for every block, on all threads.

    Parameters
    ----------
    work : callable
        Must release the interpreter lock where it takes long, and write nothing that another block reads or writes.
    blocks : list of tuple
        Its arguments; the blocks begin in this order.
    """
    n_helpers = min(get_threads(), len(blocks)) - 1
    blocks, calls = iter(blocks), _calls            # next() on it is one step for all threads
    shares = [_Share(work, blocks) for _ in range(n_helpers)]
    if shares and _current_cpu is not None:
        _keep_apart()
    try:
        for share in shares:
            calls.put(share)
        _work_signal[WORK] += 1
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
    """Cut range(n) into pieces of a fixed size.

    Parameters
    ----------
    n : int
        Length of the range.
    size : int
        Length of a piece; the last may be shorter.

    Returns
    -------
    list of (int, int)
        (start, stop) of each piece.
    """
    return [(i, min(i + size, n)) for i in range(0, n, size)]
