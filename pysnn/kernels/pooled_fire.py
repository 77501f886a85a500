"""Max pooling inside the neuron, written to be fast (Numba); the same names, arguments and results as reference/pooled_fire.py.

A window's compartments go through all steps together, so their potentials stay in the first-level cache; inner loops run over channels.
No product is involved, so forward cannot differ from the reference in a single bit.
"""

from typing import NamedTuple

import numpy as np

from .. import _checks
from .._jit import copy, njit
from .._threads import cut, spread
from ..conventions import RULES, SURROGATES, Rule, Surrogate
from .integrate_fire import plan_of, surrogate_of


class Cache(NamedTuple):
    """What backward needs of forward; opaque."""

    u: np.ndarray
    size: int
    threshold: float
    rule: Rule


def forward(current, size=2, threshold=1.0, v_init=0.0, rule=Rule()):
    """Run neurons over T time steps; see `pysnn.reference.pooled_fire.forward`."""
    _checks.words(rule, "rule", Rule, RULES)
    current, v_init, threshold, shape = _checks.pooled_fire(current, size, threshold, v_init, rule)
    spikes, u, v = np.empty(shape, current.dtype), np.empty_like(current), v_init.copy()
    plan = plan_of(threshold, rule)
    spread(lambda b0, b1: _run(current, v, u, spikes, (size, plan), b0, b1), cut(current.shape[1], _images(shape)))
    return spikes, v, Cache(u, size, threshold, rule)


def step(v, current_t, size, threshold, rule):
    """Run neurons over one time step; see `pysnn.reference.pooled_fire.step`."""
    _checks.words(rule, "rule", Rule, RULES)
    current, v, threshold, _ = _checks.pooled_fire_step(v, current_t, size, threshold, rule)
    spikes, v, _ = forward(current, size, threshold, v, rule)
    return spikes[0], v


def _images(shape):
    return -(-shape[1] // 16)


@njit(scratch=True)
def _run(current, v, u, spikes, how, b0, b1):
    """(I12), (I13) for images b0:b1; v holds v_init and is left with v_final."""
    size, (threshold, bar, hard, _) = how
    n_h, n_w, n_c = current.shape[2], current.shape[3], current.shape[4]
    zero, one = u.dtype.type(0), u.dtype.type(1)
    top = np.empty(n_c, u.dtype)
    for t in range(current.shape[0]):
        for b in range(b0, b1):
            for h in range(n_h):
                for w in range(n_w):
                    x, now, into = current[t, b, h, w], v[b, h, w], u[t, b, h, w]
                    for c in range(n_c):
                        into[c] = now[c] + x[c]
                        now[c] = into[c]
            for h in range(spikes.shape[2]):
                for w in range(spikes.shape[3]):
                    s = spikes[t, b, h, w]
                    copy(u[t, b, h * size, w * size], top)
                    for k in range(1, size * size):
                        seen = u[t, b, h * size + k // size, w * size + k % size]
                        for c in range(n_c):
                            top[c] = seen[c] if seen[c] > top[c] else top[c]
                    for c in range(n_c):
                        s[c] = one if top[c] >= bar else zero
                    for k in range(size * size):
                        now = v[b, h * size + k // size, w * size + k % size]
                        for c in range(n_c):
                            after = zero if hard else now[c] - threshold
                            now[c] = after if s[c] > zero else now[c]


def backward(dspikes, cache, dv_final=None, surrogate=Surrogate("atan", slope=2.0), detach_reset=True):
    """Pull a gradient back through `forward`; see `pysnn.reference.pooled_fire.backward`."""
    _checks.words(surrogate, "surrogate", Surrogate, SURROGATES)
    u, size, threshold, rule = cache
    dspikes, dv_final = _checks.pooled_fire_backward(dspikes, dv_final, u, size, detach_reset)
    k = threshold.dtype.type(_checks.positive(surrogate.slope, "surrogate: slope"))
    du, dv, how = np.empty_like(u), dv_final.copy(), (size, plan_of(threshold, rule), not detach_reset, surrogate.code, k)
    spread(lambda b0, b1: _pull(dspikes, u, du, dv, how, b0, b1), cut(u.shape[1], _images(dspikes.shape)))
    return du, dv


@njit(scratch=True)
def _pull(dspikes, u, du, dv, how, b0, b1):
    """(I14), (I15) for images b0:b1; dv holds dv_final and is left with dv_init."""
    size, (threshold, bar, hard, _), attached, kind, slope = how
    n_c, zero = u.shape[4], u.dtype.type(0)
    top, who, d, ds = np.empty(n_c, u.dtype), np.empty(n_c, np.int64), np.empty(n_c, u.dtype), np.empty(n_c, u.dtype)
    for t in range(u.shape[0] - 1, -1, -1):
        for b in range(b0, b1):
            for h in range(dspikes.shape[2]):
                for w in range(dspikes.shape[3]):
                    copy(u[t, b, h * size, w * size], top)
                    copy(dspikes[t, b, h, w], ds)
                    who[:] = 0
                    for k in range(1, size * size):
                        seen = u[t, b, h * size + k // size, w * size + k % size]
                        for c in range(n_c):
                            if seen[c] > top[c]:
                                top[c], who[c] = seen[c], k
                    surrogate_of(top, threshold, kind, slope, d)
                    for k in range(size * size):
                        now, seen = dv[b, h * size + k // size, w * size + k % size], u[t, b, h * size + k // size, w * size + k % size]
                        for c in range(n_c):
                            if attached:
                                ds[c] -= now[c] * (seen[c] if hard else threshold)
                            if hard and top[c] >= bar:
                                now[c] = zero
                    for k in range(size * size):
                        now = dv[b, h * size + k // size, w * size + k % size]
                        for c in range(n_c):
                            if who[c] == k:
                                now[c] += d[c] * ds[c]
            for h in range(dv.shape[1]):
                for w in range(dv.shape[2]):
                    copy(dv[b, h, w], du[t, b, h, w])
