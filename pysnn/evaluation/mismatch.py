"""Why a spiking network is not its rates: each source of mismatch by a run in which that piece alone is replaced by an ideal one.

docs/derivations/mismatch.md derives (P8) to (P11). All steps of a few samples are held at once: for small networks, or few samples.
"""

from typing import NamedTuple

import numpy as np

from ..layers import SpikingLayer, stages
from ..learning import rate
from ..operations import backend_of
from ..reference import integrate_fire, pool

SOURCES = ("reset", "saturation", "pooling")
PIECE = 20          # samples whose spikes of all steps are held at once


class Mismatch(NamedTuple):
    """How far a spiking network is from its rates, and why; see `mismatch`."""

    layers: list    # a dict a layer
    end: dict       # a dict for the network as it is ("none"), without each source, without all of them


def mismatch(nets, x):
    """Tell apart why a spiking network is not its rates: reset to zero, saturation at a spike a step, maxima of spikes.

    The ideal of a layer is max(mean current, 0)/threshold, pooled as it stands. A counterfactual run replaces one piece by an ideal one:
    reset by subtraction (P8), as many spikes a step as the potential holds thresholds (P9), all spikes of the unit in the window that
    fires most (P10). What is left without all three comes from the finite number of steps, (P11).

    Parameters
    ----------
    nets : pysnn.learning.rate.Nets
        Of a method with spikes.
    x : (N, ...) array
        Images or points.

    Returns
    -------
    Mismatch
        layers: for each layer, fed with the spikes that it really gets, mean absolute values a unit, in spikes a step, behind pooling:
        total, from the ideal; reset, saturation, pooling, how far its rates move if that piece alone is replaced; rest, from the ideal if
        all are. end: the whole network as it is ("none"), with one piece or all of them replaced in every layer: difference, of the output
        rates from the network of ideals; decisions, share of samples where both have the same largest output (the first of equals).
    """
    f, weighted = spiking(nets).snn.config, _stages(nets)
    variants = {"none": (), **{source: (source,) for source in SOURCES}, "all": SOURCES}
    rows = [{"total": 0.0, **dict.fromkeys(SOURCES, 0.0), "rest": 0.0} for _ in weighted]
    end = {name: {"difference": 0.0, "decisions": 0.0} for name in variants}
    for i in range(0, len(x), PIECE):
        inputs = rate.encode_batch(nets, x[i:i + PIECE])
        share = len(inputs) / len(x)
        s = inputs[None]
        for k, (stage, row) in enumerate(zip(weighted, rows, strict=True)):
            fires = f.output or k < len(weighted) - 1
            current = _current(stage, s, nets.settings.backend)
            ideal = _ideal(stage, current.mean(axis=0), f, fires)
            trains = {name: _fire(stage, current, f, without, fires) for name, without in variants.items()}
            s, rates = trains["none"], {name: train.mean(axis=0) for name, train in trains.items()}
            for name, (a, b) in {"total": (rates["none"], ideal), "rest": (rates["all"], ideal),
                                 **{source: (rates[source], rates["none"]) for source in SOURCES}}.items():
                row[name] += share * float(np.abs(a - b).mean())
        ideal = _through(weighted, inputs, nets, None)
        for name, without in variants.items():
            out = _through(weighted, inputs, nets, without)
            end[name]["difference"] += share * float(np.abs(out - ideal).mean())
            end[name]["decisions"] += share * float((out.argmax(axis=1) == ideal.argmax(axis=1)).mean())
    return Mismatch(rows, end)


def trace(nets, x):
    """Simulate a network once, and keep what happens at every step.

    Parameters
    ----------
    nets : pysnn.learning.rate.Nets
        Of a method with spikes.
    x : (B, ...) array
        Input, a constant current, as `rate.encode_batch` gives it; few samples, for all steps are held at once.

    Returns
    -------
    spikes : list of (T, B, ...) arrays
        0 and 1 by layer, before pooling; of outputs that do not fire 0.
    v : (T, B, n_out) array
        Potential of the outputs after each step.
    """
    f, s, trains = spiking(nets).snn.config, x[None], []
    for layer in nets.snn.folded_layers():
        if not isinstance(layer, SpikingLayer):
            y, _ = layer.forward(s.reshape(-1, *s.shape[2:]))
            s = y.reshape(*s.shape[:2], *y.shape[1:])
            continue
        current = np.broadcast_to(s, (f.n_steps, *s.shape[1:]))
        s, state, v = [], None, []
        for now in current:
            spikes, state = layer.step(state, now)
            s.append(spikes)
            v.append(state)
        s = np.stack(s)
        trains.append(s)
    if f.output:
        return trains, np.stack(v)
    current = np.broadcast_to(s, (f.n_steps, *s.shape[1:]))
    return [*trains, np.zeros_like(current)], f.v_init + np.cumsum(current, axis=0)


def _through(weighted, x, nets, without):
    """Return the output rates of the whole network with some sources replaced, or (None) of the ideals."""
    s, f = x[None], nets.snn.config
    for k, stage in enumerate(weighted):
        fires = f.output or k < len(weighted) - 1
        current = _current(stage, s, nets.settings.backend)
        s = _ideal(stage, current[0], f, fires)[None] if without is None else _fire(stage, current, f, without, fires)
    return s.mean(axis=0)


def _current(stage, s, backend):
    """Return the currents (T, B, ...) of a stage for inputs s (T, B, ...); one step stands for all."""
    flat = s.reshape(-1, *s.shape[2:])
    if stage.w.ndim == 2:
        y = backend_of("dense", backend).dense_forward(flat.reshape(len(flat), -1), stage.w, stage.b)[0]
    else:
        y = backend_of("conv", backend).conv2d_forward(flat, stage.w, 1, 1)[0] + (0 if stage.b is None else stage.b)
    return y.reshape(*s.shape[:2], *y.shape[1:])


def _ideal(stage, current, f, fires):
    """Return what rates would be: ReLU of the mean current (B, ...), in units of the threshold, pooled."""
    r = np.maximum(current, 0) if fires else current
    r = r / r.dtype.type(f.threshold if fires else 1)
    return _pooled(stage, r[None])[0]


def _fire(stage, current, f, without, fires):
    """Return the spikes (T, B, ...) of a stage, pooled; without some of the SOURCES of mismatch."""
    if not fires:
        return np.broadcast_to(current, (f.n_steps, *current.shape[1:]))
    current = np.broadcast_to(current, (f.n_steps, *current.shape[1:]))
    rule = f.rule._replace(reset="subtract") if "reset" in without else f.rule                       # (P8)
    if "saturation" in without:
        spikes = _bursts(current, f, rule)
    else:
        spikes, _, _ = integrate_fire.forward(current, f.threshold, f.v_init, rule)
    if stage.pool == "max" and "pooling" in without:
        _, won = pool.max_pool2d_forward(spikes.sum(axis=0), 2)                                      # (P10)
        places = [spikes[:, :, i:i + 2 * won.winner.shape[1] - 1:2, j:j + 2 * won.winner.shape[2] - 1:2] for i in (0, 1) for j in (0, 1)]
        return np.choose(won.winner, places)
    return _pooled(stage, spikes)


def _bursts(current, f, rule):
    """(P9) Return spikes (T, B, ...) of neurons that fire as often in a step as their potential holds thresholds."""
    threshold, v = current.dtype.type(f.threshold), np.full_like(current[0], f.v_init)
    spikes = np.empty_like(current)
    for t, x in enumerate(current):
        u = v + x
        spikes[t] = np.maximum(np.floor(u / threshold) if rule.fire == ">=" else np.ceil(u / threshold) - 1, 0)
        v = u - threshold * spikes[t] if rule.reset == "subtract" else np.where(spikes[t] > 0, 0, u)
    return spikes


def _pooled(stage, s):
    """Pool (T, B, ...) step by step, if the stage says so."""
    if not stage.pool:
        return s
    op = pool.max_pool2d_forward if stage.pool == "max" else pool.avg_pool2d_forward
    y = op(s.reshape(-1, *s.shape[2:]), 2)[0]
    return y.reshape(*s.shape[:2], *y.shape[1:])


def _stages(nets):
    """Return the weight layers with their neurons, or say which networks these analyses are for."""
    folded = stages(nets.snn.folded_layers())
    if folded is None or not all(stage.plain for stage in folded):
        raise ValueError("mismatch: expected 3 x 3 convolutions with padding 1, dense layers, and pooling of spikes in 2 x 2 places, none "
                         f"inside neurons, got {nets.settings.model}")
    return folded


def spiking(nets):
    """Let only networks with spikes through.

    Parameters
    ----------
    nets : pysnn.learning.rate.Nets
        Of any method.

    Returns
    -------
    pysnn.learning.rate.Nets
        The same.

    Raises
    ------
    ValueError
        If there is no spiking network.
    """
    if nets.snn is None:
        raise ValueError("nets: expected networks of a method with spikes, got those of a ReLU network alone")
    return nets
