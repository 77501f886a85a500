"""Theta neurons: worked by hand, the derivation, the differential equation, no jumps, 50 digits, random problems, mistakes, refusals."""

import itertools

import numpy as np
import pytest

from pysnn import _threads
from pysnn.operations import OPERATIONS, Pair
from pysnn.reference import temporal
from pysnn.verify import gradcheck, suite
from pysnn.verify.oracle import rounded
from pysnn.verify.oracle import theta as oracle
from pysnn.verify.witness import theta as witness
from tests.cases import few
from tests.cases.backends import operation
from tests.cases.tolerances import tol

INF = np.inf
HOWS = ((1.25, 1.25, 0.5, 1.0), (3.0, 0.5, 0.25, 1.0), (2.5, 2.25, -0.5, 2.0))           # t_end, drive, v_init, tau


@pytest.fixture(params=["reference", "numba"])
def op(request):
    """Forward and backward, by each backend."""
    return operation("theta", request.param)


def layer(rng, how, sizes=(3, 7, 5), dtype=np.float64, n_times=None):
    """Draw times in and behind the trial, some of them inf, and weights; with n_times there are ties."""
    n_batch, n_in, n_out = sizes
    t_in = rng.uniform(0, 1.5, (n_batch, n_in)) if n_times is None else rng.integers(0, n_times, (n_batch, n_in)) / 4
    t_in[rng.random(t_in.shape) < 0.1] = INF
    return (how[0] * t_in).astype(dtype), rng.normal(0.5 / n_in, 1.5 / np.sqrt(n_in), (n_in, n_out)).astype(dtype)


# ---------------------------------------------------------------------------------------------- worked by hand

def test_worked_example(op):
    """(Q2), (Q3), (Q7): half of the way to the spike, an input after pi/4 lifts V - 1/2 from 1 to 2."""
    t_out, cache = op.forward(np.array([[np.pi / 4]]), np.ones((1, 1)), 2.0)
    dt_in, dw = op.backward(np.ones((1, 1)), cache)
    wanted = np.pi / 4 + np.arctan(1 / 2), (5 - 2) / 5, -1 / 5
    np.testing.assert_allclose([t_out[0, 0], dt_in[0, 0], dw[0, 0]], wanted, rtol=tol("worked example"))


def test_worked_pseudo_spike(op):
    """(Q5), (Q8): an input a quarter behind a trial of length 1 acts at its end, with a share 1 - 1/(4 pi)."""
    t_out, cache = op.forward(np.array([[1.25]]), np.ones((1, 1)), 1.0)
    dt_in, dw = op.backward(np.ones((1, 1)), cache)
    share = 1 - 0.25 / np.pi
    v = np.tan(1.0) + share                                              # V - 1/2
    wanted = 1 + np.arctan(1 / v), 1 / (np.pi * (1 + v * v)), -share / (1 + v * v)
    np.testing.assert_allclose([t_out[0, 0], dt_in[0, 0], dw[0, 0]], wanted, rtol=tol("worked example"))


def test_without_input_it_fires_after_the_rest_of_its_period(op):
    """(Q1), (Q2): whether the trial ends before or after that."""
    for t_end, drive, v_init, tau in HOWS:
        root = np.sqrt(drive - 0.25)
        for end in (t_end, 100.0):
            t_out, cache = op.forward(np.array([[INF]]), np.ones((1, 1)), end, drive, v_init, tau)
            assert t_out[0, 0] == pytest.approx(tau / root * (np.pi / 2 - np.arctan((v_init - 0.5) / root)), rel=1e-14)
            assert not any(g.any() for g in op.backward(np.ones((1, 1)), cache))


# ---------------------------------------------------------------------------------------------- the derivation

def test_voltage_of_the_gap_solves_the_equation():
    """(Q1), (Q2), (Q9): a step of the differential equation, the phase, and the two products and the quotient of the kernel."""
    tau, root, v = 0.75, 0.6, np.array([-3.0, 0.5, 2.0])

    def flow(v, gap):
        return 0.5 + root * np.tan(np.arctan((v - 0.5) / root) + root / tau * gap)
    h = 1e-5
    np.testing.assert_allclose(tau * (flow(v, h) - flow(v, -h)) / (2 * h), v * (v - 1) + root ** 2 + 0.25, rtol=1e-8)
    u, angle = (v - 0.5) / root, 0.2
    moved = (u * np.cos(angle) + np.sin(angle)) / (np.cos(angle) - u * np.sin(angle))
    np.testing.assert_allclose(0.5 + root * moved, flow(v, angle * tau / root), rtol=1e-13)


def test_a_kick_squeezes_phases():
    """(Q3), (Q6): the phase after a kick, derived by the phase before it and by the weight."""
    tau, root, w, h = 0.75, 0.6, 1.3, 1e-6

    def f(v):
        return v * (v - 1) + root ** 2 + 0.25

    def kicked(phase, w):
        v = 0.5 - root / np.tan(root / tau * phase)
        return tau / root * (np.arctan((v + w - 0.5) / root) + np.pi / 2)
    for phase in (0.3, 1.5, 3.0):
        v = 0.5 - root / np.tan(root / tau * phase)
        assert (kicked(phase + h, w) - kicked(phase - h, w)) / (2 * h) == pytest.approx(f(v) / f(v + w), rel=1e-7)
        assert (kicked(phase, w + h) - kicked(phase, w - h)) / (2 * h) == pytest.approx(tau / f(v + w), rel=1e-7)


@pytest.mark.parametrize("how", HOWS, ids=str)
def test_against_the_differential_equation(op, how, rng):
    """(Q1), (Q4), (Q5): a classical Runge-Kutta integration; its error falls with the fourth power of the step."""
    t_in, w = layer(rng, how)
    t_out, errors = op.forward(t_in, w, *how)[0], []
    for n_steps in (25, 50, 100):
        errors.append(np.abs(witness.integrate(t_in, w, how, n_steps) - t_out).max())
    assert errors[0] < 1e-5 and errors[2] < 1e-8 and all(10 < a / b < 24 for a, b in itertools.pairwise(errors))
    assert 0 < (t_out < how[0]).mean() < 1


@pytest.mark.parametrize("how", HOWS, ids=str)
def test_gradients_by_differences(op, how, rng):
    """(Q6), (Q7), (Q8): every input and every weight, and all of them smooth."""
    t_in, w = layer(rng, how)
    report = gradcheck(lambda t, w: op.forward(t, w, *how), op.backward, (t_in, w), lambda args, *_: witness.decisions(*args, *how),
                       ("t_in", "w"), n=None)
    assert report.ok, report
    assert max(row.max_error for row in report.rows if row.max_error is not None) < tol("central differences")
    assert sum(row.smooth for row in report.rows) >= np.isfinite(t_in).sum() + w.size


def test_gradients_are_the_squares_of_an_oscillator(op, rng):
    """(Q7): what an input leaves of the oscillator (c, s), scaled to 1 at the spike, is the gradient."""
    t_in, w = layer(rng, HOWS[0], (2, 6, 3))
    t_out, cache = op.forward(t_in, w, *HOWS[0])
    c = rng.normal(size=t_out.shape)
    for got, wanted in zip(op.backward(c, cache), oracle.backward(c, oracle.forward(t_in, w, *HOWS[0])[1]), strict=True):
        np.testing.assert_allclose(got, rounded(wanted), rtol=1e-11, atol=1e-13)


def test_against_50_digits(op, rng):
    eps, n_early = np.finfo(float).eps, 0
    for how, n_times in itertools.product(HOWS, (None, 6)):
        t_in, w = layer(rng, how, (2, 6, 3), n_times=n_times)
        exact, cache = oracle.forward(t_in, w, *how)
        t_out = op.forward(t_in, w, *how)[0]
        assert (np.abs(t_out - rounded(exact)) <= eps * oracle.condition(cache)).all()
        n_early += (t_out < how[0]).sum()
    assert n_early > 8


# ---------------------------------------------------------------------------------------------- no jumps

def sweep(op, what, n):
    """Move a weight, an input's time or the end of the trial through n places; return the spike times of one neuron."""
    t_in, w, places = np.array([[0.25, 0.75, 1.0, 1.5]]), np.array([0.5, -1.0, 1.5, -0.5]), np.linspace(0, 4, n)
    if what == "end":
        return np.array([op.forward(t_in, w[:, None], 0.05 + end)[0][0, 0] for end in places])
    if what == "time":
        moved = np.repeat(t_in, n, axis=0)
        moved[:, 2] = places
        return op.forward(moved, w[:, None], 1.25)[0][:, 0]
    rows = np.tile(w[:, None], n)
    rows[1] = places - 2
    return op.forward(t_in, rows, 1.25)[0][0]


@pytest.mark.parametrize("what", ["weight", "time", "end"])
def test_nothing_jumps(op, what):
    """Twice as many places, half the largest step: across the spike, across other inputs, and across the end of the trial."""
    coarse, fine = (np.abs(np.diff(sweep(op, what, n))).max() for n in (1001, 2001))
    assert 0.45 < fine / coarse < 0.55 and fine < 0.01


def test_the_derivative_by_a_weight_does_not_jump_either(op):
    """(Q7) where the spike crosses an input, and the end of the trial: an input just before the spike is not felt."""
    t_in, steps = np.array([[0.25, 0.75, 1.0]]), []
    for n in (1001, 2001):
        rows = np.tile([[0.5], [1.0], [-3.0]], n)
        rows[0] = np.linspace(-2, 3, n)
        t_out, cache = op.forward(t_in, rows, 1.25)
        slopes = op.backward(np.ones_like(t_out), cache)[1]
        steps.append(np.abs(np.diff(slopes)).max(axis=1))
    assert t_out.min() < 1.0 and t_out.max() > 1.25 and (0.4 < steps[1] / steps[0]).all() and (steps[1] / steps[0] < 0.6).all()


def test_mostafas_neuron_jumps_where_this_one_does_not(op):
    """The sweep of one inhibitory weight: there a spike vanishes, here it moves on, past the end of the trial."""
    t_in, w, weights = np.array([[0.1, 0.4, 0.8]]), np.array([0.8, 0.5, 0.0]), np.linspace(-3, 0, 1001)
    rows = np.tile(w[:, None], len(weights))
    rows[2] = weights
    z_out = temporal.forward(np.exp(t_in), rows)[0][0]
    assert 0.05 < np.isinf(z_out).mean() < 0.95
    t_out = op.forward(t_in, rows, 1.5, v_init=-0.5)[0][0]
    assert np.isfinite(t_out).all() and np.abs(np.diff(t_out)).max() < 0.01 and t_out.min() < 1.5 < t_out.max()


def test_pseudo_spikes_feed_on_without_a_jump(op):
    """(Q5) in two layers: hidden spikes cross the end of the trial, and the output moves the less, the smaller the step."""
    t_in, w1 = np.array([[0.2, 0.6]]), np.array([[0.6, 1.0, -0.5], [0.3, -0.2, 0.4]])
    steps, sides = [], []
    for n in (1001, 2001):
        rows = np.tile(w1[:, :, None], n)
        rows[0, 0] = np.linspace(-3, 3, n)
        hidden = op.forward(np.repeat(t_in, 1, axis=0), rows.reshape(2, -1), 1.0)[0].reshape(3, n).T
        t_out = op.forward(np.ascontiguousarray(hidden), np.array([[2.0], [-1.5], [1.0]]), 1.0)[0][:, 0]
        steps.append(np.abs(np.diff(t_out)).max())
        sides.append((hidden[:, 0] < 1).mean())
    assert 0.45 < steps[1] / steps[0] < 0.55 and 0.1 < sides[0] < 0.9


# ---------------------------------------------------------------------------------------------- random problems

@pytest.mark.parametrize("n_problems", few([100, 1000], 2))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kernel_equals_reference(dtype, n_problems, rng):
    """On random and difficult problems: the quotients (Q9) against voltages and phases."""
    reference, kernel = (operation("theta", backend) for backend in ("reference", "numba"))
    eps, early, n = np.finfo(dtype).eps, 0, 0
    for k in range(n_problems):
        sizes = int(rng.integers(1, 5)), int(rng.choice([1, 2, 3, 8, 24])), int(rng.integers(1, 9))
        how = HOWS[k % 3]
        t_in, w = layer(rng, how, sizes, dtype, (None, 6)[k % 2])
        (a, a_cache), (b, b_cache) = (op.forward(t_in, w, *how) for op in (reference, kernel))
        assert a.dtype == b.dtype == dtype and np.isfinite(a).all()
        c = rng.normal(size=a.shape).astype(dtype)
        for x, y in zip((a, *reference.backward(c, a_cache)), (b, *kernel.backward(c, b_cache)), strict=True):
            np.testing.assert_allclose(x, y, rtol=0, atol=2e3 * eps * max(1, np.abs(x).max()))
        early, n = early + (a < how[0]).sum(), n + a.size
    assert 0.1 < early / n < 0.9


def test_shapes_views_and_threads(rng):
    """Across the blocks of the kernel, the same bits for any number of threads, from views too."""
    reference, kernel = (operation("theta", backend) for backend in ("reference", "numba"))
    for sizes in ((1, 1, 1), (33, 40, 3), (2, 3, 600)):
        t_in, w = layer(rng, HOWS[0], sizes)
        wanted, cache = reference.forward(t_in, w, 1.25)
        c, seen = rng.normal(size=wanted.shape), []
        grads = reference.backward(c, cache)
        for threads in (1, 3):
            before = _threads.get_threads()
            _threads.set_threads(threads)
            try:
                t_out, cache = kernel.forward(np.asfortranarray(t_in), w[:, ::-1][:, ::-1], 1.25)
                seen.append((t_out, *kernel.backward(c, cache)))
            finally:
                _threads.set_threads(before)
        for x, y in zip(*seen, strict=True):
            np.testing.assert_array_equal(x, y)
        for x, y in zip(seen[0], (wanted, *grads), strict=True):
            np.testing.assert_allclose(x, y, rtol=0, atol=1e-10 * max(1, np.abs(y).max()))


def test_strong_kicks_and_long_trials(op):
    """Voltages far from 0, gaps of many periods, inputs at one time that cancel; what is behind the spike is not felt."""
    for dtype in (np.float32, np.float64):
        t_in = np.array([[0.5, 0.5, 40.0, 1e6]], dtype)
        for kick in (1.0, 1e3, 1e4):
            t_out, cache = op.forward(t_in, np.array([[kick], [-kick], [kick], [-kick]], dtype), 50.0)
            assert abs(t_out[0, 0] - np.pi / 2) < 4 * kick * np.finfo(dtype).eps
            dt_in, dw = op.backward(np.ones((1, 1), dtype), cache)
            assert np.isfinite(dt_in).all() and np.isfinite(dw).all() and not dt_in[0, 2:].any() and not dw[2:].any() and (dw[:2] < 0).all()
    t_out, _ = op.forward(np.array([[0.1, 0.2, 0.3]]), np.full((3, 1), -1e8), 0.5)
    assert abs(t_out[0, 0] - (0.3 + np.pi)) < 1e-7


# ---------------------------------------------------------------------------------------------- mistakes are caught

def _times_of_jumps(right):
    """An input counts in full behind the end of the trial, too."""
    def forward(t_in, w, t_end, *how):
        return right.forward(np.where(np.isfinite(t_in) & (t_in > t_end), t_end, t_in), w, t_end, *how)
    return Pair(forward, right.backward)


def _other(change):
    def mistake(right):
        return Pair(right.forward, lambda dt_out, cache: change(*right.backward(dt_out, cache)))
    return mistake


def _no_end(right):
    """The end of the trial is ignored: late inputs come when they come."""
    return Pair(lambda t_in, w, t_end, *how: right.forward(t_in, w, 1e3, *how), right.backward)


@pytest.mark.parametrize("mistake", [_times_of_jumps, _no_end, _other(lambda dt, dw: (dt, -dw)), _other(lambda dt, dw: (0.999 * dt, dw)),
                                     _other(lambda dt, dw: (np.maximum(dt, 0), dw))],
                         ids=["late inputs count in full", "no end", "sign", "factor", "times clipped"])
def test_mistakes_are_caught(mistake):
    wrong = mistake(OPERATIONS["theta"].pair("reference"))
    assert "WRONG" in {e.verdict for e in suite.run(["theta"], op=wrong, few=True).entries}


# ---------------------------------------------------------------------------------------------- refusals

T, W = np.array([[0.0, 1.0, 2.0]]), np.ones((3, 2))
BAD = {
    "t_in with 1 dimension": ((T[0], W, 1.0), ValueError, r"t_in: expected shape \(any, 3\), got an array of shape \(3,\)"),
    "sizes that differ": ((T[:, :2], W, 1.0), ValueError, r"t_in: expected shape \(any, 3\)"),
    "integers": ((T.astype(int), W, 1.0), TypeError, "t_in: expected float32 or float64"),
    "mixed dtypes": ((T.astype(np.float32), W, 1.0), TypeError, "one float dtype.*t_in is float32, w is float64"),
    "NaN": ((np.array([[0.0, np.nan, 1.0]]), W, 1.0), ValueError, r"t_in: expected times from 0 \(inf: no spike\), got nan"),
    "before the trial": ((np.array([[0.0, -0.5, 1.0]]), W, 1.0), ValueError, r"t_in: expected times from 0 .*, got -0\.5"),
    "empty batch": ((np.ones((0, 3)), W, 1.0), ValueError, "t_in: expected at least one element"),
    "list": (([[0.0, 1.0, 2.0]], W, 1.0), TypeError, "t_in: expected a NumPy array, got list"),
    "t_end 0": ((T, W, 0.0), ValueError, r"t_end: expected a positive number, got float 0\.0"),
    "t_end inf": ((T, W, INF), ValueError, "t_end: expected a positive number, got float inf"),
    "drive 1/4": ((T, W, 1.0, 0.25), ValueError, r"drive: expected a number above 1/4, .*, got float 0\.25"),
    "v_init inf": ((T, W, 1.0, 1.25, INF), ValueError, "v_init: expected a finite number, got float inf"),
    "v_init a word": ((T, W, 1.0, 1.25, "rest"), ValueError, "v_init: expected a finite number, got str"),
    "tau 0": ((T, W, 1.0, 1.25, 0.5, 0.0), ValueError, r"tau: expected a positive number, got float 0\.0"),
}


@pytest.mark.parametrize("case", few(BAD, 1))
def test_bad_input(op, case):
    args, error, message = BAD[case]
    with pytest.raises(error, match=message):
        op.forward(*args)


@pytest.mark.parametrize("dt_out, error, message", [
    (np.ones((2, 1)), ValueError, r"dt_out: expected shape \(1, 2\), got an array of shape \(2, 1\)"),
    (np.ones((1, 2), np.float32), TypeError, "one float dtype.*dt_out is float32, t_out is float64"),
    ([[1.0, 1.0]], TypeError, "dt_out: expected a NumPy array, got list")], ids=["transposed", "float32", "list"])
def test_bad_gradients(op, dt_out, error, message):
    with pytest.raises(error, match=message):
        op.backward(dt_out, op.forward(T, W, 1.0)[1])
