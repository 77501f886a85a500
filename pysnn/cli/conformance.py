"""pysnn conformance: neurons of released frameworks, or yours, case by case, against what they say of themselves."""

import datetime
import platform
import sys
import time
from pathlib import Path

from .. import __version__
from ..foreign import Room, clean
from ._common import add_limit, check_limit, emit, show_printed

LIMIT = 60.0               # seconds, of the file of --layer and of each case


def add(verb):
    """Define the options."""
    sub = verb("conformance", conformance,
               "Run framework, neuron and case: each cell is right, a convention, of precision, a known bug, or not supported.\n"
               "Exit code 0: nothing unexpected; 1: an unexpected failure, or a known one that is repaired; 2: an error.",
               "conformance                                      # every neuron of the frameworks that are installed",
               "conformance spikingjelly LIFNode --case gradient # one cell",
               "conformance snntorch \"Leaky(reset_delay=False)\"",
               "conformance --list                               # frameworks, neurons, cases",
               "conformance --layer my.py:make --profile my.json --expected known.txt")
    sub.add_argument("framework", nargs="?", metavar="FRAMEWORK", help="one of --list (default: all that are installed)")
    sub.add_argument("neuron", nargs="?", metavar="NEURON", help="a neuron of it; a name without (...) means all its settings")
    sub.add_argument("--case", action="append", metavar="NAME", help="a case, may be given again (default: all)")
    sub.add_argument("--list", action="store_true", help="say what there is, and run nothing")
    sub.add_argument("--layer", metavar="FILE.py[:MAKE]", help="a neuron of your own: MAKE() returns it (default name: make); with several "
                     "neurons in the profile MAKE(name)")
    sub.add_argument("--profile", metavar="FILE", help="what it says of itself, see docs/howto/conformance.md")
    sub.add_argument("--expected", metavar="FILE", help="its known failures, a line each")
    add_limit(sub, LIMIT, "the file of --layer, and each case of it,")
    sub.add_argument("--quiet", action="store_true", help="the last line only")
    sub.set_defaults(on_error=2)


def conformance(args):
    """Run the cells; return the exit code."""
    check_limit(args)
    from ..verify.conformance import SUITE, run
    if unknown := set(args.case or ()) - set(run.CASES):
        raise ValueError(f"--case: expected one of {', '.join(run.CASES)}, got {', '.join(sorted(unknown))}")
    if bool(args.layer) != bool(args.profile) or (args.expected and not args.layer) or (args.layer and args.framework):
        raise ValueError("--layer: expected --profile beside it, and perhaps --expected, and no FRAMEWORK")
    if args.list:
        return _list(args, run.CASES)
    began, cells, notes = time.perf_counter(), [], []
    if args.layer:
        _own(args, run, cells)
    else:
        _released(args, run, cells, notes)
    line = run.summary(cells, SUITE)
    versions = {c.framework: c.version for c in cells}
    emit(args, {"suite": SUITE, "pysnn": __version__, "command": clean("pysnn " + " ".join(sys.argv[1:])),
                "date": datetime.date.today().isoformat(), "python": platform.python_version(), "machine": platform.machine(),
                "seconds": round(time.perf_counter() - began, 1), "versions": versions, "missing": notes, "summary": line,
                "ok": all(c.ok for c in cells), "cells": [c._asdict() for c in cells]})
    if not args.quiet:
        _print(cells, notes, run.OUTCOMES)
    print(line)
    return 0 if all(c.ok for c in cells) else 2 if all(c.ok or c.outcome == run.UNJUDGED for c in cells) else 1


def _released(args, run, cells, notes):
    """Run neurons of the frameworks that are installed."""
    from ..verify.conformance import subjects
    for framework in _frameworks(args, subjects):
        version = subjects.version(framework)
        if not version:
            notes.append(f"{framework} is not installed: {subjects.install(framework)}")
            if args.framework:
                raise ImportError(notes[-1])
            continue
        profiles, makers, known = subjects.profiles(framework), subjects.makers(framework), subjects.known(framework)
        for name in _neurons(args, profiles):
            _say(args, f"{framework} {name}")
            cells += run.run(makers[name](), profiles[name], (framework, version, name), args.case, known)
    _say(args, "")


def _own(args, run, cells):
    """Run neurons of a file, which runs in a process of its own."""
    from ..verify.conformance import node, profile
    framework, package, neurons = profile.read(args.profile)
    known = profile.read_known(args.expected) if args.expected else []
    version, several = _version(package), len(neurons) > 1
    path, _, make = args.layer.rpartition(":") if ".py:" in args.layer else (args.layer, "", "make")
    if not Path(path).is_file():
        raise ValueError(f"--layer: expected a file, got {path}")
    for k in known:
        if k.framework != framework or k.neuron not in neurons or k.case not in run.CASES:
            raise ValueError(f"--expected: expected a framework, neuron and case of the profile, got {k.framework} | {k.neuron} | {k.case}")
    with Room(path, args.limit) as room:
        made = getattr(room.load(), make, None)
        if made is None:
            raise ValueError(f"--layer: {Path(path).name} has no function {make}")
        for name, about in neurons.items():
            _say(args, f"{framework} {name}")
            there = node.There(made, name if several else "", about)
            for case in args.case or run.CASES:
                room.begin()
                cells += run.run(there, about, (framework, version, name), [case], known)
    show_printed(room.printed, path)
    _say(args, "")


def _version(package):
    """Return the version of a third party's package; "0" if it has none."""
    import importlib.metadata
    try:
        return importlib.metadata.version(package) if package else "0"
    except importlib.metadata.PackageNotFoundError:
        return "0"


def _frameworks(args, subjects):
    """Return those that are meant."""
    if args.framework and args.framework not in subjects.FRAMEWORKS:
        raise ValueError(f"FRAMEWORK: expected one of {', '.join(subjects.FRAMEWORKS)}, got {args.framework}")
    return [args.framework] if args.framework else list(subjects.FRAMEWORKS)


def _neurons(args, profiles):
    """Return the names that are meant: one, or all settings of one."""
    if not args.neuron:
        return list(profiles)
    names = [args.neuron] if "(" in args.neuron else [name for name in profiles if name.partition("(")[0] == args.neuron]
    if not names or names[0] not in profiles:
        raise ValueError(f"NEURON: expected one of {', '.join(profiles)}, got {args.neuron}")
    return names


def _list(args, cases):
    """Say what there is."""
    from ..verify.conformance import subjects
    found = {framework: _neurons(args, subjects.profiles(framework)) for framework in _frameworks(args, subjects)}
    emit(args, {"cases": list(cases), "frameworks": found})
    for framework, names in found.items():
        print(f"{framework} {subjects.version(framework) or '(not installed)'}: " + "; ".join(names))
    print(f"cases: {', '.join(cases)}")
    print(f"{len(found)} frameworks, {sum(map(len, found.values()))} neurons, {sum(map(len, found.values())) * len(cases)} cells")
    return 0


def _say(args, words):
    """Show progress on a terminal."""
    if not args.quiet and sys.stderr.isatty():
        print(f"\r{words[:100]:<100}\r", end="", file=sys.stderr, flush=True)


def _print(cells, notes, outcomes):
    """Print each cell of few neurons; of many the counts, and what is a bug or has to be done."""
    neurons = list(dict.fromkeys((c.framework, c.version, c.neuron) for c in cells))
    if len(neurons) > 8:
        for framework, version in dict.fromkeys((f, v) for f, v, _ in neurons):
            mine = [c for c in cells if c.framework == framework]
            counts = ", ".join(f"{n} {outcome}" for outcome in outcomes if (n := sum(c.outcome == outcome for c in mine)))
            print(f"{framework} {version}: {len({c.neuron for c in mine})} neurons, {counts}")
    for c in cells if len(neurons) <= 8 else [c for c in cells if c.outcome == "bug" or not c.ok]:
        print(f"{c.outcome:<13}  {c.framework} {c.neuron}, {c.case}: {clean(c.says)}" + (f" [{c.link}]" if c.link else ""))
    for note in notes:
        print(note)
