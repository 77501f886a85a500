"""Checks of what the estimators are given: samples, labels, sizes and seeds."""

import numpy as np
from numpy.random import RandomState

from .. import _checks
from .._checks import describe, whole

FLOATS = np.dtype(np.float64), np.dtype(np.float32)         # either stays what it is; all else becomes the first


def check_samples(model, x, *y):
    """Pass samples through as a (N, n) float array, and labels, if given, as (N,); in `predict`, without labels, samples like those of fit.

    Where scikit-learn is installed its rules and messages hold, elsewhere those of `_check_without_sklearn`; both set `n_features_in_`
    and, for a data frame, `feature_names_in_`.
    """
    _checks.no_dates(x, "X")
    try:
        from sklearn.utils.multiclass import check_classification_targets
        from sklearn.utils.validation import validate_data
    except ImportError:                             # none, or one before 1.6
        return _check_without_sklearn(model, x, *y)
    try:
        x, *labels = validate_data(model, x, *y, dtype=FLOATS) if y else (validate_data(model, x, reset=False, dtype=FLOATS),)
    except ValueError as error:
        raise _with_place(error, x) from None
    if not y:
        return x
    check_classification_targets(*labels)
    return x, *labels


def _with_place(error, x):
    """Return scikit-learn's error with the row and column of the first number that is not finite, if that is what it is about."""
    if "NaN" not in str(error) and "infinity" not in str(error):
        return error
    try:
        bad = ~np.isfinite(np.asarray(x, np.float64))
    except (TypeError, ValueError):
        return error
    return type(error)(f"{error}\nThe first is {_checks.place(bad, getattr(x, 'columns', ()))}.") if bad.ndim == 2 and bad.any() else error


def _check_without_sklearn(model, x, *y):
    columns = list(getattr(x, "columns", ()))
    names = np.array(columns, dtype=object) if columns and all(isinstance(c, str) for c in columns) else None
    x = _numbers(x)
    if y:
        model.n_features_in_ = x.shape[1]
        if names is not None:
            model.feature_names_in_ = names
        return x, _labels(y[0], len(x))
    wanted = getattr(model, "feature_names_in_", None)
    if names is not None and wanted is not None and list(names) != list(wanted):
        raise ValueError(f"X: expected the features {', '.join(wanted)}, got {', '.join(names)}")
    if x.shape[1] != model.n_features_in_:
        raise ValueError(f"X: expected {model.n_features_in_} features, got {x.shape[1]}")
    return x


def _numbers(x):
    """Pass finite numbers through, (N, n) with both at least 1."""
    a = _checks.table(x, "X")
    a = a if a.dtype in FLOATS else a.astype(FLOATS[0])
    if a.ndim != 2 or a.size == 0:
        raise ValueError(f"X: expected samples as rows, (N, n), got {describe(a)}")
    _checks.finite(a, "X", getattr(x, "columns", ()))
    return a


def _labels(y, n):
    """Pass n class labels through; floats only where they are whole."""
    labels = np.asarray(y)
    labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if labels.shape != (n,):
        raise ValueError(f"y: expected {n} class labels, one a sample, got {describe(labels if labels.ndim else y)}")
    if labels.dtype.kind not in "biufUSO" or any(isinstance(v, float) and not v.is_integer() for v in labels.tolist()):
        raise ValueError(f"y: expected class labels, whole numbers or strings, got {describe(labels)}")
    return labels


def sorted_classes(y):
    """Return the sorted classes, two at least, and each sample's place among them."""
    try:
        classes, labels = np.unique(y, return_inverse=True)
    except TypeError as error:
        raise ValueError(f"y: expected labels that can be sorted, got {describe(y)}: {error}") from error
    if len(classes) < 2:
        raise ValueError(f"y: expected 2 classes or more, got 1 class, {classes.tolist()[0]!r}")
    return classes, labels


def ranges(x):
    """Return the smallest value of each feature, and the extent of its values; 1 where they are all equal."""
    low = x.min(axis=0)
    with np.errstate(over="ignore"):
        span = x.max(axis=0) - low
    if not np.isfinite(span).all():
        raise ValueError(f"X: expected features whose range is a {x.dtype} number, got {low.min()} to {x.max()}")
    return low, np.where(span > 0, span, span.dtype.type(1))


def scaled(model, x):
    """Scale samples to [0, 1] by the ranges in the samples of `fit`."""
    with np.errstate(over="ignore"):                # far outside of the range, or hardly any range: clipped below
        return np.clip((x - model.low_) / model.span_, 0, 1)


def hidden_sizes(hidden):
    """Return the numbers of hidden neurons, layer by layer."""
    several = isinstance(hidden, (list, tuple, range)) or np.ndim(hidden) > 0
    return [whole(n, "hidden", 1) for n in (hidden if several else [hidden[()] if isinstance(hidden, np.ndarray) else hidden])]


def seed_of(random_state):
    """Turn scikit-learn's random_state into a seed; None draws from NumPy's global state, as everywhere there."""
    if random_state is None or isinstance(random_state, RandomState):
        return int((np.random if random_state is None else random_state).randint(2**31 - 1))
    return whole(random_state, "random_state", 0)


def of_sklearn(name, otherwise):
    """Return an exception of scikit-learn, or another where that is not installed."""
    try:
        from sklearn import exceptions
    except ImportError:
        return otherwise
    return getattr(exceptions, name)


def check_fitted(model):
    """Refuse a model that is not fitted, by scikit-learn's error where that is installed."""
    if not hasattr(model, "classes_"):
        raise of_sklearn("NotFittedError", ValueError)(f"{type(model).__name__}: expected fit to be called first")
