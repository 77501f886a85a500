"""The operations of a ReLU network: examples by hand, gradients against differences, kernel against reference, what is refused.

docs/derivations/convolution-and-pooling.md and batch-norm.md derive the equations; each test says which it is about.
"""

import tracemalloc

import numpy as np
import pytest

from pysnn import _threads, verify
from pysnn.reference import activations, batch_norm, conv, dense, pool
from pysnn.verify.witness import relu as witness
from pysnn.verify.zoo import Op
from pysnn.verify.zoo import relu as zoo_relu
from tests.cases.backends import operation
from tests.cases.relu import BAD, CONVS, ONE, POOLS, draw_conv
from tests.cases.tolerances import tol

SINGLE, DOUBLE = np.float32, np.float64
BACKENDS = ("reference", "numba")


@pytest.fixture(params=BACKENDS)
def ops(request):
    """All operations of one backend, by name."""
    return lambda name: operation(name, request.param)


@pytest.fixture
def fast():
    """All operations by Numba."""
    return lambda name: operation(name, "numba")


def smooth(args, out, cache):
    """No decisions: everything is smooth."""
    return np.zeros(1)


def check(forward, backward, args, trace=smooth):
    report = verify.gradcheck(forward, backward, args, trace=trace, n=60)
    report.raise_if_failed()
    for row in report.rows:
        assert row.checked > 0


def assert_close(got, ref, size=1e-30):
    """Compare lists of results, relative to the largest entry of each, or to the size of the terms where these cancel."""
    for a, b in zip(got, ref, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            assert a.shape == b.shape and a.dtype == b.dtype and a.flags.c_contiguous
            np.testing.assert_allclose(a, b, rtol=0, atol=tol(f"order of sums {b.dtype}") * max(np.abs(b).max(), size))


# ------------------------------------------------------------------------------------------------------ examples by hand

def test_dense_by_hand(ops):
    """(R1) two inputs, one output, one sample."""
    op = ops("dense")
    y, cache = op.dense_forward(np.array([[2.0, 3.0]]), np.array([[5.0], [7.0]]), np.array([11.0]))
    assert y.tolist() == [[2 * 5 + 3 * 7 + 11]]
    dx, dw, db = op.dense_backward(np.array([[10.0]]), cache)
    assert dx.tolist() == [[50, 70]] and dw.tolist() == [[20], [30]] and db.tolist() == [10]
    assert op.dense_backward(np.array([[1.0]]), op.dense_forward(np.ones((1, 2)), np.ones((2, 1)))[1])[2] is None


def test_convolution_by_hand(ops):
    """(R2) a kernel of two by two on an image of three by three, not turned; (R3), (R4) each output sends its gradient where it looked."""
    op = ops("conv")
    x, w = np.arange(1.0, 10).reshape(1, 3, 3, 1), np.array([1.0, 2, 3, 4]).reshape(2, 2, 1, 1)
    y, cache = op.conv2d_forward(x, w)
    assert y.reshape(2, 2).tolist() == [[1 + 4 + 12 + 20, 2 + 6 + 15 + 24], [4 + 10 + 21 + 32, 5 + 12 + 24 + 36]]
    dx, dw = op.conv2d_backward(np.array([1.0, 0, 0, 10]).reshape(1, 2, 2, 1), cache)
    assert dw.reshape(-1).tolist() == [1 + 50, 2 + 60, 4 + 80, 5 + 90]
    assert dx.reshape(3, 3).tolist() == [[1, 2, 0], [3, 4 + 10, 20], [0, 30, 40]]
    padded, _ = op.conv2d_forward(x, w, padding=1)
    assert padded.shape == (1, 4, 4, 1) and padded[0, 0, 0, 0] == 4 * 1 and padded[0, 3, 3, 0] == 1 * 9
    wide, _ = op.conv2d_forward(x, w, stride=2, padding=1)
    assert wide.reshape(2, 2).tolist() == padded[0, ::2, ::2, 0].tolist()


def test_a_window_of_many_places(ops):
    """17 x 17 places: the winner's number needs more than a byte."""
    x = np.zeros((1, 17, 17, 1))
    x[0, 16, 15, 0] = 1.0                                                # place 287 of 289
    y, cache = ops("pool").max_pool2d_forward(x, 17)
    np.testing.assert_array_equal(ops("pool").max_pool2d_backward(3 * y, cache), 3 * x)


def test_pooling_by_hand(ops):
    """(R5), (R6) the last row and column fill no window."""
    op = ops("pool")
    x = np.array([[1.0, 5, 9], [5, 2, 9], [9, 9, 9]]).reshape(1, 3, 3, 1)
    y, cache = op.max_pool2d_forward(x)
    assert y.reshape(-1).tolist() == [5]
    assert op.max_pool2d_backward(np.array([[[[7.0]]]]), cache).reshape(3, 3).tolist() == [[0, 7, 0], [0, 0, 0], [0, 0, 0]]
    y, cache = op.avg_pool2d_forward(x)
    assert y.reshape(-1).tolist() == [13 / 4]
    assert op.avg_pool2d_backward(np.array([[[[8.0]]]]), cache).reshape(3, 3).tolist() == [[2, 2, 0], [2, 2, 0], [0, 0, 0]]


def test_batch_norm_by_hand(ops):
    """(R7) mean 2, variance 1; (R8) with eps = 3 sigma is 2; (R9) dx = (1, -1) - 0 - x_hat * (dy x_hat summed)/2; (R10) folded."""
    op = ops("batch_norm")
    x, two = np.array([[1.0], [3.0]]), np.array([2.0])
    y, cache = op.batch_norm_forward(x, two, np.array([10.0]), eps=3.0)
    assert cache.mean.tolist() == [2] and cache.var.tolist() == [1]
    assert y.tolist() == [[9], [11]]                                     # x_hat = -1/2, 1/2
    dx, dgamma, dbeta = op.batch_norm_backward(np.array([[1.0], [-1.0]]), cache)
    assert dgamma.tolist() == [-1] and dbeta.tolist() == [0]
    assert dx.reshape(-1).tolist() == [1 - 0.25, -1 + 0.25]              # gamma/sigma = 1; x_hat dgamma/2 = 1/4, -1/4
    _, cache = op.batch_norm_forward(x, two, two, np.array([0.0]), np.array([1.0]), eps=3.0)
    dx, dgamma, _ = op.batch_norm_backward(np.array([[1.0], [-1.0]]), cache)
    assert dx.reshape(-1).tolist() == [1, -1] and dgamma.tolist() == [1 / 2 - 3 / 2]
    w, b = op.fold(np.array([[6.0]]), two, np.array([10.0]), np.array([3.0]), np.array([1.0]), 3.0)
    assert w.tolist() == [[6]] and b.tolist() == [7]


def test_levels_by_hand(ops):
    """(R14) four steps up to 2: half of a step and more goes up; the gradient is that of the ceiling alone."""
    op, x = ops("activations"), np.array([[-1.0, 0.0, 0.24, 0.25, 0.74, 0.75, 1.76, 2.0, 9.0]])
    y, cache = op.relu_forward(x, 2.0, 4)
    assert y.tolist() == [[0, 0, 0, 0.5, 0.5, 1, 2, 2, 2]]
    assert op.relu_backward(np.full((1, 9), 3.0), cache).tolist() == [[0, 0, 3, 3, 3, 3, 3, 0, 0]]
    assert np.isnan(op.relu_forward(np.array([[np.nan]]), 2.0, 4)[0]).all()
    for top, levels in ((np.inf, 4), (1.0, -1), (1.0, 2.0), (1.0, True), (1.0, "4"), (1.0, None)):
        with pytest.raises(ValueError, match="levels: expected a whole number, and with it a finite top, got"):
            op.relu_forward(x, top, levels)


def test_levels_are_rates_of_a_neuron(ops, rng):
    """(P12): (R14) is the rate, after T steps of a constant current, of a neuron that resets by subtraction and begins at threshold/2."""
    from pysnn.reference import integrate_fire
    x = rng.integers(-200, 300, (3, 40)) / 128
    for n_steps in (1, 2, 4, 8):
        spikes, _, _ = integrate_fire.forward(np.broadcast_to(x, (n_steps, *x.shape)), 1.0, 0.5)
        np.testing.assert_array_equal(ops("activations").relu_forward(x, 1.0, n_steps)[0], spikes.mean(axis=0))


def test_activations_by_hand(ops):
    """(R11) ReLU, at 0 its gradient is 0; (R12) dropout; flattening in the order H, W, C."""
    op = ops("activations")
    y, cache = op.relu_forward(np.array([[-1.0, 0.0, 2.0]]))
    assert y.tolist() == [[0, 0, 2]] and op.relu_backward(np.array([[5.0, 6.0, 7.0]]), cache).tolist() == [[0, 0, 7]]
    y, cache = op.relu_forward(np.array([[-1.0, 1.5, 2.0, 3.0]]), 2.0)
    assert y.tolist() == [[0, 1.5, 2, 2]] and op.relu_backward(np.array([[5.0, 6.0, 7.0, 8.0]]), cache).tolist() == [[0, 6, 0, 0]]
    for top in (0.0, -1.0, np.nan, "1"):
        with pytest.raises(ValueError, match="top: expected a positive number or inf"):
            op.relu_forward(y, top)
    x = np.arange(1.0, 13).reshape(1, 2, 3, 2)
    y, cache = op.flatten_forward(x)
    assert y.tolist() == [list(range(1, 13))] and (op.flatten_backward(y, cache) == x).all()
    y, cache = op.dropout_forward(np.ones((100, 100)), 0.75, np.random.default_rng(0))
    assert set(np.unique(y)) == {0, 4} and abs(y.mean() - 1) < 0.05
    assert (op.dropout_backward(np.full((100, 100), 3.0), cache) == 3 * y).all()
    y, _ = op.dropout_forward(np.ones((2, 2)), 0.0, np.random.default_rng(0))
    assert (y == 1).all()


# ------------------------------------------------------------------------------------------- every gradient, by differences

@pytest.mark.parametrize("case", CONVS.values(), ids=CONVS)
def test_gradients_of_convolution(ops, rng, case):
    """(R3), (R4)."""
    op, (x, w, stride, padding) = ops("conv"), draw_conv(rng, *case)
    check(lambda x, w: op.conv2d_forward(x, w, stride, padding), op.conv2d_backward, (x, w))


def test_gradients_of_dense(ops, rng):
    """(R1) with and without b."""
    op = ops("dense")
    args = rng.normal(size=(5, 4)), rng.normal(size=(4, 3)), rng.normal(size=3)
    check(op.dense_forward, op.dense_backward, args)
    check(lambda x, w: op.dense_forward(x, w), lambda dy, cache: op.dense_backward(dy, cache)[:2], args[:2])


@pytest.mark.parametrize("case", POOLS.values(), ids=POOLS)
@pytest.mark.parametrize("kind", ["max", "avg"])
def test_gradients_of_pooling(ops, rng, kind, case):
    """(R5), (R6)."""
    op, (*shape, size, stride) = ops("pool"), case
    forward, backward = getattr(op, f"{kind}_pool2d_forward"), getattr(op, f"{kind}_pool2d_backward")
    check(lambda x: forward(x, size, stride), backward, (rng.normal(size=shape),),
          trace=(lambda args, out, cache: cache.winner) if kind == "max" else smooth)


@pytest.mark.parametrize("shape", [(6, 3), (2, 3, 4, 5), (3, 2, 1)], ids=str)
def test_gradients_of_batch_norm(ops, rng, shape):
    """(R8) gamma, beta; (R9) x, through the statistics of the batch, or with constants."""
    op = ops("batch_norm")
    x, (gamma, beta, mean), var = rng.normal(1, 2, shape), rng.normal(size=(3, shape[-1])), rng.uniform(0.5, 2, shape[-1])
    check(op.batch_norm_forward, op.batch_norm_backward, (x, gamma, beta))
    check(lambda x, gamma, beta: op.batch_norm_forward(x, gamma, beta, mean, var), op.batch_norm_backward, (x, gamma, beta))
    _, dgamma, _ = op.batch_norm_backward(np.ones(shape), op.batch_norm_forward(x, gamma, beta)[1])
    np.testing.assert_allclose(dgamma, 0, atol=tol("identity"))          # the normalised values of a batch sum to 0


def test_gradients_of_activations(ops, rng):
    """(R11), (R12) and flattening."""
    op, x = ops("activations"), rng.normal(size=(2, 3, 4, 2))
    check(op.relu_forward, op.relu_backward, (x,), trace=lambda args, out, cache: out > 0)
    assert 0.1 < (x > 0.7).mean() < 0.5
    check(lambda x: op.relu_forward(x, 0.7), op.relu_backward, (x,), trace=lambda args, out, cache: (out > 0, out < 0.7))
    def straight(x):                                                     # (R14): differences without steps, the cache with them
        y, cache = op.relu_forward(x, 0.7, 4)
        assert len(np.unique(y)) == 5
        return op.relu_forward(x, 0.7)[0], cache
    check(straight, op.relu_backward, (x,), trace=lambda args, out, cache: (out > 0, out < 0.7))
    check(op.flatten_forward, op.flatten_backward, (x,))
    check(lambda x: op.dropout_forward(x, 0.4, np.random.default_rng(3)), op.dropout_backward, (x,))


# ----------------------------------------------------------------------------------------------------- kernel and reference

LARGER = {"batch of 50": (50, 9, 9, 16, 8, 3, 3, 1, 1), "many channels": (3, 28, 28, 128, 64, 3, 3, 1, 1),
          "first layer": (30, 28, 28, 1, 17, 3, 3, 1, 1)}


@pytest.mark.parametrize("dtype", [SINGLE, DOUBLE])
@pytest.mark.parametrize("case", [*CONVS.values(), *LARGER.values()], ids=[*CONVS, *LARGER])
def test_convolution_is_the_reference(fast, rng, case, dtype):
    x, w, stride, padding = draw_conv(rng, *case, dtype)
    y, cache = conv.conv2d_forward(x, w, stride, padding)
    got, got_cache = fast("conv").conv2d_forward(x, w, stride, padding)
    assert_close([got], [y])
    dy = rng.normal(size=y.shape).astype(dtype)
    for need_dx in (True, False):
        assert_close(fast("conv").conv2d_backward(dy, got_cache, need_dx), conv.conv2d_backward(dy, cache, need_dx))


@pytest.mark.parametrize("dtype", [SINGLE, DOUBLE])
@pytest.mark.parametrize("case", [*POOLS.values(), (40, 28, 28, 32, 2, None)], ids=[*POOLS, "large"])
def test_pooling_is_the_reference(fast, rng, case, dtype):
    """Whole numbers from 0 to 3: full of ties."""
    *shape, size, stride = case
    x = rng.integers(0, 4, shape).astype(dtype)
    for kind in ("max", "avg"):
        y, cache = getattr(pool, f"{kind}_pool2d_forward")(x, size, stride)
        got, got_cache = getattr(fast("pool"), f"{kind}_pool2d_forward")(x, size, stride)
        assert_close([got], [y])
        if kind == "max":
            np.testing.assert_array_equal(got_cache.winner, cache.winner)
            assert got_cache.winner.dtype == (np.uint8 if size <= 16 else np.uint16)
        dy = rng.normal(size=y.shape).astype(dtype)
        got = getattr(fast("pool"), f"{kind}_pool2d_backward")(dy, got_cache)
        assert_close([got], [getattr(pool, f"{kind}_pool2d_backward")(dy, cache)])


@pytest.mark.parametrize("dtype", [SINGLE, DOUBLE])
@pytest.mark.parametrize("shape", [(1, 1), (2, 1), (7, 3), (4, 5, 6, 17), (40, 9, 9, 130), (6000, 32), (5, 300)], ids=str)
def test_batch_norm_is_the_reference(fast, rng, shape, dtype):
    op, n_c = fast("batch_norm"), shape[-1]
    x = rng.normal(3, 2, shape).astype(dtype)
    gamma, beta, mean = rng.normal(size=(3, n_c)).astype(dtype)
    var = rng.uniform(0.5, 2, n_c).astype(dtype)
    dy = rng.normal(size=shape).astype(dtype)
    for given in ((None, None), (mean, var)):
        y, cache = batch_norm.batch_norm_forward(x, gamma, beta, *given)
        got, got_cache = op.batch_norm_forward(x, gamma, beta, *given)
        assert_close([got, got_cache.mean, got_cache.var], [y, cache.mean, cache.var])
        grads = op.batch_norm_backward(dy, got_cache)
        size = np.abs(dy).max() * np.abs(gamma / np.sqrt(cache.var + cache.eps)).max()
        assert_close(grads, batch_norm.batch_norm_backward(dy, cache), size)


@pytest.mark.parametrize("dtype", [SINGLE, DOUBLE])
def test_dense_and_activations_are_the_reference(fast, rng, dtype):
    x, w, b = (rng.normal(size=s).astype(dtype) for s in ((70, 300), (300, 130), (130,)))
    for extra in ((b,), ()):
        y, cache = dense.dense_forward(x, w, *extra)
        got, got_cache = fast("dense").dense_forward(x, w, *extra)
        assert_close([got], [y])
        assert_close(fast("dense").dense_backward(y, got_cache), dense.dense_backward(y, cache))
    y, cache = activations.dropout_forward(x, 0.3, np.random.default_rng(1))
    got, got_cache = fast("activations").dropout_forward(x, 0.3, np.random.default_rng(1))
    np.testing.assert_array_equal(got, y)
    np.testing.assert_array_equal(fast("activations").dropout_backward(x, got_cache), activations.dropout_backward(x, cache))
    for how in ((np.inf,), (0.7,), (0.7, 5)):
        y, cache = activations.relu_forward(x, *how)
        got, got_cache = fast("activations").relu_forward(x, *how)
        np.testing.assert_array_equal(got, y)
        np.testing.assert_array_equal(fast("activations").relu_backward(-x, got_cache), activations.relu_backward(-x, cache))


def test_statistics_far_from_zero(ops, rng):
    """(R7) mean 1e4, deviation 1e-1, in float32: squares minus squares would leave nothing."""
    x = (1e4 + 0.1 * rng.normal(size=(5000, 3))).astype(SINGLE)
    _, cache = ops("batch_norm").batch_norm_forward(x, np.ones(3, SINGLE), np.zeros(3, SINGLE))
    np.testing.assert_allclose(cache.mean, x.astype(DOUBLE).mean(axis=0), rtol=tol("order of sums float32"))
    np.testing.assert_allclose(cache.var, x.astype(DOUBLE).var(axis=0), rtol=tol("order of sums float32"))


@pytest.mark.parametrize("dtype", [SINGLE, DOUBLE])
def test_one_value_a_channel(ops, rng, dtype):
    """(R9) a batch of one: the variance is 0, y is beta, and no gradient reaches x."""
    op, x, gamma, beta = ops("batch_norm"), *rng.normal(size=(3, 1, 4)).astype(dtype)
    y, cache = op.batch_norm_forward(x, gamma[0], beta[0])
    np.testing.assert_array_equal(y, beta)
    assert not cache.var.any()
    dx, dgamma, dbeta = op.batch_norm_backward(x, cache)
    np.testing.assert_array_equal(dbeta, x[0])
    assert not dx.any() and not dgamma.any()


def test_fold_is_the_layer_and_its_normalisation(ops, rng):
    """(R10) against (R2) followed by (R8)."""
    x, w = rng.normal(size=(3, 5, 5, 2)), rng.normal(size=(3, 3, 2, 4))
    gamma, beta, mean = rng.normal(size=(3, 4))
    var = rng.uniform(0.5, 2, 4)
    op = ops("batch_norm")
    y, _ = op.batch_norm_forward(ops("conv").conv2d_forward(x, w, 1, 1)[0], gamma, beta, mean, var)
    w_folded, b = op.fold(w, gamma, beta, mean, var)
    assert_close([ops("conv").conv2d_forward(x, w_folded, 1, 1)[0] + b], [y])


def calls(ops, rng, dtype):
    """Run every operation forward and backward; the arguments and the results."""
    x, wide = rng.normal(size=(13, 12, 12, 20)).astype(dtype), rng.normal(size=(20, 28, 28, 24)).astype(dtype)     # wide: ten tiles
    w, (gamma, beta) = rng.normal(size=(3, 3, 20, 24)).astype(dtype), rng.normal(size=(2, 20)).astype(dtype)
    flat, full = x[:, 0].reshape(13, -1), rng.normal(size=(240, 70)).astype(dtype)
    return [(ops("conv").conv2d_forward, ops("conv").conv2d_backward, (x, w), (1, 1)),
            (ops("conv").conv2d_forward, ops("conv").conv2d_backward, (x, w), (2, 0)),
            (ops("conv").conv2d_forward, ops("conv").conv2d_backward, (wide, rng.normal(size=(3, 3, 24, 8)).astype(dtype)), (1, 1)),
            (ops("activations").relu_forward, ops("activations").relu_backward, (wide,), ()),
            (ops("batch_norm").batch_norm_forward, ops("batch_norm").batch_norm_backward, (wide, *np.ones((2, 24), dtype)), ()),
            (ops("pool").max_pool2d_forward, ops("pool").max_pool2d_backward, (x,), ()),
            (ops("pool").max_pool2d_forward, ops("pool").max_pool2d_backward, (x,), (3, 2)),
            (ops("pool").avg_pool2d_forward, ops("pool").avg_pool2d_backward, (x,), ()),
            (ops("batch_norm").batch_norm_forward, ops("batch_norm").batch_norm_backward, (x, gamma, beta), ()),
            (ops("activations").relu_forward, ops("activations").relu_backward, (x,), ()),
            (ops("activations").flatten_forward, ops("activations").flatten_backward, (x,), ()),
            (ops("dense").dense_forward, ops("dense").dense_backward, (flat, full), ())]


def results(forward, backward, args, options, change=lambda a: a):
    y, cache = forward(*map(change, args), *options)
    grads = backward(change(np.cos(np.arange(y.size, dtype=y.dtype)).reshape(y.shape)), cache)
    return [y, *(g for g in (grads if isinstance(grads, tuple) else (grads,)) if g is not None)]


@pytest.mark.parametrize("dtype", [SINGLE, DOUBLE])
def test_same_bits_for_any_number_of_threads(fast, dtype):
    before, runs = _threads.get_threads(), []
    try:
        for n in (1, 2, 3):
            _threads.set_threads(n)
            runs.append([[x.tobytes() for x in results(*call)] for call in calls(fast, np.random.default_rng(0), dtype)])
    finally:
        _threads.set_threads(before)
    assert runs[0] == runs[1] == runs[2]


def test_views_are_accepted_and_left_alone(ops, rng):
    def view(a):
        padded = np.zeros((*a.shape[:-1], 2 * a.shape[-1]), a.dtype)
        padded[..., ::2] = a
        padded.flags.writeable = False
        return padded[..., ::2]
    for forward, backward, args, options in calls(ops, rng, DOUBLE):
        before = [a.copy() for a in args]
        wanted = results(forward, backward, args, options)
        for a, b in zip(results(forward, backward, args, options, view), wanted, strict=True):
            np.testing.assert_array_equal(a, b)
        for a, b in zip(args, before, strict=True):
            np.testing.assert_array_equal(a, b)


def test_patches_never_exist_for_the_whole_batch(fast, rng):
    """Beside the result, forward and backward need a few tiles of patches, and the cache holds x and w themselves."""
    op, x, w = fast("conv"), rng.normal(size=(64, 28, 28, 16)).astype(SINGLE), rng.normal(size=(3, 3, 16, 16)).astype(SINGLE)
    y, cache = op.conv2d_forward(x, w, 1, 1)                             # compiles
    op.conv2d_backward(y, cache)
    assert cache.x is x and cache.w is w
    patches = 9 * x.nbytes
    for run in (lambda: op.conv2d_forward(x, w, 1, 1), lambda: op.conv2d_backward(y, cache)):
        tracemalloc.start()
        run()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert y.nbytes < peak < patches / 2


def test_nan_is_not_hidden(ops):
    """A net that has diverged must look so."""
    x = np.zeros((1, 2, 4, 1))
    x[0, :, :2] = np.array([[1, np.nan], [3, 4]])[..., None]
    assert np.isnan(ops("pool").max_pool2d_forward(x)[0]).tolist() == [[[[True], [False]]]]
    assert np.isnan(ops("activations").relu_forward(x)[0]).sum() == 1
    assert np.isnan(ops("batch_norm").batch_norm_forward(x, np.ones(1), np.ones(1))[0]).all()


# ---------------------------------------------------------------------------------------------------------- what is refused

@pytest.mark.parametrize("module, name, args, error, message", BAD.values(), ids=BAD)
def test_forward_refuses(ops, module, name, args, error, message):
    with pytest.raises(error, match=message) as caught:
        getattr(ops(module), f"{name}_forward")(*args)
    assert "\n" not in str(caught.value)


def test_backward_refuses(ops, rng):
    for forward, backward, args, options in calls(ops, rng, DOUBLE):
        y, cache = forward(*args, *options)
        for bad, error, message in ((y[:1], ValueError, "dy: expected shape"), (y.astype(SINGLE), TypeError, "dy is float32"),
                                    (y.tolist(), TypeError, "dy: expected a NumPy array"),
                                    (y.astype(int), TypeError, "dy: expected float32")):
            with pytest.raises(error, match=message):
                backward(bad, cache)


# ---------------------------------------------------------------------------------------------------------------- bug zoo

def pair(module, name):
    return Op(getattr(module, f"{name}_forward"), getattr(module, f"{name}_backward"))


def test_statistics_other_than_declared_are_caught(ops, rng):
    fault, op = zoo_relu.FAULTS["batch_norm_statistics"], pair(ops("batch_norm"), "batch_norm")
    assert witness.check_statistics(op).ok
    faulty = fault.inject(op)
    found = witness.check_statistics(faulty)
    assert [good for _, good in found.lines] == [False, False, False, True, True] and not found.ok
    assert fault.caught_by == "statistics" and fault.source == "synthetic" and fault.description
    args, given = (rng.normal(size=(6, 3)), ONE, ONE), (np.zeros(3), ONE)
    check(lambda *a: faulty.forward(*a, *given), faulty.backward, args)          # and gradcheck alone would not see it


def test_a_wrong_winner_of_ties_is_caught(ops, rng):
    fault, op = zoo_relu.FAULTS["max_pool_tie"], pair(ops("pool"), "max_pool2d")
    assert witness.check_ties(op).ok
    faulty = fault.inject(op)
    assert not any(good for _, good in witness.check_ties(faulty).lines)
    assert fault.caught_by == "ties"
    check(faulty.forward, faulty.backward, (rng.normal(size=(2, 4, 4, 2)),), trace=lambda args, out, cache: cache.winner)
