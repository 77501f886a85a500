"""The operations by one backend or the other, or a skip that says why not."""

import importlib
import importlib.util
import os

import pytest


def operation(name, backend):
    """Return the module of an operation by one backend; numba may be missing on a user's machine, but not where CI=true."""
    if backend == "numba" and importlib.util.find_spec("numba") is None:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail("Numba is not installed, and CI=true demands it")
        pytest.skip("Numba is not installed")
    return importlib.import_module(f"pysnn.{'kernels' if backend == 'numba' else 'reference'}.{name}")
