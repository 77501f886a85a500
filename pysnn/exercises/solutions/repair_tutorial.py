"""Exercise repair_tutorial: a tutorial that runs, trains, and does not do what it says.

A short script in the form of many tutorials on surrogate gradients: leaky neurons over T steps, a loss on the potentials of the output,
the gradient back through time, one training step. The text of the tutorial, which is right, says:

1. A neuron that fires in a step loses the threshold in the same step, after the spike is recorded: reset by subtraction, (D3).
2. The loss of a sample is the cross-entropy of the potentials of the output, summed over all steps.
3. The reset is a constant in the gradient; the derivative of a spike is that of a fast sigmoid.

Such mistakes have been made in public scripts. Neither stops the script, nor keeps it from learning something.

Your task: two functions do not do what the text says. Find and correct them. No line has to be added. train_step is right, and gives the
right numbers when both corrections are made.

docs/derivations/leaky.md has the equations. Mark it:  pysnn check repair_tutorial.py
"""

import numpy as np

EXERCISE = "repair_tutorial"


def neurons(current, beta=0.9, threshold=1.0):
    """Run leaky neurons over T steps.

    Parameters
    ----------
    current : (T, B, n) array
        Input current.
    beta : float
        Factor by which the potential falls in a step.
    threshold : float
        A neuron fires where its potential is at or above it.

    Returns
    -------
    spikes : (T, B, n) array
        0 or 1.
    u : (T, B, n) array
        Potentials before the reset of their step: what is held against the threshold.
    """
    spikes, u = np.zeros_like(current), np.zeros_like(current)
    v = np.zeros_like(current[0])
    for t in range(len(current)):
        u[t] = beta * v + current[t]                                     # (D2)
        spikes[t] = u[t] >= threshold
        # was: v = u[t] - threshold * spikes[t - 1]
        v = u[t] - threshold * spikes[t]                                 # (D3): the spike of this step
    return spikes, u


def loss_of_step(u, t, labels):
    """Compute the cross-entropy of one step, a mean over the samples, and its gradient; given, and right.

    Parameters
    ----------
    u : (T, B, C) array
        Potentials of the output, step by step.
    t : int
        The step.
    labels : (B,) array of int
        Classes.

    Returns
    -------
    value : float
        The loss of this step.
    du : (T, B, C) array
        Its gradient with respect to u: 0 in all other steps.
    """
    scores = u[t] - u[t].max(axis=1, keepdims=True)
    total = np.exp(scores).sum(axis=1, keepdims=True)
    du = np.zeros_like(u)
    du[t] = (np.exp(scores) / total - np.eye(u.shape[2])[labels]) / len(labels)
    return float(np.mean(np.log(total[:, 0]) - scores[np.arange(len(labels)), labels])), du


def loss(u, labels):
    """Compute the loss of all steps and its gradient.

    Parameters
    ----------
    u : (T, B, C) array
        Potentials of the output, step by step.
    labels : (B,) array of int
        Classes.

    Returns
    -------
    value : float
        The loss.
    du : (T, B, C) array
        Its gradient.
    """
    value, du = 0.0, np.zeros_like(u)
    for t in range(len(u)):
        value_t, du_t = loss_of_step(u, t, labels)
        # was: value, du = value_t, du_t
        value, du = value + value_t, du + du_t                           # the sum over the steps
    return value, du


def train_step(w1, w2, x, labels, lr):
    """Take one step of plain gradient descent; given, and right.

    Parameters
    ----------
    w1, w2 : (N, H) and (H, C) arrays
        Weights of the hidden neurons and of the output, which integrates and does not fire; not changed.
    x : (T, B, N) array
        Input.
    labels : (B,) array of int
        Classes.
    lr : float
        Learning rate.

    Returns
    -------
    value : float
        The loss before the step.
    new_w1, new_w2 : arrays
        Weights after it.
    """
    beta, threshold, slope = 0.9, 1.0, 5.0
    spikes, u1 = neurons(x @ w1, beta, threshold)
    u2 = integrate(spikes @ w2, beta)
    value, du2 = loss(u2, labels)
    dw1, dw2, d1, d2 = np.zeros_like(w1), np.zeros_like(w2), 0.0, 0.0
    for t in reversed(range(len(x))):
        d2 = du2[t] + beta * d2
        d1 = d2 @ w2.T / (slope * np.abs(u1[t] - threshold) + 1) ** 2 + beta * d1
        dw1, dw2 = dw1 + x[t].T @ d1, dw2 + spikes[t].T @ d2
    return value, w1 - lr * dw1, w2 - lr * dw2


def integrate(current, beta):
    """Run neurons that do not fire; given.

    Parameters
    ----------
    current : (T, B, C) array
        Input current.
    beta : float
        Factor by which the potential falls in a step.

    Returns
    -------
    u : (T, B, C) array
        Potentials.
    """
    u = np.zeros_like(current)
    for t in range(len(current)):
        u[t] = beta * (u[t - 1] if t else 0) + current[t]
    return u
