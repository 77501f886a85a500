"""Marks: each result is exact, approximate or wrong. A hint names the known mistake that gives the same wrong numbers."""

import functools
from typing import NamedTuple

import numpy as np

from ..verify import student, zoo
from ..verify.compare import compare_arrays
from ..verify.gradcheck import RTOL
from ..verify.suite import relative
from ._case import NOT_WRITTEN

SAME = 1e-9              # relative to the largest entry: below this, two results are equal up to rounding


class Item(NamedTuple):
    """One result of one case."""

    case: str
    output: str
    mark: str            # exact, approximate or wrong
    note: str

    @property
    def ok(self):
        """Whether it is exact or approximate."""
        return self.mark != "wrong"


class Hint(NamedTuple):
    """What may be wrong with some outputs."""

    outputs: tuple
    mistake: str         # its name; "" for a wrong sign, factor and the like
    words: str
    counts: tuple = ()   # for each output: how many of its wrong items the mistake explains, and how many there are


class Marks(NamedTuple):
    """The marks of one exercise. Print it; ask `ok`."""

    exercise: str
    items: tuple
    hints: tuple

    @property
    def ok(self):
        """Whether no item is wrong."""
        return all(item.ok for item in self.items)

    def to_dict(self):
        """Turn the marks into a dict for JSON.

        Returns
        -------
        dict
            exercise, ok, items and hints.
        """
        return {"exercise": self.exercise, "ok": self.ok, "items": [i._asdict() for i in self.items],
                "hints": [{**h._asdict(), "outputs": list(h.outputs)} for h in self.hints]}

    def __str__(self):
        labels = [f"{i.case}: {i.output}" for i in self.items]
        width = max(map(len, labels)) + 2
        lines = [f"{item.mark:<13}{label:<{width}}{item.note}".rstrip() for item, label in zip(self.items, labels, strict=True)]
        for hint in self.hints:
            counts = hint.counts or [(0, 0)] * len(hint.outputs)
            outputs = [out + (f" ({n} of {m} wrong items)" if n < m else "") for out, (n, m) in zip(hint.outputs, counts, strict=True)]
            lines.append(f"hint for {', '.join(outputs)}: {hint.words}")
            if hint.mistake in zoo.every():
                lines[-1] += f" (the known mistake {hint.mistake}, see pysnn verify --zoo)"
        n = sum(item.ok for item in self.items)
        return "\n".join([*lines, f"{self.exercise}: {n} of {len(self.items)} items right"])


def mark_answers(exercise, seed, answers):
    """Mark answers to the cases of a seed, one dict for each case, as `Case.answer` returns them."""
    cases, right = exercise.draw_cases(seed), _known(exercise, seed)
    items, wrong, n_wrong = [], set(), {}
    for k, (case, want, got) in enumerate(zip(cases, right, answers, strict=True)):
        for output in case.outputs:
            mark, note = _mark_error(got[output]) if case.differences else _mark_numbers(got[output], want[output])
            items.append(Item(case.name, output, mark, note))
            if mark == "wrong" and not case.differences:
                n_wrong[output] = n_wrong.get(output, 0) + 1
                if getattr(got[output], "shape", None) == want[output].shape:
                    wrong.add((k, output))
    hints = [*_mistakes(exercise, seed, answers, wrong, n_wrong)]
    hinted = {output for hint in hints for output in hint.outputs}
    hints += _simple(right, answers, {output for _, output in wrong} - hinted)
    return Marks(exercise.name, tuple(items), tuple(hints))


def _mark_error(error):
    """Mark the error of a gradient check."""
    if isinstance(error, str):
        return "wrong", error
    good = error <= RTOL
    return "approximate" if good else "wrong", f"finite differences {'agree' if good else 'disagree'}, error {float(error):.0e}"


def _mark_numbers(got, wanted):
    """Mark a result by comparison with ours."""
    if isinstance(got, str):
        return "wrong", got
    finite = wanted[np.isfinite(wanted)]
    atol = SAME * float(np.abs(finite).max(initial=0)) if wanted.size > 1 else 0.0
    compared = compare_arrays("", got, np.asarray(wanted), SAME, atol)
    if compared.verdict == "exact":
        return "exact", ""
    if compared.verdict == "approximate":
        if compared.why and got.ndim:
            return "wrong", f"the right numbers, but {compared.why}"
        return "approximate", compared.why or f"largest difference {compared.max_abs:.0e}"
    if compared.first is None:
        return "wrong", compared.why
    at = f"[{', '.join(map(str, compared.first))}]: " if compared.first else ""
    count = f"{compared.n_different} of {compared.size} wrong; " if compared.size > 1 else ""
    why = f" ({compared.why})" if compared.why else ""
    return "wrong", f"{count}{at}got {compared.got:.9g}, wanted {compared.wanted:.9g}{why}"


def _same(a, b):
    """Say whether two results are equal up to rounding; NaN equals NaN."""
    if isinstance(a, str) or isinstance(b, str) or a.shape != b.shape:
        return False
    return bool((np.isnan(a) & np.isnan(b) | (relative(a, b) <= SAME)).all())


@functools.lru_cache(200)
def _known(exercise, seed, mistake=None):
    """Return the right results of the cases that compare numbers, or those of a mistake."""
    functions = mistake.inject(exercise.functions) if mistake else exercise.functions
    return [None if case.differences else case.answer(functions) for case in exercise.draw_cases(seed)]


@functools.lru_cache(200)
def _changed(exercise, seed, mistake):
    """Find the results that a mistake changes: pairs of the number of the case and the output."""
    right, faulty = _known(exercise, seed), _known(exercise, seed, mistake)
    return frozenset((k, out) for k, case in enumerate(exercise.draw_cases(seed)) if not case.differences for out in case.outputs
                     if not _same(faulty[k][out], right[k][out]))


def _mistakes(exercise, seed, answers, wrong, n_wrong):
    """Yield hints for known mistakes, those that explain most of the wrong results first. A result is (number of the case, output)."""
    cases, candidates = exercise.draw_cases(seed), []
    for mistake in exercise.mistakes if wrong else ():
        faulty = _known(exercise, seed, mistake)
        changed = _changed(exercise, seed, mistake)
        explained = {(k, out) for k, out in changed & wrong if _same(answers[k][out], faulty[k][out])}
        for output in {out for _, out in explained}:        # one equal number may be chance: half of what the mistake changes must agree
            of_output = {result for result in changed if result[1] == output}
            if 2 * len(explained & of_output) < len(of_output):
                explained -= of_output
        candidates.append((mistake, explained, len(changed) - len(explained)))
    left = set(wrong)
    while left:
        mistake, explained, _ = max(candidates, key=lambda c: (len(c[1] & left), -c[2]), default=(None, set(), 0))
        if not explained & left:
            return
        outputs = tuple(dict.fromkeys(out for k, case in enumerate(cases) for out in case.outputs if (k, out) in explained & left))
        counts = tuple((sum(output == out for _, output in explained), n_wrong[out]) for out in outputs)
        yield Hint(outputs, mistake.name, mistake.hint, counts)
        left -= explained


def _simple(right, answers, outputs):
    """Yield hints for outputs that have a wrong sign, a constant factor, zeros or NaN."""
    for output in sorted(outputs):
        pairs = [(got[output], want[output]) for want, got in zip(right, answers, strict=True) if want and output in want
                 and getattr(got[output], "shape", None) == want[output].shape]
        for message in student.simple_mistakes([{output: a} for a, _ in pairs], [{output: b} for _, b in pairs]):
            yield Hint((output,), "", message.split(": ", 1)[1])


def unwritten(marks):
    """Tell whether every wrong item is wrong because it is not written yet."""
    return not marks.ok and all(item.ok or item.note == NOT_WRITTEN for item in marks.items)
