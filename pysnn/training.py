"""The one training loop. A `Run` is plain data; `epochs` continues it from where it stands, and yields one record per epoch."""

import importlib
import importlib.metadata
import platform
import time
from dataclasses import dataclass, field, replace
from itertools import zip_longest

import numpy as np

from . import __version__, _files, checkpoint, learning, models, optim
from .learning import METHODS

__all__ = ["METHODS", "Run", "check_fit", "epochs", "load", "save", "start", "versions"]


@dataclass
class Run:
    """The state of a training. A checkpoint keeps all of it, so that a run that was stopped and resumed ends with the same bits."""

    rule: learning.Method
    nets: tuple                                   # from rule.build: at least net, settings and state
    optimiser: object
    rng: np.random.Generator                      # None: a run with weights only, which cannot go on
    seed: int
    data: dict = field(default_factory=dict)      # name and validation split of the data, for the checkpoint
    epoch: int = 0                                # finished epochs
    records: list = field(default_factory=list)   # one dict per finished epoch

    @property
    def method(self):
        """The name of the learning rule: a key of METHODS, or FILE.py:NAME."""
        return self.rule.name if METHODS.get(self.rule.name) is self.rule else _files.reference(self.rule)

    @property
    def spikes(self):
        """Whether one of its networks spikes over time steps."""
        return self.rule.family == "rate" and self.nets.snn is not None


def start(method, settings, seed=0, data=None):
    """Begin a run: draw the weights and set the optimiser to zero.

    Parameters
    ----------
    method : str or pysnn.learning.Method
        A key of METHODS, FILE.py:NAME of a rule of your own, or the rule itself.
    settings : dataclass
        Settings of that method, such as `pysnn.learning.temporal.Settings`.
    seed : int
        Seed of everything random.
    data : dict, optional
        What to remember about the data: name, validation split.

    Returns
    -------
    Run
        The run, at epoch 0.
    """
    rng = np.random.default_rng(seed)
    rule = learning.get(method)
    if not isinstance(settings, rule.Settings):
        raise ValueError(f"settings: expected {rule.Settings.__name__} of {rule.name}, got {type(settings).__module__}."
                         f"{type(settings).__name__}")
    nets = rule.build(settings, rng=rng)
    return Run(rule, nets, _optimiser(rule, settings, nets.net.params), rng, seed, data or {})


def _optimiser(rule, settings, params):
    """Make the optimiser, and refuse one of the user's own that a checkpoint could not keep."""
    made = rule.optimiser(settings, params)
    state = getattr(made, "state", None)
    if not callable(getattr(made, "update", None)) or not isinstance(state, dict):
        raise ValueError(f"optimiser: expected an object with update(params, grads, lr) and a dict `state`, got {type(made).__name__}")
    if other := [name for name, x in state.items() if not isinstance(x, np.ndarray)]:
        raise ValueError(f"optimiser: expected a state of arrays, such as np.zeros(()) for a number, got {other[0]} of type "
                         f"{type(state[other[0]]).__name__}")
    return made


def _same_names(run, before):
    """Refuse an array of the state that appears only in the middle of training: a checkpoint could not restore it."""
    if new := sorted(set(run.optimiser.state) ^ before):
        raise ValueError(f"optimiser: expected a state that holds all its arrays from the beginning, got {new[0]} later")


def check_fit(model, data, own_encoding=False):
    """Refuse a model that does not fit the data.

    Parameters
    ----------
    model : pysnn.models.Model, str or list
        See `pysnn.models.read`.
    data : pysnn.datasets.Dataset
        Data.
    own_encoding : bool
        Whether an encoding of the user's own makes the input, so that any size may fit.

    Raises
    ------
    ValueError
        If the input has neither the shape of a sample nor its size as one row, or the last layer has not one neuron for each class.
    """
    model = models.read(model)
    n_in, n_out = int(np.prod(data.x_train.shape[1:])), len(data.classes)
    wanted = (*data.x_train.shape[1:], 1)[:3] if len(model.shape) == 3 and data.kind == "image" else (n_in,)
    if model.shape != (model.shape if own_encoding else wanted) or model.shapes[-1] != (n_out,):
        raise ValueError(f"model: expected {'x'.join(map(str, wanted))}-...-{n_out} for {data.name}, got {model}")


def epochs(run, train, validation=None, progress=None):
    """Train until the settings' number of epochs is reached.

    Parameters
    ----------
    run : Run
        Changed in place.
    train : (x, y)
        Training samples and labels.
    validation : (x, y), optional
        Held-out samples and labels, scored after each epoch.
    progress : callable, optional
        Wraps the range of an epoch's batches, as tqdm does.

    Yields
    ------
    dict
        The epoch's record. Of the training batches, with their dropout and augmentation: loss, train_accuracy, n_silent (samples without
        any output spike), movable (see `pysnn.learning.method.movable`) and what else the method counts. After the epoch: val_accuracy,
        val_strict, val_inclusive; what the method's `report` says of up to 1000 validation (without any: training) samples; lr, seconds;
        and a warning, where nothing in a layer can move, or hardly an output spikes.

    Raises
    ------
    ValueError
        If there are no samples, the loss or the weights are not finite, or the run holds weights only.
    """
    x, y = train
    rule, s = run.rule, run.nets.settings
    if run.rng is None:
        raise ValueError("run: expected one that can go on, got one that holds weights only")
    if len(x) == 0 or len(x) != len(y):
        raise ValueError(f"train: expected as many labels as samples, and some, got {len(x)} and {len(y)}")
    schedule = s.schedule if callable(s.schedule) else optim.SCHEDULES[s.schedule]
    n_batches = -(-len(x) // s.batch)
    shapes, names = {name: w.shape for name, w in run.nets.net.params.items()}, set(run.optimiser.state)
    while run.epoch < s.epochs:
        began = time.perf_counter()
        order = run.rng.permutation(len(x))
        sums = _Sums()
        for k in progress(range(n_batches)) if progress else range(n_batches):
            batch = order[k * s.batch:(k + 1) * s.batch]
            step = rule.gradients(run.nets, x[batch], y[batch], run.rng)
            if not np.isfinite(step.loss):
                raise ValueError(f"the loss became {step.loss} in epoch {run.epoch + 1}, batch {k + 1}: try a smaller lr")
            if wrong := [name for name, dw in step.grads.items() if shapes.get(name) != np.shape(dw)]:
                raise ValueError(f"gradients: expected those of {shapes}, got {wrong[0]} of shape {np.shape(step.grads[wrong[0]])}")
            lr = schedule(run.epoch * n_batches + k, s.epochs * n_batches, s.lr, s.lr_end)
            run.optimiser.update(run.nets.net.params, step.grads, lr)
            rule.update_running_stats(run.nets, step)
            sums.add(len(batch), loss=step.loss, train_accuracy=rule.accuracy(step.y, y[batch]).expected, **step.stats)
        if not all(np.isfinite(w).all() for w in run.nets.net.params.values()):
            raise ValueError(f"the weights are no longer finite after epoch {run.epoch + 1}: try a smaller lr")
        _same_names(run, names)
        rule.end_epoch(run.nets, x)
        run.epoch += 1
        record = {"epoch": run.epoch, **sums.result(), "lr": lr}
        record |= rule.report(run.nets, (x if validation is None else validation[0])[:1000])
        if validation is not None:
            val = rule.score(run.nets, *validation)
            record |= {"val_accuracy": val.expected, "val_strict": val.strict, "val_inclusive": val.inclusive}
        record |= {"warning": text} if (text := _stuck(record, len(x))) else {}
        record["seconds"] = time.perf_counter() - began
        run.records.append(record)
        yield record


def _stuck(record, n):
    """Say in one sentence why training on n samples cannot go on, with the cure; "" if all is well, or all is learnt."""
    cure = "train again with a smaller lr, or weights of another scale"
    if record["train_accuracy"] > 0.99:
        return ""
    shares = [record.get(name, []) for name in ("silent", "ceiling", "movable")]
    for k, (silent, ceiling, movable) in enumerate(zip_longest(*shares, fillvalue=0.5)):
        if silent == 1 or ceiling == 1 or movable < 0.01:
            return f"layer {k + 1} cannot learn ({silent:.0%} silent, {ceiling:.0%} at the ceiling, {movable:.0%} can move): {cure}"
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


def save(run, path, weights_only=False, keep=False):
    """Write a run to a checkpoint.

    Parameters
    ----------
    run : Run
        The run.
    path : str or Path
        File to write.
    weights_only : bool
        Whether to keep the parameters alone, as float16, and the state, for a small file to share; such a run cannot be resumed.
    keep : bool
        Whether to keep an older run of this file, as NAME.previous.npz; if there is one already, the run with more epochs stays.
    """
    settings = run.nets.settings
    header = {"method": run.method, "settings": settings.plain(), "data": run.data, "seed": run.seed, "epoch": run.epoch,
              "records": run.records, "versions": versions(), "resumable": not weights_only, "model": settings.model.to_json()}
    header["files"] = _files.named(header)
    arrays = {f"params/{name}": w.astype(np.float16) if weights_only else w for name, w in run.nets.net.params.items()}
    arrays |= {f"state/{name}": x for name, x in run.nets.state.items()}
    if not weights_only:
        header["rng"] = run.rng.bit_generator.state
        arrays |= {f"optimiser/{name}": x for name, x in run.optimiser.state.items()}
    checkpoint.write(path, header, arrays, compress=weights_only, keep=keep)


def load(path, files=()):
    """Read a run from a checkpoint.

    Parameters
    ----------
    path : str or Path
        A file, or the name of a network that ships with pysnn.
    files : sequence of path
        Python files of your own that the run was trained with: its learning rule, layers, loss, ... They are run, so they must be given;
        one that this process has loaded already need not be.

    Returns
    -------
    Run
        The run as it was saved; `epochs` continues it, if the checkpoint is resumable. Where there is no GPU, a run that was trained on one
        uses the default backend.

    Raises
    ------
    pysnn.checkpoint.CheckpointError
        If the file is damaged, of another program, its parts do not fit together, or a file that it names is missing or has changed.
    """
    header, arrays = checkpoint.read(path)
    try:
        _files.need({str(file): str(digest) for file, digest in dict(header.get("files", {})).items()}, files)
    except (TypeError, ValueError) as error:
        raise checkpoint.CheckpointError(f"{path}: {error}") from error
    try:
        rule = learning.get(header["method"])
        settings = dict(header["settings"])
        if "model" in header:
            settings["model"] = models.read(header["model"])
        settings = rule.Settings(**settings)
        if settings.backend == "cuda" and not importlib.import_module(f"{__package__}.cuda._target").available():
            settings = replace(settings, backend="auto")
        dtype = np.dtype(settings.dtype)
        params = {k.removeprefix("params/"): v.astype(dtype) for k, v in arrays.items() if k.startswith("params/")}
        state = {k.removeprefix("state/"): v for k, v in arrays.items() if k.startswith("state/")}
        run = Run(rule, rule.build(settings, params, state=state), _optimiser(rule, settings, params), np.random.default_rng(0),
                  header["seed"], header["data"], header["epoch"], header["records"])
        for name, wanted in (("data", dict), ("epoch", int), ("records", list)):
            if not isinstance(header[name], wanted):
                raise ValueError(f"{name}: expected {wanted.__name__}, got {header[name]!r:.60}")
        if header["resumable"]:
            run.rng.bit_generator.state = header["rng"]
            _same_names(run, {k.removeprefix("optimiser/") for k in arrays if k.startswith("optimiser/")})
            for name, x in run.optimiser.state.items():
                stored = arrays[f"optimiser/{name}"]
                if stored.shape != x.shape or stored.dtype != x.dtype:
                    raise ValueError(f"optimiser state {name} of shape {stored.shape}, expected {x.shape}")
                x[...] = stored
        else:
            run.rng = None
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise checkpoint.CheckpointError(f"{path}: the checkpoint's parts do not fit together: {error}") from error
    return run


def versions():
    """Return the versions that results depend on.

    Returns
    -------
    dict
        Of pysnn, Python, NumPy, Numba (None where not installed) and the machine.
    """
    try:
        numba = importlib.metadata.version("numba")
    except importlib.metadata.PackageNotFoundError:
        numba = None
    return {"pysnn": __version__, "python": platform.python_version(), "numpy": np.__version__, "numba": numba,
            "machine": f"{platform.system()} {platform.machine()}"}
