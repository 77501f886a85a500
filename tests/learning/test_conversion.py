"""Conversion of ReLU networks that were trained with a ceiling (clip) or with levels (QCFS)."""

import numpy as np
import pytest

from pysnn import training
from tests.cases.learning import RATE, batch, begin, images, nets_for

SAME = {"loss": "cross_entropy", "readout": "potential", "clip": True, "v_init": 0.5, "init": "kaiming", "gamma": 1.0}


@pytest.mark.parametrize("levels", [0, 5])
def test_it_trains_as_the_relu_network_of_proxy_does(levels):
    """That of the preset `warm`, in its first epochs, with the same scale of the output."""
    x, y = batch(9)
    conversion = RATE["conversion"].gradients(nets_for("conversion", **SAME, levels=levels, scale=3.0), x, y)
    proxy = RATE["proxy"].gradients(nets_for("proxy", **SAME, levels=bool(levels), on="mean", scale=3.0, warm=1.0, epochs=2), x, y)
    plain = RATE["conversion"].gradients(nets_for("conversion", **SAME), x, y)
    assert conversion.loss == pytest.approx(proxy.loss, rel=1e-12) and conversion.loss != pytest.approx(plain.loss, rel=1e-3)
    for name, dw in proxy.grads.items():
        np.testing.assert_allclose(conversion.grads[name], dw, rtol=1e-10, atol=1e-14, err_msg=name)


def test_with_levels_it_is_exact_at_as_many_steps():
    """T = L and v_init = 1/2, one hidden layer, whose currents are constant: no error is left, (P12)."""
    x, _ = batch(60)
    for n_steps in (8, 7):
        nets = nets_for("conversion", model="6x6x2-4C3-3", **SAME, levels=8, n_steps=n_steps)
        RATE["conversion"].end_epoch(nets, x)
        ref = nets.net.forward(x)[0][-1]
        got = nets.snn.run(x).counts[-1] / n_steps * nets.state["scale2"]
        error = np.abs(got - ref).max()
        assert error < 1e-12 if n_steps == 8 else error > 1e-3, (n_steps, error)


def test_the_ceiling_is_the_scale():
    nets, (x, _) = nets_for("conversion", model="6x6x2-4C3-A2-6-3", clip=True, gamma=2.0), batch(30)
    RATE["conversion"].end_epoch(nets, x)
    activations = nets.net.forward(x)[0]
    assert max(a.max() for a in activations[:3]) > 1 and nets.net.layers[2].options == (1.0,)
    assert nets.state["scale1"] == nets.state["scale2"] == 1 and nets.state["scale3"] == pytest.approx(activations[-1].max(), rel=0.2)


def test_levels_need_the_ceiling():
    with pytest.raises(ValueError, match="levels: expected 0 without clip, got 4"):
        nets_for("conversion", levels=4)
    with pytest.raises(ValueError, match="levels: expected a whole number, got"):
        nets_for("conversion", levels=4.0, clip=True)


@pytest.mark.parametrize("levels", [0, 6])
def test_it_learns_with_the_ceiling(levels):
    run = begin("conversion", clip=True, levels=levels, v_init=0.5, epochs=12, lr=1e-2)
    *_, last = training.epochs(run, images(60), images(60, seed=1))
    assert last["val_accuracy"] > 0.8


@pytest.mark.parametrize("method", ["tandem", "surrogate"])
def test_mean_has_the_gradient_of_its_loss(method):
    """With on="mean" the loss sees y/T times a scale: the gradient is that with on="rates", where the scale is 1."""
    (x, y), chosen = batch(9), {"loss": "cross_entropy", "readout": "potential", "scale": 1.0}
    mean, rates = (RATE[method].gradients(nets_for(method, **chosen, on=on), x, y) for on in ("mean", "rates"))
    assert mean.loss == rates.loss
    for name, dw in rates.grads.items():
        np.testing.assert_allclose(mean.grads[name], dw, rtol=1e-12, atol=1e-15, err_msg=name)
