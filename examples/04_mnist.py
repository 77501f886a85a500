"""
MNIST, from raw images to exact spike times
===========================================

A network of 784-800-10 temporal neurons learns to read digits. Then figures show what it has learned.

Run: python examples/04_mnist.py [epochs [model]]          (3 epochs by default, a minute; first: pysnn data fetch mnist)
Without MNIST at hand it takes the shipped sample of Fashion-MNIST.
"""

import sys
from importlib.util import find_spec

import numpy as np

from pysnn import datasets, training
from pysnn.learning import temporal

chosen = {"epochs": int(sys.argv[1]) if len(sys.argv) > 1 else 3}
if len(sys.argv) > 2:
    chosen["model"] = sys.argv[2]
try:
    data = datasets.load("mnist")
except datasets.DataError as error:
    print(f"{error}\n... going on with the shipped sample")
    data = datasets.load("fashion-sample")
settings = temporal.settings_for(data.name, **chosen)

# %%
# Training
# --------
# ``training.epochs`` is a generator: it trains an epoch, scores the validation images, and gives a record.
train, validation = datasets.held_out(data)
run = training.start("temporal", settings, seed=0, data={"name": data.name})
for r in training.epochs(run, train, validation):
    print(f"epoch {r['epoch']:3d}   loss {r['loss']:.4f}   validation {r['val_accuracy']:.2%}   "
          f"silent by layer {np.round(r['silent'], 3)}   {r['seconds']:.1f} s")

# %%
# The test set
# ------------
# It is used only once, after all choices have been made.
accuracy = temporal.score(run.nets, data.x_test, data.y_test).expected
print(f"test accuracy {accuracy:.2%}")
assert chosen["epochs"] < 3 or "model" in chosen or accuracy > (0.95 if data.name == "mnist" else 0.7)
training.save(run, f"runs/04-{data.name}.npz")

# %%
# What to look at
# ---------------
# Every spike that one image causes; the accuracy if the answer must come by a certain time; what the first hidden neurons look
# for.
if find_spec("matplotlib"):
    from pysnn import figures, plots
    for kind in ("raster", "in-time", "weights"):
        print(plots.save(figures.draw(kind, run, data), f"figures/04-{kind}.png"))
