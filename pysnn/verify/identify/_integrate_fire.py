"""The questions to integrate-and-fire neurons, which do not leak: exact sums of eighths of the threshold."""

import numpy as np

from ...conventions import Rule
from ..conventions import CONVENTIONS, Convention
from ..witness import integrate_fire as by_definition
from ..witness.surrogates import derivative
from ._ask import FLOAT32, FLOAT64, SMALL, Fault, Unknown, need, surrogate
from ._ask import words as say


class OtherSpikes(Unknown):
    """Random currents give other spikes than the definition."""


def find(subject, answers):
    """Find the convention of a layer that does not leak, from what the probes gave and from more questions."""
    layer, threshold, _, why, evidence = subject
    rule = _rule(layer, threshold, answers, why, evidence)
    convention = Convention(rule, surrogate(subject, 1.0, rule.reset))
    _spikes(layer, threshold, convention)
    return _gradient(layer, threshold, convention, why, evidence)


def _rule(layer, threshold, answers, why, evidence):
    """Find the rule by the probes."""
    need(answers["twice"][0] == 1, "twice the threshold in one step does not make it fire at once")
    need(not any(answers["half"]), "it fires below the threshold given: half of it, then a quarter, make a spike")
    evidence["fire"] = _comparison({name: row[0] for name, row in answers.items()}, threshold, why, evidence)
    need(answers["keeps"][4] == 1, "the potential leaks: 1 - 2^-10 of the threshold, three steps of rest and 2^-9 make no spike")
    need(answers["owes"] == [0, 0, 1, 0, 0, 0], "it forgets what pulls it below zero, or takes it otherwise than as a sum: -1, 1.5 and "
          "0.625 thresholds in a row should make one spike in step 3")
    evidence["reset"] = _reset(answers, threshold, why, evidence)
    evidence["timing"] = _timing(layer, threshold, evidence["reset"], why)
    return Rule(evidence["reset"], evidence["timing"] or "same", evidence["fire"])


def _comparison(first, threshold, why, evidence):
    """Find how the potential is compared, and whether in float64."""
    need(not first["below, more"], "it fires below the threshold given, at 1 - 2^-20 of it")
    need(first["above, more"], "it does not fire at 1 + 2^-20 of the threshold given")
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
        raise Unknown("it never resets: a spike follows in every step without any current")
    need(after == [1, 0, 0, 0, 0, 0], f"after 1.5 and 0.625 thresholds its spikes are {[int(s) for s in after]}, which no reset explains")
    if answers["again"][1] == 0:
        evidence["reset"] = "zero, with the next current"
        raise Unknown("the reset to zero comes after the next current has been added, and throws that away, too")
    need(answers["anew"][1] == 1, "a spike leaves the potential below 0: 1.5 thresholds, then 1 + 2^-20, make one spike only")
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
    need(v.ravel()[0] in (1.5 * threshold, left * threshold), f"after a spike at 1.5 thresholds its potential is {v.ravel()[0]:g}")
    timing = "same" if v.ravel()[0] == left * threshold else "next"
    why.append(f"the potential it shows after a spike is {'reset' if timing == 'same' else 'not yet reset'}: timing {timing}")
    return timing


def _spikes(layer, threshold, convention):
    """Compare the spikes of random currents with the definition."""
    current = _currents(threshold, 1)
    got, wanted = layer.forward(current), spikes_of(convention, current, threshold)
    wrong = np.argwhere(got != wanted)
    need(len(wrong) == 0, f"its spikes are not those of {words(convention)}: {len(wrong)} of {wanted.size} differ"
          + (f", the first in step {wrong[0][0] + 1} of sample {wrong[0][1]}" if len(wrong) else ""), OtherSpikes)


def _gradient(layer, threshold, convention, why, evidence):
    """Find whether the reset is detached, and compare gradients with those of the convention."""
    current = _currents(threshold, 1)
    dspikes = _currents(1.0, 2)[::-1].copy()
    got, errors = layer.vjp(current, dspikes), {}
    for detach in (True, False):
        wanted = gradient_of(convention._replace(detach_reset=detach), current, dspikes, threshold)
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
    need(first != 0 or last == 0, "nothing flows back from one step to the one before it: the gradient of the state is lost", Fault)
    raise Fault(f"its gradients through time are not those of {words(convention, False)}: off by {errors[True]:.2g} of the largest "
                   f"if the reset were detached, {errors[False]:.2g} if not")


def presets(convention, _):
    """Name the releases that do so by default."""
    return [name for name, preset in CONVENTIONS.items() if preset[:3] == convention[:3]]


def limits(subject, convention):
    """Say where the convention stops to hold: currents so large that a reset leaves the potential above the threshold."""
    current = _currents(subject.threshold, 4)
    differ = subject.layer.forward(current) != spikes_of(convention, current, subject.threshold)
    subject.evidence["large currents"] = "differ" if differ.any() else "agree"
    if not differ.any():
        return []
    return [f"but only while no current exceeds the threshold: with currents up to 4 thresholds {differ.sum()} of {differ.size} spikes "
            "differ"]


def words(convention, detach=True):
    """Say a convention in words."""
    rule, surrogate = convention.rule, convention.surrogate
    words = f"reset {'by subtraction' if rule.reset == 'subtract' else 'to zero'} in the {rule.timing} step"
    words += f", fires at V {rule.fire} threshold, {say(surrogate)}"
    return words + (f", reset {'detached' if convention.detach_reset else 'attached'}" if detach else "")


def _currents(threshold, top, n_steps=12, n=48):
    """Draw currents in eighths of the threshold, from -threshold to top times it."""
    rng = np.random.default_rng(1901_09948)
    return threshold * rng.integers(-8, 8 * top + 1, (n_steps, n, 1)) / 8


def spikes_of(convention, current, threshold):
    """Run the definition."""
    case = by_definition.Setup(current, threshold, 0.0, convention.rule)
    spikes, _ = by_definition.walk(case, current, np.zeros(current.shape[1:]), lambda k, v: (by_definition.fires(case, v),) * 2)
    return np.stack(spikes)


def gradient_of(convention, current, dspikes, threshold):
    """Pull dspikes back by forward mode: one direction for each step whose current moves."""
    case = by_definition.Setup(current, threshold, 0.0, convention.rule, convention.surrogate, convention.detach_reset)
    dual, (n_t, *rest) = by_definition.Dual, current.shape

    def spike(k, v):
        fired, move = by_definition.fires(case, v.value), derivative(v.value - threshold, case.surrogate) * v.dot
        return dual(fired, move), dual(fired, 0.0 * move if case.detach_reset else move)
    moves = np.zeros((n_t, n_t, *rest))                                  # step, direction, sample, neuron
    moves[range(n_t), range(n_t)] = 1
    moving = [dual(x, m) for x, m in zip(current, moves, strict=True)]
    out, _ = by_definition.walk(case, moving, dual(np.zeros(rest), np.zeros((n_t, *rest))), spike)
    return sum(c * s.dot for c, s in zip(dspikes, out, strict=True))
