"""Max pooling inside the neuron: by hand, against the maximum and an OR, both backends, gradients by two witnesses, refusals.

docs/derivations/pooling-inside-the-neuron.md derives (I12) to (I15).
"""

import itertools

import numpy as np
import pytest

from pysnn import _threads
from pysnn.conventions import Rule, Surrogate
from pysnn.reference import integrate_fire, pool
from pysnn.reference import pooled_fire as reference
from pysnn.verify import oracle
from pysnn.verify.witness import integrate_fire as witness
from tests.cases.backends import operation
from tests.cases.integrate_fire import EVERY_SURROGATE, spelt
from tests.cases.pooled_fire import BAD_BACKWARD, BAD_FORWARD, BAD_STEP, POOLED_RULES, SHAPES, S, X, draw
from tests.cases.tolerances import tol

DTYPES = [np.float32, np.float64]


@pytest.fixture(params=["reference", "numba"])
def pooled(request):
    """Neurons that pool, once by each backend."""
    return operation("pooled_fire", request.param)


@pytest.fixture
def fast():
    """Neurons that pool, by Numba alone."""
    return operation("pooled_fire", "numba")


def alive(spikes):
    assert 0.05 < spikes.mean() < 0.95 and set(np.unique(spikes)) == {0, 1}


# ---------------------------------------------------------------------------------------------- worked by hand

CURRENT = np.array([[0.5, 0.25], [0.75, 0], [0, 0.75]])[:, None, :, None, None] * np.array([1.0, 0])[:, None]     # of a row of two pixels


def test_worked_example(pooled):
    """The table of the derivation; the second column of pixels gets no current."""
    assert CURRENT.shape == (3, 1, 2, 2, 1)
    spikes, v, cache = pooled.forward(CURRENT)
    assert spikes.ravel().tolist() == [0, 1, 0] and cache.u[..., 0, 0].reshape(3, 2).tolist() == [[0.5, 0.25], [1.25, 0.25], [0.25, 0]]
    assert v.ravel().tolist() == [0.25, -1, 0, -1]
    spikes, v, _ = pooled.forward(CURRENT, rule=Rule("zero"))
    assert spikes.ravel().tolist() == [0, 1, 0] and v.ravel().tolist() == [0, 0, 0.75, 0]


def test_worked_gradient(pooled):
    """(I14), (I15) with the triangle of slope 1: 0.5, 0.75 and 0.25 stand for the derivatives of the three spikes."""
    _, _, cache = pooled.forward(CURRENT)
    ones, triangle = np.ones((3, 1, 1, 1, 1)), Surrogate("triangle", 1.0)
    dx, dv = pooled.backward(ones, cache, surrogate=triangle)
    assert dx[..., 0, 0].reshape(3, 2).tolist() == [[0.5 + 0.75 + 0.25, 0], [0.75 + 0.25, 0], [0.25, 0]]
    assert dv[0, :, 0, 0].tolist() == [1.5, 0] and not dx[..., 1, 0].any()
    dx, _ = pooled.backward(ones, cache, surrogate=triangle, detach_reset=False)
    second = 0.25 + 0.75 * (1 - 0.25)                                    # its reset takes 1 from each, and 0.25 of that comes back
    assert dx[..., 0, 0].reshape(3, 2).tolist() == [[second + 0.5 * (1 - second), 0], [second, 0], [0.25, 0]]


# ---------------------------------------------------------------------------------------------- what it follows

@pytest.mark.parametrize("v_init", [0.0, 0.5])
def test_constant_input_follows_the_maximum(pooled, rng, v_init):
    """(I12), (I13): under constant currents up to the threshold the counts are those of one neuron with the largest current, exactly."""
    a = rng.integers(-64, 65, (4, 6, 6, 5)) / 64
    for n_steps in (1, 4, 15):
        spikes, _, _ = pooled.forward(np.broadcast_to(a, (n_steps, *a.shape)), 2, 1.0, v_init)
        largest = pool.max_pool2d_forward(a)[0]
        np.testing.assert_array_equal(spikes.sum(axis=0), np.clip(np.floor(n_steps * largest + v_init), 0, n_steps))
        alone, _, _ = integrate_fire.forward(np.broadcast_to(largest, spikes.shape), 1.0, v_init)
        np.testing.assert_array_equal(spikes, alone)


def test_any_input_is_followed_within_bounds(pooled, rng):
    """The count is bounded by the largest sum of currents, and the largest last potential is what is missing."""
    current, _ = draw(rng, (9, 5, 6, 6, 3), np.float64)
    spikes, v, _ = pooled.forward(current)
    alive(spikes)
    largest = pool.max_pool2d_forward(current.sum(axis=0))[0]
    np.testing.assert_allclose(spikes.sum(axis=0), largest - pool.max_pool2d_forward(v)[0], atol=tol("formula") * 10)


def test_an_or_of_spikes_does_not():
    """The page: four units at 1/4, one after the other: their OR fires in each step; the neuron that pools fires as one of them does."""
    current = np.full((8, 1, 2, 2, 1), 0.25)
    v_init = np.array([0.75, 0.5, 0.25, 0.0]).reshape(1, 2, 2, 1)
    each, _, _ = integrate_fire.forward(current, 1.0, v_init)
    of_spikes = np.stack([pool.max_pool2d_forward(s)[0] for s in each])
    assert of_spikes.sum() == 8 and reference.forward(current, 2, 1.0, v_init)[0].sum() == 2


# ---------------------------------------------------------------------------------------------- kernel and reference

@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", POOLED_RULES, ids=spelt)
@pytest.mark.parametrize("name", SHAPES)
def test_kernel_is_the_reference(fast, rng, name, rule, dtype):
    """Forward bit for bit, also where potentials are equal and meet the threshold; backward with every surrogate and both resets."""
    shape, size = SHAPES[name]
    for ties in (False, True):
        current, v_init = draw(rng, shape, dtype, ties)
        for start in (0.25, v_init):
            spikes, v, cache = reference.forward(current, size, 1.0, start, rule)
            got, got_v, got_cache = fast.forward(current, size, 1.0, start, rule)
            assert got.dtype == got_v.dtype == dtype and got.shape == spikes.shape and got_v.shape == shape[1:]
            for a, b in ((got, spikes), (got_v, v), (got_cache.u, cache.u)):
                np.testing.assert_array_equal(a, b)
        if spikes.size >= 30:
            alive(spikes)
        dspikes, dv = rng.normal(size=spikes.shape).astype(dtype), rng.normal(size=shape[1:]).astype(dtype)
        for surrogate, detach in itertools.product(EVERY_SURROGATE, (True, False)):
            wanted = reference.backward(dspikes, cache, dv, surrogate, detach)
            largest = max(np.abs(x).max() for x in (*wanted, dspikes, dv))
            for a, b in zip(fast.backward(dspikes, got_cache, dv, surrogate, detach), wanted, strict=True):
                assert a.dtype == b.dtype == dtype and a.shape == b.shape and np.isfinite(b).all()
                np.testing.assert_allclose(a, b, rtol=0, atol=tol("surrogate") * np.finfo(dtype).eps * largest)


@pytest.mark.parametrize("threshold", [0.3, 0.7])
def test_threshold_is_rounded_to_the_dtype_of_the_current(pooled, threshold):
    x = np.full((1, 1, 2, 2, 1), threshold, np.float32)
    assert pooled.forward(x, 2, threshold)[0] == 1 and pooled.forward(x, 2, threshold, rule=Rule(fire=">"))[0] == 0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", POOLED_RULES, ids=spelt)
def test_steps_in_a_row_are_forward(pooled, rng, rule, dtype):
    for shape, size in (SHAPES["rows left over"], SHAPES["three"]):
        current, start = draw(rng, shape, dtype)
        for v in (start, 0.25):
            spikes, v_final, _ = pooled.forward(current, size, 0.7, v, rule)
            for t, x in enumerate(current):
                s, v = pooled.step(v, x, size, 0.7, rule)
                np.testing.assert_array_equal(s, spikes[t])
            np.testing.assert_array_equal(v, v_final)


@pytest.mark.parametrize("rule", POOLED_RULES, ids=spelt)
def test_windows_of_one_place_are_plain_neurons(pooled, rng, rule):
    current, v_init = draw(rng, SHAPES["one place"][0], np.float64)
    (*wanted, cache), (*got, got_cache) = integrate_fire.forward(current, 1.0, v_init, rule), pooled.forward(current, 1, 1.0, v_init, rule)
    for detach in (True, False):
        wanted += integrate_fire.backward(wanted[0] - 0.3, cache, v_init, detach_reset=detach)
        got += pooled.backward(got[0] - 0.3, got_cache, v_init, detach_reset=detach)
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=tol("formula"))


def test_results_are_new_arrays_and_views_are_left_alone(pooled, rng):
    current, v_init = draw(rng, (4, 2, 5, 4, 2), np.float64)
    spikes, v, cache = pooled.forward(current, 2, 1.0, v_init)
    d, dv = rng.normal(size=spikes.shape), np.ones_like(v)
    wanted = spikes, v, *pooled.backward(d, cache, dv)
    wide = np.repeat(current, 2, axis=4)[..., ::2]
    wide.flags.writeable = False
    before = [x.copy() for x in (current, v_init, d, dv)]
    spikes, v, cache = pooled.forward(wide, 2, 1.0, np.asfortranarray(v_init))
    got = spikes, v, *pooled.backward(np.asfortranarray(d), cache, np.asfortranarray(dv))
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.flags.writeable and not any(np.shares_memory(a, x) for x in (wide, v_init, d, dv))
    for a, b in zip((current, v_init, d, dv), before, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not any(np.shares_memory(a, b) for a, b in itertools.combinations(got, 2))


def test_same_bits_for_any_number_of_threads(fast, rng):
    current, v_init = draw(rng, (4, 50, 6, 6, 9), np.float32)
    before, runs = _threads.get_threads(), []
    try:
        for n in (1, 2, 3):
            _threads.set_threads(n)
            spikes, v, cache = fast.forward(current, 2, 0.7, v_init)
            runs.append([a.tobytes() for a in (spikes, v, *fast.backward(spikes - 0.5, cache, v, EVERY_SURROGATE[2], False))])
    finally:
        _threads.set_threads(before)
    alive(spikes)
    assert runs[0] == runs[1] == runs[2]


# ---------------------------------------------------------------------------------------------- gradients

def cases(rng):
    """Yield every convention at one random operating point; the last row fills no window."""
    current, v_init = draw(rng, (5, 2, 5, 4, 2), np.float64)
    for rule, surrogate, detach in itertools.product(POOLED_RULES, EVERY_SURROGATE, (True, False)):
        alive(reference.forward(current, 2, 0.7, v_init, rule)[0])
        yield witness.Setup(current, 0.7, v_init, rule, surrogate, detach, 2)


def test_gradients_by_frozen_offsets(pooled, rng):
    """(I14), (I15) against differences of (I11), where the largest potential stands for U: current and v_init, all conventions."""
    for case in cases(rng):
        report = witness.frozen_offset_check(pooled, case, n=16)
        report.raise_if_failed()
        assert report.row("current").checked == report.row("v_init").checked == 16
        assert max(row.max_error for row in report.rows) <= tol("frozen offsets")


def test_gradients_by_the_transpose_identity(pooled, rng):
    assert max(witness.transpose_identity(pooled, case) for case in cases(rng)) <= tol("transpose")


def test_dynamics_are_the_definition(pooled, rng):
    for case in cases(rng):
        witness.check_dynamics(pooled, case).raise_if_failed()


def test_of_equal_potentials_the_first_takes_the_gradient(pooled):
    """(I15); a check by differences cannot see it."""
    assert witness.check_ties(pooled).ok


@pytest.mark.parametrize("rule", POOLED_RULES, ids=spelt)
@pytest.mark.parametrize("detach", [True, False])
def test_the_oracle_agrees(rng, rule, detach):
    """Eighths full of ties, to 50 digits."""
    pytest.importorskip("mpmath")
    current, v_init, dv = (rng.integers(-4, 8, s) / 8 for s in ((3, 1, 5, 2, 2), (1, 5, 2, 2), (1, 5, 2, 2)))
    spikes, v, cache = reference.forward(current, 2, 1.0, v_init, rule)
    wanted, wanted_v, walk = oracle.pooled_fire.forward(current, 2, 1.0, v_init, rule)
    np.testing.assert_array_equal(spikes, wanted)
    np.testing.assert_array_equal(v, oracle.rounded(wanted_v))
    for surrogate in EVERY_SURROGATE:
        got = reference.backward(spikes - 0.25, cache, dv, surrogate, detach)
        for a, b in zip(got, oracle.pooled_fire.backward(spikes - 0.25, walk, dv, surrogate, detach), strict=True):
            np.testing.assert_allclose(a, oracle.rounded(b), rtol=tol("formula"), atol=tol("formula"))


# ---------------------------------------------------------------------------------------------- what is refused

@pytest.mark.parametrize("args, more, error, message", BAD_FORWARD.values(), ids=BAD_FORWARD)
def test_forward_refuses(pooled, args, more, error, message):
    with pytest.raises(error, match=message) as caught:
        pooled.forward(*args, **more)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("args, more, error, message", BAD_BACKWARD.values(), ids=BAD_BACKWARD)
def test_backward_refuses(pooled, args, more, error, message):
    assert pooled.forward(X)[0].shape == S.shape
    with pytest.raises(error, match=message) as caught:
        pooled.backward(*args, pooled.forward(X)[2], **more)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("args, error, message", BAD_STEP.values(), ids=BAD_STEP)
def test_step_refuses(pooled, args, error, message):
    with pytest.raises(error, match=message):
        pooled.step(*args)
