"""Layers as black boxes: what goes in and comes out, what a missing framework says, and which conventions the releases follow."""

import subprocess
import sys

import numpy as np
import pytest

from pysnn.conventions import CONVENTIONS, Convention, Rule, Surrogate
from pysnn.verify.frameworks import adapters
from pysnn.verify.frameworks import neurons as adapters_ready
from pysnn.verify.gradcheck import gradcheck
from pysnn.verify.identify import identify
from pysnn.verify.witness.surrogates import Shape
from tests.cases.installed import needed

TORCH = [pytest.mark.frameworks, pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*")]
FRAMEWORKS = {"torch", "spikingjelly", "snntorch", "norse", "jax", "exact_snn", "exact_event_adjoint"}
CURRENT = np.random.default_rng(0).integers(-8, 13, (7, 5, 3)) / 8


# -------------------------------------------------------------------------------------------------------- no framework needed

def test_frameworks_are_loaded_on_use_only():
    modules = ("adapters", "identify", "findings")
    code = f"import sys; {'; '.join(f'import pysnn.verify.{m}' for m in modules)}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert "pysnn.verify.frameworks.findings" in loaded and not (FRAMEWORKS | {"mpmath", "matplotlib", "numba"}) & loaded


@pytest.mark.parametrize("name", [*adapters.INSTALL, "snntorch.surrogate"])
def test_a_missing_framework_says_what_to_install(monkeypatch, name):
    def missing(wanted):
        raise ModuleNotFoundError(f"No module named {wanted!r}")
    monkeypatch.setattr(adapters.importlib, "import_module", missing)
    with pytest.raises(ImportError, match=r"is not installed.*pip install") as raised:
        adapters.needed(name)
    assert "\n" not in str(raised.value) and adapters.INSTALL[name.split(".")[0]] in str(raised.value)


@pytest.mark.parametrize("make", [
    adapters_ready.spikingjelly_if, adapters_ready.snntorch_leaky, adapters_ready.norse_if, lambda: adapters.from_torch(None),
    adapters_ready.spikingjelly_lif, lambda: adapters_ready.snntorch_synaptic(0.8, 0.9), lambda: adapters_ready.snntorch_rleaky([[0]], 0.9),
    adapters_ready.norse_lif, lambda: adapters_ready.sinabs_lif(10.0), lambda: adapters_ready.rockpool_lif(3),
    lambda: adapters.from_jax(None), lambda: adapters.torch_operation(None), lambda: adapters_ready.exact_snn_linear(2, 2),
    lambda: adapters_ready.exact_event_adjoint_linear(2, 2)])
def test_ready_layers_need_their_framework(monkeypatch, make):
    def missing(wanted):
        raise ModuleNotFoundError(f"No module named {wanted!r}")
    monkeypatch.setattr(adapters.importlib, "import_module", missing)
    with pytest.raises(ImportError, match="pip install"):
        make()


@pytest.mark.parametrize("make", [adapters_ready.spikingjelly_if, adapters_ready.spikingjelly_lif, adapters_ready.snntorch_leaky])
def test_resets_that_do_not_exist(make):
    with pytest.raises(ValueError, match=r"reset: expected one of .* got 'hard'"):
        make(reset="hard")


def test_an_operation_as_a_layer():
    layer = adapters.from_operation(Convention(Rule("zero")), 0.75)
    spikes, dspikes = layer.forward(CURRENT), np.ones_like(CURRENT)
    assert spikes.shape == layer.vjp(CURRENT, dspikes).shape == CURRENT.shape and 0.1 < spikes.mean() < 0.9
    assert layer.state(CURRENT).shape == CURRENT.shape[1:] and layer.returns(CURRENT) == "float64"


@pytest.mark.parametrize("convention, error", [
    ("pysnn", TypeError), (CONVENTIONS["proxy-authors"], ValueError), (Convention(Rule("hard")), ValueError),
    (Convention(surrogate=Surrogate("tanh")), ValueError), (Convention(statistics="some"), ValueError),
    (Convention(ties="middle"), ValueError)])
def test_bad_conventions(convention, error):
    with pytest.raises(error, match="expected"):
        adapters.from_operation(convention)


class Speaks:
    """An array of another library: nothing but DLPack."""

    def __init__(self, x):
        self.x = np.array(x)

    def __dlpack__(self, **options):
        return self.x.__dlpack__()

    def __dlpack_device__(self):
        return self.x.__dlpack_device__()


def test_callables_over_dlpack():
    ours = adapters.from_operation(Convention(Rule("zero"), Surrogate("triangle", 1.5), False))
    theirs = adapters.from_callables(lambda x: Speaks(ours.forward(x.x)), lambda x, d: Speaks(ours.vjp(x.x, d.x)), to=Speaks)
    np.testing.assert_array_equal(theirs.forward(CURRENT), ours.forward(CURRENT))
    np.testing.assert_array_equal(theirs.vjp(CURRENT, CURRENT), ours.vjp(CURRENT, CURRENT))
    found = identify(theirs)
    assert found.convention[:3] == Convention(Rule("zero"), Surrogate("triangle", 1.5), False)[:3]
    assert theirs.returns(CURRENT) == "float64"


def test_callables_get_arrays_of_their_own():
    def spoils(x, *rest):
        x[:] = 7
        return x
    layer, before = adapters.from_callables(spoils, spoils), CURRENT.copy()
    assert (layer.forward(CURRENT) == 7).all() and (layer.vjp(CURRENT, CURRENT) == 7).all()
    np.testing.assert_array_equal(CURRENT, before)


def test_other_shapes_are_refused():
    layer = adapters.from_callables(lambda x: x.sum(axis=0), lambda x, d: d)
    with pytest.raises(ValueError, match=r"expected an array of shape \(7, 5, 3\).*got .*\(5, 3\)"):
        layer.forward(CURRENT)


# ------------------------------------------------------------------------------------------------------------- the releases

class TestSpikingJelly:
    pytestmark = TORCH

    @pytest.fixture(autouse=True)
    def _jelly(self):
        needed("spikingjelly.activation_based.neuron")

    @pytest.mark.parametrize("mode", ["s", "m"])
    @pytest.mark.parametrize("detach", [True, False])
    @pytest.mark.parametrize("reset", ["subtract", "zero"])
    @pytest.mark.parametrize("threshold", [1.0, 0.75])
    def test_every_setting_has_its_name(self, threshold, reset, detach, mode):
        surrogates = needed("spikingjelly.activation_based.surrogate")
        for theirs, ours in ((None, Surrogate("sigmoid", 4.0)), (surrogates.ATan(alpha=3.0), Surrogate("atan", 3.0)),
                             (surrogates.PiecewiseQuadratic(alpha=1.5), Surrogate("triangle", 1.5))):
            found = identify(adapters_ready.spikingjelly_if(threshold, reset, detach, theirs, mode), threshold)
            assert found.convention == Convention(Rule(reset), ours, detach), str(found)
            assert found.evidence["gradient error"] <= 1e-14 and found.evidence["precision"] == found.evidence["returns"] == "float64"

    def test_its_default_is_the_preset(self):
        neuron = needed("spikingjelly.activation_based.neuron")
        for layer in (adapters_ready.spikingjelly_if(), adapters.from_torch(neuron.IFNode(step_mode="m"))):
            assert "spikingjelly-2.0" in identify(layer).evidence["presets"]

    def test_a_surrogate_that_ours_does_not_have(self):
        erf = needed("spikingjelly.activation_based.surrogate").Erf()
        found = identify(adapters_ready.spikingjelly_if(surrogate=erf))
        assert found.convention.surrogate == Shape("erf", 2.0) and found.convention.rule.reset == "zero"

    def test_statistics_are_over_steps(self):
        torch, layer = needed("torch"), needed("spikingjelly.activation_based.layer")
        norm, x = layer.BatchNorm2d(2, step_mode="m"), torch.randn(5, 3, 2, 4, 4)
        norm(x)
        assert CONVENTIONS["spikingjelly-2.0"].statistics == "over steps" and int(norm.num_batches_tracked) == 1
        np.testing.assert_allclose(norm.running_mean.numpy(), 0.1 * x.mean((0, 1, 3, 4)).numpy(), rtol=1e-4, atol=1e-6)


class TestSnnTorch:
    pytestmark = TORCH

    @pytest.fixture(autouse=True)
    def _snntorch(self):
        needed("snntorch")

    @pytest.mark.parametrize("reset, delay", [(reset, delay) for reset in ("subtract", "zero", "none") for delay in (True, False)])
    @pytest.mark.parametrize("threshold", [1.0, 0.75])
    def test_every_setting_has_its_name(self, threshold, reset, delay):
        surrogates = needed("snntorch.surrogate")
        for theirs, ours in ((None, Surrogate("atan", 2.0)), (surrogates.fast_sigmoid(slope=10), Surrogate("fast_sigmoid", 10.0))):
            found = identify(adapters_ready.snntorch_leaky(threshold, reset, delay, theirs), threshold)
            if reset == "none":                                          # no rule of ours is without a reset
                assert found.convention is None and found.evidence["reset"] == "none" and "never resets" in found.why[-1]
                continue
            assert found.convention == Convention(Rule(reset, "next" if delay else "same", ">"), ours, delay), str(found)
            assert found.evidence["returns"] == "float32"
            assert (found.evidence["large currents"] == "differ") == (reset == "subtract" and not delay)

    def test_its_default_is_the_preset(self):
        assert "snntorch-1.0" in identify(adapters_ready.snntorch_leaky()).evidence["presets"]

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_the_sigmoid_that_overflows_has_no_name(self, dtype):
        found = identify(adapters_ready.snntorch_leaky(surrogate=needed("snntorch.surrogate").sigmoid(25), dtype=dtype))
        assert found.convention is None and "is nan at" in found.why[-1]
        assert found.evidence["nearest surrogate"].kind == "sigmoid" and ((-5 in found.evidence["not finite at"]) == (dtype == "float32"))

    def test_float32_is_seen(self):
        found = identify(adapters_ready.snntorch_leaky(dtype="float32"))
        assert found.convention[:3] == CONVENTIONS["snntorch-1.0"][:3] and found.evidence["precision"] == "float32"

    def test_statistics_are_those_of_each_step(self):
        norms = needed("snntorch").BatchNormTT2d(2, 5)
        assert CONVENTIONS["snntorch-1.0"].statistics == "each step" and len(norms) == 5 and len({id(norm) for norm in norms}) == 5


class TestNorse:
    pytestmark = TORCH

    @pytest.fixture(autouse=True)
    def _norse(self):
        needed("norse.torch")

    @pytest.mark.parametrize("alpha", [1.0, 100.0])
    @pytest.mark.parametrize("threshold", [1.0, 0.75])
    def test_its_default_is_the_preset_whatever_alpha(self, threshold, alpha):
        found = identify(adapters_ready.norse_if(threshold, alpha=alpha), threshold)
        assert found.convention[:3] == CONVENTIONS["norse-1.1"][:3] and "norse-1.1" in found.evidence["presets"]

    def test_other_methods(self):
        assert identify(adapters_ready.norse_if(method="triangle", alpha=1.0)).convention.surrogate == Surrogate("triangle", 1.0)
        assert identify(adapters_ready.norse_if(method="tanh", alpha=1.0)).convention.surrogate == Shape("sigmoid", 2.0, 1.0)


class TestTorch:
    pytestmark = TORCH

    @pytest.fixture(autouse=True)
    def _torch(self):
        self.torch = needed("torch")

    def test_ties_of_a_pooling_go_to_the_first(self):
        x = self.torch.ones(1, 1, 2, 2, requires_grad=True)
        self.torch.nn.functional.max_pool2d(x, 2).sum().backward()
        assert x.grad.ravel().tolist() == [1, 0, 0, 0] and CONVENTIONS["spikingjelly-2.0"].ties == "first"

    def test_callables_over_tensors_by_dlpack(self):
        ours = adapters.from_operation(CONVENTIONS["pysnn"])
        theirs = adapters.from_callables(lambda x: self.torch.from_numpy(ours.forward(x.numpy())),
                                         lambda x, d: self.torch.from_numpy(ours.vjp(x.numpy(), d.numpy())), to=self.torch.from_dlpack)
        assert "pysnn" in identify(theirs).evidence["presets"]

    def test_a_function_without_a_gradient(self):
        layer = adapters.from_torch(lambda x: (x.cumsum(0) >= 1).double())
        assert not layer.vjp(CURRENT, CURRENT).any() and layer.state(CURRENT) is None

    def test_an_operation_for_gradcheck(self):
        op = adapters.torch_operation(lambda x, w: self.torch.tanh(x @ w))
        rng = np.random.default_rng(0)
        args = rng.normal(size=(3, 4)), rng.normal(size=(4, 2))
        assert gradcheck(op.forward, op.backward, args).ok
        wrong = adapters.torch_operation(lambda x, w: self.torch.tanh(x @ w.detach()) + 0 * w.sum())
        assert not gradcheck(wrong.forward, wrong.backward, args).ok


class TestJax:
    pytestmark = pytest.mark.frameworks

    def test_a_neuron_in_jax_has_its_name(self):
        jax = pytest.importorskip("jax")

        @jax.custom_vjp
        def spike(x):
            return (x > 0) * 1.0
        spike.defvjp(lambda x: (spike(x), x), lambda x, d: (d / (1 + 10 * jax.numpy.abs(x)) ** 2,))

        def run(current):
            v, seen = jax.numpy.zeros_like(current[0]), []
            for x in current:
                v = v + x
                seen.append(spike(v - 0.75))
                v = v - 0.75 * jax.lax.stop_gradient(seen[-1])
            return jax.numpy.stack(seen)
        found = identify(adapters.from_jax(run), 0.75)
        assert found.convention == Convention(Rule(fire=">"), Surrogate("fast_sigmoid", 10.0)), str(found)
        assert found.evidence["returns"] == found.evidence["precision"] == "float64"
