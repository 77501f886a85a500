"""Draw one activation read as a ReLU, as a first spike and as a rate, and what the three readings of one network cost (bridge.json).

Run: python docs/figures/three_readings.py          writes docs/figures/three-readings.svg
"""

import json
from pathlib import Path

import numpy as np
from look import BLACK, BLUE, GREEN, VERMILLION, lecture, panels, write

from pysnn.layers.first_spikes import Charge, FirstSpikes
from pysnn.reference import integrate_fire

TITLE = "One set of weights, three readings"
CAPTION = """Left: what the next layer gets of a neuron with the current $u$. As a ReLU with a ceiling, as a first spike (the time from the
spike to the end of a window of length 1), and as a rate over $T = 4$ steps. The first two are the same line; the rate is a staircase below
it. Right: accuracy on the test set of Fashion-MNIST against additions an image, for the weights of `fashion-fast` read as first spikes
and as rates over 1 to 32 steps; dashed: the ReLU network. First spikes decide as the ReLU network does. Rates get there with steps, and
each step costs additions. Record: `docs/results/bridge.json`."""

RECORD, NAME, STEPS = Path(__file__).parent.parent / "results/bridge.json", "fashion-fast", 4


def readings(u):
    """Return what the next layer gets: ReLU with a ceiling at 1, charge of the first spike, rate."""
    t, _ = FirstSpikes(1.0).forward(u[None])
    charge, _ = Charge(1.0).forward(t)
    spikes, _, _ = integrate_fire.forward(np.broadcast_to(u, (STEPS, len(u))).copy())
    return np.clip(u, 0, 1), charge[0], spikes.mean(axis=0)


def rows():
    """Return the rows of the record for one network."""
    return next(run["rows"] for run in json.loads(RECORD.read_text())["runs"] if run["name"] == NAME)


@lecture
def draw():
    """Return the figure."""
    fig, (left, right) = panels(1, 2, size=(10.5, 4.6))
    u = np.linspace(-0.3, 1.3, 641)
    relu, charge, rate = readings(u)
    left.plot(u, relu, color=BLACK, lw=5, alpha=0.35, label="ReLU with a ceiling")
    left.plot(u, charge, color=BLUE, ls="--", lw=2, label="first spike")
    left.plot(u, rate, color=VERMILLION, lw=2, label=f"rate, T = {STEPS}")
    left.legend(loc="upper left", frameon=False)
    left.set(xlabel="current u", ylabel="what the next layer gets", ylim=(-0.08, 1.35))
    found = rows()
    relu_accuracy = next(row["accuracy"] for row in found if row["network"] == "ReLU")
    first = next(row for row in found if row["network"] == "first spikes")
    rates = [row for row in found if row["network"].startswith("rates")]
    right.axhline(100 * relu_accuracy, color=BLACK, ls="--", lw=1.2)
    right.plot([row["additions"] / 1e6 for row in rates], [100 * row["accuracy"] for row in rates], "o-", color=VERMILLION)
    for row in rates[:4]:
        right.annotate(row["network"].removeprefix("rates, "), (row["additions"] / 1e6, 100 * row["accuracy"]), (8, -12),
                       textcoords="offset points", color=VERMILLION, fontsize=12)
    right.plot(first["additions"] / 1e6, 100 * first["accuracy"], "D", color=GREEN, ms=11)
    right.annotate("first spikes", (first["additions"] / 1e6, 100 * first["accuracy"]), (0, 12), textcoords="offset points", color=GREEN,
                   ha="center")
    right.text(130, 100 * relu_accuracy + 0.25, "ReLU", ha="right", fontsize=12)
    right.set_xscale("log")
    right.set(xlabel="additions an image (millions)", ylabel="accuracy (%)", ylim=(85, 96.5))
    right.set_xticks([3, 10, 30, 100], ["3", "10", "30", "100"])
    right.minorticks_off()
    return fig


if __name__ == "__main__":
    print(write(__file__, draw()))
