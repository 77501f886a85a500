"""What every operation promises, whatever it computes.

    arguments   forward and backward leave their arguments, the cache and earlier results alone, and take arrays as they lie in memory
    calls       a cache can be used twice; one call knows nothing of another
    samples     a sample gives alone what it gives in its batch
    scale       backward is linear: a larger gradient comes out as much larger
"""

from typing import NamedTuple

import numpy as np

from ...foreign import NoAnswer, copies, one_line, same
from ..witness.relu import Statements
from ._recorder import SINGLE, relative

SAME = 1e-9
FACTORS = (-1.0, 2.0 ** -20, 2.0 ** 10, 2.0 ** 20)          # exact: nothing rounds
SAMPLES = {"current": 1, "v_init": 0, "spikes": 1, "v_final": 0, "dv_final": 0, "dv": 1, "z_in": 0, "z_out": 0, "t_in": 0, "t_out": 0,
           "x": 0, "y": 0, "v_max": 0}
"""The axis of the samples, of all arrays that have one."""


class Call(NamedTuple):
    """Where to check."""

    words: str
    args: tuple              # of forward
    options: tuple = ()      # of backward; arrays among them are gradients that come in
    mixed: bool = False      # whether samples see each other


class _Result(NamedTuple):
    """What one run of forward and backward gave, and what it did to what it was given."""

    outputs: list
    grads: list
    cache: object
    changed: list            # in words


def check(op, record, call, recorder):
    """Check all promises at one call.

    Parameters
    ----------
    op : Pair
        Under test.
    record : pysnn.operations.Operation
        Names of arguments, outputs and options.
    call : Call
        Where.
    recorder : Recorder
        Takes an entry for each promise.
    """
    limit = SINGLE if recorder.single else SAME
    first = _run(op, record, call, _upstream(op, call, np.random.default_rng(7)))
    upstream = _upstream(op, call, np.random.default_rng(7))
    lines = {"arguments": [(f"{words}, which it must leave alone", False) for words in first.changed] or [("", True)]}

    def again(words, action):
        try:
            got = action()
        except NoAnswer:
            raise
        except Exception as error:
            return [(f"{words} ({one_line(error)})", False)]
        return [(words, bool(got))]
    lines["calls"] = [line for words, action in _calls(op, record, call, (first, upstream, limit)) for line in again(words, action)]
    refused = []
    lines["memory"] = _memory(op, record, call, (first, upstream, limit), refused)
    lines["scale"] = [line for factor in FACTORS for line in again(
        f"backward is linear: {factor:g} times the gradient that comes in gives {factor:g} times what goes out",
        lambda factor=factor: _close(_scaled(op, call, upstream, factor), [factor * g for g in first.grads], limit))]
    if not call.mixed:
        lines["samples"] = again("a sample gives alone what it gives in its batch",
                                 lambda: _alone(op, record, call, (first, upstream, 10 * limit)))
    for promise, statements in lines.items():
        recorder.statements(Statements(tuple(statements)), f"{promise}, {call.words}")
        if promise == "memory" and refused:
            recorder.entries[-1] = recorder.entries[-1]._replace(skipped=len(refused), note="; ".join(
                x for x in (recorder.entries[-1].note, *(f"not compared: {words}" for words in refused)) if x))


def _memory(op, record, call, known, refused):
    """Give arrays that lie in memory in other ways: the results are the same. An error is no wrong result; it is added to `refused`."""
    first, upstream, limit = known
    lines = []
    for words, lie in LAYOUTS.items():
        try:
            lines.append((f"gives the same for arrays {words}", _alike(_run(op, record, call._replace(args=lie(call.args)), upstream, lie),
                                                                       first, limit)))
        except NoAnswer:
            raise
        except Exception as error:
            refused.append(f"arrays {words} ({one_line(error)})")
    return lines


def _listed(grads):
    return [g for g in (grads if isinstance(grads, (tuple, list)) else (grads,)) if g is not None]


def _upstream(op, call, rng):
    """Draw the gradient of the first output; where that is inf, one that must not matter."""
    y = np.asarray(op.forward(*call.args)[0])
    return np.where(np.isfinite(y), rng.normal(size=y.shape), 7.0)


def _run(op, record, call, upstream, lie=tuple):
    """Run forward and backward; note what they change."""
    named = {name: x for name, x in zip(record.arguments, call.args, strict=False) if isinstance(x, np.ndarray)}
    before = copies(named)
    *outputs, cache = op.forward(*call.args)
    changed = [f"forward changes its argument {name}" for name, x in named.items() if not same(x, before[name])]
    given = dict(zip([f"its argument d{record.outputs[0]}", *(f"its argument {name}" for name in record.options)],
                     lie((upstream.copy(), *call.options)), strict=True))
    held = {**{k: x for k, x in given.items() if isinstance(x, np.ndarray)}, "its cache": cache}
    held |= {f"the {name} that forward returned": y for name, y in zip(record.outputs, outputs, strict=True)}
    held |= {f"the argument {name} of forward": x for name, x in named.items() if same(x, before[name])}
    kept = {name: copies(x) for name, x in held.items()}
    grads = _listed(op.backward(given.pop(next(iter(given))), cache, *given.values()))
    changed += [f"backward changes {name}" for name, x in held.items() if not same(copies(x), kept[name])]
    return _Result([np.asarray(y) for y in outputs], [np.asarray(g) for g in grads], cache, changed)


def _close(got, wanted, limit):
    return len(got) == len(wanted) and all(np.shape(a) == np.shape(b) and (relative(a, b) <= limit).all()
                                           for a, b in zip(got, wanted, strict=True))


def _alike(got, wanted, limit):
    return _close([*got.outputs, *got.grads], [*wanted.outputs, *wanted.grads], limit)


def _calls(op, record, call, known):
    """List what later calls must not change, in words, and how to see it."""
    first, upstream, limit = known
    kept = first._replace(outputs=copies(first.outputs), grads=copies(first.grads))
    other = call._replace(args=(call.args[0] / 2, *call.args[1:]))

    def backward():
        return _listed(op.backward(upstream.copy(), first.cache, *call.options))
    return (("a second backward on one cache gives the same", lambda: _close(backward(), kept.grads, limit)),
            ("a call leaves the results of the one before as they were",
             lambda: _run(op, record, other, upstream) and all(map(same, [*first.outputs, *first.grads], [*kept.outputs, *kept.grads]))),
            ("the cache of a call holds after the next call", lambda: _close(backward(), kept.grads, limit)),
            ("a call gives the same again, whatever was called before", lambda: _alike(_run(op, record, call, upstream), kept, limit)))


def _scaled(op, call, upstream, factor):
    """Run backward with larger gradients."""
    options = [factor * x if isinstance(x, np.ndarray) else x for x in call.options]
    return _listed(op.backward(factor * upstream, op.forward(*call.args)[-1], *options))


def _alone(op, record, call, known):
    """Run the samples one by one; gradients of what they share add up."""
    first, upstream, limit = known

    def sample(name, x, b):
        axis = SAMPLES.get(name)
        return np.take(x, [b], axis) if axis is not None and isinstance(x, np.ndarray) and x.ndim > axis else x
    n = call.args[0].shape[SAMPLES[record.arguments[0]]]
    runs = []
    for b in range(n):
        one = call._replace(args=tuple(sample(name, x, b) for name, x in zip(record.arguments, call.args, strict=False)),
                            options=tuple(sample(name, x, b) for name, x in zip(record.options, call.options, strict=False)))
        runs.append(_run(op, record, one, sample(record.outputs[0], upstream, b)))
    names = [name for name in record.gradients if record.arguments.index(name) < len(call.args)
             and call.args[record.arguments.index(name)] is not None]

    def together(name, parts):
        return np.concatenate(parts, SAMPLES[name]) if name in SAMPLES else np.sum(parts, axis=0)
    outputs = [together(name, [run.outputs[k] for run in runs]) for k, name in enumerate(record.outputs)]
    grads = [together(name, [run.grads[k] for run in runs]) for k, name in enumerate(names[:len(first.grads)])]
    return _close([*outputs, *grads], [*first.outputs, *first.grads], limit)


def _each(change):
    return lambda values: tuple(change(x) if isinstance(x, np.ndarray) else x for x in values)


def _spread(x):
    wide = np.full((*x.shape, 2), np.nan)
    wide[..., 0] = x
    return wide[..., 0]


def _read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


LAYOUTS = {"in Fortran order": _each(np.asfortranarray), "that are views of others": _each(_spread),
           "that are read-only": _each(_read_only)}
