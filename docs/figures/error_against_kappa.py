"""Draw the errors of the temporal neuron against the condition kappa, from docs/results/kappa.json.

Run: python docs/figures/error_against_kappa.py          writes docs/figures/error-against-kappa.svg
"""

import json
from pathlib import Path

import numpy as np
from look import BLACK, BLUE, GREY, write

from pysnn.plots._style import figure, legend, styled

TITLE = "Rounding, and the condition number"
CAPTION = """Relative errors of spike times against 50-digit answers, over the condition number kappa of the neuron; both axes are
logarithmic. Each point is a neuron of a random problem; the figure shows a sample that includes the worst. Errors grow with
kappa, as for sums in the working precision, and stay below twice kappa for the kernels (dashed). Errors below 0.01 units, also
exact answers, are drawn at 0.01. Record: `docs/results/kappa.json`."""

RECORD = Path(__file__).parent.parent / "results/kappa.json"
COLORS = {"reference": GREY, "kernels": BLUE}
FLOOR = 0.01         # where errors below it are drawn, exact results among them
BITS = {"float64": r"$2^{-52}$", "float32": r"$2^{-23}$"}


@styled
def draw():
    """Return the figure: one panel for each dtype; points: a sample of the neurons, the worst ones among them; lines: what is promised."""
    record = json.loads(RECORD.read_text())
    fig, axes = figure(len(record["limits"]), 7)
    for ax, (dtype, limit) in zip(axes, record["limits"].items(), strict=True):
        for s in record["series"]:
            if s["dtype"] == dtype:
                kappa, error = np.array(s["points"]).T
                ax.plot(kappa, np.maximum(error, FLOOR), "o", color=COLORS[s["backend"]], ms=2.6, mew=0, alpha=0.75,
                        label=f"{s['backend']}: median {s['median']:.2f} kappa, largest {s['max']:.2f} kappa")
        line = np.array([1.0, limit])
        ax.plot(line, 2 * line, "--", color=BLACK, lw=1.2, label="2 kappa, the bound for the kernels")
        n = sum(s["compared"] for s in record["series"] if s["dtype"] == dtype and s["backend"] == "kernels")
        ax.set(xscale="log", yscale="log", xlim=(1, limit), ylim=(0.7 * FLOOR, 4 * limit), xlabel="kappa, condition of the spike time",
               ylabel=f"relative error (units of {BITS[dtype]})")
        ax.text(0.01, 0.93, f"{dtype}, {n:,} spikes", transform=ax.transAxes)
        legend(ax, 1)
    return fig


if __name__ == "__main__":
    print(write(__file__, draw()))
