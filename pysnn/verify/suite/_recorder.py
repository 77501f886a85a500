"""What the checks of the suite share: the record of what is checked, the recorder of results, the measure of an error."""

from typing import NamedTuple

import numpy as np

from ..report import ledger
from ..report.ledger import Entry

EPS = np.finfo(np.float64).eps
SINGLE = 1e-4              # what is allowed of results in float32
SMALL = 1e-3               # errors are relative to the number, or to this share of the largest in its array where the number is smaller


class Checked(NamedTuple):
    """One operation, loss or learning rule, as the suite checks it; `subject` is what limits the cases, such as `student.Subject`."""

    load: object             # load(backend) -> ours
    checks: object           # checks(right, few, subject) -> [(name of a check, check(op, rng, recorder))]
    examples: object = None  # examples(op, right, rng, subject) -> for each of some fixed cases {output or gradient: array}
    module: str = ""         # the file whose backends compute it; "": there is only one way
    calls: object = None     # calls(rng, subject) -> where to check what every operation promises, of `contract`


class Recorder:
    """Collect the entries of one check of one operation, and the relative errors behind them.

    Parameters
    ----------
    operation, check : str
        As they stand in the ledger.
    single : bool
        Whether what is under test computes in float32.
    """

    def __init__(self, operation, check, single=False):
        self.operation, self.check, self.single, self.entries, self.errors = operation, check, single, [], []

    def report(self, report, argument="", first=""):
        """Take a report of `gradcheck`; `argument` says which case it was."""
        self._add(ledger.from_report(report, self.operation, self.check, first), argument)
        self.errors += [np.array([row.max_error]) for row in report.rows if row.max_error is not None]

    def statements(self, result, argument=""):
        """Take statements that hold or do not."""
        self._add(ledger.from_statements(result, self.operation, self.check, argument))

    def definition(self, result, argument, first=""):
        """Take deviations from the definition of the temporal neuron."""
        self._add(ledger.from_definition(result, self.operation, self.check, argument, first))
        self.errors.append(np.array([self.entries[-1].max_error]))

    def number(self, value, limit, argument, n=1, first=""):
        """Take a deviation that must not exceed a limit."""
        self._add(ledger.from_number(value, self.allowed(limit), self.operation, self.check, argument, n, first))
        self.errors.append(np.array([value]))

    def compare(self, got, wanted, argument, limit, first="", condition=None):
        """Take an array and what it should be; a callable `first` turns the mask of places out of tolerance into words for the first."""
        got, wanted = np.asarray(got), np.asarray(wanted)
        if got.shape != wanted.shape:
            self.entries.append(Entry(self.operation, self.check, argument, wanted.size, np.inf, verdict="WRONG",
                                      note=f"expected shape {wanted.shape}, got {got.shape}"))
            return
        error = relative(got, wanted, 0.1 if self.single else SMALL)
        bad = ~(error <= self.allowed(limit))
        note = ""
        if bad.any():
            at = tuple(int(i) for i in np.argwhere(bad)[0])
            first = first(bad) if callable(first) else first or f"{argument}{list(at)}"
            note = f"{int(bad.sum())} of {bad.size} differ; got {got[at]:.6g}, wanted {wanted[at]:.6g}"
        worst = float(error.max(initial=0))
        self.entries.append(Entry(self.operation, self.check, argument, got.size, worst, worst / EPS, condition,
                                  verdict="WRONG" if bad.any() else "right", note=note, first=first if bad.any() else ""))
        self.errors.append(error.ravel())

    def allowed(self, limit):
        """Return what is allowed: more of results in float32."""
        return np.maximum(limit, SINGLE) if self.single else limit

    def _add(self, entries, case=""):
        self.entries += [e._replace(argument=f"{e.argument}, {case}") if case and case != e.argument else e for e in entries]


def relative(got, wanted, small=SMALL):
    """Measure errors: relative to what was wanted, or to a thousandth of the largest where it is smaller; inf for NaN and lost spikes."""
    got, wanted = np.asarray(got, float), np.asarray(wanted, float)
    finite = np.isfinite(got) & np.isfinite(wanted)
    size = np.abs(np.where(np.isfinite(wanted), wanted, 0))
    size = np.maximum(size, small * size.max(initial=0))
    gap = np.abs(np.where(finite, got, 0) - np.where(finite, wanted, 0))
    error = np.where(gap == 0, 0.0, np.divide(gap, size, out=np.full(gap.shape, np.inf), where=size > 0))
    return np.where(finite | (got == wanted), error, np.inf)


def place(index, *axes):
    """Write an index in words, counted from 0 as in code: place((3, 0, 7), "step", "sample", "neuron")."""
    index = [int(i) for i in index]
    words = [f"{name} {i}" for name, i in zip(axes, index, strict=False)]
    return ", ".join(words) if len(index) <= len(axes) else f"{', '.join(words[:-1])}, {axes[-1]} {index[len(axes) - 1:]}"


def named(names, grads):
    """Name what a backward pass returned; None is no gradient."""
    grads = [g for g in (grads if isinstance(grads, (tuple, list)) else (grads,)) if g is not None]
    return dict(zip([f"gradient of {name}" for name in names], grads, strict=False)) | {"n_gradients": np.array(float(len(grads)))}
