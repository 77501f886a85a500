"""One mutant, one process: a fork that changes a module in memory, runs tests, and reports their results.

The process that forks has loaded NumPy, Numba and pytest, but nothing of pysnn, so that each child imports pysnn anew and no module keeps
a name of the right source.
"""

import importlib.util
import json
import os
import resource
import signal
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from . import mutants

SLOW = 2.0           # seconds of processor time: a test that takes longer with the compiler off has no part
MEMORY = 8 << 30     # bytes of address space a mutant has


class Watch:
    """A pytest plugin: which tests ran, how long each took, which functions it called, and the first that failed."""

    def __init__(self, wanted=None, calls=False):
        self.wanted, self.calls, self.seen, self.failed = wanted, calls, {}, None
        self.now = self.importing = {"calls": set()}

    def pytest_collection_modifyitems(self, items):
        """Keep the wanted tests, in their order."""
        if self.wanted is not None:
            place = {name: k for k, name in enumerate(self.wanted)}
            items[:] = sorted((item for item in items if item.nodeid in place), key=lambda item: place[item.nodeid])

    def pytest_runtest_logstart(self, nodeid):
        """Begin to watch a test."""
        self.now = self.seen[nodeid] = {"seconds": -time.process_time(), "calls": set(), "ok": True}
        self.listen()

    def listen(self):
        """Have every call noted; anew for each test, since Python stops it where a test was ended within `call`."""
        if self.calls:
            threading.setprofile(self.call)
            sys.setprofile(self.call)

    def pytest_runtest_logfinish(self):
        """Note how long a test took: processor time, whatever else the machine does."""
        self.now["seconds"] += time.process_time()

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(self, item):
        """End a test that takes too long."""
        if self.calls:
            signal.signal(signal.SIGPROF, self.too_slow)
            signal.setitimer(signal.ITIMER_PROF, 2 * SLOW)           # watching doubles the time
        yield
        if self.calls:
            signal.setitimer(signal.ITIMER_PROF, 0)

    def too_slow(self, *_):
        """Raise the error that ends the test."""
        raise TimeoutError("too slow for mutation testing")

    def call(self, frame, event, arg):
        """Note a call of a function that can be mutated."""
        if event == "call" and frame.f_code.co_filename.startswith(self.calls):
            self.now["calls"].add((frame.f_code.co_filename, frame.f_code.co_qualname))

    def pytest_runtest_logreport(self, report):
        """Note how a test went."""
        self.now["ok"] &= report.outcome == "passed"
        if report.failed and self.failed is None:
            self.failed = report.nodeid

    def pytest_collectreport(self, report):
        """Note a file that cannot be imported."""
        if report.failed and self.failed is None:
            self.failed = f"{report.nodeid} (import)"


class Changed:
    """An importer that gives one module its changed code."""

    def __init__(self, name, path, code):
        self.name, self.path, self.code = name, path, code

    def find_spec(self, name, path=None, target=None):
        """Find the changed module, and no other."""
        return importlib.util.spec_from_file_location(name, self.path, loader=self) if name == self.name else None

    def create_module(self, spec):
        """Leave it to Python."""

    def exec_module(self, module):
        """Run the changed code."""
        exec(self.code, vars(module))


def child(root, out, job):
    """In a forked process: run pytest on a changed module (None: on none) and write what was seen."""
    mutant, args, watch, limit = job
    os.setsid()
    for fd in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), fd)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.alarm(20 * int(limit) + 60)                              # where it waits for ever and computes nothing
    if not watch.calls:
        signal.setitimer(signal.ITIMER_PROF, limit)                 # seconds of processor time; ends the process
    os.chdir(root)
    sys.path.insert(0, str(root))
    if mutant is not None:
        source = (root / mutant.file).read_text()
        sys.meta_path.insert(0, Changed(mutant.file[:-3].replace("/", "."), str(root / mutant.file),
                                        mutants.code_of(source, mutant.file, mutant.index)))
    watch.listen()
    code = pytest.main([*args, "-q", "-p", "no:cacheprovider", "-p", "no:faulthandler"], plugins=[watch])
    sys.setprofile(None)
    seen = {name: {**one, "calls": sorted(one["calls"])} for name, one in watch.seen.items()}
    with os.fdopen(out, "w") as f:
        json.dump({"code": int(code), "failed": watch.failed, "seen": seen, "importing": sorted(watch.importing["calls"])}, f)


def start(root, job):
    """Fork a child for a job (mutant, arguments of pytest, Watch, seconds); return its number and where its answer will stand."""
    out, path = tempfile.mkstemp(dir=os.environ["TMPDIR"])
    pid = os.fork()
    if pid == 0:
        try:
            child(root, out, job)
            os._exit(0)
        finally:
            os._exit(1)
    os.close(out)
    return pid, path


def finish(pid, status, path):
    """Return the answer of a child that has ended, {} if it ended without one; and end what it left running."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    text = Path(path).read_text()
    os.unlink(path)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise RuntimeError("the tool itself failed in a child")
    return json.loads(text) if text and not os.WIFSIGNALED(status) else {}


def pool(root, todo, jobs):
    """Run children, `jobs` at a time; todo, a deque that may grow, holds (name, function that returns the job of `start`)."""
    running = {}
    while todo or running:
        while todo and len(running) < jobs:
            name, job = todo.popleft()
            pid, path = start(root, job())
            running[pid] = name, path, time.monotonic()
        pid, status = os.wait()
        name, path, began = running.pop(pid)
        yield name, finish(pid, status, path), status, time.monotonic() - began
