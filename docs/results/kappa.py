"""Hold the temporal neuron, reference and kernels, against the 50-digit oracle on 10,000 problems, and record errors over condition.

Run: python docs/results/kappa.py            writes docs/results/kappa.json, in some minutes; needs mpmath

1 to 784 inputs, two neurons each, float64 and float32 in turn; random, sums near the threshold, ties, cancellation, two times only, silent
inputs. `median` and `max` are relative errors in eps (2**-52, 2**-23) over kappa; `ulps_*` count in units in the last place, one to two an
eps. Neurons whose decision is within rounding are counted, not compared; beyond kappa 1e10 (float32: 1e4) only the decision is.
"""

import importlib
from importlib.metadata import version

import numpy as np

from pysnn.verify.oracle import check as oracle_check
from pysnn.verify.oracle.check import KINDS, LIMITS, SIZES

N_CASES = 10_000
BACKENDS = ("reference", "kernels")
N_POINTS = 400       # of each backend and dtype, in the record


def summary(key, scores):
    """Turn the scores of one backend and dtype into what the record holds."""
    kappa, error, ulps = (np.concatenate([getattr(f, name) for f in scores]) for name in ("kappa", "error", "ulps"))
    gradients = np.concatenate([x for f in scores for x in f.gradients])
    some = np.unique(np.concatenate([np.linspace(0, len(kappa) - 1, N_POINTS).astype(int), np.argsort(error)[-40:]]))
    return {"backend": key[0], "dtype": key[1], "compared": len(kappa),
            **{name: sum(f.counts[name] for f in scores) for name in scores[0].counts}, "largest_kappa": float(kappa.max()),
            "median": float(np.median(error)), "max": float(error.max()),
            "ulps_median": float(np.median(ulps)), "ulps_max": float(ulps.max()),
            "gradient": {"compared": len(gradients), "median": float(np.median(gradients)), "max": float(gradients.max())},
            "points": [[float(f"{kappa[i]:.3g}"), float(f"{error[i] * kappa[i]:.3g}")] for i in some]}


def main():
    """Run all, write the record."""
    ops = {name: importlib.import_module(f"pysnn.{name}.temporal") for name in BACKENDS}
    scores = {(name, dtype): [] for dtype in LIMITS for name in BACKENDS}
    rng = np.random.default_rng(50)
    for k in range(N_CASES):
        dtype = ("float64", "float32")[k % 2]
        case = oracle_check.problem(rng, dtype, KINDS[k // 2 % len(KINDS)], int(rng.choice(SIZES)))
        exact = oracle_check.ask(*case, rng)
        for name, op in ops.items():
            scores[name, dtype].append(oracle_check.score(op, case, exact))
    series = [summary(key, one) for key, one in scores.items()]
    for s in series:
        print({name: value for name, value in s.items() if name != "points"}, flush=True)
    from record import write
    write("kappa", {"command": "python docs/results/kappa.py", "oracle": f"mpmath {version('mpmath')}, 50 digits",
                    "n_cases": N_CASES, "n_in": SIZES, "kinds": KINDS, "limits": LIMITS, "series": series})


if __name__ == "__main__":
    main()
