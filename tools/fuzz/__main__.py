"""Fuzzing: whatever a file, a mirror or a kill brings, there is one sentence; no traceback, no silent change, no memory or time lost.

Run: python tools/fuzz [--seed 0] [--checkpoints N] [--data N] [--kills N] [--mirrors N] [--json FILE]
Each part runs in a process of its own, whose memory is limited; the same seed draws the same inputs (at which batch a kill comes depends on
the machine). Exit code 1 if anything was found. What is drawn: checkpoints.py, data.py, kills.py, mirrors.py.
"""

import argparse
import contextlib
import datetime
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("PYSNN_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pysnn import training
from tools.fuzz import checkpoints, data, kills, mirrors

PARTS = {"checkpoints": (checkpoints.run, 2000), "data": (data.run, 500), "kills": (kills.run, 10), "mirrors": (mirrors.run, 10)}
ROOM = {"checkpoints": 128, "data": 512}      # MiB of address space that these parts may have beyond what they begin with
EXAMPLES = 5


class Tally:
    """What happened: counts by outcome, by kind of damage, and the first examples of what should not be."""

    def __init__(self):
        self.counts, self.kinds, self.examples = dict.fromkeys(("n", "right", "refused", "tracebacks", "silent", "words"), 0), {}, []

    def add(self, kind, outcome, example=""):
        """Count one input; outcome: right, refused, tracebacks, silent (other numbers than the original's), words (a message too long)."""
        self.counts["n"] += 1
        self.counts[outcome] += 1
        by_kind = self.kinds.setdefault(kind, {})
        by_kind[outcome] = by_kind.get(outcome, 0) + 1
        if outcome not in ("right", "refused") and len(self.examples) < EXAMPLES:
            self.examples.append(f"{kind}: {example}"[:400])

    def refused(self, kind, error):
        """Count a refusal, if it is one short line that a terminal can show."""
        text = str(error)
        good = text.isprintable() and len(text) <= 600
        self.add(kind, "refused" if good else "words", text)


def memory():
    """Return the address space of this process and its largest resident memory so far, in bytes."""
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() if os.path.exists("/proc/self/statm") else 0
    return size, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def child(name, n, seed, pipe):
    """Run one part, and send what it counted."""
    tally, began = Tally(), time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        os.chdir(folder)
        with open(os.devnull, "w") as quiet, contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
            honest = PARTS[name][0](n, seed, tally, limit if name in ROOM else lambda: None)
        os.chdir("/")
    peak = memory()[1] - BEFORE.get("rss", memory()[1])
    pipe.send({**tally.counts, "kinds": tally.kinds, "examples": tally.examples, "seconds": round(time.perf_counter() - began, 1),
               "honest_bytes": honest, "peak_bytes": max(peak, 0)})


BEFORE = {}


def limit():
    """Limit the memory from here on: the part has loaded what it needs."""
    size, BEFORE["rss"] = memory()
    name = multiprocessing.current_process().name
    if size:
        resource.setrlimit(resource.RLIMIT_AS, (size + (ROOM[name] << 20),) * 2)


def main():
    """Run the parts, one after the other; write and print what they counted."""
    parser = argparse.ArgumentParser("tools/fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", metavar="FILE")
    for name, (_, n) in PARTS.items():
        parser.add_argument(f"--{name}", type=int, default=n, metavar="N", help=f"default {n}; 0: none")
    args = parser.parse_args()
    record = {"command": f"python tools/fuzz --seed {args.seed} " + " ".join(f"--{name} {getattr(args, name)}" for name in PARTS),
              "date": datetime.date.today().isoformat(), "versions": training.versions(), "cpu": cpu(), "seed": args.seed, "parts": {}}
    found, context = 0, multiprocessing.get_context("fork" if hasattr(os, "fork") else "spawn")
    for name in PARTS:
        if not (n := getattr(args, name)):
            continue
        here, there = context.Pipe()
        process = context.Process(target=child, args=(name, n, args.seed, there), name=name)
        process.start()
        there.close()
        try:
            result = here.recv()
        except EOFError:
            result = {"n": 0, "tracebacks": 1, "silent": 0, "words": 0, "examples": ["the process died"]}
        process.join()
        record["parts"][name] = result
        found += result["tracebacks"] + result["silent"] + result["words"]
        print(name, json.dumps({key: value for key, value in result.items() if key != "kinds"}), flush=True)
    if args.json:
        Path(args.json).write_text(json.dumps(record, indent=1) + "\n")
    return 1 if found else 0


def cpu():
    """Return the name of the processor and how many there are."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if os.path.exists("/proc/cpuinfo") else []
    return f"{next((line.split(':')[1].strip() for line in lines if line.startswith('model name')), '')}, {os.cpu_count()} cores"


if __name__ == "__main__":
    raise SystemExit(main())
