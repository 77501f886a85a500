"""The temporal neuron: worked example, exact derivation, 10,000 random and nasty problems, identities, refusals.

Three routes meet here: the reference (masks and sums), the kernel (running form), and an oracle below that reads the
definition (T2) in extended precision or in exact fractions and shares no code with either.
"""

from fractions import Fraction
from itertools import pairwise

import numba
import numpy as np
import pytest

from pysnn import _threads
from pysnn.kernels._running import runner, runner_in_python
from pysnn.kernels.temporal import WIDTHS
from pysnn.reference import temporal as reference
from pysnn.verify.witness.temporal import check_definition
from tests.cases.temporal import (
    AIMED,
    BAD_BACKWARD,
    BAD_FORWARD,
    FAMILIES,
    Tally,
    W,
    Z,
    continuous,
    draw_weights,
    exact_layer,
    exact_ties,
    judge,
    oracle,
)
from tests.cases.tolerances import kappa_limit, tol

INF = np.inf


# ---------------------------------------------------------------------------------------------- worked by hand

def test_worked_example(temporal_neuron):
    z_in, w = np.exp([[0.0, 1.0, 2.0]]), np.array([[0.8], [0.6], [-0.3]])
    z_out, cache = temporal_neuron.forward(z_in, w)
    dz_in, dw = temporal_neuron.backward(np.ones((1, 1)), cache)
    close = {"rtol": tol("worked example"), "atol": 0}
    np.testing.assert_allclose(z_out, [[6.077422742688569]], **close)
    np.testing.assert_allclose(np.log(z_out), [[1.8045807151057172]], **close)
    np.testing.assert_allclose(dw[:, 0], [-12.693556856721420, -8.3978522855738065, 0], **close)
    np.testing.assert_allclose(dz_in[0], [2, 1.5, 0], **close)
    np.testing.assert_allclose(dz_in[0] * z_in[0] / z_out[0], [0.32908686538320809, 0.67091313461679191, 0], **close)
    assert dw[2, 0] == dz_in[0, 2] == 0                                  # exactly, outside the causal set


@pytest.mark.parametrize("z_in, w, wanted", [
    ([1, 2], [2, -1], 2),                 # the crossing and an inhibitory input at one time: the neuron fires
    ([1, 1.875], [2, -1.5], INF),         # the jump of the derivation page: it came earlier and no spike is left,
    ([1, 1.875, 4], [2, -1.5, 1], 6.375),  # or a later one
    ([1, 2, 2], [1.5, 1, -1], 3),         # (T6) inputs at one time enter together: +1 alone would give 3.5/1.5 < 3
    ([1, 1], [2, -2], INF),               # so they cancel,
    ([1, 2, 2], [2 - 2.0**-42, 1024, -4096], INF),   # even where the crossing after the second rounds to its own time, 2
    ([1, 2], [0.5, 0.5], INF),            # (T4) a sum equal to the threshold is approached and never reached
    ([1, 2], [0.5, 0.625], 14),           # a little more is enough
    ([4, INF, 1], [1, 9, 0.5], 9),        # an input that never comes, unsorted
    ([INF, INF], [9, 9], INF),
    ([3], [1.5], 9),
], ids=str)
def test_small_cases_by_hand(temporal_neuron, z_in, w, wanted):
    z_out, _ = temporal_neuron.forward(np.array([z_in], float), np.array(w, float)[:, None])
    assert z_out[0, 0] == wanted


@pytest.mark.parametrize("threshold", [0.3, 0.7])
def test_threshold_is_rounded_to_the_dtype_of_the_arrays(temporal_neuron, threshold):
    w = np.array([[threshold]], np.float32)                              # equals the threshold only in float32
    one = np.ones((1, 1), np.float32)
    assert temporal_neuron.forward(one, w, threshold)[0] == INF
    assert temporal_neuron.forward(one, np.nextafter(w, np.float32(1)), threshold)[0] < INF


# ---------------------------------------------------------------------------------------------- the derivation, exactly

def fire_exactly(z, w, threshold):
    """Find the spike in exact fractions by the definition: V = sum w (1 - z_i/z), (T2), at the end of each interval."""
    times = sorted(set(z))
    for start, end in pairwise([*times, None]):
        heard = [i for i in range(len(z)) if z[i] <= start]
        total = sum(w[i] for i in heard)
        moment = sum(w[i] * z[i] for i in heard)
        reached = total > threshold if end is None else total - moment / end >= threshold
        if reached:
            return moment / (total - threshold), heard
    return None, []


def fire_running(z, w, threshold):
    """Find the spike in exact fractions by the running form (T9)."""
    order = sorted(range(len(z)), key=lambda i: z[i])
    a, r = -threshold, -threshold * z[order[0]]
    for i, following in pairwise([*order, None]):
        a += w[i]
        if following is None:
            return z[i] - r / a if a > 0 else None
        step = z[following] - z[i]
        r += step * a
        if r >= 0:
            return z[following] - r / a
    raise AssertionError("unreachable")


def fractions(rng, n, low, high, parts):
    return [Fraction(int(k), parts) for k in rng.integers(low * parts, high * parts, n)]


def problems(rng, n_problems):
    """Yield small rational problems with many ties."""
    for _ in range(n_problems):
        n = int(rng.integers(1, 7))
        yield fractions(rng, n, 1, 5, 2), fractions(rng, n, -1, 2, 7), Fraction(int(rng.integers(1, 4)), 2)


def test_causal_set_is_the_shortest_valid_prefix(rng):
    """(T3), (T4), (T5), (T6): both conditions, joined by AND, find the spike of the definition; its z lies in the right interval."""
    seen = set()
    for z, w, threshold in problems(rng, 400):
        wanted, heard = fire_exactly(z, w, threshold)
        found = None
        for end in sorted(set(z)):
            prefix = [i for i in range(len(z)) if z[i] <= end]
            following = min((z[i] for i in range(len(z)) if z[i] > end), default=None)
            margin = sum(w[i] for i in prefix) - threshold
            if margin > 0 and (following is None or sum(w[i] * z[i] for i in prefix) <= margin * following):
                found = sum(w[i] * z[i] for i in prefix) / margin
                assert found > end                                       # holds by itself for the first valid prefix
                assert prefix == heard
                break
        assert found == wanted
        assert fire_running(z, w, threshold) == wanted                   # (T9)
        seen.add(wanted is None)
    assert seen == {True, False}


def test_derivatives_against_exact_differences(rng):
    """(T7), (T8), (T3) differentiated in exact fractions; the identities hold without any rounding."""
    step, n_fired = Fraction(1, 10**12), 0
    for z, w, threshold in problems(rng, 300):
        z_out, causal = fire_exactly(z, w, threshold)
        if z_out is None or z_out in z:
            continue
        n_fired += 1
        margin = sum(w[i] for i in causal) - threshold

        def ratio(z, w, causal=causal, threshold=threshold):
            return sum(w[i] * z[i] for i in causal) / (sum(w[i] for i in causal) - threshold)

        for i in causal:
            def moved(x, by, i=i):
                return [v + by * (k == i) for k, v in enumerate(x)]
            by_w = (ratio(z, moved(w, step)) - ratio(z, moved(w, -step))) / (2 * step)
            by_z = (ratio(moved(z, step), w) - ratio(moved(z, -step), w)) / (2 * step)
            assert abs(by_w - (z[i] - z_out) / margin) <= Fraction(tol("exact differences")) * (1 + abs(by_w))
            assert by_z == w[i] / margin
        assert sum(w[i] * z[i] / (margin * z_out) for i in causal) == 1                             # shift in time
        assert sum(w[i] * (z[i] - z_out) / margin for i in causal) == -threshold * z_out / margin   # scale of (w, threshold)
        for i in range(len(z)):                                          # (T7) needs no membership test
            inside = (z[i] - z_out) / margin if i in causal else 0
            assert inside == -max(z_out - z[i], 0) / margin
    assert n_fired > 100


def test_both_backends_against_exact_fractions(temporal_neuron, rng):
    n_fired = n_silent = 0
    for z, w, threshold in problems(rng, 200):
        w = [Fraction(round(v * 8), 8) for v in w]                       # dyadic: floats hold all sums exactly
        wanted, causal = fire_exactly(z, w, threshold)
        z_out, cache = temporal_neuron.forward(np.array([z], float), np.array(w, float)[:, None], float(threshold))
        dz_in, dw = temporal_neuron.backward(np.ones((1, 1)), cache)
        if wanted is None:
            n_silent += 1
            assert z_out[0, 0] == INF and not dz_in.any() and not dw.any()
            continue
        n_fired += 1
        margin = sum(w[i] for i in causal) - threshold
        close = {"rtol": tol("worked example"), "atol": tol("worked example")}
        np.testing.assert_allclose(z_out[0, 0], float(wanted), **close)
        np.testing.assert_allclose(dw[:, 0], [float(-max(wanted - v, 0) / margin) for v in z], **close)
        np.testing.assert_allclose(dz_in[0], [float(v / margin) if i in causal else 0 for i, v in enumerate(w)], **close)
        assert all(dz_in[0, i] == dw[i, 0] == 0 for i in range(len(z)) if i not in causal)
    assert n_fired > 50 and n_silent > 30


# ---------------------------------------------------------------------------------------------- 10,000 problems

N_PROBLEMS = [100, pytest.param(500, marks=pytest.mark.slow)]           # by family and dtype: 10,000 in all; the first 2,000 by default


@pytest.mark.parametrize("n_problems", N_PROBLEMS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.__name__)
def test_ten_thousand_problems(family, dtype, n_problems, temporal_kernel):
    """Reference and kernel against the definition, and so against each other: spike times and gradients."""
    rng = np.random.default_rng([FAMILIES.index(family), np.dtype(dtype).itemsize])
    tallies = {"reference": Tally(), "numba": Tally()}
    count = tallies["reference"]
    for _ in range(n_problems):
        n_batch, n_in, n_out = int(rng.integers(1, 5)), int(rng.choice([1, 2, 3, 5, 8, 9, 24])), int(rng.integers(1, 9))
        z_in, w = (np.ascontiguousarray(x, dtype) for x in family(rng, n_batch, n_in, n_out))
        threshold = 1.0 if family is not continuous else float(rng.choice([0.3, 0.7, 1.0, 2.0]))
        o = oracle(z_in, w, threshold, exact=family is exact_ties)
        dz_out = rng.normal(size=o.near.shape)
        a, b = (judge(tallies[name], module, z_in, w, threshold, o, dz_out)
                for name, module in (("reference", reference), ("numba", temporal_kernel)))
        count.n += a.size
        count.fired += int(np.isfinite(a).sum())
        count.near += int(o.near.sum())
        count.ill += int((~o.near & np.isfinite(o.z_out) & (o.kappa >= kappa_limit(dtype))).sum())
        count.disagree += int((np.isfinite(a) != np.isfinite(b)).sum())
    print(f"{family.__name__:17s} {np.dtype(dtype).name} neurons {count.n}, fired {count.fired / count.n:.2f}, "
          f"in band {count.near}, backends disagree {count.disagree}, ill-conditioned {count.ill}; largest deviation "
          + ", ".join(f"{k}: z_out {t.z_out:.2f}, gradient {t.gradient:.2f}" for k, t in tallies.items()))
    assert 0.1 < count.fired / count.n < 0.95                            # alive: some fire, some do not
    assert count.near <= (1 if family in AIMED else tol("rare")) * count.n
    assert count.disagree <= count.near
    if family is exact_ties:
        assert count.near == 0


@pytest.mark.parametrize("later", [INF, 2.0])
def test_rounding_never_puts_a_spike_after_the_next_input(temporal_neuron, rng, later):
    """The form max(z_out - z_in, 0) of (T7) relies on it: else an input outside the causal set gets a gradient of an ulp."""
    z0, z1 = np.exp(np.sort(rng.uniform(0, 2, (2, 200_000)), axis=0))
    a = z0 / (z1 - z0) * (1 + rng.integers(0, 4, z0.shape) * np.finfo(float).eps)
    a = a + 1 - 1                                                        # as the sum of the weights minus the threshold
    wrong = ((z1 - z0) * a - z0 >= 0) & (z0 + z0 / a > z1)               # fired before z1, and yet the quotient is after it
    n_before = 0
    for k in np.flatnonzero(wrong)[:40]:
        z_out, cache = temporal_neuron.forward(np.array([[z0[k], z1[k], later * z1[k]]]), np.array([[a[k] + 1], [-0.5], [0.25]]))
        dz_in, dw = temporal_neuron.backward(np.ones((1, 1)), cache)
        if np.isfinite(z_out[0, 0]) and dz_in[0, 1] == 0:                # the second input is outside the causal set
            n_before += 1
            assert z_out[0, 0] <= z1[k] and dw[1, 0] == dw[2, 0] == 0
    assert wrong.sum() > 20 and (n_before > 0 or temporal_neuron is reference)


# ---------------------------------------------------------------------------------------------- shapes, views, threads

SHAPES = [(1, 1, 10), (129, 1, 16), (3, 5, 17), (33, 5, 257), (129, 5, 600), (1, 784, 10), (33, 784, 16), (3, 784, 17),
          (3, 784, 257), (1, 784, 600), (129, 784, 10), (33, 1, 600), (1, 5, 16), (3, 1, 257), (33, 784, 257)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_times", [2, 16])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_shapes_across_the_blocks_of_the_kernel(shape, n_times, dtype, temporal_kernel, rng):
    z_in, w = exact_layer(rng, *shape, dtype, n_times)
    z_out, cache = reference.forward(z_in, w)
    got, got_cache = temporal_kernel.forward(z_in, w)
    assert 0.05 < np.isfinite(z_out).mean() < 0.999
    np.testing.assert_array_equal(np.isinf(got), np.isinf(z_out))
    np.testing.assert_allclose(got, z_out, rtol=tol("z_out of exact sums") * np.finfo(dtype).eps)
    dz_out = rng.normal(size=z_out.shape).astype(dtype)
    dz_in, dw = reference.backward(dz_out, cache)
    got_dz, got_dw = temporal_kernel.backward(dz_out, got_cache)
    fires = np.isfinite(z_out)
    h, z = np.abs(np.where(fires, dz_out, 0) / cache.margin), np.where(fires, z_out, 0)
    z_i = np.where(np.isfinite(z_in), z_in, 0)
    eps = np.finfo(dtype).eps
    assert (np.abs(got_dw - dw) <= eps * (tol("gradient") + len(h)) * (z_i.T @ h + (h * z).sum(axis=0))).all()
    assert (np.abs(got_dz - dz_in) <= eps * (tol("gradient") + h.shape[1]) * (h @ np.abs(w).T)).all()
    np.testing.assert_array_equal(got_dw == 0, dw == 0)
    np.testing.assert_array_equal(got_dz == 0, dz_in == 0)
    np.testing.assert_array_equal(temporal_kernel.backward_w(dz_out, got_cache), got_dw)


def test_views_are_accepted_and_left_alone(temporal_neuron, rng):
    z_in, w = exact_layer(rng, 7, 20, 12, np.float64)
    dz_out = rng.normal(size=(7, 12))
    z_out, cache = temporal_neuron.forward(z_in, w)
    wanted = (z_out, *temporal_neuron.backward(dz_out, cache))
    padded = np.repeat(np.repeat(z_in, 2, axis=0), 3, axis=1)[::2, ::3]
    before = padded.copy(), w.copy()
    z_out, cache = temporal_neuron.forward(padded, np.asfortranarray(w))
    got = (z_out, *temporal_neuron.backward(np.asfortranarray(dz_out[::-1])[::-1], cache))
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.flags.c_contiguous
    np.testing.assert_array_equal(padded, before[0])
    np.testing.assert_array_equal(w, before[1])


@pytest.mark.parametrize("n_times", [2, 1000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_same_bits_for_any_number_of_threads(temporal_kernel, rng, dtype, n_times):
    z_in = np.exp(2 * rng.integers(0, n_times, (300, 150)) / n_times).astype(dtype)
    z_in[rng.random(z_in.shape) < 0.2] = INF
    w = draw_weights(rng, 150, 530).astype(dtype)
    dz_out = rng.normal(size=(300, 530)).astype(dtype)
    before, runs = _threads.get_threads(), []
    try:
        for n in (1, 2, 3):
            _threads.set_threads(n)
            z_out, cache = temporal_kernel.forward(z_in, w)
            runs.append([x.tobytes() for x in (z_out, *temporal_kernel.backward(dz_out, cache), temporal_kernel.backward_w(dz_out, cache))])
    finally:
        _threads.set_threads(before)
    assert 0.1 < np.isfinite(z_out).mean() < 0.9
    assert runs[0] == runs[1] == runs[2]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("width", WIDTHS)
def test_the_loop_in_python_does_what_the_one_for_the_machine_does(dtype, width, rng):
    run, ref, first = runner(width), runner_in_python(width), 5

    @numba.njit
    def compiled(*args):
        run(*args)

    for n, n_neurons in ((0, width), (1, width), (40, width), (100, width - 11)):
        times, order = np.sort(np.exp(rng.random(3 + n + 1))).astype(dtype), rng.permutation(3 + n).astype(np.uint32)
        table = np.append(np.full(first, np.nan, dtype), draw_weights(rng, 3 + n, width).astype(dtype))
        a, b = (np.full((3, width), np.nan, dtype) for _ in range(2))
        for loop, state in ((compiled, a), (ref, b)):
            loop(order, times, 3, n, table, first, dtype(1), n_neurons, state)
        fired = a[1] >= 0
        assert (fired == (b[1] >= 0)).all() and fired[n_neurons:].all() and (n < 40 or 0 < fired.sum() < width)
        assert (a[2][fired] == b[2][fired]).all()
        np.testing.assert_allclose(a[:2], b[:2], rtol=1e-9 if dtype is np.float64 else 1e-4, atol=1e-6)


# ---------------------------------------------------------------------------------------------- the definition, identities

@pytest.fixture
def layer(rng):
    """Two layers of weights and inputs, some of them silent; margins not too small."""
    z_in = np.exp(rng.uniform(0, 2, (12, 20)))
    z_in[rng.random(z_in.shape) < 0.1] = INF
    return z_in, rng.normal(0.12, 0.3, (20, 15)), rng.normal(0.05, 0.4, (15, 6))


def test_spikes_meet_the_definition(temporal_neuron, layer):
    """(T1), (T2): V(t_out) is the threshold and V stays below before; silent neurons stay below for ever."""
    z_in, w, _ = layer
    threshold = 0.8
    z_out, _ = temporal_neuron.forward(z_in, w, threshold)
    fired = np.isfinite(z_out)
    assert 0.2 < fired.mean() < 0.9
    rounding = tol("band") * len(w) * np.finfo(float).eps * (1 + np.abs(w).sum(axis=0))
    for b, j in np.ndindex(z_out.shape):
        t_in = np.log(z_in[b])
        end = np.log(z_out[b, j]) if fired[b, j] else 60.0
        t = np.concatenate([t_in[t_in < end], np.linspace(-0.1, end, 300, endpoint=False), [end]])
        lag = np.maximum(t[:, None] - np.where(np.isfinite(t_in), t_in, INF), 0)
        v = -np.expm1(-lag) @ w[:, j]
        assert (v[:-1] < threshold + rounding[j]).all()
        assert abs(v[-1] - threshold) <= rounding[j] or not fired[b, j]
    found = check_definition(z_in, w, z_out, threshold)
    assert found.ok and found.n_fired == fired.sum()


def test_membrane_equation(rng):
    """(T1) integrated in small steps gives (T2): two differential equations against one closed form, tau = 2."""
    t_in, w, tau, steps = np.array([0.0, 0.5, 1.25]), np.array([0.8, -0.4, 0.7]), 2.0, 12_000
    dt, v, current = 3.0 / steps, 0.0, 0.0
    for n in range(steps):
        t = n * dt
        current += w[np.isclose(t_in, t, atol=dt / 2, rtol=0)].sum()
        half = current * np.exp(-dt / (2 * tau))
        v += dt * half                                                   # midpoint rule
        current *= np.exp(-dt / tau)
    closed = (tau * w * (1 - np.exp(-(3.0 - t_in) / tau))).sum()
    assert v == pytest.approx(closed, rel=tol("membrane"))


def test_shift_and_homogeneity(temporal_neuron, layer):
    """Delays of all inputs delay all outputs: sum_i z_i dL/dz_i is the same at every layer."""
    z_in, w1, w2 = layer
    z1, cache1 = temporal_neuron.forward(z_in, w1)
    z2, cache2 = temporal_neuron.forward(z1, w2)
    assert np.isfinite(z1).mean() > 0.2 and 0.1 < np.isfinite(z2).mean() < 1
    dz2 = np.where(np.isfinite(z2), np.sin(np.arange(z2.size).reshape(z2.shape)), 0)
    dz1, _ = temporal_neuron.backward(dz2, cache2)
    dz0, _ = temporal_neuron.backward(dz1, cache1)
    sums = [np.where(np.isfinite(z), z * dz, 0).sum(axis=1)
            for z, dz in ((np.where(np.isfinite(z_in), z_in, 0), dz0), (np.where(np.isfinite(z1), z1, 0), dz1),
                          (np.where(np.isfinite(z2), z2, 0), dz2))]
    size = np.abs(sums).max()
    np.testing.assert_allclose(sums[0], sums[2], atol=tol("identity") * size)
    np.testing.assert_allclose(sums[1], sums[2], atol=tol("identity") * size)
    later, _ = temporal_neuron.forward(8 * z_in, w1)                             # a shift by ln 8; exact in binary
    np.testing.assert_array_equal(later, 8 * z1)


def test_order_of_inputs_does_not_matter(temporal_neuron, layer, rng):
    z_in, w, _ = layer
    order = rng.permutation(len(w))
    z_out, cache = temporal_neuron.forward(z_in, w)
    again, cache_again = temporal_neuron.forward(np.ascontiguousarray(z_in[:, order]), w[order])
    np.testing.assert_array_equal(np.isinf(again), np.isinf(z_out))
    np.testing.assert_allclose(again, z_out, rtol=tol("identity"))
    dz_out = np.ones_like(z_out)
    for a, b, axis in zip(temporal_neuron.backward(dz_out, cache_again), temporal_neuron.backward(dz_out, cache), (1, 0), strict=True):
        np.testing.assert_allclose(a, np.take(b, order, axis=axis), rtol=tol("identity"), atol=tol("identity"))


def test_scaled_weights_are_a_lower_threshold(temporal_neuron, layer):
    """Spike dropout: weights times 1/(1 - p) at the threshold, or the weights at (1 - p) times the threshold."""
    z_in, w, _ = layer
    keep = 0.75
    scaled, cache_scaled = temporal_neuron.forward(z_in, w / keep)
    lower, cache_lower = temporal_neuron.forward(z_in, w, keep)
    assert 0.2 < np.isfinite(lower).mean() < 0.95
    np.testing.assert_allclose(scaled, lower, rtol=tol("identity"))
    ones = np.ones_like(lower)
    (dz_a, dw_a), (dz_b, dw_b) = temporal_neuron.backward(ones, cache_scaled), temporal_neuron.backward(ones, cache_lower)
    np.testing.assert_allclose(dw_a / keep, dw_b, rtol=tol("identity"), atol=tol("identity"))   # chain rule: w/keep
    np.testing.assert_allclose(dz_a, dz_b, rtol=tol("identity"), atol=tol("identity"))


# ---------------------------------------------------------------------------------------------- what is refused

@pytest.mark.parametrize("args, error, message", BAD_FORWARD.values(), ids=BAD_FORWARD)
def test_forward_refuses(temporal_neuron, args, error, message):
    with pytest.raises(error, match=message):
        temporal_neuron.forward(*args)


@pytest.mark.parametrize("dz_out, error, message", BAD_BACKWARD.values(), ids=BAD_BACKWARD)
def test_backward_refuses(temporal_neuron, dz_out, error, message):
    _, cache = temporal_neuron.forward(Z, W)
    with pytest.raises(error, match=message):
        temporal_neuron.backward(dz_out, cache)


@pytest.mark.parametrize("garbage", [np.nan, INF, -INF, 1e308])
def test_gradient_of_a_silent_output_is_ignored(temporal_neuron, layer, garbage):
    z_in, w, _ = layer
    z_in[3] = INF                                                        # all inputs of a sample silent
    z_out, cache = temporal_neuron.forward(z_in, w)
    silent = np.isinf(z_out)
    assert silent[3].all() and 0.2 < silent.mean() < 0.9
    clean = temporal_neuron.backward(np.where(silent, 0, 1.0), cache)
    dirty = temporal_neuron.backward(np.where(silent, garbage, 1.0), cache)
    for a, b in zip(dirty, clean, strict=True):
        np.testing.assert_array_equal(a, b)
        assert np.isfinite(a).all()
    assert not dirty[0][3].any() and not dirty[0][np.isinf(z_in)].any()
    assert np.isfinite(dirty[1]).all() and dirty[1].any()


@pytest.mark.parametrize("dtype, top", [(np.float32, 88.0), (np.float64, 709.0)])
def test_spikes_whose_weighted_sum_overflows(temporal_neuron, dtype, top, rng):
    """Near the largest number z sum w overflows and its quotient does not: the same spikes as 2^50 times earlier."""
    z_in = np.exp(rng.uniform(top - 8, top, (40, 12))).astype(dtype)
    w = rng.normal(0.5, 1, (12, 6)).astype(dtype)
    early = temporal_neuron.forward(z_in * dtype(2.0 ** -50), w)[0].astype(np.longdouble) * np.longdouble(2.0) ** 50
    got = temporal_neuron.forward(z_in, w)[0]
    fires = early < np.finfo(dtype).max
    assert (np.isfinite(got) == fires).all() and 0.3 < fires.mean() < 1
    np.testing.assert_allclose(got[fires], early[fires].astype(dtype), rtol=1e-4 if dtype == np.float32 else 1e-12)
