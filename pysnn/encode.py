"""From images, points and signals to spike times z = exp(t/tau) or spike trains, and the disturbances that samples can suffer.

Spike trains have the shape (B, T, n): samples first, then time steps. Neurons take time first: np.swapaxes(spikes, 0, 1).
"""

import numpy as np

from . import _checks
from .conventions import NO_SPIKE, Sequences


def intensities(x, dtype=np.float32):
    """Scale data to [0, 1] and lay each sample out as one row.

    Parameters
    ----------
    x : (B, ...) array of uint8, or of floats in [0, 1]
        Images or points.
    dtype : dtype
        float32 or float64.

    Returns
    -------
    (B, n) array
        Intensities in [0, 1].

    Raises
    ------
    TypeError, ValueError
        For other dtypes, an empty array, or floats outside [0, 1].
    """
    if not isinstance(x, np.ndarray) or (x.dtype != np.uint8 and x.dtype.kind != "f"):
        raise TypeError(f"x: expected uint8 images or floats in [0, 1], got {_checks.describe(x)}")
    if x.ndim < 2 or x.size == 0:
        raise ValueError(f"x: expected a batch of samples (B, ...), got {_checks.describe(x)}")
    flat = x.reshape(len(x), -1)
    if x.dtype == np.uint8:
        return flat.astype(dtype) / dtype(255)
    if not ((flat >= 0) & (flat <= 1)).all():
        raise ValueError(f"x: expected intensities in [0, 1], got {np.min(flat)} to {np.max(flat)}")
    return flat.astype(dtype)


def binary(x, late=6.0, cut=0.5, bright="early"):
    """Two spike times: z = 1 (t = 0) and z = late.

    Parameters
    ----------
    x : (B, n) array in [0, 1]
        Intensities.
    late : float
        z of the late spikes; the paper's 6 is t = 1.79 tau.
    cut : float
        Intensities from here on are bright.
    bright : {"early", "late"}
        When bright inputs spike.

    Returns
    -------
    (B, n) array
        exp(t/tau) of the spikes.
    """
    if bright not in ("early", "late"):
        raise ValueError(f"bright: expected 'early' or 'late', got {bright!r}")
    x = _unit(x)
    _checks.positive(late, "late")
    early = (x >= cut) == (bright == "early")
    return np.where(early, x.dtype.type(1), x.dtype.type(late))


def latency(x, late=6.0):
    """Spike times that fall with intensity: t = t_max (1 - x), so z = late ** (1 - x); (C1) of docs/course/encoding.md.

    Parameters
    ----------
    x : (B, n) array in [0, 1]
        Intensities.
    late : float
        z of the darkest input, exp(t_max/tau).

    Returns
    -------
    (B, n) array
        exp(t/tau) of the spikes.
    """
    x = _unit(x)
    return np.exp((1 - x) * x.dtype.type(np.log(_checks.positive(late, "late"))))


def times(x, dtype=np.float32):
    """Take data that are spike times already: z = exp(t/tau).

    Parameters
    ----------
    x : (B, n) array of floats
        Spike times in tau, also negative ones; inf: no spike.
    dtype : dtype
        float32 or float64.

    Returns
    -------
    (B, n) array
        exp(t/tau) of the spikes; inf where there is none.

    Raises
    ------
    ValueError
        For NaN, -inf, and times beyond 80 tau.
    """
    return np.exp(_checks.times(x, "x").astype(dtype))


def pairs(x, late=6.0):
    """Two spikes for each intensity, at t = t_max (1 - x) and t_max x: what is small in one is early in the other.

    Parameters
    ----------
    x : (B, n) array in [0, 1]
        Intensities.
    late : float
        z of the latest spikes, exp(t_max/tau).

    Returns
    -------
    (B, 2 n) array
        exp(t/tau) of the spikes: `latency` of x, then of 1 - x.
    """
    return np.concatenate([latency(x, late), latency(1 - x, late)], axis=1)


def leaky_latency(x, threshold=0.2):
    """Spike times of leaky neurons that a constant current charges: t = tau ln(x / (x - threshold)), so z = x / (x - threshold).

    As in the tutorials SpyTorch (Neftci, Mostafa, Zenke, IEEE Signal Processing Magazine 36(6), 2019): the potential rises as
    x (1 - exp(-t/tau)) and the neuron fires when it reaches the threshold.

    Parameters
    ----------
    x : (B, n) array in [0, 1]
        Intensities.
    threshold : float
        Intensities up to here never fire.

    Returns
    -------
    (B, n) array
        exp(t/tau) of the spikes; inf where there is none.
    """
    x = _unit(x)
    above = x - x.dtype.type(_checks.positive(threshold, "threshold"))
    return np.divide(x, above, out=np.full_like(x, NO_SPIKE), where=above > 0)


def spike_trains(z, n_steps, tau):
    """Put spike times into time steps: a spike at time t, in steps, is in the step that t falls into.

    Parameters
    ----------
    z : (B, n) array
        exp(t/tau) with t >= 0; inf for no spike.
    n_steps : int
        Time steps T; a spike that comes later is lost.
    tau : float
        The time constant, in steps.

    Returns
    -------
    (B, T, n) array
        1 a spike, 0 none.

    Raises
    ------
    TypeError, ValueError
        If z is no such array, below 1 (t < 0) or NaN, or n_steps or tau are out of range.
    """
    z, n_steps, tau = _checks.array(z, "z", ndim=2), _checks.whole(n_steps, "n_steps", 1), _checks.positive(tau, "tau")
    if not (z >= 1).all():
        raise ValueError(f"z: expected exp(t/tau) of at least 1, t >= 0, got {z[~(z >= 1)][0]}")
    t = np.log(z) * z.dtype.type(tau)
    b, i = np.nonzero(t < n_steps)
    spikes = np.zeros((len(z), n_steps, z.shape[1]), z.dtype)
    spikes[b, t[b, i].astype(np.int64), i] = 1
    return spikes


def poisson(x, rng, n_steps=None):
    """Random spikes: in each time step an input spikes with its intensity as probability, whatever else happened.

    With small intensities this is a Poisson process of rate x a step, of which one spike a step is kept; (C3) of docs/course/encoding.md.

    Parameters
    ----------
    x : (B, n) array in [0, 1], or (B, T, n)
        Intensities: held for all steps, or one for each.
    rng : numpy.random.Generator
        Source of randomness.
    n_steps : int, optional
        Time steps T, for x of shape (B, n).

    Returns
    -------
    (B, T, n) array
        1 a spike, 0 none.

    Raises
    ------
    TypeError, ValueError
        If x is no array of intensities, has T steps and n_steps is given, or has none and it is not; or rng is no Generator.
    """
    x = _unit(x)
    if x.ndim != (3 if n_steps is None else 2):
        raise ValueError(f"x: expected shape {'(B, T, n), or n_steps' if n_steps is None else '(B, n), for n_steps is given'}, got "
                         f"{_checks.describe(x)}")
    if n_steps is not None:
        x = np.broadcast_to(x[:, None], (len(x), _checks.whole(n_steps, "n_steps", 1), x.shape[1]))
    return (_checks.generator(rng).random(x.shape, dtype=x.dtype) < x).astype(x.dtype)


def population(x, n_fields):
    """Receptive fields: each number goes to several inputs, each with a normal curve around a value of its own.

    (C4) of docs/course/encoding.md, after S. M. Bohte, J. N. Kok, H. La Poutre, Neurocomputing 48, 2002: the middles are
    (i - 1/2) / (n_fields - 2) for i = 0 ... n_fields - 1, the first and last beyond the ends; the standard deviation is 2/3 of their
    distance. What comes out are intensities: `latency` or `poisson` makes spikes of them.

    Parameters
    ----------
    x : (..., n) array in [0, 1]
        Intensities.
    n_fields : int
        Inputs for each number, at least 3.

    Returns
    -------
    (..., n n_fields) array
        Intensities in [0, 1], those of one number together.

    Raises
    ------
    TypeError, ValueError
        If x is no array of intensities, or n_fields is less than 3.
    """
    x, n_fields = _unit(x), _checks.whole(n_fields, "n_fields", 3)
    middles = ((np.arange(n_fields) - 0.5) / (n_fields - 2)).astype(x.dtype)
    far = (x[..., None] - middles) * x.dtype.type(1.5 * (n_fields - 2))
    return np.exp(-0.5 * far * far).reshape(*x.shape[:-1], -1)


def delta(x, size):
    """Changes of signals as spikes, the delta code: an input spikes when its value has crossed a level above or below the last one.

    The first level is the first value. A spike up raises the level by `size`, a spike down lowers it; so the level follows the
    signal to within `size`, unless that changes faster than `size` a step; (C5) of docs/course/encoding.md.

    Parameters
    ----------
    x : (B, T, n) array
        Signals of any size.
    size : float
        The distance of two levels, in the unit of x.

    Returns
    -------
    (B, T, 2 n) array
        1 a spike, 0 none: n inputs for changes up, then n for changes down. There is none in the first step.

    Raises
    ------
    TypeError, ValueError
        If x is no such array or not finite, or the size is not positive.
    """
    x = _checks.array(x, "x", ndim=3)
    _checks.finite(x, "x")
    size = x.dtype.type(_checks.positive(size, "size"))
    spikes, level = np.zeros((*x.shape[:2], 2 * x.shape[2]), x.dtype), x[:, 0].copy()
    for t in range(1, x.shape[1]):
        up, down = x[:, t] - level >= size, level - x[:, t] >= size
        spikes[:, t] = np.concatenate([up, down], axis=1)
        level += size * up - size * down
    return spikes


def differences(x, dtype=np.float32):
    """Add to each channel of a signal a channel with its change around each step: 3 (x[t + 1] - x[t - 1]) / 2, the ends repeated.

    Parameters
    ----------
    x : (B, T, ..., C) array of floats, or pysnn.conventions.Sequences
        Signals.
    dtype : dtype
        float32 or float64.

    Returns
    -------
    (B, T, ..., 2 C) array, or pysnn.conventions.Sequences
        The signals and their changes; the 3 brings a slow signal's changes near the signal's size.

    Raises
    ------
    TypeError
        If x is no array of floats.
    """
    values, lengths = (x.x, x.lengths) if isinstance(x, Sequences) else (x, None)
    if not isinstance(values, np.ndarray) or values.dtype.kind != "f" or values.ndim < 3:
        raise TypeError(f"x: expected signals (B, T, ..., C) of floats, got {_checks.describe(values)}")
    values = values.astype(dtype, copy=False)
    n_batch, n_steps = values.shape[:2]
    row, t = np.arange(n_batch)[:, None], np.arange(n_steps)
    after = np.minimum(t + 1, (np.full(n_batch, n_steps) if lengths is None else lengths)[:, None] - 1)
    change = values[row, after] - values[:, np.maximum(t - 1, 0)]
    both = np.concatenate([values, change * dtype(1.5)], axis=-1)
    return both if lengths is None else Sequences(both, lengths)


def within(lengths, n_steps):
    """Tell which time steps belong to a sequence and which are padding.

    Parameters
    ----------
    lengths : (B,) array of int
        Time steps of each sample, 1 to n_steps.
    n_steps : int
        Time steps T with the padding.

    Returns
    -------
    (B, T, 1) array of bool
        True within the sequence. Multiply spikes of padded signals with it: an encoding takes the zeros for values.

    Raises
    ------
    TypeError, ValueError
        If lengths are no whole numbers, or out of range.
    """
    n_steps = _checks.whole(n_steps, "n_steps", 1)
    return (np.arange(n_steps) < _checks.lengths(lengths, "lengths", np.size(lengths), n_steps)[:, None])[:, :, None]


def _unit(x):
    """Let only intensities through."""
    x = _checks.array(x, "x")
    if not ((x >= 0) & (x <= 1)).all():
        raise ValueError(f"x: expected intensities in [0, 1], got {x.min()} to {x.max()}")
    return x


def jitter(z, sigma, rng):
    """Move each spike by a normal random time.

    Parameters
    ----------
    z : (B, n) array
        exp(t/tau); inf stays inf.
    sigma : float
        Standard deviation, in units of tau.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    (B, n) array
        exp(t/tau) of the moved spikes.
    """
    z = _checks.array(z, "z")
    return z * np.exp(z.dtype.type(sigma) * rng.standard_normal(z.shape, dtype=z.dtype))


def drop_spikes(z, p, rng):
    """Lose each spike with probability p.

    Parameters
    ----------
    z : (B, n) array
        exp(t/tau) of the spikes.
    p : float
        Probability, 0 to 1.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    (B, n) array
        A copy, with inf for the lost spikes.
    """
    z = _checks.array(z, "z")
    with np.errstate(divide="ignore"):
        return z / (rng.random(z.shape, dtype=np.float32) >= p)          # 1 or 0; without a branch, which nothing can predict


def shift_images(x, n_pixels, rng, edge="zeros"):
    """Shift each image by up to n_pixels along both axes; what leaves on one side is lost.

    Parameters
    ----------
    x : (B, H, W) or (B, H, W, C) array
        Images.
    n_pixels : int
        Largest shift.
    rng : numpy.random.Generator
        Source of randomness.
    edge : {"zeros", "copy", "reflect"}
        What enters on the other side: 0, the pixels of the edge, or the image mirrored there.

    Returns
    -------
    array like x
        The shifted images.
    """
    pad = [(0, 0), (n_pixels, n_pixels), (n_pixels, n_pixels)] + [(0, 0)] * (x.ndim - 3)
    if edge not in EDGES:
        raise ValueError(f"edge: expected one of {', '.join(EDGES)}, got {edge!r}")
    padded = np.pad(x, pad, mode=EDGES[edge])
    out = np.empty_like(x)
    rows, cols = rng.integers(0, 2 * n_pixels + 1, (2, len(x)))
    for b, (r, c) in enumerate(zip(rows, cols, strict=True)):
        out[b] = padded[b, r:r + x.shape[1], c:c + x.shape[2]]
    return out


def crop_images(x, n_pixels, rng):
    """Keep a square of each image, at a random place, and put it in the middle of zeros.

    Parameters
    ----------
    x : (B, H, W) or (B, H, W, C) array
        Images.
    n_pixels : int
        Side of the square, at most that of the image.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    array like x
        The squares, in images as large as before.
    """
    out = np.zeros_like(x)
    room = x.shape[1] - n_pixels, x.shape[2] - n_pixels
    r, c = room[0] // 2, room[1] // 2
    places = rng.integers(0, np.add(room, 1), (len(x), 2))
    for b, (i, j) in enumerate(places):
        out[b, r:r + n_pixels, c:c + n_pixels] = x[b, i:i + n_pixels, j:j + n_pixels]
    return out


EDGES = {"zeros": "constant", "copy": "edge", "reflect": "reflect"}


def flip_by_turns(x, epoch):
    """Mirror each image left to right in every second epoch; which epochs these are is decided by the sum of its bytes, even or odd.

    Parameters
    ----------
    x : (B, H, W) or (B, H, W, C) array
        Images.
    epoch : int
        Number of the epoch.

    Returns
    -------
    array like x
        A copy.
    """
    out = np.ascontiguousarray(x).copy()
    odd = out.reshape(len(x), -1).view(np.uint8).sum(axis=1, dtype=np.int64) % 2
    some = odd == epoch % 2
    out[some] = x[some, :, ::-1]
    return out


def erase_from_images(x, side, rng):
    """Set a square of each image to the image's mean, at a random place; it may hang over the edge.

    Parameters
    ----------
    x : (B, H, W) or (B, H, W, C) array
        Images.
    side : int
        Side of the square, in pixels.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    array like x
        A copy.
    """
    out = x.copy()
    places = rng.integers(1 - side, x.shape[1:3], (len(x), 2))
    for b, (i, j) in enumerate(places):
        out[b, max(0, i):i + side, max(0, j):j + side] = x[b].mean()
    return out


def flip_images(x, rng):
    """Mirror each image left to right with probability 1/2.

    Parameters
    ----------
    x : (B, H, W) or (B, H, W, C) array
        Images.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    array like x
        A copy.
    """
    out = x.copy()
    some = rng.random(len(x)) < 0.5
    out[some] = x[some, :, ::-1]
    return out
