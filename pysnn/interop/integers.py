"""Integer weights: a network of integrate-and-fire neurons whose run over T steps is whole numbers only.

A weight is an integer of few bits times a scale, one for each output channel. Spikes count 255, as the brightest pixel does, so the
potential of a neuron is a whole number of units of scale/255; its threshold and bias are rounded to them. A mean over n places is a sum,
in units smaller by n.
"""

import functools
from typing import NamedTuple

import numpy as np

from .. import _checks
from .._blas import matmul
from ..conventions import Rule
from ..layers import AvgPool, Conv, Dense, Flatten, IntegrateFire, MaxPool
from ..reference import conv
from ._networks import PIECE, input_shape, network_of, shape_after

WHITE = 255                             # what a pixel of intensity 1 counts, and a spike
SHARES = np.linspace(0.2, 1, 17)        # of the largest weight: scales that are tried; the one with the least squared error stays


class Weights(NamedTuple):
    """Weights of a convolution or a dense layer."""

    w: np.ndarray           # (kh, kw, C_in, C_out) or (n_in, n_out), int8
    stride: int = 1
    padding: int = 0


class Pool(NamedTuple):
    """Pooling of sums before the neurons, or of spikes behind them."""

    kind: str               # "max", or "sum" for a mean
    size: int
    stride: int


class Neurons(NamedTuple):
    """Neurons: in each step v <- v + gain x + bias; they fire at the threshold."""

    gain: int               # 1 behind pixels, 255 behind spikes
    bias: np.ndarray        # (C,) int64
    v_init: np.ndarray      # (C,) int64
    threshold: np.ndarray | None        # (C,) int64; None: an output that does not fire, whose potential comes out


class IntegerNetwork(NamedTuple):
    """A network of whole numbers, from `quantize`; `simulate` runs it, and `pysnn.interop.to_c` writes it as a program."""

    layers: tuple           # of Weights, Pool, Neurons
    shape: tuple            # of an input sample, (H, W, C) or (n,)
    n_steps: int
    rule: Rule
    bits: int
    scales: tuple           # (C,) float64 arrays: what a weight of 1 was, layer by layer


def quantize(run, bits=8):
    """Turn a trained network of integrate-and-fire neurons into one of whole numbers.

    Batch normalisation is folded first. Each output channel has a scale of its own; an output that does not fire has one scale for all.

    Parameters
    ----------
    run : pysnn.training.Run, tuple or pysnn.network.SpikingNetwork
        A run, what a learning rule's `build` returned, or a spiking network.
    bits : int
        Of a weight, its sign included, 2 to 8: weights are -127 to 127 with 8 bits, -1, 0 and 1 with 2.

    Returns
    -------
    IntegerNetwork
        The network.

    Raises
    ------
    ValueError
        If the network has other layers or other neurons, a time axis in its input, or sums that need more than 32 bits.
    """
    bits = _checks.whole(bits, "bits", 2)
    net = network_of(run, True, "integers")
    layers, config = net.folded_layers(), net.config
    if bits > 8 or config.timed or (config.rule.timing == "next" and not config.v_init < config.threshold):
        what = f"{bits} bits" if bits > 8 else "an input with a time axis" if config.timed else f"v_init {config.v_init:g}"
        raise ValueError(f"integers: expected at most 8 bits, one constant input, and neurons that begin below the threshold, got {what}")
    made, scales, unit = [], [], _Unit(None, 1, WHITE, np.zeros(1), WHITE)
    last = max((i for i, layer in enumerate(layers) if isinstance(layer, (Conv, Dense))), default=-1)
    shape, fires = input_shape(net), any(isinstance(layer, IntegrateFire) for layer in layers[last + 1:])
    for i, layer in enumerate(layers):
        if isinstance(layer, (Conv, Dense)):
            if unit.scale is not None:
                raise ValueError("integers: expected neurons between two layers of weights, got none")
            weights, unit = _weights(layer, unit, (2 ** (bits - 1) - 1, i != last or fires))
            made.append(weights)
            scales.append(unit.scale)
        elif isinstance(layer, (MaxPool, AvgPool)):
            size = layer.options[0]
            made.append(Pool("max" if isinstance(layer, MaxPool) else "sum", size, layer.options[1] or size))
            unit = unit if isinstance(layer, MaxPool) else unit.summed(size ** 2)
        elif type(layer) is IntegrateFire:
            made.append(unit.neurons(shape[-1], config.threshold, config.v_init if layer.v_init is None else layer.v_init))
            unit = _Unit(None, WHITE, WHITE, np.zeros(1), 1)
        elif not isinstance(layer, Flatten):
            raise ValueError(f"integers: expected weights, pooling and integrate-and-fire neurons, got {type(layer).__name__}")
        shape = shape_after(layer, shape)
        if unit.largest >= 2 ** 31:
            raise ValueError(f"integers: expected sums of at most 32 bits, got up to {unit.largest:.2g} in {type(layer).__name__}")
    if not isinstance(made[-1], Neurons):
        made.append(unit.neurons(shape[-1], None, 0.0))
    return IntegerNetwork(tuple(made), input_shape(net), config.n_steps, config.rule, bits, tuple(scales))


class _Unit(NamedTuple):
    """What whole numbers stand for at one place of the network."""

    scale: np.ndarray | None        # (C,) of the last weights; None: there were none since the last neurons
    gain: int                       # what sums are multiplied by
    one: int                        # how many units a 1 is, in units of scale
    bias: np.ndarray                # (C,) in units of 1
    largest: int                    # no number is larger

    def summed(self, n):
        """Return the units behind a sum in the place of a mean over n places."""
        return self._replace(one=self.one * n, largest=self.largest * n)

    def neurons(self, n, threshold, v_init):
        """Make the neurons of n channels here."""
        def units(x):
            return np.broadcast_to(np.rint(np.asarray(x, np.float64) * self.one / (1.0 if self.scale is None else self.scale)),
                                   (n,)).astype(np.int64)
        return Neurons(self.gain, units(self.bias), units(v_init), None if threshold is None else np.maximum(units(threshold), 1))


def _weights(layer, unit, how):
    """Return integer weights, and the units behind them; `how` is the largest weight, and whether each channel has its own scale."""
    top, each = how
    w = layer.w.reshape(-1, layer.w.shape[-1]).astype(np.float64)
    w = w if each else w.reshape(-1, 1)
    largest = np.abs(w).max(axis=0)
    largest[largest == 0] = 1
    scales = SHARES[:, None] * largest / top
    errors = [((np.clip(np.rint(w / scale), -top, top) * scale - w) ** 2).sum(axis=0) for scale in scales]
    scale = np.take_along_axis(scales, np.argmin(errors, axis=0)[None], axis=0)[0]
    whole = np.clip(np.rint(w / scale), -top, top).astype(np.int8).reshape(layer.w.shape)
    sums = np.abs(whole.astype(np.int64)).reshape(-1, whole.shape[-1]).sum(axis=0).max()
    bias = np.zeros(1) if layer.b is None else layer.b.astype(np.float64)
    made = Weights(whole, layer.stride, layer.padding) if isinstance(layer, Conv) else Weights(whole)
    scale = np.broadcast_to(scale, whole.shape[-1:])
    return made, unit._replace(scale=scale, bias=bias, largest=int(sums) * unit.largest)


def simulate(network, x):
    """Run a network of whole numbers over its T steps.

    Parameters
    ----------
    network : IntegerNetwork
        From `quantize`.
    x : (B, ...) array of uint8
        Images or rows, 0 to 255; the same input in every step.

    Returns
    -------
    (B, n_out) array of int64
        Spikes of the outputs; of outputs that do not fire their potential, in units of scale/255.

    Raises
    ------
    TypeError, ValueError
        If x is no array of uint8, or does not fit the network.
    """
    if not isinstance(x, np.ndarray) or x.dtype != np.uint8:
        raise TypeError(f"x: expected an array of uint8, got {_checks.describe(x)}")
    if x.ndim < 2 or not len(x) or x[0].size != np.prod(network.shape):
        raise ValueError(f"x: expected samples of shape {network.shape}, got {_checks.describe(x)}")
    x = x.reshape(len(x), *network.shape).astype(np.int32)
    return np.concatenate([_simulated(network, x[i:i + PIECE]) for i in range(0, len(x), PIECE)])


def _simulated(network, x):
    """Run some samples."""
    layers, rule = network.layers, network.rule
    first = next(i for i, layer in enumerate(layers) if isinstance(layer, Neurons))
    for layer in layers[:first]:                                         # once: their input is constant
        x = _through(layer, x)
    v, counts = {}, 0
    for _ in range(network.n_steps):
        s = x
        for i, layer in enumerate(layers[first:]):
            if not isinstance(layer, Neurons):
                s = _through(layer, s)
                continue
            u = v.get(i, layer.v_init) + np.int64(layer.gain) * s + layer.bias
            if layer.threshold is None:
                s = v[i] = u
                continue
            fired = u >= layer.threshold if rule.fire == ">=" else u > layer.threshold
            v[i] = np.where(fired, u - layer.threshold if rule.reset == "subtract" else 0, u)
            s = fired.astype(np.int32)
        counts = counts + s.astype(np.int64)
    return counts if layers[-1].threshold is not None else s


def _through(layer, x):
    """Compute the output of weights or of pooling. Products of floats that hold whole numbers below 2**53 are exact in any order."""
    if isinstance(layer, Pool):
        height, width = ((n - layer.size) // layer.stride * layer.stride + 1 for n in x.shape[1:3])
        views = (x[:, a:a + height:layer.stride, b:b + width:layer.stride] for a in range(layer.size) for b in range(layer.size))
        return functools.reduce(np.maximum if layer.kind == "max" else np.add, views)
    small = np.abs(layer.w.astype(np.int64)).reshape(-1, layer.w.shape[-1]).sum(axis=0).max() * np.abs(x).max() < 2 ** 24
    kind = np.float32 if small else np.float64                           # and below 2**24 in float32
    x, w = x.astype(kind), layer.w.astype(kind)
    y = conv.conv2d_forward(x, w, layer.stride, layer.padding)[0] if w.ndim == 4 else matmul(x.reshape(len(x), -1), w)
    return y.astype(np.int32)
