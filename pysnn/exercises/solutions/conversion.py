"""A solution of the exercise conversion: a scale that occurs among the activations, and two ratios."""

import numpy as np

EXERCISE = "conversion"


def scale(activations, percentile):
    """Find the scale of a layer.

    Parameters
    ----------
    activations : (N, n) array
        Of the layer, for N training samples.
    percentile : float
        50 to 100.

    Returns
    -------
    float
        The scale, positive.
    """
    falling = np.sort(activations.ravel())[::-1]
    top = falling[int((1 - percentile / 100) * falling.size + 1e-9)]     # (P7)
    return float(top) if top > 0 else 1.0


def rescale(w, b, before, after):
    """Put scales into the weights of a layer.

    Parameters
    ----------
    w : (N_in, N_out) array
        Weights of the ReLU network.
    b : (N_out,) array
        Biases.
    before : float
        Scale of the layer before; 1 for the input.
    after : float
        Scale of this layer.

    Returns
    -------
    new_w : (N_in, N_out) array
        Weights of the spiking network, threshold 1.
    new_b : (N_out,) array
        Its biases.
    """
    return w * (before / after), b / after                               # (P6)
