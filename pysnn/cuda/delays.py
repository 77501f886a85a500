"""The temporal neuron with delays on a GPU; the same names, arguments and results as reference/delays.py.

Delays of axons come before the layer and delays of dendrites after it, (T12), so the kernels of temporal.py do the rest. With delays of
synapses each neuron hears its inputs in an order of its own. A thread has one neuron of one sample and sorts nothing: it looks through all
inputs for those that arrive next, once for each time of arrival until the neuron fires, by the running form (T9). That takes N_in looks at
N_in inputs where they all arrive before the spike, and no memory. Delays are checked on the host.
"""

from typing import NamedTuple

import numpy as np

from .. import _checks
from . import temporal
from ._target import at_home, cuda, empty, give, kernel, on_device, send, stand_in
from .integrate_fire import flat


class Cache(NamedTuple):
    """What backward needs of forward; opaque, on the device."""

    z_in: object
    w: object
    factor: object       # exp(delay)
    z_out: object
    margin: object       # of delays of synapses
    z_bound: object
    layer: object        # the cache of the layer without delays; None where neurons have orders of their own


def forward(z_in, w, delay, threshold=1.0):
    """Find when each neuron fires; see `pysnn.reference.delays.forward`."""
    home, foreign = at_home(z_in, w, delay), on_device(z_in)
    delay = send(delay, delay, "delay").copy_to_host() if on_device(delay) else delay
    z, weights, delay, threshold = _checks.delays_forward(stand_in(z_in, 1), stand_in(w), delay, threshold)
    z_in, w, factor = send(z_in, z, "z_in"), send(w, weights, "w"), send(None, np.exp(delay), "factor")
    if foreign:
        temporal.refuse(z_in)
    if 1 in delay.shape:                                                 # (T12) before or after the layer
        axons = _of_axons(w, factor)
        z_out, layer = temporal.forward(_delayed(z_in, factor) if axons else z_in, w, threshold)
        z_out = z_out if axons else _delayed(z_out, factor)
        return give(home, z_out), Cache(z_in, w, factor, z_out, None, None, layer)
    z_out, margin, z_bound = (empty((len(z), weights.shape[1]), z.dtype, name) for name in ("z_out", "margin", "z_bound"))
    _scan.over(z_out.size, z_in, factor, w, threshold, z_out, margin, z_bound)
    return give(home, z_out), Cache(z_in, w, factor, z_out, margin, z_bound, None)


def _of_axons(w, factor):
    """Tell delays of axons from delays of dendrites."""
    return factor.shape[0] == w.shape[0] and factor.shape[1] == 1


def _delayed(z, factor):
    """Return arrivals (T10) at delays that all samples share."""
    out = empty(tuple(z.shape), z.dtype, "arrivals")
    _delay.over(out.size, flat(z), flat(factor), flat(out), z.shape[1], out.size)
    return out


@kernel("T1 T1 T1 i i")
def _delay(z, factor, out, n_row, n):
    """(T10) a thread a number; what arrives after all numbers never comes."""
    for k in range(cuda.grid(1), n, cuda.gridsize(1)):
        out[k] = z[k] * factor[k % n_row]


@kernel("T2 T2 T2 T T2 T2 T2")
def _scan(z_in, factor, w, threshold, z_out, margin, z_bound):
    """(T9) with a = sum w - threshold and r = z (V - threshold), the arrivals (T10) one after the other: a thread a neuron of a sample."""
    zero, one, eight, inf = w.dtype.type(0), w.dtype.type(1), w.dtype.type(8), w.dtype.type(np.inf)
    n_in, n_out = w.shape
    for e in range(cuda.grid(1), z_out.size, cuda.gridsize(1)):
        b, j = e // n_out, e % n_out
        a, r, moment, bound, last, now = -threshold, zero, zero, zero, zero, zero
        while now < inf and not bound > zero:
            last, then = now, inf
            for i in range(n_in):
                z = z_in[b, i] * factor[i, j]
                if z == now:                                             # (T6) together
                    a += w[i, j]
                    moment += w[i, j] * z
                elif z > now and z < then:
                    then = z
            if then < inf:
                r += (then - now) * a
                if a > zero and r >= zero:                               # (T5) it fires before the next arrival,
                    bound = then
            elif a > zero:                                               # (T4) or after the last, where a > 0
                bound = inf
            now = then
        z_out[b, j], margin[b, j] = temporal.fired((a, r, moment), last, bound, (one, inf, eight))
        z_bound[b, j] = bound


def backward(dz_out, cache):
    """Pull a gradient back through `forward`; see `pysnn.reference.delays.backward`."""
    z_in, w, factor, z_out, margin, z_bound, layer = cache
    home = at_home(dz_out)
    dz_out = send(dz_out, _checks.temporal_backward(stand_in(dz_out), stand_in(z_out)), "dz_out")
    if layer is None:
        h, z_out = temporal.scaled(dz_out, z_out, margin)
        dz_in, dw, ddelay = (empty(tuple(x.shape), w.dtype, name) for x, name in ((z_in, "dz_in"), (w, "dw"), (w, "ddelay")))
        _sum_w.over(dw.size, z_in, factor, z_out, z_bound, h, w, dw, ddelay)
        _sum_z.over(dz_in.size, z_in, factor, z_bound, h, w, dz_in)
    elif _of_axons(w, factor):
        dz_in, dw = temporal.backward(dz_out, layer)
        dz_in, ddelay = _pull_delayed(dz_in, layer.z_in, factor)
    else:
        dz_out, ddelay = _pull_delayed(dz_out, z_out, factor)
        dz_in, dw = temporal.backward(dz_out, layer)
    return give(home, dz_in, dw, ddelay)


def _pull_delayed(dz, z, factor):
    """Return gradients by the times before `_delayed` and by the delays, from those by the arrivals z."""
    out, ddelay = empty(tuple(z.shape), z.dtype, "dz"), empty(tuple(factor.shape), z.dtype, "ddelay")
    _pull.over(ddelay.size, dz, z, flat(factor), out, flat(ddelay))
    return out, ddelay


@kernel("T2 T2 T1 T2 T1")
def _pull(dz, z, factor, out, ddelay):
    """(T11), (T12): a thread a delay, its samples in order."""
    zero, inf = z.dtype.type(0), z.dtype.type(np.inf)
    for k in range(cuda.grid(1), len(ddelay), cuda.gridsize(1)):
        total = zero
        for b in range(len(z)):
            comes = z[b, k] < inf
            out[b, k] = dz[b, k] * factor[k] if comes else zero
            total += dz[b, k] * z[b, k] if comes else zero
        ddelay[k] = total


@kernel("T2 T2 T2 T2 T2 T2 T2 T2")
def _sum_w(z_in, factor, z_out, z_bound, h, w, dw, ddelay):
    """(T7) dw_ij = sum_b h_bj (z_bij - z_bj) and (T11) dd_ij = sum_b h_bj w_ij z_bij, over the causal sets: a thread a synapse."""
    n_in, n_out = w.shape
    for k in range(cuda.grid(1), n_in * n_out, cuda.gridsize(1)):
        i, j, of_w, of_delay = k // n_out, k % n_out, w.dtype.type(0), w.dtype.type(0)
        for b in range(len(h)):
            arrival = z_in[b, i] * factor[i, j]
            if arrival < z_bound[b, j]:
                of_w += h[b, j] * (arrival - z_out[b, j])
                of_delay += h[b, j] * w[i, j] * arrival
        dw[i, j], ddelay[i, j] = of_w, of_delay


@kernel("T2 T2 T2 T2 T2 T2")
def _sum_z(z_in, factor, z_bound, h, w, dz_in):
    """(T8), (T11) dz_bi = sum_j h_bj w_ij exp(d_ij) over the neurons whose causal set holds i: a thread an input of a sample."""
    n_batch, n_in = z_in.shape
    for k in range(cuda.grid(1), n_batch * n_in, cuda.gridsize(1)):
        b, i, total = k // n_in, k % n_in, w.dtype.type(0)
        for j in range(w.shape[1]):
            if z_in[b, i] * factor[i, j] < z_bound[b, j]:
                total += h[b, j] * w[i, j] * factor[i, j]
        dz_in[b, i] = total
