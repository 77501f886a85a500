"""How methods differ: angles between their gradients, how well spiking and ReLU layers agree, activity, and what ties are worth.

docs/derivations/index.md says what each gradient is the gradient of; `pysnn.evaluation.mismatch` says why layers disagree.
"""

import contextlib
from itertools import combinations

import numpy as np

from .. import metrics, models
from .._blas import one_thread
from ..layers import NeuronConfig
from ..learning import METHODS, rate
from .mismatch import spiking
from .rate import activations, relu_twin

RULES = {name: rule for name, rule in METHODS.items()                                                    # they share one loss
         if rule.family == "rate" and "on" in rule.Settings.__dataclass_fields__}


def gradient_angles(nets, x, y, **chosen):
    """Compare the directions of the gradients that the methods give for one network.

    All see the same parameters, the same samples, the running statistics of the spiking network, the same readout and loss. Beside
    proxy, tandem and surrogate stand two networks without spikes and their own error, y being T times their output divided by the
    threshold: `relu`, the plain ReLU network, and `limit`, with hidden layers that give what rates tend to, min(max(a, 0)/threshold, 1).
    The outputs of both are the bare currents: they are not clipped, neither at 0 nor at the threshold. For surrogate, whatever the network,
    resets are constants, if `detach_reset` is not chosen.

    Parameters
    ----------
    nets : pysnn.learning.rate.Nets
        Of proxy, tandem or surrogate.
    x : (B, ...) array
        Images or points.
    y : (B,) array of integers
        Labels.
    **chosen : object
        Settings other than those of the networks, such as n_steps, clip or slope.

    Returns
    -------
    dict of (str, str) to dict of str to float
        For each pair, the angle in degrees by parameter name, and of all parameters together ("all"); NaN where a gradient is 0.

    Raises
    ------
    ValueError
        If the networks are those of another method, or a setting is unknown.
    """
    if nets.snn is None or not hasattr(nets.settings, "on"):
        raise ValueError("nets: expected networks of proxy, tandem or surrogate")
    names = set().union(*(rule.Settings.__dataclass_fields__ for rule in RULES.values()))
    if unknown := sorted(set(chosen) - names):
        raise ValueError(f"unknown setting {unknown[0]!r}: expected one of {', '.join(sorted(names))}")
    values = {"clip": True, **vars(nets.settings), "detach_reset": True, **chosen}
    values |= {"statistics": "shared", "freeze_after": 1, "weight_decay": 0.0}
    grads = {}
    for name, rule in RULES.items():
        own = rule.Settings.__dataclass_fields__.keys() - ({"clip"} if name == "tandem" else set())       # tandem as published
        settings = rule.Settings(**{key: value for key, value in values.items() if key in own})
        state = {"n_epochs": np.ones((), np.int64), **nets.snn.state}
        twins = rule.build(settings, nets.net.params, state=state)
        grads[name] = rule.gradients(twins, x, y).grads
    inputs = rate.encode_batch(nets, x)
    grads["relu"] = _own_error(twins, inputs, y, False)
    grads["limit"] = _own_error(twins, inputs, y, True)
    return {(a, b): {name: angle(grads[a][name], grads[b][name]) for name in nets.net.params}
            | {"all": angle(*(np.concatenate([grads[k][name].ravel() for name in nets.net.params]) for k in (a, b)))}
            for a, b in combinations(grads, 2)}


def angles_through_time(nets, x, y, truncate=()):
    """Compare what leaves out a part of the past with full back-propagation through time: e-prop, and truncated gradients.

    Parameters
    ----------
    nets : pysnn.learning.rate.Nets
        Of surrogate or eprop; resets are constants in all gradients compared.
    x : (B, T, n) array
        Samples.
    y : (B,) array of integers
        Labels.
    truncate : sequence of int
        Steps of segments, see the setting of surrogate.

    Returns
    -------
    dict of str to dict of str to float
        For eprop, where the model has traces, and each truncation ("truncate 5"), the angle in degrees by parameter name; NaN where a
        gradient is 0.

    Raises
    ------
    ValueError
        If the networks are those of another method.
    """
    surrogate, eprop = METHODS["surrogate"], METHODS["eprop"]
    if not isinstance(nets.settings, (surrogate.Settings, eprop.Settings)):
        raise ValueError("nets: expected networks of surrogate or eprop")
    values = vars(nets.settings) | {"detach_reset": True, "memory": "all", "truncate": 0, "clip_norm": 0.0}
    values |= {"input": "steps"} if isinstance(nets.settings, eprop.Settings) else {}

    def chosen(rule, **more):
        return rule.Settings(**{name: value for name, value in (values | more).items() if name in rule.Settings.__dataclass_fields__})

    def grads(settings):
        rule = eprop if isinstance(settings, eprop.Settings) else surrogate
        state = {name: some for name, some in nets.state.items() if rule is eprop or not name.startswith("feedback")}
        return rule.gradients(rule.build(settings, nets.net.params, state=state), x, y).grads
    others = {f"truncate {n}": chosen(surrogate, truncate=n) for n in truncate}
    with contextlib.suppress(ValueError):
        others = {"eprop": chosen(eprop)} | others
    full = grads(chosen(surrogate))
    return {name: {w: angle(dw, full[w]) for w, dw in grads(settings).items()} for name, settings in others.items()}


def _own_error(nets, x, labels, limit):
    """Return the gradient of a network without spikes, of its own error; in the limit with currents in units of the threshold."""
    s, f, params = nets.settings, nets.snn.config, nets.net.params
    unit = {name: limit and f.threshold for name in params}                    # False: as it is
    for k in range(1, 1 + s.model.n_weights):
        if f"gamma{k}" in params:
            unit[f"w{k}"] = False                                              # gamma and beta set the scale
    if not f.output:
        unit |= {f"w{k}": False, f"b{k}": False}                               # the outputs add up their current
    scaled = {name: w / w.dtype.type(unit[name] or 1) for name, w in params.items()}
    net = models.build(s.model, "relu", scaled, s.bias, None, s.backend, nets.snn.state, NeuronConfig(threshold=1.0, clip=limit))
    outputs, caches = net.forward(x)
    to_counts = x.dtype.type(s.n_steps / (f.threshold if f.output and not limit else 1))
    _, dy = rate.loss_and_grad(s, outputs[-1] * to_counts, labels)
    return {name: dw / dw.dtype.type(unit[name] or 1) for name, dw in net.backward(dy * to_counts, caches)[1].items()}


def angle(a, b):
    """Measure the angle between two arrays.

    Parameters
    ----------
    a, b : arrays of one shape
        Two gradients.

    Returns
    -------
    float
        Degrees, 0 to 180; NaN if one of them is 0.
    """
    a, b = (x.ravel().astype(np.float64) for x in (a, b))
    with one_thread():
        product, norms = a @ b, np.linalg.norm(a) * np.linalg.norm(b)
    return float(np.degrees(np.arccos(np.clip(product / norms, -1, 1)))) if norms else float("nan")


def agreement(nets, x):
    """Hold the rates of a spiking network against its ReLU twin, layer by layer.

    Parameters
    ----------
    nets : pysnn.learning.rate.Nets
        Of a method with spikes.
    x : (N, ...) array
        Images or points.

    Returns
    -------
    list of dict
        For each layer, before pooling, between activations a of the twin and rates times threshold (of a conversion, times scale) r:
        correlation; slope, sum r a / sum a^2, which falls layer by layer where signals shrink; difference, the mean of |r - a|; and the
        means of both. Of firing outputs the twin's activation counts from 0. NaN where nothing varies.
    """
    s, f = spiking(nets).settings, nets.snn.config
    twin = relu_twin(nets)
    scales = getattr(nets.snn, "scales", None)
    sums = None
    for i in range(0, len(x), rate.PIECE):
        inputs = rate.encode_batch(nets, x[i:i + rate.PIECE])
        counts = nets.snn.run(inputs, keep_counts=True).layer_counts
        *hidden, last = activations(twin, inputs)
        rows = []
        for k, (n, a) in enumerate(zip(counts, [*hidden, np.maximum(last, 0) if f.output else last], strict=True)):
            unit = (f.threshold if f.output or k < len(counts) - 1 else 1.0) * (float(scales[k]) if scales else 1.0)
            r, a = (v.ravel().astype(np.float64) for v in (n * (unit / s.n_steps), a))
            with one_thread():
                rows.append([r.size, r.sum(), a.sum(), r @ r, a @ a, r @ a, np.abs(r - a).sum()])
        sums = np.array(rows) if sums is None else sums + rows
    layers = []
    for n, r, a, rr, aa, ra, off in sums:
        variances = (n * rr - r * r) * (n * aa - a * a)
        layers.append({"correlation": float((n * ra - r * a) / variances ** 0.5) if variances > 0 else float("nan"),
                       "slope": float(ra / aa) if aa else float("nan"), "difference": float(off / n), "rate": float(r / n),
                       "activation": float(a / n)})
    return layers


def activity(nets, x):
    """Say how busy the neurons of each layer are.

    Parameters
    ----------
    nets : pysnn.learning.rate.Nets
        Of a method with spikes.
    x : (N, ...) array
        Images or points.

    Returns
    -------
    list of dict
        For each layer whose neurons fire: rate, spikes a neuron and step; silent and saturated, shares of neurons and samples without a
        spike, and with one in every step; never, share of neurons without a spike for any sample.
    """
    found = rate.report(spiking(nets), x)
    rows = zip(found["rates"], found["silent"], found["ceiling"], found["never"], strict=False)      # bare outputs have a rate alone
    return [dict(zip(("rate", "silent", "saturated", "never"), row, strict=True)) for row in rows]


def tie_policies(y, labels, potential=None):
    """Score the same outputs by every way to break ties that is in use.

    Parameters
    ----------
    y : (B, n) array
        Spike counts; the largest wins.
    labels : (B,) array of integers
        Labels.
    potential : (B, n) array, optional
        Membrane potentials after the last step.

    Returns
    -------
    dict of str to float
        expected: ties broken at random, in expectation; strict: a tie is wrong; inclusive: a tie is right if the label is in it; first
        and last: the lowest and the highest index of a tie; potential: the highest potential of a tie, and at random if that is
        one, too; tied: share of samples with a tie.
    """
    n = y.shape[1]
    scores = {**metrics.accuracy(-y, labels)._asdict(), "first": float(np.mean(y.argmax(axis=1) == labels)),
              "last": float(np.mean(n - 1 - y[:, ::-1].argmax(axis=1) == labels))}
    tied = y == y.max(axis=1, keepdims=True)
    if potential is not None:
        scores["potential"] = metrics.accuracy(-np.where(tied, potential, -np.inf), labels).expected
    return {**scores, "tied": float(np.mean(tied.sum(axis=1) > 1))}
