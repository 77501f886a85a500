"""Exercise spike_time: say when a neuron fires.

A neuron gets one spike from each of its inputs and fires once, when its potential first reaches the threshold. Times are written
as z = exp(t/tau): later is larger, and inf is a spike that never comes. Between two inputs the potential is V/tau = S - P/z,
where S sums up the weights that have arrived and P sums up weight times z (docs/derivations/temporal.md, (T2)).

Your task: write spike_time, (T3) to (T6). Three things to mind:

- inputs come in any order, and some never come;
- the crossing must come before the next input does, or it does not come at all;
- a neuron may stay silent. Then its z is inf.

Mark it:  pysnn check spike_time.py
"""

import numpy as np

EXERCISE = "spike_time"


def potential(z, z_in, w):
    """Evaluate V/tau at one time; given, to experiment with.

    Parameters
    ----------
    z : float
        When.
    z_in, w : (N,) arrays
        Inputs and weights.

    Returns
    -------
    float
        The potential divided by tau.
    """
    arrived = z_in < z
    return float(np.sum(w[arrived] * (1 - z_in[arrived] / z)))


def spike_time(z_in, w, threshold=1.0):
    """Find when the neuron fires.

    Parameters
    ----------
    z_in : (N,) array
        z of the inputs, positive; inf: never comes.
    w : (N,) array
        Their weights.
    threshold : float
        Firing threshold divided by tau.

    Returns
    -------
    float
        z of the output spike; inf: silent.
    """
    # your lines: z_out, (T3) to (T6)
    # One prefix of the sorted inputs after the other, as (T5) says.
    z_out = np.inf
    order = np.argsort(z_in)
    order = order[np.isfinite(z_in[order])]
    sum_w = sum_wz = 0.0
    for k, i in enumerate(order):
        sum_w += w[i]
        sum_wz += w[i] * z_in[i]
        z_next = z_in[order[k + 1]] if k + 1 < len(order) else np.inf
        if z_next == z_in[i]:
            continue                                                     # (T6) inputs at one time enter together
        if sum_w > threshold and sum_wz / (sum_w - threshold) <= z_next:     # (T4) and (T5)
            z_out = sum_wz / (sum_w - threshold)                         # (T3)
            break
    return z_out
