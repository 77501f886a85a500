"""The verb verify: all checks of our operations, of yours, or of a framework's; the zoo; the golden vectors; the report."""

import contextlib
import sys
import time
from pathlib import Path

from .. import __version__
from .._files import special, writable, write_text
from ..foreign import LIMIT, NoAnswer, Room, clean
from ..operations import BACKENDS
from ._common import add_limit, check_limit, emit, show_printed


def add(verb):
    """Add the verb; `verb(name, function, help, *examples)` makes its parser."""
    sub = verb("verify", verify, "Check forward and backward passes, ours or yours, and say where they first go wrong. Exit code: 0 all "
               "right, 1 something wrong, 2 bad input.",
               "verify                                           # all of ours, under a minute",
               "verify temporal integrate_fire --backend numba --html report.html",
               "verify --module my.py:forward,backward --operation temporal      # yours; names the mistake if it is a known one",
               "verify --zoo                                     # known mistakes, and which check catches which",
               "verify --golden                                  # ours against the golden vectors",
               "verify --framework snntorch                      # the findings about a framework, run again")
    operations = sub.add_argument("operations", nargs="*", metavar="OPERATION")
    sub.add_argument("--backend", choices=tuple(BACKENDS), help="check ours by this backend alone (default: reference and numba; with "
                     "--golden the reference)")
    sub.add_argument("--module", metavar="FILE.py[:FORWARD,BACKWARD]", help="check the two functions of a file in place of ours (default "
                     "names: forward and backward), see docs/howto/verify-your-gradient.md; or an operation new to the package, see "
                     "docs/howto/write-an-operation.md")
    sub.add_argument("--operation", metavar="NAME", help="what the functions of --module are: one of the operations (default: the line "
                     "OPERATION = NAME in the file)")
    framework = sub.add_argument("--framework", metavar="NAME")
    sub.add_argument("--zoo", action="store_true", help="put known mistakes into our operations, and show which check catches which")
    sub.add_argument("--golden", action="store_true", help="check against the golden vectors, ours or --module")
    sub.add_argument("--html", metavar="FILE", help="write the report as a page with figures, too")
    sub.add_argument("--markdown", metavar="FILE", help="write the report as Markdown, too")
    sub.add_argument("--all-entries", action="store_true", help="print each argument and case, not their summary")
    add_limit(sub, LIMIT, "the file of --module, and each check of it,")
    sub.add_argument("--quiet", action="store_true", help="no progress")
    sub.set_defaults(on_error=2)

    def format_help(usual=sub.format_help):
        from ..verify import findings, suite
        operations.help = f"what to check: some of {', '.join(suite.NAMES)} (default: all)"
        framework.help = f"run the findings about a framework that is installed: {', '.join(findings.FRAMEWORKS)}"
        return usual()
    sub.format_help = format_help                # the names are loaded for the help alone


def verify(args):
    """Run the checks that were asked for; return 0 if all is right, else 1."""
    _refuse(args)
    check_limit(args)
    from ..verify import student, suite
    from ..verify.report import page
    from ..verify.report.ledger import joined
    began, say = time.perf_counter(), _progress(args)
    for name in [*args.operations, *([args.operation] if args.operation else [])]:
        suite.known(name)
    parts, zoo, likely, printed = [], None, [], ""
    if args.module:
        with Room(student.split(args.module)[0], args.limit) as room:
            found, likely = _module(args, say, room)
        parts, printed = [found], room.printed
    else:
        parts += [_framework(args.framework)] if args.framework else []
        parts += [_golden(args)] if args.golden else []
        zoo = _zoo(args, say) if args.zoo else None
        if not (args.framework or args.zoo or args.golden):
            parts.append(suite.run(args.operations or None, args.backend, None, args.seed, say))
    say(None, None, "")
    results = joined(parts)
    about = {"pysnn": __version__, "command": clean("pysnn " + " ".join(sys.argv[1:])), "seed": args.seed,
             "seconds": f"{time.perf_counter() - began:.1f}", **_versions()}
    ok, why = (results.ok or not results.entries) and (zoo is None or zoo.ok), _why_not(args, results)
    reports = [(file, write) for file, write in ((args.html, page.html), (args.markdown, page.markdown)) if file]
    for file, write in reports:                # files first: nothing that is printed can lose them
        write_text(file, write(results, about, zoo, likely))
    emit(args, {**about, "module": args.module, "framework": args.framework, "likely": likely, **results.to_dict(), "ok": ok,
                "zoo": zoo.to_dict() if zoo else None})
    show_printed(printed, args.module or "")
    if not why or len(results.entries) > 1:
        _print(args, results, zoo, likely)
        print(f"{page.headline(results, zoo)}; {about['seconds']} s")
    for file, _ in reports:
        print(f"report: {file}")
    if why:
        raise ValueError(why)
    return 0 if ok else 1


def _module(args, say, room):
    """Check the operation of a file; return a ledger, and what its mistake looks like."""
    from ..verify import student, suite
    from ..verify.report.ledger import UNJUDGED, Entry, Ledger

    def progress(*words):
        room.begin()                           # the seconds of the next check
        say(*words)
    try:
        subject = student.load(args.module, args.operation, lambda _: room.load())
    except ValueError as error:
        return Ledger((Entry(args.operation or clean(room.path.name), "load", verdict=UNJUDGED, note=clean(error)),)), []
    progress(None, None, "")
    found, likely = _golden(args, subject) if args.golden else suite.run([subject.operation], None, subject, args.seed, progress), []
    with contextlib.suppress(Exception):       # a hint is no verdict
        likely = [] if found.ok or room.why else student.likely(subject)
    return found, likely


def _why_not(args, results):
    """Say why there is no verdict: foreign code gave no answer, or nothing is wrong but a check failed at its own work; "" if there is."""
    from ..verify.report.ledger import UNJUDGED, WRONG
    notes = [e.note for e in results.entries if e.verdict == UNJUDGED]
    foreign = [note for note in notes if not note.startswith("could not judge")]
    if not notes or (not foreign and any(e.verdict == WRONG for e in results.entries)):
        return ""
    why, file = (foreign or notes)[0], clean(Path((args.module or "").partition(".py")[0]).name + ".py")
    return (why if why.startswith(file) or not args.module else f"{file}: {why}") + "; --limit SECONDS gives it more" * ("within" in why)


def _refuse(args):
    """Refuse, before any work, options that exclude each other, and files that cannot be written."""
    if args.operations and (args.module or args.framework or args.zoo):
        other = "--module" if args.module else "--framework" if args.framework else "--zoo"
        raise ValueError(f"{other}: expected no OPERATION beside it, got {' '.join(args.operations)}"
                         + ("; say --operation" if args.module else ""))
    if args.operation and not args.module:
        raise ValueError(f"--operation: expected --module beside it; to check ours, say pysnn verify {args.operation}")
    if args.framework and (args.module or args.golden):
        raise ValueError("--framework: expected neither --module nor --golden beside it")
    if args.module and (args.backend or args.zoo):
        raise ValueError(f"--module: expected no {'--backend' if args.backend else '--zoo'} beside it, which is about ours")
    if args.backend and (args.zoo or args.framework):
        raise ValueError(f"--backend: expected no {'--zoo' if args.zoo else '--framework'} beside it, which does not depend on it")
    taken = {Path(args.json).resolve()} if args.json and args.json != "-" else set()
    for option in ("html", "markdown"):
        if file := getattr(args, option):
            path = Path(file)
            if not writable(path) or (path.resolve() in taken and not special(path)):
                raise ValueError(f"--{option}: expected a file that can be written and holds nothing else, got {file}")
            taken.add(path.resolve())


def _progress(args):
    """Return a function that shows progress on standard error: one line that is overwritten, or a line for each operation."""
    state = {"operation": None}

    def say(k, n, words):
        if args.quiet:
            return
        if sys.stderr.isatty():
            line = f"{k + 1}/{n}  {words}"[:100] if n else ""
            print(f"\r{line:<100}\r", end="", file=sys.stderr, flush=True)
            return
        operation = words.split(",")[0]
        if words and operation != state["operation"]:
            state["operation"] = operation
            print(f"checking {words if n is None else operation}", file=sys.stderr)
    return say


def _framework(name):
    """Run the findings about a framework."""
    from ..verify import findings
    from ..verify.report.ledger import Ledger
    entries = findings.run(name)
    if entries and not any(e.n_checked for e in entries):
        raise ImportError(f"--framework {name}: {entries[0].note}")      # says what to install
    return Ledger(tuple(entries))


def _golden(args, subject=None):
    """Check against the golden vectors."""
    from ..verify import golden, suite
    from ..verify.report.ledger import UNJUDGED, Entry, Ledger
    available, entries = golden.operations(), []
    for name in [subject.operation] if subject else args.operations or [*suite.OPERATIONS, *suite.LOSSES]:
        if name not in available:
            raise ValueError(f"--golden: there are vectors for {', '.join(n for n in suite.NAMES if n in available)}, got {name}")
        if subject and subject.limited:
            raise ValueError("--golden: expected functions that take all arguments of the contract (threshold, rule, stride, ...), "
                             f"got fewer in {args.module}")
        backend = args.backend or "reference"
        try:
            checked = golden.check(subject or suite.operation(name, backend), name)
        except NoAnswer as error:
            checked = [Entry(name, "golden vectors", verdict=UNJUDGED, note=str(error))]
        entries += [e if backend == "reference" else e._replace(operation=f"{name} ({backend})") for e in checked]
    return Ledger(tuple(entries))


def _zoo(args, say):
    """Run all checks on all faults."""
    from ..verify.zoo.catch import catch
    return catch(seed=args.seed, progress=lambda words: say(0, None, words))


def _versions():
    """Return the versions that the results may depend on."""
    from ..training import versions
    return {name: version for name, version in versions().items() if version and name != "pysnn"}


def _print(args, results, zoo, likely):
    """Print the tables, and a line for each check that failed."""
    from ..verify.report.ledger import says
    if results.entries:
        shown = results if args.all_entries or args.framework else results.summary()
        print(str(shown._replace(entries=tuple(e._replace(note="", first="") for e in shown.entries))))
        for e in results.entries if args.framework else ():
            print(f"{e.check}: {says(e)}")
        for e, *others in () if args.framework else (entries for checks in results.groups().values() for entries in checks.values()):
            more = f"; and {len(others)} more" if others else ""
            print(f"{e.verdict}  {e.operation}, {e.check}{', ' + e.argument if e.argument else ''}: {says(e)}{more}")
    if zoo is not None:
        print(zoo)
    for words in likely:
        print(words)
