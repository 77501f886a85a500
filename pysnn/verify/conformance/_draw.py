"""Currents for the cases, and what their results are."""

from typing import NamedTuple

import numpy as np

from .equation import gain_and_alpha as fields
from .equation import truth

RIGHT, CONVENTION, PRECISION, WRONG, NOT_SUPPORTED = "right", "convention", "precision", "wrong", "not supported"
MARGIN = {"float64": 1e-9, "float32": 1e-4}           # potentials nearer to the threshold are not judged, where sums are rounded
GRADIENT = {"float64": 1e-10, "float32": 1e-4}        # largest error, relative to the largest entry


class Result(NamedTuple):
    """What a case found."""

    verdict: str
    says: str


def need(holds, otherwise):
    """Go on, or end the case."""
    if not holds:
        raise Failed(otherwise)


class Failed(Exception):
    """The neuron does not do what it should; says what."""


def strength(p, numbers=None):
    """How much of a current acts on the potential in its own step; `numbers`: with these values of learnable parameters."""
    gain, alpha = (float(np.ravel(x)[0]) for x in fields(p, numbers or {}))
    return gain * (alpha if p.synapse == "before" else 1.0)


def exact(p):
    """Whether sums of eighths are exact, so that a potential may meet the threshold."""
    return p.beta == 1 and p.synapse == "none" and p.gain == 1 and p.weight == 0


def draw(p, shape, seed, mean=0.45, spread=0.7):
    """Draw currents of which some neurons fire in some steps: eighths of the threshold where sums are exact, else 2^-12."""
    grid = 8 if exact(p) else 2 ** 12
    x = np.random.default_rng(seed).normal(mean, spread, shape)
    if p.beta < 1 and p.synapse != "none":
        x = x * (1 - p.alpha)
    x = np.round(x * grid) / grid * (p.threshold - p.rest) / strength(p)
    return x if p.dtype == "float64" else x.astype(np.float32).astype(np.float64)


def judged(p, ref):
    """Which neurons of which samples are far enough from the threshold in all steps, (B, N)."""
    return np.ones(ref.margin.shape, bool) if exact(p) else ref.margin > MARGIN[p.dtype]


def clear(p, shape, numbers):
    """Draw currents and a gradient, all of whose neurons are judged; return them with the truth."""
    for seed in range(60):
        x = draw(p, shape, seed)
        down = np.random.default_rng(seed + 1000).normal(size=shape)
        if judged(p, truth(p, x, None, numbers)).all() and np.any((ref := truth(p, x, down, numbers)).dcurrent):
            return x, down, ref
    raise Failed(f"could not draw a current of shape {shape} that keeps clear of the threshold and has a gradient")


def off(got, wanted):
    """Return the largest deviation, relative to the largest entry; inf where it is not finite."""
    if np.shape(got) != np.shape(wanted) or not np.isfinite(got).all():
        return np.inf
    scale, miss = float(np.abs(wanted).max(initial=0)), float(np.abs(got - wanted).max(initial=0))
    return miss / scale if scale else (np.inf if miss else 0.0)
