"""The leaky integrate-and-fire neuron on a GPU; the same names, arguments and results as reference/leaky.py.

A thread takes a neuron through all steps; with w_rec through one step, and between two steps stands one product of matrices, that of
dense.py. Parameters are laid out in one array, neuron after neuron. What a step sends back is kept in one array, too, with the sums for
the parameters; what neurons share is added up at the end, sample after sample. A GPU fuses beta v + i into one rounding where the
reference rounds twice: a neuron within rounding of its threshold may decide otherwise.
"""

from typing import NamedTuple

import numpy as np

from .. import _checks
from ..conventions import LEAKY_RULES, SURROGATES, LeakyGradients, LeakyState, Rule, Surrogate
from . import dense
from ._target import at_home, cuda, empty, give, kernel, on_device, scalar, send, stand_in
from .integrate_fire import flat, surrogate_of


class Cache(NamedTuple):
    """What backward needs of forward; opaque, on the device."""

    v_init: object
    u: object
    i: object
    spikes: object
    s: object            # the spikes before the first step
    how: tuple           # beta, threshold, rule, alpha, w_rec


def _host(x):
    """Bring a parameter to this machine; a number stays as it is."""
    return send(x, x, "parameter").copy_to_host() if on_device(x) else x


def _plan(how, like, first, last):
    """Turn parameters into what kernels take: one array of five rows, and codes."""
    beta, threshold, rule, alpha, _ = how
    gain, (_, *shape), kind = 1 - beta if rule.gain == "1 - beta" else np.ones_like(beta), like.shape, like.dtype
    with np.errstate(over="ignore", under="ignore"):
        bar = np.nextafter(threshold, np.asarray(np.inf, kind)) if rule.fire == ">" else threshold
    each = beta, gain, threshold, bar, beta if alpha is None else alpha
    parts = np.concatenate([np.broadcast_to(x, shape[-1:]) for x in each]).astype(kind)
    reset, later, _ = rule.codes
    codes = reset, later, rule.order == "leak first", alpha is not None, rule.gain != "1", shape[-1], first, last, np.prod(shape)
    return send(parts, parts, "parameters"), tuple(int(code) for code in codes)


def forward(current, beta, threshold=1.0, v_init=0.0, rule=Rule(), alpha=None, w_rec=None):
    """Run neurons over T time steps; see `pysnn.reference.leaky.forward`."""
    _checks.words(rule, "rule", Rule, LEAKY_RULES)
    home = at_home(current, v_init)
    x, how, v = _checks.leaky_forward(stand_in(current), _host(beta), _host(threshold), stand_in(v_init),
                                      (rule, None if alpha is None else _host(alpha), stand_in(w_rec)))
    current, v_init, how = send(current, x, "current"), send(v_init, v, "v_init"), _with_weights(how, w_rec)
    spikes, u = (empty(x.shape, x.dtype, name) for name in ("spikes", "u"))
    i = current if how[3] is None and w_rec is None else empty(x.shape, x.dtype, "i")
    s, v_final = _zeros(v), empty(v.shape, x.dtype, "v_final")
    v_final[:] = v_init
    _all_steps((current, i, spikes, u), v_final, how, s)
    return *give(home, spikes, v_final), Cache(v_init, u, i, spikes, s, how)


def _zeros(like):
    """Return zeros on the device."""
    zeros = np.zeros(like.shape, like.dtype)
    return send(zeros, zeros, "zeros")


def _with_weights(how, w_rec):
    """Put w_rec on the device; `how` holds what the checks let through."""
    return *how[:4], None if w_rec is None else send(w_rec, how[4], "w_rec")


def _all_steps(arrays, v, how, s, first=0):
    """Fill i, spikes and u of (current, i, spikes, u) from a step on; v holds the potential before it and is left with the last."""
    current, i, spikes, u = arrays
    w_rec, size = how[-1], int(np.prod(v.shape))
    if w_rec is None:
        _run.over(size, *(flat(a) for a in arrays), flat(v), *_plan(how, current, first, len(current)))
        return
    n = w_rec.shape[0]
    for t in range(first, len(current)):
        into, _ = dense.dense_forward(s.reshape(size // n, n), w_rec)
        _add.over(size, flat(current[t]), flat(into), flat(i[t]), size)                      # (D1)
        _run.over(size, flat(i), flat(i), flat(spikes), flat(u), flat(v), *_plan(how, current, t, t + 1))
        s = spikes[t]


def step(state, current_t, beta, threshold=1.0, rule=Rule(), alpha=None, w_rec=None):
    """Run neurons over one time step; see `pysnn.reference.leaky.step`."""
    _checks.words(rule, "rule", Rule, LEAKY_RULES)
    given = state if isinstance(state, tuple) else (state,)
    home = at_home(current_t, *given)
    seen, x = _checks.leaky_step(tuple(stand_in(a) for a in given) if len(given) > 1 else stand_in(given[0]), stand_in(current_t))
    how = _checks.leaky_parameters(x, _host(beta), _host(threshold), rule, None if alpha is None else _host(alpha), stand_in(w_rec))
    how, like = _with_weights(how, w_rec), np.broadcast_to(x, (2, *x.shape))         # the first of the two steps is the one before
    arrays = [empty(like.shape, x.dtype, name) for name in ("current", "i", "spikes", "u")]
    before = [send(a, b, "state") for a, b in zip(given, seen, strict=True)]
    before, v = before if len(before) > 1 else (*before, _zeros(x), _zeros(x)), empty(x.shape, x.dtype, "v")
    v[:], arrays[0][1], arrays[1][0] = before[0], send(current_t, x, "current_t"), before[1]
    _all_steps(arrays, v, how, before[2], first=1)
    i = arrays[1] if how[3] is not None or w_rec is not None else arrays[0]
    spikes, v, i = give(home, arrays[2][1], v, i[1])
    return spikes, LeakyState(v, i, spikes)


@scalar
def after(v, threshold, kind):
    """(D3) the potential after a reset."""
    if kind == 0:
        return v - threshold
    return threshold - threshold if kind == 1 else v


@kernel("T1 T1 T1 i")
def _add(a, b, out, n):
    """(D1) a + b: a thread a number."""
    for k in range(cuda.grid(1), n, cuda.gridsize(1)):
        out[k] = a[k] + b[k]


@kernel("T1 T1 T1 T1 T1 T1 i9")
def _run(drive, i, spikes, u, v, parts, codes):
    """Forward: a thread a neuron."""
    (kind, later, last, decays, _, n, t0, t1, size), zero = codes, v.dtype.type(0)
    one = v.dtype.type(1)
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        j, state = k % n, v[k]
        threshold, bar = parts[2 * n + j], parts[3 * n + j]
        for t in range(t0, t1):
            at = t * size + k
            x = drive[at]
            if decays:
                x = parts[4 * n + j] * i[at - size] + x if t > 0 else x                      # (D1)
                i[at] = x
            on = state >= bar
            if later and not last and on:
                state = after(state, threshold, kind)                                        # (D3)
            now = parts[j] * state + parts[n + j] * x                                        # (D2)
            if last and on:
                now = after(now, threshold, kind)                                            # (D4)
            u[at] = now
            spikes[at] = one if now >= bar else zero
            state = after(now, threshold, kind) if not later and now >= bar else now         # (D3)
        v[k] = state


def potentials(cache):
    """Return the potentials of all steps, on the device; see `pysnn.reference.leaky.potentials`."""
    return cache.u


def backward(dspikes, cache, dv_final=None, dv=None, surrogate=Surrogate("atan", slope=2.0), detach_reset=True):
    """Pull a gradient back through `forward`; see `pysnn.reference.leaky.backward`."""
    _checks.words(surrogate, "surrogate", Surrogate, SURROGATES)
    slope = cache.u.dtype.type(_checks.positive(surrogate.slope, "surrogate: slope"))
    home, like = at_home(dspikes, dv_final, dv), stand_in(cache.u)
    seen = _checks.leaky_backward(stand_in(dspikes), stand_in(dv_final), stand_in(dv), like, detach_reset)
    dspikes, dv_final = send(dspikes, seen[0], "dspikes"), send(dv_final, seen[1], "dv_final")
    dv = None if dv is None else send(dv, seen[2], "dv")
    out, carry, dw_rec = _all_back((dspikes, dv_final, dv), cache, (slope, int(not detach_reset), surrogate.code))
    return _gradients(home, cache, (out, carry, dw_rec), True)


def _all_back(upstream, cache, how):
    """Go back through all steps; return dcurrent, what is carried (dv, ds of later steps, di, sums for three parameters), and dw_rec."""
    v_init, u, i, spikes, s, parameters = cache
    (dspikes, dv_final, dv), (slope, attached, kind), w_rec = upstream, how, parameters[-1]
    n_t, size = len(u), int(np.prod(v_init.shape))
    levels = slope, slope.dtype.type(np.pi) * (slope / slope.dtype.type(2))
    out, dw_rec = empty(u.shape, u.dtype, "dcurrent"), None
    carry = _zeros(np.broadcast_to(stand_in(v_init), (6, *v_init.shape)))
    carry[0] = dv_final
    rows = [flat(a) for a in (dspikes, u, i, out, dspikes if dv is None else dv, v_init)]
    more = attached, kind, int(dv is not None), n_t
    for t1 in range(n_t, 0, -1) if w_rec is not None else (n_t,):
        t0 = t1 - 1 if w_rec is not None else 0
        parts, codes = _plan(parameters, u, t0, t1)
        _pull.over(size, *rows, flat(carry), parts, levels, (*codes, *more))
        if w_rec is not None:
            n = w_rec.shape[0]
            before = (spikes[t0 - 1] if t0 > 0 else s).reshape(size // n, n)
            later, dw, _ = dense.dense_backward(out[t0].reshape(size // n, n), dense.Cache(before, w_rec, False))      # (D10)
            if t0 > 0:                                                   # before the first step nothing comes back
                _add.over(size, flat(carry[1]), flat(later), flat(carry[1]), size)
            if dw_rec is not None:
                _add.over(n * n, flat(dw_rec), flat(dw), flat(dw), n * n)
            dw_rec = dw
    parts, codes = _plan(parameters, u, 0, n_t)
    if codes[1]:
        _pull_start.over(size, flat(v_init), flat(carry), parts, levels, (*codes, *more))
    return out, carry, dw_rec


def _gradients(home, cache, found, fires):
    """Sum what neurons say about parameters, and give all back."""
    (out, carry, dw_rec), (beta, threshold, _, alpha, _) = found, cache.how
    *_, n = _, *shape = out.shape
    size = int(np.prod(shape))
    dbeta, dthreshold, dalpha = (empty((n,), out.dtype, "gradient of a parameter") for _ in range(3))
    for k, total in enumerate((dbeta, dthreshold, dalpha), 3):
        _sum.over(n, flat(carry[k]), total, size, n)

    def like(parameter, total):
        return give(home, total) if np.ndim(parameter) else total.copy_to_host().sum()
    dcurrent, dv_init = give(home, out, carry[0])
    return LeakyGradients(dcurrent, like(beta, dbeta), like(threshold, dthreshold) if fires else None, dv_init,
                          None if alpha is None else like(alpha, dalpha), None if dw_rec is None else give(home, dw_rec))


@scalar
def pull_reset(dv, u, d, levels, codes):
    """(D8) dv back through the reset of u."""
    (threshold, bar), (kind, attached) = levels, codes
    through = threshold - threshold if kind == 1 and u >= bar else dv
    dropped = threshold if kind == 0 else u if kind == 1 else threshold - threshold
    return through - d * (dropped * dv) if attached else through


@scalar
def to_threshold(dv, u, d, levels, codes):
    """(D8) what of dv goes to the threshold of the reset of u."""
    (threshold, bar), (kind, attached) = levels, codes
    dropped = threshold if kind == 0 else u if kind == 1 else threshold - threshold
    more = d * (dropped * dv) if attached else threshold - threshold
    return more - dv if kind == 0 and u >= bar else more


@kernel("T1 T1 T1 T1 T1 T1 T1 T1 t2 i13")
def _pull(dspikes, u, i, out, given, v_init, carry, parts, levels, codes):
    """Backward for some steps: a thread a neuron."""
    (slope, wide), (kind, later, last, decays, leaks, n, t0, t1, size, attached, surrogate, with_dv, n_t) = levels, codes
    zero = v_init.dtype.type(0)
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        j, dv, back, di = k % n, carry[k], carry[size + k], carry[2 * size + k]
        dbeta, dtheta, dalpha = carry[3 * size + k], carry[4 * size + k], carry[5 * size + k]
        beta, gain, alpha = parts[j], parts[n + j], parts[4 * n + j]
        bounds, how = (parts[2 * n + j], parts[3 * n + j]), (kind, attached)
        for step_back in range(t1 - t0):
            t = t1 - 1 - step_back
            at = t * size + k
            now, before = u[at], u[at - size] if t > 0 else v_init[k]
            d = surrogate_of(now - bounds[0], surrogate, slope, wide)
            if not last and (not later or t < n_t - 1):
                dtheta += to_threshold(dv, now, d, bounds, how)                              # (D8)
                dv = pull_reset(dv, now, d, bounds, how)
            ds = dspikes[at] + back                                                          # (D7)
            dtheta -= d * ds                                                                 # (D11)
            dv = d * ds + dv                                                                 # (D9)
            dv = dv + given[at] if with_dv else dv
            back, on = zero, before >= bounds[1]
            if last:
                p = beta * before + gain * i[at]
                dropped = bounds[0] if kind == 0 else p if kind == 1 else zero
                back = -dropped * dv if attached else zero
                dtheta -= dv if kind == 0 and on else zero
                dv = zero if kind == 1 and on else dv
            kept = after(before, bounds[0], kind) if on and not last and (t > 0 or later) else before
            dbeta += dv * (kept - i[at] if leaks else kept)
            di = gain * dv + (alpha * di if decays else zero)                                # (D10)
            out[at] = di
            if decays and t > 0:
                dalpha += di * i[at - size]
            dv = beta * dv
        carry[k], carry[size + k], carry[2 * size + k] = dv, back, di
        carry[3 * size + k], carry[4 * size + k], carry[5 * size + k] = dbeta, dtheta, dalpha


@kernel("T1 T1 T1 t2 i13")
def _pull_start(v_init, carry, parts, levels, codes):
    """(D8) to the first potential, which with timing "next" is reset where it reaches the threshold: a thread a neuron."""
    (slope, wide), (kind, _, last, _, _, n, _, _, size, attached, surrogate, _, _) = levels, codes
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        j, v, dv, back = k % n, v_init[k], carry[k], carry[size + k]
        bounds, how = (parts[2 * n + j], parts[3 * n + j]), (kind, attached)
        d = surrogate_of(v - bounds[0], surrogate, slope, wide)
        if not last:
            carry[4 * size + k] += to_threshold(dv, v, d, bounds, how)
            dv = pull_reset(dv, v, d, bounds, how)
        carry[k] = dv + d * back
        carry[4 * size + k] -= d * back


@kernel("T1 T1 i i")
def _sum(terms, total, size, n):
    """(D11) a thread a neuron, its samples in order."""
    for j in range(cuda.grid(1), n, cuda.gridsize(1)):
        found = terms[j]
        for k in range(n + j, size, n):
            found += terms[k]
        total[j] = found


def integrate(current, beta, v_init=0.0, alpha=None):
    """Run a readout that leaks and does not fire; see `pysnn.reference.leaky.integrate`."""
    home = at_home(current, v_init)
    x, beta, v, alpha = _checks.leaky_integrate(stand_in(current), _host(beta), stand_in(v_init), None if alpha is None else _host(alpha))
    how = beta, x.dtype.type(np.inf), Rule(reset="none"), alpha, None
    current, v_init = send(current, x, "current"), send(v_init, v, "v_init")
    i, spikes, u = current if alpha is None else empty(x.shape, x.dtype, "i"), *(empty(x.shape, x.dtype, k) for k in ("spikes", "u"))
    v_final, s = empty(v.shape, x.dtype, "v_final"), _zeros(v)
    v_final[:] = v_init
    _all_steps((current, i, spikes, u), v_final, how, s)                                     # (D12) no potential reaches inf
    return give(home, u), Cache(v_init, u, i, spikes, s, how)


def integrate_backward(dv, cache):
    """Pull a gradient back through `integrate`; see `pysnn.reference.leaky.integrate_backward`."""
    home, like = at_home(dv), stand_in(cache.u)
    dv = send(dv, _checks.leaky_potentials(stand_in(dv), like), "dv")
    upstream = _zeros(like), _zeros(like[0]), dv
    found = _all_back(upstream, cache, (like.dtype.type(1), 0, 0))                           # (D12)
    return _gradients(home, cache, found, False)
