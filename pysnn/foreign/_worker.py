"""The worker: it runs the file, then answers calls of its functions."""

import collections
import importlib
import inspect
import os
import types
import warnings

import numpy as np

from . import _wire
from ._load import NoAnswer, copies, import_file, one_line, same

NAMES = ("OPERATION", "THRESHOLD", "RULE", "SURROGATE", "DETACH_RESET", "LAYOUT", "EPS")        # what a file says besides its functions
RECENT = 4                     # so many last calls are remembered: does a later one write into their results?


class Opaque:
    """What stays here, and what the other side calls it."""

    def __init__(self, x, text):
        self.x, self.text = x, text


def serve(path):
    """Say that it is there; run the file, then call its functions, until nobody asks any more. It does not return."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)                              # what the file prints goes where its errors go
    kept, recent = {}, collections.deque(maxlen=RECENT)

    def say(*answer):
        answers.write(_wire.pack(list(answer), _write))
        answers.flush()

    def ask():
        message = _wire.receive(requests.read)
        return message and _wire.unpack(message, lambda node: kept[node[1]] if node[0] == "kept" else _generator(node[1]))
    say(os.getpid())
    ask()
    kind, module = _outcome(lambda: import_file(path), ValueError)
    say(0, kind, _public(module) if kind == "right" else module, {})
    while (request := ask()) is not None:
        number, name, through, args, gone = request
        for n in gone:
            kept.pop(n, None)
        before = [copies(x) for x in args]
        kind, result = _outcome(lambda name=name, through=through, args=args: _call(module, name, through, args))
        changed = {str(k): x if isinstance(x, (np.ndarray, np.random.Generator)) else None for k, (x, old) in
                   enumerate(zip(args, before, strict=True)) if isinstance(x, np.random.Generator) or not same(copies(x), old)}
        changed |= {f"{n} {k}": x for n, listed in recent for k, (x, old) in listed.items() if not same(x, old)}
        if kind == "right":
            outputs = result if isinstance(result, (tuple, list)) else (result,)
            recent.append((number, {k: (x, x.copy()) for k, x in enumerate(outputs) if isinstance(x, np.ndarray)}))
        if kind == "right" and isinstance(result, tuple) and len(result) > 1:
            kept[number] = result[-1]          # it may be a cache, whose arrays must stay the same ones
            result = *result[:-1], Opaque(result[-1], f"of {len(result[-1])}") if isinstance(result[-1], (tuple, dict)) else result[-1]
        try:
            say(number, kind, result, changed)
        except (TypeError, ValueError, RecursionError) as error:           # what cannot be written
            say(number, "raised", one_line(error), {})
    os._exit(0)


def _outcome(action, in_one_line=NoAnswer):
    """Do something; return "right" and its result, or another word and a line. One kind of error has such a line already."""
    try:
        with np.errstate(all="ignore"):
            return "right", action()
    except BaseException as error:
        words = str(error) if isinstance(error, in_one_line) else one_line(error)
        if isinstance(error, MemoryError) or not isinstance(error, Exception):
            return "left", f"raises {words}"
        return "left" if isinstance(error, NoAnswer) else "not written" if isinstance(error, NotImplementedError) else "raised", words


def _call(module, name, through, args):
    """Call a function of the file, or one of ours with it, or with the whole file where it has no name, as the first argument."""
    name, _, index = name.partition(".")
    function = module if not name else getattr(module, name)[int(index)] if index else getattr(module, name)
    if through:
        place, _, ours = through.partition(":")
        return getattr(importlib.import_module(place), ours)(function, *args)
    with warnings.catch_warnings():
        if any(isinstance(x, np.ndarray) and not x.flags.writeable for x in args):
            warnings.simplefilter("ignore")    # that an array cannot be written is meant
        result = function(*args)
    return list(result) if isinstance(result, types.GeneratorType) else result


def _public(module):
    """Collect what a file defines."""
    found = {name: Opaque(x, name) if callable(x) else x for name, x in vars(module).items()
             if (callable(x) and not isinstance(x, type)) or name in NAMES}
    pair = getattr(module, "reference", None)
    return {**found, "reference": tuple(Opaque(f, f"reference.{k}") for k, f in enumerate(pair))} if isinstance(pair, tuple) else found


def _generator(state):
    rng = np.random.Generator(getattr(np.random, state["bit_generator"])())
    rng.bit_generator.state = state
    return rng


def _write(x):
    """Write what is not plain data: by name, state or type."""
    if isinstance(x, np.random.Generator):
        return ["generator", x.bit_generator.state]
    x, text = (x.x, x.text) if isinstance(x, Opaque) else (x, None)
    if text is None or not callable(x):
        return ["opaque", type(x).__name__, repr(x)[:80] if text is None else text]
    try:
        return ["function", text, [[p.name, int(p.kind), p.default is not p.empty] for p in inspect.signature(x).parameters.values()]]
    except (TypeError, ValueError):
        return ["function", text, None]
