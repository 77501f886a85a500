"""Witnesses for integrate-and-fire neurons and for gradients through a surrogate.

The derivative of a spike is 0 almost everywhere, and differences of forward say so: they cannot check a surrogate gradient. These
checks share no code with what they check:

    check_dynamics        spikes and potentials against the definition, step by step
    frozen_offset_check   backward against differences of (I11), whose ordinary gradient the surrogate gradient is
    transpose_identity    backward against a forward-mode pass by dual numbers
    check_ties            of neurons that pool: which of equal potentials takes the gradient

docs/derivations/integrate-and-fire.md has the equations. With a window of size x size they are those of neurons that pool inside, on
docs/derivations/pooling-inside-the-neuron.md: a neuron sees the largest potential of its window, and all of them are reset together.
"""

from typing import NamedTuple

import numpy as np

from ...conventions import Rule, Surrogate
from ..compare import compare
from ..gradcheck import gradcheck
from .relu import Statements
from .surrogates import derivative, soft_step


class Setup(NamedTuple):
    """Where to check, and by which conventions."""

    current: np.ndarray                   # (T, B, ...), float64
    threshold: float = 1.0
    v_init: object = 0.0                  # a number or a (B, ...) array
    rule: Rule = Rule()
    surrogate: Surrogate = Surrogate()
    detach_reset: bool = True
    size: int = 0                         # of the windows that neurons pool, current (T, B, H, W, C); 0: they do not
    final: bool = True                    # whether v_final is looked at; False: its gradient is 0

    @property
    def how(self):
        """The arguments of forward between current and v_init.

        Returns
        -------
        tuple
            Size of the windows, if neurons pool, and threshold.
        """
        return (self.size, self.threshold) if self.size else (self.threshold,)


def check_dynamics(op, case):
    """Compare forward with the definition, (I1) to (I3); of neurons that pool, (I12) and (I13).

    Parameters
    ----------
    op : module or object
        With ``forward(current, threshold, v_init, rule) -> spikes, v_final, cache``; of neurons that pool, size stands before threshold.
    case : Setup
        Where to check. Choose numbers whose sums are exact (eighths, say) if potentials meet the threshold.

    Returns
    -------
    Comparison
        spikes and v_final (got) and the definition (wanted), within 1e-12.
    """
    def got(current, v_init):
        return op.forward(current, *case.how, v_init, case.rule)[:2]

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

    def spike(k, v):
        held = v_kept[k] - case.threshold
        moved = s_kept[k] + soft_step(v - case.threshold, case.surrogate, held) - soft_step(held, case.surrogate, held)
        return moved, s_kept[k] if case.detach_reset else moved

    def forward(current, v_init):
        spikes, v_final = walk(case, current, v_init, spike)
        seen = np.concatenate([np.ravel(x) for x in (*spikes, v_final * case.final)])
        return seen if case.final else seen + 1.0, (current, v_init)                # as large as what it is the difference of

    def backward(dout, args):
        spikes, v_final, cache = op.forward(args[0], *case.how, args[1], case.rule)
        dspikes, dv_final = dout[:spikes.size].reshape(spikes.shape), dout[spikes.size:].reshape(v_final.shape) * case.final
        return op.backward(dspikes, cache, dv_final, case.surrogate, case.detach_reset)

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
        slope = derivative(v.value - case.threshold, case.surrogate)
        return Dual(fired, slope * v.dot), Dual(fired, 0.0 if case.detach_reset else slope * v.dot)
    spikes, v_final = walk(case, [Dual(*pair) for pair in zip(args[0], moves[0], strict=True)], Dual(args[1], moves[1]), spike)
    dots = np.stack([s.dot for s in spikes]), v_final.dot
    c = [rng.normal(size=x.shape) for x in dots]
    c[1] *= case.final
    cache = op.forward(args[0], *case.how, args[1], case.rule)[2]
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


def check_ties(op):
    """Check that of equal potentials in a window the first in row-major order takes the whole gradient, (I15).

    Parameters
    ----------
    op : Pair
        Of neurons that pool, windows of two by two.

    Returns
    -------
    pysnn.verify.witness.relu.Statements
        What was checked, and whether it holds.
    """
    lines = []
    for ties in ((0, 1, 2, 3), (1, 2), (2, 3), (0, 3), (1, 3)):
        x = np.zeros(4)
        x[list(ties)] = 0.875
        spikes, _, cache = op.forward(x.reshape(1, 1, 2, 2, 1), 2, 1.0, 0.0, Rule())
        dx = op.backward(np.ones_like(spikes), cache, np.zeros((1, 2, 2, 1)), Surrogate(), True)[0].reshape(-1)
        lines.append((f"places {ties} are equal: {ties[0]} takes the gradient", dx[ties[0]] > 0 and dx[ties[0]] == dx.sum()))
    return Statements(tuple(lines))


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


def largest(case, v):
    """Return what a neuron holds against the threshold: its potential, or the first of the largest of its window, (I12) and (I15).

    Parameters
    ----------
    case : Setup
        With the size of the windows.
    v : (B, ...) array or Dual
        Potentials; (B, H, W, C) if neurons pool.

    Returns
    -------
    (B, ...) array or Dual
        Of neurons that pool (B, H // size, W // size, C).
    """
    if not case.size:
        return v
    if isinstance(v, Dual):
        values, dots = _windows(case, v.value), _windows(case, v.dot)
        first = values.argmax(axis=-1)[..., None]
        return Dual(*(np.take_along_axis(x, first, axis=-1)[..., 0] for x in (values, dots)))
    return _windows(case, v).max(axis=-1)


def _windows(case, v):
    """Put the places of a window side by side: (B, H, W, C) as (B, h, w, C, size^2)."""
    k, (n, height, width, channels) = case.size, v.shape
    x = v[:, :height // k * k, :width // k * k].reshape(n, height // k, k, width // k, k, channels)
    return x.transpose(0, 1, 3, 5, 2, 4).reshape(n, height // k, width // k, channels, k * k)


def _to_each(case, s, v):
    """Give every place of a window the spike of its neuron, (I13); places without a neuron get 0."""
    if not case.size:
        return s
    if isinstance(s, Dual):
        return Dual(*(_to_each(case, x, y) for x, y in zip(s, v, strict=True)))
    each = np.zeros_like(v)
    inner = np.kron(s, np.ones((1, case.size, case.size, 1)))
    each[:, :inner.shape[1], :inner.shape[2]] = inner
    return each


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
        ``spike(k, v)`` gives two spikes, that of the output and that of the reset; k counts steps from 1, and 0 is before the first; v is
        what `largest` gives.

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
        out, resetting = spike(t + 1, largest(case, v))
        outputs.append(out)
        if case.rule.timing == "same":
            v = reset(v, _to_each(case, resetting, v))
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
