"""Draw the pictures of the start page, in light and dark, docs/_static/start-{time,count}-{light,dark}.svg, and a small one.

The small one, thumbnail.png, stands in the gallery for examples that draw nothing.

Run: python docs/_ext/start_picture.py
"""

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from pysnn.conventions import Rule
from pysnn.reference import integrate_fire, temporal

STATIC = Path(__file__).resolve().parents[1] / "_static"
SCHEMES = {"light": {"ink": "#333333", "faint": "#b5b5b5", "one": "#0b5e8a", "two": "#c2410c"},
           "dark": {"ink": "#d6d6d6", "faint": "#707070", "one": "#6cc0ea", "two": "#ff9d5c"}}
T_IN, W = np.array([0.0, 0.6, 1.2, 1.8]), np.array([1.1, 0.3, -0.55, 0.4])
SHIFT = 0.4                                                      # how much later the first input comes in the second run


def potential(t, t_in):
    """Return V/tau at times t (T2)."""
    since = t[:, None] - t_in
    return np.where(since > 0, W * -np.expm1(-np.clip(since, 0, None)), 0).sum(axis=1)


def spike(t_in):
    """Return the spike time and its derivatives with respect to the input times."""
    z_out, cache = temporal.forward(np.exp(t_in)[None], W[:, None])
    dz, _ = temporal.backward(np.ones((1, 1)), cache)
    return np.log(z_out[0, 0]), dz[0] * np.exp(t_in) / z_out[0, 0]


def axes(colours):
    """Make a figure with one pair of quiet axes."""
    figure = Figure(figsize=(4.6, 3.1), layout="constrained")
    figure.patch.set_alpha(0)
    ax = figure.subplots()
    ax.patch.set_alpha(0)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(colours["faint"])
    ax.tick_params(colors=colours["ink"], length=3, labelsize=10)
    for axis in (ax.xaxis, ax.yaxis):
        axis.label.set_color(colours["ink"])
        axis.label.set_size(11)
    return figure, ax


def draw_time(colours):
    """One neuron: its potential, when it fires, and by how much that moves if the first input is late."""
    figure, ax = axes(colours)
    t_out, slope = spike(T_IN)
    moved = T_IN + SHIFT * (np.arange(len(T_IN)) == 0)
    later, _ = spike(moved)
    for t_in, end, colour, width in ((moved, later, colours["faint"], 1.4), (T_IN, t_out, colours["one"], 2.4)):
        t = np.append(np.linspace(0, end, 400), end)
        ax.plot(t, potential(t, t_in), color=colour, lw=width)
        ax.plot([end, end], [1, 1.17], color=colour, lw=width)
    ax.axhline(1, color=colours["ink"], lw=0.8, ls=(0, (4, 3)))
    ax.text(0.0, 1.025, "threshold", color=colours["ink"], size=10)
    for k, (t, w) in enumerate(zip(T_IN, W, strict=True)):
        colour = colours["one"] if w > 0 else colours["two"]
        ax.annotate("", (t, -0.16 + 0.2 * w), (t, -0.16), arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 2})
        ax.text(t + 0.05, -0.17, f"$w_{k + 1}$", color=colour, size=11, va="center")
    ax.annotate("", (later, 1.13), (t_out, 1.13), arrowprops={"arrowstyle": "->", "color": colours["two"], "lw": 1.6,
                                                          "shrinkA": 0, "shrinkB": 0})
    ax.text(t_out - 0.06, 1.13, rf"$\partial t_\mathrm{{out}} / \partial t_1 = {slope[0]:.2f}$", color=colours["two"], size=11,
            va="center", ha="right")
    ax.set(xlim=(-0.1, max(later, t_out) + 0.25), ylim=(-0.28, 1.24), yticks=[0, 0.5, 1], xlabel=r"time, in $\tau$", ylabel="potential")
    return figure


def draw_count(colours, n_steps=6):
    """Spikes a step against a constant current: a staircase, and the ReLU whose slope stands in for its own."""
    figure, ax = axes(colours)
    a = np.linspace(-0.4, 1.4, 3601)
    spikes, _, _ = integrate_fire.forward(np.repeat(a[None, :, None], n_steps, axis=0), 1.0, 0.5, Rule("subtract"))
    ax.plot(a, np.clip(a, 0, 1), color=colours["two"], lw=1.8, label="ReLU with a ceiling: has a slope")
    ax.plot(a, spikes.mean(axis=0)[:, 0], color=colours["one"], lw=2.4, label=f"spikes in {n_steps} steps: has none")
    ax.legend(frameon=False, fontsize=10, labelcolor=colours["ink"], loc="upper left")
    ax.set(xlim=(-0.4, 1.4), ylim=(-0.05, 1.42), yticks=[0, 0.5, 1], xticks=[0, 0.5, 1],
           xlabel="current a step, in thresholds", ylabel="spikes a step")
    return figure


def main():
    """Write the four pictures, and a small one."""
    with matplotlib.rc_context({"svg.hashsalt": "pysnn", "mathtext.fontset": "dejavusans"}):
        for scheme, colours in SCHEMES.items():
            for name, draw in (("time", draw_time), ("count", draw_count)):
                draw(colours).savefig(STATIC / f"start-{name}-{scheme}.svg", metadata={"Date": None, "Creator": None}, transparent=True)
        draw_count(SCHEMES["light"]).savefig(STATIC / "thumbnail.png", dpi=70, metadata={"Software": None}, facecolor="white")


if __name__ == "__main__":
    main()
