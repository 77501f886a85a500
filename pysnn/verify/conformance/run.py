"""Run cells: a neuron, a case, a result; and set it against what is known to fail."""

import warnings
from typing import NamedTuple

import numpy as np

from ...foreign import NoAnswer
from . import _backward, _forward
from ._draw import CONVENTION, NOT_SUPPORTED, PRECISION, RIGHT, WRONG, Failed, Result
from .node import NotSupported

CASES = {
    "shape": _forward.shape, "dtype": _forward.dtype, "repeat": _forward.repeat, "input-kept": _backward.input_kept,
    "batch": _forward.batch, "neurons": _forward.neurons, "single-step": _forward.single_step, "two-calls": _forward.two_calls,
    "evaluation": _forward.evaluation, "spikes": _forward.spikes, "threshold": _forward.threshold, "large": _forward.large,
    "negative": _forward.negative, "gradient": _backward.gradient, "upstream": _backward.upstream,
    "second-backward": _backward.second_backward, "strided": _backward.strided, "far": _backward.far,
    "parameters": _backward.parameters, "nan": _backward.nan,
}
"""The cases by name: ``case(node, profile) -> Result``, or raises `Failed`."""

BUG, UNEXPECTED, REPAIRED, UNJUDGED = "bug", "unexpected", "repaired", "no answer"
OUTCOMES = (RIGHT, CONVENTION, PRECISION, BUG, NOT_SUPPORTED, UNEXPECTED, REPAIRED, UNJUDGED)


class Cell(NamedTuple):
    """One result."""

    framework: str
    version: str
    neuron: str
    case: str
    outcome: str         # one of OUTCOMES
    says: str            # in a sentence
    link: str = ""       # of a known failure: where it is reported, or its page

    @property
    def ok(self):
        """Whether nothing has to be done: all but unexpected, repaired and no answer.

        Returns
        -------
        bool
            Whether it is so.
        """
        return self.outcome not in (UNEXPECTED, REPAIRED, UNJUDGED)


def run(node, profile, who, cases=None, known=()):
    """Ask a neuron all cases.

    Parameters
    ----------
    node : Node
        The neuron.
    profile : Profile
        What it says of itself.
    who : tuple of str
        Framework, version and name.
    cases : sequence of str, optional
        Names; default: all.
    known : sequence of Known
        Known failures; those of other neurons are left out.

    Yields
    ------
    Cell
        One a case.
    """
    framework, version, neuron = who
    mine = {k.case: k for k in known if (k.framework, k.neuron) == (framework, neuron) and k.holds(version)}
    for name in cases or CASES:
        try:
            found = _one(CASES[name], node, profile)
        except NoAnswer as error:
            yield Cell(framework, version, neuron, name, UNJUDGED, str(error))
            continue
        yield Cell(framework, version, neuron, name, *_against(found, mine.get(name)))


def _one(case, node, profile):
    """Run one case; what the neuron raises is a failure of it."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return case(node, profile)
        except Failed as error:
            return Result(WRONG, str(error))
        except NotSupported as error:
            return Result(NOT_SUPPORTED, str(error))
        except NoAnswer:
            raise
        except Exception as error:
            return Result(WRONG, f"raises {type(error).__name__}: {' '.join(str(error).split())[:160]}")


def _against(found, known):
    """Set a result against a line of known failures; return outcome, sentence and link."""
    if known is None:
        return UNEXPECTED if found.verdict == WRONG else found.verdict, found.says
    if found.verdict == WRONG:
        return BUG, f"{known.reason}; {found.says}", known.link
    return REPAIRED, f"known to fail ({known.reason}), and is {found.verdict} now: delete the line; {found.says}", known.link


def summary(cells, suite):
    """Say all in one line.

    Parameters
    ----------
    cells : sequence of Cell
        Results.
    suite : str
        Version of the cases.

    Returns
    -------
    str
        Such as "conformance 1.0: 412 right, 31 conventions, 12 known bugs, 0 unexpected".
    """
    def count(outcome, one, many, always=False):
        n = sum(c.outcome == outcome for c in cells)
        return f"{n} {one if n == 1 else many}" if n or always else ""
    words = [count(RIGHT, "right", "right", True), count(CONVENTION, "convention", "conventions", True),
             count(PRECISION, "of precision", "of precision"), count(BUG, "known bug", "known bugs", True),
             count(NOT_SUPPORTED, "not supported", "not supported"), count(UNEXPECTED, "unexpected", "unexpected", True),
             count(REPAIRED, "repaired", "repaired"), count(UNJUDGED, "without an answer", "without an answer")]
    return f"conformance {suite}: " + ", ".join(filter(None, words))
