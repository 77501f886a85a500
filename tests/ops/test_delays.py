"""The temporal neuron with delays: worked by hand, kernel against reference, no bit changed by delays of 0, exact gradients, refusals."""

import itertools

import numpy as np
import pytest

from pysnn import _threads
from pysnn.operations import OPERATIONS
from pysnn.verify.oracle import delays as oracle
from pysnn.verify.oracle import rounded
from pysnn.verify.witness.temporal import check_definition
from tests.cases.backends import operation
from tests.cases.tolerances import tol

INF = np.inf
KINDS = {"axons": (1, 0), "dendrites": (0, 1), "synapses": (1, 1)}


@pytest.fixture(params=["reference", "numba"])
def neuron(request):
    """The temporal neuron with delays, once by each backend."""
    return operation("delays", request.param)


@pytest.fixture
def kernel():
    """The same by Numba alone."""
    return operation("delays", "numba")


def layer(rng, kind, sizes=(3, 7, 5), dtype=np.float64):
    """Draw times, some of them inf, weights and delays."""
    n_batch, n_in, n_out = sizes
    z_in = np.exp(rng.uniform(0, 2, (n_batch, n_in)))
    z_in[rng.random(z_in.shape) < 0.1] = INF
    shape = [n if there else 1 for n, there in zip((n_in, n_out), KINDS[kind], strict=True)]
    w = rng.normal(1.6 / n_in, 1 / np.sqrt(n_in), (n_in, n_out))
    return tuple(x.astype(dtype) for x in (z_in, w, rng.exponential(0.8, shape)))


def test_worked_example(neuron):
    """(T10), (T11): two inputs that arrive together, since the first is delayed."""
    z_out, cache = neuron.forward(np.exp([[0.0, 1.0]]), np.array([[0.8], [0.6]]), np.array([[1.0], [0.0]]))
    dz_in, dw, ddelay = neuron.backward(np.ones((1, 1)), cache)
    close = {"rtol": tol("worked example"), "atol": 0}
    np.testing.assert_allclose(z_out, [[3.5 * np.e]], **close)
    np.testing.assert_allclose(ddelay[:, 0], [2 * np.e, 1.5 * np.e], **close)
    np.testing.assert_allclose(dz_in[0], [2 * np.e, 1.5], **close)
    np.testing.assert_allclose(dw[:, 0], [-6.25 * np.e] * 2, **close)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_delays_of_0_change_no_bit(neuron, kind, dtype, rng):
    for n_times in (2, 50):
        z_in, w, delay = layer(rng, kind, (9, 40, 20), dtype)
        z_in = np.where(np.isfinite(z_in), np.ceil(z_in * n_times / 8), INF).astype(dtype)
        plain = operation("temporal", "numba" if "kernels" in neuron.__name__ else "reference")
        z_out, cache = neuron.forward(z_in, w, 0 * delay)
        wanted, plain_cache = plain.forward(z_in, w)
        assert 0.2 < np.isfinite(wanted).mean() < 1
        np.testing.assert_array_equal(z_out, wanted)
        if plain.__name__.startswith("pysnn.kernels"):                   # the reference adds the neurons up in another order
            dz_out = rng.normal(size=z_out.shape).astype(dtype)
            for a, b in zip(neuron.backward(dz_out, cache), plain.backward(dz_out, plain_cache), strict=False):
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", KINDS)
def test_spikes_are_those_of_the_definition(neuron, kind, rng):
    """(T10): each neuron hears its inputs at times of its own; V reaches the threshold at the spike and was below before."""
    n_fired = 0
    for _ in range(10):
        z_in, w, delay = layer(rng, kind)
        z_out, _ = neuron.forward(z_in, w, delay, 0.7)
        for j in range(w.shape[1]):
            arrival = z_in * np.exp(np.broadcast_to(delay, w.shape)[:, j])
            result = check_definition(arrival, w[:, j:j + 1], z_out[:, j:j + 1], 0.7)
            assert result.ok
            n_fired += result.n_fired
    assert 40 < n_fired < 150


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kernel_equals_reference(kind, dtype, kernel, rng):
    """(T11), (T12) on random layers, also across the blocks of the kernel."""
    reference, eps, fired = operation("delays", "reference"), np.finfo(dtype).eps, []
    for sizes in ((1, 1, 1), (4, 1, 3), (2, 9, 1), (3, 8, 5), (3, 24, 7), (35, 40, 70)):
        z_in, w, delay = layer(rng, kind, sizes, dtype)
        (a, a_cache), (b, b_cache) = (op.forward(z_in, w, delay) for op in (reference, kernel))
        fired.append(np.isfinite(a).mean())
        good = np.isfinite(a) & np.isfinite(b) & (np.where(np.isfinite(a), a, INF) < 30)
        assert (np.isfinite(a) == np.isfinite(b)).mean() > (0.99 if dtype == np.float32 else 0.9999)
        np.testing.assert_allclose(a[good], b[good], rtol=2e3 * eps)
        dz_out = np.where(good, rng.normal(size=a.shape), 0).astype(dtype)
        for x, y, like in zip(reference.backward(dz_out, a_cache), kernel.backward(dz_out, b_cache), (z_in, w, delay), strict=True):
            assert x.shape == y.shape == like.shape and x.dtype == y.dtype == dtype
            np.testing.assert_allclose(x, y, rtol=0, atol=1e4 * eps * max(1, np.abs(x).max()))
    assert 0.2 < np.mean(fired) < 0.95


def test_against_50_digits(neuron, rng):
    fired = 0
    for kind in KINDS:
        z_in, w, delay = layer(rng, kind, (2, 6, 3))
        z_out, cache = neuron.forward(z_in, w, delay)
        exact, exact_cache = oracle.forward(z_in, w, delay)
        kappa, wanted = oracle.condition(exact_cache), rounded(exact)
        good = np.isfinite(wanted) & (kappa < 1e4)
        fired += good.sum()
        np.testing.assert_array_equal(np.isfinite(z_out), np.isfinite(wanted))
        assert (np.abs(z_out[good] / wanted[good] - 1) < 1e-15 * (kappa[good] + 6)).all()
        c = np.where(good, rng.normal(size=z_out.shape), 0)
        for got, grad in zip(neuron.backward(c, cache), oracle.backward(c, exact_cache), strict=True):
            np.testing.assert_allclose(got, rounded(grad), rtol=1e-9, atol=1e-9)
    assert fired > 6


def test_one_set_of_delays_written_in_two_ways(neuron, rng):
    """(T12): delays of axons and of dendrites are delays of synapses that happen to be equal."""
    for kind in ("axons", "dendrites"):
        z_in, w, delay = layer(rng, kind)
        whole = np.ascontiguousarray(np.broadcast_to(delay, w.shape))
        (a, a_cache), (b, b_cache) = (neuron.forward(z_in, w, d) for d in (delay, whole))
        np.testing.assert_allclose(a, b, rtol=1e-12)
        c = np.where(np.where(np.isfinite(a), a, INF) < 50, rng.normal(size=a.shape), 0)
        one, many = neuron.backward(c, a_cache), neuron.backward(c, b_cache)
        for x, y in zip(one[:2], many[:2], strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-10)
        np.testing.assert_allclose(one[2], many[2].sum(axis=KINDS[kind].index(0), keepdims=True), rtol=1e-9, atol=1e-10)


def test_the_same_bits_for_any_number_of_threads(kernel, rng):
    z_in, w, delay = layer(rng, "synapses", (5, 30, 150))
    c, seen, before = rng.normal(size=(5, 150)), [], _threads.get_threads()
    try:
        for threads in (1, 3):
            _threads.set_threads(threads)
            z_out, cache = kernel.forward(z_in, w, delay)
            seen.append((z_out, *kernel.backward(c, cache)))
    finally:
        _threads.set_threads(before)
    for a, b in zip(*seen, strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_arrival_after_all_numbers_never_comes(neuron):
    for (dtype, z, late), n_out in itertools.product(((np.float32, 1e30, 80.0), (np.float64, 1e300, 700.0)), (1, 2)):
        w, delay = np.array([[1.5], [3]], dtype), np.array([[0], [late]], dtype)
        z_out, cache = neuron.forward(np.array([[1, z]], dtype), w, delay)
        assert (neuron.forward(np.array([[1, z]], dtype), np.tile(w, n_out), np.tile(delay, n_out))[0] == 3).all()
        assert z_out == 3
        dz_in, dw, ddelay = neuron.backward(np.ones((1, 1), dtype), cache)
        assert dz_in[0, 1] == dw[1, 0] == ddelay[1, 0] == 0 and np.isfinite(ddelay).all() and ddelay[0, 0] == 3


Z, W, D = np.array([[1.0, 2.0, 3.0]]), np.ones((3, 2)), np.ones((3, 2))


@pytest.mark.parametrize("args, error, message", [
    ((Z, W, D[:2]), ValueError, r"delay: expected shape \(3, 1\), \(1, 2\) or \(3, 2\), of axons, .*, got an array of shape \(2, 2\)"),
    ((Z, W, D[0]), ValueError, "delay: expected 2 dimensions"),
    ((Z, W, -D), ValueError, r"delay: expected numbers from 0 to 709, got -1\.0"),
    ((Z, W, D * np.nan), ValueError, "got nan"), ((Z, W, D * INF), ValueError, "got inf"),
    ((Z, W, 710 * D), ValueError, r"got 710\.0"),
    ((Z, W, D.astype(np.float32)), TypeError, "one float dtype.*delay is float32, w is float64"),
    ((Z, W, 1.0), TypeError, "delay: expected a NumPy array, got float"), ((-Z, W, D), ValueError, r"z_in: expected z = exp\(t\) > 0"),
    ((Z, W, D, 0.0), ValueError, "threshold: expected a positive number")])
def test_bad_input(neuron, args, error, message):
    with pytest.raises(error, match=message):
        neuron.forward(*args)


def test_the_table_has_it():
    assert OPERATIONS["temporal_delays"].gradients == ("z_in", "w", "delay")
