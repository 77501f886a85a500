"""Train ReLU networks on MNIST and Fashion-MNIST, and read them, and `fashion-fast`, which ships, as first spikes and as rates.

Run: python docs/results/bridge.py train [NAME]    bridge-mnist, bridge-fashion, bridge-dense; a run that was stopped goes on
     python docs/results/bridge.py record [NAME ...]     evaluates on the test sets, in float64; other rows of bridge.json stay

The settings of the training were chosen beforehand; the test set is seen once, by `record`.
"""

import json
import sys
import time
from pathlib import Path

from pysnn import datasets, training
from pysnn.evaluation import bridge
from pysnn.learning import conversion

N_VAL = 5000
MODEL = "28x28x1-24C3-24C3-A2-48C3-48C3-A2-200-10"
CHOSEN = {"lr": 2e-3, "drop": 0.3, "smoothing": 0.1, "percentile": 99.99}
MODELS = {   # name: (data, chosen)
    "bridge-mnist": ("mnist", {"model": MODEL, "epochs": 10, "shift": 2}),
    "bridge-fashion": ("fashion-mnist", {"model": MODEL, "epochs": 15}),
    "bridge-dense": ("mnist", {"model": "784-400-10", "epochs": 6})}
STEPS, SET_BY = (1, 2, 4, 8, 16, 32), 5000            # of the rates; training samples that set windows and scales
OWN = [str(Path(__file__).parent / "sparse.py")]


def train(name="bridge-mnist"):
    """Train, or go on."""
    import record
    path, (data_name, chosen) = record.RUNS / f"{name}-0.npz", MODELS[name]
    data, settings = datasets.load(data_name), conversion.settings_for(data_name, penalty=f"{OWN[0]}:sparse", **chosen, **CHOSEN)
    run = training.load(path, OWN) if path.is_file() else training.start(
        "conversion", settings, 0, {"name": data_name, "n_val": N_VAL, "split_seed": 0})
    if run.nets.settings.plain() != settings.plain():
        raise SystemExit(f"{path} was trained with other settings: remove it to start again")
    for r in training.epochs(run, *datasets.held_out(data, N_VAL)):
        training.save(run, path)
        print(f"epoch {r['epoch']} loss {r['loss']:.4f} train {r['train_accuracy']:.4f} val {r['val_accuracy']:.4f} {r['seconds']:.0f} s",
              flush=True)


def measured(name, path):
    """Evaluate a network on the test set."""
    run, began = training.load(path, OWN), time.perf_counter()
    data = datasets.load(run.data["name"])
    networks = bridge.bridge(run.nets, data.x_train[:SET_BY])
    found = bridge.evaluate(networks, data.x_test, data.y_test, STEPS)
    print(name, found["equal"], found["difference"], [f"{row['network']} {row['accuracy']:.4f}" for row in found["rows"]], flush=True)
    return {"name": name, "seed": run.seed, "data": run.data, "method": run.method, "model": str(run.nets.settings.model),
            "epochs": run.epoch, "records": run.records, **found, "evaluation_seconds": time.perf_counter() - began}


def main(what, *names):
    """Train, or evaluate and record."""
    import record
    if what == "train":
        for name in names or MODELS:
            train(name)
        return
    paths = {name: record.RUNS / f"{name}-0.npz" for name in MODELS} | {"fashion-fast": "fashion-fast"}
    rows = {row["name"]: row for row in json.loads((record.HERE / "bridge.json").read_text())["runs"]}
    rows |= {name: measured(name, paths[name]) for name in names or paths}
    record.write("bridge", {"command": "python docs/results/bridge.py record", "runs": [rows[name] for name in paths if name in rows]})


if __name__ == "__main__":
    main(*sys.argv[1:])
