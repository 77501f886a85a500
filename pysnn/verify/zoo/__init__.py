"""Known mistakes, ready to be put into a working operation, to see that the checks catch them.

Some were made in public code or threads, some are made up; `source` says which. No code is copied: each is written here
anew, as small as it can be.
"""

from ...operations import Pair as Op
from . import leaky, learning, relu, spiking, times
from .fault import Fault
from .spiking import FAULTS, own_surrogate, spike_gradients, spike_times

__all__ = ["FAULTS", "Fault", "Op", "every", "own_surrogate", "spike_gradients", "spike_times"]


def every():
    """Collect the faults of all files of the zoo.

    Returns
    -------
    dict of str to Fault
        All thirty-six, by name.
    """
    return {**spiking.FAULTS, **learning.FAULTS, **relu.FAULTS, **leaky.FAULTS, **times.FAULTS}
