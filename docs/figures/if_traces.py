"""Draw the potential of an integrate-and-fire neuron step by step, for both resets.

Run: python docs/figures/if_traces.py          writes docs/figures/if-traces.svg
"""

import numpy as np
from look import BLACK, BLUE, GREY, VERMILLION, lecture, panels, write

from pysnn.conventions import Rule
from pysnn.reference import integrate_fire

TITLE = "Integrate and fire, step by step"
CAPTION = """A constant current of 0.75 thresholds a step, for twelve steps. Each step adds the current (blue, up); where the
potential reaches the threshold there is a spike (star), and the reset (orange, down). Reset by subtraction keeps the excess over
the threshold: 9 spikes in 12 steps, so the rate equals the current. Reset to zero discards it: the neuron needs two steps for
each spike, for any current from 0.5 to just below 1, and fires 6 times."""

CURRENT, N_STEPS = 0.75, 12
ARROW = {"arrowstyle": "-|>", "lw": 2.2, "shrinkA": 0, "shrinkB": 0}


def trace(reset):
    """Return the potentials before and after each reset, and the spikes."""
    spikes, _, cache = integrate_fire.forward(np.full((N_STEPS, 1), CURRENT), rule=Rule(reset=reset))
    u, s = cache.u[:, 0], spikes[:, 0]
    return u, np.where(s > 0, u - 1 if reset == "subtract" else 0, u), s


@lecture
def draw():
    """Return the figure."""
    fig, axes = panels(2, size=(9, 5.4), sharex=True, sharey=True)
    for ax, (reset, said) in zip(axes, (("subtract", "reset by subtraction"), ("zero", "reset to zero")), strict=True):
        u, v, s = trace(reset)
        for t in range(N_STEPS):
            before = v[t - 1] if t else 0.0
            ax.plot([t, t + 1], [before, before], color=GREY, lw=1.5)
            ax.annotate("", (t + 1, u[t]), (t + 1, before), arrowprops={**ARROW, "color": BLUE})
            if s[t]:
                ax.annotate("", (t + 1.1, v[t]), (t + 1.1, u[t]), arrowprops={**ARROW, "color": VERMILLION})
                ax.plot(t + 1.05, 1.68, "*", color=VERMILLION, ms=13, clip_on=False)
        ax.axhline(1, color=BLACK, ls="--", lw=1.2)
        ax.text(0.05, 1.05, "threshold", fontsize=12)
        ax.set(ylabel="potential V", ylim=(0, 1.85), title=f"{said}: {s.sum():.0f} spikes in {N_STEPS} steps")
    axes[1].set(xlabel="time step", xlim=(0, N_STEPS + 0.5), xticks=range(1, N_STEPS + 1))
    return fig


if __name__ == "__main__":
    print(write(__file__, draw()))
