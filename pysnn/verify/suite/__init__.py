"""All checks of all operations, losses and learning rules: of ours, by each backend, or of one that somebody else wrote.

An operation under test is a pair, ``forward(*args) -> outputs, cache`` and ``backward(gradient, cache) -> gradients``, with the shapes of
the contract and under the contract's name; a loss is a function (outputs, labels) -> loss, gradient, a learning rule its ``gradients``.
An operation that the package does not know is an `Own`. For one seed the checks draw the same cases, whoever wrote what they check.
"""

from ._plain import Own
from ._recorder import SINGLE, relative
from .runner import LEARNING, LOSSES, NAMES, OPERATIONS, SUITE, Check, apply, checks, examples, known, operation, run

__all__ = ["LEARNING", "LOSSES", "NAMES", "OPERATIONS", "SINGLE", "SUITE", "Check", "Own", "apply", "checks", "examples", "known",
           "operation", "relative", "run"]
