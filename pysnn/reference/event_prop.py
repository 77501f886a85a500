"""Leaky neurons that fire many times, on no time grid, and exact gradients of their spike times (EventProp), written to be read.

`forward` finds every spike of a layer, with or without recurrent weights: between two events the potential has a closed form, and bisection
finds where it reaches the threshold. `max_forward` is the readout: maxima of the potentials of neurons that do not fire. Times enter and
leave as they are; inf means no spike. Here potentials are sums over all that happened before, and gradients are implicit derivatives,
spike by spike, last spike first; the kernel carries potentials along, and runs the adjoint equations backward. Both give the same numbers.
docs/derivations/event-prop.md derives the equations tagged (V1) ... (V11). Source: T. C. Wunderlich, C. Pehle, Scientific Reports 11, 2021.
"""

from typing import NamedTuple

import numpy as np

from .. import _checks
from ..conventions import NO_SPIKE

FORGOTTEN = 800.0       # time constants: an exponential is 0
HALVINGS = 2000         # of an interval, at most: until no number lies between its ends


class Cache(NamedTuple):
    """What backward needs of forward; opaque, but for `stopped`."""

    stopped: np.ndarray       # (B, N_out) bool: whether a neuron would have fired once more than n_spikes times
    t_in: np.ndarray          # (B, N_in, K_in)
    weights: tuple            # w, w_rec
    t_out: np.ndarray         # (B, N_out, largest number of spikes)
    samples: list             # of each sample: what arrived, and all spikes in the order in which they were found
    how: tuple                # threshold, tau_m, tau_s
    n_spikes: int | None
    dtype: np.dtype


class Spikes(NamedTuple):
    """The events of one sample."""

    times: np.ndarray         # (E,) of what arrived, in order: inputs, and with recurrent weights own spikes
    source: np.ndarray        # (E,) k >= 0: element k of t_in[b], laid out in a row; k < 0: spike number -1 - k
    weights: np.ndarray       # (E, N_out)
    spikes: list              # of (time, neuron, how much had arrived before)


def forward(t_in, w, w_rec=None, threshold=1.0, tau_m=4.0, tau_s=1.0, n_spikes=None):
    """Find all spikes of leaky integrate-and-fire neurons with exponential synaptic currents.

    Parameters
    ----------
    t_in : (B, N_in, K_in) array, float32 or float64
        Times of the input spikes, in any order; inf means no spike.
    w : (N_in, N_out) array of the same dtype
        Weights: jumps of the synaptic current, in the unit of the potential.
    w_rec : (N_out, N_out) array of the same dtype, optional
        Recurrent weights, [from, to]: a spike arrives at once. Of neurons that reach the threshold at the same time the one of lower index
        fires first, and its spike arrives before the others fire.
    threshold : float
        Firing threshold. A spike resets the potential to 0, and leaves the current as it is.
    tau_m, tau_s : float
        Time constants of membrane and synapse, in the unit of t_in; they may be equal.
    n_spikes : int, optional
        A neuron fires at most so many times; `cache.stopped` says which neurons would have fired once more. Default: no bound.

    Returns
    -------
    t_out : (B, N_out, K_out) array
        Times of the output spikes of each neuron in order, then inf; K_out is n_spikes, or without it the largest number of spikes of a
        neuron, at least 1.
    cache : Cache
        For `backward`.

    Raises
    ------
    TypeError
        For anything but float32 or float64, or a mix of both.
    ValueError
        For shapes that do not fit, an empty batch, a time that is NaN or -inf, a number that is not positive; or without n_spikes if a
        neuron fires more than 1000 times.
    """
    t_in, w, w_rec, how, n_most, dtype = _checks.event_forward(t_in, w, w_rec, (threshold, tau_m, tau_s), n_spikes)
    stopped, samples = np.zeros((len(t_in), w.shape[1]), bool), []
    for b, times in enumerate(t_in):
        order = times.ravel().argsort(kind="stable")[:np.isfinite(times).sum()]
        samples.append(_simulate((times.ravel()[order], order, w[order // times.shape[1]]), w_rec, how, (n_most, stopped[b])))
    _checks.ends(stopped, n_spikes)
    lists = [[[t for t, neuron, _ in sample.spikes if neuron == j] for j in range(w.shape[1])] for sample in samples]
    t_out = np.full((*stopped.shape, max(1, *(len(one) for some in lists for one in some))), NO_SPIKE)
    for b, j in np.ndindex(stopped.shape):
        t_out[b, j, :len(lists[b][j])] = lists[b][j]
    return _checks.padded(t_out, n_spikes, dtype), Cache(stopped, t_in, (w, w_rec), t_out, samples, how, n_spikes, dtype)


def _simulate(inputs, w_rec, how, bound):
    """Run the neurons for one sample from event to event; mark in bound those that may not fire again."""
    (coming, source, rows), (n_most, stopped) = inputs, bound
    n_out = rows.shape[1]
    times, sources, weights, spikes = np.empty(0), [], np.empty((0, n_out)), []
    own, now, k = [[] for _ in range(n_out)], np.full(n_out, -np.inf), 0
    while True:
        stop = coming[k] if k < len(coming) else np.inf
        t = np.where(stopped, np.inf, _crossings((times, weights), own, (now, stop), how)) if k else np.full(n_out, np.inf)
        if w_rec is not None:                                            # only the first spike is sure: others may be inhibited by it
            t[np.arange(n_out) != t.argmin()] = np.inf
        fired = np.flatnonzero(t < np.inf)
        for j in fired:
            stopped[j] = len(own[j]) == n_most
            if stopped[j]:
                continue
            spikes.append((t[j], j, len(times)))
            own[j].append(t[j])
            if w_rec is None:
                now[j] = t[j]
            else:
                times, sources, weights, now[:] = np.append(times, t[j]), [*sources, -len(spikes)], np.vstack([weights, w_rec[j]]), t[j]
        if not fired.size and stop == np.inf:
            return Spikes(times, np.array(sources, int), weights, spikes)
        if not fired.size:
            times, sources, weights, now[:] = np.append(times, stop), [*sources, source[k]], np.vstack([weights, rows[k]]), stop
            k += 1


def _crossings(arrived, own, interval, how):
    """(V3) When each potential rises through the threshold, from a time `now` of each neuron to the next event; inf where it does not."""
    (now, stop), (threshold, _, tau_s) = interval, how
    v, current = _state(now, arrived, own, how)
    may = (current > threshold) & ((v < threshold) | (current > v))
    until = now + tau_s * np.log(np.where(may, current, threshold) / threshold)              # the current is at the threshold then
    low, high = now, np.minimum(until, stop)
    at_end = _state(high, arrived, own, how)[0]
    fires = may & np.where(until < stop, at_end > threshold, at_end >= threshold)
    return np.where(fires, _bisect(lambda t: _state(t, arrived, own, how)[0] >= threshold, low, np.where(fires, high, low)), np.inf)


def _state(t, arrived, own, how):
    """(V4) Potential and current of each neuron at a time of its own, as sums over what arrived and over its own spikes."""
    (times, weights), (threshold, tau_m, tau_s) = arrived, how
    lag = _lag(t - times[:, None], how)
    v = (weights * _psp(lag, tau_m, tau_s)).sum(axis=0)
    for j, spikes in enumerate(own):
        v[j] -= threshold * np.exp(-_lag(t[j] - np.array(spikes), how) / tau_m).sum()
    return v, (weights * np.exp(-lag / tau_s)).sum(axis=0)


def _lag(lag, how):
    """Return a lag, or if that is long forgotten, a number whose exponential is 0."""
    return np.minimum(lag, FORGOTTEN * max(how[1:]))


def _psp(lag, tau_m, tau_s):
    """(V2) The potential that an input of weight 1 leaves behind."""
    rate = abs(1 / tau_s - 1 / tau_m)
    return np.exp(-lag / max(tau_m, tau_s)) * (lag if rate == 0 else -np.expm1(-lag * rate) / rate) / tau_m


def _psp_slope(lag, tau_m, tau_s):
    """(V1) The derivative of `_psp`."""
    return (np.exp(-lag / tau_s) - _psp(lag, tau_m, tau_s)) / tau_m


def _bisect(beyond, low, high):
    """Halve intervals, one a neuron, until no number lies between their ends; return the upper ends, which are `beyond`."""
    for _ in range(HALVINGS):
        middle = low + (high - low) / 2
        if ((middle <= low) | (middle >= high)).all():
            break
        is_beyond = beyond(middle)
        low, high = np.where(is_beyond, low, middle), np.where(is_beyond, middle, high)
    return high


def backward(dt_out, cache, need_dt=True):
    """Pull a gradient back through `forward`.

    Parameters
    ----------
    dt_out : (B, N_out, K_out) array
        Gradient of the loss with respect to t_out; ignored, whatever it holds, where t_out is inf.
    cache : Cache
        From `forward`.
    need_dt : bool
        False for a first layer: nobody asks for the gradient of the data.

    Returns
    -------
    dt_in : (B, N_in, K_in) array or None
        Gradient with respect to t_in; None if not asked for.
    dw : (N_in, N_out) array
        Gradient with respect to w, summed over the batch.
    dw_rec : (N_out, N_out) array or None
        Gradient with respect to w_rec; None without recurrent weights.

    Raises
    ------
    TypeError, ValueError
        If dt_out is not like t_out.
    """
    dt_out = _checks.event_backward(dt_out, cache.t_out, cache.dtype, n_spikes=cache.n_spikes)
    (w, w_rec), (threshold, tau_m, tau_s), n_times = cache.weights, cache.how, cache.t_in.shape[2]
    dt_in, dw, dw_rec = np.zeros(cache.t_in.shape), np.zeros(w.shape), np.zeros((w.shape[1],) * 2)
    for b, (times, source, weights, spikes) in enumerate(cache.samples):
        numbers = [0] * w.shape[1]
        dt = np.empty(len(spikes))                                                            # gradient of each spike's time
        for s, (_, j, _) in enumerate(spikes):
            dt[s], numbers[j] = dt_out[b, j, numbers[j]], numbers[j] + 1
        for s in reversed(range(len(spikes))):
            t, j, n = spikes[s]
            lag, came = _lag(t - times[:n], cache.how), source[:n]
            rise = weights[:n, j] * _psp_slope(lag, tau_m, tau_s)
            before = [k for k in range(s) if spikes[k][1] == j]
            again = threshold / tau_m * np.exp(-_lag(t - np.array([spikes[k][0] for k in before]), cache.how) / tau_m)
            h = dt[s] / (rise.sum() + again.sum())                                            # (V5) over the slope of the potential
            is_input, psp = came >= 0, _psp(lag, tau_m, tau_s)
            np.add.at(dw[:, j], came[is_input] // n_times, -h * psp[is_input])                # (V5) by the weights,
            np.add.at(dt_in[b].reshape(-1), came[is_input], h * rise[is_input])               # the times of inputs,
            np.add.at(dw_rec[:, j], [spikes[-1 - k][1] for k in came[~is_input]], -h * psp[~is_input])
            np.add.at(dt, -1 - came[~is_input], h * rise[~is_input])                          # of spikes that came back,
            dt[before] += h * again                                                           # and of the neuron's own
    grads = dt_in if need_dt else None, dw, None if w_rec is None else dw_rec
    return tuple(None if d is None else d.astype(cache.dtype) for d in grads)


class MaxCache(NamedTuple):
    """What max_backward needs of max_forward; opaque."""

    t_in: np.ndarray
    w: np.ndarray
    t_max: np.ndarray         # (B, N_out), when the maximum is reached; -inf: before all inputs
    n_before: np.ndarray      # (B, N_out), how many inputs had arrived
    how: tuple                # tau_m, tau_s
    dtype: np.dtype


def max_forward(t_in, w, tau_m=4.0, tau_s=1.0):
    """Find the maximum over time of the potential of leaky neurons that do not fire.

    Parameters
    ----------
    t_in : (B, N_in, K_in) array, float32 or float64
        Times of the input spikes, in any order; inf means no spike.
    w : (N_in, N_out) array of the same dtype
        Weights: jumps of the synaptic current, in the unit of the potential.
    tau_m, tau_s : float
        Time constants of membrane and synapse, in the unit of t_in.

    Returns
    -------
    v_max : (B, N_out) array
        The maxima; before the first input the potential is 0, so none is below that.
    cache : MaxCache
        For `max_backward`.

    Raises
    ------
    TypeError, ValueError
        As for `forward`.
    """
    t_in, w, _, (_, *how), _, dtype = _checks.event_forward(t_in, w, None, (1.0, tau_m, tau_s), None)
    v_max, t_max = np.zeros((len(t_in), w.shape[1])), np.full((len(t_in), w.shape[1]), -np.inf)
    n_before, own, how = np.zeros(v_max.shape, int), [()] * w.shape[1], (0.0, *how)
    for b, t in enumerate(t_in):
        order = t.ravel().argsort(kind="stable")[:np.isfinite(t).sum()]
        times, rows = t.ravel()[order], w[order // t.shape[1]]
        for n in range(1, len(order) + 1):
            def falls(t, arrived=(times[:n], rows[:n])):
                v, current = _state(t, arrived, own, how)
                return current <= v
            low, last = np.full(w.shape[1], times[n - 1]), n == len(order)
            high = low + FORGOTTEN * sum(how) if last else np.full(w.shape[1], times[n])
            peaks = ~falls(low) & (falls(high) | (not last))
            t_peak = np.where(falls(high), _bisect(falls, low, high), high)                   # (V9) V' = 0, or the next input
            v = _state(t_peak, (times[:n], rows[:n]), own, how)[0]
            better = peaks & (v > v_max[b])
            v_max[b], t_max[b], n_before[b] = (np.where(better, x, y[b]) for x, y in ((v, v_max), (t_peak, t_max), (n, n_before)))
    return v_max.astype(dtype), MaxCache(t_in, w, t_max, n_before, how, dtype)


def max_backward(dv_max, cache, need_dt=True):
    """Pull a gradient back through `max_forward`.

    Parameters
    ----------
    dv_max : (B, N_out) array
        Gradient of the loss with respect to v_max.
    cache : MaxCache
        From `max_forward`.
    need_dt : bool
        False for a first layer: nobody asks for the gradient of the data.

    Returns
    -------
    dt_in : (B, N_in, K_in) array or None
        Gradient with respect to t_in; None if not asked for.
    dw : (N_in, N_out) array
        Gradient with respect to w, summed over the batch; 0 where the maximum is 0.

    Raises
    ------
    TypeError, ValueError
        If dv_max is not like v_max.
    """
    dv_max = _checks.event_backward(dv_max, cache.t_max, cache.dtype, "dv_max", "v_max")
    t_in, w, t_max, n_before, (_, tau_m, tau_s), _ = cache
    dt_in, dw = np.zeros(t_in.shape), np.zeros(w.shape)
    for (b, j), n in np.ndenumerate(n_before):
        if n == 0:
            continue
        order = t_in[b].ravel().argsort(kind="stable")
        came, lag = order[:n], _lag(t_max[b, j] - t_in[b].ravel()[order[:n]], cache.how)
        rise = w[came // t_in.shape[2], j] * _psp_slope(lag, tau_m, tau_s)
        np.add.at(dw[:, j], came // t_in.shape[2], dv_max[b, j] * _psp(lag, tau_m, tau_s))    # (V10) the time of the maximum
        np.subtract.at(dt_in[b].reshape(-1), came, dv_max[b, j] * rise)                       # may stay where it is
        if n < len(order) and t_in[b].ravel()[order[n]] == t_max[b, j]:
            dt_in[b].reshape(-1)[order[n]] += dv_max[b, j] * rise.sum()                       # (V11) it moves with an input
    return dt_in.astype(cache.dtype) if need_dt else None, dw.astype(cache.dtype)
