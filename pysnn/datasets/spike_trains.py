"""Spike trains made on the spot, in which the times of the spikes matter: random manifolds, and a tone at two ears."""

import numpy as np

RANDMAN_SETS = (800, 200, 0)  # samples a class for training and test, seed; ours
SOUND_SETS = (4000, 1000, 0)  # samples for training and test, seed; ours
N_MANIFOLDS = 10
N_UNITS = 20                  # neurons that spike, of random manifolds
SMOOTHNESS = 3                # exponent by which the amplitudes fall with frequency
N_FREQUENCIES = 10            # beyond it amplitudes are below 1/1000 of the first
N_STEPS = 100                 # of both sets
N_FIBRES = 100                # neurons of each ear
N_ANGLES = 12                 # classes of 15 degrees
TONE = 0.02                   # periods a step: 20 Hz in steps of 1 ms
P_MOST = 0.6                  # highest probability of a spike in a step: 600 Hz
SHARPNESS = 2                 # power of the envelope


def randman(n, seed):
    """Draw points of smooth random manifolds and make a spike time of each coordinate.

    After F. Zenke and T. P. Vogels, Neural Computation 33(4), 2021, and their program randman; the sizes here are ours. A class is a
    random smooth curve in a space of 20 dimensions: coordinate i at the place u in [0, 1] is the sum over k = 0 ... 9 of
    a_ik sin(2 pi (k u b_ik + c_ik)) / (k + 1)^3, with a, b and c uniform in [0, 1] and a_i0 = 0. Over the samples of a class each
    coordinate is stretched to [0, 1]; there 0 is the first time step and 1 the last. So each neuron fires exactly once in each sample,
    and counts of spikes say nothing.

    Parameters
    ----------
    n : int
        Samples of each of the ten classes, at least 2.
    seed : int
        Seed of numpy.random.RandomState, whose stream NumPy has frozen.

    Returns
    -------
    x : numpy.ndarray
        uint8 (10 n, 100, 20), 1 where a neuron fires.
    y : numpy.ndarray
        int64 (10 n,), the manifold; sample b is of manifold b % 10.

    Raises
    ------
    ValueError
        If n is too small.
    """
    if n < 2:
        raise ValueError(f"n: expected at least 2 samples of each class, got {n}")
    rng = np.random.RandomState(seed)
    y = np.tile(np.arange(N_MANIFOLDS), n)
    x = np.zeros((len(y), N_STEPS, N_UNITS), np.uint8)
    for label in range(N_MANIFOLDS):
        times = _manifold(rng.rand(n), *rng.rand(3, N_UNITS, N_FREQUENCIES))
        low, high = times.min(axis=0), times.max(axis=0)
        steps = np.minimum((times - low) / (high - low) * N_STEPS, N_STEPS - 1).astype(np.int64)
        x[np.flatnonzero(y == label)[:, None], steps, np.arange(N_UNITS)] = 1
    return x, y


def _manifold(places, amplitudes, stretches, phases):
    """Evaluate the functions of one manifold at places (n,); give coordinates (n, N_UNITS)."""
    k = np.arange(N_FREQUENCIES)
    falling = np.where(k > 0, amplitudes / (k + 1.0) ** SMOOTHNESS, 0)
    return (falling * np.sin(2 * np.pi * (k * stretches * places[:, None, None] + phases))).sum(axis=2)


def sound(n, seed):
    """Draw the spikes of two ears that hear a tone from a random direction.

    After D. Goodman and others, Cosyne tutorial 2022, doi 10.5281/zenodo.7044500. The tone reaches the second ear with a phase
    difference between -90 and 90 degrees. Of each ear, 100 nerve fibres delay the phase by 0 to 90 degrees. A fibre fires
    as an inhomogeneous Poisson process, with the probability 0.6 ((1 + sin phase)/2)^2 in a step of 1 ms; a step has at most one spike.
    The tone has 20 Hz and begins at a random phase, another one in each sample (in the tutorial one for all).

    Parameters
    ----------
    n : int
        Number of samples, at least 1.
    seed : int
        Seed of numpy.random.RandomState, whose stream NumPy has frozen.

    Returns
    -------
    x : numpy.ndarray
        uint8 (n, 100, 200), 1 a spike: the fibres of the first ear, then those of the second.
    y : numpy.ndarray
        int64 (n,), the phase difference in 12 classes of 15 degrees, the most negative first.

    Raises
    ------
    ValueError
        If n is less than 1.
    """
    if n < 1:
        raise ValueError(f"n: expected at least 1 sample, got {n}")
    rng = np.random.RandomState(seed)
    difference = (rng.rand(n) - 0.5) * np.pi
    tone = 2 * np.pi * (TONE * np.arange(N_STEPS) + rng.rand(n)[:, None])
    ear = np.linspace(0, np.pi / 2, N_FIBRES)
    x = np.empty((n, N_STEPS, 2 * N_FIBRES), np.uint8)
    for b in range(n):  # one by one: all random numbers at once would fill a gigabyte
        phase = tone[b, :, None] + np.concatenate([ear, ear + difference[b]])
        x[b] = rng.rand(N_STEPS, 2 * N_FIBRES) < P_MOST * (0.5 * (1 + np.sin(phase))) ** SHARPNESS
    return x, np.minimum((difference / np.pi + 0.5) * N_ANGLES, N_ANGLES - 1).astype(np.int64)
