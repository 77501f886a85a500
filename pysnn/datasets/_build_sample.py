"""Make fashion_sample.npz from the full Fashion-MNIST.

Run as `python -m pysnn.datasets._build_sample [FOLDER]`; without a folder it reads the cache.

Fashion-MNIST is by Zalando SE (MIT licence: LICENSE-fashion-mnist). The sample holds 600 training and 100 test images
a class, the former from the training set only, the latter from the test set only, in their original order; train_index
and test_index say which. Chosen with RandomState(0), whose stream NumPy has frozen: anyone gets the same arrays.
"""

import sys

import numpy as np

from .loading import SAMPLE, load

N_TRAIN, N_TEST, SEED = 600, 100, 0  # a class, a class, -


def choose(y, n, rng):
    """Choose n samples of each class 0 to 9; return their sorted indices."""
    return np.sort(np.concatenate([rng.permutation(np.flatnonzero(y == c))[:n] for c in range(10)]))


def build(full):
    """Return the arrays of the sample by name, as stored; full is the full Fashion-MNIST."""
    rng = np.random.RandomState(SEED)
    train, test = choose(full.y_train, N_TRAIN, rng), choose(full.y_test, N_TEST, rng)
    return {
        "x_train": full.x_train[train], "y_train": full.y_train[train], "train_index": train,
        "x_test": full.x_test[test], "y_test": full.y_test[test], "test_index": test,
    }


def main():
    """Write the file beside this module."""
    np.savez_compressed(SAMPLE, **build(load("fashion-mnist", folder=sys.argv[1] if len(sys.argv) > 1 else None)))
    print(f"{SAMPLE}: {SAMPLE.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
