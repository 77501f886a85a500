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
from ..network import Segments
from . import rate
from .method import finished_by, norms
from .settings import DATA, MAX_STEPS, Spiking, about, fitted, fitted_dense, setting

SERIES = {"input": "steps", "readout": "potential", "over": "largest", "on": "counts", "detach_reset": True,
          "surrogate": "fast_sigmoid", "slope": 5.0, "clip_norm": 1.0}
SEQUENCES = {   # name of a data set with a time axis -> settings that differ from the preset
    "mnist1d": SERIES | {"model": "1-128d-R0.9-128d-R0.9-10d-I0.9", "n_steps": 40, "epochs": 30},
    "japanese-vowels": SERIES | {"model": "24-256d-R0.9-9d-I0.9", "n_steps": 29, "encode": "differences", "smoothing": 0.3,
                                 "over": "mean", "batch": 20, "epochs": 80},
    "basic-motions": SERIES | {"model": "6-128d-R0.9-4d-I0.9", "n_steps": 100, "batch": 10, "epochs": 60},
    "arrow-head": SERIES | {"model": "1-128d-R0.95-3d-I0.95", "n_steps": 251, "batch": 10, "epochs": 60},
    "gun-point": SERIES | {"model": "1-128d-R0.95-2d-I0.95", "n_steps": 150, "batch": 10, "epochs": 60},
    "randman": SERIES | {"model": "20-128d-L0.95-10d-I0.95", "n_steps": 100, "epochs": 20},
    "sound": SERIES | {"model": "200-128d-R0.9-12d-I0.9", "n_steps": 100, "epochs": 20},
}


@dataclass(frozen=True)
class ThroughTime(Spiking):
    """What surrogate and eprop can choose."""

    init: str = setting("kaiming", about(Spiking, "init")["text"] + "; fluctuation: normal, so that the potential's standard deviation is "
                        "threshold / sigmas, (D20)", (*about(Spiking, "init")["allowed"], "fluctuation"))
    input_rate: float = setting(0.05, "with init=\"fluctuation\": spikes that an input of a layer is expected to have in a step",
                                (1e-6, 0.999))
    sigmas: float = setting(1.0, "with init=\"fluctuation\": standard deviations of the potential in a threshold", (1e-3, 1e3))
    surrogate: object = setting("atan", "what stands for the derivative of a spike; or your own (x, slope) -> it, x being V - threshold",
                                SURROGATES["kind"], True)
    slope: float = setting(2.0, "its steepness", (1e-6, 1e6))
    over: str = setting("sum", "how the outputs of the steps become y: their sum, mean, last or largest; each: a loss in each step, its "
                        "mean, and y is the mean; or first: steps from the first spike to the end",
                        ("sum", "mean", "last", "largest", "each", "first"))
    clip_norm: float = setting(0.0, "largest norm of the gradient, all parameters together; 0: any", (0, 1e9))
    spike_cost: float = setting(0.0, "factor of the cost of too few and too many spikes, (D16), which is counted in the loss", (0, 1e9))
    min_spikes: float = setting(0.0, "fewer spikes of a hidden neuron and sample cost the square of what is missing", (0, MAX_STEPS))
    max_spikes: float = setting(float(MAX_STEPS), "more spikes of a sample, on average over a hidden layer, cost the square of the excess",
                                (0, MAX_STEPS))

    def __post_init__(self):
        """Refuse first spikes of outputs that do not fire, and bounds that exclude each other."""
        super().__post_init__()
        if self.min_spikes > self.max_spikes:
            raise ValueError(f"min_spikes: expected at most max_spikes, {self.max_spikes:g}, got {self.min_spikes:g}")
        if self.over == "first" and (self.readout == "potential" or isinstance(self.model.specs[-1], models.Integrate)):
            raise ValueError(f"over: expected outputs that fire, readout 'spikes', for 'first', got {self.readout!r} of {self.model}")


@dataclass(frozen=True)
class Settings(ThroughTime):
    """What a run can choose; the defaults are the preset `ours`. Statistics in training are those over the batch and all steps.

    With many steps two things silenced the outputs: a gradient that grows with the step though the potential does not (so resets are no
    constants in it), and a loss that many spikes saturate (so it sees few).
    """

    on: str = "few"
    detach_reset: bool = setting(False, "whether the reset counts as a constant in the gradient")
    input: str = setting("constant", "a sample is one current for all steps (constant), or has a time axis, (T, ...) (steps)",
                         ("constant", "steps"))
    truncate: int = setting(0, "steps of a segment that gradients do not leave, (D15); 0: they go back to the first step", (0, MAX_STEPS))
    memory: str = setting("all", "what is kept for the backward pass: all steps, or (sqrt) the states before segments, of sqrt(T) steps or "
                          "as many as truncate says, which are then run again", ("all", "sqrt"))

    def __post_init__(self):
        """Refuse segments where batch normalisation would need all steps."""
        super().__post_init__()
        if (self.truncate or self.memory == "sqrt") and any(isinstance(spec, models.BatchNorm) for spec in self.model.specs):
            raise ValueError("truncate, memory: expected a model without batch normalisation, whose statistics are those of all steps, "
                             f"got {self.model}")

    @property
    def time_axis(self):
        """How many steps a sample has, if it has a time axis.

        Returns
        -------
        int or None
            None without one.
        """
        return self.n_steps if self.input == "steps" else None

    def segment(self, n_steps):
        """Say how many steps a segment has.

        Parameters
        ----------
        n_steps : int
            Steps of the samples, T.

        Returns
        -------
        int
            1 to T.
        """
        return min(n_steps, self.truncate or (int(np.ceil(np.sqrt(n_steps))) if self.memory == "sqrt" else n_steps))


def finish(nets, step):
    """Finish a training step: shorten the gradients, then do as `pysnn.learning.rate.finish`; stats has their norms before and after.

    Parameters
    ----------
    nets : pysnn.learning.rate.Nets
        From `build`.
    step : pysnn.learning.method.Step
        What the samples say.

    Returns
    -------
    pysnn.learning.method.Step
        What the training loop needs.
    """
    before = norms(step.grads, nets.settings.model.weights)
    step = rate.finish(nets, step._replace(grads=clipped(nets.settings, step.grads)))
    if nets.settings.clip_norm:
        step.stats.update(grad_norm=before, clipped_norm=step.stats["grad_norm"])
    return step


@finished_by(finish)
def gradients(nets, x, y, rng=None, weight=None):
    """Run the spiking network over all steps and go back through them; update nothing."""
    s, mode = nets.settings, None if rate.uses_running_stats(nets) else "batch"
    currents, keep = rate.encode_batch(nets, x, rng), s.memory == "all"
    n_steps = len(currents) if s.time_axis else s.n_steps
    run = Segments(nets.snn, currents, s.segment(n_steps), keep, (rng if keep else None, mode), counted(s, x, n_steps))
    loss, out, dsteps = errors(s, run.y, y, getattr(x, "there", None), weight)   # (P5)
    cost, dcounts = spike_cost(s, run.counts)
    return rate.of_samples(nets, (loss + cost, out), run.backward(dsteps, not s.truncate, dcounts), run.batch_stats if mode else {})


def errors(settings, steps, y, there=None, weight=None):
    """Compute the loss, and the error of the output in each step.

    Parameters
    ----------
    settings : Settings
        The choices: loss, on, over.
    steps : (T, B, n) array
        Outputs of all steps.
    y : (B,) array of integers
        Labels.
    there : (T, B) array of bool, optional
        Which samples have which steps; default: all.
    weight : (B,) array, optional
        How many times each sample counts, (L8).

    Returns
    -------
    loss : float
        Mean over the batch.
    out : (B, n) array
        What decides, see `over`.
    dsteps : (T, B, n) array
        Gradient of the loss with respect to steps.
    """
    out, slope = outcome(settings.over, steps, there)
    if settings.over == "each":
        there = np.ones(steps.shape[:2], bool) if there is None else there
        b = np.nonzero(there)[1]
        loss, d = rate.loss_and_grad(settings, steps[there], y[b], None if weight is None else weight[b])
        dsteps = np.zeros_like(steps)
        dsteps[there] = d
    else:
        loss, d = rate.loss_and_grad(settings, out, y, weight)
        dsteps = slope * d                                               # (P5), where y is a sum over the steps
    return loss, out, dsteps / dsteps.dtype.type(len(steps)) if settings.on == "mean" else dsteps


def counted(settings, x, n_steps):
    """Say in which steps spikes count for their cost.

    Parameters
    ----------
    settings : Settings
        The choices.
    x : (B, T, ...) array or Sequences
        Samples.
    n_steps : int
        Steps of the batch, T.

    Returns
    -------
    (T, B) array of bool or None
        False where a sample has ended; None if spikes cost nothing.
    """
    if not settings.spike_cost:
        return None
    return x.there if hasattr(x, "there") else np.ones((n_steps, len(x)), bool)


def spike_cost(settings, counts):
    """Compute the cost of too few and too many spikes, (D16), and its gradient.

    Parameters
    ----------
    settings : Settings
        The choices: spike_cost, min_spikes, max_spikes.
    counts : dict of int to array
        Spikes (B, ...) of each neuron of a hidden layer.

    Returns
    -------
    cost : float
        Sum over the layers, mean over the batch.
    dcounts : dict of int to array
        Its gradient with respect to the counts.
    """
    cost, dcounts, axes = 0.0, {}, lambda n: tuple(range(1, n.ndim))
    for i, n in counts.items():
        few = np.maximum(0, settings.min_spikes - n)
        many = np.maximum(0, n.mean(axis=axes(n), keepdims=True) - settings.max_spikes)
        cost += settings.spike_cost * float((few ** 2).mean() + (many ** 2).mean())                      # (D16)
        dcounts[i] = ((many - few) * (2 * settings.spike_cost / n.size)).astype(n.dtype, copy=False)
    return cost, dcounts


def clipped(settings, grads):
    """Shorten gradients to the largest norm that `clip_norm` allows.

    Parameters
    ----------
    settings : Settings
        The choices.
    grads : dict of str to array
        Gradients of all parameters.

    Returns
    -------
    dict of str to array
        The same direction.
    """
    if not settings.clip_norm:
        return grads
    norm = np.sqrt(sum(squares(dw) for dw in grads.values()))
    return {name: dw * dw.dtype.type(min(1, settings.clip_norm / max(norm, 1e-30))) for name, dw in grads.items()}


def outcome(over, steps, there=None):
    """Compute y from the outputs of all steps, and its derivatives.

    Parameters
    ----------
    over : {"sum", "mean", "last", "largest", "each", "first"}
        As the setting.
    steps : (T, B, n) array
        Outputs of all steps; with "first" spikes.
    there : (T, B) array of bool, optional
        Which samples have which steps; default: all.

    Returns
    -------
    y : (B, n) array
        What decides; with "first" how many steps are left when an output spikes first, this one included, 0 for a silent one.
    slope : (T, B, 1) or (T, B, n) array
        Derivative of each y with respect to the same output in each step.
    """
    if over != "first":
        share = shares(over, steps, there)
        return (share * steps).sum(axis=0), share
    there = np.ones(steps.shape[:2], bool) if there is None else there
    silent, waiting = 1 - steps * there[..., None], np.ones_like(steps[0])       # waiting: nothing has spiked before
    before, left = np.empty_like(steps), np.zeros_like(steps[0])
    for t in range(len(steps)):
        before[t] = waiting
        waiting = waiting * silent[t]
    y = (there[..., None] * (1 - before * silent)).sum(axis=0, dtype=steps.dtype)                        # (D21)
    for t in reversed(range(len(steps))):
        left = there[t, :, None] + (left if t == len(steps) - 1 else silent[t + 1] * left)
        before[t] *= left * there[t, :, None]                            # (D21)
    return y, before


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
        return outcome(s.over, out.reshape(-1, len(piece), out.shape[-1]), getattr(piece, "there", None))[0]
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
        layers what comes out, at each step behind the first neurons, once before them; and the currents of samples with a time axis. The
        gradients of spikes and currents of the largest layer come on top; recurrent neurons go back through an array more. With
        memory="sqrt" all that is of the steps of one segment, and the states of the neurons are kept once a segment.
    """
    n, largest, recurrent, states = 0, int(np.prod(settings.model.shapes[-1])), 0, 0
    n_steps, out = settings.segment(settings.n_steps) if settings.memory == "sqrt" else settings.n_steps, largest
    for (spec, site), shape in zip(settings.model.sites(neuron="if"), settings.model.shapes, strict=True):
        size, timed = int(np.prod(shape)), isinstance(spec, (models.Leaky, models.Integrate))
        recurrent = max(recurrent, size * getattr(spec, "recurrent", False))
        kept = 2 if spec.fires or timed else 1                                                         # arrays a layer
        n += size * kept * (1 if site.first and kept == 1 and not settings.time_axis else n_steps)
        largest = max(largest, size * spec.fires)
        states += size * (spec.fires or timed) * (1 + getattr(spec, "recurrent", False) + (getattr(spec, "alpha", None) is not None))
    n += n_steps * (2 * (out + largest) + recurrent)                     # the output neurons; the gradients
    n += settings.n_steps * int(np.prod(settings.model.shape)) if settings.time_axis else 0
    if n_steps < settings.n_steps:                                       # and outputs, their shares and errors of all steps
        n += states * -(-settings.n_steps // n_steps) + 3 * out * settings.n_steps + n_steps * (largest + recurrent)
    return n * settings.batch * (8 if settings.dtype == "float64" else 4)


def _fit(data):
    """Fit the settings to data of the user's own; sequences get a layer of leaky recurrent neurons, regression outputs that do not fire."""
    if data.kind != "sequence" and data.regression:
        model = f"{int(np.prod(data.x_train.shape[1:]))}-100d-L0.9-{len(data.classes)}d-I0.9"
        return fitted_dense(data) | SERIES | {"input": "constant", "model": model, "n_steps": 15, "over": "mean"}
    if data.kind != "sequence":
        return rate.METHOD.fit(data)
    _, n_steps, n = data.x_train.shape
    over = {"over": "mean"} if data.regression else {}
    return SERIES | {"model": f"{n}-128d-R0.9-{len(data.classes)}d-I0.9", "n_steps": n_steps} | over | fitted(data)


METHOD = rate.METHOD._replace(name="surrogate", Settings=Settings, presets={"ours": {}},
                              build=partial(rate.build, ("if",)), gradients=gradients, predict=predict,
                              data_settings=DATA | SEQUENCES, bytes_needed=bytes_needed, fit=_fit)
build, predict, score, settings_for = METHOD.build, METHOD.predict, METHOD.score, METHOD.settings_for
