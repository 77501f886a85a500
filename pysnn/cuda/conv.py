"""Convolution on a GPU; the same names, arguments and results as reference/conv.py.

All three passes are one product of matrices whose left factor is never laid out: a block of threads makes a square of the output, going
along the sum in short pieces; of each piece it brings the patches and the weights into shared memory, where every number serves a whole
row or column of the square. A thread adds up 4 by 4 outputs in registers, in the order of the sum: the same bits each run. The sum of dw
runs over all pixels of the batch; it is cut into pieces whose number depends on the shapes alone, and these are added up in order.
"""

from typing import NamedTuple

from .. import _checks
from ._target import at_home, cuda, empty, give, kernel, scalar, send, stand_in, tile
from .integrate_fire import flat

_SIDE, _PER, _DEPTH = tile((16, 4, 16), (2, 16, 32))     # threads along a side of the square, outputs of a thread, length of a piece
_WIDE = _SIDE * _PER                         # side of the square
_TILE, _SUMS = (_DEPTH, _WIDE + 1), (_PER, _PER)     # one column more: neighbours in the sum lie in different banks
_PIECE = 2048                                # terms of dw that one block adds up
FORWARD, TO_X, TO_W = 0, 1, 2             # which product


class Cache(NamedTuple):
    """What backward needs of forward; opaque, on the device."""

    x: object
    w: object
    stride: int
    padding: int
    shape: tuple         # of y


def conv2d_forward(x, w, stride=1, padding=0):
    """Correlate images with a kernel; see `pysnn.reference.conv.conv2d_forward`."""
    home = at_home(x, w)
    x_seen, w_seen, stride, padding, shape = _checks.conv2d(stand_in(x), stand_in(w), stride, padding)
    cache = Cache(send(x, x_seen, "x"), send(w, w_seen, "w"), stride, padding, shape)
    return give(home, product(cache, FORWARD, cache.x, cache.w, empty(shape, x_seen.dtype, "y"))), cache


def conv2d_backward(dy, cache, need_dx=True):
    """Pull a gradient back through `conv2d_forward`; see `pysnn.reference.conv.conv2d_backward`."""
    home = at_home(dy)
    dy = send(dy, _checks.gradient(stand_in(dy), (cache.shape, cache.x.dtype)), "dy")
    kind = cache.x.dtype
    dx = product(cache, TO_X, dy, cache.w, empty(tuple(cache.x.shape), kind, "dx")) if need_dx else None
    return give(home, dx, product(cache, TO_W, cache.x, dy, empty(tuple(cache.w.shape), kind, "dw")))


def product(cache, which, a, b, out):
    """Fill an array by (R2), (R4) or (R3)."""
    n_batch, h_in, v_in, n_in = cache.x.shape
    kh, kw, _, n_out = cache.w.shape
    h_out, v_out = cache.shape[1:3]
    n_n = n_in if which == TO_X else n_out
    n_m = out.size // n_n
    n_k = {FORWARD: kh * kw * n_in, TO_X: kh * kw * n_out, TO_W: n_batch * h_out * v_out}[which]
    size = (h_in, v_in, n_in, h_out, v_out, n_out, kh, kw, cache.stride, cache.padding)
    n_pieces = -(-n_k // _PIECE) if which == TO_W else 1
    parts = out if n_pieces == 1 else empty((n_pieces, n_m, n_n), out.dtype, "parts of dw")
    grid = (-(-n_m // _WIDE), -(-n_n // _WIDE), n_pieces)
    piece = n_k if n_pieces == 1 else _PIECE
    _product.run(grid, _SIDE * _SIDE, flat(a), flat(b), flat(parts), size, (which, n_m, n_n, n_k, piece))
    if n_pieces > 1:
        add_parts.over(n_m * n_n, flat(parts), flat(out), n_pieces, n_m * n_n)
    return out


@scalar
def _pixel(r, k, size):
    """(R2) the place in x that output pixel r sees through tap and channel k, or -1 outside of the image."""
    h_in, v_in, n_in, h_out, v_out, _, _, kw, stride, padding = size
    tap = k // n_in
    h = r // v_out % h_out * stride - padding + tap // kw
    v = r % v_out * stride - padding + tap % kw
    if h < 0 or h >= h_in or v < 0 or v >= v_in:
        return -1
    return ((r // (h_out * v_out) * h_in + h) * v_in + v) * n_in + k % n_in


@scalar
def _sender(m, k, size):
    """(R4) the place in dy from which pixel m of x hears through tap and channel k, or -1 if nowhere."""
    h_in, v_in, _, h_out, v_out, n_out, _, kw, stride, padding = size
    tap = k // n_out
    h = m // v_in % h_in + padding - tap // kw
    v = m % v_in + padding - tap % kw
    if h < 0 or v < 0 or h % stride != 0 or v % stride != 0 or h // stride >= h_out or v // stride >= v_out:
        return -1
    return ((m // (h_in * v_in) * h_out + h // stride) * v_out + v // stride) * n_out + k % n_out


@scalar
def _left(which, m, k, size):
    """Where the left factor has its entry (m, k)."""
    if which == 0:
        return _pixel(m, k, size)
    if which == 1:
        return _sender(m, k, size)
    return _pixel(k, m, size)                                            # (R3) the patches, transposed


@scalar
def _right(which, k, n, size):
    """Where the right factor has its entry (k, n); going back w is turned, (R4)."""
    n_in, n_out = size[2], size[5]
    if which == 1:
        return (k // n_out * n_in + n) * n_out + k % n_out
    return k * n_out + n


@kernel("T1 T1 T1 i10 i5")
def _product(a, b, out, size, shape):
    """One square of the output, one piece of the sum: a block."""
    which, n_m, n_n, n_k, piece = shape
    left = cuda.shared.array(_TILE, a.dtype)
    right = cuda.shared.array(_TILE, a.dtype)
    total = cuda.local.array(_SUMS, a.dtype)
    zero, t = a.dtype.type(0), cuda.threadIdx.x
    m0, n0, row, col = cuda.blockIdx.x * _WIDE, cuda.blockIdx.y * _WIDE, t // _SIDE, t % _SIDE
    for p in range(_PER):
        for q in range(_PER):
            total[p, q] = zero
    stop = min(n_k, (cuda.blockIdx.z + 1) * piece)
    for k0 in range(cuda.blockIdx.z * piece, stop, _DEPTH):
        for e in range(t, _DEPTH * _WIDE, _SIDE * _SIDE):                # neighbouring threads read neighbouring channels
            m, k = (e % _WIDE, e // _WIDE) if which == 2 else (e // _DEPTH, e % _DEPTH)
            at = _left(which, m0 + m, k0 + k, size) if m0 + m < n_m and k0 + k < stop else -1
            left[k, m] = a[at] if at >= 0 else zero
        for e in range(t, _DEPTH * _WIDE, _SIDE * _SIDE):
            n, k = (e // _DEPTH, e % _DEPTH) if which == 1 else (e % _WIDE, e // _WIDE)
            at = _right(which, k0 + k, n0 + n, size) if n0 + n < n_n and k0 + k < stop else -1
            right[k, n] = b[at] if at >= 0 else zero
        cuda.syncthreads()
        for k in range(_DEPTH):
            for p in range(_PER):
                for q in range(_PER):
                    total[p, q] += left[k, row + p * _SIDE] * right[k, col + q * _SIDE]
        cuda.syncthreads()
    for p in range(_PER):
        for q in range(_PER):
            m, n = m0 + row + p * _SIDE, n0 + col + q * _SIDE
            if m < n_m and n < n_n:
                out[(cuda.blockIdx.z * n_m + m) * n_n + n] = total[p, q]


@kernel("T1 T1 i i")
def add_parts(parts, out, n_parts, n):
    """Add up the parts, in order: a thread a number."""
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        total = parts[i]
        for q in range(1, n_parts):
            total += parts[q * n + i]
        out[i] = total
