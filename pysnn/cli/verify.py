"""The verb verify: all checks of our operations, of a student's, or of a framework's; the zoo; the golden vectors; the report."""

import importlib
import os
import sys
import time
from pathlib import Path

from .. import __version__
from .._files import write_text
from ._common import emit

OPERATIONS = ("temporal", "integrate_fire", "dense", "conv2d", "max_pool2d", "avg_pool2d", "batch_norm", "relu",
              "softmax_z", "softmax_t", "mse", "cross_entropy", "proxy", "tandem", "surrogate", "ann")
FRAMEWORKS = ("spikingjelly", "snntorch", "norse", "torch", "jaxsnn", "exact-event-adjoint", "exact-snn-nn")


def add(verb):
    """Add the verb to the parser; `verb` is what makes one."""
    sub = verb("verify", verify, "Check forward and backward passes, ours or yours, and say where they first go wrong. Exit code: 0 all "
               "right, 1 something wrong, 2 bad input.",
               "verify                                           # all of ours, under a minute",
               "verify temporal integrate_fire --backend numba --html report.html",
               "verify --module my.py:forward,backward --operation temporal      # yours; names the mistake if it is a known one",
               "verify --zoo                                     # known mistakes, and which check catches which",
               "verify --golden                                  # ours against the golden vectors",
               "verify --framework snntorch                      # the findings about a framework, run again")
    sub.add_argument("operations", nargs="*", metavar="OPERATION", help=f"what to check: some of {', '.join(OPERATIONS)} (default: all)")
    sub.add_argument("--backend", choices=("reference", "numba"), help="check ours by this backend alone (default: both; with --golden the "
                     "reference)")
    sub.add_argument("--module", metavar="FILE.py[:FORWARD,BACKWARD]", help="check the two functions of a file in place of ours (default "
                     "names: forward and backward); see docs/howto/verify-your-gradient.md")
    sub.add_argument("--operation", metavar="NAME", help="what the functions of --module are: one of the operations (default: the line "
                     "OPERATION = NAME in the file)")
    sub.add_argument("--framework", metavar="NAME", help=f"run the findings about a framework that is installed: {', '.join(FRAMEWORKS)}")
    sub.add_argument("--zoo", action="store_true", help="put known mistakes into our operations, and show which check catches which")
    sub.add_argument("--golden", action="store_true", help="check against the golden vectors, ours or --module")
    sub.add_argument("--html", metavar="FILE", help="write the report as a page with figures, too")
    sub.add_argument("--markdown", metavar="FILE", help="write the report as Markdown, too")
    sub.add_argument("--all-entries", action="store_true", help="print each argument and case, not their summary")
    sub.add_argument("--quiet", action="store_true", help="no progress")
    sub.set_defaults(on_error=2)


def verify(args):
    """Run the checks that were asked for; return 0 if all is right, else 1."""
    _check(args)
    from ..verify.report import ledger, page
    began, say = time.perf_counter(), _progress(args)
    subject, likely = None, []
    if args.module:
        from ..verify import student
        subject = student.load(args.module, args.operation)
    parts = [_framework(args.framework)] if args.framework else []
    if args.golden:
        parts.append(_golden(args, subject))
    zoo = _zoo(args, say) if args.zoo else None
    if not (args.framework or args.zoo or args.golden) or (args.module and not args.golden):
        from ..verify import suite
        names = [subject.operation] if subject else args.operations or None
        parts.append(suite.run(names, args.backend, subject, args.seed, say))
    say(None, None, "")
    found = ledger.joined(parts)
    if subject and not found.ok:
        from ..verify import student
        likely = student.likely(subject)
    about = {"pysnn": __version__, "command": "pysnn " + " ".join(sys.argv[1:]), "seed": args.seed,
             "seconds": f"{time.perf_counter() - began:.1f}", **_versions()}
    _print(args, found, zoo, likely)
    print(f"{page.headline(found, zoo)}; {about['seconds']} s")
    for path, write in ((args.html, page.html), (args.markdown, page.markdown)):
        if path:
            write_text(path, write(found, about, zoo, likely))
            print(f"report: {path}")
    ok = (found.ok or not found.entries) and (zoo is None or zoo.ok)
    emit(args, {**about, "module": args.module, "framework": args.framework, "likely": likely, **found.to_dict(), "ok": ok,
                "zoo": zoo.to_dict() if zoo else None})
    return 0 if ok else 1


def _check(args):
    """Refuse, before any work, what does not go together, and files that cannot be written."""
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
    for name in [*args.operations, *([args.operation] if args.operation else [])]:
        if name not in OPERATIONS:
            raise ValueError(f"operation: expected one of {', '.join(OPERATIONS)}, got {name!r}")
    taken = {Path(args.json).resolve()} if args.json and args.json != "-" else set()
    for option in ("html", "markdown"):
        if file := getattr(args, option):
            path = Path(file)
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir() or path.resolve() in taken or not os.access(path.parent, os.W_OK):
                raise ValueError(f"--{option}: expected a file that can be written and holds nothing else, got {file}")
            taken.add(path.resolve())


def _progress(args):
    """Return what says on standard error what is being done: a line that is written over, or a line for each operation."""
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


def _part(name, what):
    """Import a part of verify that may be missing from this installation."""
    try:
        return importlib.import_module(f"pysnn.verify.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"pysnn.verify.{name}":
            raise
        raise ImportError(f"{what}: this installation has no pysnn.verify.{name}") from None


def _framework(name):
    """Run the findings about a framework."""
    from ..verify.report.ledger import Ledger
    entries = _part("findings", "--framework").run(name)
    if entries and not any(e.n_checked for e in entries):
        raise ImportError(f"--framework {name}: {entries[0].note}")      # says what to install
    return Ledger(tuple(entries))


def _golden(args, subject):
    """Check against the golden vectors."""
    from ..verify import student, suite
    from ..verify.report.ledger import Ledger
    golden = _part("golden", "--golden")
    entries = []
    short = subject and subject.n_args is not None and subject.n_args < student.N_ARGS[subject.operation][0]
    if subject and (short or subject.thresholds or subject.rules or subject.surrogates or subject.detach):
        raise ValueError("--golden: expected functions that take all arguments of the contract (threshold, rule, stride, ...), "
                         f"got fewer in {args.module}")
    for name in [subject.operation] if subject else args.operations or [*suite.OPERATIONS, *suite.LOSSES]:
        if name not in golden.FILES:
            raise ValueError(f"--golden: there are vectors for {', '.join(n for n in suite.NAMES if n in golden.FILES)}, got {name}")
        for backend in [None] if subject else [args.backend or "reference"]:
            found = golden.check(subject or suite.operation(name, backend), name)
            entries += [e._replace(operation=f"{name} (numba)") if backend == "numba" else e for e in found]
    return Ledger(tuple(entries))


def _zoo(args, say):
    """Run all checks on all faults."""
    from ..verify.zoo import catch as zoo_catch
    return zoo_catch.catch(seed=args.seed, progress=lambda words: say(0, None, words))


def _versions():
    """Name what the results may depend on."""
    from ..training import versions
    return {name: version for name, version in versions().items() if version and name != "pysnn"}


def _print(args, found, zoo, likely):
    """Print the tables, and what is wrong."""
    from ..verify.report.ledger import says
    if found.entries:
        shown = found if args.all_entries or args.framework else found.summary()
        print(str(shown._replace(entries=tuple(e._replace(note="", first="") for e in shown.entries))))
        for e in found.entries if args.framework else ():
            print(f"{e.check}: {says(e)}")
        for e, *others in () if args.framework else (entries for checks in found.groups().values() for entries in checks.values()):
            more = f"; and {len(others)} more" if others else ""
            print(f"{e.verdict}  {e.operation}, {e.check}{', ' + e.argument if e.argument else ''}: {says(e)}{more}")
    if zoo is not None:
        print(zoo)
    for words in likely:
        print(words)
