"""A solution of the exercise spike_time: one prefix of the sorted inputs after the other, as (T5) says."""

import numpy as np

EXERCISE = "spike_time"


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
            return sum_wz / (sum_w - threshold)                          # (T3)
    return np.inf
