"""What a spike, silence and a spike's place in a loss mean here, in one place."""

from typing import NamedTuple

import numpy as np

NO_SPIKE = np.inf
"""The time (t or z) of a spike that never comes."""

Z_MAX = 1e3
"""The z that a loss uses for an output that stayed silent; the gradient there is exactly 0."""


class Rule(NamedTuple):
    """What an integrate-and-fire neuron does in one time step; (I1) to (I3) of docs/derivations/integrate-and-fire.md."""

    reset: str = "subtract"     # after a spike V <- V - threshold, or "zero": V <- 0
    timing: str = "same"        # the reset ends the step of the spike, or "next": it begins the step after it
    fire: str = ">="            # fires where V >= threshold, or ">": where V > threshold

    @property
    def codes(self):
        """The three words as integers, for kernels.

        Returns
        -------
        tuple of int
            0 is the default, 1 the other word, field by field.
        """
        return tuple(words.index(word) for words, word in zip(RULES.values(), self, strict=True))


RULES = {"reset": ("subtract", "zero"), "timing": ("same", "next"), "fire": (">=", ">")}
"""The words that a Rule may hold."""


class Surrogate(NamedTuple):
    """What stands for the derivative of a spike with respect to x = V - threshold; (I7) of docs/derivations/integrate-and-fire.md."""

    kind: str = "atan"
    slope: float = 2.0          # steepness, in units of 1/potential: a of atan, k of the others

    @property
    def code(self):
        """The kind as an integer, for kernels.

        Returns
        -------
        int
            Its place in SURROGATES.
        """
        return SURROGATES["kind"].index(self.kind)


SURROGATES = {"kind": ("atan", "fast_sigmoid", "sigmoid", "triangle")}
"""The words that a Surrogate may hold."""


class Stage(NamedTuple):
    """One weight layer of a network of integrate-and-fire neurons, with its neurons; all else is folded in."""

    w: np.ndarray                   # (3, 3, C_in, C_out): convolution, stride 1, zero padding 1; (N_in, N_out): dense
    b: np.ndarray | None = None     # (C_out,) or (N_out,): constant current per step
    pool: str = ""                  # "max" or "avg": 2 x 2 pooling of this stage's spikes; "": none


class Run(NamedTuple):
    """What a run of such a network gives."""

    counts: np.ndarray          # (n_at, B, n_out) output spikes up to each step of `at`; without firing the summed output current
    potential: np.ndarray       # (B, n_out) membrane potential of the output layer after the last step
    n_spikes: list              # spikes of each stage, before pooling, over batch and steps; 0 for an output that does not fire
    layer_counts: list | None   # (B, ...) spike counts of each stage, before pooling; the summed current where the output does not fire


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
