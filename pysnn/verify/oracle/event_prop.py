"""Leaky neurons that fire many times to 50 digits, from event to event, and their gradients by a route of its own: forward in time.

    tau_m V' = -V + I,      tau_s I' = -I,      an input adds its weight to I;      V = threshold is a spike and sets V to 0.

Every state is carried along with its derivatives by all times and weights. At an event whose time T moves, V(T) moves by the flow's share
and by V'(T) dT; V(T) = threshold gives dT. So there is no adjoint equation here, and no sum over past spikes. A crossing t is certified by
V(t - 1e-49) < threshold < V(t + 1e-49). All with 60 digits; floats are taken without rounding. mpmath is imported when first used.

max_*: neurons that do not fire. V is the sum of what each input leaves; a maximum is certified by the sign of V' on both sides, and its
gradients are differences.
"""

from typing import NamedTuple

import numpy as np

from ._numbers import DIGITS, context, exact


class Cache(NamedTuple):
    """What backward needs of forward."""

    shapes: tuple        # of t_in, w, w_rec
    slopes: list         # of each sample: (j, m) -> derivatives of t_out[b, j, m] by t_in[b], w, w_rec, in a row
    values: list         # of each sample: these arguments in a row, 0 for inputs that never come


def forward(t_in, w, w_rec=None, threshold=1.0, tau_m=4.0, tau_s=1.0):
    """Find all spikes.

    Parameters
    ----------
    t_in : (B, N_in, K_in) array of floats or mpf
        Times of the input spikes; inf means no spike.
    w : (N_in, N_out) array of floats or mpf
        Weights.
    w_rec : (N_out, N_out) array of floats or mpf, optional
        Recurrent weights; a spike arrives at once.
    threshold, tau_m, tau_s : float
        Firing threshold, time constants of membrane and synapse.

    Returns
    -------
    t_out : (B, N_out, K_out) object array
        mpf with 50 digits; inf where there is no spike.
    cache : Cache
        For `backward` and `condition`.

    Raises
    ------
    ArithmeticError
        If a crossing could not be certified.
    """
    ctx = context()
    t_in, w, rec = exact(t_in), exact(w), None if w_rec is None else exact(w_rec)
    how = ctx.mpf(threshold), ctx.mpf(tau_m), ctx.mpf(tau_s)
    found = [_Sample(t, (w, rec), how).run() for t in t_in]
    n = max(1, *(m + 1 for spikes, _ in found for _, m in spikes)) if any(spikes for spikes, _ in found) else 1
    t_out = np.full((len(t_in), w.shape[1], n), ctx.inf, dtype=object)
    for b, (spikes, _) in enumerate(found):
        for at, t in spikes.items():
            t_out[(b, *at)] = t
    others = [w.ravel(), [] if rec is None else rec.ravel()]
    values = [np.concatenate([np.where(t.ravel() < ctx.inf, t.ravel(), ctx.mpf(0)), *others]) for t in t_in]
    return t_out, Cache((t_in.shape, w.shape, None if rec is None else rec.shape), [slopes for _, slopes in found], values)


def _flow(x, how):
    """Return what is left of a current 1 and of a potential 1, and the potential that a current 1 leaves."""
    ctx, (_, tau_m, tau_s) = context(), how
    fast, slow = ctx.exp(-x / tau_s), ctx.exp(-x / tau_m)
    return fast, slow, x * fast / tau_s if tau_m == tau_s else tau_s / (tau_m - tau_s) * (slow - fast)


class _Sample:
    """One sample: potentials, currents, and the derivatives of both at the time of the last event, which may move."""

    def __init__(self, t, weights, how):
        (self.w, self.w_rec), self.how, ctx = weights, how, context()
        self.inputs = sorted(((x, k) for k, x in enumerate(t.ravel()) if x < ctx.inf), key=lambda one: (one[0], one[1]))
        self.n_times, self.first = t.shape[1], t.size
        n, self.n_all = self.w.shape[1], t.size + self.w.size + (0 if self.w_rec is None else self.w_rec.size)
        self.v, self.i = (np.array([ctx.mpf(0)] * n, dtype=object) for _ in range(2))
        self.dv, self.di = (np.full((n, self.n_all), ctx.mpf(0), dtype=object) for _ in range(2))
        self.t, self.dt = None, np.full(self.n_all, ctx.mpf(0), dtype=object)

    def run(self):
        """Go from event to event; return times and slopes of the spikes."""
        times, slopes, counts, k = {}, {}, [0] * len(self.v), 0
        while True:
            stop = self.inputs[k][0] if k < len(self.inputs) else None
            first = [(x, j) for j in range(len(self.v)) if self.t is not None and (x := self._crossing(j, stop)) is not None]
            if first:
                x, j = min(first)
                fast, slow, left = _flow(x, self.how)
                rate = (self.i[j] * fast - self.how[0]) / self.how[1]
                moved = self.dt - (self.dv[j] * slow + self.di[j] * left) / rate
                self._advance(self.t + x, moved)
                times[j, counts[j]], slopes[j, counts[j]] = self.t, moved
                counts[j] += 1
                self.v[j], self.dv[j] = context().mpf(0), self.dv[j] * 0
                if self.w_rec is not None:
                    self._arrive(self.w_rec[j], self.first + self.w.size + j * self.w.shape[1])
            elif stop is None:
                return times, slopes
            else:
                one = self.dt * 0
                one[self.inputs[k][1]] = context().mpf(1)
                self._advance(stop, one)
                i = self.inputs[k][1] // self.n_times
                self._arrive(self.w[i], self.first + i * self.w.shape[1])
                k += 1

    def _arrive(self, row, place):
        self.i = self.i + row
        for j in range(len(row)):
            self.di[j, place + j] += 1

    def _advance(self, t, moved):
        """Go to a time that moves with the arguments as `moved` says."""
        if self.t is not None:
            _, tau_m, tau_s = self.how
            fast, slow, left = _flow(t - self.t, self.how)
            v, i, shift = self.v * slow + self.i * left, self.i * fast, moved - self.dt
            self.dv = self.dv * slow + self.di * left + ((i - v) / tau_m)[:, None] * shift
            self.di = self.di * fast - (i / tau_s)[:, None] * shift
            self.v, self.i = v, i
        self.t, self.dt = t, moved

    def _crossing(self, j, stop):
        """Return how long it takes until a neuron fires, before the next input; None if it does not."""
        ctx, (threshold, tau_m, tau_s) = context(), self.how
        v, i = self.v[j], self.i[j]
        if not (i > threshold and i > v):
            return None
        end = tau_s * ctx.log(i / threshold)
        end = end if stop is None else min(end, stop - self.t)

        def gap(x):
            _, slow, left = _flow(x, self.how)
            return v * slow + i * left - threshold
        if not gap(end) > 0:
            return None
        x, tiny = tau_m * (threshold - v) / (i - v), ctx.mpf(10) ** -DIGITS                   # by the tangent: never too late
        for _ in range(400):
            fast, _, _ = _flow(x, self.how)
            f = gap(x)
            step = -f * tau_m / (i * fast - f - threshold)
            x += step
            if abs(step) < tiny * tau_s / 10 ** 5:
                break
        width = 10 * tiny * max(tau_s, abs(self.t))
        if not gap(x - width) < 0 < gap(x + width):
            raise ArithmeticError(f"oracle: no certified crossing near t = {ctx.nstr(self.t + x, 20)}")
        return x


def backward(dt_out, cache):
    """Pull a gradient back through `forward`.

    Parameters
    ----------
    dt_out : (B, N_out, K_out) array
        Gradient of the loss with respect to t_out.
    cache : Cache
        From `forward`.

    Returns
    -------
    dt_in, dw, dw_rec : object arrays
        Gradients, mpf; dw_rec is None without recurrent weights.
    """
    d, (of_t, of_w, of_rec) = exact(dt_out), cache.shapes
    rows = [sum((d[(b, *at)] * row for at, row in slopes.items()), cache.values[b] * 0) for b, slopes in enumerate(cache.slopes)]
    n_t, n_w = int(np.prod(of_t[1:])), int(np.prod(of_w))
    both = sum(row[n_t:] for row in rows)
    return (np.array([row[:n_t] for row in rows], dtype=object).reshape(of_t), both[:n_w].reshape(of_w),
            None if of_rec is None else both[n_w:].reshape(of_rec))


def condition(cache):
    """Say how far relative errors eps of times and weights may move a spike, over eps.

    Parameters
    ----------
    cache : Cache
        From `forward`.

    Returns
    -------
    float
        The largest, over all spikes, of the sum of |dt_out/dx| |x|; 0 without spikes.
    """
    return max((float(sum(abs(row) * abs(values))) for slopes, values in zip(cache.slopes, cache.values, strict=True)
                for row in slopes.values()), default=0.0)


def max_forward(t_in, w, tau_m=4.0, tau_s=1.0):
    """Find the largest potential of neurons that do not fire, 0 if it is below 0.

    Parameters
    ----------
    t_in : (B, N_in, K_in) array of floats or mpf
        Times of the input spikes; inf means no spike.
    w : (N_in, N_out) array of floats or mpf
        Weights.
    tau_m, tau_s : float
        Time constants of membrane and synapse.

    Returns
    -------
    v_max : (B, N_out) object array
        mpf with 50 digits.
    cache : tuple
        For `max_backward`, `max_condition` and `max_gap`.

    Raises
    ------
    ArithmeticError
        If a maximum could not be certified.
    """
    ctx = context()
    t_in, w, how = exact(t_in), exact(w), (ctx.mpf(0), ctx.mpf(tau_m), ctx.mpf(tau_s))
    v_max = np.array([[_largest(t, w[:, j], how)[0] for j in range(w.shape[1])] for t in t_in], dtype=object)
    return v_max, (t_in, w, how)


def _largest(t, w, how):
    """Return the largest potential of one neuron, and the second largest of the maxima that lie apart in time."""
    ctx, (_, tau_m, tau_s) = context(), how
    arrived = sorted((x, w[k // t.shape[1]]) for k, x in enumerate(t.ravel()) if x < ctx.inf)

    def state(x, n):
        flows = [(weight, *_flow(x - at, how)) for at, weight in arrived[:n]]
        return sum(weight * left for weight, _, _, left in flows), sum(weight * fast for weight, fast, _, _ in flows)

    def rises(x, n):
        v, current = state(x, n)
        return current - v
    peaks, slow, tiny = [ctx.mpf(0)], max(tau_m, tau_s), ctx.mpf(10) ** -DIGITS
    for n, (low, _) in enumerate(arrived, 1):
        high = arrived[n][0] if n < len(arrived) else low + 200 * slow
        if high > low and rises(low, n) > 0:
            at = high
            if not rises(high, n) > 0:
                at = ctx.findroot(lambda x, n=n, low=low: rises(x, n) * ctx.exp((x - low) / slow), (low, high),     # never flat
                                  solver="anderson", maxsteps=500)
                if not rises(at - tiny * max(slow, at), n) > 0 > rises(at + tiny * max(slow, at), n):
                    raise ArithmeticError(f"oracle: no certified maximum near t = {ctx.nstr(at, 20)}")
            peaks.append(state(at, n)[0])
    return (*sorted(peaks, reverse=True), ctx.mpf(0))[:2]


def max_backward(dv_max, cache):
    """Pull a gradient back through `max_forward`, by differences with 60 digits: no equation of ours is in it.

    Parameters
    ----------
    dv_max : (B, N_out) array
        Gradient of the loss with respect to v_max.
    cache : tuple
        From `max_forward`.

    Returns
    -------
    dt_in, dw : object arrays
        Gradients, mpf, right to some 35 digits.
    """
    slopes, d = _max_slopes(cache), exact(dv_max)
    (t_in, w, _), (of_t, of_w) = cache, slopes
    return (d[:, None, None, :] * of_t).sum(axis=3).reshape(t_in.shape), (d[:, None, :] * of_w).sum(axis=0).reshape(w.shape)


def _max_slopes(cache):
    """Return the derivatives of v_max by the times, (B, N_in, K_in, N_out), and by the weights of the same neuron, (B, N_in, N_out)."""
    ctx, (t_in, w, how) = context(), cache
    h = ctx.mpf(10) ** -20                                                   # leaves an error of some h^2, and some 40 of the 60 digits
    of_t, of_w = np.full((*t_in.shape, w.shape[1]), ctx.mpf(0), dtype=object), np.full((len(t_in), *w.shape), ctx.mpf(0), dtype=object)
    for b, i, j in np.ndindex(of_w.shape):
        def at(step, k=None, b=b, i=i, j=j):
            t, column = t_in[b].copy(), w[:, j].copy()
            if k is None:
                column[i] += step
            else:
                t[i, k] += step
            return _largest(t, column, how)[0]
        of_w[b, i, j] = (at(h) - at(-h)) / (2 * h)
        for k in range(t_in.shape[2]):
            if t_in[b, i, k] < ctx.inf:
                of_t[b, i, k, j] = (at(h, k) - at(-h, k)) / (2 * h)
    return of_t, of_w


def max_condition(cache):
    """Say how far relative errors eps of times and weights may move a maximum, over eps.

    Parameters
    ----------
    cache : tuple
        From `max_forward`.

    Returns
    -------
    float
        The largest, over all neurons, of the sum of |dv_max/dx| |x|.
    """
    (t_in, w, _), (of_t, of_w) = cache, _max_slopes(cache)
    t = np.where(t_in < context().inf, t_in, context().mpf(0))
    moves = abs(of_t * t[..., None]).sum(axis=(1, 2)) + abs(of_w * w).sum(axis=1)
    return float(moves.max())


def max_gap(cache):
    """Say how near the second largest maximum of a neuron is to its largest: where two are equal, gradients jump.

    Parameters
    ----------
    cache : tuple
        From `max_forward`.

    Returns
    -------
    float
        The least difference, over all neurons; 0 for a neuron without inputs.
    """
    t_in, w, how = cache
    return float(min(np.subtract(*_largest(t, w[:, j], how)) for t in t_in for j in range(w.shape[1])))
