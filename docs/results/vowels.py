"""Choose the settings of JapaneseVowels by cross-validation on its training samples.

Run: python docs/results/vowels.py [TRY ...]       writes vowels.json; with names, only those of it

Two ways to hold samples out: five folds at random, and, since the test samples were spoken later, three folds of utterances in the order in
which each speaker spoke them; two seeds. Noise is added in training: to each number, and, as an offset, to each channel of a sample, in
shares of the channel's spread. What record.py then tests once, the preset and `japanese-vowels-noise`, was chosen by the folds of
utterances.
"""

import functools
import itertools
import json
import sys

import numpy as np
import record

from pysnn import datasets, training
from pysnn.learning import surrogate

SEEDS = 0, 1
TRIES = {"before": record.BEFORE, "mean": record.BETWEEN, "mean, noise": record.BETWEEN | {"augment": record.noisy},
         **{f"noise {each} and {offset}, {epochs} epochs": record.BETWEEN | {
             "augment": functools.partial(record.noisy, each=each, offset=offset), "epochs": epochs}
            for each, offset, epochs in ((0.2, 0.4, 80), (0.2, 0.8, 80), (0.4, 0.4, 80), (0.4, 0.8, 80), (0.4, 0.8, 160), (0.6, 1.2, 160))},
         **{f"smoothing {share}": record.BETWEEN | {"smoothing": share} for share in (0.1, 0.2, 0.3)},
         "smoothing 0.2, 80 epochs": record.BETWEEN | {"smoothing": 0.2, "epochs": 80},
         "differences": {"smoothing": 0.0, "epochs": 40}, "differences, smoothing 0.2": {"smoothing": 0.2, "epochs": 40},
         "differences, smoothing 0.3": {"epochs": 40}, "preset": {}}


def folds(y):
    """Return, by way, lists of the samples that are held out."""
    order, utterance = np.random.default_rng(0).permutation(len(y)), np.array([np.sum(y[:i] == y[i]) for i in range(len(y))])
    return {"random": [order[k::5] for k in range(5)], "utterances": [np.flatnonzero(utterance // 6 == k) for k in (0, 2, 4)]}


def main(*names):
    """Train and score tries on all folds."""
    (x, y), _ = datasets.held_out(datasets.load("japanese-vowels"), 0)
    path = record.HERE / "vowels.json"
    results = [r for r in json.loads(path.read_text())["results"] if r["try"] not in names] if names else []
    for name, (way, held) in itertools.product(names or TRIES, folds(y).items()):
        chosen = TRIES[name]
        right = []
        for some, seed in itertools.product(held, SEEDS):
            rest = np.setdiff1d(np.arange(len(y)), some)
            run = training.start("surrogate", surrogate.settings_for("japanese-vowels", **chosen), seed)
            list(training.epochs(run, (x[rest], y[rest])))
            right.append(run.rule.score(run.nets, x[some], y[some]).expected)
        results.append({"try": name, "folds": way, "accuracy": float(np.mean(right)), "of_each": right})
        print(name, way, f"{results[-1]['accuracy']:.4f}", flush=True)
    results.sort(key=lambda r: list(TRIES).index(r["try"]))
    record.write("vowels", {"command": "python docs/results/vowels.py", "results": results})


if __name__ == "__main__":
    main(*sys.argv[1:])
