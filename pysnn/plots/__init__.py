"""Figures: what a neuron does, when a network spikes, how it learns and where it errs.

Every function returns a `matplotlib.figure.Figure` and leaves pyplot and your rcParams alone; `save` writes it. Each takes
`style="paper"`, and `width` and `height` in inches, which hold inside `with look(...)` for all. Times are in units of tau. A time of inf is
a spike that never comes: silent neurons are drawn or counted, never dropped.
"""

from ._style import Look, look, save  # first, for it says so if matplotlib is missing
from .network import confusion, decision_regions, learning_curves, predictions, robustness, settings, weights
from .rate import accuracy_steps, bridge, correlation, film, leaky_neuron, potentials, sequence, step_raster
from .temporal import accuracy_in_time, neuron, raster, spike_times

__all__ = ["Look", "accuracy_in_time", "accuracy_steps", "bridge", "confusion", "correlation", "decision_regions", "film", "leaky_neuron",
           "learning_curves", "look", "neuron", "potentials", "predictions", "raster", "robustness", "save", "sequence", "settings",
           "spike_times", "step_raster", "weights"]
