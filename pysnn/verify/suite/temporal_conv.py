"""The checks of the convolution of temporal neurons; see `_plain` for their kinds."""

import numpy as np

from ...operations import OPERATIONS
from ..witness import temporal_conv as witness
from . import _plain as plain
from ._plain import Problem
from ._recorder import Checked
from .contract import Call

RECORD = OPERATIONS["temporal_conv"]
SIZES = (   # of the images, window and channels: (B, H, W, C), (kh, kw, N), stride, padding
    ("window of 1", ((1, 2, 3, 2), (1, 1, 2), 1, 0)), ("window of 3 x 2, padding", ((1, 4, 4, 1), (3, 2, 2), 1, 1)),
    ("stride 2", ((2, 5, 4, 1), (2, 2, 2), 2, 0)), ("stride 2, padding", ((1, 4, 5, 1), (3, 3, 2), 2, 1)))
LARGER = (("images of 7 x 6, 9 channels", ((2, 7, 6, 3), (3, 3, 9), 1, 1)),
          ("window as large as the image", ((3, 5, 5, 2), (5, 5, 17), 1, 0)))


def _draw(rng, sizes, bias=True, threshold=1.0):
    """Draw a layer in which some neurons fire and some do not, none of them badly conditioned."""
    shape, (kh, kw, n_out), stride, padding = sizes
    n_in = kh * kw * shape[3]
    for _ in range(3000):
        z_in = np.exp(rng.uniform(0, 2, shape))
        w = threshold * rng.normal(1.6 / n_in, 1.2 / np.sqrt(n_in), (kh, kw, shape[3], n_out))
        b = threshold * rng.normal(0.1, 0.3, n_out) if bias else None
        rest = stride, padding
        z_out = witness.first_spike(z_in, w, b, *rest, threshold)
        near = [witness.decisions(z_in, w * f, b if b is None else b * f, *rest, threshold) for f in (0.9995, 1.0005)]
        clear = all((a == c).all() for a, c in zip(*near, strict=True)) or z_out.size > 60
        if clear and z_out[np.isfinite(z_out)].max(initial=0) < 100 and 0.2 < np.isfinite(z_out).mean() < 1:
            return z_in, w, b, *rest, threshold
    raise RuntimeError("no layer was drawn in which some neurons fire and some do not")


def _cases(rng):
    listed = [Problem(words, _draw(rng, sizes, bias=k % 2 == 0), witness.first_spike, witness.decisions)
              for k, (words, sizes) in enumerate(SIZES)]
    return [*listed, Problem("threshold 0.7", _draw(rng, SIZES[2][1], True, 0.7), witness.first_spike, witness.decisions)]


def _sizes(rng):
    return [Problem(words, _draw(rng, sizes, bias=k == 0), witness.first_spike) for k, (words, sizes) in enumerate(LARGER)]


def _checks(right, few=False, subject=None):
    """List the checks."""
    n_args = getattr(subject, "n_args", None)
    return [*plain.checks(RECORD, _cases, right, n_args), *plain.checks(RECORD, _sizes, right, n_args, ("sizes",))]


def _examples(op, right, rng, subject=None):
    """Run an operation on fixed arguments."""
    return plain.examples(RECORD, plain.cut(_cases(rng), getattr(subject, "n_args", None)), op, right, rng)


def _calls(rng, subject=None):
    """List where to check what every operation promises."""
    return [Call(words, _draw(rng, sizes)[:getattr(subject, "n_args", None)]) for words, sizes in SIZES[:2]]


SUITE = {"temporal_conv": Checked(RECORD.pair, _checks, _examples, RECORD.module, _calls)}
"""The suite by operation."""
