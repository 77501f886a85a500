"""e-prop: equal to back-propagation through time where theory says so, and to its definition by traces of single weights everywhere."""

import tracemalloc

import numpy as np
import pytest

from pysnn import _threads, models, training
from pysnn.conventions import Sequences
from pysnn.evaluation import diagnostics
from pysnn.learning import eprop, rate, surrogate
from pysnn.reference.integrate_fire import surrogate_grad
from tests.cases.tolerances import tol

LENGTHS = [21, 3, 20, 8, 1]
SYNAPSE = models.Model((3,), [models.Dense(8), models.Leaky(0.9, alpha=0.6, gain="1 - beta", timing="next", order="leak first"),
                              models.Dense(4), models.Integrate(0.8, 0.5, ("beta", "alpha"))])


def settings(model, n_steps=21, **chosen):
    return eprop.Settings(**{"model": model, "n_steps": n_steps, "dtype": "float64", "clip_norm": 0.0, "batch": 5, **chosen})


def samples(rng, n_steps=21, lengths=None):
    x = 2 * rng.normal(size=(5, n_steps, 3))
    return x if lengths is None else Sequences(x, lengths), np.arange(5) % 4


def both(s, x, y):
    """Return the steps of e-prop and of back-propagation through time, on the same weights."""
    nets = eprop.build(s, None, np.random.default_rng(1))
    full = {name: value for name, value in vars(s).items() if name != "feedback"} | {"input": "steps", "detach_reset": True}
    return eprop.gradients(nets, x, y), surrogate.gradients(surrogate.build(surrogate.Settings(**full), nets.net.params), x, y)


@pytest.mark.parametrize("model, chosen", [
    *(("3-8d-L0.9-4d-I0.7", {"over": over}) for over in ("sum", "mean", "last", "largest", "each")),
    ("3-8d-L0.9-4d-I1", {"over": "last", "bias": True}), ("3-8d-L0.9-4d", {"over": "each"}), ("3-8d-L1-4d-I0", {}),
    ("3-8d-L0.9-4d-R0.7", {"over": "each"}), ("3-8d-L0.9-4d-L0.7", {"over": "sum", "readout": "spikes"}),
    (SYNAPSE, {"backend": "reference"}),
    ("3-8d-L0.9-4", {"over": "sum", "readout": "spikes", "spike_cost": 0.1, "min_spikes": 3.5, "max_spikes": 4.1})], ids=str)
def test_one_layer_without_recurrence_is_exact(rng, model, chosen):
    """(D17) (D18) (D19) All gradients, whatever the readout and the loss, with sequences of different lengths, too."""
    for lengths in (None, LENGTHS):
        got, ref = both(settings(model, **chosen), *samples(rng, lengths=lengths))
        assert got.loss == ref.loss and set(got.grads) == set(ref.grads)
        for name, dw in ref.grads.items():
            assert dw.any()
            np.testing.assert_allclose(got.grads[name], dw, rtol=0, atol=tol("order of sums float64") * np.abs(dw).max(), err_msg=name)


def test_a_single_step_is_exact(rng):
    """Without time nothing is left out, however deep and recurrent; of one sample, too."""
    x, y = samples(rng, n_steps=1)
    for n in (5, 1):
        got, ref = both(settings("3-8d-R0.9-7d-L0.9-4d-I0.7", n_steps=1, bias=True), x[:n], y[:n])
        assert {name: dw.shape for name, dw in got.grads.items()} == {name: dw.shape for name, dw in ref.grads.items()}
        for name, dw in ref.grads.items():
            np.testing.assert_allclose(got.grads[name], dw, rtol=0, atol=tol("order of sums float64") * np.abs(dw).max(), err_msg=name)


def by_definition(p, x, dv, s):
    """Return the gradients of 3-6d-R0.9-5d-L0.8-4d-I0.7 with a trace for each weight, forward in time; one sample, dv (T, 4)."""
    n = {"w1": (3, 6), "w_rec1": (6, 6), "w2": (6, 5), "w3": (5, 4)}
    filtered, grads = {k: np.zeros(shape) for k, shape in n.items()}, {k: np.zeros(shape) for k, shape in n.items()}
    in1, rec1, in2, v1, v2, s1 = np.zeros(3), np.zeros(6), np.zeros(6), np.zeros(6), np.zeros(5), np.zeros(6)
    for t, now in enumerate(x):
        in1, rec1 = 0.9 * in1 + now, 0.9 * rec1 + s1
        u1 = 0.9 * v1 + now @ p["w1"] + s1 @ p["w_rec1"]
        s1 = (u1 >= 1) * 1.0
        in2 = 0.8 * in2 + s1
        u2 = 0.8 * v2 + s1 @ p["w2"]
        s2 = (u2 >= 1) * 1.0
        v1, v2 = u1 - s1, u2 - s2
        psi1, psi2 = (surrogate_grad(u - 1, rate.neuron_config(s).surrogate) for u in (u1, u2))
        # to an output k goes what the weights behind pass on in the same step
        through2 = psi2[:, None] * p["w3"]
        through1 = psi1[:, None] * (p["w2"] @ through2)
        now_of = {"w1": in1[:, None, None] * through1, "w_rec1": rec1[:, None, None] * through1, "w2": in2[:, None, None] * through2,
                  "w3": s2[:, None, None] * np.eye(4)}
        for k, e in now_of.items():
            filtered[k] = 0.7 * filtered[k] + e if np.ndim(filtered[k]) == 3 else e                      # the readout's own decay
            grads[k] = grads[k] + filtered[k] @ dv[t]
    return grads


@pytest.mark.parametrize("over", ["each", "last"])
def test_it_is_the_online_rule(rng, over):
    """Recurrent and deep, where it is no full gradient: traces of single weights, filtered by the readout, times errors of the present."""
    s = settings("3-6d-R0.9-5d-L0.8-4d-I0.7", over=over)
    (x, y), nets = samples(rng), eprop.build(s, None, np.random.default_rng(1))
    got = eprop.gradients(nets, x, y)
    outputs = nets.snn.forward(rate.encode_batch(nets, x))[0][-1].reshape(21, 5, 4)
    _, _, dv = surrogate.errors(s, outputs, y)
    ref = [by_definition(nets.net.params, x[b], dv[:, b], s) for b in range(5)]
    for name, dw in got.grads.items():
        wanted = sum(found[name] for found in ref)
        assert dw.any()
        np.testing.assert_allclose(dw, wanted, rtol=0, atol=tol("order of sums float64") * np.abs(wanted).max(), err_msg=name)


def test_angles_to_the_full_gradient(rng):
    """0 behind the last hidden layer and for what feeds it alone; above, and below 90 degrees, where paths are left out."""
    s = settings("3-8d-R0.9-7d-L0.9-4d-I0.7")
    nets, (x, y) = eprop.build(s, None, np.random.default_rng(1)), samples(rng)
    found = diagnostics.angles_through_time(nets, x, y, truncate=(3, 21))
    assert set(found) == {"eprop", "truncate 3", "truncate 21"}
    assert max(found["eprop"][name] for name in ("w2", "w3")) < 1e-5 < 5 < min(found["eprop"][name] for name in ("w1", "w_rec1"))
    assert max(found["eprop"].values()) < 90 and max(found["truncate 21"].values()) < 1e-5
    assert all(1 < degrees < 90 for degrees in found["truncate 3"].values())
    with pytest.raises(ValueError, match="expected networks of surrogate or eprop"):
        diagnostics.angles_through_time(nets._replace(settings=training.METHODS["proxy"].Settings(model="3-4-2")), x, y)


def test_random_feedback(rng):
    """The matrix that carries errors back, and no other, is drawn once, and kept with a run."""
    model, (x, y) = "3-8d-R0.9-4d-I0.7", samples(rng)
    nets = eprop.build(settings(model, feedback="random"), None, np.random.default_rng(1))
    plain = eprop.build(settings(model), nets.net.params)
    got, ref = (eprop.gradients(some, x, y) for some in (nets, plain))
    assert nets.state["feedback2"].shape == nets.net.params["w2"].shape and "feedback2" not in plain.state
    assert (got.grads["w2"] == ref.grads["w2"]).all() and not np.allclose(got.grads["w1"], ref.grads["w1"])
    nets.state["feedback2"][...] = nets.net.params["w2"]
    assert all((dw == ref.grads[name]).all() for name, dw in eprop.gradients(nets, x, y).grads.items())


@pytest.mark.slow
def test_training_resumes_with_the_same_bits(rng, tmp_path):
    """With random feedback, clipped, on two threads; the order of two spikes is learnt."""
    first = rng.integers(0, 2, 160)
    x = np.zeros((160, 9, 2), np.uint8)
    x[np.arange(160), rng.integers(0, 4, 160), first] = 1
    x[np.arange(160), rng.integers(5, 9, 160), 1 - first] = 1
    s = eprop.Settings(model="2-24d-R0.9-2d-I0.9", n_steps=9, batch=20, epochs=4, lr=0.01, feedback="random", over="last")
    runs = [training.start("eprop", s, 0, {"name": "mine"}) for _ in range(2)]
    _threads.set_threads(2)
    list(training.epochs(runs[0], (x, first), (x, first)))
    _threads.set_threads(1)
    next(training.epochs(runs[1], (x, first), (x, first)))
    training.save(runs[1], tmp_path / "run.npz")
    again = training.load(tmp_path / "run.npz")
    list(training.epochs(again, (x, first), (x, first)))
    for name, w in runs[0].nets.net.params.items():
        np.testing.assert_array_equal(again.nets.net.params[name], w)
    assert (again.nets.state["feedback2"] == runs[0].nets.state["feedback2"]).all()
    assert runs[0].records[-1]["val_accuracy"] > 0.9


@pytest.mark.parametrize("model", ["6-128d-R0.9-4d-I0.9", pytest.param("1-64d-R0.9-64d-L0.9-10d-I0.9", marks=pytest.mark.slow)])
def test_bytes_of_a_step(model, rng):
    """What is said is the peak, to a fifth; beyond inputs and outputs it does not grow with the steps."""
    peaks, apart = [], []
    for n_steps in (40, 160):
        s = eprop.Settings(model=model, n_steps=n_steps, batch=50)
        nets, x = eprop.build(s, None, rng), rng.normal(size=(50, n_steps, *s.model.shape)).astype(np.float32)
        y = np.arange(50) % s.model.shapes[-1][0]
        eprop.gradients(nets, x[:2, :4], y[:2])
        tracemalloc.start()
        eprop.gradients(nets, x, y)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert eprop.bytes_needed(s) == pytest.approx(peaks[-1], rel=1 / 5)
        apart.append(4 * 50 * n_steps * (s.model.shape[0] + 8 * s.model.shapes[-1][0]))
    assert peaks[1] - peaks[0] < apart[1] - apart[0] < surrogate.bytes_needed(surrogate.Settings(model=model, n_steps=120, batch=50)) / 4


@pytest.mark.parametrize("chosen, said", [
    ({"model": "3-8-4"}, "expected dense layers with leaky"), ({"model": "3-4d-I0.9", "readout": "spikes"}, "expected dense layers with"),
    ({"model": "4x4x1-3c3-L0.9-2"}, "expected dense layers with leaky"), ({"feedback": "none"}, "expected one of symmetric, random"),
    ({"model": models.Model((3,), [models.Dense(4), models.Leaky(0.9, learn=("beta",)), models.Dense(2)])}, "without learn"),
    ({"model": models.Model((3,), [models.Dense(4), models.Leaky(0.9, reset="zero"), models.Dense(2)])}, "not to zero")])
def test_networks_without_traces_of_neurons(chosen, said):
    with pytest.raises(ValueError, match=said):
        eprop.Settings(**chosen)


def test_data_sets_have_their_settings():
    s = training.METHODS["eprop"].settings_for("mnist1d")
    assert (s.time_axis, s.model, s.over) == (40, surrogate.SEQUENCES["mnist1d"]["model"], "largest")
