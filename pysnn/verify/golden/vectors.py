"""The golden vectors as they are read and checked against; see `pysnn.verify.golden`."""

import hashlib
import json
from pathlib import Path

import numpy as np

from ...conventions import Rule, Surrogate
from .case import Case

VERSION = "1.0.0"
FOLDER = Path(__file__).parents[1] / "golden_vectors"
ROUNDINGS = 4.0          # how many eps times its unit a number may be off
INFINITE = "inf"         # how JSON holds it
ROLES = ("inputs", "outputs", "gradients", "units")
FILES = {"temporal": "temporal", "integrate_fire": "integrate_fire", "dense": "maps", "conv2d": "maps", "max_pool2d": "maps",
         "avg_pool2d": "maps", "relu": "maps", "batch_norm": "maps", "softmax_z": "losses", "softmax_t": "losses",
         "mse": "losses", "cross_entropy": "losses", "temporal_training": "training", "proxy_training": "training"}
"""Which archive holds the cases of an operation."""
START = {"n": 0, "skipped": 0, "error": 0.0, "roundings": 0.0, "kappa": None, "first": "", "cases": 0}

MEANING = {
    "temporal": "forward(z_in, w, threshold) -> z_out; backward(dz_out) -> dz_in, dw. exp of times; inf: no spike. Neurons marked in "
                "`near` (where given) are within rounding of a decision: leave their z_out out; their dz_out is 0.",
    "integrate_fire": "forward(current, threshold, v_init, rule) -> spikes, v_final; backward(dspikes, dv_final, surrogate, "
                      "detach_reset) -> dcurrent, dv_init. (T, B, n). reset, timing, fire: the rule.",
    "dense": "forward(x, w, b) -> y; backward(dy) -> dx, dw, db. y = x w + b; without b no db.",
    "conv2d": "forward(x, w, stride, padding) -> y; backward(dy) -> dx, dw. Cross-correlation; (B, H, W, C), (kh, kw, C_in, C_out).",
    "max_pool2d": "forward(x, size, stride) -> y; backward(dy) -> dx. Of equal numbers the first in row-major order wins.",
    "avg_pool2d": "forward(x, size, stride) -> y; backward(dy) -> dx.",
    "relu": "forward(x, top) -> y = min(max(x, 0), top); backward(dy) -> dx, 0 where x <= 0 or x >= top.",
    "batch_norm": "forward(x, gamma, beta, mean, var, eps) -> y; backward(dy) -> dx, dgamma, dbeta. Without mean and var: of the batch, "
                  "biased variance; given, they are constants.",
    "softmax_z": "loss(z, labels) -> loss, d: mean cross-entropy of softmax(-z); silent outputs count z_max and get gradient 0.",
    "softmax_t": "loss(z, labels, beta) -> loss, d: mean cross-entropy of softmax(-beta ln z); silent outputs as in softmax_z.",
    "mse": "loss(y, labels) -> loss, d: mean over batch and outputs of (y - one-hot)^2.",
    "cross_entropy": "loss(y, labels) -> loss, d: mean cross-entropy of softmax(y).",
    "temporal_training": "ten steps w <- w - lr dw of layers of temporal neurons (threshold 1) with the loss softmax_z or softmax_t; "
                         "losses before each step, weights after the last, gradients of the first.",
    "proxy_training": "ten steps of proxy learning: constant current x w1 + b1 into integrate-and-fire neurons (at v_init times threshold "
                      "before the first of n_steps), their spikes into the next layer; loss on counts or rates (counts / n_steps); its "
                      "gradient goes back through the ReLU network of the same weights (hidden outputs end at the threshold if clip; no "
                      "ReLU at the output). Losses, weights and gradients as in temporal_training.",
}
"""What each operation computes, in words; part of schema.json."""


def cases(operation=None, folder=FOLDER):
    """Read the shipped cases.

    Parameters
    ----------
    operation : str, optional
        Only those of one operation, a key of FILES.
    folder : path
        Where they lie.

    Returns
    -------
    list of Case
        In the order of schema.json.

    Raises
    ------
    ValueError
        If there is no such operation, or the schema or a case does not have the hash of SHA256SUMS.
    """
    if operation is not None and operation not in FILES:
        raise ValueError(f"operation: expected one of {', '.join(FILES)}, got {operation!r}")
    folder = Path(folder)
    text = (folder / "schema.json").read_bytes()
    schema = json.loads(text)
    sums = dict(line.split("  ")[::-1] for line in (folder / "SHA256SUMS").read_text().splitlines())
    if hashlib.sha256(text).hexdigest() != sums.pop("schema.json", None):
        raise ValueError(f"{folder / 'schema.json'}: does not have the hash of SHA256SUMS")
    if len(sums) != len(schema["cases"]):
        raise ValueError(f"{folder / 'SHA256SUMS'}: expected a hash for each of {len(schema['cases'])} cases, got {len(sums)}")
    wanted = [e for e in schema["cases"] if operation in (None, e["operation"])]
    archives, found = {}, []
    for entry in wanted:
        file = entry["file"]
        if file not in archives:
            with np.load(folder / file, allow_pickle=False) as held:
                archives[file] = {}
                for key in held.files:
                    archives[file].setdefault(key.split("/")[0], {})[key] = held[key]
        arrays = archives[file][entry["name"]]
        if digest(arrays) != sums[f"{file}/{entry['name']}"]:
            raise ValueError(f"{folder / file}: case {entry['name']} does not have the hash of SHA256SUMS")
        roles = {role: {key.split("/")[2]: x for key, x in arrays.items() if key.split("/")[1] == role} for role in ROLES}
        roles["units"] |= entry["units"]
        convention = {key: np.inf if value == INFINITE else value for key, value in entry["convention"].items()}
        found.append(Case(entry["name"], entry["operation"], convention, **roles, float32=entry["float32"]))
    return found


def digest(arrays):
    """Hash the bytes of a case's arrays, C order, little-endian, one after the other in the order of their names.

    Parameters
    ----------
    arrays : dict of str to array
        By name.

    Returns
    -------
    str
        SHA-256, hexadecimal.
    """
    return hashlib.sha256(b"".join(arrays[key].tobytes() for key in sorted(arrays))).hexdigest()


def check(op, operation, dtype=np.float64, folder=FOLDER):
    """Check an operation under test against the shipped vectors.

    Parameters
    ----------
    op : object or callable
        With ``forward(*args) -> out, cache`` and ``backward(dout, cache) -> grads`` as the package's own operation has them; for a loss
        the function itself, ``loss(y, labels) -> loss, d`` (softmax_t: with beta); for a training ``train(case) -> dict of arrays``.
    operation : str
        A key of FILES.
    dtype : dtype
        float64, or float32: then only the cases meant for it.
    folder : path
        Where the vectors lie.

    Returns
    -------
    list of pysnn.verify.report.ledger.Entry
        One for each output and gradient, over all cases; `first` names the first number that is off. Where there is no case for the
        dtype, one that says unchecked.
    """
    tallies = {}
    for case in cases(operation, folder):
        if np.dtype(dtype) == np.float32 and not case.float32:
            continue
        near = case.inputs.get("near")
        try:
            got = _got(op, _cast(case, dtype))
        except Exception as error:                                       # whatever it is, it is the answer of the operation under test
            got = {"raised": f"case {case.name}: {type(error).__name__}: {error}"}
        for name, wanted in (case.outputs | case.gradients).items():
            seen = ~near if near is not None and name == "z_out" else np.ones(np.shape(wanted), bool)
            unit = np.broadcast_to(case.units[name], np.shape(wanted))
            tally = tallies.setdefault(name, dict(START))
            tally["first"] = tally["first"] or got.get("raised", "")
            _tally(tally, case.name, name, (np.asarray(got.get(name, np.nan)), wanted, unit, seen), np.finfo(dtype).eps)
            if name == "z_out":
                fired = np.isfinite(wanted) & seen
                tally["kappa"] = max(tally["kappa"] or 0.0, float((unit[fired] / wanted[fired]).max(initial=0)))
    return [_entry(operation, name, tally) for name, tally in (tallies or {"": dict(START)}).items()]


def _entry(operation, name, tally):
    """Turn the tally of one output or gradient into an entry of a ledger."""
    from ..report.ledger import Entry
    left_out = f"; {tally['skipped']} decisions within rounding left out" if tally["skipped"] else ""
    return Entry(operation=operation, check="golden vectors", argument=name, n_checked=tally["n"], max_error=tally["error"],
                 ulps=tally["roundings"], condition=tally["kappa"], kinks=0, skipped=tally["skipped"],
                 verdict="WRONG" if tally["first"] else "right" if tally["n"] else "unchecked",
                 note=f"{tally['cases']} cases; ulps are eps times the condition, 4 are allowed{left_out}", first=tally["first"])


def _tally(tally, case, name, numbers, eps):
    """Compare one array and add to the tally."""
    got, wanted, unit, seen = numbers
    tally["cases"] += 1
    tally["n"] += int(seen.sum())
    tally["skipped"] += int((~seen).sum())
    if got.shape != wanted.shape:
        tally["error"] = tally["roundings"] = np.inf
        tally["first"] = tally["first"] or f"case {case}, {name}: expected shape {wanted.shape}, got {got.shape}"
        return
    got = got.astype(np.float64)
    same = (got == wanted) | ~seen
    finite = np.isfinite(got) & np.isfinite(wanted)
    gap = np.where(same, 0.0, np.inf)
    np.abs(np.subtract(got, wanted, out=gap, where=finite & ~same), out=gap)
    allowed = ROUNDINGS * eps * unit
    with np.errstate(over="ignore"):
        roundings = np.divide(gap, eps * unit, out=np.where(gap > 0, np.inf, 0.0), where=(unit > 0) & np.isfinite(gap))
    largest = float(np.abs(wanted[np.isfinite(wanted)]).max(initial=0)) or 1.0
    tally["error"] = max(tally["error"], float(gap.max(initial=0)) / largest)
    tally["roundings"] = max(tally["roundings"], float(roundings.max(initial=0)))
    wrong = ~(gap <= allowed)
    if wrong.any() and not tally["first"]:
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        tally["first"] = f"case {case}, {name}{list(at)}: got {got[at]:.17g}, wanted {wanted[at]:.17g}"


def _cast(case, dtype):
    return case._replace(inputs={key: x.astype(dtype) if x.dtype == np.float64 else x for key, x in case.inputs.items()})


def _got(op, case):
    """Call an operation under test; return its outputs and gradients by name."""
    if case.operation.endswith("_training"):
        return op(case)
    x, how = case.inputs, case.convention
    if case.operation in ("mse", "cross_entropy", "softmax_z", "softmax_t"):
        args = (x["z"] if "z" in x else x["y"], x["labels"], *([how["beta"]] if "beta" in how else []))
        return dict(zip(("loss", "d"), op(*args), strict=True))
    if case.operation == "integrate_fire":
        rule = Rule(how["reset"], how["timing"], how["fire"])
        spikes, v_final, cache = op.forward(x["current"], how["threshold"], x["v_init"], rule)
        grads = op.backward(x["dspikes"], cache, x["dv_final"], Surrogate(how["surrogate"], how["slope"]), how["detach_reset"])
        return {"spikes": spikes, "v_final": v_final} | dict(zip(("dcurrent", "dv_init"), grads, strict=True))
    order = {"temporal": ("z_in", "w", "threshold"), "dense": ("x", "w", "b"), "conv2d": ("x", "w", "stride", "padding"),
             "relu": ("x", "top"), "max_pool2d": ("x", "size", "stride"),
             "avg_pool2d": ("x", "size", "stride"), "batch_norm": ("x", "gamma", "beta", "mean", "var", "eps")}[case.operation]
    out, cache = op.forward(*(x[key] if key in x else how.get(key) for key in order))
    grads = op.backward(x["dz_out"] if case.operation == "temporal" else x["dy"], cache)
    names = {"temporal": ("dz_in", "dw"), "batch_norm": ("dx", "dgamma", "dbeta")}.get(case.operation, ("dx", "dw", "db"))
    grads = grads if isinstance(grads, tuple) else (grads,)
    return {"z_out" if case.operation == "temporal" else "y": out} | dict(zip(names, grads, strict=False))
