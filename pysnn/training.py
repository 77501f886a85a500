"""The one training loop. A `Run` is plain data; `epochs` continues it from where it stands, and yields one record per epoch."""

import inspect
import time
import warnings
from itertools import zip_longest

import numpy as np

from . import _checks, _files, encode, metrics, models, optim
from .conventions import Sequences
from .datasets._rows import Rows, parts_of
from .learning import METHODS, chunks
from .learning.run import Run, load, save, start, versions
from .learning.settings import frozen

__all__ = ["METHODS", "Run", "check_fit", "ended", "epochs", "load", "save", "start", "versions"]

REPORTED = 1000       # samples that the record of an epoch looks at


def _same_names(run, before):
    """Refuse an array of the state that appears only in the middle of training: a checkpoint could not restore it."""
    if new := sorted(set(run.optimiser.state) ^ before):
        raise ValueError(f"optimiser: expected a state that holds all its arrays from the beginning, got {new[0]} later")


def check_fit(model, data, own_encoding=False, time_axis=None):
    """Refuse a model that does not fit the data.

    Parameters
    ----------
    model : pysnn.models.Model, str or list
        See `pysnn.models.read`.
    data : pysnn.datasets.Dataset
        Data.
    own_encoding : bool
        Whether an encoding of the user's own makes the input, so that any size may fit.
    time_axis : int, optional
        How many steps samples with a time axis must have.

    Raises
    ------
    ValueError
        If the input has neither the shape of a sample nor its size as one row, the last layer has not one neuron for each class or
        target, or the samples have a time axis and the method takes none.
    """
    model = models.read(model)
    if time_axis is not None:
        shape = data.x_train.shape[1:]
        if shape != (time_axis, *(shape[1:] if own_encoding else model.shape)) or model.shapes[-1] != (len(data.classes),):
            wanted = f"{'x'.join(map(str, shape[1:]))}-...-{len(data.classes)} and {shape[0]} steps"
            raise ValueError(f"model: expected {wanted} for {data.name}, got {model} and {time_axis} steps")
        return
    if data.kind == "sequence" and not own_encoding:
        raise ValueError(f"{data.name}: expected a method for samples with a time axis, such as surrogate with input=steps, got one for "
                         "samples without")
    n_in, n_out = int(np.prod(data.x_train.shape[1:])), len(data.classes)
    wanted = (*data.x_train.shape[1:], 1)[:3] if len(model.shape) == 3 and data.kind == "image" else (n_in,)
    if model.shape != (model.shape if own_encoding else wanted) or model.shapes[-1] != (n_out,):
        raise ValueError(f"model: expected {'x'.join(map(str, wanted))}-...-{n_out} for {data.name}, got {model}")


def epochs(run, train, validation=None, progress=None, sample_weight=None, more=0, team=None):
    """Train until the settings' number of epochs is reached, or validation has not become better for `patience` epochs.

    A run that has begun goes on with the same samples, labels and weights, and no others, unless you delete ``run.data["samples"]``, their
    SHA-256. With `patience` the run ends with the weights of the best epoch, and each record says which that is: best_epoch.

    Parameters
    ----------
    run : Run
        Changed in place.
    train : (x, y)
        Training samples and labels; for regression targets, floats (N, n_out).
    validation : (x, y), optional
        Held-out samples and labels, scored after each epoch.
    progress : callable, optional
        Wraps the range of an epoch's batches, as tqdm does.
    sample_weight : (N,) array, optional
        How many times each training sample counts in the loss, (L8); only ratios matter. The setting ``class_weight="balanced"`` multiplies
        it by what makes all classes count the same.
    more : int, optional
        Epochs beyond that end, with the learning rate of the last update before it; with patience they go on from the best weights. They
        are counted from the end, so that the same call goes on after a kill.
    team : pysnn.scale.mpi.Team, optional
        Processes that share each batch: all of them call this function with the same arguments, and yield the same records.

    Yields
    ------
    dict
        The epoch's record. Of the training batches, with their dropout and augmentation: loss, train_accuracy, n_silent (samples without
        any output spike), movable (see `pysnn.learning.method.movable`) and what else the method counts. After the epoch: val_accuracy,
        val_strict, val_inclusive, and with a `metric` val_metric; what the method's `report` says of up to REPORTED validation (or
        training) samples; lr, seconds; and a warning, where nothing in a layer can move, or hardly an output spikes. In regression
        train_r2, train_rmse, val_r2 and val_rmse in place of the accuracies, see `pysnn.metrics.Regression`, in the unit of the targets
        as they are given.

    Raises
    ------
    ValueError
        If samples or labels do not fit the network (the message says where), or are not those that the run began with; if the loss or the
        weights are not finite, the run holds weights only, there are weights of samples or classes and rule or loss do not take them, or
        patience has no validation samples.
    """
    rule, s = run.rule, run.nets.settings
    if run.rng is None:
        raise ValueError("run: expected one that can go on, got one that holds weights only")
    x, y = _samples("train", train, s)
    validation = None if validation is None else _samples("validation", validation, s)
    weight, more = _weights(rule, s, y, sample_weight), _checks.whole(more, "more", 0)
    if s.patience and validation is None:
        raise ValueError("patience: expected validation samples, which say when training is to end, got none")
    if team is not None:
        team.check_begin(run, (x, y, weight), validation)
    _same_data(run, {"train": (x, y), "validation": validation if s.patience else (), "sample_weight": () if weight is None else (weight,)})
    schedule = s.schedule if callable(s.schedule) else optim.SCHEDULES[s.schedule]
    n_batches = -(-len(x) // s.batch)
    shapes, names = {name: w.shape for name, w in run.nets.net.params.items()}, set(run.optimiser.state)
    average, still = getattr(s, "average", 0), frozen(s, run.nets.net.params)
    if run.epoch == 0 and s.epochs + more:
        if "weights" not in run.data:
            rule.begin(run.nets, x)
        if average:
            run.optimiser.follow(0)
    while run.epoch < (end := ended(run)) + more:
        began = time.perf_counter()
        if team is not None:
            team.check(run)
        order = run.rng.permutation(len(x))
        sums = _Sums()
        if average:
            run.optimiser.swap()                         # from here to the end of the epoch the networks hold the weights of training
        for k in progress(range(n_batches)) if progress else range(n_batches):
            batch = order[k * s.batch:(k + 1) * s.batch]
            if s.chunks:
                step = chunks.gradients(rule, run.nets, (x, y, weight, batch), (run.seed, run.epoch, k), team)
            else:
                step = rule.gradients(run.nets, x[batch], y[batch], run.rng, **({} if weight is None else {"weight": weight[batch]}))
            if not np.isfinite(step.loss):
                raise ValueError(f"the loss became {step.loss} in epoch {run.epoch + 1}, batch {k + 1}: try a smaller lr")
            if wrong := [name for name, dw in step.grads.items() if shapes.get(name) != np.shape(dw)]:
                raise ValueError(f"gradients: expected those of {shapes}, got {wrong[0]} of shape {np.shape(step.grads[wrong[0]])}")
            at = min(run.epoch * n_batches + k, max(0, end * n_batches - 1))
            lr = schedule(at, max(1, s.epochs * n_batches), s.lr, s.lr_end)
            run.optimiser.update(run.nets.net.params, {name: dw for name, dw in step.grads.items() if name not in still}, lr)
            rule.update_running_stats(run.nets, step)
            if average:
                run.optimiser.follow(average)
            sums.add(len(batch), loss=step.loss, **_scored(rule, s, step.y, y[batch]), **step.stats)
        if average:
            run.optimiser.swap()
        if not all(np.isfinite(w).all() for w in run.nets.net.params.values()):
            raise ValueError(f"the weights are no longer finite after epoch {run.epoch + 1}: try a smaller lr")
        _same_names(run, names)
        rule.end_epoch(run.nets, x)
        run.epoch += 1
        record = {"epoch": run.epoch, **_summed(sums.result(), y), "lr": lr}
        seen = [part[:REPORTED] for part in ((x, y) if validation is None else validation)]
        record |= rule.report(run.nets, *seen[:1 if y.dtype.kind == "f" else 2])
        if validation is not None:
            val = chunks.score(rule, run.nets, validation, team) if s.chunks else rule.score(run.nets, *validation)
            record |= {f"val_{'accuracy' if name == 'expected' else name}": value for name, value in val._asdict().items()}
            record |= {"val_metric": _measured(s.metric, rule.predict(run.nets, validation[0]), validation[1])} if s.metric else {}
        record |= {"warning": text} if (text := _stuck(record, len(x))) else {}
        run.records.append(record)
        if s.patience:
            _keep_best(run)
        record["seconds"] = time.perf_counter() - began
        yield record


def ended(run):
    """Say after which epoch a run ends.

    Parameters
    ----------
    run : Run
        The run.

    Returns
    -------
    int
        The settings' number of epochs, or less where `patience` has ended it.
    """
    s = run.nets.settings
    waited = (r["epoch"] for r in run.records[:s.epochs] if s.patience and r["epoch"] - r.get("best_epoch", np.inf) >= s.patience)
    return next(waited, s.epochs)


def _keep_best(run):
    """Say in the last record which epoch was the best, keep its arrays, and at the end of the run go back to them."""
    record, watched = run.records[-1], next(name for name in ("val_metric", "val_accuracy", "val_r2") if name in run.records[-1])
    record["best_epoch"] = max(run.records, key=lambda r: r.get(watched, -np.inf))["epoch"]            # of equal ones the first
    kept = {name.removeprefix("best/"): x for name, x in run.optimiser.state.items() if name.startswith("best/")}
    for name, best in kept.items():
        w = run.nets.net.params[name] if name in run.nets.net.params else run.nets.state[name.removeprefix("state/")]
        if record["best_epoch"] == run.epoch:
            best[...] = w
        elif run.epoch == ended(run):
            w[...] = best


def _measured(metric, outputs, labels):
    """Call a metric of the user's own, and check what it returns."""
    made = metric(outputs, labels)
    if not isinstance(made, (int, float, np.number)) or not np.isfinite(made):
        raise ValueError(f"metric: expected {getattr(metric, '__name__', 'it')} to return a finite number, got {_checks.describe(made)}")
    return float(made)


def _same_data(run, parts):
    """Note which samples, labels and weights a run begins with; refuse others when it goes on."""
    now = {name: _files.fingerprint(*(array for part in several for array in _held(part))) for name, several in parts.items() if several}
    then = run.data.get("samples", now) if run.epoch else now
    for name in parts:
        if then.get(name) != now.get(name):
            raise ValueError(f"{name}: expected what this run began with (SHA-256 {then.get(name, 'none'):.12}), got something else "
                             f"({now.get(name, 'none'):.12}); to train on other data begin another run: start(..., weights=run)")
    run.data["samples"] = now


def _held(part):
    """Return the arrays of samples or labels; of many on disk some, evenly spaced."""
    if isinstance(part, Rows):
        return part[:: max(1, len(part) // REPORTED)], np.array(part.shape)
    return parts_of(part)


def _scored(rule, settings, outputs, y):
    """Score a batch: train_accuracy, or of targets train_mse, a number for each."""
    if y.dtype.kind == "f":
        return {"train_mse": metrics.squared_errors(rule.values(settings, outputs), y)}
    return {"train_accuracy": rule.accuracy(outputs, y).expected}


def _summed(record, y):
    """Turn the mean squared errors of an epoch into train_r2 and train_rmse; an accuracy stays."""
    if "train_mse" not in record:
        return record
    score = metrics.regression_of(np.array(record["train_mse"]), y.reshape(len(y), -1).var(axis=0, dtype=np.float64))
    return {key: value for name, part in record.items()
            for key, value in ({"train_r2": score.r2, "train_rmse": score.rmse} if name == "train_mse" else {name: part}).items()}


def _samples(part, pair, settings):
    """Return samples and labels as arrays; refuse, before the first batch, what the network would misread."""
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise ValueError(f"{part}: expected a pair of samples and labels, got {_checks.describe(pair)}")
    x, y = pair
    if getattr(settings, "time_axis", None) is not None:
        return _sequences(part, x, y, settings)
    if isinstance(x, Sequences):
        raise ValueError(f"{part}: expected samples of one shape, got sequences of different lengths (surrogate takes them)")
    own = getattr(settings, "own_encoding", True)
    x, y = x if isinstance(x, Rows) or (own and isinstance(x, np.ndarray)) else _checks.table(x, part), np.asarray(y)
    if len(x) == 0 or len(x) != len(y):
        raise ValueError(f"{part}: expected as many labels as samples, and some, got {len(x)} and {len(y)}")
    if not callable(getattr(settings, "loss", len)):
        y = _wanted(part, y, len(x), settings)
    if own:
        return x, y
    _checks.sample_shape(x, settings.model, part)
    seen = x[:REPORTED] if isinstance(x, Rows) else x            # what stays on disk was checked when it became a data set
    if x.dtype == np.uint8 and 0 < seen.max() < 64:
        warnings.warn(f"{part}: bytes count as 0 to 255, and the largest of these is {seen.max()}: divide by it for numbers in [0, 1]",
                      stacklevel=3)
    if x.dtype.kind == "f" and not (seen.min() >= 0 and seen.max() <= 1):
        _checks.finite(x, part)
        outside = (x < 0) | (x > 1)
        raise ValueError(f"{part}: expected numbers in [0, 1], got {x[outside].flat[0]:g} {_checks.place(outside)}")
    encode.intensities(x[:1])
    return x, y


def _sequences(part, x, y, settings):
    """Do the same for samples with a time axis."""
    values, wanted = getattr(x, "x", x), (settings.time_axis, *settings.model.shape)
    if settings.own_encoding:
        wanted = wanted[:1] + np.shape(values)[2:]
    if not isinstance(values, np.ndarray) or values.shape[1:] != wanted:
        order = "; is time the second axis?" if np.ndim(values) > 1 and np.shape(values)[:1] == wanted[:1] else ""
        raise ValueError(f"{part}: expected samples of shape {wanted}, got {_checks.describe(values)}{order}")
    if values.dtype.kind not in "fu" or (values.dtype.kind == "u" and values.max(initial=0) > 1):
        raise ValueError(f"{part}: expected floats, or spikes 0 and 1 as uint8, got {_checks.describe(values)} up to {values.max()}")
    if len(values) == 0 or len(values) != len(y):
        raise ValueError(f"{part}: expected as many labels as samples, and some, got {len(values)} and {len(y)}")
    _checks.finite(values, part)
    return x, _wanted(part, np.asarray(y), len(values), settings)


def _wanted(part, y, n, settings):
    """Return labels, or floats as targets of regression, as the loss takes them."""
    loss, n_out = getattr(settings, "loss", None), settings.model.shapes[-1][0]
    if loss == "squared" or (callable(loss) and y.dtype.kind == "f"):
        return _checks.targets(y, f"targets of {part}", n, n_out).astype(np.float64, copy=False)
    if y.dtype.kind == "f":
        raise TypeError(f"labels of {part}: expected {n} integer labels, or loss=\"squared\" for regression, got {_checks.describe(y)}")
    return _checks.labels(y, f"labels of {part}", n, n_out)


def _weights(rule, settings, y, sample_weight):
    """Return how many times each sample counts, 1 in the mean; None: each once."""
    balanced = getattr(settings, "class_weight", "none") == "balanced"
    if sample_weight is None and not balanced:
        return None
    if callable(getattr(settings, "loss", None)):
        raise ValueError("sample_weight, class_weight: expected a loss of ours, got one of your own, which can weigh by the labels itself")
    if not {"weight"} & set(inspect.signature(rule.gradients).parameters):
        raise ValueError(f"sample_weight, class_weight: expected a rule whose gradients take weight=None, got {rule.name}")
    if balanced and y.dtype.kind == "f":
        raise ValueError("class_weight: expected none for targets of regression, got balanced")
    weight = np.ones(len(y)) if sample_weight is None else _checks.weights(np.asarray(sample_weight), "sample_weight", len(y))
    if balanced:
        weight = weight / np.bincount(y)[y]
    if not weight.any():
        raise ValueError("sample_weight: expected some above 0, got none")
    return weight / weight.mean()


def _stuck(record, n):
    """Say in one sentence why training on n samples cannot go on, with the cure; "" if all is well, or all is learnt."""
    cure = "train again with a smaller lr, or weights of another scale"
    if record.get("train_accuracy", record.get("train_r2")) > 0.99:
        return ""
    shares = [record.get(name, []) for name in ("silent", "ceiling", "movable")]
    layers = [(k, *row) for k, row in enumerate(zip_longest(*shares, fillvalue=0.5), 1)]
    closed = [row for row in layers if 1 in row[1:3]][:1]               # the first: nothing new comes to those behind it
    for k, silent, ceiling, movable in closed or [row for row in layers if row[3] < 0.01][-1:]:     # the last: no gradient passes it
        return f"layer {k} cannot learn ({silent:.0%} silent, {ceiling:.0%} at the ceiling, {movable:.0%} can move): {cure}"
    if record.get("distance", 0) > 0.05 and record.get("agreement", 1) < 0.8:
        return f"the networks part: the ReLU network is right for {record['distance']:.1%} more, and they decide alike in " \
               f"{record['agreement']:.1%}: try more steps, or, of proxy, pooling=inside and calibrate=0.05"
    silent = record.get("n_silent", 0)
    return f"no output spiked for {silent} of {n} training samples: {cure}" if silent > 0.9 * n else ""


class _Sums:
    """Over the batches of an epoch: the sums of values whose name begins with n_, the means of all others."""

    def __init__(self):
        self.n, self.sums = 0, {}

    def add(self, n, **values):
        self.n += n
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0) + (value if name.startswith("n_") else n * np.asarray(value))

    def result(self):
        return {name: value if name.startswith("n_") else (value / self.n).tolist() for name, value in self.sums.items()}
