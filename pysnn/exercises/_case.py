"""What an exercise consists of: test cases, our functions, known mistakes."""

import inspect
from typing import NamedTuple

import numpy as np

from .. import _checks
from ..foreign import NoAnswer, one_line
from ..verify.gradcheck import gradcheck

NOT_WRITTEN = "not written yet"


class Case(NamedTuple):
    """One call of a student's functions. Each of its outputs is marked."""

    name: str
    outputs: tuple           # names of the results
    call: object             # call(functions, *args) -> the results
    args: tuple = ()         # arrays and numbers; each call gets its own copies
    differences: bool = False    # the outputs are errors of a gradient check, which must be small; else numbers to compare with ours
    returns: tuple = ()      # names of what the student's function returns, where `outputs` are computed from that

    def answer(self, functions):
        """Call the functions; for each name in `outputs` return the result, or one line that says what is wrong with it."""
        args, named = [np.copy(x) if isinstance(x, np.ndarray) else x for x in self.args], _ArgumentNames(functions)
        try:
            with np.errstate(all="ignore"):
                results = self.call(named, *args)
        except NotImplementedError:
            return dict.fromkeys(self.outputs, NOT_WRITTEN)
        except NoAnswer as error:
            return dict.fromkeys(self.outputs, str(error))
        except KeyboardInterrupt:
            raise
        except BaseException as error:             # any error of a student's code is an answer, exit() included
            message = one_line(error)
            return dict.fromkeys(self.outputs, NOT_WRITTEN if "llipsis" in message else f"raises {message}")
        for before, after in zip(self.args, args, strict=True):
            if isinstance(before, np.ndarray) and not np.array_equal(before, after, equal_nan=True):
                message = f"{named.name(after)} of shape {before.shape} was changed in place: expected it to stay as it was"
                return dict.fromkeys(self.outputs, message)
        return self._by_name(results)

    def _by_name(self, results):
        """Return each result by its name; if their number is wrong, a message instead of each."""
        values = list(results) if isinstance(results, (tuple, list)) else [results]
        if len(self.outputs) == 1 and (isinstance(results, list) or (len(values) != 1 and as_array(results) is not results)):
            values = [results]
        if len(values) != len(self.outputs):
            expected = "one result" if len(self.outputs) == 1 else f"{len(self.outputs)} results"
            got = f"{len(values)}" if isinstance(results, (tuple, list)) else _checks.describe(results)
            message = f"expected {expected} ({', '.join(self.returns or self.outputs)}), got {got}"
            return dict.fromkeys(self.outputs, NOT_WRITTEN if results is ... else message)
        return {name: _array(value) for name, value in zip(self.outputs, values, strict=True)}


class Message(str):
    """What the call of a case returns instead of numbers, to say what is wrong with them."""


class _ArgumentNames:
    """Functions by name; remembers under which argument name each array was passed."""

    def __init__(self, functions):
        self.passed = []
        self.functions = {key: self._remembering(function) for key, function in functions.items()}

    def __getitem__(self, key):
        return self.functions[key]

    def _remembering(self, function):
        try:
            names = list(inspect.signature(function).parameters)
        except (TypeError, ValueError):
            return function

        def remembering(*args, **kwargs):
            if len(self.passed) < 20:                      # the first calls are enough
                self.passed += [(x, name) for name, x in zip(names, args, strict=False) if isinstance(x, np.ndarray)]
            return function(*args, **kwargs)
        return remembering

    def name(self, array):
        """Return the argument name of an array, or of the array that it is a view of."""
        return next((f"the argument {name}" for x, name in self.passed if x is array or x.base is array), "an argument")


def _array(value):
    """Make an array of a number or an array; for anything else return a message."""
    if isinstance(value, Message):
        return str(value)
    if isinstance(value, (list, tuple)):
        if any(x is ... for x in value):
            return NOT_WRITTEN
        numbers = as_array(value)
        return "expected a NumPy array, got a list that makes none" if numbers is value else numbers.view(FromList)
    if value is ... or (isinstance(value, np.ndarray) and value.dtype == object and any(x is ... for x in value.flat)):
        return NOT_WRITTEN
    numeric = isinstance(value, (np.ndarray, np.generic, float, int, bool)) and np.asarray(value).dtype.kind in "biuf"
    return np.array(value) if numeric else f"expected a NumPy array or a number, got {_checks.describe(value)}"


class FromList(np.ndarray):
    """The numbers of a list, which is not what was asked for."""


def as_array(value):
    """Make an array of a list or tuple of numbers, also of lists of them; return anything else as it is."""
    if isinstance(value, (list, tuple)):
        try:
            numbers = np.array(value)
        except ValueError:                         # its lists have different lengths
            return value
        return numbers if numbers.dtype.kind in "biuf" else value
    return value


def stacked(results):
    """Stack results; float32 if one of them is, for the others, such as inf, may not show it."""
    found = np.stack(results)
    return found.astype(np.float32) if np.float32 in {np.asarray(x).dtype.type for x in results} else found


class Mistake(NamedTuple):
    """A known mistake: how it changes the functions of an exercise, and a hint for a student who made it."""

    name: str                # of a fault of pysnn.verify.zoo, or the exercise's own
    hint: str
    inject: object           # inject(right functions) -> faulty functions, each a dict by name


class Exercise(NamedTuple):
    """One exercise."""

    name: str
    title: str               # the task in one line
    tags: str                # equations
    functions: dict          # name of a function that the student's file defines -> ours, from pysnn.reference
    cases: object            # cases(rng) -> list of Case
    mistakes: tuple = ()
    builds_on: dict | None = None     # output of a function -> outputs of another one, from which it is computed

    def __hash__(self):
        return hash(self.name)

    def draw_cases(self, seed=0):
        """Make the cases, in the order in which they are run; their random numbers follow from the seed."""
        return self.cases(np.random.default_rng([seed, len(self.name)]))

    def pick(self, namespace, where):
        """Pick the functions that the exercise asks for from what a file or a notebook defines.

        `where` is its name, for the ValueError if one is missing.
        """
        for name in self.functions:
            if not callable(namespace.get(name)):
                raise ValueError(f"{where}: expected a function {name!r}, found none; the exercise needs {', '.join(self.functions)}")
        return {name: namespace[name] for name in self.functions}


# ---- what several exercises share: calls for cases, and parts of mistakes

def run_forward(functions, *args):
    """Call forward and leave out the cache."""
    return functions["forward"](*args)[0]


def run_backward(functions, dout, *args):
    """Call forward, then backward with its cache."""
    return functions["backward"](dout, functions["forward"](*args)[1])


def differences(name, forward, backward, args, names):
    """Make cases that compare a backward pass with finite differences of its own forward pass, one for each argument.

    forward and backward are given the functions and return what `gradcheck` takes. The output is the largest relative error, or inf where
    nothing could be compared, a float32 if a gradient has no more digits; a missing gradient does not spoil the other arguments.
    """
    def one(k):
        def call(functions, *args):
            kinds = set()

            def pull(dout, cache):
                grads = backward(functions)(dout, cache)
                if len(names) > 1 and (not isinstance(grads, (tuple, list)) or len(grads) != len(names)):
                    raise ValueError(f"backward: expected {len(names)} results")
                grad = as_array(grads if len(names) == 1 else grads[k])
                if not isinstance(grad, (np.ndarray, np.generic)) or grad.dtype.kind not in "biuf":
                    return grad
                kinds.add(grad.dtype.name)
                return np.asarray(grad, float)
            check = gradcheck(lambda x: forward(functions)(*args[:k], x, *args[k + 1:]), pull, args[k:k + 1], names=names[k:k + 1], n=40)
            error = max(np.inf if row.verdict == "unchecked" or row.max_error is None else row.max_error for row in check.rows)
            return np.float32(error) if "float32" in kinds else error
        return Case(name, (f"d{names[k]}",), call, args, True)
    return [one(k) for k in range(len(names))]


def replace(**functions):
    """Make the `inject` of a mistake that replaces some of the right functions."""
    return lambda right: {**right, **functions}
