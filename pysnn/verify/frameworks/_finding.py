"""What a finding is: what it says, about which release, how it is looked at, and how what it shows is judged."""

import importlib.metadata
import importlib.util
import warnings
from typing import NamedTuple

from ..report.ledger import RIGHT, UNCHECKED, WRONG, Entry
from .adapters import INSTALL, needed

LABELS = ("bug", "precision", "convention", "different definition", "positive control")


class Seen(NamedTuple):
    """What one run showed."""

    as_described: bool           # whether it is what the case says
    n: int                       # numbers compared
    error: float | None          # the largest deviation, relative where that makes sense; inf for NaN
    shown: str                   # the numbers, in words
    first: str = ""              # where it shows first


NOTHING = Seen(False, 0, None, "")


class Case(NamedTuple):
    """One finding in one release."""

    name: str
    framework: str               # the name of its import
    package: str                 # its name on the package index
    version: str                 # the release looked at
    label: str                   # one of LABELS
    says: str                    # the finding, in a sentence
    look: object                 # look() -> Seen
    page: str = ""               # in docs/findings, if its authors may want to know

    @property
    def versions(self):
        """The release looked at, as pip writes it."""
        return f"{self.package}=={self.version}"

    def run(self):
        """Run the case and judge it.

        Returns
        -------
        list of Entry
            One. A bug or a loss of precision that shows is WRONG, and right once it has gone; a convention, a different definition and a
            positive control are right where they are as described. Without the framework: unchecked, with what to install.
        """
        return [_judged(self)]


def installed(case):
    """Say which version of a case's framework is there.

    Parameters
    ----------
    case : Case
        One of CASES.

    Returns
    -------
    str or None
        None if there is none, or one that cannot be found by its package name.
    """
    try:
        return importlib.metadata.version(case.package) if importlib.util.find_spec(case.framework) else None
    except importlib.metadata.PackageNotFoundError:
        return None


def _judged(case):
    """Run a case, quietly, and turn what it showed into an entry."""
    def entry(verdict, note, seen=NOTHING):
        return Entry(operation=case.framework, check=f"{case.label}: {case.name}", n_checked=seen.n, max_error=seen.error, verdict=verdict,
                     note=note, first=seen.first if verdict == WRONG else "")
    version = installed(case)
    if version is None:
        return entry(UNCHECKED, f"{case.versions} is not installed: {INSTALL[case.framework]}")
    ran = f"{case.package} {version}"
    if _release(version) != case.version:
        ran += f" (not the {case.version} that was looked at)"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            needed(case.framework)
            seen = case.look()
        except Exception as error:
            if _release(version) == case.version and not isinstance(error, ImportError):
                raise
            return entry(UNCHECKED, f"{ran}: could not be run, {type(error).__name__}: {' '.join(str(error).split())[:200]}")
    if case.label in ("bug", "precision"):
        return entry(WRONG if seen.as_described else RIGHT, f"{ran}: {case.says if seen.as_described else 'not seen'}; {seen.shown}", seen)
    if seen.as_described:
        return entry(RIGHT, f"{ran}: {case.says}; {seen.shown}", seen)
    otherwise = WRONG if case.label == "positive control" else UNCHECKED
    return entry(otherwise, f"{ran}: not so: {case.says}; {seen.shown}", seen)


def _release(version):
    """Cut off what names a build, as in 2.13.0+cpu."""
    return version.split("+")[0]
