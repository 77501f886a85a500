"""Draw accuracy against the number of time steps from docs/results/compare-conv.json: five methods and the preset `authors`, one network.

Run: python docs/figures/accuracy_steps.py          writes docs/figures/accuracy-steps.svg
"""

import json
from pathlib import Path

from pysnn import plots

HERE = Path(__file__).parent


def main():
    """Draw."""
    curves, upper = {}, {}
    for run in json.loads((HERE.parent / "results/compare-conv.json").read_text())["runs"]:
        found = run["evaluation"]
        if "steps" in found:
            curves[run["line"]] = (found["steps"], found["accuracy_at"])
        else:
            upper["ReLU network (ann)"] = found["accuracy"]
    plots.save(plots.accuracy_steps(curves, upper, trained=15), HERE / "accuracy-steps.svg")


if __name__ == "__main__":
    main()
