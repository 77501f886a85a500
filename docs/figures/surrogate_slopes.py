"""Draw accuracy against the slope of the surrogate from docs/results/slopes.json: two sets of sequences, four kinds.

Run: python docs/figures/surrogate_slopes.py          writes docs/figures/surrogate-slopes.svg
"""

import importlib.util
import json
from pathlib import Path

from look import BLUE, GREEN, ORANGE, VERMILLION, lecture, panels, write

TITLE = "Surrogates of many slopes"
CAPTION = """Accuracy of leaky networks on held-out sequences against the slope of the surrogate that they are trained with: on random
manifolds of spike times (Zenke and Vogels 2021), and on a tone heard by two ears. Solid: the reset counts as a constant in the gradient;
dotted: it does not. One seed, networks trained for a few epochs on 1,000 samples. Record: `docs/results/slopes.json`."""

RESULTS = Path(__file__).parent.parent / "results"
COLORS = {"fast_sigmoid": BLUE, "sigmoid": ORANGE, "triangle": GREEN, "atan": VERMILLION}
NAMES = {"randman": "random manifolds", "sound": "sound from two ears"}


def lines():
    """Return the table of the record: (data, kind, detached) -> {slope: accuracy}."""
    spec = importlib.util.spec_from_file_location("slopes", RESULTS / "slopes.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.table(json.loads((RESULTS / "slopes.json").read_text())["results"])


@lecture
def draw():
    """Return the figure."""
    fig, axes = panels(1, 2, size=(11, 4.8), sharey=True)
    for (data, kind, detached), row in lines().items():
        ax = axes[list(NAMES).index(data)]
        style, more = ("-o", "") if detached else (":s", ", reset attached")
        ax.plot(list(row), [100 * a for a in row.values()], style, color=COLORS[kind], label=kind.replace("_", " ") + more)
    for ax, name in zip(axes, NAMES.values(), strict=True):
        ax.set_xscale("log")
        ax.set(xlabel=f"slope of the surrogate\n({name})", ylim=(0, 100))
    axes[0].set(ylabel="accuracy (%)")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=5)
    return fig


if __name__ == "__main__":
    print(write(__file__, draw()))
