"""Exercise stdp: spike-timing-dependent plasticity, online, with traces.

Weights change by pairs of a spike before the synapse (pre) and a spike behind it (post). A pair whose pre spike comes k steps before its
post spike adds a_plus decay_plus^k to the weight; one whose post spike comes k steps before its pre spike takes away
a_minus decay_minus^k, (H1). All pairs count. A pair in one step, k = 0, does not.

Nobody keeps lists of old spikes. Each input has a trace x, and each neuron a trace y, (H2): x falls by the factor decay_plus in every
step and rises by 1 at a spike of its input, y the same with decay_minus and its neuron. A weight needs these two numbers alone, (H3).

Your task: write the loop over the steps. Return the change of the weights, and both traces as they are after the last step: its spikes
are in them, and they have not yet decayed any further.

In the equations a_plus is A_+, a_minus is A_-, decay_plus is lambda_+ and decay_minus is lambda_-.
Derived in docs/course/plasticity.md; what is the gradient in such a rule: docs/derivations/through-time.md.
Mark it:  pysnn check stdp.py
"""

import numpy as np

EXERCISE = "stdp"


def window(k, a_plus, a_minus, decay_plus, decay_minus):
    """Compute what one pair adds to the weight; given, for experiments.

    Parameters
    ----------
    k : array of int
        Step of the post spike minus step of the pre spike.
    a_plus, a_minus : float
        How much, at least 0.
    decay_plus, decay_minus : float
        How fast, from 0 to 1.

    Returns
    -------
    array like k
        (H1).
    """
    return np.where(k > 0, a_plus * decay_plus ** np.abs(k), 0) - np.where(k < 0, a_minus * decay_minus ** np.abs(k), 0)


def stdp(pre, post, a_plus=0.01, a_minus=0.012, decay_plus=0.95, decay_minus=0.95):
    """Compute the change of the weights.

    Parameters
    ----------
    pre : (T, N_pre) array
        Spikes of the inputs, 0 or 1.
    post : (T, N_post) array
        Spikes of the neurons.
    a_plus, a_minus : float
        How much a pair changes a weight.
    decay_plus, decay_minus : float
        Factor by which x and y fall in a step.

    Returns
    -------
    dw : (N_pre, N_post) array
        What is to be added to the weights.
    x : (N_pre,) array
        Traces of the inputs.
    y : (N_post,) array
        Traces of the neurons.
    """
    # your lines: dw, (H3); x, (H2); y, (H2)
    # Decay; then learn from the traces; then let the new spikes into them.
    dw, x, y = np.zeros((pre.shape[1], post.shape[1])), np.zeros(pre.shape[1]), np.zeros(post.shape[1])
    for pre_t, post_t in zip(pre, post, strict=True):
        x, y = decay_plus * x, decay_minus * y                           # (H2)
        dw += a_plus * np.outer(x, post_t)                               # (H3) pre before post
        dw -= a_minus * np.outer(pre_t, y)                               # (H3) post before pre
        x, y = x + pre_t, y + post_t                                     # (H2)
    return dw, x, y
