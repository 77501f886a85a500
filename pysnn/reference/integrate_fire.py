"""The integrate-and-fire neuron in discrete time, written to be read (NumPy).

The membrane adds up its input current, fires where it reaches the threshold, and is then reset. Its backward pass puts the derivative of a
soft step in the place of the derivative of a spike. docs/derivations/integrate-and-fire.md derives the equations tagged (I1) ... (I11).
Sources: S. R. Kheradpisheh, M. Mirsadeghi, T. Masquelier, arXiv 2109.13208 (the neuron); E. O. Neftci, H. Mostafa, F. Zenke,
arXiv 1901.09948 (surrogate gradients).
"""

from typing import NamedTuple

import numpy as np

from .. import _checks
from ..conventions import RULES, SURROGATES, Rule, Surrogate


class Cache(NamedTuple):
    """What backward needs of forward; opaque."""

    v_init: np.ndarray   # (B, ...)
    u: np.ndarray        # (T, B, ...), the potential as it is held against the threshold
    threshold: float     # in the dtype of the arrays
    rule: Rule


def forward(current, threshold=1.0, v_init=0.0, rule=Rule()):
    """Run neurons over T time steps.

    Parameters
    ----------
    current : (T, B, ...) array, float32 or float64
        What each step adds to the membrane potential.
    threshold : float
        Firing threshold; rounded to the dtype of the current.
    v_init : float or (B, ...) array of the same dtype
        Membrane potential before the first step.
    rule : Rule
        Kind and timing of the reset, and whether a neuron fires at V = threshold.

    Returns
    -------
    spikes : (T, B, ...) array
        0 or 1.
    v_final : (B, ...) array
        Membrane potential after the last step: the v_init of a run that goes on.
    cache : Cache
        For `backward`.

    Raises
    ------
    TypeError
        For anything but float32 or float64, a mix of both, or a rule that is no Rule.
    ValueError
        For shapes that do not fit, an empty batch, a threshold that is not positive, or an unknown word in the rule.
    """
    _checks.words(rule, "rule", Rule, RULES)
    current, v_init, threshold = _checks.integrate_fire_forward(current, threshold, v_init)
    u, spikes = np.empty_like(current), np.empty_like(current)
    v = v_init
    for t, x in enumerate(current):
        u[t], spikes[t], v = _advance(v, x, threshold, rule)
    return spikes, v, Cache(v_init, u, threshold, rule)


def step(v, current_t, threshold, rule):
    """Run neurons over one time step; T steps in a row give what `forward` gives, bit for bit.

    Parameters
    ----------
    v : float or (B, ...) array
        Membrane potential before the step.
    current_t : (B, ...) array, float32 or float64
        What the step adds to it.
    threshold : float
        Firing threshold; rounded to the dtype of the current.
    rule : Rule
        As for `forward`.

    Returns
    -------
    spikes_t : (B, ...) array
        0 or 1.
    v : (B, ...) array
        Membrane potential after the step, a new array.

    Raises
    ------
    TypeError, ValueError
        As `forward`.
    """
    _checks.words(rule, "rule", Rule, RULES)
    v, current_t, threshold = _checks.integrate_fire_step(v, current_t, threshold)
    return _advance(v, current_t, threshold, rule)[1:]


def _advance(v, x, threshold, rule):
    """Return u, spikes and the new state of one step."""
    if rule.timing == "same":
        u = v + x                                                        # (I1) integrate,
        fired = _fires(u, threshold, rule)
        v = _reset(u, fired, threshold, rule)
    else:
        u = _reset(v, _fires(v, threshold, rule), threshold, rule) + x   # (I3) the reset comes first,
        fired = _fires(u, threshold, rule)
        v = u                                                            # and the state is not reset yet
    return u, fired.astype(u.dtype), v


def _fires(u, threshold, rule):
    return u >= threshold if rule.fire == ">=" else u > threshold        # (I1) and fire


def _reset(u, fired, threshold, rule):
    after = u - threshold if rule.reset == "subtract" else np.zeros_like(u)
    return np.where(fired, after, u)                                     # (I2)


def backward(dspikes, cache, dv_final=None, surrogate=Surrogate("atan", slope=2.0), detach_reset=True):
    """Pull a gradient back through `forward`, with a surrogate for the derivative of a spike.

    Parameters
    ----------
    dspikes : (T, B, ...) array
        Gradient of the loss with respect to the spikes.
    cache : Cache
        From `forward`.
    dv_final : (B, ...) array, optional
        Gradient with respect to v_final; default: none.
    surrogate : Surrogate
        What stands for the derivative of a spike with respect to V - threshold.
    detach_reset : bool
        Whether the reset takes its spike as a constant.

    Returns
    -------
    dcurrent : (T, B, ...) array
        Gradient with respect to the current.
    dv_init : (B, ...) array
        Gradient with respect to v_init; sum it where v_init was one number.

    Raises
    ------
    TypeError, ValueError
        If dspikes or dv_final is not like the spikes or v_final, or the surrogate is unknown or its slope not positive.
    """
    check_surrogate(surrogate)
    v_init, u, threshold, rule = cache
    dspikes, dv = _checks.integrate_fire_backward(dspikes, dv_final, u, detach_reset)
    du = np.empty_like(u)
    for t in reversed(range(len(u))):
        d = surrogate_grad(u[t] - threshold, surrogate)
        if rule.timing == "same":
            # u = v + x;  spikes = fires(u);  v = reset(u, spikes)
            du[t] = d * dspikes[t] + _reset_backward(dv, u[t], d, (threshold, rule, detach_reset))     # (I6), (I9)
            dv = du[t]
        else:
            # u = reset(v, fires(v)) + x;  spikes = fires(u);  v = u
            du[t] = d * dspikes[t] + dv                                                                # (I6), (I10)
            v = u[t - 1] if t > 0 else v_init
            dv = _reset_backward(du[t], v, surrogate_grad(v - threshold, surrogate), (threshold, rule, detach_reset))
    return du, dv.copy()                                                 # u = v + x: dcurrent is du


def _reset_backward(dv, u, d, how):
    """(I8) Pull dv back through reset(u, fires(u)); d stands for the derivative of fires."""
    threshold, rule, detach_reset = how
    if rule.reset == "subtract":
        du, ds = dv, -threshold * dv
    else:
        du, ds = np.where(_fires(u, threshold, rule), 0, dv), -u * dv
    return du if detach_reset else du + d * ds


def surrogate_grad(x, surrogate):
    """Evaluate what stands for the derivative of a spike, (I7).

    Parameters
    ----------
    x : array, float32 or float64
        V - threshold.
    surrogate : Surrogate
        Kind and slope.

    Returns
    -------
    array
        Like x; no kind overflows, however large x is.

    Raises
    ------
    TypeError, ValueError
        If the surrogate is unknown or its slope not positive.
    """
    k = x.dtype.type(check_surrogate(surrogate).slope)
    if callable(surrogate.kind):
        d = np.asarray(surrogate.kind(x, k), x.dtype)
        if d.shape != x.shape:
            raise ValueError(f"surrogate: expected {getattr(surrogate.kind, '__name__', 'it')} to return an array of shape {x.shape}, got "
                             f"{d.shape}")
        return d
    with np.errstate(over="ignore"):                                     # 1/inf is the right answer
        if surrogate.kind == "atan":
            return k / 2 / (1 + (x.dtype.type(np.pi) * k / 2 * x) ** 2)
        if surrogate.kind == "fast_sigmoid":
            return 1 / (k * np.abs(x) + 1) ** 2
        if surrogate.kind == "sigmoid":
            e = np.exp(-np.abs(k * x))
            return k * e / (1 + e) ** 2
        return k * np.maximum(0, 1 - k * np.abs(x))


def surrogate_step(x, surrogate):
    """Evaluate the soft step whose derivative `surrogate_grad` is, (I7).

    Parameters
    ----------
    x : array, float32 or float64
        V - threshold.
    surrogate : Surrogate
        Kind and slope.

    Returns
    -------
    array
        Like x. The steps rise by 1 from one end to the other, that of fast_sigmoid by 2/slope.

    Raises
    ------
    TypeError, ValueError
        If the surrogate is unknown or its slope not positive.
    """
    k = x.dtype.type(check_surrogate(surrogate).slope)
    if callable(surrogate.kind):
        raise ValueError("surrogate: expected one of ours, whose soft step is known, got one of your own")
    with np.errstate(over="ignore"):
        if surrogate.kind == "atan":
            return np.arctan(x.dtype.type(np.pi) * k / 2 * x) / x.dtype.type(np.pi) + x.dtype.type(0.5)
        if surrogate.kind == "fast_sigmoid":
            return x / (1 + k * np.abs(x))
        if surrogate.kind == "sigmoid":
            e = np.exp(-np.abs(k * x))
            return np.where(x >= 0, 1, e) / (1 + e)
        y = np.clip(k * x, -1, 1)
        return y - y * np.abs(y) / 2 + x.dtype.type(0.5)


def check_surrogate(surrogate):
    """Pass a surrogate of a known kind, or with a function of the user's own.

    Parameters
    ----------
    surrogate : Surrogate
        Kind and slope.

    Returns
    -------
    Surrogate
        The same.

    Raises
    ------
    TypeError, ValueError
        If the surrogate is unknown or its slope not positive.
    """
    if not (isinstance(surrogate, Surrogate) and callable(surrogate.kind)):
        _checks.words(surrogate, "surrogate", Surrogate, SURROGATES)
    _checks.positive(surrogate.slope, "surrogate: slope")
    return surrogate
