"""Networks of leaky, recurrent neurons through time against PyTorch's autograd, in float64. Run by `make test-frameworks`."""

import numpy as np
import pytest

from pysnn import models
from pysnn.conventions import Sequences
from pysnn.learning import rate, surrogate
from tests.cases.tolerances import tol

pytestmark = [pytest.mark.frameworks, pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*")]
SPECS = (models.Dense(12), models.Leaky(0.9, True, 0.6, ("beta", "alpha", "threshold")), models.Dense(8),
         models.Leaky(0.8, timing="next"), models.Dense(4), models.Integrate(0.7, 0.5, ("beta",)))
LENGTHS = [7, 3, 5, 7, 1, 6]


def spike_of(torch, slope):
    """Return the step with the derivative of the fast sigmoid."""
    class Spike(torch.autograd.Function):
        @staticmethod
        def forward(ctx, v):
            ctx.save_for_backward(v)
            return (v >= 0).to(v.dtype)

        @staticmethod
        def backward(ctx, d):
            v, = ctx.saved_tensors
            return d / (slope * v.abs() + 1) ** 2
    return Spike.apply


def potentials(torch, params, x, settings):
    """Run the network step by step as SPECS say; return the potentials of the output, and the spikes of both layers, (T, B, n)."""
    spike, detach = spike_of(torch, settings.slope), settings.detach_reset
    i1 = v1 = s1 = v2 = s2 = i3 = v3 = None
    out, spikes = [], ([], [])

    def kept(s):
        return s.detach() if detach else s
    for t, now in enumerate(x):
        if settings.truncate and t % settings.truncate == 0 and t:
            i1, v1, s1, v2, s2, i3, v3 = (state.detach() for state in (i1, v1, s1, v2, s2, i3, v3))      # (D15)
        current = now @ params["w1"] + (0 if s1 is None else s1 @ params["w_rec1"])
        i1 = current if i1 is None else params["synapse1"] * i1 + current
        u1 = i1 if v1 is None else params["leak1"] * v1 + i1
        s1 = spike(u1 - params["threshold1"])
        v1 = u1 - params["threshold1"] * kept(s1)
        current = s1 @ params["w2"]
        v2 = current if v2 is None else 0.8 * (v2 - kept(s2)) + current
        s2 = spike(v2 - 1)
        current = s2 @ params["w3"]
        i3 = current if i3 is None else 0.5 * i3 + current
        v3 = i3 if v3 is None else params["leak3"] * v3 + i3
        out.append(v3)
        spikes[0].append(s1)
        spikes[1].append(s2)
    return torch.stack(out), [torch.stack(some) for some in spikes]


def cost_of(torch, spikes, s):
    """(D16) of both hidden layers."""
    there, cost = torch.from_numpy(np.arange(7)[:, None] < np.array(LENGTHS))[..., None], 0
    for n in (torch.where(there, some, 0).sum(dim=0) for some in spikes):
        few, many = torch.clamp(s.min_spikes - n, min=0), torch.clamp(n.mean(dim=1) - s.max_spikes, min=0)
        cost = cost + s.spike_cost * ((few ** 2).mean() + (many ** 2).mean())
    return cost


@pytest.mark.parametrize("backend", ["reference", "numba"])
@pytest.mark.parametrize("detach", [True, False])
@pytest.mark.parametrize("chosen", [{}, {"memory": "sqrt"}, {"truncate": 3}, {"spike_cost": 0.2, "min_spikes": 1.5, "max_spikes": 1.7}],
                         ids=str)
def test_step_through_time(torch, backend, detach, chosen):
    """Every gradient, with sequences of different lengths, as autograd through a loop over the steps has it.

    Truncated gradients are those of a loop that detaches all states before each segment.
    """
    s = surrogate.Settings(**{**surrogate.SERIES, "model": models.Model((5,), SPECS), "dtype": "float64", "n_steps": 7, "over": "last",
                              "clip_norm": 0.0, "detach_reset": detach, "backend": backend, **chosen})
    rng = np.random.default_rng(3)
    nets, x, y = surrogate.METHOD.build(s, None, np.random.default_rng(1)), 2 * rng.normal(size=(6, 7, 5)), np.arange(6) % 4
    for w in nets.net.params.values():
        w += rng.uniform(0, 0.05, w.shape)
    step = surrogate.gradients(nets, Sequences(x, LENGTHS), y)
    params = {name: torch.from_numpy(w.copy()).requires_grad_() for name, w in nets.net.params.items()}
    steps, spikes = potentials(torch, params, torch.from_numpy(np.ascontiguousarray(x.swapaxes(0, 1))), s)
    out = steps[np.array(LENGTHS) - 1, np.arange(6)]
    cost = cost_of(torch, spikes, s)
    loss = torch.nn.functional.cross_entropy(out, torch.from_numpy(y)) + cost
    assert (cost > 0) == (s.spike_cost > 0)
    loss.backward()
    assert min(nets.snn.run(rate.encode_batch(nets, x)).n_spikes[:2]) > 20
    assert step.loss == pytest.approx(loss.item(), rel=1e-12)
    assert set(step.grads) == set(params)
    for name, dw in step.grads.items():
        ref = params[name].grad.numpy()
        assert np.abs(ref).max() > 0
        np.testing.assert_allclose(dw, ref, rtol=0, atol=tol("order of sums float64") * np.abs(ref).max(), err_msg=name)
