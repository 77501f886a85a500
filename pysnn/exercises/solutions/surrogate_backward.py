"""Exercise surrogate_backward: backpropagation through time with a surrogate gradient.

The integrate-and-fire neuron is given; it is reset by subtraction in the step of the spike. A spike is a step function of the potential
and has no useful derivative. In the backward pass, and only there, g'(U - threshold) replaces it, where g is a smooth step of slope k:

    atan      g'(x) = (k/2) / (1 + (pi k x/2)^2)
    sigmoid   g'(x) = k s (1 - s)  with  s = 1/(1 + exp(-k x))

Your task: write surrogate_grad, (I7), and backward, (I8) and (I9). Note:

- far from the threshold exp() overflows, and inf/inf is NaN; g' is even, so you can use exp(-k |x|);
- go from the last step to the first: the potential after a step is the potential before the next one;
- detach_reset=True: the spike in the reset is a constant. False: V = U - threshold * S(U) depends on U twice.

Derived in docs/derivations/integrate-and-fire.md. Mark it:  pysnn check surrogate_backward.py
"""

import numpy as np

EXERCISE = "surrogate_backward"


def forward(current, threshold=1.0, v_init=0.0):
    """Run neurons over T steps; given.

    Parameters
    ----------
    current : (T, B) array
        Added to the potential in each step.
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
        What backward needs: u, (T, B), the potentials that were compared with the threshold, and the threshold.
    """
    spikes, u = np.zeros_like(current), np.zeros_like(current)
    v = v_init
    for t in range(len(current)):
        u[t] = v + current[t]                        # integrate,
        spikes[t] = u[t] >= threshold                # fire,
        v = u[t] - threshold * spikes[t]             # reset
    return spikes, v, (u, threshold)


def surrogate_grad(x, kind, slope):
    """Compute the surrogate of the derivative of a spike.

    Parameters
    ----------
    x : array
        Potential minus threshold.
    kind : {"atan", "sigmoid"}
        The curve.
    slope : float
        Its slope k.

    Returns
    -------
    array
        g'(x), of the shape of x.
    """
    # your lines: g, (I7)
    if kind == "atan":
        g = slope / 2 / (1 + (np.pi / 2 * slope * x) ** 2)
    else:
        e = np.exp(-slope * np.abs(x))
        g = slope * e / (1 + e) ** 2
    return g


def backward(dspikes, cache, dv_final, kind="atan", slope=2.0, detach_reset=True):
    """Compute the gradients of the inputs of forward from that of its output.

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
        Its slope k.
    detach_reset : bool
        Whether the spike in the reset is a constant.

    Returns
    -------
    dcurrent : (T, B) array
        Gradient with respect to the current.
    dv_init : (B,) array
        Gradient with respect to v_init.
    """
    u, threshold = cache
    # your lines: dcurrent, (I8) and (I9); dv, at the end the gradient of v_init
    # dv is the gradient of the potential; the loop carries it from the last step to the first.
    dcurrent, dv = np.zeros_like(u), dv_final
    for t in reversed(range(len(u))):
        g = surrogate_grad(u[t] - threshold, kind, slope)
        # v = u - threshold * spikes
        dv = dv * (1.0 if detach_reset else 1.0 - threshold * g)         # (I8)
        # spikes = u >= threshold
        dv = dv + g * dspikes[t]                                         # (I9)
        # u = v + current
        dcurrent[t] = dv
    return dcurrent, dv
