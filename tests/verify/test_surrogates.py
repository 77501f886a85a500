"""Surrogates of any kind: each the slope of its soft step, with the height and the centre that were asked for."""

import numpy as np
import pytest

from pysnn.conventions import Surrogate
from pysnn.reference import integrate_fire
from pysnn.verify.witness import surrogates
from pysnn.verify.witness.surrogates import KINDS, Shape, derivative, height, of, soft_step

X = np.linspace(-3, 3, 601) + 1e-4                       # meets no corner


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(2.0,), (0.7, 0.3), (2.0, 1.5, 0.25)])
def test_a_surrogate_is_the_slope_of_its_soft_step(kind, shape):
    now, h = Shape(kind, *shape), 1e-6
    found = (soft_step(X + h, now) - soft_step(X - h, now)) / (2 * h)
    np.testing.assert_allclose(derivative(X, now), found, rtol=0, atol=1e-9)
    assert derivative(np.array([now.centre + 1e-12]), now)[0] == pytest.approx(height(now))
    assert now.height is None or height(now) == now.height
    by_nodes = soft_step(X + h, lambda x: derivative(x, now), X - h) / (2 * h)
    np.testing.assert_allclose(by_nodes, found, rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("constant", "fast_sigmoid")])
def test_a_soft_step_rises_by_one_unless_a_height_is_given(kind):
    far = np.array([-1e9, 1e9])
    assert np.ptp(soft_step(far, Shape(kind, 3.0))) == pytest.approx(1, abs=1e-8)


@pytest.mark.parametrize("kind", ["atan", "fast_sigmoid", "sigmoid", "triangle"])
def test_those_of_the_operations_are_among_them(kind):
    np.testing.assert_allclose(derivative(X, Surrogate(kind, 3.0)), integrate_fire.surrogate_grad(X, Surrogate(kind, 3.0)), rtol=1e-12)
    assert of((kind, 3.0)) == Surrogate(kind, 3.0) == of(Surrogate(kind, 3.0))
    assert of((kind, 3.0, height(Surrogate(kind, 3.0)))) == Surrogate(kind, 3.0)
    assert isinstance(of((kind, 3.0, 0.2)), Shape)


def test_formulas_by_hand():
    x = np.array([-0.4, 0.1, 0.6])
    np.testing.assert_allclose(derivative(x, Shape("boxcar", 1.0)), [1, 1, 0])
    np.testing.assert_allclose(derivative(x, Shape("gaussian", 2.0)), 2 / np.sqrt(2 * np.pi) * np.exp(-2 * x ** 2))
    np.testing.assert_allclose(derivative(x, Shape("erf", 2.0)), 2 / np.sqrt(np.pi) * np.exp(-4 * x ** 2))
    np.testing.assert_allclose(derivative(x, Shape("exponential", 2.0)), np.exp(-2 * abs(x)))
    np.testing.assert_allclose(derivative(x, Shape("triangle", 1.0, 0.3)), 0.3 * (1 - abs(x)))
    np.testing.assert_allclose(derivative(x, Shape("constant")), 1)


@pytest.mark.parametrize(("value", "says"), [(("step", 1.0), "expected one of atan"), (("atan", -1.0), "above 0"), (3, "a function, got 3"),
                                             (("boxcar", 1.0, 0.0), "above 0"), (("boxcar", float("nan")), "above 0")])
def test_what_is_no_surrogate_is_refused(value, says):
    with pytest.raises(ValueError, match=f"SURROGATE: .*{says}"):
        of(value, "SURROGATE")


def test_words():
    assert surrogates.words(Shape("triangle", 2.0, 0.3, -1.0)) == "triangle of slope 2 and height 0.3, centred at threshold -1"
    assert surrogates.words(of(("atan", 2.0))) == "atan of slope 2"
    assert surrogates.words(np.cos) == "the function cos"
