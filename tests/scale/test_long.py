"""A million samples on disk, ten thousand inputs, a thousand time steps: one epoch, in the memory that docs/scale.md names."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cases import ROOT

SCRIPT = ROOT / "docs/results/long.py"
RECORD = json.loads(SCRIPT.with_suffix(".json").read_text(encoding="utf-8"))


def test_the_record_has_every_case_within_its_memory():
    rows = {row["name"]: row for row in RECORD["rows"]}
    assert (rows["rows"]["samples"], rows["inputs proxy"]["settings"]["model"][:5], rows["steps eprop"]["settings"]["n_steps"]) == (
        1_000_000, "10000", 1000)
    assert len(rows) == 7 and all(row["mib"] < 600 and row["loss"] > 0 for row in rows.values())
    assert rows["steps surrogate sqrt"]["mib"] < rows["steps surrogate"]["mib"]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="how much memory a process takes is read from Linux")
@pytest.mark.parametrize("name", [row["name"] for row in RECORD["rows"]])
def test_one_epoch_in_little_memory(name):
    done = subprocess.run([sys.executable, SCRIPT, name], capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout)
    recorded = next(row for row in RECORD["rows"] if row["name"] == name)
    assert row["mib"] < min(600, 1.25 * recorded["mib"] + 30) and row["batches"] == recorded["batches"]
