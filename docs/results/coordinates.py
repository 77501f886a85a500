"""Check 100,000 random coordinates of temporal nets, 1 to 4 layers, float64, and record the verdict on each.

Run: python docs/results/coordinates.py [N]        writes docs/results/coordinates.json, in a few minutes; stopped, it goes on where it was
Every input and every weight of each net is one coordinate. The backward passes are right, so WRONG would be a false alarm. Where rounding
in forward would hide an error of 1e-3 from differences (a derivative that is tiny beside the loss), the complex step at frozen causal sets
is asked instead; what it cannot settle either counts as left out, as do jumps.
"""

import json
import sys
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np

from pysnn import verify
from pysnn.operations import backend_of

HERE = Path(__file__).parent
WANTED = 100_000
OFTEN = 100                  # nets between two records
BLIND = "rounding in forward hides the difference"


def net(k):
    """Draw net number k: sizes, inputs and weights; drawn anew until some output fires."""
    rng, n_layers = np.random.default_rng([1606, k]), 1 + k % 4
    sizes = rng.integers(3, 9, n_layers + 1)
    while True:
        z_in = rng.choice([1.0, 6.0], (3, sizes[0])) if k % 3 == 0 else np.exp(rng.uniform(0, 2, (3, sizes[0])))
        weights = [rng.normal(1.8 / n, 1.2 / np.sqrt(n), (n, m)) for n, m in pairwise(sizes)]
        if np.isfinite(chain().forward(z_in, *weights)[0]).any():
            return (z_in, *weights), rng


def chain():
    """Return the net of whatever computes fastest."""
    return verify.temporal.chain(backend_of("temporal"))


def checked(k):
    """Check all coordinates of net number k; return counts, and the largest error by argument."""
    args, rng = net(k)
    op = chain()
    report = verify.gradcheck(op.forward, op.backward, args, trace=op.trace, n=None, rng=rng)
    counts, reasons, errors, second = Counter(), Counter(), [], None
    for i, row in enumerate(report.rows):
        if row.by == "coordinates":
            why, settled = dict(row.reasons), 0
            if BLIND in why:
                second = second or verify.temporal.complex_step_check(backend_of("temporal"), args[0], args[1:]).items
                if second[i // 2].verdict != "DIFFERENT":
                    settled = why.pop(BLIND)
            counts.update(smooth=row.smooth, kinks=row.kinks, jumps=row.jumps, skipped=row.skipped - settled, wrong=row.n_wrong,
                          by_complex_step=settled)
            reasons.update(why)
            errors += [] if row.max_error is None else [row.max_error]
        else:
            counts.update(directions=row.checked, directions_wrong=row.n_wrong)
    counts.update({"nets": 1, f"nets of {len(args) - 1} layers": 1, "silent outputs": report.n_silent, "outputs": report.n_outputs})
    return counts, reasons, errors


def main(wanted=WANTED):
    """Go on from the record, if there is one, until that many coordinates were checked."""
    path = HERE / "coordinates.json"
    old = json.loads(path.read_text()) if path.is_file() else {"next": 0, "counts": {}, "reasons": {}, "errors": [], "seconds": 0.0}
    counts, reasons, errors, k = Counter(old["counts"]), Counter(old["reasons"]), old["errors"], old["next"]
    spent, began = old["seconds"], time.perf_counter()
    if total(counts) >= wanted:
        raise SystemExit(f"{path} is complete: remove it to check the present code")
    while total(counts) < wanted:
        more, why, largest = checked(k)
        counts.update(more)
        reasons.update(why)
        errors += [float(f"{e:.2g}") for e in largest]
        k += 1
        if k % OFTEN == 0 or total(counts) >= wanted:
            left_out = counts["jumps"] + counts["skipped"]
            write({"next": k, "counts": dict(counts), "reasons": dict(reasons), "share_left_out": left_out / total(counts),
                   "largest_error": max(errors), "median_error_of_an_argument": float(np.median(errors)), "errors": errors,
                   "backend": backend_of("temporal").__name__.split(".")[1], "seconds": spent + time.perf_counter() - began})
            print(f"{k} nets, {total(counts)} coordinates: {counts['wrong']} wrong, {left_out} left out {dict(reasons)}, "
                  f"{counts['by_complex_step']} by complex step", flush=True)


def total(counts):
    """Count the coordinates checked."""
    return sum(counts[kind] for kind in ("smooth", "kinks", "by_complex_step", "jumps", "skipped"))


def write(record):
    """Write the record with what is needed to repeat it."""
    import record as records
    records.write("coordinates", {"command": "python docs/results/coordinates.py", **record})


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
