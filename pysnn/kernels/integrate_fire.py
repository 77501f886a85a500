"""The integrate-and-fire neuron, written to be fast (Numba); the same names, arguments and results as reference/integrate_fire.py.

Neurons do not meet, so a kernel takes a block of neighbours through all steps: the innermost loop runs over neurons, which lie side by side
in memory and fill vectors, and what a step leaves for the next stays in the cache. Two more things keep the loops free of branches:
V > threshold is V >= the next larger float, and a reset is a choice between two numbers. No product is involved, so forward cannot
differ from the reference in a single bit. Backward goes by (I9) for both timings: they differ at the first and the last step alone.
"""

from typing import NamedTuple

import numpy as np

from .. import _checks
from .._jit import njit
from .._threads import cut, spread
from ..conventions import RULES, SURROGATES, Rule, Surrogate

_BLOCK = 8192        # neurons a block


class Cache(NamedTuple):
    """What backward needs of forward; opaque."""

    v_init: np.ndarray
    u: np.ndarray
    threshold: float
    rule: Rule


def plan_of(threshold, rule):
    """Turn a rule into (threshold, lowest potential that fires, reset to zero, reset in the next step)."""
    hard, later, strict = rule.codes
    with np.errstate(over="ignore", under="ignore"):
        bar = np.nextafter(threshold, threshold.dtype.type(np.inf)) if strict else threshold
    return threshold, bar, bool(hard), bool(later)


def forward(current, threshold=1.0, v_init=0.0, rule=Rule()):
    """Run neurons over T time steps; see `pysnn.reference.integrate_fire.forward`."""
    _checks.words(rule, "rule", Rule, RULES)
    current, v_init, threshold = _checks.integrate_fire_forward(current, threshold, v_init)
    spikes, u, v = np.empty_like(current), np.empty_like(current), v_init.copy()
    rows = [x.reshape(len(x), -1) for x in (current, spikes, u)]
    plan, flat = plan_of(threshold, rule), v.ravel()
    spread(lambda i0, i1: _run(rows[0], rows[1], rows[2], flat, plan, i0, i1), cut(flat.size, _BLOCK))
    return spikes, v, Cache(v_init, u, threshold, rule)


def step(v, current_t, threshold, rule):
    """Run neurons over one time step; see `pysnn.reference.integrate_fire.step`."""
    _checks.words(rule, "rule", Rule, RULES)
    v_old, current_t, threshold = _checks.integrate_fire_step(v, current_t, threshold)
    spikes, v = np.empty_like(current_t), np.empty_like(current_t)
    plan, flat = plan_of(threshold, rule), [x.ravel() for x in (v_old, current_t, spikes, v)]
    spread(lambda i0, i1: _step(flat[0], flat[1], flat[2], flat[3], plan, i0, i1), cut(v.size, 8 * _BLOCK))
    return spikes, v


@njit
def _reset(v, plan):
    """(I2) the potential after a reset, where the neuron fired."""
    threshold, bar, hard, _ = plan
    after = threshold - threshold if hard else v - threshold
    return after if v >= bar else v


@njit
def _run(current, spikes, u, v, plan, i0, i1):
    """Forward for neurons i0:i1; v holds v_init and is left with v_final."""
    zero, one = u.dtype.type(0), u.dtype.type(1)
    state = v[i0:i1]
    for t in range(current.shape[0]):
        x, s, u_t = current[t, i0:i1], spikes[t, i0:i1], u[t, i0:i1]
        if plan[3]:
            for i in range(i1 - i0):
                now = _reset(state[i], plan) + x[i]         # (I3)
                u_t[i], s[i], state[i] = now, one if now >= plan[1] else zero, now
        else:
            for i in range(i1 - i0):
                now = state[i] + x[i]                       # (I1)
                u_t[i], s[i], state[i] = now, one if now >= plan[1] else zero, _reset(now, plan)


@njit
def _step(v_old, x, spikes, v, plan, i0, i1):
    """One step for neurons i0:i1."""
    zero, one = v.dtype.type(0), v.dtype.type(1)
    v_old, x, s, v = v_old[i0:i1], x[i0:i1], spikes[i0:i1], v[i0:i1]
    if plan[3]:
        for i in range(i1 - i0):
            now = _reset(v_old[i], plan) + x[i]             # (I3)
            s[i], v[i] = one if now >= plan[1] else zero, now
    else:
        for i in range(i1 - i0):
            now = v_old[i] + x[i]                           # (I1)
            s[i], v[i] = one if now >= plan[1] else zero, _reset(now, plan)


def backward(dspikes, cache, dv_final=None, surrogate=Surrogate("atan", slope=2.0), detach_reset=True):
    """Pull a gradient back through `forward`; see `pysnn.reference.integrate_fire.backward`."""
    _checks.words(surrogate, "surrogate", Surrogate, SURROGATES)
    dspikes, dv_final = _checks.integrate_fire_backward(dspikes, dv_final, cache.u, detach_reset)
    k = cache.threshold.dtype.type(_checks.positive(surrogate.slope, "surrogate: slope"))
    du, dv = np.empty_like(cache.u), dv_final.copy()
    rows = [x.reshape(len(x), -1) for x in (dspikes, cache.u, du)]
    ends = cache.v_init.ravel(), dv.ravel()
    how = (*plan_of(cache.threshold, cache.rule), not detach_reset, surrogate.code, k)
    spread(lambda i0, i1: _pull(rows[0], rows[1], rows[2], ends, how, i0, i1), cut(dv.size, _BLOCK))
    return du, dv


@njit(scratch=True)
def _pull(dspikes, u, du, ends, how, i0, i1):
    """Backward for neurons i0:i1; ends is v_init and dv_final, which is left with dv_init."""
    threshold, _, _, later, _, kind, k = how
    v_init, dv = ends[0][i0:i1], ends[1][i0:i1]
    d = np.empty(i1 - i0, u.dtype)
    last = u.shape[0] - 1
    for t in range(last, -1, -1):
        u_t, ds, du_t = u[t, i0:i1], dspikes[t, i0:i1], du[t, i0:i1]
        surrogate_of(u_t, threshold, kind, k, d)
        if not later or t < last:
            _pull_reset(u_t, d, dv, how)                    # (I9); in (I10) v_final is not reset,
        for i in range(i1 - i0):
            dv[i] = d[i] * ds[i] + dv[i]                    # (I6)
            du_t[i] = dv[i]
    if later:
        surrogate_of(v_init, threshold, kind, k, d)         # but v_init is
        _pull_reset(v_init, d, dv, how)


@njit
def _pull_reset(u, d, dv, how):
    """(I8) dv back through the reset of u, in place."""
    threshold, bar, hard, _, attached, _, _ = how
    zero = dv.dtype.type(0)
    if attached:
        for i in range(len(dv)):
            through = zero if hard and u[i] >= bar else dv[i]
            dropped = u[i] if hard else threshold
            dv[i] = through - d[i] * (dropped * dv[i])
    elif hard:
        for i in range(len(dv)):
            dv[i] = zero if u[i] >= bar else dv[i]


@njit
def surrogate_of(u, threshold, kind, k, d):
    """(I7) what stands for the derivative of a spike, for a row of neurons."""
    zero, one = d.dtype.type(0), d.dtype.type(1)
    if kind == 0:
        half = k / d.dtype.type(2)
        wide = d.dtype.type(np.pi) * half
        for i in range(len(d)):
            y = wide * (u[i] - threshold)
            d[i] = half / (one + y * y)
    elif kind == 1:
        for i in range(len(d)):
            y = k * abs(u[i] - threshold) + one
            d[i] = one / (y * y)
    elif kind == 2:
        for i in range(len(d)):
            e = np.exp(-abs(k * (u[i] - threshold)))
            d[i] = k * e / ((one + e) * (one + e))
    else:
        for i in range(len(d)):
            d[i] = k * max(zero, one - k * abs(u[i] - threshold))
