"""Layers of PyTorch by one line: released neurons without a file, modules of one's own, right and wrong. Run by `make test-frameworks`."""

import re

import numpy as np
import pytest

from pysnn.cli import main
from pysnn.verify import blackbox
from pysnn.verify.report.ledger import WRONG
from tests.cases import ROOT
from tests.cases.installed import needed

pytestmark = [pytest.mark.frameworks, pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*")]

JELLY = "spikingjelly.activation_based.neuron"
RELEASED = {
    "snntorch:Leaky(beta=0.9)": "leaky, beta 0.9, gain 1, reset by subtraction in the next step, behind leak and current",
    "snntorch:Leaky(beta=0.5, init_hidden=True)": "leaky, beta 0.5",
    "snntorch:Synaptic(alpha=0.5, beta=0.9)": "leaky, beta 0.9, alpha 0.5",
    f"{JELLY}:IFNode(step_mode='m')": "reset to zero in the same step, fires at V >= threshold, sigmoid of slope 4, reset attached",
    f"{JELLY}:LIFNode()": "leaky, beta 0.5, gain 1 - beta, reset to zero",
    f"{JELLY}:LIFNode(step_mode='m', v_reset=None, detach_reset=True)": "reset by subtraction in the same step",
    f"{JELLY}:ParametricLIFNode(step_mode='m')": "leaky, beta 0.5, gain 1 - beta",
    "norse.torch:LIFCell()": "alpha 0.79999999",
    "norse.torch:IAFCell()": "fires at V > threshold, fast_sigmoid of slope 1",
    "sinabs.layers:IAF(spike_fn=__import__('sinabs.activation').activation.SingleSpike)": "exponential of slope 2, height 2",
    "rockpool.nn.modules:LIFTorch(3, max_spikes_per_dt=torch.tensor(1.), bias=torch.zeros(3))": "reset by subtraction",
}


@pytest.fixture(autouse=True)
def _torch(torch):
    """All need PyTorch."""


@pytest.mark.parametrize("line", RELEASED)
def test_a_released_neuron_by_one_line(line, capsys):
    needed(line.split(":")[0])
    code, out = main(["verify", "--torch", line, "--quiet"]), capsys.readouterr().out
    assert code == 0 and RELEASED[line] in out and "all right" in out, out


def test_the_page_shows_what_is_printed(capsys):
    needed("snntorch")
    shown = (ROOT / "docs/howto/verify-any-layer.md").read_text(encoding="utf-8").split("```text\n")[1].split("```")[0]
    main(["verify", "--torch", "snntorch:Leaky(beta=0.9)", "--quiet"])
    out = capsys.readouterr().out

    def told(text):
        return [re.sub(r" +", " ", re.sub(r"[0-9.]+e-[0-9]+", "#", line)).strip() for line in text.splitlines()[:4]]
    assert told(out) == told(shown)


FILE = """
import torch


class Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return (x >= 0).to(x.dtype)

    @staticmethod
    def backward(ctx, grad):
        x, = ctx.saved_tensors
        return {surrogate}


class Layer(torch.nn.Module):
    def forward(self, x):
        v, out = torch.zeros_like(x[{first}]), []
        for t, x_t in enumerate(x.unbind({time})):
            v = {step}
            s = Spike.apply(v - 1.0)
            v = {reset}
            out.append(s)
        return torch.stack(out, {time})
"""
PLAIN = {"surrogate": "grad / (1 + (torch.pi * x) ** 2)", "time": 0, "first": "0", "step": "0.75 * v + x_t", "reset": "v - s.detach()"}
BATCH_FIRST = {"time": 1, "first": ":, 0"}


@pytest.mark.parametrize(("change", "axes", "says"), [
    ({}, "TBN", "leaky, beta 0.75"), (BATCH_FIRST, "BTN", "found axes (B, T, N)"), ({"reset": "v - s"}, "TBN", "reset attached"),
    ({"reset": "v * (1 - s.detach())"}, "TBN", "reset to zero"), ({"step": "v + x_t"}, "TBN", "reset by subtraction in the same step"),
    ({"surrogate": "grad * (x.abs() < 0.5)"}, "TBN", "boxcar of slope 1"),
    ({"surrogate": "0.3 * grad * (1 - x.abs()).relu()"}, "TBN", "triangle of slope 1, height 0.3")])
def test_a_right_module_is_named(tmp_path, change, axes, says):
    (tmp_path / "own.py").write_text(FILE.format(**{**PLAIN, **change}))
    with blackbox.opened("torch", f"{tmp_path / 'own.py'}:Layer") as layer:
        ledger, _ = blackbox.check(layer)
        assert ledger.ok and layer.structure.axes == axes and says in ledger.entries[0].note, str(ledger)


@pytest.mark.parametrize(("change", "says"), [
    ({"step": "0.75 * v.detach() + x_t"}, "state is lost"), ({"step": "v + x_t - 0.25 * v.detach()"}, "no leak"),
    ({"step": "0.75 * (v if t % 8 else v.detach()) + x_t"}, "gradients through time"),
    ({"reset": "v - s * v.detach()"}, "gradients through time"),
    ({"reset": "v * (1 - s)", "step": "0.75 * v + x_t.detach()"}, "no gradient"),
    ({"surrogate": "grad / (1 + (torch.pi * (x + 1)) ** 2)"}, "peak at V = 0"), ({"surrogate": "-grad / (1 + x ** 2)"}, "wrong sign"),
    ({"step": "(0.75 * v + x_t).float().double()"}, "computes in float32")])
def test_a_wrong_module_is_wrong(tmp_path, change, says):
    (tmp_path / "own.py").write_text(FILE.format(**{**PLAIN, **change}))
    with blackbox.opened("torch", f"{tmp_path / 'own.py'}:Layer") as layer:
        ledger, _ = blackbox.check(layer)
        assert any(e.verdict == WRONG and says in e.note for e in ledger.entries), str(ledger)


# --------------------------------------------------------------------------------------------------------------- networks

NET = """

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.first = torch.nn.Linear(5, 8), Layer()
        self.b, self.second, self.c = torch.nn.Linear(8, 6), Layer(), torch.nn.Linear(6, 3)

    def forward(self, x):
        x = self.first(self.a(x))
        return self.c(self.second(self.b({between})))
"""


def test_the_parts_and_the_gradient_of_a_network(tmp_path, capsys):
    (tmp_path / "net.py").write_text(FILE.format(**PLAIN) + NET.format(between="x"))
    assert main(["verify", "--torch", f"{tmp_path / 'net.py'}:Net", "--quiet", "--json", str(tmp_path / "r.json")]) == 0
    out = capsys.readouterr().out
    assert "first (Layer)" in out and "second (Layer)" in out and "frozen parts" in out and "all right" in out, out


@pytest.mark.parametrize(("between", "layer", "says"), [
    ("x.detach() + 0 * x", {}, "a.weight"), ("x + 0.1 * x.detach() - 0.1 * x.detach() ** 2", {}, "differ"),
    ("x", {"reset": "v - s * v.detach()"}, "wrong")])
def test_a_network_that_loses_a_gradient_is_wrong(tmp_path, between, layer, says):
    (tmp_path / "net.py").write_text(FILE.format(**{**PLAIN, **layer}) + NET.format(between=between))
    with blackbox.opened("torch", f"{tmp_path / 'net.py'}:Net") as opened:
        ledger, _ = blackbox.check(opened)
        assert any(e.verdict == WRONG and says in f"{e.argument} {e.note}" for e in ledger.entries), str(ledger)


def test_networks_as_tutorials_write_them(torch):
    """A loop over the steps with the state in hand, of snnTorch; a chain of convolutions, of SpikingJelly."""
    from torch import nn
    leaky, jelly = needed("snntorch").Leaky, needed("spikingjelly.activation_based.layer")
    neuron = needed("spikingjelly.activation_based.neuron")

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.first, self.b, self.second = nn.Linear(5, 8), leaky(beta=0.9), nn.Linear(8, 3), leaky(beta=0.8)

        def forward(self, x):
            u, v, seen = self.first.init_leaky(), self.second.init_leaky(), []
            for x_t in x:
                s, u = self.first(self.a(x_t), u)
                s, v = self.second(self.b(s), v)
                seen.append(v)
            return torch.stack(seen)
    torch.manual_seed(0)
    ledger, _ = blackbox.check(blackbox.of(Net()))
    assert ledger.ok and sum(e.check == "frozen parts" for e in ledger.entries) == 6, str(ledger)
    steps = {"step_mode": "m"}
    net = nn.Sequential(jelly.Conv2d(1, 4, 3, padding=1, bias=False, **steps), jelly.BatchNorm2d(4, **steps), neuron.IFNode(**steps),
                        jelly.MaxPool2d(2, 2, **steps), jelly.Flatten(**steps), jelly.Linear(64, 10, **steps), neuron.LIFNode(**steps))
    net[5].weight.data *= 8
    ledger, _ = blackbox.check(blackbox.of(net, axes="TBCHW"))
    assert ledger.ok and {e.operation for e in ledger.entries} == {"2 (IFNode)", "6 (LIFNode)", "network"}, str(ledger)


def test_what_holds_no_spiking_part_is_no_verdict(torch):
    from torch import nn
    with pytest.raises(blackbox.Refused, match="say which part"):
        blackbox.of(nn.Sequential(nn.Linear(4, 3), nn.ReLU()), n=4)


def test_float32_is_a_tier_of_its_own(torch):
    lines = {}
    exec(FILE.format(**{**PLAIN, "step": "0.75 * v + x_t.float()"}).replace("zeros_like(x[0])", "zeros_like(x[0]).float()"), lines)
    ledger, found = blackbox.check(blackbox.of(lines["Layer"]()))
    assert ledger.ok and found.evidence["precision"] == "float32" and "in float32" in ledger.entries[0].note, str(ledger)
    assert max(e.max_error or 0 for e in ledger.entries) > 1e-9
    assert np.isfinite([e.max_error for e in ledger.entries if e.max_error is not None]).all()


# ------------------------------------------------------------------------------------------------- how other people write

def check(tmp_path, text, *how):
    """Write a file and check it; return the exit code."""
    path = tmp_path / "own.py"
    path.write_text(text)
    return main(["verify", "--torch", f"{path}:{how[0]}", *how[1:], "--quiet"])


def layer_of(**change):
    """Write a layer, changed."""
    return FILE.format(**{**PLAIN, **change})


LEARNS = layer_of(step="torch.sigmoid(self.w) * v + x_t").replace("    def forward(self, x):\n        v, out", '''    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.tensor(1.0))

    def forward(self, x):
        v, out''')
THRESHOLD = layer_of(reset="v - s.detach() * self.w").replace("v - 1.0", "v - self.w").replace("    def forward(self, x):\n        v, out",
                     LEARNS[LEARNS.index("    def __init__"):LEARNS.index("        v, out")] + "        v, out")


@pytest.mark.parametrize(("text", "old", "new", "code"), [
    (LEARNS, "", "", 0), (LEARNS, "sigmoid(self.w)", "sigmoid(self.w).detach()", 1),
    (LEARNS, "torch.sigmoid(self.w) * v", "(torch.sigmoid(self.w) if t < 5 else torch.sigmoid(self.w).detach()) * v", 1),
    (THRESHOLD, "", "", 0), (THRESHOLD, "v - self.w)", "v - self.w.detach())", 1), (THRESHOLD, "* self.w\n", "* self.w.detach()\n", 1)])
def test_what_a_layer_learns_has_its_gradient(tmp_path, capsys, text, old, new, code):
    assert check(tmp_path, text.replace(old, new), "Layer") == code
    out = capsys.readouterr().out
    assert code == 0 or "parameter w, all entries moved together: backward says" in out, out


STEP = layer_of().replace(layer_of()[layer_of().index("    def forward(self, x):\n        v, out"):], '''    def forward(self, x, mem):
        mem = 0.75 * mem + x
        s = Spike.apply(mem - 1.0)
        return s, mem - s.detach()
''')


def test_a_first_state_without_a_default(tmp_path, capsys):
    assert check(tmp_path, STEP, "Layer") == 0
    assert "leaky, beta 0.75" in capsys.readouterr().out
    assert check(tmp_path, STEP.replace("self, x, mem", "self, x, mem, beta").replace("0.75", "beta"), "Layer") == 2
    err = capsys.readouterr().err
    assert "its arguments mem, beta have no defaults" in err and "lambda x: layer(x, 0.9)" in err


def test_writing_into_the_input_is_wrong(tmp_path, capsys):
    assert check(tmp_path, layer_of(step="0.75 * v + x_t; x.data[t] = v.detach()"), "Layer") == 1
    assert "forward changes its input" in capsys.readouterr().out


NETS = FILE.format(**PLAIN) + '''

class Twice(torch.nn.Module):
    """One module in two places."""
    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.a, self.b, self.sn = torch.nn.Linear(5, 6), torch.nn.Linear(6, 4), Layer()

    def forward(self, x):
        return self.sn(self.b(self.sn(self.a(x))))


class Static(Twice):
    """An image is given to all steps."""
    def forward(self, x):
        return super().forward(x.unsqueeze(0).repeat(7, 1, 1)).mean(0)


class Cell(torch.nn.Module):
    def forward(self, x, mem):
        mem = 0.75 * mem + x
        s = Spike.apply(mem - 1.0)
        return s, mem - s.detach()


class Loop(torch.nn.Module):
    """The loop over the steps inside."""
    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.fc1, self.c1, self.fc2, self.c2 = torch.nn.Linear(5, 6), Cell(), torch.nn.Linear(6, 4), Cell()

    def forward(self, x):
        m1, m2, out = torch.zeros(x.shape[:-1] + (6,)).to(x), torch.zeros(x.shape[:-1] + (4,)).to(x), []
        for _ in range(8):
            s, m1 = self.c1(self.fc1(x), m1)
            s, m2 = self.c2(self.fc2(s), m2)
            out.append(s)
        return torch.stack(out)


class Silent(Twice):
    """Weights so small that the last layer is silent, behind a normalisation that no input reaches through."""
    def __init__(self):
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(6)
        self.b.weight.data *= 1e-3
        self.b.bias.data.zero_()

    def forward(self, x):
        return Layer.forward(self.sn, self.b(self.sn(self.norm(self.a(x).transpose(1, 2)).transpose(1, 2))))
'''.replace("Layer.forward(self.sn, ", "self.sn(")


@pytest.mark.parametrize(("name", "how", "old", "new", "code"), [
    ("Twice", [], "", "", 0), ("Twice", [], "self.b(self.sn", "self.b(1 * self.sn", 0),
    ("Twice", [], "self.b(self.sn(self.a(x)))", "self.b(self.sn(self.a(x)).detach())", 1),
    ("Static", ["--axes", "BN"], "", "", 0), ("Static", ["--axes", "BN"], ".mean(0)", ".detach().mean(0) + super().forward(x[None])[0]", 1),
    ("Loop", [], "", "", 0), ("Loop", [], "self.fc1(x), m1)", "self.fc1(x), m1.detach())", 1), ("Silent", [], "", "", 0)])
def test_networks_as_they_are_written(tmp_path, capsys, name, how, old, new, code):
    assert old in NETS and check(tmp_path, NETS.replace(old, new), name, *how) == code, capsys.readouterr()
    out = capsys.readouterr().out
    assert code == 0 or "frozen parts" in out, out


def test_a_network_by_sequential_that_keeps_its_states(tmp_path, capsys):
    needed("snntorch")
    text = """
import torch
import snntorch as snn
net = torch.nn.Sequential(torch.nn.Linear(6, 5), snn.Leaky(beta=0.75, init_hidden=True), torch.nn.Dropout(0.2), torch.nn.Linear(5, 4),
                          snn.Leaky(beta=0.75, init_hidden=True, output=True))
"""
    assert check(tmp_path, text, "net") == 0, capsys.readouterr()
    assert check(tmp_path, text, "net", "--axes", "BN", "--shape", "5x2x7") == 2
    err = capsys.readouterr().err
    assert "--shape the sizes" in err and "Traceback" not in err
