"""Mutated data files of every format that is read: the published numbers come out, or one sentence; `fetch` goes on to the next source."""

import contextlib
import functools
import gzip
import hashlib
import io
import json
import shutil
import struct
import tarfile
import zlib
from pathlib import Path

import numpy as np

from pysnn import datasets
from pysnn.datasets import catalogue, formats, loading, sources
from pysnn.datasets.sources import Source

from .checkpoints import flipped, spliced, truncated

IMAGES = "train-images-idx3-ubyte"
SERIES = """# series of two dimensions
@problemName Any
@timestamps false
@missing false
@dimensions 2
@equalLength false
@classLabel true a b
@data
1,2.5,-3e-2:0,0,1:a
4:5:b
1e3,-2:0.125,7:a
"""


def idx(array):
    """Write an array as IDX."""
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.astype(np.uint8).tobytes()


def tiny(rng):
    """Make two tiny data sets; return {name: {file: content}}."""
    mnist = dict(zip(catalogue.FILES["mnist"], (idx(rng.integers(0, 256, (30, 8, 8))), idx(np.arange(30) % 10),
                                                idx(rng.integers(0, 256, (20, 8, 8))), idx(np.arange(20) % 10)), strict=True))
    cifar = {}
    for file in catalogue.FILES["cifar10"]:
        records = rng.integers(0, 256, (4, formats.CIFAR_RECORD), dtype=np.uint8)
        records[:, 0] %= 10
        cifar[file] = records.tobytes()
    series = dict.fromkeys(catalogue.FILES["gun-point"], SERIES.encode())
    return {"mnist": mnist, "cifar10": cifar, "gun-point": series}


@contextlib.contextmanager
def published(contents):
    """Let these be the published files, with no public source."""
    files, public = dict(catalogue.FILES), dict(sources.PUBLIC)
    try:
        for name, some in contents.items():
            catalogue.FILES[name] = {file: hashlib.md5(data, usedforsecurity=False).hexdigest() for file, data in some.items()}
            sources.PUBLIC[name] = []
        yield
    finally:
        catalogue.FILES.update(files)
        sources.PUBLIC.update(public)


def place(contents, folder):
    """Write files into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return folder


def tar_of(contents):
    """Pack files into a .tar.gz."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, data in contents.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def run(n, seed, tally, limit):
    """Draw n mutants, read each."""
    rng = np.random.default_rng(seed)
    contents = tiny(rng)
    small = io.BytesIO()
    np.savez(small, **dict(zip(("x_train", "y_train", "x_test", "y_test"), (np.zeros((4, 2)),) * 4, strict=True)))
    with published(contents):
        readers = {"idx": _idx, "idx.gz": _idx_gz, "cifar": _cifar, "png": _png, "labels": _png, "npz": _npz, "tar.gz": _tar,
                   "ts": _ts, "hdf5": _hdf5, "nmnist": _nmnist}
        state = {"contents": contents, "sheet": _sheet(contents), "npz": small.getvalue(), "tar": tar_of(contents["mnist"]),
                 "nmnist": rng.integers(0, 34, (40, 5), np.uint8).tobytes()}
        for kind, reader in readers.items():
            reader(kind, state, lambda raw: raw, tally, rng)
        limit()
        for k in range(n):
            kind = list(readers)[k % len(readers)]
            readers[kind](kind, state, lambda raw: mutated(raw, rng), tally, rng)
    return max(len(state["npz"]), len(state["tar"]))


def mutated(raw, rng):
    """Damage a file: one to three changes, or something else altogether."""
    if rng.random() < 0.1:
        return extremes()[rng.integers(len(extremes()))]
    for _ in range(rng.integers(1, 4)):
        raw = (flipped, truncated, spliced)[rng.integers(3)](raw, rng) if raw else raw
    return raw


@functools.cache
def zeros():
    """Pack 150 MiB of zeros by gzip, without holding them."""
    pack = zlib.compressobj(1, zlib.DEFLATED, 31)
    return b"".join([*(pack.compress(bytes(1 << 20)) for _ in range(150)), pack.flush()])


def _png_of(width, height):
    """Make the beginning of a PNG of any size, with few bytes of pixels."""
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(bytes(100_000))) + chunk(b"IEND", b""))


@functools.cache
def extremes():
    """Make files that claim or unpack to far too much, or nest without end."""
    return (b"", b"\x1f\x8b",
            b"\0\0\x08\xff" + b"\xff" * 2000, b"\0\0\x08\x03" + b"\xff" * 12, b"\0\0\x08\x02" + bytes(8),
            b"[" * 100_000, b'{"a":' * 50_000, b"[1e999, -1, 300]", b"9" * 10_000, b"PK\5\6" + bytes(18), zeros(), gzip.compress(zeros()),
            gzip.compress(b"\0\0\x08\x03" + b"\x7f\xff\xff\xff" * 3), _png_of(30_000, 30_000), _png_of(1024, 100_000), _png_of(1024, 4),
            _png_of(13_000, 13_000), bytes(100_000),
            b"@dimensions 99999\n@classLabel true a\n@data\n" + b"1:" * 99_999 + b"a\n",
            b"@dimensions 999999\n@classLabel true a\n@data\n" + b"1:" * 999_999 + b"a\n",
            b"@classLabel true a\n@data\n" + b"1," * 999_999 + b"1:a\n" + b"1:a\n" * 1000,
            b"@classLabel true a\n@data\n" + b"9" * 5000 + b":a\n", b"@data\n" * 100_000, b"@classLabel true a\n@data\n\x1b[2J:a\n")


def _expect(kind, tally, call, right, errors):
    """Read, and count."""
    try:
        got = call()
    except errors as error:
        if isinstance(error.__cause__, MemoryError):
            return tally.add(kind, "tracebacks", f"out of memory: {error}")
        return tally.refused(kind, " ".join(str(error).split()))
    except BaseException as error:
        return tally.add(kind, "tracebacks", f"{type(error).__name__}: {error}")
    return tally.add(kind, "right" if right(got) else "silent", "other numbers")


def _verified(kind, name, file, folder, state, tally):
    content = state["contents"][name][file]
    _expect(kind, tally, lambda: formats.verified(name, file, folder), lambda got: got == content, (datasets.DataError, OSError))


def _idx(kind, state, change, tally, rng):
    """Read an IDX file on its own, where only the shape can be checked, and as one of a data set."""
    raw = change(state["contents"]["mnist"][IMAGES])
    folder = place({IMAGES: raw}, Path("idx"))
    _expect(kind, tally, lambda: datasets.read_idx(folder / IMAGES), lambda got: idx(got) == raw or raw[:2] == b"\x1f\x8b", ValueError)
    _verified(kind, "mnist", IMAGES, folder, state, tally)


def _idx_gz(kind, state, change, tally, rng):
    """Read a gzipped one."""
    folder = place({IMAGES + ".gz": change(gzip.compress(state["contents"]["mnist"][IMAGES], 1))}, Path("idxgz"))
    _expect(kind, tally, lambda: datasets.read_idx(folder / (IMAGES + ".gz")), lambda got: got.dtype == np.uint8, ValueError)
    _verified(kind, "mnist", IMAGES, folder, state, tally)


def _cifar(kind, state, change, tally, rng):
    """Read CIFAR-10's binary version."""
    content = state["contents"]["cifar10"]
    folder = place({**content, "test_batch.bin": change(content["test_batch.bin"])}, Path("cifar"))
    _verified(kind, "cifar10", "test_batch.bin", folder, state, tally)
    _expect(kind, tally, lambda: datasets.load("cifar10", folder=folder), lambda got: len(got.x_test) == 4, datasets.DataError)


def _sheet(contents):
    """Make the PNG sheet and the labels of the test images; None without Pillow."""
    with contextlib.suppress(ImportError):
        from PIL import Image
        x, y = formats.parse_cifar(contents["cifar10"]["test_batch.bin"], "")
        buffer = io.BytesIO()
        Image.fromarray(x.reshape(4, 1024, 3)).save(buffer, "PNG")
        return buffer.getvalue(), json.dumps(y.tolist()).encode()
    return None


def _png(kind, state, change, tally, rng):
    """Read a PNG sheet with its labels, one of them damaged."""
    if state["sheet"] is not None:
        sheet, labels = state["sheet"]
        sheet, labels = (change(sheet), labels) if kind == "png" else (sheet, change(labels))
        folder = place({"test_batch.png": sheet, "test_lables.json": labels}, Path("png"))
        _verified(kind, "cifar10", "test_batch.bin", folder, state, tally)


def _npz(kind, state, change, tally, rng):
    """Read an archive like the shipped sample."""
    here, loading.SAMPLE = loading.SAMPLE, Path("sample.npz")
    try:
        loading.SAMPLE.write_bytes(change(state["npz"]))
        _expect(kind, tally, lambda: datasets.load("fashion-sample"), lambda got: not any(x.any() for x in got[2:6]), datasets.DataError)
    finally:
        loading.SAMPLE = here


def _tar(kind, state, change, tally, rng):
    """Fetch from a source whose archive is damaged, and a good one behind it."""
    raw = change(state["tar"]) if rng.random() < 0.5 else gzip.compress(change(gzip.decompress(state["tar"])), 1)

    def bring(work, progress):
        (work / "a.tgz").write_bytes(raw)
        return sources._take_out(work / "a.tgz", "mnist", work)

    good = Source("good", lambda work, progress: place(state["contents"]["mnist"], work))
    sources.PUBLIC["mnist"] = [Source("damaged", bring), good]
    shutil.rmtree("cache", ignore_errors=True)
    _expect(kind, tally, lambda: datasets.fetch("mnist", cache="cache", progress=False, report=lambda line: None),
            lambda got: all((got / file).read_bytes() == data for file, data in state["contents"]["mnist"].items()), datasets.DataError)


def _ts(kind, state, change, tally, rng):
    """Read time series as files of the user's own, where only the form can be checked, and as one of a data set."""
    raw = change(SERIES.encode())
    folder = place({"GunPoint_TRAIN.ts": raw, "GunPoint_TEST.ts": SERIES.encode()}, Path("ts"))
    _expect(kind, tally, lambda: datasets.load(folder / "GunPoint_TRAIN.ts"), _is_padded, (ValueError, datasets.DataError))
    _verified(kind, "gun-point", "GunPoint_TRAIN.ts", folder, state, tally)


def _is_padded(data):
    """Tell whether sequences are finite, with labels, and zeros behind their end."""
    x, lengths = data.x_train, np.full(len(data.x_train), data.x_train.shape[1]) if data.lengths_train is None else data.lengths_train
    behind = np.arange(x.shape[1]) >= lengths[:, None]
    return np.isfinite(x).all() and lengths.min() >= 1 and not x[behind].any() and 0 <= data.y_train.min() <= data.y_train.max() < 2


def _hdf5(kind, state, change, tally, rng):
    """Read events from HDF5 of a strange layout, or cut off, where h5py is installed; on other changes of bytes it can hang or crash."""
    with contextlib.suppress(ImportError):
        raw = _strange_hdf5(rng)
        Path("spikes.h5").write_bytes(truncated(raw, rng) if rng.random() < 0.2 else raw)
        _expect(kind, tally, lambda: datasets.read_shd("spikes.h5"),
                lambda got: all(map(_in_order, got[0])) and 0 <= got[1].min() <= got[1].max() < len(got[2]), ValueError)


def _strange_hdf5(rng):
    """Make a file in the layout of the Spiking Heidelberg Digits, of which some parts are others, or missing."""
    import h5py
    lists = [[0.5, 0.25], []], [[3, 699], []], [[0.5], [1, 2, 3]], [[np.nan, np.inf], [-1.0]], [[1e300], [0.0]]
    kinds = [h5py.vlen_dtype(kind) for kind in (np.float16, np.uint16, np.int64, np.float64, np.uint8)] + [h5py.string_dtype()]
    plain = (np.array([1, 0], np.uint16), np.array([-1, 5]), np.array([[0], [1]]), np.array([0.5, np.nan]), np.zeros(0, int),
             np.float64(3), np.array([b"zero", b"one"]), np.array([b"\xff\x1b[2J", b""]), np.array([2 ** 63, 0], np.uint64),
             np.array([True, False]), np.array([1 + 2j, 0]))
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for part, name in enumerate(("spikes/times", "spikes/units", "labels", "extra/keys")):
            how = rng.random()
            if how < 0.1:
                file.create_group(name)
            elif how > 0.9 and part < 3:
                continue
            elif part < 2 and how < 0.8:
                values, dtype = (lists[part], kinds[part]) if how < 0.5 else (lists[rng.integers(5)], kinds[rng.integers(6)])
                data = file.create_dataset(name, (2,), dtype)
                for b in range(2) if dtype != kinds[-1] else ():
                    with np.errstate(all="ignore"):
                        data[b] = np.array(values[b]).astype(h5py.check_vlen_dtype(dtype))
            else:
                file[name] = plain[(0, 0, 0, 6)[part] if how < 0.5 else rng.integers(len(plain))]
    return buffer.getvalue()


def _in_order(events):
    """Tell whether events are finite and in the order of time."""
    return np.isfinite(events.times).all() and (np.diff(events.times) >= 0).all() and len(events.times) == len(events.places)


def _nmnist(kind, state, change, tally, rng):
    """Read the events of a sample of N-MNIST; the times of the original are put in order first."""
    rows = np.frombuffer(state["nmnist"], np.uint8).reshape(-1, 5)
    Path("sample.bin").write_bytes(change(rows[np.lexsort((rows[:, 4], rows[:, 3], rows[:, 2] & 127))].tobytes()))
    _expect(kind, tally, lambda: datasets.read_nmnist("sample.bin"), lambda got: _in_order(got) and 0 <= got.places.min(initial=0)
            and got.places.max(initial=0) < 2312, ValueError)
