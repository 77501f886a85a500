"""Compile every CUDA kernel for compute capability 8.0 and 9.0, without a GPU, and record what each needs: docs/results/ptx.json.

Run: python docs/results/ptx.py [KERNEL ...]        the kernels named, such as conv.product; default: all
Needs numba-cuda with NVVM, and ptxas: pip install 'numba-cuda[cu13]' nvidia-cuda-nvcc

NVVM makes PTX of a kernel, ptxas makes machine code of the PTX and says how many registers a thread has, how much shared memory a block,
and whether registers had to be put into memory (spills; a stack frame is memory of a thread, too). From these follows the occupancy, the
share of a multiprocessor's 2048 threads that can be there at once. Limits: CUDA C++ Programming Guide, technical specifications by compute
capability: 65,536 registers, given out to warps in units of 256; 32 blocks; 164 KB (8.0) or 228 KB (9.0) of shared memory, 1 KB of it
taken by each block beside its own.
"""

import importlib
import importlib.metadata
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from pysnn.operations import OPERATIONS

HERE = Path(__file__).parent
CAPABILITIES = ((8, 0), (9, 0))
DTYPES = ("float32", "float64")
MODULES = (*dict.fromkeys(operation.module for operation in OPERATIONS.values() if "cuda" in operation.backends), "spiking")
SHARED = {(8, 0): 164 * 1024, (9, 0): 228 * 1024}
WHEELS = ("numba-cuda", "nvidia-nvvm", "nvidia-cuda-nvcc")
REPORT = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads"
                    r".*?Used (\d+) registers(?:.*?(\d+) bytes smem)?", re.S)


def kernels():
    """Return all kernels by name, and the threads that a block of each has."""
    for name in MODULES:
        importlib.import_module(f"pysnn.cuda.{name}")
    target, conv, temporal = (importlib.import_module(f"pysnn.cuda.{name}") for name in ("_target", "conv", "temporal"))
    square, row = conv._SIDE**2, temporal._THREADS
    blocks = {**dict.fromkeys(("conv.product", "temporal.sum_w", "temporal.sum_z"), square),
              **dict.fromkeys(("temporal.sort", "temporal.scan", "spike_times.scan"), row)}
    assert set(blocks) <= set(target.KERNELS)
    return {name: (kernel, blocks.get(name, target.BLOCK)) for name, kernel in target.KERNELS.items()}


def find_ptxas():
    """Return the path of ptxas: of the wheel nvidia-cuda-nvcc, which fits NVVM's, or of a CUDA installation; None if there is none."""
    spec = importlib.util.find_spec("nvidia")
    places = [Path(place) for place in (spec.submodule_search_locations if spec else ())]
    return next((str(path) for place in places for path in place.glob("*/bin/ptxas")), shutil.which("ptxas"))


def assemble(ptxas, ptx, capability):
    """Run ptxas; return stack, spills, registers, shared memory, in bytes but for the registers."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "kernel.ptx"
        source.write_text(ptx)
        done = subprocess.run([ptxas, "-v", f"-arch=sm_{capability[0]}{capability[1]}", str(source), "-o", f"{folder}/kernel.cubin"],
                              capture_output=True, text=True, check=True)
    stack, stores, loads, registers, shared = (int(n or 0) for n in REPORT.search(done.stderr).groups())
    return {"registers": registers, "shared": shared, "stack": stack, "spills": stores + loads}


def occupancy(threads, registers, shared, capability):
    """Return the share of 2048 threads that fit on a multiprocessor at once."""
    warps = -(-threads // 32)
    of_registers = 65536 // (-(-registers * 32 // 256) * 256) // warps
    return min(32, 64 // warps, of_registers, SHARED[capability] // (-(-shared // 128) * 128 + 1024)) * warps / 64


def table(ptxas, names, progress=print):
    """Compile these kernels; return a row for each, each dtype and each compute capability."""
    rows, known = [], kernels()
    for name in names:
        kernel, threads = known[name]
        for dtype in DTYPES:
            for capability in CAPABILITIES:
                ptx = kernel.ptx(dtype, capability)
                row = {"kernel": name, "dtype": dtype, "capability": "{}.{}".format(*capability), "threads": threads,
                       "target": re.search(r"^\.target (\w+)", ptx, re.M)[1], "doubles": len(re.findall(r"\.f64\b", ptx))}
                if ptxas:
                    row |= assemble(ptxas, ptx, capability)
                    row["occupancy"] = occupancy(threads, row["registers"], row["shared"], capability)
                rows.append(row)
                progress(row)
    return rows


def main(*names):
    """Compile, print, write; rows of kernels that are not named stay as they are."""
    ptxas = find_ptxas()
    if not ptxas:
        raise SystemExit("no ptxas found: pip install nvidia-cuda-nvcc")
    import record
    versions = {name: importlib.metadata.version(name) for name in WHEELS if importlib.util.find_spec("numba_cuda")}
    old = json.loads((HERE / "ptx.json").read_text())["rows"] if names else []
    rows = [r for r in old if r["kernel"] not in names] + table(ptxas, names or kernels())
    rows.sort(key=lambda r: (list(kernels()).index(r["kernel"]), r["dtype"], r["capability"]))
    record.write("ptx", {"command": "python docs/results/ptx.py", "compiler": versions, "rows": rows})


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
