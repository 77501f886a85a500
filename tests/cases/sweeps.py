"""Small data for sweeps, and runs that take milliseconds."""

import numpy as np

from pysnn import data

QUICK = {"model": "2-6-2", "epochs": 1, "backend": "reference"}


def moons(n=60):
    """Two half circles, one in the other's way."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    angle = np.pi * (rng.uniform(0, 1, n) + y)
    x = np.stack([np.cos(angle) + y, np.sin(angle) + 0.4 * y], axis=1) + rng.normal(0, 0.1, (n, 2))
    return data.from_arrays(x, y, val=0.3, name="moons")


def bits(runs):
    """Which parameters each run ended with."""
    return sorted((line["key"], line["sha256"]) for line in runs)
