"""What the tests against other frameworks share."""

import pytest

from tests.cases.installed import needed


@pytest.fixture(scope="module")
def torch():
    """PyTorch; missing is a reason to skip on a user's machine, and a failure where CI=true."""
    return needed("torch")
