"""Any layer of any framework, by one line: how it is called, what it follows, and whether its gradient is right.

    opened    a layer in a process of its own, from FILE.py:EXPRESSION or MODULE:EXPRESSION
    of        a layer in this process
    check     finds out what it is, and checks it against that
    second_look    the same for a file of the contract whose neuron is not the expected one

First it is found how the layer is called: which axis is time, whether it takes one step or all, whether it keeps its state, how many
neurons it takes, in what precision. Then `identify` names the neuron. Then the layer is held against the definition of that neuron
in cases that small sizes hide, and what its file declares against what was found.
"""

from ._axes import Refused, Structure
from ._check import Layer, check, of, opened, second_look

__all__ = ["Layer", "Refused", "Structure", "check", "of", "opened", "second_look"]
