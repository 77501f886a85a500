"""Classifiers in the style of scikit-learn: fit, predict, predict_proba and score, on the methods and the loop of this package.

They work in a Pipeline and in GridSearchCV, and need no scikit-learn: where it is installed it checks the input, elsewhere a few lines of
ours do. Each feature is scaled to [0, 1] by its range in the samples given to `fit`; later values outside of it are cut off.
"""

from .classifiers import ProxyClassifier, TemporalClassifier

__all__ = ["ProxyClassifier", "TemporalClassifier"]
