"""Conversion: the ReLU network is trained on its own error; its weights, rescaled layer by layer, then serve integrate-and-fire neurons.

Differs from its siblings: no spike has a part in training. After each epoch every layer is given a scale, the largest of its activations on
training samples or a high percentile of them, and the converted network divides by it, so that rates stay below one spike per step. Source:
P. U. Diehl et al., IJCNN 2015; percentiles and folded normalisation: B. Rueckauer et al., Frontiers in Neuroscience 11:682, 2017; `clip`
with `levels`: T. Bu et al., ICLR 2022.
"""

from dataclasses import dataclass

import numpy as np

from ..layers import BatchNorm, Conv, Dense, ReLU, SpikingLayer
from ..network import SpikingNetwork
from . import ann, rate
from .method import finished_by
from .settings import MAX_STEPS, Common, Spiking, about, setting

SAMPLES = 1000      # training samples that the scales are taken from


def _as_spiking(name, default):
    """Repeat a setting of the spiking methods."""
    words = about(Spiking, name)
    return setting(default, words["text"], words["allowed"])


@dataclass(frozen=True)
class Settings(Common):
    """What a run can choose; the defaults are the preset `ours`. The threshold is 1: the scales do its work.

    A rate has a ceiling, and comes in steps of 1/T. The ReLU network can be trained with both: `clip` gives it the ceiling, `levels` rounds
    its activations below it. Both together, with v_init = 0.5, are QCFS (clip, floor, shift by half a level).
    """

    n_steps: int = setting(15, "time steps a sample, T", (1, MAX_STEPS))
    reset: str = _as_spiking("reset", "subtract")
    fire: str = _as_spiking("fire", ">=")
    v_init: float = _as_spiking("v_init", 0.5)
    readout: str = _as_spiking("readout", "spikes")
    percentile: float = setting(99.9, "of the activations, as the scale of a layer; 100: the largest", (50, 100))
    clip: bool = setting(False, "(P3) the ReLU network has a ceiling of 1 in hidden layers, which is then their scale")
    levels: int = setting(0, "(P12) how many steps its activations are rounded to, up to that ceiling, such as T; 0: not", (0, MAX_STEPS))
    scale: float = setting(1.0, "of the ReLU network's output in the loss", (1e-6, 1e6))
    drop: float = setting(0.0, "share of the hidden dense outputs that count 0 in training", (0, 0.99))

    def __post_init__(self):
        """Refuse levels without a ceiling, too, and regression."""
        super().__post_init__()
        if self.loss == "squared":
            raise ValueError("loss: expected one of labels, since conversion counts spikes, got squared; ann and surrogate take targets")
        if self.levels and not self.clip:
            raise ValueError(f"levels: expected 0 without clip, got {self.levels}")


class Converted(SpikingNetwork):
    """The spiking twin of a ReLU network, rescaled.

    Parameters
    ----------
    twin : SpikingNetwork
        The twin without scales.
    scales : list of () arrays
        One for each layer of neurons and for the output; `end_epoch` changes them in place.
    """

    def __init__(self, twin, scales):
        super().__init__(twin.layers, twin.params, twin.state, twin.config, twin.model)
        self.scales = scales

    def folded_layers(self, statistics=None, begin=0):
        """Fold batch normalisation and scales into the weights, (P6).

        Parameters
        ----------
        statistics : dict of str to array, optional
            mean{k} and var{k}; default: the running ones.
        begin : int
            How many layers to leave out.

        Returns
        -------
        list of pysnn.layers.Layer
            The current of each layer of neurons is divided by its scale, and the next weights are multiplied by it.
        """
        layers, before, some = super().folded_layers(statistics, begin), np.ones_like(self.scales[0]), []
        scales = iter(self.scales)
        for i, layer in enumerate(layers):
            if isinstance(layer, BatchNorm):
                raise ValueError(f"conversion: expected batch normalisation right behind a weight layer, got {self.model}")
            some += [i] if isinstance(layer, (Conv, Dense)) else []
            if some and (isinstance(layer, SpikingLayer) or i == len(layers) - 1):
                scale = next(scales)
                for j in some:
                    up, down = before if j == some[0] else np.ones_like(scale), scale if j == some[-1] else np.ones_like(scale)
                    layers[j] = layers[j].scaled(layers[j].w * (up / down), None if layers[j].b is None else layers[j].b / down)
                before, some = scale, []
        return layers


def build(settings, params=None, rng=None, state=None):
    """Build the ReLU network and its converted twin."""
    names = [f"scale{k}" for k in range(1, 1 + len(settings.model.neuron_layers))]
    nets = rate.build(("relu", "if"), settings, params, rng, state, {name: np.ones((), settings.dtype) for name in names})
    nets = nets._replace(snn=Converted(nets.snn, [nets.state[name] for name in names]))
    nets.snn.folded_layers()                           # raises if the model cannot be converted
    return nets


@finished_by(rate.finish)
def gradients(nets, x, y, rng=None, weight=None):
    """Compute the ReLU network's loss and its gradient; update nothing."""
    return ann.gradients.of_samples(nets._replace(snn=None), x, y, rng, weight)


def end_epoch(nets, x_train):
    """End an epoch: give each layer its scale, (P7); with `clip` only the output, since the ceiling, 1, is that of hidden layers."""
    rate.end_epoch(nets, x_train)
    x, tops = x_train[:SAMPLES], None
    for i in range(0, len(x), rate.PIECE):
        outputs, _ = nets.net.forward(rate.encode_batch(nets, x[i:i + rate.PIECE]))
        activations = [y for layer, y in zip(nets.net.layers, outputs, strict=True) if isinstance(layer, ReLU)] + [outputs[-1]]
        tops = [largest(y, top, (1 - nets.settings.percentile / 100) * len(x) * y[0].size)
                for y, top in zip(activations, tops or [None] * len(activations), strict=True)]
    first = len(tops) - 1 if nets.settings.clip else 0
    for scale, top in zip(nets.snn.scales[first:], tops[first:], strict=True):
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


METHOD = rate.METHOD._replace(name="conversion", Settings=Settings, presets={"ours": {}}, build=build, gradients=gradients,
                              end_epoch=end_epoch, trains_with_steps=False)
predict, score, settings_for = METHOD.predict, METHOD.score, METHOD.settings_for
