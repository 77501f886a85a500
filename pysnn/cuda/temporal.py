"""The temporal neuron on a GPU; the same names, arguments and results as reference/temporal.py.

Forward sorts the inputs of each sample by counting how many come before each, then goes through them by the running form (T9): a block of
threads has one sample and a tile of neurons, brings times and order into shared memory piece by piece, and reads rows of the weights,
neighbouring threads neighbouring columns. It ends as soon as all its neurons have fired. Backward is two sums of the shape of a product
of matrices, in squares as in conv.py, that of dw in pieces of the batch. Every sum has one owner and a fixed order: the same bits each run.
"""

from typing import NamedTuple

import numpy as np

from .. import _checks
from ._target import at_home, cuda, empty, give, kernel, on_device, scalar, send, stand_in, tile
from .conv import add_parts
from .integrate_fire import flat

_THREADS = tile(128, 64)                     # neurons a block of the scan, at most; inputs a block of the sort
_WARP = 32                                   # threads that run together
_AHEAD = _THREADS + 1                        # times in shared memory: one more, to see the next
_SIDE, _PER, _DEPTH = tile((16, 4, 16), (2, 16, 32))     # as in conv.py
_WIDE = _SIDE * _PER
_TILE, _SUMS = (_DEPTH, _WIDE + 1), (_PER, _PER)
_PIECE = 2048                                # samples, or places of a map, that one block of dw adds up


class Cache(NamedTuple):
    """What backward needs of forward; opaque, on the device."""

    z_in: object
    w: object
    z_out: object
    margin: object
    z_bound: object


def forward(z_in, w, threshold=1.0):
    """Find when each neuron fires; see `pysnn.reference.temporal.forward`."""
    home = at_home(z_in, w)
    z, weights, threshold = _checks.temporal_forward(stand_in(z_in, 1), stand_in(w), threshold)
    foreign, z_in, w = on_device(z_in), send(z_in, z, "z_in"), send(w, weights, "w")
    if foreign:
        refuse(z_in)
    order, z_sorted = in_order(z_in)
    n_batch, n_out = len(z), weights.shape[1]
    z_out, margin, z_bound = (empty((n_batch, n_out), z.dtype, name) for name in ("z_out", "margin", "z_bound"))
    threads = min(_THREADS, -(-n_out // _WARP) * _WARP)
    _scan.run(n_batch * -(-n_out // threads), threads, order, z_sorted, w, threshold, z_out, margin, z_bound)
    return give(home, z_out), Cache(z_in, w, z_out, margin, z_bound)


def refuse(z_in, above=0.0, check=lambda z: _checks.spike_z(z, "z_in")):
    """Look on the device for times that are NaN or not above a bound; the check, on the host, then says which."""
    bad = send(None, np.zeros(1, np.int32), "flag")
    _look.over(z_in.size, flat(z_in), bad, z_in.dtype.type(above), z_in.size)
    if bad.copy_to_host()[0]:
        check(z_in.copy_to_host())


@kernel("T1 I1 T i")
def _look(z, bad, above, n):
    """Raise the flag where z is not above the bound; all that write write 1."""
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        if not z[i] > above:
            bad[0] = 1


def in_order(z_in):
    """Return the order of the inputs of each sample, and their times in that order, on the device."""
    (n_batch, n_in), kind = z_in.shape, z_in.dtype
    order, z_sorted = empty((n_batch, n_in), np.int32, "order"), empty((n_batch, n_in), kind, "z_sorted")
    _sort.run(n_batch * -(-n_in // _THREADS), _THREADS, z_in, order, z_sorted)
    return order, z_sorted


@kernel("T2 I2 T2")
def _sort(z, order, z_sorted):
    """Sort by time, ties by index: the place of an input is the number of inputs before it; a thread an input."""
    others = cuda.shared.array(_THREADS, z.dtype)
    n_in, n_tiles = z.shape[1], (z.shape[1] + _THREADS - 1) // _THREADS
    b, i = cuda.blockIdx.x // n_tiles, cuda.blockIdx.x % n_tiles * _THREADS + cuda.threadIdx.x
    mine, place = z[b, min(i, n_in - 1)], 0
    for k0 in range(0, n_in, _THREADS):
        if k0 + cuda.threadIdx.x < n_in:
            others[cuda.threadIdx.x] = z[b, k0 + cuda.threadIdx.x]
        cuda.syncthreads()
        for k in range(min(_THREADS, n_in - k0)):
            other = others[k]
            if other < mine or (other == mine and k0 + k < i):
                place += 1
        cuda.syncthreads()
    if i < n_in:
        order[b, place] = i
        z_sorted[b, place] = mine


@kernel("I2 T2 T2 T T2 T2 T2")
def _scan(order, z_sorted, w, threshold, z_out, margin, z_bound):
    """(T9) with a = sum w - threshold and r = z (V - threshold); a thread a neuron, all of a block one sample."""
    e = cuda.shared.array(_AHEAD, order.dtype)
    s = cuda.shared.array(_AHEAD, w.dtype)
    n_in, width = w.shape[0], cuda.blockDim.x
    n_tiles = (w.shape[1] + width - 1) // width
    t, b, zero, inf = cuda.threadIdx.x, cuda.blockIdx.x // n_tiles, w.dtype.type(0), w.dtype.type(np.inf)
    j = cuda.blockIdx.x % n_tiles * width + t
    a, r, moment, bound, last = -threshold, -threshold * z_sorted[b, 0], zero, zero, zero
    done = j >= w.shape[1]
    for k0 in range(0, n_in, _THREADS):
        for k in range(t, _AHEAD, width):
            e[k] = order[b, k0 + k] if k0 + k < n_in else 0
            s[k] = z_sorted[b, k0 + k] if k0 + k < n_in else inf
        cuda.syncthreads()
        k = 0
        while k < _THREADS and not done:
            now, then = s[k], s[k + 1]
            if now < inf:
                weight = w[e[k], j]
                a, moment, last = a + weight, moment + weight * now, now
                if then < inf:
                    r += (then - now) * a                                # (T6) which is 0 between equal times
                    if r >= zero:                                        # (T5) it fires before the next input,
                        bound = then
                elif a > zero:                                           # (T4) or after the last, where a > 0
                    bound = inf
            done = bound > zero or then == inf
            k += 1
        if cuda.syncthreads_and(1 if done else 0):
            break
    if j < w.shape[1]:
        z_out[b, j], margin[b, j] = fired((a, r, moment), last, bound, (w.dtype.type(1), inf, w.dtype.type(8)))
        z_bound[b, j] = bound


@scalar
def fired(sums, last, bound, numbers):
    """Return z_out and margin of a neuron that has heard its inputs; `bound` is 0 where it is silent, inf behind the last input."""
    (a, r, moment), (one, inf, eight) = sums, numbers
    if not bound > 0:
        return inf, one
    z = (last if bound == inf else bound) - r / a
    return moment / a if eight * z < bound and bound < inf else z, a     # long before the next input a difference loses digits: (T3)


def backward(dz_out, cache):
    """Pull a gradient back through `forward`; see `pysnn.reference.temporal.backward`."""
    home, h, z = _scaled(dz_out, cache)
    return give(home, _to_z(h, cache), _to_w(h, z, cache))


def backward_w(dz_out, cache):
    """Return only dw of `backward`, for a first layer: nobody asks for the gradient of an image."""
    home, h, z = _scaled(dz_out, cache)
    return give(home, _to_w(h, z, cache))


def _scaled(dz_out, cache):
    home, like = at_home(dz_out), stand_in(cache.z_out)
    dz_out = send(dz_out, _checks.temporal_backward(stand_in(dz_out), like), "dz_out")
    return home, *scaled(dz_out, cache.z_out, cache.margin)


def scaled(dz_out, z_out, margin):
    """Return h = dz_out / (S - threshold) and z_out, both 0 where silent."""
    h, z = (empty(tuple(z_out.shape), z_out.dtype, name) for name in ("h", "z"))
    _scale.over(h.size, *(flat(x) for x in (dz_out, z_out, margin, h, z)), h.size)
    return h, z


@kernel("T1 T1 T1 T1 T1 i")
def _scale(dz_out, z_out, margin, h, z, n):
    zero, inf = h.dtype.type(0), h.dtype.type(np.inf)
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        fires = z_out[i] < inf
        h[i] = dz_out[i] / margin[i] if fires else zero
        z[i] = z_out[i] if fires else zero


def _squares(n_m, n_n):
    return (-(-n_m // _WIDE), -(-n_n // _WIDE)), _SIDE * _SIDE


def _to_w(h, z, cache):
    dw, n_pieces = empty(tuple(cache.w.shape), h.dtype, "dw"), -(-h.shape[0] // _PIECE)
    parts = empty((n_pieces, *dw.shape), h.dtype, "parts of dw") if n_pieces > 1 else dw.reshape(1, *dw.shape)
    squares, threads = _squares(*dw.shape)
    _sum_w.run((*squares, n_pieces), threads, cache.z_in, h, z, parts, _PIECE)
    if n_pieces > 1:
        add_parts.over(dw.size, flat(parts), flat(dw), n_pieces, dw.size)
    return dw


def _to_z(h, cache):
    dz_in = empty(tuple(cache.z_in.shape), h.dtype, "dz_in")
    _sum_z.run(*_squares(*dz_in.shape), cache.z_in, cache.z_bound, h, cache.w, dz_in)
    return dz_in


@kernel("T2 T2 T2 T3 i")
def _sum_w(z_in, h, z_out, parts, piece):
    """(T7) dw_ij = -sum_b h_bj max(z_out_bj - z_in_bi, 0), 0 outside the causal set by itself; a piece of the batch for each part."""
    times = cuda.shared.array(_TILE, h.dtype)
    pulls = cuda.shared.array(_TILE, h.dtype)
    spikes = cuda.shared.array(_TILE, h.dtype)
    total = cuda.local.array(_SUMS, h.dtype)
    zero, t, n_in, n_out, part = h.dtype.type(0), cuda.threadIdx.x, parts.shape[1], parts.shape[2], cuda.blockIdx.z
    stop = min(h.shape[0], (part + 1) * piece)
    i0, j0, row, col = cuda.blockIdx.x * _WIDE, cuda.blockIdx.y * _WIDE, t // _SIDE, t % _SIDE
    for p in range(_PER):
        for q in range(_PER):
            total[p, q] = zero
    for b0 in range(part * piece, stop, _DEPTH):
        for e in range(t, _DEPTH * _WIDE, _SIDE * _SIDE):
            k, n = e // _WIDE, e % _WIDE
            times[k, n] = z_in[b0 + k, i0 + n] if b0 + k < stop and i0 + n < n_in else zero
            inside = b0 + k < stop and j0 + n < n_out
            pulls[k, n] = h[b0 + k, j0 + n] if inside else zero
            spikes[k, n] = z_out[b0 + k, j0 + n] if inside else zero
        cuda.syncthreads()
        for k in range(_DEPTH):
            for p in range(_PER):
                z = times[k, row + p * _SIDE]
                for q in range(_PER):
                    late = spikes[k, col + q * _SIDE] - z
                    total[p, q] -= pulls[k, col + q * _SIDE] * (late if late > zero else zero)
        cuda.syncthreads()
    for p in range(_PER):
        for q in range(_PER):
            i, j = i0 + row + p * _SIDE, j0 + col + q * _SIDE
            if i < n_in and j < n_out:
                parts[part, i, j] = total[p, q]


@kernel("T2 T2 T2 T2 T2")
def _sum_z(z_in, z_bound, h, w, dz_in):
    """(T8) dz_in_bi = sum over the neurons j whose causal set holds i of h_bj w_ij."""
    pulls = cuda.shared.array(_TILE, h.dtype)
    bounds = cuda.shared.array(_TILE, h.dtype)
    weights = cuda.shared.array(_TILE, h.dtype)
    total = cuda.local.array(_SUMS, h.dtype)
    times = cuda.local.array(_SUMS, h.dtype)
    zero, t, n_out = h.dtype.type(0), cuda.threadIdx.x, h.shape[1]
    b0, i0, row, col = cuda.blockIdx.x * _WIDE, cuda.blockIdx.y * _WIDE, t // _SIDE, t % _SIDE
    for p in range(_PER):
        for q in range(_PER):
            b, i = b0 + row + p * _SIDE, i0 + col + q * _SIDE
            total[p, q] = zero
            times[p, q] = z_in[b, i] if b < z_in.shape[0] and i < z_in.shape[1] else zero
    for j0 in range(0, n_out, _DEPTH):
        for e in range(t, _DEPTH * _WIDE, _SIDE * _SIDE):
            n, k = e // _DEPTH, e % _DEPTH
            inside = b0 + n < z_in.shape[0] and j0 + k < n_out
            pulls[k, n] = h[b0 + n, j0 + k] if inside else zero
            bounds[k, n] = z_bound[b0 + n, j0 + k] if inside else zero
            weights[k, n] = w[i0 + n, j0 + k] if i0 + n < w.shape[0] and j0 + k < n_out else zero
        cuda.syncthreads()
        for k in range(_DEPTH):
            for p in range(_PER):
                pull, bound = pulls[k, row + p * _SIDE], bounds[k, row + p * _SIDE]
                for q in range(_PER):
                    if times[p, q] < bound:
                        total[p, q] += pull * weights[k, col + q * _SIDE]
        cuda.syncthreads()
    for p in range(_PER):
        for q in range(_PER):
            b, i = b0 + row + p * _SIDE, i0 + col + q * _SIDE
            if b < z_in.shape[0] and i < z_in.shape[1]:
                dz_in[b, i] = total[p, q]
