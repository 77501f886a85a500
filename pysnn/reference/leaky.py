"""The leaky integrate-and-fire neuron in discrete time, with a synapse and recurrent weights if wanted, written to be read (NumPy).

The potential decays by a factor beta in each step, adds the current, and fires where it reaches the threshold. The current may decay,
too (alpha), and spikes may come back a step later (w_rec). docs/derivations/leaky.md derives (D1) to (D12), and says which released
neuron is which choice. Sources: E. O. Neftci, H. Mostafa, F. Zenke, arXiv 1901.09948 (equations and surrogate gradients).
"""

from typing import NamedTuple

import numpy as np

from .. import _checks
from .._blas import matmul
from ..conventions import LEAKY_RULES, LeakyGradients, LeakyState, Rule, Surrogate
from .integrate_fire import check_surrogate, surrogate_grad


class Cache(NamedTuple):
    """What backward needs of forward; opaque."""

    v_init: np.ndarray   # (B, ..., n)
    u: np.ndarray        # (T, B, ..., n), the potential as it is held against the threshold; see `potentials`
    i: np.ndarray        # (T, B, ..., n), the current as it reaches the membrane, before the gain
    how: tuple           # beta, threshold, rule, alpha, w_rec; numbers in the dtype of the arrays


def forward(current, beta, threshold=1.0, v_init=0.0, rule=Rule(), alpha=None, w_rec=None):
    """Run neurons over T time steps.

    Parameters
    ----------
    current : (T, B, ..., n) array, float32 or float64
        Input of each step.
    beta : float or (n,) array of the same dtype
        Factor by which the potential decays in a step, exp(-dt/tau_m); 1: no leak.
    threshold : float or (n,) array of the same dtype
        Firing threshold, positive; a number is rounded to the dtype of the current.
    v_init : float or (B, ..., n) array of the same dtype
        Membrane potential before the first step.
    rule : Rule
        The reset, when and where it stands, whether a neuron fires at V = threshold, and the gain of the current.
    alpha : float or (n,) array of the same dtype, optional
        Factor by which the current decays in a step; default: it acts in its own step alone.
    w_rec : (n, n) array of the same dtype, optional
        Weights from the spikes of a step (rows) to the currents of the next (columns).

    Returns
    -------
    spikes : (T, B, ..., n) array
        0 or 1.
    v_final : (B, ..., n) array
        Membrane potential after the last step.
    cache : Cache
        For `backward` and `potentials`; refers to w_rec, and to the current where there is neither alpha nor w_rec.

    Raises
    ------
    TypeError
        For anything but float32 or float64, a mix of both, or a rule that is no Rule.
    ValueError
        For shapes that do not fit, an empty batch, a threshold that is not positive, a parameter that is not finite, or an unknown word
        in the rule.
    """
    _checks.words(rule, "rule", Rule, LEAKY_RULES)
    current, how, v_init = _checks.leaky_forward(current, beta, threshold, v_init, (rule, alpha, w_rec))
    u, i, spikes = np.empty_like(current), np.empty_like(current), np.empty_like(current)
    state = _start(v_init)
    for t, x in enumerate(current):
        u[t], state = _advance(state, x, how)
        i[t], spikes[t] = state.i, state.s
    return spikes, state.v.copy(), Cache(v_init, u, i, how)


def step(state, current_t, beta, threshold=1.0, rule=Rule(), alpha=None, w_rec=None):
    """Run neurons over one time step; T steps in a row give what `forward` gives, bit for bit.

    Parameters
    ----------
    state : float, (B, ..., n) array or LeakyState
        What the step before returned; before the first step the membrane potential.
    current_t : (B, ..., n) array, float32 or float64
        Input of the step.
    beta, threshold : float or (n,) array
        As for `forward`; so are the others.
    rule : Rule
        Reset, comparison and gain.
    alpha : float or (n,) array, optional
        Decay of the current.
    w_rec : (n, n) array, optional
        Recurrent weights.

    Returns
    -------
    spikes_t : (B, ..., n) array
        0 or 1.
    state : LeakyState
        For the next step; its v is the membrane potential.

    Raises
    ------
    TypeError, ValueError
        As `forward`.
    """
    _checks.words(rule, "rule", Rule, LEAKY_RULES)
    state, current_t = _checks.leaky_step(state, current_t)
    how = _checks.leaky_parameters(current_t, beta, threshold, rule, alpha, w_rec)
    _, state = _advance(LeakyState(*state) if len(state) > 1 else _start(*state), current_t, how)
    return state.s.copy(), state


def _start(v):
    """Return the state before the first step: no current, and no spike that comes back."""
    return LeakyState(v, np.zeros_like(v), np.zeros_like(v))


def _advance(state, x, how):
    """Return u and the new state of one step."""
    beta, threshold, rule, alpha, w_rec = how
    i = x if w_rec is None else x + _through(state.s, w_rec)             # (D1) spikes of the step before come back,
    i = i if alpha is None else alpha * state.i + i                      # and the current decays
    (resets_first, resets_last), fired = _order(rule), _fires(state.v, threshold, rule)
    kept = _reset(state.v, fired, threshold, rule) if resets_first else state.v           # (D3)
    u = beta * kept + _gain(beta, rule) * i                              # (D2) leak and integrate,
    u = _reset(u, fired, threshold, rule) if resets_last else u          # (D4)
    s = _fires(u, threshold, rule)                                       # (D2) and fire
    return u, LeakyState(_reset(u, s, threshold, rule) if rule.timing == "same" else u, i, s)  # (D3)


def _order(rule):
    """Say whether a step begins with the reset of the one before, and whether it does so behind leak and current."""
    return rule.timing == "next" and rule.order == "reset first", rule.order == "leak first"


def _gain(beta, rule):
    return 1 - beta if rule.gain == "1 - beta" else 1


def _fires(u, threshold, rule):
    return (u >= threshold if rule.fire == ">=" else u > threshold).astype(u.dtype)


def _reset(u, s, threshold, rule):
    after = {"subtract": u - threshold, "zero": np.zeros_like(u), "none": u}[rule.reset]
    return np.where(s > 0, after, u)                                     # (D3)


def _through(x, w):
    """Multiply the last axis by a matrix."""
    return matmul(x.reshape(-1, len(w)), w).reshape(x.shape)


def potentials(cache):
    """Return the potentials of all steps, as they are held against the threshold: before the reset with timing "same".

    Parameters
    ----------
    cache : Cache
        From `forward`.

    Returns
    -------
    (T, B, ..., n) array
        Not a copy. `backward` takes a gradient with respect to it as `dv`.
    """
    return cache.u


def backward(dspikes, cache, dv_final=None, dv=None, surrogate=Surrogate("atan", slope=2.0), detach_reset=True):
    """Pull a gradient back through `forward`, with a surrogate for the derivative of a spike.

    Parameters
    ----------
    dspikes : (T, B, ..., n) array
        Gradient of the loss with respect to the spikes.
    cache : Cache
        From `forward`.
    dv_final : (B, ..., n) array, optional
        Gradient with respect to v_final; default: none.
    dv : (T, B, ..., n) array, optional
        Gradient with respect to the potentials of all steps before a reset of timing "same", see `potentials`; default: none.
    surrogate : Surrogate
        What stands for the derivative of a spike with respect to V - threshold.
    detach_reset : bool
        Whether the reset takes its spike as a constant. The spikes that come back by w_rec never count as constants, and the threshold
        that a reset subtracts does not either.

    Returns
    -------
    LeakyGradients
        dcurrent (T, B, ..., n); dbeta, dthreshold and dalpha in the shape of what was given, a number or (n,), summed over steps and
        batch; dv_init (B, ..., n), to be summed where v_init was one number; dw_rec (n, n). dalpha and dw_rec are None without alpha
        and w_rec.

    Raises
    ------
    TypeError, ValueError
        If a gradient is not like what it is the gradient of, or the surrogate is unknown or its slope not positive.
    """
    check_surrogate(surrogate)
    v_init, u, i, how = cache
    beta, threshold, rule, alpha, w_rec = how
    dspikes, dv_next, dv = _checks.leaky_backward(dspikes, dv_final, dv, u, detach_reset)
    resets_first, resets_last = _order(rule)
    dcurrent, later, di = np.empty_like(u), np.zeros_like(v_init), np.zeros_like(v_init)
    dbeta, dthreshold, dalpha = np.zeros_like(v_init), np.zeros_like(v_init), np.zeros_like(v_init)
    dw_rec = None if w_rec is None else np.zeros_like(w_rec)

    def pull_reset(dv, v, s, slope):
        """(D8) Return dv before the reset, also through its spike, and how much of it goes to the threshold."""
        dv, ds, dtheta = _reset_backward(dv, v, s, (threshold, rule, detach_reset))
        return dv + slope * ds, dtheta - slope * ds
    for t in reversed(range(len(u))):
        v, s = _before(t, cache)
        slope, ds = surrogate_grad(u[t] - threshold, surrogate), dspikes[t] + later      # (D7)
        if rule.timing == "same":                                        # v = reset(u, fires(u))
            dv_next, dtheta = pull_reset(dv_next, u[t], _fires(u[t], threshold, rule), slope)
            dthreshold += dtheta
        du = slope * ds + dv_next + (0 if dv is None else dv[t])         # (D9)
        dthreshold -= slope * ds
        later = np.zeros_like(later)
        if resets_last:                                                  # u = reset(beta * v + gain * i, s)
            du, later, dtheta = _reset_backward(du, beta * v + _gain(beta, rule) * i[t], s, (threshold, rule, detach_reset))
            dthreshold += dtheta
        # u = beta * kept + gain * i
        kept = _reset(v, s, threshold, rule) if resets_first else v
        dbeta += du * (kept - i[t] if rule.gain == "1 - beta" else kept)                 # (D11)
        dv_next = beta * du
        if resets_first:                                                 # kept = reset(v, s), s = fires(v)
            dv_next, dtheta = pull_reset(dv_next, v, s, surrogate_grad(v - threshold, surrogate))
            dthreshold += dtheta
        # i = alpha * i_before + x + s @ w_rec
        di = _gain(beta, rule) * du + (0 if alpha is None else alpha * di)               # (D10)
        dcurrent[t] = di
        if alpha is not None and t > 0:
            dalpha += di * i[t - 1]                                      # (D11)
        if w_rec is not None and t > 0:                                  # before the first step nothing comes back
            later = later + _through(di, w_rec.T)
            dw_rec += matmul(s.reshape(-1, len(w_rec)).T, di.reshape(-1, len(w_rec)))    # (D11)
    if resets_last:                                                      # s before the first step = fires(v_init)
        slope = surrogate_grad(v_init - threshold, surrogate)
        dv_next, dthreshold = dv_next + slope * later, dthreshold - slope * later
    return LeakyGradients(dcurrent, _like(beta, dbeta), _like(threshold, dthreshold), dv_next.copy(),
                     None if alpha is None else _like(alpha, dalpha), dw_rec)


def _before(t, cache):
    """Return the potential before step t, and its spikes; with timing "same" it is reset, but for the first."""
    v_init, u, _, how = cache
    _, threshold, rule, _, _ = how
    v = u[t - 1] if t > 0 else v_init
    s = _fires(v, threshold, rule)
    return _reset(v, s, threshold, rule) if rule.timing == "same" and t > 0 else v, s


def _reset_backward(dv, u, s, how):
    """(D8) Pull dv back through reset(u, s, threshold): to u, s and threshold; a detached reset gives nothing to s."""
    threshold, rule, detach_reset = how
    if rule.reset == "subtract":
        du, ds, dtheta = dv, -threshold * dv, -s * dv
    elif rule.reset == "zero":
        du, ds, dtheta = np.where(s > 0, 0, dv), -u * dv, 0
    else:
        du, ds, dtheta = dv, 0, 0
    return du, np.zeros_like(dv) if detach_reset else ds, dtheta


def _like(parameter, total):
    """Sum what all neurons say about a parameter to its shape."""
    total = total.reshape(-1, total.shape[-1]).sum(axis=0)
    return total if np.ndim(parameter) else total.sum()


class Readout(NamedTuple):
    """What `integrate_backward` needs; opaque."""

    v_init: np.ndarray
    v: np.ndarray
    i: np.ndarray
    beta: np.ndarray     # or a number
    alpha: np.ndarray    # or a number, or None


def integrate(current, beta, v_init=0.0, alpha=None):
    """Run a readout that leaks and does not fire over T time steps.

    Parameters
    ----------
    current : (T, B, ..., n) array, float32 or float64
        As for `forward`; so are the others.
    beta : float or (n,) array
        Factor by which the potential decays.
    v_init : float or (B, ..., n) array
        Membrane potential before the first step.
    alpha : float or (n,) array, optional
        Factor by which the current decays.

    Returns
    -------
    v : (T, B, ..., n) array
        Membrane potential after each step.
    cache : Readout
        For `integrate_backward`.

    Raises
    ------
    TypeError, ValueError
        As `forward`.
    """
    current, beta, v_init, alpha = _checks.leaky_integrate(current, beta, v_init, alpha)
    v, i = np.empty_like(current), np.empty_like(current)
    for t, x in enumerate(current):
        i[t] = x if alpha is None or t == 0 else alpha * i[t - 1] + x
        v[t] = beta * (v[t - 1] if t > 0 else v_init) + i[t]             # (D12)
    return v, Readout(v_init, v, i, beta, alpha)


def integrate_backward(dv, cache):
    """Pull a gradient back through `integrate`.

    Parameters
    ----------
    dv : (T, B, ..., n) array
        Gradient of the loss with respect to the potentials.
    cache : Readout
        From `integrate`.

    Returns
    -------
    LeakyGradients
        As of `backward`, with None for dthreshold and dw_rec.

    Raises
    ------
    TypeError, ValueError
        If dv is not like the potentials.
    """
    v_init, v, i, beta, alpha = cache
    dv = _checks.leaky_potentials(dv, v)
    dcurrent, du, di = np.empty_like(v), np.zeros_like(v_init), np.zeros_like(v_init)
    dbeta, dalpha = np.zeros_like(v_init), np.zeros_like(v_init)
    for t in reversed(range(len(v))):
        du = dv[t] + beta * du                                           # (D12) v = beta * v_before + i
        di = du + (0 if alpha is None else alpha * di)                   # i = alpha * i_before + x
        dcurrent[t] = di
        dbeta += du * (v[t - 1] if t > 0 else v_init)
        dalpha += di * (i[t - 1] if t > 0 else 0)
    return LeakyGradients(dcurrent, _like(beta, dbeta), None, beta * du, None if alpha is None else _like(alpha, dalpha), None)
