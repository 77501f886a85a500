"""The CUDA twins refuse what the reference refuses, in the same words; arrays on the device stay there; what does not fit is said."""

import numpy as np
import pytest

from pysnn import reference
from pysnn.conventions import Rule, Stage
from pysnn.reference import (
    activations,
    batch_norm,
    conv,
    delays,
    dense,
    integrate_fire,
    leaky,
    pool,
    pooled_fire,
    spike_times,
    spiking,
    temporal,
    theta,
)
from tests.cases import integrate_fire as of_integrate_fire
from tests.cases import leaky as of_leaky
from tests.cases import pooled_fire as of_pooled_fire
from tests.cases import temporal as of_temporal
from tests.cases.cuda_twin import same, shrink, twin
from tests.cases.relu import BAD
from tests.cases.spiking import images, network

pytestmark = pytest.mark.cuda
REFERENCE = {module.__name__.rpartition(".")[2]: module for module in
             (activations, batch_norm, conv, delays, dense, integrate_fire, leaky, pool, pooled_fire, spike_times, spiking, temporal,
              theta)}
assert reference.__doc__


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Small blocks for all tests."""
    shrink(monkeypatch)


def refused(call, *args, **more):
    """Return the error of a call."""
    with pytest.raises((TypeError, ValueError)) as caught:
        call(*args, **more)
    return type(caught.value), str(caught.value)


# ------------------------------------------------------------------------------------------------------- the same words

FORWARD = {**{f"temporal: {name}": ("temporal", "forward", row[0], {}) for name, row in of_temporal.BAD_FORWARD.items()},
           **{f"integrate_fire: {name}": ("integrate_fire", "forward", *row[:2]) for name, row in of_integrate_fire.BAD_FORWARD.items()},
           **{f"step: {name}": ("integrate_fire", "step", row[0], {}) for name, row in of_integrate_fire.BAD_STEP.items()},
           **{f"pooled_fire: {name}": ("pooled_fire", "forward", *row[:2]) for name, row in of_pooled_fire.BAD_FORWARD.items()},
           **{f"pooled step: {name}": ("pooled_fire", "step", row[0], {}) for name, row in of_pooled_fire.BAD_STEP.items()},
           **{f"leaky: {name}": ("leaky", "forward", *row[:2]) for name, row in of_leaky.BAD_FORWARD.items()},
           **{f"leaky step: {name}": ("leaky", "step", row[0], {}) for name, row in of_leaky.BAD_STEP.items()},
           **{f"readout: {name}": ("leaky", "integrate", row[0], {}) for name, row in of_leaky.BAD_INTEGRATE.items()},
           **{name: (row[0], f"{row[1]}_forward", row[2], {}) for name, row in BAD.items()}}


@pytest.mark.parametrize("module, name, args, more", FORWARD.values(), ids=FORWARD)
def test_forward_refuses(module, name, args, more):
    assert refused(getattr(twin(module), name), *args, **more) == refused(getattr(REFERENCE[module], name), *args, **more)


Z, W = of_temporal.Z, of_temporal.W
IN_TIME = (("spike_times", "leaky_equal_", ()), ("spike_times", "leaky_double_", ()), ("spike_times", "alpha_", ()), ("theta", "", (1.0,)),
           ("delays", "", (W,)))


@pytest.mark.parametrize("module, prefix, more", IN_TIME, ids=str)
def test_neurons_with_exact_times_refuse(module, prefix, more):
    """Shapes, dtypes, numbers, and on the device, too, times that are none."""
    calls = [getattr(m, f"{prefix}forward") for m in (twin(module), REFERENCE[module])]
    for args in ((Z[0], W, *more), (Z, W.astype(np.float32), *more), (Z[:0], W, *more), (Z, W, *more, 0.0)):
        first, second = (refused(call, *args) for call in calls)
        assert first == second
    for bad in (np.nan, -np.inf, *((0.0,) if module == "delays" else (-1.0,) if module == "theta" else ())):
        t = np.array([[1.0, bad, 3.0]])
        assert refused(calls[0], t, W, *more) == refused(calls[0], on_device(t), on_device(W), *more) == refused(calls[1], t, W, *more)
    backs = [getattr(m, f"{prefix}backward") for m in (twin(module), REFERENCE[module])]
    caches = [call(Z, W, *more)[1] for call in calls]
    for bad in (np.ones((2, 1)), np.ones((1, 2), np.float32), [[1.0, 1.0]]):
        first, second = (refused(back, bad, cache) for back, cache in zip(backs, caches, strict=True))
        assert first == second


def test_bad_delays_are_refused():
    for delay in (W[:2], -W, W * np.nan, W * 710, W.astype(np.float32)):
        assert refused(twin("delays").forward, Z, W, delay) == refused(delays.forward, Z, W, delay)
    assert refused(twin("delays").forward, Z, W, on_device(-W)) == refused(delays.forward, Z, W, -W)


@pytest.mark.parametrize("dz_out", [row[0] for row in of_temporal.BAD_BACKWARD.values()], ids=of_temporal.BAD_BACKWARD)
def test_backward_of_temporal_refuses(dz_out):
    caches = [module.forward(of_temporal.Z, of_temporal.W)[1] for module in (twin("temporal"), temporal)]
    assert refused(twin("temporal").backward, dz_out, caches[0]) == refused(temporal.backward, dz_out, caches[1])


@pytest.mark.parametrize("row", of_integrate_fire.BAD_BACKWARD.values(), ids=of_integrate_fire.BAD_BACKWARD)
def test_backward_of_integrate_fire_refuses(row):
    (d, *_), more = row[:2]
    caches = [module.forward(of_integrate_fire.X)[2] for module in (twin("integrate_fire"), integrate_fire)]
    assert refused(twin("integrate_fire").backward, d, caches[0], **more) == refused(integrate_fire.backward, d, caches[1], **more)


@pytest.mark.parametrize("row", of_pooled_fire.BAD_BACKWARD.values(), ids=of_pooled_fire.BAD_BACKWARD)
def test_backward_of_pooled_fire_refuses(row):
    (d, *_), more = row[:2]
    caches = [module.forward(of_pooled_fire.X)[2] for module in (twin("pooled_fire"), pooled_fire)]
    assert refused(twin("pooled_fire").backward, d, caches[0], **more) == refused(pooled_fire.backward, d, caches[1], **more)


@pytest.mark.parametrize("row", of_leaky.BAD_BACKWARD.values(), ids=of_leaky.BAD_BACKWARD)
def test_backward_of_leaky_refuses(row):
    (d, *_), more = row[:2]
    caches = [module.forward(of_leaky.X, 0.5)[2] for module in (twin("leaky"), leaky)]
    assert refused(twin("leaky").backward, d, caches[0], **more) == refused(leaky.backward, d, caches[1], **more)


def calls(rng):
    """Every other operation with good arguments: module, name, arguments."""
    x, flat = rng.normal(size=(2, 4, 3, 2)), rng.normal(size=(3, 5))
    return [("conv", "conv2d", (x, rng.normal(size=(3, 3, 2, 3)), 1, 1)), ("dense", "dense", (flat, rng.normal(size=(5, 2)), np.ones(2))),
            ("pool", "max_pool2d", (x,)), ("pool", "avg_pool2d", (x,)), ("activations", "relu", (x,)),
            ("activations", "relu", (x, 1.0, 4)), ("activations", "flatten", (x,)),
            ("activations", "dropout", (x, 0.5, np.random.default_rng(0))), ("batch_norm", "batch_norm", (x, np.ones(2), np.ones(2)))]


def test_backward_of_the_others_refuses(rng):
    for module, name, args in calls(rng):
        ops = twin(module), REFERENCE[module]
        (y, *_), caches = (pair := [getattr(op, f"{name}_forward")(*args) for op in ops])[0], [found[1] for found in pair]
        for bad in (y[:1], y.astype(np.float32), y.tolist(), y.astype(int), None):
            first, second = (refused(getattr(op, f"{name}_backward"), bad, cache) for op, cache in zip(ops, caches, strict=True))
            assert first == second


@pytest.mark.parametrize("change", [{"n_steps": 0}, {"at": [2, 1]}, {"threshold": -1.0}, {"v_init": np.nan}, {"rule": "zero"},
                                    {"x": np.ones((2, 3), int)}, {"x": np.ones((2, 9))}, {"stages": []},
                                    {"stages": [Stage(None), Stage(None)]}, {"stages": [Stage(np.ones((4, 2)), v_init=np.ones(3))]},
                                    {"stages": [Stage(np.ones((4, 2)), v_init=np.ones(2))], "rule": Rule(timing="next")}], ids=str)
def test_spiking_refuses(rng, change):
    args = {"stages": network(rng, (4,), [], [3, 2], np.float64), "x": images(rng, (4,), 2, np.float64), "n_steps": 2} | change
    assert refused(twin("spiking").run, **args) == refused(spiking.run, **args)


# ------------------------------------------------------------------------------------------------ arrays on the device

def on_device(x):
    """Copy an array to the device; other arguments stay."""
    return twin("_target").send(x, x, "x") if isinstance(x, np.ndarray) else x


def test_device_in_device_out(rng):
    """The same numbers, and nothing is copied back."""
    target = twin("_target")
    for module, name, args in calls(rng):
        op = twin(module)
        if name == "dropout":
            args = (*args[:2], np.random.default_rng(5))
        y, cache = getattr(op, f"{name}_forward")(*args)
        if name == "dropout":
            args = (*args[:2], np.random.default_rng(5))
        got, got_cache = getattr(op, f"{name}_forward")(*map(on_device, args))
        assert target.on_device(got) and isinstance(y, np.ndarray)
        grads, got_grads = (getattr(op, f"{name}_backward")(d, c) for d, c in ((y, cache), (got, got_cache)))
        pairs = zip((got, *(got_grads if isinstance(got_grads, tuple) else (got_grads,))),
                    (y, *(grads if isinstance(grads, tuple) else (grads,))), strict=True)
        for a, b in pairs:
            assert target.on_device(a)
            np.testing.assert_array_equal(a.copy_to_host(), b)


def test_device_arrays_of_others_are_looked_at_by_the_interface():
    """PyTorch's dtype is not NumPy's; what counts is __cuda_array_interface__."""
    class Foreign:
        dtype = "torch.float32"
        __cuda_array_interface__ = property(lambda self: {"shape": (2, 3), "typestr": "<f4", "data": (0, False), "version": 3})

    found = twin("_target").stand_in(Foreign(), 1)
    assert found.shape == (2, 3) and found.dtype == np.float32 and (found == 1).all()


def test_device_in_device_out_of_neurons(rng):
    target, z, w = twin("_target"), np.exp(rng.uniform(0, 2, (2, 4))), rng.uniform(0, 1, (4, 3))
    for module, prefix, more in (("temporal", "", ()), *IN_TIME[:-1], *(("delays", "", (d,)) for d in (w, w[:, :1].copy(), w[:1]))):
        forward, backward = (getattr(twin(module), f"{prefix}{way}") for way in ("forward", "backward"))
        (y, cache), (got, got_cache) = forward(z, w, *more), forward(on_device(z), on_device(w), *map(on_device, more))
        ones = np.ones_like(y)
        for a, b in zip((got, *backward(on_device(ones), got_cache)), (y, *backward(ones, cache)), strict=True):
            assert target.on_device(a)
            np.testing.assert_array_equal(a.copy_to_host(), b)
    for name, shape, size in (("integrate_fire", (3, 2, 4), ()), ("pooled_fire", (3, 2, 4, 5, 1), (2,))):
        op, x = twin(name), rng.normal(0.3, 0.6, shape)
        (*outs, cache), (*gots, got_cache) = op.forward(x), op.forward(on_device(x))
        outs += [*op.backward(outs[0], cache), *op.step(0.5, x[0], *size, 1.0, cache.rule)]
        gots += [*op.backward(gots[0], got_cache), *op.step(0.5, on_device(x[0]), *size, 1.0, cache.rule)]
        for a, b in zip(gots, outs, strict=True):
            assert target.on_device(a)
            np.testing.assert_array_equal(a.copy_to_host(), b)


def test_leaky_of_device_arrays_gives_device_arrays(rng):
    """Parameters may be on the device, too; gradients of numbers are numbers."""
    target, op = twin("_target"), twin("leaky")
    args = of_leaky.draw(rng, (3, 2, 4), of_leaky.EVERY_LEAKY_RULE[0], ("alpha", "w_rec"), exact=True) | {"threshold": 0.75}
    there = {name: on_device(x) if isinstance(x, np.ndarray) else x for name, x in args.items()}
    (spikes, v, cache), (*gots, got_cache) = leaky.forward(**args), op.forward(**there)
    wanted, found = leaky.backward(spikes, cache), op.backward(gots[0], got_cache)
    gots += [found.dcurrent, found.dbeta, found.dv_init, found.dalpha, found.dw_rec]
    for a, b in zip(gots, [spikes, v, wanted.dcurrent, wanted.dbeta, wanted.dv_init, wanted.dalpha, wanted.dw_rec], strict=True):
        assert target.on_device(a)
        np.testing.assert_allclose(a.copy_to_host(), b, rtol=0, atol=1e-13)
    np.testing.assert_allclose(found.dthreshold, wanted.dthreshold, rtol=1e-13)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, -np.inf])
def test_bad_times_on_the_device_are_named(bad):
    """They are looked for on the device, and the words are the reference's."""
    z, w = np.array([[1.0, 2.0, bad]]), np.ones((3, 2))
    assert refused(twin("temporal").forward, on_device(z), on_device(w)) == refused(temporal.forward, z, w)


def test_bad_shapes_on_the_device_are_named(rng):
    x, w = rng.normal(size=(2, 3)), rng.normal(size=(4, 2))
    assert refused(twin("dense").dense_forward, on_device(x), on_device(w)) == refused(dense.dense_forward, x, w)
    assert refused(twin("dense").dense_forward, on_device(x), w.astype(np.float32)) == refused(dense.dense_forward, x, w.astype(np.float32))


def test_views_are_accepted_and_left_alone(rng):
    x, w = rng.normal(size=(4, 6)), rng.normal(size=(3, 2))
    frozen = x.copy()
    frozen.flags.writeable = False
    y, cache = twin("dense").dense_forward(frozen[::2, ::2], w)
    ref, ref_cache = dense.dense_forward(x[::2, ::2], w)
    same([y, *twin("dense").dense_backward(np.asfortranarray(y), cache)[:2]], [ref, *dense.dense_backward(ref, ref_cache)[:2]], 1e-12)
    np.testing.assert_array_equal(frozen, x)


# --------------------------------------------------------------------------------------------------------- no more room

def full(*args, **kwargs):
    """Fail as the driver does."""
    raise RuntimeError("[2] Call to cuMemAlloc results in CUDA_ERROR_OUT_OF_MEMORY")


def test_out_of_memory_says_what_was_asked_for(monkeypatch, rng):
    target, x, w = twin("_target"), rng.normal(size=(5, 3)), rng.normal(size=(3, 2))
    monkeypatch.setattr(target.cuda, "device_array", full)
    with pytest.raises(MemoryError, match=r"^out of memory on the GPU: y of shape \(5, 2\) and dtype float64 needs 80 bytes; ") as caught:
        twin("dense").dense_forward(x, w)
    assert "\n" not in str(caught.value) and "a smaller batch needs less" in str(caught.value)
    monkeypatch.setattr(target.cuda, "to_device", full)
    with pytest.raises(MemoryError, match=r"x of shape \(5, 3\) and dtype float64 needs 120 bytes"):
        twin("dense").dense_forward(x, w)


def test_an_array_that_fits_nowhere():
    with pytest.raises(MemoryError, match=r"u of shape \(1000000, 1000000, 1000\) and dtype float32 needs 4,000,000,000,000,000 bytes"):
        twin("_target").empty((10**6, 10**6, 10**3), np.float32, "u")


def test_other_errors_are_not_called_out_of_memory(monkeypatch):
    def broken(*args):
        raise RuntimeError("[700] CUDA_ERROR_ILLEGAL_ADDRESS")
    target = twin("_target")
    monkeypatch.setattr(target.cuda, "device_array", broken)
    with pytest.raises(RuntimeError, match="ILLEGAL_ADDRESS"):
        target.empty((2,), np.float32, "y")
