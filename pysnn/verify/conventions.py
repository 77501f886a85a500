"""What other people's code does by default: all that two correct implementations may do differently."""

from typing import NamedTuple

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
