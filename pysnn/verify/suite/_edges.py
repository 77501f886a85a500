"""Where a temporal neuron's decisions stand on edge: ties, crossings exactly at an input, weights whose sum is hardly above the threshold.

Inputs and weights are binary fractions of few digits: sums are exact, and every order of summation gives the same.
"""

from typing import NamedTuple

import numpy as np

from ._recorder import place, relative

INF = np.inf
EXCESS = tuple(2.0 ** -k for k in (2, 6, 10, 14, 17, 20))        # of the sum of weights over the threshold
SINGLE_EXCESS = 2.0 ** -8                                        # the least that float32 is asked for
CLOSE = 1e-7
FAR = 1e6                   # a gradient at a silent output, where it must not matter


class Edge(NamedTuple):
    """One neuron."""

    words: str
    z_in: list
    w: list
    z_out: float
    causal: list             # the inputs before the spike
    also: tuple = ()         # inputs exactly at the spike: with them the derivative is the other one-sided derivative


EXACT = (
    Edge("an inhibiting input exactly at the spike", [1, 2], [2, -1], 2, [0]),
    Edge("a strong inhibiting input exactly at the spike", [1, 2, 4], [2, -3, 8], 2, [0]),
    Edge("inhibiting inputs together exactly at the spike", [1, 2, 2], [2, -0.5, -1], 2, [0]),
    Edge("an exciting and an inhibiting input exactly at the spike", [1, 2, 2], [2, 3, -5], 2, [0]),
    Edge("an exciting input exactly at the spike", [1, 2, 3], [2, 0.5, 8], 2, [0], [1]),
    Edge("the last of the inputs exactly at the spike", [3, 1.5, 1], [4, 0.5, 1.5], 2.25, [1, 2]),
    Edge("the sum of the weights is the threshold", [1, 2], [0.5, 0.5], INF, []),
    Edge("the sum of the weights is the threshold, then less", [1, 2, 4], [0.75, 0.25, -0.5], INF, []),
    Edge("inputs at one time, of which some alone would fire", [1, 2, 2], [1.5, 1, -1], 3, [0, 1, 2]),
    Edge("inputs at one time that cancel", [1, 1], [2, -2], INF, []))
ALWAYS = (
    Edge("all inputs at one time", [2, 2, 2], [0.5, 0.25, 0.75], 6, [0, 1, 2]),
    Edge("inhibited just before the spike", [1, 1.875], [2, -1.5], INF, []),
    Edge("inhibited, then excited again", [1, 1.875, 4], [2, -1.5, 1], 6.375, [0, 1, 2]),
    Edge("a late input that does not matter", [1, 1024], [3, -64], 1.5, [0]),
    Edge("silent inputs before and behind", [INF, 4, INF, 1], [8, 0.5, -64, 1], 6, [1, 3]),
    Edge("all inputs are silent", [INF, INF], [8, 8], INF, []),
    Edge("no weight excites", [1, 2], [-1, -2], INF, []),
    Edge("weights of zero", [1, 1.5, 4], [2, 0, 1], 2, [0, 1]))


def near(threshold, single):
    """List neurons whose weights add up to little more than the threshold, and some that do not reach it.

    Parameters
    ----------
    threshold : float
        Weights are multiples of it.
    single : bool
        Whether they are for float32.

    Returns
    -------
    list of Edge
        At threshold 1.
    """
    listed = []
    for excess in EXCESS:
        if single and excess < SINGLE_EXCESS:
            continue
        z_in, w = np.array([1.0, 2.0, 1.25, 1.5]), np.array([0.5, 0.75, -0.5, 0.25 + excess])
        listed.append(Edge(f"weights {excess:.1g} above the threshold", list(z_in), list(w), float(z_in @ w) / excess, [0, 1, 2, 3]))
        listed.append(Edge(f"weights {excess:.1g} below the threshold", list(z_in), [*w[:3], 0.25 - excess], INF, []))
    return listed


def check(op, threshold, exact, recorder):
    """Check all edges, one neuron a time.

    Parameters
    ----------
    op : Pair
        The temporal neuron under test.
    threshold : float
        Its threshold.
    exact : bool
        Whether it computes with the times themselves, so that what is equal stays equal.
    recorder : Recorder
        Takes an entry for each edge.
    """
    whole = exact and threshold * 1024 % 1 == 0
    for edge in (*(EXACT if whole else ()), *ALWAYS, *near(threshold, recorder.single)):
        z_in, w = np.array([edge.z_in], float), threshold * np.array(edge.w, float)[:, None]
        z_out, cache = op.forward(z_in, w, threshold)
        recorder.compare(z_out, np.array([[edge.z_out]]), f"z_out, {edge.words}", CLOSE, lambda _: "sample 0, neuron 0")
        dz_in, dw = op.backward(np.array([[-1.5 if edge.causal else FAR]]), cache)
        ends = [_gradients(edge, z_in[0], w[:, 0], threshold, causal) for causal in (edge.causal, edge.causal + list(edge.also))]
        for name, got, low, high in zip(("z_in", "w"), (dz_in[0], dw[:, 0]), *ends, strict=True):
            if np.shape(got) == low.shape:               # between the one-sided derivatives is right, too
                low, high = np.minimum(low, high), np.maximum(low, high)
                inside = (got >= low) & (got <= high)
                low = np.where(inside, got, np.where(relative(got, low) < relative(got, high), low, high))
            recorder.compare(got, low, f"{name}, {edge.words}", CLOSE, lambda bad: f"{place(np.argwhere(bad)[0], 'input')} (backward)")


def _gradients(edge, z_in, w, threshold, causal):
    """Return the gradients of -1.5 z_out for a causal set."""
    dz, dw = np.zeros(len(w)), np.zeros(len(w))
    excess = w[causal].sum() - threshold
    if causal:
        dz[causal] = -1.5 * w[causal] / excess
        dw[causal] = -1.5 * (z_in[causal] - edge.z_out) / excess
    return dz, dw
