"""Exercises with automatic marks: a file to fill in, the right results, and the results of known mistakes.

Each exercise is a file in `solutions`. It has the task in its docstring, the code that is given, and one way to write the lines that
the task asks for. The stub is this file without these lines.
`pysnn check` lists them, `pysnn check --start NAME` copies a stub, `pysnn check FILE.py` marks it. In a notebook:

    from pysnn import exercises
    print(exercises.mark("temporal_backward", globals()))

Each result is exact (bit for bit that of `pysnn.reference`), approximate (equal up to rounding) or wrong. If wrong results are those of a
known mistake, from `pysnn.verify.zoo` or from the exercise's own list, a hint says what the mistake is.
"""

import ast
import functools
import importlib
from pathlib import Path

from ..foreign import Room
from ._case import Case, Exercise, Mistake
from ._marks import Item, Marks, mark_answers, unwritten
from ._text import MODULES, text

__all__ = ["MODULES", "NAMES", "Case", "Exercise", "Item", "Marks", "Mistake", "get", "mark", "mark_file", "start", "text",
           "unwritten"]

NAMES = tuple(MODULES)
MAX_LATE = 3             # cases without an answer that are waited for


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


def mark_file(path, seed=0, limit=10.0):
    """Mark a file. It runs in a process of its own, which is stopped if it takes too long.

    Parameters
    ----------
    path : path
        A filled-in stub; its line EXERCISE = NAME names the exercise.
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
        If the file does not exist, names no exercise, does not run, or lacks a function. The message is one line.
    """
    path = Path(path)
    exercise = get(_exercise_of(path))
    cases, answers, n_late = exercise.draw_cases(seed), [], 0
    with Room(path, limit) as room:
        functions = exercise.pick(vars(room.load()), path.name)
        for case in cases:
            if n_late == MAX_LATE:
                answers.append(dict.fromkeys(case.outputs, f"not run, after {MAX_LATE} cases without an answer"))
                continue
            room.begin()
            answers.append(case.answer(functions))
            n_late += "no answer" in (room.why or "")
    return mark_answers(exercise, seed, answers), room.printed


def _exercise_of(path):
    """Read the line EXERCISE = NAME without running the file."""
    if path.is_dir():
        raise ValueError(f"expected a file such as spike_time.py, got the folder {str(path)!r}")
    if path.suffix != ".py" or not path.is_file():
        raise ValueError(f"expected a file such as spike_time.py, got {str(path)!r}" + ("" if path.is_file() else ", which does not exist")
                         + "; pysnn check --start NAME makes one")
    try:
        tree = ast.parse(path.read_bytes(), str(path))
    except SyntaxError as error:
        raise ValueError(f"{path.name}, line {error.lineno or 1}: {error.msg}") from None
    except ValueError as error:
        raise ValueError(f"{path.name}: expected a Python file: {error}") from None
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) and node.value else []
        if any(getattr(t, "id", "") == "EXERCISE" for t in targets):
            name = getattr(node.value, "value", None)
            if name in MODULES:
                return name
            raise ValueError(f"{path.name}: EXERCISE: expected one of {', '.join(NAMES)}, got {ast.unparse(node.value)}")
    raise ValueError(f"{path.name}: expected a line such as EXERCISE = \"spike_time\"; pysnn check --start NAME makes a file with it")
