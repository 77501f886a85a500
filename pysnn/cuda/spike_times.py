"""Leaky neurons with exact spike times on a GPU; the same names, arguments and results as reference/spike_times.py.

Forward is the running form (E10) on the inputs in the order of time, as in temporal.py: a block of threads has one sample and a tile of
neurons. What fades in the gap between two inputs is the same for all of them: each thread computes it for one input. The formulas are
those of kernels/spike_times.py, compiled for the GPU; spikes are solved for in float64 whatever comes in. Backward has a thread for each
weight, which goes through the batch, and one for each input of a sample, which goes through the neurons: the same bits each run.
"""

from typing import NamedTuple

import numpy as np

from .. import _checks
from ..kernels import spike_times as formulas
from . import temporal
from ._target import at_home, cuda, empty, give, kernel, on_device, scalar, send, stand_in, tile

_THREADS = tile(128, 64)                     # neurons a block of the scan, as in temporal.py
FORGOTTEN = formulas.FORGOTTEN
fading, near = scalar(formulas.fading), scalar(formulas.near)                                # (E2), (E10)
crossing = scalar(formulas.crossing)                                                         # (E4), (E6), (E7)


class Cache(NamedTuple):
    """What backward needs of forward; opaque, on the device."""

    t_in: object
    w: object
    t_out: object
    t_bound: object
    slope: object
    how: tuple           # tau, and the time constant of the membrane over it


def leaky_equal_forward(t_in, w, threshold=1.0, tau=1.0):
    """Find when each leaky neuron fires, tau_m = tau_s; see `pysnn.reference.spike_times.leaky_equal_forward`."""
    return _forward(t_in, w, threshold, tau, 1)


def leaky_double_forward(t_in, w, threshold=1.0, tau=1.0):
    """Find when each leaky neuron fires, tau_m = 2 tau_s; see `pysnn.reference.spike_times.leaky_double_forward`."""
    return _forward(t_in, w, threshold, tau, 2)


def alpha_forward(t_in, w, threshold=1.0, decay=1.0):
    """Find when each neuron with alpha synapses fires; see `pysnn.reference.spike_times.alpha_forward`."""
    return _forward(t_in, w, *_checks.alpha(threshold, decay), 1)                             # (E9)


def _forward(t_in, w, threshold, tau, ratio):
    home, foreign = at_home(t_in, w), on_device(t_in)
    t, weights, threshold, tau = _checks.spike_time_forward(stand_in(t_in), stand_in(w), threshold, tau)
    t_in, w = send(t_in, t, "t_in"), send(w, weights, "w")
    if foreign:
        temporal.refuse(t_in, -np.inf, lambda found: _checks.spike_time_forward(found, weights, threshold, tau))
    order, t_sorted = temporal.in_order(t_in)
    n_batch, n_out = len(t), weights.shape[1]
    out = [empty((n_batch, n_out), t.dtype, name) for name in ("t_out", "t_bound", "slope")]
    how = tau, t.dtype.type(ratio)
    _scan.run(n_batch * -(-n_out // _THREADS), _THREADS, order, t_sorted, w, (threshold, *how), *out)
    return give(home, out[0]), Cache(t_in, w, *out, how)


@kernel("I2 T2 T2 t3 T2 T2 T2")
def _scan(order, t_sorted, w, how, t_out, t_bound, slope):
    """(E10), (E5) a thread a neuron, all of a block one sample."""
    e = cuda.shared.array(_THREADS, order.dtype)
    now = cuda.shared.array(_THREADS, w.dtype)
    then = cuda.shared.array(_THREADS, w.dtype)
    rise = cuda.shared.array(_THREADS, w.dtype)
    kept = cuda.shared.array(_THREADS, w.dtype)
    held = cuda.shared.array(_THREADS, w.dtype)
    left = cuda.shared.array(_THREADS, w.dtype)
    (threshold, tau, ratio), n_in, n_tiles = how, w.shape[0], (w.shape[1] + _THREADS - 1) // _THREADS
    t, b, zero, inf = cuda.threadIdx.x, cuda.blockIdx.x // n_tiles, w.dtype.type(0), w.dtype.type(np.inf)
    j = cuda.blockIdx.x % n_tiles * _THREADS + t
    a, ahead, time, bound, steep = zero, zero, inf, -inf, w.dtype.type(1)
    done = j >= w.shape[1]
    for k0 in range(0, n_in, _THREADS):
        if k0 + t < n_in:
            e[t], now[t], then[t] = order[b, k0 + t], t_sorted[b, k0 + t], t_sorted[b, k0 + t + 1] if k0 + t + 1 < n_in else inf
            gap = min((then[t] - now[t]) / tau, w.dtype.type(FORGOTTEN))
            kept[t], held[t], left[t] = fading(gap, ratio)
            rise[t] = gap / ratio
        cuda.syncthreads()
        k = 0
        while k < _THREADS and k0 + k < n_in and not done:
            done = now[k] == inf
            if not done:
                p, a = ahead, a + w[e[k], j]
                ahead = p * held[k] + a * left[k]                        # (E3)
                if near(a, p, ahead, threshold, rise[k]):
                    x, s = crossing(a, p, threshold, ratio)
                    if x < inf and (ahead >= threshold or now[k] + tau * x <= then[k]):      # (E5) before the next input
                        time, bound, steep, done = min(now[k] + tau * x, then[k]), then[k], s, True
                a *= kept[k]
            k += 1
        if cuda.syncthreads_and(1 if done else 0):
            break
    if j < w.shape[1]:
        t_out[b, j], t_bound[b, j], slope[b, j] = time, bound, steep


def _backward(dt_out, cache):
    """Pull a gradient back through the forward pass of either neuron; see `pysnn.reference.spike_times`."""
    t_in, w, t_out, t_bound, slope, how = cache
    home = at_home(dt_out)
    dt_out = send(dt_out, _checks.spike_time_backward(stand_in(dt_out), stand_in(t_out)), "dt_out")
    h, t_out = temporal.scaled(dt_out, t_out, slope)
    dt_in, dw = empty(tuple(t_in.shape), w.dtype, "dt_in"), empty(tuple(w.shape), w.dtype, "dw")
    _sum_t.over(dt_in.size, t_in, t_out, t_bound, h, w, how, dt_in)
    _sum_w.over(dw.size, t_in, t_out, t_bound, h, how, dw)
    return give(home, dt_in, dw)


@kernel("T2 T2 T2 T2 t2 T2")
def _sum_w(t_in, t_out, t_bound, h, how, dw):
    """(E8) dw_ij = -tau sum_b h_bj psp(lag_bij) over the causal sets: a thread a weight."""
    (tau, ratio), (n_in, n_out), forgotten = how, dw.shape, dw.dtype.type(FORGOTTEN)
    for k in range(cuda.grid(1), n_in * n_out, cuda.gridsize(1)):
        i, j, total = k // n_out, k % n_out, dw.dtype.type(0)
        for b in range(len(h)):
            if t_in[b, i] < t_bound[b, j]:
                total -= h[b, j] * fading(min((t_out[b, j] - t_in[b, i]) / tau, forgotten), ratio)[2]        # (E2)
        dw[i, j] = tau * total


@kernel("T2 T2 T2 T2 T2 t2 T2")
def _sum_t(t_in, t_out, t_bound, h, w, how, dt_in):
    """(E8) dt_in_bi = sum_j h_bj w_ij psp'(lag_bij) over the neurons whose causal set holds i: a thread an input of a sample."""
    (tau, ratio), (n_batch, n_in), forgotten = how, dt_in.shape, dt_in.dtype.type(FORGOTTEN)
    for k in range(cuda.grid(1), n_batch * n_in, cuda.gridsize(1)):
        b, i, total = k // n_in, k % n_in, dt_in.dtype.type(0)
        for j in range(w.shape[1]):
            if t_in[b, i] < t_bound[b, j]:
                current, _, psp = fading(min((t_out[b, j] - t_in[b, i]) / tau, forgotten), ratio)
                total += h[b, j] * w[i, j] * ((current - psp) / ratio)   # psp', by (E1)
        dt_in[b, i] = total


leaky_equal_backward = leaky_double_backward = alpha_backward = _backward
