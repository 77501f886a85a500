"""Measure the angles between the gradients of the methods, and where spiking and ReLU layers part, while a network trains by proxy.

Run: python docs/results/angles.py            writes docs/results/gradient-angles.json, in some minutes
The shipped sample of Fashion-MNIST, its validation part; the test images are not used. Median and quartiles over batches, and over single
samples.
"""

import numpy as np

from pysnn import datasets, training
from pysnn.evaluation import diagnostics, mismatch
from pysnn.learning import proxy

SEED = 0
EPOCHS = (0, 1, 3, 6)        # when to measure
BATCH, BATCHES, SINGLES, LOOKED_AT = 50, 6, 60, 40
WARM = 40                    # batches that the running statistics see before the first measurement


def main():
    """Train, measure at some epochs, write the record."""
    data = datasets.load("fashion-sample")
    train, (x, y) = datasets.held_out(data)
    settings = proxy.settings_for("fashion-sample")
    run = training.start("proxy", settings, SEED, {"name": data.name, "n_val": len(y), "split_seed": 0})
    order = np.random.default_rng(SEED).permutation(len(y))
    x, y = x[order], y[order]
    for i in range(0, WARM * settings.batch, settings.batch):                # running statistics alone: no weight changes
        step = proxy.gradients(run.nets, *(part[i:i + settings.batch] for part in train))
        run.rule.update_running_stats(run.nets, step)
    rows = [measure(run.nets, x, y, 0)]
    for record in training.epochs(run, train):
        if record["epoch"] in EPOCHS:
            rows.append(measure(run.nets, x, y, record["epoch"]))
            print(record["epoch"], rows[-1]["validation"], rows[-1]["batches"]["proxy surrogate"]["all"], flush=True)
    from record import write
    write("gradient-angles", {"command": "python docs/results/angles.py", "data": data.name, "seed": SEED,
                              "settings": settings.plain(), "batch": BATCH, "batches": BATCHES, "singles": SINGLES, "rows": rows})


def measure(nets, x, y, epoch):
    """Measure one network."""
    batches = [diagnostics.gradient_angles(nets, x[i:i + BATCH], y[i:i + BATCH]) for i in range(0, BATCH * BATCHES, BATCH)]
    singles = [diagnostics.gradient_angles(nets, x[i:i + 1], y[i:i + 1]) for i in range(SINGLES)]
    layers, end = mismatch.mismatch(nets, x[:LOOKED_AT])
    return {"epoch": epoch, "validation": proxy.score(nets, x, y)._asdict(), "batches": quartiles(batches), "singles": quartiles(singles),
            "agreement": diagnostics.agreement(nets, x[:LOOKED_AT]), "mismatch": layers, "end": end,
            "activity": diagnostics.activity(nets, x[:LOOKED_AT])}


def quartiles(angles):
    """Return [lower quartile, median, upper quartile, how many are defined] by pair and parameter, in degrees."""
    out = {}
    for pair in angles[0]:
        rows = {name: [f[pair][name] for f in angles if not np.isnan(f[pair][name])] for name in angles[0][pair]}
        out[" ".join(pair)] = {name: [*(round(float(q), 1) for q in np.quantile(v, (0.25, 0.5, 0.75))), len(v)] if v else None
                               for name, v in rows.items()}
    return out


if __name__ == "__main__":
    main()
