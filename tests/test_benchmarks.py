"""The benchmarks run: their pysnn part without PyTorch, and the whole of them, quickly, with it."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
BENCHMARKS = ROOT / "benchmarks"
WITHOUT_TORCH = "import runpy, sys; sys.modules['torch'] = None; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='imported')"


def module(name, monkeypatch):
    """Import a benchmark from its file."""
    monkeypatch.setattr(sys, "path", list(sys.path))                     # it adds its own folder
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", BENCHMARKS / f"{name}.py")
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def run(*args):
    """Run Python on this checkout."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, *map(str, args)], capture_output=True, text=True, timeout=400, env=environment, cwd=ROOT)


@pytest.mark.parametrize("name", ["temporal", "memory"])
def test_imports_without_torch(name):
    done = run("-W", "error", "-c", WITHOUT_TORCH, BENCHMARKS / f"{name}.py")
    assert done.returncode == 0 and done.stdout == done.stderr == ""


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="PyTorch is installed")
def test_missing_torch_is_one_clear_line():
    done = run(BENCHMARKS / "temporal.py", "--quick")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "PyTorch" in done.stderr and "make bench" in done.stderr


def test_growth(monkeypatch):
    bench = module("temporal", monkeypatch)
    rows = bench.growth(base=(4, 12, 8), halvings=1, doublings=1, rounds=2)
    assert json.loads(json.dumps(rows)) == rows
    assert [(r["inputs"], r["axis"], r["size"]) for r in rows[:9]] == [("two times", axis, size) for axis, sizes in (
        ("B", (2, 4, 8)), ("N_in", (6, 12, 24)), ("N_out", (4, 8, 16))) for size in sizes]
    assert len(rows) == 18 and {r["inputs"] for r in rows} == {"two times", "distinct"}
    assert all(0 < r["forward_ns"] < r["step_ns"] for r in rows)


def test_rows_take_ratios_within_rounds(monkeypatch):
    """The peer is the fastest ReLU network; a slow round that hits everyone alike leaves the ratio alone."""
    bench = module("temporal", monkeypatch)
    weather = np.array([1.0, 5.0, 1.0, 2.0, 9.0])
    seconds = {"a binary": 0.004 * weather, "c default": 0.003 * weather, "c fused": 0.002 * weather}
    peer, rows = bench.rows_of(seconds, {name: {"peak_mib": 2.0, "imports_mib": 1.0} for name in seconds})
    assert peer == "c fused"
    assert [r["ratio"] for r in rows] == [2, 1.5, 1] and rows[0]["ratio_quartiles"] == [2, 2]
    assert rows[0]["ms"] == 8 and rows[0]["ms_quartiles"] == [4, 20]
    assert json.loads(json.dumps(rows)) == rows


def test_contender_takes_the_steps_of_the_learning_rule(monkeypatch):
    """What is timed is what trains: the same weights, bit for bit, as gradients and Adam on the images."""
    bench = module("temporal", monkeypatch)
    from pysnn import datasets, models, optim
    from pysnn.learning import temporal
    data = datasets.load("fashion-sample")
    x, y = data.x_train[:12], data.y_train[:12].astype(np.int64)
    monkeypatch.setattr(bench, "BATCH", 6)
    params = models.temporal_params("784-20-10", np.random.default_rng(0))
    settings = temporal.Settings(model="784-20-10", drop_in=0.0, drop_hidden=0.0)
    nets = temporal.build(settings, {name: w.copy() for name, w in params.items()})
    optimiser = optim.Adam(nets.net.params)
    sets = bench.input_sets(bench.encode.intensities(x))
    monkeypatch.setattr(bench.temporal, "Settings", lambda **_: settings)
    contender = bench.Pysnn(bench.Job("pysnn", {}, bench.cut_batches(sets["binary"], y), params, (784, 20, 10), 1))
    for k in range(4):
        some = slice(6 * (k % 2), 6 * (k % 2) + 6)
        step = temporal.gradients(nets, x[some], y[some])
        optimiser.update(nets.net.params, step.grads, contender.lr)
        assert contender.step(k) == step.loss
    for name, w in nets.net.params.items():
        np.testing.assert_array_equal(contender.net.params[name], w)
        assert (w != params[name]).any()


def test_peak_memory_of_a_small_training(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    memory = module("memory", monkeypatch)
    peak = memory.peak_mib("train", "temporal", "--data", "xor", "--epochs", "1", "--no-test", "--quiet", "--backend", "reference",
                           "--out", str(tmp_path / "run.npz"))
    assert 10 < peak < memory.LIMIT
    with pytest.raises(SystemExit, match="failed"):
        memory.peak_mib("train", "temporal", "--data", "xor", "--set", "lr=fast")


@pytest.mark.frameworks
def test_quick_benchmark(tmp_path):
    """All contenders run, agree and are recorded."""
    if importlib.util.find_spec("torch") is None:
        (pytest.fail if os.environ.get("CI", "").lower() == "true" else pytest.skip)("PyTorch is not installed")
    done = run(BENCHMARKS / "temporal.py", "--quick", "--json", tmp_path / "record.json")
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "record.json").read_text())
    assert {r["name"][0] for r in record["rows"]} == set("abcd") and record["peer"].startswith("c ")
    assert all(r["ms"] > 0 and r["ratio"] > 0 and r["peak_mib"] > r["imports_mib"] > 0 for r in record["rows"])
    assert len(record["checks"]) == 8 and record["growth"] and record["versions"]["torch"] and record["machine"]["cpu"]
    for row in record["rows"]:
        assert row["what"].strip() in done.stdout
