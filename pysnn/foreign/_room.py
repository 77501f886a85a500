"""The room in which foreign code runs, seen from outside: a process, what is known of its results, and what limits it."""

import contextlib
import inspect
import itertools
import os
import secrets
import select
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from . import _keeper, _wire
from ._load import NoAnswer, NotWritten, Raised, clean

LIMIT = 20.0                # seconds
START_LIMIT = 60.0          # seconds that Python and NumPy may take to start, on a busy machine
MEMORY = 4 * 2 ** 30        # bytes
MAX_PRINTED = 10_000_000    # bytes after which a file that prints is stopped
SHOWN = 4000                # characters of what is printed that are kept
MARK = "PYSNN_FOREIGN"      # a name in the environment of all that the file starts
REMEMBERED = 40             # results that later calls may write into
ATOMIC = 512                # so many bytes can be written without waiting where poll says yes
KINDS = list(type(inspect.Parameter.VAR_KEYWORD))
ROOT = str(Path(__file__).resolve().parents[2])


class Room:
    """Runs a file in a process of its own and calls its functions; limit: seconds for running it, and for all calls after a `begin`.

    Use it by `with`, or close it. `why` says why there are no more answers, `printed` what the file printed when it ran first.
    """

    def __init__(self, path, limit=LIMIT):
        self.path, self.limit, self.why, self.printed = Path(path), limit, None, ""
        self._process, self._n_runs, self._numbers, self._kept, self._gone, self._given = None, 0, itertools.count(1), {}, [], {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def load(self):
        """Run the file; return a namespace of functions that call those over there, and of the constants that `verify.student` knows.

        A ValueError says in one line if it does not run; it is a NoAnswer if it leaves its process, or is stopped.
        """
        self.close()
        self._process, self.why, self._kept, self._n_runs = _Process(self.path), None, {}, self._n_runs + 1
        self.begin()
        file = clean(self.path.name)
        try:
            self._process.exchange(b"", START_LIMIT, START_LIMIT)                    # it says that it is there
            kind, result, _ = self._ask(None)
        except NoAnswer as error:
            words = str(error).replace("no answer: ", "")
            self.why = f"{file}: " + (f"expected it to run to its end within {self.limit:g} s; it did not" if "within" in words
                                      else f"does not run: it {words}")
            raise NoAnswer(self.why) from None
        if kind == "right":
            return SimpleNamespace(**result)
        self.close()
        if kind != "left":
            raise ValueError(result)
        raise NoAnswer(result if result.startswith(file) else f"{file}: does not run: it {result}")

    def begin(self):
        """Count the seconds anew; run the file again if its process has ended."""
        self._left = self.limit
        if self.why:
            self.load()

    def call(self, name, args, through=""):
        """Call a function of the file with arrays, numbers, words, random generators, and last results of earlier calls.

        What it does to arrays and generators is done to them here: to arguments, and to results of the last few calls. Of a result that
        is not plain data there is something here that stands for it. `through` is MODULE:FUNCTION of ours, called over there with the
        function as its first argument; where the name is "", with the file itself, a module.
        """
        if self.why:
            raise NoAnswer(self.why)
        number, gone = next(self._numbers), list(self._gone)
        self._gone.clear()
        kind, result, changed = self._ask([number, name, through, [self._known(x) for x in args], gone])
        for k, x in changed.items():
            if " " in k:
                self._overwrite(k, x)
            elif isinstance(args[int(k)], np.random.Generator):
                args[int(k)].bit_generator.state = x
            elif isinstance(args[int(k)], np.ndarray):
                args[int(k)][...] = x
            elif hasattr(args[int(k)], "n_changes"):
                args[int(k)].n_changes += 1
        if kind != "right":
            raise {"left": NoAnswer, "not written": NotWritten}.get(kind, Raised)(result)
        for k, x in enumerate(result if isinstance(result, (tuple, list)) else (result,)):
            if isinstance(x, np.ndarray):
                self._given[f"{number} {k}"] = weakref.ref(x)
        while len(self._given) > REMEMBERED:
            self._given.pop(next(iter(self._given)))
        return (*result[:-1], self._keep(result[-1], number)) if isinstance(result, tuple) and len(result) > 1 else result

    def _overwrite(self, key, x):
        """Write into the result of an earlier call what a later one wrote there."""
        there = self._given.get(key, lambda: None)()
        if there is not None and isinstance(x, np.ndarray) and there.shape == x.shape:
            there[...] = x

    def close(self):
        """End the process, and all that the file has started."""
        if self._process:
            process, self._process = self._process, None
            printed = process.end()
            self.printed = printed if self._n_runs == 1 else self.printed

    def _ask(self, request):
        """Send a request; return kind, result and changed arguments of the answer."""
        began, message = time.monotonic(), _wire.pack(request, _write)
        try:
            number, kind, result, changed = _wire.unpack(self._process.exchange(message, self._left, self.limit), self._read)
            if number != (request[0] if request else 0) or (kind != "right" and not isinstance(result, str)):
                raise ValueError("expected the answer to this request")
            return kind, result, changed
        except NoAnswer as error:
            self.why = str(error)
        except Exception:                       # whatever it sent
            self.why = "gives answers that cannot be read"
        finally:
            self._left -= time.monotonic() - began
        self.close()
        raise NoAnswer(self.why)

    def _keep(self, x, number):
        """Remember a last result, which may be a cache: its number goes over when it comes back, and there it is the same object."""
        x = _List(x) if type(x) is list else x
        if not isinstance(x, (np.ndarray, _List, _There)):
            self._gone.append(number)
            return x
        key, kept, gone = id(x), self._kept, self._gone.append
        kept[key] = weakref.ref(x, lambda _: (kept.pop(key), gone(number))), number, _bytes(x)
        return x

    def _known(self, x):
        """Return the number of a last result that is as it was; else x."""
        reference, number, as_it_was = self._kept.get(id(x), (None, None, None))
        return _Number(number) if reference and reference() is x and _bytes(x) == as_it_was else x

    def _read(self, node):
        """Make what stands here for something over there."""
        kind, name, more = (*node, None)[:3]
        if kind == "generator":
            return name
        return Function(self, name, more) if kind == "function" else type(name, (_There,), {"__repr__": lambda _: more})()


class Function:
    """A function of the file; a call is a call over there. `taken`: name, kind and default of each argument, None if that is not known."""

    def __init__(self, room, name, taken):
        self.room, self.name = room, name
        if taken is not None:
            self.__signature__ = inspect.Signature([inspect.Parameter(n, KINDS[kind], default=None if default else inspect.Parameter.empty)
                                                   for n, kind, default in taken])

    def __call__(self, *args):
        return self.room.call(self.name, args)

    def through(self, ours, *args):
        """Call MODULE:FUNCTION of ours over there, with this function as its first argument."""
        return self.room.call(self.name, args, ours)


class _There:
    """Something that stays over there."""

    n_changes = 0              # by calls that got it as an argument


class _List(list):
    """A list that can be recognised."""


class _Number(int):
    """Of a last result."""


def _bytes(x):
    return x.tobytes() if isinstance(x, np.ndarray) else None


def _write(x):
    """Write what is not plain data."""
    if isinstance(x, np.random.Generator):
        return ["generator", x.bit_generator.state]
    if isinstance(x, _Number):
        return ["kept", int(x)]
    raise TypeError(f"expected arrays, numbers or words, got {x!r:.80}")


class _Process:
    """A process, two pipes, and a file with what it prints; it ends with this object. Nothing it does makes `exchange` wait too long."""

    def __init__(self, path):
        self._out = tempfile.TemporaryFile()                    # it has no name that could stay behind
        mark = secrets.token_hex(8)
        paths = os.pathsep.join(x for x in (ROOT, os.environ.get("PYTHONPATH", "")) if x)
        env = {"OMP_NUM_THREADS": "1", **os.environ, MARK: mark, "PYTHONPATH": paths, "PYTHONIOENCODING": "utf-8:backslashreplace"}
        command = [sys.executable, "-P", _keeper.__file__, str(path), str(os.getpid()), str(MEMORY)]
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._out, env=env, bufsize=0,
                                       start_new_session=True)
        self._end = weakref.finalize(self, _end, self._child, f"{MARK}={mark}".encode())

    def exchange(self, request, seconds, limit):
        """Send a request and wait for the answer; a NoAnswer says why none came."""
        until, rest, there = time.monotonic() + seconds, memoryview(request), self._child

        def read(n):
            parts = bytearray()
            while len(parts) < n and self._wait(there.stdout, until, limit) and (new := os.read(there.stdout.fileno(), n - len(parts))):
                parts += new
            return bytes(parts)
        with contextlib.suppress(OSError):                      # it is gone: reading will tell
            while rest and self._wait(there.stdin, until, limit):
                rest = rest[os.write(there.stdin.fileno(), rest[:ATOMIC]):]
        answer = _wire.receive(read)
        if answer is None:
            raise NoAnswer(self._ended())
        return answer

    def _wait(self, pipe, until, limit):
        """Wait until a pipe is ready. Where there is no poll, nobody waits here, and there is no limit."""
        poll = select.poll() if hasattr(select, "poll") else None
        if poll:
            poll.register(pipe, select.POLLIN if pipe is self._child.stdout else select.POLLOUT)
        while True:
            if os.fstat(self._out.fileno()).st_size > MAX_PRINTED:
                raise NoAnswer("no answer: prints without end")
            if time.monotonic() > until:
                raise NoAnswer(f"no answer within {limit:g} s")
            if poll is None or poll.poll(50):
                return True

    def end(self):
        """End it; return the beginning of what it printed."""
        self._end()
        with self._out:
            self._out.seek(0)
            return clean(self._out.read(4 * SHOWN).decode(errors="replace")[:SHOWN])

    def _ended(self):
        """Say how the process has ended."""
        try:
            code = self._child.wait(2)
        except subprocess.TimeoutExpired:
            return "closed what connects it"
        return {_keeper.TOO_MUCH_MEMORY: f"took more than {MEMORY / 2 ** 30:g} GB of memory", _keeper.TOO_MANY:
                f"started more than {_keeper.MAX_PROCESSES} processes"}.get(code, f"ended the Python process (exit code {code})")


def _end(child, mark):
    """End the process: its keeper ends the others; those that it could not end are found by their mark."""
    child.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(3)
    child.kill()
    child.wait()
    while left := [int(folder.name) for folder in Path("/proc").glob("[0-9]*") if mark in _environment(folder)]:
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)
    child.stdin.close()
    child.stdout.close()


def _environment(folder):
    """Read what a process has in its environment; one that has ended has nothing."""
    with contextlib.suppress(OSError):
        return (folder / "environ").read_bytes().split(b"\0")
    return ()
