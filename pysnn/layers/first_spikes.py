"""A ReLU network in spike times: each neuron fires at most once, and the earlier, the larger its activation.

Layer after layer has a window of time. A spike at t in the window of length t_max has brought the charge t_max - t through a synapse of
weight 1 by the end of the window; from then on the potential of the neurons behind it rises by 1 a unit of time, until it reaches the
threshold. docs/derivations/first-spikes.md derives (F1) to (F5). Source: A. Stanojevic et al., Neural Networks 168:74, 2023.
"""

import numpy as np

from . import Layer


class FirstSpikes(Layer):
    """Neurons that fire at most once, in a window of time.

    Parameters
    ----------
    t_max : float
        Length of the window, in units of the time in which the potential rises by 1.
    shift : float
        Added to every potential: how far below 0 a potential may be for a neuron that still fires.
    """

    fires = True

    def __init__(self, t_max, shift=0.0):
        self.t_max, self.shift = float(t_max), float(shift)

    def forward(self, v, rng=None, statistics=None):
        """Compute the spike times.

        Parameters
        ----------
        v : (B, ...) array
            Potentials at the begin of the window: what all charges have brought.
        rng, statistics : None
            Not used.

        Returns
        -------
        t : (B, ...) array
            Times since the begin of the window, 0 to t_max; inf: the neuron does not fire.
        cache : array
            For `backward`.
        """
        u = v + v.dtype.type(self.shift)
        return np.where(u > 0, np.maximum(self.t_max - u, 0), np.inf).astype(v.dtype, copy=False), u          # (F2) (F3)

    def backward(self, dt, cache, need_dx=True):
        u = cache
        return np.where((u > 0) & (u < self.t_max), -np.where(u > 0, dt, 0), 0).astype(u.dtype, copy=False), {}      # (F4)


class Charge(Layer):
    """What spikes have brought through a synapse of weight 1 by the end of their window.

    Parameters
    ----------
    t_max : float
        Length of the window.
    """

    def __init__(self, t_max):
        self.t_max = float(t_max)

    def forward(self, t, rng=None, statistics=None):
        """Compute the charges.

        Parameters
        ----------
        t : (B, ...) array
            Spike times since the begin of the window; inf: no spike.
        rng, statistics : None
            Not used.

        Returns
        -------
        a : (B, ...) array
            0 to t_max; 0 where there is no spike.
        cache : array of bool
            For `backward`.
        """
        fired = np.isfinite(t)
        return np.where(fired, self.t_max - t, 0).astype(t.dtype, copy=False), fired           # (F1)

    def backward(self, da, cache, need_dx=True):
        return np.where(cache, -da, 0).astype(da.dtype, copy=False), {}                        # (F5)
