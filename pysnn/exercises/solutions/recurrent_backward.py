"""Exercise recurrent_backward: backpropagation through time, through a recurrent layer of leaky neurons.

The layer is given. Its spikes come back as currents one step later, through the recurrent weights:

    I_t = X_t + S_{t-1} W,    U_t = beta V_{t-1} + I_t,    S_t = [U_t >= threshold],    V_t = U_t - threshold S_t

surrogate_grad stands for the derivative of a spike; it is given, too.

Your task: write backward, (D7) to (D11). Note:

- go from the last step to the first, and carry two gradients along: that of the potential, and that of the current of the next step;
- a spike goes to the output, through W to the currents of the next step, and into its reset. Backward these gradients add up, (D7);
- detach_reset=True: the spike in the reset is a constant. The spike that comes back through W is never a constant;
- W goes from rows to columns. Before the first step nothing has fired.

(D7) to (D11) hold for more neurons. In this one gamma is 1, alpha is 0, dP_t is dU_t and dR_t is dV_t; dU*_t is 0;
the reset is the first of the three, by subtraction, and its timing is "same".
Derived in docs/course/recurrence-and-surrogates.md and docs/derivations/leaky.md. Mark it:  pysnn check recurrent_backward.py
"""

import numpy as np

EXERCISE = "recurrent_backward"


def forward(current, w_rec, beta, threshold=1.0):
    """Run the layer over T steps; given.

    Parameters
    ----------
    current : (T, B, n) array
        Input of each step.
    w_rec : (n, n) array
        Weights from the spikes of a step (rows) to the currents of the next (columns).
    beta : float
        Factor by which the potential decays in a step.
    threshold : float
        Firing threshold.

    Returns
    -------
    spikes : (T, B, n) array
        0 or 1.
    cache : tuple
        What backward needs: u, (T, B, n), the potentials that were compared with the threshold; spikes, w_rec, beta, threshold.
    """
    spikes, u = np.zeros_like(current), np.zeros_like(current)
    v = s = np.zeros_like(current[0])
    for t in range(len(current)):
        u[t] = beta * v + (current[t] + s @ w_rec)       # leak and integrate,
        s = spikes[t] = (u[t] >= threshold).astype(float)    # fire,
        v = u[t] - threshold * s                         # reset
    return spikes, (u, spikes, w_rec, beta, threshold)


def surrogate_grad(x, slope):
    """Compute the surrogate of the derivative of a spike, atan; given.

    Parameters
    ----------
    x : array
        Potential minus threshold.
    slope : float
        Its slope k.

    Returns
    -------
    array
        g'(x), of the shape of x.
    """
    return slope / 2 / (1 + (np.pi / 2 * slope * x) ** 2)


def backward(dspikes, cache, slope=2.0, detach_reset=True):
    """Compute the gradients of the inputs of forward from that of its output.

    Parameters
    ----------
    dspikes : (T, B, n) array
        Gradient of the loss with respect to the spikes, without what comes back through W.
    cache : tuple
        From forward.
    slope : float
        Slope of the surrogate.
    detach_reset : bool
        Whether the spike in the reset is a constant.

    Returns
    -------
    dcurrent : (T, B, n) array
        Gradient with respect to the current.
    dw_rec : (n, n) array
        Gradient with respect to the recurrent weights, summed over steps and batch.
    """
    u, spikes, w_rec, beta, threshold = cache
    # your lines: dcurrent, (D10); dw_rec, (D11)
    # dv is the gradient of the potential after the step, di that of the current of the next step.
    dcurrent, dw_rec = np.zeros_like(u), np.zeros_like(w_rec)
    dv = di = np.zeros_like(u[0])
    for t in reversed(range(len(u))):
        ds = dspikes[t] + di @ w_rec.T                                   # (D7)
        if not detach_reset:
            ds = ds - threshold * dv                                     # (D7), (D8)
        du = surrogate_grad(u[t] - threshold, slope) * ds + dv           # (D9)
        dcurrent[t] = di = du                                            # (D10)
        if t:
            dw_rec += spikes[t - 1].T @ di                               # (D11)
        dv = beta * du
    return dcurrent, dw_rec
