"""What the tests of sweeps share: data, a file, and a count of what was done."""

import pytest

from pysnn.scale import _workers
from tests.cases.sweeps import moons


@pytest.fixture(scope="module")
def own():
    return moons()


@pytest.fixture
def done(monkeypatch):
    """Count the jobs that are done in this process."""
    jobs, work = [], _workers.work
    monkeypatch.setattr(_workers, "work", lambda job, parts: jobs.append(job) or work(job, parts))
    return jobs


@pytest.fixture
def out(tmp_path):
    return tmp_path / "runs.jsonl"
