"""Tools for those who work on pysnn; no part of the package."""
