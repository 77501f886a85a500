"""The command line on files of users' own: train, resume, evaluate, info and plot; what a checkpoint says of its data."""

from pathlib import Path

import numpy as np
import pytest

from pysnn import checkpoint, cli, datasets, training
from tests.cases.command import Guarded, weights

RNG = np.random.default_rng(0)
QUICK = ["--backend", "reference", "--epochs", "2"]
TRAIN = ["train", "temporal", "--data", "my.csv", "--target", "kind", *QUICK, "--out", "own.npz"]


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """Let each test stand in a folder with data of its own."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "my.csv", 60)
    write(tmp_path / "new.csv", 20)
    return tmp_path


def write(path, n, separator=","):
    kinds = np.array(["a", "b", "a", "a"])[np.arange(n) % 4]
    x = RNG.normal(size=(n, 2)) + 3 * (kinds == "b")[:, None]
    lines = [separator.join([f"{u:.3f}", kind, f"{v:.3f}"]) for (u, v), kind in zip(x, kinds, strict=True)]
    path.write_text("\n".join([separator.join(["u", "kind", "v"]), *lines]))


def test_train_resume_evaluate_info_and_plot(capsys):
    assert cli.main(TRAIN) == 0
    out = capsys.readouterr().out
    assert "my.csv: points, 2; 44 training, 4 validation, 12 test samples; 2 classes in training: a 33, b 11; unequal classes" in out
    known = training.load("own.npz").data
    assert known["name"] == "my.csv" and known["target"] == "kind" and known["classes"] == ["a", "b"]
    assert len(known["sha256"]["my.csv"]) == 64
    settings = training.load("own.npz").nets.settings
    assert str(settings.model) == "2-100-2" and settings.class_weight == "balanced" and settings.code == "latency"
    bits = weights("own.npz")
    assert cli.main([*TRAIN, "--resume"]) == 0 and weights("own.npz") == bits
    assert cli.main(["evaluate", "own.npz"]) == 0 and "own.npz on my.csv, 12 test samples" in capsys.readouterr().out
    assert cli.main(["evaluate", "own.npz", "--test-data", "new.csv"]) == 0 and "20 test samples" in capsys.readouterr().out
    assert cli.main(["info", "own.npz"]) == 0
    out = capsys.readouterr().out
    assert f"data my.csv, SHA-256 {known['sha256']['my.csv']}" in out and "classes a, b, in column kind" in out
    assert cli.main(["plot", "confusion", "own.npz", "--out", "confusion.png"]) == 0 and "confusion.png" in capsys.readouterr().out


def test_a_kill_and_a_resume_give_the_same_bits(capsys):
    assert cli.main(TRAIN) == 0
    bits, header = weights("own.npz"), checkpoint.read("own.npz")[0]
    run = training.load("own.npz")
    start = training.start("temporal", run.nets.settings, 0, header["data"])
    data = datasets.load("my.csv", target="kind")
    next(training.epochs(start, *datasets.held_out(data)))
    training.save(start, "own.npz")
    assert cli.main([*TRAIN, "--resume"]) == 0 and weights("own.npz") == bits and "continuing after epoch 1 of 2" in capsys.readouterr().out


def test_changed_data_are_not_taken_silently(capsys, place):
    assert cli.main(TRAIN) == 0
    write(place / "my.csv", 40)
    capsys.readouterr()
    assert cli.main(["evaluate", "own.npz"]) == 1 and "got data that have changed" in capsys.readouterr().err
    assert cli.main([*TRAIN, "--resume"]) == 1 and "own.npz: differs from this command (sha256 " in capsys.readouterr().err
    assert cli.main(["evaluate", "own.npz", "--data", "my.csv"]) == 0 and "8 test samples" in capsys.readouterr().out


def test_given_test_data_and_numbers_of_samples(capsys):
    assert cli.main([*TRAIN, "--test-data", "new.csv", "--val", "6", "--no-test"]) == 0
    assert "54 training, 6 validation, 20 test samples" in capsys.readouterr().out
    assert set(training.load("own.npz").data["sha256"]) == {"my.csv", "new.csv"}
    assert cli.main(["evaluate", "own.npz"]) == 0 and "20 test samples" in capsys.readouterr().out
    assert cli.main([*TRAIN, "--val", "0", "--out", "none.npz"]) == 0 and "48 training, 0 validation" in capsys.readouterr().out
    assert "val_accuracy" not in training.load("none.npz").records[-1]


def test_the_test_part_is_not_touched_with_no_test(monkeypatch):
    guarded = Guarded(datasets.load("my.csv", target="kind"))
    monkeypatch.setattr(datasets, "load", lambda *args: guarded)
    assert cli.main([*TRAIN, "--no-test"]) == 0 and guarded.n_taken == 0


def test_folder_of_images_and_arrays(capsys, place):
    image = pytest.importorskip("PIL.Image")
    x = RNG.integers(0, 256, (24, 8, 8)).astype(np.uint8)
    for k, pixels in enumerate(x):
        (place / "photos" / "ab"[k % 2]).mkdir(parents=True, exist_ok=True)
        image.fromarray(pixels).save(place / "photos" / "ab"[k % 2] / f"{k}.png")
    np.savez("arrays.npz", x=x, y=np.arange(24) % 2)
    assert cli.main(["train", "ann", "--data", "photos", *QUICK]) == 0
    out = capsys.readouterr().out
    assert "photos: image, 8 x 8; 17 training, 2 validation, 5 test samples" in out and "checkpoint: runs/ann-photos.npz" in out
    run = training.load("runs/ann-photos.npz")
    assert run.data["name"] == "photos/" and str(run.nets.settings.model) == "8x8x1-16C3-P2-16C3-P2-100-2"
    assert cli.main(["evaluate", "runs/ann-photos.npz"]) == 0 and "on photos, 5 test samples" in capsys.readouterr().out
    (place / "photos" / "a" / "0.png").write_bytes((place / "photos" / "a" / "2.png").read_bytes())
    assert cli.main(["evaluate", "runs/ann-photos.npz"]) == 1 and "photos/: expected the data that" in capsys.readouterr().err
    assert cli.main(["train", "temporal", "--data", "arrays.npz", *QUICK, "--quiet"]) == 0
    assert "checkpoint: runs/temporal-arrays.npz.npz" in capsys.readouterr().out


def test_compare(capsys):
    command = ["compare", "--data", "my.csv", "--target", "kind", "--methods", "ann", "--model", "2-4-2", "--seeds", "1", *QUICK, "--quiet"]
    assert cli.main(command) == 0 and "ann" in capsys.readouterr().out
    assert training.load("runs/compare-my.csv/ann-seed0.npz").data["target"] == "kind"


@pytest.mark.parametrize("change", [{"sha256": {"my.csv": 5}}, {"classes": "ab"}, {"target": 3}, {"sha256": ["a"]}, {"test": 1.5}])
def test_a_record_of_data_of_another_type_is_refused(capsys, change):
    assert cli.main(TRAIN) == 0
    header, arrays = checkpoint.read("own.npz")
    checkpoint.write("bad.npz", {**header, "data": {**header["data"], **change}}, arrays)
    capsys.readouterr()
    assert cli.main(["evaluate", "bad.npz"]) == 1 and "data: expected a record of names" in capsys.readouterr().err
    checkpoint.write("wild.npz", {**header, "data": {**header["data"], "classes": ["a\x1b[2J"]}}, arrays)
    assert cli.main(["info", "wild.npz"]) == 1 and "expected printable words" in capsys.readouterr().err


# ---- patience, more epochs, weights of another run

def test_patience_and_more_epochs(capsys):
    line = [*TRAIN, "--val", "20", "--epochs", "9", "--set", "patience=2", "--quiet"]
    assert cli.main(line) == 0
    run = training.load("own.npz")
    end, best = run.epoch, run.records[-1]["best_epoch"]
    out = capsys.readouterr().out
    assert end == training.ended(run) and (f"after epoch {end}; these are the weights of epoch {best}" in out) == (end != best)
    assert f"validation accuracy {run.records[best - 1]['val_accuracy']:.2%}" in out
    for _ in range(2):                                                   # the second time nothing is left to do
        assert cli.main([*line, "--resume", "--more", "2"]) == 0 and training.load("own.npz").epoch == end + 2
    bits = weights("own.npz")
    assert cli.main([*line, "--out", "b.npz", "--resume", "--more", "2"]) == 0 and weights("b.npz") == bits


def test_weights_of_another_checkpoint(capsys):
    assert cli.main(TRAIN) == 0
    rows = (Path("my.csv").read_text().splitlines())
    Path("three.csv").write_text("\n".join([rows[0], *(row.replace(",b,", ",c,") if k % 3 else row for k, row in enumerate(rows[1:]))]))
    line = ["train", "temporal", "--data", "three.csv", "--target", "kind", "--weights", "own.npz", "--set", "freeze=w1", "--out", "c.npz"]
    assert cli.main([*line, "--epochs", "1"]) == 0
    old, run = training.load("own.npz"), training.load("c.npz")
    assert run.nets.net.params["w2"].shape[1] == 3 and (run.nets.net.params["w1"] == old.nets.net.params["w1"]).all()
    assert run.nets.settings.epochs == 1 and run.nets.settings.backend == "reference" and run.data["weights"]
    assert cli.main([*line, "--epochs", "1", "--resume"]) == 0


@pytest.mark.parametrize("more, said", [
    (["--more", "2"], "--more: expected --resume, too"), (["--weights", "nothing.npz"], "no checkpoint nothing.npz"),
    (["--weights", "fashion-proxy"], "--weights: expected no preset, and the method of fashion-proxy, proxy, got temporal"),
    (["--weights", "mnist"], "model: expected 2-...-2 for my.csv, got 784-800-2"),
    (["--set", "freeze=w9"], "freeze: expected some of w1, w2"), (["--set", 'l2={"w9": 1}'], "l2: expected some of w1, w2, got 'w9'"),
    (["--set", "patience=1", "--val", "0"], "patience: expected validation"),
])
def test_bad_beginnings(more, said, capsys):
    assert cli.main([*TRAIN, *more]) == 1
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
