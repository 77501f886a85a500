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
    """Lend a new file, open for bytes, that takes the place of `path` once it is complete and on the disk.

    The folder exists. After an error the old file is as it was, and the new one is gone; after a kill the new file may stay behind, as
    .NAME.xxxxxxxx.part in the same folder.
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
    """Write a text file in a folder that exists, all of it or nothing."""
    with replacing(path) as file:
        file.write(text.encode())


def load(reference):
    """Load what a user's file calls NAME; reference is FILE.py:NAME, once loaded also without the folder.

    A ValueError says if there is no such file, it does not run, or it has no such name.
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
    """Name an object of a user's file as FILE.py:NAME, without the folder; a ValueError if no loaded file holds it under a name."""
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
    """Collect the files that a record names, in words such as my.py:loss; return name of the file -> SHA-256."""
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
    """Run the files at `paths`, and make sure that those of a record, from `named`, are among them or were loaded before.

    A ValueError says if one is missing or has other content.
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
