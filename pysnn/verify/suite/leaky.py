"""The checks of leaky neurons: resets, their places, gains, synapses and recurrent weights by turns, each with one of the surrogates."""

import itertools

import numpy as np

from ...conventions import LEAKY_RULES, Rule, Surrogate
from ...operations import OPERATIONS
from ..witness import leaky as witness
from ..witness.surrogates import words as surrogate_words
from ._recorder import Checked, named, place, relative
from .contract import Call
from .integrate_fire import SURROGATES

TRANSPOSE, SAME = 1e-13, 1e-11
SIZES, LARGE = ((1, 1, 1), (6, 9, 37), (33, 65, 1), (130, 1, 3)), 1e-12        # steps, samples, neurons; what long sums may be off
PARTS = ((), ("alpha",), ("w_rec",), ("alpha", "w_rec"))
PLACES = (("same", "reset first"), ("next", "reset first"), ("next", "leak first"))
AXES = ("step", "sample", "neuron")
EVERY = tuple((Rule(reset, timing, LEAKY_RULES["fire"][(k + k // 2) % 2], gain, order), PARTS[(k + k // 4) % 4],
               SURROGATES[(k + k // 3) % 4]) for k, (reset, (timing, order), gain) in enumerate(
                   itertools.product(LEAKY_RULES["reset"], PLACES, LEAKY_RULES["gain"])))
FEW = ((Rule(), (), SURROGATES[0]), (Rule("zero", "next", ">=", "1 - beta"), ("alpha", "w_rec"), SURROGATES[1]),
       (Rule("subtract", "next", ">", order="leak first"), ("w_rec",), SURROGATES[2]),
       (Rule("zero", "same", ">", "1 - beta"), ("alpha",), SURROGATES[3]))


def _listed(few, subject):
    """List (rule, parts, surrogate), and whether the reset may be detached, as far as the subject follows the contract."""
    rules, kinds, n_args = (getattr(subject, name, None) for name in ("rules", "surrogates", "n_args"))
    known = [name for name in ("alpha", "w_rec") if OPERATIONS["leaky"].arguments.index(name) < (n_args or 7)]
    found = {(rules[0] if rules else rule, tuple(part for part in parts if part in known), kinds[0] if kinds else kind): None
             for rule, parts, kind in (FEW if few else EVERY)}
    return list(found), getattr(subject, "detach", None) or (True, False)


def _checks(right, few=False, subject=None):
    """List the checks."""
    cases, detach = _listed(few, subject)
    thresholds = getattr(subject, "thresholds", None)

    def on(check, what, each=(True, False)):
        def run(op, rng, recorder):
            for how in each:
                check(op, right, _case(rng, what, how, thresholds, check is _dynamics and how), recorder)
        return run
    listed = []
    for name, check in (("dynamics", _dynamics), ("frozen offsets", _frozen), ("transpose", _transpose), ("reference", _reference),
                        ("two parts", _two_parts)):
        chosen = [what for what in cases if check is not _two_parts or not what[1]]
        chosen = [what for what in chosen if check is not _reference or isinstance(what[2], Surrogate)]
        listed += [(f"{name}: {_words(what)}", on(check, what, (True, False) if check is _dynamics else detach)) for what in chosen]
    return listed + [(f"sizes: {_words(what)}", _sizes(right, what, detach[(k + k // 2) % len(detach)], thresholds))
                     for k, what in enumerate(cases)]


def _sizes(right, what, detach, thresholds):
    """Check other numbers of steps, samples and neurons: spikes and potentials by definition, gradients by the transpose identity."""
    def run(op, rng, recorder):
        for shape in SIZES:
            if "w_rec" in what[1] and shape[0] > 40:                     # gradients through so many products may have no end
                continue
            case, where = _case(rng, what, detach, thresholds, shape=shape), f"{shape[0]} steps of {shape[1]} x {shape[2]}"
            _dynamics(op, right, case, recorder, where)
            _transpose(op, right, case, recorder, where, LARGE)
    return run


def _words(what):
    rule, parts, surrogate = what
    said = [*rule[:3], *(word for word in (f"gain {rule.gain}", rule.order) if word not in ("gain 1", "reset first"))]
    kind = f"{surrogate.kind} {surrogate.slope:g}" if isinstance(surrogate, Surrogate) else surrogate_words(surrogate)
    return f"{' '.join((*said, *parts))}, {kind}"


def _case(rng, what, detach, thresholds=None, exact=False, shape=(6, 2, 3)):
    """Draw a case in which some neurons fire and some do not; exact: sums have no rounding, and some potentials meet the threshold."""
    rule, parts, surrogate = what
    n = shape[-1]
    for _ in range(1000):
        if exact:
            theta, beta, alpha = (rng.choice(x, n) for x in ((0.75, 0.875, 1.0), (0.5, 0.75), (0.25, 0.5)))
            current, v_init, w_rec = rng.integers(-6, 24, shape) / 16, rng.integers(-6, 20, shape[1:]) / 16, rng.integers(-8, 9, (n, n)) / 8
        else:
            theta, beta, alpha = rng.uniform(0.6, 1, n), rng.uniform(0.4, 0.95, n), rng.uniform(0.3, 0.9, n)
            current, v_init = rng.normal(0.4, 0.8, shape), rng.uniform(-0.5, 1.4, shape[1:])
            w_rec = rng.normal(0, 0.6, (n, n)) * min(1, 2 / n ** 0.5)
        theta = np.full(n, float(thresholds[0])) if thresholds else theta
        gain = 1 - beta if rule.gain == "1 - beta" else 1.0
        current = current / gain                       # as much for either gain
        if exact:
            v_init[0], current[0, 0] = 0, theta / gain
        case = witness.Setup(current, beta, theta, v_init, rule, alpha if "alpha" in parts else None, w_rec if "w_rec" in parts else None,
                             surrogate, detach)
        raster = np.stack([s for k, (_, s) in witness.operating_point(case).items() if k > 0])
        if raster.size < 9 or (0.2 < raster.mean() < 0.8 and (raster.any(axis=0) & ~raster.all(axis=0)).mean() > 0.5):
            return case
    raise RuntimeError("no case was drawn in which some neurons fire and some do not")


def _dynamics(op, right, case, recorder, where=""):
    spikes, v_final = witness.run(op, case)[:2]
    wanted, v_wanted, _ = witness.walk(case, case.args, witness.real(case))
    sums = where or ("exact sums" if case.detach_reset else "any sums")
    recorder.compare(spikes, np.stack(wanted), f"spikes, {sums}", 1e-12, lambda bad: place(np.argwhere(bad)[0], *AXES))
    recorder.compare(v_final, v_wanted, f"v_final, {sums}", 1e-12,
                     lambda bad: "after the last step, " + place(np.argwhere(bad)[0], *AXES[1:]))


def _frozen(op, right, case, recorder):
    report = witness.frozen_offset_check(op, case, n=12, rng=np.random.default_rng(3))
    recorder.report(report, _reset(case), "" if report.ok else _first_divergence(op, right, case))


def _transpose(op, right, case, recorder, where="", limit=TRANSPOSE):
    gap = witness.transpose_identity(op, case)
    gap = np.inf if np.isnan(gap) else 0.0 if gap == np.inf and case.current.size < 9 else gap      # one may be beyond the surrogate
    recorder.number(gap, limit, f"{', '.join(case.names)}, {where or _reset(case)}", sum(x.size for x in case.args),
                    "" if gap <= recorder.allowed(limit) else _first_divergence(op, right, case))


def _reference(op, right, case, recorder):
    got, wanted = (_results(x, case) for x in (op, right))
    for name, b in wanted.items():
        recorder.compare(got.get(name, np.nan), b, f"{name}, {_reset(case)}", SAME)


def _two_parts(op, right, case, recorder):
    """A run in two parts: what flows back into v_init of the second is dv_final of the first; gradients of parameters add up."""
    rng, (n_t, *rest) = np.random.default_rng(4), case.current.shape
    dspikes, dv_final, dv = (rng.normal(size=shape) for shape in (case.current.shape, rest, case.current.shape))

    def part(steps, v_init):
        one = case._replace(current=case.current[steps], v_init=v_init)
        _, v, cache = witness.run(op, one)
        return v, lambda d: dict(zip(one.names, witness.backward(op, one, cache, (dspikes[steps], d, dv[steps])), strict=True))
    whole = part(slice(None), case.v_init)[1](dv_final)
    v, first = part(slice(n_t // 2), case.v_init)
    second = part(slice(n_t // 2, None), v)[1](dv_final)
    first = first(second["v_init"])
    joined = {"current": np.concatenate([first["current"], second["current"]]), "v_init": first["v_init"],
              **{name: first[name] + second[name] for name in ("beta", "threshold")}}
    for name, got in joined.items():
        recorder.compare(got, whole[name], f"{name}, {_reset(case)}", SAME)


def _reset(case):
    return "reset detached" if case.detach_reset else "reset attached"


def _results(op, case):
    """Run forward and backward with random gradients of spikes, last potential and all potentials."""
    rng = np.random.default_rng(5)
    spikes, v_final, cache = witness.run(op, case)
    shape = case.current.shape
    grads = witness.backward(op, case, cache, tuple(rng.normal(size=x) for x in (shape, shape[1:], shape)))
    return {"spikes": spikes, "v_final": v_final} | dict(zip(case.names, grads, strict=False))


def _first_divergence(op, right, case):
    """Say where a neuron first leaves the right one: forward step by step, then backward from the last step."""
    if not isinstance(case.surrogate, Surrogate):
        return ""
    got, wanted = (_results(x, case) for x in (op, right))
    for name, words in (("spikes", ""), ("current", " (backward)")):
        if np.shape(got[name]) != wanted[name].shape:
            return f"the shape {np.shape(got[name])}"
        bad = np.argwhere(relative(got[name], wanted[name]) > 1e-9)
        if len(bad):
            step = bad[:, 0].min() if name == "spikes" else bad[:, 0].max()
            return place(bad[bad[:, 0] == step][0], *AXES) + words
    return ", ".join(f"gradient of {name}" for name in wanted if (relative(got.get(name, np.nan), wanted[name]) > 1e-9).any())


def _examples(op, right, rng, subject=None):
    """Run an operation on fixed arguments."""
    cases, detached = _listed(True, subject)
    for (rule, parts, kind), detach in itertools.product(cases, detached):
        what = Rule(*rule), parts, kind if isinstance(kind, Surrogate) or op != right else Surrogate()
        case = _case(rng, what, detach, getattr(subject, "thresholds", None), True)
        shape = case.current.shape
        c = tuple(rng.normal(size=x) for x in (shape, shape[1:], shape))
        spikes, v, cache = witness.run(op, case)
        yield {"spikes": spikes, "v_final": v, **named(case.names, witness.backward(op, case, cache, c))}


def _calls(rng, subject=None):
    """List where to check what every operation promises."""
    cases, detached = _listed(True, subject)
    for what in cases[:2]:
        case = _case(rng, what, detached[-1], getattr(subject, "thresholds", None))
        given = [*case[:5], case.alpha, case.w_rec]
        while given[-1] is None:
            given.pop()
        upstream = rng.normal(size=case.v_init.shape), rng.normal(size=case.current.shape)
        yield Call(_words(what), tuple(given), (*upstream, what[2], detached[-1]))


SUITE = {"leaky": Checked(OPERATIONS["leaky"].pair, _checks, _examples, OPERATIONS["leaky"].module, _calls)}
