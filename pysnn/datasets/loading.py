"""Load a data set by name as arrays; split off a validation part.

The sample `fashion-sample` (fashion_sample.npz beside this file) is taken from Fashion-MNIST, by Han Xiao, Kashif Rasul
and Roland Vollgraf, arXiv 1708.07747, copyright 2017 Zalando SE, MIT licence: see LICENSE-fashion-mnist. It is for
trying things out; figures to be compared with papers need the full set.
"""

import pathlib

import numpy as np

from .. import _checks, _files
from ..conventions import Sequences
from .cache import cache_folder
from .catalogue import CLASSES, FETCHABLE, FILES, DataError, Dataset, check_name
from .events import check_spikes
from .formats import format_of, verified
from .points import YIN_YANG_SETS, xor, yin_yang, yin_yang_validation
from .signals import MNIST1D_SETS, mnist1d
from .spike_trains import RANDMAN_SETS, SOUND_SETS, randman, sound

SAMPLE = pathlib.Path(__file__).with_name("fashion_sample.npz")


def load(name, folder=None):
    """Load a data set as arrays; this never downloads (`fetch` does).

    Parameters
    ----------
    name : str
        A key of `READERS`: xor, yin-yang, mnist1d, randman and sound are generated (xor: the four points are training and test set),
        fashion-sample is shipped (6,000 + 1,000 images), those of `FETCHABLE` are read. Or FILE.py:NAME, a Dataset in a file of your
        own, or a function that returns one.
    folder : str or pathlib.Path, optional
        Where to read the latter from, in any form that `fetch` accepts; default: the cache.

    Returns
    -------
    Dataset
        See there for dtypes and shapes.

    Raises
    ------
    ValueError
        If the name is unknown, or a folder is given for a set that is not read from one.
    DataError
        If files are absent or differ from the published ones (md5).
    """
    if ".py:" in str(name):
        made = _files.load(name)
        return _checked(name, made() if callable(made) and not isinstance(made, Dataset) else made)
    check_name(name, tuple(READERS))
    if folder is not None and name not in FETCHABLE:
        raise ValueError(f"folder: expected None for {name}, which is not read from a folder, got {str(folder)!r}")
    return READERS[name](name, folder)


def _checked(name, data):
    """Return a data set of the user's own; refuse one that cannot be trained on."""
    if not isinstance(data, Dataset):
        raise ValueError(f"{name}: expected a pysnn.datasets.Dataset or a function that returns one, got {type(data).__name__}")
    for part in ("train", "test"):
        x, y = getattr(data, f"x_{part}"), getattr(data, f"y_{part}")
        if not isinstance(x, np.ndarray) or x.ndim < 2 or not x.size or x.shape[1:] != np.shape(data.x_train)[1:]:
            raise ValueError(f"{name}: expected x_{part} to be an array of samples, all of one shape, got {_checks.describe(x)}")
        try:
            lengths = getattr(data, f"lengths_{part}")
            if data.kind == "sequence":
                _check_sequences(x, lengths, part, len(y))
            elif lengths is not None:
                raise ValueError(f"lengths_{part}: expected None for kind {data.kind!r}, got {_checks.describe(lengths)}")
            _checks.labels(y, f"y_{part}", len(x), len(data.classes))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name}: {error}") from None
    if data.kind not in ("image", "points", "sequence"):
        raise ValueError(f"{name}: expected kind to be 'image', 'points' or 'sequence', got {data.kind!r}")
    return data


def _check_sequences(x, lengths, part, n):
    """Refuse sequences that are none, have time in another place, or lengths that do not fit."""
    if x.ndim == 3 and len(x) != n == x.shape[1]:
        raise ValueError(f"x_{part}: expected shape (N, T, n), samples first, got {x.shape}, which looks like time first")
    if x.ndim != 3 or (x.dtype != np.uint8 and x.dtype not in _checks.FLOATS):
        raise TypeError(f"x_{part}: expected sequences (N, T, n), of floats or of spikes as uint8, got {_checks.describe(x)}")
    if x.dtype == np.uint8:
        check_spikes(x, f"x_{part}")
    else:
        _checks.finite(x, f"x_{part}")
    if lengths is None:
        return
    n_steps = x.shape[1]
    try:
        _checks.lengths(lengths, f"lengths_{part}", len(x), n_steps)
    except ValueError as error:
        hint = "; the second axis must be time" if n_steps < lengths.max() <= x.shape[2] else ""
        raise ValueError(f"{error}{hint}") from None
    padding = np.arange(n_steps) >= lengths[:, None]
    if len(bad := np.argwhere(padding & x.any(axis=2))):
        raise ValueError(f"x_{part}: expected zeros after the end of each sequence, got others in sample {bad[0, 0]} at step {bad[0, 1]}")


def split_validation(y, n_val, rng):
    """Split a training set into a smaller one and a validation set, with the same share of every class in both.

    Parameters
    ----------
    y : numpy.ndarray
        Integer labels (N,).
    n_val : int
        Size of the validation set, 0 < n_val < N. Where n_val times the share of a class is not whole, the classes
        with the largest remainders get one more (the smaller label first). Every class keeps one to train on if n_val allows.
    rng : numpy.random.Generator
        Chooses the samples.

    Returns
    -------
    train_idx, val_idx : numpy.ndarray
        int64, sorted; together every index once.

    Raises
    ------
    TypeError
        If y is not an integer array or rng not a Generator.
    ValueError
        If y is not one-dimensional or n_val is out of range.
    """
    if not isinstance(y, np.ndarray) or not np.issubdtype(y.dtype, np.integer):
        raise TypeError(f"y: expected an array of integer labels, got {getattr(y, 'dtype', type(y).__name__)}")
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng: expected numpy.random.default_rng(seed), got {type(rng).__name__}")
    if y.ndim != 1 or not 0 < n_val < len(y):
        raise ValueError(f"expected labels (N,) and 0 < n_val < N, got shape {y.shape} and n_val = {n_val}")
    labels, counts = np.unique(y, return_counts=True)
    quota, remainder = np.divmod(n_val * counts, len(y))
    while short := n_val - quota.sum():                               # once, unless a class would be left without training samples
        room = quota < counts - (n_val <= len(y) - len(labels))
        quota[np.argsort(-np.where(room, remainder, -1), kind="stable")[:min(short, room.sum())]] += 1
    chosen = [rng.permutation(np.flatnonzero(y == label))[:q] for label, q in zip(labels, quota, strict=True)]
    val_idx = np.sort(np.concatenate(chosen))
    return np.setdiff1d(np.arange(len(y)), val_idx), val_idx


def held_out(data, n_val=None, seed=0):
    """Set validation samples apart from a data set's training samples.

    Parameters
    ----------
    data : Dataset
        The data; its test set stays where it is.
    n_val : int, optional
        How many training samples to hold out, 0 for none; by default a twelfth, none of XOR's four, and for Yin-Yang the published
        validation set, which costs no training samples.
    seed : int
        For the choice.

    Returns
    -------
    train, validation : tuple
        (x, y) each; where samples differ in length x is a `pysnn.conventions.Sequences`; validation is None if there is none.

    Raises
    ------
    ValueError
        If n_val leaves nothing to train on, of all samples or of a class.
    """
    n = len(data.x_train)
    if n_val is None and data.name == "yin-yang":
        return (data.x_train, data.y_train), yin_yang_validation()
    if n_val is None:
        n_val = 0 if data.name == "xor" else n // 12
    if not 0 <= n_val < n:
        raise ValueError(f"validation: expected 0 to {n - 1} of the training samples, got {n_val}")
    if n_val == 0:
        return _chosen(data, slice(None)), None
    t, v = split_validation(data.y_train, n_val, np.random.default_rng(seed))
    if lost := sorted(set(data.y_train.tolist()) - set(data.y_train[t].tolist())):
        raise ValueError(f"validation: expected a training sample left for each class, got none for {data.classes[lost[0]]}; hold out "
                         f"fewer than {n_val}")
    return _chosen(data, t), _chosen(data, v)


def _chosen(data, some):
    """Choose training samples and labels."""
    x = data.x_train if data.lengths_train is None else Sequences(data.x_train, data.lengths_train)
    return x[some], data.y_train[some]


def _read_full(name, folder):
    """Read a fetched set: x_train, y_train, x_test, y_test, and the lengths if they differ."""
    place = cache_folder() / name if folder is None else pathlib.Path(folder).expanduser()
    form = format_of(name)
    try:
        return form.joined([form.parse(verified(name, file, place), file) for file in FILES[name]])
    except (DataError, OSError, ValueError) as error:
        hint = "To get or repair it, run" if folder is None else "To use a checked copy in the cache instead, run"
        raise DataError(f"{name} cannot be loaded: {error}.\n{hint}: pysnn data fetch {name}") from error


def _xor(name, folder):
    return Dataset(name, "points", *xor(), *xor(), CLASSES[name])


def _yin_yang(name, folder):
    return Dataset(name, "points", *yin_yang(*YIN_YANG_SETS["train"]), *yin_yang(*YIN_YANG_SETS["test"]), CLASSES[name])


def _sample(name, folder):
    return Dataset(name, "image", *_read_sample(), CLASSES[name])


def _full(name, folder):
    x_train, y_train, x_test, y_test, *lengths = _read_full(name, folder)
    return Dataset(name, format_of(name).kind, x_train, y_train, x_test, y_test, CLASSES[name], *lengths)


def _sequences(generated, n_train, n_test, seed):
    """Return the reader of a generated set whose first samples are for training."""
    def read(name, folder):
        x, y = generated(n_train + n_test, seed)
        n = len(x) * n_train // (n_train + n_test)
        return Dataset(name, "sequence", x[:n], y[:n], x[n:], y[n:], CLASSES[name])
    return read


def _read_sample():
    """Read the shipped sample: x_train, y_train, x_test, y_test."""
    try:
        with open(SAMPLE, "rb") as stored, np.load(stored, allow_pickle=False) as file:
            return tuple(file[key] for key in ("x_train", "y_train", "x_test", "y_test"))
    except Exception as error:
        raise DataError(f"{SAMPLE}, part of the package, cannot be read ({error!s:.200}); reinstall pysnn") from error


READERS = {"xor": _xor, "yin-yang": _yin_yang, "mnist1d": _sequences(mnist1d, *MNIST1D_SETS),
           "randman": _sequences(randman, *RANDMAN_SETS), "sound": _sequences(sound, *SOUND_SETS),
           "fashion-sample": _sample, **dict.fromkeys(FETCHABLE, _full)}
"""All data sets by name: functions (name, folder) that return a Dataset."""
NAMES = tuple(READERS)
"""Every name that `load` takes."""
