"""The exercise on finding mistakes. Its hints are clues: they do not name the mistake."""

import numpy as np

from .. import losses
from ..reference import temporal
from ..verify import zoo
from ._case import Case, Exercise, Mistake, run_backward, run_forward


def _train_step(early=False):
    """Make a training step from the reference; early: w2 changes before the error has gone through it."""
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


def _cases(rng):
    z_sorted, w = np.sort(np.exp(rng.uniform(0, 2, (4, 6))), axis=1), rng.normal(0.4, 0.3, (6, 5))
    z_in, strong = np.exp(rng.uniform(0, 2, (4, 6))), rng.uniform(0.05, 0.3, (6, 3))
    z, y = np.exp(rng.uniform(0, 1.5, (4, 3))), np.array([0, 1, 2, 0])
    z[1, 2] = np.inf
    w1, w2 = rng.normal(0.4, 0.2, (6, 5)), rng.normal(0.5, 0.2, (5, 3))
    early, dz = np.full((2, 6), 1.0) + rng.uniform(0, 0.1, (2, 6)), rng.normal(size=(2, 3))
    early.sort(axis=1)
    slow = np.array([[0.75, 0.25, 0.75], [0.75, 0.25, 0.75], [-0.25, 0.25, -0.5]])
    gradients = ("dz_in", "dw")
    return [
        Case("forward, inputs sorted", ("z_out",), run_forward, (z_sorted, w)),
        Case("forward, inputs in any order", ("z_out",), run_forward, (z_in, w)),
        Case("backward, all inputs early", gradients, run_backward, (dz, early, strong)),
        Case("backward, some inputs too late", gradients, run_backward, (rng.normal(size=(4, 5)), z_sorted, w)),
        Case("forward, silent, and just in time", ("z_out",), run_forward, (np.array([[1.0, 2.0, 4.5]]), slow)),
        Case("backward, a silent output with NaN", gradients, run_backward,
             (np.array([[2.0, np.nan]]), np.array([[1.0, 2.0, 2.5]]), slow[:, :2])),
        Case("loss", ("loss", "dz"), lambda f, *a: f["loss"](*a), (z, y)),
        Case("loss, silent outputs", ("loss", "dz"), lambda f, *a: f["loss"](*a), (np.array([[np.inf] * 3, [np.inf, 2, 3]]), y[:2] * 0)),
        Case("train_step", ("loss", "new_w1", "new_w2"), lambda f, *a: f["train_step"](*a), (w1, w2, z_in, y, 0.1)),
    ]


def _unsorted_weights(right):
    """Sort the times but not the weights."""
    def forward(z_in, w, threshold=1.0):
        z_out = np.concatenate([right["forward"](np.sort(z)[None], w)[0] for z in z_in])
        return z_out, (z_in, w, threshold, z_out)
    return {**right, "forward": forward, "backward": zoo.spike_gradients}


def _all_weights(right):
    def forward(z_in, w, threshold=1.0):
        return right["forward"](z_in, w)
    op = zoo.FAULTS["denominator_all_weights"].inject(zoo.Op(forward, right["backward"]))
    return {**right, **op._asdict()}


def _no_threshold(right):
    def forward(z_in, w, threshold=1.0):
        z_out, cache = right["forward"](z_in, w)
        causal = (z_in[:, :, None] < z_out[:, None, :]) & np.isfinite(z_out)[:, None, :]
        return z_out, (cache, np.where(np.isfinite(z_out), (causal * w).sum(axis=1), 2.0))

    def backward(dz_out, cache):
        return right["backward"](dz_out * (cache[1] - 1) / cache[1], cache[0])
    return {**right, "forward": forward, "backward": backward}


def _uphill(right):
    return {**right, "train_step": lambda w1, w2, z_in, y, lr: right["train_step"](w1, w2, z_in, y, -lr)}


MISTAKES = (
    Mistake("clue_forward",
            "right where the inputs are sorted by time, wrong elsewhere. What does the code sort, and what does it not sort?",
            _unsorted_weights),
    Mistake("clue_backward",
            "right where every input comes early enough to count, wrong where some come too late. Which sum must leave these out?",
            _all_weights),
    Mistake("clue_margin", "the sum runs over the right inputs. What else does the denominator of (T3) have?", _no_threshold),
    Mistake("clue_not_updated", "the weights come back as they were: is every gradient 0, or are the old ones returned?",
            lambda right: {**right, "train_step": lambda w1, w2, *more: (right["train_step"](w1, w2, *more)[0], w1, w2)}),
    Mistake("clue_uphill", "the step has the right size. Does the loss fall after it?", _uphill),
    Mistake("clue_mean", "the larger the batch, the larger your dz; does the loss grow with the batch, too?",
            lambda right: {**right, "loss": lambda z, y: (right["loss"](z, y)[0], right["loss"](z, y)[1] * len(z))}),
    Mistake("clue_loss",
            "the magnitude is right. Move the label's spike to a slightly later time: should the loss rise or fall, and what does dz "
            "say?", lambda right: {**_uphill(right), "loss": zoo.FAULTS["softmax_sign"].inject(right["loss"])}),
    Mistake("clue_step", "w2 is right and w1 is not; its error grows with lr. In which order does the step compute things?",
            lambda right: {**right, "train_step": _train_step(early=True)}),
)

EXERCISES = {"find_the_bug": Exercise("find_the_bug", "four functions, four mistakes: correct them", "(T3) to (T8), (L1)", RIGHT, _cases,
                                      MISTAKES, {"loss": ("z_out",), "new_w1": ("z_out", "dz_in", "dw", "dz"),
                                                 "new_w2": ("z_out", "dw", "dz")})}
