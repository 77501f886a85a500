"""Draw the spikes of two ears that hear a tone, and the coincidences behind each delay: one sample of `sound`.

Run: python docs/figures/two_ears.py          writes docs/figures/two-ears.svg
"""

import numpy as np
from look import BLACK, BLUE, GREY, VERMILLION, lecture, panels, write

from pysnn import datasets, exercises

TITLE = "Two ears"
CAPTION = """Left: the spikes of every second fibre of each ear. They hear a tone, here the left ear later than the right one. Each train
is noise for itself; the direction lies in the time between the ears. Right: how often a left spike and a right spike of its
partner meet behind a delay of $d$ steps, (H5); for $d < 0$ the right ear is delayed. The largest count is at $d = -10$. Both
ears have about as many spikes, wherever the sound is: these numbers say nothing."""

SAMPLE, DELAYS = 4, np.arange(-14, 15)


def ears():
    """Return the spikes (T, n) of the left and the right ear, and the class."""
    x, y = datasets.sound(5, 3)
    x = x[SAMPLE].astype(float)
    return x[:, :100], x[:, 100:], int(y[SAMPLE])


def counts():
    """Return (H5) for each delay."""
    left, right, _ = ears()
    return exercises.get("localise").functions["coincidences"](left, right, DELAYS)


@lecture
def draw():
    """Return the figure."""
    fig, (left, right) = panels(1, 2, size=(10.5, 4.6), width_ratios=[1.35, 1])
    for spikes, color, base in ((ears()[0], BLUE, 110), (ears()[1], VERMILLION, 0)):
        steps, fibres = np.nonzero(spikes[:, ::2])
        left.plot(steps, base + 2 * fibres, ".", color=color, ms=3)
    left.set_yticks([50, 160], ["right ear", "left ear"])
    left.tick_params(axis="y", length=0)
    left.grid(visible=False, axis="y")
    left.set(xlabel="time (steps of 1 ms)", xlim=(-1, 100), ylim=(-4, 214))
    found = counts()
    best = DELAYS[found.argmax()]
    right.bar(DELAYS, found, color=[VERMILLION if d == best else GREY for d in DELAYS])
    right.text(best, found.max() * 1.02, f"d = {best}", ha="center", va="bottom", color=BLACK)
    right.set(xlabel="delay d of the left ear (steps)", ylabel="coincidences C(d)", ylim=(0, found.max() * 1.15))
    return fig


if __name__ == "__main__":
    print(write(__file__, draw()))
