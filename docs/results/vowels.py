"""Choose the settings of JapaneseVowels by cross-validation on its training samples.

Run: python docs/results/vowels.py            writes vowels.json

Two ways to hold samples out: five folds at random, and, since the test samples were spoken later, three folds of utterances in the order in
which each speaker spoke them; two seeds. Noise is added in training: to each number, and, as an offset, to each channel of a sample, in
shares of the channel's spread. What record.py then tests once, `japanese-vowels-noise`, was chosen by the folds of utterances.
"""

import functools
import itertools

import numpy as np
import record

from pysnn import datasets, training
from pysnn.learning import surrogate

SEEDS = 0, 1
TRIES = {"before": record.BEFORE, "preset": {}, "preset, noise": {"augment": record.noisy},
         **{f"noise {each} and {offset}, {epochs} epochs": {
             "augment": functools.partial(record.noisy, each=each, offset=offset), "epochs": epochs}
            for each, offset, epochs in ((0.2, 0.4, 80), (0.2, 0.8, 80), (0.4, 0.4, 80), (0.4, 0.8, 80), (0.4, 0.8, 160), (0.6, 1.2, 160))}}


def folds(y):
    """Return, by way, lists of the samples that are held out."""
    order, utterance = np.random.default_rng(0).permutation(len(y)), np.array([np.sum(y[:i] == y[i]) for i in range(len(y))])
    return {"random": [order[k::5] for k in range(5)], "utterances": [np.flatnonzero(utterance // 6 == k) for k in (0, 2, 4)]}


def main():
    """Train and score all tries on all folds."""
    (x, y), _ = datasets.held_out(datasets.load("japanese-vowels"), 0)
    results = []
    for (name, chosen), (way, held) in itertools.product(TRIES.items(), folds(y).items()):
        right = []
        for some, seed in itertools.product(held, SEEDS):
            rest = np.setdiff1d(np.arange(len(y)), some)
            run = training.start("surrogate", surrogate.settings_for("japanese-vowels", **chosen), seed)
            list(training.epochs(run, (x[rest], y[rest])))
            right.append(run.rule.score(run.nets, x[some], y[some]).expected)
        results.append({"try": name, "folds": way, "accuracy": float(np.mean(right)), "of_each": right})
        print(name, way, f"{results[-1]['accuracy']:.4f}", flush=True)
    record.write("vowels", {"command": "python docs/results/vowels.py", "results": results})


if __name__ == "__main__":
    main()
