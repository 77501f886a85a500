"""Leaky neurons with exact spike times: worked by hand, the derivation, random problems by both backends, limits, refusals."""

import itertools

import mpmath
import numpy as np
import pytest

from pysnn import _threads
from pysnn.conventions import Rule
from pysnn.operations import OPERATIONS
from pysnn.reference import leaky, temporal
from pysnn.verify.oracle import rounded
from pysnn.verify.oracle import spike_times as oracle
from pysnn.verify.witness import spike_times as witness
from tests.cases import few
from tests.cases.backends import operation
from tests.cases.tolerances import tol

INF = np.inf
RATIO = {"leaky_equal": 1, "leaky_double": 2, "alpha": 1}
NAMES = tuple(RATIO)


def pair(name, backend):
    """Return forward and backward of one neuron."""
    operation("spike_times", backend)                        # skips where Numba is missing
    return OPERATIONS[name].pair(backend)


@pytest.fixture(params=list(itertools.product(NAMES, ["reference", "numba"])), ids="-".join)
def neuron(request):
    """Each neuron by each backend."""
    return request.param[0], pair(*request.param)


def layer(rng, sizes=(3, 7, 5), dtype=np.float64, n_times=None):
    """Draw times and weights, some of the times inf; with n_times there are ties."""
    n_batch, n_in, n_out = sizes
    t_in = rng.uniform(-1, 2, (n_batch, n_in)) if n_times is None else rng.integers(0, n_times, (n_batch, n_in)) / 2
    t_in[rng.random(t_in.shape) < 0.1] = INF
    return t_in.astype(dtype), rng.normal(2 / n_in, 3 / np.sqrt(n_in), (n_in, n_out)).astype(dtype)


# ---------------------------------------------------------------------------------------------- worked by hand

def test_worked_example_with_equal_time_constants(neuron):
    """(E6), (E8): inputs at 0 and 0.5 with weights 2 and 1.5; also as alpha synapses, (E9)."""
    name, op = neuron
    if name == "leaky_double":
        t_out, cache = op.forward(np.array([[0.0, 0.5]]), np.array([[1.0], [1.5]]), 0.5)      # (E7)
        wanted = 1.0076032623270498, [0.164006592132374, 0.835993407867626], [-0.6227525070949693, -0.45288974163984436]
    else:
        t_out, cache = op.forward(np.array([[0.0, 0.5]]), np.array([[2.0], [1.5]]))
        wanted = 0.7494609048455522, [0.21257141262288656, 0.7874285873771134], [-0.317942321836907, -0.1744813820506155]
    dt_in, dw = op.backward(np.ones((1, 1)), cache)
    for got, value in zip((t_out[0, 0], dt_in[0], dw[:, 0]), wanted, strict=True):
        np.testing.assert_allclose(got, value, rtol=tol("worked example"))


@pytest.mark.parametrize("t_in, w, fires", [
    ([0, 1], [0.5, -1], False), ([1, 1], [8, -8], False), ([0, 0.03125], [4, -4], False), ([0, 0.03125, 4], [4, -4, 8], True),
    ([INF, INF], [9, 9], False), ([5], [4], True), ([0, 40], [0.5, 0.5], False), ([0, 0.5], [0.5, 0.75], True)], ids=str)
def test_who_fires(neuron, t_in, w, fires):
    """(E4), (E5): a weak input, inputs that cancel, inhibition in time or too late, silence, one that is forgotten."""
    t_out, cache = neuron[1].forward(np.array([t_in], float), np.array(w, float)[:, None], 0.25)
    assert np.isfinite(t_out[0, 0]) == fires
    dt_in, dw = neuron[1].backward(np.array([[1.0 if fires else np.nan]]), cache)
    assert np.isfinite(dt_in).all() and np.isfinite(dw).all() and dw.any() == fires == dt_in.any()


# ---------------------------------------------------------------------------------------------- the derivation

def test_potential_and_current_run_from_input_to_input(rng):
    """(E1), (E2), (E3): the sum over all inputs, and the two numbers that a neuron carries along."""
    for ratio in (1, 2):
        t_in, w = np.sort(rng.uniform(0, 3, (1, 6)), axis=1), rng.normal(size=(6, 4))
        p, a = np.zeros(4), w[0].copy()
        for k in range(1, 6):
            gap = t_in[0, k] - t_in[0, k - 1]
            p, a = p * np.exp(-gap / ratio) + a * witness.psp(gap, ratio), a * np.exp(-gap) + w[k]
            np.testing.assert_allclose(p, witness.potential(np.full((1, 1, 4), t_in[0, k]), t_in, w, ratio=ratio)[0, 0], rtol=1e-12)
        h = 1e-6                                                         # the differential equations behind the sum
        t = np.full((1, 1, 4), 3.5)
        v, up, down = (witness.potential(x, t_in, w, ratio=ratio) for x in (t, t + h, t - h))
        current = (w * np.exp(-(3.5 - t_in[0]))[:, None]).sum(axis=0)
        np.testing.assert_allclose((up - down)[0, 0] / (2 * h), (current - v[0, 0]) / ratio, rtol=1e-7, atol=1e-9)


def test_closed_forms_of_times_and_gradients(rng):
    """(E6), (E7), (E8) as on the page, in absolute times, against both backends."""
    n_fired = 0
    for _ in range(60):
        t, w = rng.uniform(0, 1, 4), rng.uniform(0.5, 2, 4)
        c, ts = 0.25, 0.5
        for name, op in ((name, pair(name, backend)) for name in ("leaky_equal", "leaky_double") for backend in ("reference", "numba")):
            t_out, cache = op.forward(t[None], w[:, None], c, ts)
            causal = t < t_out[0, 0]
            if not np.isfinite(t_out[0, 0]) or causal.sum() == 1:
                continue
            n_fired += 1
            e1, e2 = np.exp(t / ts) * causal, np.exp(t / (2 * ts)) * causal
            if name == "leaky_equal":
                a, b = w @ e1, w @ (t / ts * e1)
                lw = float(mpmath.lambertw(-c / a * np.exp(b / a)))
                time = ts * (b / a - lw)
                by_w, by_t = -e1 * (time - t) / (a * (1 + lw)), -w * e1 * (time - t - ts) / (ts * a * (1 + lw))
            else:
                a1, a2 = w @ e1, w @ e2
                s = np.sqrt(a2 ** 2 - 4 * a1 * c)
                time = 2 * ts * np.log(2 * a1 / (a2 + s))
                late = (1 + c / s * np.exp(time / (2 * ts))) / a1
                by_w, by_t = 2 * ts * (late * e1 - e2 / s), w * (late * 2 * e1 - e2 / s)
            dt_in, dw = op.backward(np.ones((1, 1)), cache)
            for got, wanted in ((t_out[0, 0], time), (dw[:, 0], by_w), (dt_in[0], by_t)):
                np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-10)
    assert n_fired > 100


def test_the_prefix_is_the_shortest_that_agrees_with_itself(neuron, rng):
    """(E5): the spike comes after all inputs of its causal set and before the next, and the potential was below the threshold."""
    name, op = neuron
    seen = []
    for n_times in (None, 5) * 4:
        t_in, w = layer(rng, n_times=n_times)
        t_out = op.forward(t_in, w, 0.25)[0]
        ratio = RATIO[name]
        for b, j in np.ndindex(t_out.shape):
            end = min(t_out[b, j], 12.0)
            t = np.linspace(-1, end, 400)[:-1]
            v = witness.potential(np.repeat(t[None, :, None], w.shape[1], axis=2), t_in[b:b + 1], w, ratio=ratio)[0, :, j]
            assert (v < 0.25 + 1e-9).all()
            if t_out[b, j] < INF:
                at = witness.potential(np.full((1, 1, w.shape[1]), t_out[b, j]), t_in[b:b + 1], w, ratio=ratio)[0, 0, j]
                assert abs(at - 0.25) < 1e-10
        seen.append(np.isfinite(t_out).mean())
    assert 0.2 < np.mean(seen) < 0.9


@pytest.mark.parametrize("name", ["leaky_equal", "leaky_double"])
def test_against_50_digits(name, rng):
    n_fired = 0
    for backend, _ in itertools.product(("reference", "numba"), range(2)):
        t_in, w = layer(rng, (2, 6, 3))
        if not witness.sound(t_in, w, 0.25, 0.75, RATIO[name]).all():
            w = np.abs(w)
        op = pair(name, backend)
        t_out, cache = op.forward(t_in, w, 0.25, 0.75)
        exact, exact_cache = oracle.forward(t_in, w, 0.25, 0.75, RATIO[name])
        kappa, fired = oracle.condition(exact_cache), np.isfinite(t_out)
        np.testing.assert_array_equal(fired, np.isfinite(rounded(exact)))
        n_fired += fired.sum()
        eps = np.finfo(float).eps
        assert (np.abs(t_out[fired] - rounded(exact)[fired]) <= 3 * eps * (kappa * 0.75 + np.abs(rounded(exact)))[fired]).all()
        c = rng.normal(size=t_out.shape)
        for got, wanted in zip(op.backward(c, cache), oracle.backward(c, exact_cache), strict=True):
            np.testing.assert_allclose(got, rounded(wanted), rtol=1e-10, atol=1e-12)
    assert n_fired > 8


# ---------------------------------------------------------------------------------------------- random problems

@pytest.mark.parametrize("n_problems", few([100, 1000], 2))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", NAMES)
def test_kernel_equals_reference(name, dtype, n_problems, rng):
    """On random and difficult problems: (E10) against masks and sums; badly conditioned spikes get no gradient."""
    reference, kernel = (pair(name, backend) for backend in ("reference", "numba"))
    eps, fired, differ, n = np.finfo(dtype).eps, 0, 0, 0
    for k in range(n_problems):
        sizes = int(rng.integers(1, 5)), int(rng.choice([1, 2, 3, 8, 24])), int(rng.integers(1, 9))
        t_in, w = layer(rng, sizes, dtype, (None, 3, 6)[k % 3])
        how = (0.25, float(rng.choice([0.5, 1.0, 3.0])))
        (a, a_cache), (b, b_cache) = (op.forward(t_in, w, *how) for op in (reference, kernel))
        assert a.dtype == b.dtype == dtype
        same = np.isfinite(a) == np.isfinite(b)
        n, fired, differ = n + a.size, fired + np.isfinite(a).sum(), differ + (~same).sum()
        good = same & np.isfinite(a) & (b_cache.slope > 0.05) & (a_cache.t_bound == b_cache.t_bound)
        np.testing.assert_allclose(a[good], b[good], rtol=0, atol=600 * eps * max(how[1], 1) * max(1, np.abs(w).sum(axis=0).max()))
        c = np.where(good, rng.normal(size=a.shape), 0).astype(dtype)
        for x, y in zip(reference.backward(c, a_cache), kernel.backward(c, b_cache), strict=True):
            np.testing.assert_allclose(x, y, rtol=0, atol=4e3 * eps * max(1, np.abs(x).max()))
            np.testing.assert_array_equal(x == 0, y == 0)
    assert 0.3 < fired / n < 0.95 and differ <= 0.001 * n


@pytest.mark.parametrize("backend", ["reference", "numba"])
def test_times_far_apart_and_gaps_beyond_all_numbers(backend):
    """No exponential overflows: shifted by 1e5, spread over 1e5, or over all numbers."""
    for name, dtype in itertools.product(NAMES, (np.float32, np.float64)):
        op, big = pair(name, backend), np.finfo(dtype).max
        t, w = np.array([[0, 0.5]], dtype), np.array([[2], [1.5]], dtype)
        near = op.forward(t, w, 0.25)[0][0, 0]
        for first in (-big, -1e5, -1e4):
            t_out, cache = op.forward(np.array([[first, 4, 4.5]], dtype), np.concatenate([np.array([[0.125]], dtype), w]), 0.25)
            assert abs(t_out[0, 0] - 4 - near) < 40 * np.finfo(dtype).eps
            dt_in, dw = op.backward(np.ones((1, 1), dtype), cache)
            assert dw[0, 0] == 0 == dt_in[0, 0] and abs(dt_in.sum() - 1) < 1e-4 and (dw[1:] < 0).any()


def test_shapes_views_and_threads(rng):
    """Across the blocks of the kernel, the same bits for any number of threads, from views too."""
    for name in NAMES:
        reference, kernel = (pair(name, backend) for backend in ("reference", "numba"))
        for sizes in ((1, 1, 1), (33, 40, 3), (2, 3, 600)):
            t_in, w = layer(rng, sizes)
            wanted, cache = reference.forward(t_in, w, 0.25)
            c = rng.normal(size=wanted.shape)
            grads = reference.backward(c, cache)
            seen = []
            for threads in (1, 3):
                before = _threads.get_threads()
                _threads.set_threads(threads)
                try:
                    t_out, cache = kernel.forward(np.asfortranarray(t_in), w[:, ::-1][:, ::-1], 0.25)
                    seen.append((t_out, *kernel.backward(c, cache)))
                finally:
                    _threads.set_threads(before)
            for x, y in zip(*seen, strict=True):
                np.testing.assert_array_equal(x, y)
            np.testing.assert_array_equal(np.isinf(seen[0][0]), np.isinf(wanted))
            hard = np.abs(grads[1]).max() > 1e3
            for x, y in zip(seen[0][1:], grads, strict=True):
                assert hard or np.abs(x - y).max() <= 1e-8 * max(1, np.abs(y).max())


# ---------------------------------------------------------------------------------------------- limits

def test_all_members_of_the_family_meet_where_time_constants_are_long(rng):
    """Potentials are straight lines then: T = (theta + sum w t) / sum w; Mostafa's neuron, and all others, at first order in 1/tau."""
    t_in, w = rng.uniform(0, 1, (4, 5)), rng.uniform(0.1, 1, (5, 3))
    straight = (2.0 + t_in @ w) / w.sum(axis=0)                          # of spikes after all inputs
    assert (straight > t_in.max()).all()
    errors = {}
    for tau in (200.0, 400.0):
        z = temporal.forward(np.exp(t_in / tau), w, 2 / tau)[0]
        found = {"temporal": tau * np.log(z), "alpha": pair("alpha", "numba").forward(t_in, w, 2.0, 1 / tau)[0],
                 "leaky_equal": pair("leaky_equal", "numba").forward(t_in, w, 2 / tau, tau)[0],
                 "leaky_double": pair("leaky_double", "numba").forward(t_in, w, 1 / tau, tau)[0]}
        for name, t_out in found.items():
            errors.setdefault(name, []).append(np.abs(t_out - straight).max())
    for coarse, fine in errors.values():
        assert 0 < fine < 0.2 and 1.7 < coarse / fine < 2.3


def test_a_membrane_without_leak_is_the_temporal_neuron(rng):
    """The definition, at any ratio of time constants: 1 and 2 are the closed forms, and as it grows it approaches Mostafa's neuron."""
    t_in, w = rng.uniform(0, 2, (3, 5)), rng.normal(0.3, 0.5, (5, 6))
    mostafa = np.log(temporal.forward(np.exp(t_in), w)[0])
    fired = np.isfinite(mostafa)
    assert 0.3 < fired.mean() < 1
    without = witness.first_crossing(t_in, w, ratio=np.inf)
    np.testing.assert_allclose(without[fired], mostafa[fired], rtol=1e-9)
    errors = []
    for ratio in (1e4, 2e4):
        t_out = witness.first_crossing(t_in, w, 1 / ratio, ratio=ratio)            # the leak conductance is C / tau_m
        both = fired & np.isfinite(t_out) & (without < 4)
        errors.append(np.abs(t_out[both] - mostafa[both]).max())
    assert both.sum() > 3 and 1.9 < errors[0] / errors[1] < 2.1
    for name, ratio in (("leaky_equal", 1), ("leaky_double", 2)):
        t_out, near = pair(name, "reference").forward(t_in, w, 0.2)[0], witness.first_crossing(t_in, w, 0.2, ratio=ratio + 1e-7)
        both = np.isfinite(t_out) & np.isfinite(near)
        assert both.sum() > 5 and np.abs(t_out[both] - near[both]).max() < 1e-4


@pytest.mark.parametrize("name", ["leaky_equal", "leaky_double"])
def test_a_clock_approaches_the_closed_form(name):
    """Steps of dt with the operation `leaky`, spikes put on the grid: off by the order of dt."""
    rng, ratio, c = np.random.default_rng(5), RATIO[name], 0.25
    t_in, w = rng.integers(0, 64, (2, 5)) / 32, rng.normal(1, 1, (5, 4))
    assert witness.sound(t_in, w, c, 1.0, ratio).any()
    t_out = pair(name, "numba").forward(t_in, w, c)[0]
    clear = witness.sound(t_in, w, c, 1.0, ratio) & np.isfinite(t_out)
    errors = []
    for n in (64, 256, 1024):                                            # steps a time constant
        current = np.zeros((6 * n, 2, 4))
        for b, i in np.ndindex(t_in.shape):
            current[round(t_in[b, i] * n), b] += w[i]
        spikes = leaky.forward(current, np.exp(-1 / (n * ratio)), c, rule=Rule(gain="1 - beta"), alpha=np.exp(-1 / n))[0]
        first = np.where(spikes.any(axis=0), spikes.argmax(axis=0), INF) / n
        errors.append(np.abs(first[clear] - t_out[clear]).max())
        assert errors[-1] < 4 / n
    assert clear.sum() > 3 and errors[0] > 4 * errors[2]


# ---------------------------------------------------------------------------------------------- refusals

T, W = np.array([[0.0, 1.0, 2.0]]), np.ones((3, 2))
BAD = {
    "t_in with 1 dimension": ((T[0], W), ValueError, r"t_in: expected shape \(any, 3\), got an array of shape \(3,\)"),
    "sizes that differ": ((T[:, :2], W), ValueError, r"t_in: expected shape \(any, 3\)"),
    "integers": ((T.astype(int), W), TypeError, "t_in: expected float32 or float64"),
    "mixed dtypes": ((T.astype(np.float32), W), TypeError, "one float dtype.*t_in is float32, w is float64"),
    "NaN": ((np.array([[0.0, np.nan, 1.0]]), W), ValueError, r"t_in: expected times \(inf: no spike\), got nan"),
    "-inf": ((np.array([[0.0, -INF, 1.0]]), W), ValueError, "got -inf"),
    "empty batch": ((np.ones((0, 3)), W), ValueError, "t_in: expected at least one element"),
    "list": (([[0.0, 1.0, 2.0]], W), TypeError, "t_in: expected a NumPy array, got list"),
    "threshold 0": ((T, W, 0.0), ValueError, r"threshold: expected a positive number, got float 0\.0"),
    "third 0": ((T, W, 1.0, 0.0), ValueError, r"(tau|decay): expected a positive number, got float 0\.0"),
    "third inf": ((T, W, 1.0, INF), ValueError, "(tau|decay): expected a positive number, got float inf"),
}


@pytest.mark.parametrize("case", few(BAD, 1))
def test_bad_input(neuron, case):
    args, error, message = BAD[case]
    with pytest.raises(error, match=message):
        neuron[1].forward(*args)


@pytest.mark.parametrize("dt_out, error, message", [
    (np.ones((2, 1)), ValueError, r"dt_out: expected shape \(1, 2\), got an array of shape \(2, 1\)"),
    (np.ones((1, 2), np.float32), TypeError, "one float dtype.*dt_out is float32, t_out is float64"),
    ([[1.0, 1.0]], TypeError, "dt_out: expected a NumPy array, got list")], ids=["transposed", "float32", "list"])
def test_bad_gradients(neuron, dt_out, error, message):
    with pytest.raises(error, match=message):
        neuron[1].backward(dt_out, neuron[1].forward(T, W)[1])
