"""The one table of tolerances: each number stands here once, with the reason why it is not smaller.

A test writes `tol("worked example")`. Where a name says "in units of", the test multiplies by that unit itself.
"""

from typing import NamedTuple

import numpy as np


class Tolerance(NamedTuple):
    """A number and why it is this number."""

    value: float
    why: str


TABLE = {
    "worked example": Tolerance(
        1e-12, "relative, float64; the figures in docs/derivations/temporal.md have 16 digits, and dividing by a margin of "
        "0.4 leaves a few ulp (2e-16)"),
    "exact differences": Tolerance(
        1e-18, "relative; a central difference in exact fractions with h = 1e-12 has no rounding, only a remainder of order "
        "h^2 = 1e-24 times a third derivative of at most 1e5"),
    "central differences": Tolerance(
        1e-7, "relative to the largest entry, float64; with h = 1e-5 a loss of up to 1e3 (a silent label) loses 1e3 eps/h = "
        "2e-8 to rounding, and curvature leaves h^2 = 1e-10 times beta^3/100"),
    "identity": Tolerance(
        1e-9, "relative, float64; sums over some 20 inputs, divided by margins that the tests keep above 1e-3"),
    "formula": Tolerance(
        1e-13, "relative, float64; the same few elementary functions in another order"),
    "formula float32": Tolerance(
        1e-5, "relative, float32; some 100 roundings of 6e-8, and beta = 10 multiplies those of ln z"),
    "band": Tolerance(
        4.0, "in units of N eps (1 + sum |w|): two correct orders of summation may disagree about V >= threshold inside; "
        "twice the worst case of either"),
    "z_out": Tolerance(
        3.0, "in units of (kappa + N) eps z_out: kappa is the condition of (T3), N the roundings of the sums; the largest seen "
        "in the 10,000 problems is 0.9 (either backend, either dtype)"),
    "z_out of exact sums": Tolerance(
        10.0, "in ulp; only the last division rounds, but the kernel takes z_next - r/a, up to 8 z_out minus 7 z_out"),
    "gradient": Tolerance(
        4.0, "in units of eps times the sum of the absolute terms times their conditions (sum |w| + threshold)/margin and "
        "kappa, plus one for each term of the sum; the largest seen is 1.1"),
    "membrane": Tolerance(
        1e-7, "relative; the midpoint rule with steps of 2.5e-4 leaves 5e-9"),
    "kappa float32": Tolerance(
        1e4, "up to this condition float32 z_out are compared, beyond it only decisions: 1e4 eps = 1e-3 is all that is left"),
    "kappa float64": Tolerance(
        1e10, "as for float32; 1e10 eps = 2e-6"),
    "surrogate": Tolerance(
        16.0, "in units of eps times the largest gradient that comes in or goes out; fused products and the order of factors "
        "differ between the backends, over up to 15 steps and with slopes up to 25"),
    "surrogate step": Tolerance(
        1e-8, "relative to the peak, float64; central differences with h = 1e-6 leave eps/h = 2e-10 of rounding and "
        "h^2 k^2 = 6e-10 of curvature"),
    "frozen offsets": Tolerance(
        1e-7, "relative; central differences with h = 1e-6, as gradcheck takes them; the largest seen is 1.4e-8"),
    "transpose": Tolerance(
        1e-12, "relative to the sum of the absolute terms, float64; only rounding is left, the largest seen is 2e-16"),
    "rare": Tolerance(
        0.01, "largest share of neurons inside the band where the inputs are not chosen to be there (float32, up to 24 inputs)"),
    "order of sums float64": Tolerance(
        1e-12, "relative to the largest entry; sums of up to 1e4 terms in two orders differ by some sqrt(1e4) eps = 2e-14, and their terms "
        "may be larger than the sum"),
    "order of sums float32": Tolerance(
        1e-4, "as for float64: sqrt(1e4) eps = 1.2e-5"),
}


def tol(name):
    """Return one number of the table."""
    return TABLE[name].value


def kappa_limit(dtype):
    """Return the condition up to which z_out is compared."""
    return tol(f"kappa {np.dtype(dtype).name}")
