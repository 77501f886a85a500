"""snnTorch's neurons; it leaves the loop over time to its users."""

import warnings

from ...frameworks.adapters import needed
from ..node import TorchNode
from ._steps import stepping


def _cell(kind, n_states, spikes_too=False, learn=(), **options):
    """A neuron whose states are handed on; `spikes_too`: the first of them is its spikes."""
    def make():
        torch = needed("torch")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)                  # inhibition is unstable, it says
            neuron = getattr(needed("snntorch"), kind)(**options)

        def cell(x, state):
            out = neuron(x, *state)
            return out[0], (out if spikes_too else out[1:])
        learnable = {name: dict(neuron.named_parameters())[name] for name in learn}
        return stepping(cell, lambda x: tuple(torch.zeros_like(x) for _ in range(n_states)), "float64", neuron, learnable)
    return make


def _state_leaky():
    neuron = needed("snntorch").StateLeaky(beta=0.75, channels=1)
    return TorchNode(lambda x: neuron(x.reshape(len(x), -1, 1))[0].reshape(x.shape), lambda: None, "float32", None, neuron)


_LEAKY = {"beta": 0.75, "learn": ("beta", "threshold"), "learn_beta": True, "learn_threshold": True}
_ONE = {"all_to_all": False, "V": 0.25}

NEURONS = {
    "Leaky": _cell("Leaky", 1, **_LEAKY),
    "Leaky(reset_mechanism='zero')": _cell("Leaky", 1, reset_mechanism="zero", **_LEAKY),
    "Leaky(reset_mechanism='none')": _cell("Leaky", 1, reset_mechanism="none", **_LEAKY),
    "Leaky(reset_delay=False)": _cell("Leaky", 1, reset_delay=False, **_LEAKY),
    "Leaky(reset_mechanism='zero', reset_delay=False)": _cell("Leaky", 1, reset_mechanism="zero", reset_delay=False, **_LEAKY),
    "Leaky(inhibition=True)": _cell("Leaky", 1, beta=0.75, inhibition=True),
    "Leaky(spike_grad=sigmoid)": lambda: _cell("Leaky", 1, spike_grad=needed("snntorch.surrogate").sigmoid(25), **_LEAKY)(),
    "Leaky(beta=1)": _cell("Leaky", 1, beta=1.0),
    "RLeaky": _cell("RLeaky", 2, True, ("beta", "threshold", "V"), beta=0.75, learn_beta=True, learn_threshold=True, **_ONE),
    "RLeaky(reset_mechanism='zero')": _cell("RLeaky", 2, True, beta=0.75, reset_mechanism="zero", **_ONE),
    "RLeaky(reset_delay=False)": _cell("RLeaky", 2, True, beta=0.75, reset_delay=False, **_ONE),
    "Synaptic": _cell("Synaptic", 2, alpha=0.5, beta=0.75, learn=("alpha", "beta"), learn_alpha=True, learn_beta=True),
    "Synaptic(reset_mechanism='zero')": _cell("Synaptic", 2, alpha=0.5, beta=0.75, reset_mechanism="zero"),
    "Synaptic(reset_delay=False)": _cell("Synaptic", 2, alpha=0.5, beta=0.75, reset_delay=False),
    "RSynaptic": _cell("RSynaptic", 3, True, alpha=0.5, beta=0.75, **_ONE),
    "RSynaptic(reset_delay=False)": _cell("RSynaptic", 3, True, alpha=0.5, beta=0.75, reset_delay=False, **_ONE),
    "Lapicque": _cell("Lapicque", 1, R=2.0, C=2.0),
    "Lapicque(learn_beta=True)": _cell("Lapicque", 1, beta=0.75, learn_beta=True),
    "Alpha": _cell("Alpha", 3, alpha=0.75, beta=0.5),
    "StateLeaky": _state_leaky,
}
"""What makes each neuron."""
