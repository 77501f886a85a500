"""SpikingJelly 2.0.0 against ours: both are positive controls. If these fail, the comparison is at fault, or a release has changed."""

from itertools import product

import numpy as np

from ...conventions import Convention, Rule, Surrogate
from ...reference import temporal
from ._finding import Finding, Observation
from .adapters import from_operation, needed
from .neurons import spikingjelly_if

EXACT = 1e-14              # relative to the largest entry: a few roundings of float64
SINGLE = 2e-6              # the same for float32


def _if_node():
    """Spikes and gradients in four conventions, with two surrogates, at two thresholds."""
    surrogates = needed("spikingjelly.activation_based.surrogate")
    rng, worst, n, equal = np.random.default_rng(8), 0.0, 0, True
    kinds = {"atan": (2.0, surrogates.ATan), "sigmoid": (4.0, surrogates.Sigmoid)}
    for threshold, reset, detach, kind in product((1.0, 0.7), ("subtract", "zero"), (True, False), kinds):
        k, theirs = kinds[kind]
        current, dspikes = rng.normal(0.3, 0.8, (15, 20, 20)), rng.normal(size=(15, 20, 20))
        ours = from_operation(Convention(Rule(reset), Surrogate(kind, k), detach), threshold)
        layer = spikingjelly_if(threshold, reset, detach, theirs(alpha=k))
        equal &= np.array_equal(layer.forward(current), ours.forward(current))
        got, wanted = layer.vjp(current, dspikes), ours.vjp(current, dspikes)
        worst, n = max(worst, float(np.abs(got - wanted).max() / np.abs(wanted).max())), n + got.size
    return Observation(bool(equal) and worst <= EXACT, n, worst, f"spikes {'equal' if equal else 'differ'}, gradients within {worst:.1g}")


def _first_spike():
    """The temporal neuron by a general root finder: spike times, and gradients where no margin is thin."""
    torch = needed("torch")
    solve = needed("spikingjelly.timing_based.solver").first_spike_time
    rng, n_in, n_out, n = np.random.default_rng(0), 6, 40, 10
    t_in = np.sort(rng.uniform(0, 2, (n, n_in)), axis=1).astype(np.float32)
    w = rng.normal(0.5, 0.4, (n_in, n_out)).astype(np.float32)
    z_out, cache = temporal.forward(np.exp(t_in.astype(np.float64)), w.astype(np.float64))

    def response(time, piece, t, weights):
        """V - 1 and its derivative, with the inputs that have arrived where this piece begins."""
        causal = torch.arange(n_in) <= piece[..., None]
        decay = torch.exp(t[:, None, None, :] - time[..., None])
        mine = weights.T[None, :, None, :]
        return torch.where(causal, mine * (1 - decay), 0).sum(-1) - 1, torch.where(causal, mine * decay, 0).sum(-1)
    times, weights = torch.tensor(t_in, requires_grad=True), torch.tensor(w, requires_grad=True)
    ends = np.concatenate([t_in, np.full((n, 1), 30, np.float32)], axis=1)
    t_out = solve(response, torch.tensor(np.repeat(ends[:, None], n_out, axis=1)), (times, weights))
    got, fired = t_out.detach().numpy(), np.isfinite(z_out)
    if not np.array_equal(np.isfinite(got), fired):
        return Observation(False, got.size, np.inf, "other neurons fire")
    off = float(np.abs(got[fired] / np.log(z_out[fired]) - 1).max())
    safe = fired & (np.abs(cache.margin) > 0.2)
    c = np.where(safe, rng.normal(size=z_out.shape), 0)
    torch.where(torch.tensor(safe), t_out, 0).mul(torch.tensor(c, dtype=torch.float32)).sum().backward()
    dz_in, dw = temporal.backward(np.where(safe, c / np.where(fired, z_out, 1), 0), cache)
    pairs = (weights.grad.numpy(), dw), (times.grad.numpy(), dz_in * np.exp(t_in.astype(np.float64)))
    off_grads = max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in pairs)
    return Observation(max(off, off_grads) <= SINGLE, int(fired.sum()), max(off, off_grads),
                f"spike times within {off:.1g}, gradients within {off_grads:.1g}, in float32, which is all it takes")


CASES = (
    Finding("spikingjelly-if", "spikingjelly", "spikingjelly", "2.0.0", "positive control",
         "IFNode agrees with ours in four conventions", _if_node),
    Finding("spikingjelly-first-spike", "spikingjelly", "spikingjelly", "2.0.0", "positive control",
         "first_spike_time, given the temporal neuron, agrees with ours", _first_spike),
)
"""Two cases."""
