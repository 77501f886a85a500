"""Arrays that carry derivatives: forward mode by dual numbers, for functions that are written in ordinary NumPy.

A `DualArray` holds values and, for K directions at once, how fast each value changes along them. Operators, `np.exp(x)`, `np.where(...)`
and the like work on it as on an array. Comparisons and roundings look at values alone. A NumPy function without a rule here is a
TypeError that names it: no derivative is lost in silence. For the same reason a DualArray does not turn into a plain array, and its parts
cannot be assigned to.

At a tie `maximum`, `minimum`, `max` and `min` share the derivative evenly, `clip` passes it on, and `abs` has 0, as in PyTorch.
"""

import numpy as np

PAGE = "docs/howto/verify-any-neuron.md"


class DualArray:
    """Values and their derivatives along K directions.

    Parameters
    ----------
    value : array of any shape
        The numbers.
    tangents : array of shape (K, ...), optional
        The derivatives, directions first; default: all 0, for any K.
    """

    __array_priority__ = 1000.0
    __hash__ = None

    def __init__(self, value, tangents=None):
        self.value, self.tangents = np.asarray(value, np.float64), tangents

    shape = property(lambda self: self.value.shape, doc="Shape of the values.")
    ndim = property(lambda self: self.value.ndim, doc="Number of axes.")
    size = property(lambda self: self.value.size, doc="Number of values.")
    dtype = property(lambda self: self.value.dtype, doc="The dtype, float64.")
    T = property(lambda self: np.transpose(self), doc="The transpose.")

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        if method != "__call__":
            raise unknown(f"{ufunc.__name__}.{method}")
        if "out" in kwargs:
            raise TypeError(f"np.{ufunc.__name__} with out=, or an operator such as +=, into an array without derivatives: write x = x + y")
        if kwargs:
            raise TypeError(f"np.{ufunc.__name__} with {', '.join(kwargs)}= has no rule for derivatives")
        values = [_value(x) for x in inputs]
        if ufunc in BY_VALUE:
            return ufunc(*values)
        if ufunc is np.matmul:
            return _matmul(*inputs)
        if ufunc not in PARTIALS:
            raise unknown(ufunc.__name__)
        y = ufunc(*values)
        parts = [_times(_align(x, np.ndim(y)), partial(*values, y)) for x, partial in zip(inputs, PARTIALS[ufunc], strict=True)
                 if _tangents(x) is not None]
        return DualArray(y, _spread(parts, np.shape(y)))

    def __array_function__(self, function, types, args, kwargs):
        if function in FUNCTIONS:
            return FUNCTIONS[function](*args, **kwargs)
        if function in LINEAR:
            return _linear(function, *args, **kwargs)
        if function in BY_VALUE:
            return function(*(_value(x) for x in args), **{name: _value(x) for name, x in kwargs.items()})
        if function in MULTILINEAR:
            return _multilinear(function, args, kwargs)
        raise unknown(function.__name__)

    def __array__(self, *args, **kwargs):
        raise TypeError("np.asarray, np.array, or storing in a plain array would lose the derivative: write np.stack or stop(v)")

    def __float__(self):
        raise TypeError("float(), or a function of the module math, would lose the derivative: use the function of np")

    def __setitem__(self, index, value):
        raise TypeError("assignment to a part of an array has no rule for derivatives: write np.where, np.stack or np.concatenate")

    def __getitem__(self, index):
        if self.tangents is None:
            return DualArray(self.value[index])
        key = index if isinstance(index, tuple) else (index,)
        if all(k is None or k is ... or isinstance(k, (int, np.integer, slice)) for k in key):
            return DualArray(self.value[index], self.tangents[(slice(None), *key)])
        return DualArray(self.value[index], np.stack([t[index] for t in self.tangents]))

    def __len__(self):
        return len(self.value)

    def __bool__(self):
        return bool(self.value)

    def __repr__(self):
        return f"DualArray({self.value!r}, directions: {0 if self.tangents is None else len(self.tangents)})"


def unknown(name):
    """Return the error that a function has no rule.

    Parameters
    ----------
    name : str
        Of the function of NumPy.

    Returns
    -------
    TypeError
        In one line.
    """
    return TypeError(f"np.{name} has no rule for derivatives: write it with the functions that {PAGE} lists")


def _method(function):
    return lambda self, *args, **kwargs: function(self, *args, **kwargs)


def _floating(x, dtype):
    if np.dtype(dtype).kind != "f":
        raise TypeError(f"astype({np.dtype(dtype)}) would lose the derivative")
    return x


def _operator(ufunc, swapped=False):
    if swapped:
        return lambda self, other: ufunc(other, self)
    return lambda self, other: ufunc(self, other)


for _name, _ufunc in {"add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.divide, "pow": np.power,
                      "matmul": np.matmul}.items():
    setattr(DualArray, f"__{_name}__", _operator(_ufunc))
    setattr(DualArray, f"__r{_name}__", _operator(_ufunc, True))
for _name, _ufunc in {"lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal, "eq": np.equal,
                      "ne": np.not_equal}.items():
    setattr(DualArray, f"__{_name}__", _operator(_ufunc))
for _name, _ufunc in {"neg": np.negative, "pos": np.positive, "abs": np.absolute}.items():
    setattr(DualArray, f"__{_name}__", lambda self, ufunc=_ufunc: ufunc(self))
for _name in ("sum", "mean", "max", "min", "clip", "dot", "ravel", "squeeze", "copy", "cumsum", "repeat", "swapaxes", "any", "all",
              "argmax", "argmin"):
    setattr(DualArray, _name, _method(getattr(np, _name)))

DualArray.reshape = lambda self, *shape: np.reshape(self, shape[0] if len(shape) == 1 else shape)
DualArray.transpose = lambda self, *axes: np.transpose(self, (axes[0] if len(axes) == 1 else axes) or None)
DualArray.astype = _floating


def _share(first, second):
    """Return what the first of two gets of the derivative of the larger one."""
    return np.where(first == second, 0.5, first > second)


PARTIALS = {
    np.add: (lambda a, b, y: 1.0, lambda a, b, y: 1.0),
    np.subtract: (lambda a, b, y: 1.0, lambda a, b, y: -1.0),
    np.multiply: (lambda a, b, y: b, lambda a, b, y: a),
    np.divide: (lambda a, b, y: 1 / np.asarray(b, float), lambda a, b, y: -y / b),
    np.power: (lambda a, b, y: np.where(np.equal(b, 0), 0.0, b * np.power(np.asarray(a, float), np.where(np.equal(b, 0), 1, b) - 1)),
               lambda a, b, y: np.where(np.greater(a, 0), y * np.log(np.where(np.greater(a, 0), a, 1.0)), 0.0)),
    np.maximum: (lambda a, b, y: _share(a, b), lambda a, b, y: _share(b, a)),
    np.minimum: (lambda a, b, y: _share(b, a), lambda a, b, y: _share(a, b)),
    np.logaddexp: (lambda a, b, y: np.exp(a - y), lambda a, b, y: np.exp(b - y)),
    np.hypot: (lambda a, b, y: a / y, lambda a, b, y: b / y),
    np.arctan2: (lambda a, b, y: b / (a * a + b * b), lambda a, b, y: -a / (a * a + b * b)),
    **{function: (partial,) for function, partial in {
        np.negative: lambda x, y: -1.0, np.positive: lambda x, y: 1.0, np.absolute: lambda x, y: np.sign(x),
        np.fabs: lambda x, y: np.sign(x),
        np.square: lambda x, y: 2 * x, np.sqrt: lambda x, y: 0.5 / y, np.cbrt: lambda x, y: 1 / (3 * y * y),
        np.reciprocal: lambda x, y: -y * y, np.exp: lambda x, y: y, np.exp2: lambda x, y: y * np.log(2), np.expm1: lambda x, y: y + 1,
        np.log: lambda x, y: 1 / x, np.log2: lambda x, y: 1 / (x * np.log(2)), np.log10: lambda x, y: 1 / (x * np.log(10)),
        np.log1p: lambda x, y: 1 / (1 + x), np.sin: lambda x, y: np.cos(x), np.cos: lambda x, y: -np.sin(x),
        np.tan: lambda x, y: 1 + y * y, np.sinh: lambda x, y: np.cosh(x), np.cosh: lambda x, y: np.sinh(x),
        np.tanh: lambda x, y: 1 / np.cosh(x) ** 2, np.arcsin: lambda x, y: 1 / np.sqrt(1 - x * x),
        np.arccos: lambda x, y: -1 / np.sqrt(1 - x * x), np.arctan: lambda x, y: 1 / (1 + x * x),
        np.arcsinh: lambda x, y: 1 / np.sqrt(1 + x * x), np.arccosh: lambda x, y: 1 / np.sqrt(x * x - 1),
        np.arctanh: lambda x, y: 1 / (1 - x * x)}.items()},
}
"""Functions with derivatives: the partial derivative in each argument, from the arguments and the result y."""

BY_VALUE = {np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal, np.sign, np.floor, np.ceil, np.rint, np.trunc,
            np.isfinite, np.isnan, np.isinf, np.logical_and, np.logical_or, np.logical_not, np.shape, np.ndim, np.size, np.any, np.all,
            np.argmax, np.argmin, np.isclose, np.allclose, np.array_equal}
"""Functions that look at values alone: their derivative is 0 wherever there is one."""

LINEAR = {np.sum, np.mean, np.cumsum, np.reshape, np.transpose, np.swapaxes, np.moveaxis, np.expand_dims, np.squeeze, np.ravel, np.copy,
          np.broadcast_to, np.roll, np.tile, np.repeat, np.flip, np.take, np.diag, np.tril, np.triu, np.diff}
"""Functions that are linear in their first argument."""

MULTILINEAR = {np.dot, np.outer, np.inner, np.einsum, np.tensordot}
"""Products: linear in each array."""


def _value(x):
    return x.value if isinstance(x, DualArray) else x


def _tangents(x):
    return x.tangents if isinstance(x, DualArray) else None


def _align(x, ndim):
    """Return tangents with as many axes behind the first as the result has; 0 if there are none."""
    tangents = _tangents(x)
    return 0.0 if tangents is None else tangents.reshape(len(tangents), *(1,) * (ndim - x.ndim), *x.shape)


def _times(tangents, factor):
    return tangents if isinstance(factor, float) and factor == 1 else tangents * factor


def _spread(parts, shape):
    """Add up parts of the tangents of a result of this shape."""
    if not parts:
        return None
    total = sum(parts[1:], start=parts[0])
    full = (len(total), *shape)
    return total if total.shape == full else np.broadcast_to(total, full)


def _linear(function, x, *args, **kwargs):
    """Apply a function that is linear in its first argument, and maps each direction as it maps the values."""
    if any(isinstance(e, DualArray) for e in (*args, *kwargs.values())):
        raise TypeError(f"np.{function.__name__} has a rule for derivatives of its first argument only")
    tangents = None if x.tangents is None else np.stack([function(t, *args, **kwargs) for t in x.tangents])
    return DualArray(function(x.value, *args, **kwargs), tangents)


def _multilinear(function, args, kwargs):
    """Apply a product: the derivative replaces one array after the other by its own."""
    values, parts = [_value(x) for x in args], []
    for k, x in enumerate(args):
        if _tangents(x) is not None:
            parts.append(np.stack([function(*values[:k], t, *values[k + 1:], **kwargs) for t in x.tangents]))
    y = function(*values, **kwargs)
    return DualArray(y, _spread(parts, np.shape(y)))


def _matmul(a, b):
    """Multiply matrices; two axes each go in one product for all directions."""
    if np.ndim(a) != 2 or np.ndim(b) != 2:
        return _multilinear(np.matmul, (a, b), {})
    y = _value(a) @ _value(b)
    parts = ([] if _tangents(a) is None else [a.tangents @ _value(b)]) + ([] if _tangents(b) is None else [_value(a) @ b.tangents])
    return DualArray(y, _spread(parts, y.shape))


def _joined(function):
    def join(arrays, *args, **kwargs):
        arrays = list(arrays)
        known = [x.tangents for x in arrays if _tangents(x) is not None]
        y = function([_value(x) for x in arrays], *args, **kwargs)
        if not known:
            return DualArray(y)
        each = [np.zeros((len(known[0]), *np.shape(x))) if _tangents(x) is None else x.tangents for x in arrays]
        return DualArray(y, np.stack([function([t[k] for t in each], *args, **kwargs) for k in range(len(known[0]))]))
    return join


def _where(condition, *pair):
    condition = _value(condition)
    if not pair:
        return np.where(condition)
    y = np.where(condition, *map(_value, pair))
    if all(_tangents(x) is None for x in pair):
        return DualArray(y)
    return DualArray(y, _spread([np.where(condition, *(_align(x, y.ndim) for x in pair))], y.shape))


def _clip(x, low=None, high=None, **kwargs):
    low, high = kwargs.pop("a_min", kwargs.pop("min", low)), kwargs.pop("a_max", kwargs.pop("max", high))
    if kwargs:
        raise TypeError(f"np.clip with {', '.join(kwargs)}= has no rule for derivatives")
    if low is not None:
        x = _where(np.less(x, low), low, x)
    return x if high is None else _where(np.greater(x, high), high, x)


def _extreme(function):
    def find(x, axis=None, keepdims=False):
        held = function(x.value, axis=axis, keepdims=True)
        share = (x.value == held) / (x.value == held).sum(axis=axis, keepdims=True)
        y = function(x.value, axis=axis, keepdims=keepdims)
        return DualArray(y, None if x.tangents is None else np.stack([(t * share).sum(axis=axis, keepdims=keepdims) for t in x.tangents]))
    return find


def _constant(function):
    def make(x, *args, **kwargs):
        return DualArray(function(x.value, *(_value(e) for e in args), **kwargs))
    return make


FUNCTIONS = {np.where: _where, np.clip: _clip, np.max: _extreme(np.max), np.min: _extreme(np.min),
             **{f: _joined(f) for f in (np.stack, np.concatenate, np.hstack, np.vstack)},
             **{f: _constant(f) for f in (np.zeros_like, np.ones_like)}}
"""Functions with a rule of their own."""
