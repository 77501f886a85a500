"""Numbers that every float type holds: whole numbers over a power of two."""


def whole(rng, low, high, shape, parts):
    """Draw dyadic numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    low, high : float
        Bounds.
    shape : int or tuple
        Of the array.
    parts : int
        A power of two: the numbers are whole numbers over it.

    Returns
    -------
    float64 array
        The numbers.
    """
    return rng.integers(round(low * parts), round(high * parts), shape) / parts


def short(x):
    """Round to 10 binary places.

    Parameters
    ----------
    x : float
        A number.

    Returns
    -------
    float
        The nearest of 1024 steps.
    """
    return round(1024 * x) / 1024
