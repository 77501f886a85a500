"""What a case of the golden vectors is."""

from typing import NamedTuple


class Case(NamedTuple):
    """One case. Arrays are float64 (labels int64, near bool)."""

    name: str
    operation: str
    convention: dict      # options: threshold, rule, surrogate, stride, ...; numbers and words
    inputs: dict          # name -> array; upstream gradients among them
    outputs: dict
    gradients: dict
    units: dict           # name of an output or gradient -> array or number
    float32: bool         # whether the case is meant for float32, too
