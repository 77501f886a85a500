"""The command line: verbs and words, no numerics."""

import argparse
import contextlib
import json
import os
import sys
import time
from pathlib import Path

import numpy as np

from . import __version__, _blas, checkpoint, datasets, training
from .layers import backend_of
from .learning import temporal

KINDS = ("raster", "times", "curves", "confusion", "in-time", "robustness", "weights", "regions")    # as in figures.py
HELP = argparse.RawDescriptionHelpFormatter


def main(argv=None):
    """Run one verb; return 0, or 1 for an error told in one line, 2 for wrong usage, 130 when interrupted."""
    args = parser().parse_args(argv)
    try:
        if args.threads is not None:
            _blas.set_threads(args.threads)
        args.stdout = sys.stdout
        _check_json(args)
        with np.errstate(all="ignore"), contextlib.redirect_stdout(sys.stderr if args.json == "-" else sys.stdout):
            args.run(args)
    except KeyboardInterrupt:
        print("\npysnn: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ValueError, TypeError, RuntimeError, ImportError, OSError, MemoryError) as error:
        if os.environ.get("PYSNN_DEBUG"):
            raise
        known = isinstance(error, OSError) and error.filename
        print("pysnn: error:", f"cannot use {error.filename}: {checkpoint.reason(error)}" if known else error, file=sys.stderr)
        return 1
    return 0


def parser():
    """Build the parser of all verbs."""
    top = argparse.ArgumentParser("pysnn", description="Train, evaluate and look at spiking neural networks.", formatter_class=HELP,
                                  epilog="examples:\n  pysnn train temporal --data fashion-sample\n  pysnn evaluate mnist\n"
                                         "  pysnn plot raster mnist\nPYSNN_DEBUG=1 shows where an error came from.")
    top.add_argument("--version", action="version", version=f"pysnn {__version__}")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name, run, help, *examples):
        sub = verbs.add_parser(name, help=help, description=help, formatter_class=HELP,
                               epilog="examples:\n" + "\n".join(f"  pysnn {e}" for e in examples))
        sub.add_argument("--seed", type=_count, default=0, help="everything random follows from it (default 0)")
        sub.add_argument("--json", metavar="FILE", help="write the results to FILE, too (-: standard output, all else to standard error)")
        sub.add_argument("--threads", type=int, metavar="N", help="threads; the results do not depend on it (default: all processors)")
        sub.set_defaults(run=run)
        return sub

    sub = verb("train", train, "Train a network; shows progress, writes a checkpoint after every epoch.",
               "train temporal                                   # the shipped sample of Fashion-MNIST, under a minute",
               "train temporal --data mnist --epochs 40 --out runs/mnist.npz",
               "train temporal --data mnist --out runs/mnist.npz --resume      # after a kill: the same bits as without one",
               "train temporal --data mnist --preset authors --set lr=0.02 --set weight_sum=50",
               "train temporal --data yin-yang --no-test         # while choosing options")
    sub.add_argument("method", choices=sorted(training.METHODS), help="learning rule")
    sub.add_argument("--data", default="fashion-sample", choices=datasets.NAMES, help="data set (default fashion-sample)")
    sub.add_argument("--folder", help="read the data set's files from here instead of the cache")
    sub.add_argument("--preset", default="ours", choices=sorted(temporal.PRESETS), help="settings to start from (default ours)")
    sub.add_argument("--model", help="layer sizes, such as 784-400-400-10")
    sub.add_argument("--epochs", type=_count, help="passes over the training data")
    sub.add_argument("--batch", type=_count, help="samples an update")
    sub.add_argument("--lr", type=float, help="learning rate at the start")
    sub.add_argument("--backend", choices=("auto", "reference", "numba"), help="what computes (default: Numba where installed)")
    sub.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="any other setting; see `pysnn info --settings`")
    sub.add_argument("--val", type=_count, metavar="N", help="training samples held out for validation (default: a twelfth)")
    sub.add_argument("--no-test", action="store_true", help="leave the test set alone")
    sub.add_argument("--out", metavar="FILE", help="checkpoint to write (default runs/METHOD-DATA.npz); an older one stays, .previous.npz")
    sub.add_argument("--resume", action="store_true", help="go on from the checkpoint --out, if it is there")
    sub.add_argument("--quiet", action="store_true", help="no progress, no table")

    sub = verb("evaluate", evaluate, "Evaluate a checkpoint, or a shipped network by name, on test data.",
               "evaluate fashion-mnist                            # a network that ships with pysnn",
               "evaluate runs/temporal-mnist.npz --robust --json results.json")
    sub.add_argument("checkpoint", help=f"file, or one of: {', '.join(checkpoint.names()) or 'none shipped'}")
    sub.add_argument("--data", choices=datasets.NAMES, help="data set (default: the one it was trained on)")
    sub.add_argument("--folder", help="read the data set's files from here instead of the cache")
    sub.add_argument("--robust", action="store_true", help="also with jittered times, lost spikes and weights of few bits")

    sub = verb("plot", plot, "Draw a figure of a checkpoint, or of one neuron.",
               "plot neuron --times 0 1 2 --weights 0.8 0.6 -0.3", "plot raster mnist --sample 7 --out raster.svg",
               "plot all runs/temporal-mnist.npz --out figures")
    sub.add_argument("kind", choices=("all", "neuron", *KINDS), help="which figure; all: a folder with each that fits")
    sub.add_argument("checkpoint", nargs="?", help="file or shipped network (not for neuron)")
    sub.add_argument("--data", choices=datasets.NAMES, help="data set (default: the one it was trained on)")
    sub.add_argument("--folder", help="read the data set's files from here instead of the cache")
    sub.add_argument("--sample", type=_count, default=0, help="which test sample (raster)")
    sub.add_argument("--times", type=float, nargs="+", default=[0.0, 1.0, 2.0], help="input spike times in tau (neuron)")
    sub.add_argument("--weights", type=float, nargs="+", default=[0.8, 0.6, -0.3], help="weights (neuron)")
    sub.add_argument("--out", help="file (.png, .svg, .pdf) or folder to write (default figures/)")

    sub = verb("data", data, "List data sets, fetch one, or say where they are kept.",
               "data list", "data fetch mnist", "data fetch cifar10 --folder ~/downloads/cifar-10-batches-bin")
    sub.add_argument("action", choices=("list", "fetch", "where"))
    sub.add_argument("name", nargs="?", choices=datasets.FETCHABLE, help="data set to fetch")
    sub.add_argument("--folder", help="look for the files here first")

    sub = verb("info", info, "Say what is installed, what computes, and what a checkpoint holds.", "info", "info mnist", "info --settings")
    sub.add_argument("checkpoint", nargs="?", help="file or shipped network")
    sub.add_argument("--settings", action="store_true", help="list all settings with their values in both presets")
    return top


def _count(text):
    """Read a whole number that is not negative."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number, got {text!r}")
    return int(text)


def _check_json(args):
    """Refuse, before any work is done, a file for results that cannot be written."""
    if args.json and args.json != "-":
        path, taken = Path(args.json), [Path(getattr(args, name, None) or "-").resolve() for name in ("out", "checkpoint")]
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir() or not os.access(path.parent, os.W_OK) or path.resolve() in taken:
            raise ValueError(f"--json: expected a file that can be written and holds nothing else, got {args.json}")


def _emit(args, result):
    """Write a verb's result where --json says."""
    if args.json == "-":
        print(json.dumps(result, indent=1), file=args.stdout)
    elif args.json:
        path = Path(args.json)
        temporary = path.with_name(f".{path.name}.part")
        try:
            temporary.write_text(json.dumps(result, indent=1) + "\n")
            os.replace(temporary, path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()


def _settings(args):
    """Collect the settings that the user chose."""
    chosen = {name: getattr(args, name) for name in ("model", "epochs", "batch", "lr", "backend") if getattr(args, name) is not None}
    for pair in args.set:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ValueError(f"--set: expected NAME=VALUE, got {pair!r}")
        with contextlib.suppress(json.JSONDecodeError):
            value = json.loads(value)
        if isinstance(getattr(temporal.Settings, name, None), bool) and not isinstance(value, bool):
            raise ValueError(f"{name}: expected true or false, got {value!r}")
        chosen[name] = value
    return temporal.settings_for(args.data, args.preset, **chosen)


def train(args):
    """Train a network."""
    data = datasets.load(args.data, args.folder)
    out = Path(args.out or f"runs/{args.method}-{args.data}.npz")
    settings = _settings(args)
    training.check_fit(settings.model, data)
    parts = datasets.held_out(data, args.val)
    if args.resume and out.is_file():
        run = _resumed(args, out, settings)
        parts = datasets.held_out(data, run.data.get("n_val"), run.data.get("split_seed", 0))
        print(f"going on after epoch {run.epoch} of {settings.epochs}: {out}")
    else:
        if args.resume:
            print(f"no checkpoint {out}: beginning anew")
        run = training.start(args.method, settings, args.seed, {"name": args.data, "n_val": args.val, "split_seed": 0})
        training.save(run, out, keep=True)
    began = time.perf_counter()
    try:
        _loop(run, *parts, out, args.quiet)
    except KeyboardInterrupt:
        print(f"\n{out} holds the last finished epoch; go on with the same command and --resume", file=sys.stderr)
        raise
    seconds = time.perf_counter() - began
    result = {"command": "pysnn " + " ".join(sys.argv[1:]), "checkpoint": str(out), "seed": run.seed, "data": run.data,
              "settings": vars(run.nets.settings), "records": run.records, "seconds": seconds, "versions": training.versions()}
    last = run.records[-1] if run.records else {}
    if "val_accuracy" in last:
        print(f"validation accuracy {last['val_accuracy']:.2%}  (strict {last['val_strict']:.2%}, inclusive {last['val_inclusive']:.2%})")
    if last:
        print("dead neurons: " + "; ".join(
            f"layer {k + 1}: {last['silent'][k]:.1%} silent, {last['never'][k]:.1%} never fire, smallest margin {last['margin'][k]:+.2f}, "
            f"{last['dead_gradient'][k]:.1%} of gradients zero" for k in range(len(last["silent"]))))
    if not args.no_test:
        found = training.METHODS[run.method].score(run.nets, data.x_test, data.y_test)
        result["test"] = found._asdict()
        print(f"test accuracy       {found.expected:.2%}  (strict {found.strict:.2%}, inclusive {found.inclusive:.2%})")
    print(f"{seconds:.1f} s; checkpoint: {out}")
    _emit(args, result)


def _resumed(args, out, settings):
    """Load the run to go on with, and refuse one that this command would not have begun."""
    run = training.load(out)
    if run.rng is None:
        raise ValueError(f"{out}: holds weights only and cannot be resumed")
    then, now = checkpoint.read(out)[0].get("versions", {}), training.versions()
    if changed := [f"{name} {then.get(name)} then, {now[name]} now" for name in ("pysnn", "numpy") if then.get(name) != now[name]]:
        print(f"note: other versions may give other bits ({'; '.join(changed)})")
    n_val = run.data.get("n_val")
    there = {"method": run.method, "data": run.data.get("name"), "seed": run.seed, "val": n_val, **vars(run.nets.settings)}
    here = {"method": args.method, "data": args.data, "seed": args.seed, "val": n_val if args.val is None else args.val, **vars(settings)}
    if differ := [f"{name} {there[name]} there, {here[name]} here" for name in here if there[name] != here[name]]:
        raise ValueError(f"{out}: was trained otherwise than this command says ({'; '.join(differ)}); give the same, or another --out")
    return run


def _loop(run, training_data, validation, out, quiet):
    """Go through the epochs, show them, and write the checkpoint after each."""
    s = run.nets.settings
    n_batches = -(-len(training_data[0]) // s.batch)
    bar = _bar(n_batches * (s.epochs - run.epoch), quiet)
    say = (lambda line: None) if quiet else (bar.write if bar else print)
    often = max(1, s.epochs // 40)
    if run.epoch < s.epochs:
        say(f"{'epoch':>5} {'loss':>8} {'train':>7} {'valid.':>7}  {'silent share by layer':<24} {'margin':>7} {'zero grad':>9}")

    def ticks(batches):
        for k in batches:
            yield k
            if bar:
                bar.update()

    with contextlib.closing(bar) if bar else contextlib.nullcontext():
        for r in training.epochs(run, training_data, validation, ticks):
            training.save(run, out)
            if r["epoch"] % often == 0 or r["epoch"] in (1, s.epochs):
                valid = f"{r['val_accuracy']:7.2%}" if "val_accuracy" in r else "      -"
                say(f"{r['epoch']:5d} {r['loss']:8.4f} {r['train_accuracy']:7.2%} {valid}  "
                    f"{' '.join(f'{share:.1%}' for share in r['silent']):<24} {min(r['margin']):+7.2f} {max(r['dead_gradient']):9.1%}")


def _bar(total, quiet):
    """Return a tqdm bar, or None where it is not wanted or not installed."""
    with contextlib.suppress(ImportError):
        from tqdm import tqdm
        return None if quiet or not sys.stderr.isatty() else tqdm(total=total, unit="batch", leave=False)


def _trained(args):
    """Load the checkpoint and the data that a verb is about."""
    run = training.load(args.checkpoint)
    name = args.data or run.data.get("name")
    if name is None:
        raise ValueError(f"{args.checkpoint}: does not say which data it was trained on: expected --data NAME")
    try:
        found = datasets.load(name, args.folder)
    except datasets.DataError:
        if name != "fashion-mnist" or args.data or args.folder:
            raise
        print("Fashion-MNIST is not here (pysnn data fetch fashion-mnist): taking the sample that ships with pysnn", file=sys.stderr)
        found = datasets.load("fashion-sample")
    training.check_fit(run.nets.settings.model, found)
    return run, found


def evaluate(args):
    """Evaluate a checkpoint."""
    from . import evaluation
    run, data = _trained(args)
    found = evaluation.evaluate(run.nets, data.x_test, data.y_test)
    print(f"{args.checkpoint} on {data.name}, {found['n']} test samples")
    print(f"accuracy   {found['accuracy']:.2%}   ties broken at random, in expectation (strict {found['strict']:.2%}, "
          f"inclusive {found['inclusive']:.2%})")
    print(f"undecided  {found['undecided']:.2%}   no output spike")
    if found["t_decision"] is not None:
        print(f"decision   {found['t_decision']:.2f} tau after the earliest possible input spike (median)")
        t, a = np.array(found["t"]), np.array(found["accuracy_in_time"])
        print("in time    " + "  ".join(f"{q:.0%} of it by {t[np.argmax(a >= q * a[-1])]:.2f} tau" for q in (0.9, 0.99)))
    print("spikes     " + "; ".join(f"{name} {n:.1f}, before the decision {m:.1f}" for name, n, m in zip(
        evaluation.layer_names(run.nets), found["spikes"], found["spikes_before"], strict=True)))
    if args.robust:
        found["robustness"] = evaluation.robustness(run.nets, data.x_test, data.y_test, np.random.default_rng(args.seed))
        for name, label in (("jitter", "jitter, tau"), ("lost", "lost spikes"), ("bits", "weight bits")):
            print(f"{label:<12}" + "  ".join(f"{level:g}: {a:.2%}" for level, a in found["robustness"][name]))
    _emit(args, {"checkpoint": args.checkpoint, "data": data.name, "seed": args.seed, "versions": training.versions(), **found})


def plot(args):
    """Draw one figure, or all."""
    from . import figures, plots
    if args.kind == "neuron":
        drawn = {"neuron": plots.neuron(np.array(args.times), np.array(args.weights))}
    elif args.checkpoint is None:
        raise ValueError(f"plot {args.kind}: expected a checkpoint, or a shipped network ({', '.join(checkpoint.names()) or 'none'})")
    else:
        run, data = _trained(args)
        kinds = figures.fitting(run, data) if args.kind == "all" else [args.kind]
        drawn = {kind: figures.draw(kind, run, data, args.sample, args.seed) for kind in kinds}
    out = Path(args.out or "figures")
    written = [str(plots.save(figure, out if args.kind != "all" and out.suffix else out / f"{kind}.png")) for kind, figure in drawn.items()]
    print(*written, sep="\n")
    _emit(args, {"figures": written})


def data(args):
    """List, fetch or locate data sets."""
    if args.action == "fetch":
        if args.name is None:
            raise ValueError(f"data fetch: expected a name, one of {', '.join(datasets.FETCHABLE)}")
        path = datasets.fetch(args.name, folder=args.folder)
        print(path)
        return _emit(args, {"name": args.name, "path": str(path)})
    cache = datasets.cache_folder()
    here = {name: name not in datasets.FETCHABLE or (Path(cache) / name).is_dir() for name in datasets.NAMES}
    if args.action == "where":
        print(cache)
    else:
        for name, there in here.items():
            print(f"{name:<16}{'here' if there else f'fetch it: pysnn data fetch {name}'}")
    return _emit(args, {"cache": str(cache), "here": here})


def info(args):
    """Say what is here."""
    if args.settings:
        presets = {name: vars(temporal.settings_for("mnist", name)) for name in temporal.PRESETS}
        for name in temporal.Settings.__dataclass_fields__:
            print(f"{name:<14}" + "".join(f"{preset} {values[name]!s:<16}" for preset, values in presets.items()).rstrip())
        return _emit(args, presets)
    if args.checkpoint:
        training.load(args.checkpoint)      # says what does not fit together
        header, arrays = checkpoint.read(args.checkpoint)
        print(f"{args.checkpoint}: {header['method']}, trained on {header['data'].get('name')}, seed {header['seed']}, "
              f"epoch {header['epoch']}, {'resumable' if header['resumable'] else 'weights only'}")
        for name, x in arrays.items():
            if name.startswith("params/"):
                print(f"  {name[7:]:<6}{' x '.join(map(str, x.shape)):<14}{x.dtype}")
        changed = {k: v for k, v in header["settings"].items() if v != getattr(temporal.Settings(), k, None)}
        print("  settings other than the default: " + (", ".join(f"{k}={v}" for k, v in changed.items()) or "none"))
        return _emit(args, header)
    backend = backend_of("temporal").__name__.split(".")[1]
    found = {**training.versions(), "backend": backend, "threads": _blas.get_threads(), "cache": str(datasets.cache_folder()),
             "networks": checkpoint.names()}
    for name, value in found.items():
        print(f"{name:<10}{', '.join(value) if isinstance(value, list) else value}")
    return _emit(args, found)
