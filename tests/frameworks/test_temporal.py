"""pysnn against PyTorch: the usual formulation of the temporal neuron with autograd, and torch.optim.Adam, both in float64.

A third route to the gradients: nothing here knows an equation of the backward pass. Run by `make test-frameworks`.
"""

from itertools import pairwise

import numpy as np
import pytest

from pysnn import losses, models, optim
from tests.cases import ROOT

pytestmark = [pytest.mark.frameworks, pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*")]

INF = np.inf
CLOSE = 1e-10          # relative to the largest entry, float64: 800 roundings of 1e-16, divided by margins above 1e-3
ADAM = 1e-12           # relative, float64: 20 steps of a dozen roundings each; the ways to write Adam differ by where eps is scaled
BENCHMARKS = str(ROOT / "benchmarks")


@pytest.fixture
def contenders(torch, monkeypatch):
    """The contenders of the benchmark."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    import _contenders
    _contenders.load_torch()
    return _contenders


@pytest.fixture(params=["usual", "masked"])
def peer_layer(request, contenders):
    """The layers that the benchmark times."""
    return {"usual": contenders.usual_layer, "masked": contenders.masked_layer}[request.param]


def assert_close(got, ref):
    """Compare relative to the largest entry; inf must stand in the same places."""
    np.testing.assert_array_equal(np.isfinite(got), np.isfinite(ref))
    finite = np.isfinite(ref)
    assert np.abs(ref[finite]).max() > 0
    np.testing.assert_allclose(got[finite], ref[finite], rtol=0, atol=CLOSE * np.abs(ref[finite]).max())


def spikes(rng, shape, kind):
    """Draw input spikes, some of which never come."""
    z = {"continuous": np.exp(rng.uniform(0, 2, shape)), "two times": rng.choice([1.0, 6.0], shape),
         "ties": rng.integers(1, 8, shape).astype(float)}[kind]
    z[rng.random(shape) < 0.1] = INF
    return z


KINDS = ("continuous", "two times", "ties")


# ------------------------------------------------------------------------------------------------------------- one layer

@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("threshold", [1.0, 0.7])
@pytest.mark.parametrize("n_in, n_out", [(1, 1), (20, 15), (784, 40)])
def test_layer(temporal_neuron, torch, peer_layer, kind, threshold, n_in, n_out):
    rng = np.random.default_rng(7)
    z_in, w = spikes(rng, (40, n_in), kind), rng.normal(0.9 / n_in, 1 / np.sqrt(n_in), (n_in, n_out))
    if n_in == 1:
        z_in, w = np.array([[2.0], [INF], [5.0]]), np.array([[1.5]])
    z_in[1] = INF                                                        # a sample without any input
    z_out, cache = temporal_neuron.forward(z_in, w, threshold)
    fires = np.isfinite(z_out)
    assert 0.1 < fires.mean() < 0.9
    dz_out = rng.normal(size=z_out.shape)
    dz_in, dw = temporal_neuron.backward(dz_out, cache)

    z_t, w_t = (torch.from_numpy(x).clone().requires_grad_() for x in (z_in, w))
    out_t = peer_layer(z_t, w_t, threshold)
    (out_t[torch.from_numpy(fires)] * torch.from_numpy(dz_out[fires])).sum().backward()
    for got, ref in ((z_out, out_t), (dz_in, z_t.grad), (dw, w_t.grad)):
        assert_close(got, ref.detach().numpy())


def test_two_times_layer(temporal_neuron, torch, contenders):
    """The matrix products of the benchmark's best peer are the same neuron, where all inputs fire at one of two times."""
    rng = np.random.default_rng(3)
    z_in, w = rng.choice([1.0, 6.0], (30, 50)), rng.normal(1 / 50, 0.15, (50, 40))
    z_out, cache = temporal_neuron.forward(z_in, w)
    fires = np.isfinite(z_out)
    assert 0.1 < fires.mean() < 0.9 and (z_out < 6).any() and (z_out[fires] > 6).any()
    w_t = torch.from_numpy(w).clone().requires_grad_()
    out_t = contenders.two_times_layer(torch.from_numpy(z_in), w_t, 1.0, 6.0)
    torch.log(out_t[torch.from_numpy(fires)]).sum().backward()
    dz_out = np.where(fires, 1 / z_out, 0)
    for got, ref in ((z_out, out_t), (temporal_neuron.backward(dz_out, cache)[1], w_t.grad)):
        assert_close(got, ref.detach().numpy())


# ---------------------------------------------------------------------------------------------------- a net and its loss

@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("loss", ["z", "t"])
@pytest.mark.parametrize("name", ["reference", "numba"])
def test_three_layers_and_loss(torch, peer_layer, name, loss, kind):
    rng = np.random.default_rng(11)
    sizes = (30, 24, 16, 6)
    params = {f"w{k}": rng.normal(1.6 / n, 1.2 / np.sqrt(n), (n, m)) for k, (n, m) in enumerate(pairwise(sizes), 1)}
    z_in, y = spikes(rng, (50, 30), kind), rng.integers(0, 6, 50)
    net = models.build("30-24-16-6", params=params, backend=name)
    outputs, caches = net.forward(z_in)
    assert all(0.1 < np.isfinite(z).mean() < 0.95 for z in outputs)
    assert np.isinf(outputs[-1][np.arange(50), y]).any() and np.isinf(outputs[-1]).all(axis=1).any()   # silent labels, silent samples
    value, dz = losses.softmax_z(outputs[-1], y) if loss == "z" else losses.softmax_t(outputs[-1], y, beta=3.0)
    dz_in, grads = net.backward(dz, caches, need_dx=True)

    tensors = {key: torch.from_numpy(x).clone().requires_grad_() for key, x in {"z_in": z_in, **params}.items()}
    z = tensors["z_in"]
    for key in params:
        z = peer_layer(z, tensors[key])
    z.retain_grad()
    latest = torch.where(torch.isfinite(z), z, 0).detach().amax(dim=1, keepdim=True)
    silent = torch.where(latest < 1e3, 1e3, 2 ** (torch.floor(torch.log2(latest.clamp(min=1))) + 2))        # later than every spike
    seen = torch.where(torch.isfinite(z), z, silent)
    scores = -seen if loss == "z" else -3.0 * torch.log(seen)
    value_t = torch.nn.functional.cross_entropy(scores, torch.from_numpy(y))
    value_t.backward()
    np.testing.assert_allclose(value, value_t.item(), rtol=CLOSE)
    assert_close(outputs[-1], z.detach().numpy())
    assert_close(dz, z.grad.numpy())
    for key, got in {"z_in": dz_in, **grads}.items():
        assert_close(got, tensors[key].grad.numpy())


# ---------------------------------------------------------------------------------------------------------- the optimiser

@pytest.mark.parametrize("betas, eps", [((0.9, 0.999), 1e-8), ((0.8, 0.99), 1e-3)])
def test_adam(torch, betas, eps):
    rng = np.random.default_rng(5)
    params = {"w1": rng.normal(size=(130, 140)), "w2": rng.normal(size=(7, 3))}      # w1 is larger than one block
    tensors = {name: torch.from_numpy(w).clone().requires_grad_() for name, w in params.items()}
    began = {name: w.copy() for name, w in params.items()}
    ours = optim.Adam(params, *betas, eps)
    theirs = torch.optim.Adam(tensors.values(), lr=0.1, betas=betas, eps=eps)
    for step in range(20):
        grads = {name: rng.normal(size=w.shape) * 10.0 ** rng.integers(-6, 3, w.shape) * (step != 4) for name, w in params.items()}
        lr = optim.cosine(step, 20, 0.1, 0.001)
        ours.update(params, grads, lr)
        for group in theirs.param_groups:
            group["lr"] = lr
        for name, w in tensors.items():
            w.grad = torch.from_numpy(grads[name])
        theirs.step()
        for name, w in params.items():
            np.testing.assert_allclose(w, tensors[name].detach().numpy(), rtol=ADAM, atol=ADAM)
    assert all(np.median(np.abs(params[name] - began[name])) > 0.01 for name in params)
