"""Compare a backward pass with differences of its forward pass, minding kinks and jumps.

Networks of spike times are piecewise smooth: the set of inputs that come before a neuron's spike changes from place
to place. A plain difference across such a border is neither right nor wrong. So every quotient here looks at the
discrete decisions on both sides first:

    unchanged          smooth: the central difference must agree with backward
    changed            try again with a smaller step, down to 2e-9 of the coordinate
    still changed      kink, if both one-sided derivatives exist: backward must give one of them, or a value between
                       jump, if forward is discontinuous or an output falls silent: skipped, counted, with the reason

Tolerance: max(1e-7, 1e-9 x condition), relative. The condition is measured: how many roundings the output moves when
all arguments are rounded anew, times the size of output over argument, over the size of the gradient. Where rounding
would hide even an error of 1e-3, the coordinate is skipped, counted, with the reason. Nothing is skipped silently.

A forward or backward that returns float32, or numbers of its precision, is held to what float32 can show: longer steps,
1e-3; the report says so. A forward that never
moves while backward gives a gradient, such as spikes with a surrogate, cannot be checked so: nothing in it is called
wrong, and the reason names the check to use.
"""

import inspect
from collections import Counter
from typing import NamedTuple

import numpy as np

from .. import _checks
from .report._table import place, plain, table

STEPS = tuple(2.0 ** -k for k in (20, 23, 26, 29))   # 1e-6 ... 2e-9; powers of two, so that x + h - x = h exactly
RTOL = 1e-7
LONG = 2.0 ** -6       # a step that shows whether a gradient of 0 is one, where the others move nothing
ROUNDING = 4.0         # allow for 4 times the rounding of forward; 4 eps / 2**-20 is the 1e-9 of "1e-9 x condition"
BLIND = 1e-3           # skip where rounding may hide a relative error of this size
STILL = 0.1            # forward has steps if less than this share of the places moves it
DIRECTIONS = 8         # random directions for each argument

BLINDED = "rounding in forward hides the difference"
CHANGING = "decisions change however small the step"
FALLS_SILENT = "an output falls silent next to this point"
JUMPS = "forward jumps: its quotients diverge"
UNSETTLED = "quotients do not settle"
CONSTANT = ("forward is piecewise constant, and the gradient that of a surrogate: check it with frozen offsets (frozen_offset_check, or "
            "pysnn verify --module), which knows the surrogate")


class Precision(NamedTuple):
    """How far results of one dtype can be checked."""

    eps: float
    steps: tuple
    rtol: float
    blind: float

PRECISION = {np.dtype(np.float64): Precision(np.finfo(np.float64).eps, STEPS, RTOL, BLIND),
             np.dtype(np.float32): Precision(np.finfo(np.float32).eps, tuple(2.0 ** -k for k in (6, 7, 8, 9)), 1e-3, 0.05)}


class Outcome(NamedTuple):
    """What became of one coordinate or direction."""

    kind: str                 # smooth, kink, jump, skipped, at inf
    error: float = 0.0        # relative; above the tolerance means wrong
    by_backward: float | None = None      # the slope
    by_differences: float | None = None
    reason: str = ""
    moved: bool = True        # whether a step moved forward

    def scaled(self, factor):
        """Convert the slopes from one step length to another."""
        if self.by_backward is None:
            return self
        return self._replace(by_backward=self.by_backward * factor, by_differences=self.by_differences * factor)


class Row(NamedTuple):
    """One argument, checked by coordinates or along random directions."""

    name: str
    by: str                   # coordinates or directions
    smooth: int               # compared with a central difference
    kinks: int                # compared with two one-sided derivatives
    jumps: int                # not compared: forward is discontinuous here
    skipped: int              # not compared for another reason
    reasons: dict             # why jumps and skipped were not compared -> how many
    at_inf: int               # entries that are inf; backward says 0, as it must
    n_wrong: int
    max_error: float | None   # largest relative error (relative to the condition where that is larger)
    worst: tuple | None       # its index in the argument; for directions, which one
    by_backward: float | None     # the gradient there
    by_differences: float | None
    verdict: str              # right, WRONG, or unchecked if more was left out than compared

    @property
    def checked(self):
        """How many were compared."""
        return self.smooth + self.kinks


def _summarise(name, by, where, outcomes, rtol):
    """Sum up the outcomes of one argument in a row."""
    kinds = Counter(o.kind for o in outcomes)
    reasons = Counter(o.reason for o in outcomes if o.reason)
    compared = [(at, o) for at, o in zip(where, outcomes, strict=True) if o.kind in ("smooth", "kink")]
    n_wrong = sum(o.error > rtol for _, o in compared)
    worst, outcome = max(compared, key=lambda pair: pair[1].error, default=(None, Outcome("skipped", error=None)))
    left_out = kinds["jump"] + kinds["skipped"]
    verdict = "WRONG" if n_wrong else "unchecked" if left_out > len(compared) or not compared else "right"
    return Row(name, by, kinds["smooth"], kinds["kink"], kinds["jump"], kinds["skipped"], dict(reasons),
               kinds["at inf"], n_wrong, outcome.error, worst, outcome.by_backward, outcome.by_differences, verdict)


class Report(NamedTuple):
    """The result of `gradcheck`. Print it; ask `ok`; call `raise_if_failed` in tests."""

    rows: tuple
    n_outputs: int
    n_silent: int             # outputs that are inf: not in the loss
    note: str = ""            # how it was compared, if not as always

    @property
    def ok(self):
        """Whether some output fired, and every argument was compared and is right."""
        return self.n_silent < self.n_outputs and all(row.verdict == "right" for row in self.rows)

    def row(self, name, by="coordinates"):
        """Find the row of one argument."""
        return next(row for row in self.rows if (row.name, row.by) == (name, by))

    def to_dict(self):
        """Turn the report into what JSON can hold; inf and NaN become strings."""
        rows = [{**row._asdict(), "checked": row.checked} for row in self.rows]
        return plain({"ok": self.ok, "n_outputs": self.n_outputs, "n_silent": self.n_silent, "rows": rows, "note": self.note})

    def raise_if_failed(self):
        """Raise an AssertionError that holds the table, unless all is right."""
        if not self.ok:
            raise AssertionError(str(self))

    def __str__(self):
        header = ("argument", "by", "checked", "smooth", "kinks", "jumps", "skipped", "wrong", "max error", "at",
                  "verdict")
        cells = [(r.name, r.by, r.checked, r.smooth, r.kinks, r.jumps, r.skipped, r.n_wrong, r.max_error,
                  place(r.worst), r.verdict) for r in self.rows]
        lines = [f"gradcheck: {'backward agrees with forward' if self.ok else 'NOT PASSED'}", table(header, cells)]
        for r in self.rows:
            if r.n_wrong:
                where = place(r.worst) if r.by == "coordinates" else f", direction {r.worst[0]}"
                lines.append(f"{r.name}{where}: backward says {r.by_backward:.9g}, differences say {r.by_differences:.9g}")
            lines += [f"{r.name}, {r.by}: {count} not compared: {reason}" for reason, count in r.reasons.items()]
            if r.at_inf and r.by == "coordinates":
                lines.append(f"{r.name}: at inf (no spike): {r.at_inf}; backward says exactly 0 there, as it must")
        if self.n_silent:
            lines.append(f"{self.n_silent} of {self.n_outputs} outputs are silent: they are not in the loss")
        lines += [self.note] if self.note else []
        return "\n".join(lines)


class _Point(NamedTuple):
    """The operating point: arguments, output and decisions of forward there, and the weights c of the loss <c, out>."""

    forward: object
    trace: object
    args: list
    out: np.ndarray
    decisions: list
    c: np.ndarray
    noise: np.ndarray    # size of the rounding error in each entry of out
    how: Precision = PRECISION[np.dtype(np.float64)]


class _Move(NamedTuple):
    """What one step away from the point does."""

    decisions: list
    same: bool           # the decisions are those of the point, and no output in the loss fell silent
    gain: np.ndarray     # change of the loss, by output; NaN if an output in the loss fell silent
    noise: float         # rounding error in the sum of gain


def spike_decisions(args, out, cache):
    """Give the discrete decisions of one layer of spike times: who is silent, and which inputs came before each output.

    They are sets: the order in which the inputs of a set arrive is no decision, so equal times are no kinks. A trace
    finer than needed costs time and nothing else. Operations of other shapes get silence alone.

    Parameters
    ----------
    args : sequence of arrays
        Arguments of forward; the first is z_in, (B, N_in).
    out : array
        Result of forward, z_out, (B, N_out).
    cache : object
        Not used.

    Returns
    -------
    tuple of bool arrays
        Silence, shaped like out, and the causal sets (B, N_in, N_out).
    """
    fired = np.isfinite(out)
    z_in = args[0]
    if not (z_in.ndim == out.ndim == 2 and len(z_in) == len(out)):
        return (~fired,)
    return ~fired, (z_in[:, :, None] < out[:, None, :]) & fired[:, None, :]


def gradcheck(forward, backward, args, trace=None, names=None, n=200, rng=None):
    """Check backward against differences of forward, in every argument.

    The loss is <c, out> with random c over the finite entries of out. Each argument is checked coordinate by coordinate
    and along random directions.

    Parameters
    ----------
    forward : callable
        ``forward(*args)`` returns out, or (out, cache); out is an array or a float.
    backward : callable
        ``backward(dout, cache)`` returns one gradient per argument (for a single argument the bare gradient will do).
        If forward returns no cache, the tuple of arguments takes its place.
    args : sequence of float64 arrays
        Where to check. Entries may be inf (no spike); their gradient must be exactly 0.
    trace : callable, optional
        ``trace(args, out, cache)`` returns the discrete decisions, one or more arrays; default `spike_decisions`.
    names : sequence of str, optional
        Names of the arguments; default: those in the signature of forward.
    n : int or None
        How many coordinates to check in each argument, drawn at random; None: all.
    rng : numpy.random.Generator, optional
        Default: a generator seeded with 0.

    Returns
    -------
    Report
        What was checked, what was skipped and why, and whether backward is right.

    Raises
    ------
    TypeError
        For arguments other than float64, outputs and gradients other than float64 and float32.
    ValueError
        For NaN, gradients that do not fit the arguments, or arguments changed in place.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    names = _names(forward, len(args)) if names is None else list(names)
    args = [_float64(x, name) for x, name in zip(args, names, strict=True)]
    before = [x.copy() for x in args]
    point, cache = _operating_point(forward, trace or spike_decisions, args, rng)
    grads = _gradients(backward(point.c.copy()[()], cache), args, names)
    _unchanged(args, before, names)
    if any(grad.dtype == np.float32 for grad in grads):
        point = point._replace(how=point.how._replace(rtol=PRECISION[np.dtype(np.float32)].rtol))
    grads = [grad.astype(np.float64) for grad in grads]
    rows, found = [], []
    for k, (x, grad, name) in enumerate(zip(args, grads, names, strict=True)):
        chosen = np.arange(x.size) if n is None or x.size <= n else np.sort(rng.choice(x.size, n, replace=False))
        where = [tuple(int(i) for i in np.unravel_index(flat, x.shape)) for flat in chosen]
        size = _scale(x)
        along = [_direction(point, k, grad, size, rng) for _ in range(DIRECTIONS if np.isfinite(x).any() else 0)]
        found += [(name, "coordinates", where, [_coordinate(point, k, grad, size, at) for at in where]),
                  (name, "directions", [(i,) for i in range(len(along))], along)]
    every = [o for *_, outcomes in found for o in outcomes if o.kind != "at inf"]
    steps = any(not o.moved and o.by_backward for o in every) and sum(o.moved for o in every) < STILL * len(every)
    for name, by, where, outcomes in found:
        outcomes = [Outcome("skipped", reason=CONSTANT) if steps and o.kind != "at inf" else o for o in outcomes]
        rows.append(_summarise(name, by, where, outcomes, point.how.rtol))
    note = f"float32: compared to {point.how.rtol:g}" if point.how.rtol != RTOL else ""
    return Report(tuple(rows), n_outputs=point.out.size, n_silent=int(np.isinf(point.out).sum()), note=note)


def _run(forward, trace, args):
    """Run forward, and list its decisions."""
    result = forward(*args)
    out, cache = result if isinstance(result, tuple) and len(result) == 2 else (result, tuple(args))
    out = np.asarray(out)
    if out.dtype not in PRECISION:
        raise TypeError(f"forward: expected float64 out of float64, got {_checks.describe(out)}")
    if np.isnan(out).any():
        raise ValueError(f"forward: got NaN among {_checks.describe(out)}")
    decisions = trace(args, out, cache)
    return out, [np.asarray(x) for x in (decisions if isinstance(decisions, (tuple, list)) else [decisions])], cache


def _operating_point(forward, trace, args, rng):
    """Describe the operating point: decisions, weights of the loss, rounding error of every output."""
    out, decisions, cache = _run(forward, trace, args)
    how, out = PRECISION[_precision(forward, args, out)], out.astype(np.float64)
    fired = np.isfinite(out)
    size = np.where(fired, np.abs(out), 0)
    c = np.where(fired, rng.choice([-1.0, 1.0], out.shape) * rng.uniform(0.5, 1.5, out.shape) / (1 + size), 0)
    eps, noise = how.eps, how.eps * size
    for _ in range(8):                       # round all arguments anew, and see how far out moves
        rounded = [x * (1 + eps * rng.integers(-1, 2, x.shape)) for x in args]
        other, others, _ = _run(forward, trace, rounded)
        if _equal(others, decisions) and np.isfinite(other[fired]).all():
            noise = np.maximum(noise, np.abs(np.subtract(other, out, out=np.zeros_like(size), where=fired)))
    return _Point(forward, trace, args, out, decisions, np.asarray(c), np.asarray(noise), how), cache


def _precision(forward, args, out):
    """Say which dtype the numbers of forward have: float32 also where all that comes out next to the point has no more digits."""
    if out.dtype != np.float64 or (out != out.astype(np.float32)).any():
        return out.dtype
    result = forward(*(x * (1 + 1e-9 * np.cos(np.arange(x.size).reshape(x.shape))) for x in args))
    near = np.asarray(result[0] if isinstance(result, tuple) else result)
    near = near[np.isfinite(near)]
    short = (1024 * near % 1 == 0).all()                     # spikes, and other numbers of few digits
    return np.dtype(np.float32 if not short and (near == near.astype(np.float32)).all() else np.float64)


def _equal(decisions, others):
    return len(decisions) == len(others) and all(np.array_equal(a, b) for a, b in zip(decisions, others, strict=True))


def _move(point, k, step):
    """Take one step in argument k."""
    args = list(point.args)
    args[k] = args[k] + step
    out, decisions, _ = _run(point.forward, point.trace, args)
    out = out.astype(np.float64, copy=False)
    used = point.c != 0
    alive = np.isfinite(out[used]).all()
    moved = out[used] - point.out[used] if alive else np.full(used.sum(), np.nan)
    changed = moved != 0 if moved.any() else True            # if nothing moved, the change may be too small to be seen
    noise = np.abs(point.c[used]) * np.where(changed, point.noise[used], 0)
    same = bool(alive) and _equal(decisions, point.decisions)
    return _Move(decisions, same, point.c[used] * moved, float(noise.sum()))


def _scale(x):
    """Give every entry a step of about its own size, or the mean size where it is smaller; a power of two; 0 at inf."""
    finite = np.isfinite(x)
    size = np.where(finite, np.abs(x), 0)
    scale = np.maximum(size, size.sum() / max(finite.sum(), 1) or 1.0)
    if (x > 0).all():
        scale = np.minimum(scale, 2.0 ** 18 * size)       # times and z stay positive
    return np.where(finite, np.exp2(np.floor(np.log2(np.where(finite, scale, 1.0)))), 0)


def _coordinate(point, k, grad, size, at):
    """Check one coordinate of argument k, by steps of this size."""
    if np.isinf(point.args[k][at]):
        return Outcome("at inf") if grad[at] == 0 else Outcome("smooth", np.inf, float(grad[at]), 0.0)
    step = np.zeros_like(point.args[k])
    step[at] = size[at]
    outcome = _differences(point, k, step, float(grad[at] * step[at]))
    return outcome.scaled(1 / step[at])


def _direction(point, k, grad, size, rng):
    """Check one random direction in argument k, by steps of this size."""
    step = size * rng.choice([-1.0, 1.0], size.shape) * 2.0 ** rng.integers(-2, 1, size.shape)
    moves = step != 0
    return _differences(point, k, step, float(grad[moves] @ step[moves]))


def _differences(point, k, step, slope):
    """Compare the slope along a step with central differences, as far as the decisions allow."""
    disagreed, moved = [], False
    for h in point.how.steps:
        plus, minus = _move(point, k, h * step), _move(point, k, -h * step)
        if not (plus.same and minus.same):
            continue
        moved = moved or bool(plus.gain.any() or minus.gain.any())
        quotient = float((plus.gain - minus.gain).sum()) / (2 * h)
        outcome = _score(slope, quotient, quotient, ROUNDING * (plus.noise + minus.noise) / (2 * h), point.how)._replace(moved=moved)
        if disagreed:
            before = disagreed[-1]
            if abs(quotient - before.by_differences) <= 0.5 * abs(slope - before.by_differences):
                return before                # quotients have settled, and elsewhere
        if slope == quotient == 0 and not (plus.gain.any() or minus.gain.any()) and _lost_in_rounding(point, k, step):
            return Outcome("skipped", reason=BLINDED)
        if outcome.error <= point.how.rtol or outcome.error == np.inf:
            return outcome
        disagreed.append(outcome)
    if not disagreed:
        return _one_sided(point, k, step, slope)
    return disagreed[0] if len(disagreed) == 1 else Outcome("skipped", reason=UNSETTLED)


def _lost_in_rounding(point, k, step):
    """Say whether the output stayed the same only because the step is lost in rounding: a far longer step changes it."""
    plus, minus = _move(point, k, LONG * step), _move(point, k, -LONG * step)
    return plus.same and minus.same and abs((plus.gain - minus.gain).sum()) > ROUNDING * (plus.noise + minus.noise)


def _score(slope, low, high, floor, how):
    """Require that the slope lies between two one-sided derivatives (smooth: they are equal), up to rounding."""
    size = max(abs(slope), abs(low), abs(high))
    tolerance = max(how.rtol * size, floor)
    kind = "kink" if high - low > tolerance else "smooth"
    if not np.isfinite(slope):
        return Outcome(kind, np.inf, slope, low)
    if floor > how.blind * size > 0:
        return Outcome("skipped", reason=BLINDED)
    nearest = min(max(slope, low), high)
    return Outcome(kind, how.rtol * (abs(slope - nearest) / tolerance) if slope != nearest else 0.0, slope, nearest)


def _one_sided(point, k, step, slope):
    """Check a place where decisions change however small the step: a kink or a jump."""
    right, left = _side(point, k, step), _side(point, k, -step)
    for reason in (right.reason, left.reason):
        if reason:
            return Outcome("jump" if reason in (FALLS_SILENT, JUMPS) else "skipped", reason=reason)
    low = np.minimum(right.slope, -left.slope).sum()         # by output, since each has kinks of its own
    high = np.maximum(right.slope, -left.slope).sum()
    return _score(slope, float(low), float(high), right.floor + left.floor, point.how)


class _Side(NamedTuple):
    """A one-sided derivative, or the reason why there is none."""

    slope: np.ndarray | None = None     # by output
    floor: float = 0.0
    reason: str = ""


def _side(point, k, step):
    """Extrapolate the one-sided quotients along a step to step 0."""
    reason = CHANGING
    for h in point.how.steps:
        far, mid, near = (_move(point, k, h / m * step) for m in (1, 2, 4))
        if not np.isfinite(far.gain + mid.gain + near.gain).all():
            reason = FALLS_SILENT
            continue
        if not (_equal(far.decisions, mid.decisions) and _equal(mid.decisions, near.decisions)):
            reason = CHANGING
            continue
        coarse, fine = (4 * mid.gain - far.gain) / h, (8 * near.gain - 2 * mid.gain) / h
        floor = ROUNDING * 10 * near.noise / h
        miss = float(np.abs(coarse - fine).sum())
        if miss <= max(1e-5 * float(np.abs(fine).sum()), floor):
            return _Side(fine, floor + miss)
        shrinks = np.abs(near.gain) <= np.maximum(0.5 * np.abs(far.gain), 100 * ROUNDING * near.noise)
        reason = UNSETTLED if shrinks.all() else JUMPS
    return _Side(reason=reason)


def _names(forward, n_args):
    """Take the names of the arguments from the signature, if it has any."""
    try:
        parameters = inspect.signature(forward).parameters.values()
    except (TypeError, ValueError):
        parameters = []
    named = []
    for p in parameters:
        named += [f"{p.name}[{i}]" for i in range(n_args)] if p.kind is p.VAR_POSITIONAL else [p.name]
    return named[:n_args] if len(named) >= n_args else [f"argument {i}" for i in range(n_args)]


def _float64(x, name):
    """Return the array; refuse all but float64 without NaN."""
    if isinstance(x, np.ndarray) and x.dtype == np.float32:
        raise TypeError(f"{name}: gradcheck needs float64, since differences drown in the rounding of float32; "
                        f"got {_checks.describe(x)}. Pass {name}.astype(numpy.float64)")
    x = _checks.array(x, name)
    if np.isnan(x).any():
        raise ValueError(f"{name}: expected numbers or inf, got NaN among {_checks.describe(x)}")
    return x


def _gradients(grads, args, arg_names):
    """Return the gradients; refuse those that do not fit the arguments."""
    grads = list(grads) if isinstance(grads, (tuple, list)) else [grads]
    if len(grads) != len(args):
        raise ValueError(f"backward: expected {len(args)} gradients ({', '.join(arg_names)}), got {len(grads)}")
    for x, grad, name in zip(args, grads, arg_names, strict=True):
        if np.shape(grad) != x.shape:
            raise ValueError(f"gradient of {name}: expected shape {x.shape}, got {_checks.describe(grad)}")
        if np.asarray(grad).dtype not in PRECISION:
            raise TypeError(f"gradient of {name}: expected float64 like {name}, got {_checks.describe(grad)}")
    return [np.asarray(grad) for grad in grads]


def _unchanged(args, before, arg_names):
    """Refuse a forward or backward that works in place on its arguments."""
    for x, old, name in zip(args, before, arg_names, strict=True):
        if not np.array_equal(x, old):
            raise ValueError(f"{name}: expected forward and backward to leave their arguments alone; it was changed")
