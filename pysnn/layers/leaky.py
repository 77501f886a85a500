"""Layers of leaky neurons, with parameters of their own: decays, thresholds, recurrent weights."""

from typing import NamedTuple

import numpy as np

from .._blas import matmul
from ..conventions import LeakyState, Rule
from ..operations import backend_of
from . import SpikingLayer


class _Held(NamedTuple):
    """What backward needs of a segment: the operation's cache, the spikes, and the state before the segment, None before the first."""

    cache: object
    spikes: np.ndarray | None
    before: LeakyState | None


class _Decaying(SpikingLayer):
    """What decays from step to step; `forward` takes all steps at once, (T B, ...), or, as the first, a constant current (B, ...)."""

    def __init__(self, params, k, config, decays, backend="auto", first=False):
        self.params, self.config, self.first, self.op = params, config, first, backend_of("leaky", config.surrogate.backend(backend))
        self.names = {"beta": f"leak{k}", "threshold": f"threshold{k}", "alpha": f"synapse{k}", "w_rec": f"w_rec{k}"}
        self.given = {"beta": decays[0], "alpha": decays[1], "threshold": config.threshold, "w_rec": None}

    def value(self, name):
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

    def forward(self, x, rng=None, statistics=None):
        return self.forward_from(None, x)[:2]

    def backward(self, dy, cache, need_dx=True):
        return self.backward_from(None, dy, cache)[:2]

    def forward_from(self, state, x, rng=None, statistics=None):
        current = self._steps(x)
        if state is not None:
            first = self._first(current[0], state)
            current = np.concatenate([first[None], current[1:]])
        y, spikes, v, cache = self._run(current, self.config.v_init if state is None else state.v)
        i = None if self.value("alpha") is None else _currents(cache)[-1].copy()
        after = LeakyState(v, i, None if self.value("w_rec") is None else spikes[-1].copy())      # no views: they hold all steps
        return y.reshape(-1, *y.shape[2:]), _Held(cache, spikes, state), after

    def _first(self, x, state):
        """(D13) Add to the first current of a segment what the steps before it left: spikes that come back, and a current that decays."""
        alpha, w_rec = self.value("alpha"), self.value("w_rec")
        x = x if w_rec is None else x + _times(state.s, w_rec)
        return x if alpha is None else _as(alpha, x) * state.i + x

    def backward_from(self, dstate, dy, cache, need_dx=True):
        before, dy = cache.before, dy.reshape(self.config.n_steps, -1, *dy.shape[1:])
        alpha, w_rec = self.value("alpha"), self.value("w_rec")
        dspikes, dv, later = (dy, None, None) if self.fires else (None, dy, None)
        if dstate is not None and alpha is not None:
            later = dstate.i * _as(alpha, dy) ** np.arange(len(dy) - 1, -1, -1).reshape(-1, *[1] * (dy.ndim - 1))      # (D14)
        if dstate is not None and w_rec is not None:
            dspikes = np.zeros_like(dy) if dspikes is None else dspikes.copy()
            dspikes[-1] += dstate.s
            dspikes[:-1] += 0 if later is None else _times(later, w_rec.T)[1:]
        whole = before is None and later is None                         # nobody asks for the current of a single step
        made = self._pull((dspikes, dv, None if dstate is None else dstate.v), cache.cache, self.first and whole)
        made = made if later is None else self._with_later(made, later, cache)
        made, dstate = (made, None) if before is None else self._to_before(made, before)
        dx = made.dcurrent.sum(axis=0) if self.first and not whole else made.dcurrent
        return dx if self.first else dx.reshape(-1, *dx.shape[2:]), self._learnt(made), dstate

    def _with_later(self, made, later, cache):
        """(D14) Add to the gradients what comes from the currents of later segments; through recurrent weights it has come already."""
        dw_rec = None if made.dw_rec is None else made.dw_rec + matmul(_rows(cache.spikes[:-1]).T, _rows(later[1:]))
        made = made._replace(dcurrent=made.dcurrent + later, dw_rec=dw_rec)
        return made if made.dalpha is None else made._replace(
            dalpha=made.dalpha + _like(made.dalpha, later[1:] * _currents(cache.cache)[:-1]))

    def _to_before(self, made, before):
        """(D14) Add to the gradients what the state before the segment shares in its first step; return them and the gradient of it."""
        alpha, w_rec, dfirst = self.value("alpha"), self.value("w_rec"), made.dcurrent[0]
        if made.dalpha is not None:
            made = made._replace(dalpha=made.dalpha + _like(made.dalpha, dfirst * before.i))
        if w_rec is not None:
            made = made._replace(dw_rec=made.dw_rec + matmul(_rows(before.s).T, _rows(dfirst)))
        return made, LeakyState(made.dv_init, None if alpha is None else _as(alpha, dfirst) * dfirst,
                                None if w_rec is None else _times(dfirst, w_rec.T))

    def _learnt(self, made):
        """Return the gradients of those values that are parameters, 0 where a decay has left its range."""
        grads = {w: getattr(made, f"d{name}") for name, w in self.names.items() if w in self.params}
        if self.names["threshold"] in grads:
            grads[self.names["threshold"]] = grads[self.names["threshold"]] * made.dthreshold.dtype.type(self.config.threshold)
        for name in ("beta", "alpha"):
            w = self.params.get(self.names[name])
            if w is not None:
                grads[self.names[name]] = np.where((w < 0) | (w > 1), w.dtype.type(0), grads[self.names[name]])
        return grads


def _currents(cache):
    """Return the currents (T, B, ..., n) of all steps, which each backend keeps for its backward pass."""
    i = getattr(cache, "cache", cache).i
    return i.copy_to_host() if hasattr(i, "copy_to_host") else i


def _as(number, like):
    """Return a number or an array in the dtype of another array."""
    return np.asarray(number, like.dtype)


def _rows(x):
    return x.reshape(-1, x.shape[-1])


def _times(x, w):
    return matmul(_rows(x), w).reshape(x.shape)


def _like(parameter, total):
    """Sum what all neurons say about a parameter to its shape."""
    total = _rows(total).sum(axis=0)
    return total if np.ndim(parameter) else total.sum()


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
        return self.value("beta"), self.value("threshold")

    def _run(self, current, v):
        more = self.rule, self.value("alpha"), self.value("w_rec")
        spikes, v, cache = self.op.forward(current, *self._how(), v, *more)
        return spikes if self.fires else self.op.potentials(cache), spikes, v, cache

    def _pull(self, upstream, cache, summed):
        (dspikes, dv, dv_final), c = upstream, self.config
        if hasattr(self.op, "backward_some"):
            wanted = tuple(name for name, own in self.names.items() if own in self.params), summed
            return self.op.backward_some(dspikes, cache, dv_final, dv, c.surrogate, c.detach_reset, wanted)
        made = self.op.backward(np.zeros_like(dv) if dspikes is None else dspikes, cache, dv_final, dv, c.surrogate, c.detach_reset)
        return made._replace(dcurrent=made.dcurrent.sum(axis=0)) if summed else made

    def step(self, v, current):
        if v is None:
            v = np.full_like(current, self.config.v_init)
        return self.op.step(v if isinstance(v, LeakyState) else LeakyState(v, np.zeros_like(v), np.zeros_like(v)), current, *self._how(),
                            self.rule, self.value("alpha"), self.value("w_rec"))


class Integrate(_Decaying):
    """A readout that leaks and does not fire: the potentials of all steps come out; arguments as of `Leaky`."""

    fires = False

    def _run(self, current, v):
        v, cache = self.op.integrate(current, self.value("beta"), v, self.value("alpha"))
        return v, None, v[-1].copy(), cache

    def _pull(self, upstream, cache, summed):
        _, dv, dv_final = upstream
        if dv_final is not None:
            dv = dv.copy()
            dv[-1] += dv_final
        made = self.op.integrate_backward(dv, cache)
        return made._replace(dcurrent=made.dcurrent.sum(axis=0)) if summed else made
