"""Checkpoints: what is in them, that every bit comes back, and that no accident leaves half a file."""

import json
import os
import time
import zipfile

import numpy as np
import pytest

import pysnn
from pysnn import checkpoint, datasets, training
from pysnn.checkpoint import CheckpointError
from pysnn.learning import temporal

ARRAYS = {"params/w1": np.array([[0.1, -0.0], [np.float32(1e-42), np.inf]], np.float32), "optimiser/n_steps": np.array(7),
          "optimiser/m/w1": np.random.default_rng(0).standard_normal((3, 2))}


def short_run(seed=3, n_epochs=2, **chosen):
    """Train XOR for a moment with the reference, which needs no compiling."""
    settings = temporal.settings_for("xor", backend="reference", **{"epochs": n_epochs, **chosen})
    run = training.start("temporal", settings, seed, {"name": "xor", "n_val": 0, "split_seed": 0})
    for _ in training.epochs(run, datasets.xor()):
        pass
    return run


def bits(arrays):
    """Turn arrays into something that == compares bit for bit."""
    return {name: (x.dtype, x.shape, x.tobytes()) for name, x in arrays.items()}


@pytest.mark.parametrize("compress", [False, True])
def test_every_bit_comes_back(tmp_path, compress):
    path, header = tmp_path / "new" / "folder" / "a.npz", {"seed": 2 ** 80, "rate": 0.1 + 0.2, "word": "\u00fc", "none": None}
    checkpoint.write(path, header, ARRAYS, compress)
    for place in (path, str(path)):
        got_header, got = checkpoint.read(place)
        assert {k: got_header[k] for k in header} == header
        assert bits(got) == bits(ARRAYS)
    assert os.listdir(path.parent) == ["a.npz"]


def test_a_run_comes_back(tmp_path):
    run = short_run()
    training.save(run, tmp_path / "a.npz")
    got = training.load(tmp_path / "a.npz")
    assert got.nets.settings == run.nets.settings and got.rng.bit_generator.state == run.rng.bit_generator.state
    assert (got.method, got.seed, got.data, got.epoch, got.records) == (run.method, run.seed, run.data, run.epoch, run.records)
    assert bits(got.nets.net.params) == bits(run.nets.net.params) and bits(got.optimiser.state) == bits(run.optimiser.state)
    assert got.nets.net.layers[0].params is got.nets.net.params      # what the optimiser changes is what the network reads


def test_header_says_all(tmp_path):
    training.save(short_run(seed=5), tmp_path / "a.npz")
    header, arrays = checkpoint.read(tmp_path / "a.npz")
    assert header["format"] == "pysnn-checkpoint" and header["version"] == checkpoint.VERSION
    assert header["method"] == "temporal" and header["seed"] == 5 and header["epoch"] == 2 and header["resumable"] is True
    assert header["data"] == {"name": "xor", "n_val": 0, "split_seed": 0}
    assert set(header["settings"]) == set(temporal.Settings.__dataclass_fields__) and header["settings"]["model"] == "2-4-2"
    assert header["rng"]["bit_generator"] == "PCG64" and len(header["records"]) == 2
    assert header["versions"]["pysnn"] == pysnn.__version__ and header["versions"]["numpy"] == np.__version__
    assert {"python", "numba", "machine"} <= set(header["versions"])
    moments = {f"optimiser/{moment}/{w}" for moment in "mv" for w in ("w1", "w2")}
    assert set(arrays) == {"params/w1", "params/w2", "optimiser/n_steps"} | moments


def test_plain_files_in_a_zip_no_pickle(tmp_path):
    training.save(short_run(), tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as stored:             # any NumPy reads it, without pysnn
        assert json.loads(str(stored["header"]))["method"] == "temporal"
        assert all(stored[name].dtype.kind in "fiU" for name in stored.files)
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        assert archive.testzip() is None and all(name.endswith(".npy") for name in archive.namelist())


def test_a_pickle_is_never_opened(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    np.savez(tmp_path / "trap.npz", header=np.array(json.dumps({"format": checkpoint.FORMAT, "version": checkpoint.VERSION})),
             w=np.array([Trap()], object))
    np.savez(tmp_path / "trap2.npz", header=np.array([Trap()], object))
    for name in ("trap.npz", "trap2.npz"):
        with pytest.raises(CheckpointError, match="Object arrays cannot be loaded"):
            checkpoint.read(tmp_path / name)
    assert not (tmp_path / "sprung").exists()


def test_weights_only_is_float16_and_small(tmp_path):
    run = short_run()
    training.save(run, tmp_path / "all.npz")
    training.save(run, tmp_path / "weights.npz", weights_only=True)
    header, arrays = checkpoint.read(tmp_path / "weights.npz")
    assert header["resumable"] is False and "rng" not in header and set(arrays) == {"params/w1", "params/w2"}
    assert {x.dtype for x in arrays.values()} == {np.dtype(np.float16)}
    assert (tmp_path / "weights.npz").stat().st_size < (tmp_path / "all.npz").stat().st_size
    got = training.load(tmp_path / "weights.npz")
    for name, w in run.nets.net.params.items():
        assert got.nets.net.params[name].dtype == w.dtype and (got.nets.net.params[name] == w.astype(np.float16)).all()
    with pytest.raises(ValueError, match="weights only"):
        next(training.epochs(got, datasets.xor()))


class Crash(BaseException):
    """Stands for a kill: nothing catches it."""


@pytest.mark.parametrize("moment", ["fsync", "chmod", "replace"])
def test_crash_before_the_last_step_leaves_the_old_file(tmp_path, monkeypatch, moment):
    path = tmp_path / "a.npz"
    checkpoint.write(path, {"n": 1}, ARRAYS)
    old = path.read_bytes()

    def crash(*args):
        raise Crash

    monkeypatch.setattr(os, moment, crash)
    with pytest.raises(Crash):
        checkpoint.write(path, {"n": 2}, ARRAYS)
    assert path.read_bytes() == old and os.listdir(tmp_path) == ["a.npz"]


def test_the_new_file_is_whole_before_it_gets_the_name(tmp_path, monkeypatch):
    path, seen, replace, fsync = tmp_path / "a.npz", [], os.replace, os.fsync

    def watched_fsync(handle):
        seen.append("fsync")
        fsync(handle)

    def watched_replace(source, target):
        seen.append("replace")
        assert os.path.dirname(source) == str(tmp_path)                         # the same disk, so that this is one step
        assert checkpoint.read(source)[0]["n"] == 1
        replace(source, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "replace", watched_replace)
    checkpoint.write(path, {"n": 1}, ARRAYS)
    assert seen == ["fsync", "replace"] and checkpoint.read(path)[0]["n"] == 1


def test_leftovers_of_killed_writes_are_cleared_away(tmp_path):
    old, young, other = tmp_path / ".a[1].npz.x1.part", tmp_path / ".a[1].npz.x2.part", tmp_path / ".b.npz.x3.part"
    for part in (old, young, other):
        part.write_bytes(b"half")
    ago = time.time() - 2 * checkpoint.STALE_AFTER
    os.utime(old, (ago, ago))
    os.utime(other, (ago, ago))
    checkpoint.write(tmp_path / "a[1].npz", {}, {})
    assert not old.exists() and young.exists() and other.exists()               # the young one may belong to a write that is going on
    checkpoint.read(tmp_path / "a[1].npz")


@pytest.mark.parametrize("weights_only", [False, True])
def test_any_damage_is_noticed_or_harmless(tmp_path, rng, weights_only):
    path = tmp_path / "a.npz"
    training.save(short_run(), path, weights_only)
    good = training.load(path)
    raw, n_refused = path.read_bytes(), 0
    for k in range(300):
        broken = bytearray(raw)
        if k % 3 == 0:
            broken = broken[:rng.integers(len(raw))]
        for i in rng.integers(0, max(len(broken), 1), k % 3):
            broken[i] ^= 1 + rng.integers(255)
        path.write_bytes(broken)
        try:
            got = training.load(path)
        except CheckpointError as error:
            n_refused += 1
            assert "expected a pysnn checkpoint" in str(error) or "do not fit together" in str(error) or "version" in str(error)
        else:                                                                   # a byte that nobody reads, such as a date in the archive
            assert all((got.nets.net.params[name] == w).all() for name, w in good.nets.net.params.items())
    assert n_refused > 200


@pytest.mark.parametrize("change", [
    {"method": "nonsense"}, {"settings": {"lr": -1}}, {"settings": {"unknown": 1}}, {"settings": None}, {"epoch": "two"}, {"data": []},
    {"records": 3}, {"rng": {}}, {"rng": {"bit_generator": "MT19937"}}, {"optimiser/m/w1": np.zeros((9, 9), np.float32)},
    {"optimiser/v/w2": np.zeros((4, 2))}, {"params/w1": np.zeros((2, 5), np.float32)}, {"params/w1": np.full((2, 4), np.nan, np.float32)},
    {"params/w1": np.array([["a"] * 4] * 2)}, {"params/w2": None}], ids=str)
def test_parts_that_do_not_fit_together(tmp_path, change):
    path = tmp_path / "a.npz"
    training.save(short_run(), path)
    header, arrays = checkpoint.read(path)
    (name, value), = change.items()
    parts = arrays if "/" in name else header
    parts[name] = value
    if value is None:
        del parts[name]
    checkpoint.write(path, header, arrays)
    with pytest.raises(CheckpointError, match="parts do not fit together"):
        training.load(path)


def test_find_and_names(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "PRETRAINED", tmp_path)
    training.save(short_run(), tmp_path / "tiny.npz", weights_only=True)
    assert checkpoint.names() == ["tiny"] and checkpoint.find("tiny") == tmp_path / "tiny.npz"
    assert training.load("tiny").epoch == 2
    with pytest.raises(CheckpointError, match=r"no checkpoint other: expected a file, or a network that ships with pysnn \(tiny\)"):
        checkpoint.find("other")
    with pytest.raises(CheckpointError, match="no checkpoint"):
        checkpoint.read(tmp_path)


def test_training_anew_keeps_the_older_checkpoint(tmp_path):
    path = tmp_path / "run.npz"
    checkpoint.write(path, {"epoch": 40}, {"w": np.ones(3)})
    checkpoint.write(path, {"epoch": 0}, {"w": np.zeros(3)}, keep=True)
    assert checkpoint.read(path)[0]["epoch"] == 0
    assert checkpoint.read(tmp_path / "run.previous.npz")[0]["epoch"] == 40
    checkpoint.write(path, {"epoch": 3}, {"w": np.zeros(3)})
    checkpoint.write(path, {"epoch": 0}, {"w": np.zeros(3)}, keep=True)          # and of two older ones the longer
    assert checkpoint.read(tmp_path / "run.previous.npz")[0]["epoch"] == 40


@pytest.mark.parametrize("name, value", [
    ("files", [1, 2]), ("files", 5), ("files", {"a.py": 3}), ("model", [1]), ("model", 7), ("model", {"shape": 3}),
    ("model", {"text": "2-4-2", "shape": [2], "layers": [["Dense", {"n": "q"}]]}),
    ("model", {"text": "2-4-2", "shape": [2], "layers": [["Dense", [1]]]}),
    ("model", {"text": "2-4-2", "shape": [2], "layers": [[5, {}]]}),
    ("model", {"text": "2-5-2", "shape": [2], "layers": [["Dense", {"n": 5}], ["Neurons", {}], ["Dense", {"n": 2}]]})], ids=str)
def test_a_damaged_model_or_list_of_files_is_refused(tmp_path, name, value):
    """Both are new in the header; a checkpoint without them is an old one and loads."""
    run = training.start("temporal", temporal.settings_for("xor", backend="reference"), 0)
    training.save(run, tmp_path / "a.npz")
    header, arrays = checkpoint.read(tmp_path / "a.npz")
    header = {key: x for key, x in header.items() if key not in ("format", "version")}
    checkpoint.write(tmp_path / "b.npz", {**header, name: value}, arrays)
    with pytest.raises(checkpoint.CheckpointError, match=r"b\.npz: "):
        training.load(tmp_path / "b.npz")
    del header["model"], header["files"]
    checkpoint.write(tmp_path / "b.npz", header, arrays)
    assert training.load(tmp_path / "b.npz").nets.settings == run.nets.settings
