"""A few fixed arguments for each operation, and what an operation makes of them: to see whether its results have the right shapes, and to
recognise a known mistake by its numbers."""

import itertools

import numpy as np

from ...conventions import Rule, Surrogate
from ..witness import integrate_fire as surrogate
from . import integrate_fire as suite_spiking
from . import relu as suite_relu
from . import temporal as suite_temporal

SEED = 20


def numbers(operation, op, right, subject=None):
    """Run an operation on its fixed arguments.

    Parameters
    ----------
    operation : str
        One of `suite.NAMES`, but no learning rule.
    op : Op or callable
        What is under test.
    right : Op or callable
        Ours, to draw arguments that are alive.
    subject : object, optional
        What limits the cases, as for `suite.checks`.

    Returns
    -------
    list of dict
        One a case: name of an output or gradient -> array.
    """
    rng = np.random.default_rng(SEED)
    with np.errstate(all="ignore"):
        if operation in suite_relu.LOSSES:
            return list(_loss(operation, op, rng))
        if operation == "temporal":
            return list(_temporal(op, right, rng, subject))
        if operation == "integrate_fire":
            return list(_spiking(op, rng, subject))
        return list(_plain(operation, op, right, rng, subject))


def _gradients(back):
    return back if isinstance(back, (tuple, list)) else (back,)


def _temporal(op, right, rng, subject):
    thresholds = getattr(subject, "thresholds", None) or (1.0, 0.7)
    for kind, threshold in itertools.product(("continuous", "two times", "silent input"), thresholds):
        z_in, w = suite_temporal.draw(rng, right, kind, threshold)[:2]
        dz = rng.normal(size=(len(z_in), w.shape[1]))
        z_out, cache = op.forward(z_in, w, threshold)
        yield {"z_out": z_out, **_named(("z_in", "w"), op.backward(np.where(np.isfinite(z_out), dz, 0), cache))}


def _spiking(op, rng, subject):
    rules = getattr(subject, "rules", None) or suite_spiking.FEW_RULES
    kinds = getattr(subject, "surrogates", None) or suite_spiking.SURROGATES
    thresholds = getattr(subject, "thresholds", None) or (0.875,)
    for rule, kind, detach, far in itertools.product(rules, kinds, getattr(subject, "detach", None) or (True, False), (False, True)):
        case = suite_spiking._case(rng, (Rule(*rule), Surrogate(*kind), detach), thresholds[0], 14)
        case.current[0, 0, 0] = suite_spiking.FAR if far else case.current[0, 0, 0]
        c = rng.normal(size=case.current.shape), rng.normal(size=case.current.shape[1:])
        spikes, v, cache = op.forward(case.current, case.threshold, surrogate._start(case), rule)
        yield {"spikes": spikes, "v_final": v, **_named(("current", "v_init"), op.backward(c[0], cache, c[1], case.surrogate, detach))}


def _plain(operation, op, right, rng, subject):
    n_args, names = getattr(subject, "n_args", None) or 99, suite_relu.NAMES[operation].split()
    for _, args, more, *_ in suite_relu._cases(operation, rng):
        args = args[:n_args] if operation == "dense" else args
        if len(args) + len(more) > n_args and not suite_relu._is_default(operation, more):
            continue
        more = more[:max(n_args - len(args), 0)]
        if operation in ("max_pool2d", "relu"):
            args = (np.round(args[0]),)                                  # with ties, and at 0
        y, cache = op.forward(*args, *more)
        dy = rng.normal(size=right.forward(*args, *more)[0].shape)
        yield {"y": y, **_named(names[:len(args)], op.backward(dy, cache))}


def _loss(operation, op, rng):
    x = np.exp(rng.uniform(0, 2, (4, 3)))
    for silent in ((), (0, 1)):
        for b in silent if operation.startswith("softmax") else ():
            x[b, 1] = np.inf
        loss, d = op(x, np.array([0, 1, 2, 0]))
        yield {"loss": loss, "gradient": d}


def _named(names, back):
    back = [g for g in _gradients(back) if g is not None]
    return dict(zip([f"gradient of {name}" for name in names], back, strict=False)) | {"n_gradients": np.array(float(len(back)))}


def misfit(got, wanted):
    """Say what is wrong with results besides their numbers.

    Parameters
    ----------
    got, wanted : list of dict
        From `numbers`.

    Returns
    -------
    str
        "w: expected an array of shape ..., got ..."; "" if all fit.
    """
    from ..._checks import describe
    for a, b in zip(got, wanted, strict=True):
        if a.get("n_gradients", 0) != b.get("n_gradients", 0):
            wants = ", ".join(name for name in b if name.startswith("gradient"))
            return f"backward: expected {int(b['n_gradients'])} gradients ({wants}), got {int(a['n_gradients'])}"
        for name, want in b.items():
            have, shape = a[name], np.shape(want)
            if not isinstance(have, (np.ndarray, float)):
                return f"{name}: expected an array of shape {shape} and dtype float64, got {describe(have)}"
            if np.shape(have) != shape or np.asarray(have).dtype != np.float64:
                return f"{name}: expected an array of shape {shape} and dtype float64, got {describe(np.asarray(have))}"
    return ""
