"""Data of your own by one call: arrays, frames, CSV and NPZ files, folders of images, series and events. Each returns a Dataset.

All is checked once, here. Labels may be words, truth values or whole numbers with gaps. Test and validation part are drawn at random with
the same share of each class, or given. Scales are those of the training part.

Labels that are floats, one of them at least no whole number, are targets of regression; `regression=True` makes targets of whole numbers,
`regression=False` refuses what are no labels. Targets are brought to mean 0 and standard deviation 1 by the training part
(`Dataset.unscaled` takes them back), and parts are drawn without regard to them.
"""

import csv
import pathlib
from functools import partial

import numpy as np

from .. import _checks
from ._parts import Plan, assembled
from ._rows import Rows, Scale, check_finite, ranges
from ._sequences import FURTHEST, check_sequences, moments
from .events import Events, to_spikes
from .images import read_folder

TEST, VAL = 0.2, 1 / 12      # shares of all samples, and of those that are left


def from_arrays(x, y, test=TEST, val=VAL, seed=0, name="arrays", regression=None):
    """Make a data set of samples and labels.

    Parameters
    ----------
    x : (N, n), (N, H, W) or (N, H, W, C) array, or frame
        Points or images. Bytes (uint8) count as 0 to 255 and stay as they are. Of other points each column is scaled to [0, 1] by its range
        in the training part, of other images all pixels together if one lies outside [0, 1]; what is beyond the range is cut off. A
        memory-mapped array stays on disk, and samples are read batch by batch.
    y : (N,) array or list
        Labels: words, truth values, or whole numbers, also with gaps. For regression targets, (N,) or (N, k).
    test, val : float, int or (x, y)
        The test samples, and the validation samples: a share of the samples that are left, or their number, drawn with the same share of
        each class; or samples and labels. Every label in them must occur in training; not every class must occur in them.
    seed : int
        For the draw.
    name : str
        What figures and messages call the data.
    regression : bool, optional
        Whether y are numbers to be predicted; default: if they are floats, and one is no whole number, see above.

    Returns
    -------
    Dataset
        Of the kind "points" or "image".

    Raises
    ------
    TypeError, ValueError
        If samples or labels cannot be used; the message names row and column.
    """
    return _of_arrays(x, y, Plan(test, val, seed, name, regression))


def _of_arrays(x, y, plan):
    """Make a data set of samples and labels, as the plan says."""
    plan = plan._replace(test=_pair(plan.test, "test", _samples), val=_pair(plan.val, "val", _samples))
    x, y = _pair((x, y), "", _samples)
    for part, wanted in (("test", plan.test), ("val", plan.val)):
        if isinstance(wanted, tuple) and (wanted[0].shape[1:] != x.shape[1:] or (wanted[0].dtype == np.uint8) != (x.dtype == np.uint8)):
            raise ValueError(f"x of {part}: expected samples like those of training, {x.shape[1:]} {x.dtype}, got {wanted[0].shape[1:]} "
                             f"{wanted[0].dtype}")
    return assembled("points" if x.ndim == 2 else "image", (x, y), plan, _scale_of)


def from_frame(frame, target, test=TEST, val=VAL, seed=0, name="frame", regression=None):
    """Make a data set of a frame of pandas or polars, or whatever has `columns` and gives a column by its name.

    Parameters
    ----------
    frame : frame
        A row for each sample; all columns but one hold numbers.
    target : str or list of str
        The column of the labels; of regression the column of the targets, or several.
    test, val : float, int or frame
        As in `from_arrays`, or a frame with the same columns.
    seed : int
        For the draw.
    name : str
        What figures and messages call the data.
    regression : bool, optional
        Whether y are numbers to be predicted; default: if they are floats, and one is no whole number, see above.

    Returns
    -------
    Dataset
        Of the kind "points", columns in the order of the frame.

    Raises
    ------
    TypeError, ValueError
        If a column is missing or holds no numbers, or there are no labels; the message names row and column.
    """
    targets = [target] if np.ndim(target) == 0 else list(target)
    columns = [column for column in _columns(frame, targets, "frame") if column not in targets]
    pair = partial(_of_frame, targets=targets, columns=columns)
    plan = [pair(part, name=which) if hasattr(part, "columns") else part for part, which in ((test, "test"), (val, "val"))]
    regression = True if regression is None and len(targets) > 1 else regression
    return _of_arrays(*pair(frame, name="frame"), Plan(*plan, seed, name, regression, tuple(map(str, targets))))


def from_csv(path, target, test=TEST, val=VAL, seed=0, regression=None):
    """Make a data set of a CSV file with a header.

    Parameters
    ----------
    path : str or pathlib.Path
        The file: text in UTF-8, columns separated by commas, semicolons or tabs, the first line their names. All but one hold numbers.
    target : str or list of str
        The column of the labels; of regression the column of the targets, or several.
    test, val : float, int or str or pathlib.Path
        As in `from_arrays`, or another file with the same columns.
    seed : int
        For the draw.
    regression : bool, optional
        Whether y are numbers to be predicted; default: if they are floats, and one is no whole number, see above.

    Returns
    -------
    Dataset
        Of the kind "points", called by the name of the file.

    Raises
    ------
    ValueError
        If the file is no such table; the message names line and column.
    """
    targets = [target] if np.ndim(target) == 0 else list(target)
    x, y, columns = _read_csv(path, targets, regression)
    regression = y.dtype.kind == "f" if regression is None else regression
    parts = [_read_csv(part, targets, regression, columns)[:2] if isinstance(part, (str, pathlib.Path)) else part for part in (test, val)]
    return _named(path, _of_arrays, x, y, Plan(*parts, seed, pathlib.Path(path).name, regression, tuple(map(str, targets))))


def from_npz(path, test=TEST, val=VAL, seed=0, regression=None):
    """Make a data set of a file of NumPy arrays.

    Parameters
    ----------
    path : str or pathlib.Path
        The file, as numpy.savez writes it, with arrays x and y (or x_train and y_train), and if there are any x_test and y_test, x_val and
        y_val.
    test, val : float, int or str or pathlib.Path
        As in `from_arrays`, or another file with x and y. The arrays of the file go before a share.
    seed : int
        For the draw.
    regression : bool, optional
        Whether y are numbers to be predicted; default: if they are floats, and one is no whole number, see above.

    Returns
    -------
    Dataset
        As `from_arrays` makes it of the arrays, called by the name of the file.

    Raises
    ------
    ValueError
        If the file is damaged, holds other arrays, or arrays that cannot be used.
    """
    arrays = _read_npz(path)
    parts = []
    for part, wanted in (("test", test), ("val", val)):
        if isinstance(wanted, (str, pathlib.Path)):
            other = _read_npz(wanted)
            wanted = other["x"], other["y"]
        elif f"x_{part}" in arrays:
            wanted = arrays[f"x_{part}"], arrays[f"y_{part}"]
        parts.append(wanted)
    return _named(path, _of_arrays, arrays["x"], arrays["y"], Plan(*parts, seed, pathlib.Path(path).name, regression))


def from_folder(path, size=None, channels=None, test=TEST, val=VAL, seed=0):
    """Make a data set of a folder of images: a folder in it for each class. Needs Pillow.

    Parameters
    ----------
    path : str or pathlib.Path
        The folder of the folders. Or one with such a folder called train, and if there are any others called test and val.
    size : (int, int), optional
        Height and width to which all images are brought; default: all images must have one size.
    channels : {1, 3}, optional
        1 for grey, 3 for colour; default: 3 if there is colour in the first image of a class.
    test, val : float, int or str or pathlib.Path
        As in `from_arrays`, or another folder of folders by class.
    seed : int
        For the draw.

    Returns
    -------
    Dataset
        Of the kind "image", uint8 (N, H, W) or (N, H, W, 3), called by the name of the folder. Classes are the names of the folders.

    Raises
    ------
    ImportError
        If Pillow is not installed.
    ValueError
        If a folder holds no images, an image cannot be read, or sizes differ; the message names the file.
    """
    path = pathlib.Path(path)
    inside = {part: path / part for part in ("train", "test", "val") if (path / part).is_dir()}
    inside = inside if "train" in inside and any(child.is_dir() for child in inside["train"].iterdir()) else {"train": path}
    x, y = read_folder(inside["train"], size, channels)
    parts, like = [], (x.shape[1:3], 1 if x.ndim == 3 else 3, size is not None)
    for part, wanted in (("test", test), ("val", val)):
        folder = wanted if isinstance(wanted, (str, pathlib.Path)) else inside.get(part)
        parts.append(wanted if folder is None else read_folder(pathlib.Path(folder), *like))
    return _named(path, from_arrays, x, y, *parts, seed, path.resolve().name)


def from_times(x, y, test=TEST, val=VAL, seed=0, name="times"):
    """Make a data set of spike times, which stay as they are, for temporal coding with code="times".

    Parameters
    ----------
    x : (N, n) array of floats
        Spike times in tau, one for each input; inf: no spike.
    y : (N,) array or list
        Labels, as in `from_arrays`.
    test, val : float, int or (x, y)
        As in `from_arrays`.
    seed : int
        For the draw.
    name : str
        What figures and messages call the data.

    Returns
    -------
    Dataset
        Of the kind "points".

    Raises
    ------
    TypeError, ValueError
        If times or labels cannot be used; the message names row and column.
    """
    plan = Plan(_pair(test, "test", _checks.times), _pair(val, "val", _checks.times), seed, name)
    return assembled("points", _pair((x, y), "", _checks.times), plan, lambda x: None)


def from_series(x, y, test=TEST, val=VAL, seed=0, name="series", regression=None):
    """Make a data set of sequences: series of numbers, or spike trains.

    Parameters
    ----------
    x : (N, T, n) array, list of (T, n) arrays, or pysnn.conventions.Sequences
        Time is the axis before the last; (N, T) and (T,) are of one channel. Of a list, samples may differ in length. If all numbers of
        the training part are 0 and 1 they are spikes, and stay; else each channel is brought to mean 0 and standard deviation 1, and what
        is beyond 10 standard deviations is cut off.
    y : (N,) array or list
        Labels, as in `from_arrays`.
    test, val : float, int or (x, y)
        As in `from_arrays`.
    seed : int
        For the draw.
    name : str
        What figures and messages call the data.
    regression : bool, optional
        Whether y are numbers to be predicted; default: if they are floats, and one is no whole number, see above.

    Returns
    -------
    Dataset
        Of the kind "sequence", with lengths where samples differ.

    Raises
    ------
    TypeError, ValueError
        If sequences or labels cannot be used; the message names the sample.
    """
    plan = Plan(_pair(test, "test", check_sequences), _pair(val, "val", check_sequences), seed, name, regression)
    x, y = _pair((x, y), "", check_sequences)
    for part, wanted in (("test", plan.test), ("val", plan.val)):
        if isinstance(wanted, tuple) and wanted[0].shape[2] != x.shape[2]:
            raise ValueError(f"x of {part}: expected {x.shape[2]} channels, as in training, got {wanted[0].shape[2]}")
    return assembled("sequence", (x, y), plan, _channels)


def from_events(samples, y, steps, test=TEST, val=VAL, seed=0, name="events"):
    """Make a data set of events, which become spike trains of T steps.

    Parameters
    ----------
    samples : list of Events or of (times, places)
        The events of each sample, in the order of time.
    y : (N,) array or list
        Labels, as in `from_arrays`.
    steps : int, or (int, int, float)
        Time steps T; or T, the number of places, and the time of T steps. By default there are as many places as the largest says, and the
        last event of all falls into the last step.
    test, val : float, int or (samples, y)
        As in `from_arrays`.
    seed : int
        For the draw.
    name : str
        What figures and messages call the data.

    Returns
    -------
    Dataset
        Of the kind "sequence", uint8 (N, T, n), 1 a spike.

    Raises
    ------
    TypeError, ValueError
        If events or labels cannot be used; the message names the sample.
    """
    lists = {"": samples} | {f" of {part}": wanted[0] for part, wanted in (("test", test), ("val", val)) if isinstance(wanted, tuple)}
    lists = {part: [Events(*map(np.asarray, one)) if isinstance(one, tuple) and len(one) == 2 else one for one in some]
             for part, some in lists.items()}
    if not isinstance(steps, tuple):
        full = [one for some in lists.values() for one in some if isinstance(one, Events) and len(one.times)]
        last = max((np.max(one.times) for one in full), default=1.0)
        steps = steps, int(max((np.max(one.places) for one in full), default=0)) + 1, float(np.nextafter(last, np.inf))
    spikes = {part: to_spikes(some, *steps) for part, some in lists.items()}
    parts = [(spikes[f" of {part}"], wanted[1]) if isinstance(wanted, tuple) else wanted for part, wanted in (("test", test), ("val", val))]
    pairs = [_pair(wanted, part, lambda x, name: x) for part, wanted in zip(("test", "val"), parts, strict=True)]
    return assembled("sequence", _pair((spikes[""], y), "", lambda x, name: x), Plan(*pairs, seed, name), lambda x: None)


def _pair(wanted, part, check):
    """Check samples and labels; a share or a number is left to others."""
    if not isinstance(wanted, (tuple, list)):
        return wanted
    of = f" of {part}" * bool(part)
    if len(wanted) != 2:
        raise ValueError(f"{part}: expected samples and labels, got {len(wanted)} things")
    x = check(wanted[0], name=f"x{of}")
    if wanted[1] is None or np.ndim(wanted[1]) < 1:
        raise ValueError(f"y{of}: expected {len(x)} labels, one a sample, got {_checks.describe(wanted[1])}")
    if len(x) != len(wanted[1]):
        raise ValueError(f"x, y{of}: expected as many labels as samples, got {len(x)} samples and {len(wanted[1])} labels")
    return x, wanted[1]


def _samples(x, name):
    """Pass points or images through, finite; numbers other than bytes as floats. Memory-mapped ones stay where they are."""
    if isinstance(x, np.memmap):
        x = Rows(x, np.arange(len(x)))
    else:
        columns, x = getattr(x, "columns", ()), _checks.table(x, name)
        x = x if x.dtype in (*_checks.FLOATS, np.uint8) else x.astype(np.float64)
        check_finite(x, name, columns)
    if x.ndim not in (2, 3, 4) or not all(x.shape) or x.dtype.kind not in "fiub":
        raise ValueError(f"{name}: expected samples as rows, (N, n), or images, (N, H, W) or (N, H, W, C), and some, got "
                         f"{_checks.describe(x) if isinstance(x, np.ndarray) else x.shape}")
    if x.ndim == 4 and x.shape[1] in (1, 3) and x.shape[3] > 4:
        raise ValueError(f"{name}: expected images (N, H, W, C), channels last, got shape {x.shape}")
    if isinstance(x, Rows):
        check_finite(x, name)
    return x


def _scale_of(x):
    """Find the scale of the training part."""
    if x.dtype == np.uint8:
        return None
    low, span = ranges(x, "x", 0 if x.ndim == 2 else None)
    if x.ndim > 2 and low >= 0 and low + span <= 1:
        low, span = np.zeros_like(low), np.ones_like(span)
    kind = x.dtype if x.dtype in _checks.FLOATS else np.dtype(np.float64)
    return Scale(np.asarray(low, kind), np.asarray(span, kind))


def _channels(x):
    """Find the scale of the channels of sequences."""
    mean, std = moments(x, "x")
    return None if not mean.any() and (std == 1).all() else Scale(mean, std, -FURTHEST, FURTHEST)


def _columns(frame, targets, name):
    """List the columns of a frame; refuse one that is none, or has no such target."""
    if not hasattr(frame, "columns") or not hasattr(frame, "to_numpy"):
        raise TypeError(f"{name}: expected a frame with columns and to_numpy, as of pandas or polars, got {_checks.describe(frame)}")
    columns = list(frame.columns)
    if any(columns.count(target) != 1 for target in targets) or len(columns) <= len(targets) or len(set(targets)) < max(1, len(targets)):
        got = repr(targets[0]) if len(targets) == 1 else targets
        raise ValueError(f"target: expected one column of {', '.join(map(str, columns))!s:.80}, and another one besides, got {got}")
    if not len(frame):
        raise ValueError(f"{name}: expected rows, got none")
    return columns


def _of_frame(frame, name, targets, columns):
    """Read a frame as samples and labels, of several targets as columns."""
    there = _columns(frame, targets, name)
    if missing := [column for column in columns if column not in there]:
        raise ValueError(f"{name}: expected a column {missing[0]}, got {', '.join(map(str, there))!s:.80}")
    _checks.no_dates(frame, name)
    x = [_numbers(np.asarray(frame[column]), column, lambda k: f"{name}, row {k}") for column in columns]
    y = [np.asarray(frame[target]) for target in targets]
    return np.column_stack(x), y[0] if len(y) == 1 else np.column_stack(y)


def _numbers(values, column, where):
    """Turn a column into numbers; say where there is none: where(k) names row k."""
    try:
        numbers = values.astype(np.float64)
    except (TypeError, ValueError):
        numbers = np.full(len(values), np.nan)
    if not np.isfinite(numbers).all():
        k, value = next((k, value) for k, value in enumerate(values.tolist()) if not _is_number(value))
        got = "none" if isinstance(value, str) and not value else f"{value!r:.40}"
        raise ValueError(f"{where(k)}, column {column}: expected a finite number, got {got}")
    return numbers


def _is_number(value):
    try:
        return np.isfinite(float(value))
    except (TypeError, ValueError):
        return False


def _read_csv(path, targets, regression, columns=None):
    """Read a CSV file: samples (N, n), labels or targets, and the columns of the samples; `columns` are those that there must be."""
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected text in UTF-8, got other bytes ({error.reason} at {error.start})") from None
    first = text.lstrip().partition("\n")[0]
    reader = csv.reader(text.splitlines(), delimiter=max(",;\t", key=first.count))
    try:
        rows = [(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: expected a line of a CSV file, got {error}") from None
    if len(rows) < 2:
        raise ValueError(f"{path}: expected a line of names and then samples, got {len(rows)} lines")
    head = [name.strip() for name in rows.pop(0)[1]]
    if not set(targets) < set(head) or len(set(head)) < len(head) or len(set(targets)) < max(1, len(targets)):
        said = repr(targets[0]) if len(targets) == 1 else targets
        raise ValueError(f"{path}: expected a first line of names, each once, with the target {said} and others, got "
                         f"{', '.join(head)!s:.80}")
    if short := [(line, row) for line, row in rows if len(row) != len(head)]:
        raise ValueError(f"{path}, line {short[0][0]}: expected {len(head)} columns, got {len(short[0][1])}")
    table = {name: [row[k].strip() for _, row in rows] for k, name in enumerate(head)}
    wanted = {name: table.pop(name) for name in targets}
    if missing := [name for name in columns or () if name not in table]:
        raise ValueError(f"{path}: expected a column {missing[0]}, got {', '.join(head)!s:.80}")
    for name, words in wanted.items():
        if "" in words:
            raise ValueError(f"{path}, line {rows[words.index('')][0]}: expected a label in column {name}, got none")
    numbers = partial(_numbers, where=lambda k: f"{path}, line {rows[k][0]}")
    x = np.column_stack([numbers(np.array(table[name]), name) for name in columns or table])
    if regression or (regression is None and (len(wanted) > 1 or _are_numbers(wanted[targets[0]]))):
        return x, np.column_stack([numbers(np.array(words), name) for name, words in wanted.items()]), list(table)
    if len(wanted) > 1:
        raise ValueError(f"target: expected one column of labels, or regression, got {targets}")
    labels = wanted[targets[0]]
    whole = all(label.removeprefix("-").isdecimal() and str(int(label)) == label for label in labels)
    return x, np.array(labels, np.int64) if whole else np.array(labels), list(table)


def _are_numbers(words):
    """Tell whether words are finite numbers, and one at least is not whole."""
    return all(map(_is_number, words)) and any(float(word) % 1 for word in words)


def _read_npz(path):
    """Read x, y, and what there is for test and validation."""
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files if name.partition("_")[0] in ("x", "y")}
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror or error}") from None
    except Exception as error:      # zipfile, zlib, numpy: a damaged file can fail anywhere
        raise ValueError(f"{path}: expected a .npz file of arrays, got another or a damaged one ({error!s:.100})") from None
    arrays |= {name: arrays.pop(f"{name}_train") for name in ("x", "y") if f"{name}_train" in arrays}
    for part in ("", "_test", "_val"):
        if (f"x{part}" in arrays) != (f"y{part}" in arrays) or "x" not in arrays:
            raise ValueError(f"{path}: expected arrays x{part} and y{part}, got {', '.join(arrays) or 'none'}")
    return arrays


def _named(path, make, *args):
    """Call a maker; say in its errors which file it is about."""
    try:
        return make(*args)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{path}: {error}") from None
