"""Layers of exact spike times in models: convolutions, the earliest spike of a window, delays, other neurons; gradients, costs."""

import numpy as np
import pytest

from pysnn import evaluation, layers, models, training
from pysnn.evaluation import temporal as measured
from pysnn.layers.temporal import NEURONS, EarliestPool, TemporalConv, needed
from pysnn.learning import temporal
from pysnn.operations import OPERATIONS

INF = np.inf


def nets(rng, model, **chosen):
    """Build a network whose neurons mostly fire, in float64."""
    how = {"dtype": "float64", "drop_in": 0.0, "drop_hidden": 0.0, "code": "latency", "beta": 2.0, "init_mean": 3.0} | chosen
    return temporal.build(temporal.settings_for("mnist", model=model, **how), rng=rng)


MODELS = {"convolution": ("6x5x2-3c3-N-P2-4", {}), "stride and bias": ("6x5x2-4c3s2p0-N-5-3", {"bias": True}),
          "axons": ("5-6+axonal-3+axonal", {}), "dendrites": ("5-6+dendritic-3+dendritic", {}),
          "synapses": ("5-6+synaptic-3+synaptic", {"bias": True}),
          **{name: ("5-6-3", {"neuron": name, "bias": True}) for name in NEURONS[1:]}}


@pytest.mark.parametrize("which", MODELS)
def test_gradients_of_the_whole_network(which, rng):
    """(T13) to (T15), and z = exp(t) between layers of other neurons: every parameter and the input, by differences."""
    model, chosen = MODELS[which]
    net = nets(rng, model, **chosen).net
    z = np.exp(rng.uniform(0, 1, (3, *net.model.shape)))
    outputs, caches = net.forward(z)
    fired = [np.isfinite(y).mean() for y, layer in zip(outputs, net.layers, strict=True) if layer.fires]
    assert min(fired) > 0.3
    c = np.where(np.isfinite(outputs[-1]), rng.normal(size=outputs[-1].shape), 0)

    def loss():
        y = net.forward(z)[0][-1]
        return float(np.where(np.isfinite(y), c * np.where(np.isfinite(y), np.log(y), 0), 0).sum())

    dz, grads = net.backward(c / np.where(np.isfinite(outputs[-1]), outputs[-1], 1), caches, need_dx=True)
    assert grads.keys() == net.params.keys()
    seen = 0
    for name, x, g in [("z", z, dz), *((name, net.params[name], grads[name]) for name in grads)]:
        for at in [tuple(rng.integers(n) for n in x.shape) for _ in range(8)]:
            kept, found = x[at], []
            for e in (1e-6, 2e-6):
                sides = []
                for sign in (1, -1):
                    x[at] = kept + sign * e
                    sides.append(loss())
                x[at] = kept
                found.append((sides[0] - sides[1]) / (2 * e))
            if abs(found[0] - found[1]) < 1e-6 * max(1, abs(found[0])):      # else a kink or a jump is near
                seen += 1
                assert g[at] == pytest.approx(found[0], rel=1e-6, abs=1e-7), (name, at)
    assert seen > 6 * (len(grads) + 1)


def test_a_layer_of_leaky_neurons_is_its_operation(rng):
    for name in NEURONS[1:]:
        layer = layers.temporal.TemporalDense({"w1": rng.normal(1, 0.5, (4, 3))}, "w1", neuron=name)
        t = rng.uniform(0, 2, (5, 4))
        z_out, _ = layer.forward(np.exp(t))
        wanted, _ = OPERATIONS[name].pair().forward(t, layer.params["w1"])
        assert 0.2 < np.isfinite(wanted).mean()
        np.testing.assert_allclose(np.log(z_out), wanted, rtol=1e-13, atol=1e-14)
        near = needed(name) * np.array([[1 + 1e-9, 1 - 1e-9]])
        peak = OPERATIONS[name].pair("reference").forward(np.zeros((1, 1)), near)[0]
        assert np.isfinite(peak[0, 0]) and peak[0, 1] == INF                 # the least weight with which one input is enough


def test_the_earliest_spike_of_a_window(rng):
    """(T15): of equal times the first; a window without a spike stays silent; no gradient goes to the others."""
    z = np.array([[3.0, 2, INF, INF], [2, 5, INF, INF]]).reshape(1, 2, 4, 1)
    for backend in ("reference", "numba"):
        pool = EarliestPool(backend)
        y, cache = pool.forward(z)
        np.testing.assert_array_equal(y.ravel(), [2, INF])
        dz, _ = pool.backward(np.array([7.0, 0]).reshape(y.shape), cache)
        np.testing.assert_array_equal(dz.ravel(), [0, 7, 0, 0, 0, 0, 0, 0])


def test_delays_of_the_model(rng):
    made = nets(rng, "4-5+synaptic-3+axonal", bias=True)
    assert made.net.params["delay1"].shape == (5, 5) and made.net.params["delay2"].shape == (6, 1)
    assert str(made.settings.model) == "4-5+synaptic-3+axonal" == str(models.Model((4,), made.settings.model.specs))
    assert models.read(made.settings.model.to_json()) == made.settings.model and made.settings.model.weights == ["w1", "w2"]
    z = np.exp(rng.uniform(0, 1, (6, 4)))
    for name in ("delay1", "delay2"):
        made.net.params[name][...] = -800                                    # log(1 + exp(x)) is 0
    plain = temporal.build(temporal.settings_for("mnist", model="4-5-3", bias=True, dtype="float64"),
                           {name: made.net.params[name] for name in ("w1", "w2")})
    np.testing.assert_array_equal(made.net.forward(z)[0][-1], plain.net.forward(z)[0][-1])


def test_delays_on_a_grid_cost_little_or_much(rng):
    made = nets(rng, "4-5+synaptic-3+dendritic", init_mean=6.0)
    x, found = rng.random((50, 4)), []
    y = temporal.decide(temporal.predict(made, x))
    for scale in (-30.0, 2.0):                                           # no delays; delays of some 2 tau
        for name in ("delay1", "delay2"):
            made.net.params[name][...] = scale + rng.normal(size=made.net.params[name].shape)
        y = temporal.decide(temporal.predict(made, x))
        found.append([a for _, a in evaluation.robustness(made, x, y, rng)["grid"]])
    assert found[0] == [1.0] * 4 and 0 < min(found[1]) < 1
    plain = evaluation.robustness(nets(rng, "4-5-3"), x, y, rng)
    assert set(plain) == {"jitter", "lost", "bits"}


def test_additions_count_the_windows_that_a_spike_meets(rng):
    """Against a count of every pair of a spike and a neuron that hears it."""
    made = nets(rng, "5x4x2-3c3s2-N-2", bias=True)
    x = (255 * rng.random((7, 5, 4, 2))).astype(np.uint8)
    z = temporal.encode_batch(made, x)
    hidden = made.net.forward(z)[0][0]
    heard = sum(np.isfinite(z[s, h, v, c]) for s, q, u, i, j, c in np.ndindex(7, 3, 2, 3, 3, 2)
                if 0 <= (h := 2 * q + i - 1) < 5 and 0 <= (v := 2 * u + j - 1) < 4)
    wanted = [3 * heard / 7 + hidden[0].size, 2 * np.isfinite(hidden).sum() / 7 + 2]
    record = evaluation.evaluate(made, x, rng.integers(2, size=7))
    np.testing.assert_allclose(record["additions"], wanted)
    np.testing.assert_allclose(measured.activity(made, x)["additions"], wanted)
    assert measured.layer_names(made) == ["input", "hidden", "output"] and len(record["spikes"]) == 3


@pytest.mark.parametrize("model, names", [
    ("6x5x2-3c3-P2-4", ["input", "hidden", "output"]), ("6x5x2-3c3-N-P2-4", ["input", "hidden", "output"]),
    ("4-20d-3", ["input", "hidden", "output"]), ("4-9d-5-3", ["input", "hidden 1", "hidden 2", "output"])])
def test_layers_are_named_with_or_without_an_n_behind_them(model, names, rng):
    """A temporal layer is its own neurons: evaluation counts the layers that fire."""
    made = nets(rng, model)
    x, y = rng.random((9, *made.settings.model.shape)), rng.integers(3, size=9)
    record = evaluation.evaluate(made, x, y)
    assert measured.layer_names(made) == names and len(record["spikes"]) == len(record["spikes_before"]) == len(names)
    assert len(record["additions"]) == len(names) - 1 == len(temporal.report(made, x)["silent"])


def test_costs_of_weights_of_a_convolution_are_those_of_its_rows(rng):
    w = rng.normal(0.1, 0.2, (3, 3, 2, 5))
    dw, flat = np.zeros_like(w), np.zeros((18, 5))
    a, b = temporal.add_costs(dw, w, 0.5, 0.1), temporal.add_costs(flat, w.reshape(18, 5), 0.5, 0.1)
    assert a == pytest.approx(b) and (dw.reshape(18, 5) == flat).all()
    assert temporal.add_costs(dw, w, 1.0, 0.0, 4.0) == pytest.approx(np.maximum(4 - w.reshape(18, 5).sum(axis=0), 0).sum())


@pytest.mark.parametrize("which", ["convolution", "synapses", "leaky_equal"])
def test_trains_saves_and_goes_on(which, rng, tmp_path):
    model, chosen = MODELS[which]
    x, y = rng.random((60, *models.read(model).shape)), rng.integers(3, size=60)
    x[np.arange(60), ..., 0] = y.reshape(-1, *[1] * (x.ndim - 2)) / 3
    chosen = {"drop_in": 0.0, "drop_hidden": 0.1, "code": "latency", "batch": 10, "epochs": 4} | chosen
    run = training.start("temporal", temporal.settings_for("mnist", model=model, **chosen), 0)
    records = [r["loss"] for r in training.epochs(run, (x, y))]
    assert records[-1] < records[0]
    again = training.start("temporal", temporal.settings_for("mnist", model=model, **chosen), 0)
    for r in training.epochs(again, (x, y)):
        if r["epoch"] == 2:
            training.save(again, tmp_path / "half.npz")
            break
    half = training.load(tmp_path / "half.npz")
    list(training.epochs(half, (x, y)))
    for name, w in run.nets.net.params.items():
        np.testing.assert_array_equal(w, half.nets.net.params[name])
    report = temporal.report(half.nets, x)
    assert len(report["silent"]) == len(report["margin"]) == len(half.nets.settings.model.neuron_layers)


@pytest.mark.parametrize("model, chosen, message", [
    ("6x5x2-3c3-N-4", {"neuron": "alpha"}, "model: expected dense layers without delays for neuron alpha, got 6x5x2-3c3-N-4"),
    ("5-6+axonal-3", {"neuron": "leaky_equal"}, "expected dense layers without delays for neuron leaky_equal"),
    ("5-6+somatic-3", {}, "model: expected delays to be one of axonal, dendritic, synaptic, got"),
    ("6x5x2-3C3-4", {}, "expected layers for temporal neurons"), ("6x5x2-3c3-N-A2-4", {}, "expected layers for temporal neurons"),
    ("5-3", {"neuron": "lif"}, "neuron: expected one of temporal, leaky_equal, leaky_double, alpha, got 'lif'")])
def test_what_does_not_fit_is_refused(model, chosen, message):
    with pytest.raises(ValueError, match=message):
        temporal.settings_for("mnist", model=model, **chosen)
    if model.startswith("5-6+a"):
        with pytest.raises(ValueError, match="model: expected layers for relu neurons"):
            models.build(model, "relu", {})


def test_a_convolution_is_a_layer_of_its_own(rng):
    layer = TemporalConv({"w1": rng.normal(1, 0.2, (2, 2, 1, 3))}, "w1", stride=1, padding=0, drop=0.5)
    z = np.exp(rng.random((4, 3, 3, 1)))
    dropped, _ = layer.forward(z, np.random.default_rng(0))
    assert (layer.forward(z)[0] < INF).all() and (dropped == INF).any()
