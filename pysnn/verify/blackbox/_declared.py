"""What a file declares of its neuron, held against what was found."""

import numpy as np

from ...conventions import Rule
from ..conventions import LeakyNeuron
from ..identify._ask import FAR, NEAR, words
from ..witness import surrogates

ALIKE = {"float64": 1e-9, "float32": 1e-4}


def differences(declared, found, evidence):
    """List what is declared and found otherwise.

    Parameters
    ----------
    declared : dict
        RULE, SURROGATE, DETACH_RESET, BETA, ALPHA, as far as they are said.
    found : Convention or LeakyNeuron
        From `identify`.
    evidence : dict
        From `identify`: what is open.

    Returns
    -------
    list of str
        "declared X, found Y", one a field.

    Raises
    ------
    ValueError
        For a declaration that is none.
    """
    near, lines = ALIKE[evidence.get("precision", "float64")], []
    if "RULE" in declared:
        try:
            wanted = Rule(*declared["RULE"])
        except TypeError:
            raise ValueError(f"RULE: expected a tuple such as {tuple(Rule())}, got {declared['RULE']!r}") from None
        for field, word, other in zip(Rule._fields, wanted, found.rule, strict=True):
            known = field != "timing" or evidence.get("timing") is not None
            if word != other and known and len(declared["RULE"]) > Rule._fields.index(field):
                lines.append(f"declared {field} {word!r}, found {other!r}")
    if "SURROGATE" in declared:
        wanted = surrogates.of(declared["SURROGATE"], "SURROGATE")
        x = np.array([x for x in (*NEAR, *FAR) if x])
        a, b = (surrogates.derivative(x, s) for s in (wanted, found.surrogate))
        if np.abs(a - b).max() > near * np.abs(b).max():
            lines.append(f"declared the surrogate {surrogates.words(wanted)}, found {words(found.surrogate)}")
    if found.rule.reset != "none" and bool(declared.get("DETACH_RESET", found.detach_reset)) != bool(found.detach_reset):
        said_so, so = ("detached" if x else "attached" for x in (declared["DETACH_RESET"], found.detach_reset))
        lines.append(f"declared the reset {said_so}, found it {so}")
    numbers = {"BETA": found.beta, "ALPHA": found.alpha} if isinstance(found, LeakyNeuron) else {"BETA": 1.0, "ALPHA": None}
    for name, value in numbers.items():
        if name in declared and (value is None or abs(float(declared[name]) - value) > 100 * near):
            lines.append(f"declared {name} = {declared[name]}, found {'none' if value is None else f'{value:.10g}'}")
    return lines


def missing(declared, found):
    """Name what is not declared, of what the neuron has.

    Parameters
    ----------
    declared : dict
        As above.
    found : Convention or LeakyNeuron
        From `identify`.

    Returns
    -------
    list of str
        Names of lines that the file lacks.
    """
    leaks = isinstance(found, LeakyNeuron)
    has = {"RULE": True, "SURROGATE": True, "DETACH_RESET": found.rule.reset != "none", "BETA": leaks,
           "ALPHA": leaks and found.alpha is not None}
    return [name for name, there in has.items() if there and name not in declared]


def said(declared):
    """Name what is declared.

    Parameters
    ----------
    declared : dict
        As above.

    Returns
    -------
    list of str
        Names of lines of the file.
    """
    return [name for name in ("RULE", "SURROGATE", "DETACH_RESET", "BETA", "ALPHA") if name in declared]
