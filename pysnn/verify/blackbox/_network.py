"""A network of PyTorch: its spiking parts one by one, then the gradient of the whole."""

import numpy as np

from ...foreign import NoAnswer, clean, one_line
from ..conventions import LeakyNeuron
from ..identify._ask import Measured
from ..report.ledger import RIGHT, UNJUDGED, WRONG, Entry, Ledger, joined
from ._axes import Refused

CLOSE = 1e-6                 # of the sum of the absolute terms, beside what differences round
ALIKE = 1e-9


def check(parts, compare, judge, why):
    """Check a network.

    Parameters
    ----------
    parts : iterable of (str, callable)
        Path of each part without parts of its own, and what opens it as a layer.
    compare : callable
        ``compare(plans)``: runs `_frozen.run` beside the network.
    judge : callable
        ``judge(layer)`` -> Ledger, Identified or None.
    why : str
        What to say where nothing can be checked.

    Returns
    -------
    Ledger
        Of its parts, and of the whole.
    """
    ledgers, plans, open_, taken = [], {}, [], []
    for path, opens in parts:
        if any(path.startswith(f"{whole}.") for whole in taken):
            continue
        try:
            layer = opens()
        except NoAnswer:
            raise
        except Refused:
            continue                                           # no layer of neurons: weights, a readout
        ledger, found = judge(layer)
        if found is None or (found.convention is None and not found.fault):
            if found is not None and any("spikes are 0 and 1 here" in line for line in found.why):
                continue                                       # a function such as ReLU
            open_.append(f"{path} ({layer.box.name}): {ledger.entries[0].note}")
            continue
        taken.append(path)
        ledgers.append(Ledger(tuple(e._replace(operation=clean(f"{path} ({e.operation})")) for e in ledger.entries), {}))
        if found.convention is not None:
            plans[path] = plan(layer, found.convention)
    if not plans and not ledgers:
        return Ledger((Entry("network", "parts", verdict=UNJUDGED, note=clean("; ".join([why, *open_]))),))
    words = [*open_, *(f"{path} has a surrogate without a name" for path, p in plans.items() if p["surrogate"] is None)]
    if words or len(plans) < len(ledgers):
        note = f"the gradient of the whole was not checked: {'; '.join(words) or 'a part is wrong'}"
        return joined([*ledgers, Ledger((Entry("network", "frozen parts", verdict=UNJUDGED if words else WRONG, note=clean(note)),))])
    try:
        return joined([*ledgers, whole(compare(plans))])
    except NoAnswer:
        raise
    except Exception as error:
        note = f"the gradient of the whole was not checked: {one_line(error)}; --axes says the layout of its input, without T where it " \
            "takes one step, and --shape the sizes, with the steps first, such as 6x2x784"
        return joined([*ledgers, Ledger((Entry("network", "frozen parts", verdict=UNJUDGED, note=clean(note)),))])


def plan(layer, neuron):
    """Write down a neuron as plain data.

    Parameters
    ----------
    layer : pysnn.verify.blackbox.Layer
        The part.
    neuron : Convention or LeakyNeuron
        What it is.

    Returns
    -------
    dict
        For `_frozen.twin`.
    """
    leaks = isinstance(neuron, LeakyNeuron)
    surrogate = None if isinstance(neuron.surrogate, Measured) else list(neuron.surrogate)
    return {"axes": layer.structure.axes, "rule": list(neuron.rule), "surrogate": surrogate, "detach_reset": bool(neuron.detach_reset),
            "beta": float(neuron.beta) if leaks else 1.0, "alpha": neuron.alpha if leaks else None,
            "scale": float(neuron.scale) if leaks else 1.0, "threshold": layer.threshold, "states": layer.facts["states"],
            "keeps": layer.structure.keeps}


def whole(answer):
    """Judge what the comparison gave.

    Parameters
    ----------
    answer : dict
        From `_frozen.run`.

    Returns
    -------
    Ledger
        An entry for the outputs, and one for each argument.
    """
    rates = ", ".join(f"{path} {rate:.2f}" for path, rate in answer["rates"].items())
    if answer["alike"] > ALIKE:
        note = ("the gradient of the whole was not checked: with definitions in the place of its parts the network gives other outputs, "
                f"by {answer['alike']:.2g}; it calls them in a way that is not known here (spikes a step: {rates}): give its step (--step)")
        return Ledger((Entry("network", "frozen parts", verdict=UNJUDGED, note=clean(note)),))
    left = f"not checked: {', '.join(answer['left'])}, parameters of spiking parts" if answer["left"] else ""
    silent = [path for path, rate in answer["rates"].items() if rate == 0]
    if silent:
        left = f"no spikes in {', '.join(silent)}, whatever the size of input and weights: give it other biases, or a lower threshold"
    entries = [Entry("network", "frozen parts", "output", 1, answer["alike"], verdict=UNJUDGED if silent else RIGHT, note=clean(left))]
    got, wanted, size, noise = (np.array(answer[key]) for key in ("backward", "differences", "size", "noise"))
    names = np.array([name.split(",")[0] for name in answer["names"]])
    scale = {name: max(float(size[names == name].max()), float(np.abs(wanted[names == name]).max())) for name in dict.fromkeys(names)}
    for name, top in scale.items():
        here = names == name
        error = np.maximum(np.abs(got - wanted) - noise, 0)[here] / max(top, 1e-30)
        bad = ~(error <= CLOSE)
        note = f"{int(bad.sum())} of {bad.size} differ; backward says {got[here][bad][0]:.6g}, differences say {wanted[here][bad][0]:.6g}" \
            if bad.any() else ""
        entries.append(Entry("network", "frozen parts", clean(name), int(here.sum()), float(error.max()), note=note,
                             verdict=WRONG if bad.any() else RIGHT))
    return Ledger(tuple(entries))
