"""Exercise spike_loss: the gradient of the loss of the first spike.

The output neuron that fires first is the predicted class. The loss is the cross-entropy of softmax(-z): the earlier the labelled output
fires relative to the others, the smaller the loss. The loss is given. In it, a silent output counts as z = 1000.

Your task: write dz, the gradient of the loss with respect to z. Note:

- the loss is a mean over the batch;
- the scores of the softmax are -z, not z;
- the gradient of a silent output is 0.

Equation (L1) in docs/derivations/temporal.md. Mark it:  pysnn check spike_loss.py
"""

import numpy as np

EXERCISE = "spike_loss"


def loss(z, y):
    """Compute the loss and its gradient.

    Parameters
    ----------
    z : (B, n) array
        z of the output spikes; inf: silent.
    y : (B,) array of int
        Labels, 0 to n - 1.

    Returns
    -------
    loss : float
        Mean over the batch.
    dz : (B, n) array
        Gradient of the loss with respect to z.
    """
    scores = -np.where(np.isfinite(z), z, 1000.0)
    scores = scores - scores.max(axis=1, keepdims=True)
    total = np.exp(scores).sum(axis=1)
    value = float(np.mean(np.log(total) - scores[np.arange(len(z)), y]))
    p = np.exp(scores) / total[:, None]                      # the probability of each output
    # your lines: dz, from p and y
    # (p - one-hot)/B is the gradient with respect to the scores, and the scores are -z.
    one_hot = np.eye(z.shape[1])[y]
    dz = np.where(np.isfinite(z), -(p - one_hot) / len(z), 0.0)
    return value, dz
