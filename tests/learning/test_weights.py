"""Weights of samples and classes, (L8): the same in every learning rule, in the loop, and what is refused."""

import numpy as np
import pytest

from pysnn import training
from pysnn.conventions import Sequences
from pysnn.learning import METHODS, ann, surrogate

RNG = np.random.default_rng(0)
X, Y, WEIGHT = RNG.uniform(0, 1, (8, 3)), np.arange(8) % 3, np.array([0, 1, 2, 1, 3, 1, 0, 2.0])
STEPS = Sequences(RNG.integers(0, 2, (8, 6, 3)).astype(np.uint8), np.arange(8) % 3 + 4)
TIMED = {**surrogate.SERIES, "model": "3-4d-R0.9-3d-I0.9", "n_steps": 6}
CASES = {name: (name, {"model": "3-5-3"}) for name in METHODS if name != "eprop"} | {
    "temporal, loss on z": ("temporal", {"model": "3-5-3", "loss": "z"}), "ann, mse": ("ann", {"model": "3-5-3", "loss": "mse"}),
    "smoothed": ("proxy", {"model": "3-5-3", "smoothing": 0.1}), "in time": ("surrogate", TIMED | {"clip_norm": 0.0}),
    "each step": ("surrogate", TIMED | {"over": "each", "clip_norm": 0.0}),
    "eprop": ("eprop", {"model": "3-4d-R0.9-3d-I0.9", "n_steps": 6, "clip_norm": 0.0})}


def started(case):
    method, chosen = CASES[case]
    quiet = {"max_norm": 0.0, "weight_sum": 0.0, "drop_in": 0.0, "drop_hidden": 0.0, "code": "latency"} if method == "temporal" else {}
    quiet |= {"max_norm": 0.0, "rescue": 0.0} if method == "eventprop" else {}
    settings = METHODS[method].Settings(**chosen, **quiet, backend="reference", dtype="float64")
    run = training.start(method, settings)
    return run, STEPS if settings.time_axis else X


@pytest.mark.parametrize("case", CASES)
def test_whole_weights_are_repeated_samples(case):
    run, x = started(case)
    again = np.repeat(np.arange(8), WEIGHT.astype(int))
    x = STEPS.x if case == "each step" else x                   # there the loss is a mean over the steps of all samples
    got = run.rule.gradients(run.nets, x, Y, None, weight=WEIGHT)
    ref = run.rule.gradients(run.nets, x[again], Y[again], None)
    assert got.loss == pytest.approx(ref.loss * len(again) / 8) and len(got.y) == 8
    for name, dw in ref.grads.items():
        assert np.abs(dw).max() > 0
        np.testing.assert_allclose(got.grads[name], dw * (len(again) / 8), rtol=1e-9, atol=1e-12 * np.abs(dw).max())


@pytest.mark.parametrize("case", ["temporal", "ann"])
def test_gradient_of_the_weighted_loss_by_differences(case):
    run, x = started(case)
    step, h = run.rule.gradients(run.nets, x, Y, None, weight=WEIGHT), 1e-6
    for name, w in run.nets.net.params.items():
        at = np.unravel_index(np.abs(step.grads[name]).argmax(), w.shape)
        losses = []
        for sign in (1, -1):
            w[at] += sign * h
            losses.append(run.rule.gradients(run.nets, x, Y, None, weight=WEIGHT).loss)
            w[at] -= sign * h
        assert (losses[0] - losses[1]) / (2 * h) == pytest.approx(step.grads[name][at], rel=1e-5)


def trained(weight=None, **chosen):
    settings = ann.Settings(**{"model": "3-5-3", "batch": 4, "epochs": 2, "backend": "reference"} | chosen)
    run = training.start("ann", settings)
    list(training.epochs(run, (X, Y), sample_weight=weight))
    return run.nets.net.params


def same(a, b):
    return all((a[name] == b[name]).all() for name in a)


def test_only_ratios_matter_and_balance_is_by_counts():
    counts = np.bincount(Y)
    assert same(trained(WEIGHT), trained(2 * WEIGHT)) and same(trained(np.ones(8)), trained()) and not same(trained(WEIGHT), trained())
    assert same(trained(class_weight="balanced"), trained(1 / counts[Y])) and not same(trained(class_weight="balanced"), trained())
    assert same(trained(WEIGHT, class_weight="balanced"), trained(WEIGHT / counts[Y]))


def square(y, labels):
    return float((y ** 2).sum()), 2 * y


def without(nets, x, y, rng=None):
    return ann.gradients(nets, x, y, rng)


@pytest.mark.parametrize("weight, chosen, words", [
    (np.ones(7), {}, "sample_weight: expected 8 numbers, one a sample, got an array of shape (7,)"),
    (-np.ones(8), {}, "sample_weight: expected finite numbers, none below 0, got -1 in sample 0"),
    (np.zeros(8), {}, "sample_weight: expected some above 0, got none"),
    (["a"] * 8, {}, "sample_weight: expected 8 numbers"),
    (np.ones(8), {"loss": square}, "sample_weight, class_weight: expected a loss of ours"),
    (None, {"loss": square, "class_weight": "balanced"}, "sample_weight, class_weight: expected a loss of ours"),
    (None, {"class_weight": "equal"}, "class_weight: expected one of none, balanced, got 'equal'"),
])
def test_what_is_refused(weight, chosen, words):
    with pytest.raises((TypeError, ValueError)) as caught:
        trained(weight, **chosen)
    assert words in str(caught.value)


def test_a_rule_that_takes_no_weights_is_refused_them():
    rule = METHODS["ann"]._replace(name="mine", gradients=without)
    run = training.start(rule, ann.Settings(model="3-5-3", epochs=1, backend="reference"))
    with pytest.raises(ValueError, match="expected a rule whose gradients take weight=None, got mine"):
        next(training.epochs(run, (X, Y), sample_weight=np.ones(8)))
    assert next(training.epochs(run, (X, Y)))["epoch"] == 1
