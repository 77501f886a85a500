"""Optimisers and schedules, against their textbook forms."""

import numpy as np
import pytest

from pysnn import _threads, optim


@pytest.fixture
def threads():
    """Let a test choose the number of threads; the old number comes back."""
    before = _threads.get_threads()
    yield _threads.set_threads
    _threads.set_threads(before)


def textbook_adam(w, gradients, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    """Write algorithm 1 of arXiv 1412.6980 line by line."""
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t, g in enumerate(gradients, 1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g ** 2
        m_hat, v_hat = m / (1 - beta1 ** t), v / (1 - beta2 ** t)
        w = w - lr * m_hat / (np.sqrt(v_hat) + eps)
    return w, m, v


@pytest.mark.parametrize("dtype, rtol", [(np.float64, 1e-13), (np.float32, 1e-5)])
def test_adam_is_the_textbook_one(rng, dtype, rtol):
    w = {"a": rng.standard_normal((170, 130)), "b": rng.standard_normal((3, 2))}     # a: more than one block
    scales = [0 if k == 3 else 10.0 ** rng.integers(-9, 3) for k in range(20)]       # tiny gradients show where eps stands; one is 0
    gradients = {name: [s * rng.standard_normal(x.shape) for s in scales] for name, x in w.items()}
    got = {name: x.astype(dtype) for name, x in w.items()}
    adam = optim.Adam(got)
    for k in range(20):
        adam.update(got, {name: g[k].astype(dtype) for name, g in gradients.items()}, 0.03)
    for name, x in w.items():
        ref, m, v = textbook_adam(x, gradients[name], 0.03)
        assert got[name].dtype == adam.state[f"m/{name}"].dtype == dtype
        np.testing.assert_allclose(got[name], ref, rtol=rtol, atol=rtol)
        np.testing.assert_allclose(adam.state[f"m/{name}"], m, rtol=rtol, atol=rtol * np.abs(m).max())
        np.testing.assert_allclose(adam.state[f"v/{name}"], v, rtol=10 * rtol, atol=rtol * v.max())
    assert adam.state["n_steps"] == 20


def test_first_step_of_adam_is_lr_times_the_sign():
    w = {"w": np.zeros((1, 3))}
    optim.Adam(w).update(w, {"w": np.array([[5.0, -1e-3, 0.0]])}, 0.1)
    np.testing.assert_allclose(w["w"], [[-0.1, 0.1, 0.0]], rtol=1e-4)


def test_sgd():
    w = {"w": np.array([[1.0, 2.0]], np.float32)}
    sgd, here = optim.SGD(w), w["w"]
    sgd.update(w, {"w": np.array([[10.0, -1.0]], np.float32)}, 0.1)
    np.testing.assert_allclose(w["w"], [[0.0, 2.1]], atol=1e-7)
    assert w["w"] is here and w["w"].dtype == np.float32 and sgd.state == {}


def test_nesterov_is_its_formula(rng):
    """v = m v + g, w = w - lr (g + m v), with a rate that changes; m = 0 is plain descent."""
    w, v = rng.standard_normal((4, 3)), np.zeros((4, 3))
    got, plain = {"w": w.copy()}, {"w": w.copy()}
    nesterov, without = optim.Nesterov(got, 0.85), optim.Nesterov(plain, 0.0)
    sgd, alone = optim.SGD(plain), {"w": w.copy()}
    for k in range(6):
        g, lr = rng.standard_normal((4, 3)), 0.1 / (k + 1)
        v = 0.85 * v + g
        w = w - lr * (g + 0.85 * v)
        nesterov.update(got, {"w": g}, lr)
        without.update(plain, {"w": g}, lr)
        sgd.update(alone, {"w": g}, lr)
    np.testing.assert_allclose(got["w"], w, rtol=1e-13)
    np.testing.assert_allclose(nesterov.state["v/w"], v, rtol=1e-13)
    np.testing.assert_array_equal(plain["w"], alone["w"])
    single = {"w": w.astype(np.float32)}
    optim.Nesterov(single).update(single, {"w": np.ones((4, 3), np.float32)}, 0.1)
    assert single["w"].dtype == np.float32


@pytest.mark.parametrize("name", optim.OPTIMISERS)
def test_update_is_in_place_and_leaves_gradients_and_the_rest_alone(rng, name):
    params = {"w1": rng.standard_normal((200, 100)), "w2": rng.standard_normal((4, 4))}
    w1, w2 = params["w1"], params["w2"]
    was1, was2, dw = w1.copy(), w2.copy(), rng.standard_normal((200, 100))
    kept = dw.copy()
    optim.OPTIMISERS[name](params).update(params, {"w1": dw}, 0.1)
    assert params["w1"] is w1 and (w1 != was1).all() and (w2 == was2).all() and (dw == kept).all()


@pytest.mark.parametrize("name", optim.OPTIMISERS)
def test_same_bits_for_any_number_of_threads(rng, threads, name):
    w = rng.standard_normal((333, 257)).astype(np.float32)
    steps = [rng.standard_normal(w.shape).astype(np.float32) for _ in range(5)]
    found = []
    for n in (1, 2, 3):
        threads(n)
        params = {"w": w.copy()}
        optimiser = optim.OPTIMISERS[name](params)
        for dw in steps:
            optimiser.update(params, {"w": dw}, 1e-2)
        found.append(params["w"].tobytes())
    assert len(set(found)) == 1


def test_triangle():
    """A fifth at first, the whole rate after 23 % of the steps, the last rate at the end, lines between."""
    rate = np.array([optim.triangle(step, 100, 1.0, 0.01) for step in range(101)])
    np.testing.assert_allclose(rate[[0, 23, 100]], [0.2, 1.0, 0.01], rtol=1e-12)
    for part in (rate[:24], rate[23:]):
        np.testing.assert_allclose(np.diff(part), np.diff(part)[0], rtol=1e-9)
    assert rate.max() == 1.0 and (rate > 0).all() and isinstance(optim.triangle(5, 100, 1e-2, 1e-4), float)
    assert 0 < optim.triangle(0, 1, 1.0, 0.01) <= 1                      # a run of one step


@pytest.mark.parametrize("name", sorted(set(optim.SCHEDULES) - {"triangle"}))
def test_schedules_fall_from_end_to_end(name):
    rate = [optim.SCHEDULES[name](step, 100, 1e-2, 1e-4) for step in range(101)]
    np.testing.assert_allclose([rate[0], rate[-1]], [1e-2, 1e-4], rtol=1e-12)
    assert (np.diff(rate) < 0).all() and isinstance(rate[5], float)
    np.testing.assert_allclose(rate[50], {"cosine": 5.05e-3, "exponential": 1e-3}[name], rtol=1e-12)     # arithmetic, geometric mean


def test_rates_by_inputs_are_those_of_adam_for_32_inputs(rng):
    """A step moves a current by what it would with 32 inputs: for n of them, 32/n of Adam's step; biases too, other parameters as ever."""
    params = {"w1": rng.standard_normal((1460, 5)), "b1": np.zeros(5), "w2": rng.standard_normal((3, 3, 2, 4)), "gamma2": np.ones(4)}
    grads = {name: rng.standard_normal(w.shape) for name, w in params.items()}
    moved = {}
    for kind in (optim.Adam, optim.AdamByInputs):
        w = {name: x.copy() for name, x in params.items()}
        kind(w).update(w, grads, 0.01)
        moved[kind] = {name: x - params[name] for name, x in w.items()}
    for name, n_in in {"w1": 1460, "b1": 1460, "w2": 18, "gamma2": 32}.items():
        np.testing.assert_allclose(moved[optim.AdamByInputs][name], moved[optim.Adam][name] * (32 / n_in), rtol=1e-9)
