"""Draw the four learning rules side by side: what goes forward, where the error enters, what it flows back through.

Run: python docs/figures/learning_rules.py          writes docs/figures/learning-rules.svg
"""

from itertools import pairwise

from look import BLUE, GREY, VERMILLION, lecture, panels, write
from proxy_scheme import arrow, box

TITLE = "Four learning rules for spike counts"
CAPTION = """The same two networks in each panel, spiking above, ReLU below, with shared weights; layers from left to right. Blue:
forward. Orange: the error and the backward pass. Grey: not used for training. Proxy: two separate forward passes; the error of
the spike counts is propagated back through the ReLU network. Tandem: each ReLU layer receives the rates of the spiking layer
before it. Surrogate: one network; the error is propagated back through the spikes, step by step, with a surrogate for their
derivative. Conversion: the ReLU network is trained alone; afterwards its weights are scaled and copied to the spiking network."""

UP, DOWN = 2.6, 0.5
COLUMNS = (1.0, 3.0, 5.0)
NOTES = {"proxy": "kept: the ReLU activations", "tandem": "kept: the rates", "surrogate": "kept: every step of every neuron",
         "conversion": "kept: the ReLU activations"}


def layers(ax, y, text, used):
    """Draw a row of three layers."""
    for x in COLUMNS:
        box(ax, x, y, text, BLUE if used else GREY, size=(1.05, 0.7), fontsize=11, color="black" if used else GREY)


def between(y, dy):
    """Return start and end of the arrows between the layers of a row, left to right."""
    ends = [(COLUMNS[0] - 1.2, COLUMNS[0] - 0.55), *((a + 0.53, b - 0.55) for a, b in pairwise(COLUMNS))]
    return [((a, y + dy), (b, y + dy)) for a, b in ends]


def rule(ax, name):
    """Draw one rule."""
    spiking, relu = name != "conversion", name != "surrogate"
    layers(ax, UP, "spiking", spiking)
    layers(ax, DOWN, "ReLU", relu)
    for y, used in ((UP, spiking), (DOWN, relu)):
        for k, (start, end) in enumerate(between(y, 0.15)):
            if name == "tandem" and y == DOWN and k:
                a, b = COLUMNS[k - 1] + 0.3, COLUMNS[k] - 0.3
                arrow(ax, (a, UP - 0.37), (b, DOWN + 0.37), BLUE, lw=2.2)
            else:
                arrow(ax, start, end, BLUE if used else GREY, lw=2.2 if used else 1.2)
    error, back = (DOWN if name == "conversion" else UP), (UP if name == "surrogate" else DOWN)
    arrow(ax, (5.53, error + 0.15), (6.2, error + 0.15), BLUE, lw=2.2)
    box(ax, 6.65, error, "loss", VERMILLION, size=(0.85, 0.7), fontsize=11)
    if error == back:
        arrow(ax, (6.2, error - 0.17), (5.55, error - 0.17), VERMILLION, lw=2.2)
    else:
        arrow(ax, (6.65, UP - 0.37), (5.55, DOWN - 0.17), VERMILLION, lw=2.2, bend="angle,angleA=-90,angleB=0,rad=8")
    for start, end in between(back, -0.17)[1:]:
        arrow(ax, end, start, VERMILLION, lw=2.2)
    if name == "conversion":
        arrow(ax, (COLUMNS[1], DOWN + 0.4), (COLUMNS[1], UP - 0.4), GREY, lw=1.8)
        ax.text(COLUMNS[1] + 0.15, (UP + DOWN) / 2, "afterwards: weights, scaled", color=GREY, va="center", fontsize=11)
    ax.text(-0.2, -0.55, NOTES[name], fontsize=11.5)
    ax.set(title=name, xlim=(-0.3, 7.2), ylim=(-0.85, 3.1), aspect="equal")
    ax.axis("off")


@lecture
def draw():
    """Return the figure."""
    fig, axes = panels(2, 2, size=(11, 6.6))
    for ax, name in zip(axes.ravel(), NOTES, strict=True):
        rule(ax, name)
    return fig


if __name__ == "__main__":
    print(write(__file__, draw()))
