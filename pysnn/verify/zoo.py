"""Known mistakes, ready to be put into a working operation, to see that the checks catch them.

Some were made in public, some are made up; `source` says which. None is taken from anybody's code: each is written here
anew, as small as it can be.
"""

from typing import NamedTuple

import numpy as np


class Op(NamedTuple):
    """An operation with a mistake in it, to be used in place of a module."""

    forward: object
    backward: object


class Fault(NamedTuple):
    """One mistake."""

    name: str
    source: str          # "public thread" or "synthetic"
    description: str
    target: str          # what inject takes: "temporal" (a module, forward and backward) or "loss", (z, y) -> loss, dz
    caught_by: str       # the check that catches it
    inject: object       # inject(right operation) -> faulty operation


def _spike_times(z_in, w, threshold, in_order=True, valid=np.logical_and):
    """Find the first valid prefix by running sums; all faults of forward go in here."""
    z_out = np.full((len(z_in), w.shape[1]), np.inf)
    for b, z in enumerate(z_in):
        heard = np.flatnonzero(np.isfinite(z))
        order = heard[np.argsort(z[heard], kind="stable")] if in_order else heard
        z_sorted = z[order]
        z_next = np.append(z_sorted[1:], np.inf)[:, None]
        excess = np.cumsum(w[order], axis=0) - threshold
        z_cross = np.cumsum(w[order] * z_sorted[:, None], axis=0) / np.where(excess == 0, np.nan, excess)
        good = valid(excess > 0, z_cross <= z_next)
        j = np.flatnonzero(good.any(axis=0))
        z_out[b, j] = z_cross[good.argmax(axis=0)[j], j]
    return z_out


def _gradients(dz_out, cache, all_weights=False):
    """Differentiate the ratio of sums, the causal sets taken from the spike times."""
    z_in, w, threshold, z_out = cache
    fired = np.isfinite(z_out)
    causal = (z_in[:, :, None] < z_out[:, None, :]) & fired[:, None, :]
    summed = np.isfinite(z_in)[:, :, None] if all_weights else causal
    excess = np.where(summed, w, 0).sum(axis=1) - threshold
    h = np.where(fired, dz_out, 0) / np.where(fired, excess, 1)
    apart = np.where(causal, np.where(causal, z_in[:, :, None], 0) - np.where(fired, z_out, 0)[:, None, :], 0)
    return np.where(causal, w * h[:, None, :], 0).sum(axis=2), (apart * h[:, None, :]).sum(axis=0)


def _xor(op):
    def forward(z_in, w, threshold=1.0):
        z_out = _spike_times(z_in, w, threshold, valid=np.logical_xor)
        return z_out, (z_in, w, threshold, z_out)
    return Op(forward, _gradients)


def _unsorted(op):
    def forward(z_in, w, threshold=1.0):
        z_out = _spike_times(z_in, w, threshold, in_order=False)
        return z_out, (z_in, w, threshold, z_out)
    return Op(forward, _gradients)


def _all_weights(op):
    def forward(z_in, w, threshold=1.0):
        z_out, _ = op.forward(z_in, w, threshold)
        return z_out, (z_in, w, threshold, z_out)
    return Op(forward, lambda dz_out, cache: _gradients(dz_out, cache, all_weights=True))


def _reversed_sign(loss):
    def faulty(z, y):
        value, dz = loss(z, y)
        return value, -dz
    return faulty


FAULTS = {fault.name: fault for fault in (
    Fault("xor_causal_set", "public thread",
          "the two conditions of the causal set, sum of weights above threshold and crossing before the next input, "
          "joined by XOR instead of AND",
          "temporal", "check_definition", _xor),
    Fault("softmax_sign", "public thread",
          "gradient of the loss -ln softmax(-z) with its sign reversed, as if it were softmax(z)",
          "loss", "gradcheck", _reversed_sign),
    Fault("denominator_all_weights", "synthetic",
          "backward divides by the sum of all weights that spiked, minus threshold, instead of those in the causal set",
          "temporal", "gradcheck", _all_weights),
    Fault("unsorted_inputs", "synthetic",
          "running sums over the inputs in the order of their index, not of their time",
          "temporal", "check_definition", _unsorted),
)}
"""The mistakes by name."""
