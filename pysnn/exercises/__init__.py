"""Exercises with automatic marks: a file to fill in, the right results, and the results of known mistakes.

Each exercise is a file in `solutions`. It has the task in its docstring, the code that is given, and one way to write the lines that
the task asks for. The stub is this file without these lines.
`pysnn check` lists them, `pysnn check --start NAME` copies a stub, `pysnn check FILE.py` marks it. In a notebook:

    from pysnn import exercises
    print(exercises.mark("temporal_backward", globals()))

Each result is exact (bit for bit that of `pysnn.reference`), approximate (equal up to rounding) or wrong. If wrong results are those of a
known mistake, from `pysnn.verify.zoo` or from the exercise's own list, a hint says what the mistake is.
"""

import functools
import importlib
import os
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from ..foreign import Room, clean, one_line
from ._case import NOT_WRITTEN, Case, Exercise, Mistake
from ._grade import NO_ANSWER, Grades, Row, with_alike
from ._marks import Item, Marks, mark_answers, unwritten
from ._scan import remarks
from ._submission import others, parts, submissions
from ._text import MODULES, text

__all__ = ["MODULES", "NAMES", "NOT_WRITTEN", "Case", "Exercise", "Grades", "Item", "Marked", "Marks", "Mistake", "get", "grade", "mark",
           "mark_each", "mark_file", "start", "submissions", "text", "unwritten"]

NAMES = tuple(MODULES)
MAX_LATE = 3             # cases without an answer that are waited for
PATIENCE = 5             # a file that is late, or in fewer cases, gets so many times the limit in a second try: the machine may be busy
UNFINISHED = "; it did not"      # how the message about a file ends that does not run to its end in time


@functools.cache
def get(name):
    """Return an exercise.

    Parameters
    ----------
    name : str
        One of NAMES.

    Returns
    -------
    Exercise
        Its task, cases and known mistakes.

    Raises
    ------
    ValueError
        For another name.
    """
    if name not in MODULES:
        raise ValueError(f"exercise: expected one of {', '.join(NAMES)}, got {name!r}")
    return importlib.import_module(f"._{MODULES[name]}", __name__).EXERCISES[name]


def start(name, folder="."):
    """Write the stub of an exercise into a folder.

    Parameters
    ----------
    name : str
        One of NAMES.
    folder : path
        Made if it does not exist.

    Returns
    -------
    pathlib.Path
        The new file.

    Raises
    ------
    ValueError
        For another name, or if the file exists already.
    """
    stub = text(name)
    path = Path(folder) / f"{name}.py"
    if path.exists():
        raise ValueError(f"--start {name}: {path} exists already; expected a folder without it")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(stub, encoding="utf-8")
    return path


def mark(name, functions, seed=0):
    """Mark functions of this process, such as those of a notebook. There is no time limit.

    Parameters
    ----------
    name : str
        One of NAMES.
    functions : mapping of str to callable
        The functions that the exercise asks for, by name; others are ignored, so it can be globals().
    seed : int
        Of the random numbers in the cases.

    Returns
    -------
    Marks
        Print it; ask `ok`.

    Raises
    ------
    ValueError
        For another name, or if a function is missing.
    """
    exercise = get(name)
    functions = exercise.pick(functions, name)
    return mark_answers(exercise, seed, [case.answer(functions) for case in exercise.draw_cases(seed)])


class Marked(NamedTuple):
    """What became of one exercise of a file."""

    exercise: str
    marks: Marks | None          # None if it does not run
    why: str                     # then why, in one line
    printed: str                 # what the file printed
    code: str                    # what was marked


def mark_file(path, seed=0, limit=10.0):
    """Mark a file with one exercise. It runs in a process of its own, which is stopped if it takes too long.

    Parameters
    ----------
    path : path
        A filled-in stub or notebook; its line EXERCISE = NAME names the exercise, in a notebook also exercises.mark(NAME, ...).
    seed : int
        Of the random numbers in the cases.
    limit : float
        Seconds that a case may take.

    Returns
    -------
    marks : Marks
        Print it; ask `ok`.
    printed : str
        What the file printed.

    Raises
    ------
    ValueError
        If the file does not exist, names no exercise or several, does not run, or lacks a function. The message is one line.
    """
    found = mark_each(path, seed, limit)
    if len(found) > 1:
        raise ValueError(f"{Path(path).name}: expected one exercise, got {', '.join(m.exercise for m in found)}")
    if not found[0].marks:
        raise ValueError(found[0].why)
    return found[0].marks, found[0].printed


def mark_each(path, seed=0, limit=10.0):
    """Mark each exercise of a file or notebook, in a process of its own.

    Parameters
    ----------
    path, seed, limit
        As of `mark_file`.

    Returns
    -------
    list of Marked
        One for each exercise that the file names.

    Raises
    ------
    ValueError
        If the file does not exist, cannot be read, or names no exercise. The message is one line.
    """
    path = Path(path)
    try:
        return [_mark_part(path, part, seed, limit) for part in parts(path)]
    except RecursionError:
        raise ValueError(f"{clean(path.name)}: expected code that is less nested") from None


def _mark_part(path, part, seed, limit):
    """Run one exercise of a file, and mark it."""
    exercise = get(part.exercise)
    looked = tuple(f"{part.where(line)} {words}" for line, words in remarks(part.text, exercise))
    cases, answers, n_late, why = exercise.draw_cases(seed), [], 0, ""
    with part.file(path) as file, Room(file, limit) as room:
        try:
            functions = exercise.pick(vars(room.load()), clean(path.name))
            for case in cases:
                if n_late == MAX_LATE:
                    answers.append(dict.fromkeys(case.outputs, f"not run, after {MAX_LATE} cases without an answer"))
                    continue
                room.begin()
                answers.append(case.answer(functions))
                n_late += "no answer" in (room.why or "")
        except ValueError as error:
            why = part.place(str(error)).replace(clean(file.name), clean(path.name), 1)
    if why:
        return Marked(part.exercise, None, why, room.printed, part.text)
    marks = mark_answers(exercise, seed, answers)
    marks = marks._replace(items=tuple(i._replace(note=part.place(i.note)) for i in marks.items), remarks=looked)
    return Marked(part.exercise, marks, "", room.printed, part.text)


def _patiently(path, seed, limit):
    """Mark each exercise of a file; a second time, with more patience, where it did not run to its end in time, or some cases did not."""
    def late(marked):
        notes = [note for m in marked for note in ([i.note for i in m.marks.items] if m.marks else [m.why])]
        return sum(note.startswith(NO_ANSWER) or note.endswith(UNFINISHED) for note in notes)
    marked = mark_each(path, seed, limit)
    if not late(marked) or any(i.note.startswith("not run") for m in marked if m.marks for i in m.marks.items):
        return marked
    return min(marked, mark_each(path, seed, PATIENCE * limit), key=late)


def grade(files, weights=None, seed=0, limit=2.0, jobs=None):
    """Mark the files of a class, several at a time; whatever is in a file, it has a row, and the others are marked all the same.

    Parameters
    ----------
    files : list of path
        Files and folders.
    weights : dict of str to float, optional
        What each exercise counts; one that a file lacks then has no points. Default: all those that are in a file count alike.
    seed : int
        Of the random numbers in the cases; with one that only the teacher knows, nobody can write the results down.
    limit : float
        Seconds that a case may take; with n times as many jobs as the default n times as much, for then each waits for the others. A file
        that does not run to its end in time, or answers few cases too late, is marked again with five times as much.
    jobs : int, optional
        Files that are marked at the same time; default: two for each processor, for much of the time is waiting.

    Returns
    -------
    Grades
        The rows; ask `csv`, `gradescope` or `to_dict`.

    Raises
    ------
    ValueError
        If there are no files, or for a weight that is negative or of another exercise.
    """
    for name, weight in (weights or {}).items():
        get(name)
        if not 0 <= weight < float("inf"):
            raise ValueError(f"weight of {name}: expected a number of at least 0, got {weight}")
    if weights and not any(weights.values()):
        raise ValueError("weights: expected one that is not 0")
    for path in files:
        if not Path(path).exists():
            raise ValueError(f"expected a folder or a file, got {str(path)!r}, which does not exist")
    most = 2 * (os.cpu_count() or 1)
    jobs, given, found, empty = jobs or most, files, [], []
    for path in given:
        try:
            found += submissions([path])
        except ValueError as error:
            empty.append(Row(clean(str(path)), (), str(error), 0.0))
    if not found:
        raise ValueError(empty[0].why)

    def row(path):
        began = time.monotonic()
        try:
            marked, why = _patiently(path, seed, limit * max(1.0, jobs / most)), ""
        except Exception as error:                 # whatever is in the file
            marked, why = (), " ".join((str(error) if isinstance(error, ValueError) else one_line(error)).split())
        return Row(clean(str(path)), tuple(marked), why, time.monotonic() - began)
    with warnings.catch_warnings(), ThreadPoolExecutor(jobs) as pool:
        warnings.simplefilter("ignore")            # what Python says about their code
        rows = [*pool.map(row, found), *empty]
    left_out = tuple(clean(str(path)) for path in others(given))
    return Grades(with_alike(rows, {name: get(name) for name in NAMES}), weights or {}, seed, left_out)
