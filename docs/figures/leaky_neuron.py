"""Draw a leaky neuron at a constant current, and its rate against the current.

Run: python docs/figures/leaky_neuron.py          writes docs/figures/leaky-neuron.svg
"""

import numpy as np
from look import BLACK, BLUE, GREEN, LECTURE, VERMILLION, lecture, panels, write

from pysnn.conventions import Rule
from pysnn.reference import leaky

TITLE = "The leaky neuron and its f-I curve"
CAPTION = """A membrane of 100 megaohm and 200 picofarad, so of 20 ms, whose threshold lies 15 mV above rest. Left: at 0.3 nA the
potential tends to 30 mV (dotted) and reaches the threshold after 13.9 ms. Exact steps of 10 ms lie on the curve and miss the
moment: they fire at 20 ms, and begin again from there. Right: the rate against the current, (M3). It begins at the rheobase, 0.15
nA, with an infinite slope. With a refractory time of 5 ms it stays below 200 spikes per second. In steps of 10 ms, (D5), each
interval is rounded up to a whole step."""

TAU, R, THRESHOLD, CURRENT, DT = 20.0, 100.0, 15.0, 0.3, 10.0          # ms, megaohm, mV, nA, ms


def rate(current, t_ref=0.0):
    """Return spikes per second of currents in nA, by (M3)."""
    x = R * np.asarray(current)
    fires = x > THRESHOLD
    charge = TAU * np.log(np.where(fires, x, 2 * THRESHOLD) / (np.where(fires, x, 2 * THRESHOLD) - THRESHOLD))
    return np.where(fires, 1000 / (t_ref + charge), 0.0)


def in_steps(current, n_steps=1000):
    """Return the potentials before the reset, and spikes per second, of exact steps of DT; reset to zero."""
    x = np.full((n_steps, 1, np.size(current)), R * np.asarray(current))
    spikes, _, cache = leaky.forward(x, np.exp(-DT / TAU), THRESHOLD, rule=Rule("zero", gain="1 - beta"))
    return leaky.potentials(cache)[:, 0], 1000 * spikes[:, 0].mean(axis=0) / DT


@lecture
def draw():
    """Return the figure."""
    fig, (left, right) = panels(1, 2, size=(11.5, 4.6))
    t1 = 1000 / rate(CURRENT)
    t = np.linspace(0, t1, 100)
    for k in range(5):
        left.plot(k * t1 + t, R * CURRENT * (1 - np.exp(-t / TAU)), color=BLUE)
        left.plot([(k + 1) * t1] * 2, [THRESHOLD, 0], color=BLUE, lw=1, ls=":")
    left.plot(DT * np.arange(1, 7), in_steps(CURRENT, 6)[0][:, 0], "o", color=VERMILLION, ms=8)
    left.axhline(THRESHOLD, color=BLACK, ls="--", lw=1.2)
    left.axhline(R * CURRENT, color=BLACK, ls=":", lw=1.2)
    left.text(61, THRESHOLD + 0.5, "threshold", ha="right", fontsize=12)
    left.text(61, R * CURRENT - 1.6, "where it tends to, R I", ha="right", fontsize=12)
    left.plot([], [], color=BLUE, label="continuous time")
    left.plot([], [], "o", color=VERMILLION, ms=8, label="exact steps of 10 ms")
    left.set(xlabel="time (ms)", ylabel="potential above rest (mV)", xlim=(0, 62), ylim=(0, 32))
    x = np.union1d(np.linspace(0, 0.8, 801), 0.15 + np.geomspace(1e-6, 0.05, 60))
    right.plot(x, rate(x), color=BLUE, label="no refractory time")
    right.plot(x, rate(x, 5.0), color=GREEN, ls="-.", label="refractory for 5 ms")
    right.plot(x, in_steps(x)[1], color=VERMILLION, ls="--", label="in steps of 10 ms")
    right.plot(CURRENT, rate(CURRENT), "*", color=BLUE, ms=14)
    right.set(xlabel="current (nA)", ylabel="spikes per second", xlim=(0, 0.8), ylim=(0, 250))
    left.legend(loc="upper left", bbox_to_anchor=(0, -0.17), fontsize=LECTURE["legend.fontsize"], ncols=2)
    right.legend(loc="upper left", bbox_to_anchor=(0, -0.17), fontsize=LECTURE["legend.fontsize"], ncols=2)
    return fig


if __name__ == "__main__":
    print(write(__file__, draw()))
