"""Layers of leaky neurons with exact event-driven dynamics: spike times in, spike times or maxima of potentials out; see event_prop.

Times are (B, n, K): K spikes of each of n neurons, in time constants of the synapse; inf means no spike.
"""

import numpy as np

from ..operations import backend_of
from . import Layer


class _Events(Layer):
    """What both layers share: weights, and the spike that stands for the bias."""

    def __init__(self, params, k, tau_m, t_bias=0.0, backend="auto"):
        self.params, self.names, self.tau_m, self.t_bias = params, (f"w{k}", f"b{k}"), tau_m, t_bias
        self.op = backend_of("event_prop", backend)

    def _with_bias(self, t):
        """Return times and weights, where there are biases with one more input, which spikes once."""
        w, b = (self.params.get(name) for name in self.names)
        if b is None:
            return t, w
        one = np.full((len(t), 1, t.shape[2]), np.inf, t.dtype)
        one[:, :, 0] = self.t_bias
        return np.concatenate([t, one], axis=1), np.concatenate([w, b[None]])

    def _gradients(self, dt, dw):
        """Take the gradients of that input apart again."""
        if self.names[1] not in self.params:
            return dt, {self.names[0]: dw}
        return dt if dt is None else dt[:, :-1], {self.names[0]: dw[:-1], self.names[1]: dw[-1]}


class EventDense(_Events):
    """A fully connected layer of leaky neurons that fire many times.

    Parameters
    ----------
    params : dict of str to array
        All parameters; this layer reads w{k}, and b{k} if there is one, the weights of an input that spikes once, at t_bias.
    k : int
        Number of this weight layer.
    tau_m : float
        Time constant of the membrane, over that of the synapse. The threshold is 1.
    t_bias : float
        When the biases arrive.
    backend : {"auto", "reference", "numba"}
        What computes.
    n_spikes : int
        A neuron fires at most so many times; the cache says which were stopped.
    """

    fires = True

    def __init__(self, params, k, tau_m, t_bias=0.0, backend="auto", n_spikes=None):
        super().__init__(params, k, tau_m, t_bias, backend)
        self.n_spikes = n_spikes

    def forward(self, t, rng=None, statistics=None):
        t_out, cache = self.op.forward(*self._with_bias(t), tau_m=self.tau_m, n_spikes=self.n_spikes)
        return np.ascontiguousarray(t_out[:, :, :cache.t_out.shape[2]]), cache                 # no room for spikes that nobody fires

    def backward(self, dt, cache, need_dx=True):
        full = np.zeros((*dt.shape[:2], self.n_spikes or dt.shape[2]), dt.dtype)
        full[:, :, :dt.shape[2]] = dt
        return self._gradients(*self.op.backward(full, cache, need_dx)[:2])


class EventMax(_Events):
    """A fully connected readout of leaky neurons that do not fire; its output is the maxima of their potentials over time.

    Parameters
    ----------
    params : dict of str to array
        All parameters; as of `EventDense`.
    k : int
        Number of this weight layer.
    tau_m : float
        Time constant of the membrane, over that of the synapse.
    t_bias : float
        When the biases arrive.
    backend : {"auto", "reference", "numba"}
        What computes.
    """

    def __init__(self, params, k, tau_m, t_bias=0.0, backend="auto"):
        super().__init__(params, k, tau_m, t_bias, backend)

    def forward(self, t, rng=None, statistics=None):
        return self.op.max_forward(*self._with_bias(t), tau_m=self.tau_m)

    def backward(self, dv, cache, need_dx=True):
        return self._gradients(*self.op.max_backward(dv, cache, need_dx))
