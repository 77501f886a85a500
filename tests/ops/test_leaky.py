"""Leaky neurons: by hand, beta = 1, closed forms, both backends, gradients of every argument by two witnesses and the oracle, refusals.

docs/derivations/leaky.md derives (D1) to (D12).
"""

import itertools
from fractions import Fraction

import numpy as np
import pytest

from pysnn import _threads
from pysnn.conventions import RULES, LeakyState, Rule, Surrogate
from pysnn.reference import leaky as reference
from pysnn.verify import gradcheck
from pysnn.verify.oracle import leaky as oracle
from pysnn.verify.oracle import rounded
from pysnn.verify.witness import leaky as witness
from tests.cases import few
from tests.cases.backends import operation
from tests.cases.integrate_fire import EVERY_RULE, EVERY_SURROGATE, spelt
from tests.cases.leaky import (
    BAD_BACKWARD,
    BAD_FORWARD,
    BAD_INTEGRATE,
    BAD_STEP,
    EVERY_LEAKY_RULE,
    PARTS,
    X,
    draw,
    spelt_leaky,
    upstream,
)
from tests.cases.tolerances import tol

DTYPES = [np.float32, np.float64]
SNNTORCH = Rule("subtract", "next", ">", order="leak first")


@pytest.fixture(params=["reference", "numba"])
def leaky(request):
    """Leaky neurons, once by each backend."""
    return operation("leaky", request.param)


@pytest.fixture
def fast():
    """Leaky neurons, by Numba alone."""
    return operation("leaky", "numba")


def alive(spikes):
    """Assert that some neurons fire and some do not."""
    assert 0.05 < spikes.mean() < 0.95 and set(np.unique(spikes)) == {0, 1}
    return spikes


# ---------------------------------------------------------------------------------------------- worked by hand

CURRENT = np.full((4, 1, 1), 0.75)


def test_worked_example(leaky):
    """The tables of the derivation, by (D1), (D2), (D3) and (D4): current 0.75, beta 1/2, threshold 1."""
    spikes, v, cache = leaky.forward(CURRENT, 0.5)
    assert leaky.potentials(cache).ravel().tolist() == [0.75, 1.125, 0.8125, 1.15625]
    assert spikes.ravel().tolist() == [0, 1, 0, 1] and v == 0.15625
    spikes, v, cache = leaky.forward(CURRENT, 0.5, rule=Rule(timing="next"))
    assert spikes.ravel().tolist() == [0, 1, 0, 1] and v == 1.15625                       # not reset yet
    spikes, v, cache = leaky.forward(CURRENT, 0.5, rule=Rule(timing="next", order="leak first"))
    assert leaky.potentials(cache).ravel().tolist() == [0.75, 1.125, 0.3125, 0.90625] and spikes.ravel().tolist() == [0, 1, 0, 0]
    spikes, v, cache = leaky.forward(CURRENT, 0.5, rule=Rule("zero", "next", order="leak first"))
    assert leaky.potentials(cache).ravel().tolist() == [0.75, 1.125, 0, 0.75] and spikes.ravel().tolist() == [0, 1, 0, 0]
    spikes, v, cache = leaky.forward(CURRENT, 0.5, rule=Rule("zero"))
    assert spikes.ravel().tolist() == [0, 1, 0, 1] and v == 0
    spikes, v, cache = leaky.forward(CURRENT, 0.5, rule=Rule("none"), alpha=0.5)
    assert leaky.potentials(cache).ravel().tolist() == [0.75, 1.5, 2.0625, 2.4375]        # currents 0.75, 1.125, 1.3125, 1.40625
    assert leaky.forward(CURRENT, 0.5, rule=Rule(gain="1 - beta"))[0].sum() == 0          # it tends to 0.75
    spikes, _, cache = leaky.forward(CURRENT, 0.5, w_rec=np.array([[-0.5]]))
    assert leaky.potentials(cache).ravel().tolist() == [0.75, 1.125, 0.3125, 0.90625]     # takes 0.5 from the next current


def test_worked_gradient(leaky):
    """(D7), (D8), (D9), (D10), (D11), two steps, triangle of slope 1: 0.75 and 0.875 stand for the derivatives of the spikes."""
    cache = leaky.forward(CURRENT[:2], 0.5)[2]
    ones, triangle = np.ones((2, 1, 1)), Surrogate("triangle", 1.0)
    grads = leaky.backward(ones, cache, surrogate=triangle)
    assert grads.dcurrent.ravel().tolist() == [1.1875, 0.875] and grads.dv_init == 0.59375
    assert (grads.dbeta, grads.dthreshold, grads.dalpha, grads.dw_rec) == (0.65625, -1.625, None, None)
    grads = leaky.backward(ones, cache, surrogate=triangle, detach_reset=False)
    assert grads.dcurrent.ravel().tolist() == [0.859375, 0.875] and grads.dthreshold == -1.296875
    grads = leaky.backward(0 * ones, cache, dv=ones)                                      # of U_1 + U_2, whatever the spikes do
    assert grads.dcurrent.ravel().tolist() == [1.5, 1] and grads.dbeta == 0.75


# ------------------------------------------------------------------------------------- beta = 1, and other neurons in it

@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", few(EVERY_RULE, 2), ids=spelt)
@pytest.mark.parametrize("backend", ["reference", "numba"])
def test_beta_1_is_the_integrate_and_fire_neuron_bit_for_bit(backend, rule, dtype, rng):
    leaky, whole = operation("leaky", backend), operation("integrate_fire", backend)
    for shape in ((9, 3, 5), (4, 2, 3, 50), (3, 3, 3000)):
        x, v_init = rng.normal(0.3, 0.6, shape).astype(dtype), rng.uniform(-1, 1.5, shape[1:]).astype(dtype)
        spikes, v, cache = whole.forward(x, 0.7, v_init, rule)
        for beta in (1.0, np.ones(shape[-1], dtype)):
            got, got_v, got_cache = leaky.forward(x, beta, 0.7, v_init, rule)
            np.testing.assert_array_equal(got, alive(spikes))
            np.testing.assert_array_equal(got_v, v)
            np.testing.assert_array_equal(leaky.potentials(got_cache), cache.u)
        dspikes, dv, _ = upstream(rng, shape, dtype)
        for surrogate, detach in itertools.product(EVERY_SURROGATE, (True, False)):
            dcurrent, dv_init = whole.backward(dspikes, cache, dv, surrogate, detach)
            grads = leaky.backward(dspikes, got_cache, dv, None, surrogate, detach)
            np.testing.assert_array_equal(grads.dcurrent, dcurrent)
            np.testing.assert_array_equal(grads.dv_init, dv_init)


def test_numbers_are_arrays_of_equal_numbers(leaky, rng):
    """Gradients of a number are the sums of those of an array."""
    args = draw(rng, (6, 4, 5), SNNTORCH, ("alpha", "w_rec")) | {"v_init": 0.25}
    d = upstream(rng, (6, 4, 5))
    numbers = args | {"beta": 0.8, "threshold": 0.7, "alpha": 0.5}
    arrays = numbers | {name: np.full(5, numbers[name]) for name in ("beta", "threshold", "alpha")}
    (spikes, v, cache), (each, v_each, cache_each) = leaky.forward(**numbers), leaky.forward(**arrays)
    np.testing.assert_array_equal(alive(spikes), each)
    np.testing.assert_array_equal(v, v_each)
    grads, of_each = leaky.backward(d[0], cache, *d[1:]), leaky.backward(d[0], cache_each, *d[1:])
    for name in ("dbeta", "dthreshold", "dalpha"):
        a, b = getattr(grads, name), getattr(of_each, name)
        assert np.shape(a) == () and a.dtype == np.float64 and b.shape == (5,)
        np.testing.assert_allclose(a, b.sum(), rtol=tol("formula"))
    np.testing.assert_array_equal(grads.dcurrent, of_each.dcurrent)


@pytest.mark.parametrize("order", ["reset first", "leak first"])
def test_recurrent_spikes_are_current_of_the_next_step(leaky, rng, order):
    """Given as current they lead to the same trains, and without them the gradient differs."""
    args = draw(rng, (8, 3, 6), Rule(timing="next", order=order), ("w_rec",))
    spikes, v, cache = leaky.forward(**args)
    more = np.concatenate([np.zeros((1, 3, 6)), spikes[:-1] @ args["w_rec"]])
    got, got_v, fed = leaky.forward(**args | {"current": args["current"] + more, "w_rec": None})
    np.testing.assert_array_equal(got, alive(spikes))
    np.testing.assert_allclose(got_v, v, rtol=0, atol=1e-13)
    a, b = (leaky.backward(spikes - 0.5, c).dcurrent for c in (cache, fed))
    assert np.abs(a - b).max() > 1e-3 > 1e-12 > np.abs(a[-1] - b[-1]).max()


def test_reset_to_a_value_is_another_zero(leaky, rng):
    """V - v_reset, threshold - v_reset: the same neuron, if it leaks towards v_reset, too."""
    v_reset, beta, theta = 0.25, 0.75, 1.0
    x = rng.integers(-4, 12, (9, 2, 20)) / 16
    v, trains = np.full((2, 20), v_reset), []
    for x_t in x:
        v = v + (v_reset - v) * (1 - beta) + x_t
        trains.append(v >= theta)
        v = np.where(v >= theta, v_reset, v)
    spikes, v_final, _ = leaky.forward(x, beta, theta - v_reset, 0.0, Rule("zero"))
    np.testing.assert_array_equal(alive(spikes), trains)
    np.testing.assert_array_equal(v_final + v_reset, v)


# ---------------------------------------------------------------------------------------------- closed forms

@pytest.mark.parametrize("gain", ["1", "1 - beta"])
@pytest.mark.parametrize("fire", RULES["fire"])
@pytest.mark.parametrize("timing", RULES["timing"])
def test_counts_of_a_constant_current(leaky, gain, fire, timing):
    """(D5) in fractions; beta in quarters and 8 steps, so that all sums are exact; reset to zero."""
    a, seen = np.arange(-4, 40) / 16, set()
    rule = Rule("zero", timing, fire, gain)
    for beta, threshold in itertools.product((0.25, 0.5, 0.75), (0.5, 1.0)):
        spikes, _, _ = leaky.forward(np.broadcast_to(a, (8, 1, a.size)), beta, threshold, rule=rule)
        wanted = [oracle.constant_count(Fraction(x), Fraction(beta), 8, Fraction(threshold), rule) for x in a]
        assert spikes.sum(axis=(0, 1)).tolist() == wanted
        seen |= set(wanted)
    assert {0, 1, 2, 4, 8} <= seen


def test_rate_by_the_logarithm(leaky):
    """(D5) again: the interval is the least whole number from ln(1 - theta (1 - beta)/a)/ln beta on."""
    beta, a = 0.9, np.linspace(0.101, 1.1, 200)
    spikes, _, _ = leaky.forward(np.broadcast_to(a, (200, 1, 200)), beta, rule=Rule("zero"))
    every = np.ceil(np.log(1 - (1 - beta) / a) / np.log(beta))
    np.testing.assert_array_equal(spikes.sum(axis=(0, 1)), np.floor(200 / every))
    assert len(set(every)) > 15
    assert leaky.forward(np.full((500, 1, 1), 0.099), beta, rule=Rule("zero"))[0].sum() == 0     # below theta (1 - beta): never


def test_balance_of_what_comes_in_and_what_leaks(leaky, rng):
    """(D5), reset by subtraction: threshold N is what came in, less what leaked and what is left."""
    args = draw(rng, (40, 3, 7), Rule())
    spikes, v_final, cache = leaky.forward(**args)
    v = leaky.potentials(cache) - args["threshold"] * alive(spikes)
    before = np.concatenate([args["v_init"][None], v[:-1]])
    left = args["current"].sum(axis=0) - ((1 - args["beta"]) * before).sum(axis=0) - v_final + args["v_init"]
    np.testing.assert_allclose(args["threshold"] * spikes.sum(axis=0), left, rtol=1e-11)


def test_a_slow_leak_is_none_at_first_order(leaky, rng):
    """(D6): potentials differ by (1 - beta) times the past, spikes and gradients then not at all, up to as much."""
    x = rng.normal(0.3, 0.6, (20, 2, 9))
    whole = operation("integrate_fire", "reference")
    spikes, _, cache = whole.forward(x)
    dcurrent, _ = whole.backward(x, cache)
    gaps = []
    for tau in (1e3, 1e5, 1e7):
        got, _, leak = leaky.forward(x, np.exp(-1 / tau))
        np.testing.assert_array_equal(got, alive(spikes))
        gaps.append((np.abs(leaky.potentials(leak) - cache.u).max(), np.abs(leaky.backward(x, leak).dcurrent - dcurrent).max()))
    for slow, slower in itertools.pairwise(np.array(gaps)):
        np.testing.assert_allclose(slow / slower, 100, rtol=0.05)


# ---------------------------------------------------------------------------------------------- gradients

@pytest.mark.parametrize("parts", [pytest.param(parts, marks=[pytest.mark.slow] * (parts != PARTS[3])) for parts in PARTS],
                         ids="-".join)
@pytest.mark.parametrize("rule", EVERY_LEAKY_RULE, ids=spelt_leaky)
def test_gradients_of_every_argument(leaky, rule, parts, rng):
    """Differences of the frozen net to 1e-7, in every argument; the transpose identity to 1e-13; detached and attached."""
    k = EVERY_LEAKY_RULE.index(rule) + len(parts)
    for detach in (True, False):
        args = draw(rng, (5, 2, 3), rule, parts)
        case = witness.Setup(**args, surrogate=(Surrogate("fast_sigmoid", 5.0), *EVERY_SURROGATE[::2], EVERY_SURROGATE[3])[k % 4],
                             detach_reset=detach)
        alive(witness.run(leaky, case)[0])
        report = witness.frozen_offset_check(leaky, case, n=3)
        report.raise_if_failed()
        assert {row.name for row in report.rows} == set(case.names) and max(row.max_error for row in report.rows) <= 1e-7
        assert witness.transpose_identity(leaky, case) <= 1e-13


@pytest.mark.parametrize("rule", EVERY_LEAKY_RULE, ids=spelt_leaky)
def test_the_oracle_agrees(leaky, rule, rng):
    """Spikes of sums at the threshold, and gradients to the last digits."""
    pytest.importorskip("mpmath")
    k = EVERY_LEAKY_RULE.index(rule)
    args = draw(rng, (4, 2, 2), rule, PARTS[(k + k // 4) % 4], exact=True)
    spikes, v, cache = leaky.forward(**args)
    wanted, v_wanted, walk = oracle.forward(**args)
    np.testing.assert_array_equal(spikes, wanted)
    np.testing.assert_array_equal(v, rounded(v_wanted))
    d, surrogate, detach = upstream(rng, (4, 2, 2)), EVERY_SURROGATE[k % 4], bool(k // 4 % 2)
    grads, exactly = leaky.backward(d[0], cache, *d[1:], surrogate, detach), oracle.backward(d[0], walk, *d[1:], surrogate, detach)
    for name, want in exactly.items():
        got, want = getattr(grads, f"d{name}"), rounded(want)
        np.testing.assert_allclose(got, want, rtol=0, atol=tol("surrogate") * np.finfo(float).eps * max(1, np.abs(want).max()))


@pytest.mark.parametrize("timing", RULES["timing"])
def test_dv_is_that_of_the_potential_before_the_reset(leaky, rng, timing):
    """With "next" that is the potential of the step, and dv of the last step is dv_final."""
    args = draw(rng, (6, 2, 4), Rule("zero", timing), ("alpha",))
    spikes, v_final, cache = leaky.forward(**args)
    u, nothing, dv = leaky.potentials(cache), np.zeros((6, 2, 4)), rng.normal(size=(2, 4))
    at_end = np.concatenate([nothing[:-1], dv[None]])
    assert (alive(spikes)[-1] == 1).any() and (u[spikes == 1] >= np.broadcast_to(args["threshold"], u.shape)[spikes == 1]).all()
    by_dv, by_final = leaky.backward(nothing, cache, dv=at_end), leaky.backward(nothing, cache, dv)
    same = np.array_equal(by_dv.dcurrent, by_final.dcurrent)
    assert same == (timing == "next") == np.array_equal(u[-1], v_final)
    np.testing.assert_array_equal(by_dv.dcurrent[-1], dv)


# ---------------------------------------------------------------------------------------------- backends, streaming, threads

SHAPES = [(1, 1, 1), (5, 3, 4), (4, 2, 3, 7), (3, 37, 150), (2, 3, 5000)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", few(EVERY_LEAKY_RULE, 5), ids=spelt_leaky)
def test_kernel_is_the_reference(fast, rng, rule, dtype):
    """Forward bit for bit, with recurrent weights up to the order of a sum; backward to rounding, relative to the largest number."""
    k, eps = EVERY_LEAKY_RULE.index(rule), np.finfo(dtype).eps
    for j, shape in enumerate(SHAPES):
        parts = PARTS[(k + j) % 4] if shape[-1] < 1000 else PARTS[k % 2]
        args = draw(rng, shape, rule, parts, dtype, exact=j == 1)
        if j == 2:
            args |= {"beta": 0.75, "threshold": 0.7}
        spikes, v, cache = reference.forward(**args)
        got, got_v, got_cache = fast.forward(**args)
        assert got.dtype == got_v.dtype == dtype and got.shape == shape and got_v.shape == shape[1:]
        order = 0 if "w_rec" not in parts or j == 1 else 4 * eps * np.sqrt(shape[-1]) * np.abs(cache.u).max()    # j == 1: sums are exact
        for a, b in ((got, spikes), (got_v, v), (fast.potentials(got_cache), cache.u)):
            np.testing.assert_allclose(a, b, rtol=0, atol=order if a is not got else 0)
        if spikes.size >= 60:
            alive(spikes)
        d = upstream(rng, shape, dtype)
        d, surrogate, detach = d if j % 2 else (*d[:2], None), EVERY_SURROGATE[(k + j) % 4], bool((k + j) // 2 % 2)
        wanted, found = (m.backward(d[0], c, *d[1:], surrogate, detach) for m, c in ((reference, cache), (fast, got_cache)))
        summed = np.sqrt(shape[0] * spikes[0].size)                      # terms of a gradient of parameters
        for name, a, b in zip(wanted._fields, found, wanted, strict=True):
            assert (a is None) == (b is None) == (name[1:] in ("alpha", "w_rec") and name[1:] not in parts)
            if b is not None:
                assert a.dtype == b.dtype == dtype and np.shape(a) == np.shape(b) and np.isfinite(b).all() and (b.any() or shape[0] == 1)
                largest = max(np.abs(y).max() for y in (b, wanted.dcurrent, d[0], d[1]))
                limit = tol("surrogate") * eps * largest * (1 if name in ("dcurrent", "dv_init") else summed)
                np.testing.assert_allclose(a, b, rtol=0, atol=limit, err_msg=name)


@pytest.mark.parametrize("n", [5, 30, 70])
def test_few_spikes_come_back(fast, rng, n):
    """Where hardly a neuron fires, the gradient of w_rec goes by events."""
    args = draw(rng, (9, 7, n), Rule(), ("w_rec",)) | {"threshold": 3.0}
    args["current"] *= 1.5
    (spikes, _, cache), (got, _, fast_cache) = reference.forward(**args), fast.forward(**args)
    assert 0.002 < spikes.mean() < 0.15
    np.testing.assert_array_equal(got, spikes)
    d = upstream(rng, (9, 7, n))
    for a, b in zip(fast.backward(d[0], fast_cache), reference.backward(d[0], cache), strict=True):
        if b is not None:
            np.testing.assert_allclose(a, b, rtol=0, atol=tol("order of sums float64") * np.abs(b).max())


@pytest.mark.parametrize("parts", PARTS)
def test_what_is_wanted_alone(fast, rng, parts):
    """A current that is the same in all steps, kept once; its gradient added up; and only those parameters that are wanted."""
    args = draw(rng, (6, 4, 5), Rule(), parts)
    args["current"] = np.broadcast_to(args["current"][0], (6, 4, 5))
    spikes, v, cache = fast.forward(**args)
    whole = fast.forward(**args | {"current": args["current"].copy()})
    for a, b in zip((spikes, v, fast.potentials(cache)), (*whole[:2], fast.potentials(whole[2])), strict=True):
        np.testing.assert_array_equal(a, b)
    assert len(cache.i) == (6 if parts else 1)
    d = upstream(rng, (6, 4, 5))
    every = fast.backward(d[0], whole[2], None, d[2])
    for names in ((), ("beta",), ("threshold",), ("beta", "threshold", "alpha")):
        some = fast.backward_some(d[0], cache, None, d[2], Surrogate("atan", 2.0), True, (names, True))
        np.testing.assert_allclose(some.dcurrent, every.dcurrent.sum(axis=0), rtol=0, atol=1e-13 * np.abs(every.dcurrent).max())
        for name in ("beta", "threshold", "alpha"):
            a, b = getattr(some, f"d{name}"), getattr(every, f"d{name}")
            assert (a is None) == (b is None or name not in names)
            if a is not None:
                np.testing.assert_array_equal(a, b)
    potentials = fast.backward_some(None, cache, None, d[2], Surrogate("atan", 2.0), True)
    np.testing.assert_array_equal(potentials.dcurrent, fast.backward(np.zeros_like(d[0]), whole[2], None, d[2]).dcurrent)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", EVERY_LEAKY_RULE, ids=spelt_leaky)
def test_steps_in_a_row_are_forward(leaky, rng, rule, dtype):
    for parts, v_init in zip(PARTS, (None, 0.25, None, None), strict=True):
        args = draw(rng, (7, 3, 5), rule, parts, dtype)
        args |= {} if v_init is None else {"v_init": v_init}
        spikes, v_final, _ = leaky.forward(**args)
        alive(spikes)
        current, state = args.pop("current"), args.pop("v_init")
        for t, x in enumerate(current):
            s, state = leaky.step(state, x, **args)
            np.testing.assert_array_equal(s, spikes[t])
        np.testing.assert_array_equal(state.v, v_final)
        assert isinstance(state, LeakyState) and s is not state.s


@pytest.mark.parametrize("rule", EVERY_LEAKY_RULE, ids=spelt_leaky)
def test_a_run_in_two_parts(leaky, rng, rule):
    """Without alpha and w_rec the potential is all there is between the parts, forward and backward."""
    args, (dspikes, dv_final, dv) = draw(rng, (8, 3, 5), rule), upstream(rng, (8, 3, 5))
    spikes, v, cache = leaky.forward(**args)
    whole = leaky.backward(dspikes, cache, dv_final, dv, detach_reset=False)
    first, between, cache1 = leaky.forward(**args | {"current": args["current"][:3]})
    second, v2, cache2 = leaky.forward(**args | {"current": args["current"][3:], "v_init": between})
    np.testing.assert_array_equal(np.concatenate([first, second]), alive(spikes))
    np.testing.assert_array_equal(v2, v)
    late = leaky.backward(dspikes[3:], cache2, dv_final, dv[3:], detach_reset=False)
    early = leaky.backward(dspikes[:3], cache1, late.dv_init, dv[:3], detach_reset=False)
    np.testing.assert_allclose(np.concatenate([early.dcurrent, late.dcurrent]), whole.dcurrent, rtol=0, atol=1e-13)
    for name in ("dbeta", "dthreshold"):
        np.testing.assert_allclose(getattr(early, name) + getattr(late, name), getattr(whole, name), rtol=0, atol=1e-12)


@pytest.mark.parametrize("parts", [(), ("alpha", "w_rec")], ids="-".join)
def test_same_bits_for_any_number_of_threads(fast, rng, parts):
    args, d = draw(rng, (5, 70, 300), SNNTORCH, parts, np.float32), upstream(rng, (5, 70, 300), np.float32)
    n_before, found = _threads.get_threads(), []
    try:
        for n in (1, 2, 3):
            _threads.set_threads(n)
            spikes, v, cache = fast.forward(**args)
            found.append((alive(spikes), v, *(g for g in fast.backward(d[0], cache, *d[1:]) if g is not None)))
    finally:
        _threads.set_threads(n_before)
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_views_are_accepted_and_left_alone(leaky, rng):
    args, d = draw(rng, (6, 4, 5), SNNTORCH, ("alpha", "w_rec")), upstream(rng, (6, 4, 5))
    spikes, v, cache = leaky.forward(**args)
    wanted = (alive(spikes), v, *leaky.backward(d[0], cache, *d[1:]))
    padded = {name: np.repeat(x, 2, axis=-1)[..., ::2] if isinstance(x, np.ndarray) else x for name, x in args.items()}
    padded["w_rec"], before = np.asfortranarray(args["w_rec"]), {name: np.copy(x) for name, x in args.items() if name != "rule"}
    spikes, v, cache = leaky.forward(**padded)
    got = (spikes, v, *leaky.backward(np.asfortranarray(d[0]), cache, np.asfortranarray(d[1]), d[2][::-1].copy()[::-1]))
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.flags.writeable
    for name, x in before.items():
        np.testing.assert_array_equal(padded[name], x)
    again = leaky.backward(d[0], cache, *d[1:])                          # a second backward on one cache
    np.testing.assert_array_equal(again.dcurrent, wanted[2])


def test_results_are_new_arrays(leaky):
    x, v0, d = np.ones((1, 1, 2)), np.ones((1, 2)), np.ones((1, 1, 2))
    spikes, v, cache = leaky.forward(x, 0.5, 9.0, v0)
    dv = np.ones((1, 2))
    grads = leaky.backward(d, cache, dv)
    s, state = leaky.step(v0, x[0], 0.5, 9.0)
    outs = (spikes, v, grads.dcurrent, grads.dv_init, s, state.v, state.s)
    assert not any(np.shares_memory(a, b) for a in outs for b in (x, v0, d, dv))
    assert not any(np.shares_memory(a, b) for a, b in itertools.combinations(outs[:-2], 2))


# ---------------------------------------------------------------------------------------------- the readout that does not fire

@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("parts", [(), ("alpha",)], ids="-".join)
def test_readout(leaky, rng, parts, dtype):
    """(D12): the potentials of neurons without a reset, and the gradient through them."""
    args = draw(rng, (7, 3, 4), Rule("none"), parts, dtype)
    alpha = args.get("alpha")
    v, cache = leaky.integrate(args["current"], args["beta"], args["v_init"], alpha)
    _, _, fires = leaky.forward(**args)
    np.testing.assert_array_equal(v, leaky.potentials(fires))
    dv = rng.normal(size=v.shape).astype(dtype)
    grads, wanted = leaky.integrate_backward(dv, cache), leaky.backward(np.zeros_like(v), fires, dv=dv)
    assert grads.dthreshold is None is grads.dw_rec and (grads.dalpha is None) == (alpha is None)
    for a, b in ((grads.dcurrent, wanted.dcurrent), (grads.dv_init, wanted.dv_init), (grads.dbeta, wanted.dbeta)):
        assert a.dtype == dtype
        np.testing.assert_allclose(a, b, rtol=0, atol=16 * np.finfo(dtype).eps * np.abs(b).max())
    v, cache = leaky.integrate(args["current"], 0.5)
    assert v[0].tolist() == args["current"][0].tolist() and np.shape(leaky.integrate_backward(dv, cache).dbeta) == ()


def test_gradients_of_the_readout(leaky, rng):
    """It is smooth: ordinary differences, in every argument."""
    args = draw(rng, (6, 2, 3), Rule("none"), ("alpha",))
    names = ["current", "beta", "v_init", "alpha"]

    def backward(dv, cache):
        grads = leaky.integrate_backward(dv, cache)
        return grads.dcurrent, grads.dbeta, grads.dv_init, grads.dalpha
    report = gradcheck(leaky.integrate, backward, tuple(args[name] for name in names), trace=lambda *_: np.zeros(0), names=names)
    report.raise_if_failed()
    assert {row.name for row in report.rows} == set(names)


# ---------------------------------------------------------------------------------------------- what is refused

@pytest.mark.parametrize("args, more, error, message", BAD_FORWARD.values(), ids=BAD_FORWARD)
def test_forward_refuses(leaky, args, more, error, message):
    with pytest.raises(error, match=message) as caught:
        leaky.forward(*args, **more)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("args, more, error, message", BAD_BACKWARD.values(), ids=BAD_BACKWARD)
def test_backward_refuses(leaky, args, more, error, message):
    with pytest.raises(error, match=message) as caught:
        leaky.backward(*args, leaky.forward(X, 0.5)[2], **more)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("args, error, message", BAD_STEP.values(), ids=BAD_STEP)
def test_step_refuses(leaky, args, error, message):
    with pytest.raises(error, match=message):
        leaky.step(*args)


@pytest.mark.parametrize("args, error, message", BAD_INTEGRATE.values(), ids=BAD_INTEGRATE)
def test_readout_refuses(leaky, args, error, message):
    with pytest.raises(error, match=message):
        leaky.integrate(*args)


def test_other_neurons_refuse_what_is_of_leaky_ones():
    for name, args in (("integrate_fire", (X,)), ("pooled_fire", (np.ones((2, 1, 2, 2, 1)),))):
        for rule, message in ((Rule(gain="1 - beta"), "expected gain to be '1' here, got '1 - beta'"),
                              (Rule(order="leak first"), "expected order to be 'reset first' here, got 'leak first'"),
                              (Rule("none"), "expected reset to be one of subtract, zero, got 'none'")):
            with pytest.raises(ValueError, match=f"rule: {message}"):
                operation(name, "reference").forward(*args, rule=rule)
