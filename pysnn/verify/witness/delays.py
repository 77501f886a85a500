"""A witness for the temporal neuron with delays, which shares no code with it: the ratio of two sums over every prefix of the arrivals."""

import numpy as np


def first_spike(z_in, w, delay, threshold=1.0):
    """Find the spikes from the ratio of two sums.

    Parameters
    ----------
    z_in : (B, N_in) array, real or complex
        exp of the input times; inf means no spike.
    w : (N_in, N_out) array, real or complex
        Weights.
    delay : (N_in, 1), (1, N_out) or (N_in, N_out) array, real or complex
        Delays of axons, dendrites or synapses.
    threshold : float
        Firing threshold divided by tau.

    Returns
    -------
    (B, N_out) array
        exp of the spike times, inf for none; decisions are taken by real parts.
    """
    came = np.isfinite(z_in)[:, :, None] & np.ones(w.shape, bool)
    arrival = np.where(came, np.where(np.isfinite(z_in), z_in, 0)[:, :, None] * np.exp(np.broadcast_to(delay, w.shape)), np.inf)
    order = np.argsort(arrival.real, axis=1)
    came, arrival, heard = (np.take_along_axis(x, order, axis=1) for x in (came, arrival, np.broadcast_to(w, arrival.shape)))
    following = np.concatenate([arrival.real[:, 1:], np.full_like(arrival.real[:, :1], np.inf)], axis=1)
    excess = np.cumsum(np.where(came, heard, 0), axis=1) - threshold
    moment = np.cumsum(np.where(came, heard * np.where(came, arrival, 0), 0), axis=1)
    crossing = moment / np.where(excess.real > 0, excess, 1)
    valid = came & (excess.real > 0) & (crossing.real <= following) & (arrival.real < following)
    first = valid.argmax(axis=1)[:, None]
    return np.where(valid.any(axis=1), np.take_along_axis(crossing, first, axis=1)[:, 0], np.inf)


def decisions(z_in, w, delay, threshold=1.0):
    """Say what is discrete about a forward pass: who fires, and after which arrivals.

    Parameters
    ----------
    z_in, w, delay, threshold : arrays, float
        As for `first_spike`.

    Returns
    -------
    list of bool arrays
        (B, N_out) and the causal sets (B, N_in, N_out).
    """
    z_out = first_spike(z_in, w, delay, threshold)
    fired = np.isfinite(z_out)
    return [fired, (z_in[:, :, None] * np.exp(np.broadcast_to(delay, w.shape)) < z_out[:, None, :]) & fired[:, None, :]]
