"""Exercise event_prop_spike: the exact gradient of a leaky neuron's spike.

Each input adds its weight to a current that decays, and the potential follows the current, (V1):
tau_m V' = -V + I and tau_s I' = -I. So an input at t_i with weight w_i adds w_i kappa(t - t_i) to V and w_i exp(-(t - t_i)/tau_s) to I.
The neuron fires at the time T at which V first reaches the threshold. The forward pass and kappa are given.

Your task: dt_out is the gradient of a loss with respect to T. Write dt_in and dw. There are two ways, and they give the same numbers.

- Implicit: differentiate V(T) = threshold, (V5). The slope of V at T follows from (V1). So does the slope of kappa, for kappa is the V
  that belongs to the I of one input with weight 1.
- Adjoint (EventProp): at the spike (V7) gives p, the derivative of the loss by V, and q = 0, that by I. Go back to each input, (V6),
  and take its gradients there, (V8).

Note: inputs that come after T, or never (t_in is inf), and all inputs of a silent neuron have the gradient 0.

In (V5) sigma is the slope of V at T; T_m, an earlier spike of the neuron, does not exist here. In (V7) e is dt_out, and I the current at T.
Derived in docs/derivations/event-prop.md. Mark it:  pysnn check event_prop_spike.py
"""

import numpy as np

EXERCISE = "event_prop_spike"


def kappa(x, tau_m, tau_s):
    """Compute the potential a time x >= 0 after one input with weight 1; given, (V2) for two different time constants.

    Parameters
    ----------
    x : array
        Times.
    tau_m, tau_s : float
        Time constants of membrane and synapse, not equal.

    Returns
    -------
    array like x
        The potential.
    """
    return tau_s / (tau_m - tau_s) * (np.exp(-x / tau_m) - np.exp(-x / tau_s))


def forward(t_in, w, threshold=1.0, tau_m=2.0, tau_s=1.0):
    """Compute when the neuron first fires; given.

    Parameters
    ----------
    t_in, w : (N,) arrays
        Times of the inputs, inf: never comes; and their weights.
    threshold, tau_m, tau_s : float
        Threshold and time constants.

    Returns
    -------
    t_out : float
        T; inf: silent.
    cache : tuple
        What backward needs: t_in, w, threshold, tau_m, tau_s, t_out.
    """
    def potential(t):
        x = np.maximum(t - t_in, 0)
        return float(np.sum(w * np.where(t_in < t, kappa(np.where(t_in < t, x, 0), tau_m, tau_s), 0)))
    t_out, times = np.inf, np.unique(t_in[np.isfinite(t_in)])
    for begin, end in zip(times, np.append(times, np.inf)[1:], strict=True):
        current = float(np.sum(w[t_in <= begin] * np.exp(-(begin - t_in[t_in <= begin]) / tau_s)))
        if current > threshold:                                          # (V3): V can rise through the threshold only before `high`
            low, high = begin, min(end, begin + tau_s * np.log(current / threshold))
            if potential(high) > threshold:
                while low < (middle := (low + high) / 2) < high:
                    low, high = (low, middle) if potential(middle) >= threshold else (middle, high)
                t_out = high
                break
    return t_out, (t_in, w, threshold, tau_m, tau_s, t_out)


def backward(dt_out, cache):
    """Compute the gradients of the inputs of forward from that of its output.

    Parameters
    ----------
    dt_out : float
        Gradient of the loss with respect to T.
    cache : tuple
        From forward.

    Returns
    -------
    dt_in, dw : (N,) arrays
        Gradients with respect to t_in and w.
    """
    t_in, w, threshold, tau_m, tau_s, t_out = cache
    # your lines: dt_in, (V8); dw, (V8)
    # The adjoint way: p jumps from 0 at the spike, then both go back to each input.
    causal = t_in < t_out if np.isfinite(t_out) else np.zeros(len(t_in), bool)
    x = np.where(causal, t_out - np.where(causal, t_in, 0), 0)
    current = np.sum(causal * w * np.exp(-x / tau_s))
    p = -tau_m * dt_out / (current - threshold) if causal.any() else 0.0       # (V7)
    q = np.where(causal, p * kappa(x, tau_m, tau_s), 0)                  # (V6)
    p = np.where(causal, p * np.exp(-x / tau_m), 0)                      # (V6)
    dt_in = w * (q / tau_s - p / tau_m)                                  # (V8)
    dw = q                                                               # (V8)
    return dt_in, dw
