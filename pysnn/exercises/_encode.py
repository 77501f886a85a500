"""The exercise on encoding: a number as a time, as a rate, and as a probability."""

import numpy as np

from .. import encode
from ..reference import integrate_fire
from ._case import Case, Exercise, Mistake, replace


def _latency(x, late=6.0):
    return encode.latency(x, late)


def _rate(x, n_steps):
    """Run integrate-and-fire neurons with x as their current, which is the same thing."""
    return np.swapaxes(integrate_fire.forward(np.repeat(x[None], n_steps, axis=0))[0], 0, 1)


def _poisson(x, n_steps, rng):
    return encode.poisson(x, rng, n_steps)


def _cases(rng):
    x, mixed = rng.random((3, 5)), np.array([[0.0, 0.25, 0.5, 1.0]])
    sixteenths = rng.integers(1, 16, (2, 4)) / 16

    def case(name, output, function, *args):
        return Case(name, (output,), lambda f, *a: f[function](*a), args)

    def random(name, x, n_steps, seed):
        return Case(name, ("spikes",), lambda f, x: f["poisson"](x, n_steps, np.random.default_rng(seed)), (x,))
    return [
        case("latency: four intensities", "z", "latency", mixed),
        case("latency: 3 samples", "z", "latency", x),
        case("latency: the same, late = 20", "z", "latency", x, 20.0),
        case("rate: four intensities, 8 steps", "even", "rate", mixed, 8),
        case("rate: sums that come to exactly 1", "even", "rate", sixteenths, 20),
        case("rate: 3 samples, 15 steps", "even", "rate", x, 15),
        random("poisson: four intensities, 8 steps", mixed, 8, 1),
        random("poisson: 3 samples, 12 steps", x, 12, 2),
        random("poisson: small intensities", x / 4, 30, 3),
    ]


def _times(z):
    """Replace latency by z(x, late)."""
    return replace(latency=lambda x, late=6.0: z(x, late))


def _counts(fires=lambda total: total >= 1, left=lambda total, s: total - s, begin=0.0):
    """Make a rate code with a part replaced: what fires, what is left, or the sum before the first step."""
    def rate(x, n_steps):
        even, total = np.zeros((len(x), n_steps, x.shape[1])), np.full_like(x, begin)
        for t in range(n_steps):
            total = total + x
            even[:, t] = fires(total)
            total = left(total, even[:, t])
        return even
    return replace(rate=rate)


def _at_once(spikes):
    """Make a rate code from spikes(x, t, n_steps), with t = 0 ... n_steps - 1."""
    return replace(rate=lambda x, n_steps: spikes(x[:, None], np.arange(n_steps)[:, None], n_steps).astype(float))


def _drawn(spikes, shape=lambda x, n_steps: (len(x), n_steps, x.shape[1])):
    """Make a Poisson code from spikes(u, x, n_steps), with u of another shape."""
    return replace(poisson=lambda x, n_steps, rng: spikes(np.broadcast_to(rng.random((len(x), n_steps, x.shape[1]))[
        tuple(slice(n) for n in shape(x, n_steps))], (len(x), n_steps, x.shape[1])), x[:, None], n_steps).astype(float))


def _own_numbers(x, n_steps, rng):
    u = np.random.default_rng(0).random((len(x), n_steps, x.shape[1]))
    return (u < x[:, None]).astype(float)


def _drawn_again(x, n_steps, rng):
    rng.random((len(x), n_steps, x.shape[1]))
    return (rng.random((len(x), n_steps, x.shape[1])) < x[:, None]).astype(float)


def _late(right):
    def rate(x, n_steps):
        even = right["rate"](x, n_steps)
        return np.concatenate([0 * even[:, :1], even[:, :-1]], axis=1)
    return {**right, "rate": rate}


MISTAKES = (
    Mistake("late_is_large", "a large x spikes late in yours; here x = 1 is the earliest, z = 1, (C1)", _times(lambda x, late: late ** x)),
    Mistake("time_instead_of_z", "you return the time t; z is exp(t / tau), (C1)", _times(lambda x, late: (1 - x) * np.log(late))),
    Mistake("late_as_time", "you take late as the latest time; it is the z of the latest spike, so t_max = tau ln(late), (C1)",
            _times(lambda x, late: np.exp((1 - x) * late))),
    Mistake("linear_in_z", "your z is linear in x; the time is, (C1)", _times(lambda x, late: 1 + (1 - x) * (late - 1))),
    Mistake("linear_from_zero", "your earliest spike has z = 0, and the neurons divide by z; t = 0 is z = 1, (C1)",
            _times(lambda x, late: (1 - x) * late)),
    *(Mistake("late_ignored", "your times do not depend on late, (C1)", _times(lambda x, late, base=base: base ** (1 - x)))
      for base in (np.e, 6.0)),
    Mistake("negative_times", "your times are negative: z = 1 is the earliest, (C1)", _times(lambda x, late: late ** (x - 1))),
    Mistake("dark_is_silent", "you let x = 0 be silent; in this code it spikes last, at z = late, (C1)",
            _times(lambda x, late: np.where(x > 0, late ** (1 - x), np.inf))),
    Mistake("two_times", "you have two times only; each x has a time of its own, (C1)",
            _times(lambda x, late: np.where(x >= 0.5, 1.0, late))),
    Mistake("starts_again", "your sum begins again at 0 after a spike; what is above 1 is left over and counts for the next spike, (C2)",
            _counts(left=lambda total, s: total * (1 - s))),
    Mistake("fires_above", "your sum does not spike at exactly 1; (C2) says at least 1", _counts(lambda total: total > 1)),
    Mistake("never_subtracted", "you never subtract 1, so that every step has a spike after the first one, (C2)",
            _counts(left=lambda total, s: total)),
    Mistake("begins_at_half", "your sum begins at 1/2: that rounds to the nearest count, and is another code; here it begins at 0, (C2)",
            _counts(begin=0.5)),
    Mistake("all_at_the_start", "your spikes all come first; the count is right, but they are to come at even distances, (C2)",
            _at_once(lambda x, t, n_steps: t < np.floor(n_steps * x))),
    Mistake("no_sum", "you compare x with a level in each step, and nothing adds up; keep the sum from step to step, (C2)",
            _at_once(lambda x, t, n_steps: (x >= 0.5) * np.ones_like(t))),
    Mistake("no_sum", "you compare x with a level in each step, and nothing adds up; keep the sum from step to step, (C2)",
            _at_once(lambda x, t, n_steps: (x >= 1) * np.ones_like(t))),
    Mistake("intensity_for_spike", "you give x in each step; a spike is 0 or 1, (C2)", _at_once(lambda x, t, n_steps: x * np.ones_like(t))),
    Mistake("recorded_late", "each spike is one step too late: it belongs to the step in which the sum reaches 1, (C2)", _late),
    Mistake("inverted", "you spike with probability 1 - x: u is below x with probability x, (C3)", _drawn(lambda u, x, n_steps: u > x)),
    Mistake("divided_by_steps", "x is the probability in each step, not that of all steps together: do not divide by n_steps, (C3)",
            _drawn(lambda u, x, n_steps: u < x / n_steps)),
    Mistake("multiplied_by_steps", "x is the probability in each step: do not multiply by n_steps, (C3)",
            _drawn(lambda u, x, n_steps: u < x * n_steps)),
    Mistake("same_in_all_steps", "you use the random numbers of the first step in all steps; each step has its own, (C3)",
            _drawn(lambda u, x, n_steps: u < x, lambda x, n_steps: (len(x), 1, x.shape[1]))),
    Mistake("same_for_all_inputs", "you use the random numbers of the first input for all; each input has its own, (C3)",
            _drawn(lambda u, x, n_steps: u < x, lambda x, n_steps: (len(x), n_steps, 1))),
    Mistake("same_for_all_samples", "you use the random numbers of the first sample for all; each sample has its own, (C3)",
            _drawn(lambda u, x, n_steps: u < x, lambda x, n_steps: (1, n_steps, x.shape[1]))),
    Mistake("not_random", "the random numbers do nothing: you compare x with 1/2, (C3)", _drawn(lambda u, x, n_steps: x + 0 * u > 0.5)),
    Mistake("own_generator", "your random numbers come from another generator; use u, which comes from rng", replace(poisson=_own_numbers)),
    Mistake("drawn_again", "you draw random numbers again; use u, which is drawn already", replace(poisson=_drawn_again)),
    Mistake("numbers_for_spikes", "you return the random numbers where there is a spike; a spike is 1, (C3)",
            _drawn(lambda u, x, n_steps: u * (u < x))),
)

EXERCISES = {"encode": Exercise("encode", "turn numbers into spikes: as times, as rates, at random", "(C1), (C2), (C3)",
                                {"latency": _latency, "rate": _rate, "poisson": _poisson}, _cases, MISTAKES)}
