"""What a finding is: a statement about a release, the run that shows it, and how the run is scored."""

import importlib.metadata
import importlib.util
import warnings
from typing import NamedTuple

from ..report.ledger import RIGHT, UNCHECKED, WRONG, Entry
from .adapters import INSTALL, needed

LABELS = ("bug", "precision", "convention", "different definition", "positive control")


class Observation(NamedTuple):
    """The result of one run."""

    as_described: bool           # whether it is what the finding says
    n: int                       # numbers compared
    error: float | None          # the largest deviation, relative where that makes sense; inf for NaN
    shown: str                   # the numbers, in words
    first: str = ""              # where it shows first


NOTHING = Observation(False, 0, None, "")


class Finding(NamedTuple):
    """One finding in one release."""

    name: str
    framework: str               # the name of its import
    package: str                 # its name on the package index
    version: str                 # the release looked at
    label: str                   # one of LABELS
    says: str                    # the finding, in a sentence
    look: object                 # look() -> Observation
    page: str = ""               # in docs/findings, if its authors may want to know

    @property
    def versions(self):
        """The release looked at, as pip writes it."""
        return f"{self.package}=={self.version}"

    def run(self):
        """Run it, and score what it shows.

        Returns
        -------
        list of Entry
            One. A bug or a loss of precision that shows is WRONG, and right once it has gone; a convention, a different definition and a
            positive control are right where they are as described. Without the framework: unchecked, with what to install.
        """
        return [_scored(self)]


def installed(finding):
    """Return the version of a finding's framework; None if it is not installed, or cannot be found by its package name."""
    try:
        return importlib.metadata.version(finding.package) if importlib.util.find_spec(finding.framework) else None
    except importlib.metadata.PackageNotFoundError:
        return None


def _scored(finding):
    """Run a finding, quietly, and turn its observation into an entry."""
    def entry(verdict, note, result=NOTHING):
        return Entry(operation=finding.framework, check=f"{finding.label}: {finding.name}", n_checked=result.n, max_error=result.error,
                     verdict=verdict, note=note, first=result.first if verdict == WRONG else "")
    version = installed(finding)
    if version is None:
        return entry(UNCHECKED, f"{finding.versions} is not installed: {INSTALL[finding.framework]}")
    ran = f"{finding.package} {version}"
    if _release(version) != finding.version:
        ran += f" (not the {finding.version} that was looked at)"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            needed(finding.framework)
            result = finding.look()
        except Exception as error:
            if _release(version) == finding.version and not isinstance(error, ImportError):
                raise
            return entry(UNCHECKED, f"{ran}: could not be run, {type(error).__name__}: {' '.join(str(error).split())[:200]}")
    if finding.label in ("bug", "precision"):
        verdict, words = (WRONG, finding.says) if result.as_described else (RIGHT, "not seen")
        return entry(verdict, f"{ran}: {words}; {result.shown}", result)
    if result.as_described:
        return entry(RIGHT, f"{ran}: {finding.says}; {result.shown}", result)
    otherwise = WRONG if finding.label == "positive control" else UNCHECKED
    return entry(otherwise, f"{ran}: not so: {finding.says}; {result.shown}", result)


def _release(version):
    """Cut off what names a build, as in 2.13.0+cpu."""
    return version.split("+")[0]
