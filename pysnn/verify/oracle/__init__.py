"""Oracles: outputs and gradients to 50 digits, or without any rounding; they need mpmath.

`temporal` solves the temporal neuron, `spike_times` and `event_prop` leaky ones with exact spike times, `theta` those that never jump;
`integrate_fire` and `pooled_fire` run integrate-and-fire neurons in whole numbers, `leaky` runs leaky ones, `relu` holds operations of ReLU
networks and losses; `check` compares a temporal operation with its oracle.
"""

from . import event_prop, integrate_fire, leaky, pooled_fire, relu, spike_times, temporal, theta
from ._numbers import DIGITS, dyadic, exact, rounded, ulps
from .temporal import Cache, Spike, backward, condition, forward, units

__all__ = ["DIGITS", "Cache", "Spike", "backward", "condition", "dyadic", "event_prop", "exact", "forward", "integrate_fire", "leaky",
           "pooled_fire", "relu", "rounded", "spike_times", "temporal", "theta", "ulps", "units"]
