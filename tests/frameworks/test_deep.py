"""The step of proxy learning for images against PyTorch's autograd, in float64. Run by `make test-frameworks`."""

import numpy as np
import pytest

from pysnn.learning import METHODS, proxy, rate
from tests.cases.tolerances import tol

pytestmark = [pytest.mark.frameworks, pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*")]
MODEL = "12x12x3-W2-32c3-P2-B0.45-N-32c3-B0.45-N-40c3-P2-B0.45-N-A2-5d"


def error_of(torch, nets, counts, labels):
    """Return c, the gradient of the smoothed cross-entropy of s N/T at the spiking output, and the loss."""
    s = nets.settings
    y = torch.from_numpy(counts / s.n_steps).requires_grad_()
    loss = torch.nn.functional.cross_entropy(s.scale * y, torch.from_numpy(labels), label_smoothing=s.smoothing)
    loss.backward()
    return y.grad, loss.item()


def twin(torch, nets, x):
    """Return the output of the ReLU network in PyTorch, and its parameters."""
    f, s, state = torch.nn.functional, nets.settings, nets.state
    params = {name: torch.from_numpy(w.copy()).requires_grad_() for name, w in nets.net.params.items()}

    def kernel(w):
        return w.permute(3, 2, 0, 1)
    z = f.conv2d(torch.from_numpy(x).permute(0, 3, 1, 2), kernel(torch.from_numpy(state["filter0"])), torch.from_numpy(state["offset0"]))
    h = torch.cat([z.clamp(min=0), (-z).clamp(min=0)], dim=1)
    for k, pooled in ((1, True), (2, False), (3, True)):
        h = f.conv2d(h, kernel(params[f"w{k}"]), padding=1)
        h = f.max_pool2d(h, 2) if pooled else h
        h = f.batch_norm(h, None, None, torch.full((h.shape[1],), 0.45, dtype=h.dtype), params[f"beta{k}"], training=True, eps=1e-5)
        h = h.clamp(0, 1)
    assert s.clip and not s.levels
    return h.mean(dim=(2, 3)) @ params["w4"], params


@pytest.mark.parametrize("backend", ["reference", "numba"])
def test_step_of_proxy_learning(torch, backend):
    """(P2) The loss is that of the counts; the gradient is that of <c, A(W)> by autograd, in every parameter."""
    settings = proxy.Settings(**{**proxy.IMAGES, "model": MODEL, "init": "kaiming", "dtype": "float64", "backend": backend, "shift": 0,
                                 "flip": False, "weight_decay": 0.0, "bias_rate": 1.0})
    nets, rng = proxy.build(settings, rng=np.random.default_rng(1)), np.random.default_rng(2)
    x, labels = rng.random((6, 12, 12, 3)), np.arange(6) % 5
    METHODS["proxy"].begin(nets, x)
    for name, w in nets.net.params.items():
        w += rng.uniform(0, 0.5, w.shape) if name.startswith("beta") else 0
    step = proxy.gradients(nets, x, labels)
    c, loss = error_of(torch, nets, step.y, labels)
    out, params = twin(torch, nets, rate.encode_batch(nets, x))
    (c * out).sum().backward()
    assert step.loss == pytest.approx(loss, rel=1e-12)
    assert set(step.grads) == set(params)
    for name, dw in step.grads.items():
        ref = params[name].grad.numpy()
        assert np.abs(ref).max() > 0
        np.testing.assert_allclose(dw, ref, rtol=0, atol=tol("order of sums float64") * np.abs(ref).max(), err_msg=name)
