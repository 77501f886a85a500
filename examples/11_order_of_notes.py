"""
Leaky recurrent neurons hear a melody
=====================================

Three notes, each played once: which order was it? Each note is a burst of spikes of its own channel, at a time that nobody knows, among
random spikes. Every order has the same numbers of spikes, so counting them is of no use; a recurrent network of leaky neurons learns it.

Run: python examples/11_order_of_notes.py [epochs]          (12 epochs by default, some 15 s)
"""

import itertools
import sys
from importlib.util import find_spec

import numpy as np

from pysnn import training
from pysnn.conventions import Sequences
from pysnn.evaluation import sequences
from pysnn.learning import rate, surrogate

EPOCHS = int(sys.argv[1]) if len(sys.argv) > 1 else 12
N_STEPS, NOTES, ORDERS = 60, ("low", "middle", "high"), list(itertools.permutations(range(3)))
rng = np.random.default_rng(0)


def melodies(n):
    """Draw n melodies of 30 to 60 steps, spikes (n, 60, 3), and the numbers of their orders."""
    lengths, y = rng.integers(30, N_STEPS + 1, n), rng.integers(0, len(ORDERS), n)
    x = (rng.random((n, N_STEPS, 3)) < 0.05).astype(np.uint8)
    for b in range(n):
        begins = np.sort(rng.choice(lengths[b] // 6, 3, replace=False)) * 6 + rng.integers(0, 3, 3)
        for begin, note in zip(begins, ORDERS[y[b]], strict=True):
            x[b, begin:begin + 4, note] = 1
    x[np.arange(N_STEPS) >= lengths[:, None]] = 0
    return Sequences(x, lengths), y


train, validation, test = melodies(2000), melodies(300), melodies(1000)

# %%
# Counting does not help
# ----------------------
# What sees only how often each channel spikes can do no better than chance, one in six: here a linear classifier, by least squares.
counts = [np.column_stack([x.x.sum(axis=1), x.lengths, np.ones(len(x))]) for x, _ in (train, test)]
linear = np.linalg.lstsq(counts[0], np.eye(6)[train[1]], rcond=None)[0]
by_counts = np.mean((counts[1] @ linear).argmax(axis=1) == test[1])
print(f"spike counts and a linear classifier   {by_counts:.1%}")

# %%
# The network
# -----------
# ``R0.9``: 64 neurons whose potential falls by a tenth in each step, and whose spikes come back to all of them a step later. ``I0.95``: six
# outputs that leak and do not fire. At the end of a melody the largest of their potentials decides.
settings = surrogate.Settings(model="3-64d-R0.9-6d-I0.95", input="steps", n_steps=N_STEPS, readout="potential", over="last", on="counts",
                              detach_reset=True, surrogate="fast_sigmoid", slope=5.0, clip_norm=1.0, lr=5e-3, batch=50, epochs=EPOCHS)
run = training.start("surrogate", settings, seed=0)
for record in training.epochs(run, train, validation):
    print(f"epoch {record['epoch']:2d}   loss {record['loss']:.3f}   validation {record['val_accuracy']:.1%}")
accuracy = run.rule.score(run.nets, *test).expected
print(f"test accuracy                          {accuracy:.1%}")
assert EPOCHS < 12 or (accuracy > 0.9 and by_counts < 0.3)

# %%
# What it costs
# -------------
# Spikes are few, and only a spike adds the weights that it meets.
spent = sequences.activity(run.nets, test[0])
print(f"{spent['n_steps']:.1f} steps a melody, {spent['rates'][0]:.3f} spikes a neuron and step, {sum(spent['additions']):,.0f} additions")

# %%
# One melody
# ----------
# The input, the hidden spikes and the potentials of the six outputs. Single spikes are noise: a note is four in a row. With each note some
# potentials rise and others fall, and with the last one the right order leaves the others behind.
if find_spec("matplotlib"):
    from pysnn import plots
    chosen = test[0][:1]
    x = rate.encode_batch(run.nets, chosen)
    (hidden,), v = sequences.trace(run.nets, x)
    names = ["-".join(NOTES[note] for note in order) for order in ORDERS]
    print(plots.save(plots.sequence(x[:, 0], [hidden[:, 0]], ["hidden layer"], v[:, 0], names, int(test[1][0])), "figures/11-melody.png"))
