"""MNIST-1D: the published one."""

import hashlib
from types import SimpleNamespace

import numpy as np
import pytest

from pysnn.datasets import load, mnist1d, signals


def test_mnist1d():
    got = load("mnist1d")
    assert got.kind == "sequence" and got.x_train.shape == (4000, 40, 1) and got.x_test.shape == (1000, 40, 1) and got.lengths_train is None
    assert got.x_train.dtype == np.float32 and got.y_train.dtype == np.int64
    x, y = np.concatenate([got.x_train, got.x_test]), np.concatenate([got.y_train, got.y_test])
    assert np.bincount(y).tolist() == [500] * 10 and abs(x.mean()) < 1e-6 and abs(x.std() - 1) < 1e-6
    # compared with the package mnist1d 0.0.2 when this was written: all labels and all float32 were equal
    assert hashlib.sha256(y.astype("<i8").tobytes()).hexdigest()[:16] == "6feec4a017698c7f"
    np.testing.assert_allclose(x[0, :6, 0], [-0.332006, -0.47191, -0.778697, -1.00974, -0.882353, 0.103935], atol=1e-5)


def test_same_seed_same_signals():
    x, y = mnist1d(20, 3)
    again, other = mnist1d(20, 3)[0], mnist1d(20, 4)[0]
    assert x.shape == (20, 40, 1) and sorted(y) == sorted([*range(10)] * 2) and (x == again).all() and (x != other).any()


def test_templates_come_through():
    """Without disturbances a signal is its template, drawn out, in front of zeros."""
    quiet = SimpleNamespace(rand=lambda: 0.5, randn=lambda n: np.zeros(n), choice=lambda n: 0)
    x, = signals._signals(np.arange(12.0)[None], np.array([0]), quiet)
    assert x.shape == (40,) and abs(x[0]) < 1e-6 and x.argmax() == np.round(40 * 11 / 59) and (x[10:] == 0).all()


@pytest.mark.frameworks
@pytest.mark.parametrize("n, seed", [(5000, 42), (100, 7)])
def test_the_package_makes_the_same(monkeypatch, n, seed):
    monkeypatch.setenv("MPLBACKEND", "agg")
    data = pytest.importorskip("mnist1d.data")
    arguments = data.get_dataset_args()
    arguments.num_samples, arguments.seed = n, seed
    ref = data.make_dataset(arguments)
    x, y = mnist1d(n, seed)
    np.testing.assert_array_equal(y, np.concatenate([ref["y"], ref["y_test"]]))
    np.testing.assert_allclose(x[:, :, 0], np.concatenate([ref["x"], ref["x_test"]]), rtol=0, atol=1e-6)
