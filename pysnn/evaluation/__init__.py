"""What a trained network does on data it has not seen."""

from .temporal import BITS, evaluate, layer_names, robustness, round_weights

__all__ = ["BITS", "evaluate", "layer_names", "robustness", "round_weights"]
