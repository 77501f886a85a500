"""Dense, convolution, pooling, batch normalisation, ReLU and the losses, from their definitions, exactly or to 60 digits.

Dense, convolution and mean are sums of products: a list of triples (o, p, q), each saying y[o] += x[p] w[q]. The gradients are read off
the same list. All arrays are object arrays; `exact` makes them of floats, `rounded` makes floats of them.

Arguments and shapes are those of the operation or loss of the same name in `pysnn.reference` and `pysnn.losses`. An operation returns y and
`pull`, which turns a gradient of y into the gradients of its arrays.
"""

from itertools import product

import numpy as np

from ._numbers import context, exact

__all__ = ["avg_pool2d", "batch_norm", "conv2d", "cross_entropy", "dense", "max_pool2d", "mse", "relu", "softmax_t", "softmax_z"]


def _sum_of_products(triples, shapes, x, w):
    """Return y and pull(dy) -> dx, dw of y[o] += x[p] w[q] over the triples; shapes are those of y, x and w."""
    shape_y, shape_x, shape_w = shapes
    o, p, q = (np.ravel_multi_index(tuple(np.array(ix).T), shape) for ix, shape in zip(zip(*triples, strict=True), shapes, strict=True))
    x, w = exact(x).ravel(), exact(w).ravel()

    def add_up(size, at, terms):
        total = exact(np.zeros(size))
        np.add.at(total, at, terms)
        return total

    def pull(dy):
        dy = exact(dy).ravel()
        return (add_up(x.size, p, dy[o] * w[q]).reshape(shape_x), add_up(w.size, q, dy[o] * x[p]).reshape(shape_w))
    return add_up(int(np.prod(shape_y)), o, x[p] * w[q]).reshape(shape_y), pull


def dense(x, w, b=None):
    """Multiply by a weight matrix, y = x w + b; pull(dy) -> dx, dw, db, the last None without b."""
    shapes = ((len(x), np.shape(w)[1]), np.shape(x), np.shape(w))
    triples = [((k, j), (k, i), (i, j)) for k, i, j in product(*map(range, (len(x), *np.shape(w))))]
    y, pull_product = _sum_of_products(triples, shapes, x, w)
    return y if b is None else y + exact(b), lambda dy: (*pull_product(dy), None if b is None else exact(dy).sum(axis=0))


def conv2d(x, w, stride=1, padding=0):
    """Correlate images with a kernel, zeros outside the image; pull(dy) -> dx, dw."""
    n, height, width, _ = np.shape(x)
    kh, kw, c_in, c_out = np.shape(w)
    rows, cols = ((size + 2 * padding - k) // stride + 1 for size, k in ((height, kh), (width, kw)))
    triples = []
    for b, i, j, c, ki, kj, d in product(*map(range, (n, rows, cols, c_out, kh, kw, c_in))):
        r, s = i * stride + ki - padding, j * stride + kj - padding
        if 0 <= r < height and 0 <= s < width:
            triples.append(((b, i, j, c), (b, r, s, d), (ki, kj, d, c)))
    return _sum_of_products(triples, ((n, rows, cols, c_out), np.shape(x), np.shape(w)), x, w)


def _windows(shape, size, stride):
    """Give each output place with the places of its window, in row-major order."""
    n, height, width, channels = shape
    out = (n, (height - size) // stride + 1, (width - size) // stride + 1, channels)
    for b, i, j, c in np.ndindex(out):
        yield out, (b, i, j, c), [(b, i * stride + k, j * stride + m, c) for k in range(size) for m in range(size)]


def avg_pool2d(x, size=2, stride=None):
    """Take the mean of each window; pull(dy) -> dx."""
    windows = list(_windows(np.shape(x), size, stride or size))
    triples = [(place, at, (0,)) for _, place, window in windows for at in window]
    y, pull = _sum_of_products(triples, (windows[0][0], np.shape(x), (1,)), x, exact([1.0]))
    return y / size ** 2, lambda dy: pull(exact(dy))[0] / size ** 2


def max_pool2d(x, size=2, stride=None):
    """Take the maximum of each window, of equal numbers the first in row-major order; pull(dy) -> dx."""
    x = exact(x)
    winners = {place: max(window, key=lambda at: x[at]) for _, place, window in _windows(x.shape, size, stride or size)}    # max: the first
    shape = next(_windows(x.shape, size, stride or size))[0]
    y = exact(np.zeros(shape))
    for place, at in winners.items():
        y[place] = x[at]

    def pull(dy):
        dx = exact(np.zeros(x.shape))
        for place, at in winners.items():
            dx[at] += exact(dy)[place]
        return dx
    return y, pull


def relu(x, top=np.inf, levels=0):
    """Cut numbers off at 0 and at the top, and round them to so many steps; pull(dy) -> dx, 0 where x <= 0 or x >= top."""
    x, top = exact(x), exact(top)[()]
    inside = np.asarray((x > 0) & (x < top), dtype=bool)
    y = np.where(inside, x, np.where(np.asarray(x >= top, dtype=bool), top, exact(0.0)[()]))
    if levels:                           # in halves of a step: 0 is 0, 1 and 2 are 1, 3 and 4 are 2
        y = np.asarray(np.frompyfunc(lambda a: (context().floor(2 * levels * a / top) + 1) // 2 * top / levels, 1, 1)(y), dtype=object)
    return y, lambda dy: np.where(inside, exact(dy), 0)


def batch_norm(x, gamma, beta, given=None, eps=1e-5):
    """Normalise each channel, then scale and shift it.

    Parameters
    ----------
    x : (..., C) array
        Values.
    gamma, beta : (C,) arrays
        Scale and shift.
    given : pair of (C,) arrays, optional
        mean and var, as constants; default: those of the batch, the variance biased.
    eps : float
        Added to the variance.

    Returns
    -------
    y : (..., C) object array
        gamma (x - mean) / sqrt(var + eps) + beta.
    pull : callable
        ``pull(dy) -> dx, dgamma, dbeta``, from the matrix of all dy_i/dx_k.
    """
    ctx = context()
    rows, gamma, beta = exact(x).reshape(-1, np.shape(x)[-1]), exact(gamma), exact(beta)
    n = len(rows)
    mean, var = (exact(v) for v in given) if given else (rows.sum(axis=0) / n, None)
    off = rows - mean
    var = (off * off).sum(axis=0) / n if var is None else var
    sigma = np.asarray(np.frompyfunc(ctx.sqrt, 1, 1)(var + exact(eps)[()]), dtype=object)
    y = gamma * off / sigma + beta

    def pull(dy):
        dy = exact(dy).reshape(rows.shape)
        same = exact(np.eye(n))[:, :, None]
        jacobian = same / sigma
        if not given:                    # d(off_i / sigma)/dx_k: mean moves by 1/n, var by 2 off_k / n
            jacobian = (same - ctx.one / n) / sigma - off[:, None] * off[None] / (n * sigma ** 3)
        dx = (dy[:, None] * jacobian * gamma).sum(axis=0)
        return dx.reshape(np.shape(x)), (dy * off / sigma).sum(axis=0), dy.sum(axis=0)
    return y.reshape(np.shape(x)), pull


def _softmax_loss(scores, labels):
    """Return the mean of -ln softmax(scores)[label] and its gradient."""
    ctx = context()
    loss, d = ctx.zero, exact(np.zeros(scores.shape))
    for b, row in enumerate(scores):
        e = [ctx.exp(s - max(row)) for s in row]
        loss -= ctx.log(e[labels[b]] / sum(e))
        d[b] = [v / sum(e) for v in e]
        d[b, labels[b]] -= 1
    return loss / len(scores), d / len(scores)


def _counted(z, fired, z_max):
    """Return z with z_max for silent outputs; where the sample has a later spike, with twice the first power of two behind that one."""
    silent = exact(np.full(len(z), float(z_max)))
    for b, row in enumerate(z):
        latest, power = max([0, *row[fired[b]]]), exact(1.0)[()]
        while power <= latest:
            power *= 2
        silent[b] = silent[b] if latest < z_max else 2 * power
    return np.where(fired, z, silent[:, None])


def softmax_z(z, labels, z_max=1e3):
    """Average -ln softmax(-z) of the labels; silent outputs as in `_counted`. Return loss and gradient, 0 at silent ones."""
    z = exact(z)
    fired = np.asarray(z < np.inf, dtype=bool)
    loss, d = _softmax_loss(-_counted(z, fired, z_max), labels)
    return loss, np.where(fired, -d, 0)


def softmax_t(z, labels, beta=10.0, z_max=1e3):
    """Average -ln softmax(-beta ln z) of the labels; silent outputs as in `softmax_z`. Return the loss and its gradient."""
    z, beta = exact(z), exact(beta)[()]
    fired = np.asarray(z < np.inf, dtype=bool)
    counted = _counted(z, fired, z_max)
    loss, d = _softmax_loss(-beta * np.asarray(np.frompyfunc(context().log, 1, 1)(counted), dtype=object), labels)
    return loss, np.where(fired, -beta * d / counted, 0)


def cross_entropy(y, labels):
    """Average -ln softmax(y) of the labels. Return the loss and its gradient."""
    return _softmax_loss(exact(y), labels)


def mse(y, labels):
    """Average the squared distance from one-hot over batch and outputs. Return the loss and its gradient."""
    off = exact(y) - exact(np.eye(np.shape(y)[1])[np.asarray(labels)])
    return (off * off).sum() / off.size, off * 2 / off.size
