"""A network of integrate-and-fire neurons run over time, written to be fast (Numba); same arguments and results as reference/spiking.py.

The neurons are those of (I1), (I2) and (I3). Steps are taken a few at a time: each image goes through all convolutions alone, so that its
potentials and the lists of its spikes stay in the cache (event_conv.py), and then all images go through the dense layers together
(event_dense.py). Nothing grows with the number of steps. Roundings do not depend on the number of threads; but whether a layer goes by a
product or by events, and in which blocks, is a matter of the whole group of samples.
"""

from math import ceil, prod

import numpy as np

from .. import _checks
from .._blas import matmul
from .._threads import cut, spread
from ..conventions import RULES, Rule, Run, Stage
from . import _by_products as by_products
from . import _event_conv as event_conv
from . import _event_dense as event_dense
from .conv import conv2d_forward

__all__ = ["Run", "Stage", "run"]

_STEPS = 8            # at most so many steps at a time
_IMAGES = 4           # images a block of work


def run(stages, x, n_steps, threshold=1.0, v_init=0.0, rule=Rule(), spiking_output=True, at=None, keep_counts=False):
    """Run a network of integrate-and-fire neurons for n_steps steps; see `pysnn.reference.spiking.run`."""
    _checks.words(rule, "rule", Rule, RULES)
    at = _checks.spiking(stages, x, n_steps, at, rule)
    threshold, v_init = _checks.firing(threshold, v_init, x.dtype)
    x, how = np.ascontiguousarray(x), (n_steps, _neuron(threshold, rule), v_init)
    if not all(stage.plain for stage in stages):
        return by_products.run(stages, x, how, spiking_output, at, keep_counts)
    net = _Net(stages, x, _neuron(threshold, rule), v_init, keep_counts)
    n_blocks = ceil(n_steps / _STEPS)
    counts, t = [], 0
    for k in range(n_blocks):
        some = n_steps // n_blocks + (k < n_steps % n_blocks)
        for out in net.advance(some, spiking_output):
            t += 1
            if t in at:
                counts.append(out)
    return Run(np.stack(counts), *net.result(spiking_output))


def _neuron(threshold, rule):
    hard, later, strict = rule.codes
    bar = np.nextafter(threshold, threshold.dtype.type(np.inf)) if strict else threshold
    return event_conv.Neuron(threshold, bar, bool(hard), bool(later))


class _Net:
    """The state of a run: potentials, counts, numbers of spikes."""

    def __init__(self, stages, x, neuron, v_init, keep_counts):
        self.neuron, self.n_batch, self.kind = neuron, len(x), x.dtype
        self.convs = [stage for stage in stages if stage.w.ndim == 4]
        self.denses = [stage for stage in stages if stage.w.ndim == 2]
        self.n_spikes = np.zeros((len(stages), self.n_batch), np.int64)
        self.first, self.layers, self.v, self.counts, size = None, [], [], [], x.shape[1:]
        for k, stage in enumerate(self.convs):
            layer = event_conv.lay_out(stage, size, x.dtype, self.convs[k - 1] if k else None)
            if k == 0:
                first = np.full((self.n_batch, *size[:2], layer.width), -np.inf, x.dtype)
                first[..., :layer.size[3]] = conv2d_forward(x, stage.w, 1, 1)[0] + (0 if stage.b is None else stage.b)
                self.first = first.reshape(self.n_batch, size[0], -1)
            self.layers.append(layer)
            self.v.append(np.full((self.n_batch, size[0], len(layer.b) * size[1]), v_init))
            size = (size[0] // 2, size[1] // 2, layer.size[3]) if layer.pool else (*size[:2], layer.size[3])
        self.n_flat = prod(size)
        for k, stage in enumerate(self.denses):
            if k == 0 and not self.convs:
                x = x.reshape(self.n_batch, -1)
                self.first = matmul(x, stage.w) if stage.b is None else matmul(x, stage.w) + stage.b
            n_out = stage.w.shape[1]
            block = 1 if k == 0 and not self.convs else event_conv.block_width(n_out)
            self.v.append(np.full((self.n_batch, -(-n_out // block) * block), v_init))
        self.keep = keep_counts
        self.counts = [np.zeros_like(v) if keep_counts else np.zeros((len(v), *(0,) * (v.ndim - 1)), v.dtype) for v in self.v]
        self.total = np.zeros((self.n_batch, self.denses[-1].w.shape[1]), x.dtype)

    def advance(self, n_steps, spiking_output):
        """Go on for some steps; yield the output counts after each."""
        rows = None
        if self.convs:
            rows = np.empty((n_steps, self.n_batch, self.n_flat), np.uint8)
            spread(lambda b0, b1: self._images(b0, b1, n_steps, rows), cut(self.n_batch, _IMAGES))
        for k, stage in enumerate(self.denses, len(self.convs)):
            of_four = k == len(self.convs) > 0 and self.convs[-1].pool == "avg"
            current = self.first[None] if rows is None else event_dense.currents(stage, rows, of_four)
            if k == len(self.n_spikes) - 1 and not spiking_output:
                yield from self._add_up(current, n_steps)
                return
            rows = self._fire(k, current, n_steps)[:, :, :stage.w.shape[1]]
        for spikes in rows:
            self.total = self.total + spikes
            yield self.total

    def _images(self, b0, b1, n_steps, rows):
        """Take images b0:b1 through the convolutions."""
        n = len(self.layers)
        lists = [event_conv.make_lists(layer, n_steps) for layer in self.layers[:-1]]
        none, no_row = event_conv.Lists(np.empty(0, np.uint32), np.empty((0, 0), np.int64)), np.empty((0, 0), np.uint8)
        no_current = np.empty((0, 0), self.kind)
        for b in range(b0, b1):
            for k, layer in enumerate(self.layers):
                self.n_spikes[k, b] += event_conv.image(
                    layer, self.neuron, (self.first[b] if k == 0 else no_current, none if k == 0 else lists[k - 1]),
                    (self.v[k][b], self.counts[k][b]), n_steps, (none, rows[:, b]) if k == n - 1 else (lists[k], no_row))

    def _fire(self, k, current, n_steps):
        """Let the neurons of a dense layer fire; return their spikes (n_steps, B, n)."""
        spikes = np.empty((n_steps, *self.v[k].shape), np.uint8)
        spread(lambda b0, b1: event_dense.fire_dense(current, self.neuron, (self.v[k], self.counts[k]), spikes, self.n_spikes[k], b0, b1),
               cut(self.n_batch, 8 * _IMAGES))
        return spikes

    def _add_up(self, current, n_steps):
        """Let the output neurons add up their current without firing."""
        n_out = self.total.shape[1]
        for t in range(n_steps):
            now = current[min(t, len(current) - 1), :, :n_out]
            self.v[-1][:, :n_out] += now
            self.total = self.total + now
            yield self.total

    def result(self, spiking_output):
        """Return potential, n_spikes and layer_counts as `Run` has them."""
        n_out = self.total.shape[1]
        counts = None
        if self.keep:
            counts = [event_conv.unblocked(c, layer) for c, layer in zip(self.counts, self.layers, strict=False)]
            counts += [c[:, :stage.w.shape[1]] for c, stage in zip(self.counts[len(self.layers):], self.denses, strict=True)]
            counts[-1] = self.total
        return self.v[-1][:, :n_out].copy(), [float(n) for n in self.n_spikes.sum(axis=1)], counts
