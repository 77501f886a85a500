"""What a spike, silence and a spike's place in a loss mean here, in one place."""

import numpy as np

NO_SPIKE = np.inf
"""The time (t or z) of a spike that never comes."""

Z_MAX = 1e3
"""The z that a loss uses for an output that stayed silent; the gradient there is exactly 0."""
