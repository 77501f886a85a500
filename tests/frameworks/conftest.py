"""What the tests against other frameworks share."""

import os

import pytest


@pytest.fixture(scope="module")
def torch():
    """PyTorch; missing is a reason to skip on a user's machine, and a failure where CI=true."""
    try:
        import torch
    except ImportError:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail("PyTorch is not installed, and CI=true demands it")
        pytest.skip("PyTorch is not installed")
    return torch
