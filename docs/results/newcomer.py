"""Do what the README tells a newcomer, line by line, in a fresh clone with an empty home, and log how long each line takes.

Run: python docs/results/newcomer.py        writes docs/results/newcomer.json; needs git, Python 3.11 or later, make, pip

The lines are those of the section "Fifteen minutes" of README.md, taken as they stand. A line that fails, or a promised file that is not
there afterwards, ends it.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 900                                                                   # seconds, all lines together
PROMISED = re.compile(r"(?:figures|runs|exercises)/[\w./-]+\.\w+")              # files that lines or their comments name
SKIPPED = ("PYTHONPATH", "VIRTUAL_ENV", "NUMBA_CACHE_DIR", "PYSNN_DATA")


def lines():
    """Return the commands of the section, in order."""
    block = re.search(r"^## Fifteen minutes.*?^```\n(.*?)^```", (ROOT / "README.md").read_text(), re.S | re.M)[1]
    return [line for line in block.splitlines() if line.strip() and not line.startswith("#")]


def main():
    """Clone, follow, log, write the record."""
    from record import write
    steps, promised = [], []
    with tempfile.TemporaryDirectory() as folder:
        clone, home = Path(folder, "pysnn"), Path(folder, "home")
        home.mkdir()
        env = {k: v for k, v in os.environ.items() if k not in SKIPPED} | {"HOME": str(home)}
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        for line in lines():
            print(f"$ {line}", flush=True)
            began = time.perf_counter()
            subprocess.run(["bash", "-c", line], cwd=clone, env=env, check=True)
            steps.append({"line": line, "seconds": round(time.perf_counter() - began, 1)})
            print(f"-- {steps[-1]['seconds']} s", flush=True)
            promised += PROMISED.findall(line)
        missing = [name for name in promised if not (clone / name).is_file()]
    total = sum(step["seconds"] for step in steps)
    print(f"all: {total:.0f} s (at most {LIMIT}); files: {', '.join(promised)}")
    if missing or total > LIMIT:
        sys.exit(f"missing: {missing}; {total:.0f} s")
    write("newcomer", {"command": "python docs/results/newcomer.py", "seconds": total, "limit": LIMIT, "steps": steps, "files": promised})


if __name__ == "__main__":
    main()
