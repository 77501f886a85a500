"""Samples that stay on disk, and the scale that brings samples to what a network takes."""

from typing import NamedTuple

import numpy as np

from .. import _checks
from ..conventions import Sequences

PIECE = 1 << 22         # numbers that are looked at once


class Scale(NamedTuple):
    """(x - low) / span, cut off below `least` and above `most`; arrays with a number for each column or channel, or one for all."""

    low: np.ndarray
    span: np.ndarray
    least: float = 0.0
    most: float = 1.0

    def __call__(self, x):
        """Scale samples, in the dtype of `low`."""
        x = x if x.dtype == self.low.dtype else x.astype(self.low.dtype)
        with np.errstate(over="ignore"):                # far outside of the range, or hardly any range
            return np.clip((x - self.low) / self.span, self.least, self.most)


class Rows:
    """Samples of a memory-mapped array: those that are asked for by index or slice are read, and scaled, into an array of their own.

    The file is mapped anew each time, so that what was read does not stay in memory.

    Parameters
    ----------
    x : numpy.memmap
        All samples of the file.
    rows : (N,) array of int
        Which of them these are.
    scale : Scale, optional
        Applied to what is read.
    """

    def __init__(self, x, rows, scale=None):
        self.x, self.rows, self.scale = x, rows, scale
        self.shape, self.ndim, self.dtype = (len(rows), *x.shape[1:]), x.ndim, x.dtype if scale is None else scale.low.dtype

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, some):
        x, order = self.x, "F" if np.isfortran(self.x) else "C"
        if not isinstance(x.base, np.ndarray) and x.filename is not None:           # the whole file, not a part of it
            x = np.memmap(x.filename, x.dtype, "r", x.offset, x.shape, order)
        read = np.array(x[self.rows[some]])
        return read if self.scale is None else self.scale(read)

    def of(self, some):
        """Choose some of the samples, without reading them."""
        return Rows(self.x, self.rows[some], self.scale)


def chosen(x, some):
    """Choose samples of an array, sequences or rows on disk; the latter are not read."""
    return x.of(some) if isinstance(x, Rows) else x[some]


def parts_of(x):
    """Return the arrays of samples or labels: two of sequences, else one."""
    return (x.x, x.lengths) if isinstance(x, Sequences) else (x,)


def pieces(x):
    """Yield the samples piece by piece, each with the number of its first."""
    size = max(1, PIECE // max(1, int(np.prod(x.shape[1:]))))
    for i in range(0, len(x), size):
        yield i, x[i:i + size]


def check_finite(x, name, columns=()):
    """Refuse NaN and inf, piece by piece; say where the first is."""
    for i, piece in pieces(x) if x.dtype.kind == "f" else ():
        if (bad := ~np.isfinite(piece)).any():
            raise ValueError(f"{name}: expected finite numbers, got {piece[bad].flat[0]} {_checks.place(bad, columns, i)}")


def ranges(x, name, axis=0):
    """Return the smallest value of each feature, and the extent of its values; 1 where they are all equal. axis=None: of all together."""
    lows, highs = zip(*((piece.min(axis=axis), piece.max(axis=axis)) for _, piece in pieces(x)), strict=True)
    low, high = np.min(lows, axis=0), np.max(highs, axis=0)
    with np.errstate(over="ignore"):
        span = high - low
    if not np.isfinite(span).all():
        raise ValueError(f"{name}: expected features whose range is a {x.dtype} number, got {low.min()} to {high.max()}")
    return low, np.where(span > 0, span, span.dtype.type(1))
