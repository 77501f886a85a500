"""Draw the training of proxy learning on CIFAR-10 from docs/results/proxy-cifar10.json.

Run: python docs/figures/cifar10_curve.py          writes docs/figures/cifar10-curve.svg
"""

import json
from pathlib import Path

from pysnn import plots

HERE = Path(__file__).parent


def main():
    """Draw."""
    (run,) = json.loads((HERE.parent / "results/proxy-cifar10.json").read_text())["runs"]
    plots.save(plots.learning_curves(run["records"]), HERE / "cifar10-curve.svg")


if __name__ == "__main__":
    main()
