"""Marks that are right: no wrong attempt has full marks or a hint that misleads, no right one loses an item."""

import functools

import numpy as np
import pytest

from pysnn import exercises
from tests.cases import few
from tests.cases.attempts import WRONG, write
from tests.cases.attempts_right import RIGHT

EVERY_WRONG = [pytest.param(name, *row, id=f"{name}-{k}-{row[0]}") for name, rows in WRONG.items() for k, row in
               enumerate((said, changes) for said, *changes in rows)]
EVERY_RIGHT = [pytest.param(name, row, id=f"{name}-{k}") for name, rows in RIGHT.items() for k, row in enumerate(rows)]


def mark(name, changes, seed=0):
    """Mark an attempt in this process, once."""
    return _mark(name, tuple(changes), seed)


@functools.cache
def _mark(name, changes, seed):
    names = {}
    exec(compile(write(name, changes), f"{name}.py", "exec"), names)
    return exercises.mark(name, names, seed)


def said(marks):
    """Say how the marks explain what is wrong: names of hints, "simple" for a hint without one, else "note" for an item that says it."""
    hints = {hint.mistake or "simple" for hint in marks.hints}
    noted = any(not i.ok and "wanted" not in i.note and not i.note.startswith("finite differences") for i in marks.items)
    return hints or ({"note"} if noted else set())


def test_there_are_enough_attempts():
    """At least 12 wrong and 6 right ones an exercise; nine of ten wrong ones are explained."""
    assert list(WRONG) == list(RIGHT) == list(exercises.NAMES)
    assert min(map(len, WRONG.values())) >= 12 and min(map(len, RIGHT.values())) >= 6
    assert len(EVERY_WRONG) >= 150 and len(EVERY_RIGHT) >= 70
    assert sum(param.values[1] != "" for param in EVERY_WRONG) >= 0.9 * len(EVERY_WRONG)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name, words, changes", [pytest.param(*p.values, id=p.id, marks=[pytest.mark.slow] * (k % 3 > 0))
                                                  for k, p in enumerate(EVERY_WRONG)])
def test_a_wrong_attempt_is_wrong_and_explained(name, words, changes):
    marks = mark(name, changes)
    assert not marks.ok and marks.score < 1 and said(marks) == set(words.split()), str(marks)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name, words, changes", EVERY_WRONG)
def test_the_same_with_other_random_numbers(name, words, changes):
    marks = mark(name, changes, 1)
    assert not marks.ok and said(marks) == set(words.split()), str(marks)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("seed", (0, pytest.param(1, marks=pytest.mark.slow)))
@pytest.mark.parametrize("name, changes", EVERY_RIGHT)
def test_a_right_attempt_has_full_marks(name, changes, seed):
    remarked = changes[0] == "remark"
    marks = mark(name, changes[remarked:], seed)
    assert marks.ok and marks.score == 1 and not marks.hints, str(marks)
    assert any(item.mark == "remark" for item in marks.items) == remarked, str(marks)


@pytest.mark.parametrize("name", exercises.NAMES)
def test_an_untouched_file_has_no_points(name):
    names = {}
    exec(exercises.text(name), names)
    marks = exercises.mark(name, names)
    assert marks.score == 0 and {i.note for i in marks.items if i.given and not i.ok} == set()
    assert all(item.equation for item in marks.items)


def test_half_of_it_is_not_nothing():
    marks = mark("temporal_backward", ("return dz_in, dw", "return dz_in, ..."))
    assert not exercises.unwritten(marks) and marks.score == 0.5


def test_a_broken_given_part_counts():
    names = {}
    exec(exercises.text("spike_loss", True), names)
    right = names["loss"]
    marks = exercises.mark("spike_loss", {"loss": lambda z, y: (2 * right(z, y)[0], right(z, y)[1])})
    assert not marks.ok and marks.score < 1 and sum(i.given for i in marks.items) == 5


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", few(exercises.NAMES, 4))
def test_each_exercise_has_three_levels_of_hints(name):
    """Each hinted attempt: the sentence at level 2 alone, the equation from level 1 on, the place from level 0 on."""
    for said, *changes in WRONG[name]:
        marks = mark(name, changes)
        for hint in (hint for hint in marks.hints if hint.mistake in said.split()):
            words = [marks.text(level) for level in (0, 1, 2)]
            assert [hint.words in text for text in words] == [False, False, True]
            for output in hint.outputs:
                lines = [next((li for li in text.splitlines() if li.startswith(f"hint for {output}: wrong in ")), "") for text in words]
                equations = {item.equation for item in marks.items if item.output == output}
                assert lines[0] and "; see (" not in lines[0] and lines[1].partition("; see ")[2] in equations and not lines[2]


@pytest.mark.parametrize("level", (0, 1, 2))
def test_hints_grow(level):
    """Where, which equation, the sentence."""
    _, *changes = WRONG["temporal_backward"][0]
    lines = [line for line in mark("temporal_backward", changes).text(level).splitlines() if line.startswith("hint")]
    sentence = "your denominator uses all weights"
    assert [sentence in line for line in lines] == ([True] if level == 2 else [False, False])
    if level < 2:
        assert lines[0].startswith("hint for dz_in: wrong in 6 of 6 cases, first in 'one neuron'")
        assert [line.split("; see ")[1:] for line in lines] == ([["(T8)"], ["(T7)"]] if level else [[], []])


def test_what_is_computed_from_something_wrong_says_so():
    """The gradient uses the surrogate: two mistakes in the surrogate do not ask for the gradient by hand."""
    names = {}
    exec(exercises.text("surrogate_backward", True).replace("g = slope / 2 / (1 + ", "g = slope / 3 / (2 + "), names)
    marks = exercises.mark("surrogate_backward", names)
    assert "hint for dcurrent: " in str(marks) and "; it is computed from g: correct that first; see (I8)" in str(marks)
    assert "perhaps two together do" not in str(marks).split("hint for dcurrent: ")[1]


def test_float32_is_right_also_where_some_numbers_are_not():
    """A silent neuron gives inf, which is a Python float, the others float32."""
    right = exercises.get("spike_time").functions["spike_time"]
    marks = exercises.mark("spike_time", {"spike_time": lambda *args: np.float32(z) if np.isfinite(z := right(*args)) else z})
    assert marks.ok and not marks.hints and "float32 instead of float64" in str(marks).split("200 random neurons")[1]
