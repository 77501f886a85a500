"""What snnTorch 1.0.0 does differently, each with a page in docs/findings; and Leaky and RLeaky as a positive control."""

import contextlib
import io
import warnings
from itertools import product

import numpy as np

from ..identify import identify
from ._duals import gradients, miss, spike, unrolled
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


# ------------------------------------------------------------------------------------------------------------ states and resets

def _slstm():
    """A second step from the state of the first, and the same step from rest."""
    torch, kind = needed("torch"), needed("snntorch").SLSTM
    forgets = {}
    for n_in in (4, 3):
        torch.manual_seed(0)
        cell, first, second, rest = kind(n_in, 4), torch.randn(1, n_in), torch.randn(1, n_in), torch.zeros(1, 4)
        _, *state = cell(first, rest, rest.clone())
        forgets[n_in] = bool(torch.equal(cell(second, *state)[2], cell(second, rest, rest.clone())[2]))
    shown = ", ".join(f"{n_in} inputs: {'as from rest' if same else 'another'}" for n_in, same in forgets.items())
    return Observation(forgets == {4: False, 3: True}, 8, None, f"4 hidden neurons, potential of the second step, {shown}")


def _rsynaptic():
    torch, kind = needed("torch"), needed("snntorch").RSynaptic
    after = []
    for delay in (True, False):
        cell, rest = kind(alpha=0.5, beta=0.9, all_to_all=False, V=0.0, reset_delay=delay), torch.zeros(1, 1)
        after.append(cell(torch.full((1, 1), 1.5), rest, rest.clone(), rest.clone())[2].item())
    own = kind(alpha=0.5, beta=0.9, all_to_all=False, V=0.0, reset_delay=False, init_hidden=True)
    try:
        own(torch.full((1, 1), 1.5))
        raised = ""
    except TypeError as error:
        raised = str(error)
    return Observation(after[0] == after[1] == 1.5 and "NoneType" in raised, 3, None,
                       f"potential after a spike at 1.5: {after[0]:g} with delay, {after[1]:g} without; init_hidden=True: "
                       + ("TypeError" if raised else "runs"))


def _inhibition():
    torch = needed("torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)                       # it says that this is unstable
        cell = needed("snntorch").Leaky(beta=1.0, inhibition=True)
    spikes, v = cell(torch.tensor([[2.25, 1.5, 0.5]]), torch.zeros(1, 3))
    after = cell(torch.zeros(1, 3), v)[1]
    seen = spikes[0].tolist(), after[0].tolist()
    return Observation(seen == ([1, 0, 0], [1.25, 0.5, 0.5]), 3, None, f"spikes {seen[0]} of potentials [2.25, 1.5, 0.5], then {seen[1]}")


def _lapicque():
    torch = needed("torch")
    cell = needed("snntorch").Lapicque(beta=0.9, learn_beta=True)

    def run():
        return cell(torch.full((1, 1), 0.5), torch.full((1, 1), 0.5))[1].sum()
    before = run()
    before.backward()
    with torch.no_grad():
        cell.beta.fill_(0.5)
    after = run()
    try:
        after.backward()
        raised = False
    except RuntimeError:
        raised = True
    shown = f"potential {before.item():.4g} with beta 0.9, {after.item():.4g} with 0.5; a second backward {'raises' if raised else 'runs'}"
    return Observation(before.item() == after.item() and raised, 2, None, shown)


def _alpha():
    try:
        needed("snntorch").Alpha(alpha=0.9, beta=0.8, learn_alpha=True)
    except TypeError as error:
        return Observation(True, 1, None, f"TypeError: {str(error)[:60]}")
    return Observation(False, 1, None, "it can be made")


# -------------------------------------------------------------------------------------------------- neurons without a loop over time

def _graded():
    torch, snn = needed("torch"), needed("snntorch")
    graded = snn.StateLeaky(beta=0.5, channels=1, graded_spikes_factor=2.0)(torch.full((1, 1, 1), 5.0))[0].item()
    leaky = snn.Leaky(beta=0.5, graded_spikes_factor=2.0)(torch.full((1, 1), 5.0), torch.zeros(1, 1))[0].item()
    return Observation((graded, leaky) == (4, 2), 2, None, f"with a factor of 2 StateLeaky gives {graded:g}, Leaky {leaky:g}")


def _decay():
    torch = needed("torch")
    x = torch.zeros(3, 1, 1)
    x[0] = 1
    v = needed("snntorch").StateLeaky(beta=0.5, channels=1)(x)[1].ravel().tolist()
    return Observation(bool(np.allclose(v, np.exp([0, -0.5, -1]), rtol=1e-6)), 3, None,
                       f"beta 0.5: a current of 1 leaves {', '.join(f'{a:.4g}' for a in v)}, that is exp(beta - 1) a step")


def _associative():
    """All decays 1/2, all writes 1: the state is 2 in the end."""
    torch = needed("torch")
    cell = needed("snntorch._neurons.associative").AssociativeLeaky(1, 1, 1, 1, use_q_projection=False).double()
    cell.output = False                                                        # the state, not spikes
    for part, number in ((cell.to_v, 1.0), (cell.to_k, 1.0), (cell.to_alpha, 0.0)):
        torch.nn.init.zeros_(part.weight)
        torch.nn.init.constant_(part.bias, number)
    with torch.no_grad():
        got = cell(torch.zeros(80, 1, 1, dtype=torch.float64)).flatten().tolist()
    return Observation(abs(got[10] / 2 - 1) < 1e-3 and got[79] < 1e-6, 80, 1 - got[79] / 2, "writes of 1, decay 1/2, so the state is "
                       f"2 from step 10 on; it gives {got[10]:.4g} at step 10, {got[26]:.3g} at step 26, {got[30]:.2g} at step 30, "
                       f"{got[79]:.1g} at step 79", "step 20")


# ------------------------------------------------------------------------------------------------------------------- surrogates

def _slopes(surrogate, x):
    """Return the gradient at distances from the threshold."""
    torch = needed("torch")
    x = torch.tensor(x, requires_grad=True)
    return torch.autograd.grad(surrogate(x).sum(), x)[0].tolist()


def _escape():
    x = [-2.0, -1.0, 0.0, 1.0, 2.0]
    got = _slopes(needed("snntorch.surrogate").spike_rate_escape(beta=1, slope=1), x)
    return Observation(x[int(np.argmax(got))] == 1, len(x), None,
                       f"gradients {[round(g, 4) for g in got]} at U - threshold = {x}: the peak is at {x[int(np.argmax(got))]:g}")


def _sfs():
    x = [-1.5, -0.5, -0.1, 0.1, 0.5, 1.5]
    got = _slopes(needed("snntorch.surrogate").SFS(), x)
    return Observation(not any(got[:5]) and got[5] > 0, len(x), None, f"gradients {[round(g, 5) for g in got]} at U - threshold = {x}")


def _lso():
    try:
        _slopes(needed("snntorch.surrogate").LSO(), [0.5])
    except TypeError as error:
        return Observation(True, 1, None, f"TypeError: {str(error)[-60:]}")
    return Observation(False, 1, None, "it runs")


# -------------------------------------------------------------------------------------------------------------------- control

def _step(reset, delay, recurrent):
    """One step as snnTorch documents it: the reset of the last spike, detached, at the beginning of the step or at its end."""
    def step(state, current, beta, threshold, *weight):
        v, s = state
        fired = (v.value > threshold.value) * 1.0
        current = current + weight[0] * s if recurrent else current
        if reset == "zero":
            new = (beta * v + current) * (1 - fired) if recurrent else beta * (v * (1 - fired)) + current
        else:
            new = beta * v + current - (threshold * fired if reset == "subtract" else 0)
        out = spike(new - threshold, lambda u: 1 / (1 + (np.pi * u) ** 2), np.greater)
        if not delay and reset != "none":
            rest = out - fired
            new = new - rest * (threshold if reset == "subtract" else new)
        return (new, out), out
    return step


def _leaky_node(recurrent, reset, delay):
    options = {"beta": 0.9, "threshold": 0.8, "learn_beta": True, "learn_threshold": True, "reset_mechanism": reset, "reset_delay": delay}
    snn = needed("snntorch")
    return snn.RLeaky(V=0.4, all_to_all=False, learn_recurrent=True, **options) if recurrent else snn.Leaky(**options)


def _leaky():
    """Leaky and RLeaky, three resets, with and without delay: spikes, and gradients of the current and of all parameters."""
    torch, rng, worst, n, alive = needed("torch"), np.random.default_rng(0), 0.0, 0, True
    down, x = rng.normal(size=(8, 2, 3)), rng.normal(0.5, 0.9, (8, 2, 3)).astype(np.float32).astype(float)
    for recurrent, reset, delay in product((False, True), ("subtract", "zero", "none"), (True, False)):
        node = _leaky_node(recurrent, reset, delay)
        params = [node.beta, node.threshold] + ([node.recurrent.V] if recurrent else [])
        xt, state, spikes = torch.tensor(x, dtype=torch.float32, requires_grad=True), (torch.zeros(2, 3),) * (1 + recurrent), []
        for x_t in xt:
            s, *state = node(x_t, *state)
            state = [s, *state][-1 - recurrent:]
            spikes.append(s)
        y = torch.stack(spikes)
        got = [g.numpy().reshape(np.shape(g) if g.ndim == 3 else -1)
               for g in torch.autograd.grad(y, [xt, *params], torch.tensor(down, dtype=torch.float32))]
        numbers = [p.detach().double().numpy().reshape(-1) for p in params]
        ref, grads = gradients(unrolled(_step(reset, delay, recurrent), 2), [x, *numbers], down)
        same = np.array_equal(y.detach().numpy(), ref)
        alive &= 0 < ref.mean() < 1
        worst, n = max(worst, miss(got, grads) if same else np.inf), n + ref.size
    return Observation(worst <= 1e-5 and bool(alive), n, worst, f"12 settings, spikes equal, gradients within {worst:.1g}, float32")


def _nir_recurrent():
    """Neuron 1 gets the current, and excites neuron 0 by recurrent weights."""
    torch, nir, ones = needed("torch"), needed("nir"), np.ones(2)
    nodes = {"input": nir.Input({"input": np.array([2])}), "output": nir.Output({"output": np.array([2])}),
             "lif": nir.LIF(tau=2e-4 * ones, r=2 * ones, v_leak=0 * ones, v_threshold=ones),
             "rec": nir.Linear(np.array([[0.0, 3.0], [0, 0]]))}
    edges = [("input", "lif"), ("lif", "rec"), ("rec", "lif"), ("lif", "output")]
    with contextlib.redirect_stdout(io.StringIO()):
        net = needed("snntorch.import_nir").import_from_nir(nir.NIRGraph(nodes=nodes, edges=edges))
    fired = net(torch.tensor([[0.0, 2.0]]), None)[0].flatten().tolist()
    return Observation(fired == [1, 0], 2, None, f"a current into neuron 1 alone: spikes {fired} instead of [0.0, 1.0]")


CASES = (
    _case("snntorch-float64", "precision", "float64 in, float32 spikes out", _downcast),
    _case("snntorch-sigmoid-nan", "bug", "the gradient of surrogate.sigmoid(25) is NaN well below the threshold", _nan),
    _case("snntorch-reset-delay", "bug", "Leaky(reset_delay=False) keeps a potential above the threshold without firing", _stuck),
    _case("snntorch-slstm-state", "bug", "SLSTM throws its state away where it has other numbers of inputs and of neurons", _slstm),
    _case("snntorch-rsynaptic-reset-delay", "bug", "RSynaptic(reset_delay=False) resets as with delay, or raises", _rsynaptic),
    _case("snntorch-inhibition", "bug", "Leaky(inhibition=True) resets neurons that did not fire", _inhibition),
    _case("snntorch-lapicque-beta", "bug", "Lapicque(learn_beta=True) computes with the first beta for ever", _lapicque),
    _case("snntorch-alpha-learn", "bug", "Alpha(learn_alpha=True) cannot be made", _alpha),
    _case("snntorch-stateleaky-graded", "bug", "StateLeaky applies graded_spikes_factor twice", _graded),
    _case("snntorch-stateleaky-decay", "convention", "StateLeaky leaks by exp(beta - 1) a step, Leaky by beta", _decay),
    _case("snntorch-associative", "bug", "the state of AssociativeLeaky dies out after some 25 steps", _associative),
    _case("snntorch-spike-rate-escape", "bug", "the surrogate spike_rate_escape has its peak one above the threshold", _escape),
    _case("snntorch-sfs", "different definition", "the surrogate SFS has no gradient near the threshold, nor below it", _sfs),
    _case("snntorch-lso", "bug", "the surrogate LSO raises", _lso),
    _case("snntorch-at-threshold", "convention", "no spike at u == threshold, where its documentation has one", _at_threshold),
    _case("snntorch-nir-recurrent", "bug", "import_from_nir leads the input through the recurrent weights", _nir_recurrent),
    _case("snntorch-conventions", "convention", "its six settings of the reset have names, but for reset none", _conventions, page=False),
    _case("snntorch-leaky", "positive control", "Leaky and RLeaky agree with their equations in 12 settings", _leaky, page=False),
)
"""Eighteen cases."""
