"""Leaky neurons against the releases that each convention names: spikes equal, gradients of every parameter to 1e-12, in float64.

Nothing here knows an equation of ours: trains come from their neurons, gradients from autograd. Run by `make test-frameworks`.
"""

import importlib
import os

import numpy as np
import pytest

from pysnn.verify.conventions import LEAKY_CONVENTIONS

pytestmark = [pytest.mark.frameworks, pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*")]

GRADIENT = 1e-12       # relative to the largest entry, float64
SHAPE = (12, 3, 5)
BETA, ALPHA, THRESHOLD = 0.8, 0.6, 0.9
NAMES = ("current", "beta", "threshold", "v_init", "alpha", "w_rec")


def needed(name):
    """Import a framework; missing is a reason to skip on a user's machine, and a failure where CI=true."""
    try:
        return importlib.import_module(name)
    except ImportError:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(f"{name} is not installed, and CI=true demands it")
        pytest.skip(f"{name} is not installed")


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


def ours(neuron, name, arrays, parameters, before):
    """Run ours by a convention; before: whether the potentials of the release are those before the reset of its step."""
    convention, (current, dspikes, dv) = LEAKY_CONVENTIONS[name], arrays
    spikes, _, cache = neuron.forward(current, parameters.get("beta", BETA), parameters.get("threshold", THRESHOLD), 0.0, convention.rule,
                                      parameters.get("alpha"), parameters.get("w_rec"))
    assert 0.1 < spikes.mean() < 0.9 and (spikes.any(axis=0) & ~spikes.all(axis=0)).mean() > 0.5
    grads = neuron.backward(dspikes, cache, None, dv if before else None, convention.surrogate, convention.detach_reset)
    other = neuron.backward(dspikes, cache, None, dv if before else None, convention.surrogate, not convention.detach_reset)
    assert np.abs(other.dcurrent - grads.dcurrent).max() > 1e-6 * np.abs(grads.dcurrent).max()          # detached or not makes a difference
    return spikes, neuron.potentials(cache), dict(zip(NAMES, grads, strict=True))


def close(got, wanted):
    assert np.shape(got) == np.shape(wanted) and np.abs(wanted).max() > 0
    assert np.abs(got - wanted).max() <= GRADIENT * np.abs(wanted).max()


# ------------------------------------------------------------------------------------------------------------- snnTorch

SNNTORCH = [name for name in LEAKY_CONVENTIONS if name.startswith("snntorch")]


@pytest.mark.parametrize("name", SNNTORCH)
def test_snntorch(torch, neuron, name):
    """With trained beta, threshold, alpha and recurrent weights; the loss is on spikes and on the potentials that it returns."""
    kind, _, reset = name.removeprefix("snntorch-1.0 ").partition(", ")
    x, w, dspikes, dv = drawn(name)
    rng = np.random.default_rng(1)
    beta, alpha, threshold = rng.uniform(0.5, 0.9, 5), rng.uniform(0.3, 0.8, 5), rng.uniform(0.7, 1.1, 5)
    options = {"beta": torch.tensor(beta), "threshold": torch.tensor(threshold), "learn_beta": True, "learn_threshold": True,
               "reset_mechanism": reset or "subtract", "spike_grad": atan(torch)}
    options |= {"alpha": torch.tensor(alpha), "learn_alpha": True} if kind == "Synaptic" else {}
    options |= {"linear_features": 5} if kind == "RLeaky" else {}
    layer = getattr(needed("snntorch"), kind)(**options).double()
    current = torch.tensor(x, requires_grad=True)
    leaves, mem, spk, syn = {"current": current, "beta": layer.beta, "threshold": layer.threshold}, *(torch.zeros(SHAPE[1:]).double(),) * 3
    given = {"beta": beta, "threshold": threshold}
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
    got, u, grads = ours(neuron, name, (x + bias, dspikes, dv), given, True)
    np.testing.assert_array_equal(got, theirs.spikes)
    np.testing.assert_allclose(u, theirs.potentials, rtol=0, atol=1e-13)
    theirs.grads |= {"w_rec": theirs.grads["w_rec"].T} if kind == "RLeaky" else {}
    for key, wanted in theirs.grads.items():
        close(grads[key], wanted)
    assert len(theirs.grads) == 3 + (kind != "Leaky")


# --------------------------------------------------------------------------------------------------------- SpikingJelly

@pytest.mark.parametrize("detach", [False, True])
@pytest.mark.parametrize("reset", ["zero", "subtract"])
@pytest.mark.parametrize("name", [name for name in LEAKY_CONVENTIONS if name.startswith("spikingjelly")])
def test_spikingjelly(torch, neuron, name, reset, detach, monkeypatch):
    """As they come, and with the other reset; a ParametricLIFNode's parameter is the logit of 1/tau."""
    node_of = needed("spikingjelly.activation_based.neuron")
    kind = name.removeprefix("spikingjelly-2.0 ").partition("(")[0]
    convention = LEAKY_CONVENTIONS[name]
    monkeypatch.setitem(LEAKY_CONVENTIONS, name, convention._replace(rule=convention.rule._replace(reset=reset), detach_reset=detach))
    tau = 1 / (1 - BETA)
    node = getattr(node_of, kind)(**{"init_tau" if kind.startswith("Par") else "tau": tau}, decay_input="False" not in name,
                                  v_threshold=THRESHOLD, v_reset=0.0 if reset == "zero" else None, detach_reset=detach).double()
    x, _, dspikes, dv = drawn(name)
    current = torch.tensor(x, requires_grad=True)
    leaves = {"current": current} | ({"w": node.w} if kind.startswith("Par") else {})
    spikes = [node(x_t) for x_t in current]
    theirs = Theirs(torch, leaves, spikes, [0 * node.v] * len(x), dspikes, dv)
    given = {"beta": 1 - 1 / (1 + np.exp(-node.w.item()))} if kind.startswith("Par") else {}
    got, _, grads = ours(neuron, name, (x, dspikes, dv), given, False)
    np.testing.assert_array_equal(got, theirs.spikes)
    close(grads["current"], theirs.grads["current"])
    if given:
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
    leaves, state, given = {"current": current, "alpha": rates[0], "beta": rates[1]}, None, {"alpha": ALPHA}
    if recurrent:
        cell = norse.LIFRecurrentCell(5, 5, p, input_weights=torch.eye(5).double(), autapses=True, dt=dt,
                                      recurrent_weights=torch.tensor(w.T, requires_grad=True))
        leaves, given = leaves | {"w_rec": cell.recurrent_weights}, given | {"w_rec": w}
        start = torch.zeros(SHAPE[1:]).double()
        state = importlib.import_module("norse.torch.functional.lif").LIFState(start, start, start)
    else:
        cell = norse.LIFCell(p, dt=dt)
    spikes = []
    for x_t in current:
        s, state = cell(x_t, state)
        spikes.append(s)
    theirs = Theirs(torch, leaves, spikes, [0 * state.v] * len(x), dspikes, dv)
    got, _, grads = ours(neuron, name, (x, dspikes, dv), given, False)
    np.testing.assert_array_equal(got, theirs.spikes)
    close(grads["current"], theirs.grads["current"])
    for key in ("alpha", "beta"):
        close(-dt * grads[key], theirs.grads[key])
    if recurrent:
        close(grads["w_rec"], theirs.grads["w_rec"].T)


# ------------------------------------------------------------------------------------------------ a definition, by autograd

def test_spike_test_on_the_old_potential(torch, neuron):
    """SpyTorch is no release but a notebook: its loop as the page describes it, two steps behind ours."""
    convention = LEAKY_CONVENTIONS["spytorch"]
    x, _, dspikes, _ = drawn("spytorch")
    dspikes[:2] = 0                                                      # nothing has arrived yet
    slope = convention.surrogate.slope

    class Fast(torch.autograd.Function):
        @staticmethod
        def forward(ctx, v):
            ctx.save_for_backward(v)
            return (v > 0).to(v.dtype)

        @staticmethod
        def backward(ctx, grad):
            v, = ctx.saved_tensors
            return grad / (slope * v.abs() + 1) ** 2
    current = torch.tensor(x, requires_grad=True)
    i = v = torch.zeros(SHAPE[1:]).double()
    spikes = []
    for x_t in current:
        s = Fast.apply(v - THRESHOLD)
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
    assert named == {name for name in LEAKY_CONVENTIONS if name.startswith(("snntorch", "spikingjelly", "norse"))} and len(named) == 11
