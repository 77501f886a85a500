"""All checks of all operations: run them on ours, by each backend, or on one that somebody else wrote.

An operation under test is a pair, ``forward(*args) -> out, cache`` and ``backward(dout, cache) -> gradients``, with the shapes of the
contract, under the contract's name; a loss is a function (outputs, labels) -> loss, gradient, a learning rule its ``gradients``. The checks
of an operation draw the same cases for the same seed, whoever wrote it.
"""

from .run import LEARNING, LOSSES, NAMES, OPERATIONS, Check, apply, checks, known, operation, run

__all__ = ["LEARNING", "LOSSES", "NAMES", "OPERATIONS", "Check", "apply", "checks", "known", "operation", "run"]
