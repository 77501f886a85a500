"""Any neuron by its own step: one function that a user writes is the truth for spikes and for the gradient of every argument.

    step(state, x, spike, stop, params) -> (new_state, y)

`state` is a dict of arrays (B, n), `x` the input (B, n) of one step, `params` a dict of arrays and numbers, `y` the output (B, n). The
step calls `spike(v)` for 1 where v >= 0 (or v > 0), with the surrogate for its derivative, and `stop(v)` for v as a constant.

    truth                 outputs, and the exact gradient of <dy, y> in the current, the first states and all parameters
    frozen_offset_check   that gradient against differences of the net whose ordinary gradient it is
    along                 outputs and their derivative along one direction, for cases too large for `truth`

`truth` takes the Jacobian of each single step by dual numbers, direction by direction, and multiplies the transposes from the last step to
the first. The differences share the step with it, and no rule of differentiation.
"""

import functools
from typing import NamedTuple

import numpy as np

from ...conventions import Surrogate
from ..gradcheck import gradcheck
from . import surrogates
from .duals import DualArray

BLOCK = 2 ** 17          # numbers in the tangents of one array: so many directions are followed at once
MISS = 1e-9              # relative: the values of the step are the same with derivatives and without


class Step(NamedTuple):
    """One step of a neuron, as `define` makes it from what a user wrote."""

    function: object               # step(state, x, spike, stop, params) -> (new_state, y)
    params: dict                   # name -> float64 array; () for a number
    start: dict                    # name -> float64 array, () or (n,): the states before the first step
    surrogate: object              # a Surrogate, a Shape, or a callable of v that gives the derivative of a spike
    fire: str                      # ">=" or ">"
    n: int | None                  # how many neurons; None: any number


class Outputs(NamedTuple):
    """What a run gives."""

    y: np.ndarray                  # (T, B, n)
    rate: float                    # share of the spikes that are 1; NaN if something is not finite, or nothing can spike
    margin: float                  # the smallest |v| of all spike(v), over the largest if that is above 1; inf without a spike
    last: np.ndarray               # v of the last spike(v) of the first step; (0,) without a spike


class Truth(NamedTuple):
    """Outputs of a step, and the gradient of <dy, y>."""

    y: np.ndarray                  # (T, B, n)
    gradients: dict                # "current", then states, then parameters -> array in the shape of the argument
    sizes: dict                    # the same names -> what the terms of each sum add up to without their signs: rounding is in units of it


def define(function, params=None, start=None, surrogate=Surrogate("atan", 2.0), fire=">=", n=None):
    """Make a `Step`, and try it.

    Parameters
    ----------
    function : callable
        The step.
    params : dict, optional
        Name -> number or array; default: none.
    start : dict, optional
        Name of a state -> number or (n,) array; default: {"v": 0.0}.
    surrogate : Surrogate, tuple or callable
        Kind and slope; or a function of v that gives the derivative.
    fire : {">=", ">"}
        Whether a spike needs v >= 0 or v > 0.
    n : int, optional
        How many neurons; default: as many as the last axis of the parameters says, else any number.

    Returns
    -------
    Step
        One that returned what it should on a small input.

    Raises
    ------
    ValueError, TypeError
        If a part is not as described, or the step returns no number, another shape or not all states, writes into its arguments, or gives
        other results when it is called again.
    """
    if not callable(function):
        raise TypeError(f"step: expected a function step(state, x, spike, stop, params), got {type(function).__name__}")
    params = {name: _numbers(x, f"PARAMS: {name}") for name, x in _dict(params, "PARAMS", {}).items()}
    start = {name: _numbers(x, f"STATE: {name}") for name, x in _dict(start, "STATE", {"v": 0.0}).items()}
    names = ["current", *start, *params]
    if len(set(names)) < len(names):
        raise ValueError(f"PARAMS, STATE: expected different names, and not 'current', got {', '.join(names[1:])}")
    if fire not in (">=", ">"):
        raise ValueError(f"FIRE: expected '>=' or '>', got {fire!r}")
    last = {x.shape[-1] for x in (*params.values(), *start.values()) if x.ndim}
    if n is None and len(last) > 1:
        raise ValueError(f"N: expected the number of neurons, since the last axes of PARAMS and STATE differ: {sorted(last)}")
    n = n if n is not None else last.pop() if last else None
    if n is not None and (not isinstance(n, int) or n < 1):
        raise ValueError(f"N: expected a number of neurons, got {n!r}")
    bad = next((name for name, x in start.items() if x.shape not in ((), (n,))), None)
    if bad:
        raise ValueError(f"STATE: {bad}: expected a number, or one for each neuron, got shape {start[bad].shape}")
    slope_and_rise(surrogate)
    step = Step(function, params, start, surrogate, fire, n)
    first, again = (outputs(step, np.linspace(-0.5, 1.5, 4 * (n or 3)).reshape(2, 2, n or 3)) for _ in range(2))
    if not np.isfinite(first.y).all():
        raise ValueError("step: expected finite numbers, got inf or NaN for inputs between -0.5 and 1.5")
    if not np.array_equal(first.y, again.y):
        raise ValueError("step: gives other results when it is called again: expected that all it remembers is in its state")
    return step


def read(module, name="step"):
    """Make a `Step` from what a file defines: the function, and PARAMS, STATE, SURROGATE, FIRE, N as it has them.

    Parameters
    ----------
    module : module or namespace
        The file, run.
    name : str
        Of the function.

    Returns
    -------
    Step
        As of `define`.

    Raises
    ------
    ValueError, TypeError
        As of `define`, or if there is no such function.
    """
    if not callable(getattr(module, name, None)):
        raise ValueError(f"expected a function {name!r}: step(state, x, spike, stop, params) -> (new_state, y)")
    parts = {key: getattr(module, word) for key, word in (("params", "PARAMS"), ("start", "STATE"), ("surrogate", "SURROGATE"),
                                                         ("fire", "FIRE"), ("n", "N")) if hasattr(module, word)}
    return define(getattr(module, name), **parts)


def slope_and_rise(surrogate):
    """Return how a surrogate is used here: its value, and the soft step that has it for a derivative.

    Parameters
    ----------
    surrogate : Surrogate, tuple or callable
        As for `define`.

    Returns
    -------
    slope : callable
        ``slope(v)``, an array like v.
    rise : callable
        ``rise(v, held)``: how much the soft step rises from `held` to v; of a callable by quadrature.

    Raises
    ------
    ValueError
        If it is neither.
    """
    surrogate = surrogates.of(surrogate, "SURROGATE")
    if callable(surrogate):
        tried = np.asarray(surrogate(np.array([[-0.5, 0.25]])), float)
        if tried.shape not in ((), (1, 2)) or not np.isfinite(tried).all():
            raise ValueError(f"SURROGATE: expected a function of v that gives finite numbers like v, got {tried.shape} for (1, 2)")

    def rise(v, held):
        return surrogates.soft_step(v, surrogate, held) - surrogates.soft_step(held, surrogate, held)
    return lambda v: surrogates.derivative(v, surrogate), rise


def outputs(step, current, params=None, start=None):
    """Run all steps.

    Parameters
    ----------
    step : Step
        From `define` or `read`.
    current : (T, B, n) array
        What goes in.
    params, start : dict, optional
        In place of those of the step, in full or in part; states (B, n).

    Returns
    -------
    Outputs
        Of the real neuron.

    Raises
    ------
    ValueError, TypeError
        If the step returns other things than it should, or writes into its arguments.
    """
    return _walked(step, *_arguments(step, current, params, start))[0]


def truth(step, current, params=None, start=None, dy=None):
    """Run all steps, and pull <dy, y> back to every argument.

    Parameters
    ----------
    step, current, params, start : Step, array, dict, dict
        As for `outputs`.
    dy : (T, B, n) array, optional
        Gradient of the outputs; default: all 1.

    Returns
    -------
    Truth
        Outputs and gradients, exact but for rounding.

    Raises
    ------
    ValueError, TypeError
        As of `outputs`; if numbers are not finite, a function has no rule for derivatives, or the values change where derivatives are
        taken.
    """
    current, params, start = _arguments(step, current, params, start)
    dy = np.ones_like(current) if dy is None else np.asarray(dy, np.float64)
    ran, states = _walked(step, current, params, start)
    if not np.isfinite(ran.y).all():
        raise ValueError("step: expected finite numbers, got inf or NaN")
    grads = {"current": np.zeros_like(current), **{name: np.zeros_like(x) for name, x in (*start.items(), *params.items())}}
    sizes, down = {name: np.zeros_like(x) for name, x in grads.items()}, {name: np.zeros_like(x) for name, x in start.items()}
    for t in reversed(range(len(current))):
        kept = states[t + 1], ran.y[t]
        pulled = _pulled(step, (states[t], current[t], params), kept, (down, dy[t]))
        down = {name: pulled[name][0] for name in start}
        for name, (grad, size) in pulled.items():
            at = t if name == "current" else ...
            grads[name][at] = grad if name not in params else grads[name] + grad
            sizes[name][at] = size if name not in params else sizes[name] + size
    bad = next((name for name, x in grads.items() if not np.isfinite(x).all()), None)
    if bad:
        raise ValueError(f"step: expected finite derivatives, got inf or NaN in that of {bad}")
    return Truth(ran.y, grads, sizes)


def along(step, current, params, start, moves):
    """Run all steps, and follow one direction forward.

    Parameters
    ----------
    step, current, params, start : Step, array, dict, dict
        As for `outputs`.
    moves : dict
        Name of an argument -> how it moves, in its shape; others do not move.

    Returns
    -------
    y, dots : (T, B, n) arrays
        Outputs, and their derivative along the direction.

    Raises
    ------
    ValueError, TypeError
        As of `truth`.
    """
    current, params, start = _arguments(step, current, params, start)

    def moving(name, x, move):
        return DualArray(x, None if name not in moves else np.asarray(move, np.float64)[None])
    held = {name: moving(name, x, moves.get(name)) for name, x in params.items()}
    state, ys = {name: moving(name, x, moves.get(name)) for name, x in start.items()}, []
    for t, x in enumerate(current):
        state, y = _one(step, state, moving("current", x, moves.get("current", current)[t]), _with_derivative(step), held)
        ys.append(DualArray(y) if not isinstance(y, DualArray) else y)
    dots = [np.zeros_like(y.value) if y.tangents is None else y.tangents[0] for y in ys]
    return np.stack([y.value for y in ys]), np.stack(dots)


def frozen_offset_check(step, current, params=None, start=None, n=6, rng=None):
    """Compare the gradient of `truth` with differences, in every argument, of a net that it is the ordinary gradient of.

    That net has at the operating point the numbers of the real one. Away from it each spike moves by what the soft step moves, and what
    goes through `stop` stays as it was there. The loss is a random product with the outputs.

    Parameters
    ----------
    step, current, params, start : Step, array, dict, dict
        As for `outputs`.
    n : int or None
        How many coordinates to check in each argument, drawn at random; None: all.
    rng : numpy.random.Generator, optional
        For the loss and the coordinates; default: seeded with 0.

    Returns
    -------
    Report
        As of `gradcheck`, with a row for each argument.

    Raises
    ------
    ValueError, TypeError
        As of `truth`, or if the step calls spike or stop another number of times when its arguments move.
    """
    current, params, start = _arguments(step, current, params, start)
    names, kept = ["current", *start, *params], {"spike": [], "stop": []}
    shapes = [x.shape for x in (current, *start.values(), *params.values())]

    def keep_spike(v):
        kept["spike"].append((np.array(v, float), _fires(step, v)))
        return kept["spike"][-1][1]

    def keep_stop(v):
        kept["stop"].append(np.array(v, float))
        return kept["stop"][-1]
    _walk(step, (current, params, start), (keep_spike, keep_stop))
    rise = slope_and_rise(step.surrogate)[1]

    def forward(*args):
        calls, values = {name: iter(x) for name, x in kept.items()}, [x.reshape(shape) for x, shape in zip(args, shapes, strict=True)]

        def spike(v):
            held, s = _next(calls["spike"])
            return s + rise(v, held)
        of = dict(zip(names, values, strict=True))
        given = (of["current"], {name: of[name] for name in params}, {name: of[name] for name in start})
        y = np.stack(_walk(step, given, (spike, lambda v: _next(calls["stop"])))[0])
        if any(next(calls[name], None) is not None for name in calls):
            raise ValueError(CALLS)
        return y

    def backward(dout, args):
        grads = truth(step, current, params, start, dout).gradients
        return tuple(grads[name].reshape(x.shape) for name, x in zip(names, args, strict=True))
    args = [np.array(x, ndmin=1) for x in (current, *start.values(), *params.values())]
    smooth = np.zeros(0)                   # nothing discrete is left that could change
    return gradcheck(forward, backward, args, trace=lambda *_: smooth, names=names, n=n, rng=rng)


CALLS = "step: calls spike or stop another number of times when its arguments move: expected the same calls for all numbers"


def _next(calls):
    try:
        return next(calls)
    except StopIteration:
        raise ValueError(CALLS) from None


def _numbers(x, name):
    """Return a parameter or a first state as an array."""
    try:
        x = np.array(x, np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: expected a number, or a list of numbers, got {x!r:.80}") from None
    if not np.isfinite(x).all():
        raise ValueError(f"{name}: expected finite numbers")
    return x


def _dict(x, name, default):
    if x is None:
        return default
    if not isinstance(x, dict) or not all(isinstance(key, str) for key in x) or (name == "STATE" and not x):
        raise ValueError(f"{name}: expected a dict of names and numbers, got {x!r:.80}")
    return x


def _arguments(step, current, params, start):
    """Complete the arguments of a run."""
    current = np.asarray(current, np.float64)
    if current.ndim != 3 or (step.n is not None and current.shape[2] != step.n):
        raise ValueError(f"current: expected shape (T, B, {step.n or 'n'}), got {current.shape}")
    params = {name: np.asarray((params or {}).get(name, x), np.float64) for name, x in step.params.items()}
    start = {name: np.array(np.broadcast_to((start or {}).get(name, x), current.shape[1:]), np.float64) for name, x in step.start.items()}
    return current, params, start


def _fires(step, v):
    v = np.asarray(v, np.float64)
    return (v >= 0 if step.fire == ">=" else v > 0) * 1.0


def _one(step, state, x, how, params):
    """Take one step, and see that it returns what it should."""
    try:
        result = step.function(dict(state), x, *how, dict(params))
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        words = "step: writes into its arguments: write v = v + x in place of v += x"
        raise ValueError(words).with_traceback(error.__traceback__) from None
    if not isinstance(result, tuple) or len(result) != 2 or not isinstance(result[0], dict):
        raise ValueError(f"step: expected (new_state, y) with a dict of states, got {type(result).__name__}")
    new, y = result
    if set(new) != set(state):
        missing, more = sorted(set(state) - set(new)), sorted(set(new) - set(state))
        got = f"none called {missing[0]}" if missing else f"also {more[0]}"
        raise ValueError(f"step: expected the states {', '.join(state)}, got {got}")
    new = {name: new[name] if isinstance(new[name], DualArray) else _plain(new[name], f"state {name}") for name in state}
    y = y if isinstance(y, DualArray) else _plain(y, "y")
    for name, value in (("y", y), *((f"state {name}", value) for name, value in new.items())):
        if value.shape != x.shape:
            raise ValueError(f"step: expected {name} in the shape {x.shape} of x, got {value.shape}")
    return new, y


def _plain(x, name):
    try:
        return np.array(x, np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"step: expected numbers for {name}, got {type(x).__name__}") from None


def _read_only(x):
    x = np.array(x)
    x.flags.writeable = False
    return x[()] if x.ndim == 0 else x


def _walk(step, args, how):
    """Run all steps on plain numbers that cannot be written to; return outputs and states, one a step."""
    current, params, start = args
    params, state = {name: _read_only(x) for name, x in params.items()}, start
    ys, states = [], [start]
    for x in current:
        state, y = _one(step, {name: _read_only(v) for name, v in state.items()}, _read_only(x), how, params)
        ys.append(y)
        states.append(state)
    return ys, states


def _walked(step, current, params, start):
    """Run the real neuron; return Outputs and states."""
    seen = []

    def spike(v):
        v = np.asarray(v, np.float64)
        seen.append(v)
        return _fires(step, v)
    ys, states = _walk(step, (current, params, start), (spike, lambda v: np.array(v, np.float64)))
    y, finite = np.stack(ys), all(np.isfinite(x).all() for x in (*ys, *(v for state in states for v in state.values()), *seen))
    potentials = np.concatenate([v.ravel() for v in seen]) if seen else np.empty(0)
    rate = float(_fires(step, potentials).mean()) if finite and seen else np.nan
    margin = float(np.abs(potentials).min() / max(1.0, np.abs(potentials).max())) if seen and finite else np.inf
    return Outputs(y, rate, margin, seen[max(len(seen) // len(current) - 1, 0)] if seen else np.empty(0)), states


def _with_derivative(step):
    """Return spike and stop for dual numbers."""
    slope = slope_and_rise(step.surrogate)[0]

    def spike(v):
        if not isinstance(v, DualArray) or v.tangents is None:
            return DualArray(_fires(step, v.value if isinstance(v, DualArray) else v))
        return DualArray(_fires(step, v.value), slope(v.value) * v.tangents)
    return spike, lambda v: DualArray(v.value if isinstance(v, DualArray) else v)


def _pulled(step, args, kept, down):
    """Multiply the gradients of new states and output by the transposed Jacobian of one step: {argument: (gradient, size of its terms)}."""
    state, x, params = args
    how, flat = _with_derivative(step), {**state, "current": x, **params}
    ends = dict(zip(flat, np.cumsum([v.size for v in flat.values()]).tolist(), strict=True))
    n_all, width = list(ends.values())[-1], max(1, BLOCK // x.size)
    grad, size = np.zeros(n_all), np.zeros(n_all)
    for begin in range(0, n_all, width):
        end = min(begin + width, n_all)
        given = {name: DualArray(v, _part_of_identity(v, (begin, end), ends[name] - v.size)) for name, v in flat.items()}
        new, y = _one(step, {name: given[name] for name in state}, given["current"], how, {name: given[name] for name in params})
        for got, was, d in ((y, kept[1], down[1]), *((new[name], kept[0][name], down[0][name]) for name in state)):
            _same(got, was)
            if isinstance(got, DualArray) and got.tangents is not None:
                terms = (got.tangents * d).reshape(end - begin, -1)
                grad[begin:end] += terms.sum(axis=1)
                size[begin:end] += np.abs(terms).sum(axis=1)
    return {name: tuple(all_of[ends[name] - v.size:ends[name]].reshape(v.shape) for all_of in (grad, size)) for name, v in flat.items()}


def _part_of_identity(x, block, first):
    """Return the tangents of an argument whose numbers begin at `first` among all, in a block of directions; None: it does not move."""
    begin, end = block
    low, high = max(begin, first), min(end, first + x.size)
    if low >= high:
        return None
    tangents = np.zeros((end - begin, x.size))
    tangents[np.arange(low, high) - begin, np.arange(low, high) - first] = 1
    return tangents.reshape(-1, *x.shape)


def _same(got, was):
    """See that taking derivatives changes no value."""
    value = got.value if isinstance(got, DualArray) else got
    if not (np.abs(value - was) <= MISS * (1 + np.abs(was))).all():
        raise ValueError("step: gives other numbers where derivatives are taken: expected ordinary NumPy, no x += y on what has two names")


@functools.cache
def _held(module, name):
    """Keep the step of a file."""
    return read(module, name)


def there(module, name, what, *args):
    """Answer for the step of a file that runs in another process, in plain data.

    Parameters
    ----------
    module : module
        The file.
    name : str
        Of the function.
    what : {"about", "outputs", "truth", "along", "frozen"}
        What is asked.
    *args : arrays, dicts
        Of the function of that name here.

    Returns
    -------
    list
        The fields of what it returns.
    """
    step = _held(module, name)
    if what == "about":
        return [step.params, step.start, step.n]
    if what == "frozen":
        report = frozen_offset_check(step, *args)
        return [[row._asdict() for row in report.rows], report.n_outputs, report.n_silent]
    return list({"outputs": outputs, "truth": truth, "along": along}[what](step, *args))
