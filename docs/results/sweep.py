"""Sweep over 200 runs on a cluster of Dask on this machine; kill a worker, then the scheduler, and go on. Writes docs/results/sweep.json.

Nothing may be lost: what was finished is not done again, and all bits are those of the same sweep in one process.
Run: python docs/results/sweep.py          needs the extra sweep; two minutes or three
"""

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import distributed
import numpy as np
from record import write

import pysnn
from pysnn import data

SETTINGS = {"model": "2-20-2", "epochs": 4, "lr": [0.001, 0.003, 0.01, 0.03], "beta": [5.0, 10.0, 20.0, 40.0, 80.0]}
SEEDS, KILL_WORKER, KILL_SCHEDULER = 10, 60, 120            # kills once so many runs are finished


def moons():
    """Two half circles, one in the other's way."""
    rng = np.random.default_rng(0)
    y = np.arange(600) % 2
    angle = np.pi * (rng.uniform(0, 1, 600) + y)
    x = np.stack([np.cos(angle) + y, np.sin(angle) + 0.4 * y], axis=1) + rng.normal(0, 0.1, (600, 2))
    return data.from_arrays(x, y, val=0.25, name="moons")


def cluster(log):
    """Start a scheduler and two workers; return its address and the processes, the scheduler first."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def begin(program, *arguments):
        return subprocess.Popen([sys.executable, "-m", f"distributed.cli.{program}", *arguments, "--no-dashboard"], stdout=log, stderr=log)

    scheduler = begin("dask_scheduler", "--host", "127.0.0.1", "--port", str(port))
    workers = [begin("dask_worker", f"tcp://127.0.0.1:{port}", "--nthreads", "1", "--no-nanny") for _ in range(2)]
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return f"tcp://127.0.0.1:{port}", [scheduler, *workers]
        except OSError:
            time.sleep(0.1)


def finished(out):
    """Return the number of runs in the file."""
    return out.read_bytes().count(b"\n") - 1 if out.is_file() else 0


def kill_at(process, out, n):
    """Kill a process once n runs are finished."""
    def wait():
        while finished(out) < n:
            time.sleep(0.01)
        process.kill()

    threading.Thread(target=wait, daemon=True).start()


def bits(runs):
    """Return key and parameters of each run."""
    return sorted((line["key"], line["sha256"]) for line in runs)


def main():
    """Sweep, kill, go on, compare, write the record."""
    own = moons()
    with tempfile.TemporaryDirectory() as folder, open(Path(folder, "log"), "w") as log:
        out, began = Path(folder, "runs.jsonl"), time.perf_counter()
        address, first = cluster(log)
        kill_at(first[1], out, KILL_WORKER)
        kill_at(first[0], out, KILL_SCHEDULER)
        try:
            pysnn.sweep("temporal", own, SETTINGS, SEEDS, address, out)
            raise SystemExit("the scheduler was to be killed")
        except RuntimeError as error:
            said = str(error)
        kept = out.read_bytes()
        address, second = cluster(log)
        runs = pysnn.sweep("temporal", own, SETTINGS, SEEDS, address, out)
        seconds = time.perf_counter() - began
        for process in (*first, *second):
            process.kill()
            process.wait()
        lines = out.read_bytes()
        began = time.perf_counter()
        alone = pysnn.sweep("temporal", own, SETTINGS, SEEDS, 1, Path(folder, "alone.jsonl"))
        record = {"runs": len(runs), "workers": 2, "killed_worker_at": KILL_WORKER, "killed_scheduler_at": KILL_SCHEDULER, "said": said,
                  "finished_before": kept.count(b"\n") - 1, "kept_untouched": lines.startswith(kept), "lines": lines.count(b"\n") - 1,
                  "same_bits_as_one_process": bits(runs) == bits(alone), "seconds": seconds,
                  "seconds_one_process": time.perf_counter() - began, "distributed": distributed.__version__, "table": runs.table()}
    write("sweep", {"command": "python docs/results/sweep.py", "cpus": os.cpu_count(), **record})
    print({name: value for name, value in record.items() if name != "table"})


if __name__ == "__main__":
    main()
