"""Checkpoints: one .npz with a JSON header, read without pickle; a kill leaves the old file or the new one, never half of one."""

import contextlib
import glob
import json
import shutil
import time
import zipfile
from pathlib import Path

import numpy as np

from ._files import replacing

FORMAT = "pysnn-checkpoint"
VERSION = 1
PRETRAINED = Path(__file__).parent / "pretrained"
STALE_AFTER = 3600.0    # seconds; a younger .part file may belong to a write that is going on


class CheckpointError(RuntimeError):
    """A file that is no checkpoint of ours, not a whole one, or one that cannot be written."""


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
        Whether to keep an older run of this file, as NAME.previous.npz; if there is one already, the run with more epochs stays.

    Raises
    ------
    CheckpointError
        If it cannot be written; a file that was there before is untouched.
    """
    path = Path(path)
    text = json.dumps({"format": FORMAT, "version": VERSION, **header}, sort_keys=True)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            (np.savez_compressed if compress else np.savez)(file, header=np.array(text), **arrays)
            if keep and _epoch(path) >= max(_epoch(previous := path.with_suffix(".previous.npz")), 1):
                shutil.copy2(path, previous)
        _remove_stale(path)
    except OSError as error:
        raise CheckpointError(f"cannot write the checkpoint {path}: {reason(error)}") from error


def _epoch(path):
    """Return how far the run in a checkpoint has come; 0 if there is none."""
    try:
        return read(path)[0].get("epoch", 0)
    except CheckpointError:
        return 0


def _remove_stale(path):
    """Remove what killed writes of this checkpoint left behind."""
    for part in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
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
        If there is no such file, or it is truncated, damaged or of another program.
    """
    path = find(path)
    try:
        if not zipfile.is_zipfile(path):
            raise ValueError("no whole .npz archive")
        with open(path, "rb") as f, np.load(f, allow_pickle=False) as stored:
            if "header" not in stored:
                raise CheckpointError(f"{path}: expected a pysnn checkpoint, got an archive of {', '.join(stored.files[:4]) or 'nothing'}")
            header = json.loads(str(stored["header"][()]))
            arrays = {name: stored[name] for name in stored.files if name != "header"}
    except CheckpointError:
        raise
    except Exception as error:      # zipfile, zlib, numpy, json: a damaged file can fail anywhere, even in NumPy's tokeniser
        raise CheckpointError(f"{path}: expected a pysnn checkpoint, got a file that is damaged or of another kind ({error})") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise CheckpointError(f"{path}: expected a pysnn checkpoint, got an archive without its header")
    if header.get("version") != VERSION:
        raise CheckpointError(f"{path}: expected checkpoint version {VERSION}, got {header.get('version')}; "
                              "this pysnn and the one that wrote it do not fit together")
    return header, arrays


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
