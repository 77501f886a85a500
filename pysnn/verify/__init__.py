"""Check a forward and backward pass that somebody wrote by hand: ours, or yours.

`gradcheck` compares backward with differences of forward; `compare` sets two functions side by side; `temporal` holds
witnesses for the temporal neuron that share no code with it, `surrogate` those for integrate-and-fire neurons and surrogate
gradients; `zoo` and `zoo_ops` hold known mistakes, to see that the checks catch them.
"""

from . import surrogate, temporal, zoo, zoo_ops
from .compare import Comparison, compare
from .gradcheck import Report, gradcheck

__all__ = ["Comparison", "Report", "compare", "gradcheck", "surrogate", "temporal", "zoo", "zoo_ops"]
