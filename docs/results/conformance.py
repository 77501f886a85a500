"""Run the conformance matrix in the two environments of `make test-frameworks`, and write docs/results/conformance.json.

Run: python docs/results/conformance.py [PYTHON ...]     default: .venv-frameworks/bin/python and .venv-jax/bin/python
Then `make tables` rebuilds docs/conformance.md, whose tables are made here, too.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from record import write

ROOT = Path(__file__).parents[2]
PYTHONS = ".venv-frameworks/bin/python", ".venv-jax/bin/python"
HERE = {0: (), 1: ("spyx",)}                             # of the second environment only what the first has not
SIGNS = {"right": "✓", "convention": "c", "precision": "p", "bug": "**bug**", "not supported": "·"}


def main(*pythons):
    """Run both, and put their cells together."""
    parts = []
    for k, python in enumerate(pythons or [str(ROOT / p) for p in PYTHONS]):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([python, "-m", "pysnn", "conformance", *HERE[k], "--quiet", "--json", f"{folder}/cells.json"],
                                  env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL)
            if done.returncode > 1:
                raise SystemExit(f"{python} ends with {done.returncode}")
            parts.append(json.loads(Path(folder, "cells.json").read_text()))
    cells = {}
    for cell in (cell for part in parts for cell in part["cells"]):
        of = cells.setdefault(cell["framework"], {}).setdefault(cell["neuron"], {})
        of[cell["case"]] = [cell["outcome"], cell["says"], *([cell["link"]] if cell["link"] else [])]
    frameworks = {name: version for part in parts for name, version in part["versions"].items()}
    write("conformance", {"command": "python docs/results/conformance.py", "suite": parts[0]["suite"], "frameworks": frameworks,
                          "seconds": [part["seconds"] for part in parts], "cells": cells})


def load():
    """Read the record."""
    return json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))


def flat(cells):
    """List all cells: framework, neuron, case, and what was found."""
    return [(framework, neuron, case, *found) for framework, neurons in cells.items() for neuron, cases in neurons.items()
            for case, found in cases.items()]


def how():
    """Say how the record came about."""
    r = load()
    cells = flat(r["cells"])
    n = {outcome: sum(c[3] == outcome for c in cells) for outcome in (*SIGNS, "unexpected", "repaired")}
    n_neurons = sum(len(neurons) for neurons in r["cells"].values())
    return [f"{r['date']}, cases of version {r['suite']}, {r['cpu']}, {r['versions']['machine']}, Python {r['versions']['python']}: "
            f"{len(r['frameworks'])} frameworks, {n_neurons} neurons, {len(cells):,} cells in {sum(r['seconds']):.0f} s. "
            f"**{n['right']:,} right, {n['convention']} conventions, {n['precision']} of precision, {n['bug']} known bugs, "
            f"{n['not supported']} not supported, {n['unexpected'] + n['repaired']} unexpected.** [Record](results/conformance.json)"]


def frameworks():
    """Count outcomes by framework."""
    r, rows = load(), ["| framework | neurons | right | convention | precision | known bug | not supported |", "|---" * 7 + "|"]
    for framework, neurons in r["cells"].items():
        found = [case[0] for cases in neurons.values() for case in cases.values()]
        counts = " | ".join(str(found.count(o)) for o in SIGNS)
        rows.append(f"| {framework} {r['frameworks'][framework]} | {len(neurons)} | {counts} |")
    return rows


def cases():
    """Framework by case: how many neurons are right, or by convention so; others beside."""
    r = load()
    names = list(dict.fromkeys(c[2] for c in flat(r["cells"])))
    rows = ["| case | " + " | ".join(r["cells"]) + " |", "|---" * (len(r["cells"]) + 1) + "|"]
    for name in names:
        row = []
        for neurons in r["cells"].values():
            found = [of[name][0] for of in neurons.values()]
            counts = {sign: found.count(o) for o, sign in (("right", "✓"), ("convention", "c"), ("precision", "p"), ("bug", "bug"))}
            row.append(", ".join(f"**{n} {sign}**" if sign == "bug" else f"{n} {sign}" for sign, n in counts.items() if n) or "·")
        rows.append(f"| {name} | {' | '.join(row)} |")
    return rows


def neurons():
    """Every neuron by every case."""
    r = load()
    names, lines = list(dict.fromkeys(c[2] for c in flat(r["cells"]))), []
    for framework, of in r["cells"].items():
        lines += ["", f"| {framework} {r['frameworks'][framework]} | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
        lines += [f"| `{neuron}` | " + " | ".join(SIGNS[found[name][0]] for name in names) + " |" for neuron, found in of.items()]
    return lines[1:]


def bugs():
    """The known bugs, one row for a neuron and reason."""
    rows, seen = ["| neuron | cases | what is known |", "|---|---|---|"], {}
    for framework, neuron, case, outcome, says, *link in flat(load()["cells"]):
        if outcome == "bug":
            seen.setdefault((framework, neuron, says.partition(";")[0], *link), []).append(case)
    for (framework, neuron, reason, link), names in seen.items():
        target = link.removeprefix("docs/")
        where = f"[{target.rpartition('/')[2].removesuffix('.md')}]({target})" if link != "not reported" else link
        rows.append(f"| {framework} `{neuron}` | {', '.join(names)} | {reason}: {where} |")
    return rows


if __name__ == "__main__":
    main(*sys.argv[1:])
