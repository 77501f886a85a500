"""Conversion: the ReLU network is trained on its own error; its weights, rescaled layer by layer, then serve integrate-and-fire neurons.

Differs from its siblings: no spike has a part in training. After each epoch every layer is given a scale, the largest of its activations on
training samples or a high percentile of them, and the converted network divides by it, so that rates stay below one spike a step. Source:
P. U. Diehl et al., IJCNN 2015; percentiles and folded normalisation: B. Rueckauer et al., Frontiers in Neuroscience 11:682, 2017.
"""

from dataclasses import dataclass

import numpy as np

from ..network import SpikingNetwork
from ..rate_layers import ReLU
from . import ann, rate, settings
from .rate import accuracy, observe, predict, report, score  # noqa: F401
from .settings import CHOICES, RANGES, optimiser  # noqa: F401

SAMPLES = 1000      # training samples that the scales are taken from


@dataclass(frozen=True)
class Settings(settings.Common):
    """What a run can choose; the defaults are the preset `ours`. The threshold is 1: the scales do its work."""

    n_steps: int = 15                # T
    reset: str = "subtract"          # or zero
    fire: str = ">="                 # or >
    v_init: float = 0.5              # membrane potential before the first step, in units of the threshold
    readout: str = "spikes"          # spike counts of the outputs, or (potential) their summed current, without firing
    percentile: float = 99.9         # of the activations, as the scale of a layer; 100: the largest
    drop: float = 0.0                # share of the hidden dense outputs that count 0 in training


PRESETS = {"ours": {}}
settings_for = settings.chooser(Settings, PRESETS)


class Converted(SpikingNetwork):
    """The spiking twin of a ReLU network, rescaled.

    Parameters
    ----------
    twin : SpikingNetwork
        The twin without scales.
    scales : list of () arrays
        One a weight layer; `prepare` changes them in place.
    """

    def __init__(self, twin, scales):
        super().__init__(twin.layers, twin.params, twin.state, twin.firing)
        self.scales = scales

    def stages(self, statistics=None):
        """Fold batch normalisation and scales into the weights, (P6).

        Parameters
        ----------
        statistics : dict of str to array, optional
            mean{k} and var{k}; default: the running ones.

        Returns
        -------
        list of pysnn.conventions.Stage
            The weight layers, as `spiking.run` takes them.
        """
        before = [np.ones_like(self.scales[0]), *self.scales]
        return [stage._replace(w=stage.w * (a / b), b=None if stage.b is None else stage.b / b)
                for stage, a, b in zip(super().stages(statistics), before, self.scales, strict=False)]


def build(settings, params=None, rng=None, state=None):
    """Build the ReLU network and its converted twin.

    Parameters
    ----------
    settings : Settings
        The choices.
    params : dict of str to array, optional
        Parameters by name.
    rng : numpy.random.Generator, optional
        Draws the parameters if none are given.
    state : dict of str to array, optional
        As in a checkpoint.

    Returns
    -------
    pysnn.learning.rate.Nets
        The networks.
    """
    nets = rate.build("relu if", settings, params, rng, state)
    scales = [x for name, x in nets.state.items() if name.startswith("scale")]
    return nets._replace(snn=Converted(nets.snn, scales))


def gradients(nets, x, y, rng=None):
    """Compute the ReLU network's loss and its gradient; update nothing.

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
        Loss, outputs of the ReLU network, gradients, statistics.
    """
    return ann.gradients(nets._replace(snn=None), x, y, rng)


def prepare(nets, x_train):
    """End an epoch: give each layer its scale, (P7).

    Parameters
    ----------
    nets : pysnn.learning.rate.Nets
        From `build`; its state changes in place.
    x_train : (N, ...) array
        Training samples; the first 1,000 are used.
    """
    rate.prepare(nets, x_train)
    x, tops = x_train[:SAMPLES], None
    for i in range(0, len(x), rate.PIECE):
        outputs, _ = nets.net.forward(rate.encode_batch(nets, x[i:i + rate.PIECE]))
        found = [y for layer, y in zip(nets.net.layers, outputs, strict=True) if isinstance(layer, ReLU)] + [outputs[-1]]
        tops = [largest(y, top, (1 - nets.settings.percentile / 100) * len(x) * y[0].size)
                for y, top in zip(found, tops or [None] * len(found), strict=True)]
    for scale, top in zip(nets.snn.scales, tops, strict=True):
        scale[...] = top[0] if top[0] > 0 else 1


def largest(y, top, n):
    """Keep the largest numbers, so that the smallest of them is a percentile of all.

    Parameters
    ----------
    y : array
        New numbers.
    top : (k,) array or None
        The largest so far.
    n : float
        How many are larger than the percentile; rounded down.

    Returns
    -------
    (int(n) + 1,) array
        The largest of both, the smallest of them first; all, if there are not so many.
    """
    both = y.ravel() if top is None else np.concatenate([top, y.ravel()])
    k = min(int(n + 1e-9) + 1, both.size)
    return np.sort(np.partition(both, both.size - k)[both.size - k:])
