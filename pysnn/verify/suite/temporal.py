"""The checks of the temporal neuron, on single layers and on nets of three."""

from itertools import pairwise, product

import numpy as np

from ...operations import OPERATIONS
from ..gradcheck import gradcheck
from ..witness import maps, temporal
from . import _edges
from ._recorder import Checked, named, place, relative
from .contract import Call

SIZES = (5, 6, 5, 3)
LAYERS = ((1, (1, 1)), (2, (3, 37)), (9, (37, 3)), (2, (130, 9)), (65, (4, 3)))       # samples, inputs and neurons of single layers
COORDINATES = 12          # of each argument, and directions: the complex step looks at all of them
KAPPA = 1e4               # nets are drawn anew until no spike time is worse conditioned
IDENTITY = 1e-9           # leaves 1e4 EPS for each of some dozen roundings
WORKED = ([0.0, 1.0, 2.0], [0.8, 0.6, -0.3], 6.077422742688569, [2.0, 1.5, 0.0], [-12.693556856721420, -8.3978522855738065, 0.0])


def _condition(z_in, w, z_out, threshold=1.0):
    """Bound how much a relative rounding of the arguments moves each z_out."""
    causal, fired = temporal.causal_sets(z_in, z_out), np.isfinite(z_out)
    z_i, z = np.where(np.isfinite(z_in), z_in, 0)[:, :, None], np.where(fired, z_out, 1)[:, None, :]
    causal_w = np.where(causal, w, 0)
    above = np.abs(causal_w * (z_i - z)).sum(axis=1) + np.abs(causal_w * z_i).sum(axis=1) + threshold * z[:, 0]
    excess = np.abs(causal_w.sum(axis=1) - threshold)
    return np.where(fired, above / np.where(fired & (excess > 0), excess * z[:, 0], 1), 0)


def _draw(rng, op, kind="continuous", threshold=1.0, sizes=SIZES, batch=3):
    """Draw a net in which some neurons fire and some do not, none of them too badly conditioned."""
    net = temporal.chain(op, threshold)
    for _ in range(4000):
        z_in = rng.choice([1.0, 6.0], (batch, sizes[0])) if kind == "two times" else np.exp(rng.uniform(0, 2, (batch, sizes[0])))
        if kind == "silent input":
            z_in[0, 1] = np.inf
        weights = [threshold * rng.normal(1.8 / n, 1.2 / np.sqrt(n), (n, m)) for n, m in pairwise(sizes)]
        z = net.forward(z_in, *weights)[1][0]
        fired = [np.isfinite(x) for x in z[1:]]
        worst = max(_condition(a, w, b, threshold).max() for (a, b), w in zip(pairwise(z), weights, strict=True))
        if fired[-1].mean() > 0.3 and (0 < np.mean([f.mean() for f in fired]) < 1 or sizes == (1, 1)) and worst < KAPPA:
            return z_in, *weights
    raise RuntimeError("no net was drawn in which some neurons fire and some do not")


def _checks(right, few=False, subject=None):
    """List the checks."""
    kinds = ("continuous", "two times") if few else ("continuous", "two times", "silent input")
    thresholds = getattr(subject, "thresholds", None) or (1.0, 0.7)
    cases = [(kind, thresholds[0]) for kind in kinds] + [("continuous", x) for x in thresholds[1:] if not few]

    def on(check):
        def run(op, rng, recorder):
            for kind, threshold in cases[::2] if check is _gradcheck and subject else cases:        # the complex step sees all of them
                check(op, right, _draw(rng, right, kind, threshold), threshold, (recorder, f"{kind}, threshold {threshold:g}"))
        return run
    listed = [(name, on(check)) for name, check in (
        ("definition", _definition), ("gradcheck", _gradcheck), ("complex step", _complex_step), ("shift identity", _shift),
        ("homogeneity", _homogeneity), ("reference", _reference))]
    def edges(op, rng, recorder):
        for threshold in thresholds:
            _edges.check(op, threshold, getattr(subject, "exact", True), recorder)
    listed += [("sizes", lambda op, rng, recorder: _sizes(op, right, rng, thresholds[0], recorder)), ("edges", edges)]
    return [("worked example", _worked), *listed] if 1.0 in thresholds else listed


def _sizes(op, right, rng, threshold, recorder):
    """Check layers of other sizes: spike times by their definition, gradients by the complex step along random directions."""
    for batch, sizes in LAYERS:
        z_in, w = _draw(rng, right, "silent input" if sizes[0] > 1 else "continuous", threshold, sizes, batch)
        case = f"{batch} x {sizes[0]} inputs, {sizes[1]} neurons"
        z_out, cache = op.forward(z_in, w, threshold)
        wanted = right.forward(z_in, w, threshold)[0]
        recorder.compare(z_out, wanted, f"z_out, {case}", IDENTITY, lambda bad: place(np.argwhere(bad)[0], "sample", "neuron"))
        c = np.where(np.isfinite(wanted), rng.normal(size=wanted.shape), 7.0)
        frozen, grads = temporal.frozen_net([temporal.causal_sets(z_in, wanted)], threshold), op.backward(c, cache)
        fired = np.isfinite(wanted)
        gaps = maps.transpose_identity(lambda *args, frozen=frozen, fired=fired: np.where(fired, frozen(*args), 0), (z_in, w), (0, 1),
                                       np.where(fired, c, 0), grads, rng)
        for name, grad, gap in zip(("z_in", "w"), grads, gaps, strict=True):
            gap = np.inf if np.isnan(gap) else gap
            first = "" if gap <= recorder.allowed(IDENTITY) else _first_divergence(op, right, (z_in, w), threshold)
            recorder.number(gap, IDENTITY, f"{name}, {case}", np.size(grad), first)


def _worked(op, rng, recorder):
    t_in, w, z_out, dz, dw = (np.array(x) for x in WORKED)
    got, cache = op.forward(np.exp(t_in)[None], w[:, None], 1.0)
    dz_got, dw_got = op.backward(np.ones((1, 1)), cache)
    for name, a, b in (("z_out", got[0, 0], z_out), ("z_in", dz_got[0], dz), ("w", dw_got[:, 0], dw)):
        recorder.compare(a, b, name, 1e-12)


def _definition(op, right, args, threshold, where):
    (recorder, case), z = where, args[0]
    for k, w in enumerate(args[1:], 1):
        z_out = op.forward(z, w, threshold)[0]
        result = temporal.check_definition(z, w, z_out, threshold)
        at = () if result.ok else (k, *_first_off(z, w, z_out, threshold))
        recorder.definition(result, f"layer {k}, {case}", place(at, "layer", "sample", "neuron"))
        z = right.forward(z, w, threshold)[0]                            # each layer is checked by itself


def _first_off(z, w, z_out, threshold):
    """Find the first neuron that is off its definition."""
    return next(((b, j) for b, j in np.ndindex(z_out.shape)
                 if not temporal.check_definition(z[b:b + 1], w[:, j:j + 1], z_out[b:b + 1, j:j + 1], threshold).ok), ())


def _gradcheck(op, right, args, threshold, where):
    net = temporal.chain(op, threshold)
    report = gradcheck(net.forward, net.backward, args, trace=net.trace, names=_names(args), n=COORDINATES)
    where[0].report(report, where[1], "" if report.ok else _first_divergence(op, right, args, threshold))


def _complex_step(op, right, args, threshold, where):
    for name, grad, wanted in zip(_names(args), *temporal.complex_step_gradients(op, args, threshold), strict=True):
        where[0].compare(grad, wanted, f"{name}, {where[1]}", 1e-10, lambda _: _first_divergence(op, right, args, threshold))


def _shift(op, right, args, threshold, where):
    net, (recorder, case) = temporal.chain(op, threshold), where
    worst = temporal.shift_identity(net.forward, net.backward, args)
    first = "" if worst <= IDENTITY else _first_divergence(op, right, args, threshold)
    recorder.number(np.inf if np.isnan(worst) else worst, IDENTITY, f"z_in, {case}", first=first)


def _homogeneity(op, right, args, threshold, where):
    net, (recorder, case) = temporal.chain(op, threshold), where
    z_out, cache = net.forward(*args)
    dz_out = np.where(np.isfinite(z_out), np.random.default_rng(1).normal(size=z_out.shape), 0)
    worst = temporal.homogeneity(*net.layers(dz_out, cache))
    first = "" if worst <= IDENTITY else _first_divergence(op, right, args, threshold)
    recorder.number(np.inf if np.isnan(worst) else worst, IDENTITY, f"z of all layers, {case}", len(args), first=first)


def _reference(op, right, args, threshold, where):
    (recorder, case), (z_in, w) = where, args[:2]
    z_out, cache = op.forward(z_in, w, threshold)
    wanted, right_cache = right.forward(z_in, w, threshold)
    kappa = _condition(z_in, w, wanted, threshold)
    limit = np.maximum(3 * (kappa + len(w)) * np.finfo(float).eps, 1e-14)
    recorder.compare(z_out, wanted, f"z_out, {case}", limit, lambda bad: place(np.argwhere(bad)[0], "sample", "neuron"), float(kappa.max()))
    c = np.where(np.isfinite(wanted), np.random.default_rng(2).normal(size=wanted.shape), 7.0)
    for name, a, b in zip(("z_in", "w"), op.backward(c, cache), right.backward(c, right_cache), strict=True):
        axes = ("sample", "input") if name == "z_in" else ("input", "neuron")
        recorder.compare(a, b, f"{name}, {case}", 1e-14 * (KAPPA + 1), lambda bad, axes=axes: place(np.argwhere(bad)[0], *axes),
                     float(kappa.max()))


def _names(args):
    return ["z_in", *(f"w{k}" for k in range(1, len(args)))]


def _first_divergence(op, right, args, threshold=1.0):
    """Say where a net first leaves the right one: forward layer by layer, then backward from the last layer."""
    nets = [temporal.chain(x, threshold) for x in (op, right)]
    (_, cache), (wanted, right_cache) = (net.forward(*args) for net in nets)
    for k, (a, b) in enumerate(zip(cache[0][1:], right_cache[0][1:], strict=True), 1):
        bad = relative(a, b) > 1e-9
        if bad.any():
            return place((k, *np.argwhere(bad)[0]), "layer", "sample", "neuron")
    dz = np.where(np.isfinite(wanted), np.random.default_rng(0).normal(size=wanted.shape), 0)
    for k in range(len(args) - 1, 0, -1):
        (dz_in, dw), (dz_wanted, dw_wanted) = (x.backward(dz, c[1][k - 1]) for x, c in ((op, cache), (right, right_cache)))
        for got, want, axes in ((dw, dw_wanted, ("input", "neuron")), (dz_in, dz_wanted, ("sample", "input"))):
            if np.shape(got) != want.shape or (relative(got, want) > 1e-9).any():
                at = np.argwhere(relative(got, want) > 1e-9)[0] if np.shape(got) == want.shape else ()
                return f"layer {k}, {place(at, *axes)} (backward)" if len(at) else f"layer {k} (backward)"
        dz = dz_wanted
    return ""


def _examples(op, right, rng, subject=None):
    """Run an operation on fixed arguments."""
    thresholds = getattr(subject, "thresholds", None) or (1.0, 0.7)
    for kind, threshold in product(("continuous", "two times", "silent input"), thresholds):
        z_in, w = _draw(rng, right, kind, threshold)[:2]
        dz = rng.normal(size=(len(z_in), w.shape[1]))
        z_out, cache = op.forward(z_in, w, threshold)
        yield {"z_out": z_out, **named(("z_in", "w"), op.backward(np.where(np.isfinite(z_out), dz, 0), cache))}


def _calls(rng, subject=None):
    """List where to check what every operation promises."""
    threshold = (getattr(subject, "thresholds", None) or (1.0,))[0]
    z_in, w = _draw(rng, OPERATIONS["temporal"].pair("reference"), "silent input", threshold)[:2]
    return [Call("silent input", (z_in, w, threshold))]


SUITE = {"temporal": Checked(OPERATIONS["temporal"].pair, _checks, _examples, OPERATIONS["temporal"].module, _calls)}
