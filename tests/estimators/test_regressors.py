"""The regressors in the style of scikit-learn, and weights of samples and classes of all estimators."""

import warnings

import numpy as np
import pytest

from pysnn.estimators import ProxyClassifier, SpikingClassifier, SpikingRegressor, SurrogateRegressor, TemporalClassifier, TemporalRegressor
from tests.cases.estimators import checks

KINDS = [TemporalRegressor, SurrogateRegressor]
SMALL = {"hidden": 10, "epochs": 4, "random_state": 0}
RNG = np.random.default_rng(0)
X = RNG.uniform(-1, 1, (120, 2)) * [3, 1e4]
Y = 50 + X[:, 0] * X[:, 1] / 30              # a linear model explains next to nothing of it
both = pytest.mark.parametrize("kind", KINDS)


@pytest.mark.slow
@pytest.mark.parametrize("model, check", checks(*(kind(hidden=20, epochs=20) for kind in KINDS)))
def test_scikit_learns_checks(model, check):
    check(model)


@pytest.mark.parametrize("model, check", checks(SurrogateRegressor(hidden=5, epochs=20))[::9])
def test_some_of_scikit_learns_checks(model, check):
    check(model)


@both
def test_learns_whatever_the_units(kind):
    model = kind(random_state=0).fit(X[:80], Y[:80])
    assert model.score(X[80:], Y[80:]) > 0.7 and np.linalg.lstsq(X, Y - Y.mean(), rcond=None)[1][0] > 0.9 * ((Y - Y.mean()) ** 2).sum()
    assert model.predict(X[80:]).shape == (40,) and abs(model.y_mean_ - 50) < 100 and model.y_std_ == pytest.approx(Y[:80].std())
    assert len(model.records_) == 50 and model.records_[-1]["train_r2"] > model.records_[0]["train_r2"]


@both
def test_several_targets_and_shapes(kind):
    both_targets = np.column_stack([Y, X[:, 0]])
    model = kind(**SMALL).fit(X, both_targets)
    assert model.predict(X[:5]).shape == (5, 2) and model.y_std_.shape == (2,) and model.settings_.model.shapes[-1] == (2,)
    r2 = [1 - ((model.predict(X) - both_targets) ** 2).mean(axis=0)[k] / both_targets[:, k].var() for k in range(2)]
    assert model.score(X, both_targets) == pytest.approx(np.mean(r2))
    column = kind(**SMALL).fit(X, Y[:, None])
    assert column.predict(X[:5]).shape == (5, 1)
    np.testing.assert_array_equal(column.predict(X)[:, 0], kind(**SMALL).fit(X, Y).predict(X))


@both
def test_score_is_that_of_scikit_learn(kind):
    scores = pytest.importorskip("sklearn.metrics")
    model, weight = kind(hidden=5, epochs=2, random_state=0).fit(X, Y), RNG.uniform(0, 2, 120)
    assert model.score(X, Y, weight) == pytest.approx(scores.r2_score(Y, model.predict(X), sample_weight=weight))
    assert kind(hidden=5, epochs=2, random_state=0).fit(X, np.full(120, 3.0)).predict(X).shape == (120,)       # a constant target


REFUSED = [
    (X, None, "y"), (X, np.where(np.arange(120) == 7, np.nan, Y), "y"), (X, Y[:-1], "expected|inconsistent"),
    (X, np.repeat("a", 120), "y: expected 120 targets, numbers, got"), (X, np.zeros((120, 0)), "y|0 feature"),
]


@both
@pytest.mark.parametrize("without", [False, True])
@pytest.mark.parametrize("x, y, said", REFUSED, ids=range(len(REFUSED)))
def test_refused(kind, x, y, said, without, request):
    if without:
        request.getfixturevalue("alone")
    model = kind(**SMALL)
    with pytest.raises(ValueError, match=said):
        model.fit(x, y)
    assert not [name for name in vars(model) if name.endswith("_")]
    with pytest.raises(ValueError, match="expected fit to be called first"):
        model.predict(x)


@both
def test_the_same_network_with_and_without_scikit_learn(kind, request):
    pytest.importorskip("sklearn")
    there = kind(**SMALL).fit(X, Y, np.arange(120.0)).predict(X)
    request.getfixturevalue("alone")
    np.testing.assert_array_equal(kind(**SMALL).fit(X.tolist(), Y.tolist(), list(range(120))).predict(X), there)


def test_sequences():
    """The target is the mean of a sequence behind a sign, whatever its length."""
    x = [RNG.normal(0, 0.3, (n, 1)) + RNG.choice([-1, 1]) for n in RNG.integers(8, 14, 150)]
    y = np.array([10 + 4 * abs(one.mean()) * np.sign(one.mean()) for one in x])
    model = SpikingRegressor(hidden=10, epochs=8, random_state=0).fit(x[:100], y[:100])
    assert model.score(x[100:], y[100:]) > 0.9 and model.settings_.loss == "squared"
    with pytest.raises(ValueError, match="y: expected 2 targets"):
        model.fit(x[:2], ["a", "b"])


# ---- weights of samples and classes

def clouds(n=90):
    y = np.arange(n) % 3
    return np.array([[0, 0], [1, 0], [0, 1]])[y] + RNG.normal(0, 0.5, (n, 2)), y


@pytest.mark.parametrize("kind", [TemporalClassifier, ProxyClassifier])
def test_weights_of_samples_and_classes(kind):
    x, y = clouds()
    plain, ones = kind(**SMALL).fit(x, y), kind(**SMALL).fit(x, y, np.full(90, 2.5))
    np.testing.assert_array_equal(plain.predict_proba(x), ones.predict_proba(x))
    of_one = kind(**SMALL, class_weight={0: 100.0}).fit(x, y)
    by_samples = kind(**SMALL).fit(x, y, np.where(y == 0, 100.0, 1.0))
    np.testing.assert_array_equal(of_one.predict_proba(x), by_samples.predict_proba(x))
    assert (of_one.predict(x) == 0).mean() > (plain.predict(x) == 0).mean() + 0.1
    rare = np.concatenate([np.flatnonzero(y == 0)[:4], np.flatnonzero(y > 0)])
    fair = kind(**SMALL, class_weight="balanced").fit(x[rare], y[rare])
    weight = (len(rare) / (3 * np.bincount(y[rare])))[y[rare]]
    np.testing.assert_array_equal(fair.predict_proba(x), kind(**SMALL).fit(x[rare], y[rare], weight).predict_proba(x))
    assert fair.score(x, y, np.where(y == 0, 1.0, 0.0)) == (fair.predict(x)[y == 0] == 0).mean()


def test_weights_of_sequences():
    x, y = RNG.normal(size=(30, 5, 2)), np.arange(30) % 2
    model = SpikingClassifier(hidden=5, epochs=1, random_state=0)
    weighted = model.fit(x, y, np.where(y == 0, 1.0, 0.0)).weights_["w1"]
    assert not np.array_equal(weighted, model.fit(x, y).weights_["w1"])


WEIGHTS = [
    ({}, [1.0, -1.0, 1.0], "sample_weight: expected finite numbers, none below 0, got -1"),
    ({}, [1.0, np.nan, 1.0], "sample_weight: expected finite numbers, none below 0, got nan"),
    ({}, [1.0, 1.0], "sample_weight: expected 3 numbers, one a sample, got an array of shape (2,)"),
    ({}, ["a", "b", "c"], "sample_weight: expected 3 numbers, got list"),
    ({}, [0, 0, 0], "sample_weight: expected some above 0, got zero for each sample"),
    ({"class_weight": "equal"}, None, "class_weight: expected None, 'balanced', or a dict of classes and weights, got str 'equal'"),
    ({"class_weight": {7: 1.0}}, None, "class_weight: expected classes of y, 0, 1, got 7"),
]


@pytest.mark.parametrize("params, weight, said", WEIGHTS, ids=[row[2][:50] for row in WEIGHTS])
def test_weights_that_are_refused(params, weight, said):
    with pytest.raises(ValueError) as caught:
        TemporalClassifier(**SMALL, **params).fit([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0]], [0, 1, 1], weight)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_in_a_search():
    pytest.importorskip("sklearn")
    from sklearn.base import is_regressor
    from sklearn.model_selection import GridSearchCV

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        search = GridSearchCV(TemporalRegressor(**SMALL), {"hidden": [5, 30]}, cv=3).fit(X, Y, sample_weight=np.ones(120))
    assert is_regressor(search.best_estimator_) and search.best_score_ > -1
