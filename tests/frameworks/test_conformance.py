"""The conformance matrix of the frameworks that are here: nothing unexpected, every cell as in the record.

Run by `make test-frameworks`.
"""

import json
import os

import pytest

from pysnn.verify.conformance import node, profile, run, subjects
from tests.cases import ROOT

pytestmark = [pytest.mark.frameworks, pytest.mark.filterwarnings("ignore")]
RECORD = json.loads((ROOT / "docs/results/conformance.json").read_text())
NEURONS = [(framework, name) for framework in subjects.FRAMEWORKS for name in subjects.profiles(framework)]


@pytest.mark.parametrize("framework, name", NEURONS, ids=[f"{framework}-{name}" for framework, name in NEURONS])
def test_cells(framework, name):
    version = subjects.version(framework)
    if not version:
        if os.environ.get("CI", "").lower() == "true" and (framework == "spyx") == bool(subjects.version("spyx")):
            pytest.fail(f"{framework} is not installed, and CI=true demands it")
        pytest.skip(f"{framework} is not installed")
    cells = list(run.run(subjects.makers(framework)[name](), subjects.profiles(framework)[name], (framework, version, name),
                         known=subjects.known(framework)))
    assert [f"{c.case}: {c.outcome}, {c.says}" for c in cells if not c.ok] == []
    if version == RECORD["frameworks"][framework]:
        assert {c.case: c.outcome for c in cells} == {case: found[0] for case, found in RECORD["cells"][framework][name].items()}


# ------------------------------------------------------------------------------------- modules of one's own, and faults in them

def module(torch, axes="BN", fault=""):
    """A leaky neuron as a module, over one step or over all of them."""
    class Spike(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return (x >= 0).to(x.dtype)

        @staticmethod
        def backward(ctx, grad):
            x, = ctx.saved_tensors
            if fault == "second backward":
                ctx.n = getattr(ctx, "n", 0) + 1
                grad = grad * ctx.n
            return grad / (1 + (torch.pi * x) ** 2)

    class Leaky(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.beta, self.v = torch.nn.Parameter(torch.tensor(0.75)), None

        def reset(self):
            self.v = None

        def one(self, x):
            v = (self.beta.detach() if fault == "parameter" else self.beta) * (0 if self.v is None else self.v) + x
            s = Spike.apply(v - 1)
            self.v = v - s.detach()
            return s if self.training or fault != "eval" else s.detach()

        def forward(self, x):
            if axes == "BN":
                return self.one(x)
            steps = x if axes == "TBN" else x.transpose(0, 1)
            if fault == "state" or (fault == "steps" and len(steps) > 1):
                self.reset()
            spikes = torch.stack([self.one(x_t) for x_t in (steps if fault != "steps" or len(steps) > 1 else 0.9 * steps)])
            return spikes if axes == "TBN" else spikes.transpose(0, 1)
    return Leaky()


def asked(torch, axes, fault=""):
    """Ask all cases of such a module."""
    about = profile.Profile(axes=axes, beta=0.75, detach=True, learnable={"beta": {"beta": "x"}})
    return {c.case: c for c in run.run(node.of(module(torch, axes, fault), axes), about, ("own", "1", "neuron"))}


@pytest.mark.parametrize("axes", ["BN", "TBN", "BTN"])
def test_a_module_is_right_on_any_axes(torch, axes):
    wrong = {"BN": {"single-step": run.NOT_SUPPORTED}}.get(axes, {})
    assert {case: c.outcome for case, c in asked(torch, axes).items() if c.outcome != run.RIGHT} == wrong


@pytest.mark.parametrize("fault, case", [("second backward", "second-backward"), ("parameter", "parameters"), ("eval", "evaluation"),
                                         ("state", "two-calls"), ("steps", "single-step")])
def test_faults_of_modules_are_caught(torch, fault, case):
    assert asked(torch, "TBN", fault)[case].outcome == run.UNEXPECTED


def test_wrong_axes_are_seen(torch):
    """A module that takes its batch first, declared to take time first."""
    about = profile.Profile(axes="TBN", beta=0.75, detach=True)
    cells = {c.case: c for c in run.run(node.of(module(torch, "BTN"), "TBN"), about, ("own", "1", "neuron"))}
    assert cells["spikes"].outcome == cells["batch"].outcome == run.UNEXPECTED
