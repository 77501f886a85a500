"""Networks of whole numbers: against a float network whose weights are whole already, and against loops over Python's own integers."""

import numpy as np
import pytest

from pysnn import datasets, interop, models, training
from pysnn.conventions import Rule
from pysnn.interop.integers import Neurons, Pool
from pysnn.layers import NeuronConfig
from pysnn.learning import ann, proxy, rate, surrogate
from tests.cases.interop import images, trained

AGREEMENT = {("dense", 8): 0.98, ("dense", 4): 0.89, ("conv", 8): 0.95, ("conv", 4): 0.86}
"""Of decisions with the float network on the 1,000 test images of the sample, at least; measured: 0.992, 0.918, 0.967, 0.889."""


def whole(model, bits, rng, each):
    """Draw weights that are whole numbers times a power of 2, perhaps another one a channel, and biases that are multiples of 1/4."""
    params = models.rate_params(model, rng, True, dtype=np.float64)
    top = 2 ** (bits - 1) - 1
    for name, x in params.items():
        if name.startswith("b"):
            x[...] = 0.25 * rng.integers(-1, 2, x.shape)
            continue
        x[...] = rng.integers(-top, top + 1, x.shape)
        x.reshape(-1, x.shape[-1])[0] = top                              # the largest of each channel
        x *= 2.0 ** (rng.integers(-2, 0, x.shape[-1] if each else 1) - bits)
    return params


def in_bytes(params):
    """Scale a network so that its input goes from 0 to 255, and a spike counts 255."""
    return {name: x if name == "w1" else x * 255 for name, x in params.items()}


CASES = [("6-5-4", {}), ("6-5-4", {"rule": Rule("zero")}), ("6-5-4", {"rule": Rule(fire=">"), "v_init": 0.5}),
         ("6-5-4", {"output": False}), ("8x6x2-4c3-N-P2-5c3s2-N-4", {}), ("8x8x1-4c3-N-A2-3c3-A2-N-4", {"threshold": 0.5}),
         ("8x6x1-3c3p0-P2-N-4c2x3-N-A2-4", {"rule": Rule("zero")})]


@pytest.mark.parametrize("bits", [8, 4, 2])
@pytest.mark.parametrize("model, how", CASES, ids=str)
def test_whole_weights_lose_nothing(model, how, bits, rng):
    """The float network computes with multiples of a power of 2, so it is exact, too; ties at the threshold are frequent."""
    config = NeuronConfig(n_steps=9, **how)
    params = whole(model, bits, rng, config.output)
    made = interop.quantize(models.build(model, "if", params, True, config=config), bits)
    theta = 255 * config.threshold
    net = models.build(model, "if", in_bytes(params), True, config=config._replace(threshold=theta, v_init=255 * config.v_init))
    x = rng.integers(0, 256, (40, *net.model.shape)).astype(np.uint8)
    run, got = net.run(x.astype(np.float64), keep_counts=True), interop.simulate(made, x)
    assert max(int(np.abs(layer.w).max()) for layer in made.layers if hasattr(layer, "w")) == 2 ** (bits - 1) - 1
    assert all(0 < n.mean() < 9 for n in run.layer_counts[:-1])
    unit = 1 if config.output else made.scales[-1]
    assert config.output or len(set(unit)) == 1
    np.testing.assert_array_equal(got * unit, run.counts[-1])


def looped(network, image):
    """Run one image through dense layers, in Python's integers, neuron by neuron."""
    x, counts, v = [int(p) for p in image.ravel()], None, {}
    for _ in range(network.n_steps):
        s = x
        for i, layer in enumerate(network.layers):
            if not isinstance(layer, Neurons):
                s = [sum(a * int(w) for a, w in zip(s, column, strict=True)) for column in layer.w.T]
                continue
            v[i] = [a + layer.gain * b + int(c) for a, b, c in zip(v.get(i, layer.v_init.tolist()), s, layer.bias, strict=True)]
            s = [int(a >= t) for a, t in zip(v[i], layer.threshold, strict=True)]
            v[i] = [a - int(t) * b for a, b, t in zip(v[i], s, layer.threshold, strict=True)]
        counts = s if counts is None else [a + b for a, b in zip(counts, s, strict=True)]
    return counts


def test_against_loops(rng):
    net = models.build("5-7-3", "if", models.rate_params("5-7-3", rng, True), True, config=NeuronConfig(n_steps=11, v_init=0.3))
    made, x = interop.quantize(net, 5), rng.integers(0, 256, (20, 5)).astype(np.uint8)
    got = interop.simulate(made, x)
    assert got.any() and got.tolist() == [looped(made, image) for image in x]


def test_units():
    """One neuron: a weight of 0.5 in 8 bits is 127 units, the threshold 1 is 2 * 127 * 255, a bias of 0.1 is 0.1 of that."""
    net = models.build("1-1", "if", {"w1": np.array([[0.5]]), "b1": np.array([0.1])}, True, config=NeuronConfig(n_steps=4))
    made = interop.quantize(net)
    assert made.layers[0].w.tolist() == [[127]] and made.layers[1].threshold.tolist() == [64770]
    assert (made.layers[1].gain, made.layers[1].bias.tolist()) == (1, [6477]) and made.scales[0].tolist() == [0.5 / 127]


def test_means_are_sums():
    net = models.build("4x4x1-2c3-N-A2-3", "if", models.rate_params("4x4x1-2c3-N-A2-3", np.random.default_rng(0)))
    made = interop.quantize(net)
    assert [layer for layer in made.layers if isinstance(layer, Pool)] == [Pool("sum", 2, 2)] and made.layers[-1].gain == 255


@pytest.mark.parametrize("kind, bits", AGREEMENT)
def test_decisions_of_trained_networks_hardly_change(kind, bits):
    run, x = trained(kind), images()
    got = interop.simulate(interop.quantize(run, bits), x)
    assert (rate.decide(got) == rate.decide(rate.predict(run.nets, x))).mean() >= AGREEMENT[kind, bits] and len(x) == 1000


@pytest.mark.parametrize("model, neuron, config, words", [
    ("4-3-2", "relu", None, "expected a network that spikes, got a ReLU network"),
    ("4-3d-L0.9-2", "if", None, "expected weights, pooling and integrate-and-fire neurons, got Leaky"),
    ("4x4x1-3c3-P2-B-N-2", "if", None, "got BatchNorm"),
    ("4x4x1-3c3-3c3-N-2", "if", None, "expected neurons between two layers of weights"),
    ("4x4x1-3c3-P2-N-2", "if", NeuronConfig(pooling="inside"), "got PooledFire"),
    ("4-3-2", "if", NeuronConfig(timed=True), "one constant input, .* got an input with a time axis"),
    ("4-3-2", "if", NeuronConfig(rule=Rule(timing="next"), v_init=1.0), "begin below the threshold, got v_init 1")])
def test_what_has_no_whole_numbers_is_one_line(model, neuron, config, words):
    net = models.build(model, neuron, models.rate_params(model, np.random.default_rng(0)), config=config)
    with pytest.raises(ValueError, match=words) as found:
        interop.quantize(net)
    assert "\n" not in str(found.value)


def test_bad_arguments():
    net = models.build("4-3-2", "if", models.rate_params("4-3-2", np.random.default_rng(0)))
    for bits in (1, 9, 2.5):
        with pytest.raises((ValueError, TypeError), match="bits"):
            interop.quantize(net, bits)
    made = interop.quantize(net)
    with pytest.raises(TypeError, match=r"x: expected an array of uint8, got an array of shape .* float64"):
        interop.simulate(made, np.zeros((2, 4)))
    with pytest.raises(ValueError, match=r"x: expected samples of shape \(4,\)"):
        interop.simulate(made, np.zeros((2, 5), np.uint8))
    with pytest.raises(ValueError, match="expected a run, its nets or a network that spikes, got a ReLU network"):
        interop.quantize(training.start("ann", ann.Settings(model="4-3-2")))


@pytest.mark.slow
def test_the_network_that_ships():
    """fashion-proxy, 15 steps, on the first images: 8 bits decide alike in 0.995, 4 bits in 0.945."""
    run, x = training.load("fashion-proxy"), images()[:200]
    ref = rate.predict(run.nets, x)
    for bits, least in ((8, 0.98), (4, 0.9)):
        got = interop.simulate(interop.quantize(run, bits), x)
        assert (rate.decide(got) == rate.decide(ref)).mean() >= least


def test_surrogate_and_proxy_runs_are_taken():
    for name, rule in (("proxy", proxy), ("surrogate", surrogate)):
        run = training.start(name, rule.Settings(model="4-3-2"))
        assert interop.quantize(run).n_steps == run.nets.settings.n_steps
    assert datasets.load("fashion-sample").x_test.dtype == np.uint8
