"""The integrate-and-fire neuron on a GPU; the same names, arguments and results as reference/integrate_fire.py.

A thread takes a neuron through all steps and keeps its potential in a register. Neighbouring threads have neighbouring neurons, so each
step reads and writes whole lines of memory. No product is involved, so forward cannot differ from the reference in a single bit.
Backward goes by (I9) for both timings: they differ at the first and the last step alone.
"""

import math
from typing import NamedTuple

import numpy as np

from .. import _checks
from ..conventions import RULES, SURROGATES, Rule, Surrogate
from ._target import at_home, cuda, empty, give, kernel, scalar, send, stand_in


class Cache(NamedTuple):
    """What backward needs of forward; opaque, on the device."""

    v_init: object
    u: object
    threshold: float
    rule: Rule


def plan(threshold, rule):
    """Turn a rule into what kernels take: (threshold, lowest potential that fires), (reset to zero, reset in the next step)."""
    hard, later, strict = rule.codes
    with np.errstate(over="ignore", under="ignore"):
        bar = np.nextafter(threshold, threshold.dtype.type(np.inf)) if strict else threshold
    return (threshold, bar), (hard, later)


def forward(current, threshold=1.0, v_init=0.0, rule=Rule()):
    """Run neurons over T time steps; see `pysnn.reference.integrate_fire.forward`."""
    _checks.words(rule, "rule", Rule, RULES)
    home = at_home(current, v_init)
    x, v, threshold = _checks.integrate_fire_forward(stand_in(current), threshold, stand_in(v_init))
    current, v_init = send(current, x, "current"), send(v_init, v, "v_init")
    spikes, u = (empty(x.shape, x.dtype, name) for name in ("spikes", "u"))
    v_final = empty(v.shape, x.dtype, "v_final")
    levels, codes = plan(threshold, rule)
    _run.over(v.size, *(flat(a) for a in (current, v_init, spikes, u, v_final)), levels, (*codes, len(x), v.size))
    return *give(home, spikes, v_final), Cache(v_init, u, threshold, rule)


def step(v, current_t, threshold, rule):
    """Run neurons over one time step; see `pysnn.reference.integrate_fire.step`."""
    _checks.words(rule, "rule", Rule, RULES)
    home = at_home(v, current_t)
    v_old, x, threshold = _checks.integrate_fire_step(stand_in(v), stand_in(current_t), threshold)
    current_t, v_old = send(current_t, x, "current_t"), send(v, v_old, "v")
    spikes, u, v = (empty(x.shape, x.dtype, name) for name in ("spikes", "u", "v"))
    levels, codes = plan(threshold, rule)
    _run.over(x.size, *(flat(a) for a in (current_t, v_old, spikes, u, v)), levels, (*codes, 1, x.size))
    return give(home, spikes, v)


def flat(x):
    """See an array as one row."""
    return x.reshape(math.prod(x.shape))


@scalar
def reset(v, threshold, bar, hard):
    """(I2) the potential after a reset, where the neuron fired."""
    after = threshold - threshold if hard else v - threshold
    return after if v >= bar else v


@kernel("T1 T1 T1 T1 T1 t2 i4")
def _run(current, v_init, spikes, u, v_final, levels, codes):
    """Forward: a thread a neuron."""
    (threshold, bar), (hard, later, n_steps, n) = levels, codes
    zero, one = v_init.dtype.type(0), v_init.dtype.type(1)
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        v = v_init[i]
        for t in range(n_steps):
            if later:
                v = reset(v, threshold, bar, hard)                       # (I3)
            v = v + current[t * n + i]                                   # (I1)
            u[t * n + i] = v
            spikes[t * n + i] = one if v >= bar else zero
            if not later:
                v = reset(v, threshold, bar, hard)
        v_final[i] = v


def backward(dspikes, cache, dv_final=None, surrogate=Surrogate("atan", slope=2.0), detach_reset=True):
    """Pull a gradient back through `forward`; see `pysnn.reference.integrate_fire.backward`."""
    _checks.words(surrogate, "surrogate", Surrogate, SURROGATES)
    k = cache.threshold.dtype.type(_checks.positive(surrogate.slope, "surrogate: slope"))
    home, like = at_home(dspikes, dv_final), stand_in(cache.u)
    ds, dv = _checks.integrate_fire_backward(stand_in(dspikes), stand_in(dv_final), like, detach_reset)
    dspikes, dv_final = send(dspikes, ds, "dspikes"), send(dv_final, dv, "dv_final")
    n_steps, out = len(like), empty((len(like) + 1, *dv.shape), like.dtype, "dcurrent and dv_init")     # one behind the other
    levels, codes = plan(cache.threshold, cache.rule)
    levels = *levels, k, k.dtype.type(np.pi) * (k / k.dtype.type(2))
    codes = *codes, 0 if detach_reset else 1, surrogate.code, n_steps, dv.size
    _pull.over(dv.size, *(flat(a) for a in (dspikes, cache.u, cache.v_init, dv_final, out)), levels, codes)
    return give(home, out[:n_steps], out[n_steps])


@scalar
def surrogate_of(x, kind, k, wide):
    """(I7) what stands for the derivative of a spike."""
    one = k / k
    if kind == 0:
        y = wide * x
        return k / (one + one) / (one + y * y)
    if kind == 1:
        y = k * abs(x) + one
        return one / (y * y)
    if kind == 2:
        e = math.exp(-abs(k * x))
        return k * e / ((one + e) * (one + e))
    return k * max(one - one, one - k * abs(x))


@scalar
def pull_reset(dv, u, d, threshold, bar, hard, attached):
    """(I8) dv back through the reset of u."""
    through = threshold - threshold if hard and u >= bar else dv
    dropped = u if hard else threshold
    return through - d * (dropped * dv) if attached else through


@kernel("T1 T1 T1 T1 T1 t4 i6")
def _pull(dspikes, u, v_init, dv_final, out, levels, codes):
    """Backward: a thread a neuron; what it finds out of v_init stands behind the last step."""
    (threshold, bar, k, wide), (hard, later, attached, kind, n_steps, n) = levels, codes
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        dv = dv_final[i]
        for back in range(n_steps):
            t = n_steps - 1 - back
            now = u[t * n + i]
            d = surrogate_of(now - threshold, kind, k, wide)
            if not later or back > 0:
                dv = pull_reset(dv, now, d, threshold, bar, hard, attached)     # (I9); in (I10) v_final is not reset,
            dv = d * dspikes[t * n + i] + dv                                    # (I6)
            out[t * n + i] = dv
        if later:                                                               # but v_init is
            d = surrogate_of(v_init[i] - threshold, kind, k, wide)
            dv = pull_reset(dv, v_init[i], d, threshold, bar, hard, attached)
        out[n_steps * n + i] = dv
