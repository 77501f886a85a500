"""Formats of others with the others: PyTorch modules, NIR and its readers, neurons of snnTorch and SpikingJelly. Spikes must be equal."""

import warnings

import numpy as np
import pytest

from pysnn import interop, models
from pysnn.conventions import Rule, Surrogate
from pysnn.layers import NeuronConfig
from pysnn.models import AvgPool, BatchNorm, Conv, Dense, Integrate, Leaky, MaxPool, Model, Neurons
from tests.cases.graphs import alive, drawn
from tests.cases.installed import needed
from tests.cases.interop import run_page

pytestmark = [pytest.mark.frameworks, pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*"),
              pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@pytest.fixture(scope="module")
def nir():
    """The package nir."""
    return needed("nir")


# ---- state dicts

def first(x):
    """Give images PyTorch's order."""
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if x.ndim == 4 else x


def sequential(torch, kind):
    """Build a PyTorch network that was not made by us, a model of ours with the same layers, and an input."""
    nn = torch.nn
    torch.manual_seed(0)
    if kind == "mlp":
        return nn.Sequential(nn.Linear(7, 9), nn.ReLU(), nn.Linear(9, 5), nn.ReLU(), nn.Linear(5, 3)).double(), "7-9-5-3", (6, 7)
    module = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1, bias=kind == "bias"), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
                           nn.Conv2d(4, 5, (2, 3), stride=2, padding=1, bias=False), nn.BatchNorm2d(5), nn.ReLU(), nn.Flatten(),
                           nn.Linear(30, 6, bias=kind == "bias"), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3)).double()
    for _ in range(4):
        module(torch.rand(8, 2, 8, 7).double())                          # moves the running statistics
    for x in module.parameters():
        if x.ndim == 1:
            torch.nn.init.normal_(x, 1, 0.3)
    model = Model((8, 7, 2), [Conv(4), BatchNorm(), Neurons(), MaxPool(), Conv(5, (2, 3), 2, 1), BatchNorm(), Neurons(), Dense(6),
                              BatchNorm(), Neurons(), Dense(3)])
    return module, model, (6, 8, 7, 2)


@pytest.mark.parametrize("kind", ["mlp", "cnn", "bias"])
def test_outputs_of_a_pytorch_network(torch, rng, kind):
    module, model, shape = sequential(torch, kind)
    x = rng.normal(size=shape)
    ref = module.eval()(torch.from_numpy(first(x))).detach().numpy()
    net = interop.from_state_dict(model, {name: p.numpy() for name, p in module.state_dict().items()})
    assert np.abs(net.forward(x)[0][-1] - ref).max() < 1e-12
    if kind == "bias":
        return
    other, _, _ = sequential(torch, kind)
    for p in other.parameters():
        torch.nn.init.zeros_(p)
    other.load_state_dict({name: torch.from_numpy(p) for name, p in interop.to_state_dict(net).items()})       # strict
    assert np.abs(other.eval()(torch.from_numpy(first(x))).detach().numpy() - ref).max() < 1e-12
    for name, p in module.state_dict().items():
        assert name.endswith("num_batches_tracked") or torch.equal(p, other.state_dict()[name])


# ---- NIR

@pytest.mark.parametrize("seed", range(30))
def test_nir_files_keep_the_spikes(nir, tmp_path, seed):
    net, x = drawn(seed)
    interop.write_nir(net, tmp_path / "a.nir")
    ref, got = net.run(x, keep_counts=True), interop.read_nir(tmp_path / "a.nir").run(x, keep_counts=True)
    assert alive(ref, net)
    for a, b in zip([ref.counts, *ref.layer_counts], [got.counts, *got.layer_counts], strict=True):
        np.testing.assert_array_equal(a, b)
    graph = nir.read(tmp_path / "a.nir", type_check=False)
    assert {type(node).__name__ for node in graph.nodes.values()} <= {
        "Input", "Output", "Conv2d", "Linear", "Affine", "AvgPool2d", "Flatten", "IF", "LIF", "CubaLIF", "I", "LI", "CubaLI"}
    assert [p.name for p in tmp_path.iterdir()] == ["a.nir"]


def network(specs, rng, rule=Rule("zero", fire=">"), shape=(5,), **how):
    """Build a network of the conventions that NIR's equations have, with an input that has a time axis, as those who read NIR take it."""
    model = Model(shape, specs)
    params = models.rate_params(model, rng, True, "kaiming", np.float64)
    for name in params:
        gain = 4 if any(getattr(spec, "gain", "1") != "1" for spec in specs) else 1
        params[name] *= 2.5 * gain if name.startswith("w") and not name.startswith("w_rec") else 1
    net = models.build(model, "if", params, True, config=NeuronConfig(n_steps=12, rule=rule, timed=True, **how))
    return net, rng.normal(0.5, 1, (12, 1, *shape)).astype(np.float32).astype(np.float64)


LIF = {"reset": "zero", "gain": "1"}
NETS = {"IF": [Dense(8), Neurons(), Dense(4)], "LIF": [Dense(8), Leaky(0.8, **LIF), Dense(4), Leaky(0.7, **LIF)],
        "LIF 1 - beta": [Dense(8), Leaky(0.8, reset="zero", gain="1 - beta"), Dense(4), Leaky(0.7, reset="zero", gain="1 - beta")],
        "CubaLIF": [Dense(8), Leaky(0.8, alpha=0.6, **LIF), Dense(4), Leaky(0.7, alpha=0.5, **LIF)],
        "recurrent": [Dense(6), Leaky(0.8, True, **LIF), Dense(4), Leaky(0.7, **LIF)],
        "recurrent 1 - beta": [Dense(6), Leaky(0.8, True, reset="zero", gain="1 - beta"), Dense(4)],
        "conv": [Conv(3), Leaky(0.8, **LIF), AvgPool(2), Dense(4), Leaky(0.7, **LIF)]}
CANNOT = {     # (reader, network) -> why spikes differ, or it cannot be read
    ("norse", "LIF"): "Norse leaves out r: a current counts 1 - beta, whatever the graph says",
    ("norse", "recurrent"): "the same", ("norse", "conv"): "Norse has no AvgPool2d; and the same",
    ("snntorch", "IF"): "snnTorch takes no IF but r = 1, and lets it leak by 0.9",
    ("snntorch", "recurrent"): "snnTorch leads the input through the recurrent weights", ("snntorch", "recurrent 1 - beta"): "the same"}


def read_by(name, graph, torch, dt):
    """Let a framework read a graph; return a function of a current (1, n) and a state that returns spikes and the state."""
    if name == "spikingjelly":
        module = needed("spikingjelly.activation_based.nir_exchange").import_from_nir(graph, dt=dt, dtype=torch.float64)
        return module
    if name == "norse":
        return needed("norse.torch").from_nir(graph, ignore_warnings=True, dt=dt).double()
    return needed("snntorch.import_nir").import_from_nir(graph)             # its surrogates return float32


def spikes_of(name, graph, x, torch):
    """Run a graph by a framework over x (T, 1, ...); return its spikes (T, 1, n)."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        module, state, out = read_by(name, graph, torch, 1e-4), None, []
        for x_t in x:
            made = module(torch.from_numpy(first(x_t).astype(np.float32 if name == "snntorch" else np.float64)), state)
            y, state = made if isinstance(made, tuple) else (made, None)
            out.append(y.numpy())
    return np.stack(out)


@pytest.mark.parametrize("what", NETS)
@pytest.mark.parametrize("reader", ["spikingjelly", "norse", "snntorch"])
def test_others_read_our_graphs(torch, nir, rng, reader, what):
    """Equal spikes, but for those of CANNOT, which must differ: else the page docs/howto/exchange-weights.md is out of date."""
    net, x = network(NETS[what], rng, shape=(4, 4, 2) if what == "conv" else (5,))
    ref = net.forward(x)[0][-1].reshape(12, 1, -1)
    assert 0.05 < ref.mean() < 0.95
    try:
        got = spikes_of(reader, interop.to_nir(net), x, torch).reshape(ref.shape)
    except (AssertionError, RuntimeError, ValueError):
        got = None
    assert (got is not None and np.array_equal(got, ref)) == ((reader, what) not in CANNOT)


def test_a_file_of_norse(torch, nir, rng, tmp_path):
    """What Norse writes, with subgraphs and names of its own, is read, and fires as Norse does: its r = 1 is a gain of 1 - beta."""
    norse = needed("norse.torch")
    dt = 0.001
    cells = [norse.LIFBoxCell(norse.LIFBoxParameters(tau_mem_inv=torch.full((n,), 200.0), v_th=torch.full((n,), 0.3),
                                                     v_leak=torch.zeros(n), v_reset=torch.zeros(n)), dt=dt) for n in (6, 3)]
    torch.manual_seed(1)
    module = norse.SequentialState(torch.nn.Linear(5, 6), cells[0], torch.nn.Linear(6, 3), cells[1])
    for p in module.parameters():
        torch.nn.init.normal_(p, 0.3, 1)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        x, state, ref = rng.normal(0.5, 1, (15, 1, 5)).astype(np.float32), None, []
        for x_t in x:
            y, state = module(torch.from_numpy(x_t), state)
            ref.append(y.numpy())
        graph = norse.to_nir(module, torch.zeros(1, 5), dt=1.0)         # tau = dt / tau_mem_inv, which is in 1/s
        for node in graph.nodes.values():                                # they are tensors
            for key, value in vars(node).items():
                if isinstance(value, torch.Tensor):
                    setattr(node, key, value.numpy())
    ref = np.stack(ref)
    net = interop.from_nir(graph, dt=dt)
    assert 0.05 < ref.mean() < 0.95
    np.testing.assert_array_equal(net.forward(x)[0][-1].reshape(ref.shape), ref)


# ---- modules of snnTorch and SpikingJelly

OF = {"snntorch": interop.to_snntorch, "spikingjelly": interop.to_spikingjelly}
DYADIC = 64         # numbers that are multiples of 1/64 are added without rounding, so that the order does not matter


def built(specs, rng, shape=(5,), rule=Rule(), **how):
    """Build a network whose weights and biases are multiples of 1/64, and an input."""
    model = Model(shape, specs)
    params = models.rate_params(model, rng, True, "kaiming", np.float64)
    for name, x in params.items():
        x[...] = np.rint(x * (0.7 if name.startswith("w_rec") else 1.5) * DYADIC) / DYADIC
    config = NeuronConfig(**{"n_steps": 10, "rule": rule, **how})
    net = models.build(model, "if", params, True, config=config)
    timed = [config.n_steps] if config.timed else []
    return net, np.rint(rng.normal(0.5, 1, (*timed, 4, *shape)) * DYADIC) / DYADIC


def compared(name, net, x, torch):
    """Return the spikes of all steps by a framework's module, and ours; both must be alive."""
    module = OF[name](net)
    x_t = torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, -1, -3)) if len(net.model.shape) == 3 else x)
    with torch.no_grad():
        got = module(x_t).numpy()
        np.testing.assert_array_equal(module(x_t).numpy(), got)          # the states begin anew
    ref = net.forward(x)[0][-1].reshape(got.shape)
    assert 0.03 < (ref != 0).mean()
    return got, ref, module


LAYERS = {"dense": (lambda n: [Dense(7), n(), Dense(4), n()], (5,)),
          "conv": (lambda n: [Conv(3), n(), MaxPool(2), Conv(4, 3, 2), n(), AvgPool(2), Dense(4), n()], (8, 8, 2))}


@pytest.mark.parametrize("timed", [False, True])
@pytest.mark.parametrize("fire", [">=", ">"])
@pytest.mark.parametrize("reset", ["subtract", "zero"])
@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("name", OF)
def test_integrate_and_fire_modules(torch, rng, name, kind, reset, fire, timed):
    make, shape = LAYERS[kind]
    net, x = built(make(Neurons)[:-1], rng, shape, Rule(reset, fire=fire), v_init=0.5, timed=timed)
    got, ref, _ = compared(name, net, x, torch)
    np.testing.assert_array_equal(got, ref)
    assert 0.03 < ref.mean() < 0.97


NEURONS = {   # framework -> neurons that it has
    "snntorch": [{"reset": "zero"}, {"reset": "zero", "timing": "next"}, {"timing": "next", "order": "leak first"}, {"reset": "none"},
                 {"alpha": 0.5, "timing": "next", "order": "leak first"},
                 {"alpha": 0.5, "reset": "zero", "timing": "next", "order": "leak first"},
                 {"recurrent": True, "timing": "next", "order": "leak first"},
                 {"recurrent": True, "reset": "zero", "timing": "next", "order": "leak first"}],
    "spikingjelly": [{}, {"reset": "zero"}, {"timing": "next"}, {"reset": "zero", "gain": "1 - beta"}]}


@pytest.mark.parametrize("name, neuron", [(name, neuron) for name, neurons in NEURONS.items() for neuron in neurons], ids=str)
def test_leaky_modules(torch, rng, name, neuron):
    def make():
        return Leaky(0.75, **neuron)
    net, x = built([Dense(7), make(), Dense(4), make()], rng, timed=True, threshold=0.5 if neuron.get("gain") else 1.0)
    x = x * (3 if neuron.get("gain") else 1)
    got, ref, _ = compared(name, net, x, torch)
    np.testing.assert_array_equal(got, ref)
    assert 0.03 < ref.mean() < 0.97


@pytest.mark.parametrize("alpha", [None, 0.5])
def test_a_readout_of_snntorch(torch, rng, alpha):
    net, x = built([Dense(7), Leaky(0.75, reset="zero"), Dense(4), Integrate(0.75, alpha)], rng)
    got, ref, _ = compared("snntorch", net, x, torch)
    np.testing.assert_allclose(got, ref, rtol=0, atol=1e-12 * np.abs(ref).max())


@pytest.mark.parametrize("surrogate", [Surrogate("atan", 2.0), Surrogate("fast_sigmoid", 3.0), Surrogate("sigmoid", 4.0),
                                       Surrogate("triangle", 0.8)])
@pytest.mark.parametrize("name", OF)
def test_gradients_of_modules(torch, rng, name, surrogate):
    """They have our surrogate, so that training goes on there as here."""
    net, x = built([Dense(7), Leaky(0.75, reset="zero"), Dense(4)], rng, surrogate=surrogate, detach_reset=True)
    outputs, caches = net.forward(x)
    weight = rng.normal(size=outputs[-1].shape)
    grads = net.backward(weight, caches)[1]
    module = OF[name](net)
    (module(torch.from_numpy(x)) * torch.from_numpy(weight.reshape(10, 4, 4))).sum().backward()
    for k, i in ((1, 0), (2, 2)):
        for ours, theirs in ((f"w{k}", module.layers[i].weight.grad.T), (f"b{k}", module.layers[i].bias.grad)):
            assert np.abs(grads[ours] - theirs.numpy()).max() <= 1e-12 * np.abs(grads[ours]).max()


@pytest.mark.parametrize("recurrent", [False, True])
def test_a_state_dict_of_snntorch(torch, rng, recurrent):
    """Its neurons keep thresholds and more, which a model of ours states; recurrent weights are read."""
    neuron = Leaky(0.75, recurrent, reset="zero", timing="next", order="leak first" if recurrent else "reset first")
    net, _ = built([Dense(7), neuron, Dense(4)], rng, output=False)
    arrays = {name: x.numpy() for name, x in interop.to_snntorch(net).state_dict().items()}
    assert "layers.1.threshold" in arrays and ("layers.1.recurrent.weight" in arrays) == recurrent
    got = interop.from_state_dict(net.model, arrays).params
    assert list(got) == list(net.params)
    for name, x in net.params.items():
        np.testing.assert_array_equal(got[name], x)


def test_the_page_runs_whole(torch, nir, capsys):
    """With the frameworks all blocks of the page run."""
    for name in ("snntorch", "spikingjelly"):
        needed(name)
    _, n = run_page(capsys)
    assert n == 6


@pytest.mark.parametrize("name, specs, how, words", [
    ("snntorch", [Dense(3), Leaky(0.5), Dense(2)], {}, "reset by subtraction stands before leak and current here, and behind"),
    ("snntorch", [Dense(3), Leaky(0.5, reset="zero", timing="next", order="leak first"), Dense(2)], {}, "zero stands behind leak"),
    ("snntorch", [Dense(3), Leaky(0.5, reset="zero", gain="1 - beta"), Dense(2)], {}, "a current counts 1 - beta here, and 1 there"),
    ("snntorch", [Dense(3), Leaky(0.5, True, 0.5, timing="next", order="leak first"), Dense(2)], {}, "recurrent neurons with a synapse"),
    ("snntorch", [Dense(3), Neurons(), Dense(2)], {"v_init": 1.0}, "the first potential reaches the threshold"),
    ("spikingjelly", [Dense(3), Leaky(0.5, timing="next", order="leak first"), Dense(2)], {}, "a reset behind leak and current"),
    ("spikingjelly", [Dense(3), Leaky(0.5, True), Dense(2)], {}, "a synapse or recurrent weights"),
    ("spikingjelly", [Dense(3), Leaky(0.5), Dense(2), Integrate(0.5)], {}, "a readout that leaks")])
def test_neurons_without_a_twin(torch, rng, name, specs, how, words):
    net, _ = built(specs, rng, **how)
    with pytest.raises(ValueError, match=f"has no neuron with the same spikes: .*{words}") as found:
        OF[name](net)
    assert "\n" not in str(found.value)
