"""Gradients of what a layer learns beside its weights: its leak, its threshold, its gain.

How potentials depend on a parameter is read off spikes: the parameter is moved a little to either side, and the currents that just fire
tell leak and gain. What backward says of it must follow from this, and from the definition of the neuron.
"""

from types import SimpleNamespace

import numpy as np

from ..conventions import LeakyNeuron
from ..identify import _leaky
from ..identify._ask import Subject, response
from ..report.ledger import RIGHT, WRONG, Entry
from ..witness import leaky as by_definition
from ..witness.integrate_fire import Dual
from ..witness.surrogates import derivative

H = 2.0 ** -10               # of a parameter
CLOSE = {"float64": 1e-6, "float32": 3e-2}     # of the sum of the absolute terms: differences over H
APART = 0.01                 # decays
STILL = {"float64": 1e-7, "float32": 3e-4}     # a rise below this is none


def check(layer, truth, recorder, case):
    """Compare the gradients of the parameters of a layer with what the definition gives.

    Parameters
    ----------
    layer : pysnn.verify.blackbox.Layer
        What is judged.
    truth : pysnn.verify.blackbox._cases.Truth
        What it should do.
    recorder : Recorder
        Takes an entry for each parameter.
    case : tuple of arrays
        Currents and gradients of spikes, (T, B, N).

    Returns
    -------
    list of str
        Parameters whose effect does not show in the potential of a few steps: they are not checked.
    """
    current, dspikes = case
    close, still, still_ones = CLOSE[truth.precision], STILL[truth.precision], []
    for name, got in layer.there.learned(current.copy(), dspikes.copy()).items():
        rises = None if _alike(truth) else _rises(layer, truth, name)
        if rises is None or np.abs(rises).max() <= still:
            still_ones.append(name)
            continue
        wanted = [_directional(truth, current, dspikes, moves) for moves in _readings(truth, rises)]
        error = min(abs(got - value) / max(size, 1e-300) for value, size in wanted)
        bad = not error <= close
        note = f"backward says {got:.6g}, the definition {wanted[0][0]:.6g}" if bad else ""
        recorder.entries.append(Entry(recorder.operation, recorder.check, f"parameter {name}, all entries moved together", 1, float(error),
                                      verdict=WRONG if bad else RIGHT, note=note))
    return still_ones


def _rises(layer, truth, name):
    """Read how the current that just fires, and what is left of it after one step and after two, move with a parameter; None: unknown."""
    read, subject = [], Subject(layer.box, truth.threshold, layer.structure.n, [], {})
    for by in (H, -H):
        layer.there.move(name, by)
        try:
            found = response(subject)
        finally:
            layer.there.move(name, 0.0)
        if found is None:
            return None
        read.append([found.first[0], found.kept[0], found.kept_2[0]])
    return (np.array(read[0]) - read[1]) / (2 * H)


def _alike(truth):
    """Say whether two decays are so near one another that spikes do not tell which one moves."""
    return truth.leaks and truth.neuron.alpha is not None and abs(truth.neuron.beta - truth.neuron.alpha) < APART


def _readings(truth, rises):
    """List what may move: the threshold, or the gain; spikes alone do not tell them apart. Each is d(beta, alpha, threshold, gain)."""
    neuron, (first, kept, kept_2) = truth.neuron, rises
    beta, alpha = (neuron.beta, neuron.alpha) if truth.leaks else (1.0, None)
    if alpha is None:
        moved = kept, 0.0
    else:
        moved = np.linalg.solve([[1, 1], [2 * beta + alpha, beta + 2 * alpha]], [kept, kept_2])
    gain = _gain(truth)
    return (*moved, first * gain, 0.0), (*moved, 0.0, -first * gain ** 2 / truth.threshold)


def _gain(truth):
    """Give what a potential gains from a current of 1."""
    neuron = truth.neuron
    return neuron.scale * (1 - neuron.beta if neuron.rule.gain == "1 - beta" else 1) if truth.leaks else 1.0


def _directional(truth, current, dspikes, moves):
    """Give the derivative along a direction by dual numbers, and the sum of its absolute terms."""
    d_beta, d_alpha, d_threshold, d_gain = moves
    neuron, gain, n = truth.neuron, _gain(truth), current.shape[-1]
    if not truth.leaks:
        neuron = LeakyNeuron(neuron.rule, neuron.surrogate, neuron.detach_reset, 1.0)
    plain = neuron._replace(rule=neuron.rule._replace(gain="1"), scale=gain)
    case = _leaky.case_of(SimpleNamespace(threshold=truth.threshold), plain, current)

    def spike(k, v, threshold):
        fired = by_definition.fires(case, v.value, threshold.value)
        move = derivative(v.value - threshold.value, case.surrogate) * (v.dot - threshold.dot)
        return Dual(fired, move), Dual(fired, 0.0 * move if case.detach_reset else move)
    dots = {"beta": np.full(n, d_beta), "threshold": np.full(n, d_threshold), "v_init": np.zeros(current.shape[1:]),
            "alpha": np.full(n, d_alpha), "w_rec": case.w_rec if case.w_rec is None else np.zeros_like(case.w_rec)}
    args = [[Dual(x, d_gain / gain * x) for x in case.current] if name == "current" else Dual(value, dots[name])
            for name, value in zip(case.names, case.args, strict=True)]
    out = by_definition.walk(case, args, spike)[0]
    terms = np.stack([d * s.dot for d, s in zip(dspikes, out, strict=True)])
    return float(terms.sum()), float(np.abs(terms).sum())
