"""What tests of other formats share: small networks trained on the sample that ships, and the code of the page about them."""

import functools
import importlib.util
import re

import numpy as np

from pysnn import datasets, training
from pysnn.learning import conversion
from tests.cases import ROOT


@functools.cache
def trained(kind):
    """Train a dense network, or one with a convolution, and convert it; a second or two, once a session."""
    data, dense = datasets.load("fashion-sample"), kind == "dense"
    settings = conversion.Settings(model="784-64-10" if dense else "28x28x1-6C5s2-P2-10", epochs=2, n_steps=10, bias=dense,
                                   lr=3e-3 if dense else 1e-2)
    run, n = training.start("conversion", settings), 4000 if dense else 1000
    for _ in training.epochs(run, (data.x_train[:n], data.y_train[:n])):
        pass
    return run


def images():
    """Return the test images of the sample, uint8 (1000, 28, 28)."""
    return np.ascontiguousarray(datasets.load("fashion-sample").x_test)


def run_page(capsys, name="exchange-weights"):
    """Run the blocks of the page whose packages are installed; each must print what stands below it. Return its names, and how many ran."""
    page, space, n = (ROOT / f"docs/howto/{name}.md").read_text(encoding="utf-8"), {"__name__": "page"}, 0
    for code, shown in re.findall(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", page, re.S):
        needs = re.findall(r"\w+", re.match(r"(?:# needs (.*)\n)?", code)[1] or "")
        if all(importlib.util.find_spec(name) for name in needs):
            capsys.readouterr()
            exec(compile(code, "<page>", "exec"), space)
            assert capsys.readouterr().out == shown
            n += 1
    return space, n
