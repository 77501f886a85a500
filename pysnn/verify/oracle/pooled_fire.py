"""Max pooling inside the integrate-and-fire neuron without rounding: one neuron after the other, its potentials as whole numbers.

The gradient is that of (I11) of docs/derivations/integrate-and-fire.md with the largest potential of a window in the place of U, taken
forward: one input of one neuron is moved at a time. Nothing is shared with the operation under test.
"""

from itertools import product
from typing import NamedTuple

import numpy as np

from ...conventions import Rule, Surrogate
from ._numbers import context, dyadic, exact
from .integrate_fire import surrogate

__all__ = ["Walk", "backward", "forward"]


class Walk(NamedTuple):
    """What backward needs of forward: whole numbers, in units of 2**-shift."""

    current: np.ndarray
    v_init: np.ndarray
    size: int
    threshold: int
    shift: int
    rule: Rule


def forward(current, size=2, threshold=1.0, v_init=0.0, rule=Rule()):
    """Run neurons over T time steps without rounding; arguments as of `pysnn.reference.pooled_fire.forward`.

    Return spikes (T, B, H // size, W // size, C), float64; v_final (B, H, W, C), an object array of mpf; and the walk for `backward`.
    """
    current = np.asarray(current)
    threshold = current.dtype.type(threshold)
    (x, theta, v), shift = dyadic(current, np.asarray(threshold), np.broadcast_to(np.asarray(v_init, current.dtype), current.shape[1:]))
    walk = Walk(x, v, size, theta[()], shift, rule)
    n_t, n_b, height, width, n_c = x.shape
    spikes, v_final = np.zeros((n_t, n_b, height // size, width // size, n_c)), (v + x.sum(axis=0)).astype(object)
    for at, places in _neurons(walk):
        _, fired, last = _run(walk, places)
        spikes[(slice(None), *at)] = fired
        for place, value in zip(places, last, strict=True):
            v_final[place] = value
    return spikes, np.asarray(np.frompyfunc(lambda value: context().ldexp(int(value), -shift), 1, 1)(v_final), dtype=object), walk


def _neurons(walk):
    """Yield each neuron's index and the places of its window, in row-major order."""
    _, n_b, height, width, n_c = walk.current.shape
    for b, h, w, c in product(range(n_b), range(height // walk.size), range(width // walk.size), range(n_c)):
        yield (b, h, w, c), [(b, h * walk.size + i, w * walk.size + j, c) for i in range(walk.size) for j in range(walk.size)]


def _run(walk, places):
    """Run one neuron, (I12) and (I13); return its potentials before each reset, its spikes, and its last potentials."""
    v, seen, fired = [walk.v_init[place] for place in places], [], []
    for x in walk.current:
        v = [now + x[place] for now, place in zip(v, places, strict=True)]
        seen.append(v)
        fired.append(max(v) >= walk.threshold if walk.rule.fire == ">=" else max(v) > walk.threshold)
        if fired[-1]:
            v = [now - walk.threshold for now in v] if walk.rule.reset == "subtract" else [0] * len(v)
    return seen, fired, v


def backward(dspikes, walk, dv_final, kind=Surrogate(), detach_reset=True):
    """Pull gradients back through the walk, (I14) and (I15), with 60 digits; the walk stands in the place of the cache.

    Return dcurrent (T, B, H, W, C) and dv_init (B, H, W, C), object arrays.
    """
    ctx, n_steps = context(), len(walk.current)
    dspikes, dv_final = exact(dspikes), exact(dv_final)
    grads = np.array([dv_final] * (n_steps + 1), dtype=object)           # of places without a neuron; the last row is v_init
    theta = ctx.ldexp(walk.threshold, -walk.shift)
    for at, places in _neurons(walk):
        seen, fired, _ = _run(walk, places)
        slopes = [surrogate(ctx.ldexp(max(u) - walk.threshold, -walk.shift), kind) for u in seen]
        for first, moved in product(range(-1, n_steps), range(len(places))):         # -1: v_init
            du, total = [ctx.zero] * len(places), ctx.zero
            du[moved] += first == -1
            for t, (u, s, slope) in enumerate(zip(seen, fired, slopes, strict=True)):
                du[moved] += t == first
                ds = slope * du[u.index(max(u))]                         # of the first of the largest
                total += dspikes[(t, *at)] * ds
                reset = ctx.zero if detach_reset else ds
                if walk.rule.reset == "subtract":
                    du = [d - theta * reset for d in du]
                else:
                    du = [(0 if s else d) - ctx.ldexp(now, -walk.shift) * reset for d, now in zip(du, u, strict=True)]
            grads[(first, *places[moved])] = total + sum(dv_final[place] * d for place, d in zip(places, du, strict=True))
    return grads[:-1], grads[-1]
