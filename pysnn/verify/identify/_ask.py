"""What is asked of every layer: the first probes, what it keeps of a current, and the surrogate.

Layers are asked in batches: one sample is one question. Potentials, and what is found, are in units of the threshold where it says so.
"""

from typing import NamedTuple

import numpy as np

from ...conventions import SURROGATES, Surrogate
from ..witness import surrogates
from ..witness.surrogates import KINDS, Shape, derivative

FLOAT64, FLOAT32 = 1e-10, 1e-5           # largest error of a gradient, relative to the largest entry
TINY, SMALL = 2.0 ** -40, 2.0 ** -20     # beyond float32, within float32
HUGE = 2.0 ** 20                         # in thresholds, a current that fires whatever the gain, and the last one that is tried
STEPS = 6
PROBES = {                               # in thresholds, followed by zeros
    "huge": [HUGE, -2 * HUGE],
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
QUIET = (-4.0, -3.0, -1.75, 0.5)         # of the current that just fires: first steps without a spike
NEAR = [0] + [s * x for x in (2.0 ** -10, 2.0 ** -6, 2.0 ** -4, 0.125, 0.25, 0.375, 0.5, 0.75, 1, 1.5, 2, 3, 5) for s in (1, -1)]
FAR = [s * x for x in (16, 64, 1024, 2.0 ** 17) for s in (1, -1)]
SHORT = 0.01                             # a rounder slope is taken if it misses by at most this share of the tolerance


class Unknown(Exception):
    """The layer does what no convention here does."""


class Fault(Unknown):
    """The layer does what no neuron should: its backward pass is not that of its forward pass, or a spike acts at the wrong time."""


def whole(y):
    """Take a spike that is 0 or 1 but for rounding, as of (hard - soft).detach() + soft, for what it is."""
    near = np.rint(y)
    return np.where((np.abs(near) <= 1) & (np.abs(y - near) <= 8 * np.finfo(y.dtype).eps), near, y) if y.dtype.kind == "f" else y


def need(holds, otherwise, kind=Unknown):
    """Go on, or end with a reason."""
    if not holds:
        raise kind(otherwise)


class Subject(NamedTuple):
    """A layer under question, and what is known of it."""

    layer: object
    threshold: float
    n: int | None            # neurons, where the layer takes no other number
    why: list                # sentences
    evidence: dict


class Response(NamedTuple):
    """What a layer without spikes does with a current, neuron by neuron, (n,) arrays."""

    first: np.ndarray        # smallest current that fires in the first step
    kept: np.ndarray         # factor by which a current still acts a step later
    kept_2: np.ndarray       # two steps later
    kept_above: np.ndarray   # a step later, where the potential was above 0 in between
    spread: float            # how far three readings of `kept` are apart
    single: bool = False     # whether `first` is off as a rounding to float32 leaves it

    @property
    def plain(self):
        """Whether nothing leaks."""
        most = 1e-12 if self.spread <= 1e-12 and not self.single else SMALL
        return bool(np.abs([self.kept - 1, self.kept_2 - 1]).max() <= most)


def opening(subject):
    """Run all probes, and ask what must hold before anything else is asked.

    Returns spikes by name, each a list of STEPS numbers.
    """
    layer, threshold, n, _, evidence = subject
    current = np.zeros((STEPS, len(PROBES), n or 1))
    for k, row in enumerate(PROBES.values()):
        current[:len(row), k] = np.array(row)[:, None] * threshold
    spikes = layer.forward(current)
    if getattr(layer, "returns", None):
        evidence["returns"] = layer.returns(current)
    need(np.isin(spikes, (0, 1)).all(), f"spikes are 0 and 1 here; got {sorted(set(spikes.ravel().tolist()) - {0.0, 1.0})[:3]}")
    need(np.array_equal(layer.forward(current), spikes), "the same current gives other spikes the second time: the state is kept between "
         "runs, or spikes are random")
    if n is None:
        turned = layer.forward(np.ascontiguousarray(current.transpose(0, 2, 1)))
        need(np.array_equal(turned.transpose(0, 2, 1), spikes), "neurons act on one another: the same currents as one sample of many "
             "neurons give other spikes; if these are recurrent weights, say how many neurons the layer has (n)")
    answers = {name: spikes[:, k, 0].tolist() for k, name in enumerate(PROBES)}
    need(answers["twice"][0] == 1 or answers["twice"][1] == 0, "spikes are recorded one step late: twice the threshold in step 1 gives "
         "a spike in step 2", Fault)
    late = answers["huge"].index(1) if 1 in answers["huge"] else 0
    evidence["steps late"] = late
    need(late == 0, f"spikes are recorded {late} step{'s' * (late > 1)} late: 2^20 thresholds in step 1 give the first spike in step "
         f"{late + 1}; look at the layer without these steps to know the rest", Fault)
    return answers


def response(subject):
    """Find what a current does as long as nothing fires; None if there are neurons that do not fire however large the current."""
    n = subject.n or 1
    first = boundary(subject, np.zeros((0, n, n)), range(n))
    if not np.isfinite(first).all():
        return None
    each, parts = np.repeat(np.arange(n), len(QUIET)), np.tile(QUIET, n)
    before = np.zeros((1, len(each), n))
    before[0, np.arange(len(each)), each] = parts * first[each]
    second = boundary(subject, before, each)
    before = np.zeros((2, n, n))
    before[0] = np.diag(QUIET[0] * first)
    third = boundary(subject, before, range(n))
    if not (np.isfinite(second).all() and np.isfinite(third).all()):
        return None
    kept = ((first[each] - second) / (parts * first[each])).reshape(n, -1)
    return Response(first, kept[:, 0], (first - third) / (QUIET[0] * first), kept[:, -1], float(np.ptp(kept[:, :-1], axis=1).max()),
                    bool(1e-12 < np.abs(first / subject.threshold - 1).max() < SMALL))


def coarse(subject, found):
    """Say whether potentials move in jumps, as those in float16 do: a current before may grow by 2^-18, and nothing moves."""
    n, parts = subject.n or 1, np.array([-7.0, -4.2, -3.3, -2.1, 0.37, 0.53])
    each = np.repeat(parts, 2) * np.tile([1, 1 + 2.0 ** -18], len(parts))
    before = np.zeros((1, len(each), n))
    before[0, :, 0] = each * found.first[0]
    there = boundary(subject, before, np.zeros(len(each), int)).reshape(-1, 2)
    return bool(np.isfinite(there).all() and (there[:, 0] == there[:, 1]).all() and there[-1, 0] != there[-2, 0])


def boundary(subject, before, neurons, top=None):
    """Find the smallest current of a step that makes a neuron fire in it, by bisection; inf where none up to `top` does.

    Parameters
    ----------
    subject : Subject
        Of whom to ask.
    before : (t, m, n) array
        Currents of the steps before, m questions.
    neurons : sequence of m integers
        Which neuron is to fire; in the step sought the others get 0.
    top : float, optional
        Largest current that is tried; default: 2^20 thresholds.

    Returns
    -------
    (m,) array
        Currents, to the last digit.
    """
    t, m, n = before.shape
    rows, parts = np.arange(m), np.linspace(0, 1, 65)
    lo, hi = np.full((2, m), top or HUGE * subject.threshold) * [[-1], [1]]
    silent = None
    for _ in range(64):
        x = lo[:, None] + (hi - lo)[:, None] * parts
        x[:, -1] = hi
        current = np.zeros((t + 1, m, len(parts), n))
        current[:t] = before[:, :, None]
        current[t, rows, :, neurons] = x
        fired = subject.layer.forward(current.reshape(t + 1, -1, n))[-1].reshape(current.shape[1:])[rows, :, neurons] > 0
        silent = ~fired[:, -1] if silent is None else silent
        k = np.maximum(fired.argmax(axis=1), 1)
        lo, hi = x[rows, k - 1], x[rows, k]
        if (hi - lo <= np.spacing(np.maximum(np.abs(lo), np.abs(hi)))).all():
            break
    return np.where(silent, np.inf, hi)


def surrogate(subject, gain, reset):
    """Find what stands for the derivative of a spike, from single steps.

    Parameters
    ----------
    subject : Subject
        Of whom to ask; its evidence holds the precision.
    gain : float
        What one step multiplies the current by.
    reset : str
        The word of the rule.

    Returns
    -------
    Surrogate
        Where it is one of ours; else the reason is raised.
    """
    layer, threshold, n, why, evidence = subject

    def ask(x):
        current = np.zeros((1, len(x), n or 1))
        current[0, :, 0] = (threshold + x) / gain
        dspikes = np.zeros(current.shape)
        dspikes[0, :, 0] = 1
        return layer.vjp(current, dspikes)[0, :, 0] / gain
    x = np.array([*NEAR, *FAR, -threshold])
    g = ask(x)
    tolerance = FLOAT32 if evidence["precision"] == "float32" else FLOAT64
    bad = ~np.isfinite(g)
    fitted, nearest, miss = _fit(x[~bad], g[~bad], tolerance) if (~bad).any() else (None, None, np.inf)
    if fitted is None and tolerance == FLOAT64:
        fitted, nearest, miss = _fit(x[~bad], g[~bad], FLOAT32) if (~bad).any() else (None, None, np.inf)
        evidence["precision"] = "float32" if fitted else evidence["precision"]
    evidence["nearest surrogate"] = nearest
    like = f"; elsewhere it is that of {words(nearest, ',')}" if fitted else ""
    if bad.any():
        evidence["surrogate"], evidence["not finite at"] = nearest, sorted(x[bad].tolist())
        raise Fault(f"the gradient through a spike is {g[bad][0]} at V - threshold = {', '.join(f'{v:g}' for v in x[bad])}{like}")
    need(g.any(), "no gradient goes through a spike", Fault)
    if fitted is None:
        evidence["surrogate"] = None
        _why_no_surrogate(x, g, threshold, gain, reset)
        fitted, miss = _shape(ask, x, g, tolerance)
    if fitted is None:
        need(g[np.abs(x) < 1e-3].any() or np.abs(g[np.abs(x) <= threshold]).max() > FLOAT32 * np.abs(g).max(), "no gradient goes through a "
             "spike next to the threshold", Fault)
        fitted, miss = Measured(ask, x, g), 0.0
        why.append("no surrogate known here explains the gradient through a spike; it is taken as it was measured")
    evidence["surrogate"] = fitted
    why.append(f"the gradient through a spike is that of {words(fitted, ',')}, at {len(x)} distances up to 2^17, within {miss:.1g} of the "
               "peak")
    return fitted


class Measured:
    """A surrogate without a name: the layer itself is asked what one step gives, once for the same numbers."""

    kind = "measured"

    def __init__(self, ask, x, g):
        self.ask, self.height, self.answers = ask, float(np.abs(g).max()), {}
        wide = np.abs(x[np.abs(g) > 0.5 * self.height])
        self.slope = float(1 / max(wide.max(initial=0.0), 2.0 ** -10))

    def __call__(self, x):
        """Ask, or remember the answer."""
        x = np.ascontiguousarray(x, float)
        key = x.tobytes()
        if key not in self.answers:
            each, where = np.unique(x, return_inverse=True)
            self.answers[key] = self.ask(each)[where].reshape(x.shape)
        return self.answers[key]

    def _asdict(self):
        return {"kind": self.kind, "height": self.height}


def words(surrogate, of=" of"):
    """Say a surrogate in words."""
    if isinstance(surrogate, Measured):
        return f"a function of its own, at most {surrogate.height:.6g}"
    own = getattr(surrogate, "height", None)
    return f"{surrogate.kind}{of} slope {surrogate.slope:.10g}" + ("" if own is None else f", height {own:.10g}")


def _why_no_surrogate(x, g, threshold, gain, reset):
    """Raise the reason, where it is a known one."""
    need(np.ptp(g) > FLOAT32 * np.abs(g).max(), "the gradient through a spike does not depend on the current of its step: the surrogate is "
         "taken at another potential than the one that is compared", Fault)
    centred = _fit(x + threshold, g, FLOAT32)[0]
    need(centred is None, f"the surrogate has its peak at V = 0, not at the threshold: {centred and centred.kind} of V", Fault)
    left = np.where(x < 0, x, {"subtract": x - threshold, "zero": -threshold, "none": x}[reset])[1:]
    late = _fit(left, g[1:], FLOAT32)[0]
    need(late is None, f"the surrogate is taken at the potential after the reset: {late and late.kind} of it", Fault)
    need(-g.min() <= FLOAT32 * np.abs(g).max() or g.max() > -g.min(), f"the gradient through a spike has the wrong sign: {g.min():.6g} "
         "next to the threshold", Fault)
    bare = _fit(x, g * gain, FLOAT32)[0]
    need(bare is None, f"the gradient of the current lacks the gain, {gain:g}: without it {bare and bare.kind}", Fault)


def short(x, miss):
    """Give the shortest number that is at most `miss` away from x."""
    return next((y for y in (float(f"{x:.{digits}g}") for digits in (1, 2, 3, 6, 9)) if abs(y - x) <= miss), float(x))
def _fit(x, g, tolerance):
    """Lay each kind of surrogate through g(x)."""
    peak = np.abs(g).max()
    if not np.isfinite(peak) or peak == 0:
        return None, None, np.inf
    best = None, np.inf
    for kind in SURROGATES["kind"]:
        k = _slope_of(kind, x, g)
        if not (k is not None and 0 < k < np.inf):
            continue
        for candidate in (Surrogate(kind, float(f"{k:.{digits}g}")) for digits in (3, 6, 9, 17)):     # the shortest number that will do
            miss = float(np.abs(derivative(x, candidate) - g).max() / peak)
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


def _shape(ask, x, g, tolerance):
    """Lay each kind with a height of its own through g(x), centred at the threshold; None if none fits."""
    height = float(g[x == 0][0])
    inside = (x != 0) & (g > 0.05 * height) & (g < 0.95 * height)
    if not (np.isfinite(height) and height > 0 and (g >= 0).all() and (g <= height * (1 + tolerance)).all()):
        return None, np.inf
    for kind in KINDS:
        if kind == "constant" or (kind != "boxcar" and not inside.any()):
            continue
        slope = _edge(ask, x, g, height) if kind == "boxcar" else _steep(kind, x, g, height, inside)
        if slope is None:
            continue
        for shape in _short_shapes(kind, slope, height, tolerance):
            miss = float(np.abs(derivative(x, shape) - g).max() / height)
            if miss <= tolerance:
                return shape, miss
    return None, np.inf


def _steep(kind, x, g, height, inside):
    """Find the slope by bisection, from the place where g is nearest to half of its height."""
    i = np.flatnonzero(inside)[np.abs(g[inside] - height / 2).argmin()]
    lo, hi = 1e-6 / abs(x[i]), 1e6 / abs(x[i])
    for _ in range(200):
        middle = np.sqrt(lo * hi)
        above = derivative(x[i:i + 1], Shape(kind, middle, height))[0] > g[i]
        lo, hi = (middle, hi) if above else (lo, middle)
    return float(np.sqrt(lo * hi))


def _edge(ask, x, g, height):
    """Find the slope of a boxcar: bisection of the place where it ends; None if it is none."""
    on = np.abs(x[g > 0.5 * height]).max()
    off = np.abs(x[g <= 0.5 * height])
    if (np.abs(g[np.abs(x) <= on] / height - 1) > FLOAT32).any() or not off.size or off.min() < on:
        return None
    lo, hi = on, off.min()
    for _ in range(12):
        parts = np.linspace(lo, hi, 65)
        k = int((ask(parts) > 0.5 * height).sum())
        lo, hi = parts[max(k - 1, 0)], parts[min(k, 64)]
    return float(0.5 / np.sqrt(lo * hi)) if lo > 0 else None


def _short_shapes(kind, slope, height, tolerance):
    """List shapes, with short numbers first; the height is left out where it is that of the kind."""
    for digits in (2, 3, 6, 9, 17):
        k, top = (float(f"{v:.{digits}g}") for v in (slope, height))
        own = surrogates.height(Shape(kind, k))
        yield Shape(kind, k) if abs(own / height - 1) <= tolerance else Shape(kind, k, top)
