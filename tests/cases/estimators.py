"""What the tests of the estimators share: scikit-learn's checks, but one."""

import warnings

import pytest

BUT = "check_sample_weight_equivalence_on_dense_data"      # a weight of 2 counts twice in a batch; a sample given twice is in two batches


def checks(*models):
    """Return scikit-learn's checks of estimators, BUT one; the warning that ours inherit nothing from it is not wanted."""
    try:
        from sklearn.utils.estimator_checks import estimator_checks_generator
    except ImportError:
        return [pytest.param(None, None, marks=pytest.mark.skip("scikit-learn is not installed"))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return [pytest.param(*pair, id=f"{type(model).__name__}-{getattr(pair[1], 'func', pair[1]).__name__}",
                             marks=[pytest.mark.slow] * (getattr(pair[1], "keywords", None) == {"readonly_memmap": True}))
                for model in models for pair in estimator_checks_generator(model)       # float32 in read-only memory is not slow
                if getattr(pair[1], "func", pair[1]).__name__ != BUT]
