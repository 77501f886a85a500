"""Sweeps on a cluster of Dask on this machine: a worker killed, the scheduler killed, nobody there."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

import pysnn
from tests.cases import ROOT
from tests.cases.sweeps import QUICK, bits, moons

pytest.importorskip("distributed")
SETTINGS = {**QUICK, "epochs": 6, "lr": [1e-3, 0.1], "beta": [10.0, 20.0]}
OLD = {"PYTHONWARNINGS": "ignore", "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "3"}


@pytest.fixture
def cluster():
    """A scheduler and two workers, in processes of their own: address, scheduler, workers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    env = {**os.environ, **OLD, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}

    def begin(program, *arguments):
        return subprocess.Popen([sys.executable, "-m", f"distributed.cli.{program}", *arguments, "--no-dashboard"], env=env,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    scheduler = begin("dask_scheduler", "--host", "127.0.0.1", "--port", address.rsplit(":", 1)[1])
    workers = [begin("dask_worker", address, "--nthreads", "1", "--no-nanny") for _ in range(2)]
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", int(address.rsplit(":", 1)[1])), 0.1).close()
            break
        except OSError:
            time.sleep(0.1)
    yield address, scheduler, workers
    for process in (*workers, scheduler):
        process.kill()
        process.wait()


def kill_after(process, out, n):
    """Kill a process once a file has n finished runs."""
    def wait():
        while not out.is_file() or out.read_bytes().count(b"\n") <= n:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_worker_killed_loses_nothing(cluster, tmp_path):
    address, _, workers = cluster
    out = tmp_path / "runs.jsonl"
    kill_after(workers[0], out, 5)
    runs = pysnn.sweep("temporal", moons(), SETTINGS, seeds=5, jobs=address, out=out)
    assert workers[0].poll() is not None and len(runs) == 20 and len(out.read_text().splitlines()) == 21
    assert bits(runs) == bits(pysnn.sweep("temporal", moons(), SETTINGS, seeds=5, out=tmp_path / "here.jsonl"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_scheduler_killed_keeps_what_is_finished(cluster, tmp_path, monkeypatch):
    address, scheduler, _ = cluster
    out = tmp_path / "runs.jsonl"
    kill_after(scheduler, out, 5)
    began = time.perf_counter()
    with pytest.raises(RuntimeError, match="the scheduler is gone; what is finished is kept, and the same call goes on"):
        pysnn.sweep("temporal", moons(), SETTINGS, seeds=5, jobs=address, out=out)
    kept = out.read_text()
    assert 6 <= len(kept.splitlines()) < 21 and kept.endswith("\n") and time.perf_counter() - began < 60
    runs = pysnn.sweep("temporal", moons(), SETTINGS, seeds=5, out=out)
    assert len(runs) == 20 and out.read_text().startswith(kept) and len(out.read_text().splitlines()) == 21


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_client_own_file_and_optuna(cluster, tmp_path):
    """Epochs go from worker to worker; a loss of the user's own is not where the workers are."""
    pytest.importorskip("optuna")
    from distributed import Client
    (tmp_path / "sweep_dask_loss.py").write_text("from pysnn.losses import softmax_t\n\n\ndef loss(z, y):\n    return softmax_t(z, y)\n")
    settings = {**QUICK, "epochs": 3, "loss": f"{tmp_path}/sweep_dask_loss.py:loss", "lr": (1e-3, 0.1, "log")}
    with Client(cluster[0]) as client:
        runs = pysnn.sweep("temporal", moons(), settings, seeds=1, jobs=client, out=tmp_path / "a", search=pysnn.scale.Optuna(4))
    assert len(runs) == 4 and all("error" not in line for line in runs)


@pytest.mark.parametrize("address, words", [("tcp://127.0.0.1:9", "nobody answers there"), ("nonsense", "nobody answers there")])
def test_nobody_answers(address, words, tmp_path):
    began = time.perf_counter()
    with pytest.raises(ValueError, match=f"{address}: expected the address of a Dask scheduler, .* {words}"):
        pysnn.sweep("temporal", moons(), SETTINGS, seeds=1, jobs=address, out=tmp_path / "a")
    assert time.perf_counter() - began < 30


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_cluster_without_workers_is_said(cluster, tmp_path, monkeypatch):
    from pysnn.scale import _workers
    for worker in cluster[2]:
        worker.kill()
        worker.wait()
    monkeypatch.setattr(_workers, "PATIENCE", 3.0)
    with pytest.raises(RuntimeError, match="expected workers, got none for 3 s; what is finished is kept, and the same call goes on"):
        pysnn.sweep("temporal", moons(), SETTINGS, seeds=1, jobs=cluster[0], out=tmp_path / "a")
