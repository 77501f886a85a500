"""Initial weights by theory: the potentials of neurons that get such input are measured, their mean and their variance."""

import numpy as np
import pytest

from pysnn import models
from pysnn._blas import matmul
from pysnn.learning import surrogate
from pysnn.models.fluctuation import RECURRENT, Drive, fluctuation_params, response
from pysnn.reference import leaky


def test_response_by_hand():
    """A current 1 in the first step; beta = alpha = 1/2, and the closed form of the sum of squares."""
    np.testing.assert_allclose(response(4, 0.5, 0.5), [1, 1, 0.75, 0.5])
    np.testing.assert_allclose(response(3, 1.0), [1, 1, 1])
    a, b = 0.8, 0.9
    closed = 0.1 ** 2 * (1 + a * b) / ((1 - a * b) * (1 - a ** 2) * (1 - b ** 2))
    assert (response(400, b, a, 0.1) ** 2).sum() == pytest.approx(closed, rel=1e-12)


@pytest.mark.parametrize("spec, n_steps", [(models.Leaky(0.9), 60), (models.Leaky(0.9, alpha=0.8, gain="1 - beta"), 80),
                                           (models.Leaky(1.0), 40)], ids=str)
def test_potentials_fluctuate_as_wanted(rng, spec, n_steps):
    """(D20) Without a threshold: variance over samples (2/threshold)^2 of them, mean over neurons 0."""
    drive = Drive(rate=0.1, sigmas=2.0, threshold=3.0, n_steps=n_steps)
    model = models.Model((200,), [models.Dense(100), spec, models.Dense(2)])
    params = models.rate_params(model, rng, dtype=np.float64)
    fluctuation_params(model, params, rng, drive)
    x = (rng.random((n_steps * 80, 200)) < drive.rate) * 1.0
    gain = 1 - spec.beta if spec.gain == "1 - beta" else 1
    v = gain * leaky.integrate(matmul(x, params["w1"]).reshape(n_steps, 80, 100), spec.beta, 0.0, spec.alpha)[0][-1]
    within = v.var(axis=0, ddof=1).mean()                                # of a neuron, over samples
    assert np.sqrt(within) == pytest.approx(3 / 2, rel=0.05)
    of_means = 1.5 * np.sqrt(drive.rate / (1 - drive.rate)) * response(n_steps, spec.beta, spec.alpha, gain).sum() \
        / np.sqrt((response(n_steps, spec.beta, spec.alpha, gain) ** 2).sum())
    assert abs(v.mean()) < 3 * of_means / np.sqrt(100) and np.std(v.mean(axis=0)) == pytest.approx(of_means, rel=0.25)


def test_recurrent_weights_have_their_share(rng):
    """If the neurons fire as often as their inputs; behind an image, and at an output without neurons."""
    model = models.Model((8, 8, 4), [models.Conv(6), models.Leaky(0.8), models.Dense(300), models.Leaky(0.9, True), models.Dense(400)])
    params = models.rate_params(model, rng, dtype=np.float64)
    fluctuation_params(model, params, rng, Drive(0.2, 1.5, 1.0, 100))
    per_input = {beta: 0.2 * 0.8 * (response(100, beta) ** 2).sum() for beta in (0.8, 0.9, 1.0)}
    for name, n_in, beta, share in (("w1", 36, 0.8, 1), ("w2", 384, 0.9, 1 - RECURRENT), ("w_rec2", 300, 0.9, RECURRENT),
                                    ("w3", 300, 1.0, 1)):
        w = params[name]
        assert n_in * w.var() * per_input[beta] == pytest.approx(share / 1.5 ** 2, rel=0.15), name
        assert abs(w.mean()) < 4 * w.std() / np.sqrt(w.size)


def test_drives_that_mean_nothing(rng):
    for drive in (Drive(rate=1.0), Drive(rate=0.0), Drive(sigmas=0.0), Drive(n_steps=0)):
        with pytest.raises(ValueError, match="drive: expected a rate between 0 and 1"):
            fluctuation_params(models.read("3-4-2"), {}, rng, drive)


def test_the_setting_draws_them(rng):
    """Everything else is drawn as without it; neurons then fire, with few inputs and with many."""
    for n_in in (5, 500):
        s = surrogate.Settings(**{**surrogate.SERIES, "model": f"{n_in}-100d-R0.9-3d-I0.9", "n_steps": 50, "init": "fluctuation",
                                  "input_rate": 0.02, "bias": True})
        nets, plain = (surrogate.build(some, None, np.random.default_rng(0)) for some in (s, surrogate.Settings(model=s.model, bias=True)))
        assert (nets.net.params["b1"] == plain.net.params["b1"]).all() and (nets.net.params["w1"] != plain.net.params["w1"]).any()
        x = (rng.random((50, 20, n_in)) < 0.02).astype(np.float32)
        assert 0.01 < nets.snn.run(x).n_spikes[0] / (50 * 20 * 100) < 0.2
