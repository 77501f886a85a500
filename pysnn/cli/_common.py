"""What the verbs of the command line share: results as JSON, settings as typed, a checkpoint with its data."""

import argparse
import contextlib
import json
import shutil
import sys
from pathlib import Path

import numpy as np

from .. import _files, datasets, training
from ..operations import BACKENDS


def count(text):
    """Read a whole number that is not negative."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number, got {text!r}")
    return int(text)


def one_of(names, is_file=None):
    """Return what reads one of some names, FILE.py:NAME of the user's own, or a file or folder of data that `is_file` knows."""
    def read(text):
        if text not in names and ".py:" not in text and not (is_file and is_file(text)):
            own = "FILE.csv, FILE.npz, FOLDER/, FILE.ts or FILE.py:NAME" if is_file else "or FILE.py:NAME"
            raise argparse.ArgumentTypeError(f"invalid choice: {text!r} (choose from {', '.join(names)}, {own})")
        return text
    return read


def add_data(sub, default=None):
    """Add the options that choose the data; without a default the checkpoint names them."""
    sub.add_argument("--data", default=default, type=one_of(datasets.NAMES, lambda text: text.endswith(".ts") or datasets.is_own(text)),
                     metavar="NAME", help=(f"data set (default {default})" if default else "data set (default: the one it was trained on)")
                     + f": {', '.join(datasets.NAMES)}; or your own: FILE.csv, FILE.npz, FOLDER/ of images in folders by class, "
                     "NAME_TRAIN.ts with NAME_TEST.ts beside it, or FILE.py:NAME")
    sub.add_argument("--target", metavar="COLUMN", help="of a CSV file: the column of the labels")
    sub.add_argument("--regression", action="store_true", default=None,
                     help="the labels are numbers to be predicted (default: if they are numbers of which one is not whole)")
    sub.add_argument("--test-data", metavar="FILE", help="another such file, or folder, of test samples (default: a fifth of the samples)")
    sub.add_argument("--folder", help="read the data set's files from here instead of the cache")
    if not default:
        add_files(sub)


def add_files(sub):
    """Add the option that names the user's own files that a checkpoint needs."""
    sub.add_argument("--with", dest="files", action="append", default=[], metavar="FILE.py",
                     help="a file of your own that it was trained with; it is run")


def add_training(sub, setting, epochs=""):
    """Add the options that every training has."""
    sub.add_argument("--epochs", type=count, help=f"passes over the training data; the learning rate falls over all of them{epochs}")
    sub.add_argument("--batch", type=count, help="samples an update")
    sub.add_argument("--lr", type=float, help="learning rate at the start")
    sub.add_argument("--backend", choices=("auto", *BACKENDS), help="what computes (default: Numba where installed)")
    sub.add_argument("--val", type=count, metavar="N", help="training samples held out for validation (default: a twelfth)")
    sub.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help=setting)


def add_limit(sub, default, what):
    """Add the option that limits the time of foreign code."""
    sub.add_argument("--limit", type=float, default=default, metavar="SECONDS", help=f"how long {what} may take (default {default:g})")


def add_hints(sub):
    """Add the option that says how much a hint of an exercise says."""
    sub.add_argument("--hints", type=int, choices=(0, 1, 2), default=2, help="how much hints say: 0 where something is wrong, 1 also which "
                     "equation is about it, 2 what the mistake is, if it is a known one (default 2)")


def check_limit(args):
    """Refuse a limit that is none."""
    if not 0 < args.limit < float("inf"):
        raise ValueError(f"--limit: expected a positive number of seconds, got {args.limit:g}")


def show_printed(printed, file):
    """Print what a foreign file has printed, so that nobody takes it for ours."""
    if printed.strip():
        print(f"{Path(file).name} printed:")
        print("\n".join(f"  {line[:shutil.get_terminal_size().columns - 2]}" for line in printed.rstrip().splitlines()))


def check_json(args):
    """Refuse a file for results that cannot be written, before any work is done."""
    if args.json and _files.descriptor(args.json) == 1:
        args.json = "-"
    if args.json and args.json != "-":
        taken = [Path(getattr(args, name, None) or "-").resolve() for name in ("out", "checkpoint")]
        if not _files.writable(args.json) or (Path(args.json).resolve() in taken and not _files.special(args.json)):
            raise ValueError(f"--json: expected a file that can be written and holds nothing else, got {args.json}")


def emit(args, result):
    """Write a verb's result where --json says."""
    if args.json == "-":
        print(json.dumps(result, indent=1), file=args.stdout)
    elif args.json:
        _files.write_text(args.json, json.dumps(result, indent=1) + "\n")


def options(args, *names):
    """Collect the settings that options of their own give, such as --lr; {name: value}."""
    return {name: getattr(args, name) for name in names if getattr(args, name) is not None}


def typed(pairs, flags, given):
    """Read NAME=VALUE pairs; `flags` tells by name whether a setting is true or false, `given` holds the settings of other options."""
    chosen = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ValueError(f"--set: expected NAME=VALUE, got {pair!r}")
        if name in chosen or name in given:
            option = f"--set {name}" if name in chosen else "--steps" if name == "n_steps" else f"--{name}"
            raise ValueError(f"{name}: expected once, got {option} and --set {pair}")
        with contextlib.suppress(json.JSONDecodeError):
            value = json.loads(value)
        if flags(name) and not isinstance(value, bool):
            raise ValueError(f"{name}: expected true or false, got {value!r}")
        chosen[name] = value
    return chosen


def load_data(args):
    """Load the data to train on; say in one line what there is in files of the user's own."""
    if not datasets.is_own(args.data):
        return datasets.load(args.data, args.folder, args.target, args.test_data, None, args.regression)
    args.data = args.data.rstrip("/\\") + "/" if Path(args.data).is_dir() else args.data
    data = datasets.load(args.data, args.folder, args.target, args.test_data, args.val, args.regression)
    print(data)
    return data


def remembered(args, data):
    """Return what a checkpoint keeps about the data; of files of the user's own how to read them again, and their SHA-256."""
    short = _files.short(args.data)
    known = {"name": short, "n_val": args.val, "split_seed": 0}
    if not datasets.is_own(args.data):
        return known
    files = [name for name in (args.data, args.test_data) if name]
    return known | {"target": args.target, "test": args.test_data, "sha256": {name: _files.digest(name) for name in files},
                    **{name: word for name, word in data.words.items() if name != "name"}}


def held_out(args, data, remember):
    """Set validation samples apart; those of files of the user's own are apart already."""
    if datasets.is_own(args.data):
        return datasets.held_out(data, 0 if data.x_val is None else None)
    return datasets.held_out(data, remember.get("n_val"), remember.get("split_seed", 0))


def _trained_on(args, run):
    """Load the user's own files that a run was trained on, or others that are given, if shape and classes are the same."""
    known = run.data if args.data is None else {}
    name, test = args.data or known["name"], args.test_data or known.get("test")
    for file, digest in (known.get("sha256") or {}).items():
        if file in (name, test) and not Path(file).exists():
            raise ValueError(f"{args.checkpoint}: was trained on {file}, which is not here: expected --data FILE")
        if file in (name, test) and _files.digest(file) != digest:
            raise ValueError(f"{file}: expected the data that {args.checkpoint} was trained on (SHA-256 {digest[:12]}...), got data that "
                             f"have changed; to use them all the same: --data {file}")
    data = datasets.load(name, args.folder, args.target or run.data.get("target"), test, run.data.get("n_val"),
                         args.regression or run.data.get("regression"))
    if (classes := run.data.get("classes")) and classes != list(data.classes):
        raise ValueError(f"{name}: expected the classes that {args.checkpoint} was trained on, {', '.join(classes):.60}, got "
                         f"{', '.join(data.classes):.60}")
    return data


def trained(args):
    """Load the checkpoint and the data that a verb is about."""
    run = training.load(args.checkpoint, args.files)
    name = args.data or run.data.get("name")
    if name is None:
        raise ValueError(f"{args.checkpoint}: does not say which data it was trained on: expected --data NAME")
    if not args.data and (file := name.rpartition(":")[0]).endswith(".py") and not _files.loaded(file):
        raise ValueError(f"{args.checkpoint}: was trained on data of {file}, which holds code: expected --with {file}")
    try:
        data = _trained_on(args, run) if datasets.is_own(name) else datasets.load(
            name, args.folder, args.target, args.test_data, None, args.regression)
    except datasets.DataError:
        if name != "fashion-mnist" or args.data or args.folder:
            raise
        print("Fashion-MNIST is not here (pysnn data fetch fashion-mnist): taking the sample that ships with pysnn", file=sys.stderr)
        data = datasets.load("fashion-sample")
    training.check_fit(run.nets.settings.model, data, run.nets.settings.own_encoding, run.nets.settings.time_axis)
    if run.regression != data.regression and run.records:
        had, has = ("targets" if some.regression else "labels" for some in (run, data))
        raise ValueError(f"{name}: expected {had}, which {args.checkpoint} was trained on, got {has}")
    return run, data


def in_words(score, data):
    """Say a score on data in words; a root mean squared error in the unit of the targets, if there is one of them alone."""
    if not data.regression:
        return f"{score.expected:.2%}  (strict {score.strict:.2%}, inclusive {score.inclusive:.2%})"
    span = 1.0 if data.target_scale is None else data.target_scale.span
    one = len(data.classes) == 1
    return f"R2 {score.r2:.4f}, RMSE {score.rmse * float(np.mean(span)) if one else score.rmse:.4g}" + (
        f" of {data.classes[0]}" if one else " standard deviations of the targets")


@contextlib.contextmanager
def progress(run, n_samples, quiet, more=0):
    """Lend a function that counts the batches of a run, and a tqdm bar, which is None where it is not wanted or not installed."""
    bar, s = None, run.nets.settings
    with contextlib.suppress(ImportError):
        from tqdm import tqdm
        if not quiet and sys.stderr.isatty():
            bar = tqdm(total=-(-n_samples // s.batch) * (s.epochs + more - run.epoch), unit="batch", leave=False)

    def counted(batches):
        for k in batches:
            yield k
            if bar:
                bar.update()

    with contextlib.closing(bar) if bar else contextlib.nullcontext():
        yield counted, bar


def megabytes(n):
    """Say a number of bytes in words."""
    return f"{n / 1e9:.1f} GB" if n >= 1e9 else f"{n / 1e6:.0f} MB" if n >= 1e6 else f"{n / 1e3:.0f} kB"
