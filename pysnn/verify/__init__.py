"""Check a forward and backward pass that somebody wrote by hand: ours, yours, or a framework's.

`gradcheck` compares backward with differences of forward; `compare` sets two functions side by side; `temporal` holds witnesses for the
temporal neuron that share no code with it, `surrogate` those for integrate-and-fire neurons and surrogate gradients; `oracle` and
`oracle_spikes` solve their definitions to 50 digits or without rounding (both need mpmath), and `golden` is the set of vectors made of
that. `identify` finds out which convention a black-box layer follows, `adapters` make layers of other people's code, `findings` are what
was found in released frameworks. `suite` runs all checks of an operation and `ledger` holds what they say; `zoo` holds known mistakes, to
see that the checks catch them.
"""

import sys

from . import golden, oracle, zoo
from .compare import Comparison, compare
from .frameworks import adapters, findings, neurons
from .gradcheck import Report, gradcheck
from .identify import Identified, identify
from .report import ledger
from .report.ledger import Entry, Ledger
from .witness import integrate_fire, relu, temporal

__all__ = ["Comparison", "Entry", "Identified", "Ledger", "Report", "adapters", "compare", "findings", "golden", "gradcheck",
           "identify", "integrate_fire", "ledger", "neurons", "oracle", "relu", "temporal", "zoo"]

for _module in (adapters, findings, ledger):       # their paths in version 0.1: pysnn.verify.ledger, ...
    sys.modules[f"{__name__}.{_module.__name__.rpartition('.')[2]}"] = _module
