"""The temporal neuron with delays, written to be read (NumPy): a spike reaches neuron j from input i a delay d_ij after it was sent.

Delays are of axons, (N_in, 1), of dendrites, (1, N_out), or of single synapses, (N_in, N_out). Here all three are the last: each neuron
is a temporal neuron with arrival times of its own. docs/derivations/delays.md derives the equations tagged (T10) ... (T12).
"""

from typing import NamedTuple

import numpy as np

from .. import _checks
from . import temporal


class Cache(NamedTuple):
    """What backward needs of forward; opaque."""

    z_in: np.ndarray     # (B, N_in)
    w: np.ndarray        # (N_in, N_out)
    delay: np.ndarray    # (N_in, 1), (1, N_out) or (N_in, N_out)
    z_out: np.ndarray    # (B, N_out)
    neurons: tuple       # the cache of each neuron


def forward(z_in, w, delay, threshold=1.0):
    """Find when each neuron fires.

    Parameters
    ----------
    z_in : (B, N_in) array, float32 or float64
        exp(t/tau) of the input spikes; inf means no spike.
    w : (N_in, N_out) array of the same dtype
        Weights.
    delay : (N_in, 1), (1, N_out) or (N_in, N_out) array of the same dtype
        Delays of axons, of dendrites or of synapses, in tau; at least 0.
    threshold : float
        Firing threshold divided by tau.

    Returns
    -------
    z_out : (B, N_out) array
        exp(t/tau) of the first threshold crossing, seen at the far end of the delay; inf means no spike.
    cache : Cache
        For `backward`.

    Raises
    ------
    TypeError
        For anything but float32 or float64, or a mix of both.
    ValueError
        For shapes that do not fit, an empty batch, a z that is NaN, zero or negative, or a delay that is negative, not finite, or so long
        that exp(delay) is not.
    """
    z_in, w, delay, threshold = _checks.delays_forward(z_in, w, delay, threshold)
    factor = np.broadcast_to(np.exp(delay), w.shape)
    with np.errstate(over="ignore"):                                     # what arrives after all numbers never comes
        neurons = [temporal.forward(z_in * factor[:, j], w[:, j:j + 1], threshold) for j in range(w.shape[1])]      # (T10)
    z_out = np.concatenate([z for z, _ in neurons], axis=1)
    return z_out, Cache(z_in, w, delay, z_out, tuple(cache for _, cache in neurons))


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
    ddelay : array like delay
        Gradient with respect to the delays, summed over the batch and over the synapses that share a delay.

    Raises
    ------
    TypeError, ValueError
        If dz_out is not like z_out.
    """
    dz_out = _checks.temporal_backward(dz_out, cache.z_out)
    z_in, w, delay, _, neurons = cache
    factor = np.broadcast_to(np.exp(delay), w.shape)
    dz_in, dw, dd = np.zeros_like(z_in), np.empty_like(w), np.empty_like(w)
    for j, neuron in enumerate(neurons):
        dz, dw[:, j:j + 1] = temporal.backward(np.ascontiguousarray(dz_out[:, j:j + 1]), neuron)
        dz_in += dz * factor[:, j]                                       # (T11) z_ij = z_i exp(d_ij)
        arrival = np.where(np.isfinite(neuron.z_in), neuron.z_in, 0)
        dd[:, j] = (dz * arrival).sum(axis=0)                            # (T11) dz_ij/dd_ij = z_ij
    for axis, n in enumerate(delay.shape):
        dd = dd.sum(axis=axis, keepdims=True) if n == 1 else dd          # (T12) synapses that share a delay
    return dz_in, dw, dd
