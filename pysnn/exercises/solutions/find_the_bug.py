"""Exercise find_the_bug: a small network of spike times that does not learn.

The file has the forward and the backward pass of a layer, the loss of the first spike, and one training step. It runs, and it looks
right. It has four mistakes, one in each function; one of them is known from a public discussion.

Your task: find and correct them. No line has to be added. Start with the marks: what do the items that are right have in common, and
what those that are wrong? The last item needs all four corrections.

docs/derivations/temporal.md has the equations. Mark it:  pysnn check find_the_bug.py
Mistakes of this kind to name, one at a time, without writing anything:  python examples/07_find_the_bug.py
"""

import numpy as np

EXERCISE = "find_the_bug"


def forward(z_in, w):
    """Compute when each neuron fires, at threshold 1.

    Parameters
    ----------
    z_in : (B, N_in) array
        z of the inputs, exp(t/tau).
    w : (N_in, N_out) array
        Weights.

    Returns
    -------
    z_out : (B, N_out) array
        z of the outputs; inf: silent.
    cache : tuple
        For backward.
    """
    z_out = np.full((len(z_in), w.shape[1]), np.inf)
    for b, z in enumerate(z_in):
        order = np.argsort(z)
        z_next = np.append(z[order][1:], np.inf)
        for j in range(w.shape[1]):
            # was: weights = w[:, j]
            weights = w[order, j]                                        # sorted by time, like the inputs
            excess = np.cumsum(weights) - 1.0
            crossing = np.cumsum(weights * z[order]) / np.where(excess > 0, excess, np.nan)
            good = np.flatnonzero((excess > 0) & (crossing <= z_next))
            if good.size:
                z_out[b, j] = crossing[good[0]]
    return z_out, (z_in, w, z_out)


def backward(dz_out, cache):
    """Compute the gradients of the inputs of forward from that of its output.

    Parameters
    ----------
    dz_out : (B, N_out) array
        Gradient of the loss with respect to z_out.
    cache : tuple
        From forward.

    Returns
    -------
    dz_in, dw : arrays
        Gradients with respect to z_in and w.
    """
    z_in, w, z_out = cache
    fired = np.isfinite(z_out)
    causal = (z_in[:, :, None] < z_out[:, None, :]) & fired[:, None, :]
    # was: margin = w.sum(axis=0) - 1.0
    margin = (causal * w).sum(axis=1) - 1.0                              # the causal weights only
    h = np.where(fired, dz_out, 0.0) / np.where(fired, margin, 1.0)
    dz_in = (causal * w * h[:, None, :]).sum(axis=2)
    late = z_in[:, :, None] - np.where(fired, z_out, 0.0)[:, None, :]
    dw = (causal * late * h[:, None, :]).sum(axis=0)
    return dz_in, dw


def loss(z, y):
    """Compute the cross-entropy of softmax(-z) and its gradient.

    Parameters
    ----------
    z : (B, n) array
        z of the output spikes; inf: silent, counts as 1000.
    y : (B,) array of int
        Labels.

    Returns
    -------
    value : float
        Mean over the batch.
    dz : (B, n) array
        Gradient with respect to z; 0 where silent.
    """
    scores = -np.where(np.isfinite(z), z, 1000.0)
    scores = scores - scores.max(axis=1, keepdims=True)
    total = np.exp(scores).sum(axis=1)
    value = float(np.mean(np.log(total) - scores[np.arange(len(z)), y]))
    p = np.exp(scores) / total[:, None]
    # was: dz = np.where(np.isfinite(z), p - np.eye(z.shape[1])[y], 0.0) / len(z)
    dz = np.where(np.isfinite(z), np.eye(z.shape[1])[y] - p, 0.0) / len(z)     # the scores are -z
    return value, dz


def train_step(w1, w2, z_in, y, lr):
    """Take one step of plain gradient descent.

    Parameters
    ----------
    w1, w2 : arrays
        Weights of two layers; not changed.
    z_in : (B, N_in) array
        Input spikes.
    y : (B,) array of int
        Labels.
    lr : float
        Learning rate.

    Returns
    -------
    value : float
        The loss before the step.
    new_w1, new_w2 : arrays
        Weights after it.
    """
    z_hidden, cache1 = forward(z_in, w1)
    z_out, cache2 = forward(z_hidden, w2)
    value, dz = loss(z_out, y)
    _, dw2 = backward(dz, cache2)
    # was: w2 = w2 - lr * dw2
    new_w2 = w2 - lr * dw2                                               # the error goes through the old w2 first
    dz_hidden, _ = backward(dz, (z_hidden, w2, z_out))
    _, dw1 = backward(dz_hidden, cache1)
    # was: return value, w1 - lr * dw1, w2
    return value, w1 - lr * dw1, new_w2
