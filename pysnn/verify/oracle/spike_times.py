"""Neurons with exact spike times to 50 digits, from their definition; no closed form of a spike time is used.

    V(t) = sum over t_i < t of w_i psp((t - t_i)/tau),      and the neuron fires when V first rises through the threshold.

psp(x) is x exp(-x) where the membrane is as slow as the synapse (`ratio` 1), exp(-x/2) - exp(-x) where it is twice as slow (`ratio` 2).
Between two inputs V is concave up to its only peak: bisection on V' finds the peak, or the next input if that comes before; where V is
above the threshold there, Newton's method from the left finds the crossing, never beyond it. V(t - 1e-49) < threshold < V(t + 1e-49), or
an error. Gradients by implicit differentiation. All with 60 digits; floats are taken without rounding. mpmath is imported when first used.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ._numbers import DIGITS, context, exact


class Cache(NamedTuple):
    """What backward needs of forward."""

    t_in: np.ndarray     # object arrays of mpf
    w: np.ndarray
    how: tuple           # tau, ratio
    spikes: dict         # (b, j) -> time, and indices of the causal inputs


def forward(t_in, w, threshold=1.0, tau=1.0, ratio=1):
    """Find when each neuron fires.

    Parameters
    ----------
    t_in : (B, N_in) array of floats or mpf
        Times of the input spikes; inf means no spike.
    w : (N_in, N_out) array of floats or mpf
        Weights.
    threshold, tau : float or mpf
        Threshold times the leak conductance, time constant of the synapse.
    ratio : {1, 2}
        Time constant of the membrane over that of the synapse.

    Returns
    -------
    t_out : (B, N_out) object array
        mpf with 50 digits; inf means no spike.
    cache : Cache
        For `backward` and `condition`.

    Raises
    ------
    ArithmeticError
        If a crossing could not be certified.
    """
    ctx = context()
    t_in, w = exact(t_in), exact(w)
    threshold, tau = ctx.mpf(threshold), ctx.mpf(tau)
    t_out = np.full((len(t_in), w.shape[1]), ctx.inf, dtype=object)
    spikes = {}
    for b, t in enumerate(t_in):
        came = [i for i in range(len(t)) if t[i] < ctx.inf]
        times = sorted({t[i] for i in came})
        for start, stop in pairwise([*times, None]):
            causal = [i for i in came if t[i] <= start]
            for j in range(w.shape[1]):
                if (b, j) not in spikes:
                    found = _crossing((t[causal], w[causal, j]), (start, stop), threshold, (tau, ratio))
                    if found is not None:
                        t_out[b, j], spikes[b, j] = found, (found, np.array(causal))
    return t_out, Cache(t_in, w, (tau, ratio), spikes)


def _psp(x, ratio):
    """Return psp and its derivative."""
    ctx = context()
    fast = ctx.exp(-x)
    if ratio == 1:
        return x * fast, (1 - x) * fast
    slow = ctx.exp(-x / 2)
    return slow - fast, fast - slow / 2


def _potential(t, inputs, how):
    """Return V and tau V' at a time, from the definition."""
    tau, ratio = how
    parts = [(w, *_psp((t - t_i) / tau, ratio)) for t_i, w in zip(*inputs, strict=True)]
    return sum(w * v for w, v, _ in parts), sum(w * slope for w, _, slope in parts)


def _crossing(inputs, interval, threshold, how):
    """Find the crossing in an interval between inputs, or behind the last one; None if there is none."""
    ctx, (start, stop) = context(), interval
    tiny, tau = ctx.mpf(10) ** -DIGITS, how[0]
    if _potential(start, inputs, how)[1] <= 0:
        return None
    if stop is None:
        stop = start + tau
        while _potential(stop, inputs, how)[1] > 0 and stop - start < 1e4 * tau:             # below 0 it may rise for ever
            stop += stop - start
    low, high = start, stop
    if _potential(stop, inputs, how)[1] < 0:
        while high - low > tiny * tau:
            middle = (low + high) / 2
            low, high = (middle, high) if _potential(middle, inputs, how)[1] > 0 else (low, middle)
    if _potential(high, inputs, how)[0] < threshold:
        return None
    t = start
    for _ in range(500):
        v, slope = _potential(t, inputs, how)
        step = tau * (threshold - v) / slope
        t += step
        if abs(step) < tiny * tau / 10 ** 5:
            break
    width = 10 * tiny * max(tau, abs(t))
    if not _potential(t - width, inputs, how)[0] < threshold < _potential(t + width, inputs, how)[0]:
        raise ArithmeticError(f"oracle: no certified crossing near t = {ctx.nstr(t, 20)}")
    return t


def backward(dt_out, cache):
    """Pull a gradient back through `forward`, by implicit differentiation of V(t) = threshold.

    Parameters
    ----------
    dt_out : (B, N_out) array
        Gradient of the loss with respect to t_out; ignored where t_out is inf.
    cache : Cache
        From `forward`.

    Returns
    -------
    dt_in : (B, N_in) object array
        Gradient with respect to t_in, mpf; exactly 0 outside the causal sets.
    dw : (N_in, N_out) object array
        Gradient with respect to w, summed over the batch.
    """
    dt_in, dw = exact(np.zeros(cache.t_in.shape)), exact(np.zeros(cache.w.shape))
    tau, ratio = cache.how
    for (b, j), (t, causal) in cache.spikes.items():
        slope = _potential(t, (cache.t_in[b, causal], cache.w[causal, j]), cache.how)[1] / tau
        g = exact(dt_out[b, j])[()] / slope                              # dt = -dV / V'
        for i in causal:
            v, rise = _psp((t - cache.t_in[b, i]) / tau, ratio)
            dw[i, j] -= v * g                                            # dV/dw_i = psp
            dt_in[b, i] += cache.w[i, j] * rise / tau * g                # dV/dt_i = -w_i psp'/tau
    return dt_in, dw


def condition(cache):
    """Say how far roundings of the arguments move each spike.

    Parameters
    ----------
    cache : Cache
        From `forward`.

    Returns
    -------
    (B, N_out) float64 array
        sum over the causal set of |w_i| (psp + |psp'| (1 + |t_i|/tau)) plus the threshold, over tau V'; 0 where silent. Relative errors
        eps of weights, times and threshold move the spike by eps times tau times this.
    """
    kappa = np.zeros((len(cache.t_in), cache.w.shape[1]))
    tau, ratio = cache.how
    for (b, j), (t, causal) in cache.spikes.items():
        total = moved = 0
        for i in causal:
            v, rise = _psp((t - cache.t_in[b, i]) / tau, ratio)
            total += abs(cache.w[i, j]) * (v + abs(rise) * (1 + abs(cache.t_in[b, i]) / tau))
            moved += cache.w[i, j] * rise
        level = _potential(t, (cache.t_in[b, causal], cache.w[causal, j]), cache.how)[0]
        kappa[b, j] = float((total + level) / moved)
    return kappa
