"""What a learning rule is: one record, `Method`, of its settings and functions, which training.py and evaluation call.

A learning rule of your own is such a record, too; most easily one of ours with something replaced:

    rule = ann.METHOD._replace(name="mine", gradients=my_gradients)
"""

import functools
from dataclasses import fields
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from .. import metrics, optim
from .._blas import squares
from .settings import OF_IMAGES


class Step(NamedTuple):
    """What `gradients` returns for one batch (one training step, not a time step); nothing is updated yet."""

    loss: float
    y: np.ndarray           # (B, n_out) outputs of the network, not labels; what `accuracy` takes
    grads: dict             # name of a parameter -> gradient
    stats: dict             # for the record of the epoch: n_* are summed, the others averaged
    batch_stats: dict = MappingProxyType({})     # name -> (C,) array, or a list of them in order: what the running statistics take in


def largest_wins(y, labels):
    """Score "the largest output wins".

    Parameters
    ----------
    y : (B, n_out) array
        Spike counts, potentials or the like.
    labels : (B,) array of integers
        Labels.

    Returns
    -------
    pysnn.metrics.Accuracy
        Expected accuracy if ties are broken at random, and the bounds that other tie rules give.
    """
    return metrics.accuracy(-y, labels)


def movable(grads, weights):
    """Return the share of neurons, weight layer by weight layer, whose weights the loss of a batch can move.

    Parameters
    ----------
    grads : dict of str to array
        Gradients of the loss on data, before costs of the weights are added; the neurons are the last axis.
    weights : sequence of str
        Names of the weights.

    Returns
    -------
    list of float
        0 to 1: how many have a gradient other than 0.
    """
    return [float((grads[name] != 0).any(axis=tuple(range(grads[name].ndim - 1))).mean()) for name in weights if name in grads]


def norms(grads, weights):
    """Return the norm of the gradient of each weight array, weight layer by weight layer.

    Parameters
    ----------
    grads : dict of str to array
        Gradients of the loss on data, before costs of the weights are added.
    weights : sequence of str
        Names of the weights.

    Returns
    -------
    list of float
        Roots of the sums of squares.
    """
    return [squares(grads[name]) ** 0.5 for name in weights if name in grads]


def finished_by(finish):
    """Make a rule's `gradients` of a function that tells what the samples say, and of `finish`, which adds what does not come from samples.

    A batch that is cut into chunks takes the two apart: the first is called for each chunk, `finish` once, on the sum.

    Parameters
    ----------
    finish : callable
        (nets, step) -> Step: adds costs of the weights, and bounds the gradients, which it may change in place.

    Returns
    -------
    callable
        The decorator. What it makes has the attributes `of_samples` and `finish`.
    """
    def decorate(of_samples):
        @functools.wraps(of_samples)
        def gradients(nets, x, y, rng=None, weight=None):
            return finish(nets, of_samples(nets, x, y, rng, **({} if weight is None else {"weight": weight})))

        gradients.of_samples, gradients.finish = of_samples, finish
        return gradients
    return decorate


class Method(NamedTuple):
    """A learning rule: what it can choose, and its functions.

    build(settings, params=None, rng=None, state=None) -> nets: on given parameters and state (those of a checkpoint), or on new ones drawn
    by rng; a ValueError if they do not fit. nets is a NamedTuple with at least `net`, whose `params` training changes, `settings`, and
    `state`, a dict of the arrays that change in training without being parameters.
    gradients(nets, x, y, rng=None, weight=None) -> Step: x (B, ...) images (uint8) or points in [0, 1], y (B,) labels; rng is given in
    training, for augmentation and dropout; weight (B,), how many times each sample counts, where there are weights: a rule may do without.
    It updates nothing. For training in chunks it is best made by `finished_by`.
    predict(nets, x) -> (N, n_out) outputs, and accuracy(outputs, labels) -> pysnn.metrics.Accuracy, which knows what decides: the largest
    spike count, or the earliest spike.
    begin(nets, x_train) is called before the first epoch; update_running_stats(nets, step) after each update of the parameters: the
    running statistics take in those of the batch;
    end_epoch(nets, x_train) is called after each epoch; report(nets, x, y) returns a dict for the record of the epoch.
    bytes_needed(settings) -> memory that a training step takes, if that grows with the time steps.
    """

    name: str
    Settings: type              # a frozen dataclass, pysnn.learning.settings.Settings with more fields
    build: object               # (settings, params=None, rng=None, state=None) -> nets
    gradients: object           # (nets, x, y, rng=None, weight=None) -> Step
    predict: object             # (nets, x) -> outputs (N, n_out)
    accuracy: object = largest_wins              # (outputs, labels) -> pysnn.metrics.Accuracy
    decide: object = lambda outputs: outputs.argmax(axis=1)      # -> (N,) class numbers, -1 for no decision
    presets: dict = MappingProxyType({"ours": {}})       # name -> settings that differ from the defaults; "ours" must exist
    data_settings: dict = MappingProxyType({})   # name of a data set -> settings that differ from the preset
    needed: tuple = ()          # names of settings: in the preset "authors", only these are taken from data_settings
    update_running_stats: object = lambda nets, step: None       # after each update of the parameters
    end_epoch: object = lambda nets, x_train: None
    report: object = lambda nets, x, y=None: {}                  # for the record of an epoch: a dict of what to show
    bytes_needed: object = None  # (settings) -> bytes that a training step takes, if they grow with the steps
    trains_with_steps: bool = True                               # whether training depends on the number of time steps
    family: str = ""             # temporal or rate: which evaluation and figures fit; "": accuracy alone
    begin: object = lambda nets, x_train: None                   # before the first epoch
    best: dict = MappingProxyType({})            # name of a data set -> model and settings, with presets other than "authors"
    model_settings: dict = MappingProxyType({})  # name of a model -> settings that it needs, with presets other than "authors"
    fit: object = lambda data: {}                # (Dataset) -> settings for data of the user's own, by their shape, classes and number
    values: object = lambda settings, outputs: outputs           # the numbers that outputs mean in regression, (N, n_out)

    def settings_for(self, data, preset="ours", **chosen):
        """Put settings together: the preset, then what data set and named model need, then what the user chose; later ones win.

        Parameters
        ----------
        data : str or pysnn.datasets.Dataset
            Name of the data set; or data of your own, to which a model and the number of epochs are fitted.
        preset : str
            A key of `presets`.
        **chosen : object
            Settings by name.

        Returns
        -------
        Settings
            The settings. For a model on flat input, crop, shift and flip of preset and data set are left out.

        Raises
        ------
        ValueError
            For an unknown preset or setting, or a value out of range.
        """
        names = [f.name for f in fields(self.Settings)]
        if preset not in self.presets:
            raise ValueError(f"preset: expected one of {', '.join(self.presets)}, got {preset!r}")
        if unknown := sorted(set(chosen) - set(names)):
            raise ValueError(f"unknown setting {unknown[0]!r}: expected one of {', '.join(names)}")
        needed = self.data_settings.get(data, {}) if isinstance(data, str) else self.fit(data)
        needed = {name: value for name, value in needed.items() if name in names and (preset != "authors" or name in self.needed)}
        best = {} if not isinstance(data, str) else self.best.get(data, {}) if preset != "authors" else {}
        best = best if chosen.get("model", best.get("model")) == best.get("model") else {}
        name = {**self.presets[preset], **needed, **best, **chosen}.get("model", self.Settings.model)
        named = self.model_settings.get(str(name).partition(":")[0], {}) if preset != "authors" else {}
        given = {**self.presets[preset], **needed, **named, **best}
        if "crop" in names and len(self.Settings(model={**given, **chosen}.get("model", self.Settings.model)).model.shape) != 3:
            given = {name: value for name, value in given.items() if name not in OF_IMAGES}
        return self.Settings(**{**given, **chosen})

    def optimiser(self, settings, params):
        """Make the optimiser that the settings name.

        Parameters
        ----------
        settings : Settings
            The choices.
        params : dict of str to array
            The parameters that it will change.

        Returns
        -------
        object
            With `update` and `state`.
        """
        made = settings.optimiser if callable(settings.optimiser) else optim.OPTIMISERS[settings.optimiser]
        names = {"adam": ("beta1", "beta2"), "adam_by_inputs": ("beta1", "beta2"), "nesterov": ("momentum",)}
        known = names.get(settings.optimiser, ()) if isinstance(settings.optimiser, str) else ()
        return made(params, **{name: getattr(settings, name) for name in known if hasattr(settings, name)})

    def score(self, nets, x, y):
        """Score the network on samples with labels or targets.

        Parameters
        ----------
        nets : tuple
            From `build`.
        x : (N, ...) array
            Images or points.
        y : (N,) array of integers, or (N, n_out) array of floats
            Labels, or targets of regression.

        Returns
        -------
        pysnn.metrics.Accuracy or pysnn.metrics.Regression
            The accuracy and its bounds; of targets R2 and the root mean squared error.
        """
        return self.scored(nets.settings, self.predict(nets, x), y)

    def scored(self, settings, outputs, y):
        """Score outputs on labels or targets.

        Parameters
        ----------
        settings : Settings
            The choices.
        outputs : (N, n_out) array
            From `predict`.
        y : (N,) array of integers, or (N, n_out) array of floats
            Labels, or targets of regression.

        Returns
        -------
        pysnn.metrics.Accuracy or pysnn.metrics.Regression
            As of `score`.
        """
        return metrics.regression(self.values(settings, outputs), y) if np.asarray(y).dtype.kind == "f" else self.accuracy(outputs, y)
