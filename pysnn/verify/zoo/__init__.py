"""Known mistakes, ready to be put into a working operation, to see that the checks catch them.

Some were made in public, some are made up; `source` says which. None is taken from anybody's code: each is written here
anew, as small as it can be.
"""

from .catalogue import every
from .fault import Fault, Op
from .spiking import FAULTS, own_surrogate

__all__ = ["FAULTS", "Fault", "Op", "every", "own_surrogate"]
