"""Exercise fi_curve: how often a leaky neuron fires at a constant current, in closed form.

A constant current charges the membrane. When the potential reaches the threshold, the neuron fires and begins again at 0 (reset to zero).
So all intervals between spikes are equal, and the rate is 1 / interval. Rate against current is the f-I curve.

Your task: write rate_per_step, (D5), for a neuron in steps, and rate_in_time, (M3), for one in continuous time. Note:

- in steps the potential after n steps is current (1 - beta^n) / (1 - beta). The interval is the smallest whole n that brings it to the
  threshold, at least 1; where it is exactly the threshold, the neuron fires;
- in time the potential is current (1 - exp(-t / tau)), in units in which the membrane resistance is 1. After a spike nothing happens for
  the refractory time t_ref;
- a current that never brings the potential to the threshold has the rate 0. That includes negative currents. No result is NaN or inf.

In (D5) gamma is 1 and a the current; in (M3) R is 1 and I the current.
Derived in docs/course/leaky-neuron.md and docs/derivations/leaky.md. Mark it:  pysnn check fi_curve.py
"""

import numpy as np

EXERCISE = "fi_curve"


def rate_per_step(current, beta, threshold=1.0):
    """Compute the rate of a leaky neuron in discrete time.

    Parameters
    ----------
    current : (n,) array
        Constant currents, added in each step.
    beta : float
        Factor by which the potential decays in a step, between 0 and 1.
    threshold : float
        Firing threshold, positive.

    Returns
    -------
    (n,) array
        Spikes per step.
    """
    # your lines: per_step, (D5)
    fires = current > threshold * (1 - beta)
    x = np.where(fires, current, 2 * threshold)              # any current that fires, in the place of those that do not
    n = np.ceil(np.log(1 - threshold * (1 - beta) / x) / np.log(beta))                  # (D5)
    per_step = np.where(fires, 1 / np.maximum(n, 1), 0.0)
    return per_step


def rate_in_time(current, tau, t_ref=0.0, threshold=1.0):
    """Compute the rate of a leaky neuron in continuous time.

    Parameters
    ----------
    current : (n,) array
        Constant currents, in units of the threshold.
    tau : float
        Time constant of the membrane, in seconds.
    t_ref : float
        Refractory time, in seconds.
    threshold : float
        Firing threshold, positive.

    Returns
    -------
    (n,) array
        Spikes per second.
    """
    # your lines: per_time, (M3)
    fires = current > threshold
    x = np.where(fires, current, 2 * threshold)
    per_time = np.where(fires, 1 / (t_ref + tau * np.log(x / (x - threshold))), 0.0)                # (M3)
    return per_time
