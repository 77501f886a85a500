"""Numbers without rounding, or with 60 digits, in NumPy arrays of objects; what all oracles compute with. mpmath is imported on use."""

import functools
import math

import numpy as np

DIGITS = 50              # that an oracle vouches for


@functools.cache
def context():
    """Return the numbers that all oracles compute with: mpmath at 60 digits, apart from mpmath's global precision.

    Returns
    -------
    mpmath context
        With mpf, exp, log, sqrt, pi.

    Raises
    ------
    ImportError
        If mpmath is not installed.
    """
    try:
        import mpmath
    except ImportError:
        raise ImportError('pysnn.verify.oracle needs mpmath: pip install mpmath') from None
    ctx = mpmath.MPContext()
    ctx.dps = DIGITS + 10
    return ctx


def exact(x):
    """Turn floats into mpf, without rounding.

    Parameters
    ----------
    x : number or array
        float32, float64 or mpf; inf passes.

    Returns
    -------
    object array of mpf
        Like x.
    """
    convert = np.frompyfunc(context().mpf, 1, 1)
    x = np.asarray(x)
    return np.asarray(convert(x if x.dtype == object else x.astype(np.float64)), dtype=object)


def rounded(x):
    """Turn mpf, fractions or integers into float64, rounding once, to nearest.

    Parameters
    ----------
    x : number or array
        What an oracle returned.

    Returns
    -------
    float64 array
        Like x; inf where x is inf or too large.
    """
    flat = [_to_float(value) for value in np.asarray(x, dtype=object).flat]
    return np.array(flat, dtype=np.float64).reshape(np.shape(x))


def _to_float(x):
    if not hasattr(x, "_mpf_"):
        return float(x)                                                  # int and Fraction round to nearest
    if not context().isfinite(x):
        return float(x)
    man, power = _whole(x)
    try:
        return float(man << power) if power >= 0 else man / (1 << -power)      # int / int rounds to nearest
    except OverflowError:
        return math.copysign(math.inf, man)


def _whole(x):
    """Split a float or mpf into a whole number and a power of two."""
    if hasattr(x, "_mpf_"):
        man, power = x.man_exp
        return (-int(man) if x < 0 else int(man)), int(power)
    top, bottom = float(x).as_integer_ratio()
    return top, 1 - bottom.bit_length()


def dyadic(*arrays):
    """Write finite floats or mpf as whole numbers times one power of two.

    Parameters
    ----------
    *arrays : arrays
        Finite numbers.

    Returns
    -------
    arrays : list of object arrays of int
        x = whole / 2**shift, without rounding.
    shift : int
        The same for all.
    """
    split = [[_whole(x) for x in np.asarray(a).flat] for a in arrays]
    shift = max([0, *(-power for one in split for man, power in one if man)])
    whole = []
    for a, one in zip(arrays, split, strict=True):
        out = np.empty(len(one), dtype=object)
        out[:] = [man << (shift + power) if man else 0 for man, power in one]
        whole.append(out.reshape(np.shape(a)))
    return whole, shift


def ulps(got, wanted):
    """Measure an error in units in the last place of the exact result.

    Parameters
    ----------
    got : array, float32 or float64
        Finite results.
    wanted : object array
        Exact results, finite and not 0.

    Returns
    -------
    float64 array
        |got - wanted| over the distance of two neighbouring floats at `wanted`, in the dtype of got.
    """
    got = np.asarray(got)
    spacing = np.spacing(np.abs(rounded(wanted)).astype(got.dtype)).astype(np.float64)
    return rounded(np.abs(exact(got) - exact(wanted)) / exact(spacing))
