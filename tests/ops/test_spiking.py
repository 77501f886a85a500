"""The streaming engine: its two backends agree to the last bit where sums are exact, and memory, bits and streams are as promised."""

import os
import subprocess
import sys

import numpy as np
import pytest

from pysnn import _threads
from pysnn.conventions import Rule, Stage
from pysnn.reference import spiking as reference
from tests.cases import ROOT
from tests.cases.backends import operation
from tests.cases.pooled_fire import POOLED_RULES
from tests.cases.spiking import INSIDE, NETS, RULES, assert_same, images, network, network_inside, step_by_step


@pytest.fixture(scope="module")
def engine():
    return operation("spiking", "numba")


@pytest.fixture
def threads():
    """Set the number of threads; put it back."""
    before = _threads.get_threads()
    yield _threads.set_threads
    _threads.set_threads(before)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rule", RULES, ids=lambda r: "-".join(r))
@pytest.mark.parametrize("name", NETS)
def test_backends_agree_bit_for_bit(engine, rng, threads, name, rule, dtype):
    stages, x = network(rng, *NETS[name], dtype), images(rng, NETS[name][0], 6, dtype)
    for firing in (True, False):
        ref = reference.run(stages, x, 11, 1.0, 0.5, rule, firing, [1, 4, 11], True)
        assert ref.n_spikes[0] > 0 and np.ptp(ref.counts) > 0
        assert ref.counts.dtype == ref.potential.dtype == dtype
        for n in (1, 2, 3):
            threads(n)
            assert_same(engine.run(stages, x, 11, 1.0, 0.5, rule, firing, [1, 4, 11], True), ref)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rule", POOLED_RULES, ids=lambda r: "-".join(r))
@pytest.mark.parametrize("name", INSIDE)
@pytest.mark.parametrize("backend", ["reference", "engine"])
def test_pooling_inside_is_a_plain_loop(engine, rng, threads, backend, name, rule, dtype):
    """(I12), (I13), (P14): by products, and by the reference, every number of a run; more images than a block holds."""
    run = {"reference": reference, "engine": engine}[backend].run
    stages, x = network_inside(rng, *INSIDE[name], dtype), images(rng, INSIDE[name][0], 19, dtype)
    for firing in (True, False):
        counts, potential, n_spikes, layer_counts, channels = step_by_step(stages, x, 7, 1.0, 0.5, rule, firing, [1, 4, 7])
        assert min(n_spikes[:-1]) > 0 and np.ptp(counts) > 0
        for n in (1, 2) if backend == "engine" else (1,):
            threads(n)
            got = run(stages, x, 7, 1.0, 0.5, rule, firing, [1, 4, 7], True)
            assert got.counts.dtype == got.potential.dtype == dtype and got.n_spikes == n_spikes
            for a, b in zip((got.counts, got.potential, *got.layer_counts, *got.channels), (counts, potential, *layer_counts, *channels),
                            strict=True):
                np.testing.assert_array_equal(a, b)
        assert run(stages, x, 7, 1.0, 0.5, rule, firing).layer_counts is None


def test_by_products_and_by_events_agree(engine, rng):
    """First potentials that are the same for all channels change the way, and nothing else."""
    stages, x = network(rng, *NETS["dense on an image"], np.float32), images(rng, (5, 4, 2), 6, np.float32)
    same = [stages[0]._replace(v_init=np.full(30, 0.5, np.float32)), *stages[1:]]
    by_events = engine.run(stages, x, 11, 1.0, 0.5, keep_counts=True)
    assert by_events.n_spikes[0] > 0
    assert_same(engine.run(same, x, 11, 1.0, 0.5, keep_counts=True), by_events)


def test_views_are_accepted(engine, rng):
    stages, x = network_inside(rng, *INSIDE["currents given"], np.float32), images(rng, (7, 6, 3), 3, np.float32)
    padded = np.zeros((6, 7, 6, 6), np.float32)
    padded[::2, ..., ::2] = x
    padded.flags.writeable = False
    assert_same(engine.run(stages, padded[::2, ..., ::2], 5), engine.run(stages, x, 5))


@pytest.mark.parametrize("busy", [0.0, 1.0])
def test_dense_layers_by_product_and_by_events(engine, rng, monkeypatch, busy):
    from pysnn.kernels import _event_dense as event_dense
    stages, x = network(rng, *NETS["dense alone"], np.float32), images(rng, (50,), 6, np.float32)
    ref = reference.run(stages, x, 20)
    assert ref.n_spikes[1] > 0
    monkeypatch.setattr(event_dense, "_BUSY", busy)        # 0: always a product, 1: never
    assert_same(engine.run(stages, x, 20), ref)


@pytest.mark.parametrize("backend", ["reference", "engine"])
def test_counts_at_some_steps_are_those_of_shorter_runs(engine, rng, backend):
    run = {"reference": reference, "engine": engine}[backend].run
    stages, x = network(rng, *NETS["one convolution, pooled"], np.float32), images(rng, (6, 6, 3), 3, np.float32)
    whole = run(stages, x, 20, at=[3, 9, 20])
    for k, n in enumerate((3, 9, 20)):
        np.testing.assert_array_equal(whole.counts[k], run(stages, x, n).counts[0])
    assert (np.diff(whole.counts, axis=0) >= 0).all() and whole.counts[-1].max() > 3


def test_silence_and_saturation(engine, rng):
    """Nothing comes of nothing; and where every current exceeds the threshold every neuron fires at every step."""
    for gain, rate in ((0.0, 0), (1.0, 1)):
        stages = [Stage(np.full((3, 3, 1, 20), gain, np.float32), None, "max"), Stage(np.full((180, 17), gain, np.float32))]
        found = engine.run(stages, np.ones((2, 6, 6, 1), np.float32), 9, keep_counts=True)
        assert found.n_spikes == [rate * 9 * 2 * 720, rate * 9 * 2 * 17]
        assert (found.counts == 9 * rate).all() and (found.layer_counts[0] == 9 * rate).all()


def test_outputs_that_do_not_exist_never_fire(engine, rng):
    """Blocks of outputs are padded; with v_init at the threshold a padded neuron would fire at once, and be counted."""
    stages = [Stage(np.zeros((3, 3, 1, 3), np.float32)), Stage(np.zeros((27, 5), np.float32))]
    found = engine.run(stages, np.ones((1, 3, 3, 1), np.float32), 4, 1.0, 1.0)
    assert found.n_spikes == [27, 5]


def test_samples_do_not_meet(engine, rng):
    """Exact sums: with weights that are no multiples of a power of 2, grouping may change roundings."""
    stages, x = network(rng, *NETS["odd channels, wide dense"], np.float32), images(rng, (8, 8, 1), 9, np.float32)
    together = engine.run(stages, x, 10, keep_counts=True)
    alone = [engine.run(stages, x[b:b + 1], 10, keep_counts=True) for b in range(9)]
    np.testing.assert_array_equal(together.counts, np.concatenate([a.counts for a in alone], axis=1))
    assert together.n_spikes == [sum(n) for n in zip(*(a.n_spikes for a in alone), strict=True)]


@pytest.mark.parametrize("change, message", [
    (lambda a: a | {"x": a["x"].astype(np.float64)}, "expected one float dtype"),
    (lambda a: a | {"x": a["x"][0]}, "stage 1"),
    (lambda a: a | {"x": (255 * a["x"]).astype(np.uint8)}, "x: expected float32 or float64"),
    (lambda a: a | {"n_steps": 0}, "n_steps: expected a whole number of at least 1, got 0"),
    (lambda a: a | {"n_steps": 2.5}, "n_steps: expected a whole number"),
    (lambda a: a | {"at": [3, 2]}, "at: expected rising steps from 1 to 5"),
    (lambda a: a | {"at": [6]}, "at: expected rising steps from 1 to 5"),
    (lambda a: a | {"stages": a["stages"][:1]}, "the last of them dense"),
    (lambda a: a | {"stages": []}, "expected at least one"),
    (lambda a: a | {"stages": [a["stages"][0]._replace(pool="mean"), a["stages"][1]]}, "pool of stage 1"),
    (lambda a: a | {"stages": [a["stages"][0], a["stages"][1]._replace(w=a["stages"][1].w[1:])]}, "w of stage 2: expected shape"),
    (lambda a: a | {"stages": [a["stages"][0]._replace(b=a["stages"][0].b[1:]), a["stages"][1]]}, "b of stage 1: expected shape"),
    (lambda a: a | {"stages": [a["stages"][0], a["stages"][1]._replace(w=None)]}, "the last of them dense"),
    (lambda a: a | {"stages": [a["stages"][0], Stage(None), a["stages"][1]]}, "w of stage 2: expected weights, got None"),
    (lambda a: a | {"stages": [a["stages"][0]._replace(v_init=np.zeros(2, np.float32)), a["stages"][1]]},
     "v_init of stage 1: expected shape"),
    (lambda a: a | {"stages": [a["stages"][0]._replace(v_init=np.zeros(64)), a["stages"][1]]}, "v_init of stage 1 is float64"),
    (lambda a: a | {"stages": [a["stages"][0]._replace(pool="inside"), a["stages"][1]], "rule": Rule(timing="next")},
     "rule: expected timing 'same' where neurons pool inside or begin channel by channel, got 'next'"),
    (lambda a: a | {"x": a["x"][:, :1], "stages": [a["stages"][0]._replace(pool="inside"), a["stages"][1]]},
     "pool of stage 1: expected a map of at least 2 x 2, got 1 x 6"),
    (lambda a: a | {"rule": "zero"}, "rule: expected a Rule, got str 'zero'"),
    (lambda a: a | {"threshold": 0.0}, "threshold: expected a positive number"),
    (lambda a: a | {"threshold": np.nan}, "threshold: expected a positive number"),
    (lambda a: a | {"threshold": 1e-50}, "threshold as float32: expected a positive number"),
    (lambda a: a | {"threshold": 1e39}, "threshold as float32: expected a positive number"),
    (lambda a: a | {"v_init": np.nan}, "v_init: expected a finite number"),
    (lambda a: a | {"v_init": np.zeros(2)}, "v_init: expected a finite number"),
    (lambda a: a | {"v_init": "half"}, "v_init: expected a finite number"),
    (lambda a: a | {"rule": Rule("sometimes")}, "rule: expected reset to be one of subtract, zero"),
])
@pytest.mark.parametrize("backend", ["reference", "engine"])
def test_bad_input(engine, rng, backend, change, message):
    good = {"stages": network(rng, *NETS["one convolution, pooled"], np.float32), "x": images(rng, (6, 6, 3), 2, np.float32), "n_steps": 5}
    run = {"reference": reference, "engine": engine}[backend].run
    run(**good)
    with pytest.raises((TypeError, ValueError), match=message):
        run(**change(good))


def test_kernels_run_as_python_where_numba_is_told_not_to_compile():
    """For debugging and coverage; the two machine-level loops have twins in Python, which say what they do."""
    code = """
import numpy as np, numba
from pysnn.kernels import spiking, temporal
from pysnn.reference import spiking as reference
from tests.cases import spiking as t
assert numba.config.DISABLE_JIT
rng = np.random.default_rng(0)
for name in ("one convolution, pooled", "means of four before dense", "dense alone"):
    stages, x = t.network(rng, *t.NETS[name], np.float32), t.images(rng, t.NETS[name][0], 2, np.float32)
    ref = reference.run(stages, x, 4, keep_counts=True)
    assert ref.n_spikes[1] > 0
    t.assert_same(spiking.run(stages, x, 4, keep_counts=True), ref)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120,
                   env={**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(ROOT)})
