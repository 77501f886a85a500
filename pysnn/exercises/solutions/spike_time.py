"""Exercise spike_time: compute when a neuron fires.

A neuron gets one spike from each of its inputs. It fires once, when its potential first reaches the threshold. Times are written as
z = exp(t/tau): a later time has a larger z, and a spike that never comes has z = inf. Between two inputs the potential is
V/tau = S - P/z, where S is the sum of the weights that have arrived and P the sum of weight times z (docs/derivations/temporal.md, (T2)).

Your task: write spike_time, (T3) to (T6). Note:

- inputs come in any order, and some never come;
- the potential must cross the threshold no later than the next input; otherwise that input changes the crossing;
- inputs at equal times enter together, (T6), also where rounding would put a crossing exactly at their time;
- a neuron may stay silent. Then its z is inf.

Mark it:  pysnn check spike_time.py
"""

import numpy as np

EXERCISE = "spike_time"


def potential(z, z_in, w):
    """Compute V/tau at one time; given, for experiments.

    Parameters
    ----------
    z : float
        The time.
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
    """Compute when the neuron fires.

    Parameters
    ----------
    z_in : (N,) array
        z of the input spikes, positive; inf: never comes.
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
    # Try the prefixes of the sorted inputs, the shortest first, as (T5) says.
    z_out = np.inf
    order = np.argsort(z_in)
    order = order[np.isfinite(z_in[order])]
    sum_w = sum_wz = 0.0
    for k, i in enumerate(order):
        sum_w += w[i]
        sum_wz += w[i] * z_in[i]
        z_next = z_in[order[k + 1]] if k + 1 < len(order) else np.inf
        if z_next == z_in[i]:
            continue                                                     # (T6) simultaneous inputs enter together
        if sum_w > threshold and sum_wz / (sum_w - threshold) <= z_next:     # (T4) and (T5)
            z_out = sum_wz / (sum_w - threshold)                         # (T3)
            break
    return z_out
