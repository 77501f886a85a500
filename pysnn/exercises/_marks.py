"""Marks: every result exact, approximate or wrong, and behind the wrong ones the mistake whose numbers they are."""

from typing import NamedTuple

import numpy as np

from ..verify import student, zoo
from ..verify.compare import _item
from ..verify.gradcheck import RTOL
from ..verify.suite import relative
from ._case import OPEN

SAME = 1e-9              # relative, of the largest entry: ours and theirs are the same but for rounding, and so are two mistakes


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
    """What the wrong results of some outputs look like."""

    outputs: tuple
    mistake: str         # its name; "" for a sign, a factor and the like
    words: str
    counts: tuple = ()   # of each output: how many of its wrong items are explained, how many there are


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
        """Turn it into what JSON can hold.

        Returns
        -------
        dict
            exercise, ok, items and hints.
        """
        return {"exercise": self.exercise, "ok": self.ok, "items": [i._asdict() for i in self.items],
                "hints": [{**h._asdict(), "outputs": list(h.outputs)} for h in self.hints]}

    def __str__(self):
        words = [f"{i.case}: {i.output}" for i in self.items]
        width = max(map(len, words))
        lines = [f"{item.mark:<13}{said:<{width + 2}}{item.note}".rstrip() for item, said in zip(self.items, words, strict=True)]
        for hint in self.hints:
            counts = hint.counts or [(0, 0)] * len(hint.outputs)
            of = [out + (f" ({n} of {m} wrong items)" if n < m else "") for out, (n, m) in zip(hint.outputs, counts, strict=True)]
            lines.append(f"hint for {', '.join(of)}: {hint.words}")
            if hint.mistake in zoo.every():
                lines[-1] += f" (the known mistake {hint.mistake}, see pysnn verify --zoo)"
        n = sum(item.ok for item in self.items)
        return "\n".join([*lines, f"{self.exercise}: {n} of {len(self.items)} items right"])


def judge(exercise, cases, answers):
    """Mark answers.

    Parameters
    ----------
    exercise : Exercise
        Which one.
    cases : list of Case
        What was asked.
    answers : list of dict
        What came back, from `Case.answer`.

    Returns
    -------
    Marks
        The marks and hints.
    """
    wanted = [None if case.differences else case.answer(exercise.functions) for case in cases]
    items, wrong, n_wrong = [], {}, {}
    for k, (case, want, got) in enumerate(zip(cases, wanted, answers, strict=True)):
        for output in case.outputs:
            mark, note = _checked(got[output]) if case.differences else _compared(got[output], want[output])
            items.append(Item(case.name, output, mark, note))
            n_wrong[output] = n_wrong.get(output, 0) + (mark == "wrong" and not case.differences)
            if mark == "wrong" and not case.differences and getattr(got[output], "shape", None) == want[output].shape:
                wrong[k, output] = items[-1]
    hints = [hint._replace(counts=tuple((n, n_wrong[out]) for out, (n, _) in zip(hint.outputs, hint.counts, strict=True)))
             if hint.counts else hint for hint in _hints(exercise, cases, (wanted, answers), wrong)]
    return Marks(exercise.name, tuple(items), tuple(hints))


def _checked(error):
    """Mark an error against differences."""
    if isinstance(error, str):
        return "wrong", error
    good = error <= RTOL
    return "approximate" if good else "wrong", f"differences of forward {'agree' if good else 'say otherwise'}, error {float(error):.0e}"


def _compared(got, wanted):
    """Mark a result against the reference."""
    if isinstance(got, str):
        return "wrong", got
    finite = wanted[np.isfinite(wanted)]
    atol = SAME * float(np.abs(finite).max(initial=0)) if wanted.size > 1 else 0.0
    found = _item("", got, np.asarray(wanted), SAME, atol)
    if found.verdict == "exact":
        return "exact", ""
    if found.verdict == "approximate":
        if found.why and got.ndim:
            return "wrong", f"the right numbers, but {found.why}"
        return "approximate", found.why or f"largest difference {found.max_abs:.0e}"
    if found.first is None:
        return "wrong", found.why
    at = f"[{', '.join(map(str, found.first))}]: " if found.first else ""
    count = f"{found.n_different} of {found.size} wrong; " if found.size > 1 else ""
    why = f" ({found.why})" if found.why else ""
    return "wrong", f"{count}{at}got {found.got:.9g}, wanted {found.wanted:.9g}{why}"


def _alike(a, b):
    """Say whether two results are the same but for rounding; NaN is like NaN."""
    if isinstance(a, str) or isinstance(b, str) or a.shape != b.shape:
        return False
    return bool((np.isnan(a) & np.isnan(b) | (relative(a, b) <= SAME)).all())


def _hints(exercise, cases, results, wrong):
    """Yield hints: first the mistakes that explain most, then simple things about what is left."""
    wanted, answers = results
    found = []
    for mistake in exercise.mistakes if wrong else ():
        functions = mistake.inject(exercise.functions)
        faulty = [None if case.differences else case.answer(functions) for case in cases]
        moved = {(k, out) for k, case in enumerate(cases) if not case.differences for out in case.outputs
                 if not _alike(faulty[k][out], wanted[k][out])}
        explained = {key for key in moved & set(wrong) if _alike(answers[key[0]][key[1]], faulty[key[0]][key[1]])}
        for output in {out for _, out in explained}:        # one number alike may be chance: half of what it changes must be
            here = {key for key in moved if key[1] == output}
            if 2 * len(explained & here) < len(here):
                explained -= here
        found.append((mistake, explained, len(moved) - len(explained)))
    left, named = set(wrong), set()
    while left:
        mistake, explained, _ = max(found, key=lambda f: (len(f[1] & left), -f[2]), default=(None, set(), 0))
        if not explained & left:
            break
        outputs = tuple(dict.fromkeys(out for k, case in enumerate(cases) for out in case.outputs if (k, out) in explained & left))
        yield Hint(outputs, mistake.name, mistake.hint, tuple((sum(key[1] == out for key in explained & set(wrong)), 0) for out in outputs))
        left -= explained
        named |= set(outputs)
    yield from _simple(wanted, answers, {key for key in left if key[1] not in named})


def _simple(wanted, answers, left):
    """Look at each output by itself for a sign, a factor, zeros, NaN."""
    for output in dict.fromkeys(out for _, out in sorted(left)):
        pairs = [(got[output], want[output]) for want, got in zip(wanted, answers, strict=True) if want and output in want
                 and getattr(got[output], "shape", None) == want[output].shape]
        said = student.simple_mistakes([{output: a} for a, _ in pairs], [{output: b} for _, b in pairs])
        for words in said:
            yield Hint((output,), "", words.split(": ", 1)[1])


def unwritten(marks):
    """Tell whether nothing has been filled in yet.

    Parameters
    ----------
    marks : Marks
        From `judge`.

    Returns
    -------
    bool
        Whether all that is wrong is not written yet.
    """
    return not marks.ok and all(item.ok or item.note == OPEN for item in marks.items)
