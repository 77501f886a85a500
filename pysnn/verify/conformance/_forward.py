"""Cases about spikes: shape, dtype, independence, state, eval mode, and the equation."""

import numpy as np

from ._draw import CONVENTION, NOT_SUPPORTED, PRECISION, RIGHT, Result, draw, exact, judged, need, strength
from .equation import truth

SIZES = [(1, 1, 1), (6, 2, 3), (33, 9, 1), (33, 1, 37), (130, 2, 3)]           # T, B, N


def shape(node, p):
    """Spikes have the shape of the current, and are 0 or 1."""
    most = 0
    for size in SIZES[:3]:
        spikes = node.spikes(draw(p, size, 0))
        need(spikes.shape == size, f"spikes of a current of shape {size} have shape {spikes.shape}")
        need((spikes == np.round(spikes)).all() and (spikes >= 0).all(), f"spikes are whole numbers; got {np.unique(spikes)[:4].tolist()}")
        most = max(most, spikes.max(), node.spikes(3.5 * p.threshold / strength(p) * np.ones(size)).max())
    need(most <= p.most, f"{most:g} spikes in one step, at most {p.most} declared")
    return Result(CONVENTION, f"up to {most:g} spikes a step") if p.most > 1 else Result(RIGHT, "as the current, 0 and 1")


def dtype(node, p):
    """A float64 current gives float64 spikes."""
    try:
        given = node.dtype(draw(p, (6, 2, 3), 0))
    except (RuntimeError, TypeError, ValueError) as error:
        need(p.dtype != "float64", f"a float64 current raises {type(error).__name__}: {str(error)[:80]}")
        return Result(PRECISION, f"takes float32 only: {type(error).__name__}")
    if given == "float64":
        return Result(RIGHT, "float64 in, float64 out")
    need(p.dtype == given, f"float64 in, {given} out, {p.dtype} declared")
    return Result(PRECISION, f"float64 in, {given} out")


def repeat(node, p):
    """After a reset, the same current gives the same spikes."""
    x, other = draw(p, (33, 2, 3), 0), draw(p, (6, 2, 3), 1)
    first = node.spikes(x)
    node.spikes(other)
    need(all(np.array_equal(node.spikes(x), first) for _ in range(2)), "the same current gives other spikes another time")
    return Result(RIGHT, f"{int(first.sum())} spikes, three times the same")


def batch(node, p):
    """A sample gives the same spikes alone as in a batch, at any place in it."""
    x = draw(p, (33, 9, 3), 0)
    together = node.spikes(x)
    for b in (0, 1, 8):
        alone = node.spikes(x[:, b:b + 1])
        need(np.array_equal(alone[:, 0], together[:, b]), f"sample {b} of 9 has other spikes alone")
    turned = node.spikes(x[:, ::-1])
    need(np.array_equal(turned[:, ::-1], together), "in reversed order samples have other spikes")
    return Result(RIGHT, "samples alone, together and in reversed order")


def neurons(node, p):
    """The current of one neuron does not act on others."""
    x = draw(p, (33, 2, 5), 0)
    y = np.array(x)
    y[:, :, 0] += 1.25 * p.threshold / strength(p)
    a, b = node.spikes(x), node.spikes(y)
    need(not np.array_equal(a[..., 0], b[..., 0]), "more current for the first neuron changes none of its spikes")
    same = np.array_equal(a[..., 1:], b[..., 1:])
    if p.neurons != "alone":
        return Result(CONVENTION, "neurons act on one another, as declared") if not same else Result(RIGHT, "neurons do not act here")
    need(same, "more current for the first neuron changes spikes of others")
    return Result(RIGHT, "others keep their spikes")


def single_step(node, p):
    """One step after the other gives what all at once give."""
    for size in SIZES[1:]:
        x = draw(p, size, 0)
        got, wanted = node.stepwise(x), node.spikes(x)
        if p.state == "first sample":                                    # what is left is the state of the first sample
            need(np.array_equal(got[:, 0], wanted[:, 0]), f"T, B, N = {size}: spikes of the first sample differ")
        else:
            need(np.array_equal(got, wanted), f"T, B, N = {size}: {int((got != wanted).sum())} of {got.size} spikes differ")
    words = "equal in the first sample, whose state the others get"
    return Result(CONVENTION, words) if p.state == "first sample" else Result(RIGHT, "equal")


def two_calls(node, p):
    """Two calls in a row, the state kept, give what one call gives."""
    for size, first in (((6, 1, 3), 1), ((33, 2, 3), 16), ((33, 9, 3), 32)):
        x = draw(p, size, 0)
        one, two = node.spikes(x), node.calls(x, first)
        differ = (one != two).any(axis=(0, 2))
        if p.state == "first sample":
            need(not differ[0], "spikes of the first sample differ, too")
            if differ.any():
                return Result(CONVENTION, f"others go on with the state of the first sample: {int(differ.sum())} of {size[1]} differ")
        elif p.state == "lost":
            if differ.any():
                return Result(CONVENTION, "a call begins at rest")
        else:
            need(not differ.any(), f"{int((one != two).sum())} of {one.size} spikes differ, in {int(differ.sum())} of {size[1]} samples")
    need(p.state == "kept", f"the state is kept, and {p.state!r} was declared")
    return Result(RIGHT, "equal")


def evaluation(node, p):
    """Eval mode changes no spike, and lets a gradient through."""
    x = draw(p, (33, 2, 3), 0)
    spikes, through = node.evaluated(x)
    need(np.array_equal(spikes, node.spikes(x)), "other spikes in eval mode")
    if p.evaluation == "no gradient":
        need(not through, "a gradient goes through in eval mode, none was declared")
        return Result(CONVENTION, "the same spikes, no gradient")
    need(through, "no gradient goes through in eval mode")
    return Result(RIGHT, "the same spikes, and a gradient")


def spikes(node, p):
    """Spikes are those of the equation, at several sizes."""
    if not p.equation:
        return _nothing(p)
    n = n_judged = 0
    alive = []
    for size in SIZES:
        _compare(node, p, draw(p, size, size[0]), f"T, B, N = {size}")
        ref = truth(p, draw(p, size, size[0]), None, node.numbers())
        n, n_judged = n + ref.margin.size, n_judged + int(judged(p, ref).sum())
        alive.append(ref.spikes.mean())
    need(0 < np.mean(alive[1:]) < p.most and 2 * n_judged >= n, f"only {n_judged} of {n} neurons could be judged")
    return _delayed(p, f"{n_judged} of {n} neurons, five sizes" + ", sums exact" * exact(p))


def threshold(node, p):
    """At the threshold, and next to it, a neuron does what its comparison says."""
    if not p.equation:
        return _nothing(p)
    near = 2.0 ** (-20 if p.dtype == "float32" else -40)
    x, own = np.zeros((1 + p.delay, 3, 1)), strength(p, node.numbers())
    x[0, :, 0] = (p.threshold - p.rest) * np.array([1 - near, 1, 1 + near]) / own
    below, at, above = node.spikes(x)[-1, :, 0]
    need((below, above) == (0, 1), f"{below:g} spikes at {1 - near} thresholds, {above:g} at {1 + near}")
    need(not (own * 2 ** 10).is_integer() or at == (p.fire == ">="), f"{at:g} spikes at the threshold, V {p.fire} threshold declared")
    return Result(CONVENTION, "silent at the threshold") if p.fire == ">" else Result(RIGHT, "fires at the threshold")


def large(node, p):
    """A current of 2^20 thresholds, once, is no reason for other numbers than 0 and 1, nor for other spikes than the equation's."""
    x = draw(p, (33, 2, 3), 2)
    x[3, 0, 0], x[5, 1, 1] = (2.0 ** 20 * p.threshold / strength(p) * np.ones(2)).astype(np.float32)
    return _extreme(node, p, x)


def negative(node, p):
    """Negative currents, large and small, give no spikes of their own."""
    x = draw(p, (33, 2, 3), 3)
    x[:, 0, 0] = -np.abs(x[:, 0, 0]) - 2.0 ** -6
    x[4, 1, 1] = np.float32(-2.0 ** 10 * p.threshold / strength(p))
    silent = node.spikes(x)[:, 0, 0]
    need(not silent.any(), f"{int(silent.sum())} spikes of a neuron whose currents are all negative")
    return _extreme(node, p, x)


def _extreme(node, p, x):
    got = node.spikes(x)
    need(np.isfinite(got).all() and (got >= 0).all() and got.max() <= p.most, f"spikes up to {np.nanmax(got):g}, finite: "
         f"{bool(np.isfinite(got).all())}")
    if p.equation:
        _compare(node, p, x, "with it")
    return _delayed(p, "as the equation" if p.equation else "finite, 0 and 1")


def _compare(node, p, x, where):
    """Compare spikes with those of the equation, where they are judged."""
    ref, got = truth(p, x, None, node.numbers()), node.spikes(x)
    ok = judged(p, ref)
    need(got.shape == ref.spikes.shape, f"{where}: shape {got.shape}")
    differ = (got != ref.spikes) & ok
    if differ.any():
        t, b, n = (int(k) for k in np.argwhere(differ)[0])
        need(False, f"{where}: {int(differ.sum())} of {got.size} spikes differ, first in step {t} of sample {b}, neuron {n}: "
             f"{got[t, b, n]:g} instead of {ref.spikes[t, b, n]:g}")


def _delayed(p, words):
    return Result(CONVENTION, f"{words}; {p.delay} step late, as declared") if p.delay else Result(RIGHT, words)


def _nothing(p):
    return Result(NOT_SUPPORTED, "its profile gives no equation")
