"""What the verbs of the command line share: results as JSON, settings as typed, a checkpoint with its data."""

import argparse
import contextlib
import json
import shutil
import sys
from pathlib import Path

from .. import _files, datasets, training
from ..operations import BACKENDS


def count(text):
    """Read a whole number that is not negative."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number, got {text!r}")
    return int(text)


def one_of(names):
    """Return what reads one of some names, or FILE.py:NAME of the user's own."""
    def read(text):
        if text not in names and ".py:" not in text:
            raise argparse.ArgumentTypeError(f"invalid choice: {text!r} (choose from {', '.join(names)}, or FILE.py:NAME)")
        return text
    return read


def add_data(sub, default=None):
    """Add the options that choose the data; without a default the checkpoint names them."""
    sub.add_argument("--data", default=default, type=one_of(datasets.NAMES), metavar="NAME",
                     help=(f"data set (default {default})" if default else "data set (default: the one it was trained on)")
                     + f": {', '.join(datasets.NAMES)}, or FILE.py:NAME of your own")
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


def trained(args):
    """Load the checkpoint and the data that a verb is about."""
    run = training.load(args.checkpoint, args.files)
    name = args.data or run.data.get("name")
    if name is None:
        raise ValueError(f"{args.checkpoint}: does not say which data it was trained on: expected --data NAME")
    if not args.data and (file := name.rpartition(":")[0]).endswith(".py") and not _files.loaded(file):
        raise ValueError(f"{args.checkpoint}: was trained on data of {file}, which holds code: expected --with {file}")
    try:
        data = datasets.load(name, args.folder)
    except datasets.DataError:
        if name != "fashion-mnist" or args.data or args.folder:
            raise
        print("Fashion-MNIST is not here (pysnn data fetch fashion-mnist): taking the sample that ships with pysnn", file=sys.stderr)
        data = datasets.load("fashion-sample")
    training.check_fit(run.nets.settings.model, data, run.nets.settings.own_encoding, run.nets.settings.time_axis)
    return run, data


@contextlib.contextmanager
def progress(run, n_samples, quiet):
    """Lend a function that counts the batches of a run, and a tqdm bar, which is None where it is not wanted or not installed."""
    bar, s = None, run.nets.settings
    with contextlib.suppress(ImportError):
        from tqdm import tqdm
        if not quiet and sys.stderr.isatty():
            bar = tqdm(total=-(-n_samples // s.batch) * (s.epochs - run.epoch), unit="batch", leave=False)

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
