"""The one gate for arrays that users pass: every message says what was wanted and what came."""

import numpy as np

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def describe(x):
    """Say in a few words what an object is, for an error message."""
    if isinstance(x, np.ndarray):
        return f"an array of shape {x.shape} and dtype {x.dtype}"
    return f"{type(x).__name__} {x!r}"[:80]


def array(x, name, ndim=None, shape=None):
    """Pass a float array through, contiguous, or say what is wrong with it.

    `shape` may hold None where any size will do.
    """
    if not isinstance(x, np.ndarray):
        raise TypeError(f"{name}: expected a NumPy array, got {describe(x)}")
    if x.dtype not in FLOATS:
        raise TypeError(f"{name}: expected float32 or float64, got {describe(x)} "
                        "(pysnn.encode turns images and counts into spike times)")
    if ndim is not None and x.ndim != ndim:
        raise ValueError(f"{name}: expected {ndim} dimensions, got {describe(x)}")
    if shape is not None:
        good = x.ndim == len(shape) and all(s is None or s == n for s, n in zip(shape, x.shape, strict=True))
        if not good:
            wanted = "(" + ", ".join("any" if s is None else str(s) for s in shape) + ")"
            raise ValueError(f"{name}: expected shape {wanted}, got {describe(x)}")
    if x.size == 0:
        raise ValueError(f"{name}: expected at least one element, got {describe(x)}")
    return np.ascontiguousarray(x) if x.flags.writeable else np.array(x)      # kernels are compiled for writable arrays


def same_dtype(**arrays):
    """Refuse a mix of float32 and float64."""
    kinds = {x.dtype for x in arrays.values()}
    if len(kinds) > 1:
        said = ", ".join(f"{name} is {x.dtype}" for name, x in arrays.items())
        raise TypeError(f"expected one float dtype for all arrays, but {said}")


def spike_z(z, name):
    """Refuse z = exp(t) that is NaN, zero or negative; inf (no spike) is welcome."""
    if not (z > 0).all():
        bad = z[~(z > 0)].flat[0]
        raise ValueError(f"{name}: expected z = exp(t) > 0 (inf: no spike), got {bad}")


def finite(x, name):
    """Refuse NaN and inf."""
    if not np.isfinite(x).all():
        raise ValueError(f"{name}: expected finite numbers, got {x[~np.isfinite(x)].flat[0]} among {describe(x)}")


def positive(x, name):
    """Pass a positive finite number through as a float."""
    if not np.isscalar(x) or isinstance(x, (str, bytes)) or not 0 < x < np.inf:
        raise ValueError(f"{name}: expected a positive number, got {describe(x)}")
    return float(x)


def temporal_forward(z_in, w, threshold):
    """Let only good arguments of a temporal forward pass through; the same for all backends."""
    w = array(w, "w", ndim=2)
    z_in = array(z_in, "z_in", shape=(None, w.shape[0]))
    same_dtype(z_in=z_in, w=w)
    spike_z(z_in, "z_in")
    with np.errstate(over="ignore", under="ignore"):
        return z_in, w, w.dtype.type(positive(w.dtype.type(positive(threshold, "threshold")), f"threshold as {w.dtype}"))


def temporal_backward(dz_out, z_out):
    """Let only a gradient that fits z_out through; the same for all backends."""
    dz_out = array(dz_out, "dz_out", shape=z_out.shape)
    same_dtype(dz_out=dz_out, z_out=z_out)
    return dz_out


def labels(y, name, n, n_classes):
    """Pass integer labels 0 ... n_classes - 1 through, one a sample."""
    if not isinstance(y, np.ndarray) or y.dtype.kind not in "iu" or y.shape != (n,):
        raise TypeError(f"{name}: expected {n} integer labels, got {describe(y)}")
    if y.min() < 0 or y.max() >= n_classes:
        raise ValueError(f"{name}: expected labels 0 to {n_classes - 1}, got {y.min()} to {y.max()}")
    return y
