"""What all tests share: the backends, and randomness that does not depend on the order of tests."""

import gc
import signal
import sys

import numpy as np
import pytest

pytest.register_assert_rewrite("tests.cases")

from tests.cases.backends import operation  # noqa: E402


def pytest_configure(config):
    """Take Ctrl-C and hang-ups also in the background of a script and under nohup, where processes and their children ignore them."""
    for name, usual in (("SIGINT", signal.default_int_handler), ("SIGHUP", signal.SIG_DFL)):
        if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) == signal.SIG_IGN:
            signal.signal(getattr(signal, name), usual)


COMPILE_LITTLE = ("exercises", "foreign", "house", "datasets", "tools", "interop", "plots", "tasks")


def pytest_collection_modifyitems(items):
    """Begin with folders for which little is compiled: what the other half of the tests compiles meanwhile is found in Numba's cache."""
    items.sort(key=lambda item: item.path.parent.name not in COMPILE_LITTLE)


def pytest_collection_finish(session):
    """Keep modules and the tests themselves out of garbage collections, which some tests ask for: they are a million objects."""
    gc.collect()
    gc.freeze()


@pytest.fixture(params=["reference", "numba"])
def temporal_neuron(request):
    """The temporal neuron, once by each backend."""
    return operation("temporal", request.param)


@pytest.fixture
def temporal_kernel():
    """The temporal neuron by Numba alone."""
    return operation("temporal", "numba")


@pytest.fixture(params=["reference", "numba"])
def if_neuron(request):
    """The integrate-and-fire neuron, once by each backend."""
    return operation("integrate_fire", request.param)


@pytest.fixture
def if_kernel():
    """The integrate-and-fire neuron by Numba alone."""
    return operation("integrate_fire", "numba")


@pytest.fixture
def rng():
    """Random numbers, the same for every test."""
    return np.random.default_rng(1606_08165)


@pytest.fixture
def alone(monkeypatch):
    """As if scikit-learn were not installed."""
    for name in ("sklearn", "sklearn.exceptions", "sklearn.utils", "sklearn.utils.multiclass", "sklearn.utils.validation"):
        monkeypatch.setitem(sys.modules, name, None)
