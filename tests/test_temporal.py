"""The temporal neuron: worked example, exact derivation, 10,000 random and nasty problems, identities, refusals.

Three routes meet here: the reference (masks and sums), the kernel (running form), and an oracle below that reads the
definition (T2) in extended precision or in exact fractions and shares no code with either.
"""

from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from tolerances import kappa_limit, tol

from pysnn import _threads
from pysnn.reference import temporal as reference
from pysnn.verify.witness.temporal import check_definition

INF = np.inf


# ---------------------------------------------------------------------------------------------- worked by hand

def test_worked_example(backend):
    z_in, w = np.exp([[0.0, 1.0, 2.0]]), np.array([[0.8], [0.6], [-0.3]])
    z_out, cache = backend.forward(z_in, w)
    dz_in, dw = backend.backward(np.ones((1, 1)), cache)
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
def test_small_cases_by_hand(backend, z_in, w, wanted):
    z_out, _ = backend.forward(np.array([z_in], float), np.array(w, float)[:, None])
    assert z_out[0, 0] == wanted


@pytest.mark.parametrize("threshold", [0.3, 0.7])
def test_threshold_is_rounded_to_the_dtype_of_the_arrays(backend, threshold):
    w = np.array([[threshold]], np.float32)                              # equals the threshold only in float32
    one = np.ones((1, 1), np.float32)
    assert backend.forward(one, w, threshold)[0] == INF
    assert backend.forward(one, np.nextafter(w, np.float32(1)), threshold)[0] < INF


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


def test_both_backends_against_exact_fractions(backend, rng):
    n_fired = n_silent = 0
    for z, w, threshold in problems(rng, 200):
        w = [Fraction(round(v * 8), 8) for v in w]                       # dyadic: floats hold all sums exactly
        wanted, causal = fire_exactly(z, w, threshold)
        z_out, cache = backend.forward(np.array([z], float), np.array(w, float)[:, None], float(threshold))
        dz_in, dw = backend.backward(np.ones((1, 1)), cache)
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


# ---------------------------------------------------------------------------------------------- the oracle

class Oracle(NamedTuple):
    """What the definition says in extended precision, in the order of time; K prefixes of the sorted inputs."""

    z_sorted: np.ndarray     # (B, K, 1)
    z_next: np.ndarray       # (B, K, 1)
    total: np.ndarray        # (B, K, N_out), sum of the weights that arrived
    moment: np.ndarray       # (B, K, N_out), sum of w z
    admissible: np.ndarray   # (B, K, N_out), right for some perturbation inside the band
    silent_ok: np.ndarray    # (B, N_out), silence is right for some perturbation
    near: np.ndarray         # (B, N_out), inside the band: more than one answer is right
    band: np.ndarray         # (N_out,)
    z_out: np.ndarray        # (B, N_out), the answer where not near
    kappa: np.ndarray        # (B, N_out), condition of z_out
    dz_dw: np.ndarray        # (B, N_in, N_out), (T7); 0 where near or silent
    dz_dz: np.ndarray        # (B, N_in, N_out), (T8)
    kappa_margin: np.ndarray  # (B, N_out), condition of the margin


def oracle(z_in, w, threshold, exact):
    """Evaluate the definition at the end of each interval between two inputs; `exact` data have no band."""
    wide = np.longdouble
    eps = np.finfo(w.dtype).eps
    threshold = wide(w.dtype.type(threshold))
    order = np.argsort(z_in, axis=1, kind="stable")
    z_sorted = np.take_along_axis(z_in, order, axis=1).astype(wide)
    came = np.isfinite(z_sorted)
    z_next = np.concatenate([z_sorted[:, 1:], np.full((len(z_in), 1), INF, wide)], axis=1)
    complete = (came & (z_sorted < z_next))[:, :, None]                 # (T6) inputs at one time enter together
    w_sorted = np.where(came[:, :, None], w.astype(wide)[order], 0)
    total = w_sorted.cumsum(axis=1)
    moment = (w_sorted * np.where(came, z_sorted, 0)[:, :, None]).cumsum(axis=1)
    z_sorted, z_next = z_sorted[:, :, None], z_next[:, :, None]
    last = np.isinf(z_next)
    finite_next = np.where(last, 1, z_next)
    excess = np.where(last, total - threshold, ((total - threshold) * finite_next - moment) / finite_next)
    band = (0 if exact else tol("band")) * len(w) * eps * (1 + np.abs(w).sum(axis=0, dtype=wide))
    reached = complete & np.where(last, excess > band, excess >= band)  # (T4) after the last input the sum must exceed it
    open_still = np.logical_or.accumulate(reached, axis=1)
    open_still = ~np.concatenate([np.zeros_like(reached[:, :1]), open_still[:, :-1]], axis=1)
    admissible = complete & open_still & np.where(last, excess > -band, excess >= -band)
    near = (admissible & ~reached).any(axis=1)
    clear = reached.any(axis=1) & ~near
    k = admissible.argmax(axis=1)[:, None, :]
    margin = np.where(clear, np.take_along_axis(total, k, axis=1)[:, 0] - threshold, 1)
    z_out = np.where(clear, np.take_along_axis(moment, k, axis=1)[:, 0] / margin, INF)       # (T3)
    heard = (z_in[:, :, None] <= np.take_along_axis(z_sorted[:, :, 0], k[:, 0], axis=1)[:, None, :]) & clear[:, None, :]
    heard &= np.isfinite(z_in)[:, :, None]
    w_heard = np.where(heard, w, 0).astype(wide)
    z_fin, z = np.where(np.isfinite(z_in), z_in, 0).astype(wide)[:, :, None], np.where(clear, z_out, 1)
    spread, size = np.abs(w_heard * (z_fin - z[:, None, :])).sum(axis=1), np.abs(w_heard * z_fin).sum(axis=1)
    return Oracle(z_sorted, z_next, total, moment, admissible, ~reached.any(axis=1), near, band, z_out,
                  (spread + size + z) / (margin * z), np.where(heard, (z_fin - z[:, None, :]) / margin[:, None, :], 0),
                  w_heard / margin[:, None, :], (np.abs(w_heard).sum(axis=1) + threshold) / margin)


def is_right(z_out, o, threshold, eps):
    """Say where z_out is right for some perturbation inside the band: V is the threshold there, (T2), in an admissible interval."""
    z = z_out.astype(np.longdouble)[:, None, :]
    fired = np.isfinite(z)
    z = np.where(fired, z, 1)
    slack = 16 * eps
    inside = (z >= o.z_sorted * (1 - slack)) & (z <= o.z_next * (1 + slack))
    v = o.total - o.moment / z - threshold
    size = np.abs(o.total) + np.abs(o.moment) / z + threshold
    at_threshold = np.abs(v) <= np.maximum(o.band, slack * len(o.z_sorted[0]) * size)
    return np.where(fired[:, 0], (o.admissible & inside & at_threshold).any(axis=1), o.silent_ok)


# ---------------------------------------------------------------------------------------------- 10,000 problems

def _weights(rng, n_in, n_out, mean=1.6, std=1.0):
    return rng.normal(mean / n_in, std / np.sqrt(n_in), (n_in, n_out))


def continuous(rng, n_batch, n_in, n_out):
    return np.exp(rng.uniform(0, 2, (n_batch, n_in))), _weights(rng, n_in, n_out)


def some_silent(rng, n_batch, n_in, n_out):
    z = np.exp(rng.uniform(-1, 2, (n_batch, n_in)))
    z[rng.random(z.shape) < rng.random()] = INF
    return z, _weights(rng, n_in, n_out, 2.5)


def all_silent(rng, n_batch, n_in, n_out):
    z = np.exp(rng.uniform(0, 1, (n_batch, n_in)))
    z[rng.random(n_batch) < 0.5] = INF
    return z, _weights(rng, n_in, n_out, 3.0)


def two_times(rng, n_batch, n_in, n_out):
    z = np.where(rng.random((n_batch, n_in)) < 0.4, 1.0, 1 + rng.exponential(3))
    z[rng.random(z.shape) < rng.choice([0, 0.3])] = INF
    return z, _weights(rng, n_in, n_out, 2.0)


def wide_range(rng, n_batch, n_in, n_out):
    return np.exp(rng.uniform(-15, 15, (n_batch, n_in))), _weights(rng, n_in, n_out)


def one_input(rng, n_batch, n_in, n_out):
    return np.exp(rng.uniform(0, 2, (n_batch, 1))), rng.uniform(-1, 4, (1, n_out))


def below(rng, n_batch, n_in, n_out):
    """Sums of weights just below the threshold: only an early crossing makes a neuron fire."""
    z, w = np.exp(rng.uniform(0, 3, (n_batch, n_in))), _weights(rng, n_in, n_out, 0.5, 2.0)
    return z, w - (w.sum(axis=0) - rng.uniform(0.5, 1, n_out)) / n_in


def exact_ties(rng, n_batch, n_in, n_out):
    """Few times and weights in eighths: every sum is exact, V meets the threshold exactly now and then."""
    z = rng.integers(1, rng.choice([3, 6]), (n_batch, n_in)) / 2.0
    z[rng.random(z.shape) < 0.1] = INF
    return z, rng.integers(-8, 13, (n_in, n_out)) / 8.0


def sum_at_threshold(rng, n_batch, n_in, n_out):
    """Sums of weights a few ulp around the threshold."""
    z, w = np.exp(rng.uniform(0, 2, (n_batch, n_in))), np.abs(_weights(rng, n_in, n_out))
    return z, w / w.sum(axis=0) * (1 + rng.integers(-8, 9, n_out) * rng.choice([1e-7, 1e-16, 1e-3]))


def v_at_threshold(rng, n_batch, n_in, n_out):
    """V a few ulp around the threshold at one of the arrivals of the first sample."""
    z, w = np.exp(rng.uniform(0, 2, (n_batch, n_in))), _weights(rng, n_in, n_out, 0.5, 2.0)
    lag = 1 - z[0] / rng.permutation(z[0])[0]
    v = (np.maximum(lag, 0)[:, None] * w).sum(axis=0)
    scale = np.where(np.abs(v) > 0.1, np.abs(v), 1)
    return z, w / scale * (1 + rng.integers(-8, 9, n_out) * rng.choice([1e-7, 1e-16, 1e-3]))


FAMILIES = (continuous, some_silent, all_silent, two_times, wide_range, one_input, below, exact_ties, sum_at_threshold,
            v_at_threshold)
AIMED = (sum_at_threshold, v_at_threshold)      # meant to fall into the band
N_PROBLEMS = 500                                # by family and dtype: 10,000 in all


class Tally:
    """Counts and largest deviations over the problems of one family."""

    def __init__(self):
        self.n = self.fired = self.near = self.disagree = self.ill = 0
        self.z_out = self.gradient = 0.0


def judge(tally, module, z_in, w, threshold, o, dz_out):
    """Run one backend on one problem and hold it against the oracle."""
    eps = np.finfo(w.dtype).eps
    z_out, cache = module.forward(z_in, w, threshold)
    assert z_out.dtype == w.dtype and z_out.shape == o.near.shape
    assert is_right(z_out, o, np.longdouble(w.dtype.type(threshold)), eps).all()
    decided = ~o.near
    fires = np.isfinite(o.z_out)
    assert (np.isfinite(z_out) == fires)[decided].all()
    sound = decided & fires & (o.kappa < kappa_limit(w.dtype))
    unit = eps * (o.kappa + len(w)) * np.where(fires, o.z_out, 1)
    off = np.abs(np.where(sound, z_out, 0) - np.where(sound, o.z_out, 0)) / unit
    assert (off <= tol("z_out")).all(), (off.max(), threshold, z_in, w)
    dz_out = np.where(sound, dz_out, 0).astype(w.dtype)
    dz_in, dw = module.backward(np.where(np.isinf(z_out), w.dtype.type(np.nan), dz_out), cache)
    d = np.where(sound, dz_out, 0).astype(np.longdouble)[:, None, :]
    z_j, kappa = np.where(sound, o.z_out, 0)[:, None, :], np.where(sound, o.kappa, 0)[:, None, :]
    kappa_m = np.where(sound, o.kappa_margin, 0)[:, None, :]
    lever = np.abs(o.dz_dw) + z_j * kappa * np.where(o.dz_dw != 0, kappa_m, 0)
    for got, terms, unit, axis in ((dw, d * o.dz_dw, np.abs(d) * (lever + np.abs(o.dz_dw) * kappa_m), 0),
                                   (dz_in, d * o.dz_dz, np.abs(d * o.dz_dz) * kappa_m, 2)):
        bound = eps * unit.sum(axis=axis) * (1 + terms.shape[axis] / tol("gradient"))
        error = np.abs(got - terms.sum(axis=axis))
        assert (error <= tol("gradient") * bound).all(), (threshold, z_in, w)
        assert not got[bound == 0].any()                                 # exactly 0 outside all causal sets
        tally.gradient = max(tally.gradient, float((error / np.where(bound > 0, bound, 1)).max()))
    if hasattr(module, "backward_w"):
        np.testing.assert_array_equal(module.backward_w(dz_out, cache), dw)
    tally.z_out = max(tally.z_out, float(off.max()))
    return z_out


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.__name__)
def test_ten_thousand_problems(family, dtype, kernel):
    """Reference and kernel against the definition, and so against each other: spike times and gradients."""
    rng = np.random.default_rng([FAMILIES.index(family), np.dtype(dtype).itemsize])
    tallies = {"reference": Tally(), "numba": Tally()}
    count = tallies["reference"]
    for _ in range(N_PROBLEMS):
        n_batch, n_in, n_out = int(rng.integers(1, 5)), int(rng.choice([1, 2, 3, 5, 8, 9, 24])), int(rng.integers(1, 9))
        z_in, w = (np.ascontiguousarray(x, dtype) for x in family(rng, n_batch, n_in, n_out))
        threshold = 1.0 if family is not continuous else float(rng.choice([0.3, 0.7, 1.0, 2.0]))
        o = oracle(z_in, w, threshold, exact=family is exact_ties)
        dz_out = rng.normal(size=o.near.shape)
        a, b = (judge(tallies[name], module, z_in, w, threshold, o, dz_out)
                for name, module in (("reference", reference), ("numba", kernel)))
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
def test_rounding_never_puts_a_spike_after_the_next_input(backend, rng, later):
    """The form max(z_out - z_in, 0) of (T7) relies on it: else an input outside the causal set gets a gradient of an ulp."""
    z0, z1 = np.exp(np.sort(rng.uniform(0, 2, (2, 200_000)), axis=0))
    a = z0 / (z1 - z0) * (1 + rng.integers(0, 4, z0.shape) * np.finfo(float).eps)
    a = a + 1 - 1                                                        # as the sum of the weights minus the threshold
    wrong = ((z1 - z0) * a - z0 >= 0) & (z0 + z0 / a > z1)               # fired before z1, and yet the quotient is after it
    n_before = 0
    for k in np.flatnonzero(wrong)[:40]:
        z_out, cache = backend.forward(np.array([[z0[k], z1[k], later * z1[k]]]), np.array([[a[k] + 1], [-0.5], [0.25]]))
        dz_in, dw = backend.backward(np.ones((1, 1)), cache)
        if np.isfinite(z_out[0, 0]) and dz_in[0, 1] == 0:                # the second input is outside the causal set
            n_before += 1
            assert z_out[0, 0] <= z1[k] and dw[1, 0] == dw[2, 0] == 0
    assert wrong.sum() > 20 and (n_before > 0 or backend is reference)


# ---------------------------------------------------------------------------------------------- shapes, views, threads

def exact_layer(rng, n_batch, n_in, n_out, dtype, n_times=16):
    """Draw a layer whose sums are exact in both dtypes, so that decisions must agree without any band."""
    z = rng.integers(1, n_times + 1, (n_batch, n_in)) * (4 / n_times)
    z[rng.random(z.shape) < 0.1] = INF
    w = np.round(256 * rng.normal(1.4 / n_in, 0.7 / np.sqrt(n_in), (n_in, n_out))) / 256
    return z.astype(dtype), w.astype(dtype)


SHAPES = [(1, 1, 10), (129, 1, 16), (3, 5, 17), (33, 5, 257), (129, 5, 600), (1, 784, 10), (33, 784, 16), (3, 784, 17),
          (3, 784, 257), (1, 784, 600), (129, 784, 10), (33, 1, 600), (1, 5, 16), (3, 1, 257), (33, 784, 257)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_times", [2, 16])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_shapes_across_the_blocks_of_the_kernel(shape, n_times, dtype, kernel, rng):
    z_in, w = exact_layer(rng, *shape, dtype, n_times)
    z_out, cache = reference.forward(z_in, w)
    got, got_cache = kernel.forward(z_in, w)
    assert 0.05 < np.isfinite(z_out).mean() < 0.999
    np.testing.assert_array_equal(np.isinf(got), np.isinf(z_out))
    np.testing.assert_allclose(got, z_out, rtol=tol("z_out of exact sums") * np.finfo(dtype).eps)
    dz_out = rng.normal(size=z_out.shape).astype(dtype)
    dz_in, dw = reference.backward(dz_out, cache)
    got_dz, got_dw = kernel.backward(dz_out, got_cache)
    fires = np.isfinite(z_out)
    h, z = np.abs(np.where(fires, dz_out, 0) / cache.margin), np.where(fires, z_out, 0)
    z_i = np.where(np.isfinite(z_in), z_in, 0)
    eps = np.finfo(dtype).eps
    assert (np.abs(got_dw - dw) <= eps * (tol("gradient") + len(h)) * (z_i.T @ h + (h * z).sum(axis=0))).all()
    assert (np.abs(got_dz - dz_in) <= eps * (tol("gradient") + h.shape[1]) * (h @ np.abs(w).T)).all()
    np.testing.assert_array_equal(got_dw == 0, dw == 0)
    np.testing.assert_array_equal(got_dz == 0, dz_in == 0)
    np.testing.assert_array_equal(kernel.backward_w(dz_out, got_cache), got_dw)


def test_views_are_accepted_and_left_alone(backend, rng):
    z_in, w = exact_layer(rng, 7, 20, 12, np.float64)
    dz_out = rng.normal(size=(7, 12))
    z_out, cache = backend.forward(z_in, w)
    wanted = (z_out, *backend.backward(dz_out, cache))
    padded = np.repeat(np.repeat(z_in, 2, axis=0), 3, axis=1)[::2, ::3]
    before = padded.copy(), w.copy()
    z_out, cache = backend.forward(padded, np.asfortranarray(w))
    got = (z_out, *backend.backward(np.asfortranarray(dz_out[::-1])[::-1], cache))
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.flags.c_contiguous
    np.testing.assert_array_equal(padded, before[0])
    np.testing.assert_array_equal(w, before[1])


@pytest.mark.parametrize("n_times", [2, 1000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_same_bits_for_any_number_of_threads(kernel, rng, dtype, n_times):
    z_in = np.exp(2 * rng.integers(0, n_times, (300, 150)) / n_times).astype(dtype)
    z_in[rng.random(z_in.shape) < 0.2] = INF
    w = _weights(rng, 150, 530).astype(dtype)
    dz_out = rng.normal(size=(300, 530)).astype(dtype)
    before, runs = _threads.get_threads(), []
    try:
        for n in (1, 2, 3):
            _threads.set_threads(n)
            z_out, cache = kernel.forward(z_in, w)
            runs.append([x.tobytes() for x in (z_out, *kernel.backward(dz_out, cache), kernel.backward_w(dz_out, cache))])
    finally:
        _threads.set_threads(before)
    assert 0.1 < np.isfinite(z_out).mean() < 0.9
    assert runs[0] == runs[1] == runs[2]


def test_the_plain_loop_does_what_the_unrolled_one_does(kernel, rng):
    for n_head in (1, 7, 8, 40, 100):
        z = np.sort(np.exp(rng.random(n_head + 1)))
        order, packed = rng.permutation(n_head).astype(np.uint32), np.vstack([_weights(rng, n_head, 32), np.zeros((1, 32))])
        start = np.full(32, -1.0), np.full(32, -z[0]), np.zeros(32)
        ref, got = ([x.copy() for x in start] for _ in range(2))
        kernel._advance_in_python(order, z, n_head, packed, *ref)
        kernel._advance(order, z, n_head, packed, *got)
        assert (ref[2] == got[2]).all() and (n_head < 40 or 0 < (ref[1] >= 0).sum() < 32)
        np.testing.assert_allclose(ref[:2], got[:2], rtol=1e-9, atol=1e-12)


# ---------------------------------------------------------------------------------------------- the definition, identities

@pytest.fixture
def layer(rng):
    """Two layers of weights and inputs, some of them silent; margins not too small."""
    z_in = np.exp(rng.uniform(0, 2, (12, 20)))
    z_in[rng.random(z_in.shape) < 0.1] = INF
    return z_in, rng.normal(0.12, 0.3, (20, 15)), rng.normal(0.05, 0.4, (15, 6))


def test_spikes_meet_the_definition(backend, layer):
    """(T1), (T2): V(t_out) is the threshold and V stays below before; silent neurons stay below for ever."""
    z_in, w, _ = layer
    threshold = 0.8
    z_out, _ = backend.forward(z_in, w, threshold)
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


def test_shift_and_homogeneity(backend, layer):
    """Delays of all inputs delay all outputs: sum_i z_i dL/dz_i is the same at every layer."""
    z_in, w1, w2 = layer
    z1, cache1 = backend.forward(z_in, w1)
    z2, cache2 = backend.forward(z1, w2)
    assert np.isfinite(z1).mean() > 0.2 and 0.1 < np.isfinite(z2).mean() < 1
    dz2 = np.where(np.isfinite(z2), np.sin(np.arange(z2.size).reshape(z2.shape)), 0)
    dz1, _ = backend.backward(dz2, cache2)
    dz0, _ = backend.backward(dz1, cache1)
    sums = [np.where(np.isfinite(z), z * dz, 0).sum(axis=1)
            for z, dz in ((np.where(np.isfinite(z_in), z_in, 0), dz0), (np.where(np.isfinite(z1), z1, 0), dz1),
                          (np.where(np.isfinite(z2), z2, 0), dz2))]
    size = np.abs(sums).max()
    np.testing.assert_allclose(sums[0], sums[2], atol=tol("identity") * size)
    np.testing.assert_allclose(sums[1], sums[2], atol=tol("identity") * size)
    later, _ = backend.forward(8 * z_in, w1)                             # a shift by ln 8; exact in binary
    np.testing.assert_array_equal(later, 8 * z1)


def test_order_of_inputs_does_not_matter(backend, layer, rng):
    z_in, w, _ = layer
    order = rng.permutation(len(w))
    z_out, cache = backend.forward(z_in, w)
    again, cache_again = backend.forward(np.ascontiguousarray(z_in[:, order]), w[order])
    np.testing.assert_array_equal(np.isinf(again), np.isinf(z_out))
    np.testing.assert_allclose(again, z_out, rtol=tol("identity"))
    dz_out = np.ones_like(z_out)
    for a, b, axis in zip(backend.backward(dz_out, cache_again), backend.backward(dz_out, cache), (1, 0), strict=True):
        np.testing.assert_allclose(a, np.take(b, order, axis=axis), rtol=tol("identity"), atol=tol("identity"))


def test_scaled_weights_are_a_lower_threshold(backend, layer):
    """Spike dropout: weights times 1/(1 - p) at the threshold, or the weights at (1 - p) times the threshold."""
    z_in, w, _ = layer
    keep = 0.75
    scaled, cache_scaled = backend.forward(z_in, w / keep)
    lower, cache_lower = backend.forward(z_in, w, keep)
    assert 0.2 < np.isfinite(lower).mean() < 0.95
    np.testing.assert_allclose(scaled, lower, rtol=tol("identity"))
    ones = np.ones_like(lower)
    (dz_a, dw_a), (dz_b, dw_b) = backend.backward(ones, cache_scaled), backend.backward(ones, cache_lower)
    np.testing.assert_allclose(dw_a / keep, dw_b, rtol=tol("identity"), atol=tol("identity"))   # chain rule: w/keep
    np.testing.assert_allclose(dz_a, dz_b, rtol=tol("identity"), atol=tol("identity"))


# ---------------------------------------------------------------------------------------------- what is refused

Z, W = np.array([[1.0, 2.0, 3.0]]), np.ones((3, 2))
BAD_FORWARD = {
    "z_in with 1 dimension": ((Z[0], W), ValueError, r"z_in: expected shape \(any, 3\), got an array of shape \(3,\)"),
    "z_in with 3 dimensions": ((Z[None], W), ValueError, r"z_in: expected shape \(any, 3\)"),
    "w with 1 dimension": ((Z, W[0]), ValueError, r"w: expected 2 dimensions, got an array of shape \(2,\)"),
    "sizes that differ": ((Z[:, :2], W), ValueError, r"z_in: expected shape \(any, 3\), got an array of shape \(1, 2\)"),
    "integer z_in": ((np.array([[1, 2, 3]]), W), TypeError, "z_in: expected float32 or float64.*int64.*pysnn.encode"),
    "uint8 image": ((np.ones((1, 3), np.uint8), W), TypeError, "z_in: .*uint8.*pysnn.encode"),
    "integer w": ((Z, np.ones((3, 2), int)), TypeError, "w: expected float32 or float64.*pysnn.encode"),
    "bool": ((Z > 1, W), TypeError, "z_in: expected float32 or float64.*bool"),
    "float16": ((Z.astype(np.float16), W), TypeError, "float16"),
    "complex": ((Z + 0j, W), TypeError, "complex128"),
    "foreign byte order": ((Z.astype(">f8"), W), TypeError, "z_in: expected float32 or float64.*>f8"),
    "mixed dtypes": ((Z.astype(np.float32), W), TypeError, "one float dtype.*z_in is float32, w is float64"),
    "NaN": ((np.array([[1.0, np.nan, 2.0]]), W), ValueError, r"z_in: expected z = exp\(t\) > 0 .*got nan"),
    "z = 0": ((np.array([[1.0, 0.0, 2.0]]), W), ValueError, r"z_in: expected z = exp\(t\) > 0 .*got 0\.0"),
    "z < 0": ((np.array([[1.0, -1.0, 2.0]]), W), ValueError, r"got -1\.0"),
    "z = -inf": ((np.array([[1.0, -INF, 2.0]]), W), ValueError, "got -inf"),
    "empty batch": ((np.ones((0, 3)), W), ValueError, "z_in: expected at least one element"),
    "no inputs": ((np.ones((1, 0)), np.ones((0, 2))), ValueError, "w: expected at least one element"),
    "no outputs": ((Z, np.ones((3, 0))), ValueError, "w: expected at least one element"),
    "list z_in": (([[1.0, 2.0, 3.0]], W), TypeError, "z_in: expected a NumPy array, got list"),
    "list w": ((Z, [[1.0], [1.0], [1.0]]), TypeError, "w: expected a NumPy array, got list"),
    "None": ((Z, None), TypeError, "w: expected a NumPy array, got NoneType"),
    "threshold 0": ((Z, W, 0), ValueError, "threshold: expected a positive number, got int 0"),
    "threshold -1": ((Z, W, -1.0), ValueError, r"threshold: expected a positive number, got float -1\.0"),
    "threshold NaN": ((Z, W, np.nan), ValueError, "threshold: expected a positive number, got float nan"),
    "threshold inf": ((Z, W, INF), ValueError, "threshold: expected a positive number, got float inf"),
    "threshold text": ((Z, W, "1"), ValueError, "threshold: expected a positive number, got str '1'"),
    "threshold array": ((Z, W, np.ones(2)), ValueError, "threshold: expected a positive number, got an array"),
}
BAD_BACKWARD = {
    "transposed": (np.ones((2, 1)), ValueError, r"dz_out: expected shape \(1, 2\), got an array of shape \(2, 1\)"),
    "1 dimension": (np.ones(2), ValueError, r"dz_out: expected shape \(1, 2\), got an array of shape \(2,\)"),
    "float32": (np.ones((1, 2), np.float32), TypeError, "one float dtype.*dz_out is float32, z_out is float64"),
    "integers": (np.ones((1, 2), int), TypeError, "dz_out: expected float32 or float64, got an array .*int64"),
    "list": ([[1.0, 1.0]], TypeError, "dz_out: expected a NumPy array, got list"),
    "number": (1.0, TypeError, r"dz_out: expected a NumPy array, got float 1\.0"),
}


@pytest.mark.parametrize("args, error, message", BAD_FORWARD.values(), ids=BAD_FORWARD)
def test_forward_refuses(backend, args, error, message):
    with pytest.raises(error, match=message):
        backend.forward(*args)


@pytest.mark.parametrize("dz_out, error, message", BAD_BACKWARD.values(), ids=BAD_BACKWARD)
def test_backward_refuses(backend, dz_out, error, message):
    _, cache = backend.forward(Z, W)
    with pytest.raises(error, match=message):
        backend.backward(dz_out, cache)


@pytest.mark.parametrize("garbage", [np.nan, INF, -INF, 1e308])
def test_gradient_of_a_silent_output_is_ignored(backend, layer, garbage):
    z_in, w, _ = layer
    z_in[3] = INF                                                        # all inputs of a sample silent
    z_out, cache = backend.forward(z_in, w)
    silent = np.isinf(z_out)
    assert silent[3].all() and 0.2 < silent.mean() < 0.9
    clean = backend.backward(np.where(silent, 0, 1.0), cache)
    dirty = backend.backward(np.where(silent, garbage, 1.0), cache)
    for a, b in zip(dirty, clean, strict=True):
        np.testing.assert_array_equal(a, b)
        assert np.isfinite(a).all()
    assert not dirty[0][3].any() and not dirty[0][np.isinf(z_in)].any()
    assert np.isfinite(dirty[1]).all() and dirty[1].any()
