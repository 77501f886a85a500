"""A witness for leaky neurons that fire many times, which shares no code with them: small steps of Runge and Kutta, and no closed form.

    tau_m V' = -V + I,      tau_s I' = -I,      an input adds its weight to I;      V = threshold is a spike and sets V to 0.

Between two events both equations are integrated in steps; where V has passed the threshold, the step is repeated with the length at which
it just reaches it. An error of order h^4 remains, which is the check's tolerance.
"""

import numpy as np

STEP = 1 / 16           # of the shorter time constant


def _derivative(v, i, taus):
    return (i - v) / taus[0], -i / taus[1]


def _step(v, i, h, taus):
    """Advance potentials and currents by h, one number a neuron, with the classical method of fourth order."""
    a = _derivative(v, i, taus)
    b = _derivative(v + h / 2 * a[0], i + h / 2 * a[1], taus)
    c = _derivative(v + h / 2 * b[0], i + h / 2 * b[1], taus)
    d = _derivative(v + h * c[0], i + h * c[1], taus)
    return tuple(x + h / 6 * (p + 2 * q + 2 * r + s) for x, p, q, r, s in zip((v, i), a, b, c, d, strict=True))


def spikes(t_in, w, w_rec, how, end):
    """Find the spikes of one sample.

    Parameters
    ----------
    t_in : (N_in, K_in) array
        Times of the inputs; inf means no spike.
    w : (N_in, N_out) array
        Weights.
    w_rec : (N_out, N_out) array or None
        Recurrent weights.
    how : (float, float, float)
        Threshold, tau_m, tau_s.
    end : float
        When to stop.

    Returns
    -------
    list of list of float
        Times of the spikes, a list for each neuron.
    """
    threshold, taus = how[0], how[1:]
    coming = sorted((t, i) for (i, _), t in np.ndenumerate(t_in) if t < end)
    v, i, t, found = np.zeros(w.shape[1]), np.zeros(w.shape[1]), coming[0][0] if coming else end, [[] for _ in range(w.shape[1])]
    while t < end:
        while coming and coming[0][0] <= t:
            i = i + w[coming.pop(0)[1]]
        h = min(STEP * min(taus), (coming[0][0] if coming else end) - t)
        v_next, i_next = _step(v, i, h, taus)
        if (v_next >= threshold).any():
            low, high = 0.0, h
            while high - low > 1e-15 * max(1.0, abs(t)):
                middle = (low + high) / 2
                low, high = (low, middle) if (_step(v, i, middle, taus)[0] >= threshold).any() else (middle, high)
                if middle in (low, high) and high - low < 1e-17:
                    break
            h = high
            v_next, i_next = _step(v, i, h, taus)
            j = int(np.argmax(v_next - threshold))
            found[j].append(t + h)
            v_next[j] = 0
            i_next = i_next if w_rec is None else i_next + w_rec[j]
        v, i, t = v_next, i_next, t + h
    return found


def maxima(t_in, w, taus, end):
    """Find the maxima of the potentials of one sample of neurons that do not fire, on the grid of the steps.

    Parameters
    ----------
    t_in : (N_in, K_in) array
        Times of the inputs; inf means no spike.
    w : (N_in, N_out) array
        Weights.
    taus : (float, float)
        tau_m, tau_s.
    end : float
        When to stop.

    Returns
    -------
    (N_out,) array
        The largest potentials, at least 0; too low by at most V'' h^2/8.
    """
    coming = sorted((t, i) for (i, _), t in np.ndenumerate(t_in) if t < end)
    v, i, t = np.zeros(w.shape[1]), np.zeros(w.shape[1]), coming[0][0] if coming else end
    best = np.zeros(w.shape[1])
    while t < end:
        while coming and coming[0][0] <= t:
            i = i + w[coming.pop(0)[1]]
        h = min(STEP * min(taus), (coming[0][0] if coming else end) - t)
        v, i = _step(v, i, h, taus)
        t, best = t + h, np.maximum(best, v)
    return best
