"""The golden vectors as they are read and checked against; see `pysnn.verify.golden`."""

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...conventions import Rule, Surrogate
from ...foreign import NoAnswer
from ...operations import OPERATIONS
from ..report.ledger import Entry

VERSION = "1.4.0"
FOLDER = Path(__file__).parents[1] / "golden_vectors"
ROUNDINGS = 4.0          # how many eps times its unit a number may be off
INFINITE = "inf"         # how JSON holds it
ROLES = ("inputs", "outputs", "gradients", "units")
START = {"n": 0, "skipped": 0, "error": 0.0, "roundings": 0.0, "kappa": None, "first": "", "cases": 0}


class GoldenCase(NamedTuple):
    """One case. Arrays are float64 (labels int64, near bool)."""

    name: str
    operation: str
    convention: dict      # options: threshold, rule, surrogate, stride, ...; numbers and words
    inputs: dict          # name -> array; upstream gradients among them
    outputs: dict
    gradients: dict
    units: dict           # name of an output or gradient -> array or number
    float32: bool         # whether the case is meant for float32, too


def _schema(folder):
    """Read schema.json and the hashes of the cases, and see that it is what SHA256SUMS says."""
    text = (Path(folder) / "schema.json").read_bytes()
    sums = dict(line.split("  ")[::-1] for line in (Path(folder) / "SHA256SUMS").read_text().splitlines())
    if hashlib.sha256(text).hexdigest() != sums.pop("schema.json", None):
        raise ValueError(f"{Path(folder) / 'schema.json'}: does not have the hash of SHA256SUMS")
    return json.loads(text), sums


def operations(folder=FOLDER):
    """Name the operations that there are vectors for.

    Parameters
    ----------
    folder : path
        Where the vectors lie.

    Returns
    -------
    tuple of str
        Operations, losses and two kinds of training, in the order of schema.json.

    Raises
    ------
    ValueError
        If the schema does not have the hash of SHA256SUMS.
    """
    return tuple(_schema(folder)[0]["operations"])


def cases(operation=None, folder=FOLDER):
    """Read the shipped cases.

    Parameters
    ----------
    operation : str, optional
        Only those of one of `operations`.
    folder : path
        Where they lie.

    Returns
    -------
    list of GoldenCase
        In the order of schema.json.

    Raises
    ------
    ValueError
        If there is no such operation, or the schema or a case does not have the hash of SHA256SUMS.
    """
    folder = Path(folder)
    schema, sums = _schema(folder)
    if operation is not None and operation not in schema["operations"]:
        raise ValueError(f"operation: expected one of {', '.join(schema['operations'])}, got {operation!r}")
    if len(sums) != len(schema["cases"]):
        raise ValueError(f"{folder / 'SHA256SUMS'}: expected a hash for each of {len(schema['cases'])} cases, got {len(sums)}")
    wanted = [e for e in schema["cases"] if operation in (None, e["operation"])]
    names, archives, listed = {e["name"] for e in wanted}, {}, []
    for entry in wanted:
        file = entry["file"]
        if file not in archives:
            with np.load(folder / file, allow_pickle=False) as held:
                archives[file] = {}
                for key in held.files:
                    if (name := key.split("/")[0]) in names:
                        archives[file].setdefault(name, {})[key] = held[key]
        arrays = archives[file][entry["name"]]
        if digest(arrays) != sums[f"{file}/{entry['name']}"]:
            raise ValueError(f"{folder / file}: case {entry['name']} does not have the hash of SHA256SUMS")
        roles = {role: {key.split("/")[2]: x for key, x in arrays.items() if key.split("/")[1] == role} for role in ROLES}
        roles["units"] |= entry["units"]
        convention = {key: np.inf if value == INFINITE else value for key, value in entry["convention"].items()}
        listed.append(GoldenCase(entry["name"], entry["operation"], convention, **roles, float32=entry["float32"]))
    return listed


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


def check(op, operation, dtype=np.float64, folder=FOLDER, chosen=None, roundings=ROUNDINGS):
    """Check an operation under test against the shipped vectors.

    Parameters
    ----------
    op : object or callable
        With ``forward(*args) -> out, cache`` and ``backward(dout, cache) -> grads`` as the package's own operation has them; for a loss
        the function itself, ``loss(y, labels) -> loss, d`` (softmax_t: with beta); for a training ``train(case) -> dict of arrays``.
    operation : str
        One of `operations`.
    dtype : dtype
        float64, or float32: then only the cases meant for it.
    folder : path
        Where the vectors lie.
    chosen : list of GoldenCase, optional
        Which cases; default: all of the operation.
    roundings : float
        How many eps times its unit a number may be off.

    Returns
    -------
    list of pysnn.verify.report.ledger.Entry
        One for each output and gradient, over all cases; `first` names the first number that is off. Where there is no case for the
        dtype, one that says unchecked.
    """
    tallies = {}
    for case in cases(operation, folder) if chosen is None else chosen:
        if np.dtype(dtype) == np.float32 and not case.float32:
            continue
        near = case.inputs.get("near")
        try:
            got = _got(op, _cast(case, dtype))
        except NoAnswer:
            raise
        except Exception as error:                                       # whatever it is, it is the answer of the operation under test
            got = {"raised": f"case {case.name}: {type(error).__name__}: {error}"}
        for name, wanted in (case.outputs | case.gradients).items():
            compared = ~near if near is not None and name == "z_out" else np.ones(np.shape(wanted), bool)
            unit = np.broadcast_to(case.units[name], np.shape(wanted))
            tally = tallies.setdefault(name, dict(START))
            tally["first"] = tally["first"] or got.get("raised", "")
            _tally(tally, case.name, name, (np.asarray(got.get(name, np.nan)), wanted, unit, compared),
                   np.finfo(dtype).eps, roundings)
            if name == "z_out":
                fired = np.isfinite(wanted) & compared
                tally["kappa"] = max(tally["kappa"] or 0.0, float((unit[fired] / wanted[fired]).max(initial=0)))
    return [_entry(operation, name, tally, roundings) for name, tally in (tallies or {"": dict(START)}).items()]


def _entry(operation, name, tally, roundings):
    """Turn the tally of one output or gradient into an entry of a ledger."""
    left_out = f"; {tally['skipped']} decisions within rounding left out" if tally["skipped"] else ""
    return Entry(operation=operation, check="golden vectors", argument=name, n_checked=tally["n"], max_error=tally["error"],
                 ulps=tally["roundings"], condition=tally["kappa"], kinks=0, skipped=tally["skipped"],
                 verdict="WRONG" if tally["first"] else "right" if tally["n"] else "unchecked",
                 first=tally["first"],
                 note=f"{tally['cases']} cases; ulps are eps times the condition, {roundings:g} are allowed{left_out}")


def _tally(tally, case, name, numbers, eps, roundings):
    """Compare one array and add to the tally."""
    got, wanted, unit, compared = numbers
    tally["cases"] += 1
    tally["n"] += int(compared.sum())
    tally["skipped"] += int((~compared).sum())
    if got.shape != wanted.shape:
        tally["error"] = tally["roundings"] = np.inf
        tally["first"] = tally["first"] or f"case {case}, {name}: expected shape {wanted.shape}, got {got.shape}"
        return
    got = got.astype(np.float64)
    same = (got == wanted) | ~compared
    finite = np.isfinite(got) & np.isfinite(wanted)
    gap = np.where(same, 0.0, np.inf)
    np.abs(np.subtract(got, wanted, out=gap, where=finite & ~same), out=gap)
    allowed = roundings * eps * unit
    with np.errstate(over="ignore"):
        found = np.divide(gap, eps * unit, out=np.where(gap > 0, np.inf, 0.0), where=(unit > 0) & np.isfinite(gap))
    largest = float(np.abs(wanted[np.isfinite(wanted)]).max(initial=0)) or 1.0
    tally["error"] = max(tally["error"], float(gap.max(initial=0)) / largest)
    tally["roundings"] = max(tally["roundings"], float(found.max(initial=0)))
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
    if case.operation not in OPERATIONS:
        args = (x["z"] if "z" in x else x["y"], x["labels"], *([how["beta"]] if "beta" in how else []))
        return dict(zip(("loss", "d"), op(*args), strict=True))
    record, values = OPERATIONS[case.operation], {**how, **x}
    if "rule" in record.arguments:
        rule = Rule(**{field: how[field] for field in Rule._fields if field in how})
        values |= {"rule": rule, "surrogate": Surrogate(how["surrogate"], how["slope"])}
    n_args = max(k for k, name in enumerate(record.arguments, 1) if name in values)
    *outputs, cache = op.forward(*(values.get(name) for name in record.arguments[:n_args]))
    grads = op.backward(values[f"d{record.outputs[0]}"], cache, *(values[name] for name in record.options))
    grads = grads if isinstance(grads, (tuple, list)) else (grads,)
    return dict(zip(record.outputs, outputs, strict=True)) | dict(zip([f"d{name}" for name in record.gradients], grads, strict=False))
