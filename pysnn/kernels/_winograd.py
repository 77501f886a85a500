"""3 x 3 convolutions in 4/9 of the products: Winograd's F(2 x 2, 3 x 3), for kernels/conv.py.

A tile is 2 x 2 pixels of the output; it sees 4 x 4 pixels d of the input. (R13) y = A^T [(G w G^T) * (B^T d B)] A with fixed matrices
B, G and A: 16 products a tile and pair of channels, where the plain way takes 36. The numbers in the matrices are 0, 1 and 1/2, so sums
that are exact in floating point stay exact. The gradient of w is the same, read backwards: G^T [sum of (B^T d B) * (A dy A^T)] G.
A. Lavin, S. Gray, arXiv 1509.09308.
"""

import numpy as np

from .._blas import spread_products
from .._jit import njit
from .._threads import cut

_BYTES = 1_500_000    # of transformed tiles at a time: about the second-level cache
_BLOCKS = 32          # parts of the work handed out to threads
_CHUNKS = 8           # parts of the batch whose dw are summed one by one


def suits(shape, shape_w, stride, padding):
    """Tell whether tiles save enough: enough channels, and an image that 2 x 2 pixels fill without much waste."""
    height, width = shape[1:3]
    n_tiles = -(-height // 2) * -(-width // 2)
    return (shape_w[:2] == (3, 3) and stride == padding == 1 and min(shape_w[2:]) >= 32
            and 9 * height * width >= 1.5 * 16 * n_tiles)


def transformed(w):
    """Transform a kernel (3, 3, C_in, C_out) into (16, C_in, C_out): G w G^T of (R13)."""
    u = np.empty((4, 4, *w.shape[2:]), w.dtype)
    for into, row in zip(u, _by_g(*w), strict=True):
        into[:] = _by_g(*row)
    return u.reshape(16, *w.shape[2:])


def _by_g(a, b, c):
    """Multiply three arrays by G."""
    half = a.dtype.type(0.5)
    ends, middle = (a + c) * half, b * half
    return a, ends + middle, ends - middle, c


def correlate(x, w):
    """Correlate images (B, H, W, C) with a 3 x 3 kernel, zero padding 1."""
    u, y = transformed(w), np.empty((*x.shape[:3], w.shape[3]), x.dtype)
    n, n_tiles = _at_a_time(u), _n_tiles(x)
    spread_products(lambda k0, k1: into(x, u, y, k0, k1), cut(n_tiles, -(-n_tiles // (_BLOCKS * n)) * n))
    return y


def into(x, u, y, k0=0, k1=None):
    """(R13) correlate for tiles k0:k1 of all tiles of all images, by the calling thread."""
    n, k1 = _at_a_time(u), _n_tiles(x) if k1 is None else k1
    v, m = np.empty((16, n, u.shape[1]), x.dtype), np.empty((16, n, u.shape[2]), x.dtype)
    zero, junk = np.zeros(u.shape[1], x.dtype), np.empty(u.shape[2], x.dtype)
    for k in range(k0, k1, n):
        stop = min(k + n, k1)
        _transform(x, zero, v, k, stop)
        np.matmul(v[:, :stop - k], u, out=m[:, :stop - k])
        _back(m, y, junk, k, stop)


def sum_w(x, dy):
    """(R13) compute the gradient of a 3 x 3 kernel with padding 1."""
    shape = 16, x.shape[3], dy.shape[3]
    n, n_tiles = _at_a_time(np.empty(shape, x.dtype)), _n_tiles(x)
    chunks = cut(n_tiles, -(-n_tiles // _CHUNKS))
    du = np.empty((len(chunks), *shape), x.dtype)

    def work(q, k0, k1):
        v, d, part = (np.empty(some, x.dtype) for some in ((16, n, shape[1]), (16, n, shape[2]), shape))
        zeros = np.zeros(shape[1], x.dtype), np.zeros(shape[2], x.dtype)
        for k in range(k0, k1, n):
            stop = min(k + n, k1)
            _transform(x, zeros[0], v, k, stop)
            _transform_d(dy, zeros[1], d, k, stop)
            np.matmul(v[:, :stop - k].transpose(0, 2, 1), d[:, :stop - k], out=du[q] if k == k0 else part)
            if k > k0:
                du[q] += part
    spread_products(work, [(q, *chunk) for q, chunk in enumerate(chunks)])
    for q in range(1, len(du)):
        du[0] += du[q]
    du, dw = du[0].reshape(4, 4, *shape[1:]), np.empty((3, 3, *shape[1:]), x.dtype)
    for into, row in zip(dw, _by_g_turned(*du), strict=True):
        into[:] = _by_g_turned(*row)
    return dw


def _by_g_turned(a, b, c, d):
    """Multiply four arrays by G^T."""
    half = a.dtype.type(0.5)
    plus, minus = (b + c) * half, (b - c) * half
    return a + plus, minus, d + plus


def _at_a_time(u):
    """Choose how many tiles to transform at a time."""
    return max(64, _BYTES // (u.itemsize * 16 * (u.shape[1] + u.shape[2])) // 16 * 16)


def _n_tiles(x):
    return len(x) * -(-x.shape[1] // 2) * -(-x.shape[2] // 2)


@njit
def _transform(x, zero, v, k0, k1):
    """B^T d B for tiles k0:k1; beyond the edge there are zeros. Four outputs at a time, or the loops would not become vectors."""
    n_h, n_w, n_c = x.shape[1], x.shape[2], x.shape[3]
    rows, cols = (n_h + 1) // 2, (n_w + 1) // 2
    pixels = x.reshape(-1, n_c)
    for k in range(k0, k1):
        tile = k % (rows * cols)
        r, q = 2 * (tile // cols) - 1, 2 * (tile % cols) - 1
        at, i = (k // (rows * cols) * n_h + r) * n_w + q, k - k0
        up, down, end = r >= 0, r + 2 < n_h, r + 3 < n_h
        left, right, stop = q >= 0, q + 2 < n_w, q + 3 < n_w
        a0, a1 = pixels[at] if up and left else zero, pixels[at + 1] if up else zero
        a2, a3 = pixels[at + 2] if up and right else zero, pixels[at + 3] if up and stop else zero
        at += n_w
        b0, b1 = pixels[at] if left else zero, pixels[at + 1]
        b2, b3 = pixels[at + 2] if right else zero, pixels[at + 3] if stop else zero
        at += n_w
        c0, c1 = pixels[at] if down and left else zero, pixels[at + 1] if down else zero
        c2, c3 = pixels[at + 2] if down and right else zero, pixels[at + 3] if down and stop else zero
        at += n_w
        d0, d1 = pixels[at] if end and left else zero, pixels[at + 1] if end else zero
        d2, d3 = pixels[at + 2] if end and right else zero, pixels[at + 3] if end and stop else zero
        y0, y1, y2, y3 = v[0, i], v[1, i], v[2, i], v[3, i]
        for c in range(n_c):
            e, f, g, h = a0[c] - c0[c], a1[c] - c1[c], a2[c] - c2[c], a3[c] - c3[c]
            y0[c], y1[c], y2[c], y3[c] = e - g, f + g, g - f, f - h
        y0, y1, y2, y3 = v[4, i], v[5, i], v[6, i], v[7, i]
        for c in range(n_c):
            e, f, g, h = b0[c] + c0[c], b1[c] + c1[c], b2[c] + c2[c], b3[c] + c3[c]
            y0[c], y1[c], y2[c], y3[c] = e - g, f + g, g - f, f - h
        y0, y1, y2, y3 = v[8, i], v[9, i], v[10, i], v[11, i]
        for c in range(n_c):
            e, f, g, h = c0[c] - b0[c], c1[c] - b1[c], c2[c] - b2[c], c3[c] - b3[c]
            y0[c], y1[c], y2[c], y3[c] = e - g, f + g, g - f, f - h
        y0, y1, y2, y3 = v[12, i], v[13, i], v[14, i], v[15, i]
        for c in range(n_c):
            e, f, g, h = b0[c] - d0[c], b1[c] - d1[c], b2[c] - d2[c], b3[c] - d3[c]
            y0[c], y1[c], y2[c], y3[c] = e - g, f + g, g - f, f - h


@njit
def _back(m, y, junk, k0, k1):
    """A^T m A for tiles k0:k1; what lies beyond the edge goes to `junk`."""
    n_h, n_w, n_c = y.shape[1], y.shape[2], y.shape[3]
    rows, cols = (n_h + 1) // 2, (n_w + 1) // 2
    pixels = y.reshape(-1, n_c)
    for k in range(k0, k1):
        tile = k % (rows * cols)
        r, q = 2 * (tile // cols), 2 * (tile % cols)
        at, i = (k // (rows * cols) * n_h + r) * n_w + q, k - k0
        right, down = q + 1 < n_w, r + 1 < n_h
        y0, y1 = pixels[at], pixels[at + 1] if right else junk
        y2, y3 = pixels[at + n_w] if down else junk, pixels[at + n_w + 1] if right and down else junk
        m0, m1, m2, m3 = m[0, i], m[1, i], m[2, i], m[3, i]
        m4, m5, m6, m7 = m[4, i], m[5, i], m[6, i], m[7, i]
        m8, m9, m10, m11 = m[8, i], m[9, i], m[10, i], m[11, i]
        m12, m13, m14, m15 = m[12, i], m[13, i], m[14, i], m[15, i]
        for c in range(n_c):
            e0, e1, e2, e3 = m0[c] + (m4[c] + m8[c]), m1[c] + (m5[c] + m9[c]), m2[c] + (m6[c] + m10[c]), m3[c] + (m7[c] + m11[c])
            f0, f1 = (m4[c] - m8[c]) - m12[c], (m5[c] - m9[c]) - m13[c]
            f2, f3 = (m6[c] - m10[c]) - m14[c], (m7[c] - m11[c]) - m15[c]
            y0[c], y1[c] = e0 + (e1 + e2), (e1 - e2) - e3
            y2[c], y3[c] = f0 + (f1 + f2), (f1 - f2) - f3


@njit
def _transform_d(dy, zero, v, k0, k1):
    """A dy A^T for tiles k0:k1."""
    n_h, n_w, n_c = dy.shape[1], dy.shape[2], dy.shape[3]
    rows, cols = (n_h + 1) // 2, (n_w + 1) // 2
    pixels = dy.reshape(-1, n_c)
    for k in range(k0, k1):
        tile = k % (rows * cols)
        r, q = 2 * (tile // cols), 2 * (tile % cols)
        at, i = (k // (rows * cols) * n_h + r) * n_w + q, k - k0
        right, down = q + 1 < n_w, r + 1 < n_h
        d0, d1 = pixels[at], pixels[at + 1] if right else zero
        d2, d3 = pixels[at + n_w] if down else zero, pixels[at + n_w + 1] if right and down else zero
        y0, y1, y2, y3 = v[0, i], v[1, i], v[2, i], v[3, i]
        for c in range(n_c):
            e, f = d0[c], d1[c]
            y0[c], y1[c], y2[c], y3[c] = e, e + f, e - f, -f
        y0, y1, y2, y3 = v[4, i], v[5, i], v[6, i], v[7, i]
        for c in range(n_c):
            e, f = d0[c] + d2[c], d1[c] + d3[c]
            y0[c], y1[c], y2[c], y3[c] = e, e + f, e - f, -f
        y0, y1, y2, y3 = v[8, i], v[9, i], v[10, i], v[11, i]
        for c in range(n_c):
            e, f = d0[c] - d2[c], d1[c] - d3[c]
            y0[c], y1[c], y2[c], y3[c] = e, e + f, e - f, -f
        y0, y1, y2, y3 = v[12, i], v[13, i], v[14, i], v[15, i]
        for c in range(n_c):
            e, f = -d2[c], -d3[c]
            y0[c], y1[c], y2[c], y3[c] = e, e + f, e - f, -f
