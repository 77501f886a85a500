"""Theta neurons to 50 digits: the voltage as a kicked oscillator, whose squares are the gradients.

With V = 1/2 + root s/c, (c, s) turns at the speed root/tau, an input adds w c/root to s, and the neuron fires where c first is 0. That is
certified: c(t - 1e-49) > 0 > c(t + 1e-49), or an error. Let the oscillator be scaled to s = 1 at the spike. Then at an input
dt_out/dw = -tau c^2/root^2, and dt_out/dt_in is what the kick adds to c^2 + s^2. All with 60 digits; floats are taken without rounding.
mpmath is imported when first used.
"""

from typing import NamedTuple

import numpy as np

from ._numbers import DIGITS, context, exact


class _Event(NamedTuple):
    """One kick: the oscillator at it, c and s just before and after."""

    inputs: dict         # index -> share of its weight
    c: object
    s_before: object
    s_after: object


class Cache(NamedTuple):
    """What backward needs of forward."""

    t_in: np.ndarray     # object arrays of mpf
    w: np.ndarray
    how: tuple           # t_end, root, v_init, tau
    walks: dict          # (b, j) -> time, events before the spike, c^2 + s^2 at the spike


def forward(t_in, w, t_end, drive=1.25, v_init=0.5, tau=1.0):
    """Find when each neuron fires first.

    Parameters
    ----------
    t_in : (B, N_in) array of floats or mpf
        Times of the input spikes; inf means no spike.
    w : (N_in, N_out) array of floats or mpf
        Weights.
    t_end, drive, v_init, tau : float or mpf
        End of the trial, constant current, first voltage, time constant.

    Returns
    -------
    t_out : (B, N_out) object array
        mpf with 50 digits.
    cache : Cache
        For `backward` and `condition`.

    Raises
    ------
    ArithmeticError
        If a spike could not be certified.
    """
    ctx = context()
    t_in, w = exact(t_in), exact(w)
    how = ctx.mpf(t_end), ctx.sqrt(ctx.mpf(drive) - ctx.mpf(0.25)), ctx.mpf(v_init), ctx.mpf(tau)
    t_out, walks = np.empty((len(t_in), w.shape[1]), dtype=object), {}
    for b, j in np.ndindex(t_out.shape):
        walks[b, j] = _walk(t_in[b], w[:, j], how)
        t_out[b, j] = walks[b, j][0]
    return t_out, Cache(t_in, w, how, walks)


def _period(how):
    return how[3] * context().pi / how[1]


def _kicks(t, how):
    """List when which inputs act, with which share of their weights."""
    t_end = how[0]
    kicks = [(t[i], {i: context().mpf(1)}) for i in sorted(range(len(t)), key=lambda i: t[i]) if t[i] < t_end]
    late = {i: 1 - (t[i] - t_end) / _period(how) for i in range(len(t)) if t_end <= t[i] < t_end + _period(how)}
    return [*kicks, (t_end, late), (None, {})]


def _walk(t, w, how):
    """Follow one neuron to its spike."""
    ctx, (_, root, v_init, tau) = context(), how
    c, s, t_last, events = ctx.mpf(1), (v_init - ctx.mpf(0.5)) / root, ctx.mpf(0), []
    for t_next, inputs in _kicks(t, how):
        spike = t_last + tau / root * ctx.acot(s / c) if s > 0 else t_last + tau / root * (ctx.pi / 2 - ctx.atan(s / c))
        if t_next is None or spike <= t_next:
            tiny = ctx.mpf(10) ** -DIGITS * 10 * max(tau, spike)
            ahead, behind = (c * ctx.cos(x) - s * ctx.sin(x) for x in ((spike + d - t_last) * root / tau for d in (-tiny, tiny)))
            if not ahead > 0 > behind:
                raise ArithmeticError(f"oracle: no certified spike near t = {ctx.nstr(spike, 20)}")
            return spike, events, c * c + s * s
        angle = (t_next - t_last) * root / tau
        c, s = c * ctx.cos(angle) - s * ctx.sin(angle), s * ctx.cos(angle) + c * ctx.sin(angle)
        after = s + sum(share * w[i] for i, share in inputs.items()) * c / root
        events.append(_Event(inputs, c, s, after))
        s, t_last = after, t_next
    raise ArithmeticError("oracle: a theta neuron always fires")


def backward(dt_out, cache):
    """Pull a gradient back through `forward`, by the squares of the oscillator.

    Parameters
    ----------
    dt_out : (B, N_out) array
        Gradient of the loss with respect to t_out.
    cache : Cache
        From `forward`.

    Returns
    -------
    dt_in : (B, N_in) object array
        Gradient with respect to t_in, mpf; exactly 0 behind the spike.
    dw : (N_in, N_out) object array
        Gradient with respect to w, summed over the batch.
    """
    dt_in, dw = exact(np.zeros(cache.t_in.shape)), exact(np.zeros(cache.w.shape))
    dt_out = exact(dt_out)
    for (b, j), (_, events, _) in cache.walks.items():
        for i, by_w, by_t in _derivatives(b, j, cache) if events else ():
            dw[i, j] += dt_out[b, j] * by_w
            dt_in[b, i] += dt_out[b, j] * by_t
    return dt_in, dw


def _derivatives(b, j, cache):
    """List, for each input before a spike, the derivatives of the spike's time by weight and time."""
    (_, root, _, tau), (_, events, size) = cache.how, cache.walks[b, j]
    for event in events:
        for i, share in event.inputs.items():
            by_kick = -tau * event.c ** 2 / root ** 2 / size
            if cache.t_in[b, i] < cache.how[0]:
                yield i, by_kick, (event.s_after ** 2 - event.s_before ** 2) / size
            else:
                yield i, share * by_kick, -cache.w[i, j] * by_kick / _period(cache.how)


def condition(cache):
    """Say how far roundings move each spike, of the arguments and of the phase at every event.

    Parameters
    ----------
    cache : Cache
        From `forward`.

    Returns
    -------
    (B, N_out) float64 array
        Times: relative errors eps of weights, times and phases move the spike by eps times this.
    """
    kappa = np.zeros((len(cache.t_in), cache.w.shape[1]))
    for (b, j), (t, events, size) in cache.walks.items():
        moved = t + _period(cache.how)
        moved += sum(abs(by_w * cache.w[i, j]) + abs(by_t * cache.t_in[b, i]) for i, by_w, by_t in _derivatives(b, j, cache))
        kappa[b, j] = float(moved + _period(cache.how) * sum((e.c ** 2 + max(e.s_before ** 2, e.s_after ** 2)) / size for e in events))
    return kappa
