"""Five ways to train one network for few time steps, on equal terms: proxy, tandem, surrogate, conversion, and ReLU without spikes.

What `pysnn compare` does, on a small scale and with every part in sight.

Run: python examples/06_compare.py [folder]          (some 10 s; a second run finds the first one's checkpoints, if folder is given)
"""

import sys
import tempfile
from pathlib import Path

from pysnn import comparison, datasets, training


def main(folder=None, steps=(2, 8), n_seeds=2, epochs=4, n_train=None):
    data = datasets.load("fashion-sample")
    (x, y), validation = datasets.held_out(data)
    train = x[:n_train], y[:n_train]

    # Equal for all: model, data, steps, readout (spike counts), epochs, batches, learning rate. Each method keeps its own loss.
    shared = {"model": "784-100-10", "epochs": epochs, "batch": 50, "lr": 2e-3}
    jobs = comparison.plan("fashion-sample", comparison.METHODS, steps, range(n_seeds), shared)

    results = []
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(folder or scratch)
        place.mkdir(parents=True, exist_ok=True)
        for job in jobs:
            run = comparison.begin(job, place, {"name": "fashion-sample", "n_train": n_train})
            for _ in training.epochs(run, train, validation):
                training.save(run, place / f"{job.name}.npz")
            results.append(comparison.judge(job, run, place, (data.x_test, data.y_test), "test"))
            print(f"{job.name:<20}", "  ".join(f"T={row['n_steps'] or '-'}: {row['accuracy']:.2%}" for row in results[-1]["rows"]))

    rows = comparison.table(results)
    print(f"\n{'method':<12}{'T':>5}{'accuracy':>12}{'std':>8}{'spikes an image':>18}{'additions':>12}")
    for r in rows:
        std = "-" if r["std"] is None else f"{r['std']:.2%}"
        spikes, additions = ("-" if r[k] is None else f"{r[k]:,.0f}" for k in ("spikes", "additions"))
        print(f"{r['method']:<12}{r['n_steps'] or '-':>5}{r['accuracy']:>12.2%}{std:>8}{spikes:>18}{additions:>12}")

    accuracy = {(r["method"], r["n_steps"]): r["accuracy"] for r in rows}
    few, many = min(steps), max(steps)
    assert accuracy["ann", None] > accuracy["conversion", few]             # rounding to few counts costs, if training knew nothing of it
    assert accuracy["conversion", many] > accuracy["conversion", few]
    assert accuracy["proxy", few] > accuracy["conversion", few]            # proxy learning has seen those counts
    try:
        from pysnn import plots
    except ImportError:
        return accuracy
    print(plots.save(plots.accuracy_steps(*comparison.curves(rows)), "figures/06-compare.png"))
    return accuracy


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
