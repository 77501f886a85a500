"""Processes that share a training: the same bits for any number of them. Here they are threads; test_mpirun.py has processes."""

import subprocess
import sys
import types
from dataclasses import replace

import numpy as np
import pytest

from pysnn import checkpoint, learning, training
from pysnn.conventions import Sequences
from pysnn.datasets._rows import Rows
from pysnn.scale import mpi
from tests.cases import few
from tests.cases.processes import CASES, ends, samples, settings, together


def trained(case, team=None, run=None, data=None, **chosen):
    """Train a case, or go on with it."""
    run = run or training.start(*settings(case, **chosen), 5)
    for _ in training.epochs(run, data or samples(case), samples(case, 6, 1), team=team):
        pass
    return run


@pytest.mark.parametrize("case", few(CASES, 3))
def test_any_number_of_processes_gives_the_same_bits(case):
    alone = ends(trained(case))
    for size in (2, 3):
        for run in together(size, lambda team: trained(case, team)):
            assert ends(run) == alone
    assert ends(trained(case, chunks=3)) != alone


def test_weights_and_lengths_of_samples_go_to_their_chunks(rng):
    x, y = samples("eprop")
    x, weight = Sequences(x, rng.integers(3, 8, len(x))), rng.random(len(x))

    def work(team=None):
        run = training.start(*settings("eprop", class_weight="balanced"), 5)
        list(training.epochs(run, (x, y), sample_weight=weight, team=team))
        return ends(run)

    assert together(4, work) == [work()] * 4


def test_goes_on_with_another_number_of_processes(tmp_path):
    path, case = tmp_path / "run.npz", "proxy"

    def first(team):
        run = training.start(*settings(case), 5)
        for _ in training.epochs(run, samples(case), samples(case, 6, 1), team=team):
            team.save(run, path)
            break

    together(3, first)
    assert training.load(path).epoch == 1 and [p.name for p in tmp_path.iterdir()] == ["run.npz"]
    assert [ends(run) for run in together(2, lambda team: trained(case, team, training.load(path)))] == [ends(trained(case))] * 2


def test_a_process_reads_its_own_chunks(tmp_path, rng):
    np.save(tmp_path / "x.npy", rng.integers(0, 256, (2400, 36), dtype=np.uint8))
    reads = {}

    class Seen(Rows):
        def __getitem__(self, some):
            if isinstance(some, np.ndarray) and len(some) != mpi.ROWS:
                reads.setdefault(self.team, []).extend(self.rows[some].tolist())
            return super().__getitem__(some)

    def work(team):
        x = Seen(np.load(tmp_path / "x.npy", mmap_mode="r"), np.arange(2400))
        x.team = team.rank
        return ends(trained("temporal", team, data=(x, np.arange(2400) % 3), shift=0, batch=240, epochs=1))

    assert len({str(end) for end in together(2, work)}) == 1
    assert len(reads[0]) == len(reads[1]) == 1200 and sorted(reads[0] + reads[1]) == list(range(2400))


DIFFERENT = {   # what process 1 does otherwise, and what is said
    "setting": ({"lr": 0.5}, "process 1: expected the same setting lr as process 0, 0.001, got 0.5"),
    "model": ({"model": "36-10-3"}, "process 1: expected the same setting model as process 0, 36-12-3, got 36-10-3"),
    "seed": ({"seed": 1}, "process 1: expected the same seed as process 0, 0, got 1"),
    "method": ({"method": "ann"}, "process 1: expected the same method as process 0, temporal, got ann"),
    "samples": ({"bad": 1}, "process 1: expected the same training samples as process 0, uint8 (21, 36), checksum "),
    "labels": ({"y": 1}, "process 1: expected the same training labels as process 0, int64 (21,), checksum "),
    "number": ({"n": 20}, "process 1: expected the same training samples as process 0, uint8 (21, 36), checksum "),
    "weights": ({"w": 1}, "process 1: expected the same array params/w1 as process 0, float32 (36, 12), checksum "),
    "numpy": ({"numpy": "1.0"}, f"process 1: expected the same version of numpy as process 0, {np.__version__}, got 1.0"),
}


@pytest.mark.parametrize("what", DIFFERENT)
def test_a_process_that_differs(what, monkeypatch):
    own, said = DIFFERENT[what]
    known = training.versions()

    def work(team):
        o = own if team.rank == 1 else {}
        chosen = {"model": o.get("model", "36-12-3"), "lr": o.get("lr", 1e-3), "chunks": 4, "epochs": 1}
        method = o.get("method", "temporal")
        run = training.start(method, training.METHODS[method].Settings(**chosen), o.get("seed", 0))
        x, y = samples("temporal", o.get("n", 21))
        x = x.reshape(-1, 36)
        x[0, 0] += o.get("bad", 0)
        y[0] += o.get("y", 0)
        run.nets.net.params["w1"][0, 0] += o.get("w", 0)
        monkeypatch.setattr(training, "versions", lambda: known)
        if "numpy" in o:
            team.agreed = lambda make, agreed=team.agreed: agreed(lambda: make() | {"version of numpy": "1.0"})
        with pytest.raises(mpi.SharedError) as error:
            list(training.epochs(run, (x, y), team=team))
        return str(error.value)

    texts = together(3, work)
    assert len(set(texts)) == 1 and texts[0].startswith(said)


def test_each_process_needs_a_chunk():
    def work(team, n):
        with pytest.raises(mpi.SharedError) as error:
            trained("temporal", team, chunks=n)
        return str(error.value)

    for n in (0, 2):
        assert together(3, lambda team, n=n: work(team, n)) == [
            f"chunks: expected at least one for each of 3 processes, such as chunks=4, got {n}"] * 3


def test_weights_that_part_on_the_way_are_found():
    def work(team):
        run, case = training.start(*settings("ann", epochs=3), 5), "ann"
        with pytest.raises(mpi.SharedError) as error:
            for record in training.epochs(run, samples(case), team=team):
                run.nets.net.params["w2"][0] += team.rank == 1 and record["epoch"] == 2
        return str(error.value), run.epoch

    assert [(text[:60], epoch) for text, epoch in together(2, work)] == [
        ("process 1: expected the same array params/w2 as process 0, f", 2)] * 2


@pytest.mark.parametrize("everywhere", [False, True])
def test_an_error_in_a_chunk_is_raised_by_all(everywhere):
    def work(team):
        def gradients(nets, x, y, rng=None):
            if everywhere or team.rank == 1:
                raise ValueError("no loss today")
            return learning.ann.gradients(nets, x, y, rng)

        run = replace(training.start(*settings("ann"), 5), rule=learning.ann.METHOD._replace(gradients=gradients))
        team.check_begin = team.check = lambda *args: None           # the rule has no name, which a checkpoint would need
        with pytest.raises(mpi.SharedError) as error:
            list(training.epochs(run, samples("ann"), team=team))
        return str(error.value)

    assert together(3, work) == ["no loss today" if everywhere else "process 1: no loss today"] * 3


def test_gradients_of_two_kinds_are_refused():
    rule = learning.METHODS["ann"]

    def gradients(nets, x, y, rng=None):
        step = rule.gradients(nets, x, y, rng)
        return step._replace(grads={name: dw.astype(np.float64 if name == "w1" else np.float32) for name, dw in step.grads.items()})

    def work(team):
        run = replace(training.start(*settings("ann"), 5), rule=rule._replace(gradients=gradients))
        team.check_begin = team.check = lambda *args: None
        with pytest.raises(mpi.SharedError, match="gradients: expected the same names, shapes and one dtype in all chunks"):
            list(training.epochs(run, samples("ann"), team=team))

    together(2, work)


def test_an_error_while_writing_is_raised_by_all(tmp_path):
    (tmp_path / "file").touch()

    def work(team):
        run = training.start(*settings("ann"), 5)
        with pytest.raises(mpi.SharedError) as error:
            team.save(run, tmp_path / "file" / "run.npz")
        return str(error.value)

    texts = together(2, work)
    assert texts[0] == texts[1] and texts[0].startswith("process 0: cannot write the checkpoint")


def test_an_error_of_one_process_ends_all(capfd, monkeypatch):
    monkeypatch.setattr(mpi, "PATIENCE", 0.1)
    ended = []

    class Stopped:
        rank, size = 1, 2

        def Abort(self, code):
            ended.append(code)

    for error, text in ((ValueError("bad luck"), "pysnn: error: process 1: bad luck\n"),
                        (AssertionError("a bug"), "AssertionError: a bug\n")):
        with pytest.raises(type(error)), mpi.Team(Stopped()):
            raise error
        assert capfd.readouterr().err.endswith(text)
    with pytest.raises(mpi.SharedError), mpi.Team(Stopped()):
        raise mpi.SharedError("of all")
    assert ended == [1, 1] and capfd.readouterr().err == ""


def test_without_mpirun_a_team_is_one_process(monkeypatch, tmp_path):
    for name in (*mpi.SIZES, "PMIX_RANK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    team = mpi.team()
    assert (team.rank, team.size) == (0, 1)
    with team:
        run = trained("ann", team)
        team.save(run, tmp_path / "run.npz")
    assert ends(training.load(tmp_path / "run.npz")) == ends(trained("ann")) and checkpoint.read(tmp_path / "run.npz")[0]["epoch"] == 2


def test_under_mpirun_mpi4py_must_be_there_and_belong_to_it(monkeypatch):
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "4")
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(ImportError, match=r'^4 processes that share a training need mpi4py: pip install mpi4py'):
        mpi.team()
    other = types.SimpleNamespace(COMM_WORLD=types.SimpleNamespace(size=1), Get_library_version=lambda: "Some MPI 1.0\n")
    monkeypatch.setitem(sys.modules, "mpi4py", types.SimpleNamespace(MPI=other))
    with pytest.raises(RuntimeError, match=r"^mpirun: expected 4 processes, as it says, got 1 in mpi4py, made for another MPI: Some MPI"):
        mpi.team()


def test_importing_it_loads_no_mpi():
    code = "import sys, pysnn.scale.mpi as mpi; mpi.team(); print('mpi4py' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
