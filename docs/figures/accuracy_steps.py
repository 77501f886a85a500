"""Draw accuracy against the number of time steps from docs/results/compare-conv.json: five methods and the preset `authors`, one network.

Run: python docs/figures/accuracy_steps.py          writes docs/figures/accuracy-steps.svg
"""

import json
from pathlib import Path

from look import write

from pysnn import plots

TITLE = "Five ways to train one network"
CAPTION = """Test accuracy on Fashion-MNIST of one convolutional network, trained by each method for three epochs with 15 steps
(one seed), then evaluated with other numbers of steps. Proxy and surrogate learning need few steps; conversion and tandem
learning fall far behind on this network with max-pooling. `proxy-authors` is the paper's preset at this width, after 3 of its 100
epochs: all its outputs are tied up to 8 steps. The horizontal line is the ReLU network, trained on its own. One seed and options
chosen on another network: [the results](results.md) say how far these differences can be trusted. Record:
`docs/results/compare-conv.json`."""

RECORD = Path(__file__).parent.parent / "results/compare-conv.json"


def draw():
    """Return the figure."""
    curves, upper = {}, {}
    for run in json.loads(RECORD.read_text())["runs"]:
        evaluation = run["evaluation"]
        if "steps" in evaluation:
            curves[run["line"]] = (evaluation["steps"], evaluation["accuracy_at"])
        else:
            upper["ReLU network (ann)"] = evaluation["accuracy"]
    return plots.accuracy_steps(curves, upper, trained=15)


if __name__ == "__main__":
    print(write(__file__, draw()))
