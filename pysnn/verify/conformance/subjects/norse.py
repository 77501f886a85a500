"""Norse's cells, and its modules over time."""

from ...frameworks.adapters import needed
from ..node import TorchNode
from ._steps import default_dtype, stepping


def _parameters(kind, **numbers):
    torch = needed("torch")
    return getattr(needed("norse.torch"), kind)(**{name: torch.tensor(x, dtype=torch.float64) for name, x in numbers.items()})


_LIF = {"tau_mem_inv": 250.0, "tau_syn_inv": 250.0}


def _cell(kind, parameters, **numbers):
    def make():
        cell = getattr(needed("norse.torch"), kind)(_parameters(parameters, **numbers))
        return stepping(lambda x, state: cell(x, state), lambda x: None, "float64", cell)
    return make


def _recurrent():
    """One to one: weights of 1 from the input, of 1/4 from a neuron's own spikes."""
    torch, norse = needed("torch"), needed("norse.torch")
    kept = {}

    def cell(x, state):
        n = x.shape[-1]
        if n not in kept:
            kept[n] = norse.LIFRecurrentCell(n, n, _parameters("LIFParameters", **_LIF), input_weights=torch.eye(n).double(), autapses=True,
                                             recurrent_weights=0.25 * torch.eye(n).double())
        return kept[n](x, state)
    rest = needed("norse.torch.functional.lif").LIFState
    return stepping(cell, lambda x: rest(*(torch.zeros_like(x),) * 3))


def _over_time():
    """The module LIF takes all steps, and LIFCell one; both hand their state on."""
    norse, p = needed("norse.torch"), _parameters("LIFParameters", **_LIF)
    module, cell, kept = norse.LIF(p), norse.LIFCell(p), [None]

    def through(of):
        def run(x):
            spikes, kept[0] = of(x, kept[0])
            return spikes
        return default_dtype(run)

    def reset():
        kept[0] = None
    return TorchNode(through(module), reset, "float64", through(cell), module)


NEURONS = {
    "IAFCell": _cell("IAFCell", "IAFParameters"),
    "LIFCell": _cell("LIFCell", "LIFParameters", **_LIF),
    "LIFCell(v_reset=-0.5)": _cell("LIFCell", "LIFParameters", v_reset=-0.5, **_LIF),
    "LIF": _over_time,
    "LIFRecurrentCell": _recurrent,
    "LSNNCell": _cell("LSNNCell", "LSNNParameters"),
}
"""What makes each neuron."""
