"""State dicts of PyTorch: layouts, batch normalisation, messages. Values against PyTorch itself: tests/frameworks/test_interop.py."""

import numpy as np
import pytest

from pysnn import interop, models, training
from pysnn.learning import ann, proxy

MODELS = ["5-4-3", "6x5x2-4C3-P2-3C3-6-3", "6x6x1-W2-4c3-P2-B0.45-N-3d", "4x4x2-5c3-N-A2-7d-B-N-3", "4-6d-R0.9-3"]


def drawn(model, dtype=np.float64, seed=0, bias=False):
    """Build a network on random weights and statistics."""
    model, rng = models.read(model), np.random.default_rng(seed)
    params = models.rate_params(model, rng, bias, dtype=dtype)
    state = models.rate_state(model, dtype)
    for name, x in [*params.items(), *state.items()]:
        x[...] = rng.uniform(0.5, 2, x.shape) if name.startswith(("var", "gamma")) else rng.normal(0, 0.5, x.shape)
    return models.build(model, "relu" if "relu" in model.neurons else "if", params, bias, state=state)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("model", MODELS)
def test_there_and_back_with_the_same_bits(model, dtype, bias):
    net = drawn(model, dtype, bias=bias)
    arrays = interop.to_state_dict(net)
    again = interop.from_state_dict(model, arrays)
    for ours, theirs in ((net.params, again.params), (net.state, again.state)):
        assert list(ours) == list(theirs) and all(x.dtype == theirs[name].dtype == dtype for name, x in ours.items())
        for name, x in ours.items():
            np.testing.assert_array_equal(x, theirs[name])
            assert not np.shares_memory(x, theirs[name])
    assert {name: (x.shape, x.tobytes()) for name, x in arrays.items()} == {
        name: (x.shape, x.tobytes()) for name, x in interop.to_state_dict(again).items()}


def test_layout_by_hand():
    """A convolution of one channel to two on 2 x 2 pixels, and a dense layer that reads pixel (0, 1) of channel 1 alone."""
    params = {"w1": np.zeros((1, 1, 1, 2)), "w2": np.zeros((8, 1))}
    params["w1"][0, 0, 0] = 3, 5
    params["w2"][(0 * 2 + 1) * 2 + 1] = 7                                # H, W, C
    arrays = interop.to_state_dict(models.build("2x2x1-2c1p0-N-1", "relu", params))
    assert list(arrays) == ["0.weight", "3.weight"]
    assert arrays["0.weight"].shape == (2, 1, 1, 1) and arrays["0.weight"].ravel().tolist() == [3, 5]
    assert arrays["3.weight"].tolist() == [[0, 0, 0, 0, 0, 7, 0, 0]]     # C, H, W: 1 * 4 + 0 * 2 + 1


def test_folded_computes_the_same(rng):
    model = "6x5x2-4C3-P2-3C3-6-3"
    net, x = drawn(model), rng.uniform(size=(7, 6, 5, 2))
    arrays = interop.to_state_dict(net, folded=True)
    assert list(arrays) == [f"{i}.{what}" for i in (0, 3) for what in ("weight", "bias")] + ["6.weight", "8.weight"]
    again = interop.from_state_dict(model, arrays)
    ref, got = net.forward(x)[0][-1], again.forward(x)[0][-1]
    np.testing.assert_allclose(got, ref, rtol=0, atol=1e-12 * np.abs(ref).max())


def test_a_bias_before_a_normalisation_goes_into_it(rng):
    net, x, b = drawn("4x4x1-3C3-2"), rng.uniform(size=(5, 4, 4, 1)), rng.normal(size=3)
    arrays = interop.to_state_dict(net)
    ref = net.forward(x)[0][-1]
    arrays = {"conv.weight": arrays["0.weight"], "conv.bias": b,
              **{f"bn.{n.partition('.')[2]}": v for n, v in arrays.items() if n[0] == "1"}, "fc.weight": arrays["4.weight"]}
    arrays["bn.running_mean"] = arrays["bn.running_mean"] + b
    got = interop.from_state_dict("4x4x1-3C3-2", arrays).forward(x)[0][-1]
    np.testing.assert_allclose(got, ref, rtol=0, atol=1e-12 * np.abs(ref).max())


def test_a_run_and_its_nets_are_taken():
    run = training.start("ann", ann.Settings(model="4x4x1-3C3-2"))
    whole, part = interop.to_state_dict(run), interop.to_state_dict(run.nets)
    assert list(whole) == list(part) == list(interop.to_state_dict(run.nets.net)) and whole["0.weight"].dtype == np.float32
    twins = training.start("proxy", proxy.Settings(model="4-3-2", statistics="shared"))
    assert list(interop.to_state_dict(twins)) == ["0.weight", "2.weight"]



@pytest.mark.parametrize("change, words", [
    (lambda a: {}, "expected names such as 0.weight, got none"),
    (lambda a: {**a, "0.weight": a["0.weight"][:, :1]}, r"expected 0.weight of shape \(4, 2, 3, 3\), got \(4, 1, 3, 3\)"),
    (lambda a: {**a, "8.weight": a["8.weight"][:2]}, r"expected 8.weight of shape \(6, 18\), got \(2, 18\)"),
    (lambda a: {**a, "99.weight": np.zeros((2, 2))}, "expected the modules of .*, got 99 besides"),
    (lambda a: {n: x for n, x in a.items() if not n.startswith("10.")}, "expected a linear layer of .*, got no further module"),
    (lambda a: {n: x for n, x in a.items() if not n.startswith("0.")}, "expected a convolution of .*, got 1, a batch normalisation"),
    (lambda a: {n: x for n, x in a.items() if n != "1.running_var"}, "expected 1.running_var of a batch normalisation, got none"),
])
def test_another_shape_is_one_line(change, words):
    model = "6x5x2-4C3-P2-3C3-6-3"
    arrays = interop.to_state_dict(drawn(model))
    assert "10.weight" in arrays
    with pytest.raises(ValueError, match=words) as found:
        interop.from_state_dict(model, change(arrays))
    assert "\n" not in str(found.value)


def test_kinds_are_named():
    arrays = interop.to_state_dict(drawn("3-2"))
    with pytest.raises(TypeError, match=r"expected NumPy arrays, got 0.weight of type list"):
        interop.from_state_dict("3-2", {"0.weight": arrays["0.weight"].tolist()})
    with pytest.raises(TypeError, match=r"expected float32 or float64, got 0.weight of float16"):
        interop.from_state_dict("3-2", {"0.weight": arrays["0.weight"].astype(np.float16)})
    with pytest.raises(ValueError, match="expected a batch normalisation before 1, which takes the bias"):
        interop.from_state_dict("4x4x1-2c3-N-1", {"0.weight": np.zeros((2, 1, 3, 3)), "0.bias": np.zeros(2), "1.weight": np.zeros((1, 32))})
    with pytest.raises(ValueError, match=r"expected 1.weight to be 0.5, the scale of the model"):
        other = interop.to_state_dict(drawn("4x4x1-2c3-B0.5-N-1"))
        interop.from_state_dict("4x4x1-2c3-B0.5-N-1", {**other, "1.weight": np.ones(2)})


def test_exact_spike_times_have_no_meaning_there():
    params = models.temporal_params("4-3-2", np.random.default_rng(0))
    with pytest.raises(ValueError, match="expected a network in time steps, got one of exact spike times"):
        interop.to_state_dict(models.build("4-3-2", params=params))
    with pytest.raises(ValueError, match="expected a run, its nets or a network, got int"):
        interop.to_state_dict(3)
