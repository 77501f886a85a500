"""The rate methods: each gradient against differences with everything frozen that the method holds constant, and what surrounds them."""

import signal
import subprocess
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from pysnn import _threads, checkpoint, datasets, encode, models, training
from pysnn.layers import BatchNorm, Dropout, ReLU
from pysnn.learning import conversion, rate, surrogate, temporal
from pysnn.learning.settings import about
from pysnn.verify.suite.learning import check_gradients, frozen_loss, masks
from tests.cases import ROOT
from tests.cases.learning import RATE, batch, begin, images, nets_for
from tests.cases.tolerances import tol

SPIKING = {name: rule for name, rule in RATE.items() if name != "ann"}


# ---- gradients

@pytest.fixture(params=[6, pytest.param(30, marks=pytest.mark.slow)])
def n(request):
    """How many coordinates of each parameter are checked, beside the directions."""
    return request.param


def check(nets, step, forward, n=6):
    """Hold a step's gradients against differences of forward(params) -> value, decisions; in every parameter."""
    assert set(step.grads) == set(nets.net.params)
    report = check_gradients(nets, step, forward, n=n)
    assert sum(row.smooth for row in report.rows) > 0.9 * sum(row.checked for row in report.rows)
    assert not report.ok or max(row.max_error for row in report.rows) <= tol("frozen offsets")
    assert all(np.any(step.grads[name]) for name in nets.net.params), "a dead gradient says nothing"
    return report


@pytest.mark.parametrize("chosen", [
    {}, {"clip": False, "gamma": 2.0}, {"clip": True, "threshold": 0.5, "gamma": 2.0}, {"loss": "cross_entropy"}, {"on": "counts"},
    {"readout": "potential"}, {"statistics": "separate", "reset": "zero", "fire": ">"},
    {"statistics": "running", "v_init": 0.5}, {"freeze_after": 1}], ids=str)
def test_proxy_gradient(chosen, n):
    nets, (x, y) = nets_for("proxy", **chosen), batch()
    nets.state["n_epochs"] += 1
    step = RATE["proxy"].gradients(nets, x, y)
    assert (step.y > 0).any() and len(np.unique(step.y)) > 1
    report = check(nets, step, frozen_loss("proxy", nets, x, y, step), n)
    assert report.ok, report


def test_ann_gradient(n):
    nets, (x, y) = nets_for("ann"), batch()
    step = RATE["ann"].gradients(nets, x, y)
    assert check(nets, step, frozen_loss("ann", nets, x, y, step), n).ok
    other = RATE["conversion"].gradients(nets_for("conversion"), x, y)
    assert all((other.grads[name] == dw).all() for name, dw in step.grads.items()), "conversion trains as ann does"


@pytest.mark.parametrize("chosen", [{}, {"readout": "potential"}, {"on": "rates", "loss": "mse"}, {"reset": "zero", "freeze_after": 1},
                                    {"clip": True, "gamma": 2.0}], ids=str)
def test_tandem_gradient(chosen, n):
    """<c, F(W)> with frozen offsets: h = relu(W h_before) + k."""
    nets, (x, y) = nets_for("tandem", **chosen), batch()
    nets.state["n_epochs"] += 1
    step = RATE["tandem"].gradients(nets, x, y)
    n_steps, mode = nets.settings.n_steps, None if rate.uses_running_stats(nets) else "batch"
    h, spikes, offsets = x, x, []
    for relu, snn in zip(nets.net.layers, nets.snn.layers, strict=False):
        y_relu, cache = relu.forward(h, None, mode)
        spikes, _ = snn.forward(spikes, None, relu.batch_stats(None, cache))
        h = spikes if len(spikes) == len(x) else spikes.reshape(n_steps, len(x), *spikes.shape[1:]).sum(axis=0) / n_steps
        offsets.append(h - y_relu)
    assert np.abs(offsets[2]).max() > 0.05 and np.abs(offsets[0]).max() < 1e-12
    report = check(nets, step, frozen_loss("tandem", nets, x, y, step), n)
    assert report.ok, report


@pytest.mark.parametrize("chosen", [
    {}, {"detach_reset": False}, {"reset": "zero", "v_init": 0.25},
    {"reset": "zero", "detach_reset": False, "surrogate": "sigmoid", "slope": 4.0},
    {"readout": "potential", "surrogate": "fast_sigmoid", "slope": 5.0}, {"freeze_after": 1}], ids=str)
def test_surrogate_gradient_through_a_whole_net(chosen, n):
    """Raster and potentials are frozen; (I11) S = S0 + g(U - threshold) - g(U0 - threshold)."""
    nets, (x, y) = nets_for("surrogate", **chosen), batch()
    nets.state["n_epochs"] += 1
    step = RATE["surrogate"].gradients(nets, x, y)
    report = check(nets, step, frozen_loss("surrogate", nets, x, y, step), n)
    assert report.ok, report


def test_updating_before_the_error_is_propagated_is_caught():
    """A fault put in on purpose: each layer's weights change as soon as their gradient is there."""
    nets, (x, y) = nets_for("proxy"), batch()
    net, was = nets.net, {name: w.copy() for name, w in nets.net.params.items()}

    def impatient(dx, caches, need_dx=False):
        grads = {}
        for i in reversed(range(len(net.layers))):
            _, found = net.layers[i].backward(dx, caches[i], True)
            grads |= found
            for name, dw in found.items():
                net.params[name] -= 0.05 * dw
            dx, _ = net.layers[i].backward(dx, caches[i], True)
        return dx, grads

    right = RATE["proxy"].gradients(nets, x, y)
    net.backward = impatient
    wrong = RATE["proxy"].gradients(nets, x, y)
    for name, w in was.items():
        net.params[name][...] = w
    forward = frozen_loss("proxy", nets, x, y, right)
    assert check(nets, right, forward).ok and not check(nets, wrong, forward).ok


@pytest.mark.parametrize("method", RATE)
def test_backends_agree(method):
    """Compiled or not, the same spikes and, up to rounding, the same gradients."""
    pytest.importorskip("numba")
    x, y = batch(6)
    ref, got = (RATE[method].gradients(nets_for(method, backend=backend, threshold=0.9), x, y) for backend in ("reference", "numba"))
    np.testing.assert_allclose(got.y, ref.y, rtol=1e-9, atol=1e-12)
    assert got.loss == pytest.approx(ref.loss, rel=1e-12)
    for name, dw in ref.grads.items():
        np.testing.assert_allclose(got.grads[name], dw, rtol=1e-7, atol=1e-12 + 1e-9 * np.abs(dw).max())


def test_weight_decay_is_in_loss_and_gradient():
    (x, y), decay = batch(), 0.3
    plain, costly = (nets_for("proxy", weight_decay=d) for d in (0.0, decay))
    a, b = (RATE["proxy"].gradients(nets, x, y) for nets in (plain, costly))
    params = plain.net.params
    assert b.loss == pytest.approx(a.loss + decay / 2 * sum((w ** 2).sum() for w in params.values()), rel=1e-12)
    for name, w in params.items():
        np.testing.assert_allclose(b.grads[name], a.grads[name] + decay * w, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("method", RATE)
def test_gradients_update_nothing(method):
    nets, (x, y) = nets_for(method), batch()
    was = {name: w.copy() for name, w in {**nets.net.params, **nets.state}.items()}
    step = RATE[method].gradients(nets, x, y, np.random.default_rng(0))
    assert all((w == was[name]).all() for name, w in {**nets.net.params, **nets.state}.items())
    for name, dw in step.grads.items():
        assert dw.dtype == np.float64 and dw.shape == was[name].shape and not np.shares_memory(dw, nets.net.params[name])
    RATE[method].update_running_stats(nets, step)
    changed = {name for name, x in nets.state.items() if (x != was[name]).any()}
    assert changed == set(step.batch_stats) and changed >= {"mean1", "var1", "mean2", "var2"}


# ---- running statistics and the methods' own doings

@pytest.mark.parametrize("statistics", ["shared", "separate", "running"])
def test_running_statistics(statistics):
    nets, (x, y) = nets_for("proxy", statistics=statistics, freeze_after=2), batch()
    step = RATE["proxy"].gradients(nets, x, y)
    RATE["proxy"].update_running_stats(nets, step)
    _, caches = nets.net.forward(x, None, "batch")
    for name, value in nets.net.batch_stats(caches).items():
        begin = float(name.startswith("var"))
        np.testing.assert_allclose(nets.state[name], 0.9 * begin + 0.1 * value, rtol=1e-12)
        if statistics == "shared":
            assert f"snn/{name}" not in nets.state and nets.snn.state[name] is nets.state[name]
            continue
        own, seen = nets.state[f"snn/{name}"], step.batch_stats[f"snn/{name}"]
        assert own is nets.snn.state[name] and own is not nets.state[name] and len(seen) == (1 if name[-1] == "1" else 5)
        ref = begin
        for at_step in seen:
            ref = 0.9 * ref + 0.1 * at_step
        np.testing.assert_allclose(own, ref, rtol=1e-12)
    for _ in range(2):
        assert not rate.uses_running_stats(nets)
        RATE["proxy"].end_epoch(nets, x)
    late = RATE["proxy"].gradients(nets, x, y)
    assert rate.uses_running_stats(nets) and late.batch_stats == {}
    np.testing.assert_array_equal(late.y, nets.snn.run(x).counts[-1])


@pytest.mark.parametrize("method", ["ann", "tandem", "surrogate"])
def test_frozen_statistics_are_used_and_left_alone(method):
    """Behind `freeze_after` a batch has no part in its own normalisation: each sample's output is what it is alone."""
    nets, (x, y) = nets_for(method, freeze_after=1), batch()
    whole = RATE[method].gradients(nets, x, y)
    assert whole.batch_stats
    RATE[method].update_running_stats(nets, whole)
    RATE[method].end_epoch(nets, x)
    assert rate.uses_running_stats(nets)
    frozen_now = RATE[method].gradients(nets, x, y)
    assert frozen_now.batch_stats == {}
    for k in range(2):
        alone = RATE[method].gradients(nets, x[k:k + 1], y[k:k + 1])
        np.testing.assert_allclose(alone.y, frozen_now.y[k:k + 1], rtol=1e-9)
    assert not np.allclose(whole.y, frozen_now.y)


def test_silent_outputs_are_counted():
    """A sample is silent if no output spiked at all."""
    nets = nets_for("proxy")
    y = np.array([[0.0, 0.0, 0.0], [0.0, 1.0, 1.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [2.0, 0.0, 0.0]])
    assert rate.step(nets, (1.0, y), {}, {}).stats["n_silent"] == 2


def test_shares_of_silent_neurons_are_counted_layer_by_layer():
    settings = temporal.Settings(model="6-9-4", init_mean=1.5, init_std=1.5, dtype="float64", backend="reference")
    nets = temporal.build(settings, rng=np.random.default_rng(1))
    x, y = np.random.default_rng(2).random((20, 6)), np.arange(20) % 4
    found = temporal.gradients(nets, x, y).stats
    silent = [np.isinf(z) for z in nets.net.forward(temporal.encode_batch(nets, x))[0]]
    assert found["silent"] == [s.mean() for s in silent] and 0 < silent[0].mean() != 0.5
    assert 0 < found["n_silent"] == silent[-1].all(axis=1).sum() < silent[-1].any(axis=1).sum()


def test_each_kind_of_statistics_is_what_it_says():
    x, y = batch()
    for statistics in ("shared", "separate", "running"):
        nets = nets_for("proxy", statistics=statistics)
        got = RATE["proxy"].gradients(nets, x, y).y
        _, caches = nets.net.forward(x, None, "batch")
        ref = {"shared": lambda: nets.snn.run(x, nets.net.batch_stats(caches)).counts[-1],         # noqa: B023
               "separate": lambda: nets.snn.run_watched(x, "batch")[0].counts[-1],                 # noqa: B023
               "running": lambda: nets.snn.run(x).counts[-1]}[statistics]()                        # noqa: B023
        np.testing.assert_array_equal(got, ref)


def test_proxy_never_looks_at_the_other_output():
    """Biases of the ReLU network's output move its output, not the spikes that are judged: with the spikes held, the gradient stays."""
    nets, (x, y) = nets_for("proxy"), batch()
    ref = RATE["proxy"].gradients(nets, x, y)
    real = nets.net.forward

    def shifted(*args):
        outputs, caches = real(*args)
        return [*outputs[:-1], outputs[-1] + 100], caches

    nets.net.forward = shifted
    got = RATE["proxy"].gradients(nets, x, y)
    assert got.loss == ref.loss and all((got.grads[name] == dw).all() for name, dw in ref.grads.items())


def test_tandem_and_proxy_agree_without_hidden_layers():
    """There is no coupling then; they differ by T, since the tandem's y counts all steps and its ReLU twin one."""
    x, y = batch(6, (5,))
    same = {"model": "5-3", "init": "uniform", "v_init": 0.5, "loss": "mse", "on": "rates"}
    proxy, tandem = (RATE[m].gradients(nets_for(m, **same), x, y) for m in ("proxy", "tandem"))
    np.testing.assert_array_equal(tandem.y, proxy.y)
    np.testing.assert_allclose(tandem.grads["w1"], 5 * proxy.grads["w1"], rtol=1e-12)


@pytest.mark.parametrize("percentile", [100.0, 99.9, 80.0])
def test_scales_of_a_conversion(percentile, monkeypatch):
    monkeypatch.setattr(rate, "PIECE", 7)
    nets, (x, _) = nets_for("conversion", percentile=percentile), batch(20)
    conversion.end_epoch(nets, x)
    outputs, _ = nets.net.forward(x)
    layers = [o for layer, o in zip(nets.net.layers, outputs, strict=True) if isinstance(layer, ReLU)] + [outputs[-1]]
    for k, activations in enumerate(layers, 1):
        ref = np.sort(activations.ravel())[::-1][int((1 - percentile / 100) * activations.size + 1e-9)]
        np.testing.assert_allclose(nets.state[f"scale{k}"], ref if ref > 0 else 1, rtol=1e-12)
    if percentile == 100:
        np.testing.assert_allclose(nets.state["scale1"], layers[0].max(), rtol=1e-12)


def test_a_conversion_approaches_its_network():
    """Average pooling, reset by subtraction, scales of the largest activation: the decisions are the same as T grows."""
    nets, (x, _) = nets_for("conversion", model="6x6x2-6C3-A2-8-3", percentile=100.0, n_steps=400), batch(30)
    conversion.end_epoch(nets, x)
    ref = nets.net.forward(x)[0][-1]
    rates = nets.snn.run(x).counts[-1] / 400
    np.testing.assert_allclose(rates, np.clip(ref / nets.state["scale3"], 0, 1), atol=0.03)
    assert rate.report(nets, x)["agreement"] > 0.8


@pytest.mark.parametrize("model, n_steps", [("28x28x1-8C3-P2-8C3-P2-50-10", 12), ("784-600-10", 20), ("784-300-300-10", 20)])
def test_bytes_of_a_surrogate_step(model, n_steps):
    """What is said is the peak of a training step, to a seventh."""
    s = surrogate.METHOD.Settings(model=model, n_steps=n_steps, batch=30, backend="reference")
    run, x = training.start("surrogate", s), np.random.default_rng(0).integers(0, 256, (30, 28, 28), dtype=np.uint8)
    tracemalloc.start()
    surrogate.gradients(run.nets, x, np.arange(30) % 10, run.rng)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert surrogate.bytes_needed(s) == pytest.approx(peak, rel=1 / 7)


def test_bytes_of_a_surrogate_step_grow_with_the_steps():
    nets = nets_for("surrogate", model="8x8x2-6C3-P2-6C3-20-3", batch=6, n_steps=9)
    assert surrogate.bytes_needed(replace(nets.settings, n_steps=18)) > 1.8 * surrogate.bytes_needed(nets.settings)


# ---- input and settings

def test_images_are_disturbed_only_in_training(rng):
    x = rng.integers(1, 256, (200, 6, 6), dtype=np.uint8)
    nets = nets_for("proxy", model="6x6x1-3C3-5-3", crop=4, flip=True)
    plain = rate.encode_batch(nets, x)
    np.testing.assert_array_equal(plain, x[..., None] / 255)
    got = rate.encode_batch(nets, x, rng)
    assert got.shape == (200, 6, 6, 1) and (got[:, 1:5, 1:5] > 0).all() and got.sum() == got[:, 1:5, 1:5].sum()
    places = {(i, j): x[:, i:i + 4, j:j + 4, None] / 255 for i in range(3) for j in range(3)}
    hits = sum((got[:, 1:5, 1:5] == p).all(axis=(1, 2, 3)) for p in places.values())
    mirrored = sum((got[:, 1:5, 1:5][:, :, ::-1] == p).all(axis=(1, 2, 3)) for p in places.values())
    assert (hits + mirrored == 1).all() and 60 < hits.sum() < 140
    flipped = encode.flip_images(x, rng)
    assert ((flipped == x).all(axis=(1, 2)) ^ (flipped == x[:, :, ::-1]).all(axis=(1, 2))).all()


def test_dropout_is_in_the_relu_network_alone(rng):
    nets, (x, y) = nets_for("proxy", model="6x6x2-3C3-P2-40-30-3", drop=0.5), batch()
    loud, quiet = (RATE["proxy"].gradients(nets, x, y, r) for r in (rng, None))
    np.testing.assert_array_equal(loud.y, quiet.y)
    dead = [np.mean((step.grads["w3"] == 0).all(axis=1)) for step in (loud, quiet)]      # outputs that were lost for every sample
    assert dead[0] > dead[1]
    assert "drop" not in RATE["tandem"].Settings.__dataclass_fields__


@pytest.mark.parametrize("method", ["proxy", "ann"])
def test_gradient_with_dropout(method, monkeypatch, n):
    """The mask is frozen, drawn from the same seed each time; a backward pass without it is caught."""
    nets, (x, y) = nets_for(method, model="6x6x2-3C3-P2-12-10-3", drop=0.4), batch(8)
    s, lost = nets.settings, [layer.p for layer in nets.net.layers if isinstance(layer, Dropout)]
    assert lost == [0.4, 0.4]

    def step_and_forward():
        step = RATE[method].gradients(nets, x, y, np.random.default_rng(5))
        _, c = rate.loss_and_grad(s, step.y, y)

        def forward(params):
            firing = nets.snn.config if nets.snn else None
            net = models.build(s.model, "relu", params, True, [0.4] * 2, "reference", nets.net.state, firing)
            outputs, caches = net.forward(x, np.random.default_rng(5), "batch")
            kept = [cache.kept for layer, cache in zip(net.layers, caches, strict=True) if isinstance(layer, Dropout)]
            assert all(0.1 < k.mean() < 0.9 for k in kept)
            value = (c * outputs[-1]).sum() if method == "proxy" else rate.loss_and_grad(s, outputs[-1], y)[0]
            return value, masks(net.layers, x, outputs)

        return step, forward

    assert check(nets, *step_and_forward(), n).ok
    monkeypatch.setattr(Dropout, "backward", lambda self, dy, cache, need_dx: (dy, {}))
    assert not check(nets, *step_and_forward(), n).ok


def test_agreement_counts_ties_in_expectation():
    counts = np.array([[2, 2, 0], [2, 2, 0], [0, 0, 0], [3, 1, 0], [1, 1, 1], [2, 2, 0]], float)
    relu = np.array([[.1, .9, 0], [0, 0, .9], [.2, .1, 0], [.5, .2, .1], [1, 1, 0], [1, 1, 0]])
    np.testing.assert_allclose(rate.alike(counts, relu), [1 / 2, 0, 1 / 3, 1, 1 / 3, 1 / 2])
    np.testing.assert_array_equal(rate.alike(counts, relu), rate.alike(relu, counts))
    nets, (x, _) = nets_for("proxy", n_steps=1), batch(40)
    y, other = nets.snn.run(x).counts[-1], nets.net.forward(x)[0][-1]
    ref = np.mean([(a[b.argmax()] == a.max()) / (a == a.max()).sum() for a, b in zip(y, other, strict=True)])
    assert ref != np.mean(y.argmax(axis=1) == other.argmax(axis=1))
    assert rate.report(nets, x)["agreement"] == pytest.approx(ref, rel=1e-12)


@pytest.mark.parametrize("backend", ["reference", "numba"])
def test_watched_statistics_far_from_zero(backend):
    """Sums in float64: in float32 thousands of numbers about 1000 leave nothing of a deviation of 0.1."""
    if backend == "numba":
        pytest.importorskip("numba")
    x = np.random.default_rng(0).normal(1000, 0.1, (200, 28, 28, 2)).astype(np.float32)
    ones = {name: np.ones(2, np.float32) for name in ("gamma1", "beta1", "mean1", "var1")}
    layer = BatchNorm(ones, ones, 1, backend)
    seen = layer.batch_stats(x, layer.forward(x)[1], False)
    assert seen["mean1"].dtype == seen["var1"].dtype == np.float32
    np.testing.assert_allclose(seen["mean1"], x.mean(axis=(0, 1, 2), dtype=np.float64), rtol=1e-7)
    np.testing.assert_allclose(seen["var1"], x.var(axis=(0, 1, 2), dtype=np.float64), rtol=1e-6)


def test_folding_is_the_backends(monkeypatch):
    for backend in ("reference", "numba"):
        if backend == "numba":
            pytest.importorskip("numba")
        nets, used = nets_for("proxy", backend=backend), []
        op = next(layer.op for layer in nets.snn.layers if isinstance(layer, BatchNorm))
        real = op.fold
        monkeypatch.setattr(op, "fold", lambda *args, real=real, used=used: used.append(1) or real(*args))
        nets.snn.folded_layers()
        assert len(used) == 2 and op.__name__.split(".")[1] == {"reference": "reference", "numba": "kernels"}[backend]


@pytest.mark.parametrize("method", RATE)
def test_settings_and_presets(method):
    rule = RATE[method]
    for data, spec in (("mnist", "28x28x1"), ("cifar10", "32x32x3"), ("xor", "2"), ("yin-yang", "4"), ("fashion-sample", "28x28x1")):
        for preset in rule.presets:
            s = rule.settings_for(data, preset)
            assert s.model.shape == tuple(map(int, spec.split("x")))
    s = rule.settings_for("fashion-mnist")
    if method == "proxy":
        assert s == rule.Settings(**rule.model_settings["fashion-fast"], model="fashion-fast")
    else:
        assert replace(s, crop=0, flip=False) == rule.Settings() and s.model == "fashion-proxy:32"
    assert rule.settings_for("mnist", lr=0.5, model="784-10").lr == 0.5
    s = replace(s, model="28x28x1-8c3-N-10") if method == "surrogate" else s       # nothing is run again with batch normalisation
    for name in rule.Settings.__dataclass_fields__:
        allowed = about(rule.Settings, name).get("allowed")
        if allowed and isinstance(allowed[0], str):
            for good in set(allowed) - {"squared", "differences"}:      # of regression and of sequences, which need other settings, too
                assert getattr(replace(s, **{name: good}), name) == good
            with pytest.raises(ValueError, match=f"^{name}: expected one of "):
                replace(s, **{name: "nonsense"})
        elif allowed:
            low, high = allowed
            for bad in (low - 1, 2 * high + 1, float("nan"), None, "1", True):
                with pytest.raises(ValueError, match=f"^{name}: expected a number from"):
                    replace(s, **{name: bad})
        elif name in ("augment", "penalty", "metric"):
            with pytest.raises(ValueError, match=f"^{name}: expected a function or FILE.py:NAME, got 1"):
                replace(s, **{name: 1})
        elif name not in ("model", "freeze"):
            with pytest.raises(ValueError, match=f"^{name}: expected true or false, got 1"):
                replace(s, **{name: 1})
    with pytest.raises(ValueError, match="unknown setting 'beta'"):
        rule.settings_for("mnist", beta=1.0)
    with pytest.raises(ValueError, match=r"batch: expected a whole number, got 2\.5"):
        replace(s, batch=2.5)
    with pytest.raises(ValueError, match="crop, shift, flip: expected a model on images"):
        replace(s, model="784-20-10", shift=1)
    for name, value in {"crop": 4, "flip": True, "shift": 2}.items():                # typed, hence refused; what comes along is dropped
        with pytest.raises(ValueError, match="crop, shift, flip: expected a model on images"):
            rule.settings_for("mnist", model="784-10", **{name: value})
    for data in ("fashion-mnist", "cifar10"):
        for preset in rule.presets:
            flat = rule.settings_for(data, preset, model="784-10", lr=0.5)
            assert (flat.crop, flat.flip, flat.shift, flat.lr) == (0, False, 0, 0.5)
    if "readout" in rule.Settings.__dataclass_fields__:
        with pytest.raises(ValueError, match="readout: expected a model with a hidden layer for 'potential'"):
            replace(s, model="784-10", readout="potential")
    with pytest.raises(ValueError, match="crop: expected at most the side of an image, 28, got 29"):
        replace(s, crop=29)


def test_methods_have_no_options_that_they_do_not_use():
    fields = {name: set(rule.Settings.__dataclass_fields__) for name, rule in RATE.items()}
    everywhere = set.intersection(*fields.values())
    assert fields["ann"] - everywhere == {"drop"} and "n_steps" not in everywhere
    of_proxy = {"statistics", "drop", "levels", "pooling", "calibrate", "warm"}
    assert fields["proxy"] - fields["tandem"] == of_proxy and fields["tandem"] < fields["proxy"]
    through_time = {"truncate", "memory", "spike_cost", "min_spikes", "max_spikes", "input_rate", "sigmas"}
    assert fields["surrogate"] - fields["tandem"] == {"surrogate", "slope", "detach_reset", "input", "over", "clip_norm"} | through_time
    assert "threshold" not in fields["conversion"] and "percentile" in fields["conversion"]


def test_the_authors_preset_is_the_authors():
    s = RATE["proxy"].settings_for("fashion-mnist", "authors")
    assert sum(int(np.prod(param.shape)) for param in s.model.params("relu", s.bias).values()) == 19_599_744
    assert (s.threshold, s.reset, s.fire, s.v_init, s.n_steps, s.readout) == (2.0, "zero", ">=", 0.0, 15, "spikes")
    assert (s.loss, s.on, s.statistics, s.freeze_after, s.crop, s.init) == ("mse", "counts", "separate", 1, 26, "uniform")
    assert (s.gamma, s.clip, s.drop, s.flip, s.shift, s.bias) == (1.0, False, 0.0, False, 0, False)
    assert (s.lr, s.lr_end, s.beta1, s.beta2, s.weight_decay, s.batch, s.epochs) == (1e-4, 1e-4, 0.8, 0.99, 1e-6, 100, 100)
    optimiser = RATE["proxy"].optimiser(s, {})
    assert (optimiser.beta1, optimiser.beta2) == (0.8, 0.99)


# ---- the loop


@pytest.mark.parametrize("method", RATE)
def test_records(method):
    run = begin(method)
    for k, record in enumerate(training.epochs(run, images(), images(seed=1)), 1):
        expected = {"epoch", "loss", "train_accuracy", "lr", "val_accuracy", "val_strict", "val_inclusive", "seconds"}
        expected |= {"silent", "ceiling", "never", "movable", "grad_norm"}
        expected |= {"n_silent"} if method in ("proxy", "tandem", "surrogate") else set()
        expected |= {"rates"} if method != "ann" else set()
        twins = {"agreement", "correlation", "bias", "relu_accuracy", "distance"}
        expected |= twins if method in ("proxy", "tandem", "conversion") else set()
        assert set(record) == expected and record["epoch"] == k
        assert all(np.isfinite(value).all() for value in record.values())
        n_firing = 2 if method == "ann" else 3
        assert [len(record[name]) for name in ("silent", "ceiling", "never", "movable")] == [n_firing] * 3 + [3]
        assert len(record["grad_norm"]) == 3 and min(record["grad_norm"]) > 0
        assert all(0 <= share <= 1 for name in ("silent", "ceiling", "never", "movable") for share in record[name])
        if method != "ann":
            assert len(record["rates"]) == 3 and all(0 <= r <= 1 for r in record["rates"])
    assert int(run.nets.state["n_epochs"]) == 3


@pytest.mark.parametrize("method", RATE)
def test_learns(method):
    run = begin(method, model="6x6x1-24-3", epochs=15, lr=1e-2)
    records = list(training.epochs(run, images(60), images(60, seed=1)))
    assert records[-1]["val_accuracy"] > 0.8 and records[-1]["loss"] < records[0]["loss"]


@pytest.mark.parametrize("method, chosen", [
    ("proxy", {}), ("proxy", {"statistics": "separate", "freeze_after": 1, "drop": 0.2, "crop": 5}), ("tandem", {}), ("surrogate", {}),
    ("conversion", {}), ("ann", {"flip": True, "drop": 0.3})], ids=str)
def test_stopped_after_each_epoch_it_goes_on_with_the_same_bits(tmp_path, method, chosen):
    unbroken, path = begin(method, 2, **chosen), tmp_path / "a.npz"
    list(training.epochs(unbroken, images(), images(seed=1)))
    training.save(begin(method, 2, **chosen), path)
    for _ in range(3):
        run = training.load(path)
        next(training.epochs(run, images(), images(seed=1)))
        training.save(run, path)
    broken = training.load(path)
    for a, b in zip(*((r.nets.net.params, r.nets.state, r.optimiser.state) for r in (unbroken, broken)), strict=True):
        assert {k: x.tobytes() for k, x in a.items()} == {k: x.tobytes() for k, x in b.items()}
    strip = [[{k: v for k, v in r.items() if k != "seconds"} for r in run.records] for run in (unbroken, broken)]
    assert strip[0] == strip[1] and unbroken.rng.bit_generator.state == broken.rng.bit_generator.state


@pytest.mark.parametrize("method", ["proxy", "conversion"])
def test_weights_only_holds_the_state(tmp_path, method):
    run, path = begin(method, epochs=2), tmp_path / "w.npz"
    list(training.epochs(run, images()))
    training.save(run, path, weights_only=True)
    got = training.load(path)
    assert got.rng is None and {k: x.tobytes() for k, x in got.nets.state.items()} == {k: x.tobytes() for k, x in run.nets.state.items()}
    assert got.nets.snn.state["mean1"] is got.nets.state["mean1"] and got.nets.state["mean1"].any()
    for name, w in run.nets.net.params.items():
        assert (got.nets.net.params[name] == w.astype(np.float16)).all()
    header, arrays = checkpoint.read(path)
    for bad in ({"state/mean1": np.zeros(9, np.float32)}, {"state/var1": None}, {"state/mean1": np.full(4, np.nan, np.float32)}):
        (name, value), = bad.items()
        changed = {k: v for k, v in {**arrays, name: value}.items() if v is not None}
        checkpoint.write(path, header, changed)
        with pytest.raises(checkpoint.CheckpointError, match="parts do not fit together"):
            training.load(path)


@pytest.mark.parametrize("method, chosen", [
    ("proxy", {}), ("tandem", {}), ("surrogate", {}), ("conversion", {"model": "28x28x1-6C3-A2-60-10"}),
    ("proxy", {"model": "28x28x1-6C3-A2-6C3-P2-60-10", "statistics": "separate", "drop": 0.2, "crop": 26}),
    ("proxy", {"model": "28x28x1-6C3-P2-60-10", "statistics": "running", "flip": True, "shift": 2}),
    ("surrogate", {"model": "28x28x1-6C3-A2-60-10", "readout": "potential"}), ("ann", {"model": "28x28x1-6C3-A2-60-10", "drop": 0.3})],
    ids=str)
def test_same_bits_for_one_and_two_threads(method, chosen):
    """Nor does it matter which thread trains."""
    pytest.importorskip("numba")
    chosen = {"model": "28x28x1-8C3-P2-8C3-P2-200-10", "backend": "auto", "batch": 100, "epochs": 1, "n_steps": 4, **chosen}
    data, was, ends = datasets.load("fashion-sample"), _threads.get_threads(), []
    try:
        for n in (1, 2):
            _threads.set_threads(n)
            run = begin(method, **chosen)
            parts = (data.x_train[:200], data.y_train[:200]), (data.x_test[:100], data.y_test[:100])
            if n == 1:
                list(training.epochs(run, *parts))
            else:
                with ThreadPoolExecutor(1) as pool:
                    pool.submit(lambda run=run, parts=parts: list(training.epochs(run, *parts))).result()
            ends.append({name: x.tobytes() for name, x in {**run.nets.net.params, **run.nets.state, **run.optimiser.state}.items()})
            ends[-1]["y"] = RATE[method].predict(run.nets, data.x_test[:100]).tobytes()
            ends[-1]["records"] = [{k: v for k, v in r.items() if k != "seconds"} for r in run.records]
    finally:
        _threads.set_threads(was)
    assert ends[0] == ends[1]


JOB = """
import os, signal, sys
import numpy as np
sys.path[:0] = [{root!r}]
from tests.cases import learning
from pysnn import training
path, deadly = sys.argv[1], int(sys.argv[2])
run = training.load(path) if os.path.exists(path) else learning.begin("proxy", 5, epochs=4, statistics="separate", drop=0.2)
real, calls = run.rule.gradients, []
def gradients(*args):
    calls.append(1)
    if len(calls) == deadly:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*args)
training.METHODS["proxy"] = run.rule = run.rule._replace(gradients=gradients)
for _ in training.epochs(run, learning.images(), learning.images(seed=1)):
    training.save(run, path)
"""


def test_killed_amid_an_epoch_it_goes_on_with_the_same_bits(tmp_path):
    def to_the_end(run, path):
        for _ in training.epochs(run, images(), images(seed=1)):
            training.save(run, path)

    straight, killed, ends = tmp_path / "straight.npz", tmp_path / "killed.npz", []
    to_the_end(begin("proxy", 5, epochs=4, statistics="separate", drop=0.2), straight)
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", JOB.format(root=str(ROOT)), killed, "5"], capture_output=True, text=True)
        assert done.returncode == -signal.SIGKILL, done.stderr                          # three batches an epoch
    assert checkpoint.read(killed)[0]["epoch"] == 2
    to_the_end(training.load(killed), killed)
    for path in (straight, killed):
        header, arrays = checkpoint.read(path)
        assert header["epoch"] == 4
        ends.append({k: x.tobytes() for k, x in arrays.items()} | {"rng": header["rng"]})
    assert ends[0] == ends[1]


@pytest.mark.parametrize("method", sorted(RATE))
def test_a_last_batch_of_one_sample_on_maps_of_one_pixel(method):
    """One value a channel has no variance: the running statistics are used and stay; under NumPy's strictest errors, too."""
    x, y = np.random.default_rng(0).integers(0, 256, (5, 2, 2), dtype=np.uint8), np.arange(5) % 3
    with np.errstate(all="raise"):
        run = begin(method, model="2x2x1-4C3-P2-4C1-3", batch=4, epochs=1)
        alone = RATE[method].gradients(run.nets, x[:1], y[:1], np.random.default_rng(0))
        before = {name: value.copy() for name, value in run.nets.state.items()}
        RATE[method].update_running_stats(run.nets, alone)
        kept = [name for name in before if name.startswith(("mean2", "var2"))]
        assert len(kept) == 2 and (method == "surrogate" or all((before[name] == run.nets.state[name]).all() for name in kept))   # T values
        list(training.epochs(run, (x, y)))
    assert all(value.min() > 0 for name, value in run.nets.state.items() if "var" in name)
