"""From checked samples and labels to a Dataset: classes, split into training, validation and test part, scale of the training part."""

from typing import NamedTuple

import numpy as np

from .. import _checks
from ..conventions import Sequences
from ._rows import Rows, Scale, chosen
from .catalogue import Dataset
from .split import split_validation


class Plan(NamedTuple):
    """How to make a data set of samples: a share or number of samples for test and validation, or (x, y) of them; seed; name.

    `regression` is None where the numbers tell; `targets` are the names of the targets.
    """

    test: object
    val: object
    seed: int
    name: str
    regression: object = None
    targets: tuple = ()


def assembled(kind, pair, plan, fit):
    """Make a Dataset of samples and labels.

    `pair`, and `plan.test` and `plan.val` where they are pairs, are checked samples (an array, Rows or Sequences) with labels as they
    came; fit(samples) returns a Scale, or None for samples that stay as they are.
    """
    x, regression = pair[0], is_regression(pair[1], plan.regression)
    y = target_values(pair[1], "y", len(x)) if regression else label_values(pair[1], "y", len(x))
    codes, known = (y, None) if regression else coded(y)
    parts, rest = {"train": (x, codes)}, np.arange(len(x))
    rng = np.random.default_rng(_checks.whole(plan.seed, "seed", 0))
    for part, wanted in (("test", plan.test), ("val", plan.val)):
        if isinstance(wanted, tuple):
            parts[part] = wanted[0], _like(wanted, codes, known, f"y of {part}")
            continue
        n, some = _number(wanted, part, len(rest)), rest[:0]
        if n:
            keep, found = split_validation(np.zeros(len(rest), np.int64) if regression else codes[rest], n, rng)
            rest, some = rest[keep], rest[found]
        parts[part] = chosen(x, some), codes[some]
    parts["train"] = chosen(x, rest), codes[rest]
    scale = fit(parts["train"][0])
    scaled = {part: (_scaled(values, scale), labels) for part, (values, labels) in parts.items()}
    if regression:
        return _standardised(_as_dataset(plan.name, kind, scaled, plan.targets or _names(codes.shape[1])))._replace(scale=scale)
    if len(lost := np.flatnonzero(np.bincount(codes[rest], minlength=len(known)) == 0)):
        raise ValueError(f"y: expected a training sample of each class, got none of {known[lost[0]]} besides those for test and validation"
                         + NUMBERS * (known.dtype.kind in "iu"))
    names = tuple(str(label) for label in known.tolist())
    return _as_dataset(plan.name, kind, scaled, names)._replace(scale=scale)


NUMBERS = "; if they are numbers to be predicted: regression=True"


def is_regression(y, asked):
    """Tell whether y are targets: as it is asked for; else floats of which one is finite and no whole number."""
    if asked is not None:
        return bool(asked)
    y = np.asarray(y)
    return y.dtype.kind == "f" and bool((np.mod(y, 1, where=np.isfinite(y), out=np.zeros_like(y)) != 0).any())


def target_values(y, name, n):
    """Return targets as (n, k) float64; say in which row and column there is none."""
    try:
        values = np.asarray(y).astype(np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: expected numbers as targets, got {_checks.describe(np.asarray(y))}") from None
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or len(values) != n or not values.shape[1]:
        raise ValueError(f"{name}: expected targets ({n}, k), one row a sample, got {_checks.describe(np.asarray(y))}")
    bad = ~np.isfinite(values)
    if bad.any():
        raise ValueError(f"{name}: expected finite targets, got {values[bad][0]} {_checks.place(bad)}")
    return values


def _names(k):
    """Name k targets that have no names."""
    return ("y",) if k == 1 else tuple(f"y{j}" for j in range(1, k + 1))


def _like(wanted, codes, known, name):
    """Return labels or targets of another part as those of the training part are."""
    x, y = wanted
    if known is not None:
        return _codes_of(label_values(y, name, len(x)), known, name)
    y = target_values(y, name, len(x))
    if y.shape[1] != codes.shape[1]:
        raise ValueError(f"{name}: expected {codes.shape[1]} targets, as in training, got {y.shape[1]}")
    return y


def _standardised(data):
    """Bring the targets to mean 0 and standard deviation 1, as found in the training part."""
    mean, std = data.y_train.mean(axis=0), data.y_train.std(axis=0)
    if (flat := np.flatnonzero(std == 0)).size:
        raise ValueError(f"y: expected targets that differ, got {mean[flat[0]]:g} alone")
    scale = Scale(mean, std, -np.inf, np.inf)
    return data._replace(y_train=scale(data.y_train), y_test=scale(data.y_test), target_scale=scale,
                         y_val=None if data.y_val is None else scale(data.y_val))


def _as_dataset(name, kind, parts, classes):
    """Put the parts into a Dataset; sequences are padded to one length."""
    if kind != "sequence":
        found = [[x, y, None] for x, y in parts.values()]
    else:
        n_steps = max(x.shape[1] for x, _ in parts.values())
        found = [[*_padded(x, n_steps), y] for x, y in parts.values()]
        differ = any((lengths < n_steps).any() for _, lengths, _ in found)
        found = [[x, y, lengths if differ else None] for x, lengths, y in found]
    (x, y, lengths), (x_test, y_test, lengths_test), (x_val, y_val, lengths_val) = found
    if not len(y_val):
        x_val = y_val = lengths_val = None
    return Dataset(name, kind, x, y, x_test, y_test, classes, lengths, lengths_test, x_val, y_val, lengths_val)


def _padded(x, n_steps):
    """Return sequences with zeros behind their ends, and their lengths."""
    x = x if isinstance(x, Sequences) else Sequences(x, np.full(len(x), x.shape[1]))
    values = np.pad(x.x, ((0, 0), (0, n_steps - x.shape[1]), (0, 0)))
    return np.where((np.arange(n_steps) < x.lengths[:, None])[:, :, None], values, values.dtype.type(0)), x.lengths.astype(np.int64)


def _scaled(x, scale):
    """Scale samples; those on disk are scaled when they are read."""
    if scale is None:
        return x
    if isinstance(x, Rows):
        return Rows(x.x, x.rows, scale)
    return Sequences(scale(x.x), x.lengths) if isinstance(x, Sequences) else scale(x)


def _number(wanted, part, n):
    """Turn a share or a number of samples into a number of samples, which leaves some of n for training."""
    number = isinstance(wanted, (int, float, np.integer, np.floating)) and not isinstance(wanted, bool)
    whole = number and isinstance(wanted, (int, np.integer))
    if not number or not 0 <= wanted < (n if whole else 1):
        raise ValueError(f"{part}: expected a share from 0 to below 1, a number of samples from 0 to {n - 1}, or samples and labels, got "
                         f"{_checks.describe(wanted)}")
    return int(wanted) if whole else min(round(wanted * n), n - 1)


def label_values(y, name, n):
    """Return labels as an array (n,) of whole numbers, truth values or words; say in which row there is none."""
    values = np.asarray(y)
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    if values.shape != (n,):
        raise ValueError(f"{name}: expected {n} labels, one a sample, got {_checks.describe(values if values.ndim else y)}")
    if values.dtype.kind == "O":
        values = _of_one_kind(values, name)
    if values.dtype.kind == "f":
        if not np.isfinite(values).all():
            raise ValueError(f"{name}: expected a label in row {np.argmin(np.isfinite(values))}, got {values[~np.isfinite(values)][0]}")
        if (values % 1 != 0).any():
            raise ValueError(f"{name}: expected class labels, words or whole numbers, got {values[values % 1 != 0][0]:g} in row "
                             f"{np.argmax(values % 1 != 0)}")
        values = values.astype(np.int64)
    if values.dtype.kind == "U" and (values == "").any():
        raise ValueError(f"{name}: expected a label in row {np.argmax(values == '')}, got none")
    if values.dtype.kind not in "biuU":
        raise ValueError(f"{name}: expected class labels, words or whole numbers, got {_checks.describe(values)}")
    return values


def _of_one_kind(values, name):
    """Turn objects, all words or all numbers, into an array of words or numbers."""
    kinds = {}
    for k, v in enumerate(values.tolist()):
        kind = "words" if isinstance(v, str) else "numbers" if isinstance(v, (bool, int, float, np.number, np.bool_)) and v == v else None
        if kind is None:
            raise ValueError(f"{name}: expected a label in row {k}, got {v!r:.40}")
        kinds.setdefault(kind, (k, v))
    if len(kinds) > 1:
        (k, v), (m, w) = kinds.values()
        raise ValueError(f"{name}: expected labels of one kind, got {v!r:.40} in row {k} and {w!r:.40} in row {m}")
    return np.array(values.tolist())


def coded(values):
    """Return labels as 0, 1, ..., and the sorted classes that they stand for."""
    known, codes = np.unique(values, return_inverse=True)
    if len(known) < 2:
        raise ValueError(f"y: expected 2 classes or more, got {known.tolist()[0]!r} alone")
    if len(known) == len(values) > 2:
        raise ValueError(f"y: expected several samples of a class, got {len(known)} labels that are all different"
                         + NUMBERS * (known.dtype.kind in "iu"))
    if wild := [word for word in known.tolist() if not str(word).isprintable()]:
        raise ValueError(f"y: expected labels that can be printed, got {wild[0]!r:.40}")
    return codes.astype(np.int64), known


def _codes_of(values, known, name):
    """Return labels of another part as those of the training part are."""
    alike = (values.dtype.kind == "U") == (known.dtype.kind == "U")
    places = np.minimum(np.searchsorted(known, values), len(known) - 1) if alike else np.zeros(len(values), np.int64)
    if (bad := known[places] != values).any():
        raise ValueError(f"{name}: expected labels of the training part, {', '.join(map(str, known.tolist()))!s:.60}, got "
                         f"{values[bad].tolist()[0]!r:.40} in row {bad.argmax()}")
    return places.astype(np.int64)
