"""Draw the angles between the gradients of three learning rules, from docs/results/gradient-angles.json.

Run: python docs/figures/gradient_angles.py          writes docs/figures/gradient-angles.svg
"""

import json
from pathlib import Path

import numpy as np
from look import BLACK, LOOKS, lecture, panels, write

TITLE = "Angles between the gradients of the learning rules"
CAPTION = """Angles between the gradients of all parameters together, on one network while it trains by proxy (two convolutions
and two dense layers, 15 steps, shipped sample of Fashion-MNIST, one seed). Points: the median of 6 batches of 50 images; bars:
the quartiles. The gradients of the three learning rules for spikes are 21 to 56 degrees apart. The clipped ReLU network has the
same backward pass as the proxy, but its own error: 18 degrees from the proxy in the beginning, 74 to 80 after that. So the
difference comes from the error, computed at the spikes or not. Record: `docs/results/gradient-angles.json`."""

RECORD = Path(__file__).parent.parent / "results/gradient-angles.json"
PAIRS = {"proxy tandem": "proxy, tandem", "proxy surrogate": "proxy, surrogate", "tandem surrogate": "tandem, surrogate",
         "proxy limit": "proxy, clipped ReLU network with its own error"}


def angles():
    """Return the epochs, and (lower quartile, median, upper quartile) over them by pair."""
    rows = json.loads(RECORD.read_text())["rows"]
    return [row["epoch"] for row in rows], {pair: np.array([row["batches"][pair]["all"][:3] for row in rows]).T for pair in PAIRS}


@lecture
def draw():
    """Return the figure."""
    fig, ax = panels(size=(9, 5))
    epochs, quartiles = angles()
    for k, ((pair, (low, median, high)), (color, marker, line)) in enumerate(zip(quartiles.items(), LOOKS, strict=False)):
        x = np.array(epochs) + 0.06 * (k - 1.5)
        ax.errorbar(x, median, [median - low, high - median], color=color, ls=line, marker=marker, ms=8, capsize=4, label=PAIRS[pair])
    ax.axhline(90, color=BLACK, ls="--", lw=1.2)
    ax.text(0.5, 91.5, "right angle: nothing in common", ha="left", fontsize=12)
    ax.set(xlabel="epoch", ylabel="angle (degrees)", ylim=(0, 105), yticks=[0, 30, 60, 90], xticks=epochs)
    fig.legend(*ax.get_legend_handles_labels(), loc="outside upper left", ncols=2)
    return fig


if __name__ == "__main__":
    print(write(__file__, draw()))
