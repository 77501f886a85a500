"""Cases about gradients."""

import numpy as np

from ._draw import GRADIENT, NOT_SUPPORTED, RIGHT, Result, clear, draw, need, off, strength

UPSTREAM = 1e6
SIZES = [(1, 2, 3), (6, 2, 3), (6, 1, 37), (6, 9, 1), (33, 2, 3)]           # T, B, N


def input_kept(node, p):
    """Neither the current nor the gradient that comes in is written into."""
    x = draw(p, (6, 2, 3), 0)
    need(not node.written(x, np.ones(x.shape)), "a run forward and backward changes its arguments")
    return Result(RIGHT, "unchanged")


def gradient(node, p):
    """The gradient for the current is that of the equation, at T = 1, 6 and 33, with 1, 3 and 37 neurons."""
    if not p.equation:
        return Result(NOT_SUPPORTED, "its profile gives no equation")
    worst = 0.0
    for n_steps, *size in SIZES:
        x, down, ref = clear(p, (n_steps + p.delay, *size), node.numbers())
        got = node.gradient(x, down)
        error = off(got, ref.dcurrent)
        need(error <= GRADIENT[p.dtype], f"T, B, N = {n_steps, *size}: off by {error:.2g} of the largest entry{_spikes_too(node, x, ref)}")
        worst = max(worst, error)
    return Result(RIGHT, f"within {worst:.1g}")


def _spikes_too(node, x, ref):
    return "; spikes differ, too" if not np.array_equal(node.spikes(x), ref.spikes) else ""


def upstream(node, p):
    """A gradient of 10^6 that comes in is neither cut nor lost: backward is linear."""
    x = draw(p, (33, 2, 3), 4)
    down = np.random.default_rng(5).normal(size=x.shape)
    small, large = node.gradient(x, down), node.gradient(x, UPSTREAM * down)
    need(np.abs(small).max() > 0, "no gradient goes through")
    error = off(large / UPSTREAM, small)
    need(error <= GRADIENT[p.dtype], f"10^6 times as much in, off by {error:.2g} out: largest {np.abs(large).max():.3g}")
    return Result(RIGHT, f"linear within {error:.1g}")


def second_backward(node, p):
    """A second backward pass through one graph gives the first gradient again."""
    x = draw(p, (33, 2, 3), 6)
    first, second = node.twice(x, np.random.default_rng(7).normal(size=x.shape))
    need(np.array_equal(first, second), f"off by {off(second, first):.2g}")
    return Result(RIGHT, "the same twice")


def strided(node, p):
    """Views that are not contiguous have the gradient of a copy."""
    x = draw(p, (33, 2, 3), 8)
    down = np.random.default_rng(9).normal(size=x.shape)
    error = off(node.strided(x, down), node.gradient(x, down))
    need(error <= GRADIENT[p.dtype], f"off by {error:.2g}")
    return Result(RIGHT, f"within {error:.1g}")


def far(node, p):
    """Far from the threshold, up to 2^17 thresholds on both sides, gradients are finite."""
    distances = np.array([s * d for d in (4.0, 16.0, 64.0, 2.0 ** 10, 2.0 ** 17) for s in (1, -1)])
    x = np.zeros((1 + p.delay, len(distances), 1))
    x[0, :, 0] = (p.threshold + distances * p.threshold - p.rest) / strength(p)
    got = node.gradient(x, np.ones(x.shape))
    bad = ~np.isfinite(got).all(axis=(0, 2))
    need(not bad.any(), f"not finite at V - threshold = {(distances * p.threshold)[bad].tolist()}")
    return Result(RIGHT, f"finite at {len(distances)} distances")


def parameters(node, p):
    """The gradients of learnable parameters are those of the equation."""
    numbers = {name: x for name, x in node.numbers().items() if name in (p.learnable or {})}
    if not (p.equation and numbers):
        return Result(NOT_SUPPORTED, "no learnable parameters in its profile, or no equation")
    worst, names = 0.0, ", ".join(numbers)
    for n_steps in (6, 33):
        x, down, ref = clear(p, (n_steps + p.delay, 2, 3), numbers)
        found = node.parameters(x, down)
        for name in numbers:
            error = off(np.reshape(found[name], -1), ref.dparameters[name])
            need(error <= GRADIENT[p.dtype] * 10, f"T = {n_steps}: {name} off by {error:.2g}")
            worst = max(worst, error)
    return Result(RIGHT, f"{names} within {worst:.1g}")


def nan(node, p):
    """NaN in one sample stays there: others keep their spikes and gradients."""
    x = draw(p, (6, 3, 3), 10)
    down, sick = np.random.default_rng(11).normal(size=x.shape), np.array(x)
    sick[2, 1, 1] = np.nan
    well = [0, 2]
    need(np.array_equal(node.spikes(sick)[:, well], node.spikes(x)[:, well]), "NaN in sample 1 changes spikes of others")
    error = off(node.gradient(sick, down)[:, well], node.gradient(x, down)[:, well])
    need(error == 0, f"NaN in sample 1 changes gradients of others, by {error:.2g}")
    return Result(RIGHT, "others as without it")
