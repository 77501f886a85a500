"""The verb train: train a network by any method, with progress and checkpoints."""

import sys
import time
from itertools import zip_longest
from pathlib import Path

import numpy as np

from .. import _files, checkpoint, datasets, learning, training
from ._common import add_data, add_training, count, emit, megabytes, one_of, options, progress, typed

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
               "train my.py:rule --model my.py:model --data my.py:data --set loss=my.py:loss      # all of your own")
    sub.add_argument("method", type=one_of(learning.METHODS), metavar="METHOD",
                     help=f"learning rule: {', '.join(learning.METHODS)}, or FILE.py:NAME of your own")
    add_data(sub, "fashion-sample")
    sub.add_argument("--preset", default="ours", metavar="NAME",
                     help="settings to start from (default ours; authors, those of the papers, for " + ", ".join(
                         m for m, rule in learning.METHODS.items() if "authors" in rule.presets) + ")")
    sub.add_argument("--model", help="layer sizes, such as 784-400-400-10; for all methods but temporal also 28x28x1-16C3-P2-100-10 or "
                     "fashion-proxy:32; or FILE.py:NAME of your own")
    sub.add_argument("--steps", type=count, metavar="T", help="time steps a sample, of the methods that count spikes")
    add_training(sub, "any other setting; see `pysnn info --settings METHOD`")
    sub.add_argument("--no-test", action="store_true", help="do not use the test set")
    sub.add_argument("--out", metavar="FILE", help="checkpoint to write (default runs/METHOD-DATA.npz); an older one is kept as "
                     ".previous.npz")
    sub.add_argument("--resume", action="store_true", help="continue from the checkpoint --out, if there is one")
    sub.add_argument("--quiet", action="store_true", help="no progress, no table")


def settings(args):
    """Put the settings together: preset, data set, and what the user chose; see `Method.settings_for`."""
    rule = learning.get(args.method)
    chosen = options(args, "model", "epochs", "batch", "lr", "backend")
    if args.steps is not None:
        if "n_steps" not in rule.Settings.__dataclass_fields__:
            raise ValueError(f"--steps: expected a method that counts spikes over time steps ({', '.join(SPIKING)}), got {args.method}")
        chosen["n_steps"] = args.steps
    chosen |= typed(args.set, lambda name: isinstance(getattr(rule.Settings, name, None), bool), chosen)
    return rule.settings_for(args.data, args.preset, **chosen)


def train(args):
    """Run the verb: load the data, begin or resume a run, train, score on the test set."""
    data, chosen = datasets.load(args.data, args.folder), settings(args)
    args.method, args.data = _files.short(args.method), _files.short(args.data)
    out = Path(args.out or f"runs/{args.method}-{args.data}.npz".replace(".py:", "."))
    training.check_fit(chosen.model, data, chosen.own_encoding, chosen.time_axis)
    with _files.locked(out):
        return _train(args, data, chosen, out)


def _train(args, data, chosen, out):
    """Train, with the file locked that is written; into a device or a pipe goes the last checkpoint alone."""
    parts, kept = datasets.held_out(data, args.val), not _files.special(out)
    if args.resume and out.is_file():
        run = _resumed(args, out, chosen)
        parts = datasets.held_out(data, run.data.get("n_val"), run.data.get("split_seed", 0))
        print(f"continuing after epoch {run.epoch} of {chosen.epochs}: {out}")
    else:
        if args.resume:
            print(f"no checkpoint {out}: beginning from scratch")
        run = training.start(args.method, chosen, args.seed, {"name": args.data, "n_val": args.val, "split_seed": 0})
        if kept:
            training.save(run, out, keep=True)
    rule = run.rule
    if rule.bytes_needed:
        steps = f" over {chosen.n_steps} steps" if "n_steps" in rule.Settings.__dataclass_fields__ else ""
        print(f"a batch of {chosen.batch}{steps} takes {megabytes(rule.bytes_needed(chosen))} of memory")
    began = time.perf_counter()
    try:
        loop(run, *parts, out if kept else None, args.quiet)
    except KeyboardInterrupt:
        print(f"\n{out} holds the last finished epoch; to continue, use the same command and --resume" if kept else
              f"\n{out} got nothing: only the end of a training is written there", file=sys.stderr)
        raise
    if not kept:
        training.save(run, out)
    seconds = time.perf_counter() - began
    result = {"command": "pysnn " + " ".join(sys.argv[1:]), "checkpoint": str(out), "seed": run.seed, "data": run.data,
              "settings": run.nets.settings.plain(), "records": run.records, "seconds": seconds, "versions": training.versions()}
    _print_last(run.records[-1] if run.records else {})
    if not args.no_test:
        test = rule.score(run.nets, *data.test)
        result["test"] = test._asdict()
        print(f"test accuracy       {test.expected:.2%}  (strict {test.strict:.2%}, inclusive {test.inclusive:.2%})")
    print(f"{seconds:.1f} s; checkpoint: {out}")
    emit(args, result)


def _print_last(last):
    """Print what the last record holds and the table does not show."""
    if "val_accuracy" in last:
        print(f"validation accuracy {last['val_accuracy']:.2%}  (strict {last['val_strict']:.2%}, inclusive {last['val_inclusive']:.2%})")
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


def _resumed(args, out, chosen):
    """Load the run to continue; refuse it if this command differs from the one that began it."""
    run = training.load(out)
    if run.rng is None:
        raise ValueError(f"{out}: holds weights only and cannot be resumed")
    with checkpoint.Stored(out) as stored:
        then, now = stored.header["versions"], training.versions()
    if changed := [f"{name} {then.get(name)} then, {now[name]} now" for name in ("pysnn", "numpy") if then.get(name) != now[name]]:
        print(f"note: other versions may give other bits ({'; '.join(changed)})")
    n_val = run.data.get("n_val")
    there = {"method": run.method, "data": run.data.get("name"), "seed": run.seed, "val": n_val, **run.nets.settings.plain()}
    here = {"method": args.method, "data": args.data, "seed": args.seed, "val": n_val if args.val is None else args.val, **chosen.plain()}
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
        valid = f"{r['val_accuracy']:7.2%}" if "val_accuracy" in r else "      -"
        return f"{r['epoch']:5d} {r['loss']:8.4f} {r['train_accuracy']:7.2%} {valid} "

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


def loop(run, training_data, validation, out, quiet):
    """Train epoch by epoch; after each write the checkpoint, if `out` is not None, and print a row (about 40 rows in all)."""
    s = run.nets.settings
    every = max(1, s.epochs // 40)
    head, row = _columns(run.rule.family, run.spikes)
    with progress(run, len(training_data[0]), quiet) as (counted, bar):
        show = (lambda text: None) if quiet else (bar.write if bar else print)
        if run.epoch < s.epochs:
            show(head)
        for r in training.epochs(run, training_data, validation, counted):
            if out is not None:
                training.save(run, out)
            if r["epoch"] % every == 0 or r["epoch"] in (1, s.epochs):
                show(row(r))
            if "warning" in r and not any("warning" in earlier for earlier in run.records[:-1]):
                show(f"warning: {r['warning']}")
