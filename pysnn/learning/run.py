"""A `Run`, the state of a training: begun, copied, written to a checkpoint and read from one."""

import copy
import importlib
import importlib.metadata
import json
import platform
import re
from dataclasses import dataclass, field, replace

import numpy as np

from .. import __version__, _checks, _files, checkpoint, models, optim
from ..datasets.catalogue import Dataset
from . import METHODS, get
from .method import Method
from .settings import frozen

DATA_WORDS = "name", "target", "test", "sha256", "classes"      # what a checkpoint says in words of its data


@dataclass
class Run:
    """The state of a training. A checkpoint keeps all of it, so that a run that was stopped and resumed ends with the same bits."""

    rule: Method
    nets: tuple                                   # from rule.build: at least net, settings and state
    optimiser: object
    rng: np.random.Generator                      # None: a run with weights only, which cannot go on
    seed: int
    data: dict = field(default_factory=dict)      # what the checkpoint says of the data: name, validation split, SHA-256 of the samples
    epoch: int = 0                                # finished epochs
    records: list = field(default_factory=list)   # one dict per finished epoch

    @property
    def method(self):
        """The name of the learning rule: a key of METHODS, or FILE.py:NAME."""
        return self.rule.name if METHODS.get(self.rule.name) is self.rule else _files.reference(self.rule)

    def __reduce__(self):
        """Pickle as a checkpoint does: names, numbers and arrays; of a file of the user's own by its name."""
        return _unpickled, _parts(self)

    def __deepcopy__(self, memo):
        """Copy all arrays; the learning rule and functions of the user's own are shared."""
        s, (params, state) = self.nets.settings, (copy.deepcopy(some) for some in (self.nets.net.params, self.nets.state))
        nets = self.rule.build(s, params, state=state)
        rng, data, records = copy.deepcopy((self.rng, self.data, self.records))
        made = Run(self.rule, nets, _optimiser(self.rule, s, nets), rng, self.seed, data, self.epoch, records)
        for name, x in self.optimiser.state.items():
            made.optimiser.state[name][...] = x
        return made

    def __copy__(self):
        """Copy all arrays, too: half a copy would be trained by both."""
        return copy.deepcopy(self)

    def to_frame(self):
        """Return the records as a frame of pandas.

        Returns
        -------
        pandas.DataFrame
            A row for each epoch; what is a list by layer has a column for each layer, such as silent_1.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            pandas = importlib.import_module("pandas")
        except ImportError as error:
            raise ImportError("to_frame needs pandas: pip install pandas") from error
        rows = [{f"{name}_{k}" if k else name: x for name, value in record.items()
                 for k, x in (enumerate(value, 1) if isinstance(value, list) else [(0, value)])} for record in self.records]
        return pandas.DataFrame(rows)

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
            temporal, rate, or "" for the score alone, as of leaky neurons, of samples with a time axis, and of regression.
        """
        s = self.nets.settings
        leaky = any(isinstance(spec, (models.Integrate, models.Leaky)) for spec in s.model.specs)
        return "" if leaky or s.time_axis or self.regression else self.rule.family

    @property
    def regression(self):
        """Whether it learns numbers, not classes.

        Returns
        -------
        bool
            With the loss squared; with a loss of your own once an epoch was trained on targets.
        """
        return getattr(self.nets.settings, "loss", None) == "squared" or any("train_r2" in r for r in self.records)


def start(method, settings, seed=0, data=None, weights=None):
    """Begin a run: draw the weights, or take those of another run, and set the optimiser to zero.

    Parameters
    ----------
    method : str or pysnn.learning.Method
        A key of METHODS, FILE.py:NAME of a rule of your own, or the rule itself.
    settings : dataclass
        Settings of that method, such as `pysnn.learning.temporal.Settings`.
    seed : int
        Seed of everything random.
    data : dict or pysnn.datasets.Dataset, optional
        What a checkpoint says of the data: name, validation split; of a Dataset its name, classes and scale, which an estimator made of the
        checkpoint needs.
    weights : str, Path or Run, optional
        Where to begin, instead of at random weights: a checkpoint, a network that ships with pysnn, or a run. Parameters and running
        statistics must have its names and shapes; those of the last weight layer are drawn if their shapes differ, as with other classes.

    Returns
    -------
    Run
        The run, at epoch 0.

    Raises
    ------
    ValueError
        If the settings are those of another rule, or name parameters that there are not, or the weights do not fit.
    """
    seed = _checks.whole(seed, "seed", 0)
    rng = np.random.default_rng(seed)
    rule = get(method)
    if not isinstance(settings, rule.Settings):
        raise ValueError(f"settings: expected {rule.Settings.__name__} of {rule.name}, got {type(settings).__module__}."
                         f"{type(settings).__name__}")
    nets, data = rule.build(settings, rng=rng), data.words if isinstance(data, Dataset) else dict(data or {})
    frozen(settings, nets.net.params)
    if weights is not None:
        begun = weights if isinstance(weights, Run) else load(weights)
        _take(nets, begun)
        data["weights"] = _files.fingerprint(*begun.nets.net.params.values())
    return Run(rule, nets, _optimiser(rule, settings, nets), rng, seed, data)


def _take(nets, other):
    """Take over the parameters and running statistics of another run; a last layer of another shape stays as it was drawn."""
    last = str(nets.settings.model.n_weights)
    for mine, given in ((nets.net.params, other.nets.net.params), (nets.state, other.nets.state)):
        for name, w in mine.items():
            there = getattr(given.get(name), "shape", None)
            if there == w.shape and w.dtype.kind == "f":
                w[...] = given[name]
            elif mine is nets.net.params and re.sub(r".*\D", "", name) != last:
                raise ValueError(f"weights: expected {name} of shape {w.shape} for model {nets.settings.model}, got "
                                 f"{'none' if there is None else there} of model {other.nets.settings.model}")


def _optimiser(rule, settings, nets):
    """Make the optimiser, and refuse one of the user's own that a checkpoint could not keep; with `average` and
    `patience`, it keeps the averages and the best weights, too."""
    made = rule.optimiser(settings, nets.net.params)
    state = getattr(made, "state", None)
    if not callable(getattr(made, "update", None)) or not isinstance(state, dict):
        raise ValueError(f"optimiser: expected an object with update(params, grads, lr) and a dict `state`, got {type(made).__name__}")
    if other := [name for name, x in state.items() if not isinstance(x, np.ndarray)]:
        raise ValueError(f"optimiser: expected a state of arrays, such as np.zeros(()) for a number, got {other[0]} of type "
                         f"{type(state[other[0]]).__name__}")
    averaged = {**nets.net.params, **{f"state/{name}": x for name, x in nets.state.items() if x.dtype.kind == "f"}}
    made = optim.Averaged(made, averaged) if getattr(settings, "average", 0) else made
    if settings.patience:
        state.update({f"best/{name}": x.copy() for name, x in averaged.items()})
    return made


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
    rule = get(header["method"])
    settings = dict(header["settings"])
    if "model" in header:
        settings["model"] = models.read(header["model"])
    settings = rule.Settings(**settings)
    if settings.backend == "cuda" and not importlib.import_module("..cuda._target", __package__).available():
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
    numbers = "loss", "train_r2" if isinstance(r, dict) and "train_r2" in r else "train_accuracy", "lr", "seconds"
    return isinstance(r, dict) and r.get("epoch") == k + 1 and all(type(r.get(name)) in (int, float) for name in numbers)


def _are_words(data):
    """Tell whether the record of a checkpoint's data holds words where it should: see `pysnn.cli.train`."""
    files, classes = data.get("sha256") or {}, data.get("classes") or []
    return (all(isinstance(data.get(name), str | None) for name in ("name", "target", "test")) and isinstance(files, dict)
            and data.get("regression") in (None, True)
            and isinstance(classes, list) and all(isinstance(word, str) for word in (*files.values(), *classes)))


HEADER = {   # what a checkpoint's header holds: (in words, how to tell)
    "method": ("a name", lambda x: isinstance(x, str)),
    "settings": ("a record", lambda x: isinstance(x, dict)),
    "data": ("a record of names, numbers of samples and a seed", lambda x: isinstance(x, dict) and _are_words(x)
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
    data = {name: header["data"].get(name) for name in DATA_WORDS}
    if wild := [word for word in _files.words({**header, "data": data}) if not word.isprintable()]:
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
