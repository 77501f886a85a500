"""Yin-Yang, the whole pipeline with its own visible loop: points -> spike times -> network -> loss -> gradients -> update.

Run: python examples/02_yin_yang.py [epochs]          (30 epochs by default, some 10 s)
"""

import sys

import numpy as np

from pysnn import datasets, encode, losses, metrics, models
from pysnn.optim import Adam, cosine

HIDDEN, BATCH, LR, BETA = 200, 20, 3e-3, 10.0
WEIGHT_SUM = 0.01        # K of the cost that keeps neurons alive


def spikes(x):
    """Turn points in [0, 1] into z = exp(t): large values spike early."""
    return encode.latency(encode.intensities(x), late=6.0)


def main(epochs=30, n_train=None):
    data = datasets.load("yin-yang")
    x_val, y_val = datasets.yin_yang_validation()
    x_train, y_train = data.x_train[:n_train], data.y_train[:n_train]
    rng = np.random.default_rng(0)

    # A network is a list of layers on one dict of weights; `bias` is an extra input spike at t = 0.
    params = models.temporal_params(f"4-{HIDDEN}-3", rng, bias=True)
    net = models.build(f"4-{HIDDEN}-3", "temporal", params, bias=True)
    adam = Adam(params)

    n_batches = -(-len(x_train) // BATCH)
    for epoch in range(epochs):
        order = rng.permutation(len(x_train))
        total = 0.0
        for k in range(n_batches):
            some = order[k * BATCH:(k + 1) * BATCH]
            outputs, caches = net.forward(spikes(x_train[some]))              # spike times of each layer
            loss, dz = losses.softmax_t(outputs[-1], y_train[some], BETA)     # the first output spike should be the label's
            _, grads = net.backward(dz, caches)                               # exact, by hand
            for name, w in params.items():                                    # neurons whose weights sum up to less than 1 never fire:
                grads[name] -= WEIGHT_SUM * (w.sum(axis=0) < 1)               # their weights grow
            adam.update(params, grads, cosine(epoch * n_batches + k, epochs * n_batches, LR, LR / 100))
            total += loss * len(some)
        if (epoch + 1) % max(1, epochs // 10) == 0:
            z = net.forward(spikes(x_val))[0][-1]
            print(f"epoch {epoch + 1:4d}   loss {total / len(x_train):.4f}   validation accuracy {metrics.accuracy(z, y_val).expected:.2%}")

    z = net.forward(spikes(data.x_test))[0][-1]
    found = metrics.accuracy(z, data.y_test)
    print(f"test accuracy {found.expected:.2%}")
    try:
        from pysnn import plots
    except ImportError:
        return found.expected

    def predict(x):
        return net.forward(spikes(np.clip(x, 0, 1)))[0][-1].argmin(axis=1)

    print(plots.save(plots.decision_regions(predict, data.x_test, data.y_test, data.classes), "figures/yin_yang.png"))
    return found.expected


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30)
