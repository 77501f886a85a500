"""Train each method for three epochs and record the bits: to see that a change of shape changes no number.

Usage: python docs/results/bits.py FILE.json          (writes the record)
       python docs/results/bits.py FILE.json --check  (trains again and compares; exit code 1 where bits differ)
The same machine and versions give the same bits; other processors may not.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np

from pysnn import datasets, training
from pysnn.verify import golden, suite

CONV = "28x28x1-4C3-P2-4C3-A2-20-10"
ENTRY = ("n_checked", "max_error", "kinks", "skipped", "verdict")
RUNS = {   # name: (method, data, samples, preset, settings)
    "temporal": ("temporal", "fashion-sample", 600, "ours", {"model": "784-50-10"}),
    "temporal, z, bias": ("temporal", "yin-yang", 400, "authors", {"model": "4-20-3", "bias": True}),
    **{f"{m}, dense": (m, "fashion-sample", 600, "ours", {"model": "784-30-10", "bias": True} | ({"n_steps": 4} if m != "ann" else {}))
       for m in ("proxy", "tandem", "surrogate", "conversion", "ann")},
    **{f"{m}, convolutions": (m, "fashion-sample", 200, "ours", {"model": CONV, "batch": 20} | ({"n_steps": 3} if m != "ann" else {}))
       for m in ("proxy", "tandem", "surrogate", "conversion", "ann")},
    "proxy, authors": ("proxy", "fashion-sample", 100, "authors", {"model": CONV, "batch": 20, "n_steps": 3}),
    "surrogate, potential": ("surrogate", "fashion-sample", 200, "ours",
                             {"model": CONV, "batch": 20, "n_steps": 3, "readout": "potential"}),
}


def bits(arrays):
    """Return the sha256 of named arrays."""
    h = hashlib.sha256()
    for name in sorted(arrays):
        a = np.ascontiguousarray(arrays[name])
        h.update(f"{name} {a.dtype} {a.shape}".encode() + a.tobytes())
    return h.hexdigest()


def main(path, *options):
    """Train, and write or compare."""
    from record import origin
    got = {**origin(f"python docs/results/bits.py {path}"), "golden": {}, "verify": {}, "runs": {}}
    for case in golden.cases():
        got["golden"][f"{case.operation} {case.name}"] = bits({**case.inputs, **case.outputs, **case.gradients})
    for entry in suite.run().to_dict()["entries"]:
        name = ", ".join(str(entry[part]) for part in ("operation", "check", "argument"))
        got["verify"].setdefault(name, []).append({part: entry[part] for part in ENTRY})
    for name, (method, data, n, preset, chosen) in RUNS.items():
        rule, samples = training.METHODS[method], datasets.load(data)
        for backend in ("numba", "reference"):
            settings = rule.settings_for(data, preset, **{**chosen, "epochs": 3, "backend": backend})
            run = training.start(method, settings, 0)
            for _ in training.epochs(run, (samples.x_train[:n], samples.y_train[:n])):
                pass
            score = rule.score(run.nets, samples.x_test[:500], samples.y_test[:500])
            got["runs"][f"{name}, {backend}"] = {"loss": run.records[-1]["loss"], "accuracy": score.expected,
                                                 "sha256": bits({**run.nets.net.params, **run.nets.state})}
            print(f"{name}, {backend}: {got['runs'][f'{name}, {backend}']}", flush=True)
    if "--check" in options:
        want = json.loads(Path(path).read_text())
        wrong = [f"{part}: {name}" for part in ("golden", "verify", "runs")
                 for name in want[part] if got[part].get(name) != want[part][name]]
        print("\n".join(wrong) or f"the same bits: {len(want['runs'])} runs, {len(want['golden'])} golden cases")
        return bool(wrong)
    Path(path).write_text(json.dumps(got, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
