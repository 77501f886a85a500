"""What several test files share: cases, oracles and helpers; no test stands here, and no test file imports another."""

import ast
import functools
from pathlib import Path

ROOT = Path(__file__).parents[2]


@functools.cache
def tree_of(path):
    """Parse a source file, once for all tests that look at it."""
    return ast.parse(path.read_text())


def few(items, every):
    """Run one of so many by default, the others among the slow tests."""
    import pytest
    return [pytest.param(item, marks=[pytest.mark.slow] * (k % every > 0)) for k, item in enumerate(items)]
