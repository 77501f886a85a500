"""Import a file as a module, and put errors and foreign text into lines that are safe to show."""

import importlib.util
import sys
from pathlib import Path

import numpy as np

HERE = str(Path(__file__).parent)


class NoAnswer(ValueError):
    """Foreign code left its process or was stopped: there is nothing to judge."""


class Raised(Exception):
    """An error that foreign code raised in its process; the message is that of `one_line`."""


class NotWritten(Raised, NotImplementedError):
    """The same of a NotImplementedError."""


def clean(text):
    """Return foreign text in which control characters, which could rewrite what stands on a terminal, are written as escapes."""
    text = str(text).replace("\r\n", "\n")
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


def import_file(path):
    """Run a file as a module of its own, which does not stay in sys.modules, and return it.

    A ValueError says in one line if it does not run; it is a NoAnswer if it exits.
    """
    name = f"_pysnn_student_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    kept, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    folder = str(path.resolve().parent)
    sys.modules[name] = module
    sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise ValueError(clean(f"{path.name}, line {error.lineno}: {error.msg}")) from None
    except SystemExit as error:
        raise NoAnswer(clean(f"{path.name}: does not run: it exits ({error.code or 0})")) from None
    except Exception as error:
        raise ValueError(f"{path.name}: does not run: {one_line(error)}") from None
    finally:
        sys.dont_write_bytecode = kept
        if folder in sys.path:
            sys.path.remove(folder)
        sys.modules.pop(name, None)
    return module


def one_line(error):
    """Put an error into a line of at most 300 characters, with the line of the file or the notebook where it arose."""
    if isinstance(error, (Raised, NoAnswer)):
        return str(error)
    trace, line, other = error.__traceback__, "", ""
    while trace is not None:
        module, code = trace.tb_frame.f_globals.get("__name__") or "", trace.tb_frame.f_code
        if "_pysnn_student_" in module:
            line = f" (line {trace.tb_lineno})"
        elif (module.split(".")[0] not in (__name__.split(".")[0], "numpy") and not code.co_filename.startswith("<frozen")
              and str(Path(code.co_filename).parent) != HERE):
            place = Path(code.co_filename).name if Path(code.co_filename).is_file() else "its cell"
            other = f" ({code.co_name}, line {trace.tb_lineno} of {place})"
        trace = trace.tb_next
    message, line = clean(f"{type(error).__name__}: {' '.join(str(error).split())}".removesuffix(": ")), line or other
    return message[:300 - len(line)] + line


def copies(x, depth=4):
    """Copy the arrays in something, also in tuples, lists, dictionaries and objects of the user's own, so that changes can be seen."""
    if isinstance(x, np.ndarray):
        return x.copy()
    if isinstance(x, dict):
        return {key: copies(e, depth - 1) for key, e in x.items()} if depth else None
    if isinstance(x, (tuple, list)):
        return [copies(e, depth - 1) for e in x] if depth else None
    if isinstance(x, (bool, int, float, str)):
        return x
    inside = getattr(x, "__dict__", None) if type(x).__module__.startswith("_pysnn_student_") or hasattr(x, "n_changes") else None
    return copies(inside, depth - 1) if isinstance(inside, dict) else None


def same(a, b):
    """Say whether two results of `copies` are the same; NaN is like NaN."""
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and (a is b or a == b or a != a)
