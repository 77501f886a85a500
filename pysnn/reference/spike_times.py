"""Leaky neurons whose first spike has a closed form, written to be read (NumPy, by masks and sums).

A leaky integrate-and-fire neuron with exponentially decaying synaptic current fires at most once. Its spike time has a closed form where
the membrane time constant is that of the synapse (`leaky_equal`, Lambert W; the same neuron as one with alpha synapses, `alpha`) or twice
it (`leaky_double`, a quadratic equation). Times enter and leave as they are; inf means no spike. docs/derivations/spike-times.md derives
the equations tagged (E1) ... (E10). Sources: J. Goltz et al., arXiv 1912.11443; I. M. Comsa et al., arXiv 1907.13223.
"""

from typing import NamedTuple

import numpy as np

from .. import _checks
from .._blas import matmul
from ..conventions import NO_SPIKE


class Cache(NamedTuple):
    """What backward needs of forward; opaque."""

    t_in: np.ndarray     # (B, N_in)
    w: np.ndarray        # (N_in, N_out)
    t_out: np.ndarray    # (B, N_out)
    t_bound: np.ndarray  # (B, N_out), the causal set is {i: t_in < t_bound}; -inf where silent
    tau: np.floating     # time constant of the synapse
    ratio: int           # time constant of the membrane over that of the synapse: 1 or 2


def leaky_equal_forward(t_in, w, threshold=1.0, tau=1.0):
    """Find when each leaky neuron fires, tau_m = tau_s.

    Parameters
    ----------
    t_in : (B, N_in) array, float32 or float64
        Times of the input spikes; inf means no spike.
    w : (N_in, N_out) array of the same dtype
        Weights: jumps of the synaptic current.
    threshold : float
        Firing threshold times the leak conductance, in the unit of w.
    tau : float
        Time constant of synapse and membrane, in the unit of t_in.

    Returns
    -------
    t_out : (B, N_out) array
        Time of the first threshold crossing; inf means no spike.
    cache : Cache
        For `leaky_equal_backward`.

    Raises
    ------
    TypeError
        For anything but float32 or float64, or a mix of both.
    ValueError
        For shapes that do not fit, an empty batch, a time that is NaN or -inf, or a threshold or tau that is not positive.
    """
    return _forward(t_in, w, threshold, tau, 1)


def leaky_double_forward(t_in, w, threshold=1.0, tau=1.0):
    """Find when each leaky neuron fires, tau_m = 2 tau_s.

    Parameters
    ----------
    t_in : (B, N_in) array, float32 or float64
        Times of the input spikes; inf means no spike.
    w : (N_in, N_out) array of the same dtype
        Weights: jumps of the synaptic current.
    threshold : float
        Firing threshold times the leak conductance, in the unit of w.
    tau : float
        Time constant of the synapse, in the unit of t_in; that of the membrane is twice as long.

    Returns
    -------
    t_out : (B, N_out) array
        Time of the first threshold crossing; inf means no spike.
    cache : Cache
        For `leaky_double_backward`.

    Raises
    ------
    TypeError, ValueError
        As for `leaky_equal_forward`.
    """
    return _forward(t_in, w, threshold, tau, 2)


def alpha_forward(t_in, w, threshold=1.0, decay=1.0):
    """Find when each neuron with alpha synapses fires; an input adds w x exp(-decay x) to the potential, x the time since.

    Parameters
    ----------
    t_in : (B, N_in) array, float32 or float64
        Times of the input spikes; inf means no spike.
    w : (N_in, N_out) array of the same dtype
        Weights: slopes of the potential when the input arrives.
    threshold : float
        Firing threshold, in the unit of w times time.
    decay : float
        Rate of decay, one over the unit of t_in.

    Returns
    -------
    t_out : (B, N_out) array
        Time of the first threshold crossing; inf means no spike.
    cache : Cache
        For `alpha_backward`.

    Raises
    ------
    TypeError, ValueError
        As for `leaky_equal_forward`, with decay for tau.
    """
    return _forward(t_in, w, *_checks.alpha(threshold, decay), 1)                             # (E9)


def _forward(t_in, w, threshold, tau, ratio):
    t_in, w, threshold, tau = _checks.spike_time_forward(t_in, w, threshold, tau)
    t_out = np.full((len(t_in), w.shape[1]), NO_SPIKE, w.dtype)
    t_bound = np.full_like(t_out, -np.inf)
    first_crossing = _lambert if ratio == 1 else _quadratic
    for b, t in enumerate(t_in):
        order = np.argsort(t, kind="stable")[:np.isfinite(t).sum()]                           # inputs that never come are the last
        if order.size == 0:
            continue
        t_sorted, w_sorted = t[order], w[order]
        t_next = np.append(t_sorted[1:], w.dtype.type(np.inf))
        came = np.tri(len(order), dtype=bool)
        lag = _lag(t_sorted[:, None], t_sorted, tau, came)                                    # [k, i]: of the time t_k behind input i
        a = matmul(np.where(came, np.exp(-lag), 0), w_sorted)                                 # (E3) the current at t_k, with input k
        p = matmul(np.where(came, _psp(lag, ratio), 0), w_sorted)                             # and the potential there
        rising = a > p                                                                        # (E4) at t_k
        x = first_crossing(a, p, threshold)
        with np.errstate(over="ignore"):
            crossing = t_sorted[:, None] + tau * np.maximum(x, 0)
        in_time = crossing <= t_next[:, None]                                                 # (E5) before the next input arrives,
        last_of_tie = (t_sorted < t_next)[:, None]                                            # where inputs at one time enter together
        valid = rising & np.isfinite(crossing) & in_time & last_of_tie
        first = valid.argmax(axis=0)                                                          # (E5) the shortest valid prefix
        j = np.flatnonzero(valid.any(axis=0))
        t_out[b, j] = crossing[first[j], j]
        t_bound[b, j] = t_next[first[j]]
    return t_out, Cache(t_in, w, t_out, t_bound, tau, ratio)


def _lambert(a, p, threshold):
    """(E6) The rising root x of (p + a x) exp(-x) = threshold; inf where there is none."""
    excites = a > 0
    with np.errstate(over="ignore"):
        share = np.divide(p, a, out=np.zeros_like(a), where=excites)
        argument = np.where(excites, -threshold / np.where(excites, a, 1) * np.exp(-share), -np.inf)
    reaches = argument > -np.exp(-1.0)                                                        # else its peak is not above the threshold
    return np.where(reaches, -_lambert_w(np.where(reaches, argument, 0)) - share, np.inf).astype(a.dtype)


def _lambert_w(x):
    """Lambert's W for -1/e < x <= 0, the solution W >= -1 of W exp(W) = x; by Halley's method."""
    x = x.astype(np.float64)
    near = np.sqrt(np.maximum(2 * (np.e * x + 1), 0))                                         # W = -1 + near - near^2/3 + ...
    w = np.where(x < -0.25, -1 + near - near ** 2 / 3 + 11 / 72 * near ** 3, x * (1 - x))
    for _ in range(8):
        e = np.exp(w)
        f, slope = w * e - x, e * (w + 1)
        w = w - np.divide(f, slope - f * (w + 2) / (2 * w + 2), out=np.zeros_like(f), where=(f != 0) & (w > -1))
    return np.maximum(w, -1)


def _quadratic(a, p, threshold):
    """(E7) The rising root x of (p + a) r - a r^2 = threshold, r = exp(-x/2); inf where there is none."""
    m = p + a
    under_root = m ** 2 - 4 * a * threshold
    reaches = (a > 0) & (m > 0) & (under_root > 0)                                            # else its peak is not above the threshold
    root = np.sqrt(np.where(reaches, under_root, 0))
    return np.where(reaches, 2 * np.log(np.where(reaches, 2 * a, 1) / np.where(reaches, m + root, 1)), np.inf).astype(a.dtype)


def _lag(t, t_in, tau, where):
    """Return (t - t_in)/tau where asked for, else 0; of what is long forgotten, a number whose exponential is 0."""
    with np.errstate(over="ignore"):
        lag = np.subtract(t, t_in, out=np.zeros(where.shape, tau.dtype), where=where) / tau
    return np.minimum(lag, tau.dtype.type(1e4))


def _psp(lag, ratio):
    """(E2) The potential that an input of weight 1 leaves, `lag` time constants of the synapse later."""
    return lag * np.exp(-lag) if ratio == 1 else -np.exp(-lag / 2) * np.expm1(-lag / 2)


def _psp_slope(lag, ratio):
    """Derive `_psp`."""
    return (1 - lag) * np.exp(-lag) if ratio == 1 else np.exp(-lag) - np.exp(-lag / 2) / 2


def _backward(dt_out, cache):
    """Pull a gradient back through the forward pass of either neuron.

    Parameters
    ----------
    dt_out : (B, N_out) array
        Gradient of the loss with respect to t_out; ignored, whatever it holds, where t_out is inf.
    cache : Cache
        From forward.

    Returns
    -------
    dt_in : (B, N_in) array
        Gradient with respect to t_in; exactly 0 outside the causal sets.
    dw : (N_in, N_out) array
        Gradient with respect to w, summed over the batch.

    Raises
    ------
    TypeError, ValueError
        If dt_out is not like t_out.
    """
    dt_out = _checks.spike_time_backward(dt_out, cache.t_out)
    t_in, w, t_out, t_bound, tau, ratio = cache
    dt_in, dw = np.zeros_like(t_in), np.zeros_like(w)
    for b in range(len(t_in)):
        causal = t_in[b][:, None] < t_bound[b]                                                # (N_in, N_out)
        lag = _lag(t_out[b], t_in[b][:, None], tau, causal)
        rise = np.where(causal, w * _psp_slope(lag, ratio), 0)
        slope = rise.sum(axis=0)                                                              # of the potential at the spike
        fires = t_out[b] < NO_SPIKE
        h = np.divide(dt_out[b], slope, out=np.zeros_like(slope), where=fires)
        dw -= np.where(causal, tau * _psp(lag, ratio) * h, 0)                                 # (E8) dt_out/dw = -tau psp / slope
        dt_in[b] = (rise * h).sum(axis=1)                                                     # (E8) dt_out/dt_in = w psp' / slope
    return dt_in, dw


leaky_equal_backward = leaky_double_backward = alpha_backward = _backward
