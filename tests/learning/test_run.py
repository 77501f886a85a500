"""A run: where it ends, what it goes on with, what it may begin with, and its copies."""

import copy
import pickle
import sys
from dataclasses import replace

import numpy as np
import pytest

from pysnn import data, training
from pysnn.datasets._rows import Rows
from pysnn.learning import METHODS, ann, proxy, temporal
from tests.cases import learning

RNG = np.random.default_rng(0)
X, Y = RNG.uniform(0, 1, (60, 4)), np.arange(60) % 3
TRAIN, VALIDATION = (X[:40], Y[:40]), (X[40:], Y[40:])
SCORES = [0.1, 0.4, 0.2, 0.4, 0.3, 0.2, 0.9, 0.1, 0.0, 0.5]        # that validation is made to have, epoch by epoch


def begin(seed=0, **chosen):
    return training.start("ann", ann.Settings(**{"model": "4-6-3", "batch": 20, "epochs": 10, "backend": "reference"} | chosen), seed)


def scripted(monkeypatch, run):
    """Let validation have SCORES, and note the weights after each epoch, before they are changed."""
    seen = {}

    def score(nets, x, y):
        seen[run.epoch] = {name: w.copy() for name, w in nets.net.params.items()}
        return ann.METHOD.accuracy(np.zeros((1, 3)), np.zeros(1, int))._replace(expected=SCORES[run.epoch - 1])

    method = type("Scripted", (type(run.rule),), {"score": lambda self, nets, x, y: score(nets, x, y)})
    run.rule = method(*run.rule)
    return seen


def bits(run):
    return {name: w.tobytes() for part in (run.nets.net.params, run.nets.state, run.optimiser.state) for name, w in part.items()}


# ---- patience

@pytest.mark.parametrize("patience, end, best", [(1, 3, 2), (3, 5, 2), (4, 6, 2), (5, 10, 7), (9, 10, 7)])
def test_patience_ends_a_run_with_the_best_weights(patience, end, best, monkeypatch):
    run = begin(patience=patience)
    seen = scripted(monkeypatch, run)
    records = list(training.epochs(run, TRAIN, VALIDATION))
    assert run.epoch == len(records) == training.ended(run) == end and records[-1]["best_epoch"] == best
    assert all((w == seen[best][name]).all() and (best == end or (w != seen[end][name]).any()) for name, w in run.nets.net.params.items())
    assert list(training.epochs(run, TRAIN, VALIDATION)) == []


def test_without_patience_the_last_weights_stay(monkeypatch):
    run = begin()
    seen = scripted(monkeypatch, run)
    assert "best_epoch" not in list(training.epochs(run, TRAIN, VALIDATION))[-1]
    assert all((w == seen[10][name]).all() for name, w in run.nets.net.params.items())


@pytest.mark.parametrize("chosen", [{}, {"average": 0.9}, {"optimiser": "nesterov"}], ids=str)
def test_stopped_at_any_epoch_and_read_again_it_ends_with_the_same_bits(chosen, tmp_path):
    straight = begin(patience=2, **chosen)
    list(training.epochs(straight, TRAIN, VALIDATION, more=3))
    assert training.ended(straight) + 3 == straight.epoch
    run = begin(patience=2, **chosen)
    training.save(run, tmp_path / "run.npz")
    for _ in range(straight.epoch):
        run = training.load(tmp_path / "run.npz")
        next(training.epochs(run, TRAIN, VALIDATION, more=3))
        training.save(run, tmp_path / "run.npz")
    assert bits(training.load(tmp_path / "run.npz")) == bits(straight)


def test_patience_needs_validation_samples():
    with pytest.raises(ValueError, match="patience: expected validation samples"):
        next(training.epochs(begin(patience=1), TRAIN))


# ---- the metric

def test_patience_watches_the_metric_if_there_is_one():
    values = iter([3.0, 5.0, 4.0, 4.5])
    run = begin(patience=2, metric=lambda outputs, labels: next(values))
    records = list(training.epochs(run, TRAIN, VALIDATION))
    assert [r["val_metric"] for r in records] == [3.0, 5.0, 4.0, 4.5] and records[-1]["best_epoch"] == 2


def test_a_metric_gets_outputs_and_labels():
    seen = []
    run = begin(epochs=1, metric=lambda outputs, labels: seen.append((outputs, labels)) or 0)
    list(training.epochs(run, TRAIN, VALIDATION))
    assert (seen[0][0] == ann.predict(run.nets, VALIDATION[0])).all() and (seen[0][1] == VALIDATION[1]).all()


@pytest.mark.parametrize("made", [None, np.nan, np.ones(2), "0.5"])
def test_a_metric_that_returns_no_number(made):
    with pytest.raises((TypeError, ValueError), match=r"metric: expected <lambda> to return a finite number"):
        next(training.epochs(begin(metric=lambda outputs, labels: made), TRAIN, VALIDATION))


# ---- more epochs

def test_more_epochs_at_the_last_rate():
    calls = []
    run = begin(epochs=2, schedule=lambda step, n, lr, lr_end: calls.append((step, n)) or lr / (1 + step))
    list(training.epochs(run, TRAIN))
    assert [r["epoch"] for r in training.epochs(run, TRAIN, more=2)] == [3, 4]
    assert calls == [(0, 4), (1, 4), (2, 4), (3, 4)] + [(3, 4)] * 4                  # never one beyond the end
    assert [r["epoch"] for r in training.epochs(run, TRAIN, more=2)] == []           # counted from the end
    both = begin(epochs=2, schedule=lambda step, n, lr, lr_end: lr / (1 + step))
    list(training.epochs(both, TRAIN, more=2))
    assert bits(both) == bits(run)


def test_more_epochs_of_none():
    run = begin(epochs=0)
    assert [r["lr"] for r in training.epochs(run, TRAIN, more=1)] == [run.nets.settings.lr]
    with pytest.raises((TypeError, ValueError), match="more: expected a whole number"):
        next(training.epochs(run, TRAIN, more=-1))


# ---- what stays, and what decays

@pytest.mark.parametrize("method", ["temporal", "proxy", "surrogate"])
@pytest.mark.parametrize("freeze, still", [("w1", {"w1"}), (1, {"w1", "b1"}), ("w2,b1", {"w2", "b1"})])
def test_frozen_parameters_stay(method, freeze, still):
    s = METHODS[method].Settings(model="4-6-3", bias=True, epochs=1, batch=20, backend="reference", freeze=freeze)
    if method == "temporal":                         # has its biases in the weights
        s, still = replace(s, freeze=str(freeze).removesuffix(",b1")), {name for name in still if name != "b1"}
    run = training.start(method, s)
    before = {name: w.copy() for name, w in run.nets.net.params.items()}
    list(training.epochs(run, TRAIN))
    assert {name for name, w in run.nets.net.params.items() if (w == before[name]).all()} == still


@pytest.mark.parametrize("chosen, said", [
    ({"freeze": "w3"}, "freeze: expected some of w1, w2, got 'w3'"), ({"freeze": 3}, "freeze: expected some of w1, w2, got '3'"),
    ({"freeze": ["w1"]}, "freeze: expected names of parameters"), ({"freeze": True}, "freeze: expected names of parameters"),
    ({"weight_decay": {"w3": 1.0}}, "weight_decay: expected some of w1, w2, got 'w3'"),
    ({"weight_decay": {"w1": -1.0}}, "weight_decay: expected a number from 0"),
    ({"weight_decay": {"w1": "a"}}, "weight_decay: expected a number from 0"), ({"lr": {"w1": 1.0}}, "lr: expected a number from")])
def test_parameters_that_there_are_not(chosen, said):
    with pytest.raises(ValueError, match=said):
        begin(**chosen)


@pytest.mark.parametrize("method, name", [("ann", "weight_decay"), ("temporal", "l2")])
def test_decay_by_parameter(method, name):
    def step(value):
        s = METHODS[method].Settings(model="4-6-3", backend="reference", dtype="float64", **{name: value})
        run = training.start(method, s)
        return run, run.rule.gradients(run.nets, *TRAIN)

    (run, none), (_, all_), (_, some) = step(0.0), step(0.3), step({"w2": 0.3})
    (_, both) = step({"w1": 0.3, "w2": 0.3})
    assert both.loss == all_.loss and all((both.grads[w] == all_.grads[w]).all() for w in both.grads)
    assert (some.grads["w1"] == none.grads["w1"]).all() and (some.grads["w2"] == all_.grads["w2"]).all()
    half = 0.5 if method == "ann" else 1.0
    assert some.loss == pytest.approx(none.loss + 0.3 * half * (run.nets.net.params["w2"] ** 2).sum())
    again = pickle.loads(pickle.dumps(step({"w2": 0.3})[0]))
    assert getattr(again.nets.settings, name) == {"w2": 0.3}


# ---- the same data, or none

def other(x):
    x = x.copy()
    x.flat[-1] = 1 - x.flat[-1] if x.dtype.kind == "f" else (x.flat[-1] + 1) % 3
    return x


@pytest.mark.parametrize("train, validation, weight, said", [
    ((other(X[:40]), Y[:40]), VALIDATION, None, "train: expected what this run began with"),
    ((X[:40], other(Y[:40])), VALIDATION, None, "train: expected"), ((X[:39], Y[:39]), VALIDATION, None, "train: expected"),
    ((X[:40].astype(np.float32), Y[:40]), VALIDATION, None, "train: expected"),
    (TRAIN, (other(X[40:]), Y[40:]), None, "validation: expected"), (TRAIN, VALIDATION, np.arange(40.0), "sample_weight: expected"),
])
def test_other_data_are_refused(train, validation, weight, said, tmp_path):
    run = begin(patience=3)
    next(training.epochs(run, TRAIN, VALIDATION))
    training.save(run, tmp_path / "run.npz")
    for again in (run, training.load(tmp_path / "run.npz"), copy.deepcopy(run)):
        before = bits(again)
        with pytest.raises(ValueError, match=said + r".*SHA-256 \w+\), got something else .*start\(\.\.\., weights=run\)"):
            next(training.epochs(again, train, validation, sample_weight=weight))
        assert bits(again) == before and again.epoch == 1


def test_sample_weights_are_not_forgotten():
    run, weight = begin(), np.arange(40.0)
    next(training.epochs(run, TRAIN, sample_weight=weight))
    with pytest.raises(ValueError, match=r"sample_weight: expected what this run began with \(SHA-256 \w+\), got something else \(none\)"):
        next(training.epochs(run, TRAIN))
    next(training.epochs(run, TRAIN, VALIDATION, sample_weight=2 * weight))          # only ratios matter; validation changes nothing
    assert run.epoch == 2


def test_other_data_if_that_is_wanted():
    run = begin()
    next(training.epochs(run, TRAIN))
    del run.data["samples"]
    next(training.epochs(run, (X, Y)))
    next(training.epochs(run, (X, Y)))
    assert run.epoch == 3


def test_before_the_first_epoch_data_may_change():
    run = begin()
    with pytest.raises(ValueError, match="labels"):
        next(training.epochs(run, (X, Y + 1)))
    next(training.epochs(run, (X[:20], Y[:20])))
    assert run.epoch == 1


def test_samples_on_disk_are_known_again(tmp_path):
    np.save(tmp_path / "x.npy", RNG.integers(0, 256, (50, 4), dtype=np.uint8))
    rows = Rows(np.load(tmp_path / "x.npy", mmap_mode="r"), np.arange(50))
    run = begin()
    next(training.epochs(run, (rows, np.arange(50) % 3)))
    next(training.epochs(run, (rows, np.arange(50) % 3)))
    with pytest.raises(ValueError, match="train: expected"):
        next(training.epochs(run, (rows.of(np.arange(49, -1, -1)), np.arange(50) % 3)))


# ---- weights of another run

def test_weights_of_another_run():
    old = begin(model="4-6-5-3")
    next(training.epochs(old, TRAIN))
    same = training.start("ann", old.nets.settings, 1, weights=old)
    assert all((w == old.nets.net.params[name]).all() for name, w in same.nets.net.params.items()) and same.epoch == 0
    few = training.start("ann", replace(old.nets.settings, model=old.nets.settings.model.with_outputs(2)), 1, weights=old)
    fresh = training.start("ann", few.nets.settings, 1)
    given, drawn = few.nets.net.params, fresh.nets.net.params
    assert all((given[name] == old.nets.net.params[name]).all() for name in ("w1", "w2")) and (given["w3"] == drawn["w3"]).all()
    next(training.epochs(few, (X, Y % 2)))
    assert len(few.data["weights"]) == 64 and not np.shares_memory(given["w1"], old.nets.net.params["w1"])


def test_running_statistics_come_along_and_the_count_of_epochs_does_not():
    old = learning.begin("proxy")
    next(training.epochs(old, learning.images()))
    run = training.start("proxy", old.nets.settings, 1, weights=old)
    assert (run.nets.state["mean1"] == old.nets.state["mean1"]).all() and old.nets.state["mean1"].any()
    assert run.nets.state["n_epochs"] == 0 < old.nets.state["n_epochs"]


def test_whitening_of_a_shipped_network_stays():
    old = training.load("fashion-fast")
    run = training.start("proxy", replace(old.nets.settings, model=old.nets.settings.model.with_outputs(3), epochs=1), weights=old)
    next(training.epochs(run, (RNG.integers(0, 256, (6, 28, 28)).astype(np.uint8), np.arange(6) % 3)))
    assert (run.nets.state["filter0"] == old.nets.state["filter0"]).all() and old.nets.state["filter0"].any()


@pytest.mark.parametrize("model", ["4-7-3", "4-6-6-3", "5-6-3"])
def test_weights_that_do_not_fit(model):
    with pytest.raises(ValueError, match=r"weights: expected w\d of shape .* for model .*, got .* of model 4-6-3"):
        training.start("ann", ann.Settings(model=model), weights=begin())


# ---- copies

def test_a_run_with_functions_without_a_file_copies():
    run = begin(loss=lambda y, labels: (float((y ** 2).mean()), 2 * y / y.size), average=0.5, patience=3)
    next(training.epochs(run, TRAIN, VALIDATION))
    copies = [copy.copy(run), copy.deepcopy(run)]
    next(training.epochs(run, TRAIN, VALIDATION))
    for made in copies:
        assert made.epoch == 1 and made.nets.settings is run.nets.settings
        next(training.epochs(made, TRAIN, VALIDATION))
        assert bits(made) == bits(run) and made.rng.bit_generator.state == run.rng.bit_generator.state
    with pytest.raises(ValueError, match="expected an object that stands in a file under a name of its own"):
        pickle.dumps(run)


def square(y, labels):
    return float((y ** 2).mean()), 2 * y / y.size


def test_a_run_with_functions_of_a_file_pickles_in_the_middle():
    run = begin(loss=square, metric=lowest, patience=5)
    next(training.epochs(run, TRAIN, VALIDATION))
    other = pickle.loads(pickle.dumps(run))
    for one in (run, other):
        list(training.epochs(one, TRAIN, VALIDATION))
    assert bits(other) == bits(run) and other.nets.settings.metric is lowest
    assert [r["val_metric"] for r in other.records] == [r["val_metric"] for r in run.records]


def lowest(outputs, labels):
    return outputs.min()


def test_a_frame_needs_pandas(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="to_frame needs pandas: pip install pandas"):
        begin().to_frame()


# ---- what is said of the data

def test_a_run_says_what_data_it_was_begun_with():
    own = data.from_arrays(X * 8 - 3, np.array(["a", "b", "c"])[Y], name="mine")
    said = training.start("temporal", temporal.settings_for(own), data=own).data
    assert (said["name"], said["kind"], said["classes"]) == ("mine", "points", ["a", "b", "c"]) and len(said["scale"]["low"]) == 4
    pictures = data.from_arrays(RNG.integers(0, 256, (30, 9, 9)).astype(np.uint8), np.arange(30) % 2)
    assert pictures.words["scale"] == {"low": 0.0, "span": 255.0}
    given = {"name": "x"}
    run = training.start("proxy", proxy.Settings(model="4-6-3"), data=given)
    next(training.epochs(run, TRAIN))
    assert given == {"name": "x"} and run.data["name"] == "x"
