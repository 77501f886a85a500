"""Run a student's file in a process of its own: it may loop for ever, exit or crash, and the marking goes on."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

START_LIMIT = 60.0       # seconds that Python and NumPy may take to start, on a busy machine
STARTED, LOADED, REFUSED = "started", "loaded", "refused"     # files by which the child reports
MAX_LATE = 3             # cases without an answer that are waited for
MAX_PRINTED = 10_000_000     # bytes after which a file that prints is stopped
SHOWN = 4000             # characters of the printed text that are kept


def run_file(path, exercise, cases, seed, limit):
    """Run all cases with the functions of a file, in a process that makes the same cases from the seed; limit: seconds for each case.

    Return the answers, as of `Case.answer` (for a case without an answer, messages that say so), and what the file printed in its first
    process. A ValueError says if the file does not run at all.
    """
    answers, printed, late = [None] * len(cases), None, 0
    while None in answers:
        with tempfile.TemporaryDirectory(prefix="pysnn-check-") as folder:
            folder = Path(folder)
            todo = [k for k, a in enumerate(answers) if a is None]
            why = _watch(path, (exercise.name, seed, limit), todo, folder)
            for k in todo:
                if (folder / f"{k}.npz").is_file():
                    answers[k] = _read(folder / f"{k}.npz")
            printed = _beginning(folder / "printed") if printed is None else printed
        left = [k for k in todo if answers[k] is None]
        if left:                                   # the first of them stopped the process; the rest run in a new one
            answers[left[0]] = dict.fromkeys(cases[left[0]].outputs, why)
        late += "no answer" in why
        for k in left[1:] if late == MAX_LATE else ():
            answers[k] = dict.fromkeys(cases[k].outputs, f"not run, after {MAX_LATE} cases without an answer")
    return answers, printed


def _watch(path, which, todo, folder):
    """Run the child process; return the reason why it stopped early, if it did."""
    name, seed, limit = which
    root = str(Path(__file__).resolve().parents[2])
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(x for x in (root, os.environ.get("PYTHONPATH", "")) if x)}
    command = [sys.executable, "-P", "-m", "pysnn.exercises._child", str(path), name, str(seed), str(folder), *map(str, todo)]
    with open(folder / "printed", "wb") as out:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=env, start_new_session=True)
    try:
        late = _wait(child, folder, limit)
        printed_too_much = (folder / "printed").stat().st_size > MAX_PRINTED
    finally:
        _kill(child)
    if (folder / REFUSED).is_file():
        raise ValueError((folder / REFUSED).read_text(encoding="utf-8"))
    if late and not (folder / LOADED).is_file():
        raise ValueError(f"{path.name}: expected it to run to its end within {limit:g} s; it did not")
    if not (folder / LOADED).is_file():
        raise ValueError(f"{path.name}: does not run: it ended the Python process (exit code {child.returncode})")
    if printed_too_much:
        return "no answer: prints without end"
    return f"no answer within {limit:g} s" if late else f"ended the Python process (exit code {child.returncode})"


def _kill(child):
    """Kill the child process and all that it has started."""
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError, PermissionError):             # all have ended already
            os.killpg(child.pid, signal.SIGKILL)
    child.kill()
    child.wait()


def _wait(child, folder, limit):
    """Wait for the child as long as it makes progress; return whether it was stopped for being late or printing too much."""
    n_seen, since = -1, time.monotonic()
    while True:
        try:
            child.wait(timeout=0.05)
            return False
        except subprocess.TimeoutExpired:
            pass
        n_files = sum(1 for _ in folder.iterdir())
        if n_files != n_seen:
            n_seen, since = n_files, time.monotonic()
        allowed = limit if (folder / STARTED).is_file() else START_LIMIT
        if time.monotonic() - since > allowed or (folder / "printed").stat().st_size > MAX_PRINTED:
            return True


def _beginning(path):
    """Read the beginning of a file that may be very long."""
    with open(path, encoding="utf-8", errors="replace") as text:
        return text.read(SHOWN)


def _read(path):
    """Read the answer to one case."""
    with np.load(path, allow_pickle=False) as answer:
        return {name: x.item() if x.dtype.kind == "U" else x for name, x in answer.items()}
