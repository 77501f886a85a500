"""Networks by name: what a line means, which parameters it has, and that all ways through a network agree."""

import json

import numpy as np
import pytest

from pysnn import datasets, models, training
from pysnn.conventions import Rule
from pysnn.layers import NeuronConfig, stages
from pysnn.models import AvgPool, BatchNorm, Conv, Dense, MaxPool, Neurons
from pysnn.operations import backend_of
from pysnn.reference import spiking

SMALL = "8x8x2-3C3-P2-4C3-A2-6-3"
FIRINGS = [NeuronConfig(7), NeuronConfig(7, 0.7, 0.35, Rule("zero", "same", ">"), output=False), NeuronConfig(1),
           NeuronConfig(5, 2.0, rule=Rule("subtract", "next"))]


def shapes(model, **how):
    return {name: param.shape for name, param in model.params(**how).items()}


def twins(spec=SMALL, config=FIRINGS[0], dtype=np.float64, bias=True, seed=0):
    """Build both kinds of network on the same parameters, none of them 0 or 1."""
    rng = np.random.default_rng(seed)
    params = models.rate_params(spec, rng, bias, "kaiming", dtype)
    for name, w in params.items():
        if name[0] in "gb":
            w += rng.uniform(0.1, 0.6, w.shape).astype(dtype)
    state = models.rate_state(spec, dtype)
    for name, x in state.items():
        x[...] = rng.uniform(*((-0.2, 0.2) if name[0] == "m" else (0.5, 2.0)), x.shape)
    x = rng.random((5, *models.read(spec).shape)).astype(dtype)
    nets = [models.build(spec, neuron, params, bias, backend="reference", state=state, config=config) for neuron in ("relu", "if")]
    return *nets, x


# ---- lines

def test_the_papers_network_has_the_papers_parameters():
    sizes = {name: int(np.prod(param.shape)) for name, param in models.read("fashion-proxy").params().items()}
    assert sum(sizes.values()) == 19_599_744
    assert models.read("fashion-proxy") == "28x28x1-128C3-128C3-P2-128C3-P2-2560-1152-256-10"
    assert models.read("fashion-proxy:32") == "28x28x1-32C3-32C3-P2-32C3-P2-640-288-64-10"
    assert models.read("cifar-vgg:16") == "32x32x3-16C3-16C3-A2-32C3-32C3-A2-64C3-64C3-A2-128-10"
    assert models.read("cifar-vgg")._spelt().startswith("32x32x3-64C3-64C3-A2-128C3") and models.read("784-800-10") == "784-800-10"


def test_parts():
    model = models.read("9x8x2-3C3-P2-4C3-A2-6-3")
    assert model.shape == (9, 8, 2) and list(zip(model.specs, model.shapes, strict=True)) == [
        (Conv(3), (9, 8, 3)), (BatchNorm(), (9, 8, 3)), (Neurons(), (9, 8, 3)), (MaxPool(), (4, 4, 3)),
        (Conv(4), (4, 4, 4)), (BatchNorm(), (4, 4, 4)), (Neurons(), (4, 4, 4)), (AvgPool(), (2, 2, 4)),
        (Dense(6), (6,)), (Neurons(), (6,)), (Dense(3), (3,))]
    assert shapes(models.read("4-3-2"), bias=True) == {"w1": (4, 3), "b1": (3,), "w2": (3, 2), "b2": (2,)}
    assert shapes(models.read("784-800-10"))["w1"] == (784, 800) and shapes(model)["w2"] == (3, 3, 3, 4) and shapes(model)["w3"] == (16, 6)
    assert list(shapes(models.read(SMALL))) == ["w1", "gamma1", "beta1", "w2", "gamma2", "beta2", "w3", "w4"]


@pytest.mark.parametrize("text", [
    "784-800-10", "28x28x1-P2-10", "28x28x1-8C5-10", "28x28x1-8C3-P2-P2-10", "28x28x1-16c5s2p0-A2-B-N-100d-B-N-10",
    "9x8x2-3C5x3p1-D0.2-P3s2-F-3"])
def test_a_model_is_its_text_its_list_and_its_record(text):
    model = models.read(text)
    assert str(model) == text == model._spelt() and models.read([model.shape, *model.specs]) == model == text
    assert models.read(json.loads(json.dumps(model.to_json()))) == model and hash(model) == hash(models.read(text))
    assert (model != models.read("784-80-10") and models.read(text.replace("P", "A")) != model) or "P" not in text


def test_order_and_windows_are_what_the_text_says():
    model = models.read("28x28x1-16c5s2p0-A2-B-N-100d-B-N-10")
    assert model.specs == (Conv(16, 5, 2, 0), AvgPool(2), BatchNorm(), Neurons(), Dense(100), BatchNorm(), Neurons(), Dense(10))
    assert model.shapes == [(12, 12, 16), (6, 6, 16), (6, 6, 16), (6, 6, 16), (100,), (100,), (100,), (10,)]
    assert shapes(model, bias=True) == {"w1": (5, 5, 1, 16), "gamma1": (16,), "beta1": (16,), "w2": (576, 100),
                                        "gamma2": (100,), "beta2": (100,), "w3": (100, 10), "b3": (10,)}
    assert model.neuron_layers == [("conv", (6, 6, 16)), ("dense", (100,)), ("output", (10,))]
    for twice in ([(4,), Dense(3), BatchNorm(), BatchNorm(), Dense(2)],):
        with pytest.raises(ValueError, match="model: expected one array of each name behind a weight layer, got beta1, gamma1, "):
            models.read(twice)


@pytest.mark.parametrize("bad", [
    "784", "", "28x28-10", "28x28x0-10", "a-10", "28x28x1-8C3", "28x28x1-8C3-P2", "28x28x1-10-8C3-10", "28x28x1-8Q5-10",
    "784-8C3-10", "784-0-10", "28x28x1-8C29p0-10", "784-10-N", "28x28x1-8c3-N", "2x2x1-8C3-P2-8C3-P2-10",
    "784--10", "fashion-proxy:0", "fashion-proxy:x",
    "fashion-proxy:", 784, None])
def test_lines_that_mean_nothing(bad):
    with pytest.raises(ValueError, match="model: expected "):
        models.read(bad)


@pytest.mark.parametrize("init, factor", [("uniform", 1.0), ("kaiming", 6.0)])
def test_weights_are_drawn_within_bounds(rng, init, factor):
    params = models.rate_params("8x8x4-16C3-P2-200-10", rng, True, init)
    assert {w.dtype for w in params.values()} == {np.dtype(np.float32)}
    for name, n_in, part in (("w1", 36, factor), ("w2", 256, factor), ("b2", 256, 1.0), ("w3", 200, factor)):
        bound = np.sqrt(part / n_in)
        assert 0.9 * bound < np.abs(params[name]).max() <= bound * (1 + 1e-6)
        assert abs(params[name].mean()) < 0.2 * bound
    assert (params["gamma1"] == 1).all() and (params["beta1"] == 0).all()


def test_parameters_that_do_not_fit():
    rng = np.random.default_rng(0)
    params = models.rate_params(SMALL, rng)
    with pytest.raises(ValueError, match="neuron: expected 'temporal', 'relu' or 'if', got 'leaky'"):
        models.build(SMALL, "leaky", params)
    with pytest.raises(ValueError, match=r"params: expected a dict of weights, such as rate_params\(model, rng\) draws, got None"):
        models.build(SMALL, "relu")
    with pytest.raises(ValueError, match=r"params: expected .* for model"):
        models.build(SMALL, "if", params, bias=True)
    params["w3"][0, 0] = np.nan
    with pytest.raises(ValueError, match="w3: expected finite numbers, got nan"):
        models.build(SMALL, "relu", params)


def test_models_must_fit_the_data():
    data = datasets.load("fashion-sample")
    for good in ("784-20-10", "28x28x1-4C3-10", "fashion-proxy:1"):
        training.check_fit(good, data)
    for bad, wanted in (("28x28x3-4C3-10", "28x28x1"), ("14x14x4-10", "28x28x1"), ("28x28x1-4C3-9", "28x28x1"), ("780-10", "784"),
                        ("cifar-vgg:1", "28x28x1")):
        with pytest.raises(ValueError, match=f"model: expected {wanted}-...-10 for fashion-sample, got {bad}"):
            training.check_fit(bad, data)


# ---- ways through a network

def test_twins_refer_to_the_same_parameters():
    relu, snn, _ = twins()
    assert relu.params is snn.params and relu.state is snn.state
    assert [type(layer).__name__ for layer in relu.layers] == [
        "Conv", "BatchNorm", "ReLU", "MaxPool", "Conv", "BatchNorm", "ReLU", "AvgPool", "Flatten", "Dense", "ReLU", "Dense"]
    assert [type(layer).__name__ for layer in snn.layers] == [
        "Conv", "BatchNorm", "IntegrateFire", "MaxPool", "Conv", "BatchNorm", "IntegrateFire", "AvgPool", "Flatten", "Dense",
        "IntegrateFire", "Dense", "IntegrateFire"]


def test_stages_say_what_the_layers_say():
    relu, snn, x = twins()
    a = x
    for stage in stages(snn.folded_layers()):
        a = a.reshape(len(a), -1) if stage.w.ndim == 2 else a
        assert stage.pool == {4: stage.pool, 2: ""}[stage.w.ndim]
        a = spiking._current(stage, a)
        if stage.w.shape[-1] != 3 or stage.w.ndim == 4:
            a = spiking._pooled(stage, np.maximum(a, 0))
    ref, _ = relu.forward(x)
    np.testing.assert_allclose(a, ref[-1], rtol=1e-10)
    assert [stage.pool for stage in stages(snn.folded_layers())] == ["max", "avg", "", ""]


@pytest.mark.parametrize("firing", FIRINGS, ids=str)
def test_three_ways_through_a_spiking_network(firing):
    """Streaming with folded weights, step by step with layers, all steps at once: the same counts and spikes."""
    _, snn, x = twins(config=firing)
    at_once, _ = snn.forward(x)
    ref = at_once[-1].reshape(firing.n_steps, len(x), -1).sum(axis=0)
    run, (watched, seen) = snn.run(x, keep_counts=True), snn.run_watched(x)
    for got in (run, watched):
        np.testing.assert_allclose(got.counts[-1], ref, rtol=1e-9, atol=1e-12)
    assert run.n_spikes == watched.n_spikes and run.n_spikes == [c.sum() for c in run.layer_counts[:-1]] + [
        run.layer_counts[-1].sum() if firing.output else 0.0]
    assert all(0 < n for n in run.n_spikes[:3]), "the network is dead"
    np.testing.assert_allclose(run.potential, watched.potential, rtol=1e-9, atol=1e-9)
    if not firing.output:
        np.testing.assert_allclose(run.potential - firing.v_init, run.counts[-1], rtol=1e-9)
    assert {name: len(values) for name, values in seen.items()} == {
        "mean1": 1, "var1": 1, "mean2": firing.n_steps, "var2": firing.n_steps}


def test_watched_statistics_are_those_of_the_currents():
    _, snn, x = twins()
    current, _ = snn.layers[0].forward(x)
    for statistics in (None, "batch"):
        _, seen = snn.run_watched(x, statistics)
        np.testing.assert_allclose(seen["mean1"][0], current.mean(axis=(0, 1, 2)), rtol=1e-10)
        np.testing.assert_allclose(seen["var1"][0], current.var(axis=(0, 1, 2)), rtol=1e-10)
        assert np.ptp(np.array(seen["mean2"]), axis=0).all()                    # other spikes, other currents at each step


def test_statistics_given_are_those_used():
    relu, snn, x = twins()
    _, caches = relu.forward(x, None, "batch")
    found = relu.batch_stats(caches)
    assert set(found) == set(relu.state) == {"mean1", "var1", "mean2", "var2"}
    same, _ = relu.forward(x, None, found)
    other, _ = relu.forward(x)
    batch, _ = relu.forward(x, None, "batch")
    np.testing.assert_allclose(same[-1], batch[-1], rtol=1e-12)
    assert not np.allclose(same[-1], other[-1])
    assert (snn.run(x, found).counts != snn.run(x).counts).any()


def test_counts_at_steps_and_bad_runs():
    _, snn, x = twins(config=NeuronConfig(6))
    counts = snn.run(x, at=[1, 3, 6]).counts
    for k, t in enumerate((1, 3, 6)):
        firing = snn.config._replace(n_steps=t)
        weighted = stages(snn.folded_layers())
        np.testing.assert_array_equal(counts[k], spiking.run(weighted, x, t, firing.threshold).counts[0])
    weighted = stages(snn.folded_layers())
    for bad in ([], [0], [7], [2, 2], [3, 1]):
        with pytest.raises(ValueError, match="at: expected rising steps from 1 to 6"):
            spiking.run(weighted, x, 6, at=bad)
    for bad in (0, -1, 1.5, True, None):
        with pytest.raises(ValueError, match="n_steps: expected a whole number of at least 1"):
            spiking.run(weighted, x, bad)
    with pytest.raises(ValueError, match="stages: expected at least one, the last of them dense"):
        spiking.run(weighted[:2], x, 3)
    with pytest.raises(ValueError, match="w of stage 1: expected shape"):
        spiking.run(weighted, x[..., :1].copy(), 3)
    with pytest.raises(ValueError, match="pool of stage 1: expected 'max' or 'avg'"):
        spiking.run([weighted[0]._replace(pool="min"), *weighted[1:]], x, 3)
    with pytest.raises(TypeError, match="expected one float dtype"):
        spiking.run(weighted, x.astype(np.float32), 3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes_stay(dtype):
    relu, snn, x = twins(dtype=dtype, config=FIRINGS[1])
    outputs, caches = relu.forward(x, None, "batch")
    dx, grads = relu.backward(outputs[-1], caches, need_dx=True)
    run, (watched, seen) = snn.run(x), snn.run_watched(x, "batch")
    found = [*outputs, dx, *grads.values(), run.counts, run.potential, watched.counts, watched.potential, *(s[0] for s in seen.values())]
    assert {y.dtype for y in found} == {np.dtype(dtype)} and dx.shape == x.shape
    assert {name: g.shape for name, g in grads.items()} == {name: w.shape for name, w in relu.params.items()}


def test_backends():
    assert backend_of("conv", "reference").__name__ == "pysnn.reference.conv"
    pytest.importorskip("numba")
    assert backend_of("conv").__name__ == "pysnn.kernels.conv"
    with pytest.raises(ValueError, match="backend: expected one of auto, reference, numba, cuda, got 'fast'"):
        backend_of("conv", "fast")


@pytest.mark.parametrize("text, wanted", [("4-6-3", "4-6-5"), ("28x28x1-4C3-P2-10", "28x28x1-4C3-P2-5"), ("fashion-fast:4", None),
                                          ("3-8d-R0.9-2d-I0.9", "3-8d-R0.9-5d-I0.9")])
def test_other_outputs(text, wanted):
    model = models.read(text)
    made = model.with_outputs(5)
    assert made.shapes[-1] == (5,) and made.specs[:-2] == model.specs[:-2] and (wanted is None or str(made) == wanted)
