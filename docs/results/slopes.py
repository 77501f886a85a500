"""Train leaky networks on generated sequences with surrogates of several kinds and slopes: how flat is the accuracy?

Run: python docs/results/slopes.py run        what is not there yet, in runs/slopes
     python docs/results/slopes.py record     slopes.json, of the runs that are there

F. Zenke and T. P. Vogels (2021) found it flat over a decade of slopes and alike for all kinds on their random manifolds, as long as the
reset is a constant in the gradient. Here: their manifolds and the sounds, the presets of `surrogate` on fewer samples, each reset once as
a constant (detached) and once not (attached). The accuracy is that on held-out training samples; the test sets are not touched.
"""

import itertools
import json
import sys

import numpy as np

from pysnn import _files, datasets, training
from pysnn.learning import surrogate

DATA = {"randman": 1000, "sound": 1000}                    # training samples
SLOPES, KINDS, SEEDS, N_VAL, EPOCHS = (1.0, 3.0, 10.0, 30.0, 100.0), ("fast_sigmoid", "sigmoid", "triangle", "atan"), range(1), 500, 8
ATTACHED = ("fast_sigmoid",)                               # the kinds that are trained with an attached reset, too


def runs():
    """List the runs: data, kind, slope, whether the reset is detached, seed."""
    for seed, data, kind, slope in itertools.product(SEEDS, DATA, KINDS, SLOPES):
        for detach in (True, False) if kind in ATTACHED else (True,):
            yield data, kind, slope, detach, seed


def train(data, kind, slope, detach, seed):
    """Train one network; return what the record keeps of it."""
    full = datasets.load(data)
    (x, y), validation = datasets.held_out(full, N_VAL)
    own = {"surrogate": kind, "slope": slope, "detach_reset": detach, "epochs": EPOCHS, "batch": 50, "lr": 2e-3}
    run = training.start("surrogate", surrogate.settings_for(data, **own), seed, {"name": data})
    last = list(training.epochs(run, (x[:DATA[data]], y[:DATA[data]]), validation))[-1]
    return {"data": data, "kind": kind, "slope": slope, "detach_reset": detach, "seed": seed, "epochs": EPOCHS,
            "validation": last["val_accuracy"], "train": last["train_accuracy"], "loss": last["loss"], "rates": last.get("rates")}


def table(results):
    """Return the mean accuracy over the seeds: (data, kind, detached) -> {slope: accuracy}."""
    rows = {}
    for r in results:
        rows.setdefault((r["data"], r["kind"], r["detach_reset"]), {}).setdefault(r["slope"], []).append(r["validation"])
    return {key: {slope: float(np.mean(values)) for slope, values in sorted(row.items())} for key, row in rows.items()}


def main(what):
    """Make the runs or the record."""
    import record
    folder, results = record.RUNS / "slopes", []
    folder.mkdir(parents=True, exist_ok=True)
    for one in runs():
        path = folder / f"{'-'.join(map(str, one))}.json"
        if what == "run" and not path.is_file():
            made = train(*one)
            _files.write_text(path, json.dumps(made))
            print(path.stem, f"{made['validation']:.3f}", flush=True)
        if path.is_file():
            results.append(json.loads(path.read_text()))
    if what == "record":
        record.write("slopes", {"command": "python docs/results/slopes.py run, record", "n_train": DATA, "n_val": N_VAL,
                                "results": results})


if __name__ == "__main__":
    if sys.argv[1:] not in (["run"], ["record"]):
        raise SystemExit(__doc__)
    main(sys.argv[1])
