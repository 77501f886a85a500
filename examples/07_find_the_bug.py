"""
Find the bug
============

Thirty-six operations with one mistake each; read what the checks say, and name the mistake. Each is right except for one mistake,
from public code or invented. The output is everything that ``pysnn verify`` reports: which checks fail, which pass, and where the
operation first goes wrong. That is enough to find the mistake: ask yourself what each check can see, and what it cannot.

Run::

    python examples/07_find_the_bug.py                    lists the names to choose from
    python examples/07_find_the_bug.py 3                  shows the third exercise
    python examples/07_find_the_bug.py 3 slope_ignored    marks your answer
"""

import random
import sys
from importlib.util import find_spec

from pysnn.verify import suite, zoo

# %%
# The mistakes are those of ``pysnn.verify.zoo``, shuffled.


def exercises():
    """Return the faults in an order that gives nothing away."""
    names = sorted(zoo.every())
    random.Random(7).shuffle(names)
    return names


# %%
# An exercise runs the checks that fit the operation, and prints what they say: not the mistake, not the code.


def show(number):
    """Print what the checks say of an exercise; return the ledger."""
    fault = zoo.every()[exercises()[number - 1]]
    operation = fault.operation
    ledger = suite.run([operation], op=fault.inject(suite.operation(operation)), few=True)
    print(f"Exercise {number}: {operation}, with one mistake\n")
    for entry in ledger.summary().entries:
        print(f"  {entry.check:<20}{'passes' if entry.verdict == 'right' else 'FAILS'}")
    print("\nwhere each first goes wrong:")
    for checks in ledger.groups().values():
        for kind, (entry, *_) in checks.items():
            print(f"  {kind}: {entry.argument}: {entry.first or 'everywhere'}; {entry.note}")
    return ledger


def mark(number, answer):
    """Say whether the answer is right; return it."""
    fault = zoo.every()[exercises()[number - 1]]
    right = answer == fault.name
    print(f"Right. {fault.description} ({fault.source})" if right else "No, it is another one.")
    return right


def main(*args):
    """List, show or mark."""
    if not args:
        print("the mistakes, by name: " + ", ".join(sorted(zoo.every())))
        return print(f"python examples/07_find_the_bug.py NUMBER shows an exercise, 1 to {len(zoo.every())}")
    if not args[0].isdecimal() or not 1 <= int(args[0]) <= len(zoo.every()):
        raise SystemExit(f"expected the number of an exercise, 1 to {len(zoo.every())}, got {args[0]!r}")
    if len(args) > 1 and args[1] not in zoo.every():
        raise SystemExit(f"expected one of {', '.join(sorted(zoo.every()))}, got {args[1]!r}")
    return mark(int(args[0]), args[1]) if len(args) > 1 else show(int(args[0]))


# %%
# The third of them. Which name would you give? The picture shows all numbers that were compared: a mistake lifts some of them far above
# rounding, and leaves others alone.
if __name__ == "__main__":
    ledger = main(*sys.argv[1:])
    if len(sys.argv) == 2 and find_spec("matplotlib"):
        from pysnn import plots
        print("\n" + str(plots.save(ledger.plot(), "figures/07-errors.png")))
