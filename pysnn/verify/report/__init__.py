"""What checks say: as a table, as JSON, as a page, as an exception."""

from .report import Outcome, Report, Row, summarise

__all__ = ["Outcome", "Report", "Row", "summarise"]
