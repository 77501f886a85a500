"""Every rule and surrogate of the integrate-and-fire neuron, and what is refused."""

import itertools

import numpy as np

from pysnn.conventions import RULES, SURROGATES, Rule, Surrogate

INF = np.inf
EVERY_RULE = [Rule(*words) for words in itertools.product(*RULES.values())]
EVERY_SURROGATE = [Surrogate("atan", 2.0), Surrogate("fast_sigmoid", 25.0), Surrogate("sigmoid", 4.0), Surrogate("triangle", 1.0)]
assert [s.kind for s in EVERY_SURROGATE] == list(SURROGATES["kind"])


def spelt(x):
    """Name a rule or surrogate in a test's id."""
    return "-".join(str(word) for word in x)


X = np.full((3, 2, 4), 0.5)
BAD_FORWARD = {
    "1 dimension": ((X[0, 0],), {}, ValueError, r"current: expected shape \(T, B, \.\.\.\), got an array of shape \(4,\)"),
    "no steps": ((X[:0],), {}, ValueError, r"current: expected at least one element, got an array of shape \(0, 2, 4\)"),
    "empty batch": ((X[:, :0],), {}, ValueError, "current: expected at least one element"),
    "integers": ((np.ones((3, 2), int),), {}, TypeError, "current: expected float32 or float64.*int64"),
    "float16": ((X.astype(np.float16),), {}, TypeError, "current: expected float32 or float64.*float16"),
    "list": (([[0.5]],), {}, TypeError, "current: expected a NumPy array, got list"),
    "threshold NaN": ((X, np.nan), {}, ValueError, "threshold: expected a positive number, got float nan"),
    "threshold 0": ((X, 0), {}, ValueError, "threshold: expected a positive number, got int 0"),
    "threshold negative": ((X, -1.0), {}, ValueError, r"threshold: expected a positive number, got float -1\.0"),
    "threshold inf": ((X, INF), {}, ValueError, "threshold: expected a positive number, got float inf"),
    "threshold too large for float32": ((X.astype(np.float32), 1e39), {}, ValueError, "threshold as float32: expected a positive"),
    "threshold array": ((X, np.ones(2)), {}, ValueError, "threshold: expected a positive number, got an array"),
    "v_init of another shape": ((X, 1.0, X), {}, ValueError, r"v_init: expected shape \(2, 4\), got an array of shape \(3, 2, 4\)"),
    "v_init float32": ((X, 1.0, X[0].astype(np.float32)), {}, TypeError, "one float dtype.*v_init is float32, current is float64"),
    "v_init NaN": ((X, 1.0, np.nan), {}, ValueError, "v_init: expected a finite number or an array of shape .2, 4., got float nan"),
    "v_init text": ((X, 1.0, "0"), {}, ValueError, "v_init: expected a finite number .* got str '0'"),
    "v_init None": ((X, 1.0, None), {}, ValueError, "v_init: expected a finite number .* got NoneType"),
    "rule text": ((X,), {"rule": "subtract"}, TypeError, "rule: expected a Rule, got str 'subtract'"),
    "rule None": ((X,), {"rule": None}, TypeError, "rule: expected a Rule, got NoneType"),
    "unknown reset": ((X,), {"rule": Rule("soft")}, ValueError, "rule: expected reset to be one of subtract, zero, got 'soft'"),
    "unknown timing": ((X,), {"rule": Rule(timing="late")}, ValueError, "rule: expected timing to be one of same, next, got 'late'"),
    "unknown comparison": ((X,), {"rule": Rule(fire="<")}, ValueError, "rule: expected fire to be one of >=, >, got '<'"),
}
BAD_BACKWARD = {
    "shape": ((X[0],), {}, ValueError, r"dspikes: expected shape \(3, 2, 4\), got an array of shape \(2, 4\)"),
    "float32": ((X.astype(np.float32),), {}, TypeError, "one float dtype.*dspikes is float32"),
    "list": (([1.0],), {}, TypeError, "dspikes: expected a NumPy array, got list"),
    "dv_final of another shape": ((X,), {"dv_final": X}, ValueError, r"dv_final: expected shape \(2, 4\), got an array"),
    "dv_final float32": ((X,), {"dv_final": X[0].astype(np.float32)}, TypeError, "one float dtype.*dv_final is float32"),
    "surrogate text": ((X,), {"surrogate": "atan"}, TypeError, "surrogate: expected a Surrogate, got str 'atan'"),
    "unknown surrogate": ((X,), {"surrogate": Surrogate("boxcar")}, ValueError,
                          "surrogate: expected kind to be one of atan, fast_sigmoid, sigmoid, triangle, got 'boxcar'"),
    "negative slope": ((X,), {"surrogate": Surrogate("atan", -1.0)}, ValueError,
                       r"surrogate: slope: expected a positive number, got float -1\.0"),
    "slope NaN": ((X,), {"surrogate": Surrogate("atan", np.nan)}, ValueError, "slope: expected a positive number, got float nan"),
    "detach_reset text": ((X,), {"detach_reset": "no"}, TypeError, "detach_reset: expected True or False, got str 'no'"),
}
BAD_STEP = {
    "v of another shape": ((X[0, 0], X[0], 1.0, Rule()), ValueError, r"v: expected shape \(2, 4\), got an array of shape \(4,\)"),
    "integers": ((0.0, np.ones(3, int), 1.0, Rule()), TypeError, "current_t: expected float32 or float64"),
    "threshold": ((0.0, X[0], np.nan, Rule()), ValueError, "threshold: expected a positive number"),
    "rule": ((0.0, X[0], 1.0, ("zero", "same", ">=")), TypeError, "rule: expected a Rule, got tuple"),
}
