"""What an exercise is made of: cases to run, the right answers, mistakes that are known."""

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
        args = [np.copy(x) if isinstance(x, np.ndarray) else x for x in self.args]
        try:
            with np.errstate(all="ignore"):
                out = self.call(functions, *args)
        except NotImplementedError:
            return dict.fromkeys(self.outputs, OPEN)
        except KeyboardInterrupt:
            raise
        except BaseException as error:             # whatever a student's code raises, and exit() too, is an answer
            said = student._said(error)
            return dict.fromkeys(self.outputs, OPEN if "llipsis" in said else f"raises {said}")
        for before, after in zip(self.args, args, strict=True):
            if isinstance(before, np.ndarray) and not np.array_equal(before, after, equal_nan=True):
                name = f"an argument of shape {before.shape}"
                return dict.fromkeys(self.outputs, f"{name} was changed in place: expected it to be left alone")
        return self._named(out)

    def _named(self, out):
        """Give the results their names; say which are none."""
        values = list(out) if isinstance(out, (tuple, list)) else [out]
        if isinstance(out, list) and len(self.outputs) == 1:
            values = [out]
        if len(values) != len(self.outputs):
            wants = "one result" if len(self.outputs) == 1 else f"{len(self.outputs)} results"
            came = f"{len(values)}" if isinstance(out, (tuple, list)) else _checks.describe(out)
            return dict.fromkeys(self.outputs, OPEN if out is ... else f"expected {wants} ({', '.join(self.outputs)}), got {came}")
        return {name: _array(value) for name, value in zip(self.outputs, values, strict=True)}


def _array(value):
    """Make an array of a number or an array; of anything else, words."""
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
    """Make a case of a backward pass, held against differences of its own forward pass.

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
    Case
        Its outputs are the largest relative errors; inf where nothing could be compared.
    """
    def call(functions, *args):
        found = gradcheck(forward(functions), backward(functions), args, names=names, n=40)
        return tuple(_worst([row for row in found.rows if row.name == name]) for name in names)
    return Case(name, tuple(f"d{name}" for name in names), call, args, True)


def _worst(rows):
    return max(np.inf if row.verdict == "unchecked" or row.max_error is None else row.max_error for row in rows)
