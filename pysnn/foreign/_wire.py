"""What the two processes say to each other: plain data as JSON, the numbers of arrays as they lie in memory. Nothing in it is code."""

import json
import struct

import numpy as np

from ..conventions import Rule, Surrogate
from ..operations import Operation
from ._load import clean

MOST = 2 ** 28                # bytes of a message
MOST_HEAD = 2 ** 24           # bytes of what is in it besides arrays
LONG = 2 ** 16                # characters of a text that are kept
SPREAD = "spread"             # the order of an array whose numbers do not lie side by side: it comes out as every second of another one
HEAD = struct.Struct("<QQ")
RECORDS = {kind.__name__: kind for kind in (Operation, Rule, Surrogate)}


def pack(value, other):
    """Make a message; `other(x)` writes what is not plain data as a list for `unpack`."""
    parts = []
    head = json.dumps(_encode(value, parts, other)).encode()
    return b"".join([HEAD.pack(len(head), sum(map(len, parts))), head, *parts])


def unpack(message, other):
    """Read what `receive` has returned; `other(node)` reads what `other` of `pack` wrote."""
    return _decode(json.loads(message[0]), message[1], other)


def receive(read):
    """Return the two parts of a message; None at the end. `read(n)` returns n bytes, or fewer at the end."""
    lengths = read(HEAD.size)
    if len(lengths) < HEAD.size:
        return None
    n_head, n_data = HEAD.unpack(lengths)
    if n_head + n_data > MOST or n_head > MOST_HEAD:
        raise ValueError(f"expected a message of at most {MOST} bytes, {MOST_HEAD} besides arrays, got {n_head + n_data}, {n_head}")
    head, data = read(n_head), read(n_data)
    return (head, data) if len(head) + len(data) == n_head + n_data else None


def _encode(x, parts, other):
    if x is None or type(x) in (bool, int, float, str):
        return x
    if isinstance(x, (np.ndarray, np.generic)) and x.dtype.kind in "biufc" and not isinstance(x, np.ma.MaskedArray):
        order = "C" if x.flags.c_contiguous else "F" if x.flags.f_contiguous else SPREAD
        at, kind = sum(map(len, parts)), "scalar" if isinstance(x, np.generic) else "writable" if x.flags.writeable else "read-only"
        parts.append(x.tobytes("F" if order == "F" else "C"))
        return ["array", x.dtype.str, list(x.shape), order, kind, at, len(parts[-1])]
    if x is ... or (isinstance(x, np.ndarray) and x.dtype == object and any(e is ... for e in x.flat)):
        return ["ellipsis"]
    if RECORDS.get(type(x).__name__) is type(x):
        return ["record", type(x).__name__, *(_encode(e, parts, other) for e in x)]
    if isinstance(x, (tuple, list)):
        return ["tuple" if isinstance(x, tuple) else "list", *(_encode(e, parts, other) for e in x)]
    if isinstance(x, dict) and all(isinstance(key, str) for key in x):
        return {key: _encode(e, parts, other) for key, e in x.items()}
    return other(x)


def _decode(node, data, other):
    if isinstance(node, dict):
        return {clean(key[:LONG]): _decode(e, data, other) for key, e in node.items()}
    if not isinstance(node, list):
        return clean(node[:LONG]) if isinstance(node, str) else node
    kind, *rest = node
    if kind == "array":
        return _array(data, *rest)
    if kind == "ellipsis":
        return ...
    if kind in ("tuple", "list", "record"):
        values = [_decode(e, data, other) for e in rest[kind == "record":]]
        return values if kind == "list" else tuple(values) if kind == "tuple" else RECORDS[rest[0]](*values)
    return other(node)


def _array(data, dtype, shape, order, kind, at, n):
    """Read an array; it lies in memory as it did, and can be written if it could."""
    if np.dtype(dtype).kind not in "biufc":
        raise ValueError(f"expected numbers, got {dtype}")
    x = np.frombuffer(data[at:at + n], np.dtype(dtype)).reshape(shape, order="F" if order == "F" else "C").copy(order="K")
    if order == SPREAD:
        wide = np.zeros((*shape, 2), x.dtype)
        wide[..., 0], x = x, wide[..., 0]
    x.flags.writeable = kind != "read-only"
    return x[()] if kind == "scalar" else x
