"""What Sinabs 3.1.3 does differently, and its LIF as a positive control."""

from itertools import product

import numpy as np

from ._duals import gradients, miss, spike, stop, unrolled
from ._finding import Finding, Observation
from .adapters import needed


def _case(name, label, says, look, page=True):
    return Finding(name, "sinabs", "sinabs", "3.1.3", label, says, look, f"docs/findings/{name}.md" if page else "")


def _potentials(layer, x):
    """Return v_mem after each step of a current (T,)."""
    torch = needed("torch")
    layer.record_states = True
    layer(torch.tensor(x).reshape(1, -1, 1))
    return layer.recordings["v_mem"].flatten().tolist()


def _membrane_reset():
    layers, activation = needed("sinabs.layers"), needed("sinabs.activation")
    layer = layers.IAF(spike_fn=activation.SingleSpike, reset_fn=activation.MembraneReset(reset_value=-0.5))
    v = _potentials(layer, [0.25, 0.0, 0.0, 0.0])
    return Observation(v == [-0.25, -0.75, -1.25, -1.75], 4, None, f"a current of 0.25 and no spike: v_mem {v}")


def _kept(kind, *parts, **more):
    """Return v_mem of a new layer that never fires, behind calls with parts of a current."""
    torch = needed("torch")
    layer = getattr(needed("sinabs.layers"), kind)(spike_threshold=torch.tensor(1e6), **more)
    for part in parts:
        layer(torch.tensor(part).reshape(1, -1, 1))
    return layer.v_mem.item()


def _alif_synapse():
    """The response to one input, in one call and in two, against its formula."""
    x, a, s = [1.0, 0.0, 0.0, 0.0, 0.0], np.exp(-1 / 20), np.exp(-1 / 10)
    wanted, found, more = (1 - a) * np.convolve(s ** np.arange(1, 6), a ** np.arange(5))[:5], {}, {"tau_adapt": 10.0, "adapt_scale": 0.0}
    for kind in ("LIF", "ALIF"):
        adapt = more if kind == "ALIF" else {}
        one = [_kept(kind, x[:n], tau_mem=20.0, tau_syn=10.0, **adapt) for n in range(1, 6)]
        two = [one[0], *(_kept(kind, x[:1], x[1:n], tau_mem=20.0, tau_syn=10.0, **adapt) for n in range(2, 6))]
        found[kind] = [float(np.abs(np.array(v) / wanted - 1).max()) for v in (one, two)]
    parts = [_kept("ALIF", *split, tau_mem=20.0, tau_syn=10.0, norm_input=False, **more) for split in ((x,), (x[:1], x[1:]))]
    off = max(found["ALIF"])
    return Observation(max(found["LIF"]) < 1e-4 and off > 0.5 and parts[0] != parts[1], 20, off,
                       f"response to one input, without spikes: LIF within {max(found['LIF']):.0e}, ALIF off by {100 * off:.0f} %; without "
                       f"norm_input {parts[0]:.4f} in one call, {parts[1]:.4f} in two", "step 2")


def _alif_recordings():
    torch, seen = needed("torch"), {}
    for kind, more in (("LIF", {}), ("ALIF", {"tau_adapt": 10.0})):
        layer = getattr(needed("sinabs.layers"), kind)(tau_mem=1e9, norm_input=False, spike_threshold=torch.tensor(1e6), **more)
        seen[kind] = [round(v, 4) for v in _potentials(layer, [1.0, 2.0, 3.0, 4.0])]
    return Observation(seen == {"LIF": [1, 3, 6, 10], "ALIF": [3, 6, 10, 10]}, 8, None,
                       f"recorded for inputs of 1, 2, 3, 4: LIF {seen['LIF']}, ALIF {seen['ALIF']}", "step 1")


def _alif_step(through):
    """One step of ALIF without synapse; `through`: whether the gradient of a spike goes through its threshold, too."""
    def step(state, current, tau_mem, tau_adapt):
        v, b = state
        leak, slow = np.exp(-1 / tau_mem), np.exp(-1 / tau_adapt)
        v, threshold = leak * v + (1 - leak) * current, 1 + 1.8 * b
        width = threshold.value * 0.5
        out = spike(v - (threshold if through else stop(threshold)), lambda u: np.exp(-np.abs(u) / width) / width)
        return (v - out * threshold, slow * b + (1 - slow) * out), out
    return step


def _run(layer, x, down, params):
    """Return spikes and gradients of a layer, in float32; arrays (T, B, n), parameters of one number."""
    torch = needed("torch")
    xt = torch.tensor(x.transpose(1, 0, 2), dtype=torch.float32, requires_grad=True)
    y = layer(xt)
    grads = torch.autograd.grad(y, [xt, *params], torch.tensor(down.transpose(1, 0, 2), dtype=torch.float32))
    return y.detach().numpy().transpose(1, 0, 2), [grads[0].numpy().transpose(1, 0, 2), *(g.numpy().reshape(-1) for g in grads[1:])]


def _alif_threshold():
    torch, rng = needed("torch"), np.random.default_rng(0)
    layer = needed("sinabs.layers").ALIF(tau_mem=torch.tensor(3.0), tau_adapt=torch.tensor(4.0))
    x, down = 4 * rng.normal(0.9, 1.2, (8, 2, 3)).astype(np.float32).astype(float), rng.normal(size=(8, 2, 3))
    y, got = _run(layer, x, down, [layer.tau_mem, layer.tau_adapt])
    off = {}
    for through in (True, False):
        ref, grads = gradients(unrolled(_alif_step(through), 2), [x, np.array([3.0]), np.array([4.0])], down)
        off[through] = miss(got, grads) if np.array_equal(y, ref) and 0 < ref.mean() < 1 else np.inf
    return Observation(off[False] <= 1e-4 and 0.01 < off[True] < np.inf, y.size, off[True],
                       f"gradients within {off[False]:.1g} of those of a constant threshold, off by {100 * off[True]:.0f} % from those of "
                       "the threshold that adapts")


def _float64():
    torch, layers = needed("torch"), needed("sinabs.layers")
    x = torch.ones(1, 2, 1, dtype=torch.float64)
    given = [str(layer(x).dtype).removeprefix("torch.") for layer in (layers.IAF().double(), layers.LIF(tau_mem=10.0).double())]
    return Observation(given == ["float32"] * 2, 2, None, f"spikes of a float64 input are {given[0]} from IAF, {given[1]} from LIF")


def _lif_step(synapse, norm, reset):
    def step(state, current, tau_mem, *tau_syn):
        v, i = state
        leak = np.exp(-1 / tau_mem)
        i = np.exp(-1 / tau_syn[0]) * (i + current) if synapse else current
        v = leak * v + ((1 - leak) * i if norm else i)
        out = spike(v - 1, lambda u: 2 * np.exp(-2 * np.abs(u)))
        return (v - out if reset == "subtract" else v * (1 - stop(out)), i), out
    return step


def _lif():
    """LIF with and without synapse and norm_input, both resets; fires once a step. The reset to zero tests for spikes: a constant."""
    layers, activation, rng = needed("sinabs.layers"), needed("sinabs.activation"), np.random.default_rng(0)
    down, worst, n, alive = rng.normal(size=(8, 2, 3)), 0.0, 0, True
    resets = {"subtract": activation.MembraneSubtract(), "zero": activation.MembraneReset()}
    for synapse, norm, reset in product((True, False), (True, False), resets):
        layer = layers.LIF(3.0, 2.0 if synapse else None, spike_fn=activation.SingleSpike, norm_input=norm, reset_fn=resets[reset])
        params = [layer.tau_mem] + ([layer.tau_syn] if synapse else [])
        x = (rng.normal(0.9, 1.2, (8, 2, 3)) * (3 if norm else 1)).astype(np.float32).astype(float)
        y, got = _run(layer, x, down, params)
        ref, grads = gradients(unrolled(_lif_step(synapse, norm, reset), 2), [x, *(p.detach().double().numpy().reshape(1) for p in params)],
                               down)
        alive &= 0 < ref.mean() < 1
        worst, n = max(worst, miss(got, grads) if np.array_equal(y, ref) else np.inf), n + ref.size
    return Observation(worst <= 1e-4 and bool(alive), n, worst, f"8 settings, spikes equal, gradients within {worst:.1g}, float32")


CASES = (
    _case("sinabs-membrane-reset", "bug", "MembraneReset adds its value to every neuron in every step", _membrane_reset),
    _case("sinabs-alif-synapse", "bug", "ALIF multiplies its synaptic state by the gain in each step, and does not keep it", _alif_synapse),
    _case("sinabs-alif-recordings", "bug", "ALIF records the potential of the next step", _alif_recordings),
    _case("sinabs-alif-threshold", "different definition", "the adapting threshold of ALIF is a constant in the gradient of its spikes",
          _alif_threshold),
    _case("sinabs-float64", "precision", "float64 in, float32 spikes out", _float64),
    _case("sinabs-lif", "positive control", "LIF agrees with its equations in eight settings", _lif, page=False),
)
"""Six cases."""
