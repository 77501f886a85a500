"""The verb compare: several methods on equal terms."""

import sys
import time
from pathlib import Path

import numpy as np

from .. import _files, learning, training
from ..evaluation import comparison
from ._common import add_data, add_training, count, emit, held_out, load_data, megabytes, options, progress, remembered, typed

EPOCHS = 5      # of each run, if nothing else is said


def add(verb):
    """Add the verb; `verb(name, function, help, *examples)` makes its parser."""
    sub = verb("compare", compare, "Compare several methods on one model, with equal data, time steps, readout and epochs.",
               "compare                                          # all methods, a small dense network, the shipped sample",
               "compare --methods proxy surrogate ann --steps 4 8 --seeds 5 --out runs/compare      # again: goes on where it was",
               "compare --data fashion-mnist --model fashion-proxy:32 --epochs 10 --no-test         # while choosing options",
               "compare --set lr=0.002 --set surrogate.threshold=0.5")
    add_data(sub, "fashion-sample")
    sub.add_argument("--model", help="a text such as 784-200-10 (default: one hidden layer of 200)")
    sub.add_argument("--methods", nargs="+", default=list(comparison.METHODS), metavar="METHOD",
                     help=f"some of {', '.join(comparison.METHODS)} (default: all); ann is the ReLU network, the baseline")
    sub.add_argument("--steps", type=count, nargs="+", default=[2, 4, 8], metavar="T",
                     help="time steps (default 2 4 8); proxy, tandem and surrogate train anew for each")
    add_training(sub, "a setting of every method that has it, or METHOD.NAME=VALUE of one", f" (default {EPOCHS})")
    sub.add_argument("--seeds", type=count, default=3, metavar="N", help="runs that differ in the seed alone: --seed and up (default 3)")
    sub.add_argument("--no-test", action="store_true", help="measure accuracy on the validation samples")
    sub.add_argument("--out", metavar="FOLDER", help="for checkpoints, results and the figure (default runs/compare-DATA)")
    sub.add_argument("--quiet", action="store_true", help="the table alone")


def compare(args):
    """Train the runs that are missing, evaluate all, draw."""
    data = load_data(args)
    if data.regression:
        raise ValueError(f"--data: expected labels, which all methods take, got targets of regression in {data.name}")
    remember = remembered(args, data)
    args.data = remember["name"]
    folder = Path(args.out or f"runs/compare-{data.name if 'sha256' in remember else args.data}".replace(".py:", "."))
    jobs = _jobs(args, data)
    train, validation = held_out(args, data, remember)
    if args.no_test and validation is None:
        raise ValueError("--no-test: expected validation samples, got none; give --val N")
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"--out: expected a folder, got the file {folder}")
    folder.mkdir(parents=True, exist_ok=True)
    with _files.locked(folder):
        return _compare(args, data, (folder, remember), jobs, (train, validation))


def _compare(args, data, place, jobs, parts):
    """Train and evaluate the runs, with the folder locked."""
    (train, validation), (folder, remember) = parts, place
    runs = [comparison.begin(job, folder, remember) for job in jobs]      # all first, to refuse runs of another comparison
    results, began = [], time.perf_counter()
    print(f"{len(jobs)} runs on {args.data}, {jobs[0].settings.model}, {jobs[0].settings.epochs} epochs each; checkpoints in {folder}")
    try:
        for k, (job, run) in enumerate(zip(jobs, runs, strict=True), 1):
            missing = job.settings.epochs - run.epoch
            _train(job, run, train, validation, folder, args.quiet)
            runs[k - 1] = None
            samples, on = (validation, "validation") if args.no_test else (data.test, "test")
            result = comparison.evaluate(job, run, folder, samples, on)
            results.append(result)
            if not args.quiet:
                scores = "  ".join(f"T={r['n_steps']}: " * bool(r["n_steps"]) + f"{r['accuracy']:.2%}" for r in result["rows"])
                how = f"{result['train_seconds']:.1f} s" if missing else "was there"
                print(f"{k:3d}/{len(jobs)} {job.name:<24} {scores}  ({how})", flush=True)
    except KeyboardInterrupt:
        print(f"\n{folder} holds every finished epoch; the same command continues from there", file=sys.stderr)
        raise
    rows = comparison.table(results)
    drawn, words = _draw(rows, folder, 1 / len(data.classes))
    emit(args, {"data": args.data, "model": str(jobs[0].settings.model), "on": on, "n": len(samples[1]), "table": rows, "figure": drawn,
                "runs": [{"name": job.name, **result} for job, result in zip(jobs, results, strict=True)],
                "versions": training.versions()})
    _print_table(rows, on)
    print(f"{time.perf_counter() - began:.1f} s; {words}")


def _jobs(args, data):
    """Plan the runs, and print the largest memory that one of them will need."""
    shape, n_classes = data.x_train.shape[1:], len(data.classes)
    chosen = options(args, "model", "epochs", "batch", "lr", "backend")

    def flag(name):
        method, _, name = name.rpartition(".")
        rules = [learning.get(m) for m in args.methods if m == (method or m) and (m in learning.METHODS or ".py:" in m)]
        return any(isinstance(getattr(rule.Settings, name, None), bool) for rule in rules)

    if args.seeds < 1:
        raise ValueError(f"--seeds: expected at least 1, got {args.seeds}")
    chosen |= typed(args.set, flag, chosen)
    chosen = {"model": f"{int(np.prod(shape))}-200-{n_classes}", "epochs": EPOCHS} | chosen
    jobs = comparison.plan(args.data, args.methods, args.steps, range(args.seed, args.seed + args.seeds), chosen)
    for job in jobs:
        training.check_fit(job.settings.model, data, job.settings.own_encoding, job.settings.time_axis)
    needs = [(rule.bytes_needed(job.settings), job.method) for job in jobs if (rule := learning.get(job.method)).bytes_needed]
    if needs:
        print(f"{max(needs)[1]}: a batch takes up to {megabytes(max(needs)[0])} of memory")
    return jobs


def _train(job, run, train, validation, folder, quiet):
    """Train a job to its end, with a checkpoint after each epoch."""
    with progress(run, len(train[0]), quiet) as (counted, _):
        for _ in training.epochs(run, train, validation, counted):
            training.save(run, folder / f"{job.name}.npz")


def _print_table(rows, on):
    """Print the table."""
    width = max(12, *(len(r["method"]) + 1 for r in rows))
    print(f"\n{'method':<{width}}{'T':>4}{'seeds':>6}  {on + ' accuracy, 95 % interval':<29}{'std':>7}{'strict':>9}{'by V':>9}"
          f"{'spikes':>9}{'additions':>11}{'mult.-adds':>12}{'s a run':>9}")
    for r in rows:
        interval = "" if r["ci95"] is None else f" ± {100 * r['ci95']:.2f}"
        std = "-" if r["std"] is None else f"{100 * r['std']:.2f}"
        by_v = "-" if r["by_potential"] is None else f"{r['by_potential']:.2%}"
        spikes, additions = (("-" if r[k] is None else f"{r[k]:,.0f}") for k in ("spikes", "additions"))
        mean = f"{r['accuracy']:.2%}{interval}"
        print(f"{r['method']:<{width}}{r['n_steps'] or '-':>4}{r['n_seeds']:>6}  {mean:<29}{std:>7}{r['strict']:>9.2%}"
              f"{by_v:>9}{spikes:>9}{additions:>11}{r['multiply_adds']:>12,.0f}{r['seconds']:>9.1f}")
    print("a sample: spikes of all layers; additions of weights by spikes (behind max pooling: at most); multiply-adds, of spiking\n"
          "networks those of the first layer, once. by V: ties broken by the outputs' potential.\n"
          "95 % interval of the mean over seeds, by Student's t.")


def _draw(rows, folder, chance):
    """Draw accuracy against steps, if there are curves and matplotlib; return the file, or None, and words."""
    curves, upper = comparison.curves(rows)
    if not curves:
        return None, "no figure: no method with time steps"
    try:
        from .. import plots
    except ImportError:
        return None, "no figure: matplotlib is not installed"
    figure = plots.accuracy_steps(curves, upper, chance=chance if chance > 0.3 else None)      # a lower line would squeeze the curves
    path = str(plots.save(figure, folder / "accuracy.png"))
    return path, f"figure: {path}"
