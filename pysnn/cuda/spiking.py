"""A network of integrate-and-fire neurons run over time on a GPU; the same arguments and results as reference/spiking.py.

Weights, potentials, spikes and counts stay on the device for all steps; the host only starts kernels. One of them does all that a step
does to a neuron: bias, potential, spike, reset, count. Memory does not grow with the number of steps.
"""

import numpy as np

from .. import _checks
from ..conventions import RULES, Rule, Run, Stage
from . import conv, dense, pool
from ._target import at_home, cuda, empty, give, kernel, send, stand_in
from .integrate_fire import flat, plan, reset

__all__ = ["Run", "Stage", "run"]


def run(stages, x, n_steps, threshold=1.0, v_init=0.0, rule=Rule(), spiking_output=True, at=None, keep_counts=False):
    """Run a network of integrate-and-fire neurons for n_steps steps; see `pysnn.reference.spiking.run`."""
    home, seen = at_home(x, *(a for stage in stages for a in stage[:2])), stand_in(x)
    at = _checks.spiking([Stage(stand_in(s.w), stand_in(s.b), s.pool) for s in stages], seen, n_steps, at)
    _checks.words(rule, "rule", Rule, RULES)
    threshold, v_init = _checks.firing(threshold, v_init, seen.dtype)
    x = send(x, seen, "x")
    stages = [_Neurons(stage, k, (v_init, *plan(threshold, rule))) for k, stage in enumerate(stages, 1)]
    last, counts = stages[-1], []
    last.fires = spiking_output
    for t in range(1, n_steps + 1):
        s = x
        for stage in stages:
            s = stage.step(s)
        if t in at:
            counts.append(last.total.copy_to_host())
    counts = np.stack(counts)
    n_spikes = [float(stage.total.copy_to_host().sum(dtype=np.float64)) if stage.fires else 0.0 for stage in stages]
    kept = [give(home, stage.total) for stage in stages] if keep_counts else None
    return Run(counts if home else send(counts, counts, "counts"), give(home, last.v), n_spikes, kept)


class _Neurons:
    """One stage on the device: weights, potentials, counts."""

    def __init__(self, stage, k, neuron):
        self.w, self.pool, self.neuron, self.fires = send(stage.w, stage.w, f"w of stage {k}"), stage.pool, neuron, True
        bias = np.zeros(stage.w.shape[stage.w.ndim - 1], stage.w.dtype) if stage.b is None else stage.b
        self.b, self.first, self.current, self.v, self.k = send(bias, bias, f"b of stage {k}"), k == 1, None, None, k

    def step(self, s):
        """Take one step; the current of the first stage is constant."""
        if self.current is None or not self.first:
            self.current = self._product(s)
        n, kind = self.current.size, self.current.dtype
        if self.v is None:
            names = (f"{name} of stage {self.k}" for name in ("potentials", "counts", "spikes"))
            self.v, self.total, self.spikes = (empty(self.current.shape, kind, name) for name in names)
            _begin.over(n, flat(self.v), flat(self.total), self.neuron[0], n)
        args = (flat(a) for a in (self.current, self.b, self.v, self.spikes, self.total))
        _fire.over(n, *args, self.neuron[1], (*self.neuron[2], int(self.fires), self.b.size, n))
        if not self.pool:
            return self.spikes
        return (pool.max_pool2d_forward if self.pool == "max" else pool.avg_pool2d_forward)(self.spikes, 2)[0]

    def _product(self, s):
        if self.w.ndim == 2:
            return dense.dense_forward(s.reshape(s.shape[0], s.size // s.shape[0]), self.w)[0]
        return conv.conv2d_forward(s, self.w, 1, 1)[0]


@kernel("T1 T1 T i")
def _begin(v, total, v_init, n):
    """Set potentials and counts: a thread a neuron."""
    zero = v.dtype.type(0)
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        v[i], total[i] = v_init, zero


@kernel("T1 T1 T1 T1 T1 t2 i5")
def _fire(current, b, v, spikes, total, levels, codes):
    """One step: a thread a neuron; one that does not fire adds up its current."""
    (threshold, bar), (hard, later, fires, n_c, n) = levels, codes
    zero, one = v.dtype.type(0), v.dtype.type(1)
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        x, now = current[i] + b[i % n_c], v[i]
        if fires:
            if later:
                now = reset(now, threshold, bar, hard)                   # (I3)
            now = now + x                                                # (I1)
            spike = one if now >= bar else zero
            spikes[i] = spike
            total[i] += spike
            v[i] = now if later else reset(now, threshold, bar, hard)    # (I2)
        else:
            v[i], total[i] = now + x, total[i] + x
