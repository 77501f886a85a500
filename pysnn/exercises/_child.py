"""The process in which a student's file runs: python -m pysnn.exercises._child FILE EXERCISE SEED FOLDER CASE ..."""

import os
import sys
from pathlib import Path

import numpy as np

from ..verify import student
from . import get
from ._run import LOADED, REFUSED, STARTED


def main(path, name, seed, folder, *todo):
    """Load the file, run the cases one after the other, and write each answer into the folder."""
    path, folder, exercise = Path(path), Path(folder), get(name)
    cases = exercise.draw_cases(int(seed))
    (folder / STARTED).touch()
    try:
        functions = _load(path, exercise)
    except ValueError as error:
        (folder / REFUSED).write_text(str(error), encoding="utf-8")
        return
    (folder / LOADED).touch()
    for k in map(int, todo):
        answer = cases[k].answer(functions)
        part = folder / f"part-{k}"
        with open(part, "wb") as file:
            np.savez(file, **{name: np.array(x) for name, x in answer.items()})
        os.replace(part, folder / f"{k}.npz")


def _load(path, exercise):
    """Import the file; return its functions by name."""
    try:
        module = student.import_file(path)
    except SystemExit as error:
        raise ValueError(f"{path.name}: does not run: it exits ({error.code})") from None
    return exercise.pick(vars(module), path.name)


if __name__ == "__main__":
    main(*sys.argv[1:])
