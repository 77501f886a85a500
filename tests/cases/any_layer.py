"""Layers of spiking neurons in plain NumPy, for checks of any layer: right, or changed in one place."""

FORM = """
import numpy as np
{declared}
BETA_ = {beta}
SHAPE_ = {surrogate!r}


def g(x):
    from pysnn.verify.witness.surrogates import derivative, of
    return derivative(x, of(SHAPE_))


def forward(current):
    v, seen = np.zeros(current.shape[1:]), []
    for t, x in enumerate(current):
        {forward}
        s = (v >= 1.0) * 1.0
        seen.append((v, s))
        v = {reset}
    return np.stack([s for _, s in seen]), seen


def backward(dspikes, seen):
    dv, grads = np.zeros_like(seen[0][0]), []
    for t in reversed(range(len(seen))):
        v, s = seen[t]
        ds = dspikes[t]
        dv = BETA_ * {back} + g(v - 1.0) * ds
        {more}
        grads.insert(0, dv.copy())
    return np.stack(grads)
"""
ALL = 'RULE, SURROGATE, DETACH_RESET = ("subtract", "same", ">="), ("atan", 2.0), True'
PLAIN = {"declared": ALL, "beta": 1.0, "surrogate": ("atan", 2.0), "forward": "v = BETA_ * v + x", "reset": "v - s", "back": "dv",
         "more": "pass"}

RIGHT = {
    "subtract": {},
    "zero, attached": {"declared": 'RULE, SURROGATE, DETACH_RESET = ("zero", "same", ">="), ("sigmoid", 4.0), False',
                       "reset": "v * (1 - s)", "surrogate": ("sigmoid", 4.0), "back": "dv * (1 - s - v * g(v - 1.0))"},
    "leak, gain": {"declared": 'RULE, SURROGATE, DETACH_RESET = ("subtract", "same", ">=", "1 - beta"), ("atan", 2.0), True\nBETA = 0.75',
                   "beta": 0.75, "forward": "v = BETA_ * v + (1 - BETA_) * x", "more": "grads.insert(0, (1 - BETA_) * dv); continue"},
    "boxcar, attached": {"declared": 'RULE, SURROGATE, DETACH_RESET = ("subtract", "same", ">="), ("boxcar", 1.0), False',
                         "surrogate": ("boxcar", 1.0), "back": "dv * (1 - g(v - 1.0))"},
}


def source(**change):
    """Write a layer: leak 1, reset by subtraction, detached, atan 2; or changed in one place."""
    return FORM.format(**{**PLAIN, **change})
