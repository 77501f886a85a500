"""
Learning to tell Yin from Yang
==============================

A network of 200 hidden temporal neurons learns the Yin-Yang figure: three classes of points in the plane, which no straight
line separates. The animation shows the decision of the network for every point of the plane while it learns. It is written to
figures/10-yin-yang.gif.

Run: python examples/10_animate_yin_yang.py [epochs]          (24 epochs by default, some 15 s; needs matplotlib and Pillow)
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.animation import FuncAnimation, PillowWriter
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from pysnn import datasets, encode, losses, metrics, models
from pysnn.optim import Adam, cosine

EPOCHS = int(sys.argv[1]) if len(sys.argv) > 1 else 24
MODEL, BATCH, LR, BETA, WEIGHT_SUM = "4-200-3", 20, 3e-3, 10.0, 0.01

# %%
# The network
# -----------
# As in example 02: each point becomes four input spikes, the first output spike decides, and the gradient of the spike times is
# exact.
data = datasets.load("yin-yang")
rng = np.random.default_rng(0)
params = models.temporal_params(MODEL, rng, bias=True)
net = models.build(MODEL, "temporal", params, bias=True)
adam = Adam(params)


def outputs(x):
    """Return the output spike times of points in the unit square."""
    return net.forward(encode.latency(encode.intensities(np.clip(x, 0, 1)), late=6.0))[0][-1]


# %%
# A picture of the plane
# ----------------------
# Colours are classes. They are strong where the first output spike comes clearly before the second, and pale where it is a close
# race: the colour is full where the second comes a quarter of tau later, or never. White: no output fires.
SIDE = np.linspace(0, 1, 120)
PLANE = np.stack(np.meshgrid(SIDE, SIDE), axis=-1).reshape(-1, 2)
PLANE = np.hstack([PLANE, 1 - PLANE])
COLORS = np.array([to_rgb(c) for c in ("#0072B2", "#D55E00", "#009E73")])


def picture():
    """Return the plane as an image, (120, 120, 3)."""
    z = np.sort(outputs(PLANE), axis=1)
    with np.errstate(invalid="ignore"):                                                 # inf - inf: nothing fires
        lead = np.nan_to_num(np.clip((np.log(z[:, 1]) - np.log(z[:, 0])) / 0.25, 0, 1), nan=0.0)
    strength = np.where(np.isfinite(z[:, 0]), 0.15 + 0.6 * lead, 0)[:, None]
    return (1 - strength + strength * COLORS[outputs(PLANE).argmin(axis=1)]).reshape(120, 120, 3)


# %%
# Training, with a camera
# -----------------------
# A picture is taken before the first batch, and then at numbers of batches that grow by the same factor, for learning slows down.
n_batches = -(-len(data.x_train) // BATCH)
wanted = {0, *np.unique(np.geomspace(1, EPOCHS * n_batches, 45).astype(int))}
frames = [(0, picture(), metrics.accuracy(outputs(data.x_test), data.y_test).expected)]
for step in range(EPOCHS * n_batches):
    if step % n_batches == 0:
        order = rng.permutation(len(data.x_train))
    some = order[step % n_batches * BATCH:][:BATCH]
    z, caches = net.forward(encode.latency(encode.intensities(data.x_train[some]), late=6.0))
    _, dz = losses.softmax_t(z[-1], data.y_train[some], BETA)
    _, grads = net.backward(dz, caches)
    for name, w in params.items():
        grads[name] -= WEIGHT_SUM * (w.sum(axis=0) < 1)
    adam.update(params, grads, cosine(step, EPOCHS * n_batches, LR, LR / 100))
    if step + 1 in wanted:
        frames.append((step + 1, picture(), metrics.accuracy(outputs(data.x_test), data.y_test).expected))
accuracy = frames[-1][2]
print(f"{len(frames)} pictures; test accuracy {accuracy:.2%} after {EPOCHS} epochs")
assert EPOCHS < 24 or accuracy > 0.95

# %%
# The film
# --------
# On the left the plane with some test points, on the right their accuracy against the number of batches so far.
figure = Figure(figsize=(8, 4), dpi=90)
left, right = figure.add_axes((0.02, 0.06, 0.44, 0.84)), figure.add_axes((0.57, 0.17, 0.41, 0.71))
shown = left.imshow(frames[0][1], extent=(0, 1, 0, 1), origin="lower")
for k, marker in enumerate("os^"):
    points = data.x_test[:150][data.y_test[:150] == k]
    left.plot(points[:, 0], points[:, 1], marker, color=COLORS[k], mec="white", mew=0.6, ms=5.5)
left.axis("off")
steps, curve = [f[0] for f in frames], [100 * f[2] for f in frames]
(line,) = right.plot([], [], color="#0072B2", lw=2.5)
(dot,) = right.plot([], [], "o", color="#D55E00", ms=8)
right.set(xlim=(0.8, steps[-1] * 1.3), ylim=(20, 102), xscale="log", xlabel="batches of 20 points", ylabel="test accuracy (%)")
right.grid(color="#e4e4e4")
title = figure.text(0.02, 0.93, "", fontsize=12)


def draw(k):
    """Show picture k."""
    shown.set_data(frames[k][1])
    line.set_data(np.maximum(steps[:k + 1], 0.9), curve[:k + 1])
    dot.set_data([max(steps[k], 0.9)], [curve[k]])
    title.set_text(f"after {steps[k]} batches: {curve[k]:.1f} % of the test points are right")


Path("figures").mkdir(exist_ok=True)
film = FuncAnimation(figure, draw, [*range(len(frames)), *[len(frames) - 1] * 10])
film.save("figures/10-yin-yang.gif", PillowWriter(fps=5))
print("figures/10-yin-yang.gif")
