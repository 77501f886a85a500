"""ReLU, flattening and dropout, written to be read (NumPy). docs/derivations/convolution-and-pooling.md derives (R11),
(R12) and (R14).
"""

from typing import NamedTuple

import numpy as np

from .. import _checks


class ReluCache(NamedTuple):
    """What backward of ReLU needs of forward; opaque."""

    y: np.ndarray        # before it is rounded to levels
    top: float


class FlattenCache(NamedTuple):
    """What backward of flattening needs of forward; opaque."""

    shape: tuple         # of x
    dtype: np.dtype


class DropoutCache(NamedTuple):
    """What backward of dropout needs of forward; opaque."""

    kept: np.ndarray     # bool, like x
    dtype: np.dtype
    scale: float


def relu_forward(x, top=np.inf, levels=0):
    """Replace negative numbers by 0, and those above `top` by `top`; with `levels`, round to steps of top/levels.

    Parameters
    ----------
    x : array, float32 or float64
        Any shape.
    top : float
        Where the output ends; inf: nowhere.
    levels : int
        How many steps lie between 0 and top; 0: it is not rounded. The gradient takes no notice of the rounding.

    Returns
    -------
    y : array like x
        a = min(max(x, 0), top), or floor(a levels/top + 1/2) top/levels.
    cache : ReluCache
        For `relu_backward`; refers to y.

    Raises
    ------
    TypeError, ValueError
        For anything but float32 or float64, an empty array, or a top that is not positive.
    """
    x, top = _checks.relu(x, top, levels)
    y = np.minimum(np.maximum(x, 0), top)                                # (R11)
    cache, n = ReluCache(y, top), x.dtype.type(levels)
    return np.floor(y * (n / top) + x.dtype.type(0.5)) * (top / n) if levels else y, cache      # (R14)


def relu_backward(dy, cache):
    """Pull a gradient back through `relu_forward`; where x is 0 or less, or `top` or more, it is 0.

    Parameters
    ----------
    dy : array like y
        Gradient of the loss with respect to y.
    cache : ReluCache
        From `relu_forward`.

    Returns
    -------
    array like x
        Gradient with respect to x.

    Raises
    ------
    TypeError, ValueError
        If dy is not like y.
    """
    dy = _checks.gradient(dy, cache.y)
    return np.where((cache.y > 0) & (cache.y < cache.top), dy, 0)        # (R11) y = min(max(x, 0), top)


def flatten_forward(x):
    """Lay each sample out in one row, in the order H, W, C.

    Parameters
    ----------
    x : (B, ...) array, float32 or float64
        2 dimensions or more.

    Returns
    -------
    y : (B, N) array
        A view of x, if x is contiguous.
    cache : FlattenCache
        For `flatten_backward`.

    Raises
    ------
    TypeError, ValueError
        For anything but float32 or float64, an empty array, or a single dimension.
    """
    x = _checks.samples(x)
    return x.reshape(len(x), -1), FlattenCache(x.shape, x.dtype)


def flatten_backward(dy, cache):
    """Give a gradient the shape that x had.

    Parameters
    ----------
    dy : (B, N) array
        Gradient of the loss with respect to y.
    cache : FlattenCache
        From `flatten_forward`.

    Returns
    -------
    array like x
        Gradient with respect to x; a view of dy, if dy is contiguous.

    Raises
    ------
    TypeError, ValueError
        If dy is not like y.
    """
    n = int(np.prod(cache.shape[1:]))
    return _checks.gradient(dy, ((cache.shape[0], n), cache.dtype)).reshape(cache.shape)


def dropout_forward(x, p, rng):
    """Set each number to 0 with probability p, and scale the others so that the mean stays.

    Parameters
    ----------
    x : array, float32 or float64
        Any shape.
    p : float
        Probability, from 0 to below 1.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    y : array like x
        0, or x / (1 - p).
    cache : DropoutCache
        For `dropout_backward`.

    Raises
    ------
    TypeError, ValueError
        For anything but float32 or float64, an empty array, a p outside its range, or no generator.
    """
    x, p = _checks.dropout(x, p, rng)
    kept = rng.random(x.shape, dtype=np.float32) >= p
    cache = DropoutCache(kept, x.dtype, x.dtype.type(1 / (1 - p)))
    return np.where(kept, x * cache.scale, 0), cache                     # (R12)


def dropout_backward(dy, cache):
    """Pull a gradient back through `dropout_forward`.

    Parameters
    ----------
    dy : array like y
        Gradient of the loss with respect to y.
    cache : DropoutCache
        From `dropout_forward`.

    Returns
    -------
    array like x
        Gradient with respect to x.

    Raises
    ------
    TypeError, ValueError
        If dy is not like y.
    """
    dy = _checks.gradient(dy, (cache.kept.shape, cache.dtype))
    return np.where(cache.kept, dy * cache.scale, 0)                     # (R12) y = x / (1 - p) where kept
