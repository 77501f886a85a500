"""The worker: it runs the file, then answers calls of its functions."""

import importlib
import inspect
import os
import types

import numpy as np

from . import _wire
from ._load import NoAnswer, import_file, one_line

NAMES = ("OPERATION", "THRESHOLD", "RULE", "SURROGATE", "DETACH_RESET")        # what a file says besides its functions


class Opaque:
    """What stays here, and how it is called there."""

    def __init__(self, x, text=None):
        self.x, self.text = x, text


def serve(path):
    """Say that it is there; run the file, then call its functions, until nobody asks any more. Called once, in the worker."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)                              # what the file prints goes where its errors go

    def say(*answer):
        answers.write(_wire.pack(list(answer), _other))
        answers.flush()

    def ask():
        message = _wire.receive(requests.read)
        return message and _wire.unpack(message, lambda node: _from_parent(node, kept))

    kept = {}
    say(os.getpid())
    ask()
    kind, module = _outcome(lambda: import_file(path), load=True)
    say(0, kind, _public(module) if kind == "right" else module, {})
    while (request := ask()) is not None:
        number, name, through, args, gone = request
        for n in gone:
            kept.pop(n, None)
        before = [np.copy(x) if isinstance(x, np.ndarray) else None for x in args]
        kind, result = _outcome(lambda name=name, through=through, args=args: _call(module, name, through, args))
        if kind == "right" and isinstance(result, tuple) and len(result) > 1:
            kept[number] = result[-1]          # it may be a cache, whose arrays must stay the same ones
            result = *result[:-1], _last(result[-1])
        changed = {str(k): x for k, (x, old) in enumerate(zip(args, before, strict=True)) if _changed(x, old)}
        try:
            say(number, kind, result, changed)
        except (TypeError, ValueError, RecursionError) as error:           # what cannot be written
            say(number, "raised", one_line(error), {})
    os._exit(0)


def _from_parent(node, kept):
    """Read what is not plain data: a result that stayed here, or random numbers in the state in which they are there."""
    if node[0] == "kept":
        return kept[node[1]]
    rng = np.random.Generator(getattr(np.random, node[1]["bit_generator"])())
    rng.bit_generator.state = node[1]
    return rng


def _outcome(action, load=False):
    """Do something; return its kind and the result, or words."""
    try:
        with np.errstate(all="ignore"):
            return "right", action()
    except NoAnswer as error:
        return "left", str(error)
    except BaseException as error:
        words = str(error) if load and isinstance(error, ValueError) else one_line(error)
        gone = not isinstance(error, Exception) or isinstance(error, MemoryError)
        return "left" if gone else "not written" if isinstance(error, NotImplementedError) else "raised", f"raises {words}" * gone or words


def _call(module, name, through, args):
    """Call a function of the file, or one of ours with it as the first argument."""
    name, _, index = name.partition(".")
    function = getattr(module, name)[int(index)] if index else getattr(module, name)
    if through:
        module, _, ours = through.partition(":")
        return getattr(importlib.import_module(module), ours)(function, *args)
    result = function(*args)
    return list(result) if isinstance(result, types.GeneratorType) else result


def _public(module):
    """Collect what a file defines."""
    found = {name: Opaque(x, name) if callable(x) else x for name, x in vars(module).items() if callable(x) or name in NAMES}
    pair = getattr(module, "reference", None)
    if isinstance(pair, tuple):
        found["reference"] = tuple(Opaque(f, f"reference.{k}") if callable(f) else f for k, f in enumerate(pair))
    return found


def _last(x):
    """Return what the parent sees of the last result."""
    if isinstance(x, (tuple, dict)):
        return Opaque(x, f"of {len(x)}")
    return x if x is None or x is ... or isinstance(x, (np.ndarray, np.generic, bool, int, float, str, list)) else Opaque(x, "")


def _changed(x, old):
    """Tell whether a call has changed its argument."""
    if isinstance(x, np.random.Generator):
        return True
    return old is not None and not np.array_equal(x, old, equal_nan=True)


def _other(x):
    """Write what is not plain data: by name, state or type."""
    if isinstance(x, np.random.Generator):
        return ["generator", x.bit_generator.state]
    x, text = (x.x, x.text) if isinstance(x, Opaque) else (x, None)
    if not callable(x) or text == "":
        return ["opaque", type(x).__name__, repr(x)[:80] if text is None else text]
    try:
        taken = [[p.name, int(p.kind), p.default is not p.empty] for p in inspect.signature(x).parameters.values()]
    except (TypeError, ValueError):
        taken = None
    return ["function", text or "", taken]
