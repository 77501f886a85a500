"""The neurons of released frameworks, with their profiles and known failures."""

import importlib
import importlib.metadata
import importlib.util
from pathlib import Path

from .... import __version__
from ...frameworks.adapters import INSTALL
from ..profile import read, read_known

HERE = Path(__file__).parents[1]
FRAMEWORKS = {"pysnn": "", "plain": "torch", "spikingjelly": "spikingjelly", "snntorch": "snntorch", "norse": "norse", "sinabs": "sinabs",
              "rockpool": "rockpool", "spyx": "spyx"}
"""Name, which is that of its files here, and the package that must be installed."""


def version(framework):
    """Look for a framework.

    Parameters
    ----------
    framework : str
        One of FRAMEWORKS.

    Returns
    -------
    str
        Its version; "" if it is not installed.
    """
    package = FRAMEWORKS[framework]
    if not package:
        return __version__
    try:
        return importlib.metadata.version(package).split("+")[0] if importlib.util.find_spec(package) else ""
    except importlib.metadata.PackageNotFoundError:
        return ""


def install(framework):
    """Say what to type where a framework is missing.

    Parameters
    ----------
    framework : str
        One of FRAMEWORKS.

    Returns
    -------
    str
        A command.
    """
    return INSTALL.get(FRAMEWORKS[framework], "")


def profiles(framework):
    """Read the profiles of a framework's neurons.

    Parameters
    ----------
    framework : str
        One of FRAMEWORKS.

    Returns
    -------
    dict of str to Profile
        By name.
    """
    return read(HERE / "profiles" / f"{framework}.json")[2]


def known(framework):
    """Read the known failures of a framework.

    Parameters
    ----------
    framework : str
        One of FRAMEWORKS.

    Returns
    -------
    list of Known
        Empty if there is no file.
    """
    file = HERE / "expected" / f"{framework}.txt"
    return read_known(file) if file.exists() else []


def makers(framework):
    """Load what makes the neurons of a framework.

    Parameters
    ----------
    framework : str
        One of FRAMEWORKS.

    Returns
    -------
    dict of str to callable
        ``make() -> Node``, by name.
    """
    return importlib.import_module(f"{__name__}.{framework}").NEURONS
