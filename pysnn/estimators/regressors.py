"""The regressors: the settings of their methods."""

from .. import models
from ..learning import surrogate, temporal
from ._base import Regressor
from ._input import decay, hidden_sizes, targets_of
from .classifiers import OfSequences


class TemporalRegressor(Regressor):
    """A network of neurons that fire once, trained by the exact derivative of their spike times; an output spike says a number.

    A feature x, scaled to [0, 1], is two spikes, at t = 1.79 tau (1 - x) and 1.79 tau x. Each layer has a bias spike at t = 0. Targets are
    scaled to mean 0 and standard deviation 1; the earlier an output spikes, the larger its number, (L10): a spike at 1.5 tau means the
    mean, one 0.25 tau earlier a standard deviation more. A silent output means a number far below all others. See pysnn.learning.temporal.

    Parameters
    ----------
    hidden : int or sequence of int
        Neurons of each hidden layer.
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

    Attributes
    ----------
    y_mean_, y_std_ : float or (k,) arrays
        Mean and standard deviation of each target, the latter 1 if its values are all equal.
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

    def __init__(self, hidden=(100,), drop=0.0, epochs=None, batch=20, lr=1e-2, random_state=None):
        self.hidden, self.drop, self.epochs, self.batch, self.lr, self.random_state = hidden, drop, epochs, batch, lr, random_state

    def _model(self, x, n_out):
        return "-".join(map(str, [2 * x.shape[1], *hidden_sizes(self.hidden), n_out]))

    def _settings(self, model, x):
        chosen = self._chosen(x, drop_hidden="drop")
        try:
            return temporal.Settings(model, code="pairs", loss="squared", drop_in=0.0, weight_sum=2.0, **chosen)
        except ValueError as error:
            raise ValueError(str(error).replace("drop_hidden:", "drop:")) from None          # by its name here


class SurrogateRegressor(Regressor):
    """A network of leaky neurons, trained by surrogate gradients; the mean potential of an output over the steps is its number.

    The features, scaled to [0, 1], are constant input currents for `n_steps` steps. The hidden neurons leak and fire; the outputs leak and
    do not fire. Targets are scaled to mean 0 and standard deviation 1. See pysnn.learning.surrogate.

    Parameters
    ----------
    hidden : int or sequence of int
        Neurons of each hidden layer.
    n_steps : int
        Time steps T.
    beta : float
        Factor by which a potential decays in a step, 0 to 1.
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

    Attributes
    ----------
    y_mean_, y_std_ : float or (k,) arrays
        Mean and standard deviation of each target, the latter 1 if its values are all equal.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : (n,) array of str
        Their names, if `fit` was given a data frame with names.
    low_, span_ : (n,) arrays
        The smallest value of each feature and the extent of its values, or 1 if they are all equal.
    settings_ : pysnn.learning.surrogate.Settings
        All settings of the method.
    weights_, state_ : dict of str to array
        The trained parameters and statistics, as `pysnn.models.build` takes them.
    records_ : list of dict
        The record of each epoch, as `pysnn.training.epochs` gives it.
    """

    _method = "surrogate"

    def __init__(self, hidden=(100,), n_steps=15, beta=0.9, epochs=None, batch=20, lr=1e-2, random_state=None):
        self.hidden, self.n_steps, self.beta, self.epochs, self.batch, self.lr = hidden, n_steps, beta, epochs, batch, lr
        self.random_state = random_state

    def _model(self, x, n_out):
        beta = decay(self.beta)
        hidden = [spec for n in hidden_sizes(self.hidden) for spec in (models.Dense(n), models.Leaky(beta))]
        return models.Model(x.shape[1:], [*hidden, models.Dense(n_out), models.Integrate(beta)])

    def _settings(self, model, x):
        chosen = surrogate.SERIES | self._chosen(x, "n_steps") | {"model": model, "input": "constant", "over": "mean", "loss": "squared"}
        return surrogate.Settings(**chosen)


class SpikingRegressor(OfSequences, Regressor):
    """A network of leaky recurrent neurons for sequences, trained by surrogate gradients; the mean potential of an output is its number.

    Samples, their scale and the network are those of `SpikingClassifier`. Targets are scaled to mean 0 and standard deviation 1.

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
        Learning rate, as of `SpikingClassifier`.
    random_state : int, numpy.random.RandomState or None
        Where weights and batches come from. An int gives the same network each time; None and a RandomState are drawn from, None being
        NumPy's global one.

    Attributes
    ----------
    y_mean_, y_std_ : float or (k,) arrays
        Mean and standard deviation of each target, the latter 1 if its values are all equal.
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

    _labels = staticmethod(targets_of)

    def __init__(self, hidden=(64,), beta=0.95, epochs=None, batch=20, lr=1e-2, random_state=None):
        self.hidden, self.beta, self.epochs, self.batch, self.lr, self.random_state = hidden, beta, epochs, batch, lr, random_state

    def _chosen(self, x, *names, **others):
        return super()._chosen(x, *names, **others) | {"loss": "squared"}
