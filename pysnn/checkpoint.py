"""Checkpoints: one .npz with a JSON header, read without pickle; a kill leaves the old file or the new one, never half of one."""

import contextlib
import glob
import io
import itertools
import json
import math
import os
import re
import shutil
import time
import zipfile
import zlib
from pathlib import Path

import numpy as np

from ._files import beside, replacing

FORMAT = "pysnn-checkpoint"
VERSION = 1
PRETRAINED = Path(__file__).parent / "pretrained"
STALE_AFTER = 3600.0    # seconds; a younger .part file may belong to a write that is going on
PIECE = 1 << 20         # bytes that are read at once, and the largest directory of an archive
NPY = re.compile(rb"\{'descr': '([<>|]([a-zA-Z])[0-9]{1,9})', 'fortran_order': (True|False), 'shape': \(([0-9, ]{0,500})\), \} *\n")


class CheckpointError(RuntimeError):
    """A file that is no checkpoint of ours, not a whole one, or one that cannot be written; in one line, whatever it quotes.

    Parameters
    ----------
    message : str
        What is wrong.
    """

    def __init__(self, message):
        text = "".join(c if c.isprintable() else "?" for c in " ".join(str(message).split()))
        super().__init__(text if len(text) <= 500 else f"{text[:400]} ... {text[-90:]}")


def write(path, header, arrays, compress=False, keep=False):
    """Write a checkpoint atomically.

    Parameters
    ----------
    path : str or Path
        File to write; its folder is made if need be.
    header : dict
        Anything that JSON can hold.
    arrays : dict of str to array
        Named arrays.
    compress : bool
        Whether to spend time on a smaller file.
    keep : bool
        Whether to keep an older run of this file, as NAME.previous.npz; if there is one already, the run with more epochs stays. What this
        version cannot read, it keeps beside others, as NAME.previous2.npz and so on.

    Raises
    ------
    CheckpointError
        If it cannot be written, or a file of another kind is there; what was there before is untouched.
    """
    sums = {name: zlib.crc32(np.ascontiguousarray(x.T if np.isfortran(x) else x)) for name, x in arrays.items()}
    text = json.dumps({"format": FORMAT, "version": VERSION, **header, "crc32": sums}, sort_keys=True)
    try:
        if not _replaceable(path):
            raise CheckpointError(f"{path}: expected a new name or a checkpoint of pysnn, got a file of another kind, which stays as it is")
        with replacing(path) as file:
            (np.savez_compressed if compress else np.savez)(file, header=np.array(text), **arrays)
            if keep and os.path.isfile(path):
                _keep(Path(os.path.realpath(path)))
        _remove_stale(Path(os.path.realpath(path)))
    except OSError as error:
        raise CheckpointError(f"cannot write the checkpoint {path}: {reason(error)}") from error


def _replaceable(path):
    """Tell whether a file is a checkpoint, be it damaged or of another version, or holds nothing that could be lost."""
    if not os.path.isfile(path) or not os.path.getsize(path):
        return True
    with open(path, "rb") as file:
        start = file.read(40)
    if start[:4] == b"PK\3\4" and start[30:] == b"header.npy":
        return True
    with contextlib.suppress(Exception), _Pieces(path) as file, zipfile.ZipFile(file) as archive:      # packed anew, in another order
        return "header.npy" in archive.namelist()
    return False


def _epoch(path):
    """Return how far the run in a checkpoint has come; -1 if there is no file, None if this version cannot read it."""
    if not os.path.isfile(path) or not os.path.getsize(path):
        return -1
    with contextlib.suppress(CheckpointError), Stored(path) as stored:
        epoch = stored.header.get("epoch", 0)
        return epoch if type(epoch) is int and epoch >= 0 else None
    return None


def _keep(path):
    """Give what is about to be replaced a further name."""
    epoch = _epoch(path)
    for k in itertools.count(1) if epoch is None or epoch > 0 else ():
        previous = path.with_name(f"{path.name.removesuffix('.npz')}.previous{k if k > 1 else ''}.npz")
        there = _epoch(previous)
        if there == -1 or (epoch is not None and there is not None):
            return _link(path, previous) if epoch is None or epoch >= there else None


def _link(path, name):
    """Give a file a further name, in one step; a copy where the disk knows no links."""
    part = beside(name, "link.part")
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)
        os.link(path, part)
        os.replace(part, name)
    except OSError:
        with open(path, "rb") as old, replacing(name) as copy:
            shutil.copyfileobj(old, copy)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(part)


def _remove_stale(path):
    """Remove what killed writes of this checkpoint left behind."""
    for part in path.parent.glob(glob.escape(beside(path, "").name) + "*.part"):
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime > STALE_AFTER:
                part.unlink()


def reason(error):
    """Say in words why a file cannot be read or written.

    Parameters
    ----------
    error : OSError
        What happened.

    Returns
    -------
    str
        The reason, without the file's name.
    """
    if isinstance(error, (FileExistsError, NotADirectoryError)):
        return f"expected a folder, got the file {error.filename}"
    return error.strerror or str(error)


class _Pieces(io.FileIO):
    """A file that nobody reads into memory as a whole."""

    def read(self, n=-1):
        if n > PIECE:
            raise ValueError(f"a piece of {n} bytes")
        return super().read(n if n >= 0 else PIECE)      # zipfile reads to the end from 22 bytes before it


@contextlib.contextmanager
def _sound(path):
    """Turn whatever a damaged file makes zipfile, zlib, NumPy or json raise into a CheckpointError."""
    try:
        yield
    except CheckpointError:
        raise
    except MemoryError as error:
        raise CheckpointError(f"{path}: expected memory for its arrays, got none ({error})") from error
    except Exception as error:
        raise CheckpointError(f"{path}: expected a pysnn checkpoint, got a file that is damaged or of another kind ({error})") from error


class Stored:
    """An open checkpoint, for `with`: the header is read, and of each array what its member declares; `array` reads one.

    No member takes more memory than it declares, and a header not more than 32 times the file and 1 MiB.

    Parameters
    ----------
    path : str or Path
        File to read, or the name of a network that ships with pysnn.

    Raises
    ------
    CheckpointError
        If there is no such file, or it is truncated, damaged or of another program.
    """

    def __init__(self, path):
        self.path = find(path)
        with contextlib.ExitStack() as stack:
            with _sound(self.path):
                file = stack.enter_context(_Pieces(self.path))
                self.size = os.fstat(file.fileno()).st_size
                file.seek(max(self.size - 22, 0))
                end = file.read(22)
                if end[:4] != b"PK\5\6" or end[-2:] != b"\0\0":
                    raise ValueError("no whole .npz archive")
                self._archive = stack.enter_context(zipfile.ZipFile(file))
                self._members = self._checked()
                self.layout = {}
                self.header = self._header()
                self._sums = self.header.get("crc32", dict.fromkeys(self._members))      # of older ones there are none
                if set(self._sums) != set(self._members):
                    raise ValueError(f"expected arrays {', '.join(self._sums)}, got {', '.join(self._members)}")
                self.layout = {name: self._declared(info)[1:3] for name, info in self._members.items()}
            self._close = stack.pop_all().close

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._close()

    def _checked(self):
        """Return the members by name: plainly stored or deflated, each once, one behind the other; folders do not count."""
        members, at = {}, 0
        for info in sorted(self._archive.infolist(), key=lambda info: info.header_offset):
            name = info.filename.removesuffix(".npy")
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & 0x2041:
                raise ValueError(f"{name:.80} is encrypted or packed otherwise than stored or deflated")
            if info.header_offset < at or (at == 0 and info.header_offset):
                raise ValueError(f"{name:.80} lies across another member or behind other bytes")
            at = info.header_offset + 30 + len(info.orig_filename) + info.compress_size
            if info.is_dir() and not info.file_size:
                continue
            if name in members:
                raise ValueError(f"{name:.80} is there twice")
            members[name] = info
        if at > self._archive.start_dir:
            raise ValueError("a member lies across the directory")
        return members

    def _header(self):
        """Read the header, and take it out of the members."""
        if "header" not in self._members:
            names = ", ".join([*self._members][:4]) or "nothing"
            raise CheckpointError(f"{self.path}: expected a pysnn checkpoint, got an archive of {names}")
        if self._members["header"].file_size > PIECE + 32 * self.size:
            raise ValueError("the header is too large")
        header = json.loads(str(self.array("header")[()]))
        del self._members["header"]
        if not isinstance(header, dict) or header.get("format") != FORMAT:
            raise CheckpointError(f"{self.path}: expected a pysnn checkpoint, got an archive without its header")
        if type(version := header.get("version")) is not int or version != VERSION:
            raise CheckpointError(f"{self.path}: expected checkpoint version {VERSION}, got {version!r:.40}; "
                                  "this pysnn and the one that wrote it do not fit together")
        return header

    def _declared(self, info):
        """Return what a member says of its array: where it begins, its shape and dtype, and whether the first index runs fastest."""
        with self._archive.open(info) as member:
            start = member.read(10)
            begin = 10 + int.from_bytes(start[8:], "little")
            text = member.read(begin - 10) if start[:8] == b"\x93NUMPY\1\0" else b""
        found = NPY.fullmatch(text)
        if found is None or found[2] not in b"biufcUS":
            raise ValueError("Object arrays cannot be loaded when allow_pickle=False" if b"'|O'" in text else
                             f"{info.filename:.80} is no array of numbers")
        shape, dtype = tuple(int(n) for n in found[4].split(b",") if n.strip()), np.dtype(found[1].decode())
        if not dtype.itemsize or info.file_size != begin + math.prod(shape) * dtype.itemsize:
            raise ValueError(f"{info.filename:.80} is not of the size that its shape {shape} needs")
        return begin, shape, dtype, found[3] == b"True"

    def array(self, name):
        """Read an array.

        Parameters
        ----------
        name : str
            A key of `layout`.

        Returns
        -------
        array
            As written.
        """
        with _sound(self.path):
            info = self._members[name]
            begin, shape, dtype, fortran = self._declared(info)
            data = np.empty(info.file_size - begin, np.uint8)
            with self._archive.open(info) as member:
                member.read(begin)
                for at in range(0, len(data), PIECE):
                    piece = np.frombuffer(member.read(min(PIECE, len(data) - at)), np.uint8)
                    if len(piece) < min(PIECE, len(data) - at):
                        raise ValueError(f"{info.filename:.80} is cut off")
                    data[at:at + PIECE] = piece
            if name in self.layout and self._sums[name] not in (None, zlib.crc32(data)):
                raise ValueError(f"{name:.80} is not the array that the header knows")
            return data.view(dtype).reshape(shape, order="F" if fortran else "C")

    def arrays(self, start=""):
        """Read the arrays whose names begin with a word; refuse an archive that unpacks to more than 32 times its size and 8 MiB.

        Parameters
        ----------
        start : str
            The word, such as params/; it is taken off.

        Returns
        -------
        dict of str to array
            As written.
        """
        if sum(info.file_size for info in self._members.values()) > 8 * PIECE + 32 * self.size:
            raise CheckpointError(f"{self.path}: expected a checkpoint, got an archive that unpacks to far more than its {self.size} bytes")
        return {name.removeprefix(start): self.array(name) for name in self.layout if name.startswith(start)}


def read(path):
    """Read a checkpoint.

    Parameters
    ----------
    path : str or Path
        File to read, or the name of a network that ships with pysnn.

    Returns
    -------
    header : dict
        As written.
    arrays : dict of str to array
        As written.

    Raises
    ------
    CheckpointError
        If there is no such file, or it is truncated, damaged or of another program, or unpacks to far more than its size.
    """
    with Stored(path) as stored:
        return stored.header, stored.arrays()


def find(path):
    """Return the path of a checkpoint given by path or by the name of a shipped network.

    Parameters
    ----------
    path : str or Path
        A file, or one of `names()`.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    CheckpointError
        If there is neither.
    """
    if Path(path).is_file():
        return Path(path)
    shipped = PRETRAINED / f"{path}.npz"
    if shipped.is_file():
        return shipped
    raise CheckpointError(f"no checkpoint {path}: expected a file, or a network that ships with pysnn ({', '.join(names()) or 'none'})")


def names():
    """Return the names of the networks that ship with pysnn.

    Returns
    -------
    list of str
        Names for `find` and `read`.
    """
    return sorted(p.stem for p in PRETRAINED.glob("*.npz"))
