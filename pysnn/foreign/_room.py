"""The room in which foreign code runs, seen from outside."""

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
CHUNK, ATOMIC = 2 ** 20, 512                 # bytes that are read and written at once; so few never block where poll says yes
KINDS = list(type(inspect.Parameter.VAR_KEYWORD))
ROOT = str(Path(__file__).resolve().parents[2])


class Room:
    """Runs a file in a process of its own, and calls its functions. Close it, or use `with`.

    Parameters
    ----------
    path : path
        A Python file.
    limit : float
        Seconds that running the file may take, and all calls after a `begin` together.
    """

    def __init__(self, path, limit=LIMIT):
        self.path, self.limit = Path(path), limit
        self.why = None                       # why there are no more answers
        self._process = self._printed = None
        self._numbers, self._kept, self._gone = itertools.count(1), {}, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def load(self):
        """Run the file.

        Returns
        -------
        namespace
            Its functions, as functions that call those over there, and the constants that `pysnn.verify.student` knows.

        Raises
        ------
        ValueError
            If it does not run, in one line; a `NoAnswer` if it leaves its process, or is stopped.
        """
        self.close()
        self._process, self.why = _Process(self.path), None
        self._kept.clear()
        self.begin()
        try:
            self._process.exchange(b"", START_LIMIT, START_LIMIT)        # it says that it is there
            kind, result, _ = self._ask(None)
        except NoAnswer as error:
            words = str(error).replace("no answer: ", "")
            self.why = (f"{self.path.name}: expected it to run to its end within {self.limit:g} s; it did not" if "within" in words
                        else f"{self.path.name}: does not run: it {words}")
            raise NoAnswer(self.why) from None
        if kind == "left" and not result.startswith(self.path.name):
            result = f"{self.path.name}: does not run: it {result}"
        if kind != "right":
            self.close()
            raise (NoAnswer if kind == "left" else ValueError)(result)
        return SimpleNamespace(**result)

    def begin(self):
        """Begin to count the seconds anew; run the file again if its process has ended."""
        self._left = self.limit
        if self.why:
            self.load()

    def call(self, name, args, through=""):
        """Call a function of the file.

        Parameters
        ----------
        name : str
            Which one.
        args : sequence
            Arrays, numbers, words, random generators, and last results of earlier calls. Arrays that the function changes are changed.
        through : str
            MODULE:FUNCTION of ours, to be called over there with the function as its first argument.

        Returns
        -------
        object
            The result. What is not plain data stays over there; the object that stands for it here may be an argument of other calls.

        Raises
        ------
        Raised, NoAnswer
            If the function raises an error; if it leaves its process, or is stopped.
        """
        if self.why:
            raise NoAnswer(self.why)
        gone, self._gone = self._gone, []
        number = next(self._numbers)
        kind, result, changed = self._ask([number, name, through, [self._known(x) for x in args], gone])
        for k, x in changed.items():
            if isinstance(args[int(k)], np.random.Generator):
                args[int(k)].bit_generator.state = x
            else:
                args[int(k)][...] = x
        if kind == "left":
            raise NoAnswer(result)
        if kind != "right":
            raise (NotWritten if kind == "not written" else Raised)(result)
        if isinstance(result, tuple) and len(result) > 1:
            result = *result[:-1], self._keep(result[-1], number)
        return result

    @property
    def printed(self):
        """The beginning of what the file printed when it ran for the first time.

        Returns
        -------
        str
            At most `SHOWN` characters, which are safe to show.
        """
        return self._process.printed() if self._printed is None and self._process else self._printed or ""

    def close(self):
        """End the process, and all that the file has started."""
        if self._process:
            self._printed, process, self._process = self.printed, self._process, None
            process.end()

    def _ask(self, request):
        """Send a request; return kind, result and changed arguments of the answer."""
        began, message = time.monotonic(), _wire.pack(request, _write)
        try:
            answer = self._process.exchange(message, self._left, self.limit)
            number, kind, result, changed = _wire.unpack(answer, self._read)
            if number != (request[0] if request else 0) or (kind == "left" and not isinstance(result, str)):
                raise ValueError("expected the answer to another request")
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
        """Remember a last result, to call it by its number when it comes back."""
        x = _List(x) if type(x) is list else x
        if isinstance(x, (np.ndarray, _List, _There)):
            key = id(x)

            def forget(_):
                self._gone.append(self._kept.pop(key)[1])
            self._kept[key] = weakref.ref(x, forget), number, x.tobytes() if isinstance(x, np.ndarray) else None
        else:
            self._gone.append(number)
        return x

    def _known(self, x):
        """Return a number in place of a last result that is as it was."""
        reference, number, as_it_was = self._kept.get(id(x), (None, None, None))
        same = reference and reference() is x and (as_it_was is None or x.tobytes() == as_it_was)
        return _Number(number) if same else x

    def _read(self, node):
        """Make what stands for something over there."""
        kind, name, *rest = node
        if kind == "generator":
            return name
        if kind == "function":
            return Function(self, name, rest[0])
        return type(clean(name), (_There,), {"__repr__": lambda self: clean(rest[0])})()


class Function:
    """A function of the file; a call is a call over there.

    Parameters
    ----------
    room : Room
        Where it is.
    name : str
        Its name.
    taken : list or None
        Name, kind and default of each argument.
    """

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


class _List(list):
    """A list that can be recognised."""


class _Number(int):
    """Of a last result."""


def _write(x):
    """Write what is not plain data."""
    if isinstance(x, np.random.Generator):
        return ["generator", x.bit_generator.state]
    if isinstance(x, _Number):
        return ["kept", int(x)]
    raise TypeError(f"expected arrays, numbers or words, got {x!r:.80}")


# ---- the process

class _Process:
    """A process, two pipes, and a file with what it prints; it ends with this object. Nothing it does can make `exchange` wait too long."""

    def __init__(self, path):
        handle, self._file = tempfile.mkstemp(prefix="pysnn-")
        mark = f"{MARK}={secrets.token_hex(8)}"
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(x for x in (ROOT, os.environ.get("PYTHONPATH", "")) if x)}
        env |= dict([mark.split("=")])
        command = [sys.executable, "-P", _keeper.__file__, str(path), str(os.getpid()), str(MEMORY)]
        with os.fdopen(handle, "wb") as out:
            self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=out, env=env, bufsize=0,
                                           start_new_session=True)
        self.end = weakref.finalize(self, _end, self._child, mark, self._file)

    def exchange(self, request, seconds, limit):
        """Send a request and wait for the answer; a NoAnswer says why none came."""
        until, rest = time.monotonic() + seconds, memoryview(request)

        def some(n):
            self._wait(self._child.stdout, until, limit)
            return os.read(self._child.stdout.fileno(), min(n, CHUNK))

        def read(n):
            parts = bytearray()
            while len(parts) < n and (new := some(n - len(parts))):
                parts += new
            return bytes(parts)
        with contextlib.suppress(OSError):     # it is gone: reading will tell
            while rest:
                self._wait(self._child.stdin, until, limit)
                rest = rest[os.write(self._child.stdin.fileno(), rest[:ATOMIC]):]
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
            if os.stat(self._file).st_size > MAX_PRINTED:
                raise NoAnswer("no answer: prints without end")
            if time.monotonic() > until:
                raise NoAnswer(f"no answer within {limit:g} s")
            if poll is None or poll.poll(50):
                return

    def printed(self):
        """Read the beginning of what it printed."""
        with open(self._file, encoding="utf-8", errors="replace") as text:
            return clean(text.read(SHOWN))

    def _ended(self):
        """Say how the process has ended."""
        try:
            code = self._child.wait(2)
        except subprocess.TimeoutExpired:
            return "closed what connects it"
        return {_keeper.TOO_MUCH_MEMORY: f"took more than {MEMORY / 2 ** 30:g} GB of memory",
                _keeper.TOO_MANY: f"started more than {_keeper.MAX_PROCESSES} processes"}.get(
                    code, f"ended the Python process (exit code {code})")


def _end(child, mark, printed):
    """End the process: its keeper ends the others; what it cannot end is found by its mark."""
    with contextlib.suppress(OSError):
        child.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(3)
    child.kill()
    child.wait()
    for _ in range(200):
        left = _marked(mark.encode())
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if not left:
            break
        time.sleep(0.005)
    child.stdin.close()
    child.stdout.close()
    with contextlib.suppress(OSError):
        os.unlink(printed)


def _marked(mark):
    """Find the processes that have the mark in their environment; none where there is no /proc."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found
