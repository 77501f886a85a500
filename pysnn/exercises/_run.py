"""Run somebody's file in a process of its own: it may loop for ever, exit or crash, and we go on."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

LOADING = 60.0           # seconds that Python and NumPy may take to start, on a busy machine
STARTED, LOADED, REFUSED = "started", "loaded", "refused"
MOST = 3                 # items without an answer that are waited for
MUCH = 10_000_000        # bytes after which a file that prints is stopped
SHOWN = 4000             # characters of what the file prints that are kept


def run_file(path, exercise, cases, seed, limit):
    """Ask the functions of a file for all cases.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    exercise : Exercise
        Which it answers.
    cases : list of Case
        Drawn with the seed.
    seed : int
        Passed on to the process, which draws the same cases.
    limit : float
        Seconds for each case.

    Returns
    -------
    answers : list of dict
        As of `Case.answer`; a case that brought no answer has words that say so.
    printed : str
        What the file printed the first time.

    Raises
    ------
    ValueError
        If the file does not run at all.
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
            printed = _start_of(folder / "printed") if printed is None else printed
        left = [k for k in todo if answers[k] is None]
        if left:                                   # what comes behind it is asked in a new process
            answers[left[0]] = dict.fromkeys(cases[left[0]].outputs, why)
        late += "no answer" in why
        for k in left[1:] if late == MOST else ():
            answers[k] = dict.fromkeys(cases[k].outputs, f"not asked, after {MOST} items without an answer")
    return answers, printed


def _watch(path, how, todo, folder):
    """Run the child; give the reason why it stopped early, if it did."""
    name, seed, limit = how
    root = str(Path(__file__).resolve().parents[2])
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(x for x in (root, os.environ.get("PYTHONPATH", "")) if x)}
    command = [sys.executable, "-P", "-m", "pysnn.exercises._child", str(path), name, str(seed), str(folder), *map(str, todo)]
    with open(folder / "printed", "wb") as out:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=env, start_new_session=True)
    try:
        late = _wait(child, folder, limit)
        flood = (folder / "printed").stat().st_size > MUCH
    finally:
        _end(child)
    if (folder / REFUSED).is_file():
        raise ValueError((folder / REFUSED).read_text(encoding="utf-8"))
    if late and not (folder / LOADED).is_file():
        raise ValueError(f"{path.name}: expected it to run from top to bottom within {limit:g} s, got no end")
    if not (folder / LOADED).is_file():
        raise ValueError(f"{path.name}: does not run: it ended Python (exit code {child.returncode})")
    if flood:
        return "no answer: prints without end"
    return f"no answer within {limit:g} s" if late else f"ended Python (exit code {child.returncode})"


def _end(child):
    """End the child, and what it has started."""
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError, PermissionError):             # all of them have ended already
            os.killpg(child.pid, signal.SIGKILL)
    child.kill()
    child.wait()


def _wait(child, folder, limit):
    """Wait for the child as long as it makes progress; tell whether it was too slow."""
    seen, since = -1, time.monotonic()
    while True:
        try:
            child.wait(timeout=0.05)
            return False
        except subprocess.TimeoutExpired:
            pass
        n_files = sum(1 for _ in folder.iterdir())
        if n_files != seen:
            seen, since = n_files, time.monotonic()
        allowed = limit if (folder / STARTED).is_file() else LOADING
        if time.monotonic() - since > allowed or (folder / "printed").stat().st_size > MUCH:
            return True


def _start_of(path):
    """Read the beginning of a text that may be very long."""
    with open(path, encoding="utf-8", errors="replace") as text:
        return text.read(SHOWN)


def _read(path):
    """Read the answer to one case."""
    with np.load(path, allow_pickle=False) as found:
        return {name: x.item() if x.dtype.kind == "U" else x for name, x in found.items()}
