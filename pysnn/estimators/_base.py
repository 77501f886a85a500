"""What the classifiers share: parameters, fit, predict and score."""

import inspect
import warnings

import numpy as np

from .. import training
from ._input import check_fitted, check_samples, hidden_sizes, of_sklearn, ranges, scaled, seed_of, sorted_classes

EPOCHS, STEPS = 40, 200         # at least so many of both, where `epochs` is None


class Classifier:
    """A classifier names its method and defines `_settings`, `_inputs` and `_probabilities`, which it computes from the outputs."""

    _method = ""                # a key of learning.METHODS

    def _inputs(self, x):
        """Turn samples in [0, 1] into what the network is given."""
        return x

    def get_params(self, deep=True):
        """Return the parameters.

        Parameters
        ----------
        deep : bool
            Without effect, for no parameter has parameters of its own.

        Returns
        -------
        dict
            The arguments of the constructor by name.
        """
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **params):
        """Change parameters for the next `fit`, which checks their values.

        Parameters
        ----------
        **params : dict
            Arguments of the constructor by name.

        Returns
        -------
        self
            The classifier.

        Raises
        ------
        ValueError
            If it has no such parameter.
        """
        known = self.get_params()
        if unknown := sorted(set(params) - set(known)):
            raise ValueError(f"Invalid parameter {unknown[0]!r} for {type(self).__name__}: expected one of {', '.join(known)}")
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def __repr__(self):
        defaults = inspect.signature(type(self)).parameters
        changed = [f"{name}={value!r}" for name, value in self.get_params().items() if repr(value) != repr(defaults[name].default)]
        return f"{type(self).__name__}({', '.join(changed)})"

    def __sklearn_tags__(self):
        """Tell scikit-learn, which alone asks, that this is a classifier of dense samples."""
        from sklearn.utils import ClassifierTags, Tags, TargetTags
        return Tags("classifier", TargetTags(required=True), classifier_tags=ClassifierTags())

    def fit(self, X, y):
        """Find the range of each feature and train a new network.

        Parameters
        ----------
        X : (N, n) array or data frame
            Samples, finite. float32 is computed as float32, all else as float64.
        y : (N,) array
            Class labels: integers or strings, of two classes at least.

        Returns
        -------
        self
            The classifier. If training fails or is interrupted, it is as if it had never been fitted.

        Raises
        ------
        TypeError, ValueError
            If samples, labels or a parameter cannot be used, or the loss is no longer finite; the message says what was expected.
        """
        self._forget()
        try:
            X, y = check_samples(self, X, y)
            classes, labels = sorted_classes(y)
            self.low_, self.span_ = ranges(X)
            x = self._inputs(scaled(self, X))
            sizes = [x.shape[1], *hidden_sizes(self.hidden), len(classes)]
            settings = self._settings("-".join(map(str, sizes)), x)
            run = training.start(self._method, settings, seed_of(self.random_state))
            self.records_ = list(training.epochs(run, (x, labels)))
        except BaseException:
            self._forget()
            raise
        self.settings_, self.weights_, self.state_, self.classes_ = settings, run.nets.net.params, run.nets.state, classes
        if self.records_ and "warning" in self.records_[-1]:
            text = f"{type(self).__name__}: {self.records_[-1]['warning']}"
            warnings.warn(text, of_sklearn("ConvergenceWarning", UserWarning), stacklevel=2)
        return self

    def _forget(self):
        """Remove the results of an earlier fit."""
        for name in [name for name in vars(self) if name.endswith("_")]:
            delattr(self, name)

    def _chosen(self, x, *names, **others):
        """Return what training needs, parameters as settings, NumPy's numbers as Python's; the settings check their values."""
        names = ("epochs", "batch", "lr", *names)
        chosen = {name: getattr(self, mine) for name, mine in ({name: name for name in names} | others).items()}
        chosen = {name: value.item() if isinstance(value, np.generic) else value for name, value in chosen.items()}
        lr, batch = chosen["lr"], chosen["batch"]
        if chosen["epochs"] is None:
            n_batches = -(-len(x) // batch) if isinstance(batch, int) and batch > 0 else 1
            chosen["epochs"] = max(EPOCHS, -(-STEPS // n_batches))
        return chosen | {"optimiser": "adam_by_inputs", "bias": True, "dtype": x.dtype.name,
                         "lr_end": max(lr / 100, 1e-12) if isinstance(lr, (int, float)) else lr}

    def nets(self):
        """Build the trained network, for all else that this package can do with it.

        Returns
        -------
        pysnn.learning.temporal.Nets or pysnn.learning.rate.Nets
            What the functions of `pysnn.learning` take.

        Raises
        ------
        ValueError
            If the classifier is not fitted.
        """
        check_fitted(self)
        arrays = [{name: np.require(x, requirements="W") for name, x in some.items()} for some in (self.weights_, self.state_)]
        return training.METHODS[self._method].build(self.settings_, arrays[0], state=arrays[1])

    def intensities(self, X):
        """Turn samples into what the network is given.

        Parameters
        ----------
        X : (N, n) array or data frame
            Samples like those of `fit`.

        Returns
        -------
        (N, n) or (N, 2 n) array
            Numbers in [0, 1]; the docstring of the class says which.

        Raises
        ------
        TypeError, ValueError
            If the classifier is not fitted, or the samples are not like those that it was fitted to.
        """
        check_fitted(self)
        return self._inputs(scaled(self, check_samples(self, X)))

    def predict_proba(self, X):
        """Compute the probabilities of the classes.

        Parameters
        ----------
        X : (N, n) array or data frame
            Samples like those of `fit`.

        Returns
        -------
        (N, n_classes) array
            Numbers in [0, 1] that sum up to 1, in the order of `classes_`; the docstring of the class says where they come from.

        Raises
        ------
        TypeError, ValueError
            If the classifier is not fitted, or the samples are not like those that it was fitted to.
        """
        x = self.intensities(X)
        return self._probabilities(training.METHODS[self._method].predict(self.nets(), x).astype(np.float64))

    def predict(self, X):
        """Decide for the most probable class; where several are equally probable, for the first of them in `classes_`.

        Parameters
        ----------
        X : (N, n) array or data frame
            Samples like those of `fit`.

        Returns
        -------
        (N,) array
            Class labels.

        Raises
        ------
        TypeError, ValueError
            If the classifier is not fitted, or the samples are not like those that it was fitted to.
        """
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    def score(self, X, y):
        """Compute the share of right decisions.

        Parameters
        ----------
        X : (N, n) array or data frame
            Samples like those of `fit`.
        y : (N,) array
            Class labels.

        Returns
        -------
        float
            0 to 1.

        Raises
        ------
        TypeError, ValueError
            If the classifier is not fitted, or there are not as many labels as samples.
        """
        predicted = self.predict(X)
        if y is None:
            raise ValueError(f"y: expected {len(predicted)} labels, got None")
        y = np.ravel(y)
        if len(predicted) != len(y):
            raise ValueError(f"y: expected {len(predicted)} labels, got {len(y)}")
        if isinstance(predicted[0], str) != isinstance(y[0], str):
            raise ValueError(f"y: expected labels like those of fit, {predicted.tolist()[0]!r}, got {y.tolist()[0]!r}")
        return float(np.mean(predicted == y))
