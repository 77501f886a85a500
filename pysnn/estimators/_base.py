"""What the estimators share: parameters and fit; what classifiers and regressors share: predict and score."""

import inspect
import warnings

import numpy as np

from .. import metrics, training
from ..datasets._rows import ranges
from ..datasets.catalogue import ABOUT, CLASSES
from ._input import (
    check_fitted,
    check_samples,
    class_weights,
    hidden_sizes,
    of_sklearn,
    sample_weights,
    scaled,
    seed_of,
    sorted_classes,
)

EPOCHS, STEPS = 40, 200         # at least so many of both, where `epochs` is None


class Estimator:
    """An estimator names its method and defines `_settings`, and how outputs are read.

    One whose samples are no rows of numbers also says how they are checked and scaled, and what its model is.
    """

    _method = ""                # a key of learning.METHODS

    def _checked(self, X, *y):
        """Pass samples and, in `fit`, labels or targets through; in `predict` only samples like those of `fit`."""
        return check_samples(self, X, *y)

    def _measure(self, X):
        """Find in the samples of `fit` what the others are scaled by."""
        self.low_, self.span_ = ranges(X, "X")

    def _inputs(self, X):
        """Turn samples into what the network is given."""
        return scaled(self, X)

    def _model(self, x, n_out):
        """Return the model for such inputs."""
        return "-".join(map(str, [x.shape[1], *hidden_sizes(self.hidden), n_out]))

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
            The estimator.

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

    def fit(self, X, y, sample_weight=None):
        """Find the scale of each feature and train a new network.

        Parameters
        ----------
        X : (N, n) array or data frame, or sequences
            Samples, finite. float32 is computed as float32, all else as float64. Those named Spiking take sequences: an array
            (N, T, n), or (N, T) of one channel; a list of arrays (T, n) or (T,), which may differ in length; or a
            `pysnn.conventions.Sequences`.
        y : (N,) array, or of a regressor (N, k) array
            Class labels: integers or strings, of two classes at least. Of a regressor targets, finite numbers.
        sample_weight : (N,) array, optional
            How many times each sample counts in the loss, (L8): none below 0, only ratios matter. Steps of training stay those of N
            samples, so that a weight of 2 is not the same bits as a sample given twice.

        Returns
        -------
        self
            The estimator. If training fails or is interrupted, it is as if it had never been fitted.

        Raises
        ------
        TypeError, ValueError
            If samples, labels or a parameter cannot be used, or the loss is no longer finite; the message says what was expected.
        """
        self._forget()
        try:
            X, y = self._checked(X, y)
            wanted, n_out = self._learned(y)
            weight = self._weights(wanted, None if sample_weight is None else sample_weights(sample_weight, len(X)))
            self._measure(X)
            x = self._inputs(X)
            settings = self._settings(self._model(x, n_out), x)
            run = training.start(self._method, settings, seed_of(self.random_state))
            weighted = {} if weight is None else {"sample_weight": weight}
            self.records_ = list(training.epochs(run, (x, wanted), **weighted))
        except BaseException:
            self._forget()
            raise
        self.settings_, self.weights_, self.state_ = settings, run.nets.net.params, run.nets.state
        if self.records_ and "warning" in self.records_[-1]:
            text = f"{type(self).__name__}: {self.records_[-1]['warning']}"
            warnings.warn(text, of_sklearn("ConvergenceWarning", UserWarning), stacklevel=2)
        return self

    def _rescale(self, low, span):
        """Take over how a network's samples were scaled."""
        self.low_, self.span_ = low, span

    def _weights(self, wanted, weight):
        """Return how many times each sample counts; None: once."""
        return weight

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
        X : (N, n) array or data frame, or sequences
            Samples like those of `fit`; sequences may have another length.

        Returns
        -------
        (N, n) or (N, 2 n) array, (N, T, n) array or pysnn.conventions.Sequences
            Numbers in [0, 1], of sequences currents; the docstring of the class says which.

        Raises
        ------
        TypeError, ValueError
            If the classifier is not fitted, or the samples are not like those that it was fitted to.
        """
        check_fitted(self)
        return self._inputs(self._checked(X))

    def _outputs(self, X):
        """Compute the outputs of the network, (N, n_out)."""
        x = self.intensities(X)
        return training.METHODS[self._method].predict(self.nets(), x).astype(np.float64)


class Classifier(Estimator):
    """A classifier defines `_probabilities`, which it computes from the outputs."""

    def __sklearn_tags__(self):
        """Tell scikit-learn, which alone asks, that this is a classifier of dense samples."""
        from sklearn.utils import ClassifierTags, Tags, TargetTags
        return Tags("classifier", TargetTags(required=True), classifier_tags=ClassifierTags())

    def _learned(self, y):
        """Remember the classes; return labels as training takes them, and their number of outputs."""
        self.classes_, labels = sorted_classes(y)
        return labels, len(self.classes_)

    def _weights(self, wanted, weight):
        """Multiply the weights of samples by those of their classes."""
        of_classes = class_weights(self.class_weight, self.classes_, wanted)
        return weight if of_classes is None else of_classes if weight is None else weight * of_classes

    @classmethod
    def from_checkpoint(cls, run, files=()):
        """Make a fitted classifier of a network that `pysnn.training` or the command line has trained.

        Parameters
        ----------
        run : str, Path or pysnn.training.Run
            A checkpoint, a network that ships with pysnn, or a run. What it says of its data gives classes and scale: a run is begun with
            ``start(..., data=data)``; the command line notes both.
        files : sequence of path
            Python files of your own that it was trained with.

        Returns
        -------
        Classifier
            It predicts from samples as they were before scaling; of images each is one row. Its parameters are the defaults, `settings_`
            what it was trained with.

        Raises
        ------
        ValueError
            If it was trained by another method, or does not say which classes it knows.
        """
        run = run if isinstance(run, training.Run) else training.load(run, files)
        known, model = run.data, run.nets.settings.model
        if run.method != cls._method or getattr(run.nets.settings, "code", "") == "times":
            raise ValueError(f"{cls.__name__}: expected a network trained by {cls._method} on samples that can be scaled, got one by "
                             f"{run.method}" + " on times" * (run.method == cls._method))
        classes = known.get("classes") or CLASSES.get(known.get("name"))
        if classes is None or (len(classes),) != model.shapes[-1]:
            raise ValueError(f"{cls.__name__}: expected a run that says its {model.shapes[-1][0]} classes, as of start(..., data=data), "
                             f"got {len(classes or ())} classes")
        made, numbers = cls(), [int(word) if word.isdecimal() and str(int(word)) == word else None for word in classes]
        made.classes_ = np.array(list(classes) if None in numbers else numbers)
        made.settings_, made.weights_, made.state_, made.records_ = run.nets.settings, run.nets.net.params, run.nets.state, run.records
        made.n_features_in_, scale = int(np.prod(model.shape)), known.get("scale")
        if known.get("name") in ABOUT and ABOUT[known["name"]].dtype == "uint8":
            scale = {"low": 0.0, "span": 255.0}
        made._rescale(*(np.array(scale[name]) if scale else np.array(like) for name, like in (("low", 0.0), ("span", 1.0))))
        return made

    def predict_proba(self, X):
        """Compute the probabilities of the classes.

        Parameters
        ----------
        X : (N, n) array or data frame, or sequences
            Samples like those of `fit`; sequences may have another length.

        Returns
        -------
        (N, n_classes) array
            Numbers in [0, 1] that sum up to 1, in the order of `classes_`; the docstring of the class says where they come from.

        Raises
        ------
        TypeError, ValueError
            If the classifier is not fitted, or the samples are not like those that it was fitted to.
        """
        return self._probabilities(self._outputs(X))

    def predict(self, X):
        """Decide for the most probable class; where several are equally probable, for the first of them in `classes_`.

        Parameters
        ----------
        X : (N, n) array or data frame, or sequences
            Samples like those of `fit`; sequences may have another length.

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

    def score(self, X, y, sample_weight=None):
        """Compute the share of right decisions.

        Parameters
        ----------
        X : (N, n) array or data frame, or sequences
            Samples like those of `fit`; sequences may have another length.
        y : (N,) array
            Class labels.
        sample_weight : (N,) array, optional
            How many times each sample counts.

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
        return float(np.average(predicted == y, weights=None if sample_weight is None else sample_weights(sample_weight, len(y))))


class Regressor(Estimator):
    """A regressor brings targets to mean 0 and standard deviation 1, and what its network says back to their units."""

    def __sklearn_tags__(self):
        """Tell scikit-learn, which alone asks, that this is a regressor of dense samples, of one target or several."""
        from sklearn.utils import RegressorTags, Tags, TargetTags
        return Tags("regressor", TargetTags(required=True, multi_output=True), regressor_tags=RegressorTags())

    def _checked(self, X, *y):
        return check_samples(self, X, *y, numbers=True)

    def _learned(self, y):
        """Find the scale of the targets; return them as training takes them, and how many there are."""
        self.y_mean_, std = y.mean(axis=0, dtype=np.float64), y.std(axis=0, dtype=np.float64)
        self.y_std_ = np.where(std > 0, std, 1.0)[()]
        wanted = ((y - self.y_mean_) / self.y_std_).reshape(len(y), -1)
        return wanted, wanted.shape[1]

    def predict(self, X):
        """Predict the targets.

        Parameters
        ----------
        X : (N, n) array or data frame, or sequences
            Samples like those of `fit`; sequences may have another length.

        Returns
        -------
        (N,) or (N, k) array
            Numbers in the units of the targets, in the shape that those of `fit` had.

        Raises
        ------
        TypeError, ValueError
            If the regressor is not fitted, or the samples are not like those that it was fitted to.
        """
        outputs = self._outputs(X)
        values = training.METHODS[self._method].values(self.settings_, outputs)
        return (values[:, 0] if np.ndim(self.y_mean_) == 0 else values) * self.y_std_ + self.y_mean_

    def score(self, X, y, sample_weight=None):
        """Compute R2, 1 minus the mean squared error over the variance of the targets; of several targets the mean.

        Parameters
        ----------
        X : (N, n) array or data frame, or sequences
            Samples like those of `fit`; sequences may have another length.
        y : (N,) or (N, k) array
            Targets.
        sample_weight : (N,) array, optional
            How many times each sample counts.

        Returns
        -------
        float
            At most 1; 0 for a regressor that always says the mean.

        Raises
        ------
        TypeError, ValueError
            If the regressor is not fitted, or the targets do not fit the samples.
        """
        predicted = self.predict(X)
        y = np.asarray(y, np.float64)
        if y.shape != predicted.shape:
            raise ValueError(f"y: expected targets of shape {predicted.shape}, got {y.shape}")
        weight = np.ones(len(y)) if sample_weight is None else sample_weights(sample_weight, len(y))
        y, off = y.reshape(len(y), -1), (predicted - y).reshape(len(y), -1)
        variance = np.average((y - np.average(y, axis=0, weights=weight)) ** 2, axis=0, weights=weight)
        return metrics.regression_of(np.average(off ** 2, axis=0, weights=weight), variance).r2
