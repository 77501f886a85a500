"""Leaky neurons in networks, and samples with a time axis: against loops of their own, padding, resuming, bad input."""

import copy
import pickle
import tracemalloc

import numpy as np
import pytest

from pysnn import _threads, datasets, encode, models, training
from pysnn.conventions import Sequences
from pysnn.datasets import catalogue
from pysnn.learning import METHODS, rate, surrogate

MODEL = "3-8d-R0.9-6d-L0.8-4d-I0.7"
LEARN = models.Model((2,), [models.Dense(7), models.Leaky(0.9, True, 0.6, ("beta", "alpha", "threshold")), models.Dense(3),
                            models.Integrate(0.8, 0.5, ("beta", "alpha"))])


def settings(n_steps=6, **chosen):
    return surrogate.Settings(**{**surrogate.SERIES, "model": MODEL, "dtype": "float64", "n_steps": n_steps, "batch": 4, "epochs": 3,
                                 "clip_norm": 0.0, "lr": 0.01, **chosen})


def samples(rng, n=9, n_steps=6, size=3, classes=4):
    return rng.normal(size=(n, n_steps, size)) * 2, np.arange(n) % classes


def built(s, seed=0):
    return surrogate.METHOD.build(s, None, np.random.default_rng(seed))


def by_hand(params, x):
    """Run the network MODEL one sample, one step at a time; return potentials of the output (T, n) and numbers of spikes."""
    v1 = s1 = v2 = v3 = 0.0
    out, n = [], np.zeros(2)
    for now in x:
        v1 = 0.9 * v1 + now @ params["w1"] + (s1 @ params["w_rec1"] if np.ndim(s1) else 0)
        s1 = (v1 >= 1) * 1.0
        v1 = v1 - s1
        v2 = 0.8 * v2 + s1 @ params["w2"]
        s2 = (v2 >= 1) * 1.0
        v2 = v2 - s2
        v3 = 0.7 * v3 + s2 @ params["w3"]
        out.append(v3)
        n += s1.sum(), s2.sum()
    return np.array(out), n


def test_network_is_a_loop_over_steps(rng):
    s = settings()
    nets, (x, _) = built(s), samples(rng)
    wanted = [by_hand(nets.net.params, sample) for sample in x]
    out = nets.snn.forward(rate.encode_batch(nets, x))[0][-1].reshape(6, 9, 4)
    np.testing.assert_allclose(out, np.stack([v for v, _ in wanted], axis=1), rtol=1e-12, atol=1e-14)
    run = nets.snn.run(rate.encode_batch(nets, x), at=[2, 6])
    assert run.n_spikes == [*np.sum([n for _, n in wanted], axis=0), 0.0] and min(run.n_spikes[:2]) > 5
    np.testing.assert_allclose(run.counts, [out[:2].sum(axis=0), out.sum(axis=0)], rtol=1e-12)
    np.testing.assert_array_equal(run.potential, out[-1])


@pytest.mark.parametrize("over", ["sum", "mean", "last", "largest", "each"])
@pytest.mark.parametrize("lengths", [None, [6, 2, 5, 1, 6, 3, 4, 6, 2]])
def test_gradients_of_the_readout_are_derivatives(rng, over, lengths):
    """Behind the last spikes nothing is a surrogate: w, leak and synapse of the readout by differences."""
    s = settings(model=LEARN, over=over)
    nets, (x, y) = built(s), samples(rng, size=2, classes=3)
    x = x if lengths is None else Sequences(x, lengths)
    step = surrogate.gradients(nets, x, y)
    assert set(step.grads) == {"w1", "w2", "w_rec1", "leak1", "synapse1", "threshold1", "leak2", "synapse2"}
    assert all(dw.any() for dw in step.grads.values())
    for name in ("w2", "leak2", "synapse2"):
        w = nets.net.params[name]
        for at in list(np.ndindex(w.shape))[:5]:
            old, losses = w[at], []
            for h in (1e-6, -1e-6):
                w[at] = old + h
                losses.append(surrogate.gradients(nets, x, y).loss)
            w[at] = old
            assert step.grads[name][at] == pytest.approx((losses[0] - losses[1]) / 2e-6, rel=1e-6, abs=1e-9), (name, at)


@pytest.mark.parametrize("over", ["sum", "mean", "last", "largest", "each"])
def test_padding_changes_no_bit(rng, over):
    """Neither how much of it there is, nor what stands in it; and a sample alone gives what it gives in company."""
    x, y = samples(rng)
    lengths = np.array([6, 2, 5, 1, 6, 3, 4, 6, 2])
    more = np.concatenate([x, np.full((9, 5, 3), np.nan)], axis=1)
    more[np.arange(11) >= lengths[:, None]] = np.nan
    found = []
    for values, n_steps in ((x, 6), (np.nan_to_num(more), 11), (np.where(np.isnan(more), 7.0, more), 11)):
        nets = built(settings(n_steps, over=over))
        found.append(surrogate.gradients(nets, Sequences(values, lengths), y))
    for other in found[1:]:
        assert other.loss == found[0].loss
        np.testing.assert_array_equal(other.y, found[0].y)
        for name, dw in other.grads.items():
            np.testing.assert_array_equal(dw, found[0].grads[name], err_msg=name)
    for b, n in enumerate(lengths):
        alone = surrogate.METHOD.predict(built(settings(int(n), over=over)), x[b:b + 1, :n])
        np.testing.assert_allclose(alone[0], found[0].y[b], rtol=1e-12, atol=1e-14)
    assert surrogate.METHOD.predict(nets, Sequences(values, lengths)) == pytest.approx(found[0].y, rel=1e-12)


def test_shares_by_hand():
    steps = np.array([[[1.0, 5.0]], [[3.0, 2.0]], [[2.0, 9.0]]])
    there = np.array([[True], [True], [False]])
    for over, whole, part in (("sum", [6, 16], [4, 7]), ("mean", [2, 16 / 3], [2, 3.5]), ("last", [2, 9], [3, 2]),
                              ("largest", [3, 9], [3, 5])):
        for mask, wanted in ((None, whole), (there, part)):
            np.testing.assert_allclose((surrogate.shares(over, steps, mask) * steps).sum(axis=0), [wanted])


def train(s, data, epochs=None, path=None, threads=1):
    _threads.set_threads(threads)
    run = training.load(path) if path and path.is_file() else training.start("surrogate", s, 0, {"name": "mine"})
    for r in training.epochs(run, data, data):
        if path:
            training.save(run, path)
        if r["epoch"] == epochs:
            break
    return run


def test_training_resumes_with_the_same_bits(rng, tmp_path):
    s, (x, y) = settings(model=LEARN, dtype="float32", clip_norm=0.5), samples(rng, 40, 6, 2, 3)
    data = Sequences(x, rng.integers(1, 7, 40)), y
    whole = train(s, data, threads=2)
    train(s, data, 1, tmp_path / "run.npz")
    rest = train(s, data, None, tmp_path / "run.npz")
    for name, w in whole.nets.net.params.items():
        np.testing.assert_array_equal(rest.nets.net.params[name], w)
    assert whole.records[-1]["loss"] == rest.records[-1]["loss"] < whole.records[0]["loss"] and whole.kind == "" and whole.spikes


def test_copy_pickle_and_weights_alone(rng, tmp_path):
    """Of a network with trained decays and thresholds, in the middle of training; copies go on with the same bits."""
    s, (x, y) = settings(model=LEARN, dtype="float32"), samples(rng, 12, 6, 2, 3)
    run = train(s, (x, y), 1)
    for other in (copy.deepcopy(run), pickle.loads(pickle.dumps(run))):
        assert other.kind == "" and other.nets.settings == s and other.epoch == 1
        list(training.epochs(other, (x, y)))
    list(training.epochs(run, (x, y)))
    assert all((other.nets.net.params[name] == w).all() for name, w in run.nets.net.params.items())
    training.save(run, tmp_path / "small.npz", weights_only=True)
    small = training.load(tmp_path / "small.npz")
    np.testing.assert_allclose(small.nets.net.params["w_rec1"], run.nets.net.params["w_rec1"], rtol=1e-3, atol=1e-6)
    with pytest.raises(ValueError, match="got one that holds weights only"):
        next(training.epochs(small, (x, y)))


def test_leaky_neurons_take_a_constant_current(rng):
    """A static sample, as in other tutorials: 12-10-3, all leaky, the loss sees the potentials of all steps."""
    s = surrogate.Settings(model="12-10d-L0.9-3d-L0.9", n_steps=7, readout="potential", over="each", on="counts", dtype="float64")
    nets, x = built(s), rng.random((5, 12))
    step = surrogate.gradients(nets, x, np.arange(5) % 3)
    out = nets.snn.forward(x)[0][-1].reshape(7, 5, 3)
    np.testing.assert_allclose(step.y, out.mean(axis=0))
    np.testing.assert_allclose(surrogate.METHOD.predict(nets, x), step.y)
    assert np.ptp(out) > 0 and nets.snn.run(x).n_spikes[0] > 0 and step.grads["w1"].any()


def test_gradient_is_clipped(rng):
    x, y = samples(rng)
    free, held = (surrogate.gradients(built(settings(clip_norm=limit)), x, y).grads for limit in (0.0, 0.01))
    norm = np.sqrt(sum((dw ** 2).sum() for dw in free.values()))
    assert norm > 0.01
    for name, dw in free.items():
        np.testing.assert_allclose(held[name], dw * 0.01 / norm, rtol=1e-12)


def test_models_with_leaky_neurons():
    model = models.read(MODEL)
    assert [type(spec).__name__ for spec in model.specs] == ["Dense", "Leaky"] * 2 + ["Dense", "Integrate"] and model.specs[1].recurrent
    assert models.read(models.Model((3,), model.specs).text) == model
    assert models.read(LEARN.to_json()) == LEARN and LEARN.neurons == ("if",)
    assert [name for name, _ in models.read("3-8d-L0.9-4d-L0.9").neuron_layers] == ["dense", "output"]


@pytest.mark.parametrize("make, said", [
    (lambda: models.read("3-8d-L1.5-4"), r"beta from 0 to 1, got Leaky\(beta=1.5"), (lambda: models.Leaky(1.5), "beta from 0 to 1"),
    (lambda: models.Leaky(alpha=-0.1), "alpha from 0 to 1"), (lambda: models.Leaky(learn=("alpha",)), "that there are"),
    (lambda: models.Leaky(learn="beta"), "a tuple"), (lambda: models.Integrate(learn=("threshold",)), "some of beta, alpha that")])
def test_models_that_mean_nothing(make, said):
    with pytest.raises(ValueError, match=said):
        make()


@pytest.mark.parametrize("spec", [models.Leaky(1.0), models.Leaky(0.5, True), models.Leaky(0.0)])
def test_texts_of_models_are_read_again(spec):
    model = models.Model((3,), [models.Dense(4), spec, models.Dense(2), models.Integrate(1.0)])
    assert models.read(model.text) == model


def test_a_trained_threshold_is_in_units_of_the_networks(rng):
    """It begins where others stand, and its gradient is that of the unit."""
    spec, (x, y) = models.Leaky(0.9, learn=("threshold",)), samples(rng)
    learnt, plain = (built(settings(model=models.Model((3,), [models.Dense(8), s, models.Dense(4), models.Integrate(0.7)]), threshold=2.0))
                     for s in (spec, models.Leaky(0.9)))
    (got, ref) = (surrogate.gradients(nets, x, y) for nets in (learnt, plain))
    assert got.loss == ref.loss and (got.grads["w1"] == ref.grads["w1"]).all()
    leaky, = (layer for layer in learnt.snn.layers if hasattr(layer, "rule"))
    assert leaky.fires and (leaky.value("threshold") == 2.0).all()
    learnt.net.params["threshold1"] *= 0.5
    halved = built(settings(model=models.Model((3,), [models.Dense(8), models.Leaky(0.9), models.Dense(4), models.Integrate(0.7)])))
    out = [nets.snn.forward(rate.encode_batch(nets, x))[0][1] for nets in (learnt, halved)]
    np.testing.assert_array_equal(*out)


@pytest.mark.parametrize("model", ["6-128d-R0.9-4d-I0.9", "1-64d-R0.9-64d-L0.9-10d-I0.9", "40-100d-L0.9-5d-L0.9"])
def test_bytes_of_a_step_through_time(model, rng):
    """What is said is the peak of a training step, to a seventh."""
    s = surrogate.Settings(**{**surrogate.SERIES, "model": model, "n_steps": 60})
    nets, x = built(s), rng.normal(size=(100, 60, *s.model.shape)).astype(np.float32)
    y = np.arange(100) % s.model.shapes[-1][0]
    surrogate.gradients(nets, x, y)
    tracemalloc.start()
    surrogate.gradients(nets, x, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert surrogate.bytes_needed(s) == pytest.approx(peak, rel=1 / 7)


def test_static_methods_refuse_sequences_and_warn_of_spikes(rng):
    run = training.start("proxy", METHODS["proxy"].settings_for("mine", model="18-4-2", epochs=1), 0)
    x, y = rng.integers(0, 2, (8, 6, 3)).astype(np.uint8), np.arange(8) % 2
    with pytest.raises(ValueError, match="got sequences of different lengths"):
        next(training.epochs(run, (Sequences(x, [6] * 8), y)))
    with pytest.warns(UserWarning, match="the largest of these is 1"):
        next(training.epochs(run, (x, y)))


def test_other_methods_have_no_leaky_neurons():
    with pytest.raises(ValueError, match="expected layers for relu neurons"):
        METHODS["proxy"].build(METHODS["proxy"].settings_for("mine", model="3-8d-L0.9-4"), None, np.random.default_rng(0))


@pytest.mark.parametrize("change, said", [
    (lambda x: x.swapaxes(0, 1), "expected samples of shape"), (lambda x: x[:, :4], "expected samples of shape"),
    (lambda x: x[..., :2], "expected samples of shape"), (lambda x: np.where(x > 3, np.nan, x), "got nan in sample"),
    (lambda x: (np.abs(x) * 2).astype(np.uint8), "spikes 0 and 1"), (lambda x: x.astype(int), "expected floats, or spikes"),
    (lambda x: x.tolist(), "expected samples of shape"), (lambda x: x[:-1], "as many labels as samples")])
def test_samples_that_do_not_fit(rng, change, said):
    x, y = samples(rng)
    with pytest.raises(ValueError, match=said):
        next(training.epochs(training.start("surrogate", settings(), 0), (change(x), y)))


@pytest.mark.parametrize("lengths, said", [([1, 2], "one a sample"), ([0] * 9, "expected 1 to 6"), ([7] * 9, "got 7 to 7"),
                                           ([1.0] * 9, "whole")])
def test_lengths_that_do_not_fit(rng, lengths, said):
    with pytest.raises(ValueError, match=said):
        Sequences(samples(rng)[0], lengths)


def test_changes_are_channels_of_their_own(rng):
    """Beside each sample alone: neither the end of a sample nor its changes hear of the padding."""
    x, lengths = samples(rng)[0], np.array([6, 1, 2, 3, 4, 5, 6, 2, 3])
    for padding in (0, 3):
        padded = np.concatenate([x, np.full((len(x), padding, 3), 9.0)], axis=1)
        got = encode.differences(Sequences(padded, lengths), np.float64)
        assert got.x.shape == (9, 6 + padding, 6) and (got.lengths == lengths).all()
        for sample, alone, n in zip(got.x, x, lengths, strict=True):
            t = np.arange(n)
            np.testing.assert_array_equal(sample[:n, :3], alone[:n])
            np.testing.assert_array_equal(sample[:n, 3:], 1.5 * (alone[np.minimum(t + 1, n - 1)] - alone[np.maximum(t - 1, 0)]))
    straight = encode.differences(np.arange(5.0).reshape(1, 5, 1))
    assert straight.dtype == np.float32 and straight[0, :, 1].tolist() == [1.5, 3, 3, 3, 1.5]
    for bad in (x[0], x.astype(int), x.tolist()):
        with pytest.raises(TypeError, match=r"x: expected signals \(B, T, ..., C\) of floats, got"):
            encode.differences(bad)


def first_two(x, dtype):
    """Take the first two channels as currents."""
    return Sequences(x.x[..., :2].astype(dtype), x.lengths) if isinstance(x, Sequences) else x[..., :2].astype(dtype)


@pytest.mark.parametrize("code, n, by_hand", [("differences", 6, encode.differences), (first_two, 2, first_two)])
def test_sequences_are_encoded(rng, code, n, by_hand):
    """Training with an encoding is training on what it makes of the samples."""
    x, y = samples(rng)
    x, ends = Sequences(x, np.arange(9) % 6 + 1), []
    for chosen, given in (({"encode": code}, x), ({}, by_hand(x, np.float64))):
        run = training.start("surrogate", settings(model=f"{n}-8d-R0.9-4d-I0.7", **chosen), 0)
        list(training.epochs(run, (given, y), (given, y)))
        ends.append([w.tobytes() for w in run.nets.net.params.values()])
    assert ends[0] == ends[1]
    with pytest.raises(ValueError, match="encode: expected samples with a time axis, input='steps' of surrogate, for 'differences'"):
        settings(input="constant", encode="differences")
    with pytest.raises(ValueError, match=r"encode: expected \(5,\) numbers a step for model 5-4-4d-I0.7, got \(6,\)"):
        rate.encode_batch(built(settings(model="5-4-4d-I0.7", encode="differences")), x)
    with pytest.raises(ValueError, match="encode: expected as many sequences as came, each as long as before"):
        rate.encode_batch(built(settings(encode=lambda x, dtype: Sequences(x.x, x.lengths * 0 + 1))), x)


def test_spikes_are_taken_as_they_are(rng):
    """0 and 1 as uint8, not grey values."""
    x = rng.integers(0, 2, (4, 6, 3)).astype(np.uint8)
    nets = built(settings())
    np.testing.assert_array_equal(rate.encode_batch(nets, x).reshape(6, 4, 3), x.swapaxes(0, 1).astype(float))


def test_data_sets_have_their_settings():
    for name in surrogate.SEQUENCES:
        s = METHODS["surrogate"].settings_for(name)
        (n_steps, n), doubled = catalogue.ABOUT[name].shape, 1 + (s.encode == "differences")
        assert (n_steps, doubled * n) == (s.time_axis, *s.model.shape) and s.model.shapes[-1] == (len(catalogue.CLASSES[name]),)
    s, data = METHODS["surrogate"].settings_for("mnist1d"), datasets.load("mnist1d")
    training.check_fit(s.model, data, s.own_encoding, s.time_axis)
    with pytest.raises(ValueError, match=r"40 steps for mnist1d, got .* and 39 steps"):
        training.check_fit(s.model, data, s.own_encoding, 39)
