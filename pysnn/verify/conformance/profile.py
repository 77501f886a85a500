"""What a neuron says of itself, in a file: axes, dtype, threshold, leak, reset, delay, surrogate; and which failures of it are known.

A profile is JSON. Of one neuron it is an object whose keys are the fields of `Profile`; of a framework it has "framework", "package" and
"neurons", an object of such objects, and may have "common" fields. A file of known failures has a line for each:

    framework | versions | neuron | case | reason | link or "not reported"
"""

import json
import re
from pathlib import Path
from typing import NamedTuple

WORDS = {"axes": ("TBN", "BTN", "BN"), "dtype": ("float64", "float32"), "fire": (">=", ">"), "timing": ("same", "next"),
         "order": ("reset first", "leak first"), "synapse": ("none", "before", "after"), "state": ("kept", "first sample", "lost"),
         "evaluation": ("same", "no gradient"), "neurons": ("alone", "act on one another")}
"""The words that fields may hold."""

KINDS = ("atan", "fast_sigmoid", "sigmoid", "triangle", "exponential", "above", "constant")
"""Surrogates g' of x = V - threshold with slope k: ours, k exp(-k |x|), k where x >= -1/2, and k."""

FUNCTION = re.compile(r"(?:1 - )?(?:x|1/x|sigmoid\(x\)|exp\(-[0-9.]+/x\))")


class Profile(NamedTuple):
    """What a neuron says of itself; a case holds it to its word. docs/conformance-spec.md has the equations."""

    axes: str = "TBN"               # what it takes: time, batch, neuron; "BTN"; "BN": one step a call
    dtype: str = "float64"          # "float32": it computes or answers in float32 whatever goes in
    threshold: float = 1.0
    fire: str = ">="                # or ">"
    most: int = 1                   # spikes a step
    reset: object = "subtract"      # "zero", "none", or a number: the potential after a spike
    timing: str = "same"            # the reset ends the step of the spike, or "next": it is part of the next step
    order: str = "reset first"      # timing "next": before the leak and the current, or "leak first": behind both
    detach: bool = False            # the spike in the reset is a constant in the backward pass
    delay: int = 0                  # steps from a current to its spike
    beta: float = 1.0               # factor of the potential, a step
    gain: float = 1.0               # factor of the current
    rest: float = 0.0               # where the potential begins, and what it leaks to
    synapse: str = "none"           # "before": i = alpha (i + x); "after": i = alpha i + x
    alpha: float = 0.0
    weight: float = 0.0             # of a neuron's last spike on itself
    surrogate: tuple = ("atan", 2.0)
    equation: bool = True           # False: nothing is said about the equation; cases that need one are not supported
    state: str = "kept"             # between calls; "first sample": of the first sample, for all; "lost"
    evaluation: str = "same"        # in eval mode as in training, or "no gradient"
    neurons: str = "alone"
    learnable: dict | None = None   # {parameter: {field: function of it}}, as {"tau": {"beta": "exp(-1/x)"}}


class Known(NamedTuple):
    """A line of a file of known failures."""

    framework: str
    versions: str
    neuron: str
    case: str
    reason: str
    link: str

    def holds(self, version):
        """Say whether a version is meant.

        Parameters
        ----------
        version : str
            As 1.0.0.

        Returns
        -------
        bool
            Whether it fulfils every clause.
        """
        return all(_fulfils(version, clause) for clause in self.versions.split(","))


def read(file):
    """Read a file of profiles.

    Parameters
    ----------
    file : str or Path
        JSON, of one neuron or of a framework.

    Returns
    -------
    framework, package, neurons : str, str, dict of str to Profile
        Of one neuron: its framework is "own" unless it says so, the package "", the name that of the file or its "neuron".

    Raises
    ------
    ValueError
        If a field or a word is not known.
    """
    path = Path(file)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path.name}: expected JSON: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"{path.name}: expected an object, got {type(found).__name__}")
    framework, package, name = (found.pop(key, other) for key, other in (("framework", "own"), ("package", ""), ("neuron", path.stem)))
    common, neurons = found.pop("common", {}), found.pop("neurons", None)
    neurons = {name: found} if neurons is None else neurons
    return framework, package, {name: checked({**common, **fields}, f"{path.name}: {name}") for name, fields in neurons.items()}


def checked(fields, where):
    """Make a profile of fields.

    Parameters
    ----------
    fields : dict
        As JSON has them.
    where : str
        For errors.

    Returns
    -------
    Profile
        With defaults where nothing is said.

    Raises
    ------
    ValueError
        If a field or a word is not known.
    """
    for name, value in fields.items():
        default = Profile._field_defaults.get(name)
        if name not in Profile._fields:
            raise ValueError(f"{where}: expected fields {', '.join(Profile._fields)}, got {name!r}")
        if name in WORDS and value not in WORDS[name]:
            raise ValueError(f"{where}: expected {name} to be one of {', '.join(WORDS[name])}, got {value!r}")
        if isinstance(default, float) and not (isinstance(value, (int, float)) and not isinstance(value, bool)):
            raise ValueError(f"{where}: expected {name} to be a number, got {value!r}")
        if isinstance(default, bool) and not isinstance(value, bool):
            raise ValueError(f"{where}: expected {name} to be true or false, got {value!r}")
    made = Profile(**fields)
    if not (made.reset in ("subtract", "zero", "none") or isinstance(made.reset, (int, float))):
        raise ValueError(f"{where}: expected reset to be subtract, zero, none or a number, got {made.reset!r}")
    if not (len(made.surrogate) == 2 and made.surrogate[0] in KINDS):
        raise ValueError(f"{where}: expected surrogate to be [kind, slope], kind one of {', '.join(KINDS)}, got {made.surrogate!r}")
    for parameter, functions in (made.learnable or {}).items():
        if not all(FUNCTION.fullmatch(words) for words in functions.values()) or not set(functions) <= set(Profile._fields):
            raise ValueError(f"{where}: expected functions such as x, 1 - 1/x, sigmoid(x), exp(-1/x), got {functions} of {parameter}")
    return made._replace(surrogate=tuple(made.surrogate), learnable=made.learnable or {})


def read_known(file):
    """Read a file of known failures.

    Parameters
    ----------
    file : str or Path
        One line each; empty lines and lines that begin with # are left out.

    Returns
    -------
    list of Known
        In the order of the file.

    Raises
    ------
    ValueError
        If a line has other than six parts, or a version cannot be read.
    """
    path, found = Path(file), []
    for k, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = [part.strip() for part in line.split("|")]
        if len(parts) != len(Known._fields) or not all(parts):
            raise ValueError(f"{path.name}:{k}: expected {' | '.join(Known._fields)}, got {line!r}")
        for clause in parts[1].split(","):
            _clause(clause, f"{path.name}:{k}")
        found.append(Known(*parts))
    return found


def _clause(clause, where="versions"):
    """Take a clause such as >=1.0 apart."""
    match = re.fullmatch(r"\s*(==|>=|<=|<|>|)\s*(\d+(?:\.\d+)*|\*)\s*", clause)
    if not match:
        raise ValueError(f"{where}: expected versions such as ==1.0.0 or >=1.0,<2, got {clause!r}")
    return match[1] or "==", match[2]


def _fulfils(version, clause):
    """Say whether a version fulfils a clause."""
    sign, wanted = _clause(clause)
    if wanted == "*":
        return True
    def parts(text):
        return [int(x) for x in re.findall(r"\d+", text.split("+")[0])[:4]]
    a, b = parts(version), parts(wanted)
    a, b = (x + [0] * (4 - len(x)) for x in (a, b))
    return {"==": a == b, ">=": a >= b, "<=": a <= b, "<": a < b, ">": a > b}[sign]
