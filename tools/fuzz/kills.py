"""Trainings that are killed at random moments, again and again: the file is always whole, and the end is bit for bit that of no kill."""

import os
import signal
import time
from pathlib import Path

import numpy as np

from pysnn import checkpoint, cli, training

from .checkpoints import bits

TRAIN = "train temporal --data xor --backend reference --model 2-30-2 --epochs 12 --quiet --no-test --resume".split()


def run(n, seed, tally, limit):
    """Kill n times; after a few kills a training goes on to its end."""
    rng = np.random.default_rng(seed)
    cli.main([*TRAIN, "--out", "straight.npz"])         # also compiles Adam's loop, before anybody forks
    began = time.perf_counter()
    cli.main([*TRAIN, "--out", "again.npz"])
    seconds, wanted = time.perf_counter() - began, ends("straight.npz")
    if ends("again.npz") != wanted:
        tally.add("twice", "silent", "two trainings differ")
    path, killed, left = Path("killed.npz"), 0, 0
    while killed < n:
        if left and _killed(path, float(rng.random()) * seconds):
            killed, left = killed + 1, left - 1
            _whole(path, tally)
            continue
        cli.main([*TRAIN, "--out", str(path)])          # to the end, after one to five kills
        tally.add("resumed", "right" if ends(path) == wanted else "silent", "other bits than without kills")
        path.unlink()
        left = int(rng.integers(1, 6))
    cli.main([*TRAIN, "--out", str(path)])
    tally.add("resumed", "right" if ends(path) == wanted else "silent", "other bits than without kills")
    left = sorted(p.name for p in Path().iterdir() if not p.name.endswith(".part") and p.suffix != ".npz")
    tally.add("left", "silent" if left else "right", str(left))
    return path.stat().st_size


def _killed(path, moment):
    """Train in a process of its own and kill it after so many seconds; tell whether that came in time."""
    if not (pid := os.fork()):
        code = 1
        try:
            code = cli.main([*TRAIN, "--out", str(path)])
        finally:
            os._exit(code)
    time.sleep(moment)
    os.kill(pid, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def _whole(path, tally):
    """Load what a kill left behind, if there is something."""
    try:
        if path.exists():
            training.load(path)
        tally.add("killed", "right")
    except BaseException as error:
        tally.add("killed", "tracebacks", f"{type(error).__name__}: {error}")


def ends(path):
    """Return all that must be the same."""
    with checkpoint.Stored(path) as stored:
        header = stored.header
    records = [{key: x for key, x in r.items() if key != "seconds"} for r in header["records"]]
    return bits(training.load(path)), header["rng"], records, header["epoch"]
