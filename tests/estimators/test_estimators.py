"""The classifiers in the style of scikit-learn: its own checks, the same loop as everywhere, and life without scikit-learn."""

import copy
import os
import pickle
import re
import subprocess
import sys
import warnings

import numpy as np
import pytest

from pysnn import data, training
from pysnn.estimators import ProxyClassifier, TemporalClassifier
from pysnn.learning import proxy, temporal
from tests.cases import ROOT
from tests.cases.estimators import checks

KINDS = [TemporalClassifier, ProxyClassifier]
X, Y = [[0.0, 1.0], [1.0, 0.0], [2.0, 2.0]], [0, 1, 1]
SMALL = {"hidden": 20, "epochs": 20, "random_state": 0}
both = pytest.mark.parametrize("kind", KINDS)


@pytest.mark.parametrize("model, check", checks(TemporalClassifier(hidden=20, epochs=20)))
def test_scikit_learns_checks(model, check):
    """What the two share is checked by one of them; the other is among the slow tests."""
    check(model)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*layer [12] cannot learn")         # where weights leave one class
@pytest.mark.parametrize("model, check", checks(*(kind() for kind in KINDS)))
def test_scikit_learns_checks_of_the_defaults(model, check):
    check(model)


def three_clouds(n=90, seed=0):
    """Draw n points in three clouds, in units as different as in life."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    return (np.array([[0, 0], [3, 0], [0, 3]])[y] + rng.normal(0, 0.4, (n, 2))) * [1e-3, 1e4] + [5, -7e4], np.array(["a", "b", "c"])[y]


def test_importing_and_fitting_needs_neither_scikit_learn_nor_numba():
    code = ("import sys; sys.modules['sklearn'] = sys.modules['numba'] = sys.modules['scipy'] = None\n"
            "from pysnn.estimators import ProxyClassifier, TemporalClassifier\n"
            "x = [[0, 0], [0, 1], [5, 5], [5, 6]] * 5; y = ['low', 'low', 'high', 'high'] * 5\n"
            "for kind in (ProxyClassifier, TemporalClassifier):\n"
            "    m = kind(hidden=20, epochs=20, random_state=0).fit(x, y); print(m.score(x, y), m.predict([[0, 0.5]]), m.classes_)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["1.0 ['low'] ['high' 'low']"] * 2


def test_importing_loads_nothing_heavy():
    code = "import pysnn.estimators, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    loaded = set(done.stdout.split())
    assert "pysnn.estimators" in loaded and not {"sklearn", "scipy", "numba", "pandas", "matplotlib"} & loaded


@both
def test_learns_whatever_the_units(kind):
    x, y = three_clouds()
    model = kind(random_state=0).fit(x, y)
    assert model.score(x, y) > 0.98 and model.score(*three_clouds(seed=1)) > 0.95
    assert list(model.classes_) == ["a", "b", "c"] and model.n_features_in_ == 2 and not hasattr(model, "feature_names_in_")
    assert len(model.records_) == 40 and model.records_[-1]["loss"] < model.records_[0]["loss"]


@both
@pytest.mark.parametrize("name, least", [("iris", 0.9), pytest.param("digits", 0.93, marks=pytest.mark.slow)])
def test_accuracy_on_known_data(kind, name, least):
    sets = pytest.importorskip("sklearn.datasets")
    x, y = getattr(sets, f"load_{name}")(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    train, test = order[len(x) // 3:], order[:len(x) // 3]
    model = kind(epochs=40 if name == "iris" else 8, random_state=0).fit(x[train], y[train])
    assert model.score(x[test], y[test]) > least


def test_outputs_stay_alive_when_spikes_get_lost():
    x, y = pytest.importorskip("sklearn.datasets").load_iris(return_X_y=True)
    for seed in range(3):
        model = TemporalClassifier(drop=0.2, random_state=seed).fit(x[::2], y[::2])
        assert model.score(x[1::2], y[1::2]) > 0.9
        assert np.isfinite(temporal.predict(model.nets(), model.intensities(x))).any(axis=0).all()


@both
def test_it_is_the_loop_of_training(kind):
    """The weights are those of a run by hand with the same settings, seed, and inputs scaled here."""
    x, y = three_clouds()
    model = kind(hidden=(12, 8), epochs=3, random_state=7).fit(x, y)
    unit = (x - x.min(axis=0)) / (x.max(axis=0) - x.min(axis=0))
    run = training.start(model._method, model.settings_, 7)
    inputs = np.hstack([unit, 1 - unit]) if kind is TemporalClassifier else unit
    records = list(training.epochs(run, (inputs, np.searchsorted(["a", "b", "c"], y))))
    assert model.settings_.model == f"{inputs.shape[1]}-12-8-3" and np.array_equal(model.intensities(x), inputs)
    assert all(np.array_equal(run.nets.net.params[name], w) for name, w in model.weights_.items()) and len(model.weights_) > 2
    assert [r["loss"] for r in records] == [r["loss"] for r in model.records_]


def test_temporal_probabilities_are_the_softmax_of_the_loss():
    x, y = three_clouds()
    model = TemporalClassifier(beta=3.0, **SMALL).fit(x, y)
    z = temporal.predict(model.nets(), model.intensities(x))
    assert np.isfinite(z).all()
    p = np.exp(-3.0 * np.log(z))
    np.testing.assert_allclose(model.predict_proba(x), p / p.sum(axis=1, keepdims=True), rtol=1e-12)
    assert (model.predict(x) == model.classes_[z.argmin(axis=1)]).all()


def test_silent_outputs_never_win_over_spikes():
    model = TemporalClassifier(beta=2.0, **SMALL).fit(*three_clouds())
    p = model._probabilities(np.array([[np.inf, 2.0, 1.0], [np.inf, np.inf, np.inf], [np.inf, 1e5, 1e6], [1e300, np.inf, 1e301]]))
    np.testing.assert_allclose(p[0], np.array([1e3 ** -2.0, 0.25, 1.0]) / (1.25 + 1e-6), rtol=1e-12)      # silent: a spike at Z_MAX
    np.testing.assert_allclose(p[1], 1 / 3, rtol=1e-12)
    assert (p.argmax(axis=1) == [2, 0, 1, 0]).all() and p[2, 0] < p[2, 2] and np.allclose(p.sum(axis=1), 1, rtol=0, atol=1e-15)
    np.testing.assert_allclose(p[2, 0] / p[2, 2], np.exp(-2.0), rtol=1e-9)                                # one tau after the last


def test_proxy_probabilities_are_shares_of_the_spikes():
    x, y = three_clouds()
    model = ProxyClassifier(n_steps=6, **SMALL).fit(x, y)
    counts = proxy.predict(model.nets(), model.intensities(x))
    assert counts.max() <= 6 and (counts == np.round(counts)).all() and counts.any()
    np.testing.assert_allclose(model.predict_proba(x), (counts + 1 / 3) / (counts.sum(axis=1, keepdims=True) + 1), rtol=1e-12)
    assert (model._probabilities(np.array([[0.0, 0, 0, 0], [3, 0, 0, 0]])) == [[0.25] * 4, [3.25 / 4, *[0.25 / 4] * 3]]).all()


@both
def test_values_outside_of_the_range_are_cut_off(kind):
    x, y = three_clouds()
    x = np.column_stack([x, np.full(len(x), 3.0)])                              # a feature that says nothing
    model = kind(**SMALL).fit(x, y)
    inside = model.intensities(np.vstack([x.max(axis=0), x.min(axis=0)]))
    outside = model.intensities([[1e308, 1e308, 3.0], [-1e308, -1e308, 3.0]])
    assert (inside[:, :3] == [[1, 1, 0], [0, 0, 0]]).all() and (inside == outside).all()
    assert kind is ProxyClassifier or (inside[:, 3:] == [[0, 0, 1], [1, 1, 1]]).all()
    assert np.isfinite(model.predict_proba([[1e308, -1e308, 1e308]])).all()


@both
def test_random_state(kind):
    x, y = three_clouds(30)

    def weights(random_state):
        return kind(hidden=5, epochs=1, random_state=random_state).fit(x, y).weights_["w1"]

    assert np.array_equal(weights(3), weights(np.int64(3))) and not np.array_equal(weights(3), weights(4))
    one, other = np.random.RandomState(5), np.random.RandomState(5)
    first, second = weights(one), weights(one)
    assert not np.array_equal(first, second) and np.array_equal(first, weights(other)) and np.array_equal(second, weights(other))
    before = np.random.get_state()                                          # noqa: NPY002
    try:
        np.random.seed(11)                                                     # noqa: NPY002
        first, second = weights(None), weights(None)
        np.random.seed(11)                                                     # noqa: NPY002
        assert not np.array_equal(first, second) and np.array_equal(first, weights(None))
    finally:
        np.random.set_state(before)                                                # noqa: NPY002


@both
def test_float32_stays_float32(kind):
    x, y = three_clouds()
    x = x.astype(np.float32)
    model = kind(**SMALL).fit(x, y)
    assert {w.dtype for w in model.weights_.values()} == {np.dtype(np.float32)} and model.predict_proba(x).dtype == np.float64
    assert model.score(x, y) > 0.9 and (model.predict(x) == model.predict(x.astype(np.float64))).mean() > 0.95
    assert kind(**SMALL).fit(np.round(x).astype(int), y).settings_.dtype == "float64"


@both
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_interrupted_training_leaves_it_unfitted(kind, error, monkeypatch):
    x, y = three_clouds()
    model = kind(**SMALL).fit(x, y)
    rule, calls = training.METHODS[model._method], []
    gradients = rule.gradients

    def interrupted(*args):
        calls.append(1)
        if len(calls) > 7:
            raise error
        return gradients(*args)

    monkeypatch.setitem(training.METHODS, model._method, rule._replace(gradients=interrupted))
    with pytest.raises(error):
        model.fit(x, y)
    assert len(calls) == 8 and not [name for name in vars(model) if name.endswith("_")]
    with pytest.raises(ValueError, match=r"Classifier: expected fit to be called first"):
        model.predict(x)
    monkeypatch.setitem(training.METHODS, model._method, rule)
    assert model.fit(x, y).score(x, y) > 0.9


@both
@pytest.mark.parametrize("params, samples", [({"lr": float("nan")}, (X, Y)), ({}, (X, None)), ({}, ([[0.0, np.nan]] * 3, Y))])
def test_what_is_refused_leaves_it_unfitted(kind, params, samples):
    model = kind(**SMALL).fit(X, Y).set_params(**params)
    with pytest.raises(ValueError):
        model.fit(*samples)
    assert not [name for name in vars(model) if name.endswith("_")]


@both
def test_pickle_and_copy(kind):
    x, y = three_clouds()
    model = kind(**SMALL).fit(x, y)
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert np.array_equal(other.predict_proba(x), model.predict_proba(x)) and repr(other) == repr(model)


def test_parameters():
    model = TemporalClassifier(hidden=[30], drop=0.1)
    assert repr(model) == "TemporalClassifier(hidden=[30], drop=0.1)" and repr(ProxyClassifier()) == "ProxyClassifier()"
    assert model.get_params() == {"hidden": [30], "beta": 20.0, "drop": 0.1, "epochs": None, "batch": 20, "lr": 7e-3, "random_state": None,
                                  "class_weight": None}
    assert model.set_params(lr=np.float32(0.25), epochs=np.int64(1), hidden=np.array([4, 3])) is model
    settings = model.fit(*three_clouds(30)).settings_
    assert settings.model == "4-4-3-3" and settings.lr == 0.25 and settings.lr_end == 0.0025 and settings.drop_hidden == 0.1
    with pytest.raises(ValueError, match=r"'n_steps'.*TemporalClassifier: expected one of hidden, beta"):
        model.set_params(lr=1.0, n_steps=3)
    assert model.lr == np.float32(0.25)


PARAMETERS = [
    ({"hidden": 0}, "hidden: expected a whole number of at least 1, got int 0"),
    ({"hidden": "100"}, "hidden: expected a whole number of at least 1, got str '100'"),
    ({"hidden": (10, 2.5)}, "hidden: expected a whole number of at least 1, got float 2.5"),
    ({"epochs": 1.5}, "epochs: expected a whole number, got 1.5"),
    ({"batch": 0}, "batch: expected a number from 1"),
    ({"lr": -1}, "lr: expected a number from 1e-12 to 1000, got -1"),
    ({"lr": "fast"}, "lr: expected a number from 1e-12 to 1000, got 'fast'"),
    ({"random_state": -1}, "random_state: expected a whole number of at least 0, got int -1"),
    ({"random_state": "x"}, "random_state: expected a whole number"),
]


@both
@pytest.mark.parametrize("params, said", PARAMETERS, ids=lambda value: str(value)[:30])
def test_bad_parameters(kind, params, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        kind(**{**SMALL, **params}).fit(*three_clouds(30))


def test_bad_parameters_of_one_kind():
    with pytest.raises(ValueError, match=r"beta: expected a number from 1e-06 to 1e.06, got 0"):
        TemporalClassifier(beta=0).fit(*three_clouds(30))
    with pytest.raises(ValueError, match=r"^drop: expected a number from 0 to 0.99, got 1"):
        TemporalClassifier(drop=1).fit(*three_clouds(30))
    with pytest.raises(ValueError, match="n_steps: expected a number from 1 to 10000, got 0"):
        ProxyClassifier(n_steps=0).fit(*three_clouds(30))


SPARSE = type("csr_array", (), {"toarray": lambda self: np.array(X)})()
INPUTS = [
    (1.0, Y, "X: expected samples as rows, (N, n), got an array of shape ()"),
    ([1.0, 2.0, 3.0], Y, "X: expected samples as rows, (N, n), got an array of shape (3,)"),
    (np.zeros((0, 2)), [], "X: expected samples as rows, (N, n), got an array of shape (0, 2)"),
    (np.zeros((3, 0)), Y, "X: expected samples as rows, (N, n), got an array of shape (3, 0)"),
    ([[1, 2], [3]], Y[:2], "X: expected numbers, got list [[1, 2], [3]]"),
    ([["a", "b"]] * 3, Y, "X: expected numbers, got list"),
    (np.array(X) * 1j, Y, "X: expected numbers, got an array of shape (3, 2) and dtype complex128"),
    ([[0.0, np.nan], [1, 1], [2, 2]], Y, "X: expected finite numbers, got nan in row 0, column 1, among an array of shape (3, 2)"),
    ([[0.0, np.inf], [1, 1], [2, 2]], Y, "X: expected finite numbers, got inf"),
    ([[-1e308, 0], [1e308, 1], [0, 2]], Y, "X: expected features whose range is a float64 number, got -1e+308 to 1e+308"),
    (X, None, "y: expected 3 class labels, one a sample, got NoneType None"),
    (X, [0, 1], "y: expected 3 class labels, one a sample, got an array of shape (2,)"),
    (X, [[0, 1], [1, 0], [1, 1]], "y: expected 3 class labels, one a sample, got an array of shape (3, 2)"),
    (X, [0.5, 1.0, 2.0], "y: expected class labels, whole numbers or strings, got an array of shape (3,) and dtype float64"),
    (X, [0.0, np.nan, 1.0], "y: expected class labels, whole numbers or strings"),
    (X, [0.0, np.inf, 1.0], "y: expected class labels, whole numbers or strings"),
    (X, np.array([0.0, 0.5, 1.0], object), "y: expected class labels, whole numbers or strings"),
    (X, np.array([0, np.nan, 1], object), "y: expected class labels, whole numbers or strings"),
    (X, np.array(["a", np.inf, "b"], object), "y: expected class labels, whole numbers or strings"),
    (np.array(X).astype("M8[D]"), Y, "X: expected numbers, got dates or times: an array of shape (3, 2) and dtype datetime64[D]"),
    (np.array(X).astype("m8[s]"), Y, "X: expected numbers, got dates or times"),
    ([[np.datetime64("2020-01-01")]] * 3, Y, "X: expected numbers, got list"),
    (X, [1, 1, 1], "y: expected 2 classes or more, got 1 class"),
    (X, np.array([1, "a", None], object), "y: expected labels that can be sorted"),
]


@both
@pytest.mark.parametrize("x, y, said", INPUTS, ids=[row[2][:60] for row in INPUTS])
def test_bad_input_without_scikit_learn(alone, kind, x, y, said):
    model = kind(**SMALL)
    with pytest.raises(ValueError) as caught:
        model.fit(x, y)
    assert said in str(caught.value) and "\n" not in str(caught.value)
    assert not hasattr(model, "n_features_in_") and not hasattr(model, "classes_")


@both
def test_good_and_bad_input_of_predict_without_scikit_learn(alone, kind):
    x, y = three_clouds(30)
    model = kind(**SMALL)
    with pytest.raises(ValueError, match=r"Classifier: expected fit to be called first"):
        model.predict(x)
    with pytest.raises(TypeError, match="X: expected a dense array, got a sparse csr_array"):
        model.fit(SPARSE, Y)
    assert model.fit(x.tolist(), y[:, None]).score(x, y[:, None]) > 0.9
    for bad, said in ((x[:, :1], "2 features, got 1"), (x[0], "samples as rows, (N, n)"), (x * np.nan, "finite numbers, got nan")):
        with pytest.raises(ValueError, match=re.escape(f"X: expected {said}")):
            model.predict(bad)
    with pytest.raises(ValueError, match="y: expected 30 labels, got 29"):
        model.score(x, y[:-1])


@both
def test_score_refuses_labels_of_another_kind(kind):
    x, y = three_clouds(30)
    model = kind(**SMALL).fit(x, y)
    assert model.score(x, y) > 0.9 and model.score(x, y.astype(object)) > 0.9
    with pytest.raises(ValueError, match=r"^y: expected labels like those of fit, '[abc]', got 0$"):
        model.score(x, np.arange(30))
    with pytest.raises(ValueError, match=r"^y: expected 30 labels, got None$"):
        model.score(x, None)
    model = kind(**SMALL).fit(x, np.searchsorted(["a", "b", "c"], y))
    with pytest.raises(ValueError, match=r"^y: expected labels like those of fit, [012], got '[abc]'$"):
        model.score(x, y)


@both
@pytest.mark.parametrize("kinds", ["M8[D]", "m8[s]"])
def test_dates_are_refused_with_scikit_learn(kind, kinds):
    pytest.importorskip("sklearn")
    dates = np.array(X).astype(kinds)
    with pytest.raises(ValueError, match=r"^X: expected numbers, got dates or times: an array of shape \(3, 2\)"):
        kind(**SMALL).fit(dates, Y)
    model = kind(**SMALL).fit(X, Y)
    with pytest.raises(ValueError, match=r"^X: expected numbers, got dates or times"):
        model.predict(dates)
    frame = pytest.importorskip("pandas").DataFrame({"a": dates[:, 0], "b": [1.0, 2.0, 3.0]})
    with pytest.raises(ValueError, match=r"^X: expected numbers, got dates or times"):
        kind(**SMALL).fit(frame, Y)


@both
@pytest.mark.parametrize("hidden, sizes", [(range(3, 5), "3-4"), (np.array(5), "5"), (np.array([3, 4]), "3-4"), (np.int64(5), "5")])
def test_hidden_may_be_any_sequence_of_whole_numbers(kind, hidden, sizes):
    model = kind(hidden=hidden, epochs=1, random_state=0).fit(X, Y)
    assert str(model.settings_.model).split("-", 1)[1] == f"{sizes}-2"


def test_drop_is_reported_under_its_own_name():
    with pytest.raises(ValueError, match=r"^drop: expected a number from 0 to 0.99, got 1$"):
        TemporalClassifier(drop=1).fit(X, Y)


class Frame:
    """A data frame, as far as the classifiers look at it."""

    def __init__(self, x, columns):
        self.x, self.columns, self.shape = np.asarray(x), columns, np.shape(x)

    def __array__(self, dtype=None, copy=None):
        return self.x.astype(dtype or self.x.dtype)

    def __len__(self):
        return len(self.x)


def test_feature_names_without_scikit_learn(alone):
    x, y = three_clouds(30)
    model = ProxyClassifier(**SMALL).fit(Frame(x, ["length", "width"]), y)
    assert model.feature_names_in_.dtype == object and list(model.feature_names_in_) == ["length", "width"]
    assert np.array_equal(model.predict(Frame(x, ["length", "width"])), model.predict(x))
    with pytest.raises(ValueError, match="X: expected the features length, width, got width, length"):
        model.predict(Frame(x, ["width", "length"]))
    assert not hasattr(model.fit(Frame(x, [0, 1]), y), "feature_names_in_")


@both
def test_the_same_network_with_and_without_scikit_learn(kind, request):
    pytest.importorskip("sklearn")
    x, y = three_clouds(40)
    there = kind(**SMALL).fit(x, y).predict_proba(x)
    request.getfixturevalue("alone")
    assert np.array_equal(kind(**SMALL).fit(x, y).predict_proba(x), there)


@both
def test_in_a_pipeline_and_a_search(kind):
    pytest.importorskip("sklearn")
    from sklearn.base import clone, is_classifier
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y = three_clouds(60)
    model = kind(**SMALL)
    assert is_classifier(model) and clone(model).get_params() == model.get_params() and clone(model) is not model
    piped = make_pipeline(StandardScaler(), model).fit(x, y)
    assert piped.score(x, y) > 0.9 and list(piped.classes_) == ["a", "b", "c"]
    assert cross_val_score(piped, x, y, cv=3).mean() > 0.9
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)                # one hidden neuron may fall silent
        search = GridSearchCV(model, {"hidden": [1, (20,)], "epochs": np.array([1, 20])}, cv=3, error_score="raise").fit(x, y)
    assert len(search.cv_results_["params"]) == 4 and search.best_params_ == {"hidden": (20,), "epochs": 20} and search.best_score_ > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("n_steps, low, high", [(1, 0.03, 0.15), (15, 0.0, 0.01)])
def test_ties_are_as_many_as_the_howto_says(n_steps, low, high):
    x, y = pytest.importorskip("sklearn.datasets").load_digits(return_X_y=True)
    model = ProxyClassifier(n_steps=n_steps, epochs=10, random_state=0).fit(x[:1200], y[:1200])
    p = model.predict_proba(x[1200:])
    assert low < ((p == p.max(axis=1, keepdims=True)).sum(axis=1) > 1).mean() < high


@pytest.mark.slow
def test_the_code_of_the_howto_runs(capsys):
    """In order; what it prints is what the page shows, but for digits."""
    pytest.importorskip("sklearn")
    page = (ROOT / "docs/howto/scikit-learn.md").read_text(encoding="utf-8")
    names = {}
    for code, shown in re.findall(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", page, re.S):
        capsys.readouterr()
        exec(compile(code, "scikit-learn.md", "exec"), names)
        assert re.sub(r"[\d.]+", "#", capsys.readouterr().out) == re.sub(r"[\d.]+", "#", shown)
    assert names["accuracy"] > 0.93


def wide_clouds(n_features, n=300):
    """Three far apart clouds: whatever is linear tells them apart."""
    rng = np.random.default_rng(0)
    centres, y = rng.normal(size=(3, n_features)), rng.integers(0, 3, n)
    return centres[y] + rng.normal(0, 2, (n, n_features)), y


@both
@pytest.mark.parametrize("n_features", [64, *(pytest.param(n, marks=pytest.mark.slow) for n in (512, 1460))])
def test_many_features(kind, n_features):
    """One learning rate for any number of inputs drove all hidden neurons to silence or to a spike in every step."""
    x, y = wide_clouds(n_features)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = kind(random_state=0, epochs=8).fit(x[:200], y[:200])
    nearest = ((x[200:, None] - np.array([x[:200][y[:200] == k].mean(axis=0) for k in range(3)])) ** 2).sum(axis=2).argmin(axis=1)
    assert model.score(x[200:], y[200:]) >= np.mean(nearest == y[200:]) - 0.03
    assert model.records_[0]["movable"][0] > 0.3 and model.records_[-1]["silent"][0] + model.records_[-1]["ceiling"][0] < 0.9


@pytest.mark.parametrize("n_steps", [3, 128])
def test_few_and_many_steps(n_steps):
    x, y = wide_clouds(64)
    assert ProxyClassifier(n_steps=n_steps, epochs=12, random_state=0).fit(x[:200], y[:200]).score(x[200:], y[200:]) > 0.9


@pytest.mark.parametrize("lr", [1.0, 100.0])
def test_a_fit_in_which_nothing_can_move_warns(lr):
    exceptions = pytest.importorskip("sklearn.exceptions")
    model = ProxyClassifier(lr=lr, epochs=3, random_state=0)
    with pytest.warns(exceptions.ConvergenceWarning, match="^ProxyClassifier: .*: train again with a smaller lr, or weights of "):
        model.fit(*wide_clouds(64))
    assert model.records_[-1]["warning"]


def test_it_warns_without_scikit_learn(alone):
    with pytest.warns(UserWarning, match="^ProxyClassifier: "):
        ProxyClassifier(lr=100.0, epochs=3, random_state=0).fit(*wide_clouds(64))


@both
@pytest.mark.parametrize("n, chosen, epochs", [(90, {}, 40), (40, {}, 100), (10, {"batch": 5}, 100), (40, {"epochs": 3}, 3)])
def test_few_samples_take_200_steps(kind, n, chosen, epochs, monkeypatch):
    monkeypatch.setattr(training, "epochs", lambda run, train: [])
    model = kind(hidden=2, **chosen).fit(*three_clouds(n))
    assert model.settings_.epochs == epochs


# ---- from a checkpoint

def trained(method, own, **chosen):
    run = training.start(method, training.METHODS[method].settings_for(own, epochs=1, backend="reference", **chosen), data=own)
    list(training.epochs(run, *data.held_out(own)))
    return run


@pytest.mark.parametrize("kind, method, chosen", [(TemporalClassifier, "temporal", {}), (ProxyClassifier, "proxy", {}),
                                                  (ProxyClassifier, "proxy", {"readout": "potential"})])
@pytest.mark.parametrize("words", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_checkpoint_becomes_a_classifier(kind, method, chosen, words, tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 4)) * 9, np.arange(60) % 3
    own = data.from_arrays(x, np.array(["a", "b", "c"])[y] if words else y)
    run = trained(method, own, **chosen)
    training.save(run, tmp_path / "run.npz")
    for model in (kind.from_checkpoint(tmp_path / "run.npz"), kind.from_checkpoint(run)):
        outputs = run.rule.predict(run.nets, own.scaled(x))
        best = outputs.argmin(axis=1) if method == "temporal" else outputs.argmax(axis=1)
        assert (model.predict(x) == np.array(["a", "b", "c"] if words else [0, 1, 2])[best]).all()
        np.testing.assert_allclose(model.predict_proba(x).sum(axis=1), 1)
        assert model.n_features_in_ == 4 and model.records_ == run.records and model.get_params() == kind().get_params()
        with pytest.raises(ValueError, match="features"):
            model.predict(x[:, :3])
    assert kind.from_checkpoint(run).fit(x, y).predict(x).shape == (60,)             # a new fit is one of its own


def test_a_shipped_network_becomes_a_classifier_of_bytes():
    own = data.load("fashion-sample")
    model, run = TemporalClassifier.from_checkpoint("fashion-mnist"), training.load("fashion-mnist")
    x = own.x_test[:50]
    wanted = np.array(own.classes)[temporal.predict(run.nets, x).argmin(axis=1)]
    assert (model.predict(x.reshape(50, -1)) == wanted).all()


def test_checkpoints_that_become_no_classifier():
    x, y = np.random.default_rng(0).uniform(0, 2, (30, 4)), np.arange(30) % 3
    run = trained("proxy", data.from_arrays(x, y))
    with pytest.raises(ValueError, match=r"TemporalClassifier: expected a network trained by temporal .* got one by proxy"):
        TemporalClassifier.from_checkpoint(run)
    run.data.pop("classes")
    with pytest.raises(ValueError, match=r"expected a run that says its 3 classes, as of start\(..., data=data\), got 0"):
        ProxyClassifier.from_checkpoint(run)
    with pytest.raises(ValueError, match="got one by temporal on times"):
        TemporalClassifier.from_checkpoint(trained("temporal", data.from_times(x, y), code="times"))
