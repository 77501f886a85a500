"""Layers of leaky neurons, with parameters of their own: decays, thresholds, recurrent weights."""

import numpy as np

from ..conventions import LeakyState, Rule
from ..operations import backend_of
from . import SpikingLayer


class _Decaying(SpikingLayer):
    """What decays from step to step; `forward` takes all steps at once, (T B, ...), or, as the first, a constant current (B, ...)."""

    def __init__(self, params, k, config, decays, backend="auto", first=False):
        self.params, self.config, self.first, self.op = params, config, first, backend_of("leaky", backend)
        self.names = {"beta": f"leak{k}", "threshold": f"threshold{k}", "alpha": f"synapse{k}", "w_rec": f"w_rec{k}"}
        self.given = {"beta": decays[0], "alpha": decays[1], "threshold": config.threshold, "w_rec": None}

    def _value(self, name):
        """Return a parameter, or the number that stands for it.

        Decays are used between 0 and 1, whatever training did to them; a trained threshold is in units of the network's.
        """
        w = self.params.get(self.names[name])
        if w is None or name == "w_rec":
            return self.given[name] if w is None else w
        return w * w.dtype.type(self.config.threshold) if name == "threshold" else np.clip(w, 0, 1)

    def _steps(self, x):
        """Give the currents a time axis."""
        n_steps = self.config.n_steps
        return np.broadcast_to(x, (n_steps, *x.shape)) if self.first else x.reshape(n_steps, -1, *x.shape[1:])

    def _learnt(self, made):
        """Return the gradients of those values that are parameters, 0 where a decay has left its range."""
        grads = {self.names[name]: d for name, d in made.items() if self.names[name] in self.params}
        if self.names["threshold"] in grads:
            grads[self.names["threshold"]] = grads[self.names["threshold"]] * made["threshold"].dtype.type(self.config.threshold)
        for name in ("beta", "alpha"):
            w = self.params.get(self.names[name])
            if w is not None:
                grads[self.names[name]] = np.where((w < 0) | (w > 1), w.dtype.type(0), grads[self.names[name]])
        return grads

    def _back(self, made):
        """Return dx and the gradients of the parameters."""
        dcurrent = made.dcurrent
        learnt = self._learnt({"beta": made.dbeta, "threshold": made.dthreshold, "alpha": made.dalpha, "w_rec": made.dw_rec})
        return (dcurrent.sum(axis=0) if self.first else dcurrent.reshape(-1, *dcurrent.shape[2:])), learnt


class Leaky(_Decaying):
    """Leaky integrate-and-fire neurons, see `pysnn.reference.leaky`; with `fires` set to False their potentials of all steps come out.

    Parameters
    ----------
    params : dict of str to array
        All parameters; this layer reads leak{k}, synapse{k}, threshold{k} and w_rec{k}, those that there are.
    k : int
        Number of the weight layer before it.
    config : pysnn.layers.NeuronConfig
        How they fire, and for how many steps.
    decays : (float, float or None)
        beta and alpha, where they are no parameters.
    rule : pysnn.conventions.Rule
        Reset, comparison and gain.
    backend : {"auto", "reference", "numba", "cuda"}
        What computes.
    first : bool
        Whether no neurons come before, and the input is one constant current.
    """

    def __init__(self, params, k, config, decays, rule=Rule(), backend="auto", first=False):
        super().__init__(params, k, config, decays, backend, first)
        self.rule = rule

    def _how(self):
        return self._value("beta"), self._value("threshold")

    def forward(self, x, rng=None, statistics=None):
        more = self.rule, self._value("alpha"), self._value("w_rec")
        y, _, cache = self.op.forward(self._steps(x), *self._how(), self.config.v_init, *more)
        y = y if self.fires else self.op.potentials(cache)
        return y.reshape(-1, *y.shape[2:]), cache

    def backward(self, dy, cache, need_dx=True):
        c, dy = self.config, dy.reshape(self.config.n_steps, -1, *dy.shape[1:])
        spikes, potentials = (dy, None) if self.fires else (np.zeros_like(dy), dy)
        return self._back(self.op.backward(spikes, cache, None, potentials, c.surrogate, c.detach_reset))

    def step(self, v, current):
        if v is None:
            v = np.full_like(current, self.config.v_init)
        return self.op.step(v if isinstance(v, LeakyState) else LeakyState(v, np.zeros_like(v), np.zeros_like(v)), current, *self._how(),
                            self.rule, self._value("alpha"), self._value("w_rec"))


class Integrate(_Decaying):
    """A readout that leaks and does not fire: the potentials of all steps come out; arguments as of `Leaky`."""

    fires = False

    def forward(self, x, rng=None, statistics=None):
        v, cache = self.op.integrate(self._steps(x), self._value("beta"), self.config.v_init, self._value("alpha"))
        return v.reshape(-1, *v.shape[2:]), cache

    def backward(self, dy, cache, need_dx=True):
        return self._back(self.op.integrate_backward(dy.reshape(self.config.n_steps, -1, *dy.shape[1:]), cache))
