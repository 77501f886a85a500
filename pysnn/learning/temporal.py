"""Temporal coding: the exact derivatives of spike times, from the loss of the output spikes back to every weight.

Its siblings (proxy, tandem, surrogate) need a stand-in for the derivative of a spike count; a spike time needs none.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .. import encode, losses, models
from .._blas import squares
from ..layers.temporal import NEURONS, needed
from ..metrics import accuracy
from ..network import Network
from . import settings
from .method import Method, Step, finished_by, movable
from .settings import add_penalty, called, fitted_dense, of_parameter, setting

CODES = {"binary": encode.binary, "latency": encode.latency, "pairs": encode.pairs, "times": encode.times}
LOSSES = {"t": losses.softmax_t, "z": losses.softmax_z, "squared": losses.squared_t}


@dataclass(frozen=True)
class Settings(settings.Settings):
    """What a run of temporal coding can choose; the defaults are the preset `ours`.

    `ours` was chosen on MNIST's validation split. `authors` is the paper's recipe: loss on z, weight-sum cost, L2, the whole gradient
    rescaled, plain gradient descent in batches of 10. The paper sums the loss over a batch, we take the mean: so its bound of 10 became
    a tenth. Not the paper's: learning rate, lambda, K = 1 in the place of 100 (a tenth of it here), first weights, and that spikes are
    lost in training. docs/results.md says how they were chosen.
    """

    model: object = "784-800-10"
    neuron: str = setting("temporal", "temporal: the paper's; of dense layers also leaky with tau_m = tau_s, leaky with tau_m = 2 tau_s, "
                          "alpha synapses", NEURONS)
    bias: bool = setting(False, "an extra input spike at z = 1 for every layer")
    code: object = setting("binary", "how samples become spikes; pairs: two for each number, of images in two channels; times: samples are "
                           "spike times in tau, inf for no spike; or your own (x, late) -> z", CODES, True)
    late: float = setting(6.0, "z of the darkest input, exp(t_max/tau)", (1.001, 1e6))
    bright: str = setting("early", "in the binary code, when bright inputs spike", ("early", "late"))
    loss: object = setting("t", "t: softmax of -beta t; z: softmax of -z, the paper's; squared: of regression; or your own "
                           "(z, labels) -> loss, dz", LOSSES, True)
    beta: float = setting(40.0, "for the loss on times, in 1/tau", (1e-6, 1e6))
    t_zero: float = setting(1.5, "of regression: when an output spikes that means a target of 0, in tau", (-1e3, 1e3))
    t_unit: float = setting(0.25, "of regression: how much earlier one spikes that means 1 more, in tau", (1e-6, 1e3))
    weight_sum: float = setting(0.02, "K: cost of a neuron whose weights sum up to less than it needs to fire", (0, 1e6))
    l2: object = setting(0.0, "lambda: cost of the squared weights", (0, 1e6), by_name=True)
    max_norm: float = setting(1.0, "bound of each matrix' gradient, Frobenius norm; 0: none", (0, 1e6))
    bound: str = setting("data", "what that bound applies to: data (the gradient of the loss on data) or all (with the costs)",
                         ("data", "all"))
    drop_in: float = setting(0.2, "share of the input spikes lost in training", (0, 0.99))
    drop_hidden: float = setting(0.4, "share of the hidden spikes lost in training", (0, 0.99))
    jitter: float = setting(0.0, "standard deviation of the input times in training, in tau", (0, 1e3))
    lr: float = 2e-3
    batch: int = 128
    epochs: int = 40
    init_mean: float = setting(4.0, "expected sum of a neuron's weights, in units of the least that makes it fire", (-1e3, 1e3))
    init_std: float = setting(0.56, "standard deviation of a weight, times sqrt(n_in), in the same units", (0, 1e3))

    @property
    def own_encoding(self):
        """Whether an encoding of the user's own, or pairs, stands between samples and network, or samples are times, not in [0, 1]."""
        return callable(self.code) or self.code in ("pairs", "times")

    def __post_init__(self):
        """Refuse settings that mean nothing, before any work is done."""
        super().__post_init__()
        list(self.model.sites(neuron="temporal", bias=self.bias, op=self.neuron))
        if self.code == "pairs" and len(self.model.shape) == 3 and self.model.shape[-1] % 2:
            raise ValueError(f"code: expected a model with an even number of channels for 'pairs', got {self.model}")

    @property
    def needed(self):
        """The least sum of weights with which inputs at one time make a neuron fire.

        Returns
        -------
        float
            See `pysnn.layers.temporal.needed`.
        """
        return needed(self.neuron)


PRESETS = {
    "ours": {},
    "authors": {"loss": "z", "weight_sum": 0.1, "l2": 1e-5, "max_norm": 1.0, "bound": "all", "drop_in": 0.1, "drop_hidden": 0.2,
                "optimiser": "sgd", "lr": 0.5, "lr_end": 0.02, "schedule": "exponential", "batch": 10, "epochs": 20,
                "init_mean": 2.0, "init_std": 2.0},
}


class Nets(NamedTuple):
    """One network and how it is used."""

    net: Network
    settings: Settings

    @property
    def state(self):
        """What changes in training without being a parameter: nothing.

        Returns
        -------
        dict
            Empty.
        """
        return self.net.state


def build(settings, params=None, rng=None, state=None):
    """Build the network, on given parameters (as of a checkpoint) or on parameters drawn by rng."""
    s = settings
    if state:
        raise ValueError(f"state: expected none, got {', '.join(state)}")
    if params is None:
        params = models.temporal_params(s.model, rng, s.bias, s.init_mean * s.needed, s.init_std * s.needed, np.dtype(s.dtype).type)
    drops = [s.drop_in] + [s.drop_hidden] * (s.model.n_weights - 1)
    return Nets(models.build(s.model, s.neuron, params, s.bias, drops, s.backend), s)


def encode_batch(nets, x, rng=None):
    """Turn images or points into input spikes.

    Parameters
    ----------
    nets : Nets
        From `build`.
    x : (B, ...) array
        Images (uint8) or points in [0, 1]; with code="times" spike times in tau.
    rng : numpy.random.Generator, optional
        Given in training: images are mirrored and shifted, and times jittered, if the settings say so.

    Returns
    -------
    (B, n_in) or (B, H, W, C) array
        exp(t/tau) of the input spikes, in the shape that the model takes.
    """
    s = nets.settings
    if rng is not None and x.ndim > 2:
        x = encode.flip_images(x, rng) if s.flip else x
        x = encode.shift_images(x, s.shift, rng, s.edge) if s.shift else x
    if rng is not None and s.augment:
        x = s.augment(x, rng)
    x = (encode.times if s.code == "times" else encode.intensities)(x, np.dtype(s.dtype).type)
    if callable(s.code):
        z = np.asarray(s.code(x, s.late), x.dtype).reshape(len(x), -1)
    elif s.code == "times":
        z = x
    else:
        z = encode.binary(x, s.late, bright=s.bright) if s.code == "binary" else CODES[s.code](x, s.late)
    if (n := np.prod(s.model.shape)) != z[0].size:
        raise ValueError(f"x: expected {n} input spikes for model {s.model}, got {z[0].size}" if s.own_encoding else
                         f"z_in: expected shape (any, {n}), got an array of shape {z.shape}")
    if s.code == "pairs" and len(s.model.shape) == 3:                # of images: two channels for each of theirs
        z = np.stack(np.split(z, 2, axis=1), axis=-1)
    z = z.reshape(len(z), *s.model.shape)
    return encode.jitter(z, s.jitter, rng) if rng is not None and s.jitter else z


def spikes(nets, z_in, rng=None):
    """Run the network.

    Parameters
    ----------
    nets : Nets
        From `build`.
    z_in : (B, ...) array
        From `encode_batch`.
    rng : numpy.random.Generator, optional
        Given in training.

    Returns
    -------
    list of arrays
        exp(t/tau) of the spikes of each layer of neurons, before any pooling.
    """
    return fired(nets, nets.net.forward(z_in, rng)[0])


def fired(nets, outputs):
    """Pick the outputs of the layers of neurons, before any pooling.

    Parameters
    ----------
    nets : Nets
        From `build`.
    outputs : list of arrays
        Of all layers.

    Returns
    -------
    list of arrays
        exp(t/tau) of the spikes.
    """
    return [z for z, layer in zip(outputs, nets.net.layers, strict=True) if layer.fires]


def finish(nets, step):
    """Finish the gradients of a batch: bound them, add the costs of the weights.

    Its stats say the norm of each weight array's gradient before that rescaling, grad_norm, and after it, clipped_norm.
    In this order: gradient of the mean loss; rescaled, matrix by matrix, if its norm exceeds max_norm; weight-sum cost and L2 added. With
    bound="all" the rescaling comes last, as in the paper; then a large cost of one neuron leaves almost nothing of the loss's gradient.

    Parameters
    ----------
    nets : Nets
        From `build`.
    step : pysnn.learning.method.Step
        What the samples say; its gradients are changed in place.

    Returns
    -------
    pysnn.learning.method.Step
        What the training loop needs.
    """
    net, s = nets
    (loss, _, grads, _, _), weights = step, s.model.weights
    stats = step.stats | {"dead_gradient": [1 - np.count_nonzero(grads[name]) / grads[name].size for name in weights if name in grads],
                          "movable": movable(grads, weights)}
    before = {} if s.max_norm else {name: squares(dw) ** 0.5 for name, dw in grads.items()}
    for name, dw in grads.items():
        w = net.params[name]
        if s.bound == "data" and s.max_norm:
            before[name] = rescale(dw, s.max_norm)
        loss += add_costs(dw, w, s.weight_sum, of_parameter(s.l2, name), s.needed) if name in weights else 0.0
        if s.bound == "all" and s.max_norm:
            before[name] = rescale(dw, s.max_norm)
    stats["grad_norm"] = [before[name] for name in weights if name in before]
    stats |= {"clipped_norm": [min(norm, s.max_norm) for norm in stats["grad_norm"]]} if s.max_norm else {}
    loss += add_penalty(s, net.params, grads)
    return step._replace(loss=loss, stats=stats)


@finished_by(finish)
def gradients(nets, x, y, rng=None, weight=None):
    """Compute the loss of a batch and its gradient for every parameter; update nothing."""
    net, s = nets
    outputs, caches = net.forward(encode_batch(nets, x, rng), rng)
    z = outputs[-1]
    more = {"t": {"beta": s.beta}, "squared": {"t_zero": s.t_zero, "t_unit": s.t_unit}}.get(s.loss if isinstance(s.loss, str) else "", {})
    more |= {} if weight is None else {"weight": weight}
    loss, dz = called(s.loss, z, y) if callable(s.loss) else LOSSES[s.loss](z, y, **more)
    _, grads = net.backward(dz, caches)
    stats = {"silent": [float(np.mean(z_layer == np.inf)) for z_layer in fired(nets, outputs)],
             "n_silent": int(np.isinf(z).all(axis=1).sum())}
    return Step(loss, z, grads, stats)


def rescale(dw, max_norm):
    """Shrink a gradient in place so that its Frobenius norm is at most max_norm.

    Parameters
    ----------
    dw : array
        Gradient, changed in place.
    max_norm : float
        Bound; 0 means none.

    Returns
    -------
    float
        The norm before.
    """
    norm, largest = squares(dw) ** 0.5, 1.0
    if norm == np.inf and max_norm:                                 # squares above the largest number, entries below it
        largest = max(float(dw.max()), -float(dw.min()))
        dw /= dw.dtype.type(largest)
        norm = squares(dw) ** 0.5 * largest
    if 0 < max_norm < norm:
        dw *= dw.dtype.type(max_norm / norm * largest)
    return norm


def add_costs(dw, w, weight_sum, l2, needed=1.0):
    """Add to dw the gradient of (L3) K sum_j max(0, 1 - sum_i w_ij) and (L4) lambda sum w^2.

    Parameters
    ----------
    dw : (..., n_out) array
        Gradient, changed in place.
    w : (..., n_out) array
        Weights, those of a neuron in all but the last axis.
    weight_sum, l2 : float
        K and lambda; 0 switches a cost off.
    needed : float
        In the place of the 1 in (L3): the least sum that makes a neuron fire.

    Returns
    -------
    float
        The two costs.
    """
    cost = 0.0
    if weight_sum:
        lacking = np.maximum(w.dtype.type(needed) - w.reshape(-1, w.shape[-1]).sum(axis=0), 0)
        if lacking.any():
            dw -= w.dtype.type(weight_sum) * (lacking > 0)
            cost += weight_sum * float(lacking.sum())
    if l2:
        dw += w.dtype.type(2 * l2) * w
        cost += l2 * squares(w)
    return cost


def predict(nets, x):
    """Compute the output spikes (N, n_out) of many samples, as z = exp(t/tau); inf: no spike."""
    n = piece(nets)
    return np.concatenate([nets.net.forward(encode_batch(nets, x[i:i + n]))[0][-1] for i in range(0, len(x), n)])


def piece(nets):
    """Say how many samples to run at once: a map of neurons takes more memory than a row of them.

    Parameters
    ----------
    nets : Nets
        From `build`.

    Returns
    -------
    int
        500, with convolutions 100.
    """
    return 500 if all(len(shape) == 1 for shape in nets.settings.model.shapes) else 100


def decide(z):
    """Decide for the class whose output spikes first; of equal times for the first class.

    Parameters
    ----------
    z : (N, n_out) array
        exp(t/tau) of the output spikes.

    Returns
    -------
    (N,) array of integers
        Class numbers; -1 where no output spikes.
    """
    return np.where(np.isfinite(z).any(axis=1), z.argmin(axis=1), -1)


def report(nets, x, y=None):
    """Count silent neurons, and neurons that cannot fire.

    Parameters
    ----------
    nets : Nets
        From `build`.
    x : (N, ...) array
        Images or points.
    y : (N,) array of integers, optional
        Labels; not used.

    Returns
    -------
    dict
        By layer: `silent`, the share of neurons and samples without a spike; `ceiling`, 0, for a spike time has none; `never`, the share of
        neurons silent for all samples; `margin`, the smallest sum of a neuron's weights minus what it needs to fire (below 0 the neuron
        can never fire after all its inputs).
    """
    ever, silent, n, many = None, None, 0, piece(nets)
    for i in range(0, len(x), many):
        came = [np.isfinite(z).reshape(len(z), -1) for z in spikes(nets, encode_batch(nets, x[i:i + many]))]
        ever = [s.any(axis=0) if ever is None else s.any(axis=0) | f for s, f in zip(came, ever or came, strict=True)]
        silent = [float((~s).mean(axis=1).sum()) + (silent[k] if silent else 0.0) for k, s in enumerate(came)]
        n += len(came[0])
    weights = [nets.net.params[name] for name in nets.settings.model.weights]
    return {"silent": [s / n for s in silent], "ceiling": [0.0] * len(silent), "never": [float(1 - f.mean()) for f in ever],
            "margin": [float(w.reshape(-1, w.shape[-1]).sum(axis=0).min() - nets.settings.needed) for w in weights]}


DATA_SETTINGS = {   # what differs from the preset, data set by data set; chosen on validation splits like the preset itself
    "xor": {"model": "2-4-2", "late": float(np.exp(2)), "drop_in": 0.0, "drop_hidden": 0.0, "batch": 4, "epochs": 2000,
            "lr": 0.03},
    "yin-yang": {"model": "4-200-3", "bias": True, "code": "latency", "drop_in": 0.0, "drop_hidden": 0.0, "beta": 30.0,
                 "lr": 3e-3, "batch": 20, "epochs": 300},
    "fashion-sample": {"code": "latency", "late": 20.0, "beta": 20.0, "drop_in": 0.1, "lr": 1e-3, "epochs": 30},
    "fashion-mnist": {"code": "latency", "late": 20.0, "beta": 20.0, "drop_in": 0.1, "lr": 1e-3},
    "mnist": {"shift": 1, "epochs": 50},
    "cifar10": {"model": "3072-800-10", "code": "latency"},
}
# init_std / (init_mean - 1) is how much of its inputs' differences a layer keeps in the beginning: 1.5, and 0.19 by default
IMAGES = {"model": "32x32x6-48c3-N-P2-96c3-N-P2-192c3-N-P2-10", "code": "pairs", "late": 20.0, "init_mean": 2.0, "init_std": 1.5,
          "flip": True, "shift": 2, "edge": "reflect", "drop_in": 0.0, "drop_hidden": 0.0, "epochs": 24}


def _fit(data):
    """Fit the settings to data of the user's own."""
    known = fitted_dense(data)
    known |= {"code": "latency", "beta": 20.0, "weight_sum": 2.0, "drop_in": 0.0, "drop_hidden": 0.0} if known else {}
    if known and data.regression:
        known |= {"code": "pairs", "model": f"{2 * int(np.prod(data.x_train.shape[1:]))}-100-{len(data.classes)}"}
    return known


def values(settings, z):
    """Return the numbers that output spikes mean in regression, (L10).

    Parameters
    ----------
    settings : Settings
        The choices: t_zero, t_unit.
    z : (N, n_out) array
        exp(t/tau) of the output spikes.

    Returns
    -------
    (N, n_out) array
        Numbers, in the unit of the targets as training was given them.
    """
    return losses.values_t(z, settings.t_zero, settings.t_unit)


METHOD = Method("temporal", Settings, build, gradients, predict, accuracy, decide, PRESETS, DATA_SETTINGS,
                ("model", "bias", "code", "late", "drop_in", "drop_hidden"), report=report, family="temporal", fit=_fit,
                values=values, best={"cifar10": IMAGES})
score, settings_for = METHOD.score, METHOD.settings_for
