"""The operations of a ReLU network by their definitions, number by number, in plain loops; to hold others against."""

import math

import numpy as np


def _loops(shape, value):
    """Fill an array entry by entry; sums are exact (math.fsum)."""
    return np.array([value(*at) for at in np.ndindex(*shape)]).reshape(shape)


def dense(x, w, b=None):
    """Compute x w + b; x (B, N_in), w (N_in, N_out), b (N_out,)."""
    return _loops((len(x), w.shape[1]), lambda n, j: math.fsum([*(x[n] * w[:, j]), 0 if b is None else b[j]]))


def conv2d(x, w, stride=1, padding=0):
    """Correlate x (B, H, W, C_in) with w (kh, kw, C_in, C_out)."""
    p = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    rows, cols = ((p.shape[k + 1] - w.shape[k]) // stride + 1 for k in (0, 1))
    return _loops((len(x), rows, cols, w.shape[3]), lambda n, i, j, c: math.fsum(
        (p[n, i * stride:i * stride + w.shape[0], j * stride:j * stride + w.shape[1]] * w[..., c]).ravel()))


def pool(x, best, size=2, stride=None):
    """Reduce windows of x (B, H, W, C) by a function of their numbers in row-major order."""
    stride = stride or size
    rows, cols = ((n - size) // stride + 1 for n in x.shape[1:3])
    return _loops((len(x), rows, cols, x.shape[3]),
                  lambda n, i, j, c: best(x[n, i * stride:i * stride + size, j * stride:j * stride + size, c].ravel()))


def batch_norm(x, gamma, beta, mean=None, var=None, eps=1e-5):
    """Normalise each channel of x (..., C)."""
    rows = x.reshape(-1, x.shape[-1])
    if mean is None:
        mean = np.array([math.fsum(r) / len(r) for r in rows.T])
        var = np.array([math.fsum((r - m) ** 2) / len(r) for r, m in zip(rows.T, mean, strict=True)])
    return gamma * (x - mean) / np.sqrt(var + eps) + beta


def relu(x, top=np.inf):
    """Clip to [0, top], number by number."""
    return _loops(x.shape, lambda *at: min(max(x[at], 0.0), top))
