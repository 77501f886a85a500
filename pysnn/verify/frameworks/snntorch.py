"""What snnTorch 1.0.0 does differently, each with a page in docs/findings."""

import numpy as np

from ..identify import identify
from ._finding import Finding, Observation
from .adapters import needed
from .neurons import snntorch_leaky


def _case(name, label, says, look, page=True):
    return Finding(name, "snntorch", "snntorch", "1.0.0", label, says, look, f"docs/findings/{name}.md" if page else "")


def _downcast():
    layer = snntorch_leaky()
    given = layer.returns(np.full((1, 1, 1), 1.5))
    return Observation(given == "float32", 1, None, f"spikes of a float64 current are {given}")


def _nan():
    torch, surrogate = needed("torch"), needed("snntorch.surrogate").sigmoid(25)
    x = torch.tensor([-5.0, -3.0, -1.0, 1.0, 5.0], requires_grad=True)
    grad, = torch.autograd.grad(surrogate(x).sum(), x)
    bad = x.detach()[~torch.isfinite(grad)].tolist()
    return Observation(bool(bad), 5, np.inf if bad else 0.0, f"not finite at u - threshold = {bad}, float32" if bad else "all finite",
                f"u - threshold = {bad[0]}" if bad else "")


def _at_threshold():
    at, above = snntorch_leaky().forward(np.array([[[1.0, 1.0 + 2.0 ** -20]]])).ravel()
    return Observation((at, above) == (0, 1), 2, None, f"{at:g} at the threshold, {above:g} just above it")


def _stuck():
    """A current of 3.5 thresholds holds three spikes and a half; the setting with delay gives three."""
    current = np.zeros((8, 1, 1))
    current[0] = 3.5
    layer = snntorch_leaky(reset_delay=False)
    n, v = int(layer.forward(current).sum()), float(layer.state(current).ravel()[0])
    with_delay = int(snntorch_leaky().forward(current).sum())
    silent = bool(layer.forward(current)[-1] == 0)
    shown = f"{n} spikes from 3.5 thresholds, {with_delay} with delay; after 8 steps u is {v:g}, {'silent' if silent else 'firing'}"
    return Observation(v > 1 and silent, 8, None, shown, "step 3")


def _conventions():
    """Name every setting of the reset."""
    named = {(reset, delay): identify(snntorch_leaky(reset=reset, reset_delay=delay)) for reset in ("subtract", "zero", "none")
             for delay in (True, False)}
    wanted = {(reset, delay): (reset, "next" if delay else "same", ">", delay) for reset in ("subtract", "zero") for delay in (True, False)}
    got = {key: (*c.rule[:3], c.detach_reset) if (c := x.convention) else x.evidence.get("reset") for key, x in named.items()}
    wanted |= {("none", True): "none", ("none", False): "none"}
    told = "reset_delay=True: in the next step, detached; False: in the same step, part of the graph; fires at u > threshold"
    return Observation(got == wanted, len(got), None, told if got == wanted else f"got {got}")


CASES = (
    _case("snntorch-float64", "precision", "float64 in, float32 spikes out", _downcast),
    _case("snntorch-sigmoid-nan", "bug", "the gradient of surrogate.sigmoid(25) is NaN well below the threshold", _nan),
    _case("snntorch-reset-delay", "bug", "Leaky(reset_delay=False) keeps a potential above the threshold without firing", _stuck),
    _case("snntorch-at-threshold", "convention", "no spike at u == threshold, where its documentation has one", _at_threshold),
    _case("snntorch-conventions", "convention", "its six settings of the reset have names, but for reset none", _conventions, page=False),
)
"""Five cases."""
