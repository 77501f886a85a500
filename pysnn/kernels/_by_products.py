"""A network of integrate-and-fire neurons run over time by products: some images, some steps of one layer, then the next layer.

The steps of a layer lie side by side in one product, and then its neurons go through them; memory is that of the spikes of some images and
steps. For neurons that pool inside, and for potentials that begin channel by channel; else kernels/spiking.py goes by events.
"""

import numpy as np

from .._blas import spread_products
from .._jit import njit
from .._threads import cut
from ..conventions import Run
from . import _winograd
from .conv import gather

_STEPS = 8            # at most so many steps at a time
_IMAGES = 16          # at most so many images at a time,
_BYTES = 20_000_000   # fewer where the currents of the largest layer would take more


def _shapes(stages, shape):
    """List the shape of an image's neurons, layer by layer, before pooling."""
    shapes = []
    for stage in stages:
        shape = shape if stage.w is None else (*shape[:2], stage.w.shape[3]) if stage.w.ndim == 4 else stage.w.shape[1:]
        shapes.append(shape)
        shape = (shape[0] // 2, shape[1] // 2, shape[2]) if stage.pool else shape
    return shapes


def run(stages, x, how, spiking_output, at, keep_counts):
    """Run all stages; arguments as in `pysnn.kernels.spiking.run`, all checked; `how` is n_steps, neuron, v_init."""
    n_steps, neuron, v_init = how
    largest = max(np.prod(shape) for shape in _shapes(stages, x.shape[1:])) * x.itemsize * min(n_steps, _STEPS)
    blocks = cut(len(x), int(max(1, min(_IMAGES, _BYTES // largest))))
    layers = [_Layer(stage, v_init, neuron) for stage in stages]
    layers[-1].silent, layers[-1].last = not spiking_output, True
    done = [None] * len(blocks)

    def work(q, b0, b1):
        states, counts, first = [_State() for _ in layers], [], None
        for t0 in range(0, n_steps, _STEPS):
            n, s = min(_STEPS, n_steps - t0), x[None, b0:b1]
            for k, (layer, state) in enumerate(zip(layers, states, strict=True)):
                current = first if k == 0 and t0 else layer.current(s)
                first = current if k == 0 else first
                s = layer.add_up(current, state, n) if layer.silent else layer.fire(current, state, n, keep_counts)
            for t, now in enumerate(s, t0 + 1):
                states[-1].total = states[-1].total + now
                counts += [states[-1].total] if t in at else []
        done[q] = states, np.stack(counts)
    spread_products(work, [(q, *block) for q, block in enumerate(blocks)])
    channels = [np.sum([states[k].sums for states, _ in done], axis=0) for k in range(len(layers))]
    return Run(np.concatenate([counts for _, counts in done], axis=1), np.concatenate([states[-1].v for states, _ in done]),
               [float(c.sum()) for c in channels],
               [np.concatenate([states[k].total for states, _ in done]) for k in range(len(layers))] if keep_counts else None, channels)


class _State:
    """Of a layer, for some images: the potentials, the spikes so far, and these summed by channel."""

    def __init__(self):
        self.v, self.total, self.sums = None, 0, 0


class _Layer:
    """A stage, its weights laid out for products."""

    def __init__(self, stage, v_init, neuron):
        self.w, self.b, self.pool, self.neuron = stage.w, stage.b, stage.pool, tuple(neuron)
        self.silent = self.last = False
        self.v_init = stage.v_init if stage.v_init is not None else v_init
        self.u = _winograd.transformed(stage.w) if np.ndim(stage.w) == 4 else None

    def current(self, s):
        """Compute the currents (T or 1, B, ...) that spikes (T or 1, B, ...) cause, without the bias of a convolution."""
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

    def _begin(self, current, state):
        if state.v is None:
            state.v = np.empty(current.shape[1:], current.dtype)
            state.v[...] = self.v_init

    def add_up(self, current, state, n):
        """Let outputs add up their currents, without firing; return the currents of n steps."""
        self._begin(current, state)
        state.sums = np.zeros(current.shape[-1])
        steps = [current[min(t, len(current) - 1)] for t in range(n)]
        for now in steps:
            state.v = state.v + now
        return steps

    def fire(self, current, state, n, keep):
        """Let the neurons fire for n steps; return what the next layer gets."""
        self._begin(current, state)
        size, n_c = 2 if self.pool == "inside" else 1, current.shape[-1]
        grid = current.shape[2:4] if current.ndim == 5 else (1, 1)
        b = np.zeros(n_c, current.dtype) if self.b is None or np.ndim(self.w) == 2 else self.b
        spikes, sums = np.empty((n, current.shape[1], grid[0] // size, grid[1] // size, n_c), current.dtype), np.zeros(n_c)
        x, v = (a.reshape(*a.shape[:a.ndim - n_d], *grid, n_c) for a, n_d in ((current, current.ndim - 2), (state.v, current.ndim - 2)))
        _fire(x, b, v, spikes, sums, (size, self.neuron))
        state.sums = state.sums + sums
        if current.ndim == 3:
            spikes = spikes.reshape(n, current.shape[1], n_c)
        if keep and not self.last:
            state.total = state.total + spikes.sum(axis=0)
        if self.pool in ("max", "avg"):
            pooled = np.empty((n, current.shape[1], grid[0] // 2, grid[1] // 2, n_c), current.dtype)
            _pool(spikes.reshape(-1, *spikes.shape[2:]), pooled.reshape(-1, *pooled.shape[2:]), self.pool == "avg")
            return pooled
        return spikes


@njit
def _pool(x, y, mean):
    """(R5), (R6) for spikes: whether one of four is there, or their mean."""
    quarter = y.dtype.type(0.25)
    for b in range(len(y)):
        for h in range(y.shape[1]):
            for w in range(y.shape[2]):
                p, q, into = x[b, 2 * h, 2 * w], x[b, 2 * h, 2 * w + 1], y[b, h, w]
                r, s = x[b, 2 * h + 1, 2 * w], x[b, 2 * h + 1, 2 * w + 1]
                for c in range(len(into)):
                    into[c] = quarter * (p[c] + q[c] + r[c] + s[c]) if mean else max(max(p[c], q[c]), max(r[c], s[c]))


@njit(scratch=True)
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
