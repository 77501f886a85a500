"""The integrate-and-fire neuron without rounding: potentials are whole numbers times a power of two, spikes and counts are exact.

The gradient through a surrogate is that of (I11) of docs/derivations/integrate-and-fire.md, taken forward: every input gets a dual
number, and 60 digits (mpmath) evaluate the surrogate. Nothing is shared with the operation under test.
"""

from fractions import Fraction
from typing import NamedTuple

import numpy as np

from ...conventions import Rule, Surrogate
from ._numbers import context, dyadic, exact

__all__ = ["Walk", "backward", "constant_count", "forward", "surrogate"]


class Walk(NamedTuple):
    """What backward needs of forward: whole numbers, in units of 2**-shift."""

    current: np.ndarray
    v_init: np.ndarray
    threshold: int
    shift: int
    rule: Rule


def forward(current, threshold=1.0, v_init=0.0, rule=Rule()):
    """Run neurons over T time steps without rounding; arguments as of `pysnn.reference.integrate_fire.forward`, mpf too.

    The threshold is rounded to the dtype of the current, as the operation under test does. Return spikes (T, B, ...), float64; v_final, an
    object array of fractions; and the walk that `backward` needs.
    """
    current = np.asarray(current)
    if current.dtype != object:
        threshold = current.dtype.type(threshold)
    (x, theta, v), shift = dyadic(current, np.asarray(threshold), np.broadcast_to(np.asarray(v_init, current.dtype), current.shape[1:]))
    walk = Walk(x, v, theta[()], shift, rule)
    spikes = np.empty(current.shape)
    for t, x_t in enumerate(x):
        spikes[t], v = _step(v, x_t, walk)
    return spikes, _fractions(v, shift), walk


def _fractions(whole, shift):
    return np.asarray(np.frompyfunc(lambda v: Fraction(v, 1) / Fraction(2) ** shift, 1, 1)(whole), dtype=object)


def _step(v, x, walk):
    """Return spikes and the new state of one step, (I1) to (I3), in whole numbers."""
    if walk.rule.timing == "next":
        u = _after(v, _fired(v, walk), walk) + x
        return _fired(u, walk), u
    u = v + x
    s = _fired(u, walk)
    return s, _after(u, s, walk)


def _fired(u, walk):
    return np.asarray(u >= walk.threshold if walk.rule.fire == ">=" else u > walk.threshold, dtype=bool)


def _after(u, s, walk):
    return np.where(s, u - walk.threshold if walk.rule.reset == "subtract" else 0, u)


def constant_count(a, n_steps, threshold=1, rule=Rule()):
    """Count the spikes of a constant current from V = 0 by the closed forms, in fractions.

    Parameters
    ----------
    a : Fraction or int
        Current of each step.
    n_steps : int
        T.
    threshold : Fraction or int
        Firing threshold.
    rule : Rule
        Its timing does not matter.

    Returns
    -------
    int
        Spikes in T steps.
    """
    if a <= 0:
        return 0
    a, theta = Fraction(a), Fraction(threshold)
    if rule.reset == "subtract":
        return int(min(n_steps, n_steps * a // theta if rule.fire == ">=" else -(-n_steps * a // theta) - 1))
    return int(n_steps // (-(-theta // a) if rule.fire == ">=" else theta // a + 1))


def surrogate(x, kind):
    """Evaluate what stands for the derivative of a spike, (I7), to 60 digits.

    Parameters
    ----------
    x : mpf
        V - threshold.
    kind : Surrogate
        Kind and slope.

    Returns
    -------
    mpf
        The derivative of the soft step.
    """
    ctx = context()
    k = ctx.mpf(float(kind.slope))
    if kind.kind == "atan":
        return k / 2 / (1 + (ctx.pi * k * x / 2) ** 2)
    if kind.kind == "fast_sigmoid":
        return (1 + k * abs(x)) ** -2
    if kind.kind == "sigmoid":
        return k / 4 * ctx.sech(k * x / 2) ** 2
    if kind.kind == "triangle":
        return k * max(ctx.zero, 1 - k * abs(x))
    raise ValueError(f"surrogate: expected atan, fast_sigmoid, sigmoid or triangle, got {kind.kind!r}")


def backward(dspikes, walk, dv_final=None, kind=Surrogate(), detach_reset=True):
    """Pull gradients back through the walk, by dual numbers, input by input, with 60 digits.

    Arguments as of `pysnn.reference.integrate_fire.backward`, the walk in the place of its cache.
    Return dcurrent (T, B, ...) and dv_init (B, ...), object arrays.
    """
    n_steps, shape = len(walk.current), walk.current.shape[1:]
    grads = exact(np.zeros((n_steps + 1, *shape)))                       # the last row is v_init
    dspikes = exact(dspikes)
    seed = exact(np.eye(n_steps + 1)).reshape(n_steps + 1, n_steps + 1, *([1] * len(shape)))
    dx, dv = seed[:, :-1], seed[:, -1] + exact(np.zeros(shape))          # (input, step, ...) and (input, ...)
    v = walk.v_init
    for t, x in enumerate(walk.current):
        if walk.rule.timing == "next":
            s = _fired(v, walk)
            u, du = _after(v, s, walk) + x, _reset_tangent((v, dv, s), kind, detach_reset, walk) + dx[:, t]
            v, dv = u, du
        else:
            u, du = v + x, dv + dx[:, t]
            s = _fired(u, walk)
            v, dv = _after(u, s, walk), _reset_tangent((u, du, s), kind, detach_reset, walk)
        grads += dspikes[t] * _slope(u, kind, walk) * du
    if dv_final is not None:
        grads += exact(dv_final) * dv
    return grads[:-1], grads[-1]


def _slope(u, kind, walk):
    """Evaluate the surrogate at potentials in whole numbers."""
    ctx = context()
    return np.asarray(np.frompyfunc(lambda v: surrogate(ctx.ldexp(int(v) - walk.threshold, -walk.shift), kind), 1, 1)(u), dtype=object)


def _reset_tangent(at, kind, detach_reset, walk):
    """Push a tangent through the reset; at is (u, du, whether it fired)."""
    u, du, s = at
    ds = 0 if detach_reset else _slope(u, kind, walk) * du
    ctx = context()
    if walk.rule.reset == "subtract":
        return du - ctx.ldexp(walk.threshold, -walk.shift) * ds
    value = np.asarray(np.frompyfunc(lambda v: ctx.ldexp(int(v), -walk.shift), 1, 1)(u), dtype=object)
    return np.where(s, 0, du) - value * ds
