"""The checks of the temporal neuron with delays of axons, dendrites and synapses, and with delays of 0; see `_plain` for their kinds."""

import numpy as np

from ...operations import OPERATIONS
from ..witness import delays as witness
from . import _plain as plain
from ._plain import Problem
from ._recorder import Checked
from .contract import Call

RECORD = OPERATIONS["temporal_delays"]
KINDS = (("axons", (1, 0)), ("dendrites", (0, 1)), ("synapses", (1, 1)))


def _draw(rng, sizes, kind, silent=False):
    """Draw a layer in which some neurons fire and some do not, none of them badly conditioned."""
    n_batch, n_in, n_out = sizes
    for _ in range(2000):
        z_in = np.exp(rng.uniform(0, 2, (n_batch, n_in)))
        if silent:
            z_in[rng.random(z_in.shape) < 0.2] = np.inf
        w = rng.normal(1.6 / n_in, 1.2 / np.sqrt(n_in), (n_in, n_out))
        delay = np.abs(rng.normal(0, 1, [n if there else 1 for n, there in zip((n_in, n_out), kind, strict=True)]))
        z_out = witness.first_spike(z_in, w, delay)
        near = [witness.decisions(z_in, w * factor, delay) for factor in (0.999, 1.001)]
        clear = all((a == b).all() for a, b in zip(*near, strict=True)) or n_in * n_out > 40
        if clear and z_out[np.isfinite(z_out)].max(initial=0) < 100 and (0.2 < np.isfinite(z_out).mean() < 1 or n_in == n_out == 1):
            return z_in, w, delay, 1.0
    raise RuntimeError("no layer was drawn in which some neurons fire and some do not")


def _cases(rng):
    listed = [Problem(f"delays of {words}", _draw(rng, (3, 6, 5), kind), witness.first_spike, witness.decisions) for words, kind in KINDS]
    z_in, w, delay, _ = _draw(rng, (3, 6, 5), (1, 1))
    return [*listed, Problem("threshold 0.7", (z_in, 0.7 * w, delay, 0.7), witness.first_spike, witness.decisions)]


def _sizes(rng):
    return [Problem("{} x {} inputs, {} neurons".format(*sizes) + f", delays of {words}", _draw(rng, sizes, kind),
                    witness.first_spike)
            for sizes, (words, kind) in zip(((1, 1, 1), (2, 3, 37), (9, 37, 3)), KINDS, strict=True)]


def _zero(op, rng, recorder):
    """Hold delays of 0 against no delays."""
    right = OPERATIONS["temporal"].pair("reference")
    for words, kind in KINDS:
        z_in, w, delay, threshold = _draw(rng, (3, 6, 5), kind, True)
        wanted, right_cache = right.forward(z_in, w, threshold)
        z_out, cache = op.forward(z_in, w, 0 * delay, threshold)
        recorder.compare(z_out, wanted, f"z_out, no delays of {words}", 1e-12)
        c = rng.normal(size=wanted.shape)
        for name, a, b in zip(("z_in", "w"), op.backward(c, cache), right.backward(c, right_cache), strict=False):
            recorder.compare(a, b, f"{name}, no delays of {words}", 1e-10)


def _checks(right, few=False, subject=None):
    """List the checks."""
    n_args = getattr(subject, "n_args", None)
    return [*plain.checks(RECORD, _cases, right, n_args), *plain.checks(RECORD, _sizes, right, n_args, ("sizes",)), ("no delays", _zero)]


def _examples(op, right, rng, subject=None):
    """Run an operation on fixed arguments."""
    return plain.examples(RECORD, plain.cut(_cases(rng), getattr(subject, "n_args", None)), op, right, rng)


def _calls(rng, subject=None):
    """List where to check what every operation promises."""
    n_args = getattr(subject, "n_args", None)
    return [Call(words, _draw(rng, (3, 6, 5), kind, True)[:n_args]) for words, kind in KINDS]


SUITE = {"temporal_delays": Checked(RECORD.pair, _checks, _examples, RECORD.module, _calls)}
