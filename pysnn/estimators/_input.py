"""Checks of what the estimators are given: samples, labels, sizes and seeds."""

import numpy as np
from numpy.random import RandomState

from .. import _checks
from .._checks import describe, whole
from ..datasets._rows import Scale

FLOATS = np.dtype(np.float64), np.dtype(np.float32)         # either stays what it is; all else becomes the first


def check_samples(model, x, *y, numbers=False):
    """Pass samples through as a (N, n) float array, and labels, if given, as (N,); in `predict`, without labels, samples like those of fit.

    With `numbers` y are targets, (N,) or (N, k).

    Where scikit-learn is installed its rules and messages hold, elsewhere those of `_check_without_sklearn`; both set `n_features_in_`
    and, for a data frame, `feature_names_in_`.
    """
    _checks.no_dates(x, "X")
    try:
        from sklearn.utils.multiclass import check_classification_targets
        from sklearn.utils.validation import validate_data
    except ImportError:                             # none, or one before 1.6
        return _check_without_sklearn(model, x, *y, numbers=numbers)
    try:
        of_y = {"multi_output": True, "y_numeric": True} if numbers else {}
        x, *labels = validate_data(model, x, *y, dtype=FLOATS, **of_y) if y else (validate_data(model, x, reset=False, dtype=FLOATS),)
    except ValueError as error:
        raise _with_place(error, x) from None
    if not y:
        return x
    if numbers:
        return x, targets_of(*labels, len(x))
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


def _check_without_sklearn(model, x, *y, numbers=False):
    columns = list(getattr(x, "columns", ()))
    names = np.array(columns, dtype=object) if columns and all(isinstance(c, str) for c in columns) else None
    x = _numbers(x)
    if y:
        model.n_features_in_ = x.shape[1]
        if names is not None:
            model.feature_names_in_ = names
        return x, (targets_of if numbers else labels_of)(y[0], len(x))
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


def labels_of(y, n):
    """Pass n class labels through; floats only where they are whole."""
    labels = np.asarray(y)
    labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if labels.shape != (n,):
        raise ValueError(f"y: expected {n} class labels, one a sample, got {describe(labels if labels.ndim else y)}")
    if labels.dtype.kind not in "biufUSO" or any(isinstance(v, float) and not v.is_integer() for v in labels.tolist()):
        raise ValueError(f"y: expected class labels, whole numbers or strings, got {describe(labels)}")
    return labels


def targets_of(y, n):
    """Pass the targets of n samples through, (n,) or (n, k), finite floats."""
    try:
        targets = np.asarray(y).astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"y: expected {n} targets, numbers, got {describe(y)}: {error}") from None
    if targets.ndim not in (1, 2) or len(targets) != n or not targets.size:
        raise ValueError(f"y: expected targets ({n},) or ({n}, k), one row a sample, got {describe(targets if targets.ndim else y)}")
    _checks.finite(targets, "y")
    return targets


def sample_weights(weight, n):
    """Pass the weights of n samples through as floats."""
    try:
        found = np.asarray(weight).astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"sample_weight: expected {n} numbers, got {describe(weight)}: {error}") from None
    if found.shape != (n,):
        raise ValueError(f"sample_weight: expected {n} numbers, one a sample, got {describe(found)}")
    if not _checks.weights(found, "sample_weight", n).any():
        raise ValueError("sample_weight: expected some above 0, got zero for each sample")
    return found


def class_weights(class_weight, classes, labels):
    """Return how many times each sample counts by its class: None, "balanced", or a dict with a weight for some of the classes."""
    if class_weight is None:
        return None
    if isinstance(class_weight, str) and class_weight == "balanced":
        n = np.bincount(labels)
        return (len(labels) / (len(n) * n))[labels]
    if not isinstance(class_weight, dict):
        raise ValueError(f"class_weight: expected None, 'balanced', or a dict of classes and weights, got {describe(class_weight)}")
    known = classes.tolist()
    if unknown := [label for label in class_weight if label not in known]:
        raise ValueError(f"class_weight: expected classes of y, {', '.join(map(str, known)):.60}, got {unknown[0]!r}")
    return sample_weights([class_weight.get(label, 1.0) for label in known], len(known))[labels]


def sorted_classes(y):
    """Return the sorted classes, two at least, and each sample's place among them."""
    try:
        classes, labels = np.unique(y, return_inverse=True)
    except TypeError as error:
        raise ValueError(f"y: expected labels that can be sorted, got {describe(y)}: {error}") from error
    if len(classes) < 2:
        raise ValueError(f"y: expected 2 classes or more, got 1 class, {classes.tolist()[0]!r}")
    return classes, labels


def scaled(model, x):
    """Scale samples to [0, 1] by the ranges in the samples of `fit`."""
    return Scale(model.low_, model.span_)(x)


def decay(beta):
    """Pass the factor through by which a potential decays in a step."""
    if not isinstance(beta, (int, float, np.number)) or isinstance(beta, bool) or not 0 <= beta <= 1:
        raise ValueError(f"beta: expected a number from 0 to 1, got {describe(beta)}")
    return float(beta)


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
    if not hasattr(model, "weights_"):
        raise of_sklearn("NotFittedError", ValueError)(f"{type(model).__name__}: expected fit to be called first")
