"""Draw what max-pooling does to spikes: an OR in each step, whose rate depends on who fires together.

Run: python docs/figures/or_pooling.py          writes docs/figures/or-pooling.svg
"""

import numpy as np
from look import BLACK, BLUE, GREEN, VERMILLION, lecture, panels, write

from pysnn.reference import pool

TITLE = "The maximum of spikes is an OR"
CAPTION = """Four units of one pooling window, each with the rate 1/4. Left: if they fire together, the maximum of their spikes
has the rate 1/4, and so has the maximum of their rates, which the ReLU twin computes. If they fire in turn, the pool fires in
every step: 1. Right: the rate of the pool against that of its four units, equation (P10). Everything between the two bounds is
possible; independent units lie in the middle. Average-pooling gives the mean of the four rates in all three cases."""

N_UNITS, N_STEPS = 4, 16


def trains(together):
    """Return spikes of the four units, (T, 4), and of their pool, (T,)."""
    t = np.arange(N_STEPS)[:, None]
    spikes = ((t - (0 if together else np.arange(N_UNITS))) % N_UNITS == 0) * np.ones((N_STEPS, N_UNITS))
    pooled, _ = pool.max_pool2d_forward(spikes.reshape(N_STEPS, 2, 2, 1), 2)
    return spikes, pooled.ravel()


@lecture
def draw():
    """Return the figure."""
    fig, _ = panels(size=(11, 4.8))
    fig.clear()
    grid = fig.add_gridspec(2, 2, width_ratios=[1.35, 1])
    for row, (together, said) in enumerate(((True, "all at once"), (False, "taking turns"))):
        ax = fig.add_subplot(grid[row, 0])
        spikes, pooled = trains(together)
        for k in range(N_UNITS):
            ax.vlines(np.flatnonzero(spikes[:, k]) + 1, N_UNITS - k + 0.15, N_UNITS - k + 0.85, color=BLUE, lw=3)
        ax.vlines(np.flatnonzero(pooled) + 1, 0.1, 0.9, color=VERMILLION, lw=4)
        ax.axhline(1.02, color=BLACK, lw=0.8)
        ax.set_yticks([0.5, *np.arange(N_UNITS) + 1.5], ["maximum", *(f"unit {N_UNITS - k}" for k in range(N_UNITS))])
        ax.tick_params(axis="y", length=0)
        ax.grid(False)
        ax.set(xlim=(0.3, N_STEPS + 0.7), ylim=(0, 5), title=f"{said}: rate of the maximum {pooled.mean():g}", xticks=[1, 4, 8, 12, 16])
    ax.set(xlabel="time step")
    right = fig.add_subplot(grid[:, 1])
    r = np.linspace(0, 1, 201)
    right.plot(r, np.minimum(1, N_UNITS * r), "-", color=VERMILLION, label="taking turns")
    right.plot(r, 1 - (1 - r) ** N_UNITS, "-.", color=GREEN, label="independent")
    right.plot(r, r, "--", color=BLUE, label="together; the ReLU twin")
    right.fill_between(r, r, np.minimum(1, N_UNITS * r), color=VERMILLION, alpha=0.08, lw=0)
    right.set(xlabel="rate of each of the four units", ylabel="rate of their maximum", aspect="equal")
    right.legend(loc="lower right")
    return fig


if __name__ == "__main__":
    print(write(__file__, draw()))
