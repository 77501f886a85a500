"""All faults of the zoo."""

from . import learning, relu, spiking


def every():
    """Collect the faults of this module, of `zoo_ops` and of `zoo_learning`.

    Returns
    -------
    dict of str to Fault
        All sixteen, by name.
    """
    return {**spiking.FAULTS, **learning.FAULTS, **relu.FAULTS}
