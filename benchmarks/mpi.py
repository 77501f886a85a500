"""What chunks and processes cost: seconds of a training step in one piece, in chunks, and in chunks that processes share over MPI.

Run: python benchmarks/mpi.py [--json FILE] [--ranks 1 2 3 4] [--rounds N]        needs mpirun and mpi4py
"""

import argparse
import datetime
import json
import os
import pickle
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from pysnn import training
from pysnn.learning import chunks
from pysnn.learning.method import Step
from pysnn.scale import mpi

CHUNKS = 4
CASES = {   # name -> method, settings
    "temporal 784-800-10": ("temporal", {"model": "784-800-10", "batch": 128}),
    "proxy 28x28x1-16C3-P2-16C3-P2-100-10": ("proxy", {"model": "28x28x1-16C3-P2-16C3-P2-100-10", "batch": 100, "n_steps": 4}),
    "surrogate 784-400-10": ("surrogate", {"model": "784-400-10", "batch": 100, "n_steps": 15}),
}
N = 1280            # samples of an epoch


class Timed(mpi.Team):
    """A team that takes the time of what moves between processes; what the others keep it waiting for is in it, too."""

    seconds = 0.0

    def _sum(self, *args):
        self.comm.Barrier()                                     # the work of the others is not counted
        began = time.perf_counter()
        whole = super()._sum(*args)
        self.seconds += time.perf_counter() - began
        return whole


def step_seconds(name, n_chunks, team, rounds):
    """Train rounds + 1 epochs, without counting the first; return the median seconds of a step, of its sums, and the parameters."""
    method, chosen = CASES[name]
    run = training.start(method, training.METHODS[method].Settings(**chosen, chunks=n_chunks, epochs=rounds + 1), 0)
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (N, 28, 28), dtype=np.uint8), rng.integers(0, 10, N)
    n_batches, marks, sums = -(-N // chosen["batch"]), [], []

    def batches(counted):                                       # from the first batch to the end of the last
        team.seconds, began = 0.0, time.perf_counter()
        yield from counted
        marks.append((time.perf_counter() - began) / n_batches)
        sums.append(team.seconds / n_batches)

    for _ in training.epochs(run, (x, y), progress=batches, team=team if team.size > 1 else None):
        pass
    return statistics.median(marks[1:]), statistics.median(sums[1:]), sum(w.size for w in run.nets.net.params.values())


def head_seconds(n=1000):
    """Return the seconds that it takes to unpickle and join what a chunk says besides its gradients, of n chunks."""
    step = 2.0, np.zeros((8, 10), np.float32), {}, {"silent": [0.1, 0.2], "n_silent": 3}, {}
    sent = [pickle.dumps((1 / n, step, {"w1": ((784, 800), "<f4"), "w2": ((800, 10), "<f4")})) for _ in range(n)]
    took = []
    for _ in range(5):
        began = time.perf_counter()
        heads = [pickle.loads(one) for one in sent]
        chunks.joined([(share, Step(*step)) for share, step, _ in heads])
        took.append((time.perf_counter() - began) / n)
    return statistics.median(took)


def work(args):
    """Measure in this process, one of those that mpirun has started; process 0 prints the rows."""
    with mpi.team(args.threads) as team:
        timed = Timed(team.comm)
        for name in CASES:
            for n_chunks in (0, CHUNKS) if team.size == 1 else (CHUNKS,):
                seconds, sums, n = step_seconds(name, n_chunks, timed, args.rounds)
                row = {"name": name, "ranks": team.size, "threads": args.threads, "chunks": n_chunks, "ms": 1e3 * seconds,
                       "ms_sum": 1e3 * sums, "parameters": n, "mb_received": 4e-6 * n * (1 - 1 / team.size) * (CHUNKS / team.size + 1)}
                if team.rank == 0:
                    print(json.dumps(row), flush=True)


def main():
    """Start processes for each number of ranks; write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2, 3, 4])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, help="(used by the processes that it starts)")
    args = parser.parse_args()
    if args.threads:
        return work(args)
    rows, processors, load = [], os.cpu_count(), os.getloadavg()[0]
    for ranks in args.ranks:
        for threads in (1, processors) if ranks == 1 else (max(1, processors // ranks),):
            command = [sys.executable, __file__, "--threads", str(threads), "--rounds", str(args.rounds)]
            environment = os.environ | {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
            command = ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(ranks), *command] if ranks > 1 else command
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
            rows += [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
            for r in rows[-(6 if ranks == 1 else 3):]:
                print(f"{r['name']:40} {r['ranks']} x {r['threads']} threads, {r['chunks']} chunks: {r['ms']:7.2f} ms a step, of it "
                      f"{r['ms_sum']:6.2f} ms to add up, {r['mb_received']:.1f} MB received", flush=True)
    if args.json:
        record = {"command": "python benchmarks/mpi.py --json docs/results/mpi.json", "date": datetime.date.today().isoformat(),
                  "cpu": f"{processors} cores", "load": load, "ms_a_head": 1e3 * head_seconds(),
                  "versions": training.versions(), "rows": rows}
        Path(args.json).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
