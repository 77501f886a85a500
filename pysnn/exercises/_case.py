"""What an exercise is made of: cases to run, the right answers, mistakes that are known."""

import inspect
from typing import NamedTuple

import numpy as np

from .. import _checks
from ..verify import student
from ..verify.gradcheck import gradcheck

OPEN = "not written yet"


class Case(NamedTuple):
    """One thing that a student's functions are asked for."""

    name: str
    outputs: tuple           # names of what comes back
    call: object             # call(functions, *args) -> that
    args: tuple = ()         # arrays and numbers; each call gets its own copies
    differences: bool = False    # the outputs are errors against differences, to be small, instead of numbers to be compared
    returns: tuple = ()      # what a function is asked for, where `outputs` are made of that

    def answer(self, functions):
        """Ask functions.

        Parameters
        ----------
        functions : mapping of str to callable
            By name.

        Returns
        -------
        dict of str to array or str
            By the names of `outputs`: what came back, or in one line what is wrong with it.
        """
        args, noted = [np.copy(x) if isinstance(x, np.ndarray) else x for x in self.args], _Noted(functions)
        try:
            with np.errstate(all="ignore"):
                out = self.call(noted, *args)
        except NotImplementedError:
            return dict.fromkeys(self.outputs, OPEN)
        except KeyboardInterrupt:
            raise
        except BaseException as error:             # whatever a student's code raises, and exit() too, is an answer
            said = student.one_line(error)
            return dict.fromkeys(self.outputs, OPEN if "llipsis" in said else f"raises {said}")
        for before, after in zip(self.args, args, strict=True):
            if isinstance(before, np.ndarray) and not np.array_equal(before, after, equal_nan=True):
                said = f"{noted.name(after)} of shape {before.shape} was changed in place: expected it to be left alone"
                return dict.fromkeys(self.outputs, said)
        return self._named(out)

    def _named(self, out):
        """Give the results their names; say which are none."""
        values = list(out) if isinstance(out, (tuple, list)) else [out]
        if isinstance(out, list) and len(self.outputs) == 1:
            values = [out]
        if len(values) != len(self.outputs):
            wants = "one result" if len(self.outputs) == 1 else f"{len(self.outputs)} results"
            came = f"{len(values)}" if isinstance(out, (tuple, list)) else _checks.describe(out)
            names = ", ".join(self.returns or self.outputs)
            return dict.fromkeys(self.outputs, OPEN if out is ... else f"expected {wants} ({names}), got {came}")
        return {name: _array(value) for name, value in zip(self.outputs, values, strict=True)}


class Said(str):
    """What a case says of an answer instead of numbers."""


class _Noted:
    """Functions by name, which note the names by which they are given arrays."""

    def __init__(self, functions):
        self.functions, self.seen = functions, []

    def __getitem__(self, key):
        function = self.functions[key]
        try:
            names = list(inspect.signature(function).parameters)
        except (TypeError, ValueError):
            return function

        def noting(*args, **more):
            self.seen += [(x, name) for name, x in zip(names, args, strict=False) if isinstance(x, np.ndarray)][:len(names)]
            del self.seen[20:]                             # those of the first calls will do
            return function(*args, **more)
        return noting

    def name(self, array):
        """Say by which name an array, or a part of it, was given."""
        return next((f"the argument {name}" for x, name in self.seen if x is array or x.base is array), "an argument")


def _array(value):
    """Make an array of a number or an array; of anything else, words."""
    if isinstance(value, Said):
        return str(value)
    if isinstance(value, list):
        return OPEN if any(x is ... for x in value) else "expected a NumPy array, got a list: numpy.stack makes one"
    if value is ... or (isinstance(value, np.ndarray) and value.dtype == object and any(x is ... for x in value.flat)):
        return OPEN
    good = isinstance(value, (np.ndarray, np.generic, float, int, bool)) and np.asarray(value).dtype.kind in "biuf"
    return np.array(value) if good else f"expected a NumPy array or a number, got {_checks.describe(value)}"


class Mistake(NamedTuple):
    """A known mistake: what it makes of the functions of an exercise, and what to say to somebody who made it."""

    name: str                # of a fault of pysnn.verify.zoo, or the exercise's own
    hint: str
    inject: object           # inject(right functions) -> faulty functions, each a dict by name


class Exercise(NamedTuple):
    """One exercise."""

    name: str
    title: str               # what it asks, in one line
    tags: str                # equations
    functions: dict          # name of a function that the file has -> ours, by pysnn.reference
    cases: object            # cases(rng) -> list of Case
    mistakes: tuple = ()

    def drawn(self, seed=0):
        """Draw the cases.

        Parameters
        ----------
        seed : int
            The random ones follow from it.

        Returns
        -------
        list of Case
            In the order in which they are asked.
        """
        return self.cases(np.random.default_rng([seed, len(self.name)]))


def differences(name, forward, backward, args, names):
    """Make cases of a backward pass, held against differences of its own forward pass.

    Parameters
    ----------
    name : str
        Of the case.
    forward, backward : callable
        Given the student's functions, return what `gradcheck` takes.
    args : tuple of arrays
        Where to check.
    names : tuple of str
        Of the arguments.

    Returns
    -------
    list of Case
        One an argument, so that a gradient that is missing takes no other along. Its output is the largest relative error; inf where
        nothing could be compared.
    """
    def one(k):
        def call(functions, *args):
            def pull(dout, cache):
                grads = backward(functions)(dout, cache)
                if len(names) == 1:
                    return grads
                if not isinstance(grads, (tuple, list)) or len(grads) != len(names):
                    raise ValueError(f"backward: expected {len(names)} results")
                return grads[k]
            found = gradcheck(lambda x: forward(functions)(*args[:k], x, *args[k + 1:]), pull, args[k:k + 1], names=names[k:k + 1], n=40)
            return max(_error(row) for row in found.rows)
        return Case(name, (f"d{names[k]}",), call, args, True)
    return [one(k) for k in range(len(names))]


def _error(row):
    return np.inf if row.verdict == "unchecked" or row.max_error is None else row.max_error
