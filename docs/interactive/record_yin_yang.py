"""Train a small network on Yin-Yang and record its weights on the way, for the page yin-yang.html to scrub through.

Run: python docs/interactive/record_yin_yang.py [epochs]     (60 by default, some 20 s), then python docs/interactive/build.py

The page holds the weights, not pictures: it computes spike times, loss and accuracy itself, by the equations of
docs/derivations/temporal.md. What the reference finds with the same weights is recorded next to them, and a test compares the two.
"""

import base64
import json
import sys
from pathlib import Path

import numpy as np

from pysnn import datasets, encode, losses, metrics, models
from pysnn.optim import Adam, cosine

OUT = Path(__file__).parent / "src" / "yin-yang-data.js"
MODEL, BATCH, LR, BETA, LATE, WEIGHT_SUM, SEED = "4-40-3", 20, 5e-3, 10.0, 6.0, 0.01, 0
FIRST = (0, 2, 5, 10, 15, 20, 30, 40, 60, 80, 100, 125, 150, 175, 200)    # updates of the first epoch that are recorded


def frames(epochs, n_batches):
    """Return the numbers of updates after which the weights are recorded: closely at first, then further and further apart."""
    later = np.unique(np.round(np.geomspace(1, epochs, 45) * 2) / 2)      # half epochs
    return [k for k in FIRST if k < n_batches] + [int(e * n_batches) for e in later]


def train(epochs, n_train=None, seed=SEED):
    """Yield (update, weights) at each frame of a training run.

    Parameters
    ----------
    epochs : int
        Passes through the training points.
    n_train : int, optional
        Number of training points; default: all.
    seed : int
        Everything random follows from it.

    Yields
    ------
    tuple
        The number of updates so far, and copies of the weights, dict of str to float32 arrays.
    """
    data = datasets.load("yin-yang")
    z, y = encode.latency(encode.intensities(data.x_train[:n_train]), LATE), data.y_train[:n_train]
    rng = np.random.default_rng(seed)
    params = models.temporal_params(MODEL, rng, bias=True)
    net = models.build(MODEL, "temporal", params, bias=True)
    adam = Adam(params)
    n_batches = -(-len(z) // BATCH)
    wanted = set(frames(epochs, n_batches))
    for k in range(epochs * n_batches + 1):
        if k in wanted:
            yield k, {name: w.copy() for name, w in params.items()}
        if k % n_batches == 0:
            order = rng.permutation(len(z))
        some = order[k % n_batches * BATCH:][:BATCH]
        outputs, caches = net.forward(z[some])
        _, dz = losses.softmax_t(outputs[-1], y[some], BETA)
        _, grads = net.backward(dz, caches)
        for name, w in params.items():
            grads[name] -= WEIGHT_SUM * (w.sum(axis=0) < 1)
        adam.update(params, grads, cosine(k, epochs * n_batches, LR, LR / 100))


def loss_and_accuracy(weights, x, y):
    """Score weights with the reference in float64.

    Parameters
    ----------
    weights : dict of str to array
        w1, w2, as recorded.
    x : (n, 4) array
        Points.
    y : (n,) array of integers
        Labels.

    Returns
    -------
    loss, accuracy : float
        Cross-entropy (L2) in nats, and the share of right decisions.
    """
    params = {name: w.astype(np.float64) for name, w in weights.items()}
    net = models.build(MODEL, "temporal", params, bias=True, backend="reference")
    z = net.forward(encode.latency(encode.intensities(x, np.float64), LATE))[0][-1]
    return losses.softmax_t(z, y, BETA)[0], metrics.accuracy(z, y).expected


def code(a):
    """Write an array as base64 of little-endian float32, row by row."""
    return base64.b64encode(np.asarray(a, "<f4").tobytes()).decode()


def main(epochs=60, n_train=None, out=OUT):
    """Train, score every frame, write the data file."""
    data = datasets.load("yin-yang")
    x, y = data.x_test.astype(np.float32).astype(np.float64), data.y_test
    x[:, 2:] = 1 - x[:, :2]                                               # the page knows the first two columns only, as float32
    n_batches = -(-len(data.x_train[:n_train]) // BATCH)
    record = {"model": MODEL, "beta": BETA, "late": LATE, "batch": BATCH, "lr": LR, "seed": SEED, "n_batches": n_batches,
              "classes": list(data.classes), "x": code(x[:, :2]), "y": "".join(map(str, y)), "frames": []}
    for update, weights in train(epochs, n_train):
        loss, accuracy = loss_and_accuracy(weights, x, y)
        record["frames"].append({"update": update, "loss": loss, "accuracy": accuracy, **{name: code(w) for name, w in weights.items()}})
        print(f"update {update:6d}   loss {loss:.4f}   accuracy {accuracy:.1%}", flush=True)
    text = ",\n".join(json.dumps(frame) for frame in record.pop("frames"))
    Path(out).write_text(f"/* Written by record_yin_yang.py. */\nconst DATA = {json.dumps(record)[:-1]}, \"frames\": [\n{text}\n]}};\n")
    print(f"{out}: {Path(out).stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
