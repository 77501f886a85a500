"""The verb train: train a network by any method, with progress and checkpoints."""

import contextlib
import os
import sys
import time
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

import numpy as np

from .. import _files, checkpoint, datasets, learning, metrics, training
from ..learning.settings import fitted
from ..scale import mpi
from ._common import (
    add_data,
    add_training,
    count,
    emit,
    held_out,
    in_words,
    load_data,
    megabytes,
    one_of,
    options,
    progress,
    remembered,
    typed,
)

SPIKING = [name for name, rule in learning.METHODS.items() if "n_steps" in rule.Settings.__dataclass_fields__]


def add(verb):
    """Add the verb; `verb(name, function, help, *examples)` makes its parser."""
    sub = verb("train", train, "Train a network; shows progress, writes a checkpoint after every epoch.",
               "train temporal                                   # the shipped sample of Fashion-MNIST, under a minute",
               "train temporal --data mnist --epochs 40 --out runs/mnist.npz",
               "train temporal --data mnist --out runs/mnist.npz --resume      # after a kill: the same bits as without one",
               "train temporal --data mnist --preset authors --set lr=0.02 --set weight_sum=50",
               "train temporal --data yin-yang --no-test         # while choosing options",
               "train proxy                                      # spike counts, trained through a ReLU network with the same weights",
               "train proxy --data fashion-mnist --model fashion-proxy:32 --steps 15 --out runs/proxy.npz",
               "train surrogate --model 784-200-10 --steps 8 --set slope=4 --set reset=zero",
               "train surrogate --data mnist1d                   # leaky neurons on sequences",
               "train temporal --data my.csv --target label      # a table of your own",
               "train proxy --data photos/                       # images of your own, in a folder for each class",
               "train surrogate --data my.csv --target y         # regression: y are numbers (whole ones: --regression)",
               "train surrogate --data GunPoint_TRAIN.ts         # time series of your own, with GunPoint_TEST.ts beside it",
               "train temporal --data my.csv --target label --set patience=5         # until validation gets no better",
               "train proxy --data my.npz --weights fashion-proxy --set freeze=1     # fine-tuning: layer 1 stays as it is",
               "train my.py:rule --model my.py:model --data my.py:data --set loss=my.py:loss      # all of your own")
    sub.add_argument("method", type=one_of(learning.METHODS), metavar="METHOD",
                     help=f"learning rule: {', '.join(learning.METHODS)}, or FILE.py:NAME of your own")
    add_data(sub, "fashion-sample")
    add_settings(sub)
    sub.add_argument("--no-test", action="store_true", help="do not use the test set")
    sub.add_argument("--out", metavar="FILE", help="checkpoint to write (default runs/METHOD-DATA.npz); an older one is kept as "
                     ".previous.npz")
    sub.add_argument("--resume", action="store_true", help="continue from the checkpoint --out, if there is one")
    sub.add_argument("--more", type=count, default=0, metavar="N",
                     help="with --resume: epochs beyond the end, at the last learning rate; the same command goes on after a kill")
    sub.add_argument("--weights", metavar="FILE", help="begin at the weights of this checkpoint or shipped network, with its settings; for "
                     "other classes the last layer is drawn anew")
    sub.add_argument("--quiet", action="store_true", help="no progress, no table")


def add_settings(sub):
    """Add the options that choose settings."""
    sub.add_argument("--preset", default="ours", metavar="NAME",
                     help="settings to start from (default ours; authors, those of the papers, for " + ", ".join(
                         m for m, rule in learning.METHODS.items() if "authors" in rule.presets) + ")")
    sub.add_argument("--model", help="layer sizes, such as 784-400-400-10; for all methods but temporal also 28x28x1-16C3-P2-100-10 or "
                     "fashion-proxy:32; or FILE.py:NAME of your own")
    sub.add_argument("--steps", type=count, metavar="T",
                     help="time steps a sample, of the methods that spike over time steps; sequences bring their own")
    add_training(sub, "any other setting; see `pysnn info --settings METHOD`")


def settings(args, data):
    """Put the settings together: preset, data set, and what the user chose; see `Method.settings_for`."""
    rule, chosen = learning.get(args.method), chosen_settings(args)
    if args.weights:
        return _as_before(args, data, rule, chosen)
    return rule.settings_for(args.data if args.data in datasets.NAMES else data, args.preset, **chosen)


def chosen_settings(args):
    """Collect what the user chose; {name: value}."""
    rule = learning.get(args.method)
    chosen = options(args, "model", "epochs", "batch", "lr", "backend")
    if args.steps is not None:
        if "n_steps" not in rule.Settings.__dataclass_fields__:
            raise ValueError(f"--steps: expected a method that counts spikes over time steps ({', '.join(SPIKING)}), got {args.method}")
        chosen["n_steps"] = args.steps
    return chosen | typed(args.set, lambda name: isinstance(getattr(rule.Settings, name, None), bool), chosen)


def _as_before(args, data, rule, chosen):
    """Take the settings of the checkpoint whose weights are the beginning, with a model for these classes."""
    before = training.load(args.weights)
    if before.rule.name != rule.name or args.preset != "ours":
        raise ValueError(f"--weights: expected no preset, and the method of {args.weights}, {before.rule.name}, got {rule.name}")
    known = {"model": before.nets.settings.model.with_outputs(len(data.classes)), "class_weight": fitted(data)["class_weight"]}
    return replace(before.nets.settings, **{**known, **chosen})


def train(args):
    """Run the verb, in one process or in those that mpirun has started, of which the first alone prints and writes."""
    with mpi.team(args.threads) as team:
        try:
            if team.rank == 0:
                sys.stdout.reconfigure(line_buffering=True) if team.size > 1 else None
                return _begin(args, team)
            with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
                args.quiet, args.json = True, None
                return _begin(args, team)
        except mpi.SharedError:
            if team.rank == 0:
                raise
            return args.on_error


def _begin(args, team):
    """Load the data, begin or resume a run, train, score on the test set."""
    data = load_data(args)
    chosen, remember = settings(args, data), remembered(args, data)
    args.method, args.data = _files.short(args.method), remember["name"]
    if args.more and not args.resume:
        raise ValueError("--more: expected --resume, too, for it goes on behind the end of a run")
    name = data.name if args.data.endswith(".ts") or "sha256" in remember else args.data
    out = Path(args.out or f"runs/{args.method}-{name}.npz".replace(".py:", "."))
    training.check_fit(chosen.model, data, chosen.own_encoding, chosen.time_axis)
    if team.size > 1 and not chosen.chunks:
        chosen = replace(chosen, chunks=max(4, team.size))
    with _files.locked(out) if team.rank == 0 else contextlib.nullcontext():
        return _train(args, data, (chosen, remember, team), out)


def _train(args, data, plan, out):
    """Train, with the file locked that is written; into a device or a pipe goes the last checkpoint alone."""
    chosen, remember, team = plan
    parts, kept = held_out(args, data, remember), not _files.special(out)
    if args.resume and out.is_file():
        run = _resumed(args, out, chosen, remember)
        parts = held_out(args, data, run.data)
        print(f"continuing after epoch {run.epoch} of {chosen.epochs}: {out}")
    else:
        if args.resume:
            print(f"no checkpoint {out}: beginning from scratch")
        run = training.start(args.method, chosen, args.seed, remember, args.weights)
        team.check(run)
        if kept:
            team.save(run, out, keep=True)
    rule, chosen = run.rule, run.nets.settings
    if team.size > 1:
        print(f"{team.size} processes share each batch, which is cut into {chosen.chunks} chunks "
              f"(--set chunks={chosen.chunks} gives the same bits with any number of processes)")
    if rule.bytes_needed:
        steps = f" over {chosen.n_steps} steps" if "n_steps" in rule.Settings.__dataclass_fields__ else ""
        print(f"a batch of {chosen.batch}{steps} takes {megabytes(rule.bytes_needed(chosen))} of memory")
    began = time.perf_counter()
    try:
        loop(run, parts, out if kept else None, args.quiet, {"team": team} | ({"more": args.more} if args.more else {}))
    except KeyboardInterrupt:
        print(f"\n{out} holds the last finished epoch; to continue, use the same command and --resume" if kept else
              f"\n{out} got nothing: only the end of a training is written there", file=sys.stderr)
        raise
    if not kept:
        team.save(run, out)
    if team.rank:
        return
    seconds = time.perf_counter() - began
    result = {"command": "pysnn " + " ".join(sys.argv[1:]), "checkpoint": str(out), "seed": run.seed, "data": run.data,
              "settings": run.nets.settings.plain(), "records": run.records, "seconds": seconds, "versions": training.versions()}
    last = run.records[-1] if run.records else {}
    if best := last.get("best_epoch", run.epoch) if run.epoch == training.ended(run) else 0:
        last = run.records[best - 1]
    if best != run.epoch and best:
        print(f"training ended after epoch {run.epoch}; these are the weights of epoch {best}")
    _print_last(last, data)
    if not args.no_test:
        test = rule.score(run.nets, *data.test)
        result["test"] = test._asdict()
        print(f"test {'score   ' if data.regression else 'accuracy'}       {in_words(test, data)}")
    print(f"{seconds:.1f} s; checkpoint: {out}")
    emit(args, result)


def _print_last(last, data):
    """Print what the last record holds and the table does not show."""
    if "val_accuracy" in last:
        score = metrics.Accuracy(last["val_accuracy"], last["val_strict"], last["val_inclusive"])
        print(f"validation accuracy {in_words(score, data)}")
    if "val_r2" in last:
        print(f"validation score    {in_words(metrics.Regression(last['val_r2'], last['val_rmse']), data)}")
    words = {"silent": "{:.1%} silent", "ceiling": "{:.1%} at the ceiling", "movable": "{:.1%} can move", "never": "{:.1%} never fire",
             "margin": "smallest margin {:+.2f}", "dead_gradient": "{:.1%} of gradients zero"}
    shares = [[text.format(share) for share in (last[name] if isinstance(last.get(name), list) else ())] for name, text in words.items()]
    if any(shares):
        print("dead neurons: " + "; ".join(f"layer {k + 1}: {', '.join(text for text in layer if text)}"
                                           for k, layer in enumerate(zip_longest(*shares))))
    if "rates" in last:
        print("spikes a neuron and step: " + "; ".join(f"layer {k + 1}: {rate:.3f}" for k, rate in enumerate(last["rates"])))
    if "agreement" in last:
        print(f"the ReLU network with the same weights makes the same decision in {last['agreement']:.2%}")
        print("correlation of its activations with the rates: "
              + "; ".join(f"layer {k + 1}: {c:.3f}" for k, c in enumerate(last["correlation"])))
    if "distance" in last:
        print(f"on the same samples it is right for {last['relu_accuracy']:.2%}, {100 * last['distance']:+.2f} points")
    if "warning" in last:
        print(f"warning: {last['warning']}")


def _resumed(args, out, chosen, remember):
    """Load the run to continue; refuse it if this command differs from the one that began it."""
    run = training.load(out)
    if run.rng is None:
        raise ValueError(f"{out}: holds weights only and cannot be resumed")
    with checkpoint.Stored(out) as stored:
        then, now = stored.header["versions"], training.versions()
    if changed := [f"{name} {then.get(name)} then, {now[name]} now" for name in ("pysnn", "numpy") if then.get(name) != now[name]]:
        print(f"note: other versions may give other bits ({'; '.join(changed)})")
    if not any(pair.startswith("chunks=") for pair in args.set):           # how many processes there are now does not matter
        chosen = replace(chosen, chunks=run.nets.settings.chunks)
    n_val, own = run.data.get("n_val"), [name for name in ("target", "test", "sha256", "classes") if name in remember]
    there = {"method": run.method, "data": run.data.get("name"), "seed": run.seed, "val": n_val,
             **{name: run.data.get(name) for name in own}, **run.nets.settings.plain()}
    here = {"method": args.method, "data": args.data, "seed": args.seed, "val": n_val if args.val is None and not own else args.val,
            **{name: remember[name] for name in own}, **chosen.plain()}
    if run.method != args.method:
        raise ValueError(f"{out}: differs from this command (method {run.method} there, {args.method} here); "
                         "use the same options, or another --out")
    if differ := [f"{name} {there[name]} there, {here[name]} here" for name in here if there[name] != here[name]]:
        raise ValueError(f"{out}: differs from this command ({'; '.join(differ)}); use the same options, or another --out")
    return run


def _columns(family, spikes):
    """Return the head of the table of epochs, and the function that turns a record into a row."""
    silent_ceiling = " % silent/at ceiling/can move"
    first = f"{'epoch':>5} {'loss':>8} {'train':>7} {'valid.':>7} "

    def begin(r):
        shown = [f"{r[name]:7.2%}" if name in r else f"{r[score]:7.4f}" if score in r else "      -"
                 for name, score in (("train_accuracy", "train_r2"), ("val_accuracy", "val_r2"))]
        return f"{r['epoch']:5d} {r['loss']:8.4f} {' '.join(shown)} "

    def shares(r):
        each = zip_longest(*(r.get(name, ()) for name in ("silent", "ceiling", "movable")), fillvalue=np.nan)
        return " " + " ".join("/".join("-" if share != share else f"{100 * share:.0f}" for share in layer) for layer in each)

    def temporal(r):
        silent = " ".join(f"{share:.1%}" for share in r.get("silent", ()))
        margin, dead = min(r.get("margin", ()), default=np.nan), max(r.get("dead_gradient", ()), default=np.nan)
        return begin(r) + f" {silent:<24} {margin:+7.2f} {dead:9.1%}"

    def rate(r):
        strict = f"{r['val_strict']:7.2%}" if "val_strict" in r else "      -"
        alike = f"{r['agreement']:8.1%}" if "agreement" in r else "       -"
        return begin(r) + f"{strict} {alike} {shares(r):<30} {' '.join(f'{x:.3f}' for x in r.get('rates', ()))}"

    if family == "temporal":
        return first + f" {'silent share by layer':<24} {'margin':>7} {'zero grad':>9}", temporal
    if family != "rate" or not spikes:
        return first + silent_ceiling, lambda r: begin(r) + shares(r)
    return first + f"{'strict':>7} {'as ReLU':>8} {silent_ceiling:<30} spikes a neuron and step by layer", rate


def loop(run, parts, out, quiet, how):
    """Train epoch by epoch; after each write the checkpoint, if `out` is not None, and print a row (about 40 rows in all).

    how holds the team of processes, and `more` where there are more epochs than the settings say.
    """
    s, (training_data, validation), more = run.nets.settings, parts, how.get("more", 0)
    every = max(1, s.epochs // 40)
    head, row = _columns(run.rule.family, run.spikes)
    with progress(run, len(training_data[0]), quiet, more) as (counted, bar):
        show = (lambda text: None) if quiet else (bar.write if bar else print)
        if run.epoch < training.ended(run) + more:
            show(head)
        for r in training.epochs(run, training_data, validation, counted, **how):
            if out is not None:
                how["team"].save(run, out)
            if r["epoch"] % every == 0 or r["epoch"] in (1, s.epochs):
                show(row(r))
            if "warning" in r and not any("warning" in earlier for earlier in run.records[:-1]):
                show(f"warning: {r['warning']}")
