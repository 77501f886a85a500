"""One training step with the CUDA operations equals that of the reference: temporal 784-100-10, and proxy on fashion-proxy:4."""

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest

from pysnn import datasets
from pysnn.learning import proxy, temporal
from tests.cases import ROOT
from tests.cases.cuda_twin import shrink, twin
from tests.cases.spiking import assert_same, network_of_layers
from tests.cases.tolerances import tol

pytestmark = pytest.mark.cuda


def steps(rule, settings, images, monkeypatch, **blocks):
    """Run a rule's step by both backends, from the same parameters, with the same random numbers."""
    twin("temporal")
    shrink(monkeypatch, **blocks)
    data, found, params = datasets.load("fashion-sample"), [], None
    x, y = data.x_train[:images], data.y_train[:images]
    for backend in ("reference", "cuda"):
        nets = rule.build(rule.settings_for("fashion-sample", backend=backend, **settings), params, np.random.default_rng(0))
        params = nets.net.params
        found.append(rule.gradients(nets, x, y, np.random.default_rng(1)))
    return found


def alike(ref, got, limit):
    assert got.loss == pytest.approx(ref.loss, rel=limit)
    np.testing.assert_allclose(got.y, ref.y, rtol=limit)
    assert set(got.grads) == set(ref.grads)
    for name, grad in ref.grads.items():
        assert grad.any() and got.grads[name].dtype == grad.dtype
        np.testing.assert_allclose(got.grads[name], grad, rtol=0, atol=limit * np.abs(grad).max())
    assert got.stats.keys() == ref.stats.keys()
    for name, value in ref.stats.items():                    # norms are sums of squares of gradients, all else is counted
        np.testing.assert_allclose(got.stats[name], value, rtol=limit if name.endswith("norm") else 0, atol=0)


def test_step_of_temporal_coding(monkeypatch):
    settings = {"model": "784-100-10", "dtype": "float64", "init_mean": 2.0}
    ref, got = steps(temporal, settings, 2, monkeypatch, per=16, depth=4, threads=112)
    assert 0 < ref.stats["silent"][0] < 1 and np.isfinite(ref.y).any()                   # alive
    alike(ref, got, tol("identity"))


def test_step_of_proxy_learning(monkeypatch):
    settings = {"model": "fashion-proxy:4", "n_steps": 3, "dtype": "float64", "init": "kaiming", "threshold": 0.5}
    ref, got = steps(proxy, settings, 2, monkeypatch, per=4, depth=36, piece=200)
    assert 0 < ref.y.mean() < settings["n_steps"]                                        # alive
    alike(ref, got, tol("identity"))
    for name, values in ref.batch_stats.items():
        np.testing.assert_allclose(got.batch_stats[name], values, rtol=tol("identity"))


def test_network_that_pools_inside(monkeypatch):
    """From the image, and from the current of the first neurons; every sum is exact."""
    twin("spiking")
    shrink(monkeypatch)
    (ref, x), (net, _) = (network_of_layers(backend, 3) for backend in ("reference", "cuda"))
    wanted = ref.run(x)
    assert wanted.n_spikes[0] > 0 and np.ptp(wanted.counts) > 0
    assert_same(net.run(x), wanted)
    assert_same(net.run(net.layers[0].forward(x)[0], begin=1), wanted)


def test_benchmark_runs():
    """Every pass is the reference's; the simulator gives no times."""
    twin("temporal")
    done = subprocess.run([sys.executable, ROOT / "benchmarks/cuda.py", "--quick"], capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))})
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 21 and all("decisions differ" in line for line in lines[1:])
    assert ("simulator" in lines[0]) == all("simulated" in line for line in lines[1:])


@pytest.mark.parametrize("break_it", [lambda y: y * np.nan, lambda y: y * 1.01, lambda y: np.where(y == y.max(), np.inf, y)],
                         ids=["NaN", "off", "inf"])
def test_benchmark_fails_where_a_pass_is_wrong(monkeypatch, capsys, break_it):
    op = twin("dense")
    spec = importlib.util.spec_from_file_location("bench_cuda", ROOT / "benchmarks/cuda.py")
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    case, = (case for case in bench.cases(quick=True) if case.name == "dense forward")
    monkeypatch.setattr(bench, "cases", lambda quick: [case])
    assert bench.main(["--quick"]) == 0
    forward = op.dense_forward
    monkeypatch.setattr(op, "dense_forward", lambda *args: (break_it(forward(*args)[0].copy_to_host()), None))
    assert bench.main(["--quick"]) == 1
    assert "dense forward" in capsys.readouterr().out
