"""Draw what joules by a published table say of one network, with and without the reading of weights (bridge.json).

Run: python docs/figures/energy.py          writes docs/figures/energy.svg
"""

import json
from pathlib import Path

import numpy as np
from look import BLACK, BLUE, GREY, lecture, panels, write

from pysnn.evaluation import operations

TITLE = "Energy, with and without memory"
CAPTION = """Energy an image of `fashion-fast`, read in three ways, by the published table for 45 nm: an addition 0.9 pJ, a multiply-add
4.6 pJ (dark). Light: the same and one weight read from a small cache for each operation, 5 pJ. Arithmetic alone says that rates over 16
steps take half the energy of the ReLU network. With the reads they take more than it does, for a multiply-add and an addition read
one weight each. These are estimates by a table and no measurement of a machine. Record: `docs/results/bridge.json`."""

RECORD, NAME, READ = Path(__file__).parent.parent / "results/bridge.json", "fashion-fast", 5.0      # pJ
SHOWN = ("ReLU", "first spikes", "rates, T = 1", "rates, T = 2", "rates, T = 4", "rates, T = 8", "rates, T = 16")


def rows():
    """Return, for each reading, additions, multiply-adds, and microjoules of arithmetic and of reads."""
    run = next(run for run in json.loads(RECORD.read_text())["runs"] if run["name"] == NAME)
    found = {}
    for row in run["rows"]:
        adds, macs = row["additions"], row["multiply_adds"]
        found[row["network"]] = adds, macs, 1e6 * operations.energy(adds, macs), (adds + macs) * READ * 1e-6
    return {name: found[name] for name in SHOWN}


@lecture
def draw():
    """Return the figure."""
    fig, ax = panels(size=(9, 4.8))
    found, y = rows(), np.arange(len(SHOWN))[::-1]
    arithmetic, reads = np.array([row[2:] for row in found.values()]).T
    ax.barh(y, arithmetic, color=BLUE, label="arithmetic")
    ax.barh(y, reads, left=arithmetic, color=BLUE, alpha=0.35, label="and one weight read for each operation")
    for k, a, b in zip(y, arithmetic, reads, strict=True):
        ax.text(a + b + 5, k, f"{a:.0f} and {b:.0f}", va="center", fontsize=12, bbox={"fc": "white", "ec": "none", "pad": 1})
    ax.axvline(arithmetic[0], color=BLACK, ls=":", lw=1.2)
    ax.axvline(arithmetic[0] + reads[0], color=GREY, ls=":", lw=1.2)
    ax.set_yticks(y, SHOWN)
    ax.set(xlabel="microjoules an image, by the table for 45 nm", xlim=(0, 530))
    fig.legend(*ax.get_legend_handles_labels(), loc="outside upper left", ncols=2)
    return fig


if __name__ == "__main__":
    print(write(__file__, draw()))
