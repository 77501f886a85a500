"""Regression: targets in the loop, checkpoints and scores, for spike times and leaky neurons."""

from functools import partial

import numpy as np
import pytest

from pysnn import data, learning, metrics, training
from pysnn.conventions import Sequences
from pysnn.learning import ann, surrogate, temporal
from pysnn.verify.gradcheck import gradcheck

RNG = np.random.default_rng(0)
X = RNG.uniform(0, 1, (60, 3))
Y = np.column_stack([3 * X[:, 0] * X[:, 1] + 7, 100 * np.sin(3 * X[:, 2])])
QUICK = {"epochs": 2, "backend": "reference", "dtype": "float64"}
TIMED = {**surrogate.SERIES, "loss": "squared", "model": "3-4d-R0.9-2d-I0.9", "n_steps": 6, "clip_norm": 0.0}
STILL = TIMED | {"input": "constant", "model": "3-5d-L0.9-2d-I0.9"}
CASES = {
    "temporal": ("temporal", {"model": "6-5-2", "code": "pairs", "loss": "squared", "max_norm": 0.0, "weight_sum": 0.0, "drop_in": 0.0,
                              "drop_hidden": 0.0, "bias": True}),
    **{f"surrogate, {over}": ("surrogate", STILL | {"over": over}) for over in ("mean", "last", "largest", "each")},
    "sequences": ("surrogate", TIMED | {"over": "mean"}), "proxy": ("proxy", {"model": "3-5-2", "loss": "squared", "on": "counts",
                                                                              "readout": "potential"}),
    "eprop": ("eprop", {"model": "3-4d-R0.9-2d-I0.9", "loss": "squared", "n_steps": 6, "over": "mean", "readout": "potential",
                        "on": "counts"}),
    "ann": ("ann", {"model": "3-5-2", "loss": "squared"}),
}


def started(case):
    method, chosen = CASES[case]
    run = training.start(method, learning.METHODS[method].Settings(**chosen, **QUICK, batch=10))
    timed = run.nets.settings.time_axis
    return run, X if timed is None else Sequences(np.repeat(X[:, None], 6, axis=1).astype(np.float32), np.arange(60) % 4 + 3)


def standard(y):
    return (y - y.mean(axis=0)) / y.std(axis=0)


@pytest.mark.parametrize("case", CASES)
def test_records_and_scores(case):
    run, x = started(case)
    y = standard(Y)
    records = list(training.epochs(run, (x[:40], y[:40]), (x[40:], y[40:])))
    assert run.regression and run.kind == "" and not {"train_accuracy", "val_accuracy", "train_mse"} & set(records[-1])
    values = run.rule.values(run.nets.settings, run.rule.predict(run.nets, x[40:]))
    wanted = 1 - ((values - y[40:]) ** 2).mean(axis=0) / y[40:].var(axis=0)
    assert records[-1]["val_r2"] == pytest.approx(wanted.mean()) and run.rule.score(run.nets, x[40:], y[40:]).r2 == records[-1]["val_r2"]
    assert records[-1]["val_rmse"] == pytest.approx(np.sqrt(((values - y[40:]) ** 2).mean()))
    assert 0 < records[-1]["train_rmse"] and records[-1]["train_r2"] < 1 and run.records == records


@pytest.mark.parametrize("case", ["temporal", "ann"])
def test_gradient_of_every_parameter_by_differences(case):
    run, x = started(case)
    y, params = standard(Y), run.nets.net.params
    grads = run.rule.gradients(run.nets, x, y).grads
    for name, w in params.items():
        report = gradcheck(partial(loss_at, run, (x, y), w), lambda d, cache, dw=grads[name]: [d[0, 0] * dw], [w.copy()])
        assert report.ok and report.rows[0].smooth > 5, report


def loss_at(run, samples, w, value):
    before = w.copy()
    w[...] = value
    found = run.rule.gradients(run.nets, *samples).loss
    w[...] = before
    return np.array([[found]]), None


@pytest.mark.slow
def test_learns_what_no_linear_model_can():
    """Friedman's first function: a linear model leaves a quarter of the variance."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 1, (500, 5))
    y = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]
    own = data.from_arrays(x, y)
    design = [np.column_stack([part, np.ones(len(part))]) for part in (own.x_train, own.x_test)]
    fit = np.linalg.lstsq(design[0], own.y_train, rcond=None)[0]
    assert metrics.regression(design[1] @ fit, own.y_test).r2 < 0.8
    for rule, least in ((temporal, 0.85), (surrogate, 0.9)):
        run = training.start(rule.METHOD.name, rule.settings_for(own, epochs=15))
        list(training.epochs(run, *data.held_out(own)))
        assert rule.score(run.nets, *own.test).r2 > least
        assert len(run.records) == 15 and run.records[-1]["train_r2"] > 0.85


@pytest.mark.parametrize("case", ["temporal", "surrogate, mean", "sequences"])
def test_resumed_from_a_checkpoint_with_the_same_bits(case, tmp_path):
    run, x = started(case)
    y = standard(Y)
    whole = list(training.epochs(run, (x, y)))
    half, _ = started(case)
    next(training.epochs(half, (x, y)))
    training.save(half, tmp_path / "half.npz")
    again = training.load(tmp_path / "half.npz")
    assert [r["loss"] for r in again.records] + [r["loss"] for r in training.epochs(again, (x, y))] == [r["loss"] for r in whole]
    for name, w in run.nets.net.params.items():
        np.testing.assert_array_equal(w, again.nets.net.params[name])


def test_own_loss_on_targets():
    def huber(y, target):
        off = y - target
        return np.mean(np.sqrt(1 + off ** 2)), off / np.sqrt(1 + off ** 2) / off.size

    run = training.start("ann", ann.Settings("3-20-2", loss=huber, **QUICK, lr=1e-2))
    assert not run.regression
    first, last = list(training.epochs(run, (X, standard(Y))))
    assert run.regression and last["loss"] < first["loss"] and last["train_r2"] > first["train_r2"]


def test_sample_weights_are_repeated_samples():
    run, x = started("ann")
    y, weight = standard(Y), np.arange(60) % 3
    again = np.repeat(np.arange(60), weight)
    got, ref = run.rule.gradients(run.nets, x, y, weight=weight), run.rule.gradients(run.nets, x[again], y[again])
    np.testing.assert_allclose(got.grads["w1"], ref.grads["w1"] * len(again) / 60, rtol=1e-9)
    assert np.isfinite(list(training.epochs(run, (x, y), sample_weight=weight))[-1]["train_r2"])


REFUSED = {
    "labels": (lambda: loop("ann", (X, np.arange(60) % 2 * 1.5), loss="mse"), 'expected 60 integer labels, or loss="squared" for regr'),
    "as many targets": (lambda: loop("ann", (X, Y[:, :1]), loss="squared"), "targets of train: expected numbers of shape"),
    "words": (lambda: loop("ann", (X, np.repeat("a", 60)), loss="squared"), "targets of train: expected numbers of shape"),
    "nan": (lambda: loop("ann", (X, Y * np.nan), loss="squared"), "targets of train: expected finite numbers, got nan in row 0, column 0"),
    "balanced": (lambda: loop("ann", (X, Y), loss="squared", class_weight="balanced"), "class_weight: expected none for targets"),
    "spikes": (lambda: loop("proxy", (X, Y), loss="squared"), "loss: expected outputs that do not fire for 'squared'"),
    "conversion": (lambda: loop("conversion", (X, Y), loss="squared"), "loss: expected one of labels, since conversion counts"),
}


def loop(method, pair, **chosen):
    return list(training.epochs(training.start(method, learning.METHODS[method].Settings("3-5-2", **QUICK, **chosen)), pair))


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_one_line(case):
    call, words = REFUSED[case]
    with pytest.raises((TypeError, ValueError)) as caught:
        call()
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_scores():
    y = np.array([[0.0, 5.0], [2.0, 5.0]])
    assert metrics.regression(y, y) == (1.0, 0.0)
    assert metrics.regression(np.array([[1.0, 5.0], [1.0, 5.0]]), y) == (0.5, pytest.approx(np.sqrt(0.5)))
    assert metrics.regression(np.array([[1.0, 4.0], [1.0, 4.0]]), y) == (0.0, 1.0)           # a constant target that is missed counts 0
