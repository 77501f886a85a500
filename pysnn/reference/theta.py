"""Theta neurons, whose spikes never jump, written to be read (NumPy, by voltages and phases).

A theta neuron is a quadratic integrate-and-fire neuron with a drive that makes it fire without input. Its voltage runs off to infinity,
which is the spike: an input just before it changes nothing any more. So spike times are continuous in weights and times. A neuron that has
not fired when the trial ends gets a pseudo-spike behind the end; no output is ever inf. docs/derivations/theta.md derives the equations
tagged (Q1) ... (Q9). Source: C. Klos and R.-M. Memmesheimer, arXiv 2309.14523.
"""

from typing import NamedTuple

import numpy as np

from .. import _checks
from .._blas import matmul


class Cache(NamedTuple):
    """What backward needs of forward; opaque."""

    t_in: np.ndarray     # (B, N_in)
    w: np.ndarray        # (N_in, N_out)
    t_out: np.ndarray    # (B, N_out)
    how: tuple           # t_end, root, v_init, tau


def forward(t_in, w, t_end, drive=1.25, v_init=0.5, tau=1.0):
    """Find when each theta neuron fires first, in the trial or behind its end.

    Parameters
    ----------
    t_in : (B, N_in) array, float32 or float64
        Times of the input spikes, 0 or later; pseudo-spikes are those from t_end on. inf means no spike.
    w : (N_in, N_out) array of the same dtype
        Weights: jumps of the voltage, which has no unit.
    t_end : float
        End of the trial, which begins at 0; in the unit of t_in.
    drive : float
        Constant current I0, above 1/4.
    v_init : float
        Voltage at the begin of the trial; 1/2 is half of the way to the spike.
    tau : float
        Time constant, in the unit of t_in.

    Returns
    -------
    t_out : (B, N_out) array
        Time of the first spike; from t_end to t_end + tau pi / sqrt(drive - 1/4) that of the pseudo-spike. Never inf.
    cache : Cache
        For `backward`.

    Raises
    ------
    TypeError
        For anything but float32 or float64, or a mix of both.
    ValueError
        For shapes that do not fit, an empty batch, a time that is NaN or below 0, a drive of at most 1/4, or a t_end or tau that is
        not positive.
    """
    t_in, w, how = _checks.theta_forward(t_in, w, t_end, drive, v_init, tau)
    late = matmul(_share(t_in, how)[0], w)
    t_out = np.stack([_walk(t, w, late_of_sample, how)[0] for t, late_of_sample in zip(t_in, late, strict=True)])
    return t_out, Cache(t_in, w, t_out, how)


def _share(t_in, how):
    """(Q5) Say which share of a weight acts at the end of the trial, and derive it by t_in; 0 of inputs in the trial."""
    t_end, root, _, tau = how
    period = tau * np.pi / root
    share = np.where(t_in < t_end, 0, np.maximum(1 - (t_in - t_end) / period, 0)).astype(t_in.dtype)
    return share, np.where(share > 0, -1 / period, 0).astype(t_in.dtype)


def _f(v, root):
    """(Q1) tau dV/dt, without inputs."""
    return (v - 0.5) ** 2 + root ** 2


def _left(v, how):
    """(Q2) How long a voltage takes to the spike, if no input comes: the period without the phase."""
    _, root, _, tau = how
    return tau / root * np.arctan2(root, v - 0.5)


def _walk(t, w, late, how):
    """Go through the events of one sample: the inputs of the trial, in order, and its end.

    Returns
    -------
    t_out : (N_out,) array
        Times of the spikes.
    order : (K,) array of int
        The inputs of the trial.
    before : (K + 1, N_out) array
        Voltages just before each event.
    felt : (K + 1, N_out) array of bool
        Whether the neuron has not fired before the event.
    """
    t_end, root, v_init, tau = how
    order = np.argsort(t, kind="stable")[:(t < t_end).sum()]
    v, t_last = np.full_like(late, v_init), w.dtype.type(0)
    t_out, before, felt = np.full_like(late, np.inf), [], []
    for t_next, kick in [*((t[i], w[i]) for i in order), (t_end, late)]:
        spike = t_last + _left(v, how)
        t_out = np.where(np.isinf(t_out) & (spike <= t_next), spike, t_out)                  # (Q4)
        felt.append(np.isinf(t_out))
        if t_next > t_last:
            v = 0.5 + root / np.tan(root / tau * np.where(felt[-1], spike - t_next, tau))    # (Q2)
        before.append(np.where(felt[-1], v, v_init))                                         # of those that have fired, any number
        v, t_last = np.where(felt[-1], before[-1] + kick, v_init), t_next                    # (Q3)
    return np.where(felt[-1], t_end + _left(v, how), t_out), order, np.array(before), np.array(felt)       # (Q5)


def backward(dt_out, cache):
    """Pull a gradient back through the forward pass.

    Parameters
    ----------
    dt_out : (B, N_out) array
        Gradient of the loss with respect to t_out.
    cache : Cache
        From forward.

    Returns
    -------
    dt_in : (B, N_in) array
        Gradient with respect to t_in; exactly 0 behind the spike, and of inputs that never come.
    dw : (N_in, N_out) array
        Gradient with respect to w, summed over the batch.

    Raises
    ------
    TypeError, ValueError
        If dt_out is not like t_out.
    """
    dt_out = _checks.spike_time_backward(dt_out, cache.t_out)
    t_in, w, _, how = cache
    _, root, _, tau = how
    share, slope = _share(t_in, how)
    late = matmul(share, w)
    dt_in, dw = np.zeros_like(t_in), np.zeros_like(w)
    for b, t in enumerate(t_in):
        _, order, before, felt = _walk(t, w, late[b], how)
        after = before + np.concatenate([w[order], late[b:b + 1]])
        kept = np.where(felt, _f(before, root) / _f(after, root), 1)                          # (Q6) of a phase, through an event
        at_spike = np.cumprod(np.concatenate([kept[1:], np.ones_like(kept[:1])])[::-1], axis=0)[::-1]      # through all later ones
        h = np.where(felt, dt_out[b] * at_spike / _f(after, root), 0)
        dkick = -tau * h                                                                      # (Q7) dt_out/dw = -dphi/dw
        dt_in[b, order] = (h * (after - before) * (after + before - 1))[:-1].sum(axis=1)      # (Q7) F(V+) - F(V-)
        dw[order] += dkick[:-1]
        dt_in[b] += slope[b] * (w @ dkick[-1])                                                # (Q8)
        dw += share[b][:, None] * dkick[-1]
    return dt_in, dw
