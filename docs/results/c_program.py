"""Size and time of networks as C programs, beside the same whole numbers in NumPy, and the spiking network itself.

Run: python docs/results/c_program.py          writes c-program.json; needs cc; close everything else first
"""

import os
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import record

from pysnn import datasets, interop, training
from pysnn.learning import rate

ROUNDS, N = 5, 1000
NETWORKS = {"fashion-proxy": 8}                          # name -> bits


def timed(call):
    """Return the result and the seconds of a call."""
    began = time.perf_counter()
    return call(), time.perf_counter() - began


def measured(name, bits, folder):
    """Return the row of a network."""
    run, x = training.load(name), np.ascontiguousarray(datasets.load("fashion-mnist").x_test[:N])
    network = interop.quantize(run, bits)
    source, program = folder / f"{name}.c", folder / name
    interop.to_c(network, source)
    subprocess.run(["cc", "-std=c99", "-O2", "-o", program, source], check=True)
    subprocess.run(["strip", program], check=True)
    seconds = {"c": [], "numpy": [], "float": []}
    for _ in range(ROUNDS):                                  # interleaved
        done, t = timed(lambda: subprocess.run([program], input=x.tobytes(), capture_output=True, check=True))
        seconds["c"].append(t)
        counts, t = timed(lambda: interop.simulate(network, x))
        seconds["numpy"].append(t)
        seconds["float"].append(timed(lambda: rate.predict(run.nets, x))[1])
    printed = np.array([line.split() for line in done.stdout.decode().splitlines()], int)
    return {"name": name, "bits": bits, "n": N, "equal": bool((printed == counts).all()), "n_steps": network.n_steps,
            "source_bytes": source.stat().st_size, "program_bytes": program.stat().st_size, "seconds": seconds}


def main():
    """Measure all."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        rows = [measured(name, bits, Path(folder)) for name, bits in NETWORKS.items()]
    record.write("c-program", {"command": "python docs/results/c_program.py", "load_before": load, "rows": rows})


if __name__ == "__main__":
    main()
