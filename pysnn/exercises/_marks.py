"""Marks: each result is exact, approximate or wrong. A hint names the known mistake that gives the same wrong numbers."""

import functools
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..foreign import import_file
from ..verify import student, zoo
from ..verify.compare import compare_arrays
from ..verify.gradcheck import RTOL
from ..verify.suite import relative
from ._case import NOT_WRITTEN, FromList
from ._text import equations, text

SAME = 1e-9              # relative to the largest entry: below this, two results are equal up to rounding
TINY = 1e-100            # like 0
FEW_DIGITS = 3e-6        # what float32 and finite differences leave of a float64
COARSE = 1e-4            # the same for results in float32
RICH = 8                 # so many wrong entries of one result do not agree with those of a mistake by chance
TWO = "; no single known mistake gives these numbers, perhaps two together do: compute the first case by hand"
NAN = ": inf times 0, inf minus inf and 0/0 are NaN; keep them out by numpy.where"
HINTS = (0, 1, 2)        # how much a hint says: where something is wrong; which equation is about it; what the mistake is


class Item(NamedTuple):
    """One result of one case."""

    case: str
    output: str
    mark: str            # exact, approximate, remark (right, but for instance of another dtype) or wrong
    note: str
    given: bool = False  # whether the untouched file has it right, too
    equation: str = ""   # what it is about

    @property
    def ok(self):
        """Whether it is right."""
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
    remarks: tuple = ()  # what somebody should look at, although it is not wrong
    builds_on: dict | None = None     # as of the exercise

    @property
    def ok(self):
        """Whether no item is wrong."""
        return all(item.ok for item in self.items)

    @property
    def counted(self):
        """The items that count: those that the untouched file does not have right, and all that are wrong."""
        return tuple(item for item in self.items if not (item.given and item.ok))

    @property
    def score(self):
        """The part of the counted items that is right, 0 to 1."""
        return sum(item.ok for item in self.counted) / len(self.counted)

    def to_dict(self):
        """Turn the marks into a dict for JSON.

        Returns
        -------
        dict
            exercise, ok, score, items, hints and remarks.
        """
        return {"exercise": self.exercise, "ok": self.ok, "score": self.score, "items": [i._asdict() for i in self.items],
                "hints": [{**h._asdict(), "outputs": list(h.outputs)} for h in self.hints], "remarks": list(self.remarks)}

    def __str__(self):
        return self.text()

    def text(self, hints=HINTS[-1]):
        """Write the marks as a table.

        Parameters
        ----------
        hints : int
            0: a hint says where something is wrong; 1: also which equation is about it; 2: what the mistake is, if it is a known one.

        Returns
        -------
        str
            A line an item, the hints, the remarks, and how many items are right; items that were given are not counted.
        """
        labels = [f"{i.case}: {i.output}" for i in self.items]
        width = max(map(len, labels)) + 2
        lines = [f"{'given' if item.given and item.ok else item.mark:<13}{label:<{width}}{item.note}".rstrip()
                 for item, label in zip(self.items, labels, strict=True)]
        explained = {output for hint in self.hints for output in hint.outputs} if hints == HINTS[-1] else set()
        lines += [line for hint in self.hints if hints == HINTS[-1] for line in self._sentence(hint)]
        lines += [f"hint for {output}: {words}" for output, words in self._places(hints).items() if output not in explained]
        lines += [f"remark: {words}" for words in self.remarks]
        n = sum(item.ok for item in self.counted)
        return "\n".join([*lines, f"{self.exercise}: {n} of {len(self.counted)} items right"])

    def _sentence(self, hint):
        """Write what a known mistake is."""
        counts = hint.counts or [(0, 0)] * len(hint.outputs)
        outputs = [out + (f" ({n} of {m} wrong items)" if n < m else "") for out, (n, m) in zip(hint.outputs, counts, strict=True)]
        known = f" (the known mistake {hint.mistake}, see pysnn verify --zoo)" if hint.mistake in zoo.every() else ""
        return [f"hint for {', '.join(outputs)}: {hint.words}{known}"]

    def _places(self, hints):
        """Say of each output whose numbers are wrong where they are, which equation is about it, and that no one mistake is known."""
        places, outputs = {}, dict.fromkeys(i.output for i in self.items if i.note != NOT_WRITTEN and not i.ok)
        for output in outputs:
            of_output = [i for i in self.items if i.output == output]
            wrong = [i.case for i in of_output if not i.ok]
            right = [i.case for i in of_output if i.ok]
            places[output] = f"wrong in {len(wrong)} of {len(of_output)} cases, first in '{wrong[0]}'" + (
                f"; right in '{right[-1]}'" if right else "")
            before = [o for o in (self.builds_on or {}).get(output, ()) if o in outputs]
            if before:
                places[output] += f"; it is computed from {', '.join(before)}: correct that first"
            if hints > 0:
                places[output] += f"; see {of_output[0].equation}"
            if hints == HINTS[-1] and not before and any("got " in i.note for i in of_output if not i.ok):
                places[output] += TWO
        return places


def mark_answers(exercise, seed, answers):
    """Mark answers to the cases of a seed, one dict for each case, as `Case.answer` returns them."""
    cases, right, given, tags = exercise.draw_cases(seed), _known(exercise, seed), _given(exercise, seed), equations(exercise.name)
    items, wrong, n_wrong = [], set(), {}
    for k, (case, want, got) in enumerate(zip(cases, right, answers, strict=True)):
        for output in case.outputs:
            mark, note = _mark_error(got[output]) if case.differences else _mark_numbers(got[output], want[output])
            items.append(Item(case.name, output, mark, note, (k, output) in given, tags.get(output, exercise.tags)))
            if mark == "wrong" and not case.differences:
                n_wrong[output] = n_wrong.get(output, 0) + 1
                if getattr(got[output], "shape", None) == want[output].shape:
                    wrong.add((k, output))
    alive = {out for got in answers for out, x in got.items() if not isinstance(x, str) and x.any()}     # 0 everywhere agrees with much
    hints = [*_mistakes(exercise, seed, answers, {(k, out) for k, out in wrong if out in alive}, n_wrong)]
    hinted = {output for hint in hints for output in hint.outputs}
    hints += _simple(right, answers, {output for _, output in wrong} - hinted)
    return Marks(exercise.name, tuple(items), tuple(hints), builds_on=exercise.builds_on)


def _mark_error(error):
    """Mark the error of a gradient check."""
    if isinstance(error, str):
        return "wrong", error
    coarse = error.dtype == np.float32
    good = error <= (COARSE if coarse else RTOL)
    words = f"finite differences {'agree' if good else 'disagree'}, error {float(error):.0e}{', in float32' if coarse else ''}"
    return "wrong" if not good else "remark" if coarse else "approximate", words


def _mark_numbers(got, wanted):
    """Mark a result by comparison with ours."""
    if isinstance(got, str):
        return "wrong", got
    remarks = ["a list instead of an array"] if isinstance(got, FromList) else []
    if got.shape != wanted.shape and got.size == wanted.size == 1:
        remarks.append(f"shape {got.shape} instead of {wanted.shape}")
    got = got.reshape(wanted.shape) if got.size == wanted.size == 1 else got
    finite = wanted[np.isfinite(wanted)]
    rtol = COARSE if got.dtype == np.float32 else SAME
    atol = max(rtol * float(np.abs(finite).max(initial=0)) if wanted.size > 1 else 0.0, TINY)
    compared = compare_arrays("", got, np.asarray(wanted), rtol, atol)
    if compared.verdict == "approximate" and compared.why and (got.ndim or got.dtype == np.float32):
        remarks.append(compared.why)
    if compared.verdict in ("exact", "approximate") and remarks:
        return "remark", f"the right numbers, but {', '.join(remarks)}"
    if compared.verdict == "exact":
        return "exact", ""
    if compared.verdict == "approximate":
        few = wanted.size and compared.max_abs > 1e-12 * max(float(np.abs(finite).max(initial=0)), TINY)
        note = f"largest difference {compared.max_abs:.0e}"
        return ("remark", f"right, but not to all digits: {note}") if few else ("approximate", compared.why or note)
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
    return bool(_equal(a, b).all())


def _equal(a, b):
    """Say of each number of two results of one shape whether they are equal up to rounding."""
    return np.isnan(a) & np.isnan(b) | (relative(a, b) <= (COARSE if np.float32 in (a.dtype, b.dtype) else SAME))


@functools.lru_cache(200)
def _known(exercise, seed, mistake=None):
    """Return the right results of the cases that compare numbers, or those of a mistake."""
    functions = mistake.inject(exercise.functions) if mistake else exercise.functions
    return [None if case.differences else case.answer(functions) for case in exercise.draw_cases(seed)]


@functools.lru_cache(50)
def _given(exercise, seed):
    """Find the results that the untouched file has right: pairs of the number of the case and the output."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{exercise.name}.py"
        path.write_text(text(exercise.name), encoding="utf-8")
        functions, right = exercise.pick(vars(import_file(path)), path.name), _known(exercise, seed)
    stub = [None if case.differences else case.answer(functions) for case in exercise.draw_cases(seed)]
    return {(k, out) for k, got in enumerate(stub) if got for out in got if _same(got[out], right[k][out])}


@functools.lru_cache(200)
def _changed(exercise, seed, mistake):
    """Find the results that a mistake changes: pairs of the number of the case and the output."""
    right, faulty = _known(exercise, seed), _known(exercise, seed, mistake)
    return frozenset((k, out) for k, case in enumerate(exercise.draw_cases(seed)) if not case.differences for out in case.outputs
                     if not _same(faulty[k][out], right[k][out]))


def _mistakes(exercise, seed, answers, wrong, n_wrong):
    """Yield hints for known mistakes, those that explain most of the wrong results first. A result is (number of the case, output)."""
    cases, right, candidates = exercise.draw_cases(seed), _known(exercise, seed), []

    def is_rich(k, out):
        got = answers[k][out]
        return (~_equal(got, right[k][out])).sum() >= RICH and (got != got.flat[0]).any()
    for mistake in exercise.mistakes if wrong else ():
        faulty = _known(exercise, seed, mistake)
        changed = _changed(exercise, seed, mistake)
        explained = {(k, out) for k, out in changed & wrong if _same(answers[k][out], faulty[k][out])}
        for output in {out for _, out in explained}:
            of_output = {result for result in changed if result[1] == output}
            agree = explained & of_output
            if len(agree) < len(of_output) and (2 * len(agree) <= len(of_output) or not any(is_rich(*result) for result in agree)):
                explained -= of_output                      # one equal number may be chance
        candidates.append((mistake, explained, len(changed) - len(explained)))
    left, found = set(wrong), []
    while left:
        mistake, explained, _ = max(candidates, key=lambda c: (len(c[1] & left), -c[2]), default=(None, set(), 0))
        if not explained & left:
            break
        found.append((mistake, explained, explained & left))
        left -= explained
    for mistake, explained, new in found:
        sure = {out for k, out in explained if is_rich(k, out)} | {out for _, out in explained} - {out for _, out in left}
        outputs = tuple(dict.fromkeys(out for case in cases for out in case.outputs if any(o == out for _, o in new) and out in sure))
        counts = tuple((sum(output == out for _, output in explained), n_wrong[out]) for out in outputs)
        if outputs:                                         # few equal numbers may be chance, unless all that is wrong is explained
            yield Hint(outputs, mistake.name, mistake.hint, counts)


def _simple(right, answers, outputs):
    """Yield hints for outputs that have a wrong sign, a constant factor, zeros, NaN or few digits."""
    for output in sorted(outputs):
        pairs = [(got[output], want[output]) for want, got in zip(right, answers, strict=True) if want and output in want
                 and getattr(got[output], "shape", None) == want[output].shape]
        few = sum(np.count_nonzero(b) for _, b in pairs) < 3                 # any two numbers have a factor
        for message in student.simple_mistakes([{output: a} for a, _ in pairs], [{output: b} for _, b in pairs]):
            if few and " times " in message:
                continue
            yield Hint((output,), "", message.split(": ", 1)[1] + NAN * message.endswith("NaN"))
            break
        else:
            if all(np.isfinite(a).all() and (relative(a, b, 1.0) <= FEW_DIGITS).all() for a, b in pairs):
                yield Hint((output,), "", "has only some of the digits: something is computed in float32, or by finite differences")


def unwritten(marks):
    """Tell whether nothing is written yet: every item that counts is wrong for that reason."""
    return all(item.note == NOT_WRITTEN for item in marks.counted)
