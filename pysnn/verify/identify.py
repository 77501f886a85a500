"""Find out which convention a layer of integrate-and-fire neurons follows, from its spikes and gradients alone.

Chosen currents ask one question after the other: does it fire at once, at the threshold or above it, does it keep what it got, where does
a spike leave it. One step at many distances from the threshold shows the surrogate; two steps show what flows back through a reset.
Then the whole layer is compared with the definition of that convention: spikes exactly, gradients to 1e-10, or 1e-5 where it computes in
float32. A layer that does not agree follows no convention known here.
"""

from typing import NamedTuple

import numpy as np

from .. import _checks
from ..conventions import RULES, SURROGATES, Rule, Surrogate
from .conventions import CONVENTIONS, Convention
from .report._table import plain
from .witness import integrate_fire as by_definition

FLOAT64, FLOAT32 = 1e-10, 1e-5     # largest error of a gradient, relative to the largest entry
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


class Identified(NamedTuple):
    """The convention that a layer follows, or why it follows none. Print it."""

    convention: Convention | None     # None: it follows none of ours; statistics and ties stay empty, a neuron does not show them
    why: tuple                        # sentences: the observations; the last one says what is wrong, or what the name does not cover
    evidence: dict                    # fire, reset, timing, surrogate, detach_reset, precision, ... as far as they are known

    def to_dict(self):
        """Turn it into what JSON can hold; inf and NaN become strings."""
        c = self.convention
        named = c and {**c._asdict(), "rule": dict(zip(RULES, c.rule, strict=False)), "surrogate": c.surrogate._asdict()}
        return plain({"convention": named, "why": self.why, "evidence": self.evidence})

    def __str__(self):
        head = "follows no convention" if self.convention is None else _words(self.convention)
        return "\n".join([head, *(f"  {line}" for line in self.why)])


class _Unknown(Exception):
    """The layer does what no convention does."""


def identify(layer, threshold=1.0):
    """Say which convention a layer follows.

    Parameters
    ----------
    layer : BlackBox
        From `pysnn.verify.adapters`; or any object with ``forward(current) -> spikes`` and ``vjp(current, dspikes) -> dcurrent``,
        float64 arrays (T, B, N), every run beginning at rest.
    threshold : float
        Its threshold: a number of few binary digits, such as 1, 0.75 or 2, so that sums of its eighths are exact.

    Returns
    -------
    Identified
        The convention, or None; why; and the evidence. Whether the reset ends a step or begins the next one shows neither in
        spikes nor in gradients with respect to the current: where the layer has no `state`, timing "same" stands for both, and `why`
        says so.

    Raises
    ------
    ValueError
        For a threshold that is not positive, or has too many digits.
    """
    threshold = _checks.positive(threshold, "threshold")
    if not (threshold * 2.0 ** 6).is_integer() or threshold >= 32:
        raise ValueError(f"threshold: expected a number of few binary digits below 32, such as 1, 0.75 or 2, got {threshold!r}; "
                         "give the layer such a threshold")
    why, evidence = [], {}
    try:
        convention = _find(layer, threshold, why, evidence)
    except _Unknown as unknown:
        return Identified(None, (*why, str(unknown)), evidence)
    evidence["presets"] = [name for name, preset in CONVENTIONS.items() if preset[:3] == convention[:3]]
    if evidence["presets"]:
        why.append(f"this is the default of {', '.join(evidence['presets'])}")
    why += _limits(layer, threshold, convention, evidence)
    return Identified(convention, tuple(why), evidence)


def _find(layer, threshold, why, evidence):
    rule = _rule(layer, threshold, why, evidence)
    tolerance = FLOAT32 if evidence["precision"] == "float32" else FLOAT64
    surrogate = _surrogate(layer, threshold, tolerance, why, evidence)
    convention = Convention(rule, surrogate)
    _spikes(layer, threshold, convention)
    return _gradient(layer, threshold, convention, why, evidence)


def _need(holds, otherwise):
    if not holds:
        raise _Unknown(otherwise)


def _rule(layer, threshold, why, evidence):
    """Find the rule by the probes."""
    answers, current, spikes = _probes(layer, threshold)
    if getattr(layer, "returns", None):
        evidence["returns"] = layer.returns(current)
    _need(np.isin(spikes, (0, 1)).all(), f"spikes are 0 and 1 here; got {sorted(set(spikes.ravel().tolist()) - {0.0, 1.0})[:3]}")
    _need(np.array_equal(layer.forward(current), spikes), "the same current gives other spikes the second time: the state is kept between "
          "runs, or spikes are random")
    turned = layer.forward(np.ascontiguousarray(current.transpose(0, 2, 1)))
    _need(np.array_equal(turned.transpose(0, 2, 1), spikes), "neurons act on one another: the same currents as one sample of many neurons "
          "give other spikes")
    _need(answers["twice"][0] == 1 or answers["twice"][1] == 0, "spikes are recorded one step late: twice the threshold in step 1 gives "
          "a spike in step 2")
    _need(answers["twice"][0] == 1, "twice the threshold in one step does not make it fire at once")
    _need(not any(answers["half"]), "it fires below the threshold given: half of it, then a quarter, make a spike")
    evidence["fire"] = _comparison({name: row[0] for name, row in answers.items()}, threshold, why, evidence)
    _need(answers["keeps"][4] == 1, "the potential leaks: 1 - 2^-10 of the threshold, three steps of rest and 2^-9 make no spike")
    _need(answers["owes"] == [0, 0, 1, 0, 0, 0], "it forgets what pulls it below zero, or takes it otherwise than as a sum: -1, 1.5 and "
          "0.625 thresholds in a row should make one spike in step 3")
    evidence["reset"] = _reset(answers, threshold, why, evidence)
    evidence["timing"] = _timing(layer, threshold, evidence["reset"], why)
    return Rule(evidence["reset"], evidence["timing"] or "same", evidence["fire"])


def _comparison(first, threshold, why, evidence):
    """Find how the potential is compared, and whether in float64."""
    _need(not first["below, more"], "it fires below the threshold given, at 1 - 2^-20 of it")
    _need(first["above, more"], "it does not fire at 1 + 2^-20 of the threshold given")
    fire = ">=" if first["at"] else ">"
    coarse = first["below"] if fire == ">=" else not first["above"]
    evidence["precision"] = "float32" if coarse else "float64"
    given = evidence.get("returns", "float64")
    why.append(f"fires where V {fire} threshold, {'' if first['at'] else 'not '}at {threshold:g} exactly")
    if coarse:
        why.append(f"2^-40 of the threshold {'less' if fire == '>=' else 'more'} makes no difference: potentials are float32 inside")
    if given != "float64":
        why.append(f"spikes come as {given}")
    return fire


def _reset(answers, threshold, why, evidence):
    """Find where a spike leaves the potential."""
    after = answers["after"]
    if after == [1, 1, 0, 0, 0, 0]:
        why.append("after a spike at 1.5 thresholds 0.625 make the next: reset by subtraction")
        return "subtract"
    if after == [1, 1, 1, 1, 1, 1]:
        evidence["reset"] = "none"
        raise _Unknown("it never resets: a spike follows in every step without any current")
    _need(after == [1, 0, 0, 0, 0, 0], f"after 1.5 and 0.625 thresholds its spikes are {[int(s) for s in after]}, which no reset explains")
    if answers["again"][1] == 0:
        evidence["reset"] = "zero, with the next current"
        raise _Unknown("the reset to zero comes after the next current has been added, and throws that away, too")
    _need(answers["anew"][1] == 1, "a spike leaves the potential below 0: 1.5 thresholds, then 1 + 2^-20, make one spike only")
    why.append("after a spike at 1.5 thresholds 0.625 do not suffice, and 1 + 2^-20 do: reset to zero")
    return "zero"


def _timing(layer, threshold, reset, why):
    """Find whether a spike in the last step is reset in the state that the layer shows; None if it shows none."""
    state = getattr(layer, "state", None)
    v = None if state is None else state(np.full((1, 1, 1), 1.5 * threshold))
    left = {"subtract": 0.5, "zero": 0.0}[reset]
    if v is None:
        why.append("it shows no potential: whether the reset ends the step or begins the next one is open, and makes no difference here")
        return None
    _need(v.ravel()[0] in (1.5 * threshold, left * threshold), f"after a spike at 1.5 thresholds its potential is {v.ravel()[0]:g}")
    timing = "same" if v.ravel()[0] == left * threshold else "next"
    why.append(f"the potential it shows after a spike is {'reset' if timing == 'same' else 'not yet reset'}: timing {timing}")
    return timing


def _surrogate(layer, threshold, tolerance, why, evidence):
    """Find what stands for the derivative of a spike, from single steps."""
    x = np.array([*NEAR, *FAR, -threshold])
    current = (threshold + x).reshape(1, -1, 1)
    g = layer.vjp(current, np.ones(current.shape)).ravel()
    bad = ~np.isfinite(g)
    fitted, nearest, miss = _fit(x[~bad], g[~bad], tolerance) if (~bad).any() else (None, None, np.inf)
    if fitted is None and tolerance == FLOAT64:
        fitted, nearest, miss = _fit(x[~bad], g[~bad], FLOAT32) if (~bad).any() else (None, None, np.inf)
        evidence["precision"] = "float32" if fitted else evidence["precision"]
    evidence["surrogate"] = evidence["nearest surrogate"] = nearest
    like = f"; elsewhere it is that of {nearest.kind}, slope {nearest.slope:g}" if fitted else ""
    if bad.any():
        evidence["not finite at"] = sorted(x[bad].tolist())
        raise _Unknown(f"the gradient through a spike is {g[bad][0]} at V - threshold = {', '.join(f'{v:g}' for v in x[bad])}{like}")
    _need(g.any(), "no gradient goes through a spike")
    if fitted is None:
        evidence["surrogate"] = None
        centred = _fit(x + threshold, g, FLOAT32)[0]
        _need(centred is None, f"the surrogate has its peak at V = 0, not at the threshold: {centred and centred.kind} of V")
        close = "" if nearest is None else f"; {nearest.kind}, slope {nearest.slope:g}, misses by {miss:.2g} of the peak"
        raise _Unknown(f"no surrogate known here explains the gradient through a spike{close}")
    why.append(f"the gradient through a spike is that of {fitted.kind}, slope {fitted.slope:.10g}, at {len(x)} distances up to 2^17, "
               f"within {miss:.1g} of the peak")
    return fitted


def _spikes(layer, threshold, convention):
    """Compare the spikes of random currents with the definition."""
    current = _currents(threshold, 1)
    got, wanted = layer.forward(current), _spikes_of(convention, current, threshold)
    wrong = np.argwhere(got != wanted)
    _need(len(wrong) == 0, f"its spikes are not those of {_words(convention)}: {len(wrong)} of {wanted.size} differ"
          + (f", the first in step {wrong[0][0] + 1} of sample {wrong[0][1]}" if len(wrong) else ""))


def _gradient(layer, threshold, convention, why, evidence):
    """Find whether the reset is detached, and compare gradients with those of the convention."""
    current = _currents(threshold, 1)
    dspikes = _currents(1.0, 2)[::-1].copy()
    got, errors = layer.vjp(current, dspikes), {}
    for detach in (True, False):
        wanted = _gradient_of(convention._replace(detach_reset=detach), current, dspikes, threshold)
        errors[detach] = float(np.abs(got - wanted).max() / np.abs(wanted).max())
    detach = min(errors, key=errors.get)
    evidence["gradient error"] = errors[detach]
    for tolerance, precision in ((FLOAT64, "float64"), (FLOAT32, "float32")):
        if errors[detach] <= tolerance:
            evidence["detach_reset"] = detach
            evidence["precision"] = precision if evidence["precision"] == "float64" else "float32"
            why.append(f"the reset is {'detached' if detach else 'part of the graph'}: random gradients agree to {errors[detach]:.1g}"
                       + ("" if precision == "float64" else ", as float32 does"))
            return convention._replace(detach_reset=detach)
    quiet = np.array([-16.0, 17 - SMALL]).reshape(2, 1, 1) * threshold      # far below the threshold, then next to it
    first, last = layer.vjp(quiet, np.array([0.0, 1.0]).reshape(2, 1, 1)).ravel()
    _need(first != 0 or last == 0, "nothing flows back from one step to the one before it: the gradient of the state is lost")
    raise _Unknown(f"its gradients through time are not those of {_words(convention, False)}: off by {errors[True]:.2g} of the largest "
                   f"if the reset were detached, {errors[False]:.2g} if not")


def _limits(layer, threshold, convention, evidence):
    """Say where the convention stops to hold: currents so large that a reset leaves the potential above the threshold."""
    current = _currents(threshold, 4)
    differ = layer.forward(current) != _spikes_of(convention, current, threshold)
    evidence["large currents"] = "differ" if differ.any() else "agree"
    if not differ.any():
        return []
    return [f"but only while no current exceeds the threshold: with currents up to 4 thresholds {differ.sum()} of {differ.size} spikes "
            "differ"]


def _words(convention, detach=True):
    rule, surrogate = convention.rule, convention.surrogate
    words = f"reset {'by subtraction' if rule.reset == 'subtract' else 'to zero'} in the {rule.timing} step"
    words += f", fires at V {rule.fire} threshold, {surrogate.kind} of slope {surrogate.slope:.10g}"
    return words + (f", reset {'detached' if convention.detach_reset else 'attached'}" if detach else "")


def _probes(layer, threshold):
    """Run all probes at once; give spikes by name, each a list of STEPS numbers."""
    current = np.zeros((STEPS, len(PROBES), 1))
    for k, row in enumerate(PROBES.values()):
        current[:len(row), k, 0] = row
    spikes = layer.forward(current * threshold)
    return {name: spikes[:, k, 0].tolist() for k, name in enumerate(PROBES)}, current * threshold, spikes


def _currents(threshold, top, n_steps=12, n=48):
    """Draw currents in eighths of the threshold, from -threshold to top times it."""
    rng = np.random.default_rng(1901_09948)
    return threshold * rng.integers(-8, 8 * top + 1, (n_steps, n, 1)) / 8


def _spikes_of(convention, current, threshold):
    """Run the definition."""
    case = by_definition.Setup(current, threshold, 0.0, convention.rule)
    spikes, _ = by_definition.walk(case, current, np.zeros(current.shape[1:]), lambda k, v: (by_definition.fires(case, v),) * 2)
    return np.stack(spikes)


def _gradient_of(convention, current, dspikes, threshold):
    """Pull dspikes back by forward mode: one run with dual numbers for each step whose current moves."""
    case = by_definition.Setup(current, threshold, 0.0, convention.rule, convention.surrogate, convention.detach_reset)
    dual, rest = by_definition.Dual, np.zeros(current.shape[1:])

    def spike(k, v):
        fired, move = by_definition.fires(case, v.value), _slope(v.value - threshold, case.surrogate) * v.dot
        return dual(fired, move), dual(fired, 0.0 if case.detach_reset else move)
    grads = []
    for t in range(len(current)):
        moving = [dual(x, np.full_like(x, s == t)) for s, x in enumerate(current)]
        out, _ = by_definition.walk(case, moving, dual(rest, rest), spike)
        grads.append(sum(c * s.dot for c, s in zip(dspikes, out, strict=True)))
    return np.stack(grads)


def _slope(x, surrogate):
    """Differentiate the soft step by a complex step, so that no second list of formulas is needed."""
    h = 1e-20
    return by_definition.soft_step(x + 1j * h, surrogate).imag / h


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
            miss = float(np.abs(_slope(x, candidate) - g).max() / peak)
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
