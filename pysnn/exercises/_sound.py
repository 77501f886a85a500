"""The exercise on sound localisation: coincidences of two ears behind delays."""

import numpy as np

from .. import datasets
from ._case import Case, Exercise, Mistake


def _coincidences(left, right, delays):
    """Compare each left spike with each right one of its partner, and count by the time between them, (H5)."""
    counts = np.zeros(len(delays))
    for i in range(left.shape[1]):
        between = np.subtract.outer(np.flatnonzero(right[:, i]), np.flatnonzero(left[:, i]))
        counts += (between[..., None] == delays).sum(axis=(0, 1))
    return counts


def _direction(left, right, delays):
    """Take the first of the largest counts, (H6)."""
    counts = np.stack([_coincidences(a, b, delays) for a, b in zip(left, right, strict=True)])
    return delays[(counts == counts.max(axis=1, keepdims=True)).argmax(axis=1)]


def _cases(rng):
    delays, (left, right) = np.arange(-3, 4), (rng.random((2, 30, 5)) < 0.3) * 1.0
    x, _ = datasets.sound(12, int(rng.integers(1000)))
    ears = x[:, :, :100].astype(float), x[:, :, 100:].astype(float)

    def few(name, before, behind):
        trains = np.zeros((8, 2)), np.zeros((8, 2))
        for train, spikes in zip(trains, (before, behind), strict=True):
            train[tuple(np.transpose(spikes))] = 1
        return Case(name, ("counts",), lambda f, *a: f["coincidences"](*a), (*trains, delays))
    tied = np.array([[[0.0], [1], [0], [0], [1], [0], [0]]]), np.array([[[0.0], [0], [0], [1], [0], [0], [1]]])
    return [
        few("one spike each, right 2 later", [(3, 0)], [(5, 0)]),
        few("one spike each, left 1 later", [(4, 1)], [(3, 1)]),
        few("not partners", [(3, 0)], [(3, 1)]),
        few("at the ends", [(0, 0), (7, 0)], [(0, 0), (7, 0)]),
        few("two in both ears", [(2, 0), (4, 0)], [(2, 0), (4, 0)]),
        Case("random spikes", ("counts",), lambda f, *a: f["coincidences"](*a), (left, right, delays)),
        Case("delays in another order", ("counts",), lambda f, *a: f["coincidences"](*a), (left, right, np.array([2, 0, -3, 1]))),
        Case("no spikes: all counts are 0", ("late",), lambda f, *a: f["direction"](*a), (*np.zeros((2, 2, 9, 2)), delays)),
        Case("equal counts", ("late",), lambda f, *a: f["direction"](*a), (*tied, np.array([5, -1, 0]))),
        Case("12 sounds", ("late",), lambda f, *a: f["direction"](*a), (*ears, np.arange(-14, 15))),
        Case("12 sounds, the largest delay first", ("late",), lambda f, *a: f["direction"](*a), (*ears, np.arange(14, -15, -1))),
    ]


def _counting(count, choose=lambda counts, delays: delays[np.argmax(counts)]):
    """Make both functions with a mistake: count(left, right, d) of one delay, choose(counts, delays) of one sample."""
    def coincidences(left, right, delays):
        return np.array([count(left, right, d) for d in delays], float)

    def direction(left, right, delays):
        return np.array([choose(coincidences(a, b, delays), delays) for a, b in zip(left, right, strict=True)])
    return lambda right: {"coincidences": coincidences, "direction": direction}


def _shifted(left, right, d):
    """Return both trains where they overlap, the left one delayed by d."""
    early, late = (left, right) if d >= 0 else (right, left)
    return early[:len(early) - abs(d)], late[abs(d):]


def _partners(left, right, d):
    a, b = _shifted(left, right, d)
    return (a * b).sum()


MISTAKES = (
    Mistake("wrong_ear", "you delay the wrong ear: a positive delay is one of the left ear, (H5)",
            _counting(lambda left, right, d: _partners(left, right, -d))),
    Mistake("goes_round", "what is delayed beyond the last step comes in again at the first one, as numpy.roll does; it is lost",
            _counting(lambda left, right, d: (np.roll(left, d, axis=0) * right).sum())),
    Mistake("all_pairs", "you compare each fibre with all fibres of the other ear; (H5) compares fibre i with fibre i",
            _counting(lambda left, right, d: (_shifted(left, right, d)[0].sum(axis=1) * _shifted(left, right, d)[1].sum(axis=1)).sum())),
    Mistake("counts_alone", "you multiply numbers of spikes, whenever they come; a coincidence is a left and a right spike in one step",
            _counting(lambda left, right, d: (_shifted(left, right, d)[0].sum(axis=0) * _shifted(left, right, d)[1].sum(axis=0)).sum())),
    Mistake("magnitude_only", "a delay and its negative give the same count: which ear is delayed depends on the sign of d",
            _counting(lambda left, right, d: _partners(left, right, abs(d)))),
    Mistake("positive_only", "negative delays count nothing: they delay the right ear by -d",
            _counting(lambda left, right, d: _partners(left, right, d) if d >= 0 else 0)),
    Mistake("one_step_off", "your delays are longer by one step: d = 0 compares the same step of both ears",
            _counting(lambda left, right, d: _partners(left, right, d + 1))),
    Mistake("either", "you count steps in which any of the two fires; a coincidence needs both",
            _counting(lambda left, right, d: np.maximum(*_shifted(left, right, d)).sum())),
    Mistake("alike", "you count steps in which both do the same, silence too; a coincidence is two spikes",
            _counting(lambda left, right, d: (_shifted(left, right, d)[0] == _shifted(left, right, d)[1]).sum())),
    Mistake("different", "you count steps in which only one of the two fires; that is the opposite of a coincidence",
            _counting(lambda left, right, d: (_shifted(left, right, d)[0] != _shifted(left, right, d)[1]).sum())),
    Mistake("mean_over_overlap", "you divide by the number of steps; (H5) is a count",
            _counting(lambda left, right, d: _partners(left, right, d) / (len(left) - abs(d)))),
    Mistake("steps_not_fibres", "you count a step once, however many fibres coincide in it; (H5) is a sum over the fibres",
            _counting(lambda left, right, d: (_shifted(left, right, d)[0] * _shifted(left, right, d)[1]).any(axis=1).sum())),
    *(Mistake(name, hint, lambda right, choose=choose: {**right, "direction": _counting(_partners, choose)(right)["direction"]})
      for name, hint, choose in (
        ("place_of_delay", "you return the place of the delay in the list; return the delay itself, (H6)",
         lambda counts, delays: np.argmax(counts)),
        ("fewest", "you take the smallest count; most coincidences are where the delay is right, (H6)",
         lambda counts, delays: delays[np.argmin(counts)]),
        ("last_of_equal", "of equal counts you take the last; take the one that stands first",
         lambda counts, delays: delays[len(counts) - 1 - np.argmax(counts[::-1])]),
        ("smallest_of_equal", "of equal counts you take the smallest delay; take the one that stands first",
         lambda counts, delays: delays[counts == counts.max()].min()),
        ("other_sign", "your sign says by how much the left ear is later; asked is the right ear",
         lambda counts, delays: -delays[np.argmax(counts)]),
        ("magnitude", "you return how long the delay is, without its sign", lambda counts, delays: abs(delays[np.argmax(counts)])),
        ("largest_count", "you return the largest count; return the delay that has it, (H6)", lambda counts, delays: counts.max()),
        ("centre", "you take the mean of the delays, each as often as its count; (H6) takes the one with most",
         lambda counts, delays: (counts * delays).sum() / max(counts.sum(), 1)))),
)


EXERCISES = {"localise": Exercise("localise", "find where a sound comes from, by coincidences behind delays", "(H5), (H6)",
                                  {"coincidences": _coincidences, "direction": _direction}, _cases, MISTAKES, {"late": ("counts",)})}
