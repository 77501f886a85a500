"""Compare conversion, tandem, surrogate and proxy on one convolutional network on equal terms: accuracy against steps and operations.

Run: python docs/results/fair.py tune         3 tries a line on validation images, T = 4, seed 100
     python docs/results/fair.py run [T ...]  3 other seeds a line, the line's best try; conversions train once and are evaluated at every
                                              T up to the largest given, all others train for each T given (default: all)
     python docs/results/fair.py record       compare-fair.json, of the runs that are there

Equal for all lines: model, whitening, augmentation, readout (the output does not fire), loss and its scale, first potential, images,
epochs, batch, tries. The model pools by the mean, which is the same in every method. What was chosen at T = 4 serves every T. Test images
are seen once a run, when it has ended. Runs that were stopped go on.
"""

import json
import sys

from pysnn import datasets, learning, training
from pysnn.evaluation import comparison

DATA = "fashion-mnist"
MODEL = "28x28x1-W2-8c3-A2-B0.45-N-8c3-B0.45-N-16c3-A2-B0.45-N-16c3-B0.45-N-32c3-A2-B0.45-N-32c3-B0.45-N-A3-10d"
N_TRAIN, N_VAL, N_TEST = 3000, 1000, 5000                 # the first images of each part
STEPS, TUNING_STEPS, TUNING_SEED, SEEDS = (1, 2, 4, 8, 15, 30), 4, 100, range(3)
EQUAL = {"model": MODEL, "readout": "potential", "loss": "cross_entropy", "on": "mean", "scale": 2.0, "smoothing": 0.1, "v_init": 0.5,
         "init": "identity", "momentum": 0.85, "bias_rate": 13.0, "weight_decay": 1.33e-3, "schedule": "triangle", "lr_end": 1e-6,
         "shift": 1, "edge": "copy", "flip": True, "by_turns": True, "batch": 50, "epochs": 4}
TRIES = ({"optimiser": "nesterov", "lr": 0.05}, {"optimiser": "nesterov", "lr": 0.15},
         {"optimiser": "adam", "lr": 3e-3, "weight_decay": 0.0})
LINES = {   # name: (method, what is its own); a line of SIBLINGS has no tries of its own
    "conversion": ("conversion", {}),
    "conversion, clip": ("conversion", {"clip": True}),
    "conversion, QCFS": ("conversion", {"clip": True, "levels": 4}),
    "tandem": ("tandem", {}),
    "tandem, clip": ("tandem", {"clip": True}),
    "surrogate": ("surrogate", {}),
    "proxy": ("proxy", {"calibrate": 0.05}),
    "proxy, warm": ("proxy", {"calibrate": 0.05, "warm": 0.7}),
    "proxy, not calibrated": ("proxy", {}),
}
SIBLINGS = {"tandem, clip": "tandem", "proxy, not calibrated": "proxy"}        # the line whose choice it takes


def job(line, chosen, steps, seed, at):
    """Put a run together."""
    method, own = LINES[line]
    rule = learning.get(method)
    known = {name: value for name, value in (EQUAL | own | chosen).items() if name in rule.Settings.__dataclass_fields__}
    name = f"{line.replace(',', '').replace(' ', '-')}{f'-T{steps}' if rule.trains_with_steps else ''}-seed{seed}"
    return comparison.Job(name, method, rule.Settings(**known, n_steps=steps), seed, at)


def train(job, folder, parts):
    """Train a run to its end, or go on with it."""
    folder.mkdir(parents=True, exist_ok=True)
    run = comparison.begin(job, folder, {"name": DATA, "n_val": 5000, "split_seed": 0})
    for r in training.epochs(run, *parts):
        training.save(run, folder / f"{job.name}.npz")
        right = r.get("val_accuracy", r["train_accuracy"])
        print(job.name, f"epoch {r['epoch']} loss {r['loss']:.4f}, {right:.4f} right, {r['seconds']:.1f} s", flush=True)
    return run


def tries(folder, parts):
    """Make the tries of every line; those that ended are read."""
    made = []
    for k, chosen in enumerate(TRIES):
        for line in [line for line in LINES if line not in SIBLINGS]:
            run = train(job(line, chosen, TUNING_STEPS, TUNING_SEED, ()), folder / f"tune-{k}", parts)
            made.append({"line": line, "chosen": chosen, "validation": run.records[-1]["val_accuracy"]})
    return made


def runs(chosen):
    """List all runs, seed by seed, conversions first, then those with few steps: (line, run)."""
    listed = []
    for line, (method, _) in LINES.items():
        anew = learning.get(method).trains_with_steps
        for t in STEPS if anew else [max(STEPS)]:
            listed += [(line, job(line, chosen[line], t, seed, (t,) if anew else STEPS)) for seed in SEEDS]
    return sorted(listed, key=lambda entry: (entry[1].seed, len(entry[1].at) == 1, entry[1].at))


def main(what, *steps):
    """Make the tries, the runs or the record."""
    import record
    folder, data = record.RUNS / "fair", datasets.load(DATA)
    (x, y), (x_val, y_val) = datasets.held_out(data, 5000)
    parts, test = ((x[:N_TRAIN], y[:N_TRAIN]), (x_val[:N_VAL], y_val[:N_VAL])), (data.x_test[:N_TEST], data.y_test[:N_TEST])
    made = tries(folder, parts)
    best = {t["line"]: t for t in sorted(made, key=lambda t: t["validation"])}
    chosen = {line: best[SIBLINGS.get(line, line)]["chosen"] for line in LINES}
    if what == "tune":
        print(*made, *chosen.items(), sep="\n")
        return
    results = []
    steps = [int(t) for t in steps] or STEPS
    for line, one in runs(chosen):
        one = one if len(one.at) == 1 else one._replace(at=tuple(t for t in STEPS if t <= max(steps)))
        if what == "run" and (len(one.at) > 1 or one.at[0] in steps):
            result = comparison.evaluate(one, train(one, folder, parts[:1]), folder, test, "test")
            print(one.name, *(f"T = {row['n_steps']}: {row['accuracy']:.4f}" for row in result["rows"]), flush=True)
        if what == "record" and (folder / f"{one.name}.json").is_file():
            results.append({**json.loads((folder / f"{one.name}.json").read_text()), "method": line})
    if what == "record":
        record.write("compare-fair", {"command": "python docs/results/fair.py tune, run, record", "n_train": N_TRAIN, "n_val": N_VAL,
                                      "n_test": N_TEST, "equal": EQUAL, "lines": LINES, "tuning": {"n_steps": TUNING_STEPS,
                                      "seed": TUNING_SEED, "tries": made}, "chosen": chosen, "table": comparison.table(results),
                                      "relu": relu(results), "results": results})


def relu(results):
    """Return the accuracies of the ReLU networks of the conversions, by line: what they were before they were converted."""
    lines = {line: [r["rows"][0]["relu"] for r in results if r["method"] == line] for line in LINES if line.startswith("conversion")}
    return {line: some for line, some in lines.items() if some}


if __name__ == "__main__":
    if not sys.argv[1:] or sys.argv[1] not in ("tune", "run", "record"):
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
