"""What a trained network does on data it has not seen."""

from .operations import ENERGY, energy
from .temporal import BITS, evaluate, layer_names, robustness, round_weights

__all__ = ["BITS", "ENERGY", "energy", "evaluate", "layer_names", "robustness", "round_weights"]
