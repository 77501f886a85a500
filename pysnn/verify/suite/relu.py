"""The cases of the operations of a ReLU network, each with its definition in plain loops; see `_plain` for their checks."""

import functools
import math

import numpy as np

from ...operations import OPERATIONS
from ..witness import relu as witness
from . import _plain as plain
from ._plain import Problem
from ._recorder import Checked


def _dense(rng):
    n = rng.normal
    return [Problem("with biases", (n(size=(3, 5)), n(size=(5, 4)), n(size=4)), witness.dense)]


def _conv2d(rng):
    n = rng.normal
    return [Problem(f"stride {s}, padding {p}", (n(size=(2, 5, 4, 2)), n(size=(3, 3, 2, 3)), s, p), witness.conv2d)
            for s, p in ((1, 1), (2, 0), (1, 0))]


def _pool(reduce, winner, rng):
    return [Problem(f"windows of {how}", (rng.normal(size=(2, 5, 4, 2)), *how), lambda x, *o: witness.pool(x, reduce, *o),
                    winner and (lambda x, *o: witness.pool(x, winner, *o))) for how in ((2, 2), (3, 1))]


def _mean(window):
    return math.fsum(window) / window.size


def _batch_norm(rng):
    n = rng.normal
    x, given = n(2, 3, (3, 2, 2, 3)), (n(size=3), rng.uniform(0.5, 2, 3))
    scale = n(size=3), n(size=3)
    return [Problem("statistics of the batch", (x, *scale), witness.batch_norm),
            Problem("given statistics", (x, *scale, *given), witness.batch_norm)]


def _relu(rng):
    def inside(x, top=np.inf, levels=0):
        return [x > 0, x < top]
    listed = [Problem(f"top {top:g}", (rng.normal(size=(4, 5)), top), witness.relu, inside) for top in (np.inf, 0.7)]
    return [*listed, Problem("4 levels", (rng.normal(0.3, 0.6, (4, 5)), 0.7, 4), witness.relu, inside,
                             lambda x, top=np.inf, levels=0: witness.relu(x, top))]


def _statistics(op, rng, recorder):
    recorder.statements(witness.check_statistics(op, rng), "mean, var")


def _ties(op, rng, recorder):
    recorder.statements(witness.check_ties(op), "x")


CASES = {"dense": _dense, "conv2d": _conv2d, "max_pool2d": functools.partial(_pool, max, np.argmax),
         "avg_pool2d": functools.partial(_pool, _mean, None), "batch_norm": _batch_norm, "relu": _relu}
CONVENTIONS = {"batch_norm": ("statistics", _statistics, 5), "max_pool2d": ("ties", _ties, 1)}      # check, from how many arguments on
TIED = ("max_pool2d", "relu")              # whose examples hold whole numbers: ties, and zeros


def _n_args(subject):
    """Say how many arguments forward gets, None for all; a mean comes with a variance."""
    n = getattr(subject, "n_args", None)
    return 3 if n == 4 and subject.operation == "batch_norm" else n


def _checked(name):
    record, cases = OPERATIONS[name], CASES[name]

    def checks(right, few=False, subject=None):
        n_args = _n_args(subject)
        what, check, at_least = CONVENTIONS.get(name, ("", None, np.inf))
        listed = plain.checks(record, cases, right, n_args)
        return [*listed, (what, check)] if (n_args or len(record.arguments)) >= at_least else listed

    def examples(op, right, rng, subject=None):
        problems = plain.cut(cases(rng), _n_args(subject))
        problems = [p._replace(args=(np.round(p.args[0]), *p.args[1:])) for p in problems] if name in TIED else problems
        return plain.examples(record, problems, op, right, rng)
    return Checked(record.pair, checks, examples, record.module)


SUITE = {name: _checked(name) for name in CASES}
