"""The temporal neuron with delays to 50 digits: the oracle of the temporal neuron, on arrival times to 60 digits, neuron by neuron."""

import numpy as np

from . import temporal
from ._numbers import context, exact


def forward(z_in, w, delay, threshold=1.0):
    """Find when each neuron fires.

    Parameters
    ----------
    z_in, w, delay : arrays
        As of the operation: (B, N_in), (N_in, N_out) and delays of axons (N_in, 1), dendrites (1, N_out) or synapses (N_in, N_out).
    threshold : float
        Firing threshold divided by tau.

    Returns
    -------
    z_out : (B, N_out) object array
        mpf with 50 digits; inf means no spike.
    cache : tuple
        For `backward`: factors of the delays, shape of the delays, and the cache of each neuron.
    """
    ctx = context()
    z_in, w = exact(z_in), exact(w)
    factor = np.broadcast_to(np.frompyfunc(ctx.exp, 1, 1)(exact(delay)), w.shape)
    neurons = [temporal.forward(z_in * factor[:, j], w[:, j:j + 1], ctx.mpf(threshold)) for j in range(w.shape[1])]
    return np.concatenate([z for z, _ in neurons], axis=1), (factor, np.shape(delay), [cache for _, cache in neurons])


def backward(dz_out, cache):
    """Pull a gradient back through `forward`.

    Parameters
    ----------
    dz_out : (B, N_out) array
        Gradient of the loss with respect to z_out; ignored where z_out is inf.
    cache : tuple
        From `forward`.

    Returns
    -------
    dz_in, dw, ddelay : object arrays
        Gradients in the shapes of the arguments, mpf.
    """
    factor, shape, neurons = cache
    parts = [temporal.backward(dz_out[:, j:j + 1], neuron) for j, neuron in enumerate(neurons)]
    dz_in = sum(dz * factor[:, j] for j, (dz, _) in enumerate(parts))
    arrivals = [np.where(np.isfinite(neuron.z_in.astype(float)), neuron.z_in, 0) for neuron in neurons]
    dd = np.stack([(dz * arrival).sum(axis=0) for (dz, _), arrival in zip(parts, arrivals, strict=True)], axis=1)
    for axis, n in enumerate(shape):
        dd = dd.sum(axis=axis, keepdims=True) if n == 1 else dd
    return dz_in, np.concatenate([dw for _, dw in parts], axis=1), dd


def condition(cache):
    """Return the condition number of each spike.

    Parameters
    ----------
    cache : tuple
        From `forward`.

    Returns
    -------
    (B, N_out) float64 array
        That of `pysnn.verify.oracle.temporal.condition`, of arrivals as if they were exact.
    """
    return np.concatenate([temporal.condition(neuron) for neuron in cache[2]], axis=1)
