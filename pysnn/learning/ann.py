"""The plain ReLU network and its own gradient: no spikes. The baseline that its siblings are compared with."""

from dataclasses import dataclass
from functools import partial

from . import rate
from .method import finished_by
from .settings import Common, setting


@dataclass(frozen=True)
class Settings(Common):
    """What a run can choose; the defaults are the preset `ours`."""

    drop: float = setting(0.0, "share of the hidden dense outputs that count 0 in training", (0, 0.99))


@finished_by(rate.finish)
def gradients(nets, x, y, rng=None, weight=None):
    """Compute the loss of a batch and its gradient; update nothing."""
    outputs, caches = nets.net.forward(rate.encode_batch(nets, x, rng), rng, None if rate.uses_running_stats(nets) else "batch")
    loss, dy = rate.loss_and_grad(nets.settings, outputs[-1], y, weight)
    _, grads = nets.net.backward(dy, caches)
    return rate.of_samples(nets, (loss, outputs[-1]), grads, {} if rate.uses_running_stats(nets) else nets.net.batch_stats(caches))


METHOD = rate.METHOD._replace(name="ann", Settings=Settings, presets={"ours": {}},
                              build=partial(rate.build, ("relu",)), gradients=gradients)
build, predict, score, settings_for = METHOD.build, METHOD.predict, METHOD.score, METHOD.settings_for
