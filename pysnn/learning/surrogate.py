"""Surrogate gradients: back through time and through the spikes themselves, with a smooth stand-in for the derivative of a spike.

Differs from proxy and tandem, which go back through a ReLU network and keep nothing of the steps: this keeps every step of every neuron.
So it alone trains leaky neurons, and samples in which time matters: they have a current for each step.
Source: E. O. Neftci, H. Mostafa, F. Zenke, arXiv 1901.09948.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from .. import models
from .._blas import squares
from ..conventions import SURROGATES
from . import rate
from .settings import DATA, Spiking, setting

SERIES = {"input": "steps", "readout": "potential", "over": "largest", "on": "counts", "detach_reset": True,
          "surrogate": "fast_sigmoid", "slope": 5.0, "clip_norm": 1.0}
SEQUENCES = {   # name of a data set with a time axis -> settings that differ from the preset
    "mnist1d": SERIES | {"model": "1-128d-R0.9-128d-R0.9-10d-I0.9", "n_steps": 40, "epochs": 30},
    "japanese-vowels": SERIES | {"model": "12-128d-R0.9-9d-I0.9", "n_steps": 29, "batch": 20, "epochs": 40},
    "basic-motions": SERIES | {"model": "6-128d-R0.9-4d-I0.9", "n_steps": 100, "batch": 10, "epochs": 60},
    "arrow-head": SERIES | {"model": "1-128d-R0.95-3d-I0.95", "n_steps": 251, "batch": 10, "epochs": 60},
    "gun-point": SERIES | {"model": "1-128d-R0.95-2d-I0.95", "n_steps": 150, "batch": 10, "epochs": 60},
    "randman": SERIES | {"model": "20-128d-L0.95-10d-I0.95", "n_steps": 100, "epochs": 20},
    "sound": SERIES | {"model": "200-128d-R0.9-12d-I0.9", "n_steps": 100, "epochs": 20},
}


@dataclass(frozen=True)
class Settings(Spiking):
    """What a run can choose; the defaults are the preset `ours`. Statistics in training are those over the batch and all steps.

    With many steps two things silenced the outputs: a gradient that grows with the step though the potential does not (so resets are no
    constants in it), and a loss that many spikes saturate (so it sees few).
    """

    on: str = "few"
    surrogate: str = setting("atan", "what stands for the derivative of a spike", SURROGATES["kind"])
    slope: float = setting(2.0, "its steepness", (1e-6, 1e6))
    detach_reset: bool = setting(False, "whether the reset counts as a constant in the gradient")
    input: str = setting("constant", "a sample is one current for all steps (constant), or has a time axis, (T, ...) (steps)",
                         ("constant", "steps"))
    over: str = setting("sum", "how the outputs of the steps become y: their sum, mean, last or largest; or each: a loss in each step, its "
                        "mean, and y is the mean", ("sum", "mean", "last", "largest", "each"))
    clip_norm: float = setting(0.0, "largest norm of the gradient, all parameters together; 0: any", (0, 1e9))

    @property
    def time_axis(self):
        """How many steps a sample has, if it has a time axis.

        Returns
        -------
        int or None
            None without one.
        """
        return self.n_steps if self.input == "steps" else None


def gradients(nets, x, y, rng=None):
    """Run the spiking network over all steps and go back through them; update nothing."""
    s, mode = nets.settings, None if rate.uses_running_stats(nets) else "batch"
    outputs, caches = nets.snn.forward(rate.encode_batch(nets, x, rng), rng, mode)
    steps, there = outputs[-1].reshape(-1, len(x), outputs[-1].shape[-1]), getattr(x, "there", None)
    share = shares(s.over, steps, there)
    out = (share * steps).sum(axis=0)
    if s.over == "each":
        there = np.ones(steps.shape[:2], bool) if there is None else there
        loss, d = rate.loss_and_grad(s, steps[there], y[np.nonzero(there)[1]])
        dsteps = np.zeros_like(steps)
        dsteps[there] = d
    else:
        loss, d = rate.loss_and_grad(s, out, y)
        dsteps = share * d                                               # (P5) y = sum of share * steps
    dsteps = dsteps / dsteps.dtype.type(len(steps)) if s.on == "mean" else dsteps
    _, grads = nets.snn.backward(dsteps.reshape(outputs[-1].shape), caches)
    if s.clip_norm:
        norm = np.sqrt(sum(squares(dw) for dw in grads.values()))
        grads = {name: dw * dw.dtype.type(min(1, s.clip_norm / max(norm, 1e-30))) for name, dw in grads.items()}
    return rate.step(nets, (loss, out), grads, nets.snn.batch_stats(caches) if mode else {})


def shares(over, steps, there=None):
    """Say how much each step counts in y, which is their sum with these weights.

    Parameters
    ----------
    over : {"sum", "mean", "last", "largest", "each"}
        As the setting.
    steps : (T, B, n) array
        Outputs of all steps.
    there : (T, B) array of bool, optional
        Which samples have which steps; default: all.

    Returns
    -------
    (T, B, 1) or (T, B, n) array
        0 where a sample has ended.
    """
    there = np.ones(steps.shape[:2], bool) if there is None else there
    if over == "largest":
        first = np.where(there[..., None], steps, -np.inf).argmax(axis=0)
        return (np.arange(len(steps))[:, None, None] == first).astype(steps.dtype)
    if over == "last":
        there = there & ~np.concatenate([there[1:], np.zeros_like(there[:1])])
    share = there.astype(steps.dtype)
    return (share / share.sum(axis=0) if over in ("mean", "each") else share)[..., None]


def predict(nets, x):
    """Compute the outputs (N, n_out) of many samples, see `over`."""
    s = nets.settings
    if s.over == "sum" and not s.time_axis:
        return rate.predict(nets, x)

    def outputs(piece):
        out = nets.snn.forward(rate.encode_batch(nets, piece))[0][-1]
        steps = out.reshape(-1, len(piece), out.shape[-1])
        return (shares(s.over, steps, getattr(piece, "there", None)) * steps).sum(axis=0)
    return np.concatenate([outputs(x[i:i + rate.PIECE]) for i in range(0, len(x), rate.PIECE)])


def bytes_needed(settings):
    """Say how much memory a training step takes at most.

    Parameters
    ----------
    settings : Settings
        The choices.

    Returns
    -------
    int
        Bytes, without parameters. The backward pass needs for each step, sample and neuron the potential and the spikes; of all other
        layers what comes out, at each step behind the first neurons, once before them. The gradients of spikes and currents of the largest
        layer come on top. Leaky neurons also keep their currents; recurrent ones go back through an array more.
    """
    n, largest, recurrent = 0, int(np.prod(settings.model.shapes[-1])), 0
    for (spec, site), shape in zip(settings.model.sites(neuron="if"), settings.model.shapes, strict=True):
        kept = 3 if isinstance(spec, (models.Leaky, models.Integrate)) else 2 if spec.fires else 1     # arrays a layer
        recurrent = max(recurrent, int(np.prod(shape)) * getattr(spec, "recurrent", False))
        each = kept * (1 if site.first and kept == 1 and not settings.time_axis else settings.n_steps)
        n += int(np.prod(shape)) * each
        largest = max(largest, int(np.prod(shape)) * spec.fires)
    n += settings.n_steps * (2 * (int(np.prod(shape)) + largest) + recurrent)      # the output neurons; the gradients
    return n * settings.batch * (8 if settings.dtype == "float64" else 4)


METHOD = rate.METHOD._replace(name="surrogate", Settings=Settings, presets={"ours": {}},
                              build=partial(rate.build, ("if",)), gradients=gradients, predict=predict,
                              data_settings=DATA | SEQUENCES, bytes_needed=bytes_needed)
build, predict, score, settings_for = METHOD.build, METHOD.predict, METHOD.score, METHOD.settings_for
