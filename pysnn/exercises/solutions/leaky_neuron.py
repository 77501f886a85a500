"""Exercise leaky_neuron: the exact step of a leaky neuron, and its forward pass over T steps.

Without input the potential of a leaky neuron decays with the time constant tau. In a step of length dt it is multiplied by beta. Then the
current of the step is added. If the potential reaches the threshold, the neuron fires, and the threshold is subtracted from the potential.

Your task: write decay, (M2), and forward, (D2) and (D3). Note:

- the step is exact, not an Euler step: two steps of dt are one step of 2 dt;
- the current of a step is added after the leak, with the factor 1;
- the neuron fires at exactly the threshold, too;
- a spike belongs to the step in which the potential reaches the threshold, and the reset is the last thing in that step.

(D2) and (D3) hold for more neurons. In this one gamma is 1, I_t the current of the step, P_t = U_t the potential before the reset,
K_t = V_t that after it, and the reset the first of the three, by subtraction.
Before you write: beta = 1/2, threshold 1, a constant current of 0.75. In which of the first four steps does the neuron fire?
Derived in docs/course/leaky-neuron.md and docs/derivations/leaky.md. Mark it:  pysnn check leaky_neuron.py
"""

import numpy as np

EXERCISE = "leaky_neuron"


def decay(tau, dt):
    """Compute the factor by which the potential decays in a step.

    Parameters
    ----------
    tau : float
        Time constant of the membrane, in ms.
    dt : float
        Length of a step, in ms.

    Returns
    -------
    float
        beta, between 0 and 1.
    """
    # your lines: beta, (M2)
    beta = np.exp(-dt / tau)                                             # (M2)
    return beta


def forward(current, beta, threshold=1.0, v_init=0.0):
    """Run neurons over T steps.

    Parameters
    ----------
    current : (T, B) array
        Added to the potential in each step.
    beta : float
        Factor by which the potential decays in a step.
    threshold : float
        Firing threshold.
    v_init : float
        Potential before the first step.

    Returns
    -------
    spikes : (T, B) array
        0 or 1.
    v_final : (B,) array
        Potential after the last step.
    """
    # your lines: spikes, (D2); v, (D3), at the end the potential after the last step
    # Leak and integrate, fire, reset. The example of the task fires in the steps 2 and 4.
    spikes = np.zeros_like(current)
    v = np.full_like(current[0], v_init)
    for t in range(len(current)):
        v = beta * v + current[t]                                        # (D2)
        spikes[t] = v >= threshold
        v = v - threshold * spikes[t]                                    # (D3)
    return spikes, v
