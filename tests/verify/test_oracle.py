"""The oracles: a second opinion on each, in exact fractions or by differences of 60-digit numbers; then ours against them."""

import json
import re
import sys
from fractions import Fraction
from itertools import product

import mpmath
import numpy as np
import pytest

from pysnn.conventions import RULES, SURROGATES, Rule, Surrogate
from pysnn.reference import activations, batch_norm, conv, dense, integrate_fire, pool
from pysnn.reference import temporal as reference
from pysnn.verify import oracle, zoo
from pysnn.verify.oracle import _numbers, exact, rounded
from pysnn.verify.oracle import check as oracle_check
from pysnn.verify.oracle import integrate_fire as oracle_spikes
from pysnn.verify.oracle import relu as oracle_maps
from tests.cases import ROOT
from tests.cases.tolerances import kappa_limit

INF = np.inf
CTX = _numbers.context()
DIGITS_50 = CTX.mpf(10) ** -50


def problem(seed, n_batch=3, n_in=7, n_out=4):
    """Make dyadic inputs with ties and silence."""
    rng = np.random.default_rng(seed)
    z_in = rng.integers(8, 32, (n_batch, n_in)) / 8
    z_in[rng.random(z_in.shape) < 0.1] = INF
    return z_in, rng.integers(-64, 160, (n_in, n_out)) / 128


def closed_form(z, w, threshold=1):
    """(T3) to (T6) in fractions: what the oracle must not use."""
    z, w = [Fraction(x) if x < INF else None for x in z], [Fraction(x) for x in w]
    times = sorted({x for x in z if x is not None})
    for k, end in enumerate(times):
        heard = [i for i, x in enumerate(z) if x is not None and x <= end]
        margin, moment = sum(w[i] for i in heard) - Fraction(threshold), sum(w[i] * z[i] for i in heard)
        if margin > 0 and (k + 1 == len(times) or moment <= margin * times[k + 1]):
            return moment / margin, heard
    return None, []


# ---------------------------------------------------------------------------------------------- the temporal neuron

def test_worked_example_in_50_digits():
    z_in = np.array([[CTX.mpf(1), CTX.e, CTX.e ** 2]], dtype=object)
    w = np.array([[CTX.mpf(4) / 5], [CTX.mpf(3) / 5], [CTX.mpf(-3) / 10]], dtype=object)
    z_out, cache = oracle.forward(z_in, w, exact(1.0)[()])
    assert abs(z_out[0, 0] / (2 + CTX.mpf(3) / 2 * CTX.e) - 1) < DIGITS_50
    dz_in, dw = oracle.backward(np.ones((1, 1)), cache)
    np.testing.assert_array_equal(rounded(dz_in), [[2, 1.5, 0]])
    np.testing.assert_array_equal(rounded(dw)[:, 0], [-12.693556856721420, -8.3978522855738065, 0])
    assert oracle.condition(cache)[0, 0] == pytest.approx(6)


@pytest.mark.parametrize("threshold", [1.0, 0.5])
def test_spikes_are_those_of_the_closed_form(threshold):
    seen = set()
    for seed in range(40):
        z_in, w = problem(seed)
        z_out, cache = oracle.forward(z_in, w, threshold)
        for b, j in np.ndindex(z_out.shape):
            wanted, heard = closed_form(z_in[b], w[:, j], threshold)
            seen.add(wanted is None)
            if wanted is None:
                assert z_out[b, j] == INF and (b, j) not in cache.spikes
            else:
                assert abs(z_out[b, j] * wanted.denominator / wanted.numerator - 1) < 2 * DIGITS_50
                assert sorted(cache.spikes[b, j].causal) == heard
                assert rounded(z_out[b, j]) == float(wanted)
    assert seen == {True, False}


@pytest.mark.parametrize("z_in, w, wanted", [([1, 2], [2, -1], 2), ([1, 1.875], [2, -1.5], INF), ([1, 1.875, 4], [2, -1.5, 1], 6.375),
                                             ([1, 2, 2], [1.5, 1, -1], 3), ([1, 1], [2, -2], INF), ([1, 2], [0.5, 0.5], INF),
                                             ([1, 2, 2], [2 - 2.0**-42, 1024, -4096], INF), ([INF, INF], [9, 9], INF)], ids=str)
def test_decisions_by_hand(z_in, w, wanted):
    assert rounded(oracle.forward(np.array([z_in], float), np.array(w, float)[:, None])[0])[0, 0] == wanted


def test_the_literal_definition_holds_at_the_spike_and_not_before():
    """V with one exponential an input, exp(-(t - t_i)), and t_i = ln z_i."""
    n = 0
    for seed in range(6):
        z_in, w = problem(seed)
        z_out, cache = oracle.forward(z_in, w)

        def v(t, b, j, z_in=z_in, w=w):
            t_in = [CTX.log(z) if z < INF else INF for z in z_in[b]]
            return sum((CTX.mpf(w[i, j]) * (1 - CTX.exp(-(t - s))) for i, s in enumerate(t_in) if s < t), CTX.zero)
        for b, j in cache.spikes:
            t_out = CTX.log(z_out[b, j])
            n += 1
            assert abs(v(t_out, b, j) - 1) < 100 * DIGITS_50
            assert all(v(CTX.log(z), b, j) < 1 for z in z_in[b] if z < z_out[b, j])
    assert n > 20


def test_gradients_are_the_differences_of_forward():
    h = CTX.mpf(10) ** -22
    z_in, w = problem(8)
    c = np.random.default_rng(0).normal(size=(len(z_in), w.shape[1]))
    args = exact(z_in), exact(w)
    one = exact(1.0)[()]
    z_out, cache = oracle.forward(*args, one)
    fired = np.asarray(z_out < INF, dtype=bool)
    assert 0 < fired.sum() < fired.size

    def loss(*args):
        return (exact(c)[fired] * oracle.forward(*args, one)[0][fired]).sum()
    for k, grad in enumerate(oracle.backward(c, cache)):
        for at in np.ndindex(grad.shape):
            if args[k][at] == INF:
                assert grad[at] == 0
                continue
            up, down = ([x.copy() for x in args] for _ in range(2))
            up[k][at] += h
            down[k][at] -= h
            assert abs((loss(*up) - loss(*down)) / (2 * h) - grad[at]) < 1e-30 * (1 + abs(grad[at]))


def test_kappa_and_units_are_the_sums_of_the_page():
    z_in, w = problem(8)
    z_out, cache = oracle.forward(z_in, w)
    kappa, z = oracle.condition(cache), rounded(z_out)
    for (b, j), spike in cache.spikes.items():
        z_i, w_i = z_in[b, spike.causal], w[spike.causal, j]
        wanted = (np.abs(w_i * (z_i - z[b, j])).sum() + np.abs(w_i * z_i).sum() + z[b, j]) / ((w_i.sum() - 1) * z[b, j])
        assert kappa[b, j] == pytest.approx(wanted, rel=1e-12)
    assert (kappa[np.isinf(z)] == 0).all() and np.isinf(z).any()
    (b, j), spike = next(iter(cache.spikes.items()))
    dz_out = np.zeros(z.shape)
    dz_out[b, j] = -2
    unit_z, unit_w = oracle.units(dz_out, cache)
    i, h = spike.causal, 2 / (w[spike.causal, j].sum() - 1)
    np.testing.assert_allclose(unit_w[i, j], h * kappa[b, j] * (2 * z[b, j] - z_in[b, i]), rtol=1e-12)
    np.testing.assert_allclose(unit_z[b, i], h * np.abs(w[i, j]) * (1 + kappa[b, j]), rtol=1e-12)
    assert unit_z.astype(bool).sum() == len(i) == unit_w.astype(bool).sum()


def test_huge_and_tiny_times_and_margins():
    for z, w in (([1e-300, 2e300], [1.5, -1]), ([1.0], [1 + 2.0 ** -52]), ([1.0, 5e-324], [3.0, 2.0 ** -1000])):
        z_out, _ = oracle.forward(np.array([z]), np.array(w)[:, None])
        assert rounded(z_out)[0, 0] == float(closed_form(z, w)[0])


def test_ours_against_the_oracle(temporal_neuron):
    """A small copy of docs/results/kappa.py."""
    for dtype in (np.float64, np.float32):
        entries = oracle_check.check(temporal_neuron, 36, dtype)
        assert [e.argument for e in entries] == ["z_out", "dz_in", "dw"]
        assert all(e.verdict == "right" and e.n_checked > 30 and 0 < e.ulps for e in entries), entries
        assert kappa_limit(dtype) / 100 < entries[0].condition <= kappa_limit(dtype) and entries[0].skipped < 20


@pytest.mark.parametrize("change, wrong", [
    (lambda z, dz, dw: (z * (1 + 1e-6), dz, dw), ["z_out"]), (lambda z, dz, dw: (z, dz, -dw), ["dw"]),
    (lambda z, dz, dw: (z, dz * np.nan, dw), ["dz_in"]), (lambda z, dz, dw: (np.where(z > 5, INF, z), dz, dw), ["z_out"]),
    (lambda z, dz, dw: (z, dz, np.where(dw == 0, 1e-300, dw)), ["dw"])], ids=["times", "sign", "NaN", "silence", "zeros"])
def test_the_check_finds_what_is_wrong(change, wrong):
    def forward(z_in, w):
        z_out, cache = reference.forward(z_in, w)
        return change(z_out, z_in, w)[0], cache

    def backward(dz_out, cache):
        return change(dz_out, *reference.backward(dz_out, cache))[1:]
    entries = oracle_check.check(zoo.Op(forward, backward), 24)
    assert [e.argument for e in entries if e.verdict == "WRONG"] == wrong
    assert all(re.fullmatch(r"problem \d+ \(.+, \d+ inputs\)", e.first) for e in entries if e.verdict == "WRONG")


def test_an_error_of_a_few_ulps_is_seen():
    z_in, w = np.array([[1.0, 2.0]]), np.array([[0.75], [0.75]])
    z_out, cache = oracle.forward(z_in, w)
    right = rounded(z_out)
    assert oracle.ulps(right, z_out)[0, 0] <= 0.5
    wrong = right
    for _ in range(20):
        wrong = np.nextafter(wrong, INF)
    assert oracle.ulps(wrong, z_out)[0, 0] == pytest.approx(20, abs=0.5) and oracle.condition(cache)[0, 0] < 10


def test_refusals(monkeypatch):
    with pytest.raises(ValueError, match=r"expected \(B, N_in\) and \(N_in, N_out\), got \(1, 2\) and \(3, 1\)"):
        oracle.forward(np.ones((1, 2)), np.ones((3, 1)))
    for bad in (0.0, -1.0, np.nan):
        with pytest.raises(ValueError, match="z_in: expected positive"):
            oracle.forward(np.array([[1.0, bad]]), np.ones((2, 1)))
    monkeypatch.setattr(oracle.temporal, "_membrane", lambda t, z, w, theta: (CTX.one, CTX.one))
    with pytest.raises(ArithmeticError, match="no certified root"):
        oracle.forward(np.ones((1, 1)), np.full((1, 1), 2.0))


def test_without_mpmath_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "mpmath", None)
    _numbers.context.cache_clear()
    with pytest.raises(ImportError, match=r'pip install mpmath'):
        oracle.forward(np.ones((1, 1)), np.ones((1, 1)))
    monkeypatch.undo()
    _numbers.context.cache_clear()
    assert mpmath.mp.dps == 15                                           # nobody touched the global precision


# ---------------------------------------------------------------------------------------------- numbers

def test_rounding_is_done_once_and_to_nearest():
    for power in (-1074, -1030, -20, 0, 500):
        for top in (2 ** 53 + 1, 3 * 2 ** 53 + 1, 2 ** 110 + 2 ** 57 + 1, 5, -7):
            x = CTX.ldexp(top, power)
            wanted = float(Fraction(top) * Fraction(2) ** power)
            assert rounded(x) == wanted
    third = CTX.mpf(1) / 3
    large = CTX.ldexp(1, 2000)
    assert rounded(np.array([third, CTX.inf, large, -large, Fraction(1, 3)])).tolist() == [1 / 3, INF, INF, -INF, 1 / 3]


def test_dyadic_numbers_are_exact():
    x, y = np.array([0.75, -3.0, 5e-324, 0.0]), exact([0.1, 2.0 ** 70])
    (a, b), shift = _numbers.dyadic(x, y)
    assert [Fraction(int(k), 1) / Fraction(2) ** shift for k in a] == [Fraction(v) for v in x]
    assert [Fraction(int(k), 1) / Fraction(2) ** shift for k in b] == [Fraction(v) for v in (0.1, 2.0 ** 70)]


# ---------------------------------------------------------------------------------------------- integrate and fire

@pytest.mark.parametrize("rule", [Rule(*words) for words in product(*RULES.values())], ids=str)
def test_spikes_and_counts_in_fractions(rule):
    rng = np.random.default_rng(5)
    currents = [Fraction(int(k), 8) for k in (-3, 1, 5, 8, 11, 16, 17)]
    for theta, n_steps in ((1, 15), (2, 9)):
        spikes, _, _ = oracle_spikes.forward(np.tile(np.array(currents, float), (n_steps, 1, 1)), theta, 0.0, rule)
        assert spikes.sum(axis=0)[0].tolist() == [oracle_spikes.constant_count(a, n_steps, theta, rule) for a in currents]
    current, v_init = rng.integers(-8, 16, (12, 2, 5)) / 8, rng.integers(0, 12, (2, 5)) / 8
    spikes, v_final, _ = oracle_spikes.forward(current, 1.0, v_init, rule)
    wanted, potential, _ = integrate_fire.forward(current, 1.0, v_init, rule)
    np.testing.assert_array_equal(spikes, wanted)
    np.testing.assert_array_equal(rounded(v_final), potential)           # eighths: nothing was rounded
    assert 0.1 < spikes.mean() < 0.9


@pytest.mark.parametrize("rule", [Rule(*words) for words in product(*RULES.values())], ids=str)
@pytest.mark.parametrize("detach", [True, False])
def test_surrogate_gradients_are_those_of_the_reference(rule, detach):
    rng = np.random.default_rng(6)
    current, v_init, dv = rng.normal(0.5, 1, (5, 2, 3)), rng.normal(0.5, 1, (2, 3)), rng.normal(size=(2, 3))
    c = rng.normal(size=current.shape)
    for kind in SURROGATES["kind"]:
        surrogate = Surrogate(kind, 3.0)
        got = integrate_fire.backward(c, integrate_fire.forward(current, 0.75, v_init, rule)[2], dv, surrogate, detach)
        wanted = oracle_spikes.backward(c, oracle_spikes.forward(current, 0.75, v_init, rule)[2], dv, surrogate, detach)
        for x, y in zip(got, wanted, strict=True):
            np.testing.assert_allclose(x, rounded(y), rtol=1e-13, atol=1e-13)


def test_surrogates_are_derivatives_of_soft_steps():
    """(I7), each from its soft step by differences."""
    k = CTX.mpf(3)
    steps = {"atan": lambda x: CTX.atan(CTX.pi * k * x / 2) / CTX.pi, "fast_sigmoid": lambda x: x / (1 + k * abs(x)),
             "sigmoid": lambda x: 1 / (1 + CTX.exp(-k * x)), "triangle": lambda x: k * x - k * x * abs(k * x) / 2}
    h = CTX.mpf(10) ** -22
    for kind, step in steps.items():
        for x in (CTX.mpf("-0.3"), CTX.mpf("0.01"), CTX.mpf("0.25")):
            wanted = (step(x + h) - step(x - h)) / (2 * h)
            assert abs(oracle_spikes.surrogate(x, Surrogate(kind, 3.0)) - wanted) < 1e-30
    with pytest.raises(ValueError, match="surrogate: expected atan"):
        oracle_spikes.surrogate(k, Surrogate("none", 1.0))


# ---------------------------------------------------------------------------------------------- ReLU networks and losses

def eighths(seed, *shape):
    return np.random.default_rng(seed).integers(-16, 16, shape) / 8


@pytest.mark.parametrize("stride, padding", [(1, 0), (2, 1)])
def test_sums_of_products_are_exactly_those_of_the_reference(stride, padding):
    x, w = eighths(0, 2, 5, 6, 2), eighths(1, 3, 2, 2, 3)
    images = [(oracle_maps.conv2d(x, w, stride, padding), conv.conv2d_forward(x, w, stride, padding), conv.conv2d_backward)]
    images += [(oracle_maps.avg_pool2d(x, 2, stride), pool.avg_pool2d_forward(x, 2, stride), pool.avg_pool2d_backward),
               (oracle_maps.max_pool2d(x, 2, stride), pool.max_pool2d_forward(x, 2, stride), pool.max_pool2d_backward),
               (oracle_maps.relu(x, 1.0), activations.relu_forward(x, 1.0), activations.relu_backward)]
    flat, v, b = eighths(2, 3, 4), eighths(3, 4, 5), eighths(4, 5)
    images += [(oracle_maps.dense(flat, v, b), dense.dense_forward(flat, v, b), dense.dense_backward)]
    for (wanted, pull), (y, cache), backward in images:
        dy = eighths(5, *y.shape)
        pairs = [(y, wanted)]
        got, theirs = backward(dy, cache), pull(dy)
        pairs += zip(got if isinstance(got, tuple) else [got], theirs if isinstance(theirs, tuple) else [theirs], strict=True)
        for ours, exactly in pairs:
            np.testing.assert_array_equal(ours, rounded(exactly))


def differences(f, x, at):
    h = CTX.mpf(10) ** -22
    up, down = x.copy(), x.copy()
    up[at] += h
    down[at] -= h
    return (f(up) - f(down)) / (2 * h)


@pytest.mark.parametrize("given", [None, (eighths(7, 2), np.array([0.5, 2.0]))], ids=["batch", "given"])
def test_batch_norm_by_differences(given):
    x, gamma, beta, dy = exact(eighths(0, 5, 2)), exact(eighths(1, 2) + 3), exact(eighths(2, 2)), exact(eighths(3, 5, 2))
    y, pull = oracle_maps.batch_norm(x, gamma, beta, given)
    ours, _ = batch_norm.batch_norm_forward(*map(rounded, (x, gamma, beta)), *(given or ()))
    np.testing.assert_allclose(ours, rounded(y), rtol=1e-13, atol=1e-13)
    dx, dgamma, _ = pull(dy)
    for at in np.ndindex(x.shape):
        assert abs(differences(lambda v: (dy * oracle_maps.batch_norm(v, gamma, beta, given)[0]).sum(), x, at) - dx[at]) < 1e-30
    for c in range(2):
        assert abs(differences(lambda v: (dy * oracle_maps.batch_norm(x, v, beta, given)[0]).sum(), gamma, c) - dgamma[c]) < 1e-30


@pytest.mark.parametrize("loss", [oracle_maps.softmax_z, oracle_maps.softmax_t, oracle_maps.cross_entropy, oracle_maps.mse])
def test_losses_by_differences(loss):
    y, labels = exact(eighths(0, 3, 4) + 3), np.array([0, 3, 1])
    if loss in (oracle_maps.softmax_z, oracle_maps.softmax_t):
        y[0, 0] = y[1, 2] = CTX.inf                                      # a silent label, and another one
    value, d = loss(y, labels)
    for at in np.ndindex(y.shape):
        wanted = 0 if y[at] == INF else differences(lambda v: loss(v, labels)[0], y, at)
        assert abs(wanted - d[at]) < 1e-30
    assert value > 0


def test_the_record_keeps_what_it_promises():
    record = json.loads((ROOT / "docs/results/kappa.json").read_text())
    assert record["n_cases"] >= 10_000 and max(record["n_in"]) == 784 and min(record["n_in"]) == 1
    for s in record["series"]:
        assert s["wrong_decisions"] == s["wrong_zeros"] == 0
        assert s["backend"] != "kernels" or s["max"] <= 2
        assert s["gradient"]["max"] <= 4 and s["largest_kappa"] > record["limits"][s["dtype"]] / 10
