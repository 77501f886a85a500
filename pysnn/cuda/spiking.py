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
    _checks.words(rule, "rule", Rule, RULES)
    home, seen = at_home(x, *(a for s in stages for a in (s.w, s.b, s.v_init))), stand_in(x)
    at = _checks.spiking([Stage(stand_in(s.w), stand_in(s.b), s.pool, stand_in(s.v_init)) for s in stages], seen, n_steps, at, rule)
    threshold, v_init = _checks.firing(threshold, v_init, seen.dtype)
    x = send(x, seen, "x")
    stages = [_Neurons(stage, k, (v_init, *plan(threshold, rule)), seen.shape[-1]) for k, stage in enumerate(stages, 1)]
    last, counts = stages[-1], []
    last.fires = spiking_output
    for t in range(1, n_steps + 1):
        s = x
        for stage in stages:
            s = stage.step(s)
        if t in at:
            counts.append(last.total.copy_to_host())
    counts = np.stack(counts)
    channels = [stage.channels() for stage in stages]
    kept = [give(home, stage.total) for stage in stages] if keep_counts else None
    return Run(counts if home else send(counts, counts, "counts"), give(home, last.v),
               [float(c.sum()) for c in channels], kept, channels)


class _Neurons:
    """One stage on the device: weights, potentials, counts."""

    def __init__(self, stage, k, neuron, n_in):
        (v_init, *self.neuron), w = neuron, stage.w
        n_c = n_in if w is None else w.shape[w.ndim - 1]
        self.w, self.pool, self.fires = None if w is None else send(w, w, f"w of stage {k}"), stage.pool, True
        bias = np.zeros(n_c, v_init.dtype) if stage.b is None else stage.b
        start = np.full(n_c, v_init) if stage.v_init is None else stage.v_init
        self.b, self.start = send(bias, bias, f"b of stage {k}"), send(start, start, f"v_init of stage {k}")
        self.first, self.current, self.v, self.k = k == 1, None, None, k

    def step(self, s):
        """Take one step; the current of the first stage is constant."""
        if self.current is None or not self.first:
            self.current = self._product(s)
        (levels, (hard, later)), shape, n = self.neuron, self.current.shape, self.current.size
        inside = self.pool == "inside"
        if self.v is None:
            out = (shape[0], shape[1] // 2, shape[2] // 2, shape[3]) if inside else shape
            names = (f"{name} of stage {self.k}" for name in ("potentials", "counts", "spikes"))
            self.v, self.total, self.spikes = (empty(s, self.current.dtype, name) for s, name in zip((shape, out, out), names, strict=True))
            _begin.over(n, flat(self.v), flat(self.total), self.start, (self.b.size, self.total.size, n))
        args = [flat(a) for a in (self.current, self.b, self.v, self.spikes, self.total)]
        if inside:
            _fire_inside.over(self.total.size, *args, levels, (hard, *(int(k) for k in shape[1:]), self.total.size))
        else:
            _fire.over(n, *args, levels, (hard, later, int(self.fires), self.b.size, n))
        if inside or not self.pool:
            return self.spikes
        return (pool.max_pool2d_forward if self.pool == "max" else pool.avg_pool2d_forward)(self.spikes, 2)[0]

    def channels(self):
        """Count spikes channel by channel."""
        total = self.total.copy_to_host().reshape(-1, self.b.size)
        return total.sum(axis=0, dtype=np.float64) if self.fires else np.zeros(self.b.size)

    def _product(self, s):
        if self.w is None:
            return s
        if self.w.ndim == 2:
            return dense.dense_forward(s.reshape(s.shape[0], s.size // s.shape[0]), self.w)[0]
        return conv.conv2d_forward(s, self.w, 1, 1)[0]


@kernel("T1 T1 T1 i3")
def _begin(v, total, v_init, sizes):
    """Set potentials and counts: a thread a potential."""
    zero, (n_c, n_neurons, n) = v.dtype.type(0), sizes
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        v[i] = v_init[i % n_c]
        if i < n_neurons:
            total[i] = zero


@kernel("T1 T1 T1 T1 T1 t2 i5")
def _fire_inside(current, b, v, spikes, total, levels, codes):
    """One step of neurons that pool windows of 2 x 2, (I12), (I13): a thread a neuron."""
    (threshold, bar), (hard, n_h, n_w, n_c, n) = levels, codes
    zero, one, rows, cols = v.dtype.type(0), v.dtype.type(1), n_h // 2, n_w // 2
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        c, r = i % n_c, i // n_c
        corner = ((r // cols // rows * n_h + 2 * (r // cols % rows)) * n_w + 2 * (r % cols)) * n_c + c
        top = zero
        for k in range(4):
            at = corner + (k // 2 * n_w + k % 2) * n_c
            now = v[at] + (current[at] + b[c])
            v[at] = now
            top = now if k == 0 or now > top else top
        spikes[i] = one if top >= bar else zero
        total[i] += spikes[i]
        for k in range(4 if top >= bar else 0):
            at = corner + (k // 2 * n_w + k % 2) * n_c
            v[at] = zero if hard else v[at] - threshold


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
