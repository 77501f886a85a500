"""The checks of the operations of a ReLU network and of the losses: by a definition in plain loops, and by differences."""

import math

import numpy as np

from ..gradcheck import gradcheck
from ..witness.relu import batch_norm, conv2d, dense, pool, relu
from ..zoo import relu as zoo_ops
from ._book import place

CLOSE = 1e-12              # some dozen roundings
SMOOTH = np.zeros(0)       # a trace without decisions


def _cases(name, rng):
    """List cases of an operation: words, arguments with a gradient, further arguments, the definition, its decisions."""
    n = rng.normal
    if name == "dense":
        return [("with biases", (n(size=(3, 5)), n(size=(5, 4)), n(size=4)), (), dense, None)]
    if name == "conv2d":
        return [(f"stride {s}, padding {p}", (n(size=(2, 5, 4, 2)), n(size=(3, 3, 2, 3))), (s, p), conv2d, None)
                for s, p in ((1, 1), (2, 0), (1, 0))]
    if name == "max_pool2d":
        winner = lambda x, *how: pool(x, np.argmax, *how)                # noqa: E731
        return [(f"windows of {how}", (n(size=(2, 5, 4, 2)),), how, lambda x, *o: pool(x, max, *o), winner) for how in ((2, 2), (3, 1))]
    if name == "avg_pool2d":
        return [(f"windows of {how}", (n(size=(2, 5, 4, 2)),), how, lambda x, *o: pool(x, lambda a: math.fsum(a) / a.size, *o), None)
                for how in ((2, 2), (3, 1))]
    if name == "batch_norm":
        x, given = n(2, 3, (3, 2, 2, 3)), (n(size=3), rng.uniform(0.5, 2, 3))
        scale = n(size=3), n(size=3)
        return [("statistics of the batch", (x, *scale), (), batch_norm, None), ("given statistics", (x, *scale), given, batch_norm, None)]
    return [(f"top {top:g}", (n(size=(4, 5)),), (top,), relu, lambda x, top: [x > 0, x < top]) for top in (np.inf, 0.7)]


NAMES = {"dense": "x w b", "conv2d": "x w", "max_pool2d": "x", "avg_pool2d": "x", "batch_norm": "x gamma beta", "relu": "x"}
AXES = {2: ("sample", "neuron"), 4: ("sample", "row", "column", "channel")}


def checks(name, right, few=False, subject=None):
    """List the checks of an operation.

    Parameters
    ----------
    name : str
        One of NAMES.
    right : Op
        The reference.
    few : bool
        Not used: there are few.
    subject : object, optional
        What is under test, where it takes less than the contract; its `n_args` says how many arguments forward takes.

    Returns
    -------
    list of (str, callable)
        Name, and ``check(op, rng, book)``.
    """
    n_args = getattr(subject, "n_args", None) or 99

    def on(check):
        def run(op, rng, book):
            for case, args, more, definition, decisions in _cases(name, rng):
                if n_args < len(args) and name == "dense":
                    args = args[:2]                                      # no biases
                if n_args >= len(args) + len(more) or _is_default(name, more):
                    more = more if n_args >= len(args) + len(more) else ()
                    check(op, right, (args, more, definition, decisions), (book, case))
        return run

    def _definition(op, right, problem, where):
        args, more, definition, _ = problem
        got, wanted = op.forward(*args, *more)[0], definition(*args, *more)
        where[0].compare(got, wanted, f"y, {where[1]}", CLOSE, lambda bad: place(np.argwhere(bad)[0], *AXES[wanted.ndim]))

    def _gradcheck(op, right, problem, where):
        args, more, _, decisions = problem
        trace = (lambda a, out, cache: decisions(*a, *more)) if decisions else (lambda *_: SMOOTH)
        names = NAMES[name].split()[:len(args)]
        where[0].report(gradcheck(lambda *a: op.forward(*a, *more), op.backward, args, trace, names, n=30), where[1])

    def _reference(op, right, problem, where):
        args, more, _, _ = problem
        (y, cache), (wanted, right_cache) = (x.forward(*args, *more) for x in (op, right))
        dy = np.random.default_rng(6).normal(size=wanted.shape)
        grads = [x.backward(dy, c) for x, c in ((op, cache), (right, right_cache))]
        grads = [g if isinstance(g, tuple) else (g,) for g in grads]
        named = zip(["y", *NAMES[name].split()], (y, *grads[0]), (wanted, *[g for g in grads[1] if g is not None]), strict=False)
        for what, got, ref in named:
            where[0].compare(got, ref, f"{what}, {where[1]}", CLOSE)

    found = [(what, on(check)) for what, check in (("definition", _definition), ("gradcheck", _gradcheck), ("reference", _reference))]
    if name == "batch_norm" and n_args >= 5:
        found.append(("statistics", lambda op, rng, book: book.finding(zoo_ops.check_statistics(op, rng), "mean, var")))
    if name == "max_pool2d":
        found.append(("ties", lambda op, rng, book: book.finding(zoo_ops.check_ties(op), "x")))
    return found


def _is_default(name, more):
    """Say whether further arguments are what forward takes where it is not told."""
    return more in {"conv2d": [(1, 0)], "max_pool2d": [(2, 2)], "avg_pool2d": [(2, 2)], "relu": [(np.inf,)]}.get(name, [()])


def _softmax_loss(scores, y):
    """Average -ln softmax over the batch, in plain numbers."""
    def one(row, label):
        top = max(row)
        return top + math.log(math.fsum(math.exp(s - top) for s in row)) - row[label]
    return math.fsum(one(row, label) for row, label in zip(scores.tolist(), y.tolist(), strict=True)) / len(y)


LOSSES = {
    "softmax_z": lambda z, y: _softmax_loss(-np.minimum(z, 1e3), y),
    "softmax_t": lambda z, y: _softmax_loss(-10 * np.log(np.minimum(z, 1e3)), y),
    "mse": lambda s, y: math.fsum(((s - np.eye(s.shape[1])[y]) ** 2).ravel()) / s.size,
    "cross_entropy": _softmax_loss,
}
"""Losses by their definitions; (B, n) outputs, (B,) labels -> a number. A silent output counts as z = 1000."""


def loss_checks(name, right, few=False, subject=None):
    """List the checks of a loss, a function (outputs, labels) -> loss, gradient.

    Parameters
    ----------
    name : str
        One of LOSSES.
    right : callable
        Ours.
    few : bool
        Not used: there are few.
    subject : object, optional
        Not used.

    Returns
    -------
    list of (str, callable)
        Name, and ``check(op, rng, book)``.
    """
    def case(rng):
        x = np.exp(rng.uniform(0, 0.5, (4, 3))) if name.startswith("softmax") else rng.normal(0, 2, (4, 3))
        if name.startswith("softmax"):
            x[0, 1] = x[1, 1] = np.inf                                   # silent, once with the label
        return x, np.array([0, 1, 2, 0])

    def definition(op, rng, book):
        x, y = case(rng)
        book.compare(op(x, y)[0], LOSSES[name](x, y), "loss", CLOSE)

    def differences(op, rng, book):
        x, y = case(rng)
        book.report(gradcheck(lambda z: op(z, y), lambda d, dz: d * dz, (x,), lambda *_: SMOOTH, ["z" if x.max() == np.inf else "y"]))

    def silent(op, rng, book):
        x, y = case(rng)
        book.compare(op(x, y)[1][np.isinf(x)], np.zeros(2), "z", 0.0)

    found = [("definition", definition), ("gradcheck", differences)]
    return [*found, ("silence", silent)] if name.startswith("softmax") else found
