"""What Rockpool 3.1.0 does differently, and its LIFTorch as a positive control."""

import numpy as np

from ..witness.duals import DualArray
from ._duals import gradients, miss, unrolled
from ._finding import Finding, Observation
from .adapters import needed


def _case(name, label, says, look, page=True):
    return Finding(name, "rockpool", "rockpool", "3.1.0", label, says, look, f"docs/findings/{name}.md" if page else "")


def _leak():
    torch, kind = needed("torch"), needed("rockpool.nn.modules").LIFTorch
    taus = kind(1, dt=1e-3, tau_mem=0.02)
    taus.alpha = torch.tensor(0.9)
    decays = kind(1, dt=1e-3, leak_mode="decays", alpha=0.5)
    decays.tau_mem = torch.tensor(0.02)
    tau, alpha = taus.tau_mem.item(), decays.alpha.item()
    wrong = abs(tau - np.exp(-1e-3 / 0.9)) < 1e-6 and abs(alpha + 1e-3 / np.log(0.02)) < 1e-6
    return Observation(wrong, 2, max(abs(tau / (-1e-3 / np.log(0.9)) - 1), abs(alpha / np.exp(-0.05) - 1)),
                       f"alpha = 0.9 sets tau_mem to {tau:.4g} s instead of {-1e-3 / np.log(0.9):.4g} s; tau_mem = 0.02 s sets alpha to "
                       f"{alpha:.4g} instead of {np.exp(-0.05):.4g}", "alpha = 0.9")


def _batch():
    """A sequence in one call and in two; samples that differ."""
    torch, kind = needed("torch"), needed("rockpool.nn.modules").LIFTorch
    x = torch.tensor(np.random.default_rng(0).uniform(0, 0.6, (3, 20, 2)), dtype=torch.float32)
    whole, parts = kind(2, dt=1e-3), kind(2, dt=1e-3)
    with torch.no_grad():
        one, two = whole(x)[0], torch.cat([parts(x[:, :10])[0], parts(x[:, 10:])[0]], dim=1)
    differ = [int(n) for n in (one != two).sum((1, 2))]
    return Observation(differ[0] == 0 and min(differ[1:]) > 0, one.numel(), None, f"spikes that differ in two calls, by sample: {differ}")


def _step(state, current, tau_mem, tau_syn, threshold, bias):
    """One step of LIFTorch: any number of spikes, each a threshold; the surrogate is 1/threshold above threshold - 0.5."""
    v, i = state
    i = (i + current) * np.exp(-2e-3 / tau_syn)
    v = v * np.exp(-2e-3 / tau_mem) + i + bias
    near = (v.value >= threshold.value - 0.5) * 1.0
    out = DualArray((v.value >= threshold.value) * np.floor(v.value / threshold.value), near * (v / threshold).tangents)
    return (v - out * threshold, i), out


def _lif():
    torch, rng = needed("torch"), np.random.default_rng(0)
    numbers = [np.full(3, x) for x in (0.02, 0.01, 0.8, 0.05)]
    tau_mem, tau_syn, threshold, bias = (torch.tensor(x, dtype=torch.float32) for x in numbers)
    layer = needed("rockpool.nn.modules").LIFTorch(3, dt=2e-3, tau_mem=tau_mem, tau_syn=tau_syn[:, None], threshold=threshold, bias=bias)
    x, down = rng.normal(0.3, 0.6, (8, 2, 3)).astype(np.float32).astype(float), rng.normal(size=(8, 2, 3))
    xt = torch.tensor(x.transpose(1, 0, 2), dtype=torch.float32, requires_grad=True)
    y = layer(xt)[0]
    params = [layer.tau_mem, layer.tau_syn, layer.threshold, layer.bias]
    grads = torch.autograd.grad(y, [xt, *params], torch.tensor(down.transpose(1, 0, 2), dtype=torch.float32))
    ref, wanted = gradients(unrolled(_step, 2), [x, *numbers], down)
    same = np.array_equal(y.detach().numpy().transpose(1, 0, 2), ref) and 0 < ref.mean() < 1
    worst = miss([grads[0].numpy().transpose(1, 0, 2), *(g.numpy().reshape(-1) for g in grads[1:])], wanted) if same else np.inf
    return Observation(worst <= 1e-4, ref.size, worst, f"spikes equal, gradients of the input and of four parameters within {worst:.1g}, "
                       "float32")


CASES = (
    _case("rockpool-leak", "bug", "setting alpha of an LIFTorch made of tau_mem, or the reverse, converts the wrong way", _leak),
    _case("rockpool-batch-state", "convention", "LIFTorch keeps the state of the first sample, and begins the next call of all samples "
          "with it", _batch),
    _case("rockpool-lif", "positive control", "LIFTorch agrees with its equations", _lif, page=False),
)
"""Three cases."""
