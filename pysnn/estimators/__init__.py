"""Classifiers and regressors in the style of scikit-learn: fit, predict and score, on the methods and the loop of this package.

They work in a Pipeline and in GridSearchCV, and need no scikit-learn: where it is installed it checks rows of numbers, elsewhere a few
lines of ours do. Each feature of a row is scaled to [0, 1] by its range in the samples given to `fit`; later values outside of it are
cut off. `SpikingClassifier` and `SpikingRegressor` are for sequences, and scale each channel to mean 0 and standard deviation 1.
"""

from .classifiers import ProxyClassifier, SpikingClassifier, TemporalClassifier
from .regressors import SpikingRegressor, SurrogateRegressor, TemporalRegressor

__all__ = ["ProxyClassifier", "SpikingClassifier", "SpikingRegressor", "SurrogateRegressor", "TemporalClassifier", "TemporalRegressor"]
