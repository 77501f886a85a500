"""The checks of a layer against the step that says what it is: outputs, and the gradient of every argument, at many sizes.

The inputs are scaled until 0.2 to 0.8 of the spikes fire, or 0.05 to 0.95 where a neuron gives no better, and drawn anew where a
potential comes so near its threshold that rounding decides. What the layer does not take as an argument is not checked; `not_checked`
says so.
"""

import functools
from typing import NamedTuple

import numpy as np

from ...foreign import NoAnswer, one_line
from ..gradcheck import Report, Row
from ..report.ledger import RIGHT, UNJUDGED, WRONG, Entry, Ledger, from_report
from ..witness import steps as witness
from ._recorder import Recorder, place

SIZES = ((1, 1, 1), (1, 9, 3), (6, 2, 3), (6, 1, 37), (33, 2, 1), (33, 9, 3), (6, 9, 37), (33, 1, 37))
"""Steps, samples, neurons of the cases; where the step says how many neurons, it is as many."""

LARGE = 1e6                     # factor of the upstream gradient in every second case
TIERS = {"float64": (1e-9, 1e-9), "other": (1e-4, 2e-5)}     # by dtype of the layer: relative error, distance from the threshold
ROUNDING = 32                   # this many units in the last place of the largest entry, or of a sum of the terms without signs
MOST = 2 ** 24                  # numbers in the Jacobian of one step, beyond which gradients are checked along directions
DIRECTIONS = 4
ATTEMPTS = 20
REPEATS = 3                     # differences may disagree where a gradient is small beside its rounding, not at every point
RATES = ((0.2, 0.8), (0.05, 0.95))      # shares of spikes wanted; the second where no input gives the first
EXACT = np.exp2(np.arange(-8.0, 9.0))


class Source(NamedTuple):
    """What answers for a step: the functions of `witness.steps` without their first argument."""

    params: dict
    start: dict
    n: int | None
    outputs: object
    truth: object
    along: object
    frozen_offset_check: object


def here(step):
    """Let a step answer in this process.

    Parameters
    ----------
    step : Step
        From `witness.steps.define`.

    Returns
    -------
    Source
        Of its functions.
    """
    functions = witness.outputs, witness.truth, witness.along, witness.frozen_offset_check
    return Source(step.params, step.start, step.n, *(functools.partial(function, step) for function in functions))


def elsewhere(ask):
    """Let a step answer whose file runs in another process.

    Parameters
    ----------
    ask : callable
        ``ask(what, *args)`` calls `witness.steps.there` over there.

    Returns
    -------
    Source
        Of what it answers.
    """
    def frozen(*args):
        rows, *counts = ask("frozen", *args)
        return Report(tuple(Row(**row) for row in rows), *counts)
    return Source(*ask("about"), lambda *args: witness.Outputs(*ask("outputs", *args)), lambda *args: witness.Truth(*ask("truth", *args)),
                  lambda *args: tuple(ask("along", *args)), frozen)


def check_against_step(step, layer, seed=0, progress=None):
    """Check a layer against the step that says what it is.

    Parameters
    ----------
    step : Step or Source
        The truth.
    layer : Parametric
        What is checked.
    seed : int
        The cases follow from it.
    progress : callable, optional
        Called as ``progress(k, n, words)`` before each case.

    Returns
    -------
    Ledger
        One entry for each case and argument. What cannot be judged is not right: no input at which some fire and some do not, a truth that
        its second witness does not bear out.

    Raises
    ------
    ValueError, TypeError
        If the step itself fails.
    """
    step = here(step) if isinstance(step, witness.Step) else step
    sizes = list(dict.fromkeys((n_t, n_b, step.n or n) for n_t, n_b, n in SIZES))
    jobs = [("frozen offsets", (6, 2, step.n or 3), k) for k in (0, 1)] + [("gradients", size, k) for size in sizes for k in (0, 1)]
    jobs += [("at the threshold", (1, 1, step.n or 3), 0), ("same again", (6, 2, step.n or 3), 0)]
    entries, errors = [], []
    for number, (check, size, k) in enumerate(jobs):
        if progress:
            progress(number, len(jobs), f"{layer.name}, {check}")
        recorder = Recorder(layer.name, f"{check}: T {size[0]}, B {size[1]}, n {size[2]}, {'as declared' if k == 0 else 'drawn'}")
        try:
            CHECKS[check](step, layer, (size, k), np.random.default_rng([seed, number]), recorder)
        except _Fails as error:            # of the code under test it is a result
            recorder.entries.append(Entry(layer.name, recorder.check, verdict=WRONG, note=str(error)))
        except NoAnswer as error:          # what is known so far
            recorder.entries.append(Entry(layer.name, recorder.check, verdict=UNJUDGED, note=str(error)))
            return Ledger(tuple(entries + recorder.entries), {layer.name: _flat(errors)})
        entries += recorder.entries
        errors += recorder.errors
        if any(e.verdict == UNJUDGED for e in recorder.entries):
            break                          # there is no truth to hold against it
    return Ledger(tuple(entries), {layer.name: _flat(errors)})


def takes_one_step(step, layer, seed=0):
    """Say whether a layer takes one step: given all steps, it gives each what it would give as the first.

    Parameters
    ----------
    step : Source
        The truth.
    layer : Parametric
        What is checked.
    seed : int
        Of the currents.

    Returns
    -------
    bool
        False where the step keeps nothing from step to step either.
    """
    size = 6, 2, step.n or 3
    params = {name: step.params[name] for name in layer.params}
    start = {name: np.broadcast_to(step.start[name], size[1:]) + 0.0 for name in layer.start}
    x = _alive(step, np.random.default_rng([seed, 99]).uniform(0.2, 1.2, size), params, start)
    if x is None or np.array_equal(step.outputs(x[::-1], params, start).y[::-1], step.outputs(x, params, start).y):
        return False
    try:
        forth, back = (layer.run(some, params, start)[0] for some in (x, np.ascontiguousarray(x[::-1])))
    except NoAnswer:
        raise
    except Exception:                              # a check says so
        return False
    return bool(np.array_equal(back[::-1], forth) and forth.any())


def not_checked(step, layer):
    """Say which arguments of a step a layer does not take.

    Parameters
    ----------
    step : Step or Source
        The truth.
    layer : Parametric
        What is checked.

    Returns
    -------
    list of str
        A line for each.
    """
    others = f" (it has {', '.join(layer.more)})" if layer.more else ""
    return [f"not checked: no parameter called {name}{others}" for name in step.params if name not in layer.params] + [
        f"not checked: no first state called {name}" for name in step.start if name not in layer.start]


class _Fails(Exception):
    """The layer raised an error, or returned what it should not."""


def _ask(layer, what, *args):
    """Ask the layer; an error of it is no error of ours."""
    try:
        return getattr(layer, what)(*args)
    except NoAnswer:
        raise
    except Exception as error:
        raise _Fails(f"{what}: {one_line(error)}") from None


def _flat(errors):
    return np.concatenate([np.ravel(x) for x in errors]) if errors else np.empty(0)


def _tier(layer, current, params, start):
    """Return error allowed and distance from the threshold wanted, by the dtype of the outputs, and the smallest rounding."""
    dtype = _ask(layer, "run", current, params, start)[1]
    return *TIERS.get(dtype, TIERS["other"]), np.finfo(np.float64 if dtype == "float64" else np.float32).eps


def _case(step, layer, size, k, rng):
    """Draw a case in which some spikes fire and some do not; return current, params and start as the layer takes them, dy; or None.

    k = 0: parameters and first states as declared; 1: parameters a little smaller, first states drawn, a large upstream gradient.
    """
    params = {name: step.params[name] * (rng.uniform(0.9, 1, step.params[name].shape) if k else 1.0) for name in layer.params}
    start = {name: np.broadcast_to(step.start[name], size[1:]) + (rng.uniform(0, 0.5, size[1:]) if k else 0.0) for name in layer.start}
    distance = _tier(layer, np.zeros(size), params, start)[1]
    for _ in range(ATTEMPTS):
        current = _alive(step, rng.normal(0.5, 1.0, size), params, start)
        if current is not None and step.outputs(current, params, start).margin > distance:
            return current, params, start, rng.normal(size=size) * (LARGE if k else 1.0)
    return None


def _alive(step, current, params, start):
    """Scale a current until a share of the spikes within RATES fires; None if no factor does."""
    silent = not step.outputs(current, params, start).last.size
    if silent or current.size < 6:                     # no spike at all, or too few for shares
        return current
    known = {}

    def rate(power):
        if power not in known:
            known[power] = step.outputs(2.0 ** power * current, params, start).rate
        return known[power]
    for low, high in RATES:
        for power in sorted(range(-8, 15), key=abs):
            if low <= rate(power) <= high:
                return 2.0 ** power * current
        for a, b in [(p, p + 1) for p in range(-8, 14) if (rate(p) - 0.5) * (rate(p + 1) - 0.5) < 0][:1]:
            rising = rate(a) < rate(b)
            for _ in range(40):
                middle = (a + b) / 2
                if low <= rate(middle) <= high:
                    return 2.0 ** middle * current
                a, b = (middle, b) if (rate(middle) < 0.5) == rising else (a, middle)
    return None


def _drawn(step, layer, job, rng, recorder):
    """Draw a case, or say that there is none."""
    case = _case(step, layer, *job, rng)
    if case is None:
        recorder.entries.append(Entry(layer.name, recorder.check, verdict=UNJUDGED, note="could not judge: no input was found at which "
                                      "0.05 to 0.95 of the spikes fire, none of them by a hair"))
    return case


def _frozen(step, layer, job, rng, recorder):
    """Check the truth itself by its second witness."""
    for _ in range(REPEATS):
        case = _drawn(step, layer, job, rng, recorder)
        if case is None:
            return
        report = step.frozen_offset_check(*case[:3])
        if report.ok:
            break
    for e in from_report(report, layer.name, recorder.check):
        differs = {} if e.verdict == RIGHT else {
            "verdict": UNJUDGED, "first": "", "note": f"could not judge: the step's own gradient and differences disagree: {e.note}"}
        recorder.entries.append(e._replace(argument=f"{e.argument} of the step", **differs))


def _gradients(step, layer, job, rng, recorder):
    """Compare outputs and the gradient of every argument."""
    case = _drawn(step, layer, job, rng, recorder)
    if case is None:
        return
    current, params, start, dy = case
    limit, _, eps = _tier(layer, current, params, start)
    y, _ = _ask(layer, "run", current, params, start)
    dcurrent, *more = _ask(layer, "vjp", current, params, start, dy)
    got = {"current": dcurrent, **more[1], **more[0]}
    numbers = sum(np.size(x) for x in (*step.params.values(), *start.values(), current[0])) * current[0].size
    if numbers > MOST:
        return _directions(step, (current, params, start, dy), (y, got), (limit, eps), rng, recorder)
    right = step.truth(current, params, start, dy)
    recorder.compare(y, right.y, "outputs", limit, lambda bad: place(np.argwhere(bad)[0], "step", "sample", "neuron"))
    for name, grad in got.items():
        wanted = right.gradients[name]
        room = ROUNDING * eps * np.maximum(right.sizes[name], np.abs(wanted).max())
        if np.shape(grad) == wanted.shape:             # what rounding of the sum explains is no error
            grad = np.where(np.abs(grad - wanted) <= room, wanted, grad)
        recorder.compare(grad, wanted, f"gradient of {name}", limit, lambda bad, name=name: _where(bad, name, name in start))


def _where(bad, name, state):
    """Say where a gradient first diverges: what flows back comes from the last step."""
    at = np.argwhere(bad)
    if name == "current":
        return place(at[at[:, 0] == at[:, 0].max()][0], "step", "sample", "neuron") + " (backward)"
    return place(at[0], "sample", "neuron") if state else f"{name}{[int(i) for i in at[0]]}"


def _directions(step, case, got, tolerance, rng, recorder):
    """Compare <dy, J x'> with <J^T dy, x'> for random x' in one argument after the other."""
    (current, params, start, dy), (y, grads), (limit, eps) = case, got, tolerance
    for name, x in {"current": current, **start, **params}.items():
        for _ in range(DIRECTIONS):
            move = rng.normal(size=np.shape(x))
            right, dots = step.along(current, params, start, {name: move})
            sides = [dy * dots, grads[name] * move]
            size = max(np.abs(side).sum() for side in sides)
            gap = abs(sides[0].sum() - sides[1].sum()) / size if size != 0 else 0.0
            recorder.number(gap, max(limit, ROUNDING * eps), f"gradient of {name}", np.size(x),
                            f"gradient of {name}, along a random direction")
    recorder.compare(y, right, "outputs", limit, lambda bad: place(np.argwhere(bad)[0], "step", "sample", "neuron"))


def _at_the_threshold(step, layer, job, rng, recorder):
    """Compare what happens at V = threshold exactly, where the first V is a current times a power of two, and nothing is rounded."""
    (size, _), start = job, {name: np.broadcast_to(step.start[name], job[0][1:]) for name in layer.start}
    params = {name: np.sign(x) * np.maximum(np.round(8 * np.abs(x)), 1) / 8 for name, x in step.params.items() if name in layer.params}
    if _tier(layer, np.zeros(size), params, start)[0] != TIERS["float64"][0] and len(params) < len(step.params):
        return
    zero, one = (step.outputs(x, params, start).last for x in (np.zeros(size), np.ones(size)))
    if zero.shape != size[1:]:
        return
    slope = one - zero
    meets = np.where(np.isin(np.abs(slope), EXACT), -zero / np.where(slope == 0, 1, slope), 0.0)[None]
    run = step.outputs(meets, params, start)
    exact = np.isin(np.abs(slope), EXACT) & (run.last == 0)
    if not exact.any() or not np.isfinite(run.rate):
        return
    y, _ = _ask(layer, "run", meets, params, start)
    recorder.compare(y[0][exact], run.y[0][exact], "outputs", TIERS["float64"][0])


def _same_again(step, layer, job, rng, recorder):
    """Run once, run on something else, and run again; ask for the gradient twice."""
    case = _drawn(step, layer, job, rng, recorder)
    if case is None:
        return
    current, params, start, dy = case
    limit, *_ = _tier(layer, current, params, start)
    first, pulled = _ask(layer, "run", current, params, start)[0], _ask(layer, "vjp", current, params, start, dy)[0]
    _ask(layer, "run", current[::-1] + 1.0, params, start)
    recorder.compare(_ask(layer, "run", current, params, start)[0], first, "outputs", limit)
    recorder.compare(_ask(layer, "vjp", current, params, start, dy)[0], pulled, "gradient of current", limit)


CHECKS = {"frozen offsets": _frozen, "gradients": _gradients, "at the threshold": _at_the_threshold, "same again": _same_again}
