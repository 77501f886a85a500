"""Mutated checkpoints: each loads with the weights of the original, or is refused in one short line."""

import functools
import io
import json
import struct
import warnings
import zipfile
from pathlib import Path

import numpy as np

from pysnn import checkpoint, cli, datasets, models, training
from pysnn.learning import surrogate

TIMED = models.Model((2,), [models.Dense(3), models.Leaky(0.9, True, 0.5, ("beta", "alpha", "threshold")), models.Dense(2),
                            models.Integrate(0.8, learn=("beta",))])
MODELS = (   # method, model, other settings
    ("temporal", "2-4-2", {}), ("proxy", "2-6-2", {"n_steps": 3}), ("ann", "2-4d-B-N-3-2", {"optimiser": "sgd"}),
    ("conversion", "2-5-2", {}), ("surrogate", "2-4-2", {"n_steps": 3, "bias": True}),
    ("surrogate", TIMED, {**surrogate.SERIES, "n_steps": 3}), ("surrogate", "2-4d-L0.9-2d-I0.9", {"n_steps": 3, "over": "each"}),
)
JUNK = (None, True, False, 0, -1, -3, 1, 2, 1.5, 2 ** 63, 2 ** 200, -2 ** 70, 1e308, float("nan"), float("inf"), "", "3", "x" * 5000,
        "\x1b[2J", "evil.py:rule", "/tmp/evil.py:rule", [], [1, 2], ["1"], [[[]]], {}, {"a": 1}, {"shape": 3}, "100000-100000-2", 100_000)


def run(n, seed, tally, limit):
    """Draw n mutants of a few checkpoints, load each; every 40th by the command line, too."""
    rng, originals = np.random.default_rng(seed), [*made()]
    for raw, _ in originals:         # what is loaded only once, such as compiled functions, is no cost of a mutant; nor are the bombs
        outcome("first", raw, None, tally, count=False)
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2):
        _bomb(method, True), _bomb(method, False)
    limit()
    names = list(MUTATIONS)
    for k in range(n):
        raw, weights = originals[rng.integers(len(originals))]
        kind = names[k % len(names)]
        with warnings.catch_warnings(action="ignore"):
            mutant = MUTATIONS[kind](raw, rng)
        outcome(kind, mutant, weights, tally)
        if k % 40 == 0:
            verbs(kind, tally)
    return max(len(raw) for raw, _ in originals)


def made():
    """Make checkpoints of several methods, whole ones and weights only; yield bytes and weights."""
    x, y = datasets.xor()
    for method, model, chosen in MODELS:
        settings = training.METHODS[method].settings_for("xor", model=model, backend="reference", epochs=3, **chosen)
        run = training.start(method, settings, 1, {"name": "xor", "n_val": 0, "split_seed": 0})
        for _ in training.epochs(run, (np.repeat(x[:, None], 3, axis=1) if settings.time_axis else x, y)):
            pass
        for weights_only in (False, True):
            training.save(run, "original.npz", weights_only)
            yield Path("original.npz").read_bytes(), bits(training.load("original.npz"))


def bits(run):
    """Return all numbers of a run: parameters, state, and what the optimiser remembers."""
    arrays = {**run.nets.net.params, **{f"state/{k}": x for k, x in run.nets.state.items()}}
    if run.rng is not None:
        arrays |= {f"optimiser/{k}": x for k, x in run.optimiser.state.items()}
    return {name: (x.dtype.str, x.shape, x.tobytes()) for name, x in arrays.items()}


def outcome(kind, mutant, weights, tally, count=True):
    """Load a mutant and count what happens."""
    Path("mutant.npz").write_bytes(mutant)
    try:
        got = bits(training.load("mutant.npz"))
    except checkpoint.CheckpointError as error:
        if isinstance(error.__cause__, MemoryError):
            tally.add(kind, "tracebacks", f"out of memory: {error}")
        else:
            tally.refused(kind, error)
    except BaseException as error:
        tally.add(kind, "tracebacks", f"{type(error).__name__}: {error}")
    else:
        if count:
            same = all(got.get(name) == x for name, x in weights.items() if not name.startswith("optimiser/") or name in got)
            tally.add(kind, "right" if same else "silent", "other weights")


def verbs(kind, tally):
    """Read the last mutant by the verbs that read one."""
    for words in (["info", "mutant.npz"], ["evaluate", "mutant.npz"], ["train", "temporal", "--data", "xor", "--backend", "reference",
                                                                      "--epochs", "3", "--quiet", "--resume", "--out", "mutant.npz"]):
        try:
            code = cli.main(words)
            tally.add(f"{kind}, pysnn {words[0]}", "right" if code in (0, 1) else "tracebacks", f"exit code {code}")
        except BaseException as error:
            tally.add(f"{kind}, pysnn {words[0]}", "tracebacks", f"{type(error).__name__}: {error}")


# ---- bytes

def flipped(raw, rng):
    """Change up to eight bytes."""
    data = bytearray(raw)
    for i in rng.integers(0, len(data), rng.integers(1, 9)):
        data[i] ^= 1 + rng.integers(255)
    return bytes(data)


def truncated(raw, rng):
    """Cut off the end."""
    return raw[:rng.integers(len(raw))]


def spliced(raw, rng):
    """Insert, leave out or overwrite a range, with bytes of the same file or zeros."""
    at, other, n = (int(i) for i in rng.integers(0, [len(raw), len(raw), 600]))
    piece = raw[other:other + n] if rng.random() < 0.7 else bytes(n)
    return raw[:at] + (piece if rng.random() < 0.7 else b"") + raw[at + (n if rng.random() < 0.5 else 0):]


def wrapped(raw, rng):
    """Put bytes before or behind the archive."""
    junk = rng.bytes(int(rng.integers(1, 100)))
    return junk + raw if rng.random() < 0.5 else raw + junk


def directory(raw, rng):
    """Change a field of an archive's directory, or of the header of a member: sizes, method, flags, offsets, with extreme values."""
    data, signs = bytearray(raw), (b"PK\1\2", b"PK\3\4", b"PK\5\6")
    places = [i for sign in signs for i in range(len(raw)) if raw[i:i + 4] == sign]
    at = places[rng.integers(len(places))] + int(rng.integers(4, 46))
    value = [0, 1, 6, 9, 12, 14, 99, 0xffff, 0xffffffff, 0x7fffffff, int(rng.integers(1 << 32))][rng.integers(11)]
    size = [1, 2, 4][rng.integers(3)]
    data[at:at + size] = struct.pack("<I", value)[:size]
    return bytes(data[:len(raw)])


# ---- members

def members(raw):
    """Return the members of an archive."""
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


def packed(parts, method=zipfile.ZIP_STORED):
    """Make an archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in parts:
            archive.writestr(name, data)
    return buffer.getvalue()


def repacked(raw, rng):
    """Pack anew: by another method, in another order, with folders."""
    parts = members(raw)
    parts = [parts[i] for i in rng.permutation(len(parts))] if rng.random() < 0.5 else parts
    parts = ([("params/", b""), ("state/", b"")] if rng.random() < 0.5 else []) + parts
    return packed(parts, (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)[rng.integers(4)])


def renamed(raw, rng):
    """Rename, leave out, double or exchange members."""
    parts = members(raw)
    i, j = (int(k) for k in rng.integers(len(parts), size=2))
    name = ["header.npy", "../w1.npy", "params/w1.npy", "params/w9.npy", "x" * 300, "params/\x1b[2J.npy", "w1"][rng.integers(7)]
    changed = [lambda: parts[:i] + parts[i + 1:], lambda: [*parts, parts[i]], lambda: [*parts[:i], (name, parts[i][1]), *parts[i + 1:]],
               lambda: [(parts[j][0], x) if k == i else (n, x) for k, (n, x) in enumerate(parts)], lambda: [*parts, (name, b"x" * 100)]]
    return packed(changed[rng.integers(len(changed))]())


def npy(descr, shape, data=b""):
    """Make a .npy with any header."""
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (63 - (10 + len(text)) % 64) + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text) & 0xffff) + text[:0xffff] + data


def lying(raw, rng):
    """Let an array claim another dtype or shape than its bytes have."""
    parts = members(raw)
    i = 1 + int(rng.integers(len(parts) - 1))
    descr = ["<f4", "<f8", "<f2", ">f4", "|V0", "|O", "<U0", "<U1", "<c8", "<i8", "|b1", "<M8[ns]", "[('a', '<f4')]"][rng.integers(13)]
    shape = ["()", "(2, 4)", "(4, 2)", "(100000, 100000)", "(0, 5)", "(-1,)", "(2**62,)", "(4611686018427387904, 4)", "((((", "(" * 400,
             str((1,) * 70), "(3,)"][rng.integers(12)]
    parts[i] = parts[i][0], npy(descr, shape, parts[i][1][-int(rng.integers(1, 80)):])
    return packed(parts)


def bomb(raw, rng):
    """Add or replace a member by one that unpacks to 100 MB."""
    parts = members(raw)
    method = (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)[rng.integers(2)]
    i = int(rng.integers(len(parts) + 1))
    name = parts[i][0] if i < len(parts) else ["state/x.npy", "params/w7.npy", "optimiser/x.npy", "header.npy"][rng.integers(4)]
    data = _bomb(method, name == "header.npy")
    raw = packed([part for k, part in enumerate(parts) if k != i])
    end = raw.rindex(b"PK\5\6")
    at = struct.unpack("<I", raw[end + 16:end + 20])[0]
    return _joined(raw, at, name.encode(), data)


@functools.cache
def _bomb(method, header):
    """Pack zeros once; return method, CRC, size, packed bytes."""
    n = (100 if method == zipfile.ZIP_DEFLATED else 20) << 20
    start = npy(f"<U{n // 4}", "()") if header else npy("<f4", f"({n // 4},)")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive, archive.open("x", "w", force_zip64=True) as file:
        file.write(start)
        for _ in range(n >> 20):
            file.write(bytes(1 << 20))
    with zipfile.ZipFile(buffer) as archive:
        info = archive.getinfo("x")
        begin = 30 + len(info.filename) + struct.unpack("<H", buffer.getvalue()[28:30])[0]
        return method, info.CRC, info.file_size, buffer.getvalue()[begin:begin + info.compress_size]


def _joined(raw, at, name, bomb):
    """Put a packed member behind the others."""
    method, crc, size, data = bomb
    fields = struct.pack("<HHHHHIIIHH", 20, 0, method, 0, 33, crc, len(data), size, len(name), 0)
    local, entry = b"PK\3\4" + fields + name + data, b"PK\1\2\x14\3" + fields + struct.pack("<HHHII", 0, 0, 0, 0, at) + name
    end = raw.rindex(b"PK\5\6")
    n, length = struct.unpack("<HI", raw[end + 10:end + 16])
    tail = struct.pack("<HHHHIIH", 0, 0, n + 1, n + 1, length + len(entry), at + len(local), 0)
    return raw[:at] + local + raw[at:end] + entry + b"PK\5\6" + tail


# ---- header

def edited(raw, rng):
    """Set, remove or add a field of the header, at any depth, to something of another type or range."""
    parts = members(raw)
    header = json.loads(str(np.load(io.BytesIO(parts[0][1]))[()]))
    at = header
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        key = keys[rng.integers(len(keys))] if keys else None
        if key is None or not isinstance(at[key], (dict, list)) or rng.random() < 0.3:
            break
        at = at[key]
    if key is not None and rng.random() < 0.15:
        del at[key]
    elif isinstance(at, dict) and rng.random() < 0.1:
        at[["more", "", "\x1b", "x" * 80_000][rng.integers(4)]] = JUNK[rng.integers(len(JUNK))]
    elif key is not None:
        at[key] = JUNK[rng.integers(len(JUNK))]
    return with_header(parts, json.dumps(header))


def garbled(raw, rng):
    """Damage the header as text: brackets without end, cut off, doubled, other letters."""
    parts = members(raw)
    text = str(np.load(io.BytesIO(parts[0][1]))[()])
    at, n = int(rng.integers(len(text))), int(rng.integers(1, 50))
    new = [text[:at], text + text, text[:at] + text[at + n:], text[:at] + "[" * 20_000 + text[at:], "[" * 100_000, '{"a":' * 20_000,
           text[:at] + "\ud800" + text[at:], text[:at] + chr(rng.integers(32, 127)) + text[at + 1:], "9" * 10_000, "null"][rng.integers(10)]
    return with_header(parts, new)


def with_header(parts, text):
    """Pack with another header."""
    data = text.encode("utf-32-le", "surrogatepass")
    return packed([(parts[0][0], npy(f"<U{len(data) // 4}", "()", data)), *parts[1:]])


MUTATIONS = {f.__name__: f for f in (flipped, truncated, spliced, wrapped, directory, repacked, renamed, lying, edited, garbled, bomb)}
