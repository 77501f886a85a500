"""Train deep convolutional networks by proxy learning, from scratch (ours) and with a ReLU phase first (warm), and record them.

Run: python docs/results/deep.py train NAME ...      e.g. fashion-warm-0; a run that was stopped goes on; hours each
     python docs/results/deep.py record               evaluates the finished runs in runs/ on the test set; other rows of deep.json stay

The settings are those of the presets, chosen on validation images (5,000 of the training set). The test set is seen once, by `record`.
Each row says whether the potentials were calibrated, which the paper does not do; at half the width a run without it stands beside
one with it.
"""

import json
import sys
import time

import numpy as np

from pysnn import datasets, training
from pysnn.evaluation import operations
from pysnn.learning import proxy, rate

N_VAL = 5000
STEPS = (1, 2, 4, 8, 16)
ROWS = {   # name, followed by -SEED: (data, preset, chosen)
    "fashion-warm": ("fashion-mnist", "warm", {}),
    "fashion-scratch": ("fashion-mnist", "ours", {}),
    "fashion-half": ("fashion-mnist", "warm", {"model": "fashion-fast:32", "epochs": 8}),
    "fashion-plain": ("fashion-mnist", "warm", {"model": "fashion-fast:32", "epochs": 8, "calibrate": 0.0}),
    "cifar-warm": ("cifar10", "warm", {}),
    "cifar-scratch": ("cifar10", "ours", {"epochs": 10}),
    "fashion-authors": ("fashion-mnist", "authors", {"model": "fashion-proxy:32", "epochs": 60}),
}

N_TRAIN = {"fashion-mnist": 60000 - N_VAL, "cifar10": 50000 - N_VAL}
WORDS = {"warm": "`warm`", "half": "`warm`", "scratch": "from scratch", "plain": "`warm`, not calibrated", "authors": "`authors`"}


def train(name):
    """Train one run, or go on with it."""
    import record
    (row, _, seed), path = name.rpartition("-"), record.RUNS / f"{name}.npz"
    data_name, preset, chosen = ROWS[row]
    data, settings = datasets.load(data_name), proxy.settings_for(data_name, preset, **chosen)
    parts = datasets.held_out(data, N_VAL)
    run = training.load(path) if path.is_file() else training.start(
        "proxy", settings, int(seed), {"name": data_name, "n_val": N_VAL, "split_seed": 0})
    if run.nets.settings != settings:
        raise SystemExit(f"{path} was trained with other settings: remove it to start again")
    for r in training.epochs(run, *parts):
        training.save(run, path)
        print(name, f"epoch {r['epoch']} loss {r['loss']:.4f} val {r['val_accuracy']:.4f} ReLU {r['relu_accuracy']:.4f} alike "
              f"{r['agreement']:.4f} {r['seconds']:.0f} s", flush=True)


def evaluated(name, path):
    """Evaluate a finished run on the test set; None if it is not finished."""
    run = training.load(path)
    s, data = run.nets.settings, datasets.load(run.data["name"])
    if run.epoch < s.epochs:
        return None
    counts, relu, n_spikes, began = {t: [] for t in sorted({*STEPS, s.n_steps})}, [], 0, time.perf_counter()
    for i in range(0, len(data.x_test), rate.PIECE):
        x = rate.encode_batch(run.nets, data.x_test[i:i + rate.PIECE])
        longer = run.nets.snn.run(x, at=sorted(counts)) if max(counts) == s.n_steps else at_steps(run.nets, x, counts)
        for t, y in zip(sorted(counts), longer.counts, strict=True):
            counts[t].append(y)
        relu.append(run.nets.net.forward(x)[0][-1])
        n_spikes += np.array(run.nets.snn.run(x).n_spikes)
    of_t = {t: run.rule.accuracy(np.concatenate(y), data.y_test)._asdict() for t, y in counts.items()}
    relu, at_t = np.concatenate(relu), np.concatenate(counts[s.n_steps])
    sizes = [int(np.prod(shape)) for _, shape in s.model.neuron_layers]
    return {"name": name, "seed": run.seed, "data": run.data, "settings": s.plain(), "records": run.records, "test": of_t[s.n_steps],
            "relu": run.rule.accuracy(relu, data.y_test)._asdict(), "agreement": float(rate.alike(at_t, relu).mean()),
            "by_steps": of_t, "rates": (n_spikes / (len(data.x_test) * s.n_steps * np.array(sizes))).tolist(),
            "spikes": float(n_spikes.sum() / len(data.x_test)), "multiply_adds": operations.multiply_adds(s.model),
            "training_seconds": sum(r["seconds"] for r in run.records), "evaluation_seconds": time.perf_counter() - began}


def at_steps(nets, x, counts):
    """Run for as many steps as the largest of `counts`."""
    config, nets.snn.config = nets.snn.config, nets.snn.config._replace(n_steps=max(counts))
    try:
        return nets.snn.run(x, at=sorted(counts))
    finally:
        nets.snn.config = config


def costs():
    """The table of what the networks of the runs cost, seed 0 of each."""
    import record
    rows = ["| network | spikes an image | a neuron | additions, spikes | multiply-adds, ReLU | training, operations |", "|---" * 6 + "|"]
    for run in json.loads((record.HERE / "deep.json").read_text())["runs"]:
        s, a, row = run["settings"], np.array(run["multiply_adds"]), run["name"].rpartition("-")[0]
        if run["seed"] == 0:
            sizes = [np.prod(shape) for _, shape in proxy.settings_for(run["data"]["name"], "ours", model=s["model"]).model.neuron_layers]
            added = s["n_steps"] * (np.array(run["rates"])[:-1] * a[1:]).sum()
            spiking = 1 - s["warm"]                                              # share of the epochs in which it runs
            trained = 2 * (3 * a.sum() + spiking * s["n_steps"] * (a.sum() - a[0])) * s["epochs"] * N_TRAIN[ROWS[row][0]]
            rows.append(f"| `{s['model']}`, {WORDS[row.partition('-')[2]]} | {run['spikes']:,.0f} | {run['spikes'] / sum(sizes):.2f} "
                        f"| {added / 1e6:.0f} M | {a.sum() / 1e6:.0f} M | {trained:.1e} |")
    return rows


def main(what, *names):
    """Train, or evaluate and record."""
    import record
    if what == "train":
        for name in names:
            train(name)
        return
    paths = sorted(path for row in ROWS for path in record.RUNS.glob(f"{row}-?.npz"))
    rows = [row for row in (evaluated(path.stem, path) for path in paths) if row]
    fresh, old = {row["name"] for row in rows}, json.loads((record.HERE / "deep.json").read_text())["runs"]
    rows = sorted(rows + [row for row in old if row["name"] not in fresh], key=lambda row: row["name"])
    record.write("deep", {"command": "python docs/results/deep.py record", "runs": rows})
    for row in rows:
        print(row["name"], f"{row['test']['expected']:.4f} ReLU {row['relu']['expected']:.4f} alike {row['agreement']:.4f}",
              {t: round(a["expected"], 4) for t, a in row["by_steps"].items()})


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in ("train", "record") or any(n.rpartition("-")[0] not in ROWS for n in sys.argv[2:]):
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
