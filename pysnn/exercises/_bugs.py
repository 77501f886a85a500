"""The exercise in which mistakes are to be found: its hints are clues, they do not name the mistake."""

import numpy as np

from .. import losses
from ..reference import temporal
from ..verify import zoo
from ._case import Case, Exercise, Mistake


def _train_step(early=False):
    """Make one step of training by the reference; early: w2 changes before the error has gone through it."""
    def train_step(w1, w2, z_in, y, lr):
        z_hidden, cache1 = temporal.forward(z_in, w1)
        z_out, cache2 = temporal.forward(z_hidden, w2)
        value, dz = losses.softmax_z(z_out, y)
        dz_hidden, dw2 = temporal.backward(dz, cache2)
        new_w2 = w2 - lr * dw2
        if early:
            dz_hidden, _ = zoo.spike_gradients(dz, (z_hidden, new_w2, 1.0, z_out))
        _, dw1 = temporal.backward(dz_hidden, cache1)
        return value, w1 - lr * dw1, new_w2
    return train_step


RIGHT = {"forward": temporal.forward, "backward": temporal.backward, "loss": losses.softmax_z, "train_step": _train_step()}


def _back(functions, dz_out, z_in, w):
    return functions["backward"](dz_out, functions["forward"](z_in, w)[1])


def _cases(rng):
    z_sorted, w = np.sort(np.exp(rng.uniform(0, 2, (4, 6))), axis=1), rng.normal(0.4, 0.3, (6, 5))
    z_in, strong = np.exp(rng.uniform(0, 2, (4, 6))), rng.uniform(0.05, 0.3, (6, 3))
    z, y = np.exp(rng.uniform(0, 1.5, (4, 3))), np.array([0, 1, 2, 0])
    z[1, 2] = np.inf
    w1, w2 = rng.normal(0.4, 0.2, (6, 5)), rng.normal(0.5, 0.2, (5, 3))
    early, dz = np.full((2, 6), 1.0) + rng.uniform(0, 0.1, (2, 6)), rng.normal(size=(2, 3))
    early.sort(axis=1)
    gradients = ("dz_in", "dw")
    return [
        Case("forward, inputs in order", ("z_out",), lambda f, *a: f["forward"](*a)[0], (z_sorted, w)),
        Case("forward, inputs in any order", ("z_out",), lambda f, *a: f["forward"](*a)[0], (z_in, w)),
        Case("backward, all inputs early", gradients, _back, (dz, early, strong)),
        Case("backward, some inputs too late", gradients, _back, (rng.normal(size=(4, 5)), z_sorted, w)),
        Case("loss", ("loss", "dz"), lambda f, *a: f["loss"](*a), (z, y)),
        Case("train_step", ("loss", "new_w1", "new_w2"), lambda f, *a: f["train_step"](*a), (w1, w2, z_in, y, 0.1)),
    ]


def _unsorted_weights(right):
    """Sort the times and leave the weights as they are."""
    def forward(z_in, w, threshold=1.0):
        z_out = np.concatenate([right["forward"](np.sort(z)[None], w)[0] for z in z_in])
        return z_out, (z_in, w, threshold, z_out)
    return {**right, "forward": forward, "backward": zoo.spike_gradients}


def _all_weights(right):
    def forward(z_in, w, threshold=1.0):
        return right["forward"](z_in, w)
    op = zoo.FAULTS["denominator_all_weights"].inject(zoo.Op(forward, right["backward"]))
    return {**right, "forward": op.forward, "backward": op.backward}


MISTAKES = (
    Mistake("clue_forward",
            "right where the inputs come in the order of time, wrong elsewhere. What has been put in order, and what has not?",
            _unsorted_weights),
    Mistake("clue_backward",
            "right where every input is early enough to count, wrong where some come too late. Which sum should know of it?",
            _all_weights),
    Mistake("clue_loss",
            "the size is right. Let the label's spike come a little later, by hand: should the loss rise or fall, and what does dz "
            "say?", lambda right: {**right, "loss": zoo.FAULTS["softmax_sign"].inject(right["loss"])}),
    Mistake("clue_step", "w2 comes out right and w1 does not, the less so the larger lr is. In which order do things happen?",
            lambda right: {**right, "train_step": _train_step(early=True)}),
)

EXERCISES = {"find_the_bug": Exercise("find_the_bug", "four functions, four mistakes: correct them", "(T3) to (T8), (L1)", RIGHT, _cases,
                                      MISTAKES)}
