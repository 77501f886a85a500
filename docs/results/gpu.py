"""Run the CUDA kernels on a GPU and write the record, docs/results/gpu.json: their tests, NVIDIA's compute-sanitizer, their times.

Run: python docs/results/gpu.py        on a machine with a GPU, numba-cuda and pytest; the sanitizer is run where it is found
"""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TESTS = [sys.executable, "-m", "pytest", "-m", "cuda", "-rfE", "tests/cuda", "tests/cli/test_verify.py"]
REAL_SIZE = [sys.executable, "-m", "pytest", "-m", "cuda", "tests/cuda/test_operations.py", "-k", "real_size"]
PACKAGES = ("numpy", "numba", "numba-cuda", "llvmlite", "cuda-bindings", "nvidia-cuda-nvrtc")


def run(*command):
    """Run a command in the project's folder; return what it printed."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))}
    done = subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(done.stdout[-3000:], flush=True)
    return done.stdout


def counts(printed):
    """Read pytest's last line: how many passed, failed, were skipped."""
    return {word: int(found[1]) if (found := re.search(rf"(\d+) {word}", printed.splitlines()[-1])) else 0
            for word in ("passed", "failed", "skipped", "error")}


def sanitized(tool):
    """Run the kernels with blocks of their real size under a tool of the sanitizer; return what it found, None if it is not here."""
    if not shutil.which("compute-sanitizer"):
        return None
    printed = run("compute-sanitizer", "--tool", tool, *REAL_SIZE)
    return {"tests": counts([line for line in printed.splitlines() if " passed" in line or " failed" in line][-1]),
            "found": int(re.search(r"SUMMARY: (\d+) (?:errors|hazards)", printed)[1])}


def main():
    """Test, measure, write; return 1 where a test failed or the sanitizer found something."""
    tests, tools = counts(run(*TESTS)), {tool: sanitized(tool) for tool in ("memcheck", "racecheck")}
    with tempfile.TemporaryDirectory() as folder:
        run(sys.executable, "benchmarks/cuda.py", "--json", f"{folder}/times.json")
        record = json.loads((Path(folder) / "times.json").read_text())
    record["versions"] |= {name: importlib.metadata.version(name) for name in PACKAGES}
    record |= {"command": "python docs/results/gpu.py", "tests": tests, **tools}
    (Path(__file__).parent / "gpu.json").write_text(json.dumps(record, indent=1) + "\n")
    bad = [tool for tool in tools.values() if tool and (tool["found"] or tool["tests"]["failed"])]
    return int(bool(tests["failed"] or tests["error"] or bad))


if __name__ == "__main__":
    sys.exit(main())
