"""Exercise conversion: a trained ReLU network becomes a spiking one.

A rate is at most one spike per step; an activation can be larger than 1. So each layer is divided by a scale, which is its largest
activation or a high percentile, and the next layer is multiplied by it again. The rates are then the activations divided by the scales.

Your task: write scale, (P7), and rescale, (P6). Note:

- the scale is one of the M activations. Sort them from the largest and take the one with index floor((1 - percentile/100) M), counted
  from 0; percentile 100 gives the maximum. If the result is not positive, the scale is 1;
- (1 - 99.9/100) 1000 is slightly less than 1 in floating point: add 1e-9 before you round down;
- the input of a layer is the rates of the layer before, which have the scale of that layer. The bias is not multiplied by a rate.

Derived in docs/derivations/conversion.md. Mark it:  pysnn check conversion.py
"""

import numpy as np

EXERCISE = "conversion"


def scale(activations, percentile):
    """Compute the scale of a layer.

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
    # your lines: s, (P7)
    falling = np.sort(activations.ravel())[::-1]
    top = falling[int((1 - percentile / 100) * falling.size + 1e-9)]     # (P7)
    s = float(top) if top > 0 else 1.0
    return s


def rescale(w, b, before, after):
    """Include the scales in the weights of a layer.

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
    # your lines: new_w, (P6); new_b, (P6)
    new_w = w * (before / after)                                         # (P6)
    new_b = b / after
    return new_w, new_b
