"""Bad input: one clear line that says what was expected and what came, an exit code, and nothing lost.

Downloads that are cut off, run out of space or bring rubbish are in tests/datasets/test_datasets.py
(test_interrupted_or_full_leaves_nothing and its neighbours); damaged checkpoints byte by byte are in tests/learning/test_checkpoint.py.
"""

import errno
import json
import os
import secrets
import subprocess
import sys

import numpy as np
import pytest

from pysnn import _checks, checkpoint, cli, encode, losses, metrics, optim, training
from pysnn.conventions import Rule
from pysnn.datasets import Events, to_events, to_spikes, xor
from pysnn.learning import temporal
from pysnn.models import temporal_params
from pysnn.reference import activations, pooled_fire

XOR = "train temporal --data xor --set backend=reference --epochs 3 --lr 0.01 --quiet --no-test --out good.npz "
SAMPLE = "train temporal --set backend=reference --out good.npz "
RATE = "train {} --data xor --backend reference --epochs 1 --quiet --no-test --out rate.npz "
PROXY, ANN = RATE.format("proxy"), RATE.format("ann")
OWN = "train temporal --set backend=reference --epochs 1 --quiet --no-test --out new.npz "
COMPARE = "compare --data xor --backend reference --epochs 1 --seeds 1 --model 2-4-2 --methods ann proxy --steps 2 "

# What is typed, the exit code (1: an error, 2: wrong usage), and words that the message must have.
ROWS = [
    # options that argparse knows
    ("", 2, "arguments are required: VERB"),
    ("learn", 2, "invalid choice: 'learn'"),
    ("train proxy-free", 2, "invalid choice: 'proxy-free'"),
    (XOR + "--data nope", 2, "invalid choice: 'nope'", "fashion-sample"),
    (XOR + "--epochs -1", 2, "--epochs: expected a whole number, got '-1'"),
    (XOR + "--epochs ten", 2, "--epochs: expected a whole number, got 'ten'"),
    (XOR + "--batch 2.5", 2, "--batch: expected a whole number, got '2.5'"),
    (XOR + "--lr fast", 2, "--lr: invalid float value: 'fast'"),
    (XOR + "--backend torch", 2, "invalid choice: 'torch'"),
    (XOR + "--threads two", 2, "--threads: invalid int value: 'two'"),
    ("data fetch imagenet", 2, "invalid choice: 'imagenet'"),
    ("plot portrait good.npz", 2, "invalid choice: 'portrait'"),
    ("plot raster good.npz --sample -1", 2, "--sample: expected"),
    # settings
    (XOR + "--threads 0", 1, "threads: expected a whole number from 1 to 1024, got 0"),
    (XOR + "--lr nan", 1, "lr: expected a number from 1e-12 to 1000, got nan"),
    (XOR + "--lr 0", 1, "lr: expected a number from 1e-12", "got 0.0"),
    (XOR + "--batch 0", 1, "batch: expected a number from 1", "got 0"),
    (XOR + "--set drop_in=1.0", 1, "drop_in: expected a number from 0 to 0.99, got 1.0"),
    (XOR + "--set late=NaN", 1, "late: expected a number from 1.001", "got nan"),
    (XOR + "--set l2=-1", 1, "l2: expected a number from 0", "got -1"),
    (XOR + "--set jitter=much", 1, "jitter: expected a number", "got 'much'"),
    (XOR + "--set jitter=true", 1, "jitter: expected a number", "got True"),
    (XOR + "--set shift=1.5", 1, "shift: expected a whole number, got 1.5"),
    (XOR + "--set loss=mse", 1, "loss: expected one of t, z, squared, got 'mse'"),
    (XOR + "--set bias=yes", 1, "bias: expected true or false, got 'yes'"),
    (XOR + "--set bias=5", 1, "bias: expected true or false, got 5"),
    (XOR + "--set temperature=2", 1, "unknown setting 'temperature': expected one of model,"),
    (XOR + "--set temperature", 1, "--set: expected NAME=VALUE, got 'temperature'"),
    (XOR + "--model big", 1, "model: expected an input such as 784 or 28x28x1 and layers such as 32C3, P2, A2, 100, got 'big'"),
    (XOR + "--model 2-0-2", 1, "model: expected a dense layer such as 100", "got '0' in '2-0-2'"),
    (XOR + "--set model=7", 1, "model: expected an input such as 784", "got 7"),
    (XOR + "--model 784-30-10", 1, "model: expected 2-...-2 for xor, got 784-30-10"),
    (XOR + "--model 2-4-3", 1, "model: expected 2-...-2 for xor, got 2-4-3"),
    (SAMPLE + "--model 100-30-10", 1, "model: expected 784-...-10 for fashion-sample, got 100-30-10"),
    (XOR + "--model 2-99999999999-2", 1, "Unable to allocate"),
    (XOR + "--val 4", 1, "validation: expected 0 to 3 of the training samples, got 4"),
    (SAMPLE + "--val 6000", 1, "validation: expected 0 to 5999", "got 6000"),
    # data that are not there or not whole
    ("train temporal --data mnist --folder nowhere --out good.npz", 1, "there is no folder nowhere", "pysnn data fetch mnist"),
    ("train temporal --data mnist --folder cut --out good.npz", 1, "train-images-idx3-ubyte: expected", "truncated", "got 116"),
    ("train temporal --data mnist --folder text.txt --out good.npz", 1, "mnist cannot be loaded"),
    ("train temporal --data xor --folder cut --out good.npz", 1, "folder: expected None for xor", "got 'cut'"),
    ("evaluate good.npz --data mnist --folder nowhere", 1, "there is no folder nowhere"),
    ("data fetch", 1, "data fetch: expected a name, one of fashion-mnist, mnist, cifar10"),
    # data of your own
    (OWN + "--data none.csv --target y", 1, "none.csv: expected a file of yours, got none"),
    (OWN + "--data table.csv", 1, "target: expected the name of the column of the labels in table.csv, got none"),
    (OWN + "--data table.csv --target z", 1, "table.csv: expected a first line of names, each once, with the target 'z'"),
    (OWN + "--data hole.csv --target y", 1, "hole.csv, line 3, column b: expected a finite number, got none"),
    (OWN + "--data table.csv --target y --test-data other.csv", 1, "y of test: expected labels of the training part, no, yes, got 'maybe'"),
    (OWN + "--data table.csv --target y --test-data text.txt", 1, "text.txt: expected a line of names and then samples, got 1 lines"),
    (OWN + "--data table.csv --target y --val 12", 1, "val: expected a share from 0 to below 1, a number", "got int 12"),
    (OWN + "--data table.csv --target y --model 3-4-2", 1, "model: expected 2-...-2 for table.csv, got 3-4-2"),
    (OWN + "--data xor --target y", 1, "target: expected none for xor, which is no CSV file, NPZ file or folder, got 'y'"),
    (OWN + "--data xor --test-data table.csv", 1, "test: expected none for xor, which is no CSV file, NPZ file or folder, got 'table.csv'"),
    (OWN + "--data good.npz", 1, "good.npz: expected arrays x and y, got none"),
    (OWN + "--data photos/", 1, "photos/: expected a folder of images of yours, got none"),
    (OWN + "--data cut", 1, "cut: expected a folder of images for each class, got no folders"),
    ("evaluate own.npz", 1, "table.csv: expected the data that own.npz was trained on (SHA-256 000000000000...), got data"),
    ("evaluate gone.npz", 1, "gone.npz: was trained on gone.csv, which is not here: expected --data FILE"),
    ("evaluate own.npz --data other.csv", 1, "other.csv: expected the classes that own.npz was trained on, no, yes, got maybe, no, yes"),
    ("evaluate own.npz --data wide.csv", 1, "model: expected 3-...-2 for wide.csv, got 2-4-2"),
    # checkpoints
    ("evaluate nowhere.npz", 1, "no checkpoint nowhere.npz: expected a file, or a network that ships with pysnn"),
    ("evaluate cut", 1, "no checkpoint cut: expected a file"),
    ("evaluate text.txt", 1, "text.txt: expected a pysnn checkpoint, got a file that is damaged or of another kind"),
    ("evaluate empty.npz", 1, "empty.npz: expected a pysnn checkpoint"),
    ("evaluate array.npy", 1, "array.npy: expected a pysnn checkpoint"),
    ("evaluate half.npz", 1, "half.npz: expected a pysnn checkpoint, got a file that is damaged"),
    ("evaluate foreign.npz", 1, "foreign.npz: expected a pysnn checkpoint, got an archive of weights, bias"),
    ("evaluate other.npz", 1, "other.npz: expected a pysnn checkpoint, got an archive without its header"),
    ("evaluate pickled.npz", 1, "pickled.npz: expected a pysnn checkpoint", "Object arrays cannot be loaded when allow_pickle=False"),
    ("evaluate future.npz", 1, "future.npz: expected checkpoint version 1, got 99"),
    ("evaluate misfit.npz", 1, "misfit.npz: the checkpoint's parts do not fit together", "expected {'w1': (2, 4)", "got {'w1': (3, 3)"),
    ("evaluate nan.npz", 1, "nan.npz: the checkpoint's parts do not fit together: w1: expected finite numbers, got nan"),
    ("evaluate nameless.npz", 1, "nameless.npz: does not say which data it was trained on: expected --data NAME"),
    ("evaluate good.npz --data yin-yang", 1, "model: expected 4-...-3 for yin-yang, got 2-4-2"),
    ("info half.npz", 1, "half.npz: expected a pysnn checkpoint"),
    ("info misfit.npz", 1, "parts do not fit together"),
    ("plot raster half.npz", 1, "half.npz: expected a pysnn checkpoint"),
    # going on
    (XOR + "--resume --epochs 4", 1, "good.npz: differs from this command (epochs 3 there, 4 here)"),
    (XOR + "--resume --seed 1 --lr 0.5", 1, "seed 0 there, 1 here; lr 0.01 there, 0.5 here"),
    (XOR + "--resume --val 2", 1, "val 0 there, 2 here"),
    (SAMPLE + "--resume --model 784-3-10", 1, "data xor there, fashion-sample here", "model 2-4-2 there, 784-3-10 here"),
    (XOR + "--resume --out weights.npz", 1, "weights.npz: holds weights only and cannot be resumed"),
    (XOR + "--resume --out half.npz", 1, "half.npz: expected a pysnn checkpoint, got a file that is damaged"),
    (XOR + "--resume --out foreign.npz", 1, "foreign.npz: expected a pysnn checkpoint, got an archive of weights"),
    # where results go
    (XOR + "--out text.txt/new.npz", 1, "cannot write the checkpoint text.txt/new.npz: expected a folder, got the file text.txt"),
    (XOR + "--out cut", 1, "cannot write the checkpoint cut: Is a directory"),
    (XOR + "--json text.txt/new.json", 1, "cannot use text.txt: expected a folder, got the file text.txt"),
    (XOR + "--json good.npz", 1, "--json: expected a file that can be written and holds nothing else, got good.npz"),
    (XOR + "--json cut", 1, "--json: expected a file that can be written and holds nothing else, got cut"),
    ("plot neuron --out text.txt/new.png", 1, "cannot use text.txt: expected a folder, got the file text.txt"),
    ("plot all good.npz --out text.txt", 1, "cannot use text.txt: expected a folder, got the file text.txt"),
    # methods that count spikes
    (PROXY + "--set late=5", 1, "unknown setting 'late': expected one of model, bias", "n_steps"),
    (PROXY + "--set surrogate=atan", 1, "unknown setting 'surrogate': expected one of"),
    (ANN + "--steps 4", 1, "--steps: expected a method that counts spikes over time steps", "surrogate, eprop, conversion), got ann"),
    (XOR + "--steps 4", 1, "--steps: expected a method that counts spikes", "got temporal"),
    (PROXY + "--steps 0", 1, "n_steps: expected a number from 1 to 10000, got 0"),
    (PROXY + "--steps many", 2, "--steps: expected a whole number, got 'many'"),
    (PROXY + "--set threshold=0", 1, "threshold: expected a number from 1e-06", "got 0"),
    (PROXY + "--set clip=1", 1, "clip: expected true or false, got 1"),
    (RATE.format("tandem") + "--preset authors", 1, "preset: expected one of ours, got 'authors'"),
    (PROXY + "--preset theirs", 1, "preset: expected one of ours, warm, authors, got 'theirs'"),
    (PROXY + "--model 28x28x1-8C3-10", 1, "model: expected 2-...-2 for xor, got 28x28x1-8C3-10"),
    (PROXY + "--model 2-8C3-2", 1, "model: expected an image at least as large as the window", "got (2,) before Conv", "in '2-8C3-2'"),
    (PROXY + "--model fashion-proxy:none", 1, "model: expected a number of channels after fashion-proxy:, got 'fashion-proxy:none'"),
    (PROXY + "--out good.npz --resume", 1, "good.npz: differs from this command (method temporal there, proxy here)"),
    ("evaluate proxy.npz --steps 0", 1, "steps: expected whole numbers from 1 to 10,000, got [0]"),
    ("evaluate good.npz --steps 4", 1, "--steps: expected a network that counts spikes over time steps, got one trained by temporal"),
    ("evaluate proxy-cut.npz", 1, "proxy-cut.npz: the checkpoint's parts do not fit together"),
    ("info --settings nope", 2, "--settings: invalid choice: 'nope'"),
    # comparisons
    (COMPARE + "--methods proxy magic", 1, "methods: expected some of proxy, tandem, surrogate, conversion, ann, got 'magic'"),
    (COMPARE + "--methods temporal", 1, "methods: expected some of proxy", "got 'temporal'"),
    (COMPARE + "--methods ann ann", 1, "methods, steps: expected at least one of each, none twice, got ann ann and 2"),
    (COMPARE + "--steps 0", 1, "n_steps: expected a number from 1 to 10000, got 0"),
    (COMPARE + "--seeds 0", 1, "--seeds: expected at least 1, got 0"),
    (COMPARE + "--model 2-4-3", 1, "model: expected 2-...-2 for xor, got 2-4-3"),
    (COMPARE + "--set slope=3", 1, "unknown setting 'slope': expected one that ann or proxy has"),
    (COMPARE + "--set ann.threshold=3", 1, "unknown setting 'ann.threshold': expected one that ann has"),
    (COMPARE + "--no-test", 1, "--no-test: expected validation samples, got none; give --val N"),
    (COMPARE + "--out text.txt", 1, "--out: expected a folder, got the file text.txt"),
    (COMPARE + "--out text.txt/deeper", 1, "cannot use text.txt", "expected a folder, got the file text.txt"),
    (COMPARE + "--out others", 1, "others/ann-seed0.npz: is of another comparison (method proxy there, ann here"),
    (COMPARE + "--out broken", 1, "broken/ann-seed0.npz: expected a pysnn checkpoint, got a file that is damaged or of another kind"),
    # figures
    ("plot raster proxy.npz --sample 4", 1, "sample: expected 0 to 3, got 4"),
    ("plot in-time proxy.npz", 1, "in-time: expected a network of spike times, got one trained by proxy"),
    ("plot correlation good.npz", 1, "correlation: expected a network that spikes over time steps, got one trained by temporal"),
    ("plot kernels proxy.npz", 1, "kernels: expected a convolution as the first layer, got 2-4-2"),
    ("plot weights proxy.npz", 1, "weights: expected a network on images, got one on xor"),
    ("plot steps ann.npz", 1, "steps: expected a network that spikes over time steps, got one trained by ann"),
    ("plot raster", 1, "plot raster: expected a checkpoint, or a shipped network"),
    ("plot raster good.npz --sample 4", 1, "sample: expected 0 to 3, got 4"),
    ("plot raster good.npz --out figure.txt", 1, "path: expected a name ending in .png, .svg or .pdf, got 'figure.txt'"),
    ("plot weights good.npz", 1, "weights: expected a network on images, got one on xor"),
    ("plot regions images.npz", 1, "regions: expected a network on points such as yin-yang, got one on fashion-sample"),
    ("plot curves images.npz", 1, "curves: expected a run with at least one epoch, got none"),
    ("plot neuron --times 0 1 --weights 1", 1, "w: expected numbers of shape (2,), got shape (1,)"),
    ("plot neuron --times nan 1 --weights 1 2", 1, "t_in: expected numbers", "got nan"),
]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """Make a folder with one good checkpoint and everything that is wrong."""
    folder = tmp_path_factory.mktemp("shelf")
    run = training.start("temporal", temporal.settings_for("xor", backend="reference", epochs=3, lr=0.01), 0, {"name": "xor", "n_val": 0})
    for _ in training.epochs(run, xor()):
        pass
    training.save(run, folder / "good.npz")
    training.save(run, folder / "weights.npz", weights_only=True)
    header, arrays = checkpoint.read(folder / "good.npz")
    images = training.start("temporal", temporal.settings_for("fashion-sample", model="784-3-10", backend="reference"), 0,
                            {"name": "fashion-sample", "n_val": 0})
    training.save(images, folder / "images.npz")
    checkpoint.write(folder / "future.npz", {**header, "version": 99}, arrays)
    checkpoint.write(folder / "misfit.npz", header, {**arrays, "params/w1": np.zeros((3, 3), np.float32)})
    checkpoint.write(folder / "nan.npz", header, {**arrays, "params/w1": np.full((2, 4), np.nan, np.float32)})
    checkpoint.write(folder / "nameless.npz", {**header, "data": {}}, arrays)
    for method in ("proxy", "ann"):
        other = training.start(method, training.METHODS[method].settings_for("xor", model="2-4-2", backend="reference", epochs=0), 0,
                               {"name": "xor", "n_val": 0})
        training.save(other, folder / f"{method}.npz")
    header, arrays = checkpoint.read(folder / "proxy.npz")
    checkpoint.write(folder / "proxy-cut.npz", header, {name: x for name, x in arrays.items() if name != "params/w2"})
    for name in ("others", "broken"):
        (folder / name).mkdir()
    (folder / "others" / "ann-seed0.npz").write_bytes((folder / "proxy.npz").read_bytes())
    (folder / "broken" / "ann-seed0.npz").write_text("not a checkpoint")
    np.savez(folder / "foreign.npz", weights=np.ones(2), bias=np.ones(2))
    np.savez(folder / "other.npz", header=np.array(json.dumps({"format": "theirs"})))
    np.savez(folder / "pickled.npz", header=np.array([{}], object))
    np.save(folder / "array.npy", np.ones(3))
    good = (folder / "good.npz").read_bytes()
    for name, head, row, words in (("table", "a,b", "{0},{1}", ("yes", "no")), ("hole", "a,b", "{0},", ("yes", "no")),
                                   ("other", "a,b", "{0},{1}", ("yes", "no", "maybe")), ("wide", "a,b,c", "{0},{1},2", ("yes", "no"))):
        lines = [f"{row.format(k, k * k % 7) if k or name != 'hole' else '1,2'},{words[k % len(words)]}" for k in range(12)]
        (folder / f"{name}.csv").write_text("\n".join([f"{head},y", *lines]))
    header, arrays = checkpoint.read(folder / "good.npz")
    for name, file in (("own", "table.csv"), ("gone", "gone.csv")):
        record = {"name": file, "n_val": 1, "target": "y", "sha256": {file: "0" * 64}, "classes": ["no", "yes"]}
        checkpoint.write(folder / f"{name}.npz", {**header, "data": record}, arrays)
    (folder / "half.npz").write_bytes(good[:len(good) // 2])
    (folder / "empty.npz").write_bytes(b"")
    (folder / "text.txt").write_text("not a checkpoint")
    (folder / "cut").mkdir()
    (folder / "cut" / "train-images-idx3-ubyte").write_bytes(bytes([0, 0, 8, 3]) + np.array([60000, 28, 28], ">u4").tobytes() + b"x" * 100)
    return folder


def contents(folder):
    """List all that is in a folder, with every byte."""
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


@pytest.mark.parametrize("typed, code, words", [(typed, code, words) for typed, code, *words in ROWS],
                         ids=[row[0].replace(XOR, "xor: ").replace(SAMPLE, "sample: ").replace(COMPARE, "compare: ") or "nothing"
                              for row in ROWS])
def test_command(shelf, monkeypatch, capsys, typed, code, words):
    monkeypatch.chdir(shelf)
    monkeypatch.setenv("PYSNN_DATA", str(shelf / "cache"))
    before = contents(shelf)
    try:
        got = cli.main(typed.split())
    except SystemExit as stop:                      # argparse
        got = stop.code
    error = capsys.readouterr().err.strip()
    assert got == code
    for word in words:
        assert word in error
    if code == 1:
        assert error.startswith("pysnn: error: ")
        assert len(error.splitlines()) == (2 if "pysnn data fetch mnist" in error else 1)       # the second line says what to do
    else:
        assert error.startswith("usage: ") and ": error: " in error.splitlines()[-1]
    assert contents(shelf) == before                # nothing lost, nothing left lying about


def test_there_are_many_rows():
    assert len({row[0] for row in ROWS}) == len(ROWS) >= 20


def test_environment_variable(monkeypatch, capsys):
    from pysnn import _threads
    for value, words in (("many", "PYSNN_THREADS: expected a whole number from 1 to 1024, got 'many'"), ("0", "from 1 to 1024, got '0'")):
        monkeypatch.setenv("PYSNN_THREADS", value)
        monkeypatch.setattr(_threads, "_n_threads", None)
        assert cli.main(["info"]) == 1 and words in capsys.readouterr().err


# ---- accidents on the way

def no_space(*args, **kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("module, name", [(os, "fsync"), (os, "replace"), (secrets, "token_hex"), (np, "savez")],
                         ids=["fsync", "replace", "open", "savez"])
def test_disk_full(tmp_path, monkeypatch, capsys, module, name):
    """The disk is full when the second epoch is to be kept: the first is still there, and training can go on from it."""
    monkeypatch.chdir(tmp_path)
    command, real, calls = XOR.split(), getattr(module, name), []

    def full_at_the_third(*args, **kwargs):         # the first write is that of epoch 0
        calls.append(name)
        return real(*args, **kwargs) if len(calls) < 3 else no_space()

    with monkeypatch.context() as patch:
        patch.setattr(module, name, full_at_the_third)
        assert cli.main(command) == 1
    assert capsys.readouterr().err == "pysnn: error: cannot write the checkpoint good.npz: No space left on device\n"
    assert os.listdir(tmp_path) == ["good.npz"] and training.load("good.npz").epoch == 1
    assert cli.main([*command, "--resume"]) == 0
    assert cli.main([*command, "--out", "straight.npz"]) == 0
    resumed, straight = (checkpoint.read(f)[1] for f in ("good.npz", "straight.npz"))
    assert all(straight[k].tobytes() == x.tobytes() for k, x in resumed.items())


def test_write_cut_off_by_the_system(tmp_path):
    """No pretending: the system itself lets a process write no more than 20,000 bytes to a file."""
    pytest.importorskip("resource")
    path = tmp_path / "a.npz"
    checkpoint.write(path, {"n": 1}, {"w": np.zeros(10)})
    old = path.read_bytes()
    code = ("import resource, numpy as np; from pysnn import checkpoint\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
            f"checkpoint.write({str(path)!r}, {{}}, {{'w': np.random.default_rng(0).random(100_000)}})")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1 and "CheckpointError: cannot write the checkpoint" in done.stderr and "File too large" in done.stderr
    assert path.read_bytes() == old and os.listdir(tmp_path) == ["a.npz"]


def test_results_that_cannot_be_written_leave_the_old_ones(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.json").write_text("{}")
    monkeypatch.setattr(os, "replace", no_space)
    assert cli.main(["data", "where", "--json", "old.json"]) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["old.json"] and (tmp_path / "old.json").read_text() == "{}"


def test_loss_that_explodes(tmp_path, monkeypatch, capsys):
    """Weights that are no numbers never reach the disk."""
    monkeypatch.chdir(tmp_path)
    explode = "--epochs 400 --lr 1000 --set optimiser=sgd --set l2=1000000 --set dtype=float32"
    assert cli.main(XOR.split() + explode.split()) == 1
    error = capsys.readouterr().err
    assert error.startswith("pysnn: error: the ") and error.endswith("try a smaller lr\n") and len(error.splitlines()) == 1
    assert training.load("good.npz").epoch < 400


def test_error_in_full_on_demand(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYSNN_DEBUG", "1")
    with pytest.raises(checkpoint.CheckpointError, match="no checkpoint"):
        cli.main(["evaluate", "nowhere.npz"])


# ---- arrays, for those who call functions

def tiny_nets():
    return temporal.build(temporal.settings_for("xor", backend="reference"), rng=np.random.default_rng(0))


Z, POINTS, LABELS = np.ones((4, 2), np.float32), np.zeros((4, 2)), np.array([0, 1, 1, 0])
SIGNALS, RNG = np.zeros((4, 5, 2)), np.random.default_rng(0)


def spikes_of(times, places, n_steps=4):
    return to_spikes([Events(np.array([0.5]), np.array([0])), Events(np.array(times), np.array(places))], n_steps, 3, 1.0)


ARRAYS = {
    "integers as intensities": (lambda: encode.intensities(np.ones((4, 2), int)), TypeError, "x: expected uint8 images or floats"),
    "a list as images": (lambda: encode.intensities([[0.5]]), TypeError, "got list"),
    "intensities above 1": (lambda: encode.intensities(np.array([[0.0, 255.0]])), ValueError, "in [0, 1], got 0.0 to 255.0"),
    "intensities NaN": (lambda: encode.intensities(np.array([[0.0, np.nan]])), ValueError, "got nan"),
    "no images": (lambda: encode.intensities(np.ones((0, 4))), ValueError, "expected a batch of samples (B, ...), got"),
    "one image, no batch": (lambda: encode.intensities(np.ones(4)), ValueError, "got an array of shape (4,)"),
    "unknown edge": (lambda: encode.shift_images(np.ones((2, 4, 4)), 1, np.random.default_rng(0), "wrap"), ValueError,
                     "edge: expected one of zeros, copy, reflect, got 'wrap'"),
    "smoothing 1": (lambda: losses.cross_entropy(Z, LABELS, 1.0), ValueError, "smoothing: expected a number from 0 to below 1, got 1.0"),
    "smoothing as text": (lambda: losses.cross_entropy(Z, LABELS, "0.1"), ValueError,
                          "smoothing: expected a number from 0 to below 1, got '0.1'"),
    "levels without a top": (lambda: activations.relu_forward(POINTS, levels=4), ValueError,
                             "levels: expected a whole number, and with it a finite top, got 4 and top inf"),
    "neurons that pool late": (lambda: pooled_fire.forward(np.ones((2, 1, 2, 2, 1)), rule=Rule(timing="next")), ValueError,
                               "rule: expected timing 'same' where neurons pool, got 'next'"),
    "a window that does not fit": (lambda: pooled_fire.forward(np.ones((2, 1, 2, 2, 1)), 3), ValueError, "a window that fits, got"),
    "unknown polarity": (lambda: encode.binary(POINTS, bright="soon"), ValueError, "bright: expected 'early' or 'late', got 'soon'"),
    "labels of float": (lambda: metrics.accuracy(Z, LABELS / 1), TypeError, "y: expected 4 integer labels, got"),
    "too few labels": (lambda: losses.softmax_z(Z, LABELS[:3]), TypeError, "y: expected 4 integer labels, got an array of shape (3,)"),
    "label out of range": (lambda: losses.softmax_t(Z, LABELS + 1), ValueError, "y: expected labels 0 to 1, got 1 to 2"),
    "label below 0": (lambda: metrics.confusion(LABELS, LABELS - 1, 2), ValueError, "y_found: expected labels 0 to 1, got -1 to 0"),
    "z of integers": (lambda: metrics.accuracy(np.ones((4, 2), int), LABELS), TypeError, "z: expected float32 or float64"),
    "samples that do not fit": (lambda: temporal.predict(tiny_nets(), np.zeros((4, 3))), ValueError, "z_in: expected shape (any, 2), got"),
    "training without samples": (lambda: next(training.epochs(a_run(), (POINTS[:0], LABELS[:0]))), ValueError,
                                 "train: expected as many labels as samples, and some, got 0 and 0"),
    "training with too few labels": (lambda: next(training.epochs(a_run(), (POINTS, LABELS[:2]))), ValueError, "got 4 and 2"),
    "weights of another model": (lambda: temporal.build(temporal.Settings(model="3-2"), {"w1": np.ones((2, 2))}), ValueError,
                                 "params: expected {'w1': (3, 2)} for model 3-2, got {'w1': (2, 2)}"),
    "events out of order": (lambda: spikes_of([0.5, 0.25], [0, 1]), ValueError, "sample 1: expected times in order, got 0.25 after 0.5"),
    "an event at the end": (lambda: spikes_of([0.5, 1.0], [0, 1]), ValueError, "sample 1: expected times from 0 to below 1, got 1"),
    "an event before the beginning": (lambda: spikes_of([-0.1], [0]), ValueError, "sample 1: expected times from 0 to below 1, got -0.1"),
    "an event nowhere": (lambda: spikes_of([0.5], [3]), ValueError, "sample 1: expected places from 0 to below 3, got 3"),
    "an event at no time": (lambda: spikes_of([np.nan], [0]), ValueError, "sample 1: expected finite times, got nan"),
    "places between inputs": (lambda: spikes_of([0.5], [0.5]), TypeError, "sample 1: expected a time and a whole number as place for each"),
    "a place too few": (lambda: spikes_of([0.5, 0.6], [0]), TypeError, "sample 1: expected a time and a whole number as place for each"),
    "events in no steps": (lambda: spikes_of([0.5], [0], 0), ValueError, "n_steps: expected a whole number of at least 1, got int 0"),
    "no samples of events": (lambda: to_spikes([], 4, 3, 1.0), ValueError, "samples: expected at least one, got none"),
    "events of one sample alone": (lambda: to_spikes(Events(np.ones(2), np.ones(2, int)), 4, 3, 2.0), TypeError,
                                   "sample 0: expected Events, got an array of shape (2,)"),
    "events in no time": (lambda: to_spikes([], 4, 3, 0.0), ValueError, "duration: expected a positive number"),
    "spikes of 2": (lambda: to_events(np.full((1, 2, 3), 2), 1.0), ValueError, "spikes: expected 0 and 1 alone, got 2 in sample 0"),
    "spikes of NaN": (lambda: to_events(np.full((1, 2, 3), np.nan), 1.0), ValueError, "spikes: expected 0 and 1 alone, got nan"),
    "spikes without time": (lambda: to_events(np.zeros((2, 3)), 1.0), ValueError, "spikes: expected shape (N, T, n), each at least 1"),
    "spikes of no step": (lambda: to_events(np.zeros((2, 0, 3)), 1.0), ValueError, "spikes: expected shape (N, T, n), each at least 1"),
    "spikes as a list": (lambda: to_events([[[0]]], 1.0), TypeError, "spikes: expected an array of spikes, got list"),
    "poisson with a seed": (lambda: encode.poisson(POINTS, 0, 5), TypeError, "rng: expected a numpy.random.Generator, got int 0"),
    "poisson without steps": (lambda: encode.poisson(POINTS, RNG), ValueError, "x: expected shape (B, T, n), or n_steps, got"),
    "poisson with steps twice": (lambda: encode.poisson(SIGNALS, RNG, 5), ValueError, "x: expected shape (B, n), for n_steps is given"),
    "poisson below 0": (lambda: encode.poisson(SIGNALS - 1, RNG), ValueError, "x: expected intensities in [0, 1], got -1.0"),
    "no threshold to charge to": (lambda: encode.leaky_latency(POINTS, 0.0), ValueError, "threshold: expected a positive number"),
    "spikes before the beginning": (lambda: encode.spike_trains(Z / 2, 5, 1.0), ValueError, "z: expected exp(t/tau) of at least 1, t >= 0"),
    "spike trains of signals": (lambda: encode.spike_trains(SIGNALS, 5, 1.0), ValueError, "z: expected 2 dimensions"),
    "two receptive fields": (lambda: encode.population(POINTS, 2), ValueError, "n_fields: expected a whole number of at least 3"),
    "fields of large numbers": (lambda: encode.population(POINTS + 2, 5), ValueError, "x: expected intensities in [0, 1], got 2.0"),
    "delta without time": (lambda: encode.delta(POINTS, 1.0), ValueError, "x: expected 3 dimensions"),
    "delta of NaN": (lambda: encode.delta(SIGNALS * np.nan, 1.0), ValueError, "x: expected finite numbers, got nan in sample 0 at (0, 0)"),
    "levels on each other": (lambda: encode.delta(SIGNALS, 0.0), ValueError, "size: expected a positive number"),
    "lengths beyond the steps": (lambda: encode.within(np.array([2, 6]), 5), ValueError, "lengths: expected 1 to 5 time steps, got 2 to 6"),
    "lengths as a list": (lambda: encode.within([2, 5], 5), TypeError, "lengths: expected 2 whole numbers, got list"),
    "no lengths": (lambda: encode.within(np.zeros(0, int), 5), TypeError, "lengths: expected some whole numbers, got an array"),
    "model without layers": (lambda: temporal_params("784", np.random.default_rng(0)), ValueError, "expected an input such as 784"),
}


def a_run():
    return training.start("temporal", temporal.settings_for("xor", backend="reference"))


@pytest.mark.parametrize("case", ARRAYS)
def test_arrays(case):
    call, kind, words = ARRAYS[case]
    with pytest.raises(kind) as caught:
        call()
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_gradients_of_bad_labels_update_nothing():
    run = a_run()
    was = {name: w.copy() for name, w in run.nets.net.params.items()}
    with pytest.raises(ValueError, match="expected labels 0 to 1"):
        next(training.epochs(run, (POINTS, LABELS + 7)))
    assert run.epoch == 0 and all((run.nets.net.params[name] == w).all() for name, w in was.items())
    assert isinstance(run.optimiser, optim.Adam) and run.optimiser.state["n_steps"] == 0


def test_a_long_list_is_named_by_its_beginning_alone():
    """Its whole repr would take seconds; what is shown is that of the repr."""
    said = []

    class Word:
        def __repr__(self):
            return said.append(1) or "word"

    assert _checks.describe([[Word()] * 1000] * 1000).startswith("list [[word, word, ") and len(said) < 200
    for x in ([], [[]], [1, 2.5, "a"], [[1.0, 2], [3]], [(1, [2]), {"b": 1, "a": 2}], list(range(99))):
        assert _checks.describe(x) == f"list {x!r}"[:80]
