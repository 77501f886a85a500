"""The verb compare: several methods on equal terms."""

import contextlib
import sys
import time
from pathlib import Path

import numpy as np

from .. import datasets, training
from ..evaluation import comparison
from ._common import bar, emit, megabytes, options, typed

EPOCHS = 5      # of each run, if nothing else is said


def compare(args):
    """Train what is not there yet, judge all, draw."""
    data = datasets.load(args.data, args.folder)
    folder = Path(args.out or f"runs/compare-{args.data}")
    jobs = _jobs(args, data)
    train, validation = datasets.held_out(data, args.val)
    if args.no_test and validation is None:
        raise ValueError("--no-test: expected validation samples to judge by, got none; give --val N")
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"--out: expected a folder, got the file {folder}")
    folder.mkdir(parents=True, exist_ok=True)
    remember = {"name": args.data, "n_val": args.val, "split_seed": 0}
    runs = [comparison.begin(job, folder, remember) for job in jobs]      # all, so that one of another comparison is refused first
    results, began = [], time.perf_counter()
    print(f"{len(jobs)} runs on {args.data}, {jobs[0].settings.model}, {jobs[0].settings.epochs} epochs each; checkpoints in {folder}")
    try:
        for k, (job, run) in enumerate(zip(jobs, runs, strict=True), 1):
            missing = job.settings.epochs - run.epoch
            _train(job, run, train, validation, folder, args.quiet)
            runs[k - 1] = None
            samples, on = (validation, "validation") if args.no_test else ((data.x_test, data.y_test), "test")
            result = comparison.judge(job, run, folder, samples, on)
            results.append(result)
            if not args.quiet:
                said = "  ".join(f"T={r['n_steps']}: " * bool(r["n_steps"]) + f"{r['accuracy']:.2%}" for r in result["rows"])
                how = f"{result['train_seconds']:.1f} s" if missing else "was there"
                print(f"{k:3d}/{len(jobs)} {job.name:<24} {said}  ({how})", flush=True)
    except KeyboardInterrupt:
        print(f"\n{folder} holds every finished epoch; the same command goes on from there", file=sys.stderr)
        raise
    rows = comparison.table(results)
    _say(rows, on)
    drawn, said = _draw(rows, folder, 1 / len(data.classes))
    print(f"{time.perf_counter() - began:.1f} s; {said}")
    emit(args, {"data": args.data, "model": jobs[0].settings.model, "on": on, "n": len(samples[1]), "table": rows, "figure": drawn,
                "runs": [{"name": job.name, **result} for job, result in zip(jobs, results, strict=True)],
                "versions": training.versions()})


def _jobs(args, data):
    """Plan the runs that were asked for, and say what the hungriest will need."""
    shape, n_classes = data.x_train.shape[1:], len(data.classes)
    chosen = options(args, "model", "epochs", "batch", "lr", "backend")

    def flag(name):
        method, _, name = name.rpartition(".")
        rules = [training.METHODS[m] for m in comparison.METHODS if m in args.methods and m == (method or m)]
        return any(isinstance(getattr(rule.Settings, name, None), bool) for rule in rules)

    if args.seeds < 1:
        raise ValueError(f"--seeds: expected at least 1, got {args.seeds}")
    chosen |= typed(args.set, flag, chosen)
    chosen = {"model": f"{int(np.prod(shape))}-200-{n_classes}", "epochs": EPOCHS} | chosen
    jobs = comparison.plan(args.data, args.methods, args.steps, range(args.seed, args.seed + args.seeds), chosen)
    for job in jobs:
        training.check_fit(job.settings.model, data)
    if hungry := [training.METHODS[job.method].bytes_needed(job.settings) for job in jobs if job.method == "surrogate"]:
        print(f"surrogate: a batch keeps up to {megabytes(max(hungry))} for its way back")
    return jobs


def _train(job, run, train, validation, folder, quiet):
    """Train a job to its end, with a checkpoint after each epoch."""
    shown = bar(-(-len(train[0]) // job.settings.batch) * (job.settings.epochs - run.epoch), quiet)

    def ticks(batches):
        for k in batches:
            yield k
            if shown:
                shown.update()

    with contextlib.closing(shown) if shown else contextlib.nullcontext():
        for _ in training.epochs(run, train, validation, ticks):
            training.save(run, folder / f"{job.name}.npz")


def _say(rows, on):
    """Print the table."""
    print(f"\n{'method':<12}{'T':>4}{'seeds':>6}  {on + ' accuracy, 95 % interval':<29}{'std':>7}{'strict':>9}{'by V':>9}"
          f"{'spikes':>9}{'additions':>11}{'mult.-adds':>12}{'s a run':>9}")
    for r in rows:
        interval = "" if r["ci95"] is None else f" ± {100 * r['ci95']:.2f}"
        std = "-" if r["std"] is None else f"{100 * r['std']:.2f}"
        by_v = "-" if r["by_potential"] is None else f"{r['by_potential']:.2%}"
        spikes, additions = (("-" if r[k] is None else f"{r[k]:,.0f}") for k in ("spikes", "additions"))
        mean = f"{r['accuracy']:.2%}{interval}"
        print(f"{r['method']:<12}{r['n_steps'] or '-':>4}{r['n_seeds']:>6}  {mean:<29}{std:>7}{r['strict']:>9.2%}"
              f"{by_v:>9}{spikes:>9}{additions:>11}{r['multiply_adds']:>12,.0f}{r['seconds']:>9.1f}")
    print("a sample: spikes of all layers; additions of weights by spikes (behind max pooling: at most); multiply-adds, of spiking\n"
          "networks those of the first layer, once. by V: ties broken by the outputs' potential.\n"
          "95 % interval of the mean over seeds, by Student's t.")


def _draw(rows, folder, chance):
    """Draw accuracy against steps, if there is something to draw and to draw with; return the file, or None, and words."""
    curves, upper = comparison.curves(rows)
    if not curves:
        return None, "no figure: no method with time steps"
    try:
        from .. import plots
    except ImportError:
        return None, "no figure: matplotlib is not installed"
    figure = plots.accuracy_steps(curves, upper, chance=chance if chance > 0.3 else None)      # else it would squeeze the curves
    path = str(plots.save(figure, folder / "accuracy.png"))
    return path, f"figure: {path}"
