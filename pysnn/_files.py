"""Files: the one way to write one, all of it or nothing; a lock beside one; objects from a user's Python file, by name and SHA-256."""

import contextlib
import errno
import hashlib
import importlib.util
import io
import os
import re
import secrets
import stat
import sys
from pathlib import Path

import numpy as np

try:
    import fcntl
except ImportError:     # Windows: no locks
    fcntl = None

_LOADED = {}          # name of a user's file -> (module, SHA-256)


@contextlib.contextmanager
def replacing(path):
    """Lend a new file, open for bytes, that takes the place of `path` once it is complete and on the disk.

    The folder is made if need be. Links are followed; an old file's mode stays, a new file's is by the umask. After an error the old file
    is as it was, and the new one is gone; after a kill the new file may stay behind, as .NAME.xxxxxxxx.part in the same folder. What is
    `special` is written in place, when all is there.
    """
    target = Path(os.path.realpath(path))
    if not special(path):
        os.makedirs(Path(path).parent, exist_ok=True)
    try:
        with _in_place(path) if special(path) else _renamed(target) as file:
            yield file
    except OSError as error:
        error.filename = str(path)
        raise


@contextlib.contextmanager
def _in_place(path):
    """Collect the bytes, then write them to a device, a pipe or an open file of this process."""
    file, number = io.BytesIO(), descriptor(path)
    yield file
    if number is not None:
        sys.stdout.flush()
    with open(path if number is None else os.dup(number), "wb") as out:
        out.write(file.getbuffer())


@contextlib.contextmanager
def _renamed(target):
    """Write a new file, then give it the name; no link is left in `target`."""
    try:
        old = os.lstat(target)
    except FileNotFoundError:
        old = None
    if old and not stat.S_ISREG(old.st_mode):
        code = errno.EISDIR if stat.S_ISDIR(old.st_mode) else errno.ELOOP
        raise OSError(code, os.strerror(code))
    if old and not os.access(target, os.W_OK):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))
    part = beside(target, f"{secrets.token_hex(4)}.part")
    try:
        with open(part, "xb", opener=lambda name, flags: os.open(name, flags, 0o600 if old else 0o666)) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if old:
            with contextlib.suppress(OSError, AttributeError):      # another owner's, or Windows
                os.chown(part, old.st_uid, old.st_gid)
            os.chmod(part, stat.S_IMODE(old.st_mode))
        os.replace(part, target)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(part)


def beside(target, tail):
    """Name a hidden file in the folder of another: .NAME.tail, shorter where NAME is long."""
    return target.parent / f".{os.fsdecode(os.fsencode(target.name)[:200])}.{tail}"


def special(path):
    """Tell whether a path leads to what is neither file nor folder: a device, a pipe, an open file such as /dev/stdout."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return descriptor(path) is not None or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def descriptor(path):
    """Return the number of the open file of this process that a path means, such as /dev/stdout or a link to /dev/fd/5; else None."""
    path = os.path.abspath(path)
    for _ in range(40):
        folder, name = os.path.split(path)
        folder = os.path.realpath(folder)
        if re.fullmatch(rf"/dev/fd|/proc/{os.getpid()}(/task/\d+)?/fd", folder) and name.isdecimal():
            return int(name)
        path = os.path.join(folder, name)
        if not os.path.islink(path):
            return None
        path = os.path.join(folder, os.readlink(path))
    return None


def no_file_above(path):
    """Raise the OSError that making the folder of a path would give where one of its folders is a file; makes nothing."""
    for folder in Path(path).parents:
        if folder.exists():
            if not folder.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
            return


def writable(path):
    """Tell whether a file can be written there, as far as one can know before; makes its folder."""
    if special(path):
        return os.access(path, os.W_OK)
    os.makedirs(Path(path).parent, exist_ok=True)
    target = Path(os.path.realpath(path))
    return not target.is_dir() and os.access(target.parent, os.W_OK) and (not target.exists() or os.access(target, os.W_OK))


def write_text(path, text):
    """Write a text file, all of it or nothing."""
    with replacing(path) as file:
        file.write(text.encode())


@contextlib.contextmanager
def locked(path):
    """Hold .NAME.lock beside a file or folder that is about to be written; a ValueError if somebody else does.

    The lock of a process that was killed does not count. Where there can be none, as in a folder that cannot be written, there is none.
    """
    lock = None if special(path) or fcntl is None else beside(Path(os.path.realpath(path)), "lock")
    handle = None if lock is None else _lock(path, lock)
    try:
        yield
    finally:
        if handle is not None:
            with contextlib.suppress(OSError):
                os.unlink(lock)
            os.close(handle)


def _lock(path, lock):
    """Open and lock a file; return its number, or None where there can be none."""
    handle = None
    try:
        os.makedirs(lock.parent, exist_ok=True)
        while True:
            handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), os.stat(lock)):       # not one that its owner has just removed
                    return handle
            os.close(handle)
    except OSError as error:
        if handle is not None:
            os.close(handle)
        if isinstance(error, BlockingIOError):
            raise ValueError(f"{path}: another process writes it: wait for its end, or choose another name") from None
        return None


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


def loaded(file):
    """Tell whether this process has run a user's file of this name."""
    return file in _LOADED


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
    home = getattr(thing, "__module__", None) if hasattr(thing, "__qualname__") else None      # of a class or a function
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if not file or not file.endswith(".py") or home not in (None, getattr(module, "__name__", None)):
            continue
        name = next((name for name, value in vars(module).items() if value is thing and not name.startswith("_")), None)
        if name is None:
            continue
        path = Path(file)
        known, digest = _LOADED.get(path.name, (None, ""))
        if known is not module:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if _LOADED.setdefault(path.name, (module, digest))[1] != digest:
            raise ValueError(f"{path}: expected one file of this name, got two with different content")
        return f"{path.name}:{name}"
    raise ValueError(f"expected an object that stands in a file under a name of its own, got {thing!r:.100}; a checkpoint must name it")


def digest(path):
    """Return the SHA-256 of a file; of a folder, that of the names and contents of all its files that are not hidden."""
    def of(file):
        with open(file, "rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()

    path = Path(path)
    if path.is_file():
        return of(path)
    names = sorted(file.relative_to(path) for file in path.rglob("*") if file.is_file())
    lines = [f"{name.as_posix()} {of(path / name)}" for name in names if not any(part.startswith(".") for part in name.parts)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def fingerprint(*arrays):
    """Return the SHA-256 of arrays, their shapes and dtypes; of arrays of objects the contents do not count."""
    found = hashlib.sha256()
    for x in (x if getattr(x, "ndim", 0) else np.atleast_1d(x) for x in arrays):          # also samples that stay on disk
        found.update(f"{x.dtype.str} {x.shape}".encode())
        for k in range(0, 0 if x.dtype.hasobject else len(x), 4096):
            found.update(x[k:k + 4096].tobytes())
    return found.hexdigest()


def words(record):
    """Yield all words in a record, its keys too."""
    if isinstance(record, str):
        yield record
    for part in [*record, *record.values()] if isinstance(record, dict) else record if isinstance(record, (list, tuple)) else ():
        yield from words(part)


def named(record):
    """Collect the files that a record names, in words such as my.py:loss; return name of the file -> SHA-256."""
    files = (word.rpartition(":")[0] for word in words(record))
    return {file: _LOADED[file][1] for file in files if file.endswith(".py") and file in _LOADED}


def sources(record):
    """Collect the files that a record names; return name of the file -> SHA-256, path, bytes, to bring them to another process."""
    paths = {file: os.path.abspath(_LOADED[file][0].__file__) for file in named(record)}
    return {file: (digest, paths[file], Path(paths[file]).read_bytes()) for file, digest in named(record).items()}


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
