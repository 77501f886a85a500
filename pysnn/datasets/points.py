"""Small point sets made on the spot: XOR and Yin-Yang.

Yin-Yang: L. Kriener, J. Goeltz, M. A. Petrovici, "The Yin-Yang dataset", NICE 2022, arXiv 2102.08211. A disc of radius
r_big is cut into yin and yang, each with a dot of radius r_small in its head; the dots are the third class. Classes are
equally likely although their areas are not. Each point comes with its mirror image (1 - x, 1 - y), so that every point
gives a network the same total input. The generator here was written from that description and the order in which the
authors' program draws its random numbers, and reproduces their published files bit by bit.
"""

import math

import numpy as np

YIN_YANG_SETS = {"train": (5000, 42), "validation": (1000, 41), "test": (1000, 40)}  # published: size, seed


def xor():
    """Give the four points of exclusive or.

    Returns
    -------
    x : numpy.ndarray
        float64 (4, 2), the corners of the unit square.
    y : numpy.ndarray
        int64 (4,), 1 where the two coordinates differ.
    """
    x = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    return x, (x[:, 0] != x[:, 1]).astype(np.int64)


def yin_yang(n, seed, r_big=0.5, r_small=0.1):
    """Draw n points of the Yin-Yang figure.

    Parameters
    ----------
    n : int
        Number of points, at least 1.
    seed : int
        Seed of numpy.random.RandomState, whose stream NumPy has frozen: same seed, same bits, on every machine.
    r_big : float, optional
        Radius of the disc, whose centre is (r_big, r_big); at most 0.5, so that coordinates stay in [0, 1].
    r_small : float, optional
        Radius of the two dots, less than r_big / 2.

    Returns
    -------
    x : numpy.ndarray
        float64 (n, 4): x, y, 1 - x, 1 - y.
    y : numpy.ndarray
        int64 (n,): 0 yin, 1 yang, 2 dot (the order in which the authors' program names them).

    Raises
    ------
    ValueError
        If n or a radius is out of range.
    """
    if n < 1:
        raise ValueError(f"n: expected at least 1 point, got {n}")
    if not 0 < r_small < r_big / 2 <= 0.25:
        raise ValueError(f"expected 0 < r_small < r_big / 2 <= 0.25, got r_big = {r_big}, r_small = {r_small}")
    rng = np.random.RandomState(seed)
    x, labels = np.empty((n, 4)), np.empty(n, np.int64)
    for b in range(n):
        labels[b] = rng.randint(3)
        while True:  # rejection: throw until a point of the wanted class is hit
            px, py = (rng.rand(2) * 2.0 * r_big).tolist()
            if yin_yang_class(px, py, r_big, r_small) == labels[b]:
                break
        x[b] = px, py, 1.0 - px, 1.0 - py
    return x, labels


def yin_yang_class(px, py, r_big=0.5, r_small=0.1):
    """Tell the class of one point of the Yin-Yang figure.

    Parameters
    ----------
    px, py : float
        The point.
    r_big, r_small : float, optional
        Radii as in `yin_yang`.

    Returns
    -------
    int or None
        2 in a dot, 1 in the left head and the rest of the upper half, 0 elsewhere in the disc, None outside.
    """
    if _distance(px, py, r_big, r_big) > r_big:
        return None
    left, right = (_distance(px, py, c * r_big, r_big) for c in (0.5, 1.5))  # from the centres of the two heads
    if min(left, right) < r_small:
        return 2
    in_left_head, in_right_head = left <= r_big / 2, right <= r_big / 2
    return int(in_left_head or (py > r_big and not in_right_head))


def yin_yang_validation():
    """Give the published validation set (`load` gives the training and test set).

    Returns
    -------
    x, y : numpy.ndarray
        float64 (1000, 4) and int64 (1000,), as in `yin_yang`.
    """
    return yin_yang(*YIN_YANG_SETS["validation"])


def _distance(px, py, cx, cy):
    return math.sqrt((px - cx) ** 2 + (py - cy) ** 2)
