"""The integrate-and-fire neuron: counts in closed form, exact fractions, both backends, surrogate gradients by two witnesses, refusals."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from pysnn import _threads
from pysnn.conventions import RULES, Rule, Surrogate
from pysnn.reference import integrate_fire as reference
from pysnn.verify.witness import integrate_fire as witness
from pysnn.verify.witness import surrogates
from tests.cases import ROOT
from tests.cases.integrate_fire import BAD_BACKWARD, BAD_FORWARD, BAD_STEP, EVERY_RULE, EVERY_SURROGATE, X, spelt
from tests.cases.tolerances import tol

INF = np.inf
DTYPES = [np.float32, np.float64]


def alive(spikes):
    """Assert that some neurons fire and some do not, at some steps and not at others."""
    assert 0.05 < spikes.mean() < 0.95 and set(np.unique(spikes)) == {0, 1}
    return spikes


# ---------------------------------------------------------------------------------------------- worked by hand

def test_worked_example(if_neuron):
    """The table of the derivation: current 0.75, threshold 1, five steps."""
    x = np.full((5, 1), 0.75)
    spikes, v, _ = if_neuron.forward(x)
    assert spikes[:, 0].tolist() == [0, 1, 1, 1, 0] and v[0] == 0.75
    spikes, v, _ = if_neuron.forward(x, rule=Rule("zero"))
    assert spikes[:, 0].tolist() == [0, 1, 0, 1, 0] and v[0] == 0.75
    spikes, v, _ = if_neuron.forward(x, rule=Rule("zero", "next"))
    assert spikes[:, 0].tolist() == [0, 1, 0, 1, 0] and v[0] == 0.75
    spikes, v, _ = if_neuron.forward(x[:2], rule=Rule("subtract", "next"))
    assert spikes[:, 0].tolist() == [0, 1] and v[0] == 1.5               # not reset yet


def test_worked_gradient(if_neuron):
    """The same neuron for two steps, u = 0.75, 1.5; triangle of slope 1: 0.75 and 0.5 stand for the derivatives of the two spikes."""
    _, cache = if_neuron.forward(np.full((2, 1), 0.75))[1:]
    ones = np.ones((2, 1))
    for detach, wanted in ((True, [0.75 + 0.5, 0.5]), (False, [0.75 + 0.5 - 0.75 * 0.5, 0.5])):
        dx, dv = if_neuron.backward(ones, cache, surrogate=Surrogate("triangle", 1.0), detach_reset=detach)
        assert dx[:, 0].tolist() == wanted and dv[0] == wanted[0]


@pytest.mark.parametrize("threshold", [0.3, 0.7])
def test_threshold_is_rounded_to_the_dtype_of_the_current(if_neuron, threshold):
    x = np.array([[threshold]], np.float32)
    assert if_neuron.forward(x, threshold)[0] == 1                          # float32(0.7) < 0.7, and yet it fires
    assert if_neuron.forward(x, threshold, rule=Rule(fire=">"))[0] == 0
    assert if_neuron.forward(np.nextafter(x, np.float32(0)), threshold)[0] == 0
    assert if_neuron.forward(np.nextafter(x, np.float32(9)), threshold, rule=Rule(fire=">"))[0] == 1


@pytest.mark.parametrize("dtype", DTYPES)
def test_firing_is_the_sign_of_the_difference(if_neuron, dtype, rng):
    """V >= threshold is V - threshold >= 0, for gradual underflow leaves no difference of unequal numbers at 0; > likewise."""
    tiny = np.finfo(dtype).smallest_subnormal
    for threshold in (dtype(0.7), np.finfo(dtype).tiny, 3 * tiny, np.finfo(dtype).max):
        v = [threshold]
        for _ in range(3):
            with np.errstate(over="ignore"):
                v = [np.nextafter(v[0], dtype(0)), *v, np.nextafter(v[-1], dtype(INF))]
        v = np.array([[x for x in v if np.isfinite(x)]], dtype)
        for rule in EVERY_RULE:
            spikes = if_neuron.forward(v, float(threshold), rule=rule)[0]
            difference = v - threshold
            np.testing.assert_array_equal(spikes, difference >= 0 if rule.fire == ">=" else difference > 0)
            assert set(np.unique(spikes)) == {0, 1} or threshold == np.finfo(dtype).max


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("threshold", [0.3, 0.7, 1, 2])
def test_same_bits_as_by_products_with_the_spike(if_neuron, rng, threshold, dtype):
    """The form of widespread codes: V - threshold >= 0, V - S threshold, (1 - S) V."""
    x, one = (threshold * rng.normal(0.3, 0.6, (20, 500))).astype(dtype), dtype(1)
    x[:, :50] = dtype(threshold) / 4                                     # some meet the threshold exactly
    for reset in RULES["reset"]:
        spikes, v_final, _ = if_neuron.forward(x, threshold, rule=Rule(reset))
        alive(spikes)
        v = np.zeros(500, dtype)
        for t in range(20):
            v = v + x[t]
            s = (v - dtype(threshold) >= 0).astype(dtype)
            v = v - s * dtype(threshold) if reset == "subtract" else s * dtype(0) + (one - s) * v
            np.testing.assert_array_equal(spikes[t], s)
        np.testing.assert_array_equal(v_final, v)


# ---------------------------------------------------------------------------------------------- closed forms

def closed_form(a, threshold, n_steps, rule):
    """(I4), (I5): how often a neuron fires under a constant current, v_init = 0; in fractions."""
    if a <= 0:
        return 0
    if rule.reset == "zero":
        every = math.ceil(threshold / a) if rule.fire == ">=" else math.floor(threshold / a) + 1
        return n_steps // every
    return min(n_steps, math.floor(n_steps * a / threshold) if rule.fire == ">=" else math.ceil(n_steps * a / threshold) - 1)


def in_fractions(current, threshold, v, rule):
    """Run one neuron by (I1), (I2), (I3) in exact fractions."""
    def fires(v):
        return v >= threshold if rule.fire == ">=" else v > threshold

    def after(v):
        return v if not fires(v) else v - threshold if rule.reset == "subtract" else Fraction(0)
    spikes = []
    for x in current:
        v = v + x if rule.timing == "same" else after(v) + x
        spikes.append(int(fires(v)))
        v = after(v) if rule.timing == "same" else v
    return spikes, v


@pytest.mark.parametrize("rule", EVERY_RULE, ids=spelt)
def test_counts_of_a_constant_current(if_neuron, rule):
    """All sums are exact in float32: currents in 64ths, thresholds in quarters."""
    a = np.arange(-8, 200, dtype=np.float32) / 64
    seen = set()
    for threshold in (0.25, 0.75, 1.0, 2.0):
        for n_steps in (1, 2, 15, 64):
            spikes = if_neuron.forward(np.repeat(a[None], n_steps, axis=0), threshold, rule=rule)[0]
            wanted = [closed_form(Fraction(float(x)), Fraction(threshold), n_steps, rule) for x in a]
            assert spikes.sum(axis=0).tolist() == wanted
            seen |= set(wanted)
    assert {0, 1, 7, 15, 64} <= seen


def test_table_of_counts_on_the_page(if_neuron):
    page = (ROOT / "docs/derivations/integrate-and-fire.md").read_text(encoding="utf-8")
    table = page.split("| subtract, $>$ |")[1].split("\n\n")[0].splitlines()[2:]
    rules = [Rule("zero"), Rule("zero", fire=">"), Rule(), Rule(fire=">")]
    for line in table:
        a, *counts = line.strip("| ").split("|")
        for rule, count in zip(rules, counts, strict=True):
            assert closed_form(Fraction(a.strip()), Fraction(2), 15, rule) == int(count)
            assert if_neuron.forward(np.full((15, 1), float(a)), 2.0, rule=rule)[0].sum() == int(count)
    assert len(table) == 6


def test_rounding_of_the_page(if_neuron):
    """0.1 ten times misses 1 in float64."""
    assert if_neuron.forward(np.full((10, 1), 0.1))[0].sum() == 0 and closed_form(Fraction(1, 10), 1, 10, Rule()) == 1


@pytest.mark.parametrize("a, reset, count", [(1.9, "zero", 7), (1.9, "subtract", 14), (2.0, "zero", 15), (2.0, "subtract", 15)])
def test_figures_of_the_derivation(if_neuron, a, reset, count):
    for dtype in DTYPES:
        assert if_neuron.forward(np.full((15, 1), a, dtype), 2.0, rule=Rule(reset))[0].sum() == count


@pytest.mark.parametrize("rule", EVERY_RULE, ids=spelt)
def test_both_backends_against_exact_fractions(if_neuron, rule, rng):
    current = rng.integers(-8, 13, (12, 60)) / 16
    v_init = rng.integers(-8, 24, 60) / 16                               # some above the threshold to begin with
    spikes, v_final, _ = if_neuron.forward(current, 0.875, v_init, rule)
    n_at_threshold = 0
    for i in range(60):
        start = Fraction(v_init[i])
        wanted, v = in_fractions([Fraction(x) for x in current[:, i]], Fraction(7, 8), start, rule)
        assert spikes[:, i].tolist() == wanted and v_final[i] == float(v)
        other = in_fractions([Fraction(x) for x in current[:, i]], Fraction(7, 8), start, rule._replace(fire=">"))[0]
        n_at_threshold += wanted != other
    alive(spikes)
    assert n_at_threshold > 5 or rule.fire == ">"                        # >= and > were told apart


def test_timing_changes_neither_spikes_nor_gradients_unless_v_init_fires(if_neuron, rng):
    """The two timings of the derivation: one train, and states that differ by the last reset alone."""
    x, v_init = rng.normal(0.3, 0.6, (9, 40)), rng.uniform(-1, 0.9, 40)
    for reset in RULES["reset"]:
        same, v_same, cache_same = if_neuron.forward(x, 1.0, v_init, Rule(reset))
        later, v_later, cache_later = if_neuron.forward(x, 1.0, v_init, Rule(reset, "next"))
        np.testing.assert_array_equal(same, later)
        fired = alive(same)[-1] == 1
        np.testing.assert_array_equal(v_same, np.where(fired, v_later - 1 if reset == "subtract" else 0, v_later))
        for a, b in zip(if_neuron.backward(x, cache_same)[:1], if_neuron.backward(x, cache_later)[:1], strict=True):
            np.testing.assert_allclose(a, b, rtol=tol("formula"))


# ---------------------------------------------------------------------------------------------- backends, streaming, threads

SHAPES = [(1, 1, 1), (1, 7), (9, 1, 1), (5, 3, 4), (4, 2, 3, 3, 5), (15, 1), (3, 2, 8192), (3, 4100, 5)]


QUICK = [(np.float32, 0.3), (np.float32, 0.7), (np.float64, 0.7), (np.float64, 1)]      # in float32 the first two are other numbers


@pytest.mark.parametrize("dtype, threshold", [pytest.param(*case, marks=[pytest.mark.slow] * (case not in QUICK))
                                              for case in itertools.product((np.float32, np.float64), (0.3, 0.7, 1, 2))])
@pytest.mark.parametrize("rule", EVERY_RULE, ids=spelt)
def test_kernel_is_the_reference(if_kernel, rng, rule, threshold, dtype):
    eps = np.finfo(dtype).eps
    for shape in SHAPES:
        current = (threshold * rng.normal(0.3, 0.6, shape)).astype(dtype)
        v_init = (threshold * rng.uniform(-1, 1.5, shape[1:])).astype(dtype) if len(shape) > 2 else 0.1
        spikes, v_final, cache = reference.forward(current, threshold, v_init, rule)
        got, got_v, got_cache = if_kernel.forward(current, threshold, v_init, rule)
        assert got.dtype == got_v.dtype == dtype and got.shape == shape and got_v.shape == shape[1:]
        np.testing.assert_array_equal(got, spikes)                       # not a single bit apart
        np.testing.assert_array_equal(got_v, v_final)
        if spikes.size >= 60:
            alive(spikes)
        dspikes, dv_final = rng.normal(size=shape).astype(dtype), rng.normal(size=shape[1:]).astype(dtype)
        for surrogate, detach in itertools.product(EVERY_SURROGATE, (True, False)):
            wanted = reference.backward(dspikes, cache, dv_final, surrogate, detach)
            found = if_kernel.backward(dspikes, got_cache, dv_final, surrogate, detach)
            for a, b in zip(found, wanted, strict=True):
                assert a.dtype == b.dtype == dtype and a.shape == b.shape and np.isfinite(b).all()
                largest = max(np.abs(x).max() for x in (b, dspikes, dv_final))
                np.testing.assert_allclose(a, b, rtol=0, atol=tol("surrogate") * eps * largest)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", EVERY_RULE, ids=spelt)
def test_steps_in_a_row_are_forward(if_neuron, rng, rule, dtype):
    x, start = rng.normal(0.3, 0.6, (11, 3, 17)).astype(dtype), rng.uniform(-1, 2, (3, 17)).astype(dtype)
    for v_init in (start, 0.25):
        spikes, v_final, _ = if_neuron.forward(x, 0.7, v_init, rule)
        alive(spikes)
        v = v_init
        for t in range(len(x)):
            s, v = if_neuron.step(v, x[t], 0.7, rule)
            np.testing.assert_array_equal(s, spikes[t])
        np.testing.assert_array_equal(v, v_final)
        first, v, _ = if_neuron.forward(x[:4], 0.7, v_init, rule)           # a run in two parts
        second, v, _ = if_neuron.forward(x[4:], 0.7, v, rule)
        np.testing.assert_array_equal(np.concatenate([first, second]), spikes)
        np.testing.assert_array_equal(v, v_final)


def test_gradients_of_a_run_in_two_parts(if_neuron, rng):
    """dv_init of the second part is the dv_final of the first."""
    x, dspikes, dv = rng.normal(0.3, 0.6, (8, 30)), rng.normal(size=(8, 30)), rng.normal(size=30)
    for rule, detach in itertools.product(EVERY_RULE, (True, False)):
        _, _, cache = if_neuron.forward(x, rule=rule)
        dx, dv_init = if_neuron.backward(dspikes, cache, dv, detach_reset=detach)
        _, v, first = if_neuron.forward(x[:3], rule=rule)
        _, _, second = if_neuron.forward(x[3:], v_init=v, rule=rule)
        dx2, dv_between = if_neuron.backward(dspikes[3:], second, dv, detach_reset=detach)
        dx1, dv_init1 = if_neuron.backward(dspikes[:3], first, dv_between, detach_reset=detach)
        np.testing.assert_array_equal(np.concatenate([dx1, dx2]), dx)
        np.testing.assert_array_equal(dv_init1, dv_init)


def test_views_are_accepted_and_left_alone(if_neuron, rng):
    x, dspikes, v_init = rng.normal(0.3, 0.6, (6, 4, 10)), rng.normal(size=(6, 4, 10)), rng.uniform(0, 1, (4, 10))
    spikes, v, cache = if_neuron.forward(x, 1.0, v_init)
    wanted = (alive(spikes), v, *if_neuron.backward(dspikes, cache, v_init))
    padded = np.repeat(np.repeat(x, 2, axis=0), 3, axis=2)[::2, :, ::3]
    before = padded.copy(), v_init.copy()
    flipped = np.asfortranarray(v_init)
    spikes, v, cache = if_neuron.forward(padded, 1.0, flipped)
    got = (spikes, v, *if_neuron.backward(np.asfortranarray(dspikes[::-1])[::-1], cache, flipped))
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.flags.c_contiguous and a.flags.writeable
    np.testing.assert_array_equal(padded, before[0])
    np.testing.assert_array_equal(flipped, before[1])
    constant = np.broadcast_to(x[0], x.shape)                            # read-only
    np.testing.assert_array_equal(if_neuron.forward(constant)[0], if_neuron.forward(constant.copy())[0])


def test_results_are_new_arrays(if_neuron):
    x, v0, d = np.ones((1, 2)), np.ones(2), np.ones((1, 2))
    spikes, v, cache = if_neuron.forward(x, 9.0, v0)
    dv = np.ones(2)
    dx, dv_init = if_neuron.backward(d, cache, dv)
    s, v1 = if_neuron.step(v0, x[0], 9.0, Rule())
    outs = (spikes, v, dx, dv_init, s, v1)
    assert not any(np.shares_memory(a, b) for a in outs for b in (x, v0, d, dv))
    assert not any(np.shares_memory(a, b) for a, b in itertools.combinations(outs, 2))


@pytest.mark.parametrize("dtype", DTYPES)
def test_same_bits_for_any_number_of_threads(if_kernel, rng, dtype):
    x, dspikes = (rng.normal(0.2, 0.5, (4, 70_001)).astype(dtype) for _ in range(2))
    before, runs = _threads.get_threads(), []
    try:
        for n in (1, 2, 3):
            _threads.set_threads(n)
            spikes, v, cache = if_kernel.forward(x, 0.7, rule=Rule("subtract", "next"))
            grads = if_kernel.backward(dspikes, cache, v, EVERY_SURROGATE[2], False)
            runs.append([a.tobytes() for a in (spikes, v, *grads, *if_kernel.step(v, x[0], 0.7, Rule()))])
    finally:
        _threads.set_threads(before)
    alive(spikes)
    assert runs[0] == runs[1] == runs[2]


# ---------------------------------------------------------------------------------------------- surrogates

@pytest.mark.parametrize("surrogate", EVERY_SURROGATE, ids=spelt)
def test_surrogate_is_the_derivative_of_its_step(surrogate):
    """(I7): by differences of surrogate_step, and its value at the threshold."""
    x, h = np.linspace(-2, 2, 401) + 0.0013, 2.0**-20                    # no point of it on a corner
    for slope in (surrogate.slope, 0.5, 3.0):
        now = Surrogate(surrogate.kind, slope)
        found = (reference.surrogate_step(x + h, now) - reference.surrogate_step(x - h, now)) / (2 * h)
        grad = reference.surrogate_grad(x, now)
        np.testing.assert_allclose(grad, found, rtol=0, atol=tol("surrogate step") * grad.max())
        peak = {"atan": slope / 2, "fast_sigmoid": 1, "sigmoid": slope / 4, "triangle": slope}[now.kind]
        assert reference.surrogate_grad(np.zeros(1), now)[0] == pytest.approx(peak)
        assert (grad > 0).all() or now.kind == "triangle"
        for at in (x, np.array([-1e4, 1e4])):
            step = reference.surrogate_step(at, now)
            theirs = surrogates.soft_step(at, now)
            np.testing.assert_allclose(step - step[0], theirs - theirs[0], rtol=0, atol=tol("formula"))
        assert reference.surrogate_step(np.zeros(1), now)[0] == (0 if now.kind == "fast_sigmoid" else 0.5)    # half-way up


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("surrogate", EVERY_SURROGATE, ids=spelt)
def test_surrogates_never_overflow(if_neuron, surrogate, dtype):
    far = np.array([[-1e4, 1e4, -1e30, 1e30, np.finfo(dtype).max, -np.finfo(dtype).max, 1.5]], dtype)
    for rule, detach in itertools.product(EVERY_RULE[:1] + EVERY_RULE[-1:], (True, False)):
        _, _, cache = if_neuron.forward(far, rule=rule)
        dx, dv = if_neuron.backward(np.ones_like(far), cache, surrogate=surrogate, detach_reset=detach)
        assert np.isfinite(dx).all() and np.isfinite(dv).all() and dx[0, -1] > 0
    assert np.isfinite(reference.surrogate_step(far, surrogate)).all()


def cases(rng):
    """(I6): yield every convention at one random operating point; some of v_init is above the threshold."""
    x, v_init = rng.normal(0.3, 0.5, (7, 2, 4)), rng.uniform(-0.2, 1.3, (2, 4))
    for rule, surrogate, detach in itertools.product(EVERY_RULE, EVERY_SURROGATE, (True, False)):
        alive(reference.forward(x, 0.7, v_init, rule)[0])
        yield witness.Setup(x, 0.7, v_init, rule, surrogate, detach)


@pytest.mark.parametrize("n", [4, pytest.param(24, marks=pytest.mark.slow)])
def test_gradients_by_frozen_offsets(if_neuron, rng, n):
    """(I8), (I9), (I10) against differences of (I11): current and v_init, the loss on spikes and v_final, all conventions."""
    for case in cases(rng):
        report = witness.frozen_offset_check(if_neuron, case, n=n)
        report.raise_if_failed()
        assert report.row("current").checked == n and report.row("v_init").checked == min(n, 8)
        assert max(row.max_error for row in report.rows) <= tol("frozen offsets")


def test_gradients_by_the_transpose_identity(if_neuron, rng):
    """The same conventions against dual numbers."""
    assert max(witness.transpose_identity(if_neuron, case) for case in cases(rng)) <= tol("transpose")


def test_dynamics_are_the_definition(if_neuron, rng):
    for case in cases(rng):
        witness.check_dynamics(if_neuron, case).raise_if_failed()


def test_no_gradient_flows_through_a_hard_reset_that_is_detached(if_neuron):
    """(I8): what came before a spike is forgotten; reset by subtraction keeps it."""
    x, late = np.array([[0.5], [0.75], [0.25]]), np.array([[0.0], [0.0], [1.0]])
    for rule in EVERY_RULE:
        spikes, _, cache = if_neuron.forward(x, rule=rule)
        assert spikes[:, 0].tolist() == [0, 1, 0]
        dx, dv = if_neuron.backward(late, cache)
        assert ((dx[:2] == 0).all() and dv[0] == 0) if rule.reset == "zero" else (dx == dx[2]).all() and dv[0] == dx[2] > 0


# ---------------------------------------------------------------------------------------------- what is refused

@pytest.mark.parametrize("args, more, error, message", BAD_FORWARD.values(), ids=BAD_FORWARD)
def test_forward_refuses(if_neuron, args, more, error, message):
    with pytest.raises(error, match=message) as caught:
        if_neuron.forward(*args, **more)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("args, more, error, message", BAD_BACKWARD.values(), ids=BAD_BACKWARD)
def test_backward_refuses(if_neuron, args, more, error, message):
    cache = if_neuron.forward(X)[2]
    with pytest.raises(error, match=message) as caught:
        if_neuron.backward(*args[:1], cache, **more)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("args, error, message", BAD_STEP.values(), ids=BAD_STEP)
def test_step_refuses(if_neuron, args, error, message):
    with pytest.raises(error, match=message):
        if_neuron.step(*args)
