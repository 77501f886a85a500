"""Exercise temporal_backward: the exact gradient of spike times.

A layer of temporal neurons computes z_out from z_in. The forward pass is given and caches what you need, including the causal sets. An
output that fires has z_out = P/(S - threshold), (T3), where S is the sum of w and P the sum of w z_in over its causal set.

Your task: dz_out is the gradient of a loss with respect to z_out. Write dz_in and dw, (T8) and (T7). You may write one of them first
and leave the other as it is. Note:

- a silent output contributes nothing, whatever dz_out contains for it; and inf times 0 is NaN, not 0;
- dw is a sum over the samples of the batch, dz_in a sum over the outputs.

Derived in docs/derivations/temporal.md. Mark it:  pysnn check temporal_backward.py
"""

import numpy as np

EXERCISE = "temporal_backward"


def forward(z_in, w, threshold=1.0):
    """Compute when each neuron fires; given.

    Parameters
    ----------
    z_in : (B, N_in) array
        z of the inputs; inf: never comes.
    w : (N_in, N_out) array
        Weights.
    threshold : float
        Firing threshold divided by tau.

    Returns
    -------
    z_out : (B, N_out) array
        z of the outputs; inf: silent.
    cache : tuple
        What backward needs: z_in, w, threshold, z_out and causal, (B, N_in, N_out), True where an input is in the causal set of an
        output that fires.
    """
    z_out = np.full((len(z_in), w.shape[1]), np.inf)
    for b, z in enumerate(z_in):
        order = np.argsort(z, kind="stable")
        order = order[np.isfinite(z[order])]
        z_next = np.append(z[order][1:], np.inf)
        for j in range(w.shape[1]):
            excess = np.cumsum(w[order, j]) - threshold
            crossing = np.cumsum(w[order, j] * z[order]) / np.where(excess > 0, excess, np.nan)
            good = np.flatnonzero((excess > 0) & (crossing <= z_next) & (z[order] < z_next))
            if good.size:
                z_out[b, j] = crossing[good[0]]
    causal = (z_in[:, :, None] < z_out[:, None, :]) & np.isfinite(z_out)[:, None, :]
    return z_out, (z_in, w, threshold, z_out, causal)


def backward(dz_out, cache):
    """Compute the gradients of the inputs of forward from that of its output.

    Parameters
    ----------
    dz_out : (B, N_out) array
        Gradient of the loss with respect to z_out.
    cache : tuple
        From forward.

    Returns
    -------
    dz_in : (B, N_in) array
        Gradient with respect to z_in.
    dw : (N_in, N_out) array
        Gradient with respect to w, summed over the batch.
    """
    z_in, w, threshold, z_out, causal = cache
    # your lines: dz_in, (T8); dw, (T7)
    # Leave out silent outputs first; then sum over the causal sets.
    fired = np.isfinite(z_out)
    margin = (causal * w).sum(axis=1) - threshold
    h = np.where(fired, dz_out, 0) / np.where(fired, margin, 1)
    late = np.where(causal, z_in[:, :, None] - np.where(fired, z_out, 0)[:, None, :], 0)
    dz_in = (causal * w * h[:, None, :]).sum(axis=2)                     # (T8)
    dw = (late * h[:, None, :]).sum(axis=0)                              # (T7)
    return dz_in, dw
