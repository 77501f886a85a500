"""
Five methods on equal terms
===========================

Five ways to train one network for few time steps: proxy, tandem, surrogate, conversion, and ReLU without spikes. What
``pysnn compare`` does, on a small scale and with every part in sight.

Run: python examples/06_compare.py [folder]          (some 10 s; a second run finds the first one's checkpoints, if folder is given)
"""

import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from pysnn import datasets, training
from pysnn.evaluation import comparison

# %%
# The same for all
# ----------------
# Model, data, steps, readout (spike counts), epochs, batches and learning rate are the same for all. Each method has its own loss.
# Conversion trains its ReLU network once for all numbers of steps, and ``ann`` has no steps, so there are fewer jobs than methods
# times steps.
data = datasets.load("fashion-sample")


def train_all(folder, steps, n_seeds, epochs, n_train):
    """Train and evaluate every job; return the results."""
    (x, y), validation = datasets.held_out(data)
    shared = {"model": "784-100-10", "epochs": epochs, "batch": 50, "lr": 2e-3}
    results = []
    for job in comparison.plan("fashion-sample", comparison.METHODS, steps, range(n_seeds), shared):
        run = comparison.begin(job, folder, {"name": "fashion-sample", "n_train": n_train})
        for _ in training.epochs(run, (x[:n_train], y[:n_train]), validation):
            training.save(run, folder / f"{job.name}.npz")
        results.append(comparison.evaluate(job, run, folder, (data.x_test, data.y_test), "test"))
        print(f"{job.name:<20}", "  ".join(f"T={row['n_steps'] or '-'}: {row['accuracy']:.2%}" for row in results[-1]["rows"]))
    return results


# %%
# The table
# ---------
# Accuracy is a mean over seeds with its standard deviation; spikes and additions are the cost of one image. Three results are
# expected: conversion loses accuracy with few steps, because its training does not take the rounding to few counts into account;
# more steps help; and proxy learning, which takes these counts into account, is better.


def show(rows):
    """Print the table."""
    print(f"\n{'method':<12}{'T':>5}{'accuracy':>12}{'std':>8}{'spikes an image':>18}{'additions':>12}")
    for r in rows:
        std = "-" if r["std"] is None else f"{r['std']:.2%}"
        spikes, additions = ("-" if r[k] is None else f"{r[k]:,.0f}" for k in ("spikes", "additions"))
        print(f"{r['method']:<12}{r['n_steps'] or '-':>5}{r['accuracy']:>12.2%}{std:>8}{spikes:>18}{additions:>12}")


def main(folder=None, steps=(2, 8), n_seeds=2, epochs=4, n_train=None):
    """Train, print, check, draw; return the accuracies."""
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(folder or scratch)
        place.mkdir(parents=True, exist_ok=True)
        rows = comparison.table(train_all(place, steps, n_seeds, epochs, n_train))
    show(rows)
    accuracy = {(r["method"], r["n_steps"]): r["accuracy"] for r in rows}
    few, many = min(steps), max(steps)
    assert accuracy["ann", None] > accuracy["conversion", few]
    assert accuracy["conversion", many] > accuracy["conversion", few]
    assert accuracy["proxy", few] > accuracy["conversion", few]
    if find_spec("matplotlib"):
        from pysnn import plots
        print(plots.save(plots.accuracy_steps(*comparison.curves(rows)), "figures/06-compare.png"))
    return accuracy


# %%
# All together
# ------------
if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
