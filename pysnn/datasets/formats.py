"""File formats: IDX (MNIST and its kin), CIFAR-10's binary version and .ts (series.py), read as bytes, checked, then parsed.

IDX: two zero bytes, a type code (8: unsigned byte), the number of dimensions, each size as a big-endian uint32, then
the numbers, last index fastest. CIFAR-10 binary: records of 3073 bytes, a label and then the red, green and blue plane
of 32 x 32 pixels, row by row. No format here is a pickle, and nothing is ever unpickled: a pickle can run any code.
"""

import gzip
import hashlib
import json
import math
import pathlib
import warnings
import zlib
from typing import NamedTuple

import numpy as np

from .catalogue import FILES, STORED, DataError
from .series import joined_series, parse_ts

GZIP_MAGIC = b"\x1f\x8b"
UNSIGNED_BYTE = 8
CIFAR_RECORD = 1 + 3 * 32 * 32
LARGEST = 64 << 20      # bytes, more than any file of a data set has
CIFAR_LABELS = {"data": "train_lables.json", "test": "test_lables.json"}  # spelt so in the npm package


def read_idx(path):
    """Read an IDX file of unsigned bytes, raw or gzipped (told by content, not by name).

    Parameters
    ----------
    path : str or pathlib.Path
        The file.

    Returns
    -------
    numpy.ndarray
        uint8, of the shape written in the file; a fresh array.

    Raises
    ------
    ValueError
        If the file is not IDX, holds other than unsigned bytes, or is shorter or longer than its header says.
    """
    path = pathlib.Path(path)
    start = _read(path, 4 + 4 * 255)
    n_dims = start[3] if len(start) > 3 else 0
    shape = np.frombuffer(start[4:4 + 4 * n_dims][:4 * (len(start[4:4 + 4 * n_dims]) // 4)], ">u4")
    return parse_idx(_read(path, 4 + 4 * n_dims + math.prod(map(int, shape)) + 1), path)


def parse_idx(data, path):
    """Turn the content of an IDX file into an array."""
    if len(data) < 4 or data[:2] != b"\0\0" or not 1 <= data[3] <= 4:
        raise ValueError(f"{path}: not an IDX file: expected it to begin 00 00 08 and the number of dimensions, 1 to "
                         f"4, got {data[:4].hex(' ') or 'an empty file'}")
    if data[2] != UNSIGNED_BYTE:
        raise ValueError(f"{path}: expected IDX type code 08 (unsigned byte), got {data[2]:02x}")
    begin = 4 + 4 * data[3]
    if len(data) < begin:
        raise ValueError(f"{path}: truncated: {data[3]} dimensions need a header of {begin} bytes, got {len(data)}")
    shape = tuple(int(n) for n in np.frombuffer(data, ">u4", data[3], offset=4))
    wanted = begin + math.prod(shape)
    if len(data) != wanted:
        verdict = "truncated" if len(data) < wanted else "too long"
        raise ValueError(f"{path}: {verdict}: shape {shape} needs {wanted} bytes, got {len(data)}")
    return np.frombuffer(data, np.uint8, offset=begin).reshape(shape).copy()


def parse_cifar(data, path):
    """Turn the content of a file of CIFAR-10's binary version into arrays."""
    if not data or len(data) % CIFAR_RECORD:
        raise ValueError(f"{path}: expected records of {CIFAR_RECORD} bytes (a label, 3 x 32 x 32 pixels), "
                         f"got {len(data)} bytes, {len(data) % CIFAR_RECORD} beyond the last whole one")
    records = np.frombuffer(data, np.uint8).reshape(-1, CIFAR_RECORD)
    if records[:, 0].max() > 9:
        raise ValueError(f"{path}: expected labels 0 to 9, got {records[:, 0].max()}")
    images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), records[:, 0].astype(np.int64)


def verified(name, file, folder):
    """Give the content of one file of a data set, in the stored form, whatever accepted form `folder` holds it in."""
    path = _find(name, file, pathlib.Path(folder))
    try:
        data = _read_sheet(path, file) if path.suffix == ".png" else _read(path)
    except (DataError, OSError):
        raise
    except Exception as error:      # zlib, Pillow, json: a damaged file can fail anywhere
        raise DataError(str(error) or f"{path}: {type(error).__name__}") from error
    if len(data) > LARGEST:
        raise DataError(f"{path}: expected at most {LARGEST:,} bytes, got more")
    md5, expected = hashlib.md5(data, usedforsecurity=False).hexdigest(), FILES[name][file]
    if md5 != expected:
        raise DataError(f"{path}: expected content of md5 {expected}, found {md5}{_diagnosis(name, data)}")
    return data


def _find(name, file, folder):
    """Find a file in any of its accepted forms."""
    form = format_of(name)
    for place in (folder, *(folder / sub for sub in form.subfolders)):
        for stored in form.names(file):
            if (place / stored).is_file():
                return place / stored
    for pickle in form.pickles(file):
        if (folder / pickle).exists():
            raise DataError(f"{folder / pickle} belongs to the python version of CIFAR-10, which is a pickle and "
                            "can run any code when read; pysnn loads without pickle. Wanted is the binary "
                            "version (cifar-10-binary.tar.gz, unpacked)")
    raise DataError(f"{folder} holds no {file}" if folder.is_dir() else f"there is no folder {folder}")


def _read(path, most=LARGEST + 1):
    """Read the first bytes of a file, unpacking gzip."""
    data = bytearray()
    with open(path, "rb") as file:
        packed = file.read(2) == GZIP_MAGIC
        file.seek(0)
        file = gzip.GzipFile(fileobj=file) if packed else file
        try:
            while piece := file.read(min(1 << 20, most - len(data))):
                data += piece
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"{path}: truncated or damaged gzip file ({error})") from error
    return data


def _read_sheet(path, file):
    """Rebuild a CIFAR-10 binary file from a PNG sheet (one image a row of 1024 pixels) and the JSON list of labels."""
    try:
        from PIL import Image
    except ImportError as error:
        raise DataError(f"{path}: reading PNG sheets needs Pillow: pip install pillow") from error
    labels_path = path.with_name(CIFAR_LABELS[file.split("_")[0]])
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path, formats=["PNG"]) as sheet:
            if sheet.width != 1024 or sheet.height > 10_000:
                raise ValueError(f"expected up to 10,000 rows of 1024 pixels, got {sheet.height} of {sheet.width}")
            pixels = np.asarray(sheet.convert("RGB"))
        labels = np.array(json.loads(_read(labels_path, 1 << 20)), np.uint8, ndmin=1)
    except Exception as error:      # Pillow, json: a damaged file can fail anywhere
        raise ValueError(f"{path} with {labels_path.name}: cannot be read ({error!s:.200})") from error
    n = len(pixels)
    begin = n * (int(file.split("_")[2].removesuffix(".bin")) - 1) if file.startswith("data") else 0
    labels = labels[begin:begin + n]
    if pixels.shape != (n, 1024, 3) or len(labels) != n:
        raise ValueError(f"{path}: expected rows of 1024 pixels and a label each, got shape {pixels.shape} "
                         f"and {len(labels)} labels in {labels_path.name}")
    planes = pixels.reshape(n, 1024, 3).transpose(0, 2, 1).reshape(n, -1)
    return np.hstack([labels[:, None], planes]).tobytes()


def _diagnosis(name, data):
    """Say why a content of the wrong md5 is wrong, where its format shows it."""
    try:
        format_of(name).parse(data, "it")
    except ValueError as error:
        return f" ({error})"
    return " (well-formed: another data set, or altered numbers)"


class Format(NamedTuple):
    """How the files of a data set are stored, and what that takes."""

    parse: object           # (content, path for messages) -> what one file holds
    joined: object          # (what the files of catalogue.FILES hold, in order) -> x_train, y_train, x_test, y_test, or lengths besides
    names: object           # (file) -> names that it may have in a folder
    by_hand: str            # which files to get without `fetch`
    subfolders: tuple = ()                  # what unpacking the published archive makes
    pickles: object = lambda file: ()       # (file) -> what a version as pickles looks like: it is refused
    npm_has_png: bool = False
    kind: str = "image"                     # of the Dataset


def format_of(name):
    """Tell how a data set is stored."""
    return FORMATS[STORED[name]]


def _joined_idx(parts):
    x_train, y_train, x_test, y_test = parts
    return x_train, y_train.astype(np.int64), x_test, y_test.astype(np.int64)


def _joined_cifar(parts):
    *train, test = parts
    x_train, y_train = (np.concatenate(batches) for batches in zip(*train, strict=True))
    return x_train, y_train, *test


def _idx_names(file):
    dotted = file.replace("-idx", ".idx")
    return file, dotted, file + ".gz", dotted + ".gz"


FORMATS = {
    "idx": Format(parse_idx, _joined_idx, _idx_names, "raw or gzipped (.gz)"),
    "cifar": Format(parse_cifar, _joined_cifar, lambda file: (file, file.removesuffix(".bin") + ".png"),
                    "from cifar-10-binary.tar.gz, not the python version", ("cifar-10-batches-bin",),
                    lambda file: (file.removesuffix(".bin"), "cifar-10-batches-py", "cifar-10-python.tar.gz"), npm_has_png=True),
    "ts": Format(parse_ts, joined_series, lambda file: (file,), "from the wheel of the package aeon, unzipped", kind="sequence"),
}
