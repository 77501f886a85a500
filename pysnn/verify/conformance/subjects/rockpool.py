"""Rockpool's LIFTorch; (batch, time, neuron), made for a number of neurons."""

from ...frameworks.adapters import needed
from ..node import TorchNode


def _layer(learn=(), **options):
    """Layers for each number of neurons; parameters are one number for all neurons."""
    def make():
        torch, kind, kept = needed("torch"), needed("rockpool.nn.modules").LIFTorch, {}

        def layer(n):
            if n not in kept:
                kept[n] = kind(n, dt=0.25, **{name: torch.tensor(x) if isinstance(x, float) else x for name, x in options.items()})
            return kept[n]

        def run(x):
            return layer(x.shape[-1])(x.transpose(0, 1))[0].transpose(0, 1)

        def reset():
            for one in kept.values():
                one.reset_state()
        node = TorchNode(run, reset, "float32", lambda x: run(x[None])[0], layer(3))
        node.learnable = {name: getattr(layer(3), name) for name in learn}
        return node
    return make


_TAUS = {"tau_mem": 1.0, "tau_syn": 0.5, "bias": 0.0, "threshold": 1.0}
_LEARN = ("tau_mem", "tau_syn", "threshold")

NEURONS = {
    "LIFTorch": _layer(_LEARN, **_TAUS),
    "LIFTorch(max_spikes_per_dt=1)": _layer(_LEARN, max_spikes_per_dt=1.0, **_TAUS),
    "LIFTorch(threshold=2)": _layer(_LEARN, **{**_TAUS, "threshold": 2.0}),
    "LIFTorch(leak_mode='decays')": _layer(("alpha", "beta"), leak_mode="decays", alpha=0.75, beta=0.5, bias=0.0, threshold=1.0),
    "LIFTorch(leak_mode='bitshifts')": _layer(leak_mode="bitshifts", dash_mem=2.0, dash_syn=1.0, bias=0.0, threshold=1.0),
}
"""What makes each neuron."""
