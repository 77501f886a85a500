"""Layers that are more than an operation: whitening, batch normalisation with a fixed scale, neurons that pool and begin by channel."""

import numpy as np
import pytest

from pysnn import layers, network
from pysnn.conventions import Rule
from pysnn.reference import batch_norm, integrate_fire, pooled_fire
from tests.cases.spiking import assert_same, network_of_layers
from tests.cases.tolerances import tol


def whiten(n_channels, size=2, dtype=np.float64):
    """Make a whitening layer without filters."""
    n = size * size * n_channels
    return layers.Whiten({"filter0": np.zeros((size, size, n_channels, n), dtype), "offset0": np.zeros(n, dtype)}, backend="reference")


@pytest.mark.parametrize("n_channels", [1, 3])
def test_whitened_patches_are_uncorrelated(rng, n_channels):
    """(P13): variance e/(e + eps), no correlation, largest component first; half of the channels hold max(z, 0), half max(-z, 0)."""
    x = np.cumsum(rng.normal(size=(300, 6, 7, n_channels)), axis=2) * 3 + 5           # neighbours are alike
    layer = whiten(n_channels)
    layer.begin(x)
    y, _ = layer.forward(x)
    n = 4 * n_channels
    assert y.shape == (300, 5, 6, 2 * n) and (y >= 0).all() and (y[..., :n] * y[..., n:] == 0).all()
    z = (y[..., :n] - y[..., n:]).reshape(-1, n)
    patches = np.stack([x[:, i:i + 5, j:j + 6] for i in (0, 1) for j in (0, 1)], axis=3).reshape(-1, 4, n_channels)
    patches = ((patches - x.mean(axis=(0, 1, 2))) / x.std(axis=(0, 1, 2))).reshape(-1, n)
    e = np.sort(np.linalg.eigvalsh(np.cov(patches.T, bias=True)))[::-1]
    np.testing.assert_allclose(np.cov(z.T, bias=True), np.diag(e / (e + layers.WHITEN_EPS)), atol=1e-9)
    assert layer.frozen and layer.backward(y, None) == (None, {})


def test_whitening_does_not_depend_on_the_dtype_of_the_images_or_their_scale(rng):
    x = rng.random((50, 5, 5, 3))
    a, b, single = whiten(3), whiten(3), whiten(3, dtype=np.float32)
    a.begin(x)
    b.begin(200 * x - 7)
    single.begin(x.astype(np.float32))
    np.testing.assert_allclose(b.forward(200 * x - 7)[0], a.forward(x)[0], atol=1e-9)
    y, _ = single.forward(x.astype(np.float32))
    assert y.dtype == np.float32 and np.abs(y - a.forward(x)[0]).max() < 1e-3


def test_whitening_of_constant_images_is_finite():
    layer = whiten(1)
    layer.begin(np.full((3, 4, 4, 1), 0.5))
    assert np.isfinite(layer.forward(np.full((3, 4, 4, 1), 0.5))[0]).all()


def test_whitening_without_filters_is_refused():
    with pytest.raises(ValueError, match="whitening: expected filters, got none yet"):
        whiten(1).forward(np.ones((1, 3, 3, 1)))


def test_a_fixed_scale_is_a_gamma_that_nobody_trains(rng):
    """(R8), (R9): the same numbers, and a gradient for beta alone; it is folded as any other."""
    x, dy, beta = rng.normal(2, 3, (5, 3, 3, 4)), rng.normal(size=(5, 3, 3, 4)), rng.normal(size=4)
    state = {"mean1": rng.normal(size=4), "var1": rng.uniform(0.5, 2, 4)}
    layer = layers.BatchNorm({"beta1": beta}, state, 1, "reference", 0.4)
    y, cache = layer.forward(x, None, "batch")
    wanted, wanted_cache = batch_norm.batch_norm_forward(x, np.full(4, 0.4), beta)
    np.testing.assert_array_equal(y, wanted)
    dx, grads = layer.backward(dy, cache)
    dx_wanted, _, dbeta = batch_norm.batch_norm_backward(dy, wanted_cache)
    np.testing.assert_array_equal(dx, dx_wanted)
    assert set(grads) == {"beta1"} and (grads["beta1"] == dbeta).all()
    made = [layers.Conv({"w1": rng.normal(size=(3, 3, 2, 4))}, 1, 1, 1, "reference")]
    image = rng.normal(size=(2, 5, 5, 2))
    wanted = layer.forward(made[0].forward(image)[0])[0]
    layer.fold(made)
    assert len(made) == 1
    np.testing.assert_allclose(made[0].forward(image)[0], wanted, atol=tol("formula") * np.abs(wanted).max())


@pytest.mark.parametrize("first", [True, False])
def test_neurons_begin_channel_by_channel_and_pool(rng, first):
    """(P14): v_init by channel, in forward and step; of neurons that pool, too."""
    config, v_init = layers.NeuronConfig(4, 1.0, 0.25, Rule()), np.array([0.0, 0.5, 1.0])
    x = rng.normal(0.2, 0.5, (2, 4, 6, 3) if first else (8, 4, 6, 3))
    current = np.broadcast_to(x, (4, *x.shape)) if first else x.reshape(4, 2, 4, 6, 3)
    for kind, module, window in ((layers.IntegrateFire, integrate_fire, ()), (layers.PooledFire, pooled_fire, (2,))):
        layer = kind(config, "reference", first)
        for start in (None, v_init):
            layer.v_init = start
            given = 0.25 if start is None else np.broadcast_to(start, current.shape[1:])
            wanted, _, wanted_cache = module.forward(current, *window, 1.0, given)
            spikes, cache = layer.forward(x)
            np.testing.assert_array_equal(spikes, wanted.reshape(-1, *wanted.shape[2:]))
            assert 0.02 < spikes.mean() < 0.98
            v = None
            for t in range(4):
                s, v = layer.step(v, current[t])
                np.testing.assert_array_equal(s, wanted[t])
            dy = rng.normal(size=spikes.shape)
            dx, grads = layer.backward(dy, cache)
            dcurrent, _ = module.backward(dy.reshape(wanted.shape), wanted_cache, None, config.surrogate, config.detach_reset)
            assert grads == {}
            np.testing.assert_array_equal(dx, dcurrent.sum(axis=0) if first else dcurrent.reshape(x.shape))


@pytest.mark.parametrize("backend", ["reference", "auto"])
def test_a_network_by_its_stages_is_the_network_step_by_step(backend):
    """Pooling inside, potentials by channel, a mean before the output; from the image, and from the current of the first neurons."""
    net, x = network_of_layers(backend)
    assert not all(stage.plain for stage in layers.stages(net.folded_layers(), x.shape[1:]))
    wanted = network._by_steps(net.folded_layers(), net.config, x, (None, [2, 5], False, None))
    got = net.run(x, at=[2, 5])
    assert_same(got, wanted)
    assert got.n_spikes[0] > 0 and got.n_spikes[1] > 0 and np.ptp(got.counts) > 0
    assert_same(net.run(net.layers[0].forward(x)[0], at=[2, 5], begin=1), wanted)
