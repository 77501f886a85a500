"""Compare an implementation of the temporal neuron with the 50-digit oracle, on random and on hard problems; needs mpmath.

An error counts in eps (2**-52 in float64, 2**-23 in float32) times the condition: kappa for a spike time, the `units` of the oracle for
gradients. Neurons whose decision is within rounding are not compared, and beyond kappa 1e10 (float32: 1e4) only whether they fire.
"""

from typing import NamedTuple

import numpy as np

from ..witness.temporal import near_threshold
from . import temporal as oracle

SIZES = (1, 2, 3, 5, 8, 13, 20, 50, 100, 200, 400, 784)
KINDS = ("random", "near", "ties", "cancellation", "two times", "silent inputs")
LIMITS = {"float64": 1e10, "float32": 1e4}
BOUND = 4.0              # eps times the condition; simple sums of hundreds of terms need more than 2


class Exact(NamedTuple):
    """What the oracle says about one problem."""

    z_out: np.ndarray     # (B, N_out), mpf
    kappa: np.ndarray     # (B, N_out), 0 where silent
    band: np.ndarray      # (B, N_out), decisions within rounding
    dz_out: np.ndarray    # (B, N_out), random; 0 where z_out is not compared
    gradients: list       # (exact, rounded once; unit) for z_in and for w


def problem(rng, dtype, kind, n_in):
    """Make one problem with two neurons.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    dtype : dtype
        float64 or float32.
    kind : str
        One of KINDS; near: the sum of all weights is 1 + 10**-u.
    n_in : int
        Number of inputs.

    Returns
    -------
    z_in : (1, n_in) array
        exp of the input times.
    w : (n_in, 2) array
        Weights.
    """
    dtype = np.dtype(dtype)
    z, w = rng.uniform(1, 6, (1, n_in)), rng.normal(4 / n_in, 0.6 / np.sqrt(n_in), (n_in, 2))
    if kind in ("near", "two times"):
        w = rng.normal(1 / n_in, 0.3 / np.sqrt(n_in), (n_in, 2))
    if kind == "ties":
        z = np.ceil(4 * z) / 4
    if kind == "cancellation":
        w = rng.normal(2 / n_in, rng.uniform(1, 5) / np.sqrt(n_in), (n_in, 2))
    if kind == "two times":
        z = np.where(z < 3, 1.0, 6.0)
    if kind == "silent inputs":
        z[rng.random(z.shape) < rng.uniform(0, 0.8)] = np.inf
    z, w = z.astype(dtype), w.astype(dtype)
    if kind in ("near", "two times"):
        wanted = 1 + 10.0 ** -rng.uniform(0, np.log10(LIMITS[dtype.name]) - 0.3, 2)
        w[-1] += (wanted - w.sum(axis=0, dtype=np.float64)).astype(dtype)
    return z, w


def ask(z_in, w, rng):
    """Ask the oracle about one problem.

    Parameters
    ----------
    z_in, w : (B, N_in), (N_in, N_out) arrays
        The problem.
    rng : numpy.random.Generator
        For dz_out.

    Returns
    -------
    Exact
        Spikes, conditions, gradients.
    """
    z_out, cache = oracle.forward(z_in, w)
    kappa, band = oracle.condition(cache), near_threshold(z_in, w)
    dz_out = np.where((kappa > 0) & (kappa <= LIMITS[w.dtype.name]) & ~band, rng.normal(size=kappa.shape), 0).astype(w.dtype)
    pairs = zip(oracle.backward(dz_out, cache), oracle.units(dz_out, cache), strict=True)
    return Exact(z_out, kappa, band, dz_out, [(oracle.rounded(x), unit) for x, unit in pairs])


class Scores(NamedTuple):
    """How well one implementation solved one problem; errors are in eps times the condition."""

    kappa: np.ndarray         # of the neurons compared
    error: np.ndarray         # of their z_out; inf where one is silent that should fire
    ulps: np.ndarray          # the same, in units in the last place instead of eps
    gradients: list           # of dz_in and dw, where they are not 0 by definition; inf for each that should be 0 and is not
    counts: dict              # in_band, beyond_the_limit, silent, wrong_decisions, wrong_zeros


def score(op, problem, exact):
    """Compare an implementation with the oracle on one problem.

    Parameters
    ----------
    op : module or object
        With ``forward(z_in, w) -> z_out, cache`` and ``backward(dz_out, cache) -> dz_in, dw``.
    problem : (z_in, w)
        From `problem`.
    exact : Exact
        From `ask`.

    Returns
    -------
    Scores
        Errors and counts.
    """
    eps = np.finfo(problem[1].dtype).eps
    silent, out = exact.kappa == 0, ~exact.band
    got, cache = op.forward(*problem)
    compared = exact.dz_out != 0
    good = compared & np.isfinite(got)
    error, ulps = np.full(got.shape, np.inf), np.full(got.shape, np.inf)
    error[good] = oracle.rounded(abs(oracle.exact(got[good]) / exact.z_out[good] - 1)) / (eps * exact.kappa[good])
    ulps[good] = oracle.ulps(got[good], exact.z_out[good]) / exact.kappa[good]
    counts = {"in_band": int(exact.band.sum()), "beyond_the_limit": int((~silent & out & ~compared).sum()),
              "silent": int((silent & out).sum()), "wrong_decisions": int((np.isfinite(got) == silent)[out].sum()), "wrong_zeros": 0}
    gradients = []
    for ours, (theirs, unit) in zip(op.backward(exact.dz_out, cache), exact.gradients, strict=True):
        off = np.where(np.isfinite(ours), np.abs(ours - theirs), np.inf)
        wrong_zeros = int((off[unit == 0] != 0).sum())
        counts["wrong_zeros"] += wrong_zeros
        gradients.append(np.append(off[unit > 0] / (eps * unit[unit > 0]), [np.inf] * wrong_zeros))
    return Scores(exact.kappa[compared], error[compared], ulps[compared], gradients, counts)


def check(op, n=60, dtype=np.float64, rng=None):
    """Compare an implementation with the oracle on n problems of 1 to 50 inputs.

    Parameters
    ----------
    op : module or object
        As for `score`.
    n : int
        Number of problems, of every kind in turn.
    dtype : dtype
        float64 or float32.
    rng : numpy.random.Generator, optional
        Default: seeded with 0.

    Returns
    -------
    list of pysnn.verify.report.ledger.Entry
        For z_out, dz_in and dw; `ulps` holds the largest error in eps times the condition.
    """
    from ..report.ledger import Entry
    rng = np.random.default_rng(0) if rng is None else rng
    errors, first, kappa, counts = {"z_out": [0.0], "dz_in": [0.0], "dw": [0.0]}, {}, 0.0, {}
    for k in range(n):
        z_in, w = problem(rng, dtype, KINDS[k % len(KINDS)], int(rng.choice(SIZES[:8])))
        scores = score(op, (z_in, w), ask(z_in, w, rng))
        kappa = max(kappa, scores.kappa.max(initial=0))
        counts = {name: counts.get(name, 0) + x for name, x in scores.counts.items()}
        for name, x in zip(errors, (scores.error, *scores.gradients), strict=True):
            errors[name].extend(x)
            if not (x <= BOUND).all() or (name == "z_out" and scores.counts["wrong_decisions"]):
                first.setdefault(name, f"problem {k} ({KINDS[k % len(KINDS)]}, {z_in.shape[1]} inputs)")
    return [Entry(operation="temporal", check="50-digit oracle", argument=name, n_checked=len(x) - 1, ulps=float(max(x)),
                  max_error=None, condition=float(kappa) if name == "z_out" else None, verdict="WRONG" if name in first else "right",
                  skipped=counts["in_band"] + counts["beyond_the_limit"] if name == "z_out" else 0,
                  note=f"ulps are eps times the condition, {BOUND:g} are allowed"
                  + ("; left out: decisions within rounding, kappa beyond the limit" if name == "z_out" else ""), first=first.get(name, ""))
            for name, x in errors.items()]
