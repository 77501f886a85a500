"""Exercise integrate_and_fire: the forward pass of an integrate-and-fire neuron.

In each of T steps the current X is added to the membrane potential V. If the sum reaches the threshold, the neuron fires, S = 1, and its
potential is reset: "subtract" subtracts the threshold, "zero" sets it to 0. There is no leak (docs/derivations/integrate-and-fire.md).

Your task: write forward, (I1) and (I2). Note:

- the neuron fires at exactly the threshold, too;
- a spike belongs to the step in which the potential reaches the threshold, and the reset is the last thing in that step;
- the results have the dtype of the current, float64.

Before you write: how many spikes do 5 steps of current 0.75 give at threshold 1, with each reset? (I4) and (I5) tell.
Mark it:  pysnn check integrate_and_fire.py
"""

import numpy as np

EXERCISE = "integrate_and_fire"


def forward(current, threshold=1.0, v_init=0.0, reset="subtract"):
    """Run neurons over T steps.

    Parameters
    ----------
    current : (T, B) array
        Added to the potential in each step.
    threshold : float
        Firing threshold.
    v_init : float
        Potential before the first step.
    reset : {"subtract", "zero"}
        Reset by subtraction, or to zero.

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
