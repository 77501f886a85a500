"""A network of integrate-and-fire neurons run over time by products: some images, all steps of one layer, then the next layer.

The steps of a layer lie side by side in one product, and then its neurons go through them, so that no potential outlives its layer: memory
is that of the spikes of a few images. For rates above about 0.1, for neurons that pool inside, and for potentials that begin channel by
channel; kernels/spiking.py goes by events.
"""

import numpy as np

from .._blas import spread_products
from .._jit import njit
from .._threads import cut
from ..conventions import Run
from . import _winograd
from .conv import gather

_IMAGES = 16          # at a time


def suits(stages):
    """Tell whether stages have what this way alone can do."""
    return any(stage.w is None or stage.pool == "inside" or stage.v_init is not None for stage in stages)


def run(stages, x, how, spiking_output, at, keep_counts):
    """Run all stages; arguments as in `pysnn.kernels.spiking.run`, all checked; `how` is n_steps, neuron, v_init."""
    n_steps, _, v_init = how
    stages = [_Layer(stage, v_init, k == len(stages) - 1 and not spiking_output) for k, stage in enumerate(stages)]
    blocks = cut(len(x), _IMAGES)
    counts, potential = [None] * len(blocks), [None] * len(blocks)
    kept, channels = [[None] * len(blocks) for _ in stages], [[None] * len(blocks) for _ in stages]

    def work(q, b0, b1):
        s = x[None, b0:b1]
        for k, layer in enumerate(stages):
            current = layer.current(s)
            if layer.silent:
                total, potential[q] = np.zeros_like(current[0]), np.zeros_like(current[0]) + layer.v_init
                channels[k][q] = np.zeros(current.shape[-1])
                counts[q] = []
                for t in range(n_steps):
                    now = current[min(t, len(current) - 1)]
                    total, potential[q] = total + now, potential[q] + now
                    counts[q] += [total] if t + 1 in at else []
                kept[k][q] = total if keep_counts else None
                return
            s, potential[q], channels[k][q] = layer.fire(current, how)
            kept[k][q] = s.sum(axis=0) if keep_counts else None
        counts[q] = np.cumsum(s, axis=0, dtype=x.dtype)[[t - 1 for t in at]]
    spread_products(work, [(q, *block) for q, block in enumerate(blocks)])
    channels = [np.sum(parts, axis=0) for parts in channels]
    layer_counts = [np.concatenate(parts) for parts in kept] if keep_counts else None
    return Run(np.concatenate(counts, axis=1), np.concatenate(potential), [float(c.sum()) for c in channels], layer_counts, channels)


class _Layer:
    """A stage, its weights laid out for products."""

    def __init__(self, stage, v_init, silent):
        self.w, self.b, self.size, self.silent = stage.w, stage.b, 2 if stage.pool == "inside" else 1, silent
        self.v_init = stage.v_init if stage.v_init is not None else v_init
        self.u = _winograd.transformed(stage.w) if np.ndim(stage.w) == 4 else None

    def current(self, s):
        """Compute the currents (T or 1, B, ...) that spikes (T or 1, B, ...) cause, without the bias."""
        if self.w is None:
            return s
        if self.w.ndim == 2:
            y = s.reshape(len(s) * s.shape[1], -1) @ self.w
            return (y if self.b is None else y + self.b).reshape(*s.shape[:2], -1)
        images = s.reshape(-1, *s.shape[2:])
        y = np.empty((*images.shape[:3], self.w.shape[3]), s.dtype)
        if _winograd.suits(images.shape, self.w.shape, 1, 1):
            _winograd.into(images, self.u, y)
        else:
            n_rows, flat = len(images) * images.shape[1], self.w.reshape(-1, self.w.shape[3])
            patches = np.empty((n_rows * images.shape[2], len(flat)), s.dtype)
            gather(images, patches, (3, 3, 1, 1), images.shape[1:3], 0, n_rows)
            np.matmul(patches, flat, out=y.reshape(-1, y.shape[3]))
        return y.reshape(*s.shape[:2], *y.shape[1:])

    def fire(self, current, how):
        """Let the neurons fire; return spikes, last potential, and spikes by channel."""
        n_steps, neuron, _ = how
        shape = current.shape
        if len(shape) == 3:
            current = current.reshape(*shape[:2], 1, 1, -1)
        n_c = current.shape[-1]
        b = np.zeros(n_c, current.dtype) if self.b is None or np.ndim(self.w) == 2 else self.b
        v = np.empty(current.shape[1:], current.dtype)
        v[...] = self.v_init
        spikes = np.empty((n_steps, shape[1], current.shape[2] // self.size, current.shape[3] // self.size, n_c), current.dtype)
        sums = np.zeros(n_c)
        _fire(current, b, v, spikes, sums, (self.size, tuple(neuron)))
        return (spikes.reshape(n_steps, *shape[1:]), v.reshape(shape[1:]), sums) if len(shape) == 3 else (spikes, v, sums)


@njit
def _fire(current, b, v, spikes, sums, how):
    """(I12), (I13): window by window through all steps; v holds the first potentials and is left with the last."""
    size, (threshold, bar, hard, _) = how
    n_c, zero, one = current.shape[4], v.dtype.type(0), v.dtype.type(1)
    top, total = np.empty(n_c, v.dtype), np.zeros(n_c, np.int64)
    last = current.shape[0] - 1
    for i in range(spikes.shape[1]):
        for h in range(spikes.shape[2]):
            for w in range(spikes.shape[3]):
                for t in range(spikes.shape[0]):
                    at, s = min(t, last), spikes[t, i, h, w]
                    for k in range(size * size):
                        x, now = current[at, i, h * size + k // size, w * size + k % size], v[i, h * size + k // size, w * size + k % size]
                        if k == 0:
                            for c in range(n_c):
                                now[c] += x[c] + b[c]
                                top[c] = now[c]
                        else:
                            for c in range(n_c):
                                now[c] += x[c] + b[c]
                                top[c] = now[c] if now[c] > top[c] else top[c]
                    for c in range(n_c):
                        s[c] = one if top[c] >= bar else zero
                    for k in range(size * size):
                        now = v[i, h * size + k // size, w * size + k % size]
                        for c in range(n_c):
                            after = zero if hard else now[c] - threshold
                            now[c] = after if s[c] > zero else now[c]
                    for c in range(n_c):
                        total[c] += np.int64(s[c])
    for c in range(n_c):
        sums[c] = total[c]
