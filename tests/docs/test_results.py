"""The tables are those of the records, and the networks that ship re-evaluate to theirs."""

import importlib.util
import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from pysnn import checkpoint, datasets, training
from pysnn.learning import temporal
from tests.cases import ROOT

RESULTS = ROOT / "docs/results"
SHIPPED = {"mnist": ("mnist", "mnist-still"), "fashion-mnist": ("fashion-mnist", "fashion-ours"),
           "fashion-proxy": ("fashion-mnist", "proxy-fashion-mnist"), "fashion-fast": ("fashion-mnist", "deep"),
           "cifar-fast": ("cifar10", "deep"), "cifar-temporal": ("cifar10", "cifar10-conv")}
BESIDE = {"mnist-relu": ("mnist", "bridge"), "fashion-relu": ("fashion-mnist", "bridge"),          # not in the package: in docs/results
          "fashion-temporal": ("fashion-mnist", "fashion-conv-three")}
# what BLAS kernels of another machine, and weights as float16, may cost; a rounding can move a spike, and a spike decides ties
MACHINE, FLOAT16 = {"temporal": 2e-4, "proxy": 1e-3, "ann": 2e-4}, {"temporal": 1e-3, "proxy": 2e-3, "ann": 5e-4}
MODELS = {"mnist": "784-800-10", "fashion-mnist": "784-800-10", "fashion-proxy": "fashion-proxy:32",
          "fashion-fast": "fashion-fast", "cifar-fast": "cifar-fast", "cifar-temporal": "32x32x6-48c3-N-P2-96c3-N-P2-192c3-N-P2-10"}


def script(name):
    spec = importlib.util.spec_from_file_location(name, RESULTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tables():
    return script("tables")


def test_the_newcomers_lines_are_those_of_the_readme():
    record = json.loads((RESULTS / "newcomer.json").read_text())
    assert script("newcomer").lines() == [step["line"] for step in record["steps"]]
    assert sum(step["seconds"] for step in record["steps"]) == pytest.approx(record["seconds"]) and record["seconds"] < 900


def test_tables_are_those_of_the_records():
    assert tables().main(check=True) == 0


def test_a_changed_record_changes_the_table(monkeypatch):
    module = tables()
    record = module.load("mnist-ours")
    before = module.accuracy()
    record["runs"][0]["test"]["expected"] -= 0.05
    monkeypatch.setattr(module, "load", lambda name: record if name == "mnist-ours" else None)
    assert module.accuracy()[2] != before[2]


def test_ten_lines_on_five_data_sets():
    """Each set is learnt, in Python and by the command line, and near the better of the two others in the mean of three seeds."""
    record = json.loads((RESULTS / "ten-lines.json").read_text())
    assert [row["data"] for row in record["rows"]] == list(script("ten_lines").SETS) and record["seeds"] == list(range(3))
    for row in record["rows"]:
        others = max(np.mean([run[name] for run in row["runs"]]) for name in ("logistic", "mlp"))
        assert np.mean([run["report"]["test"] for run in row["runs"]]) > others - 0.06
        assert all(run["report"]["joules"] > 0 and run["report"]["spikes"] > 0 for run in row["runs"])
        assert row["data"] == "BasicMotions" or row["runs"][0]["command"] == row["runs"][0]["report"]["test"]


def test_defaults_on_real_data():
    """Ten sets, 4 to 1,460 features: nothing at chance, and near the tuned rate; surrogate learning at 8 to 128 steps."""
    record = json.loads((RESULTS / "real.json").read_text())
    for kind in ("proxy", "temporal"):
        rows = record[kind]
        assert len(rows) == 10 and rows[0]["n_features"] == 4 and rows[-1]["n_features"] == 1460
        for row in rows:
            default, tuned = (sum(run["test"] for run in runs) / len(runs) for runs in (row["runs"], row["tuned"]["runs"]))
            assert default > row["largest_class"] + 0.2 and default > tuned - 0.03 - 1 / row["n_test"], row["data"]
            assert all(run["warnings"] == [] for run in row["runs"])
    for row in record["steps"]["surrogate"]:
        tries = [row[name]["val_accuracy"] for name in ("lr 0.0003", "lr 0.003")]
        assert row["preset"]["val_accuracy"] > max(0.7, *tries) - 0.03 and not row["preset"]["warning"]
    assert [row["n_steps"] for row in record["steps"]["surrogate"]] == [8, 16, 32, 64, 128]


def test_the_comparison_is_on_equal_terms():
    fair = script("fair")
    listed = fair.runs({line: fair.TRIES[0] for line in fair.LINES})
    assert len({job.name for _, job in listed}) == len(listed) == 3 * (3 + 6 * len(fair.STEPS))
    for line, job in listed:
        own, settings = fair.LINES[line][1], job.settings.plain()
        assert all(settings[name] == value for name, value in {**fair.EQUAL, **own, **fair.TRIES[0]}.items() if name in settings)


def test_only_the_ceiling_keeps_the_rates_of_tandem_learning():
    runs, first, last = json.loads((RESULTS / "tandem.json").read_text())["runs"], {}, {}
    for run in runs:
        first.setdefault(run["name"], []).append(run["records"][0]["rates"][:6])
        last.setdefault(run["name"], []).append(run["records"][-1]["rates"][:6])
    assert {len(seeds) for seeds in last.values()} == {2} and len(runs[0]["records"]) == 8
    top = {name: np.mean(rates, axis=0).max() for name, rates in last.items()}
    assert top.pop("ceiling") < np.mean(first["ceiling"], axis=0).max() < 0.4 and min(top.values()) > 0.475


def test_sweep_lost_nothing():
    record = json.loads((RESULTS / "sweep.json").read_text())
    assert record["runs"] == record["lines"] == sum(row["n_seeds"] for row in record["table"]) == 200
    assert record["killed_scheduler_at"] <= record["finished_before"] < 200 and record["killed_worker_at"] < record["killed_scheduler_at"]
    assert record["kept_untouched"] and record["same_bits_as_one_process"]


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.json")), ids=lambda p: p.stem)
def test_records_say_how_to_repeat_them(path):
    record = json.loads(path.read_text())
    assert {"command", "date", "versions", "cpu"} <= set(record)
    assert {"pysnn", "python", "numpy", "numba"} <= set(record["versions"])


def test_records_hold_all_that_their_rows_say():
    for name in (*tables().LABELS, *(name for name in tables().PROXY if tables().load(name))):
        for run in json.loads((RESULTS / f"{name}.json").read_text())["runs"]:
            assert run["epochs"] == len(run["records"]) == run["settings"]["epochs"]
            assert run["validation"] == run["records"][-1]["val_accuracy"]


def test_cifar10_begins_as_its_record(monkeypatch):
    """What `pysnn train temporal --data cifar10` does is the recorded recipe, whose code and disturbances are functions of record.py."""
    monkeypatch.chdir(RESULTS)
    monkeypatch.syspath_prepend(RESULTS)
    recorded = json.loads((RESULTS / "cifar10-conv.json").read_text())["runs"][0]["settings"]
    ours = temporal.settings_for("cifar10")
    theirs = temporal.Settings(**recorded)
    differ = {name for name in ours.plain() if ours.plain()[name] != theirs.plain()[name]}
    assert differ == {"code", "augment", "flip", "shift", "edge"}
    x = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
    a, b = (temporal.encode_batch(temporal.build(s, rng=np.random.default_rng(1)), x, np.random.default_rng(2)) for s in (ours, theirs))
    np.testing.assert_array_equal(a, b)


def test_shipped_networks():
    assert set(checkpoint.names()) == set(SHIPPED)
    for name in SHIPPED:
        run = training.load(name)
        assert run.nets.settings.model == MODELS[name] and run.rng is None
        if name.startswith("cifar"):
            continue                                                 # no sample of CIFAR-10 ships; see the next test
        x, y = datasets.load("fashion-sample")[4:6]
        accuracy = training.METHODS[run.method].score(run.nets, x[:300], y[:300]).expected
        assert (accuracy > 0.85) == (name != "mnist")                # the sample's test images are Fashion-MNIST's


@pytest.mark.data
@pytest.mark.parametrize("name", [*SHIPPED, *BESIDE])
def test_shipped_networks_re_evaluate_to_their_record(name):
    data_name, record_name = (SHIPPED | BESIDE)[name]
    datasets.fetch(data_name, progress=False)
    data = datasets.load(data_name)
    record = json.loads((RESULTS / f"shipped-{name}.json").read_text())
    run = training.load(RESULTS / f"{name}.npz" if name in BESIDE else name)
    found = training.METHODS[run.method].score(run.nets, data.x_test, data.y_test)
    assert found.expected == pytest.approx(record["test"]["expected"], abs=MACHINE[run.method])
    runs = json.loads((RESULTS / f"{record_name}.json").read_text())["runs"]
    full = next(r for r in runs if r.get("name", record["run"]) in (record["run"], record["run"][:-2]) and r["seed"] == record["seed"])
    before = full["test"]["expected"] if "test" in full else full["rows"][0]["accuracy"]             # of bridge: the ReLU network
    assert found.expected == pytest.approx(before, abs=FLOAT16[run.method])


@pytest.mark.slow
def test_wheel_is_small_and_whole(tmp_path):
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path, ROOT], check=True,
                   env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"})
    wheel = next(tmp_path.glob("*.whl"))
    assert wheel.stat().st_size < 16e6
    names = zipfile.ZipFile(wheel).namelist()
    assert {"pysnn/pretrained/mnist.npz", "pysnn/datasets/fashion_sample.npz", "pysnn/datasets/LICENSE-fashion-mnist"} <= set(names)
