"""The results of checks: as a table, as JSON, as a page, as an exception."""
