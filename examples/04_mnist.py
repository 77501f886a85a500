"""MNIST, from raw images to a trained network of exact spike times, and what to look at afterwards.

Run: python examples/04_mnist.py [epochs]          (3 epochs by default, a minute; first: pysnn data fetch mnist)
Without MNIST at hand it takes the shipped sample of Fashion-MNIST.
"""

import sys

import numpy as np

from pysnn import datasets, training
from pysnn.learning import temporal


def main(epochs=3, name="mnist", **chosen):
    try:
        data = datasets.load(name)
    except datasets.DataError as error:
        print(f"{error}\n... going on with the shipped sample")
        data = datasets.load("fashion-sample")
    settings = temporal.settings_for(data.name, epochs=epochs, **chosen)
    train, validation = datasets.held_out(data)

    run = training.start("temporal", settings, seed=0, data={"name": data.name})
    for r in training.epochs(run, train, validation):
        print(f"epoch {r['epoch']:3d}   loss {r['loss']:.4f}   validation {r['val_accuracy']:.2%}   "
              f"silent by layer {np.round(r['silent'], 3)}   {r['seconds']:.1f} s")

    # The test set is touched once, now that nothing is left to choose.
    accuracy = temporal.score(run.nets, data.x_test, data.y_test).expected
    print(f"test accuracy {accuracy:.2%}")
    training.save(run, f"runs/04-{data.name}.npz")
    try:
        from pysnn import figures, plots
    except ImportError:
        return accuracy
    for kind in ("raster", "in-time", "weights"):
        print(plots.save(figures.draw(kind, run, data), f"figures/04-{kind}.png"))
    return accuracy


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
