"""Convolution of temporal neurons, written to be read (NumPy): the neurons of one channel share their weights, each sees its own window.

A neuron on the map is a temporal neuron whose inputs are the spikes in its window; beyond the edge of the image none ever comes.
docs/derivations/temporal-convolution.md derives the equations tagged (T13) ... (T15).
"""

from typing import NamedTuple

import numpy as np

from .. import _checks
from ..conventions import NO_SPIKE
from . import temporal


class Cache(NamedTuple):
    """What backward needs of forward; opaque."""

    z_in: np.ndarray          # (B, H, W, C)
    w: np.ndarray             # (kh, kw, C, N)
    has_b: bool
    stride: int
    padding: int
    z_out: np.ndarray         # (B, H_out, W_out, N)
    neurons: temporal.Cache   # of all places as if they were samples


def forward(z_in, w, b=None, stride=1, padding=0, threshold=1.0):
    """Find when each neuron of the map fires.

    Parameters
    ----------
    z_in : (B, H, W, C) array, float32 or float64
        exp(t/tau) of the input spikes; inf means no spike.
    w : (kh, kw, C, N) array of the same dtype
        Weights.
    b : (N,) array of the same dtype, optional
        Weights of an extra input spike of every neuron at z = 1.
    stride : int
        Step between the windows of two neighbours, in both directions.
    padding : int
        Rows and columns without spikes added on each side.
    threshold : float
        Firing threshold divided by tau.

    Returns
    -------
    z_out : (B, H_out, W_out, N) array
        exp(t/tau) of the first threshold crossing; inf means no spike. H_out = floor((H + 2 padding - kh) / stride) + 1, W_out likewise.
    cache : Cache
        For `backward`.

    Raises
    ------
    TypeError
        For anything but float32 or float64, or a mix of both.
    ValueError
        For shapes that do not fit, a window larger than the padded image, an empty batch, a stride below 1, a padding below 0, or a z that
        is NaN, zero or negative.
    """
    z_in, w, b, stride, padding, threshold, shape = _checks.temporal_conv(z_in, w, (b, stride, padding, threshold))
    padded = np.pad(z_in, ((0, 0), (padding, padding), (padding, padding), (0, 0)), constant_values=NO_SPIKE)
    seen = [padded[:, rows, cols] for rows, cols in _taps(w, shape, stride)]
    windows = np.stack(seen, axis=3).reshape(-1, w[..., 0].size)                                      # (T13)
    rows = w.reshape(-1, w.shape[3])
    if b is not None:
        windows, rows = np.append(windows, np.ones_like(windows[:, :1]), axis=1), np.append(rows, b[None], axis=0)
    z_out, neurons = temporal.forward(windows, rows, threshold)
    z_out = z_out.reshape(shape)
    return z_out, Cache(z_in, w, b is not None, stride, padding, z_out, neurons)


def backward(dz_out, cache, need_dz=True):
    """Pull a gradient back through `forward`.

    Parameters
    ----------
    dz_out : (B, H_out, W_out, N) array
        Gradient of the loss with respect to z_out; ignored, whatever it holds, where z_out is inf.
    cache : Cache
        From `forward`.
    need_dz : bool
        False for a first layer: nobody asks for the gradient of an image.

    Returns
    -------
    dz_in : (B, H, W, C) array or None
        Gradient with respect to z_in, exactly 0 where no neuron waited for that spike; None if not asked for.
    dw : (kh, kw, C, N) array
        Gradient with respect to w, summed over the batch and the map.
    db : (N,) array or None
        Gradient with respect to b.

    Raises
    ------
    TypeError, ValueError
        If dz_out is not like z_out.
    """
    z_in, w, has_b, stride, padding, z_out, neurons = cache
    dz_out = _checks.temporal_backward(dz_out, z_out)
    dwindows, drows = temporal.backward(dz_out.reshape(-1, w.shape[3]), neurons)
    n = w[..., 0].size
    dseen = dwindows[:, :n].reshape(*z_out.shape[:3], -1, w.shape[2])
    dpadded = np.pad(np.zeros_like(z_in), ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    for k, (rows, cols) in enumerate(_taps(w, z_out.shape, stride)):
        dpadded[:, rows, cols] += dseen[:, :, :, k]                                                  # (T14) as many times as it was seen
    dz_in = dpadded[:, padding:padding + z_in.shape[1], padding:padding + z_in.shape[2]]
    return np.ascontiguousarray(dz_in) if need_dz else None, drows[:n].reshape(w.shape), drows[n] if has_b else None


def _taps(w, shape, stride):
    """Give the rows and columns of the padded image that each tap of the window sees."""
    for i in range(w.shape[0]):
        for j in range(w.shape[1]):
            yield slice(i, i + stride * (shape[1] - 1) + 1, stride), slice(j, j + stride * (shape[2] - 1) + 1, stride)
