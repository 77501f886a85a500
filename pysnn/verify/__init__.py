"""Check a forward and backward pass that somebody wrote by hand: ours, or yours.

`gradcheck` compares backward with differences of forward; `compare` sets two functions side by side; `temporal` holds
witnesses for the temporal neuron that share no code with it; `zoo` holds known mistakes, to see that the checks catch
them.
"""

from . import temporal, zoo
from .compare import Comparison, compare
from .gradcheck import Report, gradcheck

__all__ = ["Comparison", "Report", "compare", "gradcheck", "temporal", "zoo"]
