"""What a fault of the zoo is: a known mistake that can be put into a right operation."""

from typing import NamedTuple


class Op(NamedTuple):
    """An operation with a mistake in it, to be used in place of a module."""

    forward: object
    backward: object


class Fault(NamedTuple):
    """One mistake."""

    name: str
    source: str          # "public thread", "public library" or "synthetic"
    description: str
    target: str          # what inject takes: a module or Op ("temporal", "integrate_fire", "batch_norm", "max_pool"), (z, y) -> loss, dz
                         # ("loss"), or the gradients of a learning rule ("learning")
    caught_by: str       # the check that catches it
    inject: object       # inject(right operation) -> faulty operation
