"""The pool of threads and the one matrix product: errors, interrupts, forks, and nothing left behind."""

import gc
import os
import signal
import sys
import threading
import time
import weakref

import numpy as np
import pytest

from pysnn import _blas, _threads


@pytest.fixture(params=[1, 2, 3])
def threads(request):
    before = _threads.get_threads()
    yield _threads.set_threads(request.param) or request.param
    _threads.set_threads(before)


def test_each_block_is_done_once_whatever_the_number_of_threads(threads):
    for n in (1, 2, 5, 100):
        seen = np.zeros(n, int)

        def work(k, seen=seen):
            seen[k] += 1

        _threads.spread(work, [(k,) for k in range(n)])
        assert (seen == 1).all()


def test_calls_within_calls(threads):
    seen = np.zeros((6, 7), int)

    def inner(i, j):
        seen[i, j] += 1

    _threads.spread(lambda i: _threads.spread(inner, [(i, j) for j in range(7)]), [(i,) for i in range(6)])
    assert (seen == 1).all()


@pytest.mark.parametrize("bad", [0, 3, 7])
def test_an_error_reaches_the_caller_and_the_pool_lives_on(threads, bad):
    def work(k):
        if k == bad:
            raise ZeroDivisionError(f"block {k}")
        time.sleep(0.001)

    with pytest.raises(ZeroDivisionError, match=f"block {bad}"):
        _threads.spread(work, [(k,) for k in range(8)])
    done = []
    _threads.spread(lambda k: done.append(k), [(k,) for k in range(8)])
    assert sorted(done) == list(range(8))


@pytest.mark.skipif(sys.platform == "win32", reason="no signals")
def test_nothing_is_written_after_an_interrupt(threads):
    """The caller is interrupted while a helper is at work: when the interrupt arrives, the helper has stopped."""
    out = np.zeros(40)

    def work(k):
        time.sleep(0.02)
        out[k] = 1

    before = signal.signal(signal.SIGINT, signal.default_int_handler)        # a shell may have switched it off
    timer = threading.Timer(0.05, lambda: os.kill(os.getpid(), 2))
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            _threads.spread(work, [(k,) for k in range(40)])
    finally:
        signal.signal(signal.SIGINT, before)
    seen = out.sum()
    time.sleep(0.1)
    assert seen == out.sum() < 40


def test_arrays_do_not_live_on_in_helpers(threads):
    x = np.ones((200, 200))
    alive = weakref.ref(x)
    _blas.matmul(x, x)
    del x
    for _ in range(100):
        gc.collect()
        if alive() is None:
            return
        time.sleep(0.01)
    raise AssertionError("an idle helper holds the arrays of the last call")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_has_helpers_of_its_own(threads):
    x = np.arange(64.0 * 64).reshape(64, 64)
    ref = _blas.matmul(x, x)
    pid = os.fork()
    if pid == 0:
        same = (_blas.matmul(x, x) == ref).all() and _threads.get_threads() == threads
        for _ in range(20):
            _blas.matmul(x, x)
        os._exit(0 if same and _threads._calls.qsize() <= threads else 1)
    assert os.waitpid(pid, 0)[1] == 0


def test_the_blas_gets_its_threads_back_from_several_callers():
    threadpoolctl = pytest.importorskip("threadpoolctl")
    x = np.ones((100, 100))

    def n_threads():
        return [d["num_threads"] for d in threadpoolctl.threadpool_info() if d["user_api"] == "blas"]

    _blas.matmul(x, x)
    before = n_threads()
    callers = [threading.Thread(target=lambda: [_blas.matmul(x, x) for _ in range(200)]) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert n_threads() == before


@pytest.mark.parametrize("bad", [0, -1, 1.5, True, "2", None, 100_000])
def test_a_bad_number_of_threads(bad):
    with pytest.raises(ValueError, match="threads: expected a whole number from 1 to 1024, got"):
        _threads.set_threads(bad)
