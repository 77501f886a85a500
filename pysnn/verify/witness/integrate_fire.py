"""Witnesses for integrate-and-fire neurons and for gradients through a surrogate.

The derivative of a spike is 0 almost everywhere, and differences of forward say so: they cannot check a surrogate gradient. These
checks share no code with what they check:

    check_dynamics        spikes and potentials against the definition, step by step
    frozen_offset_check   backward against differences of (I11), whose ordinary gradient the surrogate gradient is
    transpose_identity    backward against a forward-mode pass by dual numbers

docs/derivations/integrate-and-fire.md has the equations.
"""

from typing import NamedTuple

import numpy as np

from ...conventions import Rule, Surrogate
from ..compare import compare
from ..gradcheck import gradcheck


class Setup(NamedTuple):
    """Where to check, and by which conventions."""

    current: np.ndarray                   # (T, B, ...), float64
    threshold: float = 1.0
    v_init: object = 0.0                  # a number or a (B, ...) array
    rule: Rule = Rule()
    surrogate: Surrogate = Surrogate()
    detach_reset: bool = True


def check_dynamics(op, case):
    """Compare forward with the definition, (I1) to (I3).

    Parameters
    ----------
    op : module or object
        With ``forward(current, threshold, v_init, rule) -> spikes, v_final, cache``.
    case : Setup
        Where to check. Choose numbers whose sums are exact (eighths, say) if potentials meet the threshold.

    Returns
    -------
    Comparison
        spikes and v_final (got) and the definition (wanted), within 1e-12.
    """
    def got(current, v_init):
        return op.forward(current, case.threshold, v_init, case.rule)[:2]

    def wanted(current, v_init):
        spikes, v_final = walk(case, current, v_init, lambda k, v: (fires(case, v),) * 2)
        return np.stack(spikes), v_final
    return compare(got, wanted, (case.current, start(case)), ["spikes", "v_final"], rtol=1e-12, atol=1e-12)


def frozen_offset_check(op, case, n=200, rng=None):
    """Compare backward with differences, in the current and in v_init, of a net that the surrogate gradient is the gradient of.

    That net, (I11), has at the operating point the spikes and the potentials of the real one. Away from it each spike moves by what the
    soft step moves; what `detach_reset` declares constant stays.

    Parameters
    ----------
    op : module or object
        With forward as for `check_dynamics` and ``backward(dspikes, cache, dv_final, surrogate, detach_reset) -> dcurrent, dv_init``.
    case : Setup
        Where to check, float64.
    n : int or None
        How many coordinates to check in each argument, drawn at random; None: all.
    rng : numpy.random.Generator, optional
        For the loss, a random product with spikes and v_final, and the coordinates; default: seeded with 0.

    Returns
    -------
    Report
        As of `gradcheck`, with the rows current and v_init.
    """
    v_kept, s_kept = operating_point(case)
    soft_kept = {k: soft_step(v - case.threshold, case.surrogate) for k, v in v_kept.items()}

    def spike(k, v):
        moved = s_kept[k] + soft_step(v - case.threshold, case.surrogate) - soft_kept[k]
        return moved, s_kept[k] if case.detach_reset else moved

    def forward(current, v_init):
        spikes, v_final = walk(case, current, v_init, spike)
        return np.stack([*spikes, v_final]), (current, v_init)

    def backward(dout, args):
        cache = op.forward(args[0], case.threshold, args[1], case.rule)[2]
        return op.backward(dout[:-1], cache, dout[-1], case.surrogate, case.detach_reset)

    smooth = np.zeros(0)                  # nothing discrete is left that could change
    args = case.current, start(case)
    return gradcheck(forward, backward, args, trace=lambda *_: smooth, names=["current", "v_init"], n=n, rng=rng)


def transpose_identity(op, case, rng=None):
    """Compare backward, J^T, with an independent forward-mode pass, J: <c, J x'> must be <J^T c, x'>.

    A second opinion only: both sides follow the same rule, so a rule that is wrong in both goes unseen.

    Parameters
    ----------
    op : module or object
        As for `frozen_offset_check`.
    case : Setup
        Where to check, float64.
    rng : numpy.random.Generator, optional
        For c and x'; default: seeded with 0.

    Returns
    -------
    float
        Difference of the two products over the sum of the absolute terms of either; inf if all terms are 0.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    args = case.current, start(case)
    moves = [rng.normal(size=x.shape) for x in args]

    def spike(k, v):
        fired = fires(case, v.value)
        h = 1e-20                         # complex step: the derivative of the soft step without a second list of formulas
        slope = soft_step(v.value - case.threshold + 1j * h, case.surrogate).imag / h
        return Dual(fired, slope * v.dot), Dual(fired, 0.0 if case.detach_reset else slope * v.dot)
    spikes, v_final = walk(case, [Dual(*pair) for pair in zip(args[0], moves[0], strict=True)], Dual(args[1], moves[1]), spike)
    dots = np.stack([s.dot for s in spikes]), v_final.dot
    c = [rng.normal(size=x.shape) for x in dots]
    cache = op.forward(args[0], case.threshold, args[1], case.rule)[2]
    grads = op.backward(c[0], cache, c[1], case.surrogate, case.detach_reset)
    left, right = ([a * b for a, b in zip(x, y, strict=True)] for x, y in ((c, dots), (grads, moves)))
    size = max(sum(float(np.abs(x).sum()) for x in side) for side in (left, right))
    gap = abs(sum(float(x.sum()) for x in left) - sum(float(x.sum()) for x in right))
    return gap / size if size != 0 else np.inf


class Dual(NamedTuple):
    """A number and its derivative along one direction."""

    value: np.ndarray
    dot: np.ndarray

    def __add__(self, other):
        """Sum of two dual numbers."""
        return Dual(self.value + other.value, self.dot + other.dot)

    def __sub__(self, other):
        """Difference of two dual numbers."""
        return Dual(self.value - other.value, self.dot - other.dot)

    def __mul__(self, other):
        """Product of two dual numbers, or with a constant."""
        if not isinstance(other, Dual):
            return Dual(self.value * other, self.dot * other)
        return Dual(self.value * other.value, self.dot * other.value + self.value * other.dot)


def start(case):
    """Return v_init as an array.

    Parameters
    ----------
    case : Setup
        Where.

    Returns
    -------
    (B, ...) float64 array
        The potentials before the first step.
    """
    return np.array(np.broadcast_to(np.asarray(case.v_init, np.float64), case.current.shape[1:]))


def fires(case, v):
    """Say which neurons fire.

    Parameters
    ----------
    case : Setup
        Threshold and rule.
    v : (B, ...) array
        Potentials.

    Returns
    -------
    (B, ...) float64 array
        0 or 1.
    """
    return (v >= case.threshold if case.rule.fire == ">=" else v > case.threshold) * 1.0


def walk(case, current, v, spike):
    """Simulate all steps, (I1) to (I3).

    Parameters
    ----------
    case : Setup
        Threshold and rule.
    current : sequence of arrays, or of Dual
        One a step.
    v : array or Dual
        Potential before the first step.
    spike : callable
        ``spike(k, v)`` gives two spikes, that of the output and that of the reset; k counts steps from 1, and 0 is before the first.

    Returns
    -------
    spikes : list of arrays, or of Dual
        The output, one a step.
    v : array or Dual
        Potential after the last step.
    """
    def reset(v, s):
        return v - s * case.threshold if case.rule.reset == "subtract" else v - s * v
    outputs = []
    for t, x in enumerate(current):
        if case.rule.timing == "next":
            v = reset(v, spike(t, v)[1])
        v = v + x
        out, resetting = spike(t + 1, v)
        outputs.append(out)
        if case.rule.timing == "same":
            v = reset(v, resetting)
    return outputs, v


def operating_point(case):
    """Find the potentials and spikes that the frozen net keeps.

    Parameters
    ----------
    case : Setup
        Where.

    Returns
    -------
    potentials, spikes : dict of int to array
        By step, from 1; 0 is before the first, where timing is "next".
    """
    potentials, spikes = {}, {}

    def spike(k, v):
        potentials[k], spikes[k] = v, fires(case, v)
        return spikes[k], spikes[k]
    walk(case, case.current, start(case), spike)
    return potentials, spikes


def soft_step(x, surrogate):
    """Evaluate the soft step G of (I7).

    Parameters
    ----------
    x : array, real or complex
        V - threshold.
    surrogate : Surrogate
        Kind and slope.

    Returns
    -------
    array like x
        G(x); its derivative is the surrogate.
    """
    k = surrogate.slope
    size = np.where(x.real >= 0, x, -x)
    if surrogate.kind == "atan":
        return np.arctan(np.pi / 2 * k * x) / np.pi
    if surrogate.kind == "fast_sigmoid":
        return x / (1 + k * size)
    if surrogate.kind == "sigmoid":
        e = np.exp(-k * size)
        return np.where(x.real >= 0, 1, e) / (1 + e)
    inside = np.abs(k * x.real) < 1
    return np.where(inside, k * x - k * k * x * size / 2, np.sign(x.real) / 2)
