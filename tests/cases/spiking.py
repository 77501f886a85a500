"""Networks, images and rules for the streaming engine."""

import numpy as np

from pysnn.conventions import Rule, Stage

RULES = [Rule(), Rule("zero"), Rule("subtract", "next"), Rule("zero", "next", ">"), Rule("subtract", "same", ">")]
NETS = {   # input shape, (channels, pooling) of the convolutions, sizes of the dense layers
    "odd channels, wide dense": ((8, 8, 1), [(16, ""), (20, "max"), (40, "max")], [70, 10]),
    "odd sides, blocks of 64": ((9, 7, 2), [(5, "max"), (33, ""), (100, "")], [20, 3]),
    "one convolution, pooled": ((6, 6, 3), [(64, "max")], [10]),
    "more than 128 channels": ((5, 5, 1), [(130, ""), (130, "")], [3]),
    "means of four": ((9, 8, 1), [(20, "avg"), (40, "avg"), (8, "")], [5]),
    "means of four before dense": ((8, 8, 1), [(20, "max"), (70, "avg")], [20, 5]),
    "dense on an image": ((5, 4, 2), [], [30, 3]),
    "wide dense": ((40,), [], [300, 270, 7]),
    "dense alone": ((50,), [], [130, 40, 10]),
}


def network(rng, shape, convs, denses, dtype, step=256):
    """Draw stages whose weights are multiples of 1/step, so that sums are exact in any order."""
    def draw(*size, gain):
        w = gain * rng.standard_normal(size) / np.sqrt(np.prod(size[:-1]))
        return (np.round(w * step) / step).astype(dtype)

    def bias(n):
        return (np.round(rng.random(n) * step / 8) / step).astype(dtype)

    stages = []
    for n_out, pool in convs:
        height, width, n_in = shape
        stages.append(Stage(draw(3, 3, n_in, n_out, gain=2), bias(n_out), pool))
        shape = (height // 2, width // 2, n_out) if pool else (height, width, n_out)
    n_in = int(np.prod(shape))
    for n_out in denses:
        stages.append(Stage(draw(n_in, n_out, gain=4), bias(n_out)))
        n_in = n_out
    return stages


def images(rng, shape, n, dtype):
    return (np.round(rng.random((n, *shape)) * 16) / 16).astype(dtype)


def assert_same(got, ref):
    np.testing.assert_array_equal(got.counts, ref.counts)
    np.testing.assert_array_equal(got.potential, ref.potential)
    assert got.n_spikes == ref.n_spikes
    for a, b in zip(got.layer_counts or [], ref.layer_counts or [], strict=True):
        np.testing.assert_array_equal(a, b)
