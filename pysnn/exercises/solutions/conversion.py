"""Exercise conversion: a trained ReLU network becomes a spiking one.

A rate cannot be larger than one spike a step, an activation can. So each layer is divided by a scale, the largest of its activations
or nearly so, and the next layer multiplies by it again. The rates are then the activations divided by the scales.

Your task: scale, (P7), and rescale, (P6). Mind:

- the scale is one of the activations: of M of them, sorted from the largest, the one in place floor((1 - percentile/100) M), counted
  from 0; percentile 100 is the maximum. If that is not positive, the scale is 1;
- (1 - 99.9/100) 1000 is not quite 1 in floating point: add 1e-9 before you round down;
- a layer gets rates from the layer before it, which is at its own scale; the bias comes with no rate.

Derived in docs/derivations/conversion.md. Mark it:  pysnn check conversion.py
"""

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
    # your lines: s, (P7)
    falling = np.sort(activations.ravel())[::-1]
    top = falling[int((1 - percentile / 100) * falling.size + 1e-9)]     # (P7)
    s = float(top) if top > 0 else 1.0
    return s


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
    # your lines: new_w, (P6); new_b, (P6)
    new_w = w * (before / after)                                         # (P6)
    new_b = b / after
    return new_w, new_b
