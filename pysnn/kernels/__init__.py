"""The operations again, written to be fast (Numba)."""
