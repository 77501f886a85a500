"""Learning rules where their tests were blind: batches in pieces that do not come out even, input that is no image, exact reports."""

import pydoc
import re
from dataclasses import replace

import numpy as np
import pytest

from pysnn import datasets, encode, losses, training
from pysnn.learning import rate, surrogate, temporal
from pysnn.learning.settings import about
from tests.cases.learning import RATE, batch, begin, images, nets_for


@pytest.mark.parametrize("method", RATE)
def test_pieces_that_do_not_come_out_even(method, monkeypatch):
    nets, (x, _) = nets_for(method), batch(7)
    RATE[method].end_epoch(nets, x)
    whole, report = rate.predict(nets, x), rate.report(nets, x)
    assert len(whole) == 7
    for piece in (2, 3, 6):
        monkeypatch.setattr(rate, "PIECE", piece)
        np.testing.assert_allclose(rate.predict(nets, x), whole, rtol=1e-12)
        for name, value in rate.report(nets, x).items():
            np.testing.assert_allclose(value, report[name], rtol=1e-12)


def test_points_are_not_disturbed_in_training(rng):
    """Rows of numbers have no sides to be mirrored or moved, even where the model reads them as an image."""
    nets = nets_for("proxy", model="6x6x1-3C3-5-3", crop=4, flip=True, shift=1)
    x = rng.integers(0, 256, (5, 36), dtype=np.uint8)
    np.testing.assert_array_equal(rate.encode_batch(nets, x, rng), rate.encode_batch(nets, x))
    assert (rate.encode_batch(nets, x.reshape(5, 6, 6), rng) != rate.encode_batch(nets, x)).any()


def test_rates_are_spikes_a_neuron_and_step():
    nets, (x, _) = nets_for("proxy", n_steps=4), batch(3)
    run = nets.snn.run(x)
    wanted = [n / (3 * 4 * size) for n, size in zip(run.n_spikes, (6 * 6 * 3, 3 * 3 * 4, 6, 3), strict=True)]
    np.testing.assert_allclose(rate.report(nets, x)["rates"], wanted, rtol=1e-12)
    assert all(0 < n for n in run.n_spikes)


def test_bytes_of_a_surrogate_step_by_hand():
    """A convolution: 48 neurons, potential and spikes in 4 steps, both currents once; 12 pooled in 4; dense: 3 numbers; two gradients."""
    s = RATE["surrogate"].Settings(model="4x4x2-3C3-P2-5-2", n_steps=4, batch=6)
    numbers = 48 * (2 * 4 + 2) + 12 * 4 + (5 + 2) * 3 * 4 + 2 * 48 * 4
    assert surrogate.bytes_needed(s) == 6 * 4 * numbers
    assert surrogate.bytes_needed(replace(s, dtype="float64")) == 6 * 8 * numbers
    s = RATE["surrogate"].Settings(model="4x4x2-3C3-3C3-2", n_steps=4, batch=1)
    assert surrogate.bytes_needed(s) == 4 * (48 * (2 * 4 + 2) + 48 * (2 * 4 + 2 * 4) + 2 * 3 * 4 + 2 * 48 * 4)
    s = RATE["surrogate"].Settings(model="7-5-2", n_steps=4, batch=1)
    assert surrogate.bytes_needed(s) == 4 * (5 * (2 * 4 + 1) + 2 * 3 * 4 + 2 * 5 * 4)


def test_report_of_a_temporal_network_by_its_definition():
    settings = temporal.Settings(model="6-9-4", init_mean=1.0, init_std=1.5, dtype="float64", backend="reference")
    nets = temporal.build(settings, rng=np.random.default_rng(1))
    x = np.random.default_rng(2).random((1003, 6))       # three pieces
    report, silent = temporal.report(nets, x), [np.isinf(z) for z in nets.net.forward(temporal.encode_batch(nets, x))[0]]
    assert all(0 < s.all(axis=0).mean() < s.mean() < 1 for s in silent[:1])
    np.testing.assert_allclose(report["silent"], [s.mean() for s in silent], rtol=1e-12)
    assert report["ceiling"] == [0, 0]
    np.testing.assert_allclose(report["never"], [s.all(axis=0).mean() for s in silent], rtol=1e-12)
    np.testing.assert_allclose(report["margin"], [nets.net.params[f"w{k}"].sum(axis=0).min() - 1 for k in (1, 2)], rtol=1e-12)


def test_a_layer_that_is_never_active_keeps_the_scale_1():
    nets, (x, _) = nets_for("conversion"), batch(5)
    for name in ("w3", "b3", "b4"):
        nets.net.params[name][...] = -1
    RATE["conversion"].end_epoch(nets, x)
    assert nets.state["scale3"] == nets.state["scale4"] == 1 != nets.state["scale1"]
    nets = nets_for("conversion", percentile=50.0)
    nets.net.params["w3"][...], nets.net.params["b3"][...] = 0, [5, -1, -1, -1, -1, -1]
    RATE["conversion"].end_epoch(nets, x)
    assert nets.state["scale3"] == 1                    # the median is 0, the largest 5


def small_temporal(**chosen):
    """A temporal net of points, of which some neurons stay silent."""
    usual = {"model": "6-9-4", "init_mean": 1.5, "init_std": 1.5, "dtype": "float64", "backend": "reference"}
    settings = temporal.Settings(**usual | chosen)
    return temporal.build(settings, rng=np.random.default_rng(1))


@pytest.mark.parametrize("loss", ["z", "t"])
def test_loss_and_costs_of_a_temporal_step_by_their_definition(loss):
    nets = small_temporal(loss=loss, beta=5.0, weight_sum=0.5, l2=0.1, max_norm=0.0)
    x, y = np.random.default_rng(2).random((20, 6)), np.arange(20) % 4
    step, z = temporal.gradients(nets, x, y), nets.net.forward(temporal.encode_batch(nets, x))[0][-1]
    data = losses.softmax_z(z, y)[0] if loss == "z" else losses.softmax_t(z, y, 5.0)[0]
    weights = list(nets.net.params.values())
    costs = sum(0.5 * np.maximum(1 - w.sum(axis=0), 0).sum() + 0.1 * (w**2).sum() for w in weights)
    assert step.loss == pytest.approx(data + costs, rel=1e-12)
    silent = np.isinf(z)
    assert step.stats["n_silent"] == silent.all(axis=1).sum() < silent.any(axis=1).sum()


def test_pieces_of_a_temporal_prediction():
    nets, x = small_temporal(), np.random.default_rng(2).random((1001, 6))
    whole = nets.net.forward(temporal.encode_batch(nets, x))[0][-1]
    for n in (1, 500, 501, 1001):
        np.testing.assert_array_equal(temporal.predict(nets, x[:n]), whole[:n])


def test_rows_of_numbers_are_not_shifted(rng):
    nets = small_temporal(model="36-9-4", shift=1)
    x = rng.integers(0, 256, (5, 36), dtype=np.uint8)
    np.testing.assert_array_equal(temporal.encode_batch(nets, x, rng), temporal.encode_batch(nets, x))
    assert (temporal.encode_batch(nets, x.reshape(5, 6, 6), rng) != temporal.encode_batch(nets, x)).any()


def test_images_of_a_temporal_net_are_mirrored_then_shifted(rng):
    nets = small_temporal(model="36-9-4", flip=True, shift=2, edge="reflect", code="latency")
    x = rng.random((5, 6, 6))
    moved = encode.flip_images(x, again := np.random.default_rng(7))
    moved = encode.shift_images(moved, 2, again, "reflect")
    np.testing.assert_array_equal(temporal.encode_batch(nets, x, np.random.default_rng(7)), temporal.encode_batch(nets, moved))
    assert (moved != x).any()
    rows = x.reshape(5, 36)
    np.testing.assert_array_equal(temporal.encode_batch(nets, rows, rng), temporal.encode_batch(nets, rows))


@pytest.mark.parametrize("colours", [1, 3])
def test_pairs_of_images_are_channels(rng, colours):
    nets = small_temporal(model=f"3x4x{2 * colours}-2c3-N-3", code="pairs")
    x = rng.random((5, 3, 4, colours))
    z = temporal.encode_batch(nets, x)
    for c in range(colours):
        np.testing.assert_array_equal(z[..., 2 * c], encode.latency(x[..., c], 6.0))
        np.testing.assert_array_equal(z[..., 2 * c + 1], encode.latency(1 - x[..., c], 6.0))
    with pytest.raises(ValueError, match="code: expected a model with an even number of channels for 'pairs', got 8x4x1-2c3-N-3"):
        small_temporal(model="8x4x1-2c3-N-3", code="pairs")


@pytest.mark.parametrize("method", sorted(training.METHODS))
def test_help_explains_every_setting(method):
    """help(), `pysnn info --settings` and the site have one source: the fields."""
    kind = training.METHODS[method].Settings
    for name in kind.__dataclass_fields__:
        assert about(kind, name)["text"] and about(kind, name)["text"] in pydoc.render_doc(kind, renderer=pydoc.plaintext)


@pytest.mark.parametrize("method, w", [*((method, -10.0) for method in RATE), ("proxy", 10.0), ("tandem", 10.0), ("surrogate", 10.0)])
def test_a_network_in_which_nothing_can_move_says_so(method, w):
    """All hidden neurons silent, or (where there is one) all at the ceiling."""
    run = begin(method, model="36-8-3", epochs=1)
    run.nets.net.params["w1"][...] = w
    x, y = images()
    (record,) = training.epochs(run, (x.reshape(len(x), -1), y))
    assert record["silent"][0] == (w < 0) and record["ceiling"][0] == (w > 0)
    assert record["movable"][0] == 0 or method == "surrogate" or (method == "tandem" and w > 0)      # without a ceiling in the gradient
    assert re.fullmatch(r"layer 1 cannot learn \(\d+% silent, \d+% at the ceiling, \d+% can move\): train again with .*", record["warning"])


def test_a_temporal_network_in_which_nothing_can_move_says_so():
    chosen = {"epochs": 1, "batch": 8, "init_mean": -4.0, "weight_sum": 0.0, "backend": "reference"}
    run = training.start("temporal", temporal.Settings(model="36-8-3", **chosen))
    (record,) = training.epochs(run, images())
    assert (record["silent"], record["ceiling"], record["movable"]) == ([1, 1], [0, 0], [0, 0])
    assert record["warning"].startswith("layer 1 cannot learn (100% silent, 0% at the ceiling, 0% can move): ")


def test_the_layer_that_stops_the_gradient_is_named():
    """Silent outputs send nothing back: layer 1 cannot move, and the cause is layer 2."""
    record = {"train_accuracy": 0.4, "silent": [0.002, 0.985], "ceiling": [0.0, 0.0], "movable": [0.0, 0.0]}
    assert training._stuck(record, 9).startswith("layer 2 cannot learn (98% silent, 0% at the ceiling, 0% can move): ")
    assert training._stuck(record | {"silent": [1.0, 1.0]}, 9).startswith("layer 1 ")


def test_what_is_learnt_is_not_stuck():
    none = {"train_accuracy": 1.0, "silent": [1.0], "ceiling": [0.0], "movable": [0.0], "n_silent": 9}
    assert training._stuck(none, 9) == "" and training._stuck(none | {"train_accuracy": 0.5}, 9).startswith("layer 1 ")
    some = {"train_accuracy": 0.5, "silent": [0.9, 0.5], "ceiling": [0.1, 0.5], "movable": [0.02, 1.0, 1.0]}
    assert training._stuck(some, 9) == "" == training._stuck(some | {"n_silent": 8}, 9) == training._stuck({"train_accuracy": 0.5}, 9)
    assert training._stuck(some | {"n_silent": 9}, 9).startswith("no output spiked for 9 of 9 training samples: ")


@pytest.mark.parametrize("n_steps, least", [(8, 0.6), (64, 0.6), (128, 0.45)])
def test_surrogate_learns_whatever_the_number_of_steps(n_steps, least):
    """With resets as constants in the gradient and a loss of all counts nearly all outputs fell silent from 32 steps on."""
    data = datasets.load("fashion-sample")
    run = training.start("surrogate", RATE["surrogate"].settings_for("fashion-sample", model="784-40-10", n_steps=n_steps, batch=20,
                                                                           epochs=2))
    *_, last = training.epochs(run, (data.x_train[:1000], data.y_train[:1000]))
    assert last["train_accuracy"] > least and last["n_silent"] < 100 and "warning" not in last
