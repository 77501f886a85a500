"""The operations of a ReLU network against PyTorch's autograd, in float64. Run by `make test-frameworks`."""

import numpy as np
import pytest

from pysnn import losses, optim
from pysnn.conventions import Rule, Surrogate
from tests.cases.backends import operation
from tests.cases.tolerances import tol

pytestmark = [pytest.mark.frameworks, pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*")]


@pytest.fixture(params=["reference", "numba"])
def ops(request):
    """All operations of one backend, by name."""
    return lambda name: operation(name, request.param)


def assert_close(got, ref):
    """Compare relative to the largest entry."""
    assert got.shape == ref.shape
    np.testing.assert_allclose(got, ref, rtol=0, atol=tol("order of sums float64") * np.abs(ref).max())


class Peer:
    """PyTorch with channels last outside: torch wants (B, C, H, W) and (C_out, C_in, kh, kw)."""

    def __init__(self, torch):
        self.torch, self.f = torch, torch.nn.functional

    def leaf(self, x, axes=None):
        x = x if axes is None else np.ascontiguousarray(x.transpose(axes))
        return self.torch.from_numpy(x).clone().requires_grad_()

    def image(self, x):
        return self.leaf(x, (0, 3, 1, 2))


def last(x):
    """Give an image of PyTorch its channels last."""
    return x.detach().numpy().transpose(0, 2, 3, 1)


def kernel(w):
    """Give a kernel of PyTorch our order."""
    return w.detach().numpy().transpose(2, 3, 1, 0)


CONVS = [(3, 9, 8, 2, 5, 3, 1, 1), (2, 9, 8, 3, 4, 3, 2, 0), (2, 9, 8, 3, 4, 5, 2, 2), (1, 6, 6, 1, 1, 1, 1, 0),
         (2, 6, 7, 2, 3, 3, 1, 4), (20, 14, 14, 8, 8, 3, 1, 1)]


@pytest.mark.parametrize("b, h, v, n_in, n_out, k, stride, padding", CONVS)
def test_convolution(ops, torch, rng, b, h, v, n_in, n_out, k, stride, padding):
    """(R2), (R3), (R4)."""
    peer, op = Peer(torch), ops("conv")
    x, w = rng.normal(size=(b, h, v, n_in)), rng.normal(size=(k, k, n_in, n_out))
    y, cache = op.conv2d_forward(x, w, stride, padding)
    dy = rng.normal(size=y.shape)
    dx, dw = op.conv2d_backward(dy, cache)
    x_t, w_t = peer.image(x), peer.leaf(w, (3, 2, 0, 1))
    y_t = peer.f.conv2d(x_t, w_t, stride=stride, padding=padding)
    y_t.backward(peer.image(dy).detach())
    assert_close(y, last(y_t))
    assert_close(dx, last(x_t.grad))
    assert_close(dw, kernel(w_t.grad))


@pytest.mark.parametrize("size, stride", [(2, None), (3, 2), (2, 3), (3, 1)])
@pytest.mark.parametrize("kind", ["max", "avg"])
def test_pooling(ops, torch, rng, kind, size, stride):
    """(R5), (R6); numbers with ties: PyTorch, too, lets the first win."""
    peer, op = Peer(torch), ops("pool")
    x = rng.integers(0, 3, (3, 7, 8, 5)).astype(float) if kind == "max" else rng.normal(size=(3, 7, 8, 5))
    y, cache = getattr(op, f"{kind}_pool2d_forward")(x, size, stride)
    dy = rng.normal(size=y.shape)
    x_t = peer.image(x)
    y_t = getattr(peer.f, f"{kind}_pool2d")(x_t, size, stride)
    y_t.backward(peer.image(dy).detach())
    assert_close(y, last(y_t))
    assert_close(getattr(op, f"{kind}_pool2d_backward")(dy, cache), last(x_t.grad))


@pytest.mark.parametrize("constants", [False, True])
@pytest.mark.parametrize("shape", [(7, 5, 6, 4), (30, 11)], ids=str)
def test_batch_norm(ops, torch, rng, shape, constants):
    """(R7), (R8), (R9); the running statistics of PyTorch are not used."""
    peer, op, n_c = Peer(torch), ops("batch_norm"), shape[-1]
    x, (gamma, beta, mean), var = rng.normal(2, 3, shape), rng.normal(size=(3, n_c)), rng.uniform(0.5, 2, n_c)
    y, cache = op.batch_norm_forward(x, gamma, beta, *((mean, var) if constants else (None, None)))
    dy = rng.normal(size=shape)
    grads = op.batch_norm_backward(dy, cache)
    x_t, gamma_t, beta_t = peer.leaf(x.reshape(-1, n_c)), peer.leaf(gamma), peer.leaf(beta)
    given = torch.from_numpy(mean.copy()), torch.from_numpy(var.copy())
    y_t = peer.f.batch_norm(x_t, *(given if constants else (None, None)), gamma_t, beta_t, training=not constants)
    y_t.backward(torch.from_numpy(dy.reshape(-1, n_c)))
    assert_close(y.reshape(-1, n_c), y_t.detach().numpy())
    assert_close(grads[0].reshape(-1, n_c), x_t.grad.numpy())
    assert_close(grads[1], gamma_t.grad.numpy())
    assert_close(grads[2], beta_t.grad.numpy())


def test_network(ops, torch, rng):
    """Convolution, normalisation, ReLU, pooling, flattening, dense: every gradient of a small network; (R1), (R11)."""
    peer, n_c = Peer(torch), 6
    x, w1, w2 = rng.normal(size=(8, 10, 10, 1)), rng.normal(size=(3, 3, 1, n_c)), rng.normal(size=(3, 3, n_c, n_c))
    gamma, beta = rng.uniform(0.5, 2, (2, n_c)), rng.normal(size=(2, n_c))
    w3, b3 = rng.normal(size=(25 * n_c, 7)), rng.normal(size=7)
    h, tape = x, []
    for k, w in enumerate((w1, w2)):
        for module, name, args in (("conv", "conv2d", (w, 1, 1)), ("batch_norm", "batch_norm", (gamma[k], beta[k])),
                                   ("activations", "relu", ())):
            h, cache = getattr(ops(module), f"{name}_forward")(h, *args)
            tape.append((getattr(ops(module), f"{name}_backward"), cache))
    for module, name, args in (("pool", "max_pool2d", ()), ("activations", "flatten", ()), ("dense", "dense", (w3, b3))):
        h, cache = getattr(ops(module), f"{name}_forward")(h, *args)
        tape.append((getattr(ops(module), f"{name}_backward"), cache))
    d = dy = rng.normal(size=h.shape)
    grads = []
    for backward, cache in reversed(tape):
        found = backward(d, cache)
        d, *rest = found if isinstance(found, tuple) else (found,)
        grads += rest

    leaves = x_t, w1_t, w2_t, gamma_t, beta_t, w3_t, b3_t = (peer.image(x), peer.leaf(w1, (3, 2, 0, 1)), peer.leaf(w2, (3, 2, 0, 1)),
                                                             *map(peer.leaf, (gamma, beta, w3, b3)))
    h_t = x_t
    for k, w_t in enumerate((w1_t, w2_t)):
        h_t = peer.f.conv2d(h_t, w_t, padding=1)
        h_t = peer.f.relu(peer.f.batch_norm(h_t, None, None, gamma_t[k], beta_t[k], training=True))
    y_t = peer.f.max_pool2d(h_t, 2).permute(0, 2, 3, 1).flatten(1) @ w3_t + b3_t
    y_t.backward(torch.from_numpy(dy))
    assert all(leaf.grad.abs().max() > 0 for leaf in leaves)
    assert_close(h, y_t.detach().numpy())
    assert_close(d, last(x_t.grad))
    wanted = [w3_t.grad, b3_t.grad, gamma_t.grad[1], beta_t.grad[1], w2_t.grad, gamma_t.grad[0], beta_t.grad[0], w1_t.grad]
    for got, ref in zip(grads, wanted, strict=True):
        assert_close(got, kernel(ref) if got.ndim == 4 else ref.numpy())


def test_levels(ops, torch, rng):
    """(R14) the rounding is left out of PyTorch's backward pass by detach."""
    op, x, dy = ops("activations"), rng.normal(0.3, 0.6, (40, 7)), rng.normal(size=(40, 7))
    y, cache = op.relu_forward(x, 0.7, 4)
    x_t = Peer(torch).leaf(x)
    a = x_t.clamp(0, 0.7)
    y_t = a + (torch.floor(a * 4 / 0.7 + 0.5) * 0.7 / 4 - a).detach()
    y_t.backward(torch.from_numpy(dy))
    assert_close(y, y_t.detach().numpy())
    assert_close(op.relu_backward(dy, cache), x_t.grad.numpy())


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_cross_entropy_with_smoothed_labels(torch, rng, smoothing):
    """(L6), (L7)."""
    y, labels = rng.normal(0, 3, (9, 6)), rng.integers(0, 6, 9)
    y_t = Peer(torch).leaf(y)
    loss_t = torch.nn.functional.cross_entropy(y_t, torch.from_numpy(labels), label_smoothing=smoothing)
    loss_t.backward()
    value, dy = losses.cross_entropy(y, labels, smoothing)
    assert value == pytest.approx(loss_t.item(), rel=tol("formula"))
    assert_close(dy, y_t.grad.numpy())


def test_nesterov(torch, rng):
    """torch.optim.SGD(nesterov=True), with a rate that changes."""
    w = rng.normal(size=(5, 4))
    w_t, ours = torch.from_numpy(w.copy()).requires_grad_(), {"w": w}
    sgd, nesterov = torch.optim.SGD([w_t], lr=1.0, momentum=0.85, nesterov=True), optim.Nesterov(ours, 0.85)
    for k in range(6):
        g, lr = rng.normal(size=w.shape), 0.3 / (k + 1)
        w_t.grad, sgd.param_groups[0]["lr"] = torch.from_numpy(g.copy()), lr
        sgd.step()
        nesterov.update(ours, {"w": g}, lr)
    assert_close(ours["w"], w_t.detach().numpy())


def test_pooling_inside_the_neuron(ops, torch, rng):
    """(I12), (I13), (I14), (I15) against autograd through the steps, with the derivative of a spike as in (I11)."""
    op, n_steps, theta = ops("pooled_fire"), 5, 0.7
    current, v_init, dv = rng.normal(0.15, 0.5, (n_steps, 2, 4, 6, 3)), rng.uniform(0, 0.5, (2, 4, 6, 3)), rng.normal(size=(2, 4, 6, 3))
    for reset, detach in (("subtract", True), ("subtract", False), ("zero", True), ("zero", False)):
        spikes, _, cache = op.forward(current, 2, theta, v_init, Rule(reset))
        dspikes = rng.normal(size=spikes.shape)
        got = op.backward(dspikes, cache, dv, Surrogate("atan", 2.0), detach)
        x_t, v0_t = Peer(torch).leaf(current), Peer(torch).leaf(v_init)
        v_t, loss = v0_t, 0
        for t in range(n_steps):
            u_t = v_t + x_t[t]
            top = torch.nn.functional.max_pool2d(u_t.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)
            soft = torch.atan(torch.pi * (top - theta)) / torch.pi
            s_t = (top >= theta).double() + soft - soft.detach()
            np.testing.assert_array_equal((top >= theta).numpy(), spikes[t])
            each = (s_t.detach() if detach else s_t).repeat_interleave(2, dim=1).repeat_interleave(2, dim=2)
            v_t = u_t - theta * each if reset == "subtract" else u_t * (1 - each)
            loss = loss + (torch.from_numpy(dspikes[t]) * s_t).sum()
        (loss + (torch.from_numpy(dv) * v_t).sum()).backward()
        assert_close(got[0], x_t.grad.numpy())
        assert_close(got[1], v0_t.grad.numpy())
