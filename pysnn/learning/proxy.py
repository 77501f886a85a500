"""Proxy learning: the error of the spike counts, sent back through a ReLU network with the same weights.

The two forward passes are independent. Its siblings differ: tandem gives each ReLU layer the rates of the spiking layer before it,
surrogate goes back through the spikes themselves, conversion trains the ReLU network on its own error.
Source: S. R. Kheradpisheh, M. Mirsadeghi, T. Masquelier, arXiv 2109.13208.
"""

from dataclasses import dataclass
from functools import partial

from . import rate
from .settings import Spiking, setting


@dataclass(frozen=True)
class Settings(Spiking):
    """What a run can choose; the defaults are the preset `ours`, `authors` is the paper's code.

    The gradient is useful only if the ReLU network resembles the spiking one. So `clip` gives it a ceiling where spiking neurons saturate,
    and `gamma` below 1 keeps most neurons below it. `statistics` says what batch normalisation in the spiking network uses. shared: the
    statistics of the ReLU network, in training those of the same batch. separate: its own, in training those of its currents in each step.
    running: its own running statistics, in training, too.
    """

    init: str = "uniform"
    loss: object = "mse"
    on: str = "rates"
    gamma: float = 0.5
    v_init: float = 0.5
    statistics: str = setting("shared", "of the batch normalisation in the spiking network, see above", ("shared", "separate", "running"))
    clip: bool = setting(True, "(P3) the ReLU network has a ceiling at the threshold, where a spiking neuron fires in every step")
    drop: float = setting(0.0, "share of the ReLU network's hidden dense outputs that count 0 in training", (0, 0.99))


PRESETS = {
    "ours": {},
    "authors": {"model": "fashion-proxy", "init": "uniform", "gamma": 1.0, "loss": "mse", "on": "counts", "clip": False, "v_init": 0.0,
                "threshold": 2.0, "reset": "zero", "statistics": "separate", "freeze_after": 1, "crop": 26, "beta1": 0.8, "beta2": 0.99,
                "weight_decay": 1e-6, "lr": 1e-4, "lr_end": 1e-4, "schedule": "exponential", "epochs": 100},
}


def gradients(nets, x, y, rng=None):
    """Run both networks, take the loss of the spike counts, and send its gradient back through the ReLU network; update nothing."""
    x = rate.encode_batch(nets, x, rng)
    mode = None if rate.uses_running_stats(nets) else "batch"
    _, caches = nets.net.forward(x, rng, mode)             # its own output is not used
    used = nets.net.batch_stats(caches)
    run, own_stats = run_snn(nets, x, used)
    counts = run.counts[-1]
    loss, dy = rate.loss_and_grad(nets.settings, counts, y)
    _, grads = nets.net.backward(dy, caches)               # (P2)
    return rate.step(nets, (loss, counts), grads, {**used, **own_stats} if mode else {})


def run_snn(nets, x, used):
    """Run the spiking network in training; also return the statistics of its currents, if it has running statistics of its own.

    Parameters
    ----------
    nets : pysnn.learning.rate.Nets
        From `build`.
    x : (B, ...) array
        Constant current.
    used : dict of str to array
        Statistics that the ReLU network used, mean{k} and var{k}.

    Returns
    -------
    run : pysnn.conventions.Run
        Counts.
    batch_stats : dict
        "snn/mean{k}" and "snn/var{k}", each a list over the steps; empty for shared.
    """
    kind = nets.settings.statistics
    if kind == "shared":
        return nets.snn.run(x, used), {}
    if rate.uses_running_stats(nets) or not used:
        return nets.snn.run(x), {}
    run, stats = nets.snn.run_watched(x, "batch" if kind == "separate" else None)
    return run, {f"snn/{name}": values for name, values in stats.items()}


METHOD = rate.METHOD._replace(name="proxy", Settings=Settings, presets=PRESETS,
                              build=partial(rate.build, ("relu", "if")), gradients=gradients)
build, predict, score, settings_for = METHOD.build, METHOD.predict, METHOD.score, METHOD.settings_for
