"""Surrogates of any kind: those that the operations compute, further shapes, other heights and centres, and functions of your own.

A shape is known by its soft step G alone, (I7) of docs/derivations/integrate-and-fire.md; the surrogate is G', taken by a complex step, so
that there is no second list of formulas. x is V - threshold.
"""

import math
from typing import NamedTuple

import numpy as np

from ...conventions import SURROGATES, Surrogate

NODES, WEIGHTS = np.polynomial.legendre.leggauss(24)


class Shape(NamedTuple):
    """A surrogate with a height and a centre of its own."""

    kind: str                       # one of KINDS
    slope: float = 1.0              # steepness, in units of 1/potential
    height: float | None = None     # G' at its peak; None: that of the kind, so that G rises by 1 over all x, for fast_sigmoid that it is 1
    centre: float = 0.0             # where the peak is, in x


def _middle(x, otherwise, width):
    """Take x within a width around 0, else half a step."""
    return np.where(np.abs(x.real) < width, otherwise, np.sign(x.real) / 2)


def _size(x):
    return np.where(x.real >= 0, x, -x)


def _erf(y):
    """Return erf of y, whose imaginary part is 0 or tiny."""
    value = np.vectorize(math.erf, otypes=[float])(y.real)
    return value + 1j * y.imag * 2 / np.sqrt(np.pi) * np.exp(-y.real ** 2) if np.iscomplexobj(y) else value


def _sigmoid(x):
    e = np.exp(-_size(x))
    return np.where(x.real >= 0, 1, e) / (1 + e)


STEPS = {              # G(y), y = slope times x; G' at 0, in units of the slope
    "atan": (lambda y: np.arctan(np.pi / 2 * y) / np.pi, 0.5),
    "fast_sigmoid": (lambda y: y / (1 + _size(y)), 1.0),
    "sigmoid": (_sigmoid, 0.25),
    "triangle": (lambda y: _middle(y, y - y * _size(y) / 2, 1), 1.0),
    "boxcar": (lambda y: _middle(y, y, 0.5), 1.0),
    "erf": (lambda y: _erf(y) / 2, 1 / np.sqrt(np.pi)),
    "gaussian": (lambda y: _erf(y / np.sqrt(2)) / 2, 1 / np.sqrt(2 * np.pi)),
    "exponential": (lambda y: np.where(y.real >= 0, 1, -1) * (1 - np.exp(-_size(y))) / 2, 0.5),
    "constant": (lambda y: y, 1.0),
}
KINDS = tuple(STEPS)
"""The words that a Shape may hold. With slope k: boxcar is k where |x| < 1/(2k), triangle reaches 1/k, gaussian has the deviation 1/k,
erf is k / sqrt(pi) exp(-(kx)^2), exponential k/2 exp(-k|x|), constant 1 everywhere (straight through)."""


def of(value, name="surrogate"):
    """Read a surrogate.

    Parameters
    ----------
    value : Surrogate, Shape, callable, or tuple of up to four
        A tuple is (kind, slope, height, centre); a callable gives G'(x) for an array of x.
    name : str
        For errors.

    Returns
    -------
    Surrogate, Shape or callable
        A Surrogate where it is one of those that operations compute.

    Raises
    ------
    ValueError
        For an unknown kind, or numbers that are not finite, or a slope or height that is not positive.
    """
    if callable(value) or isinstance(value, Surrogate):
        return value
    try:
        shape = Shape(*value)
        numbers = [float(x) for x in shape[1:] if x is not None]
    except (TypeError, ValueError):
        raise ValueError(f"{name}: expected (kind, slope), also with height and centre, or a function, got {value!r}") from None
    if shape.kind not in KINDS:
        raise ValueError(f"{name}: expected one of {', '.join(KINDS)}, or a function of V - threshold, got {shape.kind!r}")
    if not np.isfinite(numbers).all() or min(numbers[:len(numbers) - 1] or numbers) <= 0:
        raise ValueError(f"{name}: expected a slope and a height above 0, got {value!r}")
    natural = shape.kind in SURROGATES["kind"] and shape.centre == 0 and shape.height in (None, height(shape._replace(height=None)))
    return Surrogate(shape.kind, float(shape.slope)) if natural else shape


def height(surrogate):
    """Return the largest value of a surrogate that is no callable.

    Parameters
    ----------
    surrogate : Surrogate or Shape
        Which.

    Returns
    -------
    float
        G' at its centre.
    """
    own = surrogate.height if isinstance(surrogate, Shape) else None
    if own is not None:
        return own
    return STEPS[surrogate.kind][1] * (1.0 if surrogate.kind in ("fast_sigmoid", "constant") else surrogate.slope)


def soft_step(x, surrogate, start=0.0):
    """Evaluate the soft step G.

    Parameters
    ----------
    x : array, real or complex
        V - threshold.
    surrogate : Surrogate, Shape or callable
        Which. Of a callable G is its integral from `start`, by 24 nodes: exact to rounding where the two are near and it is smooth between.
    start : array, real
        As above; of others it is of no account.

    Returns
    -------
    array like x
        G(x), but for a constant.
    """
    x = np.asarray(x)
    if callable(surrogate):
        half = (x - start) / 2
        if not half.any():
            return half
        return half * np.tensordot(WEIGHTS, np.asarray(surrogate(start + np.multiply.outer(1 + NODES, half))), 1)
    step, peak = STEPS[surrogate.kind]
    slope = 1.0 if surrogate.kind == "constant" else surrogate.slope
    centre = surrogate.centre if isinstance(surrogate, Shape) else 0.0
    return step(slope * (x - centre)) * (height(surrogate) / (peak * slope))


def derivative(x, surrogate):
    """Evaluate the surrogate G'.

    Parameters
    ----------
    x : array
        V - threshold.
    surrogate : Surrogate, Shape or callable
        Which.

    Returns
    -------
    array like x
        G'(x).
    """
    if callable(surrogate):
        return np.broadcast_to(np.asarray(surrogate(x), float), np.shape(x))
    h = 1e-20
    return soft_step(np.asarray(x) + 1j * h, surrogate).imag / h


def words(surrogate):
    """Say a surrogate in words.

    Parameters
    ----------
    surrogate : Surrogate, Shape or callable
        Which.

    Returns
    -------
    str
        Such as "triangle of slope 2 and height 0.3".
    """
    if callable(surrogate):
        return f"the function {getattr(surrogate, '__name__', 'of the file')}"
    said = f"{surrogate.kind} of slope {surrogate.slope:.10g}" if surrogate.kind != "constant" else "constant"
    if isinstance(surrogate, Shape):
        said += f" and height {surrogate.height:.10g}" if surrogate.height is not None else ""
        said += f", centred at threshold {surrogate.centre:+.10g}" if surrogate.centre else ""
    return said
