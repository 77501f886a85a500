"""Leaky neurons against the releases that each convention names: spikes equal, gradients of every parameter to 1e-12, in float64.

Nothing here knows an equation of ours: trains come from their neurons, gradients from autograd. Run by `make test-frameworks`.
"""

import importlib

import numpy as np
import pytest

from pysnn.conventions import Rule, Surrogate
from pysnn.verify.conventions import LEAKY_CONVENTIONS
from tests.cases.installed import needed, sigmoid_like

pytestmark = [pytest.mark.frameworks, pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*")]

GRADIENT = 1e-12       # relative to the largest entry, float64
SHAPE = (12, 3, 5)
BETA, ALPHA, THRESHOLD = 0.8, 0.6, 0.9
SURROGATE = Surrogate("fast_sigmoid", 3.0)      # where a release has none of ours
NAMES = ("current", "beta", "threshold", "v_init", "alpha", "w_rec")


@pytest.fixture(params=["reference", "kernels"])
def neuron(request):
    """The leaky neuron, once by each backend."""
    if request.param == "kernels":
        needed("numba")
    return importlib.import_module(f"pysnn.{request.param}.leaky")


def atan(torch):
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


class Theirs:
    """A run of a release: arrays that went in, spikes, potentials that it returns, and gradients by autograd."""

    def __init__(self, torch, leaves, spikes, potentials, dspikes, dv):
        """Pull back <dspikes, spikes> + <dv, potentials>; leaves: name -> tensor."""
        loss = (torch.stack(spikes) * torch.from_numpy(dspikes)).sum() + (torch.stack(potentials) * torch.from_numpy(dv)).sum()
        loss.backward()
        self.spikes = torch.stack(spikes).detach().numpy()
        self.potentials = torch.stack(potentials).detach().numpy()
        self.grads = {name: x.grad.numpy() for name, x in leaves.items()}


def drawn(name):
    """Draw current, recurrent weights and upstream gradients."""
    rng = np.random.default_rng([ord(c) for c in name])
    scale = 1 / (1 - BETA) if LEAKY_CONVENTIONS[name].rule.gain == "1 - beta" else 1
    current = rng.normal(0.25, 0.8, SHAPE) * scale
    return current, rng.normal(0, 0.5, (5, 5)), rng.normal(size=SHAPE), rng.normal(size=SHAPE)


def ours(neuron, convention, arrays, parameters, before):
    """Run ours by a convention; before: whether the potentials of the release are those before the reset of its step."""
    current, dspikes, dv = arrays
    spikes, _, cache = neuron.forward(current, parameters.get("beta", BETA), parameters.get("threshold", THRESHOLD),
                                      parameters.get("v_init", 0.0), convention.rule, parameters.get("alpha"), parameters.get("w_rec"))
    assert 0.1 < spikes.mean() < 0.9 and (spikes.any(axis=0) & ~spikes.all(axis=0)).mean() > 0.5
    grads = neuron.backward(dspikes, cache, None, dv if before else None, convention.surrogate, convention.detach_reset)
    other = neuron.backward(dspikes, cache, None, dv if before else None, convention.surrogate, not convention.detach_reset)
    differ = np.abs(other.dcurrent - grads.dcurrent).max() > 1e-6 * np.abs(grads.dcurrent).max()
    assert differ == (convention.rule.reset != "none")                                                  # detached or not makes a difference
    return spikes, neuron.potentials(cache), dict(zip(NAMES, grads, strict=True))


def close(got, wanted):
    assert np.shape(got) == np.shape(wanted) and np.abs(wanted).max() > 0
    assert np.abs(got - wanted).max() <= GRADIENT * np.abs(wanted).max()


# ------------------------------------------------------------------------------------------------------------- snnTorch

SNNTORCH = [name for name in LEAKY_CONVENTIONS if name.startswith("snntorch")]


@pytest.mark.parametrize("name, reset", [(name, name.partition(", ")[2] or "subtract") for name in SNNTORCH]
                         + [(f"snntorch-1.0 {kind}", "none") for kind in ("Leaky", "RLeaky", "Synaptic")])
def test_snntorch(torch, neuron, name, reset):
    """With trained beta, threshold, alpha and recurrent weights; the loss is on spikes and on the potentials that it returns.

    Without a reset there is one convention more for each kind.
    """
    kind, convention = name.removeprefix("snntorch-1.0 ").partition(", ")[0], LEAKY_CONVENTIONS[name]
    if reset == "none":
        convention = convention._replace(rule=Rule("none", "next", ">"))
    x, w, dspikes, dv = drawn(name)
    rng = np.random.default_rng(1)
    beta, alpha, threshold = rng.uniform(0.5, 0.9, 5), rng.uniform(0.3, 0.8, 5), rng.uniform(0.7, 1.1, 5)
    v_init = rng.uniform(-0.5, 1.4, SHAPE[1:])
    options = {"beta": torch.tensor(beta), "threshold": torch.tensor(threshold), "learn_beta": True, "learn_threshold": True,
               "reset_mechanism": reset, "spike_grad": atan(torch)}
    options |= {"alpha": torch.tensor(alpha), "learn_alpha": True} if kind == "Synaptic" else {}
    options |= {"linear_features": 5} if kind == "RLeaky" else {}
    layer = getattr(needed("snntorch"), kind)(**options).double()
    current = torch.tensor(x, requires_grad=True)
    mem, spk, syn = torch.tensor(v_init, requires_grad=True), *(torch.zeros(SHAPE[1:]).double(),) * 2
    leaves = {"current": current, "beta": layer.beta, "threshold": layer.threshold, "v_init": mem}
    given = {"beta": beta, "threshold": threshold, "v_init": v_init}
    if kind == "RLeaky":
        with torch.no_grad():
            layer.recurrent.weight.copy_(torch.tensor(w.T))
        leaves, given = leaves | {"w_rec": layer.recurrent.weight}, given | {"w_rec": w}
    if kind == "Synaptic":
        leaves, given = leaves | {"alpha": layer.alpha}, given | {"alpha": alpha}
    spikes, potentials = [], []
    for x_t in current:
        if kind == "Leaky":
            spk, mem = layer(x_t, mem)
        elif kind == "RLeaky":
            spk, mem = layer(x_t, spk, mem)
        else:
            spk, syn, mem = layer(x_t, syn, mem)
        spikes.append(spk)
        potentials.append(mem)
    theirs = Theirs(torch, leaves, spikes, potentials, dspikes, dv)
    bias = layer.recurrent.bias.detach().numpy() if kind == "RLeaky" else 0.0
    got, u, grads = ours(neuron, convention, (x + bias, dspikes, dv), given, True)
    np.testing.assert_array_equal(got, theirs.spikes)
    np.testing.assert_allclose(u, theirs.potentials, rtol=0, atol=1e-13)
    theirs.grads |= {"w_rec": theirs.grads["w_rec"].T} if kind == "RLeaky" else {}
    for key, wanted in theirs.grads.items():
        close(grads[key], wanted)
    assert len(theirs.grads) == 4 + (kind != "Leaky")


@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_snntorch_without_delay(torch, neuron, reset):
    """Leaky(reset_delay=False): the reset is in the same step, and part of the graph; while no potential stays above the threshold."""
    convention = LEAKY_CONVENTIONS["snntorch-1.0 Leaky"]._replace(rule=Rule(reset, "same", ">"), detach_reset=False)
    x, _, dspikes, dv = drawn("snntorch-1.0 Leaky")
    x = np.minimum(x, THRESHOLD)
    layer = needed("snntorch").Leaky(beta=torch.tensor(BETA).double(), threshold=torch.tensor(THRESHOLD).double(), learn_beta=True,
                                     reset_mechanism=reset, reset_delay=False, spike_grad=atan(torch)).double()
    current, mem, spikes = torch.tensor(x, requires_grad=True), torch.zeros(SHAPE[1:]).double(), []
    for x_t in current:
        spk, mem = layer(x_t, mem)
        spikes.append(spk)
    theirs = Theirs(torch, {"current": current, "beta": layer.beta}, spikes, [0 * mem] * len(x), dspikes, dv)
    beta = float(layer.beta.detach())
    got, _, grads = ours(neuron, convention, (x, dspikes, dv), {"beta": beta, "threshold": float(layer.threshold)}, False)
    np.testing.assert_array_equal(got, theirs.spikes)
    close(grads["current"], theirs.grads["current"])
    close(grads["beta"], theirs.grads["beta"])


# --------------------------------------------------------------------------------------------------------- SpikingJelly

@pytest.mark.parametrize("detach", [False, True])
@pytest.mark.parametrize("reset", ["zero", "subtract"])
@pytest.mark.parametrize("name", [name for name in LEAKY_CONVENTIONS if name.startswith("spikingjelly")])
def test_spikingjelly(torch, neuron, name, reset, detach):
    """As they come, and with the other reset; a ParametricLIFNode's parameter is the logit of 1/tau."""
    node_of = needed("spikingjelly.activation_based.neuron")
    kind = name.removeprefix("spikingjelly-2.0 ").partition("(")[0]
    convention = LEAKY_CONVENTIONS[name]
    convention = convention._replace(rule=convention.rule._replace(reset=reset), detach_reset=detach)
    tau = 1 / (1 - BETA)
    node = getattr(node_of, kind)(**{"init_tau" if kind.startswith("Par") else "tau": tau}, decay_input="False" not in name,
                                  v_threshold=THRESHOLD, v_reset=0.0 if reset == "zero" else None, detach_reset=detach).double()
    x, _, dspikes, dv = drawn(name)
    current, v_init = torch.tensor(x, requires_grad=True), np.random.default_rng(1).uniform(-0.5, 0.8, SHAPE[1:])
    node.v = start = torch.tensor(v_init, requires_grad=True)
    leaves = {"current": current, "v_init": start} | ({"w": node.w} if kind.startswith("Par") else {})
    spikes = [node(x_t) for x_t in current]
    theirs = Theirs(torch, leaves, spikes, [0 * node.v] * len(x), dspikes, dv)
    given = {"v_init": v_init} | ({"beta": 1 - 1 / (1 + np.exp(-node.w.item()))} if kind.startswith("Par") else {})
    got, _, grads = ours(neuron, convention, (x, dspikes, dv), given, False)
    np.testing.assert_array_equal(got, theirs.spikes)
    close(grads["current"], theirs.grads["current"])
    close(grads["v_init"], theirs.grads["v_init"])
    if "beta" in given:
        close(-grads["beta"] * given["beta"] * (1 - given["beta"]), theirs.grads["w"])


# ---------------------------------------------------------------------------------------------------------------- Norse

@pytest.mark.parametrize("recurrent", [False, True])
def test_norse(torch, neuron, recurrent):
    """Euler steps of two states; with recurrent weights the reset is detached, without it is not."""
    norse, dt = needed("norse.torch"), 0.01
    name = f"norse-1.1 {'LIFRecurrentCell' if recurrent else 'LIFCell'}"
    x, w, dspikes, dv = drawn(name)
    rates = [torch.tensor((1 - decay) / dt, dtype=torch.float64, requires_grad=True) for decay in (ALPHA, BETA)]
    numbers = [torch.tensor(a, dtype=torch.float64) for a in (0.0, THRESHOLD, 0.0, 100.0)]
    p = norse.LIFParameters(*rates, *numbers[:3], "super", numbers[3])
    current = torch.tensor(x, requires_grad=True)
    v_init, lif = np.random.default_rng(1).uniform(-0.5, 0.8, SHAPE[1:]), importlib.import_module("norse.torch.functional.lif")
    start, zero = torch.tensor(v_init, requires_grad=True), torch.zeros(SHAPE[1:]).double()
    leaves, given = {"current": current, "alpha": rates[0], "beta": rates[1], "v_init": start}, {"alpha": ALPHA, "v_init": v_init}
    if recurrent:
        cell = norse.LIFRecurrentCell(5, 5, p, input_weights=torch.eye(5).double(), autapses=True, dt=dt,
                                      recurrent_weights=torch.tensor(w.T, requires_grad=True))
        leaves, given = leaves | {"w_rec": cell.recurrent_weights}, given | {"w_rec": w}
        state = lif.LIFState(zero, start, zero)
    else:
        cell, state = norse.LIFCell(p, dt=dt), lif.LIFFeedForwardState(start, zero)
    spikes = []
    for x_t in current:
        s, state = cell(x_t, state)
        spikes.append(s)
    theirs = Theirs(torch, leaves, spikes, [0 * state.v] * len(x), dspikes, dv)
    got, _, grads = ours(neuron, LEAKY_CONVENTIONS[name], (x, dspikes, dv), given, False)
    np.testing.assert_array_equal(got, theirs.spikes)
    for key in ("current", "v_init"):
        close(grads[key], theirs.grads[key])
    for key in ("alpha", "beta"):
        close(-dt * grads[key], theirs.grads[key])
    if recurrent:
        close(grads["w_rec"], theirs.grads["w_rec"].T)


# --------------------------------------------------------------------------------------------------- Sinabs and Rockpool

def fires_once(torch, names):
    """Return a spike in float64 with the surrogate of SURROGATE, for a release that gives it potential, threshold and `names` more."""
    class Once(torch.autograd.Function):
        @staticmethod
        def forward(ctx, v, threshold, *rest):
            ctx.save_for_backward(v - threshold)
            return (v >= threshold).to(v.dtype)

        @staticmethod
        def backward(ctx, grad):
            v, = ctx.saved_tensors
            return grad / (1 + SURROGATE.slope * v.abs()) ** 2, None, *(None,) * names
    return Once


@pytest.mark.parametrize("name", [name for name in LEAKY_CONVENTIONS if name.startswith("sinabs")])
def test_sinabs(torch, neuron, name):
    """With trained time constants; a synapse lets the input decay once before it acts."""
    spike = fires_once(torch, 1)
    spike.required_states = ["v_mem"]
    convention, synapse = LEAKY_CONVENTIONS[name]._replace(surrogate=SURROGATE), "tau_syn" in name
    x, _, dspikes, dv = drawn(name)
    layer = needed("sinabs.layers").LIF(-1 / np.log(BETA), -1 / np.log(ALPHA) if synapse else None,
                                        torch.tensor(THRESHOLD, dtype=torch.float64), spike, norm_input=not synapse).double()
    layer.init_state_with_shape(SHAPE[1:])
    layer.double()                                                       # the state, too
    v_init = np.random.default_rng(1).uniform(-0.5, 0.8, SHAPE[1:])
    current, layer.v_mem = torch.tensor(x, requires_grad=True), torch.tensor(v_init, requires_grad=True)
    leaves = {"current": current, "v_init": layer.v_mem, "tau_mem": layer.tau_mem} | ({"tau_syn": layer.tau_syn} if synapse else {})
    spikes = list(layer(current.transpose(0, 1)).transpose(0, 1))
    theirs = Theirs(torch, leaves, spikes, [0 * layer.v_mem] * len(x), dspikes, dv)
    beta, alpha = (np.exp(-1 / tau.item()) if tau is not None else None for tau in (layer.tau_mem, layer.tau_syn))
    given = {"beta": beta, "alpha": alpha, "v_init": v_init}
    got, _, grads = ours(neuron, convention, (x * (alpha or 1), dspikes, dv), given, False)
    np.testing.assert_array_equal(got, theirs.spikes)
    close(grads["current"] * (alpha or 1), theirs.grads["current"])
    close(grads["v_init"], theirs.grads["v_init"])
    close(grads["beta"] * beta / layer.tau_mem.item() ** 2, theirs.grads["tau_mem"])
    if synapse:
        close((grads["alpha"] + (grads["current"] * x).sum()) * alpha / layer.tau_syn.item() ** 2, theirs.grads["tau_syn"])


@pytest.mark.parametrize("recurrent", [False, True])
def test_rockpool(torch, neuron, recurrent):
    """With trained time constants and recurrent weights; input and recurrent weights decay once before they act."""
    convention, dt = LEAKY_CONVENTIONS["rockpool-3.1 LIFTorch"]._replace(surrogate=SURROGATE), 0.001
    x, w, dspikes, dv = drawn("rockpool-3.1 LIFTorch")
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)                               # its arrays of zeros are of this type
    try:
        layer = needed("rockpool.nn.modules").LIFTorch(
            5, tau_mem=-dt / np.log(BETA), tau_syn=-dt / np.log(ALPHA), threshold=torch.full((5,), THRESHOLD), bias=torch.zeros(5),
            spike_generation_fn=fires_once(torch, 2), max_spikes_per_dt=torch.tensor(1.0), dt=dt, has_rec=recurrent,
            **({"w_rec": torch.tensor(w)} if recurrent else {})).double()
        current = torch.tensor(x, requires_grad=True)
        spikes = list(layer(current.transpose(0, 1))[0].transpose(0, 1))
    finally:
        torch.set_default_dtype(before)
    leaves = {"current": current, "tau_mem": layer.tau_mem, "tau_syn": layer.tau_syn} | ({"w_rec": layer.w_rec} if recurrent else {})
    theirs = Theirs(torch, leaves, spikes, [0 * current[0]] * len(x), dspikes, dv)
    tau_mem, tau_syn = (tau.detach().numpy() for tau in (layer.tau_mem, layer.tau_syn))
    beta, alpha = float(np.exp(-dt / tau_mem)), float(np.exp(-dt / tau_syn))
    w = layer.w_rec.detach().numpy().astype(float)
    given = {"beta": beta, "alpha": alpha, "threshold": layer.threshold.detach().numpy()} | ({"w_rec": alpha * w} if recurrent else {})
    got, _, grads = ours(neuron, convention, (alpha * x, dspikes, dv), given, False)
    np.testing.assert_array_equal(got, theirs.spikes)
    close(alpha * grads["current"], theirs.grads["current"])
    close(grads["beta"] * beta * dt / tau_mem ** 2, theirs.grads["tau_mem"])
    decays = grads["alpha"] + (grads["current"] * x).sum() + ((grads["w_rec"] * w).sum() if recurrent else 0)
    close(decays * alpha * dt / tau_syn ** 2, theirs.grads["tau_syn"])
    if recurrent:
        close(alpha * grads["w_rec"], theirs.grads["w_rec"])


# ------------------------------------------------------------------------------------------------ a definition, by autograd

def test_spike_test_on_the_old_potential(torch, neuron):
    """SpyTorch is no release but a notebook: its loop as the page describes it, two steps behind ours."""
    convention = LEAKY_CONVENTIONS["spytorch"]
    x, _, dspikes, _ = drawn("spytorch")
    dspikes[:2] = 0                                                      # nothing has arrived yet
    fires = sigmoid_like(torch, convention.surrogate.slope)
    current = torch.tensor(x, requires_grad=True)
    i = v = torch.zeros(SHAPE[1:]).double()
    spikes = []
    for x_t in current:
        s = fires(v - THRESHOLD)
        i, v = ALPHA * i + x_t, (BETA * v + i) * (1 - s.detach())
        spikes.append(s)
    (torch.stack(spikes) * torch.from_numpy(dspikes)).sum().backward()
    got, _, cache = neuron.forward(x, BETA, THRESHOLD, 0.0, convention.rule, ALPHA)
    np.testing.assert_array_equal(got[:-2], torch.stack(spikes[2:]).detach().numpy())
    assert 0.1 < got.mean() < 0.9
    upstream = np.concatenate([dspikes[2:], np.zeros_like(dspikes[:2])])
    close(neuron.backward(upstream, cache, surrogate=convention.surrogate, detach_reset=True).dcurrent, current.grad.numpy())


def test_every_release_that_is_said_to_be_run_is_run():
    named = {name for name, convention in LEAKY_CONVENTIONS.items() if convention.ran}
    assert named == set(LEAKY_CONVENTIONS) - {"spytorch"} and len(named) == 14
