"""`identify` names the leaky neurons of the releases: leak, gain, reset, comparison, surrogate, and recurrent weights.

Run by `make test-frameworks`.
"""


import numpy as np
import pytest

from pysnn.conventions import Rule, Surrogate
from pysnn.verify.conventions import LEAKY_CONVENTIONS
from pysnn.verify.frameworks import adapters
from pysnn.verify.frameworks import neurons as release
from pysnn.verify.identify import identify
from pysnn.verify.witness.surrogates import Shape
from tests.cases.installed import needed, sigmoid_like

pytestmark = [pytest.mark.frameworks, pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*")]

W_REC = np.random.default_rng(0).normal(0, 0.5, (3, 3))


@pytest.fixture(autouse=True)
def _torch(torch):
    """All need PyTorch."""


def named(layer, name, beta, alpha=None, n=None, miss=1e-12, **change):
    """See that a layer has the name of a convention, in which some words may be others; return what was found."""
    found = identify(layer, change.pop("threshold", 1.0), n)
    rule, surrogate, detach, *_ = LEAKY_CONVENTIONS[name]
    rule = rule._replace(**{key: change.pop(key) for key in list(change) if key in Rule._fields})
    surrogate, detach = change.get("surrogate", surrogate), change.get("detach", detach)
    assert found.convention is not None, str(found)
    assert (found.convention.rule, found.convention.surrogate, found.convention.detach_reset) == (rule, surrogate, detach), str(found)
    assert abs(found.convention.beta - beta) <= miss and abs((found.convention.alpha or 0) - (alpha or 0)) <= miss, str(found)
    if LEAKY_CONVENTIONS[name][:3] == (rule, surrogate, detach):
        assert name in found.evidence["presets"]
    return found


# snnTorch turns its numbers into float32, and its surrogates compute in float32; potentials are float64
BETA, ALPHA = (float(np.float32(x)) for x in (0.9, 0.7))


@pytest.mark.parametrize("reset, name", [("subtract", ""), ("zero", ", zero")])
@pytest.mark.parametrize("kind", ["Leaky", "RLeaky", "Synaptic"])
def test_snntorch(kind, reset, name):
    needed("snntorch")
    make = {"Leaky": lambda **how: release.snntorch_leaky(beta=0.9, **how),
            "RLeaky": lambda **how: release.snntorch_rleaky(W_REC, 0.9, **how),
            "Synaptic": lambda **how: release.snntorch_synaptic(0.7, 0.9, **how)}[kind]
    n = len(W_REC) if kind == "RLeaky" else None
    found = named(make(reset=reset), f"snntorch-1.0 {kind}{name}", BETA, ALPHA if kind == "Synaptic" else None, n)
    steep = named(make(reset=reset, threshold=0.75, surrogate=needed("snntorch.surrogate").fast_sigmoid(slope=10)),
                  f"snntorch-1.0 {kind}{name}", BETA, ALPHA if kind == "Synaptic" else None, n, threshold=0.75,
                  surrogate=Surrogate("fast_sigmoid", 10.0))
    for one in (found, steep):
        if kind == "RLeaky":                                             # with reset to zero, a gradient in float32 shows its diagonal
            np.testing.assert_allclose(one.convention.w_rec, W_REC, rtol=0, atol=1e-6 if reset == "zero" else 1e-11)


@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_snntorch_without_delay(reset):
    needed("snntorch")
    found = named(release.snntorch_leaky(beta=0.9, reset=reset, reset_delay=False), "snntorch-1.0 Leaky", BETA, reset=reset, timing="same",
                  order="reset first", detach=False)
    assert (found.evidence["large currents"] == "differ") == (reset == "subtract")


def test_snntorch_without_reset():
    needed("snntorch")
    named(release.snntorch_leaky(beta=0.9, reset="none"), "snntorch-1.0 Leaky", BETA, reset="none", timing="same", order="reset first")


def test_snntorch_clamps_beta():
    """With a beta of 1.2 it is an integrate-and-fire neuron."""
    needed("snntorch")
    assert "snntorch-1.0" in identify(release.snntorch_leaky(beta=1.2)).evidence["presets"]


@pytest.mark.parametrize("detach", [False, True])
@pytest.mark.parametrize("reset", ["zero", "subtract"])
@pytest.mark.parametrize("name, kind, how", [
    ("spikingjelly-2.0 LIFNode", "LIFNode", {"tau": 5.0}),
    ("spikingjelly-2.0 LIFNode(decay_input=False)", "LIFNode", {"tau": 5.0, "decay_input": False}),
    ("spikingjelly-2.0 ParametricLIFNode", "ParametricLIFNode", {"init_tau": 5.0})])
def test_spikingjelly(name, kind, how, reset, detach):
    needed("spikingjelly.activation_based.neuron")
    miss = 1e-12 if kind == "LIFNode" else 1e-7                          # the logit of 1/tau is a float32
    found = named(release.spikingjelly_lif(kind, 1.0, reset, detach, **how), name, 0.8, reset=reset, detach=detach, miss=miss)
    assert found.evidence["precision"] == "float64" and found.evidence["gradient error"] <= 1e-12


def test_spikingjelly_that_rests_at_another_potential(torch):
    """A reset to 0.25, where it also rests, is a reset to zero of potentials that are shifted; the threshold is the distance."""
    neuron = needed("spikingjelly.activation_based.neuron")
    layer = adapters.from_torch(neuron.LIFNode(tau=5.0, v_reset=0.25, step_mode="m"))
    named(layer, "spikingjelly-2.0 LIFNode", 0.8, threshold=0.75)


@pytest.mark.parametrize("w_rec", [None, W_REC])
def test_norse(w_rec):
    needed("norse.torch")
    name, n = ("norse-1.1 LIFCell", None) if w_rec is None else ("norse-1.1 LIFRecurrentCell", len(w_rec))
    found = named(release.norse_lif(w_rec, tau_mem_inv=100.0, tau_syn_inv=200.0), name, 0.9, 0.8, n)
    assert found.evidence["precision"] == "float64"
    if n:
        np.testing.assert_allclose(found.convention.w_rec, w_rec, rtol=0, atol=1e-11)


@pytest.mark.parametrize("name, tau_syn", [("sinabs-3.1 LIF", None), ("sinabs-3.1 LIF(norm_input=False), tau_syn", 5.0)])
def test_sinabs(name, tau_syn):
    """With a surrogate of ours, and with its own, which has a shape of the witnesses."""
    needed("sinabs.layers")
    make = {"tau_mem": 10.0, "tau_syn": tau_syn, "norm_input": tau_syn is None}
    found = named(release.sinabs_lif(**make, surrogate=lambda v, threshold: 1 / (1 + 10 * (v - threshold).abs()) ** 2), name, np.exp(-0.1),
                  None if tau_syn is None else np.exp(-0.2), surrogate=Surrogate("fast_sigmoid", 10.0))
    assert found.convention.scale == pytest.approx(1.0 if tau_syn is None else np.exp(-0.2), abs=1e-12)
    own = identify(release.sinabs_lif(**make))
    assert own.convention.surrogate == Shape("exponential", 2.0, 2.0) and not own.convention.detach_reset
    assert own.evidence["reset"] == "subtract" and own.evidence["beta"] == pytest.approx(np.exp(-0.1), abs=1e-12)


@pytest.mark.parametrize("w_rec", [None, W_REC])
def test_rockpool(torch, w_rec):
    needed("rockpool.nn.modules")

    class Once(torch.autograd.Function):
        @staticmethod
        def forward(ctx, v, threshold, window, most):
            ctx.save_for_backward(v - threshold)
            return (v >= threshold).to(v.dtype)

        @staticmethod
        def backward(ctx, grad):
            v, = ctx.saved_tensors
            return grad / (1 + 10 * v.abs()) ** 2, None, None, None
    more = {} if w_rec is None else {"has_rec": True, "w_rec": torch.tensor(w_rec)}
    layer = release.rockpool_lif(3, Once, tau_mem=0.01, tau_syn=0.005, **more)
    found = named(layer, "rockpool-3.1 LIFTorch", np.exp(-0.1), np.exp(-0.2), 3, miss=1e-7, surrogate=Surrogate("fast_sigmoid", 10.0))
    assert found.convention.scale == pytest.approx(found.convention.alpha, abs=1e-12)
    if w_rec is not None:
        np.testing.assert_allclose(found.convention.w_rec, found.convention.alpha * w_rec, rtol=0, atol=1e-6)


def test_spytorch(torch):
    """Its loop as the page of conventions describes it: two steps late, and ours without these steps."""
    fires = sigmoid_like(torch, 100)

    def run(x):
        i = v = torch.zeros_like(x[0])
        spikes = []
        for x_t in x:
            s = fires(v - 1)
            i, v = 0.6 * i + x_t, (0.8 * v + i) * (1 - s.detach())
            spikes.append(s)
        return torch.stack(spikes)
    layer = adapters.from_torch(run)
    found = identify(layer)
    assert found.convention is None and found.evidence["steps late"] == 2 and "2 steps late" in found.why[-1]

    def padded(x, before, after):
        return np.pad(x, [(before, after), (0, 0), (0, 0)])
    earlier = adapters.BlackBox(lambda x: layer.forward(padded(x, 0, 2))[2:], lambda x, d: layer.vjp(padded(x, 0, 2), padded(d, 2, 0))[:-2])
    named(earlier, "spytorch", 0.8, 0.6)
