"""All checks of all operations: run them on ours, by each backend, or on one that somebody else wrote.

An operation under test is a pair, ``forward(*args) -> out, cache`` and ``backward(dout, cache) -> gradients``, with the shapes of the
contract, under the contract's name; a loss is a function (outputs, labels) -> loss, gradient, a learning rule its ``gradients``. The checks
of an operation draw the same cases for the same seed, whoever wrote it.
"""

import zlib
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from ... import losses, training
from ...operations import backend_of
from ..report.ledger import Entry, Ledger, joined
from ..zoo import Op
from . import integrate_fire as suite_spiking
from . import learning as suite_learning
from . import relu as suite_relu
from . import temporal as suite_temporal
from ._book import Book

PLACES = {"temporal": ("temporal", ""), "integrate_fire": ("integrate_fire", ""), "dense": ("dense", "dense_"),
          "conv2d": ("conv", "conv2d_"), "max_pool2d": ("pool", "max_pool2d_"), "avg_pool2d": ("pool", "avg_pool2d_"),
          "batch_norm": ("batch_norm", "batch_norm_"), "relu": ("activations", "relu_")}
"""Where an operation lives: the module, and what stands before forward and backward."""

OPERATIONS = tuple(PLACES)
LOSSES = tuple(suite_relu.LOSSES)
LEARNING = tuple(suite_learning.CASES)
NAMES = (*OPERATIONS, *LOSSES, *LEARNING)
"""All that `run` knows, in its order."""


class Check(NamedTuple):
    """One check of one operation."""

    operation: str
    name: str            # "gradcheck", or with a case, "dynamics: subtract same >="
    run: object          # run(op, rng, book)

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
    backend : {"reference", "numba"}
        What computes it.

    Returns
    -------
    Op or callable
        forward and backward; of a loss or a learning rule the function.

    Raises
    ------
    ValueError, ImportError
        For another name, or when Numba is asked for and not installed.
    """
    known(name)
    if name in LOSSES:
        return getattr(losses, name)
    if name in LEARNING:
        return training.METHODS[name].gradients
    module, prefix = PLACES[name]
    found = backend_of(module, backend)
    return Op(getattr(found, f"{prefix}forward"), getattr(found, f"{prefix}backward"))


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
        One of NAMES.
    few : bool
        Whether fewer cases will do: two rules and two surrogates, two kinds of nets.
    op : Op or callable, optional
        What is under test, if it is not ours.
    backend : {"reference", "numba"}
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
    right = operation(name)
    subject = op if op is not None and not isinstance(op, Op) else None
    if name in LEARNING:
        found = suite_learning.checks(name, right, few, SimpleNamespace(backend=backend))
    elif name in LOSSES:
        found = suite_relu.loss_checks(name, right, few, subject)
    elif name == "temporal":
        found = suite_temporal.checks(right, few, subject)
    elif name == "integrate_fire":
        found = suite_spiking.checks(right, few, subject)
    else:
        found = suite_relu.checks(name, right, few, subject)
    itself = op is None and backend == "reference"
    return [Check(name, what, run) for what, run in found if not (itself and what.split(":")[0] == "reference")]


def apply(check, op, seed=0, label=None):
    """Run one check.

    Parameters
    ----------
    check : Check
        From `checks`.
    op : Op or callable
        What is under test.
    seed : int
        The cases follow from it.
    label : str, optional
        What the ledger calls the operation; default: its name.

    Returns
    -------
    Ledger
        What it found; an operation that raises an error is wrong, and the note says which error.
    """
    book = Book(label or check.operation, check.name)
    rng = np.random.default_rng([seed, zlib.crc32(f"{check.operation} {check.name}".encode())])
    try:
        with np.errstate(all="ignore"):
            check.run(op, rng, book)
    except Exception as error:             # whatever a stranger's code raises is a finding
        said = " ".join(str(error).split())
        book.entries.append(Entry(book.operation, check.name, verdict="WRONG", note=f"{type(error).__name__}: {said}"[:300]))
    errors = np.concatenate([np.ravel(x) for x in book.errors]) if book.errors else np.empty(0)
    return Ledger(tuple(book.entries), {book.operation: errors})


def run(operations=None, backend=None, op=None, seed=0, progress=None, few=False):
    """Run the checks of operations.

    Parameters
    ----------
    operations : sequence of str, optional
        Some of NAMES; default: all.
    backend : {"reference", "numba"}, optional
        What computes ours; default: both, Numba where it is installed.
    op : Op or callable, optional
        An operation to put in the place of ours; then `operations` is the one that it is.
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
    ImportError
        When Numba is asked for and not installed.
    """
    names = list(NAMES if operations is None else operations)
    for name in names:
        known(name)
    if op is not None and len(names) != 1:
        raise ValueError(f"operations: expected the one that op is, got {len(names)}")
    jobs = []
    for name in names:
        for which, label in [(None, name)] if op is not None else _backends(name, backend):
            subject = op if op is not None else operation(name, which)
            jobs += [(check, subject, label) for check in checks(name, few, op, which or "reference")]
    found = []
    for k, (check, subject, label) in enumerate(jobs):
        if progress:
            progress(k, len(jobs), f"{label}, {check.name}")
        found.append(apply(check, subject, seed, label))
    return joined(found)


def _backends(name, backend):
    """List the backends to run and what the ledger calls them; a loss has one, and so has an operation without a kernel."""
    if backend not in (None, "reference", "numba"):
        raise ValueError(f"backend: expected reference or numba, got {backend!r}")
    if name in LOSSES or backend == "reference":
        return [("reference", name)]
    if backend == "numba":
        operation("temporal", "numba")                                   # says so if Numba is missing
    fast = "kernels" in backend_of("temporal" if name in LEARNING else PLACES[name][0], "auto").__name__
    found = [("numba", f"{name} (numba)")] if fast else []
    return found if backend == "numba" and found else [("reference", name), *found]
