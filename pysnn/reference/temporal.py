"""The temporal neuron, written to be read (NumPy, by masks and sums).

A non-leaky integrate-and-fire neuron with exponentially decaying synaptic current fires at most once. With z = exp(t/tau) the time of
its spike is a ratio of two sums over the causal set C, the inputs that arrive before it. docs/derivations/temporal.md derives the
equations tagged (T1) ... (T9). Source: H. Mostafa, arXiv 1606.08165.
"""

from typing import NamedTuple

import numpy as np

from .. import _checks
from ..conventions import NO_SPIKE


class Cache(NamedTuple):
    """What backward needs of forward; opaque."""

    z_in: np.ndarray     # (B, N_in)
    w: np.ndarray        # (N_in, N_out)
    z_out: np.ndarray    # (B, N_out)
    margin: np.ndarray   # (B, N_out), the sum of the causal weights minus the threshold; 1 where silent
    z_bound: np.ndarray  # (B, N_out), the causal set is {i: z_in < z_bound}; 0 where silent


def forward(z_in, w, threshold=1.0):
    """Find when each neuron fires.

    Parameters
    ----------
    z_in : (B, N_in) array, float32 or float64
        exp(t/tau) of the input spikes; inf means no spike.
    w : (N_in, N_out) array of the same dtype
        Weights.
    threshold : float
        Firing threshold divided by tau.

    Returns
    -------
    z_out : (B, N_out) array
        exp(t/tau) of the first threshold crossing; inf means no spike.
    cache : Cache
        For `backward`.

    Raises
    ------
    TypeError
        For anything but float32 or float64, or a mix of both.
    ValueError
        For shapes that do not fit, an empty batch, or a z that is NaN, zero or negative.
    """
    z_in, w, threshold = _checks.temporal_forward(z_in, w, threshold)
    z_out = np.full((len(z_in), w.shape[1]), NO_SPIKE, w.dtype)
    margin = np.ones_like(z_out)
    z_bound = np.zeros_like(z_out)
    for b, z in enumerate(z_in):
        order = np.argsort(z, kind="stable")[:np.isfinite(z).sum()]      # inputs that never come are the last
        if order.size == 0:
            continue
        z_sorted, w_sorted = z[order], w[order]
        scale = _scale(z_sorted[-1], w_sorted)
        z_next = np.append(z_sorted[1:], w.dtype.type(np.inf))[:, None]
        sum_w = np.cumsum(w_sorted, axis=0)                              # [k, j]: inputs up to rank k in time, neuron j
        sum_wz = np.cumsum(w_sorted * (z_sorted * scale)[:, None], axis=0)
        a = sum_w - threshold
        excitable = a > 0                                                # (T4) the causal weights exceed the threshold
        crossing = np.divide(sum_wz, a, out=np.full_like(a, np.inf), where=excitable)     # (T3)
        in_time = crossing <= z_next * scale                             # (T5) before the next input arrives,
        last_of_tie = z_sorted[:, None] < z_next                         # (T6) where inputs at one time enter together
        valid = excitable & in_time & last_of_tie
        fires = valid.any(axis=0)
        first = valid.argmax(axis=0)                                     # (T5) the shortest valid prefix is the causal set
        j = np.flatnonzero(fires)
        with np.errstate(over="ignore"):
            z_out[b, j] = crossing[first[j], j] / scale
        margin[b, j] = a[first[j], j]
        z_bound[b, j] = z_next[first[j], 0]
    return z_out, Cache(z_in, w, z_out, margin, z_bound)


def _scale(z_last, w):
    """Return 1, or the power of two that keeps sums of w z below the largest number: late spikes are found there, too."""
    total = max(float(np.abs(w).sum(axis=0, dtype=np.float64).max()), 1.0)
    return w.dtype.type(1 if z_last < np.finfo(w.dtype).max / total else 0.5 ** np.ceil(np.log2(total)))


def backward(dz_out, cache):
    """Pull a gradient back through `forward`.

    Parameters
    ----------
    dz_out : (B, N_out) array
        Gradient of the loss with respect to z_out; ignored, whatever it holds, where z_out is inf.
    cache : Cache
        From `forward`.

    Returns
    -------
    dz_in : (B, N_in) array
        Gradient with respect to z_in; exactly 0 outside the causal sets.
    dw : (N_in, N_out) array
        Gradient with respect to w, summed over the batch.

    Raises
    ------
    TypeError, ValueError
        If dz_out is not like z_out.
    """
    dz_out = _checks.temporal_backward(dz_out, cache.z_out)
    z_in, w, z_out, margin, z_bound = cache
    dz_in = np.zeros_like(z_in)
    dw = np.zeros_like(w)
    for b in range(len(z_in)):
        fires = z_out[b] < NO_SPIKE
        causal = z_in[b][:, None] < z_bound[b]                           # (N_in, N_out)
        h = np.where(fires, dz_out[b], 0) / margin[b]
        z_j = np.where(fires, z_out[b], 0)
        z_i = np.where(causal, z_in[b][:, None], z_j)                    # outside the causal set nothing may overflow
        dw += np.where(causal, (z_i - z_j) * h, 0)                       # (T7) dz_out/dw = (z_i - z_out)/(S - threshold)
        dz_in[b] = np.where(causal, w * h, 0).sum(axis=1)                # (T8) dz_out/dz_in = w/(S - threshold)
    return dz_in, dw
