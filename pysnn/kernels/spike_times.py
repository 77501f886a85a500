"""Leaky neurons with exact spike times, written to be fast (Numba); the same names, arguments and results as reference/spike_times.py.

The forward pass is the running form (E10): going through the inputs, sorted once a sample, a neuron keeps its potential p and its current
a, both at the time of the input. No exponential can overflow, for all of them are of differences of neighbouring times. The tangent of
the potential at an input is never below it before the peak: only where that reaches the threshold, or the potential at the next input
does, is the equation for the spike time solved. A neuron that has fired has the threshold inf, so no branch is needed.
"""

import math
from typing import NamedTuple

import numpy as np

from .. import _checks
from .._jit import njit
from .._threads import cut, spread

_SAMPLES, _TILE = 16, 512      # samples and outputs a block
_INPUTS = 32                   # inputs a block
FORGOTTEN = 1e4                # time constants: the exponential is 0
_EXPONENT = 0.4                # of the largest exponent: exp(x) exp(-y) then is as good as exp(x - y)


class Cache(NamedTuple):
    """What backward needs of forward; opaque."""

    t_in: np.ndarray
    w: np.ndarray
    t_out: np.ndarray
    t_bound: np.ndarray
    slope: np.ndarray     # (B, N_out), of the potential at the spike, by time in time constants of the synapse; 1 where silent
    tau: np.floating
    ratio: int


def leaky_equal_forward(t_in, w, threshold=1.0, tau=1.0):
    """Find when each leaky neuron fires, tau_m = tau_s; see `pysnn.reference.spike_times.leaky_equal_forward`."""
    return _forward(t_in, w, threshold, tau, 1)


def leaky_double_forward(t_in, w, threshold=1.0, tau=1.0):
    """Find when each leaky neuron fires, tau_m = 2 tau_s; see `pysnn.reference.spike_times.leaky_double_forward`."""
    return _forward(t_in, w, threshold, tau, 2)


def alpha_forward(t_in, w, threshold=1.0, decay=1.0):
    """Find when each neuron with alpha synapses fires; see `pysnn.reference.spike_times.alpha_forward`."""
    return _forward(t_in, w, *_checks.alpha(threshold, decay), 1)                             # (E9)


def _forward(t_in, w, threshold, tau, ratio):
    t_in, w, threshold, tau = _checks.spike_time_forward(t_in, w, threshold, tau)
    order = t_in.argsort(axis=1, kind="stable")
    out = tuple(np.empty((len(t_in), w.shape[1]), w.dtype) for _ in range(3))
    blocks = [(*j, *b) for j in cut(w.shape[1], _TILE) for b in cut(len(t_in), _SAMPLES)]
    spread(lambda j0, j1, b0, b1: _scan(t_in, order, w, (threshold, tau, w.dtype.type(ratio)), out, (j0, j1, b0, b1)), blocks)
    return out[0], Cache(t_in, w, *out, tau, ratio)


@njit
def fading(gap, ratio):
    """(E2) After a gap, in time constants of the synapse: what is left of a current 1, of a potential 1, and the potential it leaves."""
    current, slow = math.exp(-gap), math.exp(-gap / ratio)
    return current, slow, gap * current if ratio == 1 else -slow * math.expm1(-gap / ratio)


@njit
def crossing(a, p, threshold, ratio):
    """Return when a potential p with a current a rises through the threshold, and its slope there; inf and 0 where it does not."""
    zero = a * 0
    if not (a > p and a > 0):                                            # (E4) it does not rise
        return zero + np.inf, zero
    if p >= threshold:                                                   # an input turns back a potential that is just falling
        return zero, (a - p) / ratio
    share, level = p / a, threshold / a
    if ratio == 1:                                                       # (E6) with W = -exp(-y): all digits near the branch point
        excess = share - 1 - math.log(level)
        if not excess > 0:
            return zero + np.inf, zero
        root = math.sqrt(2 * excess)
        y = root + excess / 3 if excess < 1 else excess + 1
        for _ in range(5):                                               # y + exp(-y) = 1 + excess, by Halley's method
            rest = -math.expm1(-y)
            f = (y - rest) - excess
            y -= 2 * f * rest / (2 * rest * rest - f * (1 - rest))
        x = max(math.exp(-y) - share, 0.0)
        return zero + x, -a * math.expm1(-y) * math.exp(-x)
    rise = 1 - share                                                     # (E7) in q = 1 - r
    under_root = rise * rise - 4 * (level - share)
    if not under_root > 0:
        return zero + np.inf, zero
    root = math.sqrt(under_root)
    q = 2 * (level - share) / (rise + root)
    if not q < 1:
        return zero + np.inf, zero
    return zero - 2 * math.log1p(-q), a * root * (1 - q) / 2


@njit(scratch=True)
def _scan(t_in, order, w, how, out, block):
    """Forward for outputs j0:j1 and samples b0:b1."""
    threshold, tau, ratio = how
    t_out, t_bound, slope = out
    j0, j1, b0, b1 = block
    n = j1 - j0
    a, p, ahead, level = np.empty(n, w.dtype), np.empty(n, w.dtype), np.empty(n, w.dtype), np.empty(n, w.dtype)
    for b in range(b0, b1):
        t_out[b, j0:j1], t_bound[b, j0:j1], slope[b, j0:j1] = np.inf, -np.inf, 1
        a[:], ahead[:], level[:] = 0, 0, threshold
        live, kept = n, a[0]
        for k in range(t_in.shape[1]):
            t = t_in[b, order[b, k]]
            if t == np.inf or live == 0:
                break
            t_next = t_in[b, order[b, k + 1]] if k + 1 < t_in.shape[1] else t + np.inf
            gap = min((t_next - t) / tau, w.dtype.type(FORGOTTEN))
            fades, rise = fading(gap, ratio), gap / ratio
            if _arrive(w[order[b, k], j0:j1], (a, p, ahead, level), (kept, fades[1], fades[2]), rise):
                for j in range(n):
                    if near(a[j], p[j], ahead[j], level[j], rise):
                        x, s = crossing(a[j], p[j], threshold, ratio)
                        if x < np.inf and (ahead[j] >= threshold or t + tau * x <= t_next):       # (E5) before the next input
                            t_out[b, j0 + j], t_bound[b, j0 + j], slope[b, j0 + j] = min(t + tau * x, t_next), t_next, s
                            level[j] = np.inf
                            live -= 1
            kept = fades[0]


@njit
def near(a, p, ahead, level, rise):
    """Say whether a potential may reach the threshold before the next input: there, or below its tangent in between."""
    return max(ahead, p + (a - p) * rise) >= level


@njit
def _arrive(w, state, fading, rise):
    """Let one input arrive and look ahead to the next; return how many neurons may fire in between."""
    a, p, ahead, level = state
    kept, held, left = fading
    n_near = np.int32(0)
    for j in range(len(w)):
        p_j, a_j = ahead[j], a[j] * kept + w[j]
        ahead_j = p_j * held + a_j * left                                # (E3) (E10)
        n_near += np.int32(near(a_j, p_j, ahead_j, level[j], rise))
        p[j], a[j], ahead[j] = p_j, a_j, ahead_j
    return n_near


def _backward(dt_out, cache):
    """Pull a gradient back through the forward pass of either neuron; see `pysnn.reference.spike_times`."""
    dt_out = _checks.spike_time_backward(dt_out, cache.t_out)
    t_in, w, t_out, t_bound, slope, tau, ratio = cache
    fires = t_bound > -np.inf
    h = np.where(fires, dt_out, 0) / slope
    scaled = _exponentials(t_in, np.where(fires, t_out, -np.inf), tau * ratio)
    t_out = np.where(fires, t_out, 0)
    dt_in, dw = np.empty_like(t_in), np.zeros_like(w)
    fixed, how, across = (t_in, t_out, t_bound, h, *scaled), (tau, w.dtype.type(ratio)), np.ascontiguousarray(w.T)
    spread(lambda i0, i1: _sum_w(fixed, how, dw, i0, i1), cut(len(w), _INPUTS))
    spread(lambda b0, b1: _sum_t(fixed, across, how, dt_in, b0, b1), cut(len(t_in), _SAMPLES))
    return dt_in, dw


def _exponentials(t_in, t_out, tau):
    """Write exp(-(t_out - t_in)/tau) as a product of two factors, sample by sample; where one would overflow, say so.

    Returns
    -------
    rising : (B, N_in) array
        exp((t_in - c)/tau), c in the middle of the sample's times.
    falling : (B, N_out) array
        exp(-(t_out - c)/tau).
    far : (B,) bool array
        Whether the times are too far apart for that.
    """
    came, fires = np.isfinite(t_in), np.isfinite(t_out)
    first = t_in.min(axis=1, initial=np.inf)
    last = np.maximum(t_in.max(axis=1, initial=-np.inf, where=came), t_out.max(axis=1, initial=-np.inf, where=fires))
    used = fires.any(axis=1)
    first, last = np.where(used, first, 0), np.where(used, last, 0)
    with np.errstate(over="ignore"):
        half = (last - first) / 2
        centre = (first + half)[:, None]
        far = ~(half / tau < _EXPONENT * np.log(np.finfo(t_in.dtype).max))
        near = ~far[:, None]
        rising = np.exp(np.subtract(t_in, centre, out=np.zeros_like(t_in), where=came & near & used[:, None]) / tau)
        falling = np.exp(np.subtract(centre, t_out, out=np.zeros_like(t_out), where=fires & near) / tau)
    return rising, falling, far


@njit
def _decay(rising, falling, far, lag, ratio):
    """Return exp(-lag), or exp(-lag/2) where the membrane is slower."""
    return math.exp(-lag / ratio) if far else rising * falling


@njit
def _sum_w(fixed, how, dw, i0, i1):
    """(E8) dw_ij = -tau sum_b h_bj psp(lag_bij) over the causal sets."""
    t_in, t_out, t_bound, h, rising, falling, far = fixed
    tau, ratio = how
    zero = dw.dtype.type(0)
    for b in range(len(t_in)):
        for i in range(i0, i1):
            t, r, apart = t_in[b, i], rising[b, i], far[b]
            if t == np.inf:
                continue
            for j in range(dw.shape[1]):
                causal = t < t_bound[b, j]
                lag = (t_out[b, j] - t) / tau if causal else zero
                q = _decay(r, falling[b, j], apart, lag, ratio)
                psp = lag * q if ratio == 1 else q - q * q
                dw[i, j] -= tau * psp * h[b, j] if causal else zero


@njit
def _sum_t(fixed, w, how, dt_in, b0, b1):
    """(E8) dt_in_bi = sum_j h_bj w_ij psp'(lag_bij) over the neurons whose causal set holds i; w is (N_out, N_in)."""
    t_in, t_out, t_bound, h, rising, falling, far = fixed
    tau, ratio = how
    zero, half = w.dtype.type(0), w.dtype.type(0.5)
    for b in range(b0, b1):
        dt_in[b] = 0
        for j in range(len(w)):
            if t_bound[b, j] == -np.inf:
                continue
            bound, t, f, h_j, apart = t_bound[b, j], t_out[b, j], falling[b, j], h[b, j], far[b]
            for i in range(w.shape[1]):
                causal = t_in[b, i] < bound
                lag = (t - t_in[b, i]) / tau if causal else zero
                q = _decay(rising[b, i], f, apart, lag, ratio)
                rise = q - lag * q if ratio == 1 else q * q - half * q
                dt_in[b, i] += h_j * w[j, i] * rise if causal else zero


leaky_equal_backward = leaky_double_backward = alpha_backward = _backward
