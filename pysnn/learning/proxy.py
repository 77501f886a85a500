"""Proxy learning: the error of the spike counts, sent back through a ReLU network with the same weights.

The two forward passes are independent. Its siblings differ: tandem gives each ReLU layer the rates of the spiking layer before it,
surrogate goes back through the spikes themselves, conversion trains the ReLU network on its own error.
Source: S. R. Kheradpisheh, M. Mirsadeghi, T. Masquelier, arXiv 2109.13208.
"""

from dataclasses import dataclass

import numpy as np

from ..layers import Conv, Dense, ReLU, SpikingLayer
from . import rate
from .method import finished_by
from .settings import Spiking, setting


@dataclass(frozen=True)
class Settings(Spiking):
    """What a run can choose; the defaults are the preset `ours`, `authors` is the paper's code.

    The gradient is useful only if the ReLU network resembles the spiking one. So `clip` gives it a ceiling where spiking neurons saturate,
    and `gamma` below 1 keeps most neurons below it. `statistics` says what batch normalisation in the spiking network uses. shared: the
    statistics of the ReLU network, in training those of the same batch. separate: its own, in training those of its currents in each step.
    running: its own running statistics, in training, too.

    The models fashion-fast and cifar-fast bring settings for images: the neurons pool inside, and are calibrated, that is, the potential
    with which a neuron begins goes to where its rate is the ReLU network's activation. The paper has neither. The preset `warm` trains the
    ReLU network alone in the first epochs.
    """

    init: str = "uniform"
    loss: object = "mse"
    on: str = "rates"
    gamma: float = 0.5
    v_init: float = 0.5
    statistics: str = setting("shared", "of the batch normalisation in the spiking network, see above", ("shared", "separate", "running"))
    clip: bool = setting(True, "(P3) the ReLU network has a ceiling at the threshold, where a spiking neuron fires in every step")
    levels: bool = setting(False, "(P12) below that ceiling, the ReLU network's activations are rounded to T steps")
    pooling: str = setting("currents", "where a maximum before neurons is taken: of the currents of each step, or inside the neurons",
                           ("currents", "inside"))
    calibrate: float = setting(0.0, "(P14) how fast the potential before the first step moves, channel by channel; 0: not", (0, 1))
    warm: float = setting(0.0, "share of the epochs, the first ones, in which the ReLU network is trained alone, on its own error", (0, 1))
    drop: float = setting(0.0, "share of the ReLU network's hidden dense outputs that count 0 in training", (0, 0.99))


IMAGES = {"n_steps": 4, "readout": "potential", "on": "mean", "loss": "cross_entropy", "smoothing": 0.2, "pooling": "inside",
          "calibrate": 0.05, "init": "identity", "optimiser": "nesterov", "momentum": 0.85, "lr": 0.366, "lr_end": 1e-6, "bias_rate": 13.0,
          "weight_decay": 1.33e-3, "schedule": "triangle", "batch": 250, "epochs": 17, "shift": 2, "edge": "reflect", "flip": True,
          "by_turns": True}
"""Settings for the models cifar-fast and, a little changed, fashion-fast; the rate grows with the batch."""
GREY = {**IMAGES, "smoothing": 0.1, "shift": 1, "edge": "copy", "lr": 0.223, "epochs": 24}
PRESETS = {
    "ours": {},
    "warm": {"warm": 0.7},
    "authors": {"model": "fashion-proxy", "init": "uniform", "gamma": 1.0, "loss": "mse", "on": "counts", "clip": False, "v_init": 0.0,
                "threshold": 2.0, "reset": "zero", "statistics": "separate", "freeze_after": 1, "crop": 26, "beta1": 0.8, "beta2": 0.99,
                "weight_decay": 1e-6, "lr": 1e-4, "lr_end": 1e-4, "schedule": "exponential", "epochs": 100},
}


def build(settings, params=None, rng=None, state=None):
    """Build the ReLU network and its spiking twin."""
    more = {}
    if settings.calibrate:
        shapes = settings.model.neuron_layers[1:None if settings.readout == "spikes" else -1]
        v_init = settings.v_init * settings.threshold
        more = {f"v_init{k}": np.full(shape[-1], v_init, settings.dtype) for k, (_, shape) in enumerate(shapes, 2)}
    nets = rate.build(("relu", "if"), settings, params, rng, state, more)
    for k, layer in enumerate((layer for layer in nets.snn.layers if isinstance(layer, SpikingLayer)), 1):
        layer.v_init = nets.state.get(f"v_init{k}")
    return nets


@finished_by(rate.finish)
def gradients(nets, x, y, rng=None, weight=None):
    """Run both networks, take the loss of the spike counts, and send its gradient back through the ReLU network; update nothing."""
    s = nets.settings
    x = rate.encode_batch(nets, x, rng)
    mode = None if rate.uses_running_stats(nets) else "batch"
    outputs, caches = nets.net.forward(x, rng, mode)
    used, own_stats = nets.net.batch_stats(caches), {}
    if int(nets.state["n_epochs"]) < s.warm * s.epochs:    # the ReLU network's own output, as if it were that of all steps
        counts = outputs[-1] * outputs[-1].dtype.type(s.n_steps)
    else:                                                  # its own output is not used
        run, own_stats = run_snn(nets, x, used, outputs)
        counts = run.counts[-1]
        own_stats |= gaps(nets, outputs, run) if "v_init2" in nets.state else {}
    loss, dy = rate.loss_and_grad(s, counts, y, weight)
    _, grads = nets.net.backward(dy, caches)               # (P2)
    return rate.of_samples(nets, (loss, counts), grads, {**used, **own_stats} if mode else {})


def run_snn(nets, x, used, outputs=None):
    """Run the spiking network in training; also return the statistics of its currents, if it has running statistics of its own.

    Parameters
    ----------
    nets : pysnn.learning.rate.Nets
        From `build`.
    x : (B, ...) array
        Constant current.
    used : dict of str to array
        Statistics that the ReLU network used, mean{k} and var{k}.
    outputs : list of arrays, optional
        Of the ReLU network's layers. What comes out of the first weights is the same in both networks; default: it is computed again.

    Returns
    -------
    run : pysnn.conventions.Run
        Counts.
    batch_stats : dict
        "snn/mean{k}" and "snn/var{k}", each a list over the steps; empty for shared.
    """
    kind, statistics = nets.settings.statistics, used
    if kind != "shared":
        if not rate.uses_running_stats(nets) and used:
            run, stats = nets.snn.run_watched(x, "batch" if kind == "separate" else None)
            return run, {f"snn/{name}": values for name, values in stats.items()}
        statistics = None
    # With pooling inside, the ReLU network's first currents serve both; else the folded network computes its own, equal up to rounding.
    n = next(i for i, layer in enumerate(nets.net.layers) if isinstance(layer, (Conv, Dense)))
    if outputs is not None and nets.settings.pooling == "inside" and type(nets.net.layers[n]) is type(nets.snn.layers[n]) is Conv:
        return nets.snn.run(outputs[n], statistics, begin=n + 1), {}
    return nets.snn.run(x, statistics), {}


def gaps(nets, outputs, run):
    """Compare the two networks' activations.

    Parameters
    ----------
    nets : pysnn.learning.rate.Nets
        From `build`.
    outputs : list of arrays
        Of the ReLU network's layers, for a batch.
    run : pysnn.conventions.Run
        Of the spiking network, for the same batch.

    Returns
    -------
    dict of str to (C,) array
        v_init{k}: mean activation of the ReLU network minus mean spikes a step, times the threshold, channel by channel.
    """
    activations, c = [a for layer, a in zip(nets.net.layers, outputs, strict=True) if isinstance(layer, ReLU)], nets.snn.config
    made = {}
    for k, (a, n) in enumerate(zip(activations, run.channels, strict=False), 1):
        if f"v_init{k}" in nets.state:
            spikes = n / (c.n_steps * (a.size // a.shape[-1]))             # a neuron and step
            made[f"v_init{k}"] = a.reshape(-1, a.shape[-1]).mean(axis=0) - (c.threshold * spikes).astype(a.dtype)
    return made


def update_running_stats(nets, step):
    """Move the running statistics towards those of the batch; then, with `calibrate`, the first potentials, (P14), by the chunks' mean."""
    own = {name: gap for name, gap in step.batch_stats.items() if name.startswith("v_init")}
    rate.update_running_stats(nets, step._replace(batch_stats={name: x for name, x in step.batch_stats.items() if name not in own}))
    for name, gap in own.items():
        v, s = nets.state[name], nets.settings
        gap = sum(gap) / len(gap) if isinstance(gap, list) else gap
        v[...] = np.clip(v + v.dtype.type(s.calibrate * s.n_steps) * gap, 0, s.threshold)


METHOD = rate.METHOD._replace(name="proxy", Settings=Settings, presets=PRESETS, build=build, gradients=gradients,
                              update_running_stats=update_running_stats,
                              model_settings={"fashion-fast": GREY, "cifar-fast": IMAGES}, best={
                                  "fashion-mnist": {"model": "fashion-fast"}, "cifar10": {"model": "cifar-fast"},
                                  "fashion-sample": {"model": "fashion-fast:16", "batch": 50, "lr": 0.06, "epochs": 6}})
predict, score, settings_for = METHOD.predict, METHOD.score, METHOD.settings_for
