"""Grade a class of 100 files, 20 of them broken, as `pysnn grade` does, and log how long it takes.

Run: python docs/results/grading.py        writes docs/results/grading.json

The class is made here: right and wrong exercises, stubs, notebooks with two exercises each, and files with syntax errors, endless loops,
crashes, exits, and output without end.
"""

import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pysnn import exercises

LIMIT = 60                   # seconds
HEAD = 'import os, sys\nimport numpy as np\nEXERCISE = "spike_loss"\n'
LOSS = HEAD + "def loss(z, y):\n    "
BROKEN = ("def f(:", HEAD + "while True: pass\n", LOSS + "while True: pass\n", HEAD + "os.abort()\n", HEAD + "sys.exit(3)\n",
          LOSS + "os._exit(4)\n", HEAD + "while True: print('x' * 100_000)\n", LOSS + "return 'x' * 10 ** 8, z\n", "", HEAD + "1 / 0\n")
WRONG = {"spike_time": ("<= z_next", "< z_next"), "temporal_backward": (" - threshold\n", "\n"),
         "spike_loss": ("-(p - one_hot)", "(p - one_hot)"),
         "integrate_and_fire": (">= threshold", "> threshold"), "surrogate_backward": ("slope / 2 /", "slope /"),
         "conv_backward": ("dpadded[at] +=", "dpadded[at] ="), "max_pool_backward": ("free &= ~first", "pass"),
         "batch_norm_backward": ("- x_hat * dgamma", "+ x_hat * dgamma"), "proxy_step": ("2 * error /", "error /"),
         "conversion": (" + 1e-9", ""), "find_the_bug": ("w[order, j]", "w[:, j]"), "encode": ("(1 - x)", "x"), "stdp": ("dw -=", "dw +=")}


def files():
    """Make the class: name and text of each file."""
    names, broken = exercises.NAMES, [f"{k % 10}_{k}" for k in range(20)]
    for k in range(80):
        one, two = names[k % len(names)], names[(k + 1) % len(names)]
        text = exercises.text(one, k % 8 != 0)                       # every eighth is not filled in
        if k % 4 == 1:
            text = text.replace(*WRONG[one])
        if k % 4 == 3:
            cells = [{"cell_type": "code", "source": code, "outputs": []} for code in (text, exercises.text(two, True))]
            yield f"student_{k:02}.ipynb", json.dumps({"cells": cells, "nbformat": 4})
        else:
            yield f"student_{k:02}.py", text
    for k, name in enumerate(broken):
        yield f"broken_{name}.py", BROKEN[k % len(BROKEN)]


def main():
    """Make the class, grade it, write the record."""
    from record import write
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "class")
        place.mkdir()
        for name, text in files():
            (place / name).write_text(text, encoding="utf-8")
        command = [sys.executable, "-m", "pysnn", "grade", str(place), "--csv", f"{folder}/marks.csv",
                   "--gradescope", f"{folder}/results.json", "--seed", "4711"]
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds, used = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        rows = list(csv.DictReader(Path(folder, "marks.csv").read_text().splitlines()))
        tests = json.loads(Path(folder, "results.json").read_text())["tests"]
    scores = [float(row["score"]) for row in rows]
    n = {"files": len(rows), "exercises": len(tests), "errors": sum(bool(row["errors"]) for row in rows), "full": scores.count(100.0),
         "none": scores.count(0.0)}
    print(f"{seconds:.1f} s (at most {LIMIT}) on {os.cpu_count()} processors, {used.ru_utime + used.ru_stime:.1f} s of theirs: {n}")
    if seconds > LIMIT or len(rows) != 100:
        sys.exit("expected 100 rows in time")
    write("grading", {"command": "python docs/results/grading.py", "seconds": round(seconds, 1), "limit": LIMIT, **n,
                      "processor_seconds": round(used.ru_utime + used.ru_stime, 1)})


if __name__ == "__main__":
    main()
