"""Learning rules: one short file each, which ends in its record `METHOD` (see method.py); METHODS is the one table of them."""

from .. import _files
from . import ann, conversion, eprop, eventprop, proxy, surrogate, tandem, temporal
from .method import Method, Step
from .settings import document

__all__ = ["METHODS", "Method", "Step", "ann", "conversion", "eprop", "eventprop", "get", "proxy", "surrogate", "tandem", "temporal"]

METHODS = {rule.METHOD.name: rule.METHOD for rule in (temporal, proxy, tandem, surrogate, eprop, eventprop, conversion, ann)}
"""All learning rules by name."""
for _rule in METHODS.values():
    document(_rule.Settings)


def get(method):
    """Return a learning rule.

    Parameters
    ----------
    method : str or Method
        A key of METHODS, FILE.py:NAME of a record in a file of your own, or the record itself.

    Returns
    -------
    Method
        The record.

    Raises
    ------
    ValueError
        If there is none.
    """
    if isinstance(method, str):
        if method not in METHODS and ".py:" not in method:
            raise ValueError(f"method: expected one of {', '.join(METHODS)}, or FILE.py:NAME, got {method!r}")
        method = METHODS[method] if method in METHODS else _files.load(method)
    if not isinstance(method, Method):
        raise ValueError(f"method: expected a pysnn.learning.Method, got {method!r:.100}")
    return method
