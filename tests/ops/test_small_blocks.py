"""Kernels against the reference on tiny problems cut into many blocks: as large problems are cut, but quick with Numba's compiler off."""

import inspect
import itertools

import numpy as np
import pytest

from pysnn.conventions import Rule, Surrogate
from tests.cases.backends import operation
from tests.cases.spiking import assert_same, images, network
from tests.cases.tolerances import tol

INF = np.inf
RULES = [Rule(*words) for words in itertools.product(("subtract", "zero"), ("same", "next"), (">=", ">"))]
SURROGATES = [Surrogate("atan", 2.0), Surrogate("fast_sigmoid", 3.0), Surrogate("sigmoid", 4.0), Surrogate("triangle", 1.5)]


@pytest.fixture
def pair(monkeypatch):
    """Return both backends of an operation, the kernel with other sizes of its blocks."""
    def both(name, **sizes):
        fast = operation(name, "numba")
        for constant, value in sizes.items():
            monkeypatch.setattr(fast, constant, value)
        return fast, operation(name, "reference")

    return both


def assert_close(got, ref, name="order of sums float64"):
    for a, b in zip(got, ref, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            assert a.shape == b.shape and a.dtype == b.dtype
            np.testing.assert_allclose(a, b, rtol=0, atol=tol(name) * max(np.abs(b).max(), 1e-30))


@pytest.mark.parametrize("name", ["temporal", "integrate_fire", "conv", "dense", "pool", "batch_norm", "activations", "spiking"])
def test_signatures(pair, name):
    """The same arguments in the same order with the same defaults."""
    fast, ref = pair(name)
    public = [key for key, f in vars(ref).items() if inspect.isfunction(f) and not key.startswith("_") and f.__module__ == ref.__name__
              and hasattr(fast, key)]
    assert public
    for key in public:
        assert str(inspect.signature(getattr(fast, key))) == str(inspect.signature(getattr(ref, key))), key


# ---- temporal

def test_the_last_of_a_full_row_of_neurons_is_waited_for(pair):
    """The scan looks now and then whether all neurons have fired, to stop early; here only the last one has not."""
    fast, ref = pair("temporal")
    z_in, w = np.arange(1.0, 101.0)[None], np.full((100, 16), 0.5)
    w[:, -1] = 0.02
    want = ref.forward(z_in, w)[0]
    assert (want[0, :-1] < 20).all() and 80 < want[0, -1] < INF
    np.testing.assert_allclose(fast.forward(z_in, w)[0], want, rtol=1e-12)



def spike_times(rng, n_batch, n_in, kind):
    """Draw input spikes: at any time, at few times (ties), at two, some of them silent; one sample is silent throughout."""
    if kind == "any":
        z = np.exp(rng.uniform(0, 3, (n_batch, n_in)))
    else:
        z = 1.0 + rng.integers(0, 2 if kind.startswith("two") else 4, (n_batch, n_in))
    if "silent" in kind or kind == "any":
        z[rng.random(z.shape) < 0.2] = INF
        z[1] = INF
    return z


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n_in, n_out", [(1, 1), (3, 5), (9, 17), (21, 34), (45, 3)])
@pytest.mark.parametrize("kind", ["any", "few", "few, silent", "two", "two, silent"])
def test_temporal(pair, rng, kind, n_in, n_out, dtype):
    fast, ref = pair("temporal", _CACHE=1, _SAMPLES=2)
    z_in = spike_times(rng, 5, n_in, kind).astype(dtype)
    w = (np.round(rng.normal(3 / n_in, 2 / np.sqrt(n_in), (n_in, n_out)) * 64) / 64).astype(dtype)      # sums of w are exact
    c = rng.standard_normal((5, n_out)).astype(dtype)
    (z, cache), (z_ref, cache_ref) = fast.forward(z_in, w, 0.75), ref.forward(z_in, w, 0.75)
    assert n_in * n_out < 20 or (np.isfinite(z_ref).any() and np.isinf(z_ref).any())
    np.testing.assert_allclose(z, z_ref, rtol=200 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(cache.margin, cache_ref.margin)
    np.testing.assert_array_equal(cache.z_bound, cache_ref.z_bound)
    assert_close(fast.backward(c, cache), ref.backward(c, cache_ref), f"order of sums {np.dtype(dtype)}")
    assert_close([fast.backward_w(c, cache)], [ref.backward(c, cache_ref)[1]], f"order of sums {np.dtype(dtype)}")


def test_temporal_far_from_the_next_input(pair):
    """z_out long before the next input, where the running form has lost its digits."""
    fast, ref = pair("temporal")
    z_in, w = np.array([[1.0, 1.5, 2.0, 1e15, 2e15]]), np.array([[3.0], [0.3], [0.1], [1.0], [1.0]]) * np.ones(3)
    w[1] *= [1, -4, 0]
    np.testing.assert_allclose(fast.forward(z_in, w)[0], ref.forward(z_in, w)[0], rtol=1e-15)


def test_temporal_goes_on_as_long_as_one_neuron_has_not_fired(pair):
    """After each 32 inputs the kernel looks whether all have fired; the third fires only at the 37th."""
    fast, ref = pair("temporal")
    z_in, w = np.linspace(1, 2, 45)[None], np.zeros((45, 3))
    w[0, :2], w[36:, 2] = 100, 100
    z, want = fast.forward(z_in, w)[0], ref.forward(z_in, w)[0]
    assert (want[0, :2] < z_in[0, 1]).all() and z_in[0, 36] < want[0, 2] < z_in[0, 37]
    np.testing.assert_allclose(z, want, rtol=1e-13)


def test_two_times_take_the_short_way(pair):
    """Both ways give the same, so only this notices that one is never taken."""
    fast, _ = pair("temporal")
    w = np.ones((3, 2))
    for z, short in (([1, 2, 2], True), ([1, 2, INF], True), ([1, 1, 1], False), ([1, 2, 3], False), ([1, INF, INF], False)):
        assert (fast.forward(np.array([z], float), w)[1].levels is not None) == short


@pytest.mark.parametrize("early", [0.2, 0.8])
@pytest.mark.parametrize("silent", [None, 0.0, 0.3, 0.8])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_two_times_whichever_rows_are_summed(pair, rng, dtype, silent, early):
    """Few or many early and silent inputs; one sample, where half of them are silent, has a pull ten million times that of the others.

    Samples, inputs and outputs do not fill their last group or block. Without silent inputs the sums are made in another way.
    """
    fast, ref = pair("temporal")
    z_in = np.where(rng.random((7, 301)) < early, 1, 6).astype(dtype)
    z_in[rng.random(z_in.shape) < (silent or 0)] = INF
    z_in[3, :150], w = 6 if silent is None else INF, rng.normal(0.05, 0.2, (301, 93)).astype(dtype)
    (z, cache), (want, known) = fast.forward(z_in, w), ref.forward(z_in.astype(float), w.astype(float))
    tol = 1e-12 if dtype == np.float64 else 1e-4
    assert cache.levels is not None
    np.testing.assert_allclose(z, want, rtol=tol)
    dz = rng.normal(size=z.shape).astype(dtype)
    dz[3] *= dtype(1 if silent is None else 1e7)
    dz_in, dw = fast.backward(dz, cache)
    right = ref.backward(dz.astype(float), known)
    np.testing.assert_allclose(dz_in[[0, 1, 2, 4, 5, 6]], right[0][[0, 1, 2, 4, 5, 6]], rtol=0, atol=tol * np.abs(right[0][4:]).max())
    np.testing.assert_allclose(dw[:150], right[1][:150], rtol=0, atol=10 * tol * np.abs(right[1][:150]).max())


def test_two_times_with_a_large_weight_of_a_silent_input(pair):
    """The last digits of the others are not those of a sum that holds a million."""
    fast, ref = pair("temporal")
    z_in, w = np.array([[1, 6, 1, INF, 1, 6, 6]], np.float32), np.full((7, 3), 0.3, np.float32)
    w[3] = 1e6
    z, cache = fast.forward(z_in, w + np.arange(3, dtype=np.float32) / 64)
    assert cache.levels is not None and np.isfinite(z).all()
    np.testing.assert_allclose(z, ref.forward(z_in.astype(float), cache.w.astype(float))[0], rtol=1e-5)


# ---- integrate and fire

@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("rule", RULES, ids=lambda r: "-".join(r))
def test_integrate_fire(pair, rng, rule, dtype):
    fast, ref = pair("integrate_fire", _BLOCK=3)
    current = (np.round(rng.normal(0.3, 0.8, (5, 2, 5)) * 4) / 4).astype(dtype)                     # many potentials on the threshold
    v_init = (np.round(rng.random((2, 5)) * 8) / 4).astype(dtype)
    c, dv = rng.standard_normal(current.shape).astype(dtype), rng.standard_normal(v_init.shape).astype(dtype)
    got, want = fast.forward(current, 0.75, v_init, rule), ref.forward(current, 0.75, v_init, rule)
    assert (want[2].u == 0.75).any() and 0 < want[0].mean() < 1
    for a, b in zip((*got[:2], got[2].u), (*want[:2], want[2].u), strict=True):
        np.testing.assert_array_equal(a, b)
    v, fast._BLOCK = v_init, 1                                                                      # a step has blocks eight times as long
    for t, x in enumerate(current):
        s, v = fast.step(v, x, 0.75, rule)
        np.testing.assert_array_equal(s, want[0][t])
    np.testing.assert_array_equal(v, want[1])
    assert_close(fast.backward(c, got[2]), ref.backward(c, want[2]), f"order of sums {np.dtype(dtype)}")             # by default
    for surrogate, detached in itertools.product(SURROGATES, (True, False)):
        assert_close(fast.backward(c, got[2], dv, surrogate, detached), ref.backward(c, want[2], dv, surrogate, detached),
                     f"order of sums {np.dtype(dtype)}")
        assert_close(fast.backward(c, got[2], None, surrogate, detached), ref.backward(c, want[2], None, surrogate, detached),
                     f"order of sums {np.dtype(dtype)}")


# ---- the operations of a ReLU network

@pytest.mark.parametrize("top", [INF, 0.8])
def test_relu(pair, rng, top):
    fast, ref = pair("activations", _BLOCK=3)
    x = np.round(rng.standard_normal((2, 5)) * 5) / 5
    x[0, :2] = 0, 0.8
    c = rng.standard_normal(x.shape)
    got, want = fast.relu_forward(x, top), ref.relu_forward(x, top)
    np.testing.assert_array_equal(got[0], want[0])
    np.testing.assert_array_equal(fast.relu_backward(c, got[1]), ref.relu_backward(c, want[1]))


@pytest.mark.parametrize("rows, width", [(7, 256), (3, 2), (30, 11)])
@pytest.mark.parametrize("given", [False, True])
def test_batch_norm(pair, rng, given, rows, width):
    fast, ref = pair("batch_norm", _BLOCK=rows * 3 * 8, _WIDTH=width)
    x = rng.normal(5, 2, (2, 5, 2, 3)) + np.arange(3)
    gamma, beta, c = rng.normal(1, 0.5, 3), rng.standard_normal(3), rng.standard_normal(x.shape)
    own = [rng.standard_normal(3), rng.random(3)] if given else []
    (y, cache), (y_ref, cache_ref) = (op.batch_norm_forward(x, gamma, beta, *own, eps=0.1) for op in (fast, ref))
    assert_close([y, cache.mean, cache.var], [y_ref, cache_ref.mean, cache_ref.var])
    assert_close(fast.batch_norm_backward(c, cache), ref.batch_norm_backward(c, cache_ref))
    assert_close(*(op.fold(c, gamma, beta, cache.mean, cache.var, 0.1) for op in (fast, ref)))


def test_batch_norm_of_one_channel(pair, rng):
    """The last line of a block is one number."""
    fast, ref = pair("batch_norm", _BLOCK=11 * 8, _WIDTH=5)
    x, c = rng.normal(5, 2, (11, 1)), rng.standard_normal((11, 1))
    gamma, beta = rng.normal(1, 0.5, 1), rng.standard_normal(1)
    (y, cache), (y_ref, cache_ref) = (op.batch_norm_forward(x, gamma, beta) for op in (fast, ref))
    assert_close([y, cache.mean, cache.var], [y_ref, cache_ref.mean, cache_ref.var])
    assert_close(fast.batch_norm_backward(c, cache), ref.batch_norm_backward(c, cache_ref))


@pytest.mark.parametrize("tile, blocks", [(1, 32), (1, 2), (600, 3), (1 << 20, 32)])
@pytest.mark.parametrize("kernel, stride, padding", [
    ((3, 3), 1, 1), ((2, 3), 1, 0), ((3, 2), 2, 1), ((1, 1), 1, 0), ((2, 2), 3, 2), ((3, 3), 1, 2)])
def test_conv(pair, rng, kernel, stride, padding, tile, blocks):
    fast, ref = pair("conv", _TILE=tile, _BLOCKS=blocks, _CHUNKS=2)
    x, w = rng.standard_normal((3, 5, 6, 2)), rng.standard_normal((*kernel, 2, 3))
    (y, cache), (y_ref, cache_ref) = (op.conv2d_forward(x, w, stride, padding) for op in (fast, ref))
    c = rng.standard_normal(y_ref.shape)
    assert_close([y], [y_ref])
    assert_close(fast.conv2d_backward(c, cache), ref.conv2d_backward(c, cache_ref))
    assert_close(fast.conv2d_backward(c, cache, need_dx=False), ref.conv2d_backward(c, cache_ref, need_dx=False))


@pytest.mark.parametrize("kind", ["max", "avg"])
@pytest.mark.parametrize("size, stride", [(2, 2), (2, 1), (3, 2), (1, 2), (3, 3), (2, 3)])
def test_pool(pair, rng, kind, size, stride):
    fast, ref = pair("pool")
    x = np.round(rng.standard_normal((19, 5, 6, 2)) * 2) / 2                                         # many ties
    (y, cache), (y_ref, cache_ref) = (getattr(op, f"{kind}_pool2d_forward")(x, size, stride) for op in (fast, ref))
    c = rng.standard_normal(y_ref.shape)
    assert_close([y], [y_ref])
    if kind == "max":
        np.testing.assert_array_equal(cache.winner, cache_ref.winner)
    assert_close([getattr(fast, f"{kind}_pool2d_backward")(c, cache)], [getattr(ref, f"{kind}_pool2d_backward")(c, cache_ref)])


@pytest.mark.parametrize("size, stride", [(2, 2), (3, 1)])
def test_pool_shows_what_is_no_number(pair, size, stride):
    fast, _ = pair("pool")
    for k in range(4):
        x = np.zeros((1, 4, 4, 1))
        x[0, k // 2, k % 2] = np.nan
        assert np.isnan(fast.max_pool2d_forward(x, size, stride)[0][0, 0, 0, 0])


# ---- networks of integrate-and-fire neurons

NETS = {   # input shape, (channels, pooling) of the convolutions, sizes of the dense layers
    "widths of 16, 32, 64": ((5, 6, 2), [(3, ""), (17, "max"), (34, "")], [20, 3]),
    "two blocks": ((3, 4, 1), [(3, ""), (70, "max"), (70, "")], [3]),
    "two blocks of means": ((4, 5, 1), [(3, ""), (70, "avg"), (9, "")], [9]),
    "one convolution": ((5, 4, 2), [(20, "max")], [5]),
    "wide at first": ((2, 3, 1), [(70, ""), (3, "")], [3]),
    "means": ((7, 8, 1), [(4, "avg"), (18, "avg")], [20, 3]),
    "mean at last": ((5, 4, 2), [(20, ""), (33, "avg")], [9]),
    "maximum at last": ((4, 5, 2), [(3, "max"), (5, "max")], [3]),
    "dense": ((6,), [], [150, 40, 3]),
    "one layer": ((6,), [], [4]),
}


@pytest.mark.parametrize("rule", RULES[::3], ids=lambda r: "-".join(r))
@pytest.mark.parametrize("name", NETS)
def test_spiking(pair, rng, monkeypatch, name, rule):
    fast, ref = pair("spiking", _STEPS=3, _IMAGES=1)
    for constant, value in {"_ROWS": 3, "_BUSY": 1.0 if rule.reset == "zero" else 0.2}.items():
        monkeypatch.setattr(operation("_event_dense", "numba"), constant, value)
    stages = [stage._replace(w=(1 + 3 * (k > 0)) * stage.w, b=6 * stage.b)            # strong, so that a spike more or less is seen
              for k, stage in enumerate(network(rng, *NETS[name], np.float32))]
    x = images(rng, NETS[name][0], 2, np.float32)
    for span in (1, 10**9):
        monkeypatch.setattr(operation("_event_conv", "numba"), "_TABLE", span)
        want = ref.run(stages, x, 4, 1.0, 0.5, rule, span == 1, [1, 3, 4], True)
        assert all(n > 0 for n in want.n_spikes[:-1]) and np.ptp(want.counts) > 0
        assert_same(fast.run(stages, x, 4, 1.0, 0.5, rule, span == 1, [1, 3, 4], True), want)
        bare = fast.run(stages, x, 4, 1.0, 0.5, rule, span == 1)
        np.testing.assert_array_equal(bare.counts, want.counts[-1:])
        assert bare.n_spikes == want.n_spikes and bare.layer_counts is None


def test_all_neurons_fire_in_all_steps(pair, rng):
    """Lists of spikes are as long as their room."""
    fast, ref = pair("spiking", _STEPS=2, _IMAGES=1)
    for name in ("widths of 16, 32, 64", "two blocks", "dense"):
        stages = [stage._replace(w=np.abs(stage.w), b=np.abs(stage.b) + 2) for stage in network(rng, *NETS[name], np.float32)]
        x = images(rng, NETS[name][0], 2, np.float32)
        want = ref.run(stages, x, 4, 1.0, 0.5, RULES[0], True, [1, 4], True)
        assert all((counts == 4).all() for counts in want.layer_counts)
        assert_same(fast.run(stages, x, 4, 1.0, 0.5, RULES[0], True, [1, 4], True), want)


@pytest.mark.parametrize("name", ["widths of 16, 32, 64", "means", "dense"])
def test_stages_without_a_bias(pair, rng, name):
    fast, ref = pair("spiking")
    stages = [stage._replace(b=None) for stage in network(rng, *NETS[name], np.float32)]
    x = images(rng, NETS[name][0], 2, np.float32)
    want, zero = (ref.run(with_b, x, 4, 0.5, 0.25, RULES[0], True, [1, 4], True)
                  for with_b in (stages, [stage._replace(b=np.zeros(stage.w.shape[-1], np.float32)) for stage in stages]))
    assert want.n_spikes[0] > 0
    assert_same(want, zero)
    assert_same(fast.run(stages, x, 4, 0.5, 0.25, RULES[0], True, [1, 4], True), want)
