"""Compare proxy, tandem, surrogate, conversion and the ReLU network on Fashion-MNIST: dense with statistics, convolutional once.

Run: python docs/results/compare.py tune [METHOD ...]     six tries a method on validation, 784-500-10, T = 8, one seed; tuning-dense.json
     python docs/results/compare.py dense [METHOD ...]    T = 2, 4, 8, 16, five other seeds, the tries' best options; compare-dense.json
     python docs/results/compare.py conv [LINE ...]       fashion-proxy:32, T = 15, one seed, the same options; compare-conv.json

A try is one of three learning rates and of two losses; all else is each method's preset `ours`. What was chosen on the dense network at
T = 8 serves every T and the convolutional one. Test images are seen once a run. Given names, only their runs are made, side by side with
others if you like; a record is written when all are there. Runs that were stopped go on.
"""

import json
import os
import sys
from pathlib import Path

from pysnn import datasets, training
from pysnn.evaluation import comparison
from pysnn.evaluation import rate as evaluation_rate
from pysnn.learning import proxy

HERE = Path(__file__).parent
DATA, DENSE, CONV = "fashion-mnist", "784-500-10", "fashion-proxy:32"
TUNING_SEED, SEEDS, CONV_SEED = 100, range(5), 0
TUNING_STEPS, DENSE_STEPS, CONV_STEPS = 8, (2, 4, 8, 16), 15
DENSE_EPOCHS, CONV_EPOCHS = 5, 3
SAME = {"v_init": 0.5}                     # of every method that has it
SURROGATE = {"detach_reset": True}         # as the preset was when the records were made
PLAIN = {"crop": 0, "flip": False}         # a dense network sees pixels, not pictures
RATES = (3e-4, 1e-3, 3e-3)
LOSSES = ({"loss": "mse", "on": "rates"}, {"loss": "cross_entropy", "on": "counts"})
AUTHORS = "proxy-authors"                  # the line of the preset `authors`


def known(method, options):
    """Keep the options that a method has."""
    return {name: value for name, value in options.items() if name in training.METHODS[method].Settings.__dataclass_fields__}


def train(job, folder, about, parts):
    """Train a job to its end, or go on with it."""
    folder.mkdir(parents=True, exist_ok=True)
    run = comparison.begin(job, folder, about)
    for r in training.epochs(run, *parts):
        training.save(run, folder / f"{job.name}.npz")
        print(job.name, f"epoch {r['epoch']} loss {r['loss']:.4f} val {r['val_accuracy']:.4f} {r['seconds']:.1f} s", flush=True)
    return run


def best():
    """Read each method's best options from the tries, as `comparison.plan` takes them."""
    tries = json.loads((HERE / "tuning-dense.json").read_text())["tries"]
    best_of = {m: max((t for t in tries if t["method"] == m), key=lambda t: t["validation"])["chosen"] for m in comparison.METHODS}
    return {f"{m}.{name}": value for m, chosen in best_of.items() for name, value in chosen.items()}


def tune(methods, folder, about, data):
    """Make the tries of the methods; return the record, or None while some of another method are missing."""
    common, tries = {"model": DENSE, "epochs": DENSE_EPOCHS, **SAME, **PLAIN}, []
    options = [{"lr": lr, **loss} for lr in RATES for loss in LOSSES]
    for method in comparison.METHODS:
        for k, option in enumerate(options):
            chosen = known(method, option)
            (job,) = comparison.plan(DATA, [method], [TUNING_STEPS], [TUNING_SEED], known(method, {**common, **chosen, **SURROGATE}))
            if method in methods or comparison.begin(job, folder / f"tune-{k}", about).epoch == DENSE_EPOCHS:
                run = train(job, folder / f"tune-{k}", about, datasets.held_out(data))
                tries.append({"method": method, "chosen": chosen, "validation": run.records[-1]["val_accuracy"]})
    whole = len(tries) == len(options) * len(comparison.METHODS)
    return {"seed": TUNING_SEED, "n_steps": TUNING_STEPS, "common": common, "tries": tries} if whole else None


def dense(methods, folder, about, data):
    """Train and evaluate the methods' runs; return the record, or None while some of another method are missing."""
    chosen, results = {"model": DENSE, "epochs": DENSE_EPOCHS, **SAME, **SURROGATE, **PLAIN, **best()}, []
    jobs = comparison.plan(DATA, comparison.METHODS, DENSE_STEPS, SEEDS, chosen)
    for job in jobs:
        if job.method in methods or (folder / f"{job.name}.json").is_file():
            run = train(job, folder, about, datasets.held_out(data))
            results.append(comparison.evaluate(job, run, folder, (data.x_test, data.y_test), "test"))
    return {"chosen": chosen, "table": comparison.table(results), "results": results} if len(results) == len(jobs) else None


def conv(lines, folder, about, data):
    """Train and evaluate single runs of the convolutional network; return the record, or None while some line is missing."""
    chosen, runs = {"model": CONV, "epochs": CONV_EPOCHS, **SAME, **SURROGATE, **best()}, []
    jobs = {job.method: job for job in comparison.plan(DATA, comparison.METHODS, [CONV_STEPS], [CONV_SEED], chosen)}
    authors = proxy.settings_for(DATA, "authors", model=CONV, epochs=CONV_EPOCHS)
    jobs[AUTHORS] = comparison.Job(AUTHORS, "proxy", authors, CONV_SEED, (CONV_STEPS,))
    for line, job in jobs.items():
        path = folder / f"{job.name}.json"
        if line in lines and not path.is_file():
            run = train(job, folder, about, datasets.held_out(data))
            result = {"line": line, "method": job.method, "settings": job.settings.plain(), "seed": job.seed, "records": run.records,
                      "seconds": sum(r["seconds"] for r in run.records),
                      "evaluation": evaluation_rate.evaluate(run.nets, data.x_test, data.y_test)}
            part = path.with_suffix(".part")
            part.write_text(json.dumps(result))
            os.replace(part, path)
            print(line, result["evaluation"]["accuracy"], flush=True)
        if path.is_file():
            runs.append(json.loads(path.read_text()))
            if runs[-1]["settings"] != job.settings.plain() or runs[-1]["seed"] != job.seed:
                raise SystemExit(f"{path} is of other settings: remove it, and the checkpoint beside it, to make it again")
    return {"runs": runs} if len(runs) == len(jobs) else None


PARTS = {"tune": (tune, "tuning-dense", "dense"), "dense": (dense, "compare-dense", "dense"), "conv": (conv, "compare-conv", "conv")}


def main(what, *names):
    """Make the runs of one part, and its record when all are there."""
    import record
    (make, name, folder), data = PARTS[what], datasets.load(DATA)
    about = {"name": DATA, "n_val": len(datasets.held_out(data)[1][1]), "split_seed": 0}
    results = make(names or (*comparison.METHODS, AUTHORS), record.RUNS / f"compare-{folder}", about, data)
    if results is None:
        print(f"{what}: done; no record yet, since runs of other methods are missing")
    else:
        record.write(name, {"command": f"python docs/results/compare.py {what}", **results})


if __name__ == "__main__":
    if not sys.argv[1:] or sys.argv[1] not in PARTS or not set(sys.argv[2:]) <= {*comparison.METHODS, AUTHORS}:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
