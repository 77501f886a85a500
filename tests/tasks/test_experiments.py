"""Experiments, in a few lines: sweeps, their means, tests and figures, on one machine and many."""

import numpy as np
import pytest

import pysnn
from pysnn import interop, scale, training
from pysnn.learning import surrogate
from tests.cases import tasks
from tests.cases.sweeps import QUICK, moons

GRID = """
runs = pysnn.sweep("temporal", own, {"lr": [1e-3, 0.1], "beta": [10.0, 20.0]}, seeds=10, jobs=2)
"""


class Pysnn:
    """pysnn, whose sweeps have runs that are short."""

    def __init__(self, jobs=None):
        self.jobs = jobs

    def sweep(self, method, data, settings, seeds=3, jobs=1, search=None):
        """Sweep with few epochs, and in this process where a test asks for it."""
        quick = {name: value for name, value in QUICK.items() if name not in settings}
        return pysnn.sweep(method, data, {**settings, **quick}, seeds, self.jobs or jobs, search=search)


@pytest.fixture
def space(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return {"pysnn": Pysnn(), "scale": scale, "own": moons(), "np": np}


@pytest.fixture
def swept(space):
    """What is there once the grid has run; here with few seeds, in this process."""
    code = GRID.replace("seeds=10, jobs=2", "seeds=3")
    return tasks.run("grid", 4, code, space)


@pytest.mark.slow
def test_grid_over_two_settings_and_ten_seeds_in_parallel(space):
    pytest.importorskip("joblib")
    runs = tasks.run("grid", 4, GRID, space)["runs"]
    assert len(runs) == 40 and {row["n_seeds"] for row in runs.table()} == {10}


def test_the_same_with_optuna_and_pruning(space):
    pytest.importorskip("optuna")
    space["pysnn"] = Pysnn(jobs=1)
    runs = tasks.run("optuna", 8, """
space = {"lr": (1e-3, 0.1, "log"), "beta": [10.0, 20.0]}
runs = pysnn.sweep("temporal", own, space, seeds=2, jobs=2, search=scale.Optuna(6))
""", space)["runs"]
    assert len({str(line["settings"]) for line in runs}) == 6 and 0.001 <= runs.best()["lr"] <= 0.1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_on_a_dask_cluster(space):
    pytest.importorskip("distributed")
    import distributed
    space["distributed"] = distributed
    runs = tasks.run("dask", 5, """
with distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster:
    address = cluster.scheduler_address
    runs = pysnn.sweep("temporal", own, {"lr": [1e-3, 0.1], "beta": [10.0, 20.0]}, seeds=3, jobs=address)
""", space)["runs"]
    assert len(runs) == 12


def test_resumed_after_a_kill(swept, space, tmp_path):
    """No line more: the same call goes on."""
    file, = (tmp_path / "runs").glob("*.jsonl")
    whole = file.read_bytes()
    file.write_bytes(b"".join(whole.splitlines(keepends=True)[:5]))
    tasks.run("grid again", 4, GRID.replace("seeds=10, jobs=2", "seeds=3"), space)

    def bits(text):
        return sorted(line.split(b'"sha256"')[1] for line in text.splitlines()[1:])

    assert bits(file.read_bytes()) == bits(whole) and len(space["runs"]) == 12


def test_mean_and_interval_as_a_table(swept, capsys):
    tasks.run("table", 1, "print(runs)", swept)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["lr", "beta", "seeds", "validation", "accuracy", "s", "a", "run"] and len(lines) == 6
    assert all(" ± " in line for line in lines[1:5])


def test_paired_test(swept):
    pytest.importorskip("scipy")
    got = tasks.run("paired", 1, 'test = runs.paired({"lr": 1e-3, "beta": 10.0}, {"lr": 0.1, "beta": 10.0})', swept)["test"]
    assert 0 <= got.p <= 1 and got.n_seeds == 3


def test_figure_of_both_settings(swept, tmp_path):
    swept["plots"] = pytest.importorskip("pysnn.plots")
    tasks.run("figure", 2, 'plots.save(runs.plot("lr", "beta"), "both.pdf")', swept)
    assert (tmp_path / "both.pdf").read_bytes().startswith(b"%PDF")


def test_records_as_a_frame(swept):
    pytest.importorskip("pandas")
    assert len(tasks.run("frame", 1, "frame = runs.to_frame()", swept)["frame"]) == 12


@pytest.mark.frameworks
def test_timing_against_snntorch(space):
    """The same network, the same inputs and the same spikes; forward and backward over all time steps."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("snntorch")
    import timeit
    got = tasks.run("timing", 10, """
run = training.start("surrogate", surrogate.Settings(model="784-100-10", bias=True, n_steps=10))
x, y = np.random.default_rng(0).uniform(size=(100, 784)).astype(np.float32), np.arange(100) % 10
theirs, x_t, y_t = interop.to_snntorch(run), torch.from_numpy(x), torch.from_numpy(y)
def step():
    theirs.zero_grad()
    torch.nn.functional.cross_entropy(theirs(x_t).sum(0), y_t).backward()
seconds = [min(timeit.repeat(f, number=3, repeat=3)) / 3 for f in (lambda: run.rule.gradients(run.nets, x, y), step)]
print("pysnn {:.4f} s, snnTorch {:.4f} s a step".format(*seconds))
""", {**space, "training": training, "surrogate": surrogate, "interop": interop, "torch": torch, "timeit": timeit})
    with torch.no_grad():
        counts = got["theirs"](got["x_t"]).sum(0).numpy()
    ours, run = got["run"].rule.predict(got["run"].nets, got["x"]), got["run"]
    assert np.mean(counts == ours) > 0.99 and len(got["seconds"]) == 2 and all(s > 0 for s in got["seconds"])
    grad = run.rule.gradients(run.nets, got["x"], got["y"]).grads
    assert any(p.grad is not None for p in got["theirs"].parameters()) and set(grad) == set(run.nets.net.params)
