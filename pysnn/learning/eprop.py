"""e-prop: learning that is local in time. Each weight has a trace of its past, and an error of the present that multiplies it.

Differs from surrogate, which goes back through all steps: this only goes forward, so memory does not grow with them beyond inputs and
outputs. It leaves out what spikes do to later steps through other neurons: through recurrent weights, and through layers behind.
Source: G. Bellec, F. Scherr, A. Subramoney, E. Hajek, D. Salaj, R. Legenstein, W. Maass, Nature Communications 11, 3625 (2020).
"""

from dataclasses import dataclass

import numpy as np

from .. import models
from .._blas import matmul
from ..layers import Dense
from ..layers.leaky import Integrate
from ..network import SpikingNetwork
from ..reference.integrate_fire import surrogate_grad
from . import rate, surrogate
from .method import finished_by
from .settings import setting

SEGMENT = 8         # steps that are computed at once


@dataclass(frozen=True)
class Settings(surrogate.ThroughTime):
    """What a run can choose; resets are constants in the gradient, and samples have a time axis."""

    model: object = setting("2-32d-R0.9-2d-I0.9", "dense layers with leaky neurons: a text, or a pysnn.models.Model")
    readout: str = "potential"
    over: str = "largest"
    on: str = "counts"
    surrogate: str = "fast_sigmoid"
    slope: float = 5.0
    clip_norm: float = 1.0
    feedback: str = setting("symmetric", "what carries errors back to hidden layers: the weights, or fixed random numbers",
                            ("symmetric", "random"))

    def __post_init__(self):
        """Refuse networks in which a trace is not that of one neuron."""
        super().__post_init__()
        specs = self.model.specs
        body = specs if isinstance(specs[-1], models.Dense) else specs[:-1]
        kinds = [models.Leaky if k % 2 else models.Dense for k in range(len(body))]
        if len(self.model.shape) > 1 or len(body) < 3 or len(body) % 2 == 0 or not all(map(isinstance, body, kinds)):
            raise ValueError(f"model: expected dense layers with leaky neurons between them, such as 2-32d-R0.9-2d-I0.9, got {self.model}")
        if any(spec.learn or spec.reset == "zero" for spec in body[1::2]):
            raise ValueError("model: expected hidden neurons without learn, whose reset is not to zero, since their traces would be one a "
                             f"weight, got {self.model}")

    @property
    def time_axis(self):
        """How many steps a sample has.

        Returns
        -------
        int
            T.
        """
        return self.n_steps


def build(settings, params=None, rng=None, state=None):
    """Build the network, see `pysnn.learning.rate.build`; random feedback is part of the state, drawn by rng, without it 0."""
    s, described = settings, settings.model.params("if")
    w = {f"feedback{k}": described[f"w{k}"] for k in range(2, s.model.n_weights + 1) if s.feedback == "random"}
    nets = rate.build(("if",), s, params, rng, state, {name: np.zeros(param.shape, s.dtype) for name, param in w.items()})
    for name, param in w.items() if state is None and rng is not None else ():
        nets.state[name][...] = np.sqrt(6 / param.n_in) * rng.uniform(-1, 1, param.shape)
    return nets


@finished_by(surrogate.finish)
def gradients(nets, x, y, rng=None, weight=None):
    """Run the network twice, for the errors and then for the traces; update nothing."""
    s, layers, currents = nets.settings, nets.snn.layers, rate.encode_batch(nets, x, rng)
    head, counted = None if isinstance(layers[-1], Dense) else layers[-1], surrogate.counted(s, x, len(currents))
    body = SpikingNetwork(layers[:-1] if head else layers, nets.net.params, {}, nets.snn.config)
    z, counts = _run(body, currents, counted)
    loss, out, d_out, grads = _through_output(nets, head, z, (x, y, weight))
    cost, dcounts = surrogate.spike_cost(s, counts)
    synapses = [_Synapses(*body.layers[i:i + 2], backend=s.backend) for i in range(0, len(body.layers), 2)]
    for span, states, outputs, caches in _segments(body, currents):
        inputs, d = [currents[span].astype(s.dtype, copy=False), *outputs[1::2]], d_out[span]
        for n in reversed(range(len(synapses))):
            i = 2 * n + 1                                                # its neurons among the layers, if it is not the output
            if i in dcounts:
                d = d + counted[span, :, None] * dcounts[i]
            d = synapses[n].before_spikes(d, caches[i:])                 # (D18)
            for name, trace in synapses[n].traces(inputs[n:n + 2], states and states[i:]).items():
                dw = (trace * d).sum(axis=(0, 1)) if name == synapses[n].dense.b_name else matmul(_rows(trace).T, _rows(d))
                grads[name] = grads[name] + dw if name in grads else dw
            w = nets.state.get(f"feedback{n + 1}", synapses[n].dense.w)
            d = matmul(_rows(d), w.T).reshape(*d.shape[:2], -1) if n else None
    return rate.of_samples(nets, (loss + cost, out), grads, {})


def _run(body, currents, counted):
    """Run a network; return the currents (T, B, n) of its output, and how often each hidden layer fired in the steps that count."""
    z, counts = [], {}
    for span, _, outputs, _ in _segments(body, currents):
        z.append(outputs[-1])
        for i in range(1, len(outputs), 2) if counted is not None else ():
            counts[i] = counts.get(i, 0) + (outputs[i] * counted[span, :, None]).sum(axis=0)
    return np.concatenate(z), counts


def _rows(x):
    return x.reshape(-1, x.shape[-1])


def _segments(body, currents):
    """Run a network in segments; yield the steps of each, the states before it, all outputs (T, B, n), and caches."""
    states = None
    for t in range(0, len(currents), SEGMENT):
        x, before = currents[t:t + SEGMENT], states
        outputs, caches, states = body.forward_from(before, x, len(x))
        yield slice(t, t + len(x)), before, [y.reshape(*x.shape[:2], -1) for y in outputs], caches


def _through_output(nets, head, z, samples):
    """(D19) Return loss, y, the error of the currents z of the output in each step, and the gradients of what the output learns."""
    (x, y, weight), s = samples, nets.settings
    nets.snn.set_steps(len(z))
    steps, cache = head.forward(_rows(z)) if head else (z, None)
    loss, out, d = surrogate.errors(s, steps.reshape(z.shape), y, getattr(x, "there", None), weight)
    d, grads = head.backward(_rows(d), cache) if head else (d, {})
    return loss, out, d.reshape(z.shape), grads


class _Synapses:
    """Weights onto a layer of neurons, or (leaky=None) onto the output, and the filters that make traces of what comes in."""

    def __init__(self, dense, leaky=None, backend="auto"):
        self.dense, self.leaky, self.backend, self.states = dense, leaky, backend, {}

    def traces(self, x, states):
        """(D17) Return the trace of each weight array: what comes in, decayed as the potential decays."""
        parts = {self.dense.name: x[0]} | ({} if self.dense.b is None else {self.dense.b_name: np.ones((len(x[0]), 1, 1), x[0].dtype)})
        if self.leaky is None:
            return parts
        if (name := self.leaky.names["w_rec"]) in self.leaky.params:
            before = np.zeros_like(x[1][:1]) if states is None else states[0].s[None]
            parts[name] = np.concatenate([before, x[1][:-1]])
        return {name: self._filtered(name, part) for name, part in parts.items()}

    def _filtered(self, name, x):
        config = self.leaky.config._replace(n_steps=len(x), v_init=0.0)
        like = Integrate({}, 0, config, (self.leaky.given["beta"], self.leaky.given["alpha"]), self.backend)
        y, _, self.states[name] = like.forward_from(self.states.get(name), _rows(x))
        return y.reshape(x.shape)

    def before_spikes(self, ds, caches):
        """(D18) Return the error of the potentials, of this step alone."""
        if self.leaky is None:
            return ds
        beta, c = self.leaky.given["beta"], self.leaky.config
        slope = surrogate_grad(self.leaky.op.potentials(caches[0].cache) - c.threshold, c.surrogate)
        return ds * slope * ds.dtype.type(1 - beta if self.leaky.rule.gain == "1 - beta" else 1)


def bytes_needed(settings):
    """Say how much memory a training step takes at most.

    Parameters
    ----------
    settings : Settings
        The choices.

    Returns
    -------
    int
        Bytes, without parameters: the inputs, and the outputs with their errors, of all steps; and all arrays of two segments.
    """
    s, m = settings, settings.model
    n_in, n_out = m.shape[0], m.shapes[-1][0]
    sizes = [(shape[0], spec.recurrent) for spec, shape in zip(m.specs, m.shapes, strict=True) if isinstance(spec, models.Leaky)]
    two = SEGMENT * (2 * n_in + sum((11 if recurrent else 8) * n for n, recurrent in sizes) + 3 * max(sizes)[0])
    n = s.n_steps * n_in + max(8 * s.n_steps * n_out, 2 * s.n_steps * n_out + two)
    return n * s.batch * (8 if s.dtype == "float64" else 4)


METHOD = surrogate.METHOD._replace(
    name="eprop", Settings=Settings, build=build, gradients=gradients, bytes_needed=bytes_needed, family="",
    data_settings={name: {key: value for key, value in chosen.items() if key not in ("input", "detach_reset")}
                   for name, chosen in surrogate.SEQUENCES.items()})
predict, score, settings_for = METHOD.predict, METHOD.score, METHOD.settings_for
