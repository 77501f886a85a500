"""The classifier of sequences: layouts, lengths and padding, its scale, scikit-learn's tools, bad input."""

import copy
import pickle
import re
import warnings

import numpy as np
import pytest

from pysnn import data, training
from pysnn.conventions import Sequences
from pysnn.estimators import SpikingClassifier
from pysnn.learning import surrogate

SMALL = {"hidden": 12, "epochs": 3, "random_state": 0}


def races(n=60, seed=0, longest=14):
    """Draw sequences of 8 steps or more in which one of two channels is high first, in units as different as in life."""
    rng = np.random.default_rng(seed)
    lengths, y = rng.integers(8, longest + 1, n), rng.integers(0, 2, n)
    found = []
    for b in range(n):
        x = rng.normal(0, 0.1, (lengths[b], 2))
        first = rng.integers(0, lengths[b] - 4)
        x[first, y[b]] += 2
        x[first + rng.integers(1, 4), 1 - y[b]] += 2
        found.append(x * [1e-3, 1e4] + [5, -7e4])
    return found, np.array(["left", "right"])[y]


def padded(found, n_steps, fill):
    x = np.full((len(found), n_steps, 2), fill)
    for b, one in enumerate(found):
        x[b, :len(one)] = one
    return Sequences(x, np.array([len(one) for one in found]))


@pytest.fixture(scope="module")
def fitted():
    return SpikingClassifier(**SMALL).fit(*races())


def test_learns_an_order_whatever_the_units():
    model = SpikingClassifier(hidden=16, epochs=12, lr=2e-2, random_state=0).fit(*races(200))
    assert model.score(*races(200, 1)) > 0.9
    assert list(model.classes_) == ["left", "right"] and model.n_features_in_ == 2 and len(model.records_) == 12
    p = model.predict_proba(races(5, 2)[0])
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert (model.predict(races(5, 2)[0]) == model.classes_[p.argmax(axis=1)]).all()


def test_padding_changes_no_bit(fitted):
    """Neither in fit nor in predict, whatever stands behind the end."""
    found, y = races()
    other = SpikingClassifier(**SMALL).fit(padded(found, 30, np.nan), y)
    assert all((other.weights_[name] == w).all() for name, w in fitted.weights_.items()) and len(other.weights_) > 3
    ref = fitted.predict_proba(found)
    for x in (padded(found, 14, 0.0), padded(found, 40, 1e300), np.array(found, object), tuple(x.tolist() for x in found)):
        assert np.array_equal(fitted.predict_proba(x), ref)
    alone = np.concatenate([fitted.predict_proba([x]) for x in found])
    np.testing.assert_allclose(alone, ref, rtol=1e-9)


def test_equal_lengths_are_an_array_and_lengths_may_differ_from_those_of_fit(fitted):
    found = [x[:8] for x in races()[0]]
    assert np.array_equal(fitted.predict_proba(np.stack(found)), fitted.predict_proba(found))
    assert fitted.predict_proba(np.ones((3, 50, 2))).shape == (3, 2) and fitted.predict([np.ones((1, 2))]).shape == (1,)
    assert not isinstance(fitted.intensities(found), Sequences) and isinstance(fitted.intensities(races()[0]), Sequences)


def test_one_channel():
    found, y = races(30)
    x = np.stack([x[:8, 0] for x in found])
    model, other = SpikingClassifier(**SMALL).fit(x, y), SpikingClassifier(**SMALL).fit(x[:, :, None], y)
    assert model.n_features_in_ == 1 and np.array_equal(model.predict_proba(x), other.predict_proba(list(x)))
    ragged = [x[:, 0] for x in found]
    assert SpikingClassifier(**SMALL).fit(ragged, y).n_features_in_ == 1


def test_channels_are_standardised_over_the_steps_that_there_are(fitted):
    steps = np.concatenate(races()[0])
    np.testing.assert_allclose([fitted.mean_, fitted.std_], [steps.mean(axis=0), steps.std(axis=0)], rtol=1e-9)
    x = np.array([[[5.0, -7e4], [1e300, -1e300]]])
    np.testing.assert_array_equal(fitted.intensities(x)[0, 1], [10, -10])
    assert fitted.intensities(x)[0, 0] == pytest.approx((x[0, 0] - fitted.mean_) / fitted.std_)
    flat = SpikingClassifier(**SMALL).fit([[[3.0, 1]] * 4, [[3.0, 2]] * 4], [0, 1])
    assert flat.std_.tolist() == [1, 0.5] and flat.mean_.tolist() == [3, 1.5]


@pytest.mark.parametrize("kind", [np.uint8, bool, np.float32, int])
def test_spikes_are_not_scaled(kind):
    x = (np.random.default_rng(0).random((20, 9, 3)) < 0.2).astype(kind)
    model = SpikingClassifier(**SMALL).fit(x, np.arange(20) % 2)
    assert np.array_equal(model.intensities(x), x) and model.settings_.dtype == ("float64" if kind is int else "float32")


def test_it_is_the_loop_of_training(fitted):
    found, y = races()
    run = training.start("surrogate", fitted.settings_, 0)
    list(training.epochs(run, (fitted.intensities(found), np.searchsorted(["left", "right"], y))))
    assert all(np.array_equal(run.nets.net.params[name], w) for name, w in fitted.weights_.items())
    out = surrogate.predict(fitted.nets(), fitted.intensities(found))
    p = np.exp(out)
    np.testing.assert_allclose(fitted.predict_proba(found), p / p.sum(axis=1, keepdims=True), rtol=1e-6)
    assert fitted.settings_.model == "2-12d-R0.95-2d-I0.95"


def test_parameters_pickle_and_copy(fitted):
    assert repr(SpikingClassifier(beta=0.5)) == "SpikingClassifier(beta=0.5)"
    model = SpikingClassifier(random_state=0).set_params(hidden=[4, 3], beta=np.float32(0.5), epochs=1).fit(*races(8))
    assert model.settings_.model == "2-4d-R0.5-3d-R0.5-2d-I0.5"
    for other in (pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted)):
        assert np.array_equal(other.predict_proba(races()[0]), fitted.predict_proba(races()[0]))


def test_in_a_search():
    pytest.importorskip("sklearn")
    from sklearn.base import clone, is_classifier
    from sklearn.model_selection import GridSearchCV
    from sklearn.utils import get_tags
    found, y = races(30)
    model = SpikingClassifier(hidden=4, epochs=1, random_state=0)
    assert is_classifier(model) and clone(model).get_params() == model.get_params()
    assert get_tags(model).input_tags.three_d_array and not get_tags(model).input_tags.two_d_array
    for x in (found, np.stack([x[:8] for x in found])):
        search = GridSearchCV(model, {"beta": [0.5, 0.9]}, cv=2, error_score="raise").fit(x, y)
        assert search.best_estimator_.n_features_in_ == 2 and search.best_score_ > 0


X, Y = np.arange(24.0).reshape(4, 3, 2), [0, 1, 0, 1]
BAD = [
    (X[0, 0], Y, "X: expected sequences (N, T, n), or (N, T) of one channel, or a list of arrays (T, n), got an array of shape (2,)"),
    (X[None], Y, "or a list of arrays (T, n), got an array of shape (1, 4, 3, 2)"),
    (X[:0], [], "X: expected sequences (N, T, n)"),
    (X[:, :0], Y, "X: expected sequences (N, T, n)"),
    ([], [], "X: expected at least one sequence, got none"),
    ([1.0, 2.0], [0, 1], "X[0]: expected a sequence (T, n), or (T,) of one channel, got an array of shape ()"),
    ([X, X], [0, 1], "X[0]: expected a sequence (T, n), or (T,) of one channel, got an array of shape (4, 3, 2)"),
    ([X[0], X[1, :0]], [0, 1], "X[1]: expected at least one step and one channel, got an array of shape (0, 2)"),
    ([X[0], X[1, :, :1]], [0, 1], "X: expected as many channels in all sequences, got shapes (3, 2) and, in X[1], (3, 1); is time"),
    ([X[0], X[0, :2, :1]], [0, 1], "X: expected as many channels in all sequences, got shapes (3, 2) and, in X[1], (2, 1)"),
    ([["a", "b"], ["c", "d"]], [0, 1], "X[0]: expected numbers, got list ['a', 'b']"),
    (X * 1j, Y, "X: expected numbers, got an array of shape (4, 3, 2) and dtype complex128"),
    (np.where(X == 7, np.nan, X), Y, "X: expected finite numbers, got nan in sample 1 at (0, 1)"),
    ([X[0], X[1] * np.inf], [0, 1], "X: expected finite numbers, got inf in sample 1 at (0, 0)"),
    (np.where(X == 7, 1e308, np.where(X == 9, -1e308, X)), Y, "X: expected channels whose standard deviation is a float64 number"),
    (X, Y[:3], "y: expected 4 class labels, one a sample, got an array of shape (3,)"),
    (X, None, "y: expected 4 class labels, one a sample, got NoneType None"),
    (X, [0.5, 1, 0, 1], "y: expected class labels, whole numbers or strings"),
    (X, [1] * 4, "y: expected 2 classes or more, got 1 class, 1"),
]


@pytest.mark.parametrize("x, y, said", BAD, ids=[row[2][:70] for row in BAD])
def test_bad_input(x, y, said):
    model = SpikingClassifier(**SMALL)
    with pytest.raises(ValueError) as caught:
        model.fit(x, y)
    assert said in str(caught.value) and "\n" not in str(caught.value)
    assert not [name for name in vars(model) if name.endswith("_")]


@pytest.mark.parametrize("x, said", [
    (np.ones((3, 8, 1)), "X: expected 2 channels, got 1: an array of shape (3, 8, 1)"),
    (np.ones((3, 2, 8)), "X: expected 2 channels, got 8: an array of shape (3, 2, 8) and dtype float64; is time the last axis?"),
    (np.ones((3, 8)), "X: expected 2 channels, got 1"),
    ([x.T for x in races(3)[0]], "is time the last axis? It must be the first"),
    (np.full((3, 8, 2), np.nan), "X: expected finite numbers, got nan in sample 0 at (0, 0)")])
def test_bad_input_of_predict(fitted, x, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        fitted.predict(x)
    with pytest.raises(ValueError, match=r"^y: expected 60 labels, got 3$"):
        fitted.score(races()[0], [0, 1, 2])


@pytest.mark.parametrize("params, said", [
    ({"beta": 1.1}, "beta: expected a number from 0 to 1, got float 1.1"), ({"beta": -0.1}, "beta: expected a number from 0 to 1"),
    ({"beta": "0.9"}, "beta: expected a number from 0 to 1, got str '0.9'"), ({"beta": float("nan")}, "beta: expected a number"),
    ({"hidden": 0}, "hidden: expected a whole number of at least 1, got int 0"), ({"lr": -1}, "lr: expected a number from 1e-12"),
    ({"epochs": 1.5}, "epochs: expected a whole number, got 1.5")])
def test_bad_parameters(params, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        SpikingClassifier(**{**SMALL, **params}).fit(X, Y)


def test_not_fitted():
    with pytest.raises(ValueError, match="SpikingClassifier: expected fit to be called first"), warnings.catch_warnings(action="error"):
        SpikingClassifier().predict(X)


def test_a_checkpoint_becomes_a_classifier_of_sequences():
    rng = np.random.default_rng(0)
    x, y = 5 + 3 * rng.normal(size=(24, 9, 2)), np.arange(24) % 2
    own = data.from_series(x, y)
    run = training.start("surrogate", surrogate.settings_for(own, epochs=1, backend="reference"), data=own)
    list(training.epochs(run, *data.held_out(own)))
    model = SpikingClassifier.from_checkpoint(run)
    outputs = surrogate.predict(run.nets, own.scaled(x))
    assert (model.predict(x) == outputs.argmax(axis=1)).all() and model.n_features_in_ == 2
    np.testing.assert_allclose(np.ptp(np.log(model.predict_proba(x)), axis=1), np.ptp(outputs, axis=1), rtol=1e-3)
