"""The checks of any operation on arrays: those of a ReLU network, and one of your own.

    definition    outputs against a definition
    gradcheck     backward against differences of forward, in every argument that has a gradient
    reference     outputs and gradients against a pair that is trusted
    sizes         other sizes: outputs against a definition on whole arrays, gradients by the transpose identity
    contract      shapes; float32 and float64 come out as they go in; arguments stay as they are; backward can run twice on one cache
"""

from typing import NamedTuple

import numpy as np

from ...operations import Operation, Pair
from ..gradcheck import gradcheck
from ..witness import maps
from ..witness.relu import Statements
from ._recorder import named, place, relative

CLOSE = 1e-12              # some dozen roundings
MANY = 1e-10               # sums of a hundred and more, and formulas that cancel
SMOOTH = np.zeros(0)       # a trace without decisions
AXES = {2: ("sample", "neuron"), 4: ("sample", "row", "column", "channel")}


class Problem(NamedTuple):
    """Where to check an operation."""

    words: str                # which case it is
    args: tuple               # of forward
    definition: object = None   # definition(*args) -> output, or outputs
    decisions: object = None  # decisions(*args) -> discrete decisions as arrays; None: there are none
    smooth: object = None     # smooth(*args): what backward is the gradient of, if forward has steps


class Own(NamedTuple):
    """An operation that the package does not know, with what its checks need."""

    record: Operation
    forward: object              # forward(*arguments) -> outputs, cache
    backward: object             # backward(gradient of the first output, cache, those of the others) -> gradients
    cases: object                # cases(rng) -> tuples of float64 arguments
    decisions: object = None     # as of a Problem
    definition: object = None
    reference: Pair | None = None

    @property
    def operation(self):
        """Its name."""
        return self.record.name

    def problems(self, rng):
        """List its cases."""
        listed = list(self.cases(rng))
        if not listed or not all(isinstance(args, tuple) for args in listed):
            raise ValueError(f"cases: expected tuples of the arguments ({', '.join(self.record.arguments)}), got {listed[:1]!r:.100}")
        return [Problem(f"case {k}", args, self.definition, self.decisions) for k, args in enumerate(listed, 1)]


def cut(problems, n_args):
    """Leave out the arguments that forward does not take; definition and decisions have the contract's defaults for them."""
    words = [p.words if len(problems) == 1 or len(p.args) <= (n_args or len(p.args)) else f"case {k} of {n_args} arguments"
             for k, p in enumerate(problems, 1)]
    return [p._replace(args=p.args[:n_args], words=w) for p, w in zip(problems, words, strict=True)]


def checks(record, problems, right=None, n_args=None, kinds=("definition", "gradcheck", "reference")):
    """List the checks."""
    def definition(op, problem, recorder):
        *got, _ = op.forward(*problem.args)
        wanted = problem.definition(*problem.args)
        for name, a, b in zip(record.outputs, got, wanted if isinstance(wanted, tuple) else (wanted,), strict=True):
            recorder.compare(a, b, f"{name}, {problem.words}", CLOSE,
                             lambda bad: place(np.argwhere(bad)[0], *AXES[bad.ndim]) if bad.ndim in AXES else "")

    def differences(op, problem, recorder):
        recorder.report(gradients_by_differences(op, record, problem), problem.words)

    def reference(op, problem, recorder):
        wanted = results(record, right, problem.args, np.random.default_rng(6))
        got = results(record, op, problem.args, np.random.default_rng(6))
        for name, value in wanted.items():
            recorder.compare(got.get(name, np.nan), value, f"{name}, {problem.words}", CLOSE)

    def sizes(op, problem, recorder):
        check_size(op, right, record, problem, recorder)

    def contract(op, problem, recorder):
        recorder.statements(check_contract(op, record, problem.args), problem.words)
    every = {"definition": definition, "gradcheck": differences, "reference": reference, "sizes": sizes, "contract": contract}

    def on(check):
        def run(op, rng, recorder):
            for problem in cut(problems(rng), n_args):
                check(op, problem, recorder)
        return run
    return [(kind, on(every[kind])) for kind in kinds]


def own_checks(own):
    """List the checks of an operation of your own."""
    optional = {"definition": own.definition, "reference": own.reference}
    return checks(own.record, own.problems, own.reference,
                  kinds=[kind for kind in ("contract", "definition", "gradcheck", "reference") if optional.get(kind, True)])


def check_size(op, right, record, problem, recorder):
    """Check outputs and gradients at one size; `definition` takes complex arrays."""
    args, rng = problem.args, np.random.default_rng(8)
    y, cache = op.forward(*args)
    wanted = problem.definition(*args)
    recorder.compare(y, wanted, f"{record.outputs[0]}, {problem.words}", MANY)
    places = [k for k in map(record.arguments.index, record.gradients) if k < len(args) and args[k] is not None]
    dy = rng.normal(size=wanted.shape)
    grads = op.backward(dy, cache)
    grads = grads if isinstance(grads, (tuple, list)) else (grads,)
    gaps = maps.transpose_identity(problem.definition, args, places, dy, [g for g in grads if g is not None], rng)
    for k, grad, gap in zip(places, grads, gaps, strict=False):
        name, first = record.arguments[k], ""
        if gap > recorder.allowed(MANY) and right:
            ours = right.backward(dy, right.forward(*args)[1])
            bad = relative(grad, (ours if isinstance(ours, tuple) else (ours,))[places.index(k)]) > recorder.allowed(MANY)
            first = f"{name}{[int(i) for i in np.argwhere(bad)[0]]} (backward)" if bad.any() else ""
        recorder.number(np.inf if np.isnan(gap) else gap, MANY, f"{name}, {problem.words}", np.size(grad), first)


def gradients_by_differences(op, record, problem):
    """Compare backward with differences of forward, in each argument that has a gradient."""
    args, decisions, single = problem.args, problem.decisions, len(record.outputs) == 1
    places = [k for k in map(record.arguments.index, record.gradients) if k < len(args) and args[k] is not None]

    def all_arguments(moved):
        filled = list(args)
        for k, x in zip(places, moved, strict=True):
            filled[k] = x
        return filled

    def forward(*moved):
        *outputs, cache = op.forward(*all_arguments(moved))
        if problem.smooth:
            return problem.smooth(*all_arguments(moved)), (cache, [np.shape(y) for y in outputs])
        return outputs[0] if single else np.concatenate([np.ravel(y) for y in outputs]), (cache, [np.shape(y) for y in outputs])

    def backward(dout, kept):
        cache, shapes = kept
        parts = [dout] if single else np.split(dout, np.cumsum([np.prod(s, dtype=int) for s in shapes])[:-1])
        first, *others = [np.reshape(d, s) for d, s in zip(parts, shapes, strict=True)]
        grads = op.backward(first, cache, *others)
        return tuple(g for g in grads if g is not None) if isinstance(grads, tuple) else grads
    return gradcheck(forward, backward, [args[k] for k in places],
                     lambda moved, *_: SMOOTH if decisions is None else decisions(*all_arguments(moved)),
                     [record.arguments[k] for k in places], n=30)


def _upstream(outputs, rng):
    """Draw a gradient for each output, in its dtype; 0 where it is inf."""
    return [np.where(np.isfinite(y), rng.normal(size=np.shape(y)), 0).astype(np.asarray(y).dtype) for y in outputs]


def results(record, op, args, rng):
    """Run forward, and backward with random gradients of the outputs."""
    *outputs, cache = op.forward(*args)
    first, *others = _upstream(outputs, rng)
    grads = op.backward(first, cache, *others)
    grads = [g for g in (grads if isinstance(grads, (tuple, list)) else (grads,)) if g is not None]
    return dict(zip(record.outputs, outputs, strict=True)) | dict(zip(record.gradients, grads, strict=False))


def check_contract(op, record, args):
    """Check what every operation of this package promises."""
    lines = []
    for dtype in (np.float64, np.float32):
        def like(x, dtype=dtype):
            return np.array(x, dtype) if isinstance(x, np.ndarray) and x.dtype.kind == "f" else x
        given, name = [like(x) for x in args], np.dtype(dtype).name
        *outputs, cache = op.forward(*given)
        first, *others = _upstream(outputs, np.random.default_rng(7))
        once, twice = ([np.copy(g) for g in (grads if isinstance(grads, (tuple, list)) else (grads,))]
                       for grads in (op.backward(first, cache, *others) for _ in range(2)))
        wanted = [np.shape(given[record.arguments.index(g)]) for g in record.gradients if record.arguments.index(g) < len(given)]
        lines += [(f"{name} in, {name} out", all(np.asarray(x).dtype == dtype for x in (*outputs, *once))),
                  (f"a gradient in the shape of each of {', '.join(record.gradients)}, {name}",
                   [g.shape for g in once] == wanted),
                  (f"a second backward on one cache gives the same, {name}",
                   all(np.array_equal(a, b, equal_nan=True) for a, b in zip(once, twice, strict=True))),
                  (f"arguments stay as they are, {name}",
                   all(np.array_equal(a, like(b), equal_nan=isinstance(a, np.ndarray)) for a, b in zip(given, args, strict=True)))]
    return Statements(tuple(lines))


def examples(record, problems, op, right, rng):
    """Run an operation on some problems."""
    for problem in problems:
        *outputs, cache = op.forward(*problem.args)
        first, *others = [rng.normal(size=np.shape(y)) for y in right.forward(*problem.args)[:-1]]
        names = [name for name in record.gradients if record.arguments.index(name) < len(problem.args)]
        yield dict(zip(record.outputs, outputs, strict=True)) | named(names, op.backward(first, cache, *others))
