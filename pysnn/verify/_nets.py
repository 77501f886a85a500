"""Layers of temporal neurons in a row, as they are and frozen; part of `pysnn.verify.witness.temporal`."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np


def causal_sets(z_in, z_out):
    """Say which inputs came before each output.

    Parameters
    ----------
    z_in : (B, N_in) array
        exp of the input times.
    z_out : (B, N_out) array
        exp of the output times.

    Returns
    -------
    (B, N_in, N_out) bool array
        All False for a silent output.
    """
    return (z_in[:, :, None] < z_out[:, None, :]) & np.isfinite(z_out)[:, None, :]


class Net(NamedTuple):
    """Layers in a row, as one operation for `gradcheck`."""

    forward: object      # forward(z_in, *weights) -> z_out, cache
    backward: object     # backward(dz_out, cache) -> dz_in, dw of layer 0, dw of layer 1, ...
    trace: object        # trace(args, out, cache) -> causal sets and silence of every layer
    layers: object       # layers(dz_out, cache) -> [z of every layer, input first], [dL/dz of every layer]


def chain(op, threshold=1.0):
    """Put layers of one operation in a row.

    Parameters
    ----------
    op : module or object
        With ``forward(z_in, w, threshold) -> z_out, cache`` and ``backward(dz_out, cache) -> dz_in, dw``.
    threshold : float
        Firing threshold divided by tau, for all layers.

    Returns
    -------
    Net
        As many layers as forward gets weights.
    """
    def forward(z_in, *weights):
        z, caches = [z_in], []
        for w in weights:
            z_out, cache = op.forward(z[-1], w, threshold)
            z.append(z_out)
            caches.append(cache)
        return z[-1], (z, caches)

    def pull(dz_out, cache):
        dz, dw = [dz_out], []
        for layer in reversed(cache[1]):
            dz_in, dw_layer = op.backward(dz[0], layer)
            dz.insert(0, dz_in)
            dw.insert(0, dw_layer)
        return dz, dw

    def backward(dz_out, cache):
        dz, dw = pull(dz_out, cache)
        return dz[0], *dw

    def trace(args, out, cache):
        z = cache[0]
        return [causal_sets(a, b) for a, b in pairwise(z)] + [np.isinf(b) for b in z[1:]]

    def layers(dz_out, cache):
        return cache[0], pull(dz_out, cache)[0]

    return Net(forward, backward, trace, layers)


def frozen_net(sets, threshold=1.0):
    """Freeze the causal sets: what is left is rational in z and w, and takes complex arrays.

    Parameters
    ----------
    sets : sequence of (B, N_in, N_out) bool arrays
        One per layer, from `causal_sets`.
    threshold : float
        Firing threshold divided by tau.

    Returns
    -------
    callable
        ``net(z_in, *weights) -> z_out``; inf where a causal set is empty.
    """
    def net(z_in, *weights):
        z = z_in
        for causal, w in zip(sets, weights, strict=True):
            heard = np.where(causal, w, 0)
            excess = heard.sum(axis=1) - threshold
            fired = causal.any(axis=1)
            moment = np.einsum("bij,bi->bj", heard, np.where(np.isfinite(z), z, 0))
            z = np.where(fired, moment / np.where(fired, excess, 1), np.inf)
        return z
    return net
