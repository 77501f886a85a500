"""The checks of leaky neurons with exact spike times: definition, gradients by two witnesses, edges, other sizes.

    definition      spike times against the first crossing of the potential, found by bisection
    gradcheck       backward against differences of forward; kinks are told from jumps by the causal sets
    complex step    backward against the derivative of the definition, by complex arguments: no subtraction
    shift identity  all inputs delayed delay a spike as much: the gradients of one spike with respect to its inputs add up to 1
    edges           ties, silence, inhibition before the spike
    reference       outputs and gradients against the reference
"""

import functools

import numpy as np

from ...operations import OPERATIONS
from ..gradcheck import gradcheck
from ..witness import maps
from ..witness import spike_times as witness
from ._recorder import Checked, named, place
from .contract import Call

CLOSE, IDENTITY = 1e-11, 1e-9
RATIO = {"leaky_equal": 1, "leaky_double": 2, "alpha": 1}
SIZES = ((1, 1, 1), (2, 3, 37), (9, 17, 2), (2, 65, 3))          # samples, inputs, neurons
INF = np.inf
PAIR = 0.7494609048455522, [0.21257141262288656, 0.7874285873771134], [-0.317942321836907, -0.1744813820506155]
WORKED = {        # arguments, then t_out, dt_in, dw
    "leaky_equal": (([0.0, 0.5], [2.0, 1.5]), *PAIR), "alpha": (([0.0, 0.5], [2.0, 1.5], 1.0, 1.0), *PAIR),
    "leaky_double": (([0.0, 0.5], [1.0, 1.5], 0.5), 1.0076032623270498, [0.164006592132374, 0.835993407867626],
                     [-0.6227525070949693, -0.45288974163984436])}
EDGES = (         # t_in, w, for tau 1 and threshold 1/4: does it fire, and after which inputs
    ("one input that is too weak", [0.0], [0.5], None), ("one input", [0.0], [4.0], [0]),
    ("inputs at one time that cancel", [1.0, 1.0], [8.0, -8.0], None),
    ("inputs at one time, of which some alone would fire", [1.0, 1.0, 3.0], [8.0, -7.5, 8.0], [0, 1, 2]),
    ("inhibited just before the spike", [0.0, 0.03125], [4.0, -4.0], None),
    ("inhibited, then excited again", [0.0, 0.03125, 4.0], [4.0, -4.0, 8.0], [0, 1, 2]),
    ("inhibited after the spike", [0.0, 0.5], [4.0, -400.0], [0]), ("forgotten", [0.0, 40.0], [0.5, 0.5], None),
    ("two weak inputs", [0.0, 0.5], [0.5, 0.75], [0, 1]), ("silent inputs before and behind", [INF, 1.0, INF], [9.0, 4.0, 9.0], [1]),
    ("all inputs are silent", [INF, INF], [9.0, 9.0], None), ("no weight excites", [0.0, 1.0], [-1.0, -2.0], None),
    ("weights of zero", [0.0, 0.03125, 1.0], [0.0, 4.0, 0.0], [0, 1]), ("times before zero", [-700.0, -3.0], [9.0, 9.0], [0]),
    ("an input that is long forgotten", [0.0, 5e4], [0.25, 4.0], [1]))


def _threshold(name, args):
    """Return threshold, tau and ratio of the definition."""
    given = (*args[2:], *(1.0, 1.0)[len(args) - 2:])
    return (given[0] * given[1], 1 / given[1], 1) if name == "alpha" else (*given, RATIO[name])


def _definition(name, *args):
    return witness.first_crossing(*args[:2], *_threshold(name, args))


def _draw(rng, name, how=(), sizes=(3, 6, 5), kind="continuous"):
    """Draw a layer in which some neurons fire and some do not, each clearly."""
    n_batch, n_in, n_out = sizes
    threshold, tau, _ = _threshold(name, (None, None, *how))
    for _ in range(2000):
        t_in = tau * (rng.uniform(-1, 2, (n_batch, n_in)) if kind == "continuous" else rng.integers(0, 4, (n_batch, n_in)) / 2)
        if kind == "silent input":
            t_in[rng.random(t_in.shape) < 0.2] = INF
        w = threshold * rng.normal(4 / n_in, 6 / np.sqrt(n_in), (n_in, n_out))
        fired = np.isfinite(_definition(name, t_in, w, *how))
        if 0.2 < fired.mean() < 0.9 or (sizes == (1, 1, 1) and fired.all()):
            clear = witness.sound(t_in, w, *_threshold(name, (t_in, w, *how))).all(axis=0)
            if clear.sum() >= min(3, n_out) and (n_out == 1 or 0 < fired[:, clear].mean() < 1):
                return t_in, np.ascontiguousarray(w[:, clear]), *how
    raise RuntimeError("no layer was drawn in which some neurons fire and some do not")


def _cases(rng, name, few, n_args):
    """List layers: the kind of their inputs, and arguments."""
    listed = [("continuous", (0.25, 1.0)), ("ties", (0.5, 2.0)), ("silent input", (1.0, 0.5))][:2 if few else 3]
    return [(kind, _draw(rng, name, how[:n_args - 2], kind=kind)) for kind, how in listed]


def _run(name, check, right, few, n_args):
    def run(op, rng, recorder):
        for kind, args in _cases(rng, name, few, n_args):
            check(op, right, name, args, (recorder, kind))
    return run


def _checks(name, right, few=False, subject=None):
    """List the checks."""
    n_args = getattr(subject, "n_args", None) or 4
    listed = [(what, _run(name, check, right, few, n_args)) for what, check in (
        ("definition", _by_definition), ("gradcheck", _gradcheck), ("complex step", _complex_step), ("shift identity", _shift),
        ("reference", _reference))]
    listed += [("sizes", lambda op, rng, recorder: _sizes(op, right, name, (rng, n_args), recorder))]
    listed += [("edges", lambda op, rng, recorder: _edges(op, name, recorder))] * (n_args > 2)
    return [("worked example", functools.partial(_worked, name))] * (len(WORKED[name][0]) <= n_args) + listed


def _worked(name, op, rng, recorder):
    (t_in, w, *how), t_out, dt_in, dw = WORKED[name]
    got, cache = op.forward(np.array([t_in]), np.array(w)[:, None], *how)
    recorder.compare(got, [[t_out]], "t_out", 1e-13)
    for what, a, b in zip(("t_in", "w"), op.backward(np.ones((1, 1)), cache), ([dt_in], np.array(dw)[:, None]), strict=True):
        recorder.compare(a, b, what, 1e-12)


def _by_definition(op, right, name, args, where):
    recorder, case = where
    recorder.compare(op.forward(*args)[0], _definition(name, *args), f"t_out, {case}", CLOSE,
                     lambda bad: place(np.argwhere(bad)[0], "sample", "neuron"))


def _gradcheck(op, right, name, args, where):
    report = gradcheck(lambda t_in, w: op.forward(t_in, w, *args[2:]), op.backward, args[:2], names=("t_in", "w"), n=30)
    where[0].report(report, where[1])


def _complex_step(op, right, name, args, where):
    recorder, case = where
    _, cache = op.forward(*args)
    t_out = _definition(name, *args)
    fired = np.isfinite(t_out)
    dt_out = np.where(fired, np.random.default_rng(1).normal(size=fired.shape), 7.0)
    grads = op.backward(dt_out, cache)

    def smooth(t_in, w):
        return np.where(fired, witness.carried(t_in, w, t_out, _threshold(name, args)), 0)
    finite = np.isfinite(args[0])
    for seed in range(3):
        gaps = _gaps(smooth, args, (np.where(fired, dt_out, 0), grads), (finite, np.random.default_rng(seed)))
        for what, gap, grad in zip(("t_in", "w"), gaps, grads, strict=True):
            recorder.number(np.inf if np.isnan(gap) else gap, IDENTITY, f"{what}, {case}", np.size(grad))
    recorder.number(float(np.abs(np.where(finite, 0, grads[0])).max()), 0.0, f"t_in of inputs that never come, {case}")


def _gaps(smooth, args, gradients, how):
    """Hold gradients against the complex step along a random direction; inputs that never come stay where they are."""
    (dt_out, (dt_in, dw)), (finite, rng) = gradients, how
    return maps.transpose_identity(lambda t, w: smooth(np.where(finite, t, INF), w), args[:2], (0, 1), dt_out,
                                   (np.where(finite, dt_in, 0), dw), rng)


def _shift(op, right, name, args, where):
    recorder, case = where
    t_out, cache = op.forward(*args)
    fired, worst = np.isfinite(t_out), 0.0
    for j in np.flatnonzero(fired.any(axis=0)):
        one = np.zeros(t_out.shape)
        one[:, j] = 1.0
        total = op.backward(one, cache)[0].sum(axis=1)
        worst = max(worst, float(np.abs(total - fired[:, j]).max()))
    recorder.number(np.inf if np.isnan(worst) or not fired.any() else worst, IDENTITY, f"t_in, {case}", int(fired.sum()))


def _results(op, args):
    t_out, cache = op.forward(*args)
    dt_in, dw = op.backward(np.random.default_rng(2).normal(size=np.shape(t_out)), cache)
    return {"t_out": t_out, "t_in": dt_in, "w": dw}


def _reference(op, right, name, args, where):
    recorder, case = where
    got, wanted = _results(op, args), _results(right, args)
    for what, value in wanted.items():
        recorder.compare(got[what], value, f"{what}, {case}", CLOSE)


def _sizes(op, right, name, given, recorder):
    rng, n_args = given
    for sizes in SIZES:
        args = _draw(rng, name, (0.25, 1.0)[:n_args - 2], sizes, "continuous" if sizes == (1, 1, 1) else "silent input")
        where = recorder, "{} x {} inputs, {} neurons".format(*sizes)
        _by_definition(op, right, name, args, where)
        _complex_step(op, right, name, args, where)


def _edges(op, name, recorder):
    for words, t_in, w, causal in EDGES:
        how = (0.25,)
        t_out, cache = op.forward(np.array([t_in]), np.array(w)[:, None], *how)
        dt_in, dw = op.backward(np.full((1, 1), -1.5), cache)
        set_of = np.isin(np.arange(len(w)), causal) if causal is not None else np.zeros(len(w), bool)
        wanted = _definition(name, np.array([t_in]), np.array(w)[:, None], *how)
        recorder.compare(np.isfinite(t_out), [[causal is not None]], f"whether it fires, {words}", 0)
        recorder.compare(t_out, wanted, f"t_out, {words}", CLOSE)
        recorder.compare(dw[:, 0] != 0, set_of & np.isfinite(t_in), f"the causal set, {words}", 0)
        recorder.compare(dt_in.sum(), -1.5 * (causal is not None), f"t_in, {words}", IDENTITY)


def _examples(name, op, right, rng, subject=None):
    """Run an operation on fixed arguments."""
    for _, args in _cases(rng, name, False, getattr(subject, "n_args", None) or 4):
        t_out, cache = op.forward(*args)
        dt_out = rng.normal(size=right.forward(*args)[0].shape)
        yield {"t_out": t_out, **named(("t_in", "w"), op.backward(dt_out, cache))}


def _calls(name, rng, subject=None):
    """List where to check what every operation promises."""
    return [Call(kind, args) for kind, args in _cases(rng, name, False, getattr(subject, "n_args", None) or 4)[2:]]


def _checked(name):
    return Checked(OPERATIONS[name].pair, *(functools.partial(f, name) for f in (_checks, _examples)), OPERATIONS[name].module,
                   functools.partial(_calls, name))


SUITE = {name: _checked(name) for name in RATIO}
