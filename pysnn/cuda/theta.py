"""Theta neurons on a GPU; the same names, arguments and results as reference/theta.py.

The voltage is kept as u = (V - 1/2)/root, which a gap moves by (Q9). A thread has one neuron of one sample; cosine and sine of the gaps,
which the neurons of a sample share, are laid out before. The backward pass takes some samples at a time: threads run forward once more,
keep their voltages, go back through them and leave what each input says; then a thread for each weight adds up its samples, and one for
each input its neurons. So the memory is that of some weight matrices, whatever the batch is, and the bits are the same each run.
"""

import math
from typing import NamedTuple

import numpy as np

from .. import _checks
from . import dense, temporal
from ._target import at_home, cuda, empty, give, kernel, on_device, send, sincospi, stand_in
from .integrate_fire import flat

_SAMPLES = 16        # samples at a time, backward


class Cache(NamedTuple):
    """What backward needs of forward; opaque, on the device."""

    t_in: object
    w: object
    t_out: object
    n_felt: object       # how many of the events came before the spike
    share: object        # of each input at the end of the trial
    late: object         # kick at the end of the trial
    events: tuple        # order of the inputs; time of each event, cosine and sine of the gap before it
    how: tuple           # t_end, the first u, one over root, the angle that u turns in a unit of time


def forward(t_in, w, t_end, drive=1.25, v_init=0.5, tau=1.0):
    """Find when each theta neuron fires first, in the trial or behind its end; see `pysnn.reference.theta.forward`."""
    home, foreign = at_home(t_in, w), on_device(t_in)
    t, weights, (t_end, root, v_init, tau) = _checks.theta_forward(stand_in(t_in), stand_in(w), t_end, drive, v_init, tau)
    t_in, w, kind, (n_batch, n_in) = send(t_in, t, "t_in"), send(w, weights, "w"), t.dtype.type, t.shape
    if foreign:
        below = np.nextafter(kind(0), kind(-1))
        temporal.refuse(t_in, below, lambda found: _checks.theta_forward(found, weights, t_end, drive, v_init, tau))
    how = t_end, (v_init - kind(0.5)) / root, 1 / root, root / tau
    share = empty(t.shape, t.dtype, "share")
    _share.over(t.size, flat(t_in), flat(share), (t_end, _rate(how)), t.size)
    late, _ = dense.dense_forward(share, w)
    order, t_sorted = temporal.in_order(t_in)
    events = empty((3, n_batch, n_in + 1), t.dtype, "events")
    _turn.over(n_batch * (n_in + 1), t_sorted, events, how)
    t_out, n_felt = empty(tuple(late.shape), t.dtype, "t_out"), empty(tuple(late.shape), np.int32, "n_felt")
    _scan.over(t_out.size, order, events, w, late, how, t_out, n_felt)
    return give(home, t_out), Cache(t_in, w, t_out, n_felt, share, late, (order, events), how)


def _rate(how):
    """(Q5) Return what a unit of time behind the end of the trial takes of a share: one over the period."""
    return how[-1].dtype.type(how[-1] / np.pi)


@kernel("T1 T1 t2 i")
def _share(t_in, share, how, n):
    """(Q5) which share of a weight acts at the end of the trial: a thread an input of a sample."""
    (t_end, rate), zero, one = how, share.dtype.type(0), share.dtype.type(1)
    for k in range(cuda.grid(1), n, cuda.gridsize(1)):
        left = one - (t_in[k] - t_end) * rate
        share[k] = left if t_in[k] >= t_end and left > zero else zero


@kernel("T2 T3 t4")
def _turn(t_sorted, events, how):
    """(Q9) the events of the trial, and last its end; of half a turn and more, just that, for all neurons fire in it: a thread an event."""
    (t_end, _, _, speed), n_in, zero = how, t_sorted.shape[1], t_sorted.dtype.type(0)
    for e in range(cuda.grid(1), events.shape[1] * (n_in + 1), cuda.gridsize(1)):
        b, k = e // (n_in + 1), e % (n_in + 1)
        now, last = min(t_sorted[b, k], t_end) if k < n_in else t_end, min(t_sorted[b, k - 1], t_end) if k > 0 else zero
        events[0, b, k] = now
        events[2, b, k], events[1, b, k] = sincospi(min((now - last) * speed / math.pi, 1.0))


@kernel("I2 T3 T2 T2 t4 T2 I2")
def _scan(order, events, w, late, how, t_out, n_felt):
    """(Q2), (Q3), (Q4), (Q5): a thread a neuron of a sample."""
    (t_end, u_init, kick, speed), n_out, one, zero = how, w.shape[1], w.dtype.type(1), w.dtype.type(0)
    for e in range(cuda.grid(1), t_out.size, cuda.gridsize(1)):
        b, j, u, k, t_last, going = e // n_out, e % n_out, u_init, 0, zero, True
        while going:
            t, cosine, sine = events[0, b, k], events[1, b, k], events[2, b, k]
            below = cosine - sine * u                                    # turns negative at the spike, (Q4)
            if below <= zero:
                t_last, going = min(t_last + math.atan2(one, u) / speed, t), False
            else:
                row = late[b, j] if t >= t_end else w[order[b, k], j]
                u, t_last, k = (cosine * u + sine) / below + kick * row, t, k + 1
                if t >= t_end:
                    t_last, going = t_end + math.atan2(one, u) / speed, False
        t_out[b, j], n_felt[b, j] = t_last, k


def backward(dt_out, cache):
    """Pull a gradient back through the forward pass; see `pysnn.reference.theta.backward`."""
    t_in, w, t_out, n_felt, share, late, events, how = cache
    home, (n_batch, n_in) = at_home(dt_out), t_in.shape
    dt_out = send(dt_out, _checks.spike_time_backward(stand_in(dt_out), stand_in(t_out)), "dt_out")
    dt_in, dw, dend = (empty(tuple(x.shape), w.dtype, name) for x, name in ((t_in, "dt_in"), (w, "dw"), (t_out, "dend")))
    felt = empty((2, min(_SAMPLES, n_batch), *w.shape), w.dtype, "voltages")
    for b0 in range(0, n_batch, _SAMPLES):
        some = b0, min(_SAMPLES, n_batch - b0)
        _walk.over(some[1] * w.shape[1], *events, w, late, how, n_felt, dt_out, felt, dend, some)
        _sum_w.over(dw.size, t_in, share, dend, felt, dw, how[0], some)
        _sum_t.over(some[1] * n_in, t_in, share, dend, felt, w, dt_in, (how[0], _rate(how)), some)
    return give(home, dt_in, dw)


@kernel("I2 T3 T2 T2 t4 I2 T2 T4 T2 i2")
def _walk(order, events, w, late, how, n_felt, dt_out, felt, dend, some):
    """(Q6), (Q7): forward once more, then from the spike back through the kicks; felt gets the gradients of their times and weights."""
    (t_end, u_init, kick, speed), (b0, n), (n_in, n_out), one, zero = how, some, w.shape, w.dtype.type(1), w.dtype.type(0)
    for e in range(cuda.grid(1), n * n_out, cuda.gridsize(1)):
        c, j = e // n_out, e % n_out
        b = b0 + c
        u, u_end, h, of_end, most = u_init, zero, dt_out[b, j], zero, n_felt[b, j]
        for k in range(most):
            cosine, sine = events[1, b, k], events[2, b, k]
            u = (cosine * u + sine) / (cosine - sine * u)
            if events[0, b, k] >= t_end:
                u_end = u
            else:
                i = order[b, k]
                felt[0, c, i, j] = u
                u += kick * w[i, j]                                      # (Q3)
        for back in range(n_in + 1):
            k = n_in - back
            i, ends = order[b, min(k, n_in - 1)], events[0, b, k] >= t_end
            if k < most:
                u = u_end if ends else felt[0, c, i, j]
                step = kick * (late[b, j] if ends else w[i, j])
                g = h / (one + (u + step) * (u + step))                  # (Q1): F is root squared times 1 + u u
                h = g * (one + u * u)
                if ends:
                    of_end = -kick / speed * g
                else:
                    felt[0, c, i, j], felt[1, c, i, j] = g * step * (u + (u + step)), -kick / speed * g
            elif not ends:
                felt[0, c, i, j], felt[1, c, i, j] = zero, zero
        dend[b, j] = of_end


@kernel("T2 T2 T2 T4 T2 T i2")
def _sum_w(t_in, share, dend, felt, dw, t_end, some):
    """(Q7), (Q8): a thread a weight, its samples in order."""
    (b0, n), (n_in, n_out) = some, dw.shape
    for k in range(cuda.grid(1), n_in * n_out, cuda.gridsize(1)):
        i, j = k // n_out, k % n_out
        total = dw[i, j] if b0 > 0 else dw.dtype.type(0)
        for c in range(n):
            b = b0 + c
            total += felt[1, c, i, j] if t_in[b, i] < t_end else share[b, i] * dend[b, j]
        dw[i, j] = total


@kernel("T2 T2 T2 T4 T2 T2 t2 i2")
def _sum_t(t_in, share, dend, felt, w, dt_in, how, some):
    """(Q7), (Q8): a thread an input of a sample."""
    (t_end, rate), (b0, n), (n_in, n_out), zero = how, some, w.shape, w.dtype.type(0)
    for k in range(cuda.grid(1), n * n_in, cuda.gridsize(1)):
        c, i, total = k // n_in, k % n_in, zero
        b = b0 + c
        if t_in[b, i] < t_end:
            for j in range(n_out):
                total += felt[0, c, i, j]
        elif share[b, i] > zero:
            for j in range(n_out):
                total -= rate * w[i, j] * dend[b, j]
        dt_in[b, i] = total
