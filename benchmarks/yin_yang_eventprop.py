"""Score finished runs of EventProp on Yin-Yang's test samples, and write a record.

Run: python benchmarks/yin_yang_eventprop.py RUN.npz ... --json docs/results/yin-yang-eventprop.json
"""

import argparse
import json
import platform
import time

import numpy as np

from pysnn import datasets, training

TRAINED = "pysnn train eventprop --data yin-yang --seed SEED --no-test --out runs/yin-yang-SEED.npz"


def main(argv=None):
    """Score, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", metavar="RUN.npz", help="checkpoints of finished runs")
    parser.add_argument("--json", metavar="FILE", help="also write the record to FILE")
    args = parser.parse_args(argv)
    data, rows = datasets.load("yin-yang"), []
    for path in args.runs:
        run = training.load(path)
        if run.method != "eventprop" or run.epoch < run.nets.settings.epochs:
            parser.error(f"{path}: expected a finished run of eventprop, got {run.method} after epoch {run.epoch}")
        rows.append({"seed": run.seed, "epochs": run.epoch, "validation": run.records[-1]["val_accuracy"],
                     "test": run.rule.score(run.nets, data.x_test, data.y_test).expected, "settings": run.nets.settings.plain(),
                     "seconds": sum(r["seconds"] for r in run.records), "n_stopped": run.records[-1]["n_stopped"],
                     "spikes": run.records[-1]["spikes"]})
        print(f"seed {run.seed}: validation {100 * rows[-1]['validation']:.2f} %, test {100 * rows[-1]['test']:.2f} %")
    tests = [row["test"] for row in rows]
    print(f"mean of {len(rows)} seeds: {100 * np.mean(tests):.2f} %")
    record = {"command": TRAINED, "runs": rows, "n_seeds": len(rows), "mean_test": float(np.mean(tests)), "std_test": float(np.std(tests)),
              "versions": training.versions(), "date": time.strftime("%Y-%m-%d"), "machine": platform.machine()}
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump(record, file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    main()
