"""The verb sweep: one method with many settings and seeds, in processes or on a cluster."""

import contextlib
import json
import re
import sys

from .. import _files, datasets, learning, scale
from ._common import add_data, count, emit, load_data, one_of
from .train import add_settings, chosen_settings

NUMBER = r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"        # as in JSON


def add(verb):
    """Add the verb; `verb(name, function, help, *examples)` makes its parser."""
    sub = verb("sweep", sweep, "Train one method with many settings and seeds; what was killed goes on with the same command.",
               "sweep temporal --vary lr=0.001,0.01 --vary beta=20,40 --seeds 10 --jobs 4      # a grid",
               "sweep proxy --vary lr=1e-4:1e-1:log --search random --trials 20",
               "sweep temporal --vary lr=1e-4:1e-1:log --vary beta=10:80 --search optuna --trials 30 --jobs 4",
               "sweep temporal --vary lr=0.001,0.01 --dask tcp://host:8786                     # a cluster of Dask",
               "sweep temporal --vary lr=0.001,0.01 --vary beta=20,40 --figure sweep.pdf --test")
    sub.add_argument("method", type=one_of(learning.METHODS), metavar="METHOD",
                     help=f"learning rule: {', '.join(learning.METHODS)}, or FILE.py:NAME of your own")
    add_data(sub, "fashion-sample")
    add_settings(sub)
    sub.add_argument("--vary", action="append", default=[], metavar="NAME=VALUES",
                     help="values of a setting, A,B,C, or a range LOW:HIGH or LOW:HIGH:log, of whole numbers if both are")
    sub.add_argument("--seeds", type=count, default=3, metavar="N", help="runs that differ in the seed alone: --seed and up (default 3)")
    sub.add_argument("--search", choices=("grid", "random", "optuna"), default="grid", help="how points are found (default grid)")
    sub.add_argument("--trials", type=count, default=20, metavar="N", help="points of random and optuna (default 20)")
    sub.add_argument("--no-pruning", action="store_true", help="of optuna: no run ends early")
    sub.add_argument("--jobs", type=count, default=1, metavar="N", help="processes, of one thread each (default 1: this one)")
    sub.add_argument("--dask", metavar="ADDRESS", help="do the runs on a cluster of Dask; its workers need pysnn")
    sub.add_argument("--test", action="store_true", help="in the end use the test samples, once, for the choice")
    sub.add_argument("--figure", metavar="FILE", help="draw accuracy over the first two settings that vary (.png, .svg, .pdf)")
    sub.add_argument("--out", metavar="FILE", help="one JSON line a finished run (default runs/sweep-METHOD-DATA.jsonl)")


def sweep(args):
    """Run the verb: the runs that are missing, then their table, the choice, its test."""
    data = load_data(args)
    if args.data not in datasets.NAMES and not datasets.is_own(args.data) and not args.data.endswith(".ts"):
        data = data._replace(name=_files.short(args.data))
    settings = {"preset": args.preset} | chosen_settings(args)
    for name, values in map(_values, args.vary):
        if name in settings and name != "preset":
            raise ValueError(f"{name}: expected once, got --vary {name} and a value of it, or --vary twice")
        settings[name] = values
    if args.val is not None and not datasets.is_own(args.data):
        settings["val"] = args.val
    if args.seeds < 1:
        raise ValueError(f"--seeds: expected at least 1, got {args.seeds}")
    search = {"grid": None, "random": scale.Random(args.trials, args.seed),
              "optuna": scale.Optuna(args.trials, args.seed, not args.no_pruning)}[args.search]
    if args.figure:
        _files.no_file_above(args.figure)
    try:
        runs = scale.sweep(args.method, data, settings, range(args.seed, args.seed + args.seeds), args.dask or args.jobs, args.out, search)
    except KeyboardInterrupt:
        print("\nevery finished run is kept; the same command goes on", file=sys.stderr)
        raise
    print(runs)
    result = {"method": args.method, "data": data.name, "table": runs.table(), "runs": runs.lines}
    with contextlib.nullcontext() if args.test else contextlib.suppress(ValueError):
        result["best"] = runs.best()
        print("best:", " ".join(f"--set {name}={value}" for name, value in result["best"].items()))
    if args.test:
        result["test"] = test = runs.test()
        interval = "" if test["ci95"] is None else f" ± {100 * test['ci95']:.2f}"
        print(f"test accuracy of the best, {len(test['by_seed'])} seeds: {test['accuracy']:.2%}{interval}")
    if args.figure:
        from .. import plots
        print("figure:", plots.save(runs.plot(*runs.names[:2]), args.figure))
    emit(args, result)


def _values(text):
    """Read NAME=A,B,C or NAME=LOW:HIGH[:log]."""
    name, equals, values = text.partition("=")
    if not equals or not name or not values:
        raise ValueError(f"--vary: expected NAME=A,B,C or NAME=LOW:HIGH, got {text!r}")
    if found := re.fullmatch(rf"({NUMBER}):({NUMBER})(:log)?", values):
        return name, (json.loads(found[1]), json.loads(found[2]), *(["log"] if found[3] else []))
    made = []
    for value in values.split(","):
        with contextlib.suppress(json.JSONDecodeError):
            value = json.loads(value)
        made.append(value)
    return name, made
