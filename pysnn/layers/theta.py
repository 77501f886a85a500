"""Dense layers of theta neurons, whose first spikes never jump: times go in and come out, and pseudo-spikes feed on.

A hidden neuron that has not fired when the trial ends has a pseudo-spike behind the end. It does not come in the next layer before the end:
it acts at the end, with a share of its weight that falls from 1 to 0 in a period, (Q5). So the outputs are continuous while hidden spikes
cross the end of the trial, and a network in which nothing fires has gradients in all its weights.
"""

import numpy as np

from ..operations import backend_of
from . import Layer


class ThetaDense(Layer):
    """A fully connected layer of theta neurons; times t in and out, not z = exp(t).

    Parameters
    ----------
    params : dict of str to array
        All parameters; this layer reads params[name], of shape (n_in, n_out), with one row more if there is a bias.
    name : str
        Name of the weights.
    t_end : float
        End of the trial, the same in all layers.
    bias : bool
        Whether an extra input spike at t = 0 has weights of its own, in the last row: they add to the voltages at the begin.
    v_init : float
        Voltage at the begin of the trial.
    backend : {"auto", "reference", "numba"}
        What computes.
    """

    fires = True

    def __init__(self, params, name, t_end, bias=False, v_init=0.5, backend="auto"):
        self.params, self.name, self.t_end, self.bias, self.v_init = params, name, t_end, bias, v_init
        self.op = backend_of("theta", backend)

    def forward(self, t, rng=None, statistics=None):
        """Compute the spike times.

        Parameters
        ----------
        t : (B, n_in) array
            Times of the input spikes, 0 or later; from t_end on, pseudo-spikes; inf: no spike.
        rng, statistics : None
            Not used.

        Returns
        -------
        t_out : (B, n_out) array
            Times of the first spikes; from t_end on, pseudo-spikes. Never inf.
        cache : object
            For `backward`.
        """
        if self.bias:
            t = np.concatenate([t, np.zeros((len(t), 1), t.dtype)], axis=1)
        return self.op.forward(t, self.params[self.name], self.t_end, v_init=self.v_init)

    def backward(self, dt, cache, need_dx=True):
        dt_in, dw = self.op.backward(dt, cache)
        return dt_in[:, :-1] if self.bias else dt_in, {self.name: dw}
