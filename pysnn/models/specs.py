"""The specs of layers: each describes one layer of a model. One of your own is a class like these."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .. import _checks, layers
from ..conventions import LEAKY_RULES, Rule
from ..layers import leaky, temporal

DELAY = -2.0            # where the parameter of a delay starts: 0.13 tau


class Param(NamedTuple):
    """An array that a spec needs."""

    shape: tuple
    role: str               # weight, bias, delay, scale or shift of a normalisation; mean, var or fixed, no parameter; or one of your own
    n_in: int = 1           # inputs of a neuron: the scale at which weights and biases are drawn
    value: float = 0.0      # initial value of an array of any other role


class Site(NamedTuple):
    """Where a spec stands in a model, and for which network its layer is built."""

    shape: tuple                # of an input sample of this layer
    k: int                      # number of the last weight layer (Conv, Dense, ...) up to here, this one included; 1 is the first
    neuron: str = "relu"        # temporal, relu or if
    bias: bool = False          # whether a dense layer has biases; one with batch normalisation right behind it has none
    first: bool = True          # whether no neurons stand before it
    backend: str = "auto"
    config: layers.NeuronConfig = layers.NeuronConfig()
    op: str = "temporal"        # operation of the temporal neurons, see pysnn.layers.temporal.NEURONS
    drop: float = 0.0           # share dropped in training: of the outputs of dense ReLU layers, of the input spikes of temporal layers


class Spec:
    """The description of one layer: a frozen dataclass of its options that overrides what differs from this class.

    `neurons`: for which kinds of neurons it can be built; `fires`: whether it contains spiking neurons.
    out(shape) -> shape: of an output sample, (H, W, C) or (n,); a ValueError if that input does not fit.
    arrays(site) -> dict of name -> Param: the arrays that it needs, by name without number: the w of the second weight layer is kept as w2.
    A spec with a w is a weight layer. Arrays of role mean, var (running statistics) and fixed are kept in state; all others in params.
    layer(site, params, state) -> list of pysnn.layers.Layer, mostly one; params and state hold all arrays of the model, by name and number.
    """

    neurons = ("relu", "if")
    fires = False

    def out(self, shape):
        return shape

    def arrays(self, site):
        return {}

    def layer(self, site, params, state):
        raise TypeError(f"{type(self).__name__}: expected a method layer(site, params, state)")


def _windows(spec, shape, size, stride, padding=0):
    """Return how many windows fit into an image, in height and width."""
    kh, kw = size if isinstance(size, tuple) else (size, size)
    whole = all(isinstance(n, int) and n >= least for n, least in ((kh, 1), (kw, 1), (stride, 1), (padding, 0)))
    if not whole or len(shape) != 3 or kh > shape[0] + 2 * padding or kw > shape[1] + 2 * padding:
        raise ValueError(f"model: expected an image at least as large as the window, and whole numbers, got {shape} before {spec}")
    return (shape[0] + 2 * padding - kh) // stride + 1, (shape[1] + 2 * padding - kw) // stride + 1


@dataclass(frozen=True)
class Conv(Spec):
    """A convolution without a bias; a text such as 32c5s2p0, or 32C5s2p0 for one with batch normalisation and neurons behind it."""

    n: int                      # output channels
    size: int | tuple = 3       # side of the kernel, or (height, width)
    stride: int = 1
    padding: int = 1            # rows and columns of zeros, or without spikes, on each side
    neurons = ("temporal", "relu", "if")

    @property
    def sides(self):
        """Height and width of the kernel."""
        return self.size if isinstance(self.size, tuple) else (self.size, self.size)

    def out(self, shape):
        if not isinstance(self.n, int) or self.n < 1:
            raise ValueError(f"model: expected a number of channels, got {self}")
        return *_windows(self, shape, self.size, self.stride, self.padding), self.n

    def arrays(self, site):
        n_in = self.sides[0] * self.sides[1] * site.shape[-1]
        if site.neuron == "temporal" and site.bias:
            return {"w": Param((*self.sides, site.shape[-1], self.n), "weight", n_in + 1), "b": Param((self.n,), "bias", n_in + 1)}
        return {"w": Param((*self.sides, site.shape[-1], self.n), "weight", n_in)}

    def layer(self, site, params, state):
        if site.neuron == "temporal":
            return [temporal.TemporalConv(params, f"w{site.k}", site.bias, site.drop, site.backend, stride=self.stride,
                                          padding=self.padding)]
        return [layers.Conv(params, site.k, self.stride, self.padding, site.backend)]


@dataclass(frozen=True)
class Dense(Spec):
    """A fully connected layer; a text such as 100d, or 100 for one with neurons behind it; temporal neurons with delays 100+synaptic."""

    n: int
    delays: str = ""            # of temporal neurons: axonal, dendritic or synaptic; default: none
    neurons = ("temporal", "relu", "if")

    def __post_init__(self):
        """Delays are for temporal neurons alone."""
        if self.delays not in ("", *temporal.DELAYS):
            raise ValueError(f"model: expected delays to be one of {', '.join(temporal.DELAYS)}, got {self}")
        if self.delays:
            object.__setattr__(self, "neurons", ("temporal",))

    def out(self, shape):
        if not isinstance(self.n, int) or self.n < 1:
            raise ValueError(f"model: expected a number of neurons, got {self}")
        return (self.n,)

    def arrays(self, site):
        n_in = int(np.prod(site.shape, dtype=object))
        if site.neuron == "temporal":
            n_in += site.bias
            shape = {"axonal": (n_in, 1), "dendritic": (1, self.n), "synaptic": (n_in, self.n)}.get(self.delays)
            delay = {"delay": Param(shape, "delay", value=DELAY)} if shape else {}
            return {"w": Param((n_in, self.n), "weight", n_in)} | delay
        return {"w": Param((n_in, self.n), "weight", n_in)} | ({"b": Param((self.n,), "bias", n_in)} if site.bias else {})

    def layer(self, site, params, state):
        if site.neuron == "temporal":
            return [temporal.TemporalDense(params, f"w{site.k}", site.bias, site.drop, site.backend, site.op)]
        return [*([layers.Flatten()] if len(site.shape) == 3 else []), layers.Dense(params, site.k, site.backend)]


@dataclass(frozen=True)
class BatchNorm(Spec):
    """Batch normalisation of each channel, over samples and pixels; the text B, or B0.45 with a fixed scale instead of a trained one."""

    scale: float | None = None

    def out(self, shape):
        if self.scale is not None and not (isinstance(self.scale, float) and 0 < self.scale < np.inf):
            raise ValueError(f"model: expected a positive scale, got {self}")
        return shape

    def arrays(self, site):
        shape = site.shape[-1:]
        scale = {"gamma": Param(shape, "scale", value=1.0)} if self.scale is None else {}
        return scale | {"beta": Param(shape, "shift"), "mean": Param(shape, "mean"), "var": Param(shape, "var", value=1.0)}

    def layer(self, site, params, state):
        return [layers.BatchNorm(params, state, site.k, site.backend, self.scale)]


@dataclass(frozen=True)
class Whiten(Spec):
    """Filters over windows of the input image, fixed before training, that make pixels independent; the text W2 for 2 x 2 pixels."""

    size: int = 2

    def out(self, shape):
        return *_windows(self, shape, self.size, 1), 2 * self.size ** 2 * shape[-1]

    def arrays(self, site):
        if site.k or not site.first:
            raise ValueError(f"model: expected {self} to be the first layer")
        n = self.size ** 2 * site.shape[-1]
        return {"filter": Param((self.size, self.size, site.shape[-1], n), "fixed"), "offset": Param((n,), "fixed")}

    def layer(self, site, params, state):
        return [layers.Whiten(state, site.k, site.backend)]


@dataclass(frozen=True)
class _Pool(Spec):
    size: int = 2
    stride: int | None = None   # default: the size

    def out(self, shape):
        return *_windows(self, shape, self.size, self.stride or self.size), shape[-1]


@dataclass(frozen=True)
class MaxPool(_Pool):
    """The maximum of each window; a text such as P2 or P3s2. After neurons it pools spikes, before them currents; of times the earliest."""

    neurons = ("temporal", "relu", "if")

    def layer(self, site, params, state):
        if site.neuron == "temporal":
            return [temporal.EarliestPool(site.backend, self.size, self.stride)]
        return [layers.MaxPool(site.backend, self.size, self.stride)]


@dataclass(frozen=True)
class AvgPool(_Pool):
    """The mean of each window; a text such as A2 or A3s2. After neurons it pools spikes, before them currents."""

    def layer(self, site, params, state):
        return [layers.AvgPool(site.backend, self.size, self.stride)]


@dataclass(frozen=True)
class Neurons(Spec):
    """The neurons: ReLU or integrate-and-fire; temporal neurons are already part of their dense layer. The text N."""

    neurons = ("temporal", "relu", "if")
    fires = True

    def layer(self, site, params, state):
        if site.neuron == "temporal":
            return []
        if site.neuron == "if":
            return [layers.IntegrateFire(site.config, site.backend, site.first)]
        top = site.config.threshold if site.config.clip else np.inf
        return [layers.ReLU(site.backend, top, site.config.levels), *([layers.Dropout(site.drop)] if site.drop else [])]


@dataclass(frozen=True)
class Leaky(Spec):
    """Leaky integrate-and-fire neurons; a text such as L0.9, or R0.9 with recurrent weights, beta being 0.9."""

    beta: float = 0.9               # factor by which the potential decays in a step
    recurrent: bool = False         # whether spikes come back a step later, through weights w_rec
    alpha: float | None = None      # factor by which the current decays
    learn: tuple = ()               # which are trained, one number a neuron: beta, threshold, alpha
    reset: str = "subtract"         # these four as in pysnn.conventions.Rule
    timing: str = "same"
    gain: str = "1"
    order: str = "reset first"
    neurons = ("if",)
    fires = True

    def __post_init__(self):
        """Refuse decays that are none."""
        allowed = ("beta", "alpha", "threshold") if self.fires else ("beta", "alpha")
        for name, value in (("beta", self.beta), ("alpha", self.alpha)):
            if not (value is None and name == "alpha") and not (isinstance(value, (int, float)) and 0 <= value <= 1):
                raise ValueError(f"model: expected {name} from 0 to 1, got {self}")
        if not isinstance(self.learn, tuple) or any(x not in allowed or (x == "alpha" and self.alpha is None) for x in self.learn):
            raise ValueError(f"model: expected learn to be a tuple of some of {', '.join(allowed)} that there are, got {self}")
        if self.fires:
            _checks.words(Rule(self.reset, self.timing, gain=self.gain, order=self.order), "model", Rule, LEAKY_RULES)

    def arrays(self, site):
        n = site.shape[-1]
        learnt = {"beta": ("leak", self.beta), "alpha": ("synapse", self.alpha), "threshold": ("threshold", 1.0)}
        made = {learnt[name][0]: Param((n,), "neuron", value=learnt[name][1]) for name in self.learn}
        return made | ({"w_rec": Param((n, n), "weight", 6 * n)} if self.recurrent else {})    # small, or nothing fades

    def layer(self, site, params, state):
        rule = Rule(self.reset, self.timing, site.config.rule.fire, self.gain, self.order)
        return [leaky.Leaky(params, site.k, site.config, (self.beta, self.alpha), rule, site.backend, site.first)]


@dataclass(frozen=True)
class Integrate(Spec):
    """A readout behind the last dense layer that leaks and does not fire; a text such as I0.9."""

    beta: float = 0.9
    alpha: float | None = None
    learn: tuple = ()               # beta, alpha
    neurons = ("if",)

    __post_init__, arrays, recurrent = Leaky.__post_init__, Leaky.arrays, False

    def layer(self, site, params, state):
        return [leaky.Integrate(params, site.k, site.config, (self.beta, self.alpha), site.backend, site.first)]


@dataclass(frozen=True)
class Flatten(Spec):
    """Lays each sample out as one row; a dense layer after an image does so by itself. The text F."""

    def out(self, shape):
        return (int(np.prod(shape, dtype=object)),)

    def layer(self, site, params, state):
        return [layers.Flatten()]


@dataclass(frozen=True)
class Dropout(Spec):
    """Sets a share p of the outputs of ReLU neurons to 0 in training; spiking twins drop nothing. A text such as D0.2."""

    p: float

    def out(self, shape):
        if not isinstance(self.p, float) or not 0 <= self.p < 1:
            raise ValueError(f"model: expected a share from 0 to below 1, got {self}")
        return shape

    def layer(self, site, params, state):
        return [layers.Dropout(self.p)] if site.neuron == "relu" else []


SPECS = {spec.__name__: spec for spec in (Conv, Dense, BatchNorm, Whiten, MaxPool, AvgPool, Neurons, Leaky, Integrate,
                                            Flatten, Dropout)}
"""Our specs by name."""
