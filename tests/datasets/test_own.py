"""Data of users' own by one call: what comes out, what is refused, and in which words."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pysnn import data, datasets, training
from pysnn.conventions import Sequences
from pysnn.datasets import _rows
from pysnn.learning import surrogate, temporal
from tests.cases.command import ENV

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3)) * [1, 100, 0.01] + [0, 50, 7]
Y = np.repeat(["b", "a", "c"], [40, 15, 5])
IMAGES = RNG.integers(0, 256, (30, 5, 4, 3)).astype(np.uint8)
LABELS = np.arange(30) % 3


def parts(own):
    return [(own.x_train, own.y_train), (own.x_val, own.y_val), (own.x_test, own.y_test)]


def rows(x):
    return {tuple(row) for row in np.asarray(x).round(9).tolist()}


# ---- classes, split, scale

def test_one_module_two_names():
    assert data is datasets and data.from_csv is datasets.from_csv
    assert {name for name in datasets.__all__ if name.startswith("from_")} == {
        f"from_{what}" for what in ("arrays", "frame", "csv", "npz", "folder", "series", "events", "times")}


def test_split_is_stratified_seeded_and_complete():
    own = data.from_arrays(X, Y, test=0.2, val=0.25, name="mine")
    assert (own.name, own.kind, own.classes) == ("mine", "points", ("a", "b", "c"))
    assert [len(y) for _, y in parts(own)] == [36, 12, 12]
    assert [np.bincount(y).tolist() for _, y in parts(own)] == [[9, 24, 3], [3, 8, 1], [3, 8, 1]]
    again, other = data.from_arrays(X, Y, test=0.2, val=0.25), data.from_arrays(X, Y, test=0.2, val=0.25, seed=1)
    assert (again.x_train == own.x_train).all() and (other.x_train != own.x_train).any()
    train, val = datasets.held_out(own)
    assert train[0] is not None and (val[0] == own.x_val).all() and len(train[1]) == 36
    numbered = data.from_arrays(X, Y, test=7, val=0)
    assert [len(numbered.y_test), numbered.x_val, len(numbered.y_train)] == [7, None, 53]
    assert len(data.from_arrays(X, Y, test=0).x_test) == 0


def test_scale_is_that_of_the_training_part_alone():
    own = data.from_arrays(X, Y)
    back = own.x_train * own.scale.span + own.scale.low
    assert rows(back) <= rows(X) and own.x_train.min() == 0 and (own.x_train.max(axis=0) == 1).all() and own.x_train.dtype == np.float64
    np.testing.assert_allclose([own.scale.low, own.scale.low + own.scale.span], [back.min(axis=0), back.max(axis=0)])
    np.testing.assert_array_equal(own.scaled(back), own.x_train)
    wild = data.from_arrays(X, Y, test=(X[:3] * 1e6, Y[:3]), val=0)
    assert set(wild.x_test.ravel()) <= {0.0, 1.0} and (wild.scale.low == X.min(axis=0)).all() and len(wild.x_train) == 60
    assert data.from_arrays(X.astype(np.float32), Y).x_test.dtype == np.float32
    constant = data.from_arrays(np.column_stack([X, np.full(60, 3)]), Y)
    assert (constant.x_train[:, 3] == 0).all()


def test_images_keep_size_channels_and_bytes():
    own = data.from_arrays(IMAGES, LABELS)
    assert own.kind == "image" and own.x_train.shape == (22, 5, 4, 3) and own.x_train.dtype == np.uint8 and own.scale is None
    unit = data.from_arrays(IMAGES / 255, LABELS)
    assert 0 <= unit.x_train.min() and (own.x_train / 255 == unit.x_train).all()
    wide = data.from_arrays(IMAGES * 3.0, LABELS)
    assert wide.x_train.min() == 0 and wide.x_train.max() == 1 and wide.scale.low.shape == ()
    assert data.from_arrays(IMAGES[..., 0], LABELS).x_train.shape == (22, 5, 4)


LABELLED = {
    "words": (["no", "yes"] * 10, ("no", "yes")), "truth": (np.arange(20) % 2 == 0, ("False", "True")),
    "gaps": (np.tile([7, -1, 30, 7], 5), ("-1", "7", "30")), "whole floats": (np.tile([2.0, 1.0], 10), ("1", "2")),
    "objects": (np.array(["b", "a"] * 10, object), ("a", "b")), "a column": (np.tile([[1], [0]], (10, 1)), ("0", "1")),
    "bytes": (np.tile(np.array([3, 200], np.uint8), 10), ("3", "200")),
}


@pytest.mark.parametrize("kind", LABELLED)
def test_labels_of_any_kind(kind):
    y, classes = LABELLED[kind]
    own = data.from_arrays(np.arange(40.0).reshape(20, 2), y, test=(np.arange(4.0).reshape(2, 2), y[:2]), val=0)
    values = np.ravel(y)
    assert own.classes == classes and own.y_train.dtype == np.int64
    assert [own.classes[k] for k in own.y_train] == [str(v) if kind != "whole floats" else str(int(v)) for v in values]
    assert (own.y_test == own.y_train[:2]).all()


def test_parts_may_lack_classes_and_unequal_ones_are_said():
    own = data.from_arrays(X, Y, test=(X[:4], Y[:4]), val=(X[-3:], Y[-3:]))
    assert own.classes == ("a", "b", "c") and own.y_test.tolist() == [1] * 4 and own.y_val.tolist() == [2] * 3 and len(own.y_train) == 60
    assert own.unequal and "a 15, b 40, c 5; unequal classes" in str(own) and "\n" not in str(own)
    assert not data.from_arrays(IMAGES, LABELS).unequal and "unequal" not in str(data.from_arrays(IMAGES, LABELS))
    assert temporal.settings_for(own).class_weight == "balanced" and temporal.settings_for(own).model.shapes[-1] == (3,)
    assert "20 classes in training: 2 to 2 each" in str(data.from_arrays(np.zeros((40, 2)), np.arange(40) % 20, test=0, val=0))


# ---- frames and files

def frame_of(x=X, y=Y, names="pqr"):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(x, columns=list(names))
    frame.insert(1, "label", y)
    return frame


def test_frames():
    own = data.from_frame(frame_of(), "label")
    ref = data.from_arrays(X, Y)
    assert all((a == b).all() for pair, other in zip(parts(own), parts(ref), strict=True) for a, b in zip(pair, other, strict=True))
    given = data.from_frame(frame_of(), "label", val=frame_of()[["r", "label", "q", "p"]][:7], test=frame_of()[7:9])
    assert len(given.y_train) == 60 and rows(given.x_val) == rows(given.x_train[:7])


class Polars:
    """A frame as other packages make it: columns by name, no index, no dtypes."""

    def __init__(self, **columns):
        self.named, self.columns = columns, list(columns)

    def __getitem__(self, name):
        return self.named[name]

    def __len__(self):
        return len(self.named[self.columns[0]])

    def to_numpy(self):
        return np.column_stack(list(self.named.values()))


def test_frames_of_other_packages(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    own = data.from_frame(Polars(a=X[:, 0], b=X[:, 1], y=Y), "y")
    assert own.x_train.shape[1:] == (2,) and own.classes == ("a", "b", "c")


def write_csv(path, x=X, y=Y, separator=",", head="p,q,r,label"):
    lines = [separator.join([*map(repr, row), str(label)]) for row, label in zip(x.tolist(), y, strict=True)]
    path.write_text("\n".join([head.replace(",", separator), *lines]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv(tmp_path, separator):
    own, ref = data.from_csv(write_csv(tmp_path / "my.csv", separator=separator), "label"), data.from_arrays(X, Y)
    assert own.name == "my.csv" and (own.x_train == ref.x_train).all() and (own.y_test == ref.y_test).all()
    other = write_csv(tmp_path / "other.csv", X[:9], Y[:9], separator)
    assert len(data.from_csv(tmp_path / "my.csv", "label", test=other).y_test) == 9
    numbers = write_csv(tmp_path / "numbers.csv", X, np.tile([10, 9, 2], 20), separator)
    assert data.from_csv(numbers, "label").classes == ("2", "9", "10")


def test_npz(tmp_path):
    np.savez(tmp_path / "a.npz", x=IMAGES / np.float32(255), y=LABELS)
    np.savez(tmp_path / "b.npz", x_train=IMAGES, y_train=LABELS, x_test=IMAGES[:3], y_test=LABELS[:3], x_val=IMAGES[:2], y_val=LABELS[:2])
    own, given = data.from_npz(tmp_path / "a.npz"), data.from_npz(tmp_path / "b.npz")
    assert own.name == "a.npz" and own.x_train.dtype == np.float32 and len(own.y_test) == 6
    assert (len(given.y_train), len(given.y_val), len(given.y_test)) == (30, 2, 3)
    np.savez(tmp_path / "c.npz", x=IMAGES[:4], y=LABELS[:4])
    assert len(data.from_npz(tmp_path / "b.npz", test=str(tmp_path / "c.npz")).y_test) == 4


def write_images(folder, classes, shape=(6, 8), n=6, mode=None):
    image = pytest.importorskip("PIL.Image")
    for name in classes:
        (folder / name).mkdir(parents=True)
        for k in range(n):
            image.fromarray(RNG.integers(0, 256, shape).astype(np.uint8), mode).save(folder / name / f"{k}.png")
    return folder


def test_folders(tmp_path):
    grey, colour = write_images(tmp_path / "grey", "ab"), write_images(tmp_path / "colour", "ab", (6, 8, 3))
    (grey / "a" / "notes.txt").write_text("no image")
    own = data.from_folder(grey)
    assert own.name == "grey" and own.classes == ("a", "b") and own.x_train.shape[1:] == (6, 8) and own.x_train.dtype == np.uint8
    assert data.from_folder(colour).x_train.shape[1:] == (6, 8, 3) and data.from_folder(colour, channels=1).x_train.shape[1:] == (6, 8)
    assert data.from_folder(grey, size=(3, 5), channels=3).x_train.shape[1:] == (3, 5, 3)
    split = tmp_path / "split"
    for part, n in (("train", 6), ("test", 2), ("val", 1)):
        write_images(split / part, "ab", n=n)
    assert [len(y) for _, y in parts(data.from_folder(split))] == [12, 2, 4]
    assert len(data.from_folder(grey, test=write_images(tmp_path / "more", "ab", n=4)).y_test) == 8
    write_images(tmp_path / "wide", "a", (6, 9))
    with pytest.raises(ValueError, match=r"0.png: expected an image of 6 x 8 pixels as in the training part, got 6 x 9"):
        data.from_folder(grey, test=tmp_path / "wide")


# ---- time

def test_series_are_standardised_by_the_training_part():
    some = [RNG.normal(5, 2, (n, 2)) for n in np.arange(30) % 4 + 3]
    own = data.from_series(some, LABELS)
    train, val = datasets.held_out(own)
    values = train[0].x[train[0].there.T]
    assert own.kind == "sequence" and isinstance(val[0], Sequences) and own.x_train.shape[1] == 6
    np.testing.assert_allclose([values.mean(axis=0), values.std(axis=0)], [[0, 0], [1, 1]], atol=1e-12)
    assert all(not x[n:].any() for x, n in zip(own.x_train, own.lengths_train, strict=True))
    datasets.loading._checked("own", own)
    new = own.scaled(some[:3])
    assert new.lengths.tolist() == [3, 4, 5] and abs(new.x[0, 0, 0] - (some[0][0, 0] - own.scale.low[0]) / own.scale.span[0]) < 1e-12
    longer = data.from_series(some, LABELS, test=(np.ones((2, 9, 2)), [0, 1]))
    assert longer.x_train.shape[1] == longer.x_test.shape[1] == 9 and longer.lengths_test.tolist() == [9, 9]
    assert data.from_series(np.ones((6, 4)), LABELS[:6], test=0).x_train.shape[1:] == (4, 1)
    settings = surrogate.settings_for(own, model="2-8d-R0.9-3d-I0.9", epochs=1, backend="reference")
    assert settings.n_steps == 6 and next(training.epochs(training.start("surrogate", settings), train, val))["epoch"] == 1


def test_spikes_and_events_stay_spikes():
    spikes = RNG.integers(0, 2, (12, 5, 3)).astype(np.uint8)
    own = data.from_series(spikes, LABELS[:12], test=0, val=0)
    assert own.scale is None and (own.x_train == spikes).all() and own.lengths_train is None
    samples = [(np.array([0.0, 0.25, 0.5]), np.array([0, k % 3, 1])) for k in range(12)]
    events = data.from_events(samples, LABELS[:12], 4, test=0, val=0)
    assert events.x_train.dtype == np.uint8 and events.x_train.shape == (12, 4, 3) and events.x_train.sum() == 36
    assert events.x_train[0, 3].tolist() == [0, 1, 0]
    sized = data.from_events(samples, LABELS[:12], (4, 5, 1.0), test=(samples[:2], LABELS[:2]), val=0)
    assert sized.x_train.shape == (12, 4, 5) and sized.x_test.shape == (2, 4, 5) and sized.x_train[0, 2].tolist() == [0, 1, 0, 0, 0]


# ---- arrays on disk

def mapped(path, x):
    np.save(path, x)
    return np.load(path, mmap_mode="r")


@pytest.mark.parametrize("kind", ["uint8", "float32", "int64", "fortran", "a part"])
def test_memory_mapped_arrays_are_read_batch_by_batch(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(_rows, "PIECE", 20)
    x = (X * 10).astype({"fortran": "float64", "a part": "float32"}.get(kind, kind))
    x = np.abs(x).astype(np.uint8) if kind == "uint8" else np.asfortranarray(x) if kind == "fortran" else x
    there = mapped(tmp_path / "x.npy", x)
    some = slice(5, 55) if kind == "a part" else slice(None)
    own, ref = (data.from_arrays(each[some] if kind == "a part" else each, Y[some], seed=1) for each in (there, x))
    for (got, y), (wanted, labels) in zip(parts(own), parts(ref), strict=True):
        assert not isinstance(got, np.ndarray) and got.shape == wanted.shape and got.dtype == wanted.dtype
        assert (got[:] == wanted).all() and (got[[2, 1]] == wanted[[2, 1]]).all() and (y == labels).all()
    chosen = {"epochs": 1, "backend": "reference", "batch": 16}
    runs = []
    for each in (own, ref):
        runs.append(training.start("temporal", temporal.settings_for(each, **chosen)))
        list(training.epochs(runs[-1], *datasets.held_out(each)))
    assert all((w == runs[1].nets.net.params[name]).all() for name, w in runs[0].nets.net.params.items())
    assert runs[0].rule.score(runs[0].nets, *own.test) == runs[1].rule.score(runs[1].nets, *ref.test)


def test_memory_mapped_arrays_are_checked_piece_by_piece(tmp_path, monkeypatch):
    monkeypatch.setattr(_rows, "PIECE", 20)
    x = X.copy()
    x[37, 2] = np.nan
    with pytest.raises(ValueError, match="x: expected finite numbers, got nan in row 37, column 2"):
        data.from_arrays(mapped(tmp_path / "x.npy", x), Y)


CHILD = """
import re, sys
import numpy as np
from pysnn import data, training
from pysnn.learning import temporal
own = data.from_arrays(np.load(sys.argv[1], mmap_mode="r"), np.arange(100_000) % 10)
run = training.start("temporal", temporal.settings_for(own, model="784-20-10", epochs=1, batch=1000, backend="reference"))
list(training.epochs(run, *data.held_out(own)))
print(*re.findall(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read()))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="how much memory a process takes is read from Linux")
def test_a_large_array_on_disk_trains_in_little_memory(tmp_path):
    """The whole array of 75 MiB is read in an epoch, and does not stay; the file has holes, so that it takes no room."""
    x = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.uint8, (100_000, 784))
    x[:1000] = RNG.integers(0, 256, (1000, 784))
    x.flush()
    done = subprocess.run([sys.executable, "-c", CHILD, str(tmp_path / "x.npy")], capture_output=True, text=True, env=ENV)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) / 1024 < 250             # getrusage would count what the process that started it had, too


# ---- what is refused

CELL = X.copy()
CELL[4, 1] = np.nan


def csv_of(text):
    def call(folder):
        (folder / "my.csv").write_text(text, encoding="utf-8")
        return data.from_csv(folder / "my.csv", "y")
    return call


def folder_with(make):
    def call(folder):
        write_images(folder / "photos", "ab", n=3)
        make(folder / "photos")
        return data.from_folder(folder / "photos")
    return call


def npz_of(**arrays):
    def call(folder):
        np.savez(folder / "a.npz", **arrays)
        return data.from_npz(folder / "a.npz")
    return call


def with_objects(column, k, value):
    frame = frame_of().astype({column: object})
    frame.loc[k, column] = value
    return frame


BAD = {
    "a cell of NaN": (lambda f: data.from_arrays(CELL, Y), "x: expected finite numbers, got nan in row 4, column 1"),
    "text as samples": (lambda f: data.from_arrays([["a", 1]] * 4, [0, 1, 0, 1]), "x: expected numbers, got list [['a', 1]"),
    "one row": (lambda f: data.from_arrays(X[0], Y), "x: expected samples as rows, (N, n), or images"),
    "no rows": (lambda f: data.from_arrays(X[:0], Y[:0]), "or images, (N, H, W) or (N, H, W, C), and some, got"),
    "images of different sizes": (lambda f: data.from_arrays([np.zeros((2, 2)), np.zeros((3, 3))], [0, 1]), "x: expected numbers, got"),
    "channels first": (lambda f: data.from_arrays(np.zeros((4, 3, 8, 8)), [0, 1, 0, 1]), "x: expected images (N, H, W, C), channels last"),
    "lengths that differ": (lambda f: data.from_arrays(X, Y[:9]), "x, y: expected as many labels as samples, got 60 samples and 9 labels"),
    "no labels": (lambda f: data.from_arrays(X, None), "y: expected 60 labels, one a sample, got NoneType"),
    "one label": (lambda f: data.from_arrays(X, np.zeros(60)), "y: expected 2 classes or more, got 0 alone"),
    "a label missing": (lambda f: data.from_arrays(X[:3], ["a", None, "b"]), "y: expected a label in row 1, got None"),
    "a label of NaN": (lambda f: data.from_arrays(X[:3], [0, 1, np.nan]), "y: expected a label in row 2, got nan"),
    "an empty label": (lambda f: data.from_arrays(X[:3], ["a", "", "a"]), "y: expected a label in row 1, got none"),
    "labels of two kinds": (lambda f: data.from_arrays(X[:3], np.array(["a", 1, "b"], object)), "got 'a' in row 0 and 1 in row 1"),
    "a target to regress": (lambda f: data.from_arrays(X, X[:, 0], regression=False), "y: expected class labels, words or whole"),
    "names as labels": (lambda f: data.from_arrays(X, np.arange(60)), "y: expected several samples of a class, got 60 labels that are all"),
    "one-hot": (lambda f: data.from_arrays(X, np.eye(3)[np.arange(60) % 3]), "y: expected 60 labels, one a sample, got an array of"),
    "labels with a line break": (lambda f: data.from_arrays(X[:4], ["a\n", "b"] * 2), "y: expected labels that can be printed, got 'a\\n'"),
    "a share of 1": (lambda f: data.from_arrays(X, Y, test=1.0), "test: expected a share from 0 to below 1, a number of samples from 0"),
    "all as test": (lambda f: data.from_arrays(X, Y, test=60), "a number of samples from 0 to 59, or samples and labels, got int 60"),
    "a class used up": (lambda f: data.from_arrays(X, Y, test=59), "y: expected a training sample of each class, got none of"),
    "samples without labels": (lambda f: data.from_arrays(X, Y, val=(X,)), "val: expected samples and labels, got 1 things"),
    "other columns": (lambda f: data.from_arrays(X, Y, val=(X[:, :2], Y)), "x of val: expected samples like those of training, (3,)"),
    "other bytes": (lambda f: data.from_arrays(IMAGES, LABELS, test=(IMAGES / 255, LABELS)), "x of test: expected samples like those of"),
    "an unknown label": (lambda f: data.from_arrays(X, Y, test=(X[:2], ["a", "z"])),
                         "y of test: expected labels of the training part, a, b, c, got 'z' in row 1"),
    "labels of another kind": (lambda f: data.from_arrays(X, Y, test=(X[:2], [0, 1])), "y of test: expected labels of the training part"),
    "new samples of another shape": (lambda f: data.from_arrays(X, Y).scaled(X[:, :2]), "x: expected samples of shape (3,), got"),
    "no frame": (lambda f: data.from_frame(X, "y"), "frame: expected a frame with columns and to_numpy"),
    "no such column": (lambda f: data.from_frame(frame_of(), "y"), "target: expected one column of p, label, q, r, and another"),
    "text in a frame": (lambda f: data.from_frame(with_objects("q", 7, "red"), "label"),
                        "frame, row 7, column q: expected a finite number, got 'red'"),
    "a hole in a frame": (lambda f: data.from_frame(with_objects("r", 5, None), "label"), "frame, row 5, column r: expected a finite"),
    "a label missing in a frame": (lambda f: data.from_frame(with_objects("label", 5, None), "label"), "y: expected a label in row 5, got"),
    "an empty frame": (lambda f: data.from_frame(frame_of()[:0], "label"), "frame: expected rows, got none"),
    "a frame that lacks a column": (lambda f: data.from_frame(frame_of(), "label", val=frame_of()[["p", "label"]]), "val: expected a colu"),
    "text in a CSV file": (csv_of("p,q,y\n1,2,a\n3,red,b\n"), "my.csv, line 3, column q: expected a finite number, got 'red'"),
    "a hole in a CSV file": (csv_of("p,q,y\n1,2,a\n\n,4,b\n"), "my.csv, line 4, column p: expected a finite number, got none"),
    "nan in a CSV file": (csv_of("p,q,y\n1,nan,a\n3,4,b\n"), "my.csv, line 2, column q: expected a finite number, got 'nan'"),
    "a label missing in a CSV file": (csv_of("p,q,y\n1,2,a\n3,4,\n"), "my.csv, line 3: expected a label in column y, got none"),
    "a short line": (csv_of("p,q,y\n1,2,a\n3,4\n"), "my.csv, line 3: expected 3 columns, got 2"),
    "an empty CSV file": (csv_of(""), "my.csv: expected a line of names and then samples, got 0 lines"),
    "names alone": (csv_of("p,q,y\n"), "my.csv: expected a line of names and then samples, got 1 lines"),
    "no target": (csv_of("p,q\n1,2\n"), "my.csv: expected a first line of names, each once, with the target 'y' and others, got p, q"),
    "a name twice": (csv_of("p,p,y\n1,2,a\n"), "my.csv: expected a first line of names, each once"),
    "one class in a CSV file": (csv_of("p,q,y\n1,2,a\n3,4,a\n"), "my.csv: y: expected 2 classes or more, got 'a' alone"),
    "no NPZ file": (lambda f: data.from_npz(f / "none.npz"), "none.npz: No such file or directory"),
    "no labels in an NPZ file": (npz_of(x=X), "a.npz: expected arrays x and y, got x"),
    "other names": (npz_of(images=X, labels=LABELS), "a.npz: expected arrays x and y, got none"),
    "half a test part": (npz_of(x=X, y=np.arange(60) % 2, x_test=X), "a.npz: expected arrays x_test and y_test, got x, y, x_test"),
    "a list of objects": (npz_of(x=X, y=np.array([None] * 60)), "a.npz: expected a .npz file of arrays, got another or a damaged one"),
    "no folder": (lambda f: data.from_folder(f / "none"), "none: expected a folder with a folder of images for each class, got none"),
    "no folders": (lambda f: data.from_folder(f), "expected a folder of images for each class, got no folders"),
    "an empty class": (folder_with(lambda p: (p / "c").mkdir()), "photos: expected a folder of images for each class, got none in c"),
    "an image without class": (folder_with(lambda p: (p / "stray.png").write_bytes(b"")), "got stray.png beside the folders"),
    "a damaged image": (folder_with(lambda p: (p / "b" / "2.png").write_bytes(b"\x89PNG")), "2.png: expected an image, got a damaged file"),
    "two sizes": (folder_with(lambda p: write_images(p, ["c"], (3, 3))), "0.png: expected an image of 6 x 8 pixels as in "),
    "two channels": (lambda f: data.from_folder(write_images(f / "p", "ab"), channels=2), "channels: expected 1 or 3, got 2"),
    "sequences of other channels": (lambda f: data.from_series([np.ones((3, 2)), np.ones((3, 1))], [0, 1]),
                                    "x: expected as many channels in all sequences, got"),
    "test sequences of other channels": (lambda f: data.from_series(np.ones((6, 4, 2)), LABELS[:6], test=(np.ones((2, 4, 3)), [0, 1])),
                                         "x of test: expected 2 channels, as in training, got 3"),
    "an empty sequence": (lambda f: data.from_series([np.ones((3, 2)), np.ones((0, 2))], [0, 1]), "x[1]: expected at least one step"),
    "events out of order": (lambda f: data.from_events([([0.2, 0.1], [0, 1])] * 4, [0, 1, 0, 1], 5), "sample 0: expected times in order"),
    "no events": (lambda f: data.from_events([3, 4], [0, 1], 5), "sample 0: expected Events, got int 3"),
}


@pytest.mark.parametrize("case", BAD)
def test_refused_in_one_line(case, tmp_path):
    call, words = BAD[case]
    with pytest.raises((TypeError, ValueError)) as caught:
        call(tmp_path)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_images_need_pillow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match="reading images needs Pillow: pip install pillow"):
        data.from_folder(tmp_path)


def test_spike_times_stay_as_they_are():
    t = np.where(RNG.random((60, 4)) < 0.1, np.inf, RNG.uniform(0, 3, (60, 4)))
    own = data.from_times(t, Y)
    joined = np.concatenate([x for x, _ in parts(own)])
    assert own.kind == "points" and own.scale is None and sorted(map(tuple, joined.tolist())) == sorted(map(tuple, t.tolist()))
    for bad, said in ((np.full((60, 4), np.nan), "x: expected spike times .* got nan in row 0"), (np.zeros((60, 4), int), "as floats")):
        with pytest.raises(ValueError, match=said):
            data.from_times(bad, Y)
