"""The one training loop. A `Run` is plain data; `epochs` continues it from where it stands, and yields one record per epoch."""

import copy
import importlib
import importlib.metadata
import json
import platform
import time
import warnings
from dataclasses import dataclass, field, replace
from itertools import zip_longest

import numpy as np

from . import __version__, _checks, _files, checkpoint, encode, learning, models, optim
from .conventions import Sequences
from .learning import METHODS

__all__ = ["METHODS", "Run", "check_fit", "epochs", "load", "save", "start", "versions"]

REPORTED = 1000       # samples that the record of an epoch looks at


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

    def __reduce__(self):
        """Copy and pickle as a checkpoint does: names, numbers and arrays, all independent; of a file of the user's own by its name."""
        return _unpickled, _parts(self)

    @property
    def spikes(self):
        """Whether one of its networks spikes over time steps."""
        return self.rule.family == "rate" and self.nets.snn is not None

    @property
    def kind(self):
        """What can be said and drawn of it.

        Returns
        -------
        str
            temporal, rate, or "" for accuracy alone, as of leaky neurons and of samples with a time axis.
        """
        s = self.nets.settings
        leaky = any(isinstance(spec, (models.Integrate, models.Leaky)) for spec in s.model.specs)
        return "" if leaky or s.time_axis else self.rule.family


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
    seed = _checks.whole(seed, "seed", 0)
    rng = np.random.default_rng(seed)
    rule = learning.get(method)
    if not isinstance(settings, rule.Settings):
        raise ValueError(f"settings: expected {rule.Settings.__name__} of {rule.name}, got {type(settings).__module__}."
                         f"{type(settings).__name__}")
    nets = rule.build(settings, rng=rng)
    return Run(rule, nets, _optimiser(rule, settings, nets), rng, seed, data or {})


def _optimiser(rule, settings, nets):
    """Make the optimiser, and refuse one of the user's own that a checkpoint could not keep; with `average`, it keeps the averages, too."""
    made = rule.optimiser(settings, nets.net.params)
    state = getattr(made, "state", None)
    if not callable(getattr(made, "update", None)) or not isinstance(state, dict):
        raise ValueError(f"optimiser: expected an object with update(params, grads, lr) and a dict `state`, got {type(made).__name__}")
    if other := [name for name, x in state.items() if not isinstance(x, np.ndarray)]:
        raise ValueError(f"optimiser: expected a state of arrays, such as np.zeros(()) for a number, got {other[0]} of type "
                         f"{type(state[other[0]]).__name__}")
    averaged = {**nets.net.params, **{f"state/{name}": x for name, x in nets.state.items() if x.dtype.kind == "f"}}
    return optim.Averaged(made, averaged) if getattr(settings, "average", 0) else made


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
        If the input has neither the shape of a sample nor its size as one row, or the last layer has not one neuron for each class.
    """
    model = models.read(model)
    if time_axis is not None:
        shape = data.x_train.shape[1:]
        if shape != (time_axis, *model.shape) or model.shapes[-1] != (len(data.classes),):
            wanted = f"{'x'.join(map(str, shape[1:]))}-...-{len(data.classes)} and {shape[0]} steps"
            raise ValueError(f"model: expected {wanted} for {data.name}, got {model} and {time_axis} steps")
        return
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
        val_strict, val_inclusive; what the method's `report` says of up to REPORTED validation (or training) samples; lr, seconds;
        and a warning, where nothing in a layer can move, or hardly an output spikes.

    Raises
    ------
    ValueError
        If samples or labels do not fit the network (the message says where), the loss or the weights are not finite, or the run holds
        weights only.
    """
    rule, s = run.rule, run.nets.settings
    if run.rng is None:
        raise ValueError("run: expected one that can go on, got one that holds weights only")
    x, y = _samples("train", train, s)
    validation = None if validation is None else _samples("validation", validation, s)
    schedule = s.schedule if callable(s.schedule) else optim.SCHEDULES[s.schedule]
    n_batches = -(-len(x) // s.batch)
    shapes, names = {name: w.shape for name, w in run.nets.net.params.items()}, set(run.optimiser.state)
    average = getattr(s, "average", 0)
    if run.epoch == 0 and s.epochs:
        rule.begin(run.nets, x)
        if average:
            run.optimiser.follow(0)
    while run.epoch < s.epochs:
        began = time.perf_counter()
        order = run.rng.permutation(len(x))
        sums = _Sums()
        if average:
            run.optimiser.swap()                         # from here to the end of the epoch the networks hold the weights of training
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
            if average:
                run.optimiser.follow(average)
            sums.add(len(batch), loss=step.loss, train_accuracy=rule.accuracy(step.y, y[batch]).expected, **step.stats)
        if average:
            run.optimiser.swap()
        if not all(np.isfinite(w).all() for w in run.nets.net.params.values()):
            raise ValueError(f"the weights are no longer finite after epoch {run.epoch + 1}: try a smaller lr")
        _same_names(run, names)
        rule.end_epoch(run.nets, x)
        run.epoch += 1
        record = {"epoch": run.epoch, **sums.result(), "lr": lr}
        record |= rule.report(run.nets, *(part[:REPORTED] for part in ((x, y) if validation is None else validation)))
        if validation is not None:
            val = rule.score(run.nets, *validation)
            record |= {"val_accuracy": val.expected, "val_strict": val.strict, "val_inclusive": val.inclusive}
        record |= {"warning": text} if (text := _stuck(record, len(x))) else {}
        record["seconds"] = time.perf_counter() - began
        run.records.append(record)
        yield record


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
    x, y = x if own and isinstance(x, np.ndarray) else _checks.table(x, part), np.asarray(y)
    if len(x) == 0 or len(x) != len(y):
        raise ValueError(f"{part}: expected as many labels as samples, and some, got {len(x)} and {len(y)}")
    if not callable(getattr(settings, "loss", len)):
        y = _checks.labels(y, f"labels of {part}", len(x), settings.model.shapes[-1][0])
    if own:
        return x, y
    _checks.sample_shape(x, settings.model, part)
    if x.dtype == np.uint8 and 0 < x.max() < 64:
        warnings.warn(f"{part}: bytes count as 0 to 255, and the largest of these is {x.max()}: divide by it for numbers in [0, 1]",
                      stacklevel=3)
    if x.dtype.kind == "f" and not (x.min() >= 0 and x.max() <= 1):
        _checks.finite(x, part)
        outside = (x < 0) | (x > 1)
        raise ValueError(f"{part}: expected numbers in [0, 1], got {x[outside].flat[0]:g} {_checks.place(outside)}")
    encode.intensities(x[:1])
    return x, y


def _sequences(part, x, y, settings):
    """Do the same for samples with a time axis."""
    values, wanted = getattr(x, "x", x), (settings.time_axis, *settings.model.shape)
    if not isinstance(values, np.ndarray) or values.shape[1:] != wanted:
        order = "; is time the second axis?" if np.ndim(values) > 1 and np.shape(values)[:1] == wanted[:1] else ""
        raise ValueError(f"{part}: expected samples of shape {wanted}, got {_checks.describe(values)}{order}")
    if values.dtype.kind not in "fu" or (values.dtype.kind == "u" and values.max(initial=0) > 1):
        raise ValueError(f"{part}: expected floats, or spikes 0 and 1 as uint8, got {_checks.describe(values)} up to {values.max()}")
    if len(values) == 0 or len(values) != len(y):
        raise ValueError(f"{part}: expected as many labels as samples, and some, got {len(values)} and {len(y)}")
    _checks.finite(values, part)
    return x, _checks.labels(np.asarray(y), f"labels of {part}", len(values), settings.model.shapes[-1][0])


def _stuck(record, n):
    """Say in one sentence why training on n samples cannot go on, with the cure; "" if all is well, or all is learnt."""
    cure = "train again with a smaller lr, or weights of another scale"
    if record["train_accuracy"] > 0.99:
        return ""
    shares = [record.get(name, []) for name in ("silent", "ceiling", "movable")]
    for k, (silent, ceiling, movable) in enumerate(zip_longest(*shares, fillvalue=0.5)):
        if silent == 1 or ceiling == 1 or movable < 0.01:
            return f"layer {k + 1} cannot learn ({silent:.0%} silent, {ceiling:.0%} at the ceiling, {movable:.0%} can move): {cure}"
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
    header, arrays = _parts(run, weights_only)
    _check(json.loads(json.dumps(header)))               # what could not be loaded is not written
    checkpoint.write(path, header, arrays, compress=weights_only, keep=keep)


def _parts(run, weights_only=False):
    """Return what a checkpoint holds: header and arrays."""
    settings, resumable = run.nets.settings, not weights_only and run.rng is not None
    header = {"method": run.method, "settings": settings.plain(), "data": run.data, "seed": run.seed, "epoch": run.epoch,
              "records": run.records, "versions": versions(), "resumable": resumable, "model": settings.model.to_json()}
    header["files"] = _files.named(header)
    arrays = {f"params/{name}": w.astype(np.float16) if weights_only else w for name, w in run.nets.net.params.items()}
    arrays |= {f"state/{name}": x for name, x in run.nets.state.items()}
    if resumable:
        header["rng"] = run.rng.bit_generator.state
        arrays |= {f"optimiser/{name}": x for name, x in run.optimiser.state.items()}
    return header, arrays


def _unpickled(header, arrays):
    """Build a run from what `_parts` returned."""
    return _restored(_Kept(copy.deepcopy(header), {name: np.array(x) for name, x in arrays.items()}))


class _Kept:
    """What `checkpoint.Stored` gives, of arrays in memory."""

    def __init__(self, header, arrays):
        self.header, self.array, self.layout = header, arrays.__getitem__, {name: (x.shape, x.dtype) for name, x in arrays.items()}

    def arrays(self, start):
        return {name.removeprefix(start): self.array(name) for name in self.layout if name.startswith(start)}


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
    with checkpoint.Stored(path) as stored:
        try:
            _check(stored.header)
            _needed(stored, files)
            return _restored(stored)
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            raise checkpoint.CheckpointError(f"{path}: the checkpoint's parts do not fit together: {error}") from error
        except MemoryError as error:
            raise checkpoint.CheckpointError(f"{path}: expected memory for its network, got none ({error})") from error


def _needed(stored, files):
    """Run the files that the user gives, and see whether they are those that the header lists."""
    try:
        _files.need(stored.header.get("files", {}), files)
    except ValueError as error:
        raise checkpoint.CheckpointError(f"{stored.path}: {error}") from error


def _restored(stored):
    """Build the run: each array is read once it is known to be what header and network need."""
    header = stored.header
    rule = learning.get(header["method"])
    settings = dict(header["settings"])
    if "model" in header:
        settings["model"] = models.read(header["model"])
    settings = rule.Settings(**settings)
    if settings.backend == "cuda" and not importlib.import_module(f"{__package__}.cuda._target").available():
        settings = replace(settings, backend="auto")
    params = _params(stored, rule, settings)
    if METHODS.get(rule.name) is rule:
        _same(stored, "state/", rule.build(settings, params).state)
    nets = rule.build(settings, params, state=stored.arrays("state/"))
    run = Run(rule, nets, _optimiser(rule, settings, nets), np.random.default_rng(0), header["seed"], header["data"], header["epoch"],
              header["records"])
    if header["resumable"]:
        run.rng.bit_generator.state = header["rng"]
        if run.rng.bit_generator.state != header["rng"]:
            raise ValueError("rng: expected the state of a generator")
        _same(stored, "optimiser/", run.optimiser.state, exactly=True)
        for name, x in run.optimiser.state.items():
            x[...] = stored.array(f"optimiser/{name}")
    else:
        run.rng = None
    known = ("params/", "state/", *(["optimiser/"] if header["resumable"] else []))
    if other := [name for name in stored.layout if not name.startswith(known)]:
        raise ValueError(f"expected arrays of {', '.join(known)}, got {other[0]}")
    return run


def _params(stored, rule, settings):
    """Read the parameters, in the order of the model, which says what there must be; of a rule of the user's own whatever is there."""
    given = {name[7:]: shape for name, (shape, _) in stored.layout.items() if name.startswith("params/")}
    wanted = given
    if METHODS.get(rule.name) is rule:
        arrays = settings.model.params("temporal" if rule.family == "temporal" else None, settings.bias)
        wanted = {name: param.shape for name, param in arrays.items()}
    if given != wanted:
        raise ValueError(f"params: expected {wanted} for model {settings.model}, got {given}")
    for name in wanted:
        dtype = stored.layout[f"params/{name}"][1]
        if dtype.kind != "f" or (stored.header["resumable"] and dtype != settings.dtype):
            raise ValueError(f"params: expected {name} in {settings.dtype}, got {dtype}")
    if wanted is given:
        return {name: w.astype(settings.dtype) for name, w in stored.arrays("params/").items()}
    return {name: stored.array(f"params/{name}").astype(settings.dtype) for name in wanted}


def _same(stored, start, arrays, exactly=False):
    """Refuse stored arrays whose names, shapes or kinds differ from those that there must be."""
    def what(shape, dtype):
        return shape, dtype.str if exactly else dtype.kind

    wanted = {name: what(x.shape, x.dtype) for name, x in arrays.items()}
    given = {name.removeprefix(start): what(*declared) for name, declared in stored.layout.items() if name.startswith(start)}
    if given != wanted:
        raise ValueError(f"{start[:-1]}: expected {wanted}, got {given}")


def _whole(x):
    return type(x) is int and x >= 0


def _is_record(r, k):
    numbers = "loss", "train_accuracy", "lr", "seconds"
    return isinstance(r, dict) and r.get("epoch") == k + 1 and all(type(r.get(name)) in (int, float) for name in numbers)


HEADER = {   # what a checkpoint's header holds: (in words, how to tell)
    "method": ("a name", lambda x: isinstance(x, str)),
    "settings": ("a record", lambda x: isinstance(x, dict)),
    "data": ("a record of a name, numbers of samples and a seed", lambda x: isinstance(x, dict) and isinstance(x.get("name"), str | None)
             and all(x.get(name) is None or _whole(x[name]) for name in ("n_val", "split_seed"))),
    "seed": ("a whole number", _whole),
    "epoch": ("a whole number", _whole),
    "records": ("a list with a record of numbers for each epoch", lambda x: isinstance(x, list) and all(map(_is_record, x, range(len(x))))),
    "versions": ("a record of words", lambda x: isinstance(x, dict) and all(isinstance(v, str | None) for v in x.values())),
    "resumable": ("true or false", lambda x: isinstance(x, bool)),
    "files": ("a record of files and their SHA-256", lambda x: isinstance(x, dict) and all(isinstance(v, str) for v in x.values())),
}


def _check(header):
    """Refuse a header with a field of another type or out of range, words that would disturb a terminal, or code that it does not list."""
    for name, (words, is_good) in HEADER.items():
        if not is_good(header.get(name, {} if name == "files" else None)):
            raise ValueError(f"{name}: expected {words}, got {header.get(name)!r:.60}")
    if len(header["records"]) != header["epoch"]:
        raise ValueError(f"records: expected one for each of {header['epoch']} epochs, got {len(header['records'])}")
    if wild := [word for word in _files.words({**header, "data": header["data"].get("name")}) if not word.isprintable()]:
        raise ValueError(f"expected printable words, got {wild[0]!r:.60}")
    code = (word.rpartition(":")[0] for word in _files.words([header["method"], header["settings"], header.get("model")]))
    if unlisted := [file for file in code if file.endswith(".py") and file not in header.get("files", {})]:
        raise ValueError(f"files: expected to find {unlisted[0]:.60} there, which holds code")


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
