"""The one gate for arrays that users pass: every message says what was wanted and what came."""

from itertools import islice

import numpy as np

LATEST = 80.0       # spike time in tau whose exp is a float32
ENDLESS = 1000      # spikes of a neuron, after which it is taken to fire without end
FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def describe(x):
    """Say in a few words what an object is, for an error message."""
    if isinstance(x, np.ndarray):
        return f"an array of shape {x.shape} and dtype {x.dtype}"
    if hasattr(x, "columns"):
        return f"a {type(x).__name__} of shape {x.shape}"
    return " ".join(f"{type(x).__name__} {''.join(islice(_said(x), 200)):.200}".split())[:80]


def _said(x):
    """Yield the repr of lists in lists piece by piece: all of a long one would take seconds."""
    if type(x) is not list:
        yield repr(x)
        return
    yield "["
    for k, part in enumerate(x):
        if k:
            yield ", "
        yield from _said(part)
    yield "]"


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
    if not z.min() > 0:                                                  # of NaN among them, NaN
        bad = z[~(z > 0)].flat[0]
        raise ValueError(f"{name}: expected z = exp(t) > 0 (inf: no spike), got {bad}")


def times(x, name):
    """Pass spike times (N, n) through, floats; inf is welcome, NaN, -inf and times whose exp is too large are not."""
    x = table(x, name)
    if x.ndim != 2 or not x.size or x.dtype not in FLOATS:
        raise ValueError(f"{name}: expected spike times (N, n) as floats, got {describe(x)}")
    if (bad := ~((np.abs(x) <= LATEST) | (x == np.inf))).any():
        raise ValueError(f"{name}: expected spike times from -{LATEST:g} to {LATEST:g} tau, or inf for no spike, got {x[bad][0]:g} "
                         f"{place(bad)}")
    return x


def finite(x, name, columns=()):
    """Refuse NaN and inf; say where the first is."""
    if not np.isfinite(x).all():
        raise ValueError(f"{name}: expected finite numbers, got {x[~np.isfinite(x)].flat[0]} {place(~np.isfinite(x), columns)}, among "
                         f"{describe(x)}")


def place(bad, columns=(), first=0):
    """Say where the first True of an array is: row and column of a table, sample and place of images; row 0 has the number `first`."""
    row, *at = (int(k) for k in np.unravel_index(bad.argmax(), bad.shape))
    row += first
    if len(at) == 1:
        return f"in row {row}, column {columns[at[0]] if len(columns) else at[0]}"
    return f"in sample {row}" + (f" at {tuple(at)}" if at else "")


def no_dates(x, name):
    """Refuse what would pass for numbers: dates and times of NumPy, pandas or polars, in units that nobody chose, and masked values."""
    kinds = [*getattr(x, "dtypes", [getattr(x, "dtype", None)])]
    for name_of_column, kind in zip(getattr(x, "columns", [None]) if hasattr(x, "dtypes") else [None], kinds, strict=True):
        if getattr(kind, "kind", "") in ("m", "M") or str(kind).startswith(("Date", "Time", "Duration")):
            where = "" if name_of_column is None else f" in column {name_of_column}"
            raise ValueError(f"{name}: expected numbers, got dates or times{where}: {describe(x)}; subtract a date and divide by "
                             "numpy.timedelta64")
    if isinstance(x, np.ma.MaskedArray) and (mask := np.ma.getmaskarray(x)).any():
        raise ValueError(f"{name}: expected no masked values, got {mask.sum()}, the first {place(mask)}")


def table(x, name):
    """Turn what may hold samples (an array, lists, a frame of pandas or polars) into an array of numbers."""
    no_dates(x, name)
    if hasattr(x, "toarray"):
        raise TypeError(f"{name}: expected a dense array, got a sparse {type(x).__name__}")
    try:
        a = np.asarray(x)
        if a.dtype.kind in "cmM":
            raise ValueError("complex numbers" if a.dtype.kind == "c" else "dates or times")
        return a if a.dtype.kind in "fiub" else a.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: expected numbers, got {describe(x)}: {error}") from error


def sample_shape(x, model, name):
    """Refuse samples that do not fit a model, also those of as many numbers in another order of axes."""
    shape, n = model.shape, int(np.prod(model.shape))
    fits = [(n,), shape, shape[:-1] if shape[-1] == 1 else shape]
    if x.shape[1:] not in fits and (len(shape) > 1 or np.prod(x.shape[1:]) != n):
        raise ValueError(f"{name}: expected samples of shape {' or '.join(map(str, dict.fromkeys(fits)))}"
                         f"{', channels last,' * (len(shape) > 1)} for model {model}, got {x.shape[1:]}")


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


def temporal_conv(z_in, w, how):
    """Let only good arguments of a convolution of temporal neurons pass through; also give the shape of its output."""
    b, stride, padding, threshold = how
    z_in, w, stride, padding, shape = conv2d(z_in, w, stride, padding, "z_in")
    spike_z(z_in, "z_in")
    if b is not None:
        b = array(b, "b", shape=(w.shape[3],))
        same_dtype(z_in=z_in, w=w, b=b)
    threshold = w.dtype.type(positive(w.dtype.type(positive(threshold, "threshold")), f"threshold as {w.dtype}"))
    return z_in, w, b, stride, padding, threshold, shape


def temporal_backward(dz_out, z_out):
    """Let only a gradient that fits z_out through; the same for all backends."""
    dz_out = array(dz_out, "dz_out", shape=z_out.shape)
    same_dtype(dz_out=dz_out, z_out=z_out)
    return dz_out


def delays_forward(z_in, w, delay, threshold):
    """Let only good arguments of a temporal forward with delays through; the same for all backends."""
    z_in, w, threshold = temporal_forward(z_in, w, threshold)
    delay, (n_in, n_out) = array(delay, "delay", ndim=2), w.shape
    if delay.shape not in ((n_in, 1), (1, n_out), (n_in, n_out)):
        raise ValueError(f"delay: expected shape ({n_in}, 1), (1, {n_out}) or ({n_in}, {n_out}), of axons, dendrites or synapses, "
                         f"got {describe(delay)}")
    same_dtype(delay=delay, w=w)
    most = int(np.log(np.finfo(delay.dtype).max))                            # beyond, exp(delay) is no number
    if not ((delay >= 0) & (delay <= most)).all():
        raise ValueError(f"delay: expected numbers from 0 to {most}, got {delay[~((delay >= 0) & (delay <= most))].flat[0]}")
    return z_in, w, delay, threshold


def spike_time_forward(t_in, w, threshold, tau):
    """Let only good arguments of a neuron with exact spike times through; the same for all backends."""
    w = array(w, "w", ndim=2)
    t_in = array(t_in, "t_in", shape=(None, w.shape[0]))
    same_dtype(t_in=t_in, w=w)
    if not (t_in > -np.inf).all():
        raise ValueError(f"t_in: expected times (inf: no spike), got {t_in[~(t_in > -np.inf)].flat[0]}")
    return t_in, w, *(w.dtype.type(positive(x, name)) for x, name in ((threshold, "threshold"), (tau, "tau")))


def alpha(threshold, decay):
    """Turn threshold and decay of alpha synapses into threshold and tau of a leaky neuron."""
    decay = positive(decay, "decay")
    return positive(threshold, "threshold") * decay, 1 / decay


def theta_forward(t_in, w, t_end, drive, v_init, tau):
    """Let only good arguments of theta neurons through, with sqrt(drive - 1/4) in place of drive; the same for all backends."""
    w = array(w, "w", ndim=2)
    t_in = array(t_in, "t_in", shape=(None, w.shape[0]))
    same_dtype(t_in=t_in, w=w)
    if not (t_in >= 0).all():
        raise ValueError(f"t_in: expected times from 0 (inf: no spike), got {t_in[~(t_in >= 0)].flat[0]}")
    if not np.isscalar(v_init) or isinstance(v_init, (str, bytes)) or not abs(v_init) < np.inf:
        raise ValueError(f"v_init: expected a finite number, got {describe(v_init)}")
    excess = w.dtype.type(positive(drive, "drive")) - w.dtype.type(0.25)
    if not excess > 0:
        raise ValueError(f"drive: expected a number above 1/4, so that the neuron fires without input, got {describe(drive)}")
    t_end, tau = (w.dtype.type(positive(x, name)) for x, name in ((t_end, "t_end"), (tau, "tau")))
    return t_in, w, (t_end, np.sqrt(excess), w.dtype.type(v_init), tau)


def spike_time_backward(dt_out, t_out):
    """Let only a gradient that fits t_out through; the same for all backends."""
    dt_out = array(dt_out, "dt_out", shape=t_out.shape)
    same_dtype(dt_out=dt_out, t_out=t_out)
    return dt_out


def event_forward(t_in, w, w_rec, numbers, n_spikes):
    """Let only good arguments of neurons that fire many times through, in float64, with the dtype that they had."""
    w = array(w, "w", ndim=2)
    t_in = array(t_in, "t_in", shape=(None, w.shape[0], None))
    given = {"t_in": t_in, "w": w} | ({} if w_rec is None else {"w_rec": array(w_rec, "w_rec", shape=(w.shape[1],) * 2)})
    same_dtype(**given)
    if not (t_in > -np.inf).all():
        raise ValueError(f"t_in: expected times (inf: no spike), got {t_in[~(t_in > -np.inf)].flat[0]}")
    for name in given.keys() - {"t_in"}:
        finite(given[name], name)
    numbers = tuple(float(w.dtype.type(positive(x, name))) for x, name in zip(numbers, ("threshold", "tau_m", "tau_s"), strict=True))
    n_most = ENDLESS if n_spikes is None else whole(n_spikes, "n_spikes", 1)
    wide = [None if x is None else x.astype(np.float64, copy=False) for x in (t_in, w, given.get("w_rec"))]
    return *wide, numbers, n_most, w.dtype


def ends(stopped, n_spikes):
    """Refuse neurons that fire without end, where no bound was given."""
    if n_spikes is None and stopped.any():
        raise ValueError(f"n_spikes: expected a bound, for {'neuron {1} of sample {0}'.format(*np.argwhere(stopped)[0])} fires more than "
                         f"{ENDLESS} times")


def event_backward(d, out, dtype, name="dt_out", of="t_out", n_spikes=None):
    """Let only a gradient that fits an output through, in float64, 0 where that output is infinite; the same for all backends."""
    d = array(d, name, shape=out.shape if n_spikes is None else (*out.shape[:2], n_spikes))
    if d.dtype != dtype:
        raise TypeError(f"expected one float dtype for all arrays, but {name} is {d.dtype}, {of} is {dtype}")
    return np.where(np.isfinite(out), d[tuple(map(slice, out.shape))], 0).astype(np.float64)


def padded(t_out, n_spikes, dtype):
    """Give each neuron room for n_spikes spikes, if that is a number."""
    if n_spikes is None or n_spikes == t_out.shape[2]:
        return t_out.astype(dtype)
    full = np.full((*t_out.shape[:2], n_spikes), np.inf, dtype)
    full[:, :, :t_out.shape[2]] = t_out
    return full


def labels(y, name, n, n_classes):
    """Pass integer labels 0 ... n_classes - 1 through, one a sample."""
    if not isinstance(y, np.ndarray) or y.dtype.kind not in "iu" or y.shape != (n,):
        raise TypeError(f"{name}: expected {n} integer labels, got {describe(y)}")
    if y.min() < 0 or y.max() >= n_classes:
        raise ValueError(f"{name}: expected labels 0 to {n_classes - 1}, got {y.min()} to {y.max()}")
    return y


def targets(y, name, n, n_out):
    """Pass finite targets (n, n_out) through, those of one output also as (n,)."""
    y = np.asarray(y) if isinstance(y, list) else y
    if not isinstance(y, np.ndarray) or y.dtype.kind not in "fiu" or y.shape not in ((n, n_out), (n,) if n_out == 1 else (n, n_out)):
        raise TypeError(f"{name}: expected numbers of shape {(n, n_out)}, got {describe(y)}")
    finite(y, name)
    return y.reshape(n, n_out)


def weights(x, name, n):
    """Pass the weights of n samples through: finite, none below 0."""
    if not isinstance(x, np.ndarray) or x.dtype.kind not in "fiub" or x.shape != (n,):
        raise TypeError(f"{name}: expected {n} numbers, one a sample, got {describe(x)}")
    if (bad := ~(np.isfinite(x) & (x >= 0))).any():
        raise ValueError(f"{name}: expected finite numbers, none below 0, got {x[bad][0]:g} {place(bad)}")
    return x


def lengths(x, name, n, n_steps):
    """Pass the lengths of n sequences through, each 1 to n_steps."""
    if not isinstance(x, np.ndarray) or x.dtype.kind not in "iu" or x.shape != (n,) or not n:
        raise TypeError(f"{name}: expected {n or 'some'} whole numbers, got {describe(x)}")
    if x.min() < 1 or x.max() > n_steps:
        raise ValueError(f"{name}: expected 1 to {n_steps} time steps, got {x.min()} to {x.max()}")
    return x


def whole(x, name, least):
    """Pass a whole number through as an int."""
    if isinstance(x, (bool, np.bool_)) or not isinstance(x, (int, np.integer)) or x < least:
        raise ValueError(f"{name}: expected a whole number of at least {least}, got {describe(x)}")
    return int(x)


def generator(rng):
    """Let only a source of randomness through."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng: expected a numpy.random.Generator, got {describe(rng)}")
    return rng


def gradient(dy, y):
    """Let only a gradient through that is like the output; y is the output, or a (shape, dtype) pair."""
    shape, dtype = y if isinstance(y, tuple) else (y.shape, y.dtype)
    dy = array(dy, "dy", shape=shape)
    if dy.dtype != dtype:
        raise TypeError(f"expected one float dtype for all arrays, but dy is {dy.dtype}, y is {dtype}")
    return dy


def dense(x, w, b):
    """Let only good arguments of a dense layer pass through; the same for all backends."""
    w = array(w, "w", ndim=2)
    x = array(x, "x", shape=(None, w.shape[0]))
    if b is None:
        same_dtype(x=x, w=w)
        return x, w, None
    b = array(b, "b", shape=(w.shape[1],))
    same_dtype(x=x, w=w, b=b)
    return x, w, b


def conv2d(x, w, stride, padding, name="x"):
    """Let only good arguments of a convolution pass through; also give the shape of its output."""
    w = array(w, "w", ndim=4)
    x = array(x, name, shape=(None, None, None, w.shape[2]))
    same_dtype(**{name: x, "w": w})
    stride, padding = whole(stride, "stride", 1), whole(padding, "padding", 0)
    room = [n + 2 * padding - k for n, k in zip(x.shape[1:3], w.shape[:2], strict=True)]
    if min(room) < 0:
        raise ValueError(f"w: expected a kernel no larger than the padded input, got {w.shape[0]} x {w.shape[1]} "
                         f"for {x.shape[1]} x {x.shape[2]} with padding {padding}")
    return x, w, stride, padding, (len(x), room[0] // stride + 1, room[1] // stride + 1, w.shape[3])


def pool2d(x, size, stride):
    """Let only good arguments of a pooling layer pass through; also give the shape of its output."""
    x = array(x, "x", ndim=4)
    size = whole(size, "size", 1)
    stride = size if stride is None else whole(stride, "stride", 1)
    if size > min(x.shape[1:3]):
        raise ValueError(f"size: expected a window no larger than the input, got {size} for {x.shape[1]} x {x.shape[2]}")
    return x, size, stride, (len(x), (x.shape[1] - size) // stride + 1, (x.shape[2] - size) // stride + 1, x.shape[3])


def samples(x):
    """Pass an array of two dimensions or more through."""
    x = array(x, "x")
    if x.ndim < 2:
        raise ValueError(f"x: expected 2 dimensions or more, got {describe(x)}")
    return x


def batch_norm(x, gamma, beta, mean, var, eps):
    """Let only good arguments of a batch normalisation pass through; mean and var both given, or neither."""
    x = samples(x)
    if (mean is None) != (var is None):
        raise ValueError(f"mean, var: expected both or neither, got {'var' if mean is None else 'mean'} alone")
    given = {"gamma": gamma, "beta": beta} | ({} if mean is None else {"mean": mean, "var": var})
    given = {name: array(value, name, shape=x.shape[-1:]) for name, value in given.items()}
    same_dtype(x=x, **given)
    if mean is not None and not (given["var"] >= 0).all():
        raise ValueError(f"var: expected no negative number, got {given['var'].min()}")
    return x, given["gamma"], given["beta"], given.get("mean"), given.get("var"), x.dtype.type(positive(eps, "eps"))


def dropout(x, p, rng):
    """Let only good arguments of dropout through; the same for all backends."""
    if not np.isscalar(p) or isinstance(p, (str, bytes, bool, complex)) or not 0 <= p < 1:
        raise ValueError(f"p: expected a number from 0 to below 1, got {describe(p)}")
    generator(rng)
    return array(x, "x"), float(p)


def words(x, name, kind, allowed):
    """Pass a NamedTuple of the right kind whose fields hold allowed words."""
    if not isinstance(x, kind):
        raise TypeError(f"{name}: expected a {kind.__name__}, got {describe(x)}")
    for field, choices in allowed.items():
        if getattr(x, field) not in choices:
            raise ValueError(f"{name}: expected {field} to be one of {', '.join(choices)}, got {getattr(x, field)!r}")
    for field, default in x._field_defaults.items():
        if isinstance(default, str) and field not in allowed and getattr(x, field) != default:
            raise ValueError(f"{name}: expected {field} to be {default!r} here, got {getattr(x, field)!r}")
    return x


def membrane(v, name, like):
    """Pass a membrane potential, one number or an array like `like`, as an array."""
    if isinstance(v, np.ndarray):
        v = array(v, name, shape=like.shape)
        same_dtype(**{name: v, "current": like})
        return v
    if not np.isscalar(v) or isinstance(v, (str, bytes, complex)) or not np.isfinite(like.dtype.type(v)):
        raise ValueError(f"{name}: expected a finite number or an array of shape {like.shape}, got {describe(v)}")
    return np.full_like(like, v)


def integrate_fire_forward(current, threshold, v_init):
    """Let only good arguments of an integrate-and-fire forward pass through; the same for all backends."""
    current = array(current, "current")
    if current.ndim < 2:
        raise ValueError(f"current: expected shape (T, B, ...), got {describe(current)}")
    return current, *integrate_fire_step(v_init, current[0], threshold, "v_init")[::2]


def integrate_fire_step(v, current_t, threshold, name="v"):
    """Let only good arguments of one step through; the same for all backends."""
    current_t = array(current_t, "current_t")
    with np.errstate(over="ignore", under="ignore"):
        kind = current_t.dtype.type
        threshold = kind(positive(kind(positive(threshold, "threshold")), f"threshold as {current_t.dtype}"))
        return membrane(v, name, current_t), current_t, threshold


def integrate_fire_backward(dspikes, dv_final, u, detach_reset):
    """Let only gradients that fit the spikes and the last potential through; the same for all backends."""
    if not isinstance(detach_reset, (bool, np.bool_)):
        raise TypeError(f"detach_reset: expected True or False, got {describe(detach_reset)}")
    dspikes = array(dspikes, "dspikes", shape=u.shape)
    dv_final = np.zeros_like(u[0]) if dv_final is None else array(dv_final, "dv_final", shape=u.shape[1:])
    same_dtype(dspikes=dspikes, dv_final=dv_final, current=u)
    return dspikes, dv_final


def per_neuron(x, name, like, positive=False):
    """Pass a parameter of neurons through in the dtype of `like`: one number, or an array with one for each of its last axis."""
    kind, what = like.dtype.type, f"{'positive' if positive else 'finite'} number"
    if isinstance(x, np.ndarray):
        x = array(x, name, shape=like.shape[-1:])
        same_dtype(**{name: x, "current": like})
    elif not np.isscalar(x) or isinstance(x, (str, bytes, bool, complex)):
        raise ValueError(f"{name}: expected a {what} or an array of shape {like.shape[-1:]}, got {describe(x)}")
    with np.errstate(over="ignore", under="ignore"):
        held = x if isinstance(x, np.ndarray) else kind(x)
    if not np.isfinite(held).all() or (positive and not (held > 0).all()):
        raise ValueError(f"{name}: expected {what}s in {like.dtype}, got {describe(x)}")
    return held


def leaky_forward(current, beta, threshold, v_init, more):
    """Let only good arguments of a leaky forward pass through; `more` is rule, alpha and w_rec. The same for all backends."""
    current, v_init = leaky_current(current, v_init)
    return current, leaky_parameters(current, beta, threshold, *more), v_init


def leaky_current(current, v_init):
    """Let only a good current and first potential through."""
    current = array(current, "current")
    if current.ndim < 3:
        raise ValueError(f"current: expected shape (T, B, ..., n), got {describe(current)}")
    return current, membrane(v_init, "v_init", current[0])


def leaky_parameters(like, beta, threshold, rule, alpha, w_rec):
    """Let only good parameters of leaky neurons through; return beta, threshold, rule, alpha and w_rec as one tuple."""
    if rule.order == "leak first" and rule.timing != "next":
        raise ValueError(f"rule: expected timing 'next' with the order 'leak first', got {rule.timing!r}")
    beta, threshold = per_neuron(beta, "beta", like), per_neuron(threshold, "threshold", like, positive=True)
    alpha = None if alpha is None else per_neuron(alpha, "alpha", like)
    if w_rec is not None:
        w_rec = array(w_rec, "w_rec", shape=2 * like.shape[-1:])
        same_dtype(w_rec=w_rec, current=like)
    return beta, threshold, rule, alpha, w_rec


def leaky_step(state, current_t):
    """Let only a good state and current of one step through; a state is a potential, or potential, current and spikes."""
    current_t = array(current_t, "current_t")
    if current_t.ndim < 2:
        raise ValueError(f"current_t: expected shape (B, ..., n), got {describe(current_t)}")
    if not isinstance(state, tuple):
        return (membrane(state, "state", current_t),), current_t
    return tuple(membrane(x, f"state: {name}", current_t) for name, x in zip(("v", "i", "s"), state, strict=True)), current_t


def leaky_backward(dspikes, dv_final, dv, u, detach_reset):
    """Let only gradients that fit the spikes and the potentials through; dv may be None. The same for all backends."""
    dspikes, dv_final = integrate_fire_backward(dspikes, dv_final, u, detach_reset)
    return dspikes, dv_final, None if dv is None else leaky_potentials(dv, u)


def leaky_potentials(dv, u):
    """Let only a gradient that fits the potentials of all steps through."""
    dv = array(dv, "dv", shape=u.shape)
    same_dtype(dv=dv, current=u)
    return dv


def leaky_integrate(current, beta, v_init, alpha):
    """Let only good arguments of a readout that does not fire through; the same for all backends."""
    current, v_init = leaky_current(current, v_init)
    return current, per_neuron(beta, "beta", current), v_init, None if alpha is None else per_neuron(alpha, "alpha", current)


def pooled_fire(current, size, threshold, v_init, rule):
    """Let only good arguments of pooling inside the neuron through; the same for all backends.

    Returns
    -------
    tuple
        current, v_init, threshold, and the shape of the spikes.
    """
    if rule.timing != "same":
        raise ValueError(f"rule: expected timing 'same' where neurons pool, got {rule.timing!r}")
    current, v_init, threshold = integrate_fire_forward(current, threshold, v_init)
    if current.ndim != 5 or isinstance(size, bool) or not isinstance(size, (int, np.integer)) or not 1 <= size <= min(current.shape[2:4]):
        raise ValueError(f"current, size: expected shape (T, B, H, W, C) and a window that fits, got {describe(current)} and {size!r}")
    n_t, n_b, height, width, n_c = current.shape
    return current, v_init, threshold, (n_t, n_b, height // size, width // size, n_c)


def pooled_fire_step(v, current_t, size, threshold, rule):
    """Let only good arguments of one step through; current_t is made one step of a run."""
    v, current_t, threshold = integrate_fire_step(v, current_t, threshold)
    return pooled_fire(current_t[None], size, threshold, v, rule)


def pooled_fire_backward(dspikes, dv_final, u, size, detach_reset):
    """Let only gradients that fit through; the same for all backends."""
    if not isinstance(detach_reset, (bool, np.bool_)):
        raise TypeError(f"detach_reset: expected True or False, got {describe(detach_reset)}")
    n_t, n_b, height, width, n_c = u.shape
    dspikes = array(dspikes, "dspikes", shape=(n_t, n_b, height // size, width // size, n_c))
    dv_final = np.zeros_like(u[0]) if dv_final is None else array(dv_final, "dv_final", shape=u.shape[1:])
    same_dtype(dspikes=dspikes, dv_final=dv_final, current=u)
    return dspikes, dv_final


def relu(x, top, levels=0):
    """Let only good arguments of a ReLU through, top in the dtype of x; the same for all backends."""
    x = array(x, "x")
    if not np.isscalar(top) or isinstance(top, (str, bytes)) or not top > 0:
        raise ValueError(f"top: expected a positive number or inf, got {describe(top)}")
    if isinstance(levels, bool) or not isinstance(levels, (int, np.integer)) or levels < 0 or (levels and not np.isfinite(top)):
        raise ValueError(f"levels: expected a whole number, and with it a finite top, got {levels!r} and top {top!r}")
    return x, x.dtype.type(top)


def firing(threshold, v_init, kind):
    """Pass threshold and initial potential through in a dtype, both finite there and the threshold more than 0."""
    with np.errstate(over="ignore", under="ignore"):
        threshold = kind.type(positive(kind.type(positive(threshold, "threshold")), f"threshold as {kind}"))
    if isinstance(v_init, bool) or not isinstance(v_init, (int, float, np.number)) or not np.isfinite(v_init):
        raise ValueError(f"v_init: expected a finite number, got {describe(v_init)}")
    return threshold, kind.type(v_init)


def steps(n_steps, at=None):
    """Let only a good number of steps, and steps of it, through; return `at`, or the last step alone."""
    if isinstance(n_steps, bool) or not isinstance(n_steps, (int, np.integer)) or n_steps < 1:
        raise ValueError(f"n_steps: expected a whole number of at least 1, got {n_steps!r}")
    at = [n_steps] if at is None else [int(t) for t in at]
    if not at or at != sorted(set(at)) or at[0] < 1 or at[-1] > n_steps:
        raise ValueError(f"at: expected rising steps from 1 to {n_steps}, got {at}")
    return at


def spiking(stages, x, n_steps, at, rule):
    """Let only good arguments of a run over time through; return `at`, or the last step alone. The same for all backends."""
    x, at = array(x, "x"), steps(n_steps, at)
    if not stages or np.ndim(stages[-1].w) != 2 or stages[-1].pool:
        raise ValueError("stages: expected at least one, the last of them dense and without pooling")
    if rule.timing != "same" and any(s.w is None or s.v_init is not None or s.pool == "inside" for s in stages):
        raise ValueError(f"rule: expected timing 'same' where neurons pool inside or begin channel by channel, got {rule.timing!r}")
    shape = x.shape[1:]
    for k, stage in enumerate(stages):
        if stage.w is None and k > 0:
            raise ValueError(f"w of stage {k + 1}: expected weights, got None")
        if stage.w is not None:
            same_dtype(x=x, **{f"w of stage {k + 1}": stage.w})
        if stage.w is not None and stage.w.ndim == 4:
            array(stage.w, f"w of stage {k + 1}", shape=(3, 3, shape[-1] if len(shape) == 3 else 0, None))
            shape = (*shape[:2], stage.w.shape[3])
        elif stage.w is not None:
            array(stage.w, f"w of stage {k + 1}", shape=(int(np.prod(shape)), None))
            shape = stage.w.shape[1:]
        if stage.b is not None:
            same_dtype(x=x, **{f"b of stage {k + 1}": stage.b})
            array(stage.b, f"b of stage {k + 1}", shape=shape[-1:])
        if stage.v_init is not None:
            same_dtype(x=x, **{f"v_init of stage {k + 1}": stage.v_init})
            array(stage.v_init, f"v_init of stage {k + 1}", shape=shape[-1:])
        if stage.pool not in ("", "max", "avg", "inside") or (stage.pool and len(shape) != 3):
            raise ValueError(f"pool of stage {k + 1}: expected 'max' or 'avg' after a convolution, 'inside' or '', got {stage.pool!r}")
        if stage.pool and min(shape[:2]) < 2:
            raise ValueError(f"pool of stage {k + 1}: expected a map of at least 2 x 2, got {shape[0]} x {shape[1]}")
        shape = (shape[0] // 2, shape[1] // 2, shape[2]) if stage.pool else shape
    return at
