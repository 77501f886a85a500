"""Convolution written to be fast; the same names, arguments and results as reference/conv.py.

Patches of some rows of the image are laid out side by side, and one product with the kernel makes these rows of the output: (R2) as a
matrix product. The patches of a whole batch would need 9 times its memory, so they exist for one tile at a time, small enough for a
core's second-level cache to hold. Going back, dw is a sum of such products over tiles (R3), and dx with stride 1 is itself a convolution,
of dy with the kernel turned by half a turn (R4). Three by three kernels between many channels take fewer products (_winograd.py).
"""

from typing import NamedTuple

import numpy as np

from .. import _checks
from .._blas import spread_products
from .._jit import njit
from .._threads import cut
from . import _winograd

_TILE = 1_500_000    # bytes of patches at a time: about the second-level cache; with less, the BLAS packs w too often
_BLOCKS = 32         # parts of the work handed out to threads
_CHUNKS = 8          # parts of the batch whose dw are summed one by one


class Cache(NamedTuple):
    """What backward needs of forward; opaque. It refers to the image, not to patches of it."""

    x: np.ndarray
    w: np.ndarray
    stride: int
    padding: int
    shape: tuple         # of y


def conv2d_forward(x, w, stride=1, padding=0):
    """Correlate images with a kernel; see `pysnn.reference.conv.conv2d_forward`."""
    x, w, stride, padding, shape = _checks.conv2d(x, w, stride, padding)
    return _correlate(x, w, stride, padding, shape), Cache(x, w, stride, padding, shape)


def conv2d_backward(dy, cache, need_dx=True):
    """Pull a gradient back through `conv2d_forward`; see `pysnn.reference.conv.conv2d_backward`."""
    x, w, stride, padding, shape = cache
    dy = _checks.gradient(dy, (shape, x.dtype))
    dw = _sum_w(x, dy, w.shape, stride, padding)
    if not need_dx:
        return None, dw
    if stride > 1:
        return _scatter(dy, cache), dw
    turned = np.ascontiguousarray(w[::-1, ::-1].transpose(0, 1, 3, 2))                     # (R4)
    if w.shape[0] == w.shape[1]:
        return _correlate(dy, turned, 1, w.shape[0] - 1 - padding, x.shape), dw
    return _scatter(dy, cache), dw


def _tiles(shape, n_patch, itemsize):
    """Cut the rows of all images, counted through the batch, into tiles of a fixed size, and these into blocks of work."""
    rows = max(1, _TILE // (shape[2] * n_patch * itemsize))
    n_tiles = -(-shape[0] * shape[1] // rows)
    return rows, cut(shape[0] * shape[1], -(-n_tiles // _BLOCKS) * rows)


def _correlate(x, w, stride, padding, shape):
    """(R2) y = patches of x, times w; where it saves products, (R13)."""
    if _winograd.suits(x.shape, w.shape, stride, padding):
        return _winograd.correlate(x, w)
    flat = w.reshape(-1, w.shape[3])
    y = np.empty(shape, x.dtype)
    y_flat = y.reshape(-1, shape[3])
    rows, blocks = _tiles(shape, len(flat), x.itemsize)

    def work(r0, r1):
        patches = np.empty((rows * shape[2], len(flat)), x.dtype)
        for r in range(r0, r1, rows):
            stop = min(r + rows, r1)
            gather(x, patches, (w.shape[0], w.shape[1], stride, padding), (shape[1], shape[2]), r, stop)
            a, b = r * shape[2], stop * shape[2]
            np.matmul(patches[:b - a], flat, out=y_flat[a:b])
    spread_products(work, blocks)
    return y


def _sum_w(x, dy, shape_w, stride, padding):
    """(R3) dw = patches of x, transposed, times dy; a sum over tiles, then over chunks of the batch."""
    if _winograd.suits(x.shape, shape_w, stride, padding):
        return _winograd.sum_w(x, dy)
    n_batch, height, width, n_out = dy.shape
    n_patch = shape_w[0] * shape_w[1] * shape_w[2]
    rows, _ = _tiles(dy.shape, n_patch, x.itemsize)
    chunks = cut(n_batch * height, -(-n_batch // _CHUNKS) * height)
    dw = np.empty((len(chunks), n_patch, n_out), x.dtype)
    dy_flat = dy.reshape(-1, n_out)

    def work(q, r0, r1):
        patches, part = np.empty((rows * width, n_patch), x.dtype), np.empty(dw.shape[1:], x.dtype)
        for r in range(r0, r1, rows):
            stop = min(r + rows, r1)
            gather(x, patches, (shape_w[0], shape_w[1], stride, padding), (height, width), r, stop)
            a, b = r * width, stop * width
            np.matmul(patches[:b - a].T, dy_flat[a:b], out=dw[q] if r == r0 else part)
            if r > r0:
                dw[q] += part
    spread_products(work, [(q, *chunk) for q, chunk in enumerate(chunks)])
    for q in range(1, len(dw)):
        dw[0] += dw[q]
    return dw[0].reshape(shape_w)


def _scatter(dy, cache):
    """(R4) for any stride: dy times w transposed gives the gradients of patches, and each pixel adds up its own."""
    x, w, stride, padding, (n_batch, height, width, n_out) = cache
    flat = np.ascontiguousarray(w.reshape(-1, n_out).T)
    dx = np.zeros_like(x)

    def work(b0, b1):
        patches = np.empty((height * width, flat.shape[1]), x.dtype)
        for b in range(b0, b1):
            np.matmul(dy[b].reshape(-1, n_out), flat, out=patches)
            add_patches(patches, dx[b], (w.shape[0], w.shape[1], stride, padding), (height, width))
    spread_products(work, cut(n_batch, -(-n_batch // 16)))
    return dx


@njit
def gather(x, patches, kernel, size, r0, r1):
    """Copy the patches seen by rows r0:r1 of the output; where the kernel hangs over the edge there are zeros."""
    kh, kw, stride, padding = kernel
    n_h, n_w = size
    n_c = x.shape[3]
    run = kw * n_c
    pixels = x.reshape(-1)
    out = patches.reshape(-1)
    k = 0
    for r in range(r0, r1):
        b, h = r // n_h, r % n_h
        for v in range(n_w):
            left = v * stride - padding
            j0, j1 = max(0, -left), max(0, min(kw, x.shape[2] - left))
            for i in range(kh):
                row = h * stride - padding + i
                if row < 0 or row >= x.shape[1] or j0 >= j1:
                    for c in range(run):
                        out[k + c] = 0
                else:
                    start = ((b * x.shape[1] + row) * x.shape[2] + left) * n_c
                    lo, hi = j0 * n_c, j1 * n_c
                    for c in range(lo):
                        out[k + c] = 0
                    into, seen = out[k + lo:k + hi], pixels[start + lo:start + hi]
                    for c in range(len(into)):           # views, so that no index can be negative: this loop must be a plain copy
                        into[c] = seen[c]
                    for c in range(hi, run):
                        out[k + c] = 0
                k += run


@njit
def add_patches(patches, dx, kernel, size):
    """Add the gradients of an image's patches to its pixels."""
    kh, kw, stride, padding = kernel
    n_c = dx.shape[2]
    for h in range(size[0]):
        for v in range(size[1]):
            for i in range(kh):
                row = h * stride - padding + i
                for j in range(kw):
                    col = v * stride - padding + j
                    if 0 <= row < dx.shape[0] and 0 <= col < dx.shape[1]:
                        k = (i * kw + j) * n_c
                        for c in range(n_c):
                            dx[row, col, c] += patches[h * size[1] + v, k + c]
