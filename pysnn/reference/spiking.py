"""A network of integrate-and-fire neurons run over time, written to be read (NumPy, one step after the other).

A stage is a weight layer with bias and batch normalisation folded in, its neurons, and perhaps a pooling of their spikes; `stages` in
pysnn/layers makes them. The input is constant, the image itself, so the current of the first stage is computed once. Only membrane
potentials and counts are kept: memory does not grow with the number of steps.
"""

import numpy as np

from .. import _checks
from ..conventions import RULES, Rule, Run, Stage
from . import conv, dense, integrate_fire, pool, pooled_fire

__all__ = ["Run", "Stage", "run"]


def run(stages, x, n_steps, threshold=1.0, v_init=0.0, rule=Rule(), spiking_output=True, at=None, keep_counts=False):
    """Run a network of integrate-and-fire neurons for n_steps steps.

    Parameters
    ----------
    stages : list of Stage
        The layers, input first; the last one is dense and has no pooling. A dense stage after a convolution reads H, W, C in this order.
    x : (B, H, W, C) or (B, N) array, float32 or float64
        Input of the first stage, the same in every step.
    n_steps : int
        Number of steps.
    threshold : float
        Firing threshold of all neurons.
    v_init : float
        Membrane potential before the first step.
    rule : Rule
        Reset, its timing, and the comparison with the threshold.
    spiking_output : bool
        Whether the output neurons fire; otherwise they add up their current.
    at : sequence of int, optional
        After which steps, rising, 1 to n_steps, to return the counts; default: only after the last.
    keep_counts : bool
        Whether to return the counts of every stage, too.

    Returns
    -------
    Run
        Counts, final potential, spikes by stage.

    Raises
    ------
    TypeError, ValueError
        If arrays, steps or stages do not fit.
    """
    _checks.words(rule, "rule", Rule, RULES)
    at = _checks.spiking(stages, x, n_steps, at, rule)
    threshold, v_init = _checks.firing(threshold, v_init, x.dtype)
    n = len(stages)
    first_current = _current(stages[0], x)
    v, totals, n_spikes, counts, channels = [None] * n, [0.0] * n, [0.0] * n, [], [0.0] * n
    for t in range(1, n_steps + 1):
        s = x
        for k, stage in enumerate(stages):
            current = first_current if k == 0 else _current(stage, s)
            if v[k] is None:
                v[k] = np.full_like(current, v_init) if stage.v_init is None else np.broadcast_to(stage.v_init, current.shape)
            if k == n - 1 and not spiking_output:
                v[k], totals[k], channels[k] = v[k] + current, totals[k] + current, np.zeros(current.shape[-1])
                continue
            if stage.pool == "inside":
                s, v[k] = pooled_fire.step(v[k], current, 2, threshold, rule)
            else:
                s, v[k] = integrate_fire.step(v[k], current, threshold, rule)
            n_spikes[k] += float(s.sum(dtype=np.float64))
            channels[k] += s.reshape(-1, s.shape[-1]).sum(axis=0, dtype=np.float64)
            if k == n - 1 or keep_counts:
                totals[k] = totals[k] + s
            s = _pooled(stage, s)
        if t in at:
            counts.append(totals[-1])
    return Run(np.stack(counts), v[-1], n_spikes, totals if keep_counts else None, channels)


def _current(stage, s):
    """Return the current of a stage's neurons for input spikes s."""
    if stage.w is None:
        return s if stage.b is None else s + stage.b
    if stage.w.ndim == 2:
        return dense.dense_forward(s.reshape(len(s), -1), stage.w, stage.b)[0]
    current = conv.conv2d_forward(s, stage.w, stride=1, padding=1)[0]
    return current if stage.b is None else current + stage.b


def _pooled(stage, s):
    """Pool the spikes of a stage, if it has a pooling."""
    if stage.pool in ("", "inside"):
        return s
    return (pool.max_pool2d_forward if stage.pool == "max" else pool.avg_pool2d_forward)(s, 2)[0]
