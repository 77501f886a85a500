"""Exercise integrate_and_fire: a neuron that counts.

In each of T steps the membrane adds up its current, V + X. Where that reaches the threshold the neuron fires, S = 1, and is reset:
by subtraction the threshold comes off, "to zero" all of it does. Nothing leaks (docs/derivations/integrate-and-fire.md).

Your task: write forward, (I1) and (I2). Mind:

- at exactly the threshold it fires;
- a spike stands in the step in which the potential reached the threshold, and the reset ends that step;
- the results have the dtype of the current, float64.

Before you write: how many spikes do 5 steps of current 0.75 give at threshold 1, by each reset? (I4) and (I5) know.
Mark it:  pysnn check integrate_and_fire.py
"""

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
    # your lines: spikes, (I1); v, (I2), at the end the potential after the last step
    # Integrate, fire, reset. The example of the task gives 3 and 2 spikes.
    spikes = np.zeros_like(current)
    v = np.full_like(current[0], v_init)
    for t in range(len(current)):
        v = v + current[t]                                               # (I1)
        spikes[t] = v >= threshold
        v = np.where(spikes[t] == 1, v - threshold if reset == "subtract" else 0.0, v)     # (I2)
    return spikes, v
