"""What gradcheck found: as a table, as JSON, as an exception."""

from collections import Counter
from typing import NamedTuple

from ._table import place, plain, table


class Outcome(NamedTuple):
    """What became of one coordinate or direction."""

    kind: str                 # smooth, kink, jump, skipped, at inf
    error: float = 0.0        # relative; above the tolerance means wrong
    said: float | None = None     # by backward
    found: float | None = None    # by differences
    reason: str = ""

    def scaled(self, factor):
        """Convert the slopes from one step length to another."""
        return self if self.said is None else self._replace(said=self.said * factor, found=self.found * factor)


class Row(NamedTuple):
    """One argument, checked by coordinates or along random directions."""

    name: str
    by: str                   # coordinates or directions
    smooth: int               # compared with a central difference
    kinks: int                # compared with two one-sided derivatives
    jumps: int                # not compared: forward is discontinuous here
    skipped: int              # not compared for another reason
    reasons: dict             # why jumps and skipped were not compared -> how many
    at_inf: int               # entries that are inf; backward says 0, as it must
    n_wrong: int
    max_error: float | None   # largest relative error (relative to the condition where that is larger)
    worst: tuple | None       # its index in the argument; for directions, which one
    said: float | None        # by backward, there
    found: float | None       # by differences, there
    verdict: str              # right, WRONG, or unchecked if more was left out than compared

    @property
    def checked(self):
        """How many were compared."""
        return self.smooth + self.kinks


def summarise(name, by, where, outcomes, rtol):
    """Sum up the outcomes of one argument in a row."""
    kinds = Counter(o.kind for o in outcomes)
    reasons = Counter(o.reason for o in outcomes if o.reason)
    compared = [(at, o) for at, o in zip(where, outcomes, strict=True) if o.kind in ("smooth", "kink")]
    n_wrong = sum(o.error > rtol for _, o in compared)
    worst, outcome = max(compared, key=lambda pair: pair[1].error, default=(None, Outcome("skipped", error=None)))
    left_out = kinds["jump"] + kinds["skipped"]
    verdict = "WRONG" if n_wrong else "unchecked" if left_out > len(compared) or not compared else "right"
    return Row(name, by, kinds["smooth"], kinds["kink"], kinds["jump"], kinds["skipped"], dict(reasons),
               kinds["at inf"], n_wrong, outcome.error, worst, outcome.said, outcome.found, verdict)


class Report(NamedTuple):
    """What `gradcheck` found. Print it; ask `ok`; call `raise_if_failed` in tests."""

    rows: tuple
    n_outputs: int
    n_silent: int             # outputs that are inf: not in the loss

    @property
    def ok(self):
        """Whether some output fired, and every argument was compared and found right."""
        return self.n_silent < self.n_outputs and all(row.verdict == "right" for row in self.rows)

    def row(self, name, by="coordinates"):
        """Find the row of one argument."""
        return next(row for row in self.rows if (row.name, row.by) == (name, by))

    def to_dict(self):
        """Turn the report into what JSON can hold; inf and NaN become strings."""
        rows = [{**row._asdict(), "checked": row.checked} for row in self.rows]
        return plain({"ok": self.ok, "n_outputs": self.n_outputs, "n_silent": self.n_silent, "rows": rows})

    def raise_if_failed(self):
        """Raise an AssertionError that holds the table, unless all is right."""
        if not self.ok:
            raise AssertionError(str(self))

    def __str__(self):
        header = ("argument", "by", "checked", "smooth", "kinks", "jumps", "skipped", "wrong", "max error", "at",
                  "verdict")
        cells = [(r.name, r.by, r.checked, r.smooth, r.kinks, r.jumps, r.skipped, r.n_wrong, r.max_error,
                  place(r.worst), r.verdict) for r in self.rows]
        lines = [f"gradcheck: {'backward agrees with forward' if self.ok else 'NOT PASSED'}", table(header, cells)]
        for r in self.rows:
            if r.n_wrong:
                where = place(r.worst) if r.by == "coordinates" else f", direction {r.worst[0]}"
                lines.append(f"{r.name}{where}: backward says {r.said:.9g}, differences say {r.found:.9g}")
            lines += [f"{r.name}, {r.by}: {count} not compared: {reason}" for reason, count in r.reasons.items()]
            if r.at_inf and r.by == "coordinates":
                lines.append(f"{r.name}: at inf (no spike): {r.at_inf}; backward says exactly 0 there, as it must")
        if self.n_silent:
            lines.append(f"{self.n_silent} of {self.n_outputs} outputs are silent: they are not in the loss")
        return "\n".join(lines)
