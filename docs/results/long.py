"""Long and wide: peak memory and seconds of one epoch, each in a process of its own, with a million samples on disk, ten thousand inputs,
or a thousand time steps.

Run: python docs/results/long.py                 rewrites long.json beside this file
     python docs/results/long.py NAME [--n N]    one case, with fewer samples; prints its row
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import record

from pysnn import data, training

WIDE = {"model": "10000-100-10", "batch": 100}
LONG = {"model": "20-128d-R0.9-10d-I0.9", "n_steps": 1000, "batch": 50, "readout": "potential", "over": "mean", "on": "counts"}
CASES = {   # name -> method, settings, samples, shape of one
    "rows": ("temporal", {"model": "784-16-10", "batch": 1000}, 1_000_000, (784,)),
    "inputs temporal": ("temporal", WIDE, 1000, (10_000,)),
    "inputs proxy": ("proxy", WIDE, 1000, (10_000,)),
    "inputs surrogate": ("surrogate", WIDE, 1000, (10_000,)),
    "steps surrogate": ("surrogate", LONG | {"input": "steps"}, 200, (1000, 20)),
    "steps surrogate sqrt": ("surrogate", LONG | {"input": "steps", "memory": "sqrt"}, 200, (1000, 20)),
    "steps eprop": ("eprop", LONG, 200, (1000, 20)),
}


def samples(folder, n, shape):
    """Make samples: of a million a file with holes, of which 1,000 rows hold numbers; else random numbers, or spikes with a time axis."""
    rng, y = np.random.default_rng(0), np.arange(n) % 10
    if shape == (784,):
        x = np.lib.format.open_memmap(Path(folder) / "x.npy", "w+", np.uint8, (n, *shape))
        x[::max(1, n // 1000)] = rng.integers(0, 256, (len(x[::max(1, n // 1000)]), *shape))
        x.flush()
        return np.load(Path(folder) / "x.npy", mmap_mode="r"), y
    if len(shape) == 2:
        return (rng.random((n, *shape)) < 0.05).astype(np.float32), y
    return rng.random((n, *shape), np.float32), y


def peak():
    """Return the most memory that this process has had, in MiB."""
    words = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return round(int(words["VmHWM"].split()[0]) / 1024)


def measure(name, n=None):
    """Train one epoch; return the row of the record."""
    method, chosen, most, shape = CASES[name]
    with tempfile.TemporaryDirectory() as folder:
        x, y = samples(folder, n or most, shape)
        own = data.from_series(x, y) if len(shape) == 2 else data.from_arrays(x, y)
        run = training.start(method, training.METHODS[method].Settings(**chosen, epochs=1), 0)
        before, began = peak(), time.perf_counter()
        found, = training.epochs(run, (own.x_train, own.y_train), (own.x_val, own.y_val))
        seconds = time.perf_counter() - began
    needed = run.rule.bytes_needed(run.nets.settings) / 2 ** 20 if run.rule.bytes_needed else None
    return {"name": name, "samples": n or most, "method": method, "settings": chosen, "batches": -(-len(own.x_train) // chosen["batch"]),
            "seconds": round(seconds, 1), "mib_before": before, "mib": peak(), "mib_of_a_batch": needed and round(needed),
            "loss": found["loss"]}


def main():
    """Run the cases, each in a process of its own; write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", nargs="?", choices=CASES)
    parser.add_argument("--n", type=int, help="samples")
    args = parser.parse_args()
    if args.name:
        print(json.dumps(measure(args.name, args.n)))
        return
    rows = []
    for name in CASES:
        done = subprocess.run([sys.executable, __file__, name], check=True, stdout=subprocess.PIPE, text=True)
        rows.append(json.loads(done.stdout))
        print(rows[-1])
    record.write("long", {"command": "python docs/results/long.py", "rows": rows})


if __name__ == "__main__":
    main()
