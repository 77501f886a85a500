"""The neuron that a profile describes, as docs/conformance-spec.md writes it: spikes, and gradients by dual numbers.

It shares no code with a backward pass: the derivative of each number goes along with it, from the first step to the last.
"""

import re
from typing import NamedTuple

import numpy as np

from ..frameworks._duals import gradients, stop
from ..witness.duals import DualArray

SLOPES = {
    "atan": lambda x, k: k / 2 / (1 + (np.pi / 2 * k * x) ** 2),
    "fast_sigmoid": lambda x, k: 1 / (1 + k * np.abs(x)) ** 2,
    "sigmoid": lambda x, k: k * np.exp(-k * np.abs(x)) / (1 + np.exp(-k * np.abs(x))) ** 2,
    "triangle": lambda x, k: k * np.maximum(0, 1 - k * np.abs(x)),
    "exponential": lambda x, k: k * np.exp(-k * np.abs(x)),
    "above": lambda x, k: k * (x >= -0.5),
    "constant": lambda x, k: k * np.ones_like(x),
}
"""What stands for the derivative of a spike, by kind; x = V - threshold."""


class Truth(NamedTuple):
    """What the equation gives."""

    spikes: np.ndarray              # (T, B, N)
    margin: np.ndarray              # (B, N), the least |V - threshold| of all steps; where several spikes can come, from any multiple
    dcurrent: np.ndarray | None     # (T, B, N); None unless asked for
    dparameters: dict               # by name


def truth(profile, current, down=None, numbers=None):
    """Run the equation of a profile.

    Parameters
    ----------
    profile : Profile
        What the neuron says of itself.
    current : (T, B, N) array
        In float64.
    down : (T, B, N) array, optional
        Gradient of the loss for the spikes; default: no gradients.
    numbers : dict of str to array, optional
        Values of the learnable parameters, one number or one a neuron each.

    Returns
    -------
    Truth
        Spikes, margins and, with `down`, gradients.
    """
    numbers = {name: np.asarray(x, np.float64).reshape(-1) for name, x in (numbers or {}).items()}
    margins = []

    def run(current, *params):
        return _unrolled(profile, current, dict(zip(numbers, params, strict=True)), margins)
    plain = run(DualArray(current), *map(DualArray, numbers.values())).value
    margin = np.min(margins, axis=0)
    if down is None:
        return Truth(plain, margin, None, {})
    _, (dcurrent, *rest) = gradients(run, [np.asarray(current, np.float64), *numbers.values()], np.asarray(down))
    return Truth(plain, margin, dcurrent, dict(zip(numbers, rest, strict=True)))


def _unrolled(profile, current, params, margins):
    """Run all steps of duals; collect how far potentials are from where a spike more or less begins."""
    fields = _fields(profile, params)
    shape = current.shape[1:]
    state, outs = (DualArray(np.full(shape, profile.rest)), DualArray(np.zeros(shape)), DualArray(np.zeros(shape))), []
    for t in range(len(current)):
        state, u = _step(profile, fields, state, current[t])
        x, threshold = u.value, fields["threshold"].value
        above = x if profile.most == 1 else np.where(x < 0, x, np.abs((x + threshold / 2) % threshold - threshold / 2))
        margins.append(np.abs(above))
        outs.append(state[2])
    return np.stack([DualArray(np.zeros(shape))] * min(profile.delay, len(outs)) + outs[:len(outs) - profile.delay])


def _step(p, fields, state, x):
    """Take one step, in the order of docs/conformance-spec.md."""
    v, i, s = state
    x = x + fields["weight"] * s if p.weight else x
    i = {"none": lambda: x, "before": lambda: fields["alpha"] * (i + x), "after": lambda: fields["alpha"] * i + x}[p.synapse]()
    taken = _taken(p, _spikes(p, fields, v - fields["threshold"])) if p.timing == "next" else None
    v = _reset(p, fields, v, taken) if taken is not None and p.order == "reset first" else v
    v = fields["beta"] * (v - p.rest) + p.rest + fields["gain"] * i
    v = _reset(p, fields, v, taken) if taken is not None and p.order == "leak first" else v
    u = v - fields["threshold"]
    s = _spikes(p, fields, u)
    return (_reset(p, fields, v, _taken(p, s)) if p.timing == "same" else v, i, s), u


def _spikes(p, fields, u):
    """Fire: 1, or as many as the potential holds thresholds."""
    kind, k = p.surrogate
    fired = (u.value >= 0 if p.fire == ">=" else u.value > 0) * 1.0
    many = 1.0 if p.most == 1 else np.minimum(np.floor(u.value / fields["threshold"].value) + 1, p.most)
    return DualArray(fired * many, None if u.tangents is None else SLOPES[kind](u.value, k) * u.tangents)


def _taken(p, s):
    """What the reset sees of a spike."""
    return stop(s) if p.detach else s


def _reset(p, fields, v, taken):
    if p.reset == "subtract":
        return v - taken * fields["threshold"]
    if p.reset == "none":
        return v
    return v * (1 - taken) + taken * (0.0 if p.reset == "zero" else p.reset)


def _fields(profile, params):
    """Return the numbers of the equation as duals, some of them functions of learnable parameters."""
    fields = {name: DualArray(getattr(profile, name)) for name in ("beta", "gain", "alpha", "threshold", "weight")}
    for name, functions in (profile.learnable or {}).items():
        if name in params:
            fields |= {field: function(words)(params[name]) for field, words in functions.items()}
    return fields


def gain_and_alpha(profile, numbers):
    """Return the factors of a current, with given values of the learnable parameters.

    Parameters
    ----------
    profile : Profile
        What the neuron says of itself.
    numbers : dict of str to array
        Values by name.

    Returns
    -------
    gain, alpha : array
        As the profile has them, or as its functions give them.
    """
    fields = _fields(profile, {name: DualArray(np.reshape(x, -1)) for name, x in numbers.items()})
    return fields["gain"].value, fields["alpha"].value


def function(words):
    """Read a function of a parameter.

    Parameters
    ----------
    words : str
        x, 1/x, sigmoid(x) or exp(-A/x), or 1 minus one of them.

    Returns
    -------
    callable
        From dual to dual.
    """
    inner = words.removeprefix("1 - ")
    if inner.startswith("exp"):
        a = float(re.search(r"-([0-9.]+)/", inner)[1])
        made = lambda x: np.exp(-a / x)                                          # noqa: E731
    else:
        made = {"x": lambda x: x, "1/x": lambda x: 1 / x, "sigmoid(x)": lambda x: 1 / (1 + np.exp(-x))}[inner]
    return made if inner == words else lambda x: 1 - made(x)
