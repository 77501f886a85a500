"""First spikes: by hand, against a simulation from event to event, and gradients by differences."""

import itertools

import numpy as np
import pytest

from pysnn.layers.first_spikes import Charge, FirstSpikes
from tests.cases.tolerances import tol


def simulated(t_in, w, b, before, t_max):
    """Let neurons run from event to event, each on its own; return their times since the begin of their window."""
    out = np.full(w.shape[1], np.inf)
    for i in range(w.shape[1]):
        v, slope, now = 0.0, 0.0, 0.0
        for j in np.argsort(t_in):
            if np.isfinite(t_in[j]):
                v, slope, now = v + slope * (t_in[j] - now), slope + w[j, i], t_in[j]
        v += slope * (before - now)
        left = t_max - b[i] - v                                  # from here on the potential rises by 1 a unit of time
        out[i] = max(left, 0) if left < t_max else np.inf
    return out


def stages(rng, n=(6, 9, 4), tops=(1.0, 5.0, 7.0)):
    """Draw a dense network of first spikes; return weights, biases, lengths of windows."""
    return [rng.normal(0, 1, pair) for pair in itertools.pairwise(n)], [rng.normal(0, 0.3, m) for m in n[1:]], tops


def run(x, ws, bs, tops):
    """Return the times of all layers, and the caches."""
    t, first = FirstSpikes(tops[0]).forward(x)
    times, caches = [t], [(first, None, None)]
    for w, b, before, t_max in zip(ws, bs, tops, tops[1:], strict=False):
        a, fired = Charge(before).forward(times[-1])
        t, u = FirstSpikes(t_max).forward(a @ w + b)
        times.append(t)
        caches.append((u, a, fired))
    return times, caches


def test_by_hand():
    """(F1) (F2) (F3) (F4) (F5) As on the page; and neurons that do not fire, or fire at once."""
    t, u = FirstSpikes(2.0).forward(np.array([[0.75, 0.0, -1.0, 2.5, 2.0]]))
    np.testing.assert_array_equal(t, [[1.25, np.inf, np.inf, 0, 0]])
    a, fired = Charge(2.0).forward(t)
    np.testing.assert_array_equal(a, [[0.75, 0, 0, 2, 2]])
    np.testing.assert_array_equal(Charge(2.0).backward(np.ones_like(a), fired)[0], [[-1, 0, 0, -1, -1]])
    dt = np.array([[1.0, np.nan, np.inf, 1.0, 1.0]])                          # what stands at inf is ignored
    np.testing.assert_array_equal(FirstSpikes(2.0).backward(dt, u)[0], [[-1, 0, 0, 0, 0]])
    assert FirstSpikes(2.0).forward(np.float32([[0.5]]))[0].dtype == np.float32
    np.testing.assert_array_equal(FirstSpikes(4.0, shift=1.0).forward(np.array([[-0.5, 0.5]]))[0], [[3.5, 2.5]])


def test_a_simulation_from_event_to_event_finds_the_same_times(rng):
    """(F2) (F3)"""
    ws, bs, tops = stages(rng)
    x = rng.uniform(0, 1, (40, 6)) * (rng.random((40, 6)) < 0.8)
    times, _ = run(x, ws, bs, tops)
    assert all(0.1 < np.isfinite(t).mean() < 0.95 for t in times[1:])
    for k in range(40):
        t = times[0][k]
        for w, b, before, t_max, got in zip(ws, bs, tops, tops[1:], times[1:], strict=False):
            t = simulated(t, w, b, before, t_max)
            np.testing.assert_allclose(got[k], t, rtol=0, atol=1e-13)


@pytest.mark.parametrize("tops", [(1.0, 5.0, 7.0), (1.0, 0.6, 0.8)], ids=["long windows", "windows that cut"])
def test_gradients_by_differences(rng, tops):
    """(F4) (F5) Of weights, biases and input times, where no neuron starts or stops firing."""
    ws, bs, _ = stages(rng)
    x, down = rng.uniform(0.05, 0.95, (5, 6)), rng.normal(size=(5, 4))

    def loss(x, ws, bs):
        t = run(x, ws, bs, tops)[0][-1]
        return float((np.where(np.isfinite(t), t, 0) * down).sum())
    times, caches = run(x, ws, bs, tops)
    assert (times[-1] == 0).any() == (tops[1] < 1)
    dt, grads = np.where(np.isfinite(times[-1]), down, np.nan), []
    for k in (1, 0):
        u, a, fired = caches[k + 1]
        du = FirstSpikes(tops[k + 1]).backward(dt, u)[0]
        grads.append((ws[k], a.T @ du))
        grads.append((bs[k], du.sum(axis=0)))
        dt = Charge(tops[k]).backward(du @ ws[k].T, fired)[0]
    grads.append((x, FirstSpikes(tops[0]).backward(dt, caches[0][0])[0]))
    for values, got in grads:
        assert np.abs(got).max() > 0
        for at in np.ndindex(values.shape):
            before, found = values[at], []
            for h in (1e-6, -1e-6):
                values[at] = before + h
                found.append(loss(x, ws, bs))
            values[at] = before
            assert abs((found[0] - found[1]) / 2e-6 - got[at]) < 1e-7 * (1 + np.abs(got).max())


def test_gradients_are_those_of_the_relu_network(rng):
    """Two signs cancel at each layer."""
    ws, bs, tops = stages(rng, tops=(1.0, 50.0, 60.0))
    x, down = rng.uniform(0, 1, (7, 6)), rng.normal(size=(7, 4))
    _, caches = run(x, ws, bs, tops)
    h = np.maximum(x @ ws[0] + bs[0], 0)
    dz = down * (h @ ws[1] + bs[1] > 0)
    ref = x.T @ ((dz @ ws[1].T) * (h > 0))
    du = FirstSpikes(60.0).backward(-down, caches[2][0])[0]
    dt = Charge(50.0).backward(du @ ws[1].T, caches[2][2])[0]
    got = caches[1][1].T @ FirstSpikes(50.0).backward(dt, caches[1][0])[0]
    np.testing.assert_allclose(got, ref, rtol=0, atol=tol("order of sums float64") * np.abs(ref).max())
