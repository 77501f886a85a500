"""Plain PyTorch: a loop as a tutorial writes it, with a step function of its own. A control for the cases themselves."""

from ...frameworks.adapters import needed
from ...frameworks.neurons import plain_spike
from ..node import TorchNode


def _loop(beta, zero):
    def make():
        torch = needed("torch")
        spike = plain_spike()
        kept, factor = [0.0], torch.nn.Parameter(torch.tensor(beta, dtype=torch.float64))

        def run(x):
            spikes = []
            for x_t in x:
                v = factor * kept[0] + x_t
                spikes.append(spike(v - 1))
                kept[0] = v * (1 - spikes[-1]) if zero else v - spikes[-1].detach()
            return torch.stack(spikes)

        def reset():
            kept[0] = 0.0
        return TorchNode(run, reset, learnable={"beta": factor})
    return make


NEURONS = {"integrate_fire": _loop(1.0, False), "leaky": _loop(0.75, False), "leaky(zero, attached)": _loop(0.75, True)}
"""What makes each neuron."""
