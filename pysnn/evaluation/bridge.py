"""One set of weights, read three ways: as a ReLU network, as first spikes with the same function, and as rates over time steps."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from .. import models
from ..layers import Conv, ReLU, SpikingLayer, Whiten
from ..layers.first_spikes import Charge, FirstSpikes
from ..learning import conversion, rate
from ..network import Network
from .operations import additions, fan_outs, multiply_adds
from .rate import with_steps

STEPS = (1, 2, 4, 8, 16, 32)       # numbers of time steps of the network of rates
MARGIN = 1.5                       # a window is so many times as long as the largest activation on the samples that set it


class Bridge(NamedTuple):
    """The three networks."""

    relu: Network
    first: Network              # maps intensities in [0, 1] to spike times of the output, since the begin of the last window
    rates: object               # pysnn.learning.rate.Nets whose snn spikes over time steps; None: the model cannot be converted
    nets: object                # pysnn.learning.rate.Nets that encode the samples


def first_spikes(net, x, margin=MARGIN):
    """Build the network of first spikes that computes what a ReLU network computes.

    Parameters
    ----------
    net : pysnn.network.Network
        Of ReLU neurons: dense and convolutional layers, pooling, batch normalisation, whitening. The weights are shared.
    x : (N, ...) array
        Inputs in [0, 1], of which some set the lengths of the windows.
    margin : float
        How many times as long as the largest activation a window is. ReLUs with a ceiling need none: their window ends there.

    Returns
    -------
    pysnn.network.Network
        Layers that map intensities to times; batch normalisation uses the running statistics. The largest logit fires first.

    Raises
    ------
    ValueError
        For a margin below 1, or layers without such a reading, such as ReLUs rounded to levels or layers of your own.
    """
    if not margin >= 1:
        raise ValueError(f"margin: expected a number of 1 or more, got {margin}")
    layers = [part for layer in net.layers for part in _split(layer)]
    low, high = _extremes(layers, x)
    made, t_max = [FirstSpikes(1.0), Charge(1.0)], 1.0
    for layer, top in zip(layers, high, strict=True):
        if isinstance(layer, ReLU):
            t_max = layer.options[0] if np.isfinite(layer.options[0]) else max(margin * top, 1e-3)
            made += [FirstSpikes(t_max), Charge(t_max)]
        else:
            made.append(layer)
    shift = margin * max(-low[-1], 0) + 1e-3
    return Network([*made, FirstSpikes(shift + margin * max(high[-1], 0) + 1e-3, shift)], net.params, net.state, net.model)


def _split(layer):
    """Return the layers that stand for one of a ReLU network: whitening is a convolution with neurons behind it."""
    if isinstance(layer, Whiten):
        filters, offset = (layer.state[name] for name in layer.names)
        both = {"w1": np.concatenate([filters, -filters], axis=3), "b1": np.concatenate([offset, -offset])}
        return [Conv(both, 1, 1, 0, layer.backend), ReLU(layer.backend)]
    if type(layer).__module__ != Conv.__module__ or isinstance(layer, SpikingLayer):
        raise ValueError(f"first spikes: expected dense, convolutional and ReLU layers, pooling and batch normalisation, got "
                         f"{type(layer).__name__}")
    if isinstance(layer, ReLU) and layer.options[1:]:
        raise ValueError("first spikes: expected ReLUs that are not rounded, got levels")
    return [layer]


def _extremes(layers, x):
    """Return the smallest and the largest output of each layer."""
    low, high = np.zeros(len(layers)), np.zeros(len(layers))
    for i in range(0, len(x), rate.PIECE):
        outputs, _ = Network(layers, {}).forward(x[i:i + rate.PIECE])
        low = np.minimum(low, [y.min() for y in outputs])
        high = np.maximum(high, [y.max() for y in outputs])
    return low, high


def bridge(nets, x, margin=MARGIN):
    """Read the weights of a network as ReLUs and as first spikes, both in float64, and as rates.

    Parameters
    ----------
    nets : pysnn.learning.rate.Nets
        Of any rate method whose layers can have ReLU neurons, such as the `nets` of a run of conversion, proxy or ann.
    x : (N, ...) array
        Training samples: they set the windows, and, where the method has no spiking network of its own, the scales of the conversion.
    margin : float
        See `first_spikes`.

    Returns
    -------
    Bridge
        The networks.

    Raises
    ------
    ValueError
        If its layers cannot have ReLU neurons, or the model takes samples with a time axis.
    """
    s = nets.settings
    if s.time_axis is not None or "relu" not in s.model.neurons:
        raise ValueError(f"bridge: expected a network whose neurons can be ReLUs, on samples without a time axis, got {s.model}")
    params = {name: w.astype(np.float64) for name, w in nets.net.params.items()}
    state = {name: a.astype(np.float64) if a.dtype.kind == "f" else a for name, a in nets.net.state.items()}
    config = replace(s, dtype="float64")
    relu = models.build(s.model, "relu", params, s.bias, None, s.backend, state, rate.neuron_config(config))
    wide = nets._replace(settings=config, net=relu)
    first = first_spikes(relu, rate.encode_batch(wide, x), margin)
    return Bridge(relu, first, nets if nets.snn is not None else _converted(nets, x), wide)


def _converted(nets, x):
    """Return the rates of a ReLU network, scaled on samples; None if its model cannot be converted."""
    s = nets.settings
    try:
        made = conversion.build(conversion.Settings(model=s.model, bias=s.bias, dtype=s.dtype, backend=s.backend), nets.net.params, None,
                                None)
    except ValueError:
        return None
    for name in made.net.state.keys() & nets.net.state.keys():
        made.net.state[name][...] = nets.net.state[name]
    conversion.end_epoch(made, x)
    return made


def evaluate(networks, x, y, steps=STEPS):
    """Compare the three networks on the same labelled samples, under the same rule for ties.

    Parameters
    ----------
    networks : Bridge
        From `bridge`.
    x : (N, ...) array
        Images or points.
    y : (N,) array of integers
        Labels.
    steps : sequence of int
        Numbers of time steps of the rates.

    Returns
    -------
    dict
        n; equal: samples in which ReLUs and first spikes decide alike; difference: the largest one of an activation; clipped: spikes at
        the begin of a window without a ceiling, whose activation was too large for it; rows: one dict a network, with network, accuracy,
        strict, inclusive (0 to 1), time (of the decision, median: of first spikes in units of the input's window, of rates in steps;
        ReLUs: None), spikes, spikes_a_neuron, additions and multiply_adds a sample. Neurons of whitening count, those of the input do
        not. Multiply-adds of a spiking network are those of the first weights, where the input is a current.
    """
    model = networks.relu.model
    macs, neurons = multiply_adds(model), sum(int(np.prod(shape)) for _, shape in model.neuron_layers)
    relu, times, stats = [], [], _Spikes(networks, model)
    for i in range(0, len(x), rate.PIECE):
        piece = rate.encode_batch(networks.nets, x[i:i + rate.PIECE])
        outputs, found = networks.relu.forward(piece)[0], networks.first.forward(piece)[0]
        stats.add(piece, outputs, found)
        relu.append(outputs[-1])
        times.append(found[-1])
    relu, times, n = np.concatenate(relu), np.concatenate(times), len(x)
    before = sum(layer.t_max for layer in networks.first.layers if isinstance(layer, Charge))
    decided = np.isfinite(times.min(axis=1))
    first = {"network": "first spikes", **_score(-times, y), "time": before + float(np.median(times.min(axis=1)[decided])),
             "spikes": stats.spikes / n, "spikes_a_neuron": stats.spikes / n / stats.neurons, "additions": stats.additions / n,
             "multiply_adds": macs[0] if stats.whitened else 0}
    rows = [{"network": "ReLU", **_score(relu, y), "time": None, "spikes": 0.0, "spikes_a_neuron": 0.0, "additions": 0.0,
             "multiply_adds": sum(macs)}, first]
    rows += [] if networks.rates is None else [_rates(networks.rates, x, y, t, macs[0], neurons) for t in steps]
    return {"n": n, "equal": int((relu.argmax(axis=1) == times.argmin(axis=1)).sum()), "difference": stats.difference,
            "clipped": stats.clipped, "rows": rows}


class _Spikes:
    """Spikes, additions and differences, summed over pieces of the samples."""

    def __init__(self, networks, model):
        self.networks, self.model = networks, model
        self.whitened = isinstance(networks.relu.layers[0], Whiten)
        self.spikes, self.neurons, self.additions, self.clipped, self.difference = 0, 0, 0.0, 0, 0.0

    def add(self, x, relu, times):
        """Take in a piece: its input, the outputs of the ReLU network's layers, those of the other's."""
        ref = [y for layer, y in zip(self.networks.relu.layers, relu, strict=True) if isinstance(layer, ReLU | Whiten)] + [relu[-1]]
        got = [(layer, t) for layer, t in zip(self.networks.first.layers, times, strict=True) if isinstance(layer, FirstSpikes)][1:]
        for (layer, t), a in zip(got, ref, strict=True):
            charge = np.where(np.isfinite(t), layer.t_max - t, 0) - layer.shift
            self.difference = max(self.difference, float(np.abs(charge - a).max()))
            self.spikes += int(np.isfinite(t).sum())
            self.clipped += int((t == 0).sum()) if layer.t_max not in self._ceilings() else 0
        self.neurons = sum(t[0].size for _, t in got)
        counts = [np.isfinite(t).astype(float) for _, t in got]
        self.additions += sum(additions(counts[self.whitened:], self.model, 1))
        if not self.whitened:
            fired = np.float64(x > 0)
            fan = fan_outs(self.model)[0]
            self.additions += float(((fired.reshape(len(x), -1) if fan.ndim == 0 else fired) * fan).sum())

    def _ceilings(self):
        """Return the tops of ReLUs with a ceiling: a spike at the begin of such a window is right."""
        return {layer.options[0] for layer in self.networks.relu.layers if isinstance(layer, ReLU)}


def _rates(nets, x, y, n_steps, macs, neurons):
    """Return the row of rates after n_steps."""
    snn, out, spikes, added = with_steps(nets.snn, n_steps), [], 0, 0.0
    for i in range(0, len(x), rate.PIECE):
        run = snn.run(rate.encode_batch(nets, x[i:i + rate.PIECE]), keep_counts=True)
        out.append(run.counts[-1])
        spikes += int(np.sum(run.n_spikes))
        added += sum(additions(run.layer_counts, nets.settings.model, n_steps))
    return {"network": f"rates, T = {n_steps}", **_score(np.concatenate(out), y), "time": n_steps, "spikes": spikes / len(x),
            "spikes_a_neuron": spikes / len(x) / neurons, "additions": added / len(x), "multiply_adds": macs}


def _score(outputs, y):
    """Return the accuracy of "the largest wins", and its bounds."""
    score = rate.accuracy(outputs, y)
    return {"accuracy": score.expected, "strict": score.strict, "inclusive": score.inclusive}
