"""Killed with SIGKILL and resumed, training ends with the same bits as never having stopped, for one thread and for two."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from pysnn import _threads, checkpoint, cli, datasets, training
from pysnn.learning import temporal

N_EPOCHS = 5
JOB = f"train temporal --model 784-30-10 --epochs {N_EPOCHS} --batch 25 --val 5500 --no-test --quiet --seed 4".split()
TRAIN = [sys.executable, "-m", "pysnn", *JOB]
OPTIONS = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}


def ends(path):
    """Read all that must be the same: every array bit for bit, the state of the random numbers, the records but for their seconds."""
    header, arrays = checkpoint.read(path)
    assert header["resumable"]
    records = [{k: v for k, v in r.items() if k != "seconds"} for r in header["records"]]
    names = {"params/w1", "params/w2", "optimiser/n_steps", *(f"optimiser/{m}/{w}" for m in "mv" for w in ("w1", "w2"))}
    assert set(arrays) == names
    return {"arrays": {name: (x.dtype.str, x.shape, x.tobytes()) for name, x in arrays.items()}, "rng": header["rng"],
            "records": records, "epoch": header["epoch"], "settings": header["settings"], "data": header["data"]}


def run_to_the_end(path, threads, resume=False):
    """Train, or go on, in this process."""
    was = _threads.get_threads()
    try:
        assert not cli.main([*JOB, "--out", str(path), "--threads", str(threads), *(["--resume"] if resume else [])])
    finally:
        _threads.set_threads(was)


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """Train without interruption, with one thread and with two; gives the ends by threads, and the seconds of a process."""
    folder, found = tmp_path_factory.mktemp("straight"), {}
    run_to_the_end(folder / "1.npz", 1)                              # it may compile the kernels
    began = time.perf_counter()
    done = subprocess.run([*TRAIN, "--out", folder / "2.npz", "--threads", "2"], **OPTIONS)
    seconds = time.perf_counter() - began
    assert done.returncode == 0, done.stderr.decode()
    for threads in (1, 2):
        found[threads] = ends(folder / f"{threads}.npz")
    assert found[1]["epoch"] == N_EPOCHS
    return found, seconds


@pytest.mark.slow
def test_one_and_two_threads_agree(straight):
    found, _ = straight
    assert found[1] == found[2]


def parts(path):
    """List the files of unfinished writes."""
    return [p for p in path.parent.iterdir() if p.name.endswith(".part")]


def kill_at(process, path, moment):
    """Send SIGKILL after so many seconds, or, if moment is a whole number, amid the write of so many checkpoints; tell whether in time."""
    began, seen = time.perf_counter(), set(parts(path))
    least = len(seen) + moment
    while process.poll() is None:
        seen.update(parts(path))
        if len(seen) >= least if isinstance(moment, int) else time.perf_counter() - began >= moment:
            process.kill()
            break
        time.sleep(0.0003)
    error = process.communicate()[1].decode()
    assert process.returncode in (0, -signal.SIGKILL), error
    return process.returncode == -signal.SIGKILL


def kill_and_resume(path, threads, n_kills, seconds, rng):
    """Train, be killed n_kills times, go on until the end; gives how many epochs were done at each kill (-1: no checkpoint yet)."""
    seen = []
    for k in rng.permutation(n_kills):
        for tries in range(20):
            if path.exists() and checkpoint.read(path)[0]["epoch"] == N_EPOCHS:      # it got to the end before the next kill: begin again
                path.unlink()
            # from start to end of a run, imports and all; every third amid a write
            # (a moment after the end comes earlier the next time: a run that goes on is shorter than a whole one)
            moment = int(rng.integers(1, 4)) if k % 3 == 2 else seconds * float(0.1 + 0.9 * (k + rng.random()) / n_kills) * 0.93 ** tries
            began = time.perf_counter()
            process = subprocess.Popen([*TRAIN, "--out", path, "--threads", str(threads), "--resume"], **OPTIONS)
            if kill_at(process, path, moment):
                break
            if tries:                                    # a whole run: the first one measured may have waited for others
                seconds = min(seconds, time.perf_counter() - began)
        else:
            pytest.fail("20 trainings ended before they could be killed")
        seen.append(checkpoint.read(path)[0]["epoch"] if path.exists() else -1)      # whole, whatever the moment
    run_to_the_end(path, threads, resume=True)
    return seen


@pytest.mark.parametrize("threads, n_kills", [
    pytest.param(1, 5, marks=pytest.mark.slow), pytest.param(2, 5, marks=pytest.mark.slow)])
def test_random_kills(straight, tmp_path, threads, n_kills):
    found, seconds = straight
    ref, path = found[threads], tmp_path / "a.npz"
    seen = kill_and_resume(path, threads, n_kills, seconds, np.random.default_rng(threads))
    print(f"epochs done at the kills: {seen}; unfinished writes left: {len(parts(path))}")
    assert len(seen) == n_kills and ends(path) == ref
    assert {p.name for p in tmp_path.iterdir()} - {p.name for p in parts(path)} == {"a.npz"}
    ago = time.time() - 2 * checkpoint.STALE_AFTER                   # an hour later, the next write clears away what the kills left
    for part in parts(path):
        os.utime(part, (ago, ago))
    run = training.load(path)
    training.save(run, path)
    assert os.listdir(tmp_path) == ["a.npz"] and ends(path) == ref


SUICIDE = """
import os, signal, sys
import numpy as np
from pysnn import cli, learning
import pysnn.learning.temporal
module, name, nth, after = {"savez": (np, "savez", 3, True), "fsync": (os, "fsync", 3, False), "replace": (os, "replace", 3, False),
                            "replaced": (os, "replace", 3, True), "batch": (learning.temporal, "rescale", 99, False)}[sys.argv[1]]
real, calls = getattr(module, name), []
def deadly(*args, **kwargs):
    calls.append(name)
    found = real(*args, **kwargs) if after or len(calls) < nth else None
    if len(calls) == nth:
        os.kill(os.getpid(), signal.SIGKILL)
    return found
setattr(module, name, deadly)
cli.main(sys.argv[2:])
"""


@pytest.mark.parametrize("moment, epoch, left", [
    ("fsync", 1, 1), *(pytest.param(*case, marks=pytest.mark.slow) for case in (
        ("savez", 1, 1), ("replace", 1, 1), ("replaced", 2, 0), ("batch", 2, 0)))])
def test_kill_at_a_nasty_moment(straight, tmp_path, moment, epoch, left):
    """While the checkpoint of epoch 2 is half written, or written but not yet named, or just named; or amid the batches of epoch 3."""
    path = tmp_path / "a.npz"
    done = subprocess.run([sys.executable, "-c", SUICIDE, moment, *JOB, "--out", path, "--threads", "1"], **OPTIONS)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert checkpoint.read(path)[0]["epoch"] == epoch and len(parts(path)) == left
    run_to_the_end(path, 1, resume=True)
    assert ends(path) == straight[0][1]


@pytest.mark.parametrize("chosen", [
    {}, {"optimiser": "sgd", "schedule": "exponential"}, {"drop_in": 0.2, "drop_hidden": 0.3}, {"jitter": 0.1, "bias": True},
    {"dtype": "float64", "loss": "z", "l2": 1e-3}], ids=str)
def test_every_kind_of_run_goes_on_with_the_same_bits(tmp_path, chosen):
    """Without a process of its own: stop after each epoch, save, load, go on."""
    settings = temporal.settings_for("xor", backend="reference", epochs=6, batch=3, **chosen)
    begin = {"method": "temporal", "settings": settings, "seed": 2}
    unbroken, path = training.start(**begin), tmp_path / "a.npz"
    for _ in training.epochs(unbroken, datasets.xor(), datasets.xor()):
        pass
    training.save(training.start(**begin), path)
    for _ in range(6):
        run = training.load(path)
        next(training.epochs(run, datasets.xor(), datasets.xor()))
        training.save(run, path)
    broken = training.load(path)
    for a, b in ((unbroken.nets.net.params, broken.nets.net.params), (unbroken.optimiser.state, broken.optimiser.state)):
        assert {k: x.tobytes() for k, x in a.items()} == {k: x.tobytes() for k, x in b.items()}
    assert unbroken.rng.bit_generator.state == broken.rng.bit_generator.state and broken.epoch == 6
    assert [r["loss"] for r in unbroken.records] == [r["loss"] for r in broken.records]
