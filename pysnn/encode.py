"""From images and points to spike times z = exp(t/tau), and the disturbances that times can suffer."""

import numpy as np

from . import _checks
from .conventions import NO_SPIKE


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
    """Spike times that fall with intensity: t = t_max (1 - x), so z = late ** (1 - x).

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
    return np.where(rng.random(z.shape, dtype=np.float32) < p, z.dtype.type(NO_SPIKE), z)


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
