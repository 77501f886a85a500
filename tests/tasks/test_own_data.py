"""Data of your own, in a few lines."""

import numpy as np
import pytest

from pysnn import data, training
from pysnn.conventions import Sequences
from pysnn.datasets import series
from pysnn.learning import proxy, surrogate, temporal
from tests.cases import tasks

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(60, 4)), np.array(["no", "yes", "perhaps"])[np.arange(60) % 3]
QUICK = {"epochs": 1, "backend": "reference"}       # what makes the tests short


def table(folder):
    rows = [",".join([*map(repr, row), label]) for row, label in zip(X.tolist(), Y, strict=True)]
    (folder / "my.csv").write_text("\n".join(["a,b,c,d,label", *rows]))


def frames(folder):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcd")).assign(label=Y)
    return {"frame": frame, "validation": frame[frame.label != "perhaps"][:10]}


def photos(folder):
    image = pytest.importorskip("PIL.Image")
    for name in ("cat", "dog"):
        (folder / "photos" / name).mkdir(parents=True)
        for k in range(12):
            image.fromarray(RNG.integers(0, 256, (9, 9)).astype(np.uint8)).save(folder / "photos" / name / f"{k}.png")


def floats(folder):
    np.savez(folder / "my.npz", x=RNG.uniform(0, 1, (24, 32, 32, 3)).astype(np.float32), y=np.arange(24) % 3)


def mapped(folder):
    np.save(folder / "x.npy", RNG.integers(0, 256, (300, 784), dtype=np.uint8))
    np.save(folder / "y.npy", np.arange(300) % 10)


def events(folder):
    times = np.sort(RNG.uniform(0, 0.5, (30, 8)))
    return {"samples": [(t, RNG.integers(0, 6, 8)) for t in times], "y": np.arange(30) % 2}


def trains(folder):
    return {"spikes": RNG.integers(0, 2, (7, 30, 5)).astype(np.uint8), "lengths": np.arange(30) % 4 + 4, "y": np.arange(30) % 3}


def ts(folder):
    lines = [",".join(map(str, row)) + f":{k % 2}" for k, row in enumerate(RNG.normal(size=(12, 6)).round(3))]
    for part in ("TRAIN", "TEST"):
        (folder / f"My_{part}.ts").write_text("\n".join(["@dimensions 1", "@classLabel true 0 1", "@data", *lines]))
    assert len(series.read_ts(folder / "My_TEST.ts").y) == 12


def arrays(folder):
    return {"x": X, "y": Y, "x_val": X[:12], "y_val": Y[:12], "weight": RNG.uniform(0, 2, 44)}


FIT = """
run = training.start("{0}", {0}.settings_for(own))
list(training.epochs(run, *data.held_out(own)))
"""
TASKS = {   # what makes the data, at most so many lines, the lines
    "CSV with header": (table, 3, 'own = data.from_csv("my.csv", target="label")' + FIT.format("temporal")),
    "frame with text labels, a class missing in validation": (
        frames, 3, 'own = data.from_frame(frame, "label", val=validation)' + FIT.format("temporal")),
    "PNG folder by class": (photos, 3, 'own = data.from_folder("photos")' + FIT.format("proxy")),
    "NPZ of float images 32x32x3": (floats, 3, 'own = data.from_npz("my.npz")' + FIT.format("proxy")),
    "memory-mapped": (mapped, 4, 'own = data.from_arrays(np.load("x.npy", mmap_mode="r"), np.load("y.npy"))' + FIT.format("temporal")),
    "events with timestamps": (events, 5, "own = data.from_events(samples, y, steps=20)" + FIT.format("surrogate")),
    "spike trains (T, B, n) of different lengths": (
        trains, 5, "own = data.from_series(Sequences(spikes.swapaxes(0, 1), lengths), y)" + FIT.format("surrogate")),
    "time series from .ts files": (ts, 3, 'own = data.load("My_TRAIN.ts")' + FIT.format("surrogate")),
    "unequal classes with class weights": (arrays, 4, """
own = data.from_arrays(x, y)
run = training.start("temporal", temporal.settings_for(own, class_weight="balanced"))
list(training.epochs(run, *data.held_out(own)))
"""),
    "own validation set": (arrays, 3, "own = data.from_arrays(x, y, val=(x_val, y_val))" + FIT.format("temporal")),
    "sample weights": (arrays, 4, """
own = data.from_arrays(x, y)
run = training.start("temporal", temporal.settings_for(own))
list(training.epochs(run, *data.held_out(own), sample_weight=weight))
"""),
}


class Quick:
    """A learning rule whose settings let a run be short."""

    def __init__(self, rule):
        self.rule = rule

    def settings_for(self, own, **chosen):
        return self.rule.settings_for(own, **chosen, **QUICK)


@pytest.mark.parametrize("task", TASKS)
def test_task(task, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make, most, code = TASKS[task]
    space = {"np": np, "data": data, "training": training, "Sequences": Sequences, **(make(tmp_path) or {}),
             **{name: Quick(rule) for name, rule in (("temporal", temporal), ("proxy", proxy), ("surrogate", surrogate))}}
    tasks.run(task, most, code, space)
    run, own = space["run"], space["own"]
    assert run.epoch == 1 and "val_accuracy" in run.records[0] and len(own.y_train) > 0
