"""Max pooling inside the neuron on a GPU; the same names, arguments and results as reference/pooled_fire.py.

A thread takes a neuron, with all compartments of its window, through all steps; channels lie side by side, and so do the threads. Rows and
columns that fill no window belong to threads without a neuron, which only add up. No product is involved, so forward cannot differ from
the reference in a single bit.
"""

import math
from typing import NamedTuple

import numpy as np

from .. import _checks
from ..conventions import RULES, SURROGATES, Rule, Surrogate
from ._target import at_home, cuda, empty, give, kernel, send, stand_in
from .integrate_fire import flat, plan, surrogate_of


class Cache(NamedTuple):
    """What backward needs of forward; opaque, on the device."""

    u: object
    size: int
    threshold: float
    rule: Rule


def forward(current, size=2, threshold=1.0, v_init=0.0, rule=Rule()):
    """Run neurons over T time steps; see `pysnn.reference.pooled_fire.forward`."""
    _checks.words(rule, "rule", Rule, RULES)
    home = at_home(current, v_init)
    x, v, threshold, shape = _checks.pooled_fire(stand_in(current), size, threshold, stand_in(v_init), rule)
    current, v_init = send(current, x, "current"), send(v_init, v, "v_init")
    spikes, u, v = empty(shape, x.dtype, "spikes"), empty(x.shape, x.dtype, "u"), empty(v.shape, x.dtype, "v_final")
    levels, (hard, _) = plan(threshold, rule)
    sizes = windows(x.shape, size)
    _run.over(sizes[-1], *(flat(a) for a in (current, v_init, spikes, u, v)), levels, (hard, *sizes))
    return *give(home, spikes, v), Cache(u, size, threshold, rule)


def step(v, current_t, size, threshold, rule):
    """Run neurons over one time step; see `pysnn.reference.pooled_fire.step`."""
    _checks.words(rule, "rule", Rule, RULES)
    home, seen = at_home(v, current_t), stand_in(current_t)
    _checks.pooled_fire_step(stand_in(v), seen, size, threshold, rule)
    spikes, v, _ = forward(send(current_t, seen, "current_t").reshape(1, *seen.shape), size, threshold, v, rule)
    return give(home, spikes.reshape(*spikes.shape[1:]), v)


def windows(shape, size):
    """Return what kernels need to find their windows: sizes of current, side and numbers of windows, also of cut ones, and all of these."""
    n_t, n_b, height, width, n_c = (int(n) for n in shape)
    rows, cols = -(-height // size), -(-width // size)
    return n_t, height, width, n_c, int(size), rows, cols, n_b * rows * cols * n_c


def backward(dspikes, cache, dv_final=None, surrogate=Surrogate("atan", slope=2.0), detach_reset=True):
    """Pull a gradient back through `forward`; see `pysnn.reference.pooled_fire.backward`."""
    _checks.words(surrogate, "surrogate", Surrogate, SURROGATES)
    k = cache.threshold.dtype.type(_checks.positive(surrogate.slope, "surrogate: slope"))
    home, like = at_home(dspikes, dv_final), stand_in(cache.u)
    ds, dv = _checks.pooled_fire_backward(stand_in(dspikes), stand_in(dv_final), like, cache.size, detach_reset)
    dspikes, dv_final = send(dspikes, ds, "dspikes"), send(dv_final, dv, "dv_final")
    n_steps, out = len(like), empty((len(like) + 1, *dv.shape), like.dtype, "dcurrent and dv_init")     # one behind the other
    levels, (hard, _) = plan(cache.threshold, cache.rule)
    levels = *levels, k, k.dtype.type(np.pi) * (k / k.dtype.type(2))
    sizes = windows(like.shape, cache.size)
    codes = hard, 0 if detach_reset else 1, surrogate.code, math.prod(dv.shape), *sizes
    _pull.over(sizes[-1], *(flat(a) for a in (dspikes, cache.u, dv_final, out)), levels, codes)
    return give(home, out[:n_steps], out[n_steps])


@kernel("T1 T1 T1 T1 T1 t2 i9")
def _run(current, v_init, spikes, u, v, levels, codes):
    """(I12), (I13): a thread a window; one that is cut has no neuron."""
    (threshold, bar), (hard, n_steps, n_h, n_w, n_c, size, rows, cols, n) = levels, codes
    zero, one, n_pixels, n_neurons = v.dtype.type(0), v.dtype.type(1), len(v), len(spikes) // n_steps
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        c, row, col, b = i % n_c, i // n_c // cols % rows, i // n_c % cols, i // n_c // cols // rows
        whole = (row + 1) * size <= n_h and (col + 1) * size <= n_w
        s = ((b * (n_h // size) + row) * (n_w // size) + col) * n_c + c
        for t in range(n_steps):
            top = zero
            for k in range(size * size):
                y, x = row * size + k // size, col * size + k % size
                if y < n_h and x < n_w:
                    at = ((b * n_h + y) * n_w + x) * n_c + c
                    now = (v_init[at] if t == 0 else v[at]) + current[t * n_pixels + at]
                    u[t * n_pixels + at], v[at] = now, now
                    top = now if k == 0 or now > top else top
            if whole:
                fires = top >= bar
                spikes[t * n_neurons + s] = one if fires else zero
                for k in range(size * size if fires else 0):
                    at = ((b * n_h + row * size + k // size) * n_w + col * size + k % size) * n_c + c
                    v[at] = zero if hard else v[at] - threshold


@kernel("T1 T1 T1 T1 t4 i12")
def _pull(dspikes, u, dv_final, out, levels, codes):
    """(I14), (I15): a thread a window; behind the last step of `out` stands the gradient of the potentials, at the end dv_init."""
    (threshold, bar, slope, wide), (hard, attached, kind, n_pixels, n_steps, n_h, n_w, n_c, size, rows, cols, n) = levels, codes
    zero, n_neurons, behind = dv_final.dtype.type(0), len(dspikes) // n_steps, n_steps * n_pixels
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        c, row, col, b = i % n_c, i // n_c // cols % rows, i // n_c % cols, i // n_c // cols // rows
        whole = (row + 1) * size <= n_h and (col + 1) * size <= n_w
        s = ((b * (n_h // size) + row) * (n_w // size) + col) * n_c + c
        for t in range(n_steps - 1, -1, -1):
            top, who, grad = zero, 0, dspikes[t * n_neurons + s] if whole else zero
            for k in range(size * size):
                y, x = row * size + k // size, col * size + k % size
                if y < n_h and x < n_w:
                    at = ((b * n_h + y) * n_w + x) * n_c + c
                    if t == n_steps - 1:
                        out[behind + at] = dv_final[at]
                    now = u[t * n_pixels + at]
                    if k == 0 or now > top:
                        top, who = now, k
                    if attached and whole:
                        grad -= out[behind + at] * (now if hard else threshold)
            grad *= surrogate_of(top - threshold, kind, slope, wide)
            for k in range(size * size):
                y, x = row * size + k // size, col * size + k % size
                if y < n_h and x < n_w:
                    at = ((b * n_h + y) * n_w + x) * n_c + c
                    kept = zero if whole and hard and top >= bar else out[behind + at]
                    kept = kept + grad if whole and k == who else kept
                    out[behind + at], out[t * n_pixels + at] = kept, kept
