"""The pool of threads and the one matrix product: errors, interrupts, forks, and nothing left behind."""

import gc
import os
import signal
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_while_other_threads_multiply(threads):
    """The child gets no lock that another thread held; the parent goes on."""
    x = np.ones((300, 300), np.float32)
    ref, ends = _blas.matmul(x, x), []
    others = [threading.Thread(target=lambda: [_blas.matmul(x, x) for _ in range(300)]) for _ in range(3)]
    for other in others:
        other.start()
    for _ in range(5):
        pid = os.fork()
        if pid == 0:
            os._exit(0 if (_blas.matmul(x, x) == ref).all() else 1)
        ends.append(_end_of(pid))
    for other in others:
        other.join()
    assert ends == [0] * 5 and (_blas.matmul(x, x) == ref).all()


def _end_of(pid, seconds=30):
    """Wait for a child; kill one that hangs."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return "hangs"


def in_thread(work):
    """Return what `work` returns in a thread of its own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def n_blas():
    """Count the threads that NumPy's BLAS would use, called from here."""
    return _blas._callers.blas.get()


@pytest.mark.skipif(_blas.library() == "none", reason="a BLAS whose threads are not in our hands")
def test_any_thread_holds_the_blas_to_one_thread_and_gives_the_others_back():
    before = n_blas()

    def inside():
        with _blas.one_thread(), _blas.one_thread():
            return n_blas()

    assert inside() == in_thread(inside) == 1 and n_blas() == before
    with _blas.one_thread():
        assert in_thread(inside) == n_blas() == 1           # one that ends amid another does not end it
        _blas._callers.blas.put(2)                          # somebody else changes it
        assert inside() == 1
    assert n_blas() == before


def test_threadpoolctl_in_another_thread_changes_no_bit():
    threadpoolctl = pytest.importorskip("threadpoolctl")
    x = np.random.default_rng(0).standard_normal((700, 700)).astype(np.float32)
    ref = _blas.matmul(x, x)
    with threadpoolctl.threadpool_limits(2, "blas"):        # since 3.8 this thread alone may change limits by it
        assert (in_thread(lambda: _blas.matmul(x, x)) == ref).all() and in_thread(lambda: _blas.squares(x)) == _blas.squares(x)
    assert (in_thread(lambda: _blas.matmul(x, x)) == ref).all()


def test_the_blas_gets_its_threads_back_from_several_callers():
    x, before = np.ones((100, 100)), n_blas()
    callers = [threading.Thread(target=lambda: [_blas.matmul(x, x) for _ in range(200)]) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert n_blas() == before


def test_a_blas_with_a_number_for_each_thread(monkeypatch, threads):
    """OpenBLAS built with OpenMP: each thread that multiplies is held to one, also our helpers; the caller gets its own number back."""
    numbers, seen = threading.local(), []
    blas = _blas._Library("openblas", lambda: getattr(numbers, "n", 8), lambda n: setattr(numbers, "n", n), each_thread=True)
    monkeypatch.setattr(_blas, "_callers", _blas._OneThread(blas))

    def work(k):
        time.sleep(0.002)
        seen.append(blas.get())
    for _ in range(2):
        _blas.spread_products(work, [(k,) for k in range(12)])
    assert seen == [1] * 24 and blas.get() == 8
    with _blas.one_thread():
        assert in_thread(blas.get) == 8
        in_thread(lambda: _blas.spread_products(work, [(0,)]))
        assert blas.get() == 1
    assert blas.get() == 8


def test_fewer_threads_where_the_system_gives_no_more(threads, monkeypatch):
    started, start = [], threading.Thread.start

    def begin(self):
        if started:
            raise RuntimeError("can't start new thread")
        started.append(self)
        start(self)
    monkeypatch.setattr(threading.Thread, "start", begin)
    _threads.set_threads(5)
    assert _threads.get_threads() == 2
    seen = np.zeros(9, int)
    _threads.spread(lambda k: seen.__setitem__(k, 1), [(k,) for k in range(9)])
    assert seen.all()


@pytest.mark.parametrize("bad", [0, -1, 1.5, True, "2", None, 100_000])
def test_a_bad_number_of_threads(bad):
    with pytest.raises(ValueError, match="threads: expected a whole number from 1 to 1024, got"):
        _threads.set_threads(bad)
