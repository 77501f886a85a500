"""Models beyond the papers': other kernels, strides and paddings, pooling before the neurons, batch normalisation behind dense layers."""

import numpy as np
import pytest

from pysnn import checkpoint, models, training
from pysnn.datasets import Dataset
from pysnn.evaluation import operations
from pysnn.evaluation import rate as evaluation_rate
from pysnn.layers import BatchNorm, NeuronConfig, stages
from pysnn.learning import METHODS, rate
from pysnn.verify.suite.learning import check_gradients, frozen_loss
from pysnn.verify.witness import relu as witness
from tests.cases.tolerances import tol

MODELS = {
    "mean of currents": "12x12x2-4c5s2p0-A2-B-N-6d-B-N-3",
    "maximum of currents": "12x12x2-4c5s2p0-P2-B-N-6d-B-N-3",
    "normalised before the maximum": "12x12x2-4c5s2p0-B-P2-N-6d-B-N-3",
    "two kinds of windows": "12x12x2-3C5x3s2p1-P3s1-4c3-A2-N-B-5-3",
}
FAST_AND_SLOW = [pytest.param(model, id=name, marks=[pytest.mark.slow] * (k > 0)) for k, (name, model) in enumerate(MODELS.items())]
REFUSED = (MODELS["maximum of currents"], MODELS["two kinds of windows"])
RATE = {name: rule for name, rule in METHODS.items() if rule.family == "rate"}


def settings_for(method, model, **chosen):
    kind = RATE[method].Settings
    wanted = {"model": model, "bias": True, "dtype": "float64", "backend": "reference", "n_steps": 4, **chosen}
    return kind(**{name: x for name, x in wanted.items() if name in kind.__dataclass_fields__})


def nets_for(method, model, seed=3, **chosen):
    """Build networks whose normalisations are not trivial and whose running statistics are those of a batch."""
    rng = np.random.default_rng(seed)
    nets = RATE[method].build(settings_for(method, model, **chosen), rng=rng)
    roles = nets.settings.model.params("relu", True)
    for name, w in nets.net.params.items():
        if roles[name].role in ("scale", "shift"):
            w += rng.uniform(*((0.1, 0.5) if roles[name].role == "scale" else (-0.15, 0.4)), w.shape)
    for name, x in nets.state.items():
        if name.startswith(("mean", "var")):
            x[...] = rng.uniform(*((-0.2, 0.2) if name[0] == "m" else (0.2, 1.0)), x.shape)
    return nets


def batch(n=5, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((n, 12, 12, 2)), np.arange(n) % 3


@pytest.mark.parametrize("model", FAST_AND_SLOW)
@pytest.mark.parametrize("method", RATE)
def test_kernels_equal_the_reference(method, model):
    pytest.importorskip("numba")
    x, y = batch()
    if method == "conversion" and model in REFUSED:
        model = MODELS["mean of currents"]                                   # conversion refuses the others, see below
    steps = [RATE[method].gradients(nets_for(method, model, backend=backend), x, y) for backend in ("reference", "numba")]
    np.testing.assert_allclose(steps[1].y, steps[0].y, rtol=tol("identity"), atol=1e-12)
    assert set(steps[0].grads) == set(steps[1].grads) and any(g.any() for g in steps[0].grads.values())
    for name, ref in steps[0].grads.items():
        np.testing.assert_allclose(steps[1].grads[name], ref, rtol=tol("identity"), atol=1e-12 * max(np.abs(ref).max(), 1e-30),
                                   err_msg=name)


@pytest.mark.parametrize("model", FAST_AND_SLOW[:3])
@pytest.mark.parametrize("method", ["ann", "proxy", "tandem", "surrogate"])
def test_gradients_agree_with_differences(method, model):
    """Of the method's own loss, or with everything frozen that it holds constant; in every parameter."""
    x, y = batch(4)
    nets = nets_for(method, model, v_init=0.5)
    step = RATE[method].gradients(nets, x, y)
    report = check_gradients(nets, step, frozen_loss(method, nets, x, y, step), n=12)
    report.raise_if_failed()
    assert sum(row.smooth for row in report.rows) > 0.9 * sum(row.checked for row in report.rows)
    assert {row.name for row in report.rows} == set(nets.net.params)
    if nets.snn is not None:
        assert (step.y != step.y[0]).any(), "the network is dead"


def pooled(kind, s, size, stride):
    return witness.pool(s, max if kind == "MaxPool" else lambda a: sum(a) / a.size, size, stride)


def loop(nets, x):
    """Run a model's spiking network in plain loops, the statistics not folded; counts after each step, and of each layer of neurons."""
    params, state, c = nets.net.params, nets.state, nets.snn.config
    model, v, totals, counts = nets.settings.model, {}, {}, []
    for _ in range(c.n_steps):
        s = x
        for i, (spec, k) in enumerate(zip([*model.specs, models.Neurons()], [*model.k, "out"], strict=True)):
            kind = type(spec).__name__
            if kind == "Conv":
                s = witness.conv2d(s, params[f"w{k}"], spec.stride, spec.padding)
            elif kind == "Dense":
                s = witness.dense(s.reshape(len(s), -1), params[f"w{k}"], params.get(f"b{k}"))
            elif kind == "BatchNorm":
                s = params[f"gamma{k}"] * (s - state[f"mean{k}"]) / np.sqrt(state[f"var{k}"] + 1e-5) + params[f"beta{k}"]
            elif kind in ("MaxPool", "AvgPool"):
                s = pooled(kind, s, spec.size, spec.stride)
            else:
                u = v.get(i, c.v_init) + s
                assert (np.abs(u - c.threshold) > 1e-9).all(), "a potential within rounding of the threshold decides nothing"
                s = (u >= c.threshold).astype(float)
                v[i] = u - c.threshold * s
                totals[i] = totals.get(i, 0) + s
        counts.append(totals[i].copy())
    return np.array(counts), list(totals.values())


@pytest.mark.parametrize("backend", ["reference", "numba"])
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_a_spiking_run_is_a_plain_loop_step_by_step(model, backend):
    if backend == "numba":
        pytest.importorskip("numba")
    nets = nets_for("proxy", model, n_steps=6, v_init=0.4, backend=backend)
    x, _ = batch()
    counts, totals = loop(nets, x)
    run = nets.snn.run(x, at=range(1, 7), keep_counts=True)
    np.testing.assert_array_equal(run.counts, counts)
    assert len(run.layer_counts) == len(totals) == len(nets.settings.model.neuron_layers)
    for got, ref in zip(run.layer_counts, totals, strict=True):
        np.testing.assert_array_equal(got, ref)
        assert 0 < ref.sum() < 6 * ref.size, "all silent, or all firing"
    assert run.n_spikes == [t.sum() for t in totals]
    outputs, _ = nets.snn.forward(x)                                        # all steps at once
    np.testing.assert_array_equal(outputs[-1].reshape(6, len(x), -1).cumsum(axis=0), counts)
    assert stages(nets.snn.folded_layers()) is None                          # these models have no engine of their own


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_folding_changes_nothing_but_roundings(model):
    nets = nets_for("proxy", model)
    layers, y = nets.net.folded_layers(), batch()[0]
    ref = nets.net.forward(y)[0][-1]
    for layer in layers:
        y, _ = layer.forward(y)
    np.testing.assert_allclose(y, ref, rtol=tol("identity"))
    left = sum(isinstance(layer, BatchNorm) for layer in layers)
    assert left == (model in REFUSED)


def test_batch_normalisation_behind_a_dense_layer_has_the_engine():
    """Folded, it is a dense layer with a bias; the engine and the loop over layers agree."""
    nets = nets_for("proxy", "12x12x2-4C3-A2-6d-B-N-3", n_steps=6)
    assert [stage.pool for stage in stages(nets.snn.folded_layers())] == ["avg", "", ""]
    x, _ = batch()
    counts, totals = loop(nets, x)
    run = nets.snn.run(x, at=range(1, 7), keep_counts=True)
    np.testing.assert_array_equal(run.counts, counts)
    for got, ref in zip(run.layer_counts, totals, strict=True):
        np.testing.assert_array_equal(got, ref)


def test_conversion_scales_what_it_can_and_refuses_the_rest():
    x, _ = batch(8)
    for model in list(MODELS.values())[:1] + list(MODELS.values())[2:3]:
        nets = nets_for("conversion", model, percentile=100.0, n_steps=2000, v_init=0.5)
        METHODS["conversion"].end_epoch(nets, x)
        scales = [float(s) for s in nets.snn.scales]
        run, relu = nets.snn.run(x, keep_counts=True), nets.net.forward(x)[0]
        assert len(scales) == 3 and all(s > 0 for s in scales)
        np.testing.assert_allclose(run.counts[-1] / 2000 * scales[-1], np.maximum(relu[-1], 0), atol=0.01 * max(scales))
    for model in REFUSED:
        with pytest.raises(ValueError, match="conversion: expected batch normalisation right behind a weight layer"):
            nets_for("conversion", model)


def test_operations_are_counted():
    """By hand, on a 5 x 5 image and a kernel of 3 with stride 2 and no padding: 2 x 2 places of 9 taps."""
    model = "5x5x1-2c3s2p0-N-3c2p0-N-2"
    assert operations.multiply_adds(model) == [2 * 2 * 9 * 2, 4 * 2 * 3, 3 * 2]
    fans = operations.fan_outs(model)
    assert fans[0][2, 2, 0] == 4 * 2 and fans[0][0, 0, 0] == 2 and fans[0][0, 2, 0] == 4 and fans[1].shape == (2, 2, 1)
    counts = [np.ones((1, 2, 2, 2)), np.full((1, 1, 1, 3), 2.0), np.zeros((1, 2))]
    assert operations.additions(counts, model, 4) == [8 * 3, 6 * 2]
    assert operations.additions([np.ones((1, 4, 4, 2)), np.zeros((1, 2))], "6x6x1-2c3p0-N-P3s1-2", 4) == [4 * 2 * 4 * 2]


@pytest.mark.parametrize("method", ["proxy", "surrogate", "ann"])
def test_it_trains_and_evaluates(tmp_path, method):
    rng = np.random.default_rng(0)
    y = np.arange(120) % 3
    x = rng.integers(0, 90, (120, 12, 12), dtype=np.uint8)
    for b, k in enumerate(y):
        x[b, 4 * k:4 * k + 4] += 160
    data = Dataset("bars", "image", x[:90], y[:90], x[90:], y[90:], ("top", "middle", "bottom"))
    model = models.Model((12, 12, 1), [models.Conv(4, 5, 2, 0), models.MaxPool(), models.BatchNorm(), models.Neurons(), models.Dense(10),
                                       models.BatchNorm(), models.Neurons(), models.Dense(3)])
    training.check_fit(model, data)
    settings = settings_for(method, model, dtype="float32", epochs=6, batch=10, lr=0.01, backend="auto")
    run = training.start(method, settings, 0)
    records = list(training.epochs(run, (data.x_train, data.y_train)))
    results = evaluation_rate.evaluate(run.nets, data.x_test, data.y_test, [4])
    assert results["accuracy"] > 0.9 and records[-1]["loss"] < records[0]["loss"]
    path = tmp_path / "run.npz"
    training.save(run, path)
    assert checkpoint.read(path)[0]["model"]["layers"][0] == ["Conv", {"n": 4, "size": 5, "stride": 2, "padding": 0}]
    again = training.load(path)
    assert again.nets.settings.model == model and again.nets.settings == settings
    np.testing.assert_array_equal(rate.predict(again.nets, data.x_test), rate.predict(run.nets, data.x_test))


def test_a_model_says_what_it_needs_of_the_neurons():
    with pytest.raises(ValueError, match="model: expected layers for temporal neurons, such as 784-800-10 has, got BatchNorm"):
        models.temporal_params("12x12x2-4C3-3", np.random.default_rng(0))
    assert NeuronConfig().n_steps == 15
