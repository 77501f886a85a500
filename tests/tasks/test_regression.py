"""Regression, energy, figures for papers, and the ten lines from a file to a report."""

import json
import runpy
import sys

import numpy as np
import pytest

from pysnn import cli, data, evaluation, figures, learning, plots, training
from pysnn.evaluation import rate as evaluation_rate
from pysnn.evaluation import temporal as of_times
from pysnn.learning import surrogate, temporal
from tests.cases import ROOT, tasks

RNG = np.random.default_rng(0)
X = RNG.uniform(-1, 1, (150, 3))
Y = 20 + 7 * X[:, 0] * X[:, 1] + X[:, 2]


def numbers(folder):
    return {"x": X, "y": Y}


def table(folder):
    labels = np.where(X[:, 0] + X[:, 2] > 0, "high", "low")
    lines = [",".join([*map(repr, row), label, repr(y)]) for row, label, y in zip(X.tolist(), labels, Y.tolist(), strict=True)]
    (folder / "my.csv").write_text("\n".join(["a,b,c,label,y", *lines]))


def trained(folder):
    pytest.importorskip("matplotlib")
    own = data.from_arrays(X, Y > 20)
    run = training.start("proxy", learning.METHODS["proxy"].settings_for(own, epochs=2, backend="reference"))
    list(training.epochs(run, *data.held_out(own)))
    return {"run": run, "own": own}


REGRESSION = """
own = data.from_arrays(x, y)
run = training.start("{0}", {0}.settings_for(own, epochs=8))
list(training.epochs(run, *data.held_out(own)))
found = own.unscaled(run.rule.values(run.nets.settings, run.rule.predict(run.nets, own.scaled(x))))
"""
TASKS = {   # what makes the data, at most so many lines, the lines, what must hold
    "regression target, spike times": (numbers, 4, REGRESSION.format("temporal"), lambda s: s["found"].shape == (150, 1)
                                       and s["run"].records[-1]["val_r2"] > 0),
    "regression target, leaky neurons": (numbers, 4, REGRESSION.format("surrogate"), lambda s: 10 < s["found"].mean() < 30
                                         and s["run"].records[-1]["val_r2"] > 0.3),
    "spikes, additions, energy": (trained, 1, """
e = evaluation_rate.evaluate(run.nets, *own.test); joules = evaluation.energy(e["additions"], e["multiply_adds"][0])
""", lambda s: s["e"]["spikes"][0] > 0 and 0 < s["joules"] < 1e-6),
    "3.35 inch PDF figure": (trained, 1, """
plots.save(figures.draw("curves", run, None, look=plots.Look("paper", 3.35, 2.5)), "fig.pdf")
""", lambda s: b"/MediaBox [ 0 0 241.2 180 ]" in (s["folder"] / "fig.pdf").read_bytes()),
    "ten lines from CSV to report": (table, 10, """
own = data.from_csv("my.csv", "label")
run = training.start("temporal", temporal.settings_for(own, epochs=8), seed=0)
records = list(training.epochs(run, *data.held_out(own)))
cost = of_times.activity(run.nets, own.x_test)
report = {"test": run.rule.score(run.nets, *own.test).expected, "validation": records[-1]["val_accuracy"], "spikes": sum(cost["spikes"]),
          "joules": evaluation.energy(cost["additions"], 0)}
plots.save(figures.draw("curves", run, None, look=plots.Look("paper", 3.35, 2.5)), "fig.pdf")
training.save(run, "run.npz")
print(report)
""", lambda s: s["report"]["test"] > 0.6 and s["report"]["joules"] > 0),
}


@pytest.mark.parametrize("task", TASKS)
def test_task(task, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make, most, code, holds = TASKS[task]
    space = {"np": np, "data": data, "training": training, "temporal": temporal, "surrogate": surrogate, "evaluation": evaluation,
             "evaluation_rate": evaluation_rate, "of_times": of_times, "figures": figures, "plots": plots, **(make(tmp_path) or {})}
    space = tasks.run(task, most, code, space) | {"folder": tmp_path}
    assert holds(space)


def test_the_same_by_the_command_line(tmp_path, monkeypatch):
    """A regression is asked for by its column; the numbers of the checkpoint are those of Python."""
    monkeypatch.chdir(tmp_path)
    lines = [",".join(map(repr, [*row, y])) for row, y in zip(X.tolist(), Y.tolist(), strict=True)]
    (tmp_path / "my.csv").write_text("\n".join(["a,b,c,y", *lines]))
    assert cli.main(["train", "temporal", "--data", "my.csv", "--target", "y", "--epochs", "3", "--json", "t.json", "--quiet"]) == 0
    assert cli.main(["evaluate", "runs/temporal-my.csv.npz", "--json", "e.json"]) == 0
    test, found = (json.loads((tmp_path / name).read_text()) for name in ("t.json", "e.json"))
    own = data.from_csv("my.csv", "y")
    run = training.start("temporal", temporal.settings_for(own, epochs=3))
    list(training.epochs(run, *data.held_out(own)))
    assert test["test"]["r2"] == found["r2"] == run.rule.score(run.nets, *own.test).r2 and found["n"] == 30
    again = ["train", "temporal", "--data", "my.csv", "--target", "y", "--epochs", "3", "--resume", "--quiet"]
    assert cli.main(again) == 0
    assert cli.main(["plot", "targets", "runs/temporal-my.csv.npz", "--out", "t.svg"]) == 0 and (tmp_path / "t.svg").is_file()
    for wrong in (["plot", "confusion", "runs/temporal-my.csv.npz"], ["compare", "--data", "my.csv", "--target", "y"],
                  ["train", "temporal", "--data", "xor", "--regression"]):
        assert cli.main(wrong) != 0


def test_the_example_has_ten_lines(tmp_path, monkeypatch):
    text = (ROOT / "examples/12_ten_lines.py").read_text()
    cell = text.split("# The ten lines.\n")[1].split("\n# %%")[0].strip()
    assert len(cell.splitlines()) <= 10
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    table(tmp_path)
    (tmp_path / "my.csv").write_text("\n".join(line.rpartition(",")[0] for line in (tmp_path / "my.csv").read_text().splitlines()))
    monkeypatch.setattr(sys, "argv", ["12_ten_lines.py", "temporal", "my.csv", "label", "0"])
    report = runpy.run_path(str(ROOT / "examples/12_ten_lines.py"))["report"]
    assert report["test"] > 0.75 and (tmp_path / "figures/ten-lines.svg").is_file()
