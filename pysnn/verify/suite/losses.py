"""The checks of the losses: by a definition in plain numbers, and by differences."""

import math
from functools import partial

import numpy as np

from ... import losses
from ..gradcheck import gradcheck
from ._plain import CLOSE, SMOOTH
from ._recorder import Checked


def _softmax_loss(scores, y):
    """Average -ln softmax over the batch, in plain numbers."""
    def one(row, label):
        top = max(row)
        return top + math.log(math.fsum(math.exp(s - top) for s in row)) - row[label]
    return math.fsum(one(row, label) for row, label in zip(scores.tolist(), y.tolist(), strict=True)) / len(y)


def _counted(z):
    """Return z with 1000 for silent outputs; where the sample has a later spike, with twice the first power of two behind that one."""
    def silent(row):
        latest = max((v for v in row if v < math.inf), default=0.0)
        return 1e3 if latest < 1e3 else 2.0 ** (math.floor(math.log2(latest)) + 2)
    return np.array([[v if v < math.inf else silent(row) for v in row] for row in z.tolist()])


DEFINITIONS = {
    "softmax_z": lambda z, y: _softmax_loss(-_counted(z), y),
    "softmax_t": lambda z, y: _softmax_loss(-10 * np.log(_counted(z)), y),
    "mse": lambda s, y: math.fsum(((s - np.eye(s.shape[1])[y]) ** 2).ravel()) / s.size,
    "cross_entropy": _softmax_loss,
    "squared": lambda s, target: math.fsum(((s - target) ** 2).ravel()) / s.size,
    "squared_t": lambda z, target: math.fsum((((1.5 - np.log(_counted(z))) / 0.25 - target) ** 2).ravel()) / z.size,
}
"""The losses of `pysnn.losses` by their definitions; (B, n) outputs, (B,) labels or (B, n) targets -> a number."""


def _of_times(name):
    return name.startswith("softmax") or name == "squared_t"


def _wanted(name, rng):
    """Return labels, or targets of regression, of four samples with three outputs."""
    return rng.normal(0, 1, (4, 3)) if name.startswith("squared") else np.array([0, 1, 2, 0])


def _checks(name, right, few=False, subject=None):
    """List the checks of a loss, a function (outputs, labels or targets) -> loss, gradient."""
    def case(rng):
        x = np.exp(rng.uniform(0, 0.5, (4, 3))) if _of_times(name) else rng.normal(0, 2, (4, 3))
        if _of_times(name):
            x[0, 1] = x[1, 1] = np.inf                                   # silent, once with the label
        return x, _wanted(name, rng)

    def definition(op, rng, recorder):
        x, y = case(rng)
        recorder.compare(op(x, y)[0], DEFINITIONS[name](x, y), "loss", CLOSE)

    def differences(op, rng, recorder):
        x, y = case(rng)
        recorder.report(gradcheck(lambda z: op(z, y), lambda d, dz: d * dz, (x,), lambda *_: SMOOTH, ["z" if x.max() == np.inf else "y"]))

    def silent(op, rng, recorder):
        x, y = case(rng)
        recorder.compare(op(x, y)[1][np.isinf(x)], np.zeros(2), "z", 0.0)
    listed = [("definition", definition), ("gradcheck", differences)]
    return [*listed, ("silence", silent)] if _of_times(name) else listed


def _examples(name, op, right, rng, subject=None):
    """Run a loss on fixed arguments."""
    x = np.exp(rng.uniform(0, 2, (4, 3)))
    for silent in ((), (0, 1)):
        for b in silent if _of_times(name) else ():
            x[b, 1] = np.inf
        loss, d = op(x, _wanted(name, rng))
        yield {"loss": loss, "gradient": d}


SUITE = {name: Checked(lambda backend, name=name: getattr(losses, name), partial(_checks, name), partial(_examples, name))
         for name in DEFINITIONS}
