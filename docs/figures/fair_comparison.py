"""Draw accuracy against time steps and against operations from docs/results/compare-fair.json: four learning rules, one network.

Run: python docs/figures/fair_comparison.py          writes docs/figures/fair-comparison.svg
"""

import json
from pathlib import Path

import numpy as np
from look import BLACK, BLUE, GREEN, ORANGE, VERMILLION, lecture, panels, write

TITLE = "The learning rules on equal terms"
CAPTION = """Test accuracy on Fashion-MNIST of one small convolutional network, trained by each learning rule on equal terms (3,000
images, 4 epochs, the same number of tries), against the number of time steps, and against operations: the multiply-adds of the first
layer and one addition for each weight that a spike meets. Conversions are trained once, all others anew for each T. Bars: standard
deviation over seeds. The dashed line is the ReLU network of the plain conversion, before it is converted. Record:
`docs/results/compare-fair.json`."""

RECORD = Path(__file__).parent.parent / "results/compare-fair.json"
COLORS = {"conversion": ORANGE, "tandem": GREEN, "surrogate": VERMILLION, "proxy": BLUE}
LOOKS = (("o", "-"), ("s", "--"), ("^", ":"))          # of the first, second, third line of a learning rule


def lines():
    """Return, by line, arrays of T, accuracy in percent, its standard deviation, and operations an image."""
    table, found = json.loads(RECORD.read_text())["table"], {}
    for row in table:
        operations = row["multiply_adds"] + row["additions"]
        found.setdefault(row["method"], []).append((row["n_steps"], 100 * row["accuracy"], 100 * (row["std"] or 0), operations))
    return {line: np.array(sorted(rows)).T for line, rows in found.items()}


@lecture
def draw():
    """Return the figure."""
    fig, axes = panels(1, 2, size=(11, 5.2), sharey=True)
    record, n_drawn = json.loads(RECORD.read_text()), {}
    for line, (steps, accuracy, std, operations) in lines().items():
        rule = line.partition(",")[0]
        marker, style = LOOKS[n_drawn.setdefault(rule, 0)]
        n_drawn[rule] += 1
        for ax, x in zip(axes, (steps, operations / 1e6), strict=True):
            ax.errorbar(x, accuracy, std, color=COLORS[rule], ls=style, marker=marker, ms=6, capsize=3, label=line)
    ticks = sorted({row["n_steps"] for row in record["table"]})
    for ax, label in zip(axes, ("time steps T", "multiply-adds and additions an image (millions)"), strict=True):
        ax.axhline(100 * np.mean(record["relu"]["conversion"]), color=BLACK, ls="--", lw=1.2, label="ReLU network")
        ax.set_xscale("log")
        ax.set(xlabel=label)
    axes[0].set_xticks(ticks, [f"{t}" for t in ticks])
    axes[0].minorticks_off()
    low, high = axes[1].get_xlim()
    marks = [x for x in (0.3, 0.4, 0.5, 0.7, 1, 1.5, 2, 3, 4, 6, 10, 20) if low <= x <= high]
    axes[1].set_xticks(marks, [f"{x:g}" for x in marks])
    axes[1].minorticks_off()
    axes[0].set(ylabel="accuracy (%)")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=4)
    return fig


if __name__ == "__main__":
    print(write(__file__, draw()))
