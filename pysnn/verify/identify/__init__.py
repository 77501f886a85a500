"""Find out which convention a layer of integrate-and-fire or leaky neurons follows, from its spikes and gradients alone.

Chosen currents ask one question after the other: what does one step add to the potential, what is left of it in the next steps, what does
a spike take from it, does a neuron fire at the threshold or above it, do spikes come back. Where currents are sought that just make a
neuron fire, they are found by bisection, so that a leak comes out to the last digits. One step at many distances from the threshold shows
the surrogate. Then the whole layer is compared with the definition of that convention: spikes exactly, gradients to 1e-10, or 1e-5 where
it computes in float32. A layer that does not agree follows no convention known here.
"""

from typing import NamedTuple

from ... import _checks
from ...conventions import LEAKY_RULES, RULES
from ..conventions import Convention, LeakyNeuron
from ..report._table import plain
from . import _integrate_fire, _leaky
from ._ask import Fault, Subject, Unknown, coarse, opening, response


class Identified(NamedTuple):
    """The convention that a layer follows, or why it follows none. Print it."""

    convention: Convention | LeakyNeuron | None     # None: none of ours; statistics and ties stay empty, a neuron does not show them
    why: tuple                        # sentences: the observations; the last one says what is wrong, or what the name does not cover
    evidence: dict                    # fire, reset, timing, surrogate, detach_reset, precision, ... as far as they are known
    fault: bool = False               # whether what is wrong is wrong in any convention, such as a backward pass of another neuron

    def to_dict(self):
        """Turn it into what JSON can hold; inf and NaN become strings."""
        c = self.convention
        fields = LEAKY_RULES if isinstance(c, LeakyNeuron) else RULES
        named = c and {**c._asdict(), "rule": dict(zip(fields, c.rule, strict=False)), "surrogate": c.surrogate._asdict()}
        if isinstance(c, LeakyNeuron) and c.w_rec is not None:
            named["w_rec"] = c.w_rec.tolist()
        return plain({"convention": named, "why": self.why, "evidence": self.evidence,
                      "fault": self.fault})

    def __str__(self):
        kind = _leaky if isinstance(self.convention, LeakyNeuron) else _integrate_fire
        head = "follows no convention" if self.convention is None else kind.words(self.convention)
        return "\n".join([head, *(f"  {line}" for line in self.why)])


def _found(subject, answers, response_, leaks):
    """Find the convention; sums that are exact in eighths of the threshold are asked for first, and others where a layer rounds them."""
    if leaks:
        return True, _leaky.find(subject, response_)
    why, evidence = list(subject.why), dict(subject.evidence)
    try:
        return False, _integrate_fire.find(subject, answers)
    except _integrate_fire.OtherSpikes as other:
        if response_ is None:
            raise
        kept = subject.why[:], dict(subject.evidence)
        subject.why[:] = [*why, "where a potential meets the threshold exactly, its sums are rounded otherwise: asked beside that"]
        subject.evidence.clear()
        subject.evidence.update(evidence)
        try:
            return True, _leaky.find(subject, response_)
        except Unknown:
            subject.why[:] = kept[0]
            subject.evidence.update(kept[1])
            raise other from None


def identify(layer, threshold=1.0, n=None):
    """Say which convention a layer follows.

    Parameters
    ----------
    layer : BlackBox
        From `pysnn.verify.adapters`; or any object with ``forward(current) -> spikes`` and ``vjp(current, dspikes) -> dcurrent``,
        float64 arrays (T, B, N), every run beginning at rest.
    threshold : float
        Its threshold: a number of few binary digits, such as 1, 0.75 or 2, so that sums of its eighths are exact.
    n : int, optional
        N, of a layer that takes no other, as one with recurrent weights does; these are then measured, too. Default: any N, and neurons
        that do not act on one another, or on themselves, by their spikes.

    Returns
    -------
    Identified
        The convention, or None; why; and the evidence. A layer that leaks, or has n, is a `LeakyNeuron`. Whether the reset ends a step or
        begins the next one shows neither in spikes nor in gradients with respect to the current, unless it stands behind leak and current:
        where the layer has no `state`, timing "same" stands for both, and `why` says so.

    Raises
    ------
    ValueError
        For a threshold that is not positive, or has too many digits, or n below 1.
    """
    threshold = _checks.positive(threshold, "threshold")
    if not (threshold * 2.0 ** 6).is_integer() or threshold >= 32:
        raise ValueError(f"threshold: expected a number of few binary digits below 32, such as 1, 0.75 or 2, got {threshold!r}; "
                         "give the layer such a threshold")
    found = None
    subject = Subject(layer, threshold, None if n is None else _checks.whole(n, "n", 1), [], {})
    try:
        answers = opening(subject)
        found = response(subject)
        leaks = found is not None and (n is not None or not found.plain)
        leaks, convention = _found(subject, answers, found, leaks)
    except Unknown as unknown:
        if found is not None and not isinstance(unknown, Fault) and coarse(subject, found):
            unknown = Fault("it computes in float16 or bfloat16: a current that is larger by 2^-18 moves no potential")
        return Identified(None, (*subject.why, str(unknown)), subject.evidence, isinstance(unknown, Fault))
    kind = _leaky if leaks else _integrate_fire
    subject.evidence["presets"] = kind.presets(convention, subject)
    if subject.evidence["presets"]:
        subject.why.append(f"this is the default of {', '.join(subject.evidence['presets'])}")
    return Identified(convention, (*subject.why, *kind.limits(subject, convention)), subject.evidence)
