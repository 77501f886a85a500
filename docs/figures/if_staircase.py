"""Draw the spike count against a constant current, for both resets and three numbers of steps.

Run: python docs/figures/if_staircase.py          writes docs/figures/if-staircase.svg
"""

import numpy as np
from look import BLACK, BLUE, VERMILLION, lecture, panels, write

from pysnn.conventions import Rule
from pysnn.reference import integrate_fire

TITLE = "The staircase of counts"
CAPTION = """Spikes a step, $N/T$, of an integrate-and-fire neuron under a constant current $a$, equations (I4) and (I5). With
reset by subtraction (blue) the stairs have $T + 1$ levels and follow the ReLU that is clipped at the threshold (dashed), never
more than $1/T$ below it. With reset to zero (orange) they end at the levels 1, 1/2, 1/3, ... for any number of steps: all
currents from half the threshold to just below it give the same rate."""

STEPS = (4, 15, 60)


def rates(a, n_steps, reset):
    """Return the spikes a step under constant currents a."""
    spikes, _, _ = integrate_fire.forward(np.broadcast_to(a, (n_steps, len(a))).copy(), rule=Rule(reset=reset))
    return spikes.mean(axis=0)


@lecture
def draw():
    """Return the figure."""
    fig, axes = panels(1, len(STEPS), size=(11, 4.4), sharey=True)
    a = np.arange(-0.1, 1.25, 0.0009) + 1e-5         # beside the steps, where rounding would decide
    for ax, n_steps in zip(axes, STEPS, strict=True):
        ax.plot(a, np.clip(a, 0, 1), "--", color=BLACK, lw=1.2, label="ReLU, cut off at the threshold")
        ax.plot(a, rates(a, n_steps, "subtract"), color=BLUE, lw=2.2, label="reset by subtraction")
        ax.plot(a, rates(a, n_steps, "zero"), color=VERMILLION, lw=2.2, label="reset to zero")
        ax.set(title=f"T = {n_steps}", xlabel=r"current $a/\theta$")
    axes[0].set(ylabel="spikes a step, N/T")
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper left", ncols=3)
    return fig


if __name__ == "__main__":
    print(write(__file__, draw()))
