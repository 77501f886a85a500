"""Draw every spike that one digit causes in the temporal network that ships with pysnn.

Run: python docs/figures/raster_digit.py          writes docs/figures/raster-digit.svg
"""

import runpy
from pathlib import Path

import numpy as np
from look import BLUE, GREY, VERMILLION, lecture, panels, write

TITLE = "Every spike of one digit"
CAPTION = """A drawn 3 in the network of 784-800-10 neurons that ships with pysnn (98.2 % on MNIST). Left: the digit; its bright
pixels spike at 0, the dark ones at $\\ln 6 = 1.79\\,\\tau$. Right, above: the hidden neurons in the order of their spikes;
below: the outputs. Output 3 fires first, and that is the answer (dashed): by then 70 of the 800 hidden neurons have fired
(blue). What comes later (grey) has no influence on the spike that decides, and gets no gradient through it."""

EXAMPLE = Path(__file__).parents[2] / "examples/09_animate_digit.py"


def times():
    """Return the image and the spike times of input, hidden layer and output."""
    example = runpy.run_path(str(EXAMPLE), run_name="example")
    image = example["drawn"](example["THREE"])
    return image, example["spike_times"](image)[0]


@lecture
def draw():
    """Return the figure."""
    image, (_, t_hidden, t_out) = times()
    fig, _ = panels(size=(10.5, 5.2))
    fig.clear()
    grid = fig.add_gridspec(2, 2, width_ratios=[1, 2.6], height_ratios=[1.5, 1])
    left = fig.add_subplot(grid[:, 0])
    row, column = np.nonzero(image > 127)
    left.scatter(column, row, s=24, marker="s", color=BLUE, lw=0)
    left.set(xlim=(-0.5, 27.5), ylim=(27.5, -0.5), aspect="equal", xticks=[], yticks=[], title="the bright pixels")
    left.grid(False)
    left.spines[:].set_visible(False)
    hidden = fig.add_subplot(grid[0, 1])
    output = fig.add_subplot(grid[1, 1], sharex=hidden)
    decision = t_out.min()
    order = np.sort(t_hidden)
    early = order <= decision
    rank = np.arange(len(order))
    hidden.plot(order[early], rank[early], "|", color=BLUE, ms=6)
    hidden.plot(order[~early], rank[~early], "|", color=GREY, ms=6)
    hidden.set(ylabel="hidden, in order", title=f"{early.sum()} of 800 hidden neurons fire before the decision")
    hidden.tick_params(labelbottom=False)
    for j, t in enumerate(t_out):
        output.plot(t, j, "*" if t == decision else "o", color=VERMILLION if t == decision else GREY, ms=16 if t == decision else 7)
    output.set(ylabel="output", xlabel=r"time t ($\tau$)", yticks=range(0, 10, 3), ylim=(-0.8, 9.8))
    for ax in (hidden, output):
        ax.axvline(decision, color=VERMILLION, ls="--", lw=1.2, zorder=0)
    output.text(decision + 0.12, t_out.argmin() - 0.3, f"{t_out.argmin()}: t = {decision:.2f} $\\tau$", color=VERMILLION, va="center")
    fig.align_ylabels([hidden, output])
    return fig


if __name__ == "__main__":
    print(write(__file__, draw()))
