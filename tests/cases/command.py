"""The command line from outside: a process, strict JSON, a guarded test set, and packages that are hidden."""

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

from pysnn import datasets, training
from pysnn.datasets import points
from tests.cases import ROOT

ENV = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)}


def strict_json(text):
    """Read JSON as others do: without NaN and Infinity."""
    def refuse(word):
        raise ValueError(word)
    return json.loads(text, parse_constant=refuse)


def weights(path):
    return b"".join(w.tobytes() for w in training.load(path).nets.net.params.values())


def python(*args, **kwargs):
    return subprocess.run([sys.executable, *args], capture_output=True, text=True, env=ENV, **kwargs)


def coarse_regions(monkeypatch):
    """Let figures of decision regions ask for fewer points than the 40,000 of a fine picture."""
    from pysnn import plots
    monkeypatch.setattr(plots, "decision_regions", functools.partial(plots.decision_regions, n=40))


def write_only(monkeypatch, *names):
    """Let figures of other names be made, but neither drawn nor written."""
    from pysnn import plots
    real = plots.save
    monkeypatch.setattr(plots, "save", lambda figure, path: real(figure, path) if Path(path).stem in names else path)


def small_yin_yang(monkeypatch):
    """Let the Yin-Yang data set have fewer points."""
    for name, size in {"train": (300, 42), "validation": (60, 41), "test": (60, 40)}.items():
        monkeypatch.setitem(points.YIN_YANG_SETS, name, size)


def few_images(monkeypatch, n_train, n_test):
    """Let the sample of Fashion-MNIST be fewer images, and every other data set be these."""
    of = datasets.load("fashion-sample")
    few = of._replace(x_train=of.x_train[:n_train], y_train=of.y_train[:n_train], x_test=of.x_test[:n_test], y_test=of.y_test[:n_test])
    monkeypatch.setattr(datasets, "load", lambda *args: few)


class Guarded:
    """A data set that counts how often its test images are taken."""

    def __init__(self, data):
        self.data, self.n_taken = data, 0

    def __getattr__(self, name):
        return getattr(self.data, name)

    @property
    def x_test(self):
        self.n_taken += 1
        return self.data.x_test

    @property
    def test(self):
        self.n_taken += 1
        return self.data.test

    @property
    def y_test(self):
        return self.data.y_test


HIDE = """
import sys
from importlib.machinery import PathFinder
class Hide:
    @staticmethod
    def find_spec(name, path=None, target=None):
        return None if name.split(".")[0] in HIDDEN else PathFinder.find_spec(name, path, target)
HIDDEN = set(sys.argv.pop(1).split(","))
sys.meta_path = [f for f in sys.meta_path if "Builtin" in str(f) or "Frozen" in str(f)] + [Hide]
from pysnn import cli
code = cli.main()
print("loaded:", *sorted(set(sys.modules) & {"numba", "matplotlib", "tqdm", "pooch", "scipy", "platformdirs", "threadpoolctl"}))
sys.exit(code)
"""
