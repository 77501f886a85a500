"""Time a whole `pysnn verify`, as a user starts it: with no compiled kernels on disk, and again. Writes docs/results/verify.json.

Run: python docs/results/verify.py          close everything else first
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from record import write

AGAIN = 3          # runs after the first


def main():
    """Run it, read its own report, write the record."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        runs = []
        for _ in range(1 + AGAIN):
            began = time.perf_counter()
            subprocess.run([sys.executable, "-m", "pysnn", "verify", "--quiet", "--json", f"{folder}/report.json"], check=True,
                           env={**os.environ, "NUMBA_CACHE_DIR": f"{folder}/cache"}, stdout=subprocess.DEVNULL)
            runs.append(time.perf_counter() - began)
        report = json.loads(Path(folder, "report.json").read_text())
    write("verify", {"command": "python docs/results/verify.py", "load_before": load, "first_seconds": runs[0], "again_seconds": runs[1:],
                     **{name: report[name] for name in ("n_right", "n_wrong", "n_unchecked", "n_checked", "n_skipped")}})
    print(f"first {runs[0]:.1f} s, then " + ", ".join(f"{s:.1f} s" for s in runs[1:]))


if __name__ == "__main__":
    main()
