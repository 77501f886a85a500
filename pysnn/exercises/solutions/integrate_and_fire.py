"""A solution of the exercise integrate_and_fire: step by step, integrate, fire, reset. The example gives 3 and 2 spikes."""

import numpy as np

EXERCISE = "integrate_and_fire"


def forward(current, threshold=1.0, v_init=0.0, reset="subtract"):
    """Run neurons over T steps.

    Parameters
    ----------
    current : (T, B) array
        What each step adds to the potential.
    threshold : float
        Firing threshold.
    v_init : float
        Potential before the first step.
    reset : {"subtract", "zero"}
        What a spike does to the potential.

    Returns
    -------
    spikes : (T, B) array
        0 or 1.
    v_final : (B,) array
        Potential after the last step.
    """
    spikes = np.zeros_like(current)
    v = np.full_like(current[0], v_init)
    for t in range(len(current)):
        v = v + current[t]                                               # (I1)
        spikes[t] = v >= threshold
        v = np.where(spikes[t] == 1, v - threshold if reset == "subtract" else 0.0, v)     # (I2)
    return spikes, v
