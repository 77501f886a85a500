"""Exercise localise: where does a sound come from? Two ears hear it, one a little later than the other.

Each ear has n nerve fibres, and fibre i of the right ear is like fibre i of the left. Each train of spikes is noise for itself; what tells
the direction is the time between the two. A neuron that gets a left fibre through a delay, and its right partner at once, sees two spikes
at the same time if the sound reaches the right ear later by just this delay. Such a neuron detects coincidences. With one neuron for each
delay, the neuron that sees most coincidences says where the sound is (L. A. Jeffress, 1948). Weights do nothing here; delays do it all.

Your task: write coincidences, (H5), and direction, (H6). Note:

- a delay d > 0 delays the left ear, d < 0 the right ear by -d; a spike that is delayed beyond the last step is lost;
- only partners are compared: fibre i with fibre i;
- if two delays have the same count, take the one that stands first.

Described in docs/course/events.md; delays that are learned: docs/derivations/delays.md. Mark it:  pysnn check localise.py
"""

import numpy as np

EXERCISE = "localise"


def two_ears(rng, late, n_steps=100, n_fibres=20):
    """Make a sound at two ears; given, for experiments.

    Parameters
    ----------
    rng : numpy.random.Generator
        For the noise.
    late : int
        Steps by which the right ear hears it later; negative: the left ear.
    n_steps, n_fibres : int
        Steps T and fibres n of each ear.

    Returns
    -------
    left, right : (T, n) arrays
        Spikes, 0 or 1; three of four arrive, and there are others that belong to no sound.
    """
    sound = rng.random((n_steps + abs(late), n_fibres)) < 0.15
    ears = sound[max(late, 0):][:n_steps], sound[max(-late, 0):][:n_steps]
    return tuple(1.0 * (ear & (rng.random(ear.shape) < 0.75) | (rng.random(ear.shape) < 0.02)) for ear in ears)


def coincidences(left, right, delays):
    """Count the coincidences behind each delay.

    Parameters
    ----------
    left, right : (T, n) arrays
        Spikes of the fibres of both ears, 0 or 1.
    delays : (D,) array of int
        Delays in steps, shorter than T; positive ones delay the left ear, negative ones the right ear.

    Returns
    -------
    counts : (D,) array
        How often a left and its right partner come at the same step, over all steps and fibres.
    """
    # your lines: counts, (H5)
    # Shift by slices: what is shifted beyond the end is lost.
    counts = np.zeros(len(delays))
    for k, d in enumerate(delays):
        early, late = (left, right) if d >= 0 else (right, left)
        counts[k] = (early[:len(early) - abs(d)] * late[abs(d):]).sum()
    return counts


def direction(left, right, delays):
    """Say for each sample by how many steps the right ear hears the sound later.

    Parameters
    ----------
    left, right : (B, T, n) arrays
        Spikes of both ears.
    delays : (D,) array of int
        The delays to choose from.

    Returns
    -------
    late : (B,) array
        One of the delays for each sample.
    """
    # your lines: late, (H6)
    # The first of the largest counts.
    late = np.array([delays[np.argmax(coincidences(a, b, delays))] for a, b in zip(left, right, strict=True)])
    return late
