"""Back through time in segments (truncated, recomputed), and the cost of spikes: against a soft network written out, and by hand."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from pysnn import losses, models, training
from pysnn.conventions import Sequences, Surrogate
from pysnn.layers import SpikingLayer
from pysnn.learning import eprop, rate, surrogate
from pysnn.network import Segments
from pysnn.operations import backend_of
from pysnn.reference import pooled_fire
from pysnn.reference.integrate_fire import surrogate_grad, surrogate_step
from tests.cases.tolerances import tol

LEARN = models.Model((3,), [models.Dense(6), models.Leaky(0.9, True, 0.6, ("beta", "alpha", "threshold")), models.Dense(5),
                            models.Leaky(0.8, timing="next"), models.Dense(4), models.Integrate(0.7)])
LEAK_FIRST = models.Model((3,), [models.Dense(6), models.Leaky(0.9, True, 0.6, ("beta", "alpha"), timing="next", order="leak first"),
                                 models.Dense(4), models.Leaky(0.8, True, 0.5, ("alpha",))])
LENGTHS = [7, 3, 5, 7, 1, 6]


def settings(n_steps=7, **chosen):
    return surrogate.Settings(**{**surrogate.SERIES, "model": LEARN, "dtype": "float64", "n_steps": n_steps, "over": "sum", "batch": 6,
                                 "clip_norm": 0.0, **chosen})


def built(s, seed=1):
    nets = surrogate.build(s, None, np.random.default_rng(seed))
    for w in nets.net.params.values():
        w += np.random.default_rng(seed).uniform(0, 0.05, w.shape)
    return nets


def samples(rng, n_steps=7):
    return 2 * rng.normal(size=(6, n_steps, 3)), np.arange(6) % 4


def soft_loss(p, data, s, real=None):
    """Compute the loss of LEARN step by step, and what is constant in its gradient; with `real` given, that is held constant, (I11).

    Constant are potentials and spikes in (I11), the spikes of detached resets, and with (D15) the whole state before a segment.
    """
    x, y, there = data
    g, kept, counts, out = Surrogate(s.surrogate, s.slope), [], [0, 0], 0
    i1 = v1 = s1 = v2 = s2 = v3 = np.zeros(())

    def fire(u, theta, name):
        hard = (u >= theta) * 1.0
        if real is None:
            return hard, hard
        u0, theta0 = real[t][name]
        hard = (u0 >= theta0) * 1.0
        soft = hard + surrogate_step(u - theta, g) - surrogate_step(u0 - theta0, g)              # (I11)
        return soft, hard if s.detach_reset else soft
    for t in range(x.shape[1]):
        if real is not None and s.truncate and t % s.truncate == 0 and t:
            i1, v1, s1, v2, s2, v3 = real[t]["state"]
        kept.append({"state": (i1, v1, s1, v2, s2, v3)})
        i1 = p["synapse1"] * i1 + x[:, t] @ p["w1"] + (s1 @ p["w_rec1"] if s1.ndim else 0)
        u1 = p["leak1"] * v1 + i1
        s1, off1 = fire(u1, p["threshold1"], "u1")
        v1 = u1 - p["threshold1"] * off1
        # timing "next": the spike of the step before is taken off at the beginning of this one
        off2 = fire(v2, 1.0, "v2")[1] if t else 0.0
        u2 = 0.8 * (v2 - off2) + s1 @ p["w2"]
        s2, _ = fire(u2, 1.0, "u2")
        kept[-1] |= {"u1": (u1, p["threshold1"].copy()), "u2": (u2, 1.0), "v2": (v2, 1.0)}
        v2 = u2
        v3 = 0.7 * v3 + s2 @ p["w3"]
        out = out + there[t][:, None] * v3
        counts = [n + there[t][:, None] * spikes for n, spikes in zip(counts, (s1, s2), strict=True)]
    loss = losses.cross_entropy(out, y)[0]
    for n in counts:
        few, many = np.maximum(0, s.min_spikes - n), np.maximum(0, n.mean(axis=1) - s.max_spikes)
        loss += s.spike_cost * ((few ** 2).mean() + (many ** 2).mean())                                  # (D16)
    return loss, kept, counts


@pytest.mark.parametrize("detach", [True, False])
@pytest.mark.parametrize("chosen", [{}, {"truncate": 3}, {"memory": "sqrt"}, {"truncate": 2, "memory": "sqrt"}], ids=str)
def test_gradient_is_that_of_the_soft_network(rng, chosen, detach):
    """Every parameter, by differences, with raster, potentials and, where gradients are truncated, states held constant."""
    s = settings(detach_reset=detach, surrogate="atan", slope=2.0, spike_cost=0.3, min_spikes=1.5, max_spikes=1.55, **chosen)
    nets, (x, y) = built(s), samples(rng)
    data = x, y, np.arange(7)[:, None] < np.array(LENGTHS)
    step, p = surrogate.gradients(nets, Sequences(x, LENGTHS), y), nets.net.params
    loss, real, counts = soft_loss(p, data, s)
    assert step.loss == pytest.approx(loss, rel=1e-12) and set(step.grads) == set(p)
    assert all((n < 1.5).any() and (n.mean(axis=1) > 1.55).any() and n.any() for n in counts)      # both costs are at work
    for name, w in p.items():
        wanted, some = np.zeros(w.shape), rng.permutation(w.size)[:4]
        for at in some:
            old, found = w.flat[at], []
            for h in (1e-6, -1e-6):
                w.flat[at] = old + h
                found.append(soft_loss(p, data, s, real)[0])
            w.flat[at] = old
            wanted.flat[at] = (found[0] - found[1]) / 2e-6
        top = np.abs(step.grads[name]).max()
        assert top > 0
        np.testing.assert_allclose(step.grads[name].flat[some], wanted.flat[some], rtol=0, atol=tol("frozen offsets") * top, err_msg=name)


@pytest.mark.parametrize("backend", ["reference", "numba"])
@pytest.mark.parametrize("model, timed", [(LEARN, True), (LEAK_FIRST, True), (LEAK_FIRST, False), ("3-8-7-4", False)], ids=str)
def test_segments_are_the_whole(rng, model, timed, backend):
    """(D13) (D14) Same spikes; gradients to rounding, and to the bit whether segments are kept or run again."""
    s = settings(model=model, detach_reset=False, backend=backend, input="steps" if timed else "constant")
    nets, (x, y) = built(s), samples(rng)
    currents = rate.encode_batch(nets, x) if timed else np.abs(x[:, 0])
    whole = Segments(nets.snn, currents, 7)
    _, _, d = surrogate.errors(s, whole.y, y)
    ref = whole.backward(d)
    for n in (1, 3):
        runs = [Segments(nets.snn, currents, n, keep) for keep in (True, False)]
        kept, again = (run.backward(d) for run in runs)
        for run in runs:
            np.testing.assert_allclose(run.y, whole.y, rtol=1e-12, atol=1e-14)
        for name, dw in ref.items():
            np.testing.assert_array_equal(kept[name], again[name])
            np.testing.assert_allclose(kept[name], dw, rtol=0, atol=tol("order of sums float64") * np.abs(dw).max(), err_msg=name)


def test_truncation_behind_the_last_step_is_none(rng):
    """(D15) Equal bits with surrogate; a shorter one is another gradient of the same loss."""
    x, y = samples(rng)
    ref, *found = (surrogate.gradients(built(settings(truncate=k)), x, y) for k in (0, 7, 100, 6))
    for step in found:
        assert step.loss == pytest.approx(ref.loss, rel=1e-12)
        assert all((dw == ref.grads[name]).all() for name, dw in step.grads.items()) == (step is not found[-1])


@pytest.mark.parametrize("model", ["1-64d-R0.9-64d-L0.9-10d-I0.9", pytest.param("6-128d-R0.9-4d-I0.9", marks=pytest.mark.slow)])
def test_bytes_of_recomputation(model, rng):
    """What is said is the peak, to a seventh; it is less than half, and four times the steps take hardly more than twice of it."""
    said = []
    for n_steps, batch in ((25, 150), (100, 150)):              # so many that the gradients of the parameters hardly count
        s = replace(settings(n_steps, model=model, dtype="float32"), memory="sqrt", batch=batch)
        nets, x = built(s), rng.normal(size=(batch, n_steps, *s.model.shape)).astype(np.float32)
        y = np.arange(batch) % s.model.shapes[-1][0]
        surrogate.gradients(nets, x[:2, :4], y[:2])
        tracemalloc.start()
        surrogate.gradients(nets, x, y)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        said.append(surrogate.bytes_needed(s))
        assert said[-1] == pytest.approx(peak, rel=1 / 7)
        assert said[-1] < surrogate.bytes_needed(replace(s, memory="all")) / 2
    assert said[1] < 2.4 * said[0]


def test_first_spikes_by_hand():
    """(D21) Steps 2 and 4, step 1, none; four steps, of the second sample only three."""
    steps = np.zeros((4, 2, 3))
    steps[[1, 3, 0], :, [0, 0, 1]] = 1
    y, slope = surrogate.outcome("first", steps, np.array([[True, True], [True, True], [True, True], [True, False]]))
    np.testing.assert_array_equal(y, [[3, 4, 0], [2, 3, 0]])
    np.testing.assert_array_equal(slope[:, 0].T, [[1, 2, 0, 0], [4, 0, 0, 0], [4, 3, 2, 1]])
    np.testing.assert_array_equal(slope[:, 1].T, [[1, 2, 0, 0], [3, 0, 0, 0], [3, 2, 1, 0]])


def test_slopes_of_first_spikes_are_derivatives(rng):
    """(D21) is linear in each spike, so a difference is its derivative, between 0 and 1, too."""
    for steps in ((rng.random((7, 4, 3)) < 0.2) * 1.0, rng.random((7, 4, 3))):
        there = np.arange(7)[:, None] < np.array([7, 3, 5, 1])
        _, slope = surrogate.outcome("first", steps, there)
        for t, b, k in np.ndindex(steps.shape):
            ends = []
            for value in (1.0, 0.0):
                other = steps.copy()
                other[t, b, k] = value
                ends.append(surrogate.outcome("first", other, there)[0][b, k])
            assert slope[t, b, k] == pytest.approx(ends[0] - ends[1], abs=1e-12)


def test_outputs_learn_to_spike_first(rng):
    """Which of two channels spikes: the output of the same number does so before the other."""
    y = rng.integers(0, 2, 60)
    x = np.zeros((60, 8, 2), np.uint8)
    x[np.arange(60), rng.integers(0, 4, 60), y] = 1
    s = surrogate.Settings(model="2-16d-L0.9-2d-L0.9", input="steps", n_steps=8, over="first", on="counts", lr=0.02, batch=20, epochs=5,
                           init="fluctuation", input_rate=0.06)
    run = training.start("surrogate", s, 0, {"name": "mine"})
    *_, last = training.epochs(run, (x, y), (x, y))
    assert last["val_accuracy"] > 0.95 and surrogate.predict(run.nets, x).max() <= 8
    for chosen in ({"readout": "potential"}, {"model": "2-16d-L0.9-2d-I0.9"}):
        with pytest.raises(ValueError, match="over: expected outputs that fire"):
            replace(s, **chosen)


def test_cost_of_spikes_by_hand():
    """Two samples of 2 x 1 pixels and 2 channels: at least 2 spikes each, at most 3 on average."""
    n = np.array([[[[5.0, 1.0]], [[4.0, 4.0]]], [[[0.0, 2.0]], [[2.0, 2.0]]]])
    s = settings(spike_cost=0.5, min_spikes=2.0, max_spikes=3.0)
    cost, dcounts = surrogate.spike_cost(s, {3: n, 5: n})
    with pytest.raises(ValueError, match="min_spikes: expected at most max_spikes, 3, got 4"):
        replace(s, min_spikes=4.0)
    assert cost == 2 * 0.5 * ((1 + 4) / 8 + 0.5 ** 2 / 2)
    np.testing.assert_allclose(dcounts[3][0].ravel(), 0.5 / 4 * np.array([0.5, 0.5 - 1, 0.5, 0.5]))
    np.testing.assert_allclose(dcounts[5][1].ravel(), 0.5 / 4 * np.array([-2.0, 0, 0, 0]))


def test_costs_move_the_activity():
    """Silent neurons begin to fire, busy ones become quiet."""
    x = np.random.default_rng(0).random((4, 16))
    for change, chosen in ((-0.1, {"min_spikes": 3.0}), (0.2, {"max_spikes": 1.0})):
        s = surrogate.Settings(model="16-8d-L0.9-2d-I0.9", n_steps=8, readout="potential", on="counts", spike_cost=1.0, dtype="float64",
                               **chosen)
        nets, found = built(s), []
        nets.net.params["w1"] += change
        for _ in range(20):
            found.append(nets.snn.run(x).n_spikes[0] / (4 * 8))
            nets.net.params["w1"] -= 0.05 * surrogate.gradients(nets, x, np.arange(4) % 2).grads["w1"]
        assert (found[-1] - found[0]) * change < 0 and abs(found[-1] - found[0]) > 1, found


@pytest.mark.parametrize("chosen", [{"truncate": 3}, {"memory": "sqrt"}])
def test_segments_that_cannot_be(chosen):
    with pytest.raises(ValueError, match="truncate, memory: expected a model without batch normalisation"):
        surrogate.Settings(model="6x6x1-4C3-2", **chosen)
    assert surrogate.Settings(model="6x6x1-W2-4c3-N-2", **chosen).segment(15) < 15               # fixed filters are no statistics
    nets = built(settings(model="3-4-2"))
    nets.snn.layers[1] = SpikingLayer()
    with pytest.raises(ValueError, match="segments: expected neurons that can begin from a state, got SpikingLayer"):
        Segments(nets.snn, np.ones((7, 2, 3)), 3)


@pytest.mark.parametrize("inside", ["forward_from", "backward_from"])
def test_interrupted_inside_a_segment_it_goes_on_with_all_steps(rng, monkeypatch, inside):
    """A notebook's interrupt; the same networks are used again afterwards."""
    s = settings(input="constant", truncate=2)
    nets, x, y = built(s), rng.random((6, 3)), np.arange(6) % 4
    before = surrogate.gradients(nets, x, y)
    layer, calls = nets.snn.layers[1], []

    def stop(*args):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*args)
    real = getattr(layer, inside)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(layer, inside, stop)
        surrogate.gradients(nets, x, y)
    assert {part.config.n_steps for part in (nets.snn, layer)} == {7}
    after = surrogate.gradients(nets, x, y)
    assert after.loss == before.loss and all((after.grads[name] == dw).all() for name, dw in before.grads.items())


@pytest.mark.parametrize("change", [lambda x, rng: x[:5], lambda x, rng: x.x[:, :5],
                                    lambda x, rng: Sequences(x.x, np.minimum(x.lengths, 4))])
def test_an_augmentation_keeps_lengths(rng, change):
    x, y = samples(rng)
    nets = built(settings(augment=change))
    with pytest.raises(ValueError, match="augment: expected as many sequences as came, each as long as before"):
        surrogate.gradients(nets, Sequences(x, LENGTHS), y, np.random.default_rng(0))
    louder = built(settings(augment=lambda x, rng: Sequences(2 * x.x, x.lengths)))
    step = surrogate.gradients(louder, Sequences(x, LENGTHS), y, np.random.default_rng(0))
    assert step.loss == surrogate.gradients(louder, Sequences(2 * x, LENGTHS), y).loss


# ---- surrogates of the user's own

def fast_sigmoid(x, slope):
    return 1 / (slope * np.abs(x) + 1) ** 2


@pytest.mark.parametrize("backend", ["reference", "numba"])
@pytest.mark.parametrize("model", ["3-6-4", "3-6d-R0.9-4d-I0.8", LEARN], ids=str)
@pytest.mark.parametrize("chosen", [{}, {"detach_reset": False}, {"memory": "sqrt"}], ids=str)
def test_own_surrogate_is_as_good_as_ours(model, chosen, backend, rng):
    if backend == "numba":
        pytest.importorskip("numba")
    data, steps = samples(rng), []
    for kind, where in (("fast_sigmoid", "reference"), (fast_sigmoid, backend)):
        s = settings(model=model, surrogate=kind, slope=3.0, backend=where, readout="spikes", **chosen)
        steps.append(surrogate.gradients(built(s), *data))
    assert steps[0].loss == pytest.approx(steps[1].loss, rel=1e-12) and steps[0].y.any()
    for name, dw in steps[0].grads.items():
        assert dw.any()
        np.testing.assert_allclose(steps[1].grads[name], dw, rtol=1e-9, atol=1e-12)


def test_own_surrogate_in_eprop_and_in_neurons_that_pool(rng):
    found, data = [], samples(rng)
    for kind in ("fast_sigmoid", fast_sigmoid):
        s = eprop.Settings(model="3-6d-R0.9-4d-I0.8", n_steps=7, surrogate=kind, slope=3.0, backend="reference")
        found.append(eprop.gradients(eprop.build(s, None, np.random.default_rng(0)), *data))
    assert all((found[0].grads[name] == dw).all() and dw.any() for name, dw in found[1].grads.items())
    current = rng.normal(0.4, 0.5, (5, 2, 4, 4, 3))
    spikes, _, cache = pooled_fire.forward(current, 2)
    ds = rng.normal(size=spikes.shape)
    ours, own = (pooled_fire.backward(ds, cache, None, Surrogate(kind, 3.0), False)[0] for kind in ("fast_sigmoid", fast_sigmoid))
    assert (ours == own).all() and own.any() and 0 < spikes.mean() < 1


@pytest.mark.parametrize("made, said", [(lambda x, slope: 1.0, r"surrogate: expected <lambda> to return an array of shape"),
                                        (lambda x, slope: x[:1], "to return an array of shape")])
def test_own_surrogate_that_returns_something_else(made, said, rng):
    s = settings(surrogate=made, backend="reference")
    with pytest.raises(ValueError, match=said):
        surrogate.gradients(built(s), *samples(rng))


def test_kernels_refuse_an_own_surrogate_and_its_soft_step_is_unknown(rng):
    with pytest.raises(ValueError, match="whose soft step is known"):
        surrogate_step(np.zeros(3), Surrogate(fast_sigmoid))
    with pytest.raises(ValueError, match="surrogate: slope"):
        surrogate_grad(np.zeros(3), Surrogate(fast_sigmoid, -1.0))
    pytest.importorskip("numba")
    kernel = backend_of("integrate_fire", "numba")
    spikes, _, cache = kernel.forward(np.ones((2, 3, 4)))
    with pytest.raises(ValueError, match="surrogate: expected kind to be one of atan"):
        kernel.backward(spikes, cache, surrogate=Surrogate(fast_sigmoid))


@pytest.mark.parametrize("clip_norm", [0.0, 0.1])
@pytest.mark.parametrize("rule", [surrogate, eprop])
def test_norms_of_gradients_before_and_after(rule, clip_norm, rng):
    def step(most):
        s = rule.Settings(model="3-6d-R0.9-4d-I0.8", n_steps=7, clip_norm=most, dtype="float64", backend="reference", readout="potential",
                          **({"input": "steps"} if rule is surrogate else {}))
        return rule.gradients(rule.build(s, None, np.random.default_rng(0)), *data)

    data = samples(rng)
    norms = {name: np.linalg.norm(dw) for name, dw in step(0.0).grads.items()}
    got = step(clip_norm)
    np.testing.assert_allclose(got.stats["grad_norm"], list(map(norms.get, ("w1", "w_rec1", "w2"))), rtol=1e-9)
    assert ("clipped_norm" in got.stats) == (clip_norm > 0)
    if clip_norm:
        assert np.sqrt(np.square(got.stats["clipped_norm"]).sum()) == pytest.approx(0.1)
