"""Surrogate gradients: back through time and through the spikes themselves, with a smooth stand-in for the derivative of a spike.

Differs from proxy and tandem, which go back through a ReLU network and keep nothing of the steps: this keeps every step of every neuron.
Source: E. O. Neftci, H. Mostafa, F. Zenke, arXiv 1901.09948.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from ..conventions import SURROGATES
from . import rate
from .settings import Spiking, setting


@dataclass(frozen=True)
class Settings(Spiking):
    """What a run can choose; the defaults are the preset `ours`. Statistics in training are those over the batch and all steps.

    With many steps two things silenced the outputs: a gradient that grows with the step though the potential does not (so resets are no
    constants in it), and a loss that many spikes saturate (so it sees few).
    """

    on: str = "few"
    surrogate: str = setting("atan", "what stands for the derivative of a spike", SURROGATES["kind"])
    slope: float = setting(2.0, "its steepness", (1e-6, 1e6))
    detach_reset: bool = setting(False, "whether the reset counts as a constant in the gradient")


def gradients(nets, x, y, rng=None):
    """Run the spiking network over all steps and go back through them; update nothing."""
    n_steps, mode = nets.settings.n_steps, None if rate.uses_running_stats(nets) else "batch"
    outputs, caches = nets.snn.forward(rate.encode_batch(nets, x, rng), rng, mode)
    counts = outputs[-1].reshape(n_steps, len(x), -1).sum(axis=0)
    loss, dy = rate.loss_and_grad(nets.settings, counts, y)
    dy = dy / dy.dtype.type(n_steps) if nets.settings.on == "mean" else dy
    _, grads = nets.snn.backward(np.concatenate([dy] * n_steps), caches)       # (P5) counts = sum of the steps
    return rate.step(nets, (loss, counts), grads, nets.snn.batch_stats(caches) if mode else {})


def bytes_needed(settings):
    """Say how much memory a training step takes at most.

    Parameters
    ----------
    settings : Settings
        The choices.

    Returns
    -------
    int
        Bytes, without parameters. The backward pass needs for each step, sample and neuron the potential and the spikes; of all other
        layers what comes out, at each step behind the first neurons, once before them. The gradients of spikes and currents of the largest
        layer come on top.
    """
    n, largest = 0, int(np.prod(settings.model.shapes[-1]))
    for (spec, site), shape in zip(settings.model.sites(neuron="if"), settings.model.shapes, strict=True):
        each = 2 * settings.n_steps if spec.fires else 1 if site.first else settings.n_steps
        n += int(np.prod(shape)) * each
        largest = max(largest, int(np.prod(shape)) * spec.fires)
    n += 2 * settings.n_steps * (int(np.prod(shape)) + largest)                    # the output neurons; the gradients
    return n * settings.batch * (8 if settings.dtype == "float64" else 4)


METHOD = rate.METHOD._replace(name="surrogate", Settings=Settings, presets={"ours": {}},
                              build=partial(rate.build, ("if",)), gradients=gradients,
                              bytes_needed=bytes_needed)
build, predict, score, settings_for = METHOD.build, METHOD.predict, METHOD.score, METHOD.settings_for
