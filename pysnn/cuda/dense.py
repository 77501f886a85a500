"""The dense layer on a GPU; the same names, arguments and results as reference/dense.py.

A dense layer is a convolution of images of one pixel with a kernel of one tap, so its three products are those of conv.py.
"""

from typing import NamedTuple

from .. import _checks
from ._target import at_home, cuda, empty, give, kernel, send, stand_in
from .conv import FORWARD, TO_W, TO_X, product
from .conv import Cache as Product
from .integrate_fire import flat


class Cache(NamedTuple):
    """What backward needs of forward; opaque, on the device."""

    x: object
    w: object
    has_b: bool


def dense_forward(x, w, b=None):
    """Multiply by a weight matrix; see `pysnn.reference.dense.dense_forward`."""
    home = at_home(x, w, b)
    x_seen, w_seen, b_seen = _checks.dense(stand_in(x), stand_in(w), stand_in(b))
    x, w = send(x, x_seen, "x"), send(w, w_seen, "w")
    y = _multiply((x, w), FORWARD, x, w, empty((x.shape[0], w.shape[1]), x.dtype, "y"))     # (R1)
    if b is not None:
        _add_row.over(y.size, flat(y), send(b, b_seen, "b"), y.shape[1], y.size)
    return give(home, y), Cache(x, w, b is not None)


def dense_backward(dy, cache, need_dx=True):
    """Pull a gradient back through `dense_forward`; see `pysnn.reference.dense.dense_backward`."""
    (x, w, has_b), home = cache, at_home(dy)
    dy = send(dy, _checks.gradient(stand_in(dy), ((x.shape[0], w.shape[1]), x.dtype)), "dy")
    db = empty(w.shape[1:], x.dtype, "db") if has_b else None
    if has_b:
        _sum_rows.over(db.size, flat(dy), db, x.shape[0], db.size)
    dx = _multiply((x, w), TO_X, dy, w, empty(tuple(x.shape), x.dtype, "dx")) if need_dx else None     # (R1)
    dw = _multiply((x, w), TO_W, x, dy, empty(tuple(w.shape), x.dtype, "dw"))
    return give(home, dx, dw, db)


def _multiply(layer, which, a, b, out):
    """See everything as images of one pixel."""
    (n_batch, n_in), n_out = layer[0].shape, layer[1].shape[1]
    x, w = layer[0].reshape(n_batch, 1, 1, n_in), layer[1].reshape(1, 1, n_in, n_out)
    return product(Product(x, w, 1, 0, (n_batch, 1, 1, n_out)), which, a, b, out)


@kernel("T1 T1 i i")
def _add_row(y, b, n_out, n):
    """(R1) y += b: a thread a number."""
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        y[i] += b[i % n_out]


@kernel("T1 T1 i i")
def _sum_rows(dy, db, n_batch, n_out):
    """(R1) db: a thread an output, its batch in order."""
    for j in range(cuda.grid(1), n_out, cuda.gridsize(1)):
        total = dy[j]
        for b in range(1, n_batch):
            total += dy[b * n_out + j]
        db[j] = total
