"""Exercise encode: numbers become spikes, in three ways.

An intensity x between 0 and 1 can be a time (a larger x spikes earlier), a probability (a larger x spikes more often, at random), or a
rate (a larger x spikes more often, at even distances).

Your task: write latency, (C1), rate, (C2), and poisson, (C3). Note:

- latency gives z = exp(t / tau), not t: x = 1 spikes at t = 0, which is z = 1, and x = 0 spikes last, at z = late; between them t is
  linear in x;
- rate adds x to a sum in each step, spikes where the sum is at least 1, and then subtracts 1: what is left over is not lost;
- poisson spikes in a step with probability x, whatever happened before. The random numbers u are drawn already, one for each step and
  input: use these. They are at least 0 and below 1;
- a spike is 1.0 and none is 0.0.

Derived in docs/course/encoding.md and docs/derivations/integrate-and-fire.md. Mark it:  pysnn check encode.py
"""

import numpy as np

EXERCISE = "encode"


def latency(x, late=6.0):
    """Turn intensities into spike times.

    Parameters
    ----------
    x : (B, n) array
        Intensities in [0, 1].
    late : float
        z of the darkest input.

    Returns
    -------
    (B, n) array
        z = exp(t / tau) of the spikes.
    """
    # your lines: z, (C1)
    z = late ** (1 - x)                                                  # (C1)
    return z


def rate(x, n_steps):
    """Turn intensities into spikes at even distances.

    Parameters
    ----------
    x : (B, n) array
        Intensities in [0, 1].
    n_steps : int
        Steps T.

    Returns
    -------
    (B, T, n) array
        0 or 1.
    """
    # your lines: even, (C2)
    even, total = np.zeros((len(x), n_steps, x.shape[1])), np.zeros_like(x)
    for t in range(n_steps):
        total = total + x                                                # (C2)
        even[:, t] = total >= 1
        total = total - even[:, t]
    return even


def poisson(x, n_steps, rng):
    """Turn intensities into random spikes.

    Parameters
    ----------
    x : (B, n) array
        Intensities in [0, 1].
    n_steps : int
        Steps T.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    (B, T, n) array
        0 or 1.
    """
    u = rng.random((len(x), n_steps, x.shape[1]))
    # your lines: spikes, (C3)
    spikes = (u < x[:, None]).astype(float)                              # (C3)
    return spikes
