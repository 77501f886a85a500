"""
Yin-Yang: the whole pipeline with its own visible loop
======================================================

Points -> spike times -> network -> loss -> gradients -> update. Three classes of points in the plane, learnt by exact spike
times.

Run: python examples/02_yin_yang.py [epochs [samples]]          (30 epochs by default, some 10 s)
"""

import sys
from importlib.util import find_spec

import numpy as np

from pysnn import datasets, encode, losses, metrics, models
from pysnn.optim import Adam, cosine

EPOCHS = int(sys.argv[1]) if len(sys.argv) > 1 else 30
N_TRAIN = int(sys.argv[2]) if len(sys.argv) > 2 else None
HIDDEN, BATCH, LR, BETA = 200, 20, 3e-3, 10.0
WEIGHT_SUM = 0.01        # K of the cost that keeps neurons alive
data = datasets.load("yin-yang")
x_val, y_val = datasets.yin_yang_validation()
x_train, y_train = data.x_train[:N_TRAIN], data.y_train[:N_TRAIN]
rng = np.random.default_rng(0)


def spikes(x):
    """Turn points in [0, 1] into z = exp(t): large values spike early."""
    return encode.latency(encode.intensities(x), late=6.0)


# %%
# A network is a list of layers on one dict of weights; ``bias`` is an extra input spike at t = 0.
params = models.temporal_params(f"4-{HIDDEN}-3", rng, bias=True)
net = models.build(f"4-{HIDDEN}-3", "temporal", params, bias=True)
adam = Adam(params)

# %%
# The loop. The first output spike should be the label's; the gradients are exact, by hand.
n_batches = -(-len(x_train) // BATCH)
for epoch in range(EPOCHS):
    order = rng.permutation(len(x_train))
    total = 0.0
    for k in range(n_batches):
        some = order[k * BATCH:(k + 1) * BATCH]
        outputs, caches = net.forward(spikes(x_train[some]))              # spike times of each layer
        loss, dz = losses.softmax_t(outputs[-1], y_train[some], BETA)
        _, grads = net.backward(dz, caches)
        for name, w in params.items():                                    # neurons whose weights sum up to less than 1 never fire:
            grads[name] -= WEIGHT_SUM * (w.sum(axis=0) < 1)               # their weights grow
        adam.update(params, grads, cosine(epoch * n_batches + k, EPOCHS * n_batches, LR, LR / 100))
        total += loss * len(some)
    if (epoch + 1) % max(1, EPOCHS // 10) == 0:
        z = net.forward(spikes(x_val))[0][-1]
        print(f"epoch {epoch + 1:4d}   loss {total / len(x_train):.4f}   validation accuracy {metrics.accuracy(z, y_val).expected:.2%}")

# %%
# The test points, once, and what the network says of every point of the plane.
accuracy = metrics.accuracy(net.forward(spikes(data.x_test))[0][-1], data.y_test).expected
print(f"test accuracy {accuracy:.2%}")
assert N_TRAIN or EPOCHS < 30 or accuracy > 0.95
if find_spec("matplotlib"):
    from pysnn import plots

    def predict(x):
        return net.forward(spikes(np.clip(x, 0, 1)))[0][-1].argmin(axis=1)

    print(plots.save(plots.decision_regions(predict, data.x_test, data.y_test, data.classes), "figures/yin_yang.png"))
