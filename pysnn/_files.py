"""The one way to write a file: all of it or nothing."""

import contextlib
import os
import tempfile
from pathlib import Path


@contextlib.contextmanager
def replacing(path):
    """Open a new file that takes the place of another once it is complete and on the disk.

    Parameters
    ----------
    path : str or Path
        The file to write; its folder exists. After an error it is as it was, and the new file is gone; after a kill the new file may
        stay behind, as .NAME.xxxxxxxx.part in the same folder.

    Yields
    ------
    file
        The new file, open for bytes.
    """
    path = Path(path)
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(part, 0o644)
        os.replace(part, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)


def write_text(path, text):
    """Write a text file, all of it or nothing.

    Parameters
    ----------
    path : str or Path
        The file; its folder exists.
    text : str
        Its content.
    """
    with replacing(path) as file:
        file.write(text.encode())
