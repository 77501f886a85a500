"""Theta neurons, written to be fast (Numba); the same names, arguments and results as reference/theta.py.

The voltage is kept as u = (V - 1/2)/root, which a gap moves by (Q9): some products and a quotient, with the sine and the cosine
of the gap, which all neurons of a sample share. Only a spike needs an arc tangent. The backward pass runs forward once more, keeps the
voltages of one sample and some neurons, and goes back through them.
"""

import math
from typing import NamedTuple

import numpy as np

from .. import _checks
from .._blas import matmul
from .._jit import copy, njit
from .._threads import cut, spread

_SAMPLES, _TILE = 16, 256      # samples and outputs a block, forward
_NARROW = 64                   # outputs a block, backward


class Cache(NamedTuple):
    """What backward needs of forward; opaque."""

    t_in: np.ndarray
    w: np.ndarray
    t_out: np.ndarray
    n_felt: np.ndarray    # (B, N_out), int32: how many of the inputs in order came before the spike
    late: np.ndarray      # (B, N_out), kick at the end of the trial; empty where no input is late
    how: tuple            # t_end, root, v_init, tau


def forward(t_in, w, t_end, drive=1.25, v_init=0.5, tau=1.0):
    """Find when each theta neuron fires first, in the trial or behind its end; see `pysnn.reference.theta.forward`."""
    t_in, w, how = _checks.theta_forward(t_in, w, t_end, drive, v_init, tau)
    order, share = t_in.argsort(axis=1, kind="stable"), _share(t_in, how)[0]
    late = matmul(share, w) if share.any() else np.zeros((len(t_in), w.shape[1]), w.dtype)
    out = np.empty_like(late), np.empty(late.shape, np.int32)
    blocks = [(*j, *b) for j in cut(w.shape[1], _TILE) for b in cut(len(t_in), _SAMPLES)]
    spread(lambda j0, j1, b0, b1: _scan((t_in, order, w, late), _scaled(how), out, (j0, j1, b0, b1)), blocks)
    return out[0], Cache(t_in, w, *out, late, how)


def _share(t_in, how):
    """(Q5) Say which share of a weight acts at the end of the trial, and derive it by t_in; 0 of inputs in the trial."""
    t_end, root, _, tau = how
    period = tau * np.pi / root
    share = np.where(t_in < t_end, 0, np.maximum(1 - (t_in - t_end) / period, 0)).astype(t_in.dtype)
    return share, np.where(share > 0, -1 / period, 0).astype(t_in.dtype)


def _scaled(how):
    """Return the end of the trial, the first u, one over root, and the angle that u turns in a unit of time."""
    t_end, root, v_init, tau = how
    return t_end, (v_init - t_end.dtype.type(0.5)) / root, 1 / root, root / tau


@njit
def _turn(gap, speed):
    """Return cosine and sine of the angle of a gap; of half a turn and more, of just that: all neurons fire in it."""
    angle = gap * speed
    if angle >= math.pi:
        return gap * 0 - 1, gap * 0
    return math.cos(angle), math.sin(angle)


@njit
def _move(u, before, row, kick, turn):
    """(Q9) Let the gap pass, keep u, let the input come; return how many neurons fire in the gap, one that fires again counted anew."""
    cosine, sine = turn
    n_fire = np.int32(0)
    for j in range(len(u)):
        below = cosine - sine * u[j]                                     # turns negative at the spike, (Q4)
        n_fire += np.int32(below <= 0)
        before[j] = (cosine * u[j] + sine) / below
        u[j] = before[j] + kick * row[j]                                 # (Q3)
    return n_fire


@njit(scratch=True)
def _scan(fixed, how, out, block):
    """Forward for outputs j0:j1 and samples b0:b1."""
    t_in, order, w, late = fixed
    t_end, u_init, kick, speed = how
    t_out, n_felt = out
    j0, j1, b0, b1 = block
    u, start = np.empty(j1 - j0, w.dtype), np.empty(j1 - j0, w.dtype)
    before = np.empty(j1 - j0, w.dtype)
    for b in range(b0, b1):
        u[:], t_last, n_left, n = u_init, t_end * 0, j1 - j0, t_in.shape[1]
        t_out[b, j0:j1] = np.inf
        for k in range(n + 1):
            ends = k == n or t_in[b, order[b, k]] >= t_end
            t = t_end if ends else t_in[b, order[b, k]]
            turn = _turn(t - t_last, speed)
            copy(u, start)
            if _move(u, before, late[b, j0:j1] if ends else w[order[b, k], j0:j1], kick, turn):
                for j in range(j1 - j0):
                    if t_out[b, j0 + j] == np.inf and turn[0] - turn[1] * start[j] <= 0:
                        t_out[b, j0 + j] = min(t_last + math.atan2(kick * 0 + 1, start[j]) / speed, t)        # (Q2)
                        n_felt[b, j0 + j] = k
                        n_left -= 1
            t_last = t
            if ends or n_left == 0:
                break
        if n_left:
            for j in range(j1 - j0):
                if t_out[b, j0 + j] == np.inf:
                    t_out[b, j0 + j] = t_end + math.atan2(kick * 0 + 1, u[j]) / speed                         # (Q5)
                    n_felt[b, j0 + j] = k + 1


def backward(dt_out, cache):
    """Pull a gradient back through the forward pass; see `pysnn.reference.theta.backward`."""
    dt_out = _checks.spike_time_backward(dt_out, cache.t_out)
    t_in, w, t_out, n_felt, late, how = cache
    order, (share, slope) = t_in.argsort(axis=1, kind="stable"), _share(t_in, how)
    blocks = cut(w.shape[1], _NARROW)
    dw, dend, parts = np.zeros_like(w), np.zeros_like(t_out), np.zeros((len(blocks), *t_in.shape), t_in.dtype)
    fixed = t_in, order, w, late
    spread(lambda j0, j1: _back(fixed, _scaled(how), (dt_out, n_felt), (parts[j0 // _NARROW], dw, dend), (j0, j1)), blocks)
    dt_in = parts.sum(axis=0)
    if share.any():
        dt_in += slope * matmul(dend, np.ascontiguousarray(w.T))                              # (Q8)
        dw += matmul(np.ascontiguousarray(share.T), dend)
    return dt_in, dw


@njit(scratch=True)
def _back(fixed, how, given, out, block):
    """Backward for outputs j0:j1: forward once more, then from the spike back through the kicks."""
    t_in, order, w, late = fixed
    t_end, u_init, kick, speed = how
    dt_out, n_felt = given
    dt_in, dw, dend = out
    j0, j1 = block
    n = t_in.shape[1]
    u, h = np.empty(j1 - j0, w.dtype), np.empty(j1 - j0, w.dtype)
    before = np.empty((n + 1, j1 - j0), w.dtype)
    for b in range(len(t_in)):
        most = n_felt[b, j0:j1].max()
        u[:], t_last = u_init, t_end * 0
        for k in range(most):
            ends = k == n or t_in[b, order[b, k]] >= t_end
            t = t_end if ends else t_in[b, order[b, k]]
            _move(u, before[k], late[b, j0:j1] if ends else w[order[b, k], j0:j1], kick, _turn(t - t_last, speed))
            t_last = t
        for j in range(j1 - j0):
            h[j] = dt_out[b, j0 + j]
        for k in range(most - 1, -1, -1):
            if k == n or t_in[b, order[b, k]] >= t_end:
                _through(h, before[k], late[b, j0:j1], (kick, kick / speed, k), n_felt[b, j0:j1], dend[b, j0:j1])
            else:
                i = order[b, k]
                dt_in[b, i] = _through(h, before[k], w[i, j0:j1], (kick, kick / speed, k), n_felt[b, j0:j1], dw[i, j0:j1])


@njit
def _through(h, before, row, how, n_felt, dkick):
    """(Q6) (Q7) Go back through one kick: add to the gradient of its weights, return that of its time; h becomes that before the kick."""
    kick, steep, k = how
    zero, total = kick * 0, kick * 0
    for j in range(len(h)):
        felt = k < n_felt[j]
        step = kick * row[j] if felt else zero
        u = before[j] if felt else zero
        g = h[j] / (1 + (u + step) * (u + step))                         # (Q1): F is root squared times 1 + u u
        dkick[j] -= steep * g if felt else zero
        total += g * step * (u + (u + step))                             # F(V+) - F(V-), over root squared
        h[j] = g * (1 + u * u) if felt else h[j]
    return total
