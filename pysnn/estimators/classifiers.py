"""The classifiers: the settings of their methods, and how outputs become probabilities."""

import numpy as np

from .. import models
from ..conventions import Z_MAX
from ..datasets._sequences import check_sequences, moments, standardised
from ..learning import proxy, surrogate, temporal
from ._base import Classifier
from ._input import decay, hidden_sizes, labels_of


class TemporalClassifier(Classifier):
    """A network of neurons that fire once, trained by the exact derivative of their spike times; the first output spike decides.

    A feature x, scaled to [0, 1], is two spikes, at t = 1.79 tau (1 - x) and 1.79 tau x: what is small in one is early in the other. Each
    layer has a bias spike at t = 0. The probabilities are softmax(-beta t), as in the loss (L2); a silent output counts as a spike at
    z = Z_MAX, or one tau after the last output spike where that is later. See pysnn.learning.temporal.

    Parameters
    ----------
    hidden : int or sequence of int
        Neurons of each hidden layer.
    beta : float
        How sharply the loss and the probabilities tell spike times apart, in 1/tau.
    drop : float
        Share of the hidden spikes lost in training, 0 to 0.99.
    epochs : int or None
        Times that training sees all samples; None: 40, of fewer than 81 samples so many that it takes 200 steps (with 20 samples a step).
    batch : int
        Samples a step.
    lr : float
        Learning rate of Adam for neurons of 32 inputs, which falls along a cosine to a hundredth; with n inputs 32/n times as large, at
        most 4 times, see `pysnn.optim.AdamByInputs`.
    random_state : int, numpy.random.RandomState or None
        Where weights and batches come from. An int gives the same network each time; None and a RandomState are drawn from, None being
        NumPy's global one.
    class_weight : None, "balanced" or dict
        How many times the samples of a class count in the loss: "balanced", so that each class counts the same; a dict by class, 1 for
        those that it lacks.

    Attributes
    ----------
    classes_ : (n_classes,) array
        The class labels, sorted.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : (n,) array of str
        Their names, if `fit` was given a data frame with names.
    low_, span_ : (n,) arrays
        The smallest value of each feature and the extent of its values, or 1 if they are all equal.
    settings_ : pysnn.learning.temporal.Settings
        All settings of the method.
    weights_, state_ : dict of str to array
        The trained parameters and statistics, as `pysnn.models.build` takes them.
    records_ : list of dict
        The record of each epoch, as `pysnn.training.epochs` gives it.
    """

    _method = "temporal"

    def __init__(self, hidden=(100,), beta=20.0, drop=0.0, epochs=None, batch=20, lr=7e-3, random_state=None, class_weight=None):
        self.hidden, self.beta, self.drop, self.epochs, self.batch, self.lr = hidden, beta, drop, epochs, batch, lr
        self.random_state, self.class_weight = random_state, class_weight

    def _inputs(self, X):
        x = super()._inputs(X)
        return x if hasattr(self, "plain_") else np.concatenate([x, 1 - x], axis=1)

    def _rescale(self, low, span):
        super()._rescale(low, span)
        self.plain_ = True               # each feature is one spike, as the network was trained

    def _settings(self, model, x):
        chosen = self._chosen(x, "beta", drop_hidden="drop")
        # The preset's cost K of a neuron that lacks weight, 0.02, lets outputs of small networks fall silent for good.
        try:
            return temporal.Settings(model, code="latency", drop_in=0.0, weight_sum=2.0, **chosen)
        except ValueError as error:
            raise ValueError(str(error).replace("drop_hidden:", "drop:")) from None          # by its name here

    def _probabilities(self, z):
        t = np.log(z)                                                                       # inf stays inf
        last = t.max(axis=1, where=np.isfinite(t), initial=np.log(Z_MAX) - 1, keepdims=True)
        t = np.where(np.isfinite(t), t, last + 1)
        p = np.exp(self.settings_.beta * (t.min(axis=1, keepdims=True) - t))
        return p / p.sum(axis=1, keepdims=True)


class ProxyClassifier(Classifier):
    """A network of integrate-and-fire neurons, trained by proxy with a ReLU network of the same weights; most output spikes decide.

    The features, scaled to [0, 1], are constant input currents for `n_steps` steps; each neuron has a constant current of its own, too. The
    probabilities are the shares of the classes in the output spikes, with one spike more shared out evenly. Counts are small, so that ties
    occur; the first class wins them. See pysnn.learning.proxy.

    Parameters
    ----------
    hidden : int or sequence of int
        Neurons of each hidden layer.
    n_steps : int
        Time steps T.
    epochs : int or None
        Times that training sees all samples; None: 40, of fewer than 81 samples so many that it takes 200 steps (with 20 samples a step).
    batch : int
        Samples a step of training.
    lr : float
        Learning rate of Adam for neurons of 32 inputs, which falls along a cosine to a hundredth; with n inputs 32/n times as large, at
        most 4 times, see `pysnn.optim.AdamByInputs`.
    random_state : int, numpy.random.RandomState or None
        Where weights and batches come from. An int gives the same network each time; None and a RandomState are drawn from, None being
        NumPy's global one.
    class_weight : None, "balanced" or dict
        How many times the samples of a class count in the loss: "balanced", so that each class counts the same; a dict by class, 1 for
        those that it lacks.

    Attributes
    ----------
    classes_ : (n_classes,) array
        The class labels, sorted.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : (n,) array of str
        Their names, if `fit` was given a data frame with names.
    low_, span_ : (n,) arrays
        The smallest value of each feature and the extent of its values, or 1 if they are all equal.
    settings_ : pysnn.learning.proxy.Settings
        All settings of the method.
    weights_, state_ : dict of str to array
        The trained parameters and statistics, as `pysnn.models.build` takes them.
    records_ : list of dict
        The record of each epoch, as `pysnn.training.epochs` gives it.
    """

    _method = "proxy"

    def __init__(self, hidden=(100,), n_steps=15, epochs=None, batch=20, lr=2e-2, random_state=None, class_weight=None):
        self.hidden, self.n_steps, self.epochs, self.batch, self.lr = hidden, n_steps, epochs, batch, lr
        self.random_state, self.class_weight = random_state, class_weight

    def _settings(self, model, x):
        return proxy.Settings(model, **self._chosen(x, "n_steps"))

    def _probabilities(self, counts):
        if self.settings_.readout == "potential":
            return _softmax(counts)
        return (counts + 1 / counts.shape[1]) / (counts.sum(axis=1, keepdims=True) + 1)


class OfSequences:
    """What estimators of sequences do in place of those of rows."""

    _method = "surrogate"

    def __sklearn_tags__(self):
        """Tell scikit-learn, which alone asks, that this is an estimator of sequences."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.three_d_array = False, True
        return tags

    def _checked(self, X, *y):
        X = check_sequences(X, None if y else self.n_features_in_)
        self.n_features_in_ = X.shape[2]
        return (X, self._labels(*y, len(X))) if y else X

    def _measure(self, X):
        self.mean_, self.std_ = moments(X)

    def _inputs(self, X):
        return standardised(X, self.mean_, self.std_)

    def _model(self, x, n_out):
        beta = decay(self.beta)
        hidden = [spec for n in hidden_sizes(self.hidden) for spec in (models.Dense(n), models.Leaky(beta, recurrent=True))]
        return models.Model(x.shape[2:], [*hidden, models.Dense(n_out), models.Integrate(beta)])

    def _settings(self, model, x):
        return surrogate.Settings(**surrogate.SERIES | self._chosen(x) | {"model": model, "n_steps": x.shape[1], "over": "mean"})


class SpikingClassifier(OfSequences, Classifier):
    """A network of leaky recurrent neurons for sequences, trained by surrogate gradients; the highest mean potential of an output decides.

    A sample is a sequence of T steps with n numbers (channels) each, and samples may differ in length. Each channel is scaled to mean 0 and
    standard deviation 1, as found in `fit`, and is then an input current in each step; values beyond 10 standard deviations are cut off.
    If all numbers are 0 and 1 they are spikes, and nothing is scaled. The hidden neurons are recurrent, leak and fire; the outputs leak and
    do not fire, and the mean potential of each over the steps is what the loss sees. The probabilities are its softmax. See
    pysnn.learning.surrogate.

    Time is the axis before the last. The package aeon has it last, (N, n, T): turn it by ``np.swapaxes(X, 1, 2)``, and each array of a
    list by ``x.T``. A wrong order is refused where lengths or the number of channels tell; in an array given to `fit` nothing does.

    Parameters
    ----------
    hidden : int or sequence of int
        Neurons of each hidden layer.
    beta : float
        Factor by which a potential decays in a step, 0 to 1.
    epochs : int or None
        Times that training sees all samples; None: 40, of fewer than 81 samples so many that it takes 200 steps (with 20 samples a step).
    batch : int
        Samples a step of training.
    lr : float
        Learning rate of Adam for neurons of 32 inputs, which falls along a cosine to a hundredth; with n inputs 32/n times as large, at
        most 4 times, see `pysnn.optim.AdamByInputs`. Recurrent weights learn with the rate itself.
    random_state : int, numpy.random.RandomState or None
        Where weights and batches come from. An int gives the same network each time; None and a RandomState are drawn from, None being
        NumPy's global one.
    class_weight : None, "balanced" or dict
        How many times the samples of a class count in the loss: "balanced", so that each class counts the same; a dict by class, 1 for
        those that it lacks.

    Attributes
    ----------
    classes_ : (n_classes,) array
        The class labels, sorted.
    n_features_in_ : int
        Number of channels.
    mean_, std_ : (n,) arrays
        Mean and standard deviation of each channel, the latter 1 if its values are all equal; 0 and 1 for spikes.
    settings_ : pysnn.learning.surrogate.Settings
        All settings of the method.
    weights_, state_ : dict of str to array
        The trained parameters and statistics, as `pysnn.models.build` takes them.
    records_ : list of dict
        The record of each epoch, as `pysnn.training.epochs` gives it.
    """

    _labels = staticmethod(labels_of)

    def __init__(self, hidden=(64,), beta=0.95, epochs=None, batch=20, lr=1e-2, random_state=None, class_weight=None):
        self.hidden, self.beta, self.epochs, self.batch, self.lr = hidden, beta, epochs, batch, lr
        self.random_state, self.class_weight = random_state, class_weight

    def _rescale(self, low, span):
        self.n_features_in_ = self.settings_.model.shape[-1]
        self.mean_, self.std_ = (np.broadcast_to(x, self.n_features_in_) for x in (low, span))

    def _probabilities(self, potentials):
        return _softmax(potentials)


def _softmax(y):
    """Turn outputs (N, n) into probabilities, softmax(y)."""
    p = np.exp(y - y.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)
