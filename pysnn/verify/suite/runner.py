"""Find the checks of an operation by its name, and run them."""

import zlib
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from ... import operations as table
from ...foreign import NoAnswer, one_line
from .. import golden
from ..report.ledger import CONVENTION, RIGHT, UNJUDGED, Entry, Ledger, joined
from . import _plain as plain
from . import contract, delays, event_prop, integrate_fire, leaky, learning, losses, relu, spike_times, temporal, temporal_conv, theta
from ._recorder import Recorder
from ._watched import Watched

SUITE = {**temporal.SUITE, **delays.SUITE, **temporal_conv.SUITE, **spike_times.SUITE, **theta.SUITE, **event_prop.SUITE,
         **integrate_fire.SUITE, **leaky.SUITE, **relu.SUITE, **losses.SUITE, **learning.SUITE}
"""All that has checks, by name."""

OPERATIONS = tuple(table.OPERATIONS)
LOSSES = tuple(losses.SUITE)
LEARNING = tuple(learning.SUITE)
NAMES = tuple(SUITE)
ROUNDINGS = 256.0              # how many eps times its unit a number of somebody else's may be off a golden vector: sums have many orders
SEED = 20                      # of the examples


class Check(NamedTuple):
    """One check of one operation."""

    operation: str
    name: str            # "gradcheck", or with a case, "dynamics: subtract same >="
    run: object          # run(op, rng, recorder)

    @property
    def kind(self):
        """The name without the case.

        Returns
        -------
        str
            Such as "dynamics".
        """
        return self.name.split(":")[0]


def operation(name, backend="reference"):
    """Return one of our operations.

    Parameters
    ----------
    name : str
        One of NAMES.
    backend : {"reference", "numba", "cuda"}
        What computes it.

    Returns
    -------
    Pair or callable
        forward and backward; of a loss or a learning rule the function.

    Raises
    ------
    ValueError, ImportError, RuntimeError
        For another name, or when Numba or CUDA is asked for and not installed, or no GPU is found.
    """
    known(name)
    return SUITE[name].load(backend)


def known(name):
    """Refuse a name that is no operation.

    Parameters
    ----------
    name : str
        What somebody asked for.

    Raises
    ------
    ValueError
        Unless it is one of NAMES.
    """
    if name not in NAMES:
        raise ValueError(f"operation: expected one of {', '.join(NAMES)}, got {name!r}")


def checks(name, few=False, op=None, backend="reference"):
    """List the checks of an operation.

    Parameters
    ----------
    name : str
        One of NAMES; of an `Own`, its name.
    few : bool
        Whether fewer cases will do: two rules and two surrogates, two kinds of nets.
    op : Pair, Own or callable, optional
        What is under test, if it is not ours.
    backend : {"reference", "numba", "cuda"}
        What computes ours.

    Returns
    -------
    list of Check
        In the order in which `run` runs them. The comparison with the reference is missing where the reference itself is under test.

    Raises
    ------
    ValueError
        For another name.
    """
    if isinstance(op, plain.Own):
        return [Check(name, what, run) for what, run in plain.own_checks(op)]
    right = operation(name)
    limits = SimpleNamespace(backend=backend) if name in LEARNING else None if isinstance(op, table.Pair) else op
    itself = op is None and backend == "reference"
    listed = SUITE[name].checks(right, few, limits) + _promises(name, limits)
    return [Check(name, what, run) for what, run in listed if not (itself and what.split(":")[0] == "reference")]


def _promises(name, subject):
    """List the check of what every operation promises; of an operation with its own limits, the golden vectors that it can run, too."""
    def promises(op, rng, recorder):
        for call in SUITE[name].calls(rng, subject):
            contract.check(op, table.OPERATIONS[name], call, recorder)

    def vectors(op, rng, recorder):
        recorder.entries += golden.check(op, name, np.float32 if recorder.single else np.float64, chosen=fitting, roundings=ROUNDINGS)
    fitting = subject.golden() if hasattr(subject, "golden") else []
    return [("contract", promises)] * bool(SUITE[name].calls) + [("golden vectors", vectors)] * bool(fitting)


def examples(name, op, subject=None):
    """Run an operation on a few fixed arguments: to see its shapes, and to recognise a known mistake by its numbers.

    Parameters
    ----------
    name : str
        One of NAMES, but no learning rule; of an `Own` with a reference, its name.
    op : Pair, Own or callable
        What is under test.
    subject : object, optional
        What limits the cases, as for `checks`.

    Returns
    -------
    list of dict
        One a case: name of an output or gradient -> array.
    """
    rng = np.random.default_rng(SEED)
    with np.errstate(all="ignore"):
        if isinstance(subject, plain.Own):
            return list(plain.examples(subject.record, subject.problems(rng), op, subject, rng))
        return list(SUITE[name].examples(op, operation(name), rng, subject))


def apply(check, op, seed=0, label=None):
    """Run one check.

    Parameters
    ----------
    check : Check
        From `checks`.
    op : Pair, Own or callable
        What is under test.
    seed : int
        The cases follow from it.
    label : str, optional
        What the ledger calls the operation; default: its name.

    Returns
    -------
    Ledger
        Its entries; an operation that raises an error is wrong, and the note says which error. An error of the check itself is not: the
        entry says that it could not judge.

    Raises
    ------
    NoAnswer
        If there is nothing to judge: the operation leaves its process, or is stopped.
    """
    recorder = Recorder(label or check.operation, check.name, getattr(op, "single", False))
    watched = Watched(getattr(op, "record", None) or table.OPERATIONS.get(check.operation), op)
    rng = np.random.default_rng([seed, zlib.crc32(f"{check.operation} {check.name}".encode())])
    try:
        with np.errstate(all="ignore"):
            check.run(watched, rng, recorder)
    except NoAnswer:
        raise
    except Exception as error:             # of the code under test it is a result
        verdict, note = ("WRONG", watched.fault) if watched.fault else (UNJUDGED, f"could not judge: {one_line(error)}")
        recorder.entries.append(Entry(recorder.operation, check.name, verdict=verdict, note=note))
    errors = np.concatenate([np.ravel(x) for x in recorder.errors]) if recorder.errors else np.empty(0)
    if words := getattr(op, "convention", ""):
        recorder.entries = [e._replace(verdict=CONVENTION, note=f"right, {words}") if e.verdict == RIGHT else e for e in recorder.entries]
    return Ledger(tuple(recorder.entries), {recorder.operation: errors})


def run(operations=None, backend=None, op=None, seed=0, progress=None, few=False):
    """Run the checks of operations.

    Parameters
    ----------
    operations : sequence of str, optional
        Some of NAMES; default: all, or the name of `op` if it is an `Own`.
    backend : {"reference", "numba", "cuda"}, optional
        What computes ours; default: the reference, and Numba where it is installed.
    op : Pair, Own or callable, optional
        An operation to put in the place of ours, then `operations` is the one that it is; or one that the package does not know.
    seed : int
        The cases follow from it.
    progress : callable, optional
        Called as ``progress(k, n, words)`` before each check.
    few : bool
        As for `checks`.

    Returns
    -------
    Ledger
        Print it; ask `ok`.

    Raises
    ------
    ValueError
        For an unknown operation or backend, or an op without the one operation that it is.
    ImportError, RuntimeError
        When Numba or CUDA is asked for and not installed, or no GPU is found.
    """
    if isinstance(op, plain.Own):
        operations = [op.operation]
    names = list(NAMES if operations is None else operations)
    for name in names if not isinstance(op, plain.Own) else ():
        known(name)
    if op is not None and len(names) != 1:
        raise ValueError(f"operations: expected the one that op is, got {len(names)}")
    jobs = []
    for name in names:
        for which, label in [("reference", name)] if op is not None else _backends(name, backend):
            tested = op if op is not None else operation(name, which)
            jobs += [(check, tested, label) for check in checks(name, few, op, which)]
    ledgers = []
    for k, (check, tested, label) in enumerate(jobs):
        if progress:
            progress(k, len(jobs), f"{label}, {check.name}")
        try:
            ledgers.append(apply(check, tested, seed, label))
        except NoAnswer as error:          # what is known so far
            ledgers.append(Ledger((Entry(label, check.name, verdict=UNJUDGED, note=str(error)),)))
            break
    return joined(ledgers)


def _backends(name, backend):
    """List the backends to run and what the ledger calls them; a loss has one, and so has an operation without a kernel."""
    if backend not in (None, *table.BACKENDS):
        raise ValueError(f"backend: expected one of {', '.join(table.BACKENDS)}, got {backend!r}")
    if backend in ("numba", "cuda"):
        table.backend_of("temporal", backend)                       # says so if it is missing
    module = SUITE[name].module
    if not module or backend == "reference":
        return [("reference", name)]
    if backend == "cuda":
        return [("cuda", f"{name} (cuda)")]
    has_kernel = "kernels" in table.backend_of(module, "auto").__name__
    kernels = [("numba", f"{name} (numba)")] if has_kernel else []
    return kernels if backend == "numba" and kernels else [("reference", name), *kernels]
