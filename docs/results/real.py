"""Hold the defaults against a tuned grid: ten real data sets for the estimators, numbers of steps for surrogate learning and proxy.

Run: python docs/results/real.py FOLDER [PART ...]      writes docs/results/real.json; PART: proxy, temporal, or one data set of
                                                        them such as proxy/iris; steps; default: all

FOLDER holds the wheels of aeon and statsmodels, whose data files are read (pip download --no-deps aeon==1.6.0 statsmodels==0.15.0); the
other four sets are scikit-learn's. aeon's splits are its own; of the others a third is for testing. The rate of the grid is chosen by
three folds of up to 300 training samples, one seed; test samples are seen by the defaults and by the chosen rate.
"""

import csv
import io
import json
import sys
import warnings
import zipfile
from importlib.metadata import version
from pathlib import Path

import numpy as np

from pysnn import datasets, training
from pysnn.estimators import ProxyClassifier, TemporalClassifier

HERE = Path(__file__).parent
SKLEARN, AEON = ("iris", "wine", "breast_cancer", "digits"), ("GunPoint", "ArrowHead", "OSULeaf", "BasicMotions", "ACSF1")
SETS = ("iris", "anes96", "wine", "breast_cancer", "digits", *AEON)         # by number of features, 4 to 1,460
KINDS = {"proxy": ProxyClassifier, "temporal": TemporalClassifier}
RATES, DEFAULT = (1e-3, 3e-3, 1e-2, 3e-2), {"proxy": 2e-2, "temporal": 7e-3}
SEEDS = {"proxy": range(3), "temporal": range(10)}
PROXY_SETS, PROXY_STEPS = ("iris", "OSULeaf"), (2, 32, 128)
STEPS, N_TRAIN, SURROGATE = (8, 16, 32, 64, 128), 3000, {"model": "784-100-10", "epochs": 5}
SURROGATE_RATES = (3e-4, 1e-3, 3e-3)
FORMER = {"on": "counts", "detach_reset": True}          # of the preset before


def member(folder, wheel, name):
    """Read a text file from a wheel."""
    with zipfile.ZipFile(next(Path(folder).glob(f"{wheel}-*.whl"))) as z:
        return z.read(name).decode()


def series(text):
    """Read a .ts file: a line is a sample, its channels and its class parted by colons."""
    rows = [line.split(":") for line in text.split("@data")[1].split()]
    return np.array([[float(v) for channel in row[:-1] for v in channel.split(",")] for row in rows]), np.array([row[-1] for row in rows])


def load(name, folder):
    """Return x_train, x_test, y_train, y_test; samples are rows."""
    import sklearn.datasets
    from sklearn.model_selection import train_test_split
    if name in AEON:
        files = (f"aeon/datasets/data/{name}/{name}_{part}.ts" for part in ("TRAIN", "TEST"))
        (x, y), (x_test, y_test) = (series(member(folder, "aeon", file)) for file in files)
        return x, x_test, y, y_test
    if name == "anes96":                                                    # who voted for whom, of nine features
        rows = list(csv.reader(io.StringIO(member(folder, "statsmodels", "statsmodels/datasets/anes96/anes96.csv")), delimiter="\t"))
        x, y = np.array(rows[1:], float)[:, :-1], np.array(rows[1:], float)[:, -1].astype(int)
    else:
        x, y = getattr(sklearn.datasets, f"load_{name}")(return_X_y=True)
    return train_test_split(x, y, test_size=1 / 3, random_state=0, stratify=y)


def fit(kind, data, seed, **chosen):
    """Fit and score one estimator: test accuracy, shares of the last record, warnings."""
    x, x_test, y, y_test = data
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model = KINDS[kind](random_state=seed, **chosen).fit(x, y)
    last = {name: np.round(model.records_[-1][name], 3).tolist() for name in ("silent", "ceiling", "movable")}
    return {"test": model.score(x_test, y_test), **last, "warnings": [str(w.message) for w in said]}


def tuned(kind, data, **chosen):
    """Choose the learning rate by folds of the training samples."""
    from sklearn.model_selection import StratifiedKFold
    x, _, y, _ = data
    x, y, scores = x[:300], y[:300], {}
    folds = list(StratifiedKFold(3, shuffle=True, random_state=0).split(x, y))
    for lr in RATES:
        scores[lr] = float(np.mean([fit(kind, (x[i], x[j], y[i], y[j]), 100, lr=lr, **chosen)["test"] for i, j in folds]))
    return {"folds": scores, "lr": max(scores, key=scores.get)}


def estimators(kind, folder, only):
    """One estimator on the ten data sets, or on one of them."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    rows = []
    for name in [only] if only else SETS:
        data = x, x_test, y, y_test = load(name, folder)
        linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000)).fit(x, y).score(x_test, y_test)
        runs, best = [fit(kind, data, seed) for seed in SEEDS[kind]], tuned(kind, data)
        best["runs"] = runs if best["lr"] == DEFAULT[kind] else [fit(kind, data, seed, lr=best["lr"]) for seed in SEEDS[kind]]
        rows.append({"data": name, "n_features": x.shape[1], "n_train": len(x), "n_test": len(x_test), "n_classes": len(set(y)),
                     "largest_class": max(float(np.mean(y_test == c)) for c in set(y)), "logistic": linear, "runs": runs, "tuned": best})
        print(kind, name, linear, [r["test"] for r in runs], best["lr"], [r["test"] for r in best["runs"]], flush=True)
    return rows


def steps(folder):
    """Numbers of steps: surrogate learning on the shipped images, by validation accuracy; the ProxyClassifier by folds."""
    data, rule, rows = datasets.load("fashion-sample"), training.METHODS["surrogate"], []
    parts = [(data.x_train[a:b], data.y_train[a:b]) for a, b in ((0, N_TRAIN), (N_TRAIN, N_TRAIN + 1500))]
    for t in STEPS:
        row = {"n_steps": t}
        for name, chosen in {"preset": {}, **{f"lr {lr:g}": {"lr": lr} for lr in SURROGATE_RATES if lr != 1e-3}, "former": FORMER}.items():
            run = training.start("surrogate", rule.settings_for("fashion-sample", n_steps=t, **SURROGATE, **chosen), 0)
            *_, last = training.epochs(run, *parts)
            row[name] = {key: last[key] for key in ("val_accuracy", "n_silent", "silent", "ceiling", "movable")} | {
                "warning": last.get("warning")}
        rows.append(row)
        print(t, {name: r["val_accuracy"] for name, r in row.items() if name != "n_steps"}, flush=True)
    proxy = [{"data": name, "n_steps": t, "folds": tuned("proxy", load(name, folder), n_steps=t)["folds"]}
             for name in PROXY_SETS for t in PROXY_STEPS]
    return {"surrogate": rows, "proxy": proxy}


def main(folder, *parts):
    """Run the parts; each is written when it is done."""
    from record import write
    for part in parts or ("proxy", "temporal", "steps"):
        part, _, only = part.partition("/")
        made = steps(folder) if part == "steps" else estimators(part, folder, only)
        path = HERE / "real.json"
        old = json.loads(path.read_text()) if path.is_file() else {}
        keep = {name: old[name] for name in ("proxy", "temporal", "steps") if name in old}
        if only:
            made = sorted([row for row in keep.get(part, []) if row["data"] != only] + made, key=lambda row: SETS.index(row["data"]))
        write("real", {"command": "python docs/results/real.py FOLDER", "seeds": {kind: list(seeds) for kind, seeds in SEEDS.items()},
                       "rates": RATES, "default": DEFAULT,
                       "scikit-learn": version("scikit-learn"), **keep, part: made})


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
