"""Leaky neurons that fire many times: worked by hand, the derivation, 50 digits, differences, limits, both backends, refusals."""

import numpy as np
import pytest

from pysnn import _threads
from pysnn.conventions import Rule
from pysnn.operations import OPERATIONS
from pysnn.reference import event_prop as reference
from pysnn.reference import leaky
from pysnn.verify.oracle import event_prop as oracle
from pysnn.verify.oracle import rounded
from tests.cases import few
from tests.cases.backends import operation
from tests.cases.tolerances import tol

INF = np.inf
BACKENDS = ["reference", "numba"]
TAUS = [(4.0, 1.0), (2.0, 1.0), (1.0, 1.0), (1.0, 3.0), (1.0000001, 1.0)]


@pytest.fixture(params=BACKENDS)
def op(request):
    """The operation by each backend."""
    return operation("event_prop", request.param)


def layer(rng, sizes=(2, 4, 3, 5), recurrent=False, ties=False, mean=1.5):
    """Draw times, weights and recurrent weights; some inputs never come."""
    _, n_in, _, n_out = sizes
    t_in = rng.integers(0, 8, sizes[:3]) / 2 if ties else rng.uniform(0, 6, sizes[:3])
    t_in[rng.random(t_in.shape) < 0.1] = INF
    return t_in, rng.normal(mean, 2, (n_in, n_out)), rng.normal(-0.3, 0.4, (n_out, n_out)) if recurrent else None


# ---------------------------------------------------------------------------------------------- worked by hand

def test_first_spike_is_that_of_the_closed_form(op):
    """(V3), (V5): the example of the page, tau_m = 2 tau_s; the first spike and its gradients are those of leaky_double."""
    t_out, cache = op.forward(np.array([[[0.0], [0.5]]]), np.array([[1.0], [1.5]]), None, 0.5, 2.0, 1.0, 1)
    dt_in, dw, dw_rec = op.backward(np.ones((1, 1, 1)), cache)
    wanted = 1.0076032623270498, [0.164006592132374, 0.835993407867626], [-0.6227525070949693, -0.45288974163984436]
    for got, value in zip((t_out[0, 0, 0], dt_in[0, :, 0], dw[:, 0]), wanted, strict=True):
        np.testing.assert_allclose(got, value, rtol=tol("worked example"))
    assert dw_rec is None


def test_one_input_and_two_spikes(op):
    """(V2), (V3), (V7): tau_m = tau_s = 1, V = w t exp(-t) until the first spike, then (I at the spike) x exp(-x)."""
    w, threshold = 8.0, 1.0
    t_out, cache = op.forward(np.zeros((1, 1, 1)), np.array([[w]]), None, threshold, 1.0, 1.0, 2)
    first, second = t_out[0, 0]
    assert w * first * np.exp(-first) == pytest.approx(threshold, rel=1e-14)
    current, x = w * np.exp(-first), second - first
    assert current * x * np.exp(-x) == pytest.approx(threshold, rel=1e-14)
    _, dw, _ = op.backward(np.array([[[0.0, 1.0]]]), cache)
    d_first = -first / (w * (1 - first))                                 # of w t exp(-t) = 1, by w
    d_current = np.exp(-first) * (1 - w * d_first)
    assert dw[0, 0] == pytest.approx(d_first - x * d_current / (current * (1 - x)), rel=1e-12)


@pytest.mark.parametrize("t_in, w, n", [
    ([0], [6.3], 0), ([0], [6.5], 1), ([0], [60], 14), ([1, 1], [60, -60], 0), ([0, 0.0625], [12, -12], 0), ([0, 30], [6.5, -60], 1),
    ([INF, INF], [9, 9], 0), ([0, 40], [6.2, 6.2], 0), ([5, 0], [6.5, 6.5], 2)], ids=str)
def test_how_often_it_fires(op, t_in, w, n):
    """(V3): too weak, once, often, cancelled, inhibited in time and too late, silence, forgotten, out of order."""
    t_out, cache = op.forward(np.array(t_in, float)[None, :, None], np.array(w, float)[:, None])
    assert np.isfinite(t_out).sum() == n and (np.diff(t_out[0, 0, :n]) > 0).all()
    dt_in, dw, _ = op.backward(np.where(np.isfinite(t_out), 1.0, np.nan), cache)
    assert dt_in.sum() == pytest.approx(n) and dw.any() == (n > 0) and np.isfinite(dw).all()


@pytest.mark.parametrize("tau_m, tau_s", TAUS)
def test_a_low_peak_and_a_late_input(op, tau_m, tau_s):
    """(V3): a peak just above the threshold is reached, one just below is not; an input ends a rise if it comes before the spike."""
    at_peak = tau_m if tau_m == tau_s else np.log(tau_m / tau_s) / (1 / tau_s - 1 / tau_m)
    over = np.array([-1e-3, -1e-6, -1e-12, 1e-12, 1e-6, 1e-3, 1.0])
    w = (1 + over) / reference._psp(at_peak, tau_m, tau_s)
    t = op.forward(np.zeros((1, 1, 1)), w[None], None, 1.0, tau_m, tau_s)[0][0, :, 0]
    np.testing.assert_array_equal(np.isfinite(t), over > 0)
    t, w = t[over > 0], w[over > 0]
    np.testing.assert_allclose(w * reference._psp(t, tau_m, tau_s), 1, rtol=1e-15)
    assert (t < at_peak).all() and (np.diff(t) < 0).all()
    for late, n in ((1 - 1e-12, 0), (1 + 1e-12, 1)):
        given = np.stack([0 * t, late * t], axis=1)[:, :, None]
        found = op.forward(given, np.array([[w[-1]], [-9 * w[-1]]]), None, 1.0, tau_m, tau_s)[0]
        assert np.isfinite(found[-1]).sum() == n


@pytest.mark.parametrize("op", few(BACKENDS[::-1], 2), indirect=True)
def test_a_bound_of_spikes_is_said(op):
    t, w = np.zeros((1, 1, 1)), np.array([[60.0, 6.5]])
    t_out, cache = op.forward(t, w, n_spikes=3)
    assert t_out.shape == (1, 2, 3) and cache.stopped.tolist() == [[True, False]]
    whole = op.forward(t, w)[0]
    np.testing.assert_array_equal(t_out[0, 0], whole[0, 0, :3])
    with pytest.raises(ValueError, match="n_spikes: expected a bound, for neuron 0 of sample 0 fires more than 1000 times"):
        op.forward(t, w[:, :1], np.array([[40.0]]))


# ---------------------------------------------------------------------------------------------- the derivation

@pytest.mark.parametrize("tau_m, tau_s", TAUS)
def test_potentials_are_sums_and_run_along(rng, tau_m, tau_s):
    """(V1), (V2), (V4): the differential equations; between its spikes the potential is below the threshold, and at them it is there."""
    x, h = np.linspace(0.1, 8, 50), 1e-6
    psp, rise = reference._psp(x, tau_m, tau_s), reference._psp_slope(x, tau_m, tau_s)
    np.testing.assert_allclose((reference._psp(x + h, tau_m, tau_s) - reference._psp(x - h, tau_m, tau_s)) / (2 * h), rise, atol=1e-9)
    np.testing.assert_allclose(tau_m * rise + psp, np.exp(-x / tau_s), rtol=1e-12)
    t_in, w, _ = layer(rng)
    t_out, _ = operation("event_prop", "numba").forward(t_in, w, None, 1.0, tau_m, tau_s)
    assert np.isfinite(t_out).sum() > 5
    for b, j in np.ndindex(t_out.shape[:2]):
        own = t_out[b, j][np.isfinite(t_out[b, j])]
        for t in own:
            came, before = t_in[b] < t, own[own < t]
            v = (w[:, j][:, None] * np.where(came, reference._psp(np.where(came, t - t_in[b], 0), tau_m, tau_s), 0)).sum()
            assert v - np.exp(-(t - before) / tau_m).sum() == pytest.approx(1, abs=1e-11)


@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("tau_m, tau_s", TAUS[:4])
def test_against_50_digits(op, tau_m, tau_s, recurrent, rng):
    """Spike times to 1e-13 relative, and gradients by derivatives that are carried forward: (V5), (V6), (V7), (V8)."""
    t_in, w, w_rec = layer(rng, (1, 3, 3, 2), recurrent, mean=3)
    exact, exact_cache = oracle.forward(t_in, w, w_rec, 1.0, tau_m, tau_s)
    assert oracle.condition(exact_cache) < 1000
    t_out, cache = op.forward(t_in, w, w_rec, 1.0, tau_m, tau_s)
    fired = np.isfinite(t_out)
    assert (fired == np.isfinite(rounded(exact))).all() and fired.sum() >= 2
    assert np.abs(t_out[fired] / rounded(exact)[fired] - 1).max() < 1e-13
    c = rng.normal(size=t_out.shape)
    for got, wanted in zip(op.backward(c, cache), oracle.backward(c, exact_cache), strict=True):
        if wanted is not None:
            np.testing.assert_allclose(got, rounded(wanted), rtol=1e-10, atol=1e-10 * max(1, np.abs(rounded(wanted)).max()))


@pytest.mark.parametrize("tau_m, tau_s", [pytest.param(*taus, marks=[pytest.mark.slow] * (0 < k < 4)) for k, taus in enumerate(TAUS)])
def test_maxima_against_50_digits(op, tau_m, tau_s, rng):
    """(V9), (V10), (V11): maxima and gradients, the oracle's by differences with 60 digits."""
    t_in, w, _ = layer(rng, (1, 3, 2, 3), mean=0.5)
    exact, exact_cache = oracle.max_forward(t_in, w, tau_m, tau_s)
    moves, gap = oracle.max_condition(exact_cache), oracle.max_gap(exact_cache)
    v_max, cache = op.max_forward(t_in, w, tau_m, tau_s)
    assert moves < 1000 and gap > 1e-6 and v_max.any()
    np.testing.assert_allclose(v_max, rounded(exact), rtol=0, atol=1e-14 * (1 + moves))
    c = rng.normal(size=v_max.shape)
    for got, wanted in zip(op.max_backward(c, cache), oracle.max_backward(c, exact_cache), strict=True):
        np.testing.assert_allclose(got, rounded(wanted), rtol=0, atol=1e-13 * (1 + np.abs(rounded(wanted)).max()) * (1 + moves))


@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("tau_m, tau_s", TAUS)
def test_gradients_by_differences_with_ten_spikes_a_neuron(tau_m, tau_s, recurrent, rng):
    """Every input and weight, against differences of the simulation itself (five points, so that their own error is small)."""
    op = operation("event_prop", "numba")
    for _ in range(20_000):
        t_in, w_rec = rng.uniform(0, 10, (1, 3, 4)), rng.uniform(-0.4, 0, (2, 2)) if recurrent else None
        w = rng.uniform(0.02, 1) * rng.uniform(4, 12, (3, 2))
        t_out, cache = op.forward(t_in, w, w_rec, 1.0, tau_m, tau_s)
        fired = np.isfinite(t_out)
        events = np.sort(np.concatenate([t_in[np.isfinite(t_in)], t_out[fired]]))
        counts = fired.sum(axis=2)
        if (((cache.current > 1.2) & fired).sum(axis=2).min() >= 10 and counts.max() <= 25
                and np.diff(events).min() > 2e-3
                and np.abs(op.backward(np.where((cache.current > 1.2) & fired, 1.0, 0), cache)[0]).max() < 8):
            break                                                        # no two events that may change places
    clear = (cache.current > 1.2) & fired                                # a last spike that hardly comes is left out
    assert clear.sum(axis=2).min() >= 10
    c, args = np.where(clear, rng.normal(size=t_out.shape), 0), [t_in, w, w_rec]
    worst = 0.0
    for k, (x, dx) in enumerate(zip(args, op.backward(c, cache), strict=True)):
        for at in np.ndindex(x.shape) if x is not None else ():
            def total(step, k=k, at=at):
                moved = [None if a is None else a.copy() for a in args]
                moved[k][at] += step
                t = op.forward(*moved, 1.0, tau_m, tau_s, 40)[0]
                return (c * np.where(clear, t[:, :, :t_out.shape[2]], 0)).sum()
            h = 5e-5
            d = (8 * (total(h) - total(-h)) - (total(2 * h) - total(-2 * h))) / (12 * h)
            worst = max(worst, abs(d - dx[at]) / max(1, np.abs(dx).max()))
    assert worst < 1e-8


# ---------------------------------------------------------------------------------------------- both backends

@pytest.mark.parametrize("n_problems", few([60, 600], 2))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kernel_equals_reference(dtype, n_problems, rng):
    kernel, fired, several = operation("event_prop", "numba"), 0, 0
    for k in range(n_problems // 3):
        sizes = tuple(int(n) for n in (rng.integers(1, 4), rng.integers(1, 6), rng.integers(1, 5), rng.integers(1, 6)))
        t_in, w, w_rec = (None if x is None else x.astype(dtype) for x in layer(rng, sizes, k % 2 == 1, k % 3 == 1))
        how = (1.0, *TAUS[k % 5], (12, 30, 2)[k % 3])
        (a, a_cache), (b, b_cache) = (one.forward(t_in, w, w_rec, *how) for one in (reference, kernel))
        assert a.shape == b.shape and a.dtype == b.dtype == dtype
        np.testing.assert_array_equal(np.isfinite(a), np.isfinite(b))
        np.testing.assert_array_equal(a_cache.stopped, b_cache.stopped)
        there = np.isfinite(a)
        fired, several = fired + there.sum(), several + (there.sum(axis=2) > 2).sum()
        np.testing.assert_allclose(a[there], b[there], rtol=0, atol=1e-11 if dtype == np.float64 else 1e-5)
        c = rng.normal(size=a.shape).astype(dtype)
        for x, y in zip(reference.backward(c, a_cache), kernel.backward(c, b_cache), strict=True):
            assert (x is None) == (y is None) == (w_rec is None and x is None)
            if x is not None:
                np.testing.assert_allclose(x, y, rtol=0, atol=(1e-10 if dtype == np.float64 else 1e-5) * max(1, np.abs(x).max()))
    assert fired > 100 and several > 10


def test_the_first_layer_needs_no_gradient_of_the_data(op, rng):
    t_in, w, w_rec = layer(rng, recurrent=True)
    for rec in (None, w_rec):
        t_out, cache = op.forward(t_in, w, rec, n_spikes=5)
        whole, part = (op.backward(np.ones_like(t_out), cache, need) for need in (True, False))
        assert part[0] is None and whole[0].shape == t_in.shape
        for a, b in zip(whole[1:], part[1:], strict=True):
            np.testing.assert_array_equal(a, b)
    v_max, cache = op.max_forward(t_in, w)
    assert op.max_backward(np.ones_like(v_max), cache, False)[0] is None
    np.testing.assert_array_equal(*(op.max_backward(np.ones_like(v_max), cache, need)[1] for need in (True, False)))


def test_threads_and_views_change_no_bit(rng):
    kernel = operation("event_prop", "numba")
    for recurrent in (False, True):
        t_in, w, w_rec = layer(rng, (33, 6, 2, 300 if not recurrent else 20), recurrent)
        seen = []
        for threads in (1, 3):
            before = _threads.get_threads()
            _threads.set_threads(threads)
            try:
                t_out, cache = kernel.forward(np.asfortranarray(t_in), w[:, ::-1][:, ::-1], w_rec, n_spikes=20)
                v_max, max_cache = kernel.max_forward(t_in, w)
                grads = kernel.backward(np.ones(t_out.shape), cache)
                seen.append((t_out, v_max, *(g for g in grads if g is not None), *kernel.max_backward(np.ones(v_max.shape), max_cache)))
            finally:
                _threads.set_threads(before)
        assert np.isfinite(seen[0][0]).sum() > 100
        for x, y in zip(*seen, strict=True):
            np.testing.assert_array_equal(x, y)


# ---------------------------------------------------------------------------------------------- maxima

@pytest.mark.parametrize("case", [pytest.param((backend, *taus), marks=[pytest.mark.slow] * (backend == "reference"))
                                  for backend in BACKENDS for taus in TAUS], ids=str)
def test_maxima_by_differences_and_by_a_fine_grid(case, rng):
    """(V9), (V10), (V11): the maxima, and their gradients where they lie at a peak, at an input, or before all inputs."""
    op, tau_m, tau_s = operation("event_prop", case[0]), *case[1:]
    t_in, w, _ = layer(rng, (3, 4, 2, 8), mean=0.2)
    v_max, cache = op.max_forward(t_in, w, tau_m, tau_s)
    grid = np.linspace(0, 20, 4001)
    for b in range(3):
        lag = grid[:, None] - t_in[b].ravel()
        v = np.where(lag > 0, reference._psp(np.where(lag > 0, lag, 0), tau_m, tau_s), 0) @ np.repeat(w, 2, axis=0)
        assert (v_max[b] >= v.max(axis=0) - 1e-12).all() and (v_max[b] <= np.maximum(v.max(axis=0), 0) + 0.05).all()
    at_input = np.isin(cache.t_max, t_in)
    assert at_input.any() and (cache.t_max == -INF).any() and (~at_input & np.isfinite(cache.t_max)).any()
    c = rng.normal(size=v_max.shape)
    for k, (x, dx) in enumerate(zip((t_in, w), op.max_backward(c, cache), strict=True)):
        for at in list(np.ndindex(x.shape))[:12]:
            if not np.isfinite(x[at]):
                assert dx[at] == 0
                continue
            found = []
            for h in (1e-6, -1e-6):
                moved = [t_in.copy(), w.copy()]
                moved[k][at] += h
                found.append((c * op.max_forward(*moved, tau_m, tau_s)[0]).sum())
            assert (found[0] - found[1]) / 2e-6 == pytest.approx(dx[at], abs=2e-8)


# ---------------------------------------------------------------------------------------------- limits

@pytest.mark.parametrize("name, tau_m", [("leaky_equal", 1.0), ("leaky_equal", 1 + 1e-11), ("leaky_equal", 1 - 1e-11),
                                         ("leaky_double", 2.0)])
def test_first_spikes_are_those_of_the_closed_forms(op, name, tau_m, rng):
    """(E6), (E7), (E8) against (V3), (V5), to 1e-10; tau_m = tau_s also as a limit."""
    t_in, w = rng.uniform(0, 2, (5, 6)), rng.normal(0.2, 0.6, (6, 7))
    closed = OPERATIONS[name].pair("numba")
    t_out, cache = closed.forward(t_in, w, 0.25, 1.0)
    first, first_cache = op.forward(t_in[:, :, None], w, None, 0.25, tau_m, 1.0, 1)
    fired = np.isfinite(t_out)
    assert 0.3 < fired.mean() < 1
    np.testing.assert_array_equal(fired, np.isfinite(first[:, :, 0]))
    steep = fired & (cache.slope > 0.02)
    assert steep.sum() > 10
    np.testing.assert_allclose(first[:, :, 0][steep], t_out[steep], rtol=1e-10, atol=1e-10)
    c = np.where(steep, rng.normal(size=t_out.shape), 0)
    (dt, dw), (dt_first, dw_first, _) = closed.backward(c, cache), op.backward(c[:, :, None], first_cache)
    np.testing.assert_allclose(dt_first[:, :, 0], dt, atol=1e-8)
    np.testing.assert_allclose(dw_first, dw, atol=1e-8)


def test_a_clock_approaches_all_spikes_at_first_order():
    """Steps of dt with the operation `leaky`, reset to zero, spikes put on the grid: off by the order of dt."""
    rng, tau_m = np.random.default_rng(3), 4.0
    t_in, w = rng.integers(0, 64, (1, 4, 4)) / 16, rng.uniform(1, 4, (4, 3))
    t_out = operation("event_prop", "numba").forward(t_in, w, None, 1.0, tau_m, 1.0)[0][0]
    errors = []
    for n in (256, 1024, 4096):                                          # steps a time constant
        current = np.zeros((12 * n, 1, 3))
        for (i, _), t in np.ndenumerate(t_in[0]):
            current[round(t * n), 0] += w[i]
        spikes = leaky.forward(current, np.exp(-1 / (n * tau_m)), 1.0, rule=Rule(reset="zero", gain="1 - beta"), alpha=np.exp(-1 / n))[0]
        off = []
        for j in range(3):
            exact, clocked = t_out[j][np.isfinite(t_out[j])], np.flatnonzero(spikes[:, 0, j]) / n
            both = min(len(exact), len(clocked), 5)
            assert both >= 3
            off.append(np.abs(exact[:both] - clocked[:both]).max())
        errors.append(max(off))
    assert all(e < 4 / n for e, n in zip(errors, (256, 1024, 4096), strict=True)) and errors[0] > 8 * errors[2]


# ---------------------------------------------------------------------------------------------- refusals

T, W = np.array([[[0.0], [1.0], [2.0]]]), np.ones((3, 2))
BAD = {
    "t_in with 2 dimensions": ((T[0], W), ValueError, r"t_in: expected shape \(any, 3, any\), got an array of shape \(3, 1\)"),
    "sizes that differ": ((T[:, :2], W), ValueError, r"t_in: expected shape \(any, 3, any\)"),
    "integers": ((T.astype(int), W), TypeError, "t_in: expected float32 or float64"),
    "mixed dtypes": ((T.astype(np.float32), W), TypeError, "one float dtype.*t_in is float32, w is float64"),
    "NaN": ((np.where(T == 1, np.nan, T), W), ValueError, r"t_in: expected times \(inf: no spike\), got nan"),
    "-inf": ((np.where(T == 1, -INF, T), W), ValueError, "got -inf"),
    "infinite weight": ((T, W * INF), ValueError, "w: expected finite numbers"),
    "empty batch": ((np.ones((0, 3, 1)), W), ValueError, "t_in: expected at least one element"),
    "recurrent shape": ((T, W, np.ones((2, 3))), ValueError, r"w_rec: expected shape \(2, 2\), got an array of shape \(2, 3\)"),
    "threshold 0": ((T, W, None, 0.0), ValueError, r"threshold: expected a positive number, got float 0\.0"),
    "tau_m inf": ((T, W, None, 1.0, INF), ValueError, "tau_m: expected a positive number, got float inf"),
    "tau_s 0": ((T, W, None, 1.0, 2.0, 0.0), ValueError, "tau_s: expected a positive number"),
    "no spikes": ((T, W, None, 1.0, 2.0, 1.0, 0), ValueError, "n_spikes: expected a whole number of at least 1, got int 0"),
}


@pytest.mark.parametrize("case", few(BAD, 1))
def test_bad_input(op, case):
    args, error, message = BAD[case]
    with pytest.raises(error, match=message):
        op.forward(*args)


@pytest.mark.parametrize("d, error, message", [
    (np.ones((2, 1, 4)), ValueError, r"dt_out: expected shape \(1, 2, 4\), got an array of shape \(2, 1, 4\)"),
    (np.ones((1, 2, 4), np.float32), TypeError, "one float dtype.*dt_out is float32, t_out is float64")], ids=["shape", "float32"])
def test_bad_gradients(op, d, error, message):
    with pytest.raises(error, match=message):
        op.backward(d, op.forward(T, W, n_spikes=4)[1])
    with pytest.raises(ValueError, match=r"dv_max: expected shape \(1, 2\)"):
        op.max_backward(np.ones((2, 1)), op.max_forward(T, W)[1])


@pytest.mark.parametrize("t, w", [([0, 300], [5, 3]), ([0, 5e-4], [5, -3])])
def test_single_precision_has_one_set_of_time_constants(t, w):
    """(V10), (V11): forward and backward use them as float32 has them, and the parts of a gradient are added up before they are rounded."""
    args, found = (np.array(t, np.float32).reshape(1, -1, 1), np.array(w, np.float32)[:, None], 1e-3, 1.0), []
    for backend in BACKENDS:
        pair = OPERATIONS["event_max"].pair(backend)
        v, cache = pair.forward(*args)
        found.append(pair.backward(np.ones_like(v), cache)[0])
    np.testing.assert_allclose(*found, rtol=1e-6, atol=1e-9)
