"""The verb check: list the exercises, copy one to start with, mark it, show its solution."""

from ._common import add_limit, check_limit, emit, show_printed


def add(verb):
    """Add the verb; `verb(name, function, help, *examples)` makes its parser."""
    sub = verb("check", check, "Exercises with automatic marks: list them, start one, mark it. Exit code: 0 all right, 1 something "
               "wrong, 2 bad input.",
               "check                                            # what there is",
               "check --start temporal_backward                  # copies temporal_backward.py to this folder: fill it in",
               "check temporal_backward.py                       # marks it: exact, approximate or wrong, with a hint",
               "check --solution temporal_backward               # prints one way to do it")
    sub.add_argument("target", nargs="?", metavar="FILE", help="a filled-in exercise; with --start the folder to copy to (default .)")
    sub.add_argument("--start", metavar="NAME", help="copy the file of an exercise")
    sub.add_argument("--solution", metavar="NAME", help="print the solution of an exercise")
    add_limit(sub, 10.0, "one item")
    sub.set_defaults(on_error=2)


def check(args):
    """Do what was asked for; return 0, or 1 if an item is wrong."""
    if args.start and args.solution:
        raise ValueError("--start: expected no --solution beside it")
    if args.solution and args.target:
        raise ValueError(f"--solution: expected no FILE beside it, got {args.target}")
    check_limit(args)
    from .. import exercises
    if args.start:
        path = exercises.start(args.start, args.target or ".")
        print(f"{path}: read what it asks, fill in the lines marked \"your lines\", then: pysnn check {path}")
        emit(args, {"file": str(path)})
    elif args.solution:
        print(exercises.text(args.solution, solution=True), end="")
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
    """Mark a file."""
    marks, printed = exercises.mark_file(args.target, args.seed, args.limit)
    emit(args, {"file": args.target, **marks.to_dict(), "printed": printed})
    show_printed(printed, args.target)
    print(marks)
    if exercises.unwritten(marks):
        print(f"nothing is filled in yet: look for \"your lines\" in {args.target}")
    elif marks.ok:
        print(f"to compare: pysnn check --solution {marks.exercise}")
    return 0 if marks.ok else 1
