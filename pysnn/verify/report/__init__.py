"""What checks say: as a table, as JSON, as a page, as an exception."""
