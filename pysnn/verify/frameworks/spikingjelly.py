"""SpikingJelly 2.0.0: three positive controls (if one fails, the comparison is at fault, or a release has changed), and two findings."""

from itertools import product

import numpy as np

from ...conventions import Convention, Rule, Surrogate
from ...reference import temporal
from ._duals import gradients, miss, spike, stop, unrolled
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


def _lif_step(threshold, v_reset, decay, detach, parametric):
    """One step as SpikingJelly documents it; `potential` is V - v_reset, and tau a number or, as w, the logit of 1 / tau."""
    rest = 0.0 if v_reset is None else v_reset

    def step(state, current, tau):
        v, = state
        rate = 1 / (1 + np.exp(-tau)) if parametric else 1 / tau
        new = v + (current - v) * rate if decay else v - v * rate + current
        out = spike(new + rest - threshold, lambda u: 1.25 / (1 + (1.25 * np.pi * u) ** 2))
        taken = stop(out) if detach else out
        return ((new - taken * threshold if v_reset is None else new - taken * new),), out
    return step


def _lif_once(node, mode, x, down):
    """Return spikes of a node, and gradients of the current and of w where it has one."""
    torch = needed("torch")
    node.step_mode, xt = mode, torch.tensor(x, requires_grad=True)
    y = node(xt) if mode == "m" else torch.stack([node(x_t) for x_t in xt])
    grads = torch.autograd.grad(y, [xt, *node.parameters()], torch.tensor(down))
    return y.detach().numpy(), [g.numpy().reshape(np.shape(g) or 1) for g in grads]


def _lif_nodes():
    """LIFNode and ParametricLIFNode, 96 settings each: tau, threshold, reset, decay_input, detach_reset and step mode."""
    neuron, surrogate = needed("spikingjelly.activation_based.neuron"), needed("spikingjelly.activation_based.surrogate")
    rng, worst, n, n_settings, alive = np.random.default_rng(0), 0.0, 0, 0, True
    down = rng.normal(size=(9, 2, 2))
    for tau, threshold, v_reset, decay, detach in product((2.0, 3.7), (1.0, 0.6), (0.0, None, -0.3), (True, False), (True, False)):
        x = rng.normal(0.8 if decay else 0.4, 1.2, (9, 2, 2)) * (tau if decay else 1)
        for kind, mode in product((neuron.LIFNode, neuron.ParametricLIFNode), "sm"):
            node = kind(tau, decay, threshold, v_reset, surrogate.ATan(2.5), detach).double()
            w = node.w.detach().numpy().reshape(1) if hasattr(node, "w") else np.array([tau])
            y, got = _lif_once(node, mode, x, down)
            ref, grads = gradients(unrolled(_lif_step(threshold, v_reset, decay, detach, hasattr(node, "w")), 1), [x, w], down)
            alive &= 0 < ref.mean() < 1
            worst = max(worst, miss(got, grads[:len(got)]) if np.array_equal(y, ref) else np.inf)
            n, n_settings = n + ref.size, n_settings + 1
    return Observation(worst <= 1e-10 and bool(alive), n, worst, f"{n_settings} settings, spikes equal, gradients within {worst:.1g}")


def _dsr_threshold():
    """Saturated neurons: the sum of the output is proportional to the threshold."""
    torch, neuron = needed("torch"), needed("spikingjelly.activation_based.neuron")
    ratio = {}
    for name, kind, more in (("IF", neuron.DSRIFNode, {}), ("LIF", neuron.DSRLIFNode, {"tau": 2.0, "delta_t": 0.0625})):
        node, x = kind(T=8, v_threshold=1.0, alpha=1.0, **more), torch.full((8, 1, 1), 256.0)
        total = node(x).sum()
        total.backward()
        ratio[name] = total.item() / node.v_threshold.grad.item()                   # at threshold 1 the sum is its own derivative
    return Observation(ratio["IF"] == 1 and ratio["LIF"] == 256, 2, None,
                       f"derivative of the saturated output / gradient of the threshold: {ratio['IF']:g} in DSRIFNode, {ratio['LIF']:g} = "
                       "1 / delta_t^2 in DSRLIFNode")


def _clif_eval():
    torch, neuron = needed("torch"), needed("spikingjelly.activation_based.neuron")
    names = "IFNode", "LIFNode", "ParametricLIFNode", "ComplementaryLIFNode"
    has = {name: getattr(neuron, name)(step_mode="m").eval()(torch.full((4, 1), 0.9, requires_grad=True)).requires_grad for name in names}
    return Observation(list(has.values()) == [True, True, True, False], len(has), None,
                       "gradient in eval: " + ", ".join(f"{name} {'yes' if x else 'no'}" for name, x in has.items()))


CASES = (
    Finding("spikingjelly-if", "spikingjelly", "spikingjelly", "2.0.0", "positive control",
         "IFNode agrees with ours in four conventions", _if_node),
    Finding("spikingjelly-lif", "spikingjelly", "spikingjelly", "2.0.0", "positive control",
         "LIFNode and ParametricLIFNode agree with their equations in 192 settings", _lif_nodes),
    Finding("spikingjelly-first-spike", "spikingjelly", "spikingjelly", "2.0.0", "positive control",
         "first_spike_time, given the temporal neuron, agrees with ours", _first_spike),
    Finding("spikingjelly-dsr-threshold", "spikingjelly", "spikingjelly", "2.0.0", "different definition",
         "the threshold of DSRLIFNode gets delta_t^2 times its gradient, that of DSRIFNode all of it", _dsr_threshold,
         "docs/findings/spikingjelly-dsr-threshold.md"),
    Finding("spikingjelly-clif-eval", "spikingjelly", "spikingjelly", "2.0.0", "convention",
         "no gradient goes through ComplementaryLIFNode in eval mode, where one goes through LIFNode", _clif_eval,
         "docs/findings/spikingjelly-clif-eval.md"),
)
"""Five cases."""
