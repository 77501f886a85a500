"""Check a forward and backward pass that somebody wrote by hand: ours, yours, or a framework's.

    gradcheck     compares backward with differences of forward
    compare       sets two functions side by side
    witness       checks of the temporal neuron, of integrate-and-fire and leaky neurons and of ReLU networks that share no code with them
    steps         any neuron: one step that you write is the truth for outputs and for the gradient of every argument
    oracle        solves their definitions to 50 digits, or without rounding (needs mpmath)
    golden        the test vectors made from the oracle
    suite         runs all checks of an operation: of ours, or of yours; `check_against_step` those of a layer against a step
    student       loads yours from a file, and names the mistake if it is a known one
    zoo           known mistakes, to see that the checks catch them
    blackbox      any layer of any framework, by one line: finds out how it is called and what it follows, and checks it
    identify      finds out which convention a black-box layer follows; `conventions` has those of released frameworks
    frameworks    `adapters` turn code of other frameworks into layers, `parametric` into layers with parameters; `findings` are statements
                  about them that you can run
    conformance   runs neurons of frameworks case by case, against what they say of themselves
    report        a ledger holds the results of many checks; as a table, as JSON, as a page
"""

import sys

from . import blackbox, golden, oracle, zoo
from .compare import Comparison, compare
from .frameworks import adapters, findings, neurons, parametric
from .gradcheck import Report, gradcheck
from .identify import Identified, identify
from .report import ledger
from .report.ledger import Entry, Ledger
from .suite.steps import check_against_step
from .witness import integrate_fire, leaky, relu, steps, temporal

__all__ = ["Comparison", "Entry", "Identified", "Ledger", "Report", "adapters", "blackbox", "check_against_step", "compare", "findings",
           "golden", "gradcheck", "identify", "integrate_fire", "leaky", "ledger", "neurons", "oracle", "parametric", "relu", "steps",
           "temporal", "zoo"]

for _module in (adapters, findings, ledger):       # their paths in version 0.1: pysnn.verify.ledger, ...
    sys.modules[f"{__name__}.{_module.__name__.rpartition('.')[2]}"] = _module
