"""A regulariser that keeps most neurons of a ReLU network at 0; bridge.py trains with it."""

PULL, STRENGTH = -0.7, 0.01        # where the offsets of batch normalisation are drawn to, so that few neurons are active, and how strongly


def sparse(name, w):
    """Return the cost of an offset, and its gradient."""
    if not name.startswith("beta"):
        return 0.0, 0 * w
    return float(STRENGTH / 2 * ((w - PULL) ** 2).sum()), STRENGTH * (w - PULL)
