"""Modules of snnTorch and SpikingJelly with the weights and the spikes of a network. They need PyTorch and the framework.

Not every neuron has a twin there: docs/leaky-neurons.md lists what differs. Where spikes would differ, nothing is built, and the message
says which convention it is. A reset at the end of a step and one at the beginning of the next give the same spikes, so both are one
convention here.
"""

import importlib
from typing import NamedTuple

import numpy as np

from ..layers import AvgPool, Conv, Dense, Flatten, IntegrateFire, MaxPool
from ..layers.leaky import Integrate, Leaky
from ._networks import channels_first, input_shape, kernel_first, network_of, walk


class _Numbers(NamedTuple):
    """What neurons are: decays, threshold and first potential as numbers or (C,) arrays, recurrent weights, rule."""

    beta: object
    alpha: object
    threshold: object
    v_init: object
    w_rec: np.ndarray | None
    rule: object        # None: a readout


def to_snntorch(nets):
    """Build a module of snnTorch with the same spikes.

    Its neurons compare as ours do, and have our surrogate, through `spike_grad`. snnTorch subtracts the threshold behind leak and current;
    without a leak that is our order up to rounding, with a leak it is Rule(order="leak first").

    Parameters
    ----------
    nets : pysnn.training.Run, tuple or pysnn.network.SpikingNetwork
        A run, what a learning rule's `build` returned, or a spiking network.

    Returns
    -------
    torch.nn.Module
        Takes a constant current (B, ...), or, if the network does, one for each step (T, B, ...), images with channels first; returns the
        outputs of all steps (T, B, n_out). Its `layers` is a torch.nn.Sequential of Conv2d, Linear, pooling, Flatten and snnTorch's
        neurons.

    Raises
    ------
    ValueError
        If snnTorch has no such neuron; the message names the convention.
    ImportError
        If PyTorch or snnTorch is not installed.
    """
    torch, framework = (importlib.import_module(name) for name in ("torch", "snntorch"))
    return _module(torch, network_of(nets, True, "snnTorch"), lambda numbers, config: _snntorch(torch, framework, (numbers, config)))


def to_spikingjelly(nets):
    """Build a module of SpikingJelly with the same spikes: IFNode and LIFNode, which compare as ours do and have our surrogate.

    LIFNode keeps tau = 1/(1 - beta), and rounds in another order than ours.

    Parameters
    ----------
    nets : pysnn.training.Run, tuple or pysnn.network.SpikingNetwork
        A run, what a learning rule's `build` returned, or a spiking network.

    Returns
    -------
    torch.nn.Module
        As of `to_snntorch`, with SpikingJelly's neurons.

    Raises
    ------
    ValueError
        If SpikingJelly has no such neuron; the message names the convention.
    ImportError
        If PyTorch or SpikingJelly is not installed.
    """
    torch, framework = (importlib.import_module(name) for name in ("torch", "spikingjelly.activation_based.neuron"))
    net = network_of(nets, True, "SpikingJelly")
    return _module(torch, net, lambda numbers, config: _spikingjelly(torch, framework, (numbers, config)))


def _module(torch, net, neuron):
    """Build the module; neuron(numbers, config) returns a module and how it runs a step: step(state, x) -> y, state."""
    modules, steps, v_init = [], {}, {}
    for i, (layer, shape, image) in enumerate(walk(net.folded_layers(), input_shape(net))):
        if isinstance(layer, (IntegrateFire, Leaky, Integrate)) and not getattr(layer, "window", ()):
            numbers = _numbers(layer, len(shape))
            module, steps[i] = neuron(numbers, layer.config)
            v_init[i] = numbers.v_init
        else:
            module = _plain(torch, layer, image)
        modules.append(module)

    class Steps(torch.nn.Module):
        """Runs the layers step by step; the states begin anew in each call."""

        def __init__(self):
            super().__init__()
            self.layers, self.n_steps, self.timed = torch.nn.Sequential(*modules), net.config.n_steps, net.config.timed

        def forward(self, x):
            """Return the outputs of all steps, (T, B, n_out)."""
            states, out = {}, []
            for x_t in x if self.timed else [x] * self.n_steps:
                for i, module in enumerate(self.layers):
                    if i not in steps:
                        x_t = module(x_t)
                        continue
                    state = states[i] if i in states else torch.zeros_like(x_t) + torch.as_tensor(v_init[i], dtype=x_t.dtype)
                    x_t, states[i] = steps[i](state, x_t)
                out.append(x_t)
            return torch.stack(out)
    return Steps()


def _plain(torch, layer, image):
    """Build the module of a layer without a state."""
    if isinstance(layer, Conv):
        n_out, n_in, *sides = kernel_first(layer.w).shape
        module, w = torch.nn.Conv2d(n_in, n_out, sides, layer.stride, layer.padding, bias=layer.b is not None), kernel_first(layer.w)
    elif isinstance(layer, Dense):
        w = channels_first(layer.w, image)
        w = np.array(w).reshape(len(w), -1)
        module = torch.nn.Linear(w.shape[1], w.shape[0], bias=layer.b is not None)
    elif isinstance(layer, (MaxPool, AvgPool)):
        return (torch.nn.MaxPool2d if isinstance(layer, MaxPool) else torch.nn.AvgPool2d)(*layer.options)
    elif isinstance(layer, Flatten):
        return torch.nn.Flatten()
    else:
        raise ValueError(f"PyTorch has no module for {type(layer).__name__}")
    module.weight = torch.nn.Parameter(torch.from_numpy(np.array(w, order="C")))
    if layer.b is not None:
        module.bias = torch.nn.Parameter(torch.from_numpy(layer.b.copy()))
    return module


def _numbers(layer, n_axes):
    """Return what the neurons of a layer are; (C,) arrays of an image in a shape that fits (B, C, H, W)."""
    def fit(x):
        return x.reshape(-1, 1, 1) if n_axes == 3 and np.ndim(x) == 1 else x
    if isinstance(layer, IntegrateFire):
        c = layer.config
        return _Numbers(1.0, None, c.threshold, c.v_init if layer.v_init is None else fit(layer.v_init), None, c.rule)
    beta, alpha, threshold, w_rec = (layer.value(name) for name in ("beta", "alpha", "threshold", "w_rec"))
    if isinstance(layer, Leaky) and not layer.fires:
        raise ValueError("expected an output that fires or a readout, got neurons that fire and whose potential is read")
    return _Numbers(fit(beta), fit(alpha), fit(threshold), layer.config.v_init, w_rec, layer.rule if isinstance(layer, Leaky) else None)


def _spikes(torch, fire, surrogate):
    """Return the function of V - threshold whose value is the spike, and whose derivative is the surrogate, (I7)."""
    kind, k = surrogate

    class Spikes(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return (x >= 0 if fire == ">=" else x > 0).to(x.dtype)

        @staticmethod
        def backward(ctx, grad):
            x, = ctx.saved_tensors
            if callable(kind):
                return grad * torch.from_numpy(np.asarray(kind(x.numpy(), k)))
            if kind == "atan":
                return grad * k / 2 / (1 + (torch.pi * k / 2 * x) ** 2)
            if kind == "fast_sigmoid":
                return grad / (k * x.abs() + 1) ** 2
            if kind == "sigmoid":
                s = torch.sigmoid(k * x)
                return grad * k * s * (1 - s)
            return grad * k * (1 - k * x.abs()).clamp(min=0)

    class Function(torch.nn.Module):
        """A module, since SpikingJelly takes no function."""

        def forward(self, x):
            """Return the spikes."""
            return Spikes.apply(x)
    return Function()


def _refuse(framework, what):
    raise ValueError(f"{framework} has no neuron with the same spikes: {what}")


def _begins_below(framework, numbers):
    """Refuse a first potential that a reset at the beginning of a step would change."""
    if numbers.rule is not None and np.any(np.asarray(numbers.v_init) >= np.min(numbers.threshold)):
        _refuse(framework, "the first potential reaches the threshold")


def _snntorch(torch, snn, how):
    """Build neurons of snnTorch, and how they run a step."""
    (beta, alpha, threshold, _, w_rec, rule), config = how
    _begins_below("snnTorch", how[0])
    synapse, recurrent = alpha is not None, w_rec is not None
    reset = "none" if rule is None else rule.reset
    if rule is not None and rule.gain != "1":
        _refuse("snnTorch", "a current counts 1 - beta here, and 1 there")
    if synapse and recurrent:
        _refuse("snnTorch", "recurrent neurons with a synapse (RSynaptic) take spikes back in another order")
    behind = reset == "subtract" or synapse or recurrent                 # snnTorch's order
    exact = np.all(np.asarray(beta) == 1) and reset == "subtract"
    if reset != "none" and behind != (rule.order == "leak first") and not exact:
        words = ("behind leak and current", "before them"), ("before leak and current", "behind them")
        here, there = words[rule.order != "leak first"]
        _refuse("snnTorch", f"the reset {'to zero' if reset == 'zero' else 'by subtraction'} stands {here} here, and {there} there")

    def tensor(x):
        return torch.as_tensor(np.array(x, next(iter({w.dtype for w in (w_rec,) if w is not None}), np.float64)))
    options = {"beta": tensor(beta), "threshold": tensor(1.0 if rule is None else threshold), "reset_mechanism": reset,
               "spike_grad": _spikes(torch, ">" if rule is None else rule.fire, config.surrogate)}
    if synapse:
        module = snn.Synaptic(alpha=tensor(alpha), **options)
    elif recurrent:
        module = snn.RLeaky(linear_features=len(w_rec), **options)
        module.recurrent = torch.nn.Linear(*w_rec.shape, bias=False)
        module.recurrent.weight = torch.nn.Parameter(torch.from_numpy(np.array(w_rec.T, order="C")))
    else:
        module = snn.Leaky(**options)

    def step(state, x):
        """A state is the potential before the first step, then (spikes or current, potential)."""
        other, mem = state if isinstance(state, tuple) else (torch.zeros_like(x), state)
        module.to(x.dtype)
        found = module(x, other, mem) if synapse or recurrent else module(x, mem)
        spikes, mem = found[0], found[-1]
        return (mem if rule is None else spikes), (found[1] if synapse else spikes, mem)
    return module, step


def _spikingjelly(torch, neuron, how):
    """Build neurons of SpikingJelly, and how they run a step."""
    (beta, alpha, threshold, _, w_rec, rule), config = how
    _begins_below("SpikingJelly", how[0])
    if rule is None or alpha is not None or w_rec is not None:
        _refuse("SpikingJelly", "a readout that leaks, a synapse or recurrent weights")
    if rule.order == "leak first" or rule.reset == "none" or np.ndim(beta) or np.ndim(threshold):
        _refuse("SpikingJelly", "a reset behind leak and current, or none, or decays and thresholds of each neuron")
    options = {"v_threshold": float(threshold), "v_reset": None if rule.reset == "subtract" else 0.0, "detach_reset": config.detach_reset,
               "surrogate_function": _spikes(torch, rule.fire, config.surrogate)}
    if beta == 1:
        module = neuron.IFNode(**options)
    elif beta == 0:
        _refuse("SpikingJelly", "a potential that decays to 0 in one step, tau = 1")
    else:
        module = neuron.LIFNode(tau=1 / (1 - float(beta)), decay_input=rule.gain == "1 - beta", **options)

    def step(state, x):
        """A state is the potential before a step."""
        module.v = state
        return module(x), module.v
    return module, step
