"""From images to spike times."""

import numpy as np
import pytest

from pysnn import encode

DTYPES = [np.float32, np.float64]


@pytest.mark.parametrize("dtype", DTYPES)
def test_intensities_of_images(dtype):
    got = encode.intensities(np.array([[[0, 51], [255, 102]]], np.uint8), dtype)
    assert got.dtype == dtype and got.shape == (1, 4)
    np.testing.assert_allclose(got, [[0, 0.2, 1, 0.4]], rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_intensities_of_points(dtype):
    x = np.array([[0.0, 0.25], [1.0, 0.5]])
    got = encode.intensities(x, dtype)
    assert got.dtype == dtype and (got == x).all() and not np.shares_memory(got, x)


@pytest.mark.parametrize("dtype", DTYPES)
def test_codes(dtype):
    x = np.array([[0.0, 0.49, 0.5, 1.0]], dtype)
    early, late, latency = encode.binary(x, 6.0), encode.binary(x, 6.0, bright="late"), encode.latency(x, 6.0)
    assert early.dtype == late.dtype == latency.dtype == dtype
    assert early.tolist() == [[6, 6, 1, 1]] and late.tolist() == [[1, 1, 6, 6]]
    assert encode.binary(x, 3.0, cut=0.6).tolist() == [[3, 3, 3, 1]]
    np.testing.assert_allclose(latency, [[6, 6 ** 0.51, 6 ** 0.5, 1]], rtol=1e-6)
    assert latency[0, 3] == 1                       # the brightest input spikes at t = 0 exactly


def test_latency_is_linear_in_time():
    x = np.linspace(0, 1, 11)[None]
    np.testing.assert_allclose(np.log(encode.latency(x, np.exp(2))), 2 * (1 - x), atol=1e-15)


@pytest.mark.parametrize("dtype", DTYPES)
def test_jitter(rng, dtype):
    z = np.full((100, 200), 3, dtype)
    z[:, 0] = np.inf
    got = encode.jitter(z, 0.1, rng)
    moved = np.log(got[:, 1:]) - np.log(3)
    assert got.dtype == dtype and np.isinf(got[:, 0]).all() and (z[:, 1:] == 3).all()
    assert abs(moved.mean()) < 0.003 and abs(moved.std() - 0.1) < 0.003 and (got > 0).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_drop_spikes(rng, dtype):
    z = np.full((100, 200), 2, dtype)
    got = encode.drop_spikes(z, 0.3, rng)
    assert got.dtype == dtype and abs(np.isinf(got).mean() - 0.3) < 0.02 and (got[np.isfinite(got)] == 2).all() and (z == 2).all()
    assert np.isfinite(encode.drop_spikes(z, 0.0, rng)).all() and np.isinf(encode.drop_spikes(z, 1.0, rng)).all()


@pytest.mark.parametrize("colours", [(), (3,)])
def test_shift_images(rng, colours):
    x = np.zeros((400, 7, 7, *colours), np.uint8)
    x[:, 3, 3] = 9
    was = x.copy()
    got = encode.shift_images(x, 2, rng)
    assert got.shape == x.shape and got.dtype == x.dtype and (x == was).all() and (got.sum(axis=(1, 2)) == 9).all()
    lit = np.argwhere(got.reshape(400, 7, 7, -1)[..., 0])
    assert {tuple(p) for p in lit[:, 1:]} == {(r, c) for r in range(1, 6) for c in range(1, 6)}     # every shift from -2 to 2 happens
    corner = np.zeros((50, 3, 3), np.uint8)
    corner[:, 0, 0] = 1
    sums = encode.shift_images(corner, 1, rng).sum(axis=(1, 2))
    assert set(sums) == {0, 1}                                                   # what leaves is lost, it does not come round


def test_same_seed_same_disturbance():
    z, x = np.full((5, 6), 2.0), np.arange(5 * 16, dtype=np.uint8).reshape(5, 4, 4)
    for disturb in (lambda r: encode.jitter(z, 0.2, r), lambda r: encode.drop_spikes(z, 0.5, r), lambda r: encode.shift_images(x, 1, r)):
        first, again, other = (disturb(np.random.default_rng(seed)) for seed in (1, 1, 2))
        assert (first == again).all() and (first != other).any()


@pytest.mark.parametrize("colours", [(), (3,)])
def test_edges_of_shifted_images(colours):
    """What enters: 0, the pixels of the edge, or the image mirrored there; the middle is the same."""
    x = np.arange(1.0, 26).reshape(1, 5, 5, *(1,) * len(colours)) * np.ones(colours)
    for seed in range(9):
        moved = {edge: encode.shift_images(x, 2, np.random.default_rng(seed), edge) for edge in encode.EDGES}
        kept = moved["zeros"] > 0
        for edge, got in moved.items():
            assert got.shape == x.shape and (got[kept] == moved["zeros"][kept]).all()
            assert kept.all() or (got[~kept] == 0).all() == (edge == "zeros")
    line = np.arange(1.0, 6).reshape(1, 1, 5).repeat(5, axis=1)
    rows = {edge: {tuple(encode.shift_images(line, 2, np.random.default_rng(s), edge)[0, 0]) for s in range(60)} for edge in encode.EDGES}
    assert rows["copy"] == {(1, 1, 1, 2, 3), (1, 1, 2, 3, 4), (1, 2, 3, 4, 5), (2, 3, 4, 5, 5), (3, 4, 5, 5, 5)}
    assert rows["reflect"] == {(3, 2, 1, 2, 3), (2, 1, 2, 3, 4), (1, 2, 3, 4, 5), (2, 3, 4, 5, 4), (3, 4, 5, 4, 3)}
    with pytest.raises(ValueError, match="edge: expected one of zeros, copy, reflect, got 'wrap'"):
        encode.shift_images(x, 2, np.random.default_rng(0), "wrap")


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("colours", [(), (3,)])
def test_flips_by_turns(rng, dtype, colours):
    """Each image is mirrored in exactly every second epoch, and about half of them in each."""
    x = rng.integers(0, 256, (200, 6, 5, *colours)).astype(dtype)
    was = x.copy()
    epochs = [encode.flip_by_turns(x, epoch) for epoch in range(4)]
    same = np.array([[(a == b).all() for a, b in zip(got, x, strict=True)] for got in epochs])
    mirrored = np.array([[(a == b[:, ::-1]).all() for a, b in zip(got, x, strict=True)] for got in epochs])
    assert (same ^ mirrored).all() and (same[0] == same[2]).all() and (same[1] == same[3]).all() and (same[0] != same[1]).all()
    assert 60 < same[0].sum() < 140 and (x == was).all() and epochs[0].dtype == dtype
    half = encode.flip_by_turns(x[::-2, :, ::-1], 1)                     # views; an image's turn does not depend on its place in a batch
    np.testing.assert_array_equal(half, encode.flip_by_turns(x[:, :, ::-1], 1)[::-2])


@pytest.mark.parametrize("colours", [(), (3,)])
def test_erase_from_images(rng, colours):
    x = rng.integers(0, 200, (300, 8, 6, *colours)).astype(np.float64)
    was = x.copy()
    got = encode.erase_from_images(x, 3, rng)
    n_rows, n_cols = set(), set()
    for a, b in zip(got, was, strict=True):
        hit = np.argwhere((a != b).reshape(8, 6, -1).any(axis=2))
        assert len(hit) and (a[a != b] == b.mean()).all() and (np.ptp(hit, axis=0) < 3).all()
        n_rows.add(int(np.ptp(hit[:, 0])) + 1)
        n_cols.add(int(np.ptp(hit[:, 1])) + 1)
    assert (x == was).all() and n_rows == n_cols == {1, 2, 3}            # whole squares, and squares that hang over the edge
    assert encode.erase_from_images(np.full((4, 5, 5), 7, np.uint8), 2, rng).tolist() == np.full((4, 5, 5), 7).tolist()


# ---- spike trains

@pytest.mark.parametrize("dtype", DTYPES)
def test_leaky_latency(dtype):
    """The potential x (1 - exp(-t/tau)) is at the threshold when the spike comes, and below the threshold there is none."""
    x = np.array([[0.0, 0.1, 0.2, 0.21, 0.5, 1.0]], dtype)
    z = encode.leaky_latency(x)
    assert z.dtype == dtype and np.isinf(z[0, :3]).all() and np.isfinite(z[0, 3:]).all() and (np.diff(z[0, 3:]) < 0).all()
    np.testing.assert_allclose(x[0, 3:] * (1 - 1 / z[0, 3:]), 0.2, rtol=1e-5)
    assert np.isinf(encode.leaky_latency(x, 1.5)).all()


def test_spike_trains_as_spytorch_makes_them(rng):
    """t = tau ln(x/(x - 0.2)) with tau = 20 steps, cut to whole steps; none from 100 on."""
    x = rng.random((30, 40))
    got = encode.spike_trains(encode.leaky_latency(x, 0.2), 100, 20.0)
    t = np.full(x.shape, 1e9)
    t[x > 0.2] = 20 * np.log(x[x > 0.2] / (x[x > 0.2] - 0.2))
    ref = np.zeros((30, 100, 40))
    for b, i in np.argwhere(t < 100):
        ref[b, int(t[b, i]), i] = 1
    np.testing.assert_array_equal(got, ref)
    assert 0 < ref.sum() < x.size


@pytest.mark.parametrize("dtype", DTYPES)
def test_spike_trains(dtype):
    z = np.exp(np.array([[0, 0.99, 1.01, 3.9, 4.1, np.inf]], dtype))
    got = encode.spike_trains(z, 4, 1.0)
    assert got.dtype == dtype and got.shape == (1, 4, 6) and set(np.unique(got)) == {0, 1}
    assert [np.flatnonzero(train).tolist() for train in got[0].T] == [[0], [0], [1], [3], [], []]
    linear = encode.spike_trains(encode.latency(np.array([[1, 0.9, 0.1, 0.0]], dtype), 6.0), 10, 9.99 / np.log(6))
    assert linear[0].argmax(axis=0).tolist() == [0, 0, 8, 9] and linear.sum() == 4


@pytest.mark.parametrize("dtype", DTYPES)
def test_poisson(rng, dtype):
    x = np.array([[0, 0.1, 0.5, 1]], dtype)
    got = encode.poisson(x, rng, 4000)
    assert got.dtype == dtype and got.shape == (1, 4000, 4) and set(np.unique(got)) == {0, 1}
    np.testing.assert_allclose(got[0].mean(axis=0), x[0], atol=0.03)
    assert not got[0, :, 0].any() and got[0, :, 3].all()
    both = got[0, :-1, 2] * got[0, 1:, 2]                                   # steps are independent
    assert abs(both.mean() - 0.25) < 0.03
    wave = np.stack([x, x[:, ::-1]], axis=1).repeat(500, axis=1)            # intensities of their own in each step
    got = encode.poisson(wave, rng)
    assert got.shape == wave.shape and got[0, :500, 3].all() and not got[0, 500:, 3].any()
    first, again, other = (encode.poisson(x, np.random.default_rng(seed), 50) for seed in (1, 1, 2))
    assert (first == again).all() and (first != other).any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_population(rng, dtype):
    x = rng.random((5, 7, 2)).astype(dtype)
    got = encode.population(x, 6)
    assert got.dtype == dtype and got.shape == (5, 7, 12) and got.min() >= 0 and got.max() <= 1
    np.testing.assert_array_equal(got[..., 6:], encode.population(x[..., 1:], 6))
    middles = (np.arange(6) - 0.5) / 4
    np.testing.assert_allclose(encode.population(middles[None, 1:5, None].astype(dtype), 6)[0, range(4), range(1, 5)], 1, rtol=1e-6)
    ref = np.exp(-0.5 * ((0.5 - middles) / (0.25 / 1.5)) ** 2)
    np.testing.assert_allclose(encode.population(np.array([[0.5]], dtype), 6)[0], ref, rtol=2e-5)
    near = encode.population(np.linspace(0, 1, 101, dtype=dtype)[:, None], 6)
    assert near.max(axis=1).min() > 0.75                                    # no number falls between two fields


@pytest.mark.parametrize("dtype", DTYPES)
def test_delta(rng, dtype):
    """The spikes tell the signal to within one level, where it is no faster than a level a step."""
    x = np.cumsum(rng.uniform(-0.25, 0.25, (4, 200, 3)), axis=1).astype(dtype)
    got = encode.delta(x, 0.25)
    up, down = got[..., :3], got[..., 3:]
    assert got.dtype == dtype and set(np.unique(got)) == {0, 1} and up.any() and down.any() and not (up * down).any()
    assert not got[:, 0].any()
    assert np.abs(x[:, :1] + 0.25 * np.cumsum(up - down, axis=1) - x).max() < 0.2501
    jump = encode.delta(np.array([0, 0, 3, 3, 3, 0], dtype)[None, :, None], 1.0)
    assert jump[0].tolist() == [[0, 0], [0, 0], [1, 0], [1, 0], [1, 0], [0, 1]]         # one level a step: it lags
    assert not encode.delta(np.full((1, 5, 1), 7, dtype), 0.1).any()


def test_within():
    got = encode.within(np.array([1, 3]), 3)
    assert got.shape == (2, 3, 1) and got[..., 0].tolist() == [[True, False, False], [True, True, True]]
    x = np.zeros((2, 3, 1))
    x[0, :1] = x[1] = 5
    changes = encode.delta(x, 1.0)
    assert changes.any() and not (changes * got).any()                      # the step to the padding is no change


@pytest.mark.parametrize("dtype", DTYPES)
def test_times_stay_times(dtype):
    z = encode.times([[0.0, 1.5, np.inf], [-80.0, 80.0, 2.0]], dtype)
    assert z.dtype == dtype and z[0, 2] == np.inf and np.isfinite(z[1]).all() and (z > 0).all()
    np.testing.assert_allclose(np.log(z[0, :2]), [0, 1.5], rtol=1e-6)
