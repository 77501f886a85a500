"""What `identify` measures with: chosen currents, the neuron by its definition, and curves laid through a surrogate.

Currents are eighths of the threshold, or a threshold and a power of two away from it, so that sums are exact and every answer is yes or no.
"""

import numpy as np

from ..conventions import SURROGATES, Surrogate
from .witness import integrate_fire as by_definition

TINY, SMALL = 2.0 ** -40, 2.0 ** -20     # beyond float32, within float32
STEPS = 6
PROBES = {                               # in thresholds, followed by zeros
    "twice": [2, -4],
    "half": [0.5, 0, 0, 0.25],
    "at": [1, -4],
    "below": [1 - TINY, -4], "below, more": [1 - SMALL, -4],
    "above": [1 + TINY, -4], "above, more": [1 + SMALL, -4],
    "keeps": [1 - 2.0 ** -10, 0, 0, 0, 2.0 ** -9, -4],
    "owes": [-1, 1.5, 0.625, -4],
    "after": [1.5, 0.625],
    "again": [1.5, 1.5, -4],
    "anew": [1.5, 1 + SMALL, -4],
}
NEAR = [0] + [s * x for x in (2.0 ** -10, 2.0 ** -6, 2.0 ** -4, 0.125, 0.25, 0.375, 0.5, 0.75, 1, 1.5, 2, 3, 5) for s in (1, -1)]
SHORT = 0.01                             # a rounder slope is taken if it misses by at most this share of the tolerance
FAR = [s * x for x in (16, 64, 1024, 2.0 ** 17) for s in (1, -1)]


def probes(layer, threshold):
    """Run all probes at once; give spikes by name, each a list of STEPS numbers."""
    current = np.zeros((STEPS, len(PROBES), 1))
    for k, row in enumerate(PROBES.values()):
        current[:len(row), k, 0] = row
    spikes = layer.forward(current * threshold)
    return {name: spikes[:, k, 0].tolist() for k, name in enumerate(PROBES)}, current * threshold, spikes


def currents(threshold, top, n_steps=12, n=48):
    """Draw currents in eighths of the threshold, from -threshold to top times it."""
    rng = np.random.default_rng(1901_09948)
    return threshold * rng.integers(-8, 8 * top + 1, (n_steps, n, 1)) / 8


def spikes_of(convention, current, threshold):
    """Run the definition."""
    case = by_definition.Case(current, threshold, 0.0, convention.rule)
    spikes, _ = by_definition._walk(case, current, np.zeros(current.shape[1:]), lambda k, v: (by_definition._fires(case, v),) * 2)
    return np.stack(spikes)


def gradient_of(convention, current, dspikes, threshold):
    """Pull dspikes back by forward mode: one run with dual numbers for each step whose current moves."""
    case = by_definition.Case(current, threshold, 0.0, convention.rule, convention.surrogate, convention.detach_reset)
    dual, rest = by_definition._Dual, np.zeros(current.shape[1:])

    def spike(k, v):
        fired, move = by_definition._fires(case, v.value), slope(v.value - threshold, case.surrogate) * v.dot
        return dual(fired, move), dual(fired, 0.0 if case.detach_reset else move)
    grads = []
    for t in range(len(current)):
        moving = [dual(x, np.full_like(x, s == t)) for s, x in enumerate(current)]
        out, _ = by_definition._walk(case, moving, dual(rest, rest), spike)
        grads.append(sum(c * s.dot for c, s in zip(dspikes, out, strict=True)))
    return np.stack(grads)


def slope(x, surrogate):
    """Differentiate the soft step by a complex step, so that no second list of formulas is needed."""
    h = 1e-20
    return by_definition._soft_step(x + 1j * h, surrogate).imag / h


def fit(x, g, tolerance):
    """Lay each kind of surrogate through g(x).

    Returns
    -------
    found : Surrogate or None
        The first that misses no point by more than tolerance, in units of the peak.
    nearest : Surrogate or None
        The one that misses least.
    miss : float
        By how much.
    """
    peak = np.abs(g).max()
    if not np.isfinite(peak) or peak == 0:
        return None, None, np.inf
    best = None, np.inf
    for kind in SURROGATES["kind"]:
        k = _slope_of(kind, x, g)
        if not (k is not None and 0 < k < np.inf):
            continue
        for candidate in (Surrogate(kind, float(f"{k:.{digits}g}")) for digits in (3, 6, 9, 17)):     # the shortest number that will do
            miss = float(np.abs(slope(x, candidate) - g).max() / peak)
            if miss <= tolerance * SHORT:
                return candidate, candidate, miss
        if miss <= tolerance:
            return candidate, candidate, miss
        if miss < best[1]:
            best = candidate, miss
    return None, *best


def _slope_of(kind, x, g):
    """Read the slope off one point, for fast_sigmoid off the one where g is nearest to a quarter."""
    if kind == "fast_sigmoid":
        side = (x != 0) & (g > 0) & (g < 1)
        if not side.any():
            return None
        i = np.flatnonzero(side)[np.abs(g[side] - 0.25).argmin()]
        return (1 / np.sqrt(g[i]) - 1) / abs(x[i])
    return g[np.abs(x).argmin()] * {"atan": 2.0, "sigmoid": 4.0, "triangle": 1.0}[kind]
