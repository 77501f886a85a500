"""The convolution of temporal neurons to 50 digits: the oracle of the temporal neuron, place by place."""

import numpy as np

from . import temporal
from ._numbers import exact


def _places(z_in, w, b, stride, padding):
    """Give each place on the map: its index, and the pixels (h, v, c) and weights (k, l, c) of its window that exist."""
    n_h, n_w = (1 + (n + 2 * padding - k) // stride for n, k in zip(z_in.shape[1:3], w.shape[:2], strict=True))
    for s, u, v in np.ndindex(len(z_in), n_h, n_w):
        taps = [(k, m, c) for k, m, c in np.ndindex(*w.shape[:3])
                if 0 <= u * stride + k - padding < z_in.shape[1] and 0 <= v * stride + m - padding < z_in.shape[2]]
        yield (s, u, v), [(u * stride + k - padding, v * stride + m - padding, c) for k, m, c in taps], taps


def forward(z_in, w, b=None, stride=1, padding=0, threshold=1.0):
    """Find when each neuron fires.

    Parameters
    ----------
    z_in, w, b, stride, padding, threshold : arrays, int, float
        As of the operation.

    Returns
    -------
    z_out : (B, H_out, W_out, N) object array
        mpf with 50 digits; inf means no spike.
    cache : tuple
        For `backward`: the arguments' shapes, and each place with its neurons' cache.
    """
    shapes = np.shape(z_in), np.shape(w)
    z_in, w, b, places = exact(z_in), exact(w), None if b is None else exact(b), []
    for at, pixels, taps in _places(z_in, w, b, stride, padding):
        z = [z_in[(at[0], *pixel)] for pixel in pixels] + ([] if b is None else [exact(np.ones(()))[()]])
        rows = [w[tap] for tap in taps] + ([] if b is None else [b])
        z, rows = np.array([z], object).reshape(1, -1), np.array(rows, object).reshape(-1, w.shape[3])
        places.append((at, pixels, taps, temporal.forward(z, rows, threshold)))
    shape = tuple(1 + max(at[k] for at, *_ in places) for k in range(3))
    z_out = np.empty((*shape, w.shape[3]), object)
    for at, _, _, (z, _) in places:
        z_out[at] = z[0]
    return z_out, (shapes, b is not None, [(at, pixels, taps, neurons) for at, pixels, taps, (_, neurons) in places])


def backward(dz_out, cache):
    """Pull a gradient back through `forward`.

    Parameters
    ----------
    dz_out : (B, H_out, W_out, N) array
        Gradient of the loss with respect to z_out; ignored where z_out is inf.
    cache : tuple
        From `forward`.

    Returns
    -------
    dz_in, dw, db : object arrays
        Gradients in the shapes of the arguments, mpf; db is None without b.
    """
    (shape_z, shape_w), has_b, places = cache
    dz_in, dw, db = exact(np.zeros(shape_z)), exact(np.zeros(shape_w)), exact(np.zeros(shape_w[3]))
    for at, pixels, taps, neurons in places:
        dz, drows = temporal.backward(dz_out[at][None], neurons)
        for k, (pixel, tap) in enumerate(zip(pixels, taps, strict=True)):
            dz_in[(at[0], *pixel)] += dz[0, k]
            dw[tap] += drows[k]
        db = db + drows[-1] if has_b else db
    return dz_in, dw, db if has_b else None


def condition(cache):
    """Return the condition number of each spike.

    Parameters
    ----------
    cache : tuple
        From `forward`.

    Returns
    -------
    float64 array
        That of `pysnn.verify.oracle.temporal.condition`, place by place.
    """
    return np.concatenate([temporal.condition(neurons) for *_, neurons in cache[2]])


def neurons(cache):
    """Give the inputs and weights of each place.

    Parameters
    ----------
    cache : tuple
        From `forward`.

    Yields
    ------
    z_in : (n,) float64 array
        exp of the times of its inputs.
    w : (n, N) float64 array
        Weights.
    """
    for *_, neuron in cache[2]:
        yield neuron.z_in[0].astype(float), neuron.w.astype(float)
