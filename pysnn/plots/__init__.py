"""Figures: what a neuron does, when a network spikes, how it learns and where it errs.

Every function returns a `matplotlib.figure.Figure` and leaves pyplot and your rcParams alone; `save` writes it. Times
are in units of tau. A time of inf is a spike that never comes: silent neurons are drawn or counted, never dropped.
"""

from ._style import save  # first, for it says so if matplotlib is missing
from .network import confusion, decision_regions, learning_curves, robustness, weights
from .rate import accuracy_steps, correlation, potentials, step_raster
from .temporal import accuracy_in_time, neuron, raster, spike_times

__all__ = ["accuracy_in_time", "accuracy_steps", "confusion", "correlation", "decision_regions", "learning_curves", "neuron", "potentials",
           "raster", "robustness", "save", "spike_times", "step_raster", "weights"]
