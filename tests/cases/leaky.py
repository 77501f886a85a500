"""Every rule of leaky neurons, cases in which some fire and some do not, and what is refused."""

import itertools

import numpy as np

from pysnn.conventions import LEAKY_RULES, LeakyState, Rule, Surrogate

EVERY_LEAKY_RULE = [rule for rule in (Rule(*words) for words in itertools.product(*LEAKY_RULES.values()))
                    if rule.timing == "next" or rule.order == "reset first"]
PARTS = ((), ("alpha",), ("w_rec",), ("alpha", "w_rec"))


def spelt_leaky(rule):
    """Name a rule in a test's id."""
    return "-".join(rule).replace(" ", "")


def draw(rng, shape, rule, parts=(), dtype=np.float64, exact=False):
    """Draw arguments of forward by name, one parameter a neuron; exact: sums of four steps have no rounding in float32, and some meet.

    Meet the threshold, that is: the first current of the first sample brings it there.
    """
    n = shape[-1]
    if exact:
        x, v_init, w_rec = rng.integers(-4, 12, shape) / 8, rng.integers(-4, 10, shape[1:]) / 8, rng.integers(-3, 4, (n, n)) / 4
        theta, beta, alpha = rng.integers(2, 5, n) / 4, np.where(rng.random(n) < 0.5, 0.5, 0.75), rng.integers(1, 3, n) / 4
    else:
        x, v_init, w_rec = rng.normal(0.4, 0.8, shape), rng.uniform(-0.5, 1.4, shape[1:]), rng.normal(0, 0.6 / np.sqrt(n), (n, n))
        theta, beta, alpha = rng.uniform(0.6, 1, n), rng.uniform(0.4, 0.95, n), rng.uniform(0.3, 0.9, n)
    gain = 1 - beta if rule.gain == "1 - beta" else np.ones(n)
    x = x / gain
    if exact:
        v_init[0], x[0, 0] = 0, theta / gain
    found = {"current": x, "beta": beta, "threshold": theta, "v_init": v_init} | {
        name: y for name, y in (("alpha", alpha), ("w_rec", w_rec)) if name in parts}
    return {name: np.ascontiguousarray(y, dtype) for name, y in found.items()} | {"rule": rule}


def upstream(rng, shape, dtype=np.float64):
    """Draw gradients of spikes, last potentials and all potentials."""
    return tuple(rng.normal(size=s).astype(dtype) for s in (shape, shape[1:], shape))


X, P, W = np.full((3, 2, 4), 0.5), np.full(4, 0.5), np.ones((4, 4))
BAD_FORWARD = {
    "2 dimensions": ((X[0], 0.5), {}, ValueError, r"current: expected shape \(T, B, \.\.\., n\), got an array of shape \(2, 4\)"),
    "no steps": ((X[:0], 0.5), {}, ValueError, "current: expected at least one element"),
    "empty batch": ((X[:, :0], 0.5), {}, ValueError, "current: expected at least one element"),
    "integers": ((np.ones((3, 2, 4), int), 0.5), {}, TypeError, "current: expected float32 or float64.*int64"),
    "list": (([[[0.5]]], 0.5), {}, TypeError, "current: expected a NumPy array, got list"),
    "beta NaN": ((X, np.nan), {}, ValueError, "beta: expected finite numbers in float64, got float nan"),
    "beta text": ((X, "0.5"), {}, ValueError, r"beta: expected a finite number or an array of shape \(4,\), got str '0\.5'"),
    "beta None": ((X, None), {}, ValueError, r"beta: expected a finite number or an array of shape \(4,\), got NoneType"),
    "beta of another shape": ((X, P[:3]), {}, ValueError, r"beta: expected shape \(4\), got an array of shape \(3,\)"),
    "beta float32": ((X, P.astype(np.float32)), {}, TypeError, "one float dtype.*beta is float32, current is float64"),
    "beta with inf": ((X, P * np.inf), {}, ValueError, r"beta: expected finite numbers in float64, got an array of shape \(4,\)"),
    "threshold 0": ((X, 0.5, 0), {}, ValueError, "threshold: expected positive numbers in float64, got int 0"),
    "threshold negative": ((X, 0.5, -P), {}, ValueError, "threshold: expected positive numbers in float64, got an array"),
    "threshold too large for float32": ((X.astype(np.float32), 0.5, 1e39), {}, ValueError,
                                        r"threshold: expected positive numbers in float32, got float 1e\+39"),
    "v_init of another shape": ((X, 0.5, 1.0, X), {}, ValueError, r"v_init: expected shape \(2, 4\), got an array of shape \(3, 2, 4\)"),
    "v_init NaN": ((X, 0.5, 1.0, np.nan), {}, ValueError, "v_init: expected a finite number or an array of shape"),
    "alpha None of text": ((X, 0.5), {"alpha": "no"}, ValueError, "alpha: expected a finite number or an array"),
    "w_rec of another shape": ((X, 0.5), {"w_rec": W[:3]}, ValueError, r"w_rec: expected shape \(4, 4\), got an array of shape \(3, 4\)"),
    "w_rec float32": ((X, 0.5), {"w_rec": W.astype(np.float32)}, TypeError, "one float dtype.*w_rec is float32"),
    "rule text": ((X, 0.5), {"rule": "zero"}, TypeError, "rule: expected a Rule, got str 'zero'"),
    "unknown reset": ((X, 0.5), {"rule": Rule("soft")}, ValueError, "rule: expected reset to be one of subtract, zero, none, got 'soft'"),
    "unknown gain": ((X, 0.5), {"rule": Rule(gain="beta")}, ValueError, "rule: expected gain to be one of 1, 1 - beta, got 'beta'"),
    "unknown order": ((X, 0.5), {"rule": Rule(order="last")}, ValueError, "rule: expected order to be one of reset first, leak first"),
    "leak first in the same step": ((X, 0.5), {"rule": Rule(order="leak first")}, ValueError,
                                    "rule: expected timing 'next' with the order 'leak first', got 'same'"),
}
BAD_BACKWARD = {
    "shape": ((X[0],), {}, ValueError, r"dspikes: expected shape \(3, 2, 4\), got an array of shape \(2, 4\)"),
    "float32": ((X.astype(np.float32),), {}, TypeError, "one float dtype.*dspikes is float32"),
    "dv_final of another shape": ((X,), {"dv_final": X}, ValueError, r"dv_final: expected shape \(2, 4\), got an array"),
    "dv of another shape": ((X,), {"dv": X[0]}, ValueError, r"dv: expected shape \(3, 2, 4\), got an array of shape \(2, 4\)"),
    "dv float32": ((X,), {"dv": X.astype(np.float32)}, TypeError, "one float dtype.*dv is float32"),
    "surrogate text": ((X,), {"surrogate": "atan"}, TypeError, "surrogate: expected a Surrogate, got str 'atan'"),
    "slope": ((X,), {"surrogate": Surrogate("atan", -1.0)}, ValueError, "surrogate: slope: expected a positive number"),
    "detach_reset text": ((X,), {"detach_reset": "no"}, TypeError, "detach_reset: expected True or False, got str 'no'"),
}
BAD_STEP = {
    "state of another shape": ((X[0, 0], X[0], 0.5), ValueError, r"state: expected shape \(2, 4\), got an array of shape \(4,\)"),
    "current of a state": ((LeakyState(X[0], X[0, 0], X[0]), X[0], 0.5), ValueError, r"state: i: expected shape \(2, 4\)"),
    "1 dimension": ((0.0, X[0, 0], 0.5), ValueError, r"current_t: expected shape \(B, \.\.\., n\), got an array of shape \(4,\)"),
    "integers": ((0.0, np.ones((2, 4), int), 0.5), TypeError, "current_t: expected float32 or float64"),
    "threshold": ((0.0, X[0], 0.5, np.nan), ValueError, "threshold: expected positive numbers"),
    "rule": ((0.0, X[0], 0.5, 1.0, ("zero", "same", ">=")), TypeError, "rule: expected a Rule, got tuple"),
}
BAD_INTEGRATE = {
    "2 dimensions": ((X[0], 0.5), ValueError, r"current: expected shape \(T, B, \.\.\., n\)"),
    "beta": ((X, P[:2]), ValueError, r"beta: expected shape \(4\)"),
    "v_init": ((X, 0.5, X), ValueError, r"v_init: expected shape \(2, 4\)"),
    "alpha": ((X, 0.5, 0.0, np.nan), ValueError, "alpha: expected finite numbers in float64, got float nan"),
}
