"""Numbers that every float type holds: whole numbers over a power of two."""



def whole(rng, low, high, shape, parts):
    """Draw dyadic numbers."""
    return rng.integers(round(low * parts), round(high * parts), shape) / parts


def short(x):
    """Round to 10 binary places."""
    return round(1024 * x) / 1024
