"""Conventions: silence, its value in a loss, reset rule, surrogate; and what a run of a spiking network takes and returns."""

import importlib
from typing import NamedTuple

import numpy as np

NO_SPIKE = np.inf
"""The time (t or z) of a spike that never comes."""

Z_MAX = 1e3
"""The z that a loss uses for an output that stayed silent; the gradient there is exactly 0."""


class Rule(NamedTuple):
    """What a neuron does in one time step; (I1) to (I3) of docs/derivations/integrate-and-fire.md, (D1) to (D4) of leaky.md.

    The last two fields are of leaky neurons only; with the integrate-and-fire neuron they keep their defaults.
    """

    reset: str = "subtract"     # after a spike V <- V - threshold, or "zero": V <- 0; of leaky neurons also "none"
    timing: str = "same"        # the reset ends the step of the spike, or "next": it begins the step after it
    fire: str = ">="            # fires where V >= threshold, or ">": where V > threshold
    gain: str = "1"             # what the current is multiplied by, or "1 - beta"
    order: str = "reset first"  # timing "next": the reset, then the leak and the current; or "leak first": then the reset

    @property
    def codes(self):
        """The first three words as integers, for kernels, which know no strings.

        Returns
        -------
        tuple of int
            Of reset, timing and fire: 0 is the default, 1 the other word, 2 a reset "none".
        """
        return tuple(words.index(word) for words, word in zip(LEAKY_RULES.values(), self[:3], strict=False))


RULES = {"reset": ("subtract", "zero"), "timing": ("same", "next"), "fire": (">=", ">")}
"""The words that a Rule of an integrate-and-fire neuron may hold."""

LEAKY_RULES = {"reset": (*RULES["reset"], "none"), "timing": RULES["timing"], "fire": RULES["fire"], "gain": ("1", "1 - beta"),
               "order": ("reset first", "leak first")}
"""The words that a Rule of a leaky neuron may hold; "leak first" only with timing "next"."""


class LeakyState(NamedTuple):
    """What a step of leaky neurons leaves for the next."""

    v: np.ndarray        # (B, ..., n) membrane potential
    i: np.ndarray        # (B, ..., n) current; matters with alpha
    s: np.ndarray        # (B, ..., n) spikes; matter with w_rec


class LeakyGradients(NamedTuple):
    """Gradients of leaky neurons; None where forward had no such argument."""

    dcurrent: np.ndarray            # (T, B, ..., n)
    dbeta: np.ndarray               # in the shape of what was given: a number or (n,); summed over steps and batch
    dthreshold: np.ndarray | None
    dv_init: np.ndarray             # (B, ..., n)
    dalpha: np.ndarray | None
    dw_rec: np.ndarray | None       # (n, n)


class Surrogate(NamedTuple):
    """What stands for the derivative of a spike with respect to x = V - threshold; (I7) of docs/derivations/integrate-and-fire.md."""

    kind: str = "atan"          # or a function of the user's own, (x, slope) -> derivative; the reference computes with it
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

    def backend(self, name):
        """Say what computes the neurons: kernels know no function of the user's own.

        Parameters
        ----------
        name : {"auto", "reference", "numba", "cuda"}
            What computes all else.

        Returns
        -------
        str
            The same, or reference.
        """
        return "reference" if callable(self.kind) else name


SURROGATES = {"kind": ("atan", "fast_sigmoid", "sigmoid", "triangle")}
"""The words that a Surrogate may hold."""


class Stage(NamedTuple):
    """One weight layer of a network of integrate-and-fire neurons, with its neurons; all else is folded in."""

    w: np.ndarray | None            # (3, 3, C_in, C_out): convolution, stride 1, padding 1; (N_in, N_out): dense; None: x is the current
    b: np.ndarray | None = None     # (C_out,) or (N_out,): constant current per step
    pool: str = ""                  # "max" or "avg": 2 x 2 pooling of this stage's spikes; "inside": max pooling by its neurons; "": none
    v_init: np.ndarray | None = None    # (C,) potential before the first step, channel by channel; None: the same for all

    @property
    def plain(self):
        """Whether it has weights, and neurons that do not pool inside and all begin alike: kernels then go by events.

        Returns
        -------
        bool
            Whether it is so.
        """
        return self.w is not None and self.pool != "inside" and self.v_init is None


class Sequences:
    """Samples of different lengths: an array with padding, and the lengths; indexed by samples as an array is.

    Parameters
    ----------
    x : (N, T, ...) array
        Samples; what stands behind the end of one is of no account.
    lengths : (N,) array of integers
        How many steps each has, 1 to T.

    Raises
    ------
    ValueError
        If the lengths do not fit.
    """

    def __init__(self, x, lengths):
        if not isinstance(x, np.ndarray) or x.ndim < 2:
            raise ValueError(f"x: expected an array of samples, (N, T, ...), got {type(x).__name__}"
                             + (f" of shape {x.shape}" if isinstance(x, np.ndarray) else ""))
        self.x, self.lengths, self.shape, self.dtype, self.ndim = x, np.asarray(lengths), x.shape, x.dtype, x.ndim
        if self.lengths.shape != x.shape[:1] or self.lengths.dtype.kind not in "iu":
            raise ValueError(f"lengths: expected {len(x)} whole numbers, one a sample, got {self.lengths.shape} of {self.lengths.dtype}")
        if len(x) and not 1 <= self.lengths.min() <= self.lengths.max() <= x.shape[1]:
            hint = "; the second axis must be time" if self.lengths.min() > 0 and self.lengths.max() in x.shape[2:] else ""
            raise ValueError(f"lengths: expected 1 to {x.shape[1]}, got {self.lengths.min()} to {self.lengths.max()}{hint}")

    def __len__(self):
        return len(self.x)

    def __getitem__(self, some):
        return Sequences(self.x[some], self.lengths[some])

    @property
    def there(self):
        """Which samples have which steps, up to the end of the longest.

        Returns
        -------
        (T, N) array of bool
            False behind the end.
        """
        return np.arange(self.lengths.max())[:, None] < self.lengths


class Run(NamedTuple):
    """What running a network of integrate-and-fire neurons over T steps returns."""

    counts: np.ndarray          # (n_at, B, n_out) output spikes up to each step of `at`; if the output does not fire, its summed current
    potential: np.ndarray       # (B, n_out) membrane potential of the output layer after the last step
    n_spikes: list              # one number per stage: its spikes, before pooling, over batch and steps; 0 for an output that does not fire
    layer_counts: list | None   # (B, ...) counts of each stage, before pooling of spikes, as in counts; None if not asked for
    channels: list | None = None    # (C,) spikes of each stage by channel, over batch, places and steps; None where they are not counted


def __getattr__(name):
    """Find Convention, CONVENTIONS and CONVENTION_WORDS, which stand in `pysnn.verify.conventions`, by their older path."""
    if name in ("Convention", "CONVENTIONS", "CONVENTION_WORDS"):
        return getattr(importlib.import_module(f"{__package__}.verify.conventions"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
