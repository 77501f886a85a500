"""What gradcheck lets in: its messages say what was wanted and what came."""

import inspect

import numpy as np

from .. import _checks


def names(forward, n_args):
    """Take the names of the arguments from the signature, if it has any."""
    try:
        parameters = inspect.signature(forward).parameters.values()
    except (TypeError, ValueError):
        parameters = []
    found = []
    for p in parameters:
        found += [f"{p.name}[{i}]" for i in range(n_args)] if p.kind is p.VAR_POSITIONAL else [p.name]
    return found[:n_args] if len(found) >= n_args else [f"argument {i}" for i in range(n_args)]


def float64(x, name):
    """Let only float64 arrays without NaN pass."""
    if isinstance(x, np.ndarray) and x.dtype == np.float32:
        raise TypeError(f"{name}: gradcheck needs float64, since differences drown in the rounding of float32; "
                        f"got {_checks.describe(x)}. Pass {name}.astype(numpy.float64)")
    x = _checks.array(x, name)
    if np.isnan(x).any():
        raise ValueError(f"{name}: expected numbers or inf, got NaN among {_checks.describe(x)}")
    return x


def gradients(grads, args, arg_names):
    """Let only gradients that fit the arguments pass."""
    grads = list(grads) if isinstance(grads, (tuple, list)) else [grads]
    if len(grads) != len(args):
        raise ValueError(f"backward: expected {len(args)} gradients ({', '.join(arg_names)}), got {len(grads)}")
    for x, grad, name in zip(args, grads, arg_names, strict=True):
        if np.shape(grad) != x.shape:
            raise ValueError(f"gradient of {name}: expected shape {x.shape}, got {_checks.describe(grad)}")
        if np.asarray(grad).dtype != np.float64:
            raise TypeError(f"gradient of {name}: expected float64 like {name}, got {_checks.describe(grad)}")
    return [np.asarray(grad) for grad in grads]


def unchanged(args, before, arg_names):
    """Refuse a forward or backward that works in place on its arguments."""
    for x, old, name in zip(args, before, arg_names, strict=True):
        if not np.array_equal(x, old):
            raise ValueError(f"{name}: expected forward and backward to leave their arguments alone; it was changed")
