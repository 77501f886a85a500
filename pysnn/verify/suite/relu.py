"""The cases of the operations of a ReLU network, each with its definition in plain loops; see `_plain` for their checks."""

import functools
import math

import numpy as np

from ...operations import OPERATIONS
from ..witness import maps
from ..witness import relu as witness
from . import _plain as plain
from ._plain import Problem
from ._recorder import Checked
from .contract import Call


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


def _dense_sizes(rng):
    n = rng.normal
    return [Problem(f"sizes {b}, {i}, {j}", (n(size=(b, i)), n(size=(i, j)), n(size=j)), maps.dense)
            for b, i, j in ((1, 1, 1), (2, 3, 37), (9, 37, 1), (2, 130, 17), (65, 4, 3))]


def _conv2d_sizes(rng):
    n = rng.normal
    return [Problem(f"images {x}, kernel {w}, stride {s}, padding {p}", (n(size=x), n(size=w), s, p), maps.conv2d) for x, w, s, p in (
        ((1, 6, 9, 1), (2, 3, 1, 1), 1, 0), ((9, 7, 4, 3), (3, 1, 3, 2), 1, 0), ((2, 5, 6, 37), (1, 2, 37, 9), 1, 0),
        ((2, 3, 8, 2), (3, 5, 2, 37), 1, 0), ((2, 9, 7, 3), (2, 3, 3, 4), 2, 1), ((1, 8, 11, 2), (3, 2, 2, 3), 3, 2),
        ((2, 1, 4, 2), (1, 1, 2, 3), 1, 0))]


def _pool_sizes(definition, rng):
    return [Problem(f"images {x}, windows of {how}", (rng.normal(size=x), *how), definition) for x, how in (
        ((1, 2, 2, 1), (2, None)), ((9, 7, 4, 3), (2, None)), ((2, 6, 9, 37), (2, None)), ((2, 11, 8, 3), (3, 2)),
        ((1, 9, 6, 2), (2, 3)), ((2, 4, 5, 3), (1, 1)))]


def _batch_norm_sizes(rng):
    n, listed = rng.normal, []
    for shape, given in (((2, 1), 0), ((9, 37), 0), ((33, 3, 2), 0), ((2, 5, 7, 3), 0), ((1, 3), 1), ((4, 6, 5, 37), 1)):
        c = shape[-1]
        spread = np.geomspace(0.01, 3, c)                            # some variances are not far above eps
        args = n(1, 1, shape) * spread, n(size=c), n(size=c)
        listed.append(Problem(f"sizes {shape}, {'given' if given else 'own'} statistics",
                              (*args, n(size=c), rng.uniform(0.5, 2, c)) if given else args, maps.batch_norm))
    return listed


def _relu_sizes(rng):
    return [Problem(f"sizes {shape}, top {top:g}", (rng.normal(size=shape), top), maps.relu)
            for shape, top in (((4, 1), np.inf), ((2, 130), np.inf), ((9, 3, 5, 7), 0.7))]


SIZES = {"dense": _dense_sizes, "conv2d": _conv2d_sizes, "max_pool2d": functools.partial(_pool_sizes, maps.max_pool2d),
         "avg_pool2d": functools.partial(_pool_sizes, maps.avg_pool2d), "batch_norm": _batch_norm_sizes, "relu": _relu_sizes}
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
        listed = plain.checks(record, cases, right, n_args) + plain.checks(record, lambda rng: _fitting(SIZES[name](rng), subject, n_args),
                                                                           right, n_args, ("sizes",))
        return [*listed, (what, check)] if (n_args or len(record.arguments)) >= at_least else listed

    def examples(op, right, rng, subject=None):
        problems = plain.cut(cases(rng), _n_args(subject))
        problems = [p._replace(args=(np.round(p.args[0]), *p.args[1:])) for p in problems] if name in TIED else problems
        return plain.examples(record, problems, op, right, rng)

    def calls(rng, subject=None):
        return [Call(p.words, p.args, mixed=name == "batch_norm" and len(p.args) < 5) for p in plain.cut(cases(rng), _n_args(subject))]
    return Checked(record.pair, checks, examples, record.module, calls)


def _fitting(problems, subject, n_args):
    """Leave out the sizes that are there for arguments that a subject does not take."""
    return [p for p in problems if n_args is None or len(p.args) <= n_args or _by_default(p)]


def _by_default(problem):
    """Say whether the numbers and words among the arguments are those of the contract; arrays are left out freely."""
    how = problem.args[2:] if isinstance(problem.args[1], np.ndarray) else problem.args[1:]
    return len(how) < 3 if how and isinstance(how[0], np.ndarray) else how in ((), (1, 0), (2, None), (np.inf,))


SUITE = {name: _checked(name) for name in CASES}
