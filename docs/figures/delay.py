"""Draw what a delay does to a spike: two inputs that meet, and the spike time against the delay with its exact slope.

Run: python docs/figures/delay.py          writes docs/figures/delay.svg
"""

import numpy as np
from look import BLACK, BLUE, GREY, VERMILLION, lecture, panels, write

from pysnn.reference import delays

TITLE = "A delay"
CAPTION = """Two inputs, sent at $t = 0$ and $1\\,\\tau$, with the weights $0.8$ and $0.6$; the first has a delay. Left: the potential
without the delay (blue), and with a delay of $1\\,\\tau$, when both arrive together (orange). Right: the spike time against
the delay, and the slope that (T11) gives at $0.5\\,\\tau$. The first input is causal for all delays drawn, so the curve has
no kink. In $z$ it is a sum of a constant and a multiple of $e^d$, so in $t$ its slope grows from 0.33 to 0.78."""

T_IN, W = np.array([0.0, 1.0]), np.array([0.8, 0.6])


def neuron(delay):
    """Return the spike time in tau and its derivative with respect to the delay of the first input."""
    z_out, cache = delays.forward(np.exp(T_IN)[None], W[:, None], np.array([[delay], [0.0]]))
    ddelay = delays.backward(1 / z_out, cache)[2]                        # dt = dz / z
    return np.log(z_out.item()), ddelay[0, 0]


def potential(t, delay):
    """Return V/tau at times t."""
    arrival = T_IN + np.array([delay, 0.0])
    return np.where(t[:, None] > arrival, 1 - np.exp(np.minimum(arrival - t[:, None], 0)), 0) @ W


@lecture
def draw():
    """Return the figure."""
    fig, (left, right) = panels(1, 2, size=(10.5, 4.4))
    for delay, color, line in ((0.0, BLUE, "-"), (1.0, "#C77700", "--")):
        t_out, _ = neuron(delay)
        t = np.linspace(0, t_out, 300)
        left.plot(t, potential(t, delay), line, color=color, lw=3)
        left.plot(t_out, 1, "*", color=color, ms=17, zorder=5)
        left.text(t_out + (0.12, -0.12)[delay > 0], 1.07, f"t = {t_out:.2f}", color=color, ha=("right", "left")[delay > 0], fontsize=12)
        left.vlines(T_IN[0] + delay, 0.02 + 0.12 * (delay > 0), 0.12 + 0.12 * (delay > 0), color=color, lw=3)
    left.text(0.2, 0.03, "first input", color=BLUE, fontsize=12)
    left.text(0.95, 0.15, "delayed by 1", ha="right", color="#C77700", fontsize=12)
    left.vlines(1, 0.02, 0.12, color=GREY, lw=3)
    left.text(1.12, 0.03, "second input", color=GREY, fontsize=12)
    left.axhline(1, color=BLACK, ls="--", lw=1.2)
    left.text(0.03, 1.03, "threshold", fontsize=12)
    left.set(xlabel=r"time ($\tau$)", ylabel=r"potential V/$\tau$", ylim=(0, 1.25), xlim=(-0.1, 2.6))
    d = np.linspace(0, 2, 101)
    right.plot(d, [neuron(x)[0] for x in d], color=BLUE, lw=3)
    t_out, slope = neuron(0.5)
    right.plot(0.5 + np.array([-0.4, 0.4]), t_out + slope * np.array([-0.4, 0.4]), color=VERMILLION, lw=2)
    right.plot(0.5, t_out, "o", color=VERMILLION, ms=9)
    right.text(0.55, t_out - 0.12, f"slope {slope:.2f}", color=VERMILLION)
    right.set(xlabel=r"delay of the first input ($\tau$)", ylabel=r"spike time ($\tau$)", xlim=(0, 2))
    return fig


if __name__ == "__main__":
    print(write(__file__, draw()))
