"""What jaxsnn 0.3.0 does at the threshold."""

from ._finding import Case, Seen
from .adapters import needed


def _half():
    jax = needed("jax")
    superspike = needed("jaxsnn.discrete.functional.threshold").superspike
    below, at, above = (float(s) for s in superspike(jax.numpy.array([-1.0, 0.0, 1.0]), 80.0))
    return Seen((below, at, above) == (0, 0.5, 1), 3, None, f"spikes {below:g}, {at:g}, {above:g} below, at and above the threshold")


CASES = (Case("jaxsnn-half-spike", "jaxsnn", "jaxsnn", "0.3.0", "convention", "half a spike where V is exactly the threshold", _half,
              "docs/findings/jaxsnn-half-spike.md"),)
"""One case."""
