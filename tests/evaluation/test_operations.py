"""Joules by published tables, against counting by hand, and on the command line."""

import json

import numpy as np
import pytest

from pysnn import cli, data, evaluation, training
from pysnn.evaluation import temporal as evaluation_temporal
from pysnn.learning import temporal


def test_energy_by_hand():
    assert evaluation.energy([1000, 500], 200) == pytest.approx((1500 * 0.9 + 200 * 4.6) * 1e-12)
    assert evaluation.energy(0, [10, 20]) == pytest.approx(30 * 4.6e-12)
    assert evaluation.energy(1, 0, "loihi") == pytest.approx(23.6e-12) and evaluation.energy(1, 0, "truenorth") == pytest.approx(26e-12)
    assert all(str(year) in table.source for table, year in zip(evaluation.ENERGY.values(), (2014, 2018, 2014), strict=True))
    with pytest.raises(ValueError, match="energy: expected one of 45nm, loihi, truenorth, got '7nm'"):
        evaluation.energy(1, 1, "7nm")


def test_additions_of_spike_times():
    """Each input spike meets 5 weights, each hidden one 2; the bias spike counts in both layers."""
    nets = temporal.build(temporal.Settings("4-5-2", code="latency", bias=True), rng=np.random.default_rng(0))
    x, y = np.random.default_rng(1).uniform(0, 1, (9, 4)), np.arange(9) % 2
    found = evaluation_temporal.activity(nets, x)
    n_hidden = np.isfinite(nets.net.forward(temporal.encode_batch(nets, x))[0][0]).sum() / 9
    assert found["spikes"][0] == 4 and found["additions"] == pytest.approx([25, (n_hidden + 1) * 2])
    e = evaluation.evaluate(nets, x, y)
    assert e["additions"] == found["additions"] and e["spikes"] == found["spikes"]


@pytest.mark.parametrize("method, chosen", [("temporal", {}), ("proxy", {"n_steps": 3}), ("surrogate", {"n_steps": 3}), ("ann", {})])
def test_command(method, chosen, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    np.savez("my.npz", x=rng.uniform(0, 1, (40, 3)), y=np.arange(40) % 2)
    own = data.load("my.npz")
    run = training.start(method, training.METHODS[method].settings_for(own, backend="reference", **chosen), data={"name": "my.npz"})
    training.save(run, "run.npz")
    assert cli.main(["evaluate", "run.npz", "--energy", "loihi", "--json", "found.json"]) == 0
    found = json.loads((tmp_path / "found.json").read_text())
    macs = found.get("multiply_adds", [])
    own = macs if method == "ann" else macs[:1]
    assert found["energy"]["joules"] == pytest.approx(evaluation.energy(found.get("additions", 0), own, "loihi")) and "Davies" in found[
        "energy"]["source"]
    assert ("relu_joules" in found["energy"]) == (method in ("proxy", "surrogate"))
    printed = capsys.readouterr().out
    assert "no memory access" in printed and f"{1e9 * found['energy']['joules']:,.4g} nJ a sample by loihi" in printed
