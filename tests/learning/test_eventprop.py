"""The rule eventprop: the whole gradient by differences, a run that learns and goes on with the same bits, silent neurons, refusals."""

import numpy as np
import pytest

from pysnn import datasets, training
from pysnn.learning import eventprop

DATA = datasets.load("yin-yang")
QUICK = {"model": "4-20-3", "epochs": 2, "batch": 50, "bias": True}


def settings(**chosen):
    return eventprop.METHOD.settings_for("yin-yang", **{**QUICK, **chosen})


@pytest.mark.parametrize("readout, mean", [("max", 12.0), ("first", 20.0)])
def test_gradient_of_the_whole_network_by_differences(readout, mean):
    """Through several spikes a neuron, (V5) to (V10), before gradients are bounded and silent neurons pulled."""
    s = settings(readout=readout, dtype="float64", max_norm=0.0, rescue=0.0, init_mean=mean, beta=1.0)
    nets = eventprop.build(s, rng=np.random.default_rng(0))
    x, y = DATA.x_train[:6], DATA.y_train[:6]
    step = eventprop.gradients(nets, x, y)
    hidden = nets.net.forward(np.log(eventprop.temporal.encode_batch(nets, x))[:, :, None])[0][0]
    assert np.isfinite(hidden).sum(axis=2).mean() > 1.2                  # spikes a neuron
    rng, seen = np.random.default_rng(1), 0
    for name, w in nets.net.params.items():
        for at in [tuple(rng.integers(n) for n in w.shape) for _ in range(8)]:
            kept, found = w[at], []
            for e in (1e-6, 2e-6):
                sides = []
                for sign in (1, -1):
                    w[at] = kept + sign * e
                    sides.append(eventprop.gradients(nets, x, y).loss)
                w[at] = kept
                found.append((sides[0] - sides[1]) / (2 * e))
            if abs(found[0] - found[1]) < 1e-6 * max(1, abs(found[0])):  # else a spike comes or goes
                seen += 1
                assert step.grads[name][at] == pytest.approx(found[0], rel=1e-5, abs=1e-7), (name, at)
    assert seen > 20


def test_learns_and_goes_on_with_the_same_bits(tmp_path):
    train, val = (DATA.x_train[:600], DATA.y_train[:600]), (DATA.x_train[600:900], DATA.y_train[600:900])
    run = training.start("eventprop", settings(epochs=8, batch=20, lr=0.01), 0)
    records = list(training.epochs(run, train, val))
    assert records[-1]["loss"] < records[0]["loss"] and records[-1]["val_accuracy"] > 0.45
    again = training.start("eventprop", settings(epochs=8, batch=20, lr=0.01), 0)
    for record in training.epochs(again, train, val):
        if record["epoch"] == 2:
            training.save(again, tmp_path / "half.npz")
            break
    half = training.load(tmp_path / "half.npz")
    list(training.epochs(half, train, val))
    for name, w in run.nets.net.params.items():
        np.testing.assert_array_equal(w, half.nets.net.params[name])


def test_silent_neurons_are_pulled_up():
    nets = eventprop.build(settings(), rng=np.random.default_rng(0))
    nets.net.params["w1"][:, 3] = nets.net.params["b1"][3] = -1.0
    step = eventprop.gradients(nets, DATA.x_train[:20], DATA.y_train[:20])
    assert (step.grads["w1"][:, 3] < 0).all()


def test_a_batch_without_an_error_pulls_at_nothing():
    """Where no neuron is silent and no output at rest, a gradient of 0 is right, and the rescue adds nothing."""
    nets = eventprop.build(settings(init_mean=20.0, loss=lambda y, labels: (0.0, np.zeros_like(y))), rng=np.random.default_rng(0))
    nets.net.params["w2"][...] = np.abs(nets.net.params["w2"])
    step = eventprop.gradients(nets, DATA.x_train[:20], DATA.y_train[:20])
    assert step.stats["silent"] == [0.0] and not any(g.any() for g in step.grads.values())
    nets.net.params["w1"][:, 3] = nets.net.params["b1"][3] = -1.0
    step = eventprop.gradients(nets, DATA.x_train[:20], DATA.y_train[:20])
    assert step.grads["w1"][:, 3].all() and not step.grads["w2"].any()


def test_a_readout_at_rest_is_pulled_upwards():
    """Its maximum is where it begins, for all samples: so its gradient is 0, and without a pull it would stay there."""
    nets = eventprop.build(settings(), rng=np.random.default_rng(0))
    nets.net.params["w2"][:, 1] = nets.net.params["b2"][1] = -1.0
    step = eventprop.gradients(nets, DATA.x_train[:20], DATA.y_train[:20])
    assert (step.y[:, 1] == 0).all() and (step.grads["w2"][:, 1] == -nets.settings.rescue).all()
    assert step.y[:, 0].any() and not (step.grads["w2"][:, 0] == -nets.settings.rescue).any()


@pytest.mark.parametrize("chosen, message", [
    ({"model": "6x6x1-3c3-N-4"}, "model: expected dense layers without delays, such as 784-350-10 has, got Conv"),
    ({"model": "4-5+axonal-3"}, "model: expected dense layers without delays"),
    ({"readout": "last"}, "readout: expected one of max, first"),
    ({"loss": "squared", "readout": "first"}, "loss: expected readout='max' for 'squared'"),
    ({"n_spikes": 0}, "n_spikes: expected a number")])
def test_what_does_not_fit_is_refused(chosen, message):
    with pytest.raises(ValueError, match=message):
        settings(**chosen)
