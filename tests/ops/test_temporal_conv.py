"""Convolution of temporal neurons: worked by hand, kernel against reference, the dense layer where the window is the image, refusals."""

import numpy as np
import pytest

from pysnn import _threads
from pysnn.operations import OPERATIONS
from pysnn.verify.oracle import rounded
from pysnn.verify.oracle import temporal_conv as oracle
from pysnn.verify.witness.temporal import check_definition
from tests.cases.backends import operation
from tests.cases.tolerances import tol

INF = np.inf
SIZES = (   # (B, H, W, C), (kh, kw, N), stride, padding
    ((1, 1, 1, 1), (1, 1, 1), 1, 0), ((2, 6, 5, 2), (3, 3, 4), 1, 1), ((2, 7, 7, 3), (5, 5, 9), 2, 2), ((2, 5, 6, 1), (2, 3, 17), 1, 0),
    ((2, 8, 8, 4), (3, 3, 8), 2, 1), ((3, 4, 4, 1), (2, 2, 3), 3, 2), ((2, 6, 6, 2), (3, 3, 5), 4, 0),
    ((2, 3, 4, 2), (2, 2, 70), 1, 1), ((2, 4, 4, 3), (3, 2, 33), 1, 1))


@pytest.fixture(params=["reference", "numba"])
def conv(request):
    """The convolution, once by each backend."""
    return operation("temporal_conv", request.param)


@pytest.fixture
def kernel():
    """The same by Numba alone."""
    return operation("temporal_conv", "numba")


def layer(rng, sizes, dtype=np.float64, bias=True, ties=False):
    """Draw times, some of them inf and some before the extra input's, weights, and weights of that."""
    shape, (kh, kw, n_out), stride, padding = sizes
    n_in = kh * kw * shape[3]
    z_in = np.exp(rng.uniform(-0.5, 2, shape))
    z_in = np.ceil(z_in) if ties else z_in
    z_in[rng.random(shape) < 0.2] = INF
    w, b = rng.normal(2.2 / n_in, 1.2 / np.sqrt(n_in), (kh, kw, shape[3], n_out)), rng.normal(0.1, 0.3, n_out)
    return z_in.astype(dtype), w.astype(dtype), b.astype(dtype) if bias else None, stride, padding


def test_worked_example(conv):
    """(T13), (T14): two windows that share the input in the middle."""
    z_in, w = np.array([1.0, 2.0, 4.0]).reshape(1, 1, 3, 1), np.ones((1, 2, 1, 1))
    z_out, cache = conv.forward(z_in, w)
    dz_in, dw, db = conv.backward(np.ones_like(z_out), cache)
    close = {"rtol": tol("worked example"), "atol": 0}
    np.testing.assert_allclose(z_out.ravel(), [3, 6], **close)
    np.testing.assert_allclose(dz_in.ravel(), [1, 2, 1], **close)
    np.testing.assert_allclose(dw.ravel(), [-6, -3], **close)
    assert db is None
    padded, _ = conv.forward(z_in, w, None, 1, 1)
    assert padded.shape == (1, 3, 4, 1) and np.isinf(padded[:, [0, 2]]).all()        # rows of nothing but padding
    np.testing.assert_array_equal(padded[0, 1, :, 0], [INF, 3, 6, INF])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kernel_equals_reference(dtype, kernel, rng):
    reference, eps, fired = operation("temporal_conv", "reference"), np.finfo(dtype).eps, []
    for k, sizes in enumerate(SIZES * 2):
        args = layer(rng, sizes, dtype, k % 2 == 0, k % 3 == 0)
        (a, a_cache), (b, b_cache) = (op.forward(*args) for op in (reference, kernel))
        assert a.shape == b.shape and a.dtype == b.dtype == dtype
        fired.append(np.isfinite(a).mean())
        good = np.isfinite(a) & np.isfinite(b) & (np.where(np.isfinite(a), a, INF) < 30)
        assert (np.isfinite(a) == np.isfinite(b)).mean() > (0.99 if dtype == np.float32 else 0.9999)
        np.testing.assert_allclose(a[good], b[good], rtol=2e3 * eps)
        dz_out = np.where(good, rng.normal(size=a.shape), 0).astype(dtype)
        ref, got = reference.backward(dz_out, a_cache), kernel.backward(dz_out, b_cache)
        for x, y, like in zip(ref, got, args, strict=False):
            assert (x is None) == (y is None) == (like is None)
            if like is not None:
                assert x.shape == y.shape == like.shape and x.dtype == y.dtype == dtype
                np.testing.assert_allclose(x, y, rtol=0, atol=1e4 * eps * max(1, np.abs(x).max()))
        for op, cache, all_three in ((reference, a_cache, ref), (kernel, b_cache, got)):
            dz_in, dw, _ = op.backward(dz_out, cache, need_dz=False)
            assert dz_in is None
            np.testing.assert_allclose(dw, all_three[1], rtol=0, atol=1e3 * eps * max(1, np.abs(dw).max()))
    assert 0.3 < np.mean(fired) < 0.9


def test_spikes_are_those_of_the_definition(conv, rng):
    """(T13): V of each neuron, summed over its window from the definition, reaches the threshold at its spike and was below before."""
    n_fired = 0
    for sizes in SIZES[1:6]:
        z_in, w, b, stride, padding = layer(rng, sizes)
        z_out, _ = conv.forward(z_in, w, b, stride, padding, 0.7)
        for s, u, v in np.ndindex(z_out.shape[:3]):
            heard, rows = [1.0], [b]
            for i, j, c in np.ndindex(*w.shape[:3]):
                h, x = u * stride + i - padding, v * stride + j - padding
                if 0 <= h < z_in.shape[1] and 0 <= x < z_in.shape[2]:
                    heard.append(z_in[s, h, x, c])
                    rows.append(w[i, j, c])
            result = check_definition(np.array([heard]), np.array(rows), z_out[s, u, v][None], 0.7)
            assert result.ok
            n_fired += result.n_fired
    assert n_fired > 500


def test_a_window_of_the_size_of_the_image_is_the_dense_layer(conv, rng):
    z_in, w, _, _, _ = layer(rng, ((5, 4, 3, 2), (4, 3, 11), 1, 0))
    dense = operation("temporal", "numba" if "kernels" in conv.__name__ else "reference")
    (a, a_cache), (b, b_cache) = conv.forward(z_in, w), dense.forward(z_in.reshape(5, -1), w.reshape(-1, 11))
    assert 0.2 < np.isfinite(b).mean() < 1
    np.testing.assert_allclose(a.reshape(5, 11), b, rtol=1e-12)
    c = np.where(np.where(np.isfinite(b), b, INF) < 50, rng.normal(size=b.shape), 0)
    (dz, dw, _), (dz_dense, dw_dense) = conv.backward(c.reshape(a.shape), a_cache), dense.backward(c, b_cache)
    np.testing.assert_allclose(dz.reshape(5, -1), dz_dense, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(dw.reshape(-1, 11), dw_dense, rtol=1e-9, atol=1e-10)


def test_against_50_digits(conv, rng):
    fired = 0
    for sizes in (((1, 4, 3, 2), (2, 3, 2), 1, 1), ((1, 5, 5, 1), (3, 3, 2), 2, 0)):
        args = layer(rng, sizes)
        z_out, cache = conv.forward(*args)
        exact, exact_cache = oracle.forward(*args)
        kappa, wanted = oracle.condition(exact_cache).reshape(z_out.shape), rounded(exact)
        good = np.isfinite(wanted) & (kappa < 1e4)
        fired += good.sum()
        np.testing.assert_array_equal(np.isfinite(z_out), np.isfinite(wanted))
        assert (np.abs(z_out[good] / wanted[good] - 1) < 1e-15 * (kappa[good] + 6)).all()
        c = np.where(good, rng.normal(size=z_out.shape), 0)
        for got, grad in zip(conv.backward(c, cache), oracle.backward(c, exact_cache), strict=True):
            np.testing.assert_allclose(got, rounded(grad), rtol=1e-9, atol=1e-9)
    assert fired > 15


def test_the_same_bits_for_any_number_of_threads_and_parts(kernel, rng, monkeypatch):
    args = layer(rng, ((40, 9, 9, 3), (3, 3, 12), 1, 1), np.float32)
    c, seen, before = rng.normal(size=(40, 9, 9, 12)).astype(np.float32), [], _threads.get_threads()
    monkeypatch.setattr(kernel, "_WINDOWS", 2_500)       # two of nine rows at a time
    try:
        for threads in (1, 3):
            _threads.set_threads(threads)
            z_out, cache = kernel.forward(*args)
            seen.append((z_out, *kernel.backward(c, cache)))
    finally:
        _threads.set_threads(before)
    for a, b in zip(*seen, strict=True):
        np.testing.assert_array_equal(a, b)
    monkeypatch.undo()
    for whole, parts in zip(kernel.backward(c, cache), seen[0][1:], strict=True):
        np.testing.assert_allclose(whole, parts, rtol=0, atol=1e-4 * np.abs(whole).max())


@pytest.mark.parametrize("wanting", [0.0, 0.02, 0.25, 1.0])
def test_most_neurons_may_want_nothing(kernel, rng, wanting):
    """As behind pooling: places without a gradient are left out of the sums."""
    args, reference = layer(rng, ((12, 6, 6, 2), (3, 3, 9), 1, 1)), operation("temporal_conv", "reference")
    (z_out, cache), (_, ref_cache) = kernel.forward(*args), reference.forward(*args)
    c = np.where(rng.random(z_out.shape) < wanting, rng.normal(size=z_out.shape), 0)
    for got, wanted in zip(kernel.backward(c, cache), reference.backward(c, ref_cache), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-11, atol=1e-11)
        assert got.any() == (wanting > 0)


Z, W = np.ones((1, 3, 3, 2)), np.ones((2, 2, 2, 4))


@pytest.mark.parametrize("args, error, message", [
    ((Z[..., 0], W), ValueError, r"z_in: expected shape \(any, any, any, 2\), got an array of shape \(1, 3, 3\)"),
    ((Z, W[0]), ValueError, "w: expected 4 dimensions"),
    ((Z, W[:, :, :1]), ValueError, r"z_in: expected shape \(any, any, any, 1\)"),
    ((Z, W, np.ones(3)), ValueError, r"b: expected shape \(4\), got an array of shape \(3,\)"),
    ((Z, W, np.ones(4, np.float32)), TypeError, "one float dtype"), ((Z, W.astype(np.float32)), TypeError, "one float dtype"),
    ((Z, W, None, 0), ValueError, "stride: expected a whole number of at least 1"), ((Z, W, None, 1, -1), ValueError, "padding"),
    ((Z, np.ones((4, 2, 2, 1))), ValueError, "w: expected a kernel no larger than the padded input, got 4 x 2 for 3 x 3 with padding 0"),
    ((-Z, W), ValueError, r"z_in: expected z = exp\(t\) > 0"), ((Z * np.nan, W), ValueError, "got nan"),
    ((Z, W, None, 1, 0, 0.0), ValueError, "threshold: expected a positive number")])
def test_bad_input(conv, args, error, message):
    with pytest.raises(error, match=message):
        conv.forward(*args)
    with pytest.raises(ValueError, match="dz_out: expected shape"):
        conv.backward(np.ones((1, 2, 2, 3)), conv.forward(Z, W)[1])


def test_the_table_has_it():
    assert OPERATIONS["temporal_conv"].gradients == ("z_in", "w", "b")
