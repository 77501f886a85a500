"""A witness for the convolution of temporal neurons, which shares no code with it: each place on the map is a neuron of its own."""

import numpy as np

from . import delays


def _windows(z_in, w, b, stride, padding):
    """Return the windows of all places as rows, the weights as a dense layer's, and the shape of the map."""
    n_batch, n_h, n_w, n_c = z_in.shape
    wide = np.full((n_batch, n_h + 2 * padding, n_w + 2 * padding, n_c), np.inf, z_in.dtype)
    wide[:, padding:padding + n_h, padding:padding + n_w] = z_in
    seen = np.lib.stride_tricks.sliding_window_view(wide, w.shape[:2], axis=(1, 2))[:, ::stride, ::stride]
    rows = seen.transpose(0, 1, 2, 4, 5, 3).reshape(-1, w[..., 0].size)
    weights = w.reshape(-1, w.shape[3])
    if b is not None:
        rows, weights = np.concatenate([rows, np.ones((len(rows), 1))], axis=1), np.concatenate([weights, np.reshape(b, (1, -1))])
    return rows, weights, (*seen.shape[:3], w.shape[3])


def first_spike(z_in, w, b=None, stride=1, padding=0, threshold=1.0):
    """Find the spikes from the ratio of two sums.

    Parameters
    ----------
    z_in : (B, H, W, C) array, real or complex
        exp of the input times; inf means no spike.
    w : (kh, kw, C, N) array, real or complex
        Weights.
    b : (N,) array, real or complex, optional
        Weights of an extra input at 1.
    stride, padding : int
        Of the windows.
    threshold : float
        Firing threshold divided by tau.

    Returns
    -------
    (B, H_out, W_out, N) array
        exp of the spike times, inf for none; decisions are taken by real parts.
    """
    rows, weights, shape = _windows(z_in, w, b, stride, padding)
    return delays.first_spike(rows, weights, np.zeros((1, shape[3])), threshold).reshape(shape)


def decisions(z_in, w, b=None, stride=1, padding=0, threshold=1.0):
    """Say what is discrete about a forward pass: who fires, and after which inputs.

    Parameters
    ----------
    z_in, w, b, stride, padding, threshold : arrays, int, float
        As for `first_spike`.

    Returns
    -------
    list of bool arrays
        Of all places: who fires, and the causal sets.
    """
    rows, weights, shape = _windows(z_in, w, b, stride, padding)
    return delays.decisions(rows, weights, np.zeros((1, shape[3])), threshold)
