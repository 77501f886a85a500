"""Which check catches which fault of the zoo, and which does not."""

from typing import NamedTuple

from .. import suite
from ..report._table import plain, table
from . import every


class Caught(NamedTuple):
    """The checks of the suite on one fault."""

    fault: object        # pysnn.verify.zoo.Fault
    by: dict             # kind of check -> the entry that caught it, or None if the fault passed

    @property
    def ok(self):
        """Whether the check that the fault names caught it."""
        return self.by.get(self.fault.caught_by) is not None


class Catch(NamedTuple):
    """Which check catches which fault, from `catch`. Print it; ask `ok`."""

    faults: tuple        # of Caught
    right: tuple         # ledgers of the operations without a fault, which have to pass

    @property
    def ok(self):
        """Whether each fault was caught by the check that it names, and no right operation was."""
        return all(c.ok for c in self.faults) and all(ledger.ok for ledger in self.right)

    @property
    def kinds(self):
        """All kinds of checks.

        Returns
        -------
        list of str
            In the order of the suite.
        """
        return list(dict.fromkeys(kind for c in self.faults for kind in c.by))

    def to_dict(self):
        """Turn it into what JSON can hold.

        Returns
        -------
        dict
            ok; faults: name, source, description, operation, caught_by and missed_by (lists of checks), first (where it diverges);
            right: the ledgers of the operations without a fault.
        """
        faults = [{"name": c.fault.name, "source": c.fault.source, "description": c.fault.description, "operation": c.fault.operation,
                   "named_check": c.fault.caught_by, "caught_by": [k for k, e in c.by.items() if e],
                   "missed_by": [k for k, e in c.by.items() if not e],
                   "first": c.by[c.fault.caught_by].first if c.ok else ""} for c in self.faults]
        return plain({"ok": self.ok, "faults": faults, "right": [ledger.summary().to_dict() for ledger in self.right]})

    def __str__(self):
        rows = [(c.fault.name, c.fault.source, c.fault.operation, ", ".join(k for k, e in c.by.items() if e) or "NOTHING",
                 ", ".join(k for k, e in c.by.items() if not e) or "-") for c in self.faults]
        lines = [table(("fault", "source", "put into", "caught by", "passes"), rows)]
        n = sum(c.ok for c in self.faults)
        lines.append(f"{n} of {len(self.faults)} faults are caught by the check that they name")
        wrong = [ledger.failed[0] for ledger in self.right if not ledger.ok]
        lines += [f"FALSE ALARM without a fault: {e.operation}, {e.check}: {e.note}" for e in wrong]
        return "\n".join(lines if wrong else [*lines, "without a fault, the same operations pass all checks"])


def catch(names=None, seed=0, progress=None):
    """Run all checks of an operation on each of its faults, and on the operation without a fault.

    Parameters
    ----------
    names : sequence of str, optional
        Which faults; default: all.
    seed : int
        For the cases of the checks.
    progress : callable, optional
        Called with one line of text before each fault.

    Returns
    -------
    Catch
        Which check catches which fault, and which does not.

    Raises
    ------
    ValueError
        If a name is unknown.
    """
    zoo = every()
    if unknown := [name for name in names or () if name not in zoo]:
        raise ValueError(f"fault: expected some of {', '.join(zoo)}, got {unknown[0]!r}")
    caught, right = [], {}
    for fault in (zoo[name] for name in names or zoo):
        name = fault.operation
        if progress:
            progress(f"{fault.name}, put into {name}")
        ours = suite.operation(name)
        if name not in right:
            right[name] = suite.run([name], op=ours, seed=seed, few=True)
        by = {}
        for entry in suite.run([name], op=fault.inject(ours), seed=seed, few=True).entries:
            kind = entry.check.split(":")[0]
            by[kind] = by.get(kind) or (entry if entry.verdict == "WRONG" else None)
        caught.append(Caught(fault, by))
    return Catch(tuple(caught), tuple(right.values()))
