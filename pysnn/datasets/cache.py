"""Where fetched data live, and how a file gets there: whole and checked, or not at all.

A fetch works in a temporary folder inside the cache (same disk, so that the last step is a rename), writes each checked
file there, waits until it is on the disk, and moves it to its place with os.replace. A fetch that is stopped leaves, at
worst, a folder `.partial-...` that nobody reads; the next fetch removes it once it is a day old.
"""

import contextlib
import errno
import os
import pathlib
import shutil
import tempfile
import time

from .catalogue import DataError

VARIABLE = "PYSNN_DATA"
PARTIAL = ".partial-"
STALE_AFTER = 24 * 3600.0  # seconds; younger ones may belong to a fetch that is running
NO_ROOM = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


class StorageError(DataError):
    """The cache cannot be written; another source would not help."""


def cache_folder():
    """Give the folder of fetched data; it need not exist yet.

    Returns
    -------
    pathlib.Path
        The environment variable PYSNN_DATA if set; else the platform's cache folder, if platformdirs (or pooch, which
        brings it) is installed; else ~/.cache/pysnn, which on Linux is the same.

    Raises
    ------
    DataError
        If none of them is known: there is no home folder.
    """
    if os.environ.get(VARIABLE):
        return pathlib.Path(os.environ[VARIABLE]).expanduser().absolute()
    try:
        import platformdirs
        folder = pathlib.Path(platformdirs.user_cache_dir("pysnn"))
    except ImportError:
        folder = pathlib.Path("~/.cache/pysnn")
    try:
        folder = folder.expanduser()
    except RuntimeError:                          # no home folder
        pass
    if not folder.is_absolute():
        raise DataError(f"there is no home folder to keep data sets in: set the environment variable {VARIABLE} to a folder")
    return folder


@contextlib.contextmanager
def temporary_folder(cache):
    """Lend a temporary folder in the cache, gone afterwards whatever happens."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        _remove_stale(cache)
        lent = tempfile.TemporaryDirectory(prefix=PARTIAL, dir=cache, ignore_cleanup_errors=True)
    except OSError as error:
        raise storage_error(error, cache) from error
    with lent as folder:
        yield pathlib.Path(folder)


def write(path, data):
    """Write bytes and wait until they are on the disk; StorageError if that fails."""
    try:
        with open(path, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise storage_error(error, path) from error


def move_all(paths, folder):
    """Move finished files into a folder, each in one step; StorageError if that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in paths:
            os.replace(path, folder / path.name)
        if hasattr(os, "O_DIRECTORY"):  # POSIX: make the renames themselves durable
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
    except OSError as error:
        raise storage_error(error, folder) from error


def storage_error(error, path):
    """Turn an OSError met in the cache into a StorageError that says what to do."""
    if error.errno in NO_ROOM:
        return StorageError(f"no space left on the disk of {path}. Nothing incomplete was kept. Make room (a fetch "
                            f"needs up to 400 MB for a while), or set {VARIABLE} to a folder on another disk")
    return StorageError(f"cannot write {path}: {error.strerror or error}. Set the environment variable {VARIABLE} to a "
                        "folder that you may write")


def _remove_stale(cache):
    """Remove what killed fetches left behind long ago."""
    for folder in cache.glob(PARTIAL + "*"):
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > STALE_AFTER:
                shutil.rmtree(folder)
