"""Five methods on one dense network, 784-500-10 on Fashion-MNIST, T = 2, 4, 8, 16: tune each with the same budget, then compare.

Run: python docs/results/compare_dense.py tune       writes tuning-dense.json: six tries a method, on validation, T = 8, one seed
     python docs/results/compare_dense.py compare    writes compare-dense.json: five other seeds, tested once each, the tries' best options

A try is one of three learning rates and of two losses; all else is each method's preset `ours`. What was chosen at T = 8 serves every T.
"""

import importlib.util
import json
import sys
from pathlib import Path

from pysnn import comparison, datasets, training

HERE = Path(__file__).parent
DATA, MODEL, EPOCHS, STEPS, SEEDS, TUNING_SEED, TUNING_STEPS = "fashion-mnist", "784-500-10", 5, (2, 4, 8, 16), range(5), 100, 8
PLAIN = {"crop": 0, "flip": False}       # a dense network sees pixels, not pictures
RATES = (3e-4, 1e-3, 3e-3)
LOSSES = ({"loss": "mse", "on": "rates"}, {"loss": "cross_entropy", "on": "counts"})


def known(method, options):
    """Keep the options that a method has."""
    return {name: value for name, value in options.items() if name in training.METHODS[method].Settings.__dataclass_fields__}


def train(job, folder, data, parts):
    """Train a job to its end, or go on with it."""
    folder.mkdir(parents=True, exist_ok=True)
    run = comparison.begin(job, folder, data)
    for r in training.epochs(run, *parts):
        training.save(run, folder / f"{job.name}.npz")
        print(job.name, f"epoch {r['epoch']} val {r['val_accuracy']:.4f} {r['seconds']:.1f} s", flush=True)
    return run


def main(what):
    """Tune or compare."""
    spec = importlib.util.spec_from_file_location("record", HERE / "record.py")
    record = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(record)
    data = datasets.load(DATA)
    parts = datasets.held_out(data)
    about = {"name": DATA, "n_val": len(parts[1][1]), "split_seed": 0}
    common = {"model": MODEL, "epochs": EPOCHS, "v_init": 0.5, **PLAIN}
    if what == "tune":
        tries = []
        for method in comparison.METHODS:
            for k, (lr, loss) in enumerate((lr, loss) for lr in RATES for loss in LOSSES):
                chosen = known(method, {**common, **loss, "lr": lr})
                (job,) = comparison.plan(DATA, [method], [TUNING_STEPS], [TUNING_SEED], chosen)
                run = train(job, record.RUNS / f"dense-tune-{k}", about, parts)
                tries.append({"method": method, "chosen": known(method, {**loss, "lr": lr}), "validation": run.records[-1]["val_accuracy"]})
        record.write("tuning-dense", {"command": "python docs/results/compare_dense.py tune", "seed": TUNING_SEED, "n_steps": TUNING_STEPS,
                                      "common": common, "tries": tries})
        return
    chosen, tuned = dict(common), json.loads((HERE / "tuning-dense.json").read_text())["tries"]
    for method in comparison.METHODS:
        best = max((t for t in tuned if t["method"] == method), key=lambda t: t["validation"])
        chosen |= {f"{method}.{name}": value for name, value in best["chosen"].items()}
    results = []
    for job in comparison.plan(DATA, comparison.METHODS, STEPS, SEEDS, chosen):
        folder = record.RUNS / "dense"
        run = train(job, folder, about, parts)
        results.append(comparison.judge(job, run, folder, (data.x_test, data.y_test), "test"))
    record.write("compare-dense", {"command": "python docs/results/compare_dense.py compare", "chosen": chosen,
                                   "table": comparison.table(results), "results": results})


if __name__ == "__main__":
    if sys.argv[1:] not in (["tune"], ["compare"]):
        raise SystemExit(__doc__)
    main(sys.argv[1])
