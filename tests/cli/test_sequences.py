"""Sequences on the command line: time series of the user's own and generated ones, trained, evaluated, drawn, refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from pysnn import cli, datasets, training
from tests.cases.command import strict_json

TRAIN = "train surrogate --data Waves_TRAIN.ts --backend reference --epochs 2 --model 2-6d-R0.9-2d-I0.9 --val 2 --quiet"


def ts(n, seed):
    """Write n series of two dimensions and 3 to 6 steps as .ts."""
    rng = np.random.default_rng(seed)
    lines = ["@dimensions 2", "@classLabel true up down", "@data"]
    for k in range(n):
        x = rng.normal(size=(2, rng.integers(3, 7))).round(3)
        lines.append(":".join([*(",".join(map(str, row)) for row in x), ("up", "down")[k % 2]]))
    return "\n".join(lines)


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """Stand in a folder with a training and a test file."""
    monkeypatch.chdir(tmp_path)
    Path("Waves_TRAIN.ts").write_text(ts(12, 0))
    Path("Waves_TEST.ts").write_text(ts(8, 1))
    return tmp_path


def test_series_of_the_users_own_from_training_to_figures(capsys):
    pytest.importorskip("matplotlib")
    assert cli.main([*TRAIN.split(), "--json", "t.json"]) == 0
    result = strict_json(Path("t.json").read_text())
    assert result["checkpoint"] == "runs/surrogate-Waves.npz" and result["settings"]["input"] == "steps" and len(result["records"]) == 2
    assert result["settings"]["n_steps"] == 6 and result["settings"]["batch"] == 20
    capsys.readouterr()
    assert cli.main(["evaluate", result["checkpoint"], "--json", "e.json"]) == 0
    said, got, data = capsys.readouterr().out, strict_json(Path("e.json").read_text()), datasets.load("Waves_TEST.ts")
    assert "time steps on average" in said and "a neuron and step" in said and "additions of weights by spikes" in said
    assert got["n_steps"] == data.lengths_test.mean() and got["multiply_adds"] == pytest.approx(12 * got["n_steps"])
    assert got["accuracy"] == result["test"]["expected"] and got["additions"] == pytest.approx([got["spikes"][0] * 8])
    assert cli.main(["info", result["checkpoint"]]) == 0 and "w_rec1" in capsys.readouterr().out
    assert cli.main(["plot", "all", result["checkpoint"]]) == 0
    assert sorted(p.stem for p in Path("figures").iterdir()) == ["confusion", "curves", "potentials", "raster"]
    assert cli.main("plot leaky --times 1 1 4 --weights 0.5 0.6 -1 --beta 0.5 --out one.svg".split()) == 0 and Path("one.svg").is_file()


def test_more_epochs_give_the_bits_of_a_run_without_a_stop():
    assert cli.main(TRAIN.split()) == 0
    whole = training.load("runs/surrogate-Waves.npz").nets.net.params
    run = training.start("surrogate", training.load("runs/surrogate-Waves.npz").nets.settings, 0,
                         {"name": "Waves_TRAIN.ts", "n_val": 2, "split_seed": 0})
    parts = datasets.held_out(datasets.load("Waves_TRAIN.ts"), 2)
    for _ in training.epochs(run, *parts):
        training.save(run, "half.npz")
        break
    assert cli.main([*TRAIN.split(), "--resume", "--out", "half.npz"]) == 0
    assert all(np.array_equal(w, whole[name]) for name, w in training.load("half.npz").nets.net.params.items()) and len(whole) == 3


def test_series_are_read_by_either_name():
    for name in ("Waves_TRAIN.ts", "./Waves_TEST.ts", "Waves.ts"):
        data = datasets.load(name)
        assert (data.name, data.kind, data.classes, len(data.x_train), len(data.x_test)) == ("Waves", "sequence", ("up", "down"), 12, 8)
        assert data.x_train.shape[1:] == data.x_test.shape[1:] == (6, 2) and data.test[0].lengths.min() >= 3


def test_a_set_of_the_users_own_needs_no_settings(capsys):
    Path("mine.py").write_text("import numpy as np\nfrom pysnn.datasets import Dataset\n"
                               "x, y = np.arange(24.0, dtype='f4').reshape(4, 3, 2), np.arange(4) % 2\n"
                               "data = Dataset('mine', 'sequence', x, y, x, y, ('a', 'b'))\n")
    assert cli.main("train surrogate --data mine.py:data --backend reference --epochs 1 --val 0 --out a.npz".split()) == 0
    assert training.load("a.npz").nets.settings.model == "2-128d-R0.9-2d-I0.9" and "over 3 steps" in capsys.readouterr().out
    assert cli.main("evaluate a.npz".split()) == 0


def test_spike_trains_take_additions(monkeypatch):
    data = datasets.Dataset("few", "sequence", np.ones((4, 5, 3), np.uint8), np.arange(4) % 2, np.ones((2, 5, 3), np.uint8), np.arange(2),
                            ("a", "b"))
    monkeypatch.setattr(datasets, "load", lambda *args: data)
    assert cli.main("train surrogate --data randman --backend reference --epochs 1 --val 0 --model 3-4d-L0.9-2d-I0.9 --steps 5 "
                    "--quiet --out a.npz".split()) == 0
    assert cli.main("evaluate a.npz --json e.json".split()) == 0
    got = json.loads(Path("e.json").read_text())
    assert got["multiply_adds"] == 0 and got["additions"][0] == 5 * 3 * 4
