"""Peak memory of training by the command line on all of MNIST, one epoch: below 1 GiB, or this script fails.

Run: python benchmarks/memory.py [--data NAME] [--json FILE]       (first: pysnn data fetch mnist)
"""

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from pysnn import training

LIMIT = 1024   # MiB


def peak_mib(*args):
    """Run `pysnn ARGS` in a process of its own; return its peak resident memory in MiB (this script stays smaller than any)."""
    with subprocess.Popen([sys.executable, "-m", "pysnn", *args], stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"benchmarks/memory.py: pysnn {' '.join(args)} failed; what it said stands above")
    return usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def main(argv=None):
    """Measure, print, write; return 1 where the limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--json", metavar="FILE", help="also write the figure to FILE")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        command = ["train", "temporal", "--data", args.data, "--epochs", "1", "--no-test", "--quiet", "--out", f"{folder}/run.npz"]
        peak = peak_mib(*command)
    print(f"pysnn {' '.join(command[:-2])}: peak {peak:.0f} MiB (limit {LIMIT})")
    if args.json:
        record = {"what": "peak resident memory", "command": command[:-2], "date": datetime.date.today().isoformat(),
                  "versions": training.versions(), "cpu": f"{os.cpu_count()} cores", "peak_mib": peak, "limit_mib": LIMIT}
        Path(args.json).write_text(json.dumps(record, indent=1) + "\n")
    return int(peak >= LIMIT)


if __name__ == "__main__":
    sys.exit(main())
