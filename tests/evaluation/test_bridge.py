"""One set of weights read three ways: first spikes equal ReLUs for every layer that they can have; what they cannot is refused."""

import json

import numpy as np
import pytest

from pysnn import cli, datasets, interop, training
from pysnn.evaluation import bridge
from pysnn.learning import conversion, temporal
from tests.cases.interop import run_page

FASHION = datasets.load("fashion-sample")


def trained(rule, model, **chosen):
    """Take a few steps, so that running statistics and filters are not those of the beginning."""
    run = training.start(rule, training.METHODS[rule].Settings(model=model, epochs=1, batch=40, **chosen))
    list(training.epochs(run, (FASHION.x_train[:200], FASHION.y_train[:200])))
    return run.nets


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("model", ["784-20-10", "28x28x1-4C3-P2-6C3-A2-12-10", "28x28x1-3C5s2p2-P2-10"])
def test_first_spikes_are_the_relu_network(model, bias):
    nets = trained("conversion", model, bias=bias)
    networks = bridge.bridge(nets, FASHION.x_train[:100])
    found = bridge.evaluate(networks, FASHION.x_test[:150], FASHION.y_test[:150], (2, 5))
    assert found["equal"] == found["n"] == 150 and found["difference"] < 1e-12
    relu, first, *rates = found["rows"]
    assert relu["accuracy"] == first["accuracy"] > 0 and 0.01 < first["spikes_a_neuron"] < 0.9
    assert [row["time"] for row in rates] == [2, 5] and rates[0]["spikes"] < rates[1]["spikes"]
    assert first["additions"] < relu["multiply_adds"] and first["multiply_adds"] == 0


def test_a_ceiling_and_whitening():
    """The window of a ReLU with a ceiling ends there; whitening is neurons, too; the rates are proxy's own."""
    nets = trained("proxy", "28x28x1-W2-4c3-P2-B0.45-N-6c3-B0.45-N-A3-10d", clip=True, pooling="inside", readout="potential", n_steps=4)
    networks = bridge.bridge(nets, FASHION.x_train[:50])
    assert networks.rates is nets
    found = bridge.evaluate(networks, FASHION.x_test[:60], FASHION.y_test[:60], (4,))
    assert found["equal"] == 60 and found["difference"] < 1e-12 and found["clipped"] == 0
    assert found["rows"][1]["multiply_adds"] > 0


def test_windows_that_are_too_short_are_counted():
    nets = trained("ann", "784-20-10")
    dark, bright = FASHION.x_train[:50] // 8, FASHION.x_test[:50]
    found = bridge.evaluate(bridge.bridge(nets, dark, margin=1.0), bright, FASHION.y_test[:50], ())
    assert found["clipped"] > 0 and found["difference"] > 0.01 and len(found["rows"]) == 2


def test_a_state_dict_of_pytorch(rng):
    """As `interop` reads it, without PyTorch."""
    arrays = {"0.weight": rng.normal(size=(9, 784)) / 28, "0.bias": rng.normal(size=9) / 5, "2.weight": rng.normal(size=(10, 9)),
              "2.bias": rng.normal(size=10)}
    net, x = interop.from_state_dict("784-9-10", arrays), FASHION.x_test[:20].reshape(20, -1) / 255
    first = bridge.first_spikes(net, x)
    np.testing.assert_array_equal(first.forward(x)[0][-1].argmin(axis=1), net.forward(x)[0][-1].argmax(axis=1))


def test_fine_tuning_in_spike_times_takes_the_relu_networks_steps():
    """The gradient of a loss on times, by the layers' own backward passes, is that of the ReLU network with the opposite sign."""
    nets = trained("ann", "28x28x1-4C3-P2-6c3-A2-12-10")
    networks = bridge.bridge(nets, FASHION.x_train[:50])
    x = np.float64(FASHION.x_train[:8, :, :, None]) / 255
    down = np.random.default_rng(0).normal(size=(8, 10))
    _, ref = networks.relu.backward(down, networks.relu.forward(x)[1])
    _, got = networks.first.backward(-down, networks.first.forward(x)[1])
    assert got.keys() == ref.keys() != set()
    for name in ref:
        np.testing.assert_allclose(got[name], ref[name], rtol=0, atol=1e-11 * np.abs(ref[name]).max())


@pytest.mark.parametrize("make, said", [
    (lambda: bridge.bridge(trained("ann", "784-8-10"), FASHION.x_train[:9], margin=0.5), "margin: expected a number of 1 or more, got 0.5"),
    (lambda: bridge.bridge(trained("conversion", "784-8-10", clip=True, levels=4), FASHION.x_train[:9]), "not rounded, got levels"),
    (lambda: bridge.bridge(trained("surrogate", "784-8d-L0.9-10d-I0.9"), FASHION.x_train[:9]), "whose neurons can be ReLUs")])
def test_what_has_no_such_reading(make, said):
    with pytest.raises(ValueError, match=said):
        make()


@pytest.mark.slow
def test_the_page_runs(capsys):
    assert run_page(capsys, "three-readings")[1] == 2


def test_command(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = training.start("conversion", conversion.Settings(model="784-12-10", epochs=1), data={"name": "fashion-sample"})
    list(training.epochs(run, (FASHION.x_train[:300], FASHION.y_train[:300])))
    training.save(run, "mine.npz")
    assert cli.main(["bridge", "mine.npz", "--steps", "3", "--out", "bridge.svg", "--json", "found.json"]) == 0
    out = capsys.readouterr().out
    assert "first spikes decide as the ReLU network for 1,000 of 1,000 samples" in out and "rates, T = 3" in out
    assert json.loads((tmp_path / "found.json").read_text())["equal"] == 1000 and (tmp_path / "bridge.svg").exists()
    training.save(training.start("temporal", temporal.Settings(model="784-5-10"), data={"name": "fashion-sample"}), "times.npz")
    assert cli.main(["bridge", "times.npz"]) == 1
    assert "expected a network of ReLU or integrate-and-fire neurons, got one trained by temporal" in capsys.readouterr().err
