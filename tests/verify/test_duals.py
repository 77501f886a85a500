"""Dual numbers: every rule against differences, every analytic one against the complex step, and what has no rule is refused by name."""

import numpy as np
import pytest

from pysnn.verify.witness import duals
from pysnn.verify.witness.duals import DualArray

RNG = np.random.default_rng(0)
X, Y, W = RNG.uniform(0.2, 0.9, (3, 4)), RNG.uniform(1.1, 1.9, (3, 4)), RNG.normal(size=(4, 4))
ROW, NUMBER = RNG.uniform(0.3, 0.8, 4), np.float64(0.6)
MASK = RNG.random((3, 4)) < 0.5

UNARY = {function: (lambda x, function=function: function(x), (Y if function is np.arccosh else X,))
         for function, partials in duals.PARTIALS.items() if len(partials) == 1}
BINARY = {(function, shapes): (function, pair) for function, partials in duals.PARTIALS.items() if len(partials) == 2
          for shapes, pair in {"alike": (X, Y), "broadcast": (ROW, Y), "number first": (NUMBER, Y), "number second": (Y, NUMBER)}.items()}
EXTRA = {np.transpose: ((1, 0),), np.swapaxes: (0, 1), np.moveaxis: (0, 1), np.expand_dims: (1,), np.broadcast_to: ((2, 3, 4),),
         np.reshape: ((2, 6),), np.roll: (1,), np.tile: (2,), np.repeat: (2,), np.take: (np.array([2, 0]),)}
LINEAR = {function: (lambda x, function=function: function(x, *EXTRA.get(function, ())), (X,)) for function in duals.LINEAR}
OTHERS = {
    "sum over an axis": (lambda x: x.sum(axis=1, keepdims=True) * x, (X,)),
    "mean over an axis": (lambda x: np.mean(x, axis=-1), (X,)),
    "matrix product": (lambda x, w: x @ w, (X, W)),
    "product with a vector": (lambda x, row: x @ row, (X, ROW)),
    "vector with a matrix": (lambda row, w: row @ w, (ROW, W)),
    "plain matrix": (lambda w: X @ w, (W,)),
    "transposed": (lambda x, w: x @ w.T, (X, W)),
    "dot": (np.dot, (X, W)), "method dot": (lambda x, w: x.dot(w), (X, W)),
    "outer": (np.outer, (ROW, Y[0])), "inner": (np.inner, (X, Y)), "tensordot": (lambda x, w: np.tensordot(x, w, axes=1), (X, W)),
    "einsum": (lambda x, w: np.einsum("bn,nm->bm", x, w), (X, W)),
    "where": (lambda x, y: np.where(MASK, x, y * y), (X, Y)), "where with a number": (lambda x: np.where(MASK, x * x, 0.0), (X,)),
    "where on a row": (lambda x, row: np.where(MASK, row, x), (X, ROW)),
    "clip": (lambda x: np.clip(x, 0.4, 0.6), (X,)), "method clip": (lambda x: x.clip(0.4, None), (X,)),
    "clip at moving ends": (lambda x, low, high: np.clip(x, low, high), (X, np.float64(0.45), ROW + 0.2)),
    "stack": (lambda x, y: np.stack([x, y, X], axis=1), (X, Y)), "concatenate": (lambda x, y: np.concatenate([y, x], axis=1), (X, Y)),
    "hstack": (lambda x, y: np.hstack([x, y]), (X, Y)), "vstack": (lambda x, y: np.vstack((x, y)), (X, Y)),
    "max": (lambda x: np.max(x, axis=1), (X,)), "min": (lambda x: x.min(), (X,)),
    "max, kept": (lambda x: x.max(axis=0, keepdims=True), (X,)),
    "powers": (lambda x: x ** 3 + 2.0 ** x + x ** -1 + x ** 0.5, (X,)),
    "operators": (lambda x, y: -x + 2 - y / 3 + 1 / x - 2 * (+y) + abs(x - 0.5) + (3 - x), (X, Y)),
    "numbers of NumPy first": (lambda x: np.float64(2) * x + np.ones(4) * x - np.ones((3, 1)) / x, (X,)),
    "parts": (lambda x: x[:, :2] * x[:, 2:] + x[0, 1] + x[..., -1:] + x[:, None, 0], (X,)),
    "chosen parts": (lambda x: x[[0, 2]][:, np.array([1, 1, 3])] * x[x > -1].sum(), (X,)),
    "rows": (lambda x: sum(row * k for k, row in enumerate(x)), (X,)),
    "in place": (lambda x, y: _in_place(x * 1.0, y), (X, Y)),
    "zeros and ones": (lambda x: np.zeros_like(x) + np.ones_like(x) * x, (X,)),
    "by value": (lambda x: x * (x > 0.5) + np.sign(x) * np.floor(3 * x) + x * np.isfinite(x), (X,)),
    "shapes": (lambda x: x.reshape(4, 3).T.reshape((2, -1)).ravel() * len(x) * x.shape[1] * x.ndim * x.size, (X,)),
    "methods": (lambda x: x.transpose(1, 0).squeeze().copy().astype(float).cumsum() + x.mean() + x.swapaxes(0, 1).repeat(1), (X,)),
}
EVERY = {str(getattr(name, "__name__", name)) if not isinstance(name, tuple) else f"{name[0].__name__}, {name[1]}": case
         for name, case in {**UNARY, **BINARY, **LINEAR, **OTHERS}.items()}


def _in_place(x, y):
    x += y
    x *= 2.0
    x -= 1
    x /= y
    return x


def every_direction(args):
    """Give each argument its part of the identity: one direction a number."""
    sizes = [np.size(x) for x in args]
    eye = np.eye(sum(sizes))
    parts = np.split(eye, np.cumsum(sizes)[:-1], axis=1)
    return [DualArray(x, part.reshape(-1, *np.shape(x))) for x, part in zip(args, parts, strict=True)]


def moved(args, k, h):
    """Move the k-th number of all arguments."""
    flat = np.concatenate([np.ravel(x) for x in args]).astype(np.result_type(float, type(h)))
    flat[k] += h
    return [part.reshape(np.shape(x)) for x, part in zip(args, np.split(flat, np.cumsum([np.size(x) for x in args])[:-1]), strict=True)]


@pytest.mark.parametrize("name", EVERY)
def test_rule_against_differences(name):
    function, args = EVERY[name]
    got = function(*every_direction(args))
    np.testing.assert_array_equal(got.value, function(*args))
    assert got.tangents.shape == (sum(np.size(x) for x in args), *got.value.shape) and got.tangents.any()
    for k, tangent in enumerate(got.tangents):
        quotient = (function(*moved(args, k, 1e-6)) - function(*moved(args, k, -1e-6))) / 2e-6
        np.testing.assert_allclose(tangent, quotient, rtol=1e-7, atol=3e-8)


ANALYTIC = [name for name in EVERY if name.split(",")[0] not in (
    "absolute", "fabs", "maximum", "minimum", "logaddexp", "hypot", "arctan2", "cbrt", "clip", "clip at moving ends", "method clip", "max",
    "max, kept", "min", "operators", "chosen parts", "by value", "methods")]


@pytest.mark.parametrize("name", ANALYTIC)
def test_rule_against_the_complex_step(name):
    function, args = EVERY[name]
    for k, tangent in enumerate(function(*every_direction(args)).tangents):
        np.testing.assert_allclose(tangent, function(*moved(args, k, 1e-20j)).imag / 1e-20, rtol=1e-13, atol=1e-14)


def test_every_function_with_a_rule_is_tried():
    tried = {*UNARY, *(name for name, _ in BINARY), *LINEAR}
    assert tried == {*duals.PARTIALS, *duals.LINEAR}
    assert {*duals.MULTILINEAR, *duals.FUNCTIONS} == {getattr(np, name) for name in (
        "dot", "outer", "inner", "tensordot", "einsum", "where", "clip", "stack", "concatenate", "hstack", "vstack", "max", "min",
        "zeros_like", "ones_like")}


def test_ties():
    x = DualArray([0.0, 0.0], np.eye(2))
    for function, wanted in ((lambda x: np.maximum(x, 0.0), 0.5), (lambda x: np.minimum(0.0, x), 0.5), (lambda x: np.clip(x, 0, 1), 1.0),
                             (np.abs, 0.0)):
        np.testing.assert_array_equal(function(x).tangents, wanted * np.eye(2))
    np.testing.assert_array_equal(x.max().tangents, [0.5, 0.5])


UNKNOWN = {
    "heaviside": (lambda x: np.heaviside(x, 1.0), r"np\.heaviside has no rule"), "fmod": (lambda x: np.fmod(x, 2), r"np\.fmod has no rule"),
    "prod": (lambda x: np.prod(x), r"np\.prod has no rule"), "var": (lambda x: np.var(x), r"np\.var has no rule"),
    "add.reduce": (np.add.reduce, r"np\.add\.reduce has no rule"), "norm": (np.linalg.norm, r"np\.norm has no rule"),
    "out": (lambda x: np.add(x, 1, out=np.zeros((3, 4))), r"np\.add with out=.*x = x \+ y"),
    "where=": (lambda x: np.add(x, 1, where=MASK), r"np\.add with where="),
    "plain +=": (lambda x: _in_place(np.zeros((3, 4)), x), r"np\.add with out="),
    "asarray": (np.asarray, r"np\.asarray.*stop\(v\)"), "array": (lambda x: np.array([x, x]), r"np\.array"),
    "float": (lambda x: float(x[0, 0]), r"float\(\)"),
    "into plain": (lambda x: np.zeros((3, 4)).__setitem__(slice(None), x), r"plain array"),
    "assignment": (lambda x: x.__setitem__(0, 1.0), r"np\.where, np\.stack"), "astype": (lambda x: x.astype(int), r"astype\(int64\)"),
    "clip with out": (lambda x: np.clip(x, 0, 1, dtype=float), r"np\.clip with dtype="),
    "roll by itself": (lambda x: np.roll(x, x), r"np\.roll has a rule for derivatives of its first argument only"),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_has_no_rule_is_refused_by_name(name):
    function, message = UNKNOWN[name]
    with pytest.raises(TypeError, match=message) as found:
        function(DualArray(X, np.ones((1, 3, 4))))
    assert "\n" not in str(found.value) and len(str(found.value)) < 200


def test_constants_have_no_directions():
    x = DualArray(X)
    for y in (x + 1, np.exp(x), x[0], np.where(MASK, x, 1.0), np.stack([x, X]), x.sum(), x @ W, np.clip(x, 0, 1), x.max(),
              np.zeros_like(x)):
        assert isinstance(y, DualArray) and y.tangents is None
    assert bool(DualArray(1.0)) and "directions: 0" in repr(x) and not hasattr(x, "__array_interface__")
