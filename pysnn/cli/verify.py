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
               'verify --torch "snntorch:Leaky(beta=0.9)"        # any layer: what it follows, and whether its gradient is right',
               "verify --torch my.py:Net --axes BTN              # a module of yours, batch first",
               "verify --step my.py:step --module my.py:layer    # any neuron, against one step of it that you write",
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
    for kind, what in (("torch", "a PyTorch module or function"), ("jax", "a function over JAX arrays"),
                       ("numpy", "two functions, FILE.py:FORWARD,BACKWARD")):
        sub.add_argument(f"--{kind}", metavar="PLACE:LAYER", help=f"check any layer of spiking neurons, {what}: FILE.py:EXPRESSION or "
                         "MODULE:EXPRESSION, see docs/howto/verify-any-layer.md")
    sub.add_argument("--axes", metavar="TBN", help="what such a layer takes: T time, B batch, N neurons, or C, H and W; BN: one step at a "
                     "time (default: found)")
    sub.add_argument("--n", type=int, metavar="N", help="how many neurons such a layer has (default: found)")
    sub.add_argument("--shape", metavar="6x2x784", help="shape of the input of a network (default: what its first weights take)")
    sub.add_argument("--threshold", type=float, metavar="X", help="its threshold (default: what the file or the layer says, else 1)")
    sub.add_argument("--step", metavar="FILE.py[:STEP]", help="check the layer of --module, of PyTorch or NumPy, against one step of its "
                     "neuron, see docs/howto/verify-any-neuron.md")
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
    if kind := _kind(args):
        parts = [_layer(args, kind, say)]
    elif args.step:
        from ..verify import step_file
        found, likely, printed = step_file.check(args.step, args.module, args.seed, args.limit, say)
        parts = [found]
    elif args.module:
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


def _kind(args):
    """Name the framework of a layer that is to be checked."""
    return next((kind for kind in ("torch", "jax", "numpy") if getattr(args, kind)), None)


def _layer(args, kind, say):
    """Open a layer of a framework, find out what it is, and check it."""
    from ..verify import blackbox
    say(None, None, f"{getattr(args, kind)}, how it is called")
    with blackbox.opened(kind, getattr(args, kind), args.axes, args.n, args.threshold, _shape(args), args.limit) as layer:
        return blackbox.check(layer, args.seed, lambda words: say(None, None, words))[0]


def _shape(args):
    """Read the shape of an input."""
    try:
        shape = [int(k) for k in args.shape.split("x")] if args.shape else []
        if any(k < 1 for k in shape):
            raise ValueError
    except ValueError:
        raise ValueError(f"--shape: expected numbers such as 6x2x784, got {args.shape!r}") from None
    return shape


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
    known = any(words.startswith("looks like") for words in likely)
    if subject.operation == "integrate_fire" and not (found.ok or room.why or args.golden or known):
        found, said = _second_look(args, subject, found, progress)
        likely = [] if found.ok else [*likely, *said]
    return found, likely


def _second_look(args, subject, found, progress):
    """Ask what a neuron is that is not the one it was held against; where the file declares none, hold it against that one."""
    from ..verify import blackbox, suite
    from ..verify.conventions import Convention
    from ..verify.report.ledger import CONVENTION, joined
    ledger, neuron, words = blackbox.second_look(args.module, args.seed, args.limit)
    if isinstance(neuron, Convention):         # all the other checks, too
        again = suite.run([subject.operation], None, subject._replace(rules=(neuron.rule,), surrogates=(neuron.surrogate,),
                                                                      detach=(neuron.detach_reset,)), args.seed, progress)
        named = ledger._replace(entries=tuple(e for e in ledger.entries if e.verdict == CONVENTION), errors={})
        return (joined([named, again]), []) if again.ok else (found, [])
    return (ledger, []) if ledger else (found, [f"what it is: {words}"] if words else [])


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
    chosen = [f"--{kind}" for kind in ("torch", "jax", "numpy") if getattr(args, kind)]
    if chosen and (len(chosen) > 1 or args.operations or args.module or args.framework or args.zoo or args.golden or args.operation
                   or args.backend):
        raise ValueError(f"{chosen[0]}: expected no OPERATION, and none of --module, --operation, --backend, --framework, --zoo, --golden "
                         "beside it")
    _shape(args)
    if not chosen and (args.axes or args.n or args.threshold or args.shape):
        raise ValueError("--axes, --n, --threshold, --shape: expected --torch, --jax or --numpy beside them")
    if args.axes and (sorted(args.axes.replace("T", "").replace("H", "").replace("W", "")) not in (["B", "N"], ["B", "C"])
                      or len(set(args.axes)) < len(args.axes)):
        raise ValueError(f"--axes: expected letters such as TBN, BTN, BNT, TBCHW or BN, got {args.axes!r}")
    if (args.n is not None and args.n < 1) or (args.threshold is not None and not 0 < args.threshold < float("inf")):
        raise ValueError("--n, --threshold: expected a whole number of at least 1, and a number above 0")
    if args.operations and (args.module or args.framework or args.zoo):
        other = "--module" if args.module else "--framework" if args.framework else "--zoo"
        raise ValueError(f"{other}: expected no OPERATION beside it, got {' '.join(args.operations)}"
                         + ("; say --operation" if args.module else ""))
    if args.operation and not args.module:
        raise ValueError(f"--operation: expected --module beside it; to check ours, say pysnn verify {args.operation}")
    if args.step and (not args.module or args.operation or args.golden):
        raise ValueError("--step: expected --module beside it, and neither --operation nor --golden")
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
        backend, own = args.backend or "reference", [c for c in suite.checks(name, op=subject) if c.name == "golden vectors"]
        if subject and not own:
            raise ValueError(f"--golden: no vector has the conventions and arguments of {args.module}")
        try:
            checked = suite.apply(own[0], subject).entries if subject else golden.check(suite.operation(name, backend), name)
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
    from ..verify.report.ledger import CONVENTION, says
    if results.entries:
        shown = results if args.all_entries or args.framework else results.summary()
        print(str(shown._replace(entries=tuple(e._replace(note="", first="") for e in shown.entries))))
        for e in results.entries if args.framework else ():
            print(f"{e.check}: {says(e)}")
        for e, *others in () if args.framework else (entries for checks in results.groups().values() for entries in checks.values()):
            more = f"; and {len(others)} more" if others else ""
            print(f"{e.verdict}  {e.operation}, {e.check}{', ' + e.argument if e.argument else ''}: {says(e)}{more}")
    for words in dict.fromkeys(says(e) for e in results.entries if e.verdict == CONVENTION):
        print(words)
    if zoo is not None:
        print(zoo)
    for words in likely:
        print(words)
