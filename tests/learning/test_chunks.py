"""Chunks of a batch: their gradients add up to those of the batch; each draws random numbers of its own; costs and bounds come once."""

import numpy as np
import pytest

from pysnn import training
from pysnn.learning import METHODS, chunks
from pysnn.learning.method import finished_by
from tests.cases.processes import CASES, samples, settings

PLAIN = {"shift": 0, "flip": False, "erase": 0, "jitter": 0.0, "drop": 0.0, "drop_in": 0.0, "drop_hidden": 0.0, "dtype": "float64",
         "by_turns": False, "backend": "reference"}


def nets_of(case, **chosen):
    method, s = settings(case, **chosen)
    model = "36-12-3" if len(s.model.shape) == 3 else s.model         # batch normalisation is over a chunk
    rule = METHODS[method]
    return rule, rule.build(settings(case, **chosen, model=model)[1], rng=np.random.default_rng(1))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_chunks_add_up_to_the_batch(case, weighted):
    rule, nets = nets_of(case, **PLAIN, chunks=4)
    (x, y), batch = samples(case), np.random.default_rng(2).permutation(21)[:11]
    weight = np.arange(21) / 10 if weighted else None
    ref = rule.gradients(nets, x[batch], y[batch], None, **({"weight": weight[batch]} if weighted else {}))
    got = chunks.gradients(rule, nets, (x, y, weight, batch), (0, 0, 0))
    assert ref.grads.keys() == got.grads.keys() and any(dw.any() for dw in ref.grads.values())
    for name, dw in ref.grads.items():
        np.testing.assert_allclose(got.grads[name], dw, rtol=1e-9, atol=1e-12 * np.abs(dw).max())
    assert got.loss == pytest.approx(ref.loss, rel=1e-12) and got.stats.keys() == ref.stats.keys()
    np.testing.assert_allclose(got.y, ref.y, rtol=1e-12)
    for name, value in ref.stats.items():
        np.testing.assert_allclose(got.stats[name], value, rtol=1e-12)


@pytest.mark.parametrize("n, n_chunks", [(1, 4), (3, 4), (4, 4), (11, 4), (100, 7), (5, 1)])
def test_chunks_are_nearly_equal_and_none_is_empty(n, n_chunks):
    cuts = chunks.cut(n, n_chunks)
    sizes = [len(range(n)[cut]) for cut in cuts]
    assert [k for cut in cuts for k in range(n)[cut]] == list(range(n)) and len(cuts) == min(n, n_chunks)
    assert 1 <= min(sizes) and max(sizes) <= min(sizes) + 1


def test_every_chunk_draws_numbers_of_its_own():
    drawn = []

    def augment(x, rng):
        drawn.append(rng.random())
        return x

    _, s = settings("ann", augment=augment, shift=0, flip=False, erase=0, drop=0.0)
    run = training.start("ann", s, 0)
    list(training.epochs(run, samples("ann")))
    assert len(drawn) == 2 * (4 + 4 + 3) == len(set(drawn))
    before = list(drawn)
    run = training.start("ann", s, 1)
    list(training.epochs(run, samples("ann")))
    assert not set(before) & set(drawn[len(before):])
    assert np.random.default_rng(0).random() not in before


def test_one_chunk_is_the_batch():
    """Without random numbers in it the sum over one chunk has the bits of the batch, batch normalisation too."""
    case = "proxy"
    ends = []
    for n in (0, 1):
        run = training.start(*settings(case, **PLAIN | {"dtype": "float32"}, chunks=n), 3)
        list(training.epochs(run, samples(case)))
        ends.append({name: x.tobytes() for name, x in {**run.nets.net.params, **run.nets.state}.items()})
    assert ends[0] == ends[1]


def test_running_statistics_take_in_the_chunks_in_order():
    rule, s = METHODS["ann"], settings("ann", chunks=2, **PLAIN)[1]
    nets, (x, y) = rule.build(s, rng=np.random.default_rng(0)), samples("ann")
    parts = [rule.gradients(nets, x[some], y[some], None).batch_stats for some in (slice(0, 5), slice(5, 10))]
    step = chunks.gradients(rule, nets, (x, y, None, np.arange(10)), (0, 0, 0))
    mean, wanted = nets.state["mean1"].copy(), [part["mean1"] for part in parts]
    np.testing.assert_allclose(step.batch_stats["mean1"], wanted, rtol=1e-12)
    rule.update_running_stats(nets, step)
    for value in wanted:
        mean += 0.1 * (value - mean)
    np.testing.assert_allclose(nets.state["mean1"], mean, rtol=1e-12)


def test_a_calibration_moves_by_the_mean_of_the_chunks():
    rule, s = METHODS["proxy"], settings("proxy", chunks=2, **PLAIN)[1]
    nets, (x, y) = rule.build(s, rng=np.random.default_rng(0)), samples("proxy")
    step = chunks.gradients(rule, nets, (x, y, None, np.arange(10)), (0, 0, 0))
    gaps, before = step.batch_stats["v_init2"], nets.state["v_init2"].copy()
    assert len(gaps) == 2 and np.abs(gaps).max() > 0
    rule.update_running_stats(nets, step)
    wanted = np.clip(before + s.calibrate * s.n_steps * np.mean(gaps, axis=0), 0, s.threshold)
    np.testing.assert_allclose(nets.state["v_init2"], wanted, rtol=1e-12)


def test_a_rule_that_is_not_in_two_parts_is_called_for_each_chunk():
    surrogate = METHODS["surrogate"]

    def signs(nets, x, y, rng=None):
        step = surrogate.gradients(nets, x, y, rng)
        return step._replace(grads={name: np.sign(dw) for name, dw in step.grads.items()})

    rule, nets = nets_of("surrogate", **PLAIN, chunks=2)
    x, y = samples("surrogate")
    got = chunks.gradients(rule._replace(gradients=signs), nets, (x, y, None, np.arange(10)), (0, 0, 0))
    parts = [signs(nets, x[some], y[some]).grads["w1"] for some in (slice(0, 5), slice(5, 10))]
    np.testing.assert_array_equal(got.grads["w1"], (parts[0] + parts[1]) / 2)


def test_a_rule_of_your_own_in_two_parts_is_finished_once():
    finished = []

    def finish(nets, step):
        finished.append(step.loss)
        return step

    @finished_by(finish)
    def gradients(nets, x, y, rng=None):
        """Those of ann, without costs."""
        return METHODS["ann"].gradients.of_samples(nets, x, y, rng)

    rule, nets = nets_of("ann", **PLAIN, chunks=3)
    x, y = samples("ann")
    got = chunks.gradients(rule._replace(gradients=gradients), nets, (x, y, None, np.arange(9)), (0, 0, 0))
    assert finished == [got.loss] and gradients(nets, x[:9], y[:9]).loss == pytest.approx(got.loss) and gradients.__doc__


def test_scores_are_those_of_the_rule():
    rule, nets = nets_of("temporal", **PLAIN)
    x, y = samples("temporal", 1100)
    assert chunks.score(rule, nets, (x, y)) == rule.score(nets, x, y)
