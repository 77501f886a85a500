"""Small networks and batches for the rules of rate coding."""

import numpy as np

from pysnn import training

RATE = {name: rule for name, rule in training.METHODS.items() if rule.family == "rate"}      # those that take images, too
NET = {"model": "6x6x2-3C3-P2-4C3-6-3", "bias": True, "dtype": "float64", "backend": "reference", "n_steps": 5}


def settings(method, **chosen):
    """Return settings, leaving out what the method does not have."""
    kind = RATE[method].Settings
    return kind(**{name: value for name, value in {**NET, **chosen}.items() if name in kind.__dataclass_fields__})


def nets_for(method, seed=3, **chosen):
    """Build networks whose normalisations are not trivial."""
    nets = RATE[method].build(settings(method, **chosen), rng=np.random.default_rng(seed))
    rng = np.random.default_rng(seed)
    for name, w in nets.net.params.items():
        if name[:2] in ("ga", "be"):
            w += rng.uniform(0.1, 0.5, w.shape)
    return nets


def batch(n=4, shape=(6, 6, 2), seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((n, *shape)), np.arange(n) % 3


def images(n=24, n_classes=3, seed=0):
    """Make images of 6 x 6 pixels, class k bright in rows 2k and 2k + 1, with some noise."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % n_classes
    x = rng.integers(0, 90, (n, 6, 6), dtype=np.uint8)
    for b, k in enumerate(y):
        x[b, 2 * k:2 * k + 2] += 160
    return x, y


TINY = {"model": "6x6x1-4C3-P2-12-3", "batch": 8, "epochs": 3, "n_steps": 6, "backend": "reference"}


def begin(method, seed=0, **chosen):
    return training.start(method, settings(method, **{**TINY, "bias": False, "dtype": "float32", **chosen}), seed)
