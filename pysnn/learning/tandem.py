"""Tandem learning: each ReLU layer receives the rates of the spiking layer before it; the error goes back through the ReLU layers.

Differs from proxy, where the two networks meet at the output alone: here they are coupled at every layer. With h the rates (spikes per
step) of a layer, it is the gradient of h = relu(W h_before) + k, the offset k to the true rates held constant. Source: J. Wu
et al., arXiv 1907.01167.
"""

from dataclasses import dataclass
from functools import partial

from . import rate
from .method import finished_by
from .settings import Spiking, setting


@dataclass(frozen=True)
class Settings(Spiking):
    """What a run can choose; the defaults are the preset `ours`. Both networks use the ReLU layers' statistics."""

    clip: bool = setting(False, "(P3) the ReLU layers have a ceiling at the threshold, where no gradient passes")


@finished_by(rate.finish)
def gradients(nets, x, y, rng=None, weight=None):
    """Run both networks side by side, then go back through the ReLU layers; update nothing."""
    n_steps, mode = nets.settings.n_steps, None if rate.uses_running_stats(nets) else "batch"
    h = spikes = rate.encode_batch(nets, x, rng)
    n, caches = len(h), []
    for relu, snn in zip(nets.net.layers, nets.snn.layers, strict=False):      # strict: output neurons have no ReLU beside them
        _, cache = relu.forward(h, None, mode)
        spikes, _ = snn.forward(spikes, None, relu.batch_stats(None, cache))
        h = spikes.reshape(-1, n, *spikes.shape[1:]).mean(axis=0)              # over the steps; before the first neurons there is one
        caches.append(cache)
    if nets.snn.config.output:
        spikes, _ = nets.snn.layers[-1].forward(spikes)
    counts = spikes.reshape(n_steps, n, -1).sum(axis=0)
    loss, dy = rate.loss_and_grad(nets.settings, counts, y, weight)
    counted = 1 if nets.settings.on == "mean" else n_steps                     # (P4) y counts all steps, h one
    _, grads = nets.net.backward(dy * dy.dtype.type(counted), caches)
    return rate.of_samples(nets, (loss, counts), grads, nets.net.batch_stats(caches) if mode else {})


METHOD = rate.METHOD._replace(name="tandem", Settings=Settings, presets={"ours": {}},
                              build=partial(rate.build, ("relu", "if")), gradients=gradients)
build, predict, score, settings_for = METHOD.build, METHOD.predict, METHOD.score, METHOD.settings_for
