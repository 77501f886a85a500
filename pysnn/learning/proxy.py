"""Proxy learning: the error of the spike counts, sent back through a ReLU network with the same weights.

The two forward passes never meet. Its siblings differ: tandem gives each ReLU layer the spike counts of the layer before, surrogate goes
back through the spikes themselves, conversion trains the ReLU network on its own error. Source: S. R. Kheradpisheh, M. Mirsadeghi,
T. Masquelier, arXiv 2109.13208.
"""

import functools
from dataclasses import dataclass

from . import rate, settings
from .rate import accuracy, observe, predict, prepare, report, score  # noqa: F401
from .settings import CHOICES, RANGES, optimiser  # noqa: F401


@dataclass(frozen=True)
class Settings(settings.Spiking):
    """What a run can choose; the defaults are the preset `ours`, `authors` is the paper's code.

    The ReLU network has to resemble the other one, or the error it sends back leads astray: `clip` bounds it as spiking neurons are,
    and `gamma` below 1 keeps most of them away from the bound. `statistics`, of the batch normalisation in the spiking network. shared:
    those of the ReLU network, of this very batch in training. separate: its own, in training those of its currents at each step. running:
    its own running ones, in training, too.
    """

    init: str = "uniform"            # weights between +-1/sqrt(n_in), the paper's, or +-sqrt(6/n_in) (kaiming)
    loss: str = "mse"                # against one-hot; or cross_entropy
    on: str = "rates"                # what the loss sees: y/T (rates) or y (counts)
    gamma: float = 0.5               # scale behind batch normalisation, in the beginning
    v_init: float = 0.5              # membrane potential before the first step, in units of the threshold
    statistics: str = "shared"
    clip: bool = True                # (P3) the ReLU network's outputs end at the threshold, where a spiking neuron fires at every step
    drop: float = 0.0                # share of the ReLU network's hidden dense outputs that count 0 in training


PRESETS = {
    "ours": {},
    "authors": {"model": "fashion-proxy", "init": "uniform", "gamma": 1.0, "loss": "mse", "on": "counts", "clip": False, "v_init": 0.0,
                "threshold": 2.0, "reset": "zero", "statistics": "separate", "freeze_after": 1, "crop": 26, "beta1": 0.8, "beta2": 0.99,
                "weight_decay": 1e-6, "lr": 1e-4, "lr_end": 1e-4, "schedule": "exponential", "epochs": 100},
}
settings_for = settings.chooser(Settings, PRESETS)
build = functools.partial(rate.build, "relu if")


def gradients(nets, x, y, rng=None):
    """Run both networks, put the spiking output in the place of the other's, and go back; update nothing.

    Parameters
    ----------
    nets : pysnn.learning.rate.Nets
        From `build`.
    x : (B, ...) array
        Images or points.
    y : (B,) array of integers
        Labels.
    rng : numpy.random.Generator, optional
        Given in training: images are disturbed and outputs of the ReLU network dropped.

    Returns
    -------
    pysnn.learning.rate.Step
        Loss, spike counts, gradients, statistics.
    """
    x = rate.encode_batch(nets, x, rng)
    mode = None if rate.frozen(nets) else "batch"
    _, caches = nets.net.forward(x, rng, mode)             # its own output is not looked at
    used = nets.net.statistics(caches)
    run, seen_snn = run_snn(nets, x, used)
    counts = run.counts[-1]
    loss, dy = rate.judge(nets.settings, counts, y)
    _, grads = nets.net.backward(dy, caches)               # (P2)
    return rate.step(nets, (loss, counts), grads, {**used, **seen_snn} if mode else {})


def run_snn(nets, x, used):
    """Run the spiking network in training; also give what its running statistics should see.

    Parameters
    ----------
    nets : pysnn.learning.rate.Nets
        From `build`.
    x : (B, ...) array
        Constant current.
    used : dict of str to array
        Statistics of the ReLU network.

    Returns
    -------
    run : pysnn.conventions.Run
        Counts.
    seen : dict
        Statistics of the currents, if they have a running mean of their own.
    """
    kind = nets.settings.statistics
    if kind == "shared":
        return nets.snn.run(x, used), {}
    if rate.frozen(nets) or not used:
        return nets.snn.run(x), {}
    run, seen = nets.snn.run_watched(x, "batch" if kind == "separate" else None)
    return run, {f"snn/{name}": values for name, values in seen.items()}
