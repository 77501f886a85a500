"""The operations of a ReLU network on whole arrays, real or complex: for sizes at which loops take too long, and for their derivatives.

With decisions taken by real parts, each is analytic at a point; Im f(x + ih x')/h is its derivative along x', without any subtraction. That
is what `transpose_identity` holds against a backward pass.
"""

import numpy as np

STEP = 1e-20


def dense(x, w, b=None):
    """Compute x w + b.

    Parameters
    ----------
    x, w, b : arrays
        As for `pysnn.verify.witness.relu.dense`, which has the definition.

    Returns
    -------
    (B, N_out) array
        The sums.
    """
    y = (x[:, :, None] * w).sum(axis=1)
    return y if b is None else y + b


def _windows(x, size, stride):
    """List the entries of all windows of images: one array for each place in a window, in row-major order."""
    rows, cols = ((n - k) // stride + 1 for n, k in zip(x.shape[1:3], size, strict=True))
    return [x[:, i:i + stride * (rows - 1) + 1:stride, j:j + stride * (cols - 1) + 1:stride] for i, j in np.ndindex(*size)]


def conv2d(x, w, stride=1, padding=0):
    """Correlate images with a kernel.

    Parameters
    ----------
    x, w, stride, padding : arrays, int
        As for `pysnn.verify.witness.relu.conv2d`.

    Returns
    -------
    (B, H_out, W_out, C_out) array
        The sums.
    """
    p = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    return sum(a @ b for a, b in zip(_windows(p, w.shape[:2], stride), w.reshape(-1, *w.shape[2:]), strict=True))


def max_pool2d(x, size=2, stride=None):
    """Take the first of the largest of each window.

    Parameters
    ----------
    x, size, stride : array, int
        As for `pysnn.verify.witness.relu.pool`.

    Returns
    -------
    (B, H_out, W_out, C) array
        One number a window.
    """
    places = np.stack(_windows(x, (size, size), stride or size))
    return np.take_along_axis(places, places.real.argmax(axis=0)[None], axis=0)[0]


def avg_pool2d(x, size=2, stride=None):
    """Average each window.

    Parameters
    ----------
    x, size, stride : array, int
        As for `pysnn.verify.witness.relu.pool`.

    Returns
    -------
    (B, H_out, W_out, C) array
        One number a window.
    """
    return sum(_windows(x, (size, size), stride or size)) / size ** 2


def batch_norm(x, gamma, beta, mean=None, var=None, eps=1e-5):
    """Normalise each channel, then scale and shift it.

    Parameters
    ----------
    x, gamma, beta, mean, var, eps : arrays, float
        As for `pysnn.verify.witness.relu.batch_norm`.

    Returns
    -------
    array like x
        The result.
    """
    if mean is None:
        axes = tuple(range(x.ndim - 1))
        mean = x.mean(axis=axes)
        var = ((x - mean) ** 2).mean(axis=axes)
    return gamma * (x - mean) / np.sqrt(var + eps) + beta


def relu(x, top=np.inf):
    """Clip to [0, top].

    Parameters
    ----------
    x : array
        Any shape.
    top : float
        Where the output ends.

    Returns
    -------
    array like x
        The result.
    """
    return np.where(x.real <= 0, 0, np.where(x.real >= top, top, x))


def transpose_identity(definition, args, places, dy, grads, rng):
    """Compare gradients, J^T dy, with derivatives along random directions, J x': <dy, J x'> must be <J^T dy, x'>, in each argument.

    Parameters
    ----------
    definition : callable
        ``definition(*args) -> y`` for complex arrays.
    args : tuple
        Where.
    places : sequence of int
        Which arguments have a gradient.
    dy : array
        What was given to backward.
    grads : sequence of arrays
        What it returned, in the order of `places`.
    rng : numpy.random.Generator
        For the directions.

    Returns
    -------
    list of float
        For each gradient the difference of the two products over the sum of the absolute terms of either; inf if all terms are 0.
    """
    gaps = []
    for k, grad in zip(places, grads, strict=True):
        direction = rng.normal(size=np.shape(args[k]))
        moved = [x + 1j * STEP * direction if i == k else x for i, x in enumerate(args)]
        left, right = dy * definition(*moved).imag / STEP, grad * direction
        size = max(float(np.abs(left).sum()), float(np.abs(right).sum()))
        gaps.append(abs(float(left.sum() - right.sum())) / size if size != 0 else np.inf)
    return gaps
