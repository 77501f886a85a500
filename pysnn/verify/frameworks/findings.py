"""Findings about released frameworks. Each can be run: it shows itself anew, and says which version it ran on.

    bug                    wrong by what the framework says itself, or by arithmetic
    precision              right in exact arithmetic, and less exact than what goes in
    convention             another choice, and as good; who compares must know it
    different definition   another quantity by the same name
    positive control       agrees with ours: the comparison itself works

`findings.CASES["snntorch-sigmoid-nan"].run()` runs one; `findings.run("snntorch")` runs those of a framework. One about a framework
that is not installed says so; it never passes. docs/findings/ has a page for each that its authors may want to know, with a script to run.
"""

from ._finding import LABELS, Finding, Observation, installed
from .norse import CASES as _norse
from .others import CASES as _others
from .rockpool import CASES as _rockpool
from .sinabs import CASES as _sinabs
from .snntorch import CASES as _snntorch
from .spikingjelly import CASES as _spikingjelly
from .spyx import CASES as _spyx

__all__ = ["CASES", "FRAMEWORKS", "LABELS", "Case", "Finding", "Observation", "installed", "run"]

Case = Finding          # its name in version 0.1

CASES = {finding.name: finding for finding in _spikingjelly + _snntorch + _norse + _sinabs + _rockpool + _spyx + _others}
"""The findings by name."""

FRAMEWORKS = tuple(dict.fromkeys(finding.package for finding in CASES.values()))
"""What `run` takes: packages with at least one finding."""


def run(framework=None):
    """Run all findings, or those about one framework.

    Parameters
    ----------
    framework : str, optional
        The name of its import or of its package: snntorch, norse, exact-snn-nn, ...; default: all.

    Returns
    -------
    list of Entry
        One a finding.

    Raises
    ------
    ValueError
        If no finding is about it.
    """
    chosen = [finding for finding in CASES.values() if framework in (None, finding.framework, finding.package)]
    if not chosen:
        raise ValueError(f"framework: expected one of {', '.join(sorted(FRAMEWORKS))}, got {framework!r}")
    return [entry for finding in chosen for entry in finding.run()]
