"""MNIST-1D: short signals in the shapes of the ten digits, made on the spot.

S. Greydanus, "Scaling down deep learning", arXiv 2011.14439; the numbers of the description (the ten shapes, lengths, sizes
of the noise) are those of the package mnist1d 0.0.2 (Apache-2.0). A template of 12 points is lengthened by zeros, drawn to
72 points, scaled and turned round in a circle; correlated noise fills the zeros, white noise and a slope come on top of it
all, and every 1.8th point is kept: 40. The code was written from that description, and draws its random numbers in the order
of that package: from the same seed come the same signals.
"""

import numpy as np

MNIST1D_SETS = (4000, 1000, 42)  # published: sizes of training and test set, seed
TEMPLATES = np.array([
    [5, 6, 6.5, 6.75, 7, 7, 7, 7, 6.75, 6.5, 6, 5],
    [5, 3, 3, 3.4, 3.8, 4.2, 4.6, 5, 5.4, 5.8, 5, 5],
    [5, 6, 6.5, 6.5, 6, 5.25, 4.75, 4, 3.5, 3.5, 4, 5],
    [5, 6, 6.5, 6.5, 6, 5, 5, 6, 6.5, 6.5, 6, 5],
    [5, 4.4, 3.8, 3.2, 2.6, 2.6, 5, 5, 5, 5, 5, 5],
    [5, 3, 3, 3, 3, 5, 6, 6.5, 6.5, 6, 4.5, 5],
    [5, 4, 3.5, 3.25, 3, 3, 3, 3, 3.25, 3.5, 4, 5],
    [5, 7, 7, 6.6, 6.2, 5.8, 5.4, 5, 4.6, 4.2, 5, 5],
    [5, 4, 3.5, 3.5, 4, 5, 5, 4, 3.5, 3.5, 4, 5],
    [5, 4, 3.5, 3.5, 4, 5, 5, 5, 5, 4.7, 4.3, 5],
])
N_PADDED, N_KEPT = 72, 40
LEAST_PADDING, MOST_PADDING = 36, 60
MOST_SHIFT = 48
SCALE, SLOPE = 0.4, 0.75                    # ranges of the random scale, around 1, and of the random slope, around 0
CORRELATED_NOISE, WHITE_NOISE = 0.25, 0.02  # standard deviations, the former before smoothing
SMOOTH, REACH = 2.0, 8                      # of the smoothing: standard deviation, and where it is cut off, in points
ABOVE_ZERO = 1e-8                           # added to the template, so that its own zeros are told from the padding


def mnist1d(n, seed):
    """Draw MNIST-1D.

    Parameters
    ----------
    n : int
        Number of samples, a multiple of 10.
    seed : int
        Seed of numpy.random.RandomState, whose stream NumPy has frozen.

    Returns
    -------
    x : numpy.ndarray
        float32 (n, 40, 1), in random order; all numbers together have mean 0 and standard deviation 1.
    y : numpy.ndarray
        int64 (n,), the digit, as often each.

    Raises
    ------
    ValueError
        If n is no positive multiple of 10.
    """
    if n < 10 or n % 10:
        raise ValueError(f"n: expected a multiple of 10, got {n}")
    rng = np.random.RandomState(seed)
    shapes = TEMPLATES - TEMPLATES.mean(axis=1, keepdims=True)
    shapes /= shapes.std(axis=1, keepdims=True)
    shapes = (shapes - shapes[:, :1]) / 6
    y = np.repeat(np.arange(10), n // 10)
    x = _signals(shapes, y, rng)
    order = rng.permutation(n)
    x = (x - x.mean()) / x.std()
    return x[order, :, None].astype(np.float32), y[order]


def _signals(shapes, y, rng):
    """Disturb the templates of all samples; give float64 (n, N_KEPT)."""
    n_more, scale, shift, correlated, white, slope = map(np.array, zip(*(_draw(rng) for _ in y), strict=True))
    paddings = [np.zeros(LEAST_PADDING + k) for k in range(MOST_PADDING - LEAST_PADDING + 1)]
    padded = np.array([[_resampled(np.concatenate([shape + ABOVE_ZERO, zeros]), N_PADDED) for zeros in paddings] for shape in shapes])
    x = padded[y, n_more] * scale[:, None]
    points = np.arange(N_PADDED)
    x = np.take_along_axis(x, (points - shift[:, None]) % N_PADDED, axis=1)
    x = np.where(x != 0, x, _smoothed(correlated)) + white
    x = x - slope[:, None] * (points / (N_PADDED - 1) - 0.5)
    return np.stack([_resampled(row, N_KEPT) for row in x])


def _draw(rng):
    """Draw the random numbers of one sample, in the order of the package."""
    n_more = int(rng.rand() * (MOST_PADDING - LEAST_PADDING + 1))
    scale, shift = 1 + SCALE * (rng.rand() - 0.5), rng.choice(MOST_SHIFT)
    correlated, white = CORRELATED_NOISE * rng.randn(N_PADDED), WHITE_NOISE * rng.randn(N_PADDED)
    return n_more, scale, shift, correlated, white, SLOPE * (rng.rand() - 0.5)


def _resampled(x, n):
    """Interpolate linearly to n points between the same ends."""
    return np.interp(np.linspace(0, 1, n), np.linspace(0, 1, len(x)), x)


def _smoothed(x):
    """Convolve rows with a normal density; beyond its ends a row is mirrored."""
    density = np.exp(-0.5 * (np.arange(-REACH, REACH + 1) / SMOOTH) ** 2)
    mirrored = np.pad(x, ((0, 0), (REACH, REACH)), mode="symmetric")
    return sum(w * mirrored[:, k:k + x.shape[1]] for k, w in enumerate(density / density.sum()))
