"""
Spikes travelling through a network
===================================

A network of 784-800-10 temporal neurons, trained on MNIST, looks at one digit. The animation plays back, slowed down, what
happens between the first spike and the decision: pixels, hidden neurons, and the potentials of the ten outputs on their race to
the threshold.

Run: python examples/09_animate_digit.py          (some 5 s; writes figures/09-digit.gif; needs matplotlib and Pillow, and no data)
"""

from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib.animation import FuncAnimation, PillowWriter
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from pysnn import training
from pysnn.learning import temporal

BLUE, VERMILLION, PALE = (0.0, 0.45, 0.70), (0.84, 0.37, 0.0), (0.88, 0.88, 0.88)

# %%
# A digit
# -------
# The digit is a line from point to point, drawn as thick as a pen. Change the points, and see what the network makes of it.
THREE = [(8, 7), (12, 4.5), (17, 5), (18.5, 9), (16, 12.5), (12, 13.5), (17, 14.5), (19, 18.5), (16.5, 22.5), (11.5, 23), (7.5, 20.5)]


def drawn(points, width=1.3):
    """Return an image of 28 x 28 pixels with a line through the points (x, y)."""
    y, x = np.mgrid[:28, :28]
    distance = np.full((28, 28), np.inf)
    for (x0, y0), (x1, y1) in pairwise(points):
        along = ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / ((x1 - x0) ** 2 + (y1 - y0) ** 2)
        along = np.clip(along, 0, 1)
        distance = np.minimum(distance, np.hypot(x - x0 - along * (x1 - x0), y - y0 - along * (y1 - y0)))
    return (255 * np.clip(width + 0.5 - distance, 0, 1)).astype(np.uint8)


# %%
# All spikes at once
# ------------------
# One forward pass gives every spike time; nothing is simulated step by step. Bright pixels spike at t = 0, dark ones at ln 6 =
# 1.79 tau. The potential of an output at any time follows from the hidden spikes before it: each adds its weight times 1 -
# exp(-(t - t_i)/tau).


def spike_times(image):
    """Return the spike times of input, hidden layer and output in tau, and the weights of both layers."""
    run = training.load("mnist")
    z_in = temporal.encode_batch(run.nets, image[None])
    hidden, output = run.nets.net.forward(z_in)[0]
    return [np.log(z[0]) for z in (z_in, hidden, output)], run.nets.net.params


def potentials(t, t_hidden, w):
    """Return V/tau of all outputs at time t, as if none had fired yet."""
    return -np.expm1(np.minimum(t_hidden - t, 0)) @ w


# %%
# The stage
# ---------
# Pixels on the left, the 800 hidden neurons as dots in the middle, the outputs on the right. A neuron that has just fired is
# orange and cools down to blue. Lines come from the two pixels that pushed such a neuron most, and go to the outputs by its
# strongest weights: blue pushes up, orange pulls down.
HIDDEN = np.array([(36 + 1.1 * (j % 25), 0.9 * (j // 25)) for j in range(800)])
OUTPUT = np.array([(78, 1.2 + 2.75 * k) for k in range(10)])
ZERO, FULL, GLOW = 92.0, 112.0, 0.06            # where the bars stand for V = 0 and V = threshold; how long a spike glows, in tau


def colors(t, t_spikes):
    """Return a colour for each neuron: pale before its spike, orange at it, blue when it has cooled down."""
    age = np.clip((t - t_spikes) / GLOW, 0, 1)[..., None]
    return np.where(t_spikes[..., None] <= t, (1 - age) * VERMILLION + age * BLUE, PALE)


def animate(image, t_last=1.0, n_frames=50):
    """Return the animation of one image, from the input spikes to t_last."""
    (t_in, t_hidden, t_out), params = spike_times(image)
    w, lit = params["w2"], np.flatnonzero(t_in == 0)
    fig = Figure(figsize=(9, 3.6), dpi=100)
    ax = fig.add_axes((0, 0, 1, 0.9))
    ax.set(xlim=(-2, 122), ylim=(30, -3))
    ax.axis("off")
    shown = ax.imshow(np.ones((28, 28, 3)), extent=(0, 28, 28, 0), interpolation="nearest")
    dots = ax.scatter(*HIDDEN.T, s=14, c=[PALE])
    lines = ax.add_collection(LineCollection([], lw=0.6, zorder=0, antialiased=False))
    circles = ax.scatter(*OUTPUT.T, s=90, c=[PALE])
    bars = ax.barh(OUTPUT[:, 1], np.zeros(10), height=1.6, left=ZERO)
    ax.vlines(FULL, 0, 28, color="black", ls="--", lw=1.2)
    ax.text(FULL, 29.6, "threshold", ha="center", fontsize=10)
    names = [ax.text(80.2, y, str(k), va="center", fontsize=13) for k, (_, y) in enumerate(OUTPUT)]
    ax.set_aspect("auto")
    title = fig.text(0.02, 0.92, "", fontsize=13)
    times = np.concatenate([[-0.02], np.linspace(0, t_last, n_frames), [t_last] * 12])

    def draw(t):
        shown.set_data(np.where(t_in.reshape(28, 28, 1) < 1, colors(t, t_in.reshape(28, 28)), 1.0))
        dots.set_color(colors(t, t_hidden))
        circles.set_color(colors(t, t_out))
        fresh = np.flatnonzero((t_hidden <= t) & (t - t_hidden < GLOW))
        strong = [(i, j) for i in fresh for j in range(10) if abs(w[i, j]) > 0.4 * np.abs(w).max()]
        pushed = [(p, i) for i in fresh if t - t_hidden[i] < GLOW / 3 for p in lit[np.argsort(params["w1"][lit, i])[-2:]]]
        lines.set_segments([((p % 28 + 0.5, p // 28 + 0.5), HIDDEN[i]) for p, i in pushed] + [(HIDDEN[i], OUTPUT[j]) for i, j in strong])
        lines.set_color(["#9ec9e2"] * len(pushed) + [BLUE if w[i, j] > 0 else VERMILLION for i, j in strong])
        v = np.where(t_out <= t, 1, np.clip(potentials(t, t_hidden, w), -0.4, 1))
        for bar, name, level, fired in zip(bars, names, v, t_out <= t, strict=True):
            bar.set(width=level * (FULL - ZERO), color=BLUE if fired else "#9ec9e2" if level > 0 else "#f0c9a8")
            name.set_fontweight("bold" if fired else "normal")
        first = t_out.argmin()
        said = f"{(t_hidden <= t).sum()} of 800 hidden neurons have fired"
        said = f"output {first} is first to fire: the answer" if t_out[first] <= t else said
        title.set_text(rf"t = {max(t, 0):.2f} $\tau$     {said}")

    return FuncAnimation(fig, draw, times), int(t_out.argmin())


# %%
# The film
# --------
# At the time of the decision fewer than one hidden neuron in ten has fired. Most of the others fire only after the dark pixels spike;
# their spikes have no influence on the decision.
if __name__ == "__main__":
    film, answer = animate(drawn(THREE))
    Path("figures").mkdir(exist_ok=True)
    film.save("figures/09-digit.gif", PillowWriter(fps=8))
    print(f"the network says {answer}: figures/09-digit.gif")
    assert answer == 3
