"""Draw what an inhibitory spike does that meets the crossing: the spike time jumps, and no gradient says so.

Run: python docs/figures/jump.py          writes docs/figures/jump.svg
"""

import numpy as np
from look import BLACK, BLUE, GREY, VERMILLION, lecture, panels, write

from pysnn.reference import temporal

TITLE = "The jump"
CAPTION = """Inputs at $z = 1$ (weight 2), $z_2$ (inhibitory) and 4 (weight 1), threshold 1. Left: the potential for a weight of
$-1.5$. If the inhibitory spike comes just after the crossing at $z = 2$ (blue), it is too late. If it comes just before
(orange), the potential turns back short of the threshold, and the neuron fires only when the third input helps. Right: the
spike time against $z_2$. With the weight $-0.5$ there is a kink: the value is continuous, the slope is not. With $-1.5$ there
is a jump from 6 to 2, and on its right the derivative is exactly 0, with no warning."""

Z = (1.0, 4.0)                   # the excitatory inputs
W = (2.0, 1.0)


def z_out(z2, w2):
    """Return the spike time z for inhibitory spikes z2 of weight w2."""
    z_in = np.stack([np.full_like(z2, Z[0]), z2, np.full_like(z2, Z[1])], axis=1)
    return temporal.forward(z_in, np.array([[W[0]], [w2], [W[1]]]))[0][:, 0]


def potential(z, z2, w2):
    """Return V/tau at z."""
    return sum(w * np.maximum(0, 1 - z_i / z) for z_i, w in ((Z[0], W[0]), (z2, w2), (Z[1], W[1])))


@lecture
def draw():
    """Return the figure."""
    fig, (left, right) = panels(1, 2, size=(10.5, 4.6))
    z = np.geomspace(1, 8, 800)
    for z2, color, line in ((2.1, BLUE, "-"), (1.9, "#C77700", "--")):
        (out,) = z_out(np.array([z2]), -1.5)
        some = z <= out
        left.plot(np.log(z[some]), potential(z[some], z2, -1.5), line, color=color, lw=3)
        left.plot(np.log(out), 1, "*", color=color, ms=17, zorder=5)
        left.vlines(np.log(z2), 0.06, 0.3, color=color, lw=3)
        left.plot(np.log(z2), 0.06, "v", color=color, ms=10)
        left.text(np.log(out), 1.08, f"$z_2$ = {z2:g}: spike\nat z = {out:.2g}", color=color, ha="center", fontsize=12)
    left.text(0.8, 0.12, "inhibitory\nspikes", fontsize=12)
    left.axhline(1, color=BLACK, ls="--", lw=1.2)
    left.axvline(np.log(4), color=GREY, lw=0.8)
    left.text(np.log(4) + 0.03, 0.06, "third\ninput", color=GREY, fontsize=12)
    left.set(xlabel=r"time t = ln z ($\tau$)", ylabel=r"potential V/$\tau$", ylim=(0, 1.38), xlim=(0, 2.2))
    left.set_title("weight -1.5: just before or just after the crossing")
    below, above = np.linspace(1.2, 2, 60)[:-1], np.linspace(2, 3, 60)
    for w2, color, line in ((-1.5, VERMILLION, "-"), (-0.5, BLUE, "-.")):
        for some in (below, above):
            right.plot(some, z_out(some, w2), line, color=color, lw=3)
    right.plot([2, 2], [2, 6], ":", color=VERMILLION, lw=1.5)
    right.plot(2, 2, "o", color=VERMILLION, ms=8)
    right.plot(2, 6, "o", color=VERMILLION, mfc="white", ms=8, mew=2)
    right.text(1.55, 7.6, "weight -1.5: jump", color=VERMILLION, fontsize=12)
    right.text(1.23, 1.9, "weight -0.5:\nkink", color=BLUE, fontsize=12, va="center")
    right.text(2.08, 2.25, "slope 0, both", fontsize=12)
    right.set(xlabel="time of the inhibitory spike $z_2$", ylabel=r"spike time $z_{\mathrm{out}}$", ylim=(0.9, 8.6))
    right.set_title("the output spike")
    return fig


if __name__ == "__main__":
    print(write(__file__, draw()))
