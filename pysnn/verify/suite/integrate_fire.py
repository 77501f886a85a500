"""The checks of the integrate-and-fire neuron, and of the one that pools inside, in every rule with every surrogate."""

import functools
import itertools

import numpy as np

from ...conventions import RULES, Rule, Surrogate
from ...operations import OPERATIONS
from ..witness import integrate_fire as witness
from ..witness.surrogates import words as surrogate_words
from ._recorder import Checked, named, place, relative
from .contract import Call

SURROGATES = (Surrogate("atan", 3.0), Surrogate("fast_sigmoid", 5.0), Surrogate("sigmoid", 4.0), Surrogate("triangle", 0.8))
ALL_RULES = tuple(Rule(*words) for words in itertools.product(*RULES.values()))
FEW_RULES = (Rule(), Rule("zero", "next"))
TRANSPOSE, SAME = 1e-12, 1e-13
SIZES = (1, 1, 1), (6, 9, 37), (33, 65, 1), (130, 1, 3), (300, 2, 130)         # steps, samples, neurons
MARGIN = 1e-5                 # of potentials from the threshold, where float32 decides
FAR = -1e3                    # a current that leaves a potential where a careless sigmoid overflows


def _checks(right, few=False, subject=None, size=0):
    """List the checks; size: of the windows that neurons pool."""
    rules = getattr(subject, "rules", None) or _rules(FEW_RULES if few else ALL_RULES, size)
    surrogates = getattr(subject, "surrogates", None) or (SURROGATES[::2] if few else SURROGATES)
    detach = getattr(subject, "detach", None) or (True, False)
    threshold = (getattr(subject, "thresholds", None) or (0.875,))[0]

    highest = 20 if subject is None else 14          # v_init from the threshold on: only where forward takes a v_init

    whole = getattr(subject, "final", True)              # whether backward takes dv_final, or we can add what it lacks

    def on(check, rule, surrogate, far=False):
        def run(op, rng, recorder):
            for how in detach if surrogate else (True, False):           # dynamics: exact sums, then any
                case = _case(rng, (rule, surrogate or surrogates[0], how, size, whole), threshold, highest, surrogate is None and how)
                if far:
                    case.current[0, 0, 0] = FAR
                check(op, right, case, recorder)
        return run
    listed = [(f"dynamics: {_words(r)}", on(_dynamics, r, None)) for r in rules]
    known = [s for s in surrogates if isinstance(s, Surrogate)]          # others the reference does not compute
    for name, check, some in (("frozen offsets", _frozen, surrogates), ("transpose", _transpose, surrogates),
                              ("reference", _reference, known), ("two parts", _two_parts, surrogates[:whole])):
        listed += [(f"{name}: {_words(r)}, {_words(s)}", on(check, r, s)) for r in rules for s in some]
    listed += [(f"sizes: {_words(r)}, {_words(s)}",
                _sizes((r, s, detach[(k + k // 2) % len(detach)], size, whole), threshold, (right, highest)))
               for k, (r, s) in enumerate(zip(rules, itertools.cycle(surrogates)))]
    listed += [(f"frozen offsets: far from the threshold, {_words(s)}", on(_frozen, rules[0], s, True)) for s in surrogates]
    return [*listed, ("ties", _ties)] if size else listed


def _rules(rules, size):
    """Leave out what neurons that pool do not know: a reset in the next step."""
    return tuple(dict.fromkeys(rule._replace(timing="same") for rule in rules)) if size else rules


def _ties(op, rng, recorder):
    recorder.statements(witness.check_ties(op), "current")


def _words(what):
    if isinstance(what, (Rule, Surrogate)):
        return " ".join(f"{x:g}" if isinstance(x, float) else str(x) for x in what[:3])      # of a rule what these neurons know
    return surrogate_words(what)


def _axes(x):
    """Name the axes after the step: of neurons, or of images."""
    return ("sample", "row", "column", "channel") if np.ndim(x) > 3 else ("sample", "neuron")


def _case(rng, conventions, threshold, highest, exact=False, n_steps=6, shape=None):
    """Draw a case in which some neurons fire and some do not; exact: sums have no rounding, and some potentials meet the threshold."""
    shape = shape or ((2, 5, 4, 2) if conventions[3] else (2, 3))
    dyadic = threshold * 1024 % 1 == 0
    for _ in range(1000):
        units = rng.integers(-6, 14, (n_steps, *shape)) / 16 if exact and dyadic else rng.normal(0.3, 0.6, (n_steps, *shape))
        current = threshold * units
        case = witness.Setup(current, threshold, threshold * rng.integers(-6, highest, shape) / 16, *conventions)
        if not exact and not isinstance(case.surrogate, Surrogate):      # it may jump, at numbers as simple as these
            case.v_init[...] += threshold * rng.uniform(-0.03, 0.03, shape)
        if exact and not dyadic:                         # sums round, but one current meets the threshold by itself
            case.v_init[0], current[0, 0] = 0, threshold
        potentials, spikes = witness.operating_point(case)
        gaps = np.abs([v - threshold for k, v in potentials.items() if k > 0])
        if not exact and gaps.min() < MARGIN * threshold and gaps.size < 1e4:
            continue
        raster = np.stack([s for k, s in spikes.items() if k > 0])
        if raster.size < 9 or (0.2 < raster.mean() < 0.8 and (raster.any(axis=0) & ~raster.all(axis=0)).mean() > 0.5):
            return case
    raise RuntimeError("no case was drawn in which some neurons fire and some do not")


def _sizes(conventions, threshold, how):
    """Check other numbers of steps, samples and neurons: spikes and potentials by definition, gradients by the transpose identity."""
    right, highest = how
    sizes = SIZES if not conventions[3] else ((1, (1, 2, 2, 1)), (33, (2, 5, 7, 3)))

    def run(op, rng, recorder):
        for n_steps, *shape in sizes:
            shape = shape if isinstance(shape[0], int) else shape[0]
            if recorder.single and n_steps * np.prod(shape) > 1e4:       # some potential would be too near the threshold for float32
                continue
            case = _case(rng, conventions, threshold, highest, False, n_steps, tuple(shape))
            where = f"{n_steps} steps of {' x '.join(map(str, shape))}"
            _dynamics(op, right, case, recorder, where)
            _transpose(op, right, case, recorder, where)
    return run


def _dynamics(op, right, case, recorder, where=""):
    spikes, v_final = op.forward(case.current, *case.how, case.v_init, case.rule)[:2]
    wanted, v_wanted = witness.walk(case, case.current, witness.start(case), lambda k, v: (witness.fires(case, v),) * 2)

    def first(bad):
        return place(np.argwhere(bad)[0], "step", *_axes(case.v_init))
    sums = where or ("exact sums" if case.detach_reset else "any sums")
    recorder.compare(spikes, np.stack(wanted), f"spikes, {sums}", 1e-12, first)
    recorder.compare(v_final, v_wanted, f"v_final, {sums}", 1e-12,
                 lambda bad: "after the last step, " + place(np.argwhere(bad)[0], *_axes(case.v_init)))


def _frozen(op, right, case, recorder):
    report = witness.frozen_offset_check(op, case, n=24, rng=np.random.default_rng(3))
    recorder.report(report, _reset(case), "" if report.ok else _first_divergence(op, right, case))


def _transpose(op, right, case, recorder, where=""):
    gap = witness.transpose_identity(op, case)
    gap = np.inf if np.isnan(gap) else 0.0 if gap == np.inf and case.current.size < 9 else gap      # one may be beyond the surrogate
    recorder.number(gap, TRANSPOSE, f"current, v_init, {where or _reset(case)}", case.current.size + case.current[0].size,
                    "" if gap <= recorder.allowed(TRANSPOSE) else _first_divergence(op, right, case))


def _reference(op, right, case, recorder):
    got, wanted = (_gradients(x, case) for x in (op, right))
    for name, a, b in zip(("spikes", "v_final", "current", "v_init"), got, wanted, strict=True):
        axes = _axes(case.v_init) if name in ("v_final", "v_init") else ("step", *_axes(case.v_init))
        recorder.compare(a, b, f"{name}, {_reset(case)}", SAME * 1e2, lambda bad, axes=axes: place(np.argwhere(bad)[-1], *axes))


def _two_parts(op, right, case, recorder):
    """A run in two parts: what flows back into v_init of the second is dv_final of the first."""
    rng = np.random.default_rng(4)
    dspikes, dv = rng.normal(size=_spikes(case)), rng.normal(size=case.current.shape[1:])

    def back(v_init, steps, dv_final):
        _, v, cache = op.forward(case.current[steps], *case.how, v_init, case.rule)
        return v, lambda d: op.backward(dspikes[steps], cache, d, case.surrogate, case.detach_reset)
    _, whole = back(case.v_init, slice(None), dv)
    dcurrent, dv_init = whole(dv)
    v, first = back(case.v_init, slice(3), None)
    _, second = back(v, slice(3, None), dv)
    dx2, between = second(dv)
    dx1, start = first(between)
    recorder.compare(np.concatenate([dx1, dx2]), dcurrent, f"current, {_reset(case)}", SAME * 10,
                 lambda bad: place(np.argwhere(bad)[-1], "step", *_axes(case.v_init)))
    recorder.compare(start, dv_init, f"v_init, {_reset(case)}", SAME * 10)


def _reset(case):
    return "reset detached" if case.detach_reset else "reset attached"


def _spikes(case):
    """Return the shape of the spikes."""
    n_t, n_b, *more = case.current.shape
    return (n_t, n_b, more[0] // case.size, more[1] // case.size, more[2]) if case.size else case.current.shape


def _gradients(op, case):
    spikes, v, cache = op.forward(case.current, *case.how, case.v_init, case.rule)
    c = _upstream(case, np.random.default_rng(5))
    return spikes, v, *op.backward(c[0], cache, c[1], case.surrogate, case.detach_reset)


def _upstream(case, rng):
    """Draw gradients of spikes and v_final; that of v_final is 0 where nobody takes it."""
    return rng.normal(size=_spikes(case)), rng.normal(size=case.current.shape[1:]) * case.final


def _first_divergence(op, right, case):
    """Say where a neuron first leaves the right one: forward step by step, then backward from the last step."""
    if not isinstance(case.surrogate, Surrogate):
        return ""
    got, wanted = (_gradients(x, case) for x in (op, right))
    for k, words in ((0, ""), (2, " (backward)")):
        if np.shape(got[k]) != wanted[k].shape:
            return f"the shape {np.shape(got[k])}"
        bad = np.argwhere(relative(got[k], wanted[k]) > 1e-9)
        if len(bad):
            step = bad[:, 0].min() if k == 0 else bad[:, 0].max()
            return place(bad[bad[:, 0] == step][0], "step", *_axes(case.v_init)) + words
    return ""


def _examples(op, right, rng, subject=None, size=0):
    """Run an operation on fixed arguments."""
    rules, kinds, thresholds, detached = (getattr(subject, name, None) or default for name, default in (
        ("rules", _rules(FEW_RULES, size)), ("surrogates", SURROGATES), ("thresholds", (0.875,)), ("detach", (True, False))))
    for rule, kind, detach, far in itertools.product(rules, kinds, detached, (False, True)):
        kind = kind if isinstance(kind, Surrogate) or op != right else Surrogate()
        case = _case(rng, (Rule(*rule), kind, detach, size, getattr(subject, "final", True)), thresholds[0], 14)
        case.current[0, 0, 0] = FAR if far else case.current[0, 0, 0]
        c = _upstream(case, rng)
        spikes, v, cache = op.forward(case.current, *case.how, witness.start(case), rule)
        yield {"spikes": spikes, "v_final": v, **named(("current", "v_init"), op.backward(c[0], cache, c[1], case.surrogate, detach))}


def _calls(rng, subject=None, size=0):
    """List where to check what every operation promises."""
    rules, kinds, thresholds, detached = (getattr(subject, name, None) or default for name, default in (
        ("rules", _rules(FEW_RULES, size)), ("surrogates", SURROGATES[:2]), ("thresholds", (0.875,)), ("detach", (True,))))
    whole = getattr(subject, "final", True)
    for rule, kind in zip(rules, kinds, strict=False):
        case = _case(rng, (rule, kind, detached[-1], size, whole), thresholds[0], 14)
        v_init = case.v_init if getattr(subject, "starts", True) else 0 * case.v_init
        yield Call(_words(rule), (case.current, *case.how, v_init, rule), (_upstream(case, rng)[1], kind, detached[-1]))


SUITE = {name: Checked(OPERATIONS[name].pair, functools.partial(_checks, size=size), functools.partial(_examples, size=size),
                       OPERATIONS[name].module, functools.partial(_calls, size=size))
         for name, size in (("integrate_fire", 0), ("pooled_fire", 2))}
