"""Max pooling inside the integrate-and-fire neuron, written to be read (NumPy).

A neuron has one compartment for each pixel of its window. Each adds up its own current; the neuron fires when the largest potential
reaches the threshold, and then all compartments lose it. So it follows the maximum of the summed currents, where a maximum of the spikes
of four neurons (an "or") fires far too often. docs/derivations/pooling-inside-the-neuron.md derives (I12) to (I15).
"""

from typing import NamedTuple

import numpy as np

from .. import _checks
from ..conventions import RULES, Rule, Surrogate
from .integrate_fire import check_surrogate, surrogate_grad


class Cache(NamedTuple):
    """What backward needs of forward; opaque."""

    u: np.ndarray        # (T, B, H, W, C), the potentials as they are held against the threshold
    size: int
    threshold: float     # in the dtype of the arrays
    rule: Rule


def forward(current, size=2, threshold=1.0, v_init=0.0, rule=Rule()):
    """Run neurons over T time steps.

    Parameters
    ----------
    current : (T, B, H, W, C) array, float32 or float64
        What each step adds to the potential of each compartment.
    size : int
        Height and width of the windows, which do not overlap. Rows and columns that fill no window only add up their current.
    threshold : float
        Firing threshold; rounded to the dtype of the current.
    v_init : float or (B, H, W, C) array of the same dtype
        Potentials before the first step.
    rule : Rule
        Kind of the reset, and whether a neuron fires at V = threshold; the timing must be "same".

    Returns
    -------
    spikes : (T, B, H // size, W // size, C) array
        0 or 1.
    v_final : (B, H, W, C) array
        Potentials after the last step.
    cache : Cache
        For `backward`.

    Raises
    ------
    TypeError
        For anything but float32 or float64, a mix of both, or a rule that is no Rule.
    ValueError
        For shapes that do not fit, an empty batch, a threshold that is not positive, or another timing.
    """
    _checks.words(rule, "rule", Rule, RULES)
    current, v, threshold, shape = _checks.pooled_fire(current, size, threshold, v_init, rule)
    u, spikes = np.empty_like(current), np.empty(shape, current.dtype)
    for t, x in enumerate(current):
        u[t] = v + x                                                     # (I12) integrate,
        spikes[t], v = _fire(u[t], size, threshold, rule)
    return spikes, v, Cache(u, size, threshold, rule)


def step(v, current_t, size, threshold, rule):
    """Run neurons over one time step; T steps in a row give what `forward` gives, bit for bit.

    Parameters
    ----------
    v : float or (B, H, W, C) array
        Potentials before the step.
    current_t : (B, H, W, C) array, float32 or float64
        What the step adds to them.
    size : int
        Height and width of the windows.
    threshold : float
        Firing threshold; rounded to the dtype of the current.
    rule : Rule
        As for `forward`.

    Returns
    -------
    spikes_t : (B, H // size, W // size, C) array
        0 or 1.
    v : (B, H, W, C) array
        Potentials after the step, a new array.

    Raises
    ------
    TypeError, ValueError
        As `forward`.
    """
    _checks.words(rule, "rule", Rule, RULES)
    current, v, threshold, _ = _checks.pooled_fire_step(v, current_t, size, threshold, rule)
    return _fire(v + current[0], size, threshold, rule)


def _fire(u, size, threshold, rule):
    """Return spikes and the potentials after the reset."""
    top = _windows(u, size).max(axis=0)
    fired = top >= threshold if rule.fire == ">=" else top > threshold   # (I12) fire where the largest is high enough,
    each = _to_windows(fired, u.shape, size)
    v = u - threshold if rule.reset == "subtract" else np.zeros_like(u)  # (I13) reset all compartments
    return fired.astype(u.dtype), np.where(each, v, u)


def _windows(u, size):
    """See (B, H, W, C) as (size^2, B, h, w, C): the places of a window in row-major order."""
    h, w = u.shape[1] // size, u.shape[2] // size
    return np.stack([u[:, i:i + size * (h - 1) + 1:size, j:j + size * (w - 1) + 1:size] for i in range(size) for j in range(size)])


def _to_windows(y, shape, size):
    """Give each pixel of a window what the window has; 0 where there is none."""
    x = np.zeros(shape, y.dtype)
    x[:, :size * y.shape[1], :size * y.shape[2]] = y.repeat(size, axis=1).repeat(size, axis=2)
    return x


def backward(dspikes, cache, dv_final=None, surrogate=Surrogate("atan", slope=2.0), detach_reset=True):
    """Pull a gradient back through `forward`.

    Parameters
    ----------
    dspikes : (T, B, H // size, W // size, C) array
        Gradient of the loss with respect to the spikes.
    cache : Cache
        From `forward`.
    dv_final : (B, H, W, C) array, optional
        Gradient with respect to the potentials after the last step; default 0.
    surrogate : Surrogate
        What stands for the derivative of a spike with respect to the largest potential.
    detach_reset : bool
        Whether the reset counts as a constant.

    Returns
    -------
    dcurrent : (T, B, H, W, C) array
        Gradient with respect to the current.
    dv_init : (B, H, W, C) array
        Gradient with respect to v_init, each compartment its own.

    Raises
    ------
    TypeError, ValueError
        If gradients do not fit, or surrogate or detach_reset are wrong.
    """
    u, size, threshold, rule = cache
    dspikes, dv = _checks.pooled_fire_backward(dspikes, dv_final, u, size, detach_reset)
    check_surrogate(surrogate)
    du = np.empty_like(u)
    for t in reversed(range(len(u))):
        seen, ds = _windows(u[t], size), dspikes[t]
        if not detach_reset:
            lost = threshold if rule.reset == "subtract" else u[t]
            ds = ds - _windows(lost * dv, size).sum(axis=0)              # (I14) v = u - lost S, for each compartment
        if rule.reset == "zero":
            dv = np.where(_to_windows(_fire(u[t], size, threshold, rule)[0], dv.shape, size) > 0, 0, dv)
        d = surrogate_grad(seen.max(axis=0) - threshold, surrogate) * ds
        largest = _to_windows(seen.argmax(axis=0), dv.shape, size)       # (I15) to the largest; of equals to the first
        dv = du[t] = dv + np.where(_place(dv.shape, size) == largest, _to_windows(d, dv.shape, size), 0)
    return du, dv


def _place(shape, size):
    """Number each pixel's place in its window, in row-major order; -1 where there is no window."""
    rows, cols = np.arange(shape[1]), np.arange(shape[2])
    place = rows[:, None] % size * size + cols % size
    inside = (rows < shape[1] // size * size)[:, None] & (cols < shape[2] // size * size)
    return np.where(inside, place, -1)[:, :, None]
