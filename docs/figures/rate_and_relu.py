"""Draw how fast the rate of an integrate-and-fire neuron comes to the ReLU that is cut off at the threshold.

Run: python docs/figures/rate_and_relu.py          writes docs/figures/rate-and-relu.svg
"""

import numpy as np
from look import BLACK, BLUE, GREEN, VERMILLION, lecture, panels, write

from pysnn.conventions import Rule
from pysnn.reference import integrate_fire

TITLE = "What time steps are worth"
CAPTION = """Left: the rate after four steps and the clipped ReLU, with the initial potential 0 (rounds down) and half the
threshold (rounds to the nearest). Right: the largest difference over all constant currents, against the number of steps. With
reset by subtraction it falls as $1/T$, and the initial potential of half the threshold makes it half as large. With reset to zero
it stays at almost one half. So each further bit of precision doubles the number of steps."""

STEPS = np.array([1, 2, 4, 8, 16, 32, 64, 128, 256])
KINDS = (("subtract", 0.0, "by subtraction, from 0", BLUE, "o-"), ("subtract", 0.5, "by subtraction, from 1/2", GREEN, "s--"),
         ("zero", 0.0, "to zero", VERMILLION, "^-."))
SHOWN = 4


def rates(a, n_steps, reset, v_init):
    """Return the spikes a step under constant currents a."""
    spikes, _, _ = integrate_fire.forward(np.broadcast_to(a, (n_steps, len(a))).copy(), v_init=v_init, rule=Rule(reset=reset))
    return spikes.mean(axis=0)


def distances(reset, v_init):
    """Return the largest distance from the clipped ReLU for each number of steps."""
    a = np.arange(-0.2, 1.4, 0.0007) + 1e-5
    return np.array([np.abs(rates(a, n, reset, v_init) - np.clip(a, 0, 1)).max() for n in STEPS])


@lecture
def draw():
    """Return the figure."""
    fig, (left, right) = panels(1, 2, size=(10.5, 4.6))
    a = np.arange(-0.2, 1.4, 0.0007) + 1e-5
    left.plot(a, np.clip(a, 0, 1), "--", color=BLACK, lw=1.2, label="ReLU, cut off")
    for reset, v_init, said, color, line in KINDS:
        if reset == "subtract":
            left.plot(a, rates(a, SHOWN, reset, v_init), line[1:], color=color, lw=2.5, label=said)
        right.plot(STEPS, distances(reset, v_init), line, color=color, ms=7, label=said)
    left.set(xlabel=r"current $a/\theta$", ylabel="spikes a step, N/T", title=f"T = {SHOWN}")
    left.legend(loc="upper left", borderaxespad=0.2)
    right.set(xscale="log", yscale="log", xlabel="time steps T", ylabel="largest distance from the ReLU")
    right.set_xticks(STEPS, STEPS)
    right.set_yticks([1, 0.5, 0.1, 0.01, 0.002], ["1", "0.5", "0.1", "0.01", "0.002"])
    right.minorticks_off()
    right.set(title="all currents")
    right.legend(loc="lower left")
    return fig


if __name__ == "__main__":
    print(write(__file__, draw()))
