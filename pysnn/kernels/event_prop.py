"""Leaky neurons that fire many times, and EventProp, written to be fast (Numba); same names, arguments and results as the reference.

A neuron keeps its potential and its current, both at the time of the last event. Without recurrent weights no neuron needs to know of
another: all of them go from input to input together, and only those whose tangent reaches the threshold before the next input look for
their spikes. With recurrent weights the sample goes from event to event, the next spike of all neurons being the next event. Backward, the
adjoint variables p (of the potential) and q (of the current) go through the same events in reverse order; no array holds samples, inputs
and outputs at once. All arithmetic is in float64, times are in tau_s.
"""

import math
from typing import NamedTuple

import numpy as np

from .. import _checks
from .._jit import njit
from .._threads import cut, spread

_SAMPLES, _TILE = 4, 256       # samples and outputs a block
_SHARES = 8                    # of a batch, each with gradients of its own, which are added up in order
_CAPACITY = 8                  # spikes a neuron that there is room for at first
_FORGOTTEN = 800.0             # time constants: an exponential is 0
_CLOSE = 1e-9                  # last step of a root search, over the root; the step after it would be below the last place


class Cache(NamedTuple):
    """What backward needs of forward; opaque, but for `stopped`."""

    stopped: np.ndarray       # (B, N_out) bool: whether a neuron would have fired once more than n_spikes times
    inputs: tuple             # shape of t_in; (B, E) sorted times of what came, their places in a row of t_in, (B,) how many
    weights: tuple            # w, w_rec
    t_out: np.ndarray         # (B, N_out, largest number of spikes)
    current: np.ndarray       # the current of the neuron at each spike
    n_before: np.ndarray      # how many inputs had arrived
    log: tuple                # with w_rec: (B, any) events in order, k >= 0: input k, k < 0: neuron -1 - k; (B,) how many
    how: tuple                # threshold, tau_m, tau_s
    n_spikes: int | None
    dtype: np.dtype


def forward(t_in, w, w_rec=None, threshold=1.0, tau_m=4.0, tau_s=1.0, n_spikes=None):
    """Find all spikes; see `pysnn.reference.event_prop.forward`."""
    t_in, w, w_rec, how, n_most, dtype = _checks.event_forward(t_in, w, w_rec, (threshold, tau_m, tau_s), n_spikes)
    inputs, capacity = _sort(t_in), min(_CAPACITY, n_most)
    while True:
        found = _simulate(inputs, w, w_rec, how, capacity)
        if capacity == n_most or not found[3].any():                     # nobody was stopped
            break
        capacity = min(4 * capacity, n_most)
    t_out, current, n_before, stopped, n_fired, *log = found
    _checks.ends(stopped, n_spikes)
    n = max(1, n_fired.max())
    t_out, current, n_before = (np.ascontiguousarray(x[:, :, :n]) for x in (t_out, current, n_before))
    cache = Cache(stopped, inputs, (w, w_rec), t_out, current, n_before, tuple(log), how, n_spikes, dtype)
    return _checks.padded(t_out, n_spikes, dtype), cache


def _sort(t_in):
    """Sort the inputs of each sample by time, simultaneous ones by their place; those that never come are left out."""
    flat = t_in.reshape(len(t_in), -1)
    n_events = np.isfinite(flat).sum(axis=1)
    times, places = np.full((len(flat), n_events.max()), np.inf), np.zeros((len(flat), n_events.max()), np.int64)
    _gather(flat, times, places)
    found = np.full_like(times, np.inf), np.zeros_like(places)
    if not _arrange((times, places), times.argsort(axis=1), n_events, found):                        # a quick sort knows no places
        _arrange((times, places), times.argsort(axis=1, kind="stable"), n_events, found)
    return t_in.shape, *found, n_events


@njit
def _gather(flat, times, places):
    """Take the finite times of each row, and their places in it."""
    for b in range(len(flat)):
        n = 0
        for i in range(flat.shape[1]):
            if flat[b, i] < np.inf:
                times[b, n], places[b, n] = flat[b, i], i
                n += 1


@njit
def _arrange(given, order, n_events, found):
    """Put times and places in an order; say whether the places of simultaneous inputs rise."""
    (times, places), (sorted_times, sorted_places), rise = given, found, True
    for b in range(len(order)):
        for k in range(n_events[b]):
            t, at = times[b, order[b, k]], places[b, order[b, k]]
            rise &= k == 0 or sorted_times[b, k - 1] < t or sorted_places[b, k - 1] < at
            sorted_times[b, k], sorted_places[b, k] = t, at
    return rise


@njit
def _scatter(dt, order, n_events, dt_in):
    """Put what belongs to sorted inputs where they came from."""
    for b in range(len(dt)):
        for k in range(n_events[b]):
            dt_in[b, order[b, k]] = dt[b, k]


def _simulate(inputs, w, w_rec, how, capacity):
    """Run all samples, with room for so many spikes of a neuron."""
    (shape, times, order, n_events), (threshold, tau_m, tau_s) = inputs, how
    n_batch, n_out = shape[0], w.shape[1]
    out = (np.full((n_batch, n_out, capacity), np.inf), np.ones((n_batch, n_out, capacity)),
           np.zeros((n_batch, n_out, capacity), np.int32), np.zeros((n_batch, n_out), np.bool_), np.zeros((n_batch, n_out), np.int64))
    given, units = (times, order, n_events, shape[2]), (threshold, tau_s, tau_m / tau_s, _highest(tau_m / tau_s))
    if w_rec is None:
        blocks = [(*j, *b) for j in cut(n_out, _TILE) for b in cut(n_batch, _SAMPLES)]
        spread(lambda j0, j1, b0, b1: _scan(given, w, units, out, (j0, j1, b0, b1)), blocks)
        return out
    log = np.zeros((n_batch, times.shape[1] + n_out * capacity), np.int32), np.zeros(n_batch, np.int64)
    spread(lambda b0, b1: _run(given, (w, w_rec), units, (*out, *log), (b0, b1)), cut(n_batch, _SAMPLES))
    return *out, *log


@njit
def _fading(x, ratio):
    """Return what a potential 1 and a current 1 become within x time constants of the synapse, and (V2), with two exponentials."""
    apart = abs(ratio - 1)
    long, lost = math.exp(-x / max(ratio, 1.0)), math.expm1(-apart / ratio * x)
    short = long + long * lost                                           # as exact as 1 is
    rise = long * (x if apart == 0 else -lost / apart)
    return (long, short, rise) if ratio >= 1 else (short, long, rise)


@njit
def _psp(x, ratio):
    """(V2) The potential that a current 1 leaves, x time constants of the synapse later."""
    return _fading(x, ratio)[2]


@njit
def _highest(ratio):
    """Return what no potential that begins at 0 exceeds, over its current, and a little for rounding."""
    return (1 + 1e-12) * _psp(_to_peak(0.0, 1.0, ratio), ratio)


@njit
def _gap(begin, end, units):
    """Return an interval in time constants of the synapse; of a long one, a number whose exponentials are 0."""
    return min((end - begin) / units[1], _FORGOTTEN * max(units[2], 1.0))


@njit
def _may_fire(v, current, threshold, rise, highest):
    """Say whether tangent and peak of a potential reach the threshold before the next event; else the potential stays below."""
    return (current > threshold) & (v + (current - v) * rise >= threshold) & (max(v, 0.0) + current * highest >= threshold)


@njit
def _crossing(v, current, gap, units):
    """(V3) Return when a potential rises through the threshold, before a gap is over; inf where it does not."""
    threshold, _, ratio, _ = units
    if not (current > threshold and (v < threshold or current > v)):
        return np.inf
    if v >= threshold:                                                   # an input turns back a potential that is just falling
        return 0.0
    rise, below = current - v, threshold - v
    room = rise * rise - 2 * ratio * current * below                     # of the parabola in 1 - exp(-x / tau_m), exact for tau_m = 2 tau_s
    if room < 0 and ratio == 2:
        return np.inf
    share = 2 * below / (rise + math.sqrt(max(room, 0.0)))
    if room > 0 and share < 1:
        x = -ratio * math.log1p(-share)
        for _ in range(8):                                               # most often two or three steps, and no look at the end
            new = x if ratio == 2 else _halley(x, v, current, threshold, ratio)[1]
            if abs(new - x) <= _CLOSE * new:
                if abs(new - gap) > _CLOSE * new:
                    return new if new < gap else np.inf
                break
            if not new > 0:
                break
            x = new
    until = math.log(current / threshold)                                # the current is at the threshold then
    high = min(until, gap)
    held, _, rise = _fading(high, ratio)
    at_end = v * held + current * rise
    if not (at_end > threshold or (at_end == threshold and gap <= until)):
        return np.inf
    low = x = min((threshold - v) * ratio / (current - v), high)         # by the tangent: never too late
    if until < gap:                                                      # by a parabola through the end: near a low peak
        over = at_end / threshold - 1
        x = max(x, until - over - math.sqrt(over * (over + 2 * ratio)))
    for _ in range(100):                                                 # between bounds
        f, new = _halley(x, v, current, threshold, ratio)
        low, high = (low, x) if f >= 0 else (x, high)
        if not (low <= new <= high):
            new = (low + high) / 2
        if abs(new - x) <= _CLOSE * new:
            return new
        x = new
    return x


@njit
def _halley(x, v, current, threshold, ratio):
    """Return how far above the threshold a potential is after x, and the next x by Halley's method; -1 where it leads to no crossing."""
    held, kept, rise = _fading(x, ratio)
    i, f = current * kept, v * held + current * rise - threshold
    slope = i - f - threshold                                            # times tau_m
    bend, square = -i * ratio - slope, slope * slope                     # times tau_m squared
    return f, x - 2 * ratio * f * slope / (2 * square - f * bend) if slope > 0 and square > f * bend else -1.0


@njit(scratch=True)
def _scan(given, w, units, out, block):
    """Forward without recurrent weights, for outputs j0:j1 and samples b0:b1."""
    times, order, n_events, n_times = given
    ratio, highest = units[2:]
    j0, j1, b0, b1 = block
    n = j1 - j0
    current, _, ahead, level = state = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    for b in range(b0, b1):
        current[:], ahead[:], level[:], kept = 0, 0, units[0], 0.0
        for k in range(n_events[b]):
            t, t_next = times[b, k], times[b, k + 1] if k + 1 < n_events[b] else np.inf
            gap = _gap(t, t_next, units)
            held, next_kept, left = _fading(gap, ratio)
            if _arrive(w, (order[b, k] // n_times, j0), state, (kept, held, left, gap / ratio, highest)):
                _fire(state, (t, t_next, gap, k + 1), units, out, (b, j0))
            kept = next_kept


@njit
def _arrive(w, place, state, fading):
    """(V2) Let one input arrive and look ahead to the next; return how many neurons may fire in between."""
    current, v, ahead, level = state
    kept, held, left, rise, highest = fading
    i, j0 = place
    n_near = np.int64(0)
    for j in range(len(v)):
        v_j, i_j = ahead[j], current[j] * kept + w[i, j0 + j]
        n_near += np.int64(_may_fire(v_j, i_j, level[j], rise, highest))
        v[j], current[j], ahead[j] = v_j, i_j, v_j * held + i_j * left
    return n_near


@njit
def _fire(state, interval, units, out, place):
    """Find all spikes before the next input; each sets its neuron to 0, (V1), (V4)."""
    current, v, ahead, level = state
    t, t_next, gap, rank = interval
    _, tau, ratio, highest = units
    t_out, current_out, n_before, stopped, n_fired = out
    b, j0 = place
    for j in range(len(v)):
        v_j, i_j, passed, at = v[j], current[j], 0.0, j0 + j
        while _may_fire(v_j, i_j, level[j], (gap - passed) / ratio, highest):
            x, m = _crossing(v_j, i_j, gap - passed, units), n_fired[b, at]
            if x == np.inf:
                break
            if m == t_out.shape[2]:
                stopped[b, at], level[j] = True, np.inf
                break
            passed, v_j, i_j = passed + x, 0.0, i_j * math.exp(-x)
            t_out[b, at, m], current_out[b, at, m], n_before[b, at, m] = min(t + tau * passed, t_next), i_j, rank
            n_fired[b, at] = m + 1
            ahead[j] = i_j * _psp(gap - passed, ratio) if t_next < np.inf else 0.0


@njit(scratch=True)
def _run(given, weights, units, out, block):
    """Forward with recurrent weights, for samples b0:b1, from event to event."""
    times, order, n_events, n_times = given
    w, w_rec = weights
    threshold, tau, ratio, highest = units
    t_out, current_out, n_before, stopped, n_fired, log, n_log = out
    n = w.shape[1]
    v, current = np.empty(n), np.empty(n)
    for b in range(*block):
        v[:], current[:], k, t = 0, 0, 0, -np.inf
        while True:
            t_next = times[b, k] if k < n_events[b] else np.inf
            gap, first, who = _gap(t, t_next, units), np.inf, -1
            for j in range(n):
                if _may_fire(v[j], current[j], threshold, gap / ratio, highest) and not stopped[b, j]:
                    x = _crossing(v[j], current[j], gap, units)
                    first, who = (x, j) if x < first else (first, who)
            if who >= 0 and n_fired[b, who] == t_out.shape[2]:
                stopped[b, who] = True
                continue
            if who < 0 and k == n_events[b]:
                break
            x = gap if who < 0 else first
            held, kept, left = _fading(x, ratio)
            for j in range(n):
                v[j], current[j] = v[j] * held + current[j] * left, current[j] * kept
            if who < 0:
                t, row, log[b, n_log[b]] = t_next, w[order[b, k] // n_times], k
                k += 1
            else:
                t, row, log[b, n_log[b]] = min(t + tau * x, t_next), w_rec[who], -1 - who
                m = n_fired[b, who]
                t_out[b, who, m], current_out[b, who, m], n_before[b, who, m] = t, current[who], k
                v[who], n_fired[b, who] = 0, m + 1
            n_log[b] += 1
            for j in range(n):
                current[j] += row[j]


def backward(dt_out, cache, need_dt=True):
    """Pull a gradient back through `forward`: (V5), by the adjoint equations; see `pysnn.reference.event_prop.backward`."""
    dt_out = _checks.event_backward(dt_out, cache.t_out, cache.dtype, n_spikes=cache.n_spikes)
    threshold, tau_m, _ = cache.how
    if cache.weights[1] is not None:
        grads = _pull(cache, lambda *given: _back(*given, cache.log, dt_out), (cache.t_out, cache.current), need_dt)
    else:
        grads = _pull(cache, _adjoint, (cache.t_out, cache.n_before, cache.current, threshold, -tau_m * dt_out), need_dt)
    return tuple(None if g is None else g.astype(cache.dtype) for g in grads)


def _pull(cache, kernel, marks, need_dt):
    """Run a kernel that goes backward through the events, a share of the batch at a time."""
    (shape, times, order, n_events), (w, w_rec), (threshold, tau_m, tau_s) = cache.inputs, cache.weights, cache.how
    parts = cut(shape[0], -(-shape[0] // _SHARES))
    dw, dt = np.zeros((len(parts), *w.shape)), np.zeros(order.shape if need_dt else (0, 0))
    dw_rec = np.zeros((len(parts), w.shape[1] if w_rec is not None else 0, w.shape[1]))
    given = (times, order, n_events, shape[2]), (w, w if w_rec is None else w_rec), (threshold, tau_s, tau_m / tau_s)
    spread(lambda s, b0, b1: kernel(*given, marks, (dw[s], dw_rec[s], dt), (b0, b1)), [(s, *part) for s, part in enumerate(parts)])
    dt_in = np.zeros(shape) if need_dt else None
    if need_dt:
        _scatter(dt, order, n_events, dt_in.reshape(shape[0], -1))
    return dt_in, dw.sum(axis=0), None if w_rec is None else dw_rec.sum(axis=0)


@njit
def _decay(p, q, x, ratio):
    """(V6) Take the adjoint variables x time constants of the synapse back."""
    if p == 0 and q == 0:
        return p, q
    held, kept, passed = _fading(x, ratio)
    return p * held, q * kept + p * passed


@njit
def _of_time(w, i, p, q, units):
    """(V8) Return the gradient of the time of an event that arrives through weights w."""
    total, slow = 0.0, 1 / (units[1] * units[2])
    fast = 1 / units[1]
    for j in range(len(p)):
        total += w[i, j] * (q[j] * fast - p[j] * slow)
    return total


@njit(scratch=True)
def _adjoint(given, weights, units, marks, grads, block):
    """Backward without recurrent weights: at its marks a neuron's p becomes (`current` p + `added`) / (`current` - `threshold`)."""
    times, order, n_events, n_times = given
    when, rank, current, threshold, added = marks
    w, dw, dt, ratio = weights[0], grads[0], grads[2], units[2]
    n = w.shape[1]
    p, q, left, behind = np.empty(n), np.empty(n), np.empty(n, np.int64), np.empty(n, np.int64)
    p_marked, q_marked = np.empty(n), np.empty(n)
    for b in range(*block):
        p[:], q[:] = 0, 0
        for j in range(n):
            left[j] = 0
            while left[j] < when.shape[2] and abs(when[b, j, left[j]]) < np.inf:
                left[j] += 1
            behind[j] = rank[b, j, left[j] - 1] if left[j] else 0
        for k in range(n_events[b] - 1, -1, -1):
            t, t_next = times[b, k], times[b, k + 1] if k + 1 < n_events[b] else np.inf
            n_marked = np.int64(0)
            for j in range(n):
                n_marked += np.int64(behind[j] == k + 1)
            if n_marked:
                for j in range(n):
                    if behind[j] != k + 1:
                        p_marked[j] = np.inf
                        continue
                    p_j, q_j, at = p[j], q[j], t_next
                    while behind[j] == k + 1:
                        left[j] -= 1
                        m = left[j]
                        p_j, q_j = _decay(p_j, q_j, _gap(when[b, j, m], at, units), ratio)
                        i_j, at = current[b, j, m], when[b, j, m]
                        p_j = (i_j * p_j + added[b, j, m]) / (i_j - threshold)                                   # (V7)
                        behind[j] = rank[b, j, m - 1] if m else 0
                    p_marked[j], q_marked[j] = _decay(p_j, q_j, _gap(t, at, units), ratio)
            gap = _gap(t, t_next, units)
            held, kept, passed = _fading(gap, ratio)
            for j in range(n):
                p[j], q[j] = p[j] * held, q[j] * kept + p[j] * passed                                            # (V6)
            if n_marked:
                for j in range(n):
                    if p_marked[j] < np.inf:
                        p[j], q[j] = p_marked[j], q_marked[j]
            i = order[b, k] // n_times
            for j in range(n):
                dw[i, j] += q[j]                                                                                 # (V8)
            if len(dt) > 0:
                dt[b, k] = _of_time(w, i, p, q, units)


@njit(scratch=True)
def _back(given, weights, units, marks, grads, block, log, dt_out):
    """Backward with recurrent weights."""
    times, order, _, n_times = given
    w, w_rec = weights
    threshold, tau, ratio = units
    when, current = marks
    dw, dw_rec, dt = grads
    n = w.shape[1]
    p, q, left = np.empty(n), np.empty(n), np.empty(n, np.int64)
    for b in range(*block):
        p[:], q[:], left[:], at = 0, 0, 0, np.inf
        for e in range(log[1][b]):
            if log[0][b, e] < 0:
                left[-1 - log[0][b, e]] += 1
        for e in range(log[1][b] - 1, -1, -1):
            k = log[0][b, e]
            j = -1 - k
            t = times[b, k] if k >= 0 else when[b, j, left[j] - 1]
            gap = _gap(t, at, units)
            held, kept, passed = _fading(gap, ratio)
            for m in range(n):
                p[m], q[m] = p[m] * held, q[m] * kept + p[m] * passed                                            # (V6)
            at = t
            if k >= 0:
                i = order[b, k] // n_times
                for m in range(n):
                    dw[i, m] += q[m]                                                                             # (V8)
                if len(dt) > 0:
                    dt[b, k] = _of_time(w, i, p, q, units)
                continue
            left[j] -= 1
            for m in range(n):
                dw_rec[j, m] += q[m]                                                                             # (V8)
            error, i_j = dt_out[b, j, left[j]] + _of_time(w_rec, j, p, q, units), current[b, j, left[j]]
            p[j] = (i_j * p[j] - tau * ratio * error) / (i_j - threshold)                                        # (V7)


class MaxCache(NamedTuple):
    """What max_backward needs of max_forward; opaque."""

    inputs: tuple
    weights: tuple
    t_max: np.ndarray         # (B, N_out), when the maximum is reached; -inf: before all inputs
    n_before: np.ndarray      # how many inputs had arrived
    slope: np.ndarray         # of the potential there: not 0 where it is the next input that ends the rise
    how: tuple
    dtype: np.dtype


def max_forward(t_in, w, tau_m=4.0, tau_s=1.0):
    """Find the maxima of potentials that do not fire; see `pysnn.reference.event_prop.max_forward`."""
    t_in, w, _, how, _, dtype = _checks.event_forward(t_in, w, None, (1.0, tau_m, tau_s), None)
    _, tau_m, tau_s = how                                                # as that dtype has them
    inputs, shape = _sort(t_in), (len(t_in), w.shape[1])
    out = np.zeros(shape), np.full(shape, -np.inf), np.zeros(shape, np.int32), np.zeros(shape)
    given = *inputs[1:], t_in.shape[2]
    spread(lambda b0, b1: _climb(given, w, (0.0, tau_s, tau_m / tau_s), out, (b0, b1)), cut(shape[0], _SAMPLES))
    return out[0].astype(dtype), MaxCache(inputs, (w, None), *out[1:], how, dtype)


@njit(scratch=True)
def _climb(given, w, units, out, block):
    """(V9) The maxima for samples b0:b1."""
    times, order, n_events, n_times = given
    v_max, t_max, n_before, slope = out
    _, tau, ratio = units
    v, current = np.empty(w.shape[1]), np.empty(w.shape[1])
    for b in range(*block):
        v[:], current[:] = 0, 0
        for k in range(n_events[b]):
            i, t, t_next = order[b, k] // n_times, times[b, k], times[b, k + 1] if k + 1 < n_events[b] else np.inf
            gap = _gap(t, t_next, units)
            held, kept, left = _fading(gap, ratio)
            for j in range(w.shape[1]):
                v_j, i_j = v[j], current[j] + w[i, j]
                v[j], current[j] = v_j * held + i_j * left, i_j * kept
                if not (i_j > v_j and i_j > v_max[b, j]):                # it falls, or stays below the current
                    continue
                x = _to_peak(v_j, i_j, ratio)
                at_peak = x < gap
                best = v_j * math.exp(-x / ratio) + i_j * _psp(x, ratio) if at_peak else v[j]
                if best > v_max[b, j] and (at_peak or t_next < np.inf):
                    v_max[b, j], t_max[b, j], n_before[b, j] = best, t + tau * x if at_peak else t_next, k + 1
                    slope[b, j] = 0.0 if at_peak else (current[j] - best) / (tau * ratio)


@njit
def _to_peak(v, current, ratio):
    """Return when a rising potential has its peak; inf if it rises for ever."""
    more = ratio - 1
    height = more * v + current
    if height <= 0:
        return np.inf
    share = (current - v) / height
    return ratio * (share if more == 0 else math.log1p(more * share) / more)


def max_backward(dv_max, cache, need_dt=True):
    """Pull a gradient back through `max_forward`; see `pysnn.reference.event_prop.max_backward`."""
    dv_max = _checks.event_backward(dv_max, cache.t_max, cache.dtype, "dv_max", "v_max")
    marks = cache.t_max[:, :, None], cache.n_before[:, :, None], np.ones((*dv_max.shape, 1)), 0.0, dv_max[:, :, None]
    dt_in, dw, _ = _pull(cache, _adjoint, marks, need_dt)                                                        # (V10)
    if need_dt:
        b, j = np.nonzero(cache.slope)
        places = b, cache.inputs[2][b, cache.n_before[b, j]]
        np.add.at(dt_in.reshape(len(dt_in), -1), places, (dv_max * cache.slope)[b, j])                           # (V11)
    return dt_in.astype(cache.dtype) if need_dt else None, dw.astype(cache.dtype)
