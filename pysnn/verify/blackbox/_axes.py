"""What a layer's axes are, whether it takes one step or all, and whether it keeps its state: found by asking, before anything is judged."""

import re
from typing import NamedTuple

import numpy as np

from ...foreign import NoAnswer

SHAPE = (5, 3, 4)                 # of the first question: three different numbers
LOUD, MUTE = 1e3, -1e7            # in thresholds: a current that fires in every step, and one after which nothing fires
NUMBERS = (4, 3, 2, 1, 5, 6, 8, 10, 16, 32, 64, 100, 128)      # of neurons, tried where a layer takes only its own


class Structure(NamedTuple):
    """How to call a layer."""

    axes: str                # "TBN", ...; "BN": one step at a time
    n: int | None            # neurons, where it takes no other number
    keeps: bool              # whether a second call without a reset goes on where the first ended
    mixes: str               # "N": neurons act on one another, "B": samples do, "now": neurons within a step, "early": on the past
    why: tuple               # sentences


class Refused(ValueError):
    """The layer cannot be called, or does what no layer of neurons does; the message says what to add."""


def find(raw, threshold, axes=None, n=None, resets=True):
    """Find how to call a layer.

    Parameters
    ----------
    raw : callable
        ``raw(x, again) -> (again, ...)``: outputs of calls without a reset in between, the first from rest.
    threshold : float
        Roughly; a unit for currents.
    axes : str, optional
        What the user says.
    n : int, optional
        Number of neurons.
    resets : bool
        Whether there is a way to bring it to rest.

    Returns
    -------
    Structure
        With reasons.

    Raises
    ------
    Refused
        If it takes none of the shapes that are tried, or returns another shape.
    """
    n_errors = []
    for neurons in (n,) if n else NUMBERS:
        shape = {"T": SHAPE[0], "B": SHAPE[1], "N": neurons}
        try:
            x = np.full(tuple(shape.get(a, 1) if a != "C" else neurons for a in axes or "TBN"), LOUD * threshold)
            keeps = _keeps(raw, x, axes or "TBN", threshold)
            if keeps and not resets:
                return Structure(axes or "TBN", n, True, "", ())
            return (_declared if axes else _found)(raw, threshold, x, keeps, (axes, n, neurons))
        except NoAnswer:
            raise
        except Refused:
            raise
        except Exception as error:
            n_errors.append(" ".join(str(error).split())[:400])
    distinct = list({re.sub(r"[0-9]+", "0", error): error for error in n_errors}.values())[:3]
    takes = "an array " + (f"of axes {axes}" if axes else "(T, B, N), (B, T, N) or (B, N)")
    raise Refused(f"expected a layer that takes {takes} of currents; it says: {'; '.join(distinct)}; --axes says another layout, --n how "
                  "many neurons it has")


def _declared(raw, threshold, x, keeps, known):
    """Take the user's word for the axes; see that they are so."""
    axes, n, neurons = known
    off = _acts(raw, x, threshold)
    spread, back = _later(off)
    time = axes.find("T")
    if spread and time not in spread and not set(spread) & set(back):
        raise Refused(f"declared axes {axes}, but what comes later depends on what came before along axis {spread[0]}, counted from 0: "
                      "that is time")
    early = "early" * (time in back)
    return _structure(axes, _own(raw, x, axes, n, neurons), keeps, _mixes(off, axes) + early, f"declared axes {axes}")


def _found(raw, threshold, x, keeps, known):
    """Find the axes from what a single current acts on: on later steps, never on earlier ones."""
    off = _acts(raw, x, threshold)
    spread, back = _later(off)
    own, times = _own(raw, x, "TBN", *known[1:]), [k for k in spread if k not in back]
    if not times and set(back) - set(spread) & {0, 1}:
        return _structure("TBN", own, keeps, "early", "")
    if not times:
        return _structure("BN", own, keeps, _mixes(off[:, 1:], "BN"), "it takes one step: called step by step, (B, N) each")
    if len(times) > 1 and 0 in times:
        times = [0]                                 # of neurons that act on one another some may act on later ones only
    if len(times) > 1:
        raise Refused(f"a current acts on later entries of axes {' and '.join(map(str, times))}: say which is time, by --axes TBN or so")
    axes = {0: "TBN", 1: "BTN", 2: "BNT"}[times[0]]
    words = f"{'assumed' if axes == 'TBN' else 'found'} axes ({', '.join(axes)}): a current acts on later entries of axis {times[0]}"
    return _structure(axes, own, keeps, _mixes(off, axes), words)


def _structure(axes, own, keeps, mixes, words):
    return Structure(axes, own, keeps, mixes, (words, *([f"it takes {own} neurons"] if own else [])))


def _keeps(raw, x, axes, threshold):
    """Say whether a second call without a reset differs from the first; ask before anything is loud, for what is kept may stay."""
    differ = False
    for part in (0.37, 0.73, 1.3, 2.7):
        y = raw(np.full_like(x, part * threshold), 4)
        _same_shape(y[0], x, axes)
        differ |= bool((y[0] != y[1:]).any())
    return differ


def _own(raw, x, axes, n, neurons):
    return n or (neurons if _only(raw, x, axes) else None)


def _later(off):
    """Say along which axes a current acts on later entries, and along which on earlier ones."""
    return [k for k in range(off.shape[1]) if (off[:, k] > 0).any()], [k for k in range(off.shape[1]) if (off[:, k] < 0).any()]


def _mixes(off, axes):
    """Say what a current acts on beside its own sample and neuron."""
    neurons = np.any([off[:, k] != 0 for k, a in enumerate(axes) if a in "NCHW"], axis=0)
    within = neurons & (off[:, axes.index("T")] == 0) if "T" in axes else neurons
    other = off[:, axes.index("B")] != 0
    return "N" * bool(neurons.any()) + "B" * bool(other.any()) + "now" * bool(within.any())


def _same_shape(y, x, axes):
    if y.shape != x.shape and y.size != x.size:
        raise Refused(f"expected spikes of the shape of the currents, ({', '.join(axes)}) = {x.shape}, got {y.shape}: a layer of neurons "
                      "alone is judged; of a network say which part, as FILE.py:Net().part. A network that is written in one module needs "
                      "a module of its own for each layer of neurons")


def _acts(raw, x, threshold):
    """Silence one current, of the first entry or the second; give the places of what changes, from its own: (m, axes)."""
    changed = []
    for base in (x, np.random.default_rng(3).uniform(0, 2, x.shape) * threshold):
        there = raw(base, 1)[0]
        for k in (1, 0):
            at, moved = tuple(min(k, size - 1) for size in x.shape), base.copy()
            moved[at] = MUTE * threshold
            changed += (np.argwhere((raw(moved, 1)[0] != there).reshape(x.shape)) - at).tolist()
    if not changed:
        raise Refused("its output does not change with its input, of 1000 thresholds: say its threshold by --threshold, or its layout by "
                      "--axes")
    return np.array(changed)


def _only(raw, x, axes):
    """Say whether it takes this number of neurons alone."""
    k = next(k for k, a in enumerate(axes) if a in "NC")
    other = np.concatenate([x, np.take(x, [0], axis=k)], axis=k)
    try:
        return raw(other, 1)[0].size != other.size
    except NoAnswer:
        raise
    except Exception:
        return True
