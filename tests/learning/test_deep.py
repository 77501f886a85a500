"""Proxy learning for images: whitening, pooling inside the neurons, calibration, the output's scale, a ReLU phase first."""

import copy

import numpy as np
import pytest

from pysnn import models, network, training
from pysnn.layers import Conv, stages
from pysnn.learning import METHODS, proxy, rate
from pysnn.verify.suite.learning import check_gradients, frozen_loss
from tests.cases.tolerances import tol

MODEL = "8x8x2-W2-4c3-P2-B0.45-N-6c3-B0.45-N-A3-5d"
DEEP = {**proxy.IMAGES, "lr": 0.05, "model": MODEL, "batch": 10, "epochs": 4, "shift": 0, "flip": False, "dtype": "float64"}


def samples(n=40, seed=0):
    """Make images of five classes, each with a pattern of its own."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 5
    patterns = np.random.default_rng(9).random((5, 8, 8, 2))
    return np.clip(0.6 * patterns[y] + 0.4 * rng.random((n, 8, 8, 2)), 0, 1), y


def nets_for(backend="numba", **chosen):
    """Build networks with filters, whose parameters are drawn so that neurons fire and none is at a tie."""
    settings = proxy.Settings(**{**DEEP, "init": "kaiming", "backend": backend, **chosen})
    nets = proxy.build(settings, rng=np.random.default_rng(3))
    rng = np.random.default_rng(4)
    for name, w in nets.net.params.items():
        w += rng.uniform(0, 0.5, w.shape) if name.startswith("beta") else 0
    for name, x in nets.state.items():
        if name.startswith("v_init"):
            x[...] = rng.uniform(0.2, 0.8, x.shape)
    METHODS["proxy"].begin(nets, samples()[0])
    return nets


def test_models_by_name_are_read_written_and_kept():
    for name, sides in (("fashion-fast:4", (27, 13, 6, 3)), ("cifar-fast:4", (31, 15, 7, 3))):
        model = models.read(name)
        heights = [shape[0] for shape in model.shapes if len(shape) == 3]
        assert list(dict.fromkeys(heights)) == [*sides, 1]
        assert model.shapes[-1] == (10,)
        assert models.Model(model.shape, model.specs).text == models.read(models.Model(model.shape, model.specs).text).text
        assert models.read(model.to_json()) == model
        assert not any(name.startswith("gamma") for name in model.params())
    assert models.read("fashion-fast").n_weights == 7


@pytest.mark.parametrize("bad", ["8x8x1-4c3-N-W2-3", "8x8x1-W9-4c3-N-3", "8x8x1-4c3-B0.0-N-3", "8-W2-3"])
def test_models_that_mean_nothing_are_refused(bad):
    with pytest.raises(ValueError, match="model: expected"):
        models.read(bad)


def test_identity_keeps_channels():
    params = models.rate_params("6x6x3-5c3-N-4c3-N-2", np.random.default_rng(0), init="identity", dtype=np.float64)
    x = np.random.default_rng(1).random((2, 6, 6, 3))
    net = models.build("6x6x3-5c3-N-4c3-N-2", "relu", params)
    first = net.forward(x)[0][0]
    np.testing.assert_array_equal(first[..., :3], x)
    assert np.abs(first[..., 3:]).max() > 0


def test_whitening_makes_patches_independent():
    """(P13) Before the two signs are split, the filters' outputs have covariance 1, but for what WHITEN_EPS takes; signs are kept apart."""
    nets = nets_for()
    x, _ = samples()
    out = nets.net.layers[0].forward(rate.encode_batch(nets, x))[0]
    z = (out[..., :8] - out[..., 8:]).reshape(-1, 8)
    covariance = np.cov(z.T)
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 1e-10
    assert (np.diag(covariance) > 0.9).all() and (np.diag(covariance) < 1 + 1e-3).all()
    assert (out >= 0).all() and (out[..., :8] * out[..., 8:] == 0).all()


def test_whitening_without_filters_is_an_error_and_training_sets_them():
    nets = proxy.build(proxy.Settings(**DEEP), rng=np.random.default_rng(0))
    x, y = samples()
    with pytest.raises(ValueError, match="whitening: expected filters"):
        proxy.gradients(nets, x, y)
    run = training.start("proxy", proxy.Settings(**DEEP))
    next(training.epochs(run, (x, y)))
    assert run.nets.state["filter0"].any()
    assert "filter0" not in run.nets.net.params


@pytest.mark.parametrize("chosen", [{}, {"levels": True}, {"warm": 0.5}, {"on": "rates", "scale": 1.0}])
def test_kernels_equal_the_reference(chosen):
    x, y = samples(12)
    steps = [proxy.gradients(nets_for(backend, **chosen), x, y) for backend in ("reference", "numba")]
    assert steps[0].loss == pytest.approx(steps[1].loss, rel=1e-12)
    np.testing.assert_allclose(steps[1].y, steps[0].y, rtol=tol("identity"), atol=1e-12)
    for name, dw in steps[0].grads.items():
        np.testing.assert_allclose(steps[1].grads[name], dw, rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("chosen", [{}, {"warm": 0.5}, {"loss": "mse", "on": "counts"}])
def test_gradient_against_frozen_offsets(chosen):
    """(P2) with the error at the spiking output a constant: differences of <c, A(W)> in every parameter."""
    x, y = samples(6)
    nets = nets_for("reference", bias_rate=1.0, weight_decay=0.0, **chosen)
    step = proxy.gradients(nets, x, y)
    report = check_gradients(nets, step, frozen_loss("proxy", nets, x, y, step))
    assert report.ok, str(report)
    assert all(np.abs(dw).max() > 0 for dw in step.grads.values())


@pytest.mark.parametrize("model, staged", [
    (MODEL, True), ("8x8x2-4c3-P2-B0.45-N-6c3-B0.45-N-P2-6c3-B0.45-N-A2-5d", True),        # inside, and of spikes
    ("8x8x2-4c3-B0.45-N-6c3-B0.45-N-A3-20-5d", False), ("8x8x2-W2-4c3-B0.45-N-6c3-B0.45-N-A6-5d", False)])    # a mean of a part of the map
def test_spiking_run_step_by_step(model, staged):
    """The run by products, layer by layer over some steps, against one step of all layers after the other: exact in counts."""
    for dtype in ("float64", "float32"):
        nets = nets_for(dtype=dtype, model=model)
        first = next(i for i, layer in enumerate(nets.snn.layers) if isinstance(layer, Conv))
        shape = nets.settings.model.shapes[first - 1] if first else nets.settings.model.shape
        assert (stages(nets.snn.folded_layers()[first:], shape) is not None) == staged
        x = rate.encode_batch(nets, samples(37)[0])
        got = nets.snn.run(x, at=[1, 2, 4], keep_counts=True)
        ref = network._by_steps(nets.snn.layers, nets.snn.config, x, (None, [1, 2, 4], True, None))
        np.testing.assert_allclose(got.counts, ref.counts, rtol=1e-5, atol=1e-6)
        for a, b in zip(got.layer_counts[:-1], ref.layer_counts[:-1], strict=True):
            np.testing.assert_array_equal(a, b)
        assert got.n_spikes == ref.n_spikes
        for a, b in zip(got.channels, ref.channels, strict=True):
            np.testing.assert_array_equal(a, b)
        size = np.prod(nets.settings.model.neuron_layers[1][1])
        assert 0.02 < got.n_spikes[1] / (len(x) * 4 * size) < 0.9


def test_the_twins_share_the_first_layer():
    nets = nets_for()
    x = rate.encode_batch(nets, samples(8)[0])
    outputs, caches = nets.net.forward(x, None, "batch")
    used = nets.net.batch_stats(caches)
    shared, whole = proxy.run_snn(nets, x, used, outputs)[0], nets.snn.run(x, used)
    np.testing.assert_allclose(shared.counts, whole.counts, rtol=1e-12)


def test_calibration_goes_to_equal_rates():
    """(P14) The first potential of a channel whose rate is too low rises, of one whose rate is too high falls; it stays from 0 to theta."""
    nets, (x, y) = nets_for(), samples(40)
    before, gap = nets.state["v_init2"].copy(), None
    for k in range(60):
        step = proxy.gradients(nets, x, y)
        assert set(step.batch_stats) >= {"v_init2", "mean1", "var2"}
        if k == 0:
            gap = step.batch_stats["v_init2"]
            proxy.update_running_stats(nets, step)
            np.testing.assert_allclose(nets.state["v_init2"], np.clip(before + 0.05 * 4 * gap, 0, 1), rtol=1e-12)
        else:
            proxy.update_running_stats(nets, step)
    assert np.abs(step.batch_stats["v_init2"]).mean() < np.abs(gap).mean()
    assert (nets.state["v_init2"] >= 0).all() and (nets.state["v_init2"] <= 1).all()
    assert "v_init1" not in nets.state


def test_warm_begins_with_the_relu_network():
    nets, (x, y) = nets_for(warm=0.5), samples(10)
    step = proxy.gradients(nets, x, y)
    own = nets.net.forward(rate.encode_batch(nets, x), None, "batch")[0][-1]
    np.testing.assert_allclose(step.y, 4 * own)
    nets.state["n_epochs"] += 2                                           # half of the epochs
    assert not np.allclose(proxy.gradients(nets, x, y).y, 4 * own)


def test_scale_of_the_output_and_rate_of_biases():
    x, y = samples(10)
    plain, scaled, fast = (proxy.gradients(nets_for(**chosen), x, y) for chosen in ({"bias_rate": 1.0, "weight_decay": 0.0}, {
        "bias_rate": 1.0, "weight_decay": 0.0, "scale": 4.0}, {"bias_rate": 13.0, "weight_decay": 0.0}))
    assert plain.loss != scaled.loss
    for scale in (2.0, 3.0):                                              # the gradient is that of y/T, so it has the factor s
        settings, y_, d = proxy.Settings(**{**DEEP, "scale": scale}), plain.y.copy(), 1e-6
        slope = rate.loss_and_grad(settings, plain.y, y)[1]
        y_[3, 2] += 4 * d
        moved = rate.loss_and_grad(settings, y_, y)[0] - rate.loss_and_grad(settings, plain.y, y)[0]
        assert moved / d == pytest.approx(slope[3, 2], rel=1e-4)
    for name, dw in plain.grads.items():
        np.testing.assert_allclose(fast.grads[name], dw * (13 if name.startswith("beta") else 1), rtol=1e-12)


def test_the_same_bits_after_a_kill_and_for_any_threads(tmp_path):
    from pysnn._threads import get_threads, set_threads
    data, chosen, n = samples(40), {**DEEP, "dtype": "float32", "shift": 1, "flip": True, "warm": 0.5}, get_threads()
    ends = []
    try:
        for threads, stop in ((1, None), (2, None), (2, 2)):
            set_threads(threads)
            run = training.start("proxy", proxy.Settings(**chosen), seed=5)
            for record in training.epochs(run, data):
                if record["epoch"] == stop:
                    training.save(run, tmp_path / "run.npz")
                    break
            if stop:
                run = training.load(tmp_path / "run.npz")
                list(training.epochs(run, data))
            ends.append({**run.nets.net.params, **run.nets.state})
    finally:
        set_threads(n)
    for other in ends[1:]:
        for name, w in ends[0].items():
            np.testing.assert_array_equal(other[name], w, err_msg=name)
    assert ends[0]["v_init2"].std() > 0


def test_record_shows_whether_the_networks_part():
    run, data = training.start("proxy", proxy.Settings(**{**DEEP, "epochs": 8})), samples(200)
    *_, last = training.epochs(run, data, samples(60, seed=1))
    assert last["val_accuracy"] > 0.4
    assert last["agreement"] > 0.85 and abs(last["distance"]) < 0.1
    assert len(last["correlation"]) == len(last["bias"]) == 2 and min(last["correlation"]) > 0.8
    assert last["relu_accuracy"] - last["distance"] == pytest.approx(last["val_accuracy"])
    parted = {**last, "train_accuracy": 0.5, "distance": 0.2, "agreement": 0.6, "silent": [], "ceiling": [], "movable": []}
    assert "the networks part" in training._stuck(parted, 100)
    assert training._stuck({**parted, "agreement": 0.9}, 100) == ""


def test_settings_that_models_need_come_with_their_names():
    rule = METHODS["proxy"]
    assert rule.settings_for("fashion-mnist").optimiser == "nesterov"
    assert rule.settings_for("fashion-mnist").smoothing == 0.1 and rule.settings_for("cifar10").smoothing == 0.2
    assert rule.settings_for("fashion-mnist", "warm").warm == 0.7
    assert rule.settings_for("fashion-mnist", model="784-30-10").optimiser == "adam"
    assert rule.settings_for("fashion-mnist", model="fashion-fast:8", lr=0.1).lr == 0.1
    assert rule.settings_for("fashion-mnist", "authors").model == "fashion-proxy"


def test_a_run_is_copied_with_its_potentials():
    run = training.start("proxy", proxy.Settings(**DEEP))
    next(training.epochs(run, samples()))
    twin = copy.deepcopy(run)
    assert twin.nets.snn.layers[-1] is not run.nets.snn.layers[-1]
    np.testing.assert_array_equal(twin.nets.state["v_init2"], run.nets.state["v_init2"])
    x = samples(10, seed=3)[0]
    np.testing.assert_array_equal(rate.predict(twin.nets, x), rate.predict(run.nets, x))


def test_comparisons_give_all_methods_the_same_model():
    from pysnn.evaluation import comparison
    for data in ("fashion-sample", "fashion-mnist", "cifar10"):
        assert len({str(job.settings.model) for job in comparison.plan(data, comparison.METHODS, [4], [0], {})}) == 1
    (job,) = comparison.plan("fashion-mnist", ["proxy"], [4], [0], {"model": "fashion-fast:8"})
    assert job.settings.model == "fashion-fast:8" and job.settings.optimiser == "nesterov"
