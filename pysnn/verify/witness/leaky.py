"""Witnesses for leaky neurons and for their gradients through a surrogate; (D1) to (D12) of docs/derivations/leaky.md.

As in `pysnn.verify.witness.integrate_fire`, and with every argument that has a gradient: current, beta, threshold, v_init, alpha, w_rec.

    check_dynamics        spikes and potentials against the definition, step by step
    frozen_offset_check   backward against differences of the net whose ordinary gradient the surrogate gradient is
    transpose_identity    backward against a forward-mode pass by dual numbers
"""

from typing import NamedTuple

import numpy as np

from ...conventions import Rule, Surrogate
from ..compare import compare
from ..gradcheck import gradcheck
from .integrate_fire import Dual
from .surrogates import derivative, soft_step

NAMES = ("current", "beta", "threshold", "v_init", "alpha", "w_rec")
"""The arguments that have a gradient, in the order of `Setup.args`."""


class Setup(NamedTuple):
    """Where to check, and by which conventions; all arrays float64, parameters one a neuron."""

    current: np.ndarray                   # (T, B, n)
    beta: np.ndarray                      # (n,)
    threshold: np.ndarray                 # (n,)
    v_init: np.ndarray                    # (B, n)
    rule: Rule = Rule()
    alpha: np.ndarray | None = None       # (n,)
    w_rec: np.ndarray | None = None       # (n, n)
    surrogate: Surrogate = Surrogate()
    detach_reset: bool = True

    @property
    def names(self):
        """The arguments that have a gradient here.

        Returns
        -------
        list of str
            Some of NAMES.
        """
        return [name for name in NAMES if getattr(self, name) is not None]

    @property
    def args(self):
        """Their values.

        Returns
        -------
        list of arrays
            In the order of `names`.
        """
        return [getattr(self, name) for name in self.names]


def run(op, case, args=None):
    """Run forward of an operation.

    Parameters
    ----------
    op : module or object
        With ``forward(current, beta, threshold, v_init, rule, alpha, w_rec) -> spikes, v_final, cache``; arguments that a case lacks at
        the end are left out.
    case : Setup
        Where.
    args : sequence of arrays, optional
        In the place of those of the case, in the order of its names.

    Returns
    -------
    spikes, v_final, cache
        Of the operation.
    """
    case = case._replace(**dict(zip(case.names, case.args if args is None else args, strict=True)))
    given = [*case[:5], case.alpha, case.w_rec]
    while given[-1] is None:
        given.pop()
    return op.forward(*given)


def backward(op, case, cache, upstream):
    """Run backward of an operation.

    Parameters
    ----------
    op : module or object
        With ``backward(dspikes, cache, dv_final, dv, surrogate, detach_reset)`` -> gradients in the order of NAMES; None is left out.
    case : Setup
        How.
    cache : object
        From forward.
    upstream : tuple of arrays
        Gradients of spikes, v_final and potentials.

    Returns
    -------
    list of arrays
        In the order of the case's names.
    """
    dspikes, dv_final, dv = upstream
    return [g for g in op.backward(dspikes, cache, dv_final, dv, case.surrogate, case.detach_reset) if g is not None]


def check_dynamics(op, case):
    """Compare forward with the definition.

    Parameters
    ----------
    op : module or object
        As for `run`.
    case : Setup
        Where to check. Choose numbers whose sums are exact (eighths, say) if potentials meet the threshold.

    Returns
    -------
    Comparison
        spikes and v_final (got) and the definition (wanted), within 1e-12.
    """
    def wanted(*args):
        spikes, v_final, _ = walk(case, args, real(case))
        return np.stack(spikes), v_final
    return compare(lambda *args: run(op, case, args)[:2], wanted, tuple(case.args), ["spikes", "v_final"], rtol=1e-12, atol=1e-12)


def frozen_offset_check(op, case, n=200, rng=None):
    """Compare backward with differences, in every argument, of a net that the surrogate gradient is the gradient of.

    That net has at the operating point the spikes and the potentials of the real one. Away from it each spike moves by what the soft step
    moves; what `detach_reset` declares constant stays. The loss is a random product with spikes, last potentials and all potentials.

    Parameters
    ----------
    op : module or object
        As for `run` and `backward`.
    case : Setup
        Where to check.
    n : int or None
        How many coordinates to check in each argument, drawn at random; None: all.
    rng : numpy.random.Generator, optional
        For the loss and the coordinates; default: seeded with 0.

    Returns
    -------
    Report
        As of `gradcheck`, with a row for each argument.
    """
    kept = operating_point(case)

    def spike(k, v, threshold):
        held, s = kept[k]
        at = held - case.threshold
        moved = s + soft_step(v - threshold, case.surrogate, at) - soft_step(at, case.surrogate, at)
        return moved, s if case.detach_reset else moved

    def forward(*args):
        spikes, v_final, seen = walk(case, args, spike)
        return np.concatenate([np.ravel(x) for x in (*spikes, v_final, *seen)]), args

    def pulled(dout, args):
        *_, cache = run(op, case, args)
        shape, size = case.current.shape, case.v_init.size
        dspikes, dv_final, dv = np.split(dout, [case.current.size, case.current.size + size])
        return tuple(backward(op, case, cache, (dspikes.reshape(shape), dv_final.reshape(shape[1:]), dv.reshape(shape))))
    smooth = np.zeros(0)                  # nothing discrete is left that could change
    return gradcheck(forward, pulled, case.args, trace=lambda *_: smooth, names=case.names, n=n, rng=rng)


def transpose_identity(op, case, rng=None):
    """Compare backward, J^T, with an independent forward-mode pass, J: <c, J x'> must be <J^T c, x'>, x' moving every argument.

    A second opinion only: both sides follow the same rule, so a rule that is wrong in both goes unseen.

    Parameters
    ----------
    op : module or object
        As for `frozen_offset_check`.
    case : Setup
        Where to check.
    rng : numpy.random.Generator, optional
        For c and x'; default: seeded with 0.

    Returns
    -------
    float
        Difference of the two products over the sum of the absolute terms of either; inf if all terms are 0.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    moves = [rng.normal(size=x.shape) for x in case.args]

    def spike(k, v, threshold):
        fired = fires(case, v.value, threshold.value)
        ds = derivative(v.value - threshold.value, case.surrogate) * (v.dot - threshold.dot)
        return Dual(fired, ds), Dual(fired, np.zeros_like(ds) if case.detach_reset else ds)
    (x, dx), *rest = zip(case.args, moves, strict=True)
    spikes, v_final, seen = walk(case, [[Dual(*pair) for pair in zip(x, dx, strict=True)], *(Dual(*pair) for pair in rest)], spike)
    dots = np.stack([s.dot for s in spikes]), v_final.dot, np.stack([v.dot for v in seen])
    c = tuple(rng.normal(size=x.shape) for x in dots)
    grads = backward(op, case, run(op, case)[2], c)
    left, right = ([a * b for a, b in zip(x, y, strict=True)] for x, y in ((c, dots), (grads, moves)))
    size = max(sum(float(np.abs(x).sum()) for x in side) for side in (left, right))
    gap = abs(sum(float(x.sum()) for x in left) - sum(float(x.sum()) for x in right))
    return gap / size if size != 0 else np.inf


def fires(case, v, threshold):
    """Say which neurons fire.

    Parameters
    ----------
    case : Setup
        With the rule.
    v, threshold : (B, n), (n,) arrays
        Potentials and thresholds.

    Returns
    -------
    (B, n) float64 array
        0 or 1.
    """
    return (v >= threshold if case.rule.fire == ">=" else v > threshold) * 1.0


def real(case):
    """Return the spike of the real neuron, for `walk`.

    Parameters
    ----------
    case : Setup
        With the rule.

    Returns
    -------
    callable
        ``spike(k, v, threshold)``.
    """
    return lambda k, v, threshold: (fires(case, v, threshold),) * 2


def walk(case, args, spike):
    """Simulate all steps by the definition.

    Parameters
    ----------
    case : Setup
        With the rule.
    args : sequence of arrays, or of Dual
        In the order of the case's names; of the current one a step.
    spike : callable
        ``spike(k, v, threshold)`` gives two spikes, one that is seen, by the output and by w_rec, and that of the reset; k counts steps
        from 1, and 0 is before the first.

    Returns
    -------
    spikes : list of arrays, or of Dual
        The output, one a step.
    v : array or Dual
        Potential after the last step.
    seen : list of arrays, or of Dual
        The potentials that are held against the threshold.
    """
    of = dict(zip(case.names, args, strict=True))
    beta, threshold, v, rule = of["beta"], of["threshold"], of["v_init"], case.rule
    late = rule.timing == "next"
    out, resetting = None, spike(0, v, threshold)[1] if late else None
    spikes, seen, i = [], [], None

    def reset(v, s):
        return v - s * {"subtract": threshold, "zero": v, "none": v * 0.0}[rule.reset]
    for t, x in enumerate(of["current"]):
        drive = x if "w_rec" not in of or out is None else x + _product(out, of["w_rec"])
        i = drive if i is None or "alpha" not in of else drive + i * of["alpha"]
        if late and rule.order == "reset first":
            v = reset(v, resetting)
        v = v * beta + (i - i * beta if rule.gain == "1 - beta" else i)
        if late and rule.order == "leak first":
            v = reset(v, resetting)
        seen.append(v)
        out, resetting = spike(t + 1, v, threshold)
        spikes.append(out)
        v = v if late else reset(v, resetting)
    return spikes, v, seen


def _product(s, w):
    """Multiply spikes by weights."""
    if isinstance(s, Dual):
        return Dual(s.value @ w.value, s.dot @ w.value + s.value @ w.dot)
    return s @ w


def operating_point(case):
    """Find the potentials and spikes that the frozen net keeps.

    Parameters
    ----------
    case : Setup
        Where.

    Returns
    -------
    dict of int to (array, array)
        Potential and spikes by step, from 1; 0 is before the first, where timing is "next".
    """
    kept = {}

    def spike(k, v, threshold):
        kept[k] = v, fires(case, v, threshold)
        return kept[k][1], kept[k][1]
    walk(case, case.args, spike)
    return kept

