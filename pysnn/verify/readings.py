"""Other conventions that a layer may be right by: axes in another order, times instead of z, another eps.

A reading puts an adapter around the pair of the user, so that it takes and gives what the contract says. `student.load` tries the plain
reading first, then `candidates`; a file may also say which one it follows:

    LAYOUT = "channels first"                     # (N, C, H, W); of convolutions also "output first", both as a tuple
    LAYOUT = "output first"                       # weights (N_out, N_in), (O, I, kh, kw)
    LAYOUT = "times"                              # the temporal neuron takes and gives t, not z = exp(t)
    EPS = 1e-3                                    # of batch normalisation
"""

import itertools
from typing import NamedTuple

import numpy as np

from .. import _checks
from ..operations import OPERATIONS

FIRST, OUTPUT, TIMES = "channels first", "output first", "times"
EPS = 1e-5                 # the contract's
LARGEST_EPS = 0.1


class Reading(NamedTuple):
    """How a pair is read."""

    layout: tuple = ()
    eps: float = EPS

    def words(self, operation):
        """Say it.

        Parameters
        ----------
        operation : str
            Of the pair.

        Returns
        -------
        str
            Such as "channels first (N, C, H, W) and weights (O, I, kh, kw)".
        """
        said = {FIRST: "channels first (N, C, H, W)", TIMES: "times t in place of z = exp(t)",
                OUTPUT: "weights (O, I, kh, kw)" if operation == "conv2d" else "weights (N_out, N_in)"}
        return " and ".join([said[word] for word in self.layout] + [f"eps = {self.eps:.3g}"] * (self.eps != EPS))


PLAIN = Reading()


def _layouts(operation):
    """List the layouts that an operation may have besides the contract's."""
    taken = set(OPERATIONS[operation].arguments)
    words = [word for word, marks in ((FIRST, {"stride", "gamma"}), (TIMES, {"z_in"}), (OUTPUT, {"w"})) if marks & taken]
    return [some for n in (1, 2) for some in itertools.combinations(words, n)]


def declared(module, operation, file):
    """Read what a file says of its layout and its eps.

    Parameters
    ----------
    module : object
        What the file defines.
    operation : str
        Which one it is.
    file : str
        For errors.

    Returns
    -------
    Reading or None
        None if it says nothing.

    Raises
    ------
    ValueError
        For words that the operation does not know, or an eps that is not positive.
    """
    layout, eps = getattr(module, "LAYOUT", None), getattr(module, "EPS", None)
    if operation not in OPERATIONS or (layout is None and eps is None):
        return None
    given, known = (layout,) if isinstance(layout, str) else tuple(layout or ()), _layouts(operation)
    if given and set(given) not in [set(words) for words in known]:
        raise ValueError(f"{file}: LAYOUT: expected one of {', '.join(repr(w if len(w) > 1 else w[0]) for w in known) or 'none'} "
                         f"for {operation}, got {layout!r}")
    if eps is not None and operation != "batch_norm":
        raise ValueError(f"{file}: EPS: expected it for batch_norm alone, got {eps!r} for {operation}")
    return Reading(given, EPS if eps is None else _checks.positive(eps, f"{file}: EPS"))


def candidates(subject):
    """List the readings of an operation besides the plain one.

    Parameters
    ----------
    subject : pysnn.verify.student.Subject
        By the plain reading.

    Returns
    -------
    list of Reading
        Those to try, in order.
    """
    listed = [Reading(layout) for layout in _layouts(subject.operation)]
    if subject.operation != "batch_norm":
        return listed
    found = [Reading(reading.layout, eps) for reading in (PLAIN, *listed) if (eps := _find_eps(adapt(subject, reading))) is not None]
    return [*listed, *found]


def _find_eps(subject):
    """Find the eps of a batch normalisation: of gamma 1 and beta 0 the variance of y is v / (v + eps); None if there is none."""
    x = np.random.default_rng(5).normal(size=(3, 2, 2, 4)) * [0.03, 0.1, 0.3, 1.0]
    try:
        y = np.asarray(subject.forward(x, np.ones(4), np.zeros(4))[0], float)
    except Exception:                        # it does not run so, which is seen elsewhere
        return None
    if y.shape != x.shape or not np.isfinite(y).all():
        return None
    v, after = (a.var(axis=(0, 1, 2)) for a in (x, y))
    eps = v / np.where(after > 0, after, np.nan) - v
    found = float(eps[0])
    if not 0 < found < LARGEST_EPS or not np.allclose(eps, found, rtol=1e-4, atol=1e-9 * v.max()):
        return None
    rounded = float(f"{found:.3g}")
    return rounded if abs(rounded - found) < 1e-6 * found + 1e-12 and rounded != EPS else None


def adapt(subject, reading):
    """Put an adapter around a pair.

    Parameters
    ----------
    subject : pysnn.verify.student.Subject
        By the plain reading.
    reading : Reading
        What its arrays mean.

    Returns
    -------
    pysnn.verify.student.Subject
        It takes and gives what the contract says.
    """
    if reading == PLAIN:
        return subject
    record = OPERATIONS[subject.operation]
    there = _Adapter(record, reading)

    def forward(*args):
        given = [there.to(name, x) for name, x in zip(record.arguments, args, strict=False)]
        kept = [x.copy() if isinstance(x, np.ndarray) else x for x in given]
        result = subject.forward(*given)
        for name, x, now, before in zip(record.arguments, args, given, kept, strict=False):
            _carry_over(x, now, before, lambda y, name=name: there.back(name, y))
        if not isinstance(result, tuple) or len(result) != 2:
            return result
        y = there.back(record.outputs[0], result[0])
        return y, (result[1], y, args)

    def backward(dy, caches):
        cache, y, args = caches
        given = there.gradient_to(record.outputs[0], dy, y)
        kept = given.copy()
        grads = subject.backward(given, cache)
        _carry_over(dy, given, kept, lambda _: np.full_like(dy, np.nan))
        listed = grads if isinstance(grads, (tuple, list)) else (grads,)
        turned = [g if g is None else there.gradient_back(name, g, x) for name, g, x in zip(record.gradients, listed, args, strict=False)]
        return (*turned, *listed[len(turned):]) if isinstance(grads, (tuple, list)) else turned[0]
    return subject._replace(forward=forward, backward=backward, reading=reading.words(subject.operation), exact=TIMES not in reading.layout)


def _carry_over(x, given, before, back):
    """Change an argument as its adapted form was changed, unless they share memory."""
    if isinstance(x, np.ndarray) and not np.shares_memory(x, given) and not np.array_equal(given, before, equal_nan=True):
        x[...] = back(given)


class _Adapter(NamedTuple):
    """Turns arrays of the contract into those of the pair, and back."""

    record: object
    reading: Reading

    def _moved(self, name, x, forth):
        """Move the axes."""
        if not isinstance(x, np.ndarray):
            return x
        if name == "w" and OUTPUT in self.reading.layout and x.ndim in (2, 4):
            return x.T if x.ndim == 2 else x.transpose((3, 2, 0, 1) if forth else (2, 3, 1, 0))
        if name in ("x", "y") and FIRST in self.reading.layout and x.ndim > 2:
            return np.moveaxis(x, -1, 1) if forth else np.moveaxis(x, 1, -1)
        return x

    @property
    def _scale(self):
        """What x is multiplied by: normalisation with its eps then is that with the contract's."""
        return np.sqrt(self.reading.eps / EPS)

    def to(self, name, x):
        """Turn an argument of the contract into one of the pair."""
        if name == "z_in" and TIMES in self.reading.layout:
            return np.log(x)
        if self.reading.eps != EPS and isinstance(x, np.ndarray) and name in ("x", "mean", "var"):
            x = x * (self._scale ** 2 if name == "var" else self._scale)
        return self._moved(name, x, True)

    def back(self, name, x):
        """Turn a result of the pair, or an argument, into one of the contract."""
        if name in ("z_in", "z_out") and TIMES in self.reading.layout:
            return np.exp(x)
        x = self._moved(name, x, False)
        if self.reading.eps != EPS and name in ("x", "mean", "var"):
            x = x / (self._scale ** 2 if name == "var" else self._scale)
        return x

    def gradient_to(self, name, d, y):
        """Turn the gradient of an output into one for the pair."""
        if TIMES in self.reading.layout:
            return d * np.where(np.isfinite(y), y, 1)
        return self._moved(name, d, True)

    def gradient_back(self, name, d, x):
        """Turn a gradient of the pair into one of the contract."""
        if name == "z_in" and TIMES in self.reading.layout:
            return np.where(np.isfinite(x), d / x, 0)        # of a spike that never comes the time has no gradient
        d = self._moved(name, d, False)
        return d * self._scale if self.reading.eps != EPS and name == "x" else d
