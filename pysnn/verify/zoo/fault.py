"""What a fault of the zoo is: a known mistake that can be put into a right operation."""

from typing import NamedTuple


class Fault(NamedTuple):
    """One mistake."""

    name: str
    source: str          # "public thread", "public library" or "synthetic"
    description: str
    operation: str       # what it is put into: an operation, a loss (then into any other loss, too) or a learning rule of the suite
    caught_by: str       # the check of the suite that catches it
    inject: object       # inject(right operation) -> faulty operation
