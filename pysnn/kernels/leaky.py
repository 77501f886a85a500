"""The leaky integrate-and-fire neuron, written to be fast (Numba); the same names, arguments and results as reference/leaky.py.

Rows (samples) do not meet: a kernel takes a block of whole rows of neurons through all steps. With w_rec it adds, before each step, the
rows of w_rec of those neurons that fired; backward there is a matrix product between two steps. Parameters are laid out once for a block,
so that all inner loops run over numbers side by side; loops are short, since with many arrays in one loop the compiler fills no vectors.
Forward is compiled without fused products, so without w_rec it cannot differ from the reference in a single bit.

Backward keeps, for each neuron, what flows back (potential, spike, current) and the sums for its parameters; what neurons share is added
up afterwards, in order. So no number depends on how many threads there are. A current that is the same in all steps (an array whose first
stride is 0) is kept once, and `backward_some` adds its gradient up on the way.
"""

from typing import NamedTuple

import numpy as np

from .. import _checks
from .._blas import matmul, spread_products
from .._jit import exact, njit
from .._threads import cut, spread
from ..conventions import LEAKY_RULES, SURROGATES, LeakyGradients, LeakyState, Rule, Surrogate
from . import _event_dense as event_dense
from ._event_conv import block_width
from ._events import LANES, adder, squeeze
from .integrate_fire import surrogate_of

_BLOCK = 4096        # numbers a block, or one row if it is longer
_ROWS = 64           # rows of a matrix product between two steps

_add64, _add32, _add16 = adder(64), adder(32), adder(16)


class Cache(NamedTuple):
    """What backward needs of forward; opaque."""

    v_init: np.ndarray
    u: np.ndarray
    i: np.ndarray        # the current itself, where there is neither alpha nor w_rec; one step of it, if all are equal
    how: tuple           # beta, threshold, rule, alpha, w_rec


def _plan(how, n):
    """Turn parameters into rows for a block and codes; return them and the length of a block."""
    beta, threshold, rule, alpha, _ = how
    gain = 1 - beta if rule.gain == "1 - beta" else np.ones_like(beta)
    with np.errstate(over="ignore", under="ignore"):
        bar = np.nextafter(threshold, np.asarray(np.inf, threshold.dtype)) if rule.fire == ">" else threshold
    per = max(1, _BLOCK // n)
    rows = tuple(np.tile(np.broadcast_to(x, (n,)), per) for x in (beta, gain, threshold, bar, beta if alpha is None else alpha))
    reset, later, _ = rule.codes
    return (rows, (reset, bool(later), rule.order == "leak first", alpha is not None, rule.gain != "1")), per * n


def forward(current, beta, threshold=1.0, v_init=0.0, rule=Rule(), alpha=None, w_rec=None):
    """Run neurons over T time steps; see `pysnn.reference.leaky.forward`."""
    _checks.words(rule, "rule", Rule, LEAKY_RULES)
    n_steps, current = _once(current)
    current, how, v_init = _checks.leaky_forward(current, beta, threshold, v_init, (rule, alpha, w_rec))
    shape = (n_steps or len(current), *v_init.shape)
    spikes, u, v = np.empty(shape, current.dtype), np.empty(shape, current.dtype), v_init.copy()
    i = current if alpha is None and w_rec is None else np.empty(shape, current.dtype)
    _all_steps((current, i, spikes, u), v, how, np.zeros_like(v))
    return spikes, v, Cache(v_init, u, i, how)


def _once(current):
    """Take one step of a current that is the same in all; return how many they are, and the current."""
    if isinstance(current, np.ndarray) and current.ndim > 1 and len(current) > 1 and current.strides[0] == 0:
        return len(current), current[:1]
    return None, current


def _all_steps(arrays, v, how, s, first=0):
    """Fill i, spikes and u of (current, i, spikes, u) from a step on; v holds the potential before it and is left with the last.

    s are the spikes before it; where it is not step 0, i holds the current before it.
    """
    w_rec, n, n_steps = how[-1], v.shape[-1], len(arrays[-1])
    plan, width = _plan(how, n)
    rows, flat, blocks = tuple(x.reshape(len(x), -1) for x in arrays), v.reshape(-1), cut(v.size, width)
    if w_rec is None:
        spread(lambda i0, i1: _run(rows, flat, plan, (first, n_steps, i0, i1)), blocks)
    else:
        table = _table(w_rec)
        spread(lambda i0, i1: _run_recurrent(rows, flat, plan, (table, s.reshape(-1), n), (first, n_steps, i0, i1)), blocks)


def _table(w_rec):
    """Lay out recurrent weights: blocks of columns, and in each all rows, with zeros behind them."""
    n, width = len(w_rec), block_width(len(w_rec))
    table = np.zeros((-(-n // width), n + 1, width), w_rec.dtype)
    for k, part in enumerate(table):
        columns = w_rec[:, k * width:(k + 1) * width]
        part[:n, :columns.shape[1]] = columns
    return table


def _fires(v, how):
    _, threshold, rule, _, _ = how
    return v >= threshold if rule.fire == ">=" else v > threshold


def step(state, current_t, beta, threshold=1.0, rule=Rule(), alpha=None, w_rec=None):
    """Run neurons over one time step; see `pysnn.reference.leaky.step`."""
    _checks.words(rule, "rule", Rule, LEAKY_RULES)
    state, current_t = _checks.leaky_step(state, current_t)
    how = _checks.leaky_parameters(current_t, beta, threshold, rule, alpha, w_rec)
    v, i, s = state if len(state) > 1 else (*state, np.zeros_like(current_t), np.zeros_like(current_t))
    arrays = [np.empty((2, *v.shape), v.dtype) for _ in range(4)]              # the first of the two steps is the one before
    arrays[0][1], arrays[1][0], v = current_t, i, v.copy()
    _all_steps(arrays, v, how, s, first=1)
    _, i, spikes, _ = (x[1] for x in arrays)
    return spikes, LeakyState(v, i if alpha is not None or w_rec is not None else current_t.copy(), spikes.copy())


@exact
def _after(v, threshold, kind):
    """(D3) the potential after a reset."""
    return v - threshold if kind == 0 else threshold - threshold if kind == 1 else v


@njit(contract=False, scratch=True)
def _run_recurrent(arrays, v, plan, recurrent, span):
    """Forward for some steps of some rows of neurons whose spikes come back to their row a step later."""
    (current, i, spikes, u), (table, s, n), (t0, t1, i0, i1) = arrays, recurrent, span
    n_blocks, width = table.shape[0], table.shape[2]
    weights, total = table.reshape(-1), np.zeros(n_blocks * width, u.dtype)
    flags, events = np.zeros(n + LANES, np.uint8), np.empty(n + LANES, np.uint32)
    for t in range(t0, t1):
        drive = current[min(t, current.shape[0] - 1)]
        for r in range(i0, i1, n):
            before = spikes[t - 1, r:r + n] if t > t0 else s[r:r + n]
            n_events = 0
            for j in range(n):
                flags[j] = before[j] != 0
            for j in range(0, n, LANES):
                n_events += squeeze(flags, j, j, events, n_events)
            total[:] = 0
            for k in range(n_blocks):
                to, shift, blank = k * width, k * (n + 1) * width, (k * (n + 1) + n) * width
                if width == 64:
                    _add64(total, to, weights, events, 0, n_events, shift, blank)
                elif width == 32:
                    _add32(total, to, weights, events, 0, n_events, shift, blank)
                else:
                    _add16(total, to, weights, events, 0, n_events, shift, blank)
            for j in range(n):
                i[t, r + j] = drive[r + j] + total[j]                            # (D1)
        _run((i, i, spikes, u), v, plan, (t, t + 1, i0, i1))


@exact
def _run(arrays, v, plan, span):
    """Forward for some steps of some neurons; v holds the potential before and is left with the one after."""
    (current, i, spikes, u), (t0, t1, i0, i1) = arrays, span
    (beta, gain, threshold, bar, alpha), (kind, later, last, decays, _) = plan
    zero, one, state = u.dtype.type(0), u.dtype.type(1), v[i0:i1]
    for t in range(t0, t1):
        drive, s, u_t = current[min(t, current.shape[0] - 1), i0:i1], spikes[t, i0:i1], u[t, i0:i1]
        i_t = i[min(t, i.shape[0] - 1), i0:i1]
        if decays and t > 0:
            before = i[t - 1, i0:i1]
            for k in range(i1 - i0):
                i_t[k] = alpha[k] * before[k] + drive[k]                        # (D1)
            drive = i_t
        elif decays:
            for k in range(i1 - i0):
                i_t[k] = drive[k]
        if last:
            for k in range(i1 - i0):
                now = beta[k] * state[k] + gain[k] * drive[k]                   # (D2)
                now = _after(now, threshold[k], kind) if state[k] >= bar[k] else now             # (D4)
                u_t[k], s[k], state[k] = now, one if now >= bar[k] else zero, now
        elif later:
            for k in range(i1 - i0):
                kept = _after(state[k], threshold[k], kind) if state[k] >= bar[k] else state[k]  # (D3)
                now = beta[k] * kept + gain[k] * drive[k]
                u_t[k], s[k], state[k] = now, one if now >= bar[k] else zero, now
        else:
            for k in range(i1 - i0):
                now = beta[k] * state[k] + gain[k] * drive[k]
                u_t[k], s[k] = now, one if now >= bar[k] else zero
                state[k] = _after(now, threshold[k], kind) if now >= bar[k] else now             # (D3)


def potentials(cache):
    """Return the potentials of all steps; see `pysnn.reference.leaky.potentials`."""
    return cache.u


def backward(dspikes, cache, dv_final=None, dv=None, surrogate=Surrogate("atan", slope=2.0), detach_reset=True):
    """Pull a gradient back through `forward`; see `pysnn.reference.leaky.backward`."""
    return backward_some(dspikes, cache, dv_final, dv, surrogate, detach_reset)


def backward_some(dspikes, cache, dv_final, dv, surrogate, detach_reset, wanted=None):
    """Do what `backward` does, but for some: wanted = (names of the parameters, whether the gradient of the current is added up).

    What is not wanted of beta, threshold and alpha is None; added up over the steps, dcurrent is (B, ..., n). dspikes may be None.
    """
    _checks.words(surrogate, "surrogate", Surrogate, SURROGATES)
    nothing = None if dspikes is not None else np.zeros((1, *cache.v_init.shape), cache.u.dtype)     # one step stands for all
    dspikes, dv_next, dv = _checks.leaky_backward(cache.u if dspikes is None else dspikes, dv_final, dv, cache.u, detach_reset)
    dspikes = dspikes if nothing is None else nothing
    beta, threshold, _, alpha, w_rec = cache.how
    names, summed = (("beta", "threshold", "alpha"), False) if wanted is None else wanted
    slope = threshold.dtype.type(_checks.positive(surrogate.slope, "surrogate: slope"))
    of_beta, of_threshold, of_alpha = "beta" in names, "threshold" in names, alpha is not None and "alpha" in names
    how = (not detach_reset, surrogate.code, slope, dv is not None, of_beta, of_threshold, of_alpha)
    dcurrent, carry = _all_back(dspikes, cache, (dv_next.copy(), dv), how, summed and w_rec is None)
    dv_next, _, _, dbeta, dthreshold, dalpha = carry
    dw_rec, n = None, cache.u.shape[-1]
    if w_rec is not None:
        dw_rec = _of_weights(cache, dcurrent)
        dcurrent = dcurrent.sum(axis=0) if summed else dcurrent
    return LeakyGradients(dcurrent, _like(beta, dbeta, n) if of_beta else None, _like(threshold, dthreshold, n) if of_threshold else None,
                          dv_next.reshape(cache.v_init.shape), _like(alpha, dalpha, n) if of_alpha else None, dw_rec)


def _of_weights(cache, dcurrent):
    """(D11) the gradient of w_rec: spikes of a step times what the current of the next is worth."""
    n = cache.u.shape[-1]
    flags, di = _fires(cache.u[:-1], cache.how).reshape(-1, n), dcurrent[1:].reshape(-1, n)
    if not len(flags):
        return np.zeros_like(cache.how[-1])
    events = event_dense.listed(flags.view(np.uint8))
    return matmul(flags.T.astype(di.dtype), di) if events is None else event_dense.product(event_dense.turned(events), di)


def _like(parameter, total, n):
    """Sum what all neurons say about a parameter to its shape."""
    total = total.reshape(-1, n).sum(axis=0)
    return total if np.ndim(parameter) else total.sum()


def _all_back(dspikes, cache, dvs, surrogate, summed):
    """Go back through all steps; return dcurrent and what is carried: dv, ds of later steps, di, and the sums for the parameters."""
    v_init, u, i, how = cache
    w_rec, n, n_steps = how[-1], u.shape[-1], len(u)
    plan, width = _plan(how, n)
    dcurrent = np.zeros(u.shape[1:], u.dtype) if summed else np.empty_like(u)
    carry = (dvs[0].reshape(-1), *(np.zeros(v_init.size, u.dtype) for _ in range(5)))
    given = dspikes if dvs[1] is None else dvs[1]
    rows = tuple(x.reshape(len(x), -1) for x in (dspikes, u, i, dcurrent[None] if summed else dcurrent, given))
    flat, blocks = v_init.reshape(-1), cut(v_init.size, width)
    if w_rec is None:
        spread(lambda i0, i1: _pull(rows, carry, flat, plan, surrogate, (0, n_steps, i0, i1, width)), blocks)
    else:
        def through(i0, i1):
            for t in range(n_steps - 1, -1, -1):
                _pull(rows, carry, flat, plan, surrogate, (t, t + 1, i0, i1, width))
                if t > 0:                                                # before the first step nothing comes back
                    carry[1][i0:i1] += (rows[3][t, i0:i1].reshape(-1, n) @ w_rec.T).reshape(-1)      # (D10)
        spread_products(through, cut(v_init.size, _ROWS * n))
    spread(lambda i0, i1: _pull_start(carry, flat, plan, surrogate, i0, i1), blocks if plan[1][1] else [])
    return dcurrent, carry


@njit(scratch=True)
def _slopes(u, threshold, how, d):
    """(I7) what stands for the derivative of a spike, for a row of neurons."""
    apart = np.empty_like(d)            # not d itself: a loop that may overwrite what it reads does not fill vectors
    for k in range(len(d)):
        apart[k] = u[k] - threshold[k]
    surrogate_of(apart, d.dtype.type(0), how[1], how[2], d)


@njit(scratch=True)
def _pull(arrays, carry, v_init, plan, how, span):
    """Backward for some steps of some neurons, block by block."""
    (dspikes, u, i, dcurrent, given), (t0, t1, first, end, width) = arrays, span
    (beta, gain, threshold, bar, alpha), (kind, later, last, decays, leaks) = plan
    for i0 in range(first, end, width):
        i1 = min(i0 + width, end)
        dv, back, di, dbeta, dtheta, dalpha = (carry[0][i0:i1], carry[1][i0:i1], carry[2][i0:i1], carry[3][i0:i1], carry[4][i0:i1],
                                               carry[5][i0:i1])
        attached, _, _, _, for_beta, for_theta, for_alpha = how
        d, own, zero, summed = np.empty(i1 - i0, u.dtype), np.empty(i1 - i0, u.dtype), u.dtype.type(0), dcurrent.shape[0] < u.shape[0]
        for t in range(t1 - 1, t0 - 1, -1):
            u_t, i_t, ds = u[t, i0:i1], i[min(t, i.shape[0] - 1), i0:i1], dspikes[min(t, dspikes.shape[0] - 1), i0:i1]
            before, out = u[t - 1, i0:i1] if t > 0 else v_init[i0:i1], own if summed else dcurrent[t, i0:i1]
            _slopes(u_t, threshold, how, d)
            if not last and (not later or t < len(u) - 1):
                _pull_reset(u_t, d, (dv, dtheta), plan, (attached, for_theta))      # (D8)
            for k in range(i1 - i0):
                back[k] += ds[k]                                                    # (D7)
            if for_theta:
                for k in range(i1 - i0):
                    dtheta[k] -= d[k] * back[k]                                     # (D11)
            for k in range(i1 - i0):
                dv[k] = d[k] * back[k] + dv[k]                                      # (D9)
                back[k] = zero
            if how[3]:
                more = given[t, i0:i1]
                for k in range(i1 - i0):
                    dv[k] += more[k]
            if last:
                if attached:
                    for k in range(i1 - i0):
                        now, bound = beta[k] * before[k] + gain[k] * i_t[k], threshold[k]
                        dropped = bound if kind == 0 else now if kind == 1 else zero
                        back[k] = -dropped * dv[k]                                  # (D8)
                if for_theta:
                    for k in range(i1 - i0):
                        now = dv[k]
                        dtheta[k] -= now if kind == 0 and before[k] >= bar[k] else zero
                if kind == 1:
                    for k in range(i1 - i0):
                        now = dv[k]
                        dv[k] = zero if before[k] >= bar[k] else now
            if for_beta:
                resets = not last and (t > 0 or later)
                for k in range(i1 - i0):
                    now, x = before[k], i_t[k]
                    after, on = _after(now, threshold[k], kind), now >= bar[k]
                    kept = after if resets and on else now
                    dbeta[k] += dv[k] * (kept - x if leaks else kept)               # (D11)
            for k in range(i1 - i0):
                out[k] = gain[k] * dv[k]                                            # (D10)
                dv[k] = beta[k] * dv[k]
            if decays:
                for k in range(i1 - i0):
                    di[k] = out[k] + alpha[k] * di[k]
                    out[k] = di[k]
            if decays and t > 0 and for_alpha:
                sent = i[t - 1, i0:i1]
                for k in range(i1 - i0):
                    dalpha[k] += di[k] * sent[k]                                    # (D11)
            if summed:
                total = dcurrent[0, i0:i1]
                for k in range(i1 - i0):
                    total[k] += own[k]


@njit
def _pull_reset(u, d, grads, plan, which):
    """(D8) dv back through the reset of u, in place; which: whether the reset is attached, and whether dtheta is wanted."""
    ((_, _, threshold, bar, _), (kind, _, _, _, _)), (attached, for_theta) = plan, which
    (dv, dtheta), zero, one = grads, u.dtype.type(0), u.dtype.type(1)
    for k in range(len(dv) if for_theta else 0):
        now, bound, on = u[k], threshold[k], u[k] >= bar[k]
        more = d[k] * (bound if kind == 0 else now if kind == 1 else zero)
        more = more if attached else zero
        dtheta[k] += dv[k] * (more - one if kind == 0 and on else more)
    if attached:                        # loops apart, and written as in integrate_fire.py: compiled alike, they give the same bits
        for k in range(len(dv)):
            now, bound, grad = u[k], threshold[k], dv[k]
            through = zero if kind == 1 and now >= bar[k] else grad
            dropped = bound if kind == 0 else now if kind == 1 else zero
            dv[k] = through - d[k] * (dropped * grad)
    elif kind == 1:
        for k in range(len(dv)):
            grad = dv[k]
            dv[k] = zero if u[k] >= bar[k] else grad


@njit(scratch=True)
def _pull_start(carry, v_init, plan, how, i0, i1):
    """(D8) to the first potential, which with timing "next" is reset where it reaches the threshold."""
    dv, back, dtheta, v = carry[0][i0:i1], carry[1][i0:i1], carry[4][i0:i1], v_init[i0:i1]
    d = np.empty(i1 - i0, v.dtype)
    _slopes(v, plan[0][2], how, d)
    if not plan[1][2]:
        _pull_reset(v, d, (dv, dtheta), plan, (how[0], how[5]))
    for k in range(i1 - i0):
        dv[k] += d[k] * back[k]
        dtheta[k] -= d[k] * back[k]


class Readout(NamedTuple):
    """What `integrate_backward` needs; opaque."""

    cache: Cache


def integrate(current, beta, v_init=0.0, alpha=None):
    """Run a readout that leaks and does not fire; see `pysnn.reference.leaky.integrate`."""
    n_steps, current = _once(current)
    current, beta, v_init, alpha = _checks.leaky_integrate(current, beta, v_init, alpha)
    how, v = (beta, current.dtype.type(np.inf), Rule(reset="none"), alpha, None), v_init.copy()
    u = np.empty((n_steps or len(current), *v.shape), current.dtype)
    i = current if alpha is None else np.empty_like(u)
    _all_steps((current, i, np.empty_like(u), u), v, how, None)                              # (D12) no potential reaches inf
    return u, Readout(Cache(v_init, u, i, how))


def integrate_backward(dv, cache):
    """Pull a gradient back through `integrate`; see `pysnn.reference.leaky.integrate_backward`."""
    cache = cache.cache
    dv, beta, alpha, n = _checks.leaky_potentials(dv, cache.u), cache.how[0], cache.how[3], cache.u.shape[-1]
    how = (False, 0, dv.dtype.type(1), True, True, False, alpha is not None)
    dcurrent, carry = _all_back(np.zeros((1, *dv.shape[1:]), dv.dtype), cache, (np.zeros_like(cache.v_init), dv), how, False)  # (D12)
    return LeakyGradients(dcurrent, _like(beta, carry[3], n), None, carry[0].reshape(cache.v_init.shape),
                          None if alpha is None else _like(alpha, carry[5], n), None)
