"""NumPy only; normative; written to be read."""
