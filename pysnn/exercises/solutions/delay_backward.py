"""Exercise delay_backward: the exact gradient of delays.

A spike of input i reaches neuron j a delay d_ij after it was sent. In z = exp(t/tau) a delay is a factor, (T10): it arrives at
z_ij = z_in[i] exp(d_ij/tau). The neuron is the temporal neuron with these arrivals as its inputs, so z_out = P/(S - threshold), (T3),
where S is the sum of w, and P the sum of w z_ij, over the causal set. The forward pass is given.

Your task: dz_out is the gradient of a loss with respect to z_out. Write dz_in, dw and ddelay. You may write one of them first and leave
the others as they are. Note:

- delays are given in tau: delay is d/tau, and ddelay the gradient with respect to it;
- a silent output contributes nothing, whatever dz_out contains for it; and inf times 0 is NaN, not 0;
- dw and ddelay are sums over the samples of the batch, dz_in is a sum over the outputs.

In (T11) h_bj is dz_out[b, j] / (S - threshold), 0 where the output is silent; d_ij is delay tau.
Derived in docs/derivations/delays.md. Mark it:  pysnn check delay_backward.py
"""

import numpy as np

EXERCISE = "delay_backward"


def forward(z_in, w, delay, threshold=1.0):
    """Compute when each neuron fires; given.

    Parameters
    ----------
    z_in : (B, N_in) array
        z of the inputs when they are sent; inf: never.
    w, delay : (N_in, N_out) arrays
        Weights, and delays in tau, of each synapse.
    threshold : float
        Firing threshold divided by tau.

    Returns
    -------
    z_out : (B, N_out) array
        z of the outputs; inf: silent.
    cache : tuple
        What backward needs: w, delay, threshold, z_out; arrival, (B, N_in, N_out), the z_ij; and causal, of this shape, True where an
        arrival is in the causal set of an output that fires.
    """
    arrival = z_in[:, :, None] * np.exp(delay)                           # (T10)
    z_out = np.full((len(z_in), w.shape[1]), np.inf)
    for b, j in np.ndindex(z_out.shape):
        order = np.argsort(arrival[b, :, j], kind="stable")
        order = order[np.isfinite(arrival[b, order, j])]
        z = arrival[b, order, j]
        z_next = np.append(z[1:], np.inf)
        excess = np.cumsum(w[order, j]) - threshold
        crossing = np.cumsum(w[order, j] * z) / np.where(excess > 0, excess, np.nan)
        good = np.flatnonzero((excess > 0) & (crossing <= z_next) & (z < z_next))
        if good.size:
            z_out[b, j] = crossing[good[0]]
    causal = (arrival < z_out[:, None, :]) & np.isfinite(z_out)[:, None, :]
    return z_out, (w, delay, threshold, z_out, arrival, causal)


def backward(dz_out, cache):
    """Compute the gradients of the inputs, weights and delays of forward from that of its output.

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
    ddelay : (N_in, N_out) array
        Gradient with respect to delay, summed over the batch.
    """
    w, delay, threshold, z_out, arrival, causal = cache
    # your lines: dz_in, (T11); dw, (T7) with the arrivals; ddelay, (T11)
    # First the gradient of each arrival; it goes on to z_in and to the delay.
    fired = np.isfinite(z_out)
    margin = (causal * w).sum(axis=1) - threshold
    h = np.where(fired, dz_out, 0) / np.where(fired, margin, 1)
    z = np.where(causal, arrival, 0)
    darrival = causal * w * h[:, None, :]                                # (T8)
    dz_in = (darrival * np.exp(delay)).sum(axis=2)                       # (T11)
    dw = ((z - causal * np.where(fired, z_out, 0)[:, None, :]) * h[:, None, :]).sum(axis=0)     # (T7)
    ddelay = (darrival * z).sum(axis=0)                                  # (T11)
    return dz_in, dw, ddelay
