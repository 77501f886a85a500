"""Load a data set by name as arrays.

The sample `fashion-sample` (fashion_sample.npz beside this file) is taken from Fashion-MNIST, by Han Xiao, Kashif Rasul
and Roland Vollgraf, arXiv 1708.07747, copyright 2017 Zalando SE, MIT licence: see LICENSE-fashion-mnist. It is for
trying things out; figures to be compared with papers need the full set.
"""

import pathlib

import numpy as np

from .. import _checks, _files
from .cache import cache_folder
from .catalogue import CLASSES, FETCHABLE, FILES, DataError, Dataset, check_name
from .events import check_spikes
from .formats import format_of, verified
from .own import TEST, VAL, from_csv, from_folder, from_npz
from .points import YIN_YANG_SETS, xor, yin_yang, yin_yang_validation
from .series import joined_series, read_ts
from .signals import MNIST1D_SETS, mnist1d
from .spike_trains import RANDMAN_SETS, SOUND_SETS, randman, sound

SAMPLE = pathlib.Path(__file__).with_name("fashion_sample.npz")


def load(name, folder=None, target=None, test=None, val=None, regression=None):
    """Load a data set as arrays; this never downloads (`fetch` does).

    Parameters
    ----------
    name : str
        A key of `READERS`: xor, yin-yang, mnist1d, randman and sound are generated (xor: the four points are training and test set),
        fashion-sample is shipped (6,000 + 1,000 images), those of `FETCHABLE` are read. Or FILE.py:NAME, a Dataset in a file of your
        own, or a function that returns one. Or NAME_TRAIN.ts, time series of your own with the test samples beside it in NAME_TEST.ts. Or
        a CSV file, a NPZ file or a folder of images, as `from_csv`, `from_npz` and `from_folder` take them; see `is_own`.
    folder : str or pathlib.Path, optional
        Where to read those of `FETCHABLE` from, in any form that `fetch` accepts; default: the cache.
    target : str, optional
        The column of the labels, of a CSV file.
    test : str or pathlib.Path, optional
        File or folder of the test samples, of files that `is_own` names; default: a fifth of the samples.
    val : int, optional
        Number of validation samples of such files; default: a twelfth of the others.
    regression : bool, optional
        Of CSV and NPZ files: whether the labels are numbers to be predicted; default: see `from_arrays`.

    Returns
    -------
    Dataset
        See there for dtypes and shapes.

    Raises
    ------
    ValueError
        If the name is unknown, a folder is given for a set that is not read from one, or a file of your own cannot be read.
    DataError
        If files are absent or differ from the published ones (md5).
    """
    if is_own(name):
        return _own(name, target, test, VAL if val is None else val, regression)
    for option, value in (("target", target), ("test", test), ("regression", regression)):
        if value is not None:
            raise ValueError(f"{option}: expected none for {name}, which is no CSV file, NPZ file or folder, got {str(value)!r}")
    if ".py:" in str(name):
        made = _files.load(name)
        return _checked(name, made() if callable(made) and not isinstance(made, Dataset) else made)
    series = str(name).endswith(".ts")
    if not series:
        check_name(name, tuple(READERS))
    if folder is not None and name not in FETCHABLE:
        raise ValueError(f"folder: expected None for {name}, which is not read from a folder, got {str(folder)!r}")
    return _own_series(name) if series else READERS[name](name, folder)


def is_own(name):
    """Tell whether a name is that of a CSV or NPZ file or of a folder of images of the user's own.

    Parameters
    ----------
    name : str or pathlib.Path
        What the user asked for.

    Returns
    -------
    bool
        By its ending .csv or .npz, or a slash at its end; or if there is such a folder, and no data set of this name.
    """
    text = str(name)
    return text.endswith((".csv", ".npz", "/", "\\")) or (text not in READERS and pathlib.Path(text).is_dir())


def _own(name, target, test, val, regression):
    """Read data of the user's own; the validation part is drawn here."""
    path = pathlib.Path(name)
    if not path.exists():
        raise DataError(f"{name}: expected a {'folder of images' if path.suffix not in ('.csv', '.npz') else 'file'} of yours, got none")
    if path.suffix == ".csv" and path.is_file():
        if target is None:
            raise ValueError(f"target: expected the name of the column of the labels in {name}, got none")
        return from_csv(path, target, TEST if test is None else test, val, regression=regression)
    if target is not None:
        raise ValueError(f"target: expected none for {name}, which is no CSV file, got {target!r}")
    plan = {"test": TEST if test is None else test, "val": val}
    if path.is_file():
        return from_npz(path, **plan, regression=regression)
    if regression:
        raise ValueError(f"regression: expected none for {name}, a folder of images by class, got {regression}")
    return from_folder(path, **plan)


def _own_series(name):
    """Read NAME_TRAIN.ts and NAME_TEST.ts; either may be given, or NAME.ts."""
    path = pathlib.Path(name)
    stem = path.stem.removesuffix("_TRAIN").removesuffix("_TEST")
    files = [path.with_name(f"{stem}_{part}.ts") for part in ("TRAIN", "TEST")]
    if missing := [file for file in files if not file.is_file()]:
        raise DataError(f"{name}: expected training samples in {files[0]} and test samples in {files[1]}, got no {missing[0]}")
    parts = [read_ts(file) for file in files]
    try:
        joined = joined_series(parts)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    return Dataset(stem, "sequence", *joined[:4], parts[0].classes, *joined[4:])


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
            if data.regression and np.ndim(y) == 2:
                _checks.targets(y, f"y_{part}", len(x), len(data.classes))
            else:
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
    made = Dataset(name, "points", *yin_yang(*YIN_YANG_SETS["train"]), *yin_yang(*YIN_YANG_SETS["test"]), CLASSES[name])
    return made._replace(**dict(zip(("x_val", "y_val"), yin_yang_validation(), strict=True)))


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
