"""Draw the errors of the temporal neuron against the condition kappa, from docs/results/kappa.json.

Run: python docs/figures/error_against_kappa.py          writes docs/figures/error-against-kappa.svg
"""

import json
from pathlib import Path

import numpy as np

from pysnn import plots
from pysnn._plotting import BLACK, BLUE, GREY, figure, legend, styled

HERE = Path(__file__).parent
COLORS = {"reference": GREY, "kernels": BLUE}
FLOOR = 0.01         # where errors below it are drawn, exact results among them
BITS = {"float64": r"$2^{-52}$", "float32": r"$2^{-23}$"}


@styled
def draw(record):
    """Draw one panel for each dtype.

    Parameters
    ----------
    record : dict
        docs/results/kappa.json.

    Returns
    -------
    matplotlib.figure.Figure
        Points: a sample of the neurons, the worst ones among them. Lines: what is promised.
    """
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


def main():
    """Draw and save."""
    plots.save(draw(json.loads((HERE.parent / "results/kappa.json").read_text())), HERE / "error-against-kappa.svg")


if __name__ == "__main__":
    main()
