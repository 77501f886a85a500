"""The checks of theta neurons; see `_plain` for their kinds.

    worked example   one input, and one pseudo-spike
    edges            ties, inhibition, inputs at and behind the end of the trial, inputs that come too late
    no jumps         as a weight or a time moves, across the spike or the end of the trial, the spike moves the less, the smaller the step
"""

import numpy as np

from ...operations import OPERATIONS
from ..witness import theta as witness
from . import _plain as plain
from ._plain import Problem
from ._recorder import Checked
from .contract import Call

RECORD = OPERATIONS["theta"]
INF = np.inf
HOWS = ((1.25, 1.25, 0.5, 1.0), (3.0, 0.5, 0.25, 1.0), (2.5, 2.25, -0.5, 2.0))      # t_end, drive, v_init, tau
WORKED = (         # t_in, w, t_end, then t_out, dt_in, dw
    ([np.pi / 4], [1.0], 2.0, 1.2490457723982544, [0.6], [-0.2]),
    ([1.25], [1.0], 1.0, 1.3835878203903536, [0.0445834472031964], [-0.12891716840447112]))
EDGES = (          # t_in, w, for a trial of length 1.25: which inputs are felt
    ("no input is felt", [INF], [1.0], []), ("a strong input", [0.5], [40.0], [0]), ("inhibited", [0.5], [-40.0], [0]),
    ("an input behind the spike", [0.5, 1.2], [40.0, 3.0], [0]), ("at the end of the trial", [1.25], [0.5], [0]),
    ("behind the end of the trial", [2.0], [0.5], [0]), ("so late that it is no more felt", [4.5], [0.5], []),
    ("inputs at one time that cancel", [0.5, 0.5], [3.0, -3.0], [0, 1]), ("at the begin of the trial", [0.0], [0.5], [0]),
    ("no weight", [0.5, 0.75], [0.0, 0.5], [0, 1]), ("many late inputs", [1.25, 1.5, 2.5, 9.0], [0.5, -1.0, 2.0, 1.0], [0, 1, 2]))


def _draw(rng, sizes, how, ties=False):
    """Draw a layer in which some neurons fire in the trial and some do not; some inputs come behind its end, some never."""
    n_batch, n_in, n_out = sizes
    for _ in range(2000):
        t_in = how[0] * rng.uniform(0.1, 1.6, (n_batch, n_in)) if not ties else how[0] * rng.integers(1, 7, (n_batch, n_in)) / 4
        if n_in > 3:
            t_in[rng.random(t_in.shape) < 0.1] = INF
        w = rng.normal(rng.uniform(-1, 2) / n_in, 1.2 / np.sqrt(n_in), (n_in, n_out))
        t_out = witness.first_spike(t_in, w, *how)
        if sizes == (1, 1, 1) or 0.2 < (t_out < how[0]).mean() < 0.8:
            return t_in, w, *how
    raise RuntimeError("no layer was drawn in which some neurons fire in the trial and some do not")


def _cases(rng):
    return [Problem("trial {}, drive {}, first voltage {}, tau {}".format(*how), _draw(rng, (3, 6, 5), how), witness.first_spike,
                    witness.decisions) for how in HOWS]


def _ties(rng):
    return [Problem("ties", _draw(rng, (3, 6, 5), HOWS[0], ties=True), witness.first_spike)]


def _sizes(rng):
    return [Problem("{} x {} inputs, {} neurons".format(*sizes), _draw(rng, sizes, HOWS[0])[:5 - k % 2], witness.first_spike)
            for k, sizes in enumerate(((1, 1, 1), (2, 3, 300), (17, 4, 2), (2, 65, 3)))]


def _worked(op, rng, recorder):
    for t_in, w, t_end, t_out, dt_in, dw in WORKED:
        got, cache = op.forward(np.array([t_in]), np.array(w)[:, None], t_end)
        recorder.compare(got, [[t_out]], f"t_out, trial {t_end}", 1e-13)
        for what, a, b in zip(("t_in", "w"), op.backward(np.ones((1, 1)), cache), ([dt_in], np.array(dw)[:, None]), strict=True):
            recorder.compare(a, b, f"{what}, trial {t_end}", 1e-12)


def _edges(op, rng, recorder):
    for words, t_in, w, felt in EDGES:
        t_in, w = np.array([t_in]), np.array(w)[:, None]
        t_out, cache = op.forward(t_in, w, 1.25)
        dt_in, dw = op.backward(np.full((1, 1), -1.5), cache)
        recorder.compare(t_out, witness.first_spike(t_in, w, 1.25), f"t_out, {words}", 1e-12)
        recorder.compare(dw[:, 0] > 0, np.isin(np.arange(len(w)), felt), f"which inputs are felt, {words}", 0)
        recorder.compare((dt_in[0] != 0) <= (dw[:, 0] > 0), np.ones(len(w), bool), f"which times are felt, {words}", 0)


def _no_jumps(op, rng, recorder):
    """Sweep a weight and a time; twice as many places halve the largest step."""
    t_in, w = np.array([0.25, 0.75, 1.0, 1.5]), np.array([0.5, -1.0, 1.5, -0.5])
    for what, reach in (("weight", 6.0), ("time", 5.0)):
        largest, sides = [], []
        for n in (1000, 2000):
            places = np.linspace(0, reach, n + 1)
            if what == "time":
                moved = np.tile(t_in, (n + 1, 1))
                moved[:, 2] = places
                t_out = op.forward(moved, w[:, None], 1.25)[0][:, 0]
            else:
                rows = np.tile(w[:, None], n + 1)
                rows[1] = places - reach / 2
                t_out = op.forward(t_in[None], rows, 1.25)[0][0]
            largest.append(np.abs(np.diff(t_out)).max())
            sides.append(np.ptp(np.sign(t_out - 1.25)))
        recorder.number(largest[1] / largest[0], 0.55, f"largest step of t_out along a {what}", 3000)
        recorder.compare(sides, [2.0, 2.0], f"spikes on both sides of the end of the trial, along a {what}", 0)


def _checks(right, few=False, subject=None):
    """List the checks."""
    n_args = getattr(subject, "n_args", None)
    return [("worked example", _worked), *plain.checks(RECORD, _cases, right, n_args),
            *plain.checks(RECORD, _ties, right, n_args, ("definition", "reference")),
            *plain.checks(RECORD, _sizes, right, n_args, ("sizes",)), ("edges", _edges), ("no jumps", _no_jumps)]


def _examples(op, right, rng, subject=None):
    """Run an operation on fixed arguments."""
    return plain.examples(RECORD, plain.cut(_cases(rng), getattr(subject, "n_args", None)), op, right, rng)


def _calls(rng, subject=None):
    """List where to check what every operation promises."""
    n_args = getattr(subject, "n_args", None)
    return [Call(f"trial {how[0]}", _draw(rng, (3, 6, 5), how)[:n_args]) for how in HOWS]


SUITE = {"theta": Checked(RECORD.pair, _checks, _examples, RECORD.module, _calls)}
