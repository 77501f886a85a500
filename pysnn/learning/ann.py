"""The plain ReLU network and its own gradient: no spikes. The upper line that its siblings are held against."""

import functools
from dataclasses import dataclass

from . import rate, settings
from .rate import accuracy, observe, predict, prepare, report, score  # noqa: F401
from .settings import CHOICES, RANGES, optimiser  # noqa: F401


@dataclass(frozen=True)
class Settings(settings.Common):
    """What a run can choose; the defaults are the preset `ours`."""

    drop: float = 0.0                # share of the hidden dense outputs that count 0 in training


PRESETS = {"ours": {}}
settings_for = settings.chooser(Settings, PRESETS)
build = functools.partial(rate.build, "relu")


def gradients(nets, x, y, rng=None):
    """Compute the loss of a batch and its gradient; update nothing.

    Parameters
    ----------
    nets : pysnn.learning.rate.Nets
        From `build`.
    x : (B, ...) array
        Images or points.
    y : (B,) array of integers
        Labels.
    rng : numpy.random.Generator, optional
        Given in training: images are disturbed and outputs dropped.

    Returns
    -------
    pysnn.learning.rate.Step
        Loss, outputs, gradients, statistics.
    """
    outputs, caches = nets.net.forward(rate.encode_batch(nets, x, rng), rng, None if rate.frozen(nets) else "batch")
    loss, dy = rate.judge(nets.settings, outputs[-1], y)
    _, grads = nets.net.backward(dy, caches)
    return rate.step(nets, (loss, outputs[-1]), grads, {} if rate.frozen(nets) else nets.net.statistics(caches))
