"""3 x 3 convolutions by Winograd's tiles, (R13): the plain convolution, exactly where sums are exact, and the same bits for any threads."""

import numpy as np
import pytest

from pysnn import _threads
from pysnn.reference import conv
from tests.cases.backends import operation
from tests.cases.tolerances import tol

SHAPES = {"even": (3, 8, 8, 32, 32), "odd": (2, 9, 7, 33, 40), "oblong": (2, 12, 5, 32, 48), "one image": (1, 6, 6, 64, 32),
          "many tiles": (40, 10, 10, 32, 36), "wide": (1, 5, 30, 40, 33)}


@pytest.fixture
def fast():
    """The convolution by Numba, and its tiles."""
    from pysnn.kernels import _winograd
    return operation("conv", "numba"), _winograd


def both(op, x, w, dy):
    """Run the convolution by the reference and by `op`: y, dx, dw of each."""
    runs = []
    for module in (conv, op):
        y, cache = module.conv2d_forward(x, w, 1, 1)
        runs.append((y, *module.conv2d_backward(dy, cache)))
    return runs


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_it_is_the_reference(fast, rng, shape, dtype):
    """Forward and both gradients."""
    op, winograd = fast
    *image, n_in, n_out = shape
    x, w, dy = (rng.normal(size=s).astype(dtype) for s in ((*image, n_in), (3, 3, n_in, n_out), (*image, n_out)))
    assert winograd.suits(x.shape, w.shape, 1, 1) and winograd.suits(dy.shape, (3, 3, n_out, n_in), 1, 1)
    for ref, got in zip(*both(op, x, w, dy), strict=True):
        assert got.dtype == dtype and got.shape == ref.shape and got.flags.c_contiguous
        np.testing.assert_allclose(got, ref, rtol=0, atol=tol(f"order of sums {np.dtype(dtype).name}") * np.abs(ref).max())


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_sums_that_are_exact_stay_exact(fast, rng, shape):
    """Spikes, weights in 64ths: the matrices hold 0, 1 and 1/2 alone, so nothing is rounded, in float32 either."""
    *image, n_in, n_out = shape
    x, w = rng.integers(0, 2, (*image, n_in)), rng.integers(-64, 65, (3, 3, n_in, n_out)) / 64
    dy = rng.integers(-8, 9, (*image, n_out)) / 8
    ref, got = both(fast[0], *(a.astype(np.float32) for a in (x, w, dy)))
    exact, _ = both(fast[0], *(a.astype(np.float64) for a in (x, w, dy)))
    for a, b, c in zip(got, ref, exact, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)


def test_gradients_by_the_transpose(fast, rng):
    """y is linear in x and in w: <dy, y> is <dx, x> and <dw, w>."""
    x, w, dy = rng.normal(size=(2, 7, 6, 32)), rng.normal(size=(3, 3, 32, 35)), rng.normal(size=(2, 7, 6, 35))
    y, cache = fast[0].conv2d_forward(x, w, 1, 1)
    dx, dw = fast[0].conv2d_backward(dy, cache)
    np.testing.assert_allclose([(dx * x).sum(), (dw * w).sum()], (dy * y).sum(), rtol=tol("identity"))


def test_a_tile_by_hand(fast):
    """(R13) one image of 2 x 2, all ones, and a kernel of ones: each pixel sees the four."""
    _, winograd = fast
    x, y = np.ones((1, 2, 2, 1)), np.empty((1, 2, 2, 1))
    u = winograd.transformed(np.ones((3, 3, 1, 1)))
    assert u.reshape(4, 4).tolist() == np.outer([1, 1.5, 0.5, 1], [1, 1.5, 0.5, 1]).tolist()
    winograd.into(x, u, y)
    assert y.ravel().tolist() == [4, 4, 4, 4]
    w = np.arange(1.0, 10).reshape(3, 3, 1, 1)
    winograd.into(x, winograd.transformed(w), y)
    assert y.ravel().tolist() == [5 + 6 + 8 + 9, 4 + 5 + 7 + 8, 2 + 3 + 5 + 6, 1 + 2 + 4 + 5]
    _, dw = conv.conv2d_backward(y, conv.conv2d_forward(x, w, 1, 1)[1])
    assert winograd.sum_w(x, y).ravel().tolist() == dw.ravel().tolist()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_same_bits_for_any_number_of_threads(fast, rng, dtype):
    x, w = rng.normal(size=(37, 9, 9, 32)).astype(dtype), rng.normal(size=(3, 3, 32, 40)).astype(dtype)
    before, runs = _threads.get_threads(), []
    try:
        for n in (1, 2, 3):
            _threads.set_threads(n)
            y, cache = fast[0].conv2d_forward(x, w, 1, 1)
            runs.append([a.tobytes() for a in (y, *fast[0].conv2d_backward(y, cache))])
    finally:
        _threads.set_threads(before)
    assert runs[0] == runs[1] == runs[2]


@pytest.mark.parametrize("shape, stride, padding", [((3, 3, 31, 64), 1, 1), ((3, 3, 64, 31), 1, 1), ((5, 5, 64, 64), 1, 1),
                                                    ((3, 3, 64, 64), 2, 1), ((3, 3, 64, 64), 1, 0), ((3, 1, 64, 64), 1, 1)])
def test_where_it_does_not_suit(fast, shape, stride, padding):
    assert not fast[1].suits((2, 8, 8, shape[2]), shape, stride, padding)
    assert not fast[1].suits((2, 1, 1, 64), (3, 3, 64, 64), 1, 1)        # a tile of which one pixel in four exists


def test_nan_is_not_hidden(fast):
    x, w = np.zeros((1, 6, 6, 32)), np.ones((3, 3, 32, 32))
    x[0, 2, 2, 5] = np.nan
    assert np.isnan(fast[0].conv2d_forward(x, w, 1, 1)[0][0, 1:4, 1:4]).all()
