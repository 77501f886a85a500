"""Every CUDA kernel compiles without a GPU, for compute capability 8.0 and 9.0, and needs no memory for registers; `make test-ptx`."""

import importlib.util
import json
import os
import re
import subprocess
import sys

import pytest

from tests.cases import ROOT

RESULTS = ROOT / "docs/results"
IN_DOUBLE = {"batch_norm.sum", "spike_times.scan", "theta.turn"}      # these compute in float64 whatever comes in


def script():
    spec = importlib.util.spec_from_file_location("ptx", RESULTS / "ptx.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PTX = script()


@pytest.fixture(scope="module")
def compiler():
    """The CUDA modules, compiling for real; ptxas may be missing on a user's machine, but neither may where CI=true."""
    demanded = os.environ.get("CI", "").lower() == "true"
    for missing, what in ((importlib.util.find_spec("numba_cuda") is None, "numba-cuda is not installed"),
                          (os.environ.get("NUMBA_ENABLE_CUDASIM") == "1", "the simulator compiles nothing: unset NUMBA_ENABLE_CUDASIM"),
                          (PTX.find_ptxas() is None and demanded, "ptxas is not installed")):
        if missing:
            (pytest.fail if demanded else pytest.skip)(what)
    return PTX.find_ptxas()


@pytest.mark.ptx
def test_every_kernel_compiles_and_spills_nothing(compiler):
    rows = PTX.table(compiler, PTX.kernels(), progress=lambda row: None)
    assert {(r["kernel"], r["dtype"], r["capability"]) for r in rows} == {
        (name, dtype, capability) for name in PTX.kernels() for dtype in PTX.DTYPES for capability in ("8.0", "9.0")}
    for row in rows:
        assert row["target"] == "sm_" + row["capability"].replace(".", "")
        assert row["dtype"] == "float64" or row["kernel"] in IN_DOUBLE or row["doubles"] == 0, f"{row}: arithmetic in float64"
        if compiler:
            assert row["spills"] == row["stack"] == 0, row
            assert row["shared"] <= 48 * 1024 and row["registers"] * row["threads"] <= 65536 and row["occupancy"] > 0, row


def test_the_record_is_of_these_kernels_and_spills_nothing():
    record = json.loads((RESULTS / "ptx.json").read_text())
    assert {r["kernel"] for r in record["rows"]} == set(PTX.kernels())
    assert all(r["spills"] == r["stack"] == 0 for r in record["rows"])
    assert {(r["dtype"], r["capability"]) for r in record["rows"]} == {(d, c) for d in PTX.DTYPES for c in ("8.0", "9.0")}


@pytest.mark.slow
def test_tables_of_the_page_are_those_of_record_and_script():
    page = (RESULTS.parent / "cuda.md").read_text(encoding="utf-8")
    rows = {(r["kernel"], r["dtype"]): r for r in json.loads((RESULTS / "ptx.json").read_text())["rows"] if r["capability"] == "9.0"}
    shown = re.findall(r"^\| `([a-z_.]+)` \| (\d+) \| (\d+) \| ([\d,]+) B \| (\d+) % \| (\d+), (\d+) % \|$", page, re.M)
    assert len(shown) > 8
    for name, *numbers in shown:
        single, double = rows[name, "float32"], rows[name, "float64"]
        assert numbers == [f"{single['threads']}", f"{single['registers']}", f"{single['shared']:,}", f"{100 * single['occupancy']:.0f}",
                           f"{double['registers']}", f"{100 * double['occupancy']:.0f}"], name
    others = [r for (name, dtype), r in rows.items() if dtype == "float32" and name not in {row[0] for row in shown}]
    assert max(r["registers"] for r in others) <= 46 and min(r["occupancy"] for r in others) >= 0.62
    done = subprocess.run([sys.executable, RESULTS.parents[1] / "benchmarks/cuda.py", "--roofline"], capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(RESULTS.parents[1])}, check=True)
    assert len(done.stdout.splitlines()) == 22 and done.stdout in page


@pytest.mark.parametrize("threads, registers, shared, wanted", [
    (256, 32, 0, 1.0),                # 8 blocks of 8 warps
    (256, 33, 0, 0.75),               # 40 registers a thread after rounding: 1280 a warp, 51 warps, 6 blocks
    (256, 92, 8320, 0.25),            # 96 registers: 3072 a warp, 21 warps, 2 blocks
    (128, 48, 1032, 0.625),           # 1536 a warp, 42 warps, 10 blocks
    (32, 16, 0, 0.5),                 # 32 blocks at most
    (32, 16, 40 * 1024, 0.0625),      # 4 blocks of 41 KB in 164 KB
    (32, 16, 41 * 1024, 0.046875)])   # 3 of 42 KB
def test_occupancy_by_hand(threads, registers, shared, wanted):
    assert PTX.occupancy(threads, registers, shared, (8, 0)) == wanted


def test_what_ptxas_says_is_read():
    said = ("ptxas info    : Function properties for f\n    8 bytes stack frame, 4 bytes spill stores, 12 bytes spill loads\n"
            "ptxas info    : Used 40 registers, used 1 barriers, 1024 bytes smem\n")
    assert PTX.REPORT.search(said).groups() == ("8", "4", "12", "40", "1024")
    assert PTX.REPORT.search(said.replace(", used 1 barriers, 1024 bytes smem", "")).groups()[-1] is None
