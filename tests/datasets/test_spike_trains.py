"""Random manifolds, and a tone at two ears."""

import numpy as np
import pytest

from pysnn.datasets import randman, sound


def test_randman():
    x, y = randman(50, 0)
    assert x.shape == (500, 100, 20) and x.dtype == np.uint8 and y.dtype == np.int64 and np.bincount(y).tolist() == [50] * 10
    assert (x.sum(axis=1) == 1).all()                                   # each neuron once: counts say nothing
    times = x.argmax(axis=1)
    for label in range(10):
        assert (times[y == label].min(axis=0) == 0).all() and (times[y == label].max(axis=0) == 99).all()
    x2, y2 = randman(50, 0)
    assert (x == x2).all() and (y == y2).all() and (randman(50, 1)[0] != x).any()


def test_manifolds_are_smooth_and_tell_the_classes():
    """A sample's nearest neighbour in the space of spike times is close, and of its class."""
    x, y = randman(100, 5)
    times = x.argmax(axis=1).astype(float)
    far = ((times[:, None] - times) ** 2).mean(axis=2) + np.diag([np.inf] * len(times))
    nearest = far.argmin(axis=1)
    assert (y[nearest] == y).mean() > 0.99 and np.median(np.sqrt(far.min(axis=1))) < 3


def test_sound():
    x, y = sound(100, 0)
    assert x.shape == (100, 100, 200) and x.dtype == np.uint8 and y.dtype == np.int64 and set(y) == set(range(12))
    assert abs(x.mean() - 0.6 * 0.375) < 0.005                          # mean of ((1 + sin)/2)^2 over a period is 3/8
    assert (sound(100, 0)[0] == x).all() and (sound(100, 1)[0] != x).any()


def test_the_phase_difference_is_in_the_spikes():
    """The phase at 20 Hz of the second ear's spikes minus that of the first ear's."""
    x, y = sound(200, 3)
    wave = np.exp(2j * np.pi * 0.02 * np.arange(100))
    left, right = (np.einsum("btn,t->b", x[:, :, part].astype(float), wave.conj()) for part in (slice(100), slice(100, 200)))
    degrees = np.degrees(np.angle(right * left.conj()))
    middle = 15 * y - 82.5
    assert np.abs(degrees - middle).max() < 16 and np.abs(degrees - middle).mean() < 6
    assert np.abs(np.degrees(np.angle(left))).max() > 150               # each sample begins at a phase of its own


@pytest.mark.parametrize("generate, n", [(randman, 1), (sound, 0)])
def test_too_few(generate, n):
    with pytest.raises(ValueError, match="n: expected at least"):
        generate(n, 0)
