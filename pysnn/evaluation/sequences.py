"""What networks with time do: spikes, potentials and operations of leaky neurons, and of samples with a time axis."""

import copy

import numpy as np

from ..conventions import Sequences
from ..layers.leaky import Leaky
from ..learning import rate
from .operations import additions, multiply_adds


def activity(nets, x):
    """Count the spikes and operations of a network with time; steps behind the end of a sample do not count.

    Parameters
    ----------
    nets : pysnn.learning.rate.Nets
        Networks of a method with spikes.
    x : (N, ...) array or pysnn.conventions.Sequences
        Samples.

    Returns
    -------
    dict
        n_steps: steps of a sample, the mean. By layer of neurons that fire, spikes: a sample; rates: a neuron and step. additions: a
        sample, by weight layer whose input is spikes, each of which adds the weights that it meets; recurrent weights count in the layer
        behind. multiply_adds: a sample, those of the layers before the first neurons: in each step, or once if a sample is one constant
        current. Spikes as input, `uint8`, take additions instead. What neurons themselves take is not counted.
    """
    model, time_axis = nets.settings.model, nets.settings.time_axis
    macs, total, n_spikes, n_neurons, n_added = multiply_adds(model), 0, 0.0, [], 0.0
    binary = time_axis is not None and x.dtype == np.uint8
    for i in range(0, len(x), rate.PIECE):
        piece = x[i:i + rate.PIECE]
        inputs = rate.encode_batch(nets, piece)
        spikes, _ = trace(nets, inputs)
        there = piece.there if isinstance(piece, Sequences) else np.ones((nets.snn.config.n_steps, len(piece)), bool)
        counts = [_kept(s, there).sum(axis=0) for s in spikes]
        total += int(there.sum())
        n_neurons = [c[0].size for c in counts]
        n_spikes += np.array([c.sum(dtype=np.float64) for c in counts])
        silent = [] if nets.snn.layers[-1].fires else [np.zeros((len(piece), 1))]        # a leaky output that does not fire
        added = additions([*counts, *silent], model, there.sum() / len(piece))
        n_added += np.array([float(_kept(inputs, there).sum()) * macs[0] / inputs[0, 0].size, *added] if binary else added)
    before = macs[:len(macs) - len(n_added)]
    return {"n_steps": total / len(x), "spikes": (n_spikes / len(x)).tolist(), "rates": (n_spikes / (total * np.array(n_neurons))).tolist(),
            "additions": (n_added / len(x)).tolist(), "multiply_adds": sum(before) * (1 if time_axis is None else total / len(x))}


def trace(nets, x):
    """Run a network once, and keep what happens in every step.

    Parameters
    ----------
    nets : pysnn.learning.rate.Nets
        Networks of a method with spikes.
    x : (T, B, ...) or (B, ...) array
        Input, as `rate.encode_batch` gives it; all steps of all layers are held at once.

    Returns
    -------
    spikes : list of (T, B, ...) arrays
        0 and 1, by layer of neurons that fire.
    v : (T, B, n_out) array
        Potentials of the outputs in each step; of outputs that fire, before a reset; of outputs that are no neurons their currents.
    """
    outputs, caches = nets.snn.forward(x)
    steps, last = nets.snn.config.n_steps, nets.snn.layers[-1]
    fire = [layer.fires for layer in nets.snn.layers]
    spikes = [out.reshape(steps, -1, *out.shape[1:]) for out, fires in zip(outputs, fire, strict=True) if fires]
    v = outputs[-1]
    if isinstance(last, Leaky) and last.fires:
        twin = copy.copy(last)
        twin.fires = False                               # so that its potentials come out
        v, _ = twin.forward(outputs[-2])
    elif last.fires:
        v = caches[-1].u
    return spikes, v.reshape(steps, -1, outputs[-1].shape[-1])


def _kept(steps, there):
    """Set what stands behind the end of a sample to 0; steps (T, B, ...), there (T, B)."""
    return steps * there.reshape(*there.shape, *[1] * (steps.ndim - 2)).astype(steps.dtype)
