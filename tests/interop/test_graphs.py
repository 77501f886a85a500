"""Networks as NIR graphs and back, as plain dicts: equal spikes, what NIR cannot say, and graphs that are refused.

The package nir is not needed here; its objects and files, and other readers of them: tests/frameworks/test_interop.py.
"""

import itertools

import numpy as np
import pytest

from pysnn import models, training
from pysnn.conventions import Rule, Surrogate
from pysnn.interop._graphs import exported, imported
from pysnn.layers import IntegrateFire, NeuronConfig
from pysnn.layers.leaky import Leaky
from pysnn.learning import surrogate
from tests.cases.graphs import alive, drawn


@pytest.mark.parametrize("seed", range(30))
def test_the_same_spikes_after_a_round_trip(seed):
    net, x = drawn(seed)
    again = imported(exported(net, 1e-4), 1e-4)
    ref, got = net.run(x, keep_counts=True), again.run(x, keep_counts=True)
    np.testing.assert_array_equal(got.counts, ref.counts)
    assert alive(ref, net) and len(got.layer_counts) == len(ref.layer_counts)
    for a, b in zip(got.layer_counts, ref.layer_counts, strict=True):
        np.testing.assert_array_equal(a, b)
    assert again.config.n_steps == net.config.n_steps and again.config.timed == net.config.timed


def test_the_same_gradients_after_a_round_trip():
    """Surrogate and detached reset are part of it."""
    settings = surrogate.Settings(model="4-6d-R0.8-3d-I0.7", input="steps", n_steps=8, surrogate="triangle", slope=0.7, detach_reset=False)
    net = training.start("surrogate", settings).nets.snn
    again = imported(exported(net, 1e-3), 1e-4)
    x = np.random.default_rng(0).normal(0.5, 1, (8, 5, 4)).astype(np.float32)
    (ref, a), (got, b) = (n.forward(x) for n in (net, again))
    np.testing.assert_array_equal(got[-1], ref[-1])
    wanted, found = net.backward(np.ones_like(ref[-1]), a)[1], again.backward(np.ones_like(ref[-1]), b)[1]
    np.testing.assert_array_equal(found["w1"], wanted["w1"])
    np.testing.assert_array_equal(found["w_rec1"], wanted["w_rec1"])
    assert again.layers[1].config.surrogate == Surrogate("triangle", 0.7) and np.abs(found["w1"]).max() > 0


def test_a_surrogate_of_ones_own_stays_behind():
    """NIR has no word for a function; the spikes are the same, the surrogate is the default."""
    settings = surrogate.Settings(model="4-6d-R0.8-3d-I0.7", input="steps", n_steps=8, surrogate=lambda x, slope: np.exp(-x * x))
    net = training.start("surrogate", settings).nets.snn
    again, x = imported(exported(net, 1e-3), 1e-4), np.random.default_rng(0).normal(0.5, 1, (8, 5, 4)).astype(np.float32)
    np.testing.assert_array_equal(again.forward(x)[0][-1], net.forward(x)[0][-1])
    assert again.config.surrogate == Surrogate()


@pytest.mark.parametrize("model", ["1x1x1-1c1p0-N-1", "1-1d-R0.5-1"])
def test_nothing_is_shared(model):
    """Neither a graph with its network, nor a network with its graph, even where no axis has to move."""
    net = models.build(model, "if", models.rate_params(model, np.random.default_rng(0), True), True)
    graph = exported(net, 1e-4)
    arrays = [x for node in graph["nodes"].values() for x in node.values() if isinstance(x, np.ndarray)]
    for params in (net.params, imported(graph, 1e-4).params):
        assert params and not any(np.shares_memory(x, w) for x in arrays for w in params.values())


def nodes(*named, edges=()):
    """Make a graph of a chain of nodes, with more edges."""
    names = [name for name, _ in named]
    return {"nodes": dict(named), "edges": [*itertools.pairwise(names), *edges], "metadata": {}}


ENDS = ("input", {"type": "Input", "shape": np.array([2])}), ("output", {"type": "Output", "shape": np.array([3])})
W = ("w", {"type": "Linear", "weight": np.array([[1.0, 0], [0, 2], [1, 1]])})


def neuron(kind="LIF", n=3, **new):
    """Make a node of neurons by NIR's equations, r = 1, tau = 4 dt."""
    ones = np.ones(n)
    of = {"LIF": {"tau": 4e-4 * ones, "r": ones, "v_leak": 0 * ones, "v_threshold": ones, "v_reset": 0 * ones},
          "IF": {"r": 1e4 * ones, "v_threshold": ones, "v_reset": 0 * ones},
          "CubaLIF": {"tau_syn": 2e-4 * ones, "tau_mem": 4e-4 * ones, "r": ones, "v_leak": 0 * ones, "v_threshold": ones,
                      "v_reset": 0 * ones, "w_in": ones}, "LI": {"tau": 4e-4 * ones, "r": ones, "v_leak": 0 * ones}, "I": {"r": 1e4 * ones}}
    return "n", {"type": kind, **of[kind], **new}


def euler(node, current, dt=1e-4):
    """Integrate NIR's equations step by step: (T, n) currents to (T, n) spikes or potentials."""
    v, i, out = np.zeros(current.shape[1]), np.zeros(current.shape[1]), []
    for x in current:
        if node["type"].startswith("Cuba"):
            i = i + dt / node["tau_syn"] * (node["w_in"] * x - i)
            v = v + dt / node["tau_mem"] * (node["r"] * i - v)
        elif "tau" in node:
            v = v + dt / node["tau"] * (node["r"] * x - v)
        else:
            v = v + dt * node["r"] * x
        if "v_threshold" in node:
            s = v > node["v_threshold"]
            v = np.where(s, 0, v)
            out.append(s.astype(float))
        else:
            out.append(v)
    return np.array(out)


@pytest.mark.parametrize("kind, new", [("LIF", {}), ("LIF", {"r": np.full(3, 4.0)}), ("LIF", {"r": np.full(3, 2.5)}),
                                       ("LIF", {"r": np.array([1.0, 2, 3]), "tau": np.array([2e-4, 4e-4, 3e-4])}), ("IF", {}),
                                       ("IF", {"r": np.full(3, 2e4), "v_threshold": np.array([1.0, 2, 3])}), ("CubaLIF", {}),
                                       ("CubaLIF", {"w_in": np.full(3, 3.0)}), ("LI", {}), ("I", {})], ids=str)
def test_graphs_of_others_follow_the_equations(kind, new, rng):
    """Without metadata: Euler's method, V > threshold, a reset to zero."""
    node = neuron(kind, **new)
    net, x = imported(nodes(ENDS[0], W, node, ENDS[1]), 1e-4), rng.normal(1, 2, (20, 4, 2))
    got = net.forward(x)[0][-1].reshape(20, 4, 3)
    ref = np.stack([euler(node[1], x[:, b] @ W[1]["weight"].T) for b in range(4)], axis=1)
    np.testing.assert_allclose(got, ref, rtol=0, atol=1e-12 * np.abs(ref).max())
    assert 0 < (got != 0).mean()


def test_thresholds_may_differ_between_layers(rng):
    one, two = neuron("IF")[1], neuron("IF", v_threshold=np.full(3, 2.0))[1]
    w = ("w2", {"type": "Affine", "weight": np.eye(3) * 1.5, "bias": np.array([0, 0.25, 0])})
    net, x = imported(nodes(ENDS[0], W, ("a", one), w, ("b", two), ENDS[1]), 1e-4), rng.normal(1, 2, (20, 1, 2))
    s = euler(one, x[:, 0] @ W[1]["weight"].T)
    ref = euler(two, s @ w[1]["weight"].T + w[1]["bias"])
    np.testing.assert_array_equal(net.forward(x)[0][-1], ref)
    assert [type(layer) for layer in net.layers[1::2]] == [IntegrateFire, Leaky] and ref.any()


def test_sums_and_graphs_within_the_graph(rng):
    """A pool of sums counts in the weights behind it; a graph in the place of a node is opened."""
    pool = {"kernel_size": np.array([2, 2]), "stride": np.array([2, 2]), "padding": np.array([0, 0])}
    image = ("input", {"type": "Input", "shape": np.array([2, 4, 4])})
    flat = ("flat", {"type": "Flatten", "input_type": np.array([2, 2, 2]), "start_dim": 0, "end_dim": -1})
    w = ("w", {"type": "Linear", "weight": rng.integers(-2, 3, (3, 8)).astype(float)})
    inner = nodes(("input", {"type": "Input", "shape": np.array([3])}), neuron("IF"), ENDS[1])
    graph = nodes(image, ("pool", {"type": "SumPool2d", **pool}), flat, w, ("cell", {"type": "NIRGraph", **inner}), ENDS[1])
    x = rng.integers(0, 3, (6, 5, 4, 4, 2)).astype(float)
    sums = x.reshape(6, 5, 2, 2, 2, 2, 2).sum(axis=(3, 5))               # T, B, H, W, C
    current = sums.transpose(0, 1, 4, 2, 3).reshape(6, 5, 8) @ w[1]["weight"].T
    ref = np.stack([euler(neuron("IF")[1], current[:, b]) for b in range(5)], axis=1)
    np.testing.assert_array_equal(imported(graph, 1e-4).forward(x)[0][-1].reshape(6, 5, 3), ref)
    assert 0 < ref.mean() < 1


@pytest.mark.parametrize("graph, words", [
    (nodes(ENDS[0], W, ("d", {"type": "Delay", "delay": np.ones(3)}), ENDS[1]), "expected weights, .* and neurons, got d, a Delay"),
    (nodes(ENDS[0], W, neuron(), W, edges=()), "expected no cycle but that of recurrent neurons and their weights, got one through w"),
    (nodes(ENDS[0], W, neuron(), ENDS[1], edges=[("n", "w")]), "expected a chain of nodes, got edges from n to output and w"),
    (nodes(ENDS[0], W, neuron(), ENDS[1], edges=[("n", "r"), ("r", "n")]), "expected edges between nodes of the graph, got one to r"),
    (nodes(ENDS[0], W, neuron(), ("r", {"type": "Affine", "weight": np.eye(3), "bias": np.ones(3)}), edges=[("r", "n"), ("n", "output")])
     | {"nodes": dict([ENDS[0], W, neuron(), ("r", {"type": "Affine", "weight": np.eye(3), "bias": np.ones(3)}), ENDS[1]])},
     "expected recurrent weights without a bias, got one in r"),
    (nodes(W, neuron(), ENDS[1]), "expected one input, got 0"),
    (nodes(ENDS[0], W, neuron()), "expected a chain of nodes from input to output, got no output"),
    (nodes(ENDS[0], W, ENDS[1]), "expected neurons in the graph, got none"),
    (nodes(ENDS[0], W, neuron(v_leak=np.ones(3)), ENDS[1]), "expected neurons that leak to 0 and are reset to 0, got others in n"),
    (nodes(ENDS[0], W, neuron(tau=np.full(3, 5e-5)), ENDS[1]), "expected tau of n to be at least dt, 0.0001, got 5e-05"),
    (nodes(ENDS[0], neuron(n=2, r=np.full(2, 3.0)), ENDS[1]), "expected weights right before n, whose currents count 0.75, got none"),
    (nodes(ENDS[0], ("w", {"type": "Linear", "weight": np.ones((3, 4))}), neuron(), ENDS[1]),
     r"expected weights \(n, 2\) .* got \(3, 4\)")])
def test_graphs_that_are_refused(graph, words):
    with pytest.raises(ValueError, match=f"NIR: {words}") as found:
        imported(graph, 1e-4)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("model, config, words", [
    ("4x4x1-2c3-N-P2-3", {}, "NIR has no word for max pooling$"),
    ("4x4x1-2c3-P2-N-3", {"pooling": "inside"}, "NIR has no word for max pooling inside neurons"),
    ("4-3d-L0.9-2d-L0.9", {"output": False}, "NIR has no word for an output of neurons that fire and whose potential is read"),
    ("4x4x1-2c3-N-A2-B-3c3-N-2", {}, "NIR has no word for BatchNorm")])
def test_what_nir_cannot_say(model, config, words):
    net = models.build(model, "if", models.rate_params(model, np.random.default_rng(0)), config=NeuronConfig(**config))
    with pytest.raises(ValueError, match=words):
        exported(net, 1e-4)


def test_metadata_say_what_nir_cannot():
    model = models.Model((4,), [models.Dense(3), models.Leaky(0.9, reset="subtract", timing="next", order="leak first"), models.Dense(2)])
    config = NeuronConfig(rule=Rule(fire=">"), v_init=0.25, surrogate=Surrogate("sigmoid", 4.0), detach_reset=False, output=False)
    graph = exported(models.build(model, "if", models.rate_params(model, np.random.default_rng(0)), config=config), 1e-3)
    said = graph["nodes"]["neurons1"]["metadata"]
    assert {key: said[key] for key in Rule._fields} == Rule("subtract", "next", ">", "1", "leak first")._asdict()
    assert (said["surrogate"], said["slope"], said["detach_reset"], float(said["v_init"]), float(said["beta"]), said["dt"]) == (
        "sigmoid", 4.0, 0, 0.25, 0.9, 1e-3)
    assert list(graph["nodes"]) == ["input", "dense1", "neurons1", "dense2", "readout", "output"]
    np.testing.assert_allclose(graph["nodes"]["neurons1"]["tau"], 1e-2)


def test_altered_time_constants_win_over_metadata():
    model = "4-3d-L0.9-2"
    graph = exported(models.build(model, "if", models.rate_params(model, np.random.default_rng(0))), 1e-4)
    graph["nodes"]["neurons1"]["tau"] = np.full(3, 2e-4)
    graph["nodes"]["neurons1"]["r"] = np.full(3, 2.0)
    assert imported(graph, 1e-4).layers[1].given["beta"] == 0.5
