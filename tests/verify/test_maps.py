"""The operations on whole arrays are those of the plain loops; their derivatives are those of differences."""

import functools

import numpy as np
import pytest

from pysnn.verify.witness import maps, relu

RNG = np.random.default_rng(0)
LOOPS = {"dense": relu.dense, "conv2d": relu.conv2d, "max_pool2d": functools.partial(relu.pool, best=max),
         "avg_pool2d": functools.partial(relu.pool, best=lambda window: window.mean()), "batch_norm": relu.batch_norm, "relu": relu.relu}
IMAGES = RNG.normal(size=(2, 5, 4, 2))
CASES = [("dense", (RNG.normal(size=(3, 4)), RNG.normal(size=(4, 2)), RNG.normal(size=2)), {}),
         ("dense", (RNG.normal(size=(3, 4)), RNG.normal(size=(4, 2))), {}),
         ("conv2d", (IMAGES, RNG.normal(size=(3, 2, 2, 3))), {"stride": 2, "padding": 1}),
         ("conv2d", (IMAGES, RNG.normal(size=(1, 3, 2, 3))), {}),
         ("max_pool2d", (IMAGES,), {"size": 3, "stride": 1}), ("max_pool2d", (np.round(IMAGES),), {"size": 2}),
         ("avg_pool2d", (IMAGES,), {"size": 2, "stride": 3}), ("batch_norm", (IMAGES, np.ones(2), np.zeros(2)), {"eps": 0.1}),
         ("batch_norm", (IMAGES, RNG.normal(size=2), RNG.normal(size=2), RNG.normal(size=2), np.ones(2)), {}),
         ("relu", (IMAGES,), {"top": 0.5})]


@pytest.mark.parametrize(("name", "args", "how"), CASES)
def test_whole_arrays_and_plain_loops_agree(name, args, how):
    y = getattr(maps, name)(*args, **how)
    np.testing.assert_allclose(y, LOOPS[name](*args, **how), rtol=1e-12, atol=1e-13)
    if (args[0] == np.round(args[0])).all():
        return                                 # equal numbers: differences see a kink
    definition, rng = functools.partial(getattr(maps, name), **how), np.random.default_rng(1)
    dy, direction, h = rng.normal(size=y.shape), rng.normal(size=args[0].shape), 1e-6
    slope = (dy * (definition(args[0] + h * direction, *args[1:]) - definition(args[0] - h * direction, *args[1:]))).sum() / (2 * h)
    assert slope == pytest.approx((dy * definition(args[0] + 1e-20j * direction, *args[1:]).imag).sum() / 1e-20, rel=1e-7)


def test_transpose_identity_sees_what_is_wrong():
    x, w = np.random.default_rng(2).normal(size=(2, 3, 3))
    dy = np.random.default_rng(3).normal(size=(3, 3))
    for factor, small in ((1, True), (1 + 1e-6, False)):
        gaps = maps.transpose_identity(maps.dense, (x, w), (0, 1), dy, (factor * dy @ w.T, x.T @ dy), np.random.default_rng(4))
        assert (gaps[0] < 1e-14) == small and gaps[1] < 1e-14
    nothing = maps.transpose_identity(maps.relu, (-np.ones((2, 2)),), (0,), dy[:2, :2], (np.zeros((2, 2)),), np.random.default_rng(5))
    assert nothing == [np.inf]
