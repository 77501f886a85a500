"""Dense layers on spikes: by events, as a product, and as uint8; pysnn/kernels/dense.py and _event_dense.py."""

import numpy as np
import pytest

from pysnn import _threads, layers
from pysnn.kernels import _event_dense as event_dense
from pysnn.kernels import dense
from pysnn.reference import dense as reference
from tests.cases.tolerances import tol

SHAPES = [(1, 1, 64), (70, 300, 64), (1300, 129, 100), (513, 17, 257)]      # rows, inputs, outputs


def drawn(rng, shape, share, dtype=np.float64):
    n_rows, n_in, n_out = shape
    x = (rng.random((n_rows, n_in)) < share).astype(dtype)
    return x, rng.normal(size=(n_in, n_out)).astype(dtype), rng.normal(size=(n_rows, n_out)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("share", [0.0, 0.05, 0.6, 1.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_spikes(rng, shape, share, dtype):
    """Forward and backward as the reference has them; floats and uint8 to the same bits, for one thread and for three."""
    x, w, dy = drawn(rng, shape, share, dtype)
    made = []
    flags = x.astype(np.uint8)
    for n_threads, forward, given in ((1, dense.dense_forward, x), (3, dense.dense_forward, x), (3, dense.spikes_forward, flags)):
        before = _threads.get_threads()
        _threads.set_threads(n_threads)
        y, cache = forward(given, w)
        assert (cache.events is not None) == (x.mean() <= event_dense._BUSY)
        made.append((y, *dense.dense_backward(dy, cache)[:2]))
        _threads.set_threads(before)
    y, cache = reference.dense_forward(x, w)
    for got in made:
        for a, b, first in zip(got, (y, *reference.dense_backward(dy, cache)[:2]), made[0], strict=True):
            assert a.dtype == dtype
            np.testing.assert_allclose(a, b, rtol=0, atol=tol("order of sums " + np.dtype(dtype).name) * max(1, np.abs(b).max()))
            np.testing.assert_array_equal(a, first)


def test_what_is_no_spike_is_a_product(rng):
    """A number other than 0 and 1 far behind, and few outputs: no events, and right all the same; bytes above 1 are refused."""
    x, w, _ = drawn(rng, (300, 200, 64), 0.05)
    x[-1, -1] = 0.5
    assert dense.dense_forward(x, w)[1].events is None
    np.testing.assert_allclose(dense.dense_forward(x, w)[0], x @ w, rtol=0, atol=1e-12)
    x[-1, -1] = 2
    for layer in (layers.Dense({"w1": w}, 1, backend) for backend in ("numba", "reference")):
        with pytest.raises(TypeError, match=r"x: expected float32 or float64, got an array of shape \(300, 200\) and dtype uint8"):
            layer.forward(x.astype(np.uint8))
    few = w[:, :15].copy()
    np.testing.assert_array_equal(dense.spikes_forward(np.uint8(x == 1), few)[0], dense.dense_forward(1.0 * (x == 1), few)[0])
    assert dense.dense_forward(np.minimum(x, 1), w[:, :15].copy())[1].events is None


def test_events_of_the_transpose(rng):
    """All events, in order, and no others."""
    flags = (rng.random((1100, 70)) < 0.1).astype(np.uint8)
    events = event_dense.listed(flags)
    there = event_dense.turned(events)
    assert there.n_columns == 1100 and there.starts.shape == (70, 4)
    for i in range(70):
        np.testing.assert_array_equal(there.columns[there.starts[i, 0]:there.starts[i, -1]], np.flatnonzero(flags[:, i]))
        assert [int(np.flatnonzero(flags[:, i]).searchsorted(512 * q)) for q in range(3)] == list(there.starts[i, :3] - there.starts[i, 0])


@pytest.mark.parametrize("backend", ["reference", "numba"])
def test_the_first_layer_needs_no_gradient_of_its_input(rng, backend):
    x, w, dy = drawn(rng, (6, 5, 4), 0.5)
    layer = layers.Dense({"w1": w, "b1": np.ones(4)}, 1, backend)
    _, cache = layer.forward(x)
    dx, grads = layer.backward(dy, cache)
    none, same = layer.backward(dy, cache, need_dx=False)
    assert none is None and dx.shape == x.shape
    np.testing.assert_array_equal(grads["w1"], same["w1"])
