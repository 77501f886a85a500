"""Surrogate gradients: back through time and through the spikes themselves, with a smooth stand-in for the derivative of a spike.

Differs from proxy and tandem, which go back through a ReLU network and keep nothing of the steps: this keeps every step of every neuron.
Source: E. O. Neftci, H. Mostafa, F. Zenke, arXiv 1901.09948.
"""

import functools
from dataclasses import dataclass

import numpy as np

from .. import models
from . import rate, settings
from .rate import accuracy, observe, predict, prepare, report, score  # noqa: F401
from .settings import CHOICES, RANGES, optimiser  # noqa: F401


@dataclass(frozen=True)
class Settings(settings.Spiking):
    """What a run can choose; the defaults are the preset `ours`. Statistics in training are those over the batch and all steps."""

    surrogate: str = "atan"          # atan, fast_sigmoid, sigmoid or triangle
    slope: float = 2.0               # its steepness
    detach_reset: bool = True        # whether the reset counts as a constant in the gradient


PRESETS = {"ours": {}}
settings_for = settings.chooser(Settings, PRESETS)
build = functools.partial(rate.build, "if")


def gradients(nets, x, y, rng=None):
    """Run the spiking network over all steps and go back through them; update nothing.

    Parameters
    ----------
    nets : pysnn.learning.rate.Nets
        From `build`.
    x : (B, ...) array
        Images or points.
    y : (B,) array of integers
        Labels.
    rng : numpy.random.Generator, optional
        Given in training: images are disturbed.

    Returns
    -------
    pysnn.learning.rate.Step
        Loss, spike counts, gradients, statistics.
    """
    n_steps, mode = nets.settings.n_steps, None if rate.frozen(nets) else "batch"
    outputs, caches = nets.snn.forward(rate.encode_batch(nets, x, rng), rng, mode)
    counts = outputs[-1].reshape(n_steps, len(x), -1).sum(axis=0)
    loss, dy = rate.judge(nets.settings, counts, y)
    _, grads = nets.snn.backward(np.concatenate([dy] * n_steps), caches)       # (P5) counts = sum of the steps
    return rate.step(nets, (loss, counts), grads, nets.snn.statistics(caches) if mode else {})


def bytes_needed(settings):
    """Say how much memory a training step keeps for its way back.

    Parameters
    ----------
    settings : Settings
        The choices.

    Returns
    -------
    int
        Bytes, without parameters and passing work space: for each step, sample and neuron the potential, the spikes and the current,
        of convolutions also the current before batch normalisation; of the first layer the current once; of poolings what comes out.
    """
    n, k = 0, 0
    for part in models.parts(settings.model)[1]:
        size, k = int(np.prod(part.shape)), k + bool(part.w)
        currents = {"conv": 2, "dense": 1}.get(part.kind, 0)
        steps = (2 if part.w else 1) * settings.n_steps + currents * (1 if k == 1 else settings.n_steps)
        n += size * steps
    return n * settings.batch * (8 if settings.dtype == "float64" else 4)
