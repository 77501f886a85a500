"""Exercise surrogate_backward: back through time, through spikes that have no derivative.

The integrate-and-fire neuron, reset by subtraction in the step of the spike, is given. A spike as a function of the potential is a
step, so in the backward pass, and only there, g'(U - threshold) stands for its derivative, with g a soft step of slope k:

    atan      g'(x) = (k/2) / (1 + (pi k x/2)^2)
    sigmoid   g'(x) = k s (1 - s)  with  s = 1/(1 + exp(-k x))

Your task: surrogate_grad, (I7), and backward, (I8) and (I9). Mind:

- far from the threshold exp() overflows, and inf/inf is NaN: g' is even, so exp(-k |x|) will do;
- go from the last step to the first. What a step leaves in the potential is where the next one begins;
- detach_reset=True: the reset takes its spike for a constant. False: V = U - threshold * S(U) depends on U twice.

Derived in docs/derivations/integrate-and-fire.md. Mark it:  pysnn check surrogate_backward.py
"""

import numpy as np

EXERCISE = "surrogate_backward"


def forward(current, threshold=1.0, v_init=0.0):
    """Run neurons over T steps; given.

    Parameters
    ----------
    current : (T, B) array
        What each step adds to the potential.
    threshold : float
        Firing threshold.
    v_init : float or (B,) array
        Potential before the first step.

    Returns
    -------
    spikes : (T, B) array
        0 or 1.
    v_final : (B,) array
        Potential after the last step.
    cache : tuple
        What backward needs: u, (T, B), the potentials that were held against the threshold, and the threshold.
    """
    spikes, u = np.zeros_like(current), np.zeros_like(current)
    v = v_init
    for t in range(len(current)):
        u[t] = v + current[t]                        # integrate,
        spikes[t] = u[t] >= threshold                # fire,
        v = u[t] - threshold * spikes[t]             # reset
    return spikes, v, (u, threshold)


def surrogate_grad(x, kind, slope):
    """Evaluate what stands for the derivative of a spike.

    Parameters
    ----------
    x : array
        Potential minus threshold.
    kind : {"atan", "sigmoid"}
        Which curve.
    slope : float
        k.

    Returns
    -------
    array
        Like x.
    """
    # your lines: g, (I7)
    if kind == "atan":
        g = slope / 2 / (1 + (np.pi / 2 * slope * x) ** 2)
    else:
        e = np.exp(-slope * np.abs(x))
        g = slope * e / (1 + e) ** 2
    return g


def backward(dspikes, cache, dv_final, kind="atan", slope=2.0, detach_reset=True):
    """Pull a gradient back through forward.

    Parameters
    ----------
    dspikes : (T, B) array
        Gradient of the loss with respect to the spikes.
    cache : tuple
        From forward.
    dv_final : (B,) array
        Gradient with respect to v_final.
    kind : {"atan", "sigmoid"}
        Surrogate.
    slope : float
        Its slope.
    detach_reset : bool
        Whether the reset takes its spike for a constant.

    Returns
    -------
    dcurrent : (T, B) array
        Gradient with respect to the current.
    dv_init : (B,) array
        Gradient with respect to v_init.
    """
    u, threshold = cache
    # your lines: dcurrent, (I8) and (I9); dv, at the end the gradient of v_init
    # One loop from the last step to the first, which carries the gradient of the potential.
    dcurrent, dv = np.zeros_like(u), dv_final
    for t in reversed(range(len(u))):
        g = surrogate_grad(u[t] - threshold, kind, slope)
        # v = u - threshold * spikes
        dv = dv * (1.0 if detach_reset else 1.0 - threshold * g)         # (I8)
        # spikes = fires(u), beside what the reset left
        dv = dv + g * dspikes[t]                                         # (I9)
        # u = v + current
        dcurrent[t] = dv
    return dcurrent, dv
