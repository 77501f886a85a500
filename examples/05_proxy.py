"""
Proxy learning, the whole step visible
======================================

A spiking network gives the output, and a ReLU network with the same weights gives the gradient.

Run: python examples/05_proxy.py [epochs [samples]]          (4 epochs by default, some 20 s, on the shipped sample of Fashion-MNIST)
"""

import sys
from importlib.util import find_spec

import numpy as np

from pysnn import datasets, encode, losses, metrics, models
from pysnn.layers import NeuronConfig
from pysnn.optim import Adam, cosine

MODEL = "28x28x1-12C3-P2-12C3-P2-64-10"      # 3 x 3 convolutions, maxima of 2 x 2, two dense layers
T, BATCH, LR, MOMENTUM = 8, 50, 3e-3, 0.1
EPOCHS = int(sys.argv[1]) if len(sys.argv) > 1 else 4
N_TRAIN = int(sys.argv[2]) if len(sys.argv) > 2 else None
data = datasets.load("fashion-sample")
(x_train, y_train), (x_val, y_val) = datasets.held_out(data)
x_train, y_train = x_train[:N_TRAIN], y_train[:N_TRAIN]
rng = np.random.default_rng(0)

# %%
# Two networks on one dict of weights and one of running statistics. Integrate-and-fire neurons: V grows by the current, and from
# V >= 1 on there is a spike and V falls by 1; V starts at 1/2. ReLU: clipped at 1, where the spiking neurons fire at every
# step.
firing = NeuronConfig(n_steps=T, threshold=1.0, v_init=0.5, clip=True)
params = models.rate_params(MODEL, rng, init="kaiming", gamma=0.5)
state = models.rate_state(MODEL)
relu = models.build(MODEL, "relu", params, state=state, config=firing)
snn = models.build(MODEL, "if", params, state=state, config=firing)
adam = Adam(params)


def current(images):
    """Turn images into a constant input current in [0, 1]."""
    return encode.intensities(images).reshape(len(images), 28, 28, 1)


def score(output, images, y):
    """Judge by the largest output; metrics look for the smallest, as with spike times."""
    return metrics.accuracy(-np.concatenate([output(current(images[i:i + 200])) for i in range(0, len(images), 200)]), y)


# %%
# The step, five lines of it.
n_batches = -(-len(x_train) // BATCH)
for epoch in range(EPOCHS):
    order = rng.permutation(len(x_train))
    total = 0.0
    for k in range(n_batches):
        some = order[k * BATCH:(k + 1) * BATCH]
        x, y = current(x_train[some]), y_train[some]
        # 1. Forward pass of the ReLU network. Its output is not used; its activations are stored for the backward pass.
        _, caches = relu.forward(x, statistics="batch")
        used = relu.batch_stats(caches)                          # mean and variance in the batch normalisation
        # 2. The spiking network, T steps, with the same weights. Only the output counts are stored.
        counts = snn.run(x, used).counts[-1]
        # 3. The loss at the spike counts: rates against one-hot.
        loss, d_rates = losses.mse(counts / np.float32(T), y)
        # 4. Backward pass through the ReLU network, as if the counts were its output.
        _, grads = relu.backward(d_rates / np.float32(T), caches)
        # 5. The shared weights change, and with them both networks.
        adam.update(params, grads, cosine(epoch * n_batches + k, EPOCHS * n_batches, LR, LR / 100))
        for name, value in used.items():
            state[name] += np.float32(MOMENTUM) * (value - state[name])
        total += loss * len(some)
    result = score(lambda x: snn.run(x).counts[-1], x_val, y_val)
    print(f"epoch {epoch + 1}   loss {total / len(x_train):.4f}   validation {result.expected:.2%} (strict {result.strict:.2%})")

# %%
# The test images, used once.
result = score(lambda x: snn.run(x).counts[-1], data.x_test, data.y_test)
accuracy = result.expected
print(f"test accuracy of the spiking network  {accuracy:.2%} (strict {result.strict:.2%}), T = {T}")
result = score(lambda x: relu.forward(x)[0][-1], data.x_test, data.y_test)
print(f"test accuracy of the ReLU network     {result.expected:.2%}, the same weights")
assert N_TRAIN or EPOCHS < 4 or accuracy > 0.78

# %%
# Agreement of the two networks: spike counts and activations, layer by layer.
if find_spec("matplotlib"):
    from pysnn import plots
    from pysnn.evaluation.rate import activations
    x = current(data.x_test[:100])
    pairs = snn.run(x, keep_counts=True).layer_counts, activations(relu, x)
    print(plots.save(plots.correlation(*pairs, ["1 conv", "2 conv", "3 dense", "output"], T), "figures/05-correlation.png"))
