"""The verb check: list the exercises, copy one to start with, mark it, show its solution."""

import sys
from pathlib import Path

from .. import _files
from ._common import add_hints, add_limit, check_limit, emit, show_printed


def add(verb):
    """Add the verb; `verb(name, function, help, *examples)` makes its parser."""
    sub = verb("check", check, "Exercises with automatic marks: list them, start one, mark it. Exit code: 0 all right, 1 something "
               "wrong, 2 bad input.",
               "check                                            # what there is",
               "check --start temporal_backward                  # copies temporal_backward.py to this folder: fill it in",
               "check temporal_backward.py                       # marks it: exact, approximate or wrong, with a hint",
               "check --hints 1 spike_time.py conversion.ipynb   # several; hints say where to look, and at which equation",
               "check --solution temporal_backward               # prints one way to do it",
               "check --solution temporal_backward --out way.py  # writes it to a file, in every shell the same")
    sub.add_argument("target", nargs="*", metavar="FILE", help="filled-in exercises: files, notebooks, folders of them; with --start the "
                     "folder to copy to (default .)")
    sub.add_argument("--start", metavar="NAME", help="copy the file of an exercise")
    sub.add_argument("--solution", metavar="NAME", help="print the solution of an exercise")
    sub.add_argument("--out", metavar="FILE", help="with --solution: write it to FILE instead")
    add_hints(sub)
    add_limit(sub, 10.0, "one item")
    sub.set_defaults(on_error=2)


def check(args):
    """Do what was asked for; return 0, or 1 if an item is wrong."""
    if args.start and args.solution:
        raise ValueError("--start: expected no --solution beside it")
    if args.solution and args.target:
        raise ValueError(f"--solution: expected no FILE beside it, got {args.target[0]}")
    if args.out is not None and not args.solution:
        raise ValueError("--out: expected --solution NAME beside it")
    if args.out is not None and (not args.out or Path(args.out).exists()):
        raise ValueError(f"--out: expected a file that is not there yet, got {args.out or 'no name'}")
    if args.start and len(args.target) > 1:
        raise ValueError(f"--start: expected one folder to copy to, got {len(args.target)}")
    check_limit(args)
    from .. import exercises
    if args.start:
        path = exercises.start(args.start, *args.target)
        do = "fill in the lines marked \"your lines\"" if "# your lines" in path.read_text(encoding="utf-8") else "correct the code"
        print(f"{path}: read what it asks, {do}, then: pysnn check {path}")
        emit(args, {"file": str(path)})
    elif args.solution:
        text = exercises.text(args.solution, solution=True)
        if args.out:
            _files.write_text(args.out, text)
        print(args.out or text, end="\n" if args.out else "")
        emit(args, {"solution": args.solution})
    elif args.target:
        return _mark(args, exercises)
    else:
        _list(args, exercises)
    return 0


def _list(args, exercises):
    """List the exercises."""
    listed = [exercises.get(name) for name in exercises.NAMES]
    width, column = max(len(e.name) for e in listed), max(len(e.title) for e in listed)
    for e in listed:
        print(f"{e.name:<{width + 2}}{e.title:<{column + 2}}{e.tags}")
    print("start one: pysnn check --start NAME; mark it: pysnn check NAME.py")
    emit(args, {"exercises": [{"name": e.name, "title": e.title, "tags": e.tags} for e in listed]})


def _mark(args, exercises):
    """Mark files; what cannot be marked is said in one line, and the others are marked all the same."""
    results, errors, shown, files = [], [], [], []

    def fail(file, why, **more):
        name = Path(file).name
        errors.append(f"{file}{why.removeprefix(name)}" if len(files) > 1 and why.startswith(name) else why)      # in which folder
        results.append({"file": str(file), **more, "error": why})
    for target in args.target:
        try:
            files += exercises.submissions([target])
        except ValueError as error:
            fail(target, str(error))
    for file in files:
        try:
            found = exercises.mark_each(file, args.seed, args.limit)
        except ValueError as error:
            fail(file, str(error))
            continue
        shown += [(file, m, m is found[0]) for m in found]
        for m in found:
            if m.marks:
                results.append({"file": str(file), **m.marks.to_dict(), "printed": m.printed})
            else:
                fail(file, m.why, exercise=m.exercise, printed=m.printed)
    emit(args, results[0] if len(results) == 1 else {"files": results})
    for file, m, first in shown:
        if first:
            show_printed(m.printed, file)
        if len(shown) > 1:
            print(f"== {file}")
        if m.marks:
            _show(m.marks, file, args.hints, exercises)
    for error in errors[:-1]:
        print("pysnn: error:", error, file=sys.stderr)
    if errors:
        raise ValueError(errors[-1])
    return 0 if all(result["ok"] for result in results) else 1


def _show(marks, file, hints, exercises):
    """Print the marks of one exercise."""
    print(marks.text(hints))
    missing = dict.fromkeys(item.output for item in marks.counted if item.note == exercises.NOT_WRITTEN)
    if exercises.unwritten(marks):
        print(f"nothing is filled in yet: look for \"your lines\" in {file}")
    elif missing:
        print(f"not filled in yet: {', '.join(missing)}")
    elif marks.ok:
        print(f"to compare: pysnn check --solution {marks.exercise}")
