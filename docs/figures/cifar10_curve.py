"""Draw the training of proxy learning on CIFAR-10 from docs/results/proxy-cifar10.json.

Run: python docs/figures/cifar10_curve.py          writes docs/figures/cifar10-curve.svg
"""

import json
from pathlib import Path

from look import write

from pysnn import plots

TITLE = "Proxy learning on CIFAR-10, epoch by epoch"
CAPTION = """Loss, error on training and validation images, and the spikes a neuron and step of each layer, for `cifar-vgg:16`
with 8 steps. The loss stops falling after nine of 24 epochs; the validation error falls by less than one point from there on,
from 21.6 to 20.9 %. Most layers are near their final rates after five or six epochs; the first still rises until the tenth,
the fifth falls until the fifteenth. Record: `docs/results/proxy-cifar10.json`."""

RECORD = Path(__file__).parent.parent / "results/proxy-cifar10.json"


def draw():
    """Return the figure."""
    (run,) = json.loads(RECORD.read_text())["runs"]
    return plots.learning_curves(run["records"])


if __name__ == "__main__":
    print(write(__file__, draw()))
