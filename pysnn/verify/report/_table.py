"""Plain tables and plain JSON for the reports of this package."""

import math

import numpy as np


def table(header, rows):
    """Align cells in columns: text to the left, the rest to the right."""
    left = [all(isinstance(row[i], str) for row in rows) for i in range(len(header))]
    cells = [list(header), *([cell(x) for x in row] for row in rows)]
    width = [max(len(line[i]) for line in cells) for i in range(len(header))]
    lines = ["  ".join(x.ljust(n) if to_left else x.rjust(n) for x, n, to_left in zip(line, width, left, strict=True))
             for line in cells]
    return "\n".join(line.rstrip() for line in lines)


def cell(x):
    """Write one value for a table."""
    if x is None:
        return "-"
    if isinstance(x, float):
        return f"{x:.2g}"
    return str(x)


def place(index):
    """Write an index as one does in code, [1, 2]."""
    return "-" if index is None else "[" + ", ".join(str(int(i)) for i in index) + "]"


def plain(x):
    """Turn a value into what strict JSON can hold; inf and NaN become strings."""
    if isinstance(x, dict):
        return {str(key): plain(value) for key, value in x.items()}
    if isinstance(x, (tuple, list)):
        return [plain(value) for value in x]
    if isinstance(x, (bool, np.bool_)):
        return bool(x)
    if isinstance(x, (int, np.integer)):
        return int(x)
    if isinstance(x, (float, np.floating)):
        return float(x) if math.isfinite(x) else str(float(x))
    return x
