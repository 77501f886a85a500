"""The verb grade: mark the files of a class, into a table and into results for Gradescope."""

import argparse
import contextlib
import json
from pathlib import Path

from .. import _files
from ._common import add_hints, add_limit, check_limit, count, emit


def add(verb):
    """Add the verb; `verb(name, function, help, *examples)` makes its parser."""
    sub = verb("grade", grade, "Mark the exercises of a class: one row a file, whatever is in it. Exit code: 0 every file has its "
               "row, wrong, right or broken; 2 bad input.",
               "grade submissions --csv marks.csv --seed 4711",
               "grade submissions --csv marks.csv --weights spike_time=1,temporal_backward=2",
               "grade submission --gradescope results.json --seed 4711 --hints 0          # of one student, in an autograder")
    sub.add_argument("folder", nargs="+", metavar="FOLDER", help="folders with .py and .ipynb files, or such files")
    sub.add_argument("--csv", metavar="FILE", help="write the table to FILE")
    sub.add_argument("--gradescope", metavar="FILE", help="write the results of one submission to FILE (results.json) for Gradescope")
    sub.add_argument("--weights", type=weights, default={}, metavar="NAME=W,...", help="what each exercise counts; one that is missing has "
                     "no points then (default: those in a file count alike)")
    sub.add_argument("--jobs", type=count, metavar="N", help="files that are marked at the same time (default: two for each processor)")
    add_hints(sub)
    add_limit(sub, 2.0, "one item")
    sub.set_defaults(on_error=2)


def weights(text):
    """Read NAME=W,NAME=W."""
    pairs = [pair.partition("=") for pair in text.split(",")]
    try:
        if len({name for name, _, _ in pairs}) < len(pairs):
            raise ValueError("a name stands twice")
        return {name: float(number) for name, _, number in pairs}
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected NAME=W,NAME=W with numbers W and each NAME once, got {text!r}") from None


def grade(args):
    """Mark all files, show the table, write what was asked for."""
    from .. import exercises
    check_limit(args)
    if args.jobs == 0:
        raise ValueError("--jobs: expected at least 1, got 0")
    taken = {path.resolve() for path in map(Path, args.folder)}
    for folder in args.folder:
        with contextlib.suppress(ValueError):                            # an empty folder has a row of its own
            taken |= {path.resolve() for path in exercises.submissions([folder])}
    for option in ("json", "csv", "gradescope"):
        if not (name := getattr(args, option)) or name == "-":
            continue
        if not _files.writable(name) or (Path(name).resolve() in taken and not _files.special(name)):
            raise ValueError(f"--{option}: expected a file that can be written and holds nothing else, got {name}")
        taken.add(Path(name).resolve())
    grades = exercises.grade(args.folder, args.weights, args.seed, args.limit, args.jobs)
    if args.csv:
        _files.write_text(args.csv, grades.csv())
    if args.gradescope:
        _files.write_text(args.gradescope, json.dumps(grades.gradescope(args.hints), indent=1) + "\n")
    emit(args, grades.to_dict())
    width = max(len(row.file) for row in grades.rows)
    for row in grades.rows:
        words = [*row.errors, *row.remarks, *([f"like {row.alike}"] if row.alike else [])]
        print(f"{row.file:<{width}}  {100 * grades.score(row):5.1f} %  {'; '.join(words)}".rstrip())
    broken = sum(bool(row.errors) for row in grades.rows)
    if grades.left_out:
        print(f"left out, neither .py nor .ipynb: {', '.join(grades.left_out[:9])}" + ", ..." * (len(grades.left_out) > 9))
    print(f"{len(grades.rows)} files, seed {grades.seed}" + (f"; in {broken} something could not be marked" if broken else ""))
    return 0
