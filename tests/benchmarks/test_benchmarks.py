"""The benchmarks run: their pysnn part without PyTorch, and the whole of them, quickly, with it."""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from tests.cases import ROOT, few

BENCHMARKS = ROOT / "benchmarks"
WITHOUT_TORCH = "import runpy, sys; sys.modules['torch'] = None; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='imported')"


def module(name, monkeypatch):
    """Import a benchmark from its file."""
    monkeypatch.setattr(sys, "path", list(sys.path))                     # it adds its own folder
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", BENCHMARKS / f"{name}.py")
    found = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, found)                   # where pickle looks for its functions
    spec.loader.exec_module(found)
    return found


def run(*args):
    """Run Python on this checkout."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, *map(str, args)], capture_output=True, text=True, timeout=400, env=environment, cwd=ROOT)


@pytest.mark.parametrize("name", few(["temporal", "rate", "deep", "time", "event_prop", "memory"], 3))
def test_imports_without_torch(name):
    done = run("-W", "error", "-c", WITHOUT_TORCH, BENCHMARKS / f"{name}.py")
    assert done.returncode == 0 and done.stdout == done.stderr == ""


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="PyTorch is installed")
@pytest.mark.parametrize("name", few(["temporal", "rate", "deep", "time", "event_prop"], 3))
def test_missing_torch_is_one_clear_line(name):
    done = run(BENCHMARKS / f"{name}.py", "--quick")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "PyTorch" in done.stderr and "make bench" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["auto", "reference"])
def test_any_thread_gives_the_same_bits(monkeypatch, backend):
    """All methods: the main thread, a worker, four at once, beside a fork, in joblib's workers; bits alone, not times."""
    bench = module("threads", monkeypatch)
    monkeypatch.setattr(bench, "BACKENDS", ("threading", "multiprocessing"))         # the workers of loky cannot import a benchmark
    for method in bench.METHODS:
        n_samples = 100 if backend == "auto" else 1 if method == "eventprop" else 20       # its reference takes 2 s a sample
        row = bench.measure(method, rounds=1, backend=backend, n_samples=n_samples)
        assert len({digest for digests in row["digests"].values() for digest in digests}) == 1, row


@pytest.mark.slow
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


@pytest.mark.slow
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
    contender = bench.Pysnn(bench.Job("pysnn", {}, bench.cut_batches(sets["binary"], y), params, 1))
    for k in range(4):
        some = slice(6 * (k % 2), 6 * (k % 2) + 6)
        step = temporal.gradients(nets, x[some], y[some])
        optimiser.update(nets.net.params, step.grads, contender.lr)
        assert contender.step(k) == step.loss
    for name, w in nets.net.params.items():
        np.testing.assert_array_equal(contender.net.params[name], w)
        assert (w != params[name]).any()


def test_rate_sizes_are_the_authors(monkeypatch):
    """19,599,744 parameters and about 164 M multiply-adds, as the paper's code has them."""
    rate = module("rate", monkeypatch)
    spec = rate.fashion_spec(128)
    assert spec == "28x28x1-128C3-128C3-P2-128C3-P2-2560-1152-256-10"
    assert sum(np.prod(layer["w"]) + 2 * layer["w"][-1] * (len(layer["w"]) == 4) for layer in rate.layers_of(spec)) == 19_599_744
    assert sum(rate.multiply_adds(spec)) == 164_712_960
    params = rate.random_params(rate.fashion_spec(4))
    assert list(params)[:3] == ["w1", "gamma1", "beta1"] and len(params) == 13


@pytest.mark.parametrize("activity", [0.15, 0.3])
def test_rate_weights_are_calibrated(monkeypatch, activity):
    """Every layer fires as often as asked; the engine that is timed finds the same."""
    rate = module("rate", monkeypatch)
    from pysnn.reference import spiking
    _, x, _ = rate.test_images(6)
    spec = rate.fashion_spec(4)
    stages, found = rate.calibrated(spec, activity, x, 15)
    assert len(stages) == 7 and [s.pool for s in stages] == ["", "max", "max", "", "", "", ""]
    np.testing.assert_allclose(found, activity, rtol=0.1)
    again = spiking.run(stages, x, 15)
    for n, layer, share in zip(again.n_spikes, rate.layers_of(spec), found, strict=True):
        np.testing.assert_allclose(n / (6 * 15 * np.prod(layer["out"])), share, rtol=0.02)


def test_rate_families_send_their_fastest_on(monkeypatch):
    """After the pilot one of each family is left; ratios are taken within rounds, to the fastest of the peers."""
    rate = module("rate", monkeypatch)
    cost = {"pysnn": 1.0, "jelly s": 4.0, "jelly m": 3.0, "products": 0.5}
    asked = []
    monkeypatch.setattr(rate, "answer", lambda _, name, *question: asked.append(name) or [cost[name]])
    seconds, left = rate.measure(dict.fromkeys(cost), {name: rate.INFERENCE[name].family for name in cost}, 2, 5, 0.0)
    assert sorted(left) == ["jelly m", "products", "pysnn"] and len(seconds["jelly s"]) == 2 and len(seconds["jelly m"]) == 5
    assert asked.count("jelly s") == 3
    peer, rows = rate.rows_of(seconds, left, rate.INFERENCE, ("jelly",))
    assert peer == "jelly m" and {r["name"]: r["ratio"] for r in rows} == {name: c / 3 for name, c in cost.items()}
    assert json.loads(json.dumps(rows)) == rows


@pytest.mark.slow
def test_rate_growth(monkeypatch):
    rate = module("rate", monkeypatch)
    rows = rate.growth({"n_steps": (1, 3), "batch": (1, 2)}, (2, 2, 0.2, 2), 1, n_calibrate=2, repeats=1)
    assert [(r["axis"], r["n_steps"], r["batch"]) for r in rows] == [("n_steps", 1, 2), ("n_steps", 3, 2), ("batch", 2, 1), ("batch", 2, 2)]
    assert all(r["s"] > 0 and r["gmac_s"] > 0 for r in rows) and json.loads(json.dumps(rows)) == rows


@pytest.mark.slow
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


@pytest.mark.frameworks
def test_quick_rate_benchmark(tmp_path):
    """All contenders run, emit the same spikes, have the same gradients, and are recorded."""
    missing = [name for name in ("torch", "spikingjelly", "snntorch") if importlib.util.find_spec(name) is None]
    if missing:
        (pytest.fail if os.environ.get("CI", "").lower() == "true" else pytest.skip)(f"not installed: {missing}")
    done = run(BENCHMARKS / "rate.py", "--quick", "--json", tmp_path / "record.json")
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "record.json").read_text())
    first, second = record["inference"]
    assert {r["name"].split()[0] for r in first["rows"]} == {"pysnn", "jelly", "torch", "products"} and first["peer"].startswith("jelly")
    assert len(second["rows"]) == 4 and all(r["went_on"] for r in second["rows"])
    assert np.mean(second["activity_by_layer"]) > 1.3 * np.mean(first["activity_by_layer"]) > 0.1
    assert all(r["s"] > 0 and r["ratio"] > 0 for s in (first, second, record["relu"]) for r in s["rows"])
    assert len(record["relu"]["checks"]) == 2 and record["relu"]["peer"].startswith("torch")
    assert {m["name"] for m in record["memory"]} >= {"pysnn", "jelly m"} and all(m["peak_mib"] > 0 for m in record["memory"])
    assert record["growth"] and {"torch", "spikingjelly", "snntorch", "engine"} <= set(record["versions"])
    for row in first["rows"]:
        assert row["what"] in done.stdout


@pytest.mark.frameworks
def test_quick_deep_benchmark(tmp_path):
    """pysnn and PyTorch have the same gradients, and all contenders are recorded."""
    if importlib.util.find_spec("torch") is None:
        (pytest.fail if os.environ.get("CI", "").lower() == "true" else pytest.skip)("PyTorch is not installed")
    done = run(BENCHMARKS / "deep.py", "--quick", "--json", tmp_path / "record.json")
    assert done.returncode == 0, done.stderr
    (section,) = json.loads((tmp_path / "record.json").read_text())["sections"]
    assert [c["peer"] for c in section["checks"]] == ["torch", "torch last"] and section["peer"].startswith("torch")
    assert {row["name"] for row in section["rows"]} == {"spiking", "ReLU", "torch", "torch last", "products"}
    assert all(row["s"] > 0 and row["peak_mib"] > 0 for row in section["rows"]) and section["limit"]["spiking"] > section["limit"]["ReLU"]


@pytest.mark.frameworks
def test_quick_time_benchmark(tmp_path):
    """pysnn has the gradients of snnTorch, SpikingJelly and Norse, and all contenders are recorded."""
    if importlib.util.find_spec("torch") is None:
        (pytest.fail if os.environ.get("CI", "").lower() == "true" else pytest.skip)("PyTorch is not installed")
    done = run(BENCHMARKS / "time.py", "--quick", "--json", tmp_path / "record.json")
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "record.json").read_text())
    assert [s["name"] for s in record["sections"]] == ["tutorial", "speech"] and len(record["growth"]) == 2
    for section in record["sections"]:
        assert {c["peer"].split()[0] for c in section["checks"]} == {"snn", "jelly", "norse"}
        assert all(c["rate"] > 0 for c in section["checks"]) and "hoisted" in section["hoisted"] and "hoisted" not in section["peer"]
        assert {row["name"] for row in section["rows"]} >= {"pysnn", "products", section["peer"], section["hoisted"]}
        assert min(section["times_faster"], section["times_faster_hoisted"], section["bytes_needed"], *section["limit"].values()) > 0


@pytest.mark.frameworks
def test_quick_event_prop_benchmark(tmp_path):
    """pysnn has the spikes and gradients of the public codes, and all contenders are recorded; jaxsnn where its environment is."""
    missing = [name for name in ("torch", "exact_event_adjoint", "exact_snn") if importlib.util.find_spec(name) is None]
    if missing:
        (pytest.fail if os.environ.get("CI", "").lower() == "true" else pytest.skip)(f"not installed: {missing}")
    done = run(BENCHMARKS / "event_prop.py", "--quick", "--json", tmp_path / "record.json")
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "record.json").read_text())
    jaxsnn = {"jaxsnn"} if (ROOT / ".venv-jax/bin/python").is_file() else set()
    for section, own in zip(record["sections"], ({"pysnn", "preset"}, {"pysnn"}), strict=True):
        peers = {"adjoint"} | ({"exact-snn"} if section["name"] == "one" else jaxsnn)
        assert {r["name"] for r in section["rows"]} == own | peers and {c["peer"] for c in section["checks"]} == peers
        assert bool(section["left_out"]) == (not jaxsnn) and section["fastest"] in peers
        assert all(r["s"] > 0 and r["ratio"] > 0 and r["what"] in done.stdout for r in section["rows"])
        assert all(c["hidden_spikes"] > 0 and c["samples"] > 0 for c in section["checks"])
    assert {"torch", "exact-event-adjoint", "exact-snn-nn", *jaxsnn} <= set(record["versions"])
