"""The fuzzer finds nothing in a short run, notices what it should, and its long run is on record."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pysnn import checkpoint, training
from tests.cases import ROOT
from tests.cases.command import ENV
from tools.fuzz import __main__ as fuzz
from tools.fuzz import checkpoints

PARTS = ("checkpoints", "data", "kills", "mirrors")


def run(tmp_path, *numbers):
    command = [sys.executable, "tools/fuzz", "--seed", "3", "--json", str(tmp_path / "fuzz.json")]
    command += [word for name, n in zip(PARTS, numbers, strict=True) for word in (f"--{name}", str(n))]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=ENV)
    record = json.loads((tmp_path / "fuzz.json").read_text())
    assert done.returncode == 0, done.stdout + done.stderr
    return record["parts"]


def clean(part, least):
    """Say that a part of a record has found nothing and stayed within its memory."""
    assert part["n"] >= least and part["tracebacks"] == part["silent"] == part["words"] == 0, part["examples"]
    assert part["right"] + part["refused"] == part["n"] and part["peak_bytes"] < 3 * part["honest_bytes"] + (256 << 20)


@pytest.mark.slow
def test_a_short_run_finds_nothing(tmp_path):
    numbers = (120, 40, 1, 1)
    parts = run(tmp_path, *numbers)
    for name, n in zip(PARTS, numbers, strict=True):
        clean(parts[name], n)


@pytest.mark.slow
def test_a_longer_run_finds_nothing(tmp_path):
    numbers = (5000, 2000, 30, 20)
    parts = run(tmp_path, *numbers)
    for name, n in zip(PARTS, numbers, strict=True):
        clean(parts[name], n)


def test_the_long_run_is_on_record():
    record = json.loads((ROOT / "docs/results/fuzz.json").read_text())
    for name, least in zip(PARTS, (50_000, 10_000, 300, 40), strict=True):
        clean(record["parts"][name], least)
        assert f"--{name} " in record["command"]
    assert len(record["parts"]["checkpoints"]["kinds"]) >= len(checkpoints.MUTATIONS)


def test_the_same_seed_draws_the_same_mutants():
    original = b"PK\3\4" + bytes(range(256)) * 4 + b"PK\5\6" + bytes(18)
    for name in ("flipped", "truncated", "spliced", "wrapped", "directory"):
        one, two = ([checkpoints.MUTATIONS[name](original, rng) for _ in range(9)] for rng in map(np.random.default_rng, (5, 5)))
        assert one == two and len(set(one)) > 4


@pytest.mark.parametrize("fault, count", [
    (lambda path: 1 / 0, "tracebacks"), (lambda path: (_ for _ in ()).throw(checkpoint.CheckpointError("\x1b[2J")), "refused"),
    (lambda path: sys.exit(0), "tracebacks"), (lambda path: training.start("temporal", SETTINGS, 9), "silent")])
def test_what_should_not_be_is_counted(tmp_path, monkeypatch, fault, count):
    monkeypatch.chdir(tmp_path)
    run = training.start("temporal", SETTINGS, 1)
    monkeypatch.setattr(training, "load", fault)
    tally = fuzz.Tally()
    checkpoints.outcome("kind", b"", checkpoints.bits(run), tally)
    assert tally.counts[count] == tally.counts["n"] == 1 and Path("mutant.npz").exists()


def test_a_message_that_is_long_or_moves_the_cursor_is_counted():
    tally = fuzz.Tally()
    for text in ("x" * 700, "\x1b[2J", "two\nlines"):
        tally.refused("kind", ValueError(text))
    assert tally.counts["words"] == 3 and len(tally.examples) == 3


SETTINGS = training.METHODS["temporal"].settings_for("xor", backend="reference", optimiser="sgd")
