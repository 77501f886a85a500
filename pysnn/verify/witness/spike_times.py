"""Witnesses for neurons with exact spike times, which share no code with them: the potential as a sum, and its first crossing by bisection.

    V(t) = sum over t_i < t of w_i psp((t - t_i)/tau),      and it fires when V first rises through the threshold.

Between two inputs V has one extremum at most. psp(x) is x exp(-x) where the membrane is as slow as the synapse (`ratio` 1), and
exp(-x/2) - exp(-x) where it is twice as slow (`ratio` 2); any other ratio of the two time constants has a potential, too, and so has a
membrane without a leak, ratio inf. Shapes as everywhere: t_in (B, N_in), w (N_in, N_out).
"""

import numpy as np

BISECTIONS = 56
LATE = 80.0          # time constants of the slower of the two after the last input: then no potential rises


def psp(x, ratio):
    """Evaluate the potential that an input of weight 1 leaves.

    Parameters
    ----------
    x : array, real or complex
        Time since the input, in time constants of the synapse.
    ratio : float
        Time constant of the membrane over that of the synapse; inf: no leak.

    Returns
    -------
    array like x
        The potential times the leak conductance, and without a leak times the capacitance over the time constant of the synapse.
    """
    if ratio == 1:
        return x * np.exp(-x)
    if ratio == np.inf:
        return 1 - np.exp(-x)
    return (np.exp(-x / ratio) - np.exp(-x)) / (ratio - 1)


def psp_slope(x, ratio):
    """Derive `psp`.

    Parameters
    ----------
    x, ratio : array, float
        As for `psp`.

    Returns
    -------
    array like x
        Its derivative.
    """
    if ratio == 1:
        return (1 - x) * np.exp(-x)
    if ratio == np.inf:
        return np.exp(-x)
    return (np.exp(-x) - np.exp(-x / ratio) / ratio) / (ratio - 1)


def potential(t, t_in, w, tau=1.0, ratio=1, of=psp):
    """Evaluate the potential of each neuron at times of its own, from the definition.

    Parameters
    ----------
    t : (B, K, N_out) array
        Times.
    t_in : (B, N_in) array
        Times of the inputs.
    w : (N_in, N_out) array
        Weights.
    tau, ratio : float
        Time constant of the synapse; that of the membrane over it.
    of : callable
        `psp`, or `psp_slope` for tau times the derivative.

    Returns
    -------
    (B, K, N_out) array
        V times the leak conductance.
    """
    lag = (t[:, :, None, :] - np.where(np.isfinite(t_in), t_in, np.inf)[:, None, :, None]) / tau
    came = lag >= 0                                                      # at an input its slope is that just after
    return np.where(came, w * of(np.where(came, lag, 0), ratio), 0).sum(axis=2)


def first_crossing(t_in, w, threshold=1.0, tau=1.0, ratio=1):
    """Find the first crossing of each neuron by bisection, in all intervals between inputs at once.

    Parameters
    ----------
    t_in : (B, N_in) array, real or complex
        Times of the inputs; inf means no spike.
    w : (N_in, N_out) array, real or complex
        Weights.
    threshold, tau : float
        Threshold times the leak conductance, time constant of the synapse.
    ratio : float
        Time constant of the membrane over that of the synapse.

    Returns
    -------
    (B, N_out) array
        Times of the spikes, inf for none. Of complex arguments complex: decisions are taken by real parts, and three of Newton's steps
        carry the imaginary parts along.
    """
    given = t_in.real, w.real
    start = np.sort(given[0], axis=1)
    stop = np.concatenate([start[:, 1:], np.full((len(start), 1), np.inf)], axis=1)
    last = np.isfinite(start) & np.isinf(stop)
    stop = np.where(last, start + LATE * tau * (1 if ratio == np.inf else max(ratio, 1)), stop)
    here = np.isfinite(start) & (start < stop)
    each = np.ones((1, 1, w.shape[1]))
    low, high = (np.where(here, x, 0)[:, :, None] * each for x in (start, stop))

    def v(t, of=psp):
        return potential(t, *given, tau, ratio, of)
    rises = v(low, psp_slope) > 0
    top = _bisect(low, high, lambda t: v(t, psp_slope) > 0)              # the peak, if the potential rises first, or the end
    crosses = here[:, :, None] & rises & (v(top) >= threshold)
    first, fired = crosses.argmax(axis=1)[:, None], crosses.any(axis=1)
    low, top = (np.take_along_axis(x, first, axis=1) for x in (low, top))
    t_out = np.where(fired, _bisect(low, top, lambda t: v(t) < threshold)[:, 0], np.inf)
    return carried(t_in, w, t_out, (threshold, tau, ratio)) if np.iscomplexobj(t_in) or np.iscomplexobj(w) else t_out


def _bisect(low, high, before):
    """Find where `before` turns from True to False; high, where it does not."""
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        left = before(middle)
        low, high = np.where(left, middle, low), np.where(left, high, middle)
    return high


def carried(t_in, w, t_out, how):
    """Carry the imaginary parts of the arguments over to the spike times, by three of Newton's steps.

    Parameters
    ----------
    t_in, w : arrays
        As for `first_crossing`, complex.
    t_out : (B, N_out) array
        What `first_crossing` finds for their real parts.
    how : (threshold, tau, ratio)
        As for `first_crossing`.

    Returns
    -------
    (B, N_out) complex array
        Times of the spikes, inf for none.
    """
    threshold, tau, ratio = how
    fired = np.isfinite(t_out)
    causal = (t_in.real[:, :, None] < t_out[:, None, :]) & fired[:, None, :]
    t_i, t = np.where(np.isfinite(t_in), t_in, 0)[:, :, None], np.where(fired, t_out, 0).astype(complex)
    for _ in range(3):
        lag = np.where(causal, t[:, None, :] - t_i, 0) / tau
        v, slope = (np.where(causal, w * f(lag, ratio), 0).sum(axis=1) for f in (psp, psp_slope))
        t = t - np.where(fired, tau * (v - threshold) / np.where(fired, slope, 1), 0)
    return np.where(fired, t, np.inf)


def decisions(t_in, w, threshold=1.0, tau=1.0, ratio=1):
    """Say what is discrete about a forward pass: who fires, and after which inputs.

    Parameters
    ----------
    t_in, w, threshold, tau, ratio : arrays, floats
        As for `first_crossing`.

    Returns
    -------
    list of bool arrays
        (B, N_out) and the causal sets (B, N_in, N_out).
    """
    t_out = first_crossing(t_in, w, threshold, tau, ratio)
    return [np.isfinite(t_out), (t_in[:, :, None] < t_out[:, None, :]) & np.isfinite(t_out)[:, None, :]]


def sound(t_in, w, threshold=1.0, tau=1.0, ratio=1):
    """Say whether a spike time is well conditioned, and its decision clear: the potential crosses steeply, or stays well below.

    Parameters
    ----------
    t_in, w, threshold, tau, ratio : arrays, floats
        As for `first_crossing`.

    Returns
    -------
    (B, N_out) bool array
        Whether the slope at the spike, by time in time constants, is at least a fiftieth of the absolute terms, and a threshold two
        percent higher or lower leaves who fires, and after which inputs, as it is.
    """
    t_out = first_crossing(t_in, w, threshold, tau, ratio)
    fired = np.isfinite(t_out)
    t = np.where(fired, t_out, 0)[:, None]
    size = threshold + potential(t, t_in, np.abs(w), tau, ratio, lambda x, r: np.abs(psp_slope(x, r)) + psp(x, r))
    steep = potential(t, t_in, w, tau, ratio, psp_slope) >= 0.02 * size
    near = [decisions(t_in, w, threshold * factor, tau, ratio) for factor in (0.98, 1.02)]
    return (steep[:, 0] | ~fired) & (near[0][0] == near[1][0])
