"""Exercise proxy_step: train spike counts through a ReLU network with the same weights.

Two networks share w1 and w2. One has integrate-and-fire neurons and runs for N_STEPS steps on the constant current x; its result is the
spike counts of its outputs. The other has ReLU neurons with a ceiling at the threshold, (P3), and no ReLU after its last layer. The
spike counts have no useful derivative. So the error is taken at the counts, (P1), and backpropagated through the ReLU network as if
that network had computed the counts, (P2).

Your task: write one step of plain gradient descent. The loss is the mean over samples and outputs of (counts/N_STEPS - one-hot)^2. Note:

- the error is the derivative of the loss with respect to the counts of the spiking network, not with respect to the rates;
- the output of the ReLU network is not used;
- the loss has no other term, such as weight decay;
- compute all gradients before you change a weight. Return new arrays, do not change w1 and w2.

Derived in docs/derivations/proxy.md, with one neuron by hand. Mark it:  pysnn check proxy_step.py
"""

import numpy as np

EXERCISE = "proxy_step"

N_STEPS = 16
THRESHOLD = 1.0


def count_spikes(w1, w2, x):
    """Run the spiking network; given.

    Parameters
    ----------
    w1, w2 : (N_in, N_hidden), (N_hidden, N_out) arrays
        Weights.
    x : (B, N_in) array
        Constant current.

    Returns
    -------
    (B, N_out) array
        Output spikes in N_STEPS steps; each potential begins at half the threshold.
    """
    v1, v2, counts = np.full((len(x), w1.shape[1]), THRESHOLD / 2), np.full((len(x), w2.shape[1]), THRESHOLD / 2), 0.0
    for _ in range(N_STEPS):
        v1 = v1 + x @ w1
        s1 = (v1 >= THRESHOLD) * 1.0
        v1 = v1 - THRESHOLD * s1
        v2 = v2 + s1 @ w2
        s2 = (v2 >= THRESHOLD) * 1.0
        v2 = v2 - THRESHOLD * s2
        counts = counts + s2
    return counts


def relu_network(w1, w2, x):
    """Run the ReLU network; given.

    Parameters
    ----------
    w1, w2 : (N_in, N_hidden), (N_hidden, N_out) arrays
        Weights.
    x : (B, N_in) array
        Input.

    Returns
    -------
    a1 : (B, N_hidden) array
        Activations, from 0 to THRESHOLD.
    a2 : (B, N_out) array
        Output.
    """
    a1 = np.clip(x @ w1, 0.0, THRESHOLD)
    return a1, a1 @ w2


def proxy_step(w1, w2, x, labels, lr):
    """Take one step of gradient descent.

    Parameters
    ----------
    w1, w2 : (N_in, N_hidden), (N_hidden, N_out) arrays
        Weights; do not change them.
    x : (B, N_in) array
        Input.
    labels : (B,) array of int
        Labels, 0 to N_out - 1.
    lr : float
        Learning rate.

    Returns
    -------
    loss : float
        The loss before the step.
    new_w1, new_w2 : arrays
        The weights after it.
    """
    counts = count_spikes(w1, w2, x)
    a1, _ = relu_network(w1, w2, x)
    # your lines: loss; new_w1; new_w2
    # Two forward passes, one error, one backward pass.
    error = counts / N_STEPS - np.eye(w2.shape[1])[labels]
    loss = float((error ** 2).mean())
    c = 2 * error / error.size / N_STEPS                                 # (P1) with respect to the counts
    dw2 = a1.T @ c                                                       # (P2) from here on the ReLU network only
    dz1 = (c @ w2.T) * ((a1 > 0) & (a1 < THRESHOLD))                     # (P3)
    dw1 = x.T @ dz1
    new_w1, new_w2 = w1 - lr * dw1, w2 - lr * dw2
    return loss, new_w1, new_w2
