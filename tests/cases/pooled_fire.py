"""Sizes and rules of neurons that pool inside, and what they refuse."""

import itertools

import numpy as np

from pysnn.conventions import RULES, Rule, Surrogate

POOLED_RULES = [Rule(reset, "same", fire) for reset, fire in itertools.product(RULES["reset"], RULES["fire"])]
SHAPES = {   # (T, B, H, W, C), size of the windows
    "two": ((6, 2, 4, 6, 3), 2), "rows left over": ((5, 2, 5, 7, 2), 2), "three": ((5, 3, 7, 6, 1), 3), "one place": ((6, 2, 3, 2, 4), 1),
    "one step": ((1, 2, 4, 4, 5), 2), "one sample": ((7, 1, 4, 4, 2), 2), "one window": ((4, 1, 2, 3, 1), 2),
    "many samples": ((3, 37, 2, 2, 2), 2)}


def draw(rng, shape, dtype, ties=False):
    """Draw currents and first potentials; with ties they are quarters, so that potentials are equal and meet the threshold 1."""
    if ties:
        return (rng.integers(-2, 4, shape) / 4).astype(dtype), (rng.integers(-2, 4, shape[1:]) / 4).astype(dtype)
    return rng.normal(0.15, 0.5, shape).astype(dtype), rng.uniform(-0.5, 1, shape[1:]).astype(dtype)


X = np.full((3, 2, 4, 5, 1), 0.25)
S = np.ones((3, 2, 2, 2, 1))
BAD_FORWARD = {
    "4 dimensions": ((X[0],), {}, ValueError, r"current, size: expected shape \(T, B, H, W, C\) and a window that fits, got an array"),
    "1 dimension": ((X[0, 0, 0, 0],), {}, ValueError, r"current: expected shape \(T, B, \.\.\.\)"),
    "no steps": ((X[:0],), {}, ValueError, "current: expected at least one element"),
    "empty batch": ((X[:, :0],), {}, ValueError, "current: expected at least one element"),
    "integers": ((np.ones((3, 2, 2, 2, 1), int),), {}, TypeError, "current: expected float32 or float64.*int64"),
    "list": ((X.tolist(),), {}, TypeError, "current: expected a NumPy array, got list"),
    "window too large": ((X, 5), {}, ValueError, "a window that fits, got .* and 5"),
    "window 0": ((X, 0), {}, ValueError, "a window that fits, got .* and 0"),
    "window 2.0": ((X, 2.0), {}, ValueError, r"a window that fits, got .* and 2\.0"),
    "window True": ((X, True), {}, ValueError, "a window that fits, got .* and True"),
    "threshold NaN": ((X, 2, np.nan), {}, ValueError, "threshold: expected a positive number, got float nan"),
    "threshold too large for float32": ((X.astype(np.float32), 2, 1e39), {}, ValueError, "threshold as float32: expected a positive"),
    "v_init of another shape": ((X, 2, 1.0, X), {}, ValueError, r"v_init: expected shape \(2, 4, 5, 1\)"),
    "v_init float32": ((X, 2, 1.0, X[0].astype(np.float32)), {}, TypeError, "one float dtype.*v_init is float32"),
    "v_init NaN": ((X, 2, 1.0, np.nan), {}, ValueError, "v_init: expected a finite number"),
    "rule text": ((X,), {"rule": "zero"}, TypeError, "rule: expected a Rule, got str 'zero'"),
    "unknown reset": ((X,), {"rule": Rule("soft")}, ValueError, "rule: expected reset to be one of subtract, zero"),
    "timing next": ((X,), {"rule": Rule(timing="next")}, ValueError, "rule: expected timing 'same' where neurons pool, got 'next'"),
}
BAD_BACKWARD = {
    "shape": ((X,), {}, ValueError, r"dspikes: expected shape \(3, 2, 2, 2, 1\), got an array of shape \(3, 2, 4, 5, 1\)"),
    "float32": ((S.astype(np.float32),), {}, TypeError, "one float dtype.*dspikes is float32"),
    "list": (([1.0],), {}, TypeError, "dspikes: expected a NumPy array, got list"),
    "dv_final of another shape": ((S,), {"dv_final": S[0]}, ValueError, r"dv_final: expected shape \(2, 4, 5, 1\)"),
    "surrogate text": ((S,), {"surrogate": "atan"}, TypeError, "surrogate: expected a Surrogate, got str 'atan'"),
    "slope": ((S,), {"surrogate": Surrogate("atan", -1.0)}, ValueError, "surrogate: slope: expected a positive number"),
    "detach_reset text": ((S,), {"detach_reset": "no"}, TypeError, "detach_reset: expected True or False, got str 'no'"),
}
BAD_STEP = {
    "v of another shape": ((S[0], X[0], 2, 1.0, Rule()), ValueError, r"v: expected shape \(2, 4, 5, 1\)"),
    "list": ((0.0, X[0].tolist(), 2, 1.0, Rule()), TypeError, "current_t: expected a NumPy array, got list"),
    "integers": ((0.0, np.ones((2, 2, 2, 1), int), 2, 1.0, Rule()), TypeError, "current_t: expected float32 or float64"),
    "3 dimensions": ((0.0, X[0, 0], 2, 1.0, Rule()), ValueError, "a window that fits"),
    "window": ((0.0, X[0], 5, 1.0, Rule()), ValueError, "a window that fits, got .* and 5"),
    "rule": ((0.0, X[0], 2, 1.0, ("zero", "same", ">=")), TypeError, "rule: expected a Rule, got tuple"),
}
