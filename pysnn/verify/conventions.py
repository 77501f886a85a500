"""What other people's code does by default: all that two correct implementations may do differently."""

from typing import NamedTuple

import numpy as np

from ..conventions import Rule, Surrogate


class Convention(NamedTuple):
    """All that two correct implementations may do differently; two that share a convention must agree.

    `detach_reset`: the reset takes its spike as a constant in the backward pass. `statistics`, of batch normalisation. shared: a spiking
    network uses those of its ReLU twin; separate: it keeps its own, and its running ones see every step; over steps: batch and steps are
    one set; each step: every step has its own. `ties`: which of equal numbers in a pooling window takes the gradient. An empty word:
    nothing is said, or nothing is known.
    """

    rule: Rule = Rule()
    surrogate: Surrogate | None = Surrogate()     # None: no gradient goes through a spike
    detach_reset: bool = True
    statistics: str = ""
    ties: str = ""


CONVENTION_WORDS = {"statistics": ("", "shared", "separate", "over steps", "each step"), "ties": ("", "first", "last")}
"""The words that a Convention may hold beside those of its rule and its surrogate."""

CONVENTIONS = {
    "pysnn": Convention(statistics="shared", ties="first"),
    # IFNode() as it comes; its BatchNorm2d in step mode "m" takes batch and steps together
    "spikingjelly-2.0": Convention(Rule(reset="zero"), Surrogate("sigmoid", 4.0), False, "over steps", "first"),
    # Leaky(beta=1.0); with reset_delay=False the reset is in the same step, and attached. BatchNormTT2d has a module for each step
    "snntorch-1.0": Convention(Rule(timing="next", fire=">"), Surrogate("atan", 2.0), True, "each step", "first"),
    # IAF(): "super" is the fast sigmoid of slope 1, whatever alpha says; no normalisation of its own
    "norse-1.1": Convention(Rule(reset="zero", fire=">"), Surrogate("fast_sigmoid", 1.0), False, "", "first"),
    # SRKH/ProxyLearning, read, not run: thresholds are 2, and what flows back goes through the ReLU network alone
    "proxy-authors": Convention(Rule(reset="zero"), None, True, "separate", "first"),
}
"""What released code does by default, by name; tests/verify/test_adapters.py asks the releases themselves."""


class LeakyConvention(NamedTuple):
    """How a released leaky neuron is one of ours: the rule, and in words what to give `leaky.forward`.

    The words use the names of the release. `current`: what its input x becomes; `w_rec`: what its recurrent weights become; an empty word:
    it has none. `ran`: the release is run against ours in tests/frameworks/test_leaky.py; others were read only.
    """

    rule: Rule
    surrogate: Surrogate | None
    detach_reset: bool
    beta: str
    alpha: str = ""
    current: str = "x"
    w_rec: str = ""
    ran: bool = True


class LeakyNeuron(NamedTuple):
    """A leaky neuron with its numbers, as `identify` finds it: what to give `leaky.forward` for the same spikes and gradients."""

    rule: Rule
    surrogate: Surrogate
    detach_reset: bool
    beta: float
    alpha: float | None = None           # None: the current acts in its own step alone
    scale: float = 1.0                   # what the current is multiplied by, beside the gain of the rule
    w_rec: np.ndarray | None = None      # (n, n), in units of the scaled current; None: no spike comes back


_AFTER = Rule("subtract", "next", ">", order="leak first")
_ZERO = Rule("zero", "next", ">")
_ATAN, _SIGMOID, _SUPER = Surrogate("atan", 2.0), Surrogate("sigmoid", 4.0), Surrogate("fast_sigmoid", 1.0)

LEAKY_CONVENTIONS = {
    # reset_delay=True, as they come. To zero, Leaky resets before the leak, the other two at the end
    "snntorch-1.0 Leaky": LeakyConvention(_AFTER, _ATAN, True, "beta"),
    "snntorch-1.0 Leaky, zero": LeakyConvention(_ZERO, _ATAN, True, "beta"),
    "snntorch-1.0 RLeaky": LeakyConvention(_AFTER, _ATAN, True, "beta", current="x + recurrent.bias", w_rec="recurrent.weight.T"),
    "snntorch-1.0 RLeaky, zero": LeakyConvention(_ZERO._replace(order="leak first"), _ATAN, True, "beta", current="x + recurrent.bias",
                                                 w_rec="recurrent.weight.T"),
    "snntorch-1.0 Synaptic": LeakyConvention(_AFTER, _ATAN, True, "beta", "alpha"),
    "snntorch-1.0 Synaptic, zero": LeakyConvention(_ZERO._replace(order="leak first"), _ATAN, True, "beta", "alpha"),
    "spikingjelly-2.0 LIFNode": LeakyConvention(Rule("zero", gain="1 - beta"), _SIGMOID, False, "1 - 1 / tau"),
    "spikingjelly-2.0 LIFNode(decay_input=False)": LeakyConvention(Rule("zero"), _SIGMOID, False, "1 - 1 / tau"),
    "spikingjelly-2.0 ParametricLIFNode": LeakyConvention(Rule("zero", gain="1 - beta"), _SIGMOID, False, "1 - sigmoid(w)"),
    # the cell without recurrence lets the gradient through its reset, the recurrent one does not
    "norse-1.1 LIFCell": LeakyConvention(Rule("zero", "same", ">", "1 - beta"), _SUPER, False, "1 - dt * tau_mem_inv",
                                         "1 - dt * tau_syn_inv"),
    "norse-1.1 LIFRecurrentCell": LeakyConvention(Rule("zero", "same", ">", "1 - beta"), _SUPER, True, "1 - dt * tau_mem_inv",
                                                  "1 - dt * tau_syn_inv", "input_weights x", "recurrent_weights.T"),
    # with SingleSpike (MultiSpike, the default, may fire several times a step) and without tau_syn
    "sinabs-3.1 LIF": LeakyConvention(Rule(gain="1 - beta"), None, False, "exp(-1 / tau_mem)"),
    "sinabs-3.1 LIF(norm_input=False), tau_syn": LeakyConvention(Rule(), None, False, "exp(-1 / tau_mem)", "exp(-1 / tau_syn)",
                                                                 "exp(-1 / tau_syn) x"),
    # with max_spikes_per_dt=1 and bias 0, which does not decay; its alpha is our beta, its beta our alpha
    "rockpool-3.1 LIFTorch": LeakyConvention(Rule(), None, False, "exp(-dt / tau_mem)", "exp(-dt / tau_syn)", "exp(-dt / tau_syn) x",
                                             "exp(-dt / tau_syn) w_rec"),
    # its spikes come two steps later than ours, and its recurrent spikes act three steps later: w_rec cannot say that
    "spytorch": LeakyConvention(Rule("zero", "next", ">", order="leak first"), Surrogate("fast_sigmoid", 100.0), True, "exp(-dt / tau_mem)",
                                "exp(-dt / tau_syn)", ran=False),
}
"""What released leaky neurons do, by name; docs/leaky-neurons.md shows them in one table."""
