"""Sinabs' layers; (batch, time, neuron)."""

from ...frameworks.adapters import needed
from ..node import TorchNode


def _layer(kind, reset=None, single=True, learn=(), **options):
    def make():
        activation = needed("sinabs.activation")
        how = {"spike_fn": activation.SingleSpike if single else activation.MultiSpike,
               "reset_fn": activation.MembraneSubtract() if reset is None else activation.MembraneReset(reset_value=reset)}
        layer = getattr(needed("sinabs.layers"), kind)(**how, **options).double()

        def run(x):
            batch, shape = x.transpose(0, 1), (x.shape[1], x.shape[2])
            if not layer.is_state_initialised() or not layer.state_has_shape(shape):
                layer.init_state_with_shape(shape)
                layer.double()
            return layer(batch).transpose(0, 1)

        def fresh():
            if layer.is_state_initialised():
                layer.reset_states()
                layer.double()
        return TorchNode(run, fresh, "float64", lambda x: run(x[None])[0], layer, {name: getattr(layer, name) for name in learn})
    return make


_TAU = {"tau_mem": 4.0}

NEURONS = {
    "IAF": _layer("IAF"),
    "IAF(spike_fn=MultiSpike)": _layer("IAF", single=False),
    "IAF(reset_fn=MembraneReset())": _layer("IAF", reset=0.0),
    "IAF(reset_fn=MembraneReset(-0.5))": _layer("IAF", reset=-0.5),
    "LIF": _layer("LIF", learn=("tau_mem",), **_TAU),
    "LIF(norm_input=False)": _layer("LIF", norm_input=False, learn=("tau_mem",), **_TAU),
    "LIF(spike_fn=MultiSpike)": _layer("LIF", single=False, learn=("tau_mem",), **_TAU),
    "LIF(reset_fn=MembraneReset())": _layer("LIF", reset=0.0, **_TAU),
    "LIF(tau_syn)": _layer("LIF", tau_syn=2.0, learn=("tau_mem", "tau_syn"), **_TAU),
    "LIF(tau_syn, norm_input=False)": _layer("LIF", tau_syn=2.0, norm_input=False, learn=("tau_mem", "tau_syn"), **_TAU),
    "ALIF": _layer("ALIF", tau_adapt=8.0, **_TAU),
    "ALIF(adapt_scale=0)": _layer("ALIF", tau_adapt=8.0, adapt_scale=0.0, **_TAU),
    "ALIF(tau_syn, adapt_scale=0, norm_input=False)": _layer("ALIF", tau_adapt=8.0, adapt_scale=0.0, tau_syn=2.0, norm_input=False, **_TAU),
    "ALIF(tau_syn, adapt_scale=0)": _layer("ALIF", tau_adapt=8.0, adapt_scale=0.0, tau_syn=2.0, **_TAU),
}
"""What makes each neuron."""
