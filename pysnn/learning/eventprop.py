"""EventProp: leaky neurons that fire many times, on no time grid, and the exact gradient of all their spike times.

Its sibling temporal has one spike a neuron and no leak; surrogate trains leaky neurons too, on a clock and by a stand-in derivative.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .. import losses, models
from ..layers.event_prop import EventDense, EventMax
from ..network import Network
from . import settings, temporal
from .method import Method, Step, finished_by, movable, norms
from .settings import add_penalty, called, fitted_dense, setting

LOSSES = {"cross_entropy": losses.cross_entropy, "squared": losses.squared}


@dataclass(frozen=True)
class Settings(settings.Settings):
    """What a run of EventProp can choose; times are in time constants of the synapse.

    The defaults were chosen on Yin-Yang's validation split.
    """

    model: object = "784-350-10"
    bias: bool = setting(False, "an extra input spike at t_bias for every layer")
    t_bias: float = setting(1.0, "when that spike comes", (0, 1e3))
    code: object = setting("latency", "how samples become spikes; times: samples are spike times, inf for no spike; or your own "
                           "(x, late) -> z, with t = ln z", temporal.CODES, True)
    late: float = setting(20.0, "of the darkest input, exp(t_max/tau)", (1.001, 1e6))
    bright: str = setting("early", "in the binary code, when bright inputs spike", ("early", "late"))
    jitter: float = setting(0.0, "standard deviation of the input times in training", (0, 1e3))
    readout: str = setting("max", "y: maxima of the potentials of outputs that do not fire (max), or minus the times of the outputs' first "
                           "spikes (first)", ("max", "first"))
    loss: object = setting("cross_entropy", "cross_entropy is of softmax(beta y); squared is for regression; or your own (y, labels) -> "
                           "loss, dy", LOSSES, True)
    beta: float = setting(5.0, "of cross_entropy", (1e-6, 1e6))
    tau_m: float = setting(4.0, "time constant of the membranes", (1e-3, 1e6))
    n_spikes: int = setting(30, "a neuron fires at most so many times a sample; n_stopped in the records counts those that would have gone "
                            "on", (1, 1000))
    rescue: float = setting(0.01, "pull upwards on the weights of a neuron that no sample of a batch moves, such as a silent one", (0, 1e6))
    max_norm: float = setting(1.0, "bound of each array's gradient, Frobenius norm; 0: none", (0, 1e6))
    lr: float = 5e-3
    batch: int = 100
    epochs: int = 40
    init_mean: float = setting(8.0, "expected sum of a neuron's weights, in units of the threshold; of a readout it is 0", (-1e3, 1e3))
    init_std: float = setting(2.0, "standard deviation of a weight, times sqrt(n_in)", (0, 1e3))

    own_encoding = temporal.Settings.own_encoding

    def __post_init__(self):
        """Refuse settings that mean nothing, before any work is done."""
        super().__post_init__()
        if wrong := [spec for spec in self.model.specs if type(spec) not in (models.Dense, models.Neurons) or getattr(spec, "delays", "")]:
            raise ValueError(f"model: expected dense layers without delays, such as 784-350-10 has, got {wrong[0]} in {self.model}")
        if self.loss == "squared" and self.readout != "max":
            raise ValueError(f"loss: expected readout='max' for 'squared', got {self.readout!r}")


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
    s, model = settings, settings.model
    if state:
        raise ValueError(f"state: expected none, got {', '.join(state)}")
    wanted = model.params("relu", s.bias)
    if params is None:
        params = {name: _draw(s, rng, name, param) for name, param in wanted.items()}
    models.check(params, model, wanted)
    how = s.tau_m, s.t_bias, s.backend
    made = [EventDense(params, k, *how, s.n_spikes) for k in range(1, model.n_weights + (s.readout == "first"))]
    return Nets(Network(made if s.readout == "first" else [*made, EventMax(params, model.n_weights, *how)], params, {}, model), s)


def _draw(s, rng, name, param):
    """Draw a parameter."""
    is_readout = s.readout == "max" and name[1:] == str(s.model.n_weights)
    drawn = s.init_std * rng.standard_normal(param.shape) / np.sqrt(param.n_in)
    return (drawn + (0 if is_readout else s.init_mean / param.n_in)).astype(s.dtype)


def _outputs(nets, x, rng=None):
    """Run the network: output of each layer, what the loss sees of the last, caches."""
    t = np.log(temporal.encode_batch(nets, x, rng)).reshape(len(x), -1, 1)
    outputs, caches = nets.net.forward(t)
    return outputs, outputs[-1] if nets.settings.readout == "max" else -outputs[-1][:, :, 0], caches


def _loss(s, y, labels, weight):
    """Return the loss of outputs and its gradient."""
    more = {} if weight is None else {"weight": weight}
    if callable(s.loss):
        return called(s.loss, y, labels)
    if s.loss == "squared":
        return losses.squared(y, labels, **more)
    beta = y.dtype.type(s.beta)
    if s.readout == "max":
        loss, d = losses.cross_entropy(beta * y, labels, **more)
        return loss, beta * d
    z = np.exp(-y)                                                       # (L2), d/dy = -z d/dz
    loss, dz = losses.softmax_t(z, labels, s.beta, **more)
    return loss, np.where(np.isfinite(z), -dz * np.where(np.isfinite(z), z, 0), 0)


def finish(nets, step):
    """Finish the gradients of a batch: bound them, pull at neurons that nothing moves, add costs of the user's own.

    The rescue: a neuron that is silent for all samples has the gradient 0, and would stay silent. In layers in which some are silent,
    weights of neurons that no sample moves get -rescue instead; so do those of a readout that no sample lifts above its rest.

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
    s, grads, weights = nets.settings, step.grads, nets.settings.model.weights
    stats = step.stats | {"movable": movable(grads, weights), "grad_norm": norms(grads, weights)}
    still = {name[1:]: ~grads[name].any(axis=0) for name, silent in zip(weights, step.stats["silent"], strict=False)
             if name in grads and silent > 0}
    if s.readout == "max":                                               # the maximum is where the potential begins, at 0
        still[weights[-1][1:]] = (step.y == 0).all(axis=0)
    for name, dw in grads.items():
        temporal.rescale(dw, s.max_norm)
        dw -= dw.dtype.type(s.rescue) * still.get(name[1:], False)
    return step._replace(loss=step.loss + add_penalty(s, nets.net.params, grads), stats=stats)


@finished_by(finish)
def gradients(nets, x, y, rng=None, weight=None):
    """Compute the loss of a batch and its gradient for every parameter; update nothing."""
    net, s = nets
    outputs, out, caches = _outputs(nets, x, rng)
    loss, d = _loss(s, out, y, weight)
    if s.readout == "first":
        dt = np.zeros_like(outputs[-1])
        dt[:, :, 0] = -d
        d = dt
    _, grads = net.backward(d, caches)
    fired = [np.isfinite(t) for t, layer in zip(outputs, net.layers, strict=True) if layer.fires]
    stopped = sum(int(cache.stopped.sum()) for cache, layer in zip(caches, net.layers, strict=True) if layer.fires)
    stats = {"silent": [float(1 - spikes[:, :, 0].mean()) for spikes in fired],
             "spikes": [float(np.count_nonzero(spikes) / spikes[:, :, 0].size) for spikes in fired],
             "n_stopped": stopped, "n_silent": int((~np.isfinite(out)).all(axis=1).sum())}
    return Step(loss, out, {name: np.ascontiguousarray(dw, net.params[name].dtype) for name, dw in grads.items()}, stats)


def predict(nets, x):
    """Compute the outputs (N, n_out) of many samples: maxima of potentials, or minus first spike times, -inf: no spike."""
    return np.concatenate([_outputs(nets, x[i:i + 500])[1] for i in range(0, len(x), 500)])


def decide(y):
    """Decide for the largest output; of equal ones for the first class.

    Parameters
    ----------
    y : (N, n_out) array
        From `predict`.

    Returns
    -------
    (N,) array of integers
        Class numbers; -1 where no output spikes.
    """
    return np.where(np.isfinite(y).any(axis=1), y.argmax(axis=1), -1)


DATA_SETTINGS = {   # what differs from the preset, data set by data set; chosen on validation splits like the preset itself
    "xor": {"model": "2-8-2", "bias": True, "batch": 4, "epochs": 300, "lr": 0.02},
    "yin-yang": {"model": "4-200-3", "bias": True, "late": 400.0, "t_bias": 3.0, "batch": 50, "epochs": 60, "lr": 0.015},
    "fashion-sample": {"model": "784-100-10", "epochs": 10},
    "fashion-mnist": {},
    "mnist": {},
    "cifar10": {"model": "3072-350-10"},
}


def _fit(data):
    """Fit the settings to data of the user's own."""
    return {name: value for name, value in fitted_dense(data).items() if name not in ("optimiser", "lr", "lr_end")}


METHOD = Method("eventprop", Settings, build, gradients, predict, decide=decide, data_settings=DATA_SETTINGS, fit=_fit)
