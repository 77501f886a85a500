"""Kernels compile once a machine; whatever befalls the files of Numba's cache, they only compile anew."""

import importlib.util
import os
import random
import shutil
import sys
import threading
import time

import pytest

numba = pytest.importorskip("numba")
from pysnn import _jit  # noqa: E402

if numba.config.DISABLE_JIT:
    pytest.skip("nothing is compiled", allow_module_level=True)
SOURCE = "from pysnn._jit import njit\n@njit\ndef twice(n):\n    return 2 * n\n"


@pytest.fixture
def compiled(tmp_path, monkeypatch):
    """Return a function that loads the kernel afresh, as a new process would, and says how it got its machine code."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    path = tmp_path / "kernel.py"
    path.write_text(SOURCE)

    def load():
        spec = importlib.util.spec_from_file_location("kernel", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        _jit._said.discard("trouble")
        assert module.twice(21) == 42
        return "found" if module.twice.stats.cache_hits else "compiled"
    assert load() == "compiled" and load() == "found"
    return load


def _damage(path, how):
    data = path.read_bytes()
    some = random.Random(0).randbytes(len(data) // 2)
    path.write_bytes({"empty": b"", "cut": data[:len(data) // 2], "one bit": data[:-50] + bytes([data[-50] ^ 1]) + data[-49:],
                      "half": data[:len(data) // 4] + some + data[len(data) // 4 + len(some):], "other": b"not a cache"}[how])


@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
@pytest.mark.parametrize("how", ["empty", "cut", "half", "one bit", "other"])
def test_a_damaged_file_is_a_miss(compiled, tmp_path, how, suffix, capsys):
    path, = (tmp_path / "cache").rglob(f"*.{suffix}")
    _damage(path, how)
    assert compiled() == "compiled"
    said = [line for line in capsys.readouterr().err.splitlines() if "kept in" in line]
    assert len(said) == 1 and str(tmp_path) in said[0] and "compiling anew" in said[0]
    assert compiled() == "found" and not capsys.readouterr().err


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), PermissionError(13, "Permission denied"), EOFError()])
def test_what_cannot_be_kept_is_compiled_each_time(compiled, tmp_path, error, monkeypatch, capsys):
    for path in (tmp_path / "cache").rglob("*.nb?"):
        path.unlink()

    def fail(*args):
        raise error
    monkeypatch.setattr(_jit._CacheFile, "_save_data", fail)
    assert compiled() == "compiled"
    assert capsys.readouterr().err.count("compiling anew") == 1
    assert compiled() == "compiled"


def test_a_folder_that_vanishes(compiled, tmp_path):
    shutil.rmtree(tmp_path / "cache")
    assert compiled() == "compiled" and compiled() == "found"


@pytest.mark.skipif(sys.platform == "win32", reason="HOME")
def test_without_a_folder_to_write_in_the_message_says_how_to_help(monkeypatch):
    def nowhere(*args):
        raise RuntimeError("no locator available")
    monkeypatch.setattr(_jit, "_Cache", nowhere)
    monkeypatch.setattr(_jit._SayOnce, "when", _jit._SayOnce.when)
    assert _jit.njit(lambda n: n + 1)(1) == 2 and "NUMBA_CACHE_DIR" in _jit._SayOnce.when


def test_functions_of_others_that_have_no_module_compile():
    names = {}
    exec("def twice(n):\n    return 2 * n\n", names)
    names["twice"].__module__ = None
    assert numba.njit(names["twice"])(21) == 42


def test_a_change_in_any_kernels_file_compiles_anew(compiled, monkeypatch):
    name, size, time = _jit._SOURCES[0]
    monkeypatch.setattr(_jit, "_SOURCES", [(name, size + 1, time), *_jit._SOURCES[1:]])
    assert compiled() == "compiled" and compiled() == "found"


def test_one_version_does_not_throw_away_the_files_of_another(compiled, monkeypatch):
    with monkeypatch.context() as other:
        other.setattr(numba, "__version__", "0.0.1")
        assert compiled() == "compiled" and compiled() == "found"
    assert compiled() == "found"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_waits_for_the_compiler(compiled):
    """Another thread compiles: the fork waits, and the child can compile."""
    inside, wait = threading.Event(), threading.Event()

    def hold():
        with _jit.global_compiler_lock:
            inside.set()
            wait.wait(10)
    other = threading.Thread(target=hold)
    other.start()
    inside.wait(10)
    threading.Timer(0.2, wait.set).start()
    pid = os.fork()
    if pid == 0:
        os._exit(0 if numba.njit(lambda n: n + 2)(1) == 3 else 1)
    other.join()
    until = time.monotonic() + 60
    while not (done := os.waitpid(pid, os.WNOHANG))[0] and time.monotonic() < until:
        time.sleep(0.02)
    if not done[0]:
        os.kill(pid, 9)
    assert done == (pid, 0)
