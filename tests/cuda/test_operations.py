"""The CUDA twins are the reference: every kernel, in the simulator with blocks whose edges tiny arrays cross, or on a GPU.

`make test-sim` runs these in the simulator, `make test-gpu` on a card. Decisions at threshold are compared where the margin exceeds the
rounding: that is the oracle of tests/cases/temporal.py.
"""

import itertools
import time

import numpy as np
import pytest

from pysnn.operations import OPERATIONS
from pysnn.reference import activations, batch_norm, conv, dense, integrate_fire, leaky, pool, pooled_fire, spiking, temporal, temporal_conv
from tests.cases.cuda_twin import same, shrink, twin
from tests.cases.integrate_fire import EVERY_RULE, EVERY_SURROGATE, spelt
from tests.cases.leaky import EVERY_LEAKY_RULE, PARTS, spelt_leaky, upstream
from tests.cases.leaky import draw as draw_leaky
from tests.cases.pooled_fire import POOLED_RULES, SHAPES, draw
from tests.cases.relu import CONVS, POOLS, draw_conv
from tests.cases.spiking import INSIDE, RULES, assert_same, images, network, network_inside
from tests.cases.temporal import FAMILIES, Tally, exact_layer, judge, oracle
from tests.cases.tolerances import tol

pytestmark = pytest.mark.cuda
SINGLE, DOUBLE = np.float32, np.float64


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Small blocks for all tests."""
    shrink(monkeypatch)


@pytest.mark.parametrize("dtype", [SINGLE, DOUBLE])
def test_blocks_of_their_real_size(rng, dtype):
    """Several blocks each way, the last ones not full, at the sizes that a card uses."""
    if twin("_target").SIMULATED:
        pytest.skip("blocks are small in the simulator, and crossed by all the other tests")
    limit = tol(f"order of sums {np.dtype(dtype).name}")
    z_in, w = exact_layer(rng, 70, 130, 140, dtype)
    (z_out, cache), (got, got_cache) = temporal.forward(z_in, w), twin("temporal").forward(z_in, w)
    fires = np.isfinite(z_out)
    assert 0.05 < fires.mean() and (np.isfinite(got) == fires).all()
    same([np.where(fires, got, 0)], [np.where(fires, z_out, 0)], limit)
    dz_out = np.where(fires, rng.normal(size=z_out.shape), 0).astype(dtype)
    same(twin("temporal").backward(dz_out, got_cache), temporal.backward(dz_out, cache), limit)
    for module, name, shapes, more in ((dense, "dense", ((70, 130), (130, 140)), ()),
                                       (conv, "conv2d", ((30, 9, 9, 40), (3, 3, 40, 70)), (1, 1))):
        op, args = twin(name.removesuffix("2d")), [rng.normal(size=shape).astype(dtype) for shape in shapes]
        (y, cache), (got, got_cache) = (getattr(m, f"{name}_forward")(*args, *more) for m in (module, op))
        same([got], [y], limit)
        same(getattr(op, f"{name}_backward")(y, got_cache), getattr(module, f"{name}_backward")(y, cache), limit)
    args = rng.integers(8, 25, (9, 30, 30, 3)).astype(dtype) / 8, rng.integers(-2, 6, (3, 3, 3, 40)).astype(dtype) / 16, None, 1, 1
    (z_out, cache), (got, got_cache) = temporal_conv.forward(*args), twin("temporal_conv").forward(*args)      # many pieces of dw
    assert ((got < np.inf) == (z_out < np.inf)).all()
    dz_out = np.where(z_out < np.inf, rng.normal(size=z_out.shape), 0).astype(dtype)
    same(twin("temporal_conv").backward(dz_out, got_cache), temporal_conv.backward(dz_out, cache), 10 * limit)


# --------------------------------------------------------------------------------------------------- exact spike times

INF, SPIKE_TIMES = np.inf, ("leaky_equal", "leaky_double", "alpha", "temporal_delays")
DELAYS = {"axons": (1, 0), "dendrites": (0, 1), "synapses": (1, 1)}


def layer_in_time(rng, name, sizes, dtype, ties=False, kind="synapses"):
    """Draw arguments of forward: times, of which some are equal or inf, a silent sample, a neuron that nothing excites, a threshold."""
    n_batch, n_in, n_out = sizes
    t_in = rng.integers(0, 4, (n_batch, n_in)) / 2 if ties else rng.uniform(0, 2, (n_batch, n_in))
    t_in[rng.random(t_in.shape) < 0.1] = INF
    t_in[-1] = INF if n_batch > 2 else t_in[-1]
    w = rng.normal(2 / n_in, (1 if name == "temporal_delays" else 3) / np.sqrt(n_in), (n_in, n_out))
    w[:, -1] = -np.abs(w[:, -1]) if n_out > 2 else w[:, -1]
    if name != "temporal_delays":
        return t_in.astype(dtype), w.astype(dtype), 0.25, 0.75
    shape = [n if there else 1 for n, there in zip((n_in, n_out), DELAYS[kind], strict=True)]
    delay = rng.integers(0, 2, shape) * np.log(2) if ties else rng.exponential(0.8, shape)
    return (1 + t_in).astype(dtype), w.astype(dtype), delay.astype(dtype), 0.75


def compare_in_time(rng, name, args):
    """Hold forward and backward against the reference; badly conditioned spikes get no gradient. Return how many fire, and how many not."""
    ref, op = (OPERATIONS[name].pair(backend) for backend in ("reference", "cuda"))
    (t_out, cache), (got, got_cache) = ref.forward(*args), op.forward(*args)
    dtype, rounding = args[0].dtype, 600 * np.finfo(args[0].dtype).eps * max(1, np.abs(args[1]).sum(axis=0).max())
    assert got.dtype == dtype and got.shape == t_out.shape
    fires, sound = np.isfinite(t_out), np.isfinite(t_out) & np.isfinite(got)
    assert (fires == np.isfinite(got)).mean() >= (1 if t_out.size < 1000 else 0.999)
    if name == "temporal_delays":
        sound &= np.where(fires, t_out, INF) < 30
    else:
        sound &= (got_cache.slope.copy_to_host() > 0.05) & (got_cache.t_bound.copy_to_host() == cache.t_bound)
    off = np.abs(np.where(sound, got, 0) - np.where(sound, t_out, 0))
    assert (off <= rounding * np.where(sound & (name == "temporal_delays"), np.where(fires, t_out, 1), 1)).all()
    d = np.where(sound, rng.normal(size=t_out.shape), np.where(fires, 0, np.nan)).astype(dtype)
    for like, a, b in zip(args, op.backward(d, got_cache), ref.backward(d, cache), strict=False):
        assert a.dtype == dtype and a.shape == like.shape
        np.testing.assert_allclose(a, b, rtol=0, atol=7 * rounding * max(1, np.abs(b).max()))
        np.testing.assert_array_equal(a == 0, b == 0)                    # outside the causal sets
    return fires.sum(), (~fires).sum()


@pytest.mark.parametrize("dtype", [SINGLE, DOUBLE])
@pytest.mark.parametrize("name", SPIKE_TIMES)
def test_spike_times_are_the_reference(name, dtype, rng):
    """(E2) to (E10), (T10), (T11), (T12): ties, inputs that never come, silent samples and neurons, one input, blocks not full."""
    fired = np.zeros(2, int)
    for sizes in ((1, 1, 1), (3, 7, 5), (2, 2, 4)):
        for ties, kind in itertools.product((False, True), DELAYS if name == "temporal_delays" else ("",)):
            fired += compare_in_time(rng, name, layer_in_time(rng, name, sizes, dtype, ties, kind))
    assert 0.2 < fired[0] / fired.sum() < 0.9


@pytest.mark.parametrize("dtype", [SINGLE, DOUBLE])
@pytest.mark.parametrize("name", SPIKE_TIMES)
def test_spike_times_in_blocks_of_their_real_size(name, dtype, rng):
    """Several blocks each way, the last ones not full, at the sizes that a card uses."""
    if twin("_target").SIMULATED:
        pytest.skip("blocks are small in the simulator, and crossed by all the other tests")
    for kind in DELAYS if name == "temporal_delays" else ("",):
        n_fire, n_silent = compare_in_time(rng, name, layer_in_time(rng, name, (30, 150, 140), dtype, kind=kind))
        assert n_fire > 500 and n_silent > 140
        args = layer_in_time(rng, name, (5, 300, 3), dtype, True, kind)
        compare_in_time(rng, name, args)


@pytest.mark.parametrize("dtype", [SINGLE, DOUBLE])
def test_who_fires(dtype):
    """(E4), (E5): a weak input, inputs that cancel, inhibition in time or too late, silence, one long forgotten, times far apart."""
    rows = [([0, 1], [0.5, -1], INF), ([1, 1], [8, -8], INF), ([0, 0.03125], [4, -4], INF), ([0, 0.03125, 4], [4, -4, 8], 4),
            ([INF, INF], [9, 9], INF), ([0, 40], [0.5, 0.5], INF), ([-1e5, 0, 0.5], [0.125, 0.5, 0.75], 0.5)]
    for name, (t_in, w, after) in itertools.product(SPIKE_TIMES[:3], rows):
        op = OPERATIONS[name].pair("cuda")
        t_out, cache = op.forward(np.array([t_in], dtype), np.array(w, dtype)[:, None], 0.25)
        fires = after < INF
        assert np.isfinite(t_out[0, 0]) == fires and (not fires or after < t_out[0, 0] < after + 1)
        dt_in, dw = op.backward(np.full((1, 1), 1.0 if fires else np.nan, dtype), cache)
        assert abs(dt_in.sum() - fires) < 1e-4 and dw.any() == fires and np.isfinite(dw).all()


def test_delays_of_0_change_no_bit_and_late_arrivals_never_come(rng):
    """(T10) of 0, and beyond all numbers."""
    op, plain = twin("delays"), twin("temporal")
    z_in, w, delay, _ = layer_in_time(rng, "temporal_delays", (3, 7, 5), SINGLE, True)
    for shape in DELAYS.values():
        nothing = np.zeros([n if there else 1 for n, there in zip(w.shape, shape, strict=True)], SINGLE)
        assert op.forward(z_in, w, nothing)[0].tobytes() == plain.forward(z_in, w)[0].tobytes()
    z, w, late = np.array([[1, 1e30]], SINGLE), np.array([[1.5, 1.5], [3, 3]], SINGLE), np.array([[0, 0], [80, 80]], SINGLE)
    for delay in (late[:, :1], late):
        z_out, cache = op.forward(z, w, delay)
        dz_in, dw, ddelay = op.backward(np.ones_like(z_out), cache)
        assert (z_out == 3).all() and dz_in[0, 1] == 0 and not dw[1].any() and not ddelay[1].any() and np.isfinite(ddelay).all()


# ----------------------------------------------------------------------------------------------------------- theta

def compare_theta(rng, sizes, dtype, ties):
    """Hold theta neurons against the reference, some inputs after the trial; return how many fire in it, and how many behind it."""
    n_batch, n_in, n_out = sizes
    how = ((1.25, 1.25, 0.5, 1.0), (2.5, 2.25, -0.5, 2.0))[int(ties)]      # t_end, drive, v_init, tau
    t_in = rng.integers(0, 6, (n_batch, n_in)) / 4 if ties else rng.uniform(0, 1.5, (n_batch, n_in))
    t_in[rng.random(t_in.shape) < 0.1] = INF
    t_in[-1] = INF if n_batch > 2 else t_in[-1]
    args = (how[0] * t_in).astype(dtype), rng.normal(0.5 / n_in, 1.5 / np.sqrt(n_in), (n_in, n_out)).astype(dtype)
    ref, op = (OPERATIONS["theta"].pair(backend) for backend in ("reference", "cuda"))
    (t_out, cache), (got, got_cache) = ref.forward(*args, *how), op.forward(*args, *how)
    d, rounding = rng.normal(size=t_out.shape).astype(dtype), 400 * np.finfo(dtype).eps
    for a, b in zip((got, *op.backward(d, got_cache)), (t_out, *ref.backward(d, cache)), strict=True):
        assert a.dtype == b.dtype == dtype and a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=0, atol=rounding * max(1, np.abs(b).max()))
        if n_batch < 10:                                                 # else a neuron may fire just before an input, or just at it
            np.testing.assert_array_equal(a == 0, b == 0)
    return np.array([(t_out < how[0]).sum(), (t_out >= how[0]).sum()])


@pytest.mark.parametrize("dtype", [SINGLE, DOUBLE])
def test_theta_is_the_reference(dtype, rng):
    """(Q1) to (Q9): ties, late inputs and inputs that never come, pseudo-spikes, more samples than are gone back through at a time."""
    fired = sum(compare_theta(rng, sizes, dtype, ties) for sizes in ((1, 1, 1), (3, 7, 5), (2, 3, 4)) for ties in (False, True))
    assert (fired > 5).all()
    op = twin("theta")
    t_out, cache = op.forward(np.array([[0.5, 0.5, 40.0]], dtype), np.array([[1e3], [-1e3], [1e3]], dtype), 50.0)     # half a turn and more
    dt_in, dw = op.backward(np.ones((1, 1), dtype), cache)
    assert abs(t_out[0, 0] - np.pi / 2) < 4e3 * np.finfo(dtype).eps and dt_in[0, 2] == dw[2, 0] == 0 and (dw[:2] < 0).all()


@pytest.mark.parametrize("dtype", [SINGLE, DOUBLE])
def test_theta_in_blocks_of_their_real_size(dtype, rng):
    """More neurons than a block has threads, more samples than are gone back through at a time."""
    if twin("_target").SIMULATED:
        pytest.skip("blocks are small in the simulator, and crossed by all the other tests")
    assert (sum(compare_theta(rng, sizes, dtype, ties) for sizes in ((37, 150, 70), (5, 3, 300)) for ties in (False, True)) > 500).all()


# --------------------------------------------------------------------------------------------------------- temporal

@pytest.mark.parametrize("dtype", [SINGLE, DOUBLE])
def test_temporal_against_the_definition(dtype):
    """Random and nasty problems: silent inputs and outputs, ties, sums of weights at and below threshold, one input, one sample."""
    op, tally, fired = twin("temporal"), Tally(), []
    for k, family in enumerate(FAMILIES):
        rng = np.random.default_rng([k, np.dtype(dtype).itemsize])
        for shape in ((1, 2, 1), (2, 7, 4)):
            z_in, w = (np.ascontiguousarray(x, dtype) for x in family(rng, *shape))
            threshold = float(rng.choice([0.3, 0.7])) if family.__name__ == "continuous" else 1.0
            o = oracle(z_in, w, threshold, exact=family.__name__ == "exact_ties")
            fired += np.isfinite(judge(tally, op, z_in, w, threshold, o, rng.normal(size=o.near.shape))).ravel().tolist()
    assert 0.1 < np.mean(fired) < 0.95 and tally.gradient > 0            # alive: some fire, some do not


@pytest.mark.parametrize("dtype", [SINGLE, DOUBLE])
@pytest.mark.parametrize("shape", [(1, 1, 4), (2, 3, 1), (1, 4, 7), (5, 13, 9), (3, 6, 8)], ids=str)
def test_temporal_is_the_reference_where_sums_are_exact(shape, dtype, rng):
    """(T7), (T8) and all decisions, without any band."""
    z_in, w = exact_layer(rng, *shape, dtype)
    z_in[0, 0] = 2.0                                                     # no sample of one input alone that is silent
    z_out, cache = temporal.forward(z_in, w)
    got, got_cache = twin("temporal").forward(z_in, w)
    np.testing.assert_array_equal(np.isinf(got), np.isinf(z_out))
    fires = np.isfinite(z_out)
    same([np.where(fires, got, 0)], [np.where(fires, z_out, 0)], tol(f"order of sums {np.dtype(dtype).name}"))
    dz_out = np.where(fires, rng.normal(size=z_out.shape), np.nan).astype(dtype)
    same(twin("temporal").backward(dz_out, got_cache), temporal.backward(dz_out, cache), tol(f"order of sums {np.dtype(dtype).name}"))


@pytest.mark.parametrize("dtype", [SINGLE, DOUBLE])
@pytest.mark.parametrize("case", [((2, 4, 3, 2), (3, 2), 3, 1, 1, True), ((1, 5, 5, 1), (3, 3), 2, 2, 0, False),
                                  ((2, 3, 3, 1), (1, 1), 1, 2, 1, True)])
def test_temporal_convolution_is_the_reference(case, dtype, rng):
    """(T13), (T14): windows, padding, strides, with and without the extra input."""
    op, (shape, kernel, n_out, stride, padding, bias) = twin("temporal_conv"), case
    n_in, limit = kernel[0] * kernel[1] * shape[3], tol(f"order of sums {np.dtype(dtype).name}")
    z_in = np.round(np.exp(rng.uniform(0, 2, shape)) * 8) / 8
    z_in[rng.random(shape) < 0.2] = np.inf
    w, b = np.round(16 * rng.normal(2.5 / n_in, 1 / np.sqrt(n_in), (*kernel, shape[3], n_out))) / 16, np.full(n_out, 1.25)
    args = z_in.astype(dtype), w.astype(dtype), b.astype(dtype) if bias else None, stride, padding
    (z_out, cache), (got, got_cache) = temporal_conv.forward(*args), op.forward(*args)
    fires = np.isfinite(z_out)
    assert 0.1 < fires.mean() and (np.isfinite(got) == fires).all()
    same([np.where(fires, got, 0)], [np.where(fires, z_out, 0)], limit)
    dz_out = np.where(fires, rng.normal(size=z_out.shape), np.nan).astype(dtype)
    same(op.backward(dz_out, got_cache), temporal_conv.backward(dz_out, cache), 10 * limit)
    dz_in, *rest = op.backward(dz_out, got_cache, need_dz=False)
    assert dz_in is None
    same(rest, temporal_conv.backward(dz_out, cache)[1:], 10 * limit)


@pytest.mark.parametrize("threshold", [0.3, 0.7])
def test_threshold_is_rounded_to_the_dtype(threshold):
    op, one, w = twin("temporal"), np.ones((1, 1), SINGLE), np.array([[threshold]], SINGLE)
    assert op.forward(one, w, threshold)[0] == np.inf
    assert op.forward(one, np.nextafter(w, SINGLE(1)), threshold)[0] < np.inf
    op = twin("integrate_fire")
    assert op.forward(w, threshold)[0] == 1 and op.forward(np.nextafter(w, SINGLE(0)), threshold)[0] == 0


# -------------------------------------------------------------------------------------------------- integrate and fire

@pytest.mark.parametrize("dtype", [SINGLE, DOUBLE])
@pytest.mark.parametrize("threshold", [0.3, 0.7])
@pytest.mark.parametrize("rule", EVERY_RULE, ids=spelt)
def test_integrate_fire_is_the_reference(rng, rule, threshold, dtype):
    """Forward bit for bit, every rule; backward with every surrogate, reset detached and attached; (I8), (I9), (I10)."""
    op = twin("integrate_fire")
    for shape in ((1, 1, 1), (1, 9), (6, 1, 11), (4, 2, 3, 2)):
        current = (threshold * rng.normal(0.3, 0.6, shape)).astype(dtype)
        current[0].flat[0] = dtype(threshold)                            # meets the threshold
        v_init = (threshold * rng.uniform(-1, 1.5, shape[1:])).astype(dtype) if len(shape) > 2 else 0.0
        spikes, v_final, cache = integrate_fire.forward(current, threshold, v_init, rule)
        got, got_v, got_cache = op.forward(current, threshold, v_init, rule)
        same([got, got_v], [spikes, v_final], 0)
        v = v_init
        for t in range(len(current)):
            s, v = op.step(v, current[t], threshold, rule)
            same([s], [spikes[t]], 0)
        same([v], [v_final], 0)
        dspikes, dv = rng.normal(size=shape).astype(dtype), rng.normal(size=shape[1:]).astype(dtype)
        for surrogate, detach in itertools.product(EVERY_SURROGATE, (True, False)):
            wanted = integrate_fire.backward(dspikes, cache, dv, surrogate, detach)
            largest = max(np.abs(x).max() for x in (*wanted, dspikes, dv))
            found = op.backward(dspikes, got_cache, dv, surrogate, detach)
            for a, b in zip(found, wanted, strict=True):
                assert a.dtype == b.dtype == dtype and a.shape == b.shape
                np.testing.assert_allclose(a, b, rtol=0, atol=tol("surrogate") * np.finfo(dtype).eps * largest)
    assert 0 < spikes.mean() < 1


@pytest.mark.parametrize("dtype", [SINGLE, DOUBLE])
@pytest.mark.parametrize("name, rule", [(name, POOLED_RULES[k % 4]) for k, name in enumerate(SHAPES) if name != "many samples"] + [
    ("rows left over", rule) for rule in POOLED_RULES], ids=str)
def test_pooled_fire_is_the_reference(rng, name, rule, dtype):
    """(I12), (I13) bit for bit, ties, too; (I14), (I15) with the reset detached and attached."""
    op, (shape, size) = twin("pooled_fire"), SHAPES[name]
    for ties in (False, True):
        current, v_init = draw(rng, shape, dtype, ties)
        spikes, v_final, cache = pooled_fire.forward(current, size, 0.75, v_init, rule)
        got, got_v, got_cache = op.forward(current, size, 0.75, v_init, rule)
        same([got, got_v, got_cache.u.copy_to_host()], [spikes, v_final, cache.u], 0)
        s, v = op.step(v_init, current[0], size, 0.75, rule)
        same([s, v], pooled_fire.step(v_init, current[0], size, 0.75, rule), 0)
        assert 0 < spikes.mean() < 1
        dspikes, dv = rng.normal(size=spikes.shape).astype(dtype), rng.normal(size=shape[1:]).astype(dtype)
        for surrogate, detach in itertools.product(EVERY_SURROGATE, (True, False)):
            wanted = pooled_fire.backward(dspikes, cache, dv, surrogate, detach)
            largest = max(np.abs(x).max() for x in (*wanted, dspikes, dv))
            for a, b in zip(op.backward(dspikes, got_cache, dv, surrogate, detach), wanted, strict=True):
                assert a.dtype == b.dtype == dtype and a.shape == b.shape
                np.testing.assert_allclose(a, b, rtol=0, atol=tol("surrogate") * np.finfo(dtype).eps * largest)


@pytest.mark.parametrize("dtype", [SINGLE, DOUBLE])
@pytest.mark.parametrize("rule", EVERY_LEAKY_RULE, ids=spelt_leaky)
def test_leaky_is_the_reference(rng, rule, dtype):
    """(D1), (D2), (D3), (D4) bit for bit where sums are exact, by steps, too; (D7), (D8), (D9), (D10), (D11) to rounding."""
    op, k, fired = twin("leaky"), EVERY_LEAKY_RULE.index(rule), []
    for j, shape in enumerate(((1, 1, 1), (4, 2, 3), (3, 2, 1, 2))):
        args = draw_leaky(rng, shape, rule, PARTS[(k + k // 4 + j) % 4], dtype, exact=True)
        args |= {"beta": 0.5, "threshold": 0.75} if j == 2 else {}
        (spikes, v, cache), (got, got_v, got_cache) = leaky.forward(**args), op.forward(**args)
        same([got, got_v, op.potentials(got_cache).copy_to_host()], [spikes, v, leaky.potentials(cache)], 0)
        fired += spikes.ravel().tolist()
        state, more = args["v_init"], {name: x for name, x in args.items() if name not in ("current", "v_init")}
        for t, x in enumerate(args["current"]):
            s, state = op.step(state, x, **more)
            same([s], [spikes[t]], 0)
        same([state.v], [v], 0)
        d, surrogate, detach = upstream(rng, shape, dtype), EVERY_SURROGATE[(k + j) % 4], bool((k + j) // 2 % 2)
        d = d if j else (*d[:2], None)
        wanted, found = leaky.backward(d[0], cache, *d[1:], surrogate, detach), op.backward(d[0], got_cache, *d[1:], surrogate, detach)
        largest = max(np.abs(x).max() for x in (*(g for g in wanted if g is not None), *d[:2]))
        for name, a, b in zip(wanted._fields, found, wanted, strict=True):
            assert (a is None) == (b is None)
            if b is not None:
                assert a.dtype == b.dtype == dtype and np.shape(a) == np.shape(b), name
                np.testing.assert_allclose(a, b, rtol=0, atol=tol("surrogate") * np.finfo(dtype).eps * largest, err_msg=name)
    assert 0.05 < np.mean(fired) < 0.95


@pytest.mark.parametrize("dtype", [SINGLE, DOUBLE])
def test_leaky_readout_is_the_reference(rng, dtype):
    """(D12)."""
    op = twin("leaky")
    for parts in PARTS[:2]:
        args = draw_leaky(rng, (4, 2, 3), EVERY_LEAKY_RULE[-1], parts, dtype, exact=True)
        given = args["current"], args["beta"], args["v_init"], args.get("alpha")
        (v, cache), (got, got_cache) = leaky.integrate(*given), op.integrate(*given)
        same([got], [v], 0)
        dv = rng.normal(size=v.shape).astype(dtype)
        same(op.integrate_backward(dv, got_cache), leaky.integrate_backward(dv, cache), 16 * np.finfo(dtype).eps)


def test_surrogates_never_overflow():
    """(I7) at 1e30 and the largest float32."""
    far = np.array([[-1e30, 1e30, np.finfo(SINGLE).max, 1.5]], SINGLE)
    for surrogate in EVERY_SURROGATE:
        op = twin("integrate_fire")
        dx, _ = op.backward(np.ones_like(far), op.forward(far)[2], surrogate=surrogate, detach_reset=False)
        assert np.isfinite(dx).all() and dx[0, -1] > 0


# ---------------------------------------------------------------------------------------------- a network of ReLU units

@pytest.mark.parametrize("case, dtype", [*((case, DOUBLE) for case in CONVS.values()), *((CONVS[k], SINGLE) for k in ("same", "stride 2"))],
                         ids=[*CONVS, "same, float32", "stride 2, float32"])
def test_convolution_is_the_reference(rng, case, dtype):
    """(R2), (R3), (R4)."""
    op, (x, w, stride, padding), limit = twin("conv"), draw_conv(rng, *case, dtype), tol(f"order of sums {np.dtype(dtype).name}")
    y, cache = conv.conv2d_forward(x, w, stride, padding)
    got, got_cache = op.conv2d_forward(x, w, stride, padding)
    same([got], [y], limit)
    dy = rng.normal(size=y.shape).astype(dtype)
    wanted = conv.conv2d_backward(dy, cache)
    same(op.conv2d_backward(dy, got_cache), wanted, limit)
    assert op.conv2d_backward(dy, got_cache, False)[0] is None


@pytest.mark.parametrize("dtype", [SINGLE, DOUBLE])
def test_dense_is_the_reference(rng, dtype):
    """(R1) with and without b, sizes beside the blocks."""
    op, limit = twin("dense"), tol(f"order of sums {np.dtype(dtype).name}")
    for n_batch, n_in, n_out in ((1, 1, 1), (5, 7, 9), (4, 3, 8)):
        x, w, b = (rng.normal(size=s).astype(dtype) for s in ((n_batch, n_in), (n_in, n_out), (n_out,)))
        for extra in ((b,), ()):
            y, cache = dense.dense_forward(x, w, *extra)
            got, got_cache = op.dense_forward(x, w, *extra)
            same([got], [y], limit)
            same(op.dense_backward(y, got_cache), dense.dense_backward(y, cache), limit)


@pytest.mark.parametrize("dtype", [SINGLE, DOUBLE])
@pytest.mark.parametrize("case", POOLS.values(), ids=POOLS)
def test_pooling_is_the_reference(rng, case, dtype):
    """(R5), (R6) on whole numbers full of ties: not a single bit apart."""
    *shape, size, stride = case
    x, op = rng.integers(0, 4, shape).astype(dtype), twin("pool")
    for kind in ("max", "avg"):
        y, cache = getattr(pool, f"{kind}_pool2d_forward")(x, size, stride)
        got, got_cache = getattr(op, f"{kind}_pool2d_forward")(x, size, stride)
        dy = rng.normal(size=y.shape).astype(dtype)
        back = [getattr(module, f"{kind}_pool2d_backward")(dy, found) for module, found in ((op, got_cache), (pool, cache))]
        same([got, back[0]], [y, back[1]], 0 if kind == "max" or size < 17 else tol(f"order of sums {np.dtype(dtype).name}"))


@pytest.mark.parametrize("dtype", [SINGLE, DOUBLE])
@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (2, 3, 4, 5), (11, 2)], ids=str)
def test_batch_norm_is_the_reference(rng, shape, dtype):
    """(R7), (R8), (R9), (R10): statistics of the batch, or constants."""
    op, n_c, limit = twin("batch_norm"), shape[-1], tol(f"order of sums {np.dtype(dtype).name}")
    x, dy = rng.normal(3, 2, shape).astype(dtype), rng.normal(size=shape).astype(dtype)
    gamma, beta, mean = rng.normal(size=(3, n_c)).astype(dtype)
    var = rng.uniform(0.5, 2, n_c).astype(dtype)
    for given in ((None, None), (mean, var)):
        y, cache = batch_norm.batch_norm_forward(x, gamma, beta, *given)
        got, got_cache = op.batch_norm_forward(x, gamma, beta, *given)
        same([got, got_cache.mean, got_cache.var], [y, cache.mean, cache.var], limit)
        size = np.abs(dy).max() * np.abs(gamma / np.sqrt(cache.var + cache.eps)).max()
        for a, b in zip(op.batch_norm_backward(dy, got_cache), batch_norm.batch_norm_backward(dy, cache), strict=True):
            assert a.dtype == b.dtype and a.shape == b.shape
            np.testing.assert_allclose(a, b, rtol=0, atol=limit * max(np.abs(b).max(), size))
    same(op.fold(x, gamma, beta, mean, var), batch_norm.fold(x, gamma, beta, mean, var), 0)


@pytest.mark.parametrize("dtype", [SINGLE, DOUBLE])
def test_activations_are_the_reference(rng, dtype):
    """(R11), (R12), (R14) and flattening: not a single bit apart."""
    op, x, dy = twin("activations"), *rng.normal(size=(2, 3, 2, 4, 3)).astype(dtype)
    for name, *options in (("relu",), ("relu", 0.7), ("relu", 0.7, 5), ("flatten",), ("dropout", 0.4)):
        runs = []
        for module in (op, activations):
            more = (*options, np.random.default_rng(3)) if name == "dropout" else options
            y, cache = getattr(module, f"{name}_forward")(x, *more)
            runs.append([y, getattr(module, f"{name}_backward")(dy.reshape(y.shape), cache)])
        same(*runs, 0)


def test_nan_is_not_hidden():
    x = np.zeros((1, 2, 4, 1))
    x[0, :, :2] = np.array([[1, np.nan], [3, 4]])[..., None]
    assert np.isnan(twin("pool").max_pool2d_forward(x)[0]).tolist() == [[[[True], [False]]]]
    assert all(np.isnan(twin("activations").relu_forward(x, *how)[0]).sum() == 1 for how in ((), (1.0, 4)))


@pytest.mark.parametrize("rule", RULES, ids=spelt)
@pytest.mark.parametrize("shape, convs, denses", [((4, 5, 1), [(3, "max"), (2, "avg")], [5, 3]), ((6,), [], [9, 2])], ids=["image", "flat"])
def test_a_network_over_time_is_the_reference(rng, shape, convs, denses, rule):
    """Every sum is exact, so no spike may differ."""
    stages, x = network(rng, shape, convs, denses, SINGLE, 64), images(rng, shape, 2, SINGLE)
    for output in (True, False):
        args = stages, x, 3, 0.75, 0.25, rule, output, [1, 3], True
        ref, got = spiking.run(*args), twin("spiking").run(*args)
        assert_same(got, ref)
        assert len(ref.n_spikes) == len(stages) and ref.n_spikes[0] > 0


@pytest.mark.parametrize("rule", POOLED_RULES, ids=spelt)
@pytest.mark.parametrize("name", ["pooled inside", "currents given", "currents given, not pooled", "flat"])
def test_a_network_that_pools_inside_is_the_reference(rng, name, rule):
    """(I12), (I13), (P14): first potentials channel by channel, currents given in the place of the first weights."""
    stages, x = network_inside(rng, *INSIDE[name], SINGLE), images(rng, INSIDE[name][0], 2, SINGLE)
    for output in (True, False):
        args = stages, x, 3, 0.75, 0.25, rule, output, [1, 3], True
        ref, got = spiking.run(*args), twin("spiking").run(*args)
        assert_same(got, ref)
        same(got.channels, ref.channels, 0)
        assert min(ref.n_spikes[:-1]) > 0


def test_threads_of_a_block_share_their_arrays(rng, monkeypatch):
    """However slowly a simulated shared array is made, there is one, not one a thread."""
    target = twin("_target")
    if not target.SIMULATED:
        pytest.skip("a GPU has its own shared memory")
    x, w = rng.normal(size=(3, 7)), rng.normal(size=(7, 5))
    wanted, empty = dense.dense_forward(x, w)[0], np.empty

    def slowly(*args, **more):
        time.sleep(0.01)
        return np.full_like(empty(*args, **more), np.nan)

    from numba.cuda.simulator import kernelapi
    monkeypatch.setattr(kernelapi.np, "empty", slowly)
    got = twin("dense").dense_forward(x, w)[0]
    np.testing.assert_allclose(got, wanted, rtol=1e-12)


def test_same_bits_each_run(rng):
    """Sums have one owner and one order; dw is made of parts."""
    op, (x, w, stride, padding) = twin("conv"), draw_conv(rng, 3, 5, 4, 2, 3, 3, 3, 1, 1, SINGLE)
    runs = []
    for _ in range(2):
        y, cache = op.conv2d_forward(x, w, stride, padding)
        runs.append([a.tobytes() for a in (y, *op.conv2d_backward(y, cache))])
    assert runs[0] == runs[1]
