"""SpikingJelly's nodes, in its two step modes."""

from ...frameworks.adapters import needed
from ..node import TorchNode


def _node(kind, **options):
    def make():
        torch, neuron = needed("torch"), needed("spikingjelly.activation_based.neuron")
        node = getattr(neuron, kind)(**options).double()

        def run(x):
            node.step_mode = "m"
            return node(x)

        def step(x):
            node.step_mode = "s"
            return node(x)
        learnable = {name: x for name, x in node.named_parameters() if isinstance(x, torch.nn.Parameter)}
        return TorchNode(run, node.reset, "float64", step, node, learnable)
    return make


_LIF = {"LIFNode": {"tau": 4.0}, "ParametricLIFNode": {"init_tau": 4.0}}

NEURONS = {
    "IFNode": _node("IFNode"),
    "IFNode(v_reset=None)": _node("IFNode", v_reset=None),
    "IFNode(v_reset=-0.5)": _node("IFNode", v_reset=-0.5),
    "IFNode(detach_reset=True)": _node("IFNode", detach_reset=True),
    **{f"{kind}{words}": _node(kind, **tau, **options) for kind, tau in _LIF.items() for words, options in {
        "": {}, "(v_reset=None)": {"v_reset": None}, "(v_reset=-0.5)": {"v_reset": -0.5}, "(decay_input=False)": {"decay_input": False},
        "(decay_input=False, v_reset=None, detach_reset=True)": {"decay_input": False, "v_reset": None, "detach_reset": True}}.items()},
    "KLIFNode": _node("KLIFNode", tau=4.0),
    "EIFNode": _node("EIFNode"),
    "QIFNode": _node("QIFNode"),
    "ComplementaryLIFNode": _node("ComplementaryLIFNode"),
}
"""What makes each neuron."""
