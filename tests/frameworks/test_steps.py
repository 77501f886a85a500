"""Steps against what frameworks compute: SpikingJelly, snnTorch, Norse and Sinabs by autograd, and modules written by hand with faults.

In float64 the truth of a step agrees with autograd to 1e-12. The own spikes of snnTorch and Sinabs are float32, and so is the gradient that
comes down to them: there the tier is 1e-5 of the largest entry. Run by `make test-frameworks`.
"""

import importlib

import numpy as np
import pytest

from pysnn import cli
from pysnn.verify.frameworks import parametric
from pysnn.verify.suite.steps import check_against_step, not_checked
from pysnn.verify.witness import steps
from tests.cases.installed import needed

pytestmark = [pytest.mark.frameworks, pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*")]

SHAPE = (12, 3, 4)


def agree(step, layer, tolerance=1e-12, scale=1.0):
    """Compare once, closely, then by the suite."""
    rng = np.random.default_rng(0)
    current, dy = scale * rng.normal(0.5, 1.0, SHAPE), rng.normal(size=SHAPE)
    params, start = {name: step.params[name] for name in layer.params}, {name: rng.uniform(0, 0.4, SHAPE[1:]) for name in layer.start}
    right = steps.truth(step, current, params, start, dy)
    assert 0.1 < right.y.mean() < 0.9
    y, dtype = layer.run(current, params, start)
    assert dtype == ("float64" if tolerance == 1e-12 else "float32")
    np.testing.assert_array_equal(y, right.y)
    dcurrent, dparams, dstart = layer.vjp(current, params, start, dy)
    got = {"current": dcurrent, **dparams, **dstart}
    for name, grad in got.items():
        wanted = right.gradients[name]
        assert grad.shape == wanted.shape and np.abs(grad - wanted).max() <= tolerance * np.abs(wanted).max(), name
    check_against_step(step, layer).raise_if_failed()
    return {name for name, grad in got.items() if grad.any()}


# ------------------------------------------------------------------------------------------------------------ SpikingJelly

def spikingjelly(v_reset, decay_input, detach, gain):
    """Write the step of LIFNode and ParametricLIFNode; `gain(params)` is 1 / tau."""
    rest = v_reset or 0.0

    def step(state, x, spike, stop, params):
        v, k = state["v"], gain(params)
        h = v + (x - (v - rest)) * k if decay_input else v - (v - rest) * k + x
        s = spike(h - 0.8)
        r = stop(s) if detach else s
        return {"v": h - r * 0.8 if v_reset is None else (1 - r) * h + r * v_reset}, s
    return step


@pytest.mark.parametrize("detach", [True, False])
@pytest.mark.parametrize("decay_input", [True, False])
@pytest.mark.parametrize("v_reset", [0.0, None, -0.3])
@pytest.mark.parametrize("kind", ["LIFNode", "ParametricLIFNode"])
def test_spikingjelly(torch, kind, v_reset, decay_input, detach):
    """Trained w included; of LIFNode the first potential, which its node lets a function set."""
    node_of = needed("spikingjelly.activation_based.neuron")
    surrogate = importlib.import_module("spikingjelly.activation_based.surrogate").ATan(2.5)
    node = getattr(node_of, kind)(2.7, decay_input, 0.8, v_reset, surrogate, detach, step_mode="m")
    scale = 2.0 if decay_input else 1.0
    rest = v_reset or 0.0
    if kind == "ParametricLIFNode":
        function = spikingjelly(v_reset, decay_input, detach, lambda params: 1 / (1 + np.exp(-params["w"])))
        step = steps.define(function, {"w": 0.3}, {"v": rest}, ("atan", 2.5))
        assert agree(step, parametric.from_torch(node, step.params, step.start), scale=scale) == {"current", "w"}
    else:
        step = steps.define(spikingjelly(v_reset, decay_input, detach, lambda params: 1 / 2.7), {}, {"v": rest}, ("atan", 2.5))

        def layer(current, v):
            node.reset()
            node.v = v
            return node(current)
        assert agree(step, parametric.from_torch(layer, step.params, step.start), scale=scale) == {"current", "v"}


# ---------------------------------------------------------------------------------------------------------------- snnTorch

def exact_atan(torch):
    """Return snnTorch's default surrogate without its detour through float32."""
    class Atan(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return (x > 0).to(x.dtype)

        @staticmethod
        def backward(ctx, grad):
            x, = ctx.saved_tensors
            return grad / (1 + (torch.pi * x) ** 2)
    return Atan.apply


def snntorch(kind, reset):
    def step(state, x, spike, stop, params):
        theta, v = params["threshold"], state["mem"]
        r = stop(spike(v - theta))
        i = params["alpha"] * state["syn"] + x if kind == "Synaptic" else x
        drive = i + params["V"] * state["spk"] if kind == "RLeaky" else i
        if reset == "zero" and kind == "Leaky":
            mem = params["beta"] * v * (1 - r) + drive
        else:
            mem = params["beta"] * v + drive
            mem = mem - r * theta if reset == "subtract" else mem - r * mem if reset == "zero" else mem
        s = spike(mem - theta)
        return {"mem": mem} | ({"syn": i} if kind == "Synaptic" else {}) | ({"spk": s} if kind == "RLeaky" else {}), s
    return step


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize("kind", ["Leaky", "RLeaky", "Synaptic"])
def test_snntorch(torch, kind, reset, exact):
    """With trained beta, threshold, alpha and V; its own surrogate gives float32 spikes, the exact one float64."""
    options = {"beta": 0.8, "threshold": 0.9, "learn_beta": True, "learn_threshold": True, "reset_mechanism": reset}
    options |= {"alpha": 0.6, "learn_alpha": True} if kind == "Synaptic" else {"V": 0.4, "all_to_all": False} if kind == "RLeaky" else {}
    options |= {"spike_grad": exact_atan(torch)} if exact else {}

    class Layer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = getattr(needed("snntorch"), kind)(**options)

        def forward(self, current):
            state, spikes = (torch.zeros_like(current[0]),) * (1 if kind == "Leaky" else 2), []
            for x in current:
                spk, *state = self.cell(x, *state)
                state = (spk, *state[-1:]) if kind == "RLeaky" else state
                spikes.append(spk)
            return torch.stack(spikes)
    params = {"beta": 0.8, "threshold": 0.9} | ({"alpha": 0.6} if kind == "Synaptic" else {"V": 0.4} if kind == "RLeaky" else {})
    start = {"mem": 0.0} | ({"syn": 0.0} if kind == "Synaptic" else {"spk": 0.0} if kind == "RLeaky" else {})
    step = steps.define(snntorch(kind, reset), params, start, ("atan", 2.0), ">")
    names = {name: f"cell.{'recurrent.V' if name == 'V' else name}" for name in params}
    layer = parametric.from_torch(Layer, step.params, step.start, names)
    reset_alone = kind == "RLeaky" and reset == "zero"         # what V sends to its own neuron, the reset takes away
    assert agree(step, layer, 1e-12 if exact else 1e-5) == {"current", *params} - ({"V"} if reset_alone else set())
    assert not_checked(step, layer)[0].startswith("not checked: no first state called mem")


# --------------------------------------------------------------------------------------------------------- Norse and Sinabs

def norse_step(state, x, spike, stop, params):
    i = state["i"] + x
    v = state["v"] + 0.01 * params["tau_mem_inv"] * (i - state["v"])
    s = spike(v - params["v_th"])
    return {"v": (1 - s) * v, "i": i - 0.01 * params["tau_syn_inv"] * i}, s


def test_norse(torch):
    """Time constants, threshold and both first states are arguments of a function."""
    norse, lif = needed("norse.torch"), importlib.import_module("norse.torch.functional.lif")

    def layer(current, tau_mem_inv, tau_syn_inv, v_th, v, i):
        zero, spikes = torch.zeros(()), []
        p = norse.LIFParameters(tau_syn_inv, tau_mem_inv, zero, v_th, zero, "super", torch.tensor(100.0))
        state = lif.LIFFeedForwardState(v, i)
        for x in current:
            s, state = lif.lif_feed_forward_step(x, state, p, dt=0.01)
            spikes.append(s)
        return torch.stack(spikes)
    params = {"tau_mem_inv": 20.0, "tau_syn_inv": 40.0, "v_th": 0.5}
    step = steps.define(norse_step, params, {"v": 0.0, "i": 0.0}, ("fast_sigmoid", 1.0), ">")
    found = agree(step, parametric.from_torch(layer, step.params, step.start), scale=2.0)
    assert found == {"current", "tau_mem_inv", "tau_syn_inv", "v_th", "v", "i"}


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("reset", ["MembraneSubtract", "MembraneReset"])
@pytest.mark.parametrize("norm", [True, False])
def test_sinabs(torch, norm, reset, exact):
    """With trained time constants; its own spike gives float32, the exact one float64."""
    layers, activation = needed("sinabs.layers"), importlib.import_module("sinabs.activation")

    class Once(torch.autograd.Function):
        required_states = ("v_mem",)

        @staticmethod
        def forward(ctx, v, threshold, surrogate):
            ctx.save_for_backward(v - threshold)
            return (v >= threshold).to(v.dtype)

        @staticmethod
        def backward(ctx, grad):
            return grad * 2 * torch.exp(-2 * ctx.saved_tensors[0].abs()), None, None
    fires = Once if exact else activation.SingleSpike

    class Layer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = layers.LIF(3.0, 2.0, spike_fn=fires, norm_input=norm, reset_fn=getattr(activation, reset)())

        def forward(self, current):
            return self.cell(current.transpose(0, 1)).transpose(0, 1)

    def step(state, x, spike, stop, params):
        mem, syn = np.exp(-1 / params["tau_mem"]), np.exp(-1 / params["tau_syn"])
        i = syn * (state["i"] + x)
        v = mem * state["v"] + ((1 - mem) * i if norm else i)
        s = spike(v - 1.0)
        return {"v": v - s if reset == "MembraneSubtract" else v * (1 - stop(s)), "i": i}, s
    step = steps.define(step, {"tau_mem": 3.0, "tau_syn": 2.0}, {"v": 0.0, "i": 0.0}, lambda v: 2 * np.exp(-2 * np.abs(v)))
    layer = parametric.from_torch(Layer, step.params, step.start, {"tau_mem": "cell.tau_mem", "tau_syn": "cell.tau_syn"})
    assert agree(step, layer, 1e-12 if exact else 1e-5, 3.0 if norm else 1.0) == {"current", "tau_mem", "tau_syn"}


# ---------------------------------------------------------------------------------------------------------- written by hand

FILE = '''
import numpy as np
import torch

PARAMS = {params}
STATE = {state}
SURROGATE = ("fast_sigmoid", 5.0)
NAMES = {{"kappa": "kappa_of_mine"}} if "kappa" in PARAMS else {{}}


class Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx, v):
        ctx.save_for_backward(v)
        return (v >= 0).to(v.dtype)

    @staticmethod
    def backward(ctx, grad):
        return grad / (1 + 5 * ctx.saved_tensors[0].abs()) ** 2


def step(state, x, spike, stop, params):
{step}


class Layer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        for name, x in PARAMS.items():
            setattr(self, NAMES.get(name, name), torch.nn.Parameter(torch.tensor(x)))

    def forward(self, current, {arguments}):
        spike, out = Spike.apply, []
        for t, x in enumerate(current):
{layer}
            out.append(s)
        return torch.stack(out)
'''
ADAPTIVE = {
    "params": '{"beta": 0.9, "rho": 0.8, "kappa": 0.5}', "state": '{"v": 0.0, "a": 0.0}', "arguments": "v, a",
    "step": '''    v = params["beta"] * state["v"] + x
    theta = 1.0 + params["kappa"] * state["a"]
    s = spike(v - theta)
    return {"v": v - stop(s) * theta, "a": params["rho"] * state["a"] + s}, s''',
    "layer": '''            u, theta = self.beta * v + x, 1.0 + self.kappa_of_mine * a
            s = spike(u - theta)
            v = u - s.detach() * theta
            a = self.rho * a + s'''}
TWO = {
    "params": '{"decay": 0.7, "coupling": 1.5, "back": [0.3, 0.1, 0.2], "w_rec": [[0.0, 0.3, -0.2], [0.1, 0.0, 0.4], [-0.3, 0.2, 0.0]]}',
    "state": '{"d": 0.0, "v": 0.0, "s": 0.0}', "arguments": "d, v, s",
    "step": '''    d = params["decay"] * state["d"] + x + state["s"] @ params["w_rec"] - params["back"] * state["s"]
    v = 0.9 * state["v"] + np.tanh(params["coupling"] * d)
    s = spike(v - 0.8)
    return {"d": d, "v": v * (1 - stop(s)), "s": s}, s''',
    "layer": '''            d = self.decay * d + x + s @ self.w_rec - self.back * s
            u = 0.9 * v + torch.tanh(self.coupling * d)
            s = spike(u - 0.8)
            v = u * (1 - s.detach())'''}
CUT = "            if t % 8 == 7:\n                {0}\n"
FAULTS = {
    "detach forgotten": (ADAPTIVE, "s.detach() * theta", "s * theta", {"current", "beta", "rho", "kappa", "v", "a"}, {"outputs"}),
    "adaptation out of the gradient": (ADAPTIVE, "a = self.rho * a + s", "a = self.rho * a + s.detach()", {"current", "beta"}, {"outputs"}),
    "parameter out of the gradient": (ADAPTIVE, "self.rho * a", "self.rho.detach() * a", {"rho"}, {"outputs", "current", "beta", "v", "a"}),
    "state lost": (ADAPTIVE, "v = u - s.detach() * theta", "v = 0 * u", {"outputs", "current"}, set()),
    "cut every 8 steps": (ADAPTIVE, "            a = self.rho * a + s",
                          "            a = self.rho * a + s\n" + CUT.format("v, a = v.detach(), a.detach()"), {"current", "v"},
                          {"outputs"}),
    "detach forgotten, two": (TWO, "(1 - s.detach())", "(1 - s)", {"current", "decay", "w_rec"}, {"outputs"}),
    "spikes back out of the gradient, two": (TWO, "self.back * s", "self.back * s.detach()", {"current", "decay"}, {"outputs"}),
    "parameter out of the gradient, two": (TWO, "s @ self.w_rec", "s @ self.w_rec.detach()", {"w_rec"}, {"outputs", "current", "d"}),
    "state lost, two": (TWO, "self.decay * d + x", "x", {"outputs", "current", "decay"}, set()),
    "cut every 8 steps, two": (TWO, "            v = u * (1 - s.detach())", "            v = u * (1 - s.detach())\n" + CUT.format(
        "d, v, s = d.detach(), v.detach(), s.detach()"), {"current", "d", "v"}, {"outputs"}),
}


def of_file(parts, old="", new=""):
    """Make step and layer of a file, in this process."""
    assert not old or parts["layer"].count(old) == 1
    space = type("File", (), {})()
    text = FILE.format(**parts | {"layer": parts["layer"].replace(old, new) if old else parts["layer"]})
    exec(compile(text, "file.py", "exec"), vars(space))
    step = steps.read(space)
    return step, parametric.from_torch(space.Layer, step.params, step.start, space.NAMES)


@pytest.mark.parametrize("parts", [ADAPTIVE, TWO], ids=["adaptive", "two compartments"])
def test_modules_written_by_hand(torch, parts):
    step, layer = of_file(parts)
    ledger = check_against_step(step, layer)
    ledger.raise_if_failed()
    assert not not_checked(step, layer) and max(e.max_error for e in ledger.entries if e.check.startswith("gradients")) < 1e-10


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_caught_by_their_arguments(torch, name):
    parts, old, new, wrong, right = FAULTS[name]
    step, layer = of_file(parts, old, new)
    found = {e.argument.removeprefix("gradient of ") for e in check_against_step(step, layer).entries if e.verdict == "WRONG"}
    assert wrong <= found and not right & found, found


def test_what_a_module_does_not_have(torch):
    """A module without such a parameter is checked for the rest, and the report says so."""
    step, _ = of_file(ADAPTIVE)

    class Layer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.beta, self.decay = torch.nn.Parameter(torch.tensor(0.9)), torch.nn.Parameter(torch.tensor(0.8))

        def forward(self, current):
            v = a = torch.zeros_like(current[0])
            out = []
            for x in current:
                u, theta = self.beta * v + x, 1.0 + 0.5 * a
                out.append((u - theta >= 0).to(u.dtype))
                v, a = u - out[-1] * theta, self.decay * a + out[-1]
            return torch.stack(out)
    layer = parametric.from_torch(Layer(), step.params, step.start)
    assert layer.params == ("beta",) and layer.start == () and not_checked(step, layer)[:2] == [
        "not checked: no parameter called rho (it has decay)", "not checked: no parameter called kappa (it has decay)"]
    wrong = {e.argument for e in check_against_step(step, layer).entries if e.verdict == "WRONG"}
    assert wrong == {"gradient of current", "gradient of beta"}                                          # no gradient through its spikes


@pytest.mark.parametrize("factor, ok", [(1.0, True), (1.001, False)])
def test_a_function_that_computes_in_float32(torch, factor, ok):
    """With recurrent weights, and a surrogate that loses digits far from the threshold."""
    class Spike(torch.autograd.Function):
        @staticmethod
        def forward(ctx, v):
            ctx.save_for_backward(v)
            return (v >= 0).to(v.dtype)

        @staticmethod
        def backward(ctx, grad):
            e = torch.sigmoid(4 * ctx.saved_tensors[0])
            return factor * grad * 4 * e * (1 - e)

    def layer(current, beta, w_rec, v, s):
        beta, w_rec, v, s, out = beta.float(), w_rec.float(), v.float(), s.float(), []
        for x in current.float():
            v = beta * v * (1 - s.detach()) + x + s @ w_rec
            s = Spike.apply(v - 1.0)
            out.append(s)
        return torch.stack(out)

    def step(state, x, spike, stop, params):
        v = params["beta"] * state["v"] * (1 - stop(state["s"])) + x + state["s"] @ params["w_rec"]
        s = spike(v - 1.0)
        return {"v": v, "s": s}, s
    params = {"beta": [0.9, 0.8, 0.7], "w_rec": [[0.0, 0.3, -0.2], [0.1, 0.0, 0.4], [-0.3, 0.2, 0.0]]}
    step = steps.define(step, params, {"v": 0.0, "s": 0.0}, ("sigmoid", 4.0))
    for seed in range(3):
        assert check_against_step(step, parametric.from_torch(layer, step.params, step.start), seed).ok == ok


def test_a_constant_in_float32_is_no_fault(torch):
    """A module that exists already has a threshold of 0.8 in float32; nothing is more exact than that."""
    class Layer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("threshold", torch.tensor(0.8))

        def forward(self, current, v):
            out = []
            for x in current:
                v = 0.9 * v + x - self.threshold * 0.1
                out.append(v)
            return torch.stack(out)

    def step(state, x, spike, stop, params):
        v = 0.9 * state["v"] + x - params["theta"] * 0.1
        return {"v": v}, v
    step = steps.define(step, {"theta": 0.8})
    assert check_against_step(step, parametric.from_torch(Layer(), step.params, step.start)).ok
    assert check_against_step(step, parametric.from_torch(Layer, step.params, step.start, {"theta": "threshold"})).ok


@pytest.mark.parametrize("layer, names, message", [
    ("class", None, "expected a layer that can be made without arguments"), ("module", {"beta": "w"}, "the module has weight, bias"),
    ("needs more", None, r"parameters and first states \(beta, v\); it takes other"),
    ("number", None, "expected a module or a function, got int")])
def test_layers_that_cannot_be_used(torch, layer, names, message):
    layers = {"class": torch.nn.Linear, "module": torch.nn.Linear(3, 3), "needs more": lambda current, other: current, "number": lambda: 3}
    with pytest.raises(ValueError, match=message) as found:
        parametric.from_torch(layers[layer], ["beta"], ["v"], names)
    assert "\n" not in str(found.value)


def test_command_line(torch, tmp_path, monkeypatch, capsys):
    """Of files, each in a process of its own; --limit, since PyTorch takes its time to start."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.py").write_text(FILE.format(**ADAPTIVE))
    command = ["verify", "--step", "my.py:step", "--module", "my.py:Layer", "--quiet", "--limit", "100"]
    assert cli.main(command) == 0 and "all right" in capsys.readouterr().out
    (tmp_path / "my.py").write_text(FILE.format(**ADAPTIVE).replace("s.detach() * theta", "s * theta"))
    assert cli.main(command) == 1 and "first diverges at step" in capsys.readouterr().out
    (tmp_path / "my.py").write_text(FILE.format(**ADAPTIVE) + "NAMES = {'gamma': 'beta'}\n")
    assert cli.main(command) == 2
    assert "pysnn: error: my.py: NAMES: expected parameters of the step" in capsys.readouterr().err


def test_a_layer_that_takes_one_step_is_told_so(tmp_path, capsys):
    """It is not called wrong: given all steps at once, it takes them for samples."""
    (tmp_path / "one.py").write_text("""
import torch

STATE = {"v": 0.0}


def step(state, x, spike, stop, params):
    v = 0.75 * state["v"] + x
    return {"v": v}, v


class Layer(torch.nn.Module):
    def forward(self, x, v=0):
        v = 0.75 * v + x
        return v, v
""")
    assert cli.main(["verify", "--step", f"{tmp_path}/one.py:step", "--module", f"{tmp_path}/one.py:Layer", "--quiet"]) == 2
    assert "write a loop around it" in capsys.readouterr().err
