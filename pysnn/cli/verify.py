"""The verb verify: all checks of our operations, of yours, or of a framework's; the zoo; the golden vectors; the report."""

import sys
import time
from pathlib import Path

from .. import __version__
from .._files import special, writable, write_text
from ..operations import BACKENDS
from ._common import emit


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
    from ..verify import student, suite
    from ..verify.report import ledger, page
    began, say = time.perf_counter(), _progress(args)
    for name in [*args.operations, *([args.operation] if args.operation else [])]:
        suite.known(name)
    subject = student.load(args.module, args.operation) if args.module else None
    parts = [_framework(args.framework)] if args.framework else []
    if args.golden:
        parts.append(_golden(args, subject))
    zoo = _zoo(args, say) if args.zoo else None
    if not (args.framework or args.zoo or args.golden) or (args.module and not args.golden):
        names = [subject.operation] if subject else args.operations or None
        parts.append(suite.run(names, args.backend, subject, args.seed, say))
    say(None, None, "")
    results = ledger.joined(parts)
    likely = student.likely(subject) if subject and not results.ok else []
    about = {"pysnn": __version__, "command": "pysnn " + " ".join(sys.argv[1:]), "seed": args.seed,
             "seconds": f"{time.perf_counter() - began:.1f}", **_versions()}
    _print(args, results, zoo, likely)
    print(f"{page.headline(results, zoo)}; {about['seconds']} s")
    for path, write in ((args.html, page.html), (args.markdown, page.markdown)):
        if path:
            write_text(path, write(results, about, zoo, likely))
            print(f"report: {path}")
    ok = (results.ok or not results.entries) and (zoo is None or zoo.ok)
    emit(args, {**about, "module": args.module, "framework": args.framework, "likely": likely, **results.to_dict(), "ok": ok,
                "zoo": zoo.to_dict() if zoo else None})
    return 0 if ok else 1


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


def _golden(args, subject):
    """Check against the golden vectors."""
    from ..verify import golden, suite
    from ..verify.report.ledger import Ledger
    available, entries = golden.operations(), []
    for name in [subject.operation] if subject else args.operations or [*suite.OPERATIONS, *suite.LOSSES]:
        if name not in available:
            raise ValueError(f"--golden: there are vectors for {', '.join(n for n in suite.NAMES if n in available)}, got {name}")
        if subject and subject.limited:
            raise ValueError("--golden: expected functions that take all arguments of the contract (threshold, rule, stride, ...), "
                             f"got fewer in {args.module}")
        backend = args.backend or "reference"
        checked = golden.check(subject or suite.operation(name, backend), name)
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
