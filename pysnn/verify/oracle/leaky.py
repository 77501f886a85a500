"""Leaky neurons to 50 digits: forward by the definition, gradients taken forward, one direction for each number that goes in.

A spike moves with the surrogate times the distance of its potential from its threshold, (D7) of docs/derivations/leaky.md, and where the
reset is detached, the reset does not see it move. Nothing is shared with the operation under test.
"""

from fractions import Fraction
from typing import NamedTuple

import numpy as np

from ...conventions import Rule, Surrogate
from ._numbers import context, exact
from .integrate_fire import surrogate

__all__ = ["Step", "Walk", "backward", "constant_count", "forward"]


class Step(NamedTuple):
    """One step of the walk, object arrays (B, n): before it and in it."""

    v: np.ndarray
    s: np.ndarray       # whether v fires
    sent: np.ndarray    # the spikes that come back: s, but for the first step
    i: np.ndarray       # the current of the step before
    kept: np.ndarray    # what is left of v when the leak comes
    drive: np.ndarray   # the current of this step
    p: np.ndarray       # potential after leak and current
    u: np.ndarray       # and after a reset that comes last


class Walk(NamedTuple):
    """What backward needs of forward: arguments as mpf, and all steps."""

    args: dict
    rule: Rule
    steps: tuple


def forward(current, beta, threshold=1.0, v_init=0.0, rule=Rule(), alpha=None, w_rec=None):
    """Run neurons over T time steps; arguments as of `pysnn.reference.leaky.forward`, current (T, B, n), numbers as they are.

    Return spikes (T, B, n), float64; v_final (B, n), an object array of mpf; and the walk that `backward` needs.
    """
    n = current.shape[-1:]
    args = {"current": exact(current), "beta": exact(np.broadcast_to(beta, n)), "threshold": exact(np.broadcast_to(threshold, n)),
            "v_init": exact(np.broadcast_to(v_init, current.shape[1:]))}
    args |= ({} if alpha is None else {"alpha": exact(np.broadcast_to(alpha, n))}) | ({} if w_rec is None else {"w_rec": exact(w_rec)})
    v, theta, steps, spikes = args["v_init"], args["threshold"], [], np.empty(current.shape)
    i, s, sent = 0 * v, _fired(v, theta, rule), 0 * v
    for t, x in enumerate(args["current"]):
        kept = _after(v, s, theta, rule) if _late(rule) == "reset first" else v
        drive = x + (args["alpha"] * i if alpha is not None else 0) + (sent @ args["w_rec"] if w_rec is not None else 0)
        p = args["beta"] * kept + (drive if rule.gain == "1" else (1 - args["beta"]) * drive)
        u = _after(p, s, theta, rule) if _late(rule) == "leak first" else p
        steps.append(Step(v, s, sent, i, kept, drive, p, u))
        s = sent = _fired(u, theta, rule)
        i = drive
        v = u if _late(rule) else _after(u, s, theta, rule)
        spikes[t] = s.astype(float)
    return spikes, v, Walk(args, rule, tuple(steps))


def _late(rule):
    """Return the order of a late reset; "" where it ends its own step."""
    return rule.order if rule.timing == "next" else ""


def _fired(u, theta, rule):
    return np.asarray(u >= theta if rule.fire == ">=" else u > theta, dtype=bool) * context().one


def _after(v, s, theta, rule):
    return v - s * {"subtract": theta, "zero": v, "none": 0 * v}[rule.reset]


def backward(dspikes, walk, dv_final, dv, kind=Surrogate(), detach_reset=True):
    """Pull gradients back through the walk, with 60 digits; the walk stands in the place of the cache.

    Return a dict: current, beta, threshold, v_init, and alpha and w_rec where forward had them, object arrays in their shapes.
    """
    args, rule, steps = walk
    sizes = [x.size for x in args.values()]
    ends, eye = np.cumsum(sizes), exact(np.eye(sum(sizes)))
    d = {name: eye[:, end - x.size:end].reshape(-1, *x.shape) for (name, x), end in zip(args.items(), ends, strict=True)}
    d = {name: x[:, None] if x.ndim == 2 else x for name, x in d.items()}         # one for all samples
    theta, beta, d_theta = args["threshold"], args["beta"], d["threshold"]
    gain, d_gain = (1, 0) if rule.gain == "1" else (1 - beta, -d["beta"])

    def tangent(dx, x, s, ds):
        """Push a tangent through a reset."""
        if rule.reset == "subtract":
            return dx - s * d_theta - theta * ds
        return dx - s * dx - x * ds if rule.reset == "zero" else dx

    def slope(u):
        return np.asarray(np.frompyfunc(lambda x: surrogate(x, kind), 1, 1)(u - theta), dtype=object)
    du, di = d["v_init"], 0 * d["v_init"]
    ds = slope(args["v_init"]) * (du - d_theta) if rule.timing == "next" else 0 * du
    grads = 0 * eye[:, 0]
    for t, step in enumerate(steps):
        seen = 0 if detach_reset else ds
        kept = tangent(du, step.v, step.s, seen) if _late(rule) == "reset first" else du
        di = d["current"][:, t] + (args["alpha"] * di + d["alpha"] * step.i if "alpha" in args else 0)
        if "w_rec" in args:
            di = di + (ds @ args["w_rec"] if t > 0 else 0) + step.sent @ d["w_rec"]
        du = d["beta"] * step.kept + beta * kept + gain * di + d_gain * step.drive
        du = tangent(du, step.p, step.s, seen) if _late(rule) == "leak first" else du
        ds = slope(step.u) * (du - d_theta)
        grads = grads + (exact(dspikes[t]) * ds + exact(dv[t]) * du).sum(axis=(1, 2))
        if not _late(rule):
            du = tangent(du, step.u, _fired(step.u, theta, rule), 0 if detach_reset else ds)
    grads = grads + (exact(dv_final) * du).sum(axis=(1, 2))
    return {name: part.reshape(x.shape) for (name, x), part in zip(args.items(), np.split(grads, ends[:-1]), strict=True)}


def constant_count(a, beta, n_steps, threshold=1, rule=Rule("zero")):
    """Count the spikes of a constant current from V = 0 with reset to zero by the closed form (D5), in fractions.

    Parameters
    ----------
    a, beta : Fraction or int
        Current of each step, and the decay, 0 <= beta < 1.
    n_steps : int
        T.
    threshold : Fraction or int
        Firing threshold.
    rule : Rule
        Its reset must be "zero" and its order "reset first"; timing does not matter.

    Returns
    -------
    int
        Spikes in T steps.
    """
    a, beta, theta = Fraction(a), Fraction(beta), Fraction(threshold)
    top = a if rule.gain == "1 - beta" else a / (1 - beta)                # where the potential would end without a threshold
    for n in range(1, n_steps + 1):
        u = top * (1 - beta ** n)
        if u >= theta if rule.fire == ">=" else u > theta:
            return n_steps // n
    return 0
