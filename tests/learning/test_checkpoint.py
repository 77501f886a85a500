"""Checkpoints: what is in them, that every bit comes back, and that no accident leaves half a file."""

import contextlib
import io
import json
import os
import struct
import time
import tracemalloc
import zipfile

import numpy as np
import pytest

import pysnn
from pysnn import checkpoint, cli, datasets, training
from pysnn.checkpoint import CheckpointError
from pysnn.learning import temporal
from tools.fuzz import checkpoints as fuzz

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
    assert header["data"].pop("samples").keys() == {"train"}
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


# ---- what others, or an attack, make of a file

def refusal(path):
    """Load what must be refused; return the message, which is one short line."""
    with pytest.raises(CheckpointError) as caught:
        training.load(path)
    text = str(caught.value)
    assert text.isprintable() and len(text) <= 600 and path.name in text
    return text


@contextlib.contextmanager
def at_most(n):
    """Refuse a block that takes more bytes than this."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < n
    finally:
        tracemalloc.stop()


def good(tmp_path, **chosen):
    """Save a run; return path, header and arrays."""
    path = tmp_path / "a.npz"
    training.save(short_run(**chosen), path)
    return path, *checkpoint.read(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("order", [1, -1])
def test_unpacked_and_packed_again_it_loads(tmp_path, method, order):
    """As unzip and zip -r make it: with entries for folders, in another order, deflated."""
    path, _, _ = good(tmp_path)
    wanted, parts = fuzz.bits(training.load(path)), fuzz.members(path.read_bytes())
    path.write_bytes(fuzz.packed([("params/", b""), ("optimiser/", b""), ("optimiser/m/", b""), *parts][::order], method))
    assert fuzz.bits(training.load(path)) == wanted
    header = checkpoint.read(path)[0]
    training.save(training.load(path), path)
    assert checkpoint.read(path)[0] == header and list(checkpoint.read(path)[1])[:2] == ["params/w1", "params/w2"]


def test_a_checkpoint_written_before_sums_were_kept_loads(tmp_path):
    path, header, _ = good(tmp_path)
    del header["crc32"]
    path.write_bytes(fuzz.with_header(fuzz.members(path.read_bytes()), json.dumps(header)))
    assert training.load(path).epoch == 2


def zipped(tmp_path, change):
    path, _, _ = good(tmp_path)
    raw = path.read_bytes()
    path.write_bytes(change(raw, fuzz.members(raw)))
    return path


def field(sign, offset, value, size=2):
    """Return what overwrites a field of the first header or entry that begins with `sign`."""
    def change(raw, parts):
        at = raw.index(sign) + offset
        return raw[:at] + value.to_bytes(size, "little") + raw[at + size:]
    return change


ARCHIVES = {   # what is wrong with the archive: (change, words)
    "bzip2": (lambda raw, parts: fuzz.packed(parts, zipfile.ZIP_BZIP2), "packed otherwise than stored or deflated"),
    "lzma": (lambda raw, parts: fuzz.packed(parts, zipfile.ZIP_LZMA), "packed otherwise than stored or deflated"),
    "encrypted": (field(b"PK\1\2", 8, 1), "encrypted"),
    "strongly encrypted": (field(b"PK\1\2", 8, 0x41), "encrypted"),
    "prefix": (lambda raw, parts: b"#!/bin/sh\n" + raw, "behind other bytes"),
    "suffix": (lambda raw, parts: raw + b"x", "no whole .npz archive"),
    "comment": (lambda raw, parts: raw[:-2] + b"\1\0x", "no whole .npz archive"),
    "truncated": (lambda raw, parts: raw[:-1], "no whole .npz archive"),
    "twice": (lambda raw, parts: fuzz.packed([*parts, ("params/w9.npy", parts[1][1])]).replace(b"params/w9", b"params/w1"),
              "is there twice"),
    "twice by its name": (lambda raw, parts: fuzz.packed([*parts, ("params/w1", parts[1][1])]), "is there twice"),
    "a folder with content": (lambda raw, parts: fuzz.packed([*parts, ("params/", b"content")]), "params/"),
    "another file": (lambda raw, parts: fuzz.packed([*parts, ("readme.txt", b"hello")]), "readme.txt"),
    "missing": (lambda raw, parts: fuzz.packed(parts[:-1]), "expected arrays"),
    "exchanged": (lambda raw, parts: fuzz.packed([(parts[{1: 4, 4: 1}.get(k, k)][0], x) for k, (_, x) in enumerate(parts)]),
                  "is not the array that the header knows"),
    "in a folder": (lambda raw, parts: fuzz.packed([(f"run/{name}", x) for name, x in parts]), "got an archive of run/header"),
    "size in the directory": (field(b"PK\1\2", 24, 1 << 30, 4), "damaged"),
    "packed size in the directory": (field(b"PK\1\2", 20, 1 << 30, 4), "damaged"),
    "64-bit sizes without any": (field(b"PK\1\2", 24, 0xffffffff, 4), "damaged"),
    "offset": (field(b"PK\1\2", 42, 50, 4), "damaged"),
    "deflated by name": (field(b"PK\1\2", 10, 8), "damaged"),
    "a directory of 40 MB": (lambda raw, parts: raw[:-10] + struct.pack("<II", 40 << 20, 0) + raw[-2:], "damaged"),
}


@pytest.mark.parametrize("what", ARCHIVES)
def test_archives_that_numpy_would_not_write(tmp_path, what):
    change, words = ARCHIVES[what]
    assert words in refusal(zipped(tmp_path, change))


def test_members_that_share_bytes(tmp_path):
    """A directory whose entries all point to one member: a bomb without compression."""
    path, _, _ = good(tmp_path)
    raw = bytearray(path.read_bytes())
    entries = [i for i in range(len(raw)) if raw[i:i + 4] == b"PK\1\2"]
    raw[entries[2] + 42:entries[2] + 46] = raw[entries[1] + 42:entries[1] + 46]
    path.write_bytes(raw)
    assert "lies across another member" in refusal(path)


@pytest.mark.parametrize("i", [0, 1, 3, -1])
@pytest.mark.parametrize("descr, shape", [
    ("|V0", "(100000, 100000)"), ("<f4", "(100000, 100000)"), ("<U0", "(100000, 100000)"), ("|S0", "(9,)"), ("<f4", "(-1,)"),
    ("<f4", "(4611686018427387904, 4)"), ("<f4", "((((((((" * 40),
    ("<f4", "(2**62,)"), ("|O", "(2, 4)"), ("<M8[ns]", "(1,)"), ("[('a', '<f4')]", "(2, 4)"),
    ("<f4", "(" + "1, " * 70 + ")"), ("<f3", "(2, 4)"), ("<c8", "(2, 4)"), ("<i4", "(2, 4)"), ("<U1", "(2, 4)"), ("|b1", "(2, 4)")])
def test_arrays_that_are_not_what_the_header_needs(tmp_path, i, descr, shape):
    assert refusal(zipped(tmp_path, lambda raw, parts: fuzz.packed(
        [(name, fuzz.npy(descr, shape, bytes(32)) if k == i % len(parts) else x) for k, (name, x) in enumerate(parts)])))


BOMBS = {   # name: (member, bytes that it unpacks to)
    "state": ("state/x.npy", fuzz.npy("<f4", "(4000000,)")), "weights": ("params/w1.npy", fuzz.npy("<f4", "(4000000,)")),
    "optimiser": ("optimiser/m/w1.npy", fuzz.npy("<f4", "(4000000,)")), "header": ("header.npy", fuzz.npy("<U4000000", "()")),
    "header of an array": ("params/w1.npy", b"\x93NUMPY\2\0" + struct.pack("<I", 16_000_000)), "stranger": ("a.npy", b""),
}


@pytest.mark.parametrize("what", BOMBS)
@pytest.mark.parametrize("read", [training.load, checkpoint.read])
def test_a_bomb_takes_no_memory(tmp_path, what, read):
    name, start = BOMBS[what]
    path = zipped(tmp_path, lambda raw, parts: fuzz.packed(
        [part for part in parts if part[0] != name] + [(name, start + bytes(16_000_000))], zipfile.ZIP_DEFLATED))
    assert path.stat().st_size < 100_000
    with at_most(4e6), pytest.raises(CheckpointError):
        read(path)


@pytest.mark.parametrize("model", [
    "2-100000000-2", "2-1000000000000000000-2", {"text": "x", "shape": [10 ** 30], "layers": [["Dense", {"n": 10 ** 30}]]}], ids=str)
def test_a_header_with_a_huge_model_takes_no_memory(tmp_path, model):
    path, header, arrays = good(tmp_path)
    header["settings"]["model"] = header["model"] = model
    checkpoint.write(path, header, arrays)
    with at_most(4e6):
        refusal(path)


def test_more_memory_than_there_is(tmp_path, monkeypatch):
    path, _, _ = good(tmp_path)

    def none(*args, **kwargs):
        raise MemoryError("Unable to allocate 37.3 GiB")

    with monkeypatch.context() as patch:
        patch.setattr(np, "empty", none)
        assert "expected memory for its arrays, got none" in refusal(path)
    monkeypatch.setattr(temporal.METHOD.__class__, "optimiser", none)
    assert "expected memory for its network, got none" in refusal(path)


def test_a_large_checkpoint_takes_little_more_than_its_size(tmp_path):
    settings = temporal.settings_for("xor", model="2-400-1000-2", backend="reference")
    path = tmp_path / "a.npz"
    training.save(training.start("temporal", settings), path)
    with at_most(2 * path.stat().st_size):
        training.load(path)


WRONG = (None, True, -1, -3, 1.5, "3", "", [], [1], ["1"], {}, {"a": [1]}, 10 ** 400, float("nan"), "x" * 80_000, "\x1b[2J")
MAY = {"files": ({},), "data": ({}, {"a": [1]}), "versions": ({},), "model": (), "resumable": (True,), "seed": (10 ** 400,), "method": (),
       "settings": ({},), "epoch": (), "records": (), "rng": ()}      # what is right among these


@pytest.mark.parametrize("name", MAY)
def test_every_field_of_the_header_has_a_type_and_a_range(tmp_path, name):
    path, header, arrays = good(tmp_path)
    for value in WRONG:
        if value in MAY[name]:
            continue
        try:
            checkpoint.write(path, {**header, name: value}, arrays)
        except ValueError:
            continue                                        # more digits than Python writes
        assert refusal(path)
    if name not in ("files", "model"):
        checkpoint.write(path, {key: x for key, x in header.items() if key != name}, arrays)
        assert f"{name}" in refusal(path)


@pytest.mark.parametrize("change", [
    {"records": [1, 2]}, {"records": [{}, {}]}, {"records": []}, {"epoch": 1}, {"epoch": 3}, {"resumable": False}, {"versions": ["1"]},
    {"versions": {"pysnn": 1}}, {"data": {"name": 5}}, {"data": {"n_val": -1}}, {"data": {"n_val": "all"}},
    {"data": {"split_seed": 0.5}},
    {"method": "evil.py:rule"}, {"method": "/tmp/evil.py:rule"}, {"settings": {"loss": "evil.py:loss"}},
    {"settings": {"model": "evil.py:model"}},
    {"model": {"text": "2-4-2", "shape": [2], "layers": [["evil.py:Layer", {}]]}}, {"method": "ann"}, {"model": "2-4\x1b[2J-2"},
    {"model": {"text": "\x1b[2J", "shape": [2], "layers": [["Dense", {"n": 4}], ["Neurons", {}], ["Dense", {"n": 2}]]}}], ids=str)
def test_headers_that_do_not_fit_or_name_code_that_they_do_not_list(tmp_path, monkeypatch, change):
    path, header, arrays = good(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.py").write_text("open('sprung', 'w')\nrule = loss = model = Layer = None\n")
    header["settings"] |= change.pop("settings", {})
    checkpoint.write(path, {**header, **change}, arrays)
    refusal(path)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("change", [
    {"state": {"state": -1, "inc": 1}}, {"state": {"state": 1.5, "inc": 1}}, {"state": {"state": 1 << 128, "inc": 1}},
    {"uinteger": -1}, {"state": {}}, {"bit_generator": "Philox"}], ids=str)
def test_random_numbers_that_no_generator_has(tmp_path, change):
    path, header, arrays = good(tmp_path)
    header["rng"] |= change
    checkpoint.write(path, header, arrays)
    refusal(path)


def test_the_text_of_a_header_may_be_anything(tmp_path):
    path, _, _ = good(tmp_path)
    parts = fuzz.members(path.read_bytes())
    for text in ("[" * 200_000, '{"a":' * 50_000, "null", "5", "", "{", "\ud800", "9" * 100_000, "[]"):
        path.write_bytes(fuzz.with_header(parts, text))
        refusal(path)


def test_no_message_is_long_or_moves_the_cursor(tmp_path):
    path, _, _ = good(tmp_path)
    raw = io.BytesIO()
    np.savez(raw, **{f"{'x' * 5000}\x1b[2J{k}": np.zeros(1) for k in range(9)})
    path.write_bytes(raw.getvalue())
    assert refusal(path).count("x") < 600


def test_verbs_say_one_line_of_any_of_them(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    path, header, arrays = good(tmp_path)
    train = "train temporal --data xor --backend reference --epochs 2 --quiet --resume --out a.npz".split()
    for change in ({"versions": ["1"]}, {"records": [1, 2]}, {"epoch": "3"},
                   {"model": "2-100000000-2"}, {"data": {"name": "\x1b[2J"}}):
        checkpoint.write(path, {**header, **change}, arrays)
        for words in (["info", "a.npz"], ["evaluate", "a.npz"], ["plot", "curves", "a.npz"], train):
            assert cli.main(words) == 1
            error = capsys.readouterr().err
            assert error.startswith("pysnn: error: a.npz: ") and error.count("\n") == 1 and len(error) < 700
