"""What networks with time do, counted by loops of their own; padding counts for nothing."""

import numpy as np
import pytest

from pysnn import models
from pysnn.conventions import Sequences
from pysnn.evaluation import sequences
from pysnn.learning import rate, surrogate


def built(model, n_steps=7, **chosen):
    s = surrogate.Settings(**{**surrogate.SERIES, "model": model, "dtype": "float64", "n_steps": n_steps, **chosen})
    return surrogate.METHOD.build(s, None, np.random.default_rng(1))


def by_hand(params, x, betas=(0.9, 0.8, 0.7)):
    """Run 3-8d-R0.9-6d-L0.8-4d-I0.7 on one sample; return the spikes of both layers and the potentials of the output, (T, n) each."""
    v1 = v2 = v3 = s1 = 0.0
    found = [], [], []
    for now in x:
        v1 = betas[0] * v1 + now @ params["w1"] + (s1 @ params["w_rec1"] if np.ndim(s1) else 0)
        s1 = (v1 >= 1) * 1.0
        v1 = v1 - s1
        v2 = betas[1] * v2 + s1 @ params["w2"]
        s2 = (v2 >= 1) * 1.0
        v2 = v2 - s2
        v3 = betas[2] * v3 + s2 @ params["w3"]
        for kept, value in zip(found, (s1, s2, v3), strict=True):
            kept.append(value)
    return [np.array(kept) for kept in found]


@pytest.mark.parametrize("lengths", [None, [7, 2, 5, 1, 6]])
@pytest.mark.parametrize("spikes", [False, True])
def test_spikes_and_operations_by_hand(rng, lengths, spikes):
    nets = built("3-8d-R0.9-6d-L0.8-4d-I0.7")
    x = rng.integers(0, 2, (5, 7, 3)).astype(np.uint8) if spikes else 2 * rng.normal(size=(5, 7, 3))
    ends = [7] * 5 if lengths is None else lengths
    ref = [by_hand(nets.net.params, x[b, :n]) for b, n in enumerate(ends)]
    n1, n2 = (np.sum([found[k].sum() for found in ref]) for k in (0, 1))
    assert n1 > 5 and n2 > 2
    if lengths is not None:
        x[np.arange(7) >= np.array(lengths)[:, None]] = 1              # must not count
    got = sequences.activity(nets, x if lengths is None else Sequences(x, lengths))
    assert got["n_steps"] == sum(ends) / 5
    np.testing.assert_allclose(got["spikes"], [n1 / 5, n2 / 5])
    np.testing.assert_allclose(got["rates"], [n1 / sum(ends) / 8, n2 / sum(ends) / 6])
    behind = [n1 * (6 + 8) / 5, n2 * 4 / 5]                            # each spike of layer 1 also goes to 8 recurrent neurons
    n_in = sum(x[b, :n].sum() for b, n in enumerate(ends))
    np.testing.assert_allclose(got["additions"], [n_in * 8 / 5, *behind] if spikes else behind)
    assert got["multiply_adds"] == pytest.approx(0 if spikes else 24 * sum(ends) / 5)
    trains, v = sequences.trace(nets, rate.encode_batch(nets, x[:1, :ends[0]]))
    for k in (0, 1):
        np.testing.assert_array_equal(trains[k][:, 0], ref[0][k])
    np.testing.assert_allclose(v[:, 0], ref[0][2], rtol=1e-12, atol=1e-14)


def test_the_record_of_an_epoch_counts_the_same_spikes(rng):
    nets, lengths = built("3-8d-R0.9-6d-L0.8-4d-I0.7"), np.array([7, 2, 5, 1, 6])
    x = Sequences(3 * rng.normal(size=(5, 7, 3)), lengths)
    record, spikes = rate.report(nets, x), [by_hand(nets.net.params, one[:n])[:2] for one, n in zip(x.x, lengths, strict=True)]
    np.testing.assert_allclose(record["rates"], [*sequences.activity(nets, x)["rates"], 0])
    for k in (0, 1):
        counts = np.array([found[k].sum(axis=0) for found in spikes])
        assert record["silent"][k] == pytest.approx(np.mean(counts == 0))
        assert record["ceiling"][k] == pytest.approx(np.mean(counts == lengths[:, None])) and record["ceiling"][0] > 0


def test_a_constant_current_is_multiplied_once(rng):
    nets = built("3-8d-L0.9-4d-L0.9", input="constant")
    got = sequences.activity(nets, rng.random((5, 3)))
    assert got["n_steps"] == 7 and got["multiply_adds"] == 24 and got["additions"] == [got["spikes"][0] * 4] and got["spikes"][0] > 0


@pytest.mark.parametrize("last", [models.Leaky(0.5), models.Neurons()])
def test_potentials_of_outputs_that_fire(rng, last):
    model = models.Model((3,), [models.Dense(4), *([last] if isinstance(last, models.Leaky) else [])])
    nets = built(model, readout="spikes", over="sum")
    x = 2 * rng.normal(size=(2, 7, 3))
    (spikes,), v = sequences.trace(nets, rate.encode_batch(nets, x))
    np.testing.assert_array_equal(spikes, v >= 1)
    kept, beta = np.zeros((2, 4)), getattr(last, "beta", 1.0)
    for t in range(7):
        kept = beta * kept + x[:, t] @ nets.net.params["w1"]
        np.testing.assert_allclose(v[t], kept)
        kept = kept - (kept >= 1)
    assert spikes.any() and not spikes.all()


def test_without_neurons_that_fire(rng):
    got = sequences.activity(built("3-4d-I0.9", readout="spikes"), rng.normal(size=(2, 7, 3)))
    assert got["spikes"] == got["rates"] == got["additions"] == [] and got["multiply_adds"] == 12 * 7
