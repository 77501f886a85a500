"""Compare what two functions return: exactly equal, approximately equal, or how far apart and where first."""

from typing import NamedTuple

import numpy as np

from .. import _checks
from .report._table import place, plain, table


class Item(NamedTuple):
    """One pair of outputs. `got` comes from the first function, `wanted` from the second."""

    name: str
    verdict: str              # exact (bit for bit), approximate, DIFFERENT
    n_different: int          # entries out of tolerance
    size: int
    max_abs: float | None     # largest |got - wanted|; inf where a spike stands against no spike
    max_rel: float | None     # largest |got - wanted| / max(|got|, |wanted|)
    first: tuple | None       # first entry out of tolerance; if none, first entry that is not exact
    got: float | None         # there
    wanted: float | None      # there
    why: str                  # what is wrong besides numbers: shape, NaN, kind


class Comparison(NamedTuple):
    """The result of `compare`. Print it; ask `ok`; call `raise_if_failed` in tests."""

    items: tuple

    @property
    def ok(self):
        """Whether all outputs agree, exactly or within the tolerance."""
        return all(item.verdict != "DIFFERENT" for item in self.items)

    @property
    def exact(self):
        """Whether all outputs agree bit for bit."""
        return all(item.verdict == "exact" for item in self.items)

    def to_dict(self):
        """Turn the comparison into what JSON can hold; inf and NaN become strings."""
        return plain({"ok": self.ok, "exact": self.exact, "items": [item._asdict() for item in self.items]})

    def raise_if_failed(self):
        """Raise an AssertionError that holds the table, unless all agree."""
        if not self.ok:
            raise AssertionError(str(self))

    def __str__(self):
        header = ("output", "verdict", "differ", "of", "max |diff|", "max rel.", "first at", "note")
        cells = [(i.name, i.verdict, i.n_different, i.size, i.max_abs, i.max_rel, place(i.first), i.why)
                 for i in self.items]
        lines = [table(header, cells)]
        lines += [f"{i.name}{place(i.first)}: got {i.got!r}, wanted {i.wanted!r}" for i in self.items
                  if i.n_different and i.first is not None]
        return "\n".join(lines)


def compare(f, g, x, names=None, rtol=1e-7, atol=1e-12):
    """Call two functions with the same arguments and compare what they return.

    An entry agrees if ``|got - wanted| <= atol + rtol |wanted|``. inf agrees with inf (no spike, twice), NaN with
    nothing.

    Parameters
    ----------
    f, g : callables
        The one under test and the one to trust. Each returns a number, an array, or a tuple of these, and gets its own
        copies of the arguments.
    x : tuple
        The arguments.
    names : sequence of str, optional
        Names of the outputs.
    rtol, atol : float
        Relative and absolute tolerance.

    Returns
    -------
    Comparison
        One item per output.

    Raises
    ------
    TypeError
        If x is no tuple, or an output is neither a number nor an array of numbers.
    """
    if not isinstance(x, tuple):
        raise TypeError(f"x: expected a tuple of arguments, got {_checks.describe(x)}")
    got, wanted = _outputs(f, x), _outputs(g, x)
    names = [f"output {k}" for k in range(len(wanted))] if names is None else list(names)
    if len(names) != len(wanted):
        raise ValueError(f"names: expected {len(wanted)} of them, one per output, got {len(names)}")
    if len(got) != len(wanted):
        why = f"{len(got)} outputs instead of {len(wanted)}"
        return Comparison(tuple(_failed(name, b, why) for name, b in zip(names, wanted, strict=True)))
    return Comparison(tuple(compare_arrays(*three, rtol, atol) for three in zip(names, got, wanted, strict=True)))


def _outputs(function, x):
    """Call a function with copies, and make a list of arrays of what it returns."""
    out = function(*(np.copy(value) if isinstance(value, np.ndarray) else value for value in x))
    arrays = [np.asarray(value) for value in (out if isinstance(out, (tuple, list)) else [out])]
    for value in arrays:
        if value.dtype.kind not in "biuf":
            raise TypeError(f"compare: expected numbers or arrays of numbers, got {_checks.describe(value)}; "
                            "wrap the function so that it returns nothing else (no cache, for instance)")
    return arrays


def _failed(name, wanted, why):
    return Item(name, "DIFFERENT", wanted.size, wanted.size, None, None, None, None, None, why)


def compare_arrays(name, got, wanted, rtol, atol):
    """Compare one pair of outputs.

    Parameters
    ----------
    name : str
        What the item is called.
    got, wanted : arrays
        The two outputs.
    rtol, atol : float
        As of `compare`.

    Returns
    -------
    Item
        Exact, approximate or wrong, and by how much.
    """
    if got.shape != wanted.shape:
        return _failed(name, wanted, f"shape {got.shape} instead of {wanted.shape}")
    why = "" if got.dtype == wanted.dtype else f"{got.dtype} instead of {wanted.dtype}"
    if not why and got.tobytes() == wanted.tobytes() and not np.isnan(got).any():
        return Item(name, "exact", 0, got.size, 0.0, 0.0, None, None, None, "")
    a, b = got.astype(np.float64), wanted.astype(np.float64)
    nan = np.isnan(a) | np.isnan(b)
    same = (a == b) & ~nan                                    # inf == inf: no spike, twice
    finite = np.isfinite(a) & np.isfinite(b)
    gap = np.where(same, 0.0, np.inf)
    np.abs(np.subtract(a, b, out=gap, where=finite), out=gap)
    size = np.where(finite, np.maximum(np.abs(a), np.abs(b)), 1.0)
    rel = np.divide(gap, size, out=np.zeros_like(gap), where=size > 0)
    differ = nan | (gap > atol + rtol * np.where(finite, np.abs(b), 0))
    marks = differ if differ.any() else ~same
    first = tuple(int(i) for i in np.argwhere(marks)[0]) if marks.any() else None
    why = ", ".join(x for x in (why, f"{int(nan.sum())} NaN" if nan.any() else "") if x)
    values = (None, None) if first is None else (a[first].item(), b[first].item())
    return Item(name, "DIFFERENT" if differ.any() else "approximate", int(differ.sum()), got.size,
                float(gap.max(initial=0)), float(rel.max(initial=0)), first, *values, why)
