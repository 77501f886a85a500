"""What was found in released frameworks, as cases that run: each reproduces one finding live, and says which version it ran on.

    bug                    wrong by what the framework says itself, or by arithmetic
    precision              right in exact arithmetic, and less exact than what goes in
    convention             another choice, and as good; who compares must know it
    different definition   another quantity by the same name
    positive control       agrees with ours: the comparison itself works

`findings.CASES["snntorch-sigmoid-nan"].run()` runs one; `findings.run("snntorch")` runs those of a framework. A framework that is not
installed is said to be so, never passed. docs/findings/ has a page for each that its authors may want to know, with a script to run.
"""

from ._finding import LABELS, Case, Seen, installed
from .others import CASES as _others
from .snntorch import CASES as _snntorch
from .spikingjelly import CASES as _spikingjelly

__all__ = ["CASES", "FRAMEWORKS", "LABELS", "Case", "Seen", "installed", "run"]

CASES = {case.name: case for case in _spikingjelly + _snntorch + _others}
"""The cases by name."""

FRAMEWORKS = tuple(dict.fromkeys(case.package for case in CASES.values()))
"""What `run` takes: packages with at least one case."""


def run(framework=None):
    """Run all cases, or those of one framework.

    Parameters
    ----------
    framework : str, optional
        The name of its import or of its package: snntorch, norse, exact-snn-nn, ...; default: all.

    Returns
    -------
    list of Entry
        One a case.

    Raises
    ------
    ValueError
        If no case is about it.
    """
    chosen = [case for case in CASES.values() if framework in (None, case.framework, case.package)]
    if not chosen:
        raise ValueError(f"framework: expected one of {', '.join(sorted(FRAMEWORKS))}, got {framework!r}")
    return [entry for case in chosen for entry in case.run()]
