"""The checks of leaky neurons that fire many times, and of the maxima of a readout.

    worked example  an example by hand, of the page
    definition      spikes and maxima against small steps of the differential equations
    gradcheck       backward against differences of forward
    shift identity  all inputs delayed delay every spike as much, and leave maxima as they are
    edges           silence, ties, an input in time and too late, a bound of spikes
    reference       outputs and gradients against the reference
"""

import functools

import numpy as np

from ...operations import OPERATIONS
from ..gradcheck import gradcheck
from ..witness import event_prop as witness
from ._recorder import Checked, named
from .contract import Call

CLOSE, BY_STEPS, IDENTITY = 1e-11, 1e-4, 1e-9
INF = np.inf
HOW = {"one to four": (1.0, 4.0, 1.0), "one to two": (0.5, 2.0, 1.0), "equal": (1.0, 1.0, 1.0), "slow synapse": (0.25, 0.5, 1.5)}
STRENGTH = {"one to four": 0.6, "one to two": 0.4, "equal": 0.25, "slow synapse": 0.12}      # of weights: a handful of spikes a neuron
N_SPIKES = 12
WORKED = 0.5, [0.0, 0.5], [1.0, 1.5], 2.0, 1.0       # threshold, times, weights, tau_m, tau_s: the first spike is that of leaky_double
FIRST = 1.0076032623270498, [0.164006592132374, 0.835993407867626], [-0.6227525070949693, -0.45288974163984436]


def _draw(rng, name, how, recurrent=False):
    """Draw a layer whose spikes are well conditioned: none just misses, and none is just reached."""
    threshold, tau_m, tau_s = HOW[how]
    right = OPERATIONS["event_prop"].pair().forward
    for _ in range(500):
        t_in = tau_s * rng.uniform(0, 5, (2, 4, 3))
        t_in[rng.random(t_in.shape) < 0.1] = INF
        w = STRENGTH[how] * threshold * rng.normal(3, 3, (4, 3))
        w_rec = threshold * rng.normal(-0.3, 0.5, (3, 3)) if recurrent else None
        if name == "event_max":
            return t_in, w / threshold, tau_m, tau_s
        args = t_in, w, w_rec, threshold, tau_m, tau_s, N_SPIKES
        near = [np.isfinite(right(t_in, w, w_rec, threshold * x, tau_m, tau_s, N_SPIKES)[0]) for x in (0.995, 1.005)]
        counts = near[0].sum(axis=2)
        if (near[0] == near[1]).all() and counts.max() < N_SPIKES - 1 and counts.sum() >= 12:
            return args
    raise RuntimeError("no layer was drawn whose spikes are well conditioned")


def _spikes(t_in, w, w_rec, how):
    """Return the spikes of all samples by small steps, (B, N_out, N_SPIKES); later ones are left out."""
    out = np.full((len(t_in), w.shape[1], N_SPIKES), INF)
    end = np.where(np.isfinite(t_in), t_in, 0).max() + 12 * max(how[1:])
    for b, t in enumerate(t_in):
        for j, times in enumerate(witness.spikes(t, w, w_rec, how, end)):
            out[b, j, :min(len(times), N_SPIKES)] = times[:N_SPIKES]
    return out


def _cases(rng, name, few):
    kinds = list(HOW)[:2] if few else list(HOW)
    listed = [(how, _draw(rng, name, how)) for how in kinds]
    return listed + [(f"{how}, recurrent", _draw(rng, name, how, True)) for how in kinds[:2] if name == "event_prop"]


def _run(name, check, right, few):
    def run(op, rng, recorder):
        for kind, args in _cases(rng, name, few):
            check(op, right, name, args, (recorder, kind))
    return run


def _whole(name, subject):
    """Refuse a forward that leaves out arguments: there are no cases with the defaults alone."""
    wanted, n_args = OPERATIONS[name].arguments, getattr(subject, "n_args", None)
    if n_args is not None and n_args < len(wanted):
        raise ValueError(f"forward: expected all arguments of {name}, ({', '.join(wanted)}), got {n_args} of them")


def _checks(name, right, few=False, subject=None):
    """List the checks."""
    _whole(name, subject)
    listed = [(what, _run(name, check, right, few)) for what, check in (
        ("definition", _by_definition), ("gradcheck", _gradcheck), ("shift identity", _shift), ("reference", _reference))]
    if name == "event_max":
        return listed
    return [("worked example", _worked), *listed, ("edges", _edges)]


def _worked(op, rng, recorder):
    threshold, t, w, tau_m, tau_s = WORKED
    t_out, cache = op.forward(np.array(t)[None, :, None], np.array(w)[:, None], None, threshold, tau_m, tau_s, 1)
    recorder.compare(t_out, [[[FIRST[0]]]], "t_out", 1e-13)
    dt_in, dw, *_ = op.backward(np.ones((1, 1, 1)), cache)
    recorder.compare(dt_in[0, :, 0], FIRST[1], "t_in", 1e-12)
    recorder.compare(dw[:, 0], FIRST[2], "w", 1e-12)


def _by_definition(op, right, name, args, where):
    got = op.forward(*args)[0]
    if name == "event_prop":
        where[0].compare(got, _spikes(*args[:3], args[3:6]), f"t_out, {where[1]}", BY_STEPS)
        return
    end = np.where(np.isfinite(args[0]), args[0], 0).max() + 12 * max(args[2:])
    wanted = np.array([witness.maxima(t, args[1], args[2:], end) for t in args[0]])
    where[0].compare(got, wanted, f"v_max, {where[1]}", 1e-3)


def _gradcheck(op, right, name, args, where):
    given = [args[0][:1], *(x for x in args[1:] if isinstance(x, np.ndarray))]       # one sample: a forward pass may take a while
    names = OPERATIONS[name].gradients[:len(given)]

    def forward(*arrays):
        return op.forward(*arrays, *([None] if name == "event_prop" and len(arrays) == 2 else []), *args[3 if name == "event_prop" else 2:])

    def backward(d, cache):
        return tuple(g for g in op.backward(d, cache) if g is not None)
    where[0].report(gradcheck(forward, backward, given, names=names, n=4), where[1])


def _shift(op, right, name, args, where):
    out, cache = op.forward(*args)
    fired, worst = np.isfinite(out), 0.0
    for at in np.ndindex(out.shape[1:]):
        one = np.zeros(out.shape)
        one[(slice(None), *at)] = 1.0
        total = op.backward(one, cache)[0].sum(axis=(1, 2))
        wanted = fired[(slice(None), *at)] if name == "event_prop" else 0.0
        worst = max(worst, float(np.abs(total - wanted).max()))
    where[0].number(np.inf if np.isnan(worst) or not fired.any() else worst, IDENTITY, f"t_in, {where[1]}", int(fired.sum()))


def _results(op, name, args):
    out, cache = op.forward(*args)
    grads = op.backward(np.random.default_rng(2).normal(size=np.shape(out)), cache)
    return {OPERATIONS[name].outputs[0]: out, **dict(zip(OPERATIONS[name].gradients, [g for g in grads if g is not None], strict=False))}


def _reference(op, right, name, args, where):
    got, wanted = _results(op, name, args), _results(right, name, args)
    for what, value in wanted.items():
        where[0].compare(got[what], value, f"{what}, {where[1]}", CLOSE)


EDGES = (         # words, times, weights, spikes; for tau_m 4, tau_s 1, threshold 1
    ("all inputs are silent", [INF, INF], [9.0, 9.0], 0), ("a weak input", [0.0], [6.3], 0), ("one spike", [0.0], [6.5], 1),
    ("many spikes of one input", [0.0], [30.0], 6), ("inputs at one time that cancel", [1.0, 1.0], [60.0, -60.0], 0),
    ("inhibited in time", [0.0, 0.0625], [12.0, -12.0], 0), ("inhibited too late", [0.0, 30.0], [6.5, -60.0], 1),
    ("inputs out of order", [5.0, 0.0], [6.5, 6.5], 2))


def _edges(op, rng, recorder):
    for words, t, w, n in EDGES:
        args = np.array(t)[None, :, None], np.array(w)[:, None], None, 1.0, 4.0, 1.0, N_SPIKES
        t_out, cache = op.forward(*args)
        recorder.compare(np.isfinite(t_out).sum(), n, f"how many spikes, {words}", 0)
        recorder.compare(t_out, _spikes(*args[:3], args[3:6]), f"t_out, {words}", BY_STEPS)
        d = np.zeros(t_out.shape)
        d[..., max(n - 1, 0)] = -1.5
        recorder.compare(op.backward(d, cache)[0].sum(), -1.5 * (n > 0), f"t_in, {words}", IDENTITY)
    t_out, cache = op.forward(np.zeros((1, 1, 1)), np.array([[60.0]]), None, 1.0, 4.0, 1.0, 3)
    recorder.compare(np.isfinite(t_out).sum(), 3, "how many spikes, with a bound of 3", 0)


def _examples(name, op, right, rng, subject=None):
    """Run an operation on fixed arguments."""
    _whole(name, subject)
    for _, args in _cases(rng, name, True):
        out, cache = op.forward(*args)
        d = rng.normal(size=right.forward(*args)[0].shape)
        yield {OPERATIONS[name].outputs[0]: out, **named(OPERATIONS[name].gradients, [g for g in op.backward(d, cache) if g is not None])}


def _calls(name, rng, subject=None):
    """List where to check what every operation promises."""
    return [Call(kind, args) for kind, args in _cases(rng, name, True)]


def _checked(name):
    return Checked(OPERATIONS[name].pair, *(functools.partial(f, name) for f in (_checks, _examples)), OPERATIONS[name].module,
                   functools.partial(_calls, name))


SUITE = {name: _checked(name) for name in ("event_prop", "event_max")}
