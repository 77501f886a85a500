"""The ledger of many checks: one line a check and argument, as a table, as JSON, as a figure, as an exception.

Every check of this package ends in entries. `from_report`, `from_comparison`, `from_definition`, `from_statements` and `from_number` turn
the results of the single checks into them.
"""

from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from ._table import plain, table

HEADER = ("operation", "argument", "check", "checked", "max rel. error", "ulps", "condition", "kinks", "skipped", "verdict")
RIGHT, CONVENTION, WRONG, UNCHECKED, UNJUDGED = "right", "convention", "WRONG", "unchecked", "unjudged"
GOOD = RIGHT, CONVENTION           # convention: right, but by another convention than the contract's; the note says which


class Entry(NamedTuple):
    """The result of one check, for one argument or output of one operation."""

    operation: str
    check: str
    argument: str = ""
    n_checked: int = 0
    max_error: float | None = None    # relative; inf for NaN, or a spike against none
    ulps: float | None = None         # the same in units of the last place of what was wanted
    condition: float | None = None    # largest condition number met
    kinks: int = 0                    # compared with one-sided derivatives
    skipped: int = 0                  # not compared, jumps among them; note says why
    verdict: str = RIGHT              # right, convention, WRONG, unchecked (more left out than compared), unjudged (it did not end)
    note: str = ""
    first: str = ""                   # where it diverges first, in words: "layer 2, step 3, neuron 7"


class Ledger(NamedTuple):
    """Entries, and the relative errors behind them. Print it; ask `ok`; call `raise_if_failed` in tests."""

    entries: tuple
    errors: object = MappingProxyType({})     # operation -> array of relative errors, one a number compared

    @property
    def ok(self):
        """Whether there are entries, and all of them are right, by the contract or by another convention."""
        return bool(self.entries) and all(e.verdict in GOOD for e in self.entries)

    @property
    def failed(self):
        """The entries that are not right.

        Returns
        -------
        tuple of Entry
            In their order.
        """
        return tuple(e for e in self.entries if e.verdict not in GOOD)

    def groups(self):
        """Collect what failed by operation and kind of check.

        Returns
        -------
        dict of str to dict of str to list of Entry
            operation -> check, without its case -> entries that are not right.
        """
        groups = {}
        for e in self.failed:
            groups.setdefault(e.operation, {}).setdefault(e.check.split(":")[0], []).append(e)
        return groups

    def summary(self):
        """Sum up the entries of each check of each operation, over arguments and cases.

        Returns
        -------
        Ledger
            One entry for each operation and check, in the order in which they came first; counts are summed, errors the largest.
        """
        groups = {}
        for e in self.entries:
            groups.setdefault((e.operation, e.check.split(":")[0]), []).append(e)
        return self._replace(entries=tuple(_sum_up(*key, entries) for key, entries in groups.items()))

    def to_dict(self):
        """Turn the ledger into what JSON can hold; inf and NaN become strings.

        Returns
        -------
        dict
            ok, n_right, n_convention, n_wrong, n_unchecked, n_unjudged, n_checked, n_skipped; entries as dicts; errors: by operation
            how many, the median, the largest, and counts by decade (the exponent of 10; "0": exactly 0).
        """
        verdicts = [e.verdict for e in self.entries]
        errors = {name: _distribution(x) for name, x in self.errors.items() if np.size(x)}
        counts = {f"n_{v.lower()}": verdicts.count(v) for v in (RIGHT, CONVENTION, WRONG, UNCHECKED, UNJUDGED)}
        return plain({"ok": self.ok, **counts, "n_checked": sum(e.n_checked for e in self.entries),
                      "n_skipped": sum(e.skipped for e in self.entries), "entries": [e._asdict() for e in self.entries],
                      "errors": errors})

    def raise_if_failed(self):
        """Raise an AssertionError that holds the table of what failed, unless all is right."""
        if not self.ok:
            raise AssertionError(str(Ledger(self.failed)) if self.entries else "nothing was checked")

    def plot(self):
        """Draw the distribution of the relative errors, one line an operation.

        Returns
        -------
        matplotlib.figure.Figure
            Shaded: how many numbers had which error. Marks: the largest error of each check, a circle if right, a cross if wrong.

        Raises
        ------
        ImportError
            If matplotlib is missing; the message says what to install.
        """
        from . import _plot
        return _plot.ridges(self)

    def __str__(self):
        rows = [(e.operation, e.argument, e.check, e.n_checked, e.max_error, e.ulps, e.condition, e.kinks, e.skipped, e.verdict)
                for e in self.entries]
        lines = [table(HEADER, rows)] if rows else ["nothing was checked"]
        lines += [f"{e.operation}, {e.check}{', ' + e.argument if e.argument else ''}: {words}" for e in self.entries if (words := says(e))]
        return "\n".join(lines)


def says(entry):
    """Return in one line what an entry holds besides its numbers.

    Parameters
    ----------
    entry : Entry
        Any.

    Returns
    -------
    str
        Where it first diverges, and its note; "" if there is neither.
    """
    place = f"first diverges at {entry.first}" if entry.first else ""
    return "; ".join(x for x in (place, entry.note) if x)


def joined(ledgers):
    """Put several ledgers into one.

    Parameters
    ----------
    ledgers : iterable of Ledger
        In the order wanted.

    Returns
    -------
    Ledger
        All entries, all errors.
    """
    ledgers = list(ledgers)
    errors = {}
    for ledger in ledgers:
        for name, x in ledger.errors.items():
            errors[name] = np.concatenate([errors.get(name, np.empty(0)), np.ravel(x)])
    return Ledger(tuple(e for ledger in ledgers for e in ledger.entries), errors)


def from_report(report, operation, check, first=""):
    """Turn a report of `gradcheck` into entries, one an argument.

    Parameters
    ----------
    report : pysnn.verify.Report
        From `gradcheck` or `frozen_offset_check`.
    operation, check : str
        What was checked, and how.
    first : str
        Where it first diverges; default: the worst place of the argument.

    Returns
    -------
    list of Entry
        Coordinates and directions of an argument together.
    """
    entries = []
    for name in dict.fromkeys(row.name for row in report.rows):
        rows = [row for row in report.rows if row.name == name]
        verdicts = [row.verdict for row in rows]
        verdict = WRONG if WRONG in verdicts else UNCHECKED if UNCHECKED in verdicts else RIGHT
        reasons = {}
        for row in rows:
            for reason, n in row.reasons.items():
                reasons[reason] = reasons.get(reason, 0) + n
        notes = [f"{n} not compared: {reason}" for reason, n in reasons.items()]
        where = ""
        if verdict == WRONG:
            row = next(r for r in rows if r.verdict == WRONG)
            at = f"{name}{list(row.worst)}" if row.by == "coordinates" else f"{name}, direction {row.worst[0]}"
            where = first or at
            notes.insert(0, f"{row.n_wrong} of {row.checked} wrong, the worst at {at}: backward says {row.by_backward:.6g}, "
                            f"differences say {row.by_differences:.6g}")
        if report.n_silent == report.n_outputs:
            verdict, notes = UNCHECKED, [*notes, "all outputs are silent"]
        entries.append(Entry(operation, check, name, sum(r.checked for r in rows), _largest(r.max_error for r in rows),
                             kinks=sum(r.kinks for r in rows), skipped=sum(r.jumps + r.skipped for r in rows),
                             verdict=verdict, note="; ".join(notes), first=where))
    return entries


def from_comparison(comparison, operation, check, first=""):
    """Turn a comparison into entries, one an output.

    Parameters
    ----------
    comparison : pysnn.verify.Comparison
        From `compare`, `check_dynamics`, `complex_step_check`.
    operation, check : str
        What was checked, and how.
    first : str
        Where it first diverges; default: the first entry out of tolerance.

    Returns
    -------
    list of Entry
        In the order of the outputs.
    """
    entries = []
    for item in comparison.items:
        wrong = item.verdict == "DIFFERENT"
        place = first or (f"{item.name}{list(item.first)}" if item.first is not None else "")
        notes = [f"{item.n_different} of {item.size} differ" if wrong else "",
                 f"got {item.got:.6g}, wanted {item.wanted:.6g} at {list(item.first)}" if wrong and item.first is not None else "",
                 item.why]
        verdict = WRONG if wrong else RIGHT if item.size else UNCHECKED
        entries.append(Entry(operation, check, item.name, item.size, item.max_rel, verdict=verdict,
                             note="; ".join(x for x in notes if x), first=place if wrong else ""))
    return entries


def from_definition(result, operation, check="definition", argument="z_out", first=""):
    """Turn a result of `check_definition` into an entry.

    Parameters
    ----------
    result : pysnn.verify.witness.temporal.Definition
        Deviations from the definition of the temporal neuron.
    operation, check, argument : str
        What was checked, and how.
    first : str
        Where it first diverges.

    Returns
    -------
    list of Entry
        One; max_error is the largest deviation of V in units of the threshold.
    """
    worst = float(max(result.at_spike, result.before, result.silent, 0.0))
    note = "" if result.ok else f"V misses the threshold by {worst:.3g}, {result.in_rounding:.3g} times what rounding explains"
    note = "no spike time: NaN, 0 or less" if worst == np.inf else note
    return [Entry(operation, check, argument, result.n_fired + result.n_silent, worst, verdict=RIGHT if result.ok else WRONG, note=note,
                  first="" if result.ok else first)]


def from_statements(result, operation, check, argument=""):
    """Turn a list of statements that hold or do not into an entry.

    Parameters
    ----------
    result : pysnn.verify.witness.relu.Statements
        From `check_statistics`, `check_ties`.
    operation, check, argument : str
        What was checked, and how.

    Returns
    -------
    list of Entry
        One; the note holds the statements that do not hold.
    """
    broken = [what for what, good in result.lines if not good]
    return [Entry(operation, check, argument, len(result.lines), verdict=WRONG if broken else RIGHT,
                  note=f"does not hold: {'; '.join(broken)}" if broken else "")]


def from_number(value, limit, operation, check, argument="", n=1, first=""):
    """Turn a deviation that must not exceed a limit into an entry.

    Parameters
    ----------
    value, limit : float
        What came, NaN for nothing to check, and what is allowed.
    operation, check, argument : str
        What was checked, and how.
    n : int
        How many numbers stand behind it.
    first : str
        Where it first diverges.

    Returns
    -------
    list of Entry
        One.
    """
    value = float(value)
    verdict = UNCHECKED if np.isnan(value) else RIGHT if value <= limit else WRONG
    note = {RIGHT: "", WRONG: f"{value:.3g} instead of at most {limit:.0e}", UNCHECKED: "nothing to check"}[verdict]
    return [Entry(operation, check, argument, n, value, verdict=verdict, note=note, first=first if verdict == WRONG else "")]


def _largest(values):
    """Return the largest number, inf for NaN; None if all are None."""
    known = [float(x) if x == x else np.inf for x in values if x is not None]
    return max(known, default=None)


def _sum_up(operation, check, entries):
    verdicts = [e.verdict for e in entries]
    worst = next((e for v in (WRONG, UNJUDGED, UNCHECKED) for e in entries if e.verdict == v), None)
    arguments = list(dict.fromkeys(e.argument.split(", ")[0] for e in entries if e.argument))       # the case comes behind a comma
    note = "" if worst is None else f"{sum(v not in GOOD for v in verdicts)} of {len(verdicts)} entries fail; {worst.check}"
    note = f"{note}{', ' + worst.argument if worst.argument else ''}: {worst.note}" if worst else ""
    other = next((e for e in entries if e.verdict == CONVENTION), None)
    note = note or (other.note if other else "")
    return Entry(operation, check, ", ".join(arguments) if len(arguments) < 6 else f"{len(arguments)} arguments",
                 sum(e.n_checked for e in entries), _largest(e.max_error for e in entries), _largest(e.ulps for e in entries),
                 _largest(e.condition for e in entries), sum(e.kinks for e in entries), sum(e.skipped for e in entries),
                 worst.verdict if worst else other.verdict if other else RIGHT, note, worst.first if worst else "")


def _distribution(x):
    x = np.ravel(np.asarray(x, float))
    finite = x[np.isfinite(x)]
    decades = {"0": int((finite == 0).sum())}
    exponents, counts = np.unique(np.floor(np.log10(finite[finite > 0])).astype(int), return_counts=True)
    decades |= {str(k): int(n) for k, n in zip(exponents, counts, strict=True)}
    return {"n": x.size, "n_not_finite": int(x.size - finite.size), "median": float(np.median(x)), "max": float(x.max()),
            "decades": decades}
