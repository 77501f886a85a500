"""Processes that mpirun starts: the same bits for 1 to 4 of them; killed or different ones end all, and the checkpoint goes on."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from pysnn import checkpoint
from tests.cases import ROOT
from tests.cases.processes import CASES, environment, same

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("mpirun") is None, reason="needs mpirun")]
TRAIN = [sys.executable, "-m", "pysnn", "train", "temporal", "--data", "yin-yang", "--model", "4-40-3", "--no-test", "--epochs", "8",
         "--batch", "100", "--set", "jitter=0.01", "--threads", "1"]


def mpirun(n, *command, **options):
    """Start processes; return the running mpirun."""
    pytest.importorskip("mpi4py")
    return subprocess.Popen(["mpirun", "--oversubscribe", "-n", str(n), *map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, env=environment(), **options)


def done(process, limit=120):
    """Wait for the end; a process that hangs fails the test."""
    try:
        out, err = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        process.kill()
        pytest.fail("mpirun hangs")
    return process.returncode, out, err


def job(folder, n, threads, what):
    return done(mpirun(n, sys.executable, "-m", "tests.cases.mpi_job", folder, threads, what, cwd=ROOT), 600)


def test_one_to_four_processes_and_one_or_two_threads_give_the_same_bits(tmp_path):
    found = {}
    for n in (1, 2, 3, 4):
        for threads in (1, 2):
            folder = tmp_path / f"{n}-{threads}"
            folder.mkdir()
            code, _, err = job(folder, n, threads, "bits")
            assert code == 0, err
            found[n, threads] = [json.loads((folder / f"{rank}.json").read_text()) for rank in range(n)]
    ref = found[1, 1][0]
    assert ref.keys() == CASES.keys() and all(now == kept for now, kept in ref.values())
    assert all(one == ref for some in found.values() for one in some)


@pytest.mark.parametrize("what, said", [
    ("setting", "process 1: expected the same setting lr as process 0, 0.001, got 0.5"),
    ("version", "process 1: expected the same version of numba as process 0, "),
    ("samples", "process 1: expected the same training samples as process 0, uint8 (21, 6, 6)"),
    ("broken", "pysnn: error: process 1: broken here alone")])
def test_a_process_that_differs_ends_all(tmp_path, what, said):
    code, _, err = job(tmp_path, 3, 1, what)
    assert code != 0 and said in err


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Train in one process, without mpirun."""
    path = tmp_path_factory.mktemp("alone") / "run.npz"
    subprocess.run([*TRAIN, "--out", path, "--set", "chunks=4"], cwd=ROOT, check=True, capture_output=True)
    return path


def test_the_command_line_trains_one_network(alone, tmp_path):
    path = tmp_path / "run.npz"
    code, out, err = done(mpirun(3, *TRAIN, "--out", path, "--json", tmp_path / "run.json", cwd=ROOT))
    assert code == 0, err
    assert out.count("3 processes share each batch, which is cut into 4 chunks (--set chunks=4 gives the same bits") == 1
    assert out.count("checkpoint:") == 1 and len(out.splitlines()) < 14
    same(path, alone)
    assert len(json.loads((tmp_path / "run.json").read_text())["records"]) == 8


def test_an_error_that_all_have_is_told_once(tmp_path):
    code, _, err = done(mpirun(3, *TRAIN, "--set", "chunks=2", "--out", tmp_path / "run.npz", cwd=ROOT))
    assert code != 0 and err.count("pysnn: error: chunks: expected at least one for each of 3 processes, such as chunks=4, got 2") == 1


def test_processes_of_two_commands_do_not_train(tmp_path):
    command = [*TRAIN, "--out", tmp_path / "run.npz"]
    code, _, err = done(mpirun(1, *command, ":", "-n", 1, *command, "--lr", "0.1", cwd=ROOT))
    assert code != 0 and err.count("pysnn: error: process 1: expected the same setting lr as process 0, 0.003, got 0.1") == 1
    assert not (tmp_path / "run.npz").exists()


def children(process):
    """List the processes of pysnn that mpirun has started."""
    with open(f"/proc/{process.pid}/task/{process.pid}/children") as file:
        return [int(pid) for pid in file.read().split()]


def lives(pid):
    """Tell whether a process runs; one that nobody has waited for does not."""
    with contextlib.suppress(FileNotFoundError), open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] not in "ZX"
    return False


@pytest.mark.parametrize("n, again", [(3, 2), (2, 4), (4, 1)])
def test_a_process_is_killed(alone, tmp_path, n, again):
    path = tmp_path / "run.npz"
    process = mpirun(n, *TRAIN, "--out", path, cwd=ROOT)
    while not path.exists() or checkpoint.read(path)[0]["epoch"] < 1:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    pids = children(process)
    assert len(pids) == n
    os.kill(pids[-1], signal.SIGKILL)
    began = time.perf_counter()
    code, _, err = done(process)
    assert code != 0 and "Killed" in err and time.perf_counter() - began < 30
    while any(map(lives, pids)) and time.perf_counter() - began < 30:        # mpirun may go before the last of those it has ended
        time.sleep(0.01)
    assert [pid for pid in pids if lives(pid)] == []
    epoch = checkpoint.read(path)[0]["epoch"]
    assert 1 <= epoch < 8, "it got to the end before the kill"
    code, out, err = done(mpirun(again, *TRAIN, "--out", path, "--resume", cwd=ROOT))
    assert code == 0 and f"continuing after epoch {epoch} of 8" in out, err
    same(path, alone)
