"""The checks of the learning rules: each gradient against differences of a loss in which what the rule holds constant is frozen.

    proxy       <c, ANN(W)> with the error c at the spiking output a constant
    tandem      <c, F(W)> with h = relu(W h_before) + k, the offsets k, which close the gap to the spikes, constants
    surrogate   raster and potentials of the real run frozen; each spike moves by what the soft step moves
    ann         its own loss
"""

from functools import partial

import numpy as np

from ... import models
from ...layers import BatchNorm, IntegrateFire, MaxPool, ReLU
from ...learning import METHODS, rate
from ...reference import integrate_fire
from ..gradcheck import gradcheck
from ..witness.relu import Statements
from ._recorder import Checked

NET = {"model": "4x4x1-2C3-P2-4-3", "bias": True, "dtype": "float64", "backend": "reference", "n_steps": 4}
DECAY = 0.3


def nets_for(method, seed=3, **chosen):
    """Build networks of a learning rule whose batch normalisations are not trivial.

    Parameters
    ----------
    method : str
        A rule of `pysnn.learning.METHODS` whose family is rate.
    seed : int
        Of the parameters.
    **chosen : object
        Settings other than those of `NET`; those that the rule does not have are left out.

    Returns
    -------
    pysnn.learning.rate.Nets
        The networks.
    """
    rule = METHODS[method]
    wanted = {**NET, **chosen}
    settings = rule.Settings(**{name: x for name, x in wanted.items() if name in rule.Settings.__dataclass_fields__})
    nets, rng = rule.build(settings, rng=np.random.default_rng(seed)), np.random.default_rng(seed)
    normalised = {name for layer in nets.net.layers if isinstance(layer, BatchNorm) for name in layer.names}
    for name, w in nets.net.params.items():
        if name in normalised:
            w += rng.uniform(0.1, 0.5, w.shape)
    nets.state["n_epochs"] += 1
    return nets


def frozen_loss(method, nets, x, y, step):
    """Make the function whose ordinary derivative the gradient of a learning rule is.

    Parameters
    ----------
    method : str
        The learning rule.
    nets : pysnn.learning.rate.Nets
        At the operating point.
    x, y : arrays
        The batch.
    step : pysnn.learning.Step
        What its `gradients` returned at the operating point.

    Returns
    -------
    callable
        ``forward(params) -> value, decisions``.
    """
    c = None if method == "ann" else rate.loss_and_grad(nets.settings, step.y, y)[1]
    return FROZEN[method][0](nets, (x, y), c)


def masks(layers, x, outputs):
    """Collect the decisions of a ReLU network: which units are active, who wins in each pool.

    Parameters
    ----------
    layers : list of pysnn.layers.Layer
        Its layers.
    x : array
        Its input.
    outputs : list of arrays
        The output of each layer.

    Returns
    -------
    list of arrays
        Decisions.
    """
    decisions = []
    for layer, before, y in zip(layers, [x, *outputs[:-1]], outputs, strict=True):
        if isinstance(layer, ReLU):
            decisions += [y > 0, y < layer.options[0]]
        if isinstance(layer, MaxPool):
            decisions.append(layer.forward(before)[1].winner)
    return decisions


def _pool_by(x, winner):
    """Pool windows of 2 x 2 with given winners."""
    return sum(np.where(winner == 2 * i + j, x[:, i::2, j::2], 0) for i in range(2) for j in range(2))


def _mode(nets):
    return None if rate.uses_running_stats(nets) else "batch"


def _build(nets, neuron, params, config=None):
    s = nets.settings
    return models.build(s.model, neuron, params, s.bias, backend="reference", state=nets.net.state, config=config)


def _ann(nets, batch, c):
    x, y = batch

    def forward(params):
        net = _build(nets, "relu", params)
        outputs, _ = net.forward(x, None, _mode(nets))
        return rate.loss_and_grad(nets.settings, outputs[-1], y)[0], masks(net.layers, x, outputs)
    return forward


def _proxy(nets, batch, c):
    x, _ = batch

    def forward(params):
        net = _build(nets, "relu", params, nets.snn.config)
        outputs, _ = net.forward(x, None, _mode(nets))
        return (c * outputs[-1]).sum(), masks(net.layers, x, outputs)
    return forward


def _tandem(nets, batch, c):
    (x, _), n_steps, mode = batch, nets.settings.n_steps, _mode(nets)
    h, spikes, offsets, winners = x, x, [], []
    for relu, snn in zip(nets.net.layers, nets.snn.layers, strict=False):
        plain, cache = relu.forward(h, None, mode)
        winners += [cache.winner] if isinstance(relu, MaxPool) else []
        spikes, _ = snn.forward(spikes, None, relu.batch_stats(None, cache))
        h = spikes if len(spikes) == len(x) else spikes.reshape(n_steps, len(x), *spikes.shape[1:]).mean(axis=0)
        offsets.append(h - plain)

    def forward(params):
        net, given = _build(nets, "relu", params, nets.snn.config), iter(winners)   # rates are full of ties: their winners are frozen, too
        h, active = x, []
        for layer, k in zip(net.layers, offsets, strict=True):
            plain = _pool_by(h, next(given)) if isinstance(layer, MaxPool) else layer.forward(h, None, mode)[0]
            active += [plain > 0] if isinstance(layer, ReLU) else []
            h = plain + k
        return n_steps * (c * h).sum(), active
    return forward


def _surrogate(nets, batch, c):
    (x, _), s, f, mode = batch, nets.settings, nets.snn.config, _mode(nets)

    def through(layers, soft, pool):
        h = x
        for layer in layers:
            if isinstance(layer, IntegrateFire):
                current = np.stack([h] * s.n_steps) if layer.first else h.reshape(s.n_steps, len(x), *h.shape[1:])
                h = soft(current).reshape(-1, *h.shape[1:])
            elif isinstance(layer, MaxPool):
                h = pool(layer, h)
            else:
                h, _ = layer.forward(h, None, mode)
        return h

    raster, winners = [], []

    def real(current):
        spikes, _, cache = integrate_fire.forward(current, f.threshold, f.v_init, f.rule)
        raster.append((spikes, integrate_fire.surrogate_step(cache.u - f.threshold, f.surrogate)))
        return spikes

    def pooled(layer, h):
        winners.append(layer.forward(h)[1].winner)
        return layer.forward(h)[0]
    through(nets.snn.layers, real, pooled)

    def forward(params):
        kept, won = iter(raster), iter(winners)
        h = through(_build(nets, "if", params, f).layers, lambda current: _soft(current, next(kept), (s, f)),
                    lambda layer, h: _pool_by(h, next(won)))
        return (c * h.reshape(s.n_steps, len(x), -1).sum(axis=0)).sum(), []
    return forward


def _soft(current, kept, how):
    """Run neurons whose spikes differ from the kept ones by the change of the soft step."""
    (s0, soft0), (s, f) = kept, how
    v, out = np.full_like(current[0], f.v_init), []
    for t, x in enumerate(current):
        u = v + x
        spike = s0[t] + integrate_fire.surrogate_step(u - f.threshold, f.surrogate) - soft0[t]
        reset = s0[t] if s.detach_reset else spike
        v = u - f.threshold * reset if s.reset == "subtract" else (1 - reset) * u
        out.append(spike)
    return np.stack(out)


FROZEN = {
    "proxy": (_proxy, ({}, {"clip": False, "gamma": 2.0, "on": "counts"},
                       {"statistics": "separate", "reset": "zero", "readout": "potential"})),
    "tandem": (_tandem, ({}, {"reset": "zero", "freeze_after": 1, "readout": "potential"})),
    "surrogate": (_surrogate, ({}, {"detach_reset": False, "reset": "zero", "surrogate": "sigmoid", "slope": 4.0})),
    "ann": (_ann, ({},)),
}
"""For each learning rule that can be checked so: the function whose derivative its gradient is, and settings to check at."""


def check_gradients(nets, step, forward, n=12):
    """Compare a step's gradients with differences of a frozen function, in every parameter.

    Parameters
    ----------
    nets : pysnn.learning.rate.Nets
        At the operating point.
    step : pysnn.learning.Step
        With the gradients.
    forward : callable
        From `frozen_loss`.
    n : int
        Coordinates in each parameter.

    Returns
    -------
    pysnn.verify.Report
        As of `gradcheck`; its arguments are the parameters.
    """
    names = list(nets.net.params)

    def named(*ws):
        value, decisions = forward(dict(zip(names, ws, strict=True)))
        return np.float64(value), decisions
    return gradcheck(named, lambda d, cache: [d * step.grads[name] for name in names],
                     [nets.net.params[name].copy() for name in names], lambda ws, out, decisions: decisions, names, n)


def _checks(method, right, few=False, subject=None):
    """List the checks of a learning rule, ``gradients(nets, x, y, rng) -> Step``."""
    backend = getattr(subject, "backend", "reference")

    def batch(rng):
        return rng.random((3, 4, 4, 1)), np.arange(3)

    def offsets(chosen):
        def run(op, rng, recorder):
            nets, (x, y) = nets_for(method, backend=backend, **chosen), batch(rng)
            step = op(nets, x, y, None)
            report = check_gradients(nets, step, frozen_loss(method, nets, x, y, right(nets, x, y, None)))
            wrong = [row.name for row in report.rows if row.verdict == "WRONG"]
            last = max(wrong, key=list(nets.net.params).index, default="")
            recorder.report(report, "", f"{last} (from the last layer on)" if wrong else "")
        return run

    def leaves_alone(op, rng, recorder):
        nets, (x, y) = nets_for(method, backend=backend), batch(rng)
        given = {**{f"the weights {name}": w for name, w in nets.net.params.items()},
                 **{f"the state {name}": w for name, w in nets.state.items()}, "the samples x": x, "the labels y": y}
        before = {name: np.array(w) for name, w in given.items()}
        op(nets, x, y, None)
        now = given | {f"the state {name}": w for name, w in nets.state.items()}
        recorder.statements(Statements(tuple((f"gradients leaves {name} alone", np.array_equal(now.get(name), w))
                                             for name, w in before.items())), "arguments")

    def decay(op, rng, recorder):
        x, y = batch(rng)
        plain, costly = (op(nets_for(method, backend=backend, weight_decay=d), x, y, None) for d in (0.0, DECAY))
        params = nets_for(method).net.params
        recorder.compare(costly.loss - plain.loss, DECAY / 2 * sum((w ** 2).sum() for w in params.values()), "loss", 1e-9)
        for name, w in params.items():
            recorder.compare(costly.grads[name], plain.grads[name] + DECAY * w, name, 1e-9)

    cases = FROZEN[method][1][:1 if few else None]
    listed = [("frozen offsets: " + (", ".join(f"{k} {v}" for k, v in chosen.items()) or "ours"), offsets(chosen)) for chosen in cases]
    return [*listed, ("arguments left alone", leaves_alone), ("weight decay", decay)]


# the module that stands for all: each rule runs on every backend on which this one runs
SUITE = {name: Checked(lambda backend, rule=rule: rule.gradients, partial(_checks, name), module="temporal")
         for name, rule in METHODS.items() if name in FROZEN}
