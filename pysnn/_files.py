"""Files: the one way to write one, all of it or nothing; and objects from a Python file of the user's own, by name and SHA-256."""

import contextlib
import hashlib
import importlib.util
import os
import sys
import tempfile
from pathlib import Path

_LOADED = {}          # name of a user's file -> (module, SHA-256)


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


def load(reference):
    """Load an object from a user's file.

    Parameters
    ----------
    reference : str
        FILE.py:NAME. Once loaded, the file's name without folder is enough.

    Returns
    -------
    object
        What the file calls NAME.

    Raises
    ------
    ValueError
        If there is no such file, it does not run, or it has no such name.
    """
    file, colon, name = str(reference).rpartition(":")
    if not colon or not file.endswith(".py") or not name.isidentifier():
        raise ValueError(f"expected FILE.py:NAME, got {reference!r}")
    path = Path(file)
    if path.name not in _LOADED or path.parent != Path(".") or path.is_file():
        _run(path)
    module, _ = _LOADED[path.name]
    if not hasattr(module, name):
        there = [key for key in vars(module) if not key.startswith("_")]
        raise ValueError(f"{file}: expected an object called {name}, got {', '.join(there[:12]) or 'none'}")
    return getattr(module, name)


def short(reference):
    """Return FILE.py:NAME without the folder; other words as they are."""
    return Path(reference).name if ".py:" in reference else reference


def _run(path):
    """Run a file as a module, once for the same content."""
    if not path.is_file():
        raise ValueError(f"{path}: expected a Python file, and it is not there")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if _LOADED.get(path.name, (None, None))[1] == digest:
        return
    if path.name in _LOADED:
        raise ValueError(f"{path}: expected one file of this name, got another with other content; begin a new process")
    name = f"pysnn_user_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.resolve().parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        sys.modules.pop(name, None)
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise ValueError(f"{path}{line}: does not run: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(path.resolve().parent))
    _LOADED[path.name] = module, digest


def reference(thing):
    """Name an object of a user's file.

    Parameters
    ----------
    thing : object
        A class or a function, or another object that a file holds under a name.

    Returns
    -------
    str
        FILE.py:NAME, without the folder.

    Raises
    ------
    ValueError
        If it is not found in any file.
    """
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        name = next((name for name, value in vars(module).items() if value is thing and not name.startswith("_")), None) if file else None
        home = getattr(thing, "__module__", None) if hasattr(thing, "__qualname__") else None      # of a class or a function
        if name is None or not file.endswith(".py") or home not in (None, module.__name__):
            continue
        path = Path(file)
        known, digest = _LOADED.get(path.name, (None, ""))
        if known is not module:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if _LOADED.setdefault(path.name, (module, digest))[1] != digest:
            raise ValueError(f"{path}: expected one file of this name, got two with different content")
        return f"{path.name}:{name}"
    raise ValueError(f"expected an object that stands in a file under a name of its own, got {thing!r:.100}; a checkpoint must name it")


def named(record):
    """Collect the files that a record names.

    Parameters
    ----------
    record : object
        What JSON can hold; words such as my.py:loss name a loaded file.

    Returns
    -------
    dict of str to str
        Name of the file -> SHA-256.
    """
    if isinstance(record, str):
        file = record.rpartition(":")[0]
        return {file: _LOADED[file][1]} if file.endswith(".py") and file in _LOADED else {}
    parts = record.values() if isinstance(record, dict) else record if isinstance(record, (list, tuple)) else ()
    return {file: digest for part in parts for file, digest in named(part).items()}


def _imported(file):
    """Take note of a file that another one has imported."""
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if path and Path(path).name == file and not (module.__package__ or "").startswith(__package__):
            _LOADED[file] = module, hashlib.sha256(Path(path).read_bytes()).hexdigest()


def need(files, paths=()):
    """Make sure that the files of a record are loaded.

    Parameters
    ----------
    files : dict of str to str
        From `named`.
    paths : sequence of path
        Where they may lie; each is run.

    Raises
    ------
    ValueError
        If one is not among them and was not loaded before, or has other content.
    """
    for path in paths:
        _run(Path(path))
    for file, digest in files.items():
        if file not in _LOADED:
            _imported(file)
        if file not in _LOADED:
            raise ValueError(f"it was trained with {file} (SHA-256 {digest[:12]}...), which holds code of its own: expected that file, "
                             f"too (--with {file})")
        if _LOADED[file][1] != digest:
            raise ValueError(f"{file}: expected the file that it was trained with (SHA-256 {digest[:12]}...), got one that has changed")
