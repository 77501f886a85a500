"""The ten lines from a file to a report (examples/12_ten_lines.py), on five data sets, beside logistic regression and a small MLP.

Run: python docs/results/ten_lines.py [FOLDER]      writes docs/results/ten-lines.json; FOLDER holds BasicMotions_TRAIN.ts and _TEST.ts

Each data set is written to a file of a user's own, and for each seed the ten lines are run on it. The seed draws the test samples, a fifth
(of BasicMotions they are given), the weights and the batches. Logistic regression and MLP (scikit-learn's, 100 hidden neurons) get the same
samples; theirs for training are those of training and validation together. All defaults are used as they are; nothing is chosen by any
result. The command line trains on the same file, where its test samples are those of seed 0: so seed 0 must give the same accuracy.
"""

import contextlib
import csv
import io
import json
import os
import runpy
import sys
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np

from pysnn import cli, data, datasets
from pysnn.datasets.cache import cache_folder

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SEEDS = range(3)
SETS = {"iris": "temporal", "wine": "temporal", "breast_cancer": "temporal", "digits": "proxy", "BasicMotions": "surrogate"}


def write_file(name, folder):
    """Write a data set to a file of one's own; return its name and the column of the labels."""
    import sklearn.datasets
    if name == "BasicMotions":
        known = datasets.load("basic-motions", folder)
        np.savez("BasicMotions.npz", x_train=known.x_train, y_train=known.y_train, x_test=known.x_test, y_test=known.y_test)
        return "BasicMotions.npz", None
    found = getattr(sklearn.datasets, f"load_{name}")()
    with open(f"{name}.csv", "w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow([*(f"x{k}" for k in range(found.data.shape[1])), "label"])
        lines.writerows([*map(repr, row), found.target_names[label]] for row, label in zip(found.data.tolist(), found.target, strict=True))
    return f"{name}.csv", "label"


def own_data(file, target, seed):
    """Read the file as the ten lines do."""
    if target:
        return data.from_csv(file, target, seed=seed)
    with np.load(file) as arrays:
        return data.from_series(arrays["x_train"], arrays["y_train"], test=(arrays["x_test"], arrays["y_test"]), seed=seed)


def others(own, seed):
    """Fit logistic regression and a small MLP to training and validation samples together; return their test accuracies."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    x, y = np.concatenate([own.x_train, own.x_val]), np.concatenate([own.y_train, own.y_val])
    x, x_test = x.reshape(len(x), -1), own.x_test.reshape(len(own.x_test), -1)
    models = {"logistic": LogisticRegression(max_iter=5000), "mlp": MLPClassifier((100,), max_iter=1000, random_state=seed)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {name: make_pipeline(StandardScaler(), model).fit(x, y).score(x_test, own.y_test) for name, model in models.items()}


def ten_lines(method, file, target, seed):
    """Run the example; return what it reports."""
    argv, sys.argv = sys.argv, ["12_ten_lines.py", method, file, target or "", str(seed)]
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return runpy.run_path(str(ROOT / "examples/12_ten_lines.py"))["report"]
    finally:
        sys.argv = argv


def by_command(method, file, target, seed):
    """Train by the command line, whose test samples are those of seed 0; return the test accuracy."""
    words = ["train", method, "--data", file, *(["--target", target] if target else []), "--seed", str(seed), "--out", "cli.npz",
             "--json", "cli.json", "--quiet"]
    with contextlib.redirect_stdout(io.StringIO()):
        if cli.main(words):
            raise SystemExit(f"failed: pysnn {' '.join(words)}")
    return json.loads(Path("cli.json").read_text())["test"]["expected"]


def main(folder=None):
    """Run all; write the record after each data set."""
    from record import write
    rows, here, series = [], os.getcwd(), Path(folder or cache_folder() / "basic-motions") / "BasicMotions_TRAIN.ts"
    for name, method in SETS.items():
        with tempfile.TemporaryDirectory() as place:
            os.chdir(place)
            file, target = write_file(name, folder)
            runs = []
            for seed in SEEDS:
                own = own_data(file, target, seed)
                run = {"seed": seed, **others(own, seed), "report": ten_lines(method, file, target, seed)}
                runs.append(run | {"command": by_command(method, file if target else str(series), target, seed)})
                if target and seed == 0 and runs[-1]["command"] != run["report"]["test"]:
                    raise SystemExit(f"{name}: {runs[-1]['command']} by the command line, {run['report']['test']} in Python")
                print(name, method, seed, {k: v if isinstance(v, float) else v["test"] for k, v in run.items() if k != "seed"},
                      runs[-1].get("command"), flush=True)
            rows.append({"data": name, "method": method, "n_train": len(own.y_train), "n_val": len(own.y_val), "n_test": len(own.y_test),
                         "n_features": int(np.prod(own.x_train.shape[1:])), "n_classes": len(own.classes), "runs": runs})
            os.chdir(here)
        write("ten-lines", {"command": "python docs/results/ten_lines.py", "seeds": list(SEEDS), "scikit-learn": version("scikit-learn"),
                            "rows": rows})


if __name__ == "__main__":
    main(*sys.argv[1:])
